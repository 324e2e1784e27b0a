"""Control of a day that is played: its pace, its pauses, its steps, the moment it goes to."""

import asyncio
from array import array
from bisect import bisect_left
from enum import StrEnum
from typing import Final, NamedTuple, final

from compiled.model.values import SECOND

NAP_S: Final = 0.05
"""How long a held day waits, at most, before it looks again what is wanted of it."""
WATCHED: Final = (
    "a replay is watched, its orders are the strategies': patang practice trades the day by hand"
)
DAY_OVER: Final = "the day is over: its exchange takes nothing more"
SLOWEST, FASTEST = 0.5, 64.0
"""Bounds of the paces that follow each other by the key; beyond them lies "as fast as it can"."""


class ReplayUnit(StrEnum):
    """Unit that a day is gone through by."""

    TICK = "tick"
    BAR = "bar"
    DECISION = "decision"
    ORDER = "order"
    FILL = "fill"
    REFUSAL = "refusal"
    ALARM = "alarm"
    GAP = "gap"


UNITS: Final = tuple(ReplayUnit)
STEPS: Final = (ReplayUnit.TICK, ReplayUnit.BAR, ReplayUnit.DECISION, ReplayUnit.ORDER)
"""The units a step has."""


class ReplayGoal(NamedTuple):
    """Goal that a day is played to at once; what is not set does not end it.

    `ts` is a time (ns UTC), `position` a number of instants, `unit` the next of its kind.
    """

    ts: int = -1
    position: int = -1
    unit: ReplayUnit | None = None


START: Final = ReplayGoal(position=0)


class InstantCounts(NamedTuple):
    """Counts of each unit so far, in the order of `UNITS`."""

    ticks: int
    bars: int
    decisions: int
    orders: int
    fills: int
    refusals: int
    alarms: int
    gaps: int


class MinutePoint(NamedTuple):
    """A played day at the first instant of a minute.

    `pnl` in paise after charges, `held` how many rungs hold shares, `price` that of the yardstick
    in rupees, 0.0 before it has traded.
    """

    ts: int
    pnl: int
    held: int
    price: float


NONE_YET: Final = InstantCounts(*[0] * len(UNITS))


@final
class ReplayLog:
    """Positions and times (ns UTC) of everything that a played day has come to.

    Played again, a day comes to the same: what is known stays known when one goes back.
    """

    def __init__(self) -> None:
        # A day has half a million ticks: eight bytes for each, not an object.
        self._positions = {unit: array("q") for unit in UNITS}
        self._times = {unit: array("q") for unit in UNITS}

    def note(self, unit: ReplayUnit, position: int, ts: int) -> None:
        """Note that something happened, unless it is known from an earlier playing."""
        known = self._positions[unit]
        if not known or position > known[-1]:
            known.append(position)
            self._times[unit].append(ts)

    def position_before(self, unit: ReplayUnit, position: int) -> int:
        """Return the last position of a unit before another one; 0: the start of the day."""
        known = self._positions[unit]
        at = bisect_left(known, position)
        return known[at - 1] if at else 0

    def times(self, unit: ReplayUnit) -> list[int]:
        """Return when the known ones of a unit happened, oldest first."""
        # Read by the screen while the engine appends: a slice is taken in one piece.
        return self._times[unit][:].tolist()


