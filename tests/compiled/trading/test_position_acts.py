"""A part of a position leaves, its stop moves, a rung is added: what is left stays protected."""

import pytest

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    KernelAlert,
    ModifyGtt,
    ModifyOrder,
    OperatorAct,
    PartExit,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    StopMove,
)
from compiled.model.values import GttStatus, OrderPurpose, OrderStatus, Product, Side
from compiled.trading.ladder import RungState
from compiled.trading.risk import RefusalReason, RiskLimits
from compiled.trading.strategy import RungAddition
from tests.compiled.trading.scripted import CANBK, CLOSE, Scene, only, some

ACCEPTED, REFUSED = RequestOutcome.ACCEPTED, RequestOutcome.REFUSED


@pytest.fixture
def scene():
    return Scene()


def part(scene, quantity):
    event = PartExit(scene.now, scene.rung.rung_id, quantity)
    return event, scene.tell(event)


def move(scene, stop=0.0, target=-1.0):
    event = StopMove(scene.now, scene.rung.rung_id, stop, target)
    return event, scene.tell(event)


def gtt_modified(scene, gtt):
    return scene.answer(gtt.intent, ACCEPTED, "7", RequestVerb.MODIFY)


def stop_modified(scene, stop):
    return scene.answer(stop.intent, ACCEPTED, "G1", RequestVerb.MODIFY)


def leave_forty(scene, gtt):
    """Have forty of a hundred shares leave; return their order, that is on its way."""
    scene.seconds(5)
    part(scene, 40)
    return only(gtt_modified(scene, gtt), PlaceOrder).order


# a part leaves


def test_the_stop_is_made_smaller_before_the_part_is_sold_beside_it(scene):
    gtt = scene.hold()
    scene.seconds(5)
    event, found = part(scene, 40)
    assert event.fault == ""
    assert [leg.quantity for leg in only(found, ModifyGtt).gtt.pending] == [60]
    assert some(found, PlaceOrder) == []
    order = only(gtt_modified(scene, gtt), PlaceOrder).order
    assert (order.side, order.quantity, order.purpose) == (Side.SELL, 40, OrderPurpose.EXIT)
    scene.fill(order, "X1")
    assert (scene.rung.quantity, scene.rung.part, scene.rung.part_exit) == (60, 0, None)
    assert (scene.rung.state, gtt.legs[0].quantity) == (RungState.OPEN, 60)
    assert scene.kernel.view.naked() == 0
    assert scene.seconds(10) == []


def test_the_rest_is_under_its_stop_at_every_moment(scene):
    gtt = scene.hold()
    order = leave_forty(scene, gtt)
    assert gtt.live
    assert gtt.legs[0].quantity == 60
    scene.accept(order, "X1")
    assert scene.kernel.view.naked() == 0
    scene.book("X1", OrderStatus.OPEN, 15, quantity=40, side=Side.SELL)
    scene.trade("t1", "X1", 15, 100.0, Side.SELL)
    # 85 are left: 60 under the stop, 25 in the exit
    assert (scene.rung.present, scene.rung.staying, scene.rung.part) == (85, 60, 25)
    assert scene.seconds(3) == []


def test_a_stop_order_at_the_exchange_is_made_smaller_first_as_well(scene):
    stop = scene.hold_intraday()
    _, found = part(scene, 40)
    assert some(found, PlaceOrder) == []
    change = only(found or scene.seconds(1), ModifyOrder).change
    assert (change.quantity, change.trigger) == (60, 0.0)
    order = only(stop_modified(scene, stop), PlaceOrder).order
    assert (order.quantity, order.product) == (40, Product.MIS)
    scene.fill(order, "X1")
    assert (scene.rung.quantity, stop.quantity) == (60, 60)
    assert scene.kernel.view.naked() == 0


def test_what_a_part_has_not_sold_stays_and_its_stop_is_made_whole(scene):
    gtt = scene.hold()
    order = leave_forty(scene, gtt)
    scene.accept(order, "X1")
    scene.trade("t1", "X1", 15, 100.0, Side.SELL)
    scene.book("X1", OrderStatus.CANCELLED, 15, quantity=40, side=Side.SELL)
    found = scene.seconds(2)
    assert [leg.quantity for leg in only(found, ModifyGtt).gtt.pending] == [85]
    told = [c.text for c in scene.asked if isinstance(c, KernelAlert) and c.name == "part_stays"]
    assert told == ["CANBK: 25 shares did not leave and stay"]


