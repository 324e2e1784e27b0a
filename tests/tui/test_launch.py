"""The screen and the desk behind it: one may die without the other."""

import threading
from types import SimpleNamespace

import pytest

from engine.config import Config
from engine.trading.board import Board
from tests.tui.fake import FakeDesk
from tui import launch
from tui.app import PatangApp


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
def station(tmp_path):
    board = Board("SANDBOX")
    made = SimpleNamespace(
        config=Config(), board=board, spans=(60,), state=tmp_path, failures=[], run=SimpleNamespace(speed=1.0)
    )
    made.desk = Desk(board)
    made.open = lambda: made.desk
    made.fail = lambda name, error: made.failures.append((name, error))
    made.summary = lambda: {"halted": False}
    return made


def test_a_screen_that_dies_leaves_the_desk_at_work_and_is_told_of(station, monkeypatch, capsys):
    def run(app):
        app._on_picture()
        app._exception = ZeroDivisionError("a pane")

    monkeypatch.setattr(PatangApp, "run", run)
    desk = launch.show(station)
    assert desk is station.desk
    assert desk.alarms == ["the screen died: ZeroDivisionError: a pane; the desk goes on without it"]
    assert [name for name, _ in station.failures] == [launch.SCREEN]
    told = capsys.readouterr().err
    assert "the screen died: ZeroDivisionError: a pane; see" in told
    assert "patang kill halts it" in told
    assert launch.report(station, desk, interrupted=False, as_json=False, screen=True) == launch.FAILED


def test_a_screen_that_was_left_is_no_failure(station, monkeypatch):
    monkeypatch.setattr(PatangApp, "run", lambda app: app._on_picture())
    desk = launch.show(station)
    assert station.failures == []
    assert launch.report(station, desk, interrupted=False, as_json=False, screen=True) == launch.DONE


async def test_an_error_in_a_frame_is_kept_for_whoever_runs_the_app():
    app = PatangApp(FakeDesk(), fps=0, tune_gc=False)
    with pytest.raises(ZeroDivisionError):
        async with app.run_test():
            app._handle_exception(ZeroDivisionError("a pane"))
    assert isinstance(app.error, ZeroDivisionError)
