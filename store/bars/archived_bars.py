"""Bars whose older part lies in an archive and is read as if it were here.

A month of a symbol (of bars of days a year) is one object, and another one where bars of it have
come in since. A bar that is here counts before one of the archive, and one of a later object before
one of an earlier.
"""

import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple, final
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from compiled.model.values import SECOND, Bar
from engine.errors import DataError, OperatorError
from engine.history.bar_series import (
    BarSeries,
    Floats,
    Ints,
    StoredSeries,
    from_bars,
    merge,
    to_bars,
)
from engine.indian_time import IST
from engine.market.calendar import DAY, midnight
from engine.ports import BarStore
from store.bars.bar_encoding import decode_bars, encode_bars
from store.bars.parquet_bars import write_table
from store.object_archive import AT_ONCE, ObjectArchive, StoredObject

HISTORY: Final = "history"
_STEM: Final = re.compile(
    r"bars/[^/]+/version=(?P<version>[^/]+)/span=(?P<span>\d+)/symbol=(?P<symbol>[^/]+)/(?P<period>\d{4}(-\d{2})?)-(?P<part>\d{4,})"
)
LAST: Final = 2**62
FAR: Final = LAST - IST

Key = tuple[str, int, str]
"""Version, span (seconds) and symbol."""


class PeriodPart(NamedTuple):
    """Object that holds bars of a month, "2024-06", or of a year.

    Of one period a later part counts first.
    """

    period: str
    number: int
    stored: StoredObject


class PushedBars(NamedTuple):
    """Total of what an archiving has moved of a version and span, or would.

    Bytes are those of the objects.
    """

    version: str
    span: int
    symbols: int
    periods: int
    bars: int
    bytes: int


