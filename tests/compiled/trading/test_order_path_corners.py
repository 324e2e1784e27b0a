"""Corners of the order path, each of them found by breaking the code there.

What no other test would have noticed.
"""

import asyncio
from types import SimpleNamespace

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
from compiled.model.order_terms import OrderChange
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
from engine.day.pacing import BooksWatch
from engine.errors import OperatorError, OrderUnknown, RetryableError
from tests.compiled.trading.reports.test_lying_answers import DOUBT_S, give_up
from tests.compiled.trading.scripted import CANBK, Scene, only, some
from tests.engine.orders.test_order_path_gateway import Engine, Looked
from tests.engine.orders.test_order_path_restart import Life


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path)


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path / "desk.db")


# the gateway


def test_a_change_that_nobody_has_answered_is_not_taken_for_done(engine):
    async def story():
        async def time_out(order_id, change):
            raise OrderUnknown(f"{order_id} to {change.price} timed out")

        order = only(
            engine.scene.act(lambda ctx: ctx.buy(CANBK, 100, 2.0, price=99.5)), PlaceOrder
        ).order
        engine.scene.accept(order, "B1")
        engine.scene.book("B1", OrderStatus.OPEN, 0, order.tag, 100, 99.5)
        engine.broker.modify = time_out
        change = OrderChange(price=99.0)
        engine.scene.kernel.order_store.modify_order(order, change)
        engine.gateway.put(ModifyOrder(order, change))
        await engine.gateway.drain()
        engine.turn()
        assert (order.price, order.pending) == (99.5, None)

    asyncio.run(story())


def test_on_a_full_disk_exits_leave_and_entries_do_not(engine):
    async def story():
        async def full():
            raise OperatorError("the disk is full")

        engine.gateway.durable_journal.journal.commit = full
        entry = engine.scene.enter()
        leaving = engine.scene.kernel.order_store.place_order(
            "script", CANBK, Side.SELL, 5, OrderType.MARKET, Product.CNC, OrderPurpose.EXIT, 0
        )
        for order in (entry, leaving):
            engine.gateway.put(PlaceOrder(order))
        await engine.gateway.drain()
        engine.turn()
        assert engine.broker.placed == [leaving]
        assert (entry.status, entry.reason) == (OrderStatus.REJECTED, "the disk is full")

    asyncio.run(story())


def test_an_entry_that_was_cancelled_before_it_left_does_not_leave(engine):
    async def story():
        order = engine.scene.enter()
        engine.gateway.put(PlaceOrder(order))
        assert (
            some(engine.scene.operate(OperatorAct.CANCEL, intent=order.intent), CancelOrder) == []
        )
        await engine.gateway.drain()
        engine.turn()
        assert engine.broker.placed == []
        assert (order.status, order.reason) == (
            OrderStatus.REJECTED,
            "cancelled before it was sent",
        )

    asyncio.run(story())


# the broker's books


def test_a_list_of_gtts_that_is_older_than_a_change_does_not_undo_it(engine):
    async def story():
        gtt = engine.scene.hold()
        old, moved = engine.list_gtt(gtt, 7, GttStatus.ACTIVE), [GttLeg(99.0, 98.5, Side.SELL, 100)]

        async def change(changed):
            assert changed is gtt

        async def change_meanwhile():
            engine.broker.gtts = old_list
            engine.scene.kernel.order_store.modify_gtt(gtt, 101.0, moved)
            engine.gateway.put(ModifyGtt(gtt))
            await engine.gateway.drain()
            return [old]

        async def old_list():
            return [old]

        engine.broker.modify_gtt = change
        engine.broker.gtts = change_meanwhile
        engine.clock.set(engine.scene.now + 2 * SECOND)
        await engine.books.poll(gtts=True)
        engine.turn()
        assert [leg.trigger for leg in gtt.legs] == [99.0]
        await engine.look()
        assert [leg.trigger for leg in gtt.legs] == [98.0], "the next list is the broker's word"

    asyncio.run(story())


@pytest.mark.parametrize("error", [RetryableError("busy"), OperatorError("no permission")])
def test_books_that_cannot_be_read_say_nothing(engine, error):
    async def story():
        gtt = engine.scene.hold()

        async def fail():
            raise error

        engine.broker.orders = fail
        assert await engine.look(5) == []
        assert (gtt.status, engine.books.polls, engine.books.failures) == (GttStatus.ACTIVE, 0, 5)

    asyncio.run(story())


def test_a_gtt_that_one_list_lacks_is_not_given_up(engine):
    async def story():
        gtt = engine.scene.hold()
        assert some(await engine.look(), PlaceGtt) == []
        assert gtt.status is GttStatus.ACTIVE
        assert only(await engine.look(), PlaceGtt).gtt.legs[0].quantity == 100

    asyncio.run(story())


