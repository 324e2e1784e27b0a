"""The matching rules of `docs/book.md`, one example each, worked out by hand."""

import random
import struct

import pytest

from compiled.book.order_book import DAY, FOK, IOC, MAX_ID, MAX_QUANTITY, BookRefusal, OrderBook

BUY, SELL = 1, -1


@pytest.fixture
def book():
    return OrderBook(90, 110)


def fills(book):
    return [book.fill(index) for index in range(book.fills())]


def test_an_empty_book_has_no_best_price_and_no_depth(book):
    assert (book.best(BUY), book.best(SELL)) == (-1, -1)
    assert book.depth(BUY, 5) == book.depth(SELL, 5) == []
    assert book.quantity_at(BUY, 100) == 0


@pytest.mark.parametrize(("low", "high"), [(-1, 10), (10, 9)])
def test_a_band_that_is_empty_or_below_zero_is_no_band(low, high):
    with pytest.raises(ValueError, match="band"):
        OrderBook(low, high)


def test_a_band_of_one_tick_trades_at_that_tick():
    book = OrderBook(0, 0)
    assert book.limit(1, SELL, 0, 5) == 0
    assert (book.best(SELL), book.best(BUY)) == (0, -1)
    assert book.limit(2, BUY, 0, 8) == 5
    assert (book.best(SELL), book.best(BUY)) == (-1, 0)


def test_orders_at_one_price_trade_in_the_order_they_came(book):
    book.limit(1, SELL, 101, 10)
    book.limit(2, SELL, 101, 20)
    assert book.limit(3, BUY, 101, 15) == 15
    assert fills(book) == [(1, 3, 101, 10), (2, 3, 101, 5)]
    assert (book.remaining(1), book.remaining(2), book.remaining(3)) == (0, 15, 0)


def test_the_better_price_trades_first_whatever_came_first(book):
    book.limit(1, SELL, 103, 10)
    book.limit(2, SELL, 101, 10)
    book.limit(3, SELL, 102, 10)
    assert book.limit(4, BUY, 103, 25) == 25
    assert fills(book) == [(2, 4, 101, 10), (3, 4, 102, 10), (1, 4, 103, 5)]


def test_a_trade_is_at_the_price_of_the_order_that_rested(book):
    book.limit(1, BUY, 105, 10)
    book.limit(2, SELL, 95, 10)
    assert fills(book) == [(1, 2, 105, 10)]


def test_what_a_limit_order_cannot_trade_rests_at_its_price(book):
    book.limit(1, SELL, 101, 10)
    assert book.limit(2, BUY, 102, 30) == 10
    assert book.depth(BUY, 5) == [(102, 20, 1)]
    assert book.best(SELL) == -1


def test_prices_that_do_not_meet_do_not_trade(book):
    book.limit(1, SELL, 101, 10)
    assert book.limit(2, BUY, 100, 10) == 0
    assert (book.best(BUY), book.best(SELL), book.fills()) == (100, 101, 0)


def test_an_ioc_order_never_rests(book):
    book.limit(1, SELL, 101, 10)
    assert book.limit(2, BUY, 101, 30, 0, IOC) == 10
    assert (book.remaining(2), book.best(BUY)) == (0, -1)


def test_a_fok_order_trades_all_or_nothing(book):
    book.limit(1, SELL, 101, 10)
    book.limit(2, SELL, 102, 10)
    assert book.limit(3, BUY, 101, 11, 0, FOK) == 0
    assert book.limit(4, BUY, 102, 21, 0, FOK) == 0
    assert (book.fills(), book.quantity_at(SELL, 101)) == (0, 10)
    assert book.limit(5, BUY, 102, 20, 0, FOK) == 20
    assert book.best(SELL) == -1


def test_a_fok_order_counts_the_hidden_quantity_it_would_reach(book):
    book.limit(1, SELL, 101, 30, 0, DAY, 10)
    assert book.limit(2, BUY, 101, 30, 0, FOK) == 30


def test_a_fok_order_does_not_count_what_stands_behind_an_order_of_its_owner(book):
    book.limit(1, SELL, 101, 30, 7, DAY, 10)
    book.limit(2, SELL, 101, 10, 8)
    assert book.limit(3, BUY, 101, 11, 8, FOK) == 0
    assert book.limit(4, BUY, 101, 10, 8, FOK) == 10


