"""One desk per state folder, ended from anywhere; a demo ends with its terminal."""

import json
import os
import signal
import subprocess
import sys

import pytest

from engine.config.schema import DeskConfig
from engine.system.file_hold import holding_process
from tests.desk.support import PATIENCE_S, status, wait_for
from tests.desk.test_bad_input import one_line
from tests.desk.test_kill import Screen
from tui.run.forced_ending import ForcedEnding
from tui.run.launch import handling_signals
from tui.run.session import DeskSession, RunPlan, lock_of

HOLD = """
import signal, sys
from pathlib import Path
from engine.system.file_hold import FileHold
held = FileHold(Path(sys.argv[1]), "it", "wait")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("held", flush=True)
signal.pause()
"""


@pytest.fixture
def held(patang):
    """Return a process that holds a desk's folder, as a desk does that does not answer yet."""
    patang.state().mkdir(parents=True)
    command = [sys.executable, "-c", HOLD, str(lock_of(patang.state()))]
    process = subprocess.Popen(command, env=patang.environment, stdout=subprocess.PIPE, text=True)
    patang.started.append(process)
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_desk_is_refused_in_one_line_before_anything_is_started(patang, held):
    line = one_line(patang.call("demo", "--no-ui"), 2)
    assert line == (
        f"patang: the sandbox desk of {patang.state()} is held by process {held.pid}; "
        "patang attach puts its screen up here, patang stop ends it"
    )
    assert [path.name for path in patang.state().iterdir()] == ["desk.lock"]


def test_stop_ends_the_desks_that_run_and_waits_for_it(patang, held):
    assert one_line(patang.call("stop", "--mode", "paper"), 3) == "patang: no paper desk is running"
    done = patang.call("stop", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"mode": "SANDBOX", "state": "stopped"},
    )
    assert held.wait(PATIENCE_S) == 0
    assert one_line(patang.call("stop"), 3) == "patang: no desk is running"


def test_status_shows_a_desk_that_does_not_answer_yet(patang, held):
    done = patang.call("status", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"mode": "SANDBOX", "state": "no answer", "process": held.pid},
    )


def test_a_desk_that_was_killed_holds_nothing(patang, held):
    held.kill()
    held.wait(PATIENCE_S)
    assert lock_of(patang.state()).read_text().startswith(f"{held.pid} ")
    assert holding_process(lock_of(patang.state())) is None
    assert patang.call("stop").returncode == 3


def test_a_demo_ends_with_its_terminal(patang):
    screen = Screen(patang, "demo", "--speed", 10)
    try:
        wait_for(lambda: status(patang).get("state") == "running", "the demo runs")
        screen.hang_up()
        wait_for(lambda: not holding_process(lock_of(patang.state())), "the demo has ended")
        assert not (patang.state() / "KILL").exists()
    finally:
        screen.close()


@pytest.mark.parametrize("ignored", [True, False])
def test_a_hang_up_ends_a_demo_unless_nohup_keeps_it_from_us(monkeypatch, tmp_path, ignored):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    heard = []
    station = DeskSession(DeskConfig(), RunPlan(fleeting=True))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        with handling_signals(
            station,
            ForcedEnding(station),
            lambda: heard.append("halt"),
            lambda: heard.append("leave"),
        ) as caught:
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (heard, caught) == (([], []) if ignored else (["halt", "leave"], [signal.SIGHUP]))
