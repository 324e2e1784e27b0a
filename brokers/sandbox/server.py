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

from brokers.sandbox import kite_times
from brokers.sandbox.account.carried_account import CarriedAccount
from brokers.sandbox.api import access_checks, admin_key
from brokers.sandbox.api.admin_routes import ADVANCE, PACE, is_admin
from brokers.sandbox.api.fault_responses import refusal_response
from brokers.sandbox.api.kite_routes import SandboxApi
from brokers.sandbox.api.routing import NO_ROUTE
from brokers.sandbox.clients.client_connection import HEARTBEAT, ClientConnection
from brokers.sandbox.clients.postback_sender import post_updates
from brokers.sandbox.config import LOOPBACK, SandboxConfig, SandboxEndpoint
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.faults import SOCKET
from brokers.sandbox.http import (
    SandboxApiError,
    SandboxRequest,
    SandboxResponse,
    invalid,
    parse_json,
)
from brokers.sandbox.overnight import collect_account
from brokers.sandbox.state import Progress, SandboxStateFile
from compiled.model.values import SECOND
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
"""Connections at a time, or half as many as files may be open.

Beyond them the oldest that has not authenticated makes room.
"""
QUIET_SECONDS = 60.0
ACCEPTED = 10
"""Connections taken in one turn of the loop."""
IDLE_SECONDS = 60.0
"""How long a connection may be silent between two requests, or within the first line of one."""
BODY_SECONDS = 10.0
LONGEST_TURN = 0.1
"""Seconds the market may move before a waiting request is answered."""
LONGEST_SLEEP = 0.25
"""Seconds; a request may have put something on the agenda meanwhile."""
READER_TURNS = 6
"""Turns of the loop before time moves.

A subscription sent before the call has arrived, and its reader goes first.
"""


@final
class VirtualClockDriver:
    """Wall time turned into virtual time; in lockstep it does nothing."""

    def __init__(self, exchange: SandboxExchange, wall: Callable[[], float]) -> None:
        self._exchange = exchange
        self._wall = wall
        self._began = wall()
        self._origin = exchange.now
        self._speed = exchange.config.speed

    def catch_up(self) -> None:
        """Let everything happen that is due by now.

        Where that takes too long, time slows down instead. After the day nothing happens any more,
        and time still passes.
        """
        exchange, begin = self._exchange, self._wall()
        if self._speed is None:
            return
        if exchange.clock_stands:
            # moved along, so that time goes on from here
            self._began = begin - (exchange.now - self._origin) / SECOND / self._speed
            return
        due = self._origin + int((begin - self._began) * self._speed * SECOND)
        while not exchange.is_over and exchange.next_instant() <= due:
            exchange.run(exchange.next_instant())
            if self._wall() - begin > LONGEST_TURN:
                self._began += (due - exchange.now) / SECOND / self._speed
                return
        exchange.run(due)

    async def run(self, wake: Callable[[], None]) -> None:
        """Drive the market until the day is over."""
        if self._speed is None:
            return
        while not self._exchange.is_over:
            due = (self._exchange.next_instant() - self._origin) / SECOND / self._speed
            await asyncio.sleep(min(LONGEST_SLEEP, max(0.0, due - (self._wall() - self._began))))
            self.catch_up()
            wake()


