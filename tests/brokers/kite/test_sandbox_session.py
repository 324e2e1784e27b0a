"""A whole renewal against the sandbox.

The token dies under a running desk's broker and feed, somebody logs in, both go on.
"""

import asyncio
import random
import re
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from brokers.kite import kite_login as kite
from brokers.kite.call_outcome import SessionExpired
from brokers.kite.kite_broker import KiteBroker
from brokers.kite.kite_feed import KiteFeed
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.faults import Fault
from brokers.sandbox.server import Sandbox
from brokers.session.session_keeper import SessionKeeper
from compiled.model.order_terms import OrderChange, OrderTerms, Variety
from compiled.model.values import (
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    Validity,
)
from engine.day.desk_clocks import ScaledClock
from engine.day.price_bands import fill_in_bands
from engine.errors import OrderRefused
from tests.waiting import until


@pytest.fixture
def endpoint():
    sandbox = Sandbox(SandboxConfig(symbols=("INFY", "TCS"), limits="off", cash=10**13))
    yield sandbox.start()
    sandbox.stop()


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
    return kite.exchange_token(endpoint.rest, endpoint.api_key, endpoint.api_secret, token, now)


async def test_a_desk_whose_token_died_goes_on_after_the_next_login(endpoint, sink):
    clock, stored, told, lives = ScaledClock.real(), [], [], []

    def died():
        keeper.note_token_death()

    session = await asyncio.to_thread(log_in, endpoint, clock.now())
    broker = KiteBroker(
        endpoint.rest,
        endpoint.api_key,
        session.access_token,
        clock,
        limits=False,
        on_token_death=died,
    )
    feed = KiteFeed(
        endpoint.ws,
        endpoint.api_key,
        session.access_token,
        clock,
        rng=random.Random(1),
        first_delay=0.05,
        renewable=True,
        on_token_death=died,
    )
    keeper = SessionKeeper(
        session,
        broker,
        feed,
        clock,
        lambda: stored[-1] if stored else None,
        lambda *text: told.append(text),
        lives.append,
    )
    infy = next(each for each in await broker.instruments("NSE") if each.symbol == "INFY")
    await feed.subscribe([infy.token])
    tasks = [asyncio.ensure_future(work) for work in (feed.run(sink), keeper.run())]
    try:
        await until(lambda: sink.frames)
        # a new login ends the old token
        stored.append(await asyncio.to_thread(log_in, endpoint, clock.now()))
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
    # in the quarter of an hour before 06:00 IST a warning says that the session ends then
    assert [level for level, _ in told if level != "warn"] == ["alarm", "info"]
    assert session.access_token not in f"{told}{sink.notices}"


@pytest.fixture
async def market(endpoint):
    """A broker, and the day's first band of INFY."""
    broker = KiteBroker(
        endpoint.rest, endpoint.api_key, endpoint.access_token, ScaledClock.real(), limits=False
    )
    infy = next(each for each in await broker.instruments("NSE") if each.symbol == "INFY")
    fill_in_bands([infy], await broker.bands([infy]))
    yield broker, infy
    await broker.close()


def a_bid(infy, percent, quantity=6, order_type=OrderType.LIMIT, **fields):
    """A buy that rests, so many percent below the last close."""
    price = infy.snap(infy.close * (1 - percent / 100))
    return Order(
        1,
        "tag7",
        "s",
        infy.token,
        Side.BUY,
        quantity,
        order_type,
        Product.CNC,
        OrderPurpose.ENTRY,
        price=price,
        **fields,
    )


async def test_a_resting_order_is_modified_and_the_book_shows_it(market):
    broker, infy = market
    order_id = await broker.place(a_bid(infy, 8))
    better = infy.snap(infy.close * 0.93)
    await broker.modify(order_id, OrderChange(4, better))
    async with asyncio.timeout(60):
        while (book := await broker.orders())[0].price != better:  # noqa: ASYNC110 (the exchange takes its time)
            await asyncio.sleep(0.02)
    assert (book[0].order_id, book[0].quantity, book[0].status) == (order_id, 4, OrderStatus.OPEN)
    await broker.cancel(order_id)
    async with asyncio.timeout(60):
        while (await broker.orders())[0].status != OrderStatus.CANCELLED:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.02)
    with pytest.raises(OrderRefused):
        await broker.modify(order_id, OrderChange(price=infy.snap(better - 1)))


