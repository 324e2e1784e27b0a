"""The routing table: which request means what."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import final
from urllib.parse import parse_qsl, urlencode

from brokers.sandbox import checks, quotes
from brokers.sandbox.admin import WAKE, admin_table, is_admin
from brokers.sandbox.convert import convert
from brokers.sandbox.exchange import Exchange
from brokers.sandbox.faults import REQUEST
from brokers.sandbox.history import candles
from brokers.sandbox.mutual_funds import MutualFunds
from brokers.sandbox.orders import AMO, ClientOrder
from brokers.sandbox.sabotage import BEHIND_SECONDS, Past, struck
from brokers.sandbox.sessions import SHUT
from brokers.sandbox.table import Parts, Route, RouteTable, route
from brokers.sandbox.varieties import SQUARED_OFF, sliced_answer
from brokers.sandbox.wire import (
    CSV,
    ApiError,
    Request,
    Response,
    invalid,
    not_found,
    refused,
    required,
    success,
    written,
)

SEGMENTS = ("equity", "commodity")
TAG = re.compile("[A-Za-z0-9]*")
UNREGISTERED = "Orders are accepted from a registered static IP address only."


@final
class Api:
    """Kite's REST face of an exchange, plus the sandbox's admin routes."""

    def __init__(self, exchange: Exchange) -> None:
        self.performed: Callable[[Request, int], None] | None = None
        """Hears of every request that changed something, and when: whoever keeps the state."""
        self._exchange = exchange
        self._past = Past()
        exchange.woken = self._remember
        self._routes = RouteTable([*self._table(), *admin_table(exchange)])

    def respond(self, request: Request) -> Response:
        """Answer a request at the exchange's present instant; never raises for a bad one."""
        exchange = self._exchange
        if exchange.faults and not is_admin(request.path):
            fault = exchange.faults.strike(REQUEST, request.text, request.fields, exchange.now)
            if fault is not None and fault.kind == "behind":
                return self._past.answer(request, self.perform(request), exchange.now, fault.after(BEHIND_SECONDS))
            if fault is not None:
                return struck(fault, lambda: self.perform(request), exchange.session, frozen=exchange.frozen)
        return self.perform(request)

    def perform(self, request: Request) -> Response:
        """Answer a request, faults aside."""
        try:
            entry, parts = self._routes.matched(request)
            self._admit(entry, request)
            answer = entry.action(request, parts)
        except ApiError as error:
            return self._worded(error).response()
        if self.performed is not None and entry.changes:
            self.performed(request, self._exchange.now)
        return answer if isinstance(answer, Response) else success(answer)

    def _admit(self, entry: Route, request: Request) -> None:
        """Raise `ApiError` for a request without a session, from the wrong address, or one too many."""
        if not entry.public:
            self._exchange.session.authorise(request.authorization)
        if entry.placing and not self._exchange.config.choices.registered_ip:
            raise ApiError(HTTPStatus.FORBIDDEN, "PermissionException", UNREGISTERED)
        if entry.rate:
            self._exchange.limits.count(entry.rate, self._exchange.now)

    def _worded(self, error: ApiError) -> ApiError:
        """Return a refusal under the status and type that were chosen for it."""
        for text, status, error_type in self._exchange.config.choices.errors:
            if error.message.startswith(text):
                return ApiError(status, error_type, error.message)
        return error

    def _quotes(self, kind: str, request: Request) -> object:
        x = self._exchange
        cut = x.config.choices.quote_excess == "cut"
        return quotes.quotes(kind, x.listings, x.tokens, request, x.stamp, cut=cut)

    def _remember(self, key: str) -> None:
        """Have a waking remembered, as what moves afterwards depends on it."""
        if self.performed is not None:
            self.performed(Request("POST", WAKE, form={"key": key}), self._exchange.now)

    def _table(self) -> list[Route]:
        x = self._exchange
        return [
            route("GET", "/connect/login", self._login, "", public=True, changes=True),
            route("GET", "/connect/finish", self._finish, "", public=True),
            route("POST", "/session/token", self._session, public=True),
            route("DELETE", "/session/token", self._logout, public=True),
            route("POST", "/session/refresh_token", self._renew, public=True),
            route("GET", "/user/profile", lambda _r, _p: x.session.profile()),
            route("GET", "/user/profile/full", lambda _r, _p: x.session.full_profile()),
            route("GET", "/user/margins", lambda _r, _p: {name: self._segment(name) for name in SEGMENTS}),
            route("GET", "/user/margins/{segment}", lambda _r, p: self._segment(p["segment"])),
            route("POST", "/orders/{variety}", self._place, "order"),
            route("PUT", "/orders/{variety}/{order_id}", self._modify),
            route("DELETE", "/orders/{variety}/{order_id}", self._cancel),
            route("GET", "/orders", lambda _r, _p: written(x.orders.written())),
            route("GET", "/orders/{order_id}", lambda _r, p: x.orders.find(p["order_id"]).shown_history()),
            route("GET", "/orders/{order_id}/trades", self._order_trades),
            route("GET", "/trades", lambda _r, _p: x.orders.trade_rows()),
            route("GET", "/portfolio/positions", lambda _r, _p: x.portfolio.position_rows()),
            route("PUT", "/portfolio/positions", self._convert),
            route("GET", "/portfolio/holdings", lambda _r, _p: x.portfolio.holding_rows()),
            route("GET", "/portfolio/holdings/summary", lambda _r, _p: x.portfolio.summary()),
            route("GET", "/portfolio/holdings/compact", lambda _r, _p: x.portfolio.compact_rows()),
            route("POST", "/portfolio/holdings/authorise", self._authorise),
            route("GET", "/portfolio/holdings/auctions", lambda _r, _p: x.varieties.auction_rows()),
            route("GET", "/instruments", self._instruments, public=True),
            route("GET", "/instruments/{exchange}", self._instruments, public=True),
            route("GET", "/instruments/trigger_range/{side}", self._trigger_range),
            route("GET", "/instruments/historical/{token}/{interval}", self._history, "historical"),
            route("GET", "/quote", lambda r, _p: self._quotes("quote", r), "quote"),
            route("GET", "/quote/ohlc", lambda r, _p: self._quotes("ohlc", r), "quote"),
            route("GET", "/quote/ltp", lambda r, _p: self._quotes("ltp", r), "quote"),
            route("GET", "/gtt/triggers", lambda _r, _p: written(x.gtts.written(x.now))),
            route("POST", "/gtt/triggers", lambda r, _p: {"trigger_id": x.gtts.place(r.form, x.now)}),
            route("GET", "/gtt/triggers/{id}", lambda _r, p: x.gtts.find(p["id"]).row()),
            route("PUT", "/gtt/triggers/{id}", lambda r, p: {"trigger_id": x.gtts.modify(p["id"], r.form, x.now)}),
            route("DELETE", "/gtt/triggers/{id}", lambda _r, p: {"trigger_id": x.gtts.delete(p["id"], x.now)}),
            route("POST", "/alerts", lambda r, _p: x.alerts.create(r.form, x.now)),
            route("GET", "/alerts", lambda _r, _p: x.alerts.rows()),
            route("DELETE", "/alerts", lambda r, _p: x.alerts.delete(r.values("uuid"), x.now)),
            route("GET", "/alerts/{uuid}", lambda _r, p: x.alerts.row(p["uuid"])),
            route("PUT", "/alerts/{uuid}", lambda r, p: x.alerts.modify(p["uuid"], r.form, x.now)),
            route("GET", "/alerts/{uuid}/history", lambda _r, p: x.alerts.find(p["uuid"]).history),
            route("POST", "/margins/orders", self._margins, changes=False),
            route("POST", "/margins/basket", self._basket, changes=False),
            route("POST", "/charges/orders", lambda r, _p: x.estimates.contract_note(r.body), changes=False),
            *_mutual_funds(MutualFunds(x.today, lambda: x.now, closed=not x.config.choices.mutual_funds)),
        ]

    def _login(self, request: Request, _parts: Parts) -> Response:
        token = self._exchange.session.request_token(request.value("api_key"))
        target = self._exchange.config.redirect or "/connect/finish"
        told = {"request_token": token, "action": "login", "type": "login", "status": "success"}
        query = urlencode([*told.items(), *parse_qsl(request.value("redirect_params"), keep_blank_values=True)])
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
        if request.value("refresh_token"):
            return self._exchange.session.forget(request.value("api_key"), request.value("refresh_token"))
        return self._exchange.session.logout(request.value("api_key"), request.value("access_token"))

    def _segment(self, name: str) -> dict[str, object]:
        if name not in SEGMENTS:
            raise invalid("Invalid `segment`.")
        return self._exchange.funds.segment(self._exchange.orders.live(), enabled=name == "equity")

    def _opened(self) -> Exchange:
        if self._exchange.over:
            raise refused(SHUT)
        return self._exchange

    def _place(self, request: Request, parts: Parts) -> object:
        exchange = self._exchange
        if parts["variety"] != "amo":
            self._opened()
        slices = request.form.get("autoslice", "").lower() == "true"
        ask = checks.read(exchange.listings, request.form, parts["variety"], frozen=not slices)
        if exchange.config.choices.tags == "alphanumeric" and not TAG.fullmatch(ask.tag or ""):
            raise invalid("Invalid `tag`. Only letters and digits are allowed.")
        placed = exchange.place(ask, slices=slices)
        if slices:
            return sliced_answer(placed, flat=exchange.config.choices.autoslice == "list")
        assert isinstance(placed[0], ClientOrder)
        return {"order_id": placed[0].order_id}

    def _modify(self, request: Request, parts: Parts) -> object:
        exchange = self._exchange
        order = exchange.orders.find(parts["order_id"])
        if order.ask.variety != parts["variety"]:
            raise not_found("order_id")
        if exchange.over and order.status != AMO:
            raise refused(SHUT)
        exchange.orders.modify(order.order_id, request.form, exchange.now)
        exchange.react(order.ask.listing)
        return {"order_id": order.order_id}

    def _cancel(self, _request: Request, parts: Parts) -> object:
        exchange = self._exchange
        order = exchange.varieties.cancel(parts["order_id"], parts["variety"], exchange.now)
        exchange.react(order.ask.listing)
        return {"order_id": order.order_id}

    def _convert(self, request: Request, _parts: Parts) -> object:
        exchange = self._opened()
        listing = checks.listing(exchange.listings, request.form)
        if exchange.varieties.squared(listing):
            raise refused(SQUARED_OFF)
        live = exchange.orders.live()
        return convert(exchange.listings, exchange.portfolio, exchange.funds, request.form, live)

    def _authorise(self, request: Request, _parts: Parts) -> object:
        exchange = self._exchange
        given = request.form.get("isin", "")
        exchange.portfolio.authorise(exchange.now, [given] if given else [])
        return {"request_id": f"sandbox{exchange.now % 10**12}"}

    def _trigger_range(self, request: Request, parts: Parts) -> object:
        if parts["side"] not in {"buy", "sell"}:
            raise invalid("Invalid `transaction_type`.")
        return quotes.trigger_range(self._exchange.listings, request)

    def _renew(self, request: Request, _parts: Parts) -> object:
        form = request.form
        return self._exchange.session.renew(
            form.get("api_key", ""), form.get("refresh_token", ""), form.get("checksum", "")
        )

    def _order_trades(self, _request: Request, parts: Parts) -> object:
        return self._exchange.orders.trade_rows(self._exchange.orders.find(parts["order_id"]))

    def _instruments(self, _request: Request, parts: Parts) -> Response:
        x, exchange = self._exchange, parts.get("exchange", "")
        return Response(HTTPStatus.OK, quotes.of_dump(x.text, exchange), CSV)

    def _history(self, request: Request, parts: Parts) -> object:
        x = self._exchange
        listing = x.listing(parts["token"])
        return {"candles": candles(listing, parts["interval"], request, x.past, x.today, x.now, x.faults)}

    def _margins(self, request: Request, _parts: Parts) -> object:
        return self._exchange.estimates.margins(request.body, compact=request.value("mode") == "compact")

    def _basket(self, request: Request, _parts: Parts) -> object:
        consider = request.value("consider_positions", "true").lower() == "true"
        live, compact = self._exchange.orders.live(), request.value("mode") == "compact"
        return self._exchange.estimates.basket(request.body, live, consider=consider, compact=compact)


