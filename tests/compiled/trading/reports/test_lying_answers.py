"""Answers that arrive late, twice or under another name.

The tag outranks the id, the books outrank the answer.

Whatever left or came too much is a position of the desk at once: protected, or brought back at the
market.
"""

import asyncio

import pytest

from compiled.model.events import (
    BrokerTrade,
    CancelOrder,
    DeleteGtt,
    GttUpdate,
    ModifyGtt,
    ModifyOrder,
    OperatorAct,
    OrderUpdate,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.order_terms import OrderChange, OrderTerms, Variety
from compiled.model.values import (
    SECOND,
    GttLeg,
    GttStatus,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
)
from compiled.trading.ladder import standing_quantity
from engine.errors import OrderRefused, OrderUnknown, RetryableError
from tests.compiled.trading.scripted import BEL, CANBK, Scene, only, some
from tests.engine.orders.test_order_path_gateway import Engine
from tests.engine.orders.test_order_path_restart import Life

DOUBT_S = 60


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path)


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path / "desk.db")


def give_up(scene, order):
    scene.answer(order.intent, RequestOutcome.UNKNOWN, reason="timeout")
    return scene.answer(order.intent, RequestOutcome.LOST, reason="not in the broker's books")


def listed(scene, order_id, order, filled=None):
    """Show an order in the book, complete unless told, and its trade."""
    quantity = int(order.quantity)
    filled = quantity if filled is None else filled
    status = OrderStatus.COMPLETE if filled == quantity else OrderStatus.OPEN
    found = scene.book(order_id, status, filled, order.tag, quantity, side=order.side)
    if filled:
        found = found + scene.trade(f"t{order_id}", order_id, filled, 100.0, order.side)
    return found


def resting(scene):
    """Ask for an entry that waits below the market."""
    return only(scene.act(lambda ctx: ctx.buy(CANBK, 100, 2.0, price=99.5)), PlaceOrder).order


# an exit of which nobody knows


def test_an_exit_given_up_is_not_sent_again_while_it_may_arrive_but_has_its_stop_back(
    scene,
):
    scene.hold()
    first = scene.leave()
    gtt = only(give_up(scene, first), PlaceGtt).gtt
    assert [(leg.trigger, leg.quantity) for leg in gtt.legs] == [(98.0, 100)]
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "8")
    scene.seconds(DOUBT_S - 2)
    assert scene.exits() == [first]
    assert scene.kernel.view.naked() == 0
    scene.seconds(2)
    found = scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "8", RequestVerb.CANCEL)
    assert only(found, PlaceOrder).order.quantity == 100


def test_an_exit_that_arrives_late_takes_the_stop_away_that_stood_for_it(scene):
    scene.hold()
    first = scene.leave()
    gtt = only(give_up(scene, first), PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "8")
    found = scene.book("S1", OrderStatus.OPEN, 40, first.tag, 100, side=Side.SELL)
    assert only(found, DeleteGtt).gtt is gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "8", RequestVerb.CANCEL)
    listed(scene, "S1", first)
    scene.seconds(1)
    assert (scene.account, scene.kernel.view.open_positions(), scene.exits()) == (0, 0, [first])


@pytest.mark.parametrize(
    "danger",
    [
        lambda scene: scene.operate(OperatorAct.FLATTEN),
        lambda scene: scene.tick(98.0),
        lambda scene: setattr(scene.rung.plan, "stop_percent", 0.0),
        lambda scene: setattr(scene.rung, "refusals", 1),
    ],
    ids=["flatten", "the price at the stop", "no stop by plan", "its stop is refused"],
)
def test_in_danger_an_exit_that_was_given_up_is_sent_again_at_once(scene, danger):
    scene.hold()
    first = scene.leave()
    scene.answer(first.intent, RequestOutcome.UNKNOWN, reason="timeout")
    danger(scene)
    scene.answer(first.intent, RequestOutcome.LOST, reason="not in the broker's books")
    scene.seconds(2)
    assert [int(each.quantity) for each in scene.exits()] == [100, 100]


