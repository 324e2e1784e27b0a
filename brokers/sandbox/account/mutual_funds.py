"""Mutual funds: orders, monthly plans and holdings.

Nothing is settled within a day, so orders stay OPEN.
"""

import csv
import io
from collections.abc import Callable
from typing import final
from uuid import NAMESPACE_URL, uuid5

from brokers.sandbox import kite_times
from brokers.sandbox.http import (
    Form,
    choice_field,
    decimal_field,
    invalid,
    not_found,
    required_field,
    whole_field,
)

Row = dict[str, object]

# The live API's words: mutual funds can be read through it, and nothing else.
CLOSED = "Order placement can't be done through the API."
COLUMNS = (
    "tradingsymbol",
    "amc",
    "name",
    "purchase_allowed",
    "redemption_allowed",
    "minimum_purchase_amount",
    "purchase_amount_multiplier",
    "minimum_additional_purchase_amount",
    "minimum_redemption_quantity",
    "redemption_quantity_multiplier",
    "dividend_type",
    "scheme_type",
    "plan",
    "settlement_type",
    "last_price",
    "last_price_date",
)
FUNDS = (
    ("INF000S01010", "Sandbox Index Fund", 214.31),
    ("INF000S01028", "Sandbox Liquid Fund", 3_127.45),
)
ORDER_ID = "5a000000-0000-4000-8000-000000000001"
SIP_ID = "181635213661372"
FREQUENCIES = ("weekly", "monthly", "quarterly")
TAG_LIMIT = 8
UNITS = 46.662
PAID = 10_000.0


