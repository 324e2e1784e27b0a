"""The routing table: which request means what."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import final
from urllib.parse import parse_qsl, urlencode

from brokers.sandbox.account.mutual_funds import MutualFunds
from brokers.sandbox.account.position_conversion import convert_position
from brokers.sandbox.api.admin_routes import WAKE, admin_table, is_admin
from brokers.sandbox.api.fault_responses import BEHIND_SECONDS, PastAnswers, faulty_response
from brokers.sandbox.api.routing import ApiRoute, Parts, RouteTable, route
from brokers.sandbox.clients import quotes
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.faults import REQUEST
from brokers.sandbox.http import (
    CSV,
    SandboxApiError,
    SandboxRequest,
    SandboxResponse,
    invalid,
    not_found,
    refused,
    required_field,
    success_from_json,
    success_response,
)
from brokers.sandbox.market import order_checks
from brokers.sandbox.market.client_order import AMO, ClientOrder
from brokers.sandbox.market.session_phases import SHUT
from brokers.sandbox.orders.order_varieties import SQUARED_OFF, sliced_answer
from brokers.sandbox.universe.price_history import candle_rows

SEGMENTS = ("equity", "commodity")
TAG = re.compile("[A-Za-z0-9]*")
UNREGISTERED = "Orders are accepted from a registered static IP address only."


@final
class SandboxApi:
    """Kite's REST face of an exchange, plus the sandbox's admin routes."""

    def __init__(self, exchange: SandboxExchange) -> None:
        self.on_performed: Callable[[SandboxRequest, int], None] | None = None
        """Called with every request that changed something, and its time: the state keeps it."""
        self._exchange = exchange
        self._past = PastAnswers()
        exchange.on_wake = self._remember_waking
        self._routes = RouteTable([*self._kite_routes(), *admin_table(exchange)])

    def respond(self, request: SandboxRequest) -> SandboxResponse:
        """Answer a request at the exchange's present instant; never raises for a bad one."""
        exchange = self._exchange
        if exchange.faults and not is_admin(request.path):
            fault = exchange.faults.strike(REQUEST, request.text, request.fields, exchange.now)
            if fault is not None and fault.kind == "behind":
                return self._past.delayed_answer(
                    request, self.perform(request), exchange.now, fault.seconds_or(BEHIND_SECONDS)
                )
            if fault is not None:
                return faulty_response(
                    fault,
                    lambda: self.perform(request),
                    exchange.session,
                    frozen=exchange.clock_stands,
                )
        return self.perform(request)

    def perform(self, request: SandboxRequest) -> SandboxResponse:
        """Answer a request, faults aside."""
        try:
            entry, parts = self._routes.find_route(request)
            self._admit_request(entry, request)
            answer = entry.action(request, parts)
        except SandboxApiError as error:
            return self._worded_error(error).response()
        if self.on_performed is not None and entry.changes:
            self.on_performed(request, self._exchange.now)
        return answer if isinstance(answer, SandboxResponse) else success_response(answer)

    def _admit_request(self, entry: ApiRoute, request: SandboxRequest) -> None:
        """Raise `SandboxApiError` without a session, from a wrong address, or beyond the rate."""
        if not entry.public:
            self._exchange.session.authorise(request.authorization)
        if entry.places_order and not self._exchange.config.choices.registered_ip:
            raise SandboxApiError(HTTPStatus.FORBIDDEN, "PermissionException", UNREGISTERED)
        if entry.rate:
            self._exchange.limits.admit_request(entry.rate, self._exchange.now)

    def _worded_error(self, error: SandboxApiError) -> SandboxApiError:
        """Return a refusal under the status and type that were chosen for it."""
        for text, status, error_type in self._exchange.config.choices.errors:
            if error.message.startswith(text):
                return SandboxApiError(status, error_type, error.message)
        return error

    def _quote_rows(self, kind: str, request: SandboxRequest) -> object:
        x = self._exchange
        cut = x.config.choices.quote_excess == "cut"
        return quotes.quote_rows(kind, x.listings, x.tokens, request, x.stamp, cut=cut)

    def _remember_waking(self, key: str) -> None:
        """Have a waking remembered, as what moves afterwards depends on it."""
        if self.on_performed is not None:
            self.on_performed(SandboxRequest("POST", WAKE, form={"key": key}), self._exchange.now)

    def _kite_routes(self) -> list[ApiRoute]:
        x = self._exchange
        return [
            route("GET", "/connect/login", self._answer_login, "", public=True, changes=True),
            route("GET", "/connect/finish", self._finish_login, "", public=True),
            route("POST", "/session/token", self._create_session, public=True),
            route("DELETE", "/session/token", self._end_session, public=True),
            route("POST", "/session/refresh_token", self._renew_session, public=True),
            route("GET", "/user/profile", lambda _r, _p: x.session.profile()),
            route("GET", "/user/profile/full", lambda _r, _p: x.session.full_profile()),
            route(
                "GET",
                "/user/margins",
                lambda _r, _p: {name: self._funds_segment(name) for name in SEGMENTS},
            ),
            route(
                "GET", "/user/margins/{segment}", lambda _r, p: self._funds_segment(p["segment"])
            ),
            route("POST", "/orders/{variety}", self._place_order, "order"),
            route("PUT", "/orders/{variety}/{order_id}", self._modify_order),
            route("DELETE", "/orders/{variety}/{order_id}", self._cancel_order),
            route("GET", "/orders", lambda _r, _p: success_from_json(x.orders.book_json())),
            route(
                "GET",
                "/orders/{order_id}",
                lambda _r, p: x.orders.find_order(p["order_id"]).shown_history(),
            ),
            route("GET", "/orders/{order_id}/trades", self._order_trades),
            route("GET", "/trades", lambda _r, _p: x.orders.trade_rows()),
            route("GET", "/portfolio/positions", lambda _r, _p: x.portfolio.position_rows()),
            route("PUT", "/portfolio/positions", self._convert_position),
            route("GET", "/portfolio/holdings", lambda _r, _p: x.portfolio.holding_rows()),
            route("GET", "/portfolio/holdings/summary", lambda _r, _p: x.portfolio.summary()),
            route("GET", "/portfolio/holdings/compact", lambda _r, _p: x.portfolio.compact_rows()),
            route("POST", "/portfolio/holdings/authorise", self._authorise_holdings),
            route("GET", "/portfolio/holdings/auctions", lambda _r, _p: x.varieties.auction_rows()),
            route("GET", "/instruments", self._instrument_dump, public=True),
            route("GET", "/instruments/{exchange}", self._instrument_dump, public=True),
            route("GET", "/instruments/trigger_range/{side}", self._trigger_range),
            route(
                "GET",
                "/instruments/historical/{token}/{interval}",
                self._candle_history,
                "historical",
            ),
            route("GET", "/quote", lambda r, _p: self._quote_rows("quote", r), "quote"),
            route("GET", "/quote/ohlc", lambda r, _p: self._quote_rows("ohlc", r), "quote"),
            route("GET", "/quote/ltp", lambda r, _p: self._quote_rows("ltp", r), "quote"),
            route(
                "GET", "/gtt/triggers", lambda _r, _p: success_from_json(x.gtts.listed_json(x.now))
            ),
            route(
                "POST",
                "/gtt/triggers",
                lambda r, _p: {"trigger_id": x.gtts.place_gtt(r.form, x.now)},
            ),
            route("GET", "/gtt/triggers/{id}", lambda _r, p: x.gtts.find_gtt(p["id"]).row()),
            route(
                "PUT",
                "/gtt/triggers/{id}",
                lambda r, p: {"trigger_id": x.gtts.modify_gtt(p["id"], r.form, x.now)},
            ),
            route(
                "DELETE",
                "/gtt/triggers/{id}",
                lambda _r, p: {"trigger_id": x.gtts.delete_gtt(p["id"], x.now)},
            ),
            route("POST", "/alerts", lambda r, _p: x.alerts.create(r.form, x.now)),
            route("GET", "/alerts", lambda _r, _p: x.alerts.rows()),
            route("DELETE", "/alerts", lambda r, _p: x.alerts.delete(r.values("uuid"), x.now)),
            route("GET", "/alerts/{uuid}", lambda _r, p: x.alerts.row(p["uuid"])),
            route("PUT", "/alerts/{uuid}", lambda r, p: x.alerts.modify(p["uuid"], r.form, x.now)),
            route("GET", "/alerts/{uuid}/history", lambda _r, p: x.alerts.find(p["uuid"]).history),
            route("POST", "/margins/orders", self._order_margins, changes=False),
            route("POST", "/margins/basket", self._basket_margins, changes=False),
            route(
                "POST",
                "/charges/orders",
                lambda r, _p: x.estimates.contract_note(r.body),
                changes=False,
            ),
            *_mutual_fund_routes(
                MutualFunds(x.today, lambda: x.now, closed=not x.config.choices.mutual_funds)
            ),
        ]

    def _answer_login(self, request: SandboxRequest, _parts: Parts) -> SandboxResponse:
        token = self._exchange.session.request_token(request.value("api_key"))
        target = self._exchange.config.redirect or "/connect/finish"
        told = {"request_token": token, "action": "login", "type": "login", "status": "success"}
        query = urlencode(
            [*told.items(), *parse_qsl(request.value("redirect_params"), keep_blank_values=True)]
        )
        joint = "&" if "?" in target else "?"
        return SandboxResponse(HTTPStatus.FOUND, b"", "text/html", f"{target}{joint}{query}")

    def _finish_login(self, request: SandboxRequest, _parts: Parts) -> SandboxResponse:
        token = "".join(letter for letter in request.value("request_token") if letter.isalnum())
        page = (
            "<!doctype html><title>Sandbox login</title><p>Logged in. Request token: "
            f"<code>{token}</code></p>"
        )
        return SandboxResponse(HTTPStatus.OK, page.encode(), "text/html")

    def _create_session(self, request: SandboxRequest, _parts: Parts) -> object:
        form = request.form
        api_key, token = required_field(form, "api_key"), required_field(form, "request_token")
        return self._exchange.session.exchange_token(
            api_key, token, required_field(form, "checksum"), self._exchange.now
        )

    def _end_session(self, request: SandboxRequest, _parts: Parts) -> object:
        if request.value("refresh_token"):
            return self._exchange.session.forget_refresh(
                request.value("api_key"), request.value("refresh_token")
            )
        return self._exchange.session.logout(
            request.value("api_key"), request.value("access_token")
        )

    def _funds_segment(self, name: str) -> dict[str, object]:
        if name not in SEGMENTS:
            raise invalid("Invalid `segment`.")
        return self._exchange.funds.segment_row(
            self._exchange.orders.live_orders(), enabled=name == "equity"
        )

    def _require_open(self) -> SandboxExchange:
        if self._exchange.is_over:
            raise refused(SHUT)
        return self._exchange

    def _place_order(self, request: SandboxRequest, parts: Parts) -> object:
        exchange = self._exchange
        if parts["variety"] != "amo":
            self._require_open()
        slices = request.form.get("autoslice", "").lower() == "true"
        ask = order_checks.read_order(
            exchange.listings, request.form, parts["variety"], frozen=not slices
        )
        if exchange.config.choices.tags == "alphanumeric" and not TAG.fullmatch(ask.tag or ""):
            raise invalid("Invalid `tag`. Only letters and digits are allowed.")
        placed = exchange.place_order(ask, slices=slices)
        if slices:
            return sliced_answer(placed, flat=exchange.config.choices.autoslice == "list")
        assert isinstance(placed[0], ClientOrder)
        return {"order_id": placed[0].order_id}

    def _modify_order(self, request: SandboxRequest, parts: Parts) -> object:
        exchange = self._exchange
        order = exchange.orders.find_order(parts["order_id"])
        if order.ask.variety != parts["variety"]:
            raise not_found("order_id")
        if exchange.is_over and order.status != AMO:
            raise refused(SHUT)
        exchange.orders.modify_order(order.order_id, request.form, exchange.now)
        exchange.react_to_prices(order.ask.listing)
        return {"order_id": order.order_id}

    def _cancel_order(self, _request: SandboxRequest, parts: Parts) -> object:
        exchange = self._exchange
        order = exchange.varieties.cancel_order(parts["order_id"], parts["variety"], exchange.now)
        exchange.react_to_prices(order.ask.listing)
        return {"order_id": order.order_id}

    def _convert_position(self, request: SandboxRequest, _parts: Parts) -> object:
        exchange = self._require_open()
        listing = order_checks.find_listing(exchange.listings, request.form)
        if exchange.varieties.is_squared_off(listing):
            raise refused(SQUARED_OFF)
        live = exchange.orders.live_orders()
        return convert_position(
            exchange.listings, exchange.portfolio, exchange.funds, request.form, live
        )

    def _authorise_holdings(self, request: SandboxRequest, _parts: Parts) -> object:
        exchange = self._exchange
        given = request.form.get("isin", "")
        exchange.portfolio.authorise(exchange.now, [given] if given else [])
        return {"request_id": f"sandbox{exchange.now % 10**12}"}

    def _trigger_range(self, request: SandboxRequest, parts: Parts) -> object:
        if parts["side"] not in {"buy", "sell"}:
            raise invalid("Invalid `transaction_type`.")
        return quotes.trigger_range(self._exchange.listings, request)

    def _renew_session(self, request: SandboxRequest, _parts: Parts) -> object:
        form = request.form
        return self._exchange.session.renew(
            form.get("api_key", ""), form.get("refresh_token", ""), form.get("checksum", "")
        )

    def _order_trades(self, _request: SandboxRequest, parts: Parts) -> object:
        return self._exchange.orders.trade_rows(self._exchange.orders.find_order(parts["order_id"]))

    def _instrument_dump(self, _request: SandboxRequest, parts: Parts) -> SandboxResponse:
        x, exchange = self._exchange, parts.get("exchange", "")
        return SandboxResponse(HTTPStatus.OK, quotes.dump_part(x.dump_text, exchange), CSV)

    def _candle_history(self, request: SandboxRequest, parts: Parts) -> object:
        x = self._exchange
        listing = x.find_by_token(parts["token"])
        return {
            "candles": candle_rows(
                listing,
                parts["interval"],
                request=request,
                past=x.past,
                today=x.today,
                now=x.now,
                faults=x.faults,
            )
        }

    def _order_margins(self, request: SandboxRequest, _parts: Parts) -> object:
        return self._exchange.estimates.margins(
            request.body, compact=request.value("mode") == "compact"
        )

    def _basket_margins(self, request: SandboxRequest, _parts: Parts) -> object:
        consider = request.value("consider_positions", "true").lower() == "true"
        live, compact = self._exchange.orders.live_orders(), request.value("mode") == "compact"
        return self._exchange.estimates.basket(
            request.body, live, consider=consider, compact=compact
        )


