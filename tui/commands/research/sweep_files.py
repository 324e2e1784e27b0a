"""The files of a sweep besides its journal: all trials as Parquet, the bars of its workers."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.errors import OperatorError
from engine.research.trials import SweepRow
from engine.system.whole_files import write_whole
from store.trial_journal import TrialJournal

if TYPE_CHECKING:
    import pandas as pd

    from engine.research.sweep_study import SweepStudy

TRIALS: Final = "trials.parquet"
BARS: Final = "bars.packed"


def write_trials(folder: Path, study: "SweepStudy", rows: Sequence[SweepRow]) -> Path:
    """Write every trial with its scores, its terms and its daily returns; return the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

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
    (folder / TRIALS).unlink(missing_ok=True)
