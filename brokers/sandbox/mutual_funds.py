"""Mutual funds: what can be read of them. Placing is closed on the live API, and so it is here."""

import csv
import io
from typing import final

from brokers.sandbox import ist
from brokers.sandbox.wire import ApiError, invalid, not_found

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
FUNDS = (("INF000S01010", "Sandbox Index Fund", 214.31), ("INF000S01028", "Sandbox Liquid Fund", 3_127.45))
ORDER_ID = "5a000000-0000-4000-8000-000000000001"
SIP_ID = "181635213661372"
UNITS = 46.662
PAID = 10_000.0


@final
class MutualFunds:
    """One holding that one order bought, and one monthly plan; `midnight` (ns UTC) of the virtual day."""

    def __init__(self, midnight: int) -> None:
        self._bought = ist.text(midnight - 30 * ist.DAY + 52_200_000_000_000)
        self._next = ist.day_of(midnight + 12 * ist.DAY)
        self._yesterday = ist.day_of(midnight - ist.DAY)

    def orders(self) -> list[dict[str, object]]:
        """Return the orders of the last days."""
        symbol, fund, _ = FUNDS[0]
        return [
            {
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
        ]

    def order(self, order_id: str) -> dict[str, object]:
        """Return one order."""
        return _one(self.orders(), "order_id", order_id)

    def plans(self) -> list[dict[str, object]]:
        """Return the SIPs."""
        symbol, fund, _ = FUNDS[0]
        return [
            {
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
                "instalments": -1,
                "last_instalment": self._bought,
                "pending_instalments": -1,
                "instalment_day": 2,
                "completed_instalments": 1,
                "next_instalment": self._next,
                "trigger_price": 0,
                "step_up": {},
                "tag": "",
            }
        ]

    def plan(self, sip_id: str) -> dict[str, object]:
        """Return one SIP."""
        return _one(self.plans(), "sip_id", sip_id)

    def holdings(self) -> list[dict[str, object]]:
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

    def instruments(self) -> bytes:
        """Return the dump of funds as CSV."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for symbol, name, price in FUNDS:
            sizes = (1, 1, 500.0, 1.0, 500.0, 0.001, 0.001)
            writer.writerow((
                symbol, "SANDBOX_MF", name, *sizes, "growth", "equity", "direct", "T2", price, self._yesterday,
            ))  # fmt: skip
        return out.getvalue().encode()


def closed() -> ApiError:
    """Refuse to place, change or cancel."""
    return invalid(CLOSED)


def _one(rows: list[dict[str, object]], key: str, value: str) -> dict[str, object]:
    for row in rows:
        if row[key] == value:
            return row
    raise not_found(key)