def test_of_an_exit_and_its_late_forerunner_one_is_cancelled_until_it_is_gone(scene):
    scene.hold()
    first = scene.leave()
    scene.operate(OperatorAct.FLATTEN)
    give_up(scene, first)
    scene.seconds(2)
    scene.accept(scene.exits()[1], "S2")
    asked = only(
        scene.book("S1", OrderStatus.OPEN, 0, first.tag, 100, side=Side.SELL), CancelOrder
    ).order
    assert asked is first
    assert scene.kernel.view.naked() == 1  # more could be sold than is held
    scene.answer(first.intent, RequestOutcome.UNKNOWN, "S1", RequestVerb.CANCEL)
    assert only(scene.timer(), CancelOrder).order is first
    scene.book("S1", OrderStatus.CANCELLED, 0, first.tag, 100, side=Side.SELL)
    assert scene.kernel.view.naked() == 0
    assert some(scene.seconds(3), CancelOrder) == []


def test_what_was_sold_twice_is_bought_back_at_the_market_at_once(scene):
    scene.hold()
    first = scene.leave()
    scene.operate(OperatorAct.FLATTEN)
    give_up(scene, first)
    scene.seconds(2)
    scene.fill(scene.exits()[1], "S2", 99.0)
    found = listed(scene, "S1", first)
    assert "oversold" in scene.alarms()
    back = only(found + scene.seconds(2), PlaceOrder).order
    assert (back.side, back.quantity, back.order_type, back.purpose) == (
        Side.BUY,
        100,
        OrderType.MARKET,
        OrderPurpose.EXIT,
    )
    assert (back.product, scene.kernel.view.naked()) == (Product.CNC, 1)
    scene.fill(back, "B9", 99.5)
    scene.seconds(1)
    assert (scene.account, scene.kernel.view.naked(), scene.kernel.view.open_positions()) == (
        0,
        0,
        0,
    )
    assert not scene.kernel.state.ladders


def test_what_a_late_exit_has_sold_makes_the_second_smaller(scene):
    scene.hold()
    first = scene.leave()
    scene.operate(OperatorAct.FLATTEN)
    give_up(scene, first)
    scene.seconds(2)
    second = scene.exits()[1]
    scene.accept(second, "S2")
    scene.book("S2", OrderStatus.OPEN, 0, second.tag, 100, side=Side.SELL)
    scene.book("S1", OrderStatus.CANCELLED, 40, first.tag, 100, side=Side.SELL)
    found = scene.trade("tS1", "S1", 40, 99.0, Side.SELL)
    assert only(found, CancelOrder).order is second
    scene.book("S2", OrderStatus.CANCELLED, 0, second.tag, 100, side=Side.SELL)
    scene.seconds(2)
    assert [int(each.quantity) for each in scene.exits()] == [100, 100, 60]


def test_what_a_full_disk_and_a_crash_have_made_us_forget_brings_back_only_once(scene):
    scene.hold()
    first = scene.leave()
    listed(scene, "S1", first)
    scene.book("Z1", OrderStatus.COMPLETE, 100, "T99", 100)
    scene.trade("tZ1", "Z1", 100, 99.0)
    listed(scene, "S2", first)
    scene.seconds(5)
    assert (scene.account, scene.kernel.view.naked(), scene.exits()) == (0, 0, [first])


def test_a_short_position_bought_back_twice_is_sold_again(scene):
    scene.hold_intraday(side=Side.SELL)
    scene.operate(OperatorAct.FLATTEN)
    scene.book("G1", OrderStatus.CANCELLED, side=Side.BUY)
    scene.seconds(2)
    first = scene.exits()[0]
    listed(scene, "S1", first)
    listed(scene, "S2", first)
    back = scene.exits()[1] if len(scene.exits()) > 1 else only(scene.seconds(2), PlaceOrder).order
    assert (back.side, back.quantity, back.product) == (Side.SELL, 100, Product.MIS)
    scene.fill(back, "B9")
    scene.seconds(1)
    assert (scene.account, scene.kernel.view.naked()) == (0, 0)


# a request that came twice


