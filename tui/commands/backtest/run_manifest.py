"""The inputs of a run, and the manifest that says what they were."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from compiled.trading.strategy import Strategy
from engine.backtest import run_identity
from engine.backtest.backtest_run import BacktestRun, RunSettings
from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.run_outcome import DataManifest, RunManifest
from engine.backtest.run_ticks import ReplayTicks
from engine.backtest.traded_market import TradedMarket
from engine.config.risk_limits import current_limits
from engine.config.schema import DeskConfig
from engine.history.bar_series import BarSeries
from engine.history.golden_bars import series_digest
from engine.market.calendar import Calendar
from strategies.native_strategies import is_compiled
from tui.commands.backtest.backtest_request import TICKS, BacktestRequest
from tui.run.settings import StrategyTable


class PreparedBacktest(NamedTuple):
    """Inputs of a run besides its strategies: `symbols` of each, bars, market, settings.

    `between` are ns UTC, `replaced` the author's own parts by name.
    """

    symbols: dict[str, tuple[str, ...]]
    loaded: LoadedBars
    span: int
    market: TradedMarket
    calendar: Calendar
    settings: RunSettings
    slippage: str
    between: tuple[int, int]
    replaced: Mapping[str, object]
    ticks: ReplayTicks | None = None
    latency: str = ""


def run_manifest(
    config: DeskConfig,
    request: BacktestRequest,
    tables: Sequence[StrategyTable],
    prepared: PreparedBacktest,
    *,
    strategies: Sequence[Strategy],
    backtest: BacktestRun,
    seconds: float,
    whole: bool,
) -> RunManifest:
    """Return all that decided a run which took some seconds; `whole`: to its last session."""
    asked, ticks = request.universe, prepared.ticks
    now, loaded, cash = datetime.now(UTC), prepared.loaded, prepared.settings.cash
    # a run that was stopped has only those that it finished
    days = prepared.market.days[: len(backtest.notes)]
    limits = {name: int(value) for name, value in current_limits(backtest.kernel.limits).items()}
    settings = {
        "limits": limits,
        "cash": cash,
        "slippage": prepared.slippage,
        "span": prepared.span,
        "warm_up": backtest.warmed_sessions,
        "exits": repr(config.exits),
        "square_off": config.risk.square_off_before_s,
        "modifies": config.governor.modifies_per_order,
        "confirmed": config.market.confirmed,
        "symbols": prepared.symbols,
    } | ({"latency": prepared.latency} if ticks is not None else {})
    return RunManifest(
        run=run_identity.run_number(now, backtest.digest),
        made=now.isoformat(timespec="seconds"),
        name=", ".join(table.name for table in tables),
        strategies=run_identity.parameters_of((table.name, table.parameters) for table in tables),
        sources={each.name: run_identity.source_hash(each) for each in strategies},
        symbols=list(loaded.series if ticks is None else backtest.series),
        first=str(days[0]),
        last=str(days[-1]),
        span=prepared.span,
        data=loaded.manifests
        if ticks is None
        else {name: _minutes_manifest(bars) for name, bars in backtest.series.items()},
        golden=loaded.is_golden and ticks is None,
        slippage=prepared.slippage,
        # results with equal hashes differ by strategies, bars or code alone
        config=run_identity.settings_hash(settings),
        code=run_identity.code_hash(),
        versions=run_identity.library_versions(),
        native=run_identity.is_native(),
        universe={"file": asked.name, "sha256": asked.sha256} if asked else {},
        parts=_part_identities(prepared.replaced, strategies),
        compiled=[each.name for each in strategies if is_compiled(each)],
        start_cash=cash,
        limits=limits,
        digest=backtest.digest,
        seconds=round(seconds, 3),
        feeds={
            name: sha
            for day in (ticks.days if ticks is not None else ())
            for name, sha in day.hashes.items()
        },
        latency=prepared.latency,
        partial=not whole,
        warnings=loaded.warnings,
        command=" ".join(["patang", *sys.argv[1:]]),
    )


def _part_identities(
    replaced: Mapping[str, object], strategies: Sequence[Strategy]
) -> dict[str, dict[str, str]]:
    composed = {
        f"{each.name}.{name}": part
        for each in strategies
        for name, part in run_identity.parts_of(each).items()
    }
    parts = dict(replaced) | composed
    return {name: run_identity.part_identity(part) for name, part in parts.items()}


def _minutes_manifest(bars: BarSeries) -> DataManifest:
    """Return which minutes ticks have made, by which pictures of them are known again."""
    there = len(bars.start) > 0
    return DataManifest(
        version=TICKS,
        bars=len(bars.start),
        first=int(bars.start[0]) if there else 0,
        last=int(bars.start[-1]) if there else 0,
        sha256=series_digest(bars),
    )
