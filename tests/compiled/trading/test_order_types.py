"""Orders of every kind: requests, the broker's answers, and refusals before they leave."""

import pytest

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    ModifyGtt,
    ModifyOrder,
    OperatorAct,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.order_terms import PLAIN, OrderChange, OrderTerms, Variety
from compiled.model.values import (
    MINUTE,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    Validity,
)
from compiled.trading.ladder import entry_plan, single_rung_plan
from compiled.trading.risk import RefusalReason, RiskLimits
from compiled.trading.strategy import BARE, ManualRequest, StrategyRequest
from tests.compiled.trading.scripted import BEL, CANBK, CLOSE, Scene, only, some


@pytest.fixture
def scene():
    return Scene()


def buy(scene, quantity=100, stop=2.0, **more):
    """Ask for shares as a strategy does; return the order, not answered yet."""
    return only(scene.act(lambda ctx: ctx.buy(CANBK, quantity, stop, **more)), PlaceOrder).order


def refused(scene, call):
    """Return whether a request came to nothing."""
    before = scene.kernel.state.refusal_count
    return (
        some(scene.act(call), PlaceOrder) == [] and scene.kernel.state.refusal_count == before + 1
    )


# kinds


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, OrderType.MARKET),
        ({"price": 99.5}, OrderType.LIMIT),
        ({"trigger": 101.0}, OrderType.SLM),
        ({"trigger": 101.0, "price": 101.5}, OrderType.SL),
    ],
)
def test_prices_say_what_kind_of_order_it_is(scene, more, kind):
    order = buy(scene, **more)
    assert (order.order_type, order.price, order.trigger) == (
        kind,
        more.get("price", 0.0),
        more.get("trigger", 0.0),
    )
    assert (order.purpose, order.side, order.quantity, order.validity) == (
        OrderPurpose.ENTRY,
        Side.BUY,
        100,
        Validity.DAY,
    )


def test_every_term_of_an_order_reaches_the_order(scene):
    terms = OrderTerms(minutes=5, disclosed=10)
    order = buy(scene, price=99.5, validity=Validity.TTL, terms=terms, protection=1.5)
    assert (order.validity, order.terms.minutes, order.terms.disclosed, order.protection) == (
        Validity.TTL,
        5,
        10,
        1.5,
    )


def test_a_limit_order_rests_for_its_day_and_a_market_order_for_seconds(scene):
    order = buy(scene, price=99.5)
    scene.accept(order, "B1")
    scene.seconds(3)
    assert some(scene.timer(600), CancelOrder) == []
    assert not scene.kernel.view.has_work()
    scene.tick(200.0, BEL)
    market = only(scene.act(lambda ctx: ctx.buy(BEL, 1, 2.0)), PlaceOrder).order
    scene.accept(market, "B2")
    assert only(scene.timer(31), CancelOrder).order is market


def test_a_filled_limit_order_is_protected_like_any_other(scene):
    order = buy(scene, price=99.5)
    gtt = only(scene.fill(order, price=99.5), PlaceGtt).gtt
    assert [(leg.trigger, leg.quantity) for leg in gtt.legs] == [(97.5, 100)]


def test_a_bare_order_is_bare_because_it_says_so(scene):
    scene.fill(buy(scene, stop=BARE))
    scene.seconds(10)
    assert (some(scene.asked, PlaceGtt), scene.kernel.view.naked()) == ([], 0)


def test_a_time_to_live_order_is_cancelled_even_where_the_broker_forgets(scene):
    order = buy(scene, price=99.5, validity=Validity.TTL, terms=OrderTerms(minutes=2))
    scene.accept(order, "B1")
    assert some(scene.timer(120), CancelOrder) == []
    assert only(scene.timer(6), CancelOrder).order is order


