"""Totals of strategies over all days, by the trades of a desk's journal."""

from pathlib import Path
from typing import Final, NamedTuple

from store.database_integrity import open_for_reading

# Those still open are worth what the market says now, which no journal knows.
_TOTALS: Final = """
SELECT strategy, count(*), sum(pnl > 0), sum(pnl) FROM trades
WHERE status = 'closed' AND strategy IS NOT NULL GROUP BY strategy
"""


class StrategyTotal(NamedTuple):
    """A strategy's closed trades on record: how many, those won, and `net` of charges in paise."""

    trades: int
    wins: int
    net: int


def strategy_totals(database: Path) -> dict[str, StrategyTotal]:
    """Return the closed trades of all days by strategy.

    Raise `OperatorError` for a database that cannot be read.
    """
    with open_for_reading(database) as db:
        rows = db.execute(_TOTALS).fetchall()
    return {str(row[0]): StrategyTotal(int(row[1]), int(row[2]), int(row[3])) for row in rows}
