"""The kill switch and its file.

Whatever is put there halts, nothing is lost that is written late, all is on record.
"""

import errno
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.board.risk_view import RiskView
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.errors import OperatorError
from engine.orders import killswitch
from engine.orders.killswitch import FLATTEN, HALT, KillSwitch
from engine.system import private_files


@pytest.fixture
def kill(tmp_path):
    return KillSwitch(tmp_path / "KILL")


def record(kill):
    return [row[1:] for row in kill.history()]


def test_the_board_shows_a_latching_although_it_looked_between_the_latch_and_its_record(kill):
    board = Board("SANDBOX")
    gauges = RiskView(BoardWriter(board), None, None, kill)
    log, seen = kill._append_log, []

    def slow_disk(fields):
        gauges._publish_kills()
        seen.append((kill.latched, len(board.kills.rows)))
        log(fields)

    kill._append_log = slow_disk
    kill.path.write_text("stop it")
    kill.check_file()
    assert seen == [(True, 0)], "the latch holds before it is on record"
    gauges._publish_kills()
    assert [(row.act, row.level, row.reason, row.who) for row in board.kills.rows] == [
        ("latch", "halt", "stop it", "file"),
    ]
    kill.resume("seen", "me")
    gauges._publish_kills()
    assert [row.act for row in board.kills.rows] == ["latch", "resume"]


LAST = """
import sys
from pathlib import Path
from engine.orders.killswitch import HALT, KillSwitch

class Last:
    def __init__(self, kill):
        self.kill, self.sys = kill, sys

    def __del__(self):
        self.kill.trigger(HALT, f"finalizing {self.sys.is_finalizing()}", "the last breath")

last = Last(KillSwitch(Path(sys.argv[1])))
"""


def test_a_latch_while_the_interpreter_ends_is_written_and_holds_nothing_up(kill):
    done = subprocess.run(
        [sys.executable, "-c", LAST, str(kill.path)],
        check=False,
        timeout=30,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert record(kill) == [("latch", HALT, "finalizing True", "the last breath")]
    assert json.loads(kill.path.read_text())["reason"] == "finalizing True"


def test_what_is_written_late_into_an_empty_file_still_counts(kill):
    with kill.path.open("w") as file:
        kill.check_file()
        assert kill.latch.level == HALT, "an empty file halts at once"
        file.write("flatten")
        file.flush()
        kill.check_file()
    assert kill.latch.level == FLATTEN
    assert record(kill) == [
        ("latch", "halt", "flag file", "file"),
        ("latch", "flatten", "flatten", "file"),
    ]


def test_a_flatten_that_somebody_puts_there_is_not_overwritten_by_a_halt_of_ours(kill):
    kill.path.write_text("flatten")
    kill.trigger(HALT, "daily loss limit", "limit")
    assert kill.latch.level == FLATTEN
    assert KillSwitch(kill.path).latch.level == FLATTEN


@pytest.mark.parametrize(
    "text", ["", "stop it", "flatten", '{"level": "halt"}', '{"ts": 1e999}', "[" * 100_000, "5"]
)
def test_any_file_latches_once_and_again_after_a_restart_with_one_record(kill, text):
    kill.path.write_text(text)
    for switch in (kill, KillSwitch(kill.path), KillSwitch(kill.path)):
        switch.check_file()
        switch.check_file()
        assert switch.latched
        assert switch.latch.level == (FLATTEN if text == "flatten" else HALT)
        assert switch.latch.ts == kill.latch.ts == kill.path.stat().st_mtime_ns
    assert len(record(kill)) == 1
    assert kill.path.read_text() == text


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b'{"level": "halt", "reason": "\\ud800\\n\\u001b[2J"}', b'{"ts": 1e300}'],
)
def test_bytes_that_are_no_text_are_made_valid_on_one_line(tmp_path, content):
    (tmp_path / "KILL").write_bytes(content)
    for switch in (KillSwitch(tmp_path / "KILL"), KillSwitch(tmp_path / "KILL")):
        assert switch.latch.level == HALT
        assert switch.latch.reason.encode().decode().isprintable()
        assert 0 < switch.latch.ts < 2**63
    (tmp_path / "KILL.log").write_bytes(
        b'\xff\n{"act": \xff}\n' + (tmp_path / "KILL.log").read_bytes() + b"[" * 5_000
    )
    assert len(KillSwitch(tmp_path / "KILL").history()) == 1


def plant(kind, path):
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.with_name("elsewhere").write_text("flatten")
        path.symlink_to(path.with_name("elsewhere"))
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))


