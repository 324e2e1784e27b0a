"""The key to a sandbox's own routes: made anew in each run, kept where only its user can read it, and used from here.

Whoever started the sandbox in this process, and every program of the same user, finds it by the port.
"""

import contextlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from brokers.sandbox.visitors import bearer
from engine import address
from engine.config import own_state
from engine.errors import ConnectionFailed, OperatorError, in_words
from engine.ops import private, register

LONGEST = 100


def folder(environ: Mapping[str, str]) -> Path:
    """Return where keys are kept: in the user's runtime folder, or where there is none, in that of the state."""
    place = register.runtime(environ)
    return own_state(environ) / "keys" if place is None else place / "patang-keys"


def keep(port: int, key: str) -> Path:
    """Write the key of the sandbox at a port; raise `OperatorError` where that cannot be done."""
    path = _path(port)
    private.settle(path.parent, "remove it")
    try:
        private.replace(path, key.encode())
    except OSError as error:
        raise OperatorError(f"cannot write {path}: {in_words(error)}") from None
    return path


def of(rest: str) -> str:
    """Return the key of the sandbox at an address of this machine, empty where there is none of this user's."""
    place = address.read(rest)
    if place is None or not place.local:
        return ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return private.read(_path(place.port), LONGEST).decode("ascii")
    return ""


def ask(rest: str, method: str, path: str, body: object = None, patience: float = 10.0) -> Any:
    """Return the answer of one of the sandbox's own routes; raise `ConnectionFailed`. Blocks."""
    packed = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **bearer(of(rest))}
    request = urllib.request.Request(rest.rstrip("/") + path, packed, headers, method=method)  # noqa: S310  http only: `of`
    try:
        with _OPENER.open(request, timeout=patience) as answer:
            return json.loads(answer.read())
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise ConnectionFailed(f"sandbox at {rest}: {error}") from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: the key is for this address."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Return None: a redirect is an error."""


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


def _path(port: int) -> Path:
    return folder(os.environ) / f"sandbox-{port}.key"
