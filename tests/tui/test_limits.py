"""The limits on screen 6: what they show, and what changing one asks and submits.

The governor and the switch beside.
"""

import pytest

from engine.board_rows import Board, DiskState, GovernorState, KillRow, LimitRow, QueueRow
from engine.operator_requests import LimitRequest
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, settle
from tui.app.panes.kills_pane import KillsPaneView
from tui.app.panes.limits_pane import LimitsPaneView
from tui.app.panes.queue_pane import QueuePaneView
from tui.app.screens.modal_dialogs import EntryDialog, QuestionDialog
from tui.app.widgets.pane_view import view_text

NOON = 1_784_010_600 * 1_000_000_000


@pytest.fixture
def board():
    made = Board("SANDBOX")
    made.header = made.header._replace(now=NOON, kill="halt", kill_reason="enough")
    return made


def test_a_limit_shows_its_use_what_is_left_and_who_changed_it(board):
    board.limits.put("a", LimitRow("max_daily_loss", 12_000.0, 15_000, 25_000, "screen: half size"))
    board.limits.put("b", LimitRow("max_positions", 90, 90, 90, ""))
    board.limits.put("c", LimitRow("max_orders_per_minute", 3, 0, 0, ""))
    head, _, *lines = view_text(LimitsPaneView(), board, 120)
    assert head == "LIMITS max_positions 1 changed"
    assert [line.split() for line in lines] == [
        ["max_positions", "90", lines[0].split()[2], "90", "0"],
        [
            "max_daily_loss",
            "12,000",
            lines[1].split()[2],
            "15,000",
            "3,000",
            "25,000",
            "screen:",
            "half",
            "size",
        ],
        ["max_orders_per_minute", "3", "off"],
    ]


def test_the_governor_shows_rates_what_waits_and_what_is_held_back(board):
    held = (("EXIT", 0), ("ENTRY", 800_000_000))
    board.governor = GovernorState(7, 9, 64, 380, 1_212, 4_800, (("EXIT", 1), ("ENTRY", 0)), held)
    board.queue.put(
        0, QueueRow(0, "exit", "PlaceOrder", "INFY", NOON - 400_000_000, NOON + 200_000_000)
    )
    board.queue.put(1, QueueRow(1, "entry", "PlaceOrder", "SBIN", NOON, -1))
    head, _, *lines = view_text(QueuePaneView(), board, 60)
    assert head == "GOVERNOR 7/9 s  64/380 min  1,212/4,800 day waiting: 1 exit entry held 0.8 s"
    assert [line.split() for line in lines] == [
        ["exit", "PlaceOrder", "INFY", "0.4", "s", "0.2", "s"],
        ["entry", "PlaceOrder", "SBIN", "0.0", "s", "not", "today"],
    ]


def test_the_governor_shows_a_disk_that_does_not_keep_up(board):
    board.governor = GovernorState(0, 9, 0, 380, 0, 4_800, disk=DiskState(0.2, 61.0, 0))
    assert view_text(QueuePaneView(), board, 60)[0] == "GOVERNOR 0/9 s  0/380 min  0/4,800 day"
    board.governor = board.governor._replace(disk=DiskState(3.24, 3.24, 2))
    assert view_text(QueuePaneView(), board, 60)[0].endswith(
        "day disk behind 3.2 s 2 left ahead of it"
    )


def test_the_kill_switch_shows_how_it_stands_and_its_history(board):
    board.kills.put(0, KillRow(0, NOON, "latch", "halt", "daily loss limit", "limit"))
    board.kills.put(1, KillRow(1, NOON + 60_000_000_000, "resume", "", "all right", "terminal"))
    head, _, *lines = view_text(KillsPaneView(), board, 80)
    assert head == "KILL SWITCH halt: enough"
    assert [line.split() for line in lines] == [
        ["14", "Jul", "12:00:00", "halt", "limit", "daily", "loss", "limit"],
        ["14", "Jul", "12:01:00", "resume", "terminal", "all", "right"],
    ]


def bounded():
    face = FakeDesk()
    face.bound()
    return face


async def enter(pilot, app, down, value, reason):
    """Go to a limit on screen 6, press e, and answer."""
    await pilot.press("6")
    await settle(app, pilot)
    await pilot.press("g", *["j"] * down, "m")
    await settle(app, pilot)
    assert isinstance(app.screen, EntryDialog)
    await pilot.press(*value, "tab", *reason.replace(" ", "_"), "enter")
    await settle(app, pilot)


async def test_a_tighter_limit_is_submitted_with_its_reason():
    async with running(bounded(), size=(140, 40)) as (app, pilot):
        await enter(pilot, app, 3, "12", "fewer today")
        assert app.face.commands == [
            LimitRequest("max_positions", 12, "fewer_today", "screen", confirmed=True)
        ]


@pytest.mark.parametrize(("answer", "count"), [("enter", 0), ("right", 1)])
async def test_a_looser_limit_asks_first_with_the_focus_on_cancel(answer, count):
    async with running(bounded(), size=(140, 40)) as (app, pilot):
        await enter(pilot, app, 3, "91", "one more")
        assert isinstance(app.screen, QuestionDialog)
        await pilot.press(*(["right", "enter"] if answer == "right" else ["enter"]))
        await settle(app, pilot)
        assert len(app.face.commands) == count


@pytest.mark.parametrize(
    ("value", "reason", "wrong"),
    [
        ("", "more", "nothing is no number"),
        ("12", "", "a reason is needed"),
        ("many", "more", "many is no number"),
        ("0", "none", "max_positions"),
        ("12.5", "half", "max_positions"),
    ],
)
async def test_what_is_no_change_is_said_and_nothing_typed_is_lost(value, reason, wrong):
    async with running(bounded(), size=(140, 40)) as (app, pilot):
        await enter(pilot, app, 3, value, reason)
        await pilot.press("enter")  # on an empty reason the first one only goes there
        await settle(app, pilot)
        assert isinstance(app.screen, EntryDialog)
        assert app.screen.texts == [value, reason]
        assert wrong in str(app.screen.query_one("#error").render())
        theme = app.theme
        await pilot.press("c", "space", "x")  # keys of the screen below, which must stay text
        assert app.theme == theme
        assert app.screen.texts == [value, reason + "c x"]
        assert not app._frozen
        assert app.face.commands == []
