"""Intraday positions: a stop rests for exactly their shares, and never beside an exit."""

import pytest

from compiled.model.events import (
    CancelOrder,
    ModifyOrder,
    OperatorAct,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.values import OrderPurpose, OrderStatus, OrderType, Product, Side
from compiled.trading.risk import RefusalReason
from tests.compiled.trading.scripted import CANBK, Scene, only, some


@pytest.fixture
def scene():
    return Scene()


def stops(scene):
    return [
        c.order
        for c in scene.asked
        if isinstance(c, PlaceOrder) and c.order.purpose is OrderPurpose.PROTECT
    ]


def test_a_filled_intraday_entry_gets_a_stop_order_and_no_gtt(scene):
    order = scene.enter(100, product=Product.MIS)
    scene.accept(order, "B1")
    stop = only(scene.trade("t1", "B1", 40, 100.0), PlaceOrder).order
    assert (
        stop.side,
        stop.quantity,
        stop.order_type,
        stop.trigger,
        stop.product,
        stop.purpose,
    ) == (
        Side.SELL,
        40,
        OrderType.SLM,
        98.0,
        Product.MIS,
        OrderPurpose.PROTECT,
    )
    assert some(scene.asked, PlaceGtt) == []
    assert scene.kernel.view.naked() == 1
    scene.accept(stop, "G1")
    assert stop.status is OrderStatus.TRIGGER_PENDING
    assert scene.kernel.view.naked() == 0


def test_a_short_intraday_position_is_protected_above_its_price(scene):
    stop = scene.hold_intraday(side=Side.SELL)
    assert (stop.side, stop.trigger) == (Side.BUY, 102.0)
    assert scene.account == -100


def test_shares_that_fill_later_are_added_to_the_stop_order(scene):
    order = scene.enter(100, product=Product.MIS)
    scene.accept(order, "B1")
    stop = only(scene.trade("t1", "B1", 40, 100.0), PlaceOrder).order
    scene.accept(stop, "G1")
    scene.trade("t2", "B1", 60, 100.0)
    assert scene.kernel.view.naked() == 1
    # a stop that trails rests for five seconds, shares do not wait
    change = only(scene.seconds(1), ModifyOrder).change
    assert (change.quantity, change.trigger) == (100, 0.0)
    scene.answer(stop.intent, RequestOutcome.ACCEPTED, "G1", RequestVerb.MODIFY)
    assert (scene.kernel.view.naked(), stop.quantity) == (0, 100)


def test_the_stop_order_trails_the_price_and_only_a_confirmed_trigger_counts(scene):
    stop = scene.hold_intraday()
    found = scene.tick(103.0, after=6)
    # 2 % below 103 is 100.94, on the grid away from the price
    assert only(found, ModifyOrder).change.trigger == 100.9
    assert scene.rung.stop == 98.0
    scene.answer(stop.intent, RequestOutcome.ACCEPTED, "G1", RequestVerb.MODIFY)
    assert (scene.rung.stop, stop.trigger, scene.rung.trailed) == (100.9, 100.9, 1)


def test_an_exit_is_sent_only_when_the_stop_order_is_known_to_be_gone(scene):
    stop = scene.hold_intraday()
    found = scene.operate(OperatorAct.EXIT, token=CANBK)
    assert only(found, CancelOrder).order is stop
    scene.answer(stop.intent, RequestOutcome.ACCEPTED, "G1", RequestVerb.CANCEL)
    scene.seconds(2)
    assert scene.exits() == []
    found = scene.book("G1", OrderStatus.CANCELLED)
    order = only(found, PlaceOrder).order
    assert (order.quantity, order.order_type, order.purpose) == (
        100,
        OrderType.MARKET,
        OrderPurpose.EXIT,
    )


def test_a_stop_that_was_triggered_while_its_cancellation_was_on_the_way_is_the_exit(scene):
    stop = scene.hold_intraday()
    scene.operate(OperatorAct.EXIT, token=CANBK)
    scene.answer(
        stop.intent,
        RequestOutcome.REFUSED,
        "G1",
        RequestVerb.CANCEL,
        "OrderException: as it is being processed",
    )
    scene.book("G1", OrderStatus.COMPLETE, 100, side=Side.SELL)
    scene.trade("t9", "G1", 100, 97.9, Side.SELL)
    scene.seconds(5)
    assert (scene.exits(), scene.account, scene.kernel.view.open_positions()) == ([], 0, 0)


def test_the_shares_a_cancelled_stop_had_sold_are_not_sold_again(scene):
    stop = scene.hold_intraday()
    scene.operate(OperatorAct.EXIT, token=CANBK)
    scene.book("G1", OrderStatus.CANCELLED, 30, side=Side.SELL)
    scene.seconds(5)
    assert scene.exits() == []
    scene.trade("t9", "G1", 30, 97.9, Side.SELL)
    scene.seconds(3)
    assert [order.quantity for order in scene.exits()] == [70]
    assert stop.traded == 30


def test_a_triggered_stop_ends_the_position_with_its_reason(scene):
    stop = scene.hold_intraday()
    scene.book("G1", OrderStatus.OPEN, side=Side.SELL, price=97.5)
    assert scene.rung.exit is stop
    scene.trade("t9", "G1", 100, 97.9, Side.SELL)
    scene.book("G1", OrderStatus.COMPLETE, 100, side=Side.SELL)
    assert (scene.account, scene.rung.exit_reason, stops(scene)) == (0, "stop", [stop])


def test_a_late_word_that_the_stop_waits_does_not_undo_its_trigger(scene):
    stop = scene.hold_intraday()
    scene.book("G1", OrderStatus.OPEN, side=Side.SELL)
    scene.book("G1", OrderStatus.TRIGGER_PENDING, side=Side.SELL)
    assert stop.status is OrderStatus.OPEN
    assert len(stops(scene)) == 1


def test_a_stop_the_broker_has_cancelled_is_placed_again(scene):
    scene.hold_intraday()
    scene.book("G1", OrderStatus.CANCELLED, side=Side.SELL)
    assert scene.kernel.view.naked() == 1
    assert [(stop.quantity, stop.trigger) for stop in stops(scene)] == [(100, 98.0), (100, 98.0)]


def test_a_rejected_stop_is_tried_again_and_after_the_third_rejection_the_position_is_left(scene):
    only(scene.fill(scene.enter(product=Product.MIS)), PlaceOrder)
    for number in range(3):
        stop = stops(scene)[number]
        scene.accept(stop, f"G{number}")
        scene.book(f"G{number}", OrderStatus.REJECTED, side=Side.SELL, reason="RMS: blocked")
        assert "order_refused" in scene.alarms()
        scene.seconds(6)
    assert len(stops(scene)) == 3
    assert [order.quantity for order in scene.exits()] == [100]


def test_a_busy_broker_or_a_dead_token_is_no_refusal_of_the_stop(scene):
    stop = only(scene.fill(scene.enter(product=Product.MIS)), PlaceOrder).order
    for outcome in (RequestOutcome.BUSY, RequestOutcome.SESSION_LOST) * 3:
        scene.answer(stop.intent, outcome, reason="later")
        stop = only(scene.seconds(3), PlaceOrder).order
    assert scene.exits() == []


def test_a_stop_given_up_as_lost_that_stands_after_all_is_the_one_stop(scene):
    first = only(scene.fill(scene.enter(product=Product.MIS)), PlaceOrder).order
    scene.answer(first.intent, RequestOutcome.UNKNOWN, reason="timeout")
    scene.answer(first.intent, RequestOutcome.LOST, reason="not in the broker's books")
    second = stops(scene)[-1]
    assert second is not first
    scene.accept(second, "G2")
    found = scene.book("G1", OrderStatus.TRIGGER_PENDING, 0, first.tag, side=Side.SELL)
    assert [command.order for command in some(found, CancelOrder)] == [first]


def test_a_stop_of_unknown_outcome_is_not_placed_a_second_time(scene):
    stop = only(scene.fill(scene.enter(product=Product.MIS)), PlaceOrder).order
    scene.answer(stop.intent, RequestOutcome.UNKNOWN, reason="timeout")
    scene.seconds(60)
    assert stops(scene) == [stop]
    assert scene.kernel.view.naked() == 1


def test_the_desk_leaves_at_the_target_after_taking_the_stop_away(scene):
    stop = scene.hold_intraday(target=4.0)
    found = scene.tick(104.0, after=1)
    assert [command.order for command in some(found, CancelOrder)] == [stop]
    found = scene.book("G1", OrderStatus.CANCELLED, side=Side.SELL)
    assert only(found, PlaceOrder).order.purpose is OrderPurpose.EXIT
    assert scene.rung.exit_reason == "target"


def test_a_price_at_the_stop_before_it_stands_is_left_at_the_market(scene):
    order = scene.enter(product=Product.MIS)
    scene.accept(order, "B1")
    scene.tick(97.0)
    scene.trade("t1", "B1", 100, 100.0)
    assert stops(scene) == []
    assert [each.quantity for each in scene.exits()] == [100]


def test_a_stop_whose_modifications_are_used_up_is_replaced_by_one_where_it_would_stand():
    scene = Scene()
    scene.kernel.order_store.modifies = 1
    stop = scene.hold_intraday()
    scene.tick(103.0, after=6)
    scene.answer(stop.intent, RequestOutcome.ACCEPTED, "G1", RequestVerb.MODIFY)
    found = scene.tick(106.0, after=6)
    assert [command.order for command in some(found, CancelOrder)] == [stop]
    assert some(found, ModifyOrder) == []
    again = only(scene.book("G1", OrderStatus.CANCELLED, side=Side.SELL), PlaceOrder).order
    assert again.trigger == 103.85  # 2 % below 106 is 103.88


def test_a_trigger_the_operator_has_moved_at_the_broker_is_the_stop(scene):
    scene.hold_intraday()
    scene.book("G1", OrderStatus.TRIGGER_PENDING, side=Side.SELL, trigger=99.0)
    assert scene.rung.stop == 99.0


def test_flatten_takes_every_stop_away_and_sells_everything_once(scene):
    scene.hold_intraday()
    scene.operate(OperatorAct.FLATTEN)
    scene.book("G1", OrderStatus.CANCELLED, side=Side.SELL)
    scene.seconds(5)
    assert [order.quantity for order in scene.exits()] == [100]


def test_a_bare_intraday_position_has_no_stop_and_is_not_called_naked(scene):
    scene.fill(scene.enter(product=Product.MIS, stop=0.0))
    scene.seconds(30)
    assert (stops(scene), scene.kernel.view.naked()) == ([], 0)


@pytest.mark.parametrize("product", [Product.CNC, Product.MTF])
def test_delivery_shares_are_still_not_sold_short(product):
    scene = Scene(products=(Product.CNC, Product.MIS, Product.MTF))
    found = scene.act(lambda ctx: ctx.enter(CANBK, Side.SELL, 0, 2.0, quantity=5, product=product))
    assert some(found, PlaceOrder) == []
    assert scene.kernel.decisions.fresh[-1].verdict is RefusalReason.SHORT_DELIVERY
