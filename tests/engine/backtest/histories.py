"""Small histories of made-up minutes, and a strategy that does what it is told."""

import numpy as np

from compiled.model.values import MINUTE, Side
from compiled.trading.strategy import Strategy
from engine.history.bar_series import BarSeries
from store.bars.parquet_bars import ParquetBars
from tests.engine.backtest.made_up import at

MINUTES = 375


def day_of(day, opens, token=1, spread=0.5, volume=100_000):
    """Return the minutes of a session from 09:15 whose opens are given (₹).

    Each closes at the next one's open.
    """
    opens = np.asarray(opens, np.float64)
    closes = np.append(opens[1:], opens[-1])
    start = at(day, "09:15") + np.arange(len(opens), dtype=np.int64) * MINUTE
    high, low = np.maximum(opens, closes) + spread, np.minimum(opens, closes) - spread
    whole = np.full(len(opens), volume, np.int64)
    return BarSeries(
        start, opens, high, low, closes, whole, np.full(len(opens), 4), np.full(len(opens), token)
    )


def joined(*days):
    return BarSeries(*(np.concatenate(column) for column in zip(*days, strict=True)))


def walk(days, seed, price=500.0, token=1, spread=0.5):
    """Return whole sessions of a random walk on a grid of 5 paise."""
    rng = np.random.default_rng(seed)
    parts = []
    for day in days:
        steps = rng.integers(-8, 9, MINUTES)
        opens = np.round((np.round(price / 0.05) + np.cumsum(steps)) * 0.05, 2)
        parts.append(day_of(day, opens, token, spread))
        price = float(opens[-1])
    return joined(*parts)


def history(folder, series, version="imported", span=60):
    """Store bars by symbol and return the folder."""
    store = ParquetBars(folder)
    for symbol, bars in series.items():
        store.write_columns(symbol, span, version, bars)
    return folder


class Told(Strategy):
    """Asks, at the bar that starts at a time, for what it was told.

    (symbol's token, quantity), 0 to leave.
    """

    def __init__(self, orders, stop=5.0, name="told", span=60):
        super().__init__(name, span)
        self.orders = dict(orders)
        self.stop = stop
        self.heard = []

    def on_bar(self, ctx, bar):
        self.heard.append((int(bar.start), ctx.warming))
        quantity = self.orders.get(int(bar.start))
        if quantity is None or ctx.warming:
            return
        if quantity == 0:
            ctx.exit(bar.token, "told to")
        else:
            ctx.enter(
                bar.token, Side.BUY, 0, self.stop, quantity=quantity, reason="told to", trail=False
            )
