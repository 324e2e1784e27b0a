"""Price alerts: simple ones that count, and ATO ones that place a basket of orders.

An alert fires when its condition becomes true, and again after it has been false. An ATO alert
fires once.
"""

from collections.abc import Callable, Mapping
from itertools import count
from operator import eq, ge, gt, le, lt
from typing import final
from uuid import UUID, uuid5

import msgspec

from brokers.sandbox import kite_times
from brokers.sandbox.clients.quotes import quote_row
from brokers.sandbox.http import (
    Form,
    SandboxApiError,
    choice_field,
    decimal_field,
    invalid,
    not_found,
    parse_json,
    required_field,
)
from brokers.sandbox.market import order_checks
from brokers.sandbox.market.client_order import ClientOrder, OrderRequest
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex
from brokers.sandbox.market.order_checks import Listings

MOST = 500
NAMESPACE = UUID("6f1f4f2e-6f0b-4a59-9c5a-53414e44424f")
ATTRIBUTE = "LastTradedPrice"
INDICES = "INDICES"
"""How alerts name the exchange of an index."""
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": le,
    ">=": ge,
    "<": lt,
    ">": gt,
    "==": eq,
}
STATUSES = ("enabled", "disabled", "deleted")
SIDES = ("lhs", "rhs")
QUIET: dict[str, object] = {
    "last_trade_time": None,
    "last_quantity": 0,
    "buy_quantity": 0,
    "sell_quantity": 0,
    "volume": 0,
    "volume_tick": 0,
    "average_price": 0,
    "oi": 0,
    "oi_day_high": 0,
    "oi_day_low": 0,
    "lower_circuit_limit": 0,
    "upper_circuit_limit": 0,
    "depth": None,
}
"""What the history of an alert has of an index, which does not trade."""

Place = Callable[[list[OrderRequest]], list[ClientOrder]]


class AlertBasketItem(msgspec.Struct):
    """One order of an ATO alert's basket."""

    exchange: str
    tradingsymbol: str
    params: dict[str, object]


class AlertBasket(msgspec.Struct):
    """Orders that an ATO alert places."""

    items: list[AlertBasketItem]


@final
class PriceAlert:
    """One alert of the account."""

    def __init__(self, uuid: str, form: Form, now: int) -> None:
        self.uuid = uuid
        self.form = dict(form)
        self.status = "enabled"
        self.created = self.updated = now
        self.count = 0
        self.was_true = False
        self.history: list[dict[str, object]] = []

    def row(self, user_id: str) -> dict[str, object]:
        """Return the alert as Kite shows it."""
        form = self.form
        constant = form.get("rhs_type") == "constant"
        row: dict[str, object] = {
            "uuid": self.uuid,
            "user_id": user_id,
            "name": form["name"],
            "type": form["type"],
            "status": self.status,
            "disabled_reason": "",
            "lhs_attribute": form["lhs_attribute"],
            "lhs_exchange": form["lhs_exchange"],
            "lhs_tradingsymbol": form["lhs_tradingsymbol"],
            "operator": form["operator"],
            "rhs_type": form["rhs_type"],
            "rhs_constant": float(form["rhs_constant"]) if constant else 0,
            "rhs_attribute": form.get("rhs_attribute", ""),
            "rhs_exchange": form.get("rhs_exchange", ""),
            "rhs_tradingsymbol": form.get("rhs_tradingsymbol", ""),
            "alert_count": self.count,
            "created_at": kite_times.text(self.created),
            "updated_at": kite_times.text(self.updated),
        }
        return row | ({"basket": parse_json(form["basket"])} if form["type"] == "ato" else {})


