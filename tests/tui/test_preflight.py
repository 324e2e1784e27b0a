"""The look before the open: when it comes, what it says, and that good news stops nobody."""

import json

import pytest
from rich.console import Console

from compiled.model.values import SECOND
from engine.board_rows import Board, DifferenceRow
from engine.board_writer import BoardWriter
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tests.tui.test_theme import variables
from tui.app import preflight
from tui.app.preflight import PreflightWatch
from tui.app.screens.modal_dialogs import HelpDialog
from tui.app.screens.ops.child_command import ChildAnswer
from tui.app.screens.preflight_card import preflight_card, preflight_checks
from tui.app.widgets.theme import ToneStyles

NINE = 1_784_017_800 * SECOND
DAY = 86_400 * SECOND
WELL = {"name": "token", "state": "ok", "text": "account AB1234", "mend": ""}
ILL = {"name": "address", "state": "fail", "text": "orders leave elsewhere", "mend": "register it"}
UNSURE = {"name": "calendar", "state": "warn", "text": "unconfirmed", "mend": "see it"}


def answer(*checks):
    return ChildAnswer(0, json.dumps({"state": "ok", "checks": checks}), "")


def lines_of(checks):
    console = Console(width=70)
    with console.capture() as capture:
        console.print(preflight_card(checks, ToneStyles(variables("dark"))))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_what_does_not_pass_comes_first_with_its_mend():
    assert lines_of(preflight_checks(answer(WELL, UNSURE, ILL), Board("PAPER"))) == [
        "■ address    orders leave elsewhere",
        "             → register it",
        "▲ calendar   unconfirmed",
        "             → see it",
        "● token      account AB1234",
        "● kill       open",
        "● books      they agree with the broker's",
        "● protection 0 open rungs, none naked",
        "esc goes back · P looks again",
    ]


def test_the_desk_adds_what_only_it_knows():
    face = FakeDesk("LIVE")
    face.close()  # a position is naked then
    writer = BoardWriter(face.board)
    writer.replace_header(face.board.header._replace(kill="halt", kill_reason="day's loss"))
    for key, ignored in (("a", False), ("b", True)):
        row = DifferenceRow(key, "missing", "INFY", "0", "10", 0, (), ignored=ignored)
        writer.put(face.board.differences, key, row)
    said = {
        check.name: (check.state, check.text) for check in preflight_checks(answer(), face.board)
    }
    assert said["kill"] == ("fail", "halt: day's loss")
    assert said["books"] == ("fail", "1 differences")
    assert said["protection"] == ("fail", "2 open rungs, 1 naked")
    # a doctor who lists nothing has not passed anything
    assert said["doctor"] == ("fail", "it said nothing")


def test_a_doctor_who_cannot_look_fails_in_his_own_words():
    told = preflight_checks(ChildAnswer(2, "", "config.toml:3: no such key"), Board("LIVE"))
    assert told[0][:3] == ("doctor", "fail", "config.toml:3: no such key")


@pytest.mark.parametrize(
    ("mode", "state", "due"),
    [
        ("LIVE", "running", True),
        ("PAPER", "read-only", True),
        ("PAPER", "starting", False),
        ("SANDBOX", "running", False),
        ("REPLAY", "running", False),
    ],
)
def test_it_comes_once_a_day_where_prices_are_real(mode, state, due):
    board = Board(mode)
    writer, watch = BoardWriter(board), PreflightWatch(lambda: board, unasked=True)
    for day, wanted in ((0, due), (0, False), (1, due)):
        writer.replace_header(board.header._replace(state=state, now=NINE + day * DAY))
        assert watch.is_due() is wanted
    assert not PreflightWatch(lambda: board, unasked=False).is_due()


@pytest.mark.parametrize("ill", [False, True])
async def test_by_itself_it_is_a_card_where_something_is_wrong_and_a_line_where_all_is_well(
    monkeypatch, ill
):
    asked = []

    async def told(words):
        asked.append(words)
        return answer(ILL if ill else WELL)

    monkeypatch.setattr(preflight, "child_answer", told)
    face = FakeDesk("PAPER")
    for row in face.board.differences.rows[:]:
        BoardWriter(face.board).put(face.board.differences, row.key, row._replace(ignored=True))
    async with running(face, preflight=True) as (app, pilot):
        await app.workers.wait_for_complete()
        await settle(app, pilot)
        assert asked == [["doctor", "--json", *face.command_options]]
        text = "\n".join(screen_text(app))
        assert isinstance(app.screen, HelpDialog) is ill
        assert ("→ register it" in text) is ill
        assert ("preflight: all 4 checks pass · P shows them" in text) is not ill
        if not ill:
            await pilot.press("P")
            await app.workers.wait_for_complete()
            await settle(app, pilot)
            assert isinstance(app.screen, HelpDialog)
            assert "account AB1234" in "\n".join(screen_text(app))
