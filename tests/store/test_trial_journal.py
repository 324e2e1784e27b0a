"""The journal of a sweep: whole lines or none, whatever cuts it short."""

import numpy as np
import pytest

from engine.errors import DataError, OperatorError
from engine.research.trials import TrialBasis, TrialResult, pack_returns
from store.trial_journal import MANIFEST, TRIALS, TrialJournal


def result(number, **more):
    return TrialResult(trial=f"t{number}", metrics={"net": float(number), "sharpe": None}, **more)


@pytest.fixture
def journal(tmp_path):
    there = TrialJournal(tmp_path / "sweep")
    with there.lock():
        yield there


def test_results_come_back_as_they_went_the_later_of_two_counts(journal):
    assert journal.results(0) == {}
    journal.append([result(1), result(2, failure="no bars")])
    journal.append([])
    journal.append([result(1, digest="d")])
    assert journal.results(0) == {"t1": result(1, digest="d"), "t2": result(2, failure="no bars")}


def test_a_journal_cut_anywhere_loses_what_was_cut_alone(journal):
    journal.append([result(1), result(2)])
    file = journal.folder / TRIALS
    whole = file.read_bytes()
    first = whole.index(b"\n", 1)
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        # A line without its line feed counts when all of it is there: the next begins with one.
        wanted = {f"t{n}" for n, end in ((1, first), (2, len(whole))) if length >= end}
        assert journal.results(0).keys() == wanted, length
        journal.append([result(3)])
        assert journal.results(0).keys() == wanted | {"t3"}, length


@pytest.mark.parametrize("returns", ["", "AAAA", "AACAPwAA*D8", "AACAPwAAgD"])
def test_a_line_whose_returns_are_damaged_is_no_result(journal, returns):
    journal.append([result(1, returns="AACAPwAAgD8="), result(2, returns=returns)])
    journal.append([result(3, failure="no bars")])
    assert journal.results(2).keys() == {"t1", "t3"}
    assert journal.results(3).keys() == {"t3"}


def test_a_line_that_was_changed_and_still_reads_is_no_result(journal):
    journal.append([result(1), result(2)])
    file = journal.folder / TRIALS
    for was, made in (
        (b'"net":1.0', b'"net":7.0'),
        (b'"t1"', b'"t9"'),
        (b'"check":"', b'"check":"0'),
    ):
        whole = file.read_bytes()
        assert was in whole
        file.write_bytes(whole.replace(was, made, 1))
        assert journal.results(0).keys() == {"t2"}
        file.write_bytes(whole)
    assert journal.results(0).keys() == {"t1", "t2"}


def test_trades_are_read_of_those_asked_for_alone(journal):
    trades = pack_returns(np.array([0.5, -0.25]))
    journal.append([result(1, trades=trades), result(2, trades=trades), result(3, failure="none")])
    assert journal.results(0)["t1"] == result(1)
    found = journal.trade_returns(0, {"t1", "t3"})
    assert {name: each.tolist() for name, each in found.items()} == {"t1": [0.5, -0.25]}


def test_two_processes_do_not_append_at_once(journal):
    with (
        pytest.raises(OperatorError, match="another process runs the sweep"),
        TrialJournal(journal.folder).lock(),
    ):
        pass


def test_what_a_sweep_stands_on_is_written_down_and_damage_is_told(journal):
    basis = TrialBasis(code="c", sources={}, settings="s", data={"A": "1"})
    assert journal.read_manifest(TrialBasis) is None
    journal.write_manifest(basis)
    assert journal.read_manifest(TrialBasis) == basis
    (journal.folder / MANIFEST).write_text("{")
    with pytest.raises(DataError, match="--fresh begins anew"):
        journal.read_manifest(TrialBasis)
    journal.clear()
    assert journal.read_manifest(TrialBasis) is None
