"""The order ticket: what is typed, what it means, and what leaves."""

import contextlib

import pytest
from textual.events import Key
from textual.widgets import Button, Input

from engine.board_rows import OrderRow, WatchRow
from engine.operator_requests import (
    ModifyRequest,
    PlaceRequest,
    PreviewRequest,
    done,
    refused,
)
from tests.tui.fake import FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.screens.order_ticket import TicketDialog
from tui.app.screens.ticket_form import (
    TicketError,
    TicketForm,
    changed_ticket,
    read_verdict,
    repeated_ticket,
)

INFY = WatchRow(7, "INFY", 1_500.0, 0.0, 1_499.5, 1_500.5, 900, 0, False, (), 0.05)
PREVIEW = {
    "order": "BUY 10 INFY",
    "value": 15_000.0,
    "charges": 15.0,
    "charges_both_ways": 25.0,
    "depository": 15.0,
    "charges_rest_on": "",
    "margin_broker": 15_015.0,
    "margin_estimate": 15_015.0,
    "margin_missing": "",
}


def form(**fields):
    given = {"symbol": "INFY", "amount": "10", "price": "1500", "stop": "2"}
    return TicketForm(**{**given, **fields})


# what it means


def test_a_ticket_is_the_order_it_says():
    assert form(target="5", amount="1,000", price="₹1,500.05").place_request(INFY) == PlaceRequest(
        symbol="INFY", side="BUY", quantity=1_000, stop=2.0, target=5.0, price=1_500.05
    )
    # What a type does not use stays out of it, whatever stands in the field.
    market = form(kind="MARKET", side="SELL", trigger="7", product="MIS").place_request(INFY)
    assert (market.price, market.trigger, market.side, market.product) == (0.0, 0.0, "SELL", "MIS")
    stop = form(kind="SL", trigger="1510", validity="TTL", minutes="5").place_request(INFY)
    assert (stop.price, stop.trigger, stop.validity, stop.minutes) == (1_500.0, 1_510.0, "TTL", 5)


