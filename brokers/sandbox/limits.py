"""Kite's documented request rates, measured on the sandbox's own clock."""

from collections import deque
from http import HTTPStatus
from typing import final

from brokers.sandbox.wire import ApiError
from compiled.model import MINUTE, SECOND
from engine.market.rules import OrderLimits

DAY = 86_400 * SECOND
WINDOWS: dict[str, tuple[tuple[int, int], ...]] = {
    "quote": ((SECOND, 1),),
    "historical": ((SECOND, 3),),
    "other": ((SECOND, 10),),
}
"""Class of request → the most of them in a sliding window of so many ns; orders have theirs from the dated rules."""


@final
class Limits:
    """Counts requests; a clock that stands (`frozen`) bounds orders only, since waiting would never end there."""

    def __init__(self, orders: OrderLimits, *, enabled: bool, frozen: bool) -> None:
        self.frozen = frozen
        self.refused: dict[str, int] = {}
        """How many requests of a class were too many."""
        order = ((SECOND, orders.per_second), (MINUTE, orders.per_minute), (DAY, orders.per_day))
        windows = {"order": order, **WINDOWS}
        self._windows = windows if enabled else {}
        self._seen: dict[str, deque[int]] = {name: deque(maxlen=spans[-1][1]) for name, spans in windows.items()}

    def counts(self, now: int) -> dict[str, int]:
        """Return the order requests of the last second and minute, and of the day."""
        seen = self._seen["order"]
        spans = {"second": SECOND, "minute": MINUTE, "day": DAY}
        return {name: sum(at > now - span for at in seen) for name, span in spans.items()}

    def more(self, orders: int, now: int) -> None:
        """Count the later legs or slices of an order towards the day, not the second."""
        self._seen["order"].extendleft([now - MINUTE] * orders)

    def count(self, name: str, now: int) -> None:
        """Admit one request of a class, or raise the documented 429."""
        if name not in self._windows or (self.frozen and name != "order"):
            return
        seen = self._seen[name]
        for span, most in self._windows[name]:
            if len(seen) >= most and seen[-most] > now - span:
                self.refused[name] = self.refused.get(name, 0) + 1
                text = "Maximum allowed order requests exceeded" if span == DAY else "Too many requests"
                raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "NetworkException", text)
        seen.append(now)
