"""Momentum ladder: enter the fastest movers, add rungs while they go on, trail every stop."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from strategies import (
    CRORE,
    DAY_SECONDS,
    EMA,
    ROC,
    SECOND,
    SIDES,
    Context,
    Cross,
    DirectionalParameters,
    Indicator,
    Key,
    Ladder,
    LadderPlan,
    Product,
    RungPlan,
    Side,
    Strategy,
    within_bounds,
)


class LadderRung(Struct, frozen=True, kw_only=True):
    """One rung of a ladder: when it enters, and how it leaves."""

    trigger_percent: Annotated[
        float,
        within_bounds(
            0,
            50,
            "Gain that enters it: of P1 for P2, of the average of P1 and P2 for P3; 0 for P1, "
            "which begins.",
        ),
    ]
    stop_percent: Annotated[
        float, within_bounds(0.25, 50, "Stop below its average price (long), above it (short).")
    ]
    target_percent: Annotated[
        float, within_bounds(0, 500, "Target beyond its average price; 0: none, the rung runs.")
    ]


class LadderParameters(DirectionalParameters, frozen=True, kw_only=True):
    """Momentum entries in three rungs, each with a stop at the broker that trails the price."""

    scan_s: Annotated[int, within_bounds(1, 3_600, "Time between two scans for entries.")] = 60
    capital: Annotated[int, within_bounds(1, 10 * CRORE, "Rupees in one rung.")] = 3_000
    risk: Annotated[
        int,
        within_bounds(
            0, 10 * CRORE, "Rupees one rung may lose at its stop; 0: its capital alone is its size."
        ),
    ] = 0
    max_positions: Annotated[int, within_bounds(1, 10_000, "Rungs open at the same time.")] = 90
    total_capital: Annotated[
        int, within_bounds(1, 1_000 * CRORE, "Rupees in all its rungs together.")
    ] = 240_000
    momentum_bars: Annotated[
        int, within_bounds(1, 1_000, "Bars over which momentum is measured.")
    ] = 5
    momentum_percent: Annotated[
        float, within_bounds(0.01, 50, "Move over these bars that is an entry.")
    ] = 0.4
    ema_fast: Annotated[
        int,
        within_bounds(1, 1_000, "Bars of the fast average, which must stand beyond the slow one."),
    ] = 9
    ema_slow: Annotated[int, within_bounds(2, 5_000, "Bars of the slow average.")] = 21
    cooldown_s: Annotated[
        int, within_bounds(0, DAY_SECONDS, "Rest of an instrument after its ladder has closed.")
    ] = 600
    stop_gap_percent: Annotated[
        float, within_bounds(0.05, 10, "Distance of a stop's limit price beyond its trigger.")
    ] = 0.5
    trail_step_percent: Annotated[
        float, within_bounds(0.05, 10, "Least improvement for which a stop is moved.")
    ] = 0.25
    rung: Annotated[
        tuple[LadderRung, ...],
        Meta(
            min_length=1,
            max_length=3,
            description="The rungs in order; a file's rungs replace these.",
        ),
    ] = (
        LadderRung(trigger_percent=0.0, stop_percent=2.5, target_percent=5.0),
        LadderRung(trigger_percent=0.25, stop_percent=2.5, target_percent=0.0),
        LadderRung(trigger_percent=1.0, stop_percent=5.0, target_percent=0.0),
    )

    def contradictions(self) -> Iterator[tuple[Key, str]]:
        """Yield what does not go together."""
        yield from super().contradictions()
        if self.ema_fast >= self.ema_slow:
            yield ("ema_fast",), "expected fewer bars than ema_slow"
        if self.capital > self.total_capital:
            yield ("capital",), "expected at most total_capital"
        for index, rung in enumerate(self.rung):
            if (rung.trigger_percent == 0.0) != (index == 0):
                expected = (
                    "expected 0: the first rung begins the ladder"
                    if index == 0
                    else "expected a gain above 0"
                )
                yield ("rung", index, "trigger_percent"), expected


class MoverTrack:
    """The state of one instrument: two averages, its momentum, and when it was left."""

    def __init__(self, fast: int, slow: int, bars: int) -> None:
        # A cross, so that the desk need not call for every bar: nothing is done before the scan.
        self.averages = Cross(EMA(fast), EMA(slow))
        self.momentum = ROC(bars)
        # Before any time of the desk, so that the first entry needs no rest.
        self.last_exit = -DAY_SECONDS * SECOND


class MomentumLadder(Strategy):
    """Takes the strongest movers whose fast average stands beyond the slow one, every scan.

    Momentum is the percent change over the last `momentum_bars` bars. Entries, further rungs, stops
    and targets are the ladder's; this class only finds what to climb.
    """

    def __init__(self, name: str, parameters: LadderParameters) -> None:
        p = parameters
        super().__init__(name, p.timeframe_s, every=p.scan_s)
        self.bars = p.momentum_bars
        self.percent = p.momentum_percent
        self.fast = p.ema_fast
        self.slow = p.ema_slow
        self.cooldown = p.cooldown_s * SECOND
        self.most = p.max_positions
        self.total = p.total_capital * 100
        self.sides = SIDES[p.direction]
        self.plan = LadderPlan(
            [
                RungPlan(rung.trigger_percent, rung.stop_percent, rung.target_percent)
                for rung in p.rung
            ],
            p.capital * 100,
            Product[p.product],
            stop_gap_percent=p.stop_gap_percent,
            trail_step_percent=p.trail_step_percent,
            risk=p.risk * 100,
        )
        self.tracks: dict[int, MoverTrack] = {}
        self.standing: list[Ladder] = []
        self.free: list[tuple[int, MoverTrack]] = []
        self.scanned_at = 0

    def follow(self, token: int) -> list[Indicator]:
        """Keep an instrument's averages and its momentum."""
        track = self.tracks[token] = MoverTrack(self.fast, self.slow, self.bars)
        self.free.append((token, track))
        return [track.averages, track.momentum]

    def on_timer(self, ctx: Context, ts: int) -> None:
        """Scan: rank the movers, strongest first, and ask for a ladder on each with room left."""
        self._note_standing(ctx.all_ladders(), ts)
        movers = self._find_movers(ctx, ts)
        if not movers:
            return
        open_rungs = sum(rung.live for ladder in self.standing for rung in ladder.rungs)
        used = open_rungs * self.plan.capital
        # Strongest first: the capital may run out before the list does.
        for momentum, token, side in sorted(movers, reverse=True):
            if open_rungs >= self.most or used + self.plan.capital > self.total:
                return
            ctx.ladder(token, side, self.plan, f"momentum {side * momentum:+.2f} %")
            open_rungs += 1
            used += self.plan.capital

    def _note_standing(self, ladders: list[Ladder], ts: int) -> None:
        """Take note of the ladders that stand, and of the instruments that are free."""
        if ladders != self.standing:
            # When a ladder ended is not known: the last scan that saw it counts.
            left = {ladder.instrument.token for ladder in self.standing}
            taken = {ladder.instrument.token for ladder in ladders}
            for token in left & self.tracks.keys():
                self.tracks[token].last_exit = self.scanned_at
            self.free = [pair for pair in self.tracks.items() if pair[0] not in taken]
            self.standing = ladders
        self.scanned_at = ts

    def _find_movers(self, ctx: Context, ts: int) -> list[tuple[float, int, Side]]:
        """Return (momentum in its direction, token, side) of every free instrument that moves."""
        found = []
        rested, percent = ts - self.cooldown, self.percent
        for token, track in self.free:
            before = track.momentum.before
            if before == 0.0 or track.last_exit > rested:
                continue
            change = (ctx.ltp(token) / before - 1.0) * 100.0
            # Few move so far: all else is looked at only then.
            if abs(change) < percent or not track.averages.ready:
                continue
            lead = track.averages.fast.value - track.averages.slow.value
            found += [
                (side * change, token, side)
                for side in self.sides
                if side * change >= percent and side * lead > 0
            ]
        return found
