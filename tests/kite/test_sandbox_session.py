"""A whole renewal against the sandbox: the token dies under a running desk's broker and feed, somebody logs in, both go on."""

import asyncio
import random
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from brokers.kite import session as kite
from brokers.kite.feed import KiteFeed
from brokers.kite.keeper import Keeper
from brokers.kite.outcome import SessionExpired
from brokers.kite.rest import KiteBroker
from brokers.kite.terms import Terms
from brokers.sandbox import Sandbox, SandboxConfig
from compiled.model import Order, OrderStatus, OrderType, Product, Purpose, Side, Validity
from engine.errors import OrderRefused
from engine.trading.clock import ScaledClock


@pytest.fixture
def endpoint():
    sandbox = Sandbox(SandboxConfig(symbols=("INFY", "TCS"), limits=False))
    yield sandbox.start()
    sandbox.stop()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (conditions over several objects have no common event)
            await asyncio.sleep(0.02)


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


def log_in(endpoint, now):
    """Go through the sandbox's login page as a browser would."""
    page = kite.login_url(endpoint.api_key, "s", endpoint.rest + "/connect/login")
    try:
        urllib.request.build_opener(Stay).open(page, timeout=5)
    except urllib.error.HTTPError as answer:
        back = urlsplit(answer.headers["Location"]).query
    token = kite.request_token(f"http://127.0.0.1/?{back}", parse_qs(back)["state"][0])
    return kite.exchange(endpoint.rest, endpoint.api_key, endpoint.api_secret, token, now)


async def test_a_desk_whose_token_died_goes_on_after_the_next_login(endpoint, sink):
    clock, stored, told, lives = ScaledClock.real(), [], [], []

    def died():
        keeper.died()

    session = await asyncio.to_thread(log_in, endpoint, clock.now())
    broker = KiteBroker(
        endpoint.rest, endpoint.api_key, session.access_token, clock, limits=False,
        on_token_death=died,
    )  # fmt: skip
    feed = KiteFeed(
        endpoint.ws, endpoint.api_key, session.access_token, clock, rng=random.Random(1), first_delay=0.05,
        renewable=True, on_token_death=died,
    )  # fmt: skip
    keeper = Keeper(
        session, broker, feed, clock, lambda: stored[-1] if stored else None, lambda *text: told.append(text), lives.append
    )  # fmt: skip
    infy = next(each for each in await broker.instruments("NSE") if each.symbol == "INFY")
    await feed.subscribe([infy.token])
    tasks = [asyncio.ensure_future(work) for work in (feed.run(sink), keeper.run())]
    try:
        await until(lambda: sink.frames)
        stored.append(await asyncio.to_thread(log_in, endpoint, clock.now()))  # a new login ends the old token
        with pytest.raises(SessionExpired):
            await broker.orders()
        await until(lambda: lives == [False, True])
        assert await broker.orders() == []
        seen = len(sink.frames)
        await until(lambda: len(sink.frames) > seen)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await broker.close()
    assert [level for level, _ in told] == ["alarm", "info"]
    assert session.access_token not in f"{told}{sink.notices}"


@pytest.fixture
async def market(endpoint):
    """A broker, and the day's first band of INFY."""
    broker = KiteBroker(endpoint.rest, endpoint.api_key, endpoint.access_token, ScaledClock.real(), limits=False)
    infy = next(each for each in await broker.instruments("NSE") if each.symbol == "INFY")
    await broker.bands([infy])
    yield broker, infy
    await broker.close()


def a_bid(infy, percent, quantity=6, order_type=OrderType.LIMIT, **fields):
    """A buy that rests, so many percent below the last close."""
    price = infy.snap(infy.close * (1 - percent / 100))
    return Order(
        1, "tag-7", "s", infy.token, Side.BUY, quantity, order_type, Product.CNC, Purpose.ENTRY, price=price, **fields
    )


async def test_a_resting_order_is_modified_and_the_book_shows_it(market):
    broker, infy = market
    order_id = await broker.place(a_bid(infy, 8))
    better = infy.snap(infy.close * 0.93)
    await broker.modify(order_id, price=better, quantity=4)
    async with asyncio.timeout(10):
        while (book := await broker.orders())[0].price != better:  # noqa: ASYNC110 (the exchange takes its time)
            await asyncio.sleep(0.02)
    assert (book[0].order_id, book[0].quantity, book[0].status) == (order_id, 4, OrderStatus.OPEN)
    await broker.cancel(order_id)
    async with asyncio.timeout(10):
        while (await broker.orders())[0].status != OrderStatus.CANCELLED:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.02)
    with pytest.raises(OrderRefused):
        await broker.modify(order_id, price=infy.snap(better - 1))


async def test_ttl_and_iceberg_orders_are_taken(market):
    broker, infy = market
    await broker.place(a_bid(infy, 8, validity=Validity.TTL), Terms(minutes=5))
    await broker.place(a_bid(infy, 8), Terms("iceberg", legs=3))
    book = await broker.orders()
    assert [each.quantity for each in book] == [6, 2], "of an iceberg the book shows the leg"
    assert {each.status for each in book} == {OrderStatus.OPEN}


async def test_a_sliced_order_that_is_not_above_the_freeze_quantity_is_refused(market):
    broker, infy = market
    with pytest.raises(OrderRefused, match="slicing"):
        await broker.place_sliced(a_bid(infy, 8))
    assert await broker.orders() == []
