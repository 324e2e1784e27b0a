"""Screen 8: pulses, the feed, times, the lists that commands read, and the log."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from engine.board_rows import PulseRow, RecordPlaces
from tests.tui.fake import FakeDesk
from tests.tui.test_app import Clock, running, screen_text, settle
from tui.app.panes.ops.feed_pane import FeedPaneView
from tui.app.panes.ops.pulses_pane import PulsesPaneView
from tui.app.panes.ops.times_pane import (
    TimesPaneView,
    duration_text,
    histogram_text,
    times_text,
)
from tui.app.screens.modal_dialogs import HelpDialog, QuestionDialog
from tui.app.screens.ops import ops_screen
from tui.app.screens.ops.child_command import ChildAnswer, child_answer
from tui.app.screens.ops.ops_screen import OpsScreen
from tui.app.widgets.pane_view import view_text

SECOND = 1_000_000_000
JOBS = [
    {
        "job": "gaps",
        "state": "failed",
        "last": "13 Jul 18:05",
        "result": "code 1 in 4 s: no such bars",
        "next": "by hand",
        "what": "which bars are missing",
        "command": "bars gaps",
    }
]
LETTERS = [{"letter": "grid-3", "at": "2026-07-14 10:00:00", "symbol": "INFY", "token": 408_065}]
BARS = [
    {
        "symbol": "INFY",
        "span": 60,
        "version": "imported",
        "from": "2026-01-01",
        "to": "2026-07-13",
        "bars": 48_750,
        "missing": 2,
        "bytes": 1_234_567,
        "archived": "",
    }
]
DOCTOR = {
    "state": "fail",
    "checks": [
        {"name": "disk", "state": "ok", "text": "77.6 GiB free", "mend": ""},
        {"name": "token", "state": "fail", "text": "expired", "mend": "patang login"},
    ],
}


@pytest.fixture
def face():
    made = FakeDesk()
    made.pulse()
    return made


@pytest.fixture
def said(monkeypatch):
    """Answer the screen's commands; return those it gave."""
    given = []
    answers = {
        "doctor": (DOCTOR, 1),
        "jobs list": (JOBS, 0),
        "letters list": (LETTERS, 0),
        "bars list": (BARS, 0),
    }

    async def answer(words):
        given.append(words)
        await asyncio.sleep(0)
        data, code = answers.get(" ".join(words[:2]), answers.get(words[0], (None, 1)))
        text = json.dumps(data) if data is not None else f"whole of {' '.join(words)}"
        return ChildAnswer(code, text, "")

    async def start(words, out):
        given.append(words)
        return SimpleNamespace(wait=lambda: asyncio.sleep(0, 2))

    monkeypatch.setattr(ops_screen, "child_answer", answer)
    monkeypatch.setattr(ops_screen, "start_child", start)
    return given


async def rest(app, pilot, frames=3):
    for _ in range(frames):
        app.frame()
        await pilot.pause(0.01)


def words(app):
    return "\n".join(screen_text(app))


async def go_to(app, pilot, name):
    await pilot.press("8")
    await rest(app, pilot)
    app.screen.turn_to(name)
    await rest(app, pilot)


def test_the_worst_pulse_stands_first_with_its_mend(face):
    lines = view_text(PulsesPaneView(), face.board, 110)
    assert lines[0] == "PULSES 1 wrong 1 to look at"
    assert lines[2].split()[:2] == ["■", "instruments"]
    assert "FEED has them, the worst first." in lines[2]
    assert "1m" in lines[2]
    assert lines[3].startswith(" ▲ bars server")
    assert lines[4].startswith(" ● engine")
    assert len(lines) == 2 + 13


def test_a_board_whose_engine_stands_still_says_so_before_everything(face):
    view = PulsesPaneView()
    before = view.version(face.board)
    view.lag = 9 * SECOND
    assert view.version(face.board) != before
    assert view_text(view, face.board, 110)[2].startswith(" ■ engine")
    view.lag = 0
    assert view.version(face.board) == before


def test_the_feed_has_the_worst_first_and_all_others_in_their_order(face):
    lines = view_text(FeedPaneView(), face.board, 78)
    assert lines[0] == "FEED 20 1 silent"
    assert lines[2].split()[:2] == ["TATAMOTORS", "silent"]
    assert [line.split()[0] for line in lines[3:6]] == ["RELIANCE", "HDFCBANK", "INFY"]


def test_times_are_drawn_by_octaves_and_written_in_three_digits(face):
    assert [duration_text(ns) for ns in (0, 800, 38_400, 1_130_000, 127_000_000, 2 * SECOND)] == [
        "",
        "0.8 µs",
        "38 µs",
        "1.1 ms",
        "127 ms",
        "2.0 s",
    ]
    assert histogram_text((0, 1, 100, 25, 0, 0)) == " ▁█▄"
    rows = view_text(TimesPaneView(), face.board, 120)
    assert len(rows) == 2 + 8
    large = times_text(face.board.latencies.rows[1], 20)
    assert large.splitlines()[0].startswith("a message waits on the desk")
    assert large.splitlines()[-1].startswith("p50 25 µs   p90 49 µs")


async def test_enter_shows_a_pulse_whole_and_the_row_goes_when_it_is_healed(face):
    async with running(face) as (app, pilot):
        await pilot.press("8")
        await rest(app, pilot)
        assert isinstance(app.screen, OpsScreen)
        assert "1 wrong  1 to look at" in words(app)
        await pilot.press("n")
        assert app.focused.chosen.name == "bars server"
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, HelpDialog)
        assert "attention, since 14 Jul 14:30 IST" in words(app)
        assert "start the server." in words(app)
        await pilot.press("escape")
        for name in ("instruments", "bars server"):
            face.board.pulses.put(name, PulseRow(name, "good", "well", face.now, ""))
        await rest(app, pilot)
        assert "all 13 good" in words(app)
        # The cursor stays on its row, wherever that goes.
        assert app.focused.chosen.name == "bars server"


