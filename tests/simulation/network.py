"""A simulated network: the real adapter and official client, and the sandbox's routes.

Each request takes time both ways, may be lost on either, and may find nobody; the exchange moves to
the instant at which it arrives. Frames and order updates reach the desk's feed in the order they
were sent, later.
"""

import asyncio
import functools
import io
import json
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import RemoteDisconnected
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import kiteconnect.connect
from dateutil.parser import parse
from requests import Response
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ReadTimeout
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import MaxRetryError, NewConnectionError

from brokers.kite.call_outcome import SessionExpired
from brokers.kite.kite_broker import KiteBroker
from brokers.kite.kite_feed import _deliver_text
from brokers.kite.thread_client import ThreadClient
from brokers.sandbox import kite_times
from brokers.sandbox.http import SandboxRequest
from compiled.adapters.kite_frames import FrameDecoder

kiteconnect.connect.dateutil = SimpleNamespace(
    parser=SimpleNamespace(parse=functools.lru_cache(20_000)(parse))
)
"""The official client reads each stamp anew on each look; two thirds of a day would go there."""

ORIGIN = "https://simulated"
TIMEOUT_S = 7.0
ASKING = ContextVar("ASKING", default=None)
"""What the request is for that a task is about to send."""
STALE_S = 10.0


class Job:
    """A request under way: sender and purpose, travel times, and the way it gets lost."""

    def __init__(self, work, asked):
        self.work = work
        self.asked = asked
        self.future = Future()
        self.lost = ""
        self.astray = False
        """It arrives a second time, or long after it was sent."""
        self.up = self.down = 0.0
        self.elapsed = 0.0


class Pool:
    """Stands where the adapter has its threads.

    `size` requests at a time, the others wait their turn.
    """

    def __init__(self, process, size):
        self._process = process
        self._size = size
        self._busy = 0
        self._waiting = deque()

    def submit(self, work):
        job = Job(work, ASKING.get())
        self._waiting.append(job)
        self._start()
        return job.future

    def shutdown(self):
        """There is nothing to end."""

    def freed(self):
        self._busy -= 1
        self._start()

    def _start(self):
        while self._process.alive and self._busy < self._size and self._waiting:
            job = self._waiting.popleft()
            if job.future.set_running_or_notify_cancel():
                self._busy += 1
                self._process.network.send(self._process, self, job)


class Network:
    """The way between one desk after the other and the exchange.

    `quality` draws each request's fate.
    """

    def __init__(self, world, rng):
        self._world = world
        self._rng = rng
        self.loss = 0.0
        """Chance that a request, or its answer, is lost."""
        self.down = False
        """Nobody can be reached."""
        self.latency = 0.03
        self.liar = None
        """Stands between desk and exchange and does not pass on what it is told."""
        self.job = None
        self.feeds = []

    def send(self, process, pool, job):
        """Put a request on its way."""
        self._world.checks.departs(process, job)
        rng, loop = self._rng, self._world.loop
        job.up = rng.uniform(0.3, 1.0) * self.latency
        job.down = rng.uniform(0.3, 1.0) * self.latency
        if self.down:
            job.lost = rng.choice(("refused", "request", "answer-late"))
        elif self.loss and rng.random() < self.loss:
            job.lost = rng.choice(("refused", "request", "answer", "answer-late"))
        loop.call_later(job.up, self._arrive, process, pool, job)

    def _arrive(self, process, pool, job):
        self.job = job
        result = error = None
        try:
            result = job.work()
        except Exception as caught:  # noqa: BLE001  a pool hands on whatever its work raises
            error = caught
        self.job = None
        self._world.touched()
        self._world.loop.call_later(job.elapsed, self._deliver, process, pool, job, result, error)

    @staticmethod
    def _deliver(process, pool, job, result, error):
        if not process.alive:
            return
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)
        pool.freed()

    def pump(self):
        """Put what the exchange has sent on its way to the feeds."""
        for feed in list(self.feeds):
            feed.pump()

    def travel(self):
        """Return how long a message of the stream travels, in seconds."""
        return self._rng.uniform(0.3, 1.0) * self.latency


