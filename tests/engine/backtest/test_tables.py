"""The tables of a backtest against plain Python that goes through trades and days one by one."""

from collections import defaultdict
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backtest.statistics import result_tables
from engine.backtest.statistics.run_statistics import statistics
from engine.history.bar_series import day_number
from tests.engine.backtest.made_up import CASH, MONDAY, at, minutes, outcome, trade, walk, weekdays


def figure(made, key):
    return next(metric.value for metric in statistics(made) if metric.key == key)


def test_drawdowns_are_told_from_peak_over_trough_to_recovery():
    times = minutes(MONDAY, 8)
    curve = [
        CASH,
        CASH - 500,
        CASH - 300,
        CASH + 100,
        CASH - 900,
        CASH - 1000,
        CASH + 100,
        CASH + 50,
    ]
    first, second, third = result_tables.drawdowns(outcome([CASH + 50], times=times, curve=curve))
    peak = CASH + 100
    assert first[:3] == (times[3], times[5], times[6])
    assert first.depth == pytest.approx(-100 * 1100 / peak)
    assert (first.amount, first.length, first.recovery) == (-1100, 180.0, 60.0)
    assert second[:3] == (times[0], times[1], times[3])
    assert (second.amount, second.length, second.recovery) == (-500, 180.0, 120.0)
    assert third[:3] == (times[6], times[7], None)
    assert (third.amount, third.length, third.recovery) == (-50, 60.0, None)
    assert [
        each.depth
        for each in result_tables.drawdowns(outcome([CASH], times=times, curve=curve), most=1)
    ] == [first.depth]


def test_a_loss_at_the_first_moment_falls_from_the_starting_cash():
    [only] = result_tables.drawdowns(
        outcome([CASH - 7], times=minutes(MONDAY, 2), curve=[CASH - 10, CASH - 7])
    )
    assert (only.amount, only.end, only.start) == (-10, None, at(MONDAY, "09:16"))


@pytest.mark.parametrize("seed", range(4))
def test_the_deepest_drawdown_is_the_metric(seed):
    made = outcome(walk(120, seed=seed))
    found = result_tables.drawdowns(made)
    assert found[0].depth == pytest.approx(figure(made, "max_drawdown"))
    assert found == sorted(found, key=lambda each: each.depth)
    assert len(found) <= 10


