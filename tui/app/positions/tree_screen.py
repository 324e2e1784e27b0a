"""The tree of a position on a screen of its own."""

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tui.app.positions.tree_pane import TreePaneView, TreeRow
from tui.app.screens.paned_screen import PanedScreen
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.theme import ToneStyles


class TreeTable(LiveTable[TreeRow]):
    """The tree, with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *scope_bindings("positions"),
        *scope_bindings("tree"),
    ]

    def action_open(self) -> None:
        """Show the life of the order or GTT under the cursor, where other lists chart."""
        self.call_next(self.app.run_action, "tree")


class TreeScreen(PanedScreen):
    """A screen without a number: it comes up from a position or a ladder."""

    AUTO_FOCUS = "#tree"
    DEFAULT_CSS = "TreeScreen #tree-panes { height: 1fr; }"

    def __init__(self, mode: str, tones: Callable[[], ToneStyles]) -> None:
        self._tree = TreePaneView()
        super().__init__(mode, tones, [TreeTable(self._tree, tones)], "tree", "tree-panes")

    @property
    def scopes(self) -> set[str]:
        """The keys in reach: those of positions, too."""
        return super().scopes | {"positions"}

    def on_resize(self, event: events.Resize) -> None:
        """Make room on a low terminal."""
        self.set_class(event.size.height < 30, "-low")

    def choose(self, symbol: str) -> None:
        """Show the tree of a symbol."""
        self._tree.show_symbol(symbol)

    def action_whole(self) -> None:
        """Show everything, or the one symbol again."""
        # Without a symbol there is nothing to go back to.
        self._tree.shows_all = not self._tree.shows_all or not self._tree.symbol