def test_both_orders_of_an_entry_that_came_twice_are_ours_protected_and_left_together(scene):
    order = scene.enter()
    scene.accept(order, "B1")
    gtt = only(listed(scene, "B1", order), PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
    listed(scene, "B2", order)
    assert scene.alarms() == ["doubled"]
    assert (scene.account, scene.rung.quantity, scene.kernel.view.naked()) == (200, 200, 1)
    assert [leg.quantity for leg in only(scene.seconds(6), ModifyGtt).gtt.pending] == [200]
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.MODIFY)
    assert scene.kernel.view.naked() == 0
    assert scene.leave().quantity == 200


def test_a_position_whose_stop_order_cannot_grow_with_a_twin_is_left_at_the_market(scene):
    order = scene.enter(product=Product.MIS)
    scene.accept(order, "B1")
    stop = only(listed(scene, "B1", order), PlaceOrder).order
    scene.accept(stop, "G1")
    scene.book("G1", OrderStatus.TRIGGER_PENDING, 0, stop.tag, 100, side=Side.SELL)
    listed(scene, "B2", order)
    asked = []
    for _ in range(3):
        asked.append(only(scene.seconds(7), ModifyOrder).change.quantity)
        scene.answer(
            stop.intent,
            RequestOutcome.REFUSED,
            "G1",
            RequestVerb.MODIFY,
            "InputException: more than the exchange takes",
        )
    assert asked == [200, 200, 200]
    assert only(scene.seconds(1), CancelOrder).order is stop
    scene.book("G1", OrderStatus.CANCELLED, 0, stop.tag, 100, side=Side.SELL)
    scene.seconds(1)
    assert [int(each.quantity) for each in scene.exits()] == [200]


def test_the_second_of_two_entries_that_works_is_cancelled_and_what_it_has_bought_stays(scene):
    order = resting(scene)
    scene.accept(order, "B1")
    scene.book("B1", OrderStatus.OPEN, 0, order.tag, 100)
    found = listed(scene, "B2", order, 30)
    twin = some(found, CancelOrder)[0].order
    assert (twin.order_id, order.cancelling) == ("B2", False)
    scene.book("B2", OrderStatus.CANCELLED, 30, order.tag, 100)
    listed(scene, "B1", order)
    assert (scene.account, scene.rung.quantity) == (130, 130)


def test_two_stop_orders_of_one_request_do_not_both_stay(scene):
    stop = scene.hold_intraday()
    scene.book("G1", OrderStatus.TRIGGER_PENDING, 0, stop.tag, 100, side=Side.SELL)
    found = scene.book(
        "G2", OrderStatus.TRIGGER_PENDING, 0, stop.tag, 100, side=Side.SELL, trigger=98.0
    )
    assert only(found, CancelOrder).order.order_id == "G2"
    assert scene.kernel.view.naked() == 1
    scene.book("G2", OrderStatus.CANCELLED, 0, stop.tag, 100, side=Side.SELL)
    assert (scene.kernel.view.naked(), scene.rung.stop_order, standing_quantity(scene.rung)) == (
        0,
        stop,
        100,
    )


def test_a_twin_is_ours_after_a_restart_and_one_that_works_is_still_cancelled(life):
    def twice(scene):
        order = scene.enter(product=Product.MIS)
        scene.accept(order, "B1")
        stop = only(listed(scene, "B1", order), PlaceOrder).order
        listed(scene, "B2", order)
        scene.accept(stop, "G1")
        scene.book("G1", OrderStatus.TRIGGER_PENDING, 0, stop.tag, 100, side=Side.SELL)
        scene.book("G2", OrderStatus.TRIGGER_PENDING, 0, stop.tag, 100, side=Side.SELL)

    life.run(twice)
    scene, unknown = life.again()
    assert (unknown, scene.account, scene.rung.quantity) == ([], 200, 200)
    assert scene.kernel.view.naked() > 0
    assert [command.order.order_id for command in some(scene.seconds(1), CancelOrder)] == ["G2"]


def test_an_order_under_our_tag_that_was_never_asked_for_is_not_ours(scene):
    order = scene.enter()
    scene.accept(order, "B1")
    scene.book("B1", OrderStatus.OPEN, 0, order.tag, 100)
    scene.book("B2", OrderStatus.OPEN, 0, order.tag, 100, side=Side.SELL)
    assert "B2" in scene.kernel.order_reports.externals
    assert scene.alarms() == ["doubled"]


