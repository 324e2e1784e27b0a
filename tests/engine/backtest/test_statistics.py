"""Every metric against plain Python that says the same, and on runs that are hardly any."""

import math
import statistics as plain
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backtest.statistics import result_tables
from engine.backtest.statistics.run_metrics import GROUPS, METRICS
from engine.backtest.statistics.run_statistics import statistics
from tests.engine.backtest.made_up import CASH, MONDAY, at, minutes, outcome, trade, walk, weekdays

YEAR = math.sqrt(252)


def figures(made, **given):
    return {metric.key: metric.value for metric in statistics(made, **given)}


def daily_of(equity, cash=CASH):
    before = [cash, *equity[:-1]]
    return [after / first - 1.0 for first, after in zip(before, equity, strict=True)]


EQUITY = walk(90, seed=4).tolist()
DAILY = daily_of(EQUITY)
NETS = (50_00, -20_00, 0, 30_00, 10_00, -40_00, -5_00, 80_00)
TRADES = [
    trade(
        number,
        gross=net + 3_00,
        charges=3_00,
        slippage=50,
        side=1 if number % 3 else -1,
        mae=-100 * number,
        mfe=200 * number,
        entry_ts=at(MONDAY, "10:00"),
        exit_ts=at(MONDAY, f"10:{5 * number:02}"),
    )
    for number, net in enumerate(NETS, start=1)
]


def test_there_is_one_metric_for_each_definition_in_order():
    found = statistics(outcome(EQUITY, TRADES))
    assert [(each.key, each.label, each.unit) for each in found] == [each[:3] for each in METRICS]
    assert (
        len({each.key for each in METRICS}) == len({each.label for each in METRICS}) == len(METRICS)
    )
    assert list(dict.fromkeys(each.group for each in METRICS)) == list(GROUPS)


def test_every_metric_is_defined_for_a_run_that_has_everything():
    days = weekdays(90)
    market = walk(90, seed=5, start=22_000_00)
    left = [*TRADES, trade(9, gross=-7_00, exit_ts=0)]
    made = outcome(
        EQUITY,
        left,
        market=market,
        benchmark=walk(90, seed=6),
        turnover=[1000_00] * 90,
        charges=[10] * 90,
        times=[at(day, "10:30") for day in days],
    )
    made = made._replace(volume_shares=np.array([0.001, 0.002]))
    up = outcome([*EQUITY[:-1], 2 * CASH], left, market=market, turnover=[1000_00] * 90)
    missing = {
        key for key, value in figures(made).items() if value is None and figures(up)[key] is None
    }
    assert missing == set()


def test_the_run():
    found = figures(outcome(EQUITY, charges=[100] * 90))
    assert found["start"] == "2024-06-03"
    assert found["end"] == weekdays(90)[-1].isoformat()
    assert found["sessions"] == 90
    assert found["start_equity"] == 100_000.0
    assert found["end_equity"] == EQUITY[-1] / 100
    assert found["net"] == pytest.approx((EQUITY[-1] - CASH) / 100)
    assert found["charges"] == 90.0
    assert found["gross"] == pytest.approx((EQUITY[-1] - CASH) / 100 + 90.0)


def test_returns():
    found = figures(outcome(EQUITY))
    days = (weekdays(90)[-1] - MONDAY).days + 1
    assert found["return"] == pytest.approx(100 * (EQUITY[-1] / CASH - 1))
    assert found["cagr"] == pytest.approx(100 * ((EQUITY[-1] / CASH) ** (365.25 / days) - 1))
    assert found["best_day"] == pytest.approx(100 * max(DAILY))
    assert found["worst_day"] == pytest.approx(100 * min(DAILY))
    assert found["winning_days"] == pytest.approx(100 * sum(day > 0 for day in DAILY) / 90)


def test_a_day_that_does_not_move_does_not_win():
    assert figures(outcome([CASH, CASH + 1, CASH + 1, CASH]))["winning_days"] == 25.0


def test_amounts_are_whole_paise():
    found = figures(outcome([CASH - 26284_06], charges=[24362_11]))
    assert (found["net"], found["charges"], found["gross"]) == (-26284.06, 24362.11, -1921.95)


@pytest.mark.parametrize("cash", [0, -5])
def test_without_cash_at_the_start_there_is_no_return(cash):
    made = outcome([CASH], cash=cash)
    found = sound(statistics(made))
    assert found["net"] == (CASH - cash) / 100
    assert (
        found["return"] is found["cagr"] is found["max_drawdown"] is found["buy_and_hold"] is None
    )
    assert (
        result_tables.drawdowns(made)
        == result_tables.underwater(made)
        == result_tables.yearly_returns(made)
        == []
    )


