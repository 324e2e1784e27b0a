"""`patang kill`, `resume`, `status` and `stop` reach every desk of this user."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.operator_requests import refused
from engine.orders.killswitch import KillSwitch
from engine.system import private_files
from tests.desk.support import PATIENCE_S, wait_for
from tests.desk.test_bad_input import one_line

# a desk as far as others can reach it: on record, with its switch and, unless it hangs, its door
DESK = """
import signal, sys
from pathlib import Path
from engine.config.config_files import load_config
from engine.ops.control_socket import ControlSocket, socket_path
from tui.run.launch import latching_on_signal
from tui.run.session import RunPlan, DeskSession

class Desk:
    def describe(self):
        latch = station.kill.latch
        level, reason = (latch.level, latch.reason) if latch else ("", "")
        return {"mode": "PAPER", "kill": level, "kill_reason": reason}
    def resume(self, reason, who):
        return station.kill.resume(reason, who)

station = DeskSession(load_config(Path(sys.argv[1])).values, RunPlan("paper"))
station.kill.listeners.append(lambda latch: print(latch.level if latch else "released", flush=True))
with latching_on_signal(station):
    station.claim()
    if sys.argv[2] == "answers":
        ControlSocket(socket_path(station.state), Desk(), station.kill, print)
    print("up", flush=True)
    while True:
        signal.pause()
