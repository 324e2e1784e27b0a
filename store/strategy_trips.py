"""The round trips of strategies out of a journal, as they stood on each evening."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, final

from engine.backtest.parity.day_records import ParityTrip
from engine.day.opening import RAN
from engine.errors import DataError
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
        self._newest = max((int(row["ts"]) for row in self._fills), default=0)
        self._by_strategy: dict[str, list[sqlite3.Row]] = {}
        self.ran: dict[date, list[dict[str, Any]]] = {}
        """What it ran with, of each day that it was opened on, in the order of the openings."""
        for row in meta:
            kind, _, rest = str(row["key"]).partition(":")
            if f"{kind}:" == CASH:
                self.ran.setdefault(date.fromisoformat(rest), [])
            elif f"{kind}:" == RAN:
                day = date.fromisoformat(rest.partition(":")[0])
                self.ran.setdefault(day, []).append(self._settings_of(day, row["value"]))

    def evening(
        self, strategy: str, day: date, first: date, bars: Mapping[str, BarSeries]
    ) -> list[ParityTrip]:
        """Return a strategy's round trips entered since a first day, as of a day's evening.

        What was still held is valued as `kept_day` does, at the last of that day's `bars`.
        """
        end = midnight(day) + DAY
        rows = [row for row in self._fills_of(strategy) if row["ts"] < end]
        # the state of a rung is that of the journal's end
        whole = self._newest < end and day == max(self.ran)
        trips, _ = round_trips(rows, midnight(first), bars, whole=whole)
        return [trip for trip in trips if trip.strategy == strategy]

    def _fills_of(self, strategy: str) -> list[sqlite3.Row]:
        """Return the fills of a strategy's round trips, whoever left them."""
        if strategy not in self._by_strategy:
            own = {row["rung"] for row in self._fills if row["strategy"] == strategy}
            self._by_strategy[strategy] = [row for row in self._fills if row["rung"] in own]
        return self._by_strategy[strategy]

    def _settings_of(self, day: date, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise DataError(f"{self.path}: what the desk ran with on {day} cannot be read")
        return found
