"""Chance in a trial's result: its trades in other orders and mixes, its days in other blocks."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from engine.backtest.run_outcome import RunOutcome
from engine.history.bar_series import Floats
from engine.research.evidence.monte_carlo import (
    ChanceSpread,
    MonteCarloRuns,
    resampled_returns,
    resampled_trades,
    shuffled_trades,
)
from engine.research.trials import calendar_returns

SEED: Final = 7
SHOWN: Final = (5, 50, 95)
"""Percentiles of the reports."""


class TrialChance(NamedTuple):
    """The runs of a trial by chance, all figures in % of the cash at the beginning.

    The first two are None where its trades are not known or there are none, `days` where it has
    too few days or lost everything.
    """

    shuffled: MonteCarloRuns | None
    resampled: MonteCarloRuns | None
    days: MonteCarloRuns | None


class ChanceLine(NamedTuple):
    """A line of a table: what was drawn, then three percentiles and the real value of each figure.

    `final` and `drawdown` are in %.
    """

    drawn: str
    final: tuple[float, ...]
    final_real: float
    drawdown: tuple[float, ...]
    drawdown_real: float


def trial_chance(daily: Floats, trades: Floats | None, seed: int) -> TrialChance:
    """Draw runs of a trial: `trades` are P&L over the cash at the beginning, in their order."""
    known = trades is not None and len(trades) > 1
    return TrialChance(
        shuffled_trades(100.0 * trades, seed) if known and trades is not None else None,
        resampled_trades(100.0 * trades, seed) if known and trades is not None else None,
        resampled_returns(daily, seed),
    )


def closed_returns(outcome: RunOutcome) -> Floats:
    """Return the P&L of the closed round trips over the cash at the beginning, by exits."""
    closed = sorted(
        (each for each in outcome.trades if not each.is_open),
        key=lambda each: (each.exit_ts, each.number),
    )
    found: Floats = np.array([each.net for each in closed]) / outcome.manifest.start_cash
    return found


def outcome_chance(outcome: RunOutcome, seed: int = SEED) -> TrialChance:
    """Draw runs of a whole backtest."""
    days, cash = outcome.daily.day, outcome.manifest.start_cash
    daily = calendar_returns(outcome.daily.equity, cash, days=days, calendar=days)
    return trial_chance(daily, closed_returns(outcome), seed)


def chance_lines(chance: TrialChance) -> Iterator[ChanceLine]:
    """Yield a line for each kind of run there is."""
    parts = (
        ("trades in another order", chance.shuffled),
        ("trades drawn again", chance.resampled),
        ("days drawn in blocks", chance.days),
    )
    for drawn, runs in parts:
        if runs is not None:
            block = "" if runs.block is None else f" of {runs.block:.1f}"
            yield ChanceLine(
                drawn + block,
                final=_shown_percentiles(runs.final),
                final_real=runs.final.actual,
                drawdown=_shown_percentiles(runs.drawdown),
                drawdown_real=runs.drawdown.actual,
            )


def _shown_percentiles(spread: ChanceSpread) -> tuple[float, ...]:
    return tuple(value for percent, value in spread.percentiles if percent in SHOWN)
