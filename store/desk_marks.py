"""Marks of a desk's day out of its journal: fills, refusals, alarms, gaps, and its trades."""

import sqlite3
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from engine.day.opening import RAN
from engine.day.replay_status import DayMarks
from engine.errors import NothingFound
from engine.market.calendar import DAY, midnight
from engine.numbers import time_of_day
from engine.orders.strategy_days import TABLE
from store.database_integrity import open_for_reading

_MARKS: Final = (
    "SELECT ts FROM fills WHERE ts >= ? AND ts < ? ORDER BY ts",
    "SELECT ts FROM decisions WHERE ts >= ? AND ts < ? AND verdict != 'OK' ORDER BY ts",
    "SELECT ts FROM events WHERE ts >= ? AND ts < ? AND level = 'alarm' ORDER BY ts",
    "SELECT DISTINCT began FROM gaps WHERE began >= ? AND began < ? ORDER BY began",
)
_TRADES: Final = """
SELECT symbol, strategy, entry_time, ifnull(exit_time, 0), pnl FROM trades
WHERE entry_time >= ? AND entry_time < ? AND pnl IS NOT NULL AND exit_time > 0
ORDER BY entry_time, trade_id
"""


class EndedTrade(NamedTuple):
    """One trade that is over: entry and exit in ns UTC, `pnl` after charges in paise."""

    symbol: str
    strategy: str
    entered: int
    left: int
    pnl: int


def desk_marks(database: Path, day: date) -> DayMarks:
    """Return what a journal marks on a day.

    Raise `OperatorError` for a database that cannot be read.
    """
    # a journal holds many days, and is read whole by nobody who waits for a screen
    bounds = midnight(day), midnight(day) + DAY
    with open_for_reading(database) as db:
        return DayMarks(*(tuple(int(row[0]) for row in db.execute(sql, bounds)) for sql in _MARKS))


def openings(database: Path, day: date) -> list[int]:
    """Return when a desk has opened a day in a database, ns UTC, in the order of its keys.

    Raise `OperatorError` for a database that cannot be read.
    """
    with open_for_reading(database) as db:
        found = db.execute("SELECT key FROM meta WHERE key LIKE ?", (f"{RAN}{day}:%",))
        return [int(str(row[0]).rpartition(":")[2]) for row in found]


def strategy_acts(database: Path, day: date) -> list[str]:
    """Return what was done to strategies by hand on a day, a line for each act, in their order.

    Raise `OperatorError` for a database that cannot be read.
    """
    with open_for_reading(database) as db:
        # a journal of an older version has no such acts
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (TABLE,)).fetchone():
            return []
        found = db.execute(
            f"SELECT ts, act, strategy, reason FROM {TABLE} WHERE day = ? ORDER BY seq",  # noqa: S608 - a name of ours
            (str(day),),
        )
        return [
            f"{time_of_day(int(ts))} {act} {strategy}: {reason}"
            for ts, act, strategy, reason in found
        ]


def ended_trades(database: Path, day: date) -> list[EndedTrade]:
    """Return the trades that were entered on a day and are over, in the order of their entries.

    Raise `OperatorError` for a database that cannot be read.
    """
    bounds = midnight(day), midnight(day) + DAY
    with open_for_reading(database) as db:
        return [_ended_trade(row) for row in db.execute(_TRADES, bounds)]


def chosen_trade(trades: Sequence[EndedTrade], which: str) -> EndedTrade:
    """Return the trade that lost most ("worst") or earned most ("best").

    Raise `NothingFound` where none is over.
    """
    if not trades:
        raise NothingFound("no trade of this day is over yet")
    return (min if which == "worst" else max)(trades, key=lambda trade: trade.pnl)


def _ended_trade(row: sqlite3.Row | tuple[object, ...]) -> EndedTrade:
    symbol, strategy, entered, left, pnl = row
    return EndedTrade(
        str(symbol), str(strategy or ""), int(str(entered)), int(str(left)), int(str(pnl))
    )