@pytest.mark.parametrize(
    ("fields", "shares"),
    [
        # 20,000 / 1,500 = 13.3; at the market a buyer meets the ask and a seller the bid.
        ({"sized_by": "rupees", "amount": "20000"}, 13),
        ({"sized_by": "rupees", "amount": "15005", "kind": "MARKET"}, 10),
        ({"sized_by": "rupees", "amount": "14996", "kind": "MARKET", "side": "SELL"}, 10),
        # 2 % of 1,500 are ₹30 a share: ₹500 of risk are 16 shares.
        ({"sized_by": "risk", "amount": "500"}, 16),
        ({"sized_by": "risk", "amount": "500", "kind": "SL-M", "trigger": "1000"}, 25),
    ],
)
def test_shares_follow_from_rupees_and_from_risk(fields, shares):
    assert form(**fields).place_request(INFY).quantity == shares


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"amount": ""}, "quantity: how many?"),
        ({"amount": "ten"}, "amount: ten is no number"),
        ({"amount": "1.5"}, "quantity: 1.5 is no whole number of shares"),
        ({"amount": "-3"}, "amount: -3 is no amount"),
        ({"amount": "nan"}, "amount: nan is no amount"),
        ({"amount": "inf"}, "amount: inf is no amount"),
        ({"amount": "100", "sized_by": "rupees"}, "quantity: less than one share"),
        ({"amount": "100", "sized_by": "risk", "stop": "0"}, "by risk: a stop is needed"),
        ({"price": ""}, "price: LIMIT needs one"),
        ({"kind": "SL-M"}, "trigger: SL-M needs one"),
        ({"validity": "TTL"}, "minutes: TTL needs one"),
        ({"stop": ""}, "stop: percent below the price, or 0 for none"),
        ({"stop": "51"}, "stop: 51 is above 50 percent"),
        ({"target": "501"}, "target: 501 is above 500 percent"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(fields, fault):
    with pytest.raises(TicketError, match=f"^{fault.replace('?', '[?]')}"):
        form(**fields).place_request(INFY)


def test_a_symbol_that_nobody_watches_is_named():
    with pytest.raises(TicketError, match=r"^XYZ is not watched"):
        form(symbol="XYZ").place_request(None)
    with pytest.raises(TicketError, match=r"^symbol: which"):
        form(symbol="").place_request(None)


def test_a_price_moves_on_its_grid():
    ticket = form(price="1500.02")
    ticket.step_price("price", 3, INFY)
    assert ticket.price == "1500.15"
    ticket.price = ""
    ticket.step_price("price", -1, INFY)
    assert ticket.price == "1500.00"
    ticket.price = "0.10"
    ticket.step_price("price", -50, INFY)
    assert ticket.price == "0.05"
    ticket.price = "what"
    ticket.step_price("price", 1, INFY)
    assert ticket.price == "what"


def test_an_answer_says_break_even_and_what_a_stop_loses():
    request = form().place_request(INFY)
    ok, lines = read_verdict(request, done("", PREVIEW), INFY)
    assert ok
    # ₹40 on 10 shares are ₹4 a share, 80 ticks; 2 % of 15,000 and the charges are 340.
    assert lines == (
        "worth ₹15,000.00 · charges ₹15.00, both ways ₹40.00, ₹15.00 of it the depository's",
        "break-even 1,504.00 (0.27%, 80 ticks)",
        "blocks ₹15,015.00 by the broker",
        "at the stop about ₹340.00 are lost, charges included",
    )
    sold = form(side="SELL", stop="0").place_request(INFY)
    away = {**PREVIEW, "margin_broker": None, "margin_missing": "busy", "charges_rest_on": "a list"}
    ok, lines = read_verdict(sold, done("", away), INFY)
    assert lines[1:] == (
        "break-even 1,496.00 (0.27%, 80 ticks)",
        "blocks about ₹15,015.00; busy",
        "bare: no stop protects it",
    )
    assert "(a list)" in lines[0]
    assert read_verdict(sold, refused("EXPOSURE: too much"), INFY) == (
        False,
        ("EXPOSURE: too much",),
    )


def order(**fields):
    row = OrderRow(
        "41", 0, "INFY", "SELL", 20, 0, 1_510.0, 0.0, "LIMIT", "EXIT", "OPEN", "ladder", "26", ""
    )
    return row._replace(**fields)


def test_a_ticket_repeats_or_changes_an_order():
    assert repeated_ticket(order()) == TicketForm(
        symbol="INFY", side="SELL", amount="20", price="1510.00"
    )
    changed = changed_ticket(order())
    changed.amount = "15"
    assert changed.modify_request() == ModifyRequest(order="41", quantity=15, price=1_510.0)
    market = changed_ticket(order(kind="SL-M", price=0.0))
    market.trigger = "1490"
    assert market.modify_request() == ModifyRequest(order="41", quantity=20, trigger=1_490.0)
    market.amount = "0"
    with pytest.raises(TicketError):
        market.modify_request()


# on the screen


@contextlib.asynccontextmanager
async def ticket(*keys, size=(80, 24)):
    """A ticket that stands on a desk with INFY under the cursor."""
    face = FakeDesk()
    async with running(face, size=size) as (app, pilot):
        await pilot.press("j", "j", "j", *keys)
        await pilot.pause()
        await settle(app, pilot)
        yield app, pilot, face


async def rest(app, pilot):
    """Let the typing rest as long as the ticket waits for."""
    await pilot.pause()
    for _ in range(6):
        app.frame()
    await pilot.pause()


async def test_a_limit_order_from_a_row_takes_five_keys_and_what_is_typed():
    async with ticket("B", "5") as (app, pilot, face):
        assert isinstance(app.screen, TicketDialog)
        app.screen.query_one("#of-stop", Input).value = "2"
        await pilot.press("enter")
        assert isinstance(app.focused, Button)
        assert str(app.focused.label) == "Send BUY 5 INFY"
        assert face.commands == []
        await pilot.press("enter")
        await settle(app, pilot)
        bid = next(row.bid for row in face.board.watch.rows if row.symbol == "INFY")
        assert face.commands == [
            PlaceRequest(symbol="INFY", side="BUY", quantity=5, stop=2.0, price=bid)
        ]


async def test_the_desk_is_asked_once_the_typing_rests_and_its_answer_shown():
    async with ticket("S", "1", "0") as (app, pilot, face):
        app.screen.query_one("#of-stop", Input).value = "2"
        await rest(app, pilot)
        [asked] = face.commands
        assert isinstance(asked, PreviewRequest)
        assert (asked.side, asked.quantity) == ("SELL", 10)
        face.outcomes[1] = refused("SHORT_DELIVERY: shares that are not held cannot be sold")
        await rest(app, pilot)
        assert "SHORT_DELIVERY" in "\n".join(screen_text(app))
        # Nothing has changed: it is not asked again.
        await rest(app, pilot)
        assert len(face.commands) == 1
        await pilot.press("end", "0")
        await rest(app, pilot)
        assert [each.quantity for each in face.commands] == [10, 100]
        # An answer to what stands no longer in the fields is not shown.
        await pilot.press("0")
        face.outcomes[2] = refused("TOO LATE")
        await rest(app, pilot)
        assert "TOO LATE" not in "\n".join(screen_text(app))


async def test_what_is_typed_ahead_goes_into_the_field_it_was_meant_for():
    async with ticket("B") as (app, pilot, _face):
        # All at once, as a terminal hands over what was typed while the machine was busy.
        for key in ("3", *["tab"] * 6, "2", "tab", "9"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        await pilot.pause()
        form = app.screen._form
        assert (form.amount, form.stop, form.target) == ("3", "2", "9")


async def test_what_is_typed_behind_the_key_that_opens_it_is_for_the_ticket():
    async with running(FakeDesk(), size=(80, 24)) as (app, pilot):
        # The first time it is still to be made, the second time it has the texts of the first.
        for amount in ("5", "7"):
            for key in ("B", amount, *["tab"] * 6, "2"):
                app.post_message(Key(key, key if len(key) == 1 else None))
            await pilot.pause()
            await pilot.pause()
            form = app.screen._form
            assert (form.amount, form.stop, form.target) == (amount, "2", "")
            await pilot.press("escape")
            await pilot.pause()


async def test_what_is_typed_ahead_is_corrected_and_stepped_as_it_was_typed():
    async with ticket("B") as (app, pilot, _face):
        keys = ["1", "0", "0", "backspace", "5", "tab", "tab", "tab"]
        keys += ["9", "9", "backspace", "8", "up", "up", "tab", "home"]
        for key in keys:
            app.post_message(Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        await pilot.pause()
        form = app.screen._form
        assert (form.amount, form.price) == ("105", "98.10")


async def test_what_leaves_is_what_the_button_says_wherever_the_market_went():
    async with ticket("B", *"10000") as (app, pilot, face):
        screen = app.screen
        for key in ("tab", "right", "tab", "right", *["tab"] * 4, "0"):
            await pilot.press(key)
        assert (screen._form.sized_by, screen._form.kind, screen._form.stop) == (
            "rupees",
            "MARKET",
            "0",
        )
        rows = face.board.watch.rows
        at = next(n for n, row in enumerate(rows) if row.symbol == "INFY")
        offered = int(10_000 / rows[at].ask)
        rows[at] = rows[at]._replace(ask=rows[at].ask / 3)
        assert f"BUY {offered} INFY" in str(screen.query_one("#yes", Button).label)
        await pilot.press("enter")
        # A second press finds nothing to send any more.
        for _ in range(2):
            app.post_message(Key("enter", None))
        await settle(app, pilot)
        await pilot.pause()
        placed = [each for each in face.commands if type(each) is PlaceRequest]
        assert [each.quantity for each in placed] == [offered]


async def test_shares_by_rupees_follow_the_market_while_the_ticket_stands():
    async with ticket("B", *"10000", "tab", "right", "tab", "right") as (app, pilot, face):
        app.screen.query_one("#of-stop", Input).value = "0"
        face.outcomes[1] = done("", PREVIEW)
        await rest(app, pilot)
        rows = face.board.watch.rows
        at = next(n for n, row in enumerate(rows) if row.symbol == "INFY")
        rows[at] = rows[at]._replace(ask=rows[at].ask / 3)
        for _ in range(50):
            app.frame()
        offered = int(10_000 / rows[at].ask)
        assert str(app.screen.query_one("#yes", Button).label) == f"Send BUY {offered} INFY"


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24), (200, 60)])
async def test_the_answer_and_the_button_are_in_sight_on_every_terminal(size):
    async with ticket("B", "5", size=size) as (app, _pilot, _face):
        shown = "\n".join(screen_text(app))
        assert all(word in shown for word in ("quantity", "minutes", "stop: percent", "Send"))


