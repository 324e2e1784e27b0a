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
    Action("desk", "desk", "1", "anywhere", "app.show('desk')", "Show the desk.", footer=6),
    Action("chart", "chart", "2", "anywhere", "app.show('chart')", "Show the chart.", footer=7),
    Action(
        "risk",
        "risk",
        "6",
        "anywhere",
        "app.show('risk')",
        "Show limits, and what differs from the broker's books.",
        footer=12,
    ),
    Action("freeze", "freeze", "space", "anywhere", "app.freeze", "Hold the display still while data flows on.", "", 5),
    Action("back", "back", "escape", "anywhere", "app.back", "Leave the filter, the maximised pane, the screen."),
    Action("palette", "palette", "ctrl+p", "anywhere", "app.command_palette", "Find any action by name.", "", 9),
    Action("help", "help", "f1", "anywhere", "app.help", "Explain the focused pane and list every key.", "", 8),
    Action("colours", "colours", "c", "anywhere", "app.colours", "Change what up and down look like."),
    Action(
        "quit", "quit", "ctrl+q", "anywhere", "app.quit", "Stop the desk and leave; asks with open positions.", "", 10
    ),
    Action("next-pane", "next pane", "tab", "desk", "screen.pane(1)", "Focus the next pane.", footer=11),
    Action("previous-pane", "previous pane", "shift+tab", "desk", "screen.pane(-1)", "Focus the previous pane."),
    Action("zoom", "zoom", "z", "desk", "screen.zoom", "Maximise the focused pane, or put it back.", footer=4),
    Action("filter", "filter", "slash", "list", "screen.filter", "Show only rows that contain a text.", footer=3),
    Action("down", "down", "j,down", "list", "go(1)", "Move down."),
    Action("up", "up", "k,up", "list", "go(-1)", "Move up."),
    Action("page-down", "page down", "pagedown", "list", "page(1)", "Move down a screenful."),
    Action("page-up", "page up", "pageup", "list", "page(-1)", "Move up a screenful."),
    Action("first", "first", "g,home", "list", "first", "Go to the first row."),
    Action("last", "last", "G,end", "list", "last", "Go to the last row; a growing list stays there."),
    Action("attention", "next alert", "n", "list", "attention", "Go to the next row that needs an eye."),
    Action("open", "chart it", "enter", "list", "open", "Chart the symbol under the cursor."),
    Action(
        "exit", "exit", "x", "positions", "app.exit_position", "Exit the symbol under the cursor; asks first.", "", 2
    ),
    Action(
        "cancel", "cancel", "x", "orders", "app.cancel_order", "Cancel the order under the cursor; asks first.", "", 2
    ),
    Action(
        "trace",
        "trace",
        "t",
        "orders",
        "app.trace_order",
        "Show the life of the order under the cursor with its times, from the tick behind it to its fills.",
        "patang trace ID",
        5,
    ),
    Action(
        "limit",
        "change limit",
        "e",
        "limits",
        "screen.limit",
        "Change the limit under the cursor for the rest of the day; asks for value and reason.",
        "patang limits set NAME VALUE --reason R",
        1,
    ),
    Action(
        "adopt",
        "adopt",
        "a",
        "differences",
        "screen.reconcile('adopt')",
        "Take the shares on in a ladder of the desk's own, or take the broker's word; asks for the stop.",
        "patang reconcile KEY adopt",
        1,
    ),
    Action(
        "assign",
        "assign",
        "s",
        "differences",
        "screen.reconcile('assign')",
        "Give the shares to a strategy; asks for its name.",
        "patang reconcile KEY assign STRATEGY",
        2,
    ),
    Action(
        "ignore",
        "ignore",
        "i",
        "differences",
        "screen.reconcile('ignore')",
        "Leave the difference as it is, until its figures change.",
        "patang reconcile KEY ignore",
        3,
    ),
    Action(
        "flatten",
        "flatten",
        "f",
        "differences",
        "screen.reconcile('flatten')",
        "Sell the shares, cancel the order, delete the GTT; asks first.",
        "patang reconcile KEY flatten",
        4,
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
        2,
    ),
    Action("symbol-on", "next symbol", "right_square_bracket", "chart", "symbol(1)", "Chart the next symbol.", "", 3),
    Action("span", "span", "t", "chart", "span", "Change the span of a bar.", "", 4),
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
