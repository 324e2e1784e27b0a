"""Charts that fit any width: curves stretch with the page, texts keep the page's size."""

import math
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from engine.backtest.report.html_markup import Content, HtmlMarkup, joined_markup, tag
from engine.history.bar_series import Floats, Ints, numbered_day

WIDE: Final = 2_000
TALL: Final = 1_000
"""Units of a plot: more than a screen has points."""
COLUMNS: Final = 700
"""Columns a curve is thinned to; each keeps its first, lowest, highest and last point."""


_MARKS: Final = 12
_PERIODS: Final[tuple[tuple[Callable[[date], object], str], ...]] = (
    (date.isocalendar, "%-d %b"),
    (lambda each: each.isocalendar()[:2], "%-d %b"),
    (lambda each: (each.year, each.month), "%b %y"),
    (lambda each: (each.year, (each.month - 1) // 3), "%b %y"),
    (lambda each: each.year, "%Y"),
)


class AxisTick(NamedTuple):
    """A mark on an axis: its place (0 to 1), its text, and whether only wide screens show it."""

    at: float
    label: str
    wide: bool = False


class AxisScale(NamedTuple):
    """The range between the two ends of an axis."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """Return where a value lies, 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def units(self, values: Floats, size: int) -> Ints:
        """Return where values lie, in units of a plot."""
        return np.rint((values - self.low) / (self.high - self.low) * size).astype(np.int64)


def scale_of(
    values: Sequence[float] | Floats, *, zero: bool = False, wider: float = 0.04
) -> AxisScale:
    """Return a scale that holds all finite values with some room, and 0 when it is to."""
    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array)]
    low, high = (float(array.min()), float(array.max())) if len(array) else (0.0, 0.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    # A level line needs a scale of some height, and so does a line at zero.
    room = (high - low) * wider or abs(high) * 0.05 or 1.0
    return AxisScale(
        low if zero and low == 0 else low - room,
        high if zero and high == 0 and low < 0 else high + room,
    )


def spreads_wider(other: Floats, own: Floats, times: float = 5.0) -> bool:
    """Return whether one's own values would be a level line beside the spread of others."""
    there = other[np.isfinite(other)]
    return len(there) > 0 and float(np.ptp(there)) > times * float(np.ptp(own)) > 0.0


def round_ticks(scale: AxisScale, most: int = 5) -> list[float]:
    """Return round values within a scale, `most` at most or one more."""
    raw = (scale.high - scale.low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    # * 0.999: a step that is right but for its last bit must not jump to the next.
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= raw * 0.999)
    return [i * step for i in range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1)]


