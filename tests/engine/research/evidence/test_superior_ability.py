"""Superior predictive ability: its size, its power, and that it says what arch says."""

import numpy as np
import pytest

from engine.research.evidence.superior_ability import superior_ability
from tests.engine.research.evidence.made_trials import noise


@pytest.mark.parametrize("returns", [noise(19, 4, seed=1), np.zeros((100, 3))])
def test_too_little_is_not_tested(returns):
    found = superior_ability(returns, seed=1)
    assert found.spa is None
    assert "20 days" in found.text


def test_noise_is_superior_as_often_as_its_size_says():
    found = [superior_ability(noise(120, 10, n), seed=n, resamples=200) for n in range(60)]
    assert sum(each.spa <= 0.1 for each in found) / 60 == pytest.approx(0.1, abs=0.1)
    assert sum(bool(each.superior) for each in found) <= 8
    assert all(each.lower <= each.spa <= each.upper for each in found)


def test_what_earns_is_found_whatever_its_units():
    returns = noise(500, 12, seed=2)
    returns[:, 3] += 0.003
    returns[:, 7] += 0.002
    returns[:, 5] *= 50.0  # the wildest decides nothing
    returns = np.hstack([np.zeros((500, 1)), returns])
    found = superior_ability(returns, seed=1)
    assert found.spa < 0.01
    assert found.superior == (4, 8)
    assert found.text == ""


def test_every_trial_can_be_superior_step_by_step():
    """The weakest one is found only once the others are set aside."""
    returns = noise(300, 5, seed=0, spread=1.0) + np.array([0.4, 0.3, 0.25, 0.2, 0.12])
    assert superior_ability(returns, seed=1, resamples=200).superior == (0, 1, 2, 3, 4)


class TestAsArchHasIt:
    """Other draws of the same bootstrap: ps differ by no more than 3,000 draws allow."""

    @pytest.fixture(autouse=True)
    def _arch(self):
        self.bootstrap = pytest.importorskip("arch.bootstrap")

    @pytest.mark.parametrize("seed", range(4))
    def test_its_three_ps(self, seed):
        returns = noise(200, 12, seed) - 0.002 * (np.arange(12) > 6)
        theirs = self.bootstrap.SPA(
            np.zeros(200), -returns / returns.std(axis=0), block_size=14, reps=3000, seed=1
        )
        theirs.compute()
        found = superior_ability(returns, seed=2, block=14, resamples=3000)
        ours = (found.lower, found.spa, found.upper)
        assert list(theirs.pvalues) == pytest.approx(ours, abs=0.05)
        assert min(ours) > 0.05  # ps of nothing would be alike whatever was drawn

    def test_its_steps(self):
        for seed in range(6):
            returns = noise(200, 8, seed) + 0.0006 * np.arange(8)
            theirs = self.bootstrap.StepM(
                np.zeros(200), -returns / returns.std(axis=0), block_size=14, reps=300, seed=1
            )
            theirs.compute()
            found = superior_ability(returns, seed=1, resamples=300)
            assert list(found.superior) == theirs.superior_models


def test_a_benchmark_takes_the_merit_away():
    market = noise(400, 1, seed=4)[:, 0] + 0.003
    returns = market[:, np.newaxis] + noise(400, 6, seed=5, spread=0.003)
    assert superior_ability(returns, seed=1).spa < 0.01
    assert superior_ability(returns, seed=1, benchmark=market).spa > 0.1


def test_the_same_seed_gives_the_same_and_scale_and_order_do_not_matter():
    returns = noise(150, 6, seed=6) + 0.0008
    found = superior_ability(returns, seed=9, resamples=300)
    assert found == superior_ability(returns, seed=9, resamples=300)
    order = np.random.default_rng(1).permutation(6)
    scales = np.array([1e-3, 0.5, 1.0, 2.0, 30.0, 1e3])
    moved = superior_ability((returns * scales)[:, order], seed=9, resamples=300)
    assert moved[:3] == found[:3]
    assert sorted(order[list(moved.superior)]) == list(found.superior)