def test_an_immediate_order_that_finds_nobody_is_over(scene):
    order = buy(scene, price=99.5, validity=Validity.IOC)
    scene.accept(order, "B1")
    scene.book("B1", OrderStatus.CANCELLED)
    assert scene.kernel.view.open_positions() == 0
    assert not scene.kernel.state.ladders


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"price": 99.52}, RefusalReason.TICK),
        ({"price": 99.5, "trigger": 101.02}, RefusalReason.TERMS),
        ({"price": 80.0}, RefusalReason.PRICE_RANGE),
        ({"price": 99.5, "validity": Validity.TTL}, RefusalReason.TERMS),
        ({"price": 99.5, "terms": OrderTerms(minutes=5)}, RefusalReason.TERMS),
        ({"price": 99.5, "terms": OrderTerms(disclosed=9)}, RefusalReason.TERMS),
        ({"terms": OrderTerms(Variety.ICEBERG, legs=4)}, RefusalReason.TERMS),
        ({"price": 99.5, "terms": OrderTerms(Variety.ICEBERG, legs=51)}, RefusalReason.TERMS),
        ({"price": 99.5, "terms": OrderTerms(Variety.COVER)}, RefusalReason.TERMS),
        ({"price": 99.5, "terms": OrderTerms(Variety.AUCTION, auction="1")}, RefusalReason.TERMS),
        ({"price": 99.5, "terms": OrderTerms(Variety.AMO)}, RefusalReason.SESSION),
    ],
)
def test_terms_that_do_not_go_together_are_refused_before_anything_is_sent(more, reason):
    scene = Scene(limits=RiskLimits(price_range_percent=5.0))
    assert refused(scene, lambda ctx: ctx.buy(CANBK, 100, 2.0, **more))
    assert [alert.text for alert in scene.asked if getattr(alert, "name", "") == "refused"] == [
        f"script CANBK: {reason.name}"
    ]


# modify and cancel


def working_limit(scene):
    order = buy(scene, price=99.5)
    scene.accept(order, "B1")
    return order


def test_a_working_order_is_modified_and_keeps_the_old_price_until_the_broker_agrees(scene):
    order = working_limit(scene)
    found = scene.act(lambda ctx: ctx.modify(ctx.orders(CANBK)[0], 120, 99.8))
    command = only(found, ModifyOrder)
    assert (command.order, command.change.quantity, command.change.price) == (order, 120, 99.8)
    assert (order.price, order.quantity) == (99.5, 100)
    scene.answer(order.intent, RequestOutcome.ACCEPTED, "B1", RequestVerb.MODIFY)
    assert (order.price, order.quantity, order.modifies, order.pending) == (99.8, 120, 1, None)


def test_the_last_of_several_wishes_is_sent_when_the_broker_has_answered(scene):
    order = working_limit(scene)
    for price in (99.6, 99.7, 99.8):
        scene.act(lambda ctx, price=price: ctx.modify(order, price=price))
    assert [command.change.price for command in some(scene.asked, ModifyOrder)] == [99.6]
    found = scene.answer(order.intent, RequestOutcome.ACCEPTED, "B1", RequestVerb.MODIFY)
    assert only(found, ModifyOrder).change.price == 99.8


def test_a_change_of_an_order_whose_id_is_not_known_yet_waits_for_it(scene):
    order = buy(scene, price=99.5)
    assert some(scene.act(lambda ctx: ctx.modify(order, price=99.8)), ModifyOrder) == []
    assert only(scene.accept(order, "B1"), ModifyOrder).change.price == 99.8


def test_a_refused_modification_leaves_the_order_as_it_was(scene):
    order = working_limit(scene)
    scene.act(lambda ctx: ctx.modify(order, price=99.8))
    scene.answer(
        order.intent,
        RequestOutcome.REFUSED,
        "B1",
        RequestVerb.MODIFY,
        "OrderException: being processed",
    )
    assert (order.price, order.pending, order.status) == (99.5, None, OrderStatus.OPEN)


def test_a_modification_of_unknown_outcome_is_settled_by_the_book(scene):
    order = working_limit(scene)
    scene.act(lambda ctx: ctx.modify(order, 120, 99.8))
    scene.answer(order.intent, RequestOutcome.UNKNOWN, "B1", RequestVerb.MODIFY, "timeout")
    scene.book("B1", OrderStatus.OPEN, price=99.8, quantity=120)
    assert (order.price, order.quantity, order.pending) == (99.8, 120, None)


def test_a_filled_order_is_not_modified(scene):
    order = working_limit(scene)
    scene.book("B1", OrderStatus.COMPLETE, 100)
    assert refused(scene, lambda ctx: ctx.modify(order, price=99.8))


def test_a_modification_that_crosses_the_fill_changes_nothing(scene):
    order = working_limit(scene)
    scene.act(lambda ctx: ctx.modify(order, 120))
    scene.trade("t1", "B1", 100, 99.5)
    scene.book("B1", OrderStatus.COMPLETE, 100)
    scene.answer(order.intent, RequestOutcome.ACCEPTED, "B1", RequestVerb.MODIFY)
    assert (order.quantity, order.status, scene.rung.quantity) == (100, OrderStatus.COMPLETE, 100)


