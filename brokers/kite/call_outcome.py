"""Outcome of a call to Kite: the one place that decides between done, refused, retry, unknown.

Kite has no idempotency key, so the question is never "did it fail" but "can it have happened". The
table stands in `docs/kite.md`; the error types in Kite Connect v3, "Exceptions and errors".
"""

from engine.errors import (
    ConnectionFailed,
    OperatorError,
    OrderRefused,
    OrderUnknown,
    PatangError,
    RetryableError,
    SaleUnauthorised,
    SessionLost,
)

TOKEN_EXCEPTION = "TokenException"  # noqa: S105 (the name of an error, no secret)
_UNDECIDED = frozenset({"NetworkException", "DataException"})
"""Error types that speak of the path between the API and the order system, not of the order."""


class SessionExpired(OperatorError):
    """The access token is dead; it dies every day at 06:00 IST, and on a log-out."""

    def __init__(self) -> None:
        super().__init__("Kite's access token is invalid or has expired: run `patang login`")


class CallFailed(Exception):
    """A failed call: whether it left, the HTTP `status` (0: no answer), the wire's error type."""

    def __init__(self, text: str, *, sent: bool, status: int = 0, error: str = "") -> None:
        super().__init__(text)
        self.sent = sent
        self.status = status
        self.error = error

    @property
    def is_refused(self) -> bool:
        """Return whether it is a definite no: an error type on a 4xx, but for patience and path."""
        # Our own check has an error type and no answer: nothing has left, so it is as definite.
        if not self.sent:
            return bool(self.error)
        # 408 and 429 are 4xx, and say nothing of the order: the one may have arrived, the other has
        # not.
        decided = 400 <= self.status < 500 and self.status not in {408, 429}
        return decided and bool(self.error) and self.error not in _UNDECIDED

    @property
    def never_happened(self) -> bool:
        """Return whether it has had no effect: never sent, or turned away at the door (429)."""
        return not self.sent or self.status == 429


def change_error(failed: CallFailed) -> PatangError:
    """Return the error of a call that was to change something."""
    # In this order: what was turned away before it left is a refusal where it names a reason, else
    # it may be sent again, and all the rest may have happened.
    if failed.is_refused:
        return _refusal_kind(failed)(failed.error, str(failed))
    if failed.never_happened:
        return RetryableError(str(failed))
    return OrderUnknown(str(failed))


def _refusal_kind(failed: CallFailed) -> type[OrderRefused]:
    """Return which no it is; Kite's 428 says "needs authorisation at depository"."""
    if failed.error == TOKEN_EXCEPTION:
        return SessionLost
    text = str(failed).lower()
    # Its error type is that of too few holdings, too, so the text has to tell.
    unauthorised = "authoris" in text and ("depository" in text or "cdsl" in text)
    return SaleUnauthorised if unauthorised else OrderRefused


def read_error(failed: CallFailed) -> PatangError:
    """Return the error of a call that only looked."""
    if failed.error == TOKEN_EXCEPTION:
        return SessionExpired()
    return RetryableError(str(failed))


def greeting_error(failed: CallFailed) -> PatangError:
    """Return the error of the first call of a session; it names a server that does not answer."""
    return read_error(failed) if failed.status else ConnectionFailed(str(failed))
