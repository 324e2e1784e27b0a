"""The instrument list of the day: asked of Kite once, and kept with those of other days."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from compiled.model.values import SECOND
from engine.indian_time import INDIA
from engine.market.instrument_dumps import DumpFolder

MADE: Final = (8, 30)
"""IST; Kite makes the day's list at about 08:00 and asks for it to be fetched after 08:30."""


async def todays_list(
    dumps: DumpFolder, exchange: str, now: int, fetch: Callable[[], Awaitable[bytes]]
) -> bytes:
    """Return an exchange's list of today (CSV, gzipped or not), the stored one or `fetch`ed.

    A list that cannot be stored (half of it is missing, no list at all) raises `DataError` and
    leaves the stored one.
    """
    stored = await asyncio.to_thread(_stored_list, dumps, exchange, now)
    if stored is not None:
        return stored
    content = await fetch()
    # Kept before it is used: a list that has lost half of its rows is refused here.
    await asyncio.to_thread(dumps.keep, _ist_moment(now).date(), content)
    return content


def _stored_list(dumps: DumpFolder, exchange: str, now: int) -> bytes | None:
    made = _ist_moment(now).replace(hour=MADE[0], minute=MADE[1], second=0, microsecond=0)
    for version in reversed(dumps.versions(exchange)):
        # One that was fetched earlier this morning may still be yesterday's.
        if version.day == made.date() and version.path.stat().st_mtime >= made.timestamp():
            return version.path.read_bytes()
    return None


def _ist_moment(now: int) -> datetime:
    return datetime.fromtimestamp(now // SECOND, INDIA)
