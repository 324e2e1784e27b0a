"""A bad figure in a row makes the whole book unreadable.

An answer about something else tells nothing.
"""

from datetime import date

import pytest

from brokers.kite import strict_figures
from brokers.kite.translation import (
    bar,
    blocked_margin,
    gtt_update,
    holdings,
    instrument,
    order_update,
    position,
    trade,
)
from compiled.model.order_terms import OrderChange
from compiled.model.values import Gtt, Product
from engine.errors import OrderUnknown, RetryableError
from tests.brokers.kite.test_orders import gtt_row, order_row

NOW = 1_767_325_500_000_000_000
NONSENSE = (float("nan"), float("inf"), float("-inf"), 10**30, "ten", True, [], {}, 1.5)
TRADE = {
    "trade_id": "7",
    "order_id": "1",
    "exchange": "NSE",
    "tradingsymbol": "INFY",
    "instrument_token": 408065,
    "transaction_type": "BUY",
    "quantity": 3,
    "average_price": 1500.05,
    "fill_timestamp": "2026-01-02 09:15:02",
}
POSITION = {
    "tradingsymbol": "INFY",
    "instrument_token": 408065,
    "product": "CNC",
    "quantity": -3,
    "multiplier": 1,
    "average_price": 1500.05,
}
HOLDING = {
    "tradingsymbol": "INFY",
    "instrument_token": 408065,
    "quantity": 3,
    "t1_quantity": 0,
    "opening_quantity": 3,
    "average_price": 1500.05,
}


def read_order(row):
    return order_update(row, NOW)


def read_trade(row):
    return trade(row, NOW)


def read_gtt(row):
    return gtt_update(row, NOW, lambda *_: 0)


BOOKS = {
    "order": (
        read_order,
        order_row(),
        ("quantity", "filled_quantity", "instrument_token"),
        ("price", "trigger_price", "average_price"),
    ),
    "trade": (read_trade, TRADE, ("quantity", "instrument_token"), ("average_price",)),
    "position": (position, POSITION, ("instrument_token", "multiplier"), ("average_price",)),
    "holding": (holdings, HOLDING, ("opening_quantity", "instrument_token"), ("average_price",)),
    "GTT": (read_gtt, gtt_row(), ("id",), ()),
}
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
    assert strict_figures.number_of(text) == number


@pytest.mark.parametrize(
    "value", ["", "1_0", "\u0661", "+1", " 1", "12a", 0, -1, 2**63, "9" * 30, 1.0, None, True]
)
def test_anything_else_is_no_id(value):
    with pytest.raises(ValueError, match="no id"):
        strict_figures.number_of(value)


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
    for request in (
        broker.cancel("20"),
        broker.modify("20", OrderChange(price=1500.0)),
        broker.delete_gtt(77),
        broker.modify_gtt(gtt),
    ):
        with pytest.raises(OrderUnknown, match="unreadable"):
            await request


@pytest.mark.parametrize("named", [True, 12.5, None, {}, "", -4, "nine"])
async def test_an_answer_with_an_id_of_the_wrong_kind_tells_nothing(stub, broker, script, named):
    stub.on("*", script.ok({"trigger_id": named}))
    with pytest.raises(OrderUnknown, match="unreadable"):
        await broker.place_gtt(
            Gtt(1, "s", 408065, Product.CNC, 1, 1500.0, read_gtt(gtt_row()).legs)
        )


# bounds

PRICES = [1e7 + 1, 1e8, 1e12, 1e300, -5.0, -1e-9]
COUNTS = {"order": 10**8, "trade": 10**8, "position": 10**9, "holding": 10**9}
STAMPS = [
    "0001-01-01 00:00:00",
    "1999-12-31 09:15:00",
    "2100-01-01 09:15:00",
    "9999-12-31 23:59:59",
    5,
    True,
    "now",
]


