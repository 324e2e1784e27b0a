"""Keep every rung either protected or on its way out.

`tend` is level-triggered: it looks at how a rung stands and asks for what is missing, so it does not matter which
event was lost, came twice or came late. Called after everything that touches a rung, and every second.
"""

from typing import Final

from mypy_extensions import i64

from compiled.ladder import Ladder, Rung, RungState, legs, stop_at, target_at, trailed_stop
from compiled.model import SECOND, Gtt, GttStatus, OrderStatus, OrderType, Product, Purpose, Side
from compiled.orders import settled
from compiled.outbox import Outbox

EXIT_SECONDS: Final = 10
"""How long an exit may rest before it is cancelled and sent again at the market."""
LINK_SECONDS: Final = 10
"""How long a triggered GTT may go without showing its order before the rung leaves at the market."""
RETRY_SECONDS: Final = 2
NO_PRICE: Final = 1e300
"""No new low for `idle`; its counterpart, no new high, is 0.0."""
NEAREST_PERCENT: Final = 0.3
"""Kite refuses a trigger nearer than 0.25 % to the last price; stay clear of it."""


def leave(rung: Rung, reason: str) -> None:
    """Mark a rung to be closed at the market; the first reason stands."""
    if not rung.leaving:
        rung.leaving = True
        rung.exit_reason = reason


def tend(out: Outbox, ladder: Ladder, rung: Rung, last: float) -> None:
    """Ask for whatever this rung lacks at the last price (rupees, 0.0: unknown)."""
    if not rung.live:
        return
    _tend_entry(out, ladder, rung)
    if rung.quantity <= 0:
        _finish(out, rung)
        return
    rung.state = RungState.OPEN if rung.exit is None else RungState.EXITING
    if not _exit_done(out, ladder, rung):
        return
    gtt = rung.gtt
    if rung.leaving:
        _leave_now(out, ladder, rung, gtt, last)
    elif gtt is None or not gtt.live:
        _protect(out, ladder, rung, gtt, last)
    elif gtt.status is GttStatus.ACTIVE and not gtt.pending and not gtt.deleting:
        _follow(out, ladder, rung, gtt, last)


def idle(ladder: Ladder, high: float, low: float) -> bool:
    """Tell whether prices between these (rupees) leave nothing to do: no rung to enter, no order, no stop to move."""
    if ladder.leaving:
        return False
    for rung in ladder.rungs:
        if rung.state is not RungState.CLOSED and not _idle(ladder, rung, high if ladder.side is Side.BUY else low):
            return False
    return True


def calm(ladder: Ladder) -> bool:
    """Tell whether no price leaves anything to do, as long as the ladder does not change: it is `idle`, and no stop trails."""
    if ladder.plan.trail:
        for rung in ladder.rungs:
            if rung.plan.stop_percent > 0.0:
                return False
    return idle(ladder, 0.0, NO_PRICE)


def _idle(ladder: Ladder, rung: Rung, extreme: float) -> bool:
    entry = rung.entry
    # the first two conditions only spare the slow one: they hold for every entry but a new one
    if (
        entry is not None
        and (entry.status is not OrderStatus.COMPLETE or entry.traded < entry.filled)
        and not settled(entry)
    ):
        return False
    if rung.state is not RungState.OPEN or rung.quantity <= 0 or rung.leaving or rung.exit is not None:
        return False
    if rung.plan.stop_percent <= 0.0:
        return True
    gtt = rung.gtt
    if gtt is None or gtt.status is not GttStatus.ACTIVE or gtt.asked or gtt.pending or gtt.deleting:
        return False
    if gtt.legs[0].quantity != rung.quantity:
        return False
    if not ladder.plan.trail:
        return True
    best = extreme if float(ladder.sign) * (extreme - rung.high) > 0.0 else rung.high
    return trailed_stop(ladder, rung, best) == rung.stop


def _tend_entry(out: Outbox, ladder: Ladder, rung: Rung) -> None:
    """Cancel what is left of an entry that has waited long enough, or that nobody wants any more."""
    entry = rung.entry
    if entry is not None and entry.live:
        waited = out.now - entry.created >= ladder.plan.entry_seconds * SECOND
        if rung.leaving or waited:
            out.cancel(entry)


def _finish(out: Outbox, rung: Rung) -> None:
    """Close a rung that holds nothing and expects nothing, and take its GTT away."""
    entry = rung.entry
    gtt = rung.gtt
    if gtt is not None and gtt.live:
        out.delete_gtt(gtt)
    if entry is not None and not settled(entry):
        return
    if rung.exit is not None and not settled(rung.exit):
        if rung.exit.live:
            out.cancel(rung.exit)
        return
    if (gtt is not None and gtt.live) or rung.quantity < 0:
        return
    rung.state = RungState.CLOSED
    rung.closed = out.now
    if not rung.bought:
        rung.exit_reason = "not filled" if entry is None or not entry.reason else entry.reason


def _exit_done(out: Outbox, ladder: Ladder, rung: Rung) -> bool:
    """Tell whether no exit order is at work; one that rests too long is cancelled, unless an auction will match it."""
    order = rung.exit
    if order is None:
        return True
    if order.live:
        waited = out.now - order.created >= EXIT_SECONDS * SECOND
        if order.order_id and waited and not ladder.instrument.hours.gathers(out.now):
            out.cancel(order)
        return False
    if not settled(order):
        return False
    rung.exit = None
    rung.state = RungState.OPEN
    if rung.exit_reason == "stop":
        rung.leaving = True
    return True


