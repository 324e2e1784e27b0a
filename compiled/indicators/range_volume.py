"""Indicators of a bar's range and volume: ATR, stochastic, CCI, channels, and the volume ones."""

from typing import Final, final

from mypy_extensions import i64

from compiled.indicators.price import EMA, SMA, Indicator
from compiled.indicators.rolling import (
    CompensatedSum,
    RollingExtreme,
    RollingWindow,
    WilderAverage,
    checked_period,
)

STILL: Final = 1e-7
"""A typical price that moves by less, in rupees, has not moved.

The thirds of a grid price are not exact.
"""


def true_range(high: float, low: float, before: float) -> float:
    """Return the range of a bar and the close before it (Wilder, 1978)."""
    top = high if high > before else before
    bottom = low if low < before else before
    return top - bottom


@final
class ATR(Indicator):
    """Average true range by Wilder's average, begun with the second bar.

    It is TA-Lib's ATR, ready after `period` + 1 bars.
    """

    def __init__(self, period: i64 = 14) -> None:
        super().__init__()
        self._average = WilderAverage(period)
        self._close = 0.0
        self._begun = False

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar."""
        before = self._close
        self._close = close
        # The first bar has no close before it, and so no true range.
        if not self._begun:
            self._begun = True
            return self.value
        average = self._average
        average.push(true_range(high, low, before))
        if average.full:
            self.value = average.value
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  three of four
        """Take the bar."""
        self.update(high, low, close)


@final
class Stochastic(Indicator):
    """Slow stochastic.

    %K (`value`) is the close's place in the range of `period` bars, averaged over `slow`; `signal`
    (%D) is %K averaged over `smooth`. Ready after `period` + `slow` + `smooth` - 2 bars. TA-Lib
    STOCH; 0.0 where there was no range.
    """

    def __init__(self, period: i64 = 14, slow: i64 = 3, smooth: i64 = 3) -> None:
        super().__init__()
        self.signal = 0.0
        self._high = RollingExtreme(period)
        self._low = RollingExtreme(period, -1.0)
        self._slow = SMA(slow)
        self._smooth = SMA(smooth)

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar."""
        top = self._high
        top.push(high)
        bottom = self._low
        bottom.push(low)
        if not top.full:
            return self.value
        span = top.value - bottom.value
        # The signal averages the slow line, not the raw one.
        slow = self._slow
        slow.update((close - bottom.value) / span * 100.0 if span != 0.0 else 0.0)
        if not slow.ready:
            return self.value
        smooth = self._smooth
        smooth.update(slow.value)
        if smooth.ready:
            self.value = slow.value
            self.signal = smooth.value
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  three of four
        """Take the bar."""
        self.update(high, low, close)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "signal"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        return self.value if index == 0 else self.signal


@final
class CCI(Indicator):
    """Commodity channel index of the typical price; ready after `period` bars. TA-Lib CCI.

    The one indicator whose update takes `period` steps: the mean deviation has no shorter form.
    """

    def __init__(self, period: i64 = 20) -> None:
        super().__init__()
        self._window = RollingWindow(checked_period(period, 2))

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar."""
        window = self._window
        typical = (high + low + close) / 3.0
        window.push(typical)
        if not window.full:
            return self.value
        away = typical - window.mean
        deviation = window.deviation()
        # Lambert's constant: it brings some three quarters of the values between -100 and 100.
        self.value = away / (0.015 * deviation) if away != 0.0 and deviation != 0.0 else 0.0
        self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  three of four
        """Take the bar."""
        self.update(high, low, close)


@final
class Donchian(Indicator):
    """The highest high (`upper`) and lowest low (`lower`) of `period` bars, and their middle.

    The middle is `value`. Ready after `period` bars; the last bar is among them. TA-Lib MAX and
    MIN.
    """

    def __init__(self, period: i64 = 20) -> None:
        super().__init__()
        self.upper = 0.0
        self.lower = 0.0
        self._high = RollingExtreme(period)
        self._low = RollingExtreme(period, -1.0)

    def update(self, high: float, low: float) -> float:
        """Take the next bar."""
        top = self._high
        top.push(high)
        bottom = self._low
        bottom.push(low)
        if top.full:
            self.upper = top.value
            self.lower = bottom.value
            self.value = (top.value + bottom.value) / 2.0
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  two of four
        """Take the bar."""
        self.update(high, low)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "upper", "lower"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        if index == 0:
            return self.value
        return self.upper if index == 1 else self.lower


@final
class Keltner(Indicator):
    """EMA of the close (`value`) with an `upper` and `lower` band `width` average true ranges away.

    Ready when both averages are. TA-Lib EMA and ATR; there is no TA-Lib function of the whole.
    """

    def __init__(self, period: i64 = 20, width: float = 2.0, atr: i64 = 10) -> None:
        super().__init__()
        self.upper = 0.0
        self.lower = 0.0
        self._width = width
        self._middle = EMA(period)
        self._range = ATR(atr)

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar."""
        middle = self._middle
        middle.update(close)
        reach = self._range
        reach.update(high, low, close)
        if middle.ready and reach.ready:
            away = self._width * reach.value
            self.value = middle.value
            self.upper = self.value + away
            self.lower = self.value - away
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  three of four
        """Take the bar."""
        self.update(high, low, close)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "upper", "lower"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        if index == 0:
            return self.value
        return self.upper if index == 1 else self.lower


