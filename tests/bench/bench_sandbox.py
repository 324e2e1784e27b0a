"""Measure the local exchange under load.

Orders through the official client, quotes, ticks to many connections, memory.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import aiohttp
import requests
from bench_feed import server
from kiteconnect import KiteConnect, KiteTicker
from report import section, table

from brokers.sandbox.clients.client_connection import MOST_TOKENS
from brokers.sandbox.config import EXCHANGES, SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from compiled.adapters.kite_frames import FrameDecoder

SECOND = 1_000_000_000


class Account:
    """The sandbox's one account, through the official client."""

    def __init__(self, endpoint: dict[str, str]) -> None:
        self.endpoint = endpoint
        self.tokens = [row["instrument_token"] for row in self.client().instruments("NSE")]
        rows = {
            f"NSE:{row['tradingsymbol']}": row
            for row in self.client().instruments("NSE")
            if row["segment"] == "NSE"
        }
        self.last = {
            key: row["last_price"] for key, row in self.client().quote(list(rows)[:500]).items()
        }
        self.ticks = {key: row["tick_size"] for key, row in rows.items()}
        # the cheapest, so that the cash lasts
        self.keys = sorted(self.last, key=lambda key: self.last[key])[:5]

    def client(self) -> KiteConnect:
        """Return a client with connections of its own."""
        return KiteConnect(
            self.endpoint["api_key"],
            self.endpoint["access_token"],
            root=self.endpoint["rest"],
            timeout=30,
        )

    def order(self, number: int) -> dict[str, object]:
        """Return a LIMIT order for one share, a little below the market."""
        key = self.keys[number % len(self.keys)]
        return {
            "variety": "regular",
            "exchange": "NSE",
            "tradingsymbol": key.removeprefix("NSE:"),
            "transaction_type": "BUY",
            "quantity": 1,
            "product": "MIS",
            "order_type": "LIMIT",
            "price": round(round(self.last[key] * 0.99 / self.ticks[key]) * self.ticks[key], 2),
        }


def timings(call: Callable[[int], object], count: int) -> dict[str, object]:
    """Return calls a second and percentiles of one call in milliseconds."""
    taken = []
    begin = time.perf_counter()
    for number in range(count):
        start = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - start) * 1e3)
    seconds = time.perf_counter() - begin
    taken.sort()
    return {
        "calls": count,
        "per second": count / seconds,
        "p50 ms": taken[count // 2],
        "p99 ms": taken[count * 99 // 100],
    }


def raw_orders(account: Account) -> bytes:
    """Return the order book as it comes over the wire.

    Without what the official client spends on reading it.
    """
    endpoint = account.endpoint
    header = {"Authorization": f"token {endpoint['api_key']}:{endpoint['access_token']}"}
    return requests.get(f"{endpoint['rest']}/orders", headers=header, timeout=30).content


def together(account: Account, clients: int, count: int) -> dict[str, object]:
    """Return orders a second of several official clients at once."""
    own = threading.local()

    def place(number: int) -> None:
        if not hasattr(own, "client"):
            own.client = account.client()
        own.client.place_order(**account.order(number))

    begin = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(place, range(count)))
    return {"calls": count, "per second": count / (time.perf_counter() - begin)}


async def stream(account: Account, connections: int, seconds: int) -> dict[str, object]:
    """Return packets a second that reach many connections in full mode, as the clock moves."""
    told = [0] * connections
    tokens = account.tokens
    base, query = (
        account.endpoint["ws"],
        {name: account.endpoint[name] for name in ("api_key", "access_token")},
    )
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(base, params=query) for _ in range(connections)]

        async def take(place: int) -> None:
            decode = FrameDecoder().decode
            async for message in sockets[place]:
                if message.type == aiohttp.WSMsgType.BINARY and len(message.data) > 1:
                    told[place] += len(decode(message.data, 0))

        takers = [asyncio.create_task(take(place)) for place in range(connections)]
        for socket in sockets:
            await socket.send_json({"a": "subscribe", "v": tokens})
            await socket.send_json({"a": "mode", "v": ["full", tokens]})
        begin = time.perf_counter()
        opens = {"Authorization": f"Bearer {account.endpoint['admin']}"}
        clock = await session.get(account.endpoint["rest"] + "/sandbox/clock", headers=opens)
        until = (await clock.json())["now"] + seconds * SECOND
        now = 0
        while now < until:
            answer = await session.post(
                account.endpoint["rest"] + "/sandbox/advance", json={"until": until}, headers=opens
            )
            now = (await answer.json())["now"]
        await settle(told)
        passed = time.perf_counter() - begin
        for socket in sockets:
            await socket.close()
        await asyncio.gather(*takers)
    assert min(told) == max(told) > 0, "connections got different streams"
    return {
        "client": "aiohttp and our decoder",
        "connections": connections,
        "market seconds": seconds,
        "packets": sum(told),
        "packets/s": sum(told) / passed,
    }


