"""Make a backtest of a configuration, run it, and say what came of it; where the rooms below meet."""

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, final

import msgspec

from compiled.model import SECOND
from compiled.strategy import Strategy
from engine.backtest import identity
from engine.backtest.bars import BarVersions, LoadedBars, days_of, span_for
from engine.backtest.linter import Finding, lint, verdict
from engine.backtest.market import INDEX_NAMES, TradedMarket, instruments_of, market_of
from engine.backtest.metrics import Metric
from engine.backtest.outcome import SCHEMA, Manifest, Outcome
from engine.backtest.reckoning import outcome_of, reckon
from engine.backtest.run import Backtest, Failure, RunSettings
from engine.backtest.statistics import statistics
from engine.config import Config, paths
from engine.errors import ConfigError, DataError, NothingFound
from engine.history.expected import DAY_S
from engine.history.series import BarSeries
from engine.market import charges
from engine.market.actions import Actions
from engine.market.calendar import DAY, Calendar, ist_day, midnight
from engine.market.instruments import INDICES
from engine.numbers import counted
from engine.texts import first_of, plain
from engine.trading.limits import current
from engine.trading.opening import DAYS_BACK
from store.results import ResultStore
from strategies import build, told
from tui.backtest_request import BacktestRequest, chosen_strategies, slippage_of
from tui.bars_shared import END_OF_TIME
from tui.configured import (
    actions_of,
    calendar_of,
    exits_of,
    limits_of,
    listed_on,
    with_derivatives,
)
from tui.market_commands import a_day
from tui.progress import ProgressLine, interruptible, narrate
from tui.shelves import history

MINUTE_S = 60
INDEX = INDICES["NIFTY"][1]
"""Whose closes a result is compared with, where the history has them."""
EPOCH = date(1970, 1, 1)
DAYS_LEFT_OUT = 3
"""Of which a result says why, one by one."""


class BacktestResult(NamedTuple):
    """What came of it: the outcome, what is made of it, and the bars it was made of by symbol."""

    outcome: Outcome
    metrics: list[Metric]
    findings: list[Finding]
    verdict: str
    series: Mapping[str, BarSeries]


class Prepared(NamedTuple):
    """What a run is made of besides its strategies: `symbols` of each, bars, market and settings; `between` are ns UTC."""

    symbols: dict[str, tuple[str, ...]]
    loaded: LoadedBars
    span: int
    market: TradedMarket
    calendar: Calendar
    settings: RunSettings
    slippage: str
    actions: Actions | None
    between: tuple[int, int]


class StrategyFailed(DataError):
    """A strategy raised: there is no result."""

    exit_code = 1


