"""A simulated disk: real SQL in memory, commits that take time, refuse, or are cut off."""

import asyncio
import sqlite3
from pathlib import Path

from engine.errors import OperatorError
from store.schema import migrate, shipped_migrations, table_shapes

LINGER_S = 0.05
LOCKED_S = 2.0
"""How long a commit waits for somebody else's lock."""
LOOK_S = 0.1
WAIT_S = 1.0
"""How long exits and protection may be held back by the disk."""


def _blank():
    """Return an empty, migrated database as bytes."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, Path("simulated"), shipped_migrations())
    image = connection.serialize()
    shapes = table_shapes(connection)
    connection.close()
    return image, shapes


class Disk:
    """The part of a disk that survives a crash.

    `full` refuses writes, `locked` does so after a while, while it `hangs` no commit ends; `slow`
    is how long one takes at most (seconds), `drag` what it takes besides.
    """

    _image = None

    def __init__(self, loop, rng):
        if Disk._image is None:
            Disk._image, Disk._shapes = _blank()
        self.loop = loop
        self.rng = rng
        self.full = self.locked = self.hangs = False
        self.slow = self.drag = 0.0
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
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
                f"({', '.join('?' * len(columns))}) "
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
        usual = self.rng.uniform(0.0001, 0.001) + (
            self.rng.random() * self.slow if self.slow else 0.0
        )
        return usual + self.drag + (LOCKED_S if self.locked else 0.0)

    def rows(self, table, where="", parameters=()):
        """Return committed rows in key order."""
        shape = self.shapes[table]
        condition = f" WHERE {where}" if where else ""
        found = self.platter.execute(
            f"SELECT * FROM {table}{condition} ORDER BY {', '.join(shape.key)}", parameters
        )
        return [dict(zip(shape.columns, row, strict=True)) for row in found]

    def intents(self):
        """Return the committed intents as number → tag."""
        return dict(self.platter.execute("SELECT intent, tag FROM intents"))


class Journal:
    """One process's `engine.ports.Journal` on the disk.

    One writer, group commit, rows kept where the disk refuses.
    """

    def __init__(self, disk, failure):
        self._disk = disk
        self._failure = failure
        self._rows = []
        self._writing = []
        self._waiters = []
        self._asked = []
        """When somebody asked for a commit that the disk still owes (seconds), oldest first."""
        self._refused = -WAIT_S
        """When the disk last said no; whoever waited then asks again after a second."""
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
        self._asked.append(self._disk.loop.time())
        self._begin()
        return waiter

    @property
    def excused(self):
        """Tell whether what protects and leaves may go ahead of its record."""
        now = self._disk.loop.time()
        owed = now - self._asked[0] if self._asked else 0.0
        return self._disk.full or owed >= WAIT_S - 0.002 or now - self._refused <= WAIT_S

    def load(self, table, where="", parameters=()):
        """Read the committed rows."""
        return self._disk.rows(table, where, parameters)

    def close(self):
        """Write what waits, as an orderly end does."""
        if self._disk.hangs:
            self.crash()  # whoever ends it does not wait for ever
        elif self.alive and not (self._disk.full or self._disk.locked):
            self._disk.write(self._writing + self._rows)
        self.alive = False

    def crash(self):
        """Lose what is not committed.

        A transaction under way may have reached the disk whole, or not at all.
        """
        shut = self._disk.full or self._disk.locked
        if self.alive and self._writing and self._disk.rng.random() < 0.5 and not shut:
            self._disk.write(self._writing)
        self.alive = False

    def _begin(self):
        if self._busy or not self.alive or not (self._rows or self._waiters):
            return
        self._busy = True
        self._writing, self._rows = self._writing + self._rows, []
        served, self._waiters = self._waiters, []
        now = self._disk.loop.time()
        self._disk.loop.call_later(self._disk.latency(), self._end, served, now)

    def _end(self, served, begun):
        if not self.alive:
            return
        if self._disk.hangs:
            self._disk.loop.call_later(LOOK_S, self._end, served, begun)
            return
        self._busy = False
        error = None
        if self._disk.full or self._disk.locked:
            self._disk.refusals += 1
            self._refused = self._disk.loop.time()
            error = OperatorError(
                f"database simulated: {'the disk is full' if self._disk.full else 'it is locked'}"
            )
            if not self._told:
                self._told = True
                self._failure("store", error)
        else:
            self._disk.write(self._writing)
            self._writing, self._told = [], False
            self._asked = [at for at in self._asked if at > begun]
        for waiter in served:
            if not waiter.done():
                waiter.set_result(None) if error is None else waiter.set_exception(error)
        if self._waiters or (self._rows and error is None):
            self._begin()