async def test_every_line_of_an_answer_is_in_sight():
    async with ticket("B", "5") as (app, pilot, face):
        app.screen.query_one("#of-stop", Input).value = "0"
        await rest(app, pilot)
        # The first line is longer than the ticket is wide.
        face.outcomes[1] = done("", data={**PREVIEW, "charges_rest_on": "rates of the file"})
        await rest(app, pilot)
        assert "bare: no stop protects it" in "\n".join(screen_text(app))


async def test_escape_and_the_first_button_send_nothing():
    for keys in (("escape",), ("tab",) * 10 + ("enter",)):
        async with ticket("B", "5", *keys) as (app, pilot, face):
            assert not isinstance(app.screen, TicketDialog)
            assert not [each for each in face.commands if isinstance(each, PlaceRequest)]
            await pilot.pause()


async def test_what_is_missing_gets_the_focus():
    async with ticket("B", "enter") as (app, pilot, face):
        assert app.focused.id == "of-amount"
        assert "quantity: how many?" in "\n".join(screen_text(app))
        await pilot.press("5", "enter")
        assert app.focused.id == "of-stop"
        await pilot.press("0", "enter", "enter")
        await settle(app, pilot)
        assert [each.stop for each in face.commands] == [0.0]


async def test_a_name_that_was_begun_is_completed():
    async with running(FakeDesk()) as (app, pilot):
        await pilot.press("tab", "tab", "tab", "tab", "tab", "B")
        await pilot.pause()
        assert isinstance(app.screen, TicketDialog)
        app.screen._form.symbol = ""
        app.screen.fill_widgets()
        await pilot.press(*"bhar", "tab")
        await pilot.pause()
        assert app.screen.query_one("#of-symbol", Input).value == "BHARTIARTL"


