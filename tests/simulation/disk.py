"""A simulated disk: real SQL on a database in memory, commits that take time, refuse, or are cut off by a crash."""

import asyncio
import sqlite3
from pathlib import Path

from engine.errors import OperatorError
from store.schema import migrate, shipped_migrations, tables

LINGER_S = 0.05
CHUNK = 64


def _blank():
    """Return an empty, migrated database as bytes."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, Path("simulated"), shipped_migrations())
    image = connection.serialize()
    shapes = tables(connection)
    connection.close()
    return image, shapes


class Disk:
    """What survives a crash. `full` refuses writes; `slow` is how long a commit takes at most (seconds)."""

    _image = None

    def __init__(self, loop, rng):
        if Disk._image is None:
            Disk._image, Disk._shapes = _blank()
        self.loop = loop
        self.rng = rng
        self.full = False
        self.slow = 0.0
        self.commits = 0
        self.refusals = 0
        self.platter = sqlite3.connect(":memory:", isolation_level=None)
        self.platter.deserialize(Disk._image)
        self.shapes = Disk._shapes
        self._statements = {}

    def statement(self, table, columns):
        """Return the upsert of some columns of a table."""
        shape = (table, *columns)
        known = self._statements.get(shape)
        if known is None:
            key = self.shapes[table].key
            rest = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in key)
            known = self._statements[shape] = (
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
                f"ON CONFLICT ({', '.join(key)}) DO {'UPDATE SET ' + rest if rest else 'NOTHING'}"
            )
        return known

    def write(self, rows):
        """Write rows as one transaction, all or none."""
        if not rows:
            return
        self.platter.execute("BEGIN")
        for statement, values in rows:
            self.platter.execute(statement, values)
        self.platter.execute("COMMIT")
        self.commits += 1

    def latency(self):
        """Return how long the next commit takes, in seconds."""
        return self.rng.uniform(0.0001, 0.001) + (self.rng.random() * self.slow if self.slow else 0.0)

    def rows(self, table, where="", parameters=()):
        """Return committed rows in key order."""
        shape = self.shapes[table]
        condition = f" WHERE {where}" if where else ""
        found = self.platter.execute(f"SELECT * FROM {table}{condition} ORDER BY {', '.join(shape.key)}", parameters)
        return [dict(zip(shape.columns, row, strict=True)) for row in found]

    def intents(self):
        """Return the committed intents as number → tag."""
        return dict(self.platter.execute("SELECT intent, tag FROM intents"))


class Journal:
    """One process's `engine.ports.Journal` on the disk: one writer, group commit, rows kept where the disk refuses."""

    def __init__(self, disk, failure):
        self._disk = disk
        self._failure = failure
        self._rows = []
        self._writing = []
        self._waiters = []
        self._busy = False
        self._told = False
        self.alive = True

    def append(self, table, row):
        """Write a row soon."""
        if not self.alive:
            return
        self._rows.append((self._disk.statement(table, tuple(row)), tuple(row.values())))
        if not self._busy and len(self._rows) == 1:
            self._disk.loop.call_later(LINGER_S, self._begin)

    def commit(self):
        """Resolve when everything appended so far is on disk."""
        waiter = asyncio.get_running_loop().create_future()
        if not self.alive:
            waiter.cancel()
            return waiter
        self._waiters.append(waiter)
        self._begin()
        return waiter

    def load(self, table, where="", parameters=()):
        """Read the committed rows."""
        return self._disk.rows(table, where, parameters)

    def close(self):
        """Write what waits, as an orderly end does."""
        if self.alive and not self._disk.full:
            self._disk.write(self._writing + self._rows)
        self.alive = False

    def crash(self):
        """Lose what is not committed; a transaction under way may have reached the disk whole, or not at all."""
        if self.alive and self._writing and self._disk.rng.random() < 0.5 and not self._disk.full:
            self._disk.write(self._writing)
        self.alive = False

    def _begin(self):
        if self._busy or not self.alive or not (self._rows or self._waiters):
            return
        self._busy = True
        self._writing, self._rows = self._writing + self._rows, []
        served, self._waiters = self._waiters, []
        self._disk.loop.call_later(self._disk.latency(), self._end, served)

    def _end(self, served):
        if not self.alive:
            return
        self._busy = False
        error = None
        if self._disk.full:
            self._disk.refusals += 1
            error = OperatorError("database simulated: the disk is full: free some space")
            if not self._told:
                self._told = True
                self._failure("store", error)
        else:
            self._disk.write(self._writing)
            self._writing, self._told = [], False
        for waiter in served:
            if not waiter.done():
                waiter.set_result(None) if error is None else waiter.set_exception(error)
        if self._waiters or (self._rows and error is None):
            self._begin()
