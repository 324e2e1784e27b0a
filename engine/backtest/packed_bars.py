"""Loaded bars in one file that processes map into memory.

A line of JSON says what lies behind it: the columns of one symbol after the other, then those of
the clock, as numbers of eight bytes. Mapped, they are arrays without a copy, and the pages are
shared by every process.
"""

import json
import mmap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from engine.backtest.clocked_bars import ClockedBars
from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.run_outcome import DataManifest
from engine.errors import DataError
from engine.history.bar_series import BarSeries
from engine.system.whole_files import write_whole

COLUMNS: Final = BarSeries._fields[:-1]
"""The columns of a symbol; loaded bars have no tokens."""
CLOCK: Final = ClockedBars._fields[1:]
WHOLE: Final = {"start", "volume", "ticks", "slots", "starts", "volumes"}
WIDTH: Final = 8
"""Bytes of a number."""
WORDS: Final = 2**64
Column = npt.NDArray[Any]


def packed_size(loaded: LoadedBars) -> int:
    """Return the bytes of a file of bars, but for its first line."""
    return sum(column.nbytes for column in _packed_columns(loaded))


def write_packed(path: Path, loaded: LoadedBars, *, durable: bool = True) -> None:
    """Write bars with their manifests, in place of the whole file."""
    total = sum(_word_sum(column) for column in _packed_columns(loaded)) % WORDS
    said = {
        "symbols": {symbol: len(bars.start) for symbol, bars in loaded.series.items()},
        "manifests": msgspec.to_builtins(loaded.manifests),
        "warnings": loaded.warnings,
        "grids": loaded.grids,
        "clock": None if loaded.clock is None else [*loaded.clock.names],
        "sum": total,
    }
    text = json.dumps(said).encode()
    head = b"%08x %s" % (zlib.crc32(text), text)

    def write(fresh: Path) -> None:
        with fresh.open("wb") as out:
            # Numbers lie at multiples of their width, or every look at one would cost a copy.
            out.write(head.ljust(-(-(len(head) + 1) // WIDTH) * WIDTH - 1) + b"\n")
            for column in _packed_columns(loaded):
                out.write(column.data)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write, durable=durable)


def read_packed(path: Path, *, check: bool = False) -> LoadedBars:
    """Return the bars of a file, mapped; raise `DataError` where it is none.

    With `check` also where its numbers are not the ones that were written.
    """
    try:
        with path.open("rb") as file:
            head = file.readline()
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        said = _read_head(head)
        if check:
            _check_numbers(np.frombuffer(mapped, "<u8", offset=len(head)), said["sum"])
        return _mapped_bars(mapped, len(head), said)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: no packed bars: {error}") from error


def _read_head(head: bytes) -> Any:
    text = head[9:].rstrip()
    if head[:8] != b"%08x" % zlib.crc32(text):
        raise ValueError("its first line is damaged")
    return json.loads(text)


def _check_numbers(words: Column, total: int) -> None:
    if _word_sum(words) != total:
        raise ValueError("its numbers are damaged")


def _mapped_bars(mapped: mmap.mmap, at: int, said: Any) -> LoadedBars:
    def columns(names: tuple[str, ...], count: int) -> dict[str, Any]:
        nonlocal at
        found = {}
        for name in names:
            found[name] = np.frombuffer(mapped, _number_kind(name), count, at)
            at += count * WIDTH
        return found

    counts: dict[str, int] = said["symbols"]
    series = {
        symbol: BarSeries(**columns(COLUMNS, count), token=np.broadcast_to(np.int64(0), count))
        for symbol, count in counts.items()
    }
    clock = None
    if said["clock"] is not None:
        clock = ClockedBars(said["clock"], **columns(CLOCK, sum(counts.values())))
    manifests = msgspec.convert(said["manifests"], dict[str, DataManifest])
    return LoadedBars(series, manifests, list(said["warnings"]), said["grids"], clock)


def _packed_columns(loaded: LoadedBars) -> Iterator[Column]:
    """Yield the columns in the order of the file."""
    every: list[tuple[tuple[str, ...], BarSeries | ClockedBars]] = [
        (COLUMNS, series) for series in loaded.series.values()
    ]
    if loaded.clock is not None:
        every.append((CLOCK, loaded.clock))
    for names, owner in every:
        for name in names:
            yield np.ascontiguousarray(getattr(owner, name), _number_kind(name))


def _number_kind(name: str) -> np.dtype[Any]:
    return np.dtype("<i8" if name in WHOLE else "<f8")


def _word_sum(column: Column) -> int:
    # Of words, not a hash: a hash takes as long as the run that the file is to speed up.
    return int(np.add.reduce(column.view("<u8"), dtype=np.uint64))
