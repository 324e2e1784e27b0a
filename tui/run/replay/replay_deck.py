"""Deck of a past day: what its watcher can do with it, and what is marked on it."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final, final

from compiled.model.values import SECOND
from engine.day.replay_control import (
    START,
    STEPS,
    ReplayControl,
    ReplayGoal,
    ReplayUnit,
    next_speed,
)
from engine.day.replay_status import DayMarks, ReplayStatus
from engine.errors import ConfigError, OperatorError
from engine.indian_time import INDIA
from engine.market.calendar import midnight
from engine.numbers import time_of_day
from store.desk_marks import EndedTrade, chosen_trade, desk_marks, ended_trades

ONWARD: Final = "practice goes on only; :go start begins the day anew"
_NAMED: Final = ("start", "end", "worst", "best")
_HOP: Final = {"+": 1, "-": -1}


@final
class ReplayDeck:
    """A `ReplayPort`: what the watcher of a played day can do with it; nothing here waits."""

    def __init__(
        self,
        control: ReplayControl,
        day: date,
        phases: Sequence[tuple[str, int]],
        ends: int,
        *,
        play_again: Callable[[ReplayGoal], None],
        journal: Path | None,
        own_journal: Callable[[], Path | None],
        score: Callable[[], Sequence[tuple[str, str]]],
        practice: bool,
        by_hand: bool,
    ) -> None:
        self._control = control
        self._day = day
        self._phases = tuple(phases)
        self._ends = ends
        self._play_again = play_again
        self._journal = journal
        self._own_journal = own_journal
        self._score = score
        self._practice = practice
        self._by_hand = by_hand
        self._unit = ReplayUnit.BAR
        self.moving: ReplayGoal | None = None
        """Where a day that is played again is on its way to; the screen shows the one before."""
        self.shown_at = 0
        """The moment (ns UTC) the screen shows meanwhile."""
        self._marks_of_desk = desk_marks(journal, day) if journal is not None else None

    def status(self) -> ReplayStatus:
        """Return the moment, and what is marked on the day."""
        control, log = self._control, self._control.log
        return ReplayStatus(
            now=self.shown_at if self.moving is not None else control.now,
            begins=self._phases[0][1],
            ends=self._ends,
            phases=self._phases,
            speed=control.speed,
            paused=control.paused,
            unit=self._unit,
            going=self._going_text(),
            over=control.over and self.moving is None,
            practice=self._practice,
            by_hand=self._by_hand,
            marks=DayMarks(
                tuple(log.times(ReplayUnit.FILL)),
                tuple(log.times(ReplayUnit.REFUSAL)),
                tuple(log.times(ReplayUnit.ALARM)),
                tuple(log.times(ReplayUnit.GAP)),
            ),
            desk=self._marks_of_desk,
        )

    def _going_text(self) -> str:
        control, goal = self._control, self.moving or self._control.goal
        if goal is None:
            return ""
        if goal.unit is not None:
            return f"to the next {goal.unit}"
        back = self.moving is not None
        text = (
            f"{'back ' if back else ''}to {time_of_day(goal.ts)}"
            if goal.ts >= 0
            else "to the start"
            if goal == START
            else "one back"
        )
        if goal.position > 0:
            return f"{text}: {min(control.position * 100 // goal.position, 100)} %"
        # Of the day's time, not of its instants: how many those are is not known before.
        begins = self._phases[0][1]
        if goal.ts > begins and control.now:
            part = max(control.now - begins, 0) * 100 // (goal.ts - begins)
            return f"{text}: {min(part, 100)} %"
        return text

    def score(self) -> Sequence[tuple[str, str]]:
        """Return what a practised day comes to so far, by name; nothing on its way to the start."""
        return self._score() if self.moving is None else ()

    # what the watcher wants

    def pause(self) -> None:
        """Hold the day still, or let it go on."""
        # On its way it is stopped where it is, whatever it was before.
        going = self.moving is not None or self._control.goal is not None
        self._control.set_paused(paused=going or not self._control.paused)

    def change_speed(self, by: int) -> None:
        """Take the next faster (1) or slower (-1) pace."""
        self._control.set_speed(next_speed(self._control.speed, by))

    def choose_unit(self) -> None:
        """Take the next unit of a step."""
        self._unit = STEPS[(STEPS.index(self._unit) + 1) % len(STEPS)]

    def step(self, way: int) -> None:
        """Go on by a unit, or back (-1)."""
        control = self._control
        if way > 0:
            self._go_onward(lambda: control.step(self._unit))
            return
        self._refuse_in_practice()
        control.paused = True
        self._go_to_position(control.log.position_before(self._unit, self._counted_position))

    def go_next(self, unit: ReplayUnit, way: int) -> None:
        """Go to the next one of a unit, or to the one before (-1).

        It is one of the recorded desk where its journal is here, else of this playing. Raise
        `OperatorError` where there is none before.
        """
        control = self._control
        if self._marks_of_desk is not None:
            self._go_to_mark(self._marks_of_desk.of_unit(unit), unit, way)
        elif way > 0:
            self._go_onward(lambda: control.step(unit))
        else:
            self._refuse_in_practice()
            before = control.log.position_before(unit, self._counted_position)
            if not before:
                raise OperatorError(f"no {unit} before this moment")
            control.paused = True
            self._go_to_position(before)

    def fault_of(self, place: str) -> str:
        """Return why a text names no moment, "" where it may."""
        text = place.strip().lower()
        try:
            if text not in _NAMED:
                self._time_of(text)
        except ConfigError as error:
            return str(error)
        return ""

    def go_to(self, place: str) -> None:
        """Go to a moment: HH:MM, HH:MM:SS, +5m, -30s, start, end, worst, best.

        The last two are the entries of trades: of the recorded desk's, else of this playing's.
        Raise `ConfigError` for another text, `OperatorError` where there is no such moment.
        """
        text = place.strip().lower()
        if text == "start":
            self._control.paused = True
            self._go_back(START)
        elif text == "end":
            self.go_to_time(self._ends)
        elif text in {"worst", "best"}:
            self.go_to_time(self._chosen_trade(text).entered)
        else:
            self.go_to_time(self._time_of(text))

    def go_to_time(self, ts: int) -> None:
        """Go to the first moment at or after a time (ns UTC)."""
        control, goal = self._control, ReplayGoal(ts=ts)
        if self.moving is None and not control.is_behind(goal):
            self._go_onward(lambda: setattr(control, "goal", goal))
        elif self.moving is not None and not control.is_behind(goal):
            self.moving = control.goal = goal
        else:
            self._refuse_in_practice()
            self._go_back(goal)

    # how

    @property
    def _counted_position(self) -> int:
        """The moment that steps are counted from: the one that is shown, or gone to."""
        goal = self.moving
        if goal is not None and goal.position >= 0:
            return goal.position
        return self._control.position

    def _go_onward(self, act: Callable[[], None]) -> None:
        if self.moving is not None:
            raise OperatorError("it is on its way back: p stops it there")
        if self._control.over:
            raise OperatorError("the day is over")
        act()

    def _refuse_in_practice(self) -> None:
        # What was done by hand is not in the recording: played again, the day would lack it.
        if self._practice:
            raise OperatorError(ONWARD)

    def _go_to_position(self, position: int) -> None:
        goal = ReplayGoal(position=position)
        # A moment further on than the playing under way is reached by that one.
        if self.moving is not None and position and not self._control.is_behind(goal):
            self.moving = self._control.goal = goal
        elif position != self._control.position or self.moving is not None:
            self._go_back(goal if position else START)

    def _go_back(self, goal: ReplayGoal) -> None:
        # The control begins at zero at once, and the picture of before stands until it is there.
        if self.moving is None:
            self.shown_at = self._control.now
        self.moving = goal
        self._play_again(goal)

    def _go_to_mark(self, times: Sequence[int], unit: ReplayUnit, way: int) -> None:
        at = self._shown_time()
        found = [ts for ts in times if (ts > at if way > 0 else ts < at)]
        if not found:
            raise OperatorError(f"no {unit} of that day {'after' if way > 0 else 'before'} this")
        self._control.paused = True
        self.go_to_time(found[0] if way > 0 else found[-1])

    def _shown_time(self) -> int:
        """Return the time of the moment, as it was asked for where it still is that one.

        The instant that it leads to may lie a little later, and would be found again and again.
        """
        control, goal = self._control, self.moving or self._control.goal
        if goal is not None and goal.ts >= 0:
            return goal.ts
        # Played again, the control's own time is that of the way there.
        if self.moving is not None:
            return self._phases[0][1] if self.moving == START else self.shown_at
        position, ts = control.reached
        return ts if position == control.position else control.now

    def _time_of(self, text: str) -> int:
        if text[:1] in _HOP and text[-1:] in {"s", "m", "h"} and text[1:-1].isdecimal():
            seconds = int(text[1:-1]) * {"s": 1, "m": 60, "h": 3_600}[text[-1]]
            # From where it is going: a key that is held goes on with each stroke.
            hopped = self._shown_time() + _HOP[text[0]] * seconds * SECOND
            return min(max(hopped, self._phases[0][1]), self._ends)
        for form in ("%H:%M", "%H:%M:%S"):
            try:
                clock = datetime.strptime(text, form).replace(tzinfo=INDIA)
            except ValueError:
                continue
            seconds = (clock.hour * 60 + clock.minute) * 60 + clock.second
            return midnight(self._day) + seconds * SECOND
        raise ConfigError(
            f"go {text}: expected HH:MM, HH:MM:SS, +5m, -30s, start, end, worst, best"
        )

    def _chosen_trade(self, which: str) -> EndedTrade:
        journal = self._journal or self._own_journal()
        found = ended_trades(journal, self._day) if journal is not None else []
        return chosen_trade(found, which)
