"""The account's orders at the exchange: placed, modified, cancelled, triggered, filled."""

from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from typing import final

from brokers.sandbox.account.account_funds import AccountFunds, reserve_price
from brokers.sandbox.account.portfolio import AccountPortfolio
from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.faults import FILLS, ORDERS, RISK, Fault, FaultRules
from brokers.sandbox.http import (
    Form,
    SandboxApiError,
    decimal_field,
    invalid,
    not_found,
    refused,
    whole_field,
)
from brokers.sandbox.market import order_checks, session_phases
from brokers.sandbox.market.client_order import (
    AMO,
    ClientOrder,
    ClientTrade,
    OrderRequest,
    trade_row,
)
from brokers.sandbox.market.exchange_listing import CONTINUOUS, BookFill, ExchangeListing
from brokers.sandbox.scheduler import ActionScheduler
from compiled.book.order_book import DAY, IOC, BookRefusal
from compiled.model.exchange_rules import is_reached
from compiled.model.values import MINUTE, SECOND

SLOW_SECONDS = 1.0
NO_RETURN = "Order cannot be {} as it is being processed. Try later."
NO_MARGIN = (
    "RMS:Margin Exceeds, Required:{required:.2f}, Available:0.00 for entity account-{user} across "
    "exchange across segment across product"
)
"""As the risk check of Kite's order system words it."""
NO_TRADE = "There is no trade in this instrument yet. Please use a limit order."

Notify = Callable[[ClientOrder, str], None]
"""Called with an order and the status of an event that Kite posts."""
Follow = Callable[[ClientOrder, int, int], None]
"""Called after a fill with the order, the quantity filled, and now: what a variety does next."""


