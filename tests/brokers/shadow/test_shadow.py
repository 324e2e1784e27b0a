"""A shadow broker between a scripted real broker and the simulated exchange."""

import asyncio
from datetime import date, datetime, timedelta, timezone

import pytest

from brokers.paper.simulated_exchange import SimulatedExchange
from brokers.shadow.order_pairs import twin_difference
from brokers.shadow.shadow_broker import ShadowBroker
from compiled.market_data.depth_block import pack_depth
from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.order_terms import OrderChange
from compiled.model.values import (
    Gtt,
    GttLeg,
    GttStatus,
    Instrument,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    Tick,
)
from compiled.venue.slippage import Slippage
from engine.day.price_bands import fill_in_bands
from engine.errors import OrderRefused, OrderUnknown
from engine.market.calendar import Calendar
from engine.market.order_rules import venue_rules
from engine.ports import PriceBand
from store.sqlite_journal import SqliteJournal

IST = timezone(timedelta(hours=5, minutes=30))
SECOND = 1_000_000_000
TOKEN = 408065
TEN = int(datetime(2026, 11, 19, 10, tzinfo=IST).timestamp()) * SECOND


class Clock:
    def __init__(self):
        self.time = TEN

    def now(self):
        return self.time

    async def sleep_until(self, ts):
        while self.time < ts:  # noqa: ASYNC110 (somebody else moves it)
            await asyncio.sleep(0)


class Real:
    """A broker that answers what it is told to, and keeps what was asked of it."""

    def __init__(self):
        self.asked, self.book, self.traded, self.triggers, self.error = [], [], [], [], None

    async def instruments(self, _exchange):
        return [Instrument(TOKEN, "NSE", "INFY", 0.05)]

    async def bands(self, instruments):
        return [PriceBand(int(each.token), 1_350.0, 1_650.0, 1_500.0) for each in instruments]

    async def place(self, order):
        self.asked.append(("place", int(order.intent)))
        if self.error is not None:
            raise self.error
        return f"R{order.intent}"

    async def cancel(self, order_id):
        self.asked.append(("cancel", order_id))

    async def modify(self, order_id, change):
        self.asked.append(("modify", order_id, change.price))

    async def place_gtt(self, gtt):
        self.asked.append(("place_gtt", int(gtt.intent)))
        return 77

    async def modify_gtt(self, gtt):
        self.asked.append(("modify_gtt", int(gtt.gtt_id)))

    async def delete_gtt(self, gtt_id):
        self.asked.append(("delete_gtt", gtt_id))

    async def orders(self):
        return self.book

    async def trades(self):
        return self.traded

    async def gtts(self):
        return self.triggers

    async def close(self):
        pass

    def fills(self, order_id, quantity, price, ts, side=Side.BUY):
        self.book.append(
            OrderUpdate(ts, order_id, "", TOKEN, side, OrderStatus.COMPLETE, quantity, quantity)
        )
        self.traded.append(BrokerTrade(ts, f"T{order_id}", order_id, TOKEN, side, quantity, price))


