"""A screen of panes: bands, header and footer around live tables, one with the focus."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message

from engine.operator_requests import EngineRequest
from tui.app.screens.screen_frame import FullScreen, ScreenFrame, show_bands
from tui.app.widgets.header_bar import HeaderBar
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.key_footer import KeyFooter, footer_keys
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.notice_bar import NoticeBar
from tui.app.widgets.pane import Pane
from tui.app.widgets.status_bands import StatusBands
from tui.app.widgets.theme import ToneStyles


class PanedScreen(FullScreen):
    """Tables by the name of their view in a box called `box`; `first` has the focus at the start.

    On a low terminal (class `-low`) the header has one line.
    """

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("desk"))
    DEFAULT_CSS = """
    PanedScreen { background: $background; }
    PanedScreen > Container { background: $background; }
    PanedScreen.-low HeaderBar { height: 1; padding: 0; }
    """

    class DecisionMade(Message):
        """A request of the operator's, and its label."""

        def __init__(self, label: str, request: EngineRequest) -> None:
            super().__init__()
            self.label = label
            self.request = request

    class FilterKept(Message):
        """The filter of a pane, "" for none, to be there the next time, too."""

        def __init__(self, pane: str, wanted: str) -> None:
            super().__init__()
            self.pane = pane
            self.wanted = wanted

    def __init__(
        self,
        mode: str,
        tones: Callable[[], ToneStyles],
        tables: list[LiveTable[Any]],
        first: str,
        box: str,
    ) -> None:
        super().__init__()
        self._tones = tones
        self._bands = StatusBands(mode)
        self._header = HeaderBar(tones)
        self._footer = KeyFooter(tones)
        self._notices = NoticeBar(tones)
        self.panes = {table.view.name: Pane(table, tones) for table in tables}
        self._panes = Container(*self.panes.values(), id=box)
        self._current = first
        self._zoomed = False

    def compose(self) -> ComposeResult:
        """Stack bands, header, panes and footer."""
        yield self._bands
        yield self._header
        yield from self._above_panes()
        yield self._panes
        yield self._notices
        yield self._footer

    def _above_panes(self) -> ComposeResult:
        """Yield what stands between the header and the panes."""
        yield from ()

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame: visible panes only."""
        show_bands(self._bands, frame)
        self._header.show_figures(frame.board, frame.lag, frame.kill)
        self._notices.show_notices(frame.notices)
        for pane in self.panes.values():
            # a pane out of sight costs nothing; it catches up by its version
            if pane.display:
                pane.pull(frame.board, frame.number, frozen=frame.frozen)
        scopes = frame.scopes(self.scopes)
        self._footer.show_keys(footer_keys(scopes, self.app._keymap), frame.status)  # noqa: SLF001 - there is no public way to ask

    @property
    def scopes(self) -> set[str]:
        """The panes, every list, the focused pane."""
        return {"anywhere", "desk", "list", self._current}

    def restyle(self) -> None:
        """Paint everything anew in the theme of now."""
        for pane in self.panes.values():
            pane.table.restyle()
        for widget in self.query("*"):
            widget.refresh()

    def turn_to(self, name: str) -> None:
        """Bring a pane into sight and give it the focus."""
        self.look_at(name)
        self.panes[name].table.focus()

    def look_at(self, name: str) -> None:
        """Take note of the pane that has the focus."""
        self._current = name

    # by the mouse as well
    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Follow the focus, however it moved."""
        for name, pane in self.panes.items():
            if pane in event.widget.ancestors and name != self._current:
                self.look_at(name)

    @property
    def current(self) -> Pane:
        """The pane with the focus."""
        return self.panes[self._current]

    def action_pane(self, step: int) -> None:
        """Focus the next or the previous pane, in sight or not."""
        names = self.pane_order()
        self.turn_to(names[(names.index(self._current) + step) % len(names)])

    def pane_order(self) -> list[str]:
        """Return the panes in the order that the focus goes through them."""
        return list(self.panes)

    def action_filter(self) -> None:
        """Ask what the focused pane shall show."""
        self.current.ask_filter()

    def action_keep_filter(self) -> None:
        """Have the filter of the focused pane, or its having none, remembered."""
        table = self.current.table
        self.post_message(self.FilterKept(table.view.name, table.wanted))

    def set_filters(self, filters: Mapping[str, object]) -> None:
        """Begin with filters by the names of the panes."""
        for name, pane in self.panes.items():
            pane.table.filter(str(filters.get(name, "")))

    def action_zoom(self) -> None:
        """Maximise the focused pane, or put it back."""
        self._zoomed = not self._zoomed
        # `look_at` of each screen arranges its panes
        self.turn_to(self._current)

    def back(self) -> bool:
        """Undo the filter, else the sorting, else the zoom; return whether there was any."""
        if self.current.end_filter() or self.current.end_sort():
            return True
        if self._zoomed:
            self.action_zoom()
            return True
        return False
