"""Market data over our own asyncio WebSocket client.

It keeps up to three connections alive.

Liveness is by data: a connection from which nothing comes, heartbeats included, is dropped and made
anew. Pings alone do not count, for a server that answers them may still have forgotten its
subscribers; where heartbeats come but no ticks, its tokens are asked for again. All waiting is on
the event loop's clock; `clock` only stamps what is received.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Final, Literal

import certifi
from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
    TCPConnector,
    TraceConfig,
    TraceRequestRedirectParams,
    WSMsgType,
    WSServerHandshakeError,
)

from brokers.backfill.feed_gaps import FeedGap
from brokers.kite.call_outcome import SessionExpired
from brokers.kite.packet_conflation import PacketConflation
from brokers.kite.silent_tokens import SilentTokens
from compiled.adapters.kite_frames import FrameDecoder
from engine.config import addresses
from engine.errors import OperatorError
from engine.history.feed_recording import COUNT, RecordKind
from engine.ports import Clock, FeedRecord, FeedSink
from engine.texts import valid_text

PER_CONNECTION: Final = 3_000
CONNECTIONS: Final = 3
"""Kite's limits: tokens per connection, connections per API key."""
MODES: Final = ("full", "quote", "ltp")

_BATCH: Final = 500
_HANDSHAKE: Final = 10.0
_TEXT_LIMIT: Final = 300
_BEAT: Final = 0.05
"""Seconds between two looks at how late the event loop runs."""
_DRAIN: Final = 0.001, 0.1
"""Seconds without a new frame after which held ones are released, and the longest they are held."""


Socket = ClientWebSocketResponse[Literal[False]]
"""A socket with texts left as bytes, so that broken UTF-8 is ours to judge."""


