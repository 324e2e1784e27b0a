"""Faults as a client on the other side of a socket meets them."""

import asyncio
import subprocess
import sys
import threading
import time

import aiohttp
import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import DataException, NetworkException, TokenException

from brokers.sandbox.api import admin_key

ORDER = {
    "variety": "regular",
    "exchange": "NSE",
    "tradingsymbol": "INFY",
    "transaction_type": "BUY",
    "quantity": 1,
    "product": "MIS",
    "order_type": "LIMIT",
    "price": 1400.0,
    "tag": "once",
}


def fault(endpoint, **rule):
    admin_key.call_admin(endpoint.rest, "POST", "/sandbox/faults", rule)


def client(endpoint, timeout=30):
    return KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest, timeout=timeout)


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("429", NetworkException, 429),
        ("500", Exception, 500),
        ("502", DataException, 502),
        ("503", NetworkException, 503),
        ("504", NetworkException, 504),
        ("html", DataException, 502),
    ],
)
def test_the_official_client_raises_what_the_status_stands_for(start, kind, error, code):
    _, endpoint = start()
    fault(endpoint, kind=kind, times=1)
    kite = client(endpoint)
    with pytest.raises(error) as raised:
        kite.place_order(**ORDER)
    assert raised.value.code == code
    assert kite.orders() == []


@pytest.mark.parametrize("kind", ["cut", "drop", "timeout"])
@pytest.mark.parametrize("accept", [True, False])
def test_an_answer_that_never_comes_whole_says_nothing_about_the_order(start, kind, accept):
    _, endpoint = start()
    fault(endpoint, kind=kind, on="POST /orders/*", times=1, accept=accept)
    kite = client(endpoint)
    with pytest.raises(requests.RequestException):
        kite.place_order(**ORDER)
    tags = [order["tag"] for order in kite.orders()]
    assert tags == ([] if kind == "drop" and not accept else ["once"])


def test_accepted_and_then_timed_out_keeps_the_client_waiting(start):
    _, endpoint = start()
    fault(endpoint, kind="timeout", on="POST /orders/*", seconds=30)
    began = time.monotonic()
    with pytest.raises(requests.ReadTimeout):
        client(endpoint, timeout=1).place_order(**ORDER)
    assert time.monotonic() - began > 0.9
    assert [order["tag"] for order in client(endpoint).orders()] == ["once"]


def test_a_delayed_answer_comes_after_its_effect(start):
    _, endpoint = start()
    fault(endpoint, kind="delay", on="POST /orders/*", seconds=3.0)
    kite, done = client(endpoint), []
    thread = threading.Thread(target=lambda: done.append(kite.place_order(**ORDER)))
    thread.start()
    other, seen = client(endpoint), []
    while not seen and thread.is_alive():
        seen = other.orders()
    assert seen
    assert not done, "the order is in the book before its sender knows"
    thread.join(60)
    assert done == [seen[0]["order_id"]]


def test_a_dead_token_calls_the_session_hook_and_refuses_the_socket_until_the_next_login(start):
    _, endpoint = start()
    fault(endpoint, kind="token")
    kite, hooked = client(endpoint), []
    kite.set_session_expiry_hook(lambda: hooked.append(True))
    with pytest.raises(TokenException):
        kite.orders()
    assert hooked == [True]

    async def connect():
        async with aiohttp.ClientSession() as http:
            await http.ws_connect(
                f"{endpoint.ws}/?api_key={endpoint.api_key}&access_token={endpoint.access_token}"
            )

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        asyncio.run(connect())
    assert refused.value.status == 403
    page = requests.get(f"{endpoint.rest}/connect/login?api_key={endpoint.api_key}&v=3", timeout=5)
    request_token = page.url.split("request_token=")[1].split("&")[0]
    session = kite.generate_session(request_token, endpoint.api_secret)
    assert kite.orders() == []
    assert session["access_token"] != endpoint.access_token


def test_a_refused_socket_says_why(start):
    _, endpoint = start()
    fault(endpoint, kind="429", on="socket", times=1)

    async def connect():
        url = f"{endpoint.ws}/?api_key={endpoint.api_key}&access_token={endpoint.access_token}"
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(url)
            async with http.ws_connect(url):
                return refused.value.status

    assert asyncio.run(connect()) == 429


TICKER = """
import sys, time
from kiteconnect import KiteTicker

key, token, root = sys.argv[1:]
ticker = KiteTicker(key, token, root=root)
connects, errors, ticks = [], [], []
ticker.on_connect = lambda ws, _: (connects.append(1), ws.subscribe([408065]))
ticker.on_ticks = lambda _, got: ticks.append(len(connects))
ticker.on_error = lambda *error: errors.append(error)
ticker.connect(threaded=True)
end = time.monotonic() + 60
while time.monotonic() < end and 1 not in ticks:
    time.sleep(0.02)
print("ticking", flush=True)
while time.monotonic() < end and 2 not in ticks:
    time.sleep(0.02)
print(len(errors) > 0, 2 in ticks, flush=True)
"""
"""In a process of its own: tickers share one reactor, which cannot be started twice."""


def test_a_poison_frame_breaks_the_official_ticker_and_it_comes_back(start):
    _, endpoint = start(speed=20.0)
    command = [sys.executable, "-c", TICKER, endpoint.api_key, endpoint.access_token, endpoint.ws]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ticking\n"
        fault(endpoint, kind="poison")
        assert process.stdout.readline() == "True True\n"
        process.terminate()


def test_a_closed_feed_ends_without_a_closing_handshake(start):
    _, endpoint = start(speed=20.0)

    async def listen():
        url = f"{endpoint.ws}/?api_key={endpoint.api_key}&access_token={endpoint.access_token}"
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            await socket.send_json({"a": "subscribe", "v": [408065]})
            await socket.receive(timeout=5)
            await asyncio.to_thread(fault, endpoint, kind="close")
            async for _ in socket:
                pass
            return socket.close_code

    assert asyncio.run(listen()) == 1006


def test_the_servers_date_header_shows_virtual_time_and_its_skew(start):
    _, endpoint = start()
    header = {"Authorization": f"token {endpoint.api_key}:{endpoint.access_token}"}
    url = f"{endpoint.rest}/orders"
    assert (
        requests.get(url, headers=header, timeout=5).headers["Date"]
        == "Fri, 20 Nov 2026 03:45:00 GMT"
    )
    fault(endpoint, kind="skew", seconds=30)
    assert (
        requests.get(url, headers=header, timeout=5).headers["Date"]
        == "Fri, 20 Nov 2026 03:45:30 GMT"
    )


def test_an_exception_nobody_foresaw_is_its_senders_and_written_down(start, monkeypatch, caplog):
    sandbox, endpoint = start()
    heard = []
    sandbox.on_failure = lambda *failure: heard.append(failure)

    def broken(*_):
        raise RuntimeError("the book broke")

    monkeypatch.setattr("brokers.sandbox.orders.order_desk.OrderDesk.book_json", broken)
    header = {"Authorization": f"token {endpoint.api_key}:{endpoint.access_token}"}
    for _ in range(30):
        answer = requests.get(f"{endpoint.rest}/orders", headers=header, timeout=5)
        assert (answer.status_code, answer.json()["error_type"]) in {
            (500, "GeneralException"),
            (429, "NetworkException"),
        }
    assert heard == [], "nobody but the sender is told"
    assert 1 <= caplog.text.count("RuntimeError: the book broke") <= 20
