"""Exits of a part of a rung by hand, while the rest of it stays under its stop.

First the stop is made smaller, then the part is sold beside it: together they never offer more than
the rung holds, and the rest is bare at no moment. The order leaves once; whatever it has not sold
stays, and its stop is made whole again.
"""

from compiled.model.values import GttStatus, OrderStatus
from compiled.trading.exits.exit_escalation import move_resting, place_exit
from compiled.trading.ladder import Ladder, Rung
from compiled.trading.order_states import is_settled, is_working
from compiled.trading.order_store import OrderStore


def tend_part_exit(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Send the exit of a part once nothing else offers it, and move it while it rests."""
    order = rung.part_exit
    if order is not None:
        if is_working(order):
            _tend_working(out, ladder, rung, last)
            return
        if not is_settled(order):
            return
        rung.part_exit = None
        if rung.part > 0:
            drop_part(out, ladder, rung, order.reason)
        return
    # An exit of the whole takes the part along.
    if rung.leaving or rung.exit is not None or rung.present <= 0:
        rung.part = 0
    elif not ladder.instrument.hours.takes_exits(out.now):
        drop_part(out, ladder, rung, "nothing can leave before the next session")
    elif not _stop_offers_part(rung):
        order = place_exit(out, ladder, rung, ladder.exit_side, rung.part, last)
        if order is not None:
            order.reduces = True
            rung.part_exit = order


def drop_part(out: OrderStore, ladder: Ladder, rung: Rung, why: str) -> None:
    """Let the part that has not been sold stay, under the stop of the rest; say why."""
    text = ladder.instrument.symbol + ": " + str(rung.part) + " shares did not leave and stay"
    out.alert("warn", "part_stays", text + (": " + why if why else ""), ladder.instrument.token)
    rung.part = 0


def _tend_working(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    order = rung.part_exit
    assert order is not None, "no exit of a part at work"
    # What leaves as a whole leaves by one order: the part's goes back first.
    if rung.leaving or rung.present <= 0:
        out.cancel_order(order)
    else:
        move_resting(out, ladder, order, last, True)


def _stop_offers_part(rung: Rung) -> bool:
    """Return whether the stop may still sell the part, or it is not known that it would not."""
    gtt = rung.gtt
    if gtt is not None:
        # Fired, and its order not seen yet: that may sell everything.
        if gtt.status is GttStatus.TRIGGERED and not gtt.order_id:
            return True
        if gtt.live:
            changing = gtt.asked or gtt.deleting or bool(gtt.pending)
            stands = gtt.status is GttStatus.ACTIVE and not changing
            return not stands or gtt.legs[0].quantity > rung.staying
    order = rung.stop_order
    # Nothing stands that could sell it.
    if order is None:
        return False
    if order.pending is not None or order.wanted is not None or order.cancelling:
        return True
    waits = order.status is OrderStatus.TRIGGER_PENDING and order.order_id != ""
    return not waits or order.quantity - order.traded > rung.staying
