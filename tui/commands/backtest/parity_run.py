"""Run a desk's day again as a backtest, and compare the two."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from compiled.model.order_terms import ExitEscalation
from compiled.model.values import SECOND
from compiled.trading.strategy import Strategy
from compiled.venue.slippage import FixedTicks
from engine.backtest import run_identity
from engine.backtest.backtest_run import BacktestRun, RunSettings
from engine.backtest.parity.attribution import DayParity, compare_days
from engine.backtest.parity.backtested_day import backtest_day_of
from engine.backtest.parity.difference_causes import CAUSES, LOOKS_BACK
from engine.backtest.parity.parity_curves import ParityCurves, parity_curves
from engine.backtest.run_bars import BarVersions, replay_bars, span_for
from engine.backtest.traded_market import instruments_of, market_of
from engine.config.disk_places import desk_paths
from engine.config.risk_limits import configured_limits
from engine.config.schema import DeskConfig
from engine.day.opening import DAY_SPAN, DAYS_BACK
from engine.errors import NothingFound
from engine.history.bar_series import BarSeries, merge
from engine.manual.day_limits import limit_event
from engine.market import charges
from engine.market.calendar import DAY, midnight
from engine.ports import BarStore
from store.backtest_results import ParityDay
from store.bars.bar_writer import WARM_UP
from store.bars.parquet_bars import ParquetBars
from store.bars.registry import FILES
from store.journal_day import KeptDay, kept_day, last_day
from strategies import build
from tui.run.bar_stores import history_store as shelf
from tui.run.bar_stores import local_store
from tui.run.run_records import bars_folder, database_of_day, latest_database
from tui.run.settings import (
    actions_of,
    calendar_of,
    listed_on,
    settings_of,
    strategies_of,
    with_derivatives,
)

MINUTE: Final = 60
LIVE: Final = "live"
HISTORY: Final = "history"
ONE_DAY: Final = timedelta(days=1)


class ParityRequest(NamedTuple):
    """Request for parity: empty texts are the configured mode and its last run's last day.

    `bars` is `live` (those the desk saw), `history` (those a backtest reads) or a version of the
    history.
    """

    mode: str
    day: date | None = None
    database: Path | None = None
    bars: str = LIVE
    folder: Path | None = None


class ParityResult(NamedTuple):
    """Result of parity; `bars` names those the backtest read, `warnings` are about it."""

    mode: str
    day: date
    database: Path
    bars: str
    parity: DayParity
    curves: ParityCurves
    warnings: list[str]


def parity_row(result: ParityResult) -> ParityDay:
    """Return a comparison as the store keeps it."""
    found, made = result.parity, result.curves
    # a cause that is added needs a column, and would not unpack here
    data, timing, fill, cost, operator, broker, code, unexplained = (
        found.causes[name] for name in CAUSES
    )
    return ParityDay(
        result.mode,
        str(result.day),
        percent=found.percent,
        same=found.matched.same,
        decisions=len(found.matched.decisions),
        desk=found.desk,
        backtest=found.backtest,
        data=data,
        timing=timing,
        fill=fill,
        cost=cost,
        operator=operator,
        broker=broker,
        code=code,
        unexplained=unexplained,
        correlation=made.correlation,
        distance=made.distance,
        bars=result.bars,
        database=str(result.database),
    )


@final
class ParityRun:
    """One day from the journal to the comparison."""

    def __init__(self, config: DeskConfig, request: ParityRequest) -> None:
        self._config = config
        self._request = request
        self._calendar = calendar_of(config)
        self._warnings: list[str] = []

    def execute(self) -> ParityResult:
        """Read, run and compare; raise `PatangError` for whatever is not right."""
        request, config = self._request, self._config
        path = request.database or (
            latest_database(config, request.mode)
            if request.day is None
            else database_of_day(config, request.mode, request.day)
        )
        day = request.day or last_day(path)
        store = desk_bars(config, request.mode, path)
        # the journal values what is still held by these
        seen = kept_bars(store, day)
        kept = kept_day(path, day, seen)
        if kept.carried:
            self._warnings.append(f"held from days before, and left out: {', '.join(kept.carried)}")
        ran = (
            kept.ran[0]
            if kept.ran
            else settings_of(config, strategies_of(config), config.feed.watch)
        )
        if not kept.ran:
            self._warnings.append(
                "the journal does not say with what the desk ran: the configuration is taken"
            )
        strategies = {name: build(name, table) for name, table in ran["strategies"].items()}
        series, version = self._backtest_series(store, seen, ran, strategies.values(), day)
        backtest = self._run_backtest(kept, ran, strategies, series, day)
        today = {name: bars.pick(bars.start >= midnight(day)) for name, bars in series.items()}
        done = backtest_day_of(
            backtest,
            today,
            self._known_differences(kept.ran, ran, strategies),
            cold=_cold_until(backtest, kept.opened, strategies.values()),
        )
        parity = compare_days(kept.day, done)
        return ParityResult(
            request.mode,
            day,
            database=path,
            bars=version,
            parity=parity,
            curves=parity_curves(kept.day, done),
            warnings=self._warnings,
        )

    def _backtest_series(
        self,
        store: BarStore,
        seen: Mapping[str, BarSeries],
        ran: Mapping[str, Any],
        strategies: Iterable[Strategy],
        day: date,
    ) -> tuple[dict[str, BarSeries], str]:
        """Return the backtest's bars with those before, by symbol in the desk's order."""
        spans = {each.span for each in strategies}
        span_for([MINUTE], 0, spans)
        since = (
            day - timedelta(days=DAYS_BACK)
            if DAY_SPAN in spans
            else self._calendar.latest_trading_day(day - ONE_DAY)
        )
        history = BarVersions(shelf(self._config, self._request.folder), self._history_folder)
        wanted = self._request.bars
        own = wanted == LIVE and bool(seen)
        if wanted == LIVE and not seen:
            self._warnings.append(
                "the desk has kept no bars of that day: those of the history are read"
            )
        # in the order of the desk, which decides between two that ask at the same moment
        names = [*dict.fromkeys([*ran["watch"], *(seen or history.symbols(MINUTE))])]
        version = "" if wanted in {LIVE, HISTORY} else wanted
        found: dict[str, BarSeries] = {}
        versions: set[str] = set()
        for name in names:
            try:
                # per symbol: not all of them need be in the same version
                choice = history.choose(name, MINUTE, version)
                past = history.load(
                    [name],
                    MINUTE,
                    start=midnight(since),
                    end=midnight(day) + DAY,
                    version=choice,
                    actions=actions_of(self._config),
                ).series[name]
            except NothingFound:
                past = None
            # the very bars that the desk was warmed up with, as far as it has kept them
            before = _warm_up_bars(store, name, midnight(since), midnight(day))
            if own:
                today = seen.get(name)
            else:
                today = None if past is None else past.pick(past.start >= midnight(day))
                versions.update([choice] if today is not None else [])
            if today is None or not len(today.start):
                continue
            if past is not None and not len(before.start):
                before = past.pick(past.start < midnight(day))
            found[name] = merge([before, today]) if len(before.start) else today
        if not found:
            of = f" of version {version}" if version else ""
            raise NothingFound(
                f"no bars{of} on {day}, of the desk or in the history: see patang bars list"
            )
        return found, LIVE if own else ", ".join(sorted(versions))

    def _run_backtest(
        self,
        kept: KeptDay,
        ran: Mapping[str, Any],
        strategies: Mapping[str, Strategy],
        series: Mapping[str, BarSeries],
        day: date,
    ) -> BacktestRun:
        config = self._config
        instruments = instruments_of(series, listed_on(config, "NSE", day), day)
        early = int(ran["square_off_before_s"] * SECOND)
        market = market_of(
            instruments,
            [day],
            calendar=self._calendar,
            table=charges.load_rate_table(),
            derivatives=with_derivatives(config, day),
            early=early,
        )
        limits = configured_limits(config.risk, config.feed.stale_after_s)
        # as they were at the opening; a change in the day is a cause of its own
        for name, value in ran["limits"].items():
            change = limit_event(0, name, value)
            limits.set_limit(change.name, change.value)
        settings = RunSettings(
            # a journal of an older version has not written the cash down
            kept.cash or config.paper.cash * 100,
            limits,
            slippage=FixedTicks(ran["slippage_ticks"]),
            exits=ExitEscalation(*ran["exits"]),
            modifies=ran["modifies"],
            warm_up=1,
        )
        subscribed = {
            name: [str(each).upper() for each in table.get("symbols", ())]
            for name, table in ran["strategies"].items()
        }
        backtest = BacktestRun(
            list(strategies.values()),
            subscribed,
            # a desk that was opened at noon has asked for nothing before
            bars=replay_bars(series, market, kept.opened),
            span=MINUTE,
            market=market,
            calendar=self._calendar,
            settings=settings,
        )
        if not backtest.warmed_sessions:
            self._warnings.append(
                "no bars of the session before: the backtest's strategies begin with nothing"
            )
        backtest.keep_decisions()
        backtest.run()
        for failure in backtest.failures:
            self._warnings.append(f"in the backtest {failure.strategy} failed: {failure.error}")
        return backtest

    def _known_differences(
        self,
        opened: Sequence[Mapping[str, Any]],
        ran: Mapping[str, Any],
        strategies: Mapping[str, Strategy],
    ) -> dict[str, str]:
        """Return each strategy's known differences from the desk, the core's as a warning."""
        # a remark only: what of it changes a decision, nobody can tell from here
        if opened and opened[0]["code"] != run_identity.code_hash():
            self._warnings.append("the desk ran with another version of the core")
        found: dict[str, str] = {}
        for name, strategy in strategies.items():
            if opened and opened[0]["sources"].get(name) != run_identity.source_hash(strategy):
                found[name] = "the strategy's source is another than the desk's"
            # started again in the day, it may have gone on with other parameters
            for later in opened[1:]:
                if later["strategies"].get(name) != ran["strategies"][name]:
                    found[name] = "the desk was started again with other parameters"
        return found

    @property
    def _history_folder(self) -> Path:
        return self._request.folder or desk_paths(self._config, os.environ).history


def _cold_until(backtest: BacktestRun, opened: int, strategies: Iterable[Strategy]) -> int:
    """Return until when (ns) strategies lack the history a backtest had none of.

    The desk has heard them since `opened` (ns). As many bars as a difference is felt for.
    """
    if backtest.warmed_sessions:
        return 0
    begun = max(int(backtest.opens[0]), opened)
    return begun + LOOKS_BACK * max(int(each.span) for each in strategies) * SECOND


def desk_bars(config: DeskConfig, mode: str, path: Path) -> BarStore:
    """Return where the desk that wrote a database keeps its bars."""
    own = path.with_suffix(".bars")
    if own.is_dir():
        return ParquetBars(own)
    if config.store.backend != FILES:
        return local_store(config)
    return ParquetBars(bars_folder(config, mode, path))


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
