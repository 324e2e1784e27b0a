"""A list that is read beside the board: doctor, jobs, data, dead letters."""

from collections.abc import Sequence
from typing import NamedTuple

from engine.board_rows import Board
from engine.numbers import count
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View


class ListedRow(NamedTuple):
    """One row as it was read: its cells, and all there is to say about it."""

    key: str
    cells: tuple[PaneCell, ...]
    whole: str
    ill: bool = False
    """Whether it needs an eye."""


class ListedPaneView(View[ListedRow]):
    """Rows that somebody else brings; until then `empty` says how."""

    of_desk = False

    def __init__(
        self, name: str, title: str, help: str, columns: tuple[PaneColumn, ...], empty: str
    ) -> None:
        self.name, self.title, self.help = name, title, help
        self.columns, self.empty = columns, empty
        self.shown: list[ListedRow] = []
        self.note = PaneCell("")
        """What stands beside the title: that it is being read, or why it could not be."""
        self._changes = 0

    def show_rows(self, rows: Sequence[ListedRow], note: PaneCell) -> None:
        """Show other rows."""
        self.note = note
        # The same again must not repaint everything.
        if list(rows) != self.shown:
            self.shown = list(rows)
            self._changes += 1

    def version(self, board: Board) -> int:
        """Return how often the rows have changed."""
        del board
        return self._changes

    def rows(self, board: Board) -> Sequence[ListedRow]:
        """Return the rows."""
        del board
        return self.shown

    def attention(self, row: ListedRow) -> bool:
        """Return whether it needs an eye."""
        return row.ill

    def search_text(self, row: ListedRow) -> str:
        """Return all there is of it."""
        return f"{' '.join(cell.text for cell in row.cells)} {row.whole}".lower()

    def cells(self, row: ListedRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one row."""
        del now, widths
        return row.cells

    def summary(self, board: Board) -> list[PaneCell]:
        """Count the rows, and say what was said about them."""
        del board
        parts = [PaneCell(count(len(self.shown)), "dim")] if self.shown else []
        return [*parts, self.note] if self.note.text else parts