async def test_prices_move_by_ticks_and_choices_by_letters():
    async with ticket("B") as (app, pilot, _face):
        screen = app.screen
        screen.query_one("#of-price").focus()
        before = float(screen._form.price)
        await pilot.press("up", "up", "down", "pageup")
        assert float(screen._form.price) == pytest.approx(before + 11 * 0.05)
        screen.query_one("#of-kind").focus()
        await pilot.press("m")
        assert screen._form.kind == "MARKET"
        await pilot.press("s", "s")
        assert screen._form.kind == "SL-M"
        await pilot.press("right")
        assert screen._form.kind == "LIMIT"
        await pilot.press("down")
        assert app.focused.id == "of-price"


async def test_the_kill_key_takes_the_ticket_away():
    async with ticket("B", "5", "ctrl+k") as (app, pilot, face):
        assert face.kills == [(False, "operator")]
        await pilot.pause()
        assert not isinstance(app.screen, TicketDialog)


async def test_a_ticket_from_the_chart_has_the_price_of_the_cross_hair():
    async with ticket("2", "h", "k", "k", "k", size=(120, 40)) as (app, pilot, _face):
        _symbol, level = app.screen.pointed_price()
        await pilot.press("B")
        await pilot.pause()
        assert app.screen._form.symbol == "INFY"
        assert abs(float(app.screen._form.price) - level) <= 0.025 + 1e-9


async def test_orders_are_changed_and_repeated_from_their_row():
    face = FakeDesk()
    async with running(face) as (app, pilot):
        app.screen.turn_to("orders")
        await pilot.pause()
        table = app.screen.panes["orders"].table
        at = next(k for k, row in enumerate(table.rows) if row.status == "OPEN")
        row = table.rows[at]
        table.cursor = at
        await pilot.press("m")
        await pilot.pause()
        assert app.screen.query_one("#of-symbol", Input).disabled
        await pilot.press("7", "enter", "enter")
        await settle(app, pilot)
        assert face.commands == [ModifyRequest(order=row.key, quantity=7, price=row.price)]
        await pilot.press("r")
        await pilot.pause()
        assert (app.screen._form.symbol, app.screen._form.amount) == (row.symbol, str(row.quantity))
        await pilot.press("escape")
        ended = next(k for k, each in enumerate(table.rows) if each.status == "COMPLETE")
        table.cursor = ended
        await pilot.press("m")
        await settle(app, pilot)
        assert not isinstance(app.screen, TicketDialog)
