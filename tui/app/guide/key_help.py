"""The help: every key, the focused pane's first, fewer with each letter that is typed."""

from collections.abc import Callable
from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Input, Static

from engine.texts import plain_text
from tui.app.screens.modal_dialogs import DIALOG_BOX, ModalDialog

_LOW = 30
"""Height below which it takes all there is."""


class KeyHelp(ModalDialog[None]):
    """List of keys under a field that filters it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "dismiss(None)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(12)", show=False),
        Binding("pageup", "scroll(-12)", show=False),
    ]
    DEFAULT_CSS = f"""
    KeyHelp {{ {DIALOG_BOX}
        #box {{ width: 112; max-width: 100%; height: auto; max-height: 90%; padding: 0 2; }}
        #head {{ height: 1; }}
        #title {{ width: auto; margin-right: 2; }}
        Input, Input:focus {{ width: 1fr; height: 1; border: none; background: $surface; }}
        #body {{ height: auto; max-height: 100%; margin: 0; scrollbar-size-vertical: 1; }}
        &.-low #box {{ margin-top: 2; height: 100%; max-height: 100%; padding: 0 1; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._title = ""
        self._text: Callable[[str], RenderableType] = str

    def prepare(self, title: str, text: Callable[[str], RenderableType]) -> None:
        """Take the name of the focused pane, and what makes the text for what is typed."""
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Show the field above the keys, scrollable."""
        yield self.bands
        with Container(id="box"):
            with Horizontal(id="head"):
                yield Static(id="title")
                yield Input(
                    placeholder="type a key or words  ↑↓ scroll  esc", select_on_focus=False
                )
            with VerticalScroll(id="body", can_focus=False):
                yield Static(id="text")

    def on_resize(self, event: events.Resize) -> None:
        """Take the whole height of a low terminal."""
        self.set_class(event.size.height < _LOW, "-low")

    def fill_widgets(self) -> None:
        """Begin with everything."""
        field = self.query_one(Input)
        field.value = ""
        self.set_focus(field)
        self.query_one("#title", Static).update(Text(plain_text(self._title)))
        self._show_matches("")

    def _show_matches(self, typed: str) -> None:
        self.query_one("#text", Static).update(self._text(typed))
        self.query_one("#body").scroll_home(animate=False)

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        self._show_matches(event.value)

    @on(Input.Submitted)
    def _text_submitted(self) -> None:
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one("#body").scroll_relative(y=lines, animate=False)
