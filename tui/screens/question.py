"""A modal that asks one thing, with the focus on Cancel, and one that explains."""

from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from tui.numbers import plain
from tui.screens.frame import Drawn, Frame, show_bands
from tui.widgets.bands import Bands

_BOX = """
    align: center middle;
    background: $background 70%;
    #box { width: 64; max-width: 96%; height: auto; max-height: 80%; background: $panel; padding: 1 2;
           border-left: thick $accent; }
    #title { text-style: bold; color: $ink-strong; }
    #body { margin: 1 0; height: auto; }
    #buttons { height: 1; align-horizontal: right; }
    Button { height: 1; min-width: 14; border: none; margin-left: 2; background: $surface; color: $ink-dim; }
    Button:focus { background: $accent; color: $background; text-style: bold; }
"""


class Modal(Drawn, ModalScreen[bool]):
    """A modal that leaves the bands in sight."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.bands = Bands(mode)

    def draw(self, frame: Frame) -> None:
        """Keep the bands up to date."""
        show_bands(self.bands, frame)


class Question(Modal):
    """Ask; dismissed with True only by the second button."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", show=False),
        Binding("left,right,tab,shift+tab,h,l", "app.focus_next", show=False),
    ]
    DEFAULT_CSS = f"Question {{ {_BOX} }}"
    AUTO_FOCUS = "#cancel"

    def __init__(self, mode: str, title: str, body: str, yes: str) -> None:
        super().__init__(mode)
        self._title = title
        self._body = body
        self._yes = yes

    def compose(self) -> ComposeResult:
        """Show the question above its buttons."""
        yield self.bands
        with Container(id="box"):
            yield Static(Text(plain(self._title)), id="title")
            yield Static(Text("\n".join(map(plain, self._body.splitlines()))), id="body")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(Text(plain(self._yes)), id="yes", compact=True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


class Entry(Drawn, ModalScreen[str | None]):
    """Ask for a line of text; dismissed with None by escape."""

    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]
    DEFAULT_CSS = f"Entry {{ {_BOX} Input, Input:focus {{ height: 1; border: none; background: $surface; }} }}"

    def __init__(self, mode: str, title: str, body: str, hint: str) -> None:
        super().__init__()
        self.bands = Bands(mode)
        self._title = title
        self._body = body
        self._hint = hint

    def compose(self) -> ComposeResult:
        """Show the question above its field."""
        yield self.bands
        with Container(id="box"):
            yield Static(Text(plain(self._title)), id="title")
            yield Static(Text("\n".join(map(plain, self._body.splitlines()))), id="body")
            yield Input(placeholder=self._hint)

    def draw(self, frame: Frame) -> None:
        """Keep the bands up to date."""
        show_bands(self.bands, frame)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())


class Help(Modal):
    """Show a text until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q,enter", "dismiss(False)", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]
    DEFAULT_CSS = f"Help {{ {_BOX} #box {{ width: 100; height: 80%; }} #body {{ height: 1fr; }} }}"

    def __init__(self, mode: str, title: str, body: RenderableType) -> None:
        super().__init__(mode)
        self._title = title
        self._body = body

    def compose(self) -> ComposeResult:
        """Show the text, scrollable."""
        yield self.bands
        with Container(id="box"):
            yield Static(Text(self._title), id="title")
            with VerticalScroll(id="body"):
                yield Static(self._body)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one("#body").scroll_relative(y=lines, animate=False)
