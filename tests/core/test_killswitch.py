"""The kill switch and its file: whatever is put there halts, nothing is lost that is written late, all is on record."""

import json
import threading

import pytest

from engine.trading.board import Board
from engine.trading.gauges import Gauges
from engine.trading.killswitch import FLATTEN, HALT, KillSwitch


@pytest.fixture
def kill(tmp_path):
    return KillSwitch(tmp_path / "KILL")


def record(kill):
    return [row[1:] for row in kill.history()]


def test_the_board_shows_a_latching_although_it_looked_between_the_latch_and_its_record(kill):
    board = Board("SANDBOX")
    gauges = Gauges(board, None, None, kill)
    log, seen = kill._log, []

    def slow_disk(fields):
        gauges._kills()
        seen.append((kill.latched, len(board.kills.rows)))
        log(fields)

    kill._log = slow_disk
    kill.path.write_text("stop it")
    kill.check_file()
    assert seen == [(True, 0)], "the latch holds before it is on record"
    gauges._kills()
    assert [(row.act, row.level, row.reason, row.who) for row in board.kills.rows] == [
        ("latch", "halt", "stop it", "file"),
    ]
    kill.resume("seen", "me")
    gauges._kills()
    assert [row.act for row in board.kills.rows] == ["latch", "resume"]


def test_what_is_written_late_into_an_empty_file_still_counts(kill):
    with kill.path.open("w") as file:
        kill.check_file()
        assert kill.latch.level == HALT, "an empty file halts at once"
        file.write("flatten")
        file.flush()
        kill.check_file()
    assert kill.latch.level == FLATTEN
    assert record(kill) == [("latch", "halt", "flag file", "file"), ("latch", "flatten", "flatten", "file")]


def test_a_flatten_that_somebody_puts_there_is_not_overwritten_by_a_halt_of_ours(kill):
    kill.path.write_text("flatten")
    kill.trigger(HALT, "daily loss limit", "limit")
    assert kill.latch.level == FLATTEN
    assert KillSwitch(kill.path).latch.level == FLATTEN


@pytest.mark.parametrize("text", ["", "stop it", "flatten", '{"level": "halt"}', '{"ts": 1e999}', "[" * 100_000, "5"])
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


def test_bytes_that_are_no_text_and_a_folder_in_its_place_halt_as_well(tmp_path):
    (tmp_path / "KILL").write_bytes(b"\xff\xfe\x00")
    assert KillSwitch(tmp_path / "KILL").latch.level == HALT
    (tmp_path / "other" / "KILL").mkdir(parents=True)
    other = KillSwitch(tmp_path / "other" / "KILL")
    assert "unreadable" in other.latch.reason
    assert len(record(other)) == 1


def test_a_latch_of_ours_is_found_by_the_next_run_as_it_was(kill):
    kill.trigger(HALT, "SIGUSR1", "signal")
    kill.trigger(FLATTEN, "out", "screen")
    kill.trigger(HALT, "late", "watchdog")
    assert json.loads(kill.path.read_text()) == kill.latch._asdict()
    assert KillSwitch(kill.path).latch == kill.latch
    assert record(kill) == [("latch", "halt", "SIGUSR1", "signal"), ("latch", "flatten", "out", "screen")]


def test_a_look_at_the_file_that_began_before_a_resumption_does_not_latch_again(kill):
    kill.trigger(HALT, "enough", "terminal")
    parsed, resuming = threading.Event(), threading.Event()

    class Slow(type(kill.path)):
        def read_text(self, *arguments, **named):
            text = super().read_text(*arguments, **named)
            parsed.set()
            resuming.wait(0.2)
            return text

    looked = threading.Thread(target=kill.check_file)
    kill.path = Slow(kill.path)
    looked.start()
    assert parsed.wait(10)
    kill.resume("seen", "me")
    resuming.set()
    looked.join(10)
    assert not kill.latched
    assert not kill.path.exists()


def test_entries_are_forbidden_before_anything_waits_for_the_disk(kill):
    with kill._lock:
        pulled = threading.Thread(target=kill.trigger, args=(HALT, "stalled disk", "screen"), daemon=True)
        pulled.start()
        for _ in range(1_000):
            if kill.latched:
                break
            pulled.join(0.01)
        assert kill.latched
        assert kill.latch is None
    pulled.join(10)
    assert kill.latch.reason == "stalled disk"
