"""Every action a key can start, in one table: key map, footer, palette, help screen and docs/keys.md come from it."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from textual.binding import Binding


class Action(NamedTuple):
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
    Action(
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
    Action("help", "help", "f1,question_mark", "anywhere", "app.help", "Explain the focused pane; all keys.", "", 2),
    Action(
        "quit",
        "quit",
        "ctrl+q",
        "anywhere",
        "app.quit",
        "Stop the desk and leave; asks with open positions.",
        "patang stop",
        3,
    ),
    Action("desk", "desk", "1", "anywhere", "app.show('desk')", "Show the desk.", footer=20),
    Action("chart", "chart", "2", "anywhere", "app.chart", "Chart the symbol under the cursor.", footer=21),
    Action(
        "risk",
        "risk",
        "6",
        "anywhere",
        "app.show('risk')",
        "Show limits, and what differs from the broker's books.",
        footer=22,
    ),
    Action(
        "day",
        "day",
        "d",
        "anywhere",
        "app.day",
        "Show the day: P&L by strategy, best and worst trade, what stays open, what went wrong.",
        footer=23,
    ),
    Action(
        "resume",
        "resume",
        "ctrl+r",
        "anywhere",
        "app.resume",
        "Let a desk that was stopped go on; asks for the reason.",
        "patang resume --reason TEXT",
    ),
    Action(
        "freeze", "freeze", "space", "anywhere", "app.freeze", "Hold the display still while data flows on.", "", 13
    ),
    Action("back", "back", "escape", "anywhere", "app.back", "Leave notices, filter, maximised pane, screen."),
    Action(
        "palette", "palette", "ctrl+p", "anywhere", "app.command_palette", "Find an action or a symbol by name.", "", 24
    ),
    Action("colours", "colours", "c", "anywhere", "app.colours", "Change what up and down look like."),
    Action("redraw", "redraw", "ctrl+l", "anywhere", "app.redraw", "Draw the whole screen anew."),
    Action(
        "suspend",
        "suspend",
        "ctrl+z",
        "anywhere",
        "app.refuse_suspend",
        "Nothing: it would stop the engine. In tmux, detach.",
    ),
    Action("next-pane", "pane", "tab", "desk", "screen.pane(1)", "Focus the next pane.", footer=4),
    Action("previous-pane", "previous pane", "shift+tab", "desk", "screen.pane(-1)", "Focus the previous pane."),
    Action("zoom", "zoom", "z", "desk", "screen.zoom", "Maximise the focused pane, or put it back.", footer=12),
    Action("filter", "filter", "slash", "list", "screen.filter", "Show only rows that contain a text.", footer=11),
    Action("down", "down", "j,down", "list", "go(1)", "Move down."),
    Action("up", "up", "k,up", "list", "go(-1)", "Move up."),
    Action("page-down", "page down", "pagedown", "list", "page(1)", "Move down a screenful."),
    Action("page-up", "page up", "pageup", "list", "page(-1)", "Move up a screenful."),
    Action("first", "first", "g,home", "list", "first", "Go to the first row."),
    Action("last", "last", "G,end", "list", "last", "Go to the last row; a growing list stays there."),
    Action("attention", "next alert", "n", "list", "attention", "Go to the next row that needs an eye."),
    Action("open", "chart it", "enter", "list", "open", "Chart the symbol under the cursor."),
    Action(
        "exit", "exit", "x", "positions", "app.exit_position", "Exit the symbol under the cursor; asks first.", "", 5
    ),
    Action(
        "cancel",
        "cancel",
        "x",
        "orders",
        "app.cancel_order",
        "Cancel the order under the cursor; asks first.",
        "patang cancel NO",
        5,
    ),
    Action(
        "trace",
        "trace",
        "t",
        "orders",
        "app.trace_order",
        "Show the life of the order under the cursor with its times, from the tick behind it to its fills.",
        "patang trace NO",
        6,
    ),
    Action(
        "limit",
        "change limit",
        "e",
        "limits",
        "screen.limit",
        "Change the limit under the cursor for the rest of the day; asks for value and reason.",
        "patang limits set NAME VALUE --reason R",
        5,
    ),
    Action(
        "adopt",
        "adopt",
        "a",
        "differences",
        "screen.reconcile('adopt')",
        "Take the shares on in a ladder of the desk's own, or take the broker's word; asks for the stop.",
        "patang reconcile KEY adopt",
        5,
    ),
    Action(
        "assign",
        "assign",
        "s",
        "differences",
        "screen.reconcile('assign')",
        "Give the shares to a strategy; asks for its name.",
        "patang reconcile KEY assign STRATEGY",
        6,
    ),
    Action(
        "ignore",
        "ignore",
        "i",
        "differences",
        "screen.reconcile('ignore')",
        "Leave the difference as it is, until its figures change.",
        "patang reconcile KEY ignore",
        7,
    ),
    Action(
        "flatten",
        "flatten",
        "f",
        "differences",
        "screen.reconcile('flatten')",
        "Sell the shares, cancel the order, delete the GTT; asks first.",
        "patang reconcile KEY flatten",
        8,
    ),
    Action(
        "ignore-all",
        "ignore all",
        "I",
        "differences",
        "screen.ignore_all",
        "Ignore every difference that may be ignored; asks first.",
        "patang reconcile all ignore",
    ),
    Action(
        "symbol-back",
        "previous symbol",
        "left_square_bracket",
        "chart",
        "symbol(-1)",
        "Chart the previous symbol.",
        "",
        5,
    ),
    Action("symbol-on", "next symbol", "right_square_bracket", "chart", "symbol(1)", "Chart the next symbol.", "", 6),
    Action("span", "span", "t", "chart", "span", "Change the span of a bar.", "", 7),
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


def bindings(scope: str) -> tuple[Binding, ...]:
    """Return a scope's bindings; a widget's own scope runs in the widget."""
    return tuple(_binding(action) for action in ACTIONS if action.scope == scope)


def _binding(action: Action) -> Binding:
    return Binding(
        action.keys,
        action.run,
        action.verb,
        show=False,
        priority=action.fixed or action.id in {"quit", "palette"},
        id=None if action.fixed else action.id,
    )


def caps(keys: str) -> str:
    """Write keys as they stand on the keyboard: "ctrl+k,f12" → "^k f12"."""
    names = (_CAPS.get(key, key) for key in keys.split(","))
    return " ".join(name.replace("ctrl+", "^").replace("shift+", "⇧") for name in names)


def keys_of(action: Action, keymap: Mapping[str, str]) -> str:
    """Return the keys an action has under a key map."""
    return keymap.get(action.id, action.keys)
