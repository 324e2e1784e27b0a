"""The tables of a backtest: drawdowns, months, years, trades by what they have in common, and where the money went.

Amounts are paise, returns percent, times ns UTC, durations seconds.
"""

from collections.abc import Sequence
from typing import NamedTuple

from engine.backtest.outcome import Outcome


class Drawdown(NamedTuple):
    """One way down from a peak and back. `end` and `recovery` are None while the peak is not reached again.

    `depth` is in percent and `amount` in paise, both negative; `length` is from peak to `end`, or to the last moment,
    `recovery` from trough to `end`.
    """

    start: int
    trough: int
    end: int | None
    depth: float
    amount: int
    length: float
    recovery: float | None


class Year(NamedTuple):
    """Returns of a calendar year in percent: the whole, and each of twelve months, None where nothing was replayed.

    `benchmark` is buy and hold's, `market` the index's, None where there is none.
    """

    year: int
    total: float
    months: list[float | None]
    net: int
    benchmark: float | None
    market: float | None


class Group(NamedTuple):
    """Closed trades that have something in common. Amounts in paise; `win_rate` in percent; `average` is the mean net.

    `profit_factor` is None without a loss. `mae` and `mfe` are means.
    """

    name: str
    trades: int
    win_rate: float
    net: int
    gross: int
    charges: int
    slippage: int
    average: float
    profit_factor: float | None
    mae: float
    mfe: float


class Step(NamedTuple):
    """One step from the gross before slippage down to the net, in paise: a cost is negative, `total` says which are sums."""

    key: str
    label: str
    amount: int
    total: bool


class Bins(NamedTuple):
    """How often daily returns (%) fell between neighbouring `edges`: one count fewer than edges."""

    edges: list[float]
    counts: list[int]


class Rolling(NamedTuple):
    """A figure over a sliding window, by the number of the day it ends on."""

    days: list[int]
    values: list[float]


BREAKDOWNS = ("strategy", "symbol", "side", "rung", "exit", "hour", "weekday", "month")
"""What `breakdowns` divides trades by: hour of entry in IST ("09".."15"), weekday and month ("2024-06") of entry."""


def drawdowns(outcome: Outcome, most: int = 10) -> list[Drawdown]:
    """Return the deepest drawdowns at every moment that had a bar, the deepest first."""
    raise NotImplementedError


def years(outcome: Outcome) -> list[Year]:
    """Return the returns by year and month; empty where the account fell to nothing."""
    raise NotImplementedError


def rolling_sharpe(outcome: Outcome, window: int = 60, risk_free: float = 0.0) -> Rolling:
    """Return the Sharpe ratio of the last `window` sessions, for each day that has so many and where it is defined."""
    raise NotImplementedError


def distribution(outcome: Outcome) -> Bins:
    """Return how daily returns are distributed, in bins of a round width."""
    raise NotImplementedError


def breakdowns(outcome: Outcome) -> dict[str, list[Group]]:
    """Return the closed trades by each of `BREAKDOWNS`: by net, best first; hours, weekdays, months and rungs in order."""
    raise NotImplementedError


def ladder(outcome: Outcome) -> list[Step]:
    """Return the steps from the gross before slippage through slippage and every charge to the net.

    The steps that are no totals add up to the net exactly.
    """
    raise NotImplementedError


def underwater(outcome: Outcome) -> Sequence[float]:
    """Return how far below its highest close so far (%) the account was at each daily close; 0 or negative."""
    raise NotImplementedError
