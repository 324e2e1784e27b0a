"""The tables of a backtest: drawdowns, months, years, trades by field, and costs.

Amounts are paise, returns percent, times ns UTC, durations seconds.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from compiled.model.values import MINUTE, SECOND
from engine.backtest.run_outcome import RunOutcome
from engine.backtest.statistics.equity_curve import (
    Numbers,
    below_peak,
    drawdown_spans,
    last_places,
    month_numbers,
    returns,
)
from engine.backtest.statistics.round_trip_columns import (
    RoundTripColumns,
    closed_places,
    names_and_places,
    round_trip_columns,
)
from engine.backtest.statistics.run_statistics import SESSIONS, rate_of_day
from engine.history.bar_series import Floats, Ints, ist_days
from engine.indian_time import IST

HOUR: Final = 60 * MINUTE
BINS: Final = 30
"""The most of a distribution."""


class DrawdownRow(NamedTuple):
    """One way down from a peak and back.

    `end` and `recovery` are None while the peak is not reached again. `depth` is in percent and
    `amount` in paise, both negative; `length` is from peak to `end`, or to the last moment,
    `recovery` from trough to `end`.
    """

    start: int
    trough: int
    end: int | None
    depth: float
    amount: int
    length: float
    recovery: float | None


class YearReturns(NamedTuple):
    """Returns of a calendar year and of its months in percent, None where nothing was replayed.

    `benchmark` is buy and hold's, `market` the index's, None where there is none.
    """

    year: int
    total: float
    months: list[float | None]
    net: int
    benchmark: float | None
    market: float | None


class TradeGroup(NamedTuple):
    """Closed trades with a common field.

    Amounts in paise; `win_rate` in percent; `average` is the mean net. `profit_factor` is None
    without a loss. `mae` and `mfe` are means.
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


class CostStep(NamedTuple):
    """One step from the gross before slippage down to the net, in paise.

    A cost is negative; `total` marks sums.
    """

    key: str
    label: str
    amount: int
    total: bool


class ReturnBins(NamedTuple):
    """Counts of daily returns (%) between neighbouring `edges`: one count fewer than edges."""

    edges: list[float]
    counts: list[int]


class RollingFigure(NamedTuple):
    """A figure over a sliding window, by the number of the day it ends on."""

    days: list[int]
    values: list[float]


WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BREAKDOWNS: Final = ("strategy", "symbol", "side", "rung", "exit", "hour", "weekday", "month")
"""What `breakdowns` divides trades by.

Hour of entry in IST ("09" to "15"), weekday and month ("2024-06") of entry.
"""


def drawdowns(outcome: RunOutcome, most: int = 10) -> list[DrawdownRow]:
    """Return the deepest drawdowns at every moment that had a bar, the deepest first."""
    cash, curve, times = outcome.manifest.start_cash, outcome.curve, outcome.times
    if cash <= 0 or not len(curve):
        return []
    below = below_peak(curve, cash)
    down = drawdown_spans(below)
    # Stable: of equal depths the earlier stands first, on every machine.
    deepest = np.argsort(down.depth, kind="stable")[:most].tolist()
    return [
        _drawdown_row(
            below, curve, times=times, cash=cash, peak=int(down.peak[at]), end=int(down.end[at])
        )
        for at in deepest
    ]


def _drawdown_row(
    below: Floats, curve: Ints, times: Ints, cash: int, peak: int, end: int
) -> DrawdownRow:
    trough = peak + 1 + int(below[peak + 1 : end].argmin())
    top = cash if peak < 0 else int(curve[peak])
    start, bottom, over = (
        int(times[max(peak, 0)]),
        int(times[trough]),
        int(times[min(end, len(times) - 1)]),
    )
    back = over if end < len(times) else None
    return DrawdownRow(
        start,
        bottom,
        back,
        depth=100.0 * float(below[trough]),
        amount=int(curve[trough]) - top,
        length=(over - start) / SECOND,
        recovery=None if back is None else (back - bottom) / SECOND,
    )


