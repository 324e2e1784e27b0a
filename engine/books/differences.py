"""Differences between the broker's books and ours: seven kinds, and their choices."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.values import SECOND, GttStatus, OrderStatus, Product, Side
from compiled.trading.kernel import Kernel
from engine.books.share_register import ShareRegister
from engine.history.minute_gaps import log_time
from engine.ports import Broker, BrokerHolding, BrokerPosition

LIVE: Final = frozenset({OrderStatus.OPEN, OrderStatus.TRIGGER_PENDING})
DELIVERED: Final = frozenset({Product.CNC.name, Product.MTF.name})
COVER: Final = "CO"
"""The product of a cover order in the broker's books; ours is intraday, and its plan says so."""
LATE: Final = 15 * SECOND
"""How far apart the broker's books may be.

What one of them shows comes to the others within this time.
"""
SKEW: Final = 10 * SECOND
"""How far the clocks of the broker and of the desk may differ."""
At = tuple[int, str]
"""Token and product."""


class DifferenceKind(StrEnum):
    """The kind of a difference."""

    UNMANAGED = "unmanaged"
    """The broker holds shares of an instrument and product of which we hold none."""
    MISSING = "missing"
    """We hold shares, the broker holds none."""
    QUANTITY = "quantity"
    """Both hold shares, not equally many."""
    ORDER = "order"
    """A working order with our tag missing in our journal, or one of ours missing at the broker."""
    TRADE = "trade"
    """The trades of an order of ours are not those we have booked."""
    GTT = "gtt"
    """Somebody else's GTT on what is watched, or one of ours that is not listed."""
    DIVISION = "division"
    """A share may have been split, or another number of them stands for one.

    Nothing of ours is sold until that is decided.
    """
    AWAITED = "awaited"
    """Shares of a split or bonus that the broker has not credited yet."""
    FUNDS = "funds"
    """The broker's cash is further from ours than the bound."""


class DifferenceChoice(StrEnum):
    """A choice of the operator about a difference."""

    ADOPT = "adopt"
    ASSIGN = "assign"
    IGNORE = "ignore"
    FLATTEN = "flatten"


POSITIONS: Final = frozenset(
    {
        DifferenceKind.UNMANAGED,
        DifferenceKind.MISSING,
        DifferenceKind.QUANTITY,
        DifferenceKind.AWAITED,
    }
)
ALL: Final = tuple(DifferenceChoice)
ADOPT_OR_IGNORE: Final = (DifferenceChoice.ADOPT, DifferenceChoice.IGNORE)
FLATTEN_OR_IGNORE: Final = (DifferenceChoice.IGNORE, DifferenceChoice.FLATTEN)


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


class BookDifference(NamedTuple):
    """One difference; `figure` is its size (shares the broker has more, paise).

    `theirs` and `ours` are in words. Of shares `apart` are left out: those that the operator has
    set apart as not ours, by ignoring them.
    """

    key: str
    """What the operator calls it by; the same in every comparison."""
    kind: DifferenceKind
    token: int
    symbol: str
    product: str
    figure: int
    theirs: str
    ours: str
    choices: tuple[DifferenceChoice, ...]
    average: float = 0.0
    """The broker's average price of the shares, rupees."""
    apart: int = 0
    cause: str = ""
    """What has probably led to it."""
    witnessed: bool = False
    """The order book shows the taker of these shares: one sight of it is enough."""

    @property
    def text(self) -> str:
        """Say it in one line."""
        cause = f" ({self.cause})" if self.cause else ""
        return f"{self.key}: {self.kind}: the broker has {self.theirs}, we have {self.ours}{cause}"

    @property
    def cedes(self) -> bool:
        """Return whether ignoring it cedes the owner's shares: they are gone, ours are not."""
        return (
            self.kind is not DifferenceKind.UNMANAGED
            and self.product in DELIVERED
            and self.figure < 0 < self.apart
        )

    @property
    def amount(self) -> int:
        """Return the amount of a choice.

        It is the shares that differ, or, where only those set apart do, these.
        """
        return self.figure or self.apart


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


class DivisionState(NamedTuple):
    """The state of divisions: the tokens of possible ones with the reason.

    It also has the number of our shares that are awaited.
    """

    doubts: Mapping[int, str] = {}
    awaited: Mapping[At, int] = {}


UNDIVIDED: Final = DivisionState()


