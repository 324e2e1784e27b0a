"""Scores of trials: gates, terms, cohorts, age, and complaints; expected values are by hand."""

from datetime import date
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.config.config_files import parse_config
from engine.config.scoring_settings import GateSettings, ScoringSettings, WeightSettings
from engine.errors import ConfigError, DataError
from engine.research import scoring
from engine.research.scoring import (
    DEFAULT_GATES,
    DEFAULT_WEIGHTS,
    TERMS,
    apply_constraints,
    score_rows,
    score_sweep,
)
from tests.engine.research.trials import TRIAL, by_trial, trials

WHOLE = (0.0, 100.0)
"""Percentiles that clip nothing."""


def rejected(table, gates=None):
    return {
        name: row["rejected"]
        for name, row in by_trial(apply_constraints(table, gates or {})).items()
    }


def scored(table, **arguments):
    return by_trial(score_rows(table, **arguments))


def configured(text):
    config, *_ = parse_config(text, Path("config.toml"))
    return config.scoring


def test_a_trial_stays_that_earns_and_whose_drawdown_is_bounded():
    table = trials(
        a={},
        b={"net_return": 0.0},
        c={"net_return": -0.02},
        d={"max_drawdown": -0.2},
        e={"max_drawdown": -0.25},
        f={"net_return": -0.01, "max_drawdown": -0.3},
    )
    assert rejected(table) == {
        "a": "",
        "b": "annual_return 0 is not above 0",
        "c": "annual_return -0.08 is not above 0",
        "d": "",
        "e": "drawdown 0.25 is above 0.2",
        "f": "annual_return -0.04 is not above 0; drawdown 0.3 is above 0.2",
    }


@pytest.mark.parametrize(
    ("gate", "bound", "field", "worse", "at", "reason"),
    [
        (
            "min_annual_return",
            0.1,
            "net_return",
            0.025,
            0.026,
            "annual_return 0.1 is not above 0.1",
        ),
        ("max_drawdown", 0.1, "max_drawdown", -0.11, -0.1, "drawdown 0.11 is above 0.1"),
        ("min_trades", 30, "trades", 29, 30, "trades 29 is below 30"),
        ("min_days", 60, "days", 59, 60, "days 59 is below 60"),
        ("min_win_rate", 0.4, "win_rate", 0.39, 0.4, "win_rate 0.39 is below 0.4"),
        ("min_sharpe", 1.0, "sharpe", 0.9, 1.0, "sharpe 0.9 is below 1"),
        ("max_turnover", 50, "turnover", 51.0, 50.0, "turnover 51 is above 50"),
        ("max_penalties", 2, "penalty_gaps", 3, 2, "penalties 3 is above 2"),
    ],
)
def test_every_gate_rejects_beyond_its_bound_and_not_at_it(gate, bound, field, worse, at, reason):
    table = trials(a={field: worse}, b={field: at})
    assert rejected(table, {gate: bound}) == {"a": reason, "b": ""}
    assert rejected(table)["a"] == ""


def test_every_gate_is_tried_above():
    assert set(DEFAULT_GATES) == {
        "min_annual_return",
        "max_drawdown",
        "min_trades",
        "min_days",
        "min_win_rate",
        "min_sharpe",
        "max_turnover",
        "max_penalties",
    }
    assert {name: bound for name, bound in DEFAULT_GATES.items() if bound} == {"max_drawdown": 0.2}


def test_a_return_is_that_of_a_year_of_252_sessions():
    rows = scored(trials(a={"net_return": 0.02, "days": 21}, b={"net_return": -0.1, "days": 504}))
    assert rows["a"]["raw_annual_return"] == pytest.approx(0.24, rel=1e-12)
    assert rows["b"]["raw_annual_return"] == pytest.approx(-0.05, rel=1e-12)


