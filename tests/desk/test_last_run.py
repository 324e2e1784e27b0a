"""The last run is the last that began to trade; what is empty says which journal was read."""

import os
import shutil

import pytest

from compiled.model.values import SECOND, Bar
from engine.config.schema import DeskConfig
from store.bars.parquet_bars import ParquetBars
from store.schema import connect
from store.sqlite_journal import SqliteJournal
from tests.desk.test_bad_input import one_line
from tui.run import run_records

OPEN = 1_795_146_300 * SECOND  # 2026-11-20 09:15 IST


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Return a database without a row."""
    file = tmp_path_factory.mktemp("empty") / "desk.db"
    SqliteJournal(file, print).close()
    return file


@pytest.fixture
def run(patang, empty):
    """Make the database of a run at a time (IST), opened or not, with so many fills."""

    def make(at, *, opened, fills=0, mode="sandbox"):
        file = patang.state(mode) / f"run-20261120-{at}-7.db"
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(empty, file)
        with connect(file, write=True) as database:
            if opened:
                database.execute("INSERT INTO meta (key, value) VALUES ('opened', '1')")
            for number in range(fills):
                database.execute(
                    "INSERT INTO fills (trade_id, order_id, ts, symbol) VALUES (?, '1', ?, 'INFY')",
                    (f"T{number}", number),
                )
        database.close()
        os.utime(file, ns=(int(at) * SECOND, int(at) * SECOND))
        return file

    return make


def test_a_failed_start_is_not_the_last_run(patang, run):
    traded = run("100000", opened=True, fills=3)
    run("110000", opened=False)
    done = patang.call("export", "fills")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4)
    assert done.stderr == f"3 fills of {traded}\n"


def test_an_empty_answer_says_which_journal_it_read_and_is_code_one(patang, run):
    run("100000", opened=True, fills=3)
    quiet = run("110000", opened=True)
    done = patang.call("export", "fills")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1)
    assert done.stderr == f"patang: no fills in {quiet}\n"
    done = patang.call("trace", "--why", "INFY")
    assert (done.returncode, done.stderr) == (
        1,
        f"patang: INFY: no strategy asked for it on the last day of {quiet}\n",
    )
    assert str(quiet.with_suffix(".bars")) in patang.call("export", "bars").stderr


def test_where_no_start_went_well_that_is_said(patang, run):
    failed = run("100000", opened=False)
    line = one_line(patang.call("export", "fills"), 1)
    assert (
        line
        == f"patang: no run in mode sandbox has begun to trade: {failed} holds a start that failed"
    )


def test_failed_starts_push_no_run_out(patang, run, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(patang.home / "state"))
    old = [run(f"{hour}0000", opened=True) for hour in (10, 11, 12, 13)]
    failed = [run(f"{hour}3000", opened=False) for hour in (10, 13)]
    for database in (*old, *failed):
        database.with_suffix(".bars").mkdir()
    monkeypatch.setattr(run_records, "KEPT", 3)
    run_records.own_database(DeskConfig(), "sandbox", embedded=True)
    assert [path for path in (*old, *failed) if path.exists()] == old[2:]
    assert sorted(patang.state().glob("*.bars")) == [path.with_suffix(".bars") for path in old[2:]]


def test_the_bars_of_a_run_are_its_own(patang, run):
    for at, close in (("100000", 101.0), ("110000", 102.0)):
        store = ParquetBars(run(at, opened=True, mode="replay").with_suffix(".bars"))
        store.write([Bar(1, OPEN, 60, 100.0, 103.0, 99.0, close, 10)], {1: "INFY"}, "live")
    done = patang.call("export", "bars", "--mode", "replay", "--symbol", "infy")
    assert done.returncode == 0, done.stderr
    assert [line.split(",")[5] for line in done.stdout.splitlines()[1:]] == ["102.0"]
