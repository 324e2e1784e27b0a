"""The desk's clocks: real, scaled to an accelerated exchange, and stepped in lockstep with one."""

import asyncio
import time
from typing import NamedTuple

from compiled.model.values import SECOND

SLOWLY = 0.5
"""The part of its speed at which a clock that was ahead waits for the right time."""


class ClockCourse(NamedTuple):
    """The course of a clock: from `start` at full speed since `origin`.

    It shows no less than `least`, growing by `pace` of that.
    """

    start: int
    least: int
    origin: int
    pace: float


class ScaledClock:
    """A clock from `start` (ns UTC) on, `speed` times as fast as the machine's.

    `follow_exchange` sets it to an exchange that has not kept that speed; where it was ahead, it
    stands still until then. `amend` sets it by a difference; where it was ahead, it runs at half
    its speed until then. It never goes back.
    """

    def __init__(self, start: int, speed: float = 1.0) -> None:
        self.speed = speed
        self._course = ClockCourse(start, start, time.monotonic_ns(), 0.0)

    @classmethod
    def real(cls) -> "ScaledClock":
        """Return a clock that shows the time of day."""
        return cls(time.time_ns())

    def now(self) -> int:
        """Return nanoseconds since the epoch, UTC."""
        course = self._course
        # The machine's monotonic clock: its time of day jumps when a service sets it.
        gone = (time.monotonic_ns() - course.origin) * self.speed
        return max(course.least + int(gone * course.pace), course.start + int(gone))

    def aim(self) -> int:
        """Return the time it would show were it not ahead, ns UTC."""
        course = self._course
        return course.start + int((time.monotonic_ns() - course.origin) * self.speed)

    def follow_exchange(self, ts: int) -> None:
        """Go on from the exchange's clock `ts`, unless within a tenth of the machine's second."""
        if abs(ts - self.aim()) > self.speed * SECOND / 10:
            self._course = ClockCourse(ts, self.now(), time.monotonic_ns(), 0.0)

    def amend(self, by: int) -> None:
        """Be `by` ns later, or earlier, from now on."""
        self._course = ClockCourse(self.aim() + by, self.now(), time.monotonic_ns(), SLOWLY)

    async def sleep_until(self, ts: int) -> None:
        """Return when `now()` has reached `ts`."""
        # the loop may wake early by rounding, and the clock may be set meanwhile
        while (left := ts - self.now()) > 0:
            pace, straight = self._course.pace, max(0, ts - self.aim())
            await asyncio.sleep(
                (min(straight, left / pace) if pace else straight) / self.speed / SECOND
            )


class SteppedClock:
    """A clock that stands still until it is set."""

    speed = 0.0

    def __init__(self, start: int = 0) -> None:
        self._now = start
        self._moved = asyncio.Event()

    def now(self) -> int:
        """Return nanoseconds since the epoch, UTC."""
        return self._now

    def set(self, ts: int) -> None:
        """Move on to `ts`; never back."""
        self._now = max(self._now, ts)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep_until(self, ts: int) -> None:
        """Return when `now()` has reached `ts`."""
        while self._now < ts:
            await self._moved.wait()
