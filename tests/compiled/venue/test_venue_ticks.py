"""Fills against ticks, rule by rule: the numbers in the names are those of docs/fills.md."""

from compiled.model.events import BrokerAnswer, BrokerTrade, OrderUpdate, RequestOutcome
from compiled.model.values import NEVER, Instrument, OrderStatus, OrderType, Side, Tick, Validity
from compiled.venue.slippage import FixedTicks, VolumeShare
from tests.reference.exchange import OPEN, TOKEN, Exchange

BIDS = [(99.95, 300), (99.9, 500), (99.85, 700), (99.8, 900), (99.75, 1_100)]
ASKS = [(100.0, 200), (100.05, 400), (100.1, 600), (100.15, 800), (100.2, 1_000)]
MS = 1_000_000


def test_16_an_order_first_meets_the_tick_after_its_arrival():
    exchange = Exchange()
    exchange.tick(100.0, 10, BIDS, ASKS)
    exchange.order(Side.BUY, 100)
    assert exchange.trades() == []
    assert exchange.tick(100.05, 10, BIDS, [(100.05, 400)]) == [(100, 100.05)]


def test_16_a_request_takes_its_time_and_so_does_its_answer():
    exchange = Exchange(to_exchange=5 * MS, from_exchange=2 * MS)
    exchange.tick(100.0, 10, BIDS, ASKS, ts=OPEN)
    exchange.order(Side.BUY, 100)
    assert exchange.tick(100.0, 10, BIDS, [(100.0, 500)], ts=OPEN + 4 * MS) == []
    exchange.venue.meet_tick(Tick(TOKEN, OPEN + 6 * MS, 100.0, 30, ask=100.05, ask_quantity=500))
    assert exchange.venue.due == OPEN + 7 * MS
    answer, update, trade = exchange.events()
    assert (answer.ts, update.ts) == (OPEN + 7 * MS, OPEN + 8 * MS)
    assert (trade.ts, trade.price) == (OPEN + 6 * MS, 100.05)


def test_16_advance_lets_requests_arrive_without_a_tick():
    exchange = Exchange(to_exchange=5 * MS)
    exchange.order(Side.BUY, 100)
    exchange.venue.advance(OPEN + 5 * MS - 1)
    assert exchange.venue.due == NEVER
    exchange.venue.advance(OPEN + 5 * MS)
    (answer,) = exchange.events()
    assert isinstance(answer, BrokerAnswer)
    assert (answer.ts, answer.outcome) == (OPEN + 5 * MS, RequestOutcome.ACCEPTED)


def test_17_a_marketable_order_walks_the_visible_depth_level_by_level():
    exchange = Exchange()
    exchange.tick(100.0, 0, BIDS, ASKS)
    exchange.order(Side.BUY, 1_000)
    assert exchange.tick(100.0, 0, BIDS, ASKS) == [(200, 100.0), (400, 100.05), (400, 100.1)]


def test_17_a_limit_order_takes_no_level_beyond_its_limit_and_rests_with_what_is_left():
    exchange = Exchange()
    exchange.order(Side.BUY, 1_000, OrderType.LIMIT, 100.05)
    assert exchange.tick(100.0, 0, BIDS, ASKS) == [(200, 100.0), (400, 100.05)]
    # traded through: it is the best bid now, and meets the 50 that were sold
    assert exchange.tick(100.0, 50, BIDS, ASKS[2:]) == [(50, 100.05)]


def test_17_what_the_visible_depth_cannot_fill_takes_again_with_the_next_tick():
    exchange = Exchange()
    exchange.order(Side.BUY, 5_000, protection=5.0)
    assert sum(quantity for quantity, _ in exchange.tick(100.0, 0, BIDS, ASKS)) == 3_000
    assert exchange.tick(100.1, 0, BIDS, [(100.1, 600), (100.15, 5_000)]) == [
        (600, 100.1),
        (1_400, 100.15),
    ]


