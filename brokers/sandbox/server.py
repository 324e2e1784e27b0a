"""The sandbox's shell: sockets, wall time, and a thread; everything else is `exchange.py`."""

import asyncio
import contextlib
import errno
import json
import threading
from collections.abc import Awaitable, Callable
from typing import final
from urllib.parse import parse_qsl

from aiohttp import WSCloseCode, WSMsgType, web

from brokers.sandbox import ist
from brokers.sandbox.admin import ADMIN, ADVANCE, PACE
from brokers.sandbox.config import LOOPBACK, Endpoint, SandboxConfig
from brokers.sandbox.exchange import Exchange
from brokers.sandbox.faults import SOCKET
from brokers.sandbox.postback import post_updates
from brokers.sandbox.routes import Api
from brokers.sandbox.sabotage import refusal
from brokers.sandbox.state import Progress, State
from brokers.sandbox.stream import HEARTBEAT, Connection
from brokers.sandbox.table import NO_ROUTE
from brokers.sandbox.wire import ApiError, Request, Response, invalid, parsed
from compiled.model import SECOND
from engine.errors import BusyError, ConnectionFailed
from engine.ports import Failure

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

UPGRADED = web.RequestKey("upgraded", web.WebSocketResponse)
"""The socket that a request has become."""
START_SECONDS = 120.0
STOP_SECONDS = 10.0
GRACE_SECONDS = 2.0
LONGEST_LINE = 128 * 1024
"""Bytes; a thousand instruments are asked for in one request line."""
LONGEST_TURN = 0.1
"""Seconds the market may move before whoever waits for an answer gets it."""
LONGEST_SLEEP = 0.25
"""Seconds; a request may have put something on the agenda meanwhile."""
READER_TURNS = 6
"""Turns of the loop before time moves: a subscription sent before the call has arrived, and its reader goes first."""


@final
class Pace:
    """Wall time turned into virtual time; in lockstep it does nothing."""

    def __init__(self, exchange: Exchange, wall: Callable[[], float]) -> None:
        self._exchange = exchange
        self._wall = wall
        self._began = wall()
        self._origin = exchange.now
        self._speed = exchange.config.speed

    def catch_up(self) -> None:
        """Let everything happen that is due by now; where that takes too long, time slows down instead.

        After the day nothing happens any more, and time still passes.
        """
        exchange, begin = self._exchange, self._wall()
        if self._speed is None:
            return
        if exchange.frozen:
            self._began = begin - (exchange.now - self._origin) / SECOND / self._speed
            return
        due = self._origin + int((begin - self._began) * self._speed * SECOND)
        while not exchange.over and exchange.next_instant() <= due:
            exchange.run(exchange.next_instant())
            if self._wall() - begin > LONGEST_TURN:
                self._began += (due - exchange.now) / SECOND / self._speed
                return
        exchange.run(due)

    async def run(self, wake: Callable[[], None]) -> None:
        """Drive the market until the day is over."""
        if self._speed is None:
            return
        while not self._exchange.over:
            due = (self._exchange.next_instant() - self._origin) / SECOND / self._speed
            await asyncio.sleep(min(LONGEST_SLEEP, max(0.0, due - (self._wall() - self._began))))
            self.catch_up()
            wake()


