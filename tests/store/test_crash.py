"""Survival of a process that dies, a disk that refuses, and a second desk."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from engine.errors import BusyError, OperatorError
from store.schema import SchemaMigration, connect, migrate, schema_version, shipped_migrations
from store.sqlite_journal import SqliteJournal

ROOT = Path(__file__).resolve().parents[2]


def start(program, *arguments):
    """Run a program that writes a line when it is ready, and waits for its end on stdin."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))},
    )


COMMITTER = """
    import asyncio, itertools, sys
    from pathlib import Path
    from store.sqlite_journal import SqliteJournal

    async def main():
        journal = SqliteJournal(Path(sys.argv[1]), print)
        for seq in itertools.count(1):
            journal.append("audit", {"seq": seq, "detail": "x" * 100})
            await journal.commit()
            print(seq, flush=True)

    asyncio.run(main())
"""


def test_every_commit_that_was_acknowledged_survives_a_kill(database):
    process = start(COMMITTER, database)
    for _ in range(300):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    acknowledged = [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.communicate(timeout=10)
    last = acknowledged[-1] if acknowledged else 300
    with sqlite3.connect(database) as dead:
        kept = [row[0] for row in dead.execute("SELECT seq FROM audit ORDER BY seq")]
    assert len(kept) >= last >= 300
    assert kept == list(range(1, len(kept) + 1))


def test_a_journal_opens_after_a_kill_and_goes_on(database, ear):
    process = start(COMMITTER, database)
    for _ in range(20):
        process.stdout.readline()
    process.kill()
    process.communicate(timeout=10)
    journal = SqliteJournal(database, ear)
    before = len(journal.load("audit"))
    journal.append("audit", {"ts": 1})
    journal.close()
    assert before >= 20
    with sqlite3.connect(database) as other:
        assert other.execute("SELECT count(*) FROM audit").fetchone() == (before + 1,)


def test_a_second_desk_is_refused_with_the_pid_of_the_first(database, ear):
    process = start(COMMITTER, database)
    process.stdout.readline()
    try:
        with pytest.raises(BusyError, match=rf"held by process {process.pid}; stop it"):
            SqliteJournal(database, ear)
    finally:
        process.kill()
        process.communicate(timeout=10)
    SqliteJournal(database, ear).close()


def test_a_second_journal_in_the_same_process_is_refused_too(journal, database, ear):
    with pytest.raises(BusyError, match=f"held by process {os.getpid()}"):
        SqliteJournal(database, ear)


def test_a_disk_that_refuses_to_grow_fails_the_commit_in_one_line_and_keeps_what_was_committed(
    database,
):
    program = """
        import asyncio, resource, sys
        from pathlib import Path
        from engine.errors import OperatorError
        from store.sqlite_journal import SqliteJournal

        heard = []

        async def main():
            path = Path(sys.argv[1])
            journal = SqliteJournal(path, lambda name, error: heard.append(str(error)))
            journal.append("audit", {"seq": 1, "detail": "kept"})
            await journal.commit()
            size = path.with_name("desk.db-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
            for seq in range(2, 12):
                journal.append("audit", {"seq": seq, "detail": "x" * 10_000})
            for _ in range(2):
                try:
                    await journal.commit()
                    print("COMMITTED")
                except OperatorError as error:
                    print(error)
            print(len(heard), [row["seq"] for row in journal.load("audit")])
            boundless = resource.RLIM_INFINITY, resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, boundless)
            await journal.commit()
            print(len(journal.load("audit")))
            journal.close()

        asyncio.run(main())
    """
    process = start(program, database)
    first, second, refused, mended, *rest = process.communicate(timeout=60)[0].splitlines()
    assert first == second
    assert first.startswith(f"database {database}: the disk refuses to write")
    assert refused == "1 [1]"
    assert mended == "11"
    assert rest == []


def test_close_says_how_many_rows_a_dead_disk_has_cost(database, ear):
    journal = SqliteJournal(database, ear)
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for seq in (1, 2, 3):
        journal.append("audit", {"seq": seq})
    with pytest.raises(OperatorError, match=r"3 rows could not be recorded: .*locked"):
        journal.close()
    other.close()


def test_a_folder_that_does_not_exist_is_named_in_one_line(tmp_path, ear):
    with pytest.raises(
        OperatorError, match="No such file or directory; name a folder that exists"
    ) as caught:
        SqliteJournal(tmp_path / "missing" / "desk.db", ear)
    assert "\n" not in str(caught.value)


def test_a_folder_nobody_may_write_to_is_named_in_one_line(ear):
    with pytest.raises(
        OperatorError, match=r"cannot open the database /proc/desk.db: .*writable"
    ) as caught:
        SqliteJournal(Path("/proc/desk.db"), ear)
    assert "\n" not in str(caught.value)


def test_a_folder_where_the_database_should_be_is_an_operator_error(tmp_path, ear):
    (tmp_path / "desk.db").mkdir()
    with pytest.raises(OperatorError, match="is a folder: name a file"):
        SqliteJournal(tmp_path / "desk.db", ear)


def test_a_file_that_is_no_database_is_an_operator_error_and_stays_as_it_was(database, ear):
    database.write_bytes(b"my shopping list" * 100)
    with pytest.raises(OperatorError, match="is no SQLite database"):
        SqliteJournal(database, ear)
    assert database.read_bytes() == b"my shopping list" * 100


def test_a_refused_opening_lets_go_of_the_lock(database, ear):
    database.write_bytes(b"my shopping list" * 100)
    with pytest.raises(OperatorError):
        SqliteJournal(database, ear)
    database.unlink()
    SqliteJournal(database, ear).close()


def test_a_database_of_a_newer_version_is_refused_naming_both_versions(database, ear):
    SqliteJournal(database, ear).close()
    with sqlite3.connect(database) as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    newest = shipped_migrations()[-1].number
    with pytest.raises(OperatorError, match=f"schema version 99, this patang knows {newest}"):
        SqliteJournal(database, ear)


def test_opening_twice_applies_the_migrations_once(database, ear):
    SqliteJournal(database, ear).close()
    SqliteJournal(database, ear).close()
    with sqlite3.connect(database) as other:
        versions = other.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
    assert versions == [(str(shipped_migrations()[-1].number),)]


def test_the_migrations_shipped_are_numbered_from_one_without_a_gap():
    numbers = [migration.number for migration in shipped_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


STEPS = [
    SchemaMigration(
        1,
        "first",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT); CREATE TABLE notes (n INTEGER);",
    ),
    SchemaMigration(
        2, "second", "ALTER TABLE notes ADD COLUMN text TEXT; CREATE TABLE more (n INTEGER);"
    ),
]


def test_a_later_migration_keeps_the_rows(database):
    connection = connect(database, write=True)
    migrate(connection, database, STEPS[:1])
    connection.execute("INSERT INTO notes VALUES (5)")
    migrate(connection, database, STEPS)
    assert connection.execute("SELECT n, text FROM notes").fetchall() == [(5, None)]
    assert schema_version(connection, database) == 2


def test_a_migration_that_fails_in_the_middle_leaves_the_old_schema(database):
    connection = connect(database, write=True)
    broken = SchemaMigration(
        2, "broken", "CREATE TABLE half (n INTEGER); CREATE TABLE notes (n INTEGER);"
    )
    with pytest.raises(sqlite3.OperationalError, match="notes already exists"):
        migrate(connection, database, [STEPS[0], broken])
    assert schema_version(connection, database) == 1
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'half'").fetchall() == []
    migrate(connection, database, STEPS)
    assert schema_version(connection, database) == 2


def test_a_crash_in_the_middle_of_a_migration_leaves_the_old_schema(database):
    connection = connect(database, write=True)
    migrate(connection, database, STEPS[:1])
    connection.close()
    program = """
        import os, sys
        from pathlib import Path
        from store.schema import SchemaMigration, connect, migrate

        path = Path(sys.argv[1])
        connection = connect(path, write=True)
        connection.create_function("crash", 0, lambda: os._exit(9))
        fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
        sql = "CREATE TABLE half (n INTEGER); INSERT INTO half "
        sql += fill + "SELECT i FROM n; SELECT crash();"
        steps = [SchemaMigration(1, "first", ""), SchemaMigration(2, "half", sql)]
        migrate(connection, path, steps)
    """
    process = start(program, database)
    process.communicate(timeout=60)
    assert process.returncode == 9
    connection = connect(database, write=True)
    assert schema_version(connection, database) == 1
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'half'").fetchall() == []
    migrate(connection, database, STEPS)
    assert schema_version(connection, database) == 2
