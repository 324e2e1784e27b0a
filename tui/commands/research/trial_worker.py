"""A worker of a sweep: the process that runs trials, whoever hands them to it."""

import gc
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, final

import msgspec
import numpy as np

import compiled
from engine.backtest.backtest_run import BacktestRun
from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.packed_bars import read_packed
from engine.backtest.replayed_bars import ReplayBars, replay_bars
from engine.backtest.results.run_reckoning import outcome_of, reckon_run
from engine.backtest.run_bars import days_of
from engine.backtest.run_identity import source_hash
from engine.backtest.run_outcome import RunManifest, RunOutcome
from engine.backtest.statistics.run_statistics import statistics
from engine.config.schema import DeskConfig
from engine.errors import DataError, PatangError
from engine.history.bar_series import day_number
from engine.research.sweep_run import NamedTrial
from engine.research.trial_chance import closed_returns
from engine.research.trials import (
    PORTFOLIO,
    SweepTrial,
    TrialResult,
    TrialWindow,
    calendar_returns,
    pack_returns,
)
from strategies import build, failure_text
from tui.commands.backtest.backtest_job import BacktestJob
from tui.commands.backtest.backtest_request import BacktestRequest
from tui.commands.backtest.run_manifest import PreparedBacktest

SYMBOLS_KEPT: Final = 4
"""Symbols whose bars a worker keeps ready: trials come symbol by symbol."""
WINDOWS_KEPT: Final = 4


class SweepTask(msgspec.Struct, frozen=True, kw_only=True):
    """The needs of a worker besides its trials; the same bytes go to every worker."""

    config: DeskConfig
    request: BacktestRequest
    tables: dict[str, dict[str, Any]]
    """The strategies' tables, which a trial's parameters are laid over."""
    sources: dict[str, str]
    span: int
    bars: str
    """File of the packed bars, where it lies on this machine."""
    bars_hash: str