def test_a_market_order_sweeps_the_book_and_drops_its_rest(book):
    book.limit(1, BUY, 95, 10)
    book.limit(2, BUY, 100, 10)
    assert book.market(3, SELL, 50) == 20
    assert fills(book) == [(2, 3, 100, 10), (1, 3, 95, 10)]
    assert (book.remaining(3), book.best(SELL)) == (0, -1)


def test_a_market_order_stops_at_its_protection(book):
    for order, price in enumerate((101, 102, 103), 1):
        book.limit(order, SELL, price, 10)
    assert book.market(4, BUY, 25, 0, 102) == 20
    assert (book.best(BUY), book.best(SELL)) == (-1, 103)


def test_a_protected_market_order_may_rest_as_a_limit_order_at_its_protection(book):
    book.limit(1, SELL, 101, 10)
    assert book.market(2, BUY, 25, 0, 102, True) == 10
    assert book.depth(BUY, 5) == [(102, 15, 1)]


def test_an_unprotected_market_order_may_rest_at_the_edge_of_the_band(book):
    book.market(1, BUY, 5, rest=True)
    book.market(2, SELL, 8, rest=True)
    assert fills(book) == [(1, 2, 110, 5)]
    assert book.depth(SELL, 5) == [(90, 3, 1)]


def test_a_cancelled_order_leaves_its_neighbours_in_place(book):
    for order in (1, 2, 3):
        book.limit(order, BUY, 100, 10)
    assert book.cancel(2) == 10
    assert book.cancel(2) == BookRefusal.UNKNOWN_ORDER
    assert (book.ahead(1), book.ahead(2), book.ahead(3)) == (0, -1, 10)
    book.limit(4, SELL, 100, 20)
    assert fills(book) == [(1, 4, 100, 10), (3, 4, 100, 10)]


def test_cancelling_the_best_order_uncovers_the_next_price_across_the_whole_band():
    book = OrderBook(0, 100_000)
    book.limit(1, BUY, 99_999, 1)
    book.limit(2, BUY, 0, 1)
    book.limit(3, SELL, 100_000, 1)
    book.cancel(1)
    assert (book.best(BUY), book.best(SELL)) == (0, 100_000)


def test_less_quantity_at_the_same_price_keeps_its_place(book):
    book.limit(1, BUY, 100, 10)
    book.limit(2, BUY, 100, 10)
    assert book.modify(1, 100, 4) == 0
    assert (book.ahead(2), book.quantity_at(BUY, 100)) == (4, 14)
    book.limit(3, SELL, 100, 5)
    assert fills(book) == [(1, 3, 100, 4), (2, 3, 100, 1)]


def test_the_same_quantity_at_the_same_price_keeps_its_place(book):
    book.limit(1, BUY, 100, 10)
    book.limit(2, BUY, 100, 10)
    assert book.modify(1, 100, 10) == 0
    assert book.ahead(1) == 0


def test_more_quantity_goes_to_the_end_of_the_queue(book):
    book.limit(1, BUY, 100, 10)
    book.limit(2, BUY, 100, 10)
    assert book.modify(1, 100, 11) == 0
    assert (book.ahead(1), book.ahead(2)) == (10, 0)


def test_another_price_and_back_goes_to_the_end_of_the_queue(book):
    book.limit(1, BUY, 100, 10)
    book.limit(2, BUY, 100, 10)
    book.modify(1, 99, 10)
    assert book.best(BUY) == 100
    book.modify(1, 100, 10)
    assert (book.ahead(1), book.ahead(2)) == (10, 0)


def test_a_modified_order_trades_where_its_new_price_crosses(book):
    book.limit(1, BUY, 95, 10)
    book.limit(2, SELL, 101, 4)
    assert book.modify(1, 101, 10) == 4
    assert fills(book) == [(2, 1, 101, 4)]
    assert book.depth(BUY, 5) == [(101, 6, 1)]


def test_a_modified_order_that_trades_whole_is_gone(book):
    book.limit(1, SELL, 105, 10)
    book.limit(2, BUY, 100, 10)
    assert book.modify(1, 100, 10) == 10
    assert (book.remaining(1), book.best(SELL), book.best(BUY)) == (0, -1, -1)


def test_an_iceberg_shows_its_peak_and_rejoins_the_queue_behind_the_others(book):
    book.limit(1, SELL, 101, 25, 0, DAY, 10)
    book.limit(2, SELL, 101, 10)
    assert book.depth(SELL, 5) == [(101, 20, 2)]
    assert (book.remaining(1), book.quantity_at(SELL, 101)) == (25, 20)
    assert book.limit(3, BUY, 101, 32) == 32
    assert fills(book) == [(1, 3, 101, 10), (2, 3, 101, 10), (1, 3, 101, 10), (1, 3, 101, 2)]
    assert book.depth(SELL, 5) == [(101, 3, 1)]


