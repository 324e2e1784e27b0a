"""A line of names, one of them chosen: the panes of a screen that shows one of them at a time."""

from collections.abc import Callable, Sequence

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from tui.app.widgets.theme import ToneStyles


class TabStrip(Widget):
    """The names of panes; a click chooses one, and those with something to look at are marked."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "TabStrip { width: 100%; height: 1; background: $background; }"

    class TabChosen(Message):
        """A name was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, names: Sequence[tuple[str, str]], tones: Callable[[], ToneStyles]) -> None:
        super().__init__()
        self._names = list(names)
        self._tones = tones
        self._chosen = ""
        self._marks: dict[str, str] = {}

    def show_tabs(self, chosen: str, marks: dict[str, str]) -> None:
        """Show which is chosen, and the tone of each that needs an eye."""
        if (chosen, marks) != (self._chosen, self._marks):
            self._chosen, self._marks = chosen, dict(marks)
            self.refresh()

    def render(self) -> Text:
        """Render the names."""
        tones = self._tones()
        text = Text(no_wrap=True, overflow="ellipsis", end="")
        for name, title in self._names:
            chosen = name == self._chosen
            tone = self._marks.get(name, "focus" if chosen else "dim")
            text.append("▎" if chosen else " ", tones.ink("focus"))
            text.append(title, tones.ink(tone))
            text.append("  ")
        return text

    def on_click(self, event: events.Click) -> None:
        """Choose the name under the pointer."""
        titles = dict(self._names)
        for name, left in self.places().items():
            if left <= event.x < left + len(titles[name]) + 3:
                self.post_message(self.TabChosen(name))
                return

    def places(self) -> dict[str, int]:
        """Return the column at which each name begins."""
        left, found = 0, {}
        for name, title in self._names:
            found[name] = left
            left += len(title) + 3
        return found
