"""The drill measures what it says, and says so when a promise is broken."""

import json
import signal

import pytest

from tests.desk.support import PATIENCE_S, wait_for
from tui.commands.cli import run_command
from tui.commands.desk import kill_drill

KEPT = kill_drill.DrillResult("door", "", 30.0, 120.0, 0, 0, 0, "")


def test_a_desk_that_is_stopped_through_its_door_holds_nothing_and_asks_for_nothing_more(
    monkeypatch, capsys
):
    monkeypatch.setattr(kill_drill, "EXERCISES", kill_drill.EXERCISES[:1])
    assert run_command(["drill", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["entries_after_latch"], told["open_positions"], told["naked_positions"]) == (
        0,
        0,
        0,
    )
    assert 0 < told["time_to_halt_ms"] < kill_drill.HALT_MS
    assert 0 < told["time_to_flat_ms"] < kill_drill.FLAT_MS


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (KEPT._replace(time_to_halt_ms=-1.0), "not halted"),
        (KEPT._replace(time_to_flat_ms=kill_drill.FLAT_MS + 1), "not flat"),
        (KEPT._replace(entries_after_latch=1), "entries left"),
        (KEPT._replace(open_positions=1), "open"),
        (KEPT._replace(naked_positions=1), "naked"),
    ],
)
def test_a_broken_promise_is_named_and_is_an_exit_code(result, words, monkeypatch, capsys):
    [broken] = kill_drill._broken_promises(kill_drill.EXERCISES[0], result)
    assert words in broken
    monkeypatch.setattr(
        kill_drill, "_run_exercise", lambda _exercise, _seed: result._replace(broken=broken)
    )
    assert run_command(["drill"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_position_is_naked_where_gtts_and_working_exits_together_sell_less():
    exit_order = {
        "transaction_type": "SELL",
        "status": "OPEN",
        "tradingsymbol": "INFY",
        "pending_quantity": 3,
    }
    assert kill_drill.ExchangeBooks([], {"INFY": 5}, {"INFY": 5}).naked_positions == 0
    assert kill_drill.ExchangeBooks([], {"INFY": 5}, {"INFY": 4}).naked_positions == 1
    assert kill_drill.ExchangeBooks([exit_order], {"INFY": 5}, {"INFY": 2}).naked_positions == 0
    assert (
        kill_drill.ExchangeBooks(
            [exit_order | {"status": "CANCELLED"}], {"INFY": 5}, {"INFY": 2}
        ).naked_positions
        == 1
    )


def test_runs_below_one_are_refused():
    assert run_command(["drill", "--runs", "0"]) == 2


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drill_that_is_told_to_end_breaks_off(number, patang):
    patang.environment["TMPDIR"] = str(patang.home)
    told = patang.start("drill", stdout=-3, stderr=-3)
    wait_for(
        lambda: list(patang.home.glob("patang-drill-*/sandbox/desk.sock")), "its first desk runs"
    )
    told.send_signal(number)
    assert told.wait(PATIENCE_S) == 130
    assert list(patang.home.glob("patang-drill-*")) == []
