"""What the broker tells of orders: answers to requests, the order book and trades, each taken once, in any order."""

from typing import Final

from mypy_extensions import i64

from compiled.bounds import HELD, PRICE
from compiled.charges import Rates, charged
from compiled.events import Answer, OrderUpdate, Outcome, Trade, Verb
from compiled.guard import confirm
from compiled.ladder import Rung, RungState
from compiled.ledger import Ledger
from compiled.model import MINUTE, SECOND, Order, OrderStatus, OrderType, Product, Purpose, Side, day_start, paise
from compiled.notes import DayNotes
from compiled.orders import accept, apply, asked, change, corrects, join, move, settled
from compiled.outbox import Fill, Outbox
from compiled.positions import DRY_RUN, Market, Positions, Slot
from compiled.protection import leave, triggered_by
from compiled.risk import Limits
from compiled.table import Table
from compiled.terms import Variety

LATE_SECONDS: Final = 15
"""How long a book may still show a stop as it stood before our last change."""
REFUSALS_BEFORE_LEAVING: Final = 3
"""After so many refusals of its stop a rung leaves at the market."""


def stop_text(side: Side, quantity: i64, trigger: float) -> str:
    """Return what a stop does, at which trigger, in rupees."""
    return side.name + " " + str(quantity) + " at " + f"{trigger:.2f}"


def waits(order: Order) -> str:
    """Return what a stop order waits for."""
    return stop_text(order.side, order.quantity, order.trigger)


def outdated(now: i64, moved: i64, seen: i64) -> bool:
    """Tell whether a book may show a stop as it was `seen` before we have `moved` it (ns)."""
    return seen <= moved and now - moved < LATE_SECONDS * SECOND


