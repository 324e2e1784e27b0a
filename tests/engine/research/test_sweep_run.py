"""The running of trials: each once, into the journal before it counts, whoever dies."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from engine.errors import DataError
from engine.research.sweep_run import DEADLY, SweepRun
from engine.research.trials import (
    SweepTrial,
    TrialBasis,
    TrialResult,
    TrialWindow,
    calendar_returns,
    pack_returns,
    trial_id,
)

BASIS = TrialBasis(code="c", sources={"s": "1"}, settings="x", data={"A": "a", "B": "b"})


def trial(symbol="A", number=0, **changes):
    given = {"strategy": "s", "symbol": symbol, "parameters": {"n": number}} | changes
    return SweepTrial(**given)


def named(*trials):
    return [(trial_id(each, BASIS), each) for each in trials]


class Pool:
    """Workers that answer at once.

    `deadly` batches, counted from 0, and trials whose n is in `poison`, take the pool with them.
    """

    width = 2
    deaths = (BrokenProcessPool,)

    def __init__(self, deadly=(), poison=()):
        self.batches, self.deadly, self.poison, self.revived = [], set(deadly), set(poison), 0

    def submit(self, batch):
        future = Future()
        kills = any(each.parameters["n"] in self.poison for _, each in batch)
        if kills or len(self.batches) in self.deadly:
            future.set_exception(BrokenProcessPool("gone"))
        else:
            future.set_result(
                [TrialResult(trial=name, metrics={"n": 1.0}, seconds=0.1) for name, _ in batch]
            )
        self.batches.append([each.symbol for _, each in batch])
        return future

    def revive(self):
        self.revived += 1


class Pages(list):
    def append(self, results):
        self.extend(results)


def test_progress_goes_on_over_all_that_is_asked_for_and_not_over_one_round():
    seen = []
    run = SweepRun(Pool(), Pages(), {}, lambda at: seen.append(at) or True)
    run.expected = 9
    rounds = [named(*(trial("A", n) for n in range(first, first + 4))) for first in (0, 4, 8)]
    for each in rounds:
        run.run_trials(each)
    # what was expected is too little for the third round
    assert [at.total for at in seen if at.done in (4, 8, 12)][-1] == 12
    assert max(at.total for at in seen if at.done <= 8) == 9
    assert [at.done for at in seen] == sorted(at.done for at in seen)
    assert seen[-1].done == 12
    again = SweepRun(Pool(), Pages(), run.results, lambda at: seen.append(at) or True)
    again.run_trials(rounds[0])
    again.run_trials([*rounds[1], *named(trial("B", 1))])
    assert seen[-1] == (9, 9, 8)


def test_every_trial_runs_once_and_a_symbol_s_side_by_side():
    pool, journal = Pool(), Pages()
    wanted = named(*(trial(symbol, n) for n in range(9) for symbol in "BA"))
    results = SweepRun(pool, journal, {}).run_trials(wanted)
    assert results.keys() == {name for name, _ in wanted}
    assert sorted(each.trial for each in journal) == sorted(results)
    assert [symbols[0] for symbols in pool.batches] == sorted(s[0] for s in pool.batches)
    assert all(len(set(symbols)) == 1 for symbols in pool.batches)


def test_what_is_done_is_not_run_again():
    pool, journal = Pool(), Pages()
    wanted = named(*(trial(number=n) for n in range(6)))
    done = {name: TrialResult(trial=name, metrics={"n": 7.0}) for name, _ in wanted[:4]}
    said = []
    run = SweepRun(pool, journal, done, lambda at: said.append(at) or True)
    results = run.run_trials(wanted)
    assert len(journal) == 2
    assert [each.metrics["n"] for each in results.values()] == [7.0] * 4 + [1.0] * 2
    assert said[-1] == (6, 6, 4)


def test_a_batch_that_a_dead_worker_took_along_runs_again():
    pool, journal = Pool(deadly={0, 5}), Pages()
    wanted = named(*(trial(number=n) for n in range(60)))
    results = SweepRun(pool, journal, {}).run_trials(wanted)
    assert len(results) == len(journal) == 60
    assert pool.revived == 2


def test_of_a_batch_that_kills_workers_only_the_trial_that_does_it_fails():
    pool, journal = Pool(poison={3, 40, 41}), Pages()
    wanted = named(*(trial(number=n) for n in range(60)))
    results = SweepRun(pool, journal, {}).run_trials(wanted)
    failed = [each.parameters["n"] for name, each in wanted if results[name].failure]
    assert failed == [3, 40, 41]
    assert {each.failure for each in results.values()} == {"", DEADLY}
    assert sorted(each.trial for each in journal) == sorted(name for name, _ in wanted)


def test_a_trial_that_killed_its_worker_is_run_again_by_the_next_run():
    journal, wanted = Pages(), named(*(trial(number=n) for n in range(4)))
    results = SweepRun(Pool(poison={2}), journal, {}).run_trials(wanted)
    again = SweepRun(Pool(), journal, results).run_trials(wanted)
    assert [each.failure for each in again.values()] == [""] * 4
    assert len(journal) == 5


def test_workers_that_die_of_everything_end_the_sweep():
    pool, journal = Pool(deadly=range(1000)), Pages()
    with pytest.raises(DataError, match=r"5 trials one after .* n=\d on A: out of memory"):
        SweepRun(pool, journal, {}).run_trials(named(*(trial(number=n) for n in range(9))))
    assert {each.failure for each in journal} == {DEADLY}


def test_a_stop_keeps_what_has_come():
    pool, journal = Pool(), Pages()
    wanted = named(*(trial(number=n) for n in range(500)))
    run = SweepRun(pool, journal, {}, lambda at: at.done < 20)
    results = run.run_trials(wanted)
    assert run.was_stopped
    assert 20 <= len(results) == len(journal) < 500


@pytest.mark.parametrize(
    "other",
    [
        trial("B"),
        trial(number=1),
        trial(window=TrialWindow("2024-01-01", "")),
        trial(strategy="t"),
        trial(parameters={"m": 0}),
    ],
)
def test_trials_that_differ_in_anything_have_names_of_their_own(other):
    assert trial_id(trial(), BASIS) != trial_id(other, BASIS)


def test_a_trial_s_name_follows_its_bars_its_code_and_nothing_else():
    def under(**changes):
        fields = {key: getattr(BASIS, key) for key in ("code", "sources", "settings", "data")}
        return TrialBasis(**(fields | changes))

    own, whole = trial(), trial("*")
    for basis in (under(code="d"), under(settings="y"), under(sources={"s": "2"})):
        assert trial_id(own, BASIS) != trial_id(own, basis)
        assert BASIS.difference(basis)
    more = under(data={"A": "a", "B": "z"})
    assert trial_id(own, BASIS) == trial_id(own, more)
    assert trial_id(whole, BASIS) != trial_id(whole, more)
    assert BASIS.difference(more) == "the bars of B"
    assert not BASIS.difference(under())


def test_daily_returns_come_back_as_they_went():
    returns = np.array([0.0, 0.0125, -0.5, 1e-7])
    found = TrialResult(trial="t", returns=pack_returns(returns)).daily
    assert found == pytest.approx(returns, rel=1e-6)


def test_returns_stand_on_the_calendar_of_all_trials():
    equity, days = np.array([110, 99, 99]), np.array([11, 13, 14])
    found = calendar_returns(equity, 100, days, np.array([10, 11, 12, 13, 14]))
    assert found == pytest.approx([0.0, 0.1, 0.0, -0.1, 0.0])


def test_an_account_that_is_used_up_earns_nothing_any_more():
    equity, days = np.array([50, -10, 20]), np.array([1, 2, 3])
    assert calendar_returns(equity, 100, days, days) == pytest.approx([-0.5, -1.2, 0.0])
