"""The chart, drawn once a second at most: candles, volume, EMA 9 and 21, own fills."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.color import Color
from textual.widget import Widget
from textual_plotext import PlotextPlot

from compiled.model.values import SECOND
from engine.board_rows import BarRow, Board, FillMark, WatchRow
from engine.numbers import compact, percent_move, price, time_of_day
from engine.texts import plain_text
from tui.app.screens.screen_frame import FullScreen, ScreenFrame, show_bands
from tui.app.widgets.header_bar import HeaderBar
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.key_footer import KeyFooter, footer_keys
from tui.app.widgets.notice_bar import NoticeBar
from tui.app.widgets.status_bands import StatusBands
from tui.app.widgets.theme import ToneStyles

EVERY: Final = 10
"""Frames between two drawings; a key draws at once."""

FAST, SLOW = 9, 21
_AXIS: Final = 12
"""Cells of the axis on the right, its line included."""

_STRIDE: Final = 2
"""Columns per candle: one and a blank."""


def ema(values: Sequence[float], n: int) -> list[float]:
    """Return the exponential moving average, alpha = 2 / (n + 1), seeded with the first value."""
    out: list[float] = []
    for x in values:
        out.append(x if not out else out[-1] + (x - out[-1]) * 2.0 / (n + 1))
    return out


def span_name(seconds: int) -> str:
    """Name a span: 60 → 1m, 3600 → 1h."""
    if seconds < 60:
        return f"{seconds}s"
    return f"{seconds // 60}m" if seconds < 3_600 else f"{seconds // 3_600}h"


def fill_marks(
    fills: Sequence[FillMark], token: int, bars: Sequence[BarRow], span: int
) -> list[tuple[int, float, str]]:
    """Place the fills of one instrument on its bars: (index of the bar, price, side)."""
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
    return [(i, fill.price, fill.side) for i, fill in found if i is not None]


class ChartCaption(Widget):
    """The line above the chart: symbol, span, and the last bar in numbers."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "ChartCaption { height: 1; width: 100%; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._text = Text(end="")

    def show_caption(self, text: Text) -> None:
        """Show a line."""
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Text:
        """Render the line."""
        return self._text


def caption_text(symbol: str, span: int, bars: Sequence[BarRow], tones: ToneStyles) -> Text:
    """Return the caption of a chart."""
    text = Text("▎", tones.ink("focus"), no_wrap=True, end="")
    text.append(f"{plain_text(symbol)}  ", tones.ink("focus"))
    text.append(f"{span_name(span)}  ", tones.ink("strong"))
    if bars:
        last = bars[-1]
        change = (last.close / last.open - 1) * 100 if last.open else 0.0
        for name, value in (("O", last.open), ("H", last.high), ("L", last.low), ("C", last.close)):
            text.append(f" {name} ", tones.ink("faint"))
            text.append(price(round(value, 4)), tones.ink(""))
        text.append(
            f"  {percent_move(change)}  ",
            tones.ink("up" if change > 0 else "down" if change < 0 else "dim"),
        )
        text.append(f"vol {compact(last.volume)}", tones.ink("dim"))
        text.append("    ── EMA 9", tones.ink("focus"))
        text.append("  ── EMA 21", tones.ink("notice"))
    else:
        text.append("no bars yet", tones.ink("faint"))
    return text


class ChartCanvas(PlotextPlot):
    """A plot that keeps its colours; Textual's wrapper replaces them at every render."""

    ALLOW_SELECT = False

    def render(self) -> Text:
        """Render the plot."""
        self.plt.plotsize(self.size.width, self.size.height)
        self.plt._set_size(self.size.width, self.size.height)  # noqa: SLF001 - plotsize alone stops at the terminal's size
        return Text.from_ansi(self.plt.build())


class ChartScreen(FullScreen):
    """Screen 2."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("chart"))
    DEFAULT_CSS = """
    ChartScreen { background: $background; }
    ChartScreen ChartCanvas { background: $surface; padding: 0 1; }
    ChartScreen #prices { height: 4fr; }
    ChartScreen #volume { height: 1fr; min-height: 4; }
    ChartScreen.-low HeaderBar { height: 1; padding: 0; }
    """

    def __init__(self, mode: str, spans: tuple[int, ...], tones: Callable[[], ToneStyles]) -> None:
        super().__init__()
        self._tones = tones
        self._spans = spans or (60,)
        self._span = self._spans[0]
        self._symbol = ""
        self._watch: Sequence[WatchRow] = ()
        self._drawn: tuple[object, ...] = ()
        self._drawn_at = -EVERY
        self._bands = StatusBands(mode)
        self._header = HeaderBar(tones)
        self._caption = ChartCaption()
        self._plot = ChartCanvas(id="prices")
        self._volume = ChartCanvas(id="volume")
        self._footer = KeyFooter(tones)
        self._notices = NoticeBar(tones)

    def compose(self) -> ComposeResult:
        """Stack bands, header, caption, chart and footer."""
        yield self._bands
        yield self._header
        yield self._caption
        yield self._plot
        yield self._volume
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
        """Show one frame; the chart itself only when it is due and its bars have changed."""
        show_bands(self._bands, frame)
        self._header.show_figures(frame.board, frame.lag, frame.kill)
        self._notices.show_notices(frame.notices)
        self._footer.show_keys(footer_keys(self.scopes, self.app._keymap), frame.status)  # noqa: SLF001 - there is no public way to ask
        if not frame.frozen and (not self._drawn or frame.number - self._drawn_at >= EVERY):
            # counted also where nothing was drawn: ten looks a second would cost as much
            self._drawn_at = frame.number
            self._redraw_chart(frame.board)

    def choose(self, symbol: str) -> None:
        """Chart a symbol from the next frame on."""
        self._symbol, self._drawn = symbol, ()

    def restyle(self) -> None:
        """Draw in the theme of now."""
        self._drawn = ()
        for widget in self.query("*"):
            widget.refresh()

    def action_symbol(self, step: int) -> None:
        """Chart the next or the previous symbol under watch."""
        names = [row.symbol for row in self._watch]
        if names:
            at = names.index(self._symbol) if self._symbol in names else 0
            self.choose(names[(at + step) % len(names)])

    def action_span(self) -> None:
        """Take the next span."""
        self._span = self._spans[(self._spans.index(self._span) + 1) % len(self._spans)]
        self._drawn = ()

    # drawing

    def _redraw_chart(self, board: Board) -> None:
        self._watch = board.watch.rows[:]
        row = next((row for row in self._watch if row.symbol == self._symbol), None)
        if row is None and self._watch:
            # the symbol is no longer watched, or none was chosen yet
            row = self._watch[0]
        if row is None or not self._plot.size.width:
            return
        self._symbol = row.symbol
        canvas = self._plot.size.width - _AXIS
        # a tuple that the engine replaces whole: it can be compared by identity, and kept
        bars = board.bars.get((row.token, self._span), ())
        fills = [fill for fill in board.fills.copy() if fill.token == row.token]
        drawn = (row.token, self._span, canvas, self._plot.size.height, bars, len(fills))
        # plotext takes longer than all the rest of the screen
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._caption.show_caption(caption_text(row.symbol, self._span, bars, self._tones()))
        # over all bars, then cut: one that began at the left edge would be another average
        averages = [
            ema([bar.close for bar in bars], n)[-(canvas // _STRIDE) :] for n in (FAST, SLOW)
        ]
        shown = bars[-(canvas // _STRIDE) :]
        self._draw_prices(shown, averages, fill_marks(fills, row.token, shown, self._span), canvas)
        self._draw_volume(shown, canvas)

    def _theme_colour(self, name: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[name]).rgb

    def _blank_plot(self, widget: ChartCanvas, canvas: int) -> Any:
        """Clear a plot and give it one column per unit of x, its axis on the right."""
        plot: Any = widget.plt
        plot.clear_figure()
        plot.xlim(0, canvas - 1)
        plot.yaxes(False, True)
        plot.canvas_color(self._theme_colour("surface"))
        plot.axes_color(self._theme_colour("surface"))
        plot.ticks_color(self._theme_colour("ink-dim"))
        return plot

    def _draw_prices(
        self,
        bars: Sequence[BarRow],
        averages: list[list[float]],
        fills: list[tuple[int, float, str]],
        canvas: int,
    ) -> None:
        plot = self._blank_plot(self._plot, canvas)
        plot.xaxes(False, False)
        plot.xticks([], [])
        if bars:
            low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
            # bars that do not move would leave an axis without a height
            room = (high - low) * 0.04 or high * 0.001
            plot.ylim(low - room, high + room, "right")
            ticks = [low + (high - low) * k / 6 for k in range(7)]
            plot.yticks(ticks, [price(round(x, 2)).rjust(_AXIS - 2) for x in ticks], "right")
            at = [i * _STRIDE for i in range(len(bars))]
            for values, name in zip(averages, ("title-focus", "notice"), strict=True):
                plot.plot(
                    at, values, marker="braille", color=self._theme_colour(name), yside="right"
                )
            plot.candlestick(
                at,
                {
                    "Open": [bar.open for bar in bars],
                    "High": [bar.high for bar in bars],
                    "Low": [bar.low for bar in bars],
                    "Close": [bar.close for bar in bars],
                },
                colors=[self._theme_colour("up"), self._theme_colour("down")],
                yside="right",
            )
            for i, paid, side in fills:
                mark, ink = ("▲", "ink-strong") if side == "BUY" else ("▼", "ink-strong")
                plot.scatter(
                    [i * _STRIDE], [paid], marker=mark, color=self._theme_colour(ink), yside="right"
                )
        self._plot.refresh()

    def _draw_volume(self, bars: Sequence[BarRow], canvas: int) -> None:
        plot = self._blank_plot(self._volume, canvas)
        plot.xaxes(True, False)
        if bars:
            # an index has no volume
            top = max(1, *(bar.volume for bar in bars))
            plot.ylim(0, top, "right")
            plot.yticks([0, top], ["0".rjust(_AXIS - 2), compact(top).rjust(_AXIS - 2)], "right")
            # a label takes five cells, and more of them would run into each other
            every = max(16 // _STRIDE, 1)
            times = range(0, len(bars), every)
            plot.xticks(
                [i * _STRIDE for i in times], [time_of_day(bars[i].start)[:5] for i in times]
            )
            for i, bar in enumerate(bars):
                colour = self._theme_colour("up" if bar.close > bar.open else "down")
                plot.plot(
                    [i * _STRIDE] * 2, [0, bar.volume], marker="sd", color=colour, yside="right"
                )
        self._volume.refresh()
