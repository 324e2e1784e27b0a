"""Messages to clients: tick frames and order updates, on every connection, through the faults."""

import struct
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, final

from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.clients.client_connection import ClientConnection, Tokens
from brokers.sandbox.faults import TICKS, UPDATES, FaultRules
from brokers.sandbox.http import SandboxApiError
from brokers.sandbox.scheduler import ActionScheduler
from compiled.model.values import SECOND, Tick

POISON: Final = struct.pack(">HH", 3, 184) + b"\xff" * 40
"""A frame that promises three packets and breaks off inside the first."""
SOFT_CONNECTIONS = 3
MOST_CONNECTIONS = 20
HELD_SECONDS = 2.0
DELAY_SECONDS = 1.0


@final
class ClientBroadcast:
    """Every connection of the account's clients."""

    def __init__(
        self,
        tokens: Tokens,
        faults: FaultRules,
        agenda: ActionScheduler,
        choices: KiteAssumptions,
        *,
        conflate: bool,
    ) -> None:
        self.connections: list[ClientConnection] = []
        self.postbacks: list[Mapping[str, object]] | None = None
        """Order updates for the app's postback address, where it has one.

        The sender takes them out.
        """
        self._tokens = tokens
        self._faults = faults
        self._scheduler = agenda
        self._choices = choices
        self._conflate = conflate
        self._sent_by_departed = 0
        self._held: dict[str, list[Callable[[], None]]] = {TICKS: [], UPDATES: []}

    @property
    def sent(self) -> int:
        """Return the messages sent so far on all connections, heartbeats left out."""
        return self._sent_by_departed + sum(connection.sent for connection in self.connections)

    @property
    def awaits_first_tick(self) -> bool:
        """Return whether a client is owed its first ticks."""
        return any(connection.awaits_first_tick for connection in self.connections)

    @property
    def subscribed_tokens(self) -> set[int]:
        """Return every subscribed token."""
        return set().union(*(connection.tokens for connection in self.connections))

    @property
    def has_listeners(self) -> bool:
        """Return whether any client listens to order updates."""
        return bool(self.connections) or self.postbacks is not None

    def connect(self) -> ClientConnection:
        """Open a client connection; raise `SandboxApiError` where there are far too many."""
        if len(self.connections) >= MOST_CONNECTIONS:
            raise SandboxApiError(
                HTTPStatus.TOO_MANY_REQUESTS, "NetworkException", "Too many requests"
            )
        connection = ClientConnection(self._tokens, self._choices, conflate=self._conflate)
        if len(self.connections) >= SOFT_CONNECTIONS:
            connection.queue_text(
                {
                    "type": "error",
                    "data": f"More than {SOFT_CONNECTIONS} connections with one api_key.",
                }
            )
        self.connections.append(connection)
        return connection

    def disconnect(self, connection: ClientConnection) -> None:
        """Forget a client; what it did not take was never sent."""
        connection.discard_outbox()
        self._sent_by_departed += connection.sent
        self.connections.remove(connection)

    def close_connections(self) -> None:
        """End every connection with a closing handshake."""
        for connection in self.connections:
            connection.close_requested = True

    def send_notice(self, text: str) -> None:
        """Send a notice of the broker to every client."""
        for connection in self.connections:
            connection.queue_text({"type": "message", "data": text})

    def send_order_update(self, data: Mapping[str, object], now: int) -> None:
        """Send an order update."""

        def send() -> None:
            for connection in self.connections:
                connection.queue_text({"type": "order", "data": data})
            if self.postbacks is not None:
                self.postbacks.append(data)

        self._deliver_message(UPDATES, f"{data['order_id']} {data['status']}", data, send, now)

    def send_ticks(self, changed: Mapping[int, Tick], now: int) -> None:
        """Send changed ticks, and those that are newly subscribed."""

        def send() -> None:
            for connection in self.connections:
                connection.queue_ticks(changed, now)

        if changed or self.awaits_first_tick:
            self._deliver_message(TICKS, "ticks", {}, send, now)

    def _deliver_message(
        self,
        occasion: str,
        text: str,
        fields: Mapping[str, object],
        send: Callable[[], None],
        now: int,
    ) -> None:
        if not self._faults:
            send()
            return
        if self._faults.is_silent(now):
            return
        fault = self._faults.strike(occasion, text, fields, now)
        kind = fault.kind if fault else ""
        if fault is None:
            send()
        elif kind == "delay":
            self._scheduler.add(now + int(fault.seconds_or(DELAY_SECONDS) * SECOND), send)
        elif kind == "reorder":
            # behind the next message of its kind, or after its seconds where none comes
            self._held[occasion].append(send)
            self._scheduler.add(
                now + int(fault.seconds_or(HELD_SECONDS) * SECOND),
                lambda: self._release_held(occasion),
            )
            return
        elif kind == "duplicate":
            send()
            send()
        elif kind == "poison":
            send()
            self._send_poison()
        elif kind == "close":
            self._abort_connections()
        self._release_held(occasion)

    def _release_held(self, occasion: str) -> None:
        held, self._held[occasion] = self._held[occasion], []
        for send in held:
            send()

    def _send_poison(self) -> None:
        for connection in self.connections:
            connection.queue_frame(POISON)

    def _abort_connections(self) -> None:
        for connection in self.connections:
            connection.abort_requested = True
            connection.close_requested = True