def _mutual_fund_routes(funds: MutualFunds) -> list[ApiRoute]:
    return [
        route("GET", "/mf/orders", lambda _r, _p: funds.orders()),
        route("GET", "/mf/orders/{id}", lambda _r, p: funds.order(p["id"])),
        route("GET", "/mf/sips", lambda _r, _p: funds.plans()),
        route("GET", "/mf/sips/{id}", lambda _r, p: funds.plan(p["id"])),
        route("GET", "/mf/holdings", lambda _r, _p: funds.holdings()),
        route(
            "GET",
            "/mf/instruments",
            lambda _r, _p: SandboxResponse(HTTPStatus.OK, funds.instruments(), CSV),
            public=True,
        ),
        route("GET", "/mf/holdings/{isin}", lambda _r, p: funds.holding(p["isin"])),
        route("GET", "/mf/allotments", lambda _r, _p: funds.allotted()),
        route("POST", "/mf/orders", lambda r, _p: funds.place(r.form)),
        route("DELETE", "/mf/orders/{id}", lambda _r, p: funds.cancel(p["id"])),
        route("POST", "/mf/sips", lambda r, _p: funds.begin_plan(r.form)),
        route("PUT", "/mf/sips/{id}", lambda r, p: funds.change_plan(p["id"], r.form)),
        route("DELETE", "/mf/sips/{id}", lambda _r, p: funds.end_plan(p["id"])),
    ]
