"""A backtest for other programs: all of it as JSON, its tables as CSV, Parquet, books and frames.

In JSON amounts are paise and times ns UTC, as in `engine.backtest.run_outcome`. In tables amounts
are rupees, exact to the paisa, and times those of India.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from compiled.model.values import SECOND
from engine.backtest.linter.result_linter import LinterFinding
from engine.backtest.results.figure_text import figure, side_word
from engine.backtest.run_outcome import SCHEMA, DailyColumns, RoundTrip, RunOutcome
from engine.backtest.statistics.run_metrics import RunMetric
from engine.errors import OperatorError, in_words
from engine.history.bar_series import Floats, Ints, numbered_day
from engine.indian_time import INDIA
from engine.system.whole_files import write_whole
from engine.system.workbook import SpreadsheetTable, as_csv, write_workbook

if TYPE_CHECKING:
    from pandas import DataFrame

Format = Literal["json", "csv", "parquet", "xlsx"]
MONEY: Final = frozenset(
    {
        "gross",
        "charges",
        "net",
        "slippage",
        "mae",
        "mfe",
        "equity",
        "exposure",
        "turnover",
        "benchmark",
    }
)
"""Columns that an outcome holds in paise, and a table in rupees."""
ZONE: Final = "Asia/Kolkata"

Columns = Mapping[str, Sequence[object]]
"""A table by its columns: texts, whole numbers, rupees, days, times (ns UTC); None for none.

