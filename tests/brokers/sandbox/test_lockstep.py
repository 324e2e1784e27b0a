import asyncio
import hashlib
import json

import aiohttp
import pytest

from brokers.sandbox.api import admin_key
from brokers.sandbox.api.access_checks import bearer_header
from brokers.sandbox.lockstep import LockstepPacer
from engine.errors import ConnectionFailed

SECOND = 1_000_000_000
TOKENS = [408065, 779521, 341249, 256265]


class Desk:
    """A client in lockstep: hears everything that was sent before it lets time move on."""

    def __init__(self, http, endpoint, socket, pacer):
        self.http, self.endpoint, self.socket, self.pacer = http, endpoint, socket, pacer
        self.messages = []

    async def call(self, method, path, **form):
        headers = {"Authorization": f"token {self.endpoint.api_key}:{self.endpoint.access_token}"}
        async with self.http.request(
            method, self.endpoint.rest + path, data=form or None, headers=headers
        ) as answer:
            return await answer.json()

    async def hear(self, sent):
        while len(self.messages) < sent:
            message = await self.socket.receive(timeout=10)
            assert message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}
            self.messages.append(message.data)

    async def turn(self, until):
        now, sent, over = await self.pacer.advance(until)
        await self.hear(sent)
        return now, over


async def desk_run(endpoint, play):
    async with aiohttp.ClientSession() as http, LockstepPacer(endpoint.rest) as pacer:
        url = f"{endpoint.ws}/?api_key={endpoint.api_key}&access_token={endpoint.access_token}"
        async with http.ws_connect(url) as socket:
            await socket.send_json({"a": "subscribe", "v": TOKENS})
            await socket.send_json({"a": "mode", "v": ["full", TOKENS]})
            desk = Desk(http, endpoint, socket, pacer)
            await play(desk, await pacer.start())
            return desk.messages


def order(**more):
    fields = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": "10",
        "product": "MIS",
        "order_type": "MARKET",
        "market_protection": "-1",
    }
    return fields | {key: str(value) for key, value in more.items()}


async def three_minutes(desk, now):
    end = now + 180 * SECOND
    turns = 0
    while now < end:
        now, _ = await desk.turn(end)
        turns += 1
        if turns % 20 == 0:
            answer = await desk.call("POST", "/orders/regular", **order(quantity=turns))
            assert answer["status"] == "success"
        if turns % 50 == 0:
            await desk.call(
                "POST",
                "/orders/regular",
                **order(order_type="LIMIT", price=1500, transaction_type="BUY"),
            )


def digest(messages):
    parts = [message.encode() if isinstance(message, str) else message for message in messages]
    return hashlib.sha256(b"|".join(parts)).hexdigest()


def test_the_same_seed_and_requests_give_the_same_bytes(start):
    def once(seed):
        _, endpoint = start(seed=seed, salt="once")
        return asyncio.run(desk_run(endpoint, three_minutes))

    first, again, other = once(7), once(7), once(8)
    assert len(first) > 180
    assert any(isinstance(message, str) for message in first)
    assert digest(first) == digest(again)
    assert digest(first) != digest(other)


