"""The adapter against the sandbox.

A buy, its protection and its end, over real HTTP and WebSocket.
"""

import asyncio
import random

import pytest

from brokers.kite.call_outcome import SessionExpired
from brokers.kite.kite_broker import KiteBroker
from brokers.kite.kite_feed import KiteFeed
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.lockstep import LockstepPacer
from brokers.sandbox.server import Sandbox
from compiled.model.values import (
    Gtt,
    GttLeg,
    GttStatus,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
)
from engine.day.price_bands import fill_in_bands
from engine.errors import OrderRefused

SECOND = 1_000_000_000


@pytest.fixture
def endpoint():
    sandbox = Sandbox(SandboxConfig(speed=None, symbols=("INFY", "TCS"), limits="off"))
    yield sandbox.start()
    sandbox.stop()


@pytest.fixture
async def desk(endpoint, clock, sink):
    """A broker and a running feed on a sandbox in lockstep, and what moves its clock."""
    broker = KiteBroker(endpoint.rest, endpoint.api_key, endpoint.access_token, clock, limits=False)
    feed = KiteFeed(
        endpoint.ws,
        endpoint.api_key,
        endpoint.access_token,
        clock,
        rng=random.Random(1),
        dead_after=float("inf"),
    )
    pacer = LockstepPacer(endpoint.rest)
    start = await pacer.start()
    task = asyncio.ensure_future(feed.run(sink))

    async def move(seconds):
        """Let the exchange's clock run that long; return when all its messages have arrived."""
        nonlocal start
        goal, sent = start + seconds * SECOND, 0
        while start < goal:
            start, sent, _ = await pacer.advance(goal)
        async with asyncio.timeout(20):
            while feed.frames_received < sent:  # noqa: ASYNC110 (the feed counts; it signals nobody)
                await asyncio.sleep(0.001)

    yield broker, feed, move
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await broker.close()
    await pacer.close()


def an_order(infy, side, order_type, **fields):
    purpose = OrderPurpose.ENTRY if side == Side.BUY else OrderPurpose.EXIT
    return Order(1, "patang1", "s", infy.token, side, 5, order_type, Product.CNC, purpose, **fields)


async def test_a_position_is_opened_protected_and_closed(desk, endpoint, sink):
    broker, feed, move = desk
    assert await broker.account() == endpoint.user_id
    infy = next(each for each in await broker.instruments("NSE") if each.symbol == "INFY")
    fill_in_bands([infy], await broker.bands([infy]))
    assert 0.0 < infy.lower < infy.close < infy.upper
    await feed.subscribe([infy.token])
    await move(30)  # until the first trade of the day
    cash = await broker.funds()

    order_id = await broker.place(an_order(infy, Side.BUY, OrderType.MARKET))
    await move(5)
    [bought] = await broker.orders()
    assert (bought.order_id, bought.tag, bought.status) == (
        order_id,
        "patang1",
        OrderStatus.COMPLETE,
    )
    trades = await broker.trades()
    assert sum(each.quantity for each in trades) == bought.filled == 5
    value = sum(each.quantity * each.price for each in trades)
    assert bought.average == pytest.approx(value / 5)
    [held] = [each for each in await broker.positions() if each.token == infy.token]
    assert (held.quantity, held.product, held.symbol) == (5, "CNC", "INFY")
    assert await broker.funds() <= cash - int(value * 100) + 1
    assert order_id in sink.hints
    assert sink.frames

    price = infy.snap(bought.average)
    legs = [
        GttLeg(infy.snap(price * 0.95), infy.snap(price * 0.94), Side.SELL, 5),
        GttLeg(infy.snap(price * 1.05), infy.snap(price * 1.04), Side.SELL, 5),
    ]
    gtt = Gtt(2, "s", infy.token, Product.CNC, 1, price, legs)
    gtt.gtt_id = await broker.place_gtt(gtt)
    gtt.pending = [GttLeg(infy.snap(price * 0.96), infy.snap(price * 0.95), Side.SELL, 5), legs[1]]
    await broker.modify_gtt(gtt)
    [active] = await broker.gtts()
    assert (active.gtt_id, active.token, active.status) == (
        gtt.gtt_id,
        infy.token,
        GttStatus.ACTIVE,
    )
    assert [leg.trigger for leg in active.legs] == [leg.trigger for leg in gtt.pending]
    await broker.delete_gtt(gtt.gtt_id)
    assert [each.status for each in await broker.gtts() if each.status == GttStatus.ACTIVE] == []

    far = an_order(infy, Side.SELL, OrderType.LIMIT, price=infy.snap(infy.upper, -1))
    working = await broker.place(far)
    await broker.cancel(working)
    await broker.place(an_order(infy, Side.SELL, OrderType.MARKET))
    await move(5)
    statuses = {each.order_id: each.status for each in await broker.orders()}
    assert statuses.pop(working) == OrderStatus.CANCELLED
    assert set(statuses.values()) == {OrderStatus.COMPLETE}
    assert [each.quantity for each in await broker.positions() if each.token == infy.token] == [0]


async def test_the_sandbox_refuses_what_the_account_cannot_pay_for(desk):
    broker, _, _ = desk
    infy = next(each for each in await broker.instruments("NSE") if each.symbol == "INFY")
    order = an_order(infy, Side.BUY, OrderType.MARKET)
    order.quantity = 5_000_000
    with pytest.raises(OrderRefused):
        await broker.place(order)


async def test_its_history_is_read_in_whole_minutes(desk):
    broker, _, move = desk
    infy = next(each for each in await broker.instruments("NSE") if each.symbol == "INFY")
    await move(200)
    nine_fifteen = 1_795_146_300 * SECOND  # 2026-11-20 09:15 IST
    bars = await broker.history(infy.token, nine_fifteen, nine_fifteen + 180 * SECOND, 60)
    assert [(each.start - nine_fifteen) // SECOND for each in bars] == [0, 60, 120]
    assert all(
        each.low <= min(each.open, each.close) <= max(each.open, each.close) <= each.high
        for each in bars
    )


async def test_a_wrong_token_is_a_dead_one_for_broker_and_feed(endpoint, clock, sink):
    broker = KiteBroker(endpoint.rest, endpoint.api_key, "wrong", clock)
    with pytest.raises(SessionExpired):
        await broker.account()
    await broker.close()
    feed = KiteFeed(endpoint.ws, endpoint.api_key, "wrong", clock, rng=random.Random(1))
    await asyncio.wait_for(feed.run(sink), 5)
    assert [level for level, _ in sink.notices] == ["alarm"]
