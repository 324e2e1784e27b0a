"""The opening of a desk, with all its reads, at an exchange with Kite's documented rates."""

import json
import signal
import threading
import time

import pytest

import engine.desk
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from engine.exit_codes import USAGE
from engine.operator_requests import AcknowledgeRequest
from store.decision_trace import trace_decision
from strategies.moving_average_cross import MovingAverageCross
from tests.asking import answer_of, asked
from tests.desk.support import PATIENCE_S, get, rows, status, wait_for
from tests.desk.test_kill import Screen
from tests.desk.test_restart import CONFIG
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

SETTLED = 5.0


def test_a_whole_opening_is_never_told_that_it_asks_too_often(patang):
    serving = patang.start("sandbox", "--seed", 11, "--start", "09:40", "--json", stdout=-1)
    endpoint = json.loads(serving.stdout.readline())
    (patang.home / "config.toml").write_text(CONFIG.format(**endpoint))
    desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    try:
        wait_for(lambda: (s := status(patang)) and s["state"] == "running", "the desk runs")
        time.sleep(SETTLED)
        books = get(endpoint["rest"] + "/sandbox/books")
        assert books["too_many"] == {}
    finally:
        for process in (desk, serving):
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


def test_a_desk_that_cannot_open_behind_its_screen_takes_it_down_and_says_why(patang):
    with patang.serving(20, CONFIG.replace("[feed]", '[feed]\nwatch = ["NOSUCH"]')):
        screen = Screen(patang, "run")
        wait_for(screen.left, "the program has ended")
    assert screen.code == USAGE
    assert b"no such symbol on NSE: NOSUCH" in screen.seen


@pytest.mark.parametrize("moment", ["WarmUp", "restore_kernel"])
def test_a_desk_that_is_told_to_stop_while_it_opens_stops(station, monkeypatch, moment):
    made = station(RunPlan(speed=1.0, start="10:00"))
    held, go_on = threading.Event(), threading.Event()
    read = getattr(engine.desk, moment)

    def held_up(*arguments, **named):
        held.set()
        assert go_on.wait(PATIENCE_S)
        return read(*arguments, **named)

    monkeypatch.setattr(engine.desk, moment, held_up)
    desk = open_desk(made)
    assert held.wait(PATIENCE_S)
    desk.stop()
    go_on.set()
    assert desk.done.wait(PATIENCE_S)
    assert desk.error is None
    assert made.board.header.state == "stopped"


@pytest.mark.parametrize("where", ["follow", "on_bar"])
def test_a_strategy_that_fails_before_the_day_begins_is_told_of_and_the_desk_opens_without_it(
    station, monkeypatch, where
):
    def broken(*arguments):
        raise RuntimeError(f"no {where}")

    monkeypatch.setattr(MovingAverageCross, where, broken)
    made = station(RunPlan(speed=1.0, start="10:00"))
    open_desk(made)
    wait_for(lambda: made.board.header.state == "running", "the desk runs")
    told = rows(made.database, "SELECT * FROM events WHERE name = 'strategy_stopped'")
    assert [(each["level"], each["text"]) for each in told] == [
        ("alarm", f"moving_average_cross stopped: RuntimeError: no {where}")
    ]
    stopped = {slot.name: slot.stopped for slot in made.desk.kernel.state.slots}
    assert stopped == {"momentum_ladder": "", "moving_average_cross": f"RuntimeError: no {where}"}
    (mark,) = made.board.failures.rows
    assert (mark.strategy, mark.error) == ("moving_average_cross", f"RuntimeError: no {where}")
    assert mark.trace[0].startswith("Traceback")
    assert any(line.endswith("in broken") for line in mark.trace)
    kept = trace_decision(made.database, "moving_average_cross").steps
    assert [step.text.splitlines() for step in kept] == [list(mark.trace)]
    assert any("in broken" in line for line in (made.state / "patang.log").read_text().splitlines())
    wrong, right = (
        made.desk.submit(AcknowledgeRequest(name)) for name in ("momentum_ladder", mark.strategy)
    )
    wait_for(lambda: answer_of(made.desk, right), "the desk has answered")
    assert (
        answer_of(made.desk, wrong)
        == "refused: momentum_ladder is not marked; marked: moving_average_cross"
    )
    assert (
        answer_of(made.desk, right)
        == "done: moving_average_cross is no longer marked; it stays stopped"
    )
    assert made.board.failures.rows == []


WATCHED = """
[broker]
rest = "{rest}"
ws = "{ws}"
api_key = "{api_key}"
access_token = "{access_token}"
[feed]
watch = ["INFY", "TCS", "NIFTY 50"]
mode = "quote"
ltp = ["SBIN"]
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
symbols = ["INFY", "NIFTY 50"]
"""


def test_what_is_only_watched_is_sent_in_brief_and_in_full_once_it_is_held(station):
    sandbox = Sandbox(
        SandboxConfig(speed=5.0, start="10:00", symbols=("INFY", "TCS", "SBIN"), limits=False)
    )
    endpoint = sandbox.start()
    try:
        fields = ("rest", "ws", "api_key", "access_token")
        made = station(
            RunPlan("sandbox"), WATCHED.format(**{name: getattr(endpoint, name) for name in fields})
        )
        desk = open_desk(made)
        wait_for(lambda: made.board.header.state == "running", "the desk runs")

        def full():
            return get(endpoint.rest + "/sandbox/clock")["full"]

        wait_for(lambda: full() == 2, "INFY and the index are sent in full")
        markets = {
            market.instrument.symbol: market for market in desk.kernel.state.markets.values()
        }
        wait_for(lambda: all(each.ltp > 0.0 for each in markets.values()), "everything has a price")
        assert markets["NIFTY 50"].listeners
        assert not markets["SBIN"].listeners
        assert (markets["SBIN"].bid, markets["TCS"].bid) == (0.0, 0.0)
        tickets = [
            {"symbol": name, "side": "BUY", "quantity": 2, "stop": 4.0}
            for name in ("SBIN", "NIFTY 50")
        ]

        def ask(ticket):
            number = desk.submit(asked("order", **ticket))
            wait_for(lambda: answer_of(desk, number), "an answer")
            return answer_of(desk, number)

        assert ask(tickets[1]).startswith("refused: INDEX")
        wait_for(lambda: ask(tickets[0]).startswith("done"), "SBIN is entered by hand")
        wait_for(lambda: full() == 3, "it is sent in full from now on")
        wait_for(lambda: markets["SBIN"].bid > 0.0, "with its depth")
    finally:
        made.close()
        sandbox.stop()