def test_a_cancellation_that_crosses_a_fill_leaves_a_protected_position(scene):
    order = working_limit(scene)
    found = scene.act(lambda ctx: ctx.cancel(order))
    assert only(found, CancelOrder).order is order
    scene.answer(
        order.intent,
        RequestOutcome.REFUSED,
        "B1",
        RequestVerb.CANCEL,
        "OrderException: already complete",
    )
    scene.book("B1", OrderStatus.COMPLETE, 100)
    assert only(scene.trade("t1", "B1", 100, 99.5), PlaceGtt).gtt.legs[0].quantity == 100


def test_what_a_cancelled_order_had_bought_stays_and_is_protected(scene):
    order = working_limit(scene)
    scene.trade("t1", "B1", 30, 99.5)
    scene.act(lambda ctx: ctx.cancel(order))
    scene.book("B1", OrderStatus.CANCELLED, 30)
    assert (scene.rung.quantity, len(some(scene.asked, PlaceGtt))) == (30, 1)


def test_an_order_is_modified_as_often_as_the_governor_allows_and_no_more(scene):
    scene.kernel.order_store.modifies = 3
    order = working_limit(scene)
    for step in range(1, 4):
        scene.act(lambda ctx, step=step: ctx.modify(order, price=99.5 + step / 10))
        scene.answer(order.intent, RequestOutcome.ACCEPTED, "B1", RequestVerb.MODIFY)
    assert refused(scene, lambda ctx: ctx.modify(order, price=99.0))
    assert len(some(scene.asked, ModifyOrder)) == 3


def test_a_busy_brokers_refusal_does_not_use_up_a_modification(scene):
    order = working_limit(scene)
    scene.act(lambda ctx: ctx.modify(order, price=99.8))
    scene.answer(
        order.intent, RequestOutcome.BUSY, "B1", RequestVerb.MODIFY, "busy: Too many requests"
    )
    assert order.modifies == 0


def test_an_order_that_would_grow_beyond_the_limits_is_not_modified():
    scene = Scene(limits=RiskLimits(max_exposure=1_100_000))
    order = buy(scene, price=99.5)
    scene.accept(order, "B1")
    assert refused(scene, lambda ctx: ctx.modify(order, 120))
    assert len(some(scene.act(lambda ctx: ctx.modify(order, 105)), ModifyOrder)) == 1


def test_after_the_halt_nothing_is_modified(scene):
    order = working_limit(scene)
    scene.kernel.state.halted = True
    assert refused(scene, lambda ctx: ctx.modify(order, 120))


def test_a_strategy_does_not_touch_the_desks_own_orders(scene):
    stop = scene.hold_intraday()
    assert refused(scene, lambda ctx: ctx.modify(stop, trigger=90.0))
    assert refused(scene, lambda ctx: ctx.cancel(stop))


# icebergs and slices: several orders of one request


def iceberg(scene):
    order = buy(scene, price=99.5, terms=OrderTerms(Variety.ICEBERG, legs=3))
    scene.accept(order, "B1")
    return order


def test_the_legs_of_an_iceberg_are_one_entry(scene):
    order = iceberg(scene)
    for leg, (order_id, quantity) in enumerate((("B1", 34), ("B2", 34), ("B3", 32)), start=1):
        scene.book(order_id, OrderStatus.OPEN, 0, order.tag, quantity)
        scene.trade(f"t{leg}", order_id, quantity, 99.5)
        scene.book(order_id, OrderStatus.COMPLETE, quantity, order.tag, quantity)
    assert (scene.account, scene.rung.quantity, scene.alarms()) == (100, 100, [])
    # the stop was asked for with the first leg's shares and has no answer yet: all hundred are
    # bare, and it grows with them
    assert scene.kernel.view.naked() == 1
    gtt = only(scene.asked, PlaceGtt).gtt
    assert scene.rung.entry.status is OrderStatus.COMPLETE
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
    grown = only(scene.seconds(6), ModifyGtt).gtt
    assert [leg.quantity for leg in grown.pending] == [100]


