"""Cost of a trade, on the command line, and options the market commands share."""

import csv
import difflib
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, NamedTuple, get_args

from cyclopts import Parameter

from compiled.accounting.charges import (
    CHARGES,
    HOME,
    LIMIT,
    ChargeBreakdown,
    RateTable,
    contract_note,
    estimate_charges,
)
from compiled.model.values import SECOND, Side, paise
from engine.errors import ConfigError, DataError, in_words
from engine.exit_codes import DONE
from engine.indian_time import INDIA
from engine.market import charges as rate_tables
from engine.market.accounts.deals import rates_of
from engine.market.break_even import break_even_ticks
from engine.market.calendar import ist_day
from engine.market.order_rules import OrderRules, TickClass
from engine.texts import plain_text
from tui.commands.shared.options import AsJson, Day
from tui.commands.shared.typed_values import NUMBER, read_day

KINDS = {"NSE": "EQ", "BSE": "EQ"}
TICK_CLASSES: dict[str, tuple[str, TickClass]] = {
    "EQ_DELIVERY": ("", "stock"),
    "EQ_INTRADAY": ("", "stock"),
    "EQ_MTF": ("", "stock"),
    "ETF_EQUITY_DELIVERY": ("", "etf"),
    "OPT": ("NFO", "option"),
}
"""Exchange and class of a segment's tick.

A future's goes by its underlying, which a segment does not have.
"""
TRADED = {
    "NFO": ("FUT", "OPT"),
    "BFO": ("FUT", "OPT"),
    "CDS": ("CUR_FUT", "CUR_OPT"),
    "BCD": ("CUR_FUT", "CUR_OPT"),
}
"""The segments of the derivatives markets."""
TOO_MUCH = 1e12
LEAST_TICK = 0.0001
COLUMNS = ("exchange", "segment", "side", "qty", "price")

# one value for each time: `--qty 10 20` would be two legs by accident
Many = Parameter(negative="", consume_multiple=False)


class ChargeLeg(NamedTuple):
    """One executed order to be charged; price in rupees."""

    exchange: str
    segment: str
    side: Side
    quantity: int
    price: float


