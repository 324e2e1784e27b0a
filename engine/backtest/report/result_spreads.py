"""Spreads of results: months, years, daily returns, and excursions of trades before their end."""

from collections.abc import Sequence
from math import floor

import numpy as np

from engine.backtest.report.html_markup import HtmlMarkup, joined_markup, tag
from engine.backtest.report.svg_charts import (
    TALL,
    WIDE,
    AxisScale,
    AxisTick,
    axes,
    bar,
    chart,
    dots,
    label,
    legend,
    percent_share,
    places,
    round_ticks,
    rule,
    scale_of,
    stretched_plot,
)
from engine.backtest.results.figure_text import NONE, money, percent
from engine.backtest.run_outcome import RoundTrip, RunOutcome
from engine.backtest.statistics import result_tables
from engine.backtest.statistics.result_tables import YearReturns
from engine.history.bar_series import Floats

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SHADES = 4


def months_table(years: Sequence[YearReturns]) -> HtmlMarkup:
    """Return the returns of months as a table painted by size; each says its sign, too."""
    returns = [abs(each) for year in years for each in year.months if each is not None]
    # The 95th percentile: one month of a crash would take the colour of all others.
    most = float(np.percentile(returns, 95)) if returns else 0.0
    head = tag("tr", *(tag("th", each, scope="col") for each in ("", *MONTHS, "Year")))
    rows = [
        tag(
            "tr",
            tag("th", year.year, scope="row"),
            *(_month_cell(each, most) for each in year.months),
            tag("td", _brief_percent(year.total, 99.95), class_="whole"),
        )
        for year in years
    ]
    caption = tag("figcaption", "Months", tag("small", "return in percent"))
    made = tag("table", tag("thead", head), tag("tbody", *rows), class_="heat")
    return tag(
        "figure",
        caption,
        tag("div", made, class_="scroll", role="region", aria_label="Months", tabindex=0),
    )


def _month_cell(value: float | None, most: float) -> HtmlMarkup:
    if value is None:
        return tag("td")
    shade = min(floor(abs(value) / most * SHADES) + 1, SHADES) if most and round(value, 1) else 0
    return tag(
        "td", _brief_percent(value), class_=f"{'g' if value > 0 else 'l'}{shade}" if shade else None
    )


def _brief_percent(value: float, whole: float = 9.95) -> str:
    """Return a return without its percent sign, and from `whole` on without decimals."""
    return percent(value, signed=True, places=1 if abs(value) < whole else 0).rstrip("%")


def years_chart(years: Sequence[YearReturns]) -> HtmlMarkup:
    """Draw the return of each year beside buy and hold's."""
    held = [each.benchmark for each in years]
    up = _with_headroom(
        scale_of(
            [each.total for each in years] + [each for each in held if each is not None], zero=True
        )
    )
    ground, width = up.share(0.0), 1 / max(len(years), 1)
    half = min(width * 0.3, 0.09)
    drawn, named = [], []
    for i, year in enumerate(years):
        middle, top, text = (
            (i + 0.5) * width,
            up.share(year.total),
            percent(year.total, signed=True, places=1),
        )
        tooltip = f"{year.year}: {percent(year.total, signed=True)}"
        drawn.append(
            bar(
                middle - half,
                middle,
                low=ground,
                high=top,
                class_="gain" if year.total >= 0 else "loss",
                tooltip=tooltip,
            )
        )
        rises = -5 if year.total >= 0 else 14
        named.append(
            label(
                middle - half / 2, top, text, "value wide" if len(years) > 5 else "value", dy=rises
            )
        )
        if year.benchmark is not None:
            tooltip = f"{year.year}: buy and hold {percent(year.benchmark, signed=True)}"
            right = middle + half * 0.8
            drawn.append(
                bar(
                    middle + half * 0.06,
                    right,
                    low=ground,
                    high=up.share(year.benchmark),
                    class_="other",
                    tooltip=tooltip,
                )
            )
    levels = round_ticks(up, 4)
    ticks = [AxisTick(up.share(each), percent(each, places=places(levels))) for each in levels]
    across = [AxisTick((i + 0.5) * width, str(year.year)) for i, year in enumerate(years)]
    caption = ", ".join(f"{each.year} {percent(each.total, signed=True)}" for each in years)
    names = legend(("gain", "gain"), ("loss", "loss"), ("other", "buy and hold"))
    return chart(
        "Years",
        caption,
        axes(across, ticks),
        *drawn,
        rule(ground),
        *named,
        legend=names,
        note="after charges",
    )


def _with_headroom(scale: AxisScale) -> AxisScale:
    """Return a scale with room for the value above or below each bar."""
    room = (scale.high - scale.low) * 0.1
    return AxisScale(
        scale.low - room if scale.low < 0 else scale.low,
        scale.high + room if scale.high > 0 else scale.high,
    )


def distribution_chart(outcome: RunOutcome) -> HtmlMarkup:
    """Draw how many days had which return."""
    edges, counts = result_tables.distribution(outcome)
    if not counts:
        return chart("Daily returns", "no sessions", size="none", note="there are none")
    across, up = AxisScale(edges[0], edges[-1]), scale_of([0.0, *map(float, counts)], zero=True)
    drawn = [
        bar(
            across.share(low) + 0.001,
            across.share(high) - 0.001,
            low=0.0,
            high=up.share(number),
            class_="gain" if low + high > 0 else "loss",
            tooltip=f"{percent(low)} to {percent(high)}: {number} days",
        )
        for low, high, number in zip(edges[:-1], edges[1:], counts, strict=True)
        if number
    ]
    ticks = [
        AxisTick(up.share(each), f"{each:.0f}") for each in round_ticks(up, 4) if each == int(each)
    ]
    marks = round_ticks(across, 8)
    below = [
        AxisTick(across.share(each), percent(each, places=places(marks)), wide=i % 2 != 0)
        for i, each in enumerate(marks)
        if 0.03 < across.share(each) < 0.97
    ]
    returns = sum(counts)
    caption = f"{returns:,} days from {percent(edges[0])} to {percent(edges[-1])}"
    return chart("Daily returns", caption, axes(below, ticks), *drawn, note="days by return")


