"""GTTs: triggers on the last price that send LIMIT DAY orders, one leg or the two of an OCO."""

import json
from collections.abc import Callable
from typing import NamedTuple, final

import msgspec

from brokers.sandbox import kite_times
from brokers.sandbox.account.carried_account import FIRST_ID, CarriedGtt
from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.http import (
    Form,
    SandboxApiError,
    decimal_field,
    invalid,
    not_found,
    parse_json,
    required_field,
)
from brokers.sandbox.market import order_checks
from brokers.sandbox.market.client_order import ClientOrder, OrderRequest
from brokers.sandbox.market.exchange_listing import ExchangeListing
from brokers.sandbox.market.order_checks import Listings

PRODUCTS = ("CNC", "NRML", "MTF")
LISTED_DAYS = 7
HIGHEST = 1e7
"""Rupees; no share trades anywhere near."""

Send = Callable[[OrderRequest, int], ClientOrder]
"""Send an order now; raises `SandboxApiError` where it is refused."""


class GttCondition(NamedTuple):
    """Condition of a GTT."""

    listing: ExchangeListing
    kind: str
    triggers: tuple[float, ...]
    last_price: float


@final
class ClientGtt:
    """One GTT of the account."""

    def __init__(
        self,
        trigger_id: int,
        user_id: str,
        condition: GttCondition,
        legs: list[OrderRequest],
        form: dict[str, str],
        now: int,
    ) -> None:
        self.trigger_id = trigger_id
        self.form = form
        self.user_id = user_id
        self.condition = condition
        self.legs = legs
        self.results: list[dict[str, object] | None] = [None] * len(legs)
        self.status = "active"
        self.created = now
        self.updated = now
        self._written: tuple[tuple[object, ...], str] | None = None

    def reached_leg(self, low: int, high: int) -> int:
        """Return the leg that prices from `low` to `high` have reached, the lower first, or -1."""
        condition = self.condition
        ticks = condition.listing.instrument.ticks
        for leg, price in enumerate(condition.triggers):
            # the side a trigger is reached from follows from the price that its client named, as at
            # Kite
            falling = price < condition.last_price
            if (low <= ticks(price)) if falling else (high >= ticks(price)):
                return leg
        return -1

    @property
    def expires(self) -> int:
        """Return when it dies: after a year, a contract's at the end of its last day."""
        listing = self.condition.listing
        if listing.contract is not None:
            return kite_times.midnight(listing.contract.expiry.isoformat()) + kite_times.DAY
        return self.created + listing.rules.gtt.days * kite_times.DAY

    def row(self) -> dict[str, object]:
        """Return the GTT as Kite shows it."""
        instrument = self.condition.listing.instrument
        return {
            "id": self.trigger_id,
            "user_id": self.user_id,
            "parent_trigger": None,
            "type": self.condition.kind,
            "created_at": kite_times.text(self.created),
            "updated_at": kite_times.text(self.updated),
            "expires_at": kite_times.text(self.expires),
            "status": self.status,
            "condition": {
                "exchange": instrument.exchange,
                "last_price": self.condition.last_price,
                "tradingsymbol": instrument.symbol,
                "trigger_values": list(self.condition.triggers),
                "instrument_token": instrument.token,
            },
            "orders": [
                _leg_row(leg) | {"result": result}
                for leg, result in zip(self.legs, self.results, strict=True)
            ],
            "meta": {},
        }

    def row_json(self) -> str:
        """Return `row` as JSON, written anew only when something of it has changed."""
        stands = (self.status, self.updated, self.condition, *self.legs, *self.results)
        if self._written is None or self._written[0] != stands:
            self._written = (stands, json.dumps(self.row()))
        return self._written[1]


def _leg_row(leg: OrderRequest) -> dict[str, object]:
    return {
        "exchange": leg.listing.instrument.exchange,
        "tradingsymbol": leg.listing.instrument.symbol,
        "product": leg.product,
        "order_type": leg.order_type,
        "transaction_type": "BUY" if leg.buys else "SELL",
        "quantity": leg.quantity,
        "price": leg.price,
    }