class FeedConnection:
    """A connection: the tokens it serves, its socket while it has one, and its last message."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tokens: dict[int, str] = {}
        """Token → mode."""
        self.wanted = asyncio.Event()
        self.socket: Socket | None = None
        self.failures = 0
        self.silence = SilentTokens()
        self.heard_at = 0
        """ns UTC of the last market data, 0 before the first."""
        self.ticked_at, self.asked_at = 0.0, 0.0
        """Loop time of the last data, and of the last request for some."""
        self.unanswered = 0
        self.closing: asyncio.Future[bool] | None = None


class KiteFeed:
    """Kite's WebSocket at `ws`, as `engine.ports.Feed`.

    It serves at most 9,000 tokens on one to three connections.

    After `dead_after` seconds without a message a connection is dropped (infinity: never, for an
    exchange whose clock may stand still); every `ping_every` seconds of silence it is pinged.
    Reconnection waits `first_delay` seconds, doubled with each failure up to `longest_delay`, half
    of it drawn from `rng`. Tokens without a tick for `ask_after` seconds after they were asked for,
    and all those of a connection without any tick for so long, are asked for again. On a dead token
    (HTTP 403) it notifies the sink, calls `on_token_death`, and waits for `renew` if it is
    `renewable`, else ends `run`.

    When the event loop runs more than `late_after` seconds late, frames are held until the sockets
    are empty and only the newest packet of each token goes on; `conflation` counts the others.
    `on_gap` is called with each token's silence after a lost connection, when it ends. `user_id`
    goes into the address where there is one. A redirect is not followed, for the address holds the
    token. Proxies and CA files that the environment names count only with `environment`. With an
    infinite `dead_after` nothing is held and nothing asked for again. `record` is handed every
    message.
    """

    def __init__(
        self,
        ws: str,
        api_key: str,
        access_token: str,
        clock: Clock,
        *,
        rng: random.Random,
        dead_after: float = 10.0,
        ping_every: float = 4.0,
        first_delay: float = 0.5,
        longest_delay: float = 30.0,
        per_connection: int = PER_CONNECTION,
        on_token_death: Callable[[], None] | None = None,
        renewable: bool = False,
        ask_after: float = 30.0,
        late_after: float = 0.05,
        on_gap: Callable[[Sequence[FeedGap]], None] | None = None,
        user_id: str = "",
        environment: bool = False,
        record: FeedRecord | None = None,
    ) -> None:
        self.frames_received = 0
        self.conflation = PacketConflation()
        self._decoder = FrameDecoder()
        self._ws = ws
        self._secrets = {"api_key": api_key, "access_token": access_token} | (
            {"user_id": user_id} if user_id else {}
        )
        self._clock = clock
        self._rng = rng
        self._dead_after = dead_after
        self._ping_every = ping_every
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._per_connection = per_connection
        self._on_token_death = on_token_death
        self._renewable = renewable
        self._environment = environment
        self._renewed = asyncio.Event()
        self._ask_after = ask_after
        self._late_after = late_after
        self._on_gap = on_gap
        self._record = record
        self._holding = False
        self._due = float("inf")
        """Loop time at which `_watch_lateness` looks next; past it, the event loop runs late."""
        self._connections = [FeedConnection(number) for number in range(1, CONNECTIONS + 1)]
        # it brings the order updates even where no token is asked for
        self._connections[0].wanted.set()
        self._placed: set[int] = set()
        self._up = False

    async def run(self, sink: FeedSink) -> None:
        """Connect, subscribe, deliver, and reconnect until cancelled or left with a dead token."""
        await self._run_connections(sink)
        while self._renewable:
            await self._renewed.wait()
            await self._run_connections(sink)

    def renew(self, access_token: str) -> None:
        """Go on with another access token: every connection is made anew, on the event loop."""
        self._secrets["access_token"] = access_token
        self._renewed.set()
        for connection in self._connections:
            if connection.socket is not None:
                # Kept, or the event loop would let go of a task that is still at work.
                connection.closing = asyncio.ensure_future(connection.socket.close())

    async def _run_connections(self, sink: FeedSink) -> None:
        """Run the connections; return when their token is dead."""
        try:
            async with self._client_session() as session, asyncio.TaskGroup() as group:
                for connection in self._connections:
                    group.create_task(self._keep_connected(connection, session, sink))
                if self._dead_after != float("inf"):
                    group.create_task(self._watch_lateness(sink))
        except* SessionExpired as expired:
            sink.notice("alarm", str(expired.exceptions[0]))
        finally:
            self._report_link(sink)
        if self._on_token_death is not None:
            self._on_token_death()

    def _client_session(self) -> ClientSession:
        straight = TraceConfig()
        straight.on_request_redirect.append(_refuse_redirect)
        # The environment could name an authority of its own, and so read the token.
        trusted = (
            True if self._environment or not self._ws.startswith("wss:") else _public_authorities()
        )
        return ClientSession(
            connector=TCPConnector(ssl=trusted),
            # a socket lasts the day; its silence is bounded in `_serve_connection`
            timeout=ClientTimeout(total=None),
            trace_configs=[straight],
            trust_env=self._environment and not addresses.are_local(self._ws),
        )

    async def subscribe(self, tokens: Iterable[int], mode: str = "full") -> None:
        """Subscribe these tokens in a mode, now and after each reconnect.

        Raise `OperatorError` over the limit.
        """
        wanted = list(dict.fromkeys(map(int, tokens)))
        new = [token for token in wanted if token not in self._placed]
        # Before the limit is checked: what is there already needs no room.
        for connection in self._connections:
            await self._change_mode(
                connection,
                [token for token in wanted if connection.tokens.get(token, mode) != mode],
                mode,
            )
        limit = CONNECTIONS * self._per_connection
        if len(self._placed) + len(new) > limit:
            raise OperatorError(
                f"Kite serves {limit} instruments at most; {len(self._placed) + len(new)} are "
                "asked for"
            )
        self._placed.update(new)
        for connection in self._connections:
            room = self._per_connection - len(connection.tokens)
            part, new = new[:room], new[room:]
            if part:
                connection.tokens.update(dict.fromkeys(part, mode))
                connection.silence.expect(part, 0)
                connection.wanted.set()
                await self._send_subscription(connection, part)

    async def unsubscribe(self, tokens: Iterable[int]) -> None:
        """Bring these tokens no longer, now and after each reconnect."""
        gone = set(map(int, tokens))
        self._placed -= gone
        for connection in self._connections:
            part = [token for token in connection.tokens if token in gone]
            for token in part:
                del connection.tokens[token]
            connection.silence.forget(part)
            if part and connection.socket is not None:
                # A socket that breaks here is made anew, without them.
                with suppress(ClientError, OSError):
                    await connection.socket.send_str(json.dumps({"a": "unsubscribe", "v": part}))

    async def _change_mode(self, connection: FeedConnection, tokens: list[int], mode: str) -> None:
        """Go on with tokens that are subscribed in another mode."""
        if tokens:
            connection.tokens.update(dict.fromkeys(tokens, mode))
            await self._send_subscription(connection, tokens)

    async def _keep_connected(
        self, connection: FeedConnection, session: ClientSession, sink: FeedSink
    ) -> None:
        await connection.wanted.wait()
        while True:
            why = await self._serve_connection(connection, session, sink)
            self._record_message(RecordKind.LINK, connection, why.encode())
            self._report_link(sink)
            delay = self._reconnect_delay(connection.failures)
            connection.failures += 1
            sink.notice(
                "warn", f"feed connection {connection.number}: {why}; next try in {delay:.1f} s"
            )
            await asyncio.sleep(delay)

    def _reconnect_delay(self, failures: int) -> float:
        longest = min(self._longest_delay, self._first_delay * 2.0 ** min(failures, 30))
        # half of it at random: desks that lost the same server do not come back all at once
        return longest * (0.5 + 0.5 * self._rng.random())

    def _report_link(self, sink: FeedSink) -> None:
        up = all(each.socket is not None for each in self._connections if each.wanted.is_set())
        if up != self._up:
            self._up = up
            sink.link(up)

    async def _serve_connection(
        self, connection: FeedConnection, session: ClientSession, sink: FeedSink
    ) -> str:
        """Serve one connection from handshake to end, and return what ended it."""
        stale = None if self._dead_after == float("inf") else self._dead_after
        # As it is asked with: `renew` may put another in its place before the answer comes.
        token = self._secrets["access_token"]
        silence, late = asyncio.timeout(_HANDSHAKE), "no answer"
        try:
            async with silence, self._open_socket(connection, session) as socket:
                silence.reschedule(_loop_deadline(stale))
                late = f"silent for {self._dead_after:g} s"
                # Before anything is asked for, so that the first tick already ends a gap.
                connection.silence.expect(connection.tokens, connection.heard_at)
                connection.unanswered = 0
                await self._send_subscription(connection, list(connection.tokens))
                self._report_link(sink)
                async for message in socket:
                    if message.type == WSMsgType.ERROR:
                        return f"broken ({type(message.data).__name__})"
                    silence.reschedule(_loop_deadline(stale))
                    # with a message, not with the handshake: a server that accepts and drops would
                    # be asked without a pause
                    connection.failures = 0
                    self._deliver_message(connection, message.type, message.data, sink)
                if token != self._secrets["access_token"]:
                    return "made anew with another token"
                return f"closed by the server ({socket.close_code})"
        except TimeoutError:
            return late
        except WSServerHandshakeError as error:  # its text holds the URL, and so the token
            # a late refusal of an old token says nothing about the new one
            if error.status == 403 and token == self._secrets["access_token"]:
                self._renewed.clear()
                raise SessionExpired from None
            return f"refused with HTTP {error.status}"
        except (ClientError, OSError) as error:
            return type(error).__name__

    @asynccontextmanager
    async def _open_socket(
        self, connection: FeedConnection, session: ClientSession
    ) -> AsyncIterator[Socket]:
        async with session.ws_connect(
            self._ws,
            params=self._secrets,
            headers={"X-Kite-Version": "3"},
            heartbeat=self._ping_every,
            timeout=ClientWSTimeout(ws_close=1.0),
            # Text as bytes: what is no UTF-8 would otherwise end the connection.
            decode_text=False,
        ) as socket:
            connection.socket = socket
            self._record_message(RecordKind.LINK, connection, b"up")
            try:
                yield socket
            finally:
                connection.socket = None

    def _deliver_message(
        self, connection: FeedConnection, kind: WSMsgType, data: bytes, sink: FeedSink
    ) -> None:
        if kind == WSMsgType.BINARY:
            # one byte is a heartbeat
            self.frames_received += len(data) != 1
            if len(data) > 1:
                self._deliver_frame(connection, data, sink)
            else:
                self._record_message(RecordKind.BEAT, connection, data)
        elif kind == WSMsgType.TEXT:
            self.frames_received += 1
            self._record_message(RecordKind.TEXT, connection, data)
            _deliver_text(data, sink)

    def _deliver_frame(self, connection: FeedConnection, data: bytes, sink: FeedSink) -> None:
        now = connection.heard_at = self._clock.now()
        connection.ticked_at = asyncio.get_running_loop().time()
        # Of every frame, held or not: a gap ends when it is heard, not when the desk takes it.
        gaps = connection.silence.gaps_ended_by(data, now)
        self._holding = self._holding or connection.ticked_at > self._due + self._late_after
        if self._record is not None:
            self._record.put(
                RecordKind.HELD if self._holding else RecordKind.FRAME, connection.number, now, data
            )
        if self._holding:
            self.conflation.add(data)
        else:
            self._deliver_ticks(data, now, sink)
        # After the ticks: what is late already is not to wait for the writing down of a gap.
        if gaps and self._on_gap is not None:
            self._on_gap(gaps)

    def _deliver_ticks(self, frame: bytes, now: int, sink: FeedSink) -> None:
        ticks = self._decoder.decode(frame, 0)
        sink.ticks(ticks, now, b"" if self._decoder.whole else frame)

    def _record_message(self, kind: RecordKind, connection: FeedConnection, payload: bytes) -> None:
        if self._record is not None:
            self._record.put(kind, connection.number, self._clock.now(), payload)

    async def _watch_lateness(self, sink: FeedSink) -> None:
        """Hold frames back while the desk is behind, and ask again for what stays silent."""
        loop = asyncio.get_running_loop()
        while True:
            self._due = loop.time() + _BEAT
            await asyncio.sleep(_BEAT)
            # not due while this task is at work itself: its own turn is no lateness
            late, self._due = loop.time() - self._due, float("inf")
            if self._holding or late > self._late_after:
                await self._drain_sockets(sink)
            for connection in self._connections:
                await self._subscribe_again(connection, loop.time() - self._ask_after, sink)

    async def _drain_sockets(self, sink: FeedSink) -> None:
        """Hold frames until none comes any more, but not for long.

        Then let the newest packets go.
        """
        loop = asyncio.get_running_loop()
        pause, longest = _DRAIN
        until, before = loop.time() + longest, -1
        self._holding = True
        try:
            while loop.time() < until and self.frames_received != before:
                before = self.frames_received
                await asyncio.sleep(pause)
        finally:
            self._holding = False
            now, frames = self._clock.now(), self.conflation.release()
            if self._record is not None:
                self._record.put(RecordKind.RELEASE, 0, now, COUNT.pack(len(frames)))
            for frame in frames:
                self._deliver_ticks(frame, now, sink)

    async def _subscribe_again(
        self, connection: FeedConnection, before: float, sink: FeedSink
    ) -> None:
        """Ask for tokens silent since `before` (loop time), unless asked for since."""
        # Single tokens may be illiquid; all of a connection silent at once is a server that forgot
        # them.
        unheard = connection.silence.tokens
        tokens = unheard or (list(connection.tokens) if connection.ticked_at < before else [])
        if not tokens or connection.socket is None or connection.asked_at >= before:
            return
        connection.unanswered += 1
        # Once a connection: a share that does not trade today would be told of all day.
        if connection.unanswered == 2 and unheard:
            text = f"no tick of {len(unheard)} instruments, although they were asked for again"
            sink.notice("warn", f"feed connection {connection.number}: {text}")
        await self._send_subscription(connection, tokens)

    async def _send_subscription(self, connection: FeedConnection, tokens: list[int]) -> None:
        """Ask for tokens, each in its mode; without a socket the next connection asks."""
        connection.asked_at = asyncio.get_running_loop().time()
        socket = connection.socket
        if socket is None:
            return
        for mode, part in _subscription_batches(connection.tokens, tokens):
            try:
                await socket.send_str(json.dumps({"a": "subscribe", "v": part}))
                await socket.send_str(json.dumps({"a": "mode", "v": [mode, part]}))
            except (ClientError, OSError):
                return


class FeedRedirected(ClientConnectionError):
    """The server wants another to be asked; its address would be called with the token in it."""


async def _refuse_redirect(
    _session: object, _context: object, redirect: TraceRequestRedirectParams
) -> None:
    """Raise before a redirect is followed."""
    raise FeedRedirected(f"HTTP {redirect.response.status}")


def _public_authorities() -> SSLContext:
    """Return trust in the authorities that requests knows, whatever the environment names."""
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    return context


def _subscription_batches(
    modes: Mapping[int, str], tokens: Sequence[int]
) -> Iterator[tuple[str, list[int]]]:
    """Cut tokens into requests of one mode, the fullest first."""
    for mode in MODES:
        same = [token for token in tokens if modes[token] == mode]
        for first in range(0, len(same), _BATCH):
            yield mode, same[first : first + _BATCH]


def _loop_deadline(seconds: float | None) -> float | None:
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


def _deliver_text(text: bytes, sink: FeedSink) -> None:
    """Pass on a text frame; an unknown one is let go, for text never carries prices."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return
    kind, data = message["type"], message.get("data")
    if kind == "order" and isinstance(data, dict) and data.get("order_id"):
        sink.hint(valid_text(str(data["order_id"])))
    elif kind in {"error", "message"} and data:
        sink.notice(
            "warn" if kind == "error" else "info",
            " ".join(valid_text(str(data)).split())[:_TEXT_LIMIT],
        )
