"""The course of a desk's orders by its journal: what became of each, and when."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from compiled.model.values import SECOND
from engine.numbers import price

REFUSED: Final = ("REJECTED", "LOST")
"""States of an order that the broker did not take, or never had."""
OF_BAND: Final = ("circuit limit", "price band", "price range")
"""Words of an exchange that refuses a price outside its band."""


class OrderCourse(NamedTuple):
    """One order of the desk, as its records tell it: times are ns UTC, 0 where it did not happen.

    It was `asked` for, `sent`, `taken` by the broker, filled from `first` to `last` in as many
    `trades`, and `ended`. `price` (₹) is its limit, or how far its protection went. A GTT has no
    course: the order that it sends has one.
    """

    kind: str
    quantity: int
    filled: int
    price: float
    status: str
    reason: str
    asked: int
    sent: int
    taken: int
    ended: int
    first: int = 0
    last: int = 0
    trades: int = 0

    @property
    def is_refused(self) -> bool:
        """Return whether the broker did not take it."""
        return self.status in REFUSED and self.sent > 0

    @property
    def is_unsent(self) -> bool:
        """Return whether the desk itself gave it up before it was sent."""
        return self.status in REFUSED and not self.sent

    @property
    def is_of_band(self) -> bool:
        """Return whether the exchange refused its price."""
        return self.is_refused and any(words in self.reason.lower() for words in OF_BAND)

    @property
    def refusal(self) -> str:
        """Return why it was not taken."""
        return f"{self.status.lower()}, {self.reason}".strip(", ")


def course_text(orders: Sequence[OrderCourse]) -> str:
    """Return what kept orders from being filled whole and at once; empty where nothing did."""
    return "; ".join(text for order in orders for text in _order_remarks(order))


def _order_remarks(order: OrderCourse) -> list[str]:
    found: list[str] = []
    if order.is_refused:
        return [f"refused: {order.refusal}"]
    if order.is_unsent:
        return [f"not sent: {order.reason}"]
    if (late := _whole_seconds(order.asked, order.taken)) > 0:
        found.append(f"latency: taken {late} s after it was asked for")
    waited = _whole_seconds(order.taken, order.first)
    limit = f" at {price(order.price)}" if order.price else ""
    name = "protection" if order.kind == "MARKET" and order.price else "queue"
    ended = f", {order.status.lower()} after {_whole_seconds(order.taken, order.ended)} s"
    if not order.filled:
        return [*found, f"{name}: stood{limit}{ended}"] if order.taken else found
    if waited > 0:
        kind = "latency" if order.kind == "MARKET" else "queue"
        found.append(f"{kind}: {waited} s until its first share{limit}")
    if order.filled < order.quantity:
        found.append(f"partial: {order.filled} of {order.quantity} shares{limit}{ended}")
    elif order.last > order.first:
        spent = _whole_seconds(order.first, order.last)
        found.append(f"partial: in {order.trades} parts within {spent} s{limit}")
    return found


def _whole_seconds(since: int, until: int) -> int:
    return (until - since) // SECOND if since and until else 0
