"""One official client for one thread: its HTTP session, its deadline, and the raw answers.

Importing this module imports kiteconnect and Twisted below it (0.3 s); `call_pool.py` does so in
the thread that calls.
"""

import csv
import io
import json
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from typing import Any, Literal, TypeVar

import msgspec
from kiteconnect.exceptions import KiteException
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import (
    ConnectTimeout,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    ReadTimeout,
)
from urllib3.exceptions import HTTPError, NewConnectionError

from brokers.kite.call_outcome import CallFailed
from brokers.kite.quick_client import QuickClient
from brokers.kite.zerodha_sandbox import split_root
from engine.config import addresses
from engine.texts import valid_text

T = TypeVar("T")

_BODY_LIMIT = 64 * 1024 * 1024
"""Bytes; the largest answer, the instrument list of all exchanges, is about a sixth of it."""

_DUMPS = frozenset({"market.instruments.all", "market.instruments", "mf.instruments"})
"""The routes without a prefix where the others have one."""


class _BookAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """A list of rows, as Kite answers."""

    status: Literal["success"]
    data: list[msgspec.Raw]


_BOOK = msgspec.json.Decoder(_BookAnswer)

_UNREADABLE = (
    KiteException,
    OSError,  # requests' errors are
    HTTPError,
    HTTPException,
    LookupError,
    TypeError,
    AttributeError,
    NameError,  # UnboundLocalError is one
    ValueError,
    ArithmeticError,
    RuntimeError,
    csv.Error,
)
"""What the client raises: its own errors, the socket's, and whatever an odd body trips it into."""


class _DirectSession(Session):
    """A session that asks the given host only.

    No redirect sends a request a second time, and no `.netrc` replaces the token.
    """

    def __init__(self, *, environment: bool) -> None:
        super().__init__()
        self.trust_env = environment
        self.auth = _as_it_is  # an own answer to who we are keeps requests from looking one up

    def get_redirect_target(self, resp: Response) -> None:
        """Return None: a redirect is an answer like any other that is no success."""


def _as_it_is(request: PreparedRequest) -> PreparedRequest:
    return request


class _SourceAdapter(HTTPAdapter):
    """Connects from one local address."""

    def __init__(self, source: str) -> None:
        self._source = source
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(self._source, 0), **options)


