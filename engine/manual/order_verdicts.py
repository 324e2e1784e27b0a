"""The verdicts on orders by hand: the broker's first, not that the order was sent."""

from dataclasses import dataclass
from typing import Final, final

from compiled.model.values import SECOND, Order, OrderStatus
from engine.reconcile.poller import BrokerPoller

SOON: Final = SECOND
"""How long the risk check at the broker may take to reject what was accepted."""
PATIENCE: Final = 10 * SECOND
"""After so long the answer is that nobody knows."""
OVER: Final = frozenset(
    {OrderStatus.COMPLETE, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.LOST}
)


@dataclass(slots=True)
class AwaitedVerdict:
    """An order whose verdict is waited for.

    It has the request's number, its text, its deadline, and the look that is to show it.
    """

    number: int
    order: Order
    text: str
    until: int
    accepted: int = 0
    look: int = 0


@final
class OrderVerdicts:
    """The orders by hand that wait for a verdict."""

    def __init__(self, books: BrokerPoller) -> None:
        self._books = books
        self._waiting: list[AwaitedVerdict] = []

    def await_verdict(self, number: int, order: Order, text: str, now: int) -> None:
        """Take note of an order that is about to leave; `text` says that it was taken."""
        self._waiting.append(AwaitedVerdict(number, order, text, now + PATIENCE))

    def due_verdicts(self, now: int) -> tuple[dict[int, str], bool]:
        """Return the verdicts by number of the request, and whether the books are needed."""
        found, wanted = dict[int, str](), False
        for each in self._waiting:
            answer = self._order_verdict(each, now)
            if answer:
                found[each.number] = answer
            elif each.accepted and not each.look and now >= each.accepted + SOON:
                each.look, each.until, wanted = self._books.polls + 1, now + PATIENCE, True
        self._waiting = [each for each in self._waiting if each.number not in found]
        return found, wanted

    def _order_verdict(self, each: AwaitedVerdict, now: int) -> str:
        order = each.order
        if order.status in OVER:
            return _ended_text(each)
        if order.order_id and not each.accepted:
            each.accepted, each.until = now, now + PATIENCE
        if each.look and self._books.polls >= each.look and order.proven:
            waits = order.status is OrderStatus.TRIGGER_PENDING
            return f"{each.text}: {'waits for its trigger' if waits else 'is at the exchange'}"
        if now >= each.until and (each.look or not order.order_id):
            what = (
                "has taken it, and does not list it yet" if order.order_id else "has not answered"
            )
            text = each.text.removeprefix("done: ")
            return f"unknown: {text}: the broker {what}; look at your orders before you ask again"
        return ""


def _ended_text(each: AwaitedVerdict) -> str:
    order, text = each.order, each.text.removeprefix("done: ")
    if order.status is OrderStatus.COMPLETE:
        return (
            f"{each.text}: filled at {order.average:.2f}"
            if order.traded
            else f"{each.text}: filled"
        )
    if order.status is OrderStatus.CANCELLED:
        why = f": {order.reason}" if order.reason else ""
        return f"{each.text}: cancelled, {order.filled} of {order.quantity} filled{why}"
    return f"refused: {text}: {order.reason or 'it never reached the broker'}"
