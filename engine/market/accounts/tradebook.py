"""A broker's files about an account: tradebooks, and holdings as the stock to begin with.

Tradebooks are those of Zerodha's Console, today's and those of before 2021: shares, funds and bonds
(EQ), derivatives (FO, CDS, COM) and units bought off the exchange (MF). They name no product: all
but derivatives is taken for delivery.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from compiled.model import number_bounds
from compiled.model.values import SECOND, Product, Side
from engine.errors import DataError
from engine.market.accounts.deals import OPENING, AccountDeal, Quantity, segment_of
from engine.market.accounts.spreadsheet import (
    SheetRow,
    day_of,
    decimal_of,
    identifier_of,
    month_first,
    read_sheet,
    seconds_of,
)
from engine.market.asset_classes import AssetClass, asset_of
from engine.market.calendar import midnight
from engine.market.order_rules import multiplier
from engine.texts import checked_symbol as symbol_of

NEEDED = ("symbol", "trade_date", "exchange", "trade_type", "quantity", "price", "order_id")
NAMES = {
    "tradingsymbol": "symbol",
    "trading_symbol": "symbol",
    "scrip": "symbol",
    "date": "trade_date",
    "type": "trade_type",
    "transaction_type": "trade_type",
    "qty": "quantity",
    "trade_price": "price",
    "average_price": "price",
    "order_no": "order_id",
    "order_number": "order_id",
    "trade_no": "trade_id",
    "trade_number": "trade_id",
    "execution_time": "order_execution_time",
    "trade_time": "order_execution_time",
}
HELD = ("symbol", "quantity", "price", "date")
HELD_NAMES = {
    "instrument": "symbol",
    "tradingsymbol": "symbol",
    "qty": "quantity",
    "quantity_available": "quantity",
    "avg_cost": "price",
    "average_price": "price",
    "average_cost": "price",
    "cost": "price",
    "buy_price": "price",
    "buy_date": "date",
    "purchase_date": "date",
    "trade_date": "date",
    "allotment_date": "date",
    "acquired": "date",
}
SIDES = {"BUY": Side.BUY, "B": Side.BUY, "SELL": Side.SELL, "S": Side.SELL}
MARKETS = {
    ("NSE", "FO"): "NFO",
    ("BSE", "FO"): "BFO",
    ("NSE", "CDS"): "CDS",
    ("NSE", "CD"): "CDS",
    ("BSE", "CDS"): "BCD",
    ("BSE", "CD"): "BCD",
}
# In files without a column for the segment the contract's own name says it.
_CONTRACT = re.compile(r"\d{2}[A-Z]{3}FUT$|\d(CE|PE)$")


def read_tradebook(file: Path) -> list[AccountDeal]:
    """Return the trades of a tradebook, of MCX in lots.

    Raise `DataError` naming file, line and remedy.
    """
    rows = read_sheet(file, NEEDED, NAMES, "tradebook")
    american = month_first(row.cells["trade_date"] for row in rows)
    return [
        _read_row(file, row, lambda each: _trade_of_row(each, american=american)) for row in rows
    ]


def read_holdings(file: Path) -> list[AccountDeal]:
    """Return holdings without a trade (an IPO, a transfer, a gift) as lots without charges.

    Raise `DataError`.
    """
    try:
        rows = read_sheet(file, HELD, HELD_NAMES, "list of holdings")
    except DataError as error:
        # The one column a broker's holdings never have: the tax depends on it.
        if not str(error).endswith("lacks date"):
            raise
        raise DataError(
            f"{file}: add a column `date`, the day from which each is held: of an IPO the "
            f"allotment, of a gift the giver's"
        ) from error
    american = month_first(row.cells["date"] for row in rows)
    return [
        _read_row(file, row, lambda each: _holding_of_row(each, american=american)) for row in rows
    ]


def _read_row(file: Path, row: SheetRow, read: Callable[[SheetRow], AccountDeal]) -> AccountDeal:
    try:
        return read(row)
    except (KeyError, ValueError, ArithmeticError) as error:
        raise DataError(f"{file}, line {row.line}: {error}") from error


def _trade_of_row(row: SheetRow, *, american: bool) -> AccountDeal:
    cells = row.cells
    executed_at = cells.get("order_execution_time", "")
    day = _agreed_day(cells["trade_date"], executed_at, american=american)
    ts = midnight(day) + (seconds_of(executed_at) or 0) * SECOND
    symbol, exchange = symbol_of(cells["symbol"]).upper(), _exchange_of(cells)
    isin, off = cells.get("isin", ""), cells.get("segment", "").upper() == "MF"
    asset = (
        asset_of(symbol, symbol if off else "", isin)
        if exchange in {"NSE", "BSE"}
        else AssetClass.SHARE
    )
    if off:
        segment = "MF_EQUITY" if asset is AssetClass.EQUITY_FUND else "MF_OTHER"
    else:
        segment = segment_of(
            exchange, symbol, asset, Product.CNC if exchange in {"NSE", "BSE"} else Product.NRML
        )
    quantity = _quantity_of(cells["quantity"])
    if exchange == "MCX":
        quantity *= _lot_units(day, exchange, symbol)
    side = SIDES.get(cells["trade_type"].upper())
    if side is None:
        raise ValueError(f"trade_type {cells['trade_type']!r}: expected buy or sell")
    group = cells.get("series", "").upper() if exchange == "BSE" else ""
    return AccountDeal(
        day,
        ts,
        exchange=exchange,
        symbol=symbol,
        segment=segment,
        side=side,
        quantity=quantity,
        value=_value_of(cells["price"], quantity),
        charges=0,
        stt=0,
        order_id=identifier_of(cells["order_id"]),
        trade_id=identifier_of(cells.get("trade_id", "")),
        isin=isin,
        asset=asset,
        group=group,
    )


def _holding_of_row(row: SheetRow, *, american: bool) -> AccountDeal:
    cells = row.cells
    day = day_of(cells["date"], american=american)
    symbol, isin, quantity = (
        symbol_of(cells["symbol"]).upper(),
        cells.get("isin", ""),
        _quantity_of(cells["quantity"]),
    )
    return AccountDeal(
        day,
        midnight(day),
        exchange=cells.get("exchange", "") or "NSE",
        symbol=symbol,
        segment=OPENING,
        side=Side.BUY,
        quantity=quantity,
        value=_value_of(cells["price"], quantity),
        charges=0,
        stt=0,
        order_id="",
        trade_id="",
        isin=isin,
        asset=asset_of(symbol, "", isin),
    )


def _agreed_day(text: str, executed_at: str, *, american: bool) -> date:
    """Return the day of a trade.

    The time of execution has it too, and a spreadsheet leaves that as it was.
    """
    day = day_of(text, american=american)
    if not re.match(r"\d{4}-\d{2}-\d{2}", executed_at):
        return day
    executed = date.fromisoformat(executed_at[:10])
    # A spreadsheet of another region has read 03/04 as April: the time of execution, which it
    # leaves alone, decides.
    if executed != day and (executed.month, executed.day) != (day.day, day.month):
        raise ValueError(f"trade_date {text} and order_execution_time {executed_at} are two days")
    return executed


def _exchange_of(cells: dict[str, str]) -> str:
    exchange, segment = cells["exchange"].upper(), cells.get("segment", "").upper()
    if not segment and _CONTRACT.search(cells["symbol"].upper()):
        segment = "FO"
    return MARKETS.get((exchange, segment), exchange)


def _quantity_of(text: str) -> Quantity:
    number = decimal_of(text)
    if not 0 < number <= int(number_bounds.HELD):
        raise ValueError(
            f"quantity {text!r}: expected more than nothing, at most {number_bounds.HELD}"
        )
    return int(number) if number == int(number) else number


def _value_of(price: str, quantity: Quantity) -> int:
    each = decimal_of(price)
    if not 0 <= each <= int(number_bounds.PRICE):
        raise ValueError(
            f"price {price!r}: expected nothing below zero, at most {number_bounds.PRICE:.0f}"
        )
    # Decimal throughout: a fund's units have three places, its price four.
    value = int((each * quantity * 100).quantize(Decimal(1), ROUND_HALF_UP))
    if value > number_bounds.TURNOVER:
        raise ValueError(f"{quantity} at {price}: worth more than ₹1,000 crore")
    return value


def _lot_units(day: date, exchange: str, symbol: str) -> int:
    units = multiplier(day, exchange, symbol)
    if not units:
        raise DataError(
            f"nobody knows what a lot of {symbol} holds: add it to `units` in "
            f"engine/market/rules.json"
        )
    return units