def places(ticks: Sequence[float]) -> int:
    """Return the decimals that keep ticks distinct."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else ticks[0] if ticks else 0.0
    return next((n for n in range(4) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 4)


def day_ticks(days: Ints) -> list[AxisTick]:
    """Return marks at the first session of years, quarters, months or weeks.

    Whichever are few enough to be read are taken.
    """
    dates = [numbered_day(int(each)) for each in days]
    # Too few to have a first of a week or a month: each is named.
    if len(dates) < 3:
        return [AxisTick((i + 0.5) / len(dates), f"{each:%-d %b}") for i, each in enumerate(dates)]
    for part, form in _PERIODS:  # noqa: B007 - the last one is taken as it is
        starts = [i for i in range(1, len(dates)) if part(dates[i]) != part(dates[i - 1])]
        if len(starts) <= _MARKS:
            break
    starts = starts[:: -(-len(starts) // _MARKS) or 1]
    every = -(-len(starts) // 4)
    return [
        AxisTick(i / len(dates), f"{dates[i]:{form}}", wide=n % every != 0)
        for n, i in enumerate(starts)
        if 0.02 < i / len(dates) < 0.98
    ]


def thinned_points(x: Floats, y: Floats, columns: int = COLUMNS) -> tuple[Floats, Floats]:
    """Return the points that are seen.

    They are the first, the lowest, the highest and the last of each column of the screen.
    """
    # Four points of each column are kept: up to there thinning would only copy.
    if len(x) <= 4 * columns:
        return x, y
    edges = np.unique(np.searchsorted(x, np.linspace(x[0], x[-1], columns + 1)[:-1]))
    groups = np.split(np.arange(len(x)), edges[1:])
    kept = [
        sorted({part[0], part[np.argmin(y[part])], part[np.argmax(y[part])], part[-1]})
        for part in groups
    ]
    rows = np.concatenate([np.array(each) for each in kept])
    return x[rows], y[rows]


def line_path(x: Ints, y: Ints) -> str:
    """Return the path through points in units of a plot, from the top down.

    Points on one spot are drawn once.
    """
    if not len(x):
        return ""
    moves = np.stack((np.diff(x), -np.diff(y)))
    moves = moves[:, (moves != 0).any(axis=0)]
    steps = "".join(f"l{dx} {dy}" for dx, dy in moves.T.tolist()) or "h1"
    return f"M{x[0]} {TALL - y[0]}{steps}"


def curve(x: Floats, y: Floats, across: AxisScale, up: AxisScale, class_: str) -> HtmlMarkup:
    """Return a curve through its finite points."""
    there = np.isfinite(y)
    x, y = thinned_points(x[there], y[there])
    return tag("path", d=line_path(across.units(x, WIDE), up.units(y, TALL)), class_=class_)


def area(
    x: Floats, y: Floats, across: AxisScale, up: AxisScale, class_: str, base: float = 0.0
) -> HtmlMarkup:
    """Return the area between a curve and a level."""
    if not len(x):
        return HtmlMarkup()
    x, y = thinned_points(x, y)
    left, right = (int(each) for each in across.units(np.array([x[0], x[-1]]), WIDE))
    ground = TALL - int(up.units(np.array([base]), TALL)[0])
    # The same path as the curve's, so that area and line lie on each other.
    inner = line_path(across.units(x, WIDE), up.units(y, TALL)).replace("M", "L", 1)
    return tag("path", d=f"M{left} {ground}{inner}L{right} {ground}z", class_=class_)


def dots(x: Ints, y: Ints, class_: str) -> HtmlMarkup:
    """Return a round dot at each point; points on one spot are drawn once."""
    spots = np.unique(np.stack((x, TALL - y)), axis=1)
    return tag(
        "path", d="".join(f"M{a} {b}h0" for a, b in spots.T.tolist()), class_=f"dot {class_}"
    )


def stretched_plot(*content: Content) -> HtmlMarkup:
    """Return the parts that stretch with the plot, in units of it."""
    return tag(
        "svg",
        *content,
        viewBox=f"0 0 {WIDE} {TALL}",
        # The curve stretches to any width; texts stand outside and keep theirs.
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )


def percent_share(value: float) -> str:
    """Return a share as percent with as many places as a screen can show."""
    return f"{value * 100:.2f}".rstrip("0").rstrip(".") + "%"


def bar(
    left: float, right: float, low: float, high: float, class_: str, tooltip: str = ""
) -> HtmlMarkup:
    """Return a labelled bar between shares of the plot, counted from the left and from below."""
    low, high = min(low, high), max(low, high)
    return tag(
        "rect",
        tag("title", tooltip) if tooltip else None,
        x=percent_share(left),
        y=percent_share(1 - high),
        width=percent_share(right - left),
        # A bar of nothing is still seen, and can be pointed at.
        height=percent_share(max(high - low, 0.001)),
        class_=class_,
    )


def bands(days: Ints, text_of: Callable[[int], str], most: int = 120) -> HtmlMarkup:
    """Return the labels of a chart of sessions for a resting pointer.

    Each of so many bands has that of its last session.
    """
    n = len(days)
    last = sorted({(i + 1) * n // most - 1 for i in range(most)} - {-1}) if n > most else range(n)
    edges = [0, *(i + 1 for i in last)]
    return joined_markup(
        bar(
            left / n,
            right / n,
            low=0.0,
            high=1.0,
            class_="band",
            tooltip=f"{numbered_day(int(days[right - 1]))}: {text_of(right - 1)}",
        )
        for left, right in pairwise(edges)
    )


def label(
    at: float, up: float, text: str, class_: str = "", dx: int = 0, dy: int = 0
) -> HtmlMarkup:
    """Return a text at shares of the plot, counted from the left and from below."""
    return tag(
        "text",
        text,
        x=percent_share(at),
        y=percent_share(1 - up),
        dx=dx or None,
        dy=dy or None,
        class_=class_ or None,
    )


def axes(across: Sequence[AxisTick], up: Sequence[AxisTick]) -> HtmlMarkup:
    """Return the lines of a grid and their labels: values at the left, times below."""
    lines = [
        tag(
            "line",
            x1="0",
            x2="100%",
            y1=percent_share(1 - each.at),
            y2=percent_share(1 - each.at),
            class_="grid",
        )
        for each in up
    ]
    left = [label(0, each.at, each.label, "y", dx=-8, dy=4) for each in up]
    below = [
        label(each.at, 0, each.label, "x wide" if each.wide else "x", dy=18) for each in across
    ]
    marks = [
        tag(
            "line",
            x1=percent_share(each.at),
            x2=percent_share(each.at),
            y1="0",
            y2="100%",
            class_="grid wide" if each.wide else "grid",
        )
        for each in across
    ]
    return joined_markup([*lines, *marks, *left, *below])


def rule(at: float, class_: str = "zero") -> HtmlMarkup:
    """Return a level line at a share of the height."""
    return tag(
        "line", x1="0", x2="100%", y1=percent_share(1 - at), y2=percent_share(1 - at), class_=class_
    )


def chart(
    title: str,
    caption: str,
    *content: Content,
    size: str = "",
    legend: Content = None,
    note: Content = None,
) -> HtmlMarkup:
    """Return a chart with its title; `caption` describes it in words, for screen readers."""
    picture = tag(
        "svg",
        tag("title", f"{title}: {caption}"),
        *content,
        role="img",
        class_=f"plot {size}".strip(),
    )
    return tag(
        "figure", tag("figcaption", title, tag("small", note) if note else None), legend, picture
    )


def legend(*entries: tuple[str, str]) -> HtmlMarkup:
    """Return the legend of a chart: the class of each line, and its name."""
    drawn = (
        tag(
            "span",
            tag(
                "svg",
                tag("path", d=_swatch_path(class_), class_=class_),
                width=26,
                height=10,
                aria_hidden="true",
            ),
            name,
        )
        for class_, name in entries
    )
    return tag("p", *drawn, class_="legend")


def _swatch_path(class_: str) -> str:
    return "M6 5h0M15 5h0" if class_.startswith("dotted") else "M2 5h20"
