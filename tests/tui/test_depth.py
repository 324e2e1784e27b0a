"""The book on the screen, and what its keys do."""

from engine.operator_requests import CancelRequest
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.screens.chart_screen import ChartScreen
from tui.app.screens.depth_screen import DepthScreen


async def steps(app, pilot, count=3):
    for _ in range(count):
        app.face.step()
        await settle(app, pilot)


def words(app):
    return "\n".join(screen_text(app))


async def test_the_book_of_the_row_under_the_cursor_is_shown_best_in_the_middle():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("j", "j", "j", "3")
        await pilot.pause()
        await steps(app, pilot)
        assert isinstance(app.screen, DepthScreen)
        infy = next(row for row in app.face.board.watch.rows if row.symbol == "INFY")
        assert app.face.board.focus.token == infy.token
        table = app.screen.panes["depth"].table
        prices = [row.price for row in table.rows]
        assert prices == sorted(prices, reverse=True)
        assert [row.key for row in table.rows][4:6] == ["ask-1", "bid-1"]
        assert "INFY" in words(app)
        assert len(app.face.board.tape) >= 3
        # Twenty shares of ours, some eighty ahead of them.
        line = next(line for line in screen_text(app) if f"{table.rows[6].price:,.2f}" in line)
        assert line.split()[:2] == ["20", "85"]


async def test_a_ticket_from_the_book_has_the_price_under_the_cursor():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("j", "j", "j", "3")
        await pilot.pause()
        await steps(app, pilot)
        await pilot.press("g", "j", "j")
        await settle(app, pilot)
        row = app.screen.panes["depth"].table.chosen
        await pilot.press("S")
        await pilot.pause()
        form = app.screen._form
        assert (form.symbol, form.side, float(form.price)) == ("INFY", "SELL", row.price)


async def test_the_book_goes_from_symbol_to_symbol_and_to_its_chart():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("3")
        await pilot.pause()
        await steps(app, pilot)
        names = [row.symbol for row in app.face.board.watch.rows]
        await pilot.press("right_square_bracket")
        await steps(app, pilot)
        assert names[1] in words(app)
        await pilot.press("left_square_bracket", "left_square_bracket", "2")
        await pilot.pause()
        await steps(app, pilot)
        assert isinstance(app.screen, ChartScreen)
        assert app.screen.pointed_price()[0] == names[-1]


async def test_our_orders_in_the_symbol_stand_beside_it_and_are_cancelled_there():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("j", "j", "j", "3")
        await pilot.pause()
        await steps(app, pilot)
        table = app.screen.panes["working"].table
        assert {row.symbol for row in table.rows} == {"INFY"}
        app.screen.turn_to("working")
        await settle(app, pilot)
        await pilot.press("x", "tab", "enter")
        await settle(app, pilot)
        assert app.face.commands == [CancelRequest(table.rows[0].key)]


async def test_a_desk_without_depth_says_so():
    face = FakeDesk()
    face._book = lambda: None
    async with running(face) as (app, pilot):
        await pilot.press("3")
        await pilot.pause()
        await steps(app, pilot)
        assert "no depth" in words(app)
