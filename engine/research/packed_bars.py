"""Bars of a sweep in one file that all its workers map into memory.

A line of JSON says what lies behind it: the columns of one symbol after the other, as numbers of
eight bytes. Mapped, they are arrays without a copy, and the pages are shared by every process.
"""

import json
import mmap
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from engine.backtest.run_bars import LoadedBars
from engine.backtest.run_outcome import DataManifest
from engine.errors import DataError
from engine.history.bar_series import BarSeries
from engine.system.whole_files import write_whole

KINDS: Final = {
    name: np.dtype("<i8" if name in {"start", "volume", "ticks", "token"} else "<f8")
    for name in BarSeries._fields
}
WIDTH: Final = 8
"""Bytes of a number."""


def write_packed(path: Path, loaded: LoadedBars) -> None:
    """Write bars with their manifests, in place of the whole file."""
    said = {
        "symbols": {symbol: len(bars.start) for symbol, bars in loaded.series.items()},
        "manifests": msgspec.to_builtins(loaded.manifests),
        "warnings": loaded.warnings,
    }
    head = json.dumps(said).encode()

    def write(fresh: Path) -> None:
        with fresh.open("wb") as out:
            # Numbers lie at multiples of their width, or every look at one would cost a copy.
            out.write(head.ljust(-(-(len(head) + 1) // WIDTH) * WIDTH - 1) + b"\n")
            for series in loaded.series.values():
                for column, kind in zip(series, KINDS.values(), strict=True):
                    out.write(np.ascontiguousarray(column, kind).data)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)


def read_packed(path: Path) -> LoadedBars:
    """Return the bars of a file, mapped; raise `DataError` where it is none."""
    try:
        with path.open("rb") as file:
            head = file.readline()
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        said, series, at = json.loads(head), {}, len(head)
        for symbol, count in said["symbols"].items():
            columns: dict[str, Any] = {}
            for name, kind in KINDS.items():
                columns[name] = np.frombuffer(mapped, kind, count, at)
                at += count * WIDTH
            series[symbol] = BarSeries(**columns)
        manifests = msgspec.convert(said["manifests"], dict[str, DataManifest])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: no packed bars: {error}") from error
    return LoadedBars(series, manifests, list(said["warnings"]))