# an id that is somebody else's


def test_the_tag_outranks_the_id_of_an_answer(scene):
    order = scene.enter()
    scene.accept(order, "X9")
    scene.book("X9", OrderStatus.COMPLETE, 55, "someone", 55)
    scene.trade("tX", "X9", 55, 100.0)
    assert (order.status, order.order_id, scene.account) == (OrderStatus.UNKNOWN, "", 0)
    listed(scene, "B1", order)
    assert (order.order_id, order.status, scene.account) == ("B1", OrderStatus.COMPLETE, 100)


def test_an_id_that_nobody_has_gives_way_to_the_one_the_book_shows(scene):
    order = scene.enter()
    scene.accept(order, "X9")
    listed(scene, "B1", order)
    assert (order.order_id, scene.account, scene.alarms()) == ("B1", 100, [])
    scene.accept(order, "X9")  # the answer once more
    assert order.order_id == "B1"


def test_a_trade_of_an_order_that_only_an_answer_has_named_is_not_booked(scene):
    order = scene.enter()
    scene.kernel.handle(scene.answered(order, RequestOutcome.ACCEPTED, "X9"))
    scene.tell(BrokerTrade(scene.now, "t1", "X9", CANBK, Side.BUY, 100, 100.0))
    assert scene.account == 0
    scene.book("X9", OrderStatus.COMPLETE, 100, order.tag, 100)
    assert scene.account == 100


def row(scene, order_id, tag, status=OrderStatus.OPEN, quantity=100, side=Side.BUY):
    return OrderUpdate(scene.now, order_id, tag, CANBK, side, status, quantity, 0)


async def send(engine, order, outcome):
    engine.broker.outcome = outcome
    engine.gateway.put(PlaceOrder(order))
    await engine.gateway.drain()
    return engine.turn()


def named(name):
    async def answer(_):
        return name

    return answer


def failing(error):
    async def answer(_):
        raise error

    return answer


def test_an_answer_that_names_a_known_order_is_looked_up_at_once(engine):
    async def story():
        engine.scene.book("X9", OrderStatus.OPEN, 0, "")
        order = engine.scene.enter()
        await send(engine, order, named("X9"))
        assert order.status is OrderStatus.UNKNOWN
        engine.broker.book = [row(engine.scene, "X9", ""), row(engine.scene, "B1", order.tag)]
        await engine.look()
        assert (order.order_id, order.status) == ("B1", OrderStatus.OPEN)

    asyncio.run(story())


def test_an_order_that_no_book_shows_is_given_up_although_its_answer_named_one(engine):
    async def story():
        engine.scene.hold()
        order = engine.scene.leave()
        await send(engine, order, named("X9"))
        assert order.status is OrderStatus.OPEN
        await engine.look(3)
        assert (order.status, order.order_id) == (OrderStatus.UNKNOWN, "")
        await engine.look(6)
        assert order.status is OrderStatus.LOST

    asyncio.run(story())


def test_nothing_is_changed_or_cancelled_under_an_id_that_no_book_has_shown(engine):
    async def story():
        order = resting(engine.scene)
        await send(engine, order, named("X9"))
        engine.scene.kernel.order_store.modify_order(order, OrderChange(price=99.0))
        engine.gateway.put(ModifyOrder(order, OrderChange(price=99.0)))
        await engine.gateway.drain()
        assert engine.broker.changed == []
        assert engine.gateway.poll_due() <= engine.scene.now
        engine.broker.book = [row(engine.scene, "X9", order.tag)]
        await engine.look()
        await engine.gateway.drain()
        assert [each for each, _ in engine.broker.changed] == ["X9"]

    asyncio.run(story())


# a refusal of what was done


@pytest.mark.parametrize(
    "error", [RetryableError("Too many requests"), OrderRefused("OrderException", "no")]
)
def test_an_order_that_was_made_although_it_was_refused_is_found_before_the_next_is_sent(
    engine, error
):
    async def story():
        order = engine.scene.enter()
        await send(engine, order, failing(error))
        assert order.status is OrderStatus.SENT
        engine.broker.book = [row(engine.scene, "B1", order.tag)]
        await engine.look()
        assert (order.order_id, order.status) == ("B1", OrderStatus.OPEN)

    asyncio.run(story())