"""
ELSEWHERE = {
    "none": b"",
    "another": b"[desk]\nstate_dir = 'elsewhere'\n",
    "a mistake": b"[desk]\nstate_dir = 'elsewhere'\n[risk]\nmax_dayly = 3\n",
    "no TOML": b"[desk\nstate_dir = 'elsewhere'\n",
    "no text": b"\xff\xfe",
}


@pytest.fixture
def desk(patang):
    """Start a desk with its configuration and its state each in a folder of its own."""

    def start(manner):
        home = patang.home / "its own"
        home.mkdir()
        (home / "config.toml").write_text(f"[desk]\nstate_dir = '{home}/state'\n")
        command = [sys.executable, "-c", DESK, str(home / "config.toml"), manner]
        process = subprocess.Popen(
            command, env=patang.environment, stdout=subprocess.PIPE, text=True
        )
        patang.started.append(process)
        assert process.stdout.readline() == "up\n"
        return process, home / "state" / "paper"

    return start


def answers(done):
    return {row["folder"]: row for row in map(json.loads, done.stdout.splitlines())}


def test_a_desk_is_reached_from_anywhere_whatever_the_configuration_there(patang, desk):
    process, folder = desk("answers")
    for name, text in ELSEWHERE.items():
        (patang.home / "config.toml").write_bytes(text)
        done = patang.call("kill", "--reason", name, "--json")
        mine = answers(done)[str(folder)]
        assert (done.returncode, mine["by"], mine["kill"], mine["kill_reason"]) == (
            0,
            ["socket"],
            "halt",
            name,
        )
        assert len(done.stderr.splitlines()) == (name not in {"none", "another"})
        assert process.stdout.readline() == "halt\n"
        assert KillSwitch(folder / "KILL").latch.reason == name
        (folder / "KILL").unlink()
        for other in set(answers(done)) - {str(folder)}:
            KillSwitch(patang.home / other / "KILL").resume("not this one", "me")
        released = patang.call("resume", "--reason", "seen", "--json")
        assert released.returncode == 0, released.stderr
        told = json.loads(released.stdout)
        assert told == {
            "mode": "PAPER",
            "folder": str(folder),
            "resumed": True,
            "was": name,
            "file": "was gone",
        }
        assert process.stdout.readline() == "released\n"
    assert json.loads(patang.call("status", "--json").stdout)["mode"] == "PAPER"
    (patang.home / "config.toml").write_bytes(ELSEWHERE["no TOML"])
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_S)
    mine = answers(patang.call("kill", "--json"))[str(folder)]
    assert (mine["state"], mine["by"]) == ("not running", ["file"]), "what ran once is known"


def test_a_reason_of_any_length_latches(patang, desk):
    process, folder = desk("answers")
    for reason in ("x" * 100_000, "\u20b9" * 30_000):
        done = patang.call("kill", "--reason", reason, "--json")
        mine = answers(done)[str(folder)]
        assert (done.returncode, mine["by"], mine["kill_reason"]) == (0, ["socket"], reason[:500])
        assert process.stdout.readline() == "halt\n"
        told = one_line(patang.call("resume", "--reason", reason), 2)
        assert f"{len(reason):,} characters are too many, 500 are enough" in told
        assert patang.call("resume", "--reason", "seen", "--mode", "paper").returncode == 0
        assert process.stdout.readline() == "released\n"


def test_a_desk_that_does_not_understand_is_latched_by_its_file(patang, desk, monkeypatch):
    process, folder = desk("hangs")
    monkeypatch.setattr(
        "tui.commands.desk.kill_commands.send_request", lambda *_: refused("not a request")
    )
    mine = answers(patang.call("kill", "--json"))[str(folder)]
    assert (mine["by"], KillSwitch(folder / "KILL").latch.level) == (["file", "signal"], "halt")
    assert process.stdout.readline() == "halt\n"


@pytest.mark.parametrize(
    "command",
    [
        ["cancel"],
        ["modify"],
        ["trace"],
        ["limits", "set"],
        ["tax", "--fy"],
        ["export", "bars", "--symbol"],
    ],
)
def test_no_text_on_the_command_line_is_longer_than_any_use_of_it(patang, command):
    assert "characters are too many" in one_line(
        patang.call(*command, "x" * 5_000, *(["3"] * (command[-1] == "set"))), 2
    )


def test_a_desk_that_does_not_answer_is_reached_by_file_and_signal(patang, desk):
    process, folder = desk("hangs")
    done = patang.call("kill", "--flatten", "--json")
    mine = answers(done)[str(folder)]
    assert (done.returncode, mine["state"], mine["by"]) == (0, "no answer", ["file", "signal"])
    assert [process.stdout.readline(), process.stdout.readline()] == ["halt\n", "flatten\n"]
    line = one_line(patang.call("resume", "--reason", "x", "--mode", "paper"), 2)
    assert line == (
        f"patang: the paper desk (process {process.pid}) does not answer, nothing was released: "
        "patang stop --mode paper ends it"
    )
    assert (folder / "KILL").exists()
    done = patang.call("stop", "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "stopped")


def test_whoever_got_the_number_of_a_desk_that_ended_is_sent_nothing(patang, desk):
    process, folder = desk("hangs")
    entry = next((patang.home / "run" / "patang").iterdir())
    sleeper = subprocess.Popen(
        [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
        text=True,
    )
    patang.started.append(sleeper)
    sleeper.stdout.readline()
    process.kill()
    process.wait(PATIENCE_S)
    # the number of the desk that ended has been given to somebody else
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"pid": sleeper.pid}))
    mine = answers(patang.call("kill", "--json"))[str(folder)]
    assert (mine["state"], mine["by"]) == ("not running", ["file"])
    assert sleeper.poll() is None


@pytest.fixture
def three(patang):
    """Return the folders of three modes that have run."""
    folders = [patang.state(mode) for mode in ("live", "paper", "sandbox")]
    for folder in folders:
        folder.mkdir(parents=True)
    (patang.state("live").parent / "instruments").mkdir()
    return folders


def latched(folders):
    return [folder.name for folder in folders if KillSwitch(folder / "KILL").latched]


def test_every_mode_is_latched_before_anything_is_printed(patang, three):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            patang.command("kill"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=patang.home,
            env=patang.environment,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "patang: the output: no space left on device: free some space\n",
    )
    assert latched(three) == ["live", "paper", "sandbox"]
    assert not (patang.state("live").parent / "instruments" / "KILL").exists(), "no desk's folder"


def test_a_latch_that_no_disk_takes_is_no_success(patang, three, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        for way in ("replace_private", "append_private"):
            patch.setattr(private_files, way, full)
        done = patang.call("kill", "--json")
    assert done.returncode == 1
    assert [(row["by"], row["error"].partition("; ")[0]) for row in answers(done).values()] == [
        ([], "the latch is not on disk: no space left on device: free some space")
    ] * 3
    assert len(done.stderr.splitlines()) == 3
    assert "the live desk of " in done.stderr


def test_a_release_is_of_the_one_mode_that_is_named(patang, three):
    assert one_line(patang.call("resume", "--reason", "x"), 1) == "patang: no desk is latched"
    patang.call("kill", "--reason", "enough")
    line = one_line(patang.call("resume", "--reason", "x"), 2)
    assert "3 desks are latched, nothing was released: live (" in line
    assert latched(three) == ["live", "paper", "sandbox"]
    assert patang.call("resume", "--reason", "x", "--mode", "paper").returncode == 0
    assert latched(three) == ["live", "sandbox"]
    assert (
        one_line(patang.call("resume", "--reason", "x", "--mode", "paper"), 1)
        == "patang: no paper desk is latched"
    )


def test_a_latch_that_only_the_database_holds_is_found_and_released(patang, three):
    database = patang.state("live") / "desk.db"
    with sqlite3.connect(database) as connection:
        connection.execute(
            "CREATE TABLE kill_log (seq INTEGER PRIMARY KEY, ts, act, level, reason, who)"
        )
        rows = [
            (5, "latch", "halt", "one", "me"),
            (6, "resume", None, "x", "me"),
            (7, "latch", "flatten", "two", "me"),
        ]
        connection.executemany(
            "INSERT INTO kill_log (ts, act, level, reason, who) VALUES (?, ?, ?, ?, ?)", rows
        )
    connection.close()
    done = patang.call("resume", "--reason", "x", "--json")
    assert json.loads(done.stdout) == {
        "mode": "LIVE",
        "folder": str(database.parent),
        "resumed": True,
        "was": "two",
        "file": "was gone",
    }
    assert patang.call("resume", "--reason", "x").returncode == 1


def test_a_state_folder_that_others_can_write_in_keeps_a_desk_from_starting(patang):
    patang.state().mkdir(parents=True)
    patang.state().chmod(0o777)
    line = one_line(patang.call("demo", "--no-ui"), 2)
    assert line == f"patang: others can write in {patang.state()}: chmod -R go= {patang.state()}"
    assert list(patang.state().iterdir()) == []
    # and is no way around the switch
    assert patang.call("kill").returncode == 0
    wait_for(lambda: latched([patang.state()]), "latched")
