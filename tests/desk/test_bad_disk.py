"""The desk's process on a real database, on a disk that slows, hangs, fails and forgets."""

import errno
import fcntl
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.orders.durable_journal import CAUGHT_UP, SLOW
from tests.desk.support import PATIENCE_S, get, rows, status, wait_for
from tests.desk.test_restart import CONFIG, agree
from tui.run.forced_ending import FORCED

SOURCE = Path(__file__).with_name("bad_disk.c")
HANG_MS = 600_000
SECTOR = 512
FIRST_LOCK, LOCKS = 120, 8
"""Place and number of the locks of a log's index (sqlite.org/walformat.html, 2.2.1)."""


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """Compile the disk; a machine without a compiler skips what needs it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here (cc): the bad disk cannot be built")
    made = tmp_path_factory.mktemp("disk") / "bad_disk.so"
    subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"], check=True
    )
    return made


class Disk:
    """The disk of the desk's files, as its process sees it."""

    def __init__(self, patang, library):
        self.patang = patang
        self.orders, self.synced = patang.home / "orders", patang.home / "synced"
        self.synced.mkdir()
        self.environment = {
            "LD_PRELOAD": str(library),
            "DISK_FOLDER": str(patang.home / "state"),
            "DISK_ORDERS": str(self.orders),
            "DISK_SYNCED": str(self.synced),
        }

    def order(self, *lines):
        """Have calls wait and fail from now on, or do what they should."""
        fresh = self.orders.with_suffix(".new")
        fresh.write_text("\n".join(lines))
        fresh.replace(self.orders)

    @contextmanager
    def being(self, bad):
        """Have the disk be bad meanwhile: by orders, or by another program's lock."""
        if callable(bad):
            with bad(self.patang.state() / "desk.db"):
                yield
            return
        self.order(*bad)
        yield
        self.order()

    def cut_the_power(self, rng, kept):
        """Leave of the database what was synced.

        Of each sector written since, what it was before but for a share `kept`.
        """
        self.desk.kill()
        self.desk.wait(PATIENCE_S)
        for name in ("desk.db", "desk.db-wal"):
            there, synced = self.patang.state() / name, self.synced / name
            before, after = synced.read_bytes() if synced.exists() else b"", there.read_bytes()
            length = max(len(before), len(after)) if kept else len(before)
            sectors = [
                (after if rng.random() < kept else before)[at : at + SECTOR].ljust(
                    min(SECTOR, length - at), b"\0"
                )
                for at in range(0, length, SECTOR)
            ]
            there.write_bytes(b"".join(sectors))
        (self.patang.state() / "desk.db-shm").unlink(missing_ok=True)


@contextmanager
def a_transaction(database):
    """Hold the database as another program's transaction does."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.close()


@contextmanager
def every_lock(database):
    """Hold every lock of the log's index, so that nobody can begin to read or to write."""
    with database.with_name(f"{database.name}-shm").open("r+b") as index:
        while True:
            try:
                fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCKS, FIRST_LOCK)
                break
            except OSError:
                time.sleep(0.001)
        yield


@pytest.fixture
def exchange(patang):
    with patang.serving(30, CONFIG) as endpoint:
        yield endpoint


@pytest.fixture
def disk(patang, library, exchange):
    """Return the disk of a desk that holds something, with its stops."""
    del exchange
    made = Disk(patang, library)
    patang.environment |= made.environment
    made.desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    for name in made.environment:
        del patang.environment[name]
    wait_for(
        lambda: (s := status(patang)) and s["state"] == "running" and s["positions"] > 1,
        "it holds something",
    )
    yield made
    made.order()
    made.desk.send_signal(signal.SIGTERM)
    made.desk.wait(PATIENCE_S)


