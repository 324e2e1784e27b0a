"""An exit that rests is pressed.

Its one order is moved, step by step, within the band and the desk's limits.
"""

import pytest

from compiled.model.events import CancelOrder, ModifyOrder, PlaceGtt, RequestOutcome, RequestVerb
from compiled.model.order_terms import ExitEscalation
from compiled.model.values import GttStatus, OrderStatus, Side
from compiled.trading.kernel import Kernel
from tests.compiled.trading.scripted import CANBK, Scene, only, some


@pytest.fixture
def scene():
    return Scene()


def resting_exit(scene):
    """Return an exit that has come to rest at its protection of 1 %."""
    scene.hold()
    order = scene.leave()
    scene.accept(order, "S1")
    scene.book("S1", OrderStatus.OPEN, 30, order.tag, price=99.0, side=Side.SELL)
    scene.trade("t5", "S1", 30, 99.0, Side.SELL)
    return order


def moved(scene, order, seconds):
    """Return to which prices the exit is moved, each move being accepted at once."""
    prices = []
    for _ in range(seconds):
        for command in some(scene.timer(), ModifyOrder):
            prices.append(command.change.price)
            scene.answer(order.intent, RequestOutcome.ACCEPTED, "S1", RequestVerb.MODIFY)
    return prices


def test_an_exit_is_moved_further_every_ten_seconds_and_never_beyond_the_limit(scene):
    order = resting_exit(scene)
    scene.tick(98.0)
    # 1, 2, 3, 4 and 5 % below the last price of 98.00, then not further
    assert moved(scene, order, 120) == [97.05, 96.05, 95.1, 94.1, 93.1]
    assert scene.exits() == [order]
    assert some(scene.asked, CancelOrder) == []


def test_it_follows_a_price_that_goes_on_falling(scene):
    order = resting_exit(scene)
    scene.tick(98.0)
    moved(scene, order, 60)
    assert only(scene.tick(90.0), ModifyOrder).change.price == 85.5


def test_it_stays_inside_the_days_band(scene):
    scene.kernel.state.markets[CANBK].instrument.lower = 96.5
    scene.kernel.state.markets[CANBK].instrument.upper = 120.0
    order = resting_exit(scene)
    scene.tick(98.0)
    assert moved(scene, order, 60) == [97.05, 96.5]


def test_each_step_is_told(scene):
    order = resting_exit(scene)
    scene.tick(98.0)
    moved(scene, order, 25)
    told = [command.text for command in scene.asked if getattr(command, "name", "") == "escalated"]
    assert told == [
        "CANBK: exit moved to 97.05, last price 98.0",
        "CANBK: exit moved to 96.05, last price 98.0",
    ]


def test_a_move_that_is_refused_ends_in_a_cancellation_and_a_new_exit_for_the_rest(scene):
    order = resting_exit(scene)
    scene.tick(98.0)
    only(scene.timer(11), ModifyOrder)
    found = scene.answer(
        order.intent,
        RequestOutcome.REFUSED,
        "S1",
        RequestVerb.MODIFY,
        "OrderException: cannot be modified",
    )
    assert only(found, CancelOrder).order is order
    scene.book("S1", OrderStatus.CANCELLED, 30, side=Side.SELL)
    assert [each.quantity for each in scene.exits()] == [100, 70]


def test_a_move_of_an_exit_that_filled_meanwhile_does_no_harm(scene):
    order = resting_exit(scene)
    scene.tick(98.0)
    only(scene.timer(11), ModifyOrder)
    scene.book("S1", OrderStatus.COMPLETE, 100, side=Side.SELL)
    scene.trade("t6", "S1", 70, 99.0, Side.SELL)
    scene.answer(
        order.intent,
        RequestOutcome.REFUSED,
        "S1",
        RequestVerb.MODIFY,
        "OrderException: already complete",
    )
    scene.seconds(30)
    assert (scene.account, scene.exits(), some(scene.asked, CancelOrder)) == (0, [order], [])


def test_a_move_answered_after_the_exit_is_complete_leaves_it_as_it_was(scene):
    order = resting_exit(scene)
    scene.tick(98.0)
    only(scene.timer(11), ModifyOrder)
    scene.book("S1", OrderStatus.COMPLETE, 100, side=Side.SELL)
    scene.answer(order.intent, RequestOutcome.ACCEPTED, "S1", RequestVerb.MODIFY)
    assert (order.status, order.price, order.pending) == (OrderStatus.COMPLETE, 99.0, None)


def test_a_stop_that_fired_and_rests_behind_the_price_is_pressed_too(scene):
    gtt = scene.hold()
    scene.gtt(gtt, GttStatus.TRIGGERED, ["S1"])
    scene.book("S1", OrderStatus.OPEN, price=97.5, side=Side.SELL)
    scene.tick(95.0)
    assert [command.change.price for command in some(scene.seconds(11), ModifyOrder)] == [94.05]


def test_a_stop_that_fired_and_was_rejected_is_sold_at_the_market(scene):
    gtt = scene.hold()
    scene.gtt(gtt, GttStatus.TRIGGERED, ["S1"])
    scene.book("S1", OrderStatus.REJECTED, price=97.5, side=Side.SELL)
    scene.seconds(3)
    assert [order.quantity for order in scene.exits()] == [100]


def test_a_target_that_fired_and_whose_price_has_gone_by_is_taken_back_and_protected_again(scene):
    gtt = scene.hold(target=4.0)
    scene.gtt(gtt, GttStatus.TRIGGERED, ["S1"])
    scene.book("S1", OrderStatus.OPEN, price=104.0, side=Side.SELL)
    scene.tick(102.0)
    assert only(scene.seconds(11), CancelOrder).order.order_id == "S1"
    scene.book("S1", OrderStatus.CANCELLED, side=Side.SELL)
    assert len(some(scene.asked, PlaceGtt)) == 2
    assert (scene.exits(), scene.rung.exit_reason) == ([], "")


def test_a_buyback_is_moved_upwards(scene):
    stop = scene.hold_intraday(side=Side.SELL)
    scene.book("G1", OrderStatus.OPEN, price=103.0, side=Side.BUY)
    scene.tick(104.0)
    assert only(scene.seconds(11), ModifyOrder).change.price == 105.0  # 1 % above 104 is 105.04
    assert scene.rung.exit is stop


def test_the_operators_limits_are_kept():
    scene = Scene()
    scene.kernel.order_store.exits = ExitEscalation(
        patience=3, widen_percent=2.0, reach_percent=3.0
    )
    order = resting_exit(scene)
    assert isinstance(scene.kernel, Kernel)
    assert moved(scene, order, 15) == [98.0, 97.0]
