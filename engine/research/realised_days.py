"""The sessions of a promoted strategy: what each brought, and the figures of all of them."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from engine.backtest.statistics.run_statistics import SESSIONS as YEAR
from engine.backtest.statistics.run_statistics import sharpe
from engine.history.bar_series import Floats
from engine.research.evidence.monte_carlo import curve_figures


class SessionResult(NamedTuple):
    """A session of a strategy; P&L in paise, after charges.

    `net` values what is held at its last price. `closed` are the round trips left in it, `entered`
    is how many were entered.
    """

    day: date
    net: int
    closed: tuple[int, ...] = ()
    entered: int = 0


class RealisedFigures(NamedTuple):
    """The figures of sessions: paise, and fractions of the budget; None where there is none.

    `annual_return` is not compounded, `drawdown` at most 0, from close to close. `trades` are round
    trips that were left.
    """

    sessions: int
    net: int
    total_return: float
    annual_return: float | None
    sharpe: float | None
    win_rate: float | None
    drawdown: int
    entered: int
    trades: int
    trades_a_day: float | None


def realised_figures(results: Sequence[SessionResult], budget: int) -> RealisedFigures:
    """Return the figures of sessions of a strategy with a budget (paise)."""
    pnl = np.array([each.net for each in results], dtype=np.float64)
    closed = [net for each in results for net in each.closed]
    total = sum(each.net for each in results)
    return RealisedFigures(
        sessions=len(results),
        net=total,
        total_return=total / budget,
        annual_return=float(pnl.mean()) * YEAR / budget if results else None,
        # of amounts as of returns: the ratio has no unit
        sharpe=sharpe(pnl),
        win_rate=sum(net > 0 for net in closed) / len(closed) if closed else None,
        drawdown=round(drawdown_of(pnl)),
        entered=sum(each.entered for each in results),
        trades=len(closed),
        trades_a_day=len(closed) / len(results) if results else None,
    )


def drawdown_of(pnl: Floats) -> float:
    """Return how far daily amounts together fell below their highest, 0 at first; at most 0."""
    return float(curve_figures(pnl[np.newaxis])[1, 0]) if len(pnl) else 0.0


def promised_pnl(returns: Sequence[float], cash: int) -> Floats:
    """Return a trial's P&L of each day (paise) from its daily returns; it began with `cash` (₹)."""
    grown = np.concatenate(([1.0], np.cumprod(1.0 + np.asarray(returns, dtype=np.float64))))
    amounts: Floats = np.diff(grown) * cash * 100.0
    return amounts
