"""Make the subject of a bias check of what is asked for, run it, and say what was found."""

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final, final

from engine.config import Config, own_state, paths
from tui.backtest_request import BacktestRequest, chosen_strategies
from tui.backtesting import Prepared, ProgressLine, Running, counted, failed, narrate

if TYPE_CHECKING:
    from rich.console import Console

    from compiled.strategy import Strategy
    from engine.backtest.bias import BiasFinding
    from engine.backtest.bias_trace import Change, Subject
    from engine.history.series import BarSeries
    from engine.market.actions import Step

STATE: Final = "XDG_STATE_HOME"
ROOT: Final = Path(__file__).parent.parent
WARM_UPS: Final = 4
"""The longest warm-up that is tried, times that of the run."""


@final
class Checking:
    """A check from its data to its findings."""

    def __init__(self, config: Config, request: BacktestRequest, moments: int, seed: int) -> None:
        self.config = config
        self.request = request
        self.moments = moments
        self.seed = seed
        self.stopped = False
        self.about = ""
        """What is run: days and symbols."""
        self.warnings: list[str] = []
        """What has to be said of the bars."""
        self._running = Running(config, request._replace(warm_up=WARM_UPS * request.warm_up))
        self.tables = chosen_strategies(config, request)

    @property
    def name(self) -> str:
        """Return whose strategies these are."""
        return ", ".join(name for name, _, _ in self.tables)

    def execute(self) -> "list[BiasFinding]":
        """Read, run and compare; raise `PatangError` for whatever is not right."""
        from engine.backtest.bias import check  # noqa: PLC0415
        from engine.backtest.bias_lint import lint, reads_on_its_own  # noqa: PLC0415
        from engine.backtest.bias_trace import ReferenceFailed  # noqa: PLC0415

        strategies = self._build()
        span = self._running.span(self.tables, strategies)
        symbols = self._running.symbols(self.tables, span)
        narrate(f"{self.name} on {counted(len(symbols), 'symbol')}, bars of {span} s: reading")
        prepared = self._running.read(self.tables, symbols, span)
        subject = self._subject(prepared, worldly=reads_on_its_own(strategies))
        days = prepared.market.days
        self.about = (
            f"{self.name}: {days[0]} to {days[-1]}, {counted(len(days), 'session')}, {counted(len(subject.series), 'symbol')}, "
            f"bars of {span} s, seed {self.seed}"
        )
        self.warnings = prepared.loaded.warnings
        once = sum(len(bars.start) for bars in subject.series.values())
        line = ProgressLine(once * 2 * (self.moments + 2))  # until it is known
        done = 0

        def go_on(more: int) -> bool:
            nonlocal done
            done += more
            return line.show(min(done, line.total)) and not self.stopped

        def expect(bars: int) -> None:
            line.total = bars

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.stopped = True
            signal.signal(signal.SIGINT, before)

        before = signal.signal(signal.SIGINT, stop)
        try:
            return check(subject, lint(strategies), go_on, self.moments, self.seed, expect)
        except ReferenceFailed as error:
            raise failed(error.failures) from None
        finally:
            line.close()
            signal.signal(signal.SIGINT, before)

    def _build(self) -> "list[Strategy]":
        from strategies import build  # noqa: PLC0415

        return [build(name, table) for name, _, table in self.tables]

    def _subject(self, prepared: Prepared, *, worldly: bool) -> "Subject":
        from engine.backtest.bars import undivided  # noqa: PLC0415
        from engine.backtest.bias_trace import Subject, same  # noqa: PLC0415

        @contextlib.contextmanager
        def make(change: "Change") -> "Iterator[Sequence[Strategy]]":
            with self._world(change) if worldly and here and change is not same else contextlib.nullcontext():
                yield self._build()

        here = self.request.folder is None and paths(self.config, os.environ).history.is_relative_to(
            own_state(os.environ)
        )
        if worldly and not here:
            prepared.loaded.warnings.append(
                "a history outside the state folder is not cut for what strategies read on their own"
            )
        raw, steps = self._raw(prepared)
        newer, vintages = self._newer(prepared)
        return Subject(
            make, prepared.symbols, prepared.loaded.series, prepared.span, prepared.market, prepared.calendar,
            prepared.settings._replace(warm_up=self.request.warm_up), prepared.actions is not None, raw, steps,
            undivided(prepared.loaded.series) if prepared.actions is None else (), newer, vintages,
        )  # fmt: skip

    def _raw(self, prepared: Prepared) -> "tuple[dict[str, BarSeries], dict[str, list[Step]]]":
        """Return the bars of what was adjusted as they are stored, and what they were adjusted by."""
        from engine.history.adjusting import steps_of  # noqa: PLC0415

        names = [symbol for symbol, each in prepared.loaded.manifests.items() if each.adjusted]
        if prepared.actions is None or not names:
            return {}, {}
        loaded = self._running.versions.load(names, prepared.span, *prepared.between, self.request.bars, None)
        return loaded.series, {name: steps_of(bars, prepared.actions, name) for name, bars in loaded.series.items()}

    def _newer(self, prepared: Prepared) -> "tuple[dict[str, BarSeries], tuple[str, str]]":
        """Return the bars of the golden version after the one that is run or, where it is the newest, before it."""
        from engine.backtest.bars import AND, continued  # noqa: PLC0415

        versions, ours = self._running.versions, prepared.loaded.series
        ran = {each.version.partition(AND)[0] for each in prepared.loaded.manifests.values()}
        golden = versions.golden()
        if len(ran) != 1 or not ran <= {*golden} or len(golden) < 2:
            return {}, ("", "")
        name = ran.pop()
        at = golden.index(name)
        other = golden[at + 1 if at + 1 < len(golden) else at - 1]
        there = {*versions.symbols(prepared.span, other)}
        names = [symbol for symbol in ours if symbol in there]
        if not names:
            return {}, ("", "")
        loaded = versions.load(names, prepared.span, *prepared.between, other, prepared.actions)
        return {symbol: continued(bars, ours[symbol]) for symbol, bars in loaded.series.items()}, (name, other)

    @contextlib.contextmanager
    def _world(self, change: "Change") -> Iterator[None]:
        """Let strategies that look find a history that is changed like the bars; all else of the state is as it is."""
        from store.bars.parquet import ParquetBars  # noqa: PLC0415

        history, state = paths(self.config, os.environ).history, own_state(os.environ)
        store = ParquetBars(history)
        with tempfile.TemporaryDirectory(prefix="patang-check-") as folder:
            place = Path(folder) / state.name
            place.mkdir()
            for path in state.iterdir():
                if not history.is_relative_to(path):
                    (place / path.name).symlink_to(path)
            changed = ParquetBars(place / history.relative_to(state))
            kinds: dict[tuple[str, int], dict[str, BarSeries]] = {}
            for each in store.contents():
                bars = store.columns(each.symbol, each.span, 0, 2**62, each.version)
                kinds.setdefault((each.version, each.span), {})[each.symbol] = bars
            for (version, span), series in kinds.items():
                for symbol, bars in change(series).items():
                    if len(bars.start):
                        changed.write_columns(symbol, span, version, bars)
            was, there = os.environ.get(STATE), own_modules()
            os.environ[STATE] = folder
            for name in there:
                del sys.modules[name]  # what they have read stays with them
            try:
                yield
            finally:
                for name in own_modules():
                    del sys.modules[name]
                sys.modules.update(there)
                if was is None:
                    del os.environ[STATE]
                else:
                    os.environ[STATE] = was