@final
class Service:
    """One exchange behind one port: REST, WebSocket and admin routes."""

    def __init__(
        self, exchange: Exchange, on_failure: Failure | None = None, api: Api | None = None, state: State | None = None
    ) -> None:
        self.exchange = exchange
        self.on_failure = on_failure
        self._api = api or Api(exchange)
        self._state = state
        self._posting: asyncio.Task[None] | None = None
        self._wakers: dict[Connection, asyncio.Event] = {}
        self._leaders: set[web.WebSocketResponse] = set()
        """Who advances the clock over a socket."""
        self._pace: Pace | None = None
        self._pacing: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> Endpoint:
        """Listen and let time run; raise `BusyError` when the port is taken."""
        config, session = self.exchange.config, self.exchange.session
        app = web.Application(middlewares=[self._errors])
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=GRACE_SECONDS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, config.host, config.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise BusyError(f"port {config.port} on {config.host} is taken; name another or 0 for any") from error
            raise BusyError(f"cannot listen on {config.host}:{config.port}: {error.strerror}") from error
        port = self._runner.addresses[0][1]
        host = f"[{config.host}]" if ":" in config.host else config.host
        self._pace = Pace(self.exchange, asyncio.get_running_loop().time)
        self._pacing = asyncio.create_task(self._pace.run(self._wake))
        if self.exchange.clients.postbacks is not None:
            self._posting = asyncio.create_task(post_updates(config.postback, self.exchange.clients.postbacks))
        return Endpoint(
            rest=f"http://{host}:{port}",
            ws=f"ws://{host}:{port}",
            api_key=session.api_key,
            api_secret=session.api_secret,
            access_token=session.access_token,
            user_id=session.user_id,
        )

    async def finish(self) -> None:
        """Return when the clock has stopped by itself; raises what stopped it. In lockstep it never does."""
        assert self._pacing is not None
        await self._pacing
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Close every connection and the port."""
        if self._pacing is not None:
            self._pacing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pacing
        if self._posting is not None:
            self._posting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._posting
        self._remember()
        for connection, waker in self._wakers.items():
            connection.closing = True
            waker.set()
        for leader in [*self._leaders]:
            await leader.close(code=WSCloseCode.GOING_AWAY)
        if self._runner is not None:
            await self._runner.cleanup()

    def _remember(self) -> None:
        if self._state is not None:
            self._state.tick(self.exchange.config.date, self.exchange.now)

    def _wake(self) -> None:
        self._remember()
        for connection, waker in self._wakers.items():
            if connection.outbox or connection.closing:
                waker.set()

    @web.middleware
    async def _errors(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        """Turn a refusal into its body; tell the owner of anything nobody foresaw."""
        try:
            return await handler(request)
        except ApiError as error:
            return self._http(error.response())
        except web.HTTPException as error:
            return self._http(ApiError(error.status, "GeneralException", error.reason).response())
        except ConnectionError:
            raise
        except Exception as error:
            if self.on_failure is None:
                raise
            self.on_failure("sandbox", error)
            socket: web.WebSocketResponse | None = request.get(UPGRADED)
            if socket is not None:  # an HTTP answer has no place on it any more
                await socket.close(code=WSCloseCode.INTERNAL_ERROR)
                return socket
            return self._http(ApiError(500, "GeneralException", "Something went wrong.").response())

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        assert self._pace is not None
        self._pace.catch_up()
        if http.path.startswith(ADMIN) and http.remote not in LOOPBACK:
            raise NO_ROUTE
        if http.headers.get("Upgrade", "").lower() == "websocket":
            return await (self._paced(http) if http.path == PACE else self._stream(http))
        request = await _request(http)
        if request.path == ADVANCE:
            await _readers_first()
        response = self._api.respond(request)
        self._wake()
        if response.hold:
            await asyncio.sleep(response.hold)
        if response.cut is not None:
            return await _torn(http, response, response.cut)
        return self._http(response)

    def _http(self, response: Response) -> web.Response:
        headers = {"Content-Type": response.content_type, "Date": ist.http_date(self.exchange.stamp)}
        if response.location:
            headers["Location"] = response.location
        return web.Response(status=response.status, body=response.content, headers=headers)

    async def _stream(self, http: web.Request) -> web.StreamResponse:
        exchange = self.exchange
        fault = exchange.faults.strike(SOCKET, "GET /", dict(http.query), exchange.now)
        if fault is not None:
            return self._http(refusal(fault))
        if not {"api_key", "access_token"} <= http.query.keys():
            raise invalid("Missing or empty field `api_key` or `access_token`")
        if not exchange.session.valid(http.query.get("api_key", ""), http.query.get("access_token", "")):
            raise ApiError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        connection, waker = exchange.connect(), asyncio.Event()
        socket = web.WebSocketResponse(autoping=True)
        try:
            await socket.prepare(http)
        except BaseException:
            exchange.clients.disconnect(connection)
            raise
        http[UPGRADED] = socket
        self._wakers[connection] = waker
        sender = asyncio.create_task(self._send(http, socket, connection, waker))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    connection.receive(message.data)
                    waker.set()
        finally:
            sender.cancel()
            del self._wakers[connection]
            exchange.clients.disconnect(connection)
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sender
        return socket

    async def _paced(self, http: web.Request) -> web.StreamResponse:
        """Let whoever leads the clock advance it over one socket."""
        http[UPGRADED] = socket = web.WebSocketResponse()
        await socket.prepare(http)
        self._leaders.add(socket)
        try:
            async for message in socket:
                await _readers_first()
                response = self._api.respond(Request("POST", ADVANCE, body=_parsed(message.data)))
                self._wake()
                await socket.send_str(response.content.decode())
        finally:
            self._leaders.discard(socket)
        return socket

    async def _send(
        self, http: web.Request, socket: web.WebSocketResponse, connection: Connection, waker: asyncio.Event
    ) -> None:
        paced = self.exchange.config.speed is not None
        while not connection.closing:
            while connection.outbox:
                message = connection.outbox.popleft()
                await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
            waker.clear()
            try:
                await asyncio.wait_for(waker.wait(), self.exchange.config.choices.heartbeat if paced else None)
            except TimeoutError:
                if not self.exchange.faults.silent(self.exchange.now):
                    await socket.send_bytes(HEARTBEAT)
        if connection.broken and http.transport is not None:
            http.transport.abort()
        await socket.close(code=WSCloseCode.GOING_AWAY)


async def _readers_first() -> None:
    """Let those who read the sockets take what has arrived before time moves."""
    for _ in range(READER_TURNS):
        await asyncio.sleep(0)


def _parsed(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


async def _request(http: web.Request) -> Request:
    form: dict[str, str] = {}
    body: object = None
    try:
        raw = await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "InputException", "The request is too large.") from None
    try:
        if http.content_type == "application/json" and raw:
            body = parsed(raw)
        elif http.content_type.startswith("multipart/"):
            form = {key: value for key, value in (await http.post()).items() if isinstance(value, str)}
        else:
            form = dict(parse_qsl(raw.decode(), keep_blank_values=True))
    except (ValueError, LookupError, AssertionError):  # AssertionError: a part of a multipart body without its boundary
        raise invalid("Invalid body.") from None
    query = list(http.query.items())
    return Request(http.method, http.path, query, form, body, http.headers.get("Authorization", ""))


async def _torn(http: web.Request, response: Response, cut: int) -> web.StreamResponse:
    """Send the first bytes of an answer, or nothing at all, and break the connection."""
    torn = web.StreamResponse(status=response.status or 200, headers={"Content-Type": response.content_type})
    if cut >= 0:
        torn.content_length = len(response.content)
        await torn.prepare(http)
        await torn.write(response.content[:cut])
    if http.transport is not None:
        http.transport.close()
    return torn


@final
class Sandbox:
    """A sandbox in a thread of its own, or in the foreground; `progress` hears of a day that is played again first."""

    def __init__(self, config: SandboxConfig | None = None, progress: Progress | None = None) -> None:
        self.config = config or SandboxConfig()
        self._progress = progress
        self.endpoint: Endpoint | None = None
        self.on_failure: Failure | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None

    def start(self) -> Endpoint:
        """Start in a thread and return where it is; raise `BusyError`, `ConfigError` or `DataError`."""
        self._ready.clear()
        self._error = None
        self._thread = threading.Thread(target=self._main, name="sandbox", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise ConnectionFailed(f"the sandbox did not start within {START_SECONDS:.0f} s")
        return self._started(self._thread)

    def _started(self, thread: threading.Thread) -> Endpoint:
        if self._error is not None:
            thread.join()
            raise self._error
        assert self.endpoint is not None
        return self.endpoint

    def stop(self) -> None:
        """Close every connection and join the thread; a second call does nothing."""
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            self._thread = None

    def serve_forever(self, started: Callable[[Endpoint], None] | None = None) -> None:
        """Serve in the calling thread until it is interrupted; `started` hears where."""
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self._serve(started))

    def _main(self) -> None:
        try:
            asyncio.run(self._serve(None))
        except BaseException as error:  # noqa: BLE001 a thread's main: nothing dies quietly
            if not self._ready.is_set():
                self._error = error
            elif self.on_failure is not None:
                self.on_failure("sandbox", error)
        finally:
            self._ready.set()

    def _failed(self, name: str, error: BaseException) -> None:
        if self.on_failure is not None:
            self.on_failure(name, error)
        elif self._loop is not None:
            self._loop.call_exception_handler({"message": name, "exception": error})

    async def _serve(self, started: Callable[[Endpoint], None] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        with contextlib.ExitStack() as stack:
            service = self._service(stack)
            self.endpoint = await service.start()
            if started is not None:
                started(self.endpoint)
            self._ready.set()
            try:
                await _first(self._stopping.wait(), service.finish())
            finally:
                await service.stop()

    def _service(self, stack: contextlib.ExitStack) -> Service:
        if self.config.state is None:
            return Service(Exchange(self.config), self._failed)
        state = stack.enter_context(State(self.config.state, self._progress))
        exchange, api = state.open(self.config)
        return Service(exchange, self._failed, api, state)


async def _first(*waits: Awaitable[object]) -> None:
    """Return when one of these has; raise what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
