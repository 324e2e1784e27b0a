"""Varieties beyond a plain order: legs, slices, second legs, auctions, after-market orders."""

from collections.abc import Callable, Mapping
from random import Random
from typing import final

from brokers.sandbox import kite_times
from brokers.sandbox.account.portfolio import AccountPortfolio, isin
from brokers.sandbox.http import SandboxApiError, invalid, not_found, refused
from brokers.sandbox.market import session_phases
from brokers.sandbox.market.client_order import AMO, ClientOrder, IcebergLeg, OrderRequest
from brokers.sandbox.market.exchange_listing import BookFill, ExchangeListing
from brokers.sandbox.market.session_phases import SessionGroup
from brokers.sandbox.orders.order_desk import OrderDesk
from brokers.sandbox.scheduler import ActionScheduler
from compiled.model.exchange_rules import exceeds_freeze

AUCTION_CLOSES = kite_times.time_of_day("15:00")
AUCTION_REACH = 0.02
"""How far above the previous close the buyers of the auction go, at most."""
SQUARED_OFF = "Intraday orders (MIS, CO) are not accepted after the square-off time."
SYSTEM = "ADMINSQF"
NOT_AFTER_MARKET = "After market orders (AMO) are taken outside market hours only."

React = Callable[[ExchangeListing], None]


