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

from compiled.model.values import MINUTE, NEVER, paise
from compiled.trading.order_states import CORRECTION
from engine.backtest.parity.day_records import (
    CARRIED,
    CLOSED,
    FAILED,
    GAP,
    HAND,
    HELD,
    KILL,
    LETTER,
    LIMIT,
    DayIncident,
    DeskDay,
    ParityTrip,
    StrategySignal,
    TripLeg,
    rung_place,
)
from engine.backtest.parity.heard_bars import heard_bars
from engine.board.event_log import FEED_CONNECTED, FEED_LOST
from engine.board.strategy_failures import ACT
from engine.day.dead_letters import WORDS
from engine.day.opening import OPENED, RAN
from engine.errors import NothingFound
from engine.history.bar_series import BarSeries
from engine.market.calendar import DAY, ist_day, midnight
from engine.numbers import time_of_day
from store.database_integrity import open_for_reading
from store.journal_orders import JournalOrders
from store.schema import connect

CASH: Final = "start_cash:"
"""Beginning of the key under which `meta` has the cash of a day at its first opening."""
SIDES: Final = {"BUY": 1, "SELL": -1}
OTHER: Final = {"BUY": "SELL", "SELL": "BUY"}
ACTS: Final = {"cancel": "cancelled by hand", "modify": "changed by hand"}
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
        incidents = [
            *_kill_latches(database, start, end),
            *_limit_changes(database, day, end),
            *_operator_acts(database, start, end),
            *_closed_stretches(database, start, end),
            *_carried_positions(database, start, end),
        ]
        incidents += _feed_gaps(database, start, end)
        incidents += _lost_feeds(database, start, end)
        incidents += _dead_letters(database, start, end)
        ended = _last_line(database, start, end)
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


# what happened


def _kill_latches(database: sqlite3.Connection, start: int, end: int) -> list[DayIncident]:
    """Return when the kill switch was latched, by the clock of the desk.

    An inherited latch is reported at the opening. `kill_log` has the same by the machine's clock,
    which differs from that of an exchange of our own.
    """
    rows = database.execute(
        "SELECT ts, name, text FROM events WHERE name IN ('killed', 'resumed') AND ts >= ? AND "
        "ts < ? ORDER BY seq",
        (start, end),
    ).fetchall()
    found: list[DayIncident] = []
    until = end
    # from the back: each latch lasts until the release that follows it
    for row in reversed(rows):
        if row["name"] == "killed":
            found.append(DayIncident(KILL, row["ts"], until, f"kill switch, {row['text']}"))
        else:
            until = row["ts"]
    return found[::-1]


def _limit_changes(database: sqlite3.Connection, day: date, end: int) -> list[DayIncident]:
    rows = database.execute(
        "SELECT name, value, reason, who, ts FROM limits WHERE day = ? ORDER BY ts", (str(day),)
    )
    return [
        DayIncident(
            LIMIT,
            row["ts"],
            end,
            f"limit {row['name']} set to {row['value']:g}: {row['reason']}",
            about=row["name"],
        )
        for row in rows
    ]


def _operator_acts(database: sqlite3.Connection, start: int, end: int) -> list[DayIncident]:
    """Return strategies that failed, and what was done to orders of the desk by hand."""
    found: list[DayIncident] = []
    for row in database.execute(
        "SELECT ts, who, act, detail FROM audit WHERE ts >= ? AND ts < ? ORDER BY seq", (start, end)
    ):
        if row["act"] == ACT:
            last = str(row["detail"]).splitlines()[-1] if row["detail"] else ""
            found.append(
                DayIncident(
                    FAILED, row["ts"], end, f"the strategy failed: {last}", strategy=row["who"]
                )
            )
        elif row["act"] in ACTS:
            # a request names its order, not the instrument
            symbol = _symbol_of(database, str(row["detail"]))
            found.append(DayIncident(HAND, row["ts"], end, ACTS[row["act"]], symbol=symbol))
    return found


def _symbol_of(database: sqlite3.Connection, detail: str) -> str:
    """Return the symbol of the order that an act was about, by our number or the broker's."""
    try:
        told = json.loads(detail)
    except ValueError:
        told = detail
    number = str(told.get("order", "") if isinstance(told, dict) else told).split(" ")[0]
    row = database.execute(
        "SELECT symbol FROM intents WHERE CAST(intent AS TEXT) = ? OR broker_id = ?",
        (number, number),
    ).fetchone()
    return str(row["symbol"]) if row is not None else ""


