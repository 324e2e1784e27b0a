"""Read the dated table of Zerodha's charges that ships with the desk."""

from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, Protocol, get_args

import msgspec

from compiled.accounting.charges import FOREVER, NANO, ChargeRates, ChargeRow, RateTable
from compiled.model.values import Instrument, Product
from engine.errors import DataError, in_words
from engine.market.asset_classes import AssetClass, asset_of

FILE = Path(__file__).with_name("charges.json")

Segment = Literal[
    "EQ_DELIVERY",
    "EQ_INTRADAY",
    "EQ_MTF",
    "ETF_EQUITY_DELIVERY",
    "FUND_DELIVERY",
    "FUND_INTRADAY",
    "BOND_DELIVERY",
    "BOND_INTRADAY",
    "MF_EQUITY",
    "MF_OTHER",
    "FUT",
    "OPT",
    "CUR_FUT",
    "CUR_OPT",
    "COM_FUT",
    "COM_OPT",
]
TRADED: tuple[Segment, ...] = tuple(
    name for name in get_args(Segment) if not name.startswith("MF_")
)
Exchange = Literal["NSE", "BSE", "BSE-X", "BSE-S", "MCX"]
Confidence = Literal["high", "medium", "low"]


class ChargeSource(Protocol):
    """A table of charges, or what stands in its place."""

    def rates(self, segment: str, exchange: str, day: int) -> ChargeRates:
        """Return the rates of a day (yyyymmdd); raise `LookupError` where there are none."""
        ...


_DELIVERY = {
    AssetClass.SHARE: "EQ_DELIVERY",
    AssetClass.EQUITY_FUND: "ETF_EQUITY_DELIVERY",
    AssetClass.OTHER_FUND: "FUND_DELIVERY",
    AssetClass.DEBT_FUND: "FUND_DELIVERY",
    AssetClass.BOND: "BOND_DELIVERY",
}
CLOSED = {
    "EQ_DELIVERY": "EQ_INTRADAY",
    "ETF_EQUITY_DELIVERY": "EQ_INTRADAY",
    "FUND_DELIVERY": "FUND_INTRADAY",
    "BOND_DELIVERY": "BOND_INTRADAY",
}
"""In which segment delivery is charged that was closed on its day."""
ARTICLES = {
    AssetClass.EQUITY_FUND: "a unit of an equity fund (STT 0.001 % on the sale)",
    AssetClass.OTHER_FUND: "a unit of a fund without STT",
    AssetClass.DEBT_FUND: "a unit of a fund without STT",
    AssetClass.BOND: "a bond without STT and stamp duty",
}
_GROUPS = {
    **dict.fromkeys(("X", "XC", "XD", "XT", "Z", "ZP"), "BSE-X"),
    **dict.fromkeys(("SS", "ST"), "BSE-S"),
}
_MARKETS = {"NFO": "", "BFO": "", "CDS": "CUR_", "BCD": "CUR_", "MCX": "COM_"}


class _DatedCharge(
    msgspec.Struct,
    rename={"first": "from", "last": "until"},
    forbid_unknown_fields=True,
    kw_only=True,
):
    first: date
    last: date | None = None
    source: list[str]
    confidence: Confidence
    note: str = ""

    def covers(self, day: int) -> bool:
        return _day_number(self.first) <= day <= _day_number(self.last)


class _ChargeRate(_DatedCharge, kw_only=True):
    charge: str
    segments: tuple[Segment, ...] = TRADED
    exchanges: tuple[Exchange, ...] = get_args(Exchange)
    rate: Decimal = Decimal(0)
    buy: Decimal = Decimal(0)
    sell: Decimal = Decimal(0)
    flat: Decimal = Decimal(0)
    # -1 paisa in the core's unit: no cap. 0 would be one.
    cap: Decimal = Decimal("-0.01")

    def rows(self) -> list[ChargeRow]:
        """Return one row per segment and exchange."""
        buy, sell = (
            _whole_units((self.rate + self.buy) * NANO),
            _whole_units((self.rate + self.sell) * NANO),
        )
        flat, cap = _whole_units(self.flat * 100), _whole_units(self.cap * 100)
        first, last = _day_number(self.first), _day_number(self.last)
        return [
            ChargeRow(
                self.charge,
                segment,
                exchange=exchange,
                first=first,
                last=last,
                buy=buy,
                sell=sell,
                flat=flat,
                cap=cap,
            )
            for segment in self.segments
            for exchange in self.exchanges
        ]


