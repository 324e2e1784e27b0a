"""The broker's reports of GTTs, and the assignment of answers to requests."""

from typing import Final, final

from mypy_extensions import i64

from compiled.model.events import (
    BrokerAnswer,
    GttUpdate,
    RequestOutcome,
    RequestVerb,
    is_refusal,
    is_transient,
)
from compiled.model.values import (
    MINUTE,
    SECOND,
    Gtt,
    GttLeg,
    GttStatus,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
)
from compiled.trading.desk_state import DeskState
from compiled.trading.desk_view import DeskView
from compiled.trading.ladder import Rung, stop_leg, target_differs
from compiled.trading.ladder_book import LadderBook
from compiled.trading.order_states import apply_update, move_status
from compiled.trading.order_store import OrderStore
from compiled.trading.protection import confirm_gtt, triggered_by
from compiled.trading.reports.order_reports import (
    OrderReports,
    is_outdated,
    stop_text,
)

FIRED_AWAY: Final = "gtt_fired_away"
"""What the alert is called of a GTT that has fired on an earlier day."""
DISABLED: Final = "gtt_disabled"
"""And of one that the broker has disabled."""
LATE: Final = 10 * SECOND
"""The age (ns) from which a GTT that fired while the books were out of reach is seen late."""


@final
class GttReports:
    """Applies the broker's word to GTTs, and makes the orders they send ours."""

    def __init__(
        self,
        state: DeskState,
        out: OrderStore,
        view: DeskView,
        ladder_book: LadderBook,
        orders: OrderReports,
    ) -> None:
        self.state = state
        self.order_store = out
        self.view = view
        self.ladder_book = ladder_book
        self.order_reports = orders

    def apply_answer(self, gtt: Gtt, event: BrokerAnswer) -> None:
        """Take the answer to a request about a GTT."""
        rung = self.state.rungs.get(int(gtt.rung))
        if event.verb is not RequestVerb.PLACE:
            gtt.asked = False
            gtt.retry_at = self.order_store.now + event.wait
        if event.verb is RequestVerb.CANCEL:
            self._apply_gtt_delete_answer(gtt, event)
            if event.outcome is not RequestOutcome.ACCEPTED:
                self.order_store.mark_gtt_changed(gtt)
                return  # what is still to be done, the next timer asks for
        elif event.verb is RequestVerb.MODIFY:
            self._apply_gtt_modify_answer(gtt, rung, event)
        elif event.outcome is RequestOutcome.ACCEPTED:
            known = self.order_store.by_gtt_id.get(int(event.broker_id))
            if known is None or known is gtt:
                self._accept_gtt(gtt, rung, i64(int(event.broker_id)))
            else:
                self._set_gtt_status(gtt, GttStatus.UNKNOWN)  # the answer named another one
        elif event.outcome is RequestOutcome.SENT:
            if gtt.status is GttStatus.INTENT:
                self._set_gtt_status(gtt, GttStatus.SENT)
            self.order_store.mark_gtt_changed(gtt)
            return
        elif event.outcome is RequestOutcome.UNKNOWN:
            self.order_store.disown_gtt(gtt)
            self._set_gtt_status(gtt, GttStatus.UNKNOWN)
        else:
            gtt.reason = event.reason
            self._set_gtt_status(
                gtt,
                GttStatus.REJECTED if is_refusal(event.outcome) else GttStatus.LOST,
            )
            if rung is not None:
                self._retry_protection(gtt, rung, event)
        self.order_store.mark_gtt_changed(gtt)
        self.ladder_book.tend_rung_of(gtt.rung)

    def _accept_gtt(self, gtt: Gtt, rung: Rung | None, gtt_id: i64) -> None:
        """Take the broker's id; a second one is that of a twin.

        A GTT that is not its rung's stop is deleted.
        """
        if gtt.gtt_id and gtt.gtt_id != gtt_id:
            text = "GTT " + str(gtt.gtt_id) + " stands twice: " + str(gtt_id) + " is deleted"
            self.order_store.alert("alarm", "doubled", text, gtt.token)
            # The twin gets a number of its own: it is deleted like any other stray, over restarts
            # too.
            gtt = Gtt(
                self.order_store.take_number(),
                gtt.strategy,
                token=gtt.token,
                product=gtt.product,
                rung=gtt.rung,
                last_price=gtt.last_price,
                legs=gtt.made,
                created=self.order_store.now,
            )
            self.order_store.gtts[gtt.intent] = gtt
            gtt.proven = True
        gtt.gtt_id = gtt_id
        self._set_gtt_status(gtt, GttStatus.ACTIVE)
        self.order_store.mark_gtt_changed(gtt)
        if rung is None:
            return
        self.ladder_book.clear_refusals(rung)
        # It came too late: the rung has another stop by now, or needs none.
        if rung.gtt is not gtt or not rung.live:
            self.state.stray_gtts[gtt.intent] = gtt
            self.order_store.delete_gtt(gtt)

    def _set_gtt_status(self, gtt: Gtt, status: GttStatus) -> None:
        gtt.status = status
        gtt.updated = self.order_store.now

    def _retry_protection(self, gtt: Gtt, rung: Rung, event: BrokerAnswer) -> None:
        """Try again later, and after the third refusal leave at the market."""
        later = is_transient(event.outcome) or self.order_reports.has_unconfirmed_hours(gtt.token)
        self.ladder_book.delay_protection(rung, not later, event.wait)
        self.order_reports.alert_refusal(
            "warn" if later else "alarm",
            "gtt_refused",
            "protection refused: " + event.reason,
            gtt.token,
        )

    def _apply_gtt_delete_answer(self, gtt: Gtt, event: BrokerAnswer) -> None:
        if event.outcome is RequestOutcome.ACCEPTED:
            gtt.deleting = False
            self._set_gtt_status(gtt, GttStatus.DELETED)
        # Nothing has happened, so the deletion is asked for again; any other refusal may mean that
        # it has fired.
        elif event.outcome is RequestOutcome.BUSY:
            gtt.deleting = False
        # refused or unknown: the next look at the broker's list tells

    def _apply_gtt_modify_answer(self, gtt: Gtt, rung: Rung | None, event: BrokerAnswer) -> None:
        if event.outcome is RequestOutcome.ACCEPTED and gtt.pending:
            gtt.legs = gtt.pending
            gtt.pending = []
            if rung is not None:
                self.ladder_book.clear_refusals(rung)
            self._confirm_gtt(gtt, rung)
        elif is_refusal(event.outcome):
            gtt.pending = []
            gtt.reason = event.reason
            if rung is not None and rung.gtt is gtt:
                self._note_unchanged_gtt(gtt, rung, event)

    def _note_unchanged_gtt(self, gtt: Gtt, rung: Rung, event: BrokerAnswer) -> None:
        """Take note that a stop stays as it was.

        One that does not protect the whole rung is as good as refused.
        """
        ladder = self.state.ladders.get(int(rung.ladder_id))
        if ladder is None:
            return
        by_hand = rung.hand_stop > 0.0 or target_differs(ladder, rung, gtt)
        if (by_hand or rung.part > 0) and not is_transient(event.outcome):
            two = len(gtt.legs) == 2
            target = gtt.legs[1 if ladder.sign > 0 else 0].trigger if two else 0.0
            self.ladder_book.keep_stop(rung, stop_leg(ladder, gtt).trigger, target)
            text = ladder.instrument.symbol + ": stop and shares stay as they are: " + event.reason
            self.order_store.alert("warn", "stop_stays", text, gtt.token)
        if self.view.lacks_protection(ladder, rung, self.state.markets[int(gtt.token)].last):
            self._retry_protection(gtt, rung, event)
        # A stop that fills for the whole rung stays as it is; asking again for the same would be
        # refused again.
        elif not is_transient(event.outcome):
            self.ladder_book.refit_stop(rung, False)  # it fills as it stands

    def _confirm_gtt(self, gtt: Gtt, rung: Rung | None) -> None:
        if rung is None or rung.gtt is not gtt:
            return  # a stop that has been given up says nothing of where the next one belongs
        ladder = self.state.ladders.get(int(rung.ladder_id))
        if ladder is not None and confirm_gtt(ladder, rung, gtt):
            self.state.changed_rungs[rung.rung_id] = rung

    def apply_update(self, event: GttUpdate) -> None:
        """Take in the broker's list of a GTT."""
        gtt = self.order_store.by_gtt_id.get(int(event.gtt_id))
        if gtt is None:
            return
        late = event.status is GttStatus.TRIGGERED and not gtt.order_id
        # What is over stays over. The one thing that may come later is the order that a GTT has
        # sent.
        if gtt.status > GttStatus.ACTIVE and not late:
            return
        if event.status is GttStatus.UNKNOWN:
            self.order_store.alert(
                "warn", "gtt_unread", "a GTT has a status nobody knows", gtt.token
            )
            return
        rung = self.state.rungs.get(int(gtt.rung))
        quiet = not gtt.deleting and not gtt.pending
        stood = quiet and gtt.proven
        gtt.proven = True
        if event.status is GttStatus.ACTIVE:
            # A list read while our change is under way shows either of two states, and proves
            # neither.
            if gtt.asked:
                return
            edited = quiet and not has_same_legs(gtt.legs, event.legs)
            # Older than our last change: not an edit by somebody else, but the legs before it.
            if edited and self._is_gtt_outdated(gtt, rung, event):
                return
            stood = stood and not edited
            gtt.deleting = False
            gtt.pending = []
            before = gtt.legs
            gtt.legs = event.legs
            gtt.stamp = event.ts
            gtt.seen = self.order_store.now
            if edited:
                self._note_edited_gtt(gtt, rung, before)
            else:
                self._confirm_gtt(gtt, rung)
        else:
            stood = False
            gtt.deleting = False
            gtt.pending = []
            gtt.reason = event.reason
            self._set_gtt_status(gtt, event.status)
            gtt.fired = event.fired
            if event.status is GttStatus.TRIGGERED and event.order_ids and event.past:
                self._note_gtt_fired_earlier(gtt, rung, event)
            elif event.status is GttStatus.TRIGGERED and event.order_ids:
                self._take_over_gtt_order(gtt, rung, event)
            # It has fired and its order was rejected: nothing is left that protects, so the rung
            # leaves.
            elif rung is not None and event.status is GttStatus.TRIGGERED and event.reason:
                gtt.order_id = "none"
                self.ladder_book.leave_rung(rung, "trigger failed: " + event.reason)
                self._report_failed_gtt(gtt, event.reason)
            elif rung is not None and event.status is GttStatus.DISABLED and rung.gtt is gtt:
                self._hold_disabled_gtt(rung, gtt)
            if rung is not None and quiet and event.status is not GttStatus.TRIGGERED:
                gone = (
                    f"GTT {gtt.gtt_id}, {legs_text(gtt.legs)}, is {event.status.name} at the broker"
                )
                self.order_store.alert("alarm", "gtt_gone", gone, gtt.token)
        if not stood:
            self.order_store.mark_gtt_changed(gtt)
        self.ladder_book.tend_rung_of(gtt.rung)

    def _is_gtt_outdated(self, gtt: Gtt, rung: Rung | None, event: GttUpdate) -> bool:
        """Return whether a list shows a GTT as it stood before our last change of it."""
        return (
            rung is not None
            and event.ts <= gtt.stamp
            and is_outdated(self.order_store.now, rung.moved, gtt.seen)
        )

    def _note_edited_gtt(self, gtt: Gtt, rung: Rung | None, before: list[GttLeg]) -> None:
        """Take note of a foreign change of a GTT of ours, and alert; the nearer stop stands.

        A target goes with the stop it stands beside. The quantity is the rung's, whoever has set
        another.
        """
        ladder = self.state.ladders.get(int(rung.ladder_id)) if rung is not None else None
        if rung is None or ladder is None or rung.gtt is not gtt or not before or not gtt.legs:
            self._confirm_gtt(gtt, rung)
            return
        ours = (
            rung.stop
            if rung.stop > 0.0
            else before[0 if ladder.sign > 0 else len(before) - 1].trigger
        )
        theirs = stop_leg(ladder, gtt).trigger
        # Whoever moves a stop nearer protects more, and stands; one moved away is put back.
        stands = self.order_store.yields_to_others and float(ladder.sign) * (theirs - ours) >= 0.0
        self.ladder_book.refit_stop(rung)
        if stands:
            target = gtt.legs[1 if ladder.sign > 0 else 0].trigger if len(gtt.legs) > 1 else 0.0
            self.ladder_book.set_target(rung, target)
            self._confirm_gtt(gtt, rung)
        what = "this stands, for the shares held" if stands else "ours is put back"
        text = (
            "GTT "
            + str(gtt.gtt_id)
            + " was changed by somebody else: "
            + legs_text(gtt.legs)
            + " instead of "
        )
        self.order_store.alert(
            "warn", "gtt_edited", text + legs_text(before) + "; " + what, gtt.token
        )

    def _note_gtt_fired_earlier(self, gtt: Gtt, rung: Rung | None, event: GttUpdate) -> None:
        """Take note of a GTT that has fired on an earlier day.

        Its order is over, and the books show its sales; until they do all of it counts as sold.
        """
        gtt.order_id = event.order_ids[0]
        gtt.updated = event.ts
        gtt.past = True
        if rung is not None and rung.gtt is gtt and rung.quantity > 0:
            self.ladder_book.hold_back(rung, rung.quantity)
        text = (
            gtt.strategy
            + ": GTT "
            + str(gtt.gtt_id)
            + " triggered on an earlier day, while the desk was away"
        )
        self.order_store.alert("warn", FIRED_AWAY, text, gtt.token)

    def _hold_disabled_gtt(self, rung: Rung, gtt: Gtt) -> None:
        """Hold the shares of a disabled GTT.

        The broker disables one where a share becomes another number of them. At the old prices
        nothing is sold and nothing protected until the division is known, or the operator says that
        there is none.
        """
        self.ladder_book.hold_back(rung, max(rung.quantity, 0))
        text = (
            "GTT "
            + str(gtt.gtt_id)
            + " is disabled: nothing is sold at its prices until it is known why"
        )
        self.order_store.alert("alarm", DISABLED, text, gtt.token)

    def _report_failed_gtt(self, gtt: Gtt, reason: str) -> None:
        """Alert that a GTT has fired and sells nothing: its shares leave at the market."""
        text = "GTT " + str(gtt.gtt_id) + " triggered, and the broker rejects its order: " + reason
        self.order_store.alert("alarm", "gtt_failed", text, gtt.token)

    def _take_over_gtt_order(self, gtt: Gtt, rung: Rung | None, event: GttUpdate) -> None:
        """Take over the order a GTT has sent as the exit of its rung.

        One that fired unobserved is reported as late.
        """
        order_id = event.order_ids[0]
        gtt.order_id = order_id
        seen = self.order_reports.externals.pop(order_id, None)
        leg = gtt.legs[0]
        # The order may have been listed before we knew whose it was: its limit says which leg sent
        # it.
        if seen is not None:
            for other in gtt.legs:
                if abs(other.price - seen.price) < abs(leg.price - seen.price):
                    leg = other
        order = Order(
            self.order_store.take_number(),
            "",
            strategy=gtt.strategy,
            token=gtt.token,
            side=leg.side,
            quantity=leg.quantity,
            order_type=OrderType.LIMIT,
            product=gtt.product,
            purpose=OrderPurpose.EXIT,
            price=leg.price,
            rung=gtt.rung,
            created=self.order_store.now,
        )
        order.order_id = order_id
        move_status(order, OrderStatus.OPEN)
        self.order_store.register(order)
        if seen is not None:
            apply_update(order, seen)
            if order.status is OrderStatus.REJECTED:
                self._report_failed_gtt(gtt, order.reason)
        self.order_store.mark_changed(order)
        if rung is not None:
            ladder = self.state.ladders.get(int(rung.ladder_id))
            reason = triggered_by(ladder, gtt, order.price) if ladder is not None else ""
            self.ladder_book.take_exit(rung, order, reason)
        if rung is None or not rung.live:
            self.ladder_book.cancel_stray(order)  # nothing is left for it to sell
        text, ago = (
            gtt.strategy + ": GTT " + str(gtt.gtt_id) + " triggered",
            self.order_store.now - event.ts,
        )
        # Long ago while the desk was away is news of another kind: the operator has to look.
        if not self.state.is_blind or event.ts <= 0 or ago < LATE:
            self.order_store.alert("info", "gtt_triggered", text, gtt.token)
        else:
            when = str(ago // MINUTE) + " min" if ago >= MINUTE else str(ago // SECOND) + " s"
            price = f" at {event.fired:.2f}" if event.fired > 0.0 else ""
            self.order_store.alert(
                "alarm",
                "gtt_triggered",
                text + price + ", " + when + " ago, and is seen only now",
                gtt.token,
            )
        self.order_reports.book_orphan_trades(order)


def legs_text(legs: list[GttLeg]) -> str:
    """Return the text of a GTT's legs."""
    return " / ".join([stop_text(leg.side, leg.quantity, leg.trigger) for leg in legs])


def has_same_legs(one: list[GttLeg], other: list[GttLeg]) -> bool:
    """Return whether two GTTs have the same legs."""
    return one is other or [(leg.trigger, leg.price, leg.side, leg.quantity) for leg in one] == [
        (leg.trigger, leg.price, leg.side, leg.quantity) for leg in other
    ]
