"""A desk's day against a backtest of it.

In lockstep on minutes whose price stands still, clean and with something wrong.
"""

import json
from datetime import date
from functools import partial
from pathlib import Path

import pytest

import tui.run.broker
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.faults import Fault
from engine.operator_requests import ExitRequest, LimitRequest, PlaceRequest
from engine.orders.killswitch import FLATTEN
from store.journal_day import kept_day
from tests.desk import scripted
from tests.desk.support import PATIENCE_S
from tui.commands.cli import run_command
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

DAY = "2024-06-04"
STRATEGY = """
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
enabled = false
[strategy.told]
source = "tests.desk.scripted:Scripted"
enter = "15:02 INFY, 15:10 SBIN, 15:20 INFY"
leave = "15:15 INFY, 15:25 SBIN"
"""


@pytest.fixture
def compared(station, tape, tmp_path, monkeypatch, capsys):
    """Return what runs half an hour of a desk in lockstep and compares it.

    `acts` are called with the station at a time of day.
    """

    def compare(mode="paper", *, acts=None, faults=(), text=STRATEGY, bars="live", meanwhile=None):
        monkeypatch.setattr(
            tui.run.broker, "SandboxConfig", partial(SandboxConfig, faults=tuple(faults))
        )
        made = station(RunPlan(mode, tape, DAY, (), 0.0, start="15:00"), text)
        scripted.ACTS.update({clock: partial(act, made) for clock, act in (acts or {}).items()})
        open_desk(made).join(PATIENCE_S)
        made.close()
        assert made.desk.error is None
        scripted.ACTS.clear()
        if meanwhile is not None:
            meanwhile()
        capsys.readouterr()
        assert run_command(["parity", "--mode", mode, "--date", DAY, "--bars", bars, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (
            round(sum(told["causes"].values()), 2)
            == round(told["delta"], 2)
            == round(told["desk"] - told["backtest"], 2)
        )
        assert told["desk"] == pytest.approx(made.summary()["net"], abs=0.001)
        return told

    yield compare
    scripted.ACTS.clear()


def found(told):
    """Return the causes that make a rupee and more."""
    return {name for name, rupees in told["causes"].items() if abs(rupees) >= 1.0}


def test_a_paper_day_on_prices_that_stand_still_is_its_backtest_by_what_the_journal_says(
    compared, tmp_path, capsys
):
    told = compared(
        meanwhile=lambda: (tmp_path / "config.toml").write_text(
            STRATEGY.replace("15:02 INFY", "15:03 SBIN")
        )
    )
    assert (told["parity"], told["same"], told["bars"]) == (100.0, 5, "live")
    assert told["warnings"] == []
    assert found(told) == set()
    assert (told["causes"]["unexplained"], told["causes"]["timing"]) == (0.0, 0.0)
    kept = kept_day(Path(told["database"]), date(2024, 6, 4), {})
    assert kept.ran[0]["strategies"]["told"]["enter"] == "15:02 INFY, 15:10 SBIN, 15:20 INFY"
    assert (kept.ran[0]["limits"]["max_positions"], kept.cash, len(kept.ran)) == (
        90,
        10_00_000_00,
        1,
    )
    assert run_command(["parity", "--mode", "paper"]) == 0, (
        "without a day it is the last one of the journal"
    )
    assert capsys.readouterr().out.startswith("Parity 100.00%")
    assert (
        run_command(["parity", "--mode", "paper", "--folder", str(tmp_path / "nowhere"), "--json"])
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert (told["parity"], told["warnings"]) == (100.0, []), (
        "what the desk was warmed up with stands beside its bars"
    )
    assert run_command(["parity", "--mode", "paper", "--date", "2024-06-03"]) == 1
    assert "was not open on 2024-06-03; it was on 2024-06-04" in capsys.readouterr().err
    assert run_command(["parity", "--history"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == [DAY, "paper", "100.00%", "5/5"]


def test_so_is_a_day_that_the_sandbox_fills_and_bars_of_the_history_say_the_same(compared):
    told = compared("replay", bars="imported")
    assert (told["parity"], told["bars"]) == (100.0, "imported")
    assert found(told) == set()


def test_what_a_kill_switch_has_left_and_kept_from_entering_is_the_operators(compared):
    told = compared(acts={"15:12": lambda made: made.kill.trigger(FLATTEN, "lunch", "operator")})
    other = [each for each in told["differences"] if not each["same"]]
    assert found(told) == {each["cause"] for each in other} == {"operator"}
    assert {each["kind"] for each in other} == {"leave", "enter"}
    assert all("lunch" in each["why"] for each in other)


def test_an_exit_and_an_order_by_hand_are_the_operators(compared):
    def leave(made):
        held = made.desk.kernel.ledger.account_positions()
        made.desk.submit(ExitRequest(next(int(each.token) for each in held)))

    ticket = PlaceRequest(symbol="SBIN", side="BUY", quantity=7, stop=2.0)
    told = compared(acts={"15:05": leave, "15:06": lambda made: made.desk.submit(ticket)})
    assert found(told) == {"operator"}
    other = [each for each in told["differences"] if not each["same"]]
    assert {each["cause"] for each in other} == {"operator"}
    assert [(each["symbol"], each["kind"], each["desk"][:5]) for each in other][:2] == [
        ("INFY", "leave", "15:05"),
        ("SBIN", "enter", "15:06"),
    ]


def test_a_limit_that_was_lowered_is_the_operators(compared):
    limit = LimitRequest("max_positions", 1, "quiet", "operator")
    told = compared(acts={"15:04": lambda made: made.desk.submit(limit)})
    assert found(told) == {"operator"}
    assert any("max_positions set to 1: quiet" in each["why"] for each in told["differences"])


def test_an_order_that_the_broker_refused_is_his(compared):
    told = compared("replay", faults=[Fault("reject", times=1, message="RMS: no margin")])
    assert found(told) == {"broker"}
    assert any("RMS: no margin" in each["why"] for each in told["differences"])


def test_minutes_that_the_feed_did_not_bring_are_data(compared):
    told = compared(faults=[Fault("drop", on="ticks", at="15:08", lasts=300.0)], bars="imported")
    assert found(told) == {"data"}
    assert told["parity"] < 100.0
    assert {each["cause"] for each in told["differences"] if not each["same"]} == {"data"}


def test_a_strategy_that_was_changed_since_is_code(compared, tmp_path):
    file = tmp_path / "mine.py"
    source = "from tests.desk.scripted import Scripted\n\n\nclass Mine(Scripted):\n    pass\n"
    file.write_text(source)
    text = STRATEGY.replace("tests.desk.scripted:Scripted", str(file))
    other = source.replace(
        "    pass",
        '    def on_bar(self, ctx, bar):\n        self.enter = {("15:03", "SBIN")}\n'
        "        super().on_bar(ctx, bar)",
    )
    told = compared(text=text, meanwhile=lambda: file.write_text(other))
    # charges are rounded by the note, in which others stand too
    assert found(told) - {"cost"} == {"code or configuration"}
    assert "another than the desk's" in told["differences"][0]["why"]