def official(account: Account, seconds: int) -> dict[str, object]:
    """Return packets a second that reach the official ticker in full mode, as the clock moves."""
    # the ticker's own; it must not be there before the ticker is
    from twisted.internet import reactor

    endpoint, told, ready = account.endpoint, [0], threading.Event()
    ticker = KiteTicker(endpoint["api_key"], endpoint["access_token"], root=endpoint["ws"])

    def connected(socket: KiteTicker, _response: object) -> None:
        socket.subscribe(account.tokens)
        socket.set_mode(socket.MODE_FULL, account.tokens)
        ready.set()

    def ticks(_socket: object, ticks: list[object]) -> None:
        told[0] += len(ticks)

    gone = threading.Event()
    ticker.on_connect, ticker.on_ticks, ticker.on_close = connected, ticks, lambda *_: gone.set()
    ticker.connect(threaded=True)
    if not ready.wait(20):
        raise RuntimeError("the official ticker did not connect")
    begin = time.perf_counter()
    with requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {endpoint['admin']}"
        while http.get(endpoint["rest"] + "/sandbox/clock", timeout=30).json()["full"] < len(
            account.tokens
        ):
            time.sleep(0.01)
        now = http.get(endpoint["rest"] + "/sandbox/clock", timeout=30).json()["now"]
        until = now + seconds * SECOND
        while now < until:
            now = http.post(
                endpoint["rest"] + "/sandbox/advance", json={"until": until}, timeout=30
            ).json()["now"]
    asyncio.run(settle(told))
    passed = time.perf_counter() - begin
    ticker.stop_retry()
    reactor.callFromThread(ticker.close)
    gone.wait(20)
    return {
        "client": "official ticker",
        "connections": 1,
        "market seconds": seconds,
        "packets": told[0],
        "packets/s": told[0] / passed,
    }


def slow(size: int, seconds: float) -> dict[str, object]:
    """Return the exchange's memory for a client that subscribes to everything and reads nothing."""
    told: dict[str, object] = {"instruments": size}
    for name, reads in (("reads", True), ("never reads", False)):
        with server(
            "-m", "tui.commands.cli", "sandbox", "--json", "--speed", "60", "--size", str(size)
        ) as (process, line):
            account = Account(json.loads(line))
            before = memory(process.pid)
            told[f"market seconds, {name}"] = asyncio.run(linger(account, seconds, reads=reads))
            told[f"MB more, {name}"] = memory(process.pid) - before
    return told


async def linger(account: Account, seconds: float, *, reads: bool) -> int:
    """Subscribe to everything in full mode and stay, reading or not.

    Return the market seconds that have passed.
    """
    query = {name: account.endpoint[name] for name in ("api_key", "access_token")}
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(account.endpoint["ws"], params=query, max_msg_size=0)
        await socket.send_json({"a": "subscribe", "v": account.tokens})
        await socket.send_json({"a": "mode", "v": ["full", account.tokens]})
        if not reads:
            assert socket._response.connection is not None
            socket._response.connection.transport.pause_reading()
        clock, opens = (
            account.endpoint["rest"] + "/sandbox/clock",
            {"Authorization": f"Bearer {account.endpoint['admin']}"},
        )
        begin = (await (await session.get(clock, headers=opens)).json())["now"]
        with suppress(TimeoutError):
            await asyncio.wait_for(drain(socket) if reads else asyncio.Event().wait(), seconds)
        if not reads:
            socket._response.connection.transport.abort()
        return ((await (await session.get(clock, headers=opens)).json())["now"] - begin) // SECOND


