"""Whether our clock is right.

It is compared with what the exchange stamps, told with its figure, and set.

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
        """Return what it would show were it not on its way there, ns UTC."""
        ...

    def amend(self, by: int) -> None:
        """Set it on, or back, by so many ns."""
        ...


class ClockBounds(NamedTuple):
    """How far the exchange's clock is ahead of ours by one answer: between these, ns.

    Heard at `at` (ns, monotonic).
    """

    low: int
    high: int
    at: int


class Timekeeper:
    """Takes stamps from any thread; `run` judges them, and tells and sets by a desk's loop."""

    def __init__(self, clock: AdjustableClock) -> None:
        self.on_clock_set: Callable[[int], None] = lambda _: None
        """Hears, besides the loop, by how many ns the clock was set on."""
        self._clock = clock
        self._answers: deque[ClockBounds] = deque(maxlen=KEPT)
        self._stamps: deque[int] = deque(maxlen=KEPT)
        self._stamped = 0
        self._ahead: int | None = None
        """By how much the exchange's is ahead of what ours aims at, ns; None: not known."""

    @property
    def offset(self) -> int | None:
        """Return by how much our clock is ahead of the exchange's, ns; None where nobody knows."""
        return None if self._ahead is None else self._clock.now() - self._clock.aim() - self._ahead

    def note_answer(self, stamp: int, took: float) -> None:
        """Take note of an answer that has just come, dated `stamp` (whole seconds, ns UTC), `took` seconds after its question."""
        heard = self._clock.aim()
        self._answers.append(
            ClockBounds(stamp - heard, stamp + SECOND - heard + int(took * SECOND), _steady_ns())
        )

    def note_stamps(self, stamps: Iterable[int]) -> None:
        """Take note, once a second, of what the exchange has stamped by now (ns UTC).

        What is no whole second is no stamp.
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
        """Compare; tell of a clock that is wrong, and set it, or hold entries back where it is too far off for that."""
        since = _steady_ns() - LASTS
        answers = [each for each in list(self._answers) if each.at >= since]
        if len(answers) < LEAST:
            return
        low, high = (
            median_low(each.low for each in answers),
            median_low(each.high for each in answers),
        )
        ahead = self._ahead = (low + high) // 2
        stamps = median(self._stamps) if self._stamps else low
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
        text = f"the desk's clock is {abs(ahead) / SECOND:.1f} s {'behind' if ahead > 0 else 'ahead of'} the exchange's, to {doubt:.1f} s"
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
        self._answers.clear()
        self._stamps.clear()
        self._ahead = 0
        self._clock.amend(ahead)
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
