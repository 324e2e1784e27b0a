"""The files of a sweep besides its journal: all trials as Parquet, and its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from engine.research.sweep_study import SweepRow, SweepStudy
from engine.system.whole_files import write_whole

if TYPE_CHECKING:
    import pandas as pd

TRIALS: Final = "trials.parquet"


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
