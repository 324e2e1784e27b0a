"""The broker's reports of orders: answers, the order book and trades, in any order.

Each is taken once.
"""

from typing import Final, final

from mypy_extensions import i64

from compiled.accounting.charges import intraday_rates, rates_key
from compiled.model.events import (
    BrokerAnswer,
    BrokerTrade,
    OrderUpdate,
    RequestOutcome,
    RequestVerb,
    is_refusal,
    is_transient,
)
from compiled.model.number_bounds import HELD, PRICE
from compiled.model.order_terms import Variety
from compiled.model.values import (
    MINUTE,
    SECOND,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    day_start,
    paise,
)
from compiled.trading.desk_state import DRY_RUN, DeskState
from compiled.trading.ladder import Rung, RungState
from compiled.trading.ladder_book import LadderBook
from compiled.trading.order_states import (
    accept_order,
    apply_update,
    is_correction,
    is_settled,
    join_chain,
    known_quantity,
    move_status,
    take_over_change,
)
from compiled.trading.order_store import BookedFill, OrderStore
from compiled.trading.protection import triggered_by
from compiled.trading.stop_orders import confirm_stop_order

LATE_SECONDS: Final = 15
"""How long a book may still show a stop as it stood before our last change."""


def stop_text(side: Side, quantity: i64, trigger: float) -> str:
    """Return the text of a stop at a trigger, in rupees."""
    return side.name + " " + str(quantity) + " at " + f"{trigger:.2f}"


def stop_order_text(order: Order) -> str:
    """Return the text of a stop order."""
    return stop_text(order.side, order.quantity, order.trigger)


def is_outdated(now: i64, moved: i64, seen: i64) -> bool:
    """Return whether a book may show a stop as it was `seen` before we `moved` it (ns)."""
    return seen <= moved and now - moved < LATE_SECONDS * SECOND


