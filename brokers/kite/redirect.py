"""The end of a login: the browser's redirect on the loopback interface, or its address pasted into the terminal."""

import select
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Self, TextIO
from urllib.parse import urlsplit

from brokers.kite.session import request_token
from engine.errors import BusyError, ConfigError, OperatorError

PAGE = "<!doctype html><meta charset=utf-8><title>patang</title><p>{}</p>"
DONE = "Logged in. You can close this window."
LOOK_SECONDS = 60.0
REQUEST_SECONDS = 5.0
"""Patience with one request; browsers open connections they never use."""


class Redirect:
    """Listens at `url` until left; answers nobody but the browser that comes back with `state`.

    Raises `BusyError` where the port is taken, `ConfigError` where there is no such port. The redirect address registered with Kite must be this `url`.
    """

    def __init__(self, port: int, state: str) -> None:
        self._token = ""
        self._state = state
        try:
            self._server = HTTPServer(("127.0.0.1", port), self._handler())
        except OverflowError:
            raise ConfigError(f"port {port}: expected 0 to 65535") from None
        except OSError as error:
            raise BusyError(f"port {port} is taken ({error.strerror}); name another with --port") from None
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def wait(
        self,
        seconds: float,
        pasted: TextIO | None = None,
        tell: Callable[[str], None] = lambda _text: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> str:
        """Return the request token, from the browser or from a line of `pasted`; raise `OperatorError` after `seconds`.

        A line that is no such address is told, and waiting goes on.
        """
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            watched = [self._server.fileno(), *([pasted.fileno()] if pasted else [])]
            ready = select.select(watched, [], [], min(left, LOOK_SECONDS))[0]
            if self._server.fileno() in ready:
                self._server.handle_request()
            elif ready and pasted is not None:
                line = pasted.readline()
                pasted = pasted if line else None
                self._take(line, tell)
            if self._token:
                return self._token
        raise OperatorError(f"nobody came back from the login page within {seconds:.0f} s")

    def _take(self, line: str, tell: Callable[[str], None]) -> None:
        if not line.strip():
            return
        try:
            self._token = request_token(line)
        except OperatorError as error:
            tell(str(error))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        redirect = self

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS

            def do_GET(self) -> None:
                status, text = redirect._answer(self.path)
                body = PAGE.format(text).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *_arguments: object) -> None:
                """Say nothing: the path holds the token."""

        return Handler

    def _answer(self, path: str) -> tuple[int, str]:
        if not urlsplit(path).query:
            return 404, "Nothing is here."
        try:
            self._token = request_token(path, self._state)
        except OperatorError:
            return 400, "This is not the login that was begun here; go back to the terminal."
        return 200, DONE

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
