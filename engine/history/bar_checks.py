"""Stored bars that cannot be true, or are likely wrong.

Each finding has a code, the bars it stands on, and its reason.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.history.bar_series import BarSeries, Floats, Ints, day_number, ist_days
from engine.history.expected_bars import DAY_S, ExpectedStarts

SPIKE, DAY_SPIKE = 0.05, 0.2
"""A close this far (of the price) from both neighbours, which lie near each other, is a spike.

Among days markets do more.
"""
RETURNED = 0.2
"""They lie near each other: the price takes back all but so much of the jump."""
RATIOS = (2.0, 3.0, 4.0, 5.0, 10.0, 1.5, 1.25, 6.0, 8.0, 20.0)
"""Shares after per share before, of splits and bonuses as they are common; and their inverses."""
RATIO_NEAR = 0.03
"""A market moves this much over a night as well."""
LEAST_JUMP = 0.19
"""Below it no ratio is looked for: 5:4 takes a fifth."""
DRY = 0.02
"""A day with less than this share of the usual volume is told."""
DRY_DAYS = 20
"""Days from which on a usual volume is known."""

Bools = npt.NDArray[np.bool_]


class BarFinding(NamedTuple):
    """A rule that bars break: their number, the starts of the first (ns UTC), and its meaning."""

    code: str
    total: int
    starts: tuple[int, ...]
    why: str


NAMED = 5


def check_bars(series: BarSeries, span: int, expected: ExpectedStarts) -> list[BarFinding]:
    """Return the rules the bars of one symbol break."""
    if not len(series.start):
        return []
    return [found for rule in RULES for found in rule(series, span, expected)]


def _bars_found(code: str, wrong: Bools, starts: Ints, why: str) -> Iterator[BarFinding]:
    if wrong.any():
        where = starts[wrong]
        yield BarFinding(code, len(where), tuple(where[:NAMED].tolist()), why)


def _check_ohlc(series: BarSeries, _span: int, _expected: ExpectedStarts) -> Iterator[BarFinding]:
    body = np.maximum(series.open, series.close), np.minimum(series.open, series.close)
    yield from _bars_found(
        "OHLC",
        (series.high < body[0]) | (series.low > body[1]),
        series.start,
        "high below, or low above, open or close",
    )
    yield from _bars_found("PRICE", series.low <= 0, series.start, "a price of zero or less")
    yield from _bars_found("VOLUME", series.volume < 0, series.start, "a volume below zero")


def _check_times(series: BarSeries, _span: int, expected: ExpectedStarts) -> Iterator[BarFinding]:
    doubled = np.zeros(len(series.start), np.bool_)
    doubled[1:] = series.start[1:] == series.start[:-1]
    yield from _bars_found(
        "DOUBLE", doubled, series.start, "a second bar of the same time (another token)"
    )
    unknown = np.isin(ist_days(series.start), [day_number(day) for day in expected.unknown])
    outside = ~np.isin(series.start, expected.starts) & ~unknown
    yield from _bars_found(
        "SESSION", outside, series.start, "starts outside the session, or off its grid"
    )
    if unknown.any():
        yield from _bars_found(
            "HOURS", unknown, series.start, "on a day whose hours are not known: not checked"
        )


def _check_volume(series: BarSeries, span: int, _expected: ExpectedStarts) -> Iterator[BarFinding]:
    if not series.volume.any():
        return  # an index has none
    flat = (series.high == series.low) & (series.volume == 0)
    yield from _bars_found(
        "ZERO", flat, series.start, "no volume and one price: filled in, not traded"
    )
    if span < DAY_S:
        days, place = np.unique(ist_days(series.start), return_inverse=True)
        volumes = np.bincount(place, series.volume)
        if len(days) >= DRY_DAYS:
            bars = np.bincount(place)
            # The median, since one day of a block deal moves the mean; a half day has fewer bars
            # and is not dry.
            dry = (volumes < DRY * np.median(volumes)) & (bars > np.median(bars) / 2)
            firsts = np.searchsorted(ist_days(series.start), days[dry])
            marks = np.zeros(len(series.start), np.bool_)
            marks[firsts] = True
            yield from _bars_found(
                "DRY", marks, series.start, f"a day with less than {DRY:.0%} of the usual volume"
            )


def _check_spikes(series: BarSeries, span: int, _expected: ExpectedStarts) -> Iterator[BarFinding]:
    close, far = series.close, SPIKE if span < DAY_S else DAY_SPIKE
    if len(close) < 3:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        there, back = close[1:-1] / close[:-2] - 1.0, close[2:] / close[:-2] - 1.0
    spike = np.zeros(len(close), np.bool_)
    spike[1:-1] = (np.abs(there) > far) & (np.abs(back) < RETURNED * np.abs(there))
    yield from _bars_found(
        "SPIKE", spike, series.start, f"a close {far:.0%} away that the next bar takes back"
    )


def _check_splits(series: BarSeries, _span: int, _expected: ExpectedStarts) -> Iterator[BarFinding]:
    """Yield the nights that divide the price by a usual ratio.

    Such bars are not adjusted for a split or a bonus.
    """
    found, ratios = split_nights(series)
    marks = np.zeros(len(series.start), np.bool_)
    marks[found] = True
    why = (
        f"a night that divides the price by "
        f"{', '.join(f'{each:.2f}' for each in ratios[:NAMED].tolist())}: a split or bonus not "
        f"adjusted for"
    )
    yield from _bars_found("SPLIT", marks, series.start, why)


def split_nights(series: BarSeries) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the rows after nights that divide the price by a usual ratio, and the ratios."""
    first = np.flatnonzero(np.diff(ist_days(series.start)) != 0) + 1
    before, after = series.close[first - 1], series.open[first]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = before / after
    near = np.zeros(len(first), np.bool_)
    for known in (*RATIOS, *(1.0 / each for each in RATIOS)):
        near |= np.abs(ratio / known - 1.0) < RATIO_NEAR
    moved = np.abs(after / before - 1.0) > LEAST_JUMP
    return first[near & moved], ratio[near & moved]


RULES: tuple[Callable[[BarSeries, int, ExpectedStarts], Iterator[BarFinding]], ...] = (
    _check_ohlc,
    _check_times,
    _check_volume,
    _check_spikes,
    _check_splits,
)
CODES = ("OHLC", "PRICE", "VOLUME", "DOUBLE", "SESSION", "HOURS", "ZERO", "DRY", "SPIKE", "SPLIT")
