"""Differences of positions and holdings: shares that one side holds and the other does not."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from compiled.model.events import OrderUpdate
from compiled.model.values import Product, Side
from compiled.trading.kernel import Kernel
from engine.books.book_difference import (
    ADOPT_OR_IGNORE,
    ALL,
    FLATTEN_OR_IGNORE,
    POSITIONS,
    BookDifference,
    DifferenceChoice,
    DifferenceKind,
    symbol_of,
)
from engine.books.books_snapshot import (
    DELIVERED,
    LATE,
    SKEW,
    At,
    BooksSnapshot,
    fired_tokens,
    foreign_by_token,
)
from engine.numbers import log_time

COVER: Final = "CO"
"""The product of a cover order in the broker's books; ours is intraday, and its plan says so."""


class DivisionState(NamedTuple):
    """The state of divisions: the tokens of possible ones with the reason.

    It also has the number of our shares that are awaited.
    """

    doubts: Mapping[int, str] = {}
    awaited: Mapping[At, int] = {}


UNDIVIDED: Final = DivisionState()


def held_shares(kernel: Kernel) -> Counter[At]:
    """Return the signed shares of our ladders by token and product."""
    found: Counter[At] = Counter()
    for (token, product, side), quantity in held_by_side(kernel).items():
        found[token, product] += int(side) * quantity
    return found


def held_by_side(kernel: Kernel) -> Counter[tuple[int, str, Side]]:
    """Return the shares of our ladders by token, product and side; the broker nets both sides."""
    found: Counter[tuple[int, str, Side]] = Counter()
    for ladder in kernel.state.ladders.values():
        for rung in ladder.rungs:
            if rung.quantity:
                product = COVER if ladder.plan.cover else ladder.plan.product.name
                found[int(ladder.instrument.token), product, ladder.side] += int(rung.quantity)
    return found


def position_differences(
    kernel: Kernel,
    books: BooksSnapshot,
    before: Counter[At],
    apart: Mapping[str, int],
    late: Mapping[At, int],
    divided: DivisionState,
    unbooked: Collection[int],
) -> Iterator[BookDifference]:
    """Yield the differences of positions; `compare_books` says what the arguments are.

    `unbooked` are the tokens of orders of ours whose trades we have not booked yet.
    """
    theirs, costs, names = _broker_shares(books)
    # `theirs` is a net figure: what we hold on both sides is compared as a sum, and told apart for
    # the choices.
    ours, parts = held_shares(kernel), held_by_side(kernel)
    fired = fired_tokens(kernel, books)
    known = {each.symbol: int(each.token) for each in kernel.view.instruments()}
    for token, product in sorted(
        theirs.keys() | ours.keys() | late.keys() | _apart_positions(kernel, apart)
    ):
        there, here = theirs[token, product] - late.get((token, product), 0), ours[token, product]
        long, short = (parts[token, product, side] for side in (Side.BUY, Side.SELL))
        symbol = symbol_of(kernel, token, names.get(token, str(token)))
        key = f"{symbol}:{product}" if known.get(symbol) == token else f"{symbol}@{token}:{product}"
        owners = apart.get(key, 0)
        # A doubtful division is shown even where the figures agree: before the credit both books
        # have the old number.
        even = there == here and not owners and token not in divided.doubts
        if even or here != before[token, product] or token in fired:
            continue
        figure = there - here - owners
        if token in divided.doubts and product in DELIVERED and here:
            average = costs[token, product] / there if there else 0.0
            yield BookDifference(
                f"division:{symbol}:{product}",
                DifferenceKind.DIVISION,
                token=token,
                symbol=symbol,
                product=product,
                figure=there,
                theirs=_share_text(there, average),
                ours=_share_text(here) + (f" beside {owners} of the owner's" if owners else ""),
                choices=ADOPT_OR_IGNORE,
                average=average,
                apart=owners,
                cause=divided.doubts[token],
            )
            continue
        # The exchange has the ex-date, the depository credits days later; nobody can do anything
        # about it, so there is no choice.
        if figure and figure == -divided.awaited.get((token, product), 0):
            yield BookDifference(
                key,
                DifferenceKind.AWAITED,
                token=token,
                symbol=symbol,
                product=product,
                figure=figure,
                theirs=_share_text(there),
                ours=_share_text(here),
                choices=(),
                average=0.0,
                apart=owners,
                cause=f"{-figure} of a split or bonus are not credited yet",
            )
            continue
        kind = (
            DifferenceKind.MISSING
            if there == owners and here
            else DifferenceKind.QUANTITY
            if long or short
            else DifferenceKind.UNMANAGED
        )
        average = costs.get((token, product), 0.0) / there if there else 0.0
        ours_gone = _reduces_ours(figure, long, short)
        taken = (
            _foreign_takers(kernel, books, (token, product), -1 if figure < 0 else 1)
            if ours_gone
            else []
        )
        # An older order of somebody else has long been in the positions: it cannot be what moved
        # them now.
        recent = [each for each in taken if kernel.order_store.now - each.ts < LATE + SKEW]
        # What may be our own stop is no witness: its trades will be booked, and the difference with
        # them goes.
        fresh = sum(int(each.filled) for each in recent if not _may_be_stop(kernel, each))
        yield BookDifference(
            key,
            kind,
            token=token,
            symbol=symbol,
            product=product,
            figure=figure,
            theirs=_share_text(there, average) + (f", {owners} of them ignored" if owners else ""),
            ours=f"{long} long and {short} short" if long and short else _share_text(here),
            choices=_position_choices(
                kernel, books, (token, product), (figure, owners), (long, short)
            ),
            average=average,
            apart=owners,
            cause=_probable_cause(kernel, token, product, taken) if ours_gone else "",
            witnessed=ours_gone and fresh >= abs(figure) and token not in unbooked,
        )