def test_a_refused_part_is_not_asked_for_again(scene):
    gtt = scene.hold()
    order = leave_forty(scene, gtt)
    scene.answer(order.intent, REFUSED, reason="not now")
    found = scene.seconds(5)
    assert some(found, PlaceOrder) == []
    assert (scene.rung.part, scene.rung.retry_at) == (0, 0)
    assert [leg.quantity for leg in gtt.pending] == [100]


def test_an_exit_of_everything_waits_for_the_part_to_be_over(scene):
    gtt = scene.hold()
    order = leave_forty(scene, gtt)
    scene.accept(order, "X1")
    found = scene.operate(OperatorAct.EXIT, token=CANBK)
    assert only(found, CancelOrder).order is order
    assert only(found, DeleteGtt).gtt is gtt
    assert some(scene.answer(gtt.intent, ACCEPTED, "7", RequestVerb.CANCEL), PlaceOrder) == []
    scene.trade("t1", "X1", 15, 100.0, Side.SELL)
    found = scene.book("X1", OrderStatus.CANCELLED, 15, quantity=40, side=Side.SELL)
    assert only(found, PlaceOrder).order.quantity == 85


def test_a_stop_that_fires_beside_the_exit_of_a_part_sells_no_more_than_the_others(scene):
    gtt = scene.hold()
    order = leave_forty(scene, gtt)
    scene.accept(order, "X1")
    scene.gtt(gtt, GttStatus.TRIGGERED, ["S1"])
    scene.book("S1", OrderStatus.COMPLETE, 60, "", 60, 97.5, Side.SELL)
    scene.trade("t2", "S1", 60, 97.5, Side.SELL)
    assert scene.rung.quantity == 40
    # the rest leaves by the stop's reason, once its own order is certain to be over
    assert scene.exits() == [order]
    found = scene.book("X1", OrderStatus.CANCELLED, 0, quantity=40, side=Side.SELL)
    assert only(found, PlaceOrder).order.quantity == 40


def test_a_part_waits_where_the_stop_has_fired_and_its_order_is_not_seen_yet(scene):
    gtt = scene.hold()
    scene.seconds(5)
    part(scene, 40)
    scene.gtt(gtt, GttStatus.TRIGGERED)
    scene.seconds(5)
    assert scene.exits() == []


def test_a_lost_part_that_arrives_after_all_is_cancelled(scene):
    gtt = scene.hold()
    order = leave_forty(scene, gtt)
    scene.answer(order.intent, RequestOutcome.LOST)
    scene.seconds(1)
    # an exit of everything would not wait for it
    assert scene.rung.doubt_until == 0
    found = scene.book("X1", OrderStatus.OPEN, 0, order.tag, 40, side=Side.SELL)
    assert only(found, CancelOrder).order is order


def test_all_the_shares_leave_as_the_whole_does(scene):
    scene.hold()
    event, found = part(scene, 100)
    assert event.fault == ""
    only(found, DeleteGtt)
    assert (scene.rung.leaving, scene.rung.exit_reason) == (True, "operator")


@pytest.mark.parametrize(
    ("quantity", "why"),
    [
        (0, "0 cannot leave: it holds 100"),
        (-5, "-5 cannot leave: it holds 100"),
        (101, "101 cannot leave: it holds 100"),
    ],
)
def test_more_than_is_held_cannot_leave(scene, quantity, why):
    scene.hold()
    event, found = part(scene, quantity)
    assert (event.fault, found) == (why, [])


def test_a_part_is_whole_lots(scene):
    scene.hold()
    scene.kernel.state.markets[CANBK].instrument.lot = 25
    assert part(scene, 40)[0].fault == "40 is no multiple of the lot of 25"
    assert part(scene, 50)[0].fault == ""


def test_one_part_at_a_time(scene):
    gtt = scene.hold()
    leave_forty(scene, gtt)
    assert part(scene, 10)[0].fault == "a part of it is leaving already"


def test_a_part_goes_nowhere_after_the_close():
    scene = Scene(now=CLOSE - 61 * 10**9, close=CLOSE)
    scene.hold()
    scene.now = CLOSE + 3_600 * 10**9
    assert part(scene, 40)[0].fault == "nothing can leave before the next session"


