"""The files of a sweep besides its journal: all trials as Parquet, the trades of the best."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import OperatorError
from engine.history.bar_series import Floats
from engine.research.sweep_study import SweepRow, SweepStudy
from engine.system.whole_files import write_whole
from store.trial_journal import TrialJournal

if TYPE_CHECKING:
    import pandas as pd

TRIALS: Final = "trials.parquet"
TRADES: Final = "trades.json"
BARS: Final = "bars.arrow"


def write_trials(folder: Path, study: SweepStudy, rows: Sequence[SweepRow]) -> Path:
    """Write every trial with its scores, its terms and its daily returns; return the file."""
    table: pd.DataFrame = study.scores.trials
    by_name = {row.name: row for row in rows}
    ordered = [by_name[name] for name in table["trial"]]
    arrow = pa.table({str(name): pa.array(table[name].tolist()) for name in table.columns})
    arrow = arrow.append_column("digest", pa.array([row.result.digest for row in ordered]))
    daily = pa.array([row.result.daily.tolist() for row in ordered], pa.list_(pa.float32()))
    out = folder / TRIALS
    write_whole(
        out,
        lambda fresh: pq.write_table(
            arrow.append_column("daily_returns", daily), fresh, compression="zstd"
        ),
    )
    return out


def drop_bars(folder: Path) -> None:
    """Remove the bars of a sweep that is whole: they are most of its size, and no trial needs them.

    One that goes on at this moment keeps them.
    """
    journal = TrialJournal(folder)
    with suppress(OperatorError), journal.lock():
        (folder / BARS).unlink(missing_ok=True)


def forget_study(folder: Path) -> None:
    """Remove what was found out about trials that are forgotten; the caller holds the lock."""
    for name in (TRIALS, TRADES):
        (folder / name).unlink(missing_ok=True)


def write_trades(folder: Path, trades: Mapping[str, Floats]) -> None:
    """Write the round trips of a few trials, P&L over the cash at the beginning."""
    text = json.dumps({name: each.tolist() for name, each in trades.items()})
    write_whole(folder / TRADES, lambda fresh: fresh.write_text(text + "\n", encoding="utf-8"))


def read_trades(folder: Path) -> dict[str, Floats]:
    """Return the trades that were kept; none where there are none, or they cannot be read."""
    try:
        kept = msgspec.json.decode((folder / TRADES).read_bytes(), type=dict[str, list[float]])
    except (OSError, msgspec.MsgspecError):
        return {}
    return {name: np.array(each) for name, each in kept.items()}
