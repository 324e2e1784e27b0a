"""Dialog of the screen's looks: each choice is shown as the cursor comes to it."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Static

from tui.app.guide.screen_looks import LOOKS, ScreenLooks
from tui.app.screens.modal_dialogs import ModalDialog
from tui.app.widgets.theme import ToneStyles

_WORDS: Final[Mapping[str, str]] = {
    "auto": "as the terminal says of itself",
    "dark": "greys near black",
    "light": "dark ink on near white",
    "high-contrast": "seven to one or more everywhere",
    "colour-blind": "inks that everybody can tell apart",
    "ansi-16": "the terminal's own sixteen colours",
    "green-up": "gains green, losses red",
    "red-up": "gains red, losses green",
    "blue-up": "gains blue, losses orange",
    "comfortable": "a header of two lines, room between",
    "compact": "one line of header, no empty ones",
}
_NAME: Final = 16
_CHOICES: Final = tuple((kind, name) for kind, names in LOOKS.items() for name in names)


class LooksDialog(ModalDialog[ScreenLooks | None]):
    """Choice of theme, direction and density, dismissed with it, or with None by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("enter", "keep", show=False),
        Binding("down,j", "step(1)", show=False),
        Binding("up,k", "step(-1)", show=False),
        Binding("tab", "next_kind", show=False, priority=True),
    ]
    # It stands at the right: what it changes has to be seen beside it.
    DEFAULT_CSS = """
    LooksDialog {
        align: right top; background: $background 0%;
        #box {
            width: 60; max-width: 100%; height: auto; max-height: 100%; margin-top: 3;
            background: $panel; padding: 0 1; border-left: thick $accent;
        }
        #choices { height: auto; }
    }
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._looks = ScreenLooks()
        self._show: Callable[[ScreenLooks], ToneStyles] | None = None
        self._cursor = 0
        self._choices = Static(id="choices")

    def prepare(self, looks: ScreenLooks, show: Callable[[ScreenLooks], ToneStyles]) -> None:
        """Take the looks of now; `show` shows others and returns their styles."""
        self._looks, self._show = looks, show
        self._cursor = _CHOICES.index(("theme", looks.theme))

    def compose(self) -> ComposeResult:
        """Show the choices, a line each."""
        yield self.bands
        with Container(id="box"):
            yield self._choices

    def fill_widgets(self) -> None:
        """Show the looks and the choices in them."""
        if self._show is None:
            return
        # the list is in the looks it offers: a choice that could not be read would be seen at once
        tones, text, before = self._show(self._looks), Text(end=""), ""
        chosen = self._looks._asdict()
        for at, (kind, name) in enumerate(_CHOICES):
            if kind != before:
                text.append(f"{kind}\n", tones.ink("title"))
                before = kind
            under = at == self._cursor
            text.append("▎" if under else " ", tones.ink("focus"))
            text.append("● " if chosen[kind] == name else "○ ", tones.ink("focus"))
            text.append(name.ljust(_NAME), tones.ink("strong"))
            text.append(f"{_WORDS[name]}\n", tones.ink("" if under else "dim"))
        text.append("↑ ↓ shows  tab next group  enter keeps  esc leaves it", tones.ink("faint"))
        self._choices.update(text)

    def action_step(self, steps: int) -> None:
        """Move the cursor, and show what it comes to."""
        self._show_choice((self._cursor + steps) % len(_CHOICES))

    def action_next_kind(self) -> None:
        """Go to the choice that holds in the next group."""
        kinds = list(LOOKS)
        kind = kinds[(kinds.index(_CHOICES[self._cursor][0]) + 1) % len(kinds)]
        self._show_choice(_CHOICES.index((kind, self._looks._asdict()[kind])))

    def action_keep(self) -> None:
        """Keep what is shown."""
        self.dismiss(self._looks)

    def on_click(self, event: events.Click) -> None:
        """Show the clicked choice."""
        line = event.screen_y - self._choices.region.y
        heads = [at for at in range(len(_CHOICES)) if not at or _is_first(at)]
        for at in range(len(_CHOICES)):
            if line == at + sum(head <= at for head in heads):
                self._show_choice(at)

    def _show_choice(self, cursor: int) -> None:
        self._cursor = cursor
        kind, name = _CHOICES[cursor]
        self._looks = ScreenLooks(**(self._looks._asdict() | {kind: name}))
        self.fill_widgets()


def _is_first(at: int) -> bool:
    """Return whether a choice opens its group."""
    return _CHOICES[at][0] != _CHOICES[at - 1][0]
