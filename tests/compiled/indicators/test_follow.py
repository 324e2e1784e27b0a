"""Indicators that the desk keeps for a strategy.

The same trades as where the strategy keeps them, and fewer calls.
"""

import re

import pytest

from compiled.backtest.backtest import run_bars
from compiled.indicators import ATR, SMA, Cross
from compiled.model.values import MINUTE, Bar, Side
from compiled.trading.strategy import Strategy
from strategies.parameters import parameters_kind, read_parameters
from tests.compiled.backtest.test_replay import OPEN, columns, days, desk, sessions, walk
from tests.conftest import ROOT
from tests.reference.replay import LongWay

ONE, THREE = [257], [257, 513, 769]


class Keeps(Strategy):
    """Keeps its averages and its ATR itself."""

    def __init__(self, stop, span=60):
        super().__init__("cross", span)
        self.stop = stop
        self.kept = {}
        self.heard = []

    def on_bar(self, ctx, bar):
        if bar.token not in self.kept:
            self.kept[bar.token] = Cross(SMA(5), SMA(12)), ATR(5)
        cross, swing = self.kept[bar.token]
        cross.bar(bar)
        swing.bar(bar)
        if cross.value != 0.0:
            self.act(ctx, bar, cross, swing)

    def act(self, ctx, bar, cross, swing):
        self.heard.append((bar.token, bar.start, cross.value, swing.value))
        if cross.above:
            ctx.enter(bar.token, Side.BUY, 0, self.stop, quantity=10)
        else:
            ctx.exit(bar.token)


class Follows(Keeps):
    """Lets the desk keep them."""

    def follow(self, token):
        self.kept[token] = Cross(SMA(5), SMA(12)), ATR(5)
        return list(self.kept[token])

    def on_bar(self, ctx, bar):
        self.act(ctx, bar, *self.kept[bar.token])


@pytest.mark.parametrize("tokens", [ONE, THREE])
@pytest.mark.parametrize("span", [60, 180])
@pytest.mark.parametrize("stop", [0.0, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_desk_keeps_makes_the_same_trades(tokens, span, stop, seed):
    rows = walk(seed, tokens, 370 if tokens is ONE else 150, days=2, holes=0.05)
    told = []
    for make in (Keeps, Follows):
        strategy = make(stop, span)
        kernel, venue = desk([strategy], tokens, spans=(span,))
        made = run_bars(kernel, venue, columns(rows, tokens), 60, sessions(2)).fills
        told.append((kernel.digest(), strategy.heard, len(made)))
        strategy = make(stop, span)
        kernel, venue = desk([strategy], tokens, spans=(span,))
        way = LongWay(kernel, venue)
        way.run(rows, 60, days(2))
        told.append((kernel.digest(), strategy.heard, len(kernel.order_store.fills)))
    assert told[0] == told[1] == told[2] == told[3]
    assert told[0][2] > 5


def test_without_a_cross_every_bar_is_heard_with_what_it_made_of_the_indicators():
    class Average(Strategy):
        def __init__(self):
            super().__init__("average", 60)
            self.seen = []

        def follow(self, token):
            self.average = SMA(3)
            return [self.average]

        def on_bar(self, ctx, bar):
            del ctx
            self.seen.append((bar.close, self.average.value))

    rows = walk(5, ONE, 50)
    strategy = Average()
    kernel, venue = desk([strategy], ONE)
    run_bars(kernel, venue, columns(rows, ONE), 60, sessions())
    closes = [row[5] for row in rows]
    assert [close for close, _ in strategy.seen] == closes
    for place in range(2, 50):
        assert strategy.seen[place][1] == pytest.approx(sum(closes[place - 2 : place + 1]) / 3)


def test_stored_bars_warm_up_what_the_desk_keeps():
    strategy = Follows(0.0)
    kernel, _ = desk([strategy], ONE)
    closes = [100.0] * 12 + [101.0, 99.0, 95.0, 90.0]
    kernel.strategy_host.warm_up(
        [Bar(257, OPEN - (16 - n) * MINUTE, 60, c, c, c, c, 10) for n, c in enumerate(closes)]
    )
    cross, swing = strategy.kept[257]
    assert (cross.ready, swing.ready) == (True, True)
    assert [value for _, _, value, _ in strategy.heard] == [1.0, -1.0]
    assert kernel.order_store.commands == []


@pytest.mark.parametrize("answer", ["a fault", [3], None, [None]])
def test_a_fault_in_follow_stops_that_strategy_and_no_other(answer):
    class Broken(Strategy):
        def follow(self, token):
            if answer == "a fault":
                raise ValueError(f"no averages for {token}")
            return answer

    rows = walk(3, ONE, 200)
    told = []
    for strategies in ([Follows(0.0)], [Broken("broken", 60), Follows(0.0)]):
        kernel, venue = desk(strategies, ONE)
        made = run_bars(kernel, venue, columns(rows, ONE), 60, sessions()).fills
        told.append(
            (
                [(fill.ts, fill.price) for fill in made],
                [slot.stopped for slot in kernel.state.slots],
            )
        )
    stopped, other = told[1][1]
    assert other == ""
    assert (
        stopped == "ValueError: no averages for 257"
        if answer == "a fault"
        else stopped.startswith("TypeError: ")
    )
    assert told[0][0] == told[1][0] != []


@pytest.mark.parametrize("name", ["Breakout", "Averages", "Reversal"])
def test_the_examples_of_the_authors_page_trade(name):
    page = (ROOT / "docs/strategies.md").read_text(encoding="utf-8")
    [code] = [
        block
        for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        if f"class {name}(" in block
    ]
    known = {"__name__": "page"}
    exec(code, known)  # it stands with its imports
    table = {"timeframe_s": 60, "stop_percent": 1.0, "bars": 20, "capital": 100_000}
    asked = {
        key: value for key, value in table.items() if key == "timeframe_s" or f"{key}:" in code
    }
    parameters = read_parameters(name.lower(), parameters_kind(known[name]), asked)
    kernel, venue = desk([known[name](name.lower(), parameters)], ONE)
    made = run_bars(kernel, venue, columns(walk(4, ONE, 370), ONE), 60, sessions()).fills
    assert len(made) > 3
    assert kernel.state.slots[0].stopped == ""