@final
class ReplayControl:
    """Pace, pause and goal of a played day.

    Whoever watches sets them from any thread; the engine, which owns `position` and `now`, asks
    before each instant whether it may be played. A position is how many instants have been: in
    lockstep each playing of a day has the same ones, so a position is a moment for good.
    """

    def __init__(
        self,
        speed: float = 0.0,
        *,
        paused: bool = False,
        goal: ReplayGoal | None = None,
        stays: bool = False,
    ) -> None:
        self.speed = speed
        """Times real time, 0.0: as fast as it can."""
        self.paused = paused
        # At the start there is nothing to play to: it is there.
        self.goal = None if goal == START else goal
        """Where it goes at once, whatever the pace; None once it is there."""
        self.stays = stays
        """Whether a day that is over waits for what is wanted next, and does not end the desk."""
        self.position = 0
        self.now = 0
        self.reached = (-1, 0)
        """The position of the last moment that was gone to by its time, and that time."""
        self.restarts = 0
        """How often the day was begun anew."""
        self.over = False
        """Whether the day has been played to its end."""
        self.log = ReplayLog()
        self.curve: list[MinutePoint] = []
        """This playing, minute by minute."""
        self.yardstick = ""
        """The symbol of the prices in it."""
        self._counts = NONE_YET
        self._origin: tuple[int, float] | None = None

    # what a watcher wants

    def set_speed(self, speed: float) -> None:
        """Go on at another pace."""
        # A new origin: at the old one the time at the old pace would count at the new.
        self._origin = None
        self.speed = speed

    def set_paused(self, *, paused: bool) -> None:
        """Hold the day still, or let it go on; what it was on its way to is given up."""
        self.goal = None
        self._origin = None
        self.paused = paused

    def step(self, unit: ReplayUnit) -> None:
        """Play to the next one of a unit, and hold there."""
        self.paused = True
        self.goal = ReplayGoal(unit=unit)

    def is_behind(self, goal: ReplayGoal) -> bool:
        """Return whether a goal lies before the moment of now: it takes another playing."""
        return 0 <= goal.ts < self.now or 0 <= goal.position < self.position

    def begin_again(self, goal: ReplayGoal) -> None:
        """Be at the start of the day, on the way to a goal; no engine plays meanwhile."""
        # What is logged stays: it will be so again, and the screen marks it meanwhile.
        self.position = self.now = 0
        self.restarts += 1
        self.over = False
        self.curve = []
        self._origin = None
        self.goal = None if goal == START else goal
        self.paused = self.paused or goal == START

    # what the engine asks

    @property
    def is_held(self) -> bool:
        """Return whether the next instant has to wait for the watcher."""
        return self.paused and self.goal is None

    def seconds_until(self, ts: int, wall: float) -> float:
        """Return how long the instant of `ts` (ns UTC) has to wait by the pace, 0.0: not at all.

        `wall` are the machine's seconds, counted from whenever.
        """
        if self.goal is not None or not self.speed:
            self._origin = None
            return 0.0
        origin = self._origin
        if origin is None:
            # The pace counts from the moment that is shown.
            origin = self._origin = (self.now, wall)
        return (ts - origin[0]) / SECOND / self.speed - (wall - origin[1])

    def note_start(self, now: int, counts: InstantCounts, yardstick: str) -> None:
        """Note when the day begins, what its opening came to, and whose price it is held to."""
        self.now, self._counts, self.yardstick = now, counts, yardstick

    def note_instant(self, now: int, counts: InstantCounts) -> None:
        """Note what an instant came to, and whether that is the goal."""
        self.position += 1
        self.now = now
        before, self._counts = self._counts, counts
        goal = self.goal
        # Every instant comes by here, and a look at each unit would cost more than most of them.
        if counts != before:
            for unit, old, new in zip(UNITS, before, counts, strict=True):
                if new > old:
                    self.log.note(unit, self.position, now)
                    if goal is not None and goal.unit is unit:
                        self.goal = None
        if goal is not None and 0 <= goal.ts <= now:
            self.reached = (self.position, goal.ts)
            self.goal = None
        elif goal is not None and 0 <= goal.position <= self.position:
            self.goal = None

    def note_end(self) -> None:
        """Note that the day is over: there is nothing left to go to."""
        self.over = True
        self.goal = None


async def nap(seconds: float) -> None:
    """Wait a moment, so short that what is wanted meanwhile is not kept waiting."""
    await asyncio.sleep(min(max(seconds, 0.0), NAP_S))


def next_speed(speed: float, by: int) -> float:
    """Return the next faster (1) or slower (-1) pace: halves and doubles, at last 0.0."""
    if not speed:
        return speed if by > 0 else FASTEST
    # Powers of two: back and forth ends where it began.
    found = speed * 2.0**by
    return 0.0 if found > FASTEST else max(found, SLOWEST)