def passing(reason: str) -> bool:
    """Tell whether a refusal is about the moment (a busy broker, a dead session), not about the request."""
    return reason.startswith(("busy", "TokenException", "NetworkException"))


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
        self.notes = DayNotes()
        self.applied: set[str] = set()
        self.orphans: dict[str, list[Trade]] = {}
        self.externals: dict[str, OrderUpdate] = {}

    def _order_answer(self, order: Order, event: Answer) -> None:
        if event.verb is Verb.CANCEL:
            # what became of the order, its book says
            if event.outcome is not Outcome.ACCEPTED:
                order.cancelling = False
                order.retry_at = self.out.now + event.wait
            self.out.changed(order)
            return  # what is still to be done, the next timer asks for
        if event.verb is Verb.MODIFY:
            self._modified(order, event)
            return
        if event.outcome is Outcome.SENT:
            if move(order, OrderStatus.SENT):
                self.out.changed(order)
            return
        if event.outcome is Outcome.ACCEPTED and not self.anothers(order, event.broker_id):
            accept(order, event.broker_id)
            self._accepted(order, event)
        elif event.outcome is Outcome.REFUSED:
            move(order, OrderStatus.REJECTED, event.reason)
            self._order_refused(order, event.reason, event.wait)
        elif event.outcome is Outcome.LOST:
            self._lost(order, event.reason)
        else:
            self._unknown(order, event.reason)
        self.out.changed(order)
        self._follow_up(order)

    def anothers(self, order: Order, order_id: str) -> bool:
        """Tell whether an id in an answer is known as that of another order."""
        known = self.out.by_order_id.get(order_id)
        seen = self.externals.get(order_id)
        stranger = seen is not None and seen.tag != order.tag
        return stranger or (known is not None and known is not order and known.parent != order.intent)

    def _unknown(self, order: Order, reason: str) -> None:
        """Know nothing of an order any more, unless the book has listed it: the id an answer gave was not its own."""
        if order.order_id and not order.proven and order.live:
            self.out.disown(order)
            order.status = OrderStatus.UNKNOWN
            order.reason = reason
        move(order, OrderStatus.UNKNOWN, reason)

    def _lost(self, order: Order, reason: str) -> None:
        """Give an order up; an exit may still arrive for a while, an entry is cancelled if it does."""
        if not move(order, OrderStatus.LOST, reason):
            return
        self.out.alert("warn", "order_lost", order.tag + " never reached the broker", order.token)
        rung = self.rungs.get(int(order.rung))
        if order.purpose is Purpose.ENTRY:
            order.unwanted = True
        elif rung is not None and order.purpose is Purpose.EXIT and not self.flattening:
            rung.doubt = order.created + self.out.exits.doubt * SECOND

    def _accepted(self, order: Order, event: Answer) -> None:
        order.parts = max(order.parts, event.parts)
        if event.reason:
            self.out.alert("alarm", "slices", order.strategy + ": " + event.reason, order.token)

    def _modified(self, order: Order, event: Answer) -> None:
        """Take over a modification, or forget it; the newest wish goes out next. An exit that cannot be moved is cancelled."""
        if event.outcome is Outcome.ACCEPTED:
            change(order)
            self._confirm_guard(order)
        else:
            order.pending = None
            order.retry_at = self.out.now + event.wait
            if event.reason.startswith("busy"):
                order.modifies -= 1
            elif event.outcome is Outcome.REFUSED:
                self.refused_by("warn", "modify_refused", order.strategy + ": " + event.reason, order.token)
                if order.purpose is Purpose.EXIT:
                    order.retry_at = 0
                    self.out.cancel(order)
                elif order.purpose is Purpose.PROTECT:
                    self._unchanged_guard(order, event.reason)
        if order.wanted is not None and order.live and not order.cancelling:
            self.out.modify(order, order.wanted)
        self.out.changed(order)

    def _unchanged_guard(self, order: Order, reason: str) -> None:
        """Take note that a stop order stays as it was: one too small for its rung is as good as refused."""
        rung = self.rungs.get(int(order.rung))
        if rung is None or rung.guard is not order or order.quantity - order.traded >= rung.present:
            return
        if not passing(reason) and not self.unsure(order.token):
            self._count_refusal(rung, order)

    def _confirm_guard(self, order: Order) -> None:
        rung = self.rungs.get(int(order.rung))
        if rung is not None and confirm(rung, order):
            self.changed_rungs[rung.rung_id] = rung

    def _resting(self, order: Order) -> Rung | None:
        """Return the rung whose stop waits as this order, where nothing of ours is under way with it."""
        if order.purpose is not Purpose.PROTECT or order.status is not OrderStatus.TRIGGER_PENDING or order.parent:
            return None
        if order.pending is not None or order.cancelling or not order.proven:
            return None
        rung = self.rungs.get(int(order.rung))
        return rung if rung is not None and rung.guard is order else None

    def _edited_guard(self, rung: Rung, order: Order, trigger: float, stood: str) -> None:
        """Take note that somebody else has changed a stop order, and tell it: the stop nearer to the price stands."""
        sign = float(self.owners[int(rung.ladder_id)].sign)
        ours = rung.stop if rung.stop > 0.0 else trigger
        stands = self.out.yields and sign * (order.trigger - ours) >= 0.0
        rung.refit = True
        if stands:
            self._confirm_guard(order)
        what = "this stands, for the shares held" if stands else "ours is put back"
        text = (
            "stop order " + order.order_id + " was changed by somebody else: " + waits(order) + " instead of " + stood
        )
        self.out.alert("warn", "stop_edited", text + "; " + what, order.token)

    def _guard_gone(self, rung: Rung, order: Order, stood: str) -> None:
        """Tell that somebody else has taken a stop order away while the exchange takes another."""
        hours = self.owners[int(rung.ladder_id)].instrument.hours
        if hours.takes_exits(self.out.now):
            text = "stop order " + order.order_id + ", " + stood + ", is CANCELLED at the broker"
            self.out.alert("alarm", "stop_gone", text, order.token)

    def _follow_up(self, order: Order) -> None:
        """Give an order that lives its place: the rung's stop or exit, a stray to cancel, or the reason to open the rung again."""
        if order.proven or not order.tag:
            self._link_orphans(order)
        if order.unwanted:
            self._stray(order)
        elif order.wanted is not None and order.pending is None and order.order_id:
            self.out.modify(order, order.wanted)
        rung = self.rungs.get(int(order.rung))
        if rung is not None and order.live:
            if not order.parent:
                self._give_place(rung, order)
            if rung.state is RungState.CLOSED:
                rung.state = RungState.ENTERING
                self._reopen(rung)
        self._tend_rung(order.rung)

    def _give_place(self, rung: Rung, order: Order) -> None:
        """Make an order the exit or the stop of its rung, unless another one already is."""
        if order.purpose is Purpose.EXIT and rung.exit is not order:
            if rung.exit is None:
                rung.exit = order
            else:
                self._stray(order)
        elif order.purpose is Purpose.PROTECT and rung.exit is not order and rung.guard is not order:
            if rung.exit is None and rung.guard is None:
                rung.guard = order
                if order.trigger > 0.0:
                    # that of a cover order stood before its entry had an average
                    rung.stop = order.trigger
            else:
                self._stray(order)

    def _stray(self, order: Order) -> None:
        """Cancel an order of ours that nobody wants, until it is gone."""
        if order.live:
            self.strays[order.intent] = order
            self.out.cancel(order)

    def _order_refused(self, order: Order, reason: str, wait: i64) -> None:
        """Tell it; an exit or a stop that is refused again and again is tried ever less often, and a stop at last given up."""
        level = "warn"
        if reason.startswith(DRY_RUN) and order.purpose is Purpose.ENTRY:
            self.unsent.append(order)
            level = "info"
        rung = self.rungs.get(int(order.rung))
        if rung is not None and order.purpose is not Purpose.ENTRY:
            tries: i64 = 1
            if not passing(reason) and not self.unsure(order.token):
                tries = self._count_refusal(rung, order)
            again = self.out.now + max(min(tries * tries * SECOND, MINUTE), wait)
            if order.purpose is Purpose.PROTECT:
                rung.protect_at = again
            else:
                rung.retry_at = again
            level = "alarm"
        self.refused_by(level, "order_refused", order.strategy + ": " + reason, order.token)

    def refused_by(self, level: str, name: str, text: str, token: i64) -> None:
        """Tell that the broker refuses something; while nobody knows that the exchange trades that is expected."""
        if self.unsure(token):
            self.out.alert("info", name, text + " (expected: its hours are not confirmed)", token)
        else:
            self.out.alert(level, name, text, token)

    def unsure(self, token: i64) -> bool:
        """Tell whether nobody knows that an instrument trades now."""
        market = self.markets.get(token)
        return market is not None and market.instrument.hours.unsure(self.out.now)

    def _count_refusal(self, rung: Rung, order: Order) -> i64:
        """Count it, and return how often it was; 0 where the next request is to go at once."""
        if order.purpose is Purpose.PROTECT:
            rung.refusals += 1
            if rung.refusals >= REFUSALS_BEFORE_LEAVING and not rung.leaving:
                leave(rung, "unprotectable")
                return 0
            return rung.refusals
        rung.rejections += 1
        return rung.rejections

    def _order_update(self, event: OrderUpdate) -> None:
        order = self._ours(event)
        if order is None:
            order = self._recalled(event)
        if order is None:
            self.externals[event.order_id] = event
            return
        before = order.status
        rung = self._resting(order)
        stood = waits(order) if rung is not None else ""
        trigger = order.trigger
        if rung is not None and event.ts <= order.stamp and outdated(self.out.now, rung.moved, order.seen):
            event.trigger = event.price = 0.0  # the book shows it as it stood before our last change
            event.quantity = 0
        else:
            order.stamp = event.ts
            order.seen = self.out.now
        if apply(order, event):
            self.out.changed(order)
            if order.status is OrderStatus.REJECTED and before is not OrderStatus.REJECTED:
                self._order_refused(order, order.reason, 0)
            self._name_exit(order, event.price)
            if rung is None or waits(order) == stood or not order.live:
                self._confirm_guard(order)
            else:
                self._edited_guard(rung, order, trigger, stood)
            if rung is not None and order.status is OrderStatus.CANCELLED:
                self._guard_gone(rung, order, stood)
            if order.order_id in self.externals:
                del self.externals[order.order_id]
            self._follow_up(order)

    def _ours(self, event: OrderUpdate) -> Order | None:
        """Return the order of ours that an update is about, None for somebody else's."""
        order = self.out.by_order_id.get(event.order_id)
        if order is not None and order.tag and event.tag != order.tag:
            self._unknown(order, "its answer named the order of somebody else")
            order = None
        if order is None and event.tag:
            order = self.out.by_tag.get(event.tag)
            alike = order is None or (event.token == order.token and event.side is order.side)
            if order is not None and not alike and not event.parent:
                text = event.order_id + " carries the tag " + order.tag + ", but is not what was asked for"
                self.out.alert("alarm", "doubled", text, order.token)
                return None
        if order is None and event.parent:
            order = self.out.by_order_id.get(event.parent)
        if order is None or not order.order_id or order.order_id == event.order_id:
            return order
        if not order.proven and order.tag and event.tag == order.tag:
            self.out.disown(order)  # the tag outranks the id of an answer
            return order
        return self._another(order, event)

    def _another(self, first: Order, event: OrderUpdate) -> Order:
        """Return the further order that the broker has made of one of ours."""
        terms = first.terms
        if terms.variety is Variety.COVER and event.parent == first.order_id:
            stop = self._made(first, event, Purpose.PROTECT)
            stop.order_type = OrderType.SLM
            return stop
        if terms.several and event.side is first.side:
            part = self._made(first, event, first.purpose)
            join(first, part)
            if asked(first) > first.whole:
                self._doubled(first, part)
            return part
        if terms.variety is Variety.AMO and not first.traded:
            first.order_id = event.order_id  # it was sent to the exchange under another number
            self.out.changed(first)
            return first
        twin = self._made(first, event, first.purpose)
        join(first, twin)
        self._doubled(first, twin)
        return twin

    def _doubled(self, first: Order, twin: Order) -> None:
        """Take note of an order that nobody wants: it is made of a request that came twice. What it trades is ours."""
        twin.unwanted = True
        text = first.tag + " stands twice: " + twin.order_id
        if first.purpose is Purpose.ENTRY:
            text += " is ours, too; what it trades is protected with the rest, and leaves with it"
        self.out.alert("alarm", "doubled", text, first.token)

    def _recalled(self, event: OrderUpdate) -> Order | None:
        """Take an order that carries our tag, but left unrecorded on a full disk, for the exit or the stop of its rung, or for what brings back."""
        number = self.out.pass_by(event.tag)
        waits = event.status is OrderStatus.TRIGGER_PENDING
        if number == 0 or not (waits or event.filled or event.status is OrderStatus.OPEN):
            return None
        for rung in self.rungs.values():
            ladder = self.owners[int(rung.ladder_id)]
            left = rung.exit is not None and not settled(rung.exit)
            served = left or (waits and rung.guard is not None)
            if (
                served
                or rung.quantity != (event.quantity if ladder.out is event.side else -event.quantity)
                or not rung.live
                or ladder.instrument.token != event.token
            ):
                continue
            order = Order(
                number, event.tag, ladder.strategy, event.token, event.side, event.quantity,
                OrderType.SLM if waits else OrderType.LIMIT, ladder.plan.product,
                Purpose.PROTECT if waits else Purpose.EXIT, event.price, event.trigger, rung=rung.rung_id,
                created=self.out.now,
            )  # fmt: skip
            order.order_id = event.order_id
            self.out.register(order)
            if waits:
                rung.guard = order
            else:
                rung.exit = order
            self.changed_rungs[rung.rung_id] = rung
            self.out.alert("warn", "recalled", event.tag + " had left unrecorded and is followed again", event.token)
            return order
        return None

    def _made(self, first: Order, event: OrderUpdate, purpose: Purpose) -> Order:
        order = Order(
            self.out.number(), "", first.strategy, first.token, event.side, event.quantity, first.order_type,
            first.product, purpose, event.price, event.trigger, first.validity, first.protection, first.rung,
            self.out.now, first.terms,
        )  # fmt: skip
        order.order_id = event.order_id
        self.out.register(order)
        return order

    def prune(self) -> None:
        """Forget what is over: for a replay, whose exchange tells every trade once and takes nothing back."""
        self.out.prune()
        self.applied.clear()
        self.owners.clear()
        self.rungs.clear()
        for ladder in self.ladders.values():
            self.owners[ladder.ladder_id] = ladder
            for rung in ladder.rungs:
                self.rungs[rung.rung_id] = rung

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
        if self.orphans and order.order_id in self.orphans:
            for trade in self.orphans.pop(order.order_id):
                self._trade(trade)

    def _trade(self, event: Trade) -> None:
        key = event.order_id + " " + event.trade_id
        if key in self.applied:
            return
        if not 0 < event.quantity <= HELD or not 0.0 < event.price <= PRICE:
            self._unbookable(event, key)
            return
        order = self.out.by_order_id.get(event.order_id)
        if order is None or (order.tag and not order.proven):
            waiting = self.orphans.setdefault(event.order_id, [])
            if not any(trade.trade_id == event.trade_id for trade in waiting):
                waiting.append(event)
            return
        self.applied.add(key)
        self._book(order, event.trade_id, event.ts, event.quantity, event.price)
        if self.externals:
            self._recall()
        self._tend_rung(order.rung)

    def _unbookable(self, event: Trade, key: str) -> None:
        """Tell once of a trade that cannot have been: nothing is booked of it."""
        self.applied.add(key)
        text = f"trade {event.trade_id}: {event.quantity} shares at {event.price:g} cannot be: not booked"
        self.out.alert("alarm", "unbookable", text, event.token)

    def _recall(self) -> None:
        """Look again at the orders with our tag that nobody knew: their rung may hold by now what they sell."""
        for update in list(self.externals.values()):
            if update.tag.startswith(self.out.tag_prefix):
                self._order_update(update)

    def _book(self, order: Order, trade_id: str, ts: i64, quantity: i64, price: float) -> None:
        """Book a trade: ledger, what it adds to the day's contract notes, the rung's sums, the digest."""
        value = paise(price, quantity)
        order.traded += quantity
        order.value += value
        order.filled = max(order.filled, order.traded)
        last = self.markets[order.token].last
        realised = self.ledger.fill(order.strategy, order.token, order.side, quantity, price, last)
        charges = self.notes.fill(
            order.token, self.rates[charged(order.token, order.product)], self.intraday(order.token, order.product),
            trade_id, ts, order.intent, order.side, quantity, value,
        )  # fmt: skip
        order.charged += charges
        self.ledger.charge(order.strategy, order.token, charges)
        self.out.changed(order)
        self.out.filled(Fill(ts, trade_id, order, quantity, price, charges, realised))
        self._book_rung(order, ts, quantity, value, charges)

    def _move(self, order: Order, quantity: i64, price: float) -> None:
        """Book the shares of a fill, and their cash unless a correction says that it moved elsewhere, or on an earlier day."""
        rung = self.rungs.get(int(order.rung))
        carried = rung is not None and 0 < rung.opened < day_start(order.created)
        if corrects(order) and (carried or order.product is not Product.MIS):
            self.ledger.carry(order.strategy, order.token, quantity if order.side is Side.BUY else -quantity, price)
        else:
            self.ledger.fill(order.strategy, order.token, order.side, quantity, price)

    def intraday(self, token: i64, product: Product) -> Rates | None:
        """Return what is charged where delivery is closed on its day, None where that changes nothing."""
        if product is not Product.CNC:
            return None
        found = self.rates.get(charged(token, Product.MIS))
        return None if found is None or found.segment == self.rates[charged(token, product)].segment else found

    def rebook(
        self, order: Order, trade_id: str, ts: i64, quantity: i64, price: float, charges: i64, today: bool
    ) -> None:
        """Book a fill that the journal holds already: the same sums, no rows, no digest; cash only for one of today."""
        value = paise(price, quantity)
        order.traded += quantity
        order.value += value
        order.charged += charges
        order.filled = max(order.filled, order.traded)
        if today:
            self._move(order, quantity, price)
            self.ledger.charge(order.strategy, order.token, charges)
            self._renote(order, trade_id, ts, quantity, value, charges)
        rung = self.rungs.get(int(order.rung))
        if rung is not None:
            self._add_to(rung, order, ts, quantity, value, charges)

    def _renote(self, order: Order, trade_id: str, ts: i64, quantity: i64, value: i64, charges: i64) -> None:
        """Enter a trade of today in its note again; a correction is on none."""
        rates = self.rates.get(charged(order.token, order.product))
        if rates is not None and not corrects(order):
            self.notes.enter(
                order.token, rates, self.intraday(order.token, order.product), trade_id, ts, order.intent, order.side,
                quantity, value, charges,
            )  # fmt: skip

    def _book_rung(self, order: Order, ts: i64, quantity: i64, value: i64, charges: i64) -> None:
        """Book a fill on its rung, which it may open again."""
        rung = self.rungs.get(int(order.rung))
        if rung is None:
            return
        before = rung.quantity
        self._add_to(rung, order, ts, quantity, value, charges)
        if rung.state is RungState.CLOSED or (rung.state is RungState.WAITING and rung.bought):
            rung.state = RungState.OPEN
            self._reopen(rung)
        self.changed_rungs[rung.rung_id] = rung
        if rung.quantity < 0 <= before:
            text = "more left than rung " + str(rung.rung_id) + " held; what is too much comes back at the market"
            self.out.alert("alarm", "oversold", text, order.token)

    def _add_to(self, rung: Rung, order: Order, ts: i64, quantity: i64, value: i64, charges: i64) -> None:
        """Add a fill to the sums of its rung."""
        rung.charges += charges
        if order.side is self.owners[int(rung.ladder_id)].side:
            if not rung.bought:
                rung.opened = ts
            rung.bought += quantity
            rung.bought_value += value
        else:
            rung.sold += quantity
            rung.sold_value += value
            rung.rejections = 0
            rung.absent = min(rung.absent, max(rung.quantity, 0))
