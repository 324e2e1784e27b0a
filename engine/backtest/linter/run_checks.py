"""The linter's measures of a run as a whole: a number and a line each, or none and the reason."""

import numpy as np

from engine.backtest.linter.linter_case import LinterCase, MeasuredValue
from engine.backtest.statistics import significance
from engine.history.bar_series import Ints
from engine.numbers import count, counted


def partial_run(case: LinterCase) -> MeasuredValue:
    """Measure whether it was stopped."""
    stopped = case.outcome.manifest.partial
    return MeasuredValue(
        float(stopped),
        "stopped before its last session" if stopped else "it ran to its last session",
    )


def lowest_account(case: LinterCase) -> MeasuredValue:
    """Measure how low the account was, percent of the start."""
    cash, curve = case.outcome.manifest.start_cash, case.outcome.curve
    if cash <= 0 or not len(curve):
        return MeasuredValue(None, "there is no account to look at")
    value = 100.0 * float(curve.min()) / cash
    return MeasuredValue(value, f"the account was never below {value:.1f} % of its start")


def closed_trades(case: LinterCase) -> MeasuredValue:
    """Measure how many closed trades."""
    closed = len(case.closed_trips.net)
    return MeasuredValue(closed, counted(closed, "closed trade"))


def sessions(case: LinterCase) -> MeasuredValue:
    """Measure how many sessions."""
    days = len(case.outcome.daily.day)
    return MeasuredValue(days, counted(days, "session"))


def most_parameters(case: LinterCase) -> MeasuredValue:
    """Measure how many parameters the strategy with the most has."""
    strategies = case.outcome.manifest.strategies
    if not strategies:
        return MeasuredValue(None, "the manifest names no strategy")
    name, most = max(
        ((name, len(given)) for name, given in strategies.items()), key=lambda each: each[1]
    )
    return MeasuredValue(most, f"{name} has {counted(most, 'parameter')}")


def not_golden(case: LinterCase) -> MeasuredValue:
    """Measure whether some bars were not golden."""
    if case.outcome.manifest.feeds:
        return MeasuredValue(None, "ticks are what came; bars alone are made golden")
    is_golden = case.outcome.manifest.golden
    return MeasuredValue(
        float(not is_golden),
        "every bar is a golden one" if is_golden else "not every bar is a golden one",
    )


def warnings(case: LinterCase) -> MeasuredValue:
    """Measure how often the run warned."""
    found = case.outcome.manifest.warnings
    return MeasuredValue(
        len(found), f"{len(found)}, the first: {found[0]}" if found else "the run warned of nothing"
    )


def warm_up(case: LinterCase) -> MeasuredValue:
    """Measure how many warnings are of the warm-up."""
    found = [each for each in case.outcome.manifest.warnings if "warm" in each.lower()]
    if found:
        return MeasuredValue(len(found), found[0])
    return MeasuredValue(
        None, "a run does not tell whether longer warm-up changes its decisions: patang check does"
    )


def latency(case: LinterCase) -> MeasuredValue:
    """Measure what a quarter of a second more takes, percent of the net."""
    if not case.outcome.manifest.feeds:
        return MeasuredValue(None, "bars do not tell what a quarter of a second costs")
    if case.outcome.net <= 0:
        return MeasuredValue(None, "there is no profit to lose")
    if case.delayed is None:
        return MeasuredValue(None, "it was not run again a quarter of a second later")
    value = 100.0 * (case.outcome.net - case.delayed) / case.outcome.net
    return MeasuredValue(value, f"orders 250 ms later take {value:.1f} % of the net")


def charges_of_turnover(case: LinterCase) -> MeasuredValue:
    """Measure charges, percent of the turnover."""
    turnover, charges = (
        int(case.outcome.daily.turnover.sum()),
        int(case.outcome.daily.charges.sum()),
    )
    if turnover <= 0:
        return MeasuredValue(None, "nothing was bought or sold")
    value = 100.0 * charges / turnover
    return MeasuredValue(value, f"charges are {value:.4f} % of what was bought and sold")


def charges_of_gross(case: LinterCase) -> MeasuredValue:
    """Measure charges, percent of the gross."""
    value = case.figure("charges_of_gross")
    if value is None:
        return MeasuredValue(None, "there is no gross profit that charges could take")
    return MeasuredValue(value, f"charges take {value:.1f} % of the gross")


def return_earned(case: LinterCase) -> MeasuredValue:
    """Measure the return."""
    return _measured_figure(case, "return", "{:.2f} % after charges", "the return is not defined")


