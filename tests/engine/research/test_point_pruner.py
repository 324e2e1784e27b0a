"""Points that are given up: when, and the same whatever the number of workers."""

import pytest

from engine.research.point_pruner import PointPruner, PrunedRounds
from engine.research.trials import SweepPoint, TrialResult, TrialWindow

SYMBOLS = [f"S{number:02d}" for number in range(12)]


def point(number):
    return SweepPoint(strategy="s", parameters={"n": number}, timeframe=60)


def named(each, symbols):
    return [
        (f"{trial.parameters['n']}-{trial.symbol}", trial)
        for trial in each.trials(symbols, TrialWindow())
    ]


class Market:
    """Trials whose score is that of `rule(point, place of the symbol)`; `ran` are their names."""

    def __init__(self, rule):
        self.rule, self.ran = rule, []

    def run(self, trials):
        found = {}
        for name, trial in trials:
            self.ran.append(name)
            score = self.rule(trial.parameters["n"], SYMBOLS.index(trial.symbol))
            found[name] = TrialResult(trial=name, metrics={"sharpe": score})
        return found


def judged(rule, *rounds, threshold=0.05, symbols=SYMBOLS):
    """Return the points after rounds of their numbers, and the market they ran in."""
    market = Market(rule)
    pruner = PointPruner(threshold)
    runs = PrunedRounds(pruner, symbols, named=named, run=market.run, objective="sharpe")
    found = []
    for numbers in rounds:
        found += runs.run_points(
            [point(number) for number in numbers],
            lambda each: sum(rule(each.parameters["n"], at) or 0 for at in range(12)) / 12,
        )
    return {each.parameters["n"]: each.pruned for each in found}, market


def test_a_point_that_is_worse_on_every_symbol_is_given_up_after_five():
    """Five of five worse: the least p of a one-tailed signed-rank test of five pairs, 1/32."""
    pruned, market = judged(lambda n, at: n + 0.1 * at * (n + 1), [9], [1, 10])
    assert pruned == {9: 0, 1: 5, 10: 0}
    assert [name for name in market.ran if name.startswith("1-")] == [
        f"1-{symbol}" for symbol in SYMBOLS[:5]
    ]
    assert sum(name.startswith("10-") for name in market.ran) == 12


def test_a_p_above_the_threshold_goes_on_until_more_symbols_decide():
    """Of five pairs 1/32 is not below 0.01, of ten 1/1024 is."""
    pruned, _ = judged(lambda n, at: n + 0.1 * at * (n + 1), [9], [1], threshold=0.01)
    assert pruned[1] == 10


def test_better_here_and_worse_there_is_no_reason():
    """Differences 1, −2, 3, −4, 5 …: of ten the ranks of those below 0 are 30 of 55."""
    pruned, _ = judged(lambda n, at: 0.0 if n else (-1) ** at * (at + 1.0), [1], [0])
    assert pruned[0] == 0


def test_nothing_is_given_up_before_a_point_is_finished_to_compare_with():
    pruned, market = judged(lambda n, at: n + 0.1 * at, [9, 1, 5])
    assert set(pruned.values()) == {0}
    assert len(market.ran) == 36


def test_a_symbol_without_a_score_is_no_pair():
    """The five pairs that say something are complete after the second round alone."""
    pruned, _ = judged(lambda n, at: None if at == 2 else n + 0.1 * at * (n + 1), [9], [1])
    assert pruned[1] == 10


def test_five_symbols_or_fewer_leave_nothing_to_give_up():
    pruned, _ = judged(lambda n, at: n + 0.1 * at, [9], [1], symbols=SYMBOLS[:5])
    assert pruned[1] == 0


def test_a_refused_point_stays_refused_and_a_stop_decides_nothing():
    refused = SweepPoint(strategy="s", parameters={"n": 3}, refusal="too long")
    market = Market(lambda n, at: float(n))
    runs = PrunedRounds(PointPruner(0.05), SYMBOLS, named=named, run=market.run, objective="sharpe")
    assert runs.run_points([refused], lambda _: None) == [refused]
    assert market.ran == []
    stopped = PrunedRounds(
        PointPruner(0.05), SYMBOLS, named=named, run=lambda _: {}, objective="sharpe"
    )
    assert stopped.run_points([point(1)], lambda _: 1.0) is None


@pytest.mark.parametrize("order", [[1, 2, 3], [3, 2, 1]])
def test_a_round_is_judged_by_the_rounds_before_it_alone(order):
    """Points that run side by side do not see each other, in whatever order they come."""
    pruned, _ = judged(lambda n, at: n + 0.1 * at * (n + 1), [2], order)
    assert pruned[1] == 5
    assert pruned[3] == 0
