"""One product of one instrument, with the identities Kite's rows keep (value, pnl, m2m)."""

from typing import final

from brokers.sandbox.market.exchange_listing import ExchangeListing


@final
class ProductPosition:
    """Position in a product, its money in ten-thousandths of a rupee, exact.

    `overnight` shares (signed) came at `carried` from before.
    """

    def __init__(
        self, listing: ExchangeListing, product: str, overnight: int = 0, carried: int = 0
    ) -> None:
        self.listing = listing
        self.product = product
        self.overnight = overnight
        self.carried = carried
        self.bought = self.sold = 0
        self.buy_value = self.sell_value = 0
        self.cost = carried
        """Signed cost of the open quantity, average method."""
        self.realised = 0

    @property
    def quantity(self) -> int:
        """Return the net quantity."""
        return self.overnight + self.bought - self.sold

    @property
    def was_traded(self) -> bool:
        """Return whether it was traded today."""
        return bool(self.bought or self.sold)

    def add_trade(self, side: int, ticks: int, quantity: int) -> None:
        """Add a trade; the part that closes is realised against the average cost."""
        self.add_value(side, quantity, quantity * self._tick_value * ticks)

    def add_value(self, side: int, quantity: int, value: int) -> None:
        """Add a quantity bought (1) or sold (-1) for a value."""
        held = self.quantity
        closing = min(quantity, abs(held)) if held * side < 0 else 0
        closed = value * closing // quantity
        if closing:
            # the last share takes the whole cost with it: no remainder of rounding stays open
            cost = round(self.cost * closing / abs(held)) if closing < abs(held) else self.cost
            self.realised += -side * closed - cost
            self.cost -= cost
        self.cost += side * (value - closed)
        if side > 0:
            self.bought += quantity
            self.buy_value += value
        else:
            self.sold += quantity
            self.sell_value += value

    def convert(self, quantity: int, into: "ProductPosition", *, overnight: bool) -> None:
        """Move part of the open quantity, at its average cost, into another product."""
        side = 1 if self.quantity > 0 else -1
        cost = round(self.cost * quantity / abs(self.quantity))
        self.cost -= cost
        # Carried shares keep their cost apart from today's, which alone the day's rows show.
        if overnight:
            self.carried -= cost
            self.overnight -= side * quantity
            into.overnight += side * quantity
            into.carried += cost
            into.cost += cost
            return
        if side > 0:
            self.bought -= quantity
            self.buy_value -= cost
        else:
            self.sold -= quantity
            self.sell_value += cost
        into.add_value(side, quantity, abs(cost))

    @property
    def _tick_value(self) -> int:
        """Return the value of one tick of one unit."""
        return int(self.listing.instrument.tick_e4) * self.listing.multiplier

    @property
    def unrealised(self) -> int:
        """Return the open quantity's gain at the last price."""
        return self.quantity * self.listing.last * self._tick_value - self.cost

    def worth(self, price: float) -> int:
        """Return the value of the open quantity at a price in rupees."""
        return round(self.quantity * self.listing.multiplier * price * 10_000)

    @property
    def average(self) -> float:
        """Return the average price of the open quantity in rupees, 0.0 where there is none."""
        return self._unit_price(abs(self.cost) / 1e4, abs(self.quantity))

    def row(self, *, day: bool = False) -> dict[str, object]:
        """Return the position as Kite lists it; `day`: of today's trades alone."""
        instrument, last, times = self.listing.instrument, self.listing.ltp, self.listing.multiplier
        overnight = 0 if day else self.overnight
        carried = 0 if day else self.carried
        quantity = overnight + self.bought - self.sold
        bought, sold = self.bought + max(0, overnight), self.sold - min(0, overnight)
        buy_value, sell_value = (
            (self.buy_value + max(0, carried)) / 1e4,
            (self.sell_value - min(0, carried)) / 1e4,
        )
        day_buy, day_sell = self.buy_value / 1e4, self.sell_value / 1e4
        # Mark to market counts carried shares from the previous close, today's from their price.
        close = instrument.close if overnight else 0.0
        buy_m2m = max(0, overnight) * close * times + day_buy
        sell_m2m = -min(0, overnight) * close * times + day_sell
        value = sell_value - buy_value
        pnl = value + quantity * last * times
        return {
            "tradingsymbol": instrument.symbol,
            "exchange": instrument.exchange,
            "instrument_token": instrument.token,
            "product": self.product,
            "quantity": quantity,
            "overnight_quantity": overnight,
            "multiplier": times,
            "average_price": abs(self._unit_price(self._open_cost(day) / 1e4, quantity)),
            "close_price": close,
            "last_price": last,
            "value": value,
            "pnl": pnl,
            "m2m": sell_m2m - buy_m2m + quantity * last * times,
            # Kite's rows have the whole gain here, and nothing in `realised`.
            "unrealised": pnl,
            "realised": 0.0,
            "buy_quantity": bought,
            "buy_price": self._unit_price(buy_value, bought),
            "buy_value": buy_value,
            "buy_m2m": buy_m2m,
            "sell_quantity": sold,
            "sell_price": self._unit_price(sell_value, sold),
            "sell_value": sell_value,
            "sell_m2m": sell_m2m,
            "day_buy_quantity": self.bought,
            "day_buy_price": self._unit_price(day_buy, self.bought),
            "day_buy_value": day_buy,
            "day_sell_quantity": self.sold,
            "day_sell_price": self._unit_price(day_sell, self.sold),
            "day_sell_value": day_sell,
        }

    def _unit_price(self, value: float, quantity: int) -> float:
        """Return the price at which a quantity makes a value, both in rupees."""
        return _safe_ratio(value, quantity * self.listing.multiplier)

    def _open_cost(self, day: bool) -> float:
        """Return the cost of the open quantity.

        Today's part of it at the average of its own side.
        """
        if not (day and self.overnight):
            return self.cost
        net = self.bought - self.sold
        return (
            _safe_ratio(self.buy_value, self.bought) * net
            if net > 0
            else _safe_ratio(self.sell_value, self.sold) * net
        )


def _safe_ratio(value: float, quantity: int) -> float:
    return value / quantity if quantity else 0.0
