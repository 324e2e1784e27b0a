"""The session's token at 06:00 IST, on a clock that runs."""

import asyncio
from hashlib import sha256

import aiohttp
import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException

SECOND = 1_000_000_000


def renewed(endpoint, kite):
    url = f"{endpoint.rest}/connect/login?api_key={endpoint.api_key}&v=3"
    page = requests.get(url, allow_redirects=False, timeout=5)
    request_token = page.headers["Location"].split("request_token=")[1].split("&")[0]
    return kite.generate_session(request_token, endpoint.api_secret)


def test_the_token_of_the_day_before_dies_at_six_and_not_a_second_earlier(make_client):
    client = make_client(start="05:59:58")
    connection = client.exchange.connect()
    client.seconds(1)
    assert client.call("GET", "/orders")[0] == 200
    assert not connection.close_requested
    client.seconds(1)
    assert client.refusal("GET", "/orders")[:2] == (403, "TokenException")
    assert connection.close_requested
    assert not connection.abort_requested, "it is closed, not cut"


def test_a_login_after_six_lasts_through_the_day(make_client):
    client = make_client(start="05:59:58")
    client.seconds(2)
    session = client.exchange.session
    token = session.request_token(session.api_key)
    client.exchange.session.exchange_token(
        session.api_key, token, checksum(session, token), client.exchange.now
    )
    client.exchange.run(client.exchange.closes)
    assert client.call("GET", "/orders")[0] == 200


def test_a_day_that_begins_after_six_keeps_its_first_token(client):
    client.exchange.run(client.exchange.closes)
    assert client.call("GET", "/orders")[0] == 200


def checksum(session, request_token):
    return sha256((session.api_key + request_token + session.api_secret).encode()).hexdigest()


def test_on_a_running_clock_rest_and_socket_end_at_six_and_a_login_brings_both_back(start):
    _, endpoint = start(start="05:58:30", speed=60.0, limits="off")
    kite, hooked = KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest), []
    kite.set_session_expiry_hook(lambda: hooked.append(True))

    async def closed():
        query = {"api_key": endpoint.api_key, "access_token": endpoint.access_token}
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(endpoint.ws, params=query) as socket,
        ):
            async for _ in socket:
                pass
            return socket.close_code

    async def refused(token):
        query = {"api_key": endpoint.api_key, "access_token": token}
        async with aiohttp.ClientSession() as http:
            try:
                async with http.ws_connect(endpoint.ws, params=query):
                    return 101
            except aiohttp.WSServerHandshakeError as error:
                return error.status

    assert kite.orders() == []
    assert asyncio.run(asyncio.wait_for(closed(), 20)) == 1001, (
        "the server goes away with a closing handshake"
    )
    with pytest.raises(TokenException):
        kite.orders()
    assert hooked == [True]
    assert asyncio.run(refused(endpoint.access_token)) == 403
    session = renewed(endpoint, kite)
    assert kite.orders() == []
    assert asyncio.run(refused(session["access_token"])) == 101
