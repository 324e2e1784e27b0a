"""The Ops screen: pulses, and behind tabs the feed, times, jobs, data, letters and logs."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType

from engine.board_rows import EventRow, LatencyRow, PulseRow
from engine.system.structured_logs import LogLine, read_log
from engine.texts import plain_text
from tui.app.desk_port import DeskPort
from tui.app.panes.ops.feed_pane import FeedPaneView
from tui.app.panes.ops.listed_pane import ListedRow
from tui.app.panes.ops.log_pane import LogPaneView
from tui.app.panes.ops.pulses_pane import PulsesPaneView, pulse_text
from tui.app.panes.ops.times_pane import TimesPaneView, times_text
from tui.app.screens.dialog_set import DialogSet
from tui.app.screens.ops.child_command import ChildAnswer, child_answer, start_child
from tui.app.screens.ops.listed_sources import ListedSource, listed_sources, note_of
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell
from tui.app.widgets.tab_strip import TabStrip
from tui.app.widgets.theme import ToneStyles

WIDE: Final = 160
"""Cells from which the pulses and another pane stand side by side."""
HIGH: Final = 34
"""Lines from which they stand one above the other."""
LINES_KEPT: Final = 5_000
_AGAIN: Final = 100
"""Frames between two readings of a list in sight, and of the log ten times as often."""
_BAR: Final = 40


class ProbeTable(LiveTable[ListedRow]):
    """A list that a key has read, or run."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("probes"))


