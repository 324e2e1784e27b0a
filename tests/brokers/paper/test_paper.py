"""The paper exchange behind the broker port.

Prices come from a source, and nothing but questions goes to it.
"""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from brokers.paper import paper_broker
from brokers.paper.paper_broker import PaperBroker, PaperWorld
from compiled.market_data.depth_block import pack_depth
from compiled.model.order_terms import OrderChange, OrderTerms, Variety
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
from engine.day.price_bands import fill_in_bands
from engine.errors import OrderRefused
from engine.market import charges
from engine.market.calendar import Calendar
from engine.ports import PriceBand
from store.sqlite_journal import SqliteJournal

IST = timezone(timedelta(hours=5, minutes=30))
SECOND = 1_000_000_000
MS = 1_000_000
TOKEN = 408065
CASH = 1_000_000_00


def ns(day, hour, minute, second=0):
    return int(datetime(2026, 11, day, hour, minute, second, tzinfo=IST).timestamp()) * SECOND


class Clock:
    """A clock that is moved by hand, and lets the loop turn."""

    def __init__(self):
        self.time = ns(19, 10, 0)

    def now(self):
        return self.time

    async def sleep_until(self, ts):
        while self.time < ts:  # noqa: ASYNC110 (somebody else moves it)
            await asyncio.sleep(0)


class Source:
    """A broker that answers questions; it has nothing an order could be sent to."""

    async def account(self):
        return "AB1234"

    async def instruments(self, exchange):
        return [Instrument(TOKEN, "NSE", "INFY", 0.05)] if exchange == "NSE" else []

    async def bands(self, instruments):
        return [PriceBand(int(each.token), 1_350.0, 1_650.0, 1_500.0) for each in instruments]

    async def close(self):
        pass


