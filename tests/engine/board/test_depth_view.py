"""The book, the trades, and our place in the queue, of the instrument that is looked at."""

from types import SimpleNamespace

import pytest

from compiled.market_data.depth_block import pack_depth
from compiled.model.values import OrderStatus, Side, Tick
from engine.board.depth_view import DepthView, DepthViews
from engine.board_rows import Board, BoardFocus
from engine.board_writer import BoardWriter

TOKEN, OTHER = 738_561, 408_065
BIDS = [(100.0, 50, 3), (99.95, 80, 4)]
ASKS = [(100.1, 70, 2)]


class Bench:
    """A view over ticks, with orders of ours that a test changes."""

    def __init__(self):
        self.board = Board("SANDBOX")
        self.orders = []
        self.view = DepthView(BoardWriter(self.board), self.board.focus, lambda: self.orders)
        self.board.focus.look_at(TOKEN, 60)
        self.volume = 1_000

    def tick(self, ltp=100.0, traded=0, bids=BIDS, asks=ASKS, token=TOKEN):
        self.volume += traded
        depth = pack_depth(token, bids, asks) if bids or asks else b""
        self.view.take_ticks([Tick(token, 7, ltp, self.volume, depth=depth)])

    def order(self, price, quantity=10, intent=1, side=Side.BUY, **changes):
        order = SimpleNamespace(
            intent=intent,
            token=TOKEN,
            side=side,
            price=price,
            quantity=quantity,
            filled=0,
            status=OrderStatus.OPEN,
        )
        vars(order).update(changes)
        self.orders.append(order)
        return order

    def level(self, key):
        return next(row for row in self.board.depth.rows if row.key == key)


@pytest.fixture
def bench():
    return Bench()


def test_the_book_of_the_charted_instrument_is_shown_and_no_other(bench):
    bench.tick(token=OTHER)
    assert bench.board.depth.rows == []
    bench.tick()
    assert [(row.key, row.price, row.quantity, row.orders) for row in bench.board.depth.rows] == [
        ("bid-1", 100.0, 50, 3),
        ("bid-2", 99.95, 80, 4),
        *((f"bid-{n}", 0.0, 0, 0) for n in (3, 4, 5)),
        ("ask-1", 100.1, 70, 2),
        *((f"ask-{n}", 0.0, 0, 0) for n in (2, 3, 4, 5)),
    ]
    # A packet without depth leaves the book as it is.
    bench.tick(bids=[], asks=[])
    assert bench.level("bid-1").quantity == 50
    bench.board.focus.look_at(OTHER, 60)
    bench.view.take_ticks([])
    assert bench.board.depth.rows == []


def test_trades_are_told_by_what_they_came_to(bench):
    bench.tick()
    bench.tick(100.1, 5)
    bench.tick(100.0, 7)
    bench.tick(100.05, 2)
    bench.tick(100.0)
    assert [(row.price, row.quantity, row.side) for row in bench.board.tape] == [
        (100.1, 5, "BUY"),
        (100.0, 7, "SELL"),
        (100.05, 2, ""),
    ]


def test_a_volume_that_dips_is_no_trade_and_no_second_one_when_it_is_back(bench):
    bench.tick()
    bench.tick(traded=-30)
    bench.tick(traded=30)
    assert not bench.board.tape
    bench.tick(traded=4)
    assert [row.quantity for row in bench.board.tape] == [4]


def test_our_place_is_behind_what_stood_there_less_what_has_traded(bench):
    bench.order(100.0)
    # 60 stand there with our 10: 50 ahead of them.
    bench.tick(bids=[(100.0, 60, 4)])
    assert (bench.level("bid-1").own, bench.level("bid-1").ahead) == (10, 50)
    bench.tick(100.0, 20, bids=[(100.0, 40, 3)])
    assert bench.level("bid-1").ahead == 30
    # Others come behind us: our place is what it was.
    bench.tick(bids=[(100.0, 200, 9)])
    assert bench.level("bid-1").ahead == 30
    # So many have cancelled that some of them were ahead.
    bench.tick(bids=[(100.0, 25, 2)])
    assert bench.level("bid-1").ahead == 15
    # A trade elsewhere takes nobody from this queue.
    bench.tick(100.1, 9, bids=[(100.0, 25, 2)])
    assert bench.level("bid-1").ahead == 15
    bench.tick(100.0, 900, bids=[(100.0, 25, 2)])
    assert bench.level("bid-1").ahead == 0


def test_an_order_below_the_book_has_no_place_until_it_is_seen(bench):
    order = bench.order(99.5)
    bench.tick()
    assert all(row.own == 0 for row in bench.board.depth.rows)
    bench.tick(bids=[(99.55, 5, 1), (99.5, 40, 2)])
    assert (bench.level("bid-2").own, bench.level("bid-2").ahead) == (10, 30)
    # Out of sight and back: it has not lost what it had.
    bench.tick(99.5, 12, bids=[(99.6, 5, 1)])
    bench.tick(bids=[(99.5, 40, 2)])
    assert bench.level("bid-1").ahead == 18
    # At another price it is at the end again.
    order.price = 99.6
    bench.tick(bids=[(99.6, 33, 2), (99.5, 30, 2)])
    assert (bench.level("bid-1").ahead, bench.level("bid-2").own) == (23, 0)


def test_of_several_at_a_price_the_first_is_told_and_ended_ones_are_not(bench):
    first = bench.order(100.0, intent=1)
    bench.tick(bids=[(100.0, 30, 2)])
    bench.order(100.0, intent=2, quantity=5)
    bench.order(100.0, intent=3, side=Side.SELL)
    bench.tick(bids=[(100.0, 45, 4)])
    assert (bench.level("bid-1").own, bench.level("bid-1").ahead) == (15, 20)
    first.status = OrderStatus.COMPLETE
    bench.tick(bids=[(100.0, 35, 3)])
    assert (bench.level("bid-1").own, bench.level("bid-1").ahead) == (5, 30)


def test_each_screen_has_the_book_of_what_it_looks_at_and_keeps_its_tape():
    board = Board("SANDBOX")
    board.focus.look_at(TOKEN, 60)
    first, second = BoardFocus(), BoardFocus()
    first.look_at(OTHER, 60)
    board.lookers = (first,)
    views = DepthViews(BoardWriter(board), list)

    def tick(token, volume):
        views.take_ticks([Tick(token, 7, 100.0, volume, depth=pack_depth(token, BIDS, ASKS))])

    tick(TOKEN, 5)
    assert (len(board.depth.rows), len(first.depth.rows)) == (10, 0)
    tick(OTHER, 5)
    tick(OTHER, 8)
    second.look_at(OTHER, 60)
    board.lookers = (first, second)
    tick(OTHER, 9)
    assert [row.quantity for row in first.tape] == [3, 1]
    assert [row.key for row in second.depth.rows][:2] == ["bid-1", "bid-2"]
    board.lookers = (second,)
    tick(OTHER, 11)
    assert [row.quantity for row in first.tape] == [3, 1]
    assert [row.quantity for row in second.tape] == [2]