def test_a_book_that_was_being_read_while_an_order_was_refused_says_nothing_about_it(engine):
    async def story():
        order = engine.scene.enter()
        await send(engine, order, failing(OrderRefused("OrderException", "no")))
        engine.gateway.lookups.resolve([], [], engine.gateway.moves - 1)
        assert engine.turn() == []
        assert order.status is OrderStatus.SENT
        await engine.look()
        assert order.status is OrderStatus.REJECTED

    asyncio.run(story())


def test_an_order_that_shows_after_its_refusal_was_believed_is_ours(scene):
    order = scene.enter()
    scene.answer(order.intent, RequestOutcome.REFUSED, reason="OrderException: no")
    assert scene.kernel.view.open_positions() == 0
    gtt = only(listed(scene, "B1", order), PlaceGtt).gtt
    assert (scene.account, order.status, gtt.legs[0].quantity) == (100, OrderStatus.COMPLETE, 100)


# GTTs


async def gtt_sent(engine, answer):
    """Return the GTT of a position that was sent, and answered by `answer`."""
    gtt = only(engine.scene.fill(engine.scene.enter()), PlaceGtt).gtt
    engine.broker.place_gtt = answer
    engine.broker.book = [row(engine.scene, "B1", "T1", OrderStatus.COMPLETE)]
    engine.gateway.put(PlaceGtt(gtt))
    await engine.gateway.drain()
    engine.turn()
    return gtt


def test_a_gtt_that_was_made_although_it_was_refused_is_found_before_the_next_is_made(engine):
    async def story():
        gtt = await gtt_sent(engine, failing(RetryableError("Too many requests")))
        engine.broker.listed = [engine.list_gtt(gtt, 9, GttStatus.ACTIVE)]
        found = await engine.look(5)
        found += engine.scene.seconds(10)
        assert (gtt.gtt_id, gtt.status, some(found, PlaceGtt)) == (9, GttStatus.ACTIVE, [])

    asyncio.run(story())


def test_of_two_gtts_of_one_request_one_is_deleted_and_counted_until_it_is_gone(engine):
    async def story():
        gtt = await gtt_sent(engine, named(9))
        engine.broker.listed = [engine.list_gtt(gtt, each, GttStatus.ACTIVE) for each in (9, 10)]
        twin = only(await engine.look(), DeleteGtt).gtt
        assert (twin.gtt_id, engine.scene.rung.gtt, engine.scene.kernel.view.naked()) == (
            10,
            gtt,
            1,
        )
        assert "doubled" in engine.scene.alarms()
        engine.scene.answer(twin.intent, RequestOutcome.UNKNOWN, "10", RequestVerb.CANCEL)
        await engine.look()
        assert only(engine.scene.timer(), DeleteGtt).gtt is twin
        engine.scene.answer(twin.intent, RequestOutcome.ACCEPTED, "10", RequestVerb.CANCEL)
        engine.scene.timer()
        assert engine.scene.kernel.view.naked() == 0

    asyncio.run(story())


def test_a_gtt_of_somebody_else_is_not_taken_for_a_twin(engine):
    async def story():
        gtt = await gtt_sent(engine, named(9))
        mine = engine.list_gtt(gtt, 9, GttStatus.ACTIVE)
        legs = [GttLeg(leg.trigger, leg.price, leg.side, leg.quantity + 1) for leg in gtt.legs]
        other = GttUpdate(engine.scene.now, 10, CANBK, GttStatus.ACTIVE, legs, [])
        elsewhere = GttUpdate(engine.scene.now, 11, BEL, GttStatus.ACTIVE, list(gtt.legs), [])
        before = GttUpdate(
            gtt.created - 60 * SECOND, 12, CANBK, GttStatus.ACTIVE, list(gtt.legs), []
        )
        engine.broker.listed = [mine, other, elsewhere, before]
        assert some(await engine.look(3), DeleteGtt) == []

    asyncio.run(story())


