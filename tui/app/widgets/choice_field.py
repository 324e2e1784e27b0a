"""A field with a few choices: left, right and space take the next, a letter the one it begins."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget


class ChoiceField(Widget, can_focus=True):
    """One of its choices, all of which stand in the code."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "turn(1)", show=False),
        Binding("left", "turn(-1)", show=False),
    ]
    DEFAULT_CSS = """
    ChoiceField { height: 1; background: $surface; color: $ink; padding: 0 1; }
    ChoiceField:focus { background: $accent; color: $background; text-style: bold; }
    ChoiceField.-fixed { color: $ink-faint; background: $panel; }
    """

    class ChoiceTaken(Message):
        """Another choice was taken."""

        def __init__(self, field: "ChoiceField") -> None:
            super().__init__()
            self.field = field

    def __init__(self, choices: Sequence[str], id: str) -> None:
        super().__init__(id=id)
        self._choices = choices
        self.value = choices[0]

    def offer_choices(self, choices: Sequence[str]) -> None:
        """Offer other choices from now on."""
        self._choices = choices

    def show_choice(self, value: str, *, fixed: bool) -> None:
        """Show a choice; a fixed one cannot be changed."""
        self.value = value
        self.can_focus = not fixed
        self.set_class(fixed, "-fixed")
        self.refresh()

    def action_turn(self, step: int) -> None:
        """Take the next choice, or the one before."""
        at = self._choices.index(self.value) if self.value in self._choices else 0
        self._take_choice(self._choices[(at + step) % len(self._choices)])

    def on_key(self, event: events.Key) -> None:
        """Take the next choice that begins with a letter."""
        letter = (event.character or "").upper()
        at = self._choices.index(self.value) if self.value in self._choices else -1
        # From the one behind it on: SL and SL-M begin alike, and the second press takes the other.
        turned = [*self._choices[at + 1 :], *self._choices[: at + 1]]
        found = [each for each in turned if letter and each.upper().startswith(letter)]
        if found and letter.isalpha():
            event.stop()
            self._take_choice(found[0])

    def on_click(self) -> None:
        """Take the next one."""
        self.action_turn(1)

    def _take_choice(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.refresh()
            self.post_message(self.ChoiceTaken(self))

    def render(self) -> Text:
        """Render the choice between arrows."""
        return Text(f"◂ {self.value} ▸" if self.can_focus else self.value, no_wrap=True, end="")