class LogTable(LiveTable[EventRow]):
    """The log, with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("log"))


class OpsScreen(PanedScreen):
    """Screen 8."""

    AUTO_FOCUS = "#pulses"
    DEFAULT_CSS = """
    OpsScreen #ops-panes { height: 1fr; layout: vertical; }
    OpsScreen #ops-panes.-wide {
        layout: grid; grid-size: 2 2; grid-columns: 1fr 1fr; grid-rows: 1fr 1fr; grid-gutter: 0 1;
        #pane-pulses { row-span: 2; }
    }
    OpsScreen #ops-panes Pane { height: 1fr; }
    OpsScreen #ops-panes.-wide Pane { height: 100%; }
    OpsScreen #ops-panes.-high #pane-pulses { height: 3fr; }
    OpsScreen #ops-panes.-high Pane { height: 2fr; }
    """

    def __init__(
        self, mode: str, face: DeskPort, tones: Callable[[], ToneStyles], dialogs: DialogSet
    ) -> None:
        self._pulses = PulsesPaneView()
        self._log = LogPaneView()
        self._sources = listed_sources()
        probes = {name: ProbeTable(each.view, tones) for name, each in self._sources.items()}
        tables: list[LiveTable[Any]] = [
            LiveTable(self._pulses, tones),
            probes["doctor"],
            LiveTable(FeedPaneView(), tones),
            LiveTable(TimesPaneView(), tones),
            probes["jobs"],
            probes["data"],
            probes["letters"],
            LogTable(self._log, tones),
        ]
        super().__init__(mode, tones, tables, "pulses", "ops-panes")
        self._tabs = TabStrip([(table.view.name, table.view.title) for table in tables], tones)
        self._face = face
        self._dialogs = dialogs
        self._beside = "log"
        """The pane that is seen beside the pulses where there is room for two."""
        self._frame = 0
        self._read_at: dict[str, int] = {}
        self._log_read = 0
        self._reading: dict[str, asyncio.Task[None]] = {}

    def _above_panes(self) -> ComposeResult:
        yield self._tabs

    @property
    def scopes(self) -> set[str]:
        """The keys in reach: `s` where something can be run, `f` and `v` in the log."""
        probes = {"probes"} if self._current in {"doctor", "jobs"} else set()
        return super().scopes | probes

    # panes

    def on_resize(self, event: events.Resize) -> None:
        """Choose the arrangement for the size."""
        self.set_class(event.size.height < 30, "-low")
        self._arrange_panes(event.size.width, event.size.height)

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        if name != "pulses":
            self._beside = name
        self._arrange_panes(self.size.width, self.size.height)

    def _arrange_panes(self, width: int, height: int) -> None:
        wide = width >= WIDE and not self._zoomed
        high = height >= HIGH and not self._zoomed and not wide
        self._panes.set_class(wide, "-wide")
        self._panes.set_class(high, "-high")
        seen = {self._current, "pulses", self._beside} if wide or high else {self._current}
        # Side by side there is room for a third: the log, or above it the feed.
        seen |= {"log", "feed" if self._beside == "log" else self._beside} if wide else set()
        for name, pane in self.panes.items():
            pane.display = name in seen

    @on(TabStrip.TabChosen)
    def _tab_chosen(self, message: TabStrip.TabChosen) -> None:
        self.turn_to(message.name)

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame; what stands on no board is read beside the loop."""
        self._frame = frame.number
        self._pulses.lag = frame.lag
        super().draw(frame)
        states = {row.state for row in frame.board.pulses.rows[:]}
        tone = "danger" if "wrong" in states else "notice" if "attention" in states else ""
        marks = {"pulses": tone} if tone else {}
        marks |= {
            name: "notice"
            for name, source in self._sources.items()
            if any(row.ill for row in source.view.shown)
        }
        self._tabs.show_tabs(self._current, marks)
        if frame.frozen:
            return
        for name, source in self._sources.items():
            if self.panes[name].display and not source.asked and self._is_due(name, _AGAIN):
                self._read_list(source)
        if self._log.from_file and self.panes["log"].display and self._is_due("log", _AGAIN // 10):
            self._begin_reading("log", self._read_log(frame.board.places.log))

    def _is_due(self, name: str, frames: int) -> bool:
        due = self._frame - self._read_at.get(name, -frames) >= frames
        if due:
            self._read_at[name] = self._frame
        return due

    # reading, beside the loop

    def _begin_reading(self, name: str, work: Any) -> None:
        # One at a time of each: a slow machine would pile them up.
        under_way = self._reading.get(name)
        if under_way is not None and not under_way.done():
            work.close()
            return
        self._reading[name] = asyncio.get_running_loop().create_task(work)

    def on_screen_suspend(self, event: events.ScreenSuspend) -> None:
        """Begin with the lists anew when the screen is looked at again."""
        del event
        self._read_at.clear()

    def on_unmount(self) -> None:
        """End what is being read: the processes go with it."""
        for task in self._reading.values():
            task.cancel()

    def _read_list(self, source: ListedSource) -> None:
        self._begin_reading(source.view.name, self._show_list(source))

    async def _show_list(self, source: ListedSource) -> None:
        view = source.view
        # A list that is read again stays as it is meanwhile, without a word that comes and goes.
        if not view.shown or source.asked:
            view.note = PaneCell("reading …", "notice")
        answer = await self._command_answer(source.words(self._face.board))
        rows = source.rows(answer)
        view.show_rows(rows, note_of(answer, rows))

    async def _command_answer(self, words: list[str]) -> ChildAnswer:
        return await child_answer([*words, *self._face.command_options])

    async def _read_log(self, path: str) -> None:
        lines = self._log.lines
        try:
            # a slow disk must not hold up the screen
            fresh = await asyncio.to_thread(read_log, Path(path), self._log_read)
        except OSError as error:
            self._log.show_lines([LogLine(0, 0, "warn", f"{path}: {error.strerror}", path)])
            self._log_read = 0
            return
        if fresh:
            # Another file by the same name begins at its own beginning.
            lines = lines if lines and fresh[0].number > lines[-1].number else []
            # The last byte that is known: what follows it is new.
            self._log_read = fresh[-1].number + 1
            self._log.show_lines([*lines, *fresh][-LINES_KEPT:])

    # keys

    def action_probe(self) -> None:
        """Examine, or run the job under the cursor."""
        row = self.current.table.chosen
        if self._current == "doctor":
            self._read_list(self._sources["doctor"])
        elif self._current == "jobs" and isinstance(row, ListedRow):
            body = f"{row.whole}\n\nIt runs beside the desk, and its output is kept."
            self._dialogs.ask_question(
                f"Run {row.key} now?",
                body,
                "Run it",
                lambda: self._run_job(row.key),
                keep="Not now",
            )

    def _run_job(self, name: str) -> None:
        self._begin_reading(f"job {name}", self._start_job(name))

    async def _start_job(self, name: str) -> None:
        words = ["jobs", "run", name, *self._face.command_options]
        try:
            # Nobody reads what it says: it keeps that itself, and outlives this screen.
            process = await start_child(words, asyncio.subprocess.DEVNULL)
        except OSError as error:
            self.notify(f"{name}: {error}", severity="error", markup=False)
            return
        self.notify(f"{name} runs", markup=False)
        self._read_at.pop("jobs", None)
        code = await process.wait()
        self._read_at.pop("jobs", None)
        told = "is done" if code == 0 else f"ended with code {code}: enter shows what it said"
        self.notify(f"{name} {told}", severity="information" if code == 0 else "warning")

    def action_log_level(self) -> None:
        """Show all of the log, warnings, or alarms."""
        self._log.turn_level()

    def action_log_source(self) -> None:
        """Turn from the events to the log file, or back."""
        self._log.turn_source()
        self._read_at.pop("log", None)

    def on_live_table_row_opened(self, message: LiveTable.RowOpened) -> None:
        """Show a row whole; the feed's rows are charted, as those of every other list."""
        row = message.row
        if isinstance(row, PulseRow):
            title, body = row.name, pulse_text(row)
        elif isinstance(row, LatencyRow):
            width = min(_BAR, max(self.size.width - 40, 8))
            title, body = row.name, times_text(row, width)
        elif isinstance(row, EventRow):
            title, body = row.level, self._log.whole_text(row)
        elif isinstance(row, ListedRow):
            title, body = row.key, row.whole
            further = {"letters": ["letters", "show", row.key], "jobs": ["jobs", "log", row.key]}
            if message.view in further:
                head = f"{body}\n" if message.view == "jobs" else ""
                work = self._show_whole(title, head, further[message.view])
                self._begin_reading("whole", work)
                message.stop()
                return
        else:
            return
        message.stop()
        self._show_text(title, body)

    async def _show_whole(self, title: str, head: str, words: list[str]) -> None:
        database = self._face.board.places.database
        if words[0] == "letters" and database:
            words = [*words, "--database", database]
        answer = await self._command_answer(words)
        self._show_text(title, "\n".join(filter(None, (head, answer.said or answer.complaint))))

    def _show_text(self, title: str, body: str) -> None:
        lines = map(plain_text, body.splitlines())
        self._dialogs.explain(title, Text("\n".join(lines)))
