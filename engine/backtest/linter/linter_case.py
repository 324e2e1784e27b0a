"""A run to be judged by the linter, as its checks look at it."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compiled.model.values import SECOND
from engine.backtest.run_outcome import RunOutcome
from engine.backtest.statistics.equity_curve import returns
from engine.backtest.statistics.round_trip_columns import (
    RoundTripColumns,
    closed_places,
    names_and_places,
    round_trip_columns,
)
from engine.history.bar_series import BarSeries, Floats, Ints


class MeasuredValue(NamedTuple):
    """A check's finding: `value` is None where it was not run, and `text` then says why."""

    value: float | None
    text: str


class SymbolFills(NamedTuple):
    """Entries and exits of one symbol: `slack` is the slippage per share of its trade, rupees."""

    ts: Ints
    price: Floats
    quantity: Ints
    slack: Floats


class FillsInBars(NamedTuple):
    """Fills against their bars.

    The arrays are whether the bar had the price, ns since the last bar ended, its volume, and the
    quantity of the fill.
    """

    inside: npt.NDArray[np.bool_]
    age: Ints
    volume: Ints
    quantity: Ints


class LinterCase:
    """A run to be judged.

    `figures` are its metrics by key, `bars` and `ticks` by symbol where they were given, `delayed`
    the net of the same run with every order 250 ms later, in paise.
    """

    def __init__(
        self,
        outcome: RunOutcome,
        figures: Mapping[str, float | int | str | None],
        bars: Mapping[str, BarSeries] | None,
        ticks: Mapping[str, float] | None,
        seed: int,
        delayed: int | None = None,
    ) -> None:
        self.outcome = outcome
        self.figures = figures
        self.bars = bars
        self.ticks = ticks
        self.seed = seed
        self.delayed = delayed
        self.round_trips: RoundTripColumns = round_trip_columns(outcome.trades)
        self.closed_trips: RoundTripColumns = self.round_trips.pick(closed_places(self.round_trips))
        self.daily = returns(outcome.daily.equity, outcome.manifest.start_cash)

    def figure(self, key: str) -> float | None:
        """Return a metric that is a number."""
        value = self.figures.get(key)
        return None if value is None or isinstance(value, str) else float(value)

    @cached_property
    def fills(self) -> dict[str, SymbolFills]:
        """Return entries and exits by symbol, in no order."""
        every = self.round_trips
        names, places = names_and_places(self.outcome.trades, "symbol")
        left = every.exit_ts != 0
        ts = np.concatenate((every.entry_ts, every.exit_ts[left]))
        price = np.concatenate((every.entry_price, every.exit_price[left]))
        trade = np.concatenate((np.arange(len(left)), np.flatnonzero(left)))
        # A fill may stand beyond its bar by its slippage, and by no more.
        slack = every.slippage / np.maximum(every.quantity, 1) / 100.0
        order = np.argsort(places[trade], kind="stable")
        bounds = np.searchsorted(places[trade][order], np.arange(len(names) + 1))
        rows = {name: order[bounds[at] : bounds[at + 1]] for at, name in enumerate(names)}
        return {
            name: SymbolFills(ts[row], price[row], every.quantity[trade[row]], slack[trade[row]])
            for name, row in rows.items()
        }

    @cached_property
    def fills_in_bars(self) -> FillsInBars | None:
        """Return every fill beside the bar that was current.

        It is None without the bars of every symbol traded.
        """
        bars = self.bars
        if (
            bars is None
            or not self.fills
            or not all(name in bars and len(bars[name].start) for name in self.fills)
        ):
            return None
        span = self.outcome.manifest.span * SECOND
        parts = [_fills_in_bars(fills, bars[name], span) for name, fills in self.fills.items()]
        inside, age, volume, quantity = zip(*parts, strict=True)
        return FillsInBars(
            np.concatenate(inside),
            np.concatenate(age),
            np.concatenate(volume),
            np.concatenate(quantity),
        )


def _fills_in_bars(fills: SymbolFills, bars: BarSeries, span: int) -> FillsInBars:
    at = np.maximum(np.searchsorted(bars.start, fills.ts, side="right") - 1, 0)
    # differs where one ends as one starts
    ends = np.maximum(np.searchsorted(bars.start, fills.ts, side="left") - 1, 0)
    slack = fills.slack + 0.005
    inside = np.zeros(len(at), np.bool_)
    for bar in (at, ends):
        inside |= (fills.price >= bars.low[bar] - slack) & (fills.price <= bars.high[bar] + slack)
    return FillsInBars(inside, fills.ts - bars.start[at] - span, bars.volume[at], fills.quantity)


Check = Callable[[LinterCase], MeasuredValue]
