"""The rules of the linter: what each measures, from where it warns and fails, why it matters, and what mends it."""

from typing import Final, NamedTuple

from engine.backtest.linter import fill_checks, run_checks
from engine.backtest.linter.linter_case import Check


class LinterRule(NamedTuple):
    """One rule. `warn` and `fail` are limits of what `check` measures; None: it never does.

    It warns or fails at the limit and above, or `below` it. `severity` is 3 where the result cannot be used, 2 where it
    is probably too good, 1 where it is to be read with care.
    """

    id: str
    label: str
    severity: int
    measures: str
    warn: float | None
    fail: float | None
    why: str
    mend: str
    check: Check
    below: bool = False

    @property
    def threshold(self) -> str:
        """Return the limits in words."""
        how = "below" if self.below else "from"
        limits = (("warns", self.warn), ("fails", self.fail))
        return ", ".join(f"{verb} {how} {limit:g}" for verb, limit in limits if limit is not None)


RULES: Final = (
    LinterRule(
        "partial", "Partial run", 3, "1 if it was stopped", None, 1,
        "What is missing could have been the loss.",
        "Run it again to its end.",
        run_checks.partial_run,
    ),
    LinterRule(
        "account", "Account used up", 3, "lowest account, % of the start", 20, 0.01,
        "An account at 0 trades no more; returns after it mean nothing.",
        "Less capital per rung, or a limit on the day's loss.",
        run_checks.lowest_account, below=True,
    ),
    LinterRule(
        "charges", "Charges missing", 3, "charges, % of value bought and sold", 0.005, 0.0001,
        "Most intraday edges are smaller than what they cost.",
        "Run it with the dated charges of every session.",
        run_checks.charges_of_turnover, below=True,
    ),
    LinterRule(
        "hours", "Fills outside the session", 3, "fills", None, 1,
        "Nobody trades when the exchange is closed.",
        "Check the hours of the bars, and the strategy's timers.",
        fill_checks.outside_hours,
    ),
    LinterRule(
        "bar", "Fills outside their bar", 3, "% of fills", 0.001, 1,
        "A price that the market did not have cannot be had.",
        "Check that the bars are those that were replayed, and the slippage model.",
        fill_checks.outside_bar,
    ),
    LinterRule(
        "stale", "Stale fills", 3, "fills at a price an hour old", 1, 10,
        "A price that old is no offer.",
        "Mend the gaps of the data, or leave the symbol out.",
        fill_checks.stale_fills,
    ),
    LinterRule(
        "legs", "Both legs filled", 3, "trades left by more than they held", None, 1,
        "An OCO that fills on both sides sells what is not there.",
        "A shorter span of bars, so that the order of events inside one is known.",
        fill_checks.oversold_trades,
    ),
    LinterRule(
        "jumps", "Corporate action not adjusted", 3, f"jumps of over {100 * fill_checks.JUMP:.0f} % between sessions", 1, None,
        "A split looks like a crash: indicators and open trades take it for one.",
        "Run on adjusted bars.",
        fill_checks.price_jumps,
    ),
    LinterRule(
        "volume", "Share of the volume", 2, "95th percentile of fill / volume of its bar, %", 5, 25,
        "What is a large part of a bar's volume moves the price; the backtest lets it not.",
        "Less capital, or symbols that trade more.",
        fill_checks.volume_share,
    ),
    LinterRule(
        "ticks", "One tick more slippage", 2, "what a tick more at entry and exit takes, % of net", 50, 100,
        "Slippage is the least certain of all costs: an edge of a tick is none.",
        "Fewer and larger trades, or resting orders.",
        run_checks.one_more_tick,
    ),
    LinterRule(
        "latency", "A quarter of a second later", 2, "what 250 ms more take, % of net", 50, 100,
        "A decision takes time to reach the exchange.",
        "Run it on ticks.",
        run_checks.latency,
    ),
    LinterRule(
        "net", "It loses", 2, "return, %", None, 0,
        "After charges there is nothing left to believe in.",
        "Look at the costs first, then at hours, symbols and exits.",
        run_checks.return_earned, below=True,
    ),
    LinterRule(
        "costs", "Charges eat the gross", 2, "charges, % of gross", 50, 100,
        "The broker and the state earn first.",
        "Fewer trades, or larger moves for each.",
        run_checks.charges_of_gross,
    ),
    LinterRule(
        "trades", "Too few trades", 2, "closed trades", 100, 30,
        "Averages of few trades are luck.",
        "A longer time, or more symbols.",
        run_checks.closed_trades, below=True,
    ),
    LinterRule(
        "sessions", "Too short", 2, "sessions", 120, 20,
        "Annualised figures of a short run are extrapolated; one kind of market is not all of them.",
        "A longer time.",
        run_checks.sessions, below=True,
    ),
    LinterRule(
        "best_trade", "One trade carries it", 2, "best trade, % of net", 30, 100,
        "Without it there is nothing left: it will not come again.",
        "More trades; look at what that one was.",
        run_checks.best_trade,
    ),
    LinterRule(
        "best_day", "One day carries it", 2, "best day, % of net", 30, 100,
        "Without it there is nothing left: it will not come again.",
        "A longer time; look at what that day was.",
        run_checks.best_day,
    ),
    LinterRule(
        "open", "Open trades dominate", 2, "P&L of open trades, % of all", 25, 50,
        "What is not sold is not earned.",
        "Let the strategy leave before the end, or read the closed trades alone.",
        run_checks.open_share,
    ),
    LinterRule(
        "deflated", "Best of many trials", 3, "deflated Sharpe", None, 0.95,
        "The best of many trials looks good without merit.",
        "Fewer trials, a longer time, or days that no trial has seen.",
        run_checks.deflated_sharpe, below=True,
    ),
    LinterRule(
        "t_test", "Profit may be chance", 2, "p of a one-tailed t-test against 0", 0.05, 0.2,
        "Such a mean may come by chance.",
        "A longer time; days that no trial has seen.",
        run_checks.chance_of_mean,
    ),
    LinterRule(
        "resampled", "Resampled days lose", 2, "resampled runs that lose, %", 5, 25,
        "The same days in another order, some of them twice, could have been the ones that came.",
        "A longer time; less capital per rung.",
        run_checks.chance_of_loss,
    ),
    LinterRule(
        "good", "Too good to be true", 2, "Sharpe", 4, None,
        "Nearly always the strategy knows something that it could not.",
        "Look for the future in its data; start on paper.",
        run_checks.too_good,
    ),
    LinterRule(
        "holding", "Worse than holding", 1, "Sharpe less that of buying and holding", 0, None,
        "The same shares, bought and left alone, did better for the risk.",
        "Compare in a falling market; less risk for the same return.",
        run_checks.beats_holding, below=True,
    ),
    LinterRule(
        "parameters", "Many parameters", 1, "parameters of the strategy that has most", 11, 21,
        "Enough parameters fit anything that is past.",
        "Fix those whose value hardly matters.",
        run_checks.most_parameters,
    ),
    LinterRule(
        "golden", "Not golden", 1, "1 if a bar was not golden", 1, None,
        "Other bars change when they are imported again; two runs then differ.",
        "Build golden bars and run on them.",
        run_checks.not_golden,
    ),
    LinterRule(
        "refused", "Orders refused", 1, "% of orders wanted", 10, 50,
        "A strategy whose orders are refused is not the one that was meant.",
        "Look at the reasons: limits, capital, bands.",
        run_checks.refused_orders,
    ),
    LinterRule(
        "warm_up", "Warm-up", 1, "warnings of it", 1, None,
        "Indicators that have seen too little decide differently.",
        "More history before the first session.",
        run_checks.warm_up,
    ),
    LinterRule(
        "warnings", "The run warned", 1, "warnings", 1, None,
        "What a run tells about itself is worth reading.",
        "Read them in the manifest.",
        run_checks.warnings,
    ),
)  # fmt: skip
"""Every rule, in the order in which they are explained."""