def charges(
    *,
    exchange: Annotated[
        tuple[str, ...],
        Many,
        Parameter(help="NSE, BSE, MCX, NFO, BFO, CDS or BCD; repeated: one for each leg."),
    ] = (),
    segment: Annotated[
        tuple[str, ...],
        Many,
        Parameter(help="EQ_DELIVERY, EQ_INTRADAY, EQ_MTF, FUT, OPT, CUR_FUT, COM_FUT, ..."),
    ] = (),
    side: Annotated[tuple[str, ...], Many, Parameter(help="BUY or SELL.")] = (),
    qty: Annotated[tuple[str, ...], Many, Parameter(help="Shares or units, not lots.")] = (),
    price: Annotated[
        tuple[str, ...], Many, Parameter(help="Rupees; for an option the premium.")
    ] = (),
    day: Day = "",
    tick: Annotated[
        float, Parameter(help="Tick in rupees; 0: by the dated rules, not of futures.")
    ] = 0.0,
    file: Annotated[
        Path | None, Parameter(help="CSV of legs instead: exchange,segment,side,qty,price.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Work out what trades cost: per order, as the day's contract note, and ticks to break even.

    Several legs: repeat the options (one that is given once holds for all legs), or name a file.
    """
    on = read_day(day)
    # half of the legs from either would be a bill of nothing
    if file and any((exchange, segment, side, qty, price)):
        raise ConfigError("legs come from the options or from --file, not from both")
    if tick and not LEAST_TICK <= tick < TOO_MUCH:
        raise ConfigError(f"--tick {tick:g}: expected rupees, {LEAST_TICK} or more")
    legs = legs_of(file) if file else named_legs(exchange, segment, side, qty, price)
    facts = legs_cost(legs, on, tick)
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        sys.stdout.write(_bill_text(facts))
    return DONE


def named_legs(*columns: Sequence[str]) -> list[ChargeLeg]:
    """Return the legs of repeated options; raise `ConfigError` where their numbers do not fit."""
    # no option at all is one leg that lacks everything, and is told so
    count = max(1, *map(len, columns))
    for name, values in zip(COLUMNS, columns, strict=True):
        if len(values) not in {1, count}:
            what = f"{len(values)} times" if values else "not at all"
            raise ConfigError(
                f"--{name} is given {what}: name each leg's, or one for all (or legs in a --file)"
            )
    wide = [list(values) * count if len(values) == 1 else list(values) for values in columns]
    return [_read_leg(dict(zip(COLUMNS, row, strict=True)), "") for row in zip(*wide, strict=True)]


def legs_of(file: Path) -> list[ChargeLeg]:
    """Return the legs of a CSV file; raise `ConfigError` naming the line."""
    try:
        # a spreadsheet writes a byte order mark, which would stand in the first name
        rows = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines())
        lacking = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file}: {in_words(error)}") from error
    if lacking:
        raise ConfigError(f"{file}: the legs lack {', '.join(lacking)}")
    legs = []
    for row in _csv_rows(file, rows):
        # a line with too many cells, or too few
        if None in row or None in row.values():
            raise ConfigError(
                f"{file}, line {rows.line_num}: expected {len(rows.fieldnames or ())} values"
            )
        legs.append(_read_leg(row, f"{file}, line {rows.line_num}: "))
    if not legs:
        raise ConfigError(f"{file}: there is no leg in it")
    return legs


def _csv_rows(file: Path, rows: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise ConfigError(f"{file}, line {rows.reader.line_num}: {in_words(error)}") from error


def _read_leg(row: Mapping[str, str], where: str) -> ChargeLeg:
    segments, exchanges = get_args(rate_tables.Segment), (*get_args(rate_tables.Exchange), *HOME)
    segment = _require_one_of(row["segment"].upper(), segments, f"{where}segment")
    exchange = _require_one_of(row["exchange"].upper(), exchanges, f"{where}exchange")
    market = TRADED.get(exchange)
    if market is not None and segment not in market:
        raise ConfigError(f"{where}{exchange} trades {' and '.join(market)}, no {segment}")
    side = Side[_require_one_of(row["side"].upper(), ("BUY", "SELL"), f"{where}side")]
    quantity, price = (_positive_number(row[name], f"{where}{name}") for name in ("qty", "price"))
    # 1e3 is a whole number
    if quantity != int(quantity):
        raise ConfigError(f"{where}qty {row['qty']}: expected a whole number")
    # above it a product of rates would leave 63 bits
    if quantity * price * 100 > LIMIT:
        raise ConfigError(f"{where}{row['qty']} at {row['price']}: turnover above ₹1,000 crore")
    return ChargeLeg(exchange, segment, side, int(quantity), price)


def legs_cost(legs: Sequence[ChargeLeg], on: date, tick: float) -> dict[str, object]:
    """Return the cost of the legs of one day; raise `DataError` for one beyond the table."""
    table = rate_tables.load_rate_table()
    told, parts = [], []
    for leg in legs:
        rates = rates_of(table, leg.segment, leg.exchange, on)
        grid = tick or _tick_size(leg, on)
        try:
            part = estimate_charges(rates, leg.side, leg.quantity, leg.price)
            ticks = (
                break_even_ticks(rates, leg.side, leg.quantity, leg.price, grid) if grid else None
            )
        except ValueError as error:
            raise ConfigError(
                f"{leg.side.name} {leg.quantity} at {leg.price:g}: {error}"
            ) from error
        parts.append(part)
        told.append(
            {
                "exchange": leg.exchange,
                "segment": leg.segment,
                "side": leg.side.name,
                "quantity": leg.quantity,
                "price": leg.price,
                "tick": grid or None,
                "estimate": _charge_items([part]),
                "break_even_ticks": ticks,
            }
        )
    known = [leg["break_even_ticks"] for leg in told]
    return {
        "date": str(on),
        "legs": told,
        "estimate": _charge_items(parts),
        "note": _charge_items(_contract_notes(legs, table, on)),
        # of several legs the slowest decides
        "break_even_ticks": None if None in known else max(int(str(each)) for each in known),
    }


def _contract_notes(legs: Sequence[ChargeLeg], table: RateTable, on: date) -> list[ChargeBreakdown]:
    """Return one contract note per exchange and segment, each leg an order of its own."""
    groups: defaultdict[tuple[str, str], list[ChargeLeg]] = defaultdict(list)
    for leg in legs:
        # a market of derivatives is a segment of its exchange
        groups[HOME.get(leg.exchange, leg.exchange), leg.segment].append(leg)
    found = []
    for (exchange, segment), group in groups.items():
        values = {
            side: [int(paise(leg.price, leg.quantity)) for leg in group if leg.side is side]
            for side in Side
        }
        try:
            found.append(
                contract_note(
                    rates_of(table, segment, exchange, on), values[Side.BUY], values[Side.SELL]
                )
            )
        except ValueError as error:
            raise ConfigError(str(error)) from error
    return found


def _tick_size(leg: ChargeLeg, on: date) -> float:
    """Return the tick by the dated rules, 0.0 where they have none."""
    home, kind = TICK_CLASSES.get(leg.segment, ("", None))
    # an option's tick is one and the same; a future's goes by its underlying
    if kind is None or (home and HOME.get(leg.exchange, leg.exchange) != HOME[home]):
        return 0.0
    try:
        return OrderRules.load().tick_size(on, leg.price, home or leg.exchange, kind)
    except DataError:
        return 0.0


def _charge_items(parts: Sequence[ChargeBreakdown]) -> dict[str, float]:
    # rounded only to hide what floats leave at their end
    names = ("brokerage", "tax", "txn", "ipft", "sebi", "gst", "stamp", "total")
    return {name: round(sum(float(getattr(part, name)) for part in parts), 10) for name in names}


def _bill_text(facts: dict[str, object]) -> str:
    """Return the bill as lines of text."""
    exact, billed, legs = facts["estimate"], facts["note"], facts["legs"]
    assert isinstance(exact, dict)
    assert isinstance(billed, dict)
    assert isinstance(legs, list)
    lines = [
        f"{leg['side']} {leg['quantity']} at {leg['price']:,.2f}, {plain_text(leg['exchange'])} "
        f"{plain_text(leg['segment'])}: "
        f"{leg['estimate']['total']:,.4f}, {_break_even_text(leg)}"
        for leg in legs
    ]
    lines += ["", f"{'':<10} {'estimate':>14} {'note':>14}"]
    lines += [
        f"{name:<10} {exact[name]:>14,.4f} {billed[name]:>14,.2f}" for name in (*CHARGES, "total")
    ]
    return "\n".join(lines) + "\n"


def _break_even_text(leg: Mapping[str, object]) -> str:
    if leg["tick"] is None:
        return "break-even not known: name the --tick"
    if leg["break_even_ticks"] is None:
        return "no price breaks even"
    return f"breaks even after {leg['break_even_ticks']} ticks of {leg['tick']}"


# shared with the other market commands


def clock_text(ts: int | None) -> str | None:
    """Return the time of day in IST, None for none."""
    return None if ts is None else f"{datetime.fromtimestamp(ts // SECOND, INDIA):%H:%M}"


def moment_text(ts: int) -> str:
    """Return day and time in IST."""
    return f"{ist_day(ts)} {clock_text(ts)}"


def _require_one_of(given: str, known: Sequence[str], what: str) -> str:
    if given not in known:
        near = difflib.get_close_matches(given, known, 1)
        hint = f"the nearest is {near[0]}" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"{what} {given!r}: {hint}")
    return given


def _positive_number(text: str, what: str) -> float:
    value = float(text) if NUMBER.fullmatch(text) else 0.0
    if not 0 < value < TOO_MUCH:
        raise ConfigError(f"{what} {text!r}: expected a number above 0")
    return value