class Shadow:
    def __init__(self, file):
        self.file, self.clock, self.real, self.volume, self.shown, self.failures = (
            file,
            Clock(),
            Real(),
            1_000,
            [],
            [],
        )

    async def open(self, latency=0):
        self.journal = SqliteJournal(self.file, lambda *told: self.failures.append(told))
        rules = venue_rules(date(2026, 11, 19), latency)

        def simulate(hear):
            return SimulatedExchange(rules, Slippage(), self.clock, hear, stamped=True)

        self.broker = ShadowBroker(
            self.real,
            self.clock,
            Calendar.load(),
            self.journal,
            simulate,
            lambda pairs: self.shown.append(list(pairs)),
        )
        listed = await self.broker.instruments("NSE")
        fill_in_bands(listed, await self.broker.bands(listed))

    async def close(self):
        await self.journal.commit()
        self.journal.close()
        assert self.failures == []

    async def tick(self, ltp, after=SECOND):
        self.clock.time += after
        self.volume += 10
        tick = Tick(TOKEN, self.clock.time // SECOND * SECOND, ltp, self.volume)
        tick.depth = pack_depth(TOKEN, [(ltp - 0.05, 1_000, 1)], [(ltp + 0.05, 1_000, 1)])
        self.broker.take_ticks([tick], self.clock.time)

    async def pairs(self):
        for read in (self.broker.orders, self.broker.trades, self.broker.gtts):
            await read()
        await self.journal.commit()
        return {row["intent"]: row for row in self.journal.load("shadow")}


@pytest.fixture
async def shadow(tmp_path):
    made = Shadow(tmp_path / "desk.db")
    await made.open()
    await made.tick(1500.0)
    yield made
    await made.close()


def order(intent, kind=OrderType.MARKET, price=0.0):
    return Order(
        intent,
        f"t{intent}",
        "s",
        TOKEN,
        Side.BUY,
        10,
        kind,
        Product.CNC,
        OrderPurpose.ENTRY,
        price=price,
    )


def gtt(intent, trigger):
    legs = [GttLeg(trigger, trigger - 5.0, Side.SELL, 10)]
    return Gtt(intent, "s", TOKEN, Product.CNC, 0, 1500.0, legs)


async def test_both_sides_of_an_order_are_written_down(shadow):
    assert await shadow.broker.place(order(1)) == "R1"
    sent = shadow.clock.time
    await shadow.tick(1500.0)
    shadow.real.fills("R1", 10, 1500.25, sent + 3 * SECOND)
    row = (await shadow.pairs())[1]
    assert (row["order_id"], row["symbol"], row["strategy"], row["sent"]) == (
        "R1",
        "INFY",
        "s",
        sent,
    )
    assert (row["real_filled"], row["real_value"], row["real_first"]) == (
        10,
        1_500_250,
        sent + 3 * SECOND,
    )
    assert (row["twin_filled"], row["twin_value"], row["twin_first"]) == (
        10,
        1_500_050,
        sent + SECOND,
    )
    await shadow.tick(1500.0, after=2 * SECOND)
    told = twin_difference(shadow.shown[-1][0])
    assert told.price == pytest.approx(0.20)
    assert told.delay == 2 * SECOND


async def test_a_trade_is_counted_once_however_often_it_is_read(shadow):
    await shadow.broker.place(order(1))
    shadow.real.fills("R1", 10, 1500.0, shadow.clock.time)
    for _ in range(3):
        row = (await shadow.pairs())[1]
    assert row["real_filled"] == 10


async def test_a_fill_stamped_to_the_second_is_never_before_the_order(shadow):
    shadow.clock.time += SECOND // 2
    await shadow.broker.place(order(1))
    shadow.real.fills("R1", 10, 1500.0, shadow.clock.time // SECOND * SECOND)
    row = (await shadow.pairs())[1]
    assert row["real_first"] == row["sent"]


async def test_what_the_broker_refuses_ends_the_twin(shadow):
    shadow.real.error = OrderRefused("MarginException", "too little")
    with pytest.raises(OrderRefused, match="too little"):
        await shadow.broker.place(order(1, OrderType.LIMIT, 1499.0))
    await shadow.tick(1490.0)
    row = (await shadow.pairs())[1]
    assert (row["real_status"], row["twin_status"], row["twin_filled"]) == (
        "REFUSED",
        "CANCELLED",
        0,
    )


async def test_an_order_whose_outcome_nobody_told_is_found_by_its_tag(shadow):
    shadow.real.error = OrderUnknown("no answer")
    with pytest.raises(OrderUnknown):
        await shadow.broker.place(order(1))
    await shadow.tick(1500.0)
    row = (await shadow.pairs())[1]
    assert (row["real_status"], row["twin_filled"], row["order_id"]) == ("UNKNOWN", 10, "")
    shadow.real.book.append(
        OrderUpdate(TEN, "R8", "t1", TOKEN, Side.BUY, OrderStatus.COMPLETE, 10, 10)
    )
    shadow.real.traded.append(BrokerTrade(TEN, "T8", "R8", TOKEN, Side.BUY, 10, 1501.0))
    row = (await shadow.pairs())[1]
    assert (row["real_status"], row["real_value"], row["order_id"]) == ("COMPLETE", 1_501_000, "R8")


async def test_changes_and_cancellations_reach_both(shadow):
    await shadow.broker.place(order(1, OrderType.LIMIT, 1480.0))
    await shadow.broker.place(order(2, OrderType.LIMIT, 1480.0))
    await shadow.tick(1500.0)
    await shadow.broker.modify("R1", OrderChange(price=1495.0))
    await shadow.broker.cancel("R2")
    assert shadow.real.asked[-2:] == [("modify", "R1", 1495.0), ("cancel", "R2")]
    await shadow.tick(1490.0)
    await shadow.tick(1470.0)
    rows = await shadow.pairs()
    assert [rows[n]["twin_filled"] for n in (1, 2)] == [10, 0]
    assert rows[2]["twin_status"] == "CANCELLED"


async def test_an_order_nobody_here_sent_goes_through_untouched(shadow):
    await shadow.broker.cancel("SOMEBODYS")
    await shadow.broker.modify("SOMEBODYS", OrderChange(price=1.0))
    assert shadow.real.asked == [("cancel", "SOMEBODYS"), ("modify", "SOMEBODYS", 1.0)]
    assert await shadow.pairs() == {}


async def test_a_cancellation_that_overtakes_the_twins_order_cancels_it_on_arrival(tmp_path):
    made = Shadow(tmp_path / "slow.db")
    await made.open(latency=SECOND)
    await made.tick(1500.0)
    await made.broker.place(order(1, OrderType.LIMIT, 1499.0))
    await made.broker.cancel("R1")
    for _ in range(4):
        await made.tick(1500.0)
    await made.tick(1480.0)
    row = (await made.pairs())[1]
    assert (row["twin_status"], row["twin_filled"]) == ("CANCELLED", 0)
    await made.close()


async def test_the_orders_of_a_gtt_and_of_its_twin_make_one_pair(shadow):
    await shadow.broker.place_gtt(gtt(5, 1490.0))
    assert await shadow.pairs() == {}, "nothing has been sent yet"
    await shadow.tick(1489.0)
    await shadow.tick(1489.0)
    legs = gtt(5, 1490.0).legs
    shadow.real.triggers.append(
        GttUpdate(shadow.clock.time, 77, TOKEN, GttStatus.TRIGGERED, legs, ["R9"])
    )
    shadow.real.fills("R9", 10, 1488.0, shadow.clock.time, Side.SELL)
    row = (await shadow.pairs())[5]
    assert (row["kind"], row["order_id"], row["side"]) == ("gtt", "R9", "SELL")
    assert (row["real_value"], row["twin_value"]) == (1_488_000, 1_488_950)


async def test_a_gtt_that_is_moved_or_deleted_moves_or_deletes_its_twin(shadow):
    made = gtt(5, 1490.0)
    made.gtt_id = await shadow.broker.place_gtt(made)
    made.pending = [GttLeg(1470.0, 1465.0, Side.SELL, 10)]
    await shadow.broker.modify_gtt(made)
    await shadow.tick(1485.0)
    assert await shadow.pairs() == {}, "the twin has been moved out of the way"
    await shadow.broker.delete_gtt(77)
    await shadow.tick(1460.0)
    assert await shadow.pairs() == {}
    assert shadow.real.asked == [("place_gtt", 5), ("modify_gtt", 77), ("delete_gtt", 77)]


async def test_after_a_restart_the_real_side_goes_on_and_the_twin_is_none(shadow):
    await shadow.broker.place(order(1, OrderType.LIMIT, 1480.0))
    shadow.real.book.append(OrderUpdate(TEN, "R1", "", TOKEN, Side.BUY, OrderStatus.OPEN, 10, 0))
    await shadow.pairs()
    await shadow.close()
    await shadow.open()
    shadow.real.book.clear()
    shadow.real.fills("R1", 10, 1480.0, shadow.clock.time)
    row = (await shadow.pairs())[1]
    assert (row["real_filled"], row["real_status"], row["twin_status"]) == (10, "COMPLETE", "none")


async def test_a_day_whose_hours_nobody_knows_has_no_session_and_ends_nothing(tmp_path):
    made = Shadow(tmp_path / "desk.db")
    made.clock.time = int(datetime(2026, 11, 6, 10, tzinfo=IST).timestamp()) * SECOND
    await made.open()
    await made.tick(1500.0)
    # muhurat of 2026: a Sunday evening whose clock time is not in the calendar
    made.clock.time = int(datetime(2026, 11, 8, 0, 0, 30, tzinfo=IST).timestamp()) * SECOND
    await made.broker.place(order(7))
    assert (await made.pairs())[7]["twin_status"] == "REFUSED"
    await made.close()
