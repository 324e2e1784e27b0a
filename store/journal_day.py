"""A desk's day out of its journal, as parity compares it.

Requests, round trips, orders, and the events that explain them.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from compiled.model.values import NEVER, paise
from compiled.trading.order_states import CORRECTION
from engine.backtest.parity.day_records import (
    HELD,
    DayIncident,
    DeskDay,
    ParityTrip,
    StrategySignal,
    TripLeg,
    rung_place,
)
from engine.backtest.parity.heard_bars import heard_bars
from engine.day.opening import RAN
from engine.errors import NothingFound
from engine.history.bar_series import BarSeries
from engine.market.calendar import DAY, ist_day, midnight
from store.database_integrity import open_for_reading
from store.day_incidents import day_incidents, last_line
from store.journal_orders import JournalOrders
from store.schema import connect

CASH: Final = "start_cash:"
"""Beginning of the key under which `meta` has the cash of a day at its first opening."""
SIDES: Final = {"BUY": 1, "SELL": -1}
OTHER: Final = {"BUY": "SELL", "SELL": "BUY"}
SIGNALS: Final = """
SELECT decision, ts, strategy, symbol, side, kind, quantity, price, verdict, detail, cause, reason,
    rung, intent
FROM decisions WHERE ts >= ? AND ts < ? AND kind IN ('enter', 'rung') ORDER BY decision
"""
FILLS: Final = """
SELECT f.trade_id, f.order_id, f.intent, ifnull(f.rung, 0) AS rung, f.strategy, f.symbol, f.side,
    f.quantity, f.price, f.ts, f.charges,
    ifnull(t.side, f.side) AS way, ifnull(t.position_number, 1) AS place, ifnull(t.entry_time,
    0) AS entered,
    ifnull(t.exit_reason, '') AS exit_reason, ifnull(t.status, '') AS status, ifnull(t.pnl,
    0) AS pnl,
    ifnull(t.charges, 0) AS paid
