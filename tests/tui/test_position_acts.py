"""Acts on a position from the keyboard: what each key opens, sends and refuses, and in how many."""

import pytest
from textual.widgets import Button

from engine.board_rows import FillMark, GttRow, LadderRow, OrderRow, PositionRow
from engine.errors import OperatorError
from engine.operator_requests import (
    AddRungRequest,
    ExitRequest,
    ReverseRequest,
    StopRequest,
    done,
    refused,
)
from tests.tui.fake import MINUTE, START, FakeDesk
from tests.tui.test_app import running, screen_text, settle
from tui.app.positions.act_dialog import ActDialog
from tui.app.positions.position_forms import (
    ALL,
    ActError,
    AddForm,
    ExitForm,
    ReverseForm,
    StopForm,
)
from tui.app.positions.tree_pane import TreePaneView, tree_rows
from tui.app.positions.tree_screen import TreeScreen
from tui.app.screens.desk_screen import DeskScreen
from tui.app.screens.modal_dialogs import HelpDialog
from tui.commands.desk.position_commands import exit_position


def text_of(app):
    return "\n".join(screen_text(app))


def intraday(face):
    """Let everything on the board be intraday."""
    for row in face.board.positions.rows[:]:
        face.board.positions.put(row.key, row._replace(product="MIS"))
    return face


# the keys of a day, counted


async def test_a_stop_is_moved_in_five_keys_and_to_the_break_even_in_three():
    for keys, wanted in (
        (("m", "1", "%", "enter"), {"percent": 1.0}),
        (("m", "1", "3", "9", "0", "enter"), {"price": 1390.0}),
        (("m", "b", "enter"), {"break_even": True}),
    ):
        assert len(keys) <= 6
        async with running(size=(80, 24)) as (app, pilot):
            await pilot.press(*keys)
            assert app.face.commands == [
                StopRequest(symbol="RELIANCE", rung="RELIANCE/P1", **wanted)
            ]


async def test_half_a_position_is_closed_in_three_keys_or_in_five():
    for keys in (("x", "h", "enter"), ("x", "5", "0", "%", "enter"), ("x", "7", "5", "enter")):
        assert len(keys) <= 5
        async with running(size=(80, 24)) as (app, pilot):
            await pilot.press(*keys)
            assert app.face.commands == [ExitRequest(1_000, "RELIANCE", quantity=75)]


async def test_the_keys_act_on_ladders_as_well():
    async with running(size=(80, 24)) as (app, pilot):
        app.screen.turn_to("ladders")
        await settle(app, pilot)
        await pilot.press("m", "1", "%", "enter")
        assert app.face.commands == [StopRequest(symbol="RELIANCE", percent=1.0)]


# the dialog


async def test_the_dialog_follows_the_price_and_what_is_typed():
    face = FakeDesk()
    async with running(face, size=(80, 24)) as (app, pilot):
        await pilot.press("x", "5", "0", "%")
        await settle(app, pilot)
        assert "SELL 75 RELIANCE at about 1,412.35, worth 1,05,926.25" in text_of(app)
        # half of three times 42.10
        assert "charges of the exit about 63.15" in text_of(app)
        assert [str(each.label) for each in app.screen.query(Button)] == [
            "Keep it",
            "Exit 75 of 150",
        ]
        for row in face.board.positions.rows[:3]:
            face.board.positions.put(row.key, row._replace(ltp=1500.0))
        await settle(app, pilot)
        assert "SELL 75 RELIANCE at about 1,500.00" in text_of(app)


async def test_one_rung_is_chosen_by_a_key():
    async with running() as (app, pilot):
        await pilot.press("x", "tab", "right", "shift+tab", "2", "0", "enter")
        assert app.face.commands == [
            ExitRequest(1_000, "RELIANCE", quantity=20, rung="RELIANCE/P1")
        ]


async def test_what_is_wrong_stays_open_with_what_was_typed():
    async with running(size=(80, 24)) as (app, pilot):
        await pilot.press("x", "9", "9", "9", "enter")
        await settle(app, pilot)
        assert "shares: 999 are more than the 150 held" in text_of(app)
        assert isinstance(app.screen, ActDialog)
        assert (app.screen.texts, app.face.commands) == (["999"], [])


