"""Ticks of others that an import has kept: a file a symbol and day, beside the bars of a history.

FOLDER/ticks/INFY/2026-11-27.parquet      time (ns UTC), ltp (₹), volume (the day's; -1: unknown)
"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DataError, OperatorError, in_words
from engine.history.bar_series import Floats, Ints, ist_days, numbered_day
from engine.history.tick_files import SymbolTicks
from engine.system.whole_files import write_whole

FOLDER: Final = "ticks"
TIME, PRICE, VOLUME = "time", "ltp", "volume"


class KeptTicks(NamedTuple):
    """The ticks of a symbol on a day, in a file."""

    symbol: str
    day: date
    path: Path


def keep_ticks(history: Path, ticks: SymbolTicks) -> None:
    """Keep a symbol's ticks, each day whole in the place of what was there.

    Raise `OperatorError` as disks do.
    """
    folder = history / FOLDER / quote(ticks.symbol, safe="&-. ")
    days = ist_days(ticks.times)
    for number in np.unique(days).tolist():
        rows = days == number
        table = pa.table(
            {TIME: ticks.times[rows], PRICE: ticks.prices[rows], VOLUME: ticks.volumes[rows]}
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError(f"{folder}: {in_words(error)}") from None
        write_whole(
            folder / f"{numbered_day(number)}.parquet",
            partial(pq.write_table, table, compression="zstd", write_page_checksum=True),
        )


def kept_ticks(history: Path) -> list[KeptTicks]:
    """Return what has been kept, by day and symbol."""
    found = []
    for path in (history / FOLDER).glob("*/*.parquet"):
        # Whatever else somebody puts there is none of ours.
        try:
            day = date.fromisoformat(path.stem)
        except ValueError:
            continue
        found.append(KeptTicks(unquote(path.parent.name), day, path))
    return sorted(found, key=lambda each: (each.day, each.symbol))


def tick_count(kept: Sequence[KeptTicks]) -> int:
    """Return how many ticks there are in some files; raise `DataError`."""
    try:
        return sum(pq.read_metadata(each.path).num_rows for each in kept)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(_failure_text(kept, error)) from None


def read_prices(kept: KeptTicks) -> Floats:
    """Return the prices of a file, rupees; raise `DataError`."""
    return _read_columns(kept, [PRICE])[0]


def read_ticks(kept: KeptTicks) -> tuple[Ints, Floats, Ints]:
    """Return times (ns UTC), prices (₹) and the day's volumes of a file; raise `DataError`."""
    times, prices, volumes = _read_columns(kept, [TIME, PRICE, VOLUME])
    return times, prices, volumes


def _read_columns(kept: KeptTicks, names: list[str]) -> "list[np.ndarray[tuple[int], np.dtype]]":
    try:
        table = pq.read_table(kept.path, columns=names, page_checksum_verification=True)
        return [table[name].to_numpy() for name in names]
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise DataError(_failure_text([kept], error)) from None


def _failure_text(kept: Sequence[KeptTicks], error: Exception) -> str:
    why = in_words(error) if isinstance(error, OSError) else " ".join(str(error).split())
    return f"{kept[0].path}: {why}"
