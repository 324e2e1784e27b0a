"""The orders of a desk's day out of its journal, and in shadow mode their simulated twins."""

import sqlite3
from collections.abc import Sequence
from typing import Final, final

from compiled.accounting.ledger import pro_rata
from compiled.model.values import paise
from engine.backtest.parity.order_courses import OrderCourse

ORDERS: Final = """
SELECT i.intent, i.rung, i.side, i.order_type, i.quantity, i.filled, i.price, i.status, i.reason,
    i.created,
    (SELECT min(e.ts) FROM order_events e WHERE e.intent = i.intent AND e.status = 'SENT') AS sent,
    (SELECT min(e.ts) FROM order_events e WHERE e.intent = i.intent AND e.order_id <> '') AS taken,
    (SELECT max(e.ts) FROM order_events e WHERE e.intent = i.intent
        AND e.status IN ('COMPLETE', 'CANCELLED', 'REJECTED', 'LOST')) AS ended,
    (SELECT min(f.ts) FROM fills f WHERE f.intent = i.intent) AS first,
    (SELECT max(f.ts) FROM fills f WHERE f.intent = i.intent) AS last,
    (SELECT count(DISTINCT f.ts) FROM fills f WHERE f.intent = i.intent) AS trades
FROM intents i WHERE i.kind = 'order' AND i.created >= ? AND i.created < ? ORDER BY i.intent
"""
TWINS: Final = """
SELECT intent, order_id, real_filled, real_value, twin_filled, twin_value, twin_first FROM shadow
WHERE sent >= ? AND sent < ? AND real_filled > 0 AND twin_filled > 0
"""


@final
class JournalOrders:
    """The course of each order of [start, end), and its twin."""

    def __init__(self, database: sqlite3.Connection, start: int, end: int) -> None:
        """Read all of it; rows of `database` are `sqlite3.Row`."""
        self._by_intent: dict[int, OrderCourse] = {}
        self._by_rung: dict[tuple[int, str], list[OrderCourse]] = {}
        for row in database.execute(ORDERS, (start, end)):
            course = OrderCourse(
                row["order_type"],
                row["quantity"],
                filled=row["filled"] or 0,
                price=row["price"] or 0.0,
                status=row["status"],
                reason=row["reason"] or "",
                asked=row["created"],
                sent=row["sent"] or 0,
                taken=row["taken"] or 0,
                ended=row["ended"] or 0,
                first=row["first"] or 0,
                last=row["last"] or 0,
                trades=row["trades"],
            )
            self._by_intent[row["intent"]] = course
            self._by_rung.setdefault((row["rung"], row["side"]), []).append(course)
        self._twins: dict[object, sqlite3.Row] = {}
        for row in database.execute(TWINS, (start, end)):
            # the order of a GTT has an intent of its own
            self._twins |= {row["intent"]: row, row["order_id"]: row}

    def of_decision(self, intent: int) -> tuple[OrderCourse, ...]:
        """Return the order that a decision led to, if any."""
        return tuple(each for each in (self._by_intent.get(intent),) if each is not None)

    def of_rung(self, rung: int, side: str) -> tuple[OrderCourse, ...]:
        """Return the orders of a rung on one side, in their order."""
        return tuple(self._by_rung.get((rung, side), ())) if rung else ()

    def twin_of_leg(self, fills: Sequence[sqlite3.Row]) -> tuple[int, int]:
        """Return first fill (ns) and value (paise) of a leg, had it met its twins' prices.

        Shares that only the real order has got count as they are; both are 0 without a twin.
        """
        twins = {
            row["intent"]: row
            for fill in fills
            if (row := self._twins.get(fill["order_id"]) or self._twins.get(fill["intent"]))
        }
        # a restart ends the twins of what was under way
        if not twins:
            return 0, 0
        value = sum(paise(row["price"], row["quantity"]) for row in fills)
        for row in twins.values():
            both = min(row["real_filled"], row["twin_filled"])
            value += pro_rata(row["twin_value"], both, row["twin_filled"])
            value -= pro_rata(row["real_value"], both, row["real_filled"])
        return min(row["twin_first"] for row in twins.values()), value
