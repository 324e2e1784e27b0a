"""Results that are kept: all of them or nothing, found by their number, compared, removed."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backtest.linter.result_linter import lint_outcome
from engine.backtest.results.run_comparison import compare_outcomes
from engine.backtest.statistics.run_metrics import RunMetric
from engine.backtest.statistics.run_statistics import statistics
from engine.errors import NothingFound, OperatorError
from store.backtest_results import ResultStore, pack_curve, unpack_curve
from tests.engine.backtest.made_up import CASH, outcome, trade


def result(run="20241001-120000-abcd", **given):
    made = outcome(
        [CASH + 500, CASH + 1200],
        [trade(1, 800, 100), trade(2, 700, 200, symbol="SBIN")],
        run=run,
        **given,
    )
    metrics = statistics(made)
    return made, metrics, lint_outcome(made, metrics), "fail: 1 fail"


@pytest.mark.parametrize("name", ["results.db", "my #1 runs?/100 %20/results.db"])
def test_what_is_kept_is_what_was_made_whatever_its_folder_is_called(tmp_path, name):
    store = ResultStore(tmp_path / name)
    made, metrics, findings, verdict = result(costs={"brokerage": 300}, refused={"FUNDS": 2})
    store.keep(made, metrics, findings, verdict)
    assert (tmp_path / name).exists()
    [row] = store.runs()
    assert (row.run, row.trades, row.net, row.verdict) == (
        made.manifest.run,
        2,
        1200,
        "fail: 1 fail",
    )
    kept = store.load(row.run)
    assert kept.outcome.manifest == made.manifest
    assert kept.outcome.trades == made.trades
    # the list counts as the figure does: what is still open is no trade yet
    held = made._replace(trades=[made.trades[0], made.trades[1]._replace(exit_ts=0)])
    other = ResultStore(tmp_path / "other.db")
    other.keep(held, metrics, findings, verdict)
    assert [row.trades for row in other.runs()] == [1]
    for one, two in zip(kept.outcome.daily, made.daily, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(kept.outcome.times, made.times)
    np.testing.assert_array_equal(kept.outcome.curve, made.curve)
    assert (kept.outcome.costs, kept.outcome.refused) == (made.costs, made.refused)
    assert kept.metrics == metrics
    assert kept.findings == findings


@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(-(2**50), 2**50))))
def test_a_curve_comes_back_as_it_was(points):
    times, worth = (
        (np.array(column, np.int64) for column in zip(*points, strict=True))
        if points
        else (np.zeros(0, np.int64),) * 2
    )
    for one, two in zip(
        unpack_curve(len(points), pack_curve(times, worth)), (times, worth), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_a_result_is_found_by_the_beginning_of_its_number_and_the_newest_is_the_last(tmp_path):
    store = ResultStore(tmp_path / "results.db")
    with pytest.raises(NothingFound, match="no results"):
        store.find("last")
    for run in ("20241001-120000-abcd", "20241001-120001-ef01", "20241002-090000-abcd"):
        store.keep(*result(run))
    assert store.find("last") == "20241002-090000-abcd"
    assert store.find("20241002") == "20241002-090000-abcd"
    assert store.find("ef01") == "20241001-120001-ef01"
    for text in ("20241001", "abcd", "2023"):
        with pytest.raises(NothingFound):
            store.find(text)
    store.remove(["20241001-120000-abcd"])
    assert [each.run for each in store.runs()] == ["20241002-090000-abcd", "20241001-120001-ef01"]
    with sqlite3.connect(tmp_path / "results.db") as database:
        for name in ("metrics", "equity", "curves", "trades", "findings"):
            assert database.execute(
                f"SELECT count(DISTINCT run) FROM backtest_{name}"
            ).fetchone() == (2,)


def test_a_file_of_a_newer_version_or_of_no_database_is_refused(tmp_path):
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(OperatorError, match="newer patang"):
        ResultStore(newer).keep(*result())
    text = tmp_path / "text.db"
    text.write_text("no database at all " * 100)
    with pytest.raises(OperatorError, match="no SQLite database"):
        ResultStore(text).runs()


KEEPER = """
import sys
from store.backtest_results import ResultStore
from tests.engine.backtest.made_up import CASH, outcome, trade
from pathlib import Path
made = outcome([CASH] * 200, [trade(k, k, 1) for k in range(1, 20_001)], run=sys.argv[2])
store = ResultStore(Path(sys.argv[1]))
print("ready", flush=True)
store.keep(made, [], [], "pass")
print("kept", flush=True)
"""


def test_a_process_that_is_killed_while_it_keeps_leaves_all_of_a_result_or_nothing(tmp_path):
    path = tmp_path / "results.db"
    store = ResultStore(path)
    store.keep(*result())
    seen = set()
    for number, wait in enumerate((0.0, 0.01, 0.03, 0.06, 5.0)):
        run = f"20250101-00000{number}-aaaa"
        process = subprocess.Popen(
            [sys.executable, "-c", KEEPER, str(path), run], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        if wait < 1.0:
            time.sleep(wait)
            process.kill()
        process.wait()
        process.stdout.close()
        found = [each.run for each in store.runs()]
        seen.add(run in found)
        if run in found:
            kept = store.load(run).outcome
            assert (len(kept.trades), len(kept.daily.day)) == (20_000, 200)
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = database.execute(
                "SELECT count(*) FROM backtest_trades WHERE run = ?", (run,)
            ).fetchone()
            assert rows == ((20_000,) if run in found else (0,))
    assert True in seen


def test_what_a_killed_process_has_written_of_a_result_is_undone_by_whoever_reads_next(tmp_path):
    """The file and its journal in the middle of a transaction larger than the cache."""
    store = ResultStore(tmp_path / "results.db")
    store.keep(*result())
    left = tmp_path / "left"
    left.mkdir()
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("PRAGMA cache_size = 1")
        rows = [(f"run {k}", 0, b"x" * 1_000) for k in range(100)]
        database.executemany("INSERT INTO backtest_curves VALUES (?, ?, ?)", rows)
        for path in tmp_path.glob("results.db*"):
            shutil.copy(path, left)
    assert (left / "results.db-journal").read_bytes()[:8] != bytes(8)
    assert (left / "results.db").read_bytes() != store.path.read_bytes()
    found = ResultStore(left / "results.db")
    assert found.runs() == store.runs() != []
    assert (left / "results.db").read_bytes() == store.path.read_bytes()


def test_two_results_differ_in_what_they_were_made_of_and_in_what_came_of_it():
    before, metrics, *_ = result()
    after = before._replace(
        trades=[before.trades[0]._replace(exit_price=102.0, gross=900), trade(3, 5, 5, entry_ts=1)],
        daily=before.daily._replace(equity=before.daily.equity + 100),
    )
    rows = {row.what: row for row in compare_outcomes(before, metrics, after, statistics(after))}
    assert rows["Net [₹]"].change == "+1.00"
    assert rows["round trips only before"].change == "1"
    assert rows["round trips only after"].change == "1"
    assert rows["round trips that ended otherwise"].change == "1"
    assert compare_outcomes(before, metrics, before, metrics) == []
    # seven digits, to the paisa
    much = [RunMetric("net", "Net", "₹", value) for value in (1_234_567.89, 1_240_000.0)]
    [row] = compare_outcomes(before, much[:1], before, much[1:])
    assert row[1:] == ("1234567.89", "1240000.00", "+5432.11")
