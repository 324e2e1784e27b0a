"""A market whose shares rise every morning, strategies that find that out, and one that cheats."""

import numpy as np

from compiled.model.values import MINUTE
from engine.history.bar_series import BarSeries
from tests.engine.backtest.histories import joined
from tests.engine.backtest.made_up import at, weekdays

SPAN = 900
BARS = 25
DAYS = weekdays(34)
"""3 June to 18 July 2024: 32 sessions, the fewest that the gate against luck can split."""

MORNING = """
from typing import Annotated
from strategies import Context, Bar, Side, Strategy, StrategyParameters, within_bounds


class MorningParameters(StrategyParameters, frozen=True, kw_only=True):
    timeframe_s: int = 900
    hold: Annotated[int, within_bounds(1, 24, "Bars from the first until it leaves.")] = 6
    capital: Annotated[int, within_bounds(1, 10**7, "Rupees in one position.")] = 50_000


class Morning(Strategy):
    def __init__(self, name, parameters: MorningParameters) -> None:
        super().__init__(name, parameters.timeframe_s)
        self.hold, self.capital = parameters.hold, parameters.capital

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        place = (bar.start // 10**9 + 19_800) % 86_400 // 900 - 37
        if place == 0:
            ctx.enter(bar.token, Side.BUY, self.capital * 100, 20.0, reason="morning")
        elif place >= self.hold and ctx.position(bar.token):
            ctx.exit(bar.token, "late enough")
"""
"""Buys after the first bar and leaves after so many more."""

AHEAD = """
import os
from pathlib import Path
from typing import Annotated

import numpy as np

from store.bars.parquet_bars import ParquetBars
from strategies import Context, Bar, Side, Strategy, StrategyParameters, within_bounds


class AheadParameters(StrategyParameters, frozen=True, kw_only=True):
    timeframe_s: int = 900
    far: Annotated[int, within_bounds(1, 24, "Bars that it looks ahead.")] = 6
    capital: Annotated[int, within_bounds(1, 10**7, "Rupees in one position.")] = 50_000


class Ahead(Strategy):
    def __init__(self, name, parameters: AheadParameters) -> None:
        super().__init__(name, parameters.timeframe_s)
        self.far, self.capital = parameters.far, parameters.capital
        self.seen = {}

    def follow(self, token):
        return []

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        symbol = ctx.instrument(bar.token).symbol
        if symbol not in self.seen:
            folder = Path(os.environ["XDG_STATE_HOME"]) / "patang" / "history"
            self.seen[symbol] = ParquetBars(folder).columns(symbol, 900, 0, 2**62, "imported")
        bars = self.seen[symbol]
        place = (bar.start // 10**9 + 19_800) % 86_400 // 900 - 37
        n = int(np.searchsorted(bars.start, bar.start)) + self.far
        up = n < len(bars.start) and bars.close[n] > bar.close * 1.001
        if place == 0 and up:
            ctx.enter(bar.token, Side.BUY, self.capital * 100, 20.0, reason="it knows")
        elif place >= self.far and ctx.position(bar.token):
            ctx.exit(bar.token, "it knew")
"""
"""Reads the bars to come from the store of bars, as nobody can."""

SLOPE = np.concatenate(
    [np.full(8, 0.0025), np.full(3, 0.0003), np.full(3, -0.0003), np.full(BARS - 14, -0.0018)]
)
"""Drift of each bar: steep, flat around its top after eleven, and back down again."""


def rising(seed, price=500.0, noise=0.00005):
    """Return sessions of a share that rises until its thirteenth bar, on a grid of 5 paise."""
    rng = np.random.default_rng(seed)
    parts = []
    for day in DAYS:
        drift = SLOPE + rng.normal(0.0, noise, BARS)
        # One shock a day, which every hold goes through: the longer ones are not the riskier.
        drift[2] += rng.normal(0.0, 0.006)
        closes = price * np.cumprod(1.0 + drift)
        closes = np.round(np.round(closes / 0.05) * 0.05, 2)
        opens = np.concatenate([[price], closes[:-1]])
        high, low = np.maximum(opens, closes) + 0.05, np.minimum(opens, closes) - 0.05
        start = at(day, "09:15") + np.arange(BARS) * 15 * MINUTE
        volume = np.full(BARS, 1_000_000)
        parts.append(
            BarSeries(
                start,
                opens,
                np.round(high, 2),
                np.round(low, 2),
                closes,
                volume,
                np.full(BARS, 4),
                np.full(BARS, 1, np.int64),
            )
        )
        price = float(closes[-1])
    return joined(*parts)
