"""The desk's hand on the sandbox's clock: time stands still while the desk has work in flight."""

from typing import Any, Self, final

import aiohttp

from brokers.sandbox.api import admin_key
from brokers.sandbox.api.access_checks import bearer_header
from brokers.sandbox.api.admin_routes import PACE
from engine.errors import ConnectionFailed

TIMEOUT = 60.0
"""Seconds one call may take; an advance through a silent stretch computes it whole."""


@final
class LockstepPacer:
    """An `engine.ports.ExchangePacer` over the sandbox's admin routes at `rest`.

    Close it when done.
    """

    def __init__(self, rest: str) -> None:
        self._rest = rest.rstrip("/")
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        """The socket over which the clock is advanced.

        A day takes thousands of steps, and a request each costs several times as much.
        """

    async def start(self) -> int:
        """Stop the clock until `advance`; return its time in ns UTC; raise `ConnectionFailed`."""
        clock = await self._call_admin("GET", "/sandbox/clock")
        if clock["speed"] is not None:
            raise ConnectionFailed(
                f"{self._rest} runs by itself at speed {clock['speed']}; start it in lockstep"
            )
        return int(clock["now"])

    async def advance(self, until: int) -> tuple[int, int, bool]:
        """Move the exchange to its next message, at the latest `until`.

        Return (time, messages sent, day over).
        """
        clock = await self._advance_over_socket({"until": int(until)})
        return int(clock["now"]), int(clock["sent"]), bool(clock["over"])

    async def sent(self) -> int:
        """Return how many WebSocket messages the exchange has sent so far (heartbeats left out)."""
        # a time that is over: nothing moves
        return int((await self._advance_over_socket({"until": 0}))["sent"])

    async def listening(self) -> int:
        """Return how many instruments are subscribed in full mode."""
        return int((await self._call_admin("GET", "/sandbox/clock"))["full"])

    async def close(self) -> None:
        """Let go of the connections."""
        if self._socket is not None:
            await self._socket.close()
            self._socket = None
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def _http_session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                headers=bearer_header(admin_key.read_key(self._rest)),
            )
        return self._http

    async def _advance_over_socket(self, body: object) -> dict[str, Any]:
        try:
            if self._socket is None or self._socket.closed:
                self._socket = await self._http_session().ws_connect(self._rest + PACE)
            await self._socket.send_json(body)
            data: dict[str, Any] = await self._socket.receive_json(timeout=TIMEOUT)
        except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError, TypeError) as error:
            raise ConnectionFailed(f"sandbox at {self._rest}: {error}") from error
        if "now" not in data:
            raise ConnectionFailed(f"sandbox at {self._rest}: {data.get('message')}")
        return data

    async def _call_admin(self, method: str, path: str) -> dict[str, Any]:
        try:
            async with self._http_session().request(
                method, self._rest + path, allow_redirects=False
            ) as answer:
                data: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ConnectionFailed(f"sandbox at {self._rest}: {error}") from error
        if answer.status != 200:
            raise ConnectionFailed(f"sandbox at {self._rest}: {data.get('message')}")
        return data
