"""Indicators of one series of prices, and the base of every indicator."""

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.indicators.rolling import (
    RollingSpread,
    RollingWindow,
    WilderAverage,
    checked_period,
    zero_vec,
)
from compiled.model.values import Bar

# Sums of the same prices in another order differ by rounding, which is no crossing.
NEAR: Final = 1e-9


# An author writes indicators in plain Python. That they may costs the compiled ones less than one
# instruction in a hundred.
@mypyc_attr(allow_interpreted_subclasses=True)
class Indicator:
    """A streaming indicator, whose updates all cost the same and allocate nothing.

    An update reads nothing but its arguments. `value` is 0.0 until `ready`, and so is every further
    output; `update` and `bar` return it. Periods count updates; a period below its least raises
    `ValueError`. An indicator of a price series takes a bar's close.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self.ready = False

    def step(self, high: float, low: float, close: float, volume: float) -> None:
        """Take one bar's prices and volume, whatever the indicator needs of them."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """Return the names of the outputs, in the order of `output`."""
        return ["value"]

    def output(self, index: i64) -> float:  # noqa: ARG002  the indicators with more outputs read it
        """Return one output by its place in `names`."""
        return self.value

    def bar(self, bar: Bar) -> float:
        """Take a finished bar."""
        self.step(bar.high, bar.low, bar.close, float(bar.volume))
        return self.value


@final
class SMA(Indicator):
    """Simple moving average; ready after `period` prices. TA-Lib SMA."""

    def __init__(self, period: i64) -> None:
        super().__init__()
        self._window = RollingWindow(period)

    def update(self, price: float) -> float:
        """Take the next price."""
        window = self._window
        window.push(price)
        if window.full:
            self.value = window.mean
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  one of four
        """Take the close."""
        self.update(close)


@final
class EMA(Indicator):
    """Exponential moving average, weight 2 / (period + 1).

    It begins with the mean of the first `period` prices, and is ready after them. TA-Lib EMA.
    """

    def __init__(self, period: i64) -> None:
        super().__init__()
        self._period = checked_period(period)
        self._weight = 2.0 / float(period + 1)
        self._count: i64 = 0
        self._sum = 0.0

    def update(self, price: float) -> float:
        """Take the next price."""
        if self.ready:
            self.value += (price - self.value) * self._weight
            return self.value
        self._sum += price
        # Begun with a mean, as in TA-Lib: one price alone would weigh on several periods.
        self._count += 1
        if self._count == self._period:
            self.value = self._sum / float(self._period)
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  one of four
        """Take the close."""
        self.update(close)


@final
class WMA(Indicator):
    """Moving average with weights 1 (oldest) to `period` (newest); ready after `period` prices.

    It is TA-Lib's WMA.
    """

    def __init__(self, period: i64) -> None:
        super().__init__()
        self._period = checked_period(period)
        self._window = RollingWindow(period)
        self._weights = float(period * (period + 1)) / 2.0
        self._weighted = 0.0

    def update(self, price: float) -> float:
        """Take the next price."""
        window = self._window
        # Each price of the old window loses one step of weight: together that is their sum.
        before = window.value
        window.push(price)
        if not window.full:
            return self.value
        self.ready = True
        # Afresh once a turn: a running sum would carry its rounding errors along for ever.
        if window.turned:
            self._weighted = window.weighted()
        else:
            self._weighted += price * float(self._period) - before
        self.value = self._weighted / self._weights
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  one of four
        """Take the close."""
        self.update(close)


@final
class ROC(Indicator):
    """Rate of change against the price `period` updates ago, in percent; ready after `period` + 1.

    It is TA-Lib's ROC. `before` is that price, 0.0 until ready.
    """

    def __init__(self, period: i64) -> None:
        super().__init__()
        self.before = 0.0
        self._period = checked_period(period)
        self._ring = zero_vec(period)
        self._next: i64 = 0
        self._full = False

    def update(self, price: float) -> float:
        """Take the next price."""
        ring = self._ring
        i = self._next
        if self._full:
            before = self.before = ring[i]
            # TA-Lib has 0 as well where there is no price to compare with.
            self.value = (price / before - 1.0) * 100.0 if before != 0.0 else 0.0
            self.ready = True
        ring[i] = price
        i += 1
        if i == self._period:
            i = 0
            self._full = True
        self._next = i
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  one of four
        """Take the close."""
        self.update(close)


@final
class RSI(Indicator):
    """Relative strength index by Wilder's averages, 0 to 100; ready after `period` + 1 prices.

    It is TA-Lib's RSI, and 0.0 where no price in the average moved.
    """

    def __init__(self, period: i64 = 14) -> None:
        super().__init__()
        # TA-Lib takes no period below 2 either.
        self._gain = WilderAverage(checked_period(period, 2))
        self._loss = WilderAverage(period)
        self._last = 0.0
        self._begun = False

    def update(self, price: float) -> float:
        """Take the next price."""
        change = price - self._last
        self._last = price
        if not self._begun:
            self._begun = True
            return self.value
        gain = self._gain
        gain.push(change if change > 0.0 else 0.0)
        loss = self._loss
        loss.push(-change if change < 0.0 else 0.0)
        if gain.full:
            moved = gain.value + loss.value
            # 1e-14 is what TA-Lib counts as nothing.
            self.value = 100.0 * (gain.value / moved) if moved > 1e-14 else 0.0
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  one of four
        """Take the close."""
        self.update(close)


