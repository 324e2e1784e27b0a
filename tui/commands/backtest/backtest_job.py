"""Backtest of a configuration: its making, its run, its result."""

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, final

import msgspec
import numpy as np

from compiled.model.values import SECOND, Instrument
from compiled.trading.strategy import Strategy
from compiled.venue.slippage import Slippage
from engine.backtest.backtest_run import BacktestRun, RunSettings, StrategyFailure
from engine.backtest.kept_bars import KeptBars
from engine.backtest.linter.result_linter import LinterFinding, lint_outcome, overall_verdict
from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.replayed_bars import replay_bars
from engine.backtest.results.run_reckoning import outcome_of, reckon_run
from engine.backtest.run_bars import (
    BarSource,
    BarVersions,
    days_of,
    span_for,
    unadjusted_splits,
)
from engine.backtest.run_outcome import SCHEMA, RunManifest, RunOutcome
from engine.backtest.run_ticks import ReplayTicks, tick_instruments
from engine.backtest.statistics.run_metrics import RunMetric
from engine.backtest.statistics.run_statistics import statistics
from engine.backtest.traded_market import INDEX_NAMES, TradedMarket, instruments_of, market_of
from engine.config.disk_places import desk_paths
from engine.config.risk_limits import configured_limits
from engine.config.schema import DeskConfig
from engine.day.opening import DAYS_BACK
from engine.errors import ConfigError, DataError, NothingFound
from engine.exit_codes import FAILED
from engine.history.bar_series import BarSeries
from engine.history.expected_bars import DAY_S
from engine.market.calendar import DAY, ist_day, midnight
from engine.market.charges import ChargeSource
from engine.market.corporate_actions.action_list import CorporateActions
from engine.market.instruments import INDICES
from engine.numbers import counted
from engine.texts import first_names, plain_text
from strategies import build, failure_text
from strategies.feed_bars import FeedBars
from strategies.replaced_models import (
    DataFeed,
    FeeTable,
    GuardedSlippage,
    failing,
    is_part,
    named_part,
    paper_charges,
)
from tui.commands.backtest.backtest_request import (
    BacktestRequest,
    chosen_strategies,
    latency_of,
    slippage_of,
)
from tui.commands.backtest.run_manifest import PreparedBacktest, run_manifest
from tui.commands.shared.progress_line import ProgressLine, interruptible, narrate
from tui.commands.shared.typed_values import END_OF_TIME, read_day
from tui.run.settings import (
    actions_of,
    build_remarks,
    calendar_of,
    exits_of,
    listed_on,
    with_derivatives,
)

if TYPE_CHECKING:
    from store.backtest_results import ResultStore

MINUTE_S = 60
QUARTER_SECOND = SECOND // 4
"""How much later orders are in the run that the linter asks for, ns."""
INDEX = INDICES["NIFTY"][1]
"""Index of the closes that a result is compared with, where the history has it."""
EPOCH = date(1970, 1, 1)
DAYS_LEFT_OUT = 3
"""Refusals that a result explains one by one."""


class BacktestResult(NamedTuple):
    """Result of a backtest: the outcome, its statistics, and its bars by symbol."""

    outcome: RunOutcome
    metrics: list[RunMetric]
    findings: list[LinterFinding]
    verdict: str
    series: Mapping[str, BarSeries]


class CostModels(NamedTuple):
    """Costs of fills, and all parts of the author's own by name, his feed among them."""

    charges: ChargeSource
    slippage: Slippage
    slippage_name: str
    replaced: dict[str, object]


class StrategyFailed(DataError):
    """A strategy raised: there is no result."""

    exit_code = FAILED


