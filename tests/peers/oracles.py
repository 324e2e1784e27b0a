"""Say what QuantStats and empyrical make of returns: JSON in, JSON out.

Run by the Python of .venv-oracles.
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")

import empyrical as ep  # noqa: E402
import pandas as pd  # noqa: E402
import quantstats as qs  # noqa: E402

given = json.load(sys.stdin)
index = pd.DatetimeIndex(given["days"])
ours, market = pd.Series(given["returns"], index), pd.Series(given["market"], index)
year, day = given["risk_free"], given["daily_rate"]
qs_, trades = qs.stats, pd.Series(given["trades"])
months = qs_.monthly_returns(ours)
json.dump(
    {
        "quantstats": {
            "sharpe": qs_.sharpe(ours, rf=year),
            "sortino": qs_.sortino(ours, rf=year),
            "volatility": qs_.volatility(ours),
            "omega": qs_.omega(ours, rf=year),
            "tail_ratio": qs_.tail_ratio(ours),
            "max_drawdown": qs_.max_drawdown(ours),
            "skew": qs_.skew(ours),
            "kurtosis": qs_.kurtosis(ours),
            "return": qs_.comp(ours),
            "best_day": qs_.best(ours),
            "worst_day": qs_.worst(ours),
            "best_month": qs_.best(ours, aggregate="ME"),
            "worst_month": qs_.worst(ours, aggregate="ME"),
            "winning_days": qs_.win_rate(ours),
            "beta": qs_.greeks(ours, market)["beta"],
            "alpha": qs_.greeks(ours, market)["alpha"],
            "information_ratio": qs_.information_ratio(ours, market),
            "rolling_sharpe": qs_.rolling_sharpe(ours, rolling_period=60).dropna().tolist(),
            "profit_factor": qs_.profit_factor(trades),
            "payoff": qs_.payoff_ratio(trades),
            "kelly": qs_.kelly_criterion(trades),
            "max_wins": qs_.consecutive_wins(trades),
            "max_losses": qs_.consecutive_losses(trades),
            "months": {
                year: [float(value) for value in row[:-1]]
                for year, row in zip(months.index, months.to_numpy(), strict=True)
            },
            "years": dict(zip(months.index, map(float, months["EOY"]), strict=True)),
        },
        "empyrical": {
            "sharpe": ep.sharpe_ratio(ours, day),
            "sortino": ep.sortino_ratio(ours, day),
            "volatility": ep.annual_volatility(ours),
            "omega": ep.omega_ratio(ours, risk_free=day),
            "tail_ratio": ep.tail_ratio(ours),
            "max_drawdown": ep.max_drawdown(ours),
            "return": ep.cum_returns_final(ours),
            "cvar_95": ep.conditional_value_at_risk(ours, 0.05),
            "var_95": ep.value_at_risk(ours, 0.05),
            "beta": ep.beta(ours, market, day),
            "alpha": ep.alpha(ours, market, day),
            "information_ratio": ep.excess_sharpe(ours, market),
            "months": [float(value) for value in ep.aggregate_returns(ours, "monthly")],
        },
    },
    sys.stdout,
    default=float,
)