async def drain(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Read and forget."""
    async for _ in socket:
        pass


async def settle(told: list[int]) -> None:
    """Return when nothing more arrives."""
    before = -1
    while before != sum(told):
        before = sum(told)
        await asyncio.sleep(0.02)


def memory(process: int) -> float:
    """Return the most memory a process has held, MB."""
    text = Path(f"/proc/{process}/status").read_text()
    return round(
        int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024,
        1,
    )


@contextmanager
def exchange(size: int = 0) -> Iterator[tuple[int, Account]]:
    """Run a sandbox in lockstep, without rate limits, in a process of its own."""
    with server(
        "-m", "tui.commands.cli", "sandbox", "--json", "--speed", "max", "--size", str(size)
    ) as (process, line):
        yield process.pid, Account(json.loads(line))


def market(size: int, seconds: int) -> dict[str, object]:
    """Return the cost of a market second with so many instruments, streamed in full mode."""
    begin = time.perf_counter()
    exchange = SandboxExchange(
        SandboxConfig(speed=None, exchanges=EXCHANGES if size else ("NSE",), size=size)
    )
    built = time.perf_counter() - begin
    assert exchange.dump is not None
    tokens = [row.token for row in exchange.dump.rows.values()]
    for first in range(0, len(tokens), MOST_TOKENS):
        connection = exchange.connect()
        part = tokens[first : first + MOST_TOKENS]
        connection.receive(json.dumps({"a": "subscribe", "v": part}))
        connection.receive(json.dumps({"a": "mode", "v": ["full", part]}))
    begin = time.process_time()
    exchange.run(exchange.now + seconds * SECOND)
    return {
        "instruments": len(tokens),
        "ms a market second": (time.process_time() - begin) / seconds * 1e3,
        "built in s": built,
        "bytes a market second": sum(len(m) for c in exchange.clients.connections for m in c.outbox)
        // seconds,
    }


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    calls, widths, seconds = (50, (1, 10), 5) if quick else (300, (1, 3, 10), 30)
    sizes = (0, 1_000) if quick else (0, 1_000, 9_000)
    with exchange() as (process, account):
        before, client = memory(process), account.client()
        rest = [
            {"call": "place a LIMIT order, one client"}
            | timings(lambda n: client.place_order(**account.order(n)), calls),
            {"call": "place a LIMIT order, eight clients"} | together(account, 8, calls),
            {"call": "quote of one share"}
            | timings(lambda n: client.quote([account.keys[n % 5]]), calls),
            {"call": f"all {2 * calls} orders"}
            | timings(lambda _: client.orders(), max(5, calls // 50)),
            {"call": f"all {2 * calls} orders, as bytes"}
            | timings(lambda _: raw_orders(account), max(5, calls // 50)),
        ]
        after = memory(process)
    with exchange(size := 200 if quick else 1_000) as (_, account):
        socket = [asyncio.run(stream(account, width, seconds)) for width in widths]
        socket.append(official(account, seconds))
    return section(
        "Sandbox",
        "The exchange in a process of its own, with a seeded crowd, in lockstep and without rate "
        "limits; the official"
        f" client and ticker (kiteconnect {version('kiteconnect')}) in this one. The figures of "
        "ticks include the market"
        " that makes them.",
        [
            table("REST, through the official client", rest),
            table(f"Ticks of {size:,} instruments, all in full mode", socket),
            table(
                "The market alone, in process, every instrument moving",
                [market(size, 5) for size in sizes],
            ),
            table(
                "Memory of the exchange, MB",
                [{"when": "started", "peak": before}, {"when": "after all this", "peak": after}],
            ),
            table(
                "A slow client, at 60 times the pace",
                [slow(*((500, 3.0) if quick else (3_000, 15.0)))],
            ),
        ],
        [],
    )
