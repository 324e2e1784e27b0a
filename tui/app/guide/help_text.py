"""The help text: the focused pane in words and its keys first, then every other key."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from tui.app.widgets.pane_view import View
from tui.app.widgets.theme import ToneStyles
from tui.key_actions import ACTIONS, SCOPES, KeyAction, key_caps, keys_of

_CHART = (
    "Candles with volume, an indicator over the prices and one below, and what is the desk's own: "
    "▲ bought, ▼ sold, ◆ both; dashed lines are average, stop, goal and orders at work. An arrow "
    "on the axis: such a price lies beyond it. The last bar is still forming. A click puts the "
    "cross-hair, the wheel goes back and on."
)
_KEYS, _VERBS = 9, 13
_WHOLE = 90
"""Width below which each action has one line, but for the kill switch."""


class KeyTable:
    """The keys of some scopes, a line each where there is room."""

    def __init__(self, scopes: Sequence[str], keymap: Mapping[str, str], tones: ToneStyles) -> None:
        self._scopes = scopes
        self._keymap = keymap
        self._tones = tones

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the width there is."""
        del console
        tones = self._tones
        for scope in self._scopes:
            table = Table.grid(padding=(0, 1, 0, 0), expand=True)
            table.add_column(no_wrap=True, width=_KEYS)
            table.add_column(no_wrap=True, width=_VERBS)
            table.add_column(ratio=1, overflow="ellipsis")
            for action in ACTIONS:
                if action.scope == scope:
                    keys = Text(key_caps(keys_of(action, self._keymap)), tones.ink("focus"))
                    table.add_row(
                        keys,
                        Text(action.verb, tones.ink("strong")),
                        self._action_text(action, options.max_width),
                    )
            yield Text(SCOPES[scope], tones.ink("title"))
            yield table

    def _action_text(self, action: KeyAction, width: int) -> Text:
        # how the desk is stopped is told whole on the narrowest terminal
        brief = width < _WHOLE and not action.fixed
        what = Text(
            action.help,
            self._tones.ink("dim"),
            no_wrap=brief,
            overflow="ellipsis" if brief else "fold",
        )
        room = width - _KEYS - _VERBS - 2
        # only where it adds no line
        if action.twin and len(what) % room + len(action.twin) + 4 <= room:
            what.append(f"  $ {action.twin}", self._tones.ink("title"))
        return what


def help_text(
    view: View[Any] | None, scopes: set[str], keymap: Mapping[str, str], tones: ToneStyles
) -> tuple[str, Group]:
    """Return title and text, the actions in reach first; `view` None stands for the chart."""
    own = view.name if view else "chart"
    near = [
        scope
        for scope in (own, "replay", "anywhere", "list", "desk")
        if scope in scopes and scope in SCOPES
    ]
    far = [scope for scope in SCOPES if scope not in near]
    title = view.title.capitalize() if view else "Chart"
    words = Text(view.help if view else _CHART, tones.ink(""))
    elsewhere = Text("\nElsewhere", tones.ink("title"))
    return title, Group(
        KeyTable(near, keymap, tones), Text(), words, elsewhere, KeyTable(far, keymap, tones)
    )
