"""Every rule of the linter on a run that breaks it, one that keeps it, and an unclear one."""

from itertools import pairwise

import numpy as np
import pytest

from engine.backtest.linter.linter_rules import RULES
from engine.backtest.linter.result_linter import (
    STATUSES,
    judge_value,
    lint_outcome,
    overall_verdict,
)
from engine.backtest.statistics import significance
from engine.backtest.statistics.run_statistics import statistics
from engine.history.bar_series import BarSeries
from tests.engine.backtest.made_up import (
    CASH,
    MONDAY,
    adjusted_data,
    at,
    minutes,
    outcome,
    trade,
    walk,
    weekdays,
)

RULE = {rule.id: rule for rule in RULES}


def findings(made, *, trials=1, **given):
    found = lint_outcome(made, statistics(made, trials=trials), **given)
    assert all(type(each.value) in {int, float, type(None)} for each in found)
    return {each.rule: each for each in found}


def series(starts, price=100.0, *, spread=1.0, volume=1000):
    count = len(starts)
    prices = np.full(count, price)
    whole = np.zeros(count, np.int64)
    return BarSeries(
        np.array(starts, np.int64),
        prices,
        prices + spread,
        prices - spread,
        prices,
        whole + volume,
        whole,
        whole,
    )


def steady(days=260):
    """Return a run to which nothing is to be said.

    A little every day, many trades, charges, bars that fit.
    """
    noise = np.random.default_rng(2).normal(0.0, 130_00, days)
    equity = CASH + np.cumsum(np.rint(20_00 + noise).astype(np.int64))
    dates = weekdays(days)
    entry = [at(day, "10:00") for day in dates]
    trades = [
        trade(
            k,
            gross=45_00 if k % 3 else -20_00,
            charges=3_00,
            entry_ts=ts,
            exit_ts=ts + 30 * 60 * 10**9,
            entry_price=100.0,
            exit_price=100.5,
        )
        for k, ts in enumerate(entry)
    ]
    times = [moment for day in dates for moment in minutes(day, 60, "09:46")]
    made = outcome(
        equity,
        trades,
        times=times,
        curve=np.repeat(equity, 60),
        charges=[3_00] * days,
        turnover=[2005_00] * days,
        orders=2 * days,
        benchmark=walk(days, seed=9, drift=-0.001),
    )
    return made, {"INFY": series(times)}


def test_a_sound_run_passes_whatever_can_be_looked_at():
    made, bars = steady()
    found = findings(made, bars=bars, ticks={"INFY": 0.05})
    assert {
        each.rule: each.text for each in found.values() if each.status in {"fail", "warn"}
    } == {}
    assert {each.rule for each in found.values() if each.status == "not run"} == {
        "deflated",
        "latency",
        "warm_up",
    }
    assert (
        overall_verdict(list(found.values()))
        == f"pass: 0 fail, 0 warn, {len(RULES) - 3} pass, 3 not run"
    )


def test_what_was_not_given_is_not_run_and_says_so():
    made, _ = steady()
    found = findings(made)
    for rule in ("bar", "stale", "volume", "jumps", "ticks"):
        assert found[rule].status == "not run"
        assert found[rule].value is None
        assert "not given" in found[rule].text
    assert findings(made, bars={"SBIN": series(minutes(MONDAY, 5))})["bar"].status == "not run"
    assert findings(made, ticks={"SBIN": 0.05})["ticks"].text == "no tick size of INFY"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_limits_hold_from_the_limit_on(rule):
    limits = {"warn": rule.warn, "fail": rule.fail}
    away = -1e-9 if rule.below else 1e-9
    for status, limit in limits.items():
        if limit is not None:
            assert judge_value(rule, limit + away) == status
            assert judge_value(rule, limit - away) != status
            assert (judge_value(rule, limit) == status) != rule.below
    if None not in limits.values():
        assert (rule.fail < rule.warn) == rule.below
    assert any(limit is not None for limit in limits.values())
    assert rule.threshold
    assert 1 <= rule.severity <= 3
    assert rule.why.endswith(".")
    assert rule.mend.endswith(".")


