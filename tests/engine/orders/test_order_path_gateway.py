"""The order path between the kernel and the broker.

What is unknown, what has vanished, what must not wait.
"""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from brokers.kite.kite_broker import KiteBroker
from compiled.model.events import (
    BrokerAnswer,
    DeleteGtt,
    GttUpdate,
    ModifyOrder,
    OperatorAct,
    OrderUpdate,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.order_terms import OrderChange, OrderTerms
from compiled.model.values import (
    SECOND,
    GttStatus,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
)
from engine.config.schema import GatewaySettings, GovernorSettings
from engine.day.desk_clocks import SteppedClock
from engine.day.pacing import BooksWatch
from engine.desk import EngineSettings
from engine.errors import OrderRefused, OrderUnknown, RetryableError
from engine.orders.gateway import OrderGateway
from engine.orders.governor import Governor
from engine.orders.killswitch import HALT, KillSwitch
from engine.ports import SlicedOrder
from engine.reconcile.poller import BrokerPoller
from tests.compiled.trading.scripted import BEL, CANBK, Scene, instruments, only, some
from tests.waiting import until


class Disk:
    """A journal that is always done."""

    def append(self, table, row):
        pass

    async def commit(self):
        pass


class Broker:
    """Answers from lists that a test fills; `place` does what `outcome` says."""

    def __init__(self):
        self.placed = []
        self.book = []
        self.listed = []
        self.outcome = self.accept
        self.changed = []
        self.busy = False

    async def accept(self, order):
        return f"N{order.intent}"

    async def place(self, order):
        self.placed.append(order)
        return await self.outcome(order)

    async def place_sliced(self, order):
        self.placed.append(order)
        return SlicedOrder(("N1", "N2"), (OrderRefused("MarginException", "no funds"),))

    async def modify(self, order_id, change):
        self.changed.append((order_id, change))
        if self.busy:
            raise RetryableError("Too many requests")

    async def place_gtt(self, gtt):
        raise OrderUnknown(f"GTT {gtt.intent} timed out")

    async def orders(self):
        return list(self.book)

    async def trades(self):
        return []

    async def gtts(self):
        return list(self.listed)


class Engine:
    """A scene whose commands go through a real gateway, on a clock that stands."""

    def __init__(self, folder):
        self.scene = Scene()
        self.broker = Broker()
        self.clock = SteppedClock(self.scene.now)
        self.kill = KillSwitch(folder / "KILL")
        self.inbox = []
        self.gateway = OrderGateway(
            self.scene.kernel,
            self.broker,
            Disk(),
            self.clock,
            Governor(GovernorSettings()),
            self.kill,
            GatewaySettings(),
            self.inbox.append,
        )
        self.books = BrokerPoller(self.scene.kernel, self.broker, self.gateway, self.inbox.append)

    def turn(self):
        """Hand what has come in to the kernel; return what it asks for."""
        found = []
        while self.inbox:
            found += self.scene.tell(self.inbox.pop(0))
        return found

    async def look(self, times=1):
        """Look at the books that often, two seconds apart; return what the kernel asks for."""
        found = []
        for _ in range(times):
            self.scene.now += 2 * SECOND
            self.clock.set(self.scene.now)
            await self.books.poll(gtts=True)
            found += self.turn()
        return found

    def list_gtt(self, gtt, gtt_id, status):
        return GttUpdate(self.scene.now, gtt_id, CANBK, status, list(gtt.legs), [])


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path)


async def unknown_gtt(engine):
    """Return the GTT of a position, sent and unanswered."""
    gtt = only(engine.scene.fill(engine.scene.enter()), PlaceGtt).gtt
    engine.broker.book = [
        OrderUpdate(engine.scene.now, "B1", "T1", CANBK, Side.BUY, OrderStatus.COMPLETE, 100, 100)
    ]
    engine.gateway.put(PlaceGtt(gtt))
    await engine.gateway.drain()
    engine.turn()
    assert gtt.status is GttStatus.UNKNOWN
    return gtt


