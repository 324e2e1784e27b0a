"""The orders screen: a blotter of all days, and the life of the order under the cursor."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType

from compiled.model.values import MINUTE
from engine.board_rows import OrderRow
from engine.errors import PatangError
from engine.indian_time import IST
from tui.app.desk_port import DeskPort
from tui.app.panes.blotter_pane import BlotterPaneView, LifePaneView
from tui.app.panes.orders_pane import OrdersTable
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.theme import ToneStyles

_REST = 3
"""Frames the cursor stands still before the journal is asked for the life of its order."""
_AGAIN = 20
"""Frames between two looks at a life that goes on."""


class BlotterTable(OrdersTable):
    """The blotter, with its keys and those of orders."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("blotter"))


class OrdersScreen(PanedScreen):
    """Screen 4."""

    AUTO_FOCUS = "#blotter"
    DEFAULT_CSS = """
    OrdersScreen #order-panes { height: 1fr; layout: vertical; }
    OrdersScreen #pane-blotter { height: 3fr; }
    OrdersScreen #pane-life { height: 2fr; }
    """

    def __init__(self, mode: str, face: DeskPort, tones: Callable[[], ToneStyles]) -> None:
        self._blotter = BlotterPaneView()
        self._life = LifePaneView()
        super().__init__(
            mode,
            tones,
            [BlotterTable(self._blotter, tones), LiveTable(self._life, tones)],
            "blotter",
            "order-panes",
        )
        self._face = face
        self._pointed: OrderRow | None = None
        self._pointed_at = 0
        self._read_at = -_AGAIN
        self._read_day = -1
        self._reading: set[asyncio.Task[None]] = set()

    @property
    def scopes(self) -> set[str]:
        """The keys of orders are in reach where the blotter has the focus."""
        own = {"orders"} if self._current == "blotter" else set()
        return super().scopes | own

    def on_resize(self, event: events.Resize) -> None:
        """Make room on a low terminal."""
        self.set_class(event.size.height < 30, "-low")

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        for each, pane in self.panes.items():
            pane.display = not self._zoomed or each == name

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame; read what stands in the journal beside the loop."""
        super().draw(frame)
        now = frame.board.header.now
        day = (now + IST) // (1_440 * MINUTE)
        # A desk that is left on begins a new day: yesterday's orders leave the board.
        if now and day != self._read_day:
            self._read_day = day
            self._begin_reading(self._read_earlier(now))
        row: Any = self.panes["blotter"].table.chosen
        if row is not self._pointed:
            if row is None or self._pointed is None or row.key != self._pointed.key:
                # Another's life beside this order would be a lie, however short.
                self._life.show_lines(())
            self._pointed, self._pointed_at, self._read_at = row, frame.number, -_AGAIN
        due = frame.number - self._pointed_at >= _REST and frame.number - self._read_at >= _AGAIN
        if row is not None and due and not frame.frozen:
            self._read_at = frame.number
            self._begin_reading(self._read_life(row))

    def filter(self, wanted: str) -> None:
        """Show the orders that meet a filter."""
        self.panes["blotter"].table.filter(wanted)

    def show_symbol(self, symbol: str) -> bool:
        """Show the orders of a symbol."""
        self.filter(symbol)
        return True

    def action_shown(self) -> None:
        """Show all orders, or those that work, are filled, or were refused."""
        self._blotter.turn_shown()

    def _begin_reading(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        # The loop keeps only a weak reference.
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read_earlier(self, now: int) -> None:
        try:
            rows = await asyncio.to_thread(self._face.earlier_orders, now)
        except PatangError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        self._blotter.show_earlier(rows)

    async def _read_life(self, row: OrderRow) -> None:
        try:
            # a slow disk must not hold up the screen
            lines = await asyncio.to_thread(self._face.trace, row.key)
        except PatangError as error:
            lines = [str(error)]
        # the cursor may have gone on meanwhile
        if self._pointed is not None and self._pointed.key == row.key:
            self._life.show_lines(lines)
