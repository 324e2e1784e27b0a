"""Kite's documented request rates, measured on the sandbox's own clock."""

from collections import deque
from http import HTTPStatus
from typing import Literal, final

from brokers.sandbox.http import SandboxApiError
from brokers.sandbox.kite_times import DAY
from compiled.model.values import MINUTE, SECOND
from engine.market.order_rules import OrderLimits

WINDOWS: dict[str, tuple[tuple[int, int], ...]] = {
    "quote": ((SECOND, 1),),
    "historical": ((SECOND, 3),),
    "other": ((SECOND, 10),),
}
"""Class of request → the most of them in a sliding window of so many ns; orders have dated rules.
"""
BURST = 3
"""Requests of a class beside orders that "kite" takes at once, however few a second may be sent.

Over the internet the next one arrives later than it does on this machine.
"""
Strictness = Literal["off", "kite", "strict"]
"""No limits; Kite's, with a small burst for all but orders; Kite's by count."""


@final
class RequestRateLimits:
    """Limits of requests.

    A clock that stands (`clock_stands`) bounds orders only: waiting would never end there.
    """

    def __init__(self, orders: OrderLimits, strictness: Strictness, *, frozen: bool) -> None:
        self.clock_stands = frozen
        self._bursts = strictness == "kite"
        self._full: dict[str, int] = {}
        """Of a class that may burst: when all of its burst is there again (ns)."""
        self.refused_counts: dict[str, int] = {}
        """How many requests of a class were too many."""
        order = ((SECOND, orders.per_second), (MINUTE, orders.per_minute), (DAY, orders.per_day))
        windows = {"order": order, **WINDOWS}
        self._windows = {} if strictness == "off" else windows
        self._seen: dict[str, deque[int]] = {
            name: deque(maxlen=spans[-1][1]) for name, spans in windows.items()
        }

    def order_counts(self, now: int) -> dict[str, int]:
        """Return the order requests of the last second and minute, and of the day."""
        seen = self._seen["order"]
        spans = {"second": SECOND, "minute": MINUTE, "day": DAY}
        return {name: sum(at > now - span for at in seen) for name, span in spans.items()}

    def add_orders(self, orders: int, now: int) -> None:
        """Count the later legs or slices of an order towards the day, not the second."""
        # Dated a minute back, so that neither the second nor the minute counts them.
        self._seen["order"].extendleft([now - MINUTE] * orders)

    def admit_request(self, name: str, now: int) -> None:
        """Admit one request of a class, or raise the documented 429."""
        if name not in self._windows or (self.clock_stands and name != "order"):
            return
        if self._bursts and name != "order":
            self._admit_from_bucket(name, now)
            return
        seen = self._seen[name]
        for span, most in self._windows[name]:
            if len(seen) >= most and seen[-most] > now - span:
                self._refuse_request(
                    name,
                    "Maximum allowed order requests exceeded"
                    if span == DAY
                    else "Too many requests",
                )
        seen.append(now)

    def _admit_from_bucket(self, name: str, now: int) -> None:
        """Admit a request from a bucket of `BURST` at least, filled at the documented rate."""
        span, most = self._windows[name][0]
        each = span // most
        # The bucket as one number, the moment at which it would be full again.
        full = max(self._full.get(name, 0), now) + each
        if full - now > each * max(most, BURST):
            self._refuse_request(name, "Too many requests")
        self._full[name] = full

    def _refuse_request(self, name: str, text: str) -> None:
        self.refused_counts[name] = self.refused_counts.get(name, 0) + 1
        raise SandboxApiError(HTTPStatus.TOO_MANY_REQUESTS, "NetworkException", text)