def test_a_gtt_on_the_shares_of_another_product_is_not_taken_for_the_one_that_is_missing(engine):
    async def story():
        gtt = await gtt_sent(engine, failing(OrderUnknown("timed out")))
        margin = GttUpdate(
            engine.scene.now, 8, CANBK, GttStatus.ACTIVE, list(gtt.legs), [], product="MTF"
        )
        engine.broker.listed = [margin]
        await engine.look()
        assert (gtt.gtt_id, gtt.status) == (0, GttStatus.UNKNOWN)
        engine.broker.listed = [margin, engine.list_gtt(gtt, 9, GttStatus.ACTIVE)]
        await engine.look()
        assert (gtt.gtt_id, gtt.status) == (9, GttStatus.ACTIVE)

    asyncio.run(story())


def test_a_gtt_that_was_answered_with_the_id_of_another_is_found_by_its_legs(engine):
    async def story():
        gtt = await gtt_sent(engine, named(5))
        legs = [GttLeg(90.0, 89.5, Side.SELL, 7)]
        engine.broker.listed = [
            GttUpdate(engine.scene.now, 5, CANBK, GttStatus.ACTIVE, legs, []),
            engine.list_gtt(gtt, 9, GttStatus.ACTIVE),
        ]
        found = await engine.look(2)
        assert (gtt.gtt_id, gtt.status, some(found, PlaceGtt)) == (9, GttStatus.ACTIVE, [])
        assert engine.scene.rung.stop == 98.0

    asyncio.run(story())


def test_a_gtt_that_was_changed_before_any_list_was_read_stays_ours_whatever_its_legs(engine):
    async def story():
        gtt = await gtt_sent(engine, named(9))

        async def refuse(_):
            raise OrderRefused("OrderException", "no")

        engine.broker.modify_gtt = refuse
        moved = [GttLeg(99.0, 98.5, Side.SELL, 100)]
        engine.scene.now += 6 * SECOND
        engine.clock.set(engine.scene.now)
        engine.scene.kernel.order_store.modify_gtt(gtt, 101.0, moved)
        engine.gateway.put(ModifyGtt(gtt))
        await engine.gateway.drain()
        engine.turn()
        engine.broker.listed = [GttUpdate(engine.scene.now, 9, CANBK, GttStatus.ACTIVE, moved, [])]
        await engine.look(4)
        assert (gtt.gtt_id, gtt.status, gtt.legs[0].trigger) == (9, GttStatus.ACTIVE, 99.0)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("legs", "ours"),
    [
        ([GttLeg(99.0, 98.5, Side.SELL, 100)], True),
        ([GttLeg(99.0, 98.5, Side.SELL, 7)], False),
        ([GttLeg(99.0, 98.5, Side.BUY, 100)], False),
        ([GttLeg(99.0, 98.5, Side.SELL, 100), GttLeg(105.0, 105.0, Side.SELL, 100)], False),
    ],
)
def test_a_gtt_of_an_earlier_run_whose_last_move_the_disk_has_lost_is_ours(engine, legs, ours):
    async def story():
        gtt = await gtt_sent(engine, named(9))
        engine.gateway.lookups.expect_proof(int(gtt.intent), restored=True)
        engine.broker.listed = [
            GttUpdate(engine.scene.now - 60 * SECOND, 9, CANBK, GttStatus.ACTIVE, legs, [])
        ]
        await engine.look(4)
        assert (gtt.gtt_id == 9, gtt.proven) == (ours, ours)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("ago", "also", "ours"), [(0, False, True), (60, False, False), (0, True, False)]
)
def test_a_gtt_changed_before_it_is_listed_is_ours_unless_older_or_ours_is_listed_beside_it(
    engine, ago, also, ours
):
    async def story():
        gtt = await gtt_sent(engine, named(9))
        edited, stamp = [GttLeg(99.0, 98.5, Side.SELL, 7)], engine.scene.now - ago * SECOND
        engine.broker.listed = [GttUpdate(stamp, 9, CANBK, GttStatus.ACTIVE, edited, [])]
        if also:
            engine.broker.listed.append(
                GttUpdate(stamp, 10, CANBK, GttStatus.ACTIVE, list(gtt.made), [])
            )
        await engine.look(4)
        assert (gtt.gtt_id == 9, gtt.proven) == (ours, ours or also)

    asyncio.run(story())