def test_17_two_orders_of_ours_do_not_take_the_same_shares():
    exchange = Exchange()
    exchange.order(Side.SELL, 300)
    exchange.order(Side.SELL, 300)
    assert exchange.tick(100.0, 0, BIDS, ASKS) == [(300, 99.95), (300, 99.9)]


def test_17_a_market_order_stops_at_its_protection_from_the_last_price():
    exchange = Exchange()
    exchange.tick(600.0, 10)
    exchange.order(Side.BUY, 1_000)
    # 0.5 % of 600, the price before the tick: 603
    asks = [(602.0, 100), (603.0, 100), (603.05, 1_000)]
    assert exchange.tick(602.0, 10, [(601.0, 10)], asks) == [(100, 602.0), (100, 603.0)]
    assert exchange.tick(603.0, 900, [(603.0, 10)], [(603.05, 1_000)]) == [(800, 603.0)]


def test_17_with_nobody_on_the_other_side_a_market_order_rests_at_its_protection():
    exchange = Exchange()
    exchange.tick(600.0, 10)
    exchange.order(Side.BUY, 100)
    assert exchange.tick(603.0, 10, [(603.0, 50_000)], []) == []
    assert exchange.tick(603.0, 50_050, [(603.0, 10_000)], []) == [(50, 603.0)]


def rest(quantity=100, price=99.9, side=Side.BUY):
    """Return an exchange where an order has come to rest behind what `BIDS` or `ASKS` show."""
    exchange = Exchange()
    exchange.order(side, quantity, OrderType.LIMIT, price)
    assert exchange.tick(100.0, 10, BIDS, ASKS) == []
    return exchange


def test_18_trades_at_its_price_go_to_the_queue_ahead_first():
    exchange = rest()  # 500 ahead of it
    assert exchange.tick(99.9, 450, [(99.9, 50), (99.85, 700)], ASKS) == []
    assert exchange.tick(99.9, 49, [(99.9, 10), (99.85, 700)], ASKS) == []
    assert exchange.tick(99.9, 31, [(99.9, 10), (99.85, 700)], ASKS) == [(30, 99.9)]
    assert exchange.tick(99.9, 200, [(99.9, 10), (99.85, 700)], ASKS) == [(70, 99.9)]


def test_18_cancels_leave_the_queue_evenly_ahead_of_it_and_behind():
    exchange = rest()  # 500 ahead of it
    exchange.tick(100.0, 0, [(99.95, 300), (99.9, 1_000)], ASKS)  # 500 more, behind it
    # 400 of 1,000 cancelled: 200 of them ahead
    exchange.tick(100.0, 0, [(99.95, 300), (99.9, 600)], ASKS)
    assert exchange.tick(99.9, 310, [(99.9, 400)], ASKS) == [(10, 99.9)]


def test_18_what_trades_is_not_counted_as_cancelled():
    exchange = rest()  # 500 ahead of it
    exchange.tick(99.9, 200, [(99.9, 300)], ASKS)
    assert exchange.tick(99.9, 305, [(99.9, 100)], ASKS) == [(5, 99.9)]


def test_18_an_order_better_than_the_best_has_nobody_ahead():
    exchange = Exchange()
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.95)
    exchange.tick(100.0, 10, BIDS[1:], ASKS)
    assert exchange.tick(99.95, 60, BIDS[1:], ASKS) == [(60, 99.95)]


def test_18_an_order_out_of_sight_queues_behind_what_comes_into_sight():
    exchange = rest(price=99.5)
    bids = [(99.6, 100), (99.5, 800)]
    exchange.tick(99.7, 10, bids, ASKS)
    assert exchange.tick(99.5, 700, [(99.5, 800)], ASKS) == []
    assert exchange.tick(99.5, 150, [(99.5, 800)], ASKS) == [(50, 99.5)]


