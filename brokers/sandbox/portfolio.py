"""What the account holds: positions of today and carried ones, and holdings, settled or waiting for it (T1)."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import final

from brokers.sandbox import ist
from brokers.sandbox.listing import Listing
from brokers.sandbox.orders import Trade
from brokers.sandbox.position import Position
from brokers.sandbox.wire import ApiError


@final
class Holding:
    """Shares brought over from earlier days; `unsettled` (T1) ones were bought the day before."""

    def __init__(self, listing: Listing, quantity: int, average: float, unsettled: int = 0) -> None:
        self.listing = listing
        self.quantity = quantity
        self.average = average
        self.unsettled = unsettled
        self.authorised = 0
        self.authorised_at = ""

    @property
    def total(self) -> int:
        """Return every share of it."""
        return self.quantity + self.unsettled


@final
class Portfolio:
    """Positions and holdings of a day; `consent`: shares can be sold without an authorisation at the depository."""

    def __init__(
        self, day: str, holdings: Iterable[Holding] = (), positions: Iterable[Position] = (), *, consent: bool = True
    ) -> None:
        self._day = day
        self.holdings = {int(holding.listing.instrument.token): holding for holding in holdings}
        self.positions = {(int(one.listing.instrument.token), one.product): one for one in positions}
        self._consent = consent

    def apply(self, trade: Trade) -> None:
        """Book a trade of ours."""
        ask = trade.order.ask
        self.position(ask.listing, ask.product).fill(ask.side, trade.ticks, trade.quantity)

    def position(self, listing: Listing, product: str) -> Position:
        """Return the position of a product, a new one where there is none."""
        return self.positions.setdefault((int(listing.instrument.token), product), Position(listing, product))

    def quantity(self, token: int, product: str) -> int:
        """Return the net quantity of a product."""
        position = self.positions.get((token, product))
        return position.quantity if position else 0

    def held(self, token: int) -> int:
        """Return the shares brought over from earlier days."""
        return self.holdings[token].total if token in self.holdings else 0

    def sold(self, holding: Holding) -> int:
        """Return the shares of a holding that were sold today."""
        return max(0, -self.quantity(int(holding.listing.instrument.token), "CNC"))

    def check_authorised(self, token: int, quantity: int) -> None:
        """Raise the documented 428 where a sale of holdings lacks the depository's authorisation."""
        if self._consent or token not in self.holdings:
            return
        holding = self.holdings[token]
        missing = quantity + self.sold(holding) - holding.authorised - max(0, self.quantity(token, "CNC"))
        if missing > 0:
            message = f"{missing} quantity needs authorisation at depository."
            raise ApiError(HTTPStatus.PRECONDITION_REQUIRED, "HoldingException", message)

    def authorise(self, now: int, isins: list[str]) -> None:
        """Authorise holdings for sale, all of them where none is named."""
        for holding in self.holdings.values():
            if not isins or isin(holding.listing) in isins:
                holding.authorised = holding.total
                holding.authorised_at = ist.text(now)

    def position_rows(self) -> dict[str, object]:
        """Return net and day positions."""
        rows = list(self.positions.values())
        return {
            "net": [position.row() for position in rows],
            "day": [position.row(day=True) for position in rows if position.traded],
        }

    def holding_rows(self) -> list[dict[str, object]]:
        """Return the holdings as Kite lists them."""
        return [self._holding(held) for held in self.holdings.values()]

    def compact_rows(self) -> list[dict[str, object]]:
        """Return the holdings in brief."""
        keys = ("exchange", "tradingsymbol", "instrument_token", "quantity", "t1_quantity")
        return [{key: row[key] for key in keys} for row in self.holding_rows()]

    def summary(self) -> dict[str, float]:
        """Return what all holdings are worth, and what they gained in all and today."""
        invested = current = today = 0.0
        for holding in self.holdings.values():
            left = holding.total - self.sold(holding)
            last = holding.listing.ltp
            invested += holding.average * left
            current += last * left
            today += (last - holding.listing.instrument.close) * left
        gained, before = current - invested, current - today
        return {
            "total_pnl": gained,
            "total_pnl_percent": gained / invested * 100 if invested else 0.0,
            "today_pnl": today,
            "today_pnl_percent": today / before * 100 if before else 0.0,
            "invested_amount": invested,
            "current_value": current,
        }

    def _holding(self, holding: Holding) -> dict[str, object]:
        instrument, last, sold = holding.listing.instrument, holding.listing.ltp, self.sold(holding)
        settled = holding.quantity - min(sold, holding.quantity)
        unsettled = holding.unsettled - max(0, sold - holding.quantity)
        change = last - instrument.close
        return {
            "tradingsymbol": instrument.symbol,
            "exchange": instrument.exchange,
            "instrument_token": instrument.token,
            "isin": isin(holding.listing),
            "product": "CNC",
            "price": 0,
            "quantity": settled,
            "used_quantity": sold,
            "t1_quantity": unsettled,
            "realised_quantity": holding.quantity,
            "authorised_quantity": holding.authorised,
            "authorised_date": holding.authorised_at or f"{self._day} 00:00:00",
            "authorisation": {},
            "opening_quantity": holding.total,
            "short_quantity": 0,
            "collateral_quantity": 0,
            "collateral_type": "",
            "discrepancy": False,
            "average_price": holding.average,
            "last_price": last,
            "close_price": instrument.close,
            "pnl": (last - holding.average) * (settled + unsettled),
            "day_change": change,
            "day_change_percentage": change / instrument.close * 100,
            "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0},
        }


def isin(listing: Listing) -> str:
    """Return the ISIN of a share: twelve characters made of its token."""
    return f"INE{int(listing.instrument.token) >> 8:06d}0100"[:12]
