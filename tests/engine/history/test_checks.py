"""Each rule finds what it is for and nothing in honest bars."""

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest

from engine.history.bar_checks import CODES, check_bars
from engine.history.bar_series import BarSeries
from engine.history.expected_bars import ExpectedBars
from engine.market.calendar import Calendar

IST = timezone(timedelta(hours=5, minutes=30))
DAYS = Calendar.load().trading_days(date(2024, 6, 3), date(2024, 7, 5))
EXPECTED = ExpectedBars(Calendar.load()).between(DAYS[0], DAYS[-1], 60)


@pytest.fixture
def honest():
    rng = np.random.default_rng(7)
    count = len(EXPECTED.starts)
    close = np.round(500 + np.cumsum(rng.normal(0, 0.05, count)), 2)
    opened = np.concatenate([[500.0], close[:-1]])
    high, low = np.maximum(opened, close) + 0.05, np.minimum(opened, close) - 0.05
    nothing = np.zeros(count, np.int64)
    return BarSeries(
        EXPECTED.starts.copy(),
        opened,
        high,
        low,
        close,
        rng.integers(500, 2_000, count),
        nothing,
        nothing,
    )


def found(series):
    return {each.code: (each.total, each.starts[0]) for each in check_bars(series, 60, EXPECTED)}


def test_honest_bars_pass(honest):
    assert len(DAYS) == 24
    assert found(honest) == {}


def spoiled(honest, code):
    """Return bars with one fault of a kind, and the row it stands in."""
    row = 1_000
    opened, high, low, close, volume = (column.copy() for column in honest[1:6])
    start = honest.start.copy()
    if code == "OHLC":
        high[row] = close[row] - 1
    elif code == "PRICE":
        low[row] = 0.0
    elif code == "VOLUME":
        volume[row] = -1
    elif code == "DOUBLE":
        start[row] = start[row - 1]
    elif code == "SESSION":
        row = 374
        start[row] += 60_000_000_000  # 15:30
    elif code == "ZERO":
        opened[row] = high[row] = low[row] = close[row]
        volume[row] = 0
    elif code == "SPIKE":
        close[row], high[row] = close[row] * 1.06, close[row] * 1.07
    elif code == "DRY":
        row = 375 * 3
        volume[row : row + 375] = 1
    else:
        row = 375 * 4  # the fifth day opens at half the price
        opened[row:], high[row:], low[row:], close[row:] = (
            column[row:] / 2 for column in (opened, high, low, close)
        )
    return honest._replace(
        start=start, open=opened, high=high, low=low, close=close, volume=volume
    ), row


@pytest.mark.parametrize("code", [code for code in CODES if code != "HOURS"])
def test_one_fault_of_a_kind_is_found_where_it_stands(honest, code):
    series, row = spoiled(honest, code)
    faults = found(series)
    assert faults.pop(code) == (1, int(series.start[row]))
    assert faults == {}


def test_a_day_of_unknown_hours_is_said_not_to_be_checked(honest):
    sunday = int(datetime(2026, 11, 8, 18, 15, tzinfo=IST).timestamp()) * 1_000_000_000
    expected = ExpectedBars(Calendar.load()).between(DAYS[0], date(2026, 11, 8), 60)
    series = honest._replace(start=np.concatenate([honest.start[:-1], [sunday]]))
    assert [(each.code, each.total) for each in check_bars(series, 60, expected)] == [("HOURS", 1)]


def test_a_crash_that_stays_is_no_spike_and_no_split(honest):
    row = 375 * 4
    fallen = {
        name: np.concatenate([column[:row], column[row:] * 0.72])
        for name, column in honest._asdict().items()
        if name in {"open", "high", "low", "close"}
    }
    assert found(honest._replace(**fallen)) == {}
