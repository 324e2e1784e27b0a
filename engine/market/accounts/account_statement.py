"""The account day by day: contract notes, the broker's fees, and the balance.

Amounts are paise. Charges are those of the contract notes (one per day, exchange and segment),
which the desk's books add up to; a debit from the depository follows for each share that left.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from compiled.accounting.charges import RateTable
from compiled.model.values import Side
from engine.errors import DataError
from engine.market.accounts.deals import (
    AccountDeal,
    charge_day,
    deals_by_note,
    note_charges,
    rates_of,
)
from engine.market.charges import fee

NOTE = "contract note"
DELIVERED = ("EQ_DELIVERY", "ETF_EQUITY_DELIVERY", "FUND_DELIVERY", "BOND_DELIVERY")


class AccountPosting(NamedTuple):
    """One line of the account: `amount` is its addition to `balance`, negative for a debit."""

    day: date
    exchange: str
    segment: str
    what: str
    bought: int
    sold: int
    charges: int
    amount: int
    balance: int


def account_postings(
    deals: Iterable[AccountDeal],
    table: RateTable,
    first: date,
    last: date,
    opening: int = 0,
    gaps: set[str] | None = None,
) -> list[AccountPosting]:
    """Return the postings from `first` to `last`.

    Raise `DataError` for a day without rates, or name it among the `gaps`.
    """
    found: list[AccountPosting] = []
    for (day, exchange, segment), rows in deals_by_note(
        deal for deal in deals if first <= deal.day <= last
    ).items():
        bought, sold = (sum(deal.value for deal in rows if deal.side is side) for side in Side)
        charged = note_charges(rows, rates_of(table, segment, exchange, day, gaps))
        found.append(
            AccountPosting(
                day,
                exchange,
                segment=segment,
                what=NOTE,
                bought=bought,
                sold=sold,
                charges=charged,
                amount=sold - bought - charged,
                balance=0,
            )
        )
        # Shares that go out on the day they came in never reach the depository: only delivery is
        # debited there.
        if segment in DELIVERED:
            found += _depository_postings(day, exchange, segment, rows, gaps)
    # The balance runs by day over all exchanges and segments.
    return _with_balances(sorted(found, key=lambda posting: posting.day), opening)


def _depository_postings(
    day: date, exchange: str, segment: str, rows: list[AccountDeal], gaps: set[str] | None
) -> list[AccountPosting]:
    # Once for each share and day, however many orders sold it.
    sold = sorted({deal.symbol for deal in rows if deal.side is Side.SELL})
    if not sold:
        return []
    try:
        debit = int(fee("dp", charge_day(day)))
    except LookupError as error:
        if gaps is not None:
            gaps.add(f"depository at {exchange} on {day}")
            return []
        raise DataError(str(error.args[0])) from error
    return [
        AccountPosting(
            day,
            exchange,
            segment=segment,
            what=f"depository, {symbol}",
            bought=0,
            sold=0,
            charges=debit,
            amount=-debit,
            balance=0,
        )
        for symbol in sold
    ]


def _with_balances(postings: list[AccountPosting], balance: int) -> list[AccountPosting]:
    found = []
    for posting in postings:
        balance += posting.amount
        found.append(posting._replace(balance=balance))
    return found