def test_an_exit_that_was_forgotten_on_a_full_disk_is_known_before_a_stop_is_missed(engine):
    async def story():
        gtt = engine.scene.hold()
        now = engine.scene.now
        # the exit has left and taken its stop away; the journal kept neither
        engine.broker.book = [
            OrderUpdate(now, "S1", "T40", CANBK, Side.SELL, OrderStatus.OPEN, 100, 0, 99.0)
        ]
        engine.broker.listed = [engine.list_gtt(gtt, 7, GttStatus.DELETED)]
        assert some(await engine.look(), PlaceGtt) == []
        assert engine.scene.rung.exit.order_id == "S1"

    asyncio.run(story())


def test_a_gtt_whose_request_is_under_way_is_not_taken_for_the_twin_of_one_that_asks_for_the_same(
    engine,
):
    async def story():
        asked, answered = asyncio.Event(), asyncio.Event()

        async def hang(gtt):
            asked.set()
            await answered.wait()
            return 10

        legs = [GttLeg(98.0, 97.5, Side.SELL, 10)]
        one, other = (
            engine.scene.kernel.order_store.place_gtt("script", CANBK, Product.CNC, 0, 100.0, legs)
            for _ in range(2)
        )
        engine.scene.answer(one.intent, RequestOutcome.ACCEPTED, "9")
        engine.broker.place_gtt = hang
        engine.gateway.put(PlaceGtt(other))
        sending = asyncio.create_task(engine.gateway.drain())
        await asyncio.wait_for(asked.wait(), 30)
        engine.turn()
        engine.broker.listed = [
            engine.list_gtt(one, number, GttStatus.ACTIVE) for number in (9, 10)
        ]
        await engine.look()
        assert "doubled" not in engine.scene.alarms()
        answered.set()
        await sending
        engine.turn()
        assert (one.gtt_id, other.gtt_id) == (9, 10)

    asyncio.run(story())


@pytest.mark.parametrize(
    "over", [OrderStatus.COMPLETE, OrderStatus.CANCELLED, OrderStatus.REJECTED]
)
def test_what_is_over_stays_so_whatever_an_old_row_says(scene, over):
    order = scene.enter()
    filled = 100 if over is OrderStatus.COMPLETE else 0
    scene.book("B1", over, filled, order.tag, 100)
    for old in (OrderStatus.OPEN, OrderStatus.TRIGGER_PENDING):
        scene.book("B1", old, 0, order.tag, 100)
        assert (order.status, order.live, order.filled) == (over, False, filled)


def test_the_books_are_not_compared_while_an_outcome_is_looked_for():
    async def story():
        loop, compared = Looked(0), []

        async def compare():
            compared.append(loop.clock.now() // SECOND)
            return 0

        loop.reconciler, loop.differences = (
            SimpleNamespace(compare_once=compare, open_differences=()),
            (),
        )
        watch = BooksWatch(loop, 1_000 * SECOND, 5 * SECOND)
        for second in range(1, 21):
            loop.gateway.lookups = SimpleNamespace(is_seeking=second < 12, paused_until=0)
            loop.clock.set(second * SECOND)
            watch.start_if_due(loop.clock.now())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert compared == [12, 17]

    asyncio.run(story())


# orders and GTTs of a rung


def test_an_order_that_is_not_wanted_any_more_is_cancelled_as_soon_as_it_has_its_id(scene):
    order = scene.enter()
    assert some(scene.operate(OperatorAct.CANCEL, intent=order.intent), CancelOrder) == []
    assert only(scene.accept(order, "B1"), CancelOrder).order is order


def test_the_exit_beside_a_gtt_that_has_fired_is_cancelled(scene):
    gtt = scene.hold()
    leaving = scene.leave()
    scene.accept(leaving, "S1")
    scene.book("S1", OrderStatus.OPEN, 0, leaving.tag, 100, side=Side.SELL)
    found = scene.gtt(gtt, GttStatus.TRIGGERED, ["G9"])
    assert only(found, CancelOrder).order is leaving
    assert scene.rung.exit.order_id == "G9"


def test_a_stop_order_that_trades_before_its_trigger_is_told_is_the_exit(scene):
    stop = scene.hold_intraday()
    found = scene.trade("t1", "G1", 40, 97.95, Side.SELL)
    assert (scene.rung.exit, scene.rung.stop_order, scene.rung.exit_reason) == (stop, None, "stop")
    assert some(found, ModifyOrder) == [], "what is left of it is the exit of what is left"


def test_a_gtt_that_has_fired_and_shows_no_order_for_ten_seconds_is_left_at_the_market(scene):
    gtt = scene.hold()
    scene.gtt(gtt, GttStatus.TRIGGERED)
    scene.seconds(9)
    assert scene.exits() == []
    scene.seconds(2)
    assert [(int(order.quantity), order.order_type) for order in scene.exits()] == [
        (100, OrderType.MARKET)
    ]
    assert scene.rung.exit_reason == "trigger without an order"


def test_a_flatten_does_not_wait_for_an_exit_that_was_given_up_before_it(scene):
    scene.hold()
    gtt = only(give_up(scene, scene.leave()), PlaceGtt).gtt
    scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "8")
    assert some(scene.seconds(5), DeleteGtt) == []
    assert only(scene.operate(OperatorAct.FLATTEN), DeleteGtt).gtt is gtt
    found = scene.answer(gtt.intent, RequestOutcome.ACCEPTED, "8", RequestVerb.CANCEL)
    assert only(found, PlaceOrder).order.quantity == 100


