"""Plateaus, peaks and edges on grids that can be drawn on paper."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.research.evidence.score_plateau import score_plateau


def grid(rows, fasts, slows):
    """Return parameters and scores of a table: a row for each `slow`, a column for each `fast`."""
    cells = [
        ({"fast": fast, "slow": slow}, score)
        for slow, row in zip(slows, rows, strict=True)
        for fast, score in zip(fasts, row, strict=True)
    ]
    return [parameters for parameters, _ in cells], [score for _, score in cells]


def test_the_four_neighbours_of_a_best_in_the_middle():
    found = score_plateau(
        *grid([[0.1, 0.8, 0.2], [0.9, 1.0, 0.7], [0.0, 0.4, 5e-1]], [5, 10, 20], [50, 100, 200])
    )
    assert (found.best, found.score) == (4, 1.0)
    assert sorted(found.neighbours) == [0.4, 0.7, 0.8, 0.9]
    assert found.share == pytest.approx(75.0)
    assert found.edges == ()
    fast, slow = found.slices
    assert (fast.parameter, fast.values, fast.scores) == ("fast", (5, 10, 20), (0.9, 1.0, 0.7))
    assert (fast.spread, fast.step) == pytest.approx((0.3, 0.3))
    assert slow.scores == (0.8, 1.0, 0.4)
    assert (slow.spread, slow.step) == pytest.approx((0.6, 0.6))


def test_the_order_of_the_trials_does_not_make_the_neighbours():
    parameters = [{"n": n} for n in (30, 10, 20, 100)]
    found = score_plateau(parameters, [1.0, 0.1, 0.9, 0.6])
    assert found.slices[0].values == (10, 20, 30, 100)
    assert found.neighbours == (0.9, 0.6)
    assert found.slices[0].step == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("scores", "edges"), [([3, 2, 1], ("n",)), ([1, 2, 3], ("n",)), ([1, 3, 2], ())]
)
def test_the_best_at_either_end_is_at_the_edge(scores, edges):
    assert score_plateau([{"n": 0.5}, {"n": 1.0}, {"n": 2}], scores).edges == edges


def test_two_values_truths_and_texts_have_no_edge():
    trials = [
        ({"n": n, "trail": trail, "side": side}, n + trail + len(side))
        for n in (1, 2)
        for trail in (False, True)
        for side in ("long", "both ways", "short")
    ]
    found = score_plateau([each for each, _ in trials], [score for _, score in trials])
    assert found.edges == ()
    assert found.score == 2 + True + 9
    # the one neighbour is that of the number
    assert found.neighbours == (11,)
    numeric = {each.parameter: (each.numeric, each.step) for each in found.slices}
    assert numeric == {"n": (True, 1.0), "trail": (False, None), "side": (False, None)}
    assert {each.parameter: each.spread for each in found.slices} == {"n": 1, "trail": 1, "side": 5}


def test_trials_that_failed_or_were_not_run_are_no_neighbours():
    parameters, scores = grid([[1, 2, 3], [4, 9, math.nan], [7, 6, 5]], [1, 2, 3], [1, 2, 3])
    del parameters[1], scores[1]
    found = score_plateau(parameters, scores)
    assert found.best == parameters.index({"fast": 2, "slow": 2})
    assert sorted(found.neighbours) == [4, 6]
    assert found.slices[0].values == (1, 2)


def test_without_neighbours_or_merit_there_is_no_share():
    assert score_plateau([{"side": "long"}, {"side": "short"}], [1.0, 2.0]).share is None
    assert score_plateau([{"n": 1}, {"n": 2}], [-1.0, -2.0]).share is None
    assert score_plateau([{"n": 1}, {"n": 2}], [2.0, -1.0]).share == pytest.approx(-50.0)
    assert score_plateau([{}], [1.0]).slices == ()
    assert score_plateau([{"n": 1}], [math.nan]) is None
    assert score_plateau([], []) is None


def test_what_is_no_grid_is_refused():
    with pytest.raises(ValueError, match="2 trials have 1 scores"):
        score_plateau([{"n": 1}, {"n": 2}], [1.0])
    with pytest.raises(ValueError, match="the same parameters"):
        score_plateau([{"n": 1}, {"m": 2}], [1.0, 2.0])
    with pytest.raises(ValueError, match="two trials"):
        score_plateau([{"n": 1}, {"n": 1.0}], [1.0, 2.0])


@given(
    st.permutations(range(12)),
    st.lists(st.integers(-50, 50), min_size=12, max_size=12, unique=True),
    st.sampled_from([0.25, 8.0]),
)
def test_scale_and_order_of_the_trials_do_not_matter(order, scores, scale):
    parameters, _ = grid([[0] * 4] * 3, [1, 2, 3, 4], [10, 20, 30])
    found = score_plateau(parameters, scores)
    moved = score_plateau([parameters[at] for at in order], [scale * scores[at] for at in order])
    assert order[moved.best] == found.best
    assert moved.share == (None if found.share is None else pytest.approx(found.share))
    assert moved.edges == found.edges
