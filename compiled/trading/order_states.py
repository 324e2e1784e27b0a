"""Order life cycle: the legal successions of a status, and the effect of an update on an order.

Updates come late, twice and out of order. One rule handles all of it: a status is taken only if the
table allows it after the present one, and a filled quantity only if it grows.
"""

from typing import Final

from mypy_extensions import i64

from compiled.model.events import OrderUpdate
from compiled.model.values import Order, OrderStatus, OrderType

CORRECTION: Final = "correction-"
"""How the order id of a correction begins: no broker has it."""

_WORKING: Final = (
    OrderStatus.OPEN,
    OrderStatus.TRIGGER_PENDING,
    OrderStatus.COMPLETE,
    OrderStatus.CANCELLED,
    OrderStatus.REJECTED,
)

LEGAL: Final[dict[OrderStatus, tuple[OrderStatus, ...]]] = {
    OrderStatus.INTENT: (OrderStatus.SENT, OrderStatus.UNKNOWN, OrderStatus.LOST, *_WORKING),
    OrderStatus.SENT: (OrderStatus.UNKNOWN, OrderStatus.LOST, *_WORKING),
    OrderStatus.UNKNOWN: (OrderStatus.LOST, *_WORKING),
    # what has been triggered never waits for its trigger again
    OrderStatus.OPEN: (OrderStatus.COMPLETE, OrderStatus.CANCELLED, OrderStatus.REJECTED),
    OrderStatus.TRIGGER_PENDING: _WORKING,
    # the broker's book is the truth even about an order that was given up
    OrderStatus.LOST: _WORKING,
    OrderStatus.COMPLETE: (),
    OrderStatus.CANCELLED: (),
    OrderStatus.REJECTED: (),
}
"""Status → statuses that may follow it."""


_STATUSES: Final = len(OrderStatus) + 1
_LEGAL: Final = [
    new in LEGAL.get(OrderStatus(max(1, old)), ())
    for old in range(_STATUSES)
    for new in range(_STATUSES)
]


def is_legal_move(old: OrderStatus, new: OrderStatus) -> bool:
    """Return whether `new` may follow `old`."""
    return _LEGAL[_table_index(old, new)]


def _table_index(old: i64, new: i64) -> i64:
    """Return a pair's index in the table.

    An argument turns from enum to i64 for less than `int` takes.
    """
    return old * i64(_STATUSES) + new


def move_status(order: Order, status: OrderStatus, reason: str = "") -> bool:
    """Take `status` if it may follow; return whether the order changed."""
    if status is order.status or not is_legal_move(order.status, status):
        return False
    assert status is not OrderStatus.INTENT, "an order that has left is only decided again"
    order.status = status
    if reason:
        order.reason = reason
    if not order.live:
        order.cancelling = False
        order.pending = None
        order.wanted = None
    return True


def accept_order(order: Order, order_id: str) -> None:
    """Take the broker's id; a stop waits for its trigger until the book says otherwise.

    An id that the book gave goes before that of an answer: another order of ours will show in the
    book by itself.
    """
    if order.order_id and order.order_id != order_id:
        return
    order.order_id = order_id
    waits = order.order_type is OrderType.SL or order.order_type is OrderType.SLM
    move_status(order, OrderStatus.TRIGGER_PENDING if waits else OrderStatus.OPEN)


def take_over_change(order: Order) -> None:
    """Take over the modification that the broker has accepted, where the order still works."""
    asked = order.pending
    order.pending = None
    if asked is None or not order.live:
        return
    if asked.quantity > 0:
        order.quantity = asked.quantity
        order.whole = asked.quantity
    if asked.price > 0.0:
        order.price = asked.price
    if asked.trigger > 0.0:
        order.trigger = asked.trigger


