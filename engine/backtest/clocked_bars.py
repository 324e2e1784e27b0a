"""Bars of several symbols on one clock, as a replay takes them: part by part."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

import numpy as np
import numpy.typing as npt

from compiled.backtest.recording import BarColumns
from compiled.model.values import E4
from engine.errors import DataError
from engine.history.bar_series import BarSeries, Floats, Ints

GRIDS: Final = (50_000, 10_000, 5_000, 1_000, 500, 100, 25, 1)
"""Grids of Indian segments (ten-thousandths of a rupee), each of which the next one divides."""

KEPT_ROWS: Final = 250_000
"""Replays of at most so many bars keep their parts: 14 MB."""


class ClockedBars(NamedTuple):
    """Bars by start, then by the symbols' first appearance; one array per field.

    `slots` are indices into `names`. Mapped from a file, they take no memory of their own.
    """

    names: Sequence[str]
    slots: Ints
    starts: Ints
    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    volumes: Ints

    def rows(self, first: int, last: int) -> "ClockedBars":
        """Return the bars of some rows."""
        at = slice(first, last)
        names, slots, starts, opens, highs, lows, closes, volumes = self
        prices = opens[at], highs[at], lows[at], closes[at]
        return ClockedBars(names, slots[at], starts[at], *prices, volumes[at])


@final
class ReplayColumns:
    """Clocked bars as the core reads them, part by part; `tokens` are those of their names.

    A long replay so needs no second copy of its bars, nor a first one of those in a mapped file.
    """

    def __init__(self, bars: ClockedBars, tokens: Sequence[int]) -> None:
        self.bars = bars
        self.tokens = [*tokens]
        self.count = len(bars.starts)
        self.moments = int(np.count_nonzero(np.diff(bars.starts))) + 1 if self.count else 0
        """How many different starts there are."""
        self._kept: dict[tuple[int, int], BarColumns] = {}

    def part(self, first: int, last: int) -> BarColumns:
        """Return the bars of rows, with the last one's moment to its end."""
        # Bars of one start are never parted: they share one moment of the core's.
        if first < last < self.count:
            last = int(np.searchsorted(self.bars.starts, self.bars.starts[last - 1], side="right"))
        found = self._kept.get((first, last))
        if found is None:
            bars = self.bars.rows(first, last)
            found = BarColumns(
                self.tokens,
                bars.slots.tobytes(),
                bars.starts.tobytes(),
                bars.opens.tobytes(),
                bars.highs.tobytes(),
                bars.lows.tobytes(),
                bars.closes.tobytes(),
                bars.volumes.tobytes(),
                # Only the first part is numbered by first appearance.
                seen=len(self.tokens) if first else 0,
            )
            # The trials of a sweep go through the same few bars again and again.
            if self.count <= KEPT_ROWS:
                self._kept[first, last] = found
        return found


def on_one_clock(series: Mapping[str, BarSeries]) -> ClockedBars:
    """Return the bars of all symbols on one clock.

    Raise `DataError` without any, and for prices that are no bar.
    """
    names = _names_by_appearance(series)
    if not names:
        raise DataError("no bar lies in a session of these days: see patang bars check")
    for name in names:
        _refuse_impossible(name, series[name])
    each = [series[name] for name in names]
    slots = np.repeat(np.arange(len(names), dtype=np.int64), [len(bars.start) for bars in each])
    if len(names) == 1:
        return ClockedBars(names, slots, *each[0][:6])
    # Stable: bars of one moment stay in the order of the symbols, on which the digest depends.
    order = np.argsort(np.concatenate([bars.start for bars in each]), kind="stable")
    columns = (np.concatenate([bars[field] for bars in each])[order] for field in range(6))
    return ClockedBars(names, slots[order], *columns)


def shared_clock(clock: ClockedBars, series: Mapping[str, BarSeries]) -> ClockedBars | None:
    """Return the rows of a clock that are those of some series, which are parts of its own.

    None where other bars lie between them, or they appear in another order.
    """
    names = _names_by_appearance(series)
    if names != [*clock.names]:
        return None
    first = min(int(series[name].start[0]) for name in names)
    last = max(int(series[name].start[-1]) for name in names)
    low, high = np.searchsorted(clock.starts, [first, last + 1])
    there = sum(len(series[name].start) for name in names)
    return clock.rows(int(low), int(high)) if high - low == there else None


def is_on_grid(grid: int, tick: float) -> bool:
    """Return whether prices that stand on a grid as `price_grid` gives it stand on a tick's (₹)."""
    return grid > 0 and grid % round(tick * E4) == 0


def price_grid(series: BarSeries) -> int:
    """Return the coarsest of `GRIDS` on which all prices stand to the bit; 0: on none."""
    whole = [np.rint(prices * E4).astype(np.int64) for prices in series[1:5]]
    if any((exact / E4 != prices).any() for exact, prices in zip(whole, series[1:5], strict=True)):
        return 0
    for grid in GRIDS:
        # The first bars rule nearly every grid out that is too coarse.
        if not any((prices[:100] % grid).any() or (prices % grid).any() for prices in whole):
            return grid
    return 0


def _names_by_appearance(series: Mapping[str, BarSeries]) -> list[str]:
    there = (name for name in series if len(series[name].start))
    return sorted(there, key=lambda name: int(series[name].start[0]))


def can_be_true(bars: BarSeries) -> npt.NDArray[np.bool_]:
    """Return for each bar whether its prices can be those of one."""
    low, high = bars.low, bars.high
    # Written so that a NaN fails it.
    found: npt.NDArray[np.bool_] = (
        (low > 0)
        & (low <= bars.open)
        & (bars.open <= high)
        & (low <= bars.close)
        & (bars.close <= high)
        & (high < 1e9)
    )
    return found


def _refuse_impossible(name: str, bars: BarSeries) -> None:
    true = can_be_true(bars)
    if not true.all():
        start = np.datetime64(int(bars.start[np.argmin(true)]), "ns")
        raise DataError(f"{name}, {start}Z: these prices are no bar: see patang bars check")
