"""The wait before a refused request is made again: longer each time, by kind, and never in step."""

import random

from compiled.model.values import SECOND, OrderPurpose, TradingHours

FIRST = 1 * SECOND
BUSY = 15 * SECOND
"""The longest wait while the market can move."""
HURRY = 4 * SECOND
"""The same for exits, and for what stands in their way."""
SHUT = 180 * SECOND
"""The longest wait while it cannot; never beyond the opening."""


class BackOff:
    """Counts refusals in a row by kind; one that comes before its wait is over counts once.

    `jitter` takes up to a half off each wait, so that requests do not come in step.
    """

    def __init__(self, jitter: random.Random) -> None:
        self._jitter = jitter
        self._times: dict[object, int] = {}
        self._until: dict[object, int] = {}

    def count_refusal(self, kind: object, now: int, most: int) -> int:
        """Return how long (ns) to wait after another refusal, at the most `most`."""
        # Several requests of one kind that were under way together are one refusal: they would
        # otherwise double the wait several times over.
        if now >= self._until.get(kind, 0):
            self._times[kind] = self._times.get(kind, 0) + 1
        wait = min(FIRST << min(self._times[kind] - 1, 10), most)
        # Half of the wait is the least a jittered request waits, so only one that has waited counts
        # anew.
        self._until[kind] = max(self._until.get(kind, 0), now + wait // 2)
        return wait - int(wait * self._jitter.random() / 2)

    def note_success(self, kind: object) -> None:
        """Take note that a request of a kind has gone through."""
        self._times.pop(kind, None)
        self._until.pop(kind, None)


def longest_wait(hours: TradingHours, purpose: OrderPurpose, now: int) -> int:
    """Return the longest wait (ns) for a request about an instrument that keeps these hours."""
    if hours.opens <= now < hours.ends:
        return HURRY if purpose is OrderPurpose.EXIT else BUSY
    return min(SHUT, max(FIRST, int(hours.opens) - now)) if now < hours.opens else SHUT
