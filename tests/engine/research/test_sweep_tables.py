"""Tables of a sweep: the map over its parameters, and what is said in words."""

import pytest

from engine.indian_time import made_text
from engine.research.sweep_tables import heat_maps, score_text
from engine.research.trials import SweepRow, SweepTrial, TrialResult


def row(sharpe, symbol="A", **parameters):
    name = f"{symbol}{parameters}"
    trial = SweepTrial(strategy="s", symbol=symbol, parameters=parameters)
    return SweepRow(name, trial, 60, TrialResult(trial=name, metrics={"sharpe": sharpe}))


def test_a_map_is_the_mean_over_symbols_of_every_pair_of_values():
    rows = [row(1.0, n=2, m=1), row(3.0, "B", n=2, m=1), row(5.0, n=1, m=1), row(None, n=1, m=2)]
    found = heat_maps(rows, "sharpe")["s"]
    assert (found.across, found.down) == ("n", "m")
    assert (found.columns, found.rows) == ([1, 2], [1, 2])
    assert found.cells == [[5.0, 2.0], [None, None]]
    assert found.largest == 5.0


def test_an_axis_of_many_values_is_drawn_in_parts_of_neighbours():
    """Of 25 values three share a column: 1 to 3, 4 to 6 … and 25 alone."""
    found = heat_maps([row(float(n), n=n) for n in range(25, 0, -1)], "sharpe")["s"]
    assert found.columns == [*(f"{n} to {n + 2}" for n in range(1, 25, 3)), 25]
    assert found.cells == [[*(float(n + 1) for n in range(1, 25, 3)), 25.0]]


def test_words_are_never_put_together():
    rows = [row(1.0, side=f"side{n}") for n in range(20)]
    assert len(heat_maps(rows, "sharpe")["s"].columns) == 20


@pytest.mark.parametrize(
    ("score", "text"), [(13.194, "13.19"), (0.0, "0.00"), (0.15432, "0.154"), (-0.0123, "-0.0123")]
)
def test_a_small_score_keeps_its_figures(score, text):
    assert score_text(score) == text


def test_a_sweep_was_made_at_an_indian_time():
    assert made_text("2026-11-30T19:56:54+00:00") == "2026-12-01 01:26 IST"
    assert made_text("") == ""
