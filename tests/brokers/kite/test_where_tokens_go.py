"""Destinations of orders and tokens.

To the address that was named, by the way that was named, and no further.
"""

import asyncio
import random

import pytest
import requests

from brokers.kite.kite_broker import KiteBroker, KnownOrder
from brokers.kite.kite_feed import KiteFeed
from brokers.kite.kite_login import invalidate_session
from brokers.kite.thread_client import _DirectSession
from brokers.session.day_session import DaySession
from compiled.model.order_terms import OrderChange
from compiled.model.values import Gtt, GttLeg, Order, OrderPurpose, OrderType, Product, Side
from engine.errors import ConnectionFailed, OperatorError, OrderUnknown, RetryableError
from tests.brokers.kite.conftest import HttpStub, http, ok
from tests.brokers.kite.test_feed import running, until

CODES = (301, 302, 303, 307, 308)


@pytest.fixture
async def elsewhere():
    server = HttpStub()
    await server.start()
    server.script["*"] = ok({"user_id": "AB1234", "order_id": "1", "trigger_id": 1})
    yield server
    await server.stop()


def moved(code, to):
    body = b'{"status": "success", "data": {"order_id": "1", "trigger_id": 1, "user_id": "AB1234"}}'
    return http(code, body).replace(b" X\r\n", f" X\r\nLocation: {to}\r\n".encode(), 1)


def an_order():
    return Order(
        1,
        "tag-1",
        "s",
        408065,
        Side.BUY,
        10,
        OrderType.LIMIT,
        Product.CNC,
        OrderPurpose.ENTRY,
        price=1500.0,
    )


def a_gtt():
    return Gtt(1, "s", 408065, Product.CNC, 1, 1500.0, [GttLeg(1400.0, 1395.0, Side.SELL, 10)])


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    "to", ["/orders/regular", "{elsewhere}/orders/regular", "//{host}/x", "file:///etc/passwd"]
)
async def test_no_redirect_sends_anything_a_second_time(stub, broker, elsewhere, code, to):
    stub.script["*"] = moved(
        code, to.format(elsewhere=elsewhere.url, host=elsewhere.url.removeprefix("http://"))
    )
    broker._orders["7"] = KnownOrder(408065)
    changes = (
        lambda: broker.place(an_order()),
        lambda: broker.modify("7", OrderChange(price=1501.0)),
        lambda: broker.cancel("7"),
        lambda: broker.place_gtt(a_gtt()),
        lambda: broker.delete_gtt(1),
    )
    for sent, change in enumerate(changes, 1):
        with pytest.raises(OrderUnknown, match=str(code)):
            await change()
        assert len(stub.requests) == sent, "it is looked up, never sent again"
    with pytest.raises(RetryableError, match=str(code)):
        await broker.orders()
    assert len(stub.requests) == len(changes) + 1
    assert elsewhere.requests == []


@pytest.mark.parametrize("code", CODES)
async def test_the_feed_follows_nobody_with_the_token_in_its_address(
    stub, elsewhere, clock, sink, code
):
    stub.script["*"] = moved(
        code, elsewhere.url.replace("http", "ws") + "/?api_key=KEYSECRET&access_token=TOKENSECRET"
    )
    feed = KiteFeed(
        stub.url.replace("http", "ws"),
        "KEYSECRET",
        "TOKENSECRET",
        clock,
        rng=random.Random(1),
        first_delay=0.01,
    )
    async with running(feed, sink):
        await until(lambda: sink.notices)
    assert "Redirected" in sink.notices[0][1]
    assert "SECRET" not in str(sink.notices)
    assert elsewhere.requests == []


async def asked(rest, clock, **more):
    broker = KiteBroker(rest, "key", "TOKEN", clock, timeout=5.0, **more)
    try:
        return await broker.account()
    finally:
        await broker.close()


@pytest.fixture
def surroundings(elsewhere, tmp_path, monkeypatch):
    """An environment that wants everything to go elsewhere, under another name."""
    for name in (
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.setenv(name, elsewhere.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".netrc").write_text("default login thief password thief\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    return elsewhere


@pytest.mark.parametrize("environment", [False, True])
async def test_on_this_machine_no_proxy_stands_between_and_no_file_replaces_the_token(
    stub, clock, surroundings, environment
):
    stub.script["*"] = ok({"user_id": "AB1234"})
    assert await asked(stub.url, clock, environment=environment) == "AB1234"
    assert [request.headers["authorization"] for request in stub.requests] == ["token key:TOKEN"]
    assert surroundings.requests == []


async def test_a_proxy_counts_only_where_it_was_said(clock, surroundings):
    for environment, asks in ((False, 0), (True, 1)):
        with pytest.raises((ConnectionFailed, RetryableError)):
            await asked("https://broker.invalid", clock, environment=environment)
        assert len({request.method for request in surroundings.requests}) == asks
    assert {request.method for request in surroundings.requests} == {"CONNECT"}
    assert all("authorization" not in request.headers for request in surroundings.requests)


@pytest.mark.parametrize("environment", [False, True])
def test_no_file_replaces_the_token_anywhere(surroundings, environment):
    line = _DirectSession(environment=environment)
    asked = line.prepare_request(
        requests.Request(
            "GET", "https://broker.invalid/orders", {"Authorization": "token key:TOKEN"}
        )
    )
    assert asked.headers["Authorization"] == "token key:TOKEN"
    assert (
        requests.Session()
        .prepare_request(
            requests.Request(
                "GET", "https://broker.invalid/orders", {"Authorization": "token key:TOKEN"}
            )
        )
        .headers["Authorization"]
        .startswith("Basic ")
    ), "as it would be without"


async def test_a_logout_follows_nobody_either(stub, elsewhere):
    stub.script["*"] = moved(307, elsewhere.url + "/session/token")
    with pytest.raises(OperatorError, match="307"):
        await asyncio.to_thread(
            invalidate_session, stub.url, DaySession("key", "TOKEN", "AB1234", 0)
        )
    assert len(stub.requests) == 1
    assert elsewhere.requests == []
