"""The account's orders at the exchange: placed, modified, cancelled, triggered, filled."""

from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from typing import final

from brokers.sandbox import checks
from brokers.sandbox.account import Funds, reserve_price
from brokers.sandbox.agenda import Agenda
from brokers.sandbox.faults import FILLS, ORDERS, Fault, Faults
from brokers.sandbox.listing import Hit, Listing
from brokers.sandbox.orders import Ask, ClientOrder, Trade
from brokers.sandbox.portfolio import Portfolio
from brokers.sandbox.wire import ApiError, Form, invalid, not_found, refused
from compiled.book import DAY, IOC, Refusal
from compiled.model import SECOND

OFF_BAND = "17070 : The Price is out of the current execution range"
SLOW_SECONDS = 1.0
NO_RETURN = "Order cannot be {} as it is being processed. Try later."

Notify = Callable[[ClientOrder, str], None]
"""Called with an order and the status of an event that Kite posts."""


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
    ) -> None:
        self.orders: dict[str, ClientOrder] = {}
        self.trades: list[Trade] = []
        self.stops: dict[int, list[ClientOrder]] = {}
        """Orders that wait for their trigger, by token."""
        self._live: dict[str, ClientOrder] = {}
        self._user_id = user_id
        self._date = date.replace("-", "")[2:]
        self._portfolio = portfolio
        self._funds = funds
        self._notify = notify
        self._faults = faults
        self._agenda = agenda
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

    def place(self, ask: Ask, now: int) -> ClientOrder:
        """Accept an order that has passed the checks; raise `ApiError` where funds or shares are missing."""
        if ask.order_type == "MARKET" and not ask.listing.open:
            raise refused("There is no trade in this instrument yet. Please use a limit order.")
        self.cover(ask, self.live())
        order = ClientOrder(f"{self._date}{next(self._numbers):09d}", self._user_id, ask, now)
        self.orders[order.order_id] = order
        order.move("PUT ORDER REQ RECEIVED")
        order.move("VALIDATION PENDING")
        if ask.price and not ask.listing.instrument.lower <= ask.price <= ask.listing.instrument.upper:
            order.message = OFF_BAND
            order.move("REJECTED")
            self._notify(order, "REJECTED")
            return order
        order.move("OPEN PENDING")
        order.exchange_order_id = f"11{next(self._exchange_numbers):014d}"
        order.exchanged = now
        self._live[order.order_id] = order
        if ask.order_type in {"SL", "SL-M"}:
            order.move("TRIGGER PENDING")
            self.stops.setdefault(int(ask.listing.instrument.token), []).append(order)
        else:
            self._open(order, now)
        return order

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
        price = checks.protected_price(ask) if ask.order_type == "MARKET" else reserve_price(ask)
        need, have = self._funds.required(ask, price, others), self._funds.available(others)
        if need > have:
            raise ApiError(
                HTTPStatus.BAD_REQUEST,
                "MarginException",
                f"Insufficient funds. Required margin is {need / 100:.2f} but available margin is {have / 100:.2f}.",
            )

    def _open(self, order: ClientOrder, now: int) -> None:
        """Send an order to the book; a market order becomes a limit order at its protection price first."""
        ask = order.ask
        if ask.order_type in {"MARKET", "SL-M"}:
            order.protected = ["mktp", f"mktp:{checks.protection_percent(ask):.2f}"]
            order.ask = ask = ask._replace(order_type="LIMIT", price=checks.protected_price(ask))
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
            self._fill(hit, now)

    def _fill(self, hit: Hit, now: int) -> None:
        order = hit.order
        fault = self._struck(FILLS, order, now)
        if fault is not None:
            order.veil()
        order.filled += hit.quantity
        order.turnover += hit.ticks * hit.quantity
        order.exchanged = now
        trade = Trade(f"{10_000_000 + next(self._trade_numbers)}", order, hit.ticks, hit.quantity, now)
        order.trades.append(trade)
        self.trades.append(trade)
        self._portfolio.apply(trade)
        if order.filled == order.ask.quantity:
            self._leave(order)
            order.move("COMPLETE")
        else:
            order.move("OPEN")
        event = "COMPLETE" if order.status == "COMPLETE" else "UPDATE"
        if fault is None:
            self._notify(order, event)
        else:
            due = now + int(fault.after(SLOW_SECONDS) * SECOND)
            self._agenda.add(due, lambda: self._unveil(order, event))

    def _unveil(self, order: ClientOrder, event: str) -> None:
        order.veiled = None
        self._notify(order, event)

    def _leave(self, order: ClientOrder) -> None:
        self._live.pop(order.order_id, None)
        order.ask.listing.own.pop(order.number, None)
        stops = self.stops.get(int(order.ask.listing.instrument.token), [])
        if order in stops:
            stops.remove(order)

    def cancel(self, order_id: str, now: int) -> ClientOrder:
        """Cancel a working order."""
        order = self.find(order_id)
        if not order.live:
            raise refused(NO_RETURN.format("cancelled"))
        order.placed = now
        order.note("CANCEL PENDING")
        self._cancel(order, now)
        return order

    def _cancel(self, order: ClientOrder, now: int) -> None:
        if order.status == "OPEN":
            order.ask.listing.book.cancel(order.number)
        order.cancelled = order.pending
        order.exchanged = now
        self._leave(order)
        order.move("CANCELLED")
        self._notify(order, "CANCELLED")

    def cancel_all(self, now: int) -> None:
        """Cancel every working order: the day is over."""
        for order in self.live():
            self._cancel(order, now)

    def modify(self, order_id: str, form: Form, now: int) -> ClientOrder:
        """Change a working order; a refused change leaves it as it was."""
        order = self.find(order_id)
        if not order.live:
            raise refused(NO_RETURN.format("modified"))
        if order.modifications >= order.ask.listing.rules.orders.modifications:
            raise refused("Maximum allowed order modifications exceeded.")
        ask = self._revised(order, form)
        order.modifications += 1
        order.placed = now
        order.note("MODIFY VALIDATION PENDING")
        order.note("MODIFY PENDING")
        order.exchanged = now
        order.note("MODIFIED")
        self._replace(order, ask, now)
        return order

    def _revised(self, order: ClientOrder, form: Form) -> Ask:
        waiting = order.status == "TRIGGER PENDING"
        old = order.ask if waiting or order.ask.order_type != "SL" else order.ask._replace(order_type="LIMIT")
        ask = checks.revised(old, form)
        if ask.quantity <= order.filled:
            raise invalid("Quantity cannot be less than or equal to the filled quantity.")
        if ask.price and not ask.listing.instrument.lower <= ask.price <= ask.listing.instrument.upper:
            raise refused(OFF_BAND)
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
            stops.remove(order)
            order.exchanged = now
            order.status = "OPEN"
            self._notify(order, "UPDATE")
            self._open(order, now)
        return bool(due)

    def book_rows(self) -> list[dict[str, object]]:
        """Return the order book, oldest first."""
        return [order.shown() for order in self.orders.values()]
