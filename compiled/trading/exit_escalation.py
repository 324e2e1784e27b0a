"""Press an exit that rests: move its limit from the last price step by step, within the band as it stands and the desk's limits.

A market order within its protection comes to rest as a limit order where the book does not reach that far, and so does
the limit order of a stop that the price has jumped over. Moving that order keeps its shares under one order; where the
broker refuses, it is cancelled, and what is left leaves at the market. At a broker that takes LIMIT orders only, an exit starts
with the limit of the first step.
"""

from mypy_extensions import i64

from compiled.band import within
from compiled.ladder import Ladder, Rung, RungState
from compiled.model import SECOND, Order, OrderStatus, Side
from compiled.orders import settled, working
from compiled.outbox import Outbox
from compiled.terms import Change


def exit_done(out: Outbox, ladder: Ladder, rung: Rung, last: float) -> bool:
    """Tell whether no exit order is at work; one that rests too long is pressed."""
    order = rung.exit
    if order is None:
        return True
    if working(order):
        each: Order | None = order
        while each is not None:
            if each.live and each.order_id and _rests(out, ladder, each):
                _press(out, ladder, rung, each, last)
            each = each.sibling
        return False
    if not settled(order):
        return False
    rung.exit = None
    rung.state = RungState.OPEN
    if rung.exit_reason == "stop":
        rung.leaving = True
    elif not rung.leaving:
        rung.exit_reason = ""
    return True


def pressed(out: Outbox, ladder: Ladder, side: Side, steps: i64, last: float) -> float:
    """Return the limit of an order that leaves, so many steps beyond the last price, within the band."""
    percent = min(float(steps) * out.exits.widen_percent, out.exits.reach_percent)
    sign: i64 = int(side)
    return within(ladder.instrument, ladder.instrument.snap(last * (1.0 + float(sign) * percent / 100.0), -sign))


def _rests(out: Outbox, ladder: Ladder, order: Order) -> bool:
    """Tell whether an exit has rested long enough; one that waits for an auction is left alone."""
    return out.now - order.moved >= out.exits.patience * SECOND and not ladder.instrument.hours.gathers(out.now)


def _press(out: Outbox, ladder: Ladder, rung: Rung, order: Order, last: float) -> None:
    """Move an exit's limit further; what rests at a target or after hours is taken back."""
    wanted = rung.leaving or rung.exit_reason == "stop"
    taken = ladder.instrument.hours.takes_exits(out.now)
    if order.pending is not None or order.cancelling or out.now < order.retry_at:
        return
    if not wanted or not taken:
        out.cancel(order)
        order.moved = out.now  # one that is refused is asked for again, but not every second
        return
    if order.status is not OrderStatus.OPEN or last <= 0.0:
        return
    sign: i64 = int(order.side)
    price = pressed(out, ladder, order.side, order.modifies + 2 if out.limit_only else order.modifies + 1, last)
    if order.price > 0.0 and float(sign) * (price - order.price) <= 0.0:
        return  # it stands as far as it may, and keeps its place in the queue
    if out.modify(order, Change(price=price)):
        text = ladder.instrument.symbol + ": exit moved to " + str(price) + ", last price " + str(last)
        out.alert("warn", "escalated", text, order.token)
    elif not ladder.plan.cover:
        out.cancel(order)
