"""Bars of a sweep in one file that all its workers map into memory.

An Arrow file with a record batch for each symbol: mapped, the columns are arrays without a copy,
and the pages are shared by every process that reads them.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from engine.backtest.run_bars import LoadedBars
from engine.backtest.run_outcome import DataManifest
from engine.errors import DataError
from engine.history.bar_series import BarSeries
from engine.market.arrow_columns import array_of_numbers, packed_numbers
from engine.system.whole_files import write_whole

KINDS: dict[str, Any] = {
    name: np.int64 if name in {"start", "volume", "ticks", "token"} else np.float64
    for name in BarSeries._fields
}


def write_packed(path: Path, loaded: LoadedBars) -> None:
    """Write bars with their manifests, in place of the whole file."""
    schema = pa.schema([(name, pa.from_numpy_dtype(kind)) for name, kind in KINDS.items()])
    said = {
        "symbols": list(loaded.series),
        "manifests": msgspec.to_builtins(loaded.manifests),
        "warnings": loaded.warnings,
    }
    schema = schema.with_metadata({"bars": json.dumps(said)})

    def write(fresh: Path) -> None:
        with pa.OSFile(str(fresh), "wb") as out, pa.ipc.new_file(out, schema) as writer:
            for series in loaded.series.values():
                columns = [array_of_numbers(column) for column in series]
                writer.write_batch(pa.record_batch(columns, schema=schema))

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)


def read_packed(path: Path) -> LoadedBars:
    """Return the bars of a file, mapped; raise `DataError` where it is none."""
    try:
        file = pa.ipc.open_file(pa.memory_map(str(path)))
        said = json.loads(file.schema.metadata[b"bars"])
        series = {
            symbol: _mapped_series(file.get_batch(number))
            for number, symbol in enumerate(said["symbols"])
        }
        manifests = msgspec.convert(said["manifests"], dict[str, DataManifest])
    except (OSError, ValueError, KeyError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: no packed bars: {error}") from error
    return LoadedBars(series, manifests, list(said["warnings"]))


def _mapped_series(batch: pa.RecordBatch) -> BarSeries:
    columns: dict[str, Any] = {
        name: packed_numbers(pa.chunked_array([batch.column(name)]), kind)
        for name, kind in KINDS.items()
    }
    return BarSeries(**columns)
