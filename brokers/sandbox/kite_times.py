"""Nanoseconds UTC to Kite's IST texts and back (UTC+5:30, no daylight saving)."""

from datetime import UTC, date, datetime, time, timedelta
from email.utils import formatdate
from functools import lru_cache

from compiled.model.values import SECOND
from engine.errors import ConfigError
from engine.indian_time import IST

DAY = 86_400 * SECOND


def midnight(day: str) -> int:
    """Return IST midnight of "YYYY-MM-DD" in ns UTC; raise `ConfigError` where that is no date."""
    try:
        parsed = date.fromisoformat(day)
    except ValueError:
        raise ConfigError(f"date {day!r}: expected YYYY-MM-DD") from None
    return (parsed.toordinal() - date(1970, 1, 1).toordinal()) * DAY - IST


def time_of_day(text: str) -> int:
    """Return "HH:MM" or "HH:MM:SS" as ns since midnight; raise `ConfigError` for another text."""
    try:
        parsed = time.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"time {text!r}: expected HH:MM or HH:MM:SS") from None
    return (parsed.hour * 3600 + parsed.minute * 60 + parsed.second) * SECOND


def moment(ts: int) -> datetime:
    """Return the IST wall time at `ts`, naive, to the second."""
    return datetime(1970, 1, 1) + timedelta(seconds=(ts + IST) // SECOND)  # noqa: DTZ001 IST wall time, as Kite writes it


def day_of(ts: int) -> str:
    """Return the IST date at `ts` as YYYY-MM-DD."""
    return moment(ts).date().isoformat()


# Rows of one book share most of their stamps, and a polled book is written again and again.
@lru_cache(maxsize=4_096)
def text(ts: int) -> str:
    """Return "YYYY-mm-dd HH:MM:SS" as Kite writes it."""
    return moment(ts).isoformat(" ")


def http_date(ts: int) -> str:
    """Return a `Date` header, GMT."""
    return _http_date_text(ts // SECOND)


@lru_cache(maxsize=16)
def _http_date_text(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def candle(ts: int) -> str:
    """Return "YYYY-mm-ddTHH:MM:SS+0530" as Kite stamps candles."""
    return moment(ts).isoformat() + "+0530"


def parse(stamp: str) -> int:
    """Return ns UTC of a Kite request time, its time of day optional.

    Raise `ValueError` otherwise.
    """
    naive = datetime.fromisoformat(stamp)
    if naive.tzinfo is not None:
        raise ValueError(stamp)
    return int(naive.replace(tzinfo=UTC).timestamp()) * SECOND - IST
