"""A pane: one line of title, a live table, and a filter field while one is wanted."""

from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from engine.board_rows import Board
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell
from tui.app.widgets.theme import ToneStyles


class PaneTitle(Widget):
    """A pane's title with its summary; it lights up with the focus."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "PaneTitle { height: 1; width: 100%; background: $panel; }"

    def __init__(self, text: str, tones: Callable[[], ToneStyles]) -> None:
        super().__init__()
        self._text = text
        self._tones = tones
        self._lit = False
        self._parts: list[PaneCell] = []

    def show_summary(self, parts: list[PaneCell], lit: bool) -> None:
        """Show a summary, lit when the pane has the focus."""
        if (parts, lit) != (self._parts, self._lit):
            self._parts, self._lit = parts, lit
            self.refresh()

    def render(self) -> Text:
        """Render the title."""
        tones = self._tones()
        text = Text(no_wrap=True, overflow="ellipsis", end="")
        text.append("▎", tones.ink("focus" if self._lit else "faint"))
        text.append(self._text, tones.ink("focus" if self._lit else "title"))
        for part in self._parts:
            text.append("  ")
            text.append(part.text, tones.ink(part.tone))
        return text


class Pane(Vertical):
    """One view with its title and its filter."""

    DEFAULT_CSS = """
    Pane {
        background: $surface;
        Input { height: 1; border: none; padding: 0 1; background: $panel; }
        Input:focus { border: none; }
    }
    """

    def __init__(self, table: LiveTable[Any], tones: Callable[[], ToneStyles]) -> None:
        super().__init__(id=f"pane-{table.view.name}")
        self.table = table
        self._title = PaneTitle(table.view.title, tones)

    def compose(self) -> ComposeResult:
        """Stack title and table."""
        yield self._title
        yield self.table

    def pull(self, board: Board, frame: int, *, frozen: bool) -> None:
        """Take one frame; a frozen pane only keeps its title's light."""
        # held still for reading: the engine goes on, and the light of the focus with it
        if not frozen:
            self.table.pull(board, frame)
        view = self.table.view
        # A count of what nobody has read yet would be a lie.
        known = not view.of_desk or board.header.state != "starting"
        summary = view.summary(board) if known else []
        if frozen:
            summary = [PaneCell("frozen", "notice")]
        table, shown = self.table, len(self.table.rows)
        if table.wanted:
            hits = f"/{table.wanted} {shown} of {table.total}"
            summary = [*summary, PaneCell(hits, "notice")]
        if self.has_focus_within and shown:
            summary = [*summary, PaneCell(f"row {table.cursor + 1} of {shown}", "faint")]
        self._title.show_summary(summary, self.has_focus_within)

    def ask_filter(self) -> None:
        """Open the filter field, or go back to it."""
        fields = self.query(Input)
        if fields:
            fields.first().focus()
            return
        field = Input(
            self.table.wanted,
            placeholder="filter: enter keeps it, esc drops it",
            select_on_focus=False,
        )
        self.mount(field)
        field.focus()

    def end_sort(self) -> bool:
        """Give the rows their own order back; return whether they had another."""
        there = self.table.order is not None
        if there:
            self.table.sort_by(None)
        return there

    def end_filter(self) -> bool:
        """Drop the filter and its field; return whether there was one."""
        there = bool(self.table.wanted) or bool(self.query(Input))
        # escape drops it, whether it was typed already or not
        self.query(Input).remove()
        self.table.filter("")
        self.table.focus()
        return there

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.table.filter(event.value)

    @on(Input.Submitted)
    def _filter_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        event.input.remove()
        self.table.focus()
