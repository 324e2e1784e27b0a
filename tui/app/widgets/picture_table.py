"""A pane that is a drawing: focus, title and keys of a list, and no rows to be seen."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.strip import Strip

from engine.board_rows import Board
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import View
from tui.app.widgets.theme import ToneStyles

PictureRow = tuple[object, ...]


class PictureView(View[PictureRow]):
    """A view that draws itself; `changes` grows whenever it would look otherwise."""

    of_desk = False
    changes = 0

    def version(self, board: Board) -> int:
        """Return how often it has changed."""
        del board
        return self.changes

    def rows(self, board: Board) -> Sequence[PictureRow]:
        """Return no rows: there is nothing to go through line by line."""
        del board
        return ()

    def strips(self, width: int, height: int, tones: ToneStyles) -> list[Strip]:
        """Return the drawing in a size."""
        raise NotImplementedError

    def figures(self) -> tuple[list[str], list[list[str]]]:
        """Return what is drawn as heads and rows of texts, for a file."""
        return [], []

    def move(self, across: int, down: int) -> None:
        """Move the cursor by cells."""


class PictureTable(LiveTable[PictureRow]):
    """Show a `PictureView`; what moves a list's cursor moves the drawing's."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("picture"))
    DEFAULT_CSS = "PictureTable { overflow-y: hidden; scrollbar-gutter: auto; }"

    def __init__(self, view: PictureView, tones: Callable[[], ToneStyles]) -> None:
        super().__init__(view, tones)
        self.picture = view
        self._made_of: tuple[int, Size] = (-1, Size(0, 0))
        self._strips: list[Strip] = []
        self._colours = tones

    @property
    def rows(self) -> Sequence[PictureRow]:
        """The figures behind the drawing, for a file; none of them is a line to go to."""
        return [tuple(row) for row in self.picture.figures()[1]]

    def texts(self, row: PictureRow) -> list[str]:
        """Return the texts of a row of figures."""
        return [str(text) for text in row]

    def pull(self, board: Board, frame: int) -> None:
        """Draw anew where something has changed."""
        del frame
        self._draw_changed(self.picture.version(board))

    def _draw_changed(self, version: int) -> None:
        # ten frames a second, and mostly nothing to draw
        if (version, self.size) != self._made_of and self.size.area:
            self._made_of = version, self.size
            self._strips = self.picture.strips(*self.size, self._colours())
            self.refresh()

    def restyle(self) -> None:
        """Draw in the theme of now."""
        self._made_of = -1, Size(0, 0)
        super().restyle()

    def render_line(self, y: int) -> Strip:
        """Return a line of the drawing."""
        width = self.size.width
        if y < len(self._strips):
            return self._strips[y].adjust_cell_length(width, self._colours().style(""))
        return Strip.blank(width, self._colours().style(""))

    def on_resize(self, event: events.Resize) -> None:
        """Draw in the new size."""
        del event
        self._draw_changed(self.picture.changes)

    def on_click(self, event: events.Click) -> None:
        """Take the focus, and nothing else."""

    def action_move(self, columns: int) -> None:
        """Move the cursor to the side."""
        self.picture.move(columns, 0)
        # at once, not with the next frame: a key is answered when it is pressed
        self._draw_changed(self.picture.changes)

    def action_go(self, steps: int) -> None:
        """Move the cursor up or down."""
        self.picture.move(0, steps)
        self._draw_changed(self.picture.changes)

    def action_page(self, pages: int) -> None:
        """Move the cursor far to the side."""
        self.action_move(pages * max(self.size.width // 8, 1))

    def action_first(self) -> None:
        """Go to the beginning."""
        self.action_move(-(10**6))

    def action_last(self) -> None:
        """Go to the end."""
        self.action_move(10**6)

    def action_open(self) -> None:
        """Say that what is under the cursor was opened."""
        self.post_message(self.RowOpened(self.view.name, ()))
