"""Jump mode: a letter over every pane, tab and key of the footer; its press goes there."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from tui.app.screens.desk_screen import DeskScreen, PaneTabs
from tui.app.screens.modal_dialogs import ModalDialog
from tui.app.widgets.key_footer import KeyFooter
from tui.app.widgets.tab_strip import TabStrip

LETTERS: Final = "asdfghjklqwertyuiopzxcvbnm1234567890"


class JumpTarget(NamedTuple):
    """Place on the screen, in cells, and what goes there."""

    x: int
    y: int
    go: Callable[[], object]


def jump_targets(screen: Screen[Any], run: Callable[[str], object]) -> list[JumpTarget]:
    """Return what can be jumped to, panes first; `run` runs an action of the footer."""
    found = [
        JumpTarget(widget.region.x, widget.region.y, widget.focus)
        for widget in screen.focus_chain
        if widget.region
    ]
    for tabs in screen.query(PaneTabs):
        if tabs.region and isinstance(screen, DeskScreen):
            found += [
                JumpTarget(place.x - 1, place.y, partial(screen.turn_to, name))
                for name, place in tabs.places().items()
            ]
    for strip in screen.query(TabStrip):
        if strip.region:
            found += [
                JumpTarget(
                    strip.region.x + left,
                    strip.region.y,
                    partial(strip.post_message, TabStrip.TabChosen(name)),
                )
                for name, left in strip.places().items()
            ]
    for footer in screen.query(KeyFooter):
        found += [
            JumpTarget(left - 1, footer.region.y, partial(run, action.run))
            for left, action in footer.spots()
            # the kill switch keeps a key of its own: a letter is pressed by mistake
            if not action.fixed
        ]
    return found[: len(LETTERS)]


class JumpDialog(ModalDialog[JumpTarget | None]):
    """Letters over the screen, dismissed with the target of the one pressed, None by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "dismiss(None)", show=False),
    ]
    DEFAULT_CSS = """
    JumpDialog {
        background: $background 0%;
        .letter {
            position: absolute; width: 1; height: 1; background: $accent; color: $background;
            text-style: bold;
        }
    }
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._targets: Sequence[JumpTarget] = ()
        self._letters = [Static(letter, classes="letter") for letter in LETTERS]

    def prepare(self, targets: Sequence[JumpTarget]) -> None:
        """Take where one can go."""
        self._targets = targets

    def compose(self) -> ComposeResult:
        """Show a letter for each."""
        yield self.bands
        yield from self._letters

    def fill_widgets(self) -> None:
        """Put the letters where they belong; the others out of sight."""
        for number, mark in enumerate(self._letters):
            mark.display = number < len(self._targets)
            if mark.display:
                target = self._targets[number]
                mark.styles.offset = (target.x, target.y)

    def on_key(self, event: events.Key) -> None:
        """Go where the letter stands."""
        number = LETTERS.find(event.character) if event.character else -1
        # a letter typed ahead may come when it has closed
        if self.is_current and 0 <= number < len(self._targets):
            event.stop()
            self.dismiss(self._targets[number])
