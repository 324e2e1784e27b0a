"""Laws of scoring, tried on tables that were drawn."""

from datetime import date
from statistics import fmean, pstdev

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.config.scoring_settings import ScoringSettings
from engine.research.scoring import (
    DEFAULT_WEIGHTS,
    TERMS,
    apply_constraints,
    score_rows,
    score_sweep,
)
from tests.engine.research.trials import trials

AS_OF = date(2026, 11, 28)
FIGURES = {
    "net_return": (-0.5, 0.5),
    "sharpe": (-3.0, 5.0),
    "sortino": (-3.0, 8.0),
    "win_rate": (0.0, 1.0),
    "max_drawdown": (-0.6, 0.0),
    "turnover": (0.0, 300.0),
    "average_holding_s": (0.0, 20_000.0),
    "penalty_gaps": (0.0, 4.0),
}
BETTER = {"turnover": -1, "average_holding_s": -1, "penalty_gaps": -1}
"""The figures of which less is better; of all others more."""
COUNTS = {"days": st.integers(1, 250), "trades": st.integers(0, 400)}


def figure(name):
    """Draw a figure off a grid now and then, so that cohorts have ties and equal figures."""
    low, high = FIGURES[name]
    grid = st.integers(0, 6).map(lambda n: low + (high - low) * n / 6)
    return st.one_of(grid, st.floats(low, high, allow_nan=False, allow_subnormal=False))


ROW = st.fixed_dictionaries(
    {name: figure(name) for name in FIGURES}
    | COUNTS
    | {
        "strategy": st.sampled_from(["cross", "ladder"]),
        "timeframe": st.sampled_from([60, 300]),
        "symbol": st.sampled_from(["INFY", "TCS", "SBIN"]),
        "parameters": st.sampled_from(["p", "q"]),
        "last_day": st.sampled_from(["2026-11-27", "2026-09-01", "2025-01-10"]),
    }
)
ROWS = st.lists(ROW, min_size=1, max_size=14)


def table_of(rows):
    return trials(**{f"{n:04x}": row for n, row in enumerate(rows)})


def scores(table, **arguments):
    return score_rows(table, as_of=AS_OF, **arguments).set_index("trial")["score"]


def exact(table):
    return table.sort_values("trial", ignore_index=True)