def test_nothing_is_deleted_under_a_gtt_id_that_no_list_has_shown(engine):
    async def story():
        gtt = await gtt_sent(engine, named(5))
        engine.broker.deleted = []

        async def delete(gtt_id):
            engine.broker.deleted.append(gtt_id)

        engine.broker.delete_gtt = delete
        engine.gateway.put(DeleteGtt(gtt))
        await engine.gateway.drain()
        assert engine.broker.deleted == []
        engine.broker.listed = [engine.list_gtt(gtt, 5, GttStatus.ACTIVE)]
        await engine.look()
        await engine.gateway.drain()
        assert engine.broker.deleted == [5]

    asyncio.run(story())


def test_a_restart_keeps_one_of_two_gtts_and_deletes_the_other(life):
    def twice(scene):
        gtt = scene.hold()
        scene.gtt(gtt, GttStatus.ACTIVE)
        scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "10")

    life.run(twice)
    scene, _ = life.again()
    assert (scene.rung.gtt.gtt_id, scene.kernel.view.naked()) == (7, 1)
    assert [command.gtt.gtt_id for command in some(scene.seconds(1), DeleteGtt)] == [10]


def test_a_stop_for_more_shares_than_are_held_counts_as_naked(scene):
    gtt = scene.hold()
    assert scene.kernel.view.naked() == 0
    legs = [GttLeg(98.0, 97.5, Side.SELL, 150)]
    scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.ACTIVE, legs, []))
    assert (gtt.legs[0].quantity, scene.kernel.view.naked()) == (150, 1)


# entries


def test_an_entry_is_not_asked_again_while_it_may_still_arrive(engine):
    async def story():
        order = engine.scene.enter()
        await send(engine, order, failing(OrderUnknown("timed out")))
        await engine.look(29)
        assert order.status is OrderStatus.UNKNOWN
        assert engine.scene.kernel.view.has_work()
        assert not engine.gateway.lookups.is_seeking, (
            "the comparison of the books goes on meanwhile"
        )
        await engine.look(2)
        assert order.status is OrderStatus.LOST
        assert not engine.scene.kernel.view.has_work()

    asyncio.run(story())


def test_an_entry_that_arrives_after_all_is_cancelled_and_what_it_bought_is_protected(scene):
    order = scene.enter()
    give_up(scene, order)
    found = listed(scene, "B1", order, 60)
    assert only(found, CancelOrder).order is order
    assert only(found, PlaceGtt).gtt.legs[0].quantity == 60


def test_what_was_given_up_is_watched_for_every_two_seconds(engine):
    async def story():
        engine.scene.hold()
        order = engine.scene.leave()
        await send(engine, order, failing(OrderUnknown("timed out")))
        await engine.look(6)
        assert order.status is OrderStatus.LOST
        assert engine.gateway.poll_due() == engine.scene.now + 2 * SECOND
        await engine.look(25)
        assert engine.gateway.poll_due() is None

    asyncio.run(story())


def test_two_unknown_gtts_that_ask_for_the_same_do_not_find_the_same_one(engine):
    async def story():
        engine.broker.place_gtt = failing(OrderUnknown("timed out"))
        legs = [GttLeg(98.0, 97.5, Side.SELL, 10)]
        twins = [
            engine.scene.kernel.order_store.place_gtt("script", CANBK, Product.CNC, 0, 100.0, legs)
            for _ in range(2)
        ]
        for gtt in twins:
            engine.gateway.put(PlaceGtt(gtt))
        await engine.gateway.drain()
        engine.turn()
        engine.broker.listed = [engine.list_gtt(twins[0], 9, GttStatus.ACTIVE)]
        await engine.look()
        assert [(int(gtt.gtt_id), gtt.status) for gtt in twins] == [
            (9, GttStatus.ACTIVE),
            (0, GttStatus.UNKNOWN),
        ]
        engine.broker.listed.append(engine.list_gtt(twins[1], 11, GttStatus.ACTIVE))
        await engine.look()
        assert [int(gtt.gtt_id) for gtt in twins] == [9, 11], "it was looked for no longer"

    asyncio.run(story())