@final
class ArchivedBars:
    """A `BarStore` that reads from `local` and from the archive, and writes to `local`.

    Nothing that starts at `young` (ns UTC) or later is looked for in the archive: it takes only
    what is older. Each store has a `shelf` of its own there.
    """

    def __init__(
        self, local: BarStore, archive: ObjectArchive, young: int = LAST, shelf: str = HISTORY
    ) -> None:
        self.local, self.archive, self._young = local, archive, young
        self._shelf = f"bars/{shelf}"
        self._parts: dict[Key, list[PeriodPart]] = {}
        self._seen: int | None = None

    def write(self, bars: Sequence[Bar], symbols: dict[int, str], version: str) -> None:
        """Store bars here."""
        self.local.write(bars, symbols, version)

    def write_columns(self, symbol: str, span: int, version: str, columns: BarSeries) -> None:
        """Store many bars of one symbol here."""
        self.local.write_columns(symbol, span, version, columns)

    def write_many(self, parts: Mapping[str, BarSeries], span: int, version: str) -> None:
        """Store bars of several symbols here."""
        self.local.write_many(parts, span, version)

    def read(self, symbol: str, span: int, start: int, end: int, version: str) -> list[Bar]:
        """Return the bars of a symbol that start in [start, end), oldest first."""
        return to_bars(self.columns(symbol, span, start, end, version), span)

    def read_many(
        self, symbols: Sequence[str], span: int, start: int, end: int, version: str
    ) -> dict[str, list[Bar]]:
        """Return what `read` returns of each symbol."""
        near = self.local.read_many(symbols, span, start, end, version)
        if start >= self._young:
            return near
        return {
            symbol: to_bars(
                self._merge_archived((version, span, symbol), from_bars(bars), start, end), span
            )
            for symbol, bars in near.items()
        }

    def columns(self, symbol: str, span: int, start: int, end: int, version: str) -> BarSeries:
        """Return what `read` returns, as arrays."""
        near = self.local.columns(symbol, span, start, end, version)
        return (
            near
            if start >= self._young
            else self._merge_archived((version, span, symbol), near, start, end)
        )

    def starts(self, symbol: str, span: int, version: str) -> Ints:
        """Return when the bars of a symbol start, each time once."""
        near = self.local.starts(symbol, span, version)
        far = self._archived_series((version, span, symbol), -LAST, LAST)
        return np.unique(np.concatenate([near, *(series.start for series in far)]))

    def symbols(self, span: int, version: str) -> list[str]:
        """Return the symbols that have bars, in order."""
        near = self.local.symbols(span, version)
        return sorted({*near, *(key[2] for key in self.parts() if key[:2] == (version, span))})

    def identity(self, symbols: Sequence[str], span: int, version: str) -> str:
        """Return that of the bars here with the archived objects, named by their hashes."""
        near = self.local.identity(symbols, span, version)
        named = [
            part.stored.name
            for symbol in symbols
            for part in self.parts().get((version, span, symbol), ())
        ]
        return near and hashlib.sha256(" ".join([near, *named]).encode()).hexdigest()

    def contents(self) -> list[StoredSeries]:
        """Return the series with the months or years of each that are archived.

        The size is that on this disk or server.
        """
        there = {each[:3]: each for each in self.local.contents()}
        for key, parts in self.parts().items():
            known = there.get(key, StoredSeries(*key, 0))
            there[key] = known._replace(archived=tuple(sorted({part.period for part in parts})))
        return sorted(there.values())

    def write_averages(
        self, symbol: str, span: int, version: str, starts: Ints, columns: Mapping[str, Floats]
    ) -> None:
        """Store averages of the bars that are here; those of archived ones can be made again."""
        # an average without its bar would be found by nobody
        here = np.isin(starts, self.local.starts(symbol, span, version))
        kept = {name: values[here] for name, values in columns.items()}
        self.local.write_averages(symbol, span, version, starts[here], kept)

    def averages(self, symbol: str, span: int, version: str) -> tuple[Ints, dict[str, Floats]]:
        """Return the averages that are here."""
        return self.local.averages(symbol, span, version)

    def remove(self, symbol: str, span: int, version: str, columns: BarSeries) -> None:
        """Remove bars that are here, where they still are as given."""
        self.local.remove(symbol, span, version, columns)

    def removals(self) -> int:
        """Return how often bars were removed here."""
        return self.local.removals()

    def claim(self, version: str) -> bool:
        """Take the name of a version here, where the archive has none of it."""
        return all(key[0] != version for key in self.parts()) and self.local.claim(version)

    def fold(self) -> None:
        """Tidy up here."""
        self.local.fold()

    def parts(self) -> dict[Key, list[PeriodPart]]:
        """Return the parts in the archive by series.

        They are listed anew whenever bars have been removed here since: the archive has those now.
        """
        count = self.local.removals()
        if count != self._seen:
            found: defaultdict[Key, list[PeriodPart]] = defaultdict(list)
            for stored in self.archive.objects(self._shelf):
                if match := _STEM.fullmatch(stored.stem):
                    key = unquote(match["version"]), int(match["span"]), unquote(match["symbol"])
                    found[key].append(PeriodPart(match["period"], int(match["part"]), stored))
            # read as empty, a history would seem to begin this month
            if count and not found:
                raise OperatorError(
                    "bars have gone to an archive, and the one that is configured has none: mend "
                    "[archive]"
                )
            self._parts, self._seen = {key: sorted(parts) for key, parts in found.items()}, count
        return self._parts

    def files(self, start: int, end: int) -> list[Path]:
        """Return files on this disk with the archived bars of the periods [start, end) touches."""
        return self.archive.copies(
            [
                each
                for parts in self.parts().values()
                for each in _touched_objects(parts, start, end)
            ]
        )

    def push(
        self, before: date, *, keep: bool, dry: bool, tell: Callable[[str], None]
    ) -> list[PushedBars]:
        """Move the bars of whole months, those of days by whole years, before a day to the archive.

        With `keep` bars are copied and stay, with `dry` they are counted only.

        Bars are removed here once they have been read back from there. Stopped at any moment, bars
        are here, or there, or both.
        """
        there = self.parts()
        found: defaultdict[tuple[str, int], list[PushedBars]] = defaultdict(list)
        for version, span, symbol, *_ in self.local.contents():
            key = version, span, symbol
            end = midnight(
                before.replace(day=1)
                if period_unit(span) == "M"
                else before.replace(month=1, day=1)
            )
            series = self.local.columns(symbol, span, -LAST, end, version)
            if len(series.start):
                periods = by_period(series, period_unit(span))
                size = 0 if dry else self._put_periods(key, periods, there.get(key, ()))
                if not dry and not keep:
                    # only what `_put_periods` has read back
                    self.local.remove(symbol, span, version, series)
                found[version, span].append(
                    PushedBars(
                        version,
                        span,
                        symbols=1,
                        periods=len(periods),
                        bars=len(series.start),
                        bytes=size,
                    )
                )
                tell(f"{symbol} {version} {span} s: {periods[0][0]} to {periods[-1][0]}")
        return [
            PushedBars(*kind, *(sum(column) for column in list(zip(*rows, strict=True))[2:]))
            for kind, rows in found.items()
        ]

    def _put_periods(
        self, key: Key, periods: list[tuple[str, BarSeries]], there: Sequence[PeriodPart]
    ) -> int:
        """Archive parts of a symbol's bars, read them back, return the bytes of their objects."""
        version, span, symbol = key
        kept, whose = quote(version, safe=""), quote(symbol, safe="")
        folder = f"{self._shelf}/version={kept}/span={span}/symbol={whose}"

        def put(each: tuple[str, BarSeries]) -> StoredObject:
            period, bars = each
            same = [part for part in there if part.period == period]
            number = max((part.number for part in same), default=0) + 1
            return self.archive.put(
                f"{folder}/{period}-{number:04}", _pack_bars(bars), [part.stored for part in same]
            )

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(each.size for each in pool.map(put, periods))

    def _merge_archived(self, key: Key, near: BarSeries, start: int, end: int) -> BarSeries:
        far = self._archived_series(key, start, end)
        if not far:
            return near
        # of equal bars the last counts: those here before the archive's
        found = merge([*far, near])
        low, high = np.searchsorted(found.start, [start, end])
        return found.pick(slice(int(low), int(high)))

    def _archived_series(self, key: Key, start: int, end: int) -> list[BarSeries]:
        """Return the archived bars of periods that [start, end) touches, earlier parts first."""
        wanted = _touched_objects(self.parts().get(key, ()), start, end)
        return [_unpack_bars(content) for content in self.archive.contents(wanted)]