class ThreadClient:
    """An official client with one HTTP session; belongs to one thread.

    The client maps margin and holding refusals to GeneralException and takes a 5xx without an error
    type for success, so a response hook keeps the raw answer and the wire decides by that. The hook
    also reads the body: the client's `timeout` bounds each wait for a byte, the hook bounds the
    whole (four times `timeout`, 64 MiB). `source` is the local address connections are made from
    ("": the system chooses). Proxies and CA files that the environment names count only with
    `environment`, and never on this machine's own addresses. `heard` is called with the `date` of
    each successful answer, and its seconds.
    """

    def __init__(
        self,
        rest: str,
        api_key: str,
        access_token: str,
        timeout: float,
        source: str = "",
        environment: bool = False,
        heard: Callable[[str, float], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        place = addresses.parse_address(rest)
        if place is None or not place.is_covered:
            raise CallFailed("the token would travel in the clear", sent=False, error="Address")
        self._rest = rest
        root, prefix = split_root(rest)
        self._client = QuickClient(api_key, access_token=access_token, root=root, timeout=timeout)
        if prefix:  # the client drops a path in the root
            routes = self._client._routes.items()  # noqa: SLF001
            self._client._routes = {  # noqa: SLF001
                name: path if name in _DUMPS else prefix + path for name, path in routes
            }
        self._client.reqsession = _DirectSession(environment=environment and not place.is_local)
        self._client.reqsession.hooks["response"].append(self._keep_answer)
        if source:
            for scheme in ("https://", "http://"):
                self._client.reqsession.mount(scheme, _SourceAdapter(source))
        self._timeout = timeout
        self._heard = heard
        self._monotonic = monotonic
        self._answer: Response | None = None
        self._body = b""

    def call(self, work: Callable[[Any], T]) -> T:
        """Return what `work` makes of the client; raise `CallFailed` for any other outcome."""
        # the answer of the call before must not decide this one
        self._forget_answer()
        try:
            value = work(self._client)
        except _UNREADABLE as error:
            # a requests error would carry URLs into the log
            raise self._call_failure(error) from None
        # the client takes a 5xx without an error type for success
        if self._answer is not None and not 200 <= self._answer.status_code < 300:
            raise CallFailed(
                f"HTTP {self._answer.status_code}", sent=True, status=self._answer.status_code
            )
        return value

    @property
    def date(self) -> str:
        """Return the server's time of the last answer (the Date header), empty without one."""
        return "" if self._answer is None else self._answer.headers.get("Date", "")

    def close(self) -> None:
        """Close the HTTP session."""
        self._client.reqsession.close()

    def _forget_answer(self) -> None:
        self._answer, self._body = None, b""

    def _keep_answer(self, answer: Response, *_: object, **__: object) -> None:
        self._answer = answer
        if self._heard is not None and answer.ok:
            self._heard(self.date, answer.elapsed.total_seconds())
        until, size, chunks = self._monotonic() + 4 * self._timeout, 0, []
        while chunk := answer.raw.read1(65_536, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if self._monotonic() > until or size > _BODY_LIMIT:
                answer.close()
                raise ReadTimeout("the answer does not end")
        self._body = b"".join(chunks)
        # the client reads it as it would from the socket
        answer.raw = io.BytesIO(self._body)
        answer.json = partial(self._decode_answer, answer.json)  # type: ignore[method-assign]  # a quicker reader of the same

    def _decode_answer(self, slowly: Callable[[], Any]) -> Any:
        rows = _raw_rows(self._body) if self._client.wants_raw_rows else None
        return (
            _decode_body(self._body, slowly)
            if rows is None
            else {"status": "success", "data": rows}
        )

    def _call_failure(self, error: Exception) -> CallFailed:
        if self._answer is None:
            if isinstance(error, KiteException):
                return CallFailed(_one_line(error), sent=False, error=type(error).__name__)
            text = (
                f"nobody answers at {self._rest}"
                if _never_sent(error)
                else f"no answer: {type(error).__name__}"
            )
            return CallFailed(text, sent=not _never_sent(error))
        status, kind = self._answer.status_code, _error_type(self._body)
        text = (
            _one_line(error)
            if isinstance(error, KiteException)
            else f"unreadable answer: {type(error).__name__}"
        )
        if not kind and (page := self._answer.headers.get("Content-Type", "")).startswith(
            "text/html"
        ):
            # the client quotes all of it
            text = f"a page ({page.partition(';')[0]}) instead of an answer"
        return CallFailed(f"{text} (HTTP {status})", sent=True, status=status, error=kind)


def _decode_body(body: bytes, slowly: Callable[[], Any]) -> Any:
    """Return the value of a body, its texts valid.

    A body that the quick reader refuses is read the client's own way.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError):
        return json.loads(valid_text(json.dumps(slowly(), ensure_ascii=False)))


def _raw_rows(body: bytes) -> list[bytes] | None:
    """Return the rows of a book as they came, None for one that the slow reader must read."""
    if not body.isascii() or b"\\u" in body:  # half a character may stand in it
        return None
    try:
        return [bytes(row) for row in _BOOK.decode(body).data]
    except (msgspec.MsgspecError, ValueError):
        return None


def _never_sent(error: Exception) -> bool:
    # a reset or a time-out while reading may come after the request has left
    if isinstance(error, ConnectTimeout | InvalidURL | InvalidSchema | MissingSchema):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, RequestsConnectionError) and isinstance(reason, NewConnectionError)


def _error_type(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    kind = answer.get("error_type") if isinstance(answer, dict) else None
    return kind if isinstance(kind, str) else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
