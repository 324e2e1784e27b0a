"""The bars of a day that is compared: those a desk has kept, and those its backtest reads."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final, final

from compiled.model.values import SECOND
from engine.backtest.parity.heard_bars import fill_holes, lost_minutes
from engine.backtest.run_bars import BarVersions, span_for
from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.day.opening import DAY_SPAN, DAYS_BACK
from engine.errors import NothingFound
from engine.history.bar_series import BarSeries, merge
from engine.market.calendar import DAY, midnight
from engine.numbers import time_of_day
from engine.ports import BarStore
from store.bars.bar_writer import WARM_UP
from store.bars.parquet_bars import ParquetBars
from store.bars.registry import FILES
from store.journal_day import KeptDay
from tui.run.bar_stores import desk_store, local_store
from tui.run.bar_stores import history_store as shelf
from tui.run.run_records import bars_folder
from tui.run.settings import actions_of, calendar_of

MINUTE: Final = 60
LIVE: Final = "live"
HISTORY: Final = "history"
TICKS: Final = "ticks"
ONE_DAY: Final = timedelta(days=1)


@final
class ParityBars:
    """The bars of a day: of the desk out of `store`, of the history in `folder`."""

    def __init__(
        self,
        config: DeskConfig,
        day: date,
        store: BarStore,
        folder: Path | None,
        warnings: list[str],
    ) -> None:
        self.day = day
        self._config = config
        self._store = store
        place = folder or desk_paths(config, os.environ).history
        self._history = BarVersions(shelf(config, folder), place)
        self._calendar = calendar_of(config)
        self._warnings = warnings

    def of_backtest(
        self,
        wanted: str,
        kept: KeptDay,
        spans: Collection[int],
    ) -> tuple[dict[str, BarSeries], str]:
        """Return the bars of the day with those before, by symbol in the desk's order.

        They are those `wanted`: the desk's, and what it did not hear as long as it ran from the
        history; those of the history; or of a version of it. The text names them. `spans` are those
        of the strategies.
        """
        seen = kept.seen
        own = wanted == LIVE and bool(seen)
        if wanted == LIVE and not seen:
            self._warnings.append(
                "the desk has kept no bars of that day: those of the history are read"
            )
        span_for([MINUTE], 0, spans)
        since = (
            self.day - timedelta(days=DAYS_BACK)
            if DAY_SPAN in spans
            else self._calendar.latest_trading_day(self.day - ONE_DAY)
        )
        # in the order of the desk, which decides between two that ask at the same moment
        watch = kept.ran[0]["watch"] if kept.ran else self._config.feed.watch
        names = [*dict.fromkeys([*watch, *(seen or self._history.symbols(MINUTE))])]
        version = "" if wanted in {LIVE, HISTORY} else wanted
        reach = _heard_reach(seen.values(), kept.ended)
        found: dict[str, BarSeries] = {}
        versions: set[str] = set()
        for name in names:
            past, choice = self._past_bars(name, since, version)
            there = None if past is None else past.pick(past.start >= midnight(self.day))
            if own:
                today = seen.get(name)
                if today is not None and there is not None:
                    today = fill_holes(today, there, *reach)
            else:
                today = there
                versions.update([choice] if today is not None else [])
            if today is None or not len(today.start):
                continue
            # the very bars that the desk was warmed up with, as far as it has kept them
            before = _warm_up_bars(self._store, name, midnight(since), midnight(self.day))
            if past is not None and not len(before.start):
                before = past.pick(past.start < midnight(self.day))
            found[name] = merge([before, today]) if len(before.start) else today
        if not found:
            of = f" of version {version}" if version else ""
            raise NothingFound(
                f"no bars{of} on {self.day}, of the desk or in the history: see patang bars list"
            )
        self._tell_lost([*self.today(found).values()])
        return found, LIVE if own else ", ".join(sorted(versions))

    def today(self, series: Mapping[str, BarSeries]) -> dict[str, BarSeries]:
        """Return the bars of the day alone."""
        return {name: bars.pick(bars.start >= midnight(self.day)) for name, bars in series.items()}

    def with_today(
        self, series: Mapping[str, BarSeries], today: Mapping[str, BarSeries]
    ) -> dict[str, BarSeries]:
        """Return the bars of before with others of the day; a symbol without them keeps its own."""
        begins = midnight(self.day)
        return {
            name: merge([bars.pick(bars.start < begins), today[name]]) if name in today else bars
            for name, bars in series.items()
        }

    def _past_bars(self, name: str, since: date, version: str) -> tuple[BarSeries | None, str]:
        try:
            # per symbol: not all of them need be in the same version
            choice = self._history.choose(name, MINUTE, version)
            read = self._history.load(
                [name],
                MINUTE,
                start=midnight(since),
                end=midnight(self.day) + DAY,
                version=choice,
                actions=actions_of(self._config),
            )
        except NothingFound:
            return None, ""
        return read.series[name], choice

    def _tell_lost(self, bars: Sequence[BarSeries]) -> None:
        session = self._calendar.session(self.day)
        lost = lost_minutes(bars, session) if session is not None else []
        if lost:
            told = ", ".join(f"{time_of_day(start)} to {time_of_day(end)}" for start, end in lost)
            self._warnings.append(
                f"no bars from {told}, of the desk or in the history: neither side decides then"
            )


def _heard_reach(bars: Iterable[BarSeries], ended: int) -> tuple[int, int]:
    """Return the first and the last start of a bar that a desk could hear until it `ended` (ns)."""
    firsts = [int(each.start[0]) for each in bars if len(each.start)]
    return min(firsts, default=ended), ended - MINUTE * SECOND


def desk_bars(config: DeskConfig, mode: str, path: Path) -> BarStore:
    """Return where the desk that wrote a database keeps its bars."""
    own = path.with_suffix(".bars")
    if own.is_dir():
        return ParquetBars(own)
    if config.store.backend != FILES:
        return local_store(config)
    return desk_store(config, bars_folder(config, mode, path))


def kept_bars(store: BarStore, day: date) -> dict[str, BarSeries]:
    """Return the bars that a desk has kept of a day, by symbol."""
    names = [
        each.symbol for each in store.contents() if each.version == LIVE and each.span == MINUTE
    ]
    found = {name: _live_bars(store, name, midnight(day), midnight(day) + DAY) for name in names}
    return {name: bars for name, bars in found.items() if len(bars.start)}


def _warm_up_bars(store: BarStore, symbol: str, start: int, end: int) -> BarSeries:
    """Return with what a desk was warmed up: its own bars of earlier days, and what it had read."""
    return merge(
        [_live_bars(store, symbol, start, end), store.columns(symbol, MINUTE, start, end, WARM_UP)]
    )


def _live_bars(store: BarStore, symbol: str, start: int, end: int) -> BarSeries:
    return store.columns(symbol, MINUTE, start, end, LIVE)
