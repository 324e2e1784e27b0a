"""Requests and responses without a socket, and the refusals that become Kite's error bodies."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

JSON = "application/json"
CSV = "text/csv"

Form = Mapping[str, str]

MOST = 1e12
"""No price and no amount reaches it."""
WHOLE = re.compile(r"-?[0-9]{1,18}")
DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]*)?|-?\.[0-9]+")
"""Numbers as programs write them.

Others that Python takes (1_0, +1, spaces, digits of other scripts) are texts.
"""


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """One REST call.

    `query` keeps repeated keys, `form` is the url-encoded body, `body` the parsed JSON one.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    form: Form = field(default_factory=dict)
    body: object = None
    authorization: str = ""

    @property
    def text(self) -> str:
        """Return "METHOD /path"."""
        return f"{self.method} {self.path}"

    @property
    def fields(self) -> Form:
        """Return every parameter, the last of a repeated one."""
        return {**dict(self.query), **self.form}

    def values(self, key: str) -> list[str]:
        """Return every value of a query key, in order."""
        return [value for name, value in self.query if name == key]

    def value(self, key: str, default: str = "") -> str:
        """Return a parameter of the query or the form."""
        found = self.values(key)
        return found[0] if found else self.form.get(key, default)


@dataclass(frozen=True, slots=True)
class SandboxResponse:
    """Response to a call: status, content type, body, target of a redirect, and what a fault does.

    It is held for `hold` seconds; only `cut` bytes of the body leave before the connection breaks
    (None: all of it, -1: not even a status line).
    """

    status: int
    content: bytes
    content_type: str = JSON
    location: str = ""
    hold: float = 0.0
    cut: int | None = None


class SandboxApiError(Exception):
    """A refusal as Kite words it: HTTP status, error type and message."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message

    def response(self) -> SandboxResponse:
        """Return the documented error body."""
        body = {
            "status": "error",
            "message": self.message,
            "data": None,
            "error_type": self.error_type,
        }
        return SandboxResponse(self.status, json.dumps(body).encode())


def success_response(data: object) -> SandboxResponse:
    """Return the documented success body."""
    return success_from_json(msgspec.json.encode(data).decode())


def success_from_json(data: str) -> SandboxResponse:
    """Return the documented success body around data that is JSON already."""
    return SandboxResponse(HTTPStatus.OK, f'{{"status": "success", "data": {data}}}'.encode())


def invalid(message: str) -> SandboxApiError:
    """Refuse a parameter."""
    return SandboxApiError(HTTPStatus.BAD_REQUEST, "InputException", message)


def refused(message: str) -> SandboxApiError:
    """Refuse an order."""
    return SandboxApiError(HTTPStatus.BAD_REQUEST, "OrderException", message)


def not_found(what: str) -> SandboxApiError:
    """Refuse an unknown id."""
    return SandboxApiError(
        HTTPStatus.NOT_FOUND, "GeneralException", f"Couldn't find that `{what}`."
    )


def required_field(form: Form, key: str) -> str:
    """Return a field that must be there."""
    value = form.get(key, "")
    if not value:
        raise invalid(f"Missing or empty field `{key}`")
    return value


def whole_field(form: Form, key: str, default: int = 0) -> int:
    """Return a field as a whole number."""
    value = form.get(key, "")
    if value and not WHOLE.fullmatch(value):
        raise invalid(f"Invalid `{key}`.")
    return int(value) if value else default


def decimal_field(form: Form, key: str, default: float = 0.0) -> float:
    """Return a field as a number."""
    value = form.get(key, "")
    number = float(value) if DECIMAL.fullmatch(value) else default
    # The bound also keeps out what is no number to a comparison.
    if (value and not DECIMAL.fullmatch(value)) or not abs(number) < MOST:
        raise invalid(f"Invalid `{key}`.")
    return number


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raise `ValueError` for a text without one, one too deep, or half a character.
    """
    try:
        value = json.loads(text)
        # Half a surrogate pair reads well and fails wherever it is written.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def choice_field(form: Form, key: str, allowed: Sequence[str], default: str = "") -> str:
    """Return a field that names one of a few things."""
    value = form.get(key, "") or default or required_field(form, key)
    if value not in allowed:
        raise invalid(f"Invalid `{key}`.")
    return value
