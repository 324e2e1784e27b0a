"""The trades that tax and account statements are made from: one executed part of an order, with what it cost.

Rows come from the desk's own fills, or from a broker's tradebook (CSV); values and charges are paise.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from compiled.charges import NANO, Rates, RateTable, order_charges
from compiled.model import Instrument, Product, Side, paise
from engine.errors import DataError
from engine.market import charges
from engine.market.calendar import ist_day
from engine.market.rules import multiplier

TRADEBOOK = ("symbol", "trade_date", "exchange", "trade_type", "quantity", "price", "order_id", "order_execution_time")
OPTIONS = frozenset({"OPT", "CUR_OPT", "COM_OPT"})


class Deal(NamedTuple):
    """One executed trade; `segment` is that of `charges.json`, `charges` include `stt` (STT or CTT)."""

    day: date
    ts: int | str
    exchange: str
    symbol: str
    segment: str
    side: Side
    quantity: int
    value: int
    charges: int
    stt: int
    order_id: str

    @property
    def equity(self) -> bool:
        """Tell whether it is a share or a fund's unit, which can be delivered."""
        return self.segment.startswith(("EQ_", "ETF_"))


def deals_of(fills: Iterable[Mapping[str, object]], table: RateTable) -> list[Deal]:
    """Return the desk's fills as deals, oldest first; raise `DataError` for a row that cannot be read.

    A row needs ts (ns UTC), exchange, symbol, side, quantity, price (₹) and order_id; `product` is CNC where it is
    missing, `charges` (paise) are worked out where they are.
    """
    found = []
    for row in fills:
        try:
            ts = int(str(row["ts"]))
            found.append(_deal(row, ist_day(ts), ts, str(row.get("product") or "CNC"), table))
        except (KeyError, ValueError) as error:
            raise DataError(f"fill {row.get('trade_id', '')}: {error}") from error
    return sorted(found, key=lambda deal: (deal.day, deal.ts))


def read_tradebook(text: str, source: str, table: RateTable) -> list[Deal]:
    """Return the rows of a tradebook (CSV, as Zerodha's Console exports it), oldest first; raise `DataError`.

    It tells no product and no charges: shares bought and sold on one day are charged as intraday, up to the smaller
    quantity, all others as delivery. MCX is counted in lots there.
    """
    rows = csv.DictReader(text.splitlines())
    lacking = [name for name in TRADEBOOK if name not in (rows.fieldnames or ())]
    if lacking:
        raise DataError(f"{source}: no tradebook, it lacks {', '.join(lacking)}")
    found = []
    for row in rows:
        try:
            day = date.fromisoformat(row["trade_date"])
            units = float(row["quantity"]) * _units(day, row["exchange"], row["symbol"])
            fields = {**row, "side": row["trade_type"].upper(), "quantity": units, "charges": None}
            found.append(_deal(fields, day, row["order_execution_time"], "", table))
        except (KeyError, ValueError) as error:
            raise DataError(f"{source}, line {rows.line_num}: {error}") from error
    priced = (_priced(deal, table) if deal.equity else deal for deal in by_product(found))
    return sorted(priced, key=lambda deal: (deal.day, str(deal.ts)))


def by_product(deals: Iterable[Deal]) -> list[Deal]:
    """Return the deals with the segment they are charged in: delivery that was closed on its day is intraday.

    What they cost stays that of their old segment.
    """
    groups: defaultdict[tuple[date, str, str, str], list[Deal]] = defaultdict(list)
    for deal in deals:
        groups[deal.day, deal.exchange, deal.symbol, deal.segment].append(deal)
    found: list[Deal] = []
    for (_, _, _, segment), rows in groups.items():
        sides = [sum(deal.quantity for deal in rows if deal.side is side) for side in (Side.BUY, Side.SELL)]
        if segment != "EQ_DELIVERY" or not min(sides):
            found += rows
            continue
        for side in (Side.BUY, Side.SELL):
            found += _split([deal for deal in rows if deal.side is side], min(sides))
    return found


def _split(rows: list[Deal], intraday: int) -> list[Deal]:
    """Return one side's deals, the first `intraday` shares of them charged as intraday."""
    found = []
    for deal in sorted(rows, key=lambda each: str(each.ts)):
        part = min(intraday, deal.quantity)
        intraday -= part
        value = (deal.value * part * 2 + deal.quantity) // (2 * deal.quantity)
        if part:
            found.append(deal._replace(segment="EQ_INTRADAY", quantity=part, value=value))
        if part < deal.quantity:
            found.append(deal._replace(quantity=deal.quantity - part, value=deal.value - value))
    return found


def _units(day: date, exchange: str, symbol: str) -> int:
    units = multiplier(day, exchange, symbol)
    if not units:
        raise DataError(f"nobody knows what a lot of {symbol} holds: add it to `units` in engine/market/rules.json")
    return units


def _deal(row: Mapping[str, object], day: date, ts: int | str, product: str, table: RateTable) -> Deal:
    exchange, symbol = str(row["exchange"]), str(row["symbol"])
    instrument = Instrument(0, exchange, symbol, 0.01, 1, kind_of(exchange, symbol))
    kind = Product[product] if product else Product.CNC if instrument.kind == "EQ" else Product.NRML
    segment = charges.segment(instrument, kind)
    side, quantity = Side[str(row["side"])], int(float(str(row["quantity"])))
    value = int(paise(float(str(row["price"])), quantity))
    made = Deal(day, ts, exchange, symbol, segment, side, quantity, value, 0, 0, str(row["order_id"]))
    deal, told = _priced(made, table), row.get("charges")
    return deal if told is None else deal._replace(charges=int(str(told)))


def _priced(deal: Deal, table: RateTable) -> Deal:
    """Return a deal with what it costs, as an order of its own."""
    rates = rates_of(table, deal.segment, deal.exchange, deal.day)
    rate = int(rates.tax_buy if deal.side is Side.BUY else rates.tax_sell)
    charged = int(order_charges(rates, deal.side, deal.quantity, deal.value))
    return deal._replace(charges=charged, stt=(deal.value * rate + NANO // 2) // NANO)


def rates_of(table: RateTable, segment: str, exchange: str, day: date) -> Rates:
    """Return what is charged on a day; raise `DataError` where the table does not cover it."""
    try:
        return table.rates(segment, exchange, number(day))
    except LookupError as error:
        raise DataError(str(error.args[0])) from error


def number(day: date) -> int:
    """Return a day as the charge tables count it, yyyymmdd."""
    return day.year * 10_000 + day.month * 100 + day.day


def kind_of(exchange: str, symbol: str) -> str:
    """Return EQ, FUT, CE or PE from a symbol as Kite writes it."""
    if exchange in {"NSE", "BSE"}:
        return "EQ"
    return next((kind for kind in ("FUT", "CE", "PE") if symbol.endswith(kind)), "")
