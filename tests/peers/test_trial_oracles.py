"""Our evidence about trials against holdout and skfolio, where they mean the same."""

import json
import subprocess
from datetime import date

import numpy as np
import pytest

from engine.research.evidence.day_folds import purged_folds, walk_forward_windows
from engine.research.evidence.deflated_sharpe import deflated_sharpe
from engine.research.evidence.overfitting import overfitting_probability
from engine.research.evidence.superior_ability import superior_ability
from tests.conftest import ROOT
from tests.engine.research.evidence.test_day_folds import weekdays

pytestmark = [pytest.mark.peers, pytest.mark.timeout(240)]
PYTHON = ROOT / ".venv-oracles" / "bin" / "python"
BLOCKS, FOLDS, PURGE, EMBARGO, BLOCK = 10, 6, 3, 2, 8
DATES = weekdays(date(2023, 1, 2), date(2024, 3, 29))


@pytest.fixture(scope="module", params=[1, 2, 3])
def trials(request):
    random = np.random.default_rng(request.param)
    drawn = 0.01 * random.standard_t(5, (403, 24)) + 0.006 * random.normal(size=(403, 1))
    drawn[:, 4] += 0.0012 * request.param
    return drawn


@pytest.fixture(scope="module")
def told(trials):
    if not (PYTHON.parent.parent / ".ready").exists():
        pytest.skip("no .venv-oracles: see .ci/oracles")
    given = {
        "returns": trials.tolist(),
        "dates": [day.isoformat() for day in DATES],
        "blocks": BLOCKS,
        "folds": FOLDS,
        "purge": PURGE,
        "embargo": EMBARGO,
        "block": BLOCK,
    }
    done = subprocess.run(
        [PYTHON, ROOT / "tests/peers/trial_oracles.py"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_deflated_sharpe_ratio_is_theirs(trials, told):
    ours = deflated_sharpe(trials)._asdict()
    for key in ("probabilistic", "expected", "deflated"):
        assert ours[key] == pytest.approx(told["holdout"][key], rel=1e-9), key
        assert ours[key] == pytest.approx(told["skfolio"][key], rel=1e-9), key
    for key in ("best", "sharpe", "skew", "kurtosis", "days_above_zero"):
        assert ours[key] == pytest.approx(told["holdout"][key], rel=1e-9), key


def test_the_effective_trials_are_more_than_the_participation_ratio(trials, told):
    assert told["holdout"]["participation"] < deflated_sharpe(trials).effective < 24


def test_the_probability_of_overfitting_is_theirs(trials, told):
    ours, theirs = overfitting_probability(trials, BLOCKS), told["holdout"]
    assert ours.probability == theirs["pbo"]
    assert ours.winners.tolist() == theirs["winners"]
    for found, key in (
        (ours.logits, "logits"),
        (ours.in_sample, "in_sample"),
        (ours.out_of_sample, "out_of_sample"),
    ):
        assert found == pytest.approx(np.array(theirs[key]), rel=1e-9), key
    assert ours.loss == theirs["loss"]
    assert ours.slope == pytest.approx(theirs["slope"])


def test_purged_folds_are_theirs(trials, told):
    ours = [
        [fold.train.tolist(), fold.test.tolist()]
        for fold in purged_folds(len(trials), FOLDS, PURGE, EMBARGO)
    ]
    assert ours == told["holdout"]["folds"]


def test_the_windows_of_a_walk_forward_are_theirs(told):
    """Theirs begin with the first month whose first day is among the days."""
    for key, purge in (("rolling", PURGE), ("anchored", 0)):
        ours = walk_forward_windows(DATES, "6m/1m", purge, anchored=key == "anchored")
        found = [[fold.train.tolist(), fold.test.tolist()] for fold in ours[1:]]
        assert found == told["skfolio"][key]


def test_the_reality_check_and_the_superior_trials_are_theirs(trials, told):
    """The draws are others: of 4000 a share deviates by 0.008 at most."""
    ours = superior_ability(trials, seed=1, block=BLOCK, resamples=4000)
    assert ours.upper == pytest.approx(told["holdout"]["reality_check"], abs=0.03)
    assert list(ours.superior) == told["holdout"]["superior"]