def test_between_two_legs_an_iceberg_is_not_taken_for_complete(scene):
    order = iceberg(scene)
    scene.trade("t1", "B1", 34, 99.5)
    scene.book("B1", OrderStatus.COMPLETE, 34, order.tag, 34)
    gtt = only(scene.asked, PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
    assert scene.kernel.view.has_work()
    scene.book("B2", OrderStatus.OPEN, 0, order.tag, 34)
    assert [
        command.order.order_id
        for command in some(scene.act(lambda ctx: ctx.cancel(order.sibling)), CancelOrder)
    ] == ["B2"]


def test_a_halt_between_two_legs_cancels_the_next_one_when_it_shows(scene):
    order = iceberg(scene)
    scene.trade("t1", "B1", 34, 99.5)
    scene.book("B1", OrderStatus.COMPLETE, 34, order.tag, 34)
    scene.operate(OperatorAct.HALT)
    scene.book("B2", OrderStatus.OPEN, 0, order.tag, 34)
    assert [command.order.order_id for command in some(scene.seconds(2), CancelOrder)] == ["B2"]


def test_all_slices_of_an_order_are_one_entry_and_a_missing_one_is_told(scene):
    order = buy(scene, price=99.5, terms=OrderTerms(autoslice=True))
    scene.tell(
        scene.answered(
            order,
            RequestOutcome.ACCEPTED,
            "B1",
            reason="1 slices are missing: MarginException: no",
            parts=2,
        )
    )
    assert "slices" in scene.alarms()
    scene.book("B1", OrderStatus.COMPLETE, 60, order.tag, 60)
    scene.trade("t1", "B1", 60, 99.5)
    scene.seconds(2)
    assert scene.kernel.view.has_work()
    scene.trade("t2", "B2", 30, 99.5)
    scene.book("B2", OrderStatus.COMPLETE, 30, order.tag, 30)
    assert (scene.account, scene.rung.quantity) == (90, 90)
    gtt = scene.rung.gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
    scene.seconds(6)
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.MODIFY)
    assert (scene.kernel.view.naked(), scene.kernel.view.has_work()) == (0, False)


def test_a_leg_on_the_other_side_is_nobody_elses_leg(scene):
    order = iceberg(scene)
    scene.book("B9", OrderStatus.OPEN, 0, order.tag, 34, side=Side.SELL)
    assert scene.alarms() == ["doubled"]


# cover orders


def covered(scene):
    """Return the second leg, waiting, of a cover order filled at ₹100.00."""
    order = buy(scene, product=Product.MIS, terms=OrderTerms(Variety.COVER))
    assert order.trigger == 98.0
    scene.accept(order, "B1")
    scene.book("B1", OrderStatus.COMPLETE, 100, order.tag, 100)
    scene.trade("t1", "B1", 100, 100.0)
    scene.book(
        "B2",
        OrderStatus.TRIGGER_PENDING,
        0,
        order.tag,
        100,
        side=Side.SELL,
        parent="B1",
        trigger=98.0,
    )
    return scene.rung.stop_order


def test_the_second_leg_of_a_cover_order_is_the_stop_and_the_desk_places_none(scene):
    leg = covered(scene)
    assert (leg.order_id, leg.purpose, leg.trigger, leg.quantity) == (
        "B2",
        OrderPurpose.PROTECT,
        98.0,
        100,
    )
    assert (len(some(scene.asked, PlaceOrder)), scene.kernel.view.naked(), scene.alarms()) == (
        1,
        0,
        [],
    )


def test_a_second_leg_that_shows_before_the_trade_of_the_first_is_left_standing(scene):
    order = buy(scene, product=Product.MIS, terms=OrderTerms(Variety.COVER))
    scene.accept(order, "B1")
    scene.book("B1", OrderStatus.COMPLETE, 100, order.tag, 100)
    scene.book(
        "B2",
        OrderStatus.TRIGGER_PENDING,
        0,
        order.tag,
        100,
        side=Side.SELL,
        parent="B1",
        trigger=98.0,
    )
    scene.trade("t1", "B1", 100, 100.0)
    assert some(scene.asked, CancelOrder) == []
    assert scene.kernel.view.naked() == 0


def test_a_second_leg_without_our_tag_is_known_by_its_parent(scene):
    order = buy(scene, product=Product.MIS, terms=OrderTerms(Variety.COVER))
    scene.accept(order, "B1")
    scene.trade("t1", "B1", 100, 100.0)
    scene.book(
        "B2", OrderStatus.TRIGGER_PENDING, 0, "", 100, side=Side.SELL, parent="B1", trigger=98.0
    )
    assert scene.rung.stop_order.order_id == "B2"


