"""The figures of a backtest, as `engine.backtest.statistics.run_metrics` defines them."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from compiled.model.values import SECOND
from engine.backtest.run_outcome import RunOutcome
from engine.backtest.statistics import significance
from engine.backtest.statistics.equity_curve import (
    below_peak,
    drawdown_spans,
    last_places,
    month_numbers,
    returns,
)
from engine.backtest.statistics.round_trip_columns import (
    RoundTripColumns,
    closed_places,
    round_trip_columns,
)
from engine.backtest.statistics.run_metrics import METRICS, RunMetric
from engine.history.bar_series import Floats, Ints, numbered_day

SESSIONS: Final = 252
"""Of a year, to annualise by: NSE has 245 to 251; others take 252 as well."""
YEAR: Final = 365.25
RUPEE: Final = 100

Figures = dict[str, float | int | str | None]


CAPACITY_SHARE: Final = 0.01
"""Of a bar's volume, which a fill may take without being the market."""


def statistics(
    outcome: RunOutcome, risk_free: float = 0.0, trials: int = 1, deviation: float | None = None
) -> list[RunMetric]:
    """Return one metric for each of `METRICS`, in that order.

    `risk_free` is a year's rate (0.065), `trials` how many variants were tried before this one was
    chosen, `deviation` the standard deviation of their daily Sharpe ratios, where that is known.
    """
    every = round_trip_columns(outcome.trades)
    daily = returns(outcome.daily.equity, outcome.manifest.start_cash)
    rate = rate_of_day(risk_free)
    # Figures that are not defined become None at the end, in one place.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = (
            _run_figures(outcome)
            | _return_figures(outcome, daily)
            | {"risk_free": 100.0 * risk_free, "trials": trials}
        )
        found |= _risk_figures(daily, rate) | _belief_figures(daily - rate, trials, deviation)
        found |= (
            _drawdown_figures(outcome)
            | _exposure_figures(outcome, every)
            | _trade_figures(every.pick(closed_places(every)))
            | _cost_figures(outcome, every)
        )
        found |= _open_figures(every) | _benchmark_figures(outcome, daily, rate)
    # Both need figures of two groups.
    found["calmar"] = _ratio_or_none(found["cagr"], _size_or_none(found["max_drawdown"]))
    found["recovery_factor"] = _ratio_or_none(
        found["net"], _size_or_none(found["max_drawdown_amount"])
    )
    return [
        RunMetric(each.key, each.label, each.unit, _plain_figure(found.get(each.key)))
        for each in METRICS
    ]


def rate_of_day(risk_free: float) -> float:
    """Return the risk-free rate of one day from that of a year."""
    return float((1.0 + risk_free) ** (1.0 / SESSIONS) - 1.0)


def _plain_figure(value: float | str | None) -> float | int | str | None:
    """Return a figure without numpy's types; None for NaN and infinity."""
    if value is None or isinstance(value, (int, str)):
        return value
    # JSON has neither NaN nor infinity.
    return float(value) if math.isfinite(value) else None


def _ratio_or_none(upper: float | str | None, lower: float | str | None) -> float | None:
    if upper is None or not lower:
        return None
    return float(upper) / float(lower)


def _size_or_none(value: float | str | None) -> float | None:
    return None if value is None else abs(float(value))


