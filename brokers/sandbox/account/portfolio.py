"""The account's shares: positions of today, carried ones, and holdings, settled or waiting (T1)."""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final, final
from zlib import crc32

from brokers.sandbox import kite_times
from brokers.sandbox.account.product_position import ProductPosition
from brokers.sandbox.http import SandboxApiError
from brokers.sandbox.market.client_order import ClientTrade
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex

MARGIN_FINANCED: Final = 0.5
"""Part of the value of shares bought on margin (MTF) that the account pays itself."""
OTHER: Final = {"NSE": ("BSE", 4), "BSE": ("NSE", 1)}
"""Exchange → the other one a share is listed at, and the segment of its tokens."""


@final
class ShareHolding:
    """Shares brought over from earlier days; `unsettled` (T1) ones were bought the day before."""

    def __init__(
        self, listing: ExchangeListing, quantity: int, average: float, unsettled: int = 0
    ) -> None:
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
class AccountPortfolio:
    """Positions and holdings of a day.

    `consent`: shares can be sold without an authorisation at the depository.

    `elsewhere` gives the exchange and token that a holding is listed under, where that is not
    its own.
    """

    def __init__(
        self,
        day: str,
        holdings: Iterable[ShareHolding] = (),
        positions: Iterable[ProductPosition] = (),
        *,
        consent: bool = True,
        elsewhere: Callable[[ExchangeListing], tuple[str, int]] | None = None,
    ) -> None:
        self._day = day
        self.holdings = {int(holding.listing.instrument.token): holding for holding in holdings}
        # A holding can be sold at both exchanges, and its ISIN is what they have in common.
        self._by_isin = {isin(holding.listing): holding for holding in self.holdings.values()}
        self._elsewhere = elsewhere
        self.positions = {
            (int(one.listing.instrument.token), one.product): one for one in positions
        }
        self._consent = consent

    def apply_trade(self, trade: ClientTrade) -> None:
        """Book a trade of ours."""
        ask = trade.order.ask
        self.position(ask.listing, ask.product).add_trade(ask.side, trade.ticks, trade.quantity)

    def position(self, listing: ExchangeListing, product: str) -> ProductPosition:
        """Return the position of a product, a new one where there is none."""
        return self.positions.setdefault(
            (int(listing.instrument.token), product), ProductPosition(listing, product)
        )

    def net_quantity(self, token: int, product: str) -> int:
        """Return the net quantity of a product."""
        position = self.positions.get((token, product))
        return position.quantity if position else 0

    def sellable_quantity(self, listing: ExchangeListing) -> int:
        """Return the shares from earlier days that may still be sold here.

        Those sold at the other exchange are gone.
        """
        holding = self._by_isin.get(isin(listing))
        if holding is None:
            return 0
        # Sales here are in the position that the caller nets with; only the other exchange's count.
        here = max(0, -self.net_quantity(int(listing.instrument.token), "CNC"))
        return holding.total - (self.sold_quantity(holding) - here)

    def sold_quantity(self, holding: ShareHolding) -> int:
        """Return the shares of a holding that were sold today, at either exchange."""
        share = isin(holding.listing)
        return sum(
            max(0, -position.quantity)
            for position in self.positions.values()
            if position.product == "CNC" and isin(position.listing) == share
        )

    def check_authorised(self, listing: ExchangeListing, quantity: int) -> None:
        """Raise the documented 428 where a sale of holdings lacks its authorisation."""
        holding = self._by_isin.get(isin(listing))
        if self._consent or holding is None:
            return
        # shares of today need no authorisation
        bought = max(0, self.net_quantity(int(listing.instrument.token), "CNC"))
        missing = quantity + self.sold_quantity(holding) - holding.authorised - bought
        if missing > 0:
            message = f"{missing} quantity needs authorisation at depository."
            raise SandboxApiError(HTTPStatus.PRECONDITION_REQUIRED, "HoldingException", message)

    def authorise(self, now: int, isins: list[str]) -> None:
        """Authorise holdings for sale, all of them where none is named."""
        for holding in self.holdings.values():
            # Unsettled shares too: they can be sold, and a sale of them needs it as well.
            if not isins or isin(holding.listing) in isins:
                holding.authorised = holding.total
                holding.authorised_at = kite_times.text(now)

    def position_rows(self) -> dict[str, object]:
        """Return net and day positions; shares financed on earlier days are among the holdings."""
        rows = list(self.positions.values())
        return {
            "net": [
                p.row(day=p.product == "MTF") for p in rows if p.product != "MTF" or p.was_traded
            ],
            "day": [position.row(day=True) for position in rows if position.was_traded],
        }

    def holding_rows(self) -> list[dict[str, object]]:
        """Return the holdings as Kite lists them."""
        financed = {
            token: position
            for (token, product), position in self.positions.items()
            if product == "MTF" and position.overnight
        }
        # Shares that are held on margin alone have a row of Kite's all the same, with none of one's
        # own.
        bare = [
            ShareHolding(financed[token].listing, 0, 0.0)
            for token in financed
            if token not in self.holdings
        ]
        return [
            self._holding_row(held)
            | {"mtf": _financed_fields(financed.get(int(held.listing.instrument.token)))}
            for held in (*self.holdings.values(), *bare)
        ]

    def compact_rows(self) -> list[dict[str, object]]:
        """Return the holdings in brief."""
        keys = ("exchange", "tradingsymbol", "instrument_token", "quantity", "t1_quantity")
        return [{key: row[key] for key in keys} for row in self.holding_rows()]

    def summary(self) -> dict[str, float]:
        """Return what all holdings are worth, and what they gained in all and today."""
        invested = current = today = 0.0
        for holding in self.holdings.values():
            # Kite takes shares that are sold today off the holding at once.
            left = holding.total - self.sold_quantity(holding)
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

    def _holding_row(self, holding: ShareHolding) -> dict[str, object]:
        instrument, last, sold = (
            holding.listing.instrument,
            holding.listing.ltp,
            self.sold_quantity(holding),
        )
        # a sale takes settled shares first, then those of yesterday
        settled = holding.quantity - min(sold, holding.quantity)
        unsettled = holding.unsettled - max(0, sold - holding.quantity)
        change = last - instrument.close
        exchange, token = instrument.exchange, int(instrument.token)
        if self._elsewhere is not None:
            exchange, token = self._elsewhere(holding.listing)
        return {
            "tradingsymbol": instrument.symbol,
            "exchange": exchange,
            "instrument_token": token,
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
        }


