"""Round trips of all days out of a desk's journal, as they were closed."""

from pathlib import Path
from typing import Final, NamedTuple

from store.database_integrity import open_for_reading

_CLOSED: Final = """
SELECT trade_id, ifnull(strategy, ''), ifnull(symbol, ''), ifnull(side, ''), ifnull(qty, 0),
    ifnull(entry_time, 0), ifnull(entry_price, 0.0), exit_time, ifnull(exit_price, 0.0),
    ifnull(pnl, 0), ifnull(charges, 0), ifnull(exit_reason, '')
FROM trades WHERE status = 'closed' AND exit_time > 0 ORDER BY exit_time DESC, trade_id LIMIT ?
"""


class ClosedTrade(NamedTuple):
    """A rung that was entered and left; `net` after charges, both in paise, times ns UTC."""

    trade: int
    strategy: str
    symbol: str
    side: str
    quantity: int
    entry_ts: int
    entry_price: float
    exit_ts: int
    exit_price: float
    net: int
    charges: int
    exit_reason: str


def closed_trades(database: Path, most: int) -> list[ClosedTrade]:
    """Return so many closed round trips at most, the last one first.

    Raise `OperatorError` for a database that cannot be read.
    """
    # the last ones, where there are more than are wanted
    with open_for_reading(database) as db:
        return [ClosedTrade(*row) for row in db.execute(_CLOSED, (most,))]
