"""The sandbox's own routes: its clock, its books, and its faults; for this machine only, and whoever has the run's key."""

from brokers.sandbox import moods
from brokers.sandbox.exchange import Exchange
from brokers.sandbox.orders import trade_row
from brokers.sandbox.table import Parts, Route, bare, route, segments
from brokers.sandbox.wire import Request, Response, invalid, not_found
from engine.errors import ConfigError

ADMIN = "sandbox"
"""The first part of their paths."""
ADVANCE = "/sandbox/advance"
PACE = "/sandbox/pace"
"""A WebSocket for whoever advances the clock often: a text is the body of an `ADVANCE`, and is answered with its answer."""
HOLD = "/sandbox/hold"
WAKE = "/sandbox/wake"
FAULTS = "/sandbox/faults"


def is_admin(path: str) -> bool:
    """Tell whether a path leads to one of these routes."""
    return segments(path)[:1] == (ADMIN,)


def admin_table(x: Exchange) -> list[Route]:
    """Return the admin routes of an exchange."""
    return [
        route("GET", "/sandbox/clock", lambda _r, _p: bare(x.clock()), "", public=True),
        route("POST", HOLD, lambda _r, _p: _hold(x, on=True), "", public=True, changes=False),
        route("DELETE", HOLD, lambda _r, _p: _hold(x, on=False), "", public=True, changes=False),
        route("POST", ADVANCE, lambda r, _p: _advance(x, r), "", public=True, changes=False),
        route(
            "POST", WAKE, lambda r, _p: bare({"listed": r.value("key") in x.listings}), "", public=True, changes=False
        ),
        route("GET", "/sandbox/books", lambda _r, _p: bare(_books(x)), "", public=True),
        route("GET", FAULTS, lambda _r, _p: bare(x.faults.rows()), "", public=True),
        route("POST", FAULTS, lambda r, _p: _add_faults(x, r), "", public=True),
        route("DELETE", FAULTS, lambda _r, _p: bare({"removed": x.faults.remove()}), "", public=True),
        route("DELETE", "/sandbox/faults/{id}", lambda _r, p: _remove_fault(x, p), "", public=True),
    ]


def _advance(x: Exchange, request: Request) -> Response:
    if x.config.speed is not None:
        raise invalid("The clock runs by itself; only a sandbox in lockstep can be advanced.")
    until = request.body.get("until") if isinstance(request.body, dict) else None
    if not isinstance(until, int):
        raise invalid("Missing or empty field `until`")
    x.advance(until)
    clock = x.clock()
    return bare({key: clock[key] for key in ("now", "sent", "over")})


def _hold(x: Exchange, *, on: bool) -> Response:
    x.hold(on=on)
    return bare(x.clock())


def _books(x: Exchange) -> dict[str, object]:
    return {
        "now": x.now,
        "cash": x.funds.cash,
        "available": x.funds.available(x.orders.live()),
        "orders": x.orders.book_rows(),
        "trades": [trade_row(trade) for trade in x.orders.trades],
        "positions": x.portfolio.position_rows()["net"],
        "holdings": x.portfolio.holding_rows(),
        "gtts": [trigger.row() for trigger in x.gtts.triggers.values()],
        "counts": x.limits.counts(x.now),
        "too_many": x.limits.refused,
    }


def _add_faults(x: Exchange, request: Request) -> Response:
    given = request.body if isinstance(request.body, list) else [request.body]
    try:
        rules = [rule for one in given for rule in moods.read(one, "fault")]
    except ConfigError as error:
        raise invalid(str(error)) from None
    return bare([x.faults.add(rule, x.now).row() for rule in rules])


def _remove_fault(x: Exchange, parts: Parts) -> Response:
    number = parts["id"]
    if not number.isdecimal() or not x.faults.remove(int(number)):
        raise not_found("fault")
    return bare({"removed": 1})
