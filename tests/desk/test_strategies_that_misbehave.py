"""A whole desk with a strategy that leaves, or never comes back.

And an engine that ends unasked.
"""

import signal
import subprocess
import sys
import time

import pytest

from compiled.model.values import Side
from compiled.trading.strategy import Strategy
from engine.exit_codes import FAILED
from engine.operator_requests import ExitRequest
from engine.ops import freeze_timer
from tests.desk.support import wait_for
from tui.run.launch import report_day
from tui.run.session import RunPlan
from tui.run.wiring import open_desk


class Unruly(Strategy):
    """Buys once, and then does what it is told to."""

    def __init__(self):
        super().__init__("unruly", 60, every=1, wants_ticks=True)
        self.bought = False
        self.deed = None

    def on_tick(self, ctx, tick):
        if not self.bought:
            self.bought = True
            ctx.enter(tick.token, Side.BUY, 0, 5.0, quantity=3)

    def on_timer(self, ctx, ts):
        del ctx, ts
        if self.deed is not None:
            self.deed()


def loop_for_ever():
    while True:
        pass


def sleep_on():
    while True:
        time.sleep(0.05)


@pytest.fixture
def running(station):
    made = station(
        RunPlan(speed=1.0, start="10:00", symbols=("INFY",)), "[watchdog]\nengine_s = 1.0\n"
    )
    made.strategies = [strategy := Unruly()]
    open_desk(made)
    wait_for(
        lambda: [row.stop for row in made.board.positions.rows if row.stop],
        "something is held, with its stop",
    )
    return made, strategy


def alarms(made):
    return " ".join(row.text for row in list(made.board.events) if row.level == "alarm")


def test_a_strategy_that_leaves_is_stopped_and_the_desk_goes_on(running):
    made, strategy = running
    strategy.deed = sys.exit
    wait_for(lambda: "unruly stopped: SystemExit" in alarms(made), "it is told")
    assert (made.desk.done.is_set(), made.kill.latched, made.board.header.state) == (
        False,
        False,
        "running",
    )
    made.desk.submit(ExitRequest(int(made.desk.slots[0].tokens[0])))
    wait_for(lambda: not made.board.positions.rows, "what it held leaves by hand")


@pytest.mark.parametrize("deed", [loop_for_ever, sleep_on])
def test_a_strategy_that_never_comes_back_is_ended_and_exits_by_hand_go(running, deed):
    made, strategy = running
    strategy.deed = deed
    wait_for(lambda: "unruly stopped: StrategyHung" in alarms(made), "it is ended and told")
    # the strategy's end, which the engine tells, may be quicker than the watchdog's latch
    wait_for(lambda: made.kill.latch is not None, "the desk is halted")
    assert made.kill.latch.reason.startswith(
        "the engine has stood still for 1 s in strategy unruly"
    )
    assert not made.desk.done.is_set()
    made.desk.submit(ExitRequest(int(made.desk.slots[0].tokens[0])))
    wait_for(lambda: not made.board.positions.rows, "what it held leaves by hand")


class Odd(BaseException):
    """Nobody's error."""


@pytest.mark.parametrize(
    "error", [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), Odd(), RuntimeError("odd")]
)
def test_an_engine_that_ends_unasked_latches_tells_and_fails(running, error, capsys):
    made, _ = running

    def end():
        raise error

    made.desk._loop.turn = end
    assert made.desk.done.wait(20.0)
    made.desk.join(5.0)
    # on a slow machine the watchdog may have latched a moment before
    assert "engine died" in made.kill.latch.reason or made.kill.latch.who == "watchdog"
    assert made.board.header.state == "failed"
    assert [name for name, _ in made.failures] == ["engine"]
    assert report_day(made, made.desk, interrupted=False, as_json=False, screen=False) == FAILED
    assert "the engine died" in capsys.readouterr().err


HELD = """
import re, sys, threading, time
from pathlib import Path
from engine.ops import freeze_timer

freeze_timer.CPU_S = 0.3
made = freeze_timer.FreezeTimer(Path(sys.argv[1]))

def watch():
    while True:
        made.wind()
        time.sleep(0.01)

threading.Thread(target=watch, daemon=True).start()
while time.process_time() < 0.6:
    pass  # Python's own code lets others run

def native():
    re.match("(a+)+$", "a" * 60 + "b")

{deed}
"""


def held(folder, deed):
    return subprocess.run(
        [sys.executable, "-c", HELD.format(deed=deed), folder], check=False, timeout=60
    ).returncode


def test_a_process_held_by_native_code_is_ended_and_leaves_on_record_where(tmp_path):
    assert held(tmp_path, "native()") == -signal.SIGPROF
    assert "in native" in freeze_timer.read_freeze_record(tmp_path)


def test_a_process_whose_threads_come_to_their_turns_goes_on(tmp_path):
    assert held(tmp_path, "made.close()") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_desk_that_finds_such_a_record_opens_latched_and_says_why(station):
    made = station(RunPlan(speed=1.0, start="10:00", symbols=("INFY",)))
    made.state.mkdir(mode=0o700, parents=True)
    (made.state / freeze_timer.NAME).write_text("in on_tick")
    open_desk(made)
    assert "native code" in made.kill.latch.reason
    wait_for(lambda: "native code" in alarms(made), "it is told")
    assert freeze_timer.read_freeze_record(made.state) == "", "the record is told once"
