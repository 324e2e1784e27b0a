"""Days to learn from and days to judge by: walk-forward windows, purged and embargoed folds."""

import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from engine.history.bar_series import Ints


class DayFold(NamedTuple):
    """Places of days, ascending: `train` to choose a trial on, `test` to judge it by."""

    train: Ints
    test: Ints


def walk_forward_months(text: str) -> tuple[int, int]:
    """Return the months that are learned and judged, of `6m/1m`; any other text is a ValueError."""
    spans = re.fullmatch(r"([1-9]\d{0,3})m/([1-9]\d{0,3})m", text)
    if spans is None:
        raise ValueError(f"windows are months like 6m/1m, not {text!r}")
    return int(spans[1]), int(spans[2])


def walk_forward_windows(
    days: Sequence[date], months: str, purge: int = 0, *, anchored: bool = False
) -> list[DayFold]:
    """Divide days into windows of calendar months: `6m/1m` learns six and is judged by the next.

    The next window begins as much later as the one before was judged by, so that each day is judged
    once; `anchored` ones all begin with the first day. The first and the last month count as
    they are, a window without days is left out. `purge` days at the end of `train` are left out:
    as many as a trade is held. `days` are ascending, else it is a ValueError.
    """
    learned, judged = walk_forward_months(months)
    if any(day >= later for day, later in pairwise(days)):
        raise ValueError("the days of a walk-forward have to ascend")
    numbers = np.array([12 * day.year + day.month for day in days], np.int64)
    found: list[DayFold] = []
    if not len(numbers):
        return found
    first, last = int(numbers[0]), int(numbers[-1])
    for begin in range(first, last + 1 - learned, judged):
        bounds = (first if anchored else begin, begin + learned, begin + learned + judged)
        start, middle, end = (int(at) for at in np.searchsorted(numbers, bounds))
        train, test = np.arange(start, middle - purge), np.arange(middle, end)
        if len(train) and len(test):
            found.append(DayFold(train, test))
    return found


def purged_folds(days: int, folds: int, purge: int, embargo: int = 1) -> list[DayFold]:
    """Divide `days` into contiguous folds, each judged by what is learned of all the others.

    López de Prado, "Advances in Financial Machine Learning" (2018), 7.4. What is opened on a day is
    held for at most `purge` more days, so it tells of them too: days whose trades reach into the
    fold, or which trades of the fold reach, are not learned from, nor are `embargo` days after
    these. Fewer than two folds, more folds than days, or no embargo are a ValueError.
    """
    if not 2 <= folds <= days:
        raise ValueError(f"{days} days cannot be divided into {folds} folds")
    if purge < 0 or embargo < 1:
        raise ValueError("a purge is of 0 days or more, an embargo of 1 or more")
    every = np.arange(days)
    return [
        DayFold(
            every[(every < test[0] - purge) | (every > test[-1] + purge + embargo)],
            test,
        )
        for test in np.array_split(every, folds)
    ]
