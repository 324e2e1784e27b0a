"""Run a desk's day again as a backtest, and compare the two."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, final

from compiled.model.order_terms import ExitEscalation
from compiled.model.values import SECOND
from compiled.trading.strategy import Strategy
from engine.backtest import run_identity
from engine.backtest.backtest_run import BacktestRun, RunSettings
from engine.backtest.parity.attribution import DayParity, compare_days, split_parity
from engine.backtest.parity.backtested_day import backtest_day_of
from engine.backtest.parity.day_records import BacktestDay, DeskDay
from engine.backtest.parity.difference_causes import CAUSES, LOOKS_BACK, differing_starts
from engine.backtest.parity.heard_bars import heard_bars
from engine.backtest.parity.parity_curves import ParityCurves, parity_curves
from engine.backtest.run_bars import replay_bars
from engine.backtest.traded_market import instruments_of, market_of
from engine.config.risk_limits import configured_limits
from engine.config.schema import DeskConfig
from engine.history.bar_series import BarSeries
from engine.manual.day_limits import limit_event
from store.backtest_results import ParityDay
from store.journal_day import KeptDay, kept_day, last_day
from strategies import build
from strategies.replaced_models import failing, paper_charges, paper_slippage
from tui.commands.backtest.parity_bars import LIVE, MINUTE, ParityBars, desk_bars, kept_bars
from tui.run.run_records import database_of_day, latest_database
from tui.run.settings import (
    calendar_of,
    listed_on,
    settings_of,
    strategies_of,
    with_derivatives,
)

Day = TypeVar("Day", DeskDay, BacktestDay)
NOBODY: Final = "nobody"
"""Whose shares are that moved without an order of the desk."""


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


class StrategyParity(NamedTuple):
    """The part of one strategy in a comparison."""

    parity: DayParity
    curves: ParityCurves


class ParityResult(NamedTuple):
    """Result of parity; `bars` names those the backtest read, `warnings` are about it.

    `strategies` are its parts, by name.
    """

    mode: str
    day: date
    database: Path
    bars: str
    parity: DayParity
    curves: ParityCurves
    strategies: dict[str, StrategyParity]
    warnings: list[str]


def parity_rows(result: ParityResult) -> list[ParityDay]:
    """Return a comparison as the store keeps it: the whole desk, then its strategies."""
    parts = {"": StrategyParity(result.parity, result.curves)} | result.strategies
    return [_parity_row(result, name, *part) for name, part in parts.items()]


def _parity_row(
    result: ParityResult, strategy: str, found: DayParity, made: ParityCurves
) -> ParityDay:
    # a cause that is added needs a column, and would not unpack here
    data, timing, fill, twin, cost, operator, broker, code, unexplained = (
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
        twin=twin,
        inferred=found.inferred,
        strategy=strategy,
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
        kept = kept._replace(day=kept.day._replace(bars=heard_bars(seen, kept.day.incidents)))
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
        strategies = self._built_strategies(ran)
        read = ParityBars(config, day, store, request.folder, self._warnings)
        series, version = read.of_backtest(
            request.bars, seen, kept.ended, ran["watch"], strategies.values()
        )
        backtest = self._run_backtest(kept, ran, strategies, series, day)
        for failure in backtest.failures:
            self._warnings.append(f"in the backtest {failure.strategy} failed: {failure.error}")
        if not backtest.warmed_sessions:
            self._warnings.append(
                "no bars of the session before: the backtest's strategies begin with nothing"
            )
        done = backtest_day_of(
            backtest,
            read.today(series),
            self._known_differences(kept.ran, ran, strategies),
            cold=_cold_until(backtest, kept.opened, strategies.values()),
        )
        parity = compare_days(kept.day, done, self._heard_day(kept, ran, read, series))
        return ParityResult(
            request.mode,
            day,
            database=path,
            bars=version,
            parity=parity,
            curves=parity_curves(kept.day, done),
            strategies={
                name or NOBODY: StrategyParity(
                    part, parity_curves(_day_part(kept.day, name), _day_part(done, name))
                )
                for name, part in split_parity(parity).items()
            },
            warnings=self._warnings,
        )

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
        fees = ran.get("fees", "") if self._request.mode == "paper" else ""
        market = market_of(
            instruments,
            [day],
            calendar=self._calendar,
            table=paper_charges(fees, failing("fees")),
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
            slippage=paper_slippage(
                ran.get("slippage", ""), ran["slippage_ticks"], failing("slippage")
            ),
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
        backtest.keep_decisions()
        backtest.run()
        return backtest

    def _heard_day(
        self,
        kept: KeptDay,
        ran: Mapping[str, Any],
        read: ParityBars,
        series: Mapping[str, BarSeries],
    ) -> BacktestDay | None:
        """Return a backtest on the bars that the desk heard; None where they are the same."""
        heard = read.with_today(series, kept.day.bars)
        if all(
            heard[name] is series[name] or not len(differing_starts(heard[name], series[name]))
            for name in series
        ):
            return None
        backtest = self._run_backtest(kept, ran, self._built_strategies(ran), heard, read.day)
        return backtest_day_of(backtest, read.today(heard), {}, cold=0)

    def _built_strategies(self, ran: Mapping[str, Any]) -> dict[str, Strategy]:
        # a strategy remembers the run it was in
        return {name: build(name, table) for name, table in ran["strategies"].items()}

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


def _day_part(day: Day, strategy: str) -> Day:
    return day._replace(trips=[trip for trip in day.trips if trip.strategy == strategy])


def _cold_until(backtest: BacktestRun, opened: int, strategies: Iterable[Strategy]) -> int:
    """Return until when (ns) strategies lack the history a backtest had none of.

    The desk has heard them since `opened` (ns). As many bars as a difference is felt for.
    """
    if backtest.warmed_sessions:
        return 0
    begun = max(int(backtest.opens[0]), opened)
    return begun + LOOKS_BACK * max(int(each.span) for each in strategies) * SECOND
