"""The metrics of a backtest: name, unit, and exact definition of each."""

from typing import Final, Literal, NamedTuple

Unit = Literal["%", "₹", "×", "ratio", "count", "time", "date", "probability"]
"""The unit of a value.

% is 12.5 for an eighth, ₹ rupees, × a multiple, time seconds, date an ISO day, probability 0 to 1.
"""


class RunMetric(NamedTuple):
    """One figure; `value` is None where it is not defined, and never NaN or infinite.

    Times are seconds, money is rupees.
    """

    key: str
    label: str
    unit: Unit
    value: float | int | str | None


class MetricDefinition(NamedTuple):
    """The definition of a metric; `group` is its heading in reports."""

    key: str
    label: str
    unit: Unit
    group: str
    means: str


RUN, RETURN, RISK, DRAWDOWN, EXPOSURE, TRADES, SIDES, COSTS, MARKET = GROUPS = (
    "Run",
    "Return",
    "Risk",
    "Drawdown",
    "Exposure",
    "Trades",
    "Long and short",
    "Costs",
    "Benchmark",
)

METRICS: Final = (
    MetricDefinition("start", "Start", "date", RUN, "First session."),
    MetricDefinition("end", "End", "date", RUN, "Last session."),
    MetricDefinition("sessions", "Sessions", "count", RUN, "Days that were replayed."),
    MetricDefinition("start_equity", "Start Equity", "₹", RUN, "Cash at the beginning."),
    MetricDefinition(
        "end_equity", "End Equity", "₹", RUN, "Account after charges at the last close."
    ),
    MetricDefinition("net", "Net", "₹", RETURN, "End equity less start equity."),
    MetricDefinition(
        "gross", "Gross", "₹", RETURN, "Net plus charges: after slippage, before charges."
    ),
    MetricDefinition("charges", "Charges", "₹", RETURN, "All charges of the run."),
    MetricDefinition("return", "Return", "%", RETURN, "Net / start equity."),
    MetricDefinition(
        "cagr",
        "CAGR",
        "%",
        RETURN,
        "(End / start equity)^(1 / years) − 1; years are calendar days / 365.25, first and last "
        "included.",
    ),
    MetricDefinition(
        "best_day",
        "Best Day",
        "%",
        RETURN,
        "Largest daily return: equity at the close / equity at the close before − 1, the first "
        "day's against the start equity.",
    ),
    MetricDefinition("worst_day", "Worst Day", "%", RETURN, "Smallest daily return."),
    MetricDefinition(
        "winning_days", "Winning Days", "%", RETURN, "Days with a return above 0, of all days."
    ),
    MetricDefinition(
        "best_month",
        "Best Month",
        "%",
        RETURN,
        "Largest return of a calendar month; a month that is not whole counts as it is.",
    ),
    MetricDefinition(
        "worst_month", "Worst Month", "%", RETURN, "Smallest return of a calendar month."
    ),
    MetricDefinition(
        "risk_free",
        "Risk-Free Rate",
        "%",
        RISK,
        "What was taken for it, a year; a day's is (1 + rate)^(1/252) − 1.",
    ),
    MetricDefinition(
        "volatility",
        "Volatility (ann.)",
        "%",
        RISK,
        "Standard deviation (ddof 1) of daily returns × √252.",
    ),
    MetricDefinition(
        "sharpe",
        "Sharpe Ratio",
        "ratio",
        RISK,
        "Arithmetic mean of daily returns above the risk-free rate / their standard deviation "
        "(ddof 1) × √252.",
    ),
    MetricDefinition(
        "probabilistic_sharpe",
        "Probabilistic Sharpe",
        "probability",
        RISK,
        "Φ[SR·√(T−1) / √(1 − γ₃·SR + (γ₄−1)/4·SR²)]: how probable a true Sharpe ratio above 0 is; "
        "SR of a day, γ₃ skew, γ₄ kurtosis (normal: 3), T sessions.",
    ),
    MetricDefinition(
        "trials",
        "Trials",
        "count",
        RISK,
        "How many variants were tried before this one was chosen, this one included.",
    ),
    MetricDefinition(
        "deflated_sharpe",
        "Deflated Sharpe",
        "probability",
        RISK,
        "The same against SR₀, the best Sharpe that so many trials without merit would show: "
        "σ·[(1−γ)·Φ⁻¹(1−1/N) + γ·Φ⁻¹(1−1/(N·e))], γ = 0.5772. σ is the deviation of the trials' "
        "daily Sharpe ratios, 1/√(T−1) where it is not known. One trial: SR₀ = 0.",
    ),
    MetricDefinition(
        "min_track_record",
        "Min. Track Record",
        "count",
        RISK,
        "Sessions it takes until such a Sharpe ratio is above 0 with 95 %: 1 + (1 − γ₃·SR + "
        "(γ₄−1)/4·SR²)·(1.645/SR)²; none at or below 0.",
    ),
    MetricDefinition(
        "sortino",
        "Sortino Ratio",
        "ratio",
        RISK,
        "Mean of daily returns above the risk-free rate / root of the mean of min(that, 0)² over "
        "all days × √252.",
    ),
    MetricDefinition("calmar", "Calmar Ratio", "ratio", RISK, "CAGR / size of the max. drawdown."),
    MetricDefinition(
        "omega",
        "Omega Ratio",
        "ratio",
        RISK,
        "Sum of daily returns above the risk-free rate / sum of what the others are below it.",
    ),
    MetricDefinition(
        "tail_ratio",
        "Tail Ratio",
        "ratio",
        RISK,
        "95th percentile of daily returns / size of the 5th.",
    ),
    MetricDefinition(
        "skew",
        "Skew",
        "ratio",
        RISK,
        "Third standardised moment of daily returns (of the population).",
    ),
    MetricDefinition(
        "kurtosis",
        "Excess Kurtosis",
        "ratio",
        RISK,
        "Fourth standardised moment of daily returns (of the population), less 3.",
    ),
    MetricDefinition(
        "var_95",
        "VaR 95 % (day)",
        "%",
        RISK,
        "5th percentile of daily returns, linear between neighbours.",
    ),
    MetricDefinition(
        "cvar_95",
        "CVaR 95 % (day)",
        "%",
        RISK,
        "Mean of the daily returns that are at or below it.",
    ),
    MetricDefinition(
        "max_drawdown",
        "Max. Drawdown",
        "%",
        DRAWDOWN,
        "Smallest account / highest account so far − 1, at every moment that had a bar; the start "
        "equity is the first peak.",
    ),
    MetricDefinition(
        "max_drawdown_amount",
        "Max. Drawdown (amount)",
        "₹",
        DRAWDOWN,
        "Most negative account less highest account so far; not always the same one.",
    ),
    MetricDefinition(
        "max_drawdown_close",
        "Max. Drawdown at Closes",
        "%",
        DRAWDOWN,
        "The same of daily closes alone, as most others show it.",
    ),
    MetricDefinition(
        "max_drawdown_duration",
        "Max. Drawdown Duration",
        "time",
        DRAWDOWN,
        "Longest time from a peak until it is reached again, or until the end.",
    ),
    MetricDefinition(
        "max_drawdown_recovery",
        "Max. Drawdown Recovery",
        "time",
        DRAWDOWN,
        "Time from the bottom of the deepest drawdown until its peak is reached again; none while "
        "it is not.",
    ),
    MetricDefinition(
        "average_drawdown", "Avg. Drawdown", "%", DRAWDOWN, "Mean depth of all drawdowns."
    ),
    MetricDefinition(
        "average_drawdown_duration",
        "Avg. Drawdown Duration",
        "time",
        DRAWDOWN,
        "Mean time of all drawdowns from peak to recovery, or to the end.",
    ),
    MetricDefinition(
        "ulcer",
        "Ulcer Index",
        "%",
        DRAWDOWN,
        "Root of the mean squared distance to the highest close so far, at daily closes.",
    ),
    MetricDefinition(
        "recovery_factor",
        "Recovery Factor",
        "ratio",
        DRAWDOWN,
        "Net / size of the max. drawdown (amount).",
    ),
    MetricDefinition(
        "exposure_time",
        "Exposure Time",
        "%",
        EXPOSURE,
        "Moments that had a bar with a trade open, of all of them.",
    ),
    MetricDefinition(
        "average_exposure",
        "Avg. Gross Exposure",
        "%",
        EXPOSURE,
        "Value of open trades, long and short added, at their entry prices / account, mean of all "
        "moments that had a bar.",
    ),
    MetricDefinition("max_exposure", "Max. Gross Exposure", "%", EXPOSURE, "The largest of them."),
    MetricDefinition("turnover", "Turnover (amount)", "₹", EXPOSURE, "Value bought and sold."),
    MetricDefinition(
        "annual_turnover",
        "Turnover (ann.)",
        "×",
        EXPOSURE,
        "Value bought and sold / mean equity at closes, in 252 sessions.",
    ),
    MetricDefinition(
        "trades",
        "Trades",
        "count",
        TRADES,
        "Closed round trips: a rung that was entered and left. All below are of these, after "
        "charges, unless they say otherwise.",
    ),
    MetricDefinition(
        "open_trades",
        "Open Trades",
        "count",
        TRADES,
        "Round trips that were still held at the end.",
    ),
    MetricDefinition(
        "open_pnl", "Open P&L", "₹", TRADES, "What they stand at, after charges so far."
    ),
    MetricDefinition("win_rate", "Win Rate", "%", TRADES, "Trades that won / all trades."),
    MetricDefinition(
        "draws", "Draws", "count", TRADES, "Trades that came out at exactly 0; they are no wins."
    ),
    MetricDefinition("best_trade", "Best Trade", "₹", TRADES, "Largest P&L of a trade."),
    MetricDefinition("worst_trade", "Worst Trade", "₹", TRADES, "Smallest P&L of a trade."),
    MetricDefinition("average_win", "Avg. Win", "₹", TRADES, "Mean of the trades that won."),
    MetricDefinition(
        "average_loss", "Avg. Loss", "₹", TRADES, "Mean of the trades that lost; negative."
    ),
    MetricDefinition(
        "payoff", "Payoff Ratio", "ratio", TRADES, "Average win / size of the average loss."
    ),
    MetricDefinition(
        "profit_factor",
        "Profit Factor",
        "ratio",
        TRADES,
        "Sum of wins / size of the sum of losses, in ₹.",
    ),
    MetricDefinition("expectancy", "Expectancy", "₹", TRADES, "Mean P&L of a trade."),
    MetricDefinition(
        "expectancy_ratio",
        "Expectancy Ratio",
        "ratio",
        TRADES,
        "Expectancy / size of the average loss.",
    ),
    MetricDefinition(
        "sqn", "SQN", "ratio", TRADES, "√trades × mean P&L / standard deviation (ddof 1) of P&L."
    ),
    MetricDefinition(
        "kelly", "Kelly Criterion", "%", TRADES, "Win rate − (1 − win rate) / payoff ratio."
    ),
    MetricDefinition(
        "max_wins",
        "Max. Consecutive Wins",
        "count",
        TRADES,
        "Longest run of wins, in the order of exits; a draw ends it.",
    ),
    MetricDefinition(
        "max_losses", "Max. Consecutive Losses", "count", TRADES, "Longest run of losses."
    ),
    MetricDefinition(
        "average_holding",
        "Avg. Holding Time",
        "time",
        TRADES,
        "Mean time from entry to exit, nights and holidays included.",
    ),
    MetricDefinition(
        "median_holding", "Median Holding Time", "time", TRADES, "Median of the same."
    ),
    MetricDefinition(
        "longest_holding", "Longest Holding Time", "time", TRADES, "Longest of the same."
    ),
    MetricDefinition(
        "average_holding_win",
        "Avg. Holding Time of Wins",
        "time",
        TRADES,
        "Mean of the trades that won.",
    ),
    MetricDefinition(
        "average_holding_loss",
        "Avg. Holding Time of Losses",
        "time",
        TRADES,
        "Mean of the trades that lost.",
    ),
    MetricDefinition(
        "average_mae",
        "Avg. MAE",
        "₹",
        TRADES,
        "Mean of the worst each trade has stood at, before charges; at most 0.",
    ),
    MetricDefinition(
        "average_mfe",
        "Avg. MFE",
        "₹",
        TRADES,
        "Mean of the best each trade has stood at, before charges; at least 0.",
    ),
    MetricDefinition("long_trades", "Long Trades", "count", SIDES, "Trades that bought first."),
    MetricDefinition("long_net", "Long Net", "₹", SIDES, "Their P&L together."),
    MetricDefinition(
        "long_win_rate", "Long Win Rate", "%", SIDES, "Long trades that won / long trades."
    ),
    MetricDefinition("short_trades", "Short Trades", "count", SIDES, "Trades that sold first."),
    MetricDefinition("short_net", "Short Net", "₹", SIDES, "Their P&L together."),
    MetricDefinition(
        "short_win_rate", "Short Win Rate", "%", SIDES, "Short trades that won / short trades."
    ),
    MetricDefinition(
        "slippage",
        "Slippage",
        "₹",
        COSTS,
        "What the fills of all trades, open ones too, lost against the prices they met.",
    ),
    MetricDefinition(
        "break_even",
        "Break-even per Trade",
        "₹",
        COSTS,
        "Charges and slippage of closed trades / their number: what a trade has to earn before it "
        "earns.",
    ),
    MetricDefinition(
        "break_even_turnover",
        "Break-even of Turnover",
        "%",
        COSTS,
        "All charges and slippage / value bought and sold.",
    ),
    MetricDefinition(
        "capacity",
        "Capacity",
        "₹",
        COSTS,
        "Starting cash × 1 % / 95th percentile of shares traded in a bar / its volume, over bars "
        "with a fill: with more money more than one bar in twenty takes a hundredth of its volume.",
    ),
    MetricDefinition(
        "charges_of_gross",
        "Charges of Gross",
        "%",
        COSTS,
        "Charges / gross, where gross is above 0.",
    ),
    MetricDefinition(
        "buy_and_hold",
        "Buy & Hold Return",
        "%",
        MARKET,
        "Return of the starting cash in equal parts of the same symbols, bought at their first "
        "close, before charges.",
    ),
    MetricDefinition(
        "buy_and_hold_sharpe",
        "Buy & Hold Sharpe",
        "ratio",
        MARKET,
        "Its Sharpe ratio, from the second session on.",
    ),
    MetricDefinition(
        "buy_and_hold_drawdown",
        "Buy & Hold Max. Drawdown",
        "%",
        MARKET,
        "Its max. drawdown at closes.",
    ),
    MetricDefinition(
        "market_return",
        "Market Return",
        "%",
        MARKET,
        "Of the index, from its first close in the run to its last. The ones below are of the "
        "days on which the index has a close and had one on the session before.",
    ),
    MetricDefinition(
        "alpha",
        "Alpha (ann.)",
        "%",
        MARKET,
        "(Mean return − rf − beta × (mean return of the market − rf)) × 252, of daily returns, rf "
        "of a day.",
    ),
    MetricDefinition(
        "beta",
        "Beta",
        "ratio",
        MARKET,
        "Covariance of daily returns with the market's / variance of the market's.",
    ),
    MetricDefinition(
        "correlation",
        "Correlation",
        "ratio",
        MARKET,
        "Pearson's, of daily returns with the market's.",
    ),
    MetricDefinition(
        "information_ratio",
        "Information Ratio",
        "ratio",
        MARKET,
        "Mean of daily returns less the market's / their standard deviation (ddof 1) × √252.",
    ),
    MetricDefinition(
        "tracking_error",
        "Tracking Error (ann.)",
        "%",
        MARKET,
        "Standard deviation (ddof 1) of daily returns less the market's × √252.",
    ),
)
"""Every metric, in the order of `engine.backtest.statistics.run_statistics.statistics`."""
