"""The official client, with times read in Kite's own form before any other is tried."""

from datetime import datetime
from typing import Any

from kiteconnect import KiteConnect

from brokers.kite.row_cache import decoded_row

STAMPS = (
    "order_timestamp",
    "exchange_timestamp",
    "created",
    "last_instalment",
    "fill_timestamp",
    "timestamp",
    "last_trade_time",
)
"""Fields the client turns into datetimes, where they hold a date and a time."""
STAMP_LENGTH = len("2026-11-20 09:15:00")


class QuickClient(KiteConnect):  # type: ignore[misc]  # it has no types
    """An official client that reads order books in a third of the time.

    It guesses the form of every time anew (dateutil, 40 µs each); the guess is left for what is
    written otherwise.
    """

    wants_raw_rows = False
    """Whether the rows of the next answer are wanted as they come."""

    def book(self, route: str) -> Any:
        """Return a route's answer, a list's rows as JSON where they can be cut apart.

        `decoded_row` reads one of those.
        """
        self.wants_raw_rows = True
        try:
            return self._get(route)
        finally:
            self.wants_raw_rows = False

    def order(self, row: Any) -> Any:
        """Return a row of the order book as the call for the orders does."""
        return self._format_response(decoded_row(row))

    def _format_response(self, data: Any) -> Any:
        for row in data if isinstance(data, list) else [data]:
            if not _parse_stamps(row):
                super()._format_response(row)
        return data

    def _format_historical(self, data: Any) -> Any:
        rows = data["candles"]
        try:
            dates = [datetime.fromisoformat(row[0]) for row in rows]
        except ValueError:
            return super()._format_historical(data)
        names = ("date", "open", "high", "low", "close", "volume", "oi")
        return [
            dict(zip(names, (date, *row[1:]), strict=False))
            for date, row in zip(dates, rows, strict=True)
        ]


def _parse_stamps(row: dict[str, Any]) -> bool:
    """Turn the times of a row into datetimes; return whether that was all."""
    texts = [
        (name, text) for name in STAMPS if (text := row.get(name)) and len(text) == STAMP_LENGTH
    ]
    try:
        row.update([(name, datetime.fromisoformat(text)) for name, text in texts])
    except ValueError:
        return False
    return True