def test_an_order_of_unknown_outcome_is_found_by_its_tag_and_sent_once(engine):
    async def story():
        async def time_out(order):
            raise OrderUnknown("timed out")

        engine.broker.outcome = time_out
        order = engine.scene.enter()
        engine.gateway.put(PlaceOrder(order))
        await engine.gateway.drain()
        engine.turn()
        assert order.status is OrderStatus.UNKNOWN
        engine.broker.book = [
            OrderUpdate(0, "B1", order.tag, CANBK, Side.BUY, OrderStatus.OPEN, 100, 0)
        ]
        await engine.look()
        assert (order.status, order.order_id) == (OrderStatus.OPEN, "B1")
        assert engine.broker.placed == [order]
        assert engine.gateway.unresolved == {}

    asyncio.run(story())


def test_a_quantity_that_has_changed_at_the_broker_and_nothing_else_is_heard(engine):
    async def story():
        order = engine.scene.enter()
        for quantity in (100, 60):
            engine.broker.book = [
                OrderUpdate(
                    0, "B1", order.tag, CANBK, Side.BUY, OrderStatus.OPEN, quantity, 0, 99.0
                )
            ]
            await engine.look()
            assert order.quantity == quantity

    asyncio.run(story())


def test_an_order_is_given_up_only_after_five_looks(engine):
    async def story():
        async def time_out(order):
            raise OrderUnknown("timed out")

        engine.broker.outcome = time_out
        engine.scene.hold()
        order = engine.scene.leave()
        engine.gateway.put(PlaceOrder(order))
        await engine.gateway.drain()
        engine.turn()
        await engine.look(4)
        assert order.status is OrderStatus.UNKNOWN
        await engine.look(1)
        assert order.status is OrderStatus.LOST

    asyncio.run(story())


def test_a_latched_switch_stops_entries_in_the_queue_and_lets_exits_pass(engine):
    async def story():
        entry = engine.scene.enter()
        engine.gateway.put(PlaceOrder(entry))
        engine.kill.trigger(HALT, "test", "test")
        exit_ = engine.scene.kernel.order_store.place_order(
            "script", CANBK, Side.SELL, 5, entry.order_type, entry.product, OrderPurpose.EXIT, 0
        )
        engine.gateway.put(PlaceOrder(exit_))
        await engine.gateway.drain()
        assert engine.broker.placed == [exit_]
        engine.turn()
        assert entry.status is OrderStatus.REJECTED

    asyncio.run(story())


def test_an_exit_does_not_wait_behind_entries_whose_answers_hang(engine):
    async def story():
        never = asyncio.Event()

        async def hang(order):
            if order.purpose is OrderPurpose.ENTRY:
                await never.wait()
            return f"N{order.intent}"

        engine.broker.outcome = hang
        sending = asyncio.create_task(engine.gateway.run(3))
        out = engine.scene.kernel.order_store
        entry = engine.scene.enter()
        for _ in range(3):
            engine.gateway.put(
                PlaceOrder(
                    out.place_order(
                        "script",
                        BEL,
                        Side.BUY,
                        5,
                        entry.order_type,
                        entry.product,
                        OrderPurpose.ENTRY,
                        0,
                    )
                )
            )
        await asyncio.sleep(0.05)
        leaving = out.place_order(
            "script", CANBK, Side.SELL, 5, entry.order_type, entry.product, OrderPurpose.EXIT, 0
        )
        engine.gateway.put(PlaceOrder(leaving))
        await until(lambda: leaving in engine.broker.placed)
        sending.cancel()

    asyncio.run(story())


def test_an_entry_that_waits_for_a_lane_does_not_keep_the_loop_busy(engine):
    async def story():
        answer = asyncio.Event()

        async def hang(order):
            await answer.wait()
            return f"N{order.intent}"

        engine.broker.outcome = hang
        sending = asyncio.create_task(engine.gateway.run(2))
        out = engine.scene.kernel.order_store
        for _ in range(2):
            engine.gateway.put(
                PlaceOrder(
                    out.place_order(
                        "script",
                        BEL,
                        Side.BUY,
                        5,
                        OrderType.MARKET,
                        Product.CNC,
                        OrderPurpose.ENTRY,
                        0,
                    )
                )
            )
        await until(lambda: engine.broker.placed)
        assert len(engine.broker.placed) == 1
        assert engine.gateway.next_due() is None
        answer.set()
        await until(lambda: len(engine.broker.placed) == 2)
        sending.cancel()

    asyncio.run(story())


