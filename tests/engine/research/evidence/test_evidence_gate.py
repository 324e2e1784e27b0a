"""The gate: no noise passes, a planted edge does, and every verdict says what to mend."""

import numpy as np
import pytest

from engine.backtest.statistics import significance
from engine.research.evidence import evidence_gate
from engine.research.evidence.deflated_sharpe import deflated_sharpe
from engine.research.evidence.evidence_gate import TrialEvidence, judge_evidence, passes_gate
from engine.research.evidence.overfitting import overfitting_probability
from engine.research.evidence.score_plateau import score_plateau
from engine.research.evidence.superior_ability import SuperiorAbility
from engine.research.evidence.trial_sharpes import trial_sharpes
from tests.engine.research.evidence.made_trials import noise

RUNS = 200


def evidence_of(returns, parameters=None, superior=None):
    return TrialEvidence(
        deflated_sharpe(returns),
        overfitting_probability(returns, blocks=10),
        score_plateau(parameters, trial_sharpes(returns)) if parameters else None,
        superior,
    )


def verdicts(findings):
    return {each.rule: each.verdict for each in findings}


def test_of_fifty_noise_strategies_the_best_never_passes():
    """Two hundred times a year and a half; alone it would look like skill nearly each time."""
    passed = deflated = probable = 0
    for seed in range(RUNS):
        evidence = evidence_of(noise(375, 50, seed))
        findings = judge_evidence(evidence)
        passed += passes_gate(findings)
        deflated += verdicts(findings)["deflated_sharpe"] == "pass"
        probable += evidence.deflated.probabilistic > 0.95
    assert (passed, deflated) == (0, 0)
    assert probable >= 0.85 * RUNS


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_trials_that_are_alike_do_not_open_the_gate_by_their_smaller_number(share):
    """Deflated by the effective number one in twelve passes at most, the whole gate none."""
    passed = deflated = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        common, own = random.normal(size=(250, 1)), random.normal(size=(250, 40))
        findings = judge_evidence(evidence_of(np.sqrt(share) * common + np.sqrt(1 - share) * own))
        passed += passes_gate(findings)
        deflated += verdicts(findings)["deflated_sharpe"] == "pass"
    assert passed <= 2
    assert deflated <= 12


def planted(seed):
    """Return trials on a grid of 9 × 7 with an edge around one point, and their parameters."""
    fast, slow = np.meshgrid(np.arange(9.0), np.arange(7.0), indexing="ij")
    height = np.exp(-((fast - 4) ** 2 + (slow - 3) ** 2) / 12.0).ravel()
    random = np.random.default_rng(seed)
    market = random.normal(0.0, 0.01, (750, 1))
    returns = 0.0018 * height + 0.6 * market + random.normal(0.0, 0.008, (750, 63))
    parameters = [
        {"fast": 5 * int(f), "slow": 10.0 * s, "side": "long"}
        for f, s in zip(fast.ravel(), slow.ravel(), strict=True)
    ]
    return returns, parameters


def test_a_planted_edge_passes():
    findings = judge_evidence(evidence_of(*planted(seed=4)))
    assert verdicts(findings) == {
        "deflated_sharpe": "pass",
        "overfitting": "pass",
        "edge": "pass",
        "plateau": "pass",
        "superior_ability": "not run",
    }
    assert passes_gate(findings)
    assert passes_gate(judge_evidence(evidence_of(planted(seed=4)[0])))


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([2.0, 1.0], "50 % by 1 neighbour"),
        ([0.01, -12.0], "below 0 by 1 neighbour"),
        ([0.5, 1.0, 0.7], "60 % by 2 neighbours"),
    ],
)
def test_neighbours_that_lose_are_no_share_of_the_best(scores, told):
    plateau = score_plateau([{"n": n} for n in range(len(scores))], scores)
    [found] = [
        each for each in judge_evidence(TrialEvidence(plateau=plateau)) if each.rule == "plateau"
    ]
    assert found.text == told


def test_a_peak_beside_nothing_fails_by_its_plateau_and_an_edge_by_its_edge():
    returns, parameters = planted(seed=4)
    alone = noise(750, 63, seed=8)
    alone[:, 31] += 0.003
    peak = judge_evidence(evidence_of(alone, parameters))
    assert verdicts(peak)["deflated_sharpe"] == verdicts(peak)["edge"] == "pass"
    assert verdicts(peak)["plateau"] == "fail"
    assert not passes_gate(peak)
    fast_first = [{"fast": 1, **(each | {"fast": each["fast"]})} for each in parameters]
    corner = returns[:, np.argsort(-trial_sharpes(returns), kind="stable")]
    edge = judge_evidence(evidence_of(corner, fast_first))
    found = {each.rule: each for each in edge}["edge"]
    assert (found.verdict, found.value, found.text) == ("fail", 2.0, "fast, slow")
    assert not passes_gate(edge)


def test_superior_ability_counts_where_it_ran():
    returns, parameters = planted(seed=4)
    for p, verdict in ((0.05, "pass"), (0.06, "fail")):
        tested = SuperiorAbility(p, 0.0, 1.0, (31,), size=0.05, text="")
        findings = judge_evidence(evidence_of(returns, parameters, tested))
        assert verdicts(findings)["superior_ability"] == verdict
        assert passes_gate(findings) == (verdict == "pass")
    missing = SuperiorAbility(None, None, None, (), size=0.05, text="install it")
    findings = judge_evidence(evidence_of(returns, parameters, missing))
    assert findings[-1].text == "install it"
    assert passes_gate(findings)


def test_nothing_passes_that_was_not_looked_at():
    findings = judge_evidence(TrialEvidence())
    assert set(verdicts(findings).values()) == {"not run"}
    assert not passes_gate(findings)
    assert all(each.text and each.value is None for each in findings)


def test_the_limits_themselves_pass_and_a_hair_beyond_them_does_not():
    evidence = evidence_of(*planted(seed=4))
    values = {each.rule: each.value for each in judge_evidence(evidence)}
    for rule in evidence_gate.RULES[:4]:
        value = values[rule.id]
        for beyond, verdict in ((0.0, "pass"), (1e-9, "fail")):
            limit = value - beyond if rule.most else value + beyond
            found = judge_evidence(evidence, {rule.id: limit})
            assert verdicts(found)[rule.id] == verdict, rule.id
            assert {each.rule: each.threshold for each in found}[rule.id] == limit


def test_a_limit_of_no_rule_is_refused():
    with pytest.raises(ValueError, match="called pbo"):
        judge_evidence(TrialEvidence(), {"pbo": 0.1})


def test_the_limits_are_those_of_the_house():
    assert dict(evidence_gate.DEFAULTS) == {
        "deflated_sharpe": 0.95,
        "overfitting": 0.2,
        "edge": 0,
        "plateau": 70,
        "superior_ability": 0.05,
    }
    for rule in evidence_gate.RULES:
        assert all(text.endswith(".") for text in (rule.why, rule.mend))
    # the same bound on one trial is the probabilistic Sharpe ratio's
    assert significance.best_of_trials(1, 1.0) == 0.0