@final
class SandboxService:
    """One exchange behind one port: REST, WebSocket and admin routes.

    `on_failure` is called when the market breaks; a failure within a request concerns its sender
    alone, and ends as 500.
    """

    def __init__(
        self,
        exchange: SandboxExchange,
        on_failure: Failure,
        api: SandboxApi | None = None,
        state: SandboxStateFile | None = None,
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
        self._api = api or SandboxApi(exchange)
        self._state = state
        self._posting: asyncio.Task[None] | None = None
        self._wakers: dict[ClientConnection, asyncio.Event] = {}
        self._leaders: set[web.WebSocketResponse] = set()
        """The socket that advances the clock."""
        self._pace: VirtualClockDriver | None = None
        self._pacing: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> SandboxEndpoint:
        """Listen and let time run; raise `BusyError` when the port is taken."""
        config, session = self.exchange.config, self.exchange.session
        # its middlewares would be kept, and the exchange with them, after the end
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer_safely)
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
                self._accept_visitor, config.host, config.port, backlog=ACCEPTED
            )
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise BusyError(
                    f"port {config.port} on {config.host} is taken; name another or 0 for any"
                ) from error
            raise BusyError(
                f"cannot listen on {config.host}:{config.port}: {error.strerror}"
            ) from error
        port = self._port = self._listener.sockets[0].getsockname()[1]
        self._key_file = admin_key.write_key(port, self.key)
        host = f"[{config.host}]" if ":" in config.host else config.host
        self._pace = VirtualClockDriver(self.exchange, asyncio.get_running_loop().time)
        self._pacing = asyncio.create_task(self._pace.run(self._wake_senders))
        if self.exchange.clients.postbacks is not None:
            self._posting = asyncio.create_task(
                post_updates(config.postback, self.exchange.clients.postbacks)
            )
        return SandboxEndpoint(
            rest=f"http://{host}:{port}",
            ws=f"ws://{host}:{port}",
            api_key=session.api_key,
            api_secret=session.api_secret,
            access_token=session.access_token,
            user_id=session.user_id,
            admin=self.key,
        )

    def _accept_visitor(self) -> asyncio.Protocol:
        """Take a connection; where there are too many, the oldest of a stranger makes room."""
        assert self._runner is not None
        assert self._runner.server is not None
        crowd = self._runner.server.connections
        self._known.intersection_update(crowd)
        if len(crowd) >= min(MOST_VISITORS, _open_file_limit() // 2):
            strangers = (each for each in crowd if each not in self._known)
            for oldest in islice(strangers, 1):
                oldest.force_close()
        return self._runner.server()

    async def finish(self) -> None:
        """Return when the clock has stopped by itself, never in lockstep; raise what stopped it."""
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
        self._remember_progress(last=True)
        for connection, waker in self._wakers.items():
            connection.close_requested = True
            waker.set()
        for leader in [*self._leaders]:
            await leader.close(code=WSCloseCode.GOING_AWAY)
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._key_file is not None:
            self._key_file.unlink(missing_ok=True)

    def _remember_progress(self, *, last: bool = False) -> None:
        if self._state is not None:
            self._state.remember_time(self.exchange.config.date, self.exchange.now)
            self._state.remember_prices(self.exchange, last=last)

    def _wake_senders(self) -> None:
        self._remember_progress()
        for connection, waker in self._wakers.items():
            if connection.outbox or connection.close_requested:
                waker.set()

    async def _answer_safely(self, request: web.Request) -> web.StreamResponse:
        """Turn a refusal into its body, and an unforeseen error into one.

        Neither concerns anybody but the sender.
        """
        try:
            return await self._answer_request(request)
        except SandboxApiError as error:
            return self._http_response(error.response())
        except web.HTTPException as error:
            return self._http_response(
                SandboxApiError(error.status, "GeneralException", error.reason).response()
            )
        except ConnectionError:
            raise
        except Exception:  # one request that breaks must not cost the others their exchange
            self._logged += 1
            if self._logged <= MOST_LOGGED:
                LOG.exception("%s %.100r", request.method, request.path)
            socket: web.WebSocketResponse | None = request.get(UPGRADED)
            if socket is not None:  # an HTTP answer has no place on it any more
                await socket.close(code=WSCloseCode.INTERNAL_ERROR)
                return socket
            return self._http_response(
                SandboxApiError(500, "GeneralException", "Something went wrong.").response()
            )

    async def _answer_request(self, http: web.Request) -> web.StreamResponse:
        exchange, authorization = self.exchange, http.headers.get("Authorization", "")
        access_checks.check_visitor(
            http.method, http.path, http.headers, self._port, exchange.config.host
        )
        admin = is_admin(http.path)
        if admin and http.remote not in LOOPBACK:
            raise NO_ROUTE
        if admin:
            access_checks.check_key(authorization, self.key)
        if admin or exchange.session.admits(authorization):
            self._known.add(http.protocol)
        # the market comes to this instant first: a request meets the books of its own time
        self._run_guarded(self._catch_up)
        if http.headers.get("Upgrade", "").lower() == "websocket":
            return await (
                self._serve_pace_socket(http) if http.path == PACE else self._serve_stream(http)
            )
        request = await _read_request(http)
        if request.path == ADVANCE:
            await _readers_first()
        response = self._api_response(request)
        self._wake_senders()
        if response.hold:
            await asyncio.sleep(response.hold)
        if response.cut is not None:
            return await _send_torn(http, response, response.cut)
        return self._http_response(response)

    def _catch_up(self) -> None:
        assert self._pace is not None
        self._pace.catch_up()

    def _api_response(self, request: SandboxRequest) -> SandboxResponse:
        """Answer; a clock that breaks while it is advanced concerns its owner, who has the key."""
        answer = partial(self._api.respond, request)
        return self._run_guarded(answer) if is_admin(request.path) else answer()

    def _run_guarded(self, move: Callable[[], T]) -> T:
        """Do work that moves the market; where that breaks, call `on_failure`."""
        try:
            return move()
        except Exception as error:
            self.on_failure("sandbox", error)
            raise

    def _http_response(self, response: SandboxResponse) -> web.Response:
        headers = {
            "Content-Type": response.content_type,
            "Date": kite_times.http_date(self.exchange.stamp),
        }
        if response.location:
            headers["Location"] = response.location
        return web.Response(status=response.status, body=response.content, headers=headers)

    async def _serve_stream(self, http: web.Request) -> web.StreamResponse:
        exchange = self.exchange
        fault = exchange.faults.strike(SOCKET, "GET /", dict(http.query), exchange.now)
        if fault is not None:
            return self._http_response(refusal_response(fault))
        if not {"api_key", "access_token"} <= http.query.keys():
            raise invalid("Missing or empty field `api_key` or `access_token`")
        if not exchange.session.is_valid_pair(
            http.query.get("api_key", ""), http.query.get("access_token", "")
        ):
            raise SandboxApiError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        self._known.add(http.protocol)
        # before the handshake: one connection too many is refused by an HTTP answer
        connection, waker = exchange.connect(), asyncio.Event()
        socket = web.WebSocketResponse(autoping=True)
        try:
            await socket.prepare(http)
        except BaseException:
            exchange.clients.disconnect(connection)
            raise
        http[UPGRADED] = socket
        self._wakers[connection] = waker
        sender = asyncio.create_task(self._send_outbox(http, socket, connection, waker))
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

    async def _serve_pace_socket(self, http: web.Request) -> web.StreamResponse:
        """Let the leader of the clock advance it over one socket."""
        http[UPGRADED] = socket = web.WebSocketResponse()
        await socket.prepare(http)
        self._leaders.add(socket)
        try:
            async for message in socket:
                await _readers_first()
                response = self._api_response(
                    SandboxRequest("POST", ADVANCE, body=_parsed_json(message.data))
                )
                self._wake_senders()
                await socket.send_str(response.content.decode())
        finally:
            self._leaders.discard(socket)
        return socket

    async def _send_outbox(
        self,
        http: web.Request,
        socket: web.WebSocketResponse,
        connection: ClientConnection,
        waker: asyncio.Event,
    ) -> None:
        paced = self.exchange.config.speed is not None
        while not connection.close_requested:
            while connection.outbox:
                message = connection.outbox.popleft()
                await (
                    socket.send_str(message)
                    if isinstance(message, str)
                    else socket.send_bytes(message)
                )
            # before it waits: what is queued from here on wakes it
            waker.clear()
            try:
                await asyncio.wait_for(
                    waker.wait(), self.exchange.config.choices.heartbeat if paced else None
                )
            except TimeoutError:
                if not self.exchange.faults.is_silent(self.exchange.now):
                    await socket.send_bytes(HEARTBEAT)
        if connection.abort_requested and http.transport is not None:
            http.transport.abort()
        await socket.close(code=WSCloseCode.GOING_AWAY)


def _loop_exception_handler() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return a handler that notes uncaught errors.

    Visitors who cannot be let in are one log line a minute.
    """
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


def _open_file_limit() -> int:
    """Return how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


async def _readers_first() -> None:
    """Let the readers of sockets take what has arrived before time moves."""
    for _ in range(READER_TURNS):
        await asyncio.sleep(0)


def _parsed_json(text: object) -> object:
    try:
        return parse_json(text) if isinstance(text, str) else None
    except ValueError:
        return None


async def _read_request(http: web.Request) -> SandboxRequest:
    """Read a request; raise `SandboxApiError` for a body unreadable, too large, or missing."""
    form: dict[str, str] = {}
    body: object = None
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise SandboxApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "InputException", "The request is too large."
        ) from None
    except TimeoutError:
        raise SandboxApiError(
            HTTPStatus.REQUEST_TIMEOUT, "InputException", "The request does not end."
        ) from None
    except web.RequestPayloadError:
        raise invalid("Invalid body.") from None
    if http.content_type.startswith("multipart/"):  # Kite takes none
        raise invalid("Invalid body.")
    try:
        if http.content_type == "application/json" and raw:
            body = parse_json(raw)
        else:
            form = dict(parse_qsl(raw.decode(), keep_blank_values=True))
    except ValueError:
        raise invalid("Invalid body.") from None
    return SandboxRequest(
        http.method,
        http.path,
        query=list(http.query.items()),
        form=form,
        body=body,
        authorization=http.headers.get("Authorization", ""),
    )


