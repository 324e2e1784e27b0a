"""The life of an order on screen: t shows it, and what is not on record is a word, not a crash."""

from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.screens.desk_screen import DeskScreen
from tui.app.screens.modal_dialogs import HelpDialog


async def at_the_last_order(pilot, app):
    app.screen.turn_to("orders")
    await settle(app, pilot)
    await pilot.press("G")


async def test_t_shows_the_life_of_the_order_under_the_cursor_as_it_is_written():
    face = FakeDesk()
    key = face.board.orders.rows[-1].key
    async with running(face, size=(140, 40)) as (app, pilot):
        await at_the_last_order(pilot, app)
        await pilot.press("t")
        await settle(app, pilot)
        assert isinstance(app.screen, HelpDialog)
        text = "\n".join(screen_text(app))
        assert f"order {key}" in text
        assert "by a bar [of] INFY at 1624.55" in text
        await pilot.press("escape")
        await settle(app, pilot)
        assert isinstance(app.screen, DeskScreen)


async def test_an_order_without_a_record_is_said_to_have_none():
    face = FakeDesk()
    row = face.board.orders.rows[-1]._replace(key="missing")
    face.board.orders.put("missing", row)
    async with running(face, size=(140, 40)) as (app, pilot):
        await at_the_last_order(pilot, app)
        await pilot.press("t")
        await settle(app, pilot)
        assert isinstance(app.screen, DeskScreen)
        assert any("missing: no decision" in note.text for note in app._notices.shown)
