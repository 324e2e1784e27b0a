"""The verdicts on orders by hand: the broker's first, not that the order was sent."""

from dataclasses import dataclass
from typing import Final, final

from compiled.model.values import SECOND, Order, OrderStatus
from engine.operator_requests import OperatorOutcome, done, refused
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
        """Take note of an order that is about to leave; `text` says which."""
        self._waiting.append(AwaitedVerdict(number, order, text, now + PATIENCE))

    def due_verdicts(self, now: int) -> tuple[dict[int, OperatorOutcome], bool]:
        """Return the verdicts by number of the request, and whether the books are needed."""
        found, wanted = dict[int, OperatorOutcome](), False
        for each in self._waiting:
            outcome = self._order_verdict(each, now)
            if outcome is not None:
                found[each.number] = outcome
            # The books read after the broker's own risk check are the first that can show a
            # rejection.
            elif each.accepted and not each.look and now >= each.accepted + SOON:
                each.look, each.until, wanted = self._books.polls + 1, now + PATIENCE, True
        self._waiting = [each for each in self._waiting if each.number not in found]
        return found, wanted

    def _order_verdict(self, each: AwaitedVerdict, now: int) -> OperatorOutcome | None:
        order = each.order
        if order.status in OVER:
            return _ended_outcome(each)
        if order.order_id and not each.accepted:
            each.accepted, each.until = now, now + PATIENCE
        # An id in an answer is no proof (ADR 5): the order has to be listed under our tag.
        if each.look and self._books.polls >= each.look and order.proven:
            waits = order.status is OrderStatus.TRIGGER_PENDING
            where = "waits for its trigger" if waits else "is at the exchange"
            return done(f"{each.text}: {where}")
        if now >= each.until and (each.look or not order.order_id):
            what = (
                "has taken it, and does not list it yet" if order.order_id else "has not answered"
            )
            text = f"{each.text}: the broker {what}; look at your orders before you ask again"
            return OperatorOutcome("unknown", text)
        return None


def _ended_outcome(each: AwaitedVerdict) -> OperatorOutcome:
    order, text = each.order, each.text
    if order.status is OrderStatus.COMPLETE:
        return done(f"{text}: filled" + (f" at {order.average:.2f}" if order.traded else ""))
    if order.status is OrderStatus.CANCELLED:
        why = f": {order.reason}" if order.reason else ""
        return done(f"{text}: cancelled, {order.filled} of {order.quantity} filled{why}")
    return refused(f"{text}: {order.reason or 'it never reached the broker'}")
