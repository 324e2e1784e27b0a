"""A strategy that fails: requests undone, the reason kept, a mark until it is looked at."""

from types import SimpleNamespace

import pytest

from compiled.model.events import DeleteGtt
from compiled.model.values import Side
from engine.board.strategy_failures import StrategyFailures
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.day.desk_clocks import SteppedClock
from engine.operator_requests import done
from tests.compiled.trading.scripted import CANBK, OPEN, Scene, some


@pytest.fixture
def scene():
    return Scene()


def ask_and_fail(ctx):
    ctx.enter(CANBK, Side.BUY, 0, 2.0, 0.0, quantity=100)
    raise ValueError("odd")


def leave_and_fail(ctx):
    ctx.exit(CANBK, "wrong")
    raise ValueError("odd")


def test_what_a_strategy_asked_for_before_it_failed_is_not_done(scene):
    assert [alert.name for alert in scene.act(ask_and_fail)] == ["strategy_stopped"], (
        "nor is it refused"
    )
    assert (scene.kernel.state.slots[0].stopped, scene.kernel.state.refusal_count) == (
        "ValueError: odd",
        0,
    )


def test_what_a_strategy_holds_stays_protected_when_it_fails_on_the_way_to_leave(scene):
    scene.hold()
    assert some(scene.act(leave_and_fail), DeleteGtt) == []
    assert (scene.rung.leaving, scene.kernel.view.naked()) == (False, 0)


def test_a_failure_is_written_down_once_and_marked_until_somebody_has_looked(scene):
    kept, board = [], Board("TEST")
    journal = SimpleNamespace(append=lambda table, row: kept.append((table, row)))
    failures = StrategyFailures(
        scene.kernel.state.slots, BoardWriter(board), journal, SteppedClock(OPEN)
    )
    failures.record_new()
    assert kept == []
    scene.act(ask_and_fail)
    for _ in range(2):
        failures.record_new()
    [(table, row)] = kept
    assert (table, row["ts"], row["who"], row["act"]) == (
        "audit",
        OPEN,
        "script",
        "strategy_failed",
    )
    assert "in ask_and_fail" in row["detail"]
    assert row["detail"].endswith("ValueError: odd")
    assert [mark.strategy for mark in board.failures.rows] == ["script"]
    assert failures.acknowledge("script") == done("script is no longer marked; it stays stopped")
    failures.record_new()
    assert (len(kept), list(board.failures.rows)) == (1, [])
