"""The place of a price on a chart, and the round ones that name the rows."""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from tui.app.charts.cell_canvas import DOTS_HIGH

_MARGIN: Final = 0.03
"""Share of the height that stays free above and below."""


class PriceAxis(NamedTuple):
    """Prices from `high` at the top of the first row to `low` at the bottom of the last."""

    low: float
    high: float
    top: int
    """The first row of the canvas."""
    rows: int

    def share(self, price: float) -> float:
        """Return how far down a price stands: 0.0 is the top, 1.0 the bottom."""
        return (self.high - price) / (self.high - self.low)

    def half(self, price: float) -> int:
        """Return the half cell of a price, counted from the canvas's top, held on the axis."""
        last = 2 * self.rows - 1
        return 2 * self.top + min(max(int(self.share(price) * 2 * self.rows), 0), last)

    def dot(self, price: float) -> float:
        """Return the row of dots of a price, counted from the canvas's top."""
        return DOTS_HIGH * (self.top + self.share(price) * self.rows) - 0.5

    def row(self, price: float) -> int:
        """Return the row of a price, held on the axis."""
        return self.half(price) // 2

    def price_at(self, row: int) -> float:
        """Return the price in the middle of a row."""
        return self.high - (row - self.top + 0.5) / self.rows * (self.high - self.low)

    def shows(self, price: float) -> bool:
        """Return whether a price lies on the axis."""
        return self.low <= price <= self.high


def axis_for(prices: Iterable[float], top: int, rows: int) -> PriceAxis | None:
    """Return an axis that shows every price, with a margin; None without any, or without rows."""
    seen = [price for price in prices if math.isfinite(price)]
    if not seen or rows < 1:
        return None
    low, high = min(seen), max(seen)
    # Prices that do not move would leave an axis without a height.
    room = (high - low) * _MARGIN or abs(high) * 0.001 or 1.0
    return PriceAxis(low - room, high + room, top, rows)


def round_step(reach: float, most: int) -> float:
    """Return the step of 1, 2 or 5 times a power of ten that cuts a reach into `most` at most."""
    least = reach / max(most, 1)
    power = 10.0 ** math.floor(math.log10(least))
    return next(k * power for k in (1.0, 2.0, 5.0, 10.0) if k * power >= least * (1.0 - 1e-9))


def round_prices(axis: PriceAxis, most: int) -> list[float]:
    """Return round prices on an axis, from the top, `most` and one at most."""
    # A price between two ticks of the grid would be one that nobody can order at.
    step = round_step(axis.high - axis.low, most)
    first, last = math.ceil(axis.low / step), math.floor(axis.high / step)
    return [k * step for k in range(last, first - 1, -1)]
