"""What clients hear: tick frames and order updates, on every connection, through the faults."""

import struct
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, final

from brokers.sandbox.agenda import Agenda
from brokers.sandbox.choices import Choices
from brokers.sandbox.faults import TICKS, UPDATES, Faults
from brokers.sandbox.stream import Connection, Tokens
from brokers.sandbox.wire import ApiError
from compiled.model import SECOND, Tick

POISON: Final = struct.pack(">HH", 3, 184) + b"\xff" * 40
"""A frame that promises three packets and breaks off inside the first."""
SOFT_CONNECTIONS = 3
MOST_CONNECTIONS = 20
HELD_SECONDS = 2.0
DELAY_SECONDS = 1.0


@final
class Broadcast:
    """Every connection of the account's clients."""

    def __init__(self, tokens: Tokens, faults: Faults, agenda: Agenda, choices: Choices, *, conflate: bool) -> None:
        self.connections: list[Connection] = []
        self.postbacks: list[Mapping[str, object]] | None = None
        """Order updates for the app's postback address, where it has one; who sends them takes them out."""
        self._tokens = tokens
        self._faults = faults
        self._agenda = agenda
        self._choices = choices
        self._conflate = conflate
        self._gone = 0
        self._held: dict[str, list[Callable[[], None]]] = {TICKS: [], UPDATES: []}

    @property
    def sent(self) -> int:
        """Return the messages sent so far on all connections, heartbeats left out."""
        return self._gone + sum(connection.sent for connection in self.connections)

    @property
    def waiting(self) -> bool:
        """Tell whether a client is owed its first ticks."""
        return any(connection.waiting for connection in self.connections)

    @property
    def wanted(self) -> set[int]:
        """Return every token that somebody subscribes."""
        return set().union(*(connection.tokens for connection in self.connections))

    @property
    def heard(self) -> bool:
        """Tell whether anybody listens to order updates."""
        return bool(self.connections) or self.postbacks is not None

    def connect(self) -> Connection:
        """Open a client connection; raise `ApiError` where there are far too many."""
        if len(self.connections) >= MOST_CONNECTIONS:
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "NetworkException", "Too many requests")
        connection = Connection(self._tokens, self._choices, conflate=self._conflate)
        if len(self.connections) >= SOFT_CONNECTIONS:
            connection.text({"type": "error", "data": f"More than {SOFT_CONNECTIONS} connections with one api_key."})
        self.connections.append(connection)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Forget a client; what it did not take was never sent."""
        connection.abandon()
        self._gone += connection.sent
        self.connections.remove(connection)

    def close(self) -> None:
        """End every connection with a closing handshake."""
        for connection in self.connections:
            connection.closing = True

    def say(self, text: str) -> None:
        """Send a notice of the broker to everybody."""
        for connection in self.connections:
            connection.text({"type": "message", "data": text})

    def update(self, data: Mapping[str, object], now: int) -> None:
        """Send an order update."""

        def send() -> None:
            for connection in self.connections:
                connection.text({"type": "order", "data": data})
            if self.postbacks is not None:
                self.postbacks.append(data)

        self._deliver(UPDATES, f"{data['order_id']} {data['status']}", data, send, now)

    def ticks(self, changed: Mapping[int, Tick], now: int) -> None:
        """Send what changed, and what is newly subscribed."""

        def send() -> None:
            for connection in self.connections:
                connection.ticks(changed, now)

        if changed or self.waiting:
            self._deliver(TICKS, "ticks", {}, send, now)

    def _deliver(
        self, occasion: str, text: str, fields: Mapping[str, object], send: Callable[[], None], now: int
    ) -> None:
        if not self._faults:
            send()
            return
        if self._faults.silent(now):
            return
        fault = self._faults.strike(occasion, text, fields, now)
        kind = fault.kind if fault else ""
        if fault is None:
            send()
        elif kind == "delay":
            self._agenda.add(now + int(fault.after(DELAY_SECONDS) * SECOND), send)
        elif kind == "reorder":
            self._held[occasion].append(send)
            self._agenda.add(now + int(fault.after(HELD_SECONDS) * SECOND), lambda: self._release(occasion))
            return
        elif kind == "duplicate":
            send()
            send()
        elif kind == "poison":
            send()
            self._poison()
        elif kind == "close":
            self._abort()
        self._release(occasion)

    def _release(self, occasion: str) -> None:
        held, self._held[occasion] = self._held[occasion], []
        for send in held:
            send()

    def _poison(self) -> None:
        for connection in self.connections:
            connection.frame(POISON)

    def _abort(self) -> None:
        for connection in self.connections:
            connection.broken = True
            connection.closing = True
