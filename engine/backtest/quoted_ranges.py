"""The prices that ticks have shown minute by minute: trades, and the visible book around them."""

from collections.abc import Mapping, Sequence
from typing import Final, final

import numpy as np

from compiled.backtest.recording import TickColumns
from compiled.market_data.depth_block import price_divisor
from compiled.model.values import MINUTE, Instrument
from compiled.venue.slippage import FixedTicks, Slippage, SpreadFraction, VolumeShare
from engine.history.bar_series import BarSeries, Floats, Ints

LEVEL: Final = np.dtype(
    [("quantity", ">u4"), ("price", ">u4"), ("orders", ">u2"), ("padding", ">u2")]
)
LEVELS: Final = 10
SLOT: Final = 2**32
"""What sets the minutes of one instrument apart from those of the next."""
HIGHEST: Final = 2**32


@final
class QuotedRanges:
    """The lowest and the highest price of each minute at which an order could have met somebody.

    A minute is that of the exchange's stamp, and that in which the tick came: fills go by either.
    Where there is no book, an order that takes trades beyond the last price by its slippage.
    """

    def __init__(self, instruments: Sequence[Instrument], slippage: Slippage) -> None:
        self._instruments = instruments
        self._slippage = slippage
        self._grids = np.array([each.tick for each in instruments])
        self._scales = np.array([price_divisor(each.token) for each in instruments])
        self._parts: list[tuple[Ints, Floats, Floats]] = []

    def add_ticks(self, columns: TickColumns) -> None:
        """Take in ticks."""
        slots = np.frombuffer(columns.slots, np.int64)
        low = high = np.frombuffer(columns.prices, np.float64)
        # An order that takes meets the book, whose prices need not trade in that minute.
        if columns.deep:
            book = np.frombuffer(columns.depth, LEVEL).reshape(-1, LEVELS)
            there, prices = book["quantity"] > 0, book["price"].astype(np.int64)
            scales = self._scales[slots]
            low = np.minimum(low, np.where(there, prices, HIGHEST).min(axis=1) / scales)
            high = np.maximum(high, np.where(there, prices, 0).max(axis=1) / scales)
        else:
            away = _most_slippage(self._slippage, high, self._grids[slots])
            low, high = low - away, high + away
        came = np.frombuffer(columns.times, np.int64)
        if columns.timed:
            ends = np.frombuffer(columns.ends, np.int64)
            came = np.repeat(came, np.diff(ends, prepend=0))
        stamps = np.frombuffer(columns.stamps, np.int64) if columns.stamped else came
        for ts in (stamps, came):
            # Folded at once: of a chunk of thousands of ticks a few dozen minutes are kept.
            self._parts.append(_ranges_by_key(slots * SLOT + ts // MINUTE, low, high))

    def widen(self, series: Mapping[str, BarSeries]) -> dict[str, BarSeries]:
        """Return bars of one minute with lows and highs as far as the book was seen to reach."""
        if not self._parts:
            return dict(series)
        keys, low, high = _ranges_by_key(
            *(np.concatenate(column) for column in zip(*self._parts, strict=True))
        )
        found: dict[str, BarSeries] = {}
        for slot, each in enumerate(self._instruments):
            bars = series[each.symbol]
            wanted = slot * SLOT + bars.start // MINUTE
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            known = keys[at] == wanted
            found[each.symbol] = bars._replace(
                low=np.where(known, np.minimum(bars.low, low[at]), bars.low),
                high=np.where(known, np.maximum(bars.high, high[at]), bars.high),
            )
        return found


def _most_slippage(model: Slippage, prices: Floats, grids: Floats) -> Floats:
    """Return how far beyond prices an order may trade, rounded to their grids as the venue does."""
    if isinstance(model, FixedTicks):
        away = int(model.ticks) * grids
    elif isinstance(model, SpreadFraction):
        away = model.fraction * prices * model.percent / 100.0
    elif isinstance(model, VolumeShare):
        away = prices * model.impact * model.most**2
    else:
        # What a model of the author's own would say of other orders nobody can tell.
        away = np.zeros(len(prices))
    found: Floats = np.ceil(away / grids - 1e-6) * grids
    return found


def _ranges_by_key(keys: Ints, low: Floats, high: Floats) -> tuple[Ints, Floats, Floats]:
    """Return each key once, in order, with its lowest and its highest price."""
    if not len(keys):
        return keys, low, high
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.concatenate(([0], np.flatnonzero(np.diff(keys)) + 1))
    lowest: Floats = np.minimum.reduceat(low[order], first)
    highest: Floats = np.maximum.reduceat(high[order], first)
    return keys[first], lowest, highest