FROM fills f LEFT JOIN trades t ON t.trade_id = f.rung WHERE f.ts < ? ORDER BY f.ts, f.trade_id
"""


class KeptDay(NamedTuple):
    """Records that a journal has of a day.

    They are the desk's day with the bars it heard, all it has `seen` in the end, its settings
    (`ran`, one for each opening with other settings), its first cash.

    `carried` are the symbols of round trips from earlier days: they are no part of it. `cash`
    (paise), when it was `opened` first and `ended` its log (ns) are 0 where that is not known.
    """

    day: DeskDay
    ran: list[dict[str, Any]]
    cash: int
    carried: list[str]
    opened: int
    ended: int
    seen: Mapping[str, BarSeries]


def last_day(path: Path) -> date:
    """Return the last day on which a desk has opened or decided anything.

    Raise `NothingFound` for none.
    """
    with open_for_reading(path) as database:
        found = database.execute(
            "SELECT max(ts) FROM (SELECT max(ts) AS ts FROM decisions UNION ALL SELECT max(ts) "
            "FROM fills "
            "UNION ALL SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'opened')"
        ).fetchone()
    if found[0] is None:
        raise NothingFound(f"no desk has opened a day in {path}")
    return ist_day(int(found[0]))


def has_opened(path: Path, day: date) -> bool:
    """Return whether a desk has opened a day in this database; not in one that cannot be read."""
    try:
        with closing(connect(path, write=False)) as database:
            found = database.execute("SELECT 1 FROM meta WHERE key = ?", (f"{CASH}{day}",))
            return found.fetchone() is not None
    except sqlite3.Error:
        return False


def kept_day(path: Path, day: date, bars: Mapping[str, BarSeries]) -> KeptDay:
    """Read a day; what is still held in the evening is valued at the last of the `bars`, by symbol.

    Raises `NothingFound` where the desk has not been open that day.
    """
    start = midnight(day)
    end = start + DAY
    with open_for_reading(path) as database:
        database.row_factory = sqlite3.Row
        meta = {
            str(row["key"]): str(row["value"])
            for row in database.execute("SELECT key, value FROM meta ORDER BY key")
        }
        orders = JournalOrders(database, start, end)
        signals = [_journal_signal(row, orders) for row in database.execute(SIGNALS, (start, end))]
        # from the beginning: what was bought earlier says which sales are none of this day
        fills = database.execute(FILLS, (end,)).fetchall()
        incidents = day_incidents(database, day)
        ended = last_line(database, start, end)
        newest = database.execute("SELECT max(ts) FROM fills").fetchone()[0] or 0
    cash = meta.get(f"{CASH}{day}")
    opened = {
        int(key.rpartition(":")[2]): json.loads(value)
        for key, value in meta.items()
        if key.startswith(f"{RAN}{day}:")
    }
    # a journal without cash of the day may be of an older version
    if cash is None and not signals and not any(int(row["ts"]) >= start for row in fills):
        known = ", ".join(key.partition(":")[2] for key in meta if key.startswith(CASH)) or "none"
        raise NothingFound(f"the desk of {path} was not open on {day}; it was on {known}")
    # the state of a rung is that of the journal's end, not of this evening
    later = newest >= end or any(
        key.startswith(CASH) and key.partition(":")[2] > str(day) for key in meta
    )
    trips, carried = round_trips(fills, start, bars, whole=not later, orders=orders)
    return KeptDay(
        DeskDay(signals, trips, heard_bars(bars, incidents), [*incidents, *carried]),
        list(opened.values()),
        int(cash or 0),
        sorted({each.symbol for each in carried}),
        min(opened, default=0),
        ended,
        bars,
    )


def _journal_signal(row: sqlite3.Row, orders: JournalOrders) -> StrategySignal:
    return StrategySignal(
        number=row["decision"],
        ts=row["ts"],
        strategy=row["strategy"],
        symbol=row["symbol"],
        side=SIDES[row["side"]],
        kind=row["kind"],
        place=rung_place(row["kind"], row["reason"]),
        quantity=row["quantity"],
        price=row["price"],
        verdict=row["verdict"],
        detail=row["detail"],
        reason=row["reason"],
        rung=row["rung"],
        asked=row["cause"],
        orders=orders.of_decision(row["intent"]),
    )


def round_trips(
    rows: Sequence[sqlite3.Row],
    start: int,
    bars: Mapping[str, BarSeries],
    *,
    whole: bool,
    orders: JournalOrders | None = None,
) -> tuple[list[ParityTrip], list[DayIncident]]:
    """Return the round trips entered since `start`, and from when to when older ones were held.

    `whole`: the journal ends with this day, and its state of an open rung is that of the evening.
    Without `orders` their legs have none.
    """
    grouped: dict[object, list[sqlite3.Row]] = {}
    for row in rows:
        # a fill without a rung is a trip of its own
        grouped.setdefault(row["rung"] or f"{row['order_id']} {row['trade_id']}", []).append(row)
    trips: list[ParityTrip] = []
    carried: list[DayIncident] = []
    for key, fills in grouped.items():
        first = fills[0]
        if int(first["ts"]) < start:
            last = int(fills[-1]["ts"])
            held = sum(SIDES[row["side"]] * row["quantity"] for row in fills)
            if held or last >= start:
                carried.append(
                    DayIncident(
                        HELD,
                        start,
                        NEVER if held else last + 1,
                        "the desk held it from days before, the backtest begins without it",
                        symbol=first["symbol"],
                        strategy=first["strategy"],
                    )
                )
            continue
        number = len(trips) if isinstance(key, str) else 0
        trips.append(_trip_of_fills(number, fills, bars, whole=whole, orders=orders))
    return trips, carried


def _trip_of_fills(
    number: int,
    fills: Sequence[sqlite3.Row],
    bars: Mapping[str, BarSeries],
    *,
    whole: bool,
    orders: JournalOrders | None,
) -> ParityTrip:
    first = fills[0]
    side = SIDES[first["way"]]
    entry, left = (
        _leg_of_fills(first["rung"], way, [row for row in fills if row["side"] == way], orders)
        for way in (first["way"], OTHER[first["way"]])
    )
    held, mark = entry.quantity - left.quantity, 0
    if held:
        series = bars.get(first["symbol"])
        # the desk has valued it, at a price that may be in no bar
        if whole and first["rung"] and first["status"] in {"open", "exiting"}:
            mark = side * (first["pnl"] + first["paid"]) + entry.value - left.value
        elif series is not None and len(series.start):
            mark = paise(float(series.close[-1]), held)
        else:
            mark = paise(fills[-1]["price"], held)
    corrected = str(first["order_id"]).startswith(CORRECTION)
    return ParityTrip(
        first["rung"] or -1 - number,
        "" if corrected and not first["rung"] else first["strategy"],
        symbol=first["symbol"],
        side=side,
        place=first["place"],
        entry=entry,
        exit=left,
        mark=mark,
        reason=first["exit_reason"] if left.quantity else "",
    )


def _leg_of_fills(
    rung: int, side: str, fills: Sequence[sqlite3.Row], orders: JournalOrders | None
) -> TripLeg:
    made = orders.of_rung(rung, side) if orders is not None else ()
    if not fills:
        return TripLeg(orders=made)
    ts, value = orders.twin_of_leg(fills) if orders is not None else (0, 0)
    return TripLeg(
        int(fills[0]["ts"]),
        sum(row["quantity"] for row in fills),
        sum(paise(row["price"], row["quantity"]) for row in fills),
        sum(row["charges"] for row in fills),
        made,
        ts,
        value,
    )