async def test_a_heartbeat_that_stops_is_seen_and_the_screen_tells_of_its_own(face):
    clock = Clock()
    face.board.heartbeat = clock.now
    async with running(face, clock=clock) as (app, pilot):
        await pilot.press("8")
        await rest(app, pilot)
        assert face.board.focus.drawn == clock.now
        clock.now += 5 * SECOND
        await rest(app, pilot)
        assert "stands still for 5 s" in words(app)
        face.board.heartbeat = clock.now
        await rest(app, pilot)
        assert "stands still" not in words(app)
        # The row under a cursor that nobody has moved is the worst, whichever that is.
        assert app.focused.chosen.name == "instruments"
        face.board.pulses.put("instruments", PulseRow("instruments", "good", "20", face.now, ""))
        await rest(app, pilot, 2)
        assert (app.focused.cursor, app.focused.chosen.name) == (0, "bars server")


async def test_a_job_is_run_after_a_question_and_its_output_shown_by_enter(face, said):
    async with running(face) as (app, pilot):
        await go_to(app, pilot, "jobs")
        assert "code 1 in 4 s: no such bars" in words(app)
        await pilot.press("s")
        await settle(app, pilot)
        assert isinstance(app.screen, QuestionDialog)
        await pilot.press("escape")
        await rest(app, pilot)
        assert ["jobs", "run", "gaps"] not in said
        await pilot.press("s", "tab", "enter")
        await rest(app, pilot)
        assert ["jobs", "run", "gaps"] in said
        assert "gaps ended with code 2" in words(app)
        await pilot.press("escape", "enter")
        await rest(app, pilot)
        assert ["jobs", "log", "gaps"] in said
        assert "whole of jobs log gaps" in words(app)


async def test_lists_are_read_by_themselves_and_the_doctor_is_asked_by_a_key_alone(face, said):
    face.board.places = RecordPlaces("desk.db", "")
    async with running(face) as (app, pilot):
        await go_to(app, pilot, "data")
        assert "48,750" in words(app)
        assert app.screen.panes["data"].table.rows[0].ill
        await go_to(app, pilot, "letters")
        assert ["letters", "list", "--json", "--database", "desk.db"] in said
        await pilot.press("enter")
        await rest(app, pilot)
        assert "whole of letters show grid-3 --database desk.db" in words(app)
        await pilot.press("escape")
        await go_to(app, pilot, "doctor")
        assert ["doctor", "--json"] not in said
        await pilot.press("s")
        await rest(app, pilot)
        assert said.count(["doctor", "--json"]) == 1
        table = app.screen.panes["doctor"].table
        assert [row.key for row in table.rows] == ["token", "disk"]
        assert "patang login" in words(app)


async def test_the_log_shows_events_by_level_and_words_and_turns_to_its_file(face, tmp_path):
    log = tmp_path / "patang.log"
    fields = {"event": "strategy_failed", "exception": "Traceback\nValueError: boom"}
    moment = {"level": "error", "timestamp": "2026-07-14T09:02:07Z"}
    log.write_text(json.dumps(fields | moment) + "\n")
    face.board.places = RecordPlaces("", str(log))
    face.event("alarm", "TITAN: protection refused: busy")
    async with running(face) as (app, pilot):
        await go_to(app, pilot, "log")
        table = app.screen.panes["log"].table
        assert len(table.rows) == len(face.board.events)
        await pilot.press("f")
        await rest(app, pilot)
        assert {row.level for row in table.rows} == {"warn", "alarm"}
        await pilot.press("f")
        await rest(app, pilot)
        assert [row.level for row in table.rows] == ["alarm"]
        await pilot.press("f", "slash", *"sell", "enter")
        await rest(app, pilot)
        assert [row.text for row in table.rows] == ["SELL 40 [ITC] 417.90 · momentum_ladder P1"]
        await pilot.press("escape", "escape", "v")
        await rest(app, pilot)
        assert [row.text for row in table.rows] == ["strategy_failed: ValueError: boom"]
        await pilot.press("enter")
        await rest(app, pilot)
        assert "Traceback" in words(app)
        await pilot.press("escape")
        with log.open("a") as file:
            file.write(json.dumps({"event": "feed", "text": "feed lost"} | moment) + "\n")
        await rest(app, pilot, 16)
        assert [row.text for row in table.rows][-1] == "feed: feed lost"


async def test_as_many_panes_are_seen_as_the_terminal_has_room_for(face, said):
    async with running(face, size=(80, 24)) as (app, pilot):
        await go_to(app, pilot, "times")

        def shown():
            return [name for name, pane in app.screen.panes.items() if pane.display]

        # One app for all sizes: its start is most of what a test costs.
        for size, seen in (((80, 24), 1), ((120, 40), 2), ((200, 60), 3)):
            await pilot.resize_terminal(*size)
            await rest(app, pilot, 2)
            assert (len(shown()), "times" in shown()) == (seen, True)
            await pilot.press("z")
            assert shown() == ["times"]
            await pilot.press("z")
        # A click on a name brings its pane.
        await pilot.click("TabStrip", offset=(12, 0))
        await rest(app, pilot, 2)
        assert app.screen.current.table.view.name == "doctor"


async def test_a_command_that_is_none_says_so_in_one_line():
    answer = await child_answer(["jobs", "log", "nothing"])
    assert answer.code == 1
    assert answer.said == ""
    assert answer.complaint.startswith("no job nothing; there are gaps")
    assert answer.rows() == []
