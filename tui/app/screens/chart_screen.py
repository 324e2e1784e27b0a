"""The chart of one instrument, drawn once a second at most; a key draws at once."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, NamedTuple

from textual.app import ComposeResult
from textual.binding import BindingType

from compiled.model.values import SECOND
from engine.board_rows import BarRow, Board, FillMark, WatchRow
from tui.app.charts.candle_chart import (
    ChartContent,
    ChartDrawing,
    ChartLevel,
    PlacedFill,
    axis_width,
    draw_chart,
)
from tui.app.charts.chart_caption import caption_text, compared_line, legend_text
from tui.app.charts.chart_studies import BELOW, OVERLAYS, ChartStudy, study_lines
from tui.app.charts.chart_window import ChartWindow
from tui.app.desk_port import DeskPort
from tui.app.panes.orders_pane import ENDED, order_state
from tui.app.screen_memory import ScreenMemory
from tui.app.screens.screen_frame import FullScreen, ScreenFrame, show_bands
from tui.app.widgets.chart_canvas import ChartCanvas, ChartCaption
from tui.app.widgets.header_bar import HeaderBar
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.key_footer import KeyFooter, footer_keys
from tui.app.widgets.notice_bar import NoticeBar
from tui.app.widgets.status_bands import StatusBands
from tui.app.widgets.theme import ToneStyles

EVERY: Final = 10
"""Frames between two drawings."""


def placed_fills(
    fills: Sequence[FillMark], token: int, bars: Sequence[BarRow], span: int
) -> list[PlacedFill]:
    """Place the fills of one instrument on its bars."""
    if not bars:
        return []
    where = {bar.start: i for i, bar in enumerate(bars)}
    width = span * SECOND
    # bars count from the opening (09:15), not from a whole hour
    offset = bars[0].start % width
    found = (
        (where.get((fill.ts - offset) // width * width + offset), fill)
        for fill in fills
        if fill.token == token
    )
    return [PlacedFill(i, fill.price, fill.side) for i, fill in found if i is not None]


def levels_of(board: Board, symbol: str) -> list[ChartLevel]:
    """Return the prices that matter to what is held and ordered in a symbol, each once."""
    levels: dict[ChartLevel, None] = {}
    for row in board.positions.rows[:]:
        if row.symbol == symbol:
            for name, value, tone in (
                ("avg", row.average, "title"),
                ("stop", row.stop, "notice"),
                ("goal", row.target, "notice"),
            ):
                if value > 0.0:
                    levels[ChartLevel(name, value, tone)] = None
    for alert in board.alerts.rows[:]:
        if alert.symbol == symbol and alert.way != "change" and not alert.fired:
            levels[ChartLevel("alert", alert.level, "dim")] = None
    for order in board.orders.rows[:]:
        if order.symbol == symbol and order.price > 0.0 and order_state(order) not in ENDED:
            levels[ChartLevel(order.side.lower(), order.price, order.side.lower())] = None
    return list(levels)


def _study_place(studies: Sequence[ChartStudy], name: object) -> int:
    """Return the place of a remembered study, that of the first without one."""
    return next((at for at, study in enumerate(studies) if study.name == name), 0)


class ChartedBars(NamedTuple):
    """The instrument of the chart with its bars, the forming one last."""

    row: WatchRow
    bars: Sequence[BarRow]


class ChartScreen(FullScreen):
    """Screen 2."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("chart"))
    DEFAULT_CSS = """
    ChartScreen { background: $background; }
    ChartScreen.-low HeaderBar { height: 1; padding: 0; }
    """

    def __init__(
        self,
        mode: str,
        face: DeskPort,
        tones: Callable[[], ToneStyles],
        memory: ScreenMemory | None = None,
    ) -> None:
        super().__init__()
        self._tones = tones
        self._look_at = face.look_at
        self._spans = face.spans or (60,)
        self._memory = memory or ScreenMemory()
        kept = self._memory.recall("chart", {})
        self._span = kept.get("span") if kept.get("span") in self._spans else self._spans[0]
        self._symbol = str(kept.get("symbol", ""))
        self._other = str(kept.get("other", ""))
        """The symbol it is compared with."""
        self._overlay = _study_place(OVERLAYS, kept.get("overlay"))
        self._below = _study_place(BELOW, kept.get("below"))
        self._with_volume = kept.get("volume") is not False
        self._window = ChartWindow()
        self._board: Board | None = None
        self._drawing: ChartDrawing | None = None
        self._drawn: tuple[object, ...] = ()
        self._drawn_at = -EVERY
        self._bands = StatusBands(mode)
        self._header = HeaderBar(tones)
        self._caption = ChartCaption()
        self._canvas = ChartCanvas()
        self._footer = KeyFooter(tones)
        self._notices = NoticeBar(tones)

    def compose(self) -> ComposeResult:
        """Stack bands, header, caption, chart and footer."""
        yield self._bands
        yield self._header
        yield self._caption
        yield self._canvas
        yield self._notices
        yield self._footer

    @property
    def scopes(self) -> set[str]:
        """The chart's own keys."""
        return {"anywhere", "chart"}

    def on_resize(self) -> None:
        """Make room on a low terminal, and draw anew."""
        self.set_class(self.size.height < 30, "-low")
        self._drawn = ()

    def draw(self, frame: ScreenFrame) -> None:
        """Show one frame; the chart itself only when it is due and something has changed."""
        self._board = frame.board
        show_bands(self._bands, frame)
        self._header.show_figures(frame.board, frame.lag, frame.kill)
        self._notices.show_notices(frame.notices)
        scopes = frame.scopes(self.scopes)
        self._footer.show_keys(footer_keys(scopes, self.app._keymap), frame.status)  # noqa: SLF001 - there is no public way to ask
        # a frozen display still answers its keys
        if not self._drawn or (not frame.frozen and frame.number - self._drawn_at >= EVERY):
            # counted also where nothing was drawn: ten looks a second would cost as much
            self._drawn_at = frame.number
            self._redraw_chart(frame.board)

    def choose(self, symbol: str) -> None:
        """Chart a symbol from the next frame on."""
        if symbol != self._symbol:
            self._window.follow()
        self._symbol, self._drawn = symbol, ()

    def show_symbol(self, symbol: str) -> bool:
        """Chart a symbol."""
        self.choose(symbol)
        return True

    def pointed_price(self) -> tuple[str, float]:
        """Return the charted symbol, and the price of the cross-hair."""
        charted, drawing = self._charted_bars(), self._drawing
        if charted is None or drawing is None or self._window.cursor_time is None:
            return self._symbol, 0.0
        level = self._window.level
        if level is None:
            cursor = self._window.seen(charted.bars, self._candle_columns).cursor
            level = charted.bars[cursor].close if cursor is not None else 0.0
        return self._symbol, level

    def restyle(self) -> None:
        """Draw in the theme of now."""
        self._drawn = ()
        for widget in self.query("*"):
            widget.refresh()

    def back(self) -> bool:
        """Drop the cross-hair, or go back to the newest bars; return whether there was either."""
        there = not self._window.follows or self._window.cursor_time is not None
        self._window.follow()
        self._drawn = ()
        return there

    # what the keys do

    def action_symbol(self, step: int) -> None:
        """Chart the next or the previous symbol under watch."""
        names = self._watched_names()
        if names:
            at = names.index(self._symbol) if self._symbol in names else 0
            self.choose(names[(at + step) % len(names)])

    def action_span(self, step: int) -> None:
        """Take the next span, or the one before."""
        self._span = self._spans[(self._spans.index(self._span) + step) % len(self._spans)]
        self._window.follow()
        self._drawn = ()

    def action_magnify(self, by: int) -> None:
        """Zoom in or out."""
        self._window.zoom(by)
        self._drawn = ()

    def action_pan(self, way: int) -> None:
        """Move by half of what is seen; 2 stands for everything there is."""
        charted = self._charted_bars()
        if charted is not None:
            room = self._window.room(self._candle_columns)
            by = len(charted.bars) if abs(way) > 1 else max(room // 2, 1)
            self._window.pan(charted.bars, self._candle_columns, by if way > 0 else -by)
            self._drawn = ()

    def action_cross(self, by: int) -> None:
        """Move the cross-hair by a bar."""
        charted = self._charted_bars()
        if charted is not None:
            self._window.move_cursor(charted.bars, self._candle_columns, by)
            self._drawn = ()

    def action_level(self, by: int) -> None:
        """Move the price of the cross-hair by a row."""
        drawing, window = self._drawing, self._window
        if drawing is None or drawing.axis is None:
            return
        if window.cursor_time is None:
            self.action_cross(0)
            return
        axis = drawing.axis
        row = min(max(drawing.cursor_row + by, axis.top), axis.top + axis.rows - 1)
        window.level = axis.price_at(row)
        self._drawn = ()

    def action_overlay(self) -> None:
        """Take the next study over the prices."""
        self._overlay = (self._overlay + 1) % len(OVERLAYS)
        self._drawn = ()

    def action_below(self) -> None:
        """Take the next study below."""
        self._below = (self._below + 1) % len(BELOW)
        self._drawn = ()

    def action_volume(self) -> None:
        """Show the volume, or not."""
        self._with_volume = not self._with_volume
        self._drawn = ()

    def action_compare(self, step: int) -> None:
        """Compare with the next symbol under watch; 0 ends it."""
        names = [name for name in self._watched_names() if name != self._symbol]
        if not step or not names:
            self._other = ""
        else:
            at = names.index(self._other) if self._other in names else -1
            self._other = names[(at + step) % len(names)]
        self._drawn = ()

    def on_chart_canvas_point_chosen(self, message: ChartCanvas.PointChosen) -> None:
        """Put the cross-hair where the mouse was."""
        charted, drawing = self._charted_bars(), self._drawing
        if charted is None or drawing is None or drawing.axis is None:
            return
        seen = self._window.seen(charted.bars, self._candle_columns)
        at = seen.first + message.column // self._window.stride
        if at < seen.last:
            self._window.put_cursor(charted.bars, self._candle_columns, at)
            axis = drawing.axis
            if axis.top <= message.row < axis.top + axis.rows:
                self._window.level = axis.price_at(message.row)
            self._drawn = ()

    def on_chart_canvas_wheel_turned(self, message: ChartCanvas.WheelTurned) -> None:
        """Go back in time, or on."""
        charted = self._charted_bars()
        if charted is not None:
            by = max(self._window.room(self._candle_columns) // 8, 1)
            self._window.pan(charted.bars, self._candle_columns, message.way * by)
            self._drawn = ()

    def _remember_view(self) -> None:
        # by their names: another version may have other studies in between
        view = {
            "symbol": self._symbol,
            "span": self._span,
            "overlay": OVERLAYS[self._overlay].name,
            "below": BELOW[self._below].name,
            "volume": self._with_volume,
            "other": self._other,
        }
        self._memory.remember("chart", view)

    # drawing

    @property
    def _candle_columns(self) -> int:
        return self._drawing.columns if self._drawing is not None else 1

    def _watched_names(self) -> list[str]:
        return [row.symbol for row in self._board.watch.rows[:]] if self._board else []

    def _charted_bars(self) -> ChartedBars | None:
        board = self._board
        if board is None:
            return None
        rows = board.watch.rows[:]
        # the symbol is no longer watched, or none was chosen yet
        row = next((row for row in rows if row.symbol == self._symbol), rows[0] if rows else None)
        if row is None:
            return None
        self._look_at(row.token, self._span)
        bars = board.bars.get((row.token, self._span), ())
        forming = board.forming
        # it may have closed meanwhile, and stand among the others
        if (
            forming is not None
            and (forming.token, forming.span) == (row.token, self._span)
            and (not bars or forming.bar.start > bars[-1].start)
        ):
            bars = (*bars, forming.bar)
        return ChartedBars(row, bars)

    def _redraw_chart(self, board: Board) -> None:
        width, height = self._canvas.size
        charted = self._charted_bars()
        if charted is None or not width or not height:
            return
        row, bars = charted
        self._symbol = row.symbol
        levels = levels_of(board, row.symbol)
        fills = [fill for fill in board.fills.copy() if fill.token == row.token]
        other = next((each for each in board.watch.rows[:] if each.symbol == self._other), None)
        prices = row.ltp, other.ltp if other is not None else 0.0
        drawn = (row.token, self._span, width, height, bars, len(fills), tuple(levels), prices)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._remember_view()
        content = ChartContent(
            bars,
            self._span,
            last=row.ltp,
            levels=levels,
            fills=placed_fills(fills, row.token, bars, self._span),
            overlay=study_lines(OVERLAYS[self._overlay], bars),
            below=BELOW[self._below],
            below_lines=study_lines(BELOW[self._below], bars),
            with_volume=self._with_volume,
        )
        columns = max(width - axis_width(content), 1)
        seen = self._window.seen(bars, columns)
        if other is not None and other.token != row.token:
            others = board.bars.get((other.token, self._span), ())
            line = compared_line(bars, others, seen.first, other.symbol, other.ltp)
            content = content._replace(compared=line)
        self._drawing = drawing = draw_chart(
            content,
            seen,
            width=width,
            height=height,
            stride=self._window.stride,
            level=self._window.level,
        )
        tones = self._tones()
        self._canvas.show_strips(
            drawing.canvas.strips(tones, drawing.cursor_column, drawing.cursor_row)
        )
        text = caption_text(row.symbol, content, seen, tones)
        text.append("\n")
        text.append_text(legend_text(content, seen, self._window, tones))
        self._caption.show_caption(text)
