"""Other futures: bars cut away, bars replaced by garbage, and bars as they were known on a day."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from typing import Final

import numpy as np

from engine.backtest.bias.request_trace import Change, Series
from engine.history.bar_adjustment import adjusted_series
from engine.history.bar_series import BarSeries
from engine.market.calendar import midnight
from engine.market.corporate_actions.action_list import AdjustmentStep

KINDS: Final = ("another symbol's bars", "its own bars in reverse", "noise")
TICK: Final = 0.05


def cut_future(at: int) -> Change:
    """Return a change that leaves out every bar that starts at or after a time (ns UTC)."""
    return partial(_cut_bars, at)


def _cut_bars(at: int, series: Series) -> dict[str, BarSeries]:
    return {
        symbol: bars.pick(slice(0, int(np.searchsorted(bars.start, at))))
        for symbol, bars in series.items()
    }


def poison_future(at: int, kind: str, seed: int) -> Change:
    """Return a change of every bar from a time on to garbage of a kind, in prices and volumes."""
    return partial(_poison_bars, at, kind, seed)


def _poison_bars(at: int, kind: str, seed: int, series: Series) -> dict[str, BarSeries]:
    names = list(series)
    # Each symbol gets the next one's future: plausible prices, and wrong ones.
    others = [*names[1:], *names[:1]]
    return {
        symbol: _replace_after(
            bars, at, _garbage_bars(bars, series[other], at, kind, np.random.default_rng([seed, n]))
        )
        for n, ((symbol, bars), other) in enumerate(zip(series.items(), others, strict=True))
    }


def _replace_after(bars: BarSeries, at: int, garbage: BarSeries) -> BarSeries:
    first = int(np.searchsorted(bars.start, at))
    columns = [
        np.concatenate([old[:first], new[: len(old) - first]])
        for old, new in zip(bars[1:6], garbage[1:6], strict=True)
    ]
    return bars._replace(
        open=columns[0], high=columns[1], low=columns[2], close=columns[3], volume=columns[4]
    )


def _garbage_bars(
    bars: BarSeries, other: BarSeries, at: int, kind: str, rng: np.random.Generator
) -> BarSeries:
    """Return garbage for the bars from a time on, as many as there are."""
    future = bars.pick(slice(int(np.searchsorted(bars.start, at)), None))
    count = len(future.start)
    # Of a single symbol there is no other: its own bars in reverse.
    if kind == KINDS[0] and other is not bars and len(other.start):
        return other.pick(np.arange(len(other.start) - count, len(other.start)) % len(other.start))
    if kind != KINDS[2]:
        return future.pick(slice(None, None, -1))
    steps = np.maximum(np.round(future.close / TICK) + rng.integers(-40, 41, count).cumsum(), 40.0)
    open_, close = steps + rng.integers(-9, 10, count), steps + rng.integers(-9, 10, count)
    high, low = (
        np.maximum(open_, close) + rng.integers(0, 9, count),
        np.minimum(open_, close) - rng.integers(0, 9, count),
    )
    prices = [np.round(column * TICK, 2) for column in (open_, high, low, close)]
    volume = rng.integers(1, 1_000_000, count)
    return future._replace(
        open=prices[0], high=prices[1], low=prices[2], close=prices[3], volume=volume
    )


def bars_known_on(
    at: int, raw: Series, steps: Mapping[str, Sequence[AdjustmentStep]], series: Series
) -> dict[str, BarSeries]:
    """Return the bars before a time (ns UTC), adjusted by the actions up to then and no later."""
    found = _cut_bars(at, series)
    for symbol, mine in steps.items():
        past = [step for step in mine if midnight(step.ex) < at]
        # From the raw bars: those of the run are divided by splits that nobody knew of yet.
        found[symbol] = adjusted_series(_cut_bars(at, {symbol: raw[symbol]})[symbol], past)
    return found


def moves_prices(steps: Sequence[AdjustmentStep], at: int) -> bool:
    """Return whether an action at or after a time (ns UTC) moves the prices before it."""
    return prod(step.price for step in steps if midnight(step.ex) >= at) != 1.0
