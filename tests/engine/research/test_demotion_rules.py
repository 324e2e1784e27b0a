"""Every rule of demotion on both sides of its threshold, and before it can say anything."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from engine.config.promotion_settings import PromotionSettings
from engine.promotion.next_day_file import TrialPromise
from engine.research.demotion_rules import EvaluatedFacts, broken_rules, demotion_rules
from engine.research.evidence.monte_carlo import ChanceSpread
from engine.research.realised_days import SessionResult, realised_figures

SETTINGS = PromotionSettings(
    min_sessions=3,
    min_percentile=4.0,
    drawdown_factor=1.5,
    min_parity=80.0,
    silent_after_trades=5.0,
    max_weeks=13,
)
SINCE = date(2024, 6, 3)


def spread(below):
    return ChanceSpread(0.0, below, ())


def figures(*pnl, entered=1):
    return realised_figures(
        [
            SessionResult(SINCE + timedelta(days=n), paise, (), entered)
            for n, paise in enumerate(pnl)
        ],
        10_000_00,
    )


GOOD = EvaluatedFacts(
    figures(100, -50, 100),
    TrialPromise(sessions=100, trades_a_day=1.0),
    luck=spread(0.5),
    promised_drawdown=-100.0,
    parities=(100.0, 90.0, 80.0),
    since=SINCE,
    today=SINCE + timedelta(days=7),
)


def verdicts(facts, settings=SETTINGS):
    return {each.rule: each.verdict for each in demotion_rules(facts, settings)}


def test_what_keeps_its_promise_breaks_no_rule():
    outcomes = demotion_rules(GOOD, SETTINGS)
    assert [each.verdict for each in outcomes] == ["pass"] * 6
    assert broken_rules(outcomes) == []


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        ("percentile", {"luck": spread(0.04)}, {"luck": spread(0.0399)}),
        ("drawdown", {"figures": figures(0, -150, 0)}, {"figures": figures(0, -151, 0)}),
        ("parity", {"parities": (60.0, 80.0, 100.0)}, {"parities": (60.0, 80.0, 99.0)}),
        ("silence", {"figures": figures(*[0] * 9)}, {"figures": figures(*[0] * 9, entered=0)}),
        (
            "age",
            {"today": SINCE + timedelta(weeks=13)},
            {"today": SINCE + timedelta(weeks=13, days=1)},
        ),
        ("source", {"fault": ""}, {"fault": "its source is gone"}),
    ],
)
def test_a_rule_is_kept_at_its_threshold_and_broken_beyond(rule, kept, broken):
    assert verdicts(GOOD._replace(**kept))[rule] == "pass"
    outcomes = demotion_rules(GOOD._replace(**broken), SETTINGS)
    assert [each.rule for each in broken_rules(outcomes)] == [rule]


@pytest.mark.parametrize(
    ("rule", "change", "told"),
    [
        ("percentile", {"figures": figures(-100, -100)}, "too early: 2 sessions, of 3 at least"),
        ("percentile", {"luck": None}, "promote it again"),
        ("drawdown", {"luck": None}, "promote it again"),
        ("drawdown", {"promised_drawdown": 0.0}, "never lost"),
        ("parity", {"parities": (10.0, 10.0)}, "2 sessions with decisions compared, of 3 at least"),
        ("silence", {"figures": figures(0, 0, 0, 0, entered=0)}, "promised were 4.0"),
    ],
)
def test_a_rule_that_knows_too_little_says_so_and_demotes_nothing(rule, change, told):
    (found,) = (
        each
        for each in demotion_rules(GOOD._replace(luck=spread(0.0))._replace(**change), SETTINGS)
        if each.rule == rule
    )
    assert found.verdict == "not yet"
    assert told in found.text


def test_a_fall_beyond_the_promise_counts_from_the_first_session_on():
    facts = GOOD._replace(figures=figures(-151))
    assert verdicts(facts)["drawdown"] == "fail"
    assert verdicts(facts)["percentile"] == "not yet"


def test_the_thresholds_are_those_of_the_settings():
    facts = GOOD._replace(luck=spread(0.3), figures=figures(0, -250, 0))
    assert verdicts(facts)["percentile"] == "pass"
    assert verdicts(facts)["drawdown"] == "fail"
    other = replace(SETTINGS, min_percentile=40.0, drawdown_factor=3.0)
    assert verdicts(facts, other)["percentile"] == "fail"
    assert verdicts(facts, other)["drawdown"] == "pass"