class Kite(KiteBroker):
    """The real broker port with a client that answers nothing until `free` is set."""

    def __init__(self, clock):
        super().__init__("http://nowhere", "key", "token", clock)
        self._calls.thread_client = lambda: self
        self.add_instruments(instruments())
        self.free = threading.Event()
        self.tags = []

    def call(self, work):
        return work(self)

    def place_order(self, **fields):
        self.tags.append(fields["tag"])
        self.free.wait(60.0)
        return "N" + fields["tag"]


def test_an_entry_that_waits_for_a_thread_does_not_leave_after_the_latch(engine):
    async def story():
        engine.gateway.broker = broker = Kite(engine.clock)
        sending = asyncio.create_task(
            engine.gateway.run(EngineSettings.__dataclass_fields__["lanes"].default)
        )
        out = engine.scene.kernel.order_store
        for _ in range(3):
            engine.gateway.put(
                PlaceOrder(
                    out.place_order(
                        "script",
                        BEL,
                        Side.BUY,
                        5,
                        OrderType.MARKET,
                        Product.CNC,
                        OrderPurpose.ENTRY,
                        0,
                    )
                )
            )
        async with asyncio.timeout(30):
            while not broker.tags:  # noqa: ASYNC110 (the thread signals nobody)
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        left = list(broker.tags)
        engine.kill.trigger(HALT, "test", "test")
        broker.free.set()
        await asyncio.sleep(0.3)
        sending.cancel()
        await broker.close()
        assert left
        assert broker.tags == left

    asyncio.run(story())


def test_a_gtt_of_unknown_outcome_is_found_by_what_it_asks_for(engine):
    async def story():
        gtt = await unknown_gtt(engine)
        engine.broker.listed = [engine.list_gtt(gtt, 9, GttStatus.ACTIVE)]
        await engine.look()
        assert (gtt.gtt_id, gtt.status, engine.scene.kernel.view.naked()) == (
            9,
            GttStatus.ACTIVE,
            0,
        )

    asyncio.run(story())


def test_a_dead_gtt_that_asked_for_the_same_is_not_taken_for_ours(engine):
    async def story():
        gtt = await unknown_gtt(engine)
        engine.broker.listed = [
            engine.list_gtt(gtt, 8, GttStatus.DELETED),
            engine.list_gtt(gtt, 9, GttStatus.ACTIVE),
        ]
        await engine.look()
        assert (gtt.gtt_id, gtt.status) == (9, GttStatus.ACTIVE)

    asyncio.run(story())


def test_a_gtt_given_up_as_lost_that_stands_after_all_does_not_guard_the_shares_twice(engine):
    async def story():
        first = await unknown_gtt(engine)
        await engine.look(6)
        assert first.status is GttStatus.LOST
        second = only(engine.scene.seconds(5), PlaceGtt).gtt
        engine.scene.answer(second.intent, RequestOutcome.ACCEPTED, "10")
        engine.broker.listed = [
            engine.list_gtt(first, 9, GttStatus.ACTIVE),
            engine.list_gtt(second, 10, GttStatus.ACTIVE),
        ]
        deleted = [command.gtt.gtt_id for command in some(await engine.look(3), DeleteGtt)]
        assert deleted in ([9], [10])

    asyncio.run(story())


def test_a_gtt_that_has_vanished_from_the_brokers_list_is_not_taken_for_protection(engine):
    async def story():
        engine.scene.hold()
        engine.broker.book = [
            OrderUpdate(
                engine.scene.now, "B1", "T1", CANBK, Side.BUY, OrderStatus.COMPLETE, 100, 100
            )
        ]
        engine.broker.listed = []
        again = only(await engine.look(5), PlaceGtt).gtt
        assert [(leg.trigger, leg.quantity) for leg in again.legs] == [(98.0, 100)]
        assert engine.scene.kernel.view.naked() == 1  # until it is answered
        engine.scene.answer(again.intent, RequestOutcome.ACCEPTED, "11")
        assert engine.scene.kernel.view.naked() == 0

    asyncio.run(story())


