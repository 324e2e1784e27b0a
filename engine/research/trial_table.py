"""The table of a sweep's trials: its columns, what they may hold, and complaints about them."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from engine.config.toml_reader import close_hint
from engine.errors import DataError
from engine.history.bar_series import Floats

Truths = np.ndarray[tuple[int], np.dtype[np.bool_]]

PENALTY: Final = "penalty_"
"""The beginning of the names of columns that hold penalties."""


class FigureColumn(NamedTuple):
    """A column of numbers; `expected` describes what `is_valid` takes.

    One that `may_lack` has empty cells where a trial has no such figure; a ratio may be infinite.
    """

    name: str
    expected: str
    is_valid: Callable[[Floats], Truths]
    may_lack: bool = False
    is_ratio: bool = False


def _at_least(low: float) -> Callable[[Floats], Truths]:
    return lambda values: values >= low


TEXTS: Final = ("trial", "strategy", "symbol", "parameters")
FIGURES: Final = (
    FigureColumn(
        "timeframe",
        "whole seconds, as 60",
        lambda values: (values >= 1.0) & (values == np.floor(values)),
    ),
    FigureColumn("net_return", "a fraction of the capital, as 0.05", np.isfinite),
    FigureColumn("days", "sessions of the window, at least 1", _at_least(1.0)),
    FigureColumn("sharpe", "a ratio", _at_least(-np.inf), may_lack=True, is_ratio=True),
    FigureColumn("sortino", "a ratio", _at_least(-np.inf), may_lack=True, is_ratio=True),
    # A share above 1 is a percentage: a table of percents would pass every other bound in silence.
    FigureColumn(
        "win_rate",
        "a share from 0 to 1, as 0.55 for 55 %",
        lambda values: (values >= 0.0) & (values <= 1.0),
        may_lack=True,
    ),
    FigureColumn(
        "max_drawdown",
        "a fraction that is at most 0, as -0.125 for an eighth",
        lambda values: values <= 0.0,
    ),
    FigureColumn("turnover", "a number that is at least 0", _at_least(0.0), may_lack=True),
    FigureColumn("average_holding_s", "seconds, at least 0", _at_least(0.0), may_lack=True),
    FigureColumn("trades", "a number that is at least 0", _at_least(0.0)),
)
COLUMNS: Final = (*TEXTS, *(figure.name for figure in FIGURES))
"""Every column that a table of trials must have."""


def checked_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Return a copy in the order of trial ids, figures as floats; raise `DataError`.

    Sums of floats depend on their order: in one order, equal tables have equal scores to the bit.
    """
    require_columns(trials, COLUMNS)
    if trials.empty:
        raise DataError("trials: the table is empty; run the sweep first, or name another one")
    table = trials.copy()
    for name in TEXTS:
        for place, value in enumerate(table[name]):
            if not isinstance(value, str) or not value:
                raise DataError(
                    f"trials: {name} of row {place + 1} is {value!r}; expected a text that is not "
                    f"empty"
                )
    twice = table["trial"][table["trial"].duplicated()]
    if len(twice):
        raise DataError(
            f"trials: {min(twice)} stands there more than once; expected one row for each trial"
        )
    for column in (*FIGURES, *map(_penalty_column, penalty_names(table))):
        table[column.name] = _checked_figures(table, column)
    table["timeframe"] = table["timeframe"].astype("int64")
    return table.sort_values("trial", ignore_index=True)


def penalty_names(trials: pd.DataFrame) -> list[str]:
    """Return the names of the columns that hold penalties, in order."""
    return sorted(name for name in map(str, trials.columns) if name.startswith(PENALTY))


def require_columns(table: pd.DataFrame, names: Sequence[str], step: str = "") -> None:
    """Raise `DataError` for the first of these columns that a table lacks.

    The mend is the step that makes it, or what a column is that the caller has to give.
    """
    there = [str(name) for name in table.columns]
    for name in names:
        if name not in there:
            own = f"{close_hint(name, there)}; docs/scoring.md says what it holds"
            mend = f"; {step} makes it" if step else own
            raise DataError(f"trials: there is no column {name}{mend}")


def ages(table: pd.DataFrame, as_of: date | None) -> Floats:
    """Return the calendar days from each trial's last day to `as_of`; raise `DataError`.

    They are 0 where the table has no column `last_day`.
    """
    if "last_day" not in table.columns:
        return np.zeros(len(table))
    if as_of is None:
        raise DataError(
            "trials: there is a column last_day, and no day to count ages to; give as_of, or drop "
            "the column"
        )
    last = [
        _ordinal(value, trial)
        for value, trial in zip(table["last_day"], table["trial"], strict=True)
    ]
    found = as_of.toordinal() - np.array(last, dtype=np.float64)
    if (found < 0.0).any():
        late = int(np.flatnonzero(found < 0.0)[0])
        raise DataError(
            f"trials: last_day of trial {table['trial'].iloc[late]} lies after {as_of}; give a "
            f"later as_of, or mend it"
        )
    return found


def _ordinal(value: object, trial: str) -> int:
    """Return the number of a day that is an ISO text, a date, or a time of pandas."""
    # A time of pandas is a date as well; so is its NaT, whose ordinal raises as a wrong text does.
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value))
        return int(day.toordinal())
    except ValueError as error:
        raise DataError(
            f'trials: last_day of trial {trial} is {value!r}; expected a date as "2026-11-20"'
        ) from error


def _penalty_column(name: str) -> FigureColumn:
    return FigureColumn(name, "a number that is at least 0", _at_least(0.0))


def _checked_figures(table: pd.DataFrame, column: FigureColumn) -> Floats:
    """Return a column as floats; raise `DataError` for the first trial it is no such figure of."""
    given = table[column.name]
    values = np.asarray(pd.to_numeric(given, errors="coerce"), dtype=np.float64)
    wrong = ~column.is_valid(values)
    if not column.is_ratio:
        wrong |= ~np.isfinite(values)
    if column.may_lack:
        # A text that is no number is NaN in the values too, and stays wrong.
        wrong &= ~given.isna().to_numpy()
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"trials: {column.name} of trial {table['trial'].iloc[place]} is {given.iloc[place]}; "
            f"expected {column.expected}, or leave the trial out"
        )
    return values