def excursion_charts(trades: Sequence[RoundTrip]) -> HtmlMarkup:
    """Draw each closed trade's end against its worst and its best, in % of its entry."""
    closed = [each for each in trades if not each.is_open and each.entry_price > 0]
    value = np.array([each.entry_price * each.quantity for each in closed], np.float64)
    net, worst, best = (
        np.array([getattr(each, name) for each in closed], np.float64) / value
        for name in ("net", "mae", "mfe")
    )
    return joined_markup(
        [
            _scatter_chart("Worst it stood at (MAE)", "stood at worst", -worst, net, ("-", "%")),
            _scatter_chart("Best it stood at (MFE)", "stood at best", best, net, ("+", "%")),
        ]
    )


def _scatter_chart(
    title: str, verb: str, x: Floats, y: Floats, unit: tuple[str, str]
) -> HtmlMarkup:
    if not len(x):
        return chart(title, "no trades", size="none", note="there are no closed trades")
    across = AxisScale(0.0, float(np.percentile(x, 99.5)) * 1.05 or 1.0)
    reach = np.percentile(y, (0.2, 99.8))
    up = scale_of(reach, zero=True)
    outside = int(((x > across.high) | (y < up.low) | (y > up.high)).sum())
    at = across.units(x.clip(across.low, across.high), WIDE // 4) * 4
    level = up.units(y.clip(up.low, up.high), TALL // 4) * 4
    won, lost = y > 0, y < 0
    drawn = stretched_plot(
        dots(at[lost], level[lost], "loss"),
        dots(at[won], level[won], "gain"),
        dots(at[y == 0], level[y == 0], "other"),
    )
    below = [
        AxisTick(across.share(each), f"{unit[0] if each else ''}{each:g}{unit[1]}", wide=i % 2 != 0)
        for i, each in enumerate(round_ticks(across, 8))
        if across.share(each) < 0.97
    ]
    ticks = [
        AxisTick(up.share(each), f"{each:+g}%" if each else "0%") for each in round_ticks(up, 5)
    ]
    caption = (
        f"{len(x):,} closed trades, {int(won.sum()):,} won: net result against how far each "
        f"{verb}, in percent of its entry value"
    )
    note = f"net result (up) by how far a trade {verb}, in percent of its entry" + (
        f"; {outside} beyond the edge stand on it" if outside else ""
    )
    names = legend(("dotted gain", "won"), ("dotted loss", "lost"))
    return chart(
        title, caption, axes(below, ticks), rule(up.share(0.0)), drawn, legend=names, note=note
    )


def waterfall_table(outcome: RunOutcome) -> HtmlMarkup:
    """Return the steps from the gross before slippage to the net, a table row with a bar each."""
    steps = result_tables.cost_steps(outcome)
    levels: list[tuple[float, float]] = []
    running = 0.0
    for step in steps:
        before, running = (
            (0.0, float(step.amount)) if step.total else (running, running + step.amount)
        )
        levels.append((before, running))
    across = scale_of([each for pair in levels for each in pair], zero=True, wider=0.0)
    first, turnover = steps[0].amount, int(outcome.daily.turnover.sum())
    rows = [
        tag(
            "tr",
            tag("th", step.label, scope="row"),
            tag(
                "td",
                _waterfall_bar(
                    across, pair, "sum" if step.total else "gain" if step.amount > 0 else "loss"
                ),
                class_="bar",
            ),
            tag("td", money(step.amount, signed=True), class_="n"),
            tag(
                "td",
                percent(100 * step.amount / first, places=1) if first > 0 else NONE,
                class_="n wide",
            ),
            tag(
                "td",
                percent(100 * step.amount / turnover, places=4) if turnover else NONE,
                class_="n wide",
            ),
            class_="total" if step.total else None,
        )
        for step, pair in zip(steps, levels, strict=True)
    ]
    heads = (
        ("", None),
        ("", None),
        ("₹", "n"),
        ("of the first", "n wide"),
        ("of turnover", "n wide"),
    )
    head = tag(
        "thead", tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in heads))
    )
    caption = tag(
        "figcaption", "Where the money went", tag("small", "from gross before slippage to net")
    )
    return tag("figure", caption, tag("table", head, tag("tbody", *rows), class_="fall"))


def _waterfall_bar(across: AxisScale, pair: tuple[float, float], tone: str) -> HtmlMarkup:
    left, right = sorted(map(across.share, pair))
    drawn = tag(
        "rect",
        x=percent_share(left),
        width=percent_share(max(right - left, 0.002)),
        y="0",
        height="100%",
        class_=tone,
    )
    zero = tag(
        "line",
        x1=percent_share(across.share(0.0)),
        x2=percent_share(across.share(0.0)),
        y1="0",
        y2="100%",
        class_="zero",
    )
    return tag("svg", drawn, zero, aria_hidden="true")
