"""Opens the desk's database: connections, numbered migrations, and the shape of the tables."""

import re
import sqlite3
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from engine.errors import DataError, OperatorError
from engine.texts import plain_text

BUSY_MS = 2_000
"""How long a statement waits for another program's lock before the database counts as locked."""

CHECKPOINT_PAGES = 2_048
"""8 MB of log: the journal checkpoints when it is idle, this bound is for a day that never is."""
PAGE = 4_096

HINTS = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_READONLY: "it is read-only: give this user the right to write",
    sqlite3.SQLITE_BUSY: "another program holds it locked: close that program",
    sqlite3.SQLITE_LOCKED: "another program holds it locked: close that program",
    sqlite3.SQLITE_PROTOCOL: "another program holds it locked: close that program",
    sqlite3.SQLITE_IOERR: "the disk refuses to write: check its space, quota and health",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: name a folder that exists and is writable",
    sqlite3.SQLITE_CORRUPT: (
        "it is damaged: restore a copy, or save what can be read with sqlite3 and its .recover"
    ),
    sqlite3.SQLITE_ERROR: (
        "it is not as this patang has written it: restore a copy, or name another file"
    ),
    sqlite3.SQLITE_NOTADB: "it is no SQLite database: name another file",
}


class SchemaMigration(NamedTuple):
    """One numbered step of the schema."""

    number: int
    name: str
    sql: str


class TableShape(NamedTuple):
    """The shape of a table: primary key and all columns, in order."""

    key: tuple[str, ...]
    columns: tuple[str, ...]


def refusal(path: Path, error: sqlite3.Error) -> OperatorError:
    """Return an error of the database as the operator's: the file, what happened, the mend."""
    if path.is_dir():
        return OperatorError(f"database {path} is a folder: name a file")
    # the lowest byte is the kind; above it stand details
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    hint = HINTS.get(code)
    # the folder is not at fault then
    if code == sqlite3.SQLITE_CANTOPEN and path.exists():
        hint = "this user may not read it: give him the right to"
    return OperatorError(
        f"database {path}: {hint} ({error})" if hint else f"database {path}: {error}"
    )


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a connection in autocommit, to be used by one thread at a time.

    A writer gets WAL with `synchronous=FULL`: a commit has reached the disk when it returns.
    """
    mode = "rwc" if write else "ro"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        # opened in one thread and used in another, never in two at once
        check_same_thread=False,
        timeout=BUSY_MS / 1000,
    )
    try:
        if write:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            # macOS: fsync alone stops at the drive's cache
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            # a log that a reader has held up, or a long day, shrinks again when it begins anew
            connection.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_PAGES * PAGE}")
        else:
            # SQLite opens the file with its first statement: a refusal belongs here, not to a later
            # query
            connection.execute("SELECT 1 FROM sqlite_schema")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def shipped_migrations() -> list[SchemaMigration]:
    """Return the migrations of this version, lowest number first."""
    found = []
    for entry in files("store").joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name)
        if match:
            found.append(
                SchemaMigration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
            )
    return sorted(found)


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the number of the last migration applied, 0 for an empty database.

    Raise `DataError` for a database of another program.
    """
    names = [
        str(row[0])
        for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    ]
    # SQLite makes the file before anything is in it
    if not names:
        return 0
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    except sqlite3.OperationalError:
        row = None
    if row is None:
        shown = ", ".join(plain_text(name) for name in sorted(names)[:3])
        raise DataError(
            f"database {path} belongs to another program (its tables: {shown}): name another file"
        )
    # another program may have a table of that name
    if not str(row[0]).isdecimal():
        raise DataError(
            f"database {path} has schema version {plain_text(str(row[0]))}, which is none: "
            "restore a copy"
        )
    return int(row[0])


def known_version(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[SchemaMigration]
) -> int:
    """Return the schema's version.

    Raise `OperatorError` for a database that a newer version wrote.
    """
    have, known = schema_version(connection, path), migrations[-1].number
    if have > known:
        raise OperatorError(
            f"database {path} has schema version {have}, this patang knows {known}: install the "
            "newer version"
        )
    return have


def migrate(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[SchemaMigration]
) -> None:
    """Apply the missing migrations, each whole or not at all.

    Raise `OperatorError` as `known_version`.
    """
    have = known_version(connection, path, migrations)
    for migration in migrations:
        if migration.number > have:
            _apply_migration(connection, migration)


def _apply_migration(connection: sqlite3.Connection, migration: SchemaMigration) -> None:
    stamp = (
        f"INSERT INTO meta (key, value) VALUES ('schema_version', '{migration.number}') "  # noqa: S608 - an integer
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value;"
    )
    try:
        # step and number in one transaction: a crash leaves the old schema under its old number
        connection.executescript(f"BEGIN IMMEDIATE;\n{migration.sql}\n{stamp}\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def table_shapes(connection: sqlite3.Connection) -> dict[str, TableShape]:
    """Return the shape of every table."""
    names = [
        row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    ]
    shapes = {}
    for name in names:
        columns = connection.execute(
            "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", (name,)
        ).fetchall()
        keys = sorted((pk, column) for column, pk in columns if pk)
        shapes[name] = TableShape(
            tuple(column for _, column in keys), tuple(column for column, _ in columns)
        )
    return shapes
