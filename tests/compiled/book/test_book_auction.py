"""Call auctions: hand-worked examples, and any crowd of orders against a search of every price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.book.order_book import DAY, FOK, IOC, BookRefusal, OrderBook
from tests.reference.book import clearing

BUY, SELL = 1, -1
LOW, HIGH = 95, 105


@pytest.fixture
def book():
    book = OrderBook(LOW, HIGH)
    book.collect()
    return book


def fills(book):
    return [book.fill(index) for index in range(book.fills())]


def test_orders_of_a_call_phase_rest_though_they_cross(book):
    assert book.limit(1, BUY, 103, 10) == 0
    assert book.limit(2, SELL, 98, 10) == 0
    assert (book.best(BUY), book.best(SELL), book.fills()) == (103, 98, 0)
    assert (book.quantity_at(BUY, 103), book.quantity_at(SELL, 98)) == (10, 10)


def test_the_price_with_the_most_volume_wins():
    book = OrderBook(100, 110)
    book.collect()
    schedule = {
        103: (13_500, 11_500),
        104: (9_500, 9_800),
        105: (12_000, 15_000),
        106: (6_500, 12_000),
    }
    order = 0
    for price, (bought, sold) in schedule.items():
        book.limit(order + 1, BUY, price, bought)
        book.limit(order + 2, SELL, price, sold)
        order += 2
    # demand 41,500 28,000 18,500 6,500; supply 11,500 21,300 36,300 48,300: 21,300 trade at 104,
    # 6,700 short of sellers
    assert book.indicative(103) == (104, 21_300, 6_700)
    assert book.uncross(103) == (104, 21_300)


def test_of_equal_volumes_the_smaller_imbalance_wins(book):
    book.limit(1, BUY, 103, 10)
    book.limit(2, BUY, 100, 5)
    book.limit(3, SELL, 100, 10)
    # at 100 buyers want 15, at 103 they want 10
    assert book.indicative(95) == (103, 10, 0)


def test_of_equal_imbalances_the_price_nearest_to_the_reference_wins(book):
    book.limit(1, BUY, 103, 10)
    book.limit(2, SELL, 98, 10)
    assert book.indicative(102) == (103, 10, 0)
    assert book.indicative(99) == (98, 10, 0)


def test_of_equally_near_prices_the_lower_wins(book):
    book.limit(1, BUY, 103, 10)
    book.limit(2, SELL, 99, 10)
    assert book.indicative(101) == (99, 10, 0)


def test_market_orders_alone_trade_at_the_reference(book):
    book.market(1, BUY, 30)
    book.market(2, SELL, 20)
    assert book.indicative(101) == (101, 20, 10)
    assert book.uncross(101) == (101, 20)
    assert fills(book) == [(1, 2, 101, 20)]
    assert book.depth(BUY, 5) == [(101, 10, 1)]


def test_market_orders_alone_have_no_price_without_a_reference_in_the_band(book):
    book.market(1, BUY, 30)
    book.market(2, SELL, 20)
    assert book.indicative(94) == (-1, 0, 10)
    assert book.uncross(94) == (-1, 0)
    assert (book.remaining(1), book.remaining(2), book.fills()) == (0, 0, 0)
    assert book.limit(1, BUY, 100, 5) == BookRefusal.USED_ID


def test_orders_that_do_not_meet_have_no_price(book):
    book.limit(1, BUY, 99, 10)
    book.limit(2, SELL, 100, 30)
    assert book.indicative(99) == (-1, 0, -20)
    assert book.uncross(99) == (-1, 0)
    assert (book.best(BUY), book.best(SELL)) == (99, 100)


def test_market_orders_trade_before_limit_orders_and_those_by_price_then_time(book):
    book.limit(1, BUY, 101, 10)
    book.limit(2, BUY, 102, 10)
    book.limit(3, BUY, 101, 10)
    book.market(4, BUY, 10)
    book.limit(5, SELL, 101, 35)
    assert book.uncross(101) == (101, 35)
    assert fills(book) == [(4, 5, 101, 10), (2, 5, 101, 10), (1, 5, 101, 10), (3, 5, 101, 5)]
    assert book.depth(BUY, 5) == [(101, 5, 1)]


def test_a_market_order_left_over_rests_at_the_price_of_the_auction(book):
    book.market(1, SELL, 30)
    book.limit(2, BUY, 99, 10)
    assert book.uncross(100) == (99, 10)
    assert book.depth(SELL, 5) == [(99, 20, 1)]
    assert book.best(BUY) == -1


def test_a_market_order_that_met_nobody_rests_at_the_reference(book):
    book.market(1, BUY, 30)
    assert book.uncross(100) == (-1, 0)
    assert book.depth(BUY, 5) == [(100, 30, 1)]


def test_market_orders_waiting_are_in_nobodys_depth(book):
    book.market(1, BUY, 30)
    assert (book.best(BUY), book.depth(BUY, 5), book.remaining(1)) == (-1, [], 30)
    book.limit(2, BUY, 99, 10)
    assert (book.best(BUY), book.depth(BUY, 5)) == (99, [(99, 10, 1)])


def test_a_protected_market_order_waits_at_its_protection(book):
    book.market(1, BUY, 30, 0, 102)
    assert book.depth(BUY, 5) == [(102, 30, 1)]


def test_a_waiting_market_order_can_be_cancelled_or_become_a_limit_order(book):
    book.market(1, BUY, 30)
    book.market(2, BUY, 20)
    assert book.cancel(1) == 30
    assert book.modify(2, 100, 20) == 0
    assert book.depth(BUY, 5) == [(100, 20, 1)]


def test_a_modification_in_a_call_phase_does_not_trade(book):
    book.limit(1, BUY, 96, 10)
    book.limit(2, SELL, 100, 10)
    assert book.modify(1, 105, 12) == 0
    assert (book.fills(), book.indicative(103)) == (0, (105, 10, 2))


def test_orders_that_cannot_wait_are_refused_in_a_call_phase(book):
    assert book.limit(1, BUY, 100, 10, 0, IOC) == BookRefusal.NOT_IN_AUCTION
    assert book.limit(1, BUY, 100, 10, 0, FOK) == BookRefusal.NOT_IN_AUCTION
    assert book.limit(1, BUY, 100, 10, 0, DAY, 5) == BookRefusal.NOT_IN_AUCTION
    assert book.limit(1, BUY, 100, 10) == 0


def test_an_iceberg_carried_into_an_auction_counts_whole():
    book = OrderBook(LOW, HIGH)
    book.limit(1, SELL, 101, 50, 0, DAY, 10)
    book.collect()
    assert book.depth(SELL, 5) == [(101, 50, 1)]
    book.limit(2, BUY, 101, 45)
    assert book.uncross(100) == (101, 45)
    assert fills(book) == [(2, 1, 101, 45)]
    assert book.remaining(1) == 5


def test_an_iceberg_modified_in_a_call_phase_shows_its_whole_quantity():
    book = OrderBook(LOW, HIGH)
    book.limit(1, SELL, 101, 50, 0, DAY, 10)
    book.collect()
    book.modify(1, 102, 60)
    assert book.depth(SELL, 5) == [(102, 60, 1)]
    assert book.limit(2, BUY, 102, 60) == 0
    assert book.uncross(102) == (102, 60)


def test_an_iceberg_that_is_gone_adds_nothing_to_an_auction():
    book = OrderBook(LOW, HIGH)
    book.limit(1, SELL, 101, 50, 0, DAY, 10)
    book.cancel(1)
    book.collect()
    assert book.quantity_at(SELL, 101) == 0
    assert book.indicative(101) == (-1, 0, 0)


def test_trading_is_continuous_again_after_the_auction(book):
    book.limit(1, BUY, 103, 10)
    book.limit(2, SELL, 98, 4)
    book.uncross(100)
    assert book.limit(3, SELL, 99, 4) == 4
    assert fills(book)[-1] == (1, 3, 103, 4)


def test_outside_a_call_phase_there_is_nothing_to_uncross():
    book = OrderBook(LOW, HIGH)
    book.limit(1, BUY, 99, 10, 0, DAY, 2)
    book.limit(2, SELL, 101, 10)
    assert book.indicative(100)[:2] == (-1, 0)
    assert book.uncross(100) == (-1, 0)
    assert (book.depth(BUY, 5), book.depth(SELL, 5)) == ([(99, 2, 1)], [(101, 10, 1)])


crowds = st.lists(
    st.tuples(
        st.sampled_from((BUY, SELL)),
        st.one_of(st.none(), st.integers(LOW, HIGH)),
        st.integers(1, 20),
    ),
    max_size=14,
)


@given(crowds, st.integers(LOW, HIGH))
def test_any_crowd_clears_as_a_search_of_every_price_says(crowd, reference):
    book = OrderBook(LOW, HIGH)
    book.collect()
    for order, (side, price, quantity) in enumerate(crowd, 1):
        taken = (
            book.market(order, side, quantity)
            if price is None
            else book.limit(order, side, price, quantity)
        )
        assert taken == 0
    buys = [(price, quantity) for side, price, quantity in crowd if side == BUY]
    sells = [(price, quantity) for side, price, quantity in crowd if side == SELL]
    price, quantity, imbalance = clearing(buys, sells, reference)
    assert book.indicative(reference) == (price, quantity, imbalance)
    assert book.uncross(reference) == (price, quantity)

    traded = dict.fromkeys(range(1, len(crowd) + 1), 0)
    for buyer, seller, tick, shares in fills(book):
        assert (crowd[buyer - 1][0], crowd[seller - 1][0], tick) == (BUY, SELL, price)
        traded[buyer] += shares
        traded[seller] += shares
    for side in (BUY, SELL):
        queue = [(crowd[order - 1], order) for order in traded if crowd[order - 1][0] == side]
        queue.sort(key=lambda row: (row[0][1] is not None, -side * (row[0][1] or 0), row[1]))
        left = quantity
        for (_, _, size), order in queue:
            assert traded[order] == min(size, left)
            left -= traded[order]
        assert left == 0
    for order, (_, _, size) in enumerate(crowd, 1):
        assert book.remaining(order) == size - traded[order]
    assert book.best(SELL) == -1 or book.best(BUY) < book.best(SELL)


def test_a_wider_band_keeps_the_market_orders_of_an_auction_ahead_of_all_others():
    told = []
    for wider in (False, True):
        book = OrderBook(90, 110)
        book.collect()
        book.limit(1, 1, 105, 10)
        book.market(2, 1, 30)
        book.market(3, -1, 25)
        book.limit(4, -1, 100, 10)
        if wider:
            book.widen(50, 300)
        book.limit(5, -1, 95, 7)
        told.append(
            (
                book.indicative(100),
                book.uncross(100),
                [book.fill(n) for n in range(book.fills())],
                book.depth(1, 9),
            )
        )
    assert told[0] == told[1]
    assert told[0][2][0][0] == 2


@pytest.mark.parametrize("band", [(91, 200), (0, 109), (-1, 110), (90, 1_000_000_001)])
def test_a_band_only_widens(band):
    with pytest.raises(ValueError, match="no wider price band"):
        OrderBook(90, 110).widen(*band)