def test_18_a_price_that_goes_through_the_order_fills_what_was_traded_and_leaves_it_first_in_line():
    exchange = rest(quantity=992)
    assert exchange.tick(99.85, 66, [(99.85, 700)], ASKS) == [(66, 99.9)]
    # nobody of the 500 is left before it
    assert exchange.tick(99.9, 100, [(99.9, 300)], ASKS) == [(100, 99.9)]
    assert exchange.tick(99.85, 2_000, [(99.85, 700)], ASKS) == [(826, 99.9)]


def test_18_shares_that_one_order_of_ours_has_had_fill_no_other():
    exchange = rest(quantity=40)
    exchange.order(Side.BUY, 992, OrderType.LIMIT, 99.95)
    exchange.tick(100.0, 10, BIDS, ASKS)
    assert exchange.tick(99.85, 66, [(99.85, 700)], ASKS) == [(40, 99.9), (26, 99.95)]


def test_18_a_price_that_goes_through_the_order_fills_all_of_it_where_no_volume_is_told():
    exchange = Exchange()
    exchange.order(Side.BUY, 992, OrderType.LIMIT, 99.9)
    for step, ltp in enumerate((100.0, 99.85)):
        exchange.venue.meet_tick(
            Tick(
                TOKEN, OPEN + step, ltp, bid=ltp - 0.05, bid_quantity=10, ask=100.1, ask_quantity=10
            )
        )
    assert exchange.trades() == [(992, 99.9)]


def test_18_an_old_last_price_beyond_the_order_is_no_trade():
    exchange = Exchange()
    exchange.tick(99.8, 10, BIDS, ASKS)
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.9)
    exchange.tick(99.8, 0, BIDS, ASKS)
    assert exchange.tick(99.8, 0, BIDS, ASKS) == []


def test_18_the_other_side_coming_to_the_order_fills_it_at_its_own_price():
    exchange = rest(quantity=500)
    assert exchange.tick(100.0, 0, [(99.8, 10)], [(99.85, 300), (99.9, 100), (99.95, 50)]) == [
        (300, 99.9),
        (100, 99.9),
    ]


def test_18_the_same_holds_for_a_sale():
    exchange = rest(side=Side.SELL, price=100.05)  # 400 ahead of it
    assert exchange.tick(100.05, 450, BIDS, [(100.05, 10)]) == [(50, 100.05)]
    assert exchange.tick(100.1, 20, BIDS, ASKS[2:]) == [(20, 100.05)]


def test_19_without_a_book_an_arriving_order_trades_at_the_next_last_price_with_slippage():
    exchange = Exchange(FixedTicks(1))
    exchange.tick(100.0, 10)
    exchange.order(Side.BUY, 100)
    exchange.order(Side.SELL, 100, OrderType.LIMIT, 99.0)
    assert exchange.tick(100.2, 10) == [(100, 100.25), (100, 100.15)]


def test_19_without_a_book_a_resting_order_trades_when_the_price_goes_through_it():
    exchange = Exchange(FixedTicks(1))
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.9)
    assert exchange.tick(100.0, 10) == []
    assert exchange.tick(99.9, 10) == []
    assert exchange.tick(99.85, 10) == [(10, 99.9)]
    assert exchange.tick(99.85, 300) == [(90, 99.9)]


def test_19_without_a_book_a_volume_share_waits_for_trades():
    exchange = Exchange(VolumeShare(0.1, 0.0))
    exchange.tick(100.0, 1_000)
    exchange.order(Side.BUY, 150)
    assert exchange.tick(100.0, 0) == []
    assert exchange.tick(100.0, 1_000) == [(100, 100.0)]
    assert exchange.tick(100.05, 1_000) == [(50, 100.05)]


def test_19_a_feed_without_volume_still_moves_orders():
    exchange = Exchange()
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.9)
    for step, ltp in enumerate((100.0, 99.9, 99.8)):
        exchange.venue.meet_tick(Tick(TOKEN, OPEN + step, ltp))
    assert exchange.trades() == [(100, 99.9)]