def own_modules() -> dict[str, ModuleType]:
    """Return the modules that are the user's own: neither Python's, nor installed, nor ours."""
    others = (sys.prefix, sys.base_prefix, str(ROOT))
    return {
        name: module
        for name, module in sys.modules.items()
        if name != "__main__" and (file := getattr(module, "__file__", None)) and not str(file).startswith(others)
    }


# what is said


def as_json(checking: Checking, found: "Sequence[BiasFinding]") -> str:
    """Return the findings as one line of JSON."""
    from engine.backtest.linter import verdict  # noqa: PLC0415

    return json.dumps({
        "strategies": {name: table for name, _, table in checking.tables}, "verdict": verdict([each.finding for each in found]),
        "about": checking.about, "warnings": checking.warnings, "stopped": checking.stopped, "moments": checking.moments, "seed": checking.seed, "tests": [each.as_dict() for each in found],
    }, default=str)  # fmt: skip


def show(found: "Sequence[BiasFinding]", about: str, warnings: Sequence[str], console: "Console | None" = None) -> None:
    """Print the verdict, what was run, and a table of what each test has found."""
    from rich.console import Console  # noqa: PLC0415

    from tui.backtest_report import Remarks, findings_table, verdict_line  # noqa: PLC0415

    out = console or Console(highlight=False, markup=False, emoji=False)
    findings = [each.finding for each in found]
    out.print(verdict_line(findings))
    out.print(Remarks(about, warnings))
    out.print()
    out.print(findings_table("Bias", findings))
