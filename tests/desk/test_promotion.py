"""A desk that follows what is promoted: at its start, and what it refuses."""

import json

import pytest

from engine.backtest import run_identity
from engine.errors import ConfigError, OperatorError
from engine.exit_codes import USAGE
from engine.promotion.next_day_file import FILE
from engine.promotion.promotion_log import PromotionLog
from strategies import build
from strategies.strategy_sources import SHIPPED
from tests.desk.support import rows, wait_for
from tests.engine.promotion.made_up import promoted, put_promotion
from tui.commands.cli import run_command
from tui.run.session import RunPlan
from tui.run.settings import PromotionFollower, strategies_of
from tui.run.wiring import open_desk

NAME = "moving_average_cross_infy_60"
CONFIG = """
[promotion]
budget = 60000
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
enabled = false
"""


def source_hash():
    """Return the hash of the file of the shipped strategy."""
    table = {"source": SHIPPED["moving_average_cross"]}
    return run_identity.source_hash(build("moving_average_cross", table))


def cross(name=NAME, **values):
    made = {"source": SHIPPED["moving_average_cross"], "timeframe_s": 60, "slow": 21}
    return promoted(name, code=source_hash(), **made | values)


@pytest.fixture
def log(tmp_path):
    """Return the promotions of the sandbox's desk."""
    made = PromotionLog(tmp_path / "state" / "patang" / "sandbox")
    with made.lock():
        yield made


def opened(station):
    made = station(RunPlan(speed=20.0, start="10:00"), CONFIG)
    open_desk(made)
    wait_for(lambda: made.board.header.state == "running", "the desk runs")
    made.close()
    return made


def told(made):
    events = rows(made.database, "SELECT text FROM events WHERE name = 'next_day'")
    audit = rows(made.database, "SELECT who, detail FROM audit WHERE act = 'next_day'")
    return [each["text"] for each in events], [(each["who"], each["detail"]) for each in audit]


def test_a_desk_trades_what_is_promoted_within_its_budget_and_says_what_changed(station, log):
    put_promotion(log, [cross(forced="a demo")])
    made = opened(station)
    kernel = made.desk.kernel
    (slot,) = kernel.state.slots
    assert slot.name == NAME
    assert [kernel.view.instrument(token).symbol for token in slot.tokens] == ["INFY"]
    assert (slot.strategy.fast, slot.strategy.slow) == (9, 21)
    assert kernel.limits.budgets == {NAME: 20_000_00}
    new = f"+ {NAME} (INFY, ₹20,000, forced: a demo)"
    assert told(made) == ([f"next day: {new}"], [("desk", new)])
    (reminder,) = rows(made.database, "SELECT level, text FROM events WHERE name = 'not_evaluated'")
    assert reminder == {
        "level": "warn",
        "text": f"next day: {NAME} not evaluated yet: patang evaluate",
    }
    (kept,) = rows(made.database, "SELECT value FROM meta WHERE value LIKE '{%strategies%'")
    ran = json.loads(kept["value"])
    assert ran["strategies"][NAME]["fast"] == 9, "parity can run the day again"
    assert ran["limits"][f"budget.{NAME}"] == 20_000

    assert told(opened(station)) == ([], []), "nothing has changed since"

    put_promotion(log, [], "rollback", 0)
    gone = opened(station)
    assert gone.desk.kernel.state.slots == []
    assert told(gone)[0] == [
        f"next day: - {NAME} (what it holds keeps its stops at the broker, and is left by hand)"
    ]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda file: file.write_text("[strategy\n"), "not TOML"),
        (lambda file: file.chmod(0o666), "others can write it"),
        (
            lambda file: file.write_text(file.read_text().replace("= 20000", "= 60001")),
            "promotion.budget allows 60,000",
        ),
        (
            lambda file: file.write_text(file.read_text().replace("slow = 21", "slow = 5")),
            "expected fewer bars than slow",
        ),
        (
            lambda file: file.write_text(file.read_text().replace('code = "', 'code = "0')),
            "changed since it was promoted on 2024-06-08",
        ),
        (
            lambda file: file.write_text(file.read_text().replace("2024-06-08", "2924-06-08")),
            f"{NAME} was promoted on 2924-06-08, which is still to come: promote it again",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_at_a_start_in_a_line(
    tmp_path, log, monkeypatch, capsys, spoil, complaint
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    put_promotion(log, [cross()])
    spoil(log.state / FILE)
    for command in (["run", "--no-ui"], ["config", "check"]):
        assert run_command(command) == USAGE
        said = capsys.readouterr().err
        assert complaint in said
        assert said.count("\n") == 1


def test_the_check_of_a_configuration_names_what_is_promoted(tmp_path, log, monkeypatch, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    put_promotion(log, [cross()])
    assert run_command(["config", "check"]) == 0
    assert f"promoted for sandbox: {NAME} (₹20,000)" in capsys.readouterr().err


def test_what_is_promoted_for_another_mode_is_not_traded(station, tmp_path):
    paper = PromotionLog(tmp_path / "state" / "patang" / "paper")
    with paper.lock():
        put_promotion(paper, [cross()])
    made = station(RunPlan(speed=1.0, start="10:00"), CONFIG)
    assert NAME not in made.config.strategy
    other = station(RunPlan("paper"), CONFIG)
    assert NAME in other.config.strategy


def test_a_promotion_that_exceeds_a_lowered_budget_is_not_started(station, log):
    put_promotion(log, [cross()])
    with pytest.raises(ConfigError, match="raise it, or promote again"):
        station(RunPlan(speed=1.0), CONFIG.replace("60000", "19999"))


def test_a_full_disk_does_not_keep_a_desk_from_opening(station, log, monkeypatch):
    put_promotion(log, [cross()])
    made = station(RunPlan(speed=1.0), CONFIG)
    terms = PromotionFollower(made, strategies_of(made.config), ()).terms()
    assert terms.subscriptions[NAME] == ("INFY",)

    def full(*_):
        raise OperatorError("no space")

    monkeypatch.setattr("engine.promotion.promotion_log.write_whole", full)
    terms.opened()
    assert log.opened().promoted == [], "it will be told again"
