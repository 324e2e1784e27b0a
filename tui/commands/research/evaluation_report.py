"""The report of an evaluation on a terminal, and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from rich.console import Console
from rich.text import Text

from engine.backtest.results.figure_text import NONE, money, percent, ratio
from engine.backtest.statistics.run_statistics import SESSIONS as YEAR
from engine.config.promotion_settings import PromotionSettings
from engine.history.bar_series import Floats
from engine.numbers import count, counted
from engine.research.evidence.monte_carlo import ChanceSpread
from engine.research.evidence.promised_paths import BAND
from engine.research.realised_days import RealisedFigures, SessionResult
from engine.texts import first_names, plain_text
from store.backtest_results import ParityDay
from tui.commands.research.evaluation_job import PromiseCheck, StrategyEvaluation
from tui.commands.shared.text_tables import column_text

MARKS: Final = {"pass": ("✓", "green"), "fail": ("✕", "bold red"), "not yet": ("·", "dim")}
BARS: Final = "▁▂▃▄▅▆▇█"
WIDEST: Final = 60
SHOWN: Final = 7
"""Sessions whose parity is shown, the newest; --json has all."""


def print_evaluation(
    out: Console, each: StrategyEvaluation, settings: PromotionSettings, names: tuple[str, str]
) -> None:
    """Print one strategy: figures, luck, parity, and the rules.

    `names` are those of the period, empty for all since its promotion, and of this week.
    """
    promoted = each.promoted
    head = f"{promoted.name}  {' '.join(promoted.symbols)}  ₹{count(promoted.budget)}"
    since = f"since {promoted.origin.since}"
    out.print(Text(plain_text(f"{head}  {each.gone or since}"), "bold"))
    _print_block(out, _figure_text(each, names[0] or since, names[1]))
    for line in _luck_lines(each, settings):
        out.print(Text(f"  {line}"))
    for label, bars in _curve_lines(each):
        out.print(Text(f"  {label:<8}", "dim").append(bars, "cyan" if label == "made" else "dim"))
    if each.sessions:
        _print_block(out, _session_text(each))
    if each.uncompared:
        named = first_names([str(day) for day in each.uncompared], SHOWN)
        out.print(Text(f"  without parity: {named} (--parity compares them)", "yellow"))
    for rule in each.rules:
        mark, style = MARKS[rule.verdict]
        told = Text(f"  {mark} ", style).append(f"{rule.rule:<11}", "bold")
        out.print(told.append(plain_text(rule.text), ""))
    out.print()


def evaluation_fields(each: StrategyEvaluation) -> dict[str, object]:
    """Return one strategy as JSON has it: rupees, fractions of 1, percentiles in percent."""
    promised, origin = each.promoted.promise, each.promoted.origin
    return {
        "name": each.promoted.name,
        "symbols": list(each.promoted.symbols),
        "budget": each.promoted.budget,
        "since": origin.since,
        "sweep": origin.sweep,
        "trial": origin.trial,
        "gone": each.gone,
        "trading_days": each.trading_days,
        "figures": _figure_fields(each.figures),
        "week": _figure_fields(each.week) if each.week else None,
        "promise": {
            "sessions": promised.sessions,
            "sharpe": promised.sharpe,
            "win_rate": promised.win_rate,
            "trades_a_day": promised.trades_a_day,
        }
        | _promise_fields(each.promise, each.promoted.budget * 100),
        "sessions": [_session_fields(found, each) for found in each.sessions],
        "without_parity": [str(day) for day in each.uncompared],
        "rules": [rule._asdict() for rule in each.rules],
        "broken": [rule.rule for rule in each.broken],
    }


def _print_block(out: Console, text: str) -> None:
    for line in text.splitlines():
        out.print(Text(f"  {line}"))


def _figure_text(each: StrategyEvaluation, period: str, week: str) -> str:
    promised, budget = each.promoted.promise, each.promoted.budget * 100
    check = each.promise
    columns = [each.figures, *([each.week] if each.week else [])]
    names = [period, *([week] if each.week else [])]
    rows: list[list[object]] = [
        ["sessions", promised.sessions, *[found.sessions for found in columns]],
        ["of trading days", NONE, each.trading_days],
        [
            "net after charges",
            money(check.expected, signed=True) if check else NONE,
            *[money(found.net, signed=True) for found in columns],
        ],
        [
            "of the budget",
            _share_text(check.expected / budget if check else None),
            *[_share_text(found.total_return) for found in columns],
        ],
        [
            "a year",
            _share_text(check.day * YEAR / budget if check else None),
            *[_share_text(found.annual_return) for found in columns],
        ],
        ["Sharpe", ratio(promised.sharpe), *[ratio(found.sharpe) for found in columns]],
        [
            "won",
            percent(100 * promised.win_rate, places=0),
            *[
                NONE if found.win_rate is None else percent(100 * found.win_rate, places=0)
                for found in columns
            ],
        ],
        [
            "max. drawdown",
            money(check.drawdown) if check else NONE,
            *[money(found.drawdown) for found in columns],
        ],
        [
            "trades a day",
            f"{promised.trades_a_day:.2f}",
            *[ratio(found.trades_a_day) for found in columns],
        ],
    ]
    # a line that is shorter has nothing to say of the week
    wide = [[*row, *[""] * (len(names) + 2 - len(row))] for row in rows]
    return column_text(["", "promised", *names], wide)


def _share_text(value: float | None) -> str:
    return NONE if value is None else percent(100 * value, signed=True)


def _luck_lines(each: StrategyEvaluation, settings: PromotionSettings) -> Iterator[str]:
    check = each.promise
    if check is None or check.spread is None or check.drawdown_spread is None:
        return
    number = each.figures.sessions
    early = (
        f"; too early to tell, below {counted(settings.min_sessions, 'session')}"
        if number < settings.min_sessions
        else ""
    )
    yield f"luck  P&L above {_place_text(check.spread)}{early}"
    yield f"      drawdown milder than {_place_text(check.drawdown_spread)}"


def _place_text(spread: ChanceSpread) -> str:
    low, high = (dict(spread.percentiles)[percentile] for percentile in BAND)
    return (
        f"{100 * spread.below:.1f} % of what the trial's days come to by chance; "
        f"{BAND[0]} to {BAND[1]} %: {money(low, signed=True)} to {money(high, signed=True)}"
    )


def _curve_lines(each: StrategyEvaluation) -> Iterator[tuple[str, str]]:
    """Yield the curve of the P&L between those that luck alone stays within."""
    if each.promise is None or each.promise.band is None or len(each.sessions) < 2:
        return
    made = np.cumsum([found.net for found in each.sessions], dtype=np.float64)
    curves = {
        f"{BAND[1]} %": each.promise.band[1],
        "made": made,
        f"{BAND[0]} %": each.promise.band[0],
    }
    low = min(float(curve.min()) for curve in curves.values())
    high = max(float(curve.max()) for curve in curves.values())
    for label, curve in curves.items():
        yield label, _bar_text(curve[-WIDEST:], low, high)


def _bar_text(curve: Floats, low: float, high: float) -> str:
    scaled = (curve - low) / (high - low or 1.0) * (len(BARS) - 1)
    return "".join(BARS[round(float(value))] for value in scaled)


def _session_text(each: StrategyEvaluation) -> str:
    rows = [_session_cells(found, each.compared.get(found.day)) for found in each.sessions[-SHOWN:]]
    return column_text(["session", "net", "trades", "parity", "delta", "by cause"], rows)


def _session_cells(found: SessionResult, parity: ParityDay | None) -> list[object]:
    cells: list[object] = [str(found.day), money(found.net, signed=True), len(found.closed)]
    if parity is None:
        return [*cells, NONE, NONE, ""]
    causes = [
        f"{name} {money(paise, signed=True)}" for name, paise in parity.causes.items() if paise
    ]
    delta = money(parity.desk - parity.backtest, signed=True)
    return [*cells, percent(parity.percent, places=1), delta, ", ".join(causes)]


def _figure_fields(figures: RealisedFigures) -> dict[str, object]:
    return figures._asdict() | {"net": figures.net / 100, "drawdown": figures.drawdown / 100}


def _promise_fields(check: PromiseCheck | None, budget: int) -> dict[str, object]:
    if check is None:
        return {"expected": None, "annual_return": None, "drawdown": None, "luck": None}
    luck = (
        {
            "percentile": 100 * check.spread.below,
            "percentiles": _percentile_fields(check.spread),
            "drawdown_percentile": 100 * check.drawdown_spread.below,
            "drawdown_percentiles": _percentile_fields(check.drawdown_spread),
        }
        if check.spread is not None and check.drawdown_spread is not None
        else None
    )
    return {
        "expected": _in_rupees(check.expected),
        "annual_return": check.day * YEAR / budget,
        "drawdown": _in_rupees(check.drawdown),
        "luck": luck,
    }


def _percentile_fields(spread: ChanceSpread) -> dict[str, float]:
    return {str(percentile): _in_rupees(value) for percentile, value in spread.percentiles}


def _in_rupees(paise: float) -> float:
    return round(paise / 100, 2)


def _session_fields(found: SessionResult, each: StrategyEvaluation) -> dict[str, object]:
    parity = each.compared.get(found.day)
    return {
        "date": str(found.day),
        "net": found.net / 100,
        "trades": len(found.closed),
        "parity": parity.percent if parity else None,
        "delta": (parity.desk - parity.backtest) / 100 if parity else None,
        "causes": {name: paise / 100 for name, paise in parity.causes.items()} if parity else {},
    }


def broken_text(evaluations: Sequence[StrategyEvaluation]) -> str:
    """Return which strategies break which rules, and why, in a line."""
    return "; ".join(
        f"{each.promoted.name}: {rule.rule}, {rule.text}"
        for each in evaluations
        for rule in each.broken
    )