async def _send_torn(http: web.Request, response: SandboxResponse, cut: int) -> web.StreamResponse:
    """Send the first bytes of an answer, or nothing at all, and break the connection."""
    torn = web.StreamResponse(
        status=response.status or 200, headers={"Content-Type": response.content_type}
    )
    if cut >= 0:
        torn.content_length = len(response.content)
        await torn.prepare(http)
        await torn.write(response.content[:cut])
    if http.transport is not None:
        http.transport.close()
    return torn


@final
class Sandbox:
    """A sandbox in a thread of its own, or in the foreground.

    `progress` is called while a day is played again. `carried` is its account from the day before,
    where no `state` file of the configuration has one.
    """

    def __init__(
        self,
        config: SandboxConfig | None = None,
        progress: Progress | None = None,
        carried: CarriedAccount | None = None,
    ) -> None:
        self.config = config or SandboxConfig()
        self._carried = carried
        self.exchange: SandboxExchange | None = None
        """Its endpoint, once it is started."""
        self._progress = progress
        self.endpoint: SandboxEndpoint | None = None
        self.on_failure: Failure | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None

    def start(self) -> SandboxEndpoint:
        """Start in a thread and return the endpoint.

        Raise `BusyError`, `ConfigError` or `DataError`.
        """
        self._ready.clear()
        self._error = None
        self._thread = threading.Thread(target=self._thread_main, name="sandbox", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise ConnectionFailed(f"the sandbox did not start within {START_SECONDS:.0f} s")
        return self._started_endpoint(self._thread)

    def _started_endpoint(self, thread: threading.Thread) -> SandboxEndpoint:
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

    def evening_account(self) -> CarriedAccount:
        """Return the account for the next day, once it is stopped.

        The rest of the day is played.
        """
        assert self.exchange is not None
        self.exchange.run(self.exchange.closes)
        return collect_account(self.exchange)

    def serve_forever(self, started: Callable[[SandboxEndpoint], None] | None = None) -> None:
        """Serve in the calling thread until it is interrupted.

        `started` is called with the endpoint.
        """
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self._serve_exchange(started))

    def _thread_main(self) -> None:
        try:
            asyncio.run(self._serve_exchange(None))
        except BaseException as error:  # noqa: BLE001 a thread's main: nothing dies quietly
            if not self._ready.is_set():
                self._error = error
            elif self.on_failure is not None:
                self.on_failure("sandbox", error)
        finally:
            self._ready.set()

    def _report_failure(self, name: str, error: BaseException) -> None:
        if self.on_failure is not None:
            self.on_failure(name, error)
        elif self._loop is not None:
            self._loop.call_exception_handler({"message": name, "exception": error})

    async def _serve_exchange(self, started: Callable[[SandboxEndpoint], None] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._loop.set_exception_handler(_loop_exception_handler())
        with contextlib.ExitStack() as stack:
            service = self._make_service(stack)
            self.endpoint = await service.start()
            if started is not None:
                started(self.endpoint)
            self._ready.set()
            try:
                await _wait_first(self._stopping.wait(), service.finish())
            finally:
                await service.stop()

    def _make_service(self, stack: contextlib.ExitStack) -> SandboxService:
        if self.config.state is None:
            self.exchange = SandboxExchange(self.config, self._carried)
            return SandboxService(self.exchange, self._report_failure)
        state = stack.enter_context(SandboxStateFile(self.config.state, self._progress))
        self.exchange, api = state.open_exchange(self.config)
        return SandboxService(self.exchange, self._report_failure, api, state)


async def _wait_first(*waits: Awaitable[object]) -> None:
    """Return when one of these has; raise what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