def test_every_term_is_the_z_score_of_the_cohort_times_its_weight():
    """Of 1, 2 and 6 the mean is 3 and the deviation √((4 + 1 + 9) / 3)."""
    table = trials(a={"sharpe": 1.0}, b={"sharpe": 2.0}, c={"sharpe": 6.0})
    rows = scored(table, weights={"sharpe": 2.0}, percentiles=WHOLE)
    deviation = sqrt(14 / 3)
    for name, sharpe in (("a", 1.0), ("b", 2.0), ("c", 6.0)):
        row = rows[name]
        assert row["raw_sharpe"] == row["winsorised_sharpe"] == sharpe
        assert row["z_sharpe"] == pytest.approx((sharpe - 3.0) / deviation, rel=1e-12)
        assert row["weight_sharpe"] == 2.0
        assert row["term_sharpe"] == pytest.approx(2.0 * (sharpe - 3.0) / deviation, rel=1e-12)
        assert row["score"] == row["total"] == row["term_sharpe"]
        assert row["cohort_size"] == 3
        assert row["z_note"] == "no variance: " + ", ".join(
            term for term in TERMS if term != "sharpe"
        )


@pytest.mark.parametrize(
    ("term", "better", "worse"),
    [
        ("annual_return", {"net_return": 0.06}, {"net_return": 0.04}),
        ("sharpe", {"sharpe": 2.0}, {"sharpe": 1.0}),
        ("sortino", {"sortino": 2.0}, {"sortino": 1.0}),
        ("win_rate", {"win_rate": 0.6}, {"win_rate": 0.5}),
        ("drawdown", {"max_drawdown": -0.05}, {"max_drawdown": -0.1}),
        ("turnover", {"turnover": 10.0}, {"turnover": 20.0}),
        ("holding", {"average_holding_s": 60.0}, {"average_holding_s": 600.0}),
        ("penalties", {"penalty_gaps": 0.0}, {"penalty_gaps": 1.0}),
    ],
)
def test_the_better_of_two_is_one_deviation_up_whatever_the_term(term, better, worse):
    rows = scored(trials(a=worse, b=better))
    size = abs(DEFAULT_WEIGHTS[term])
    assert size > 0
    assert rows["b"][f"term_{term}"] == rows["b"]["score"] == pytest.approx(size, rel=1e-12)
    assert rows["a"][f"term_{term}"] == rows["a"]["score"] == pytest.approx(-size, rel=1e-12)
    assert all(rows["b"][f"term_{other}"] == 0.0 for other in TERMS if other != term)


def test_penalties_are_added_before_they_are_compared():
    table = trials(
        a={"penalty_gaps": 1, "penalty_edge": 2.5}, b={"penalty_gaps": 0, "penalty_edge": 0}
    )
    assert scored(table)["a"]["raw_penalties"] == 3.5
    assert scored(trials(a={}))["a"]["raw_penalties"] == 0.0


def test_a_figure_far_out_counts_as_the_percentile():
    """Of 0, 1 … 99 and 1,000, the 1st percentile is 1 and the 99th 99: places 1 and 99 of 100."""
    figures = [*range(100), 1000]
    table = trials(**{f"t{n:04}": {"sharpe": float(n)} for n in figures})
    rows = scored(table)
    assert [rows[f"t{n:04}"]["winsorised_sharpe"] for n in (0, 1, 2, 98, 99, 1000)] == [
        1.0,
        1.0,
        2.0,
        98.0,
        99.0,
        99.0,
    ]
    assert rows["t1000"]["raw_sharpe"] == 1000.0
    assert rows["t1000"]["score"] == rows["t0099"]["score"]
    quarters = scored(table, percentiles=(25.0, 75.0))
    assert quarters["t0003"]["winsorised_sharpe"] == 25.0
    assert quarters["t1000"]["winsorised_sharpe"] == 75.0


def test_a_cohort_of_one_has_a_score_of_0_and_says_so():
    row = scored(trials(a={}))["a"]
    assert [row[f"z_{term}"] for term in TERMS] == [0.0] * len(TERMS)
    assert (row["cohort_size"], row["z_note"], row["score"]) == (1, "cohort of one", 0.0)


def test_rounding_is_no_variance():
    thirds = (0.1 + 0.2, 0.3, 0.3)
    assert thirds[0] != thirds[1]
    rows = scored(trials(**{f"t{n}": {"sharpe": value} for n, value in enumerate(thirds)}))
    assert {row["z_sharpe"] for row in rows.values()} == {0.0}
    assert "sharpe" in rows["t0"]["z_note"]


@pytest.mark.parametrize("size", [1e-250, 1.0, 1e250])
def test_figures_of_any_size_have_z_scores(size):
    rows = scored(trials(a={"sharpe": 0.0}, b={"sharpe": size}))
    assert [rows[name]["z_sharpe"] for name in "ab"] == pytest.approx([-1.0, 1.0])


