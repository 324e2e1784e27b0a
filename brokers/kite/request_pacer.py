"""The documented request rates of Kite, kept on the desk's clock."""

from collections import deque
from typing import Final, NamedTuple, final

from compiled.model.values import SECOND
from engine.ports import Clock


class RequestRate(NamedTuple):
    """So many requests a second and API key, `kept` of them for changes alone."""

    most: int
    kept: int = 0


QUOTES: Final = RequestRate(1)
HISTORY: Final = RequestRate(3)
OTHERS: Final = RequestRate(10, 3)
"""Kite Connect v3, "Exceptions and errors", rate limits; that of orders is the governor's."""

WINDOW: Final = SECOND + SECOND // 10
"""A second as we count it: requests arrive closer together, or farther apart, than they left."""


@final
class RequestPacer:
    """Admits no more requests of a class than its rate, in any window of `clock`."""

    def __init__(self, clock: Clock, rate: RequestRate) -> None:
        self._clock = clock
        self._rate = rate
        self._left: deque[int] = deque(maxlen=rate.most)

    def admit(self, *, change: bool = False) -> bool:
        """Count a request that leaves now; False where it may not."""
        now = self._clock.now()
        if self._next_admission(change=change) > now:
            return False
        self._left.append(now)
        return True

    async def wait(self, *, change: bool = False) -> None:
        """Return when a request may leave, unless another one takes its place."""
        await self._clock.sleep_until(self._next_admission(change=change))

    def shift_clock(self, by: int) -> None:
        """Take note that the clock was set on by so many ns."""
        # In their old distance: else a clock set on would let everything leave at once, and one set
        # back nothing.
        self._left.extend([self._left.popleft() + by for _ in range(len(self._left))])

    def _next_admission(self, *, change: bool) -> int:
        # Reads leave room that only changes may use: a modification or cancellation is not to wait
        # behind a poll.
        most = self._rate.most - (0 if change else self._rate.kept)
        return self._left[-most] + WINDOW if len(self._left) >= most else 0
