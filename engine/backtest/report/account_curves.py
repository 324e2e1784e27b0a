"""A run over time: the account, its drawdown, its Sharpe ratio, its exposure."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from engine.backtest.report.html_markup import HtmlMarkup, joined_markup
from engine.backtest.report.svg_charts import (
    AxisScale,
    AxisTick,
    area,
    axes,
    bands,
    chart,
    curve,
    day_ticks,
    legend,
    places,
    round_ticks,
    rule,
    scale_of,
    spreads_wider,
    stretched_plot,
)
from engine.backtest.results.figure_text import day_text, money, percent, ratio, short_money
from engine.backtest.run_outcome import DailyColumns, RunOutcome
from engine.backtest.statistics import result_tables
from engine.history.bar_series import Floats, Ints, day_number, ist_days
from engine.market.calendar import ist_day

HELD: Final = (("held", "buy and hold"),)
LEFT_OUT: Final = ", too far off to be drawn beside it"
"""Of what moves so much more than the account that this would be a level line beside it."""
DRAWN: Final = 6
"""Strategies of which a chart tells apart the lines."""


def equity_chart(outcome: RunOutcome) -> HtmlMarkup:
    """Draw the account after charges, with the one before charges and buy and hold."""
    daily, start = outcome.daily, float(outcome.manifest.start_cash)
    across, closes = _session_axis(daily)
    at, net = _moment_places(outcome)
    gross, held = _with_start(start, daily.gross), _with_start(start, daily.benchmark)
    own = np.concatenate((net, gross))
    # A market that moved many times as much would press the account into a level line.
    cut = spreads_wider(held, own)
    up = scale_of(own if cut else np.concatenate((own, held)))
    drawn = stretched_plot(
        area(at, net, across, up, "fill", base=up.low),
        None if cut else curve(closes, held, across, up, "held"),
        curve(closes, gross, across, up, "before"),
        curve(at, net, across, up, "net"),
    )
    caption = (
        f"from {money(start)} to {money(float(daily.equity[-1]))}, lowest "
        f"{money(float(net.min()))}, "
        f"highest {money(float(net.max()))}"
    )
    if np.isfinite(held[-1]):
        caption += f"; buy and hold ends at {money(float(held[-1]))}{LEFT_OUT if cut else ''}"
    names = legend(("net", "after charges"), ("before", "before charges"), *HELD[: not cut])

    def read(i: int) -> str:
        beside = (
            f", buy and hold {money(float(daily.benchmark[i]))}"
            if np.isfinite(daily.benchmark[i])
            else ""
        )
        return (
            f"{money(float(daily.equity[i]))}, before charges "
            f"{money(float(daily.gross[i]))}{beside}"
        )

    marks = short_money(round_ticks(up, 6))
    return _session_chart(
        "Account",
        caption,
        daily=daily,
        up=up,
        labels=marks,
        drawn=joined_markup([drawn, bands(daily.day, read)]),
        size="tall",
        names=names,
        most=6,
    )


def underwater_chart(outcome: RunOutcome) -> HtmlMarkup:
    """Draw how far below its highest close the account stood each day, and buy and hold."""
    daily = outcome.daily
    across, closes = _session_axis(daily)
    below = np.concatenate(([0.0], np.asarray(result_tables.underwater(outcome), np.float64)))
    held = _with_start(float(outcome.manifest.start_cash), daily.benchmark)
    with np.errstate(divide="ignore", invalid="ignore"):
        # fmax and not maximum: days without a price of buy and hold are NaN, and stay so alone.
        held = (held / np.fmax.accumulate(held) - 1.0) * 100.0
    cut = spreads_wider(held, below)
    up = scale_of(below if cut else np.concatenate((below, held)), zero=True)
    drawn = stretched_plot(
        area(closes, below, across, up, "sunk-fill"),
        None if cut else curve(closes, held, across, up, "held"),
        curve(closes, below, across, up, "sunk"),
    )
    worst = int(below.argmin())
    caption = (
        f"deepest {percent(float(below[worst]))} on "
        f"{day_text(int(daily.day[max(worst - 1, 0)]))}, at daily closes"
    )
    if np.isfinite(held).any():
        caption += (
            f"; buy and hold's deepest is "
            f"{percent(float(np.nanmin(held)))}{LEFT_OUT if cut else ''}"
        )
    names = legend(("sunk", "after charges"), *HELD[: not cut])
    read = bands(
        daily.day,
        lambda i: f"{percent(float(below[i + 1]))}, buy and hold {percent(float(held[i + 1]))}",
    )
    return _session_chart(
        "Under water",
        caption,
        daily=daily,
        up=up,
        labels=_percent_labels(up, 4),
        drawn=joined_markup([drawn, read]),
        size="",
        names=names,
        most=4,
    )


def rolling_chart(outcome: RunOutcome, window: int = 60) -> HtmlMarkup:
    """Draw the Sharpe ratio of the last sessions; nothing where there are too few."""
    values = result_tables.rolling_sharpe(outcome, window)
    title = f"Sharpe ratio of {window} sessions"
    if len(values.days) < 2:
        return chart(
            title, "too few sessions", size="none", note="there are too few sessions for it"
        )
    daily = outcome.daily
    at = np.searchsorted(daily.day, np.array(values.days, np.int64)).astype(np.float64) + 1.0
    y = np.array(values.values, np.float64)
    across, up = AxisScale(0.0, float(len(daily.day))), scale_of(y, zero=True)
    caption = (
        f"between {ratio(float(y.min()))} and {ratio(float(y.max()))}, last {ratio(float(y[-1]))}"
    )
    ticks = round_ticks(up, 4)
    known = dict(zip(at.astype(np.int64).tolist(), y.tolist(), strict=True))
    read = bands(daily.day, lambda i: ratio(known.get(i + 1)))
    drawn = joined_markup(
        [rule(up.share(0.0)), stretched_plot(curve(at, y, across, up, "net")), read]
    )
    return _session_chart(
        title,
        caption,
        daily=daily,
        up=up,
        labels=[f"{each:.{places(ticks)}f}" for each in ticks],
        drawn=drawn,
        size="dated",
        names=None,
        most=4,
    )


def exposure_chart(outcome: RunOutcome) -> HtmlMarkup:
    """Draw the value of all positions at each close as a share of the account."""
    daily = outcome.daily
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.nan_to_num(
            daily.exposure / daily.equity * 100.0, nan=0.0, posinf=0.0, neginf=0.0
        )
    across, closes = _session_axis(daily)
    # The axis begins before the first close, where no exposure is known: the first one stands
    # there.
    y: Floats = np.concatenate((shares[:1], shares))
    up = scale_of(y, zero=True)
    caption = (
        f"mean {percent(float(shares.mean()))}, highest {percent(float(shares.max()))} of the "
        f"account, at daily closes"
    )
    drawn = stretched_plot(
        area(closes, y, across, up, "fill"), curve(closes, y, across, up, "stake")
    )
    read = bands(
        daily.day, lambda i: f"{percent(float(shares[i]))}, {money(float(daily.exposure[i]))}"
    )
    marks = _percent_labels(up, 4)
    return _session_chart(
        "Exposure at the close",
        caption,
        daily=daily,
        up=up,
        labels=marks,
        drawn=joined_markup([drawn, read]),
        size="",
        names=None,
        most=4,
    )


def strategies_chart(outcome: RunOutcome) -> HtmlMarkup | None:
    """Draw each strategy's result by its closed trades, the largest ones first.

    A single one is not drawn.
    """
    daily = outcome.daily
    made: dict[str, Ints] = {}
    for each in outcome.trades:
        if not each.is_open:
            sums = made.setdefault(each.strategy, np.zeros(len(daily.day) + 1, np.int64))
            at = int(np.searchsorted(daily.day, day_number(ist_day(each.exit_ts))))
            sums[min(at, len(daily.day) - 1) + 1] += each.net
    if len(made) < 2:
        return None
    largest = sorted(made, key=lambda name: -abs(int(made[name].sum())))[:DRAWN]
    lines = {name: made[name].cumsum().astype(np.float64) for name in largest}
    across, closes = _session_axis(daily)
    up = scale_of(np.concatenate(list(lines.values())), zero=True)
    drawn = stretched_plot(
        *(curve(closes, y, across, up, f"s{i}") for i, y in enumerate(lines.values()))
    )
    read = bands(
        daily.day,
        lambda i: ", ".join(
            f"{name} {money(float(y[i + 1]), signed=True)}" for name, y in lines.items()
        ),
    )
    left_out = f"; the {DRAWN} largest of {len(made)}" if len(made) > DRAWN else ""
    marks = short_money(round_ticks(up, 5))
    names = legend(*((f"s{i}", name) for i, name in enumerate(lines)))
    caption = f"closed trades after charges, by strategy{left_out}"
    return _session_chart(
        "Strategies",
        caption,
        daily=daily,
        up=up,
        labels=marks,
        drawn=joined_markup([rule(up.share(0.0)), drawn, read]),
        size="",
        names=names,
        most=5,
    )


def _session_chart(
    title: str,
    caption: str,
    daily: DailyColumns,
    up: AxisScale,
    labels: Sequence[str],
    drawn: HtmlMarkup,
    size: str,
    names: HtmlMarkup | None,
    most: int,
) -> HtmlMarkup:
    ticks = [
        AxisTick(up.share(each), name)
        for each, name in zip(round_ticks(up, most), labels, strict=True)
    ]
    return chart(
        title,
        caption,
        axes(day_ticks(daily.day), ticks),
        drawn,
        size=size,
        legend=names,
        note=caption,
    )


def _session_axis(daily: DailyColumns) -> tuple[AxisScale, Floats]:
    """Return the axis of sessions and where the beginning and each close stand on it."""
    n = len(daily.day)
    return AxisScale(0.0, float(n)), np.arange(n + 1, dtype=np.float64)


def _with_start(start: float, values: Ints | Floats) -> Floats:
    return np.concatenate(([start], values.astype(np.float64)))


def _moment_places(outcome: RunOutcome) -> tuple[Floats, Floats]:
    """Return the place of each moment among the sessions, and the account there.

    Each session is equally wide.
    """
    start = float(outcome.manifest.start_cash)
    session = np.searchsorted(outcome.daily.day, ist_days(outcome.times))
    first = np.searchsorted(session, session)
    held = np.searchsorted(session, session, side="right") - first
    # By sessions and not by the clock: nights and weekends would be most of the picture.
    at = session + (np.arange(len(session)) - first + 1) / held
    return np.concatenate(([0.0], at)), _with_start(start, outcome.curve)


def _percent_labels(up: AxisScale, most: int) -> list[str]:
    ticks = round_ticks(up, most)
    return [percent(each, places=places(ticks)) for each in ticks]