BAD = {
    "hangs": [f"fsync 0 {HANG_MS}"],
    "is slow": ["fsync 0 2000"],
    "fails to sync": [f"fsync {errno.EIO} 0"],
    "is full": [f"write {errno.ENOSPC} 0"],
    "hangs at every write": [f"write 0 {HANG_MS}"],
    "is locked": a_transaction,
    "is locked against readers": every_lock,
}
QUICK = ("hangs",)
REFUSING = ("fails to sync", "is full")
"""Disks that answer, and are not waited for."""


def soaking(cases, quick):
    return [case if case in quick else pytest.param(case, marks=pytest.mark.soak) for case in cases]


def held(endpoint):
    return sum(abs(row["quantity"]) for row in books(endpoint)["positions"])


def books(endpoint):
    return get(endpoint["rest"] + "/sandbox/books")


def tags(endpoint):
    return [order["tag"] for order in books(endpoint)["orders"] if order["tag"]]


def kept(patang):
    """Return the purpose of every order on record, by tag."""
    found = rows(
        patang.state() / "desk.db", "SELECT tag, purpose FROM intents WHERE tag IS NOT NULL"
    )
    return {row["tag"]: row["purpose"] for row in found}


def recorded(patang, endpoint):
    """Return whether all our orders and trades at the exchange are on record, orders once."""
    theirs, ours = books(endpoint)["trades"], tags(endpoint)
    fills = sorted(
        row["trade_id"] for row in rows(patang.state() / "desk.db", "SELECT trade_id FROM fills")
    )
    return (
        len(set(ours)) == len(ours)
        and set(ours) <= kept(patang).keys()
        and fills == sorted(trade["trade_id"] for trade in theirs)
    )


def told(patang):
    """Return what the log of events says of the disk, oldest first."""
    found = rows(
        patang.state() / "desk.db", "SELECT text FROM events WHERE name = 'disk' ORDER BY seq"
    )
    return [row["text"] for row in found]


def flatten(patang, exchange):
    patang.run("kill", "--flatten", "--reason", "the disk")
    wait_for(lambda: held(exchange) == 0, "flat, by the exchange's books")


@pytest.mark.parametrize("bad", soaking(BAD, QUICK))
def test_flatten_finishes_and_no_entry_leaves_on_a_disk_that(bad, patang, exchange, disk):
    assert held(exchange) > 0
    with disk.being(BAD[bad]):
        before = kept(patang) if bad != "is locked against readers" else {}
        flatten(patang, exchange)
        state = status(patang)["governor"]["disk"]
        ahead = set(tags(exchange)) - before.keys()
    assert state["ahead"] > 0
    assert bad in REFUSING or state["worst_ms"] >= 1000
    wait_for(lambda: recorded(patang, exchange), "all that has left is on record")
    assert before == {} or "ENTRY" not in {kept(patang)[tag] for tag in ahead}
    wait_for(lambda: told(patang)[-1:] == [CAUGHT_UP], "it is told that the disk has caught up")
    assert told(patang)[0] == SLOW


@pytest.mark.soak
def test_a_desk_told_to_end_on_a_disk_that_hangs_ends_within_its_bound_and_says_what_stays_open(
    patang, exchange, disk
):
    disk.order(*BAD["hangs at every write"])
    disk.desk.send_signal(signal.SIGTERM)
    assert disk.desk.wait(PATIENCE_S) == FORCED


@pytest.mark.soak
@pytest.mark.parametrize("wait_ms", [0, 300])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("turn", range(3))
def test_a_power_cut_that_forgets_or_tears_what_was_not_synced_changes_nothing(
    wait_ms, share, turn, patang, exchange, disk
):
    rng = random.Random(turn)
    disk.order(f"fsync 0 {wait_ms}")
    time.sleep(rng.uniform(0.0, 2.0))
    disk.cut_the_power(rng, share)
    disk.desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    wait_for(lambda: (s := status(patang)) and s["state"] == "running", "the desk runs again")
    patang.run("kill", "--reason", "compare")
    wait_for(lambda: status(patang)["naked"] == 0, "nothing is bare")
    agree(patang, exchange)
