"""A run that does not end when it is told to: it is ended by force, and says what stays open.

One that ends is left alone.
"""

import signal
import subprocess
import sys
from types import SimpleNamespace

from engine.board_rows import Board, DiskState, PositionRow
from engine.config.schema import DeskConfig
from engine.day.pacing import STOP_PATIENCE_S
from tui.run.forced_ending import ENGINE_S, FORCED, ForcedEnding, open_positions_text

STUCK = """
import os, signal, threading, time
from types import SimpleNamespace
from engine.config.schema import DeskConfig
from engine.board_rows import Board
from tui.run.forced_ending import ForcedEnding
ending = ForcedEnding(SimpleNamespace(config=DeskConfig(), board=Board("LIVE")), {seconds})
signal.signal(signal.SIGTERM, ending.count_signal)
for _ in range({signals}):
    os.kill(os.getpid(), signal.SIGTERM)
{then}
"""


def run(seconds, signals, then):
    text = STUCK.format(seconds=seconds, signals=signals, then=then)
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False
    )


def test_what_is_stuck_is_ended_after_a_time_and_says_what_stays_open():
    done = run(0.2, 1, "threading.Event().wait(50)")
    assert done.returncode == FORCED
    assert (
        "ended by force: it has not ended for 0.2 s; nothing is open, as far as the desk knew"
        in done.stderr
    )


def test_a_second_signal_breaks_nothing_off_and_a_third_does():
    assert run(50, 2, "ending.cancel_timer(); print('closed')").stdout == "closed\n"
    done = run(50, 3, "print('closed')")
    assert (done.returncode, done.stdout) == (FORCED, "")
    assert "told to end 3 times" in done.stderr


def test_what_is_told_names_positions_stops_and_what_is_not_on_record():
    board = Board("LIVE")
    row = PositionRow(
        "1",
        "INFY",
        "s",
        "-",
        10,
        1500.0,
        1500.0,
        0,
        0.0,
        1480.0,
        0.0,
        *[0] * (len(PositionRow._fields) - 11),
    )
    board.positions.put("1", row)
    board.positions.put("2", row._replace(key="2", symbol="TCS", quantity=3, stop=0.0))
    board.governor = board.governor._replace(disk=DiskState(70.0, 70.0, 2))
    told = open_positions_text(SimpleNamespace(board=board))
    assert told.startswith("open are 10 INFY, 3 TCS without a stop, as far as the desk knew")
    assert "2 requests had left ahead of their record" in told


def test_the_bound_leaves_the_engine_its_patience():
    config, before = DeskConfig(), signal.getsignal(signal.SIGTERM)
    assert ENGINE_S == STOP_PATIENCE_S
    assert (
        ForcedEnding(SimpleNamespace(config=config))._seconds
        > STOP_PATIENCE_S + config.broker.timeout_s
    )
    assert signal.getsignal(signal.SIGTERM) == before, "nothing is heeded before it ends"
