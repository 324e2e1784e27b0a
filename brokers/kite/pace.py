"""The documented request rates of Kite, kept on the desk's clock."""

from typing import Final

from compiled.model import SECOND
from engine.ports import Clock

QUOTES: Final = 1.0
HISTORY: Final = 3.0
OTHERS: Final = 10.0
"""Requests per second and API key (Kite Connect v3, "Exceptions and errors", rate limits)."""


class Pace:
    """Spaces calls evenly: one each 1/`rate` seconds of `clock`, in the order they came."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self._clock = clock
        self._gap = int(SECOND / rate)
        self._next = 0

    async def turn(self) -> None:
        """Return when the caller may go."""
        now = self._clock.now()
        at = max(now, self._next)
        self._next = at + self._gap
        if at > now:
            await self._clock.sleep_until(at)