def _financed_fields(position: ProductPosition | None) -> dict[str, object]:
    """Return the fields of a holding row about shares bought on margin, less those sold today."""
    if position is None:
        return {
            "quantity": 0,
            "used_quantity": 0,
            "average_price": 0,
            "value": 0,
            "initial_margin": 0,
        }
    used = min(position.overnight, max(0, position.sold - position.bought))
    left, average = position.overnight - used, position.carried / 1e4 / position.overnight
    return {
        "quantity": left,
        "used_quantity": used,
        "average_price": average,
        "value": left * average,
        "initial_margin": left * average * MARGIN_FINANCED,
    }


def isin(listing: ExchangeListing) -> str:
    """Return the ISIN of a share: twelve characters made of its symbol, the same everywhere."""
    return f"INE{crc32(listing.instrument.symbol.encode()) % 10**9:09d}"


def other_listing(
    listings: Mapping[str, ExchangeListing | ListedIndex], listing: ExchangeListing
) -> tuple[str, int]:
    """Return the exchange and token of a share's other listing.

    The token is made up where it is not listed there.
    """
    symbol, (other, segment) = listing.instrument.symbol, OTHER[listing.instrument.exchange]
    twin = listings.get(f"{other}:{symbol}")
    return other, int(twin.instrument.token) if twin else (
        500_000 + crc32(symbol.encode()) % 50_000
    ) << 8 | segment
