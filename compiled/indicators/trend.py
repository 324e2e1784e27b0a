"""Indicators that follow a trend: ADX, Supertrend, parabolic SAR, Ichimoku."""

from typing import final

from mypy_extensions import i64

from compiled.indicators.price import Indicator
from compiled.indicators.range_volume import ATR, Donchian, true_range
from compiled.indicators.rolling import WilderAverage, checked_period, zero_vec


@final
class ADX(Indicator):
    """Average directional index (`value`) with both directional indicators.

    They are `plus` and `minus`, each 0 to 100. Ready after 2 x `period` bars. TA-Lib ADX, PLUS_DI
    and MINUS_DI: the sums begin with `period` - 1 bars, unsmoothed.
    """

    def __init__(self, period: i64 = 14) -> None:
        super().__init__()
        self.plus = 0.0
        self.minus = 0.0
        self._period = checked_period(period, 2)
        self._average = WilderAverage(period)
        self._bars: i64 = 0
        self._up = 0.0
        self._down = 0.0
        self._range = 0.0
        self._high = 0.0
        self._low = 0.0
        self._close = 0.0

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar."""
        if self._bars > 0:
            self._add_movement(high, low)
        self._high = high
        self._low = low
        self._close = close
        self._bars += 1
        if self._bars <= self._period:
            return self.value
        average = self._average
        # A bar without movement leaves the average where it is, as in TA-Lib: it is pushed its own
        # value.
        plus = minus = 0.0
        strength = average.value if average.full else 0.0
        if self._range > 1e-14:
            plus = 100.0 * (self._up / self._range)
            minus = 100.0 * (self._down / self._range)
        if plus + minus > 1e-14:
            strength = 100.0 * abs(plus - minus) / (plus + minus)
        average.push(strength)
        if average.full:
            self.value = average.value
            self.plus = plus
            self.minus = minus
            self.ready = True
        return self.value

    def _add_movement(self, high: float, low: float) -> None:
        if self._bars >= self._period:
            # Wilder's smoothing begins once the sums have their bars; until then they only grow.
            shrink = float(self._period)
            self._up -= self._up / shrink
            self._down -= self._down / shrink
            self._range -= self._range / shrink
        rise = high - self._high
        fall = self._low - low
        # Of both movements only the larger counts, and equal ones cancel (Wilder).
        if fall > 0.0 and rise < fall:
            self._down += fall
        elif rise > 0.0 and rise > fall:
            self._up += rise
        self._range += true_range(high, low, self._close)

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  three of four
        """Take the bar."""
        self.update(high, low, close)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "plus", "minus"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        if index == 0:
            return self.value
        return self.plus if index == 1 else self.minus


@final
class Supertrend(Indicator):
    """A line `width` average true ranges from the bar's middle that only follows the trend.

    Crossing it turns it. `value` is the line in force and `direction` the trend, 1.0 up (the line
    is below) or -1.0 down; it begins down, as on TradingView. Ready after `period` + 1 bars. Not in
    TA-Lib; its ATR is.
    """

    def __init__(self, period: i64 = 10, width: float = 3.0) -> None:
        super().__init__()
        self.direction = 0.0
        self._width = width
        self._range = ATR(period)
        self._upper = 0.0
        self._lower = 0.0
        self._close = 0.0

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar."""
        reach = self._range
        reach.update(high, low, close)
        before = self._close
        self._close = close
        if not reach.ready:
            return self.value
        middle = (high + low) / 2.0
        upper = middle + self._width * reach.value
        lower = middle - self._width * reach.value
        if not self.ready:
            self.direction = -1.0
            self.ready = True
        else:
            # A band comes nearer while the close stays on its side, and never gives way: it is the
            # stop of the trend. The close before decides, as this one is what may break the band.
            if upper > self._upper and before <= self._upper:
                upper = self._upper
            if lower < self._lower and before >= self._lower:
                lower = self._lower
            if self.direction < 0.0 and close > upper:
                self.direction = 1.0
            elif self.direction > 0.0 and close < lower:
                self.direction = -1.0
        self._upper = upper
        self._lower = lower
        self.value = lower if self.direction > 0.0 else upper
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  three of four
        """Take the bar."""
        self.update(high, low, close)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "direction"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        return self.value if index == 0 else self.direction