@final
class Running:
    """A backtest from its data to its result."""

    def __init__(self, config: Config, request: BacktestRequest) -> None:
        self.config = config
        self.request = request
        self.tables = chosen_strategies(config, request)
        self.stopped = False
        self.folder = request.folder or paths(config, os.environ).history
        self._versions: BarVersions | None = None

    @property
    def name(self) -> str:
        """Return whose strategies these are."""
        return ", ".join(table.name for table in self.tables)

    @property
    def versions(self) -> BarVersions:
        """Return what the history has."""
        if self._versions is None:
            self._versions = BarVersions(history(self.config, self.request.folder), self.folder)
        return self._versions

    def strategies(self) -> list[Strategy]:
        """Return the strategies, made anew; raise `ConfigError`."""
        return [build(table.name, table.parameters) for table in self.tables]

    def execute(self) -> BacktestResult:
        """Read, run and reckon; raise `PatangError` for whatever is not right."""
        strategies = self.strategies()
        prepared = self.read(strategies)
        return self._result(prepared, strategies, self._made(prepared, strategies))

    def read(self, strategies: Sequence[Strategy]) -> Prepared:
        """Return the bars, their market and the settings of a run; raise `PatangError` for whatever is not right."""
        config, request = self.config, self.request
        span = self._span(strategies)
        symbols = self._symbols(span)
        narrate(f"{self.name} on {counted(len(symbols), 'symbol')}, bars of {span} s: reading")
        since = a_day(request.first) if request.first else None
        until = a_day(request.last) if request.last else None
        if since and until and since > until:
            raise ConfigError(f"--from {since} is after --to {until}")
        actions = actions_of(config)
        back = timedelta(days=DAYS_BACK if span >= DAY_S else max(21, 2 * request.warm_up + 11))
        begin = midnight(max(since, EPOCH + back) - back) if since else 0
        end = min(midnight(until) + DAY, END_OF_TIME) if until else END_OF_TIME
        loaded = self.versions.load(symbols, span, begin, end, request.bars, actions)
        last = until or max(ist_day(int(bars.start[-1])) for bars in loaded.series.values())
        first = since or min(ist_day(int(bars.start[0])) for bars in loaded.series.values())
        days = days_of(loaded.series.values(), first, last)
        if not days:
            raise NothingFound(f"no bars from {first} to {last}: see patang bars list")
        adjusted = [symbol for symbol, each in loaded.manifests.items() if each.adjusted]
        instruments = instruments_of(loaded.series, listed_on(config, "NSE", last), last, adjusted=adjusted)
        calendar, early = calendar_of(config), int(config.risk.square_off_before_s * SECOND)
        market = market_of(instruments, days, calendar, charges.load(), with_derivatives(config, last), early, span)
        for day, why in list(market.left.items())[:DAYS_LEFT_OUT]:
            loaded.warnings.append(f"{day} is left out: {why}")
        if len(market.left) > DAYS_LEFT_OUT:
            loaded.warnings.append(f"{len(market.left) - DAYS_LEFT_OUT} more days are left out")
        model, slippage = slippage_of(request.slippage, config.paper.slippage_ticks)
        cash = (request.cash or config.paper.cash) * 100
        settings = RunSettings(
            cash, limits_of(config), model, exits_of(config), config.governor.modifies_per_order, request.warm_up
        )
        named = {table.name: table.symbols for table in self.tables}
        return Prepared(named, loaded, span, market, calendar, settings, slippage, actions, (begin, end))

    def _span(self, strategies: Sequence[Strategy]) -> int:
        """Return the length of the bars that are replayed; raise `ConfigError` where no such bars are there."""
        named = () if self.request.span else self._named()
        spans = self.versions.spans(named, self.request.bars) or self.versions.spans()
        return span_for(spans, self.request.span, [each.span for each in strategies])

    def _named(self) -> tuple[str, ...]:
        """Return the symbols that are asked for, or else by strategies."""
        return self.request.symbols or tuple(dict.fromkeys(each for table in self.tables for each in table.symbols))

    def _symbols(self, span: int) -> list[str]:
        """Return the symbols that are asked for, or the strategies', or all there are but indices."""
        there = self.versions.symbols(span, self.request.bars)
        if not there:
            of = f" of version {self.request.bars}" if self.request.bars else ""
            raise NothingFound(f"no bars of {span} s{of} in {self.folder}: see patang bars import")
        named = self._named()
        if self.request.symbols or (named and all(table.symbols for table in self.tables)):
            if strange := [each for each in named if each not in there]:
                raise NothingFound(f"no bars of {first_of(strange)} of {span} s: see patang bars list")
            return list(named)
        return [each for each in there if each in named or each not in INDEX_NAMES]

    def _made(self, prepared: Prepared, strategies: Sequence[Strategy]) -> Backtest:
        loaded = prepared.loaded
        backtest = Backtest(
            strategies, prepared.symbols, loaded.series, prepared.span, prepared.market, prepared.calendar, prepared.settings
        )  # fmt: skip
        if backtest.dropped:
            loaded.warnings.append(f"{backtest.dropped:,} bars outside the sessions of their days are left out")
        if not backtest.warmed:
            loaded.warnings.append("no warm-up: the history begins with the first session, and indicators with nothing")
        return backtest

    def _result(self, prepared: Prepared, strategies: Sequence[Strategy], backtest: Backtest) -> BacktestResult:
        begun = time.perf_counter()
        whole = self._run(backtest)
        seconds = time.perf_counter() - begun
        if failures := backtest.failures:
            raise failed(failures)
        came_to = reckon(backtest, self._index(prepared.span))
        if kept := came_to.over_night:
            why = "intraday, and held over night for want of a bar to leave with"
            prepared.loaded.warnings.append(f"{why}: {first_of(kept)}")
        outcome = outcome_of(backtest, came_to, self._manifest(prepared, strategies, backtest, seconds, whole=whole))
        metrics = statistics(outcome)
        ticks = {symbol: float(each.tick) for symbol, each in backtest.market.instruments.items()}
        findings = lint(outcome, metrics, backtest.series, ticks)
        return BacktestResult(outcome, metrics, findings, verdict(findings), backtest.series)

    def _index(self, span: int) -> BarSeries | None:
        """Return the bars of the index that results are compared with, None where the history has none."""
        for length in dict.fromkeys((span, MINUTE_S, DAY_S)):
            if INDEX in self.versions.symbols(length):
                return self.versions.load([INDEX], length, 0, END_OF_TIME, "", None).series[INDEX]
        return None

    def _run(self, backtest: Backtest) -> bool:
        """Run it with a progress line; the first ctrl-c ends it in order, and what is done counts."""
        line = ProgressLine(backtest.bars)
        with interruptible() as interruption:
            try:
                return backtest.run(lambda done, _all: line.show(done) and not interruption.came)
            finally:
                line.close()
                self.stopped = interruption.came

    def _manifest(
        self, prepared: Prepared, strategies: Sequence[Strategy], backtest: Backtest, seconds: float, *, whole: bool
    ) -> Manifest:
        now, config, loaded, cash = datetime.now(UTC), self.config, prepared.loaded, prepared.settings.cash
        days = prepared.market.days[: len(backtest.notes)]
        limits = {name: int(value) for name, value in current(backtest.kernel.limits).items()}
        settings = {
            "limits": limits, "cash": cash, "slippage": prepared.slippage, "span": prepared.span, "warm_up": backtest.warmed,
            "exits": repr(config.exits), "square_off": config.risk.square_off_before_s, "modifies": config.governor.modifies_per_order,
            "confirmed": config.market.confirmed, "symbols": prepared.symbols,
        }  # fmt: skip
        return Manifest(
            run=identity.run_number(now, backtest.digest),
            made=now.isoformat(timespec="seconds"),
            name=self.name,
            strategies=identity.parameters_of((table.name, table.parameters) for table in self.tables),
            sources={each.name: identity.source_hash(each) for each in strategies},
            symbols=list(loaded.series),
            first=str(days[0]),
            last=str(days[-1]),
            span=prepared.span,
            data=loaded.manifests,
            golden=loaded.golden,
            slippage=prepared.slippage,
            config=identity.settings_hash(settings),
            code=identity.code_hash(),
            versions=identity.versions(),
            native=identity.is_native(),
            start_cash=cash,
            limits=limits,
            digest=backtest.digest,
            seconds=round(seconds, 3),
            partial=not whole,
            warnings=loaded.warnings,
            command=" ".join(["patang", *sys.argv[1:]]),
        )


def failed(failures: Sequence[Failure]) -> BaseException:
    """Print the tracebacks of strategies that have failed, and return what is to be raised: `StrategyFailed`, or what ctrl-c did."""
    if isinstance(failures[0].error, KeyboardInterrupt):
        return failures[0].error
    for each in failures:
        lines = "".join(traceback.format_exception(each.error)).splitlines()
        sys.stderr.writelines(f"{plain(line)}\n" for line in lines)
    first = failures[0]
    return StrategyFailed(f"strategy {first.strategy} failed, and there is no result: {told(first.error)}")


def results_of(config: Config) -> ResultStore:
    """Return where results are kept."""
    return ResultStore(paths(config, os.environ).state / "results.db")


def as_json(outcome: Outcome, metrics: Sequence[Metric], findings: Sequence[Finding]) -> str:
    """Return a result as one line of JSON, without its days and round trips."""
    return json.dumps({
        "schema": SCHEMA, "run": outcome.manifest.run, "verdict": verdict(findings),
        "metrics": {each.key: each.value for each in metrics}, "costs": dict(outcome.costs), "refused": dict(outcome.refused),
        "findings": [each._asdict() for each in findings], "manifest": msgspec.to_builtins(outcome.manifest),
    })  # fmt: skip
