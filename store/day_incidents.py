"""The incidents of a desk's day out of its journal: what explains that it decided otherwise."""

import json
import sqlite3
from datetime import date
from typing import Final

from compiled.model.values import MINUTE
from engine.backtest.parity.day_records import (
    CARRIED,
    CLOSED,
    FAILED,
    GAP,
    HAND,
    INSTRUCTED,
    KILL,
    LETTER,
    LIMIT,
    DayIncident,
)
from engine.board.event_log import FEED_CONNECTED, FEED_LOST
from engine.board.strategy_failures import ACT
from engine.day.dead_letters import WORDS
from engine.day.opening import OPENED
from engine.market.calendar import DAY, midnight
from engine.numbers import time_of_day
from engine.orders.strategy_days import CHANGE, STOP, TABLE

ACTS: Final = {"cancel": "cancelled by hand", "modify": "changed by hand"}


def day_incidents(database: sqlite3.Connection, day: date) -> list[DayIncident]:
    """Return the incidents of a day; rows of `database` are `sqlite3.Row`."""
    start = midnight(day)
    end = start + DAY
    return [
        *_kill_latches(database, start, end),
        *_limit_changes(database, day, end),
        *_operator_acts(database, start, end),
        *_strategy_acts(database, day, end),
        *_closed_stretches(database, start, end),
        *_carried_positions(database, start, end),
        *_feed_gaps(database, start, end),
        *_lost_feeds(database, start, end),
        *_dead_letters(database, start, end),
    ]


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


def _strategy_acts(database: sqlite3.Connection, day: date, end: int) -> list[DayIncident]:
    """Return until when strategies stood, and from when on they had other parameters."""
    found: list[DayIncident] = []
    # a journal of an older version has no such acts
    if not database.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (TABLE,)).fetchone():
        return found
    rows = database.execute(
        f"SELECT ts, strategy, act, reason, detail FROM {TABLE} WHERE day = ? ORDER BY seq DESC",  # noqa: S608 - a name of ours
        (str(day),),
    )
    until: dict[str, int] = {}
    # from the back: each stop lasts until the start that follows it
    for row in rows.fetchall():
        name, ts = str(row["strategy"]), int(row["ts"])
        if row["act"] == CHANGE:
            values = ", ".join(f"{key} {each}" for key, each in json.loads(row["detail"]).items())
            text = f"parameters changed by hand: {values}: {row['reason']}"
            found.append(DayIncident(INSTRUCTED, ts, end, text, strategy=name))
        elif row["act"] == STOP:
            text = f"the strategy was stopped by hand: {row['reason']}"
            stood = DayIncident(INSTRUCTED, ts, until.get(name, end), text, strategy=name)
            found.append(stood)
        else:
            until[name] = ts
    return found[::-1]


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
        if last := last_line(database, start, until):
            stretch = _clock_stretch(last, until) if until < end else f"after {time_of_day(last)}"
            found.append(
                DayIncident(CLOSED, last + 1, until, f"the desk was not running {stretch}")
            )
    return found


def last_line(database: sqlite3.Connection, start: int, end: int) -> int:
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