@pytest.mark.parametrize("value", PRICES)
@pytest.mark.parametrize(
    ("book", "key"), [(book, key) for book, (_, _, _, keys) in BOOKS.items() for key in keys]
)
def test_a_price_beyond_all_prices_makes_its_row_unreadable(book, key, value):
    read, row, _, _ = BOOKS[book]
    with pytest.raises((ValueError, ArithmeticError)):
        read(row | {key: value})


@pytest.mark.parametrize("book", COUNTS)
def test_more_shares_than_there_are_make_their_row_unreadable(book):
    read, row, keys, prices = BOOKS[book]
    cheap = row | dict.fromkeys(prices, 0.05)
    for key in (
        ("quantity",) if book == "position" else [key for key in keys if key != "instrument_token"]
    ):
        most = {key: COUNTS[book]} | (
            {"quantity": COUNTS[book]} if key == "filled_quantity" else {}
        )
        assert read(cheap | most) is not None
        with pytest.raises((ValueError, ArithmeticError)):
            read(cheap | {each: value + 1 for each, value in most.items()})


def test_a_trade_is_worth_a_thousand_crore_at_most():
    assert read_trade(TRADE | {"quantity": 10**6, "average_price": 10_000.0}).quantity == 10**6
    with pytest.raises(ValueError, match="out of bounds"):
        read_trade(TRADE | {"quantity": 10**6 + 1, "average_price": 10_000.0})


@pytest.mark.parametrize("book", ["position", "holding"])
def test_what_is_held_is_worth_less_than_a_lakh_crore(book):
    read, row, _, _ = BOOKS[book]
    key = "opening_quantity" if book == "holding" else "quantity"
    assert read(row | {key: 10**8, "average_price": 9_999.0}) is not None
    with pytest.raises(ValueError, match="out of bounds"):
        read(row | {key: 10**8, "average_price": 10_000.0})


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize(
    ("book", "key"), [("order", "order_timestamp"), ("trade", "fill_timestamp")]
)
def test_a_time_of_no_day_of_ours_makes_its_row_unreadable(book, key, stamp):
    read, row, _, _ = BOOKS[book]
    with pytest.raises((ValueError, TypeError)):
        read(row | {"exchange_update_timestamp": None, key: stamp})


CANDLE = {
    "date": "2026-01-02T09:15:00+05:30",
    "open": 100.0,
    "high": 101.0,
    "low": 99.0,
    "close": 100.5,
    "volume": 10,
}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0, 1e8, 1e300, "x", None])
@pytest.mark.parametrize("key", ["open", "high", "low", "close"])
def test_a_candle_of_no_price_is_unreadable(key, value):
    assert bar(CANDLE, 1, 60).close == 100.5
    with pytest.raises((ValueError, TypeError)):
        bar(CANDLE | {key: value}, 1, 60)


@pytest.mark.parametrize("value", [-1, 10**13, 1e300, float("inf"), float("nan"), None])
def test_a_candle_of_no_volume_is_unreadable(value):
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        bar(CANDLE | {"volume": value}, 1, 60)


LISTED = {
    "instrument_token": "408065",
    "exchange": "NSE",
    "tradingsymbol": "INFY",
    "tick_size": 0.05,
    "lot_size": 1,
    "segment": "NSE",
    "instrument_type": "EQ",
    "name": "INFOSYS",
    "expiry": "",
}
LISTINGS = {
    "instrument_token": [0, -1, 2**70, "x", ""],
    "tick_size": [float("nan"), float("inf"), -0.05, 1e-9, 1e300],
    "lot_size": [-1, 10**8, 10**30, "x"],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in LISTINGS.items() for value in values]
)
def test_an_instrument_off_every_grid_is_unreadable(key, value):
    assert instrument(LISTED, date(2026, 1, 2)).tick == 0.05
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        instrument(LISTED | {key: value}, date(2026, 1, 2))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, 1e13, "x", None, True])
def test_what_an_order_blocks_is_a_sum_of_money(value):
    assert blocked_margin({"total": 100.5, "charges": {"total": 0.25}}) == 10_075
    with pytest.raises((ValueError, TypeError)):
        blocked_margin({"total": value})
