import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import aiohttp
import pytest
import requests

from brokers.sandbox.api import admin_key
from brokers.sandbox.api.access_checks import bearer_header
from brokers.sandbox.api.kite_routes import SandboxApi
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.http import SandboxRequest
from brokers.sandbox.server import Sandbox, VirtualClockDriver
from engine.errors import BusyError, ConfigError, ConnectionFailed, DataError

SECOND = 1_000_000_000


def clock(endpoint):
    return admin_key.call_admin(endpoint.rest, "GET", "/sandbox/clock")


def test_a_taken_port_is_named(start):
    _, endpoint = start()
    port = int(endpoint.rest.rsplit(":", 1)[1])
    with pytest.raises(BusyError, match=f"port {port} on 127.0.0.1 is taken"):
        Sandbox(SandboxConfig(port=port)).start()


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ({"date": "20-11-2026"}, ConfigError, "expected YYYY-MM-DD"),
        ({"start": "nine"}, ConfigError, "expected HH:MM"),
        ({"speed": 0.0}, ConfigError, "above 0"),
        ({"host": "0.0.0.0"}, ConfigError, "this machine only"),
        ({"symbols": ("NOSUCH",)}, ConfigError, "'NOSUCH'.*RELIANCE"),
        ({"holdings": (("NOSUCH", 1, 1.0),)}, ConfigError, "does not list"),
    ],
)
def test_a_sandbox_that_cannot_be_is_refused_in_one_line(config, error, words):
    with pytest.raises(error, match=words):
        Sandbox(SandboxConfig(**config)).start()


def test_an_empty_tape_is_named(tmp_path):
    with pytest.raises(DataError, match=str(tmp_path)):
        Sandbox(SandboxConfig(tape=tmp_path)).start()


def test_stopping_frees_the_port_and_may_be_repeated():
    sandbox = Sandbox(SandboxConfig(speed=None))
    endpoint = sandbox.start()
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(ConnectionFailed):
        clock(endpoint)
    again = Sandbox(SandboxConfig(speed=None, port=int(endpoint.rest.rsplit(":", 1)[1])))
    assert again.start().rest == endpoint.rest
    again.stop()


def test_in_the_foreground_it_serves_until_interrupted():
    program = (
        "from brokers.sandbox.config import SandboxConfig\n"
        "from brokers.sandbox.server import Sandbox\n"
        "Sandbox(SandboxConfig(speed=None)).serve_forever(lambda end: print(end.rest, flush=True))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment
    ) as process:
        rest = process.stdout.readline().decode().strip()
        assert admin_key.call_admin(rest, "GET", "/sandbox/clock")["over"] is False
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_stopping_closes_the_sockets_of_its_clients(start):
    sandbox, endpoint = start(speed=1.0)

    async def watch():
        url = f"{endpoint.ws}/?api_key={endpoint.api_key}&access_token={endpoint.access_token}"
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            threading.Thread(target=sandbox.stop).start()
            began = time.monotonic()
            async for _ in socket:
                pass
            return time.monotonic() - began

    assert asyncio.run(watch()) < 60


def test_the_clock_runs_at_its_speed(start):
    _, endpoint = start(speed=20.0)
    asked = time.monotonic()
    before = clock(endpoint)["now"]
    told = time.monotonic()
    time.sleep(1.0)
    least = 20 * (time.monotonic() - told)
    after = clock(endpoint)["now"]
    most = 20 * (time.monotonic() - asked)
    assert 0.8 * least < (after - before) / SECOND < most + 1
    body = {"until": after}
    answer = requests.post(
        f"{endpoint.rest}/sandbox/advance",
        json=body,
        headers=bearer_header(endpoint.admin),
        timeout=5,
    )
    assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")


@pytest.mark.parametrize("query", ["?api_key=x&access_token=y", "?api_key={key}&access_token="])
def test_a_socket_with_a_bad_token_is_forbidden(start, query):
    _, endpoint = start()

    async def connect():
        async with aiohttp.ClientSession() as http:
            await http.ws_connect(f"{endpoint.ws}/{query.format(key=endpoint.api_key)}")

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        asyncio.run(connect())
    assert refused.value.status == 403


@pytest.mark.parametrize(("speed", "beats"), [(1.0, True), (None, False)])
def test_an_idle_socket_gets_heartbeats_only_when_time_runs(start, speed, beats):
    _, endpoint = start(speed=speed)

    async def listen():
        url = f"{endpoint.ws}/?api_key={endpoint.api_key}&access_token={endpoint.access_token}"
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            try:
                return (await socket.receive(timeout=60 if beats else 4)).data
            except TimeoutError:
                return None

    assert asyncio.run(listen()) == (b"\x00" if beats else None)
    assert clock(endpoint)["sent"] == 0


