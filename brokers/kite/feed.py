"""Market data over our own asyncio WebSocket client: up to three connections that keep themselves alive.

Liveness is by data: a connection from which nothing comes, heartbeats included, is dropped and made anew. Pings
alone do not count, for a server that answers them may still have forgotten its subscribers. Decoding happens
elsewhere (`compiled/frames.py`). All waiting is on the event loop's clock; `clock` only stamps what is received.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, Literal

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
    WSServerHandshakeError,
)

from brokers.kite.outcome import SessionExpired
from engine.errors import OperatorError
from engine.ports import Clock, FeedSink

PER_CONNECTION: Final = 3_000
CONNECTIONS: Final = 3
"""Kite's limits: tokens per connection, connections per API key."""

_BATCH: Final = 500
_HANDSHAKE: Final = 10.0
_TEXT_LIMIT: Final = 300


Socket = ClientWebSocketResponse[Literal[False]]
"""A socket whose text stays bytes, so that broken UTF-8 is ours to judge."""


class Connection:
    """One connection: the tokens it serves, and its socket while it has one."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tokens: dict[int, None] = {}
        self.wanted = asyncio.Event()
        self.socket: Socket | None = None
        self.failures = 0


class KiteFeed:
    """Kite's WebSocket at `ws`, as `engine.ports.Feed`: full mode, at most 9,000 tokens on one to three connections.

    After `stale_after` seconds without a message a connection is dropped (infinity: never, for an exchange whose
    clock may stand still); every `ping_every` seconds of silence it is pinged. Reconnection waits `first_delay`
    seconds, doubled with each failure up to `longest_delay`, half of it drawn from `rng`. On a dead token (HTTP 403)
    it tells the sink, calls `on_token_death` and ends `run`: only a new token can help.
    """

    def __init__(
        self,
        ws: str,
        api_key: str,
        access_token: str,
        clock: Clock,
        *,
        rng: random.Random,
        stale_after: float = 10.0,
        ping_every: float = 4.0,
        first_delay: float = 0.5,
        longest_delay: float = 30.0,
        per_connection: int = PER_CONNECTION,
        on_token_death: Callable[[], None] | None = None,
    ) -> None:
        self.frames_received = 0
        self._ws = ws
        self._secrets = {"api_key": api_key, "access_token": access_token}
        self._clock = clock
        self._rng = rng
        self._stale_after = stale_after
        self._ping_every = ping_every
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._per_connection = per_connection
        self._on_token_death = on_token_death
        self._connections = [Connection(number) for number in range(1, CONNECTIONS + 1)]
        self._connections[0].wanted.set()  # it brings the order updates even where no token is asked for
        self._placed: set[int] = set()
        self._up = False

    async def run(self, sink: FeedSink) -> None:
        """Connect, subscribe, deliver, and reconnect until cancelled, or until the token is dead."""
        dead = False
        try:
            async with ClientSession(timeout=ClientTimeout(total=None)) as session, asyncio.TaskGroup() as group:
                for connection in self._connections:
                    group.create_task(self._keep(connection, session, sink))
        except* SessionExpired as expired:
            dead = True
            sink.notice("alarm", str(expired.exceptions[0]))
        finally:
            self._link(sink)
        if dead and self._on_token_death is not None:
            self._on_token_death()

    async def subscribe(self, tokens: Iterable[int]) -> None:
        """Subscribe these tokens in full mode, now and after each reconnect; raise `OperatorError` over the limit."""
        new = [token for token in dict.fromkeys(map(int, tokens)) if token not in self._placed]
        limit = CONNECTIONS * self._per_connection
        if len(self._placed) + len(new) > limit:
            raise OperatorError(
                f"Kite serves {limit} instruments at most; {len(self._placed) + len(new)} are asked for"
            )
        self._placed.update(new)
        for connection in self._connections:
            room = self._per_connection - len(connection.tokens)
            part, new = new[:room], new[room:]
            if part:
                connection.tokens.update(dict.fromkeys(part))
                connection.wanted.set()
                await _ask(connection.socket, part)

    async def _keep(self, connection: Connection, session: ClientSession, sink: FeedSink) -> None:
        await connection.wanted.wait()
        while True:
            why = await self._live(connection, session, sink)
            self._link(sink)
            delay = self._delay(connection.failures)
            connection.failures += 1
            sink.notice("warn", f"feed connection {connection.number}: {why}; next try in {delay:.1f} s")
            await asyncio.sleep(delay)

    def _delay(self, failures: int) -> float:
        longest = min(self._longest_delay, self._first_delay * 2.0 ** min(failures, 30))
        return longest * (0.5 + 0.5 * self._rng.random())

    def _link(self, sink: FeedSink) -> None:
        up = all(each.socket is not None for each in self._connections if each.wanted.is_set())
        if up != self._up:
            self._up = up
            sink.link(up)

    async def _live(self, connection: Connection, session: ClientSession, sink: FeedSink) -> str:
        """Serve one connection from handshake to end, and return what ended it."""
        stale = None if self._stale_after == float("inf") else self._stale_after
        silence, late = asyncio.timeout(_HANDSHAKE), "no answer"
        try:
            async with silence, self._opened(connection, session) as socket:
                silence.reschedule(_after(stale))
                late = f"silent for {self._stale_after:g} s"
                await _ask(socket, list(connection.tokens))
                self._link(sink)
                async for message in socket:
                    if message.type == WSMsgType.ERROR:
                        return f"broken ({type(message.data).__name__})"
                    silence.reschedule(_after(stale))
                    connection.failures = 0
                    self._deliver(message.type, message.data, sink)
                return f"closed by the server ({socket.close_code})"
        except TimeoutError:
            return late
        except WSServerHandshakeError as error:  # its text holds the URL, and so the token
            if error.status == 403:
                raise SessionExpired from None
            return f"refused with HTTP {error.status}"
        except (ClientError, OSError) as error:
            return type(error).__name__

    @asynccontextmanager
    async def _opened(self, connection: Connection, session: ClientSession) -> AsyncIterator[Socket]:
        async with session.ws_connect(
            self._ws,
            params=self._secrets,
            headers={"X-Kite-Version": "3"},
            heartbeat=self._ping_every,
            timeout=ClientWSTimeout(ws_close=1.0),
            decode_text=False,
        ) as socket:
            connection.socket = socket
            try:
                yield socket
            finally:
                connection.socket = None

    def _deliver(self, kind: WSMsgType, data: bytes, sink: FeedSink) -> None:
        if kind == WSMsgType.BINARY:
            self.frames_received += len(data) != 1
            if len(data) > 1:
                sink.frame(data, self._clock.now())
        elif kind == WSMsgType.TEXT:
            self.frames_received += 1
            _tell(data, sink)


def _after(seconds: float | None) -> float | None:
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


async def _ask(socket: Socket | None, tokens: list[int]) -> None:
    """Ask for tokens in full mode; where there is no socket, or it dies, the next connection asks."""
    if socket is None:
        return
    for first in range(0, len(tokens), _BATCH):
        part = tokens[first : first + _BATCH]
        try:
            await socket.send_str(json.dumps({"a": "subscribe", "v": part}))
            await socket.send_str(json.dumps({"a": "mode", "v": ["full", part]}))
        except (ClientError, OSError):
            return


def _tell(text: bytes, sink: FeedSink) -> None:
    """Pass on a text frame; what is not understood is let go, for text never carries prices."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return
    kind, data = message["type"], message.get("data")
    if kind == "order" and isinstance(data, dict) and data.get("order_id"):
        sink.hint(str(data["order_id"]))
    elif kind in {"error", "message"} and data:
        sink.notice("warn" if kind == "error" else "info", " ".join(str(data).split())[:_TEXT_LIMIT])