def test_a_cover_order_is_left_by_cancelling_its_second_leg_which_then_sells(scene):
    leg = covered(scene)
    found = scene.operate(OperatorAct.EXIT, token=CANBK)
    assert [command.order for command in some(found, CancelOrder)] == [leg]
    scene.answer(leg.intent, RequestOutcome.ACCEPTED, "B2", RequestVerb.CANCEL)
    scene.book("B2", OrderStatus.OPEN, 0, "", 100, side=Side.SELL, parent="B1")
    scene.trade("t2", "B2", 100, 99.9, Side.SELL)
    scene.book("B2", OrderStatus.COMPLETE, 100, "", 100, side=Side.SELL, parent="B1")
    scene.seconds(5)
    assert (scene.exits(), scene.account, scene.kernel.view.open_positions()) == ([], 0, 0)
    assert scene.rung.exit_reason == "operator"


def test_the_stop_of_a_cover_order_stays_where_the_broker_has_put_it_though_the_entry_filled_better(
    scene,
):
    order = buy(scene, product=Product.MIS, price=100.0, terms=OrderTerms(Variety.COVER))
    scene.accept(order, "B1")
    scene.trade("t1", "B1", 100, 99.0)
    scene.book("B1", OrderStatus.COMPLETE, 100, order.tag, 100)
    scene.book(
        "B2",
        OrderStatus.TRIGGER_PENDING,
        0,
        order.tag,
        100,
        side=Side.SELL,
        parent="B1",
        trigger=98.0,
    )
    assert (scene.rung.stop, some(scene.seconds(20), ModifyOrder)) == (98.0, [])


def test_the_stop_of_a_cover_order_trails_by_modification(scene):
    covered(scene)
    assert only(scene.tick(103.0, after=6), ModifyOrder).change.trigger == 100.9


# after the market


def test_an_after_market_order_is_taken_only_while_the_market_is_closed():
    scene = Scene()
    scene.now = CLOSE + 60 * MINUTE
    scene.timer()
    order = buy(scene, price=99.5, terms=OrderTerms(Variety.AMO))
    assert order.terms.variety is Variety.AMO
    scene.accept(order, "B1")
    scene.timer(3600)
    assert some(scene.asked, CancelOrder) == []


def test_an_after_market_order_that_gets_another_number_in_the_morning_is_the_same_order():
    scene = Scene()
    scene.now = CLOSE + 60 * MINUTE
    scene.timer()
    order = buy(scene, price=99.5, terms=OrderTerms(Variety.AMO))
    scene.accept(order, "B1")
    scene.book("B77", OrderStatus.OPEN, 0, order.tag)
    scene.trade("t1", "B77", 100, 99.5)
    assert (order.order_id, scene.account, scene.alarms()) == ("B77", 100, [])


# the operator


def wish(scene, request):
    event = ManualRequest(scene.now, request)
    return scene.tell(event), event.verdict


def plan(quantity=10, stop=2.0, price=0.0, product=Product.CNC):
    return single_rung_plan(
        quantity, stop, 0.0, product, True, entry_plan(price, 0.0, Validity.DAY, -1.0, PLAIN)
    )


def test_the_operators_order_passes_the_same_checks_and_is_protected(scene):
    found, verdict = wish(scene, StrategyRequest(CANBK, Side.BUY, plan(), "by hand"))
    order = only(found, PlaceOrder).order
    assert (verdict, order.strategy) == (RefusalReason.OK, "operator")
    assert only(scene.fill(order), PlaceGtt).gtt.legs[0].trigger == 98.0


def test_the_operator_may_enter_twice_and_a_refusal_names_its_code(scene):
    wish(scene, StrategyRequest(CANBK, Side.BUY, plan(), ""))
    assert wish(scene, StrategyRequest(CANBK, Side.BUY, plan(), ""))[1] is RefusalReason.OK
    scene.operate(OperatorAct.HALT)
    assert wish(scene, StrategyRequest(CANBK, Side.BUY, plan(), ""))[1] is RefusalReason.KILLED


