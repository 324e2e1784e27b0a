"""The bars that continuous trading makes, as arrays; and the runs of them that are not there.

Since 2026-08-03 a share with derivatives stops trading at 15:15. Which share had them on which day,
files of bars do not say: a day without a bar between the two closes counts as one that closed at
the earlier.
"""

from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple, final

import numpy as np

from compiled.model.values import SECOND
from engine.errors import DataError
from engine.history.bar_series import Ints, ist_days
from engine.market.calendar import Calendar

DAY_S = 86_400


class ExpectedStarts(NamedTuple):
    """The starts of all bars of some days (ns UTC), in order.

    `optional` are those after the close of others. `unknown` are the days whose hours, or whose
    year's holidays, are not known: nothing is expected on them.
    """

    starts: Ints
    optional: Ints
    unknown: tuple[date, ...]


class MissingRun(NamedTuple):
    """A run of missing bars: `bars` of them, starting in [start, end) ns UTC.

    A run lies within one day, or is of whole `days` that follow each other.
    """

    symbol: str
    start: int
    end: int
    bars: int
    days: int


@final
class ExpectedBars:
    """The calendar's bars of one exchange's instruments of a kind.

    It is computed day by day, and kept for the next symbol.
    """

    def __init__(self, calendar: Calendar, exchange: str = "NSE", kind: str = "EQ") -> None:
        self._calendar, self._exchange, self._kind = calendar, exchange, kind
        # Every symbol of an exchange asks for the same days.
        self._days: dict[tuple[date, int], tuple[list[int], list[int]] | None] = {}
        self._ranges: dict[tuple[date, date, int], ExpectedStarts] = {}

    def on(self, day: date, span: int) -> tuple[list[int], list[int]] | None:
        """Return the day's starts, and those only some instruments have.

        They are None where the hours are not known.
        """
        key = day, span
        if key not in self._days:
            try:
                starts = self._day_starts(day, span, cas=False)
                shared = (
                    set(self._day_starts(day, span, cas=True))
                    if self._kind == "EQ"
                    else set(starts)
                )
                self._days[key] = starts, [start for start in starts if start not in shared]
            except DataError:
                self._days[key] = None
        return self._days[key]

    def between(self, first: date, last: date, span: int) -> ExpectedStarts:
        """Return the expected starts from one day to another, both included."""
        asked = first, last, span
        if asked not in self._ranges:
            self._ranges[asked] = self._range_starts(first, last, span)
        return self._ranges[asked]

    def _range_starts(self, first: date, last: date, span: int) -> ExpectedStarts:
        starts: list[int] = []
        optional: list[int] = []
        unknown = []
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            of_day = self.on(day, span)
            if of_day is None:
                if day.weekday() < 5 or self._is_trading_day(day):
                    unknown.append(day)
                continue
            starts += of_day[0]
            optional += of_day[1]
        return ExpectedStarts(
            np.array(starts, np.int64), np.array(optional, np.int64), tuple(unknown)
        )

    def _day_starts(self, day: date, span: int, *, cas: bool) -> list[int]:
        return self._calendar.expected_bars(day, span, self._exchange, self._kind, cas)

    def _is_trading_day(self, day: date) -> bool:
        try:
            return self._calendar.is_trading_day(day, self._exchange)
        except DataError:
            return False


def missing_starts(starts: Ints, expected: ExpectedStarts) -> Ints:
    """Return the starts of `expected` that are not among `starts`; both are sorted."""
    absent = expected.starts[~is_among(expected.starts, starts)]
    if len(absent) and len(expected.optional):
        there = np.unique(ist_days(starts))
        late = np.unique(ist_days(expected.optional[is_among(expected.optional, starts)]))
        days = ist_days(absent)
        # A day with a bar after the earlier close traded to the later one, and lacks the others.
        closed = is_among(absent, expected.optional) & is_among(days, there) & ~is_among(days, late)
        absent = absent[~closed]
    return absent


def missing_runs(
    symbol: str, absent: Ints, expected: ExpectedStarts, span: int
) -> list[MissingRun]:
    """Return the absent bars run by run."""
    if not len(absent):
        return []
    days = ist_days(absent)
    of_day = dict(
        zip(
            *(each.tolist() for each in np.unique(ist_days(expected.starts), return_counts=True)),
            strict=True,
        )
    )
    numbers, firsts, counts = np.unique(days, return_index=True, return_counts=True)
    whole = np.array(
        [
            of_day[number] == count
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
        ]
    )
    breaks = np.diff(np.searchsorted(expected.starts, absent)) != 1
    edges = firsts[1:] - 1
    # Whole days that follow each other are one run; a part of a day never runs on into the next.
    breaks[edges] |= ~(whole[1:] & whole[:-1])
    bounds = pairwise([0, *(np.flatnonzero(breaks) + 1).tolist(), len(absent)])
    return [
        MissingRun(
            symbol,
            int(absent[low]),
            int(absent[high - 1]) + span * SECOND,
            high - low,
            len(np.unique(days[low:high])),
        )
        if whole[np.searchsorted(numbers, days[low])]
        else MissingRun(
            symbol, int(absent[low]), int(absent[high - 1]) + span * SECOND, high - low, 0
        )
        for low, high in bounds
    ]


def is_among(values: Ints, ordered: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which values are among others that are in order."""
    if np.array_equal(values, ordered):
        return np.ones(len(values), np.bool_)
    # A search in what is in order: `np.isin` would sort both again for every symbol.
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return ordered[place] == values if len(ordered) else np.zeros(len(values), np.bool_)
