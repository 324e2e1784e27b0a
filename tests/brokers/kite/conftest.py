"""Stub servers that misbehave on purpose.

Raw HTTP for the broker, WebSocket for the feed, and a clock to go by.
"""

import asyncio
import json
import struct
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import WSMsgType, web

from brokers.kite.kite_broker import KiteBroker
from compiled.model.values import Instrument

IST_0915 = 1_767_325_500_000_000_000
"""2026-01-02 09:15:00 IST in ns UTC: day 20,455 since the epoch, 03:45 UTC."""


class StepClock:
    """A clock that stands still, and jumps where somebody sleeps."""

    def __init__(self, now=IST_0915):
        self.time = now
        self.slept = []

    def now(self):
        return self.time

    async def sleep_until(self, ts):
        self.slept.append(ts)
        self.time = max(self.time, ts)
        await asyncio.sleep(0)


class Request:
    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method, self.path, self.headers = method, parts.path, headers
        self.query = parse_qs(parts.query)
        self.form = {name: values[0] for name, values in parse_qs(body.decode()).items()}

    def __repr__(self):
        return f"{self.method} {self.path}"


class HttpStub:
    """A server that answers each request with scripted bytes, or a scripted coroutine's."""

    def __init__(self):
        self.requests = []
        self.script = {}
        self.url = ""
        self.connections = 0

    def on(self, route, answer):
        """Script `answer` (bytes, or a coroutine function) for "METHOD /path" or "*"."""
        self.script[route] = answer

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def stop(self):
        self.server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split()
                headers = {}
                while (line := (await reader.readline()).decode().strip()) != "":
                    name, _, value = line.partition(": ")
                    headers[name.lower()] = value
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(method, target, headers, body)
                self.requests.append(request)
                answer = self.script.get(
                    f"{method} {request.path}", self.script.get("*", NOT_FOUND)
                )
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(request, writer)
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


def http(status, body=b"", content_type="application/json"):
    """Return the bytes of an HTTP answer; a dict or a list becomes JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"HTTP/1.1 {status} X\r\n{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ok(payload):
    return http(200, {"status": "success", "data": payload})


def error(status, kind, message="because"):
    return http(status, {"status": "error", "message": message, "data": None, "error_type": kind})


NOT_FOUND = error(404, "GeneralException", "Route not found")


@pytest.fixture
async def stub():
    server = HttpStub()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def clock():
    return StepClock()


async def known(stub, clock, seconds):
    client = KiteBroker(stub.url, "key", "token", clock, timeout=seconds)
    client.add_instruments([Instrument(408065, "NSE", "INFY", 0.05)])
    yield client
    await client.close()


@pytest.fixture
async def broker(stub, clock):
    """A broker on the stub that knows INFY (token 408065, tick 0.05)."""
    async for client in known(stub, clock, 5.0):
        yield client


@pytest.fixture
async def hasty(stub, clock):
    """The same, giving up after 0.4 s."""
    async for client in known(stub, clock, 0.4):
        yield client


@pytest.fixture
def script():
    """The words of the stub: how to make an answer."""

    class Words:
        pass

    Words.http, Words.ok, Words.error = staticmethod(http), staticmethod(ok), staticmethod(error)
    return Words


class SocketStub:
    """A WebSocket server; `behave(socket, number)` is connection `number`'s life (1 ...)."""

    def __init__(self):
        self.queries = []
        self.asked = []
        self.refuse = 0
        self.pong = True
        self.behave = None
        self.arrived = asyncio.Event()

    async def start(self):
        app = web.Application()
        app.router.add_get("/", self._serve)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"ws://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    async def stop(self):
        await self.runner.cleanup()

    def subscribed(self, number):
        """Return the tokens that connection `number` asked for in full mode."""
        return [
            t for n, ask in self.asked if n == number and ask["a"] == "mode" for t in ask["v"][1]
        ]

    async def _serve(self, request):
        self.queries.append(dict(request.query))
        number = len(self.queries)
        if self.refuse:
            return web.Response(status=self.refuse)
        socket = web.WebSocketResponse(autoping=self.pong)
        await socket.prepare(request)
        task = asyncio.ensure_future(self.behave(socket, number)) if self.behave else None
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                continue
            self.asked.append((number, json.loads(message.data)))
            self.arrived.set()
        if task is not None:
            await task
        return socket


@pytest.fixture
async def sockets():
    server = SocketStub()
    await server.start()
    yield server
    await server.stop()


class Recorder:
    """A sink that keeps what it gets."""

    def __init__(self):
        self.frames, self.hints, self.notices, self.links = [], [], [], []

    def ticks(self, ticks, received, unread=b""):
        self.frames.append((ticks, received, unread))

    def hint(self, order_id):
        self.hints.append(order_id)

    def notice(self, level, text):
        self.notices.append((level, text))

    def link(self, up):
        self.links.append(up)


@pytest.fixture
def sink():
    return Recorder()


def ltp_frame(token, paise):
    """Return a binary frame with one 8-byte packet."""
    return struct.pack(">HHII", 1, 8, token, paise)


@pytest.fixture
def frame():
    return ltp_frame