def test_years_and_months():
    days = [
        date(2023, 12, 28),
        date(2023, 12, 29),
        date(2024, 1, 1),
        date(2024, 3, 1),
        date(2024, 3, 4),
    ]
    equity = [
        CASH * 102 // 100,
        CASH * 104 // 100,
        CASH * 100 // 100,
        CASH * 90 // 100,
        CASH * 99 // 100,
    ]
    market = [float("nan"), 200.0, 210.0, float("nan"), 190.0]
    made = outcome(
        equity, days=days, benchmark=[CASH, CASH * 1.1, CASH, CASH, CASH * 1.21], market=market
    )
    first, second = result_tables.yearly_returns(made)
    assert (first.year, second.year) == (2023, 2024)
    assert first.total == pytest.approx(4.0)
    assert first.months[:11] == [None] * 11
    assert first.months[11] == pytest.approx(4.0)
    assert second.total == pytest.approx(100 * (0.99 / 1.04 - 1))
    assert second.months[0] == pytest.approx(100 * (1 / 1.04 - 1))
    assert second.months[1] is None
    assert second.months[2] == pytest.approx(-1.0)
    assert (first.net, second.net) == (CASH * 4 // 100, CASH * -5 // 100)
    assert (first.benchmark, second.benchmark) == (pytest.approx(10.0), pytest.approx(10.0))
    assert (first.market, second.market) == (pytest.approx(0.0), pytest.approx(-5.0))
    assert [year.market for year in result_tables.yearly_returns(outcome(equity, days=days))] == [
        None,
        None,
    ]


@settings(deadline=None)
@given(st.lists(st.integers(10**6, 10**8), min_size=1, max_size=80))
def test_months_compound_to_their_year_and_years_to_the_whole(equity):
    made = outcome(equity, days=weekdays(len(equity), date(2023, 11, 20)))
    whole, net = 1.0, 0
    for year in result_tables.yearly_returns(made):
        months = 1.0
        for month in year.months:
            months *= 1.0 if month is None else 1.0 + month / 100
        assert months == pytest.approx(1.0 + year.total / 100)
        whole *= months
        net += year.net
    assert whole == pytest.approx(equity[-1] / CASH)
    assert net == equity[-1] - CASH


def test_the_rolling_sharpe_ratio_is_that_of_a_run_of_the_window_alone():
    equity = walk(70).tolist()
    found = result_tables.rolling_sharpe(outcome(equity), 60, 0.05)
    days = weekdays(70)
    assert found.days == [day_number(day) for day in days[59:]]
    last = outcome(equity[-60:], cash=equity[-61], days=days[-60:])
    alone = next(metric.value for metric in statistics(last, 0.05) if metric.key == "sharpe")
    assert found.values[-1] == pytest.approx(alone)
    assert result_tables.rolling_sharpe(outcome(equity), 71) == ([], [])
    assert result_tables.rolling_sharpe(outcome([CASH] * 80)) == ([], [])


@settings(deadline=None)
@given(st.lists(st.integers(10**5, 10**8), min_size=1, max_size=60))
def test_every_day_is_in_one_bin_of_the_distribution(equity):
    made = outcome(equity)
    edges, counts = result_tables.distribution(made)
    before = [CASH, *equity[:-1]]
    days = [100.0 * (after / first - 1.0) for first, after in zip(before, equity, strict=True)]
    assert sum(counts) == len(days)
    assert len(edges) == len(counts) + 1 <= 33
    width = edges[1] - edges[0]
    assert edges[0] - 1e-6 * width <= min(days)
    assert max(days) <= edges[-1] + 1e-6 * width
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        assert high - low == pytest.approx(width)
        surely = sum(low + 1e-6 * width <= day < high - 1e-6 * width for day in days)
        maybe = sum(low - 1e-6 * width <= day < high + 1e-6 * width for day in days)
        assert surely <= count <= maybe


def test_a_distribution_has_bins_of_round_width():
    edges, counts = result_tables.distribution(
        outcome([CASH * 101 // 100, CASH * 104 // 100, CASH, CASH * 95 // 100])
    )
    assert edges[1] - edges[0] == pytest.approx(0.5)
    assert edges[0] == pytest.approx(-5.0)
    assert sum(counts) == 4


TRADES = [
    trade(
        number,
        gross=(-1) ** number * 100 * number + 7 * number,
        charges=20 + number % 3,
        slippage=number,
        strategy=("one", "two")[number % 2],
        symbol=("INFY", "SBIN", "TCS")[number % 3],
        side=1 if number % 5 else -1,
        rung=1 + number % 4,
        mae=-number,
        mfe=2 * number,
        exit_reason=("target", "stop", "square-off")[number % 3],
        entry_ts=at(day, f"{9 + number % 7:02}:30"),
        exit_ts=at(day, "15:30"),
    )
    for number, day in enumerate(weekdays(60), start=1)
]

NAMES = {
    "strategy": lambda each: each.strategy,
    "symbol": lambda each: each.symbol,
    "side": lambda each: "long" if each.side > 0 else "short",
    "rung": lambda each: str(each.rung),
    "exit": lambda each: each.exit_reason,
    "hour": lambda each: f"{9 + each.number % 7:02}",
    "weekday": lambda each: weekdays(60)[each.number - 1].strftime("%A"),
    "month": lambda each: weekdays(60)[each.number - 1].strftime("%Y-%m"),
}


@pytest.mark.parametrize("by", result_tables.BREAKDOWNS)
def test_a_breakdown_is_what_going_through_the_trades_finds(by):
    groups = defaultdict(list)
    for each in TRADES:
        groups[NAMES[by](each)].append(each)
    found = result_tables.breakdowns(outcome([CASH], [trade(99, gross=10**6, exit_ts=0), *TRADES]))[
        by
    ]
    assert {group.name for group in found} == set(groups)
    for group in found:
        mine = groups[group.name]
        nets = [each.gross - each.charges for each in mine]
        won, lost = sum(net for net in nets if net > 0), -sum(net for net in nets if net < 0)
        assert group.trades == len(mine)
        assert group.win_rate == pytest.approx(100 * sum(net > 0 for net in nets) / len(mine))
        assert group.net == sum(nets)
        assert group.average == pytest.approx(sum(nets) / len(mine))
        for field in ("gross", "charges", "slippage"):
            assert getattr(group, field) == sum(getattr(each, field) for each in mine)
        for field in ("mae", "mfe"):
            assert getattr(group, field) == pytest.approx(
                sum(getattr(each, field) for each in mine) / len(mine)
            )
        assert group.profit_factor == (pytest.approx(won / lost) if lost else None)


def test_breakdowns_come_in_an_order_that_can_be_read():
    found = result_tables.breakdowns(outcome([CASH], TRADES))
    for by in ("strategy", "symbol", "exit"):
        assert [group.net for group in found[by]] == sorted(
            (group.net for group in found[by]), reverse=True
        )
    for by in ("hour", "month", "rung"):
        assert [group.name for group in found[by]] == sorted(group.name for group in found[by])
    assert [group.name for group in found["weekday"]] == list(result_tables.WEEKDAYS[:5])
    assert [group.name for group in found["side"]] == ["long", "short"]


def test_without_trades_every_breakdown_is_empty():
    assert result_tables.breakdowns(outcome([CASH])) == {by: [] for by in result_tables.BREAKDOWNS}


def test_the_ladder_of_costs_leads_from_the_gross_before_slippage_to_the_net():
    costs = {"brokerage": 40_00, "STT": 25_00, "stamp duty": 3_00}
    made = outcome([CASH + 100_00], [trade(slippage=12_00)], charges=[70_00], costs=costs)
    steps = result_tables.cost_steps(made)
    assert [(step.label, step.amount, step.total) for step in steps] == [
        ("Gross before slippage", 182_00, True),
        ("Slippage", -12_00, False),
        ("Gross", 170_00, True),
        ("Brokerage", -40_00, False),
        ("STT", -25_00, False),
        ("Stamp duty", -3_00, False),
        ("Other", -2_00, False),
        ("Net", 100_00, True),
    ]


@given(
    st.integers(-(10**9), 10**9),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
def test_the_ladder_adds_up_to_the_paisa(net, slippage, brokerage, other):
    made = outcome(
        [CASH + net],
        [trade(slippage=slippage)],
        charges=[brokerage + other],
        costs={"brokerage": brokerage},
    )
    steps = result_tables.cost_steps(made)
    assert (
        steps[0].amount + sum(step.amount for step in steps if not step.total)
        == steps[-1].amount
        == net
    )


def test_below_water():
    assert result_tables.underwater(outcome([CASH * 9 // 10, CASH * 2, CASH])) == pytest.approx(
        [-10.0, 0.0, -50.0]
    )


def test_tables_of_a_run_of_nothing_are_empty():
    made = outcome()
    assert (
        result_tables.drawdowns(made)
        == result_tables.yearly_returns(made)
        == result_tables.underwater(made)
        == []
    )
    assert result_tables.distribution(made) == result_tables.rolling_sharpe(made) == ([], [])
    assert [step.amount for step in result_tables.cost_steps(made)] == [0, 0, 0, 0]


def test_tables_of_an_account_that_is_used_up():
    made = outcome([-CASH, CASH])
    assert result_tables.yearly_returns(made) == []
    assert result_tables.distribution(made) == ([], [])
    assert result_tables.underwater(made) == pytest.approx([-200.0, 0.0])
