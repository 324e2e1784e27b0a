"""Days of stress in the market, and an account's results on them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from engine.backtest.run_outcome import RunOutcome
from engine.history.bar_series import Floats, Ints, day_number, numbered_day

FILE: Final = Path(__file__).with_name("stress.json")


class StressDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A day, its kind, and its event."""

    day: date
    kind: str
    what: str


class StressPeriod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days of a kind by rule, both ends included.

    They are every session, or the last of a weekday (Monday 0) in each month.
    """

    kind: str
    first: date | None = None
    last: date | None = None
    weekday: int | None = None


class StressTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The dated list; `kind_results` has the names of the kinds."""

    about: str
    kinds: dict[str, str]
    stretches: list[StressPeriod]
    days: list[StressDay]


class StressDayResult(NamedTuple):
    """One day of the list that was replayed.

    Returns of the account and of buy and hold are percent, P&L is paise.
    """

    day: int
    what: str
    net: int
    account: float
    held: float | None


class StressKindResult(NamedTuple):
    """All days of a kind that were replayed.

    It has their number, their P&L (paise), mean and worst return in percent.
    """

    name: str
    days: int
    net: int
    mean: float
    worst: float


def load_stress_table() -> StressTable:
    """Return the list that comes with the program."""
    return msgspec.json.decode(FILE.read_bytes(), type=StressTable)


def day_results(outcome: RunOutcome, table: StressTable) -> list[StressDayResult]:
    """Return the account's result on each day of the list, in order."""
    place = {int(day): i for i, day in enumerate(outcome.daily.day)}
    net, account, held = _day_returns(outcome)
    found = [
        (place.get(day_number(each.day)), each)
        for each in sorted(table.days, key=lambda each: each.day)
    ]
    return [
        StressDayResult(
            int(outcome.daily.day[i]),
            each.what,
            int(net[i]),
            float(account[i]),
            _finite_or_none(held[i]),
        )
        for i, each in found
        if i is not None
    ]


def kind_results(outcome: RunOutcome, table: StressTable) -> list[StressKindResult]:
    """Return the account's results on all days of each kind, and on all others."""
    days = outcome.daily.day
    if not len(days):
        return []
    marked: dict[str, npt.NDArray[np.bool_]] = {}
    for kind in table.kinds:
        dated = [day_number(each.day) for each in table.days if each.kind == kind]
        ruled = [
            day for each in table.stretches if each.kind == kind for day in _ruled_days(days, each)
        ]
        marked[kind] = np.isin(days, np.array(dated + ruled, np.int64))
    net, account, _ = _day_returns(outcome)
    other = ~np.logical_or.reduce(list(marked.values()))
    named: Mapping[str, npt.NDArray[np.bool_]] = {
        **{table.kinds[kind]: rows for kind, rows in marked.items()},
        "All other days": other,
    }
    return [
        StressKindResult(
            name,
            int(rows.sum()),
            int(net[rows].sum()),
            float(account[rows].mean()),
            float(account[rows].min()),
        )
        for name, rows in named.items()
        if rows.any()
    ]


def _day_returns(outcome: RunOutcome) -> tuple[Ints, Floats, Floats]:
    """Return each day's P&L in paise, and the returns of account and buy and hold in percent."""
    start = outcome.manifest.start_cash
    equity = np.concatenate(([start], outcome.daily.equity))
    held = np.concatenate(([float(start)], outcome.daily.benchmark))
    # An account at nothing has no returns; its days show none.
    with np.errstate(divide="ignore", invalid="ignore"):
        account, kept = (
            np.nan_to_num(np.diff(each) / each[:-1] * 100.0, posinf=0.0, neginf=0.0)
            for each in (equity, held)
        )
    return np.diff(equity), account, np.where(np.isfinite(outcome.daily.benchmark), kept, np.nan)


def _finite_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _ruled_days(days: Ints, stretch: StressPeriod) -> list[int]:
    first = day_number(stretch.first or date.min)
    last = day_number(stretch.last or date.max)
    inside = [int(day) for day in days if first <= day <= last]
    if stretch.weekday is None:
        return inside
    return _last_of_month(inside, stretch.weekday)


def _last_of_month(days: Sequence[int], weekday: int) -> list[int]:
    """Return the last such weekday of each month, or the session before where it is none."""
    found = []
    for year, month in sorted({(day.year, day.month) for day in map(numbered_day, days)}):
        after = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        wanted = after - timedelta(days=(after.weekday() - weekday) % 7)
        number = day_number(wanted)
        before = [day for day in days if number - 5 < day <= number]
        if before and days[-1] >= number:
            found.append(before[-1])
    return found
