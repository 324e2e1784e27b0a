"""A past day on the screen: its band, its bar, its keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engine.day.replay_control import STEPS, ReplayUnit
from engine.day.replay_status import DayMarks, ReplayStatus
from engine.errors import OperatorError
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.widgets.seek_bar import (
    SeekBar,
    cell_of,
    marks_text,
    moment_words,
    seek_line,
    time_at,
    track_cells,
)
from tui.app.widgets.status_bands import mode_text

MINUTE = 60_000_000_000
NINE = 1_780_284_600_000_000_000  # 2026-06-01 09:00:00 IST
DAY = ReplayStatus(
    now=NINE + 102 * MINUTE + 17_000_000_000,
    begins=NINE,
    ends=NINE + 420 * MINUTE,
    phases=(("pre-open", NINE), ("continuous", NINE + 15 * MINUTE), ("close", NINE + 390 * MINUTE)),
    speed=4.0,
    paused=True,
    unit=ReplayUnit.BAR,
)


class FakeReplay:
    """A `ReplayPort` that notes what it was asked."""

    def __init__(self):
        self.asked = []
        self.shown = DAY

    def status(self):
        return self.shown

    def score(self):
        return [("drawdown", "521.81")]

    def fault_of(self, place):
        return "go x: expected HH:MM" if place == "x" else ""

    def __getattr__(self, name):
        def note(*arguments):
            self.asked.append((name, *arguments))

        return note


@pytest.fixture
def face():
    made = FakeDesk("REPLAY")
    made.replay = FakeReplay()
    return made


@pytest.mark.parametrize("width", [80, 120])
def test_the_band_has_the_date_the_time_and_the_pace(width):
    for status in (DAY, DAY._replace(practice=True, by_hand=True), DAY._replace(practice=True)):
        text = mode_text("REPLAY", width, moment=moment_words(status)).plain
        assert len(text) <= width
        assert "Mon 1 Jun 2026 10:42:17" in text
        assert "paused · 4 ×" in text
        if width > 100:
            assert ("practice" in text) == status.practice


@pytest.mark.parametrize(
    ("width", "note", "begins"),
    [
        (80, "", "       R E P L A Y   Mon 1 Jun 2026 10:42:17   paused · 4 ×   by the bar"),
        (80, "one back: 12 %", "       R E P L A Y   Mon 1 Jun 2026 10:42:17   paused · 4 ×  "),
        (80, "to 10:42:00: 12 % · VIEWER", "       R E P L A Y   Mon 1 Jun 2026 10:42:17  "),
        (60, "back to 10:42:00: 12 %", " REPLAY Mon 1 Jun 2026 10:42:17  "),
        (50, "back to 10:42:00: 12 %", " REPLAY  "),
    ],
)
def test_a_note_beside_a_moment_leaves_whole_words_and_no_jump(width, note, begins):
    text = mode_text("REPLAY", width, note, moment=moment_words(DAY)).plain
    assert len(text) == width
    if note:
        assert text == begins.ljust(width - len(note) - 2) + f" {note} "
    else:
        assert text.rstrip() == begins


def test_the_bar_is_bright_up_to_now_and_marks_what_there_was():
    marks = DayMarks(
        fills=(NINE + 60 * MINUTE, NINE + 60 * MINUTE, NINE + 300 * MINUTE),
        refusals=(NINE + 210 * MINUTE,),
        alarms=(NINE + 30 * MINUTE,),
        gaps=(NINE + 90 * MINUTE, NINE - MINUTE, NINE + 421 * MINUTE),
    )
    # ten minutes a cell
    line = "".join(cell.glyph for cell in track_cells(DAY._replace(marks=marks), 42))
    assert line == "━┃━■━━▇━━░●──────────╍────────▄────────│──"
    whole = seek_line(DAY._replace(marks=marks), 54).plain
    assert (whole[:6], whole[-6:], len(whole)) == ("09:00 ", " 16:00", 54)
    # the marks of the recorded desk take the place of this playing's
    other = DAY._replace(marks=marks, desk=DayMarks(fills=(NINE,)))
    assert [cell.glyph for cell in track_cells(other, 42)][:4] == ["▇", "┃", "━", "━"]
    assert marks_text(marks, of_desk=False).startswith(
        "3 ▅ fills  1 ╍ refusal  1 ■ alarm  3 ░ gaps"
    )
    assert "its journal" in marks_text(marks, of_desk=True)


@given(some.integers(1, 300), some.data())
def test_a_cell_is_that_of_the_time_it_begins_with(width, data):
    x = data.draw(some.integers(0, width - 1))
    assert cell_of(time_at(x, DAY, width) + 1, DAY, width) == x
    for ts in (DAY.begins - 1, DAY.ends + 1):
        assert 0 <= cell_of(ts, DAY, width) < width


async def test_every_key_of_a_past_day_does_its_act_at_80_columns(face):
    wanted = {
        "p": ("pause",),
        "greater_than_sign": ("step", 1),
        "less_than_sign": ("step", -1),
        "u": ("choose_unit",),
        "f5": ("go_next", ReplayUnit.FILL, -1),
        "f6": ("go_next", ReplayUnit.FILL, 1),
        "f9": ("go_next", ReplayUnit.REFUSAL, -1),
        "f10": ("go_next", ReplayUnit.REFUSAL, 1),
        "f7": ("change_speed", -1),
        "ctrl+up": ("change_speed", 1),
        "left_parenthesis": ("go_to", "-5m"),
        "right_parenthesis": ("go_to", "+5m"),
    }
    async with running(face, size=(80, 24)) as (app, pilot):
        await pilot.press(*wanted)
        assert face.replay.asked == [*wanted.values()]
        assert face.commands == []
        await settle(app, pilot)
        lines = screen_text(app)
        assert "REPLAY" in lines[0].replace(" ", "")
        assert "10:42:17   paused · 4 ×" in lines[0]
        assert lines[1].startswith("09:00 ")
        assert "●" in lines[1]
        assert "p pause  > step  < back" in lines[-1]
        # on the chart as well, whose keys are others
        await pilot.press("2", "greater_than_sign")
        assert face.replay.asked[-1] == ("step", 1)


async def test_what_cannot_be_done_is_said_in_a_line(face):
    def refuse(way):
        raise OperatorError("no bar before this moment")

    face.replay.step = refuse
    async with running(face, size=(80, 24)) as (app, pilot):
        await pilot.press("less_than_sign")
        await settle(app, pilot)
        assert any("no bar before this moment" in line for line in screen_text(app))


async def test_a_moment_is_gone_to_by_a_dialog_a_command_and_a_click(face):
    async with running(face) as (app, pilot):
        await pilot.press("f3", "x", "enter")
        assert any("go x: expected HH:MM" in line for line in screen_text(app))
        await pilot.press("backspace", *"10:42", "enter")
        await pilot.press("colon", *"go worst", "enter")
        await settle(app, pilot)
        bar = app.screen.query_one(SeekBar)
        await pilot.click(bar, offset=(6, 0))
        await settle(app, pilot)
        assert sorted(face.replay.asked, key=str) == [
            ("go_to", "10:42"),
            ("go_to", "worst"),
            ("go_to_time", NINE),
        ]


async def test_today_has_no_bar_and_its_keys_say_why():
    async with running() as (app, pilot):
        await pilot.press("p", "less_than_sign", "f6")
        await settle(app, pilot)
        assert any("for a day that is over: patang replay" in line for line in screen_text(app))
        assert not app.screen.query_one(SeekBar).display
        await pilot.press("colon", *"go 10:42", "enter")
        await settle(app, pilot)
        assert any("go is for a day that is over" in line for line in screen_text(app))


async def test_another_moment_is_shown_whole_whatever_its_versions_say(face):
    async with running(face) as (app, pilot):
        before = face.board
        other = FakeDesk("REPLAY", seed=11)
        # of one version each, and of other rows
        for name in ("watch", "positions", "orders"):
            getattr(other.board, name).version = getattr(before, name).version
        face.board = other.board
        row = other.board.positions.rows[0]
        other.board.positions.rows[0] = row._replace(symbol="OTHERS")
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert "OTHERS" in text
        # what led to that moment is no news
        assert app.bells == 0


def test_a_step_has_the_units_of_a_desk():
    assert [*STEPS] == ["tick", "bar", "decision", "order"]
