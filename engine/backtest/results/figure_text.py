"""The spelling of a backtest's figures in reports: ₹1,23,456.78, 12.50%, 3 d 4 h."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from compiled.model.values import SECOND
from engine.backtest.run_outcome import RoundTrip
from engine.backtest.statistics.run_metrics import METRICS, MetricDefinition, RunMetric
from engine.history.bar_series import numbered_day
from engine.indian_time import IST
from engine.numbers import count, group_digits, rupees

NONE: Final = "\N{EN DASH}"
"""What is shown for a value that there is none of."""

KEY: Final = (
    "net",
    "cagr",
    "max_drawdown",
    "sharpe",
    "deflated_sharpe",
    "profit_factor",
    "win_rate",
    "expectancy",
    "trades",
    "charges",
)
"""The ten metrics that matter, first."""

SIGNED: Final = frozenset(
    {
        "net",
        "gross",
        "return",
        "cagr",
        "best_day",
        "worst_day",
        "best_month",
        "worst_month",
        "max_drawdown",
        "max_drawdown_amount",
        "max_drawdown_close",
        "average_drawdown",
        "open_pnl",
        "best_trade",
        "worst_trade",
        "average_win",
        "average_loss",
        "expectancy",
        "long_net",
        "short_net",
        "buy_and_hold",
        "buy_and_hold_drawdown",
        "market_return",
        "alpha",
        "average_mae",
        "average_mfe",
        "sharpe",
        "sortino",
    }
)
"""Metrics whose sign says whether money was made or lost."""

DEFINITIONS: Final = {each.key: each for each in METRICS}


def figure(metric: RunMetric) -> str:
    """Return a metric's value as text."""
    value = metric.value
    if value is None or isinstance(value, str):
        return value or NONE
    if metric.unit == "₹":
        return money(round(value * 100), signed=metric.key in SIGNED)
    if metric.unit == "%":
        return percent(value, signed=metric.key in SIGNED, places=4 if 0 < abs(value) < 0.1 else 2)
    if metric.unit == "count":
        return count(round(value))
    if metric.unit == "time":
        return duration_text(value)
    return (
        f"{value:.3f}"
        if metric.unit == "probability"
        else f"{value:.2f}{'×' if metric.unit == '×' else ''}"
    )


def money(paise: float, *, signed: bool = False) -> str:
    """Return paise as rupees: 12345678 → ₹1,23,456.78; `signed` puts a plus before a gain."""
    whole = round(paise)
    sign = "-" if whole < 0 else "+" if signed and whole > 0 else ""
    return f"{sign}₹{rupees(abs(whole))}"


def short_money(paise: Sequence[float]) -> list[str]:
    """Return paise as rupees for the side of a chart: ₹12.5 L, -₹3.0 L.

    It has the decimals that keep the values distinct.
    """
    values = [each / 100 for each in paise]
    largest = max(map(abs, values), default=0.0)
    size, unit = (
        (10_000_000, " Cr")
        if largest >= 10_000_000
        else (100_000, " L")
        if largest >= 100_000
        else (1, "")
    )
    step = min((abs(b - a) for a, b in pairwise(values)), default=0.0) or largest
    places = next(
        (
            n
            for n in range(6)
            if all(abs(round(x / size, n) * size - x) <= step / 50 for x in values)
        ),
        6,
    )
    return [_short_text(x / size, places, unit) for x in values]


def _short_text(value: float, places: int, unit: str) -> str:
    whole, dot, part = f"{abs(value):.{places}f}".partition(".")
    # A value that rounds to nothing has no sign.
    sign = "-" if value < 0 and (whole.strip("0") or part.strip("0")) else ""
    return f"{sign}₹{group_digits(whole)}{dot}{part}{unit}"


def percent(value: float | None, *, signed: bool = False, places: int = 2) -> str:
    """Return a percentage; `signed` puts a plus before one above 0."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:{'+' if signed else ''}.{places}f}%"
    # -0.00% would look like a loss.
    return text.lstrip("+-") if float(text[:-1]) == 0 else text


def ratio(value: float | None) -> str:
    """Return a ratio with two decimals."""
    return NONE if value is None or not math.isfinite(value) else f"{value:.2f}"


def duration_text(seconds: float | None) -> str:
    """Return a duration in its two largest units: 42 s, 12 m 5 s, 3 d 4 h."""
    if seconds is None:
        return NONE
    left, parts = round(seconds), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        whole, left = divmod(left, size)
        if whole:
            parts.append(f"{whole} {unit}")
        # 3 d 0 h 5 m is 3 d: a unit of nothing ends it.
        if parts and (len(parts) == 2 or not whole):
            break
    return " ".join(parts) or "0 s"


def moment_text(ts: int | None) -> str:
    """Return a time (ns UTC) as day and minute in IST: 2024-06-04 10:15; a dash for none (0)."""
    if not ts:
        return NONE
    return str(np.datetime64((ts + IST) // SECOND, "s")).replace("T", " ")[:16]


def day_text(number: int) -> str:
    """Return a day's number as a date: 2024-06-04."""
    return str(numbered_day(number))


def tone(value: float | None) -> str:
    """Return the tone of a signed value: up, down, or nothing."""
    return "" if not value else "up" if value > 0 else "down"


def metrics_by_group(
    metrics: Iterable[RunMetric],
) -> dict[str, list[tuple[RunMetric, MetricDefinition]]]:
    """Return metrics with their definitions under the headings they are shown under."""
    groups: dict[str, list[tuple[RunMetric, MetricDefinition]]] = {}
    for metric in metrics:
        definition = DEFINITIONS[metric.key]
        groups.setdefault(definition.group, []).append((metric, definition))
    return groups


def key_figures(metrics: Sequence[RunMetric]) -> list[RunMetric]:
    """Return the ten that matter."""
    held = {each.key: each for each in metrics}
    return [held[key] for key in KEY if key in held]


def side_word(trade: RoundTrip) -> str:
    """Return a trade's side as a word."""
    return "long" if trade.side > 0 else "short"


def noteworthy_trades(trades: Sequence[RoundTrip], asked: Iterable[int] = ()) -> dict[int, str]:
    """Return the numbers of the trades to look at, each with the reason.

    They are those asked for, best, worst, and outliers.
    """
    chosen = dict.fromkeys(asked, "asked for")
    closed = [each for each in trades if not each.is_open]
    if closed:
        for why, found in (
            ("best trade", max(closed, key=lambda each: each.net)),
            ("worst trade", min(closed, key=lambda each: each.net)),
            ("gave back most", max(closed, key=lambda each: each.mfe - each.gross)),
            (
                "stood deepest under water and won",
                min(closed, key=lambda each: each.mae if each.net > 0 else 0),
            ),
            ("most slippage", max(closed, key=lambda each: each.slippage)),
            ("held longest", max(closed, key=lambda each: each.exit_ts - each.entry_ts)),
        ):
            chosen[found.number] = (
                f"{chosen[found.number]}, {why}" if found.number in chosen else why
            )
    return chosen
