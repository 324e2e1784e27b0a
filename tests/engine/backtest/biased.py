"""Strategies that cheat, each in its own way, and what a bias check is made of."""

from contextlib import contextmanager
from typing import ClassVar

import numpy as np

from compiled.model.values import MINUTE, SECOND, Side
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy
from compiled.venue.slippage import Slippage
from engine.backtest.backtest_run import RunSettings
from engine.backtest.bias.bias_bench import BiasBench
from engine.backtest.bias.bias_suite import run_suite
from engine.backtest.bias.request_trace import BiasSubject, replay_subject
from engine.backtest.traded_market import instruments_of, market_of
from engine.history.bar_series import BarSeries
from engine.market import charges
from engine.market.calendar import Calendar
from tests.engine.backtest.histories import joined
from tests.engine.backtest.made_up import at, weekdays

SPAN = 900
BARS = 25
DAYS = weekdays(4)  # 3 to 6 June 2024


def walk(days=DAYS, seed=1, price=500.0):
    """Return sessions of a random walk of bars of fifteen minutes on a grid of 5 paise."""
    rng = np.random.default_rng(seed)
    parts = []
    for day in days:
        ticks = np.round(price / 0.05) + rng.integers(-30, 31, BARS + 1).cumsum()
        opens, closes = np.round(ticks[:-1] * 0.05, 2), np.round(ticks[1:] * 0.05, 2)
        high, low = (
            np.round(np.maximum(opens, closes) + 0.5, 2),
            np.round(np.minimum(opens, closes) - 0.5, 2),
        )
        start = at(day, "09:15") + np.arange(BARS) * 15 * MINUTE
        whole = np.full(BARS, 100_000)
        parts.append(
            BarSeries(
                start, opens, high, low, closes, whole, np.full(BARS, 4), np.ones(BARS, np.int64)
            )
        )
        price = float(closes[-1])
    return joined(*parts)


def two(days=DAYS):
    return {"INFY": walk(days, 1), "ITC": walk(days, 2)}


def subject(make, series=None, days=DAYS, limits=None, warm_up=1, derivatives=None, **given):
    """Return what is checked; `make` returns a strategy for the bars that it could load."""
    series = two() if series is None else series
    calendar = Calendar.load()
    market = market_of(
        instruments_of(series, None, days[-1]),
        days,
        calendar,
        charges.load_rate_table(),
        derivatives,
        120 * SECOND,
    )

    @contextmanager
    def world(change):
        yield [make(change(series))]

    settings = RunSettings(1_000_000_00, limits or RiskLimits(), Slippage(), warm_up=warm_up)
    return BiasSubject(world, {}, series, SPAN, market, calendar, settings, **given)


def checked(made, moments=3, go_on=lambda _: True):
    """Return what each test found, by its id."""
    return {each.test.id: each.found for each in run_suite(made, {}, go_on, moments)}


def bench(made):
    """Return a subject with what it does, for one test alone."""

    def go_on(_more):
        return True

    trace = replay_subject(made, go_on)
    return BiasBench(made, trace, trace, go_on)


class Trader(Strategy):
    """Holds a share while `wants` says so."""

    def __init__(self, frames=None, name="trader", span=SPAN):
        super().__init__(name, span)
        self.frames = frames
        self.closes = {}

    def on_bar(self, ctx, bar):
        closes = self.closes[bar.token] = [*self.closes.get(bar.token, [])[-9:], bar.close]
        wanted = self.wants(ctx, bar, closes)
        if wanted and not ctx.position(bar.token):
            ctx.enter(bar.token, Side.BUY, 50_000_00, 2.0, reason="wanted")
        elif not wanted and ctx.position(bar.token):
            ctx.exit(bar.token, "wanted no more")

    def wants(self, ctx, bar, closes):
        """Hold what is above its mean: an honest rule."""
        return bar.close > sum(closes) / len(closes)

    def frame(self, ctx, bar):
        return self.frames[ctx.instrument(bar.token).symbol]


class NextBar(Trader):
    """Knows the next bar."""

    def wants(self, ctx, bar, closes):
        frame = self.frame(ctx, bar)
        n = int(np.searchsorted(frame.start, bar.end))
        return n < len(frame.start) and frame.close[n] > bar.close


class LastRow(Trader):
    """Knows how it all ends, and takes that for now."""

    def wants(self, ctx, bar, closes):
        frame = self.frame(ctx, bar)
        return len(frame.close) > 0 and frame.close[-1] > bar.close


class TodaysClose(Trader):
    """Knows where the day closes."""

    def wants(self, ctx, bar, closes):
        frame = self.frame(ctx, bar)
        today = frame.close[(frame.start // (86_400 * SECOND)) == bar.start // (86_400 * SECOND)]
        return len(today) > 0 and today[-1] > bar.close


class Tomorrow(Trader):
    """Knows tomorrow's open."""

    def wants(self, ctx, bar, closes):
        frame = self.frame(ctx, bar)
        later = frame.open[(frame.start // (86_400 * SECOND)) > bar.start // (86_400 * SECOND)]
        return len(later) > 0 and later[0] > bar.close


class Remembering(Trader):
    """Knows what earlier runs have seen: its highest close is that of the class."""

    highest: ClassVar = {}

    def wants(self, ctx, bar, closes):
        self.highest[bar.token] = max(self.highest.get(bar.token, 0.0), bar.close)
        return bar.close < self.highest[bar.token] * 0.99


class SinceTheBeginning(Trader):
    """Counts from the first bar it hears: where the run begins decides."""

    def __init__(self, frames=None):
        super().__init__(frames)
        self.first = {}

    def wants(self, ctx, bar, closes):
        return bar.close > self.first.setdefault(bar.token, bar.close)


class LongMemory(Trader):
    """Needs more than a session of bars, and two are enough."""

    def __init__(self, frames=None):
        super().__init__(frames)
        self.all = {}

    def wants(self, ctx, bar, closes):
        mine = self.all[bar.token] = [*self.all.get(bar.token, [])[-48:], bar.close]
        return bar.close > sum(mine) / len(mine)


class FirstComes(Trader):
    """Prefers whoever comes first in each bar."""

    def __init__(self, frames=None):
        super().__init__(frames)
        self.last = 0

    def wants(self, ctx, bar, closes):
        if bar.start == self.last:
            return False
        self.last = int(bar.start)
        return super().wants(ctx, bar, closes)


class Meddling(Trader):
    """Asks all that can be asked, and lets its stops trail by the history's last row."""

    def on_bar(self, ctx, bar):
        for ladder in ctx.ladders(bar.token):
            ladder.plan.trail = round(self.frame(ctx, bar).close[-1] / 0.05) % 2 == 0
        super().on_bar(ctx, bar)

    def wants(self, ctx, bar, closes):
        return True


class Once(Trader):
    """Asks once for each, whatever becomes of it."""

    def on_bar(self, ctx, bar):
        if bar.start == at(DAYS[1], "10:00"):
            ctx.enter(bar.token, Side.BUY, 50_000_00, 2.0, reason="once")


class Cheap(Trader):
    """Looks for a price in rupees."""

    def wants(self, ctx, bar, closes):
        return bar.close < 300.0 and super().wants(ctx, bar, closes)
