"""The sandbox's shell: sockets, wall time, and a thread; everything else is `exchange.py`."""

import asyncio
import contextlib
import errno
import logging
import math
import resource
import secrets
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, final
from urllib.parse import parse_qsl

from aiohttp import WSCloseCode, WSMsgType, web

from brokers.sandbox import ist, key, visitors
from brokers.sandbox.admin import ADVANCE, PACE, is_admin
from brokers.sandbox.carry import Carried, collect
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
from engine.errors import BusyError, ConnectionFailed, in_words
from engine.ports import Failure

T = TypeVar("T")

LOG = logging.getLogger("patang.sandbox")
MOST_LOGGED = 20
"""Errors of requests that are written down in a run: no visitor fills a disk."""
QUIET = logging.getLogger("patang.sandbox.visitors")
QUIET.disabled = True  # what is only malformed has had its 400
UPGRADED = web.RequestKey("upgraded", web.WebSocketResponse)
"""The socket that a request has become."""
START_SECONDS = 120.0
STOP_SECONDS = 10.0
GRACE_SECONDS = 2.0
LONGEST_LINE = 128 * 1024
"""Bytes; a thousand instruments are asked for in one request line."""
MOST_VISITORS = 100
"""Connections at a time, or half as many as files may be open; beyond them the oldest that has not said who it is makes room."""
QUIET_SECONDS = 60.0
ACCEPTED = 10
"""Connections taken in one turn of the loop."""
IDLE_SECONDS = 60.0
"""How long a connection may be silent between two requests, or within the first line of one."""
BODY_SECONDS = 10.0
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
    """One exchange behind one port: REST, WebSocket and admin routes.

    `on_failure` hears when the market breaks; what goes wrong with a request is its sender's affair and ends as 500.
    """

    def __init__(
        self, exchange: Exchange, on_failure: Failure, api: Api | None = None, state: State | None = None
    ) -> None:
        self.exchange = exchange
        self.on_failure = on_failure
        self.key = secrets.token_urlsafe(32)
        self._key_file: Path | None = None
        self._port = 0
        self._known: set[object] = set()
        """Connections that have shown a token or the key."""
        self._logged = 0
        self._listener: asyncio.Server | None = None
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
        app = web.Application()  # its middlewares would be kept, and the exchange with them, after the end
        app.router.add_route("*", "/{path:.*}", self._safely)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=QUIET,
            shutdown_timeout=GRACE_SECONDS,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        await self._runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._visitor, config.host, config.port, backlog=ACCEPTED
            )
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise BusyError(f"port {config.port} on {config.host} is taken; name another or 0 for any") from error
            raise BusyError(f"cannot listen on {config.host}:{config.port}: {error.strerror}") from error
        port = self._port = self._listener.sockets[0].getsockname()[1]
        self._key_file = key.keep(port, self.key)
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
            admin=self.key,
        )

    def _visitor(self) -> asyncio.Protocol:
        """Take a connection; where there are too many, the oldest of a stranger makes room."""
        assert self._runner is not None
        assert self._runner.server is not None
        crowd = self._runner.server.connections
        self._known.intersection_update(crowd)
        if len(crowd) >= min(MOST_VISITORS, _files() // 2):
            strangers = (each for each in crowd if each not in self._known)
            for oldest in islice(strangers, 1):
                oldest.force_close()
        return self._runner.server()

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
        self._remember(last=True)
        for connection, waker in self._wakers.items():
            connection.closing = True
            waker.set()
        for leader in [*self._leaders]:
            await leader.close(code=WSCloseCode.GOING_AWAY)
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._key_file is not None:
            self._key_file.unlink(missing_ok=True)

    def _remember(self, *, last: bool = False) -> None:
        if self._state is not None:
            self._state.tick(self.exchange.config.date, self.exchange.now)
            self._state.remember(self.exchange, last=last)

    def _wake(self) -> None:
        self._remember()
        for connection, waker in self._wakers.items():
            if connection.outbox or connection.closing:
                waker.set()

    async def _safely(self, request: web.Request) -> web.StreamResponse:
        """Turn a refusal into its body, and what nobody foresaw into one; neither is anybody's but the sender's."""
        try:
            return await self._answer(request)
        except ApiError as error:
            return self._http(error.response())
        except web.HTTPException as error:
            return self._http(ApiError(error.status, "GeneralException", error.reason).response())
        except ConnectionError:
            raise
        except Exception:
            self._logged += 1
            if self._logged <= MOST_LOGGED:
                LOG.exception("%s %.100r", request.method, request.path)
            socket: web.WebSocketResponse | None = request.get(UPGRADED)
            if socket is not None:  # an HTTP answer has no place on it any more
                await socket.close(code=WSCloseCode.INTERNAL_ERROR)
                return socket
            return self._http(ApiError(500, "GeneralException", "Something went wrong.").response())

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        exchange, authorization = self.exchange, http.headers.get("Authorization", "")
        visitors.check(http.method, http.path, http.headers, self._port, exchange.config.host)
        admin = is_admin(http.path)
        if admin and http.remote not in LOOPBACK:
            raise NO_ROUTE
        if admin:
            visitors.check_key(authorization, self.key)
        if admin or exchange.session.admits(authorization):
            self._known.add(http.protocol)
        self._moved(self._catch_up)
        if http.headers.get("Upgrade", "").lower() == "websocket":
            return await (self._paced(http) if http.path == PACE else self._stream(http))
        request = await _request(http)
        if request.path == ADVANCE:
            await _readers_first()
        response = self._respond(request)
        self._wake()
        if response.hold:
            await asyncio.sleep(response.hold)
        if response.cut is not None:
            return await _torn(http, response, response.cut)
        return self._http(response)

    def _catch_up(self) -> None:
        assert self._pace is not None
        self._pace.catch_up()

    def _respond(self, request: Request) -> Response:
        """Answer; a clock that breaks while it is advanced is no visitor's doing, for that takes the key."""
        answer = partial(self._api.respond, request)
        return self._moved(answer) if is_admin(request.path) else answer()

    def _moved(self, move: Callable[[], T]) -> T:
        """Do what moves the market; where that breaks, tell its owner."""
        try:
            return move()
        except Exception as error:
            self.on_failure("sandbox", error)
            raise

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
        self._known.add(http.protocol)
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
                response = self._respond(Request("POST", ADVANCE, body=_parsed(message.data)))
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


def _teller() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return what takes note of what nobody has caught; visitors who cannot be let in are told of in a line a minute."""
    quiet_until = -math.inf

    def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal quiet_until
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in {errno.EMFILE, errno.ENFILE}:
            loop.default_exception_handler(context)
        elif loop.time() >= quiet_until:
            quiet_until = loop.time() + QUIET_SECONDS
            LOG.warning("visitors wait: %s", in_words(error))

    return tell


def _files() -> int:
    """Return how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


async def _readers_first() -> None:
    """Let those who read the sockets take what has arrived before time moves."""
    for _ in range(READER_TURNS):
        await asyncio.sleep(0)


def _parsed(text: object) -> object:
    try:
        return parsed(text) if isinstance(text, str) else None
    except ValueError:
        return None


async def _request(http: web.Request) -> Request:
    """Read a request; raise `ApiError` for a body that cannot be read, is too large, or does not come."""
    form: dict[str, str] = {}
    body: object = None
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "InputException", "The request is too large.") from None
    except TimeoutError:
        raise ApiError(HTTPStatus.REQUEST_TIMEOUT, "InputException", "The request does not end.") from None
    except web.RequestPayloadError:
        raise invalid("Invalid body.") from None
    if http.content_type.startswith("multipart/"):  # Kite takes none
        raise invalid("Invalid body.")
    try:
        if http.content_type == "application/json" and raw:
            body = parsed(raw)
        else:
            form = dict(parse_qsl(raw.decode(), keep_blank_values=True))
    except ValueError:
        raise invalid("Invalid body.") from None
    return Request(http.method, http.path, list(http.query.items()), form, body, http.headers.get("Authorization", ""))


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
    """A sandbox in a thread of its own, or in the foreground; `progress` hears of a day that is played again first.

    `carried` is what its account brings from the day before, where no `state` file of the configuration tells.
    """

    def __init__(
        self, config: SandboxConfig | None = None, progress: Progress | None = None, carried: Carried | None = None
    ) -> None:
        self.config = config or SandboxConfig()
        self._carried = carried
        self.exchange: Exchange | None = None
        """What it serves, once it is started."""
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

    def evening(self) -> Carried:
        """Return what the account takes into the next day, once it is stopped; what is left of the day is played."""
        assert self.exchange is not None
        self.exchange.run(self.exchange.closes)
        return collect(self.exchange)

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
        self._loop.set_exception_handler(_teller())
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
            self.exchange = Exchange(self.config, self._carried)
            return Service(self.exchange, self._failed)
        state = stack.enter_context(State(self.config.state, self._progress))
        self.exchange, api = state.open(self.config)
        return Service(self.exchange, self._failed, api, state)


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
