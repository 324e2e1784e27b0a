"""Sums, spreads, extremes and averages of the last values: the parts of the indicators.

Nothing here allocates after construction, and nothing drifts: sums carry their rounding errors
along, and a quantity that cannot be summed that way is computed afresh each time the window has
turned over.
"""

from math import sqrt
from typing import final

from librt.vecs import vec
from mypy_extensions import i64


def checked_period(period: i64, least: i64 = 1) -> i64:
    """Return `period`; raise `ValueError` below `least`."""
    if period < least:
        raise ValueError(f"a period of {period}: at least {least}")
    return period


def zero_vec(count: i64) -> vec[float]:
    """Return a vec of `count` times 0.0."""
    return vec[float]([0.0] * int(count))


class CompensatedSum:
    """A sum that keeps its rounding errors (Knuth's two-sum, TAOCP vol. 2, 4.2.2)."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._lost = 0.0

    # Each method final by itself, as the class is inherited from: calls then stay direct.
    @property
    @final
    def value(self) -> float:
        """Return the sum."""
        return self._sum + self._lost

    @final
    def add(self, x: float) -> None:
        """Add `x`."""
        before = self._sum
        after = before + x
        added = after - before
        self._lost += (before - (after - added)) + (x - added)
        self._sum = after

    @final
    def clear(self) -> None:
        """Begin again at 0.0."""
        self._sum = 0.0
        self._lost = 0.0


@final
class RollingWindow(CompensatedSum):
    """The last `period` values and their sum.

    `oldest` is the value the last `push` has put out (0.0 while filling).
    """

    def __init__(self, period: i64) -> None:
        super().__init__()
        self.period = checked_period(period)
        self.full = False
        self.oldest = 0.0
        self.turned = False
        self._ring = zero_vec(period)
        self._next: i64 = 0
        self._length = float(period)

    @property
    def mean(self) -> float:
        """Return the mean of a full window."""
        return (self._sum + self._lost) / self._length

    def push(self, x: float) -> None:
        """Take the next value; `turned` is set when it took the ring's last place."""
        ring = self._ring
        i = self._next
        self.oldest = ring[i]
        ring[i] = x
        # Two sums, not one of the difference: that would be rounded before it is added.
        self.add(x)
        self.add(-self.oldest)
        i += 1
        self.turned = i == self.period
        if self.turned:
            i = 0
            self.full = True
        self._next = i

    def weighted(self) -> float:
        """Return the sum of a full ring that has just turned, weighted 1 (oldest) to `period`."""
        ring = self._ring
        total = 0.0
        for i in range(self.period):
            total += ring[i] * float(i + 1)
        return total

    def deviation(self) -> float:
        """Return the mean absolute deviation from the mean of a full window, in `period` steps."""
        ring = self._ring
        mean = self.mean
        total = 0.0
        for i in range(self.period):
            away = ring[i] - mean
            total += away if away >= 0.0 else -away
        return total / float(self.period)


@final
class RollingSpread:
    """Mean and population standard deviation of the last `period` values, 0.0 until `full`.

    They are computed around a centre: the mean when the ring last turned, or when the values had
    moved far from it. Either takes `period` steps, and neither comes again before the ring has
    turned.
    """

    def __init__(self, period: i64) -> None:
        self.period = checked_period(period)
        self.full = False
        self.mean = 0.0
        self.deviation = 0.0
        self._ring = zero_vec(period)
        self._next: i64 = 0
        self._centre = 0.0
        self._away = CompensatedSum()
        self._squares = CompensatedSum()

    def push(self, x: float) -> None:
        """Take the next value."""
        ring = self._ring
        i = self._next
        if self.full:
            away = ring[i] - self._centre
            self._away.add(-away)
            self._squares.add(-away * away)
        elif i == 0:
            self._centre = x
        ring[i] = x
        self._add_value(x)
        i += 1
        if i == self.period:
            i = 0
            self.full = True
            self._recentre_ring()
        self._next = i
        if self.full:
            self._update_moments()

    def _update_moments(self) -> None:
        mean = self._away.value / float(self.period)
        variance = self._squares.value / float(self.period) - mean * mean
        if variance < 1e-6 * mean * mean and abs(mean) > 1e-9 * abs(self._centre):
            self._recentre_ring()  # the difference of two large squares would be mostly rounding
            mean = self._away.value / float(self.period)
            variance = self._squares.value / float(self.period) - mean * mean
        self.mean = self._centre + mean
        self.deviation = sqrt(variance) if variance > 0.0 else 0.0

    def _add_value(self, x: float) -> None:
        away = x - self._centre
        self._away.add(away)
        self._squares.add(away * away)

    def _recentre_ring(self) -> None:
        self._centre += self._away.value / float(self.period)
        self._away.clear()
        self._squares.clear()
        ring = self._ring
        for i in range(self.period):
            self._add_value(ring[i])


@final
class RollingExtreme:
    """The highest of the last `period` values, or (`sign` -1.0) the lowest.

    It is kept as a queue of those that may still be it.
    """

    def __init__(self, period: i64, sign: float = 1.0) -> None:
        self.period = checked_period(period)
        self.full = False
        self.value = 0.0
        self._sign = sign
        self._values = zero_vec(period)
        self._when = vec[i64]([0] * int(period))
        self._first: i64 = 0
        self._count: i64 = 0
        self._now: i64 = 0

    def push(self, x: float) -> None:
        """Take the next value."""
        values = self._values
        when = self._when
        period = self.period
        # The lowest is the highest in the mirror.
        x *= self._sign
        first = self._first
        count = self._count
        if count > 0 and when[first] <= self._now - period:
            first += 1
            if first == period:
                first = 0
            count -= 1
        # What a later value equals or betters can never be the extreme again: the later one stays
        # longer in the window. So the queue falls, and its head is the extreme.
        while count > 0:
            last = first + count - 1
            if last >= period:
                last -= period
            if values[last] > x:
                break
            count -= 1
        place = first + count
        if place >= period:
            place -= period
        values[place] = x
        when[place] = self._now
        self._first = first
        self._count = count + 1
        self._now += 1
        self.full = self._now >= period
        self.value = self._sign * values[first]


@final
class WilderAverage:
    """Wilder's average: the mean of the first `period` values, then moved by 1 in `period`."""

    def __init__(self, period: i64) -> None:
        self.period = checked_period(period)
        self.full = False
        self.value = 0.0
        self._count: i64 = 0

    def push(self, x: float) -> None:
        """Take the next value; `value` is the running sum until `full`."""
        if self.full:
            self.value = (self.value * float(self.period - 1) + x) / float(self.period)
            return
        # Begun with a plain mean, as Wilder has it: the sum waits in `value` until it is whole.
        self.value += x
        self._count += 1
        if self._count == self.period:
            self.full = True
            self.value /= float(self.period)
