"""The metrics of a backtest: what each is called, its unit, and what exactly it is."""

from typing import Final, Literal, NamedTuple

Unit = Literal["%", "₹", "×", "ratio", "count", "time", "date", "probability"]
"""Of a value: % is 12.5 for an eighth, ₹ rupees, × a multiple, time seconds, date an ISO day, probability 0 to 1."""


class Metric(NamedTuple):
    """One figure; `value` is None where it is not defined, and never NaN or infinite. Times in seconds, money in rupees."""

    key: str
    label: str
    unit: Unit
    value: float | int | str | None


class Definition(NamedTuple):
    """What a metric is; `group` is the heading under which reports show it."""

    key: str
    label: str
    unit: Unit
    group: str
    means: str


RUN, RETURN, RISK, DRAWDOWN, EXPOSURE, TRADES, SIDES, COSTS, MARKET = GROUPS = (
    "Run", "Return", "Risk", "Drawdown", "Exposure", "Trades", "Long and short", "Costs", "Benchmark",
)  # fmt: skip

METRICS: Final = (
    Definition("start", "Start", "date", RUN, "First session."),
    Definition("end", "End", "date", RUN, "Last session."),
    Definition("sessions", "Sessions", "count", RUN, "Days that were replayed."),
    Definition("start_equity", "Start Equity", "₹", RUN, "Cash at the beginning."),
    Definition("end_equity", "End Equity", "₹", RUN, "Account after charges at the last close."),
    Definition("net", "Net", "₹", RETURN, "End equity less start equity."),
    Definition("gross", "Gross", "₹", RETURN, "Net plus charges: after slippage, before charges."),
    Definition("charges", "Charges", "₹", RETURN, "All charges of the run."),
    Definition("return", "Return", "%", RETURN, "Net / start equity."),
    Definition("cagr", "CAGR", "%", RETURN, "(End / start equity)^(1 / years) − 1; years are calendar days / 365.25, first and last included."),
    Definition("best_day", "Best Day", "%", RETURN, "Largest daily return: equity at the close / equity at the close before − 1, the first day's against the start equity."),
    Definition("worst_day", "Worst Day", "%", RETURN, "Smallest daily return."),
    Definition("winning_days", "Winning Days", "%", RETURN, "Days with a return above 0, of all days."),
    Definition("best_month", "Best Month", "%", RETURN, "Largest return of a calendar month; a month that is not whole counts as it is."),
    Definition("worst_month", "Worst Month", "%", RETURN, "Smallest return of a calendar month."),
    Definition("risk_free", "Risk-Free Rate", "%", RISK, "What was taken for it, a year; a day's is (1 + rate)^(1/252) − 1."),
    Definition("volatility", "Volatility (ann.)", "%", RISK, "Standard deviation (ddof 1) of daily returns × √252."),
    Definition("sharpe", "Sharpe Ratio", "ratio", RISK, "Arithmetic mean of daily returns above the risk-free rate / their standard deviation (ddof 1) × √252."),
    Definition("probabilistic_sharpe", "Probabilistic Sharpe", "probability", RISK, "Φ[SR·√(T−1) / √(1 − γ₃·SR + (γ₄−1)/4·SR²)]: how probable a true Sharpe ratio above 0 is; SR of a day, γ₃ skew, γ₄ kurtosis (normal: 3), T sessions."),
    Definition("trials", "Trials", "count", RISK, "How many variants were tried before this one was chosen, this one included."),
    Definition("deflated_sharpe", "Deflated Sharpe", "probability", RISK, "The same against SR₀, the best Sharpe that so many trials without merit would show: σ·[(1−γ)·Φ⁻¹(1−1/N) + γ·Φ⁻¹(1−1/(N·e))], γ = 0.5772. σ is the deviation of the trials' daily Sharpe ratios, 1/√(T−1) where it is not known. One trial: SR₀ = 0."),
    Definition("min_track_record", "Min. Track Record", "count", RISK, "Sessions it takes until such a Sharpe ratio is above 0 with 95 %: 1 + (1 − γ₃·SR + (γ₄−1)/4·SR²)·(1.645/SR)²; none at or below 0."),
    Definition("sortino", "Sortino Ratio", "ratio", RISK, "Mean of daily returns above the risk-free rate / root of the mean of min(that, 0)² over all days × √252."),
    Definition("calmar", "Calmar Ratio", "ratio", RISK, "CAGR / size of the max. drawdown."),
    Definition("omega", "Omega Ratio", "ratio", RISK, "Sum of daily returns above the risk-free rate / sum of what the others are below it."),
    Definition("tail_ratio", "Tail Ratio", "ratio", RISK, "95th percentile of daily returns / size of the 5th."),
    Definition("skew", "Skew", "ratio", RISK, "Third standardised moment of daily returns (of the population)."),
    Definition("kurtosis", "Excess Kurtosis", "ratio", RISK, "Fourth standardised moment of daily returns (of the population), less 3."),
    Definition("var_95", "VaR 95 % (day)", "%", RISK, "5th percentile of daily returns, linear between neighbours."),
    Definition("cvar_95", "CVaR 95 % (day)", "%", RISK, "Mean of the daily returns that are at or below it."),
    Definition("max_drawdown", "Max. Drawdown", "%", DRAWDOWN, "Smallest account / highest account so far − 1, at every moment that had a bar; the start equity is the first peak."),
    Definition("max_drawdown_amount", "Max. Drawdown (amount)", "₹", DRAWDOWN, "Most negative account less highest account so far; not always the same one."),
    Definition("max_drawdown_close", "Max. Drawdown at Closes", "%", DRAWDOWN, "The same of daily closes alone, as most others show it."),
    Definition("max_drawdown_duration", "Max. Drawdown Duration", "time", DRAWDOWN, "Longest time from a peak until it is reached again, or until the end."),
    Definition("max_drawdown_recovery", "Max. Drawdown Recovery", "time", DRAWDOWN, "Time from the bottom of the deepest drawdown until its peak is reached again; none while it is not."),
    Definition("average_drawdown", "Avg. Drawdown", "%", DRAWDOWN, "Mean depth of all drawdowns."),
    Definition("average_drawdown_duration", "Avg. Drawdown Duration", "time", DRAWDOWN, "Mean time of all drawdowns from peak to recovery, or to the end."),
    Definition("ulcer", "Ulcer Index", "%", DRAWDOWN, "Root of the mean squared distance to the highest close so far, at daily closes."),
    Definition("recovery_factor", "Recovery Factor", "ratio", DRAWDOWN, "Net / size of the max. drawdown (amount)."),
    Definition("exposure_time", "Exposure Time", "%", EXPOSURE, "Moments that had a bar with a trade open, of all of them."),
    Definition("average_exposure", "Avg. Gross Exposure", "%", EXPOSURE, "Value of open trades, long and short added, at their entry prices / account, mean of all moments that had a bar."),
    Definition("max_exposure", "Max. Gross Exposure", "%", EXPOSURE, "The largest of them."),
    Definition("turnover", "Turnover (amount)", "₹", EXPOSURE, "Value bought and sold."),
    Definition("annual_turnover", "Turnover (ann.)", "×", EXPOSURE, "Value bought and sold / mean equity at closes, in 252 sessions."),
    Definition("trades", "Trades", "count", TRADES, "Closed round trips: a rung that was entered and left. All below are of these, after charges, unless they say otherwise."),
    Definition("open_trades", "Open Trades", "count", TRADES, "Round trips that were still held at the end."),
    Definition("open_pnl", "Open P&L", "₹", TRADES, "What they stand at, after charges so far."),
    Definition("win_rate", "Win Rate", "%", TRADES, "Trades that won / all trades."),
    Definition("draws", "Draws", "count", TRADES, "Trades that came out at exactly 0; they are no wins."),
    Definition("best_trade", "Best Trade", "₹", TRADES, "Largest P&L of a trade."),
    Definition("worst_trade", "Worst Trade", "₹", TRADES, "Smallest P&L of a trade."),
    Definition("average_win", "Avg. Win", "₹", TRADES, "Mean of the trades that won."),
    Definition("average_loss", "Avg. Loss", "₹", TRADES, "Mean of the trades that lost; negative."),
    Definition("payoff", "Payoff Ratio", "ratio", TRADES, "Average win / size of the average loss."),
    Definition("profit_factor", "Profit Factor", "ratio", TRADES, "Sum of wins / size of the sum of losses, in ₹."),
    Definition("expectancy", "Expectancy", "₹", TRADES, "Mean P&L of a trade."),
    Definition("expectancy_ratio", "Expectancy Ratio", "ratio", TRADES, "Expectancy / size of the average loss."),
    Definition("sqn", "SQN", "ratio", TRADES, "√trades × mean P&L / standard deviation (ddof 1) of P&L."),
    Definition("kelly", "Kelly Criterion", "%", TRADES, "Win rate − (1 − win rate) / payoff ratio."),
    Definition("max_wins", "Max. Consecutive Wins", "count", TRADES, "Longest run of wins, in the order of exits; a draw ends it."),
    Definition("max_losses", "Max. Consecutive Losses", "count", TRADES, "Longest run of losses."),
    Definition("average_holding", "Avg. Holding Time", "time", TRADES, "Mean time from entry to exit, nights and holidays included."),
    Definition("median_holding", "Median Holding Time", "time", TRADES, "Median of the same."),
    Definition("longest_holding", "Longest Holding Time", "time", TRADES, "Longest of the same."),
    Definition("average_holding_win", "Avg. Holding Time of Wins", "time", TRADES, "Mean of the trades that won."),
    Definition("average_holding_loss", "Avg. Holding Time of Losses", "time", TRADES, "Mean of the trades that lost."),
    Definition("average_mae", "Avg. MAE", "₹", TRADES, "Mean of the worst each trade has stood at, before charges; at most 0."),
    Definition("average_mfe", "Avg. MFE", "₹", TRADES, "Mean of the best each trade has stood at, before charges; at least 0."),
    Definition("long_trades", "Long Trades", "count", SIDES, "Trades that bought first."),
    Definition("long_net", "Long Net", "₹", SIDES, "Their P&L together."),
    Definition("long_win_rate", "Long Win Rate", "%", SIDES, "Long trades that won / long trades."),
    Definition("short_trades", "Short Trades", "count", SIDES, "Trades that sold first."),
    Definition("short_net", "Short Net", "₹", SIDES, "Their P&L together."),
    Definition("short_win_rate", "Short Win Rate", "%", SIDES, "Short trades that won / short trades."),
    Definition("slippage", "Slippage", "₹", COSTS, "What the fills of all trades, open ones too, lost against the prices they met."),
    Definition("break_even", "Break-even per Trade", "₹", COSTS, "Charges and slippage of closed trades / their number: what a trade has to earn before it earns."),
    Definition("break_even_turnover", "Break-even of Turnover", "%", COSTS, "All charges and slippage / value bought and sold."),
    Definition("charges_of_gross", "Charges of Gross", "%", COSTS, "Charges / gross, where gross is above 0."),
    Definition("buy_and_hold", "Buy & Hold Return", "%", MARKET, "Return of the starting cash in equal parts of the same symbols, bought at their first close, before charges."),
    Definition("buy_and_hold_sharpe", "Buy & Hold Sharpe", "ratio", MARKET, "Its Sharpe ratio, from the second session on."),
    Definition("buy_and_hold_drawdown", "Buy & Hold Max. Drawdown", "%", MARKET, "Its max. drawdown at closes."),
    Definition("market_return", "Market Return", "%", MARKET, "Of the index, from its first close in the run to its last. The ones below are of the days on which the index has a close and had one on the session before."),
    Definition("alpha", "Alpha (ann.)", "%", MARKET, "(Mean return − rf − beta × (mean return of the market − rf)) × 252, of daily returns, rf of a day."),
    Definition("beta", "Beta", "ratio", MARKET, "Covariance of daily returns with the market's / variance of the market's."),
    Definition("correlation", "Correlation", "ratio", MARKET, "Pearson's, of daily returns with the market's."),
    Definition("information_ratio", "Information Ratio", "ratio", MARKET, "Mean of daily returns less the market's / their standard deviation (ddof 1) × √252."),
    Definition("tracking_error", "Tracking Error (ann.)", "%", MARKET, "Standard deviation (ddof 1) of daily returns less the market's × √252."),
)  # fmt: skip
"""Every metric, in the order in which `engine.backtest.statistics.statistics` returns them."""