class Session:
    """Stands in for the official client's HTTP session, and performs its requests."""

    def __init__(self, world):
        self._world = world
        self.hooks = {"response": []}

    def close(self):
        """There is no socket."""

    def request(self, method, url, json=None, data=None, params=None, headers=None, **_rest):
        job = self._world.network.job
        job.elapsed = job.down
        if job.lost == "refused":
            raise RequestsConnectionError(
                MaxRetryError(None, url, NewConnectionError(None, "refused"))
            )
        if job.lost == "request":
            return self._time_out(job)
        asked = _request(method, url, json, data, params, headers)
        liar = self._world.network.liar
        answer = self._world.perform(asked) if liar is None else liar.perform(job, asked)
        if answer is None:
            return self._time_out(job)
        job.elapsed += answer.hold
        if job.lost == "answer-late" or job.up + job.elapsed >= TIMEOUT_S:
            return self._time_out(job)
        if job.lost == "answer" or answer.cut is not None:
            raise RequestsConnectionError(RemoteDisconnected("the connection broke"))
        return self._response(answer)

    @staticmethod
    def _time_out(job):
        job.elapsed = max(0.0, TIMEOUT_S - job.up)
        raise ReadTimeout("timed out")

    def _response(self, answer):
        response = Response()
        response.status_code = answer.status
        date = kite_times.http_date(self._world.exchange.stamp)
        response.headers = CaseInsensitiveDict({"content-type": answer.content_type, "date": date})
        response.raw = _Raw(answer.content)
        for hook in self.hooks["response"]:
            hook(response)
        return response


class _Raw(io.BytesIO):
    def read1(self, size=-1, *, decode_content=True):
        del decode_content
        return super().read1(size)


def _request(method, url, body, data, params, headers):
    query = [(key, str(value)) for key, values in (params or {}).items() for value in _many(values)]
    split = urlsplit(url)
    form = {key: str(value) for key, value in (data or {}).items() if value is not None}
    return SandboxRequest(
        method,
        split.path,
        parse_qsl(split.query) + query,
        form,
        body,
        (headers or {}).get("Authorization", ""),
    )


def _many(value):
    return value if isinstance(value, list | tuple | set) else [value]


class Broker(KiteBroker):
    """The real adapter over the simulated network; tells the pool what each request is for."""

    def __init__(self, process, clock, endpoint, workers, on_token_death, heard):
        self._process = process
        key, token = endpoint
        super().__init__(
            ORIGIN,
            key,
            token,
            clock,
            workers,
            TIMEOUT_S,
            on_token_death=on_token_death,
            pool=lambda size, _: Pool(process, size),
            heard=heard,
        )
        self._made = None
        self._calls.thread_client = self._wire

    @contextmanager
    def _asking(self, what):
        """Name the request for the pool.

        The caller's task takes the name along, whatever it waits for.
        """
        before = ASKING.set(what)
        try:
            yield
        finally:
            ASKING.reset(before)

    def _wire(self):
        session_now = self._calls._session
        if self._made is None or self._made[0] is not session_now:
            wire = ThreadClient(*session_now)
            session = Session(self._process.world)
            session.hooks["response"].append(wire._keep_answer)
            wire._client.reqsession = session
            self._made = session_now, wire
        return self._made[1]

    async def instruments(self, exchange):
        found = await super().instruments(exchange)
        listed = self._process.world.exchange.listings
        for each in found:
            each.freeze = listed[f"{each.exchange}:{each.symbol}"].instrument.freeze
        return found

    async def place(self, order):
        with self._asking(("order", order)):
            return await super().place(order)

    async def place_sliced(self, order):
        with self._asking(("order", order)):
            return await super().place_sliced(order)

    async def place_gtt(self, gtt):
        with self._asking(("gtt", gtt)):
            return await super().place_gtt(gtt)

    async def modify_gtt(self, gtt):
        with self._asking(("modify", gtt)):
            return await super().modify_gtt(gtt)

    async def modify(self, order_id, change):
        order = self._process.kernel and self._process.kernel.order_store.by_order_id.get(order_id)
        with self._asking(("change", order) if order else ("cancel", order_id)):
            return await super().modify(order_id, change)

    async def cancel(self, order_id):
        with self._asking(("cancel", order_id)):
            return await super().cancel(order_id)


