"""The momentum ladder: what it keeps between scans gives what a look at all of it would give."""

import numpy as np
import pytest

import strategies
from compiled.indicators import EMA
from compiled.trading.strategy import Strategy
from strategies.testing import replay


class NaiveLadder(Strategy):
    """The same rules from a list of closes, everything looked at anew in every scan."""

    def __init__(self, made):
        super().__init__(made.name, made.span, every=made.every)
        self.made = made
        self.closes, self.averages, self.last_exit = [], (EMA(made.fast), EMA(made.slow)), None

    def on_bar(self, ctx, bar):
        self.closes.append(bar.close)
        for average in self.averages:
            average.update(bar.close)

    def on_timer(self, ctx, ts):
        (token,) = ctx.instruments
        if ctx.ladders(token):
            self.last_exit = ts
            return
        fast, slow = self.averages
        if not slow.ready or len(self.closes) <= self.made.bars:
            return
        if self.last_exit is not None and ts - self.last_exit < self.made.cooldown:
            return
        change = (ctx.ltp(token) / self.closes[-1 - self.made.bars] - 1.0) * 100.0
        for side in self.made.sides:
            if side * change >= self.made.percent and side * (fast.value - slow.value) > 0:
                ctx.ladder(token, side, self.made.plan, "")


def walk(seed):
    moves = np.random.default_rng(seed).standard_t(3, 3 * 375).clip(-9, 9) * 0.0007
    return 500.0 * np.exp(np.cumsum(moves))


@pytest.mark.parametrize("cooldown", [0, 600, 5_400])
@pytest.mark.parametrize("direction", ["long", "both"])
def test_it_enters_and_leaves_where_a_naive_scan_does(cooldown, direction):
    table = {
        "direction": direction,
        "product": "MIS",
        "cooldown_s": cooldown,
        "momentum_percent": 0.3,
        "rung": [
            {"trigger_percent": 0.0, "stop_percent": 0.5, "target_percent": 0.6},
            {"trigger_percent": 0.25, "stop_percent": 0.5, "target_percent": 0.0},
        ],
    }
    trips = 0
    for seed in range(4):
        closes = walk(seed)
        kept = replay(strategies.build("momentum_ladder", table), closes)
        naive = replay(NaiveLadder(strategies.build("momentum_ladder", table)), closes)
        places = [[(t.side, t.entry_ts, t.exit_ts, t.net) for t in each] for each in (kept, naive)]
        assert places[0] == places[1]
        trips += len(kept)
    assert trips > 20