@final
class OrderVarieties:
    """Orders of every variety, and the ones the system makes of them."""

    def __init__(
        self,
        desk: OrderDesk,
        portfolio: AccountPortfolio,
        agenda: ActionScheduler,
        hours: Mapping[int, SessionGroup],
        day: tuple[str, int],
        seed: int,
    ) -> None:
        self._desk = desk
        self._portfolio = portfolio
        self._scheduler = agenda
        self._date, self._midnight = day
        self._seed = seed
        self._seconds: dict[str, ClientOrder] = {}
        """Second legs of cover orders, by the id of the first."""
        self._hours = hours
        self._squared: set[int] = set()
        desk.on_fill = self._after_fill

    def place_order(
        self, ask: OrderRequest, now: int, *, slices: bool = False
    ) -> list[ClientOrder | SandboxApiError]:
        """Take an order; return it, or its slices, later ones of which may have been refused."""
        if ask.product in {"MIS", "CO"} and self.is_squared_off(ask.listing):
            raise refused(SQUARED_OFF)
        if ask.variety == "amo":
            return [self._queue_after_market(ask, now)]
        if ask.variety == "auction":
            self._check_auction(ask, now)
        if slices:
            return self._place_slices(ask, now)
        return [self._desk.place_order(ask, now)]

    def is_squared_off(self, listing: ExchangeListing) -> bool:
        """Return whether the intraday positions of an instrument have been squared off today."""
        return int(listing.instrument.token) in self._squared

    # slices

    def _place_slices(self, ask: OrderRequest, now: int) -> list[ClientOrder | SandboxApiError]:
        instrument = ask.listing.instrument
        freeze, lot = int(instrument.freeze), int(instrument.lot)
        # freeze 0: the exchange takes any quantity in one order, and there is nothing to cut
        if not exceeds_freeze(instrument, ask.quantity):
            raise invalid(
                f"Quantity should be greater than or equal to {freeze + lot} for order slicing."
            )
        most = ask.listing.rules.orders.slices
        quantities = [freeze] * (ask.quantity // freeze) + [ask.quantity % freeze] * bool(
            ask.quantity % freeze
        )
        if len(quantities) > most:
            raise invalid(
                f"Order slicing is limited to {most} orders; the largest quantity is "
                f"{most * freeze}."
            )
        first = self._desk.place_order(ask._replace(quantity=quantities[0]), now)
        labels = ("autoslice", f"autoslice:{first.order_id}")
        first.ask = first.ask._replace(labels=labels)
        parts: list[ClientOrder | SandboxApiError] = [first]
        for quantity in quantities[1:]:
            try:
                parts.append(
                    self._desk.place_order(ask._replace(quantity=quantity, labels=labels), now)
                )
            except SandboxApiError as error:
                parts.append(error)
        return parts

    # iceberg and cover orders

    def _after_fill(self, order: ClientOrder, quantity: int, now: int) -> None:
        if order.ask.iceberg and order.status == "COMPLETE" and order.ask.iceberg.remaining:
            self._place_next_leg(order.ask, order.ask.iceberg, now)
        if order.ask.stop:
            self._protect_entry(order, quantity, now)

    def _place_next_leg(self, ask: OrderRequest, last: IcebergLeg, now: int) -> None:
        iceberg = last._replace(leg=last.leg + 1)
        quantity = min(last.leg_quantity, last.remaining)
        self._desk.place_by_system(ask._replace(quantity=quantity, iceberg=iceberg), now)

    def _protect_entry(self, entry: ClientOrder, quantity: int, now: int) -> None:
        """Make or grow the second leg by what the first has just traded."""
        second = self._seconds.get(entry.order_id)
        if second is not None and second.status == "TRIGGER PENDING":
            self._desk.grow_stop(second, quantity)
            return
        ask = entry.ask._replace(
            side=-entry.ask.side,
            quantity=quantity,
            order_type="SL-M",
            price=0.0,
            trigger=entry.ask.stop,
            stop=0.0,
            protection=-1.0,
            parent=entry.order_id,
        )
        self._seconds[entry.order_id] = self._desk.place_by_system(ask, now)

    def cancel_order(self, order_id: str, variety: str, now: int) -> ClientOrder:
        """Cancel an order; the second leg of a cover order is exited: it becomes a market order."""
        order = self._desk.find_order(order_id)
        if variety != order.ask.variety:
            raise not_found("order_id")
        if order.ask.variety == "co" and order.ask.parent and order.status == "TRIGGER PENDING":
            self._desk.fire_stop(order, now)
            return order
        return self._desk.cancel_order(order_id, now)

    # after-market orders

    def _queue_after_market(self, ask: OrderRequest, now: int) -> ClientOrder:
        group = self._hours[int(ask.listing.instrument.token)]
        if group.amo is not None and group.amo[0] <= now < group.amo[1]:
            order = self._desk.queue_after_market(ask, now)
            self._schedule_release(order, group)
            return order
        instrument = ask.listing.instrument
        tomorrow = session_phases.next_amo_window(
            session_phases.ist_date(self._date), instrument.exchange, instrument.kind
        )
        if tomorrow is None or not tomorrow[0] <= now < tomorrow[1]:
            raise refused(NOT_AFTER_MARKET)
        return self._desk.queue_after_market(ask, now)

    def _schedule_release(self, order: ClientOrder, group: SessionGroup) -> None:
        ask = order.ask
        plain = (
            ask.order_type in {"MARKET", "LIMIT"} and ask.validity == "DAY" and not ask.disclosed
        )
        due = (
            group.phases[0].start if plain and ask.listing.instrument.kind == "EQ" else group.opens
        )
        self._scheduler.add(due, lambda: self._desk.release_after_market(order, due))

    def carry_in(self, asks: list[OrderRequest], now: int) -> None:
        """Take the after-market orders of the evening before."""
        for ask in asks:
            order = self._desk.queue_after_market(ask, now)
            self._schedule_release(order, self._hours[int(ask.listing.instrument.token)])

    def waiting_orders(self) -> list[ClientOrder]:
        """Return the after-market orders that are still to be sent."""
        return [order for order in self._desk.live_orders() if order.status == AMO]

    # the auction of shares that were not delivered

    def auction_rows(self) -> list[dict[str, object]]:
        """Return the shares that today's auction buys: half of the holdings, by the seed."""
        rows = []
        for row in self._portfolio.holding_rows():
            token = int(str(row["instrument_token"]))
            if Random(f"{self._seed}:{self._date}:auction:{token}").random() < 0.5:  # noqa: S311 a simulation
                rows.append(row | {"auction_number": str(token % 1000 + 1)})
        return rows

    def _check_auction(self, ask: OrderRequest, now: int) -> None:
        number = {row["isin"]: row["auction_number"] for row in self.auction_rows()}.get(
            isin(ask.listing)
        )
        if number != ask.auction:
            raise invalid("Invalid `auction_number`.")
        if now >= self._midnight + AUCTION_CLOSES:
            raise refused("The auction market is closed.")

    def settle_auctions(self, now: int) -> None:
        """Match the auction: offers at or below its buyers' price trade at their own price."""
        for order in [
            order
            for order in self._desk.live_orders()
            if order.ask.auction and order.status == "OPEN"
        ]:
            instrument = order.ask.listing.instrument
            draw = Random(f"{self._seed}:{self._date}:price:{instrument.symbol}").random()  # noqa: S311 a simulation
            if order.ask.price <= instrument.close * (1.0 + AUCTION_REACH * draw):
                self._desk.book_fill(
                    BookFill(order, int(instrument.ticks(order.ask.price)), order.pending), now
                )
            else:
                self._desk.cancel_by_system(order, now, "Not matched in the auction.")

    def auction_match_time(self) -> int:
        """Return when the auction is matched."""
        return self._midnight + AUCTION_CLOSES

    # square-off

    def square_off(self, group: SessionGroup, now: int, react: React) -> None:
        """Cancel the intraday orders of a group and close its intraday positions at the market."""
        tokens = {int(listing.instrument.token) for listing in group.listings}
        self._squared |= tokens
        for order in self._desk.live_orders():
            if (
                order.ask.product in {"MIS", "CO"}
                and int(order.ask.listing.instrument.token) in tokens
            ):
                self._desk.cancel_by_system(
                    order, now, "Intraday orders are cancelled at the square-off time."
                )
        for (token, product), position in list(self._portfolio.positions.items()):
            if token in tokens and product in {"MIS", "CO"} and position.quantity:
                self._close_position(position.listing, product, position.quantity, now)
                react(position.listing)

    def _close_position(
        self, listing: ExchangeListing, product: str, quantity: int, now: int
    ) -> None:
        left = abs(quantity)
        freeze = int(listing.instrument.freeze) or left
        while left:
            part = min(left, freeze)
            side = -1 if quantity > 0 else 1
            ask = OrderRequest(listing, side, part, "MARKET", product, protection=-1.0, by=SYSTEM)
            self._desk.place_by_system(ask, now)
            left -= part


def sliced_answer(parts: list[ClientOrder | SandboxApiError], *, flat: bool = False) -> object:
    """Return the answer to a sliced order: the first part's id, and a child per later part.

    Refused parts are errors. `flat`: the older form, one list of all of them.
    """
    first, *rest = parts
    assert isinstance(first, ClientOrder)
    children: list[dict[str, object]] = []
    for part in rest:
        if isinstance(part, ClientOrder):
            children.append({"order_id": part.order_id})
        else:
            error = {
                "code": int(part.status),
                "error_type": part.error_type,
                "message": part.message,
                "data": None,
            }
            children.append({"error": error})
    if flat:
        return [{"order_id": first.order_id}, *children]
    return {"order_id": first.order_id, "children": children}
