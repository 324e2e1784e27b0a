"""The help text: the focused pane in words and its keys first, then every other key.

What is typed leaves the keys that match it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from engine.texts import plain_text
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
    """Keys by scope, a line each where there is room; `whole`: each with all its words."""

    def __init__(
        self,
        found: Mapping[str, Sequence[KeyAction]],
        keymap: Mapping[str, str],
        tones: ToneStyles,
        *,
        whole: bool,
    ) -> None:
        self._found = found
        self._keymap = keymap
        self._tones = tones
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the width there is."""
        del console
        tones = self._tones
        for scope, actions in self._found.items():
            table = Table.grid(padding=(0, 1, 0, 0), expand=True)
            table.add_column(no_wrap=True, width=_KEYS)
            table.add_column(no_wrap=True, width=_VERBS)
            table.add_column(ratio=1, overflow="ellipsis")
            for action in actions:
                table.add_row(
                    Text(key_caps(keys_of(action, self._keymap)), tones.ink("focus")),
                    Text(action.verb, tones.ink("strong")),
                    self._action_text(action, options.max_width),
                )
            yield Text(SCOPES[scope], tones.ink("title"))
            yield table

    def _action_text(self, action: KeyAction, width: int) -> Text:
        # how the desk is stopped is told whole on the narrowest terminal
        brief = width < _WHOLE and not action.fixed and not self._whole
        what = Text(
            action.help,
            self._tones.ink("dim"),
            no_wrap=brief,
            overflow="ellipsis" if brief else "fold",
        )
        room = width - _KEYS - _VERBS - 2
        # in the list of everything only where it adds no line
        if action.twin and len(what) % room + len(action.twin) + 4 <= room:
            what.append(f"  $ {action.twin}", self._tones.ink("title"))
        elif action.twin and self._whole:
            what.append(f"\n$ {action.twin}", self._tones.ink("title"))
        return what


def matching_actions(typed: str, keymap: Mapping[str, str]) -> list[KeyAction]:
    """Return the actions that have a key of that name, or else every word that was typed."""
    wanted = typed.strip()
    caps = [(key_caps(keys_of(action, keymap)), action) for action in ACTIONS]
    # keys tell capitals apart, words do not
    by_key = [action for shown, action in caps if wanted in shown.split(" ")]
    return by_key or [
        action
        for shown, action in caps
        if all(
            word in f"{shown} {action.verb} {action.help} {action.twin}".lower()
            for word in wanted.lower().split()
        )
    ]


def help_text(
    view: View[Any] | None,
    scopes: set[str],
    keymap: Mapping[str, str],
    tones: ToneStyles,
    typed: str = "",
) -> tuple[str, Group]:
    """Return title and text, the actions in reach first; `view` None stands for the chart.

    Where something is typed only what matches it is there, told whole.
    """
    own = view.name if view else "chart"
    near = [
        scope
        for scope in (own, "replay", "anywhere", "list", "desk")
        if scope in scopes and scope in SCOPES
    ]
    matching = matching_actions(typed, keymap)
    found = {
        scope: actions
        for scope in [*near, *(scope for scope in SCOPES if scope not in near)]
        if (actions := [action for action in matching if action.scope == scope])
    }
    title = view.title.capitalize() if view else "Chart"
    if typed.strip():
        nothing = Text(f"nothing matches {plain_text(typed.strip())}", tones.ink("dim"))
        return title, Group(KeyTable(found, keymap, tones, whole=True) if found else nothing)
    here = {scope: found.pop(scope) for scope in near if scope in found}
    words = Text(view.help if view else _CHART, tones.ink(""))
    elsewhere = Text("\nElsewhere", tones.ink("title"))
    return title, Group(
        KeyTable(here, keymap, tones, whole=False),
        Text(),
        words,
        elsewhere,
        KeyTable(found, keymap, tones, whole=False),
    )