class Feed:
    """The stream as `engine.ports.Feed`.

    One connection that is made anew when it closes, or stays silent.
    """

    def __init__(self, process, endpoint, on_token_death):
        self.frames_received = 0
        self._process = process
        self._world = process.world
        self._key, self._token = endpoint
        self._mourn = on_token_death
        self._tokens = []
        self._connection = None
        self._closed = asyncio.Event()
        self._renewed = asyncio.Event()
        self._heard = 0.0
        self._next = 0.0
        self._sink = None

    async def run(self, sink):
        self._sink = sink
        self._world.network.feeds.append(self)
        failures = 0
        try:
            while True:
                try:
                    await self._live()
                    failures = 0
                except SessionExpired:
                    self._mourn()
                    await self._renewed.wait()
                except ConnectionError:
                    failures += 1
                await asyncio.sleep(min(8.0, 0.5 * 2**failures))
        finally:
            self._world.network.feeds.remove(self)

    async def subscribe(self, tokens):
        self._tokens = list(tokens)
        if self._connection is not None:
            self._ask()

    def renew(self, token):
        self._token = token
        self._renewed.set()
        self._renewed = asyncio.Event()
        self._closed.set()

    async def _live(self):
        await asyncio.sleep(self._world.network.travel())
        if self._world.network.down:
            raise ConnectionError
        exchange = self._world.exchange
        if not exchange.session.is_valid_pair(self._key, self._token):
            raise SessionExpired
        self._connection = exchange.connect()
        self._closed.clear()
        self._heard = self._world.loop.time()
        self._ask()
        self._sink.link(True)
        try:
            await self._until_lost()
        finally:
            if self._connection is not None:
                exchange.clients.disconnect(self._connection)
                self._connection = None
            if self._process.alive:
                self._sink.link(False)

    async def _until_lost(self):
        """Return when the connection has closed, or has been silent for too long."""
        world = self._world
        while not self._closed.is_set():
            try:
                async with asyncio.timeout(STALE_S / 4):
                    await self._closed.wait()
            except TimeoutError:
                quiet = world.network.down or world.exchange.faults.is_silent(world.clock.true())
                if not quiet:
                    self._heard = world.loop.time()
                elif world.loop.time() - self._heard >= STALE_S:
                    return

    def _ask(self):
        self._connection.receive(json.dumps({"a": "subscribe", "v": self._tokens}))
        self._connection.receive(json.dumps({"a": "mode", "v": ["full", self._tokens]}))
        self._world.touched()

    def pump(self):
        connection, loop = self._connection, self._world.loop
        if connection is None:
            return
        while connection.outbox:
            message = connection.outbox.popleft()
            if not self._world.network.down:
                self._next = max(self._next, loop.time() + self._world.network.travel())
                loop.call_at(self._next, self._deliver, connection, message)
        if connection.close_requested:
            self._closed.set()

    def _deliver(self, connection, message):
        if not self._process.alive or connection is not self._connection:
            return
        self._heard = self._world.loop.time()
        self.frames_received += 1
        if isinstance(message, str):
            _deliver_text(message.encode(), self._sink)
        elif len(message) > 1:
            decoder = FrameDecoder()
            ticks = decoder.decode(message, 0)
            unread = b"" if decoder.whole else message
            self._sink.ticks(ticks, self._process.clock.now(), unread)