@final
class GttDesk:
    """The account's GTTs."""

    def __init__(
        self, user_id: str, listings: Listings, send: Send, choices: KiteAssumptions
    ) -> None:
        self._choices = choices
        self.triggers: dict[int, ClientGtt] = {}
        # by token: these alone are looked at with every price
        self._active: dict[int, list[ClientGtt]] = {}
        self._user_id = user_id
        self._listings = listings
        self._send = send
        self.next_id = FIRST_ID

    def place_gtt(self, form: Form, now: int) -> int:
        """Accept a GTT and return its id."""
        condition, legs = self._read_form(form)
        most = condition.listing.rules.gtt.active
        if sum(len(waiting) for waiting in self._active.values()) >= most:
            raise invalid(f"You can have at most {most} active GTTs.")
        trigger = ClientGtt(
            self.next_id, self._user_id, condition=condition, legs=legs, form=dict(form), now=now
        )
        self.next_id += 1
        self._add_gtt(trigger)
        return trigger.trigger_id

    def _add_gtt(self, trigger: ClientGtt) -> None:
        self.triggers[trigger.trigger_id] = trigger
        if trigger.status == "active":
            self._active.setdefault(int(trigger.condition.listing.instrument.token), []).append(
                trigger
            )

    def restore_gtt(self, old: CarriedGtt) -> None:
        """Put a GTT of an earlier day back, whatever the price has done since."""
        condition, legs = self._read_form(old.form, fresh=False)
        trigger = ClientGtt(
            old.trigger_id,
            self._user_id,
            condition=condition,
            legs=legs,
            form=old.form,
            now=old.created,
        )
        trigger.status, trigger.updated = old.status, old.updated or old.created
        trigger.results = list(old.results) or trigger.results
        self._add_gtt(trigger)
        self.next_id = max(self.next_id, old.trigger_id + 1)

    def expire_gtts(self, now: int) -> None:
        """Retire the GTTs after their year, or their contract's end."""
        for trigger in list(self.triggers.values()):
            if trigger.status == "active" and now >= trigger.expires:
                self._retire_gtt(trigger, "expired", now)

    def listed_json(self, now: int) -> str:
        """Return the listed GTTs as JSON, as Kite shows them."""
        return f"[{', '.join(trigger.row_json() for trigger in self.listed_gtts(now))}]"

    def listed_gtts(self, now: int) -> list[ClientGtt]:
        """Return the active GTTs, and what else there was in the last seven days."""
        recent = now - LISTED_DAYS * kite_times.DAY
        return [t for t in self.triggers.values() if t.status == "active" or t.updated >= recent]

    def modify_gtt(self, trigger_id: str, form: Form, now: int) -> int:
        """Replace everything an active GTT says; a refused change leaves it as it was."""
        trigger = self._active_gtt(trigger_id, "modified")
        condition, legs = self._read_form(form)
        if condition.listing is not trigger.condition.listing:
            raise invalid("The instrument of a GTT cannot be changed.")
        trigger.condition, trigger.legs, trigger.updated, trigger.form = (
            condition,
            legs,
            now,
            dict(form),
        )
        trigger.results = [None] * len(legs)
        return trigger.trigger_id

    def delete_gtt(self, trigger_id: str, now: int) -> int:
        """Delete an active GTT."""
        trigger = self._active_gtt(trigger_id, "deleted")
        self._retire_gtt(trigger, "deleted", now)
        return trigger.trigger_id

    def find_gtt(self, trigger_id: str) -> ClientGtt:
        """Return a GTT by its id."""
        trigger = self.triggers.get(int(trigger_id)) if trigger_id.isdecimal() else None
        if trigger is None:
            raise not_found("trigger_id")
        return trigger

    def _active_gtt(self, trigger_id: str, verb: str) -> ClientGtt:
        trigger = self.find_gtt(trigger_id)
        if trigger.status != "active":
            raise invalid(f"Trigger cannot be {verb} as it is {trigger.status}.")
        return trigger

    def _retire_gtt(self, trigger: ClientGtt, status: str, now: int) -> None:
        trigger.status, trigger.updated = status, now
        self._active[int(trigger.condition.listing.instrument.token)].remove(trigger)

    def fire_reached(self, listing: ExchangeListing, low: int, high: int, now: int) -> bool:
        """Send the legs that prices between `low` and `high` have reached.

        Return whether any were.
        """
        waiting = self._active.get(int(listing.instrument.token))
        if not waiting:
            return False
        # found first: retiring takes them off the list that is walked
        due = [
            (trigger, leg) for trigger in waiting if (leg := trigger.reached_leg(low, high)) >= 0
        ]
        for trigger, leg in due:
            # over before its order is sent: a GTT fires once, whatever becomes of the order
            self._retire_gtt(trigger, "triggered", now)
            trigger.results[leg] = self._leg_result(trigger, trigger.legs[leg], now)
        return bool(due)

    def _leg_result(self, trigger: ClientGtt, leg: OrderRequest, now: int) -> dict[str, object]:
        order_id, reason = "", ""
        try:
            order = self._send(leg, now)
        except SandboxApiError as error:
            reason = error.message
        else:
            order_id, reason = order.order_id, order.message or ""
        return _leg_row(leg) | {
            "account_id": self._user_id,
            "validity": "DAY",
            "meta": json.dumps({"app_id": 1, "trigger_id": trigger.trigger_id}),
            "timestamp": kite_times.text(now),
            "triggered_at": leg.listing.ltp,
            "order_result": {
                "status": "failed" if reason else self._choices.gtt_success,
                "order_id": order_id,
                "rejection_reason": reason,
            },
        }

    def _read_form(
        self, form: Form, *, fresh: bool = True
    ) -> tuple[GttCondition, list[OrderRequest]]:
        kind = required_field(form, "type")
        if kind not in {"single", "two-leg"}:
            raise invalid("Invalid `type`.")
        condition = self._read_condition(kind, _parsed_field(form, "condition"), fresh=fresh)
        orders = _parsed_field(form, "orders")
        if not isinstance(orders, list) or len(orders) != len(condition.triggers):
            raise invalid("Number of orders should match the number of trigger values.")
        return condition, [self._read_leg(condition, order) for order in orders]

    def _read_condition(self, kind: str, given: object, *, fresh: bool) -> GttCondition:
        if not isinstance(given, dict):
            raise invalid("Invalid `condition`.")
        fields = {key: str(value) for key, value in given.items()}
        values = given.get("trigger_values")
        try:
            triggers = msgspec.convert(values, tuple[float, ...])
        except msgspec.ValidationError:
            raise invalid("Invalid `condition`.") from None
        required_field(fields, "last_price")
        last = decimal_field(fields, "last_price")
        if len(triggers) != (1 if kind == "single" else 2):
            raise invalid("Invalid `trigger_values`.")
        condition = GttCondition(
            order_checks.find_listing(self._listings, fields), kind, triggers, last
        )
        # those of a carried GTT were checked when it was placed, at the price of that day
        if fresh:
            _check_triggers(condition, far=self._choices.gtt_distance)
        return condition

    def _read_leg(self, condition: GttCondition, given: object) -> OrderRequest:
        if not isinstance(given, dict):
            raise invalid("Invalid `orders`.")
        form = {key: str(value) for key, value in given.items()}
        if form.get("order_type") == "MARKET" and self._choices.gtt_market:
            form |= {"market_protection": "-1", "price": ""}
        elif form.get("order_type") != "LIMIT":
            raise invalid("Invalid `order_type`. Only LIMIT orders are allowed in GTT.")
        if form.get("product") not in PRODUCTS:
            raise invalid("Invalid `product`. Only CNC, NRML and MTF are allowed in GTT.")
        instrument = condition.listing.instrument
        if (
            instrument.kind == "EQ"
            and condition.kind == "two-leg"
            and form.get("transaction_type") == "BUY"
        ):
            raise invalid("Buy OCO orders are allowed in F&O only.")
        form |= {
            "exchange": instrument.exchange,
            "tradingsymbol": instrument.symbol,
            "tag": "",
            "validity": "DAY",
        }
        return order_checks.read_order({condition.listing.key: condition.listing}, form, "regular")