def _carried_positions(database: sqlite3.Connection, start: int, end: int) -> list[DayIncident]:
    rows = database.execute(
        "SELECT ts, text FROM events WHERE name = 'carried' AND ts >= ? AND ts < ?", (start, end)
    )
    found: list[DayIncident] = []
    for row in rows:
        symbol, _, text = str(row["text"]).partition(": ")
        found.append(DayIncident(CARRIED, row["ts"], end, text, symbol=symbol))
    return found


def _closed_stretches(database: sqlite3.Connection, start: int, end: int) -> list[DayIncident]:
    """Return when the desk was not running: between two openings, and from before the day's end.

    It was running until the last line that it has written.
    """
    opened = database.execute(
        "SELECT ts FROM audit WHERE act = ? AND ts >= ? AND ts < ? ORDER BY ts",
        (OPENED, start, end),
    ).fetchall()
    over = database.execute(
        "SELECT 1 FROM events WHERE name = 'day_over' AND ts >= ? AND ts < ?", (start, end)
    ).fetchone()
    found: list[DayIncident] = []
    # a desk that is killed leaves no line about it: its next opening tells
    for until in [*(row["ts"] for row in opened[1:]), *([] if over else [end])]:
        if last := _last_line(database, start, until):
            stretch = _clock_stretch(last, until) if until < end else f"after {time_of_day(last)}"
            found.append(
                DayIncident(CLOSED, last + 1, until, f"the desk was not running {stretch}")
            )
    return found


def _last_line(database: sqlite3.Connection, start: int, end: int) -> int:
    """Return when the last line of [start, end) was written, 0 for none."""
    found = database.execute(
        "SELECT max(ts) FROM (SELECT ts FROM events UNION ALL SELECT ts FROM order_events "
        "UNION ALL SELECT last FROM decisions) WHERE ts >= ? AND ts < ?",
        (start, end),
    ).fetchone()[0]
    return int(found or 0)


def _lost_feeds(database: sqlite3.Connection, start: int, end: int) -> list[DayIncident]:
    """Return when no connection of the feed stood, until one did again."""
    found: list[DayIncident] = []
    since = database.execute(
        "SELECT min(ts) FROM audit WHERE act = ? AND ts >= ? AND ts < ?", (OPENED, start, end)
    ).fetchone()[0]
    for row in database.execute(
        "SELECT ts, text FROM events WHERE name = 'feed' AND ts >= ? AND ts < ? ORDER BY seq",
        (start, end),
    ):
        if row["text"] == FEED_LOST:
            since = row["ts"]
        elif row["text"] == FEED_CONNECTED and since is not None:
            if row["ts"] > since:
                text = f"the feed was not connected {_clock_stretch(since, row['ts'])}"
                found.append(DayIncident(GAP, since, row["ts"], text))
            since = None
    return found


def _clock_stretch(since: int, until: int) -> str:
    return f"from {time_of_day(since)} to {time_of_day(until)}"


def _feed_gaps(database: sqlite3.Connection, start: int, end: int) -> list[DayIncident]:
    symbols = {
        row["token"]: row["symbol"]
        for row in database.execute(
            "SELECT token, symbol FROM decisions UNION SELECT token, symbol FROM intents"
        )
    }
    rows = database.execute(
        "SELECT token, began, ended, state FROM gaps WHERE ended > ? AND began < ?", (start, end)
    )
    return [
        DayIncident(
            GAP,
            row["began"],
            row["ended"],
            f"the feed was not heard {_clock_stretch(row['began'], row['ended'])}: {row['state']}",
            symbol=symbols[row["token"]],
        )
        for row in rows
        if row["token"] in symbols
    ]


def _dead_letters(database: sqlite3.Connection, start: int, end: int) -> list[DayIncident]:
    """Return the packets that were kept out, one incident of each instrument, reason and minute."""
    rows = database.execute(
        "SELECT symbol, reason, min(ts) AS began, max(ts) AS ended, count(*) AS packets "
        "FROM letters WHERE ts >= ? AND ts < ? GROUP BY symbol, reason, ts / ? ORDER BY began",
        (start, end, MINUTE),
    )
    return [
        DayIncident(
            LETTER,
            row["began"],
            row["ended"] + 1,
            f"{row['packets']} packets kept out: {WORDS.get(row['reason'], row['reason'])}",
            symbol=row["symbol"],
        )
        for row in rows
    ]
