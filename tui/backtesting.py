"""Make a backtest of a configuration, run it, and say what came of it; where the rooms below meet."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, final

from engine.config import Config, paths
from engine.errors import ConfigError, DataError, NothingFound
from engine.texts import plain
from tui.backtest_request import BacktestRequest, chosen_strategies, slippage_of

if TYPE_CHECKING:
    from compiled.strategy import Strategy
    from engine.backtest.bars import BarVersions, LoadedBars
    from engine.backtest.linter import Finding
    from engine.backtest.market import TradedMarket
    from engine.backtest.metrics import Metric
    from engine.backtest.outcome import Outcome
    from engine.backtest.run import Backtest, Failure, RunSettings
    from engine.history.series import BarSeries
    from engine.market.actions import Actions
    from engine.market.calendar import Calendar
    from engine.market.instruments import Instruments
    from store.results import ResultStore

TOLD_S = 0.2
"""Between two updates of the progress line on a terminal; ten times as long elsewhere."""
INDEX = "NIFTY 50"
"""Whose closes a result is compared with, where the history has them."""
BILLION = 1_000_000_000


class BacktestResult(NamedTuple):
    """What came of it: the outcome, what is made of it, and the bars it was made of by symbol."""

    outcome: "Outcome"
    metrics: "list[Metric]"
    findings: "list[Finding]"
    verdict: str
    series: "Mapping[str, BarSeries]"


class Prepared(NamedTuple):
    """What a run is made of besides its strategies: `symbols` of each, bars, market and settings; `between` are ns UTC."""

    symbols: dict[str, tuple[str, ...]]
    loaded: "LoadedBars"
    span: int
    market: "TradedMarket"
    calendar: "Calendar"
    settings: "RunSettings"
    actions: "Actions | None"
    between: tuple[int, int]


class StrategyFailed(DataError):
    """A strategy raised: there is no result."""

    exit_code = 1


# the run


@final
class Running:
    """A backtest from its data to its result; `say` takes lines for the operator."""

    def __init__(self, config: Config, request: BacktestRequest) -> None:
        self.config = config
        self.request = request
        self.began = time.perf_counter()
        self.stopped = False
        self.folder = request.folder or paths(config, os.environ).history
        self._versions: BarVersions | None = None

    def execute(self) -> BacktestResult:
        """Read, run and reckon; raise `PatangError` for whatever is not right."""
        from strategies import build  # noqa: PLC0415

        tables = chosen_strategies(self.config, self.request)
        strategies = [build(name, table) for name, _, table in tables]
        span = self.span(tables, strategies)
        symbols = self.symbols(tables, span)
        narrate(
            f"{', '.join(name for name, _, _ in tables)} on {counted(len(symbols), 'symbol')}, bars of {span} s: reading"
        )
        prepared = self.read(tables, symbols, span)
        backtest = self._prepare(prepared, strategies)
        return self._result(tables, strategies, backtest, prepared.loaded, prepared.market.days, span)

    def span(
        self, tables: Sequence[tuple[str, tuple[str, ...], Mapping[str, Any]]], strategies: "Sequence[Strategy]"
    ) -> int:
        """Return the length of the bars that are replayed; raise `ConfigError` where no such bars are there."""
        from engine.backtest.bars import span_for  # noqa: PLC0415

        named = () if self.request.span else self._named(tables)
        spans = self.versions.spans(named, self.request.bars) or self.versions.spans()
        return span_for(spans, self.request.span, [each.span for each in strategies])

    @property
    def versions(self) -> "BarVersions":
        """Return what the history has."""
        from engine.backtest.bars import BarVersions  # noqa: PLC0415
        from tui.shelves import history  # noqa: PLC0415

        if self._versions is None:
            self._versions = BarVersions(history(self.config, self.request.folder), self.folder)
        return self._versions

    def _named(self, tables: Sequence[tuple[str, tuple[str, ...], Mapping[str, Any]]]) -> tuple[str, ...]:
        """Return the symbols that are asked for, or else by strategies."""
        return self.request.symbols or tuple(dict.fromkeys(each for _, symbols, _ in tables for each in symbols))

    def symbols(self, tables: Sequence[tuple[str, tuple[str, ...], Mapping[str, Any]]], span: int) -> list[str]:
        """Return the symbols that are asked for, or the strategies', or all there are but indices."""
        from engine.backtest.market import INDEX_NAMES  # noqa: PLC0415

        there = self.versions.symbols(span, self.request.bars)
        if not there:
            of = f" of version {self.request.bars}" if self.request.bars else ""
            raise NothingFound(f"no bars of {span} s{of} in {self.folder}: see patang bars import")
        named = self._named(tables)
        every = all(symbols for _, symbols, _ in tables)
        if self.request.symbols or (named and every):
            if strange := [each for each in named if each not in there]:
                raise NothingFound(f"no bars of {', '.join(strange[:5])} of {span} s: see patang bars list")
            return list(named)
        return [each for each in there if each in named or each not in INDEX_NAMES]

    def read(
        self, tables: Sequence[tuple[str, tuple[str, ...], Mapping[str, Any]]], symbols: Sequence[str], span: int
    ) -> Prepared:
        """Return the bars, their market and the settings of a run; raise `PatangError` for whatever is not right."""
        from engine.backtest.bars import days_of  # noqa: PLC0415
        from engine.backtest.market import instruments_of, market_of  # noqa: PLC0415
        from engine.backtest.run import RunSettings  # noqa: PLC0415
        from engine.market import charges  # noqa: PLC0415
        from engine.market.actions import Actions  # noqa: PLC0415
        from engine.market.calendar import DAY, ist_day, midnight  # noqa: PLC0415
        from engine.trading.opening import DAYS_BACK  # noqa: PLC0415
        from tui.bars_shared import END_OF_TIME  # noqa: PLC0415
        from tui.configured import calendar_of, exits_of, limits_of  # noqa: PLC0415
        from tui.market_commands import a_day  # noqa: PLC0415

        config, request = self.config, self.request
        since = a_day(request.first) if request.first else None
        until = a_day(request.last) if request.last else None
        if since and until and since > until:
            raise ConfigError(f"--from {since} is after --to {until}")
        actions = (
            Actions.load(Path(config.desk.corporate_actions).expanduser()) if config.desk.corporate_actions else None
        )
        back = timedelta(days=DAYS_BACK if span >= 86_400 else max(21, 2 * request.warm_up + 11))
        begin = midnight(max(since, date(1970, 1, 1) + back) - back) if since else 0
        end = min(midnight(until) + DAY, END_OF_TIME) if until else END_OF_TIME
        loaded = self.versions.load(symbols, span, begin, end, request.bars, actions)
        last = until or max(ist_day(int(bars.start[-1])) for bars in loaded.series.values())
        first = since or min(ist_day(int(bars.start[0])) for bars in loaded.series.values())
        days = days_of(loaded.series.values(), first, last)
        if not days:
            raise NothingFound(f"no bars from {first} to {last}: see patang bars list")
        adjusted = [symbol for symbol, each in loaded.manifests.items() if each.adjusted]
        instruments = instruments_of(loaded.series, listed_on(config, "NSE", last), last, adjusted=adjusted)
        contracts = listed_on(config, "NFO", last)
        early = int(config.risk.square_off_before_s * BILLION)
        calendar, shares = calendar_of(config), contracts.names if contracts else None
        market = market_of(instruments, days, calendar, charges.load(), shares, early, span)
        for day, why in list(market.left.items())[:3]:
            loaded.warnings.append(f"{day} is left out: {why}")
        if len(market.left) > 3:
            loaded.warnings.append(f"{len(market.left) - 3} more days are left out")
        model, self.slippage = slippage_of(request.slippage, config.paper.slippage_ticks)
        self.cash = (request.cash or config.paper.cash) * 100
        settings = RunSettings(
            self.cash, limits_of(config), model, exits_of(config), config.governor.modifies_per_order, request.warm_up
        )
        return Prepared(
            {name: each for name, each, _ in tables}, loaded, span, market, calendar, settings, actions, (begin, end)
        )

    def _prepare(self, prepared: Prepared, strategies: "Sequence[Strategy]") -> "Backtest":
        from engine.backtest.run import Backtest  # noqa: PLC0415

        loaded = prepared.loaded
        backtest = Backtest(
            strategies,
            prepared.symbols,
            loaded.series,
            prepared.span,
            prepared.market,
            prepared.calendar,
            prepared.settings,
        )
        if backtest.dropped:
            loaded.warnings.append(f"{backtest.dropped:,} bars outside the sessions of their days are left out")
        if not backtest.warmed:
            loaded.warnings.append("no warm-up: the history begins with the first session, and indicators with nothing")
        return backtest

    def _result(
        self, tables: Sequence[tuple[str, tuple[str, ...], Mapping[str, Any]]], strategies: "Sequence[Strategy]",
        backtest: "Backtest", loaded: "LoadedBars", days: Sequence[date], span: int,
    ) -> BacktestResult:  # fmt: skip
        from engine.backtest.account import account_of, with_debits  # noqa: PLC0415
        from engine.backtest.linter import lint, verdict  # noqa: PLC0415
        from engine.backtest.outcome import Outcome  # noqa: PLC0415
        from engine.backtest.statistics import statistics  # noqa: PLC0415
        from engine.backtest.trades import fill_columns, kept_over_night, trades_of  # noqa: PLC0415

        begun = time.perf_counter()
        whole = self._run(backtest)
        seconds = time.perf_counter() - begun
        if failures := backtest.failures:
            raise failed(failures)
        names, series = list(backtest.series), list(backtest.series.values())
        numbers = {int(each.token): names.index(symbol) for symbol, each in backtest.market.instruments.items()}
        fills = backtest.fills
        columns = fill_columns(fills, numbers, series)
        if kept := kept_over_night(fills, numbers, names):
            more = f" and {len(kept) - 5} more" if len(kept) > 5 else ""
            loaded.warnings.append(
                f"intraday, and held over night for want of a bar to leave with: {', '.join(kept[:5])}{more}"
            )
        trades = trades_of(fills, columns, backtest.rungs, names, series)
        account = account_of(
            self.cash, days, backtest.closes, backtest.curve, backtest.notes, columns, trades, series, self._index(span)
        )
        outcome = Outcome(
            self._manifest(tables, strategies, backtest, loaded, days[: len(backtest.notes)], span, seconds, whole=whole),
            account.daily, backtest.curve[0], account.curve, with_debits(trades, days, account.debits, columns), account.costs,
            dict(backtest.kernel.decisions.refusals), backtest.done, len({int(fill.order.intent) for fill in fills}),
        )  # fmt: skip
        metrics = statistics(outcome)
        ticks = {symbol: float(each.tick) for symbol, each in backtest.market.instruments.items()}
        findings = lint(outcome, metrics, backtest.series, ticks)
        return BacktestResult(outcome, metrics, findings, verdict(findings), backtest.series)

    def _index(self, span: int) -> "BarSeries | None":
        """Return the bars of the index that results are compared with, None where the history has none."""
        from tui.bars_shared import END_OF_TIME  # noqa: PLC0415

        for length in dict.fromkeys((span, 60, 86_400)):
            if INDEX in self.versions.symbols(length):
                return self.versions.load([INDEX], length, 0, END_OF_TIME, "", None).series[INDEX]
        return None

    def _run(self, backtest: "Backtest") -> bool:
        """Run it with a progress line; the first ctrl-c ends it in order, and what is done counts."""
        line = ProgressLine(backtest.bars)

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.stopped = True
            signal.signal(signal.SIGINT, before)

        before = signal.signal(signal.SIGINT, stop)
        try:
            return backtest.run(lambda done, _all: line.show(done) and not self.stopped)
        finally:
            line.close()
            signal.signal(signal.SIGINT, before)

    def _manifest(
        self, tables: Sequence[tuple[str, tuple[str, ...], Mapping[str, Any]]], strategies: "Sequence[Strategy]",
        backtest: "Backtest", loaded: "LoadedBars", days: Sequence[date], span: int, seconds: float, *, whole: bool,
    ) -> Any:  # fmt: skip
        from engine.backtest import identity  # noqa: PLC0415
        from engine.backtest.outcome import Manifest  # noqa: PLC0415
        from engine.trading.limits import current  # noqa: PLC0415

        now, config = datetime.now(UTC), self.config
        limits = {name: int(value) for name, value in current(backtest.kernel.limits).items()}
        settings = {
            "limits": limits, "cash": self.cash, "slippage": self.slippage, "span": span, "warm_up": backtest.warmed,
            "exits": repr(config.exits), "square_off": config.risk.square_off_before_s, "modifies": config.governor.modifies_per_order,
            "confirmed": config.market.confirmed, "symbols": {name: symbols for name, symbols, _ in tables},
        }  # fmt: skip
        return Manifest(
            run=identity.run_number(now, backtest.digest),
            made=now.isoformat(timespec="seconds"),
            name=", ".join(name for name, _, _ in tables),
            strategies=identity.parameters_of((name, table) for name, _, table in tables),
            sources={each.name: identity.source_hash(each) for each in strategies},
            symbols=list(loaded.series),
            first=str(days[0]),
            last=str(days[-1]),
            span=span,
            data=loaded.manifests,
            golden=loaded.golden,
            slippage=self.slippage,
            config=identity.settings_hash(settings),
            code=identity.code_hash(),
            versions=identity.versions(),
            native=identity.is_native(),
            start_cash=self.cash,
            limits=limits,
            digest=backtest.digest,
            seconds=round(seconds, 3),
            partial=not whole,
            warnings=loaded.warnings,
            command=" ".join(["patang", *sys.argv[1:]]),
        )


