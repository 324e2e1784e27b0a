"""A sweep: its axes and points, and its running into a folder of its own."""

import hashlib
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, final

import msgspec

from engine.backtest import run_identity
from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.packed_bars import write_packed
from engine.backtest.run_bars import span_for
from engine.backtest.statistics.run_metrics import METRICS
from engine.config.schema import DeskConfig
from engine.config.toml_reader import close_hint
from engine.errors import ConfigError, PatangError
from engine.history.golden_bars import series_digest
from engine.indian_time import made_text
from engine.numbers import counted
from engine.research.parameter_space import (
    MOST_POINTS,
    ParameterAxis,
    ParameterSpace,
    Point,
    read_axis,
)
from engine.research.point_pruner import PointPruner, PrunedRounds
from engine.research.samplers import DEFAULT_TRIALS, ListSampler, PointSampler, TpeSampler
from engine.research.sweep_run import SweepProgress, SweepRun
from engine.research.trials import (
    StudyTerms,
    SweepPoint,
    TrialBasis,
    TrialResult,
    TrialWindow,
)
from store.trial_journal import TrialJournal
from strategies import build
from tui.commands.backtest.backtest_job import BacktestJob
from tui.commands.research.sweep_files import BARS, forget_study
from tui.commands.research.sweep_manifest import (
    SweepManifest,
    SweepOutcome,
    SweepRequest,
    named_trials,
    plain_request,
    rows_of,
    sweeps_folder,
    unwanted_trials,
)
from tui.commands.research.trial_worker import SweepTask, encode_task
from tui.commands.research.worker_pools import dask_workers, local_workers
from tui.commands.shared.progress_line import StatusLine, interruptible

ASKED_AT_ONCE: Final = 8
"""Points that run before the sampler or the pruner is told: the same on every machine, or the same
seed would find other points on one with more cores."""
NO_AXES: Final = ("enabled", "source", "symbols")
"""Keys of a strategy's table that say whether, by which code and on what it runs."""
WORST: Final = -1e9
MEASURED: Final = tuple(each.key for each in METRICS if each.unit not in {"date", "time"})
"""Metrics that can be looked for the most of."""


