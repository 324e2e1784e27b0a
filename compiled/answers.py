"""What the broker tells of orders: answers to requests, the order book and trades, each taken once, in any order."""

from mypy_extensions import i64

from compiled.charges import Rates, charged, order_charges
from compiled.events import Answer, OrderUpdate, Outcome, Trade, Verb
from compiled.ladder import Rung, RungState
from compiled.ledger import Ledger
from compiled.model import MINUTE, SECOND, Order, OrderStatus, Purpose, paise
from compiled.orders import apply, move
from compiled.outbox import Fill, Outbox
from compiled.positions import Market, Positions, Slot
from compiled.protection import triggered_by
from compiled.risk import Limits
from compiled.table import Table


class Answers(Positions):
    """Applies the broker's word to orders and rungs. `rates` maps 8 * token + product to the day's charges.

    A trade whose order is not known yet waits among the orphans; an order that is not ours stands among the externals.
    """

    def __init__(
        self,
        out: Outbox,
        ledger: Ledger,
        limits: Limits,
        markets: Table[Market],
        slots: list[Slot],
        first: i64,
        rates: Table[Rates],
    ) -> None:
        super().__init__(out, ledger, limits, markets, slots, first)
        self.rates = rates
        self.applied: set[str] = set()
        self.orphans: dict[str, list[Trade]] = {}
        self.externals: dict[str, OrderUpdate] = {}

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
        total = order_charges(self.rates[charged(order.token, order.product)], order.side, order.traded, order.value)
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
