"""The trades that tax and account statements are made from: one executed part of an order, with what it cost.

Rows come from the desk's own fills, or from a broker's tradebook (CSV); values and charges are paise.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import accumulate, pairwise
from typing import NamedTuple

from compiled.charges import HOME, NANO, Rates, RateTable, note_total, order_brokerage, order_charges
from compiled.model import SECOND, Instrument, Product, Side, paise
from engine.errors import DataError
from engine.market import charges
from engine.market.calendar import IST, ist_day
from engine.market.rules import multiplier

TRADEBOOK = ("symbol", "trade_date", "exchange", "trade_type", "quantity", "price", "order_id", "order_execution_time")
OPTIONS = frozenset({"OPT", "CUR_OPT", "COM_OPT"})


class Note(NamedTuple):
    """Which contract note: of one day, at one exchange, in one segment."""

    day: date
    exchange: str
    segment: str


class Deal(NamedTuple):
    """One executed trade; `segment` is that of `charges.json`, `ts` ns UTC.

    `charges` are its share of the day's contract note and include STT or CTT; `stt` is that tax on it alone, to the paisa.
    """

    day: date
    ts: int
    exchange: str
    symbol: str
    segment: str
    side: Side
    quantity: int
    value: int
    charges: int
    stt: int
    order_id: str
    trade_id: str = ""

    @property
    def when(self) -> tuple[date, int, int, str]:
        """Return its place in time: among those of one moment, exchanges number trades as they come."""
        return self.day, self.ts, len(self.trade_id), self.trade_id

    @property
    def equity(self) -> bool:
        """Tell whether it is a share or a fund's unit, which can be delivered."""
        return self.segment.startswith(("EQ_", "ETF_"))


def deals_of(fills: Iterable[Mapping[str, object]]) -> list[Deal]:
    """Return the desk's fills as deals; raise `DataError` for a row that cannot be read.

    A row needs ts (ns UTC), exchange, symbol, side, quantity, price (₹), order_id and trade_id; `product` is CNC where
    it is missing. What they cost, `charged` works out.
    """
    found = []
    for row in fills:
        try:
            ts = int(str(row["ts"]))
            found.append(_deal(row, ist_day(ts), ts, str(row.get("product") or "CNC")))
        except (KeyError, ValueError) as error:
            raise DataError(f"fill {row.get('trade_id', '')}: {error}") from error
    return found


def read_tradebook(text: str, source: str) -> list[Deal]:
    """Return the rows of a tradebook (CSV, as Zerodha's Console exports it); raise `DataError`.

    It tells no product and no charges: shares are delivery until `charged` nets them. MCX is counted in lots there.
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
            fields = {**row, "side": row["trade_type"].upper(), "quantity": units}
            ts = int(datetime.fromisoformat(row["order_execution_time"] + "Z").timestamp()) * SECOND - IST
            found.append(_deal(fields, day, ts, ""))
        except (KeyError, ValueError) as error:
            raise DataError(f"{source}, line {rows.line_num}: {error}") from error
    return found


def charged(deals: Iterable[Deal], table: RateTable) -> list[Deal]:
    """Return the deals, oldest first, with the segment they are charged in and their shares of its contract notes.

    Raises `DataError` where the table does not cover a day.
    """
    found: list[Deal] = []
    for note, rows in notes_of(deals).items():
        rates = rates_of(table, note.segment, note.exchange, note.day)
        weights = _weights(rows, rates)
        for deal, share in zip(rows, shares(billed(rows, rates), weights), strict=True):
            rate = int(rates.tax_buy if deal.side is Side.BUY else rates.tax_sell)
            found.append(deal._replace(charges=share, stt=(deal.value * rate + NANO // 2) // NANO))
    return sorted(found, key=lambda deal: deal.when)


def notes_of(deals: Iterable[Deal]) -> dict[Note, list[Deal]]:
    """Return the deals by contract note, oldest first; delivery that was closed on its day is intraday."""
    found: defaultdict[Note, list[Deal]] = defaultdict(list)
    for deal in sorted(by_product(deals), key=lambda each: each.when):
        found[Note(deal.day, HOME.get(deal.exchange, deal.exchange), deal.segment)].append(deal)
    return dict(sorted(found.items()))


def billed(rows: Iterable[Deal], rates: Rates) -> int:
    """Return what the note of these deals says, in paise; brokerage is once per order."""
    sums, brokerage = {Side.BUY: 0, Side.SELL: 0}, 0
    for (side, _), value in _orders(rows).items():
        sums[side] += value
        brokerage += int(order_brokerage(rates, value))
    return int(note_total(rates, sums[Side.BUY], sums[Side.SELL], brokerage))


def _orders(rows: Iterable[Deal]) -> dict[tuple[Side, str], int]:
    orders: defaultdict[tuple[Side, str], int] = defaultdict(int)
    for deal in rows:
        orders[deal.side, deal.order_id] += deal.value
    return orders


def _weights(rows: Iterable[Deal], rates: Rates) -> list[int]:
    """Return what each deal's part of its order would cost by itself: as a note is rounded, shares are in proportion."""
    orders = _orders(rows)
    return [
        int(order_charges(rates, deal.side, deal.quantity, orders[deal.side, deal.order_id])) * deal.value * NANO
        // (orders[deal.side, deal.order_id] or 1)
        for deal in rows
    ]  # fmt: skip


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole paise in proportion to the weights, which add up to the total."""
    whole = sum(weights)
    if not whole:
        return [*(0 for _ in weights[1:]), total]
    ends = [(2 * total * reached + whole) // (2 * whole) for reached in accumulate(weights)]
    return [end - begin for begin, end in pairwise([0, *ends])]


def by_product(deals: Iterable[Deal]) -> list[Deal]:
    """Return the deals with the segment they are charged in: delivery that was closed on its day is intraday.

    The smaller quantity of the two sides is, in one instrument at one exchange, the earliest shares of either side.
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
    for deal in sorted(rows, key=lambda each: each.when):
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


def _deal(row: Mapping[str, object], day: date, ts: int, product: str) -> Deal:
    exchange, symbol = str(row["exchange"]), str(row["symbol"])
    instrument = Instrument(0, exchange, symbol, 0.01, 1, kind_of(exchange, symbol))
    kind = Product[product] if product else Product.CNC if instrument.kind == "EQ" else Product.NRML
    side, quantity = Side[str(row["side"])], int(float(str(row["quantity"])))
    value = int(paise(float(str(row["price"])), quantity))
    return Deal(
        day, ts, exchange, symbol, charges.segment(instrument, kind), side, quantity, value, 0, 0, str(row["order_id"]),
        str(row.get("trade_id") or ""),
    )  # fmt: skip


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
