"""The help text: the focused pane in words, then every key."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tui.actions import ACTIONS, SCOPES, caps, keys_of
from tui.theme import Tones
from tui.widgets.view import View

_CHART = "Candles with volume, EMA 9 and 21, and the desk's own fills: ▲ bought, ▼ sold."


def help_text(view: View[Any] | None, keymap: Mapping[str, str], tones: Tones) -> tuple[str, Group]:
    """Return title and text; `view` None stands for the chart."""
    table = Table.grid(padding=(0, 2))
    for scope, heading in SCOPES.items():
        table.add_row()
        table.add_row(Text(heading, tones.ink("title")))
        for action in ACTIONS:
            if action.scope == scope:
                what = Text(action.help, tones.ink("dim"))
                if action.twin:
                    what.append(f"\n$ {action.twin}", tones.ink("title"))
                keys = Text(caps(keys_of(action, keymap)), tones.ink("focus"))
                table.add_row(keys, Text(action.verb, tones.ink("strong"), no_wrap=True), what)
    title = view.title.capitalize() if view else "Chart"
    return title, Group(Text(view.help if view else _CHART, tones.ink("")), table)