def test_a_price_too_near_to_the_stop_leaves_everything_as_it_stands(scene):
    gtt = scene.hold()
    scene.tick(98.1, after=6)
    scene.rung.moved = scene.now
    _, found = part(scene, 40)
    assert some(found, ModifyGtt) == []
    scene.seconds(2)
    assert (scene.rung.part, scene.rung.leaving, gtt.legs[0].quantity) == (0, False, 100)


# stop and target


def test_a_stop_moves_at_once_and_trails_on_at_its_new_distance(scene):
    gtt = scene.hold()
    _, found = move(scene, 99.0)
    assert only(found, ModifyGtt).gtt.pending[0].trigger == 99.0
    gtt_modified(scene, gtt)
    assert (scene.rung.stop, scene.rung.hand_stop) == (99.0, 0.0)
    # a rupee below the best price of 100 is one percent: 104 makes it 102.96, on the grid below
    found = scene.tick(104.0, after=6)
    assert only(found, ModifyGtt).gtt.pending[0].trigger == 102.95


def test_a_stop_may_be_put_farther_away_and_stays_there(scene):
    gtt = scene.hold()
    _, found = move(scene, 95.0)
    assert only(found, ModifyGtt).gtt.pending[0].trigger == 95.0
    gtt_modified(scene, gtt)
    assert scene.seconds(10) == []
    assert scene.rung.stop == 95.0


def test_a_stop_order_is_moved_by_a_modification(scene):
    stop = scene.hold_intraday()
    _, found = move(scene, 99.0)
    assert only(found, ModifyOrder).change.trigger == 99.0
    stop_modified(scene, stop)
    assert (scene.rung.stop, stop.trigger) == (99.0, 99.0)
    _, found = move(scene, 97.0)
    assert only(found, ModifyOrder).change.trigger == 97.0
    stop_modified(scene, stop)
    assert (scene.rung.stop, scene.rung.hand_stop) == (97.0, 0.0)


def test_a_short_stop_is_put_above_the_price(scene):
    scene.hold_intraday(side=Side.SELL)
    assert move(scene, 99.0)[0].fault == "stop: ₹99.00 is not above the last price of ₹100.00"
    assert only(move(scene, 101.0)[1], ModifyOrder).change.trigger == 101.0


def test_a_stop_that_is_asked_for_while_another_change_is_under_way_follows_it(scene):
    gtt = scene.hold()
    scene.tick(103.0, after=6)
    assert gtt.pending[0].trigger == 100.9
    _, found = move(scene, 96.0)
    assert some(found, ModifyGtt) == []
    found = gtt_modified(scene, gtt)
    assert only(found, ModifyGtt).gtt.pending[0].trigger == 96.0


def test_a_refused_move_leaves_stop_and_distance_as_they_stand(scene):
    gtt = scene.hold(target=5.0)
    move(scene, 99.0, 110.0)
    found = scene.answer(gtt.intent, REFUSED, "7", RequestVerb.MODIFY, reason="no")
    assert some(found, ModifyGtt) == []
    assert (scene.rung.stop, scene.rung.hand_stop, scene.rung.target) == (98.0, 0.0, 105.0)
    assert scene.rung.plan.stop_percent == pytest.approx(2.0)
    assert some(scene.seconds(20), ModifyGtt) == []


def test_a_target_is_added_moved_and_taken_away_beside_the_stop(scene):
    gtt = scene.hold()
    assert [leg.trigger for leg in only(move(scene, 0.0, 105.0)[1], ModifyGtt).gtt.pending] == [
        98.0,
        105.0,
    ]
    gtt_modified(scene, gtt)
    move(scene, 0.0, 106.0)
    gtt_modified(scene, gtt)
    assert [leg.trigger for leg in gtt.legs] == [98.0, 106.0]
    move(scene, 0.0, 0.0)
    gtt_modified(scene, gtt)
    assert [leg.trigger for leg in gtt.legs] == [98.0]


def test_a_bare_position_gets_a_stop(scene):
    scene.fill(scene.enter(stop=0.0))
    assert move(scene, 0.0, 105.0)[0].fault == "it has no stop: a target stands beside one"
    _, found = move(scene, 97.0)
    assert only(found, PlaceGtt).gtt.legs[0].trigger == 97.0