@final
class AlertDesk:
    """The account's alerts."""

    def __init__(self, user_id: str, seed: int, listings: Listings, place: Place) -> None:
        self.alerts: dict[str, PriceAlert] = {}
        self._user_id = user_id
        self._seed = seed
        self._listings = listings
        self._place = place
        self._numbers = count(1)

    def create(self, form: Form, now: int) -> dict[str, object]:
        """Make an alert."""
        self._check_form(form)
        if sum(alert.status == "enabled" for alert in self.alerts.values()) >= MOST:
            raise invalid(f"You can have at most {MOST} active alerts.")
        # From the seed and a count: the same day has the same names.
        uuid = str(uuid5(NAMESPACE, f"{self._seed}:{self._user_id}:{next(self._numbers)}"))
        self.alerts[uuid] = alert = PriceAlert(uuid, form, now)
        return alert.row(self._user_id)

    def modify(self, uuid: str, form: Form, now: int) -> dict[str, object]:
        """Replace the terms of an alert, its status too where one is given."""
        alert = self.find(uuid)
        status = choice_field(form, "status", STATUSES[:2], alert.status)
        merged = alert.form | {key: value for key, value in form.items() if key != "status"}
        self._check_form(merged)
        # With new terms it may fire at once, whether the old ones held or not.
        alert.form, alert.status, alert.updated, alert.was_true = merged, status, now, False
        return alert.row(self._user_id)

    def delete(self, uuids: list[str], now: int) -> None:
        """Delete alerts; they stay visible under their uuid."""
        if not uuids:
            raise invalid("Missing or empty field `uuid`")
        for alert in [self.find(uuid) for uuid in uuids]:
            alert.status, alert.updated = "deleted", now

    def find(self, uuid: str) -> PriceAlert:
        """Return an alert."""
        if uuid not in self.alerts:
            raise not_found("uuid")
        return self.alerts[uuid]

    def rows(self) -> list[dict[str, object]]:
        """Return every alert that is not deleted."""
        return [
            alert.row(self._user_id) for alert in self.alerts.values() if alert.status != "deleted"
        ]

    def row(self, uuid: str) -> dict[str, object]:
        """Return one alert."""
        return self.find(uuid).row(self._user_id)

    def forms(self) -> list[dict[str, str]]:
        """Return the requests that make the enabled alerts again."""
        return [alert.form for alert in self.alerts.values() if alert.status == "enabled"]

    def fire_due_alerts(self, now: int) -> None:
        """Fire every alert with a condition that has become true."""
        for alert in self.alerts.values():
            if alert.status != "enabled":
                continue
            true = self._condition_holds(alert.form)
            if true and not alert.was_true:
                self._fire_alert(alert, now)
            # Only a change from false to true fires: a price that stays beyond is one event.
            alert.was_true = true

    def _condition_holds(self, form: Form) -> bool:
        left = self._priced_listing(form, "lhs").ltp
        right = (
            float(form["rhs_constant"])
            if form["rhs_type"] == "constant"
            else self._priced_listing(form, "rhs").ltp
        )
        return OPERATORS[form["operator"]](left, right)

    def _fire_alert(self, alert: PriceAlert, now: int) -> None:
        alert.count += 1
        listing = self._priced_listing(alert.form, "lhs")
        orders: list[ClientOrder] = []
        if alert.form["type"] == "ato":
            # Before its orders leave: their fills move the price that it watches.
            alert.status = "disabled"
            orders = self._place(self._basket_requests(alert.form))
        form = alert.form
        meta = QUIET | quote_row("quote", listing, now)
        del meta["depth"]
        meta |= {"exchange": form["lhs_exchange"], "tradingsymbol": form["lhs_tradingsymbol"]}
        left, right = (
            f'{ATTRIBUTE}("{form.get(f"{side}_exchange")}:{form.get(f"{side}_tradingsymbol")}")'
            for side in SIDES
        )
        against = form["rhs_constant"] if form["rhs_type"] == "constant" else right
        alert.history.append(
            {
                "uuid": alert.uuid,
                "type": alert.form["type"],
                "meta": [meta],
                "condition": f"{left} {form['operator']} {against}",
                "created_at": kite_times.text(now),
                "order_meta": [
                    {"order_id": order.order_id, "status": order.status} for order in orders
                ]
                or None,
            }
        )

    def _priced_listing(self, form: Form, side: str) -> ExchangeListing | ListedIndex:
        exchange, symbol = (
            required_field(form, f"{side}_exchange"),
            required_field(form, f"{side}_tradingsymbol"),
        )
        # Alerts have an exchange of their own for indices, which the dump lists under NSE.
        found = self._listings.get(f"{'NSE' if exchange == INDICES else exchange}:{symbol}")
        if found is None or isinstance(found, ListedIndex) != (exchange == INDICES):
            raise invalid(f"Invalid `{side}_tradingsymbol`.")
        return found

    def _check_form(self, form: Form) -> None:
        required_field(form, "name")
        choice_field(form, "type", ("simple", "ato"))
        choice_field(form, "lhs_attribute", (ATTRIBUTE,))
        choice_field(form, "operator", tuple(OPERATORS))
        self._priced_listing(form, "lhs")
        if choice_field(form, "rhs_type", ("constant", "instrument")) == "constant":
            required_field(form, "rhs_constant")
            decimal_field(form, "rhs_constant")
        else:
            self._priced_listing(form, "rhs")
        # Read when it is made, so that a basket that could never be placed is refused in time.
        if form["type"] == "ato":
            self._basket_requests(form)

    def _basket_requests(self, form: Form) -> list[OrderRequest]:
        try:
            basket = msgspec.convert(parse_json(required_field(form, "basket")), AlertBasket)
        except (ValueError, RecursionError):
            raise invalid("Invalid `basket`.") from None
        forms = [
            {"exchange": item.exchange, "tradingsymbol": item.tradingsymbol}
            | {key: str(value) for key, value in item.params.items()}
            for item in basket.items
        ]
        if not forms:
            raise invalid("Invalid `basket`.")
        try:
            return [
                order_checks.read_order(
                    self._listings, {k: str(v) for k, v in one.items()}, "regular"
                )
                for one in forms
            ]
        except SandboxApiError as error:
            raise invalid(f"Invalid `basket`: {error.message}") from None
