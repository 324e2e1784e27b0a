"""Protection: every rung is either protected or on its way out.

`tend_rung` is level-triggered: it looks at how a rung stands and asks for the missing part, so it
does not matter which event was lost, came twice or came late. It is called after everything that
touches a rung, and every second.
"""

from typing import Final

from mypy_extensions import i64

from compiled.model.exchange_rules import HAIR, could_fill
from compiled.model.values import (
    SECOND,
    Gtt,
    GttLeg,
    GttStatus,
    Order,
    OrderStatus,
    Product,
    Side,
    Validity,
)
from compiled.trading import stop_orders
from compiled.trading.exits.exit_escalation import exit_done, place_exit
from compiled.trading.exits.part_exits import drop_part, tend_part_exit
from compiled.trading.ladder import (
    Ladder,
    Rung,
    RungState,
    gtt_differs,
    gtt_legs,
    hang_stop,
    stop_at,
    stop_leg,
    stop_limit,
    stop_rest_ns,
    target_at,
    target_differs,
    trailed_stop,
    wanted_stop,
)
from compiled.trading.order_states import is_settled, offered_quantity, outstanding_quantity
from compiled.trading.order_store import OrderStore

# A GTT fires at the broker, and its order shows in the book a moment later: to sell meanwhile would
# sell twice.
LINK_SECONDS: Final = 10
"""Seconds a triggered GTT has to show its order before the rung leaves at the market."""
RETRY_SECONDS: Final = 2
TTL_GRACE: Final = 5
"""Seconds that the broker has to end a TTL order by itself."""
REJECTIONS: Final = 3
"""Rejections of its exit after which a rung gets its stop back until the next try."""
NO_PRICE: Final = 1e300
"""No new low for `is_idle`; its counterpart, no new high, is 0.0."""


def mark_leaving(rung: Rung, reason: str) -> None:
    """Mark a rung to be closed at the market; the first reason stands."""
    if not rung.leaving:
        rung.leaving = True
        rung.exit_reason = reason