@pytest.mark.parametrize(
    ("stop", "target", "why"),
    [
        (98.03, -1.0, "stop: ₹98.0300 is no multiple of ₹0.05"),
        (100.0, -1.0, "stop: ₹100.00 is not below the last price of ₹100.00"),
        (99.8, -1.0, "stop: a GTT stands more than ₹0.300 from the last ₹100.00"),
        (0.0, 99.0, "target: ₹99.00 is not above the last price of ₹100.00"),
        (0.0, 100.2, "target: a GTT stands more than ₹0.300 from the last ₹100.00"),
        (float("nan"), float("nan"), ""),
    ],
)
def test_a_stop_that_cannot_stand_is_refused_with_its_figures(scene, stop, target, why):
    scene.hold()
    event, found = move(scene, stop, target)
    assert (event.fault, some(found, ModifyGtt)) == (why, [])


def test_a_stop_order_stands_within_the_band(scene):
    scene.hold_intraday()
    instrument = scene.kernel.state.markets[CANBK].instrument
    instrument.lower, instrument.upper = 97.0, 110.0
    assert move(scene, 96.0)[0].fault == "stop: ₹96.00 is outside the day's band, ₹97.00 to ₹110.00"


def test_one_ladder_of_a_shared_plan_is_changed_alone(scene):
    gtt = scene.hold()
    ladder = scene.kernel.state.owners[scene.rung.ladder_id]
    before = ladder.plan
    move(scene, 99.0)
    gtt_modified(scene, gtt)
    assert before.rungs[0].stop_percent == 2.0
    assert ladder.plan.rungs[0] is scene.rung.plan


# a rung more


def add(scene, quantity=50, stop=1.0):
    ladder = scene.kernel.state.owners[scene.rung.ladder_id]
    event = RungAddition(scene.now, ladder.ladder_id, quantity, stop)
    scene.tell(event)
    return event, ladder


def test_a_rung_is_added_at_the_market_with_a_stop_of_its_own(scene):
    scene.hold()
    event, ladder = add(scene)
    assert event.verdict is RefusalReason.OK
    assert (event.order.quantity, event.order.side, event.order.strategy) == (
        50,
        Side.BUY,
        "script",
    )
    found = scene.fill(event.order, "B2")
    leg = only(found, PlaceGtt).gtt.legs[0]
    assert (leg.trigger, leg.quantity) == (99.0, 50)
    assert [rung.number for rung in ladder.rungs] == [1, 2]
    assert len(ladder.plan.rungs) == 2
    numbers = {rung.rung_id for rung in ladder.rungs}
    assert len(numbers) == 2
    assert scene.kernel.state.next_number > max(numbers)


def test_an_added_rung_is_under_the_limits():
    scene = Scene(limits=RiskLimits(max_positions=1))
    scene.hold()
    event, ladder = add(scene)
    assert (event.verdict, event.detail) == (RefusalReason.POSITIONS, "1 of 1")
    assert (event.order, len(ladder.rungs), len(ladder.plan.rungs)) == (None, 1, 1)


def test_an_added_rung_has_numbers_that_an_order_may_have(scene):
    scene.hold()
    event, _ = add(scene, stop=200.0)
    assert event.verdict is RefusalReason.BOUNDS


def test_no_rung_is_added_to_what_leaves(scene):
    scene.hold()
    scene.operate(OperatorAct.EXIT, token=CANBK)
    assert add(scene)[0].verdict is RefusalReason.NOT_WORKING


# GTTs are counted


def test_an_entry_whose_stop_would_be_one_gtt_too_many_is_refused(scene):
    out = scene.kernel.order_store
    out.most_gtts, out.foreign_gtts = 4, 2
    scene.hold()
    assert scene.kernel.view.gtts_needed() == 3
    event, _ = add(scene)
    assert event.verdict is RefusalReason.OK
    # the one on its way will need its own
    event, _ = add(scene)
    assert event.verdict is RefusalReason.GTTS
    assert event.detail == "4 of 4 GTTs stand, or are on their way"


def test_intraday_entries_need_no_gtt(scene):
    scene.kernel.order_store.most_gtts = 1
    scene.kernel.order_store.foreign_gtts = 1
    scene.hold_intraday()
    assert scene.account == 100