def one_more_tick(case: LinterCase) -> MeasuredValue:
    """Measure the cost of one tick more at entry and exit, percent of the net."""
    if case.outcome.net <= 0:
        return MeasuredValue(None, "there is no profit to lose")
    if case.ticks is None:
        return MeasuredValue(None, "the tick sizes were not given")
    missing = sorted(set(case.fills) - set(case.ticks))
    if missing:
        return MeasuredValue(None, f"no tick size of {missing[0]}")
    cost = sum(
        # In paise: each fill moves by one tick (₹).
        100.0 * case.ticks[symbol] * int(fills.quantity.sum())
        for symbol, fills in case.fills.items()
    )
    value = 100.0 * cost / case.outcome.net
    return MeasuredValue(
        value, f"one tick more at each entry and exit takes {value:.1f} % of the net"
    )


def best_trade(case: LinterCase) -> MeasuredValue:
    """Measure the best trade, percent of the net."""
    return _best_of_net(case, case.closed_trips.net, "trade")


def best_day(case: LinterCase) -> MeasuredValue:
    """Measure the best day, percent of the net."""
    return _best_of_net(
        case, np.diff(case.outcome.daily.equity, prepend=case.outcome.manifest.start_cash), "day"
    )


def _best_of_net(case: LinterCase, amounts: Ints, what: str) -> MeasuredValue:
    if case.outcome.net <= 0 or not len(amounts):
        return MeasuredValue(None, "there is no profit that one of them could carry")
    value = 100.0 * int(amounts.max()) / case.outcome.net
    return MeasuredValue(value, f"the best {what} made {value:.1f} % of the net")


def open_share(case: LinterCase) -> MeasuredValue:
    """Measure the open trades' worth, percent of theirs and the closed ones', signs left out."""
    left = abs(int(case.round_trips.net[case.round_trips.exit_ts == 0].sum()))
    whole = left + abs(int(case.closed_trips.net.sum()))
    if not whole:
        return MeasuredValue(None, "there is neither profit nor loss")
    value = 100.0 * left / whole
    return MeasuredValue(value, f"open trades are {value:.1f} % of what trades made or lost")


def refused_orders(case: LinterCase) -> MeasuredValue:
    """Measure refusals, percent of the requests."""
    refusals = sum(case.outcome.refused.values())
    whole = refusals + case.outcome.orders
    if not whole:
        return MeasuredValue(None, "no order was wanted")
    value = 100.0 * refusals / whole
    reason = max(case.outcome.refused, key=case.outcome.refused.__getitem__, default="")
    return MeasuredValue(
        value,
        f"{count(refusals)} of {counted(whole, 'order')} refused"
        + (f", most often {reason}" if reason else ""),
    )


def too_good(case: LinterCase) -> MeasuredValue:
    """Measure the Sharpe ratio."""
    return _measured_figure(
        case, "sharpe", "the Sharpe ratio is {:.2f}", "the Sharpe ratio is not defined"
    )


def beats_holding(case: LinterCase) -> MeasuredValue:
    """Measure the Sharpe ratio less buy and hold's."""
    ours, theirs = case.figure("sharpe"), case.figure("buy_and_hold_sharpe")
    if ours is None or theirs is None:
        return MeasuredValue(None, "one of the two Sharpe ratios is not defined")
    return MeasuredValue(
        ours - theirs, f"Sharpe {ours:.2f}, that of buying and holding {theirs:.2f}"
    )


def deflated_sharpe(case: LinterCase) -> MeasuredValue:
    """Measure the deflated Sharpe ratio."""
    # Of one trial the deflated ratio is the probabilistic one, and no finding of its own.
    if (case.figure("trials") or 1) < 2:
        return MeasuredValue(None, "one trial alone was told of")
    return _measured_figure(
        case,
        "deflated_sharpe",
        "deflated Sharpe {:.3f}",
        "the deflated Sharpe ratio is not defined",
    )


def _measured_figure(case: LinterCase, key: str, text: str, why: str) -> MeasuredValue:
    value = case.figure(key)
    return MeasuredValue(None, why) if value is None else MeasuredValue(value, text.format(value))


def chance_of_mean(case: LinterCase) -> MeasuredValue:
    """Measure the p of a t-test."""
    value = significance.above_zero(case.daily)
    if value is None:
        return MeasuredValue(None, "daily returns do not differ")
    return MeasuredValue(value, f"days without merit come to this mean with p = {value:.3f}")


def chance_of_loss(case: LinterCase) -> MeasuredValue:
    """Measure how often resampled days lose, percent."""
    found = significance.resample_days(case.daily, case.seed)
    if found is None:
        return MeasuredValue(
            None, f"fewer than {2 * significance.BLOCK} sessions, or one that lost everything"
        )
    return MeasuredValue(
        100.0 * found.losing,
        f"{100.0 * found.losing:.1f} % of {count(significance.RESAMPLES)} resampled runs lose; "
        f"nine in ten return {found.low:.1f} to "
        f"{found.high:.1f} %; one in twenty falls {-found.drawdown:.1f} % or more",
    )
