"""The two lines above a chart: a bar in numbers, and the values of the lines at it."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from engine.board_rows import BarRow
from engine.numbers import compact, log_time, percent_move, price
from engine.texts import plain_text
from tui.app.charts.candle_chart import ChartContent
from tui.app.charts.chart_studies import StudyLine
from tui.app.charts.chart_window import ChartWindow, SeenBars
from tui.app.widgets.theme import ToneStyles

_DAY: Final = 86_400


def span_name(seconds: int) -> str:
    """Name a span: 60 → 1m, 3600 → 1h, 86400 → 1d."""
    if seconds < 60:
        return f"{seconds}s"
    if seconds >= _DAY:
        return f"{seconds // _DAY}d"
    return f"{seconds // 60}m" if seconds < 3_600 else f"{seconds // 3_600}h"


def compared_line(
    bars: Sequence[BarRow], others: Sequence[BarRow], first: int, label: str, last: float
) -> StudyLine:
    """Return the closes of another instrument on the scale of `bars`.

    Both are at the same place at the first bar from `first` on that both have. The newest bar forms
    for the charted one alone: there it is at its `last` traded price.
    """
    closes = {bar.start: bar.close for bar in others}
    if bars and others:
        closes.setdefault(bars[-1].start, last)
    base = next(
        (bar.close / closes[bar.start] for bar in bars[first:] if closes.get(bar.start, 0.0) > 0.0),
        0.0,
    )
    values = [
        closes[bar.start] * base if base and closes.get(bar.start, 0.0) > 0.0 else None
        for bar in bars
    ]
    return StudyLine(label, "sell", values)


def caption_text(symbol: str, content: ChartContent, seen: SeenBars, tones: ToneStyles) -> Text:
    """Return the first line: the symbol, and the bar under the cross-hair or the newest."""
    text = Text("▎", tones.ink("focus"), no_wrap=True, end="")
    text.append(f"{plain_text(symbol)}  ", tones.ink("focus"))
    text.append(f"{span_name(content.span)}  ", tones.ink("strong"))
    if not content.bars:
        text.append("no bars yet", tones.ink("faint"))
        return text
    bar = content.bars[_shown_bar(content, seen)]
    change = (bar.close / bar.open - 1) * 100 if bar.open else 0.0
    for name, value in (("O", bar.open), ("H", bar.high), ("L", bar.low), ("C", bar.close)):
        text.append(f" {name} ", tones.ink("faint"))
        text.append(price(round(value, 4)), tones.ink(""))
    text.append(
        f"  {percent_move(change)}  ",
        tones.ink("up" if change > 0 else "down" if change < 0 else "dim"),
    )
    text.append(f"vol {compact(bar.volume)}", tones.ink("dim"))
    return text


def legend_text(
    content: ChartContent, seen: SeenBars, window: ChartWindow, tones: ToneStyles
) -> Text:
    """Return the second line: the cross-hair, and each line's value there or at the newest bar."""
    text = Text("▎", tones.ink("focus"), no_wrap=True, end="")
    if not content.bars:
        return text
    at = _shown_bar(content, seen)
    bar = content.bars[at]
    if seen.cursor is not None:
        level = window.level if window.level is not None else bar.close
        away = (level / content.last - 1.0) * 100.0 if content.last > 0.0 else 0.0
        text.append(log_time(bar.start), tones.ink("strong"))
        text.append(f" {price(round(level, 2))} {away:+.2f}% ", tones.ink(""))
    elif not window.follows:
        text.append("earlier bars · G newest  ", tones.ink("notice"))
    for line in (*content.overlay, *content.below_lines):
        value = line.values[at]
        shown = "-" if value is None else price(round(value, 2)) or "0.00"
        text.append(f" {line.label} {shown} ", tones.ink(line.tone))
    if content.compared is not None:
        base, value = content.compared.values[seen.first], content.compared.values[at]
        moved = percent_move((value / base - 1.0) * 100.0) if value and base else "-"
        text.append(f" {plain_text(content.compared.label)} {moved} ", tones.ink("sell"))
    return text


def _shown_bar(content: ChartContent, seen: SeenBars) -> int:
    return seen.cursor if seen.cursor is not None else len(content.bars) - 1