def test_strategies_and_timeframes_are_cohorts_of_their_own():
    table = trials(
        a={"sharpe": 1.0},
        b={"sharpe": 3.0},
        c={"sharpe": 30.0, "timeframe": 300},
        d={"sharpe": 10.0, "timeframe": 300},
        e={"sharpe": 900.0, "strategy": "ladder"},
    )
    rows = scored(table)
    assert {name: row["z_sharpe"] for name, row in rows.items()} == {
        "a": pytest.approx(-1.0),
        "b": pytest.approx(1.0),
        "c": pytest.approx(1.0),
        "d": pytest.approx(-1.0),
        "e": 0.0,
    }


def test_age_takes_half_of_the_size_of_a_score_in_a_half_life():
    """A total of 1.5 falls to 0.75, one of -1.5 to -2.25; twice that age takes three quarters."""
    table = trials(
        a={"sharpe": 2.0, "last_day": "2026-10-29"},
        b={"sharpe": 1.0, "last_day": "2026-10-29"},
        c={"sharpe": 2.0, "last_day": "2026-09-29", "timeframe": 300},
        d={"sharpe": 1.0, "last_day": "2026-11-28", "timeframe": 300},
    )
    rows = scored(table, half_life_days=30.0, as_of=date(2026, 11, 28))
    figures = {name: (row["age_days"], row["decay"]) for name, row in rows.items()}
    assert figures == {"a": (30, 0.5), "b": (30, 0.5), "c": (60, 0.25), "d": (0, 1.0)}
    assert {name: row["score"] for name, row in rows.items()} == {
        "a": pytest.approx(0.75),
        "b": pytest.approx(-2.25),
        "c": pytest.approx(0.375),
        "d": pytest.approx(-1.5),
    }
    unaged = scored(table, half_life_days=0.0, as_of=date(2026, 11, 28))
    assert unaged["a"]["score"] == unaged["a"]["total"]
    assert unaged["a"]["age_days"] == 30


@pytest.mark.parametrize(
    "day", ["2026-11-20", date(2026, 11, 20), pd.Timestamp("2026-11-20 15:30")]
)
def test_a_last_day_is_a_text_a_date_or_a_time(day):
    assert scored(trials(a={"last_day": day}), as_of=date(2026, 11, 28))["a"]["age_days"] == 8


def test_rows_come_the_best_first_and_ties_by_trial_id():
    table = trials(c={}, b={"sharpe": 9.0}, a={})
    assert list(score_rows(table)["trial"]) == ["b", "a", "c"]


def test_a_rejected_trial_has_a_score_and_moves_its_cohort():
    table = trials(a={"net_return": -0.05}, b={"net_return": 0.05})
    rows = scored(apply_constraints(table))
    assert rows["a"]["rejected"]
    assert rows["b"]["z_annual_return"] == pytest.approx(1.0)
    assert rows["a"]["z_annual_return"] == pytest.approx(-1.0)


def test_a_table_can_be_scored_again_with_other_weights():
    table = trials(a={"sharpe": 1.0, "net_return": 0.06}, b={"sharpe": 2.0})
    once = score_rows(apply_constraints(table))
    again = score_rows(once, {"annual_return": 0.0})
    pd.testing.assert_frame_equal(
        again, score_rows(apply_constraints(table), {"annual_return": 0.0})
    )
    assert list(once["trial"]) == ["a", "b"]
    assert list(again["trial"]) == ["b", "a"]


def test_the_table_that_is_handed_in_stays_as_it_was():
    table = trials(b={"sharpe": 2.0}, a={})
    before = table.copy()
    score_sweep(table)
    pd.testing.assert_frame_equal(table, before)


