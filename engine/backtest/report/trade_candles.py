"""Candles around a trade, with where it went in and out."""

from collections.abc import Callable

import numpy as np

from compiled.model.values import SECOND
from engine.backtest.report.html_markup import HtmlMarkup, joined_markup, tag
from engine.backtest.report.svg_charts import (
    TALL,
    WIDE,
    AxisTick,
    axes,
    chart,
    label,
    percent_share,
    places,
    round_ticks,
    scale_of,
    stretched_plot,
)
from engine.backtest.results.figure_text import moment_text, money, side_word
from engine.backtest.run_outcome import RoundTrip
from engine.history.bar_series import BarSeries, Ints, ist_days
from engine.market.calendar import DAY, ist_day
from engine.numbers import count, price, time_of_day

Candles = Callable[[str, int, int], BarSeries]
"""Returns the bars of a symbol that start between two times (ns UTC), both included.

None where there are none.
"""

BEFORE, AFTER, MOST = 40, 24, 120
"""Bars shown before the entry, after the exit, and candles at most.

Longer trades have several bars to a candle.
"""


def trade_picture(trade: RoundTrip, why: str, candles: Candles, span: int) -> HtmlMarkup:
    """Draw one trade among its bars; a line of words where there are none."""
    title = f"#{trade.number} {trade.symbol}: {why}"
    words = (
        f"{trade.strategy}, {side_word(trade)} {count(trade.quantity)}, "
        f"{money(trade.net, signed=True)} after charges, "
        f"{moment_text(trade.entry_ts)} to "
        f"{moment_text(trade.exit_ts) if trade.exit_ts else 'the end'}"
    )
    bars = bars_around(trade.symbol, trade.entry_ts, trade.exit_ts, candles, span)
    if not len(bars.start):
        return chart(title, words, size="none", note=f"{words}; there are no bars of it here")
    return _draw_trade(title, words, trade, bars)


def bars_around(symbol: str, entry_ts: int, exit_ts: int, candles: Candles, span: int) -> BarSeries:
    """Return the bars of a trade and some on either side; `exit_ts` is 0 while it is open."""
    last = exit_ts or entry_ts
    # Over a weekend with a holiday beside it there are still bars before the entry.
    reach = 4 * DAY + 2 * BEFORE * span * SECOND
    bars = candles(symbol, entry_ts - reach, last + reach)
    first, end = np.searchsorted(bars.start, (entry_ts, last + 1))
    stop = len(bars.start) if not exit_ts else min(int(end) + AFTER, len(bars.start))
    return grouped_bars(bars.pick(slice(max(int(first) - BEFORE, 0), stop)))