# restarts


def test_the_order_of_a_fired_gtt_is_known_after_a_restart(life):
    def die_with_the_stop_at_work(scene):
        gtt = scene.hold()
        scene.gtt(gtt, GttStatus.TRIGGERED, ["G9"])

    life.run(die_with_the_stop_at_work)
    scene, _ = life.again()
    gtt = scene.rung.gtt
    assert (gtt.status, gtt.order_id, scene.rung.exit.order_id) == (GttStatus.TRIGGERED, "G9", "G9")
    known = len(scene.kernel.order_store.orders)
    scene.gtt(gtt, GttStatus.TRIGGERED, ["G9"])
    assert len(scene.kernel.order_store.orders) == known, (
        "it is one order, however often its GTT is listed"
    )


def test_an_id_that_only_an_answer_has_named_is_not_proven_by_a_restart(life):
    life.run(lambda scene: scene.accept(scene.enter(), "B1"))
    scene, _ = life.again()
    scene.tell(BrokerTrade(scene.now, "t1", "B1", CANBK, Side.BUY, 100, 100.0))
    assert scene.account == 0
    scene.book("B1", OrderStatus.COMPLETE, 100, "T1", 100)
    assert scene.account == 100


def test_an_exit_that_was_given_up_before_a_restart_is_not_sent_again_while_it_may_still_arrive(
    life,
):
    def give_an_exit_up(scene):
        scene.hold()
        found = give_up(scene, scene.leave())
        scene.answer(only(found, PlaceGtt).gtt.intent, RequestOutcome.ACCEPTED, "8")

    life.run(give_an_exit_up)
    scene, _ = life.again()
    scene.tick(100.0)
    scene.seconds(DOUBT_S - 2)
    assert (scene.rung.leaving, scene.kernel.view.naked(), some(scene.asked, DeleteGtt)) == (
        True,
        0,
        [],
    )
    deleted = only(scene.seconds(3), DeleteGtt).gtt
    scene.answer(deleted.intent, RequestOutcome.ACCEPTED, "8", RequestVerb.CANCEL)
    assert [int(order.quantity) for order in scene.exits()] == [100]


def test_a_gtt_that_stands_as_it_stood_is_not_written_again(scene):
    scene.hold(100)
    read = reader(scene)
    kept = tuple((leg.trigger, leg.price, leg.side, leg.quantity) for leg in scene.rung.gtt.legs)
    assert read(kept) == [scene.rung.gtt.intent], "that the broker lists it is news"
    assert read(kept) == read(kept) == []


@pytest.mark.parametrize("field", range(4))
def test_a_gtt_of_which_one_figure_has_changed_is_written(scene, field):
    scene.hold(100)
    read = reader(scene)
    [leg] = [[leg.trigger, leg.price, leg.side, leg.quantity] for leg in scene.rung.gtt.legs]
    read((tuple(leg),))
    scene.seconds(1)
    leg[field] = (leg[0] - 0.5, leg[1] - 0.5, Side.BUY, 90)[field]
    assert read((tuple(leg),)) == [scene.rung.gtt.intent]
    [stands] = scene.rung.gtt.legs
    assert [stands.trigger, stands.price, stands.side, stands.quantity] == leg


def reader(scene):
    """Return what shows the desk a GTT of these legs, and returns the written GTTs' numbers."""
    gtt, changed = scene.rung.gtt, scene.kernel.order_store.changed_gtts

    def read(legs):
        changed.clear()
        made = [GttLeg(*leg) for leg in legs]
        scene.tell(GttUpdate(scene.now, gtt.gtt_id, CANBK, GttStatus.ACTIVE, made, []))
        return [each.intent for each in changed.values()]

    return read