def test_a_position_can_be_left_when_its_deleted_gtt_has_vanished_from_the_list(engine):
    async def story():
        gtt = engine.scene.hold()
        engine.scene.operate(OperatorAct.EXIT, token=CANBK)
        engine.inbox.append(
            BrokerAnswer(
                engine.scene.now,
                gtt.intent,
                RequestVerb.CANCEL,
                RequestOutcome.UNKNOWN,
                "7",
                "timed out",
            )
        )
        engine.turn()
        engine.broker.listed = []
        found = await engine.look(10)
        assert some(found, PlaceOrder)

    asyncio.run(story())


def test_a_refused_order_ends_its_rung(engine):
    async def story():
        async def refuse(order):
            raise OrderRefused("MarginException", "insufficient funds")

        engine.broker.outcome = refuse
        order = engine.scene.enter()
        engine.gateway.put(PlaceOrder(order))
        await engine.gateway.drain()
        await engine.look()
        assert (order.status, order.reason) == (
            OrderStatus.REJECTED,
            "MarginException: insufficient funds",
        )
        assert not engine.scene.kernel.view.has_work()

    asyncio.run(story())


def test_a_sent_order_is_known_to_be_on_its_way_before_anybody_answers(engine):
    async def story():
        seen = []

        async def look(order):
            seen.append(order.status)
            return "N1"

        engine.broker.outcome = look
        order = engine.scene.enter()
        engine.gateway.put(PlaceOrder(order))
        await engine.gateway.drain()
        assert seen == [OrderStatus.INTENT], "the gateway leaves the order's life to the kernel"
        assert [event.outcome for event in engine.inbox] == [
            RequestOutcome.SENT,
            RequestOutcome.ACCEPTED,
        ]
        engine.turn()
        assert order.status is OrderStatus.OPEN

    asyncio.run(story())


def test_an_entry_that_waited_too_long_is_dropped_and_an_exit_is_not(engine):
    async def story():
        out = engine.scene.kernel.order_store
        entry = engine.scene.enter()
        leaving = out.place_order(
            "script", CANBK, Side.SELL, 5, OrderType.MARKET, Product.CNC, OrderPurpose.EXIT, 0
        )
        engine.gateway.put(PlaceOrder(entry))
        engine.gateway.put(PlaceOrder(leaving))
        engine.clock.set(engine.scene.now + 6 * SECOND)
        await engine.gateway.drain()
        engine.turn()
        assert engine.broker.placed == [leaving]
        assert (entry.status, entry.reason) == (
            OrderStatus.REJECTED,
            "it waited too long to be sent",
        )

    asyncio.run(story())


def test_what_waits_for_the_governor_can_be_seen_the_most_urgent_first(engine):
    async def story():
        out = engine.scene.kernel.order_store
        entry = engine.scene.enter()
        engine.gateway.put(PlaceOrder(entry))
        engine.gateway.put(
            PlaceOrder(
                out.place_order(
                    "script",
                    CANBK,
                    Side.SELL,
                    5,
                    OrderType.MARKET,
                    Product.CNC,
                    OrderPurpose.EXIT,
                    0,
                )
            )
        )
        engine.gateway.governor.back_off(OrderPurpose.ENTRY, engine.scene.now + 3 * SECOND)
        queue = engine.gateway.queued_requests()
        assert [(item.purpose, item.what, item.symbol) for item in queue] == [
            ("EXIT", "PlaceOrder", "CANBK"),
            ("ENTRY", "PlaceOrder", "CANBK"),
        ]
        assert [item.due - engine.scene.now for item in queue] == [0, 3 * SECOND]

    asyncio.run(story())


def test_a_request_that_hangs_is_looked_for_while_it_hangs(engine):
    async def story():
        never = asyncio.Event()

        async def hang(order):
            await never.wait()
            return "B1"

        engine.broker.outcome = hang
        order = engine.scene.enter()
        engine.gateway.put(PlaceOrder(order))
        sending = asyncio.create_task(engine.gateway.drain())
        await until(lambda: engine.broker.placed)
        assert engine.gateway.poll_due() == engine.scene.now + 5 * SECOND
        engine.broker.book = [
            OrderUpdate(0, "B1", order.tag, CANBK, Side.BUY, OrderStatus.OPEN, 100, 0)
        ]
        await engine.look(3)
        assert (order.status, order.order_id) == (OrderStatus.OPEN, "B1")
        assert engine.gateway.poll_due() == engine.scene.now + 2 * SECOND
        never.set()
        await sending
        assert engine.gateway.poll_due() is None
        engine.turn()
        assert engine.broker.placed == [order]

    asyncio.run(story())


