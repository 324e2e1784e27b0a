"""The part of a chart that is seen: zoom, pan, and the cross-hair, kept while new bars come."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.board_rows import BarRow

STRIDES: Final = (1, 2, 4, 6)
"""Columns of a candle with its gap, from the farthest zoom to the nearest."""


class SeenBars(NamedTuple):
    """The bars from `first` up to `last`, without it, and the index of the one under the cursor."""

    first: int
    last: int
    cursor: int | None


class ChartWindow:
    """The part of the bars that is seen, and the place of the cross-hair.

    Places are kept as times: they stay on their bar when others come.
    """

    def __init__(self) -> None:
        self.stride = 2
        self.cursor_time: int | None = None
        """Start of the bar under the cross-hair, ns UTC; None without one."""
        self.level: float | None = None
        """The price of the cross-hair, where it was moved off the bar's close."""
        self._end_time: int | None = None
        """Start of the last bar seen; None follows the newest."""

    @property
    def follows(self) -> bool:
        """Whether the newest bar is always seen."""
        return self._end_time is None

    def seen(self, bars: Sequence[BarRow], columns: int) -> SeenBars:
        """Return the part of the bars that is seen in so many columns."""
        room = self.room(columns)
        last = len(bars) if self._end_time is None else _index_behind(bars, self._end_time)
        last = min(max(last, room), len(bars))
        cursor = None
        if self.cursor_time is not None and bars:
            cursor = max(_index_behind(bars, self.cursor_time) - 1, 0)
            # The window goes where the cross-hair is.
            if cursor >= last:
                last = cursor + 1
            elif cursor < last - room:
                last = min(cursor + room, len(bars))
        return SeenBars(max(last - room, 0), last, cursor)

    def room(self, columns: int) -> int:
        """Return how many candles stand in so many columns."""
        # The blank beside the last one is not needed.
        return max((columns + (self.stride > 1)) // self.stride, 1)

    def zoom(self, by: int) -> None:
        """Zoom in or out by so many steps."""
        at = STRIDES.index(self.stride) + by
        self.stride = STRIDES[min(max(at, 0), len(STRIDES) - 1)]

    def pan(self, bars: Sequence[BarRow], columns: int, by: int) -> None:
        """Move the window by so many bars; at the newest it follows again."""
        if not bars:
            return
        # The window would go back to a cross-hair that it has left.
        self.cursor_time = self.level = None
        last = self.seen(bars, columns).last + by
        last = max(last, min(self.room(columns), len(bars)))
        self._end_time = None if last >= len(bars) else bars[last - 1].start

    def move_cursor(self, bars: Sequence[BarRow], columns: int, by: int) -> None:
        """Move the cross-hair by so many bars; without one it comes at the last bar seen."""
        if not bars:
            return
        seen = self.seen(bars, columns)
        at = seen.last - 1 if seen.cursor is None else seen.cursor + by
        self.put_cursor(bars, columns, min(max(at, 0), len(bars) - 1))

    def put_cursor(self, bars: Sequence[BarRow], columns: int, at: int) -> None:
        """Put the cross-hair on a bar, by its index; the window moves with it."""
        self.cursor_time = bars[at].start
        seen = self.seen(bars, columns)
        self._end_time = None if seen.last >= len(bars) else bars[seen.last - 1].start

    def follow(self) -> None:
        """See the newest bars again, without a cross-hair."""
        self._end_time = self.cursor_time = self.level = None


def _index_behind(bars: Sequence[BarRow], start: int) -> int:
    """Return the index behind the last bar that begins at a time or before."""
    return bisect_right(bars, start, key=lambda bar: bar.start)