def _reduces_ours(figure: int, long: int, short: int) -> bool:
    """Return whether shares that went (came, in a short position) may be ours."""
    return bool((figure < 0 and long) or (figure > 0 and short))


def moving_positions(kernel: Kernel, books: BooksSnapshot, before: Counter[At]) -> set[At]:
    """Return token and product of moving positions, about which these books say nothing yet."""
    ours, fired = held_shares(kernel), fired_tokens(kernel, books)
    return {at for at in ours.keys() | before.keys() if ours[at] != before[at] or at[0] in fired}


def _apart_positions(kernel: Kernel, apart: Mapping[str, int]) -> set[At]:
    """Return token and product of the shares set apart, among watched instruments."""
    if not any(apart.values()):
        return set()
    tokens = {each.symbol: int(each.token) for each in kernel.view.instruments()}
    names = [key.rpartition(":") for key, shares in apart.items() if shares]
    return {(tokens[symbol], product) for symbol, _, product in names if symbol in tokens}


def lacking_shares(
    kernel: Kernel,
    standing: Iterable[BookDifference],
    bought: Mapping[tuple[int, str, Side], int] = MappingProxyType({}),
) -> dict[tuple[int, Product, Side], int]:
    """Return our shares that the broker's books do not hold for us, by token, product and side.

    Shares set apart are the owner's, and so are, while a difference stands, the shares others have
    `bought` (sold short) since the books agreed. Delivery cannot be short: a figure below none says
    that so many of ours are missing, whatever has come since.
    """
    parts, found = held_by_side(kernel), {}
    for each in standing:
        if each.kind not in POSITIONS or each.product == COVER:
            continue
        for side in (Side.BUY, Side.SELL):
            more = each.figure
            if more:
                more -= int(side) * bought.get((each.token, each.product, side), 0)
            if each.product in DELIVERED:
                more = min(more + min(each.apart, 0), each.apart)
            lacks = min(parts[each.token, each.product, side], -int(side) * more)
            if lacks > 0:
                found[each.token, Product[each.product], side] = lacks
    return found


def _foreign_takers(kernel: Kernel, books: BooksSnapshot, at: At, side: int) -> list[OrderUpdate]:
    """Return foreign orders that traded on this side under the shares' product."""
    return [
        update
        for token, update in foreign_by_token(kernel, books)
        if int(update.side) == side and token == at[0] and update.product in {at[1], ""}
    ]