def failed(failures: "Sequence[Failure]") -> BaseException:
    """Print the tracebacks of strategies that have failed, and return what is to be raised: `StrategyFailed`, or what ctrl-c did."""
    if isinstance(failures[0].error, KeyboardInterrupt):
        return failures[0].error
    for each in failures:
        told = "".join(traceback.format_exception(each.error))
        sys.stderr.writelines(f"{plain(line)}\n" for line in told.splitlines())
    return StrategyFailed(
        f"strategy {failures[0].strategy} failed, and there is no result: {_where(failures[0].error)}"
    )


def listed_on(config: Config, exchange: str, day: date) -> "Instruments | None":
    """Return an exchange's instruments as listed on a day, None where no list of that day or before is kept."""
    from engine.market.dumps import Dumps  # noqa: PLC0415

    dumps = Dumps(paths(config, os.environ).state / "instruments")
    if not any(each.day <= day for each in dumps.versions(exchange)):
        return None
    return dumps.latest(day, [exchange])


def _where(error: BaseException) -> str:
    """Return file and line of a strategy's error, of the author's own code where there is any, and what it says."""
    from compiled.kernel import words  # noqa: PLC0415

    steps = traceback.extract_tb(error.__traceback__)
    own = [step for step in steps if not step.filename.startswith("compiled/")] or steps
    place = f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
    return f"{place}{' '.join(words(error).split())}"