async def test_ttl_and_iceberg_orders_are_taken(market):
    broker, infy = market
    await broker.place(a_bid(infy, 8, validity=Validity.TTL, terms=OrderTerms(minutes=5)))
    await broker.place(a_bid(infy, 8, terms=OrderTerms(Variety.ICEBERG, legs=3)))
    book = await broker.orders()
    assert [each.quantity for each in book] == [6, 2], "of an iceberg the book shows the leg"
    assert {each.status for each in book} == {OrderStatus.OPEN}


async def freeze_of(broker, infy):
    """Learn the freeze quantity the way everybody must: from the refusal."""
    with pytest.raises(OrderRefused, match="slicing") as refused:
        await broker.place_sliced(a_bid(infy, 8))
    assert await broker.orders() == []
    return int(re.search(r"equal to (\d+) for", refused.value.reason)[1]) - 1


async def test_a_sliced_order_is_several_with_one_tag_and_none_below_the_freeze_quantity(
    market,
):
    broker, infy = market
    freeze = await freeze_of(broker, infy)
    placed = await broker.place_sliced(a_bid(infy, 8, 2 * freeze + 5))
    book = {each.order_id: each for each in await broker.orders()}
    assert (placed.refused, placed.unknown) == ((), ())
    assert [book[order_id].quantity for order_id in placed.order_ids] == [freeze, freeze, 5]
    assert {each.tag for each in book.values()} == {"tag7"}


async def test_slices_the_account_cannot_pay_for_are_refused_one_by_one(market):
    broker, infy = market
    freeze = await freeze_of(broker, infy)
    order = a_bid(infy, 8, 3 * freeze)
    poor = Sandbox(
        SandboxConfig(symbols=("INFY", "TCS"), limits="off", cash=int(order.price * freeze * 150))
    )
    endpoint = poor.start()
    broker = KiteBroker(
        endpoint.rest, endpoint.api_key, endpoint.access_token, ScaledClock.real(), limits=False
    )
    broker.add_instruments([infy])
    try:
        placed = await broker.place_sliced(order)
        working = [
            each.order_id for each in await broker.orders() if each.status == OrderStatus.OPEN
        ]
    finally:
        await broker.close()
        poor.stop()
    assert (len(placed.order_ids), placed.unknown) == (1, ())
    assert [each.code for each in placed.refused] == ["MarginException"] * 2
    assert working == [*placed.order_ids]


@pytest.mark.parametrize(
    ("fault", "links", "says"),
    [
        (Fault("close", skip=1), [True, False, True], "closed by the server"),
        (Fault("poison", skip=1), [True], ""),
        (Fault("503", on="socket", times=2), [True], "refused with HTTP 503"),
        (Fault("silent"), [True, False, True], "silent for 1 s"),
        (Fault("duplicate", on="ticks"), [True], ""),
    ],
)
async def test_each_fault_of_the_stream_is_survived_and_said(sink, fault, links, says):
    sandbox = Sandbox(
        SandboxConfig(symbols=("INFY", "TCS"), limits="off", speed=20.0, faults=(fault,))
    )
    endpoint = sandbox.start()
    feed = KiteFeed(
        endpoint.ws,
        endpoint.api_key,
        endpoint.access_token,
        ScaledClock.real(),
        rng=random.Random(1),
        dead_after=1.0,
        first_delay=0.05,
        longest_delay=0.1,
    )
    await feed.subscribe([408065, 2953217])
    task = asyncio.ensure_future(feed.run(sink))
    try:
        await until(
            lambda: (
                sink.links[: len(links)] == links
                and (fault.kind == "silent" or len(sink.frames) > 10)
            )
        )
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sandbox.stop()
    assert says in " ".join(text for _, text in sink.notices)
    if not says:
        assert sink.notices == []