def compare_books(
    kernel: Kernel,
    books: BooksSnapshot,
    before: Counter[At],
    bound: int,
    apart: Mapping[str, int],
    late: Mapping[At, int] = MappingProxyType({}),
    divided: DivisionState = UNDIVIDED,
) -> list[BookDifference]:
    """Return every difference, trades and orders first.

    `before` are our positions when the reading began; one that moved meanwhile is left for the next
    comparison. `bound` (paise) is how far the funds may differ, `apart` the shares that are not
    ours by the operator's word, by the key of their difference, `late` by how many shares the
    positions still trail the day's orders, which count.
    """
    return [
        *_trade_differences(kernel, books),
        *_order_differences(kernel, books),
        *_position_differences(
            kernel, books, before=before, apart=apart, late=late, divided=divided
        ),
        *_gtt_differences(kernel, books),
        *_funds_differences(kernel, books, bound),
    ]


# positions and holdings


def _position_differences(
    kernel: Kernel,
    books: BooksSnapshot,
    before: Counter[At],
    apart: Mapping[str, int],
    late: Mapping[At, int],
    divided: DivisionState,
) -> Iterator[BookDifference]:
    theirs, costs, names = _broker_shares(books)
    # `theirs` is a net figure: what we hold on both sides is compared as a sum, and told apart for
    # the choices.
    ours, parts = held_shares(kernel), held_by_side(kernel)
    fired, unbooked = (
        fired_tokens(kernel, books),
        {each.token for each in _trade_differences(kernel, books)},
    )
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


def foreign_orders(kernel: Kernel, orders: Iterable[OrderUpdate]) -> Iterator[OrderUpdate]:
    """Yield the orders that are not ours and have traded."""
    out = kernel.order_store
    for update in orders:
        ours = {update.order_id, update.parent} & out.by_order_id.keys() or update.tag.startswith(
            out.tag_prefix
        )
        if update.filled and not ours:
            yield update


def _foreign_by_token(kernel: Kernel, books: BooksSnapshot) -> Iterator[tuple[int, OrderUpdate]]:
    """Yield these with our token of their trades."""
    for update in foreign_orders(kernel, books.orders):
        yield books.twins.get(int(update.token), int(update.token)), update


def _foreign_takers(kernel: Kernel, books: BooksSnapshot, at: At, side: int) -> list[OrderUpdate]:
    """Return foreign orders that traded on this side under the shares' product."""
    return [
        update
        for token, update in _foreign_by_token(kernel, books)
        if int(update.side) == side and token == at[0] and update.product in {at[1], ""}
    ]


def foreign_traded(kernel: Kernel, books: BooksSnapshot) -> Counter[tuple[int, str, Side]]:
    """Return the trades of others today, by token, product and side."""
    found: Counter[tuple[int, str, Side]] = Counter()
    for token, update in _foreign_by_token(kernel, books):
        found[token, update.product, update.side] += int(update.filled)
    return found


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


# orders and trades


def _order_differences(kernel: Kernel, books: BooksSnapshot) -> Iterator[BookDifference]:
    out = kernel.order_store
    for update in books.orders:
        known = out.by_tag.get(update.tag) if update.tag else None
        other = (
            known is not None
            and known.order_id
            and known.order_id != update.order_id
            and not known.terms.makes_several_orders
        )
        strange = (known is None or other) and update.order_id not in out.by_order_id
        if update.status in LIVE and update.tag.startswith(out.tag_prefix) and strange:
            text = f"{update.side.name} {update.quantity}, {update.filled} filled, tag {update.tag}"
            yield _keyed_difference(
                kernel,
                "order",
                update.order_id,
                update.token,
                (update.quantity, text, "no such order"),
            )
    listed = {update.order_id for update in books.orders}
    for order in out.orders.values():
        # A book that was read a moment before the order was accepted does not list it yet.
        gone = order.order_id and order.order_id not in listed and order.status in LIVE
        if gone and out.now - order.created >= LATE:
            text = f"{order.side.name} {order.quantity}, {order.filled} filled"
            yield _keyed_difference(
                kernel,
                "order",
                number=order.order_id,
                token=order.token,
                figures=(-int(order.quantity), "no such order", text),
                choices=ADOPT_OR_IGNORE,
            )


def _trade_differences(kernel: Kernel, books: BooksSnapshot) -> Iterator[BookDifference]:
    traded: Counter[str] = Counter()
    for trade in books.trades:
        traded[trade.order_id] += int(trade.quantity)
    for update in books.orders:
        order = kernel.order_store.by_order_id.get(update.order_id)
        if order is None or traded[update.order_id] == order.traded:
            continue
        more = traded[update.order_id] - int(order.traded)
        yield _keyed_difference(
            kernel,
            "trade",
            number=update.order_id,
            token=update.token,
            figures=(more, f"{traded[update.order_id]} traded", f"{order.traded} booked"),
            choices=ADOPT_OR_IGNORE if more > 0 else (DifferenceChoice.IGNORE,),
        )


# GTTs


