"""Golden bars: the broker's, then the desk's or imported ones, with each difference named.

A golden version is made once and never changed. Its manifest says what it was made of, what was
healed and why, and the hash of every series, by which it can be verified and by which later results
name their data.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from compiled.model.values import E4, MINUTE, NEVER, SECOND
from engine.errors import DataError, in_words
from engine.history.bar_series import (
    BarSeries,
    Ints,
    day_number,
    ist_days,
    merge,
    numbered_day,
    unique_starts,
    without_tokens,
)
from engine.history.tick_evidence import (
    CONFLATED,
    DESK_AWAY,
    FEED_AWAY,
    LATE,
    LETTER,
    UNRECORDED,
    UNSENT,
    Row,
    TickEvidence,
)
from engine.indian_time import IST
from engine.market.calendar import DAY, ist_day
from engine.ports import BarStore
from engine.system.whole_files import replacing

PREFIX: Final = "golden-"
RAW: Final = ("imported", "live")
"""What is taken where the broker has nothing; the later of two counts."""
VENDOR: Final = "vendor"
PRICES, RECORDING = "prices", "recording"
"""What a cause was told by."""
HOUR: Final = 60 * MINUTE
"""How far from the session an auction's prints are looked for."""

GAP, EXTRA, THIN, EDGE, WIDER, VOLUME = (
    "gap",
    "no vendor bar",
    "missed ticks",
    "opening or closing print",
    "vendor correction",
    "volume only",
)
MEANINGS: Final = {
    GAP: "raw has no such bar: the feed was away, or the desk was",
    EXTRA: "the vendor has no such bar: raw is kept",
    THIN: "raw lies within the vendor's range: ticks came late, conflated or not at all",
    EDGE: "only the first or last price of the session differs: the auction's print",
    WIDER: (
        "raw reaches beyond the vendor's range: the vendor has left prints out, or corrected them"
    ),
    VOLUME: "the prices are equal",
    LATE: "the ticks came, some of them after the bar had closed",
    CONFLATED: "the ticks came while the desk was late, which then takes the newest of a token",
    LETTER: "the ticks came, and were judged untrue",
    UNSENT: "the feed has not brought such ticks: dropped on the way, or between two packets",
    FEED_AWAY: "the connection was away",
    DESK_AWAY: "no desk recorded at that time",
    UNRECORDED: "the recording has left ticks out",
}
"""Causes of a difference, as docs/history.md has them.

The first ones by the prices, the rest by the day's recording.
"""

Bools = npt.NDArray[np.bool_]


class GoldenDifference(NamedTuple):
    """Differences between raw and vendor of a symbol on a day: bars, by cause."""

    symbol: str
    day: date
    cause: str
    bars: int
    by: str = PRICES


class DifferingBar(NamedTuple):
    """One bar that differs, on a day with a recording.

    It has its start (ns UTC), the cause by its prices, and both bars. `raw` is None where there is
    none; `last` says that it ends its session.
    """

    start: int
    cause: str
    raw: Row | None
    vendor: Row
    last: bool


class SeriesManifest(msgspec.Struct, frozen=True):
    """One symbol of a version.

    It has bars, first and last start (ns UTC), the bars by source, and those healed by cause.
    """

    bars: int
    first: int
    last: int
    sources: dict[str, int]
    healed: dict[str, int]
    sha256: str


class GoldenManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A golden version."""

    version: str
    span: int
    made: str
    by: str
    symbols: dict[str, SeriesManifest]

    @property
    def sha256(self) -> str:
        """Return one hash of all series."""
        lines = "".join(f"{name} {each.sha256}\n" for name, each in sorted(self.symbols.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


class GoldenBars(NamedTuple):
    """The golden bars of a symbol, its differences day by day, and its part of the manifest.

    `differing` are the differences of recorded days, whose causes are still to be looked up:
    `explain_differences` adds them.
    """

    series: BarSeries
    differences: list[GoldenDifference]
    manifest: SeriesManifest
    differing: list[DifferingBar]


def make_golden(
    symbol: str,
    raw: Sequence[tuple[str, BarSeries]],
    vendor: BarSeries,
    recorded: Collection[date] = (),
) -> GoldenBars:
    """Return the vendor's bars and, where there are none, those of `raw`, by name.

    Of two raw ones the later counts.
    """
    vendor = unique_starts(vendor)
    whole = (
        unique_starts(merge([without_tokens(series) for _, series in raw]))
        if raw
        else vendor.pick(slice(0, 0))
    )
    # The broker's bar counts wherever there is one, also where ours has other prices: it is what
    # others see.
    there = np.isin(whole.start, vendor.start)
    kept = whole.pick(~there)
    series = merge([vendor, kept])
    found, differing = _find_differences(
        symbol, whole, vendor, series.start[_day_edges(series.start)], recorded
    )
    sources = {VENDOR: len(vendor.start)}
    left = kept.start
    for name, own in reversed(raw):
        mine = np.isin(left, own.start)
        # Later ones first: of two raw bars of one time the later had counted.
        sources[name], left = int(mine.sum()), left[~mine]
    counted = {name: count for name, count in sources.items() if count}
    first, last = (int(series.start[0]), int(series.start[-1])) if len(series.start) else (0, 0)
    part = SeriesManifest(
        len(series.start),
        first,
        last=last,
        sources=counted,
        healed=_healed_counts(found),
        sha256=series_digest(series),
    )
    return GoldenBars(series, found, part, differing)


def explain_differences(
    symbol: str, made: GoldenBars, span: int, evidence: Mapping[date, TickEvidence]
) -> tuple[list[GoldenDifference], SeriesManifest]:
    """Return all differences of a symbol, and its part of the manifest.

    They have the causes that recordings know.
    """
    counts: Counter[tuple[date, str, str]] = Counter()
    for day, bars in groupby(
        made.differing, key=lambda each: numbered_day((each.start + IST) // DAY)
    ):
        known = evidence.get(day)
        counts.update((day, *_difference_cause(each, span * SECOND, known)) for each in bars)
    more = [
        GoldenDifference(symbol, day, cause, bars, by) for (day, cause, by), bars in counts.items()
    ]
    found = sorted([*made.differences, *more])
    return found, msgspec.structs.replace(made.manifest, healed=_healed_counts(found))


def _difference_cause(each: DifferingBar, span: int, known: TickEvidence | None) -> tuple[str, str]:
    """Return the cause of a difference, and whether prices or a recording show it."""
    if known is None:
        return each.cause, PRICES
    end = each.start + span
    if each.cause == EDGE and each.raw is not None:
        opens = each.raw[0] != each.vendor[0]
        around = (
            (each.start - HOUR, each.start, each.vendor[0])
            if opens
            else (end, end + HOUR, each.vendor[3])
        )
        # The auction's print is stamped outside the session: it came, and no bar of trading takes
        # it.
        if known.was_printed(*around) and not known.absence_cause(each.start, end):
            return EDGE, RECORDING
    cause = known.cause(each.start, end, each.raw, each.vendor, last=each.last)
    return (
        (cause, RECORDING) if cause else (each.cause, RECORDING if each.cause == WIDER else PRICES)
    )


def series_digest(series: BarSeries) -> str:
    """Return a hash of bars that does not depend on their store.

    It is of starts, prices in ten-thousandths of a rupee, and volumes.
    """
    sha = hashlib.sha256()
    for column in (series.start, *(np.rint(price * E4) for price in series[1:5]), series.volume):
        sha.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    return sha.hexdigest()


def count_changes(before: BarSeries, after: BarSeries) -> tuple[int, int, int]:
    """Return how many bars are new, gone, and have other prices or another volume."""
    common, left, right = np.intersect1d(before.start, after.start, return_indices=True)
    other = np.zeros(len(common), np.bool_)
    for one, two in zip(before[1:6], after[1:6], strict=True):
        other |= one[left] != two[right]
    return len(after.start) - len(common), len(before.start) - len(common), int(other.sum())


def read_manifest(folder: Path, version: str) -> GoldenManifest:
    """Return the manifest of a version.

    Raise `DataError` where there is none that can be read.
    """
    file = folder / f"{version}.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=GoldenManifest)
    except FileNotFoundError:
        raise DataError(
            f"there is no {version}: there are {', '.join(golden_versions(folder)) or 'none'}"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{file}: {in_words(error)}") from None


def write_manifest(folder: Path, manifest: GoldenManifest) -> None:
    """Put a manifest on disk: from now on the version exists."""
    folder.mkdir(parents=True, exist_ok=True)  # bars on a server have made none
    # Written last: bars without a manifest are a build that was cut off, and no version.
    with replacing(folder / f"{manifest.version}.json") as fresh:
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def golden_versions(folder: Path) -> list[str]:
    """Return the golden versions that exist, oldest first."""
    found = [
        path.stem
        for path in folder.glob(f"{PREFIX}*.json")
        if path.stem.removeprefix(PREFIX).isdigit()
    ]
    return sorted(found, key=lambda name: int(name.removeprefix(PREFIX)))


def next_version(folder: Path, stored: Sequence[str]) -> str:
    """Return the name of the version to come, after every one that exists or that was begun."""
    numbers = [
        name.removeprefix(PREFIX)
        for name in (*golden_versions(folder), *stored)
        if name.startswith(PREFIX)
    ]
    return f"{PREFIX}{max((int(number) for number in numbers if number.isdigit()), default=0) + 1}"


def claim_version(store: BarStore, folder: Path) -> str:
    """Take the next free name, also against others that build at the same time.

    A build that was cut off keeps its name.
    """
    taken = [each.version for each in store.contents()]
    while not store.claim(name := next_version(folder, taken)):
        taken.append(name)
    return name


def _find_differences(
    symbol: str, raw: BarSeries, vendor: BarSeries, edges: Ints, recorded: Collection[date]
) -> tuple[list[GoldenDifference], list[DifferingBar]]:
    starts: list[Ints] = []
    causes: list[str] = []

    def add(cause: str, which: Ints) -> None:
        if len(which):
            starts.append(which)
            causes.extend([cause] * len(which))

    common, left, right = np.intersect1d(raw.start, vendor.start, return_indices=True)
    ours, theirs = raw.pick(left), vendor.pick(right)
    span = len(raw.start) > 0
    add(GAP, vendor.start[~np.isin(vendor.start, raw.start)] if span else vendor.start[:0])
    add(EXTRA, raw.start[~np.isin(raw.start, vendor.start)] if len(vendor.start) else raw.start[:0])
    prices = np.zeros(len(common), np.bool_)
    for one, two in zip(ours[1:5], theirs[1:5], strict=True):
        prices |= one != two
    beyond = prices & ((ours.high > theirs.high) | (ours.low < theirs.low))
    edge = (
        prices
        & ~beyond
        & np.isin(common, edges)
        & (ours.high == theirs.high)
        & (ours.low == theirs.low)
    )
    add(WIDER, common[beyond])
    add(EDGE, common[edge])
    add(THIN, common[prices & ~beyond & ~edge])
    add(VOLUME, common[~prices & (ours.volume != theirs.volume)])
    if not starts:
        return [], []
    at, why = np.concatenate(starts), np.array(causes)
    days = ist_days(at)
    # A bar that only we have cannot be looked up: there is no broker's bar to explain.
    looked = np.isin(days, [day_number(day) for day in recorded]) & (why != EXTRA)
    differing = _differing_rows(at[looked], why[looked], raw, vendor, edges)
    counts = Counter(zip(days[~looked].tolist(), why[~looked].tolist(), strict=True))
    found = [
        GoldenDifference(symbol, numbered_day(day), cause, bars)
        for (day, cause), bars in sorted(counts.items())
    ]
    return found, differing


def _differing_rows(
    at: Ints, why: npt.NDArray[np.str_], raw: BarSeries, vendor: BarSeries, edges: Ints
) -> list[DifferingBar]:
    """Return the bars that differ, in order of time."""
    ours, theirs = (
        {
            row[0]: row[1:]
            for row in zip(
                *(column.tolist() for column in series.pick(np.isin(series.start, at))[:6]),
                strict=True,
            )
        }
        for series in (raw, vendor)
    )
    lasts = {
        int(edge)
        for edge, after in zip(edges, [*edges[1:], NEVER], strict=True)
        if ist_day(int(edge)) != ist_day(int(after))
    }
    order = np.argsort(at, kind="stable")
    return [
        DifferingBar(start, cause, ours.get(start), theirs[start], start in lasts)
        for start, cause in zip(at[order].tolist(), why[order].tolist(), strict=True)
    ]


def _healed_counts(found: Sequence[GoldenDifference]) -> dict[str, int]:
    healed: Counter[str] = Counter()
    for each in found:
        healed[each.cause] += each.bars
    return dict(healed)


def _day_edges(starts: Ints) -> Bools:
    """Return which of some bars are the first or the last of their day."""
    days = ist_days(starts)
    edge = np.ones(len(starts), np.bool_)
    edge[1:-1] = (days[1:-1] != days[:-2]) | (days[1:-1] != days[2:])
    return edge