@final
class SweepJob:
    """A sweep from its request to its rows."""

    def __init__(self, config: DeskConfig, request: SweepRequest) -> None:
        self.config = config
        self.request = request
        if request.objective not in MEASURED:
            hint = close_hint(request.objective, MEASURED)
            raise ConfigError(f"--objective {request.objective}: no such metric{hint}")
        if request.prune and request.sampler == "grid":
            raise ConfigError(
                "--prune: a grid is run whole, since a plateau is judged by the neighbours; take "
                "--sampler random or tpe"
            )
        if request.trials and request.sampler == "grid":
            raise ConfigError("--trials: a grid has its own; take --sampler random or tpe")
        if request.prune and request.portfolio:
            raise ConfigError("--prune compares symbol by symbol, and --portfolio has one account")
        self.backtest = BacktestJob(config, request.backtest)
        self.tables = {table.name: table.parameters for table in self.backtest.tables}
        self.spaces = self._parameter_spaces()
        self.folder = self._sweep_folder()

    def plan_text(self) -> str:
        """Return what would run, in a line; raise `PatangError` for whatever is not right."""
        return f"{self.backtest.plan_text()}: {counted(self._most_points(), 'point')}"

    def execute(self, workers: int, dask: str = "", *, fresh: bool = False) -> SweepOutcome:
        """Run what is not done, until ctrl-c: what is done then stays. Raise `PatangError`."""
        journal = TrialJournal(self.folder)
        pool = dask_workers(dask) if dask else local_workers(workers)
        with journal.lock(), _only_if_begun(journal), pool as crew:
            manifest = self._begin_sweep(journal, fresh=fresh)
            crew.take_task(self._worker_task(manifest), self.folder / BARS)
            done = journal.results(len(manifest.days))
            line = StatusLine(0.2, 5.0)
            with interruptible() as interruption:
                run = SweepRun(
                    crew,
                    journal,
                    done,
                    lambda at: _show_progress(line, at) and not interruption.has_come,
                )
                run.expected = manifest.wanted
                try:
                    self._run_points(run, journal, manifest)
                finally:
                    line.close()
            # What an earlier run with more --trials has tried was tried as well.
            points = journal.points()
            rows = rows_of(manifest, points, run.results)
            refused = [each for each in points if each.refusal]
            if not rows and refused and not run.was_stopped:
                raise ConfigError(f"every point is refused: {self._told_refusal(refused[0])}")
            if not run.was_stopped:
                # A sampler may draw a point twice, or find fewer than it was asked for.
                wanted = len(rows) + unwanted_trials(manifest, points)
                manifest = msgspec.structs.replace(manifest, whole=True, wanted=wanted)
            journal.write_manifest(manifest)
            resumed = sum(row.name in done for row in rows)
            return SweepOutcome(manifest, rows, refused, resumed, self.folder)

    def _begin_sweep(self, journal: TrialJournal, *, fresh: bool) -> SweepManifest:
        """Read the bars and pack them; return what the sweep is, which is written down."""
        import pyarrow as pa

        span = self._bar_span()
        loaded = self.backtest.load_bars(span)
        basis = self._trial_basis(loaded, span)
        before = None if fresh else journal.read_manifest(SweepManifest)
        if before is not None and (changed := before.basis.difference(basis)):
            raise ConfigError(
                f"{changed} changed since this sweep began on {made_text(before.made)}: its trials "
                f"would not be comparable; --fresh begins anew ({self.folder})"
            )
        days = self.backtest.prepare_loaded(loaded, span).market.days
        if fresh:  # not before there are bars for a new one
            journal.clear()
            forget_study(self.folder)
        packed = self.folder / BARS
        # Trials of one symbol each take their bars as they are.
        write_packed(packed, loaded if self.request.portfolio else loaded._replace(clock=None))
        # Arrow keeps the memory that it has read with, several times that of the bars.
        pa.default_memory_pool().release_unused()
        manifest = self._sweep_manifest(basis, loaded, span, packed, days)
        journal.write_manifest(manifest)
        return manifest

    def _worker_task(self, manifest: SweepManifest) -> bytes:
        return encode_task(
            SweepTask(
                config=self.config,
                request=self.request.backtest._replace(folder=None),
                tables=self.tables,
                sources=manifest.basis.sources,
                span=manifest.span,
                bars=str(self.folder / BARS),
                bars_hash=manifest.bars,
            )
        )

    def check_basis(self, manifest: SweepManifest) -> None:
        """Raise `ConfigError` where code, strategies, settings or bars are not those of a sweep."""
        span = self._bar_span()
        basis = self._trial_basis(self.backtest.load_bars(span), span)
        if changed := manifest.basis.difference(basis):
            raise ConfigError(
                f"{changed} changed since the sweep of {made_text(manifest.made)}: "
                "sweep again (--fresh)"
            )

    def _run_points(self, run: SweepRun, journal: TrialJournal, manifest: SweepManifest) -> None:
        """Run what the samplers ask for, until it is stopped."""
        for strategy, space in self.spaces.items():
            sampler = self._point_sampler(space)
            pruner = PointPruner(self.request.prune) if self.request.prune else None
            learns = self.request.sampler == "tpe"
            while points := sampler.ask(ASKED_AT_ONCE if learns or pruner else 10**6):
                taken = [self._sweep_point(strategy, point) for point in points]
                journal.append_points(taken)
                run.expected -= unwanted_trials(manifest, taken)
                if pruner is None:
                    run.run_trials(pair for each in taken for pair in named_trials(manifest, each))
                else:
                    taken = self._run_rounds(run, pruner, taken, manifest)
                    journal.append_points(taken)
                    run.expected -= unwanted_trials(manifest, [p for p in taken if p.pruned])
                if run.was_stopped:
                    return
                if learns:
                    for each in taken:
                        sampler.tell(each.parameters, self._mean_score(manifest, each, run.results))

    def _run_rounds(
        self,
        run: SweepRun,
        pruner: PointPruner,
        points: list[SweepPoint],
        manifest: SweepManifest,
    ) -> list[SweepPoint]:
        """Run points symbol by symbol; return them, the ones that are given up marked as such."""
        rounds = PrunedRounds(
            pruner,
            manifest.traded,
            named=lambda point, symbols: named_trials(manifest, point, symbols),
            run=run.run_trials,
            objective=self.request.objective,
        )
        found = rounds.run_points(
            points, lambda point: self._mean_score(manifest, point, run.results)
        )
        return points if found is None else found

    def _mean_score(
        self, manifest: SweepManifest, point: SweepPoint, results: Mapping[str, TrialResult]
    ) -> float | None:
        """Return the mean objective of a point over the symbols that are done; None without any."""
        scores = [
            row.result.metrics.get(self.request.objective)
            for row in rows_of(manifest, [point], results)
            if not row.result.failure
        ]
        # A trial without a trade has no ratio: worse than every other, and not unknown.
        known = [WORST if score is None else score for score in scores]
        return sum(known) / len(known) if known else None

    def _sweep_point(self, strategy: str, point: Point) -> SweepPoint:
        """Return a point with the length of the strategy's bars there, or why it is refused."""
        try:
            span = int(build(strategy, self.tables[strategy] | point).span)
        except PatangError as error:
            return SweepPoint(strategy=strategy, parameters=point, refusal=str(error))
        return SweepPoint(strategy=strategy, parameters=point, timeframe=span)

    def _told_refusal(self, first: SweepPoint) -> str:
        """Return why a point was refused, with the mend where a parameter has to be whole."""
        for axis in self.spaces[first.strategy].axes:
            if axis.is_continuous and f".{axis.name}: expected a whole number" in first.refusal:
                steps = f"{axis.name}={math.ceil(axis.low)}:{math.floor(axis.high)}:1"
                return f"{first.refusal}; take steps, --param {steps}"
        return first.refusal

    def _point_sampler(self, space: ParameterSpace) -> PointSampler:
        wanted = self.request.trials or DEFAULT_TRIALS
        match self.request.sampler:
            case "random":
                return ListSampler(space.random_points(wanted, self.request.seed))
            case "tpe":
                return TpeSampler(space, wanted, self.request.seed)
            case _:
                return ListSampler(space.grid())

    def _parameter_spaces(self) -> dict[str, ParameterSpace]:
        """Return each strategy's axes; `NAME=…` without a strategy is of every one."""
        axes: dict[str, list[ParameterAxis]] = {name: [] for name in self.tables}
        if self.request.timeframes:
            for own in axes.values():
                own.append(ParameterAxis("timeframe_s", self.request.timeframes))
        for text in self.request.axes:
            axis = read_axis(text)
            strategy, dot, parameter = axis.name.rpartition(".")
            if dot and strategy not in axes:
                raise ConfigError(f"--param {text}: {strategy} does not run; {', '.join(axes)} do")
            if parameter in NO_AXES:
                raise ConfigError(
                    f"--param {text}: {parameter} is no axis; what runs is named first, and what "
                    "it trades by --symbols"
                )
            for name in [strategy] if dot else axes:
                axes[name].append(axis._replace(name=parameter))
        if not any(axes.values()):
            raise ConfigError("a sweep needs an axis: --param NAME=FROM:TO:STEP")
        spaces = {name: ParameterSpace(own) for name, own in axes.items()}
        if self.request.sampler == "grid":
            for space in spaces.values():
                next(space.grid())  # whatever is wrong with it is said before anything is read
        return spaces

    def _bar_span(self) -> int:
        """Return the length of bars that suits every timeframe that is tried."""
        spans = {
            int(value)
            for space in self.spaces.values()
            for axis in space.axes
            if axis.name == "timeframe_s"
            for value in axis.values
        }
        own = [each.span for each in self.backtest.strategies()]
        versions, asked = self.backtest.versions, self.request.backtest
        named = self.request.backtest.symbols
        there = versions.spans(named, asked.bars) or versions.spans()
        return span_for(there, asked.span, [*spans] or own)

    def _trial_basis(self, loaded: LoadedBars, span: int) -> TrialBasis:
        asked, config = self.request.backtest, self.config
        settings = {
            "tables": self.tables,
            "risk": msgspec.to_builtins(config.risk),
            "paper": msgspec.to_builtins(config.paper),
            "exits": msgspec.to_builtins(config.exits),
            "modifies": config.governor.modifies_per_order,
            "stale": config.feed.stale_after_s,
            "confirmed": list(config.market.confirmed),
            "cash": asked.cash,
            "slippage": asked.slippage,
            "warm_up": asked.warm_up,
            "span": span,
        }
        if asked.universe:
            settings["universe"] = asked.universe.sha256
        if replaced := self.backtest.cost_models().replaced:
            settings["parts"] = {
                name: run_identity.part_identity(part) for name, part in replaced.items()
            }
        return TrialBasis(
            code=run_identity.code_hash(),
            sources={
                each.name: run_identity.source_hash(each) for each in self.backtest.strategies()
            },
            settings=run_identity.settings_hash(settings),
            data={symbol: _bars_digest(loaded, symbol) for symbol in loaded.series},
        )

    def _sweep_manifest(
        self,
        basis: TrialBasis,
        loaded: LoadedBars,
        span: int,
        packed: Path,
        days: list[date],
    ) -> SweepManifest:
        with packed.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        asked = self.request
        points = self._most_points()
        return SweepManifest(
            name=self.folder.name,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            request=plain_request(self.request),
            basis=basis,
            bars=digest,
            symbols=list(loaded.series),
            span=span,
            points=points,
            native=run_identity.is_native(),
            command=" ".join(["patang", *sys.argv[1:]]),
            window=TrialWindow(asked.backtest.first, asked.backtest.last),
            portfolio=asked.portfolio,
            objective=asked.objective,
            study=asked.study,
            wanted=points * (1 if asked.portfolio else len(loaded.series)),
            days=days,
            warnings=loaded.warnings,
        )

    def _most_points(self) -> int:
        """Return how many points there are at most, those that will be refused among them."""
        asked = self.request
        return sum(
            space.size
            if asked.sampler == "grid"
            # without an axis that is continuous there are no more than the grid has
            else min(asked.trials or DEFAULT_TRIALS, space.size or MOST_POINTS)
            for space in self.spaces.values()
        )

    def _sweep_folder(self) -> Path:
        """Return the folder of this request: the same request again finds what it has done."""
        # How trials are judged, and how many are drawn, makes no trial another one.
        said = plain_request(self.request._replace(trials=0, study=StudyTerms()))
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        name = "-".join([*self.tables][:3])
        return sweeps_folder(self.config) / f"{name}-{digest[:8]}"


@contextmanager
def _only_if_begun(journal: TrialJournal) -> Iterator[None]:
    """Leave no folder of what is refused before its first trial: `last` would be that one."""
    try:
        yield
    except PatangError:
        if not journal.has_trials:
            journal.discard()
        raise


def _bars_digest(loaded: LoadedBars, symbol: str) -> str:
    said = loaded.manifests[symbol]
    return series_digest(loaded.series[symbol]) if said.adjusted else said.sha256


def _show_progress(line: StatusLine, at: SweepProgress) -> bool:
    if line.is_due and at.done > at.resumed:
        each = line.elapsed_s / (at.done - at.resumed)
        line.write_status(
            f"{at.done:,} of {at.total:,} trials, {1 / each:,.1f} a second, "
            f"{each * (at.total - at.done):.0f} s left"
        )
    return True
