"""What the linter measures of a run as a whole: each check returns a number and a line on it, or none and why."""

import numpy as np

from engine.backtest import chance
from engine.backtest.case import Case, Measured
from engine.history.series import Ints
from engine.numbers import count, counted


def partial(case: Case) -> Measured:
    """Measure whether it was stopped."""
    stopped = case.outcome.manifest.partial
    return Measured(float(stopped), "stopped before its last session" if stopped else "it ran to its last session")


def lowest_account(case: Case) -> Measured:
    """Measure how low the account was, percent of the start."""
    cash, curve = case.outcome.manifest.start_cash, case.outcome.curve
    if cash <= 0 or not len(curve):
        return Measured(None, "there is no account to look at")
    value = 100.0 * float(curve.min()) / cash
    return Measured(value, f"the account was never below {value:.1f} % of its start")


def trades(case: Case) -> Measured:
    """Measure how many closed trades."""
    closed = len(case.made.net)
    return Measured(closed, counted(closed, "closed trade"))


def sessions(case: Case) -> Measured:
    """Measure how many sessions."""
    days = len(case.outcome.daily.day)
    return Measured(days, counted(days, "session"))


def parameters(case: Case) -> Measured:
    """Measure how many parameters the strategy with the most has."""
    strategies = case.outcome.manifest.strategies
    if not strategies:
        return Measured(None, "the manifest names no strategy")
    name, most = max(((name, len(given)) for name, given in strategies.items()), key=lambda each: each[1])
    return Measured(most, f"{name} has {counted(most, 'parameter')}")


def golden(case: Case) -> Measured:
    """Measure whether some bars were not golden."""
    is_golden = case.outcome.manifest.golden
    return Measured(float(not is_golden), "every bar is a golden one" if is_golden else "not every bar is a golden one")


def warnings(case: Case) -> Measured:
    """Measure how often the run warned."""
    found = case.outcome.manifest.warnings
    return Measured(len(found), f"{len(found)}, the first: {found[0]}" if found else "the run warned of nothing")


def warm_up(case: Case) -> Measured:
    """Measure how many warnings are of the warm-up."""
    found = [each for each in case.outcome.manifest.warnings if "warm" in each.lower()]
    if found:
        return Measured(len(found), found[0])
    return Measured(None, "a run does not tell whether longer warm-up changes its decisions: patang check does")


def latency(_: Case) -> Measured:
    """Measure nothing: bars do not tell."""
    return Measured(None, "bars do not tell what a quarter of a second costs")


def charged(case: Case) -> Measured:
    """Measure charges, percent of the turnover."""
    turnover, charges = int(case.outcome.daily.turnover.sum()), int(case.outcome.daily.charges.sum())
    if turnover <= 0:
        return Measured(None, "nothing was bought or sold")
    value = 100.0 * charges / turnover
    return Measured(value, f"charges are {value:.4f} % of what was bought and sold")


def charges_of_gross(case: Case) -> Measured:
    """Measure charges, percent of the gross."""
    value = case.figure("charges_of_gross")
    if value is None:
        return Measured(None, "there is no gross profit that charges could take")
    return Measured(value, f"charges take {value:.1f} % of the gross")


def earned(case: Case) -> Measured:
    """Measure the return."""
    return _figure(case, "return", "{:.2f} % after charges", "the return is not defined")


def one_more_tick(case: Case) -> Measured:
    """Measure what one tick more at entry and exit takes, percent of the net."""
    if case.outcome.net <= 0:
        return Measured(None, "there is no profit to lose")
    if case.ticks is None:
        return Measured(None, "the tick sizes were not given")
    missing = sorted(set(case.fills) - set(case.ticks))
    if missing:
        return Measured(None, f"no tick size of {missing[0]}")
    cost = sum(100.0 * case.ticks[symbol] * int(fills.quantity.sum()) for symbol, fills in case.fills.items())
    value = 100.0 * cost / case.outcome.net
    return Measured(value, f"one tick more at each entry and exit takes {value:.1f} % of the net")


def best_trade(case: Case) -> Measured:
    """Measure the best trade, percent of the net."""
    return _best(case, case.made.net, "trade")


def best_day(case: Case) -> Measured:
    """Measure the best day, percent of the net."""
    return _best(case, np.diff(case.outcome.daily.equity, prepend=case.outcome.manifest.start_cash), "day")


def _best(case: Case, amounts: Ints, what: str) -> Measured:
    if case.outcome.net <= 0 or not len(amounts):
        return Measured(None, "there is no profit that one of them could carry")
    value = 100.0 * int(amounts.max()) / case.outcome.net
    return Measured(value, f"the best {what} made {value:.1f} % of the net")


def open_share(case: Case) -> Measured:
    """Measure what open trades stand at, percent of that and of what closed ones made, signs left out."""
    left = abs(int(case.rounds.net[case.rounds.exit_ts == 0].sum()))
    whole = left + abs(int(case.made.net.sum()))
    if not whole:
        return Measured(None, "there is neither profit nor loss")
    value = 100.0 * left / whole
    return Measured(value, f"open trades are {value:.1f} % of what trades made or lost")


def refused(case: Case) -> Measured:
    """Measure refusals, percent of what was wanted."""
    refusals = sum(case.outcome.refused.values())
    whole = refusals + case.outcome.orders
    if not whole:
        return Measured(None, "no order was wanted")
    value = 100.0 * refusals / whole
    reason = max(case.outcome.refused, key=case.outcome.refused.__getitem__, default="")
    return Measured(
        value, f"{count(refusals)} of {counted(whole, 'order')} refused" + (f", most often {reason}" if reason else "")
    )


def too_good(case: Case) -> Measured:
    """Measure the Sharpe ratio."""
    return _figure(case, "sharpe", "the Sharpe ratio is {:.2f}", "the Sharpe ratio is not defined")


def beats_holding(case: Case) -> Measured:
    """Measure the Sharpe ratio less buy and hold's."""
    ours, theirs = case.figure("sharpe"), case.figure("buy_and_hold_sharpe")
    if ours is None or theirs is None:
        return Measured(None, "one of the two Sharpe ratios is not defined")
    return Measured(ours - theirs, f"Sharpe {ours:.2f}, that of buying and holding {theirs:.2f}")


def deflated(case: Case) -> Measured:
    """Measure the deflated Sharpe ratio."""
    if (case.figure("trials") or 1) < 2:
        return Measured(None, "one trial alone was told of")
    return _figure(case, "deflated_sharpe", "deflated Sharpe {:.3f}", "the deflated Sharpe ratio is not defined")


def _figure(case: Case, key: str, text: str, why: str) -> Measured:
    value = case.figure(key)
    return Measured(None, why) if value is None else Measured(value, text.format(value))


def chance_of_mean(case: Case) -> Measured:
    """Measure the p of a t-test."""
    value = chance.above_zero(case.daily)
    if value is None:
        return Measured(None, "daily returns do not differ")
    return Measured(value, f"days without merit come to this mean with p = {value:.3f}")


def chance_of_loss(case: Case) -> Measured:
    """Measure how often resampled days lose, percent."""
    found = chance.resample(case.daily, case.seed)
    if found is None:
        return Measured(None, f"fewer than {2 * chance.BLOCK} sessions, or one that lost everything")
    return Measured(
        100.0 * found.losing,
        f"{100.0 * found.losing:.1f} % of {count(chance.RESAMPLES)} resampled runs lose; nine in ten return {found.low:.1f} to "
        f"{found.high:.1f} %; one in twenty falls {-found.drawdown:.1f} % or more",
    )