class _BrokerFee(_DatedCharge, kw_only=True):
    fee: str
    amount: Decimal


class _ChargeTable(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    read: date
    sources: dict[str, str]
    rates: list[_ChargeRate]
    fees: list[_BrokerFee]


def load_rate_table(file: Path = FILE) -> RateTable:
    """Return the rate table; raise `DataError` naming the file and its fault."""
    try:
        return RateTable([row for rate in _read_charges(file).rates for row in rate.rows()])
    except ValueError as error:
        raise DataError(f"{file}: {error}") from error


def fee(name: str, day: int, file: Path = FILE) -> int:
    """Return a fee outside the contract note in paise, GST included, on a day (yyyymmdd).

    `dp` is debited per ISIN and day on which delivery shares are sold, `square_off` per order the
    broker places for us. Raises `LookupError` when the table does not cover the day.
    """
    for row in _read_charges(file).fees:
        if row.fee == name and row.covers(day):
            return _whole_units(row.amount * 100)
    raise LookupError(f"no fee {name} on {day}: add the row to engine/market/charges.json")


@lru_cache(maxsize=10_000)
def depository_fee(day: date) -> int:
    """Return what the depository debits for a share that leaves on a day, in paise.

    It is in no contract note. Of a day before the table begins it is 0: charged nothing rather than
    not run.
    """
    try:
        return int(fee("dp", _day_number(day)))
    except LookupError:
        return 0


def charge_segment(instrument: Instrument, product: Product) -> str:
    """Return the charge segment of a trade.

    Raise `ValueError` where there is none (an index, NRML on a share).
    """
    found = (
        security_segment(asset_of(instrument.symbol, instrument.name), product)
        if instrument.kind == "EQ"
        else ""
    )
    if found:
        return found
    market = _MARKETS.get(instrument.exchange)
    if market is not None and instrument.kind in {"FUT", "CE", "PE"}:
        return market + ("FUT" if instrument.kind == "FUT" else "OPT")
    raise ValueError(
        f"no charge segment for {instrument.exchange}:{instrument.symbol} ({instrument.kind}, "
        f"{product.name})"
    )


def security_segment(asset: AssetClass, product: Product) -> str:
    """Return the charge segment of a trade in the cash market, "" where there is none."""
    delivered = _DELIVERY[asset]
    return {Product.CNC: delivered, Product.MIS: CLOSED[delivered], Product.MTF: "EQ_MTF"}.get(
        product, ""
    )


def intraday_segment(instrument: Instrument, product: Product) -> str:
    """Return the segment of shares closed on their day, "" where that changes nothing."""
    return CLOSED.get(charge_segment(instrument, product), "")


def charge_exchange(exchange: str, group: str) -> str:
    """Return under which exchange the table has a security.

    Some groups of BSE have rates of their own.
    """
    return _GROUPS.get(group, exchange) if exchange == "BSE" else exchange


def charge_doubt(instrument: Instrument) -> str:
    """Return the doubt in a charge that the instrument list leaves open, "" without one."""
    if instrument.kind != "EQ":
        return ""
    if instrument.exchange == "BSE":
        return (
            "charged as BSE's groups A and B: X, XC, XD, XT, Z and ZP pay 0.1 % to the exchange, "
            "SS and ST 1 %"
        )
    asset = asset_of(instrument.symbol, instrument.name)
    return "" if asset is AssetClass.SHARE else f"charged as {ARTICLES[asset]}, by its name"


@cache
def _read_charges(file: Path) -> _ChargeTable:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_ChargeTable)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{file}: {in_words(error)}") from error


def _day_number(day: date | None) -> int:
    return FOREVER if day is None else day.year * 10_000 + day.month * 100 + day.day


def _whole_units(amount: Decimal) -> int:
    # Refused, not rounded: a rate finer than the core's unit would be wrong on every note.
    if amount != int(amount):
        raise ValueError(f"{amount.normalize()} is finer than the table's unit")
    return int(amount)
