"""The watchdog, each time by the real thing.

An engine that hangs, a feed that is silent, a full disk, memory, a clock.
"""

import json
import threading
import time

import pytest

from brokers.sandbox.api import admin_key
from compiled.trading.strategy import Strategy
from engine.board_rows import Board
from engine.config.schema import WatchdogSettings as Bounds
from engine.ops.health_sources import HealthSources
from engine.ops.watchdog import MachineSources, Watchdog, resident_bytes
from engine.orders.killswitch import KillSwitch
from tests.desk.support import wait_for
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

SECOND = 1_000_000_000


class Hanging(Strategy):
    """Holds the engine's thread up, once, when told to, until it is let go."""

    def __init__(self):
        super().__init__("hanging", 60, every=1)
        self.hang = False
        self.free = threading.Event()

    def on_timer(self, ctx, ts):
        del ctx, ts
        if self.hang:
            self.hang = False
            self.free.wait(60.0)


def opened(station, text, strategy=None):
    made = station(
        RunPlan(speed=1.0, start="10:00", symbols=("INFY", "TCS")), "[watchdog]\n" + text
    )
    made.strategies = [strategy or Hanging()]
    open_desk(made)
    wait_for(
        lambda: made.board.header.state == "running" and made.board.header.feed_age >= 0,
        "the desk is open",
    )
    return made


def alarms(made):
    return [row.text for row in list(made.board.events) if row.level == "alarm"]


def test_an_engine_that_hangs_is_halted_while_it_hangs(station):
    strategy = Hanging()
    made = opened(station, "engine_s = 3.0\n", strategy)
    assert not made.kill.latched
    strategy.hang = True
    wait_for(lambda: made.kill.latched, "the watchdog latches")
    assert made.kill.latch.who == "watchdog"
    assert not strategy.hang, "it hangs"
    assert alarms(made) == [], "and tells nobody itself"
    strategy.free.set()
    wait_for(
        lambda: any("stood still" in text for text in alarms(made)),
        "the operator is told when it is back",
    )
    assert made.board.header.kill == "halt"
    wait_for(lambda: "stood still" in (made.state / "patang.log").read_text(), "it is in the log")


def test_a_silent_feed_is_told_and_does_not_halt(station):
    made = opened(station, "feed_s = 1.5\n")
    assert alarms(made) == []
    admin_key.call_admin(
        made.endpoint.rest,
        "POST",
        "/sandbox/faults",
        [{"kind": "silent", "on": "ticks", "lasts": 60}],
    )
    wait_for(lambda: any("no market data" in text for text in alarms(made)), "the silence is told")
    assert not made.kill.latched


def test_a_full_disk_halts_and_much_memory_is_told_once(station):
    made = opened(station, "disk_mb = 1000000000\nmemory_mb = 1\n")
    wait_for(lambda: made.kill.latched, "the watchdog latches")
    assert (made.kill.latch.who, "free some space" in made.kill.latch.reason) == ("watchdog", True)
    for text in ("above 1:", "MB are left"):
        wait_for(
            lambda text=text: any(text in told for told in alarms(made)),
            f"the operator is told: {text}",
        )
    time.sleep(1.5)  # some looks more
    told = alarms(made)
    assert sum("above 1:" in text for text in told) == 1
    assert sum("MB are left" in text for text in told if not text.startswith("halt")) == 1
    assert json.loads(made.kill.path.read_text())["who"] == "watchdog"


class Machine:
    """Two clocks that a test can set apart."""

    def __init__(self):
        self.time = self.running = 1_700_000_000 * SECOND

    def pass_(self, seconds, jump=0.0):
        self.running += int(seconds * SECOND)
        self.time += int((seconds + jump) * SECOND)


@pytest.mark.parametrize(
    ("jump", "halts"), [(2.5, True), (-2.5, True), (1.5, False), (-1.5, False), (0.0, False)]
)
def test_a_clock_that_jumps_either_way_halts(tmp_path, jump, halts):
    machine, told = Machine(), []
    kill = KillSwitch(tmp_path / "KILL")
    sources = MachineSources(lambda: machine.time, lambda: machine.running, lambda: 0)
    dog = Watchdog(
        Bounds(disk_mb=0), Board("LIVE"), kill, tmp_path, told.append, pytest.fail, sources=sources
    )
    for _ in range(20):
        machine.pass_(0.25)
        dog.check_once()
    assert not kill.latched
    machine.pass_(0.25, jump)
    dog.check_once()
    assert kill.latched is halts
    assert [f"jumped by {jump:+.1f} s" in text for text in told] == [True] * halts
    machine.pass_(0.25)
    dog.check_once()
    machine.pass_(0.25, jump)
    dog.check_once()
    assert sum("jumped" in text for text in told) == 2 * halts, "a second jump is told as well"


