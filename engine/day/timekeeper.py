"""The rightness of our clock: compared with the exchange's stamps, logged and set.

An answer's `Date` is cut to whole seconds, somewhere between question and answer: it bounds how far
we are off from both sides. A packet's or an order's stamp was made before it came: it bounds from
below. The middle of several counts, so that no single one is believed, and a slow answer bounds
little.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from statistics import median, median_low
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from compiled.model.values import MINUTE, SECOND
from engine.ports import Clock

if TYPE_CHECKING:
    from engine.day.day_loop import DayLoop

KEPT: Final = 9
LEAST: Final = 5
"""Answers that are compared at most, and those that are needed to judge."""
LASTS: Final = 10 * MINUTE
"""Older ones say nothing of now: the machine may have slept."""
SLACK: Final = SECOND // 2
FARTHEST: Final = 120 * SECOND
"""ns: within the first, besides what an answer leaves open, a clock counts as right.

Beyond the second it is not set.
"""
ALARMING: Final = 2 * SECOND
FIRST_S: Final = 3.0
EVERY_S: Final = 1.0
NAME: Final = "clock"


class AdjustableClock(Clock, Protocol):
    """A clock that can be set."""

    def aim(self) -> int:
        """Return the time it would show were it not on its way there, ns UTC."""
        ...

    def amend(self, by: int) -> None:
        """Set it on, or back, by so many ns."""
        ...


class ClockBounds(NamedTuple):
    """Bounds of the exchange clock's lead over ours by one answer, ns.

    The answer came at `at` (ns, monotonic).
    """

    low: int
    high: int
    at: int


class Timekeeper:
    """Takes stamps from any thread; `run` judges them, logs and sets by a desk's loop."""

    def __init__(self, clock: AdjustableClock) -> None:
        self.on_clock_set: Callable[[int], None] = lambda _: None
        """Called, besides the loop, with how many ns the clock was set on."""
        self._clock = clock
        self._answers: deque[ClockBounds] = deque(maxlen=KEPT)
        self._stamps: deque[int] = deque(maxlen=KEPT)
        self._stamped = 0
        self._ahead: int | None = None
        """By how much the exchange's is ahead of what ours aims at, ns; None: not known."""

    @property
    def offset(self) -> int | None:
        """Return by how much our clock is ahead of the exchange's, ns; None if not known."""
        return None if self._ahead is None else self._clock.now() - self._clock.aim() - self._ahead

    def note_answer(self, stamp: int, took: float) -> None:
        """Take note of an answer, dated `stamp` (whole seconds, ns UTC).

        It has just come, `took` seconds after its question.
        """
        # By the time it is heading for: a clock that is being set would otherwise be corrected
        # twice.
        heard = self._clock.aim()
        self._answers.append(
            ClockBounds(stamp - heard, stamp + SECOND - heard + int(took * SECOND), _steady_ns())
        )

    def note_stamps(self, stamps: Iterable[int]) -> None:
        """Take note, once a second, of the exchange's stamps by now (ns UTC).

        Only whole seconds are stamps.
        """
        heard = self._clock.aim()
        if abs(heard - self._stamped) >= SECOND:
            self._stamped = heard
            if whole := [stamp for stamp in stamps if stamp % SECOND == 0]:
                self._stamps.append(max(whole) - heard)

    async def run(self, loop: "DayLoop") -> None:
        """Judge every second until cancelled, from when the first packets may be there."""
        await asyncio.sleep(FIRST_S)
        while True:
            self.judge(loop)
            await asyncio.sleep(EVERY_S)

    def judge(self, loop: "DayLoop") -> None:
        """Compare; log a wrong clock, and set it, or hold entries back where it is too far off."""
        since = _steady_ns() - LASTS
        answers = [each for each in list(self._answers) if each.at >= since]
        # Too few to outvote a single wrong one.
        if len(answers) < LEAST:
            return
        low, high = (
            median_low(each.low for each in answers),
            median_low(each.high for each in answers),
        )
        ahead = self._ahead = (low + high) // 2
        stamps = median(self._stamps) if self._stamps else low
        # Exchange and broker contradict each other: setting by either could be wrong, so it is
        # logged only.
        if stamps > high + SLACK:
            loop.log.add_repeated(
                "alarm",
                NAME,
                "the broker's answers are dated before what the exchange has stamped: whether "
                "this desk's clock is right cannot be told; check the machine's (patang doctor)",
            )
        elif low <= SLACK and high >= -SLACK:
            loop.hold(NAME, "")
        else:
            self._correct_clock(loop, ahead, (high - low) / 2 / SECOND)

    def _correct_clock(self, loop: "DayLoop", ahead: int, doubt: float) -> None:
        text = (
            f"the desk's clock is {abs(ahead) / SECOND:.1f} s "
            f"{'behind' if ahead > 0 else 'ahead of'} the exchange's, to {doubt:.1f} s"
        )
        # That far off the machine itself is wrong: bars, sessions and square-offs of the day have
        # been timed by it.
        if abs(ahead) > FARTHEST:
            if NAME not in loop.holds:
                loop.log.add_event(
                    "alarm", NAME, f"{text}: too far to set it; entries are held back"
                )
            loop.hold(
                NAME,
                "the clock is wrong: set the machine's (patang doctor), and start the desk anew",
            )
            return
        done = "it is set" if ahead > 0 else "it runs at half speed until it is right"
        loop.log.add_event(
            "alarm" if abs(ahead) >= ALARMING else "warn",
            NAME,
            f"{text}: {done}; set the machine's too, by its time service (patang doctor)",
        )
        # Answers from before the change would ask for it again.
        self._answers.clear()
        self._stamps.clear()
        self._ahead = 0
        self._clock.amend(ahead)
        # Set back, the clock only slows down, and no span of time has been skipped.
        if ahead > 0:
            loop.shift_clock(ahead)
            self.on_clock_set(ahead)
        loop.hold(NAME, "")


def _steady_ns() -> int:
    """Return a time that goes on while the machine sleeps, where it has one, ns."""
    return (
        time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if hasattr(time, "CLOCK_BOOTTIME")
        else time.monotonic_ns()
    )
