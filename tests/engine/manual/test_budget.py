"""Budget of the strategies, and whether the account has it; worked out by hand."""

import pytest

from compiled.trading.risk import RiskLimits
from engine.day.budget_guard import committed_paise, shortfall_text


def limits(exposure, **budgets):
    made = RiskLimits(max_exposure=exposure)
    for name, paise in budgets.items():
        made.budgets[name] = paise
    return made


@pytest.mark.parametrize(
    ("budgets", "totals", "most"),
    [
        ({}, {}, 1_000),
        ({"a": 300}, {}, 1_000),
        ({"a": 300, "b": 200}, {}, 500),
        ({"a": 300}, {"a": 900, "b": 100}, 400),
        ({"a": 800, "b": 800}, {}, 1_000),
    ],
    ids=[
        "without a budget the limit on exposure holds",
        "one without a budget may use it all",
        "budgets add up",
        "a budget goes before a strategy's own total",
        "exposure bounds them all together",
    ],
)
def test_what_strategies_may_have_in_positions(budgets, totals, most):
    assert committed_paise(["a", "b"], limits(1_000, **budgets), totals) == most


def test_no_strategy_needs_nothing():
    assert committed_paise([], limits(1_000), {}) == 0


def test_funds_that_just_suffice_hold_nothing_back():
    assert shortfall_text(100_000, 1.002, 100_200) == ""
    assert shortfall_text(0, 1.0, 0) == ""


def test_what_is_missing_is_said_in_rupees_with_the_mend():
    text = shortfall_text(100_000, 1.002, 100_199)
    for part in ("₹1002.00", "₹1001.99", "risk.max_exposure", "add funds"):
        assert part in text
