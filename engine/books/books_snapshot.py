"""Snapshot of the broker's books, read one after the other, and what others have traded by it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.values import SECOND, GttStatus, OrderStatus, Product, Side
from compiled.trading.kernel import Kernel
from engine.books.share_register import ShareRegister
from engine.ports import Broker, BrokerHolding, BrokerPosition

LIVE: Final = frozenset({OrderStatus.OPEN, OrderStatus.TRIGGER_PENDING})
DELIVERED: Final = frozenset({Product.CNC.name, Product.MTF.name})
LATE: Final = 15 * SECOND
"""How far apart the broker's books may be.

What one of them shows comes to the others within this time.
"""
SKEW: Final = 10 * SECOND
"""How far the clocks of the broker and of the desk may differ."""
At = tuple[int, str]
"""Token and product."""


class BooksSnapshot(NamedTuple):
    """The broker's books, read one after the other.

    Positions come first, so that every fill in them is in the orders, too. Holdings, and sales of
    them, stand under our token of the share. `twins` has ours by that of its other listing.
    """

    positions: list[BrokerPosition]
    holdings: list[BrokerHolding]
    funds: int
    gtts: list[GttUpdate]
    orders: list[OrderUpdate]
    trades: list[BrokerTrade]
    twins: Mapping[int, int]
    gaps: Mapping[At, int] = MappingProxyType({})
    """Shares by which positions differ from the sum of the day's orders, where they do."""


async def read_books(broker: Broker, shares: ShareRegister) -> BooksSnapshot:
    """Read all of the broker's books.

    Raise `RetryableError` or `OperatorError` where one of them cannot be read.
    """
    positions = await broker.positions()
    holdings = await broker.holdings()
    funds = await broker.funds()
    gtts = await broker.gtts()
    trades = await broker.trades()
    shares.learn(holdings)
    twins = {
        each.token: shares.token(each.exchange, each.symbol, each.token, each.isin)
        for each in holdings
    }
    named = [(each.exchange, each.symbol, each.token) for each in positions]
    named += [(each.exchange, each.symbol, int(each.token)) for each in gtts]
    for exchange, symbol, token in named:
        twins.setdefault(token, shares.token(exchange, symbol, token))
    orders = await broker.orders()
    return BooksSnapshot(
        [
            each._replace(token=twins[each.token]) if _sells_holding(each) else each
            for each in positions
        ],
        [each._replace(token=twins[each.token]) for each in holdings],
        funds=funds,
        gtts=gtts,
        orders=orders,
        trades=trades,
        twins=twins,
        gaps=_position_gaps(positions, orders, twins),
    )


def _position_gaps(
    positions: list[BrokerPosition], orders: list[OrderUpdate], twins: Mapping[int, int]
) -> dict[At, int]:
    """Return the gap in shares between positions and the day's orders.

    It comes from a conversion, or from a book that lags.
    """
    found: Counter[At] = Counter()
    for each in positions:
        found[each.token, each.product] += each.quantity
    sold = {at for at, quantity in found.items() if quantity < 0}
    for update in orders:
        if update.product:
            found[int(update.token), update.product] -= int(update.side) * int(update.filled)
    gaps: Counter[At] = Counter()
    for (token, product), apart in found.items():
        ours = (
            twins.get(token, token) if product in DELIVERED and (token, product) in sold else token
        )
        gaps[ours, product] += apart
    return {at: apart for at, apart in gaps.items() if apart}


def _sells_holding(position: BrokerPosition) -> bool:
    """Return whether a position is a sale of a holding.

    Shares bought today are not there to be sold elsewhere.
    """
    return position.quantity < 0 and position.product in DELIVERED


def foreign_orders(kernel: Kernel, orders: Iterable[OrderUpdate]) -> Iterator[OrderUpdate]:
    """Yield the orders that are not ours and have traded."""
    out = kernel.order_store
    for update in orders:
        ours = {update.order_id, update.parent} & out.by_order_id.keys() or update.tag.startswith(
            out.tag_prefix
        )
        if update.filled and not ours:
            yield update


def foreign_by_token(kernel: Kernel, books: BooksSnapshot) -> Iterator[tuple[int, OrderUpdate]]:
    """Yield the orders of others that have traded, with our token of their trades."""
    for update in foreign_orders(kernel, books.orders):
        yield books.twins.get(int(update.token), int(update.token)), update


def foreign_traded(kernel: Kernel, books: BooksSnapshot) -> Counter[tuple[int, str, Side]]:
    """Return the trades of others today, by token, product and side."""
    found: Counter[tuple[int, str, Side]] = Counter()
    for token, update in foreign_by_token(kernel, books):
        found[token, update.product, update.side] += int(update.filled)
    return found


def fired_tokens(kernel: Kernel, books: BooksSnapshot) -> set[int]:
    """Return the tokens of fired GTTs of ours that we have not taken in.

    Their orders move the positions.
    """
    found = set()
    for update in books.gtts:
        gtt = kernel.order_store.by_gtt_id.get(update.gtt_id)
        if gtt is not None and gtt.live and update.status is GttStatus.TRIGGERED:
            found.add(int(gtt.token))
    return found