def _parsed_field(form: Form, key: str) -> object:
    try:
        return parse_json(required_field(form, key))
    except ValueError:
        raise invalid(f"Invalid `{key}`.") from None


def _check_triggers(condition: GttCondition, *, far: bool) -> None:
    last, ltp = condition.last_price, condition.listing.ltp
    if not all(0.0 < price < HIGHEST for price in (last, *condition.triggers)):
        raise invalid("Invalid `trigger_values`.")
    for trigger in condition.triggers:
        order_checks.check_on_grid(condition.listing, trigger)
    if last in condition.triggers:
        raise invalid(
            "Trigger cannot be created with one of the trigger values equal to the last price."
        )
    if condition.kind == "two-leg" and condition.triggers[0] > last:
        raise invalid(
            "Trigger cannot be created with the first trigger price more than the last price."
        )
    if condition.kind == "two-leg" and condition.triggers[1] < last:
        raise invalid(
            "Trigger cannot be created with the second trigger price less than the last price."
        )
    limits = condition.listing.rules.gtt
    distance = limits.trigger_distance
    if far and any(distance.refuses(trigger, ltp) for trigger in condition.triggers):
        least = (
            f"Rs. {limits.cheap_distance}"
            if ltp < limits.cheap_below
            else f"{limits.distance_percent}%"
        )
        raise invalid(f"Trigger price should be at least {least} away from the last price.")
