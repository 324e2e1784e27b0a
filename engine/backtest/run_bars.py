"""The bars of a backtest: a version of each symbol, adjusted if need be."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np

from engine.backtest.kept_bars import KeptBars
from engine.backtest.loaded_bars import AND, LoadedBars
from engine.backtest.run_outcome import DataManifest
from engine.errors import ConfigError, NothingFound
from engine.history.bar_adjustment import adjusted_series, adjustment_steps
from engine.history.bar_series import (
    BarSeries,
    StoredSeries,
    day_number,
    ist_days,
    merge,
    numbered_day,
    unique_starts,
)
from engine.history.golden_bars import PREFIX, RAW, VENDOR, golden_versions, series_digest
from engine.indian_time import IST
from engine.market.calendar import DAY
from engine.market.corporate_actions.action_list import CorporateActions
from engine.texts import first_names

ORDER: Final = (VENDOR, *RAW)
"""What is read where there is no golden version, the first that has the symbol."""


class BarSource(Protocol):
    """Source of the bars of a backtest: a store of bars, or an author's feed."""

    def contents(self) -> list[StoredSeries]:
        """Return the series there are."""
        ...

    def columns(self, symbol: str, span: int, start: int, end: int, version: str) -> BarSeries:
        """Return the bars of a symbol that start in [start, end) ns UTC, oldest first."""
        ...

    def identity(self, symbols: Sequence[str], span: int, version: str) -> str:
        """Return a hash that is another one once bars of these are others, "" if unknown."""
        ...


class BarVersions:
    """The versions of bars in a history, and the ones a backtest reads.

    `folder` has the manifests of golden versions, `kept` what earlier runs have read.
    """

    def __init__(self, store: BarSource, folder: Path, kept: KeptBars | None = None) -> None:
        self._store = store
        self._kept = kept
        self._there = store.contents()
        self._golden = golden_versions(folder)[::-1]

    def symbols(self, span: int, version: str = "") -> list[str]:
        """Return the symbols that have bars of a span."""
        found = {
            each.symbol
            for each in self._stored_series(span)
            if each.version == (version or each.version)
        }
        return sorted(found)

    def golden_names(self) -> list[str]:
        """Return the golden versions there are, the oldest first."""
        return [*self._golden[::-1]]

    def spans(self, symbols: Iterable[str] = (), version: str = "") -> list[int]:
        """Return the lengths of the stored bars, in seconds.

        With symbols they are those that each symbol has.
        """
        every = {each.span for each in self._there}
        return sorted(span for span in every if set(symbols) <= set(self.symbols(span, version)))

    def choose(self, symbol: str, span: int, version: str) -> str:
        """Return the version of a symbol to read: the named one, the newest golden one, or raw.

        Raises `NothingFound` where there is none.
        """
        there = {each.version for each in self._stored_series(span) if each.symbol == symbol}
        for name in (version,) if version else (*self._golden, *ORDER, *sorted(there)):
            if name in there:
                return name
        of = f" of version {version}" if version else ""
        raise NothingFound(f"no bars of {symbol} of {span} s{of}: see patang bars list")

    def load(
        self,
        symbols: Sequence[str],
        span: int,
        start: int,
        end: int,
        version: str,
        actions: CorporateActions | None,
    ) -> LoadedBars:
        """Return the bars that start in [start, end) ns UTC, adjusted to the last of them.

        A symbol without any is left out and named. Raises `NothingFound` where none has any,
        `DataError` for an action whose effect is not known.
        """
        chosen = {symbol: self._chosen_versions(symbol, span, version) for symbol in symbols}
        between = start, end
        if self._kept is None:
            return self._read_chosen(chosen, span, between, actions)
        key = self._kept_key(self._kept, chosen, span, between, actions)
        found = self._kept.find(key) if key else None
        if found is not None:
            return found
        loaded = self._read_chosen(chosen, span, between, actions)
        # Of what is written meanwhile some may have been read: it has another key by now.
        same = key and key == self._kept_key(self._kept, chosen, span, between, actions)
        return self._kept.keep(key, loaded) if same else loaded

    def _chosen_versions(self, symbol: str, span: int, version: str) -> list[str]:
        """Return the version of a symbol to read, and the one of which it is continued."""
        name = self.choose(symbol, span, version)
        # Golden bars end with the day they were made on: what came since is read raw, and named as
        # not reconciled.
        if version or not name.startswith(PREFIX):
            return [name]
        raw = next((each for each in ORDER if self._has_bars(symbol, span, each)), "")
        return [name, raw] if raw else [name]

    def _kept_key(
        self,
        kept: KeptBars,
        chosen: Mapping[str, Sequence[str]],
        span: int,
        between: tuple[int, int],
        actions: CorporateActions | None,
    ) -> str:
        """Return what names the bars that would be read; "" where their store cannot tell."""
        named: defaultdict[str, list[str]] = defaultdict(list)
        for symbol, names in chosen.items():
            for name in names:
                named[name].append(symbol)
        stored = {name: self._store.identity(of, span, name) for name, of in named.items()}
        if not all(stored.values()):
            return ""
        return kept.key(
            chosen=[*chosen.items()],
            span=span,
            between=between,
            stored=stored,
            golden=self._golden,
            actions="" if actions is None else actions.digest,
        )

    def _read_chosen(
        self,
        chosen: Mapping[str, Sequence[str]],
        span: int,
        between: tuple[int, int],
        actions: CorporateActions | None,
    ) -> LoadedBars:
        loaded = LoadedBars({}, {}, [])
        missing: list[str] = []
        start, end = between
        for symbol, (name, *further) in chosen.items():
            series = read_bars(self._store, symbol, span=span, start=start, end=end, version=name)
            for raw in further:
                rest = read_bars(self._store, symbol, span=span, start=start, end=end, version=raw)
                whole = continued_series(series, rest)
                if len(whole.start) > len(series.start):
                    series, name = whole, f"{name}{AND}{raw}"  # noqa: PLW2901
            if not len(series.start):
                missing.append(symbol)
                continue
            said = DataManifest(
                version=name,
                bars=len(series.start),
                first=int(series.start[0]),
                last=int(series.start[-1]),
                # Before the adjustment: it identifies what is stored, by which the run can be
                # repeated.
                sha256=series_digest(series),
            )
            # Adjusted twice, a split would halve the price a second time.
            if actions is not None and not name.endswith("-adjusted"):
                steps = adjustment_steps(series, actions, symbol)
                if steps:
                    series, said = (
                        adjusted_series(series, steps),
                        msgspec.structs.replace(said, adjusted=True),
                    )
            loaded.series[symbol] = series
            loaded.manifests[symbol] = said
        if not loaded.series:
            raise NothingFound(
                f"no bars of {first_names(missing)} in these days: see patang bars list"
            )
        if missing:
            loaded.warnings.append(
                f"without bars in these days, and left out: {first_names(missing)}"
            )
        others = sorted({each.version for each in loaded.manifests.values()} - set(self._golden))
        if others:
            loaded.warnings.append(f"not reconciled: bars of version {', '.join(others)}")
        if actions is None:
            loaded.warnings.extend(unadjusted_splits(loaded.series))
        return loaded

    def _has_bars(self, symbol: str, span: int, version: str) -> bool:
        return any(
            each.symbol == symbol and each.version == version for each in self._stored_series(span)
        )

    def _stored_series(self, span: int) -> Iterable[StoredSeries]:
        return (each for each in self._there if each.span == span)