@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "socket"])
def test_what_is_no_file_in_its_place_halts_and_is_not_believed(tmp_path, kind):
    plant(kind, tmp_path / "KILL")
    switches = [KillSwitch(tmp_path / "KILL"), KillSwitch(tmp_path / "KILL")]
    for switch in switches:
        switch.check_file()
        assert switch.latch.level == HALT
        assert switch.latch.reason.startswith("kill file unreadable")
    assert len(record(switch)) == 1
    if kind == "folder":
        with pytest.raises(OperatorError, match=r"not released: .*KILL: is a directory"):
            switch.resume("seen", "me")
        assert switch.latched
    else:
        assert switch.resume("seen", "me") == switch.latch or not switch.latched
        assert not os.path.lexists(switch.path)


def test_a_file_of_somebody_else_halts_and_its_word_does_not_flatten(kill, monkeypatch):
    kill.path.write_text("flatten")
    monkeypatch.setattr(os, "geteuid", lambda: 4_711)
    monkeypatch.setattr(private_files, "TRUSTED", 4_712)
    kill.check_file()
    assert (kill.latch.level, kill.latch.reason) == (
        HALT,
        f"kill file unreadable: belongs to another user ({os.getuid()})",
    )


def test_a_latch_of_ours_is_found_by_the_next_run_as_it_was(kill):
    kill.trigger(HALT, "SIGUSR1", "signal")
    kill.trigger(FLATTEN, "out", "screen")
    kill.trigger(HALT, "late", "watchdog")
    assert json.loads(kill.path.read_text()) == kill.latch._asdict()
    assert KillSwitch(kill.path).latch == kill.latch
    assert record(kill) == [
        ("latch", "halt", "SIGUSR1", "signal"),
        ("latch", "flatten", "out", "screen"),
    ]


def test_a_look_at_the_file_that_began_before_a_resumption_does_not_latch_again(kill, monkeypatch):
    kill.trigger(HALT, "enough", "terminal")
    parsed, resuming = threading.Event(), threading.Event()
    read = private_files.read_private

    def slow(path, most):
        content = read(path, most)
        parsed.set()
        resuming.wait(0.2)
        return content

    monkeypatch.setattr(private_files, "read_private", slow)
    looked = threading.Thread(target=kill.check_file)
    looked.start()
    assert parsed.wait(10)
    kill.resume("seen", "me")
    resuming.set()
    looked.join(10)
    assert not kill.latched
    assert not kill.path.exists()


def test_entries_are_forbidden_before_anything_waits_for_the_disk(kill):
    with kill._lock:
        pulled = threading.Thread(
            target=kill.trigger, args=(HALT, "stalled disk", "screen"), daemon=True
        )
        pulled.start()
        for _ in range(1_000):
            if kill.latched:
                break
            pulled.join(0.01)
        assert kill.latched
        assert kill.latch is None
    pulled.join(10)
    assert kill.latch.reason == "stalled disk"


# what is on record


LOST = ("file", "log", "database")
"""What may be gone after a crash, a full disk, or a hand that removes it."""


@pytest.mark.parametrize(
    "lost", [set(lost) for n in range(3) for lost in itertools.combinations(LOST, n)]
)
@pytest.mark.parametrize("levels", [(HALT,), (FLATTEN,), (HALT, FLATTEN)])
def test_of_file_log_and_database_one_is_enough_and_the_strictest_holds(kill, lost, levels):
    for level in levels:
        kill.trigger(level, f"because {level}", "me")
    kept = kill.history()
    if "file" in lost:
        kill.path.unlink()
    if "log" in lost:
        kill.path.with_suffix(".log").unlink()
    kept = [] if "database" in lost else kept
    found = KillSwitch(kill.path, kept=kept)
    assert found.latch == kill.latch
    # and its release leaves nothing that holds at the next start
    assert found.resume("seen", "me") == kill.latch
    assert [row[0] for row in record(found)] == ["latch"] * (len(record(found)) - 1) + ["resume"]
    assert not KillSwitch(kill.path, kept=kept).latched


def test_where_they_differ_the_strictest_holds(kill):
    kill.trigger(FLATTEN, "out", "me")
    kept = kill.history()
    kill.path.with_suffix(".log").unlink()
    kill.path.write_text(json.dumps({"level": HALT, "reason": "older", "who": "me", "ts": 5}))
    assert KillSwitch(kill.path, kept=kept).latch.reason == "out"


def test_a_release_counts_where_it_stands_whatever_the_clock_says(tmp_path):
    times = iter((900, 950, 100))  # the clock is set back between the release and the next latch
    clock = []
    first = KillSwitch(tmp_path / "KILL", lambda: clock[-1])
    for act in ("one", "", "two"):
        clock.append(next(times))
        if act:
            first.trigger(HALT, act, "me")
        else:
            kept = first.history()
            first.resume("seen", "me")
            assert not KillSwitch(first.path, kept=kept).latched
    first.path.unlink()
    assert KillSwitch(first.path).latch.reason == "two"
    assert KillSwitch(first.path, kept=kept).latch.reason == "two"


