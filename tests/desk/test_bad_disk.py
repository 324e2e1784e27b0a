"""The desk's own process on a real database, on a disk that slows, hangs, fails and forgets (`bad_disk.c`)."""

import errno
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.desk.support import PATIENCE_S, get, rows, status, wait_for
from tests.desk.test_restart import CONFIG, agree

SOURCE = Path(__file__).with_name("bad_disk.c")
HANG_MS = 600_000


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """Compile the disk; a machine without a compiler skips what needs it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here (cc): the bad disk cannot be built")
    made = tmp_path_factory.mktemp("disk") / "bad_disk.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"], check=True)
    return made


class Disk:
    """What the desk's files lie on, as its process sees it."""

    def __init__(self, patang, library):
        self.patang = patang
        self.orders, self.synced = patang.home / "orders", patang.home / "synced"
        self.synced.mkdir()
        self.environment = {
            "LD_PRELOAD": str(library), "DISK_FOLDER": str(patang.home / "state"), "DISK_ORDERS": str(self.orders),
            "DISK_SYNCED": str(self.synced),
        }  # fmt: skip

    def order(self, *lines):
        """Have calls wait and fail from now on, or do what they should."""
        fresh = self.orders.with_suffix(".new")
        fresh.write_text("\n".join(lines))
        fresh.replace(self.orders)

    def cut_the_power(self):
        """Leave of the database what was synced."""
        for name in ("desk.db", "desk.db-wal"):
            there = self.patang.state() / name
            there.unlink(missing_ok=True)
            if (self.synced / name).exists():
                shutil.copy(self.synced / name, there)
        (self.patang.state() / "desk.db-shm").unlink(missing_ok=True)


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
    wait_for(lambda: (s := status(patang)) and s["state"] == "running" and s["positions"] > 1, "it holds something")
    yield made
    made.order()
    made.desk.send_signal(signal.SIGTERM)
    made.desk.wait(PATIENCE_S)


BAD = {
    "hangs": [f"fsync 0 {HANG_MS}"], "is slow": ["fsync 0 2000"], "fails to sync": [f"fsync {errno.EIO} 0"],
    "is full": [f"write {errno.ENOSPC} 0"], "hangs at every write": [f"write 0 {HANG_MS}"],
}  # fmt: skip
QUICK = ("hangs",)


def held(endpoint):
    return sum(abs(row["quantity"]) for row in books(endpoint)["positions"])


def books(endpoint):
    return get(endpoint["rest"] + "/sandbox/books")


def recorded(patang, endpoint):
    """Tell whether every order and every trade of ours at the exchange is on record, each order once."""
    database, theirs = patang.state() / "desk.db", books(endpoint)
    tags = [order["tag"] for order in theirs["orders"] if order["tag"]]
    kept = {row["tag"] for row in rows(database, "SELECT tag FROM intents")}
    fills = sorted(row["trade_id"] for row in rows(database, "SELECT trade_id FROM fills"))
    return (
        len(set(tags)) == len(tags) and set(tags) <= kept and fills == sorted(t["trade_id"] for t in theirs["trades"])
    )


def flatten(patang, exchange):
    patang.run("kill", "--flatten", "--reason", "the disk")
    wait_for(lambda: held(exchange) == 0, "flat, by the exchange's books")


@pytest.mark.parametrize("bad", [bad if bad in QUICK else pytest.param(bad, marks=pytest.mark.soak) for bad in BAD])
def test_flatten_finishes_on_a_disk_that(bad, patang, exchange, disk):
    assert held(exchange) > 0
    disk.order(*BAD[bad])
    flatten(patang, exchange)
    assert status(patang)["governor"]["disk"]["ahead"] > 0
    disk.order()
    wait_for(lambda: recorded(patang, exchange), "all that has left is on record")


@pytest.mark.soak
def test_flatten_finishes_while_another_program_holds_the_lock(patang, exchange, disk):
    other = sqlite3.connect(patang.state() / "desk.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    flatten(patang, exchange)
    other.execute("ROLLBACK")
    wait_for(lambda: recorded(patang, exchange), "all that has left is on record")


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(5))
def test_a_power_cut_that_forgets_what_was_not_synced_changes_nothing(turn, patang, exchange, disk):
    del turn
    disk.desk.kill()
    disk.desk.wait(PATIENCE_S)
    disk.cut_the_power()
    disk.desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    wait_for(lambda: (s := status(patang)) and s["state"] == "running", "the desk runs again")
    patang.run("kill", "--reason", "compare")
    wait_for(lambda: status(patang)["naked"] == 0, "nothing is bare")
    agree(patang, exchange)
