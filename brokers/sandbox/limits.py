"""Kite's documented request rates, measured on the sandbox's own clock."""

from collections import deque
from http import HTTPStatus
from typing import final

from brokers.sandbox.wire import ApiError
from compiled.model import MINUTE, SECOND

DAY = 86_400 * SECOND
WINDOWS: dict[str, tuple[tuple[int, int], ...]] = {
    "order": ((SECOND, 10), (MINUTE, 400), (DAY, 5_000)),
    "quote": ((SECOND, 1),),
    "historical": ((SECOND, 3),),
    "other": ((SECOND, 10),),
}
"""Class of request → the most of them in a sliding window of so many ns."""


@final
class Limits:
    """Counts requests; `frozen` clocks (lockstep) bound orders only, since waiting would never end there."""

    def __init__(self, *, enabled: bool, frozen: bool) -> None:
        self._bound = {name for name in WINDOWS if enabled and (name == "order" or not frozen)}
        self._seen: dict[str, deque[int]] = {name: deque(maxlen=windows[-1][1]) for name, windows in WINDOWS.items()}

    def count(self, name: str, now: int) -> None:
        """Admit one request of a class, or raise the documented 429."""
        if name not in self._bound:
            return
        seen = self._seen[name]
        for span, most in WINDOWS[name]:
            if len(seen) >= most and seen[-most] > now - span:
                text = "Maximum allowed order requests exceeded" if span == DAY else "Too many requests"
                raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "NetworkException", text)
        seen.append(now)
