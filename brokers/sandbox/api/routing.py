"""Notation of routes, and the search for a request's own."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple, final

from brokers.sandbox.http import SandboxApiError, SandboxRequest, SandboxResponse

NO_ROUTE = SandboxApiError(HTTPStatus.NOT_FOUND, "GeneralException", "Route not found")
NO_METHOD = SandboxApiError(HTTPStatus.METHOD_NOT_ALLOWED, "GeneralException", "Method not allowed")

Parts = dict[str, str]
Action = Callable[[SandboxRequest, Parts], object]


class ApiRoute(NamedTuple):
    """One entry: `{name}` in the pattern catches a segment, `rate` names its class ("": none)."""

    method: str
    pattern: tuple[str, ...]
    action: Action
    rate: str = "other"
    public: bool = False
    """Needs no session."""
    changes: bool = False
    """Changes something, so that a kept state must remember it."""

    @property
    def places_order(self) -> bool:
        """Return whether it places, modifies or cancels an order."""
        return self.method != "GET" and self.pattern[:1] == ("orders",)

    def match(self, method: str, path: tuple[str, ...]) -> Parts | None:
        """Return the caught segments, or None where this is another request."""
        if method != self.method or len(path) != len(self.pattern):
            return None
        parts = {}
        for mine, given in zip(self.pattern, path, strict=True):
            if mine.startswith("{"):
                parts[mine[1:-1]] = given
            elif mine != given:
                return None
        return parts


def route(
    method: str,
    path: str,
    action: Action,
    rate: str = "other",
    *,
    public: bool = False,
    changes: bool | None = None,
) -> ApiRoute:
    """Make a table entry from a path like "/orders/{variety}".

    Any method but GET changes something, unless the entry says otherwise.
    """
    return ApiRoute(
        method,
        path_segments(path),
        action=action,
        rate=rate,
        public=public,
        changes=method != "GET" if changes is None else changes,
    )


@final
class RouteTable:
    """Routes by their length and first segment, in the order they were given.

    No pattern catches a first segment.
    """

    def __init__(self, routes: Iterable[ApiRoute]) -> None:
        self._routes: defaultdict[tuple[int, str], list[ApiRoute]] = defaultdict(list)
        for entry in routes:
            self._routes[len(entry.pattern), entry.pattern[0]].append(entry)

    def find_route(self, request: SandboxRequest) -> tuple[ApiRoute, Parts]:
        """Return the first entry a request matches, and its parts.

        Raise the documented 404 or 405.
        """
        path = path_segments(request.path)
        near = self._routes.get((len(path), path[0]), []) if path else []
        for entry in near:
            parts = entry.match(request.method, path)
            if parts is not None:
                return entry, parts
        known = any(entry.match(entry.method, path) is not None for entry in near)
        raise NO_METHOD if known else NO_ROUTE


def bare_response(data: object) -> SandboxResponse:
    """Return an answer outside Kite's envelope, as the admin routes give it."""
    return SandboxResponse(HTTPStatus.OK, json.dumps(data).encode())


def path_segments(path: str) -> tuple[str, ...]:
    """Return the parts of a path; empty ones are none."""
    return tuple(part for part in path.split("/") if part)
