"""A map of a figure over two axes: a coloured cell each, with its value, or a bar of its height.

Value or bar tell what the colour tells, so that it can be read without any.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.numbers import compact
from tui.app.charts.cell_canvas import CellCanvas
from tui.app.widgets.theme import HEAT_LEVELS

_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_BEST: Final = "◆"
_WIDEST: Final = 11
_NARROWEST: Final = 2
_TALLEST: Final = 3
_NUMBERS: Final = 4
"""Cells from which on numbers are written: in fewer only some of them would fit."""
_HEADS: Final = 2
"""Rows above the map: what is under the cursor, and the values of the axis."""


class HeatValues(NamedTuple):
    """A figure over two axes, None where there is none; `across` and `down` name the axes.

    `cells` are rows of `rows`'s values by columns of `columns`'s.
    """

    metric: str
    across: str
    columns: Sequence[str]
    down: str
    rows: Sequence[str]
    cells: Sequence[Sequence[float | None]]


class CellPlace(NamedTuple):
    """Place and size of a cell of the map, in cells of the terminal."""

    column: int
    row: int
    width: int
    height: int


class HeatDrawing(NamedTuple):
    """A map as drawn: where its cells begin, how wide each is, and the first that are seen."""

    canvas: CellCanvas
    left: int
    cell: int
    first_column: int
    first_row: int


def draw_heat(values: HeatValues, *, width: int, height: int, column: int, row: int) -> HeatDrawing:
    """Draw a map with its cursor on a column and a row, which are held on it."""
    canvas = CellCanvas(width, height)
    across, down = len(values.columns), len(values.rows)
    if not across or not down or height <= _HEADS:
        canvas.write(1, 0, "no axis that varies", "faint")
        return HeatDrawing(canvas, 0, 1, 0, 0)
    column, row = min(max(column, 0), across - 1), min(max(row, 0), down - 1)
    left = min(max(len(values.down) + 1, *map(len, values.rows)) + 2, width // 3)
    cell = min(max((width - left) // across, _NARROWEST), _WIDEST)
    # rows as high as there is room: a map is looked at from afar
    tall = min(max((height - _HEADS) // down, 1), _TALLEST)
    wide_room, tall_room = max((width - left) // cell, 1), max((height - _HEADS) // tall, 1)
    first = first_seen(column, wide_room, across)
    top = first_seen(row, tall_room, down)
    # grounds are by the whole map: they must not change as it scrolls
    known = [value for line in values.cells for value in line if value is not None]
    bounds = min(known, default=0.0), max(known, default=0.0)
    _write_heads(canvas, values, (column, row), left, bounds[1])
    columns, rows = (
        range(first, min(first + wide_room, across)),
        range(top, min(top + tall_room, down)),
    )
    for x in columns:
        at = left + (x - first) * cell
        canvas.write(
            at,
            1,
            values.columns[x][: cell - 1].rjust(cell - 1),
            "focus" if x == column else "faint",
        )
        for y in rows:
            place = CellPlace(at, _HEADS + (y - top) * tall, cell - 1, tall)
            _draw_cell(canvas, place, values.cells[y][x], bounds, chosen=(x, y) == (column, row))
    for y in rows:
        lit = "focus" if y == row else "faint"
        at = _HEADS + (y - top) * tall + (tall - 1) // 2
        canvas.write(0, at, values.rows[y][: left - 1].rjust(left - 1), lit)
    return HeatDrawing(canvas, left, cell, first, top)


def first_seen(cursor: int, room: int, count: int) -> int:
    """Return the first of `count` that is seen where there is room for so many."""
    return min(max(cursor - room // 2, 0), max(count - room, 0))


def heat_level(value: float, low: float, high: float) -> str:
    """Return the backdrop of a value: by its sign, and its share of the largest of that sign."""
    reach = high if value >= 0 else low
    share = abs(value / reach) if reach else 0.0
    return f"heat-{'up' if value >= 0 else 'down'}-{min(int(share * HEAT_LEVELS) + 1, HEAT_LEVELS)}"


def _draw_cell(
    canvas: CellCanvas,
    place: CellPlace,
    value: float | None,
    bounds: tuple[float, float],
    *,
    chosen: bool,
) -> None:
    low, high = bounds
    inner, middle = place.width, place.row + (place.height - 1) // 2
    text, tone, backdrop = "·".center(inner), "faint", ""
    if value is not None:
        tone, backdrop = "strong", heat_level(value, low, high)
        mark = _BEST if value == high else " "
        told = fitting_text(value, inner - 1) if inner >= _NUMBERS else ""
        height = round((value - low) / (high - low) * (len(_HEIGHTS) - 1)) if high > low else 0
        # Where no number fits its height stands: the ground alone says nothing without colours.
        text = f"{told}{mark}" if told else _BEST if value == high else _HEIGHTS[height]
        text = text.rjust(inner)
    for line in range(place.height):
        for at in range(inner):
            glyph = text[at] if place.row + line == middle else " "
            canvas.put(place.column + at, place.row + line, glyph, tone, backdrop)
    if chosen:
        # Brackets besides the ground: the cursor has to be seen without colours.
        canvas.put(place.column - 1, middle, "[", "focus")
        canvas.put(place.column + inner, middle, "]", "focus")


def fitting_text(value: float, room: int) -> str:
    """Return a number in at most so many characters; empty where no form of it fits."""
    forms = (f"{value:.2f}", f"{value:.1f}", f"{value:.0f}", f"{value / 1_000:.0f}k")
    if abs(value) >= 1_000:
        forms = (f"{value:,.0f}", f"{value:.0f}", f"{value / 1_000:.1f}k", f"{value / 1_000:.0f}k")
    return next((text for text in forms if len(text) <= room), "")


def figure_text(value: float) -> str:
    """Return a number as the line above the map says it."""
    if abs(value) < 1_000:
        return f"{value:.3f}"
    return f"{'-' * (value < 0)}{compact(round(abs(value)))}"


def _write_heads(
    canvas: CellCanvas, values: HeatValues, cursor: tuple[int, int], left: int, high: float
) -> None:
    x, y = cursor
    value = values.cells[y][x]
    at = canvas.write(1, 0, values.metric, "title")
    place = f"{values.across} {values.columns[x]}"
    if values.down:
        place += f"  {values.down} {values.rows[y]}"
    at = canvas.write(at + 2, 0, place, "focus")
    tone = "faint" if value is None else "up" if value > 0 else "down" if value < 0 else ""
    at = canvas.write(at + 2, 0, "not tried" if value is None else figure_text(value), tone)
    best = next(
        (
            (j, i)
            for i, line in enumerate(values.cells)
            for j, each in enumerate(line)
            if each == high
        ),
        None,
    )
    if best is not None:
        told = f"{_BEST} {figure_text(high)} at {values.columns[best[0]]}"
        if values.down:
            told += f", {values.rows[best[1]]}"
        at = canvas.write(at + 3, 0, told, "dim")
    corner = f"{values.down}╲" if values.down else ""
    canvas.write(0, 1, corner[: left - 1].rjust(left - 1), "faint")