def test_rules_have_a_name_of_their_own():
    assert len({rule.id for rule in RULES}) == len({rule.label for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("rule", "status", "made"),
    [
        ("partial", "fail", lambda: outcome([CASH], partial=True)),
        ("account", "fail", lambda: outcome([CASH], times=minutes(MONDAY, 2), curve=[0, CASH])),
        ("account", "warn", lambda: outcome([CASH // 10])),
        ("charges", "fail", lambda: outcome([CASH], turnover=[1000_00])),
        ("charges", "not run", lambda: outcome([CASH])),
        ("net", "fail", lambda: outcome([CASH - 1])),
        ("net", "pass", lambda: outcome([CASH])),
        ("net", "not run", lambda: outcome([CASH], cash=0)),
        ("costs", "fail", lambda: outcome([CASH - 1], charges=[100])),
        ("costs", "warn", lambda: outcome([CASH + 40], charges=[60])),
        ("costs", "not run", lambda: outcome([CASH - 200], charges=[100])),
        (
            "hours",
            "fail",
            lambda: outcome(
                [CASH], [trade(exit_ts=at(MONDAY, "16:00"))], times=minutes(MONDAY, 375)
            ),
        ),
        (
            "hours",
            "fail",
            lambda: outcome(
                [CASH], [trade(entry_ts=at("2024-06-02", "10:00"))], times=minutes(MONDAY, 375)
            ),
        ),
        (
            "hours",
            "fail",
            lambda: outcome(
                [CASH], [trade(exit_ts=at("2024-06-04", "10:00"))], times=minutes(MONDAY, 375)
            ),
        ),
        (
            "hours",
            "pass",
            lambda: outcome(
                [CASH], [trade(entry_ts=at(MONDAY, "09:15"))], times=minutes(MONDAY, 375)
            ),
        ),
        ("legs", "fail", lambda: outcome([CASH], [trade(exit_reason="oversold")])),
        ("trades", "fail", lambda: outcome([CASH])),
        ("trades", "warn", lambda: outcome([CASH], [trade(k) for k in range(30)])),
        ("sessions", "fail", lambda: outcome([CASH] * 19)),
        ("sessions", "warn", lambda: outcome([CASH] * 119)),
        (
            "best_trade",
            "fail",
            lambda: outcome([CASH + 100], [trade(1, gross=150), trade(2, gross=-50)]),
        ),
        ("best_trade", "warn", lambda: outcome([CASH + 100], [trade(k, gross=50) for k in (1, 2)])),
        ("best_trade", "not run", lambda: outcome([CASH - 100], [trade(1, gross=150)])),
        ("best_day", "fail", lambda: outcome([CASH + 150, CASH + 100])),
        ("best_day", "warn", lambda: outcome([CASH + 50, CASH + 100])),
        (
            "open",
            "fail",
            lambda: outcome([CASH], [trade(1, gross=100), trade(2, gross=-100, exit_ts=0)]),
        ),
        (
            "open",
            "warn",
            lambda: outcome([CASH], [trade(1, gross=300), trade(2, gross=100, exit_ts=0)]),
        ),
        ("open", "not run", lambda: outcome([CASH])),
        ("t_test", "fail", lambda: outcome(walk(100, drift=-0.002))),
        ("t_test", "not run", lambda: outcome([CASH] * 9)),
        ("resampled", "fail", lambda: outcome(walk(100, drift=-0.002))),
        ("resampled", "not run", lambda: outcome(walk(39))),
        ("good", "warn", lambda: outcome(walk(100, drift=0.01))),
        (
            "holding",
            "warn",
            lambda: outcome(walk(100, drift=-0.002), benchmark=walk(100, drift=0.003)),
        ),
        ("holding", "not run", lambda: outcome([CASH] * 9)),
        (
            "parameters",
            "warn",
            lambda: outcome([CASH], strategies={"one": {}, "two": dict.fromkeys("abcdefghijk", 1)}),
        ),
        (
            "parameters",
            "pass",
            lambda: outcome([CASH], strategies={"one": dict.fromkeys("abcdefghij", 1)}),
        ),
        ("parameters", "not run", lambda: outcome([CASH], strategies={})),
        ("golden", "warn", lambda: outcome([CASH], golden=False)),
        ("refused", "warn", lambda: outcome([CASH], refused={"FUNDS": 1}, orders=9)),
        ("refused", "fail", lambda: outcome([CASH], refused={"FUNDS": 5, "TICK": 4}, orders=9)),
        ("refused", "not run", lambda: outcome([CASH])),
        ("warm_up", "warn", lambda: outcome([CASH], warnings=["INFY: only 3 days of warm-up"])),
        ("warm_up", "not run", lambda: outcome([CASH], warnings=["INFY: a gap"])),
        ("warnings", "warn", lambda: outcome([CASH], warnings=["INFY: a gap"])),
        ("latency", "not run", lambda: outcome([CASH])),
    ],
)
def test_a_rule_on_a_run_that_breaks_it(rule, status, made):
    found = findings(made())[rule]
    assert found.status == status, found.text
    assert (found.value is None) == (status == "not run")
    assert found.text
    assert "\n" not in found.text


def test_findings_say_what_was_measured():
    made = outcome(walk(60), charges=[10] * 60, turnover=[2000] * 60, golden=False)
    found = findings(made)
    assert found["charges"].value == pytest.approx(0.5)
    assert found["golden"].text == "not every bar is a golden one"
    assert found["latency"].text == "bars do not tell what a quarter of a second costs"
    daily = [after / before - 1.0 for before, after in pairwise([CASH, *walk(60).tolist()])]
    drawn = significance.resample_days(np.array(daily), 1)
    assert found["resampled"].value == pytest.approx(100.0 * drawn.losing)
    assert f"nine in ten return {drawn.low:.1f} to {drawn.high:.1f} %" in found["resampled"].text
    assert found["t_test"].value == pytest.approx(significance.above_zero(np.array(daily)))


@pytest.mark.parametrize(
    ("delayed", "status", "value"),
    [(90_00, "pass", 10.0), (40_00, "warn", 60.0), (-1_00, "fail", 101.0), (None, "not run", None)],
)
def test_a_run_on_ticks_is_held_against_itself_a_quarter_of_a_second_later(delayed, status, value):
    made = outcome([CASH + 100_00], feeds={"paper/2026-11-27/1": "0" * 64}, golden=False)
    found = findings(made, delayed=delayed)
    assert (found["latency"].status, found["latency"].value) == (status, value)
    assert found["golden"].status == "not run"
    lost = findings(outcome([CASH - 1], feeds={"a": "b"}), delayed=5)["latency"]
    assert (lost.status, lost.text) == ("not run", "there is no profit to lose")


def test_one_tick_more_is_counted_at_entry_and_exit_and_at_the_entry_alone_of_what_is_open():
    trades = [
        trade(1, quantity=10),
        trade(2, quantity=5, exit_ts=0),
        trade(3, symbol="SBIN", quantity=2),
    ]
    found = findings(outcome([CASH + 5_00], trades), ticks={"INFY": 0.05, "SBIN": 0.1})["ticks"]
    cost = 25 * 0.05 + 4 * 0.1
    assert found.value == pytest.approx(100 * cost / 5.0)
    assert found.status == "pass"
    assert (
        findings(outcome([CASH + 1_65], trades), ticks={"INFY": 0.05, "SBIN": 0.1})["ticks"].status
        == "fail"
    )
    assert findings(outcome([CASH], trades), ticks={"INFY": 0.05})["ticks"].status == "not run"


@pytest.mark.parametrize("clock", ["10:00", "10:01"])
def test_a_price_that_the_bar_or_the_one_that_just_ended_had_is_one(clock):
    bars = series([at(MONDAY, "10:00"), at(MONDAY, "10:01")])
    bars.high[:] = [105.0, 101.0]
    sold = trade(
        entry_ts=at(MONDAY, "10:00"), entry_price=100.0, exit_ts=at(MONDAY, clock), exit_price=105.0
    )
    assert findings(outcome([CASH], [sold]), bars={"INFY": bars})["bar"].status == "pass"


def test_a_price_that_no_bar_had_is_none_but_for_slippage():
    bars = {"INFY": series(minutes(MONDAY, 90))}
    far = trade(entry_price=101.5, exit_price=100.0)
    found = findings(outcome([CASH], [far]), bars=bars)["bar"]
    assert (found.status, found.value) == ("fail", 50.0)
    slipped = far._replace(slippage=500, quantity=10)
    assert findings(outcome([CASH], [slipped]), bars=bars)["bar"].status == "pass"


def test_a_fill_an_hour_after_the_last_bar_is_stale():
    bars = {"INFY": series([at(MONDAY, "10:00"), at(MONDAY, "10:30")])}
    for clock, count in (("11:30", 0), ("11:31", 1)):
        made = outcome([CASH], [trade(exit_ts=at(MONDAY, clock), exit_price=100.0)])
        assert findings(made, bars=bars)["stale"].value == count


def test_the_share_of_the_volume_is_that_of_one_fill_in_twenty():
    bars = {"INFY": series(minutes(MONDAY, 120), volume=1000)}
    made = outcome([CASH], [trade(quantity=100, exit_price=100.0)])
    found = findings(made, bars=bars)["volume"]
    assert (found.status, found.value) == ("warn", pytest.approx(10.0))
    assert "10 % at 1 × the money" in found.text
    empty = {"INFY": series(minutes(MONDAY, 120), volume=0)}
    assert findings(made, bars=empty)["volume"].status == "not run"


def test_a_price_that_halves_overnight_was_not_adjusted():
    bars = series([*minutes(MONDAY, 3), *minutes("2024-06-04", 3)])
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[3:] /= 2.0
    found = findings(outcome([CASH]), bars={"INFY": bars})["jumps"]
    assert (found.status, found.value) == ("warn", 1)
    assert found.text == "1 jump of more than 20 % between two sessions, first in INFY"
    assert (
        findings(outcome([CASH], data=adjusted_data()), bars={"INFY": bars})["jumps"].status
        == "pass"
    )
    inside = series(minutes(MONDAY, 6))
    inside.open[3:] /= 2.0
    assert findings(outcome([CASH]), bars={"INFY": inside})["jumps"].status == "pass"


def test_the_best_of_many_trials_has_to_be_better():
    made, _ = steady()
    assert findings(made, trials=1)["deflated"].status == "not run"
    assert findings(made, trials=2)["deflated"].status == "pass"
    assert findings(outcome(walk(260, seed=3)), trials=1000)["deflated"].status == "fail"


def test_the_worst_comes_first_and_the_verdict_names_it():
    made = outcome([CASH], partial=True, golden=False, turnover=[1000_00])
    found = lint_outcome(made, statistics(made))
    order = [(STATUSES.index(each.status), -each.severity) for each in found]
    assert order == sorted(order)
    assert {each.rule for each in found} == set(RULE)
    line = overall_verdict(found)
    assert line.startswith("fail: 4 fail, ")
    assert "partial run, charges missing, too few trades, too short" in line
    assert "not golden" not in line
    assert overall_verdict([]) == "not run: 0 fail, 0 warn, 0 pass, 0 not run"


def test_a_run_of_nothing_can_be_judged():
    found = findings(outcome())
    assert found["trades"].status == found["sessions"].status == "fail"
    assert found["account"].status == found["hours"].status == "not run"
