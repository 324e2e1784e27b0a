"""Momentum ladder: enter the fastest movers, add rungs while they go on, trail every stop."""

from typing import NamedTuple

from compiled.indicators import EMA
from compiled.model.values import SECOND, Bar, Product, Side
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.strategy import Context, Strategy
from strategies.parameters import Parameters

DAY = 86_400 * SECOND


class LadderRung(NamedTuple):
    """One rung: enters at `trigger_percent` of gain; `target_percent` 0 makes it a runner."""

    trigger_percent: float
    stop_percent: float
    target_percent: float


class MoverTrack:
    """The state of one instrument: two averages and the last closes."""

    def __init__(self, fast: int, slow: int) -> None:
        self.fast = EMA(fast)
        self.slow = EMA(slow)
        self.closes: list[float] = []
        self.last_exit = -DAY


class MomentumLadder(Strategy):
    """Takes the strongest movers whose fast average stands beyond the slow one, every scan.

    Momentum is the percent change over the last `momentum_bars` bars. Entries, further rungs, stops
    and targets are the ladder's; this class only finds what to climb.
    """

    def __init__(self, parameters: Parameters) -> None:
        p = parameters
        super().__init__(p.name, p.integer("timeframe_s"), every=p.integer("scan_s"))
        self.bars = p.integer("momentum_bars", low=1)
        self.percent = p.number("momentum_percent", low=0.0)
        self.fast = p.integer("ema_fast", low=1)
        self.slow = p.integer("ema_slow", low=2)
        self.cooldown = p.integer("cooldown_s", low=0) * SECOND
        self.most = p.integer("max_positions", low=1)
        self.total = p.paise("total_capital")
        self.sides = p.sides("direction")
        rungs = p.tables("rung", LadderRung)
        self.plan = LadderPlan(
            [RungPlan(*rung) for rung in rungs],
            p.paise("capital"),
            Product.CNC,
            stop_gap_percent=p.number("stop_gap_percent", low=0.0),
            trail_step_percent=p.number("trail_step_percent", low=0.0),
            risk=p.allowance("risk"),
        )
        self.tracks: dict[int, MoverTrack] = {}

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Bring the averages up to date."""
        del ctx
        track = self.tracks.get(bar.token)
        if track is None:
            track = self.tracks[bar.token] = MoverTrack(self.fast, self.slow)
        track.fast.update(bar.close)
        track.slow.update(bar.close)
        track.closes = [*track.closes[-self.bars :], bar.close]

    def on_timer(self, ctx: Context, ts: int) -> None:
        """Scan: rank the movers, strongest first, and ask for a ladder on each with room left."""
        open_rungs = sum(rung.live for ladder in ctx.all_ladders() for rung in ladder.rungs)
        used = open_rungs * self.plan.capital
        for momentum, token, side in sorted(self._find_movers(ctx, ts), reverse=True):
            if open_rungs >= self.most or used + self.plan.capital > self.total:
                return
            ctx.ladder(token, side, self.plan, f"momentum {side * momentum:+.2f} %")
            open_rungs += 1
            used += self.plan.capital

    def _find_movers(self, ctx: Context, ts: int) -> list[tuple[float, int, Side]]:
        """Return (momentum in its direction, token, side) of every free instrument that moves."""
        found = []
        for token, track in self.tracks.items():
            if ctx.ladders(token):
                track.last_exit = ts
                continue
            if (
                not track.slow.ready
                or len(track.closes) <= self.bars
                or ts - track.last_exit < self.cooldown
            ):
                continue
            change = (ctx.ltp(token) / track.closes[0] - 1.0) * 100.0
            lead = track.fast.value - track.slow.value
            found += [
                (side * change, token, side)
                for side in self.sides
                if side * change >= self.percent and side * lead > 0
            ]
        return found
