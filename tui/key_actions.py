"""Every action a key can start, in one table.

Key map, footer, palette, help screen and docs/keys.md come from it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from textual.binding import Binding


class KeyAction(NamedTuple):
    """One action; `run` is what Textual calls, in the namespace where the scope's bindings live."""

    id: str
    verb: str
    keys: str
    scope: str
    """anywhere, desk, list (any pane with the focus), positions, orders, differences, chart."""
    run: str
    help: str
    twin: str = ""
    """The same from a shell."""
    footer: int = 0
    """Place in the footer, 0: not there; the lowest survive on a narrow terminal."""
    fixed: bool = False
    """Neither remapped nor swallowed: a priority binding without an id."""


ACTIONS: Final = (
    KeyAction(
        "kill",
        "kill",
        "ctrl+k,f12",
        "anywhere",
        "app.kill",
        "Halt at once: no new entries, working ones cancelled, protection stays. "
        "A second press within three seconds also flattens every position.",
        "patang kill [--flatten]",
        1,
        fixed=True,
    ),
    KeyAction(
        "help",
        "help",
        "f1,question_mark",
        "anywhere",
        "app.help",
        "Explain the focused pane; all keys.",
        "",
        2,
    ),
    KeyAction(
        "quit",
        "quit",
        "ctrl+q",
        "anywhere",
        "app.quit",
        "Stop the desk and leave; asks with open positions.",
        "patang stop",
        3,
    ),
    KeyAction("desk", "desk", "1", "anywhere", "app.show('desk')", "Show the desk.", footer=20),
    KeyAction(
        "chart",
        "chart",
        "2",
        "anywhere",
        "app.chart",
        "Chart the symbol under the cursor.",
        footer=21,
    ),
    KeyAction(
        "risk",
        "risk",
        "6",
        "anywhere",
        "app.show('risk')",
        "Show limits, and what differs from the broker's books.",
        footer=22,
    ),
    KeyAction(
        "day",
        "day",
        "d",
        "anywhere",
        "app.day",
        "Show the day: P&L by strategy, best and worst trade, what stays open, what went wrong.",
        footer=23,
    ),
    KeyAction(
        "resume",
        "resume",
        "ctrl+r",
        "anywhere",
        "app.resume",
        "Let a desk that was stopped go on; asks for the reason.",
        "patang resume --reason TEXT",
    ),
    KeyAction(
        "freeze",
        "freeze",
        "space",
        "anywhere",
        "app.freeze",
        "Hold the display still while data flows on.",
        "",
        13,
    ),
    KeyAction(
        "back",
        "back",
        "escape",
        "anywhere",
        "app.back",
        "Leave notices, filter, maximised pane, screen.",
    ),
    KeyAction(
        "palette",
        "palette",
        "ctrl+p",
        "anywhere",
        "app.command_palette",
        "Find an action or a symbol by name.",
        "",
        24,
    ),
    KeyAction(
        "colours", "colours", "c", "anywhere", "app.colours", "Change what up and down look like."
    ),
    KeyAction(
        "redraw", "redraw", "ctrl+l", "anywhere", "app.redraw", "Draw the whole screen anew."
    ),
    KeyAction(
        "suspend",
        "suspend",
        "ctrl+z",
        "anywhere",
        "app.refuse_suspend",
        "Nothing: it would stop the engine. In tmux, detach.",
    ),
    KeyAction(
        "next-pane", "pane", "tab", "desk", "screen.pane(1)", "Focus the next pane.", footer=4
    ),
    KeyAction(
        "previous-pane",
        "previous pane",
        "shift+tab",
        "desk",
        "screen.pane(-1)",
        "Focus the previous pane.",
    ),
    KeyAction(
        "zoom",
        "zoom",
        "z",
        "desk",
        "screen.zoom",
        "Maximise the focused pane, or put it back.",
        footer=12,
    ),
    KeyAction(
        "filter",
        "filter",
        "slash",
        "list",
        "screen.filter",
        "Show only rows that contain a text.",
        footer=11,
    ),
    KeyAction("down", "down", "j,down", "list", "go(1)", "Move down."),
    KeyAction("up", "up", "k,up", "list", "go(-1)", "Move up."),
    KeyAction("page-down", "page down", "pagedown", "list", "page(1)", "Move down a screenful."),
    KeyAction("page-up", "page up", "pageup", "list", "page(-1)", "Move up a screenful."),
    KeyAction("first", "first", "g,home", "list", "first", "Go to the first row."),
    KeyAction(
        "last", "last", "G,end", "list", "last", "Go to the last row; a growing list stays there."
    ),
    KeyAction(
        "attention", "next alert", "n", "list", "attention", "Go to the next row that needs an eye."
    ),
    KeyAction("open", "chart it", "enter", "list", "open", "Chart the symbol under the cursor."),
    KeyAction(
        "exit",
        "exit",
        "x",
        "positions",
        "app.exit_position",
        "Exit the symbol under the cursor; asks first.",
        "",
        5,
    ),
    KeyAction(
        "cancel",
        "cancel",
        "x",
        "orders",
        "app.cancel_order",
        "Cancel the order under the cursor; asks first.",
        "patang cancel NO",
        5,
    ),
    KeyAction(
        "trace",
        "trace",
        "t",
        "orders",
        "app.trace_order",
        "Show the life of the order under the cursor with its times, from the tick behind it to "
        "its fills.",
        "patang trace NO",
        6,
    ),
    KeyAction(
        "limit",
        "change limit",
        "e",
        "limits",
        "screen.limit",
        "Change the limit under the cursor for the rest of the day; asks for value and reason.",
        "patang limits set NAME VALUE --reason R",
        5,
    ),
    KeyAction(
        "adopt",
        "adopt",
        "a",
        "differences",
        "screen.reconcile('adopt')",
        "Take the shares on in a ladder of the desk's own, or take the broker's word; asks for "
        "the stop.",
        "patang reconcile KEY adopt",
        5,
    ),
    KeyAction(
        "assign",
        "assign",
        "s",
        "differences",
        "screen.reconcile('assign')",
        "Give the shares to a strategy; asks for its name.",
        "patang reconcile KEY assign STRATEGY",
        6,
    ),
    KeyAction(
        "ignore",
        "ignore",
        "i",
        "differences",
        "screen.reconcile('ignore')",
        "Leave the difference as it is, until its figures change.",
        "patang reconcile KEY ignore",
        7,
    ),
    KeyAction(
        "flatten",
        "flatten",
        "f",
        "differences",
        "screen.reconcile('flatten')",
        "Sell the shares, cancel the order, delete the GTT; asks first.",
        "patang reconcile KEY flatten",
        8,
    ),
    KeyAction(
        "ignore-all",
        "ignore all",
        "I",
        "differences",
        "screen.ignore_all",
        "Ignore every difference that may be ignored; asks first.",
        "patang reconcile all ignore",
    ),
    KeyAction(
        "symbol-back",
        "previous symbol",
        "left_square_bracket",
        "chart",
        "symbol(-1)",
        "Chart the previous symbol.",
        "",
        5,
    ),
    KeyAction(
        "symbol-on",
        "next symbol",
        "right_square_bracket",
        "chart",
        "symbol(1)",
        "Chart the next symbol.",
        "",
        6,
    ),
    KeyAction("span", "span", "t", "chart", "span", "Change the span of a bar.", "", 7),
)

