"""Windows of months and purged folds, written out."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.research.evidence.day_folds import purged_folds, walk_forward_windows


def weekdays(first, last):
    every = [first + timedelta(n) for n in range((last - first).days + 1)]
    return [day for day in every if day.weekday() < 5]


YEAR = weekdays(date(2024, 1, 1), date(2024, 12, 31))


def ends(days, window):
    return [str(days[at]) for part in window for at in (part[0], part[-1])]


def test_six_months_learn_and_the_next_is_judged():
    windows = walk_forward_windows(YEAR, "6m/1m")
    assert [ends(YEAR, window) for window in windows] == [
        ["2024-01-01", "2024-06-28", "2024-07-01", "2024-07-31"],
        ["2024-02-01", "2024-07-31", "2024-08-01", "2024-08-30"],
        ["2024-03-01", "2024-08-30", "2024-09-02", "2024-09-30"],
        ["2024-04-01", "2024-09-30", "2024-10-01", "2024-10-31"],
        ["2024-05-01", "2024-10-31", "2024-11-01", "2024-11-29"],
        ["2024-06-03", "2024-11-29", "2024-12-02", "2024-12-31"],
    ]


def test_anchored_windows_keep_their_first_day():
    windows = walk_forward_windows(YEAR, "3m/4m", anchored=True)
    assert [ends(YEAR, window) for window in windows] == [
        ["2024-01-01", "2024-03-29", "2024-04-01", "2024-07-31"],
        ["2024-01-01", "2024-07-31", "2024-08-01", "2024-11-29"],
        # the last window is judged by what there is
        ["2024-01-01", "2024-11-29", "2024-12-02", "2024-12-31"],
    ]


def test_months_that_are_not_whole_count_as_they_are():
    days = weekdays(date(2023, 11, 20), date(2024, 2, 6))
    windows = walk_forward_windows(days, "2m/1m")
    assert [ends(days, window) for window in windows] == [
        ["2023-11-20", "2023-12-29", "2024-01-01", "2024-01-31"],
        ["2023-12-01", "2024-01-31", "2024-02-01", "2024-02-06"],
    ]


def test_days_whose_trades_reach_into_the_judged_month_are_not_learned_from():
    plain, purged = (walk_forward_windows(YEAR, "6m/1m", purge) for purge in (0, 3))
    for whole, less in zip(plain, purged, strict=True):
        assert less.train.tolist() == whole.train[:-3].tolist()
        assert less.test.tolist() == whole.test.tolist()
    assert walk_forward_windows(YEAR, "1m/1m", 25) == []


def test_a_month_without_days_is_judged_by_none():
    days = [day for day in YEAR if day.month != 8]
    windows = walk_forward_windows(days, "6m/1m")
    assert [days[window.test[0]].month for window in windows] == [7, 9, 10, 11, 12]
    assert walk_forward_windows(YEAR, "12m/1m") == walk_forward_windows([], "6m/1m") == []


@pytest.mark.parametrize("months", ["6m", "6/1", "0m/1m", "6m/0m", "6m/1w", "", "6m/1m "])
def test_windows_that_nobody_can_read_are_refused(months):
    with pytest.raises(ValueError, match="6m/1m"):
        walk_forward_windows(YEAR, months)


def test_days_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="ascend"):
        walk_forward_windows(YEAR[::-1], "6m/1m")
    with pytest.raises(ValueError, match="ascend"):
        walk_forward_windows([YEAR[0], *YEAR], "6m/1m")


def test_folds_lose_the_days_before_and_after_what_is_judged():
    """Twelve days in three folds; a trade is held for a day, and one more day is kept apart."""
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in purged_folds(12, 3, 1)] == [
        ([6, 7, 8, 9, 10, 11], [0, 1, 2, 3]),
        ([0, 1, 2, 10, 11], [4, 5, 6, 7]),
        ([0, 1, 2, 3, 4, 5, 6], [8, 9, 10, 11]),
    ]


def test_an_embargo_alone_is_after_the_fold():
    fold = purged_folds(10, 5, purge=0, embargo=2)[1]
    assert (fold.train.tolist(), fold.test.tolist()) == ([0, 1, 6, 7, 8, 9], [2, 3])


@pytest.mark.parametrize(
    ("days", "folds", "purge", "embargo"),
    [(10, 1, 0, 1), (3, 4, 0, 1), (9, 3, -1, 1), (9, 3, 1, 0)],
)
def test_folds_without_sense_are_refused(days, folds, purge, embargo):
    with pytest.raises(ValueError, match=r"folds|purge"):
        purged_folds(days, folds, purge, embargo)


@given(st.integers(2, 120), st.integers(2, 8), st.integers(0, 9), st.integers(1, 9))
def test_no_trade_is_known_on_both_sides(days, folds, purge, embargo):
    if folds > days:
        return
    found = purged_folds(days, folds, purge, embargo)
    assert np.concatenate([fold.test for fold in found]).tolist() == list(range(days))
    for train, test in found:
        held = {day + more for day in test for more in range(purge + 1)}
        for day in train:
            assert not held & set(range(day, day + purge + 1))
        after = {max(held) + more for more in range(1, embargo + 1)}
        assert not after & set(train.tolist())
        lost = days - len(train) - len(test)
        assert lost <= 2 * purge + embargo


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 300), st.booleans())
def test_each_day_after_the_first_months_is_judged_once(learned, judged, skip, anchored):
    days = YEAR[skip % 200 :]
    windows = walk_forward_windows(days, f"{learned}m/{judged}m", anchored=anchored)
    tested = [at for window in windows for at in window.test.tolist()]
    assert tested == [at for at, day in enumerate(days) if day.month - days[0].month >= learned]
    for train, test in windows:
        assert train[-1] + 1 == test[0]
        assert np.diff(train).tolist() == [1] * (len(train) - 1)
        assert not anchored or train[0] == 0
