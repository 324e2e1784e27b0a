"""The account's orders at the exchange: placed, modified, cancelled, triggered, filled."""

from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from typing import final

from brokers.sandbox import checks, sessions
from brokers.sandbox.agenda import Agenda
from brokers.sandbox.choices import Choices
from brokers.sandbox.faults import FILLS, ORDERS, RISK, Fault, Faults
from brokers.sandbox.funds import Funds, reserve_price
from brokers.sandbox.listing import CONTINUOUS, Hit, Listing
from brokers.sandbox.orders import AMO, Ask, ClientOrder, Trade, trade_row
from brokers.sandbox.portfolio import Portfolio
from brokers.sandbox.wire import ApiError, Form, decimal, invalid, not_found, refused, whole
from compiled.book import DAY, IOC, Refusal
from compiled.model import MINUTE, SECOND

SLOW_SECONDS = 1.0
NO_RETURN = "Order cannot be {} as it is being processed. Try later."
NO_MARGIN = "RMS:Margin Exceeds, Required:{required:.2f}, Available:0.00 for entity account-{user} across exchange across segment across product"
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
        portfolio: Portfolio,
        funds: Funds,
        notify: Notify,
        faults: Faults,
        agenda: Agenda,
        choices: Choices,
    ) -> None:
        self.orders: dict[str, ClientOrder] = {}
        self.trades: list[Trade] = []
        self.stops: dict[int, list[ClientOrder]] = {}
        """Orders that wait for their trigger, by token."""
        self.follow: Follow | None = None
        self._live: dict[str, ClientOrder] = {}
        self._unlisted: set[str] = set()
        """Trades that a fault keeps out of the list."""
        self._user_id = user_id
        self._date = date.replace("-", "")[2:]
        self._portfolio = portfolio
        self._funds = funds
        self._notify = notify
        self._faults = faults
        self._agenda = agenda
        self._choices = choices
        self._numbers = count(1)
        self._exchange_numbers = count(1)
        self._trade_numbers = count(1)

    def live(self) -> list[ClientOrder]:
        """Return the orders that may still trade, oldest first."""
        return list(self._live.values())

    def find(self, order_id: str) -> ClientOrder:
        """Return an order of today."""
        order = self.orders.get(order_id)
        if order is None:
            raise not_found("order_id")
        return order

    # placing

    def place(self, ask: Ask, now: int) -> ClientOrder:
        """Accept an order that has passed the checks; raise `ApiError` where funds, shares or the session forbid it."""
        sessions.admit(ask)
        if ask.order_type == "MARKET" and not ask.listing.open and ask.listing.phase == CONTINUOUS:
            raise refused(NO_TRADE)
        self.cover(ask, self.live())
        order = self._new(ask, now)
        self._proceed(order, now)
        return order

    def place_by_system(self, ask: Ask, now: int) -> ClientOrder:
        """Place an order nobody waits for: what forbids it becomes its rejection."""
        try:
            return self.place(ask, now)
        except ApiError as error:
            order = self._new(ask, now)
            self._reject(order, error.message)
            return order

    def queue(self, ask: Ask, now: int) -> ClientOrder:
        """Take an after-market order; `release` sends it."""
        self.cover(ask, self.live())
        order = self._new(ask, now)
        order.move(AMO)
        self._live[order.order_id] = order
        return order

    def release(self, order: ClientOrder, now: int) -> None:
        """Send an after-market order, if it is still there."""
        if order.status == AMO:
            self._live.pop(order.order_id, None)
            self._proceed(order, now)

    def _new(self, ask: Ask, now: int) -> ClientOrder:
        order = ClientOrder(f"{self._date}{next(self._numbers):09d}", self._user_id, ask, now)
        order.keeps_pending = self._choices.cancelled_pending
        self.orders[order.order_id] = order
        order.move("PUT ORDER REQ RECEIVED")
        order.move("VALIDATION PENDING")
        return order

    def _proceed(self, order: ClientOrder, now: int) -> None:
        fault = self._struck(RISK, order, now)
        if fault is not None:
            ask = order.ask
            required = ask.quantity * (ask.price or ask.listing.ltp)
            message = fault.message or NO_MARGIN.format(required=required, user=self._user_id)
            due = now + int(fault.after(0.0) * SECOND)
            self._agenda.add(due, lambda: self._reject(order, message))
            return
        self._send(order, now)

    def _send(self, order: ClientOrder, now: int) -> None:
        ask = order.ask
        if outside := checks.outside_band(ask):
            self._reject(order, outside)
            return
        order.move("OPEN PENDING")
        order.exchange_order_id = f"11{next(self._exchange_numbers):014d}"
        order.exchanged = now
        self._live[order.order_id] = order
        if ask.validity == "TTL":
            self._agenda.add(now + ask.ttl * MINUTE, lambda: self._expire(order, now + ask.ttl * MINUTE))
        if ask.order_type in {"SL", "SL-M"}:
            order.move("TRIGGER PENDING")
            self.stops.setdefault(int(ask.listing.instrument.token), []).append(order)
        elif ask.auction:
            order.move("OPEN")
        else:
            self._open(order, now)

    def _reject(self, order: ClientOrder, message: str) -> None:
        order.message = message
        order.move("REJECTED")
        self._notify(order, "REJECTED")

    def cover(self, ask: Ask, others: list[ClientOrder]) -> None:
        """Raise `ApiError` where the account cannot pay for an order, or has not the shares to sell."""
        if ask.product in {"CNC", "MTF"} and not ask.buys:
            missing = self._funds.opening(ask, others)
            if missing:
                raise ApiError(
                    HTTPStatus.BAD_REQUEST,
                    "HoldingException",
                    f"Insufficient stock holding. Required quantity is {ask.quantity} "
                    f"but available quantity is {ask.quantity - missing}.",
                )
            if ask.product == "CNC":
                self._portfolio.check_authorised(ask.listing, ask.quantity)
        price = checks.protected_price(ask) if ask.order_type == "MARKET" else reserve_price(ask)
        need, have = self._funds.required(ask, price, others), self._funds.available(others)
        if need > have:
            raise ApiError(
                HTTPStatus.BAD_REQUEST,
                "MarginException",
                f"Insufficient funds. Required margin is {need / 100:.2f} but available margin is {have / 100:.2f}.",
            )

    # in the book

    def _open(self, order: ClientOrder, now: int) -> None:
        """Send an order to the book; a market order becomes a limit order at its protection price first."""
        ask = order.ask
        if ask.order_type in {"MARKET", "SL-M"}:
            price = ask.listing.ltp if ask.listing.phase == sessions.POST_CLOSE else checks.protected_price(ask)
            if ask.protection:
                order.protected = ["mktp", f"mktp:{checks.protection_percent(ask):.2f}"]
            order.ask = ask._replace(order_type="LIMIT" if ask.protection else "MARKET", price=price)
        order.move("OPEN")
        fault = self._struck(ORDERS, order, now)
        if fault is None:
            self._enter(order, order.pending, now)
            return
        first = int(order.pending * fault.share) if fault.kind == "partial" else 0
        if first:
            self._enter(order, first, now)
        entered, due = order.number, now + int(fault.after(SLOW_SECONDS) * SECOND)
        self._agenda.add(due, lambda: self._enter_late(order, entered, due))

    def _enter(self, order: ClientOrder, quantity: int, now: int) -> None:
        ask, listing = order.ask, order.ask.listing
        order.number = listing.number()
        listing.own[order.number] = order
        validity = IOC if ask.validity == "IOC" else DAY
        shown = ask.disclosed if ask.disclosed < quantity else 0
        ticks = int(listing.instrument.ticks(ask.price))
        filled = listing.book.limit(order.number, ask.side, ticks, quantity, 0, validity, shown)
        if filled < 0:
            raise ValueError(f"the book refused {order.order_id}: {Refusal(filled).name}")
        self.settle(listing, now)
        if validity == IOC and order.live:
            self._cancel(order, now)

    def _enter_late(self, order: ClientOrder, entered: int, now: int) -> None:
        """Let in what a fault held back, unless the order has gone or was entered anew meanwhile."""
        if not order.live or order.number != entered:
            return
        order.ask.listing.book.cancel(order.number)
        order.ask.listing.own.pop(order.number, None)
        self._enter(order, order.pending, now)

    def _struck(self, occasion: str, order: ClientOrder, now: int) -> Fault | None:
        if not self._faults:
            return None
        return self._faults.strike(occasion, order.order_id, order.row(), now)

    def settle(self, listing: Listing, now: int) -> None:
        """Book what the last trades in the book filled of our orders."""
        for hit in listing.settle(now):
            self.fill(hit, now)

    def fill(self, hit: Hit, now: int) -> None:
        """Book a fill of one of our orders."""
        order = hit.order
        fault = self._struck(FILLS, order, now)
        if fault is not None and fault.kind == "trade-first":
            order.veil()
        order.filled += hit.quantity
        order.turnover += hit.ticks * hit.quantity
        order.exchanged = now
        trade = Trade(f"{10_000_000 + next(self._trade_numbers)}", order, hit.ticks, hit.quantity, now)
        order.trades.append(trade)
        self.trades.append(trade)
        self._portfolio.apply(trade)
        complete = order.filled == order.ask.quantity
        if complete:
            self._leave(order)
        order.move("COMPLETE" if complete else "OPEN")
        event = "COMPLETE" if complete else "UPDATE"
        if fault is not None and fault.kind == "trade-last":
            self._unlisted.add(trade.trade_id)
            due = now + int(fault.after(SLOW_SECONDS) * SECOND)
            self._agenda.add(due, lambda: self._unlisted.discard(trade.trade_id))
            fault = None
        if fault is None:
            self._notify(order, event)
        else:
            due = now + int(fault.after(SLOW_SECONDS) * SECOND)
            self._agenda.add(due, lambda: self._unveil(order, event))
        if self.follow is not None:
            self.follow(order, hit.quantity, now)

    def _unveil(self, order: ClientOrder, event: str) -> None:
        order.veiled = None
        self._notify(order, event)

    def _leave(self, order: ClientOrder) -> None:
        self._live.pop(order.order_id, None)
        order.ask.listing.own.pop(order.number, None)
        stops = self.stops.get(int(order.ask.listing.instrument.token), [])
        if order in stops:
            stops.remove(order)

    # cancelling

    def cancel(self, order_id: str, now: int) -> ClientOrder:
        """Cancel a working order at its owner's wish."""
        order = self._working(order_id, "cancelled")
        order.placed = now
        order.note("CANCEL PENDING")
        self._cancel(order, now)
        return order

    def drop(self, order: ClientOrder, now: int, message: str | None = None) -> None:
        """Cancel an order by the system."""
        if order.live:
            order.message = message
            self._cancel(order, now)

    def _expire(self, order: ClientOrder, now: int) -> None:
        if order.live and order.ask.validity == "TTL":
            self._cancel(order, now)

    def _cancel(self, order: ClientOrder, now: int) -> None:
        if order.status == "OPEN" and order.number:
            order.ask.listing.book.cancel(order.number)
        order.cancelled = order.pending
        order.exchanged = now
        self._leave(order)
        order.move("CANCELLED")
        self._notify(order, "CANCELLED")

    def cancel_all(self, now: int) -> None:
        """Cancel every working order that has been sent: the day is over."""
        for order in self.live():
            if order.status != AMO:
                self._cancel(order, now)

    # modifying

    def _working(self, order_id: str, verb: str) -> ClientOrder:
        order = self.find(order_id)
        if not order.live:
            raise refused(NO_RETURN.format(verb))
        if order.status != AMO and sessions.frozen(order.ask.listing):
            raise refused(sessions.NOT_NOW)
        return order

    def modify(self, order_id: str, form: Form, now: int) -> ClientOrder:
        """Change a working order; a refused change leaves it as it was."""
        order = self._working(order_id, "modified")
        if order.modifications >= order.ask.listing.rules.orders.modifications:
            raise refused("Maximum allowed order modifications exceeded.")
        ask = self._revised(order, form)
        order.modifications += 1
        order.placed = now
        if order.status == AMO:
            order.ask = ask
            order.note("MODIFY AMO REQ RECEIVED")
            order.move(AMO)
            self._notify(order, "UPDATE")
            return order
        order.note("MODIFY VALIDATION PENDING")
        order.note("MODIFY PENDING")
        order.exchanged = now
        order.note("MODIFIED")
        self._replace(order, ask, now)
        return order

    def _revised(self, order: ClientOrder, form: Form) -> Ask:
        waiting = order.status in {"TRIGGER PENDING", AMO}
        old = order.ask if waiting or order.ask.order_type != "SL" else order.ask._replace(order_type="LIMIT")
        if old.stop:
            stop = decimal(form, "trigger_price", old.stop)
            checks.on_grid(old.listing, stop)
            old = old._replace(stop=stop)
            form = {key: value for key, value in form.items() if key == "price"}
        if old.auction:
            form = {key: value for key, value in form.items() if key in {"price", "quantity"}}
        if self._choices.modify_quantity == "remaining" and form.get("quantity"):
            form = {**form, "quantity": str(whole(form, "quantity") + order.filled)}
        ask = checks.revised(old, form)
        if not waiting:
            sessions.admit(ask)
        if ask.quantity <= order.filled:
            raise invalid("Quantity cannot be less than or equal to the filled quantity.")
        if outside := checks.outside_band(ask):
            raise refused(outside)
        rest = ask._replace(quantity=ask.quantity - order.filled)
        self.cover(rest, [other for other in self.live() if other is not order])
        return ask

    def _replace(self, order: ClientOrder, ask: Ask, now: int) -> None:
        was_open = order.status == "OPEN"
        stays = was_open and ask.order_type == "LIMIT" and ask.validity == order.ask.validity
        if stays and ask.disclosed == order.ask.disclosed:
            order.ask = ask
            order.move("OPEN")
            self._notify(order, "UPDATE")
            listing = ask.listing
            if not ask.auction:
                listing.book.modify(order.number, listing.instrument.ticks(ask.price), order.pending)
            self.settle(listing, now)
            return
        if was_open:
            ask.listing.book.cancel(order.number)
        self._leave(order)
        order.ask = ask
        self._live[order.order_id] = order
        if ask.order_type in {"SL", "SL-M"}:
            order.move("TRIGGER PENDING")
            self.stops.setdefault(int(ask.listing.instrument.token), []).append(order)
            self._notify(order, "UPDATE")
        else:
            self._notify(order, "UPDATE")
            self._open(order, now)

    def trigger(self, listing: Listing, low: int, high: int, now: int) -> bool:
        """Open the stop orders that prices between `low` and `high` have reached; tell whether there were any."""
        stops = self.stops.get(int(listing.instrument.token))
        if not stops:
            return False
        ticks = listing.instrument.ticks
        due = [o for o in stops if (high >= ticks(o.ask.trigger) if o.ask.buys else low <= ticks(o.ask.trigger))]
        for order in due:
            self.fire(order, now)
        return bool(due)

    def fire(self, order: ClientOrder, now: int) -> None:
        """Open a stop order, as its trigger does."""
        self.stops[int(order.ask.listing.instrument.token)].remove(order)
        order.exchanged = now
        order.status = "OPEN"
        self._notify(order, "UPDATE")
        self._open(order, now)

    def grow(self, order: ClientOrder, quantity: int) -> None:
        """Give an order that waits for its trigger more to do."""
        order.ask = order.ask._replace(quantity=order.ask.quantity + quantity)
        order.move("TRIGGER PENDING")
        self._notify(order, "UPDATE")

    def book_rows(self) -> list[dict[str, object]]:
        """Return the order book, oldest first."""
        return [order.shown() for order in self.orders.values()]

    def trade_rows(self, order: ClientOrder | None = None) -> list[dict[str, object]]:
        """Return the list of trades, oldest first, or an order's."""
        trades = self.trades if order is None else order.trades
        return [trade_row(trade) for trade in trades if trade.trade_id not in self._unlisted]

    def written(self) -> str:
        """Return the order book as JSON."""
        return f"[{', '.join([order.written() for order in self.orders.values()])}]"
