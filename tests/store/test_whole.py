"""A database that is cut short, lost, another program's or of another version.

Refused in one line, and left as it is.
"""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from engine.errors import OperatorError
from engine.ops import doctor
from store import database_integrity
from store.decision_trace import trace_decision
from store.export import export_table
from store.sqlite_journal import SqliteJournal
from tui.commands.cli import run_command
from tui.run.run_records import latest_database

LOST = "and a desk has written it: restore a copy, or remove "


def written(path, ear, rows=40):
    """Make a database as a desk leaves it, with some events in it."""
    journal = SqliteJournal(path, ear)
    for seq in range(1, rows + 1):
        journal.append(
            "events", {"seq": seq, "ts": seq, "level": "info", "name": "x", "text": "x" * 500}
        )
    asyncio.run(_committed(journal))
    return journal


async def _committed(journal):
    await journal.commit()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with a database that its desk has closed."""
    folder = tmp_path_factory.mktemp("kept")
    written(folder / "desk.db", pytest.fail).close()
    return folder


@pytest.fixture
def copy(kept, tmp_path):
    shutil.copytree(kept, tmp_path / "state", dirs_exist_ok=True)
    return tmp_path / "state" / "desk.db"


def renewed(path, *statements):
    path.unlink()
    changed(path, *statements)


def changed(path, *statements):
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


VERSION = "UPDATE meta SET value = '{}' WHERE key = 'schema_version'"
DAMAGES = {
    "empty": (lambda path: os.truncate(path, 0), "is empty, " + LOST),
    "gone": (lambda path: path.unlink(), "is gone, " + LOST),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is a folder: name a file"),
    "a text": (
        lambda path: path.write_text("my songs\n" * 500),
        "is no SQLite database: name another file",
    ),
    "zeros": (
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        "is no SQLite database: name another file",
    ),
    "another program's": (
        lambda path: renewed(path, "CREATE TABLE songs (a)", "INSERT INTO songs VALUES (1)"),
        "belongs to another program (its tables: songs): name another file",
    ),
    "another program's meta": (
        lambda path: renewed(path, "CREATE TABLE meta (a)", "CREATE TABLE songs (a)"),
        "belongs to another program (its tables: meta, songs): name another file",
    ),
    "a newer version's": (
        lambda path: changed(path, VERSION.format(99)),
        "install the newer version",
    ),
    "of no version": (
        lambda path: changed(path, VERSION.format("x")),
        "has schema version x, which is none: restore a copy",
    ),
    "without rows to read": (lambda path: changed(path, "DROP TABLE fills"), ""),
}


def refused(act):
    with pytest.raises(OperatorError) as raised:
        act()
    text = str(raised.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", [name for name, (_, words) in DAMAGES.items() if words])
def test_what_is_no_whole_database_of_ours_is_refused_by_everybody_and_left_as_it_is(
    copy, ear, name
):
    damage, words = DAMAGES[name]
    damage(copy)
    before = copy.read_bytes() if copy.is_file() else None
    for act in (
        lambda: SqliteJournal(copy, ear),
        lambda: export_table(copy, "trades", None, "csv"),
        lambda: trace_decision(copy, "D1"),
    ):
        assert words in refused(act)
    check = doctor.check_database(
        copy, lambda path: database_integrity.check_database(path, new=True)
    )
    assert (check.state, words in check.text) == ("fail", True)
    assert (copy.read_bytes() if copy.is_file() else None) == before
    assert ear.heard == []


def test_one_that_lacks_a_table_names_the_mend(copy):
    DAMAGES["without rows to read"][0](copy)
    assert "restore a copy, or name another file (no such table" in refused(
        lambda: export_table(copy, "fills", None, "csv")
    )


def test_one_cut_at_any_length_is_refused(copy, ear):
    full = copy.read_bytes()
    lengths = {
        1,
        15,
        16,
        99,
        100,
        511,
        512,
        4_095,
        len(full) - 1,
        len(full) - 4_095,
        *range(4_096, len(full), 4_096),
    }
    for length in sorted(lengths):
        copy.write_bytes(full[:length])
        for act in (
            lambda: SqliteJournal(copy, ear),
            lambda: export_table(copy, "trades", None, "csv"),
        ):
            text = refused(act)
            assert ("is cut short" in text) or (length < 16 and "no SQLite database" in text), (
                length,
                text,
            )
        assert copy.read_bytes() == full[:length]
    copy.write_bytes(full)
    SqliteJournal(copy, ear).close()


READING = (
    ["export", "trades"],
    ["export", "positions", "--format", "json"],
    ["trace", "D1"],
    ["trace", "--why", "INFY"],
    ["tax", "--fy", "2026-27"],
    ["shadow"],
)
OF_A_DESK = (["status"], ["reconcile"], ["limits"])


@pytest.mark.parametrize("name", [name for name, (_, words) in DAMAGES.items() if words])
def test_every_command_says_it_in_one_line_with_code_two(copy, capfd, tmp_path, monkeypatch, name):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    config = tmp_path / "config.toml"
    config.write_text(f"[store]\ndatabase = '{copy}'\n")
    DAMAGES[name][0](copy)
    for command in READING:
        code = run_command([*command, "--config", str(config)])
        said = capfd.readouterr()
        lines = [line for line in said.err.splitlines() if line.startswith("patang: ")]
        assert (code, len(lines), said.out) == (2, 1, ""), (command, said)
        assert DAMAGES[name][1] in lines[0]
    for command in OF_A_DESK:
        assert run_command([*command, "--config", str(config)]) == 3, (
            "they ask the desk, and need no database"
        )
        assert "no desk is running" in capfd.readouterr().err


def test_one_that_may_not_be_written_is_read_and_not_opened_by_a_desk(copy, ear, monkeypatch):
    allowed = os.access
    monkeypatch.setattr(
        "store.database_integrity.os.access",
        lambda path, mode: mode != os.W_OK and allowed(path, mode),
    )
    assert "it is read-only: give this user the right to write" in refused(
        lambda: SqliteJournal(copy, ear)
    )
    assert export_table(copy, "trades", copy.with_name("out.csv"), "csv") == 0


def test_one_that_was_never_written_is_opened_as_new(tmp_path, ear):
    path = tmp_path / "desk.db"
    path.touch()
    SqliteJournal(path, ear).close()
    assert database_integrity.mark_of(path).read_text().startswith("patang closed")


def test_a_log_without_its_database_is_evidence_too(copy, ear):
    journal = written(copy, ear)
    database_integrity.log_of(copy).rename(copy.with_name("kept"))
    journal.close()
    copy.unlink()
    database_integrity.mark_of(copy).unlink()
    copy.with_name("kept").rename(database_integrity.log_of(copy))
    assert f"remove {database_integrity.log_of(copy)} to begin anew" in refused(
        lambda: SqliteJournal(copy, ear)
    )


def test_the_last_run_is_not_looked_for_elsewhere_when_its_database_is_gone(copy, monkeypatch):
    copy.unlink()
    monkeypatch.setattr("tui.run.run_records.state_folder", lambda *_: copy.parent)
    config = type("Config", (), {"store": type("Store", (), {"database": ""})})
    assert "is gone" in refused(lambda: latest_database(config, "sandbox"))


PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from store.sqlite_journal import SqliteJournal

async def write():
    for seq in range(21, 401):
        row = {"seq": seq, "ts": seq, "level": "info", "name": "x", "text": "x" * 500}
        journal.append("events", row)
    await journal.commit()

journal = SqliteJournal(Path(sys.argv[1]), print)
asyncio.run(write())
os.kill(os.getpid(), signal.SIGKILL)
"""


