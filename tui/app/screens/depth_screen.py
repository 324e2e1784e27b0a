"""The depth screen: the book of one instrument, its trades, and our orders in it."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual import events
from textual.binding import BindingType

from engine.board_rows import DepthRow, WatchRow
from tui.app.desk_port import DeskPort
from tui.app.panes.depth_pane import DepthPaneView, SymbolOrdersPaneView, TapePaneView
from tui.app.panes.orders_pane import OrdersTable
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.theme import ToneStyles

NARROW: Final = 90
"""Cells below which trades and orders stand below the book."""


class DepthTable(LiveTable[DepthRow]):
    """The book, with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("depth"))


class DepthScreen(PanedScreen):
    """Screen 3."""

    AUTO_FOCUS = "#depth"
    DEFAULT_CSS = """
    DepthScreen #depth-panes {
        height: 1fr; layout: grid; grid-size: 2 2; grid-columns: 3fr 2fr; grid-rows: 12 1fr;
        grid-gutter: 0 1;
        #pane-tape { row-span: 2; }
    }
    DepthScreen #depth-panes.-column { layout: vertical; }
    DepthScreen #depth-panes.-column Pane { height: 1fr; }
    DepthScreen #depth-panes.-column #pane-depth { height: 12; }
    """

    def __init__(self, mode: str, face: DeskPort, tones: Callable[[], ToneStyles]) -> None:
        self._look_at = face.look_at
        self._book = DepthPaneView()
        self._own = SymbolOrdersPaneView()
        super().__init__(
            mode,
            tones,
            [
                DepthTable(self._book, tones),
                LiveTable(TapePaneView(), tones),
                OrdersTable(self._own, tones),
            ],
            "depth",
            "depth-panes",
        )
        self._watch: Sequence[WatchRow] = ()

    @property
    def scopes(self) -> set[str]:
        """The keys in reach: those of orders in the list of our orders."""
        return super().scopes | ({"orders"} if self._current == "working" else set())

    def on_resize(self, event: events.Resize) -> None:
        """Choose the arrangement for the size."""
        self.set_class(event.size.height < 30, "-low")
        self._panes.set_class(event.size.width < NARROW or self._zoomed, "-column")

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        self._panes.set_class(self._zoomed or self.size.width < NARROW, "-column")
        for each, pane in self.panes.items():
            pane.display = not self._zoomed or each == name

    def choose(self, symbol: str) -> None:
        """Show the book of a symbol from the next frame on."""
        self._book.symbol = symbol
        self._own.choose(symbol)

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame, of a symbol that is under watch."""
        self._watch = frame.board.watch.rows[:]
        row = next((row for row in self._watch if row.symbol == self._book.symbol), None)
        if row is None and self._watch:
            row = self._watch[0]
        if row is not None:
            self.choose(row.symbol)
            self._look_at(row.token, 0)
        super().draw(frame)

    def action_symbol(self, step: int) -> None:
        """Show the book of the next or the previous symbol under watch."""
        names = [row.symbol for row in self._watch]
        if names:
            at = names.index(self._book.symbol) if self._book.symbol in names else 0
            self.choose(names[(at + step) % len(names)])

    def show_symbol(self, symbol: str) -> bool:
        """Show the book of a symbol."""
        self.choose(symbol)
        return True

    def pointed_price(self) -> tuple[str, float]:
        """Return the symbol, and the price under the cursor."""
        row = self.panes["depth"].table.chosen if self._current == "depth" else None
        return self._book.symbol, row.price if isinstance(row, DepthRow) else 0.0