def test_a_doubled_account_has_doubled_in_a_year_of_365_days():
    found = figures(outcome([CASH, 2 * CASH], days=[date(2023, 1, 2), date(2024, 1, 1)]))
    assert found["cagr"] == pytest.approx(100 * (2 ** (365.25 / 365) - 1))


def test_months_compound_from_the_last_close_of_the_month_before():
    days = [
        date(2024, 6, 27),
        date(2024, 6, 28),
        date(2024, 7, 1),
        date(2024, 7, 2),
        date(2024, 8, 1),
    ]
    found = figures(
        outcome([CASH, CASH * 11 // 10, CASH, CASH * 99 // 100, CASH * 99 // 100], days=days)
    )
    assert found["best_month"] == pytest.approx(10.0)
    assert found["worst_month"] == pytest.approx(100 * (0.99 / 1.1 - 1))


@pytest.mark.parametrize("risk_free", [0.0, 0.065])
def test_risk(risk_free):
    found = figures(outcome(EQUITY), risk_free=risk_free)
    rate = (1 + risk_free) ** (1 / 252) - 1
    excess = [day - rate for day in DAILY]
    assert found["risk_free"] == pytest.approx(100 * risk_free)
    assert found["volatility"] == pytest.approx(100 * YEAR * plain.stdev(DAILY))
    assert found["sharpe"] == pytest.approx(YEAR * plain.mean(excess) / plain.stdev(excess))
    below = math.sqrt(sum(min(day, 0) ** 2 for day in excess) / 90)
    assert found["sortino"] == pytest.approx(YEAR * plain.mean(excess) / below)
    assert found["omega"] == pytest.approx(
        sum(d for d in excess if d > 0) / -sum(d for d in excess if d < 0)
    )
    assert found["calmar"] == pytest.approx(found["cagr"] / -found["max_drawdown"])


def percentile(values, share):
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[math.ceil(place)] - ordered[low])


def test_tails():
    found = figures(outcome(EQUITY))
    low = percentile(DAILY, 0.05)
    assert found["var_95"] == pytest.approx(100 * low)
    assert found["cvar_95"] == pytest.approx(100 * plain.mean(day for day in DAILY if day <= low))
    assert found["tail_ratio"] == pytest.approx(percentile(DAILY, 0.95) / -low)


def test_moments_and_what_to_believe():
    found = figures(outcome(EQUITY), trials=7)
    middle, spread = plain.mean(DAILY), plain.pstdev(DAILY)
    skew = plain.mean(((day - middle) / spread) ** 3 for day in DAILY)
    kurtosis = plain.mean(((day - middle) / spread) ** 4 for day in DAILY)
    assert found["skew"] == pytest.approx(skew)
    assert found["kurtosis"] == pytest.approx(kurtosis - 3)
    ratio = middle / plain.stdev(DAILY)
    width = math.sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2)
    normal = plain.NormalDist()
    assert found["probabilistic_sharpe"] == pytest.approx(normal.cdf(ratio * math.sqrt(89) / width))
    gamma = 0.5772156649
    best = (1 - gamma) * normal.inv_cdf(1 - 1 / 7) + gamma * normal.inv_cdf(1 - 1 / (7 * math.e))
    assert found["trials"] == 7
    for deviation in (None, 0.2):
        against = best * (1 / math.sqrt(89) if deviation is None else deviation)
        deflated = figures(outcome(EQUITY), trials=7, deviation=deviation)["deflated_sharpe"]
        assert deflated == pytest.approx(normal.cdf((ratio - against) * math.sqrt(89) / width))
    rising = figures(outcome([CASH + 100 * k + 37 * (k % 3) for k in range(1, 41)]))
    assert rising["min_track_record"] >= 2


def test_a_single_trial_leaves_the_probabilistic_sharpe_ratio_as_it_is():
    found = figures(outcome(EQUITY))
    assert found["deflated_sharpe"] == found["probabilistic_sharpe"]


def slow_falls(times, curve, cash):
    """Return peak and end time, depth and trough time of every drawdown; a moment at a time."""
    peak, since, found, down = cash, times[0], [], None
    for now, value in zip(times, curve, strict=True):
        if value >= peak:
            if down is not None:
                found.append((*down, now))
                down = None
            peak, since = value, now
        elif down is None or value / peak - 1 < down[1]:
            down = since, value / peak - 1, now
    return found + ([(*down, None)] if down is not None else [])