async def test_what_the_desk_refuses_stays_open_with_its_words():
    async with running(size=(80, 24)) as (app, pilot):
        await pilot.press("m", "1", "4", "2", "0", "enter")
        app.face.outcomes[1] = refused("stop: ₹1420.00 is not below the last price of ₹1412.35")
        await settle(app, pilot)
        assert "₹1420.00 is not below the last price" in text_of(app)
        assert isinstance(app.screen, ActDialog)
        await pilot.press("enter")
        assert len(app.face.commands) == 2


async def test_a_second_enter_does_not_send_it_twice():
    async with running() as (app, pilot):
        await pilot.press("x", "h", "enter", "enter", "enter")
        assert len(app.face.commands) == 1


async def test_what_is_done_closes_the_dialog_and_is_told_in_the_footer():
    async with running() as (app, pilot):
        await pilot.press("x", "h", "enter")
        app.face.outcomes[1] = done("leaving 75 of 150 RELIANCE")
        await settle(app, pilot)
        await settle(app, pilot)
        assert isinstance(app.screen, DeskScreen)
        assert "leaving 75 of 150 RELIANCE" in screen_text(app)[-1]


async def test_an_answer_that_takes_long_is_shown_in_the_footer():
    async with running() as (app, pilot):
        await pilot.press("a", "2", "0", "enter")
        for _ in range(14):
            await settle(app, pilot)
        assert isinstance(app.screen, DeskScreen)
        assert "Add 20 at the market · RELIANCE: pending" in screen_text(app)[-1]


async def test_the_arrows_move_a_stop_by_ticks():
    async with running() as (app, pilot):
        await pilot.press("m", "up", "up", "down", "pageup", "enter")
        assert app.face.commands[0].price == 1377.75


async def test_a_rung_is_added_and_a_position_reversed():
    async with running(intraday(FakeDesk())) as (app, pilot):
        await pilot.press("a", "2", "0", "tab", "1", ".", "5", "enter", "escape")
        await pilot.press("R", "enter", "enter")
        assert app.face.commands == [
            AddRungRequest(symbol="RELIANCE", rung="RELIANCE/P1", quantity=20, stop=1.5),
            ReverseRequest(symbol="RELIANCE"),
        ]


async def test_delivery_is_not_reversed():
    async with running() as (app, pilot):
        await pilot.press("R", "enter", "enter")
        await settle(app, pilot)
        assert "held for delivery (CNC), which cannot be sold short" in text_of(app)
        assert app.face.commands == []


# the forms without a screen


def form(kind, key="RELIANCE/P2"):
    return kind(FakeDesk().board, "RELIANCE", key)


@pytest.mark.parametrize(
    ("kind", "texts", "why"),
    [
        (ExitForm, ["1.5"], "shares: 1.5 is no whole number of shares"),
        (ExitForm, ["0"], "shares: 0 is no whole number of shares"),
        (ExitForm, ["abc"], "shares: abc is no number"),
        (ExitForm, ["101%"], "shares: 101 % is more than all of it"),
        (ExitForm, ["0.1%"], "shares: 0.1 % of 150 is less than one"),
        (StopForm, ["", "1453.80"], "stop: a stop is moved, not taken away"),
        (StopForm, ["0", "1453.80"], "stop: 0 is no price"),
        (StopForm, ["nan", "1453.80"], "stop: nan is no amount"),
        (StopForm, ["1383.50", "1453.80"], "nothing is changed: type a price, a percentage, or b"),
        (AddForm, ["2.5", ""], "shares: 2.5 is no whole number of shares"),
        (AddForm, ["", "60"], "stop: 60 is above 50 percent of the price"),
    ],
)
def test_what_cannot_be_meant_is_named(kind, texts, why):
    made = form(kind)
    with pytest.raises(ActError) as found:
        made.request(texts, made.scope)
    assert str(found.value) == why


def test_a_target_is_moved_taken_away_or_given_in_percent():
    made = form(StopForm)
    assert made.request(["1383.50", ""], made.scope).target == 0.0
    assert made.request(["1383.50", "1,500"], made.scope).target == 1500.0
    # one percent above 1412.35 is 1426.4735, on the grid of 0.05
    assert made.request(["1383.50", "1%"], made.scope).target == 1426.45


