"""Every action a key can start, in one table.

Key map, footer, palette, help screen and docs/keys.md come from it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


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
        keys="ctrl+k,f12",
        scope="anywhere",
        run="app.kill",
        help="Halt at once: no new entries, working ones cancelled, protection stays. "
        "A second press within three seconds also flattens every position.",
        twin="patang kill [--flatten]",
        footer=1,
        fixed=True,
    ),
    KeyAction(
        "help",
        "help",
        keys="f1,question_mark",
        scope="anywhere",
        run="app.help",
        help="Explain the focused pane; all keys.",
        twin="",
        footer=2,
    ),
    KeyAction(
        "quit",
        "quit",
        keys="ctrl+q",
        scope="anywhere",
        run="app.quit",
        help="Stop the desk and leave; asks with open positions.",
        twin="patang stop",
        footer=3,
    ),
    KeyAction(
        "desk",
        "desk",
        keys="1",
        scope="anywhere",
        run="app.show('desk')",
        help="Show the desk.",
        footer=20,
    ),
    KeyAction(
        "chart",
        "chart",
        keys="2",
        scope="anywhere",
        run="app.chart",
        help="Chart the symbol under the cursor.",
        footer=21,
    ),
    KeyAction(
        "risk",
        "risk",
        keys="6",
        scope="anywhere",
        run="app.show('risk')",
        help="Show limits, and what differs from the broker's books.",
        footer=22,
    ),
    KeyAction(
        "day",
        "day",
        keys="d",
        scope="anywhere",
        run="app.day",
        help="Show the day: P&L by strategy, best and worst trade, what stays open, what went "
        "wrong.",
        footer=23,
    ),
    KeyAction(
        "resume",
        "resume",
        keys="ctrl+r",
        scope="anywhere",
        run="app.resume",
        help="Let a desk that was stopped go on; asks for the reason.",
        twin="patang resume --reason TEXT",
    ),
    KeyAction(
        "freeze",
        "freeze",
        keys="space",
        scope="anywhere",
        run="app.freeze",
        help="Hold the display still while data flows on.",
        twin="",
        footer=13,
    ),
    KeyAction(
        "back",
        "back",
        keys="escape",
        scope="anywhere",
        run="app.back",
        help="Leave notices, filter, maximised pane, screen.",
    ),
    KeyAction(
        "palette",
        "palette",
        keys="ctrl+p",
        scope="anywhere",
        run="app.command_palette",
        help="Find an action or a symbol by name.",
        twin="",
        footer=24,
    ),
    KeyAction(
        "colours",
        "colours",
        keys="c",
        scope="anywhere",
        run="app.colours",
        help="Change what up and down look like.",
    ),
    KeyAction(
        "redraw",
        "redraw",
        keys="ctrl+l",
        scope="anywhere",
        run="app.redraw",
        help="Draw the whole screen anew.",
    ),
    KeyAction(
        "suspend",
        "suspend",
        keys="ctrl+z",
        scope="anywhere",
        run="app.refuse_suspend",
        help="Nothing: it would stop the engine. In tmux, detach.",
    ),
    KeyAction(
        "next-pane",
        "pane",
        keys="tab",
        scope="desk",
        run="screen.pane(1)",
        help="Focus the next pane.",
        footer=4,
    ),
    KeyAction(
        "previous-pane",
        "previous pane",
        keys="shift+tab",
        scope="desk",
        run="screen.pane(-1)",
        help="Focus the previous pane.",
    ),
    KeyAction(
        "zoom",
        "zoom",
        keys="z",
        scope="desk",
        run="screen.zoom",
        help="Maximise the focused pane, or put it back.",
        footer=12,
    ),
    KeyAction(
        "filter",
        "filter",
        keys="slash",
        scope="list",
        run="screen.filter",
        help="Show only rows that contain a text.",
        footer=11,
    ),
    KeyAction("down", "down", keys="j,down", scope="list", run="go(1)", help="Move down."),
    KeyAction("up", "up", keys="k,up", scope="list", run="go(-1)", help="Move up."),
    KeyAction(
        "page-down",
        "page down",
        keys="pagedown",
        scope="list",
        run="page(1)",
        help="Move down a screenful.",
    ),
    KeyAction(
        "page-up",
        "page up",
        keys="pageup",
        scope="list",
        run="page(-1)",
        help="Move up a screenful.",
    ),
    KeyAction(
        "first", "first", keys="g,home", scope="list", run="first", help="Go to the first row."
    ),
    KeyAction(
        "last",
        "last",
        keys="G,end",
        scope="list",
        run="last",
        help="Go to the last row; a growing list stays there.",
    ),
    KeyAction(
        "attention",
        "next alert",
        keys="n",
        scope="list",
        run="attention",
        help="Go to the next row that needs an eye.",
    ),
    KeyAction(
        "open",
        "chart it",
        keys="enter",
        scope="list",
        run="open",
        help="Chart the symbol under the cursor.",
    ),
    KeyAction(
        "exit",
        "exit",
        keys="x",
        scope="positions",
        run="app.exit_position",
        help="Exit the symbol under the cursor; asks first.",
        twin="",
        footer=5,
    ),
    KeyAction(
        "cancel",
        "cancel",
        keys="x",
        scope="orders",
        run="app.cancel_order",
        help="Cancel the order under the cursor; asks first.",
        twin="patang cancel NO",
        footer=5,
    ),
    KeyAction(
        "trace",
        "trace",
        keys="t",
        scope="orders",
        run="app.trace_order",
        help="Show the life of the order under the cursor with its times, from the tick behind "
        "it to "
        "its fills.",
        twin="patang trace NO",
        footer=6,
    ),
    KeyAction(
        "limit",
        "change limit",
        keys="e",
        scope="limits",
        run="screen.limit",
        help="Change the limit under the cursor for the rest of the day; asks for value and "
        "reason.",
        twin="patang limits set NAME VALUE --reason R",
        footer=5,
    ),
    KeyAction(
        "adopt",
        "adopt",
        keys="a",
        scope="differences",
        run="screen.reconcile('adopt')",
        help="Take the shares on in a ladder of the desk's own, or take the broker's word; asks "
        "for "
        "the stop.",
        twin="patang reconcile KEY adopt",
        footer=5,
    ),
    KeyAction(
        "assign",
        "assign",
        keys="s",
        scope="differences",
        run="screen.reconcile('assign')",
        help="Give the shares to a strategy; asks for its name.",
        twin="patang reconcile KEY assign STRATEGY",
        footer=6,
    ),
    KeyAction(
        "ignore",
        "ignore",
        keys="i",
        scope="differences",
        run="screen.reconcile('ignore')",
        help="Leave the difference as it is, until its figures change.",
        twin="patang reconcile KEY ignore",
        footer=7,
    ),
    KeyAction(
        "flatten",
        "flatten",
        keys="f",
        scope="differences",
        run="screen.reconcile('flatten')",
        help="Sell the shares, cancel the order, delete the GTT; asks first.",
        twin="patang reconcile KEY flatten",
        footer=8,
    ),
    KeyAction(
        "ignore-all",
        "ignore all",
        keys="I",
        scope="differences",
        run="screen.ignore_all",
        help="Ignore every difference that may be ignored; asks first.",
        twin="patang reconcile all ignore",
    ),
    KeyAction(
        "symbol-back",
        "previous symbol",
        keys="left_square_bracket",
        scope="chart",
        run="symbol(-1)",
        help="Chart the previous symbol.",
        twin="",
        footer=5,
    ),
    KeyAction(
        "symbol-on",
        "next symbol",
        keys="right_square_bracket",
        scope="chart",
        run="symbol(1)",
        help="Chart the next symbol.",
        twin="",
        footer=6,
    ),
    KeyAction(
        "span",
        "span",
        keys="t",
        scope="chart",
        run="span(1)",
        help="Take the next span of a bar.",
        footer=7,
    ),
    KeyAction(
        "span-back",
        "previous span",
        keys="T",
        scope="chart",
        run="span(-1)",
        help="Take the span of a bar before.",
    ),
    KeyAction(
        "bar-back",
        "bar back",
        keys="h,left",
        scope="chart",
        run="cross(-1)",
        help="Move the cross-hair to the bar before; the first press brings it.",
        footer=14,
    ),
    KeyAction(
        "bar-on",
        "bar on",
        keys="l,right",
        scope="chart",
        run="cross(1)",
        help="Move the cross-hair to the next bar.",
        footer=15,
    ),
    KeyAction(
        "price-up",
        "price up",
        keys="k,up",
        scope="chart",
        run="level(-1)",
        help="Move the price of the cross-hair up.",
    ),
    KeyAction(
        "price-down",
        "price down",
        keys="j,down",
        scope="chart",
        run="level(1)",
        help="Move the price of the cross-hair down.",
    ),
    KeyAction(
        "zoom-in",
        "zoom in",
        keys="plus,equals_sign",
        scope="chart",
        run="magnify(1)",
        help="Show fewer bars, each wider.",
        footer=10,
    ),
    KeyAction(
        "zoom-out",
        "zoom out",
        keys="minus",
        scope="chart",
        run="magnify(-1)",
        help="Show more bars, each narrower.",
        footer=11,
    ),
    KeyAction(
        "pan-back",
        "earlier",
        keys="H,pageup",
        scope="chart",
        run="pan(-1)",
        help="Go back by half of what is seen.",
        footer=17,
    ),
    KeyAction(
        "pan-on",
        "later",
        keys="L,pagedown",
        scope="chart",
        run="pan(1)",
        help="Go on by half of what is seen.",
        footer=18,
    ),
    KeyAction(
        "oldest",
        "oldest",
        keys="g,home",
        scope="chart",
        run="pan(-2)",
        help="Go to the oldest bars.",
    ),
    KeyAction(
        "newest",
        "newest",
        keys="G,end",
        scope="chart",
        run="pan(2)",
        help="Go to the newest bars and follow them.",
    ),
    KeyAction(
        "overlay",
        "indicator",
        keys="i",
        scope="chart",
        run="overlay",
        help="Take the next indicator over the prices.",
        footer=8,
    ),
    KeyAction(
        "below",
        "below",
        keys="b",
        scope="chart",
        run="below",
        help="Take the next indicator below the prices.",
        footer=9,
    ),
    KeyAction(
        "volume",
        "volume",
        keys="v",
        scope="chart",
        run="volume",
        help="Show the volume, or not.",
        footer=16,
    ),
    KeyAction(
        "compare",
        "compare",
        keys="w",
        scope="chart",
        run="compare(1)",
        help="Compare with the next symbol under watch, both at one place at the left edge.",
        footer=12,
    ),
    KeyAction(
        "compare-none",
        "compare no more",
        keys="W",
        scope="chart",
        run="compare(0)",
        help="Compare with nothing.",
    ),
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
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


def key_caps(keys: str) -> str:
    """Write keys as they stand on the keyboard: "ctrl+k,f12" → "^k f12"."""
    names = (_CAPS.get(key, key) for key in keys.split(","))
    return " ".join(name.replace("ctrl+", "^").replace("shift+", "⇧") for name in names)


def keys_of(action: KeyAction, keymap: Mapping[str, str]) -> str:
    """Return the keys an action has under a key map."""
    return keymap.get(action.id, action.keys)