def _gtt_differences(kernel: Kernel, books: BooksSnapshot) -> Iterator[BookDifference]:
    out = kernel.order_store
    for update in books.gtts:
        token = books.twins.get(int(update.token), int(update.token))
        if (
            update.status is GttStatus.ACTIVE
            and update.gtt_id not in out.by_gtt_id
            and token in kernel.state.markets
        ):
            leg = update.legs[0]
            text = " / ".join(
                f"{Side(leg.side).name} {leg.quantity} at {leg.trigger:.2f}" for leg in update.legs
            )
            text += f" on {update.exchange}" if token != update.token else ""
            yield _keyed_difference(
                kernel, "gtt", str(update.gtt_id), token, (int(leg.quantity), text, "no such GTT")
            )
    listed = {int(update.gtt_id) for update in books.gtts}
    for gtt_id, gtt in out.by_gtt_id.items():
        if (
            gtt.status is GttStatus.ACTIVE
            and gtt_id not in listed
            and out.now - gtt.updated >= LATE
        ):
            leg = gtt.legs[0]
            text = f"{Side(leg.side).name} {leg.quantity} at {leg.trigger:.2f}"
            yield _keyed_difference(
                kernel,
                "gtt",
                number=str(gtt_id),
                token=gtt.token,
                figures=(-int(leg.quantity), "no such GTT", text),
                choices=(DifferenceChoice.ADOPT,),
            )


def _keyed_difference(
    kernel: Kernel,
    kind: str,
    number: str,
    token: int,
    figures: tuple[int, str, str],
    choices: tuple[DifferenceChoice, ...] = FLATTEN_OR_IGNORE,
) -> BookDifference:
    figure, theirs, ours = figures
    symbol = symbol_of(kernel, int(token), str(token))
    return BookDifference(
        f"{kind}:{number}",
        DifferenceKind(kind),
        token=int(token),
        symbol=symbol,
        product="",
        figure=figure,
        theirs=theirs,
        ours=ours,
        choices=choices,
    )


# funds


def _funds_differences(
    kernel: Kernel, books: BooksSnapshot, bound: int
) -> Iterator[BookDifference]:
    """Compare cash while no order blocks any and none has just traded.

    Intraday and financed positions block an unknown part of their value. Sales of financed shares
    pay the broker's loan first. Charges leave the broker's cash over night, ours at once.
    """
    now = kernel.order_store.now
    if any(
        # A working order blocks cash, and a fresh fill reaches the funds later than the order book.
        update.status in LIVE or (update.filled and now - update.ts < LATE)
        for update in books.orders
    ):
        return
    if any(order.live for order in kernel.order_store.orders.values()):
        return  # it may have traded, and the book not list it yet
    if any(
        update.tag in kernel.order_store.by_tag and _booked_shares(kernel, update) < update.filled
        for update in books.orders
    ):
        # an order of ours whose id no answer has told: its cash has moved, and its trades are not
        # taken in yet
        return
    ledger = kernel.ledger
    # The broker takes the day's charges at night; ours are in the ledger with each fill.
    least = most = int(ledger.cash + ledger.charges)
    for ladder in kernel.state.ladders.values():
        if ladder.plan.product in {Product.MIS, Product.MTF}:
            value = sum(abs(int(rung.quantity)) * rung.average for rung in ladder.rungs) * 100
            least, most = (
                # Long: the broker blocks between nothing and all of it. Short: its proceeds are not
                # paid out, and as much again may be blocked.
                (least, most + int(value))
                if ladder.sign > 0
                else (least - 2 * int(value), most - int(value))
            )
    for order in kernel.order_store.orders.values():
        # The part that repays the loan is not known here: at most the whole sale.
        if (
            order.product is Product.MTF
            and order.side is Side.SELL
            and order.created >= kernel.state.open
        ):
            least -= int(order.value)
    figure = min(books.funds - least, 0) or max(books.funds - most, 0)
    if abs(figure) > bound:
        theirs, ours = f"₹{books.funds / 100:.2f}", f"₹{(least if figure < 0 else most) / 100:.2f}"
        yield BookDifference(
            "funds",
            DifferenceKind.FUNDS,
            token=0,
            symbol="",
            product="",
            figure=figure,
            theirs=theirs,
            ours=ours,
            choices=ADOPT_OR_IGNORE,
        )


def _booked_shares(kernel: Kernel, update: OrderUpdate) -> int:
    """Return the shares of an order that we have booked, none where it is not known by its id."""
    order = kernel.order_store.by_order_id.get(update.order_id)
    return 0 if order is None else int(order.traded)


def symbol_of(kernel: Kernel, token: int, otherwise: str) -> str:
    """Return an instrument's symbol, `otherwise` for one that is not watched."""
    market = kernel.state.markets.get(token)
    return market.instrument.symbol if market else otherwise
