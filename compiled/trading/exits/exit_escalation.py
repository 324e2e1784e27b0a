"""The escalation of an exit that rests: its limit moves from the last price step by step.

It stays within the band as it stands and the desk's limits. A market order within its protection
comes to rest as a limit order where the book does not reach that far, and so does the limit order
of a stop that the price has jumped over. Moving that order keeps its shares under one order; where
the broker refuses, it is cancelled, and the rest leaves at the market. At a broker that takes LIMIT
orders only, an exit starts with the limit of the first step.
"""

from mypy_extensions import i64

from compiled.model.exchange_rules import exceeds_freeze, protected_limit
from compiled.model.order_terms import PLAIN, SLICED, OrderChange
from compiled.model.values import SECOND, Order, OrderPurpose, OrderStatus, OrderType, Side
from compiled.trading.ladder import Ladder, Rung, RungState
from compiled.trading.order_states import is_settled, is_working
from compiled.trading.order_store import OrderStore


def exit_done(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> bool:
    """Return whether no exit order is at work; one that rests too long is escalated."""
    order = rung.exit
    if order is None:
        return True
    if is_working(order):
        move_resting(out, ladder, order, last, rung.leaving or rung.exit_reason == "stop")
        return False
    # Over, but with trades still to come: their shares would otherwise be sold again.
    if not is_settled(order):
        return False
    rung.exit = None
    rung.state = RungState.OPEN
    # A stop that has sold a part goes on leaving at the market; an exit by hand that was cancelled
    # does not.
    if rung.exit_reason == "stop":
        rung.leaving = True
    elif not rung.leaving:
        rung.exit_reason = ""
    return True


def move_resting(out: OrderStore, ladder: Ladder, order: Order, last: float, wanted: bool) -> None:
    """Move the limit of an exit that rests; one that is not `wanted` any more is taken back."""
    # An exit may be several orders (slices, twins): each rests, and is moved, by itself.
    each: Order | None = order
    while each is not None:
        if each.live and each.order_id and _has_rested(out, ladder, each):
            _escalate_exit(out, ladder, each, last, wanted)
        each = each.sibling


def place_exit(
    out: OrderStore, ladder: Ladder, rung: Rung, side: Side, quantity: i64, last: float
) -> Order | None:
    """Ask for an exit at the market, or with a limit that trades at once if the broker needs one.

    Return None while there is no price to set that limit from.
    """
    kind = OrderType.MARKET
    limit = 0.0
    if out.limit_only:
        if last <= 0.0:
            return None
        kind = OrderType.LIMIT
        limit = escalated_limit(out, ladder, side, 1, last)
    return out.place_order(
        ladder.strategy,
        ladder.instrument.token,
        side=side,
        quantity=quantity,
        order_type=kind,
        product=ladder.plan.product,
        purpose=OrderPurpose.EXIT,
        rung=rung.rung_id,
        price=limit,
        # The exchange refuses an order above the freeze quantity; the broker cuts one that asks for
        # it.
        terms=SLICED if exceeds_freeze(ladder.instrument, quantity) else PLAIN,
    )


def escalated_limit(out: OrderStore, ladder: Ladder, side: Side, steps: i64, last: float) -> float:
    """Return the limit of an exit, so many steps beyond the last price, within the band."""
    assert last > 0.0, "a step from no price"
    percent = min(float(steps) * out.exits.widen_percent, out.exits.reach_percent)
    return protected_limit(ladder.instrument, int(side), last, percent)


def _has_rested(out: OrderStore, ladder: Ladder, order: Order) -> bool:
    """Return whether an exit has rested long enough; one in an auction is left alone."""
    # Orders gathered for an auction are matched together at one price: no limit is better than
    # another.
    return (
        out.now - order.moved >= out.exits.patience * SECOND
        and not ladder.instrument.hours.gathers_orders(out.now)
    )


def _escalate_exit(
    out: OrderStore, ladder: Ladder, order: Order, last: float, wanted: bool
) -> None:
    """Move an exit's limit further; one that rests at a target or after hours is taken back."""
    taken = ladder.instrument.hours.takes_exits(out.now)
    if order.pending is not None or order.cancelling or out.now < order.retry_at:
        return
    if not wanted or not taken:
        out.cancel_order(order)
        order.moved = out.now  # one that is refused is asked for again, but not every second
        return
    # An order on its way has no place in the book yet, and without a price there is no step.
    if order.status is not OrderStatus.OPEN or last <= 0.0:
        return
    sign: i64 = int(order.side)
    price = escalated_limit(
        out, ladder, order.side, order.modifies + 2 if out.limit_only else order.modifies + 1, last
    )
    if order.price > 0.0 and float(sign) * (price - order.price) <= 0.0:
        return  # it stands as far as it may, and keeps its place in the queue
    if out.modify_order(order, OrderChange(price=price)):
        text = (
            ladder.instrument.symbol + ": exit moved to " + str(price) + ", last price " + str(last)
        )
        out.alert("warn", "escalated", text, order.token)
    # Modifications are used up (the exchange counts them): a new order starts from the market.
    elif not ladder.plan.cover:
        out.cancel_order(order)
