"""The orders of all days, their filter, and the life of one."""

import pytest

from engine.board_rows import Board
from engine.errors import DataError
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.panes.blotter_pane import BlotterPaneView
from tui.app.screens.orders_screen import OrdersScreen
from tui.app.widgets.pane_view import meets_filter


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("infy", True),
        ("infy open", True),
        ("infy sbin", False),
        ("!sbin", True),
        ("!infy", False),
        ("infy !open", False),
        ("~mldr", True),
        ("~rdlm", False),
        ("!~mldr", False),
        ("!", True),
        ("~", True),
        ("", True),
    ],
)
def test_a_filter_takes_words_their_opposite_and_letters_in_order(wanted, met):
    assert meets_filter(wanted, "infy buy momentum_ladder open") is met


def keys(view, board):
    return [row.key for row in view.rows(board)]


def test_the_blotter_has_every_order_once_and_shows_what_is_asked_for():
    board, view = FakeDesk().board, BlotterPaneView()
    today = [row.key for row in board.orders.rows]
    earlier = [row._replace(key=f"9{row.key}") for row in board.orders.rows[:2]]
    before = view.version(board)
    # What the journal has of today as well is not there twice.
    view.show_earlier([*earlier, board.orders.rows[3]])
    assert view.version(board) != before
    assert keys(view, board) == [*(row.key for row in earlier), *today]
    seen = {}
    for _ in range(4):
        seen[view.shown] = {row.status for row in view.rows(board)}
        view.turn_shown()
    assert view.shown == "all"
    assert seen["working"] == {"OPEN"}
    assert seen["refused"] == {"REJECTED"}
    # One that is half filled is among the filled ones.
    assert seen["filled"] == {"COMPLETE", "OPEN"}
    assert keys(BlotterPaneView(), Board("LIVE")) == []


def words(app):
    return "\n".join(screen_text(app))


async def rest(app, pilot):
    for _ in range(6):
        app.frame()
        await pilot.pause(0.02)


async def test_the_life_of_the_order_under_the_cursor_follows_it():
    face = FakeDesk()
    async with running(face) as (app, pilot):
        await pilot.press("4")
        await settle(app, pilot)
        await rest(app, pilot)
        assert isinstance(app.screen, OrdersScreen)
        table = app.screen.panes["blotter"].table
        assert f"order {table.chosen.key}" in words(app)
        assert "10 today, 10 before" in words(app)
        await pilot.press("g")
        await rest(app, pilot)
        assert table.chosen.key == "900"
        assert "order 900" in words(app)
        face.trace = lambda _: (_ for _ in ()).throw(DataError("nothing of that name"))
        await pilot.press("j")
        await rest(app, pilot)
        assert "nothing of that name" in words(app)


async def test_the_blotter_has_the_keys_of_orders_and_its_own():
    face = FakeDesk()
    async with running(face) as (app, pilot):
        await pilot.press("4")
        await rest(app, pilot)
        table = app.screen.panes["blotter"].table
        await pilot.press("f")
        await rest(app, pilot)
        assert {row.status for row in table.rows} == {"OPEN"}
        await pilot.press("slash", *"infy !903", "enter")
        await rest(app, pilot)
        assert {row.symbol for row in table.rows} == {"INFY"}
        await pilot.press("r")
        await pilot.pause()
        assert app.screen._form.symbol == "INFY"
        await pilot.press("escape", "escape", "escape")
        await pilot.pause()
        # Of a difference the same key means something else, and there is none here.
        assert not face.commands


async def test_a_journal_that_cannot_be_read_is_told_and_today_stays():
    face = FakeDesk()

    def gone(_):
        raise DataError("desk.db is gone")

    face.earlier_orders = gone
    async with running(face) as (app, pilot):
        await pilot.press("4")
        await rest(app, pilot)
        assert "desk.db is gone" in words(app)
        assert "10 today, 0 before" in words(app)


async def test_a_row_is_copied_a_list_written_and_a_symbol_followed_to_its_orders():
    face = FakeDesk()
    async with running(face) as (app, pilot):
        await pilot.press("j", "j", "y")
        row = app.focused.chosen
        await settle(app, pilot)
        assert app.clipboard.split("\t")[0] == row.symbol
        assert f"{row.average:,.2f}" in app.clipboard.split("\t")
        await pilot.press("slash", *row.symbol.lower(), "enter", "e")
        await rest(app, pilot)
        name, rows = face.exported
        shown = [each for each in face.board.positions.rows if each.symbol == row.symbol]
        assert name == "positions"
        assert [line[0] for line in rows] == ["symbol", *(each.symbol for each in shown)]
        assert "positions.csv" in words(app)
        await pilot.press("o")
        await rest(app, pilot)
        table = app.screen.panes["blotter"].table
        assert {each.symbol for each in table.rows} == {row.symbol}


async def test_a_list_that_cannot_be_written_is_told():
    face = FakeDesk()

    def full(*_):
        raise DataError("no space left")

    face.export_rows = full
    async with running(face) as (app, pilot):
        await pilot.press("e")
        await rest(app, pilot)
        assert "no space left" in words(app)
