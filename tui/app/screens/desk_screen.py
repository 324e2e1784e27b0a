"""The desk in six panes: is it making money, is all protected, is anything wrong."""

from collections.abc import Callable
from itertools import accumulate
from typing import Any, ClassVar, Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.geometry import Region
from textual.widget import Widget

from engine.config.watch_lists import EVERYTHING
from tui.app.panes.events_pane import EventsPaneView
from tui.app.panes.ladders_pane import LaddersPaneView, LaddersTable
from tui.app.panes.orders_pane import OrdersPaneView, OrdersTable
from tui.app.panes.positions_pane import PositionsPaneView, PositionsTable
from tui.app.panes.risk_pane import RiskPaneView, exceeded_limits
from tui.app.panes.watch.watch_book import WatchBook
from tui.app.panes.watch.watch_table import WatchTable
from tui.app.screen_memory import ScreenMemory
from tui.app.screens.desk_layouts import (
    ALL,
    OTHER,
    DeskLayout,
    next_layout,
    recalled_layout,
    remember_layout,
    size_class,
    usual_layout,
)
from tui.app.screens.paned_screen import PanedScreen
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_grid import (
    PaneGrid,
    PaneRow,
    PaneRows,
    PaneShare,
    grown_rows,
    names_of,
    pane_rows,
    without_panes,
)
from tui.app.widgets.pane_view import PaneCell
from tui.app.widgets.theme import ToneStyles

_AIRY: Final = 50
"""Lines from which on a comfortable screen has an empty one between two rows of panes."""
_NEW_SHARE: Final = 40


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
        for name, region in self.places().items():
            if region.contains(event.screen_x, event.screen_y) and isinstance(
                self.screen, DeskScreen
            ):
                self.screen.turn_to(name)

    def places(self) -> dict[str, Region]:
        """Return where on the screen each name stands."""
        x, y = self.region.offset.x + 1, self.region.y
        ends = accumulate(len(name) + 2 for name in self._names)
        return {
            name: Region(x + end - len(name) - 2, y, len(name), 1)
            for name, end in zip(self._names, ends, strict=True)
        }