def period_unit(span: int) -> str:
    """Return what an object holds of a symbol: a month ("M"), of bars of days a year ("Y")."""
    return "Y" if span >= DAY // SECOND else "M"


def by_period(series: BarSeries, unit: str) -> list[tuple[str, BarSeries]]:
    """Return bars by month or year, as it is in India."""
    periods = (series.start + IST).astype("datetime64[ns]").astype(f"datetime64[{unit}]")
    names, firsts = np.unique(periods, return_index=True)
    bounds = [*firsts.tolist(), len(periods)]
    return [
        (str(name), series.pick(slice(bounds[n], bounds[n + 1]))) for n, name in enumerate(names)
    ]


def _touched_objects(parts: Sequence[PeriodPart], start: int, end: int) -> list[StoredObject]:
    """Return the objects of the months and years that [start, end) touches."""
    first, last = (
        # clamped: a range without end would overflow by the hours of IST
        str(np.datetime64(min(max(int(ts), -FAR), FAR) + IST, "ns").astype("datetime64[M]"))
        for ts in (start, end - 1)
    )
    return [
        part.stored
        for part in parts
        if first[: len(part.period)] <= part.period <= last[: len(part.period)]
    ]


def _pack_bars(series: BarSeries) -> bytes:
    """Return bars as the content of a Parquet file.

    Raise `DataError` where they would not come back.
    """
    out = io.BytesIO()
    write_table(encode_bars(series), out)
    content = out.getvalue()
    again = _unpack_bars(content)
    if not all(np.array_equal(one, two) for one, two in zip(series, again, strict=True)):
        raise DataError("bars do not come back from Parquet as they went in: nothing was archived")
    return content


def _unpack_bars(content: bytes) -> BarSeries:
    return decode_bars(pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False))
