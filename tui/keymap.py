"""Key maps of the configuration, checked strictly, and the page `docs/keys.md`.

`python -m tui.keymap` prints the page.
"""

import difflib
import sys
from collections.abc import Mapping

from engine.errors import ConfigError
from tui.key_actions import ACTIONS, BY_ID, SCOPES, KeyAction, key_caps


def check_keymap(keymap: Mapping[str, str]) -> dict[str, str]:
    """Return the key map; raise `ConfigError` for an unknown action or a key that is taken."""
    for name in keymap:
        action = BY_ID.get(name)
        if action is None:
            near = difflib.get_close_matches(name, list(BY_ID), n=1)
            raise ConfigError(
                f"ui.keys.{name}: no such action" + (f"; did you mean {near[0]}?" if near else "")
            )
        # the key that stops the desk is the same on every machine
        if action.fixed:
            raise ConfigError(f"ui.keys.{name}: the kill switch cannot be remapped")
    taken: list[tuple[str, KeyAction]] = []
    for action in ACTIONS:
        for key in keymap.get(action.id, action.keys).split(","):
            for other, owner in taken:
                if other == key and _scopes_meet(owner, action):
                    raise ConfigError(
                        f"ui.keys.{action.id}: {key} already means {owner.verb} ({owner.id})"
                    )
            taken.append((key, action))
    return dict(keymap)


def _scopes_meet(a: KeyAction, b: KeyAction) -> bool:
    """Return whether two actions can be within reach of one key press."""
    # only one pane has the focus: its keys and those of another never meet
    apart = SCOPES.keys() - {"anywhere", "desk", "list", "replay"}
    # the blotter lists orders, the tree positions: their keys are one pane's
    pairs = ({"orders", "blotter"}, {"positions", "tree"}, {"research", "picture"})
    if {a.scope, b.scope} in pairs:
        return True
    # the chart has no panes and no lists: there only the keys of anywhere are within reach
    if "chart" in {a.scope, b.scope}:
        return {a.scope, b.scope} <= {"chart", "anywhere", "replay"}
    # the arrangement is the desk's, and of its panes three have keys of their own
    if "layout" in {a.scope, b.scope}:
        own = {"layout", "anywhere", "replay", "desk", "list", "watch", "positions", "orders"}
        return {a.scope, b.scope} <= own
    return not (a.scope != b.scope and {a.scope, b.scope} <= apart)


def keys_page() -> str:
    """Return `docs/keys.md`."""
    lines = [
        "# Keys",
        "",
        (
            "Written by `python -m tui.keymap` from the action registry. Every key but the kill "
            "switch can be changed under"
        ),
        "`[ui.keys]` in `config.toml`, by the action's id.",
    ]
    for scope, title in SCOPES.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| key | action | id | what it does | from a shell |",
            "|---|---|---|---|---|",
        ]
        for action in ACTIONS:
            if action.scope == scope:
                twin = f"`{action.twin}`" if action.twin else ""
                name = "fixed" if action.fixed else f"`{action.id}`"
                keys = " ".join(f"`{key}`" for key in key_caps(action.keys).split(" "))
                lines.append(f"| {keys} | {action.verb} | {name} | {action.help} | {twin} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(keys_page())