def read_bars(
    store: BarSource, symbol: str, span: int, start: int, end: int, version: str
) -> BarSeries:
    """Return the bars of a symbol in [start, end), each time once; `AND` joins two versions."""
    first, _, other = version.partition(AND)
    series = unique_starts(store.columns(symbol, span, start, end, first))
    if not other:
        return series
    rest = unique_starts(store.columns(symbol, span, start, end, other))
    return continued_series(series, rest)


def continued_series(series: BarSeries, rest: BarSeries) -> BarSeries:
    """Return bars and, beyond their ends, others."""
    if not len(series.start):
        return rest
    beyond = (rest.start < series.start[0]) | (rest.start > series.start[-1])
    return merge([rest.pick(beyond), series])


def unadjusted_splits(series: Mapping[str, BarSeries]) -> list[str]:
    """Name the unadjusted nights that divide a price as a split does."""
    from engine.history.bar_checks import split_nights  # noqa: PLC0415  only where no list of actions is known

    found = [
        f"{symbol} on {numbered_day(int(day))}"
        for symbol, bars in series.items()
        for day in ist_days(bars.start[split_nights(bars)[0]])
    ]
    if not found:
        return []
    return [
        (
            f"looks like a split not adjusted for: {first_names(found)}; "
            f"set desk.corporate_actions, or read adjusted bars"
        )
    ]


def days_of(series: Iterable[BarSeries], first: date, last: date) -> list[date]:
    """Return the days from `first` to `last` that have a bar."""
    days = np.arange(day_number(first), day_number(last) + 2)
    there = np.zeros(len(days) - 1, np.bool_)
    for bars in series:
        there |= np.diff(np.searchsorted(bars.start, days * DAY - IST)) > 0
    return [numbered_day(int(each)) for each in days[:-1][there]]


def span_for(spans: Sequence[int], wanted: int, strategies: Iterable[int]) -> int:
    """Return the length of the bars that are replayed.

    It is the given one, or the shortest that suits every strategy. Raises `ConfigError` where there
    is none.
    """
    hears = sorted(set(strategies))
    fits = [span for span in spans if all(each % span == 0 for each in hears)]
    if wanted and wanted in spans and all(each % wanted == 0 for each in hears):
        return wanted
    if wanted or not fits:
        if not spans:
            raise NothingFound("there are no bars yet: see patang bars import, or another --folder")
        there = ", ".join(map(str, spans))
        asked = f"bars of {wanted} s" if wanted else "bars"
        raise ConfigError(
            f"no {asked} for strategies of {', '.join(map(str, hears))} s: the history has bars "
            f"of {there} s"
        )
    return min(fits)
