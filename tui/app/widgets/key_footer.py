"""The line below everything: the keys that matter here, and what became of the last command."""

from collections.abc import Callable, Mapping

from rich.text import Text
from textual import events
from textual.widget import Widget

from engine.texts import plain_text
from tui.app.widgets.pane_view import PaneCell
from tui.app.widgets.theme import ToneStyles
from tui.key_actions import ACTIONS, KeyAction, key_caps, keys_of


def footer_keys(scopes: set[str], keymap: Mapping[str, str]) -> list[KeyAction]:
    """Return the actions the footer names where these scopes are in reach, most important first."""
    shown = [action for action in ACTIONS if action.footer and action.scope in scopes]
    return [
        action._replace(keys=keys_of(action, keymap))
        for action in sorted(shown, key=lambda action: action.footer)
    ]


def footer_spots(
    shown: list[KeyAction], status: PaneCell, width: int
) -> list[tuple[int, KeyAction]]:
    """Return the actions that fit on the footer, each with the column where it begins."""
    words = plain_text(status.text)
    # what became of the last command matters more than a reminder of keys
    room = width - (len(words) + 3 if words else 1)
    spots, at = [], 1
    for action in shown:
        size = len(key_caps(action.keys.partition(",")[0])) + len(action.verb) + 3
        # they come in order of their weight: what follows would be no shorter loss
        if at + size > room:
            break
        spots.append((at, action))
        at += size
    return spots


def footer_line(shown: list[KeyAction], status: PaneCell, width: int, tones: ToneStyles) -> Text:
    """Return the footer: keys from the left as far as they fit, the status at the right end."""
    words = plain_text(status.text)
    text = Text(" ", no_wrap=True, end="")
    for _, action in footer_spots(shown, status, width):
        cap = key_caps(action.keys.partition(",")[0])
        text.append(cap, tones.ink("danger" if action.fixed else "focus"))
        text.append(f" {action.verb}  ", tones.ink("dim"))
    if words:
        words = (
            words
            if len(words) < width - len(text) - 1
            else words[: max(width - len(text) - 3, 0)] + "…"
        )
        text.append(" " * max(width - len(text) - len(words) - 1, 0))
        text.append(words, tones.ink(status.tone))
    return text


class KeyFooter(Widget):
    """The footer, one line; a click on a key runs it."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "KeyFooter { dock: bottom; width: 100%; height: 1; background: $panel; }"

    def __init__(self, tones: Callable[[], ToneStyles]) -> None:
        super().__init__()
        self._tones = tones
        self._keys: list[KeyAction] = []
        self._status = PaneCell("")

    def show_keys(self, shown: list[KeyAction], status: PaneCell) -> None:
        """Show keys and a status."""
        if (shown, status) != (self._keys, self._status):
            self._keys, self._status = shown, status
            self.refresh()

    def render(self) -> Text:
        """Render the footer."""
        return footer_line(self._keys, self._status, self.size.width, self._tones())

    def spots(self) -> list[tuple[int, KeyAction]]:
        """Return the actions in sight, each with the column where it begins."""
        return footer_spots(self._keys, self._status, self.size.width)

    async def on_click(self, event: events.Click) -> None:
        """Run the key under the pointer."""
        # the second press of the kill key flattens: half of a double click is none
        if event.chain > 1:
            return
        for left, action in self.spots():
            words = len(key_caps(action.keys.partition(",")[0])) + 1 + len(action.verb)
            if left <= event.x < left + words:
                target = self.screen.focused or self.screen
                await self.app.run_action(action.run, default_namespace=target)
                return
