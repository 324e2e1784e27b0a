"""The command palette, below the bands.

Every action with its keys, grey where it belongs to another screen, every symbol under watch.
"""

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input

from engine.texts import plain_text
from tui.app.screens.modal_dialogs import ModalDialog
from tui.app.widgets.theme import ToneStyles

ROWS: Final = 12
_WORDS, _KEYS = 18, 10


class PaletteChoice(NamedTuple):
    """One choice: its name, its keys, its help, and the work it runs."""

    words: str
    keys: str
    help: str
    run: str
    place: str = ""
    """The screen it belongs to, where that is another one."""


def closeness(typed: str, words: str) -> int:
    """Return how well a name matches the typed text, 0: not at all.

    Its letters must come in order; a beginning is best.
    """
    typed, words = typed.lower().strip(), words.lower()
    if not typed:
        return 1
    if words.startswith(typed):
        return 5
    if f" {typed}" in words:
        return 4
    if typed in words:
        return 3
    # each is looked for behind the one before
    letters = iter(words)
    return 2 if all(letter in letters for letter in typed) else 0


def matching_choices(choices: Sequence[PaletteChoice], typed: str) -> list[PaletteChoice]:
    """Return the choices that match the typed text, the closest first.

    Words of the help and the place count least.
    """
    ranked = [(closeness(typed, choice.words), choice) for choice in choices]
    # stable: equals stay in the order of the table
    found = [choice for rank, choice in sorted(ranked, key=lambda each: -each[0]) if rank]
    wanted = typed.lower().split()
    return found + [
        choice
        for rank, choice in ranked
        if not rank
        and all(word in f"{choice.words} {choice.help} {choice.place}".lower() for word in wanted)
    ]


class ChoiceList(Widget):
    """The choices, a line each."""

    ALLOW_SELECT = False
    DEFAULT_CSS = f"ChoiceList {{ height: {ROWS}; width: 100%; }}"

    def __init__(self) -> None:
        super().__init__()
        self.tones: ToneStyles | None = None
        self.shown: list[PaletteChoice] = []
        self.cursor = 0
        self.typed = ""

    def show_choices(self, shown: list[PaletteChoice], cursor: int) -> None:
        """Show these, with the cursor on one of them."""
        self.shown, self.cursor = shown, max(0, min(cursor, len(shown) - 1))
        self.refresh()

    def render(self) -> Text:
        """Render the choices around the cursor."""
        tones, width = self.tones, self.size.width
        if tones is None:
            return Text()
        # the cursor stays in the middle while there is more on both sides
        first = max(0, min(self.cursor - ROWS // 2, len(self.shown) - ROWS))
        lines = []
        for number, choice in enumerate(self.shown[first : first + ROWS], first):
            line = Text(
                "▎" if number == self.cursor else " ", tones.ink("focus"), no_wrap=True, end=""
            )
            far = bool(choice.place)
            line.append(
                plain_text(choice.words).ljust(_WORDS), tones.ink("dim" if far else "strong")
            )
            line.append(choice.keys.ljust(_KEYS), tones.ink("dim" if far else "focus"))
            if far:
                line.append(f"on {choice.place} · ", tones.ink("title"))
            line.append(choice.help, tones.ink("" if number == self.cursor else "dim"))
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return (
            Text("\n", end="").join(lines)
            if lines
            else Text(f" nothing matches {plain_text(self.typed)}", tones.ink("dim"), end="")
        )


class ActionPalette(ModalDialog[str | None]):
    """Take a few letters of what shall be done; dismissed with what to run, None by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("down,ctrl+n", "step(1)", show=False),
        Binding("up", "step(-1)", show=False),
    ]
    DEFAULT_CSS = """
    ActionPalette {
        align: center top; background: $background 40%;
        #box {
            width: 92; max-width: 98%; height: auto; margin-top: 5; background: $panel;
            padding: 0 1;
               border-left: thick $accent; }
        Input, Input:focus { height: 1; border: none; background: $surface; margin: 1 0; }
    }
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._choices: Sequence[PaletteChoice] = ()
        self._list = ChoiceList()

    def prepare(self, choices: Sequence[PaletteChoice], tones: ToneStyles) -> None:
        """Take what can be done now, and the styles of the theme of now."""
        self._choices, self._list.tones = choices, tones

    def compose(self) -> ComposeResult:
        """Show the field above the choices."""
        # a halt has to be seen here as well
        yield self.bands
        with Container(id="box"):
            yield Input(placeholder="an action or a symbol", select_on_focus=False)
            yield self._list

    def fill_widgets(self) -> None:
        """Begin with everything."""
        field = self.query_one(Input)
        field.value = ""
        self.set_focus(field)
        self._show_matches("")

    def _show_matches(self, typed: str) -> None:
        self._list.typed = typed.strip()
        self._list.show_choices(matching_choices(self._choices, typed), 0)

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        self._show_matches(event.value)

    @on(Input.Submitted)
    def _choice_submitted(self) -> None:
        if self._list.shown:
            self.dismiss(self._list.shown[self._list.cursor].run)

    def action_step(self, steps: int) -> None:
        """Move the cursor."""
        self._list.show_choices(self._list.shown, self._list.cursor + steps)