@final
class BacktestJob:
    """A backtest from its data to its result."""

    def __init__(self, config: DeskConfig, request: BacktestRequest) -> None:
        self.config = config
        self.request = request
        self.tables = chosen_strategies(config, request)
        self.was_stopped = False
        self.folder = request.folder or desk_paths(config, os.environ).history
        self._versions: BarVersions | None = None
        self._feed: DataFeed | None = None

    @property
    def name(self) -> str:
        """Return the strategies' name."""
        return ", ".join(table.name for table in self.tables)

    @cached_property
    def actions(self) -> CorporateActions | None:
        """Return the list of corporate actions, None where none is configured."""
        return actions_of(self.config)

    @property
    def versions(self) -> BarVersions:
        """Return what the history has."""
        if self._versions is None:
            # looked up once: the list of an archive costs a look over the network
            self._versions = BarVersions(self._bar_source(), self.folder, self._kept_bars())
        return self._versions

    def _bar_source(self) -> BarSource:
        if not self.request.feed:
            # the workers of a sweep have their bars, and need none of its libraries
            from tui.run.bar_stores import history_store

            return history_store(self.config, self.request.folder)
        if self.request.folder is not None or self.request.bars:
            raise ConfigError("--feed brings the bars: without --folder and --bars")
        self._feed = named_part("feed", self.request.feed, DataFeed)
        return FeedBars(self._feed)

    def _kept_bars(self) -> KeptBars | None:
        megabytes = self.config.store.cache_mb
        folder = desk_paths(self.config, os.environ).state / "packed-bars"
        return KeptBars(folder, megabytes * 1_000_000) if megabytes else None

    def strategies(self) -> list[Strategy]:
        """Return the strategies, made anew; raise `ConfigError`."""
        return [build(table.name, table.parameters) for table in self.tables]

    def plan_text(self) -> str:
        """Return what would run, in a line; raise `PatangError` for whatever is not right."""
        strategies = self.strategies()
        since, until = self._days_asked_for()
        days = f"{since or 'the first bar'} to {until or 'the last'}"
        if self.request.ticks:
            return f"{self.name} on ticks, {days}"
        span = self.bar_span(strategies)
        symbols = self._traded_symbols(span)
        return f"{self.name} on {counted(len(symbols), 'symbol')}, bars of {span} s, {days}"

    def execute(self) -> BacktestResult:
        """Read, run and reckon; raise `PatangError` for whatever is not right."""
        strategies = self.strategies()
        prepared = self.prepare(strategies)
        return self.run_prepared(prepared, strategies)

    def run_prepared(
        self, prepared: PreparedBacktest, strategies: Sequence[Strategy]
    ) -> BacktestResult:
        """Run and reckon on bars that are ready; raise `PatangError`."""
        return self._run_result(prepared, strategies, self.make_backtest(prepared, strategies))

    def prepare(self, strategies: Sequence[Strategy]) -> PreparedBacktest:
        """Return the bars, their market and the settings of a run; raise `PatangError`."""
        if self.request.ticks:
            return self._prepare_ticks(max(each.span for each in strategies))
        span = self.bar_span(strategies)
        return self.prepare_loaded(self.load_bars(span), span)

    def load_bars(self, span: int) -> LoadedBars:
        """Return the bars of the days asked for, warm-up included; raise `PatangError`."""
        symbols = self._traded_symbols(span)
        for remark in build_remarks(self.tables):
            narrate(remark)
        # the reading may take longer than the run
        narrate(f"{self.name} on {counted(len(symbols), 'symbol')}, bars of {span} s: reading")
        begin, end = self._loaded_period(span)
        return self.versions.load(
            symbols,
            span,
            start=begin,
            end=end,
            version=self.request.bars,
            actions=self.actions,
        )

    def _days_asked_for(self) -> tuple[date | None, date | None]:
        since = read_day(self.request.first) if self.request.first else None
        until = read_day(self.request.last) if self.request.last else None
        if since and until and since > until:
            raise ConfigError(f"--from {since} is after --to {until}")
        return since, until

    def _loaded_period(self, span: int) -> tuple[int, int]:
        """Return what is read, [start, end) ns UTC: the days asked for, and those before them."""
        since, until = self._days_asked_for()
        back = self._days_before(span)
        # times before 1970 would be negative
        begin = midnight(max(since, EPOCH + back) - back) if since else 0
        return begin, min(midnight(until) + DAY, END_OF_TIME) if until else END_OF_TIME

    def _days_before(self, span: int) -> timedelta:
        """Return how long before the first day bars are read that only warm up."""
        # twice the sessions and a week and a half: weekends and a row of holidays lie between them
        return timedelta(
            days=DAYS_BACK if span >= DAY_S else max(21, 2 * self.request.warm_up + 11)
        )

    def cut_bars(self, loaded: LoadedBars, span: int) -> LoadedBars:
        """Return of bars those that `load_bars` returns for these days, without what was said."""
        begin, end = self._loaded_period(span)
        series = {
            symbol: bars.pick(slice(*np.searchsorted(bars.start, [begin, end]).tolist()))
            for symbol, bars in loaded.series.items()
        }
        kept = {symbol: bars for symbol, bars in series.items() if len(bars.start)}
        return loaded._replace(series=kept, warnings=[])

    def prepare_loaded(self, loaded: LoadedBars, span: int) -> PreparedBacktest:
        """Return the market and the settings of a run on bars; raise `PatangError`."""
        config = self.config
        since, until = self._days_asked_for()
        last = until or max(ist_day(int(bars.start[-1])) for bars in loaded.series.values())
        first = since or min(ist_day(int(bars.start[0])) for bars in loaded.series.values())
        days = days_of(loaded.series.values(), first, last)
        if not days:
            raise NothingFound(f"no bars from {first} to {last}: see patang bars list")
        # adjusted prices stand on no grid, and tell nothing of the tick
        adjusted = [symbol for symbol, each in loaded.manifests.items() if each.adjusted]
        instruments = instruments_of(
            loaded.series,
            listed_on(config, "NSE", last),
            last,
            adjusted=adjusted,
            grids=loaded.grids,
        )
        named = {table.name: table.symbols for table in self.tables}
        cost = self.cost_models()
        market = self._market_of(instruments, days, last, cost.charges, loaded, span)
        loaded.warnings.extend(self._universe_remarks(loaded, first, last))
        return self._run_terms(named, loaded, span, market, cost)

    def _market_of(
        self,
        instruments: Mapping[str, Instrument],
        days: Sequence[date],
        last: date,
        table: ChargeSource,
        loaded: LoadedBars,
        span: int,
    ) -> TradedMarket:
        """Return the market of some days, as known on the `last`; what is left out is warned of."""
        config = self.config
        market = market_of(
            instruments,
            days,
            calendar=calendar_of(config),
            table=table,
            derivatives=with_derivatives(config, last),
            early=int(config.risk.square_off_before_s * SECOND),
            span=span,
        )
        for day, why in list(market.left.items())[:DAYS_LEFT_OUT]:
            loaded.warnings.append(f"{day} is left out: {why}")
        if len(market.left) > DAYS_LEFT_OUT:
            loaded.warnings.append(f"{len(market.left) - DAYS_LEFT_OUT} more days are left out")
        return market

    def _run_terms(
        self,
        named: dict[str, tuple[str, ...]],
        loaded: LoadedBars,
        span: int,
        market: TradedMarket,
        cost: CostModels,
    ) -> PreparedBacktest:
        """Return what a run takes besides its ticks, on the configured terms."""
        config, request = self.config, self.request
        settings = RunSettings(
            (request.cash or config.paper.cash) * 100,
            configured_limits(config.risk, config.feed.stale_after_s),
            slippage=cost.slippage,
            exits=exits_of(config),
            modifies=config.governor.modifies_per_order,
            warm_up=request.warm_up,
            members=request.universe.times([*market.instruments]) if request.universe else {},
        )
        return PreparedBacktest(
            named,
            loaded,
            span=span,
            market=market,
            calendar=calendar_of(config),
            settings=settings,
            slippage=cost.slippage_name,
            between=self._loaded_period(span),
            replaced=cost.replaced,
        )

    def _universe_remarks(self, loaded: LoadedBars, first: date, last: date) -> Iterator[str]:
        universe = self.request.universe
        if universe is not None:
            missing = [each for each in universe.on_days(first, last) if each not in loaded.series]
            if missing:
                yield f"of {universe.name} without bars, and left out: {first_names(missing)}"

    def cost_models(self) -> CostModels:
        """Return what fills cost; raise `ConfigError`."""
        asked, paper, replaced = self.request, self.config.paper, dict[str, object]()
        fees = asked.fees or paper.fees
        table = paper_charges(fees, failing(f"fees {fees}"))
        if isinstance(table, FeeTable):
            replaced["fees"] = table.model
        slippage, name = slippage_of(asked.slippage or paper.slippage, paper.slippage_ticks)
        if is_part(name):
            replaced["slippage"] = slippage
            slippage = GuardedSlippage(slippage, Slippage(), failing(f"slippage {name}"))
        if self._feed is not None:
            replaced["feed"] = self._feed
        return CostModels(table, slippage, name, replaced)

    def _prepare_ticks(self, longest: int) -> PreparedBacktest:
        """Return the ticks of the days asked for, their market and the settings of a run.

        `longest` is the longest span of bars (seconds) that a strategy hears.
        """
        # Arrow, ssl and the brokers' side come with it: the workers of a sweep do without
        from tui.commands.backtest.tick_days import made_up_days, rates_of, tick_days

        config, request = self.config, self.request
        latency, text = latency_of(request, config.paper.latency_ms)
        wanted = self._named_symbols() if all(t.symbols for t in self.tables) else request.symbols
        for remark in build_remarks(self.tables):
            narrate(remark)
        narrate(f"{self.name} on ticks: looking for them")
        days = tick_days(config, self.folder, request.bars, wanted, *self._days_asked_for())
        instruments = tick_instruments(days)
        strange = [each for each in request.symbols if each not in instruments]
        if strange and not request.universe:
            raise NothingFound(f"no ticks of {first_names(strange)} in these days")
        loaded = self._warm_up_bars([*instruments], days[0].day, longest)
        if missing := [each for each in wanted if each not in instruments]:
            loaded.warnings.append(f"without ticks, and left out: {first_names(missing)}")
        if made_up := made_up_days(days):
            loaded.warnings.append(
                f"of the desk's own market, not the real one: {first_names(made_up)}; see --bars"
            )
        cost = self.cost_models()
        traded = [each.day for each in days]
        market = self._market_of(instruments, traded, traded[-1], cost.charges, loaded, 0)
        # in the order of the instruments, as a desk subscribes its strategies
        named = {
            table.name: tuple(
                symbol
                for symbol, each in instruments.items()
                if (symbol in table.symbols if table.symbols else each.kind != "INDEX")
            )
            for table in self.tables
        }
        prepared = self._run_terms(named, loaded, MINUTE_S, market, cost)
        return prepared._replace(
            settings=prepared.settings._replace(latency=latency),
            ticks=ReplayTicks(days, loaded.series, latency.feed, rates_of(config)),
            latency=text,
        )

    def _warm_up_bars(self, symbols: Sequence[str], first: date, longest: int) -> LoadedBars:
        """Return minutes of before the first day, of what the history has some of."""
        there = {*self.versions.symbols(MINUTE_S)} if self.request.warm_up else set()
        warned: list[str] = []
        if missing := [each for each in symbols if there and each not in there]:
            warned.append(f"no warm-up bars of {first_names(missing)}")
        try:
            loaded = self.versions.load(
                [each for each in symbols if each in there],
                MINUTE_S,
                start=midnight(first - self._days_before(longest)),
                end=midnight(first),
                version="",
                actions=self.actions,
            )
        except NothingFound:
            return LoadedBars({}, {}, warned)
        return loaded._replace(warnings=warned + loaded.warnings)

    def bar_span(self, strategies: Sequence[Strategy]) -> int:
        """Return the length of the replayed bars; raise `ConfigError` where there are none."""
        # a span that is asked for needs no look at what the symbols have
        named = () if self.request.span else self._named_symbols()
        spans = self.versions.spans(named, self.request.bars) or self.versions.spans()
        return span_for(spans, self.request.span, [each.span for each in strategies])

    def _named_symbols(self) -> tuple[str, ...]:
        """Return the symbols that are asked for, or else by strategies."""
        return self.request.symbols or tuple(
            dict.fromkeys(each for table in self.tables for each in table.symbols)
        )

    def _traded_symbols(self, span: int) -> list[str]:
        """Return the symbols asked for, or the strategies', or all of them but indices."""
        there = self.versions.symbols(span, self.request.bars)
        if not there:
            of = f" of version {self.request.bars}" if self.request.bars else ""
            raise NothingFound(f"no bars of {span} s{of} in {self.folder}: see patang bars import")
        named = self._named_symbols()
        if self.request.symbols or (named and all(table.symbols for table in self.tables)):
            strange = [each for each in named if each not in there]
            if strange and self.request.universe and len(strange) < len(named):
                # of what has left an index long ago there may be no bars: the check of bias says so
                return [each for each in named if each in there]
            if strange:
                raise NothingFound(
                    f"no bars of {first_names(strange)} of {span} s: see patang bars list"
                )
            return list(named)
        # an index cannot be bought
        return [each for each in there if each in named or each not in INDEX_NAMES]

    def make_backtest(
        self, prepared: PreparedBacktest, strategies: Sequence[Strategy], *, tell: bool = True
    ) -> BacktestRun:
        """Return a run that is about to begin, what it lacks among the warnings of its bars."""
        loaded = prepared.loaded
        backtest = BacktestRun(
            strategies,
            prepared.symbols,
            bars=prepared.ticks or replay_bars(loaded.series, prepared.market, known=loaded),
            span=prepared.span,
            market=prepared.market,
            calendar=prepared.calendar,
            settings=prepared.settings,
        )
        if not tell:
            return backtest
        if backtest.dropped_bars:
            loaded.warnings.append(
                f"{backtest.dropped_bars:,} bars outside the sessions of their days are left out"
            )
        if not backtest.warmed_sessions:
            loaded.warnings.append(
                "no warm-up: the history begins with the first session, and indicators with nothing"
            )
        return backtest

    def _run_result(
        self, prepared: PreparedBacktest, strategies: Sequence[Strategy], backtest: BacktestRun
    ) -> BacktestResult:
        begun = time.perf_counter()
        whole = self._run_with_progress(backtest)
        seconds = time.perf_counter() - begun
        # half the trades of a strategy that fell are no result of it
        if failures := backtest.failures:
            raise strategy_failure(failures)
        prepared.loaded.warnings.extend(backtest.passage.remarks)
        # Of bars it is told when they are loaded; ticks are known when they have been played.
        if prepared.ticks is not None:
            prepared.loaded.warnings.extend(unadjusted_splits(backtest.series))
        came_to = reckon_run(backtest, self._index_bars(prepared.span))
        if kept := came_to.over_night:
            why = "intraday, and held over night for want of a bar to leave with"
            prepared.loaded.warnings.append(f"{why}: {first_names(kept)}")
        outcome = outcome_of(
            backtest,
            came_to,
            self.make_manifest(prepared, strategies, backtest, seconds, whole=whole),
        )
        delayed = self._delayed_net(prepared) if whole and outcome.net > 0 else None
        metrics = statistics(outcome)
        ticks = {symbol: float(each.tick) for symbol, each in backtest.market.instruments.items()}
        findings = lint_outcome(
            outcome, metrics, backtest.passage.met_series, ticks, delayed=delayed
        )
        return BacktestResult(
            outcome, metrics, findings, overall_verdict(findings), backtest.series
        )

    def _delayed_net(self, prepared: PreparedBacktest) -> int | None:
        """Return the net (paise) of a run on ticks with every order a quarter of a second later.

        It is None on bars, and where it was stopped.
        """
        if prepared.ticks is None:
            return None
        narrate("again, with every order 250 ms later")
        settings = prepared.settings
        latency = settings.latency._replace(later=QUARTER_SECOND)
        # a model of the author's own may remember what it was asked
        settings = settings._replace(latency=latency, slippage=self.cost_models().slippage)
        later = prepared._replace(settings=settings)
        backtest = self.make_backtest(later, self.strategies(), tell=False)
        if not self._run_with_progress(backtest):
            return None
        return int(reckon_run(backtest).account.daily.equity[-1]) - settings.cash

    def _index_bars(self, span: int) -> BarSeries | None:
        """Return the bars of the index that results are compared with, None without any."""
        for length in dict.fromkeys((span, MINUTE_S, DAY_S)):
            # the nearest length first: daily closes are enough for a comparison
            if INDEX in self.versions.symbols(length):
                return self.versions.load(
                    [INDEX], length, start=0, end=END_OF_TIME, version="", actions=None
                ).series[INDEX]
        return None

    def _run_with_progress(self, backtest: BacktestRun) -> bool:
        """Run it with a progress line; the first ctrl-c ends it in order, and its part counts."""
        line = ProgressLine(backtest.bars, "messages" if self.request.ticks else "bars")
        with interruptible() as interruption:
            try:
                return backtest.run(
                    lambda done, _all: (
                        line.show_progress(max(done, 1)) and not interruption.has_come
                    )
                )
            finally:
                line.close()
                self.was_stopped = interruption.has_come

    def make_manifest(
        self,
        prepared: PreparedBacktest,
        strategies: Sequence[Strategy],
        backtest: BacktestRun,
        seconds: float,
        *,
        whole: bool,
    ) -> RunManifest:
        """Return all that decided a run which took some seconds; `whole`: to its last session."""
        return run_manifest(
            self.config,
            self.request,
            self.tables,
            prepared,
            strategies=strategies,
            backtest=backtest,
            seconds=seconds,
            whole=whole,
        )