# what is said


def narrate(text: str) -> None:
    """Say a line to whoever waits."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def counted(count: int, what: str) -> str:
    """Return how many there are of something."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


@final
class ProgressLine:
    """Says how far a run is: percent, bars a second, time left; on a terminal over itself."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._began = self._told = time.monotonic()
        self._over = sys.stderr.isatty()
        self._open = False

    def show(self, done: int) -> bool:
        """Tell, where it is time again; return True."""
        now = time.monotonic()
        if now - self._told >= TOLD_S * (1 if self._over else 10):
            self._told, took = now, max(now - self._began, 1e-9)
            text = f"{100 * done // self.total} %, {done / took:,.0f} bars a second, {took / done * (self.total - done):.0f} s left"
            sys.stderr.write(f"\r{text}\x1b[K" if self._over else f"{text}\n")
            sys.stderr.flush()
            self._open = self._over
        return True

    def close(self) -> None:
        """Take the line away."""
        if self._open:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def results_of(config: Config) -> "ResultStore":
    """Return where results are kept."""
    from store.results import ResultStore  # noqa: PLC0415

    return ResultStore(paths(config, os.environ).state / "results.db")


def as_json(result: BacktestResult) -> str:
    """Return a result as one line of JSON."""
    import msgspec  # noqa: PLC0415

    from engine.backtest.outcome import SCHEMA  # noqa: PLC0415

    return json.dumps({
        "schema": SCHEMA, "run": result.outcome.manifest.run, "verdict": result.verdict,
        "metrics": {each.key: each.value for each in result.metrics}, "costs": dict(result.outcome.costs),
        "refused": dict(result.outcome.refused), "findings": [each._asdict() for each in result.findings],
        "manifest": msgspec.to_builtins(result.outcome.manifest),
    })  # fmt: skip