def _may_be_stop(kernel: Kernel, update: OrderUpdate) -> bool:
    """Return whether a GTT of ours may have sent an order.

    It is for as much, and its list was read before the order.
    """
    return any(
        gtt.live
        and int(gtt.token) == int(update.token)
        and any(leg.side is update.side and leg.quantity == update.quantity for leg in gtt.legs)
        for gtt in kernel.order_store.by_gtt_id.values()
    )


def _probable_cause(kernel: Kernel, token: int, product: str, taken: list[OrderUpdate]) -> str:
    """Say what has probably taken shares of ours.

    It is a stop that fired unobserved, or somebody's order.
    """
    said = []
    market = kernel.state.markets.get(token)
    for ladder in market.ladders if market is not None else ():
        for rung in ladder.rungs:
            gtt = rung.gtt
            if (
                ladder.plan.product.name == product
                and rung.quantity
                and rung.fired_earlier
                and gtt is not None
            ):
                price = f" at about {gtt.fired:.2f}" if gtt.fired else ""
                said.append(
                    f"its stop fired on {log_time(int(gtt.updated))}, while the desk was away: "
                    f"{rung.quantity}{price}"
                )
    said += [f"order {each.order_id}, not ours: {each.side.name} {each.filled}" for each in taken]
    return "; ".join(said)


def _broker_shares(books: BooksSnapshot) -> tuple[Counter[At], dict[At, float], dict[int, str]]:
    """Return the broker's shares, their cost in rupees by token and product, and the symbols."""
    shares: Counter[At] = Counter()
    costs: dict[At, float] = {}
    names: dict[int, str] = {}
    rows = [
        (each.token, each.product, each.symbol, each.quantity, each.average)
        for each in books.holdings
    ]
    rows += [
        (each.token, each.product, each.symbol, each.quantity, each.average)
        for each in books.positions
    ]
    for token, product, symbol, quantity, average in rows:
        at = token, product
        names[token] = symbol
        # what is sold of a holding goes at the holding's own average
        price = costs[at] / shares[at] if quantity < 0 < shares[at] else average
        costs[at] = costs.get(at, 0.0) + quantity * price
        shares[at] += quantity
    return shares, costs, names


def _position_choices(
    kernel: Kernel, books: BooksSnapshot, at: At, figures: tuple[int, int], ours: tuple[int, int]
) -> tuple[DifferenceChoice, ...]:
    (token, product), (figure, owners), (long, short) = at, figures, ours
    if token not in kernel.state.markets:
        return (DifferenceChoice.IGNORE,)
    amount = figure or owners
    if _reduces_ours(amount, long, short):  # the broker has less of it: adopting writes ours off
        if _held_elsewhere(kernel, books, product, abs(amount)):
            return (DifferenceChoice.IGNORE,)
        if product in DELIVERED:
            return ADOPT_OR_IGNORE
        # what is set apart of an intraday position on the other side is the owner's: none of ours
        # are missing for it, and more of it would be one of his that ours are sold beside
        if not figure:
            return (DifferenceChoice.IGNORE,)
        return (
            (DifferenceChoice.ADOPT,)
            if _reduces_ours(figure + owners, long, short)
            else ADOPT_OR_IGNORE
        )
    if figure * owners < 0:
        return (DifferenceChoice.IGNORE,)  # some of it only takes the place of what was set apart
    if product not in {*DELIVERED, Product.MIS.name}:
        return (DifferenceChoice.IGNORE,)
    return FLATTEN_OR_IGNORE if product in DELIVERED and amount < 0 else ALL


def _held_elsewhere(kernel: Kernel, books: BooksSnapshot, product: str, quantity: int) -> bool:
    """Return whether missing shares may be an unknown holding of as many under another name."""
    return any(
        each.quantity == quantity
        and each.product == product
        and each.token not in kernel.state.markets
        for each in books.holdings
    )


def _share_text(quantity: int, average: float = 0.0) -> str:
    if not quantity:
        return "none"
    return f"{quantity} at {average:.2f}" if average else str(quantity)
