"""Missing bars, by the calendar.

Runs within a day, whole days together, and the earlier close of some shares.
"""

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest

from engine.history.expected_bars import ExpectedBars, missing_runs, missing_starts
from engine.market.calendar import Calendar

IST = timezone(timedelta(hours=5, minutes=30))
MINUTE = 60_000_000_000


def at(*clock):
    return int(datetime(*clock, tzinfo=IST).timestamp()) * 1_000_000_000


def minutes(first, count):
    return np.arange(count, dtype=np.int64) * MINUTE + first


@pytest.fixture(scope="module")
def calendar():
    return ExpectedBars(Calendar.load())


def runs(calendar, starts, first, last):
    expected = calendar.between(first, last, 60)
    return [
        (run.start, run.end, run.bars, run.days)
        for run in missing_runs("X", missing_starts(starts, expected), expected, 60)
    ]


def test_a_hole_is_one_run_and_does_not_reach_into_the_next_day(calendar):
    tuesday, wednesday = minutes(at(2024, 6, 4, 9, 15), 375), minutes(at(2024, 6, 5, 9, 15), 375)
    starts = np.concatenate([tuesday[:100], tuesday[103:373], wednesday[2:]])
    assert runs(calendar, starts, date(2024, 6, 4), date(2024, 6, 5)) == [
        (at(2024, 6, 4, 10, 55), at(2024, 6, 4, 10, 58), 3, 0),
        (at(2024, 6, 4, 15, 28), at(2024, 6, 4, 15, 30), 2, 0),
        (at(2024, 6, 5, 9, 15), at(2024, 6, 5, 9, 17), 2, 0),
    ]


def test_whole_days_that_follow_each_other_are_one_run(calendar):
    starts = np.concatenate(
        [minutes(at(2024, 6, 13, 9, 15), 375), minutes(at(2024, 6, 19, 9, 15), 375)]
    )
    # 14 June is a Friday, 17 June a holiday (Bakri Id), 18 June trades
    assert runs(calendar, starts, date(2024, 6, 13), date(2024, 6, 19)) == [
        (at(2024, 6, 14, 9, 15), at(2024, 6, 18, 15, 30), 750, 2)
    ]


def test_special_sessions_are_expected_as_they_were(calendar):
    saturday = np.concatenate(
        [minutes(at(2024, 5, 18, 9, 15), 45), minutes(at(2024, 5, 18, 11, 30), 60)]
    )
    muhurat = minutes(at(2024, 11, 1, 18, 0), 60)
    assert runs(calendar, saturday, date(2024, 5, 18), date(2024, 5, 19)) == []
    assert runs(calendar, muhurat, date(2024, 11, 1), date(2024, 11, 3)) == []


def test_a_share_of_the_closing_auction_lacks_nothing_after_a_quarter_past_three(calendar):
    day = date(2026, 9, 1)
    whole = minutes(at(2026, 9, 1, 9, 15), 375)
    assert runs(calendar, whole[:360], day, day) == [], "it closes at 15:15"
    assert runs(calendar, whole[:361], day, day) == [
        (at(2026, 9, 1, 15, 16), at(2026, 9, 1, 15, 30), 14, 0)
    ]
    assert runs(calendar, whole[:359], day, day) == [
        (at(2026, 9, 1, 15, 14), at(2026, 9, 1, 15, 15), 1, 0)
    ]
    assert runs(calendar, whole[:0], day, day) == [
        (at(2026, 9, 1, 9, 15), at(2026, 9, 1, 15, 30), 375, 1)
    ]


def test_days_of_unknown_hours_are_named_and_expect_nothing(calendar):
    # Sunday's muhurat has no clock times yet
    expected = calendar.between(date(2026, 11, 6), date(2026, 11, 8), 60)
    assert (len(expected.starts), expected.unknown) == (375, (date(2026, 11, 8),))
    assert calendar.between(date(2017, 6, 3), date(2017, 6, 5), 60).unknown == (date(2017, 6, 5),)
