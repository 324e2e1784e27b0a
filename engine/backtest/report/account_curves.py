"""What a run looked like over time: the account, how far under water it was, its Sharpe ratio, what it had at stake."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from engine.backtest import tables
from engine.backtest.figures import day, money, percent, ratio, short
from engine.backtest.outcome import Daily, Outcome
from engine.backtest.report.markup import Markup, joined
from engine.backtest.report.svg import (
    Scale,
    Tick,
    area,
    axes,
    bands,
    chart,
    curve,
    day_ticks,
    dwarfs,
    legend,
    places,
    round_ticks,
    rule,
    scale_of,
    stretched,
)
from engine.history.series import Floats, Ints, day_number, ist_days
from engine.market.calendar import ist_day

HELD: Final = (("held", "buy and hold"),)
LEFT_OUT: Final = ", too far off to be drawn beside it"
"""Of what moves so much more than the account that this would be a level line beside it."""
DRAWN: Final = 6
"""Strategies of which a chart tells apart the lines."""


def equity(outcome: Outcome) -> Markup:
    """Draw the account after charges at every moment, beside what it would be without them and buy and hold."""
    daily, start = outcome.daily, float(outcome.manifest.start_cash)
    across, closes = _sessions(daily)
    at, net = _moments(outcome)
    gross, held = _from(start, daily.gross), _from(start, daily.benchmark)
    own = np.concatenate((net, gross))
    cut = dwarfs(held, own)
    up = scale_of(own if cut else np.concatenate((own, held)))
    drawn = stretched(
        area(at, net, across, up, "fill", base=up.low),
        None if cut else curve(closes, held, across, up, "held"),
        curve(closes, gross, across, up, "before"),
        curve(at, net, across, up, "net"),
    )
    told = (
        f"from {money(start)} to {money(float(daily.equity[-1]))}, lowest {money(float(net.min()))}, "
        f"highest {money(float(net.max()))}"
    )
    if np.isfinite(held[-1]):
        told += f"; buy and hold ends at {money(float(held[-1]))}{LEFT_OUT if cut else ''}"
    names = legend(("net", "after charges"), ("before", "before charges"), *HELD[: not cut])

    def read(i: int) -> str:
        beside = f", buy and hold {money(float(daily.benchmark[i]))}" if np.isfinite(daily.benchmark[i]) else ""
        return f"{money(float(daily.equity[i]))}, before charges {money(float(daily.gross[i]))}{beside}"

    marks = short(round_ticks(up, 6))
    return _chart("Account", told, daily, up, marks, joined([drawn, bands(daily.day, read)]), "tall", names, 6)


def underwater(outcome: Outcome) -> Markup:
    """Draw how far below its highest close the account stood each day, and buy and hold."""
    daily = outcome.daily
    across, closes = _sessions(daily)
    below = np.concatenate(([0.0], np.asarray(tables.underwater(outcome), np.float64)))
    held = _from(float(outcome.manifest.start_cash), daily.benchmark)
    with np.errstate(divide="ignore", invalid="ignore"):
        held = (held / np.fmax.accumulate(held) - 1.0) * 100.0
    cut = dwarfs(held, below)
    up = scale_of(below if cut else np.concatenate((below, held)), zero=True)
    drawn = stretched(
        area(closes, below, across, up, "sunk-fill"),
        None if cut else curve(closes, held, across, up, "held"),
        curve(closes, below, across, up, "sunk"),
    )
    worst = int(below.argmin())
    told = f"deepest {percent(float(below[worst]))} on {day(int(daily.day[max(worst - 1, 0)]))}, at daily closes"
    if np.isfinite(held).any():
        told += f"; buy and hold's deepest is {percent(float(np.nanmin(held)))}{LEFT_OUT if cut else ''}"
    names = legend(("sunk", "after charges"), *HELD[: not cut])
    read = bands(daily.day, lambda i: f"{percent(float(below[i + 1]))}, buy and hold {percent(float(held[i + 1]))}")
    return _chart("Under water", told, daily, up, _percents(up, 4), joined([drawn, read]), "", names, 4)


def rolling(outcome: Outcome, window: int = 60) -> Markup:
    """Draw the Sharpe ratio of the last sessions; nothing where there are too few."""
    values = tables.rolling_sharpe(outcome, window)
    title = f"Sharpe ratio of {window} sessions"
    if len(values.days) < 2:
        return chart(title, "too few sessions", size="none", note="there are too few sessions for it")
    daily = outcome.daily
    at = np.searchsorted(daily.day, np.array(values.days, np.int64)).astype(np.float64) + 1.0
    y = np.array(values.values, np.float64)
    across, up = Scale(0.0, float(len(daily.day))), scale_of(y, zero=True)
    told = f"between {ratio(float(y.min()))} and {ratio(float(y.max()))}, last {ratio(float(y[-1]))}"
    ticks = round_ticks(up, 4)
    known = dict(zip(at.astype(np.int64).tolist(), y.tolist(), strict=True))
    read = bands(daily.day, lambda i: ratio(known.get(i + 1)))
    drawn = joined([rule(up.share(0.0)), stretched(curve(at, y, across, up, "net")), read])
    return _chart(title, told, daily, up, [f"{each:.{places(ticks)}f}" for each in ticks], drawn, "dated", None, 4)


def exposure(outcome: Outcome) -> Markup:
    """Draw the value of all positions at each close as a share of the account."""
    daily = outcome.daily
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.nan_to_num(daily.exposure / daily.equity * 100.0, nan=0.0, posinf=0.0, neginf=0.0)
    across, closes = _sessions(daily)
    y: Floats = np.concatenate((shares[:1], shares))
    up = scale_of(y, zero=True)
    told = (
        f"mean {percent(float(shares.mean()))}, highest {percent(float(shares.max()))} of the account, at daily closes"
    )
    drawn = stretched(area(closes, y, across, up, "fill"), curve(closes, y, across, up, "stake"))
    read = bands(daily.day, lambda i: f"{percent(float(shares[i]))}, {money(float(daily.exposure[i]))}")
    marks = _percents(up, 4)
    return _chart("Exposure at the close", told, daily, up, marks, joined([drawn, read]), "", None, 4)


def strategies(outcome: Outcome) -> Markup | None:
    """Draw what each strategy has made by its closed trades, the largest ones first; nothing for a single one."""
    daily = outcome.daily
    made: dict[str, Ints] = {}
    for each in outcome.trades:
        if not each.open:
            sums = made.setdefault(each.strategy, np.zeros(len(daily.day) + 1, np.int64))
            at = int(np.searchsorted(daily.day, day_number(ist_day(each.exit_ts))))
            sums[min(at, len(daily.day) - 1) + 1] += each.net
    if len(made) < 2:
        return None
    largest = sorted(made, key=lambda name: -abs(int(made[name].sum())))[:DRAWN]
    lines = {name: made[name].cumsum().astype(np.float64) for name in largest}
    across, closes = _sessions(daily)
    up = scale_of(np.concatenate(list(lines.values())), zero=True)
    drawn = stretched(*(curve(closes, y, across, up, f"s{i}") for i, y in enumerate(lines.values())))
    read = bands(
        daily.day, lambda i: ", ".join(f"{name} {money(float(y[i + 1]), signed=True)}" for name, y in lines.items())
    )
    left_out = f"; the {DRAWN} largest of {len(made)}" if len(made) > DRAWN else ""
    marks = short(round_ticks(up, 5))
    names = legend(*((f"s{i}", name) for i, name in enumerate(lines)))
    told = f"closed trades after charges, by strategy{left_out}"
    return _chart("Strategies", told, daily, up, marks, joined([rule(up.share(0.0)), drawn, read]), "", names, 5)


def _chart(
    title: str, told: str, daily: Daily, up: Scale, labels: Sequence[str], drawn: Markup, size: str,
    names: Markup | None, most: int,
) -> Markup:  # fmt: skip
    ticks = [Tick(up.share(each), name) for each, name in zip(round_ticks(up, most), labels, strict=True)]
    return chart(title, told, axes(day_ticks(daily.day), ticks), drawn, size=size, legend=names, note=told)


def _sessions(daily: Daily) -> tuple[Scale, Floats]:
    """Return the axis of sessions and where the beginning and each close stand on it."""
    n = len(daily.day)
    return Scale(0.0, float(n)), np.arange(n + 1, dtype=np.float64)


def _from(start: float, values: Ints | Floats) -> Floats:
    return np.concatenate(([start], values.astype(np.float64)))


def _moments(outcome: Outcome) -> tuple[Floats, Floats]:
    """Return where each moment stands among the sessions, and the account there; each session is equally wide."""
    start = float(outcome.manifest.start_cash)
    session = np.searchsorted(outcome.daily.day, ist_days(outcome.times))
    first = np.searchsorted(session, session)
    held = np.searchsorted(session, session, side="right") - first
    at = session + (np.arange(len(session)) - first + 1) / held
    return np.concatenate(([0.0], at)), _from(start, outcome.curve)


def _percents(up: Scale, most: int) -> list[str]:
    ticks = round_ticks(up, most)
    return [percent(each, places=places(ticks)) for each in ticks]