@final
class TrialWorker:
    """Trials one after another over bars that are made ready once."""

    def __init__(self, task: SweepTask, loaded: LoadedBars) -> None:
        self._task = task
        self._loaded = loaded
        self._windows: dict[TrialWindow, PreparedBacktest] = {}
        self._ready: dict[tuple[str, TrialWindow], tuple[PreparedBacktest, ReplayBars]] = {}
        self._manifests: dict[TrialWindow, RunManifest] = {}

    def run(self, name: str, trial: SweepTrial) -> TrialResult:
        """Return a trial's result; what the strategy or the data refuse is a result, too."""
        begun = time.process_time()
        try:
            found = self._replay_trial(trial)
        except PatangError as error:
            found = TrialResult(trial="", failure=f"{error}")
        # A run is a cycle of kernel and venue, and a dozen of them would lie about at a time.
        gc.collect(1)
        taken = time.process_time() - begun
        return msgspec.structs.replace(found, trial=name, seconds=taken)

    def _replay_trial(self, trial: SweepTrial) -> TrialResult:
        run, outcome = self._run_trial(trial)
        calendar = [day_number(day) for day in self._prepared_window(trial.window).market.days]
        # Symbols have holes of their own, and trials are compared day by day.
        daily = calendar_returns(
            outcome.daily.equity,
            outcome.manifest.start_cash,
            days=outcome.daily.day,
            calendar=np.array(calendar),
        )
        metrics = {
            each.key: float(each.value) if isinstance(each.value, (int, float)) else None
            for each in statistics(outcome)
            if not isinstance(each.value, str)
        }
        return TrialResult(
            trial="",
            metrics=metrics,
            returns=pack_returns(daily),
            trades=pack_returns(closed_returns(outcome)),
            digest=run.digest,
        )

    def _run_trial(self, trial: SweepTrial) -> tuple[BacktestRun, RunOutcome]:
        table = self._task.tables[trial.strategy] | trial.parameters
        strategy = build(trial.strategy, table)
        if source_hash(strategy) != self._task.sources[trial.strategy]:
            raise DataError(f"strategy {trial.strategy} has another source here: copy the file")
        prepared, bars = self._bars_for(trial)
        named = dict.fromkeys(prepared.symbols, ())
        run = BacktestRun(
            [strategy],
            named,
            bars=bars,
            span=prepared.span,
            market=prepared.market,
            calendar=prepared.calendar,
            settings=prepared.settings,
        )
        run.run()
        if run.failures:
            if isinstance(run.failures[0].error, KeyboardInterrupt):
                raise run.failures[0].error
            raise DataError(failure_text(run.failures[0].error))
        manifest = self._metric_manifest(trial.window, prepared, run)
        return run, outcome_of(run, reckon_run(run), manifest)

    def _metric_manifest(
        self, window: TrialWindow, prepared: PreparedBacktest, run: BacktestRun
    ) -> RunManifest:
        """Return a manifest that has what metrics ask it for."""
        if window not in self._manifests:
            job = self._window_job(window)
            self._manifests[window] = job.make_manifest(prepared, [], run, 0.0, whole=True)
        return self._manifests[window]

    def _window_job(self, window: TrialWindow) -> BacktestJob:
        first = window.first or self._task.request.first
        last = window.last or self._task.request.last
        return BacktestJob(self._task.config, self._task.request._replace(first=first, last=last))

    def _bars_for(self, trial: SweepTrial) -> tuple[PreparedBacktest, ReplayBars]:
        """Return the bars of a trial, ready for a replay, and their market."""
        key = (trial.symbol, trial.window)
        if key not in self._ready:
            whole = self._prepared_window(trial.window)
            series = {
                symbol: bars
                for symbol, bars in whole.loaded.series.items()
                if trial.symbol in {PORTFOLIO, symbol}
            }
            instruments = {symbol: whole.market.instruments[symbol] for symbol in series}
            market = whole.market._replace(instruments=instruments)
            if trial.symbol != PORTFOLIO:
                # A day that only other symbols traded on is no session of its own backtest.
                days = days_of(series.values(), market.days[0], market.days[-1])
                if not days:
                    raise DataError(f"no bars of {trial.symbol} in these days")
                market = market.on_days(days)
            prepared = whole._replace(market=market)
            while len(self._ready) >= SYMBOLS_KEPT:
                del self._ready[next(iter(self._ready))]
            self._ready[key] = prepared, replay_bars(series, prepared.market, known=whole.loaded)
        return self._ready[key]

    def _prepared_window(self, window: TrialWindow) -> PreparedBacktest:
        if window not in self._windows:
            while len(self._windows) >= WINDOWS_KEPT:
                del self._windows[next(iter(self._windows))]
            job = self._window_job(window)
            self._windows[window] = job.prepare_loaded(
                job.cut_bars(self._loaded, self._task.span), self._task.span
            )
        return self._windows[window]


# the task that every executor is given


def has_native_core() -> bool:
    """Return whether this process runs the compiled core."""
    return compiled.NATIVE


def encode_task(task: SweepTask) -> bytes:
    """Return a task as it travels."""
    return msgspec.msgpack.encode(task)


@lru_cache(maxsize=1)
def worker_of(packed: bytes) -> TrialWorker:
    """Return this process's worker for a task; the bars are mapped once."""
    task = msgspec.msgpack.decode(packed, type=SweepTask)
    return TrialWorker(task, read_packed(Path(task.bars)))


def run_batch(packed: bytes, trials: Sequence[NamedTrial]) -> list[TrialResult]:
    """Run trials and return their results: the task of every executor."""
    with redirect_stdout(sys.stderr):  # what a strategy prints is no part of a result
        worker = worker_of(packed)
        return [worker.run(name, trial) for name, trial in trials]


def run_remote_batch(packed: bytes, bars: bytes, trials: Sequence[NamedTrial]) -> list[TrialResult]:
    """Run trials on another machine, whose copy of the bars is kept by its hash.

    Raises `DataError` for bars that are not those of the sweep.
    """
    task = msgspec.msgpack.decode(packed, type=SweepTask)
    file = Path(tempfile.gettempdir()) / f"patang-bars-{os.getuid()}" / f"{task.bars_hash}.packed"
    if not file.exists():
        if hashlib.sha256(bars).hexdigest() != task.bars_hash:
            raise DataError("the bars that came are not those of the sweep")
        file.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(bars)
        fresh.replace(file)
    return run_batch(encode_task(msgspec.structs.replace(task, bars=str(file))), trials)