@given(ROWS, st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_the_order_of_rows_does_not_matter_to_the_bit(rows, chance):
    table = table_of(rows)
    shuffled = table.sample(frac=1.0, random_state=chance.randrange(2**32))
    first, second = score_sweep(table, as_of=AS_OF), score_sweep(shuffled, as_of=AS_OF)
    pd.testing.assert_frame_equal(first.trials, second.trials, check_exact=True)
    pd.testing.assert_frame_equal(first.configurations, second.configurations, check_exact=True)


SCALED = st.sampled_from(sorted(set(FIGURES) - {"win_rate"}))


@given(ROWS, SCALED, st.integers(-20, 20))
@settings(max_examples=8, deadline=None)
def test_the_scale_of_a_figure_does_not_matter_to_the_bit(rows, name, power):
    """Powers of two, which round nothing."""
    table = table_of(rows)
    scaled = table.assign(**{name: table[name] * 2.0**power})
    assert scores(scaled).to_dict() == scores(table).to_dict()


@given(ROWS, SCALED, st.sampled_from([0.01, 3.0, 100.0]))
@settings(max_examples=8, deadline=None)
def test_a_fraction_and_a_percentage_give_the_same_scores(rows, name, scale):
    """To nine digits, of figures on a grid: what differs in its last digits alone is noise."""
    low, high = FIGURES[name]
    coarse = [row | {name: low + (high - low) * round(row["win_rate"] * 8) / 8} for row in rows]
    table = table_of(coarse)
    scaled = table.assign(**{name: table[name] * scale})
    assert scores(scaled).to_dict() == pytest.approx(scores(table).to_dict(), abs=1e-9, rel=1e-9)


@given(ROWS)
@settings(max_examples=8, deadline=None)
def test_a_cohort_does_not_touch_another(rows):
    table = table_of(rows)
    together = exact(score_rows(table, as_of=AS_OF))
    for cohort in (("cross", 60), ("ladder", 300)):
        own = (table["strategy"] == cohort[0]) & (table["timeframe"] == cohort[1])
        if own.any():
            alone = exact(score_rows(table[own], as_of=AS_OF))
            pd.testing.assert_frame_equal(
                alone,
                together[together["trial"].isin(table["trial"][own])].reset_index(drop=True),
                check_exact=True,
            )


@given(ROWS, st.data())
@settings(max_examples=25, deadline=None)
def test_a_trial_that_is_better_in_everything_never_scores_lower(rows, data):
    """The better one is drawn upwards from another of its cohort, its last day too."""
    worse = data.draw(st.sampled_from(rows))
    better = dict(worse)
    for name, (low, high) in FIGURES.items():
        ends = (low, worse[name]) if name in BETTER else (worse[name], high)
        better[name] = data.draw(st.floats(*ends, allow_subnormal=False))
    better["last_day"] = data.draw(st.sampled_from([worse["last_day"], "2026-11-28"]))
    table = trials(**{f"{n:04x}": row for n, row in enumerate(rows)}, worse=worse, better=better)
    found = scores(table)
    assert found["better"] >= found["worse"]


@given(ROWS, st.floats(-2.0, 2.0), st.floats(0.01, 0.6), st.integers(0, 300))
@settings(max_examples=8, deadline=None)
def test_gates_only_remove(rows, least_return, drawdown, least_trades):
    table = table_of(rows)
    wide = {"min_annual_return": -1_000.0, "max_drawdown": 0.0}
    tight = {
        "min_annual_return": least_return,
        "max_drawdown": drawdown,
        "min_trades": least_trades,
    }
    free, gated = apply_constraints(table, wide), apply_constraints(table, tight)
    assert set(free["rejected"]) == {""}
    assert list(gated["trial"]) == list(free["trial"])
    r = table["net_return"] * 252 / table["days"]
    stays = (
        (r > least_return)
        & (-table["max_drawdown"] <= drawdown)
        & (table["trades"] >= least_trades)
    )
    assert list(gated["rejected"] == "") == list(stays)
    pd.testing.assert_frame_equal(
        score_rows(gated, as_of=AS_OF).drop(columns="rejected"),
        score_rows(free, as_of=AS_OF).drop(columns="rejected"),
        check_exact=True,
    )


@given(ROWS)
@settings(max_examples=8, deadline=None)
def test_a_score_can_be_reckoned_again_from_its_cohort_and_its_row(rows):
    table = score_rows(table_of(rows), as_of=AS_OF)
    for _, cohort in table.groupby(["strategy", "timeframe"]):
        for term in TERMS:
            kept, z = cohort[f"winsorised_{term}"], cohort[f"z_{term}"]
            if kept.max() - kept.min() <= 1e-12 * kept.abs().max():
                assert (z == 0.0).all()
                assert term in cohort["z_note"].iloc[0] or len(cohort) == 1
            else:
                expected = ((kept - fmean(kept)) / pstdev(kept)).tolist()
                assert z.tolist() == pytest.approx(expected, abs=1e-4)
                assert term not in cohort["z_note"].iloc[0]
    for row in table.to_dict("records"):
        for term in TERMS:
            assert row[f"weight_{term}"] == DEFAULT_WEIGHTS[term]
            assert row[f"term_{term}"] == row[f"z_{term}"] * row[f"weight_{term}"]
        total = sum(row[f"term_{term}"] for term in TERMS)
        assert row["total"] == pytest.approx(total, abs=1e-12)
        assert row["decay"] == 0.5 ** (row["age_days"] / 90.0)
        taken = (1.0 - row["decay"]) * abs(row["total"])
        assert row["score"] == pytest.approx(row["total"] - taken, abs=1e-12)


@given(ROWS, st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
@settings(max_examples=8, deadline=None)
def test_the_choice_keeps_its_bounds_and_everything_has_a_reason(rows, k, count, per_symbol):
    bounds = ScoringSettings(top_k=k, next_day=count, per_symbol=per_symbol)
    done = score_sweep(table_of(rows), bounds, AS_OF).trials
    chosen = done[done["chosen"]]
    assert len(done) == len(rows)
    assert (done["reason"] != "").all()
    assert list(chosen["turn"]) == list(range(1, len(chosen) + 1))
    assert len(chosen) <= count
    assume(len(chosen))
    assert (chosen["rejected"] == "").all()
    assert chosen["place"].between(1, k).all()
    assert chosen["symbol"].value_counts().max() <= per_symbol
    assert chosen["score"].is_monotonic_decreasing