def _mean_or_none(values: Ints | Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _sum_in_rupees(paise: Ints) -> float:
    return int(paise.sum()) / RUPEE


def _percent_of(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None


def _run_figures(outcome: RunOutcome) -> Figures:
    daily, cash = outcome.daily, outcome.manifest.start_cash
    if not len(daily.day):
        return {"sessions": 0, "start_equity": cash / RUPEE, "end_equity": cash / RUPEE}
    return {
        "start": numbered_day(int(daily.day[0])).isoformat(),
        "end": numbered_day(int(daily.day[-1])).isoformat(),
        "sessions": len(daily.day),
        "start_equity": cash / RUPEE,
        "end_equity": int(daily.equity[-1]) / RUPEE,
    }


def _return_figures(outcome: RunOutcome, daily: Floats) -> Figures:
    days, equity, cash = outcome.daily.day, outcome.daily.equity, outcome.manifest.start_cash
    if not len(days):
        return {"net": 0.0, "gross": 0.0, "charges": 0.0, "return": 0.0, "cagr": None}
    net, charges = outcome.net, int(outcome.daily.charges.sum())
    found: Figures = {
        "net": net / RUPEE,
        "gross": (net + charges) / RUPEE,
        "charges": charges / RUPEE,
        "charges_of_gross": 100.0 * charges / (net + charges) if net + charges > 0 else None,
        "cagr": None,
    }
    if cash > 0:
        found["return"] = 100.0 * (equity[-1] / cash - 1.0)
    if len(daily):
        # Both ends count: one session is a day, not nothing.
        years = (int(days[-1] - days[0]) + 1) / YEAR
        monthly = returns(equity[last_places(month_numbers(days))], cash)
        found |= {
            # np.float64: the growth of a day, annualised, can leave a float, where Python's own
            # raises.
            "cagr": 100.0 * (np.float64(max(equity[-1], 0) / cash) ** (1.0 / years) - 1.0),
            "best_day": 100.0 * daily.max(),
            "worst_day": 100.0 * daily.min(),
            "winning_days": _percent_of(int((daily > 0.0).sum()), len(daily)),
            "best_month": 100.0 * monthly.max(),
            "worst_month": 100.0 * monthly.min(),
        }
    return found


def sharpe(daily: Floats, rate: float = 0.0) -> float | None:
    """Return the annualised Sharpe ratio of daily returns, None where they do not differ.

    `rate` is a day's.
    """
    return (
        _ratio_or_none(
            math.sqrt(SESSIONS) * float((daily - rate).mean()), significance.deviation(daily)
        )
        if len(daily)
        else None
    )


def _risk_figures(daily: Floats, rate: float) -> Figures:
    if not len(daily):
        return {}
    excess = daily - rate
    # All days count below the line (Sortino), not only those that lost.
    lost = -np.minimum(excess, 0.0)
    low, high = np.percentile(daily, (5, 95))
    year = math.sqrt(SESSIONS)
    return {
        "volatility": 100.0 * year * significance.deviation(daily) if len(daily) > 1 else None,
        "sharpe": sharpe(daily, rate),
        "sortino": _ratio_or_none(year * float(excess.mean()), math.sqrt(float((lost**2).mean()))),
        "omega": _ratio_or_none(float(np.maximum(excess, 0.0).sum()), float(lost.sum())),
        "tail_ratio": _ratio_or_none(float(high), abs(float(low))),
        "var_95": 100.0 * low,
        "cvar_95": 100.0 * daily[daily <= low].mean(),
    }


def _belief_figures(excess: Floats, trials: int, deviation: float | None) -> Figures:
    spread = significance.deviation(excess)
    # Returns that do not differ have neither skew nor a probability.
    if spread == 0.0:
        return {}
    days, ratio = len(excess), float(excess.mean()) / spread
    skew, kurtosis = significance.moment(excess, 3), significance.moment(excess, 4)
    # Without the trials' own spread that of a ratio whose true value is zero is taken.
    best = significance.best_of_trials(
        trials, 1.0 / math.sqrt(days - 1) if deviation is None else deviation
    )
    record = significance.min_track_record(ratio, skew, kurtosis)
    return {
        "skew": skew,
        "kurtosis": kurtosis - 3.0,
        "probabilistic_sharpe": significance.probabilistic_sharpe(ratio, skew, kurtosis, days),
        "deflated_sharpe": significance.probabilistic_sharpe(ratio, skew, kurtosis, days, best),
        "min_track_record": None
        if record is None or not math.isfinite(record)
        else math.ceil(record),
    }


def _drawdown_figures(outcome: RunOutcome) -> Figures:
    cash, equity, curve, times = (
        outcome.manifest.start_cash,
        outcome.daily.equity,
        outcome.curve,
        outcome.times,
    )
    found: Figures = {"max_drawdown": None, "max_drawdown_amount": None}
    if cash <= 0 or not len(curve) or not len(equity):
        return found
    closes, below = below_peak(equity, cash), below_peak(curve, cash)
    down = drawdown_spans(below)
    found |= {
        "max_drawdown": 100.0 * below.min(),
        "max_drawdown_amount": int((curve - np.maximum(np.maximum.accumulate(curve), cash)).min())
        / RUPEE,
        "max_drawdown_close": 100.0 * closes.min(),
        "ulcer": 100.0 * math.sqrt(float((closes**2).mean())),
    }
    if not len(down.depth):
        return found
    last = len(times) - 1
    # One that is not over lasts until the end of the run.
    lengths = (times[np.minimum(down.end, last)] - times[np.maximum(down.peak, 0)]) / SECOND
    deepest = int(down.depth.argmin())
    if down.end[deepest] <= last:
        found["max_drawdown_recovery"] = (times[down.end[deepest]] - times[below.argmin()]) / SECOND
    return found | {
        "max_drawdown_duration": lengths.max(),
        "average_drawdown": 100.0 * down.depth.mean(),
        "average_drawdown_duration": lengths.mean(),
    }


def _exposure_figures(outcome: RunOutcome, every: RoundTripColumns) -> Figures:
    times, curve, equity = outcome.times, outcome.curve, outcome.daily.equity
    turnover = _sum_in_rupees(outcome.daily.turnover)
    found: Figures = {"turnover": turnover}
    if len(equity) and equity.mean() > 0.0:
        found["annual_turnover"] = turnover * RUPEE / equity.mean() * SESSIONS / len(equity)
    if not len(times):
        return found
    size = len(times) + 1
    begins = np.searchsorted(times, every.entry_ts)
    # A trade still open is held at the last moment, too.
    ends = np.searchsorted(times, np.where(every.exit_ts == 0, times[-1] + 1, every.exit_ts))
    value = RUPEE * every.quantity * every.entry_price
    held = np.cumsum(np.bincount(begins, minlength=size) - np.bincount(ends, minlength=size))[:-1]
    found["exposure_time"] = 100.0 * (held > 0).mean()
    # An exposure in percent of an account at nothing means nothing.
    if (curve > 0).all():
        steps = np.bincount(begins, value, size) - np.bincount(ends, value, size)
        share = np.where(held > 0, np.cumsum(steps)[:-1], 0.0) / curve
        found |= {"average_exposure": 100.0 * share.mean(), "max_exposure": 100.0 * share.max()}
    return found


def _trade_figures(made: RoundTripColumns) -> Figures:
    net, count = made.net, len(made.net)
    won, lost = net > 0, net < 0
    held = (made.exit_ts - made.entry_ts) / SECOND
    win, loss = _mean_or_none(net[won] / RUPEE), _mean_or_none(net[lost] / RUPEE)
    payoff = _ratio_or_none(win, _size_or_none(loss))
    found: Figures = {
        "trades": count,
        "win_rate": _percent_of(int(won.sum()), count),
        "draws": count - int(won.sum()) - int(lost.sum()),
        "average_win": win,
        "average_loss": loss,
        "payoff": payoff,
        "profit_factor": _ratio_or_none(_sum_in_rupees(net[won]), abs(_sum_in_rupees(net[lost]))),
        "expectancy": _mean_or_none(net / RUPEE),
        "expectancy_ratio": _ratio_or_none(_mean_or_none(net / RUPEE), _size_or_none(loss)),
        "max_wins": longest_run(won),
        "max_losses": longest_run(lost),
        "average_holding": _mean_or_none(held),
        "average_holding_win": _mean_or_none(held[won]),
        "average_holding_loss": _mean_or_none(held[lost]),
        "average_mae": _mean_or_none(made.mae / RUPEE),
        "average_mfe": _mean_or_none(made.mfe / RUPEE),
        "break_even": _ratio_or_none(_sum_in_rupees(made.charges + made.slippage), count),
    }
    for name, side in (("long", made.side > 0), ("short", made.side < 0)):
        found[f"{name}_trades"] = int(side.sum())
        found[f"{name}_net"] = _sum_in_rupees(net[side])
        found[f"{name}_win_rate"] = _percent_of(int((won & side).sum()), int(side.sum()))
    if not count:
        return found
    share = int(won.sum()) / count
    return found | {
        "best_trade": int(net.max()) / RUPEE,
        "worst_trade": int(net.min()) / RUPEE,
        "sqn": _ratio_or_none(
            math.sqrt(count) * float(net.mean()), significance.deviation(net.astype(np.float64))
        ),
        "kelly": 100.0 * (share - (1.0 - share) / payoff) if payoff else None,
        "median_holding": float(np.median(held)),
        "longest_holding": held.max(),
    }


def longest_run(hits: npt.NDArray[np.bool_]) -> int:
    """Return the length of the longest stretch of true ones."""
    # False on both sides: every run then has a beginning and an end.
    edges = np.flatnonzero(np.diff(hits, prepend=False, append=False))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _open_figures(every: RoundTripColumns) -> Figures:
    left = every.exit_ts == 0
    return {"open_trades": int(left.sum()), "open_pnl": _sum_in_rupees(every.net[left])}


def _cost_figures(outcome: RunOutcome, every: RoundTripColumns) -> Figures:
    slippage, charges = _sum_in_rupees(every.slippage), _sum_in_rupees(outcome.daily.charges)
    return {
        "slippage": slippage,
        "break_even_turnover": _ratio_or_none(
            100.0 * (charges + slippage), _sum_in_rupees(outcome.daily.turnover)
        ),
        "capacity": _money_of_volume(outcome),
    }


def _money_of_volume(outcome: RunOutcome) -> float | None:
    shares = outcome.volume_shares
    if not len(shares):
        return None
    return CAPACITY_SHARE * outcome.manifest.start_cash / 100.0 / float(np.percentile(shares, 95))


def _benchmark_figures(outcome: RunOutcome, daily: Floats, rate: float) -> Figures:
    held, market, cash = outcome.daily.benchmark, outcome.daily.market, outcome.manifest.start_cash
    found: Figures = {}
    if cash > 0 and len(held) and np.isfinite(held).all():
        found["buy_and_hold"] = 100.0 * (held[-1] / cash - 1.0)
        # From the second session on: it is bought at the first close.
        found["buy_and_hold_sharpe"] = sharpe(returns(held[1:], held[0]), rate)
        found["buy_and_hold_drawdown"] = 100.0 * below_peak(held, cash).min()
    closes = market[np.isfinite(market)]
    if len(closes) > 1 and closes[0] > 0.0:
        found["market_return"] = 100.0 * (closes[-1] / closes[0] - 1.0)
    # A day without the index, and the day after it, have no return to compare with.
    both = np.isfinite(market[1:]) & np.isfinite(market[:-1]) & (market[:-1] > 0.0)
    if not len(daily) or both.sum() < 2:
        return found
    ours, theirs = daily[1:][both], (market[1:][both] / market[:-1][both]) - 1.0
    apart = significance.deviation(ours - theirs)
    found["tracking_error"] = 100.0 * math.sqrt(SESSIONS) * apart
    found["information_ratio"] = _ratio_or_none(
        math.sqrt(SESSIONS) * float((ours - theirs).mean()), apart
    )
    if significance.deviation(theirs) == 0.0:
        return found
    beta = float(np.cov(ours, theirs)[0, 1]) / float(theirs.var(ddof=1))
    found |= {
        "beta": beta,
        "alpha": 100.0 * SESSIONS * (ours.mean() - rate - beta * (theirs.mean() - rate)),
    }
    if significance.deviation(ours) > 0.0:
        found["correlation"] = float(np.corrcoef(ours, theirs)[0, 1])
    return found