@pytest.mark.parametrize("seed", range(6))
def test_drawdowns_are_those_of_a_walk_through_every_moment(seed):
    times = [moment for day in weekdays(5) for moment in minutes(day, 30)]
    curve = walk(150, seed=seed, drift=0.0003, spread=0.002)
    equity = curve[29::30]
    found = figures(outcome(equity, times=times, curve=curve))
    falls = slow_falls(times, curve.tolist(), CASH)
    lengths = [((end or times[-1]) - start) / 1e9 for start, _, _, end in falls]
    _, depth, trough, end = min(falls, key=lambda fall: fall[1])
    assert found["max_drawdown"] == pytest.approx(100 * depth)
    assert found["average_drawdown"] == pytest.approx(100 * plain.mean(fall[1] for fall in falls))
    assert found["max_drawdown_duration"] == pytest.approx(max(lengths))
    assert found["average_drawdown_duration"] == pytest.approx(plain.mean(lengths))
    assert found["max_drawdown_recovery"] == (
        None if end is None else pytest.approx((end - trough) / 1e9)
    )
    peaks = [max(CASH, *curve[: k + 1].tolist()) for k in range(150)]
    amount = min(value - peak for value, peak in zip(curve.tolist(), peaks, strict=True)) / 100
    assert found["max_drawdown_amount"] == pytest.approx(amount)
    assert found["recovery_factor"] == pytest.approx(found["net"] / -amount)
    closes = [
        close / max(CASH, *equity[: k + 1].tolist()) - 1 for k, close in enumerate(equity.tolist())
    ]
    assert found["max_drawdown_close"] == pytest.approx(100 * min(closes))
    assert found["ulcer"] == pytest.approx(
        100 * math.sqrt(plain.mean(close**2 for close in closes))
    )