def test_time_stands_still_until_it_is_advanced(start):
    _, endpoint = start()

    async def play(desk, now):
        assert now == await desk.pacer.start()
        await asyncio.sleep(0.1)
        assert now == await desk.pacer.start()
        moved, _ = await desk.turn(now + 5 * SECOND)
        assert moved == now, "the opening trades go out at the opening instant"
        moved, _ = await desk.turn(now + 5 * SECOND)
        assert moved == now + SECOND, "it stops at the first emission"
        moved, _ = await desk.turn(moved + SECOND // 2)
        assert moved == now + SECOND + SECOND // 2, "nothing was due, so it went all the way"

    asyncio.run(desk_run(endpoint, play))


def test_an_order_update_counts_as_sent_at_once_and_ticks_come_with_the_next_second(start):
    _, endpoint = start()

    async def play(desk, now):
        for _ in range(5):
            now, _ = await desk.turn(now + 60 * SECOND)
        before = await desk.pacer.sent()
        assert (await desk.call("POST", "/orders/regular", **order()))["status"] == "success"
        assert await desk.pacer.sent() == before + 1
        await desk.hear(before + 1)
        update = json.loads(desk.messages[-1])
        assert update["type"] == "order"
        assert update["data"]["status"] == "COMPLETE"
        now, _ = await desk.turn(now + 60 * SECOND)
        assert isinstance(desk.messages[-1], bytes)

    asyncio.run(desk_run(endpoint, play))


def test_the_day_ends_and_says_so(start):
    _, endpoint = start(start="15:29:55", date="2026-07-31", symbols=("INFY", "SBIN", "HDFCBANK"))

    async def play(desk, now):
        resting = await desk.call(
            "POST", "/orders/regular", **order(order_type="LIMIT", price=1400, product="CNC")
        )
        over, turns = False, 0
        while not over:
            now, over = await desk.turn(now + 60 * SECOND)
            turns += 1
            assert turns < 20
        last = json.loads(next(m for m in reversed(desk.messages) if isinstance(m, str)))
        assert (last["data"]["order_id"], last["data"]["status"]) == (
            resting["data"]["order_id"],
            "CANCELLED",
        )
        late = await desk.call("POST", "/orders/regular", **order())
        assert late["error_type"] == "OrderException"
        assert (await desk.turn(now + 60 * SECOND)) == (now, True)

    asyncio.run(desk_run(endpoint, play))


def test_a_client_that_leaves_takes_back_what_it_never_got(start):
    _, endpoint = start()

    async def play(desk, now):
        for _ in range(3):
            now, _ = await desk.turn(now + 60 * SECOND)
        assert await desk.pacer.sent() == len(desk.messages) == 3
        await desk.socket.close()
        for _ in range(100):
            if await desk.pacer.advance(now + 60 * SECOND) == (now + 60 * SECOND, 3, False):
                return
            now = await desk.pacer.start()
        raise AssertionError("messages were counted that nobody could get")

    asyncio.run(desk_run(endpoint, play))


def test_a_pacer_says_what_is_wrong(start):
    _, running = start(speed=1.0)

    async def refuse(rest, words):
        async with LockstepPacer(rest) as pacer:
            with pytest.raises(ConnectionFailed, match=words):
                await pacer.start()

    asyncio.run(refuse(running.rest, "runs by itself at speed 1.0"))
    asyncio.run(refuse("http://127.0.0.1:9", "Cannot connect"))


def test_whoever_leads_the_clock_over_a_socket_is_answered_as_over_http(start):
    async def lead(rest, messages):
        async with (
            aiohttp.ClientSession(headers=bearer_header(admin_key.read_key(rest))) as http,
            http.ws_connect(f"{rest}/sandbox/pace") as socket,
        ):
            answers = []
            for message in messages:
                await socket.send_str(message)
                answers.append(await socket.receive_json(timeout=30))
            return answers

    _, endpoint = start(symbols=("INFY",))
    opens = asyncio.run(clock(endpoint.rest))["now"]
    until = opens + 5 * SECOND
    moved, bad, empty = asyncio.run(lead(endpoint.rest, [json.dumps({"until": until}), "{", "[1]"]))
    assert moved == {"now": until, "sent": 0, "over": False}
    for refused in (bad, empty):
        assert (refused["error_type"], refused["message"]) == (
            "InputException",
            "Missing or empty field `until`",
        )
    _, paced = start(symbols=("INFY",), speed=1.0)
    (answer,) = asyncio.run(lead(paced.rest, ["{}"]))
    assert "only a sandbox in lockstep can be advanced" in answer["message"]


async def clock(rest):
    return await asyncio.to_thread(admin_key.call_admin, rest, "GET", "/sandbox/clock")