def crashed(path):
    """Have a process write rows and be killed."""
    assert (
        subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=False).returncode
        == -signal.SIGKILL
    )


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What a desk leaves that was killed on its second day, its last rows in the log."""
    folder = tmp_path_factory.mktemp("left")
    written(folder / "desk.db", pytest.fail, 20).close()
    crashed(folder / "desk.db")
    return folder


@pytest.mark.parametrize("damage", [None, "shm", "gone", "empty", "cut", "half"])
def test_what_a_crash_left_in_the_log_is_there_and_what_was_taken_of_it_is_told(
    left, tmp_path, ear, damage
):
    shutil.copytree(left, tmp_path / "state")
    path = tmp_path / "state" / "desk.db"
    log = database_integrity.log_of(path)
    size = log.stat().st_size
    if damage == "shm":
        path.with_name("desk.db-shm").unlink()
    elif damage == "gone":
        log.unlink()
    elif damage:
        os.truncate(log, {"empty": 0, "cut": size - 1, "half": size // 2}[damage])
    journal = SqliteJournal(path, ear)
    told, there = journal.remark, len(journal.load("events"))
    journal.close()
    if damage in {None, "shm"}:
        assert (told, there) == ("", 400)
    else:
        assert "the last rows of the database are lost" in told
        assert 20 <= there < 400
    again = SqliteJournal(path, ear)
    assert again.remark == "", "told once"
    again.close()


def test_a_database_all_of_whose_rows_were_in_a_log_that_is_gone_is_not_opened_as_new(
    tmp_path, ear
):
    path = tmp_path / "desk.db"
    crashed(path)
    database_integrity.log_of(path).unlink()
    assert "holds nothing, " + LOST in refused(lambda: SqliteJournal(path, ear))