def _leave_now(out: Outbox, ladder: Ladder, rung: Rung, gtt: Gtt | None, last: float) -> None:
    """Take the GTT away first, then sell at the market: never two orders for the same shares."""
    takes = ladder.instrument.hours.takes_exits(out.now)
    if gtt is not None and gtt.live:
        if gtt.status is GttStatus.ACTIVE and takes:
            out.delete_gtt(gtt)
        return
    if gtt is not None and gtt.status is GttStatus.TRIGGERED and not gtt.order_id and _waiting(out, gtt):
        return
    if not takes:
        _carry(out, ladder, rung, last)
        return
    if out.now < rung.retry_at:
        return
    side = Side.SELL if ladder.side is Side.BUY else Side.BUY
    rung.exit = out.place(
        ladder.strategy, ladder.instrument.token, side, rung.quantity, OrderType.MARKET, ladder.plan.product,
        Purpose.EXIT, rung.rung_id,
    )  # fmt: skip
    rung.state = RungState.EXITING
    rung.retry_at = out.now + RETRY_SECONDS * SECOND


def _carry(out: Outbox, ladder: Ladder, rung: Rung, last: float) -> None:
    """Protect over night what could not be sold before the close: its old stop may lie beyond the price by now."""
    hours = ladder.instrument.hours
    if out.now < rung.retry_at or last <= 0.0 or hours.closes <= out.now < hours.auction:
        return
    if ladder.plan.product is Product.MIS or rung.plan.stop_percent <= 0.0:
        return  # no GTT serves it
    rung.stop = stop_at(ladder, rung, last)
    rung.target = 0.0
    out.alert("alarm", "carried", "an exit did not fill before the close; a new stop stands", ladder.instrument.token)
    _place_gtt(out, ladder, rung, last)


def _place_gtt(out: Outbox, ladder: Ladder, rung: Rung, last: float) -> None:
    rung.gtt = out.place_gtt(
        ladder.strategy, ladder.instrument.token, ladder.plan.product, rung.rung_id, last,
        legs(ladder, rung, rung.stop, rung.quantity),
    )  # fmt: skip
    rung.moved = out.now


def _waiting(out: Outbox, gtt: Gtt) -> bool:
    """Tell whether the order of a triggered GTT may still show up."""
    return out.now - gtt.updated < LINK_SECONDS * SECOND


def _protect(out: Outbox, ladder: Ladder, rung: Rung, gtt: Gtt | None, last: float) -> None:
    """Place the GTT that a rung lacks; at or beyond its stop, leave instead."""
    if gtt is not None and gtt.status is GttStatus.TRIGGERED and not gtt.order_id:
        if not _waiting(out, gtt):
            leave(rung, "trigger without an order")
            _leave_now(out, ladder, rung, gtt, last)
        return
    if rung.plan.stop_percent <= 0.0 or out.now < rung.retry_at or last <= 0.0:
        return
    sign = float(ladder.sign)
    if rung.stop <= 0.0:
        rung.high = rung.average if sign * (rung.high - rung.average) < 0.0 or rung.high <= 0.0 else rung.high
        rung.stop = stop_at(ladder, rung, rung.average)
        rung.target = target_at(ladder, rung)
    if sign * (last - rung.stop) <= last * NEAREST_PERCENT / 100.0:
        leave(rung, "stop")
        _leave_now(out, ladder, rung, gtt, last)
        return
    if rung.target > 0.0 and sign * (rung.target - last) <= last * NEAREST_PERCENT / 100.0:
        leave(rung, "target")
        _leave_now(out, ladder, rung, gtt, last)
        return
    _place_gtt(out, ladder, rung, last)


def _follow(out: Outbox, ladder: Ladder, rung: Rung, gtt: Gtt, last: float) -> None:
    """Move the stop in the position's favour, and keep the GTT's quantity equal to the rung's."""
    due = out.now - rung.moved >= ladder.plan.trail_seconds * SECOND
    if not due:
        return
    stop = trailed_stop(ladder, rung, rung.high) if ladder.plan.trail else rung.stop
    resized = gtt.legs[0].quantity != rung.quantity
    if stop == rung.stop and not resized:
        return
    near = last * NEAREST_PERCENT / 100.0
    sign = float(ladder.sign)
    if last <= 0.0:
        return
    if sign * (last - stop) <= near or (rung.target > 0.0 and sign * (rung.target - last) <= near):
        if resized:
            leave(rung, "stop")
            _leave_now(out, ladder, rung, gtt, last)
        return
    out.modify_gtt(gtt, last, legs(ladder, rung, stop, rung.quantity))
    rung.moved = out.now


def confirm(ladder: Ladder, rung: Rung, gtt: Gtt) -> bool:
    """Take over the legs the broker has confirmed; return whether the stop moved."""
    if not gtt.legs:
        return False
    index: i64 = 0 if ladder.sign > 0 else len(gtt.legs) - 1
    stop = gtt.legs[index].trigger
    moved = stop != rung.stop
    rung.stop = stop
    if moved:
        rung.trailed += 1
    return moved


def triggered_by(ladder: Ladder, gtt: Gtt, price: float) -> str:
    """Return which leg sent an order at this limit price: "stop" or "target"."""
    index: i64 = 0 if ladder.sign > 0 else len(gtt.legs) - 1
    if len(gtt.legs) == 2 and abs(gtt.legs[1 - index].price - price) < abs(gtt.legs[index].price - price):
        return "target"
    return "stop"
