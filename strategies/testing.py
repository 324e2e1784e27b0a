"""Try a strategy on made-up prices: for an author's own tests."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from compiled.model.values import MINUTE
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy
from compiled.venue.slippage import Slippage
from engine.backtest.backtest_run import BacktestRun, RunSettings
from engine.backtest.replayed_bars import replay_bars
from engine.backtest.results.run_reckoning import reckon_run
from engine.backtest.run_outcome import RoundTrip
from engine.backtest.traded_market import instruments_of, market_of
from engine.history.bar_series import BarSeries
from engine.market import charges
from engine.market.calendar import Calendar

FIRST = date(2024, 6, 4)
SYMBOL = "INFY"
CASH = 1_000_000_00


def replay(strategy: Strategy, closes: Sequence[float], spread: float = 0.05) -> list[RoundTrip]:
    """Return the round trips of a strategy on minutes that close at these prices (₹).

    There are 375 to a session, without slippage. Each opens at the close before, and reaches
    `spread` (₹) beyond both. Raises the strategy's errors.
    """
    bars = minutes(closes, spread)
    calendar = Calendar.load()
    days = _session_days(calendar, -(-len(closes) // 375))
    instruments = instruments_of({SYMBOL: bars}, None, days[-1])
    market = market_of(
        instruments,
        days,
        calendar=calendar,
        table=charges.load_rate_table(),
        derivatives=None,
        early=0,
    )
    run = BacktestRun(
        [strategy],
        {},
        bars=replay_bars({SYMBOL: bars}, market),
        span=60,
        market=market,
        calendar=calendar,
        settings=RunSettings(CASH, RiskLimits(), Slippage()),
    )
    run.run()
    # A backtest goes on without a strategy that failed; a test has to fail with it.
    if run.failures:
        raise run.failures[0].error
    return reckon_run(run).trades


def minutes(closes: Sequence[float], spread: float = 0.05) -> BarSeries:
    """Return minutes that close at these prices (₹), from 09:15 on, over as many sessions."""
    calendar = Calendar.load()
    # On the grid of the exchange, or no order could be placed at the price.
    close = np.round(np.asarray(closes, np.float64) / 0.05) * 0.05
    opened = np.concatenate([close[:1], close[:-1]])
    starts = np.concatenate(
        [
            session.open + np.arange(375, dtype=np.int64) * MINUTE
            for day in _session_days(calendar, -(-len(close) // 375))
            if (session := calendar.session(day)) is not None
        ]
    )[: len(close)]
    whole = np.ones(len(close), np.int64)
    high, low = np.maximum(opened, close) + spread, np.minimum(opened, close) - spread
    return BarSeries(
        starts,
        opened,
        high=high,
        low=low,
        close=close,
        # Far more than an order of a test: volume never bounds a fill.
        volume=100_000 * whole,
        ticks=4 * whole,
        token=whole,
    )


def _session_days(calendar: Calendar, count: int) -> list[date]:
    days, day = [FIRST], FIRST
    while len(days) < count:
        day = calendar.next_trading_day(day)
        days.append(day)
    return days
