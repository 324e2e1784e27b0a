"""The whole way of a promoted strategy: traded, held against its promise, demoted, brought back."""

import json

from msgspec.structs import replace

from engine.backtest import run_identity
from engine.promotion.next_day_file import read_next_day
from engine.promotion.promotion_log import PromotedTrial, PromotionLog
from strategies import build
from tests.desk.support import PATIENCE_S, rows
from tests.engine.promotion.made_up import promoted, put_promotion
from tui.commands.cli import run_command
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

NAME = "told_infy_60"
DAY = "2024-06-04"
TABLE = {
    "source": "tests.desk.scripted:Scripted",
    "enter": "15:02 INFY, 15:20 INFY",
    "leave": "15:15 INFY",
}
CONFIG = """
[promotion]
budget = 60000
max_weeks = 520
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
enabled = false
"""


def promote(log):
    """Promote a strategy whose trial never lost more than a paisa: any real loss breaks that."""
    code = run_identity.source_hash(build(NAME, TABLE))
    each = promoted(NAME, code=code, **TABLE)
    made = each._replace(
        table={key: value for key, value in each.table.items() if key != "fast"},
        # promoted on the evening before
        origin=replace(each.origin, since="2024-06-03"),
        promise=replace(each.promise, sessions=3, trades_a_day=2.0, cash=100_000),
    )
    trial = PromotedTrial(
        name=NAME,
        trial=made.origin.trial,
        promoted=True,
        steps=[],
        days=["2024-05-29", "2024-05-30", "2024-05-31"],
        returns=[0.001, -1e-7, 0.001],
    )
    with log.lock():
        put_promotion(log, [made], trials=[trial])


def test_a_promoted_strategy_is_traded_evaluated_demoted_and_brought_back(
    station, tape, tmp_path, capsys
):
    log = PromotionLog(tmp_path / "state" / "patang" / "paper")
    promote(log)
    made = station(RunPlan("paper", tape, DAY, (), 0.0, start="15:00"), CONFIG)
    open_desk(made).join(PATIENCE_S)
    made.close()
    assert made.desk.error is None
    assert len(rows(made.database, "SELECT 1 FROM trades WHERE strategy = ?", NAME)) == 2

    def command(*arguments, code):
        capsys.readouterr()
        assert run_command([*arguments, "--mode", "paper"]) == code
        return capsys.readouterr()

    told = json.loads(command("evaluate", "--parity", "--json", code=1).out)
    (found,) = told["strategies"]
    (session,) = found["sessions"]
    assert session["date"] == DAY
    assert session["net"] == found["figures"]["net"] == made.summary()["net"]
    assert session["trades"] == 1, "the other is held over the night"
    assert session["net"] < 0
    # the paisa of the loss that was promised, half as much again
    assert found["broken"] == ["drawdown"]
    # compared with a backtest of the day, and kept for the next time
    assert session["parity"] == 100.0
    day = json.loads(command("parity", "--date", DAY, "--json", code=0).out)
    assert (day["parity"], day["desk"]) == (100.0, session["net"])

    assert "- told_infy_60" in command("evaluate", "--demote", "--yes", code=0).out
    assert read_next_day(log.state).strategy == {}
    assert "nothing is promoted" in command("evaluate", code=0).out
    command("promote", "--rollback", "--yes", code=0)
    assert list(station(RunPlan("paper"), CONFIG).config.strategy)[-1] == NAME