@final
class MutualFunds:
    """One holding bought with one order, one monthly plan, and later additions.

    `midnight` (ns UTC) is that of the virtual day. With `closed` nothing can be placed, changed or
    cancelled, as on the live API.
    """

    def __init__(self, midnight: int, now: Callable[[], int], *, closed: bool) -> None:
        self._now = now
        self._closed = closed
        self._bought = kite_times.text(midnight - 30 * kite_times.DAY + 52_200_000_000_000)
        self._next = kite_times.day_of(midnight + 12 * kite_times.DAY)
        self._yesterday = kite_times.day_of(midnight - kite_times.DAY)
        # One row of each kind from the start: a program that reads them finds every field.
        self._orders = [self._old_order()]
        self._plans = [self._old_plan()]

    def orders(self) -> list[Row]:
        """Return the orders of the last days, oldest first."""
        return self._orders

    def allotted(self) -> list[Row]:
        """Return the orders that have been allotted units."""
        return [order for order in self._orders if order["status"] == "COMPLETE"]

    def place(self, form: Form) -> dict[str, str]:
        """Buy for an amount, or sell units."""
        self._check_open()
        symbol, fund, price = _find_fund(form)
        side = choice_field(form, "transaction_type", ("BUY", "SELL"))
        wanted = "amount" if side == "BUY" else "quantity"
        required_field(form, wanted)
        if decimal_field(form, wanted) <= 0.0 or len(form.get("tag", "")) > TAG_LIMIT:
            raise invalid(f"Invalid `{wanted if decimal_field(form, wanted) <= 0.0 else 'tag'}`.")
        # From the day and a count, so that the same day has the same ids again.
        order_id = str(uuid5(NAMESPACE_URL, f"{self._bought}:order:{len(self._orders)}"))
        self._orders.append(
            {
                "order_id": order_id,
                "exchange_order_id": None,
                "tradingsymbol": symbol,
                "status": "OPEN",
                "status_message": "",
                "folio": None,
                "fund": fund,
                "order_timestamp": kite_times.text(self._now()),
                "exchange_timestamp": None,
                "settlement_id": None,
                "transaction_type": side,
                "variety": "regular",
                "purchase_type": "ADDITIONAL" if symbol == FUNDS[0][0] else "FRESH",
                "quantity": decimal_field(form, "quantity") if side == "SELL" else 0,
                "amount": decimal_field(form, "amount") if side == "BUY" else 0,
                "last_price": price,
                "last_price_date": self._yesterday,
                "average_price": 0,
                "placed_by": "sandbox",
                "tag": form.get("tag"),
            }
        )
        return {"order_id": order_id}

    def cancel(self, order_id: str) -> dict[str, str]:
        """Cancel an order that is not settled."""
        self._check_open()
        order = self.order(order_id)
        if order["status"] != "OPEN":
            raise invalid(f"Order cannot be cancelled: it is {order['status']}.")
        order["status"] = "CANCELLED"
        return {"order_id": order_id}

    def begin_plan(self, form: Form) -> dict[str, str]:
        """Begin a SIP."""
        self._check_open()
        symbol, fund, _ = _find_fund(form)
        required_field(form, "instalments")
        if decimal_field(form, "amount") <= 0.0:
            raise invalid("Missing or empty field `amount`")
        sip_id = str(int(SIP_ID) + len(self._plans))
        count = whole_field(form, "instalments")
        self._plans.append(
            {
                "sip_id": sip_id,
                "tradingsymbol": symbol,
                "fund": fund,
                "dividend_type": "growth",
                "transaction_type": "BUY",
                "status": "ACTIVE",
                "sip_type": "sip",
                "created": kite_times.text(self._now()),
                "frequency": choice_field(form, "frequency", FREQUENCIES),
                "instalment_amount": decimal_field(form, "amount"),
                "instalments": count,
                "last_instalment": kite_times.text(self._now()),
                "pending_instalments": count,
                "instalment_day": whole_field(form, "instalment_day"),
                "completed_instalments": 0,
                "next_instalment": self._next,
                "trigger_price": 0,
                "step_up": {},
                "sip_reg_num": None,
                "fund_source": "pool",
                "tag": form.get("tag", ""),
            }
        )
        return {"sip_id": sip_id}

    def change_plan(self, sip_id: str, form: Form) -> dict[str, str]:
        """Change a SIP, pause it or let it go on."""
        self._check_open()
        plan = self._living_plan(sip_id)
        if form.get("status"):
            plan["status"] = choice_field(form, "status", ("active", "paused")).upper()
        if form.get("frequency"):
            plan["frequency"] = choice_field(form, "frequency", FREQUENCIES)
        if form.get("amount"):
            plan["instalment_amount"] = decimal_field(form, "amount")
        if form.get("instalments"):
            plan["instalments"] = plan["pending_instalments"] = whole_field(form, "instalments")
        if form.get("instalment_day"):
            plan["instalment_day"] = whole_field(form, "instalment_day")
        return {"sip_id": sip_id}

    def end_plan(self, sip_id: str) -> dict[str, str]:
        """Cancel a SIP."""
        self._check_open()
        self._living_plan(sip_id)["status"] = "CANCELLED"
        return {"sip_id": sip_id}

    def _living_plan(self, sip_id: str) -> Row:
        plan = self.plan(sip_id)
        if plan["status"] == "CANCELLED":
            raise invalid("SIP is cancelled.")
        return plan

    def _check_open(self) -> None:
        if self._closed:
            raise invalid(CLOSED)

    def _old_order(self) -> Row:
        symbol, fund, _ = FUNDS[0]
        return {
            "order_id": ORDER_ID,
            "exchange_order_id": "254385125",
            "tradingsymbol": symbol,
            "status": "COMPLETE",
            "status_message": "",
            "folio": "3000000000",
            "fund": fund,
            "order_timestamp": self._bought,
            "exchange_timestamp": self._bought[:10],
            "settlement_id": "2026001",
            "transaction_type": "BUY",
            "variety": "sip",
            "purchase_type": "FRESH",
            "quantity": UNITS,
            "amount": PAID,
            "last_price": FUNDS[0][2],
            "last_price_date": self._yesterday,
            "average_price": round(PAID / UNITS, 4),
            "placed_by": "sandbox",
            "tag": None,
        }

    def order(self, order_id: str) -> Row:
        """Return one order."""
        return _find_row(self.orders(), "order_id", order_id)

    def plans(self) -> list[Row]:
        """Return the SIPs."""
        return self._plans

    def _old_plan(self) -> Row:
        symbol, fund, _ = FUNDS[0]
        return {
            "sip_id": SIP_ID,
            "tradingsymbol": symbol,
            "fund": fund,
            "dividend_type": "growth",
            "transaction_type": "BUY",
            "status": "ACTIVE",
            "sip_type": "sip",
            "created": self._bought,
            "frequency": "monthly",
            "instalment_amount": PAID,
            # Kite writes -1 for a plan that runs until it is cancelled.
            "instalments": -1,
            "last_instalment": self._bought,
            "pending_instalments": -1,
            "instalment_day": 2,
            "completed_instalments": 1,
            "next_instalment": self._next,
            "trigger_price": 0,
            "step_up": {},
            "sip_reg_num": "15158182",
            "fund_source": "pool",
            "tag": "",
        }

    def plan(self, sip_id: str) -> Row:
        """Return one SIP."""
        return _find_row(self.plans(), "sip_id", sip_id)

    def holdings(self) -> list[Row]:
        """Return the units held; `pnl` is 0 on the live API too."""
        symbol, fund, price = FUNDS[0]
        return [
            {
                "folio": "3000000000",
                "fund": fund,
                "tradingsymbol": symbol,
                "average_price": round(PAID / UNITS, 4),
                "last_price": price,
                "last_price_date": self._yesterday,
                "pledged_quantity": 0,
                "pnl": 0,
                "quantity": UNITS,
                "discrepancy": False,
            }
        ]

    def holding(self, symbol: str) -> list[Row]:
        """Return the trades that a holding is made of."""
        found = [order for order in self.allotted() if order["tradingsymbol"] == symbol]
        if not found:
            raise not_found("tradingsymbol")
        keys = (
            "fund",
            "tradingsymbol",
            "average_price",
            "variety",
            "exchange_timestamp",
            "amount",
            "folio",
            "quantity",
        )
        return [{key: order[key] for key in keys} for order in found]

    def instruments(self) -> bytes:
        """Return the dump of funds as CSV."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for symbol, name, price in FUNDS:
            sizes = (1, 1, 500.0, 1.0, 500.0, 0.001, 0.001)
            writer.writerow(
                (
                    symbol,
                    "SANDBOX_MF",
                    name,
                    *sizes,
                    "growth",
                    "equity",
                    "direct",
                    "T2",
                    price,
                    self._yesterday,
                )
            )
        return out.getvalue().encode()


def _find_fund(form: Form) -> tuple[str, str, float]:
    symbol = required_field(form, "tradingsymbol")
    for fund in FUNDS:
        if fund[0] == symbol:
            return fund
    raise invalid("Invalid `tradingsymbol`.")


def _find_row(rows: list[Row], key: str, value: str) -> Row:
    for row in rows:
        if row[key] == value:
            return row
    raise not_found(key)