def test_a_drawdown_inside_a_day_is_one_though_the_close_does_not_show_it():
    found = figures(outcome([CASH], times=minutes(MONDAY, 3), curve=[CASH, CASH * 9 // 10, CASH]))
    assert found["max_drawdown"] == pytest.approx(-10.0)
    assert found["max_drawdown_close"] == 0.0
    assert found["max_drawdown_duration"] == 120.0
    assert found["max_drawdown_recovery"] == 60.0


def test_exposure():
    times = minutes(MONDAY, 10, "10:00")
    held = [
        trade(1, entry_ts=times[2], exit_ts=times[5], quantity=10, entry_price=100.0),
        trade(2, entry_ts=times[4], exit_ts=times[7], quantity=5, entry_price=400.0, side=-1),
        trade(3, entry_ts=times[9], exit_ts=0, quantity=1, entry_price=50.0),
    ]
    found = figures(outcome([CASH], held, times=times, curve=[CASH] * 10, turnover=[8000_00]))
    values = [0, 0, 1000, 1000, 3000, 2000, 2000, 0, 0, 50]
    assert found["exposure_time"] == pytest.approx(60.0)
    assert found["average_exposure"] == pytest.approx(100 * sum(values) / 10 / 100_000)
    assert found["max_exposure"] == pytest.approx(3.0)
    assert found["turnover"] == 8000.0
    assert found["annual_turnover"] == pytest.approx(8000 / 100_000 * 252)


def test_trades():
    found = figures(outcome(EQUITY, TRADES))
    wins, losses = [net / 100 for net in NETS if net > 0], [net / 100 for net in NETS if net < 0]
    nets = [net / 100 for net in NETS]
    payoff = plain.mean(wins) / -plain.mean(losses)
    assert {
        key: found[key] for key in ("trades", "open_trades", "draws", "max_wins", "max_losses")
    } == {
        "trades": 8,
        "open_trades": 0,
        "draws": 1,
        "max_wins": 2,
        "max_losses": 2,
    }
    assert found["win_rate"] == pytest.approx(50.0)
    assert (found["best_trade"], found["worst_trade"]) == (80.0, -40.0)
    assert found["average_win"] == pytest.approx(plain.mean(wins))
    assert found["average_loss"] == pytest.approx(plain.mean(losses))
    assert found["payoff"] == pytest.approx(payoff)
    assert found["profit_factor"] == pytest.approx(sum(wins) / -sum(losses))
    assert found["expectancy"] == pytest.approx(plain.mean(nets))
    assert found["expectancy_ratio"] == pytest.approx(plain.mean(nets) / -plain.mean(losses))
    assert found["sqn"] == pytest.approx(math.sqrt(8) * plain.mean(nets) / plain.stdev(nets))
    assert found["kelly"] == pytest.approx(100 * (0.5 - 0.5 / payoff))
    held = [300.0 * number for number in range(1, 9)]
    assert found["average_holding"] == pytest.approx(plain.mean(held))
    assert found["median_holding"] == pytest.approx(plain.median(held))
    assert found["longest_holding"] == 2400.0
    assert found["average_holding_win"] == pytest.approx(plain.mean((300, 1200, 1500, 2400)))
    assert found["average_holding_loss"] == pytest.approx(plain.mean((600, 1800, 2100)))
    assert found["average_mae"] == pytest.approx(-4.5)
    assert found["average_mfe"] == pytest.approx(9.0)


def test_long_and_short():
    found = figures(outcome(EQUITY, TRADES))
    assert (found["long_trades"], found["short_trades"]) == (6, 2)
    assert found["short_net"] == 0 - 40.0
    assert found["long_net"] == pytest.approx(sum(NETS) / 100 + 40.0)
    assert found["short_win_rate"] == 0.0
    assert found["long_win_rate"] == pytest.approx(100 * 4 / 6)


def test_consecutive_ones_go_by_the_order_of_exits():
    later = [
        trade(k, gross=net, exit_ts=at(MONDAY, clock))
        for k, (net, clock) in enumerate(
            (
                (100, "11:00"),
                (-100, "10:10"),
                (100, "12:00"),
                (-100, "10:20"),
                (-100, "10:15"),
                (0, "11:30"),
            )
        )
    ]
    found = figures(outcome(EQUITY, later))
    assert (found["max_losses"], found["max_wins"]) == (3, 1)


def test_costs_count_open_trades_where_they_say_so():
    left = trade(9, gross=-100_00, charges=7_00, slippage=3_00, exit_ts=0)
    found = figures(
        outcome([CASH + 500_00], [*TRADES, left], charges=[31_00], turnover=[20_000_00])
    )
    assert (found["open_trades"], found["open_pnl"]) == (1, -107.0)
    assert found["slippage"] == pytest.approx(8 * 0.5 + 3.0)
    assert found["break_even"] == pytest.approx(3.5)
    assert found["break_even_turnover"] == pytest.approx(100 * (31 + 7) / 20_000)
    assert found["charges_of_gross"] == pytest.approx(100 * 31 / 531)


def test_the_benchmarks():
    market, held = walk(90, seed=5, start=22_000_00) / 100, walk(90, seed=6).tolist()
    found = figures(outcome(EQUITY, market=market, benchmark=held), risk_free=0.06)
    rate = 1.06 ** (1 / 252) - 1
    theirs = [after / before - 1 for before, after in pairwise(market)]
    ours = DAILY[1:]
    apart = [one - other for one, other in zip(ours, theirs, strict=True)]
    beta = plain.covariance(ours, theirs) / plain.variance(theirs)
    assert found["buy_and_hold"] == pytest.approx(100 * (held[-1] / CASH - 1))
    holding = daily_of(held)[1:]
    assert found["buy_and_hold_sharpe"] == pytest.approx(
        YEAR * (plain.mean(holding) - rate) / plain.stdev(holding)
    )
    fall = min(value / max(CASH, *held[: k + 1]) - 1 for k, value in enumerate(held))
    assert found["buy_and_hold_drawdown"] == pytest.approx(100 * fall)
    assert found["market_return"] == pytest.approx(100 * (market[-1] / market[0] - 1))
    assert found["beta"] == pytest.approx(beta)
    alpha = plain.mean(ours) - rate - beta * (plain.mean(theirs) - rate)
    assert found["alpha"] == pytest.approx(100 * 252 * alpha)
    assert found["correlation"] == pytest.approx(plain.correlation(ours, theirs))
    assert found["tracking_error"] == pytest.approx(100 * YEAR * plain.stdev(apart))
    assert found["information_ratio"] == pytest.approx(
        YEAR * plain.mean(apart) / plain.stdev(apart)
    )


def test_days_on_which_the_index_has_no_close_are_left_out():
    market = [float("nan"), 100.0, 101.0, float("nan"), 102.0, 103.0]
    found = figures(outcome(EQUITY[:6], market=market))
    theirs, ours = [101 / 100 - 1, 103 / 102 - 1], [DAILY[2], DAILY[5]]
    assert found["beta"] == pytest.approx(plain.covariance(ours, theirs) / plain.variance(theirs))
    assert found["market_return"] == pytest.approx(3.0)


def sound(found):
    for metric in found:
        assert metric.value is None or isinstance(metric.value, (int, float, str)), metric
        assert not isinstance(metric.value, np.generic), metric
        assert not isinstance(metric.value, float) or math.isfinite(metric.value), metric
    return {metric.key: metric.value for metric in found}


def test_a_run_of_nothing_has_figures_that_say_so():
    found = sound(statistics(outcome()))
    assert (found["sessions"], found["trades"], found["net"]) == (0, 0, 0.0)
    assert (
        found["start"]
        is found["sharpe"]
        is found["win_rate"]
        is found["max_drawdown"]
        is found["exposure_time"]
        is None
    )


def test_an_account_that_never_moves():
    found = sound(statistics(outcome([CASH] * 30)))
    assert (
        found["return"]
        == found["cagr"]
        == found["max_drawdown"]
        == found["volatility"]
        == found["exposure_time"]
        == 0.0
    )
    assert (
        found["sharpe"]
        is found["sortino"]
        is found["calmar"]
        is found["profit_factor"]
        is found["omega"]
        is None
    )
    assert found["max_drawdown_duration"] is found["probabilistic_sharpe"] is None


def test_one_day_has_a_return_and_no_deviation():
    found = sound(statistics(outcome([CASH * 101 // 100], [trade(gross=1000_00)])))
    assert found["return"] == pytest.approx(1.0)
    assert found["volatility"] is found["sharpe"] is found["skew"] is None


def test_a_single_losing_trade():
    found = sound(statistics(outcome([CASH - 100], [trade(gross=-100)])))
    assert (found["win_rate"], found["profit_factor"], found["expectancy_ratio"]) == (
        0.0,
        0.0,
        -1.0,
    )
    assert found["payoff"] is found["kelly"] is found["sqn"] is found["average_win"] is None


def test_wins_alone_have_no_profit_factor():
    found = sound(statistics(outcome([CASH + 200], [trade(1, gross=100), trade(2, gross=100)])))
    assert found["win_rate"] == 100.0
    assert found["profit_factor"] is found["payoff"] is found["expectancy_ratio"] is None


@pytest.mark.parametrize("equity", [[-500, CASH, CASH], [CASH, 0, 500], [CASH // 2, 0], [-CASH]])
def test_an_account_that_is_used_up_keeps_what_is_still_defined(equity):
    found = sound(statistics(outcome(equity)))
    assert found["return"] == pytest.approx(100 * (equity[-1] / CASH - 1))
    assert found["max_drawdown"] <= -100.0
    if min(equity[:-1], default=1) <= 0:
        assert found["sharpe"] is found["cagr"] is found["best_month"] is None


def test_a_year_in_a_day_is_no_infinite_return():
    assert sound(statistics(outcome([CASH * 100_000])))["cagr"] is None


accounts = st.lists(st.integers(-1000, 10**7), max_size=12)
rounds = st.lists(
    st.builds(
        trade,
        st.integers(1, 99),
        gross=st.integers(-(10**6), 10**6),
        charges=st.integers(-100, 10**4),
        side=st.sampled_from((1, -1)),
        quantity=st.integers(1, 100),
        exit_ts=st.sampled_from((0, at(MONDAY, "10:00"), at(MONDAY, "10:30"), at(MONDAY, "15:29"))),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=50)
@given(accounts, rounds, st.integers(1, 50), st.floats(-0.5, 0.5))
def test_nothing_that_is_no_number_ever_comes_out(equity, trades, trials, risk_free):
    market = [float(value) for value in equity]
    found = sound(statistics(outcome(equity, trades, market=market), risk_free, trials))
    made = [each.gross - each.charges for each in trades if each.exit_ts]
    assert found["trades"] + found["open_trades"] == len(trades)
    assert found["long_net"] + found["short_net"] == pytest.approx(sum(made) / 100)
    assert found["max_wins"] + found["draws"] + found["max_losses"] <= len(made)
    if equity:
        assert found["gross"] == pytest.approx(found["net"] + found["charges"])
        assert found["max_drawdown"] <= 0.0
        assert found["max_drawdown"] == found["max_drawdown_close"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(10**5, 10**7), min_size=2, max_size=12), st.integers(2, 50))
def test_figures_that_are_ratios_do_not_depend_on_the_size_of_the_account(equity, times):
    small, large = (
        figures(outcome(equity)),
        figures(outcome([times * each for each in equity], cash=times * CASH)),
    )
    for key in (
        "sharpe",
        "sortino",
        "calmar",
        "omega",
        "max_drawdown",
        "cagr",
        "ulcer",
        "probabilistic_sharpe",
    ):
        assert (small[key] is None) == (large[key] is None), key
        assert small[key] is None or large[key] == pytest.approx(small[key], rel=1e-6, abs=1e-9), (
            key
        )
