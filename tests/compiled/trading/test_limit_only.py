"""A broker that takes LIMIT orders only.

Entries by hand, exits as limits that trade, nothing protected, nothing asked for in vain.
"""

import pytest

from compiled.model.events import (
    ModifyOrder,
    OperatorAct,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    ShareAdoption,
)
from compiled.model.order_terms import PLAIN, OrderTerms, Variety
from compiled.model.values import OrderStatus, OrderType, Product, Side, Validity
from compiled.trading.ladder import EntryPlan, entry_plan, single_rung_plan
from compiled.trading.risk import RefusalReason
from compiled.trading.strategy import ManualRequest, StrategyRequest
from tests.compiled.trading.scripted import CANBK, Scene, only, some

AT_100 = EntryPlan(OrderType.LIMIT, 100.0)


@pytest.fixture
def scene():
    made = Scene()
    made.kernel.order_store.limit_only = True
    return made


def wish(scene, entry=AT_100, stop=0.0, product=Product.CNC):
    """Ask by hand for 100 CANBK; return the verdict and the order, if there is one."""
    asked = ManualRequest(
        scene.now,
        StrategyRequest(
            CANBK, Side.BUY, single_rung_plan(100, stop, 0.0, product, False, entry), "by hand"
        ),
    )
    placed = some(scene.tell(asked), PlaceOrder)
    return asked.verdict, placed[0].order if placed else None


def held(scene, product=Product.CNC):
    verdict, order = wish(scene, product=product)
    assert verdict is RefusalReason.OK
    assert (order.order_type, order.price) == (OrderType.LIMIT, 100.0)
    return scene.fill(order)


@pytest.mark.parametrize(
    ("entry", "stop"),
    [
        (EntryPlan(), 0.0),
        (AT_100, 2.0),
        (entry_plan(0.0, 101.0, Validity.DAY, -1.0, PLAIN), 0.0),
        (entry_plan(101.0, 101.0, Validity.DAY, -1.0, PLAIN), 0.0),
        (entry_plan(100.0, 0.0, Validity.DAY, -1.0, OrderTerms(Variety.ICEBERG, legs=2)), 0.0),
    ],
)
def test_anything_but_a_plain_limit_without_a_stop_is_refused(scene, entry, stop):
    assert wish(scene, entry, stop) == (RefusalReason.LIMIT_ONLY, None)


def test_a_strategy_does_not_enter(scene):
    bare = single_rung_plan(100, 0.0, 0.0, Product.CNC, False, AT_100)
    for plan in (bare, single_rung_plan(100, 2.0, 0.0, Product.CNC, True, EntryPlan())):
        assert (
            some(scene.act(lambda ctx, plan=plan: ctx.ladder(CANBK, Side.BUY, plan)), PlaceOrder)
            == []
        )
    assert scene.kernel.state.refusal_count == 2
    assert {each.verdict for each in scene.kernel.decisions.fresh} == {RefusalReason.LIMIT_ONLY}


@pytest.mark.parametrize("product", [Product.CNC, Product.MIS])
def test_nothing_is_asked_for_to_protect_it_and_it_counts_as_naked(scene, product):
    asked = [*held(scene, product), *scene.seconds(60), *scene.tick(60.0), *scene.tick(140.0)]
    assert some(asked, PlaceOrder) == some(asked, PlaceGtt) == []
    assert scene.kernel.view.naked() == 1


def test_an_exit_is_a_limit_one_percent_beyond_the_last_price_and_is_pressed_from_there(scene):
    held(scene)
    scene.tick(98.0)
    order = only(scene.operate(OperatorAct.EXIT, token=CANBK), PlaceOrder).order
    # 97.02, up to the grid
    assert (order.side, order.order_type, order.price) == (Side.SELL, OrderType.LIMIT, 97.05)
    scene.accept(order, "S1")
    scene.book("S1", OrderStatus.OPEN, 0, order.tag, 100, 97.05, Side.SELL)
    prices = []
    for _ in range(120):
        for command in some(scene.timer(), ModifyOrder):
            prices.append(command.change.price)
            scene.answer(order.intent, RequestOutcome.ACCEPTED, "S1", RequestVerb.MODIFY)
    assert prices == [96.05, 95.1, 94.1, 93.1]  # 2, 3, 4 and 5 %


def test_it_stays_within_the_days_band(scene):
    held(scene)
    scene.kernel.state.markets[CANBK].instrument.lower = 97.5
    scene.tick(98.0)
    assert only(scene.operate(OperatorAct.EXIT, token=CANBK), PlaceOrder).order.price == 97.5


def test_flattening_cancels_what_rests_and_sells_what_is_held_at_limits(scene):
    held(scene)
    _, rests = wish(scene)
    scene.accept(rests, "B2")
    asked = scene.operate(OperatorAct.FLATTEN, reason="enough")
    order = only(asked, PlaceOrder).order
    assert (order.side, order.order_type, order.price) == (Side.SELL, OrderType.LIMIT, 99.0)
    assert rests.cancelling


def test_without_a_price_an_exit_waits_and_says_so_once(scene):
    held(scene)
    market = scene.kernel.state.markets[CANBK]
    market.ltp = market.last = 0.0
    asked = [*scene.operate(OperatorAct.EXIT, token=CANBK), *scene.seconds(5)]
    assert some(asked, PlaceOrder) == []
    assert [each.text for each in asked if getattr(each, "name", "") == "carried"] == [
        "its exit waits for a price: this broker takes LIMIT orders only"
    ]
    assert only(scene.tick(98.0), PlaceOrder).order.price == 97.05


def test_shares_that_are_taken_on_get_no_stop(scene):
    asked = scene.tell(
        ShareAdoption(
            scene.now, CANBK, Product.CNC, 10, 100.0, "adopted", 5.0, True, False, 0, None
        )
    )
    assert some([*asked, *scene.seconds(30)], PlaceGtt) == []
    assert scene.kernel.view.naked() == 1