def test_requests_beyond_the_documented_rate_get_429(start):
    _, endpoint = start(speed=1.0)
    headers = {"Authorization": f"token {endpoint.api_key}:{endpoint.access_token}"}
    order = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": "1",
        "product": "MIS",
        "order_type": "LIMIT",
        "price": "1400",
    }
    with requests.Session() as http:
        http.headers.update(headers)
        answers = within_a_second(
            lambda: http.post(f"{endpoint.rest}/orders/regular", data=order, timeout=60), 11
        )
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert answers[-1].json()["error_type"] == "NetworkException"
        assert answers[-1].json()["message"] == "Too many requests"
        # one quote a second, and three at once: over the internet the second would not be here yet
        quotes = within_a_second(
            lambda: http.get(f"{endpoint.rest}/quote/ltp?i=NSE:INFY", timeout=60), 4
        )
        assert [answer.status_code for answer in quotes] == [200, 200, 200, 429]
        time.sleep(1.1)
        assert (
            http.post(f"{endpoint.rest}/orders/regular", data=order, timeout=60).status_code == 200
        )


def within_a_second(ask, times):
    """Return the answers to as many requests, all made within one second.

    A busy machine gets some more tries.
    """
    for _ in range(10):
        time.sleep(1.1)
        began = time.monotonic()
        answers = [ask() for _ in range(times)]
        if time.monotonic() - began < 1.0:
            return answers
    raise AssertionError(f"{times} requests took more than a second ten times")


def test_in_lockstep_orders_are_limited_on_the_virtual_clock_and_reads_are_not(make_client):
    client = make_client()
    client.seconds(5)
    for _ in range(10):
        client.place(price=client.at(-2))
    for _ in range(30):
        client.ok("GET", "/quote/ltp", query=[("i", "NSE:INFY")])
    assert client.refused(price=client.at(-2)) == (429, "NetworkException", "Too many requests")
    client.seconds(1)
    client.place(price=client.at(-2))
    free = make_client(limits="off")
    free.seconds(5)
    for _ in range(50):
        free.place(price=free.at(-2))


def test_a_thread_that_dies_tells_its_owner(start, monkeypatch):
    sandbox, _ = start(speed=50.0)
    heard = []
    sandbox.on_failure = lambda name, error: heard.append((name, str(error)))

    def broken(*_):
        raise RuntimeError("the market broke")

    monkeypatch.setattr("brokers.sandbox.market.crowd.SeededCrowd.step", broken)
    end = time.monotonic() + 60
    while not heard and time.monotonic() < end:
        time.sleep(0.01)
    assert heard == [("sandbox", "the market broke")]


def test_a_market_too_big_for_its_pace_slows_down_and_still_answers():
    """Each look at the wall clock costs 60 ms here.

    A second of this market takes longer than it has.
    """

    class Wall:
        now = 0.0

        def __call__(self):
            self.now += 0.06
            return self.now

    wall = Wall()
    exchange = SandboxExchange(SandboxConfig(speed=60.0, symbols=("INFY",)))
    pace = VirtualClockDriver(exchange, wall)
    wall.now += 100.0
    began = exchange.now
    pace.catch_up()
    assert 0 < exchange.now - began <= 5 * SECOND, "not the 6,000 seconds that are due"
    wall.now += 1.0
    at = exchange.now
    pace.catch_up()
    assert 0 < exchange.now - at <= 5 * SECOND, "what was lost is not caught up"


def test_a_held_clock_stands_while_requests_are_answered_and_goes_on_from_there(start):
    _, endpoint = start(speed=30.0)
    held = admin_key.call_admin(endpoint.rest, "POST", "/sandbox/hold")
    assert held["held"]
    headers = {"Authorization": f"token {endpoint.api_key}:{endpoint.access_token}"}
    answers = [
        requests.get(f"{endpoint.rest}/orders", headers=headers, timeout=5).status_code
        for _ in range(30)
    ]
    assert answers == [200] * 30, "on a clock that stands, waiting for a rate would never end"
    time.sleep(0.5)
    assert clock(endpoint)["now"] == held["now"]
    assert not admin_key.call_admin(endpoint.rest, "DELETE", "/sandbox/hold")["held"]
    time.sleep(0.5)
    assert 10 * SECOND < clock(endpoint)["now"] - held["now"] < 60 * SECOND


def test_time_goes_on_after_the_day_so_that_the_request_rates_let_go_again():
    exchange, now = (
        SandboxExchange(SandboxConfig(symbols=("INFY",), start="15:34", speed=60.0)),
        [0.0],
    )
    pace, api = VirtualClockDriver(exchange, lambda: now[0]), SandboxApi(exchange)

    def statuses(count):
        session = exchange.session
        header = f"token {session.api_key}:{session.access_token}"
        return [
            api.respond(SandboxRequest("GET", "/orders", [], {}, None, header)).status
            for _ in range(count)
        ]

    now[0] += 10.0
    pace.catch_up()
    assert exchange.is_over
    assert statuses(12) == [200] * 10 + [429] * 2
    for _ in range(60):
        now[0] += 60.0
        pace.catch_up()
        assert statuses(1) == [200]
    assert exchange.now - exchange.start == 3_610 * 60 * SECOND
