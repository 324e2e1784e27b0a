"""A chart of one instrument: candles in half cells, volume, lines, levels, fills, and its axes."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from engine.board_rows import BarRow
from engine.indian_time import IST
from engine.numbers import compact, log_time, price, time_of_day
from tui.app.charts.cell_canvas import DOTS_WIDE, CellCanvas
from tui.app.charts.chart_studies import ChartStudy, StudyLine
from tui.app.charts.chart_window import SeenBars
from tui.app.charts.price_axis import PriceAxis, axis_for, round_prices

# (upper half, lower half) of a cell: nothing, wick or body. Light strokes are wicks, heavy bodies.
_STROKES: Final = {
    ("wick", "wick"): "│",
    ("body", "body"): "┃",
    ("wick", "body"): "╽",
    ("body", "wick"): "╿",
    ("", "wick"): "╷",
    ("wick", ""): "╵",
    ("", "body"): "╻",
    ("body", ""): "╹",
}
_SIDES: Final = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): ""}
_EIGHTHS: Final = "▁▂▃▄▅▆▇█"
_TAG: Final = 5
"""Cells before a price on the axis, for the name of its level."""
_MINUTE: Final = 60_000_000_000
_DAY: Final = 86_400
_LABEL: Final = 9
"""Columns a time on the axis takes, with its gap."""
_TIME_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180)
"""Minutes between two labels of the time axis."""


class ChartLevel(NamedTuple):
    """A price that matters: its name (at most four letters), and its tone."""

    name: str
    price: float
    tone: str


class PlacedFill(NamedTuple):
    """A fill on its bar, which is the one at place `at`."""

    at: int
    price: float
    side: str


class ChartContent(NamedTuple):
    """All that a chart shows; `span` is in seconds, lines have a value for each of `bars`."""

    bars: Sequence[BarRow]
    span: int
    last: float
    """The last traded price, 0.0 for none."""
    levels: Sequence[ChartLevel] = ()
    fills: Sequence[PlacedFill] = ()
    overlay: Sequence[StudyLine] = ()
    compared: StudyLine | None = None
    """Another instrument, on the scale of this one."""
    below: ChartStudy = ChartStudy("")
    below_lines: Sequence[StudyLine] = ()
    with_volume: bool = True


class ChartRows(NamedTuple):
    """The rows of the parts, from the top; the last row has the times."""

    prices: range
    volume: range
    below: range


class ChartDrawing(NamedTuple):
    """A chart as drawn, with the column and the row of its cross-hair; -1: none.

    `columns` are those of the candles, without the axis.
    """

    canvas: CellCanvas
    columns: int
    axis: PriceAxis | None
    cursor_column: int = -1
    cursor_row: int = -1


def axis_width(content: ChartContent) -> int:
    """Return the cells of the axis on the right."""
    highest = max((bar.high for bar in content.bars), default=0.0)
    return max(len(price(round(highest * 1.1, 2))), 7) + _TAG + 1


def chart_rows(height: int, *, volume: bool, below: bool) -> ChartRows:
    """Share a height among prices, volume and the study below."""
    low = height - 1
    study = range(low - max(min(low // 4, 10), 3), low) if below and low >= 10 else range(low, low)
    room = study.start
    bars = (
        range(room - max(min(room // 6, 6), 2), room) if volume and room >= 8 else range(room, room)
    )
    return ChartRows(range(bars.start), bars, study)


def draw_chart(
    content: ChartContent,
    seen: SeenBars,
    *,
    width: int,
    height: int,
    stride: int,
    level: float | None,
) -> ChartDrawing:
    """Draw a chart; `level` is the price of the cross-hair, None where it lies on the close."""
    canvas = CellCanvas(width, height)
    columns = max(width - axis_width(content), 1)
    rows = chart_rows(height, volume=content.with_volume, below=bool(content.below.parts))
    bars = content.bars[seen.first : seen.last]
    axis = _price_axis(content, bars, rows.prices)
    if axis is None:
        return ChartDrawing(canvas, columns, axis=None)
    painter = _ChartPainter(canvas, content, seen, columns=columns, stride=stride)
    # What gives way comes first: candles cover levels, and lines pass between candles.
    painter.draw_days(rows)
    painter.draw_levels(axis)
    painter.draw_candles(axis)
    painter.draw_fills(axis)
    painter.draw_lines(content.overlay, axis)
    painter.draw_lines([content.compared] if content.compared else [], axis)
    painter.draw_volume(rows.volume)
    painter.draw_below(rows.below)
    painter.draw_times(height - 1)
    column = row = -1
    at_level = None
    if seen.cursor is not None:
        column = painter.column(seen.cursor)
        at_level = content.bars[seen.cursor].close if level is None else level
        row = axis.row(at_level)
    painter.draw_price_axis(axis, at_level)
    return ChartDrawing(canvas, columns, axis, column, row)


def _price_axis(content: ChartContent, bars: Sequence[BarRow], rows: range) -> PriceAxis | None:
    """Return the axis of the prices seen; a level close by widens it, one far off does not."""
    prices = [bar.low for bar in bars] + [bar.high for bar in bars]
    if not prices:
        return None
    low, high = min(prices), max(prices)
    # A stop far below would press a minute's candles into one row.
    reach = (high - low) / 5.0
    near = [level.price for level in content.levels if low - reach <= level.price <= high + reach]
    axis = axis_for([*prices, *near], rows.start, len(rows))
    return axis and _with_ends(axis, [level.price for level in content.levels])


def _with_ends(axis: PriceAxis, prices: Sequence[float]) -> PriceAxis:
    """Return an axis with a row at its end for each price beyond it.

    The arrows there would push the names of levels off their lines.
    """
    most = axis.rows // 4
    above = min(sum(price > axis.high for price in prices), most)
    below = min(sum(price < axis.low for price in prices), most)
    row = (axis.high - axis.low) / (axis.rows - above - below)
    return axis._replace(low=axis.low - below * row, high=axis.high + above * row)


class _ChartPainter:
    """Draws the parts of one chart on its canvas; bars are counted as in the content."""

    def __init__(
        self,
        canvas: CellCanvas,
        content: ChartContent,
        seen: SeenBars,
        *,
        columns: int,
        stride: int,
    ) -> None:
        self._canvas = canvas
        self._content = content
        self._seen = seen
        self._columns = columns
        self._stride = stride
        self._figures = axis_width(content) - _TAG - 1
        # A body is as wide as leaves a blank beside it, and an odd number of cells.
        self._wide = max(stride - 1, 1) | 1 if stride > 2 else 1

    def column(self, index: int) -> int:
        """Return the column of a bar's wick."""
        return (index - self._seen.first) * self._stride + self._wide // 2

    def draw_candles(self, axis: PriceAxis) -> None:
        for index, bar in self._seen_bars():
            self._draw_candle(bar, self.column(index), axis)

    def _draw_candle(self, bar: BarRow, column: int, axis: PriceAxis) -> None:
        top, bottom = axis.half(bar.high), axis.half(bar.low)
        head, foot = axis.half(max(bar.open, bar.close)), axis.half(min(bar.open, bar.close))
        tone = _bar_tone(bar)
        for row in range(top // 2, bottom // 2 + 1):
            halves = tuple(
                "" if not top <= half <= bottom else "body" if head <= half <= foot else "wick"
                for half in (2 * row, 2 * row + 1)
            )
            upper, lower = halves
            self._canvas.put(column, row, _STROKES[upper, lower], tone, soft="body" not in halves)
            if self._wide > 1 and "body" in halves:
                side = _SIDES[upper == "body", lower == "body"]
                for k in range(-(self._wide // 2), self._wide // 2 + 1):
                    # In the middle a stroke says more where a wick meets the body in one cell.
                    if column + k < self._columns and (k or "wick" not in halves):
                        self._canvas.put(column + k, row, side, tone)

    def draw_volume(self, rows: range) -> None:
        """Draw the volume as blocks, and the highest on the axis."""
        most = max((bar.volume for _, bar in self._seen_bars()), default=0)
        if not rows or most <= 0:
            return
        for index, bar in self._seen_bars():
            eighths = round(bar.volume / most * len(rows) * 8)
            for up in range(len(rows)):
                filled = min(eighths - 8 * up, 8)
                if filled > 0:
                    self._draw_block(index, rows[-1 - up], _EIGHTHS[filled - 1], _bar_tone(bar))
        self._canvas.write(self._columns + 1, rows[0], f"vol {compact(most)}", "faint")

    def _draw_block(self, index: int, row: int, glyph: str, tone: str) -> None:
        middle = self.column(index)
        for column in range(middle - self._wide // 2, middle + self._wide // 2 + 1):
            if column < self._columns:
                self._canvas.put(column, row, glyph, tone)

    def draw_lines(self, lines: Iterable[StudyLine], axis: PriceAxis) -> None:
        """Draw lines of dots between the candles."""
        rows = range(axis.top, axis.top + axis.rows)
        for line in lines:
            points = [
                None if value is None else (DOTS_WIDE * self.column(index), axis.dot(value))
                for index, value in enumerate(line.values)
                if self._seen.first <= index < self._seen.last
            ]
            self._canvas.draw_line(points, line.tone, rows, self._columns)

    def draw_below(self, rows: range) -> None:
        """Draw the study that has a scale of its own, its guides and its axis."""
        study = self._content.below
        if not rows:
            return
        values = [
            value
            for line in self._content.below_lines
            for value in line.values[self._seen.first : self._seen.last]
            if value is not None
        ]
        low, high = study.bounds or (None, None)
        axis = (
            PriceAxis(low, high, rows.start, len(rows))
            if low is not None and high is not None
            else axis_for([*values, *(study.guides if values else ())], rows.start, len(rows))
        )
        if axis is None:
            return
        marks = study.guides or tuple(round_prices(axis, max(len(rows) // 2, 1)))
        for mark in marks:
            row = axis.row(mark)
            if study.guides:
                for column in range(0, self._columns, 2):
                    self._canvas.put_where_empty(column, row, "╌", "faint")
            self._write_figure(row, _figure_text(mark))
        self.draw_lines(self._content.below_lines, axis)

    def draw_levels(self, axis: PriceAxis) -> None:
        """Draw a dashed line at each level on the axis."""
        for level in self._content.levels:
            if axis.shows(level.price):
                for column in range(0, self._columns, 2):
                    self._canvas.put_where_empty(column, axis.row(level.price), "╌", level.tone)

    def draw_fills(self, axis: PriceAxis) -> None:
        """Mark fills in the row of their price, beside their candle where there is room."""
        beside = self._wide // 2 + 1 if self._stride > 1 else 0
        marks: dict[tuple[int, int], set[str]] = {}
        for fill in self._content.fills:
            if self._seen.first <= fill.at < self._seen.last:
                cell = self.column(fill.at) + beside, axis.row(fill.price)
                marks.setdefault(cell, set()).add(fill.side)
        for (column, row), sides in marks.items():
            glyph = "◆" if len(sides) > 1 else "▲" if sides == {"BUY"} else "▼"
            tone = "strong" if len(sides) > 1 else "buy" if sides == {"BUY"} else "sell"
            if column < self._columns:
                self._canvas.put(column, row, glyph, tone)

    def draw_days(self, rows: ChartRows) -> None:
        """Draw a line where a day begins, left of its first bar."""
        if self._content.span >= _DAY:
            return
        for index, _ in self._day_starts():
            column = self.column(index) - self._wide // 2 - 1
            if index > self._seen.first and self._stride > 1:
                for row in rows.prices:
                    self._canvas.put_where_empty(column, row, "┊", "faint")

    def _day_starts(self) -> list[tuple[int, BarRow]]:
        days = [
            (index, bar, (bar.start + IST) // (_DAY * 1_000_000_000))
            for index, bar in self._seen_bars()
        ]
        return [
            (index, bar)
            for at, (index, bar, day) in enumerate(days)
            if at == 0 or day != days[at - 1][2]
        ]

    def draw_times(self, row: int) -> None:
        """Write the times below: days where they begin, and times where there is room."""
        taken = -1
        days = {index for index, _ in self._day_starts()}
        # Days first: a time that would run into the next one is left out.
        labels = {index: _day_label(bar) for index, bar in self._seen_bars() if index in days}
        if self._content.span >= _DAY:
            labels = {index: _day_label(bar) for index, bar in self._seen_bars()}
        else:
            step = self._time_step()
            before = None
            for index, bar in self._seen_bars():
                bucket = (bar.start + IST) // _MINUTE // step
                if index not in days and before is not None and bucket != before:
                    labels[index] = time_of_day(bar.start)[:5]
                before = bucket
        reserved = sorted(self.column(index) for index in days)
        for index in sorted(labels):
            column = self.column(index)
            late = index not in days and any(
                column < each < column + _LABEL - 2 for each in reserved
            )
            if column > taken and not late and column + len(labels[index]) <= self._columns:
                tone = "" if index in days and self._content.span < _DAY else "faint"
                taken = self._canvas.write(column, row, labels[index], tone) + 1

    def _time_step(self) -> int:
        bars = -(-_LABEL // self._stride)
        minutes = max(bars * self._content.span // 60, 1)
        return next((step for step in _TIME_STEPS if step >= minutes), _TIME_STEPS[-1])

    def draw_price_axis(self, axis: PriceAxis, cursor: float | None) -> None:
        """Write prices: the last one, the levels and the cross-hair's, then round ones between."""
        last = self._content.last
        tags = [(level.name, level.price, level.tone, "") for level in self._content.levels]
        if last > 0.0:
            before = self._content.bars[-1].open
            way = "up" if last > before else "down" if last < before else ""
            tags.append(("last", last, way or "strong", f"flash-{way}" if way else "cursor"))
        if cursor is not None:
            tags.append(("", cursor, "strong", "flash"))
        rows = _tag_rows(axis, [tag[1] for tag in tags], len(tags) - 1)
        for (name, value, tone, backdrop), row in zip(tags, rows, strict=True):
            if row is not None:
                off = "" if axis.shows(value) else "▴" if value > axis.high else "▾"
                text = f"{off + name:<{_TAG}}{price(round(value, 4)):>{self._figures}}"
                self._canvas.write(self._columns + 1, row, text, tone, backdrop)
        # A name is more than a round number: these stand where nothing else does.
        for mark in round_prices(axis, max(axis.rows // 3, 1)):
            if axis.row(mark) not in rows:
                self._write_figure(axis.row(mark), price(round(mark, 4)))

    def _write_figure(self, row: int, text: str) -> None:
        self._canvas.write(self._columns + 1 + _TAG, row, text.rjust(self._figures), "faint")

    def _seen_bars(self) -> Iterable[tuple[int, BarRow]]:
        return (
            (index, self._content.bars[index]) for index in range(self._seen.first, self._seen.last)
        )


def _bar_tone(bar: BarRow) -> str:
    return "up" if bar.close > bar.open else "down" if bar.close < bar.open else "dim"


def _day_label(bar: BarRow) -> str:
    return log_time(bar.start)[:6]


def _figure_text(value: float) -> str:
    return compact(round(value)) if abs(value) >= 10_000 else f"{value:g}"


def _tag_rows(axis: PriceAxis, prices: Sequence[float], kept: int) -> list[int | None]:
    """Return a row of its own for each price, in the order of the prices; None without room.

    The one at place `kept` stands where it belongs as long as all find room, the others as close to
    their row as can be.
    """
    if not prices:
        return []
    order = sorted(range(len(prices)), key=lambda at: -prices[at])
    rows = [axis.row(prices[at]) for at in order]
    place = order.index(kept)
    for k in range(place - 1, -1, -1):
        rows[k] = min(rows[k], rows[k + 1] - 1)
    for k in range(place + 1, len(rows)):
        rows[k] = max(rows[k], rows[k - 1] + 1)
    last = axis.top + axis.rows - 1
    # Held between the ends: first from below, then from above.
    for k in range(len(rows) - 1, -1, -1):
        rows[k] = min(rows[k], last - (len(rows) - 1 - k))
    for k in range(len(rows)):
        rows[k] = max(rows[k], axis.top + k)
    by_price = dict(zip(order, rows, strict=True))
    return [row if (row := by_price[at]) <= last else None for at in range(len(prices))]