def test_a_reduced_iceberg_gives_up_its_hidden_quantity_first(book):
    book.limit(1, SELL, 101, 25, 0, DAY, 10)
    book.limit(2, SELL, 101, 5)
    book.modify(1, 101, 12)
    assert (book.remaining(1), book.ahead(2)) == (12, 10)
    book.modify(1, 101, 6)
    assert (book.remaining(1), book.ahead(2)) == (6, 6)


def test_an_iceberg_that_moves_shows_its_peak_at_the_new_price(book):
    book.limit(1, SELL, 101, 25, 0, DAY, 10)
    book.modify(1, 102, 30)
    assert (book.depth(SELL, 5), book.remaining(1)) == ([(102, 10, 1)], 30)
    assert book.cancel(1) == 30


def test_an_order_about_to_trade_with_its_owner_loses_its_rest(book):
    book.limit(1, SELL, 101, 10, 5)
    book.limit(2, SELL, 101, 10, 6)
    assert book.limit(3, BUY, 101, 15, 6) == 10
    assert (book.remaining(3), book.remaining(2), book.best(BUY)) == (0, 10, -1)
    assert fills(book) == [(1, 3, 101, 10)]


def test_a_modified_order_about_to_trade_with_its_owner_loses_its_rest(book):
    book.limit(1, SELL, 101, 10, 6)
    book.limit(2, BUY, 95, 10, 6)
    assert book.modify(2, 101, 10) == 0
    assert (book.remaining(1), book.remaining(2)) == (10, 0)


def test_orders_of_nobody_trade_with_each_other(book):
    book.limit(1, SELL, 101, 10)
    assert book.limit(2, BUY, 101, 10) == 10


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ((0, BUY, 100, 1), BookRefusal.BAD_ID),
        ((-5, BUY, 100, 1), BookRefusal.BAD_ID),
        ((MAX_ID + 1, BUY, 100, 1), BookRefusal.BAD_ID),
        ((1, BUY, 100, 1), BookRefusal.USED_ID),
        ((3, 0, 100, 1), BookRefusal.BAD_SIDE),
        ((3, 2, 100, 1), BookRefusal.BAD_SIDE),
        ((3, BUY, 89, 1), BookRefusal.OFF_BAND),
        ((3, SELL, 111, 1), BookRefusal.OFF_BAND),
        ((3, BUY, 100, 0), BookRefusal.BAD_QUANTITY),
        ((3, BUY, 100, -1), BookRefusal.BAD_QUANTITY),
        ((3, BUY, 100, MAX_QUANTITY + 1), BookRefusal.BAD_QUANTITY),
        ((3, BUY, 100, 1, -1), BookRefusal.BAD_OWNER),
        ((3, BUY, 100, 1, MAX_ID + 1), BookRefusal.BAD_OWNER),
        ((3, BUY, 100, 1, 0, 3), BookRefusal.BAD_VALIDITY),
        ((3, BUY, 100, 1, 0, -1), BookRefusal.BAD_VALIDITY),
        ((3, BUY, 100, 9, 0, DAY, 10), BookRefusal.BAD_DISCLOSED),
        ((3, BUY, 100, 9, 0, DAY, -1), BookRefusal.BAD_DISCLOSED),
    ],
)
def test_a_refused_order_leaves_the_book_as_it_was(book, order, code):
    book.limit(1, BUY, 95, 10)
    book.limit(2, SELL, 105, 10)
    assert book.limit(*order) == code
    assert (book.depth(BUY, 9), book.depth(SELL, 9), book.fills()) == (
        [(95, 10, 1)],
        [(105, 10, 1)],
        0,
    )
    assert book.limit(3, BUY, 100, 1) == 0


def test_an_id_stays_used_after_its_order_is_gone(book):
    book.limit(1, SELL, 101, 10)
    book.limit(2, BUY, 101, 10)
    book.limit(3, BUY, 90, 10, 0, IOC)
    book.limit(4, BUY, 90, 10, 0, FOK)
    book.limit(5, BUY, 90, 10)
    book.cancel(5)
    for order in range(1, 6):
        assert book.limit(order, BUY, 100, 1) == BookRefusal.USED_ID
        assert book.market(order, BUY, 1) == BookRefusal.USED_ID