def test_a_modification_reaches_the_broker_and_a_busy_one_holds_its_class_back(engine):
    async def story():
        order = engine.scene.enter()
        engine.scene.accept(order, "B1")
        change = OrderChange(price=99.0)
        engine.scene.kernel.order_store.modify_order(order, change)
        engine.gateway.put(ModifyOrder(order, change))
        engine.broker.busy = True
        await engine.gateway.drain()
        engine.turn()
        assert engine.broker.changed == [("B1", change)]
        assert (order.pending, order.modifies) == (None, 0)
        assert (
            engine.gateway.governor.order_due(OrderPurpose.ENTRY, engine.scene.now)
            > engine.scene.now
        )
        assert (
            engine.gateway.governor.order_due(OrderPurpose.EXIT, engine.scene.now)
            == engine.scene.now
        )

    asyncio.run(story())


def test_an_entry_is_not_modified_after_the_latch(engine):
    async def story():
        order = engine.scene.enter()
        engine.scene.accept(order, "B1")
        change = OrderChange(price=99.0)
        engine.scene.kernel.order_store.modify_order(order, change)
        engine.kill.trigger(HALT, "test", "test")
        engine.gateway.put(ModifyOrder(order, change))
        await engine.gateway.drain()
        engine.turn()
        assert engine.broker.changed == []
        assert order.pending is None

    asyncio.run(story())


def test_a_sliced_order_tells_how_many_slices_there_are_and_which_are_missing(engine):
    async def story():
        order = engine.scene.enter()
        order.terms = OrderTerms(autoslice=True)
        engine.gateway.put(PlaceOrder(order))
        await engine.gateway.drain()
        answer = engine.inbox[-1]
        assert (answer.broker_id, answer.parts) == ("N1", 2)
        assert answer.reason == "1 slices are missing: MarginException: no funds"

    asyncio.run(story())


# looks


def test_a_gtt_that_was_being_changed_while_it_was_read_is_read_again_with_the_next_look(engine):
    async def story():
        gtt = engine.scene.hold(100)
        engine.broker.listed = [engine.list_gtt(gtt, 7, GttStatus.TRIGGERED)]
        engine.gateway.touched[gtt.intent] = engine.gateway.moves + 1
        await engine.books.poll(gtts=True)
        assert engine.turn() == []
        engine.gateway.touched[gtt.intent] = engine.gateway.moves
        await engine.books.poll()
        engine.turn()
        assert gtt.status is GttStatus.TRIGGERED

    asyncio.run(story())


class Looked:
    """What a `BooksWatch` needs of a loop: notes with each look whether GTTs were read."""

    def __init__(self, start):
        self.clock = SteppedClock(start)
        self.has_hint = self.compare_soon = False
        self.gateway = SimpleNamespace(
            poll_due=lambda: None, unresolved=(), lookups=SimpleNamespace(paused_until=0)
        )
        self.reconcile_actions = SimpleNamespace(waiting=())
        self.wake = asyncio.Event()
        self.poller, self.is_incomplete, self.foreign_shares = self, False, 0
        self.looks = []

    async def poll(self, *, gtts):
        self.looks.append(gtts)

    def post_lacking(self):
        pass


def test_hints_that_come_faster_than_the_poll_do_not_put_off_the_reading_of_gtts():
    async def story():
        loop = Looked(0)
        watch = BooksWatch(loop, 7 * SECOND, 1_000 * SECOND)
        for second in range(1, 16):
            loop.has_hint = True
            loop.clock.set(second * SECOND)
            watch.start_if_due(loop.clock.now())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert [second for second, gtts in enumerate(loop.looks, 1) if gtts] == [7, 14]

    asyncio.run(story())


def test_the_books_are_read_on_time_when_no_hint_ever_comes():
    async def story():
        loop = Looked(0)
        watch = BooksWatch(loop, 7 * SECOND, 1_000 * SECOND)
        read = []
        for second in range(1, 16):
            loop.clock.set(second * SECOND)
            before = len(loop.looks)
            watch.start_if_due(loop.clock.now())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            read += [second] * (len(loop.looks) - before)
        assert read == [7, 14]

    asyncio.run(story())