def _mutual_funds(funds: MutualFunds) -> list[Route]:
    return [
        route("GET", "/mf/orders", lambda _r, _p: funds.orders()),
        route("GET", "/mf/orders/{id}", lambda _r, p: funds.order(p["id"])),
        route("GET", "/mf/sips", lambda _r, _p: funds.plans()),
        route("GET", "/mf/sips/{id}", lambda _r, p: funds.plan(p["id"])),
        route("GET", "/mf/holdings", lambda _r, _p: funds.holdings()),
        route("GET", "/mf/instruments", lambda _r, _p: Response(HTTPStatus.OK, funds.instruments(), CSV), public=True),
        route("GET", "/mf/holdings/{isin}", lambda _r, p: funds.holding(p["isin"])),
        route("GET", "/mf/allotments", lambda _r, _p: funds.allotted()),
        route("POST", "/mf/orders", lambda r, _p: funds.place(r.form)),
        route("DELETE", "/mf/orders/{id}", lambda _r, p: funds.cancel(p["id"])),
        route("POST", "/mf/sips", lambda r, _p: funds.begin_plan(r.form)),
        route("PUT", "/mf/sips/{id}", lambda r, p: funds.change_plan(p["id"], r.form)),
        route("DELETE", "/mf/sips/{id}", lambda _r, p: funds.end_plan(p["id"])),
    ]
