"""A dialog over a short list of one's own: its keys act on the row under the cursor."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from engine.texts import plain_text
from tui.app.screens.modal_dialogs import DIALOG_BOX, ModalDialog
from tui.app.screens.screen_frame import ScreenFrame

KeyAct = Callable[[int], bool]
"""Acts on the row of a place; True closes the dialog."""


class PickDialog(ModalDialog[None]):
    """Rows of text with a cursor; they are asked for again at each frame."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("j,down", "step(1)", show=False),
        Binding("k,up", "step(-1)", show=False),
    ]
    DEFAULT_CSS = f"""
    PickDialog {{ {DIALOG_BOX}
        #body {{ height: auto; max-height: 20; scrollbar-size-vertical: 1; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._title = self._hint = ""
        self._rows: Callable[[], Sequence[str]] = tuple
        self._acts: Mapping[str, KeyAct] = {}
        self._shown: Sequence[str] = ()
        self._drawn: tuple[object, ...] = ()
        self.cursor = 0

    def prepare(
        self,
        title: str,
        rows: Callable[[], Sequence[str]],
        acts: Mapping[str, KeyAct],
        *,
        hint: str,
        cursor: int = 0,
    ) -> None:
        """Take the rows of the next list, what each key does, and the line that says so."""
        self._title, self._rows, self._acts, self._hint = title, rows, acts, hint
        self.cursor = cursor

    def compose(self) -> ComposeResult:
        """Show the list between its title and its keys."""
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            with VerticalScroll(id="body", can_focus=False):
                yield Static(id="rows")
            yield Static(id="keys")

    def fill_widgets(self) -> None:
        """Show the words."""
        self.query_one("#title", Static).update(Text(plain_text(self._title)))
        self.query_one("#keys", Static).update(Text(plain_text(self._hint)))
        self._drawn = ()
        self._show_rows()

    def draw(self, frame: ScreenFrame) -> None:
        """Keep the bands and the rows up to date."""
        super().draw(frame)
        if self.is_mounted:
            self._show_rows()

    def _show_rows(self) -> None:
        self._shown = self._rows()
        self.cursor = max(0, min(self.cursor, len(self._shown) - 1))
        drawn = (tuple(self._shown), self.cursor)
        # an update costs a layout, and most frames change no row
        if drawn == self._drawn:
            return
        self._drawn = drawn
        lines = [
            f"{'▸' if place == self.cursor else ' '} {plain_text(row)}"
            for place, row in enumerate(self._shown)
        ]
        text = Text("\n".join(lines) or "  nothing yet", no_wrap=True, overflow="ellipsis")
        if lines:
            before = sum(len(line) + 1 for line in lines[: self.cursor])
            text.stylize("bold reverse", before, before + len(lines[self.cursor]))
        self.query_one("#rows", Static).update(text)
        self.query_one("#body").scroll_to(y=max(self.cursor - 10, 0), animate=False)

    def action_step(self, steps: int) -> None:
        """Move the cursor."""
        self.cursor += steps
        self._show_rows()

    def on_key(self, event: events.Key) -> None:
        """Do what a key does to the row under the cursor."""
        act = self._acts.get(event.key)
        if act is None:
            return
        # no key of it may reach the screen behind
        event.stop()
        if act(self.cursor):
            self.dismiss(None)
        elif self.is_current:
            self._show_rows()