def test_an_absence_releases_nothing_and_a_resume_without_the_file_is_whole(kill):
    kill.trigger(HALT, "enough", "me")
    kill.path.unlink()
    kill.check_file()
    assert kill.latched
    assert KillSwitch(kill.path).latched
    assert kill.resume("seen", "me").reason == "enough"
    assert not KillSwitch(kill.path).latched
    assert kill.resume("again", "me") is None
    assert [row[0] for row in record(kill)] == ["latch", "resume"]


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "KILL.log")


def test_a_full_disk_is_told_is_asked_again_and_takes_no_release(kill, monkeypatch):
    seconds = itertools.count(1)
    kill.now = lambda: next(seconds) * 2_000_000_000
    with monkeypatch.context() as patch:
        for name in ("append_private", "replace_private"):
            patch.setattr(private_files, name, full)
        kill.trigger(HALT, "enough", "me")
        assert (kill.latched, kill.unkept) == (True, "no space left on device: free some space")
        assert list(kill.path.parent.iterdir()) == []
        with pytest.raises(
            OperatorError,
            match=r"^not released: KILL\.log: no space left on device: free some space$",
        ):
            kill.resume("seen", "me")
        assert kill.latched
    kill.check_file()
    kill._writer.join(10)
    assert kill.unkept == ""
    assert KillSwitch(kill.path).latch.reason == "enough"
    kill.path.unlink()
    assert KillSwitch(kill.path).latch.reason == "enough"


def test_either_the_file_or_the_log_is_enough(kill, monkeypatch):
    for name in ("append_private", "replace_private"):
        with monkeypatch.context() as patch:
            patch.setattr(private_files, name, full)
            kill.trigger(HALT, name, "me")
        assert (kill.unkept, KillSwitch(kill.path).latch.reason) == ("", name)
        kill.resume("seen", "me")


def test_a_line_that_a_full_disk_has_cut_off_spoils_no_other(kill):
    log = kill.path.with_suffix(".log")
    log.write_text('{"act": "latch", "lev')
    kill.trigger(HALT, "enough", "me")
    assert record(kill) == [("latch", "halt", "enough", "me")]


def test_a_hanging_disk_keeps_nobody_who_latches_and_is_told_to_who_releases(kill, monkeypatch):
    answers = threading.Event()
    monkeypatch.setattr(killswitch, "DISK_S", 0.02)
    monkeypatch.setattr(killswitch, "RELEASE_S", 0.02)
    monkeypatch.setattr(private_files.os, "fsync", lambda _: answers.wait(10))
    kill.trigger(HALT, "enough", "me")
    kill.trigger(FLATTEN, "out", "me")
    kill.check_file()
    assert (kill.latch.level, kill.unkept) == (FLATTEN, "the disk does not answer")
    with pytest.raises(OperatorError, match="does not answer"):
        kill.resume("seen", "me")
    assert kill.latched
    answers.set()


def test_a_flatten_that_comes_while_a_halt_is_released_stays(kill, monkeypatch):
    kill.trigger(HALT, "enough", "me")
    log = kill._append_log

    def meanwhile(fields):
        monkeypatch.setattr(kill, "_append_log", log)
        kill._raise_latch(killswitch.KillLatch(FLATTEN, "out", "screen", 7))
        log(fields)

    monkeypatch.setattr(kill, "_append_log", meanwhile)
    assert kill.resume("seen", "me").reason == "enough"
    assert kill.latch.reason == "out"
    kill._store_latch()
    assert KillSwitch(kill.path).latch.reason == "out"
    kill.path.unlink()
    assert KillSwitch(kill.path).latch.reason == "out"


def test_file_log_and_folder_are_synced_before_a_latch_counts_as_kept(kill, monkeypatch):
    synced = []

    def note(descriptor):
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if not name.startswith(str(kill.path.parent)):
            return  # another thread's
        synced.append(name.removeprefix(str(kill.path.parent)).partition(".KILL")[0])
        assert kill.unkept

    monkeypatch.setattr(private_files.os, "fsync", note)
    kill.trigger(HALT, "enough", "me")
    # the new file beside its place, the folder that names it, the new log, the folder that names
    # that
    assert synced == ["/", "", "/KILL.log", ""]
    kill.unkept = "x"
    synced.clear()
    kill.resume("seen", "me")
    assert synced == ["/KILL.log", ""]
