"""What the broker tells about GTTs, and which of our requests an answer belongs to."""

from typing import Final

from mypy_extensions import i64

from compiled.answers import REFUSALS_BEFORE_LEAVING, Answers, outdated, passing, stop_text
from compiled.events import Answer, GttUpdate, Outcome, Verb
from compiled.ladder import Rung, stop_leg
from compiled.model import MINUTE, SECOND, Gtt, GttLeg, GttStatus, Order, OrderStatus, OrderType, Purpose
from compiled.orders import apply, move
from compiled.protection import confirm, leave, triggered_by

FIRED_AWAY: Final = "gtt_fired_away"
"""What the alert is called of a GTT that has fired on an earlier day."""
DISABLED: Final = "gtt_disabled"
"""And of one that the broker has disabled."""
LATE: Final = 10 * SECOND
"""What has fired so long ago, and is seen when the broker's books can be read again, is told as seen late."""


class Triggers(Answers):
    """Applies the broker's word to GTTs, and makes the orders they send ours."""

    def _answer(self, event: Answer) -> None:
        order = self.out.orders.get(int(event.intent))
        if order is not None:
            self._order_answer(order, event)
            return
        gtt = self.out.gtts.get(int(event.intent))
        if gtt is not None:
            self._gtt_answer(gtt, event)

    def _gtt_answer(self, gtt: Gtt, event: Answer) -> None:
        rung = self.rungs.get(int(gtt.rung))
        if event.verb is not Verb.PLACE:
            gtt.asked = False
            gtt.retry_at = self.out.now + event.wait
        if event.verb is Verb.CANCEL:
            self._delete_answer(gtt, event)
            if event.outcome is not Outcome.ACCEPTED:
                self.out.changed_gtt(gtt)
                return  # what is still to be done, the next timer asks for
        elif event.verb is Verb.MODIFY:
            self._modify_answer(gtt, rung, event)
        elif event.outcome is Outcome.ACCEPTED:
            known = self.out.by_gtt_id.get(int(event.broker_id))
            if known is None or known is gtt:
                self._gtt_accepted(gtt, rung, i64(int(event.broker_id)))
            else:
                self._gtt_status(gtt, GttStatus.UNKNOWN)  # the answer named another one
        elif event.outcome is Outcome.SENT:
            if gtt.status is GttStatus.INTENT:
                self._gtt_status(gtt, GttStatus.SENT)
            self.out.changed_gtt(gtt)
            return
        elif event.outcome is Outcome.UNKNOWN:
            self.out.disown_gtt(gtt)
            self._gtt_status(gtt, GttStatus.UNKNOWN)
        else:
            gtt.reason = event.reason
            self._gtt_status(gtt, GttStatus.REJECTED if event.outcome is Outcome.REFUSED else GttStatus.LOST)
            if rung is not None:
                self._unprotected(gtt, rung, event.reason, event.wait)
        self.out.changed_gtt(gtt)
        self._tend_rung(gtt.rung)

    def _gtt_accepted(self, gtt: Gtt, rung: Rung | None, gtt_id: i64) -> None:
        """Take the broker's id; a second one is that of a twin. What is not its rung's stop is deleted."""
        if gtt.gtt_id and gtt.gtt_id != gtt_id:
            text = "GTT " + str(gtt.gtt_id) + " stands twice: " + str(gtt_id) + " is deleted"
            self.out.alert("alarm", "doubled", text, gtt.token)
            gtt = Gtt(
                self.out.number(), gtt.strategy, gtt.token, gtt.product, gtt.rung, gtt.last_price, gtt.made, self.out.now,
            )  # fmt: skip
            self.out.gtts[gtt.intent] = gtt
            gtt.proven = True
        gtt.gtt_id = gtt_id
        self._gtt_status(gtt, GttStatus.ACTIVE)
        self.out.changed_gtt(gtt)
        if rung is None:
            return
        rung.refusals = 0
        if rung.gtt is not gtt or not rung.live:
            self.stray_gtts[gtt.intent] = gtt
            self.out.delete_gtt(gtt)

    def _gtt_status(self, gtt: Gtt, status: GttStatus) -> None:
        gtt.status = status
        gtt.updated = self.out.now

    def _unprotected(self, gtt: Gtt, rung: Rung, reason: str, wait: i64) -> None:
        """Try again later, and after the third refusal leave at the market."""
        later = passing(reason) or self.unsure(gtt.token)
        if not later:
            rung.refusals += 1
        rung.protect_at = self.out.now + max((rung.refusals + 1) * SECOND, wait)
        self.refused_by("warn" if later else "alarm", "gtt_refused", "protection refused: " + reason, gtt.token)
        if rung.refusals >= REFUSALS_BEFORE_LEAVING:
            leave(rung, "unprotectable")
            rung.retry_at = self.out.now

    def _delete_answer(self, gtt: Gtt, event: Answer) -> None:
        if event.outcome is Outcome.ACCEPTED:
            gtt.deleting = False
            self._gtt_status(gtt, GttStatus.DELETED)
        elif event.reason.startswith("busy"):
            gtt.deleting = False
        # refused or unknown: the next look at the broker's list tells

    def _modify_answer(self, gtt: Gtt, rung: Rung | None, event: Answer) -> None:
        if event.outcome is Outcome.ACCEPTED and gtt.pending:
            gtt.legs = gtt.pending
            gtt.pending = []
            if rung is not None:
                rung.refusals = 0
            self._confirm(gtt, rung)
        elif event.outcome is Outcome.REFUSED:
            gtt.pending = []
            gtt.reason = event.reason
            if rung is not None and rung.gtt is gtt:
                self._unchanged(gtt, rung, event)

    def _unchanged(self, gtt: Gtt, rung: Rung, event: Answer) -> None:
        """Take note that a stop stays as it was: one that does not protect the whole rung is as good as refused."""
        ladder = self.ladders.get(int(rung.ladder_id))
        if ladder is None:
            return
        if self._short_of(ladder, rung, self.markets[int(gtt.token)].last):
            self._unprotected(gtt, rung, event.reason, event.wait)
        elif not passing(event.reason):
            rung.refit = False  # it fills as it stands

    def _confirm(self, gtt: Gtt, rung: Rung | None) -> None:
        if rung is None or rung.gtt is not gtt:
            return  # a stop that has been given up says nothing of where the next one belongs
        ladder = self.ladders.get(int(rung.ladder_id))
        if ladder is not None and confirm(ladder, rung, gtt):
            self.changed_rungs[rung.rung_id] = rung

    def _gtt_update(self, event: GttUpdate) -> None:
        gtt = self.out.by_gtt_id.get(int(event.gtt_id))
        if gtt is None:
            return
        late = event.status is GttStatus.TRIGGERED and not gtt.order_id
        if gtt.status > GttStatus.ACTIVE and not late:
            return
        if event.status is GttStatus.UNKNOWN:
            self.out.alert("warn", "gtt_unread", "a GTT has a status nobody knows", gtt.token)
            return
        rung = self.rungs.get(int(gtt.rung))
        quiet = not gtt.deleting and not gtt.pending
        stood = quiet and gtt.proven
        gtt.proven = True
        if event.status is GttStatus.ACTIVE:
            if gtt.asked:
                return
            edited = quiet and not same_legs(gtt.legs, event.legs)
            if edited and self._outdated(gtt, rung, event):
                return
            stood = stood and not edited
            gtt.deleting = False
            gtt.pending = []
            before = gtt.legs
            gtt.legs = event.legs
            gtt.stamp = event.ts
            gtt.seen = self.out.now
            if edited:
                self._edited(gtt, rung, before)
            else:
                self._confirm(gtt, rung)
        else:
            stood = False
            gtt.deleting = False
            gtt.pending = []
            gtt.reason = event.reason
            self._gtt_status(gtt, event.status)
            gtt.fired = event.fired
            if event.status is GttStatus.TRIGGERED and event.order_ids and event.past:
                self._gtt_fired_before(gtt, rung, event)
            elif event.status is GttStatus.TRIGGERED and event.order_ids:
                self._gtt_fired(gtt, rung, event)
            elif rung is not None and event.status is GttStatus.TRIGGERED and event.reason:
                gtt.order_id = "none"
                leave(rung, "trigger failed: " + event.reason)
                self._gtt_failed(gtt, event.reason)
            elif rung is not None and event.status is GttStatus.DISABLED and rung.gtt is gtt:
                self._gtt_disabled(rung, gtt)
            if rung is not None and quiet and event.status is not GttStatus.TRIGGERED:
                gone = f"GTT {gtt.gtt_id}, {waits_for(gtt.legs)}, is {event.status.name} at the broker"
                self.out.alert("alarm", "gtt_gone", gone, gtt.token)
        if not stood:
            self.out.changed_gtt(gtt)
        self._tend_rung(gtt.rung)

    def _outdated(self, gtt: Gtt, rung: Rung | None, event: GttUpdate) -> bool:
        """Tell whether a list shows a GTT as it stood before our last change of it."""
        return rung is not None and event.ts <= gtt.stamp and outdated(self.out.now, rung.moved, gtt.seen)

    def _edited(self, gtt: Gtt, rung: Rung | None, before: list[GttLeg]) -> None:
        """Take note that somebody else has changed a GTT of ours, and tell it: the stop nearer to the price stands.

        A target goes with the stop it stands beside. The quantity is the rung's, whoever has set another.
        """
        ladder = self.ladders.get(int(rung.ladder_id)) if rung is not None else None
        if rung is None or ladder is None or rung.gtt is not gtt or not before or not gtt.legs:
            self._confirm(gtt, rung)
            return
        ours = rung.stop if rung.stop > 0.0 else before[0 if ladder.sign > 0 else len(before) - 1].trigger
        theirs = stop_leg(ladder, gtt).trigger
        stands = self.out.yields and float(ladder.sign) * (theirs - ours) >= 0.0
        rung.refit = True
        if stands:
            rung.target = gtt.legs[1 if ladder.sign > 0 else 0].trigger if len(gtt.legs) > 1 else 0.0
            self._confirm(gtt, rung)
        what = "this stands, for the shares held" if stands else "ours is put back"
        text = "GTT " + str(gtt.gtt_id) + " was changed by somebody else: " + waits_for(gtt.legs) + " instead of "
        self.out.alert("warn", "gtt_edited", text + waits_for(before) + "; " + what, gtt.token)

    def _gtt_fired_before(self, gtt: Gtt, rung: Rung | None, event: GttUpdate) -> None:
        """Take note of a GTT that has fired on an earlier day: its order is over, and the books tell what it has sold.

        Until they do all of it counts as sold.
        """
        gtt.order_id = event.order_ids[0]
        gtt.updated = event.ts
        gtt.past = True
        if rung is not None and rung.gtt is gtt and rung.quantity > 0:
            rung.absent = rung.quantity
        text = gtt.strategy + ": GTT " + str(gtt.gtt_id) + " triggered on an earlier day, while the desk was away"
        self.out.alert("warn", FIRED_AWAY, text, gtt.token)

    def _gtt_disabled(self, rung: Rung, gtt: Gtt) -> None:
        """Hold what a disabled GTT was for: the broker disables one where a share becomes another number of them.

        At the old prices nothing is sold and nothing protected until the division is known, or the operator says that there is none.
        """
        rung.absent = max(rung.quantity, 0)
        text = "GTT " + str(gtt.gtt_id) + " is disabled: nothing is sold at its prices until it is known why"
        self.out.alert("alarm", DISABLED, text, gtt.token)

    def _gtt_failed(self, gtt: Gtt, reason: str) -> None:
        """Tell that a GTT has fired and sells nothing: what it protected leaves at the market."""
        text = "GTT " + str(gtt.gtt_id) + " triggered, and the broker rejects its order: " + reason
        self.out.alert("alarm", "gtt_failed", text, gtt.token)

    def _gtt_fired(self, gtt: Gtt, rung: Rung | None, event: GttUpdate) -> None:
        """Take over the order a GTT has sent as the exit of its rung; one that fired while nobody could look is told as late."""
        order_id = event.order_ids[0]
        gtt.order_id = order_id
        seen = self.externals.pop(order_id, None)
        leg = gtt.legs[0]
        if seen is not None:
            for other in gtt.legs:
                if abs(other.price - seen.price) < abs(leg.price - seen.price):
                    leg = other
        order = Order(
            self.out.number(), "", gtt.strategy, gtt.token, leg.side, leg.quantity, OrderType.LIMIT, gtt.product,
            Purpose.EXIT, leg.price, rung=gtt.rung, created=self.out.now,
        )  # fmt: skip
        order.order_id = order_id
        move(order, OrderStatus.OPEN)
        self.out.register(order)
        if seen is not None:
            apply(order, seen)
            if order.status is OrderStatus.REJECTED:
                self._gtt_failed(gtt, order.reason)
        self.out.changed(order)
        if rung is not None:
            if rung.exit is not None:
                self._stray(rung.exit)
            rung.exit = order
            ladder = self.ladders.get(int(rung.ladder_id))
            if ladder is not None and not rung.leaving:
                rung.exit_reason = triggered_by(ladder, gtt, order.price)
            self.changed_rungs[rung.rung_id] = rung
        if rung is None or not rung.live:
            self._stray(order)  # nothing is left for it to sell
        text, ago = gtt.strategy + ": GTT " + str(gtt.gtt_id) + " triggered", self.out.now - event.ts
        if not self.blind or event.ts <= 0 or ago < LATE:
            self.out.alert("info", "gtt_triggered", text, gtt.token)
        else:
            when = str(ago // MINUTE) + " min" if ago >= MINUTE else str(ago // SECOND) + " s"
            price = f" at {event.fired:.2f}" if event.fired > 0.0 else ""
            self.out.alert(
                "alarm", "gtt_triggered", text + price + ", " + when + " ago, and is seen only now", gtt.token
            )
        self._link_orphans(order)


def waits_for(legs: list[GttLeg]) -> str:
    """Return what the legs of a GTT wait for."""
    return " / ".join([stop_text(leg.side, leg.quantity, leg.trigger) for leg in legs])


def same_legs(one: list[GttLeg], other: list[GttLeg]) -> bool:
    """Tell whether two GTTs ask for the same."""
    return one is other or [(leg.trigger, leg.price, leg.side, leg.quantity) for leg in one] == [
        (leg.trigger, leg.price, leg.side, leg.quantity) for leg in other
    ]
