"""Order life cycle: which status may follow which, and what an update does to an order.

Updates come late, twice and out of order. One rule handles all of it: a status is taken only if the table allows it
after the present one, and a filled quantity only if it grows.
"""

from typing import Final

from mypy_extensions import i64

from compiled.events import OrderUpdate
from compiled.model import Order, OrderStatus

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
    OrderStatus.OPEN: _WORKING,
    OrderStatus.TRIGGER_PENDING: _WORKING,
    # the broker's book is the truth even about an order that was given up
    OrderStatus.LOST: _WORKING,
    OrderStatus.COMPLETE: (),
    OrderStatus.CANCELLED: (),
    OrderStatus.REJECTED: (),
}
"""Status → statuses that may follow it."""


_STATUSES: Final = len(OrderStatus) + 1
_LEGAL: Final = [new in LEGAL.get(OrderStatus(max(1, old)), ()) for old in range(_STATUSES) for new in range(_STATUSES)]


def legal(old: OrderStatus, new: OrderStatus) -> bool:
    """Tell whether `new` may follow `old`."""
    return _LEGAL[_place(old, new)]


def _place(old: i64, new: i64) -> i64:
    """Return where the table holds a pair; an argument turns from enum to i64 for less than `int` takes."""
    return old * i64(_STATUSES) + new


def move(order: Order, status: OrderStatus, reason: str = "") -> bool:
    """Take `status` if it may follow; return whether the order changed."""
    if status is order.status or not legal(order.status, status):
        return False
    order.status = status
    if reason:
        order.reason = reason
    if not order.live:
        order.cancelling = False
    return True


def apply(order: Order, update: OrderUpdate) -> bool:
    """Bring an order up to date with the broker's book; return whether it changed."""
    changed = move(order, update.status, update.reason)
    if not order.order_id and update.order_id:
        order.order_id = update.order_id
        changed = True
    if update.filled > order.filled:
        order.filled = update.filled
        changed = True
    if update.price > 0.0 and update.price != order.price and order.live:
        order.price = update.price
        changed = True
    return changed


def settled(order: Order) -> bool:
    """Tell whether nothing more can come of it: it is over, and every filled share has its trade."""
    return not order.live and order.traded >= order.filled
