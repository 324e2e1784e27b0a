"""What the broker tells: answers to requests, the order book, trades and GTTs, each taken once, in any order."""

from typing import Final

from mypy_extensions import i64

from compiled.charges import Rates, order_charges
from compiled.events import Answer, GttUpdate, OrderUpdate, Outcome, Trade, Verb
from compiled.ladder import Rung, RungState
from compiled.ledger import Ledger
from compiled.model import (
    MINUTE,
    SECOND,
    Gtt,
    GttStatus,
    Order,
    OrderStatus,
    OrderType,
    Purpose,
    paise,
)
from compiled.orders import apply, move
from compiled.outbox import Fill, Outbox
from compiled.positions import Market, Positions, Slot
from compiled.protection import confirm, leave, triggered_by
from compiled.risk import Limits

REFUSALS_BEFORE_LEAVING: Final = 3


class Answers(Positions):
    """Applies the broker's word to orders, GTTs and rungs. `rates` maps 8 * token + product to the day's charges.

    A trade whose order is not known yet waits among the orphans; an order that is not ours stands among the externals.
    """

    def __init__(
        self,
        out: Outbox,
        ledger: Ledger,
        limits: Limits,
        markets: dict[int, Market],
        slots: list[Slot],
        first: i64,
        rates: dict[int, Rates],
    ) -> None:
        super().__init__(out, ledger, limits, markets, slots, first)
        self.rates = rates
        self.applied: set[str] = set()
        self.orphans: dict[str, list[Trade]] = {}
        self.externals: dict[str, OrderUpdate] = {}

    def _answer(self, event: Answer) -> None:
        order = self.out.orders.get(int(event.intent))
        if order is not None:
            self._order_answer(order, event)
            return
        gtt = self.out.gtts.get(int(event.intent))
        if gtt is not None:
            self._gtt_answer(gtt, event)

    def _order_answer(self, order: Order, event: Answer) -> None:
        if event.verb is Verb.CANCEL:
            # what became of the order, its book says
            if event.outcome is not Outcome.ACCEPTED:
                order.cancelling = False
            self.out.changed(order)
            return  # what is still to be done, the next timer asks for
        if event.outcome is Outcome.ACCEPTED:
            order.order_id = event.broker_id
            move(order, OrderStatus.OPEN)
        elif event.outcome is Outcome.REFUSED:
            move(order, OrderStatus.REJECTED, event.reason)
            self._order_refused(order, event.reason)
        elif event.outcome is Outcome.UNKNOWN:
            move(order, OrderStatus.UNKNOWN, event.reason)
        else:
            move(order, OrderStatus.LOST, event.reason)
            self.out.alert("warn", "order_lost", order.tag + " never reached the broker", order.token)
        self.out.changed(order)
        self._follow_up(order)

    def _follow_up(self, order: Order) -> None:
        """Give an order that lives its place: the rung's exit, a stray to cancel, or the reason to open the rung again."""
        self._link_orphans(order)
        if order.unwanted:
            self.out.cancel(order)
        rung = self.rungs.get(int(order.rung))
        if rung is not None and order.live:
            if order.purpose is Purpose.EXIT and rung.exit is not order:
                if rung.exit is None:
                    rung.exit = order
                else:
                    self.out.cancel(order)
            if rung.state is RungState.CLOSED:
                rung.state = RungState.ENTERING
                self._reopen(rung)
        self._tend_rung(order.rung)

    def _order_refused(self, order: Order, reason: str) -> None:
        """Tell it; an exit that is refused again and again is tried ever less often."""
        level = "warn"
        rung = self.rungs.get(int(order.rung))
        if rung is not None and order.purpose is Purpose.EXIT:
            patience: i64 = SECOND
            if not reason.startswith("busy"):
                rung.refusals += 1
                patience = rung.refusals * rung.refusals * SECOND
            rung.retry_at = self.out.now + (patience if patience < MINUTE else MINUTE)
            level = "alarm"
        self.out.alert(level, "order_refused", order.strategy + ": " + reason, order.token)

    def _order_update(self, event: OrderUpdate) -> None:
        order = self.out.by_order_id.get(event.order_id)
        if order is None and event.tag:
            order = self.out.by_tag.get(event.tag)
        if order is None:
            self.externals[event.order_id] = event
            return
        if order.order_id and order.order_id != event.order_id:
            self.out.alert("alarm", "doubled", order.tag + " stands twice: " + event.order_id, order.token)
            self.externals[event.order_id] = event
            return
        before = order.status
        if apply(order, event):
            self.out.changed(order)
            if order.status is OrderStatus.REJECTED and before is not OrderStatus.REJECTED:
                self._order_refused(order, order.reason)
            self._name_exit(order, event.price)
            if order.order_id in self.externals:
                del self.externals[order.order_id]
            self._follow_up(order)

    def _name_exit(self, order: Order, price: float) -> None:
        """Tell stop and target apart by the price of the order a GTT has sent."""
        rung = self.rungs.get(int(order.rung))
        if rung is None or rung.exit is not order or order.tag or rung.leaving or price <= 0.0:
            return
        ladder = self.owners[int(rung.ladder_id)]
        gtt = rung.gtt
        if gtt is not None:
            rung.exit_reason = triggered_by(ladder, gtt, price)

    def _link_orphans(self, order: Order) -> None:
        if order.order_id in self.orphans:
            for trade in self.orphans.pop(order.order_id):
                self._trade(trade)

    def _trade(self, event: Trade) -> None:
        key = event.order_id + " " + event.trade_id
        if key in self.applied:
            return
        order = self.out.by_order_id.get(event.order_id)
        if order is None:
            waiting = self.orphans.setdefault(event.order_id, [])
            if not any(trade.trade_id == event.trade_id for trade in waiting):
                waiting.append(event)
            return
        self.applied.add(key)
        self._book(order, event.trade_id, event.ts, event.quantity, event.price)
        self._tend_rung(order.rung)

    def _book(self, order: Order, trade_id: str, ts: i64, quantity: i64, price: float) -> None:
        """Book a trade: ledger, charges by the order's running total, the rung's sums, the digest."""
        value = paise(price, quantity)
        order.traded += quantity
        order.value += value
        order.filled = max(order.filled, order.traded)
        realised = self.ledger.fill(order.strategy, order.token, order.side, quantity, price)
        total = order_charges(
            self.rates[int(order.token) * 8 + int(order.product)], order.side, order.traded, order.value
        )
        charges = total - order.charged
        order.charged = total
        self.ledger.charge(order.strategy, order.token, charges)
        self.out.changed(order)
        self.out.filled(Fill(ts, trade_id, order, quantity, price, charges, realised))
        self._book_rung(order, ts, quantity, value, charges)

    def rebook(self, order: Order, ts: i64, quantity: i64, price: float, charges: i64, today: bool) -> None:
        """Book a fill that the journal holds already: the same sums, no rows, no digest; cash only for one of today."""
        value = paise(price, quantity)
        order.traded += quantity
        order.value += value
        order.charged += charges
        order.filled = max(order.filled, order.traded)
        if today:
            self.ledger.fill(order.strategy, order.token, order.side, quantity, price)
            self.ledger.charge(order.strategy, order.token, charges)
        rung = self.rungs.get(int(order.rung))
        if rung is not None:
            self._add_to(rung, order, ts, quantity, value, charges)

    def _book_rung(self, order: Order, ts: i64, quantity: i64, value: i64, charges: i64) -> None:
        """Book a fill on its rung, which it may open again."""
        rung = self.rungs.get(int(order.rung))
        if rung is None:
            return
        self._add_to(rung, order, ts, quantity, value, charges)
        if rung.state is RungState.CLOSED or (rung.state is RungState.WAITING and rung.bought):
            rung.state = RungState.OPEN
            self._reopen(rung)
        self.changed_rungs[rung.rung_id] = rung
        if rung.quantity < 0:
            self.out.alert("alarm", "oversold", "more was sold than rung " + str(rung.rung_id) + " held", order.token)

    def _add_to(self, rung: Rung, order: Order, ts: i64, quantity: i64, value: i64, charges: i64) -> None:
        """Add a fill to the sums of its rung."""
        rung.charges += charges
        if order.purpose is Purpose.ENTRY:
            if not rung.bought:
                rung.opened = ts
            rung.bought += quantity
            rung.bought_value += value
        else:
            rung.sold += quantity
            rung.sold_value += value

    # GTTs

    def _gtt_answer(self, gtt: Gtt, event: Answer) -> None:
        rung = self.rungs.get(int(gtt.rung))
        if event.verb is not Verb.PLACE:
            gtt.asked = False
        if event.verb is Verb.CANCEL:
            self._delete_answer(gtt, event)
            if event.outcome is not Outcome.ACCEPTED:
                self.out.changed_gtt(gtt)
                return  # what is still to be done, the next timer asks for
        elif event.verb is Verb.MODIFY:
            self._modify_answer(gtt, rung, event)
        elif event.outcome is Outcome.ACCEPTED:
            gtt.gtt_id = i64(int(event.broker_id))
            self._gtt_status(gtt, GttStatus.ACTIVE)
            if rung is not None:
                rung.refusals = 0
                if rung.gtt is not gtt:
                    self.out.delete_gtt(gtt)
        elif event.outcome is Outcome.UNKNOWN:
            self._gtt_status(gtt, GttStatus.UNKNOWN)
        else:
            gtt.reason = event.reason
            self._gtt_status(gtt, GttStatus.REJECTED if event.outcome is Outcome.REFUSED else GttStatus.LOST)
            if rung is not None:
                self._unprotected(gtt, rung, event.reason)
        self.out.changed_gtt(gtt)
        self._tend_rung(gtt.rung)

    def _gtt_status(self, gtt: Gtt, status: GttStatus) -> None:
        gtt.status = status
        gtt.updated = self.out.now

    def _unprotected(self, gtt: Gtt, rung: Rung, reason: str) -> None:
        """Try again later, and after the third refusal leave at the market."""
        busy = reason.startswith("busy")
        if not busy:
            rung.refusals += 1
        rung.retry_at = self.out.now + (rung.refusals + 1) * SECOND
        self.out.alert("warn" if busy else "alarm", "gtt_refused", "protection refused: " + reason, gtt.token)
        if rung.refusals >= REFUSALS_BEFORE_LEAVING:
            leave(rung, "unprotectable")

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
            self._confirm(gtt, rung)
        elif event.outcome is Outcome.REFUSED:
            gtt.pending = []
            gtt.reason = event.reason

    def _confirm(self, gtt: Gtt, rung: Rung | None) -> None:
        if rung is None:
            return
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
        if event.status is GttStatus.ACTIVE:
            if gtt.asked:
                return
            gtt.deleting = False
            gtt.pending = []
            gtt.legs = event.legs
            self._confirm(gtt, rung)
        else:
            gtt.deleting = False
            gtt.pending = []
            gtt.reason = event.reason
            self._gtt_status(gtt, event.status)
            if event.status is GttStatus.TRIGGERED and event.order_ids:
                self._gtt_fired(gtt, rung, event.order_ids[0])
            elif rung is not None and event.status is GttStatus.TRIGGERED and event.reason:
                gtt.order_id = "none"
                leave(rung, "trigger failed: " + event.reason)
            if rung is not None and event.status is not GttStatus.TRIGGERED:
                self.out.alert("alarm", "gtt_gone", "a GTT is " + event.status.name + " at the broker", gtt.token)
        self.out.changed_gtt(gtt)
        self._tend_rung(gtt.rung)

    def _gtt_fired(self, gtt: Gtt, rung: Rung | None, order_id: str) -> None:
        """Take over the order a GTT has sent as the exit of its rung."""
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
        self.out.changed(order)
        if rung is not None:
            if rung.exit is not None:
                self.out.cancel(rung.exit)
            rung.exit = order
            ladder = self.ladders.get(int(rung.ladder_id))
            if ladder is not None and not rung.leaving:
                rung.exit_reason = triggered_by(ladder, gtt, order.price)
            self.changed_rungs[rung.rung_id] = rung
        self.out.alert("info", "gtt_triggered", gtt.strategy + ": GTT " + str(gtt.gtt_id) + " triggered", gtt.token)
        self._link_orphans(order)