class DeskScreen(PanedScreen):
    """Screen 1."""

    # by itself, once it is known which pane had it: the toolkit would take the first
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("layout"))
    DEFAULT_CSS = "#panes { height: 1fr; }"

    def __init__(
        self,
        mode: str,
        tones: Callable[[], ToneStyles],
        book: WatchBook,
        memory: ScreenMemory | None = None,
    ) -> None:
        self._book = book
        self._frame: ScreenFrame | None = None
        tables: list[LiveTable[Any]] = [
            WatchTable(tones, book),
            LiveTable(RiskPaneView(), tones),
            PositionsTable(PositionsPaneView(), tones),
            LaddersTable(LaddersPaneView(), tones),
            OrdersTable(OrdersPaneView(), tones),
            LiveTable(EventsPaneView(), tones),
        ]
        super().__init__(mode, tones, tables, "positions", "panes")
        self._memory = memory or ScreenMemory()
        self._tabs = PaneTabs(list(self.panes), tones)
        self._grid = PaneGrid()
        # by its rule: the property takes only layouts that the toolkit knows by name
        self._panes.styles.set_rule("layout", self._grid)
        self._kind = "middle"
        self._layout = recalled_layout(self._memory, self._kind)
        self._beside = "watch"
        self._recall_focus()

    def _recall_focus(self) -> None:
        """Begin at the pane that had the focus last, maximised as it was."""
        pane = self._memory.recall("desk-pane", "")
        if pane in self.panes:
            self.look_at(pane)
            self._zoomed = self._memory.recall("desk-zoomed", False)

    def _above_panes(self) -> ComposeResult:
        yield self._tabs

    def on_mount(self) -> None:
        """Give the focus to the pane that had it."""
        self.turn_to(self._current)

    @property
    def scopes(self) -> set[str]:
        """What every screen of panes has, the arrangement's keys, and positions' in ladders."""
        own = {"positions"} if self._current == "ladders" else set[str]()
        return {*super().scopes, "layout", *own}

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame."""
        self._frame = frame
        super().draw(frame)
        self._tabs.show_exceeded(exceeded_limits(frame.board))

    def restyle(self) -> None:
        """Paint everything anew; the density moves the panes."""
        super().restyle()
        self._arrange_panes()

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
        kind = size_class(event.size)
        if kind != self._kind:
            self._kind, self._layout = kind, recalled_layout(self._memory, kind)
        self.set_class(kind == "small", "-low")
        self._arrange_panes()

    def _arranged_rows(self) -> PaneRows:
        """Return the rows of now: the maximised pane, or what is not hidden with the focused."""
        if self._zoomed:
            return pane_rows((1, [(self._current, 1)]))
        rows = self._whole_rows()
        shown = without_panes(
            rows, {*self._layout.hidden, *(set(names_of(rows)) - set(self.panes))}
        )
        # what is hidden and has the focus all the same is in sight for as long
        if self._current not in names_of(shown):
            share = sum(row.height for row in shown) // max(len(shown), 1) or 1
            shown = (*shown, PaneRow(share, (PaneShare(self._current, 1),)))
        return shown

    def _whole_rows(self) -> PaneRows:
        """Return the rows of the arrangement with panes by their names, hidden ones too."""
        rows = self._layout.rows
        named = names_of(rows)
        if OTHER in named:
            # one that stands there already cannot stand beside itself
            choices = (self._current, self._beside, *self.panes)
            beside = next(name for name in choices if name not in named)
            return tuple(
                row._replace(
                    panes=tuple(
                        pane._replace(name=beside) if pane.name == OTHER else pane
                        for pane in row.panes
                    )
                )
                for row in rows
            )
        new = [name for name in self.panes if name not in named]
        if self._layout.preset == ALL and new:
            shares = tuple(PaneShare(name, _NEW_SHARE) for name in new)
            rows = (*rows[:-1], rows[-1]._replace(panes=(*rows[-1].panes, *shares)))
        return rows

    def _arrange_panes(self) -> None:
        rows = self._arranged_rows()
        airy = self.size.height >= _AIRY and not self.app.has_class("-compact")
        self._grid.rows, self._grid.gap = rows, int(airy)
        shown = set(names_of(rows))
        for name, pane in self.panes.items():
            pane.display = name in shown
        self._tabs.display = len(shown) < len(self.panes)
        self._tabs.show_panes(shown, self._current)
        # through a child: what is kept of an arrangement is only dropped by what stands in it
        self.panes[next(iter(shown))].refresh(layout=True)

    def pane_order(self) -> list[str]:
        """Return the panes as they stand, those out of sight behind them."""
        shown = names_of(self._arranged_rows())
        # small ones change places with the focus: there the order is that of the tabs
        if self._kind == "small" or self._zoomed:
            return list(self.panes)
        return shown + [name for name in self.panes if name not in shown]

    def look_at(self, name: str) -> None:
        """Bring a pane into sight."""
        super().look_at(name)
        if name not in names_of(self._layout.rows):
            self._beside = name
        self._memory.remember("desk-pane", name)
        if self.is_attached:
            self._arrange_panes()

    def action_zoom(self) -> None:
        """Maximise the focused pane, or put it back."""
        super().action_zoom()
        self._memory.remember("desk-zoomed", self._zoomed)

    # what the keys of the arrangement do

    def _take_layout(self, layout: DeskLayout) -> None:
        self._layout, self._zoomed = layout, False
        remember_layout(self._memory, self._kind, layout)
        self._arrange_panes()

    def action_next_layout(self) -> None:
        """Take the next preset."""
        self._take_layout(next_layout(self._kind, self._layout))

    def action_usual_layout(self) -> None:
        """Show every pane of the preset in its usual size."""
        self._take_layout(usual_layout(self._kind, self._layout.preset))

    def action_resize_pane(self, down: int, right: int) -> None:
        """Make the focused pane higher, wider, or less of either."""
        rows = self._layout.rows
        name = self._current if self._current in names_of(rows) else OTHER
        grown = grown_rows(rows, name, self._panes.size, down=down, right=right)
        self._take_layout(self._layout._replace(rows=grown))

    def action_hide_pane(self) -> None:
        """Take the focused pane out of sight, or let it stay where it is so for the moment."""
        name, rows, hidden = self._current, self._layout.rows, self._layout.hidden
        seen = names_of(without_panes(self._whole_rows(), set(hidden)))
        if name in hidden:
            self._take_layout(self._layout._replace(hidden=hidden - {name}))
        # a preset without it: from now on it has a row of its own there
        elif name not in seen:
            share = sum(row.height for row in rows) // len(rows)
            added = PaneRow(share, (PaneShare(name, 1),))
            self._take_layout(self._layout._replace(rows=(*rows, added)))
        # the last one stays: an empty desk would look like a dead one
        elif len(seen) > 1:
            self._layout = self._layout._replace(hidden=hidden | {name})
            self._take_layout(self._layout)
            self.turn_to(next(pane for pane in seen if pane != name))
