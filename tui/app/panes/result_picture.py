"""A tab that is a picture: curves with a cross-hair, a map with a cursor, a trade in its bars."""

from collections.abc import Sequence
from typing import Final

from rich.segment import Segment
from textual.strip import Strip

from engine.board_rows import BarRow, Board
from tui.app.charts.candle_chart import ChartContent, PlacedFill, axis_width, draw_chart
from tui.app.charts.chart_window import STRIDES, SeenBars
from tui.app.charts.heat_map import HeatValues, draw_heat
from tui.app.charts.line_chart import ChartLine, day_text, draw_lines
from tui.app.research_port import ResultCandles, ResultCurves, ResultMap
from tui.app.widgets.pane_view import PaneCell, PaneColumn
from tui.app.widgets.picture_table import PictureView
from tui.app.widgets.theme import ToneStyles

_NOTHING: Final = ResultCurves("", [], [])


class ResultPictureView(PictureView):
    """Whatever of a result is drawn."""

    name = "picture"
    help = (
        "h and l move the cross-hair, j and k the cursor of a map. On a map [ and ] take other "
        "axes, i another figure; enter lists the trials of the cell. A colour says how far a "
        "figure is of the largest of its sign, the bar beside it the same without colours, ◆ the "
        "best. { and } take the next tab."
    )

    def __init__(self) -> None:
        self.content: ResultCurves | ResultMap | ResultCandles = _NOTHING
        self.tabs: list[PaneCell] = []
        self.told = "reading ..."
        """What is said where there is no picture."""
        self.column = -1
        self.row = 0
        self.changes = 0

    def show_content(self, content: ResultCurves | ResultMap | ResultCandles) -> None:
        """Draw something; the cursor stays where the shape does."""
        if type(content) is not type(self.content) or _content_shape(content) != _content_shape(
            self.content
        ):
            self.column, self.row = (0, 0) if isinstance(content, ResultMap) else (-1, 0)
        self.content, self.told = content, ""
        # nothing is laid out by them: they head the figures in a file
        self.columns = tuple(PaneColumn(head, 0) for head in self.figures()[0])
        self.changes += 1

    def say(self, text: str) -> None:
        """Show a line instead of a picture."""
        if (text, self.content) != (self.told, _NOTHING):
            self.content, self.told = _NOTHING, text
            self.changes += 1

    def move(self, across: int, down: int) -> None:
        """Move the cursor; on curves the first press brings it at the end."""
        # held at the edges: to go round would lose the place on a large map
        content = self.content
        if isinstance(content, ResultMap):
            self.column = min(max(self.column + across, 0), max(len(content.columns) - 1, 0))
            self.row = min(max(self.row + down, 0), max(len(content.rows) - 1, 0))
        elif isinstance(content, ResultCurves) and across:
            last = len(content.moments) - 1
            at = last if self.column < 0 else self.column + across
            self.column = min(max(at, 0), last)
        self.changes += 1

    def drop_cursor(self) -> bool:
        """Take the cross-hair away; return whether there was one."""
        there = isinstance(self.content, ResultCurves) and self.column >= 0
        if there:
            self.column = -1
            self.changes += 1
        return there

    @property
    def pointed_point(self) -> dict[str, str]:
        """The values of the axes under the cursor of a map."""
        content = self.content
        if not isinstance(content, ResultMap) or not content.columns:
            return {}
        found = {content.across: content.columns[self.column]}
        return found | ({content.down: content.rows[self.row]} if content.down else {})

    def summary(self, board: Board) -> list[PaneCell]:
        """Return the tabs, and what this one is of."""
        del board
        return [*self.tabs, PaneCell(self.content.title, "dim")]

    def figures(self) -> tuple[list[str], list[list[str]]]:
        """Return what is drawn as a table."""
        content = self.content
        if isinstance(content, ResultMap):
            heads = [f"{content.down} \\ {content.across}", *content.columns]
            return heads, [
                [name, *("" if cell is None else f"{cell}" for cell in cells)]
                for name, cells in zip(content.rows, content.cells, strict=True)
            ]
        if isinstance(content, ResultCurves):
            columns = [line.values for line in content.lines] + [content.below] * bool(
                content.below
            )
            heads = ["time", *(line.name for line in content.lines)]
            heads += ["drawdown %"] * bool(content.below)
            return heads, [
                [day_text(moment), *(f"{column[at]:.2f}" for column in columns)]
                for at, moment in enumerate(content.moments)
            ]
        return list(BarRow._fields), [[str(field) for field in bar] for bar in content.bars]

    def strips(self, width: int, height: int, tones: ToneStyles) -> list[Strip]:
        """Draw it."""
        content = self.content
        if isinstance(content, ResultMap):
            values = HeatValues(
                content.metric,
                content.across,
                content.columns,
                content.down,
                content.rows,
                content.cells,
            )
            drawn = draw_heat(values, width=width, height=height, column=self.column, row=self.row)
            return drawn.canvas.strips(tones)
        if isinstance(content, ResultCandles):
            return _candle_strips(content, width, height, tones)
        if len(content.moments) < 2:
            text = self.told or "nothing to draw: there is no day or trade yet"
            return [_told_strip(text, tones)]
        drawing = draw_lines(
            [ChartLine(*line) for line in content.lines],
            content.moments,
            width=width,
            height=height,
            below=content.below,
            cursor=self.column,
            unit=content.unit,
        )
        return drawing.canvas.strips(tones, drawing.cursor_column)


def _told_strip(text: str, tones: ToneStyles) -> Strip:
    return Strip([Segment(f" {text}", tones.style("faint"))], len(text) + 1)


def _content_shape(content: ResultCurves | ResultMap | ResultCandles) -> Sequence[object]:
    if isinstance(content, ResultMap):
        return content.across, content.down, tuple(content.columns), tuple(content.rows)
    if isinstance(content, ResultCurves):
        return content.title, len(content.lines)
    return (content.title,)


def _candle_strips(
    content: ResultCandles, width: int, height: int, tones: ToneStyles
) -> list[Strip]:
    bars = [BarRow(*bar) for bar in content.bars]
    if not bars:
        return [_told_strip("there are no bars of it here any more", tones)]
    # a fill stands in the bar that was open at its time
    fills = [
        PlacedFill(max(sum(bar.start <= mark.ts for bar in bars) - 1, 0), mark.price, mark.side)
        for mark in content.marks
    ]
    chart = ChartContent(bars, content.span, last=0.0, fills=fills)
    columns = max(width - axis_width(chart), 1)
    # as near as all of it can be seen, else its end: the way out is what is asked about
    stride = next((each for each in reversed(STRIDES) if each * len(bars) <= columns + 1), 1)
    first = max(len(bars) - max((columns + (stride > 1)) // stride, 1), 0)
    drawing = draw_chart(
        chart,
        SeenBars(first, len(bars), None),
        width=width,
        height=height,
        stride=stride,
        level=None,
    )
    return drawing.canvas.strips(tones)
