"""The round trips of strategies out of a journal, as they stood on each evening."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, final

from engine.backtest.parity.day_records import ParityTrip
from engine.day.opening import RAN
from engine.history.bar_series import BarSeries
from engine.market.calendar import DAY, midnight
from store.database_integrity import open_for_reading
from store.journal_day import CASH, FILLS, round_trips

END: Final = 2**62


@final
class StrategyTrips:
    """A journal's days, the settings that its desk ran with on each, and its round trips."""

    def __init__(self, path: Path) -> None:
        """Read all of it; raise `OperatorError` for a database that cannot be read."""
        self.path = path
        with open_for_reading(path) as database:
            database.row_factory = sqlite3.Row
            meta = database.execute("SELECT key, value FROM meta ORDER BY key").fetchall()
            self._fills = database.execute(FILLS, (END,)).fetchall()
        self.ran: dict[date, list[dict[str, Any]]] = {}
        """What it ran with, of each day that it was opened on, in the order of the openings."""
        for row in meta:
            kind, _, rest = str(row["key"]).partition(":")
            if f"{kind}:" == CASH:
                self.ran.setdefault(date.fromisoformat(rest), [])
            elif f"{kind}:" == RAN:
                day = date.fromisoformat(rest.partition(":")[0])
                self.ran.setdefault(day, []).append(json.loads(row["value"]))

    def evening(self, day: date, first: date, bars: Mapping[str, BarSeries]) -> list[ParityTrip]:
        """Return the round trips entered since a first day as they stood on a day's evening.

        What was still held is valued as `kept_day` does, at the last of that day's `bars`.
        """
        end = midnight(day) + DAY
        rows = [row for row in self._fills if row["ts"] < end]
        # the state of a rung is that of the journal's end
        whole = len(rows) == len(self._fills) and day == max(self.ran)
        return round_trips(rows, midnight(first), bars, whole=whole)[0]
