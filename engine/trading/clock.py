"""The desk's clocks: real, scaled to an accelerated exchange, and stepped in lockstep with one."""

import asyncio
import time

SECOND = 1_000_000_000


class ScaledClock:
    """A clock that stood at `start` (ns UTC) when it was made and runs `speed` times as fast as the machine's.

    `follow` sets it to an exchange that has not kept that speed; where it was ahead, it stands still until then.
    """

    def __init__(self, start: int, speed: float = 1.0) -> None:
        self._start = start
        self.speed = speed
        self._origin = time.monotonic_ns()
        self._least = start

    @classmethod
    def real(cls) -> "ScaledClock":
        """Return a clock that shows the time of day."""
        return cls(time.time_ns())

    def now(self) -> int:
        """Return nanoseconds since the epoch, UTC."""
        return max(self._least, self._reckoned())

    def follow(self, ts: int) -> None:
        """Go on from `ts`, what the exchange's clock shows, unless that is within a tenth of the machine's second."""
        if abs(ts - self._reckoned()) > self.speed * SECOND / 10:
            self._least = self.now()
            self._start, self._origin = ts, time.monotonic_ns()

    def _reckoned(self) -> int:
        return self._start + int((time.monotonic_ns() - self._origin) * self.speed)

    async def sleep_until(self, ts: int) -> None:
        """Return when `now()` has reached `ts`."""
        while self.now() < ts:  # noqa: ASYNC110  the loop may wake early by rounding, and the clock may be set back
            await asyncio.sleep(max(0, ts - self._reckoned()) / self.speed / SECOND)


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