BY_ID: Final = {action.id: action for action in ACTIONS}

SCOPES: Final = {
    "anywhere": "Anywhere",
    "desk": "On the desk and the risk screen",
    "list": "In every list",
    "positions": "In positions",
    "orders": "In orders",
    "differences": "In differences",
    "limits": "In limits",
    "chart": "On the chart",
}

_CAPS: Final = {
    "slash": "/",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


def scope_bindings(scope: str) -> tuple[Binding, ...]:
    """Return a scope's bindings; a widget's own scope runs in the widget."""
    return tuple(_action_binding(action) for action in ACTIONS if action.scope == scope)


def _action_binding(action: KeyAction) -> Binding:
    return Binding(
        action.keys,
        action.run,
        action.verb,
        show=False,
        priority=action.fixed or action.id in {"quit", "palette"},
        id=None if action.fixed else action.id,
    )


def key_caps(keys: str) -> str:
    """Write keys as they stand on the keyboard: "ctrl+k,f12" → "^k f12"."""
    names = (_CAPS.get(key, key) for key in keys.split(","))
    return " ".join(name.replace("ctrl+", "^").replace("shift+", "⇧") for name in names)


def keys_of(action: KeyAction, keymap: Mapping[str, str]) -> str:
    """Return the keys an action has under a key map."""
    return keymap.get(action.id, action.keys)
