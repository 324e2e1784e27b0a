"""Limits of a running desk: shown, changed by its socket, recorded, restored."""

import json

import pytest

from engine.operator_requests import (
    LimitRequest,
    LimitsRequest,
    ResumeRequest,
    StatusRequest,
)
from engine.ops.control_socket import send_request, socket_path
from tests.desk.support import rows, wait_for
from tui.commands.desk.order_requests import await_outcome
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

KEPT = '[store]\ndatabase = "{database}"\n'


@pytest.fixture
def running(station, tmp_path):
    """Return a function that opens a desk at real pace on one database, and its socket."""

    def start():
        made = station(
            RunPlan(speed=1.0, start="10:00"), KEPT.format(database=tmp_path / "kept.db")
        )
        desk = open_desk(made)
        wait_for(lambda: made.board.header.state == "running", "the desk is open")
        return made, desk, socket_path(made.state)

    return start


def change(door, name, value, **more):
    """Return what the desk says of a change."""
    return str(await_outcome(door, LimitRequest(name, value, "test", "me", **more)))


def limit(door, name):
    answer = send_request(door, LimitsRequest()).data
    return next(row for row in answer["limits"] if row["name"] == name)


def test_a_limit_changes_through_the_door_is_audited_and_kept_for_the_day(running, tmp_path):
    made, desk, door = running()
    assert limit(door, "max_daily_loss") == {
        "name": "max_daily_loss",
        "value": 10_000,
        "configured": 10_000,
    }
    assert change(door, "max_daily_loss", 4_000) == "done: max_daily_loss 10000 to 4000"
    assert limit(door, "max_daily_loss") == {
        "name": "max_daily_loss",
        "value": 4_000,
        "configured": 10_000,
        "who": "me",
        "reason": "test",
    }
    assert desk.kernel.limits.max_daily_loss == 400_000
    assert "allows more than now" in change(door, "max_daily_loss", 4_001)
    assert "there are" in change(door, "max_dayly_loss", 1)
    assert 'value: expected a number, got "much"' in change(door, "max_daily_loss", "much")
    assert limit(door, "max_daily_loss")["value"] == 4_000
    assert change(door, "max_positions", 91, confirmed=True) == "done: max_positions 90 to 91"
    made.close()
    told = [
        json.loads(row["detail"])
        for row in rows(tmp_path / "kept.db", "SELECT * FROM audit WHERE act = 'limit'")
    ]
    assert [(each["name"], each["before"], each["value"], each["who"]) for each in told] == [
        ("max_daily_loss", 10_000, 4_000, "me"),
        ("max_positions", 90, 91, "me"),
    ]
    made, desk, door = running()
    wait_for(lambda: made.board.limits.rows, "the limits are on the board")
    shown = {row.name: row for row in made.board.limits.rows}
    assert (shown["max_positions"].limit, shown["max_positions"].configured) == (91, 90)
    assert shown["max_positions"].note == "me: test"
    assert (limit(door, "max_daily_loss")["value"], limit(door, "max_positions")["value"]) == (
        4_000,
        91,
    )
    assert desk.kernel.limits.max_daily_loss == 400_000


def test_status_tells_the_governors_rates_and_the_board_keeps_the_kill_switchs_history(running):
    made, _, door = running()
    governor = wait_for(
        lambda: send_request(door, StatusRequest()).data["governor"], "the governor is on the board"
    )
    assert (governor["per_second"], governor["per_minute"], governor["per_day"]) == (9, 380, 4_800)
    assert governor["waiting"] == {"EXIT": 0, "PROTECT": 0, "ENTRY": 0}
    assert governor["held_ms"] == {}
    assert made.board.kills.rows == []
    # whole at once: a file found while it is still empty stops the desk without a reason
    written = made.kill.path.with_suffix(".written")
    written.write_text("stop it")
    written.replace(made.kill.path)
    wait_for(lambda: made.board.kills.rows, "the flag file is in the history")
    [row] = made.board.kills.rows
    assert (row.act, row.level, row.reason, row.who) == ("latch", "halt", "stop it", "file")
    send_request(door, ResumeRequest("seen", "me"))
    wait_for(lambda: len(made.board.kills.rows) == 2, "the resumption, too")
    assert (made.board.kills.rows[1].act, made.board.kills.rows[1].who) == ("resume", "me")
    assert not made.kill.path.exists()
