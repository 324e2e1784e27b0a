"""The log of a process on a disk that is full or does not answer."""

import os
from pathlib import Path

from engine.system import structured_logs
from engine.system.structured_logs import WAITING, DeskLogFile, read_log


def test_a_log_that_the_disk_does_not_take_fails_nobody_and_goes_on(tmp_path):
    full = DeskLogFile(Path("/dev/full"))
    full.write("lost\n")
    full.wait_until_written()
    full.file, there = (tmp_path / "log").open("ab", buffering=0), full.file
    full.write("kept \ud800\n")
    full.wait_until_written()
    there.close()
    assert (tmp_path / "log").read_bytes() == b"kept \\ud800\n"


def test_whoever_writes_a_log_waits_for_no_disk(tmp_path):
    os.mkfifo(tmp_path / "log")
    disk = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    log, line = DeskLogFile(tmp_path / "log"), "x" * 4095 + "\n"
    for _ in range(2 * WAITING):
        assert log.write(line) == 4096
    taken = b""
    os.set_blocking(disk, True)
    while len(taken) < WAITING * 4096:
        taken += os.read(disk, 65_536)
    assert set(taken.decode().splitlines(keepends=True)) == {line}
    os.close(disk)


def test_a_log_is_read_line_by_line_from_where_one_has_come_to(tmp_path):
    path = tmp_path / "log"
    path.write_text(
        '{"event": "feed", "text": "feed lost", "kind": "warn", "level": "warning", '
        '"timestamp": "2026-07-14T09:02:07.250Z"}\n'
        "Fatal Python error: Segmentation fault\n"
        '{"event": "thread_died", "thread": "bars", "exception": "Traceback\\nValueError: boom", '
        '"level": "error", "timestamp": "2026-07-14T09:02:08Z"}\n'
        "half a li"
    )
    first, second, third = read_log(path)
    assert (first.ts, first.level, first.text) == (
        1_784_019_727_250_000_000,
        "warn",
        "feed: feed lost",
    )
    # A crash has no time of its own.
    assert (second.ts, second.level) == (first.ts, "warn")
    assert (third.level, third.text) == ("alarm", "thread_died: bars, ValueError: boom")
    assert "exception:\nTraceback\nValueError: boom" in third.whole
    with path.open("a") as file:
        file.write("ne\n")
    assert [line.text for line in read_log(path, third.number + 1)] == ["half a line"]
    # A log that was begun anew is read from its beginning.
    path.write_text("short\n")
    assert [line.text for line in read_log(path, third.number + 1)] == ["short"]


def test_a_log_is_begun_anew_when_it_is_large_and_the_one_before_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(structured_logs, "LARGE", 10)
    path = tmp_path / "patang.log"
    path.write_text("eleven bytes\n")
    structured_logs.open_log(path).end()
    assert path.read_text() == ""
    assert path.with_name("patang.log.1").read_text() == "eleven bytes\n"


def test_a_log_that_is_removed_begins_anew_and_loses_nothing_after_it(tmp_path):
    path = tmp_path / "log"
    log = DeskLogFile(path)
    log.write("before\n")
    log.wait_until_written()
    path.unlink()
    log.write("after\n")
    log.wait_until_written()
    assert path.read_text() == "after\n"
    # By a rotation that moves it away, too.
    path.rename(tmp_path / "log.1")
    log.write("later\n")
    log.end()
    assert [path.read_text(), (tmp_path / "log.1").read_text()] == ["later\n", "after\n"]