def test_the_pnl_at_a_stop_counts_the_charges_of_leaving_there():
    made = form(StopForm)
    # 50 shares are up 387.50 at 1412.35; at 1400.00 they are 617.50 less, and leaving costs 42.10
    lines = made.lines(["1400", ""], made.scope)
    assert "0.87 % away, P&L there ▼ -272.10; it trails on from there" in lines


def test_rungs_of_one_name_are_told_apart():
    face = FakeDesk()
    for key in ("7", "9"):
        row = face.board.positions.rows[0]._replace(key=key, rung="-", strategy="operator")
        face.board.positions.put(key, row)
    made = ExitForm(face.board, "RELIANCE", "9")
    assert made.scopes[-2:] == ["operator P1", "operator P1 #9"]
    assert [row.key for row in made.rows("operator P1 #9")] == ["9"]


def test_a_short_position_is_bought_back():
    face = FakeDesk()
    row = face.board.positions.rows[-1]
    face.board.positions.put(row.key, row._replace(quantity=-30, product="MIS"))
    assert ExitForm(face.board, "TITAN", row.key).lines([""], "")[0].startswith("BUY 30 TITAN")
    assert ReverseForm(face.board, "TITAN", row.key).verb(["", ""], "") == "Exit, then BUY 30"


def test_what_is_held_long_and_short_is_not_flat_though_its_sum_is():
    face = FakeDesk()
    row = next(each for each in face.board.positions.rows[:] if each.symbol == "TITAN")
    face.board.positions.put("T2", row._replace(key="T2", quantity=-row.quantity, product="MIS"))
    form = ExitForm(face.board, "TITAN", row.key)
    both = 2 * abs(row.quantity)
    assert form.verb([""], "") == f"Exit {both} of {both}"
    assert form.lines([""], "")[0].startswith(f"SELL and BUY {both} TITAN")
    assert form.request([""], ALL) == ExitRequest(row.token, "TITAN")


async def test_the_button_says_all_of_what_it_does_at_the_smallest_size():
    face = intraday(FakeDesk())
    for keys, words in (
        (("a", "2", "0"), "Add 20 at the market"),
        (("m", "b"), "Stop to break-even"),
        (("R", "1", "2", "5", "0"), "Exit, then SELL 1250"),
    ):
        async with running(face, size=(80, 24)) as (app, pilot):
            await pilot.press(*keys)
            await settle(app, pilot)
            assert words in text_of(app)


def test_a_zero_in_the_shares_is_neither_a_rung_nor_a_reversal():
    face = intraday(FakeDesk())
    row = face.board.positions.rows[0]
    for form in (AddForm, ReverseForm):
        with pytest.raises(ActError, match="shares: 0 is no whole number of shares"):
            form(face.board, row.symbol, row.key).request(["0", ""], ALL)


def test_an_exit_of_nothing_is_not_an_exit_of_everything():
    for words in ({"quantity": 0}, {"part": 0.0}, {"part": float("nan")}, {"quantity": -1}):
        with pytest.raises(OperatorError, match=r"nothing to leave; without --\w+ everything"):
            exit_position("INFY", **words)


# the tree


def grown(face):
    """Put the orders, GTTs and fills of one ladder on the board."""
    board = face.board
    base = board.orders.rows[0]
    for key, rung, purpose, status in (
        ("50", "RELIANCE/P1", "ENTRY", "COMPLETE"),
        ("51", "RELIANCE/P2", "EXIT", "OPEN"),
    ):
        row = base._replace(key=key, rung=rung, purpose=purpose, status=status)
        board.orders.put(key, row)
    board.gtts.put(
        "60",
        GttRow(
            "60",
            START,
            START + MINUTE,
            "RELIANCE/P1",
            "RELIANCE",
            75,
            1377.2,
            1447.1,
            "ACTIVE",
            214417,
            "",
        ),
    )
    board.fills.append(FillMark(START, 1_000, "BUY", 1398.2, 75, "50"))
    return face


