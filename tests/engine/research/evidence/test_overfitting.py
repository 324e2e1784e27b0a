"""The probability of overfitting: by hand, by brute force, and where it is known."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.research.evidence import overfitting
from engine.research.evidence.overfitting import overfitting_probability
from tests.engine.research.evidence.made_trials import noise


def by_brute_force(returns, blocks):
    """Return logits, and Sharpe ratios of the winner inside and outside, as the paper has it."""
    days, trials = returns.shape
    parts = np.array_split(np.arange(days), blocks)
    found = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[at] for at in chosen])
        outside = np.setdiff1d(np.arange(days), inside)
        first, second = (
            returns[rows].mean(axis=0) / returns[rows].std(axis=0, ddof=1)
            for rows in (inside, outside)
        )
        winner = first.argmax()
        rank = 1 + (second < second[winner]).sum()
        share = rank / (trials + 1)
        found.append((math.log(share / (1 - share)), first[winner], second[winner]))
    return np.array(found).T


def test_two_trials_that_take_turns_by_hand():
    """Two blocks of two days: each trial has the ratio √2 in one and −√2 in the other."""
    good, bad = [0.01, 0.03], [-0.01, -0.03]
    found = overfitting_probability(np.array([[*good, *bad], [*bad, *good]]).T, blocks=2)
    assert found.winners.tolist() == [0, 1]
    assert found.in_sample == pytest.approx([math.sqrt(2)] * 2)
    assert found.out_of_sample == pytest.approx([-math.sqrt(2)] * 2)
    # last of two: w = 1/3, ln ½
    assert found.logits == pytest.approx([math.log(0.5)] * 2)
    assert (found.probability, found.loss, found.slope) == (1.0, 1.0, None)


def test_the_better_one_of_two_stays_the_better_one():
    found = overfitting_probability(
        np.array([[0.01, 0.03, 0.02, 0.03], [0.01, -0.03, 0.0, 0.01]]).T, blocks=2
    )
    assert found.winners.tolist() == [0, 0]
    assert found.logits == pytest.approx([math.log(2.0)] * 2)
    assert (found.probability, found.loss) == (0.0, 0.0)


@pytest.mark.parametrize(("days", "trials", "blocks"), [(40, 3, 4), (61, 10, 6), (100, 7, 8)])
def test_it_is_what_brute_force_finds(days, trials, blocks):
    returns = noise(days, trials, seed=days) + 0.0005
    found = overfitting_probability(returns, blocks)
    logits, inside, outside = by_brute_force(returns, blocks)
    assert len(found.logits) == math.comb(blocks, blocks // 2)
    assert found.logits == pytest.approx(logits)
    assert found.in_sample == pytest.approx(inside)
    assert found.out_of_sample == pytest.approx(outside)
    assert found.probability == pytest.approx((logits <= 0).mean())
    assert found.loss == pytest.approx((outside < 0).mean())
    assert found.slope == pytest.approx(np.polyfit(inside, outside, 1)[0])


def test_sixteen_blocks_have_as_many_partitions_as_the_paper_says():
    found = overfitting_probability(noise(64, 4, seed=1))
    assert len(found.logits) == len(found.winners) == 12_870


def test_trials_of_one_mean_are_overfitted_by_construction():
    """The first case of the paper: what was won in one half was lost in the other."""
    returns = noise(400, 60, seed=2)
    returns /= returns.std(axis=0)
    found = overfitting_probability(returns - returns.mean(axis=0), blocks=8)
    assert found.probability > 0.99
    assert found.loss == 1.0
    assert found.slope < -0.5


def test_a_real_edge_is_found_again():
    returns = noise(600, 60, seed=3)
    returns[:, 17] += 0.004
    found = overfitting_probability(returns, blocks=8)
    assert set(found.winners.tolist()) == {17}
    assert found.probability == found.loss == 0.0


def test_noise_is_overfitted_about_half_of_the_time():
    found = [overfitting_probability(noise(120, 20, seed), 6).probability for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_copies_share_their_rank():
    found = overfitting_probability(np.repeat(noise(80, 1, seed=4), 5, axis=1), blocks=4)
    assert found.logits == pytest.approx(np.zeros(6))
    pair = np.repeat(noise(80, 2, seed=5), 4, axis=1)
    # the winner and its copies are the four first or the four last of eight
    ends = {round(math.log(2.5 / 6.5), 9), round(math.log(6.5 / 2.5), 9)}
    assert {round(value, 9) for value in overfitting_probability(pair, 4).logits} <= ends


def test_a_trial_that_stands_still_has_no_merit_and_no_fault():
    still = np.zeros((40, 1))
    losing = noise(40, 1, seed=6, spread=0.001) - 0.01
    found = overfitting_probability(np.hstack([losing, still]), blocks=4)
    assert set(found.winners.tolist()) == {1}
    assert found.out_of_sample.tolist() == [0.0] * 6
    assert found.loss == 0.0
    large = np.hstack([losing, still + 0.25])
    assert overfitting_probability(large, blocks=4).in_sample.tolist() == [0.0] * 6


def test_what_is_held_at_once_does_not_change_the_result(monkeypatch):
    returns = noise(96, 9, seed=7)
    whole = overfitting_probability(returns, blocks=8)
    monkeypatch.setattr(overfitting, "CELLS", 40)
    parts = overfitting_probability(returns, blocks=8)
    for ours, theirs in zip(whole, parts, strict=True):
        assert np.asarray(ours) == pytest.approx(np.asarray(theirs), rel=1e-9)


def test_what_cannot_be_divided_is_not_run():
    assert overfitting_probability(noise(100, 1, seed=1)) is None
    assert overfitting_probability(noise(31, 5, seed=1)) is None
    assert overfitting_probability(noise(32, 5, seed=1)) is not None
    for blocks in (0, 3, -2):
        with pytest.raises(ValueError, match="even number"):
            overfitting_probability(noise(100, 5, seed=1), blocks)


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_scale_and_order_of_the_trials_do_not_matter(seed, trials):
    random = np.random.default_rng(seed)
    returns = random.normal(0.02, 1.0, (50, trials))
    order = random.permutation(trials)
    scaled = returns[:, order] * random.uniform(1e-3, 1e3, trials)
    found, moved = (overfitting_probability(each, 6) for each in (returns, scaled))
    assert order[moved.winners].tolist() == found.winners.tolist()
    assert moved.logits == pytest.approx(found.logits)
    assert moved.out_of_sample == pytest.approx(found.out_of_sample)
