"""The desk's durable record: one writer thread, one connection, one fsync for all waiting rows."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import NamedTuple, final

from engine.errors import OperatorError
from engine.ports import Failure
from engine.system.file_hold import FileHold
from engine.texts import valid_text
from store import database_integrity
from store.schema import TableShape, connect, migrate, refusal, shipped_migrations, table_shapes

LINGER = 0.05
"""Seconds that rows without a waiting commit may wait for company before they are written."""

IDLE = 0.5
"""Seconds of silence after which the log is folded into the database."""

THREAD = "store"

_BAD_ROW = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    OverflowError,
    ValueError,
    TypeError,
)
"""Errors by which a row is refused, for which no disk is to blame."""


class JournalRow(NamedTuple):
    """A statement and what it writes."""

    statement: str
    values: tuple[object, ...]


class CommitWaiter(NamedTuple):
    """Waiter for a commit, on its own event loop."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


@final
class SqliteJournal:
    """An `engine.ports.Journal` on SQLite in WAL mode with `synchronous=FULL`.

    `append` and `commit` may be called from any thread, `commit` on an event loop. Rows reach the
    database in the order of their `append`. When the disk refuses, the rows are kept and tried
    again with the next commit; at `capacity` waiting rows, and once the writer has died, further
    ones are lost: `failure` is called with it and every later `commit` raises. A row that cannot be
    written whatever the disk does is set aside; `failure` is called and the commit raises.

    Raises `BusyError` when another desk holds the database, `OperatorError` when it cannot be
    opened, is newer, of another program, cut short, or gone though a desk has written it.
    """

    def __init__(self, path: Path, failure: Failure, capacity: int = 100_000) -> None:
        self._path = path
        self._failure = failure
        self._capacity = capacity
        # before any look at the file: another desk may be writing it
        lock = path.with_name(path.name + ".lock")
        self._lock = FileHold(lock, f"the database {path}", "stop it, or name another database")
        # before anything opens the database: SQLite may take the log in, and its length is gone
        self.remark = database_integrity.shortened_log(path)
        """Warning about the state in which the database was found, empty without one."""
        try:
            database_integrity.check_database(path, new=True)
            self._connection, self._reader, self._tables = _open_database(path)
        except BaseException:
            self._lock.release()
            raise
        # after the tables are there: a mark beside an empty file says that a database was lost
        self._mark = database_integrity.DatabaseMark(path)
        self._statements: dict[tuple[str, ...], str] = {}
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._rows: list[JournalRow] = []
        self._kept: list[JournalRow] = []
        self._waiters: list[CommitWaiter] = []
        self._served: list[CommitWaiter] = []
        self._lost = 0
        self._refused: OperatorError | None = None
        self._dead = False
        self._closing = False
        self._unfolded = False
        # daemon: a disk that hangs must not keep the process alive after its end was forced
        self._thread = threading.Thread(target=self._run_writer, name=THREAD, daemon=True)
        self._thread.start()

    def append(self, table: str, row: dict[str, object]) -> None:
        """Write `row` soon.

        A row with the same key has the given columns replaced, a new key adds a row.

        Raises `ValueError` for a table or column that does not exist, `OperatorError` after
        `close`.
        """
        shape = (table, *row)
        statement = self._statements.get(shape) or self._prepare_statement(shape)
        with self._changed:
            if self._closing:
                raise OperatorError(f"database {self._path} is closed; {table} cannot be written")
            full = self._dead or len(self._rows) + len(self._kept) >= self._capacity
            if full:
                self._lost += 1
            else:
                self._rows.append(
                    JournalRow(
                        statement,
                        tuple(valid_text(v) if isinstance(v, str) else v for v in row.values()),
                    )
                )
                # at any other number the writer is awake, or woken already
                if len(self._rows) == 1:
                    self._changed.notify()
        # told once: the rest is in the error of the end
        if full and self._lost == 1:
            self._failure(THREAD, self._loss_error())

    def commit(self) -> Awaitable[None]:
        """Resolve when everything appended so far is on disk.

        Raise `OperatorError` when the disk refuses.
        """
        loop = asyncio.get_running_loop()
        waiter = CommitWaiter(loop, loop.create_future())
        with self._changed:
            if self._closing:
                waiter.future.set_exception(OperatorError(f"database {self._path} is closed"))
            elif self._dead:
                waiter.future.set_exception(self._loss_error())
            else:
                self._waiters.append(waiter)
                self._changed.notify()
        return waiter.future

    def load(
        self, table: str, where: str = "", parameters: Sequence[object] = ()
    ) -> list[dict[str, object]]:
        """Read the committed rows of `table` in key order.

        `where` is an SQL condition with ? for `parameters`. Raises `ValueError` for a table that
        does not exist, `OperatorError` when the database cannot be read.
        """
        shape = self._table_shape(table)
        condition = f" WHERE {where}" if where else ""
        order = ", ".join(shape.key)
        sql = f"SELECT * FROM {table}{condition} ORDER BY {order}"  # noqa: S608 - the table is known, `where` is code
        try:
            with self._reading:
                rows = self._reader.execute(sql, tuple(parameters)).fetchall()
        # a damaged page is no OperationalError
        except sqlite3.Error as error:
            raise refusal(self._path, error) from error
        return [dict(zip(shape.columns, row, strict=True)) for row in rows]

    def close(self) -> None:
        """Write what waits, fold the log and let go of the database.

        Raises `OperatorError` when rows could not be written.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        with self._reading:
            self._reader.close()
        # everything committed is safe in the log, folded or not
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        # after the connection, which folds the log in as it closes: "closed" means that no log is
        # needed
        self._mark.close()
        self._lock.release()
        if self._kept or self._lost:
            raise self._loss_error()

    def _prepare_statement(self, shape: tuple[str, ...]) -> str:
        table, *columns = shape
        # names come from code, but a statement is made of them
        known = self._table_shape(table)
        strange = [column for column in columns if column not in known.columns]
        if strange or not columns:
            raise ValueError(f"table {table} has no column {strange}; it has {known.columns}")
        # each shape of row is prepared once
        marks = ", ".join("?" * len(columns))
        rest = [column for column in columns if column not in known.key]
        update = (
            "UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in rest)
            if rest
            else "NOTHING"
        )
        statement = (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) "  # noqa: S608 - names checked above
            f"ON CONFLICT ({', '.join(known.key)}) DO {update}"
        )
        self._statements[shape] = statement
        return statement

    def _table_shape(self, table: str) -> TableShape:
        if table not in self._tables:
            raise ValueError(f"there is no table {table}; there are {sorted(self._tables)}")
        return self._tables[table]

    def _loss_error(self) -> OperatorError:
        lost = self._lost + len(self._kept)
        cause = (
            f": {self._refused}"
            if self._refused
            else f": more than {self._capacity} were waiting for the disk"
        )
        return OperatorError(f"database {self._path}: {lost} rows could not be recorded{cause}")

    def _run_writer(self) -> None:
        try:
            while self._work_once():
                pass
        except Exception as error:  # noqa: BLE001 - a thread's main: it dies loudly
            self._failure(THREAD, error)
            self._give_up(OperatorError(f"database {self._path}: the writer died: {error!r}"))

    def _work_once(self) -> bool:
        """Wait for work and do it; return False after the last."""
        with self._changed:
            if not self._changed.wait_for(self._has_work, IDLE if self._unfolded else None):
                idle = True
            else:
                idle = False
                self._changed.wait_for(self._has_urgent_work, LINGER)
            # rows count against the capacity, and waiters can be failed by `_give_up`, until the
            # commit is over: both stay in attributes
            rows, self._rows = self._kept + self._rows, []
            self._kept = rows
            self._served, self._waiters = self._waiters, []
            closing = self._closing
        if idle:
            # only in silence: this thread commits, and waiters would wait for the folding, too
            self._fold_log()
        else:
            refused = self._write_rows(rows)
            # before the waiters go on: the mark covers all that any of them was promised
            self._mark.note_log()
            self._settle_waiters(self._served, refused)
        return not closing

    def _has_work(self) -> bool:
        return bool(self._rows) or self._has_urgent_work()

    def _has_urgent_work(self) -> bool:
        return bool(self._waiters) or self._closing

    def _write_rows(self, rows: list[JournalRow]) -> OperatorError | None:
        """Commit `rows` as one transaction; return what went wrong."""
        bad: OperatorError | None = None
        try:
            if rows:
                self._connection.execute("BEGIN IMMEDIATE")
                bad = self._execute_rows(rows)
                self._connection.execute("COMMIT")
                self._unfolded = True
        except sqlite3.Error as error:
            # after a full disk SQLite has often rolled back already
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            return self._note_refusal(refusal(self._path, error))
        self._kept = []
        self._refused = None
        return bad or (self._loss_error() if self._lost else None)

    def _execute_rows(self, rows: list[JournalRow]) -> OperatorError | None:
        """Run the statements.

        A row that breaks a constraint is set aside, reported, and skipped.
        """
        bad: OperatorError | None = None
        for row in rows:
            try:
                # a refused statement undoes itself alone; the transaction and its other rows stand
                self._connection.execute(row.statement, row.values)
            except _BAD_ROW as error:
                bad = OperatorError(
                    f"database {self._path} refuses a row: {error}: {row.statement} {row.values}"
                )
                self._failure(THREAD, bad)
        return bad

    def _note_refusal(self, error: OperatorError) -> OperatorError:
        if self._refused is None:
            self._failure(THREAD, error)
        self._refused = error
        return error

    def _settle_waiters(self, waiters: list[CommitWaiter], error: OperatorError | None) -> None:
        for waiter in waiters:
            # his event loop has closed: nobody waits any more
            with contextlib.suppress(RuntimeError):
                waiter.loop.call_soon_threadsafe(_resolve_future, waiter.future, error)

    def _give_up(self, error: OperatorError) -> None:
        with self._changed:
            self._dead = True
            self._refused = error
            self._kept, self._rows = self._kept + self._rows, []
            waiters, self._waiters = self._served + self._waiters, []
        self._settle_waiters(waiters, error)

    def _fold_log(self) -> None:
        # a log that stays long is no loss; the next commit tells of a bad disk
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._unfolded = False


def _open_database(
    path: Path,
) -> tuple[sqlite3.Connection, sqlite3.Connection, dict[str, TableShape]]:
    """Return the writer's and the reader's connection, and the tables, migrated."""
    writer = None
    try:
        writer = connect(path, write=True)
        migrate(writer, path, shipped_migrations())
        return writer, connect(path, write=False), table_shapes(writer)
    except BaseException as error:
        if writer:
            writer.close()
        if isinstance(error, sqlite3.Error):
            raise refusal(path, error) from error
        raise


def _resolve_future(future: asyncio.Future[None], error: OperatorError | None) -> None:
    # whoever waited may have given up meanwhile
    if future.done():
        return
    if error:
        future.set_exception(error)
    else:
        future.set_result(None)
