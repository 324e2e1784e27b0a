"""The card of the day: every figure a day ends with, in words."""

from rich.console import Console

from engine.board_rows import Board
from engine.operator_requests import AcknowledgeRequest
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tests.tui.test_theme import variables
from tui.app.screens.day_card import card_title, day_card
from tui.app.screens.modal_dialogs import HelpDialog
from tui.app.widgets.theme import ToneStyles


def lines_of(board, width=100):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(day_card(board, ToneStyles(variables("dark"))))
    return [line.rstrip() for line in capture.get().splitlines() if line.strip()]


def test_a_day_that_went_wrong_says_everything():
    face = FakeDesk()
    face.close()
    assert card_title(face.board) == "The day is over · Tue 14 Jul 2026"
    assert lines_of(face.board) == [
        "P&L         ▼ -1,719.80 after 512.30 charges",
        "strategies  momentum_ladder       ▲ 1,840.25  runs",
        "            moving_average_cross  ▼ -512.00  FAILED: ValueError: boom",
        "            the traceback: patang trace moving_average_cross",
        "            by hand, adopted      ▼ -0.30",
        "trades      14 over  10 orders, 1 refused",
        "            best   ▲ 612.50  RELIANCE P2  momentum_ladder",
        "            worst  ▼ -401.15  SBIN  moving_average_cross",
        "stays open  INFY P1  60 at 1,637.40  ▼ -771.00  a stop at 1,612.80 rests at the broker",
        "            TITAN P1  30 at 3,438.20  ▼ -436.50  NAKED: nothing protects it",
        "            entry 7 still works: BUY 20 INFY",
        "            entry 8 still works: BUY 30 BHARTIARTL",
        "went wrong  ■ TITAN: protection refused: busy  ×3",
        "            ■ moving_average_cross stopped: ValueError: boom",
        "^q ends the desk · patang export trades --mode sandbox keeps it",
    ]


def test_a_quiet_day_says_that_it_was_one():
    board = Board("SANDBOX")
    assert card_title(board) == "The day so far"
    assert lines_of(board) == [
        "P&L         0.00 after 0.00 charges",
        "strategies  none",
        "trades      0 over  0 orders",
        "stays open  nothing: flat",
        "went wrong  nothing",
        "esc goes back · patang export trades --mode sandbox keeps it",
    ]


def test_a_practised_day_has_its_score_behind_its_result():
    console = Console(width=78)
    score = [("drawdown", "521.81, something held 30% of the time"), ("holding", "▲ 9.00 [b]")]
    with console.capture() as capture:
        console.print(day_card(Board("REPLAY"), ToneStyles(variables("dark")), score))
    lines = [line.rstrip() for line in capture.get().splitlines() if line.strip()]
    assert lines[1:3] == [
        "drawdown    521.81, something held 30% of the time",
        "holding     ▲ 9.00 [b]",
    ]


def test_shares_that_are_protected_in_part_are_named_so():
    face = FakeDesk()
    row = face.board.positions.rows[0]
    face.board.positions.keep({row.key})
    face.board.positions.put(row.key, row._replace(protected=50))
    assert any(
        "a stop at 1,377.20 rests at the broker, for 50 only" in line
        for line in lines_of(face.board, 140)
    )


async def test_the_card_comes_up_once_when_the_day_is_over_and_seeing_it_acknowledges_failures():
    async with running() as (app, pilot):
        app.face.close()
        await settle(app, pilot)
        assert isinstance(app.screen, HelpDialog)
        assert any("The day is over" in line for line in screen_text(app))
        assert app.face.commands == [AcknowledgeRequest("moving_average_cross")]
        await pilot.press("escape")
        await settle(app, pilot)
        assert not app.screen.is_modal
        await pilot.press("d")
        await settle(app, pilot)
        assert isinstance(app.screen, HelpDialog)


async def test_the_end_of_the_day_waits_for_a_question_that_stands():
    async with running() as (app, pilot):
        await pilot.press("x")
        app.face.close()
        await settle(app, pilot)
        assert not isinstance(app.screen, HelpDialog)
        await pilot.press("escape")
        await settle(app, pilot)
        assert isinstance(app.screen, HelpDialog)
