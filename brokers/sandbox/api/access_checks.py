"""Checks of access to the sandbox: programs of this machine, never another site's page.

A page is recognised by the headers that a browser sets and no script can change: `Host` names the
host the browser thinks it speaks to, `Origin` and `Sec-Fetch-Site` the page that asks (Fetch
Standard, "HTTP extensions"; W3C Fetch Metadata).
"""

import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, Protocol

from brokers.sandbox.config import LOOPBACK
from brokers.sandbox.http import SandboxApiError

PAGES: Final = ("/connect/login", "/connect/finish")
"""Paths that a program's own page leads a browser to.

They have to be the whole window, so that the page is left for them.
"""
USUAL_PORT: Final = 80
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)


class RequestHeaders(Protocol):
    """A request's headers: `getall` keeps the repeated ones."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]:
        """Return every value of a header."""
        ...


def check_visitor(method: str, path: str, headers: RequestHeaders, port: int, served: str) -> None:
    """Raise `SandboxApiError` for a page of another origin, or a host name that is not ours.

    `served` is the host that the sandbox listens on. Beyond this machine any address counts, but no
    name: the owner of a name decides where it leads.
    """
    hosts = headers.getall("Host", ())
    if len(hosts) != 1 or not _is_own_host(hosts[0], port, served):
        raise _forbidden_error(
            "The sandbox answers to its own address only: the `Host` header names another."
        )
    if any(
        origin.lower() != f"http://{hosts[0].lower()}" for origin in headers.getall("Origin", ())
    ):
        raise _forbidden_error("Pages of another origin are refused.")
    sites = headers.getall("Sec-Fetch-Site", ())
    # A program sends no such header; a browser does, and no script can change it.
    if any(site not in {"same-origin", "none"} for site in sites) and not _is_navigation(
        method, path, headers
    ):
        raise _forbidden_error("Pages of another site are refused.")


def check_key(authorization: str, key: str) -> None:
    """Raise `SandboxApiError` for a request without the administration key of this run."""
    # In constant time, so that the key cannot be found out letter by letter.
    if not hmac.compare_digest(authorization.encode(errors="replace"), f"Bearer {key}".encode()):
        raise _forbidden_error("Administration needs this run's key, as `Authorization: Bearer …`.")


def _is_own_host(host: str, port: int, served: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or USUAL_PORT) != port:
        return False
    name = match[1].strip("[]").lower()
    return name in LOOPBACK or (
        served not in LOOPBACK and (name == served.lower() or _is_address(name))
    )


def _is_navigation(method: str, path: str, headers: RequestHeaders) -> bool:
    """Return whether the window itself is led here, for a login."""
    said = {name: headers.getall(f"Sec-Fetch-{name}", ()) for name in ("Mode", "Dest")}
    return (
        method == "GET" and path in PAGES and said == {"Mode": ["navigate"], "Dest": ["document"]}
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _forbidden_error(message: str) -> SandboxApiError:
    return SandboxApiError(HTTPStatus.FORBIDDEN, "PermissionException", message)


def bearer_header(key: str) -> Mapping[str, str]:
    """Return the header that `check_key` asks for."""
    return {"Authorization": f"Bearer {key}"}
