"""The end of a login: the browser's redirect on the loopback interface, or its pasted address."""

import contextlib
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TextIO
from urllib.parse import urlsplit

from engine.errors import BusyError, ConfigError, OperatorError

PAGE = "<!doctype html><meta charset=utf-8><title>patang</title><p>{}</p>"
DONE = "Logged in. You can close this window."
LOOK_SECONDS = 60.0
REQUEST_SECONDS = 5.0
"""Patience with one request; browsers open connections they never use."""
MOST_VISITORS = 32
"""Connections at a time.

Beyond them the oldest makes room, so that a silent one cannot keep the browser out.
"""


class _RedirectServer(ThreadingHTTPServer):
    """Serves every connection in a thread of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self._lines = deque[socket.socket]()
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection; end the oldest where there are too many."""
        self._lines.append(request)
        if len(self._lines) > MOST_VISITORS:
            with contextlib.suppress(OSError):
                self._lines.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that is served."""
        with contextlib.suppress(ValueError):
            self._lines.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: a connection that hangs up is no error."""


class LoginRedirect:
    """Listener at `url` that answers only the browser that comes back with `state`.

    `read` returns what such an address brings, or raises `OperatorError`. Raises `BusyError` where
    the port is taken, `ConfigError` where there is no such port. The redirect address registered
    with the broker must be this `url`.
    """

    def __init__(self, port: int, state: str, read: Callable[[str, str], str]) -> None:
        self._token = ""
        self._state = state
        self._read = read
        try:
            self._server = _RedirectServer(port, self._handler_class())
        except OverflowError:
            raise ConfigError(f"port {port}: expected 0 to 65535") from None
        except OSError as error:
            raise BusyError(
                f"port {port} is taken ({error.strerror}); name another with --port"
            ) from None
        self._told, self._teller = socket.socketpair()
        """A byte when the token has come, for it comes in another thread."""
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def wait(
        self,
        seconds: float,
        pasted: TextIO | None = None,
        tell: Callable[[str], None] = lambda _text: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> str:
        """Return the request token, from the browser or from a line of `pasted`.

        Raise `OperatorError` after `seconds`. A line without such an address is reported, and
        waiting goes on.
        """
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            watched = [
                self._server.fileno(),
                self._told.fileno(),
                *([pasted.fileno()] if pasted else []),
            ]
            ready = select.select(watched, [], [], min(left, LOOK_SECONDS))[0]
            if self._server.fileno() in ready:
                self._server.handle_request()
            elif pasted is not None and pasted.fileno() in ready:
                line = pasted.readline()
                pasted = pasted if line else None
                self._take_pasted_line(line, tell)
            if self._token:
                return self._token
        raise OperatorError(f"nobody came back from the login page within {seconds:.0f} s")

    def _take_pasted_line(self, line: str, tell: Callable[[str], None]) -> None:
        if not line.strip():
            return
        try:
            self._token = self._read(line, "")
        except OperatorError as error:
            tell(str(error))

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        redirect = self

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS

            def do_GET(self) -> None:
                status, text, token = redirect._answer_request(self.path)
                body = PAGE.format(text).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(body)
                if token:  # the browser has its page: the login may go on, and the process end
                    redirect._token = token
                    redirect._teller.send(b"!")

            def log_message(self, format: str, *_arguments: object) -> None:
                """Say nothing: the path holds the token."""

        return Handler

    def _answer_request(self, path: str) -> tuple[int, str, str]:
        """Return status, page and request token, empty where there is none."""
        try:
            if not urlsplit(path).query:
                return 404, "Nothing is here.", ""
            return 200, DONE, self._read(path, self._state)
        except (OperatorError, ValueError):
            return 400, "This is not the login that was begun here; go back to the terminal.", ""

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()
        self._told.close()
        self._teller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