@final
class PSAR(Indicator):
    """Parabolic stop and reverse (`value`) and its `direction`, 1.0 long or -1.0 short.

    Ready after two bars. It is TA-Lib's SAR: long at first unless the second bar fell by more than
    it rose.
    """

    def __init__(self, acceleration: float = 0.02, maximum: float = 0.2) -> None:
        super().__init__()
        self.direction = 0.0
        # The first step is no larger than the largest, as in TA-Lib.
        self._step = acceleration if acceleration < maximum else maximum
        self._most = maximum
        self._speed = self._step
        self._next = 0.0
        self._peak = 0.0
        self._high = 0.0
        self._low = 0.0
        self._begun = False

    def update(self, high: float, low: float) -> float:
        """Take the next bar."""
        if not self._begun:
            self._begun = True
            self._high = high
            self._low = low
            return self.value
        if not self.ready:
            self._start_trend(high, low)
        # a falling market is a rising one in the mirror
        if self.direction > 0.0:
            self._follow_trend(1.0, high, low, self._low, self._high)
        else:
            self._follow_trend(-1.0, -low, -high, -self._high, -self._low)
        self._high = high
        self._low = low
        return self.value

    def _start_trend(self, high: float, low: float) -> None:
        fall = self._low - low
        if fall > 0.0 and high - self._high < fall:
            self.direction = -1.0
            self._next = -self._high
            self._peak = -low
        else:
            self.direction = 1.0
            self._next = self._low
            self._peak = high
        self._high = high
        self._low = low
        self.ready = True

    def _follow_trend(
        self, sign: float, high: float, low: float, low_before: float, high_before: float
    ) -> None:
        stop = self._next
        if low > stop:
            self.value = sign * stop
            if high > self._peak:
                self._peak = high
                self._speed = min(self._speed + self._step, self._most)
            # The stop never enters the range of the last two bars (Wilder).
            bottom = min(low_before, low)
            self._next = min(stop + self._speed * (self._peak - stop), bottom)
            return
        top = max(high_before, high)
        # At a turn the extreme of the trend that ends is the stop of the one that begins.
        turned = max(self._peak, top)
        self.value = sign * turned
        self.direction = -sign
        self._speed = self._step
        self._peak = -low
        self._next = -max(turned + self._step * (low - turned), top)

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  two of four
        """Take the bar."""
        self.update(high, low)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "direction"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        return self.value if index == 0 else self.direction


@final
class Ichimoku(Indicator):
    """Ichimoku: middles of the ranges over `conversion` and `base` bars, and the cloud.

    The former is `value`, the latter `base`; `ahead_a` (mean of the two) and `ahead_b` (middle over
    `span` bars) are drawn `base` bars ahead; `span_a` and `span_b`, computed `base` bars ago, are
    the cloud at this bar. Ready after `span` + `base` bars. Not in TA-Lib; its MAX and MIN are.
    """

    def __init__(self, conversion: i64 = 9, base: i64 = 26, span: i64 = 52) -> None:
        super().__init__()
        self.base = 0.0
        self.ahead_a = 0.0
        self.ahead_b = 0.0
        self.span_a = 0.0
        self.span_b = 0.0
        self._conversion = Donchian(checked_period(conversion))
        self._base = Donchian(checked_period(base, conversion))
        self._span = Donchian(checked_period(span, base))
        self._delay = base
        self._left = base
        self._ring_a = zero_vec(base)
        self._ring_b = zero_vec(base)
        self._next: i64 = 0

    def update(self, high: float, low: float) -> float:
        """Take the next bar."""
        conversion = self._conversion
        conversion.update(high, low)
        base = self._base
        base.update(high, low)
        span = self._span
        span.update(high, low)
        if not span.ready:
            return self.value
        i = self._next
        ahead_a = (conversion.value + base.value) / 2.0
        # The cloud at a bar was computed `base` bars before: until then there is none to show.
        if self._left > 0:
            self._left -= 1
        else:
            self.value = conversion.value
            self.base = base.value
            self.ahead_a = ahead_a
            self.ahead_b = span.value
            self.span_a = self._ring_a[i]
            self.span_b = self._ring_b[i]
            self.ready = True
        self._ring_a[i] = ahead_a
        self._ring_b[i] = span.value
        i += 1
        if i == self._delay:
            i = 0
        self._next = i
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  two of four
        """Take the bar."""
        self.update(high, low)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "base", "ahead_a", "ahead_b", "span_a", "span_b"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        if index == 0:
            return self.value
        if index == 1:
            return self.base
        if index == 2:
            return self.ahead_a
        if index == 3:
            return self.ahead_b
        return self.span_a if index == 4 else self.span_b
