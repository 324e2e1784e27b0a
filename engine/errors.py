"""Errors the desk raises on purpose, grouped by the operator's remedy.

PatangError
├── OperatorError          stop: a human is needed
│   ├── ConfigError        mend the configuration (file, line, key, nearest valid key)
│   ├── DataError          mend or name other data
│   └── BusyError          something else holds the port, the database or the socket
├── NothingFound           nothing is there to be shown
├── ConnectionFailed       the broker or the desk cannot be reached
├── RetryableError         the same call may work a moment later (rate limit, busy broker)
├── OrderRefused           the broker or the risk check said no, with a reason code
│   ├── SessionLost        for want of a live session: the request itself was not judged
│   └── SaleUnauthorised   for want of the day's authorisation at the depository
└── OrderUnknown           it may have happened: look it up, never send it again blindly
"""

import errno
from typing import ClassVar, Final

from engine.exit_codes import FAILED, UNREACHABLE, USAGE

MENDS: Final = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "mount it for writing",
    errno.EMFILE: "raise ulimit -n",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "raise ulimit -v",
}
"""What the operator can do about a machine that is short of something."""


def in_words(error: Exception) -> str:
    """Return why a file could not be read or written, in one line.

    The inner words of the library that tried are left out.
    """
    # `str` of an OSError begins with "[Errno 28]" and repeats the path that the caller names
    # anyway.
    if isinstance(error, OSError) and error.strerror:
        mend = MENDS.get(error.errno or 0)
        return error.strerror.lower() + (f": {mend}" if mend else "")
    return (
        "not a UTF-8 text"
        if isinstance(error, UnicodeDecodeError)
        else " ".join(str(error).split())
    )


class PatangError(Exception):
    """An error with one line for the operator and a documented exit code."""

    exit_code: ClassVar[int] = FAILED


class OperatorError(PatangError):
    """A human has to mend something before the desk can go on."""

    exit_code = USAGE


class ConfigError(OperatorError):
    """The configuration is wrong; the text names file, line, key and the nearest valid key."""


class DataError(OperatorError):
    """Market data is missing or unreadable; the text names it."""


class BusyError(OperatorError):
    """A port, a database or a socket that another process holds."""


class NothingFound(PatangError):
    """A search without a result; the text names where."""


class ConnectionFailed(PatangError):
    """The other side cannot be reached."""

    exit_code = UNREACHABLE


class RetryableError(PatangError):
    """The broker asks for patience (429, or a read that failed); nothing has happened."""


class OrderRefused(PatangError):
    """A definite no. `code` is the broker's error type or our risk code."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class SessionLost(OrderRefused):
    """A no for want of a live session with the broker: the request itself was not judged."""


class SaleUnauthorised(OrderRefused):
    """A no for want of the day's authorisation at the depository."""


class OrderUnknown(PatangError):
    """A request of unknown outcome: timeout, 5xx, broken or unreadable answer."""