@final
class OrderReports:
    """Applies the broker's word to orders and rungs.

    A trade whose order is not known yet waits among the orphans; an order that is not ours stands
    among the externals.
    """

    def __init__(self, state: DeskState, out: OrderStore, ladder_book: LadderBook) -> None:
        self.state = state
        self.order_store = out
        self.ladder_book = ladder_book
        self.applied: set[str] = set()
        self.orphans: dict[str, list[BrokerTrade]] = {}
        self.externals: dict[str, OrderUpdate] = {}

    def apply_answer(self, order: Order, event: BrokerAnswer) -> None:
        """Take the answer to a request about an order."""
        if event.verb is RequestVerb.CANCEL:
            # what became of the order, its book says
            if event.outcome is not RequestOutcome.ACCEPTED:
                order.cancelling = False
                order.retry_at = self.order_store.now + event.wait
            self.order_store.mark_changed(order)
            return  # what is still to be done, the next timer asks for
        if event.verb is RequestVerb.MODIFY:
            self._apply_modify_answer(order, event)
            return
        if event.outcome is RequestOutcome.SENT:
            if move_status(order, OrderStatus.SENT):
                self.order_store.mark_changed(order)
            return
        # An answer names an id; whether it is ours is for the book to prove (ADR 5). One that is
        # known to be another's is no acceptance.
        if event.outcome is RequestOutcome.ACCEPTED and not self.belongs_to_another(
            order, event.broker_id
        ):
            accept_order(order, event.broker_id)
            self._note_acceptance(order, event)
        elif is_refusal(event.outcome):
            move_status(order, OrderStatus.REJECTED, event.reason)
            self._handle_order_refusal(order, event.reason, event.outcome, event.wait)
        elif event.outcome is RequestOutcome.LOST:
            self._give_up_order(order, event.reason)
        else:
            self._mark_unknown(order, event.reason)
        self.order_store.mark_changed(order)
        self._follow_up_order(order)

    def belongs_to_another(self, order: Order, order_id: str) -> bool:
        """Return whether an id in an answer is that of another order."""
        known = self.order_store.by_order_id.get(order_id)
        seen = self.externals.get(order_id)
        # Our tag under that id in the book settles it; another tag there settles it the other way.
        stranger = seen is not None and seen.tag != order.tag
        return stranger or (
            known is not None and known is not order and known.parent != order.intent
        )

    def _mark_unknown(self, order: Order, reason: str) -> None:
        """Forget an order's state, unless the book has listed it.

        The id an answer gave was not its own.
        """
        # A proven id stays: the book has shown it under our tag, whatever a late answer says.
        if order.order_id and not order.proven and order.live:
            self.order_store.disown_order(order)
            order.status = OrderStatus.UNKNOWN
            order.reason = reason
        move_status(order, OrderStatus.UNKNOWN, reason)

    def _give_up_order(self, order: Order, reason: str) -> None:
        """Give an order up; if it still arrives, an exit is taken and an entry is cancelled."""
        if not move_status(order, OrderStatus.LOST, reason):
            return
        self.order_store.alert(
            "warn", "order_lost", order.tag + " never reached the broker", order.token
        )
        rung = self.state.rungs.get(int(order.rung))
        # The part that did not leave is under its stop again by then.
        if order.purpose is OrderPurpose.ENTRY or order.reduces:
            order.unwanted = True
        elif rung is not None and order.purpose is OrderPurpose.EXIT and not self.state.flattening:
            # A lost exit gets its stop back and waits, except under a flatten, which must not wait
            # for a maybe.
            self.ladder_book.doubt_exit(rung, order.created + self.order_store.exits.doubt * SECOND)

    def _note_acceptance(self, order: Order, event: BrokerAnswer) -> None:
        order.parts = max(order.parts, event.parts)
        if event.reason:
            self.order_store.alert(
                "alarm", "slices", order.strategy + ": " + event.reason, order.token
            )

    def _apply_modify_answer(self, order: Order, event: BrokerAnswer) -> None:
        """Take over a modification, or drop it; the newest change wanted goes out next.

        An exit that cannot be moved is cancelled.
        """
        if event.outcome is RequestOutcome.ACCEPTED:
            take_over_change(order)
            self._confirm_stop_order(order)
        else:
            order.pending = None
            order.retry_at = self.order_store.now + event.wait
            # The exchange has not counted it: a busy broker must not use up the modifications of an
            # order.
            if event.outcome is RequestOutcome.BUSY:
                order.modifies -= 1
            elif is_refusal(event.outcome):
                self.alert_refusal(
                    "warn", "modify_refused", order.strategy + ": " + event.reason, order.token
                )
                if order.purpose is OrderPurpose.EXIT:
                    order.retry_at = 0
                    self.order_store.cancel_order(order)
                elif order.purpose is OrderPurpose.PROTECT:
                    self._note_unchanged_stop_order(order, event.outcome)
        if order.wanted is not None and order.live and not order.cancelling:
            self.order_store.modify_order(order, order.wanted)
        self.order_store.mark_changed(order)
        rung = self.state.rungs.get(int(order.rung))
        # A part that is to leave has waited for its stop to be smaller.
        if rung is not None and rung.part > 0:
            self.ladder_book.tend_ladder(self.state.owners[int(rung.ladder_id)])

    def _note_unchanged_stop_order(self, order: Order, outcome: RequestOutcome) -> None:
        """Take note that a stop order stays as it was.

        One too small for its rung is as good as refused.
        """
        rung = self.state.rungs.get(int(order.rung))
        if rung is None or rung.stop_order is not order:
            return
        if (rung.hand_stop > 0.0 or rung.part > 0) and not is_transient(outcome):
            self.ladder_book.keep_stop(rung, rung.stop, rung.target)
        if order.quantity - order.traded >= rung.present:
            return
        # A passing refusal says nothing about the stop itself.
        if not is_transient(outcome) and not self.has_unconfirmed_hours(order.token):
            self.ladder_book.count_refusal(rung, order)

    def _confirm_stop_order(self, order: Order) -> None:
        rung = self.state.rungs.get(int(order.rung))
        if rung is not None and confirm_stop_order(rung, order):
            self.state.changed_rungs[rung.rung_id] = rung

    def _find_resting_stop_rung(self, order: Order) -> Rung | None:
        """Return the rung whose stop is this waiting order, without a request of ours under way."""
        if (
            order.purpose is not OrderPurpose.PROTECT
            or order.status is not OrderStatus.TRIGGER_PENDING
            or order.parent
        ):
            return None
        if order.pending is not None or order.cancelling or not order.proven:
            return None
        rung = self.state.rungs.get(int(order.rung))
        return rung if rung is not None and rung.stop_order is order else None

    def _note_edited_stop_order(self, rung: Rung, order: Order, trigger: float, stood: str) -> None:
        """Take note of a foreign change of a stop order, and alert.

        The stop nearer to the price stands.
        """
        sign = float(self.state.owners[int(rung.ladder_id)].sign)
        ours = rung.stop if rung.stop > 0.0 else trigger
        # Whoever moves a stop nearer protects more, and stands; one moved away is put back, as
        # nobody has told the desk to risk more.
        stands = self.order_store.yields_to_others and sign * (order.trigger - ours) >= 0.0
        self.ladder_book.refit_stop(rung)
        if stands:
            self._confirm_stop_order(order)
        what = "this stands, for the shares held" if stands else "ours is put back"
        text = (
            "stop order "
            + order.order_id
            + " was changed by somebody else: "
            + stop_order_text(order)
            + " instead of "
            + stood
        )
        self.order_store.alert("warn", "stop_edited", text + "; " + what, order.token)

    def _report_stop_order_gone(self, rung: Rung, order: Order, stood: str) -> None:
        """Alert that a stop order was taken away while the exchange takes another."""
        hours = self.state.owners[int(rung.ladder_id)].instrument.hours
        if hours.takes_exits(self.order_store.now):
            text = "stop order " + order.order_id + ", " + stood + ", is CANCELLED at the broker"
            self.order_store.alert("alarm", "stop_gone", text, order.token)

    def _follow_up_order(self, order: Order) -> None:
        """Give an order that lives its place.

        It is the rung's stop or exit, a stray to cancel, or the reason to open the rung again.
        """
        if order.proven or not order.tag:
            self.book_orphan_trades(order)
        if order.unwanted:
            self.ladder_book.cancel_stray(order)
        elif order.wanted is not None and order.pending is None and order.order_id:
            self.order_store.modify_order(order, order.wanted)
        rung = self.state.rungs.get(int(order.rung))
        if rung is not None and order.live:
            if not order.parent:
                self.ladder_book.assign_order(rung, order)
            if rung.state is RungState.CLOSED:
                self.ladder_book.reopen_rung(rung, RungState.ENTERING)
        self.ladder_book.tend_rung_of(order.rung)

    def _handle_order_refusal(
        self, order: Order, reason: str, outcome: RequestOutcome, wait: i64
    ) -> None:
        """Report a refusal; repetitions come ever less often, and a stop is given up at last."""
        level = "warn"
        if reason.startswith(DRY_RUN) and order.purpose is OrderPurpose.ENTRY:
            self.state.dry_run_entries.append(order)
            level = "info"
        rung = self.state.rungs.get(int(order.rung))
        # The exit of a part is not repeated: what it has not sold stays, and the operator is told.
        if rung is not None and order.purpose is not OrderPurpose.ENTRY and not order.reduces:
            tries: i64 = 1
            if not is_transient(outcome) and not self.has_unconfirmed_hours(order.token):
                tries = self.ladder_book.count_refusal(rung, order)
            # Growing by the square of the tries: the first repetition comes within a second, later
            # ones leave the broker alone, and never more than a minute apart.
            again = self.order_store.now + max(min(tries * tries * SECOND, MINUTE), wait)
            self.ladder_book.delay_request(rung, order.purpose, again)
            level = "alarm"
        self.alert_refusal(level, "order_refused", order.strategy + ": " + reason, order.token)

    def alert_refusal(self, level: str, name: str, text: str, token: i64) -> None:
        """Report a refusal by the broker.

        While it is not known that the exchange trades that is expected.
        """
        if self.has_unconfirmed_hours(token):
            self.order_store.alert(
                "info", name, text + " (expected: its hours are not confirmed)", token
            )
        else:
            self.order_store.alert(level, name, text, token)

    def has_unconfirmed_hours(self, token: i64) -> bool:
        """Return whether it is not known that an instrument trades now."""
        market = self.state.markets.get(token)
        return market is not None and market.instrument.hours.is_unconfirmed(self.order_store.now)

    def apply_update(self, event: OrderUpdate) -> None:
        """Take in the book's row of an order."""
        order = self._find_own_order(event)
        if order is None:
            order = self._recall_unrecorded_order(event)
        if order is None:
            self.externals[event.order_id] = event
            return
        before = order.status
        rung = self._find_resting_stop_rung(order)
        stood = stop_order_text(order) if rung is not None else ""
        trigger = order.trigger
        # A book read before our last change shows the stop as it was: taking that for somebody's
        # edit would undo the change (ADR 1).
        if (
            rung is not None
            and event.ts <= order.stamp
            and is_outdated(self.order_store.now, rung.moved, order.seen)
        ):
            event.trigger = event.price = (
                0.0  # the book shows it as it stood before our last change
            )
            event.quantity = 0
        else:
            order.stamp = event.ts
            order.seen = self.order_store.now
        if apply_update(order, event):
            self.order_store.mark_changed(order)
            if order.status is OrderStatus.REJECTED and before is not OrderStatus.REJECTED:
                self._handle_order_refusal(order, order.reason, RequestOutcome.REFUSED, 0)
            self._name_exit_reason(order, event.price)
            ours = rung is not None and order.trigger == rung.hand_stop
            if rung is None or ours or stop_order_text(order) == stood or not order.live:
                self._confirm_stop_order(order)
            else:
                self._note_edited_stop_order(rung, order, trigger, stood)
            if rung is not None and order.status is OrderStatus.CANCELLED:
                self._report_stop_order_gone(rung, order, stood)
            if order.order_id in self.externals:
                del self.externals[order.order_id]
            self._follow_up_order(order)

    def _find_own_order(self, event: OrderUpdate) -> Order | None:
        """Return the order of ours behind an update, None for somebody else's."""
        order = self.order_store.by_order_id.get(event.order_id)
        # Ours by an id that carries another tag: the answer was wrong, and the order in the book is
        # not ours.
        if order is not None and order.tag and event.tag != order.tag:
            self._mark_unknown(order, "its answer named the order of somebody else")
            order = None
        if order is None and event.tag:
            order = self.order_store.by_tag.get(event.tag)
            alike = order is None or (event.token == order.token and event.side is order.side)
            if order is not None and not alike and not event.parent:
                text = (
                    event.order_id
                    + " carries the tag "
                    + order.tag
                    + ", but is not what was asked for"
                )
                self.order_store.alert("alarm", "doubled", text, order.token)
                return None
        # The second leg of a cover order carries no tag; its parent does.
        if order is None and event.parent:
            order = self.order_store.by_order_id.get(event.parent)
        if order is None or not order.order_id or order.order_id == event.order_id:
            return order
        if not order.proven and order.tag and event.tag == order.tag:
            self.order_store.disown_order(order)  # the tag outranks the id of an answer
            return order
        return self._add_further_order(order, event)

    def _add_further_order(self, first: Order, event: OrderUpdate) -> Order:
        """Return the further order that the broker has made of one of ours."""
        terms = first.terms
        if terms.variety is Variety.COVER and event.parent == first.order_id:
            stop = self._register_broker_order(first, event, OrderPurpose.PROTECT)
            stop.order_type = OrderType.SLM
            return stop
        if terms.makes_several_orders and event.side is first.side:
            part = self._register_broker_order(first, event, first.purpose)
            join_chain(first, part)
            # Slices that add up to more than was asked for: the request came twice.
            if known_quantity(first) > first.whole:
                self._report_doubled_order(first, part)
            return part
        if terms.variety is Variety.AMO and not first.traded:
            first.order_id = event.order_id  # it was sent to the exchange under another number
            self.order_store.mark_changed(first)
            return first
        twin = self._register_broker_order(first, event, first.purpose)
        join_chain(first, twin)
        self._report_doubled_order(first, twin)
        return twin

    def _report_doubled_order(self, first: Order, twin: Order) -> None:
        """Take note of an unwanted order, made of a request that came twice.

        Its trades are ours.
        """
        twin.unwanted = True
        text = first.tag + " stands twice: " + twin.order_id
        if first.purpose is OrderPurpose.ENTRY:
            text += " is ours, too; what it trades is protected with the rest, and leaves with it"
        self.order_store.alert("alarm", "doubled", text, first.token)

    def _recall_unrecorded_order(self, event: OrderUpdate) -> Order | None:
        """Take an order with our tag, unrecorded on a full disk, as its rung's exit or stop.

        It may also be one that brings shares back.
        """
        number = self.order_store.claim_tag_number(event.tag)
        waits = event.status is OrderStatus.TRIGGER_PENDING
        # Only an order that still matters: it waits, works, or has sold something.
        if number == 0 or not (waits or event.filled or event.status is OrderStatus.OPEN):
            return None
        for rung in self.state.rungs.values():
            ladder = self.state.owners[int(rung.ladder_id)]
            left = rung.exit is not None and not is_settled(rung.exit)
            served = left or (waits and rung.stop_order is not None)
            if (
                served
                or rung.quantity
                != (event.quantity if ladder.exit_side is event.side else -event.quantity)
                or not rung.live
                or ladder.instrument.token != event.token
            ):
                continue
            order = Order(
                number,
                event.tag,
                strategy=ladder.strategy,
                token=event.token,
                side=event.side,
                quantity=event.quantity,
                order_type=OrderType.SLM if waits else OrderType.LIMIT,
                product=ladder.plan.product,
                purpose=OrderPurpose.PROTECT if waits else OrderPurpose.EXIT,
                price=event.price,
                trigger=event.trigger,
                rung=rung.rung_id,
                created=self.order_store.now,
            )
            order.order_id = event.order_id
            self.order_store.register(order)
            self.ladder_book.recall_order(rung, order)
            self.order_store.alert(
                "warn",
                "recalled",
                event.tag + " had left unrecorded and is followed again",
                event.token,
            )
            return order
        return None

    def _register_broker_order(
        self, first: Order, event: OrderUpdate, purpose: OrderPurpose
    ) -> Order:
        order = Order(
            self.order_store.take_number(),
            "",
            strategy=first.strategy,
            token=first.token,
            side=event.side,
            quantity=event.quantity,
            order_type=first.order_type,
            product=first.product,
            purpose=purpose,
            price=event.price,
            trigger=event.trigger,
            validity=first.validity,
            protection=first.protection,
            rung=first.rung,
            created=self.order_store.now,
            terms=first.terms,
        )
        order.order_id = event.order_id
        self.order_store.register(order)
        return order

    def _name_exit_reason(self, order: Order, price: float) -> None:
        """Distinguish stop and target by the price of the order a GTT has sent."""
        rung = self.state.rungs.get(int(order.rung))
        if rung is None or rung.exit is not order or order.tag or rung.leaving or price <= 0.0:
            return
        ladder = self.state.owners[int(rung.ladder_id)]
        gtt = rung.gtt
        if gtt is not None:
            self.ladder_book.name_exit(rung, triggered_by(ladder, gtt, price))

    def book_orphan_trades(self, order: Order) -> None:
        """Book the trades that came before their order was known."""
        if self.orphans and order.order_id in self.orphans:
            for trade in self.orphans.pop(order.order_id):
                self.apply_trade(trade)

    def apply_trade(self, event: BrokerTrade) -> None:
        """Book a trade, once, or let it wait for its order."""
        key = event.order_id + " " + event.trade_id
        if key in self.applied:
            return
        if not 0 < event.quantity <= HELD or not 0.0 < event.price <= PRICE:
            self._report_unbookable_trade(event, key)
            return
        order = self.order_store.by_order_id.get(event.order_id)
        # The trade book may be ahead of the order book; a trade waits until its order is known for
        # certain, or it would be booked to another's.
        if order is None or (order.tag and not order.proven):
            waiting = self.orphans.setdefault(event.order_id, [])
            if not any(trade.trade_id == event.trade_id for trade in waiting):
                waiting.append(event)
            return
        self.applied.add(key)
        self._book_trade(order, event.trade_id, event.ts, event.quantity, event.price)
        if self.externals:
            self._review_externals()
        self.ladder_book.tend_rung_of(order.rung)

    def _report_unbookable_trade(self, event: BrokerTrade, key: str) -> None:
        """Report an impossible trade once: nothing is booked of it."""
        # Marked as taken, or every look at the book would report it anew.
        self.applied.add(key)
        text = (
            f"trade {event.trade_id}: {event.quantity} shares at {event.price:g} cannot be: not "
            f"booked"
        )
        self.order_store.alert("alarm", "unbookable", text, event.token)

    def _review_externals(self) -> None:
        """Look again at unknown orders with our tag.

        Their rung may hold by now the shares they sell.
        """
        for update in list(self.externals.values()):
            if update.tag.startswith(self.order_store.tag_prefix):
                self.apply_update(update)

    def _book_trade(
        self, order: Order, trade_id: str, ts: i64, quantity: i64, price: float
    ) -> None:
        """Book a trade: ledger, its addition to the day's notes, the rung's sums, the digest."""
        value = paise(price, quantity)
        order.traded += quantity
        order.value += value
        # A trade may come before the row that counts it.
        order.filled = max(order.filled, order.traded)
        last = self.state.markets[order.token].last
        realised = self.state.ledger.fill(
            order.strategy, order.token, side=order.side, quantity=quantity, price=price, last=last
        )
        charges = self.state.notes.fill(
            order.token,
            self.state.rates[rates_key(order.token, order.product)],
            intraday=intraday_rates(self.state.rates, order.token, order.product),
            trade=trade_id,
            ts=ts,
            order=order.intent,
            side=order.side,
            quantity=quantity,
            value=value,
        )
        order.charged += charges
        self.state.ledger.charge(order.strategy, order.token, charges)
        self.order_store.mark_changed(order)
        self.order_store.keep_fill(
            BookedFill(
                ts,
                trade_id,
                order=order,
                quantity=quantity,
                price=price,
                charges=charges,
                realised=realised,
            )
        )
        self.ladder_book.book_fill(order, ts, quantity, value, charges)

    def book_shares(self, order: Order, quantity: i64, price: float) -> None:
        """Book the shares of a fill, and their cash.

        A correction may say that the cash moved elsewhere, or on an earlier day.
        """
        rung = self.state.rungs.get(int(order.rung))
        carried = rung is not None and 0 < rung.opened < day_start(order.created)
        if is_correction(order) and (carried or order.product is not Product.MIS):
            self.state.ledger.carry(
                order.strategy,
                order.token,
                quantity if order.side is Side.BUY else -quantity,
                price,
            )
        else:
            self.state.ledger.fill(order.strategy, order.token, order.side, quantity, price)

    def rebook(
        self,
        order: Order,
        trade_id: str,
        ts: i64,
        quantity: i64,
        price: float,
        charges: i64,
        today: bool,
    ) -> None:
        """Book a fill that the journal holds already: the same sums, no rows, no digest.

        Cash moves only for one of today.
        """
        value = paise(price, quantity)
        order.traded += quantity
        order.value += value
        order.charged += charges
        order.filled = max(order.filled, order.traded)
        if today:
            self.book_shares(order, quantity, price)
            self.state.ledger.charge(order.strategy, order.token, charges)
            self._restore_note_entry(
                order, trade_id, ts=ts, quantity=quantity, value=value, charges=charges
            )
        rung = self.state.rungs.get(int(order.rung))
        if rung is not None:
            self.ladder_book.add_fill(
                rung, order, ts=ts, quantity=quantity, value=value, charges=charges
            )

    def _restore_note_entry(
        self, order: Order, trade_id: str, ts: i64, quantity: i64, value: i64, charges: i64
    ) -> None:
        """Enter a trade of today in its note again; a correction is on none."""
        rates = self.state.rates.get(rates_key(order.token, order.product))
        if rates is not None and not is_correction(order):
            self.state.notes.enter(
                order.token,
                rates,
                intraday=intraday_rates(self.state.rates, order.token, order.product),
                trade=trade_id,
                ts=ts,
                order=order.intent,
                side=order.side,
                quantity=quantity,
                value=value,
                charges=charges,
            )
