"""The log of a process on a disk that is full or does not answer."""

import os
from pathlib import Path

from engine.system.structured_logs import WAITING, DeskLogFile


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
