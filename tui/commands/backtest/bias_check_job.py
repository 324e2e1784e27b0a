"""Bias check of a request: its subject, its runs, its findings."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Final, final

from rich.console import Console

from compiled.trading.strategy import Strategy
from engine.backtest.bias.bias_suite import BiasFinding, run_suite
from engine.backtest.bias.request_trace import BiasSubject, Change, ReferenceFailed, unchanged_bars
from engine.backtest.bias.source_lint import lint_strategies, reads_on_its_own
from engine.backtest.linter.result_linter import overall_verdict
from engine.backtest.loaded_bars import AND
from engine.backtest.run_bars import continued_series, unadjusted_splits
from engine.backtest.run_identity import source_hash
from engine.config.disk_places import desk_paths, own_state_folder
from engine.config.schema import DeskConfig
from engine.history.bar_adjustment import adjustment_steps
from engine.history.bar_series import BarSeries
from engine.market.corporate_actions.action_list import AdjustmentStep
from engine.numbers import counted
from store.backtest_results import BiasCheck
from store.bars.parquet_bars import ParquetBars
from tui.commands.backtest.backtest_job import BacktestJob, strategy_failure
from tui.commands.backtest.backtest_report import RunRemarks, findings_table, verdict_line
from tui.commands.backtest.backtest_request import BacktestRequest
from tui.commands.backtest.run_manifest import PreparedBacktest
from tui.commands.shared.progress_line import ProgressLine, interruptible
from tui.commands.shared.typed_values import END_OF_TIME
from tui.run.settings import StrategyTable

STATE: Final = "XDG_STATE_HOME"
CACHE: Final = "XDG_CACHE_HOME"
ROOT: Final = Path(__file__).parents[3]
WARM_UPS: Final = 4
"""The longest warm-up that is tried, times that of the run."""


@final
class BiasCheckJob:
    """A check from its data to its findings."""

    def __init__(
        self, config: DeskConfig, request: BacktestRequest, moments: int, seed: int
    ) -> None:
        self.config = config
        self.request = request
        self.moments = moments
        self.seed = seed
        self.was_stopped = False
        self.about = ""
        """Days and symbols of the runs."""
        self.warnings: list[str] = []
        """What has to be said of the bars."""
        # read once, with the past that the longest warm-up wants
        self._running = BacktestJob(config, request._replace(warm_up=WARM_UPS * request.warm_up))

    @property
    def tables(self) -> list[StrategyTable]:
        """Return the strategies that are checked."""
        return self._running.tables

    def execute(self) -> list[BiasFinding]:
        """Read, run and compare; raise `PatangError` for whatever is not right."""
        strategies = self._running.strategies()
        prepared = self._running.prepare(strategies)
        subject = self._check_subject(prepared, worldly=reads_on_its_own(strategies))
        days = prepared.market.days
        self.about = (
            f"{self._running.name}: {days[0]} to {days[-1]}, {counted(len(days), 'session')}, "
            f"{counted(len(subject.series), 'symbol')}, bars of {prepared.span} s, seed {self.seed}"
        )
        self.warnings = prepared.loaded.warnings
        once = sum(len(bars.start) for bars in subject.series.values())
        # how often the bars are run over is known once the tests are chosen
        line = ProgressLine(once * 2 * (self.moments + 2))
        done = 0

        def go_on(more: int) -> bool:
            nonlocal done
            done += more
            return line.show_progress(min(done, line.total)) and not interruption.has_come

        def expect(bars: int) -> None:
            line.total = bars

        with interruptible() as interruption:
            try:
                return run_suite(
                    subject,
                    lint_strategies(strategies),
                    go_on=go_on,
                    moments=self.moments,
                    seed=self.seed,
                    expect=expect,
                )
            except ReferenceFailed as error:
                raise strategy_failure(error.failures) from None
            finally:
                line.close()
                self.was_stopped = interruption.has_come
                if self.was_stopped:
                    self.warnings.append(
                        "stopped before the last test: the verdict is of those that were run"
                    )

    def kept_check(self, found: Sequence[BiasFinding]) -> BiasCheck:
        """Return the findings as they are kept."""
        findings = [each.finding for each in found]
        return BiasCheck(
            self._running.name,
            datetime.now(UTC).isoformat(timespec="seconds"),
            overall_verdict(findings),
            self.about,
            stopped=self.was_stopped,
            sources={each.name: source_hash(each) for each in self._running.strategies()},
            findings=findings,
        )

    def _check_subject(self, prepared: PreparedBacktest, *, worldly: bool) -> BiasSubject:
        @contextlib.contextmanager
        def make(change: Change) -> Iterator[Sequence[Strategy]]:
            with (
                self._changed_world(change)
                # a strategy that reads files itself would see the future there, whatever its bars
                # are
                if worldly and here and change is not unchanged_bars
                else contextlib.nullcontext()
            ):
                yield self._running.strategies()

        here = self.request.folder is None and desk_paths(
            self.config, os.environ
        ).history.is_relative_to(own_state_folder(os.environ))
        if worldly and not here:
            prepared.loaded.warnings.append(
                "a history outside the state folder is not cut for what strategies read on their "
                "own"
            )
        actions = self._running.actions
        raw, steps = self._raw_bars(prepared)
        newer, vintages = self._newer_bars(prepared)
        return BiasSubject(
            make,
            prepared.symbols,
            series=prepared.loaded.series,
            span=prepared.span,
            market=prepared.market,
            calendar=prepared.calendar,
            # the reference runs as a backtest would; only the tests of warm-up take more
            settings=prepared.settings._replace(warm_up=self.request.warm_up),
            actions=actions is not None,
            raw=raw,
            steps=steps,
            suspects=unadjusted_splits(prepared.loaded.series) if actions is None else (),
            newer=newer,
            vintages=vintages,
            universe=self.request.universe,
        )

    def _raw_bars(
        self, prepared: PreparedBacktest
    ) -> tuple[dict[str, BarSeries], dict[str, list[AdjustmentStep]]]:
        """Return the bars of adjusted ones as they are stored, and their adjustments."""
        names = [symbol for symbol, each in prepared.loaded.manifests.items() if each.adjusted]
        actions = self._running.actions
        if actions is None or not names:
            return {}, {}
        loaded = self._running.versions.load(
            names, prepared.span, *prepared.between, self.request.bars, None
        )
        return loaded.series, {
            name: adjustment_steps(bars, actions, name) for name, bars in loaded.series.items()
        }

    def _newer_bars(
        self, prepared: PreparedBacktest
    ) -> tuple[dict[str, BarSeries], tuple[str, str]]:
        """Return the bars of the next golden version, or of the one before the newest."""
        versions, ours = self._running.versions, prepared.loaded.series
        ran = {each.version.partition(AND)[0] for each in prepared.loaded.manifests.values()}
        golden = versions.golden_names()
        # vintages can be compared where all bars are of one golden version, and there is another
        if len(ran) != 1 or not ran <= {*golden} or len(golden) < 2:
            return {}, ("", "")
        name = ran.pop()
        at = golden.index(name)
        # the next one shows what was corrected later; the newest has only one before it
        other = golden[at + 1 if at + 1 < len(golden) else at - 1]
        there = {*versions.symbols(prepared.span, other)}
        names = [symbol for symbol in ours if symbol in there]
        if not names:
            return {}, ("", "")
        actions = self._running.actions
        loaded = versions.load(names, prepared.span, *prepared.between, other, actions)
        return {
            symbol: continued_series(bars, ours[symbol]) for symbol, bars in loaded.series.items()
        }, (name, other)

    @contextlib.contextmanager
    def _changed_world(self, change: Change) -> Iterator[None]:
        """Let strategies that look find a history changed like the bars, all else as it is."""
        history, state = desk_paths(self.config, os.environ).history, own_state_folder(os.environ)
        store = ParquetBars(history)
        with tempfile.TemporaryDirectory(prefix="patang-check-") as folder:
            place = Path(folder) / state.name
            place.mkdir()
            for path in state.iterdir():
                if not history.is_relative_to(path):
                    # whatever else strategies look at is found as it is
                    (place / path.name).symlink_to(path)
            changed = ParquetBars(place / history.relative_to(state))
            kinds: dict[tuple[str, int], dict[str, BarSeries]] = {}
            for each in store.contents():
                bars = store.columns(each.symbol, each.span, 0, END_OF_TIME, each.version)
                kinds.setdefault((each.version, each.span), {})[each.symbol] = bars
            for (version, span), series in kinds.items():
                for symbol, bars in change(series).items():
                    if len(bars.start):
                        changed.write_columns(symbol, span, version, bars)
            # modules of the user's that are imported already would not read again
            was, there = {name: os.environ.get(name) for name in (STATE, CACHE)}, own_modules()
            # a compiled module is never read again: without its builds the source runs
            os.environ |= dict.fromkeys((STATE, CACHE), folder)
            for name in there:
                # what they have read stays with them
                del sys.modules[name]
            try:
                yield
            finally:
                for name in own_modules():
                    del sys.modules[name]
                sys.modules.update(there)
                # the next strategy must find the true history
                for name, value in was.items():
                    if value is None:
                        del os.environ[name]
                    else:
                        os.environ[name] = value


def own_modules() -> dict[str, ModuleType]:
    """Return the modules that are the user's own: neither Python's, nor installed, nor ours."""
    others = (sys.prefix, sys.base_prefix, str(ROOT))
    return {
        name: module
        for name, module in sys.modules.items()
        if name != "__main__"
        and (file := getattr(module, "__file__", None))
        and not str(file).startswith(others)
    }


# what is said


def findings_json(checking: BiasCheckJob, found: Sequence[BiasFinding]) -> str:
    """Return the findings as one line of JSON."""
    return json.dumps(
        {
            "strategies": {name: table for name, _, table in checking.tables},
            "verdict": overall_verdict([each.finding for each in found]),
            "about": checking.about,
            "warnings": checking.warnings,
            "stopped": checking.was_stopped,
            "moments": checking.moments,
            "seed": checking.seed,
            "tests": [each.as_dict() for each in found],
        },
        default=str,
    )


def print_findings(
    found: Sequence[BiasFinding],
    about: str,
    warnings: Sequence[str],
    console: Console | None = None,
) -> None:
    """Print the verdict, what was run, and a table of what each test has found."""
    out = console or Console(highlight=False, markup=False, emoji=False)
    findings = [each.finding for each in found]
    out.print(verdict_line(findings))
    out.print(RunRemarks(about, warnings))
    out.print()
    out.print(findings_table("Bias", findings))