def test_the_settings_of_the_file_reach_every_step():
    text = """
[scoring]
winsor_low = 0
winsor_high = 100
half_life_days = 10
top_k = 1
next_day = 1
per_symbol = 1
[scoring.gates]
min_trades = 50
[scoring.weights]
sharpe = 4.0
"""
    settings = configured(text)
    table = trials(
        a={"trades": 50, "sharpe": 3.0, "last_day": "2026-11-18"},
        b={"trades": 60, "sharpe": 1.0, "last_day": "2026-11-28"},
        c={"trades": 49, "sharpe": 2.0, "last_day": "2026-11-28", "symbol": "TCS"},
        d={"trades": 70, "sharpe": 2.0, "last_day": "2026-11-28", "symbol": "SBIN"},
    )
    done = by_trial(score_sweep(table, settings, date(2026, 11, 28)).trials)
    assert done["a"]["score"] == pytest.approx(4.0 * sqrt(2.0) / 2.0)
    assert {name: row["reason"] for name, row in done.items()} == {
        "a": "chosen as 1 of at most 1: score 2.828, place 1 of INFY at 60 s",
        "b": "not selected: place 2 of INFY at 60 s",
        "c": "rejected: trades 49 is below 50",
        "d": "the day has its 1 already",
    }


def test_the_defaults_are_those_of_the_settings():
    defaults = ScoringSettings()
    assert defaults.gates == GateSettings()
    assert defaults.weights == WeightSettings()
    assert (defaults.next_day, defaults.half_life_days) == (5, 90.0)
    assert (
        set(DEFAULT_WEIGHTS)
        == set(TERMS)
        == set(scoring.raw_figures(scoring.checked_trials(trials(a={}))))
    )
    with pytest.raises(TypeError):
        DEFAULT_WEIGHTS["sharpe"] = 3.0


BAD_FIGURES = [
    ("sharpe", "none", "sharpe of trial b is none; expected a ratio, or leave the trial out"),
    ("turnover", float("inf"), "turnover of trial b is inf; expected a number"),
    ("max_drawdown", float("nan"), "max_drawdown of trial b is nan; expected a fraction"),
    ("max_drawdown", float("-inf"), "max_drawdown of trial b is -inf; expected a fraction"),
    ("net_return", None, "net_return of trial b is nan; expected a fraction of the capital"),
    ("win_rate", 55.0, "win_rate of trial b is 55.0; expected a share from 0 to 1, as 0.55"),
    ("win_rate", -0.1, "win_rate of trial b is -0.1; expected a share"),
    ("max_drawdown", 0.2, "max_drawdown of trial b is 0.2; expected a fraction that is at most 0"),
    ("days", 0, "days of trial b is 0; expected sessions of the window"),
    ("turnover", -1.0, "turnover of trial b is -1.0; expected a number that is at least 0"),
    ("average_holding_s", -1.0, "average_holding_s of trial b is -1.0; expected seconds"),
    ("trades", "many", "trades of trial b is many; expected a number that is at least 0"),
    ("timeframe", 0.5, "timeframe of trial b is 0.5; expected whole seconds"),
    ("penalty_gaps", -1.0, "penalty_gaps of trial b is -1.0; expected a number"),
    ("symbol", "", "symbol of row 2 is ''; expected a text that is not empty"),
    ("strategy", None, "strategy of row 2 is "),
    ("parameters", {"fast": 9}, "parameters of row 2 is {'fast': 9}; expected a text"),
]