def test_the_tree_goes_from_strategy_to_fill():
    rows = tree_rows(grown(FakeDesk()).board, "RELIANCE")
    assert [(row.depth, row.what, row.state) for row in rows] == [
        (0, "momentum_ladder", "1 ladder"),
        (1, "RELIANCE CNC", "3 of 3 held"),
        (2, "P1", "protected"),
        (3, "entry BUY LIMIT", "complete"),
        (4, "fill", ""),
        (3, "GTT 214417 stop", "active"),
        (2, "P2", "protected"),
        (3, "exit BUY LIMIT", "open"),
        (2, "P3", "protected"),
    ]
    assert (rows[4].ts, rows[4].quantity, rows[4].at) == (START, "75", 1398.2)
    assert (rows[5].at, rows[5].note, rows[5].trace) == (1377.2, "target 1,447.10", "60")


def test_a_rung_without_its_stop_stands_out_in_the_tree():
    face = FakeDesk()
    row = face.board.positions.rows[0]
    face.board.positions.put(row.key, row._replace(protected=10))
    found = next(each for each in tree_rows(face.board, "RELIANCE") if each.what == "P1")
    assert (found.state, found.tone) == ("bare", "danger")
    assert TreePaneView().attention(found)


async def test_the_tree_opens_on_a_position_and_enter_shows_the_life_of_an_order():
    async with running(grown(FakeDesk()), size=(80, 24)) as (app, pilot):
        await pilot.press("t")
        await settle(app, pilot)
        await settle(app, pilot)
        assert isinstance(app.screen, TreeScreen)
        assert "GTT 214417 stop" in text_of(app)
        assert "SBIN" not in text_of(app)
        await pilot.press("j", "j", "j", "enter")
        await pilot.pause()
        await settle(app, pilot)
        assert isinstance(app.screen, HelpDialog)
        assert "order 50" in text_of(app)
        await pilot.press("escape", "f")
        await settle(app, pilot)
        assert "SBIN CNC" in text_of(app)
        # a rung of the tree is acted on like a position
        await pilot.press("g", "j", "j", "m", "b", "enter")
        assert app.face.commands == [
            StopRequest(symbol="RELIANCE", rung="RELIANCE/P1", break_even=True)
        ]


# two hundred rungs


def crowded():
    """Return a desk with two hundred rungs and as many GTTs."""
    face = FakeDesk(symbols=60)
    board = face.board
    board.positions.keep(set())
    board.ladders.keep(set())
    names = [row.symbol for row in board.watch.rows]
    for number in range(200):
        key, ladder = str(2 * number + 1), str(2 * number)
        name = names[number % len(names)]
        row = PositionRow(
            key,
            name,
            "momentum_ladder",
            f"P{number % 3 + 1}",
            10 + number,
            100.0,
            101.0,
            1_000 + number,
            1.0,
            98.0,
            0.0,
            10 + number,
            START,
            50,
            100.2,
            "CNC",
            ladder,
        )
        board.positions.put(key, row)
        states = ("armed",)
        board.ladders.put(
            ladder,
            LadderRow(
                ladder, name, "momentum_ladder", states, 98.0, 3.0, 101.0, 1, 0, "CNC", (key,)
            ),
        )
        board.gtts.put(
            key, GttRow(key, START, START, key, name, 10, 98.0, 0.0, "ACTIVE", 9_000 + number, "")
        )
        order = OrderRow(
            f"o{number}",
            START,
            name,
            "BUY",
            10,
            10,
            0.0,
            100.0,
            "MARKET",
            "ENTRY",
            "COMPLETE",
            "momentum_ladder",
            f"{number}",
            "",
            key,
        )
        board.orders.put(order.key, order)
    return face


async def test_two_hundred_rungs_are_readable_and_reached_at_the_smallest_size():
    face = crowded()
    async with running(face, size=(80, 24)) as (app, pilot):
        assert "POSITIONS  200" in text_of(app)
        await pilot.press("G")
        await settle(app, pilot)
        last = next(line for line in screen_text(app) if "209" in line)
        # the last rung with its shares, P&L, stop and cover, none of them cut
        assert "98.00" in last
        assert "▲ 11.99" in last
        assert last.rstrip().endswith(("●", "●█", "●▇", "●▁")) or "●" in last
        await pilot.press("m", "b", "enter")
        assert face.commands == [
            StopRequest(symbol=face.board.positions.rows[-1].symbol, rung="399", break_even=True)
        ]
    # a strategy, two hundred ladders, and of each a rung, an entry and a GTT
    assert len(tree_rows(face.board)) == 1 + 200 * 4