Columns of times are named `time` or `*_time`.
"""


def as_json(
    outcome: RunOutcome,
    metrics: Sequence[RunMetric] = (),
    findings: Sequence[LinterFinding] = (),
    more: Mapping[str, object] | None = None,
) -> bytes:
    """Return all of a run, and `more`, as one JSON object with its `schema`.

    Long tables are columns, the rest are objects.
    """
    # JSON has no NaN.
    daily = {name: _nullable_list(getattr(outcome.daily, name)) for name in DailyColumns._fields}
    return msgspec.json.encode(
        {
            "schema": SCHEMA,
            "manifest": outcome.manifest,
            "metrics": [each._asdict() for each in metrics],
            "findings": [each._asdict() for each in findings],
            "costs": dict(outcome.costs),
            "refused": dict(outcome.refused),
            "bars": outcome.bars,
            "orders": outcome.orders,
            "trades": [each._asdict() for each in outcome.trades],
            "daily": daily,
            "equity": {"times": outcome.times.tolist(), "curve": outcome.curve.tolist()},
            **(more or {}),
        }
    )


def outcome_tables(outcome: RunOutcome, metrics: Sequence[RunMetric] = ()) -> dict[str, Columns]:
    """Return the tables of a run: trades, equity (at every moment), daily, metrics."""
    return {
        "trades": _trade_columns(outcome.trades),
        "equity": {"time": outcome.times.tolist(), "equity": _in_rupees(outcome.curve.tolist())},
        "daily": {
            "day": [numbered_day(each) for each in outcome.daily.day.tolist()],
            **{name: _daily_column(name, outcome.daily) for name in DailyColumns._fields[1:]},
        },
        "metrics": {
            "key": [each.key for each in metrics],
            "metric": [each.label for each in metrics],
            "unit": [each.unit for each in metrics],
            "value": [
                None if isinstance(each.value, str) or each.value is None else float(each.value)
                for each in metrics
            ],
            "shown": [figure(each) for each in metrics],
        },
    }


def export_outcome(
    out: Path,
    format: Format,
    outcome: RunOutcome,
    metrics: Sequence[RunMetric] = (),
    findings: Sequence[LinterFinding] = (),
) -> list[Path]:
    """Write a run to `out` and return the files: one, or for csv and parquet a folder of tables.

    Each is written whole or not at all. Raises `OperatorError`: cannot be written, xlsx without
    openpyxl, or too long for it.
    """
    if format == "json":
        write_whole(out, lambda fresh: fresh.write_bytes(as_json(outcome, metrics, findings)))
        return [out]
    held = outcome_tables(outcome, metrics)
    if format == "xlsx":
        write_workbook(
            out, [_workbook_sheet(name, each, zoned=False) for name, each in held.items()]
        )
        return [out]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"cannot write {out}: {in_words(error)}") from error
    files = []
    for name, each in held.items():
        files.append(out / f"{name}.{format}")
        if format == "csv":
            text = as_csv(_workbook_sheet(name, each, zoned=True))
            write_whole(files[-1], partial(Path.write_text, data=text, encoding="utf-8"))
        else:
            _write_parquet(files[-1], each, outcome.manifest.run)
    return files


def frames(outcome: RunOutcome, metrics: Sequence[RunMetric] = ()) -> dict[str, "DataFrame"]:
    """Return the tables of a run as frames.

    They are trades by number, equity by time, daily by day, metrics by key.
    """
    import pandas as pd  # noqa: PLC0415 - half a second, for notebooks alone

    held = outcome_tables(outcome, metrics)
    made = {name: pd.DataFrame(dict(each)) for name, each in held.items()}
    for frame in made.values():
        for name in filter(_is_time_column, frame.columns):
            frame[name] = pd.to_datetime(
                frame[name].astype("Int64"), unit="ns", utc=True
            ).dt.tz_convert(ZONE)
    made["daily"]["day"] = pd.to_datetime(made["daily"]["day"])
    keys = {"trades": "number", "equity": "time", "daily": "day", "metrics": "key"}
    return {name: frame.set_index(keys[name]) for name, frame in made.items()}


def _trade_columns(trades: Sequence[RoundTrip]) -> Columns:
    def column(name: str) -> list[object]:
        values = [getattr(each, name) for each in trades]
        return _in_rupees(values) if name in MONEY else values

    return {
        **{name: column(name) for name in ("number", "strategy", "symbol")},
        "side": [side_word(each) for each in trades],
        **{name: column(name) for name in ("ladder", "rung", "quantity")},
        "entry_time": column("entry_ts"),
        "entry_price": column("entry_price"),
        "exit_time": [each.exit_ts or None for each in trades],
        **{
            name: column(name)
            for name in (
                "exit_price",
                "gross",
                "charges",
                "net",
                "slippage",
                "mae",
                "mfe",
                "entry_reason",
                "exit_reason",
            )
        },
    }


def _daily_column(name: str, daily: DailyColumns) -> list[object]:
    values = _nullable_list(getattr(daily, name))
    return _in_rupees(values) if name in MONEY else values


def _nullable_list(values: Ints | Floats) -> list[object]:
    """Return numbers as a list, None where there is none (NaN, infinite)."""
    if values.dtype.kind == "i":
        return list(values.tolist())
    return [
        value if finite else None
        for value, finite in zip(values.tolist(), np.isfinite(values).tolist(), strict=True)
    ]


def _in_rupees(paise: Sequence[object]) -> list[object]:
    # Two places: a quotient by 100 is seldom exact, and its text would show it.
    return [round(each / 100, 2) if isinstance(each, int | float) else None for each in paise]


def _is_time_column(name: object) -> bool:
    return str(name).endswith("time")


def _workbook_sheet(name: str, columns: Columns, *, zoned: bool) -> SpreadsheetTable:
    """Return a table whose times are texts with their zone, or times without one.

    A workbook knows only times without a zone.
    """
    rows = [
        _times_shown(values, zoned=zoned) if _is_time_column(key) else values
        for key, values in columns.items()
    ]
    return SpreadsheetTable(name, tuple(columns), list(zip(*rows, strict=True)))


def _times_shown(times: Sequence[object], *, zoned: bool) -> list[object]:
    found: list[object] = []
    for each in times:
        moment = datetime.fromtimestamp(each // SECOND, INDIA) if isinstance(each, int) else None
        found.append(
            moment
            if moment is None
            else moment.isoformat()
            if zoned
            else moment.replace(tzinfo=None)
        )
    return found


def _write_parquet(file: Path, columns: Columns, run: str) -> None:
    import pyarrow as pa  # noqa: PLC0415 - a fifth of a second
    from pyarrow import parquet  # noqa: PLC0415

    types = {name: pa.timestamp("ns", ZONE) for name in columns if _is_time_column(name)}
    types |= dict.fromkeys(MONEY & set(columns), pa.float64())
    arrays = {name: pa.array(values, types.get(name)) for name, values in columns.items()}
    table = pa.table(arrays).replace_schema_metadata(
        {"patang.schema": str(SCHEMA), "patang.run": run}
    )
    write_whole(file, lambda fresh: parquet.write_table(table, fresh, compression="zstd"))
