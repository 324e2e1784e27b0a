"""Fills inside bars, rule by rule: the numbers in the names are those of docs/fills.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    GttUpdate,
    ModifyGtt,
    OrderUpdate,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.exchange_rules import TriggerDistance
from compiled.model.values import (
    MINUTE,
    GttLeg,
    GttStatus,
    Instrument,
    OrderStatus,
    OrderType,
    Side,
    Validity,
)
from compiled.venue import intrabar
from compiled.venue.slippage import FixedTicks, SpreadFraction, VolumeShare
from tests.reference.exchange import CLOSE, OPEN, TOKEN, Exchange


def points(open, high, low, close, tick=0.05):
    to_low = intrabar.low_first(Instrument(1, "NSE", "X", tick), open, high, low)
    return [intrabar.path_point(k, to_low, open, high, low, close) for k in range(4)]


def test_1_the_path_goes_to_the_nearer_extreme_first():
    assert points(100.0, 101.0, 98.0, 99.0) == [100.0, 101.0, 98.0, 99.0]
    assert points(100.0, 103.0, 99.0, 102.0) == [100.0, 99.0, 103.0, 102.0]


def test_1_with_both_extremes_as_near_the_low_comes_first():
    assert points(100.0, 101.0, 99.0, 100.5) == [100.0, 99.0, 101.0, 100.5]


@given(
    st.sampled_from([0.01, 0.05, 0.1, 1.0]),
    st.integers(2, 600_000),
    st.integers(0, 2_000),
    st.integers(-3, 3),
)
def test_1_a_tie_is_a_tie_whatever_rounding_makes_of_the_differences(tick, begun, away, more):
    instrument = Instrument(1, "NSE", "X", tick)
    down = min(away, begun - 1)
    begin, high, low = (
        instrument.price(at) for at in (begun, begun + max(0, down + more), begun - down)
    )
    assert intrabar.low_first(instrument, begin, high, low) == (max(0, down + more) >= down)


def test_1_the_points_are_thirds_of_the_bar_and_the_last_lies_inside_it():
    assert [intrabar.path_time(k, 0, 60) for k in range(4)] == [0, 20, 40, 59]


def test_2_an_order_sent_at_the_close_fills_at_the_next_open_and_not_before():
    exchange = Exchange()
    exchange.bar(100.0, 101.0, 99.0, 100.0)
    exchange.order(Side.BUY, 100)
    assert exchange.trades() == []
    assert exchange.bar(100.5, 101.0, 100.0, 100.2) == [(100, 100.5)]


@pytest.mark.parametrize(("kind", "price"), [(OrderType.MARKET, 0.0), (OrderType.LIMIT, 99.0)])
def test_2_an_order_sent_inside_a_bar_waits_for_the_next_one(kind, price):
    exchange = Exchange()
    exchange.bar(100.0, 102.0, 98.0, 101.0, stop=1)
    exchange.order(Side.BUY, 100, kind, price)
    assert exchange.on(1) == []
    assert exchange.bar(98.5, 98.5, 98.5, 98.5) == [(100, 98.5)]


def test_2_a_gtt_sent_inside_a_bar_watches_the_rest_of_it_and_nothing_before():
    exchange = Exchange()
    exchange.bar(100.0, 103.0, 98.0, 99.0, stop=2)
    exchange.gtt(98.0, (97.0, 96.5))
    assert exchange.on(2) == []  # the low lies behind it
    late = Exchange()
    late.bar(100.0, 101.0, 97.0, 99.0, stop=2)
    late.gtt(101.0, (98.0, 97.5))
    assert late.on(2) == [(100, 98.0)]


def test_3_a_resting_limit_fills_at_its_price_when_the_price_goes_through_it():
    exchange = Exchange()
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.0)
    assert exchange.bar(100.0, 101.0, 98.95, 100.0) == [(100, 99.0)]


def test_3_a_price_that_only_reaches_a_limit_does_not_fill_it():
    exchange = Exchange()
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.0)
    exchange.order(Side.SELL, 100, OrderType.LIMIT, 101.0)
    assert exchange.bar(100.0, 101.0, 99.0, 100.0) == []


def test_3_with_touch_reaching_the_limit_is_enough():
    exchange = Exchange(touch=True)
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.0)
    assert exchange.bar(100.0, 101.0, 99.0, 100.0) == [(100, 99.0)]


def test_4_a_gap_through_a_limit_fills_at_the_open():
    exchange = Exchange()
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.0)
    exchange.bar(100.0, 100.5, 99.5, 100.0)
    assert exchange.bar(97.0, 98.0, 96.0, 97.5) == [(100, 97.0)]


def test_4_a_gap_through_a_stop_fills_at_the_open():
    exchange = Exchange()
    exchange.bar(100.0, 100.5, 99.5, 100.0)
    exchange.order(Side.SELL, 100, OrderType.SLM, trigger=99.0)
    assert exchange.bar(97.0, 98.0, 96.0, 97.5) == [(100, 97.0)]


def test_5_a_stop_order_fills_where_the_price_reaches_its_trigger():
    exchange = Exchange()
    exchange.bar(100.0, 100.5, 99.5, 100.0)
    exchange.order(Side.SELL, 100, OrderType.SLM, trigger=99.0)
    exchange.order(Side.BUY, 50, OrderType.SLM, trigger=101.0)
    assert exchange.bar(100.0, 101.0, 98.5, 100.0) == [(50, 101.0), (100, 99.0)]


def test_5_a_stop_limit_becomes_a_limit_order_and_may_be_jumped_over():
    exchange = Exchange()
    exchange.bar(100.0, 100.5, 99.5, 100.0)
    exchange.order(Side.SELL, 100, OrderType.SL, 98.5, trigger=99.0)
    assert exchange.bar(97.0, 98.0, 96.0, 97.5) == []
    assert exchange.bar(97.5, 99.0, 97.0, 98.0) == [(100, 98.5)]


def test_5_a_stop_is_pending_until_it_is_triggered():
    exchange = Exchange()
    exchange.bar(100.0, 100.5, 99.5, 100.0)
    exchange.order(Side.SELL, 100, OrderType.SLM, trigger=99.0)
    assert exchange.statuses() == [OrderStatus.TRIGGER_PENDING]
    exchange.bar(100.0, 100.5, 98.5, 100.0, stop=1)
    start, *prices = exchange.play
    exchange.venue.move_price(TOKEN, start, prices[2])
    assert exchange.statuses() == [OrderStatus.OPEN, OrderStatus.COMPLETE]


def test_6_a_gtt_fires_once_when_the_price_reaches_or_crosses_its_trigger():
    exchange = Exchange()
    exchange.gtt(100.0, (97.5, 97.0))
    assert exchange.bar(100.0, 100.5, 97.55, 99.0) == []
    assert exchange.bar(99.0, 100.0, 97.5, 99.0) == [(100, 97.5)]
    assert exchange.bar(99.0, 100.0, 97.0, 99.0) == []


def test_6_the_last_price_it_was_given_says_from_which_side_a_gtt_is_reached():
    exchange = Exchange()
    exchange.gtt(100.0, (102.0, 102.5), side=Side.BUY)
    assert exchange.bar(100.0, 101.95, 99.0, 100.0) == []
    assert exchange.bar(100.0, 102.0, 99.0, 100.0) == [(100, 102.0)]


def test_6_the_order_of_a_gtt_is_a_limit_order_that_a_gap_may_jump_over():
    exchange = Exchange()
    exchange.gtt(100.0, (97.5, 97.0))
    exchange.bar(100.0, 100.5, 99.0, 100.0)
    assert exchange.bar(96.0, 96.9, 95.0, 96.5) == []
    assert exchange.bar(96.5, 97.5, 96.0, 97.0) == [(100, 97.0)]


def test_6_a_target_whose_limit_is_its_trigger_needs_a_price_beyond_it():
    exchange = Exchange()
    exchange.gtt(100.0, (97.5, 97.0), (105.0, 105.0))
    assert exchange.bar(100.0, 105.0, 99.0, 104.0) == []
    assert exchange.bar(104.0, 105.05, 103.0, 104.0) == [(100, 105.0)]


def test_7_the_stop_comes_before_the_target_when_both_lie_within_a_bar():
    exchange = Exchange()
    exchange.gtt(104.0, (97.5, 97.0), (105.0, 105.0))
    assert exchange.bar(104.0, 106.0, 97.0, 100.0) == [(100, 97.5)]


def test_7_for_a_short_position_the_stop_is_the_upper_leg():
    exchange = Exchange()
    exchange.gtt(96.0, (95.0, 95.0), (102.5, 103.0), side=Side.BUY)
    assert exchange.bar(96.0, 103.0, 94.0, 100.0) == [(100, 102.5)]


def test_7_a_bar_that_opens_beyond_the_target_has_reached_it_first():
    exchange = Exchange()
    exchange.gtt(104.0, (97.5, 97.0), (105.0, 105.0))
    assert exchange.bar(106.0, 106.5, 97.0, 100.0) == [(100, 106.0)]


def test_8_a_market_order_is_a_limit_order_at_its_protection_from_the_open():
    exchange = Exchange(FixedTicks(1_000))
    exchange.order(Side.BUY, 100)
    exchange.order(Side.SELL, 100)
    # 1 % of 200: no worse than 202 and 198, whatever the slippage
    assert exchange.bar(200.0, 201.0, 199.0, 200.0) == [(100, 202.0), (100, 198.0)]


def test_8_a_protection_given_in_percent_goes_before_the_automatic_one():
    exchange = Exchange(FixedTicks(1_000))
    exchange.order(Side.BUY, 100, protection=3.0)
    assert exchange.bar(200.0, 201.0, 199.0, 200.0) == [(100, 206.0)]


def test_8_options_have_slabs_of_their_own():
    exchange = Exchange(FixedTicks(1_000), Instrument(TOKEN, "NFO", "OPT", 0.05, kind="CE"))
    exchange.order(Side.BUY, 100)
    assert exchange.bar(200.0, 201.0, 199.0, 200.0) == [(100, 204.0)]


def test_8_a_market_order_without_protection_is_refused():
    exchange = Exchange()
    exchange.order(Side.BUY, 100, protection=0.0)
    (answer,) = exchange.events()
    assert (answer.outcome, answer.reason) == (
        RequestOutcome.REFUSED,
        "market orders need a market protection",
    )


def test_9_slippage_is_against_the_order_and_no_worse_than_its_limit():
    exchange = Exchange(FixedTicks(2))
    exchange.order(Side.BUY, 100)
    exchange.order(Side.SELL, 100)
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 100.05)
    assert exchange.bar(100.0, 100.0, 100.0, 100.0) == [(100, 100.1), (100, 99.9), (100, 100.05)]


def test_9_a_resting_order_has_no_slippage():
    exchange = Exchange(FixedTicks(2))
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.0)
    assert exchange.bar(100.0, 101.0, 98.0, 100.0) == [(100, 99.0)]


def test_9_half_an_assumed_spread_is_rounded_against_the_order():
    exchange = Exchange(SpreadFraction(0.5, 0.1))
    exchange.order(Side.BUY, 100)
    exchange.order(Side.SELL, 100)
    # half of 0.1 % of 123.45 is 0.0617: to 123.5117 and 123.3883
    assert exchange.bar(123.45, 123.45, 123.45, 123.45) == [(100, 123.55), (100, 123.35)]


def test_9_a_volume_share_fills_in_parts_and_moves_the_price():
    exchange = Exchange(VolumeShare(0.1, 0.1))
    exchange.order(Side.BUY, 1_500)
    # 1,000 of 10,000: a tenth, impact 0.1 x 0.01 of 100 = 0.10
    assert exchange.bar(100.0, 100.5, 99.5, 100.0) == [(1_000, 100.1)]
    # 500 of 10,000: impact 0.1 x 0.0025 of 100.2 = 0.02505, up to the tick
    assert exchange.bar(100.2, 100.5, 99.5, 100.0) == [(500, 100.25)]


def test_9_all_orders_share_the_volume_of_a_bar():
    exchange = Exchange(VolumeShare(0.1, 0.0))
    exchange.order(Side.BUY, 700)
    exchange.order(Side.BUY, 700)
    assert exchange.bar(100.0, 100.5, 99.5, 100.0) == [(700, 100.0), (300, 100.0)]
    assert exchange.bar(100.0, 100.5, 99.5, 100.0) == [(400, 100.0)]


def test_10_a_price_outside_the_band_is_refused():
    instrument = Instrument(TOKEN, "NSE", "KITE", 0.05, lower=90.0, upper=110.0)
    exchange = Exchange(instrument=instrument)
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 89.95)
    exchange.order(Side.SELL, 100, OrderType.LIMIT, 110.05)
    exchange.order(Side.SELL, 100, OrderType.LIMIT, 110.0)
    assert [e.outcome for e in exchange.events()] == [
        RequestOutcome.REFUSED,
        RequestOutcome.REFUSED,
        RequestOutcome.ACCEPTED,
    ]


def test_10_a_gtt_beyond_the_band_is_taken_and_its_order_is_judged_by_the_band_of_its_moment():
    instrument = Instrument(TOKEN, "NSE", "KITE", 0.05, lower=95.0, upper=110.0)
    exchange = Exchange(instrument=instrument)
    exchange.gtt(100.0, (94.0, 93.5))
    (answer,) = exchange.events()
    assert answer.outcome is RequestOutcome.ACCEPTED
    instrument.lower = 90.0  # it has slid
    assert exchange.bar(99.0, 99.0, 93.0, 93.0) == [(100, 94.0)]
    early = Exchange(instrument=Instrument(TOKEN, "NSE", "KITE", 0.05, lower=95.0, upper=110.0))
    early.gtt(100.0, (96.0, 94.5))
    early.trades = early.events
    fired = [e for e in early.bar(99.0, 99.0, 95.0, 95.0) if isinstance(e, GttUpdate)]
    assert [(e.status, e.order_ids, e.reason) for e in fired] == [
        (GttStatus.TRIGGERED, [], "price is outside the day's band")
    ]


def test_10_at_the_upper_band_nobody_sells_and_at_the_lower_nobody_buys():
    instrument = Instrument(TOKEN, "NSE", "KITE", 0.05, lower=90.0, upper=110.0)
    exchange = Exchange(instrument=instrument)
    exchange.order(Side.BUY, 100)
    exchange.order(Side.SELL, 50)
    assert exchange.bar(110.0, 110.0, 110.0, 110.0) == [(50, 110.0)]
    assert exchange.bar(109.0, 109.5, 108.5, 109.0) == [(100, 109.0)]


@pytest.mark.parametrize(
    ("quantity", "kind", "price", "trigger", "reason"),
    [
        (0, OrderType.MARKET, 0.0, 0.0, "quantity is not a multiple of the lot"),
        (5, OrderType.MARKET, 0.0, 0.0, "quantity is not a multiple of the lot"),
        (110, OrderType.MARKET, 0.0, 0.0, "quantity above the freeze quantity"),
        (10, OrderType.LIMIT, 0.0, 0.0, "price is not on the tick grid"),
        (10, OrderType.LIMIT, 99.97, 0.0, "price is not on the tick grid"),
        (10, OrderType.SLM, 0.0, 0.0, "trigger price is not on the tick grid"),
        (10, OrderType.SLM, 0.0, 99.0, "trigger on the wrong side of the last price"),
        (10, OrderType.SL, 101.0, 102.0, "trigger beyond the limit price"),
    ],
)
def test_11_a_malformed_order_is_refused_with_its_reason(quantity, kind, price, trigger, reason):
    exchange = Exchange(instrument=Instrument(TOKEN, "NSE", "KITE", 0.05, lot=10, freeze=100))
    exchange.bar(100.0, 100.0, 100.0, 100.0)
    exchange.order(Side.BUY, quantity, kind, price, trigger)
    (answer,) = exchange.events()
    assert (answer.outcome, answer.verb, answer.reason) == (
        RequestOutcome.REFUSED,
        RequestVerb.PLACE,
        reason,
    )


def test_11_an_order_outside_the_session_is_refused():
    exchange = Exchange()
    exchange.now = CLOSE
    exchange.order(Side.BUY, 100)
    (answer,) = exchange.events()
    assert answer.reason == "the market is closed"


@pytest.mark.parametrize(
    ("legs", "reason"),
    [
        ([(99.8, 99.0)], "trigger too near to the last price"),
        ([(98.01, 97.0)], "trigger is not on the tick grid"),
        ([(98.0, 97.03)], "price is not on the tick grid"),
        ([(101.0, 101.0), (102.0, 102.0)], "the last price is not between the triggers"),
        ([], "a GTT has one leg or two"),
    ],
)
def test_11_a_malformed_gtt_is_refused_with_its_reason(legs, reason):
    exchange = Exchange(trigger_distance=TriggerDistance(0.25))
    exchange.bar(100.0, 100.0, 100.0, 100.0)
    exchange.gtt(100.0, *legs)
    (answer,) = exchange.events()
    assert (answer.outcome, answer.reason) == (RequestOutcome.REFUSED, reason)


def test_12_ioc_fills_at_the_next_open_or_is_cancelled_there():
    exchange = Exchange()
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 99.0, validity=Validity.IOC)
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 101.0, validity=Validity.IOC)
    exchange.events()
    exchange.venue.open_bar(TOKEN, OPEN, 100.0, 101.0, 98.0, 10_000)
    reports = exchange.events()
    assert [e.status for e in reports if isinstance(e, OrderUpdate)] == [
        OrderStatus.COMPLETE,
        OrderStatus.CANCELLED,
    ]


def test_13_the_day_cancels_orders_and_keeps_gtts():
    exchange = Exchange()
    exchange.order(Side.BUY, 100, OrderType.LIMIT, 95.0)
    exchange.gtt(100.0, (97.5, 97.0))
    exchange.bar(100.0, 100.5, 99.5, 100.0)
    exchange.venue.end_session(CLOSE)
    (update,) = exchange.events()
    assert (update.status, update.filled, update.reason) == (
        OrderStatus.CANCELLED,
        0,
        "the day is over",
    )
    exchange.venue.begin_session(CLOSE, CLOSE + 375 * MINUTE)
    assert exchange.bar(98.0, 98.0, 94.0, 96.0) == [(100, 97.5)]


def test_14_a_cancel_ends_an_order_once():
    exchange = Exchange()
    order = exchange.order(Side.BUY, 100, OrderType.LIMIT, 95.0)
    exchange.events()
    exchange.venue.take_commands([CancelOrder(order), CancelOrder(order)], OPEN)
    first, update, second = exchange.events()
    assert (first.verb, first.outcome) == (RequestVerb.CANCEL, RequestOutcome.ACCEPTED)
    assert update.status is OrderStatus.CANCELLED
    assert (second.outcome, second.reason) == (RequestOutcome.REFUSED, "the order is not open")


def test_14_a_gtt_is_modified_and_deleted():
    exchange = Exchange()
    gtt = exchange.gtt(100.0, (97.5, 97.0))
    gtt.pending = [GttLeg(98.0, 97.5, Side.SELL, 80)]
    exchange.venue.take_commands([ModifyGtt(gtt)], OPEN)
    assert exchange.bar(100.0, 100.0, 97.8, 99.0) == [(80, 98.0)]
    again = exchange.gtt(100.0, (97.5, 97.0))
    exchange.venue.take_commands([DeleteGtt(again)], OPEN + MINUTE)
    assert exchange.bar(100.0, 100.0, 95.0, 99.0) == []


def test_14_a_gtt_that_fired_cannot_be_modified():
    exchange = Exchange()
    gtt = exchange.gtt(100.0, (97.5, 97.0))
    exchange.bar(100.0, 100.0, 97.0, 99.0)
    exchange.venue.take_commands([ModifyGtt(gtt), DeleteGtt(gtt)], exchange.now)
    assert [e.outcome for e in exchange.events()] == [
        RequestOutcome.REFUSED,
        RequestOutcome.REFUSED,
    ]


def test_15_a_gtt_tells_its_order_before_the_order_tells_its_trade():
    exchange = Exchange()
    exchange.gtt(100.0, (97.5, 97.0))
    exchange.events()
    exchange.bar(100.0, 100.0, 97.0, 99.0, stop=1)
    start, *_ = exchange.play
    exchange.venue.move_price(TOKEN, start, 97.0)
    fired, opened, done, trade = exchange.events()
    assert isinstance(fired, GttUpdate)
    assert fired.status is GttStatus.TRIGGERED
    assert fired.order_ids == [opened.order_id] == [done.order_id] == [trade.order_id]
    assert (opened.status, done.status) == (OrderStatus.OPEN, OrderStatus.COMPLETE)


def test_15_a_gtt_whose_order_the_exchange_refuses_has_triggered_without_one():
    instrument = Instrument(TOKEN, "NSE", "KITE", 0.05)
    exchange = Exchange(instrument=instrument)
    exchange.gtt(100.0, (97.5, 97.0))
    exchange.events()
    instrument.lower, instrument.upper = 97.2, 120.0
    exchange.bar(100.0, 100.0, 97.3, 99.0, stop=1)
    exchange.venue.move_price(TOKEN, OPEN, 97.3)
    (fired,) = exchange.events()
    assert (fired.status, fired.order_ids, fired.reason) == (
        GttStatus.TRIGGERED,
        [],
        "price is outside the day's band",
    )


def test_a_volume_in_lots_bounds_an_order_in_units():
    gold = Instrument(TOKEN, "MCX", "GOLD", 0.05, 100, "FUT", multiplier=100)
    exchange = Exchange(VolumeShare(0.1, 0.0), gold)
    exchange.order(Side.BUY, 500)
    # a tenth of thirty lots
    assert (
        sum(quantity for quantity, _ in exchange.bar(100.0, 100.0, 100.0, 100.0, volume=30)) == 300
    )
