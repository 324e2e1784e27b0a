"""The sandbox's own routes: its clock, its books, and its faults.

They are for programs of this machine that have the run's key.
"""

from brokers.sandbox import fault_moods
from brokers.sandbox.api.routing import ApiRoute, Parts, bare_response, path_segments, route
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.http import SandboxRequest, SandboxResponse, invalid, not_found
from brokers.sandbox.market.client_order import trade_row
from engine.errors import ConfigError

ADMIN = "sandbox"
"""The first part of their paths."""
ADVANCE = "/sandbox/advance"
PACE = "/sandbox/pace"
"""A WebSocket for a program that advances the clock often.

A text is the body of an `ADVANCE`, and is answered with its answer.
"""
HOLD = "/sandbox/hold"
WAKE = "/sandbox/wake"
FAULTS = "/sandbox/faults"


def is_admin(path: str) -> bool:
    """Tell whether a path leads to one of these routes."""
    return path_segments(path)[:1] == (ADMIN,)


def admin_table(x: SandboxExchange) -> list[ApiRoute]:
    """Return the admin routes of an exchange."""
    return [
        route(
            # Public means without a session of Kite's: all of these have the run's key instead.
            "GET",
            "/sandbox/clock",
            lambda _r, _p: bare_response(x.clock_row()),
            "",
            public=True,
        ),
        route("POST", HOLD, lambda _r, _p: _hold_clock(x, on=True), "", public=True, changes=False),
        route(
            "DELETE", HOLD, lambda _r, _p: _hold_clock(x, on=False), "", public=True, changes=False
        ),
        route("POST", ADVANCE, lambda r, _p: _advance_clock(x, r), "", public=True, changes=False),
        route(
            "POST",
            WAKE,
            lambda r, _p: bare_response({"listed": r.value("key") in x.listings}),
            "",
            public=True,
            changes=False,
        ),
        route(
            "GET",
            "/sandbox/books",
            lambda _r, _p: bare_response(_account_books(x)),
            "",
            public=True,
        ),
        route("GET", FAULTS, lambda _r, _p: bare_response(x.faults.rows()), "", public=True),
        route("POST", FAULTS, lambda r, _p: _add_faults(x, r), "", public=True),
        route(
            "DELETE",
            FAULTS,
            lambda _r, _p: bare_response({"removed": x.faults.remove()}),
            "",
            public=True,
        ),
        route("DELETE", "/sandbox/faults/{id}", lambda _r, p: _remove_fault(x, p), "", public=True),
    ]


def _advance_clock(x: SandboxExchange, request: SandboxRequest) -> SandboxResponse:
    if x.config.speed is not None:
        raise invalid("The clock runs by itself; only a sandbox in lockstep can be advanced.")
    until = request.body.get("until") if isinstance(request.body, dict) else None
    if not isinstance(until, int):
        raise invalid("Missing or empty field `until`")
    x.advance(until)
    clock = x.clock_row()
    return bare_response({key: clock[key] for key in ("now", "sent", "over")})


def _hold_clock(x: SandboxExchange, *, on: bool) -> SandboxResponse:
    x.hold_clock(on=on)
    return bare_response(x.clock_row())


def _account_books(x: SandboxExchange) -> dict[str, object]:
    return {
        "now": x.now,
        "cash": x.funds.cash,
        "available": x.funds.available(x.orders.live_orders()),
        "orders": x.orders.book_rows(),
        "trades": [trade_row(trade) for trade in x.orders.trades],
        "positions": x.portfolio.position_rows()["net"],
        "holdings": x.portfolio.holding_rows(),
        "gtts": [trigger.row() for trigger in x.gtts.triggers.values()],
        "counts": x.limits.order_counts(x.now),
        "too_many": x.limits.refused_counts,
    }


def _add_faults(x: SandboxExchange, request: SandboxRequest) -> SandboxResponse:
    given = request.body if isinstance(request.body, list) else [request.body]
    try:
        rules = [rule for one in given for rule in fault_moods.read_faults(one, "fault")]
    except ConfigError as error:
        raise invalid(str(error)) from None
    return bare_response([x.faults.add(rule, x.now).row() for rule in rules])


def _remove_fault(x: SandboxExchange, parts: Parts) -> SandboxResponse:
    number = parts["id"]
    if not number.isdecimal() or not x.faults.remove(int(number)):
        raise not_found("fault")
    return bare_response({"removed": 1})