def test_19_a_best_bid_and_ask_are_a_book_of_one_level():
    exchange = Exchange()
    exchange.order(Side.BUY, 150)
    quote = {"bid": 99.95, "bid_quantity": 100, "ask": 100.0, "ask_quantity": 100}
    exchange.venue.meet_tick(Tick(TOKEN, OPEN + 1, 100.0, 10, **quote))
    exchange.venue.meet_tick(Tick(TOKEN, OPEN + 2, 100.0, 10, **quote))
    assert exchange.trades() == [(100, 100.0), (50, 100.0)]


def test_20_a_stop_order_is_triggered_by_the_last_price_and_meets_the_same_tick():
    exchange = Exchange()
    exchange.tick(100.0, 10, BIDS, ASKS)
    exchange.order(Side.SELL, 400, OrderType.SLM, trigger=99.95)
    assert exchange.tick(100.0, 10, BIDS, ASKS) == []
    assert exchange.tick(99.95, 10, BIDS, ASKS) == [(300, 99.95), (100, 99.9)]


def test_20_the_order_of_a_gtt_meets_the_tick_after_the_one_that_fired_it():
    exchange = Exchange()
    exchange.gtt(100.0, (99.5, 99.0))
    assert exchange.tick(99.4, 10, [(99.4, 1_000)], [(99.45, 100)]) == []
    assert exchange.tick(99.3, 10, [(99.3, 1_000)], [(99.35, 100)]) == [(100, 99.3)]


def test_20_a_gtt_fires_once_and_only_the_leg_that_was_reached():
    exchange = Exchange()
    exchange.gtt(100.0, (97.5, 97.0), (105.0, 105.0))
    exchange.tick(105.0, 10, [(105.0, 1_000)], [(105.05, 100)])
    exchange.tick(97.0, 10, [(97.0, 1_000)], [(97.05, 100)])
    assert exchange.tick(105.0, 10, [(105.05, 1_000)], [(105.1, 100)]) == [(100, 105.0)]
    assert exchange.tick(97.0, 10, [(97.0, 1_000)], [(97.05, 100)]) == []


def test_21_ioc_cancels_what_the_first_tick_does_not_fill():
    exchange = Exchange()
    exchange.order(Side.BUY, 1_000, OrderType.LIMIT, 100.05, validity=Validity.IOC)
    exchange.events()
    exchange.venue.meet_tick(Tick(TOKEN, OPEN + 1, 100.0, 10, ask=100.0, ask_quantity=600))
    partial, trade, cancelled = exchange.events()
    assert isinstance(trade, BrokerTrade)
    assert (partial.status, partial.filled, trade.quantity) == (OrderStatus.OPEN, 600, 600)
    assert isinstance(cancelled, OrderUpdate)
    assert (cancelled.status, cancelled.filled) == (OrderStatus.CANCELLED, 600)


def lots(slippage=None):
    """Return an exchange that counts in lots of 100 units, as MCX does."""
    return Exchange(slippage, Instrument(TOKEN, "MCX", "GOLD", 0.05, 100, "FUT", multiplier=100))


def test_17_a_depth_in_lots_fills_an_order_in_units():
    exchange = lots()
    exchange.order(Side.BUY, 500)
    assert exchange.tick(100.0, 0, [(99.95, 3)], [(100.0, 2), (100.05, 9)]) == [
        (200, 100.0),
        (300, 100.05),
    ]


def test_18_the_queue_and_what_trades_there_are_in_lots_too():
    exchange = lots()
    exchange.order(Side.BUY, 200, OrderType.LIMIT, 99.9)
    # 500 units ahead of it
    assert exchange.tick(100.0, 10, [(99.95, 3), (99.9, 5)], [(100.0, 2)]) == []
    assert exchange.tick(99.9, 6, [(99.9, 5)], [(100.0, 2)]) == [(100, 99.9)]
