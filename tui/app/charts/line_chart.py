"""Lines over time in Braille, with an axis, a cross-hair, and what lies below a peak filled."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from engine.indian_time import IST
from engine.numbers import count, log_time, rupees
from tui.app.charts.cell_canvas import DOTS_HIGH, DOTS_WIDE, CellCanvas
from tui.app.charts.price_axis import PriceAxis, axis_for, round_prices

_LABEL: Final = 11
"""Columns of a date on the axis, with its gap."""
_DAYS: Final = 4 * 86_400_000_000_000
"""From this reach on the axis names days, below it times (ns)."""
_LOW: Final = 9
"""Rows from which on there is room for the part below."""


class ChartLine(NamedTuple):
    """A line: its name, its tone, and a value for each moment."""

    name: str
    tone: str
    values: Sequence[float]


class LineDrawing(NamedTuple):
    """A chart of lines as drawn; `columns` are those of the lines, without the axis."""

    canvas: CellCanvas
    columns: int
    cursor_column: int = -1


def draw_lines(
    lines: Sequence[ChartLine],
    moments: Sequence[int],
    *,
    width: int,
    height: int,
    below: Sequence[float] = (),
    cursor: int = -1,
    unit: str = "",
) -> LineDrawing:
    """Draw lines over `moments` (ns UTC), the first of them is level 0 of what was gained.

    `below` is a depth in % (0 or negative) for each moment, `cursor` the place of the cross-hair,
    -1 for none. Values that are no numbers of a common length are the caller's fault.
    """
    canvas = CellCanvas(width, height)
    n = len(moments)
    low = height - 1
    deep = (
        range(low - max((low - 1) // 4, 2), low)
        if len(below) and height >= _LOW
        else range(low, low)
    )
    rows = range(1, deep.start)
    axis = axis_for((value for line in lines for value in line.values), rows.start, len(rows))
    if axis is None or n < 2:
        return LineDrawing(canvas, width)
    labels = axis_labels(axis, len(rows))
    margin = max(map(len, labels.values()), default=0)
    margin = max(margin, len(f"{min(below, default=0.0):.1f}%") if len(deep) else 0) + 1
    columns = max(width - margin, 1)
    places = dot_places(n, columns * DOTS_WIDE)
    start = axis.row(lines[0].values[0])
    # what was there at the beginning: above it is gain, below it loss
    for column in range(columns):
        canvas.put_where_empty(column, start, "┄", "faint")
    for line in lines:
        points = [(x, axis.dot(line.values[at])) for x, at in places]
        canvas.draw_line(points, line.tone, rows, columns)
    for row, text in labels.items():
        canvas.write(columns + 1, row, text, "faint")
    if len(deep):
        _draw_depth(canvas, below, places, deep, columns)
    _write_times(canvas, moments, places, low, columns)
    at = min(max(cursor, 0), n - 1) if cursor >= 0 else n - 1
    _write_legend(canvas, lines, moments, below, at, unit)
    column = _column_of(at, n, columns) if cursor >= 0 else -1
    return LineDrawing(canvas, columns, column)


def dot_places(n: int, dots: int) -> list[tuple[int, int]]:
    """Return (column of dots, place of a value) for `n` values: each column shows one at most."""
    # more values than dots: each column takes the last of its own, as a close does
    if n > dots:
        return [(x, x * (n - 1) // max(dots - 1, 1)) for x in range(dots)]
    return [(at * (dots - 1) // max(n - 1, 1), at) for at in range(n)]


def axis_labels(axis: PriceAxis, rows: int) -> dict[int, str]:
    """Return the texts of round values by their row."""
    values = round_prices(axis, max(rows // 2, 2))
    step = abs(values[0] - values[1]) if len(values) > 1 else abs(axis.high - axis.low)
    return {axis.row(value): _axis_text(value, step) for value in values}


def _axis_text(value: float, step: float) -> str:
    if step >= 1:
        return count(round(value))
    return f"{value:.2f}" if step >= 0.01 else f"{value:.4f}"


def _column_of(at: int, n: int, columns: int) -> int:
    return at * (columns * DOTS_WIDE - 1) // max(n - 1, 1) // DOTS_WIDE


def _draw_depth(
    canvas: CellCanvas,
    below: Sequence[float],
    places: Sequence[tuple[int, int]],
    rows: range,
    columns: int,
) -> None:
    deepest = min(below)
    scale = (len(rows) * DOTS_HIGH - 1) / deepest if deepest < 0 else 0.0
    top = rows.start * DOTS_HIGH
    points = []
    for place, (x, at) in enumerate(places):
        end = places[place + 1][1] if place + 1 < len(places) else at + 1
        # The lowest of what shares a column: a deep one must not fall between two.
        points.append((x, top + min(below[at : max(end, at + 1)]) * scale))
    wide = [
        (k, y)
        for (x, y), after in zip(
            points, [*(x for x, _ in points[1:]), points[-1][0] + 1], strict=True
        )
        for k in range(x, max(after, x + 1))
    ]
    canvas.fill_below(wide, top, "down", rows, columns)
    canvas.write(columns + 1, rows.start, "0%", "faint")
    if deepest < 0:
        canvas.write(columns + 1, rows.stop - 1, f"{deepest:.1f}%", "faint")


def _write_times(
    canvas: CellCanvas,
    moments: Sequence[int],
    places: Sequence[tuple[int, int]],
    row: int,
    columns: int,
) -> None:
    # a time of day says nothing about months, a date nothing about hours
    by_day = moments[-1] - moments[0] >= _DAYS
    free = 0
    for x, at in places:
        column = x // DOTS_WIDE
        if column >= free and column + _LABEL <= columns:
            canvas.write(
                column, row, day_text(moments[at]) if by_day else log_time(moments[at]), "faint"
            )
            free = column + _LABEL + max(columns // 6 - _LABEL, 3)


def day_text(ns: int) -> str:
    """Return the day of a moment in IST: 2024-06-04."""
    return str(date(1970, 1, 1) + timedelta(days=(ns + IST) // 86_400_000_000_000))


def _write_legend(
    canvas: CellCanvas,
    lines: Sequence[ChartLine],
    moments: Sequence[int],
    below: Sequence[float],
    at: int,
    unit: str,
) -> None:
    by_day = moments[-1] - moments[0] >= _DAYS
    parts = [_line_part(line, at, unit) for line in reversed(lines)]
    if len(below):
        tone = "down" if below[at] < 0 else "dim"
        parts.insert(1, [("drawdown ", "dim"), (f"{below[at]:.2f}%", tone)])
    column = canvas.write(1, 0, day_text(moments[at]) if by_day else log_time(moments[at]), "dim")
    for part in parts:
        # a number that is cut is another number: what does not fit is left out
        if column + 2 + sum(len(text) for text, _ in part) > canvas.width:
            return
        column += 2
        for text, tone in part:
            column = canvas.write(column, 0, text, tone)


def _line_part(line: ChartLine, at: int, unit: str) -> list[tuple[str, str]]:
    """Return what the legend says of a line: its value, and what was gained since its beginning."""
    gained = line.values[at] - line.values[0]
    tone = "up" if gained > 0 else "down" if gained < 0 else "dim"
    return [
        ("━ ", line.tone),
        (f"{line.name} ", "dim"),
        (f"{unit}{rupees(round(100 * line.values[at]))} ", "strong"),
        (f"{'+' * (gained > 0)}{rupees(round(100 * gained))}", tone),
    ]