def apply_update(order: Order, update: OrderUpdate) -> bool:
    """Bring an order up to date with the broker's book; return whether it changed."""
    if order.status is OrderStatus.REJECTED and not order.order_id:
        order.status = OrderStatus.LOST  # an answer refused what the book lists
    changed = move_status(order, update.status, update.reason) or not order.proven
    order.proven = True
    if not order.order_id and update.order_id:
        order.order_id = update.order_id
        changed = True
    if update.filled > order.filled:
        order.filled = update.filled
        changed = True
    if order.live or order.terms.makes_several_orders:
        changed = _update_quantity(order, update.quantity) or changed
    return (order.live and _update_prices(order, update)) or changed


def _update_quantity(order: Order, quantity: i64) -> bool:
    """Take over the quantity, whoever has changed it; return whether it differed.

    Of several orders it is a part.
    """
    if quantity <= 0 or quantity == order.quantity:
        return False
    order.quantity = quantity
    if not order.terms.makes_several_orders:
        order.whole = quantity
    return True


def _update_prices(order: Order, update: OrderUpdate) -> bool:
    """Take over price and trigger, whoever has changed them; return whether they differed."""
    changed = False
    if update.price > 0.0 and update.price != order.price:
        order.price = update.price
        changed = True
    if (
        update.trigger > 0.0
        and update.trigger != order.trigger
        and order.order_type >= OrderType.SL
    ):
        order.trigger = update.trigger
        changed = True
    return changed


def is_correction(order: Order) -> bool:
    """Return whether an order is a correction of our books: it moved shares and no cash.

    `compiled/trading/reports/corrections.py` makes them.
    """
    return order.order_id.startswith(CORRECTION)


def is_settled(order: Order) -> bool:
    """Return whether a chain is over, and every filled share has its trade."""
    each: Order | None = order
    last = order
    count: i64 = 0
    quantity: i64 = 0
    while each is not None:
        if each.live or each.traded < each.filled:
            return False
        count += 1
        quantity += each.quantity
        last = each
        each = each.sibling
    if count < order.parts:
        return False
    # the next leg of an iceberg comes when the one before it is complete
    return (
        order.terms.legs == 0 or last.status is not OrderStatus.COMPLETE or quantity >= order.whole
    )


def is_working(order: Order) -> bool:
    """Return whether an order of a chain may still trade."""
    each: Order | None = order
    while each is not None:
        if each.live:
            return True
        each = each.sibling
    return False


def traded_quantity(order: Order) -> i64:
    """Return the trades of all orders of a chain so far, in shares."""
    total: i64 = 0
    each: Order | None = order
    while each is not None:
        total += each.traded
        each = each.sibling
    return total


def outstanding_quantity(order: Order) -> i64:
    """Return the most a chain may still trade."""
    if is_settled(order):
        return 0
    if order.terms.makes_several_orders:
        return max(order.whole - traded_quantity(order), 0)
    total: i64 = 0
    each: Order | None = order
    while each is not None:
        if each.live or each.traded < each.filled:
            total += (each.quantity if each.live else each.filled) - each.traded
        each = each.sibling
    return total


def largest_quantity(order: Order) -> i64:
    """Return the most shares an order may have by now.

    A modification without an answer counts as if it were made.
    """
    most = order.quantity
    pending = order.pending
    wanted = order.wanted
    if pending is not None:
        most = max(most, pending.quantity)
    if wanted is not None:
        most = max(most, wanted.quantity)
    return most


def known_quantity(order: Order) -> i64:
    """Return the known orders' trades and open shares of a chain."""
    total: i64 = 0
    each: Order | None = order
    while each is not None:
        total += each.quantity if each.live else each.filled
        each = each.sibling
    return total


def offered_quantity(order: Order) -> i64:
    """Return the open shares of a chain's working orders that are not being cancelled."""
    total: i64 = 0
    each: Order | None = order
    while each is not None:
        if each.live and not each.cancelling and not each.unwanted:
            total += each.quantity - each.traded
        each = each.sibling
    return total


def join_chain(first: Order, other: Order) -> None:
    """Add an order to the end of a chain."""
    # A ring would be walked for ever.
    assert other is not first, "an order follows itself"
    assert other.sibling is None, "a chain joins another"
    other.parent = first.intent
    last = first
    while last.sibling is not None:
        last = last.sibling
    last.sibling = other
