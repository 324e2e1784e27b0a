"""The trading calendar and its gap detector against recorded bars."""

from collections import defaultdict
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from engine.market.calendar import BarGap, Calendar

pytestmark = pytest.mark.real_data

CALENDAR = Calendar.load()
IST = ZoneInfo("Asia/Kolkata")
WHOLE = [
    "ADANIENT",
    "ASIANPAINT",
    "AXISBANK",
    "BEL",
    "BHARTIARTL",
    "CANBK",
    "DLF",
    "FEDERALBNK",
    "HAL",
    "IRFC",
    "MARUTI",
]
"""Stocks recorded without a hole of their own."""
HOLE = date(2025, 1, 7)


def at(year, month, day, hour, minute):
    return int(datetime(year, month, day, hour, minute, tzinfo=IST).timestamp()) * 1_000_000_000


@cache
def bars_by_day(file):
    days = defaultdict(list)
    for stamp in pq.read_table(file, columns=["timestamp"])["timestamp"].to_pylist():
        days[stamp.date()].append(int(stamp.timestamp()) * 1_000_000_000)
    return days


@pytest.mark.parametrize("symbol", WHOLE)
def test_the_expected_bars_of_every_recorded_day_are_those_that_were_recorded(market_data, symbol):
    days = bars_by_day(market_data / "nse_1min" / f"{symbol}.parquet")
    assert sorted(days) == CALENDAR.trading_days(min(days), max(days))
    for day, starts in days.items():
        if day != HOLE:
            assert starts == CALENDAR.expected_bars(day), day
    assert len(days[date(2024, 5, 18)]) == 105
    assert len(days[date(2024, 11, 1)]) == 60
    assert len(days[date(2025, 2, 1)]) == 375


@pytest.mark.parametrize("symbol", WHOLE)
def test_the_only_gap_of_a_year_is_the_hole_of_the_seventh_of_january(market_data, symbol):
    days = bars_by_day(market_data / "nse_1min" / f"{symbol}.parquet")
    gaps = {
        day: found for day, starts in days.items() if (found := CALENDAR.missing_bars(starts, day))
    }
    assert gaps == {HOLE: [BarGap(at(2025, 1, 7, 9, 15), at(2025, 1, 7, 13, 25), 250)]}


def test_the_outage_of_february_2021_is_one_gap_and_the_reopening_is_none(market_data):
    ends = bars_by_day(market_data / "index_1min" / "NIFTY.parquet")[date(2021, 2, 24)]
    starts = [end - 60_000_000_000 for end in ends]
    gaps = CALENDAR.missing_bars(starts, date(2021, 2, 24), kind="INDEX")
    assert gaps == [BarGap(at(2021, 2, 24, 10, 8), at(2021, 2, 24, 15, 30), 322)]


def test_index_bars_of_two_years_cover_every_session_but_the_outage_and_four_holes_of_the_vendor(
    market_data,
):
    days = bars_by_day(market_data / "index_1min" / "NIFTY.parquet")
    assert sorted(days) == CALENDAR.trading_days(min(days), max(days))
    missing = {}
    for day, ends in days.items():
        gaps = CALENDAR.missing_bars([end - 60_000_000_000 for end in ends], day, kind="INDEX")
        if gaps:
            missing[day.isoformat()] = sum(gap.bars for gap in gaps)
    assert missing == {
        "2021-02-24": 322,
        "2021-07-23": 41,
        "2021-11-01": 4,
        "2022-01-21": 13,
        "2022-03-07": 40,
    }


def test_the_trading_days_of_five_years_are_the_days_of_the_daily_bars(market_data):
    column = pq.read_table(market_data / "daily" / "nifty48_daily.parquet", columns=["date"])[
        "date"
    ]
    recorded = sorted({date.fromisoformat(text) for text in column.to_pylist()})
    assert len(recorded) == 1367
    assert CALENDAR.trading_days(recorded[0], recorded[-1]) == recorded
