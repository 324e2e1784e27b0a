"""The sandbox's past and hours are the calendar's.

Holidays, special sessions, the closing auction.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.market import session_phases
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.universe import price_history
from brokers.sandbox.universe.day_universe import build_universe, starting_instant
from brokers.sandbox.universe.price_history import PriceCandle, SeededPast
from compiled.model.values import MINUTE, Instrument
from tests.engine.market.test_hours import at, clock

SHARE = Instrument(257, "NSE", "INFY", 0.1, close=1_500.0)
IST = ZoneInfo("Asia/Kolkata")


def past(today, first, last):
    """Return the bars of a share by day, as a sandbox of `today` tells them."""
    walk = SeededPast(7, today, session_phases.instrument_hours({"INFY"}))
    days = {}
    for bar in walk(SHARE, at(first, "00:00"), at(last, "23:59")):
        days.setdefault(datetime.fromtimestamp(bar.start / 1e9, IST).date(), []).append(bar)
    return days


def test_the_past_has_the_days_and_minutes_of_the_calendar():
    days = past("2024-05-22", "2024-05-15", "2024-05-21")
    assert {str(day): len(bars) for day, bars in days.items()} == {
        "2024-05-15": 375,
        "2024-05-16": 375,
        "2024-05-17": 375,
        "2024-05-18": 105,
        "2024-05-21": 375,
    }
    assert [clock(bar.start) for bar in days[date(2024, 5, 18)][44:46]] == ["09:59", "11:30"]
    assert days[date(2024, 5, 21)][-1].close == SHARE.close


def test_the_past_ends_at_the_auction_since_there_is_one():
    days = past("2026-08-05", "2026-07-31", "2026-08-04")
    assert {str(day): len(bars) for day, bars in days.items()} == {
        "2026-07-31": 375,
        "2026-08-03": 360,
        "2026-08-04": 360,
    }


def test_a_session_of_unknown_clock_time_has_left_no_past():
    assert list(past("2026-11-11", "2026-11-06", "2026-11-10")) == [
        date(2026, 11, 6),
        date(2026, 11, 9),
    ]


def test_longer_candles_of_a_day_in_two_parts_begin_anew_with_the_second():
    parts = ((at("2024-05-18", "09:15"), 45), (at("2024-05-18", "11:30"), 60))
    minutes = [
        PriceCandle(begin + n * MINUTE, 1.0, 1.0, 1.0, 1.0, 1)
        for begin, count in parts
        for n in range(count)
    ]
    bars = price_history.merged_candles(minutes, 30, SHARE)
    assert [(clock(bar.start), bar.volume) for bar in bars] == [
        ("09:15", 30),
        ("09:45", 15),
        ("11:30", 30),
        ("12:00", 30),
    ]


@pytest.mark.parametrize(
    ("day", "start", "begins"),
    [
        ("2024-11-01", "", "18:00"),
        ("2024-11-01", "18:20", "18:20"),
        ("2024-11-01", "10:00", "18:00"),
        ("2026-11-20", "", "09:15"),
        ("2026-11-20", "09:00", "09:00"),
    ],
)
def test_the_clock_starts_with_the_session_unless_it_is_told_when(day, start, begins):
    config = SandboxConfig(date=day, start=start, symbols=("INFY",))
    assert clock(starting_instant(config, build_universe(config).market)) == begins


def test_a_share_the_rules_except_does_not_close_by_auction():
    hours = session_phases.instrument_hours({"INFY", "CDSL"})
    day = date(2026, 11, 20)
    assert hours.cas(day, SHARE)
    assert not hours.cas(day, Instrument(513, "NSE", "CDSL", 0.1))
    assert DayRules("2026-11-20").auction_percent == 3.0
