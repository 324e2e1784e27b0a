"""Stops of cheap shares: the broker counts their distance in rupees, and a tick is a large part."""

import pytest

from brokers.kite.zerodha_sandbox import KITE_RULES
from compiled.model.events import (
    DeleteGtt,
    ModifyGtt,
    OperatorAct,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.values import OrderPurpose, Product, Side
from compiled.trading.ladder import AT_MARKET, LadderPlan, RungPlan, single_rung_plan
from compiled.trading.risk import RefusalReason
from compiled.trading.strategy import ManualRequest, StrategyRequest
from tests.compiled.trading.scripted import CANBK, Scene, only, some
from tests.compiled.trading.test_order_path import reject_exits


def at(price, tick=0.01):
    """Return a desk at Kite, with CANBK at a price on a grid."""
    scene = Scene(quoted=False)
    scene.kernel.state.markets[CANBK].instrument.tick_e4 = round(tick * 10_000)
    scene.kernel.order_store.trigger_distance = KITE_RULES.trigger_distance.with_clearance()
    scene.tick(price)
    return scene


def wish(scene, stop, target=0.0, product=Product.CNC):
    """Ask by hand for 100 CANBK; return the verdict."""
    plan = single_rung_plan(100, stop, target, product, False, AT_MARKET)
    asked = ManualRequest(scene.now, StrategyRequest(CANBK, Side.BUY, plan, "by hand"))
    scene.tell(asked)
    return asked.verdict


def bought(scene, price, last, **more):
    """Buy 100 at a price, heard of when the last price is another; return what that calls for."""
    order = scene.enter(**more)
    scene.accept(order, "B1")
    scene.tick(last)
    return scene.fill(order, price=price)


def triggers(gtt):
    return [leg.trigger for leg in gtt.legs]


def test_a_stop_that_the_broker_takes_is_placed():
    # 1 % below 20.00, and 13 paise below the last price
    assert triggers(only(bought(at(20.0), 20.0, 19.93, stop=1.0), PlaceGtt).gtt) == [19.8]


@pytest.mark.parametrize(
    ("last", "target", "reason"), [(19.88, 0.0, "stop"), (20.12, 1.0, "target")]
)
def test_a_share_within_nine_paise_of_its_stop_or_target_leaves_and_no_gtt_is_asked_for(
    last, target, reason
):
    # 0.4 % away from either: more than a quarter of a percent, and only 8 paise
    scene = at(20.0)
    found = bought(scene, 20.0, last, stop=1.0, target=target)
    assert some(found, PlaceGtt) == []
    assert only(found, PlaceOrder).order.purpose is OrderPurpose.EXIT
    assert scene.rung.exit_reason == reason


def test_a_stop_trails_only_to_where_the_broker_takes_it():
    scene = at(20.0)
    gtt = only(bought(scene, 20.0, 20.0, stop=1.0), PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
    scene.tick(20.2)
    # 1 % below the high of 20.20 is 19.99: eight paise below 20.07, thirteen below 20.12
    assert some(scene.tick(20.07, after=6.0), ModifyGtt) == []
    moved = only(scene.tick(20.12), ModifyGtt).gtt
    assert [leg.trigger for leg in moved.pending] == [19.99]


@pytest.mark.parametrize(
    ("price", "tick", "stop", "target", "product", "verdict"),
    [
        # ten paise is too near with the desk's clearance of a fifth, twelve is not
        (20.0, 0.01, 0.5, 0.0, Product.CNC, RefusalReason.STOP_DISTANCE),
        (20.0, 0.01, 0.6, 0.0, Product.CNC, RefusalReason.OK),
        (20.0, 0.01, 2.0, 0.5, Product.CNC, RefusalReason.STOP_DISTANCE),
        (20.0, 0.01, 2.0, 0.6, Product.CNC, RefusalReason.OK),
        # 14 paise: too near for a price that may be above ₹50 when the GTT arrives
        (49.99, 0.01, 0.27, 0.0, Product.CNC, RefusalReason.STOP_DISTANCE),
        (49.97, 0.01, 0.27, 0.0, Product.CNC, RefusalReason.OK),
        (100.0, 0.01, 0.3, 0.0, Product.CNC, RefusalReason.STOP_DISTANCE),
        (100.0, 0.01, 0.31, 0.0, Product.CNC, RefusalReason.OK),
        # a stop order may stand a tick away, and there has to be one
        (20.0, 0.01, 0.5, 0.5, Product.MIS, RefusalReason.OK),
        (0.05, 0.05, 20.0, 0.0, Product.MIS, RefusalReason.STOP_DISTANCE),
        (0.1, 0.05, 20.0, 0.0, Product.MIS, RefusalReason.OK),
        (0.05, 0.05, 20.0, 0.0, Product.CNC, RefusalReason.STOP_DISTANCE),
        (0.05, 0.05, 0.0, 0.0, Product.CNC, RefusalReason.OK),
    ],
)
def test_an_entry_whose_stop_or_target_could_not_stand_is_refused(
    price, tick, stop, target, product, verdict
):
    assert wish(at(price, tick), stop, target, product) is verdict


def test_a_stop_that_is_too_near_is_told_with_the_distance_it_lacks():
    scene = at(20.0)
    wish(scene, 0.5)
    # nine paise and a fifth
    [decision] = scene.kernel.decisions.fresh
    assert decision.detail == "a GTT stands more than ₹0.108 from ₹20.00"


@pytest.mark.parametrize("product", [Product.CNC, Product.MIS])
def test_a_stop_below_one_tick_stands_at_one_tick(product):
    # 5 % of 0.15 is less than a paisa
    found = bought(at(0.15), 0.15, 0.15, stop=95.0, product=product)
    if product is Product.CNC:
        [leg] = only(found, PlaceGtt).gtt.legs
        assert (leg.trigger, leg.price) == (0.01, 0.01)
    else:
        assert only(found, PlaceOrder).order.trigger == 0.01


def stuck(last):
    """Return a desk whose exit is rejected again and again, and what its stop was asked for."""
    scene = at(20.0)
    gtt = only(bought(scene, 20.0, 20.0, stop=0.6), PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
    scene.tick(last)
    asked = len(scene.asked)
    scene.operate(OperatorAct.EXIT, token=CANBK)
    [gone] = some(scene.asked[asked:], DeleteGtt)
    scene.answer(gone.gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL)
    reject_exits(scene, 25)
    return scene, [triggers(each.gtt) for each in some(scene.asked[asked:], PlaceGtt)]


def test_a_stop_given_back_stands_where_the_broker_takes_it():
    # 0.6 % of 12.00 is 7 paise; the desk's least distance of 10.8 and a tick leave 11.88
    _, asked = stuck(12.0)
    assert asked
    assert asked == [[11.88]] * len(asked)


def test_where_no_stop_can_stand_none_is_asked_for_and_the_shares_count_as_naked():
    scene, asked = stuck(0.11)
    assert asked == []
    assert scene.kernel.view.naked() == 1
    assert scene.rung.leaving


def test_before_the_first_price_each_rung_counts_at_its_own_average():
    scene = Scene()
    plan = LadderPlan([RungPlan(0.0, 2.0), RungPlan(1.0, 2.0)], 0, quantity=100)
    first = only(scene.act(lambda ctx: ctx.ladder(CANBK, Side.BUY, plan)), PlaceOrder).order
    scene.fill(first, "B1", 100.0)
    second = only(scene.tick(102.0), PlaceOrder).order
    scene.fill(second, "B2", 110.0)
    scene.kernel.state.markets[CANBK].last = 0.0  # as after a restart
    # 100 at 100.00 and 100 at 110.00
    assert scene.kernel.view.limit_census().desk.exposure == 21_000_00
