"""The desk in six panes: is it making money, is all protected, is anything wrong."""

from collections.abc import Callable
from typing import Any, Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widget import Widget

from engine.config.watch_lists import EVERYTHING
from tui.app.panes.events_pane import EventsPaneView
from tui.app.panes.ladders_pane import LaddersPaneView
from tui.app.panes.orders_pane import OrdersPaneView, OrdersTable
from tui.app.panes.positions_pane import PositionsPaneView, PositionsTable
from tui.app.panes.risk_pane import RiskPaneView, exceeded_limits
from tui.app.panes.watch.watch_book import WatchBook
from tui.app.panes.watch.watch_table import WatchTable
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell
from tui.app.widgets.theme import ToneStyles

NARROW, LOW = 100, 30
"""Below either of these the panes stand in one column, positions above one other."""

WIDE, HIGH = 170, 40
"""From both of these on there are two columns of three, each pane as high as most days need it."""

_WIDE_ORDER: Final = ("watch", "positions", "ladders", "orders", "risk", "events")
"""The panes row by row, where each has room; one that is not named comes last."""


class PaneTabs(Widget):
    """The names of the panes in one line, where not all of them are in sight."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "PaneTabs { height: 1; width: 100%; display: none; background: $background; }"

    def __init__(self, names: list[str], tones: Callable[[], ToneStyles]) -> None:
        super().__init__()
        self._names = names
        self._tones = tones
        self._shown: set[str] = set()
        self._current = ""
        self._over: list[PaneCell] = []

    def show_panes(self, shown: set[str], current: str) -> None:
        """Mark the panes in sight, and the one with the focus."""
        if (shown, current) != (self._shown, self._current):
            self._shown, self._current = shown, current
            self.refresh()

    def show_exceeded(self, over: list[PaneCell]) -> None:
        """Name exceeded limits, for a pane that is out of sight."""
        # the pane itself says so where it is in sight
        over = [cell for cell in over if cell.tone == "danger" and "risk" not in self._shown]
        if over != self._over:
            self._over = over
            self.refresh()

    def render(self) -> Text:
        """Render the line."""
        tones, text = self._tones(), Text(" ", no_wrap=True, end="")
        for name in self._names:
            tone = "focus" if name == self._current else "" if name in self._shown else "faint"
            text.append(name, tones.ink(tone))
            text.append("  ")
        for cell in self._over:
            text.append(f" ■ {cell.text}", tones.ink(cell.tone))
        # before the first layout the width is 0
        text.truncate(max(self.size.width, 1), overflow="ellipsis")
        return text

    def on_click(self, event: events.Click) -> None:
        """Show the clicked pane."""
        x = 1
        for name in self._names:
            if x <= event.x < x + len(name) and isinstance(self.screen, DeskScreen):
                self.screen.turn_to(name)
            x += len(name) + 2


class DeskScreen(PanedScreen):
    """Screen 1."""

    AUTO_FOCUS = "#positions"
    DEFAULT_CSS = """
    #panes { height: 1fr; }
    #panes.-column { layout: vertical; }
    #panes.-column Pane { height: 11fr; }
    #panes.-column #pane-positions { height: 9fr; }
    #panes.-two {
        layout: grid; grid-size: 3 3; grid-columns: 56fr 19fr 43fr; grid-rows: 13fr 11fr 11fr;
        grid-gutter: 0 1;
        #pane-watch, #pane-positions, #pane-events { column-span: 2; }
    }
    #panes.-wide {
        layout: grid; grid-size: 2 3; grid-columns: 82fr 117fr; grid-rows: 23fr 16fr 17fr;
        grid-gutter: 0 1;
    }
    """

    def __init__(self, mode: str, tones: Callable[[], ToneStyles], book: WatchBook) -> None:
        self._book = book
        self._frame: ScreenFrame | None = None
        tables: list[LiveTable[Any]] = [
            WatchTable(tones, book),
            LiveTable(RiskPaneView(), tones),
            PositionsTable(PositionsPaneView(), tones),
            LiveTable(LaddersPaneView(), tones),
            OrdersTable(OrdersPaneView(), tones),
            LiveTable(EventsPaneView(), tones),
        ]
        super().__init__(mode, tones, tables, "positions", "panes")
        self._tabs = PaneTabs(list(self.panes), tones)
        self._small = False
        self._grid = "-two"
        self._beside = "watch"

    def _above_panes(self) -> ComposeResult:
        yield self._tabs

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame."""
        self._frame = frame
        super().draw(frame)
        self._tabs.show_exceeded(exceeded_limits(frame.board))

    def show_symbol(self, symbol: str) -> bool:
        """Put the cursor of the watch list on a symbol, in all that is under watch if need be."""
        # it may be under watch and in none of the lists, or be there since this frame
        if not self.point_at(symbol) and self._frame is not None:
            self._book.show(EVERYTHING)
            self.panes["watch"].table.pull(self._frame.board, self._frame.number)
            self.point_at(symbol)
        self.turn_to("watch")
        return True

    def point_at(self, symbol: str) -> bool:
        """Put the cursor of the watch list on a symbol, where the list that is shown has it."""
        table = self.panes["watch"].table
        found = next((row[0] for row in table.rows if row.symbol == symbol), None)
        return found is not None and table.point_at(found)

    # which panes are in sight

    def on_resize(self, event: events.Resize) -> None:
        """Choose the arrangement for the size."""
        self._small = event.size.width < NARROW or event.size.height < LOW
        self.set_class(self._small, "-low")
        wide = event.size.width >= WIDE and event.size.height >= HIGH
        self._arrange_panes("-wide" if wide else "-two")

    def _arrange_panes(self, grid: str = "") -> None:
        column = self._small or self._zoomed
        if grid:
            self._grid = grid
        for name in ("-column", "-two", "-wide"):
            self._panes.set_class(name == ("-column" if column else self._grid), name)
        order = list(self.panes)
        if self._grid == "-wide" and not column:
            order.sort(
                key=lambda name: (
                    _WIDE_ORDER.index(name) if name in _WIDE_ORDER else len(_WIDE_ORDER)
                )
            )
        # the same widgets in another order: what they show and where their cursors are stays
        self._panes.sort_children(
            key=lambda pane: order.index((pane.id or "").removeprefix("pane-"))
        )
        shown = (
            {self._current}
            if self._zoomed
            else {"positions", self._beside}
            if column
            else set(self.panes)
        )
        for name, pane in self.panes.items():
            pane.display = name in shown
        self._tabs.display = column
        self._tabs.show_panes(shown, self._current)

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        # positions are always there in one column, and one other beside them
        if name != "positions":
            self._beside = name
        self._arrange_panes()
