"""The routing table: which request means what."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple, final

from brokers.sandbox import checks, faults, quotes
from brokers.sandbox.exchange import CLOSED, Exchange
from brokers.sandbox.faults import REQUEST
from brokers.sandbox.history import candles
from brokers.sandbox.orders import trade_row
from brokers.sandbox.sabotage import struck
from brokers.sandbox.wire import CSV, ApiError, Request, Response, invalid, not_found, refused, required, success
from engine.errors import ConfigError

NO_ROUTE = ApiError(HTTPStatus.NOT_FOUND, "GeneralException", "Route not found")

ADMIN = "/sandbox/"
ADVANCE = "/sandbox/advance"

Parts = dict[str, str]
Action = Callable[[Request, Parts], object]


class Route(NamedTuple):
    """One entry: `{name}` in the pattern catches a segment; `rate` names the class it counts to ("": none)."""

    method: str
    pattern: tuple[str, ...]
    action: Action
    rate: str = "other"
    public: bool = False
    """Needs no session."""

    def match(self, method: str, segments: tuple[str, ...]) -> Parts | None:
        """Return the caught segments, or None where this is another request."""
        if method != self.method or len(segments) != len(self.pattern):
            return None
        parts = {}
        for mine, given in zip(self.pattern, segments, strict=True):
            if mine.startswith("{"):
                parts[mine[1:-1]] = given
            elif mine != given:
                return None
        return parts


def route(method: str, path: str, action: Action, rate: str = "other", *, public: bool = False) -> Route:
    """Make a table entry from a path like "/orders/{variety}"."""
    return Route(method, _segments(path), action, rate, public)


@final
class Api:
    """Kite's REST face of an exchange, plus the sandbox's admin routes."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._routes = self._table()

    def respond(self, request: Request) -> Response:
        """Answer a request at the exchange's present instant; never raises for a bad one."""
        if not request.path.startswith(ADMIN):
            fault = self._exchange.faults.strike(REQUEST, request.text, request.fields, self._exchange.now)
            if fault is not None:
                frozen = self._exchange.config.speed is None
                return struck(fault, lambda: self._perform(request), self._exchange.session, frozen=frozen)
        return self._perform(request)

    def _perform(self, request: Request) -> Response:
        try:
            entry, parts = self._find(request)
            if not entry.public:
                self._exchange.session.authorise(request.authorization)
            if entry.rate:
                self._exchange.limits.count(entry.rate, self._exchange.now)
            answer = entry.action(request, parts)
        except ApiError as error:
            return error.response()
        if isinstance(answer, Response):
            return answer
        return success(answer)

    def _find(self, request: Request) -> tuple[Route, Parts]:
        segments = _segments(request.path)
        for entry in self._routes:
            parts = entry.match(request.method, segments)
            if parts is not None:
                return entry, parts
        raise NO_ROUTE

    def _table(self) -> list[Route]:
        x = self._exchange
        return [
            route("GET", "/connect/login", self._login, "", public=True),
            route("GET", "/connect/finish", self._finish, "", public=True),
            route("POST", "/session/token", self._session, public=True),
            route("DELETE", "/session/token", self._logout, public=True),
            route("GET", "/user/profile", lambda _r, _p: x.session.profile()),
            route(
                "GET", "/user/margins", lambda _r, _p: {name: self._segment(name) for name in ("equity", "commodity")}
            ),
            route("GET", "/user/margins/{segment}", lambda _r, p: self._segment(p["segment"])),
            route("POST", "/orders/{variety}", self._place, "order"),
            route("PUT", "/orders/{variety}/{order_id}", self._modify),
            route("DELETE", "/orders/{variety}/{order_id}", self._cancel),
            route("GET", "/orders", lambda _r, _p: x.orders.book_rows()),
            route("GET", "/orders/{order_id}", lambda _r, p: x.orders.find(p["order_id"]).shown_history()),
            route("GET", "/orders/{order_id}/trades", self._order_trades),
            route("GET", "/trades", lambda _r, _p: [trade_row(trade) for trade in x.orders.trades]),
            route("GET", "/portfolio/positions", lambda _r, _p: x.portfolio.position_rows()),
            route("GET", "/portfolio/holdings", lambda _r, _p: x.portfolio.holding_rows()),
            route("GET", "/instruments", self._instruments),
            route("GET", "/instruments/{exchange}", self._instruments),
            route("GET", "/instruments/historical/{token}/{interval}", self._history, "historical"),
            route("GET", "/quote", lambda r, _p: quotes.quotes("quote", x.listings, r, x.stamp), "quote"),
            route("GET", "/quote/ohlc", lambda r, _p: quotes.quotes("ohlc", x.listings, r, x.stamp), "quote"),
            route("GET", "/quote/ltp", lambda r, _p: quotes.quotes("ltp", x.listings, r, x.stamp), "quote"),
            route("GET", "/gtt/triggers", lambda _r, _p: [trigger.row() for trigger in x.gtts.triggers.values()]),
            route("POST", "/gtt/triggers", lambda r, _p: {"trigger_id": self._opened().gtts.place(r.form, x.now)}),
            route("GET", "/gtt/triggers/{id}", lambda _r, p: x.gtts.find(p["id"]).row()),
            route("PUT", "/gtt/triggers/{id}", lambda r, p: {"trigger_id": x.gtts.modify(p["id"], r.form, x.now)}),
            route("DELETE", "/gtt/triggers/{id}", lambda _r, p: {"trigger_id": x.gtts.delete(p["id"], x.now)}),
            route("POST", "/margins/orders", lambda r, _p: x.estimates.margins(r.body)),
            route("POST", "/margins/basket", self._basket),
            route("POST", "/charges/orders", lambda r, _p: x.estimates.contract_note(r.body)),
            route("GET", "/sandbox/clock", lambda _r, _p: _bare(x.clock()), "", public=True),
            route("POST", ADVANCE, self._advance, "", public=True),
            route("GET", "/sandbox/books", lambda _r, _p: _bare(self._books()), "", public=True),
            route("GET", "/sandbox/faults", lambda _r, _p: _bare(x.faults.rows()), "", public=True),
            route("POST", "/sandbox/faults", self._add_faults, "", public=True),
            route("DELETE", "/sandbox/faults", lambda _r, _p: _bare({"removed": x.faults.remove()}), "", public=True),
            route("DELETE", "/sandbox/faults/{id}", self._remove_fault, "", public=True),
        ]

    def _login(self, request: Request, _parts: Parts) -> Response:
        token = self._exchange.session.request_token(request.value("api_key"))
        target = self._exchange.config.redirect or "/connect/finish"
        extra = request.value("redirect_params")
        query = f"request_token={token}&action=login&type=login&status=success" + (f"&{extra}" if extra else "")
        joint = "&" if "?" in target else "?"
        return Response(HTTPStatus.FOUND, b"", "text/html", f"{target}{joint}{query}")

    def _finish(self, request: Request, _parts: Parts) -> Response:
        token = "".join(letter for letter in request.value("request_token") if letter.isalnum())
        page = f"<!doctype html><title>Sandbox login</title><p>Logged in. Request token: <code>{token}</code></p>"
        return Response(HTTPStatus.OK, page.encode(), "text/html")

    def _session(self, request: Request, _parts: Parts) -> object:
        form = request.form
        api_key, token = required(form, "api_key"), required(form, "request_token")
        return self._exchange.session.exchange(api_key, token, required(form, "checksum"), self._exchange.now)

    def _logout(self, request: Request, _parts: Parts) -> object:
        return self._exchange.session.logout(request.value("api_key"), request.value("access_token"))

    def _segment(self, name: str) -> dict[str, object]:
        if name not in {"equity", "commodity"}:
            raise invalid("Invalid `segment`.")
        return self._exchange.funds.segment(self._exchange.orders.live(), enabled=name == "equity")

    def _opened(self) -> Exchange:
        if self._exchange.over:
            raise refused(CLOSED)
        return self._exchange

    def _place(self, request: Request, parts: Parts) -> object:
        exchange = self._opened()
        order = exchange.place(checks.read(exchange.listings, request.form, parts["variety"]))
        return {"order_id": order.order_id}

    def _modify(self, request: Request, parts: Parts) -> object:
        exchange = self._opened()
        order = exchange.orders.modify(parts["order_id"], request.form, exchange.now)
        exchange.react(order.ask.listing)
        return {"order_id": order.order_id}

    def _cancel(self, _request: Request, parts: Parts) -> object:
        return {"order_id": self._exchange.orders.cancel(parts["order_id"], self._exchange.now).order_id}

    def _order_trades(self, _request: Request, parts: Parts) -> object:
        return [trade_row(trade) for trade in self._exchange.orders.find(parts["order_id"]).trades]

    def _instruments(self, _request: Request, parts: Parts) -> Response:
        listed = self._exchange.listings.values()
        return Response(HTTPStatus.OK, quotes.instruments(listed, parts.get("exchange", "")), CSV)

    def _history(self, request: Request, parts: Parts) -> object:
        x = self._exchange
        listing = x.listing(parts["token"])
        return {"candles": candles(listing, parts["interval"], request, x.past, x.today, x.now)}

    def _basket(self, request: Request, _parts: Parts) -> object:
        consider = request.value("consider_positions", "true").lower() == "true"
        return self._exchange.estimates.basket(request.body, self._exchange.orders.live(), consider=consider)

    def _advance(self, request: Request, _parts: Parts) -> Response:
        if self._exchange.config.speed is not None:
            raise invalid("The clock runs by itself; only a sandbox in lockstep can be advanced.")
        until = request.body.get("until") if isinstance(request.body, dict) else None
        if not isinstance(until, int):
            raise invalid("Missing or empty field `until`")
        self._exchange.advance(until)
        return _bare({key: self._exchange.clock()[key] for key in ("now", "sent", "over")})

    def _add_faults(self, request: Request, _parts: Parts) -> Response:
        given = request.body if isinstance(request.body, list) else [request.body]
        try:
            rules = [faults.read(one, "fault") for one in given]
        except ConfigError as error:
            raise invalid(str(error)) from None
        return _bare([self._exchange.faults.add(rule, self._exchange.now).row() for rule in rules])

    def _remove_fault(self, _request: Request, parts: Parts) -> Response:
        number = parts["id"]
        if not number.isdecimal() or not self._exchange.faults.remove(int(number)):
            raise not_found("fault")
        return _bare({"removed": 1})

    def _books(self) -> dict[str, object]:
        x = self._exchange
        return {
            "now": x.now,
            "cash": x.funds.cash,
            "available": x.funds.available(x.orders.live()),
            "orders": x.orders.book_rows(),
            "trades": [trade_row(trade) for trade in x.orders.trades],
            "positions": x.portfolio.position_rows()["net"],
            "gtts": [trigger.row() for trigger in x.gtts.triggers.values()],
        }


def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _bare(data: object) -> Response:
    return Response(HTTPStatus.OK, json.dumps(data).encode())
