"""Strategies of a running desk: stopped, started and changed by its socket, recorded, restored."""

import json

import pytest

from engine.operator_requests import (
    SetParametersRequest,
    StartStrategyRequest,
    StopStrategyRequest,
    StrategiesRequest,
)
from engine.ops.control_socket import send_request, socket_path
from tests.desk.support import rows, wait_for
from tui.commands.desk.order_requests import await_outcome
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

KEPT = '[store]\ndatabase = "{database}"\n[strategy.momentum_ladder]\nema_slow = 30\n'
NAME = "momentum_ladder"


@pytest.fixture
def running(station, tmp_path):
    """Return a function that opens a desk at real pace on one database, and its socket."""

    def start():
        made = station(
            RunPlan(speed=1.0, start="10:00", symbols=("INFY", "TCS")),
            KEPT.format(database=tmp_path / "kept.db"),
        )
        desk = open_desk(made)
        wait_for(lambda: made.board.parameters.rows, "the desk is open")
        return made, desk, socket_path(made.state)

    return start


def ask(door, request):
    return str(await_outcome(door, request))


def put(door, **values):
    return ask(door, SetParametersRequest(NAME, values, "calmer", "me"))


def listed(door):
    found = send_request(door, StrategiesRequest()).data["strategies"]
    return next(row for row in found if row["name"] == NAME)


def value(door, name):
    return next(row for row in listed(door)["parameters"] if row["name"] == name)


def test_acts_on_a_strategy_are_audited_and_kept_for_the_day(running, tmp_path):
    made, desk, door = running()
    wait_for(lambda: listed(door)["state"] == "runs", "its instruments have their history")
    assert value(door, "ema_slow")["value"] == "30"
    told = put(door, ema_slow="34", **{"rung[2].stop_percent": "1.5"})
    assert told == (
        "done: momentum_ladder: ema_slow 30 to 34, rung[2].stop_percent 2.5 to 1.5; made anew"
    )
    strategy = desk.kernel.state.slots[0].strategy
    assert (strategy.slow, strategy.plan.rungs[1].stop_percent) == (34, 1.5)
    assert "expected a whole number from 2 to 5_000, got 9000" in put(door, ema_slow="9000")
    assert 'no such key; did you mean "ema_slow"?' in put(door, ema_slwo="3")
    assert "expected fewer bars than ema_slow" in put(door, ema_fast="34")
    assert "stop or start the strategy instead" in put(door, enabled="false")
    assert put(door, ema_slow="34").startswith("refused: momentum_ladder has ema_slow 34")
    assert "did you mean" in ask(door, StopStrategyRequest("momentum_lader", "test"))
    assert ask(door, StartStrategyRequest(NAME, "test")) == "refused: momentum_ladder runs"
    assert "a reason is needed" in ask(door, StopStrategyRequest(NAME, " "))
    told = ask(door, StopStrategyRequest(NAME, "too wild", "me"))
    assert told.startswith("done: momentum_ladder is stopped for the day; ")
    wait_for(lambda: listed(door)["state"] == "stopped", "it stands")
    assert "is stopped already: by me: too wild" in ask(door, StopStrategyRequest(NAME, "x"))
    assert put(door, ema_fast="12").endswith("ema_fast 9 to 12; it stands, and begins with that")
    made.close()
    acts = rows(tmp_path / "kept.db", "SELECT * FROM strategy_acts ORDER BY seq")
    assert [(row["act"], json.loads(row["detail"])) for row in acts] == [
        ("set", {"ema_slow": 34, "rung[2].stop_percent": 1.5}),
        ("stop", {}),
        ("set", {"ema_fast": 12}),
    ]
    logged = rows(tmp_path / "kept.db", "SELECT text FROM events WHERE name = 'strategy'")
    assert any("too wild" in row["text"] for row in logged)
    asked = rows(tmp_path / "kept.db", "SELECT * FROM audit WHERE act = 'stop-strategy'")
    assert json.loads(asked[1]["detail"])["reason"] == " "

    made, desk, door = running()
    wait_for(lambda: listed(door)["state"] == "stopped", "it stands after a restart")
    assert listed(door)["why"] == "by me: too wild"
    changed = {
        row["name"]: (row["value"], row["configured"], row["note"])
        for row in listed(door)["parameters"]
        if row["note"]
    }
    assert changed == {
        "ema_slow": ("34", "30", "me: calmer"),
        "ema_fast": ("12", "9", "me: calmer"),
        "rung[2].stop_percent": ("1.5", "2.5", "me: calmer"),
    }
    told = ask(door, StartStrategyRequest(NAME, "calm again", "me"))
    assert told.startswith("done: momentum_ladder runs, made anew")
    strategy = desk.kernel.state.slots[0].strategy
    assert (strategy.slow, strategy.fast) == (34, 12)
