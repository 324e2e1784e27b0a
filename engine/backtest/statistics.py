"""The figures of a backtest, as `engine.backtest.metrics` defines them."""

from engine.backtest.metrics import Metric
from engine.backtest.outcome import Outcome


def statistics(
    outcome: Outcome, risk_free: float = 0.0, trials: int = 1, deviation: float | None = None
) -> list[Metric]:
    """Return one metric for each of `METRICS`, in that order.

    `risk_free` is a year's rate (0.065), `trials` how many variants were tried before this one was chosen, `deviation` the
    standard deviation of their daily Sharpe ratios, where that is known.
    """
    raise NotImplementedError
