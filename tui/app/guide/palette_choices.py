"""Choices of the palette, and the place where each action is at home."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from engine.texts import plain_text
from tui.app.screens.action_palette import PaletteChoice
from tui.key_actions import ACTIONS, key_caps, keys_of


class ActionPlace(NamedTuple):
    """Place where keys of a scope are in reach: a screen, and a pane of it, "" for its first."""

    screen: str
    pane: str = ""


PLACES: Final[Mapping[str, ActionPlace]] = {
    "desk": ActionPlace("desk"),
    "layout": ActionPlace("desk"),
    "list": ActionPlace("desk"),
    "watch": ActionPlace("desk", "watch"),
    "positions": ActionPlace("desk", "positions"),
    "tree": ActionPlace("tree"),
    "orders": ActionPlace("orders", "blotter"),
    "blotter": ActionPlace("orders", "blotter"),
    "differences": ActionPlace("risk", "differences"),
    "limits": ActionPlace("risk", "limits"),
    "strategies": ActionPlace("strategies", "strategies"),
    "parameters": ActionPlace("strategies", "parameters"),
    "decisions": ActionPlace("strategies", "decisions"),
    "research": ActionPlace("research"),
    "picture": ActionPlace("research", "picture"),
    "probes": ActionPlace("ops", "jobs"),
    "log": ActionPlace("ops", "log"),
    "depth": ActionPlace("depth"),
    "chart": ActionPlace("chart"),
}
"""Those of anywhere have none, and those of a past day are in reach while one is played."""
_IDLE: Final = frozenset({"palette", "down", "up"})
"""What nobody looks for by name."""


def palette_choices(
    scopes: set[str], keymap: Mapping[str, str], symbols: Iterable[str]
) -> list[PaletteChoice]:
    """Return every action in reach, a chart of every symbol, and the actions of other screens."""
    near, far = [], []
    for action in ACTIONS:
        if action.id in _IDLE:
            continue
        keys = key_caps(keys_of(action, keymap))
        if action.scope in scopes:
            near.append(PaletteChoice(action.verb, keys, action.help, action.run))
        elif action.scope in PLACES:
            run, place = f"app.run_at_home({action.id!r})", PLACES[action.scope].screen
            far.append(PaletteChoice(action.verb, keys, action.help, run, place))
    names = [plain_text(symbol) for symbol in symbols]
    charts = [PaletteChoice(name, "", f"Chart {name}.", f"app.chart({name!r})") for name in names]
    return near + charts + far
