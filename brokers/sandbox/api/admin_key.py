"""The key to a sandbox's own routes, made anew in each run.

It is kept where only its user can read it: the program that started the sandbox, and every other of
the same user, find it by the port.
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

from brokers.sandbox.api.access_checks import bearer_header
from engine.config import addresses
from engine.config.disk_places import own_state_folder
from engine.errors import ConnectionFailed, OperatorError, in_words
from engine.ops import desk_register
from engine.system import private_files

LONGEST = 100


def key_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of keys: the user's runtime folder, or without one that of the state."""
    place = desk_register.runtime_folder(environ)
    return own_state_folder(environ) / "keys" if place is None else place / "patang-keys"


def write_key(port: int, key: str) -> Path:
    """Write the key of the sandbox at a port; raise `OperatorError` where that cannot be done."""
    path = _key_path(port)
    private_files.make_private(path.parent, "remove it")
    try:
        private_files.replace_private(path, key.encode())
    except OSError as error:
        raise OperatorError(f"cannot write {path}: {in_words(error)}") from None
    return path


def read_key(rest: str) -> str:
    """Return the key of this user's sandbox at an address of this machine, empty without one."""
    place = addresses.parse_address(rest)
    # A sandbox on another machine has a key of its own, and is not to be sent this one.
    if place is None or not place.is_local:
        return ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return private_files.read_private(_key_path(place.port), LONGEST).decode("ascii")
    return ""


def call_admin(
    rest: str, method: str, path: str, body: object = None, patience: float = 10.0
) -> Any:
    """Return the answer of one of the sandbox's own routes; raise `ConnectionFailed`. Blocks."""
    packed = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **bearer_header(read_key(rest))}
    request = urllib.request.Request(rest.rstrip("/") + path, packed, headers, method=method)  # noqa: S310  http only: `read_key`
    try:
        with _OPENER.open(request, timeout=patience) as answer:
            return json.loads(answer.read())
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise ConnectionFailed(f"sandbox at {rest}: {error}") from None


class _RedirectRefusal(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: the key is for this address."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """Return None: a redirect is an error."""


# Without proxies: the key must not leave this machine, whatever the environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _RedirectRefusal)


def _key_path(port: int) -> Path:
    return key_folder(os.environ) / f"sandbox-{port}.key"
