"""Stops that rest at the exchange as orders: of intraday positions, and of cover orders.

GTTs do not serve those. One stop order for the shares of a rung, or one exit, never both: it is
placed when the entry fills, modified when it trails or the quantity changes, and cancelled before
an exit is sent. Once triggered it is the exit. A rung's target is watched by the desk, for a second
order at the exchange could sell the same shares again.
"""

from compiled.model.exchange_rules import HAIR, clamp_to_band
from compiled.model.order_terms import OrderChange
from compiled.model.values import SECOND, Order, OrderPurpose, OrderStatus, OrderType, Product
from compiled.trading.ladder import PROVEN, Ladder, Rung, stop_limit, stop_rest_ns, wanted_stop
from compiled.trading.order_states import is_settled
from compiled.trading.order_store import OrderStore


def promote_triggered_stop(rung: Rung) -> None:
    """Take a stop that was triggered for the exit, and let go of one that is over."""
    order = rung.stop_order
    if order is None or rung.exit is not None:
        return
    # Triggered, traded or open: from here on it is the exit, and a cancellation asked for as a stop
    # is void.
    if order.status is OrderStatus.OPEN or order.status is OrderStatus.COMPLETE or order.traded > 0:
        rung.stop_order = None
        rung.exit = order
        order.cancelling = False
        if not rung.leaving:
            rung.exit_reason = "stop"
    elif is_settled(order):
        rung.stop_order = None


def accepted_trigger(ladder: Ladder, stop: float) -> float:
    """Return the trigger that the exchange takes for a stop.

    One off the band stands at its edge, nearer to the price.
    """
    # The exchange refuses a trigger off the band. At the edge the stop fires early, which is better
    # than not standing at all.
    edge = clamp_to_band(ladder.instrument, stop)
    return edge if float(ladder.sign) * (edge - stop) > 0.0 else stop


def place_stop_order(out: OrderStore, ladder: Ladder, rung: Rung) -> None:
    """Place the stop of a rung for all its shares: SL-M, where the exchange takes it."""
    if ladder.plan.cover:
        return  # the broker does
    assert rung.stop_order is None, "a stop beside another"
    assert 0 < rung.staying <= rung.quantity, "a stop for shares that are not held"
    kind = ladder.instrument.kind
    # The exchange takes no SL-M in options.
    stop_limited = kind == "CE" or kind == "PE"
    rung.stop_order = out.place_order(
        ladder.strategy,
        ladder.instrument.token,
        side=ladder.exit_side,
        quantity=rung.staying,
        order_type=OrderType.SL if stop_limited else OrderType.SLM,
        product=Product.MIS,
        purpose=OrderPurpose.PROTECT,
        rung=rung.rung_id,
        price=stop_limit(ladder, rung.stop) if stop_limited else 0.0,
        trigger=rung.stop,
    )
    rung.moved = out.now
    rung.needs_refit = False


def trail_stop_order(out: OrderStore, ladder: Ladder, rung: Rung, order: Order) -> None:
    """Move the stop in the position's favour, and keep its quantity equal to the rung's."""
    # A stop that has stood for a while counts as accepted: earlier refusals no longer slow the next
    # one down.
    if out.now - order.created >= PROVEN * SECOND and order.quantity - order.traded == rung.staying:
        rung.refusals = 0
    quantity = (
        0 if ladder.plan.cover or order.quantity - order.traded == rung.staying else rung.staying
    )
    by_hand = rung.hand_stop > 0.0
    # What the operator asks for goes at once.
    rests = not by_hand and out.now - rung.moved < stop_rest_ns(ladder, quantity > 0)
    if rests or out.now < order.retry_at:
        return
    stop = (
        accepted_trigger(ladder, wanted_stop(ladder, rung))
        if ladder.plan.trail or by_hand
        else rung.stop
    )
    limit = stop_limit(ladder, stop) if order.order_type is OrderType.SL else 0.0
    refit = rung.needs_refit and limit > 0.0 and limit != order.price
    rung.needs_refit = False
    if stop == order.trigger:
        rung.hand_stop = 0.0
    if stop == order.trigger and quantity == 0 and not refit:
        return
    assert by_hand or float(ladder.sign) * (stop - rung.stop) >= -HAIR, (
        "a stop moves away from the price"
    )
    rung.moved = out.now
    moved = stop if stop != order.trigger else 0.0
    # Fields that do not change stay 0, so that a change made by hand to them is not undone on the
    # way.
    limit = limit if moved > 0.0 or refit else 0.0
    if out.modify_order(order, OrderChange(quantity, limit, moved)) or ladder.plan.cover:
        return
    rung.stop = (
        stop  # its modifications are used up: the next one begins where this one would have stood
    )
    rung.hand_stop = 0.0
    out.cancel_order(order)


def stop_order_stands(ladder: Ladder, rung: Rung, extreme: float) -> bool:
    """Return whether a rung's stop order stands right while no price betters `extreme`."""
    order = rung.stop_order
    if order is None or order.status is not OrderStatus.TRIGGER_PENDING:
        return False
    if (
        order.pending is not None
        or order.cancelling
        or order.quantity != rung.staying
        or rung.needs_refit
    ):
        return False
    if order.trigger != rung.stop:
        return False
    return rung.target <= 0.0 or float(ladder.sign) * (extreme - rung.target) < 0.0


def waits_farther_away(ladder: Ladder, rung: Rung, order: Order) -> bool:
    """Return whether a stop order waits farther from the price than its rung's stop.

    Somebody else has put it there.
    """
    return float(ladder.sign) * (rung.stop - order.trigger) > 0.0


def withdraw_stop_order(out: OrderStore, rung: Rung) -> bool:
    """Take the stop order away before an exit.

    Return whether none is left that could sell the same shares.
    """
    order = rung.stop_order
    if order is None:
        return True
    out.cancel_order(order)
    # Until the cancellation is certain the stop may still sell: the exit waits.
    if not is_settled(order):
        return False
    rung.stop_order = None
    return True


def reached_exit_level(ladder: Ladder, rung: Rung, last: float) -> str:
    """Return "stop" or "target" where the last price (rupees) has reached it, else ""."""
    sign = float(ladder.sign)
    if sign * (last - rung.stop) <= 0.0:
        return "stop"
    if rung.target > 0.0 and sign * (last - rung.target) >= 0.0:
        return "target"
    return ""


def confirm_stop_order(rung: Rung, order: Order) -> bool:
    """Take over the trigger the broker has confirmed; return whether the stop moved."""
    if rung.stop_order is not order or not order.live or order.trigger <= 0.0:
        return False
    if order.trigger == rung.hand_stop:
        rung.hand_stop = 0.0
    if order.trigger == rung.stop:
        return False
    rung.trailed += rung.stop > 0.0
    rung.stop = order.trigger
    return True