class Paper:
    """A paper broker on a journal, restarted at will."""

    def __init__(self, file):
        self.file, self.clock, self.volume = file, Clock(), 1_000
        self.hints, self.failures = [], []

    async def open(self, **terms):
        self.journal = SqliteJournal(self.file, lambda *told: self.failures.append(told))
        world = PaperWorld(self.clock, Calendar.load(), charges.load_rate_table(), self.journal)
        self.broker = PaperBroker(
            Source(), world, paper_broker.PaperTerms(**{"cash": CASH, **terms}), stamped=True
        )
        self.broker.hint = self.hints.append
        listed = await self.broker.instruments("NSE")
        fill_in_bands(listed, await self.broker.bands(listed))
        self.tasks = [asyncio.ensure_future(work) for work in self.broker.beside()]

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.journal.commit()
        self.journal.close()
        assert self.failures == []

    async def restart(self, **terms):
        await self.close()
        await self.open(**terms)

    async def at(self, ts):
        """Let it be this time."""
        self.clock.time = ts
        for _ in range(10):
            await asyncio.sleep(0)

    async def tick(self, ltp, traded=0, bids=(), asks=(), after=SECOND):
        """Let a full tick come, `after` ns later."""
        self.clock.time += after
        self.volume += traded
        tick = Tick(TOKEN, self.clock.time // SECOND * SECOND, ltp, self.volume)
        tick.depth = pack_depth(TOKEN, [(*each, 1) for each in bids], [(*each, 1) for each in asks])
        self.broker.take_ticks([tick], self.clock.time)
        for _ in range(10):
            await asyncio.sleep(0)

    async def prices(self, last):
        """Let a tick come with plenty on both sides, one grid step from the last price."""
        await self.tick(last, 10, [(last - 0.05, 1_000)], [(last + 0.05, 1_000)])

    async def status(self, order_id):
        return next(each for each in await self.broker.orders() if each.order_id == order_id)


@pytest.fixture
async def paper(tmp_path):
    made = Paper(tmp_path / "desk.db")
    await made.open()
    yield made
    await made.close()


NUMBERS = iter(range(1, 10_000))


def order(side=Side.BUY, quantity=10, kind=OrderType.MARKET, price=0.0, product=Product.CNC):
    number = next(NUMBERS)
    return Order(
        number,
        f"t{number}",
        "s",
        TOKEN,
        side,
        quantity,
        kind,
        product,
        OrderPurpose.ENTRY,
        price=price,
    )


def gtt(trigger, price, quantity=10, last=1500.0):
    return Gtt(
        next(NUMBERS),
        "s",
        TOKEN,
        Product.CNC,
        0,
        last,
        [GttLeg(trigger, price, Side.SELL, quantity)],
    )


async def test_a_market_order_takes_the_visible_book_of_the_next_tick(paper):
    await paper.prices(1500.0)
    order_id = await paper.broker.place(order(quantity=30))
    assert (await paper.status(order_id)).status is OrderStatus.OPEN, (
        "never on the tick that caused it"
    )
    await paper.tick(1500.0, 10, [(1499.95, 100)], [(1500.05, 20), (1500.10, 100)])
    assert [(int(each.quantity), each.price) for each in await paper.broker.trades()] == [
        (20, 1500.05),
        (10, 1500.10),
    ]
    assert (await paper.status(order_id)).status is OrderStatus.COMPLETE
    assert set(paper.hints) == {order_id}
    assert await paper.broker.funds() == CASH - 20 * 150_005 - 10 * 150_010


async def test_an_order_of_the_book_names_its_product_as_the_position_does(paper):
    await paper.prices(1500.0)
    await paper.broker.place(order(product=Product.MIS))
    await paper.tick(1500.0, 10, [(1499.95, 100)], [(1500.05, 100)])
    for _ in range(2):
        [booked], [position] = await paper.broker.orders(), await paper.broker.positions()
        # by this the desk knows that the one has become the other
        assert (int(booked.token), booked.product, int(booked.filled)) == (TOKEN, "MIS", 10)
        assert (position.token, position.product, position.quantity) == (TOKEN, "MIS", 10)
        await paper.restart()


async def test_a_request_takes_its_way_there_and_its_answer_the_way_back(paper):
    await paper.restart(latency=40 * MS)
    await paper.prices(1500.0)
    asked = asyncio.ensure_future(paper.broker.place(order()))
    begun = paper.clock.time
    await asyncio.sleep(0)
    await paper.at(begun + 39 * MS)
    await paper.tick(1500.0, 10, [(1499.95, 100)], [(1500.05, 100)], after=0)
    await paper.at(begun + 79 * MS)
    assert not asked.done()
    await paper.at(begun + 80 * MS)
    assert asked.done()
    assert await paper.broker.trades() == [], "the tick at 39 ms came before the order"
    await paper.prices(1500.0)
    await paper.at(paper.clock.time + 40 * MS)
    assert len(await paper.broker.trades()) == 1


async def test_a_resting_order_waits_in_the_queue_and_fills_in_part(paper):
    book = {"bids": [(1499.0, 50)], "asks": [(1501.0, 50)]}
    await paper.tick(1500.0, **book)
    order_id = await paper.broker.place(order(quantity=10, kind=OrderType.LIMIT, price=1499.0))
    await paper.tick(1500.0, **book)
    await paper.tick(1499.0, 50, bids=[(1499.0, 10)], asks=[(1501.0, 50)])
    assert (await paper.status(order_id)).filled == 0, "fifty stood before it"
    await paper.tick(1499.0, 4, bids=[(1499.0, 6)], asks=[(1501.0, 50)])
    assert (await paper.status(order_id)).filled == 4
    await paper.broker.cancel(order_id)
    gone = await paper.status(order_id)
    assert (gone.status, int(gone.filled)) == (OrderStatus.CANCELLED, 4)
    with pytest.raises(OrderRefused, match="not open"):
        await paper.broker.cancel(order_id)


async def test_what_the_exchange_would_refuse_is_refused_with_its_reason(paper):
    await paper.prices(1500.0)
    for bad, why in (
        (order(kind=OrderType.LIMIT, price=1500.03), "tick grid"),
        (order(kind=OrderType.LIMIT, price=1700.0), "band"),
        (order(quantity=0), "lot"),
    ):
        with pytest.raises(OrderRefused, match=why):
            await paper.broker.place(bad)
    await paper.at(ns(19, 15, 31))
    with pytest.raises(OrderRefused, match="closed"):
        await paper.broker.place(order())
    assert await paper.broker.orders() == []
    for ask in (paper.broker.cancel("99"), paper.broker.delete_gtt(99)):
        with pytest.raises(OrderRefused, match="99"):
            await ask


async def test_a_resting_order_is_modified_and_survives_a_restart_as_it_is(paper):
    await paper.prices(1500.0)
    resting = await paper.broker.place(order(quantity=10, kind=OrderType.LIMIT, price=1490.0))
    await paper.prices(1500.0)
    await paper.broker.modify(resting, OrderChange(quantity=6, price=1495.0))
    await paper.restart()
    stands = await paper.status(resting)
    assert (int(stands.quantity), stands.price, stands.status) == (6, 1495.0, OrderStatus.OPEN)
    await paper.prices(1494.0)
    assert int((await paper.status(resting)).filled) == 6
    with pytest.raises(OrderRefused, match="not open"):
        await paper.broker.modify(resting, OrderChange(price=1490.0))


async def test_a_sliced_order_is_several_under_one_tag(paper):
    await paper.prices(1500.0)
    paper.broker._simulation.listed_instrument(TOKEN).freeze = 40
    whole = order(quantity=100, kind=OrderType.LIMIT, price=1490.0)
    made = await paper.broker.place_sliced(whole)
    book = {each.order_id: each for each in await paper.broker.orders()}
    assert [int(book[each].quantity) for each in made.order_ids] == [40, 40, 20]
    assert {each.tag for each in book.values()} == {whole.tag}


async def test_a_variety_the_simulated_exchange_does_not_have_is_refused(paper):
    cover = order()
    cover.terms = OrderTerms(Variety.COVER)
    with pytest.raises(OrderRefused, match="cover"):
        await paper.broker.place(cover)


async def test_a_gtt_that_fires_sells_and_the_desk_learns_which_order_it_sent(paper):
    await paper.prices(1500.0)
    await paper.broker.place(order())
    await paper.prices(1500.0)
    gtt_id = await paper.broker.place_gtt(gtt(1480.0, 1470.0))
    moved = gtt(1490.0, 1480.0)
    moved.gtt_id, moved.pending = gtt_id, moved.legs
    await paper.broker.modify_gtt(moved)
    await paper.prices(1489.0)
    await paper.prices(1488.0)
    fired = (await paper.broker.gtts())[0]
    assert fired.status is GttStatus.TRIGGERED
    sold = await paper.status(fired.order_ids[0])
    assert (sold.side, sold.status, int(sold.filled)) == (Side.SELL, OrderStatus.COMPLETE, 10)
    assert [(each.quantity, each.product) for each in await paper.broker.positions()] == [
        (0, "CNC")
    ]
    other = await paper.broker.place_gtt(gtt(1400.0, 1395.0, last=1488.0))
    await paper.broker.delete_gtt(other)
    assert [each.status for each in await paper.broker.gtts()] == [
        GttStatus.TRIGGERED,
        GttStatus.DELETED,
    ]


async def test_orders_gtts_positions_and_money_outlive_a_restart(paper):
    await paper.prices(1500.0)
    bought = await paper.broker.place(order())
    await paper.prices(1500.0)
    resting = await paper.broker.place(order(quantity=7, kind=OrderType.LIMIT, price=1495.0))
    gtt_id = await paper.broker.place_gtt(gtt(1480.0, 1470.0))
    before = await paper.broker.funds()
    await paper.restart(cash=5)
    book = {each.order_id: each for each in await paper.broker.orders()}
    assert {key: each.status for key, each in book.items()} == {
        bought: OrderStatus.COMPLETE,
        resting: OrderStatus.OPEN,
    }
    assert await paper.broker.funds() == before
    assert [each.quantity for each in await paper.broker.positions()] == [10]
    assert len(await paper.broker.trades()) == 1
    await paper.prices(1494.0)
    filled = await paper.status(resting)
    assert (filled.status, int(filled.filled)) == (OrderStatus.COMPLETE, 7)
    assert (await paper.broker.trades())[-1].price == 1495.0, (
        "at its limit, although the price had gone through it"
    )
    await paper.prices(1479.0)
    await paper.prices(1479.0)
    fired = (await paper.broker.gtts())[0]
    assert (fired.gtt_id, fired.status) == (gtt_id, GttStatus.TRIGGERED)
    ids = [each.order_id for each in await paper.broker.orders()] + [
        t.trade_id for t in await paper.broker.trades()
    ]
    assert len(set(ids)) == len(ids), "no number was used twice"


async def test_overnight_charges_are_paid_shares_delivered_and_day_orders_gone(paper):
    await paper.prices(1500.0)
    await paper.broker.place(order(quantity=100, kind=OrderType.LIMIT, price=1500.05))
    await paper.prices(1500.0)
    resting = await paper.broker.place(order(kind=OrderType.LIMIT, price=1400.0))
    gtt_id = await paper.broker.place_gtt(gtt(1480.0, 1470.0, 100))
    assert await paper.broker.funds() == CASH - 100 * 150_005
    await paper.at(ns(19, 15, 31))
    assert (await paper.status(resting)).status is OrderStatus.CANCELLED
    paper.clock.time = ns(20, 9, 20)
    await paper.restart()
    assert await paper.broker.orders() == []
    assert await paper.broker.trades() == []
    assert await paper.broker.positions() == []
    held = await paper.broker.holdings()
    assert [(each.symbol, each.quantity, each.average) for each in held] == [("INFY", 100, 1500.05)]
    # on ₹150,005: STT 0.1 % = 150, stamp duty 0.015 % = 22.50, exchange and SEBI fees below 0.0035
    # % with GST = 5 to 6
    paid = CASH - 100 * 150_005 - await paper.broker.funds()
    assert 177_00 < paid < 179_50
    await paper.prices(1500.0)
    await paper.prices(1479.0)
    await paper.prices(1479.0)
    assert (await paper.broker.gtts())[0].gtt_id == gtt_id
    assert [each.quantity for each in await paper.broker.positions()] == [-100]
    paper.clock.time = ns(23, 9, 20)
    await paper.restart()
    assert await paper.broker.holdings() == []


async def test_shares_bought_on_margin_stay_so_over_night(paper):
    await paper.prices(1500.0)
    await paper.broker.place(order(quantity=4, product=Product.MTF))
    await paper.broker.place(order(quantity=6))
    await paper.prices(1500.0)
    paper.clock.time = ns(20, 9, 20)
    await paper.restart()
    held = {each.product: each.quantity for each in await paper.broker.holdings()}
    assert held == {"MTF": 4, "CNC": 6}
    await paper.restart()
    assert {each.product: each.quantity for each in await paper.broker.holdings()} == held


async def test_what_is_intraday_blocks_its_margin_and_is_squared_off_in_time(paper):
    await paper.prices(1500.0)
    await paper.broker.place(order(Side.SELL, 10, product=Product.MIS))
    await paper.tick(1500.0, 10, [(1500.0, 100)], [(1500.05, 100)])
    assert await paper.broker.funds() == CASH - 10 * 150_000 // 5
    await paper.at(ns(19, 15, 25))
    await paper.tick(1500.0, 10, [(1499.95, 100)], [(1500.0, 100)])
    assert [(each.quantity, each.product) for each in await paper.broker.positions()] == [
        (0, "MIS")
    ]
    last = (await paper.broker.orders())[-1]
    assert (last.tag, last.side, last.status) == ("", Side.BUY, OrderStatus.COMPLETE)


async def test_the_account_is_no_real_one(paper):
    assert await paper.broker.account() == "PAPER-AB1234"
