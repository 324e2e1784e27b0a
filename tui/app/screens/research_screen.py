"""The research screen: what was tried, what runs, and the result under the cursor by tabs."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final

from textual import events

from engine.board_rows import Board
from engine.errors import PatangError
from engine.indian_time import IST
from tui.app.panes.result_picture import ResultPictureView
from tui.app.panes.results_pane import ResultsPaneView, TabTableView
from tui.app.research_port import (
    TABS,
    JobRequest,
    ResearchPort,
    ResultRow,
    ResultTab,
    ResultTable,
    TabRequest,
    TabRow,
)
from tui.app.screens.dialog_set import DialogSet
from tui.app.screens.modal_dialogs import EntryField
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.research_form import ResearchForm
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell
from tui.app.widgets.picture_table import PictureTable
from tui.app.widgets.theme import ToneStyles

_REST: Final = 2
"""Frames the cursor stands still before a tab of its row is asked for."""
_LOOK: Final = 20
"""Frames between two looks at the list while something runs."""
_CALM: Final = 50
"""The same while nothing does: a backtest of a shell may have been kept."""
_SOON: Final = 4
"""Frames that a tab may stand while the one that is wanted instead is read."""
_PATIENCE_S: Final = 1.0
"""How long leaving waits for the list."""
_LEAST: Final = 8
"""Lines of the list, with title and heads."""
_KEPT: Final = 24
"""Tabs that are kept, so that going back shows them at once."""
_DAY: Final = 86_400_000_000_000
DAYS: Final = ("all days", "the last day before today", "today")
"""Choices of the days of closed trades."""


class ResultsTable(LiveTable[ResultRow]):
    """The list of results; a copy is the number of a run, or the name of a sweep."""

    def action_copy_row(self) -> None:
        """Copy what the shell knows the row by."""
        row = self.chosen
        if row is not None:
            name = row.key.partition(" ")[2] or row.key
            self.app.copy_to_clipboard(name)
            self.notify(f"copied: {name}", markup=False)


class TabTable(LiveTable[TabRow]):
    """A tab as a table, whose columns change with it."""

    def show_columns(self) -> None:
        """Lay the columns of another tab out, from its first row on."""
        self._columns = list(self.view.columns)
        # rows of before have other cells than these columns: none until the next frame
        self._all = self._rows = ()
        self._version = -1
        # the width it was laid out for is that of other columns
        self._width = -1
        self._lines.clear()
        self.cursor = 0
        self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self.refresh()


class ResearchScreen(PanedScreen):
    """Screen 7."""

    BINDINGS = [*PanedScreen.BINDINGS, *scope_bindings("research")]  # noqa: RUF012 - as Textual declares it
    AUTO_FOCUS = "#results"
    DEFAULT_CSS = """
    ResearchScreen #research-panes { height: 1fr; layout: vertical; }
    ResearchScreen #pane-result, ResearchScreen #pane-picture { height: 1fr; }
    """

    def __init__(
        self,
        mode: str,
        tones: Callable[[], ToneStyles],
        dialogs: DialogSet,
        reader: ResearchPort,
    ) -> None:
        self._list = ResultsPaneView()
        self._table = TabTableView()
        self._picture = ResultPictureView()
        self._tab_table = TabTable(self._table, tones)
        super().__init__(
            mode,
            tones,
            [
                ResultsTable(self._list, tones),
                self._tab_table,
                PictureTable(self._picture, tones),
            ],
            "results",
            "research-panes",
        )
        self._dialogs = dialogs
        self._reader = reader
        self._detail = "picture"
        """The pane that shows the tab: a table or a picture."""
        self._tabs: dict[str, str] = {}
        """The tab that is open, by the kind of row."""
        self._pointed: ResultRow | None = None
        self._moved_at = 0
        self._shown: TabRequest | None = None
        self._awaited: TabRequest | None = None
        self._awaited_since = 0
        self._axes = {"across": "", "down": "", "metric": ""}
        self._trade = ""
        """The trade that is charted; empty: none."""
        self._days = 0
        self._kept: dict[TabRequest, ResultTab] = {}
        self._looked_at = -_CALM
        self._number = 0
        self._board: Board | None = None
        self._reading: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def scopes(self) -> set[str]:
        """The keys of the screen, and those of its picture."""
        own = {"picture"} if self._current == "picture" else set()
        return super().scopes | {"research"} | own

    def on_resize(self, event: events.Resize) -> None:
        """Make room on a low terminal."""
        self.set_class(event.size.height < 30, "-low")

    def on_mount(self) -> None:
        """Show the list and an empty picture."""
        self.look_at("results")

    async def on_unmount(self) -> None:
        """Let the process that reads results end in order."""
        await self._reader.close()

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        if name != "results":
            self._detail = name
        for each, pane in self.panes.items():
            shown = each in {"results", self._detail}
            pane.display = each == name if self._zoomed else shown

    def action_pane(self, step: int) -> None:
        """Go from the list to the tab, and back."""
        del step
        self.turn_to(self._detail if self._current == "results" else "results")

    async def ending_jobs(self) -> list[str]:
        """Return what runs and ends with the screen: its strategy, and how far it is."""
        if any(row.ends for row in self._list.all):
            # the list is as old as the last look at it: what is over is no reason to ask
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._read_rows(), _PATIENCE_S)
        return [f"{row.name} {100 * row.share:.0f} %" for row in self._list.all if row.ends]

    # frames

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame; what is read is read beside the loop."""
        self._number, self._board = frame.number, frame.board
        super().draw(frame)
        self._fit_list()
        every = _LOOK if any(row.runs for row in self._list.all) else _CALM
        if frame.number - self._looked_at >= every and not frame.frozen:
            self._looked_at = frame.number
            self._begin_task("rows", self._read_rows())
        row = self._chosen_row
        if row is not None and (self._pointed is None or row != self._pointed):
            if self._pointed is None or row.key != self._pointed.key:
                self._moved_at = frame.number
                self._trade = ""
            self._pointed = row
            self._show_tabs()
        # while the cursor runs through the list nothing is read
        if self._pointed is not None and frame.number - self._moved_at >= _REST:
            wanted = self._wanted_tab(self._pointed)
            if wanted != self._shown:
                self._await_tab(wanted, frame.number)

    def _fit_list(self) -> None:
        """Give the list the lines that it needs, two fifths of the screen at most."""
        pane, box = self.panes["results"], self._panes
        room = max(box.size.height * 2 // 5, _LEAST)
        wanted = min(max(len(self._list.all) + 2, _LEAST), room)
        height = "1fr" if self._zoomed else wanted
        if pane.styles.height is None or str(pane.styles.height) != str(height):
            pane.styles.height = height

    @property
    def _chosen_row(self) -> ResultRow | None:
        table: LiveTable[Any] = self.panes["results"].table
        row: ResultRow | None = table.chosen
        return row

    def _wanted_tab(self, row: ResultRow) -> TabRequest:
        tab = self._open_tab(row)
        asked = TabRequest(row.key, tab)
        # what a tab depends on is part of its request: another mark is another tab
        if tab == "compare":
            asked = TabRequest(row.key, tab, other=self._list.marked)
        elif tab == "map":
            asked = TabRequest(row.key, tab, **self._axes)
        elif tab == "trades" and self._trade:
            asked = TabRequest(row.key, tab, trade=self._trade)
        return asked

    def _open_tab(self, row: ResultRow) -> str:
        tabs = TABS.get(row.kind, ("output",))
        tab = self._tabs.get(row.kind, tabs[0])
        return tab if tab in tabs else tabs[0]

    def _show_wanted(self, wanted: TabRequest) -> None:
        kept = self._kept.get(wanted)
        row = self._pointed
        if row is not None and row.kind == "fault":
            # there is no result behind it: its own words are all there is
            kept = ResultTable("what the list says", [], [], row.state)
        if kept is not None:
            self._shown = wanted
            self._show_content(kept)
        elif f"tab {wanted}" not in self._reading:
            self._begin_task(f"tab {wanted}", self._read_tab(wanted))

    def _await_tab(self, wanted: TabRequest, number: int) -> None:
        if wanted != self._awaited:
            self._awaited, self._awaited_since = wanted, number
        self._show_wanted(wanted)
        # figures of one result must not stand for long under the name of another
        if wanted != self._shown and number - self._awaited_since >= _SOON:
            self._shown = None
            self._picture.say("reading ...")
            self._turn_detail("picture")

    def _begin_task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin a task, unless one of that name is at work."""
        if name in self._reading:
            work.close()
            return
        self._reading.add(name)
        task = asyncio.get_running_loop().create_task(work)
        # The loop keeps only a weak reference.
        self._tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            self._reading.discard(name)

        task.add_done_callback(ended)

    async def _read_rows(self) -> None:
        try:
            rows = await self._reader.rows()
        except PatangError as error:
            rows = [ResultRow("fault", "fault", "", "results", state=str(error), tone="danger")]
        if rows is None:
            # what runs has more to tell than its row
            rows = self._list.all
        before = {row.key: row for row in self._list.all}
        for row in rows:
            if row.runs or before.get(row.key) != row or row.kind == "desk":
                self._drop_tabs(row.key)
        if rows is not self._list.all:
            self._list.show_rows(rows)

    def _drop_tabs(self, key: str) -> None:
        """Read the tabs of a row anew: it has changed."""
        self._kept = {asked: tab for asked, tab in self._kept.items() if asked.key != key}
        # a study of a sweep that runs would keep a core at work: it is made when it is asked for
        if self._shown is not None and self._shown.key == key and self._shown.tab != "luck":
            self._begin_task(f"tab {self._shown}", self._read_tab(self._shown))

    async def _read_tab(self, wanted: TabRequest) -> None:
        try:
            found = await self._reader.tab(wanted)
        except PatangError as error:
            # not kept: the next look asks again
            found = ResultTable(str(error), [], [], str(error))
        else:
            self._kept[wanted] = found
            while len(self._kept) > _KEPT:
                self._kept.pop(next(iter(self._kept)))
        # the cursor may have gone on meanwhile
        if self._pointed is not None and self._wanted_tab(self._pointed) == wanted:
            self._shown = wanted
            self._show_content(found)

    # the tab

    def _show_content(self, content: ResultTab) -> None:
        if isinstance(content, ResultTable):
            # the cursor stays on its row where the same tab comes again
            fresh = (content.title, content.columns) != (
                self._table.table.title,
                self._table.table.columns,
            )
            self._table.show_table(self._days_of(content))
            if fresh:
                self._tab_table.show_columns()
            self._turn_detail("result")
        else:
            self._picture.show_content(content)
            self._turn_detail("picture")
        self._show_tabs()

    def _turn_detail(self, name: str) -> None:
        if name == self._detail:
            return
        focused = self._current == self._detail
        self._detail = name
        # the focus stays in the list, where it was there
        if focused:
            self.turn_to(name)
        else:
            self.look_at(self._current)

    def _show_tabs(self) -> None:
        row = self._pointed
        if row is None:
            return
        open_tab = self._open_tab(row)
        # brackets besides the ink: without colours the open one has to be seen
        tabs = [
            PaneCell(f"[{tab}]", "focus") if tab == open_tab else PaneCell(tab, "faint")
            for tab in TABS.get(row.kind, ())
            if tab != "compare" or self._list.marked
        ]
        self._table.tabs = self._picture.tabs = tabs

    def _days_of(self, table: ResultTable) -> ResultTable:
        """Return a table of trades with those of the days that are wanted."""
        row, board = self._pointed, self._board
        if row is None or board is None or not self._days or self._open_tab(row) != "trades":
            return table
        # the desk's clock, not the machine's: a replay has its own today
        today = _day_of(board.header.now)
        days = {_day_of(each.ts) for each in table.rows}
        wanted = (
            today
            if DAYS[self._days] == "today"
            else max((d for d in days if d < today), default=-1)
        )
        rows = [each for each in table.rows if _day_of(each.ts) == wanted]
        title = f"{len(rows)} of {DAYS[self._days]}, the worst first"
        return ResultTable(title, table.columns, rows, f"none of {DAYS[self._days]}")

    # keys

    def action_tab(self, step: int) -> None:
        """Show the next tab, or the one before."""
        row = self._pointed
        if row is None:
            return
        tabs = [t for t in TABS.get(row.kind, ("output",)) if t != "compare" or self._list.marked]
        at = tabs.index(self._open_tab(row)) if self._open_tab(row) in tabs else 0
        self._tabs[row.kind] = tabs[(at + step) % len(tabs)]
        self._trade = ""
        self._tab_table.filter("")
        self._show_tabs()
        self._moved_at = 0

    def on_live_table_row_opened(self, message: LiveTable.RowOpened) -> None:
        """Open what stands under the cursor: a result, a trade, the trials of a cell."""
        message.stop()
        row: Any = message.row
        if message.view == "results":
            self.turn_to(self._detail)
        elif message.view == "picture" and (point := self._picture.pointed_point):
            self._show_trials(point)
        elif isinstance(row, TabRow) and row.ts and self._tab_name == "trades":
            self._trade = row.key

    @property
    def _tab_name(self) -> str:
        return self._open_tab(self._pointed) if self._pointed is not None else ""

    def _show_trials(self, point: dict[str, str]) -> None:
        # a symbol stands alone in its column, parameters as name=value
        symbol = point.pop("symbol", "")
        words = [*(f"{name}={value}" for name, value in point.items()), symbol.lower()]
        self._tabs["sweep"] = "trials"
        self._tab_table.filter(" ".join(words))

    def back(self) -> bool:
        """Leave the trade, the cross-hair, the filter or the zoom; return whether there was any."""
        if self._trade:
            self._trade = ""
            return True
        return self._picture.drop_cursor() or super().back()

    def action_which(self) -> None:
        """Show other rows: of the list by kind, of trades by day."""
        if self._current == "results" or self._tab_name != "trades":
            self._list.turn_which()
            return
        self._days = (self._days + 1) % len(DAYS)
        kept = self._kept.get(self._shown) if self._shown is not None else None
        if isinstance(kept, ResultTable):
            self._show_content(kept)

    def action_axis(self, way: str) -> None:
        """Take the next parameter for an axis of the map."""
        content = self._picture.content
        axes = getattr(content, "axes", [])
        if len(axes) < 2:
            return
        used = {"across": content.across, "down": content.down}  # type: ignore[union-attr]
        other = used["down" if way == "across" else "across"]
        at = axes.index(used[way]) if used[way] in axes else -1
        found = axes[(at + 1) % len(axes)]
        # the two change places where the next one is taken
        self._axes |= used
        if found == other:
            # two axes of one parameter would be a diagonal
            self._axes["down" if way == "across" else "across"] = used[way]
        self._axes[way] = found

    def action_figure(self, step: int) -> None:
        """Take the next figure of the map, or the one before."""
        metrics = getattr(self._picture.content, "metrics", [])
        if metrics:
            at = metrics.index(self._picture.content.metric)  # type: ignore[union-attr]
            self._axes["metric"] = metrics[(at + step) % len(metrics)]

    def action_compare(self) -> None:
        """Mark a backtest, or compare this one with the marked one."""
        row = self._chosen_row
        if row is None or row.kind != "backtest":
            self._show_warning("only backtests can be compared")
        elif row.key == self._list.marked:
            self._list.mark("")
            self._show_tabs()
        elif not self._list.marked:
            self._list.mark(row.key)
            self._show_tabs()
            self.notify("marked: v on another backtest compares the two", markup=False)
        else:
            self._tabs["backtest"] = "compare"
            self._show_tabs()

    def action_new(self, kind: str) -> None:
        """Open the form of a job, with what the row under the cursor says, or the last one."""
        form = self._dialogs.modal(ResearchForm)
        # At once: letters that are typed behind the key would be keys of this screen.
        form.prepare(kind, self._pointed_fields(kind), self._start_checked)
        self._dialogs.open_dialog(form, self._job_begun)
        self._begin_task(f"offer {kind}", self._read_offer(form, kind))

    async def _read_offer(self, form: ResearchForm, kind: str) -> None:
        try:
            offer = await self._reader.offer(kind)
        except PatangError as error:
            self._show_warning(str(error))
            return
        form.take_offer(kind, offer)

    def _pointed_fields(self, kind: str) -> dict[str, str]:
        """Return what a row says of a job like it."""
        row = self._pointed
        if row is None or row.kind not in {"backtest", "sweep", "check"}:
            return {}
        found = {"strategy": row.name.partition(",")[0]}
        trial: Any = self._tab_table.chosen
        if (
            kind == "backtest"
            and self._current == "result"
            and self._tab_name == "trials"
            and isinstance(trial, TabRow)
        ):
            found |= {"settings": trial.texts[0], "symbols": trial.symbol}
        return found

    async def _start_checked(self, request: JobRequest) -> str:
        told = await self._reader.check(request)
        await self._reader.start(request)
        return told

    def _job_begun(self, told: str | None) -> None:
        if told:
            self.notify(f"begun: {told}", markup=False)
            self._look_soon()

    def _look_soon(self) -> None:
        self._looked_at = -_CALM

    def action_stop_or_remove(self) -> None:
        """Ask whether to stop what runs, or to remove what does not."""
        row = self._chosen_row
        if row is None or row.kind in {"desk", "fault"}:
            return
        name = row.key.partition(" ")[2]
        # its process is not known here: only its lock is
        if row.runs and not row.job:
            self._show_warning("it was started elsewhere: ctrl-c there stops it")
        elif row.runs:
            self._dialogs.ask_question(
                f"Stop {row.name}?",
                "It ends in order, as by ctrl-c: what is done is kept.",
                "Stop it",
                lambda: self._order_act("stop", row.key, row.job),
                keep="Let it run",
            )
        else:
            self._dialogs.ask_question(
                f"Remove this {row.kind}?",
                f"{name}\n{row.name}, {row.symbols} {row.first} {row.last}".strip()
                + "\nIt cannot be brought back.",
                "Remove it",
                lambda: self._order_act("remove", row.key),
            )

    def action_note(self) -> None:
        """Ask for a note on a backtest."""
        row = self._chosen_row
        if row is None or row.kind != "backtest":
            self._show_warning("only backtests carry a note")
            return
        self._dialogs.ask_entry(
            f"A note on {row.key.partition(' ')[2]}",
            row.note or "none yet; an empty one drops it",
            [EntryField("note", "what was tried, and what came of it")],
            lambda texts: "it is longer than 200 letters" if len(texts[0]) > 200 else "",
            lambda texts: self._order_act("note", row.key, texts[0]),
        )

    def action_report(self) -> None:
        """Write the result as a page."""
        row = self._chosen_row
        if row is None or row.kind not in {"backtest", "sweep"}:
            self._show_warning("only backtests and sweeps have a report")
            return
        self.notify("the report is being written ...", markup=False)
        self._order_act("report", row.key)

    def action_bias(self) -> None:
        """Begin a bias check of what the result was made of."""
        row = self._chosen_row
        if row is None or row.kind != "backtest":
            self._show_warning("a bias check takes a backtest")
            return
        self._order_act("check", row.key)

    def _order_act(self, verb: str, key: str, text: str = "") -> None:
        self._begin_task(f"{verb} {key}", self._run_act(verb, key, text))

    async def _run_act(self, verb: str, key: str, text: str) -> None:
        try:
            told = await self._reader.act(verb, key, text)
        except PatangError as error:
            self._show_warning(str(error))
            return
        self.notify(told, markup=False)
        self._look_soon()

    def _show_warning(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)


def _day_of(ts: int) -> int:
    """Return the number of a moment's day in IST."""
    return (ts + IST) // _DAY