def yearly_returns(outcome: RunOutcome) -> list[YearReturns]:
    """Return the returns by year and month; empty where the account fell to nothing."""
    daily, cash = outcome.daily, outcome.manifest.start_cash
    if not len(returns(daily.equity, cash)):
        return []
    month = month_numbers(daily.day)
    ends = last_places(month)
    monthly = dict(
        zip(month[ends].tolist(), (100.0 * returns(daily.equity[ends], cash)).tolist(), strict=True)
    )
    year = month // 12
    last = last_places(year)
    equity = daily.equity[last]
    rows = zip(
        (year[last] + 1970).tolist(),
        (100.0 * returns(equity, cash)).tolist(),
        np.diff(equity, prepend=cash).tolist(),
        _yearly_changes(daily.benchmark, last, cash),
        _yearly_changes(daily.market, last, None),
        strict=True,
    )
    return [
        YearReturns(
            number,
            total,
            months=[monthly.get(12 * (number - 1970) + each) for each in range(12)],
            net=net,
            benchmark=benchmark,
            market=market,
        )
        for number, total, net, benchmark, market in rows
    ]


def _yearly_changes(
    values: Floats, last: Sequence[int] | npt.NDArray[np.intp], first: float | None
) -> list[float | None]:
    """Return the changes in percent between the last known values of years.

    The first year's is from `first` or the first known one.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return [None] * len(last)
    found: list[float | None] = []
    before = float(values[known[0]]) if first is None else first
    for end in last:
        at = int(np.searchsorted(known, end, side="right"))
        value = before if at == 0 else float(values[known[at - 1]])
        found.append(100.0 * (value / before - 1.0) if before > 0.0 else None)
        before = value
    return found


def rolling_sharpe(outcome: RunOutcome, window: int = 60, risk_free: float = 0.0) -> RollingFigure:
    """Return the Sharpe ratio of the last `window` sessions, for each day where it is defined."""
    daily = returns(outcome.daily.equity, outcome.manifest.start_cash)
    if len(daily) < window or window < 2:
        return RollingFigure([], [])
    stretches = np.lib.stride_tricks.sliding_window_view(daily - rate_of_day(risk_free), window)
    spread = stretches.std(axis=1, ddof=1)
    # A window without trades has no deviation; its last bits are no risk.
    moves = np.ptp(stretches, axis=1) > 1e-12 * np.abs(stretches).max(axis=1)
    ratio = math.sqrt(SESSIONS) * stretches.mean(axis=1)[moves] / spread[moves]
    return RollingFigure(outcome.daily.day[window - 1 :][moves].tolist(), ratio.tolist())


def distribution(outcome: RunOutcome) -> ReturnBins:
    """Return the counts of daily returns in at most `BINS` bins of a round width.

    There may be one or two more at the ends.
    """
    percents = 100.0 * returns(outcome.daily.equity, outcome.manifest.start_cash)
    if not len(percents):
        return ReturnBins([], [])
    least = max(float(np.ptp(percents)), float(np.abs(percents).max())) / BINS or 1.0
    scale = 10.0 ** math.floor(math.log10(least))
    # Round edges can be read; thirty of any width cannot.
    width = next(round_ * scale for round_ in (1.0, 2.0, 2.5, 5.0, 10.0) if round_ * scale >= least)
    # A return on an edge belongs above it, whatever its last bit says.
    places = np.floor(percents / width + 1e-9).astype(np.int64)
    low, high = int(places.min()), int(places.max())
    return ReturnBins(
        [width * at for at in range(low, high + 2)],
        np.bincount(places - low, minlength=high - low + 1).tolist(),
    )


def breakdowns(outcome: RunOutcome) -> dict[str, list[TradeGroup]]:
    """Return the closed trades by each of `BREAKDOWNS`: by net, best first.

    Hours, weekdays, months and rungs are in their own order.
    """
    every = round_trip_columns(outcome.trades)
    left = closed_places(every)
    made = every.pick(left)
    day = ist_days(made.entry_ts)

    def by_name(field: str) -> list[TradeGroup]:
        names, places = names_and_places(outcome.trades, field)
        return sorted(_trade_groups(names, places[left], made), key=lambda group: -group.net)

    def by_number(values: Ints, name: Callable[[int], str]) -> list[TradeGroup]:
        first = int(values.min(initial=0))
        there = range(first, int(values.max(initial=first)) + 1)
        return _trade_groups([name(value) for value in there], values - first, made)

    return {
        "strategy": by_name("strategy"),
        "symbol": by_name("symbol"),
        # Negated, so that long stands first.
        "side": by_number(-made.side, lambda side: "short" if side > 0 else "long"),
        "rung": by_number(made.rung, str),
        "exit": by_name("exit_reason"),
        "hour": by_number((made.entry_ts + IST) // HOUR % 24, "{:02}".format),
        # 1 January 1970 was a Thursday.
        "weekday": by_number((day + 3) % 7, WEEKDAYS.__getitem__),
        "month": by_number(
            month_numbers(day), lambda month: f"{1970 + month // 12}-{month % 12 + 1:02}"
        ),
    }


def _trade_groups(names: Sequence[str], places: Ints, made: RoundTripColumns) -> list[TradeGroup]:
    """Return the trades at each place together; a sum of fewer than 2^53 paise is exact."""

    def total(values: Numbers | npt.NDArray[np.bool_]) -> Floats:
        return np.bincount(places, values.astype(np.float64), len(names)).astype(np.float64)

    count = np.bincount(places, minlength=len(names))
    won, lost = total(np.maximum(made.net, 0)), total(np.maximum(-made.net, 0))
    net, gross, charges, slippage = (
        total(values) for values in (made.net, made.gross, made.charges, made.slippage)
    )
    wins, mae, mfe = total(made.net > 0), total(made.mae), total(made.mfe)
    return [
        TradeGroup(
            name=names[at],
            trades=int(count[at]),
            win_rate=100.0 * float(wins[at] / count[at]),
            net=int(net[at]),
            gross=int(gross[at]),
            charges=int(charges[at]),
            slippage=int(slippage[at]),
            average=float(net[at] / count[at]),
            profit_factor=float(won[at] / lost[at]) if lost[at] else None,
            mae=float(mae[at] / count[at]),
            mfe=float(mfe[at] / count[at]),
        )
        for at in np.flatnonzero(count).tolist()
    ]


def cost_steps(outcome: RunOutcome) -> list[CostStep]:
    """Return the steps from the gross before slippage through slippage and every charge to the net.

    The first step and the costs below it add up to the net exactly; the remainder besides the named
    parts of the charges is "Other".
    """
    net, charges = outcome.net, int(outcome.daily.charges.sum())
    slippage = sum(trade.slippage for trade in outcome.trades)
    other = charges - sum(outcome.costs.values())
    costs = [
        CostStep(key, key[:1].upper() + key[1:], -paise, total=False)
        for key, paise in outcome.costs.items()
    ]
    return [
        CostStep("before_slippage", "Gross before slippage", net + charges + slippage, total=True),
        CostStep("slippage", "Slippage", -slippage, total=False),
        CostStep("gross", "Gross", net + charges, total=True),
        *costs,
        *([CostStep("other", "Other", -other, total=False)] if other else []),
        CostStep("net", "Net", net, total=True),
    ]


def underwater(outcome: RunOutcome) -> list[float]:
    """Return the drawdown from the highest close so far (%) at each daily close, 0 or negative."""
    cash = outcome.manifest.start_cash
    return (100.0 * below_peak(outcome.daily.equity, cash)).tolist() if cash > 0 else []