def test_the_order_of_a_gtt_that_arrives_and_fires_after_its_position_is_gone_is_cancelled(scene):
    first = only(scene.fill(scene.enter()), PlaceGtt).gtt
    give_up(scene, first)
    second = only(scene.seconds(5), PlaceGtt).gtt
    scene.answer(second.intent, RequestOutcome.ACCEPTED, "8")
    scene.operate(OperatorAct.EXIT, token=CANBK)
    scene.answer(second.intent, RequestOutcome.ACCEPTED, "8", RequestVerb.CANCEL)
    listed(scene, "S1", scene.exits()[0])
    scene.seconds(1)
    assert (scene.account, scene.kernel.view.open_positions()) == (0, 0)
    scene.answer(first.intent, RequestOutcome.ACCEPTED, "7")
    scene.tell(GttUpdate(scene.now, 7, CANBK, GttStatus.TRIGGERED, list(first.legs), ["F1"]))
    found = scene.book("F1", OrderStatus.OPEN, 0, "", 100, 97.5, side=Side.SELL) + scene.seconds(1)
    assert "F1" in {command.order.order_id for command in some(scene.asked, CancelOrder)}
    assert some(found, PlaceOrder) == []


def test_what_was_sold_too_much_counts_against_the_limits(scene):
    scene.hold()
    first = scene.leave()
    listed(scene, "S1", first)
    before = scene.kernel.view.limit_usage(
        scene.kernel.state.owners[min(scene.kernel.state.owners)]
    ).exposure
    listed(scene, "S2", first)
    assert scene.rung.quantity == -100
    usage = scene.kernel.view.limit_usage(scene.kernel.state.owners[min(scene.kernel.state.owners)])
    assert (before, usage.exposure) == (0, 1_000_000)


def test_of_an_iceberg_that_came_twice_the_second_is_cancelled(scene):
    terms = OrderTerms(Variety.ICEBERG, legs=2)
    order = only(
        scene.act(lambda ctx: ctx.buy(CANBK, 17, 2.0, price=100.0, terms=terms)), PlaceOrder
    ).order
    scene.accept(order, "B1")
    scene.book("B1", OrderStatus.OPEN, 0, order.tag, 9)
    assert some(scene.asked, CancelOrder) == []
    assert (
        only(scene.book("B2", OrderStatus.OPEN, 0, order.tag, 9), CancelOrder).order.order_id
        == "B2"
    )
    assert scene.alarms() == ["doubled"]
    scene.book("B2", OrderStatus.CANCELLED, 0, order.tag, 9)
    scene.book("B1", OrderStatus.COMPLETE, 9, order.tag, 9)
    scene.trade("t1", "B1", 9, 100.0)
    scene.book("B3", OrderStatus.COMPLETE, 8, order.tag, 8)
    scene.trade("t3", "B3", 8, 100.0)
    assert (scene.account, scene.alarms()) == (17, ["doubled"])


def test_an_answer_does_not_take_the_id_from_the_order_that_has_it(scene):
    first = scene.enter()
    scene.accept(first, "B1")
    scene.book("B1", OrderStatus.OPEN, 0, first.tag, 100)
    second = scene.kernel.order_store.place_order(
        "script", BEL, Side.BUY, 50, OrderType.MARKET, Product.CNC, OrderPurpose.ENTRY, 0
    )
    scene.accept(second, "B1")
    assert (second.status, second.order_id) == (OrderStatus.UNKNOWN, "")
    scene.answer(second.intent, RequestOutcome.UNKNOWN, reason="not its own")
    listed(scene, "B1", first)
    assert (scene.account, first.status) == (100, OrderStatus.COMPLETE)


def test_an_answer_does_not_take_the_id_from_the_gtt_that_has_it(scene):
    first = scene.hold()
    second = scene.kernel.order_store.place_gtt(
        "script", BEL, Product.CNC, 0, 200.0, [GttLeg(190.0, 189.0, Side.SELL, 5)]
    )
    scene.answer(second.intent, RequestOutcome.ACCEPTED, "7")
    assert (second.status, int(second.gtt_id)) == (GttStatus.UNKNOWN, 0)
    scene.gtt(first, GttStatus.TRIGGERED, ["F1"])
    assert first.status is GttStatus.TRIGGERED