def tend_rung(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Ask for whatever this rung lacks at the last price (rupees, 0.0: unknown)."""
    if not rung.live:
        return
    # From the broker's own square-off on it refuses intraday orders; asking would only fill the
    # log.
    if (
        rung.quantity != 0
        and ladder.plan.product is Product.MIS
        and ladder.instrument.hours.squared_off(out.now)
    ):
        _report_wait(
            out,
            ladder,
            rung,
            "the broker squares off intraday positions now: nothing more is sent for this one",
        )
        return
    # The entry first, as its rest may still change the shares that everything below counts.
    _tend_entry(out, ladder, rung)
    if rung.stop_order is not None:
        stop_orders.promote_triggered_stop(rung)
    if 0 < rung.present <= rung.part:
        mark_leaving(rung, "operator")  # fewer are there than were to leave
    if rung.part > 0 or rung.part_exit is not None:
        tend_part_exit(out, ladder, rung, last)
    if rung.quantity == 0:
        _finish_rung(out, rung)
        return
    # Oversold before protected: an open short position loses without bound.
    if rung.quantity < 0:
        _undo_oversold(out, ladder, rung, last)
        return
    rung.state = RungState.OPEN if rung.exit is None else RungState.EXITING
    # Shares that the broker's books do not hold are neither sold nor protected: it would be
    # somebody else's that go.
    if rung.present == 0 and not ladder.plan.cover:
        _withdraw_all_sales(out, rung)
        return
    # While an exit works nothing else may offer its shares.
    if not exit_done(out, ladder, rung, last):
        _keep_exit_alone(out, ladder, rung)
        return
    gtt = rung.gtt
    if rung.leaving:
        _leave_at_market(out, ladder, rung, last)
    elif ladder.plan.resting:
        _tend_stop_order(out, ladder, rung, last)
    elif gtt is None or not gtt.live:
        _place_stop(out, ladder, rung, last)
    # A change or deletion under way is waited for: its answer decides which legs stand.
    elif gtt.status is GttStatus.ACTIVE and not gtt.pending and not gtt.deleting:
        _trail_gtt(out, ladder, rung, gtt, last)


def _tend_stop_order(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Keep a stop order at the exchange, and leave at the target."""
    order = rung.stop_order
    if order is None:
        _place_stop(out, ladder, rung, last)
    elif order.status is OrderStatus.TRIGGER_PENDING and not order.cancelling:
        reached = stop_orders.reached_exit_level(ladder, rung, last)
        # The target is watched here: a second order at the exchange could sell the same shares
        # again. At the stop the order itself sells, unless somebody has moved it away.
        if reached == "target" or (
            reached == "stop" and stop_orders.waits_farther_away(ladder, rung, order)
        ):
            mark_leaving(rung, reached)
            _leave_at_market(out, ladder, rung, last)
        elif order.pending is None:
            stop_orders.trail_stop_order(out, ladder, rung, order)


def is_idle(ladder: Ladder, high: float, low: float) -> bool:
    """Return whether prices between these (rupees) leave nothing to do.

    There is no rung to enter, no order, no stop to move.
    """
    if ladder.leaving:
        return False
    # Only the extreme in the position's favour matters: it enters further rungs and trails stops,
    # the other one is the stop's own business at the exchange.
    extreme = high if ladder.side is Side.BUY else low
    for rung in ladder.rungs:
        if rung.state is RungState.WAITING:
            if ladder.next_rung(extreme) is not None:
                return False
        elif rung.state is not RungState.CLOSED and not _is_rung_idle(ladder, rung, extreme):
            return False
    return True


def is_idle_at_any_price(ladder: Ladder) -> bool:
    """Return whether no price leaves anything to do, as long as the ladder does not change.

    It is `is_idle`, no rung waits, no stop trails, and no target is watched.
    """
    follows = ladder.plan.trail or ladder.plan.resting
    for rung in ladder.rungs:
        if rung.state is RungState.WAITING or (follows and rung.plan.stop_percent > 0.0):
            return False
    return is_idle(ladder, 0.0, NO_PRICE)


def _is_rung_idle(ladder: Ladder, rung: Rung, extreme: float) -> bool:
    entry = rung.entry
    # the first two conditions only spare the slow one: they hold for every entry but a new one
    if (
        entry is not None
        and (entry.status is not OrderStatus.COMPLETE or entry.traded < entry.filled)
        and not is_settled(entry)
    ):
        return False
    if (
        rung.state is not RungState.OPEN
        or rung.quantity <= 0
        or rung.leaving
        or rung.exit is not None
        or rung.part > 0
        or rung.part_exit is not None
        or rung.hand_stop > 0.0
    ):
        return False
    if rung.plan.stop_percent <= 0.0:
        return True
    if ladder.plan.resting:
        if not stop_orders.stop_order_stands(ladder, rung, extreme):
            return False
    elif not _gtt_stands(ladder, rung):
        return False
    if not ladder.plan.trail:
        return True
    best = extreme if float(ladder.sign) * (extreme - rung.high) > 0.0 else rung.high
    return trailed_stop(ladder, rung, best) == rung.stop


def _gtt_stands(ladder: Ladder, rung: Rung) -> bool:
    """Return whether the GTT of a rung stands as it should."""
    gtt = rung.gtt
    if (
        gtt is None
        or gtt.status is not GttStatus.ACTIVE
        or gtt.asked
        or gtt.pending
        or gtt.deleting
    ):
        return False
    return (
        gtt.legs[0].quantity == rung.staying
        and not rung.needs_refit
        and not gtt_differs(ladder, rung, gtt, rung.stop)
    )


def _tend_entry(out: OrderStore, ladder: Ladder, rung: Rung) -> None:
    """Cancel the rest of an entry that has waited long enough, or is not wanted any more."""
    entry = rung.entry
    if entry is None or is_settled(entry):
        return
    if (
        rung.leaving
        or _entry_waited(out, ladder, entry)
        or ladder.instrument.hours.withdraws_entry(out.now, entry.created)
    ):
        out.cancel_order(entry)


def _entry_waited(out: OrderStore, ladder: Ladder, entry: Order) -> bool:
    seconds = ladder.plan.entry_seconds
    if entry.validity is Validity.TTL:
        # The broker ends a TTL order by itself; ours comes only if it does not.
        seconds = entry.terms.minutes * 60 + TTL_GRACE
    return seconds > 0 and out.now - entry.created >= max(seconds * SECOND, out.entry_patience)


def _finish_rung(out: OrderStore, rung: Rung) -> None:
    """Close a rung that holds nothing and expects nothing, and take its stop away."""
    entry = rung.entry
    gtt = rung.gtt
    if gtt is not None and gtt.live:
        out.delete_gtt(gtt)
    if entry is not None and not is_settled(entry):
        return
    unguarded = stop_orders.withdraw_stop_order(out, rung)
    if rung.exit is not None and not is_settled(rung.exit):
        out.cancel_order(rung.exit)
        return
    if (gtt is not None and gtt.live) or not unguarded or rung.part_exit is not None:
        return
    rung.state = RungState.CLOSED
    rung.closed = out.now
    if not rung.bought:
        rung.exit_reason = "not filled" if entry is None or not entry.reason else entry.reason


def _withdraw_all_sales(out: OrderStore, rung: Rung) -> None:
    """Take back everything that could sell shares missing in the broker's books for a rung.

    It would sell somebody else's.
    """
    order = rung.exit
    if rung.gtt is not None and rung.gtt.live:
        out.delete_gtt(rung.gtt)
    stop_orders.withdraw_stop_order(out, rung)
    if order is not None and not is_settled(order):
        out.cancel_order(order)
    elif order is not None:
        rung.exit = None


def _keep_exit_alone(out: OrderStore, ladder: Ladder, rung: Rung) -> None:
    """Let nothing else at the broker offer the exit's shares, and the exit no more than there is.

    An exit that was given up may arrive beside the stop that took its place, or beside the exit
    that did.
    """
    order = rung.exit
    if order is None or ladder.plan.cover:
        return
    if rung.gtt is not None and rung.gtt.live:
        out.delete_gtt(rung.gtt)
    stop_orders.withdraw_stop_order(out, rung)
    part = rung.part_exit
    # Beside the exit of a part a stop that has fired sells the others, and no more.
    if part is not None and offered_quantity(order) + outstanding_quantity(part) > rung.present:
        out.cancel_order(part)
    elif offered_quantity(order) > rung.present:
        # Cancelled whole and sent anew: a change could cross with a fill of the excess.
        out.cancel_order(order)


def _undo_oversold(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Bring back shares that were sold beyond the position.

    No position is to stand open without a request.
    """
    mark_leaving(rung, "oversold")
    order = rung.exit
    if rung.gtt is not None and rung.gtt.live:
        out.delete_gtt(rung.gtt)
    unguarded = stop_orders.withdraw_stop_order(out, rung)
    # What still sells goes first, or the way back would never catch up with it.
    if order is not None and order.side is ladder.exit_side and not is_settled(order):
        out.cancel_order(order)
        return
    if not exit_done(out, ladder, rung, last) or not unguarded or ladder.plan.cover:
        return
    if rung.part_exit is not None:
        return
    if out.now >= rung.retry_at and ladder.instrument.hours.takes_exits(out.now):
        _send_exit(out, ladder, rung=rung, side=ladder.side, quantity=-rung.quantity, last=last)


def _send_exit(
    out: OrderStore, ladder: Ladder, rung: Rung, side: Side, quantity: i64, last: float
) -> None:
    """Send an exit at the market, or with a limit that trades at once if the broker needs one."""
    assert rung.exit is None, "an exit beside another"
    held = rung.quantity if side is ladder.exit_side else -rung.quantity
    assert quantity <= held, "an exit for shares that are not held"
    order = place_exit(out, ladder, rung, side, quantity, last)
    if order is None:
        _report_wait(
            out, ladder, rung, "its exit waits for a price: this broker takes LIMIT orders only"
        )
        return
    rung.exit = order
    rung.state = RungState.EXITING
    rung.retry_at = out.now + RETRY_SECONDS * SECOND


def _move_stop_along(ladder: Ladder, rung: Rung) -> None:
    """Let a stop that is placed anew stand where it belongs by now.

    The last move may have been made without an answer.
    """
    rung.stop = wanted_stop(ladder, rung)
    rung.hand_stop = 0.0
    if ladder.plan.resting:
        rung.stop = stop_orders.accepted_trigger(ladder, rung.stop)


def _waits_behind_stop(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> bool:
    """Return whether a rung waits behind its stop for an exit given up that may still arrive.

    It does not where no stop can stand or the price is at it, and when intraday positions are over:
    it leaves again.
    """
    if ladder.instrument.hours.squares_off(out.now) and ladder.plan.resting:
        return False
    if (rung.gtt is not None and rung.gtt.live) or rung.stop_order is not None:
        _correct_stop(out, ladder, rung, last)
        return True
    if rung.plan.stop_percent <= 0.0 or rung.stop <= 0.0 or last <= 0.0 or ladder.plan.cover:
        return False
    # A stop that was refused would keep the rung waiting for protection that does not come.
    if rung.refusals > 0 or out.now < rung.protect_at:
        return False
    if rung.gtt is not None and rung.gtt.status is GttStatus.TRIGGERED:
        return False
    # The exit has been decided: a target beside the stop could sell what the late exit sells, too.
    rung.target = 0.0
    _move_stop_along(ladder, rung)
    if (
        stop_orders.reached_exit_level(ladder, rung, last)
        if ladder.plan.resting
        else _near_level(out, ladder, rung, last)
    ):
        return False
    if ladder.plan.resting:
        stop_orders.place_stop_order(out, ladder, rung)
    else:
        _place_gtt(out, ladder, rung, last)
    return True


def _correct_stop(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Correct a waiting rung's stop to the shares it still holds, and to its place.

    It counts whoever has changed it.
    """
    gtt = rung.gtt
    order = rung.stop_order
    if order is not None and order.status is OrderStatus.TRIGGER_PENDING and not order.cancelling:
        if order.pending is None and (
            order.quantity - order.traded != rung.staying or rung.needs_refit
        ):
            stop_orders.trail_stop_order(out, ladder, rung, order)
        return
    if (
        gtt is None
        or gtt.status is not GttStatus.ACTIVE
        or gtt.pending
        or gtt.deleting
        or gtt.asked
    ):
        return
    resized = gtt.legs[0].quantity != rung.staying
    if (
        last <= 0.0
        or out.now < gtt.retry_at
        or out.now - rung.moved < stop_rest_ns(ladder, resized)
    ):
        return
    if not resized and (
        _is_at_stop(out, ladder, rung.stop, last) or not _needs_change(ladder, rung, gtt, rung.stop)
    ):
        return
    out.modify_gtt(gtt, last, gtt_legs(ladder, rung, rung.stop, rung.staying))
    rung.moved = out.now


def _leave_at_market(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Take the stop away first, then sell: never two orders for the same shares."""
    gtt = rung.gtt
    takes = ladder.instrument.hours.takes_exits(out.now)
    if takes and out.now < rung.doubt_until and _waits_behind_stop(out, ladder, rung, last):
        return
    # An exit that is refused again and again leaves the rung bare between two tries; a stop costs
    # nothing meanwhile.
    if rung.rejections >= REJECTIONS and out.now < rung.retry_at:
        _protect_anew(out, ladder, rung, last)
        return
    # Deletion first and the exit when it is confirmed: both at once could sell twice (ADR 1).
    if gtt is not None and gtt.live:
        if not takes:
            _correct_stop(out, ladder, rung, last)
        elif gtt.status is GttStatus.ACTIVE:
            out.delete_gtt(gtt)
        return
    if (
        gtt is not None
        and gtt.status is GttStatus.TRIGGERED
        and not gtt.order_id
        and _may_show_order(out, gtt)
    ):
        return
    if not takes:
        _protect_overnight(out, ladder, rung, last)
        return
    if not stop_orders.withdraw_stop_order(out, rung) or ladder.plan.cover:
        return  # the second leg of a cover order turns into its exit
    # The exit of a part that may still trade: both together would sell more than there is.
    if rung.part_exit is not None or out.now < rung.retry_at:
        return
    _send_exit(out, ladder, rung=rung, side=ladder.exit_side, quantity=rung.present, last=last)


def _protect_overnight(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Protect over night the shares that could not be sold before the close.

    Their old stop may lie beyond the price by now. The same holds, without an alert, until the
    closing auction takes the exit: the desk may not be alive by then.
    """
    hours = ladder.instrument.hours
    if out.now < rung.protect_at or last <= 0.0:
        return
    bare = (
        ladder.plan.resting
        or rung.plan.stop_percent <= 0.0
        or not _keep_stop_clear(out, ladder, rung, last)
    )
    told = "no order can leave before the next session, and no GTT serves it: nothing protects it"
    if not bare:
        told = "its exit waits for the next session, under a stop at " + str(rung.stop)
    # Between the close and the auction the exit is about to go: that needs no alarm.
    if not hours.closes <= out.now < hours.auction:
        _report_wait(out, ladder, rung, told)
    if not bare:
        _place_gtt(out, ladder, rung, last)


def _report_wait(out: OrderStore, ladder: Ladder, rung: Rung, text: str) -> None:
    """Report once that an exit has to wait for the next session."""
    if not rung.wait_reported:
        rung.wait_reported = True
        out.alert("alarm", "carried", text, ladder.instrument.token)


def _protect_anew(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Give the stop back to a rung whose exit is rejected again and again, until the next try."""
    gtt = rung.gtt
    missing = (gtt is None or not gtt.live) and rung.stop_order is None
    if not missing:
        _correct_stop(out, ladder, rung, last)
    if not missing or last <= 0.0 or rung.plan.stop_percent <= 0.0 or out.now < rung.protect_at:
        return
    if not _keep_stop_clear(out, ladder, rung, last):
        return
    if ladder.plan.resting:
        rung.stop = stop_orders.accepted_trigger(ladder, rung.stop)
        stop_orders.place_stop_order(out, ladder, rung)
    else:
        _place_gtt(out, ladder, rung, last)


def _keep_stop_clear(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> bool:
    """Keep a stuck rung's stop, at the plan's distance where the price is beyond it.

    Where that is nearer than the broker takes a GTT, it stands at the broker's. Return whether it
    can stand at all.
    """
    rung.target = 0.0
    if rung.stop <= 0.0 or _is_at_stop(out, ladder, rung.stop, last):
        rung.stop = stop_at(ladder, rung, last)
        if not ladder.plan.resting and _is_at_stop(out, ladder, rung.stop, last):
            instrument = ladder.instrument
            # A tick more, as exactly at the least distance is too near.
            away = out.trigger_distance.least(last) + instrument.price(1)
            rung.stop = max(instrument.snap(last - float(ladder.sign) * away, -ladder.sign), 0.0)
    return rung.stop > 0.0


def _place_gtt(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    # Two stops for the same shares could both fire, and the second would open a position.
    assert rung.gtt is None or not rung.gtt.live, "a stop beside another"
    rung.gtt = out.place_gtt(
        ladder.strategy,
        ladder.instrument.token,
        product=ladder.plan.product,
        rung=rung.rung_id,
        last_price=last,
        legs=gtt_legs(ladder, rung, rung.stop, rung.staying),
    )
    rung.moved = out.now
    rung.needs_refit = False


def _may_show_order(out: OrderStore, gtt: Gtt) -> bool:
    """Return whether the order of a triggered GTT may still show up."""
    return out.now - gtt.updated < LINK_SECONDS * SECOND


def _place_stop(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> None:
    """Place the stop that a rung lacks; at or beyond it, leave instead."""
    gtt = rung.gtt
    if gtt is not None and gtt.status is GttStatus.TRIGGERED and not gtt.order_id:
        if not _may_show_order(out, gtt):
            mark_leaving(rung, "trigger without an order")
            _leave_at_market(out, ladder, rung, last)
        return
    # Without a price a stop could be placed beyond the market, and fire at once.
    if rung.plan.stop_percent <= 0.0 or out.now < rung.protect_at or last <= 0.0:
        return
    sign = float(ladder.sign)
    if rung.stop <= 0.0:
        rung.high = (
            rung.average
            if sign * (rung.high - rung.average) < 0.0 or rung.high <= 0.0
            else rung.high
        )
        rung.stop = stop_at(ladder, rung, rung.average)
        rung.target = target_at(ladder, rung, rung.average)
    _move_stop_along(ladder, rung)
    reached = (
        stop_orders.reached_exit_level(ladder, rung, last)
        if ladder.plan.resting
        else _near_level(out, ladder, rung, last)
    )
    # At or beyond the stop already: a GTT there would be refused as too near, so the rung leaves.
    if reached:
        mark_leaving(rung, reached)
        _leave_at_market(out, ladder, rung, last)
    elif ladder.plan.resting:
        stop_orders.place_stop_order(out, ladder, rung)
    else:
        _place_gtt(out, ladder, rung, last)


def _near_level(out: OrderStore, ladder: Ladder, rung: Rung, last: float) -> str:
    """Return "stop" or "target" where the last price is too near to it for a GTT, else "".

    A price beyond it is too near, too.
    """
    if _is_at_stop(out, ladder, rung.stop, last):
        return "stop"
    if rung.target > 0.0 and out.trigger_distance.is_too_near(
        float(ladder.sign) * (rung.target - last), last
    ):
        return "target"
    return ""


def _trail_gtt(out: OrderStore, ladder: Ladder, rung: Rung, gtt: Gtt, last: float) -> None:
    """Move the stop in the position's favour; keep its quantity, and its limit fillable."""
    resized = gtt.legs[0].quantity != rung.staying
    by_hand = rung.hand_stop > 0.0
    # A target only ever moves by hand, and what is asked for by hand does not wait its turn.
    waits = not by_hand and not target_differs(ladder, rung, gtt)
    rests = waits and out.now - rung.moved < stop_rest_ns(ladder, resized)
    if rests or out.now < gtt.retry_at:
        # A stop rests between moves: every change counts against the broker's limits. A wrong
        # quantity does not wait so long.
        return
    stop = wanted_stop(ladder, rung)
    if not _needs_change(ladder, rung, gtt, stop) and not resized:
        rung.hand_stop = 0.0
        return
    leg = stop_leg(ladder, gtt)
    sign = float(ladder.sign)
    if last <= 0.0:
        return
    if _is_at_stop(out, ladder, stop, last) or (
        rung.target > 0.0 and out.trigger_distance.is_too_near(sign * (rung.target - last), last)
    ):
        # the price is at the stop, and what stands is farther away: somebody else has put it there
        farther = sign * (rung.stop - leg.trigger) > 0.0 and _is_at_stop(
            out, ladder, rung.stop, last
        )
        vain = not could_fill(ladder.instrument, ladder.exit_side, leg.trigger, leg.price)
        # By now the price is too near for what was asked for by hand: all stays as it stands.
        if by_hand or (rung.part > 0 and rung.part_exit is None):
            _drop_wishes(out, ladder, rung, leg.trigger)
            return
        # The price is at the stop and the order cannot do its work: for the wrong shares, with a
        # limit that cannot fill, or moved away by hand. A stop in place is left to fire.
        if resized or ((vain or farther) and ladder.instrument.hours.takes_exits(out.now)):
            mark_leaving(rung, "stop")
            _leave_at_market(out, ladder, rung, last)
        return
    assert by_hand or sign * (stop - rung.stop) >= -HAIR, "a stop moves away from the price"
    out.modify_gtt(gtt, last, gtt_legs(ladder, rung, stop, rung.staying))
    rung.moved = out.now


def _drop_wishes(out: OrderStore, ladder: Ladder, rung: Rung, stands: float) -> None:
    """Forget what was asked for by hand and cannot be: the price is too near for a change."""
    if rung.hand_stop > 0.0:
        text = ladder.instrument.symbol + ": the price is too near for a stop at "
        out.alert(
            "warn",
            "stop_stays",
            text + str(rung.hand_stop) + ": it stays at " + str(stands),
            ladder.instrument.token,
        )
        rung.hand_stop = 0.0
        hang_stop(ladder, rung, stands)
    if rung.part > 0 and rung.part_exit is None:
        drop_part(out, ladder, rung, "the price is too near to the stop for a change of its GTT")


def _needs_change(ladder: Ladder, rung: Rung, gtt: Gtt, stop: float) -> bool:
    """Return whether a GTT has other prices than stop and target, or a limit that may not fill."""
    leg = stop_leg(ladder, gtt)
    vain = not could_fill(ladder.instrument, ladder.exit_side, leg.trigger, leg.price)
    rung.needs_refit = rung.needs_refit and (vain or _is_too_narrow(ladder, leg))
    return rung.needs_refit or gtt_differs(ladder, rung, gtt, stop)


def _is_at_stop(out: OrderStore, ladder: Ladder, stop: float, last: float) -> bool:
    """Return whether the last price (rupees) is beyond a stop, or too near to it for a GTT."""
    return out.trigger_distance.is_too_near(float(ladder.sign) * (last - stop), last)


def _is_too_narrow(ladder: Ladder, leg: GttLeg) -> bool:
    """Return whether a stop's limit gives less way than the plan and the band allow."""
    return float(ladder.sign) * (leg.price - stop_limit(ladder, leg.trigger)) > HAIR


def confirm_gtt(ladder: Ladder, rung: Rung, gtt: Gtt) -> bool:
    """Take over the legs the broker has confirmed; return whether the stop moved."""
    if not gtt.legs:
        return False
    leg = stop_leg(ladder, gtt)
    stop = leg.trigger
    # Legs from a list may be somebody else's, with a limit that could not fill on today's band or
    # grid.
    rung.needs_refit = rung.needs_refit or not could_fill(
        ladder.instrument, ladder.exit_side, stop, leg.price
    )
    if stop == rung.hand_stop:
        rung.hand_stop = 0.0
    moved = stop != rung.stop
    rung.stop = stop
    if moved:
        rung.trailed += 1
    return moved


def triggered_by(ladder: Ladder, gtt: Gtt, price: float) -> str:
    """Return which leg sent an order at this limit price: "stop" or "target"."""
    index: i64 = 0 if ladder.sign > 0 else len(gtt.legs) - 1
    # The broker does not say which leg has fired; the limit of the order it sent is nearer to one
    # of them.
    if len(gtt.legs) == 2 and abs(gtt.legs[1 - index].price - price) < abs(
        gtt.legs[index].price - price
    ):
        return "target"
    return "stop"