def test_a_clock_that_creeps_in_small_steps_is_told_once_and_does_not_halt(tmp_path):
    machine, told = Machine(), []
    kill = KillSwitch(tmp_path / "KILL")
    sources = MachineSources(lambda: machine.time, lambda: machine.running, lambda: 0)
    dog = Watchdog(
        Bounds(disk_mb=0), Board("LIVE"), kill, tmp_path, told.append, pytest.fail, sources=sources
    )
    for step in range(36):
        machine.pass_(0.25, 1.0)
        dog.check_once()
        assert len(told) == (step >= 2), "told at the first look beyond two seconds"
    assert "in small steps" in told[0]
    assert not kill.latched


def test_what_is_well_again_is_told_anew_when_it_comes_back(tmp_path):
    held, told = [0], []
    sources = MachineSources(memory=lambda: held[0])
    dog = Watchdog(
        Bounds(disk_mb=0, memory_mb=5),
        Board("LIVE"),
        KillSwitch(tmp_path / "KILL"),
        tmp_path,
        told.append,
        pytest.fail,
        sources=sources,
    )
    for megabytes in (4, 6, 7, 4, 6):
        held[0] = megabytes << 20
        dog.check_once()
    assert [text.split(",")[0] for text in told] == ["the desk uses 6 MB"] * 2


def test_the_memory_of_this_process_is_measured():
    before = resident_bytes()
    ballast = bytearray(64 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    assert 60 << 20 < resident_bytes() - before < 70 << 20


def test_a_watchdog_that_dies_is_heard_of(tmp_path):
    heard = []
    sources = MachineSources(memory=lambda: 1 // 0)
    dog = Watchdog(
        Bounds(),
        Board("LIVE"),
        KillSwitch(tmp_path / "KILL"),
        tmp_path,
        print,
        lambda *what: heard.append(what),
        sources=sources,
    )
    dog.start()
    wait_for(lambda: heard, "the failure is reported")
    dog.close()
    assert (heard[0][0], type(heard[0][1])) == ("watchdog", ZeroDivisionError)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_journal_that_is_removed_under_the_desk_halts_and_is_told_once(tmp_path, replaced):
    kill, told, health = KillSwitch(tmp_path / "KILL"), [], HealthSources()
    journal = tmp_path / "desk.db"
    journal.write_bytes(b"rows")
    dog = Watchdog(
        Bounds(disk_mb=0),
        Board("LIVE"),
        kill,
        tmp_path,
        told.append,
        pytest.fail,
        health=health,
        # SQLite makes its log with the first change.
        journal=(journal, tmp_path / "desk.db-wal"),
    )
    dog.check_once()
    assert (told, health.machine.findings) == ([], ())
    (tmp_path / "desk.db-wal").write_bytes(b"log")
    dog.check_once()
    assert (told, health.machine.findings) == ([], ())
    journal.rename(tmp_path / "away")
    if replaced:
        journal.write_bytes(b"rows")
    dog.check_once()
    dog.check_once()
    assert (kill.latched, health.machine.findings) == (True, ("journal",))
    assert [text.partition(" was ")[0] for text in told] == [f"desk.db in {tmp_path}"]
    (tmp_path / "away").replace(journal)
    dog.check_once()
    assert health.machine.findings == ()


def test_a_folder_that_is_gone_does_not_end_the_watchdog_and_a_full_disk_is_no_unknown_one(
    tmp_path, monkeypatch
):
    kill, told, health = KillSwitch(tmp_path / "KILL"), [], HealthSources()
    folder = tmp_path / "state"
    dog = Watchdog(Bounds(), Board("LIVE"), kill, folder, told.append, pytest.fail, health=health)
    dog.check_once()
    assert (health.machine.free, told) == (-1, [])
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
    for _ in range(4):
        dog.check_once()
    assert (health.machine.free, health.machine.findings) == (0, ("disk",))
    assert kill.latched


def test_how_far_the_machines_clock_has_moved_is_known_until_it_is_set_back(tmp_path):
    machine, health = Machine(), HealthSources()
    sources = MachineSources(lambda: machine.time, lambda: machine.running, lambda: 0)
    dog = Watchdog(
        Bounds(disk_mb=0),
        Board("LIVE"),
        KillSwitch(tmp_path / "KILL"),
        tmp_path,
        [].append,
        pytest.fail,
        sources=sources,
        health=health,
    )
    for jump, moved in ((0.0, 0), (5.0, 5 * SECOND), (0.0, 5 * SECOND), (-5.0, 0)):
        machine.pass_(0.25, jump)
        dog.check_once()
        assert health.machine.moved == moved
