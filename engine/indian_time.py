"""Indian time, 5:30 ahead of UTC the whole year: as an offset, and as a zone."""

from datetime import datetime, timedelta, timezone
from typing import Final

from compiled.model import values

IST: Final = int(values.IST)
"""How far it is ahead of UTC (ns)."""
INDIA: Final = timezone(timedelta(microseconds=IST // 1_000), "IST")


def made_text(made: str) -> str:
    """Return when something was made, in IST; as it stands where it is no time."""
    try:
        return f"{datetime.fromisoformat(made).astimezone(INDIA):%Y-%m-%d %H:%M} IST"
    except ValueError:
        return made
