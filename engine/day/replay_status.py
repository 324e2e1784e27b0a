"""Status of a day that is played, as a screen shows it."""

from typing import Final, NamedTuple

from engine.day.replay_control import ReplayUnit


class DayMarks(NamedTuple):
    """Times (ns UTC, oldest first) of what is marked on a day."""

    fills: tuple[int, ...] = ()
    refusals: tuple[int, ...] = ()
    alarms: tuple[int, ...] = ()
    gaps: tuple[int, ...] = ()

    def of_unit(self, unit: ReplayUnit) -> tuple[int, ...]:
        """Return the times of one kind."""
        return {
            ReplayUnit.FILL: self.fills,
            ReplayUnit.REFUSAL: self.refusals,
            ReplayUnit.ALARM: self.alarms,
            ReplayUnit.GAP: self.gaps,
        }[unit]


NO_MARKS: Final = DayMarks()


class ReplayStatus(NamedTuple):
    """The moment of a played day, how it goes on, and what is marked on the day.

    Times in ns UTC. `phases` are those of the session with the beginning of each.
    """

    now: int
    begins: int
    ends: int
    phases: tuple[tuple[str, int], ...]
    speed: float
    paused: bool
    unit: ReplayUnit
    going: str = ""
    """Where it is on its way to, and how far it has come; empty: it is there."""
    over: bool = False
    practice: bool = False
    by_hand: bool = False
    """Whether no strategy runs."""
    marks: DayMarks = NO_MARKS
    """What this playing has come to so far."""
    desk: DayMarks | None = None
    """What the recorded desk did that day, by its own journal; None: there is none."""