@final
class MACD(Indicator):
    """Fast less slow EMA, its `signal` line (an EMA of it) and the `histogram` between the two.

    Ready after `slow` + `signal` - 1 prices. TA-Lib MACD: the fast average begins so that both are
    ready at once.
    """

    def __init__(self, fast: i64 = 12, slow: i64 = 26, signal: i64 = 9) -> None:
        super().__init__()
        self.signal = 0.0
        self.histogram = 0.0
        self._fast = EMA(checked_period(fast, 2))
        self._slow = EMA(checked_period(slow, fast + 1))
        self._signal = EMA(signal)
        self._late = slow - fast

    def update(self, price: float) -> float:
        """Take the next price."""
        slow = self._slow
        slow.update(price)
        # The fast average sits out the first prices, as in TA-Lib, and both are ready at one.
        if self._late > 0:
            self._late -= 1
            return self.value
        fast = self._fast
        fast.update(price)
        if not slow.ready:
            return self.value
        signal = self._signal
        difference = fast.value - slow.value
        signal.update(difference)
        if signal.ready:
            self.value = difference
            self.signal = signal.value
            self.histogram = difference - signal.value
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  one of four
        """Take the close."""
        self.update(close)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "signal", "histogram"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        if index == 0:
            return self.value
        return self.signal if index == 1 else self.histogram


@final
class Bollinger(Indicator):
    """Simple average (`value`) within a band (`upper`, `lower`).

    The band is `width` population standard deviations away. Ready after `period` prices. TA-Lib
    BBANDS.
    """

    def __init__(self, period: i64 = 20, width: float = 2.0) -> None:
        super().__init__()
        self.upper = 0.0
        self.lower = 0.0
        self._width = width
        self._spread = RollingSpread(checked_period(period, 2))

    def update(self, price: float) -> float:
        """Take the next price."""
        spread = self._spread
        spread.push(price)
        if spread.full:
            away = self._width * spread.deviation
            self.value = spread.mean
            self.upper = self.value + away
            self.lower = self.value - away
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  one of four
        """Take the close."""
        self.update(close)

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return ["value", "upper", "lower"]

    def output(self, index: i64) -> float:
        """Return one output by its place in `names`."""
        if index == 0:
            return self.value
        return self.upper if index == 1 else self.lower


@final
class ZScore(Indicator):
    """The distance of the price from its average, in population standard deviations.

    It is (price - TA-Lib SMA) / TA-Lib STDDEV, 0.0 where the prices do not differ. Ready after
    `period` prices.
    """

    def __init__(self, period: i64 = 20) -> None:
        super().__init__()
        self._spread = RollingSpread(checked_period(period, 2))

    def update(self, price: float) -> float:
        """Take the next price."""
        spread = self._spread
        spread.push(price)
        if spread.full:
            # Prices that do not differ have no spread to measure by.
            deviation = spread.deviation
            self.value = (price - spread.mean) / deviation if deviation > 0.0 else 0.0
            self.ready = True
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:  # noqa: ARG002  one of four
        """Take the close."""
        self.update(close)


@final
class Cross(Indicator):
    """Two indicators and their crossings.

    An update returns 1.0 as `fast` has risen above `slow`, -1.0 as it has sunk back, else 0.0.
    `above` is its side: values nearer than 1e-9 count as equal, and equal is not above. Ready once
    both are; the first comparison is no crossing. Each update updates both.
    """

    def __init__(self, fast: Indicator, slow: Indicator) -> None:
        super().__init__()
        self.fast = fast
        self.slow = slow
        self.above = False

    def update(self, price: float) -> float:
        """Take the next price."""
        self.step(price, price, price, 0.0)
        return self.value

    def step(self, high: float, low: float, close: float, volume: float) -> None:
        """Take the bar."""
        fast = self.fast
        slow = self.slow
        fast.step(high, low, close, volume)
        slow.step(high, low, close, volume)
        self.value = 0.0
        if not fast.ready or not slow.ready:
            return
        above = fast.value - slow.value > NEAR
        if above != self.above and self.ready:
            self.value = 1.0 if above else -1.0
        self.above = above
        self.ready = True


@final
class FollowedIndicators:
    """The indicators a strategy follows on an instrument (`Strategy.follow`)."""

    def __init__(self, indicators: list[Indicator]) -> None:
        """Raise `TypeError` for objects that are no indicators."""
        for indicator in indicators:
            if not isinstance(indicator, Indicator):
                raise TypeError(f"{indicator!r} is no indicator")
        # Apart, as only a cross decides whether the strategy is shown the bar.
        self._crosses = [indicator for indicator in indicators if isinstance(indicator, Cross)]
        self._others = [indicator for indicator in indicators if not isinstance(indicator, Cross)]

    def are_ready(self) -> bool:
        """Return whether every one of them has had the bars that it needs."""
        for indicator in self._others:
            if not indicator.ready:
                return False
        for cross in self._crosses:
            if not cross.ready:
                return False
        return True

    def step(self, high: float, low: float, close: float, volume: float) -> bool:
        """Take one bar; return whether it is to be passed to the strategy."""
        for indicator in self._others:
            indicator.step(high, low, close, volume)
        heard = not self._crosses
        for cross in self._crosses:
            # Each takes the bar, also after one that has turned.
            cross.step(high, low, close, volume)
            heard = heard or cross.value != 0.0
        return heard
