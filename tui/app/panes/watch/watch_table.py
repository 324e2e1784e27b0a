"""The watch list's table: rows with keys of their own, or a heat map of tiles."""

from collections.abc import Callable
from typing import ClassVar, Final

from rich.segment import Segment
from textual.binding import BindingType
from textual.geometry import Size
from textual.strip import Strip

from engine.board_rows import Board, WatchRow
from tui.app.panes.watch.watch_book import WatchBook
from tui.app.panes.watchlist_pane import WatchlistPaneView
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import fit_text
from tui.app.widgets.theme import ToneStyles

TILE: Final = 13
"""Cells of a tile, the blank beside it included."""
LINES: Final = 2
"""Of a tile: the symbol, and its change."""
EVERY: Final = 5
"""Frames between two pictures of the tiles: colours are read at a glance, not frame by frame."""
STEPS: Final = (0.5, 1.5, 3.0)
"""Percent from which on a change is shown stronger."""


def heat_level(change: float) -> int:
    """Return how strong a change is shown, 0 for none to 4; it is signed as the change is."""
    size = abs(change)
    level = 0 if size < 0.005 else 1 + sum(size >= step for step in STEPS)
    return level if change > 0 else -level


def heat_text(change: float) -> str:
    """Return a change with as many arrows as its colour has strength: it reads without colours."""
    level = heat_level(change)
    arrows = ("▲" if level > 0 else "▼") * max(abs(level) - 1, 1) if level else ""
    return f"{arrows} {abs(change):.2f}%".strip()


class WatchTable(LiveTable[WatchRow]):
    """The watch list, with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("watch"))

    def __init__(self, tones: Callable[[], ToneStyles], book: WatchBook) -> None:
        super().__init__(WatchlistPaneView(book), tones)
        self._book = book
        self._had_tiles = False
        self._drawn_at = -EVERY

    def pull(self, board: Board, frame: int) -> None:
        """Take one frame from the board, as rows or as tiles."""
        if self._book.has_tiles != self._had_tiles:
            self._had_tiles = self._book.has_tiles
            self._drawn_at = -EVERY
            self.virtual_size = Size(self.size.width, len(self._places) + 1)
            self.refresh()
        if not self._had_tiles:
            super().pull(board, frame)
            return
        self._take_board(board, frame)
        # every tile may have moved: one picture of them all, and not one for each
        if frame - self._drawn_at >= EVERY:
            self._drawn_at = frame
            self._fit_tiles()
            self.refresh()

    @property
    def _in_line(self) -> int:
        """How many tiles stand side by side."""
        return max((self.size.width - 1) // TILE, 1)

    def _fit_tiles(self) -> None:
        lines = -(-len(self._rows) // self._in_line) * LINES
        self.virtual_size = Size(self.size.width, lines)

    def render_line(self, y: int) -> Strip:
        """Render one line of the viewport."""
        if not self._had_tiles or not self._rows:
            return super().render_line(y)
        if self._tones is None:
            self._tones = self._tones_of()
        tones, width = self._tones, self.size.width
        line = self.scroll_offset.y + y
        first = line // LINES * self._in_line
        blank, segments, used = tones.style(""), [], 1
        segments.append(Segment(" ", blank))
        for place in range(first, min(first + self._in_line, len(self._rows))):
            row = self._rows[place]
            text = heat_text(row.change) if line % LINES else row.symbol
            mark = "▸" if place == self.cursor and self.has_focus and not line % LINES else " "
            fitted = fit_text(text, TILE - 3, bool(line % LINES), names=not line % LINES)
            style = tones.heat(0 if row.stale or row.token < 0 else heat_level(row.change))
            segments += (Segment(f"{mark}{fitted} ", style), Segment(" ", blank))
            used += TILE
        segments.append(Segment(" " * max(width - used, 0), blank))
        return Strip(segments).crop(0, width)

    def _repaint_row(self, index: int) -> None:
        # a tile has two lines, and the one that loses the cursor another place
        if self._had_tiles:
            self.refresh()
        else:
            super()._repaint_row(index)

    def _show_cursor(self) -> None:
        if not self._had_tiles:
            super()._show_cursor()
            return
        line = self.cursor // self._in_line * LINES
        top = min(max(self.scroll_offset.y, line + LINES - max(self.size.height, LINES)), line)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def action_go(self, steps: int) -> None:
        """Move the cursor by rows, of tiles where there are tiles."""
        super().action_go(steps * (self._in_line if self._had_tiles else 1))

    def action_across(self, steps: int) -> None:
        """Move the cursor to the tile beside."""
        if self._had_tiles:
            super().action_go(steps)

    def _click_cell(self, x: int, y: int) -> None:
        if not self._had_tiles:
            super()._click_cell(x, y)
            return
        column = (x - 1) // TILE
        place = (self.scroll_offset.y + y) // LINES * self._in_line + column
        if 0 <= column < self._in_line and place < len(self._rows):
            self._move_cursor(place)
