"""Positions and holdings, with the identities Kite's rows keep (value, pnl, m2m)."""

from collections.abc import Iterable
from typing import final

from brokers.sandbox.listing import Listing
from brokers.sandbox.orders import Trade


@final
class Position:
    """One product of one instrument today; money inside in ten-thousandths of a rupee, exact."""

    def __init__(self, listing: Listing, product: str) -> None:
        self.listing = listing
        self.product = product
        self.bought = self.sold = 0
        self.buy_value = self.sell_value = 0
        self.cost = 0
        """Signed cost of the open quantity, average method."""
        self.realised = 0

    @property
    def quantity(self) -> int:
        """Return the net quantity."""
        return self.bought - self.sold

    def fill(self, side: int, ticks: int, quantity: int) -> None:
        """Add a trade; what closes is realised against the average cost."""
        value = int(self.listing.instrument.tick_e4) * ticks
        held = self.quantity
        closing = min(quantity, abs(held)) if held * side < 0 else 0
        if closing:
            cost = round(self.cost * closing / abs(held)) if closing < abs(held) else self.cost
            self.realised += -side * closing * value - cost
            self.cost -= cost
        self.cost += side * (quantity - closing) * value
        if side > 0:
            self.bought += quantity
            self.buy_value += quantity * value
        else:
            self.sold += quantity
            self.sell_value += quantity * value

    @property
    def unrealised(self) -> int:
        """Return the open quantity's gain at the last price."""
        return self.quantity * self.listing.last * int(self.listing.instrument.tick_e4) - self.cost

    def row(self) -> dict[str, object]:
        """Return the position as Kite lists it."""
        instrument, last = self.listing.instrument, self.listing.ltp
        value = (self.sell_value - self.buy_value) / 1e4
        pnl = value + self.quantity * last
        buy_value, sell_value = self.buy_value / 1e4, self.sell_value / 1e4
        buy_price = buy_value / self.bought if self.bought else 0.0
        sell_price = sell_value / self.sold if self.sold else 0.0
        return {
            "tradingsymbol": instrument.symbol,
            "exchange": instrument.exchange,
            "instrument_token": instrument.token,
            "product": self.product,
            "quantity": self.quantity,
            "overnight_quantity": 0,
            "multiplier": 1,
            "average_price": abs(self.cost / 1e4 / self.quantity) if self.quantity else 0.0,
            "close_price": 0.0,
            "last_price": last,
            "value": value,
            "pnl": pnl,
            "m2m": pnl,
            "unrealised": pnl,
            "realised": 0.0,
            "buy_quantity": self.bought,
            "buy_price": buy_price,
            "buy_value": buy_value,
            "buy_m2m": buy_value,
            "sell_quantity": self.sold,
            "sell_price": sell_price,
            "sell_value": sell_value,
            "sell_m2m": sell_value,
            "day_buy_quantity": self.bought,
            "day_buy_price": buy_price,
            "day_buy_value": buy_value,
            "day_sell_quantity": self.sold,
            "day_sell_price": sell_price,
            "day_sell_value": sell_value,
        }


@final
class Portfolio:
    """Everything the account holds."""

    def __init__(self, holdings: Iterable[tuple[Listing, int, float]]) -> None:
        self.positions: dict[tuple[int, str], Position] = {}
        self.holdings = {
            int(listing.instrument.token): (listing, quantity, price) for listing, quantity, price in holdings
        }

    def apply(self, trade: Trade) -> None:
        """Book a trade of ours."""
        ask = trade.order.ask
        key = (int(ask.listing.instrument.token), ask.product)
        if key not in self.positions:
            self.positions[key] = Position(ask.listing, ask.product)
        self.positions[key].fill(ask.side, trade.ticks, trade.quantity)

    def quantity(self, token: int, product: str) -> int:
        """Return the net quantity of a product today."""
        position = self.positions.get((token, product))
        return position.quantity if position else 0

    def held(self, token: int) -> int:
        """Return the shares brought over from earlier days."""
        return self.holdings[token][1] if token in self.holdings else 0

    def position_rows(self) -> dict[str, object]:
        """Return net and day positions; nothing is carried, so they are alike."""
        rows = [position.row() for position in self.positions.values()]
        return {"net": rows, "day": rows}

    def holding_rows(self) -> list[dict[str, object]]:
        """Return the holdings as Kite lists them."""
        return [self._holding(*held) for held in self.holdings.values()]

    def _holding(self, listing: Listing, quantity: int, average: float) -> dict[str, object]:
        instrument, last = listing.instrument, listing.ltp
        sold = max(0, -self.quantity(int(instrument.token), "CNC"))
        change = last - instrument.close
        return {
            "tradingsymbol": instrument.symbol,
            "exchange": instrument.exchange,
            "instrument_token": instrument.token,
            "isin": f"INSANDBOX{int(instrument.token) >> 8:06d}"[:12],
            "product": "CNC",
            "price": 0,
            "quantity": quantity - sold,
            "used_quantity": sold,
            "t1_quantity": 0,
            "realised_quantity": quantity,
            "authorised_quantity": 0,
            "authorised_date": "",
            "opening_quantity": quantity,
            "short_quantity": 0,
            "collateral_quantity": 0,
            "collateral_type": "",
            "discrepancy": False,
            "average_price": average,
            "last_price": last,
            "close_price": instrument.close,
            "pnl": (last - average) * (quantity - sold),
            "day_change": change,
            "day_change_percentage": change / instrument.close * 100,
        }