def strategy_failure(failures: Sequence[StrategyFailure]) -> BaseException:
    """Print the tracebacks of failed strategies; return the error to raise.

    It is `StrategyFailed`, or what ctrl-c did.
    """
    # ctrl-c came while the strategy was running: it is none of its faults
    if isinstance(failures[0].error, KeyboardInterrupt):
        return failures[0].error
    for each in failures:
        lines = "".join(traceback.format_exception(each.error)).splitlines()
        sys.stderr.writelines(f"{plain_text(line)}\n" for line in lines)
    first = failures[0]
    return StrategyFailed(
        f"strategy {first.strategy} failed, and there is no result: {failure_text(first.error)}"
    )


def results_of(config: DeskConfig) -> "ResultStore":
    """Return where results are kept."""
    from store.backtest_results import ResultStore

    return ResultStore(desk_paths(config, os.environ).state / "results.db")


def result_json(
    outcome: RunOutcome,
    metrics: Sequence[RunMetric],
    findings: Sequence[LinterFinding],
    more: Mapping[str, object],
) -> str:
    """Return a result and `more` as one line of JSON, without its days and round trips."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "run": outcome.manifest.run,
            "verdict": overall_verdict(findings),
            "metrics": {each.key: each.value for each in metrics},
            "costs": dict(outcome.costs),
            "refused": dict(outcome.refused),
            "findings": [each._asdict() for each in findings],
            "manifest": msgspec.to_builtins(outcome.manifest),
            **more,
        }
    )
