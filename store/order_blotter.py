"""Orders of earlier days, out of a desk's journal, as the screen shows them."""

import sqlite3
from pathlib import Path
from typing import Final

from engine.board_rows import EXTERNAL, OrderRow
from store.database_integrity import open_for_reading

# An intent that never became an order is a row as well: that it was refused is what is looked for.
_EARLIER: Final = """
SELECT * FROM (
    SELECT CAST(i.intent AS TEXT) AS key, i.created AS ts, i.symbol AS symbol, i.side AS side,
           i.quantity AS quantity, coalesce(o.filled, i.filled, 0) AS filled,
           coalesce(nullif(i.price, 0.0), i.trigger_price, 0.0) AS price,
           coalesce(o.average_price, 0.0) AS average, i.order_type AS kind, i.purpose AS purpose,
           i.status AS status, i.strategy AS strategy, coalesce(i.broker_id, '') AS order_id,
           coalesce(nullif(i.reason, ''), o.reason, '') AS reason
    FROM intents AS i LEFT JOIN orders AS o ON o.intent = i.intent
    WHERE i.kind = 'order'
    UNION ALL
    SELECT 'x' || order_id, placed, symbol, side, quantity, filled, price, average_price,
           order_type, '', status, ?, order_id, coalesce(reason, '')
    FROM orders WHERE intent IS NULL AND symbol IS NOT NULL
) WHERE ts < ? ORDER BY ts DESC, key DESC LIMIT ?
"""


def earlier_orders(database: Path, before: int, most: int = 5_000) -> list[OrderRow]:
    """Return the orders of a journal before a time (ns UTC), oldest first: the newest `most`.

    Raise `OperatorError` for a database that cannot be read.
    """
    # The newest, and turned round: of years of orders the screen wants the end.
    with open_for_reading(database) as db:
        rows = db.execute(_EARLIER, (EXTERNAL, before, most)).fetchall()
    return [_order_row(row) for row in reversed(rows)]


def _order_row(row: sqlite3.Row | tuple[object, ...]) -> OrderRow:
    key, ts, *rest = row
    symbol, side, quantity, filled, price, average, kind, purpose, status, *names = rest
    strategy, order_id, reason = names
    return OrderRow(
        str(key),
        int(str(ts or 0)),
        symbol=str(symbol or ""),
        side=str(side or ""),
        quantity=int(str(quantity or 0)),
        filled=int(str(filled or 0)),
        price=float(str(price or 0.0)),
        average=float(str(average or 0.0)),
        kind=str(kind or ""),
        purpose=str(purpose or ""),
        status=str(status or "").replace("_", " "),
        strategy=str(strategy or ""),
        order_id=str(order_id or ""),
        reason=str(reason or ""),
    )
