"""The screen and the desk behind it: one may die without the other."""

import threading
from types import SimpleNamespace

import pytest

from engine.board_rows import Board
from engine.config.schema import DeskConfig
from engine.orders.killswitch import KillSwitch
from tests.tui.fake import FakeDesk
from tui.app.app import PatangApp
from tui.app.screen_runner import run_screen
from tui.run import launch
from tui.run.forced_ending import ForcedEnding
from tui.run.session import DeskSession, RunPlan


class Desk:
    """A desk whose day is over as soon as somebody waits for it."""

    def __init__(self, board):
        self.board = board
        self.done = threading.Event()
        self.alarms = []
        self.error = None

    def alarm(self, text):
        self.alarms.append(text)
        self.done.set()

    def stop(self):
        self.done.set()


@pytest.fixture
def station(tmp_path, monkeypatch):
    board = Board("SANDBOX")
    made = SimpleNamespace(
        config=DeskConfig(),
        board=board,
        spans=(60,),
        state=tmp_path,
        database=tmp_path / "run.db",
        failures=[],
        rerun=None,
        run=RunPlan(speed=1.0),
    )
    made.desk = Desk(board)
    monkeypatch.setattr("tui.run.wiring.open_desk", lambda _: made.desk)
    made.fail = lambda name, error: made.failures.append((name, error))
    made.summary = lambda: {
        "halted": False,
        "net": -1234.5,
        "charges": 56.0,
        "fills": 12,
        "round_trips": 3,
        "open_positions": 2,
        "naked_positions": 1,
    }
    return made


def test_a_screen_that_dies_leaves_the_desk_at_work_and_is_told_of(station, monkeypatch, capsys):
    def run(app):
        app._on_picture()
        app._exception = ZeroDivisionError("a pane")

    monkeypatch.setattr(PatangApp, "run", run)
    desk = run_screen(station, ForcedEnding(station))
    assert desk is station.desk
    assert desk.alarms == [
        "the screen died: ZeroDivisionError: a pane; the desk goes on without it"
    ]
    assert [name for name, _ in station.failures] == [launch.SCREEN]
    told = capsys.readouterr().err
    assert "the screen died: ZeroDivisionError: a pane; see" in told
    assert "patang kill halts it" in told
    assert (
        launch.report_day(station, desk, interrupted=False, as_json=False, screen=True)
        == launch.FAILED
    )


def test_a_screen_that_was_left_is_no_failure_and_says_what_the_day_was(
    station, monkeypatch, capsys
):
    monkeypatch.setattr(PatangApp, "run", lambda app: app._on_picture())
    desk = run_screen(station, ForcedEnding(station))
    assert station.failures == []
    assert (
        launch.report_day(station, desk, interrupted=False, as_json=False, screen=True)
        == launch.DONE
    )
    assert (
        "the day: P&L ▼ -1,234.50 after charges of 56.00, 12 fills, 3 round trips; 2 positions "
        "stay open, 1 of them naked\n" in capsys.readouterr().err
    )


async def test_an_error_in_a_frame_is_kept_for_whoever_runs_the_app():
    app = PatangApp(FakeDesk(), fps=0, tune_gc=False)
    with pytest.raises(ZeroDivisionError):
        async with app.run_test():
            app._handle_exception(ZeroDivisionError("a pane"))
    assert isinstance(app.error, ZeroDivisionError)


@pytest.fixture
def latched(tmp_path, monkeypatch):
    """Make a station of a mode in a folder where an earlier run was halted.

    Its desk only notes who resumes.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def make(run, config=None):
        folder = tmp_path / "patang" / run.mode
        folder.mkdir(parents=True)
        KillSwitch(folder / "KILL").trigger("halt", "daily loss limit", "limit")
        made = DeskSession(config or DeskConfig(), run)
        assert made.kill.latched
        made.desk = SimpleNamespace(resume=made.kill.resume)
        return made

    return make


def test_the_latch_of_a_demo_does_not_carry_into_the_next(latched, capsys):
    made = latched(RunPlan("sandbox", seed=7))
    launch.warn_of_a_latch(made)
    made.release_outlived_latch()
    assert not made.kill.latched
    assert capsys.readouterr().err == (
        "patang: the kill switch was latched (halt: daily loss limit, limit): released, for the "
        "exchange it was of is gone\n"
    )
    assert made.kill.history()[-1][1:] == (
        "resume",
        "",
        "of an exchange that is gone: daily loss limit",
        "start",
    )


def test_a_kill_while_the_desk_opens_is_kept(latched):
    made = latched(RunPlan("sandbox", seed=7))
    made.kill.trigger("flatten", "operator", "screen")
    made.release_outlived_latch()
    assert made.kill.latch.level == "flatten"


def test_the_latch_of_an_account_is_kept(latched, capsys):
    made = latched(RunPlan("paper"))
    launch.warn_of_a_latch(made)
    assert "no entries until patang resume" in capsys.readouterr().err
    made.release_outlived_latch()
    assert made.kill.latched