@final
class VWAP(Indicator):
    """Volume-weighted average price since `reset`; ready with the first volume. Not in TA-Lib.

    A bar counts with its typical price, (high + low + close) / 3.
    """

    def __init__(self) -> None:
        super().__init__()
        # A day's sums are large beside one trade: plain ones would lose its last digits.
        self._value = CompensatedSum()
        self._volume = CompensatedSum()

    def reset(self) -> None:
        """Begin a new session."""
        self.value = 0.0
        self.ready = False
        self._value.clear()
        self._volume.clear()

    def update(self, price: float, volume: float) -> float:
        """Take a traded volume at a price."""
        self._value.add(price * volume)
        self._volume.add(volume)
        traded = self._volume.value
        # Before the first trade there is nothing to weigh by.
        if traded > 0.0:
            self.value = self._value.value / traded
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:
        """Take the bar."""
        self.update((high + low + close) / 3.0, volume)


@final
class OBV(Indicator):
    """On-balance volume: the volume of rising closes less that of falling ones.

    It begins with the first bar's volume, and is ready after one bar. TA-Lib OBV.
    """

    def __init__(self) -> None:
        super().__init__()
        self._close = 0.0

    def update(self, price: float, volume: float) -> float:
        """Take the next close and its volume."""
        if not self.ready:
            self.ready = True
            # Only differences of the line mean something: any base would do, and this is TA-Lib's.
            self.value = volume
        elif price > self._close:
            self.value += volume
        elif price < self._close:
            self.value -= volume
        self._close = price
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  two of four
        """Take the bar."""
        self.update(close, volume)


@final
class MFI(Indicator):
    """Money flow index: the share of rising typical prices in the traded value, 0 to 100.

    It is TA-Lib's MFI, ready after `period` + 1 bars; 0.0 where less than ₹1 flowed.
    """

    def __init__(self, period: i64 = 14) -> None:
        super().__init__()
        self._rising = RollingWindow(checked_period(period, 2))
        self._falling = RollingWindow(period)
        self._typical = 0.0
        self._begun = False

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take the next bar."""
        typical = (high + low + close) / 3.0
        before = self._typical
        self._typical = typical
        if not self._begun:
            self._begun = True
            return self.value
        flow = typical * volume
        moved = typical - before
        # A typical price that stands still is on neither side, and still takes its place in both
        # windows.
        rising = self._rising
        rising.push(flow if moved > STILL else 0.0)
        falling = self._falling
        falling.push(flow if moved < -STILL else 0.0)
        if rising.full:
            total = rising.value + falling.value
            # TA-Lib's bound: less than one unit of money is no flow.
            self.value = 100.0 * (rising.value / total) if total >= 1.0 else 0.0
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:
        """Take the bar."""
        self.update(high, low, close, volume)