def grouped_bars(bars: BarSeries, most: int = MOST) -> BarSeries:
    """Return bars as `most` at most, each of as many neighbours as it takes."""
    # Rounded up: at most `most` candles, the last one maybe of fewer bars.
    each = -(-len(bars.start) // most)
    if each <= 1:
        return bars
    at = np.arange(0, len(bars.start), each)
    last = np.minimum(at + each, len(bars.start)) - 1
    return BarSeries(
        start=bars.start[at],
        open=bars.open[at],
        high=np.maximum.reduceat(bars.high, at),
        low=np.minimum.reduceat(bars.low, at),
        close=bars.close[last],
        volume=np.add.reduceat(bars.volume, at),
        ticks=np.add.reduceat(bars.ticks, at),
        token=bars.token[at],
    )


def _draw_trade(title: str, words: str, trade: RoundTrip, bars: BarSeries) -> HtmlMarkup:
    n = len(bars.start)
    up = scale_of(
        np.concatenate((bars.low, bars.high, [trade.entry_price, trade.exit_price])), wider=0.08
    )
    middle: Ints = np.rint((np.arange(n) + 0.5) * WIDE / n).astype(np.int64)
    half = max(int(WIDE / n * 0.34), 1)
    open_, high, low, close = (
        TALL - up.units(each, TALL) for each in (bars.open, bars.high, bars.low, bars.close)
    )
    rises = bars.close >= bars.open
    drawn: list[HtmlMarkup] = []
    for rows, tone in ((rises, "gain"), (~rises, "loss")):
        # One path for all wicks of a colour: a hundred elements less for the page.
        wicks, bodies = "", ""
        for x, o, h, b, c in zip(
            *(each[rows].tolist() for each in (middle, open_, high, low, close)), strict=True
        ):
            wicks += f"M{x} {h}V{b}"
            bodies += f"M{x - half} {min(o, c)}h{2 * half}v{max(abs(o - c), 3)}h{-2 * half}z"
        drawn += [
            tag("path", d=wicks, class_=f"wick {tone}"),
            tag("path", d=bodies, class_=f"body {tone}"),
        ]
    entry = _bar_place(bars, trade.entry_ts, n)
    exit_ = _bar_place(bars, trade.exit_ts, n) if trade.exit_ts else 1.0
    fills = joined_markup(
        [
            _trade_line(entry, exit_, up.share(trade.entry_price), up.share(trade.exit_price)),
            _fill_mark(
                entry,
                up.share(trade.entry_price),
                f"in {price(trade.entry_price)}",
                bought=trade.side > 0,
                left=True,
            ),
            _fill_mark(
                exit_,
                up.share(trade.exit_price),
                f"{'out' if trade.exit_ts else 'now'} {price(trade.exit_price)}",
                bought=trade.side < 0,
                left=False,
            ),
        ]
    )
    levels = round_ticks(up, 4)
    ticks = [
        AxisTick(up.share(each), price(each) if places(levels) else count(round(each)))
        for each in levels
    ]
    return chart(
        title, words, axes(_time_ticks(bars), ticks), stretched_plot(*drawn), fills, note=words
    )


def _bar_place(bars: BarSeries, ts: int, n: int) -> float:
    at = int(np.searchsorted(bars.start, ts, side="right")) - 1
    return (max(at, 0) + 0.5) / n


def _trade_line(entry: float, exit_: float, low: float, high: float) -> HtmlMarkup:
    return tag(
        "line",
        x1=percent_share(entry),
        y1=percent_share(1 - low),
        x2=percent_share(exit_),
        y2=percent_share(1 - high),
        class_="way",
    )


def _fill_mark(at: float, up: float, text: str, *, bought: bool, left: bool) -> HtmlMarkup:
    """Return a mark at a fill, up for a purchase and down for a sale, with its price beside it."""
    mark = label(at, up, "▲" if bought else "▼", "mark", dy=16 if bought else -6)
    beside = "fill-left" if (left and at > 0.25) or at > 0.75 else "fill-right"
    words = label(
        at, up, text, beside, dx=-10 if beside == "fill-left" else 10, dy=15 if bought else -6
    )
    return joined_markup([mark, words])


def _time_ticks(bars: BarSeries) -> list[AxisTick]:
    """Return marks below candles: days where there are several, else times of the day."""
    days, n = ist_days(bars.start), len(bars.start)
    turns = [int(each) + 1 for each in np.flatnonzero(np.diff(days))]
    if len(turns) < 2:
        places = range(n // 8, n, max(n // 4, 1))
        marks = [
            AxisTick((i + 0.5) / n, time_of_day(int(bars.start[i]))[:5], wide=k % 2 == 1)
            for k, i in enumerate(places)
        ]
        if not turns:
            return marks
        if not 0.05 < turns[0] / n < 0.95:
            return marks
        return [each for each in marks if abs(each.at - turns[0] / n) > 0.12] + [
            _day_tick(bars, turns[0])
        ]
    every = -(-len(turns) // 5)
    return [_day_tick(bars, i) for i in turns[::every] if 0.05 < i / n < 0.95]


def _day_tick(bars: BarSeries, i: int) -> AxisTick:
    return AxisTick((i + 0.5) / len(bars.start), f"{ist_day(int(bars.start[i])):%-d %b}")