@final
class OrderDesk:
    """One account's orders; everything happens at the instant `now` that the caller hands in."""

    def __init__(
        self,
        user_id: str,
        date: str,
        portfolio: AccountPortfolio,
        funds: AccountFunds,
        notify: Notify,
        faults: FaultRules,
        agenda: ActionScheduler,
        choices: KiteAssumptions,
    ) -> None:
        self.orders: dict[str, ClientOrder] = {}
        self.trades: list[ClientTrade] = []
        self.stops: dict[int, list[ClientOrder]] = {}
        """Orders that wait for their trigger, by token."""
        self.on_fill: Follow | None = None
        self._live_by_id: dict[str, ClientOrder] = {}
        self._unlisted: set[str] = set()
        """Trades that a fault keeps out of the list."""
        self._user_id = user_id
        self._date = date.replace("-", "")[2:]
        self._portfolio = portfolio
        self._funds = funds
        self._notify = notify
        self._faults = faults
        self._scheduler = agenda
        self._choices = choices
        self._numbers = count(1)
        self._exchange_numbers = count(1)
        self._trade_numbers = count(1)

    def live_orders(self) -> list[ClientOrder]:
        """Return the orders that may still trade, oldest first."""
        return list(self._live_by_id.values())

    def find_order(self, order_id: str) -> ClientOrder:
        """Return an order of today."""
        order = self.orders.get(order_id)
        if order is None:
            raise not_found("order_id")
        return order

    # placing

    def place_order(self, ask: OrderRequest, now: int) -> ClientOrder:
        """Accept an order that has passed the checks.

        Raise `SandboxApiError` where funds, shares or the session forbid it.
        """
        session_phases.check_phase_admits(ask)
        if ask.order_type == "MARKET" and not ask.listing.open and ask.listing.phase == CONTINUOUS:
            raise refused(NO_TRADE)
        self.check_cover(ask, self.live_orders())
        order = self._new_order(ask, now)
        self._pass_risk_check(order, now)
        return order

    def place_by_system(self, ask: OrderRequest, now: int) -> ClientOrder:
        """Place an order without a waiting client: a refusal becomes its rejection."""
        try:
            return self.place_order(ask, now)
        except SandboxApiError as error:
            order = self._new_order(ask, now)
            self._reject_order(order, error.message)
            return order

    def queue_after_market(self, ask: OrderRequest, now: int) -> ClientOrder:
        """Take an after-market order; `release_after_market` sends it."""
        self.check_cover(ask, self.live_orders())
        order = self._new_order(ask, now)
        order.enter_status(AMO)
        self._live_by_id[order.order_id] = order
        return order

    def release_after_market(self, order: ClientOrder, now: int) -> None:
        """Send an after-market order, if it is still there."""
        if order.status == AMO:
            self._live_by_id.pop(order.order_id, None)
            self._pass_risk_check(order, now)

    def _new_order(self, ask: OrderRequest, now: int) -> ClientOrder:
        order = ClientOrder(f"{self._date}{next(self._numbers):09d}", self._user_id, ask, now)
        order.keeps_pending = self._choices.cancelled_pending
        self.orders[order.order_id] = order
        order.enter_status("PUT ORDER REQ RECEIVED")
        order.enter_status("VALIDATION PENDING")
        return order

    def _pass_risk_check(self, order: ClientOrder, now: int) -> None:
        fault = self._striking_fault(RISK, order, now)
        if fault is not None:
            ask = order.ask
            required = ask.quantity * (ask.price or ask.listing.ltp)
            message = fault.message or NO_MARGIN.format(required=required, user=self._user_id)
            due = now + int(fault.seconds_or(0.0) * SECOND)
            self._scheduler.add(due, lambda: self._reject_order(order, message))
            return
        self._send_to_exchange(order, now)

    def _send_to_exchange(self, order: ClientOrder, now: int) -> None:
        ask = order.ask
        if outside := order_checks.band_refusal(ask):
            self._reject_order(order, outside)
            return
        order.enter_status("OPEN PENDING")
        order.exchange_order_id = f"11{next(self._exchange_numbers):014d}"
        order.exchanged_at = now
        self._live_by_id[order.order_id] = order
        if ask.validity == "TTL":
            self._scheduler.add(
                now + ask.ttl * MINUTE, lambda: self._expire_order(order, now + ask.ttl * MINUTE)
            )
        if ask.order_type in {"SL", "SL-M"}:
            order.enter_status("TRIGGER PENDING")
            self.stops.setdefault(int(ask.listing.instrument.token), []).append(order)
        elif ask.auction:
            order.enter_status("OPEN")
        else:
            self._open_order(order, now)

    def _reject_order(self, order: ClientOrder, message: str) -> None:
        order.message = message
        order.enter_status("REJECTED")
        self._notify(order, "REJECTED")

    def check_cover(self, ask: OrderRequest, others: list[ClientOrder]) -> None:
        """Raise `SandboxApiError` where the account cannot pay for an order, or lacks shares."""
        if ask.product in {"CNC", "MTF"} and not ask.buys:
            missing = self._funds.opening_quantity(ask, others)
            if missing:
                raise SandboxApiError(
                    HTTPStatus.BAD_REQUEST,
                    "HoldingException",
                    f"Insufficient stock holding. Required quantity is {ask.quantity} "
                    f"but available quantity is {ask.quantity - missing}.",
                )
            if ask.product == "CNC":
                self._portfolio.check_authorised(ask.listing, ask.quantity)
        price = (
            order_checks.protected_price(ask) if ask.order_type == "MARKET" else reserve_price(ask)
        )
        need, have = self._funds.required(ask, price, others), self._funds.available(others)
        if need > have:
            raise SandboxApiError(
                HTTPStatus.BAD_REQUEST,
                "MarginException",
                f"Insufficient funds. Required margin is {need / 100:.2f} but available margin "
                f"is {have / 100:.2f}.",
            )

    # in the book

    def _open_order(self, order: ClientOrder, now: int) -> None:
        """Send an order to the book.

        A market order becomes a limit order at its protection price.
        """
        ask = order.ask
        if ask.order_type in {"MARKET", "SL-M"}:
            price = (
                ask.listing.ltp
                if ask.listing.phase == session_phases.POST_CLOSE
                else order_checks.protected_price(ask)
            )
            if ask.protection:
                order.protection_tags = ["mktp", f"mktp:{order_checks.protection_percent(ask):.2f}"]
            order.ask = ask._replace(
                order_type="LIMIT" if ask.protection else "MARKET", price=price
            )
        order.enter_status("OPEN")
        fault = self._striking_fault(ORDERS, order, now)
        if fault is None:
            self._enter_book(order, order.pending, now)
            return
        first = int(order.pending * fault.share) if fault.kind == "partial" else 0
        if first:
            self._enter_book(order, first, now)
        entered, due = order.number, now + int(fault.seconds_or(SLOW_SECONDS) * SECOND)
        self._scheduler.add(due, lambda: self._enter_late(order, entered, due))

    def _enter_book(self, order: ClientOrder, quantity: int, now: int) -> None:
        ask, listing = order.ask, order.ask.listing
        order.number = listing.next_number()
        # before the book has it: fills are looked up by this number
        listing.own_orders[order.number] = order
        validity = IOC if ask.validity == "IOC" else DAY
        shown = ask.disclosed if ask.disclosed < quantity else 0
        ticks = int(listing.instrument.ticks(ask.price))
        filled = listing.book.limit(
            order.number,
            ask.side,
            price=ticks,
            quantity=quantity,
            owner=0,
            tif=validity,
            disclosed=shown,
        )
        if filled < 0:
            raise ValueError(f"the book refused {order.order_id}: {BookRefusal(filled).name}")
        self.book_fills(listing, now)
        if validity == IOC and order.is_live:
            self._withdraw_order(order, now)

    def _enter_late(self, order: ClientOrder, entered: int, now: int) -> None:
        """Let in a quantity that a fault held back, unless the order is gone or entered anew."""
        if not order.is_live or order.number != entered:
            return
        order.ask.listing.book.cancel(order.number)
        order.ask.listing.own_orders.pop(order.number, None)
        self._enter_book(order, order.pending, now)

    def _striking_fault(self, occasion: str, order: ClientOrder, now: int) -> Fault | None:
        if not self._faults:
            return None
        return self._faults.strike(occasion, order.order_id, order.row(), now)

    def book_fills(self, listing: ExchangeListing, now: int) -> None:
        """Book what the last trades in the book filled of our orders."""
        for hit in listing.take_fills(now):
            self.book_fill(hit, now)

    def book_fill(self, hit: BookFill, now: int) -> None:
        """Book a fill of one of our orders."""
        order = hit.order
        fault = self._striking_fault(FILLS, order, now)
        if fault is not None and fault.kind == "trade-first":
            # before the trade changes them: the rows go on as they were until the update is sent
            order.veil_row()
        order.filled += hit.quantity
        order.turnover += hit.ticks * hit.quantity
        order.exchanged_at = now
        trade = ClientTrade(
            f"{10_000_000 + next(self._trade_numbers)}", order, hit.ticks, hit.quantity, now
        )
        order.trades.append(trade)
        self.trades.append(trade)
        self._portfolio.apply_trade(trade)
        complete = order.filled == order.ask.quantity
        if complete:
            self._remove_live(order)
        order.enter_status("COMPLETE" if complete else "OPEN")
        event = "COMPLETE" if complete else "UPDATE"
        if fault is not None and fault.kind == "trade-last":
            self._unlisted.add(trade.trade_id)
            due = now + int(fault.seconds_or(SLOW_SECONDS) * SECOND)
            self._scheduler.add(due, lambda: self._unlisted.discard(trade.trade_id))
            fault = None
        if fault is None:
            self._notify(order, event)
        else:
            due = now + int(fault.seconds_or(SLOW_SECONDS) * SECOND)
            self._scheduler.add(due, lambda: self._unveil_order(order, event))
        if self.on_fill is not None:
            self.on_fill(order, hit.quantity, now)

    def _unveil_order(self, order: ClientOrder, event: str) -> None:
        order.veiled_rows = None
        self._notify(order, event)

    def _remove_live(self, order: ClientOrder) -> None:
        self._live_by_id.pop(order.order_id, None)
        order.ask.listing.own_orders.pop(order.number, None)
        stops = self.stops.get(int(order.ask.listing.instrument.token), [])
        if order in stops:
            stops.remove(order)

    # cancelling

    def cancel_order(self, order_id: str, now: int) -> ClientOrder:
        """Cancel a working order at its owner's wish."""
        order = self._working_order(order_id, "cancelled")
        order.placed_at = now
        order.note_status("CANCEL PENDING")
        self._withdraw_order(order, now)
        return order

    def cancel_by_system(self, order: ClientOrder, now: int, message: str | None = None) -> None:
        """Cancel an order by the system."""
        if order.is_live:
            order.message = message
            self._withdraw_order(order, now)

    def _expire_order(self, order: ClientOrder, now: int) -> None:
        if order.is_live and order.ask.validity == "TTL":
            self._withdraw_order(order, now)

    def _withdraw_order(self, order: ClientOrder, now: int) -> None:
        if order.status == "OPEN" and order.number:
            order.ask.listing.book.cancel(order.number)
        order.cancelled = order.pending
        order.exchanged_at = now
        self._remove_live(order)
        order.enter_status("CANCELLED")
        self._notify(order, "CANCELLED")

    def cancel_all(self, now: int) -> None:
        """Cancel every working order that has been sent: the day is over."""
        for order in self.live_orders():
            if order.status != AMO:
                self._withdraw_order(order, now)

    # modifying

    def _working_order(self, order_id: str, verb: str) -> ClientOrder:
        order = self.find_order(order_id)
        if not order.is_live:
            raise refused(NO_RETURN.format(verb))
        if order.status != AMO and session_phases.orders_frozen(order.ask.listing):
            raise refused(session_phases.NOT_NOW)
        return order

    def modify_order(self, order_id: str, form: Form, now: int) -> ClientOrder:
        """Change a working order; a refused change leaves it as it was."""
        order = self._working_order(order_id, "modified")
        if order.modifications >= order.ask.listing.rules.orders.modifications:
            raise refused("Maximum allowed order modifications exceeded.")
        ask = self._revised_request(order, form)
        order.modifications += 1
        order.placed_at = now
        if order.status == AMO:
            order.ask = ask
            order.note_status("MODIFY AMO REQ RECEIVED")
            order.enter_status(AMO)
            self._notify(order, "UPDATE")
            return order
        order.note_status("MODIFY VALIDATION PENDING")
        order.note_status("MODIFY PENDING")
        order.exchanged_at = now
        order.note_status("MODIFIED")
        self._replace_order(order, ask, now)
        return order

    def _revised_request(self, order: ClientOrder, form: Form) -> OrderRequest:
        waiting = order.status in {"TRIGGER PENDING", AMO}
        old = (
            order.ask
            if waiting or order.ask.order_type != "SL"
            else order.ask._replace(order_type="LIMIT")
        )
        if old.stop:
            stop = decimal_field(form, "trigger_price", old.stop)
            order_checks.check_on_grid(old.listing, stop)
            old = old._replace(stop=stop)
            form = {key: value for key, value in form.items() if key == "price"}
        if old.auction:
            form = {key: value for key, value in form.items() if key in {"price", "quantity"}}
        if self._choices.modify_quantity == "remaining" and form.get("quantity"):
            form = {**form, "quantity": str(whole_field(form, "quantity") + order.filled)}
        ask = order_checks.revised_request(old, form)
        if not waiting:
            session_phases.check_phase_admits(ask)
        if ask.quantity <= order.filled:
            raise invalid("Quantity cannot be less than or equal to the filled quantity.")
        if outside := order_checks.band_refusal(ask):
            raise refused(outside)
        # covered anew as a whole: its old reservation goes when the change is accepted
        rest = ask._replace(quantity=ask.quantity - order.filled)
        self.check_cover(rest, [other for other in self.live_orders() if other is not order])
        return ask

    def _replace_order(self, order: ClientOrder, ask: OrderRequest, now: int) -> None:
        was_open = order.status == "OPEN"
        stays = was_open and ask.order_type == "LIMIT" and ask.validity == order.ask.validity
        # price and quantity change in the book, which decides about the place in the queue; with
        # any other change it enters as a new order
        if stays and ask.disclosed == order.ask.disclosed:
            order.ask = ask
            order.enter_status("OPEN")
            self._notify(order, "UPDATE")
            listing = ask.listing
            if not ask.auction:
                listing.book.modify(
                    order.number, listing.instrument.ticks(ask.price), order.pending
                )
            self.book_fills(listing, now)
            return
        if was_open:
            ask.listing.book.cancel(order.number)
        self._remove_live(order)
        order.ask = ask
        self._live_by_id[order.order_id] = order
        if ask.order_type in {"SL", "SL-M"}:
            order.enter_status("TRIGGER PENDING")
            self.stops.setdefault(int(ask.listing.instrument.token), []).append(order)
            self._notify(order, "UPDATE")
        else:
            self._notify(order, "UPDATE")
            self._open_order(order, now)

    def open_reached_stops(self, listing: ExchangeListing, low: int, high: int, now: int) -> bool:
        """Open stop orders that prices between `low` and `high` have reached.

        Return whether any were.
        """
        stops = self.stops.get(int(listing.instrument.token))
        if not stops:
            return False
        ticks = listing.instrument.ticks
        due = [
            o
            for o in stops
            if is_reached(o.ask.side, ticks(o.ask.trigger), high if o.ask.buys else low)
        ]
        for order in due:
            self.fire_stop(order, now)
        return bool(due)

    def fire_stop(self, order: ClientOrder, now: int) -> None:
        """Open a stop order, as its trigger does."""
        self.stops[int(order.ask.listing.instrument.token)].remove(order)
        order.exchanged_at = now
        order.status = "OPEN"
        self._notify(order, "UPDATE")
        self._open_order(order, now)

    def grow_stop(self, order: ClientOrder, quantity: int) -> None:
        """Give an order that waits for its trigger more to do."""
        order.ask = order.ask._replace(quantity=order.ask.quantity + quantity)
        order.enter_status("TRIGGER PENDING")
        self._notify(order, "UPDATE")

    def book_rows(self) -> list[dict[str, object]]:
        """Return the order book, oldest first."""
        return [order.shown_row() for order in self.orders.values()]

    def trade_rows(self, order: ClientOrder | None = None) -> list[dict[str, object]]:
        """Return the list of trades, oldest first, or an order's."""
        trades = self.trades if order is None else order.trades
        return [trade_row(trade) for trade in trades if trade.trade_id not in self._unlisted]

    def book_json(self) -> str:
        """Return the order book as JSON."""
        return f"[{', '.join([order.row_json() for order in self.orders.values()])}]"
