"""Desks are on record by folder and process.

Nobody who got the number of one that ended is ever meant.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import OperatorError
from engine.ops import desk_register
from engine.system import private_files
from engine.system.file_hold import holding_process
from engine.system.processes import UserProcess, process_start, this_process

WAITS = (
    "import signal; signal.signal(signal.SIGUSR1, {}); print('up', flush=True)\n"
    "while True: signal.pause()"
)


@pytest.fixture
def other():
    """Return a process that catches SIGUSR1, and one that would die of it."""
    found = []
    for disposition in ("lambda *_: print('heard', flush=True)", "signal.SIG_DFL"):
        command = [sys.executable, "-S", "-c", WAITS.format(disposition)]
        found.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert found[-1].stdout.readline() == "up\n"
    yield found
    for process in found:
        process.kill()
        process.wait()


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "desk").mkdir()
    return {
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "HOME": str(tmp_path),
    }


def test_a_signal_reaches_the_very_process_and_nobody_with_its_number(other):
    heeds, dies = (UserProcess(process.pid, process_start(process.pid)) for process in other)
    assert (heeds.heeds_kill, dies.heeds_kill) == (True, False)
    earlier = UserProcess(heeds.pid, "1-" + heeds.start.partition("-")[2])
    assert not earlier.is_alive
    assert not earlier.send(signal.SIGKILL)
    another_boot = UserProcess(heeds.pid, heeds.start.partition("-")[0] + "-0")
    assert not another_boot.send(signal.SIGKILL)
    assert heeds.send(signal.SIGUSR1)
    assert other[0].stdout.readline() == "heard\n"
    other[0].kill()
    os.waitid(os.P_PID, heeds.pid, os.WEXITED | os.WNOWAIT)
    assert (heeds.is_alive, heeds.send(signal.SIGUSR1)) == (False, False), (
        "dead, though still in the table"
    )
    other[0].wait()
    assert (heeds.is_alive, heeds.send(signal.SIGUSR1)) == (False, False)


def test_a_process_of_another_user_is_none_of_ours(other, monkeypatch):
    found = UserProcess(other[0].pid, process_start(other[0].pid))
    monkeypatch.setattr(os, "getuid", lambda: 4_711)
    assert not found.is_alive
    assert not found.send(signal.SIGUSR1)


def test_a_lock_that_names_a_process_of_before_names_nobody(tmp_path):
    for text in (f"{os.getpid()}\n", f"{os.getpid()} 1-2\n"):
        lock = tmp_path / "desk.lock"
        lock.write_text(text)
        with lock.open() as file:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
            found = holding_process(lock)
            assert found.pid == os.getpid()
            assert not found.is_alive


def test_a_desk_is_on_record_in_both_places_and_known_when_one_is_lost(tmp_path, environ):
    desk_register.register_desk(tmp_path / "desk", environ)
    places = desk_register.register_folders(environ)
    assert places == [tmp_path / "run" / "patang", tmp_path / "state" / "patang" / "desks"]
    wanted = [desk_register.DeskEntry(tmp_path / "desk", this_process())]
    assert desk_register.registered_desks(environ) == wanted
    for place in places:
        [file] = place.iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        content = file.read_bytes()
        file.unlink()
        assert desk_register.registered_desks(environ) == wanted
        file.write_bytes(content)


def test_one_that_runs_outranks_what_is_left_of_another_run(tmp_path, environ):
    desk_register.register_desk(tmp_path / "desk", environ)
    [file] = (tmp_path / "run" / "patang").iterdir()
    file.write_text(file.read_text().replace(f'"pid": {os.getpid()}', '"pid": 1'))
    assert desk_register.registered_desks(environ) == [
        desk_register.DeskEntry(tmp_path / "desk", this_process())
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"folder": 5}',
        b'{"folder": "/", "pid": 1e400, "start": ""}',
        b"[" * 9_999,
    ],
)
def test_what_is_no_entry_is_passed_over_and_cleared_away(tmp_path, environ, content):
    desk_register.register_desk(tmp_path / "desk", environ)
    spoilt = tmp_path / "run" / "patang" / "spoilt"
    spoilt.write_bytes(content)
    os.mkfifo(spoilt.with_name("fifo"))
    assert [entry.folder for entry in desk_register.registered_desks(environ)] == [
        tmp_path / "desk"
    ]
    desk_register.register_desk(tmp_path / "desk", environ)
    assert not spoilt.exists()


def test_a_folder_that_is_gone_is_forgotten(tmp_path, environ):
    (tmp_path / "old").mkdir()
    desk_register.register_desk(tmp_path / "old", environ)
    (tmp_path / "old").rmdir()
    assert desk_register.registered_desks(environ) == []
    desk_register.register_desk(tmp_path / "desk", environ)
    assert len([*(tmp_path / "run" / "patang").iterdir()]) == 1


@pytest.mark.parametrize("spoil", ["missing", "open", "relative", "foreign"])
def test_a_runtime_folder_that_is_not_ours_alone_is_not_used(tmp_path, environ, monkeypatch, spoil):
    folder = tmp_path / "run"
    if spoil == "missing":
        folder.rmdir()
    elif spoil == "open":
        folder.chmod(0o777)
    elif spoil == "relative":
        environ["XDG_RUNTIME_DIR"] = "run"
    else:
        monkeypatch.setattr(os, "getuid", lambda: 4_711)
    assert tmp_path / "run" / "patang" not in desk_register.register_folders(environ)
    assert desk_register.register_folders(environ)[-1] == tmp_path / "state" / "patang" / "desks"


def test_a_desk_that_cannot_be_put_on_record_is_refused(tmp_path, environ, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files, "replace_private", full)
    with pytest.raises(
        OperatorError, match=r"cannot be registered for patang kill: .*No space left"
    ):
        desk_register.register_desk(tmp_path / "desk", environ)


def test_an_entry_of_a_folder_that_may_not_be_looked_at_hides_no_other_desk(tmp_path, monkeypatch):
    environ = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    closed, seen = tmp_path / "closed", tmp_path / "seen"
    for folder in (closed, seen):
        folder.mkdir()
        desk_register.register_desk(folder, environ)
    look = Path.is_dir

    def refused(self):
        if self == closed:
            raise PermissionError(13, "Permission denied", str(self))
        return look(self)

    monkeypatch.setattr(Path, "is_dir", refused)
    assert [entry.folder for entry in desk_register.registered_desks(environ)] == [seen]
    desk_register.register_desk(seen, environ)  # and keeps no desk from being registered
