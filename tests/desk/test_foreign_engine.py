"""Foreign text in a running desk, real engine and real database.

It ends neither the journal's writer nor the engine.
"""

import pytest

from compiled.model.values import Side
from compiled.trading.strategy import Strategy
from engine.errors import OperatorError
from engine.operator_requests import CancelRequest, LimitRequest
from engine.ops.control_socket import send_request, socket_path
from tests.desk.support import rows, wait_for
from tests.foreign import HOSTILE
from tui.commands.cli import run_command
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

LATIN = b"caf\xe9".decode(errors="surrogateescape")
"""What Python makes of a word that a shell passes in Latin-1."""

CONFIG = """
[feed]
stale_after_s = 600
watch = ["INFY", "TCS", "ITC"]
[store]
database = "{database}"
[risk]
price_range_percent = 8.0
"""


class Stranger(Strategy):
    """Buys once, with a reason that cannot be written, and fails with such an error when told."""

    def __init__(self):
        super().__init__("stranger", 60, wants_ticks=True)
        self.fails = False
        self.bought = False

    def on_tick(self, ctx, tick):
        if not self.bought:
            self.bought = True
            ctx.enter(tick.token, Side.BUY, 0, 2.0, 0.0, quantity=5, reason=HOSTILE)
        if self.fails:
            raise ValueError(HOSTILE)


@pytest.fixture
def held(station, tmp_path):
    """Return a running desk that holds shares, its strategy, and its database."""
    database = tmp_path / "kept.db"
    made = station(RunPlan(speed=10.0, start="10:00"), CONFIG.format(database=database))
    stranger = Stranger()
    made.strategies = [stranger]
    desk = open_desk(made)
    wait_for(
        lambda: made.board.positions.rows and not made.board.header.naked, lambda: made.board.events
    )
    return made, desk, stranger, database


def test_what_a_strategy_an_operator_and_a_socket_say_is_kept_with_marks_and_the_desk_goes_on(held):
    made, desk, stranger, database = held
    door = socket_path(made.state)
    for request in (
        LimitRequest("max_daily_loss", 4_000, HOSTILE, HOSTILE),
        CancelRequest(HOSTILE),
    ):
        assert send_request(door, request).data["number"]
    assert run_command(["limits", "set", "max_positions", "5", "--reason", LATIN]) == 0
    stranger.fails = True
    wait_for(lambda: made.board.failures.rows, "the strategy has failed")
    assert run_command(["kill", "--reason", LATIN]) == 0
    assert made.kill.latch.reason == "caf\ufffd"
    assert run_command(["resume", "--reason", LATIN]) == 0
    desk.kill(False, HOSTILE)
    wait_for(
        lambda: "\ufffd" in made.board.header.kill_reason or made.board.header.kill, "it is latched"
    )
    made.close()
    assert (desk.error, made.failures) == (None, [])
    said = [row["detail"] for row in rows(database, "SELECT detail FROM audit")]
    assert any("caf\ufffd" in text for text in said)
    assert any(text.endswith("\ufffd\ufffd") for text in said), "the strategy's traceback"
    assert [row["reason"] for row in rows(database, "SELECT reason FROM decisions")] == [
        HOSTILE[:-2] + "\ufffd\ufffd"
    ]


def test_a_writer_that_dies_halts_and_exits_still_leave(held):
    made, desk, _, _ = held

    def dies(rows):
        raise RuntimeError("no disk is to blame")

    desk.ports.journal._write_rows = dies
    wait_for(lambda: made.kill.latched, "a dead writer halts")
    assert "store died" in made.kill.latch.reason
    desk.kill(True, "out")
    wait_for(lambda: not made.board.positions.rows, "flat without a journal")
    assert (desk.error, made.board.header.state, made.board.header.naked) == (None, "running", 0)
    assert {name for name, _ in made.failures} == {"store"}
    with pytest.raises(OperatorError, match="could not be recorded"):
        made.close()
