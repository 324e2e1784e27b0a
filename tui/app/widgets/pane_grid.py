"""Rows of panes by their shares of the room, as a layout of the toolkit."""

from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar, Final, NamedTuple

from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

LEAST_HEIGHT: Final = 4
"""Lines a pane keeps when another grows: its title, its heads and two rows."""
LEAST_WIDTH: Final = 20


class PaneShare(NamedTuple):
    """A pane in its row, and its share of the width."""

    name: str
    width: int


class PaneRow(NamedTuple):
    """A row of panes, and its share of the height."""

    height: int
    panes: tuple[PaneShare, ...]


PaneRows = tuple[PaneRow, ...]


def pane_rows(*rows: tuple[int, Sequence[tuple[str, int]]]) -> PaneRows:
    """Return rows from plain tuples: (height, ((name, width), …))."""
    return tuple(
        PaneRow(height, tuple(PaneShare(*pane) for pane in panes)) for height, panes in rows
    )


def names_of(rows: PaneRows) -> list[str]:
    """Return the panes in their order."""
    return [pane.name for row in rows for pane in row.panes]


def without_panes(rows: PaneRows, hidden: set[str]) -> PaneRows:
    """Return the rows without some panes: those beside them take their room."""
    left = (
        row._replace(panes=tuple(pane for pane in row.panes if pane.name not in hidden))
        for row in rows
    )
    return tuple(row for row in left if row.panes)


def shared_out(room: int, shares: Sequence[int]) -> list[int]:
    """Share cells out in proportion; the sum is `room` whatever the rounding."""
    total = sum(shares) or 1
    # by their ends: shares rounded one by one would leave cells over, or want too many
    ends = [room * part // total for part in accumulate(shares)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def placed_panes(rows: PaneRows, size: Size, gap: int) -> dict[str, Region]:
    """Return the place of each pane: a blank column between two, `gap` lines between rows."""
    places: dict[str, Region] = {}
    y = 0
    heights = shared_out(size.height - gap * (len(rows) - 1), [row.height for row in rows])
    for row, height in zip(rows, heights, strict=True):
        x = 0
        room = size.width - len(row.panes) + 1
        widths = shared_out(room, [pane.width for pane in row.panes])
        for pane, width in zip(row.panes, widths, strict=True):
            places[pane.name] = Region(x, y, max(width, 0), max(height, 0))
            x += width + 1
        y += height + gap
    return places


def grown_rows(rows: PaneRows, name: str, size: Size, *, down: int, right: int) -> PaneRows:
    """Return the rows with a pane that many cells higher and wider, at its neighbour's cost.

    No pane becomes too small to be read; then nothing changes.
    """
    places = placed_panes(rows, size, 0)
    # From now on in cells, so that one press is one cell whatever the shares were.
    exact = [
        PaneRow(
            places[row.panes[0].name].height,
            tuple(pane._replace(width=places[pane.name].width) for pane in row.panes),
        )
        for row in rows
    ]
    at = next((i for i, row in enumerate(exact) if name in names_of((row,))), -1)
    if at < 0:
        return rows
    heights = _moved_border([row.height for row in exact], at, down, LEAST_HEIGHT)
    exact = [row._replace(height=height) for row, height in zip(exact, heights, strict=True)]
    row = exact[at]
    column = names_of((row,)).index(name)
    widths = _moved_border([pane.width for pane in row.panes], column, right, LEAST_WIDTH)
    exact[at] = row._replace(
        panes=tuple(
            pane._replace(width=width) for pane, width in zip(row.panes, widths, strict=True)
        )
    )
    return tuple(exact)


def _moved_border(sizes: list[int], at: int, by: int, least: int) -> list[int]:
    """Return the sizes with one grown and the next one, for the last the one before, shrunk."""
    # alone it has all the room there is
    if len(sizes) < 2:
        return sizes
    other = at + 1 if at + 1 < len(sizes) else at - 1
    moved = sizes[:]
    moved[at] += by
    moved[other] -= by
    return moved if min(moved[at], moved[other]) >= least else sizes


class PaneGrid(Layout):
    """Layout of panes, each called `pane-` and a name, in rows; one without a place is not seen."""

    name: ClassVar[str] = "pane-grid"

    def __init__(self) -> None:
        self.rows: PaneRows = ()
        self.gap = 0

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """Place the children."""
        del greedy
        parent.pre_layout(self)
        places = placed_panes(self.rows, size, self.gap)
        return [
            WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if (region := places.get((child.id or "").removeprefix("pane-"))) is not None
        ]
