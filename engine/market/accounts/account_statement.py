"""The account day by day: what each contract note took and gave, the broker's fees, and the balance.

Amounts are paise. Charges are those of the contract notes (one per day, exchange and segment), which the desk's books
add up to; a debit from the depository follows for each share that left.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from compiled.charges import RateTable
from compiled.model import Side
from engine.errors import DataError
from engine.market.charges import fee
from engine.market.deals import Deal, billed, notes_of, number, rates_of

NOTE = "contract note"
DELIVERED = ("EQ_DELIVERY", "ETF_EQUITY_DELIVERY", "FUND_DELIVERY", "BOND_DELIVERY")


class Posting(NamedTuple):
    """One line of the account: `amount` is what it adds to `balance`, negative for a debit."""

    day: date
    exchange: str
    segment: str
    what: str
    bought: int
    sold: int
    charges: int
    amount: int
    balance: int


def statement(
    deals: Iterable[Deal], table: RateTable, first: date, last: date, opening: int = 0, gaps: set[str] | None = None
) -> list[Posting]:
    """Return the postings from `first` to `last`; raise `DataError` for a day without rates, or name it among the `gaps`."""
    found: list[Posting] = []
    for (day, exchange, segment), rows in notes_of(deal for deal in deals if first <= deal.day <= last).items():
        bought, sold = (sum(deal.value for deal in rows if deal.side is side) for side in Side)
        charged = billed(rows, rates_of(table, segment, exchange, day, gaps))
        found.append(Posting(day, exchange, segment, NOTE, bought, sold, charged, sold - bought - charged, 0))
        if segment in DELIVERED:
            found += _depository(day, exchange, segment, rows, gaps)
    return _balanced(sorted(found, key=lambda posting: posting.day), opening)


def _depository(day: date, exchange: str, segment: str, rows: list[Deal], gaps: set[str] | None) -> list[Posting]:
    sold = sorted({deal.symbol for deal in rows if deal.side is Side.SELL})
    if not sold:
        return []
    try:
        debit = int(fee("dp", number(day)))
    except LookupError as error:
        if gaps is not None:
            gaps.add(f"depository at {exchange} on {day}")
            return []
        raise DataError(str(error.args[0])) from error
    return [Posting(day, exchange, segment, f"depository, {symbol}", 0, 0, debit, -debit, 0) for symbol in sold]


def _balanced(postings: list[Posting], balance: int) -> list[Posting]:
    found = []
    for posting in postings:
        balance += posting.amount
        found.append(posting._replace(balance=balance))
    return found
