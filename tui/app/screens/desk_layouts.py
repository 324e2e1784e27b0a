"""Arrangements of the desk's panes for three sizes of the terminal, and what the operator made."""

from typing import Any, Final, NamedTuple

from textual.geometry import Size

from tui.app.screen_memory import ScreenMemory
from tui.app.widgets.pane_grid import PaneRow, PaneRows, PaneShare, names_of, pane_rows

NARROW, LOW = 100, 30
"""Below either of these the panes stand in one column, one of the preset's above one other."""
WIDE, HIGH = 170, 40
"""From both of these on there are two columns of three, each pane as high as most days need it."""

ALL: Final = "all"
"""The preset that has a place for every pane, new ones too."""
OTHER: Final = "other"
"""Stands for the pane that was last looked at beside those that are named."""

PRESETS: Final[dict[str, dict[str, PaneRows]]] = {
    "small": {
        "positions": pane_rows((9, [("positions", 1)]), (11, [(OTHER, 1)])),
        "prices": pane_rows((11, [("watch", 1)]), (9, [(OTHER, 1)])),
        "orders": pane_rows((11, [("orders", 1)]), (9, [(OTHER, 1)])),
        "one": pane_rows((1, [(OTHER, 1)])),
    },
    "middle": {
        ALL: pane_rows(
            (13, [("watch", 75), ("risk", 43)]),
            (11, [("positions", 75), ("ladders", 43)]),
            (11, [("orders", 56), ("events", 62)]),
        ),
        "positions": pane_rows(
            (22, [("positions", 75), ("ladders", 43)]), (13, [("orders", 56), ("events", 62)])
        ),
        "prices": pane_rows(
            (22, [("watch", 75), ("risk", 43)]), (13, [("positions", 75), ("events", 43)])
        ),
        "orders": pane_rows(
            (11, [("positions", 75), ("risk", 43)]), (24, [("orders", 62), ("events", 56)])
        ),
    },
    "wide": {
        ALL: pane_rows(
            (23, [("watch", 82), ("positions", 117)]),
            (16, [("ladders", 82), ("orders", 117)]),
            (17, [("risk", 82), ("events", 117)]),
        ),
        "positions": pane_rows(
            (34, [("positions", 117), ("ladders", 82)]),
            (22, [("orders", 80), ("risk", 50), ("events", 68)]),
        ),
        "prices": pane_rows(
            (34, [("watch", 100), ("positions", 99)]),
            (22, [("orders", 80), ("risk", 50), ("events", 68)]),
        ),
        "orders": pane_rows(
            (18, [("positions", 117), ("risk", 82)]), (38, [("orders", 117), ("events", 82)])
        ),
    },
}
"""The presets of each size, the first of them the usual one; heights and widths are shares."""


def size_class(size: Size) -> str:
    """Return which presets a size takes: small, middle or wide."""
    if size.width < NARROW or size.height < LOW:
        return "small"
    return "wide" if size.width >= WIDE and size.height >= HIGH else "middle"


class DeskLayout(NamedTuple):
    """An arrangement: a preset, its rows as they were moved since, and the panes out of sight."""

    preset: str
    rows: PaneRows
    hidden: frozenset[str] = frozenset()


def usual_layout(kind: str, preset: str = "") -> DeskLayout:
    """Return a preset of a size class as it is made, the usual one without a name."""
    presets = PRESETS[kind]
    name = preset if preset in presets else next(iter(presets))
    return DeskLayout(name, presets[name])


def next_layout(kind: str, layout: DeskLayout) -> DeskLayout:
    """Return the preset after the one that is shown."""
    names = list(PRESETS[kind])
    return usual_layout(kind, names[(names.index(layout.preset) + 1) % len(names)])


def recalled_layout(memory: ScreenMemory, kind: str) -> DeskLayout:
    """Return what was remembered for a size class; what cannot be one is the usual."""
    # the file is the user's, and may say anything: what is no arrangement must end nothing
    kept = memory.recall(f"layout-{kind}", {})
    usual = usual_layout(kind, str(kept.get("preset")))
    try:
        rows = tuple(
            PaneRow(
                _checked_share(height),
                tuple(PaneShare(name, _checked_share(wide)) for name, wide in panes),
            )
            for height, panes in kept["rows"]
        )
        hidden = frozenset(map(str, kept["hidden"]))
    except (KeyError, TypeError, ValueError):
        return usual
    names = names_of(rows)
    # a pane of an earlier version is left out where the panes are placed; none at all is no layout
    if not names or len(set(names)) < len(names) or hidden >= set(names):
        return usual
    return DeskLayout(usual.preset, rows, hidden)


def _checked_share(value: Any) -> int:
    if type(value) is not int or not 0 < value <= 1_000:
        raise ValueError(f"{value!r} is no share")
    return value


def remember_layout(memory: ScreenMemory, kind: str, layout: DeskLayout) -> None:
    """Remember an arrangement for its size class."""
    # lists: JSON knows no tuples, and what is compared with it must look the same
    rows = [[row.height, [list(pane) for pane in row.panes]] for row in layout.rows]
    kept = {"preset": layout.preset, "rows": rows, "hidden": sorted(layout.hidden)}
    memory.remember(f"layout-{kind}", kept)
