"""A bad figure in a row makes the whole book unreadable; an answer about something else tells nothing."""

import pytest

from brokers.kite import figures
from brokers.kite.translation import gtt_update, holdings, order_update, position, trade
from compiled.model import Gtt, Product
from compiled.terms import Change
from engine.errors import OrderUnknown, RetryableError
from tests.kite.test_orders import gtt_row, order_row

NOW = 1_767_325_500_000_000_000
NONSENSE = (float("nan"), float("inf"), float("-inf"), 10**30, "ten", True, [], {}, 1.5)
TRADE = {
    "trade_id": "7", "order_id": "1", "exchange": "NSE", "tradingsymbol": "INFY", "instrument_token": 408065,
    "transaction_type": "BUY", "quantity": 3, "average_price": 1500.05, "fill_timestamp": "2026-01-02 09:15:02",
}  # fmt: skip
POSITION = {
    "tradingsymbol": "INFY", "instrument_token": 408065, "product": "CNC", "quantity": -3, "multiplier": 1,
    "average_price": 1500.05,
}  # fmt: skip
HOLDING = {
    "tradingsymbol": "INFY", "instrument_token": 408065, "quantity": 3, "t1_quantity": 0, "opening_quantity": 3,
    "average_price": 1500.05,
}  # fmt: skip


def read_order(row):
    return order_update(row, NOW)


def read_trade(row):
    return trade(row, NOW)


def read_gtt(row):
    return gtt_update(row, NOW, lambda *_: 0)


BOOKS = {
    "order": (read_order, order_row(), ("quantity", "filled_quantity", "instrument_token"),
              ("price", "trigger_price", "average_price")),
    "trade": (read_trade, TRADE, ("quantity", "instrument_token"), ("average_price",)),
    "position": (position, POSITION, ("instrument_token", "multiplier"), ("average_price",)),
    "holding": (holdings, HOLDING, ("opening_quantity", "instrument_token"), ("average_price",)),
    "GTT": (read_gtt, gtt_row(), ("id",), ()),
}  # fmt: skip
CASES = [
    (book, key, value)
    for book, (_, _, counts, prices) in BOOKS.items()
    for key in (*counts, *prices)
    for value in (*NONSENSE, -1)
    if not (key in prices and value == 1.5)
]


@pytest.mark.parametrize("book", BOOKS)
def test_a_good_row_is_read(book):
    read, row, _, _ = BOOKS[book]
    assert read(row) is not None


@pytest.mark.parametrize(("book", "key", "value"), CASES)
def test_a_bad_figure_makes_its_row_unreadable(book, key, value):
    read, row, _, _ = BOOKS[book]
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        read(row | {key: value})


@pytest.mark.parametrize("value", [*NONSENSE, -1, 0])
def test_a_bad_figure_in_a_leg_makes_its_gtt_unreadable(value):
    leg = gtt_row()["orders"][0]
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        read_gtt(gtt_row(orders=[leg | {"quantity": value}]))


@pytest.mark.parametrize("value", [0, 1e-320, 0.00001, None])
def test_nothing_is_traded_for_nothing(value):
    with pytest.raises(ValueError, match="no price"):
        read_trade(TRADE | {"average_price": value})


def test_more_filled_than_ordered_is_no_row():
    with pytest.raises(ValueError, match="11 of 10 filled"):
        read_order(order_row(filled_quantity=11))


def test_a_position_may_be_short_and_a_missing_price_is_none():
    assert position(POSITION).quantity == -3
    assert read_order(order_row(price=None)).price == 0.0


@pytest.mark.parametrize(("text", "number"), [("123", 123), (123, 123)])
def test_an_id_is_a_number_or_its_digits(text, number):
    assert figures.number_of(text) == number


@pytest.mark.parametrize("value", ["", "1_0", "\u0661", "+1", " 1", "12a", 0, -1, 2**63, "9" * 30, 1.0, None, True])
def test_anything_else_is_no_id(value):
    with pytest.raises(ValueError, match="no id"):
        figures.number_of(value)


async def test_one_bad_row_makes_the_book_unreadable_and_never_shorter(stub, broker, script):
    stub.on("GET /orders", script.ok([order_row(), order_row(order_id="2", quantity=-10)]))
    with pytest.raises(RetryableError, match="unreadable"):
        await broker.orders()


async def test_an_answer_about_another_order_or_gtt_tells_nothing(stub, broker, script):
    stub.on("GET /orders", script.ok([order_row(order_id="20")]))
    await broker.orders()
    stub.on("*", script.ok({"order_id": "21", "trigger_id": 78}))
    gtt = Gtt(1, "s", 408065, Product.CNC, 1, 1500.0, read_gtt(gtt_row()).legs)
    gtt.gtt_id, gtt.pending = 77, gtt.legs
    for request in (broker.cancel("20"), broker.modify("20", Change(price=1500.0)), broker.delete_gtt(77),
                    broker.modify_gtt(gtt)):  # fmt: skip
        with pytest.raises(OrderUnknown, match="unreadable"):
            await request


@pytest.mark.parametrize("named", [True, 12.5, None, {}, "", -4, "nine"])
async def test_an_answer_with_an_id_of_the_wrong_kind_tells_nothing(stub, broker, script, named):
    stub.on("*", script.ok({"trigger_id": named}))
    with pytest.raises(OrderUnknown, match="unreadable"):
        await broker.place_gtt(Gtt(1, "s", 408065, Product.CNC, 1, 1500.0, read_gtt(gtt_row()).legs))