def test_the_operator_may_move_a_stop_that_rests_at_the_exchange(scene):
    stop = scene.hold_intraday()
    found, verdict = wish(
        scene, StrategyRequest(CANBK, stop.side, None, "", stop, OrderChange(trigger=99.0))
    )
    assert verdict is RefusalReason.OK
    assert only(found, ModifyOrder).change.trigger == 99.0
    scene.answer(stop.intent, RequestOutcome.ACCEPTED, "G1", RequestVerb.MODIFY)
    assert scene.rung.stop == 99.0


# the freeze quantity


@pytest.mark.parametrize(
    "terms", [OrderTerms(autoslice=True), OrderTerms(Variety.ICEBERG, legs=3), PLAIN]
)
def test_more_than_the_freeze_quantity_is_not_entered_with_a_stop_that_no_order_could_be(
    scene, terms
):
    scene.kernel.state.markets[CANBK].instrument.freeze = 60
    _, verdict = wish(scene, StrategyRequest(CANBK, Side.BUY, with_terms(terms, stop=2.0), ""))
    assert verdict is RefusalReason.FREEZE_QUANTITY
    found, verdict = wish(scene, StrategyRequest(CANBK, Side.BUY, with_terms(terms, stop=0.0), ""))
    assert (len(some(found, PlaceOrder)), verdict) == (
        (0, RefusalReason.FREEZE_QUANTITY) if terms is PLAIN else (1, RefusalReason.OK)
    )


def with_terms(terms, stop):
    return single_rung_plan(
        100, stop, 0.0, Product.CNC, True, entry_plan(99.5, 0.0, Validity.DAY, -1.0, terms)
    )


def test_what_was_bought_beyond_the_freeze_quantity_leaves_in_slices(scene):
    scene.kernel.state.markets[CANBK].instrument.freeze = 60
    found, _ = wish(
        scene,
        StrategyRequest(CANBK, Side.BUY, with_terms(OrderTerms(autoslice=True), stop=0.0), ""),
    )
    order = only(found, PlaceOrder).order
    scene.accept(order, "B1")
    scene.trade("t1", "B1", 100, 99.5)
    scene.book("B1", OrderStatus.COMPLETE, 100, order.tag, 100)
    exit_ = only(scene.operate(OperatorAct.EXIT, token=CANBK), PlaceOrder).order
    assert (exit_.quantity, exit_.terms.autoslice) == (100, True)


def test_a_position_whose_gtt_cannot_grow_with_it_is_left_at_the_market(scene):
    order = buy(scene, price=99.5)
    scene.accept(order, "B1")
    gtt = only(scene.trade("t1", "B1", 60, 99.5), PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
    scene.trade("t2", "B1", 40, 99.5)
    scene.book("B1", OrderStatus.COMPLETE, 100, order.tag, 100)
    for _ in range(3):
        scene.seconds(10)
        scene.answer(
            gtt.intent, RequestOutcome.REFUSED, "7", RequestVerb.MODIFY, "InputException: too many"
        )
    assert (len(some(scene.asked, ModifyGtt)), only(scene.asked, DeleteGtt).gtt) == (3, gtt)
    assert (
        only(
            scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL), PlaceOrder
        ).order.quantity
        == 100
    )


# paper trading


@pytest.mark.parametrize("variety", [Variety.COVER, Variety.AMO, Variety.AUCTION])
def test_what_the_simulated_exchange_does_not_know_is_refused_before_anything_is_sent(
    scene, variety
):
    scene.kernel.state.simulated = True
    plan = single_rung_plan(
        100,
        2.0,
        0.0,
        Product.MIS,
        True,
        entry_plan(99.5, 0.0, Validity.DAY, -1.0, OrderTerms(variety)),
    )
    found, verdict = wish(scene, StrategyRequest(CANBK, Side.BUY, plan, ""))
    assert (some(found, PlaceOrder), verdict) == ([], RefusalReason.VARIETY)
    assert list(scene.kernel.order_store.orders.values()) == []


@pytest.mark.parametrize(
    "terms", [PLAIN, OrderTerms(Variety.ICEBERG, legs=2), OrderTerms(minutes=2)]
)
def test_what_it_knows_is_sent_to_it(scene, terms):
    scene.kernel.state.simulated = True
    validity = Validity.TTL if terms.minutes else Validity.DAY
    plan = single_rung_plan(
        100, 2.0, 0.0, Product.CNC, True, entry_plan(99.5, 0.0, validity, -1.0, terms)
    )
    assert wish(scene, StrategyRequest(CANBK, Side.BUY, plan, ""))[1] is RefusalReason.OK
