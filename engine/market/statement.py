"""The account day by day: what each contract note took and gave, the broker's fees, and the balance.

Amounts are paise. Charges are those of the contract note (one per day, exchange and segment), which differ by some
paise from what the desk books order by order; a debit from the depository follows for each share that left.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from compiled.charges import HOME, RateTable, note
from compiled.model import Side
from engine.errors import DataError
from engine.market.charges import fee
from engine.market.deals import Deal, by_product, number, rates_of

DELIVERED = ("EQ_DELIVERY", "ETF_EQUITY_DELIVERY")


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


def statement(deals: Iterable[Deal], table: RateTable, first: date, last: date, opening: int = 0) -> list[Posting]:
    """Return the postings from `first` to `last`; raise `DataError` for a day without rates.

    Shares bought and sold on one day under delivery are charged as intraday, up to the smaller quantity.
    """
    notes: defaultdict[tuple[date, str, str], list[Deal]] = defaultdict(list)
    for deal in by_product(deals):
        if first <= deal.day <= last:
            notes[deal.day, HOME.get(deal.exchange, deal.exchange), deal.segment].append(deal)
    found: list[Posting] = []
    for (day, exchange, segment), rows in sorted(notes.items()):
        orders: defaultdict[tuple[Side, str], int] = defaultdict(int)
        for deal in rows:
            orders[deal.side, deal.order_id] += deal.value
        buys = [value for (side, _), value in orders.items() if side is Side.BUY]
        sells = [value for (side, _), value in orders.items() if side is Side.SELL]
        charged = round(note(rates_of(table, segment, exchange, day), buys, sells).total * 100)
        amount = sum(sells) - sum(buys) - charged
        found.append(Posting(day, exchange, segment, "contract note", sum(buys), sum(sells), charged, amount, 0))
        if segment in DELIVERED:
            found += _depository(day, exchange, segment, rows)
    return _balanced(sorted(found, key=lambda posting: posting.day), opening)


def _depository(day: date, exchange: str, segment: str, rows: list[Deal]) -> list[Posting]:
    sold = sorted({deal.symbol for deal in rows if deal.side is Side.SELL})
    if not sold:
        return []
    try:
        debit = int(fee("dp", number(day)))
    except LookupError as error:
        raise DataError(str(error.args[0])) from error
    return [Posting(day, exchange, segment, f"depository, {symbol}", 0, 0, debit, -debit, 0) for symbol in sold]


def _balanced(postings: list[Posting], balance: int) -> list[Posting]:
    found = []
    for posting in postings:
        balance += posting.amount
        found.append(posting._replace(balance=balance))
    return found
