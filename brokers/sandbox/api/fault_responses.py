"""Answers under a fault: whether the request is performed, and its response."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import final

from brokers.sandbox.account.login_session import SandboxSession
from brokers.sandbox.faults import Fault
from brokers.sandbox.http import SandboxApiError, SandboxRequest, SandboxResponse
from compiled.model.values import SECOND

PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"
)
STATUSES = {
    "refuse": (HTTPStatus.BAD_REQUEST, "OrderException", "The order was refused by the exchange."),
    "403": (HTTPStatus.FORBIDDEN, "PermissionException", "Insufficient permission for that call."),
    # Live bodies of Kite have this type and text, although the path is not at fault.
    "429": (HTTPStatus.TOO_MANY_REQUESTS, "NetworkException", "Too many requests"),
    "500": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "GeneralException",
        "Something went wrong. Please try after some time.",
    ),
    "502": (
        HTTPStatus.BAD_GATEWAY,
        "DataException",
        "Bad response from the order management system.",
    ),
    "503": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "NetworkException",
        "The order management system is unavailable.",
    ),
    "504": (HTTPStatus.GATEWAY_TIMEOUT, "NetworkException", "Gateway timed out"),
}
DELAY_SECONDS = 1.0
TIMEOUT_SECONDS = 30.0
BEHIND_SECONDS = 5.0
NOTHING = -1


@final
class PastAnswers:
    """Earlier answers to requests, as far as they were asked for."""

    def __init__(self) -> None:
        self._answers: dict[
            tuple[str, tuple[tuple[str, str], ...]], deque[tuple[int, SandboxResponse]]
        ] = {}

    def delayed_answer(
        self, request: SandboxRequest, answer: SandboxResponse, now: int, seconds: float
    ) -> SandboxResponse:
        """Keep an answer; return the newest that is `seconds` old, or else the oldest."""
        kept = self._answers.setdefault((request.text, tuple(request.query)), deque())
        kept.append((now, answer))
        # The newest that is old enough stays: a book that is behind does not go back further.
        while len(kept) > 1 and kept[1][0] <= now - int(seconds * SECOND):
            kept.popleft()
        return kept[0][1]


def faulty_response(
    fault: Fault, perform: Callable[[], SandboxResponse], session: SandboxSession, *, frozen: bool
) -> SandboxResponse:
    """Return the answer to a struck request.

    `frozen`: time stands still, so a time-out need not be waited for.
    """
    if fault.kind in STATUSES or fault.kind == "html":
        # The worst answer there is: the order is placed, and its sender hears that it is not.
        if fault.accept:
            perform()
        return refusal_response(fault)
    # Performed with its token dead, so that the refusal is the real one.
    if fault.kind == "token":
        session.expire()
        return perform()
    if fault.kind == "drop":
        if fault.accept:
            perform()
        return SandboxResponse(0, b"", hold=fault.seconds_or(0.0), cut=NOTHING)
    answer = perform()
    if fault.kind == "delay":
        return replace(answer, hold=fault.seconds_or(DELAY_SECONDS))
    # The second answer goes out: whoever sent one request has two orders and one id.
    if fault.kind == "duplicate":
        return perform()
    if fault.kind == "cut":
        return replace(answer, cut=int(len(answer.content) * fault.share))
    return replace(answer, hold=fault.seconds_or(0.0 if frozen else TIMEOUT_SECONDS), cut=NOTHING)


def refusal_response(fault: Fault) -> SandboxResponse:
    """Return the error answer of a fault that has one."""
    if fault.kind == "html":
        return SandboxResponse(HTTPStatus.BAD_GATEWAY, PAGE, "text/html")
    status, error_type, message = STATUSES[fault.kind]
    return SandboxApiError(
        status, fault.error_type or error_type, fault.message or message
    ).response()
