"""Indian time, 5:30 ahead of UTC the whole year: as an offset, and as a zone."""

from datetime import timedelta, timezone
from typing import Final

from compiled.model import values

IST: Final = int(values.IST)
"""How far it is ahead of UTC (ns)."""
INDIA: Final = timezone(timedelta(microseconds=IST // 1_000), "IST")