@pytest.mark.parametrize("step", [apply_constraints, score_rows])
@pytest.mark.parametrize(("field", "value", "complaint"), BAD_FIGURES)
def test_a_figure_that_cannot_be_is_named_with_its_trial(step, field, value, complaint):
    plain = {field: TRIAL.get(field, 0.0)}
    with pytest.raises(DataError) as caught:
        step(trials(a=plain, b={field: value}))
    assert str(caught.value).startswith(f"trials: {complaint}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["trial", *TRIAL])
def test_a_missing_column_is_named(name):
    table = trials(a={}).drop(columns=name)
    with pytest.raises(DataError, match=rf"^trials: there is no column {name}[;,].*scoring\.md"):
        apply_constraints(table)
    with pytest.raises(DataError, match=rf"^trials: there is no column {name}[;,]"):
        score_rows(table)


def test_a_column_that_is_spelt_wrong_is_pointed_at():
    table = trials(a={}).rename(columns={"sortino": "sortinho"})
    with pytest.raises(DataError, match=r'no column sortino; did you mean "sortinho"\?'):
        score_rows(table)


@pytest.mark.parametrize(
    ("call", "error", "complaint"),
    [
        (lambda: score_rows(trials(a={}).head(0)), DataError, "the table is empty; run the sweep"),
        (
            lambda: score_rows(pd.concat([trials(a={}, b={}), trials(a={})])),
            DataError,
            "trials: a stands there more than once; expected one row for each trial",
        ),
        (
            lambda: score_rows(trials(a={}), {"sharp": 1.0}),
            ConfigError,
            'there is no weight sharp; did you mean "sharpe"?',
        ),
        (
            lambda: apply_constraints(trials(a={}), {"min_trade": 1}),
            ConfigError,
            'there is no gate min_trade; did you mean "min_trades"?',
        ),
        (
            lambda: score_rows(trials(a={}), {"sharpe": float("nan")}),
            ConfigError,
            "weight sharpe: expected a number, got nan",
        ),
        (
            lambda: apply_constraints(trials(a={}), {"min_trades": "30"}),
            ConfigError,
            "gate min_trades: expected a number, got '30'",
        ),
        (
            lambda: score_rows(trials(a={}), percentiles=(99.0, 1.0)),
            ConfigError,
            "percentiles (99.0, 1.0): expected two from 0 to 100, the lower first",
        ),
        (
            lambda: score_rows(trials(a={}), half_life_days=-1.0),
            ConfigError,
            "half_life_days -1.0: expected days, or 0 for no ageing",
        ),
        (
            lambda: score_rows(trials(a={"last_day": "2026-11-20"})),
            DataError,
            "no day to count ages to; give as_of, or drop the column",
        ),
        (
            lambda: score_rows(trials(a={"last_day": "2026-11-29"}), as_of=date(2026, 11, 28)),
            DataError,
            "last_day of trial a lies after 2026-11-28; give a later as_of",
        ),
        *(
            (
                lambda day=day: score_rows(trials(a={"last_day": day}), as_of=date(2026, 11, 28)),
                DataError,
                "last_day of trial a is ",
            )
            for day in ("20 Nov 2026", None, float("nan"), pd.NaT)
        ),
    ],
)
def test_what_cannot_be_scored_is_one_line(call, error, complaint):
    with pytest.raises(error) as caught:
        call()
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_weights_too():
    assert scored(trials(a={}), weights={"sharpe": np.int64(3)})["a"]["weight_sharpe"] == 3.0


def test_a_figure_that_is_not_defined_speaks_neither_for_a_trial_nor_against_it():
    """Of the win rates 0.4, 0.6 and none the mean is 0.5, so z is −1, 1 and 0."""
    table = score_rows(
        trials(a={"win_rate": 0.4}, b={"win_rate": 0.6}, c={"win_rate": float("nan")}),
        percentiles=(0.0, 100.0),
    )
    rows = by_trial(table)
    assert [rows[name]["z_win_rate"] for name in "abc"] == pytest.approx([-1.0, 1.0, 0.0])
    assert rows["c"]["z_note"].endswith("not defined: win_rate")
    assert "not defined" not in rows["a"]["z_note"]
    assert rows["c"]["score"] == 0.0


def test_a_ratio_without_end_counts_as_the_percentile_of_the_others():
    """Never a losing day: of the Sortino ratios 1, 3, ∞ the last is as good as 3, z of 1, 3, 3."""
    table = score_rows(
        trials(a={"sortino": 1.0}, b={"sortino": 3.0}, c={"sortino": float("inf")}),
        percentiles=(0.0, 100.0),
    )
    rows = by_trial(table)
    # mean 7/3, deviation √((16/9 + 4/9 + 4/9) / 3) = √8 / 3
    expected = [-4 / 8**0.5, 2 / 8**0.5, 2 / 8**0.5]
    assert [rows[name]["z_sortino"] for name in "abc"] == pytest.approx(expected)
    assert rows["c"]["winsorised_sortino"] == 3.0


def test_ratios_that_are_all_without_end_stand_by_their_sign():
    table = score_rows(
        trials(a={"sharpe": float("-inf")}, b={"sharpe": float("inf")}, c={"sharpe": float("nan")})
    )
    rows = by_trial(table)
    assert [rows[name]["z_sharpe"] for name in "abc"] == pytest.approx([-1.0, 1.0, 0.0])


def test_what_is_not_defined_keeps_no_bound_that_is_set():
    table = trials(a={"win_rate": float("nan"), "sharpe": float("inf")})
    free = by_trial(apply_constraints(table))["a"]["rejected"]
    tight = by_trial(apply_constraints(table, {"min_win_rate": 0.3, "min_sharpe": 1.0}))
    assert free == ""
    assert tight["a"]["rejected"] == "win_rate is not defined"