def test_a_bad_market_order_is_refused(book):
    assert book.market(1, BUY, 0) == BookRefusal.BAD_QUANTITY
    assert book.market(1, 0, 5) == BookRefusal.BAD_SIDE
    assert book.market(1, BUY, 5, 0, 111) == BookRefusal.OFF_BAND
    assert book.market(1, BUY, 5, 0, -2) == BookRefusal.OFF_BAND
    assert book.market(1, BUY, 5) == 0


def test_a_bad_modification_leaves_the_order_alone(book):
    book.limit(1, BUY, 100, 10)
    book.limit(2, BUY, 100, 10)
    assert book.modify(1, 111, 10) == BookRefusal.OFF_BAND
    assert book.modify(1, 100, 0) == BookRefusal.BAD_QUANTITY
    assert book.modify(1, 100, MAX_QUANTITY + 1) == BookRefusal.BAD_QUANTITY
    assert book.modify(9, 100, 10) == BookRefusal.UNKNOWN_ORDER
    assert (book.remaining(1), book.ahead(2)) == (10, 10)


@pytest.mark.parametrize("order", [0, -1, 5, MAX_ID, MAX_ID + 1])
def test_an_order_that_never_was_is_unknown(book, order):
    assert book.cancel(order) == BookRefusal.UNKNOWN_ORDER
    assert (book.remaining(order), book.ahead(order)) == (0, -1)


def test_a_level_holds_more_than_one_32_bit_number_can_count(book):
    for order in (1, 2, 3):
        book.limit(order, BUY, 100, MAX_QUANTITY)
    assert book.quantity_at(BUY, 100) == 3 * MAX_QUANTITY
    assert book.ahead(3) == 2 * MAX_QUANTITY


def test_depth_gives_the_best_levels_first_and_no_more_than_asked(book):
    for order, price in enumerate((100, 98, 99, 98), 1):
        book.limit(order, BUY, price, order)
    assert book.depth(BUY, 2) == [(100, 1, 1), (99, 3, 1)]
    assert book.depth(BUY, 9) == [(100, 1, 1), (99, 3, 1), (98, 6, 2)]
    assert book.depth(BUY, 0) == []


def test_cleared_fills_are_forgotten_and_new_ones_counted_from_zero(book):
    book.limit(1, SELL, 101, 10)
    book.limit(2, BUY, 101, 4)
    book.clear()
    assert book.fills() == 0
    with pytest.raises(IndexError):
        book.fill(0)
    book.limit(3, BUY, 101, 5)
    assert fills(book) == [(1, 3, 101, 5)]
    with pytest.raises(IndexError):
        book.fill(-1)


def test_a_packed_buffer_does_what_the_single_calls_do(book):
    pack = struct.Struct("<BBHIii").pack
    stream = [
        pack(1, 1, 0, 1, 101, 10),
        pack(1, 1, 40_000, 2, 102, 10),
        pack(1, 0, 0, 3, 95, 10),
        pack(4, 0, 0, 4, 101, 3),
        pack(3, 0, 0, 3, 101, 4),
        pack(6, 0, 0, 5, 102, 99),
        pack(4, 0, 40_000, 6, 102, 9),
        pack(2, 0, 0, 3, 0, 0),
        pack(2, 1, 0, 9, 0, 0),
        pack(9, 1, 0, 9, 0, 0),
        pack(1, 1, 0, 1, 100, 1),
        pack(5, 0, 0, 7, 0, 5),
    ]
    assert book.run(b"".join(stream)) == 4
    assert fills(book) == [(1, 4, 101, 3), (1, 3, 101, 4), (1, 6, 101, 3), (2, 7, 102, 5)]
    assert book.depth(SELL, 5) == [(102, 5, 1)]
    with pytest.raises(ValueError, match="whole number"):
        book.run(b"".join(stream)[:-1])


def test_a_long_run_uses_the_same_records_again():
    rng = random.Random(3)
    book = OrderBook(1000, 1100)
    live: list[int] = []
    for order in range(1, 60_001):
        side = rng.choice((BUY, SELL))
        book.limit(
            order,
            side,
            1050 - side * rng.randint(-2, 20),
            rng.randint(1, 50),
            0,
            rng.choice((DAY, DAY, IOC)),
        )
        live.append(order)
        if len(live) > 200:
            book.cancel(live.pop(rng.randrange(len(live))))
        book.clear()
    assert book._top // 8 - 1 <= 201
    assert len(book._orders) <= 8 * 256
    assert 60_001 <= len(book._index) <= 120_002
    assert len(book._fills) <= 4 * 64
