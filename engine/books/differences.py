"""What the broker's books say and ours do not, or the other way round: seven kinds of difference, and what may be done."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from compiled.events import GttUpdate, OrderUpdate, Trade
from compiled.kernel import Kernel
from compiled.model import SECOND, GttStatus, OrderStatus, Product, Side
from engine.ports import Broker, BrokerHolding, BrokerPosition
from engine.trading.gaps import clock
from engine.trading.shares import ShareRegister

LIVE: Final = frozenset({OrderStatus.OPEN, OrderStatus.TRIGGER_PENDING})
DELIVERED: Final = frozenset({Product.CNC.name, Product.MTF.name})
COVER: Final = "CO"
"""What Kite calls the product of a cover order; ours is intraday with a plan that says so."""
LATE: Final = 15 * SECOND
"""How far apart the broker's books may be: what one of them shows comes to the others within this time."""
SKEW: Final = 10 * SECOND
"""How far the clocks of the broker and of the desk may differ."""
At = tuple[int, str]
"""Token and product."""


class Kind(StrEnum):
    """What does not agree."""

    UNMANAGED = "unmanaged"
    """The broker holds shares of an instrument and product of which we hold none."""
    MISSING = "missing"
    """We hold shares, the broker holds none."""
    QUANTITY = "quantity"
    """Both hold shares, not equally many."""
    ORDER = "order"
    """A working order with our tag that our journal does not know, or one of ours that the broker does not list."""
    TRADE = "trade"
    """The trades of an order of ours are not those we have booked."""
    GTT = "gtt"
    """Somebody else's GTT on what is watched, or one of ours that is not listed."""
    DIVISION = "division"
    """A share may have been split, or another number of them stands for one: nothing of ours is sold until that is decided."""
    AWAITED = "awaited"
    """Shares of a split or bonus that the broker has not credited yet."""
    FUNDS = "funds"
    """The broker's cash is further from ours than the bound."""


class Choice(StrEnum):
    """What the operator may do about a difference."""

    ADOPT = "adopt"
    ASSIGN = "assign"
    IGNORE = "ignore"
    FLATTEN = "flatten"


POSITIONS: Final = frozenset({Kind.UNMANAGED, Kind.MISSING, Kind.QUANTITY, Kind.AWAITED})
ALL: Final = tuple(Choice)
ADOPT_OR_IGNORE: Final = (Choice.ADOPT, Choice.IGNORE)
FLATTEN_OR_IGNORE: Final = (Choice.IGNORE, Choice.FLATTEN)


class Snapshot(NamedTuple):
    """The broker's books, read one after the other: positions first, so that every fill in them is in the orders, too.

    Holdings, and what is sold of them, stand under our token of the share. `twins` has ours by that of its other listing.
    """

    positions: list[BrokerPosition]
    holdings: list[BrokerHolding]
    funds: int
    gtts: list[GttUpdate]
    orders: list[OrderUpdate]
    trades: list[Trade]
    twins: Mapping[int, int]
    gaps: Mapping[At, int] = MappingProxyType({})
    """By how many shares the positions are not what the day's orders come to, where that differs."""


class Difference(NamedTuple):
    """One difference; `figure` is what it amounts to (shares the broker has more, paise), `theirs` and `ours` in words.

    Of shares `apart` are left out: those that the operator has set apart as not ours, by ignoring them.
    """

    key: str
    """What the operator calls it by; the same in every comparison."""
    kind: Kind
    token: int
    symbol: str
    product: str
    figure: int
    theirs: str
    ours: str
    choices: tuple[Choice, ...]
    average: float = 0.0
    """The broker's average price of the shares, rupees."""
    apart: int = 0
    cause: str = ""
    """What has probably led to it."""
    witnessed: bool = False
    """The order book shows who has just taken these shares: what was seen once is so."""

    @property
    def text(self) -> str:
        """Say it in one line."""
        cause = f" ({self.cause})" if self.cause else ""
        return f"{self.key}: {self.kind}: the broker has {self.theirs}, we have {self.ours}{cause}"

    @property
    def cedes(self) -> bool:
        """Tell whether ignoring it says that the owner's shares are gone, and ours beside them are still there."""
        return self.kind is not Kind.UNMANAGED and self.product in DELIVERED and self.figure < 0 < self.apart

    @property
    def amount(self) -> int:
        """Return what a choice is about: the shares that differ, or, where only those set apart do, these."""
        return self.figure or self.apart


async def read(broker: Broker, shares: ShareRegister) -> Snapshot:
    """Read all of the broker's books; raise `RetryableError` or `OperatorError` where one of them cannot be read."""
    positions = await broker.positions()
    holdings = await broker.holdings()
    funds = await broker.funds()
    gtts = await broker.gtts()
    trades = await broker.trades()
    shares.learn(holdings)
    twins = {each.token: shares.token(each.exchange, each.symbol, each.token, each.isin) for each in holdings}
    named = [(each.exchange, each.symbol, each.token) for each in positions]
    named += [(each.exchange, each.symbol, int(each.token)) for each in gtts]
    for exchange, symbol, token in named:
        twins.setdefault(token, shares.token(exchange, symbol, token))
    orders = await broker.orders()
    return Snapshot(
        [each._replace(token=twins[each.token]) if _of_holding(each) else each for each in positions],
        [each._replace(token=twins[each.token]) for each in holdings],
        funds, gtts, orders, trades, twins, _gaps(positions, orders, twins),
    )  # fmt: skip


def _gaps(positions: list[BrokerPosition], orders: list[OrderUpdate], twins: Mapping[int, int]) -> dict[At, int]:
    """Return by how many shares positions and the day's orders are apart: what was converted, or what one book lacks still."""
    found: Counter[At] = Counter()
    for each in positions:
        found[each.token, each.product] += each.quantity
    sold = {at for at, quantity in found.items() if quantity < 0}
    for update in orders:
        if update.product:
            found[int(update.token), update.product] -= int(update.side) * int(update.filled)
    gaps: Counter[At] = Counter()
    for (token, product), apart in found.items():
        ours = twins.get(token, token) if product in DELIVERED and (token, product) in sold else token
        gaps[ours, product] += apart
    return {at: apart for at, apart in gaps.items() if apart}


def _of_holding(position: BrokerPosition) -> bool:
    """Tell whether a position is what was sold of a holding: what is bought today is not there to be sold elsewhere."""
    return position.quantity < 0 and position.product in DELIVERED


def held(kernel: Kernel) -> Counter[At]:
    """Return the signed shares of our ladders by token and product."""
    found: Counter[At] = Counter()
    for (token, product, side), quantity in sides(kernel).items():
        found[token, product] += int(side) * quantity
    return found


def sides(kernel: Kernel) -> Counter[tuple[int, str, Side]]:
    """Return the shares of our ladders by token, product and side: the broker nets what is long with what is short."""
    found: Counter[tuple[int, str, Side]] = Counter()
    for ladder in kernel.ladders.values():
        for rung in ladder.rungs:
            if rung.quantity:
                product = COVER if ladder.plan.cover else ladder.plan.product.name
                found[int(ladder.instrument.token), product, ladder.side] += int(rung.quantity)
    return found


class Divided(NamedTuple):
    """What is known of divisions: of which tokens one is thought possible, and why; how many of our shares are awaited."""

    doubts: Mapping[int, str] = {}
    awaited: Mapping[At, int] = {}


UNDIVIDED: Final = Divided()


def compare(
    kernel: Kernel,
    books: Snapshot,
    before: Counter[At],
    bound: int,
    apart: Mapping[str, int],
    late: Mapping[At, int] = MappingProxyType({}),
    divided: Divided = UNDIVIDED,
) -> list[Difference]:
    """Return every difference, trades and orders first; `before` is what we held when the reading began.

    A position that moved meanwhile is left for the next comparison. `bound` (paise) is how far the funds may differ,
    `apart` the shares that are not ours by the operator's word, by the key of their difference, `late` by how many shares
    the positions are still apart from the day's orders, which count.
    """
    return [
        *_trades(kernel, books),
        *_orders(kernel, books),
        *_positions(kernel, books, before, apart, late, divided),
        *_gtts(kernel, books),
        *_funds(kernel, books, bound),
    ]


# positions and holdings


def _positions(
    kernel: Kernel,
    books: Snapshot,
    before: Counter[At],
    apart: Mapping[str, int],
    late: Mapping[At, int],
    divided: Divided,
) -> Iterator[Difference]:
    theirs, costs, names = _theirs(books)
    ours, parts = held(kernel), sides(kernel)
    fired, unbooked = behind(kernel, books), {each.token for each in _trades(kernel, books)}
    known = {market.instrument.symbol: token for token, market in kernel.markets.items()}
    for token, product in sorted(theirs.keys() | ours.keys() | late.keys() | _set_apart(kernel, apart)):
        there, here = theirs[token, product] - late.get((token, product), 0), ours[token, product]
        long, short = (parts[token, product, side] for side in (Side.BUY, Side.SELL))
        symbol = symbol_of(kernel, token, names.get(token, str(token)))
        key = f"{symbol}:{product}" if known.get(symbol) == token else f"{symbol}@{token}:{product}"
        owners = apart.get(key, 0)
        even = there == here and not owners and token not in divided.doubts
        if even or here != before[token, product] or token in fired:
            continue
        figure = there - here - owners
        if token in divided.doubts and product in DELIVERED and here:
            average = costs[token, product] / there if there else 0.0
            yield Difference(
                f"division:{symbol}:{product}", Kind.DIVISION, token, symbol, product, there, _shares(there, average),
                _shares(here) + (f" beside {owners} of the owner's" if owners else ""),
                ADOPT_OR_IGNORE, average, owners,
                divided.doubts[token],
            )  # fmt: skip
            continue
        if figure and figure == -divided.awaited.get((token, product), 0):
            yield Difference(
                key, Kind.AWAITED, token, symbol, product, figure, _shares(there), _shares(here), (), 0.0, owners,
                f"{-figure} of a split or bonus are not credited yet",
            )  # fmt: skip
            continue
        kind = Kind.MISSING if there == owners and here else Kind.QUANTITY if long or short else Kind.UNMANAGED
        average = costs.get((token, product), 0.0) / there if there else 0.0
        ours_gone = _closes(figure, long, short)
        taken = _taken(kernel, books, (token, product), -1 if figure < 0 else 1) if ours_gone else []
        recent = [each for each in taken if kernel.out.now - each.ts < LATE + SKEW]
        fresh = sum(int(each.filled) for each in recent if not _may_be_a_stops(kernel, each))
        yield Difference(
            key, kind, token, symbol, product, figure,
            _shares(there, average) + (f", {owners} of them ignored" if owners else ""),
            f"{long} long and {short} short" if long and short else _shares(here),
            _choices(kernel, books, (token, product), (figure, owners), (long, short)), average, owners,
            _cause(kernel, token, product, taken) if ours_gone else "",
            ours_gone and fresh >= abs(figure) and token not in unbooked,
        )  # fmt: skip


def _closes(figure: int, long: int, short: int) -> bool:
    """Tell whether shares that went (came, of what is short) may be ours."""
    return bool((figure < 0 and long) or (figure > 0 and short))


def moving(kernel: Kernel, books: Snapshot, before: Counter[At]) -> set[At]:
    """Return token and product of the positions of which these books say nothing yet: they move."""
    ours, fired = held(kernel), behind(kernel, books)
    return {at for at in ours.keys() | before.keys() if ours[at] != before[at] or at[0] in fired}


def _set_apart(kernel: Kernel, apart: Mapping[str, int]) -> set[At]:
    """Return token and product of the shares that are set apart, of what is watched."""
    if not any(apart.values()):
        return set()
    tokens = {market.instrument.symbol: int(market.token) for market in kernel.markets.values()}
    names = [key.rpartition(":") for key, shares in apart.items() if shares]
    return {(tokens[symbol], product) for symbol, _, product in names if symbol in tokens}


def lacking(
    kernel: Kernel, standing: Iterable[Difference], bought: Mapping[tuple[int, str, Side], int] = MappingProxyType({})
) -> dict[tuple[int, Product, Side], int]:
    """Return how many of our shares the broker's books do not hold for us, by token, product and side.

    Shares set apart are the owner's, and so is, while a difference stands, what others have `bought` (sold short) since the
    books agreed. Of delivery nothing can be short: a figure below none says that so many of ours are missing, whatever has
    come since.
    """
    parts, found = sides(kernel), {}
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


def others(kernel: Kernel, orders: Iterable[OrderUpdate]) -> Iterator[OrderUpdate]:
    """Yield the orders that are not ours and have traded."""
    out = kernel.out
    for update in orders:
        ours = {update.order_id, update.parent} & out.by_order_id.keys() or update.tag.startswith(out.tag_prefix)
        if update.filled and not ours:
            yield update


def _others(kernel: Kernel, books: Snapshot) -> Iterator[tuple[int, OrderUpdate]]:
    """Yield these with our token of what they have traded."""
    for update in others(kernel, books.orders):
        yield books.twins.get(int(update.token), int(update.token)), update


def _taken(kernel: Kernel, books: Snapshot, at: At, side: int) -> list[OrderUpdate]:
    """Return the orders that are not ours and have traded on this side, where their product is that of the shares."""
    return [
        update
        for token, update in _others(kernel, books)
        if int(update.side) == side and token == at[0] and update.product in {at[1], ""}
    ]


def traded(kernel: Kernel, books: Snapshot) -> Counter[tuple[int, str, Side]]:
    """Return what others have traded today, by token, product and side."""
    found: Counter[tuple[int, str, Side]] = Counter()
    for token, update in _others(kernel, books):
        found[token, update.product, update.side] += int(update.filled)
    return found


def _may_be_a_stops(kernel: Kernel, update: OrderUpdate) -> bool:
    """Tell whether a GTT of ours may have sent an order: it stands for as much, and its list was read before the order."""
    return any(
        gtt.live
        and int(gtt.token) == int(update.token)
        and any(leg.side is update.side and leg.quantity == update.quantity for leg in gtt.legs)
        for gtt in kernel.out.by_gtt_id.values()
    )


def _cause(kernel: Kernel, token: int, product: str, taken: list[OrderUpdate]) -> str:
    """Say what has probably taken shares of ours: a stop that fired while nobody looked, or somebody's order."""
    said = []
    market = kernel.markets.get(token)
    for ladder in market.ladders if market is not None else ():
        for rung in ladder.rungs:
            gtt = rung.gtt
            if ladder.plan.product.name == product and rung.quantity and rung.fired and gtt is not None:
                price = f" at about {gtt.fired:.2f}" if gtt.fired else ""
                said.append(
                    f"its stop fired on {clock(int(gtt.updated))}, while the desk was away: {rung.quantity}{price}"
                )
    said += [f"order {each.order_id}, not ours: {each.side.name} {each.filled}" for each in taken]
    return "; ".join(said)


def behind(kernel: Kernel, books: Snapshot) -> set[int]:
    """Return the tokens of GTTs of ours that have fired, which we have not taken in: their orders move what is held."""
    found = set()
    for update in books.gtts:
        gtt = kernel.out.by_gtt_id.get(update.gtt_id)
        if gtt is not None and gtt.live and update.status is GttStatus.TRIGGERED:
            found.add(int(gtt.token))
    return found


def _theirs(books: Snapshot) -> tuple[Counter[At], dict[At, float], dict[int, str]]:
    """Return the broker's shares and their cost in rupees by token and product, and the symbols by token."""
    shares: Counter[At] = Counter()
    costs: dict[At, float] = {}
    names: dict[int, str] = {}
    rows = [(each.token, each.product, each.symbol, each.quantity, each.average) for each in books.holdings]
    rows += [(each.token, each.product, each.symbol, each.quantity, each.average) for each in books.positions]
    for token, product, symbol, quantity, average in rows:
        at = token, product
        names[token] = symbol
        # what is sold of a holding goes at the holding's own average
        price = costs[at] / shares[at] if quantity < 0 < shares[at] else average
        costs[at] = costs.get(at, 0.0) + quantity * price
        shares[at] += quantity
    return shares, costs, names


def _choices(
    kernel: Kernel, books: Snapshot, at: At, figures: tuple[int, int], ours: tuple[int, int]
) -> tuple[Choice, ...]:  # fmt: skip
    (token, product), (figure, owners), (long, short) = at, figures, ours
    if token not in kernel.markets:
        return (Choice.IGNORE,)
    amount = figure or owners
    if _closes(amount, long, short):  # the broker has less of it: adopting writes ours off
        if _elsewhere(kernel, books, product, abs(amount)):
            return (Choice.IGNORE,)
        if product in DELIVERED:
            return ADOPT_OR_IGNORE
        # what is set apart of an intraday position on the other side is the owner's: none of ours are missing for it, and
        # more of it would be one of his that ours are sold beside
        if not figure:
            return (Choice.IGNORE,)
        return (Choice.ADOPT,) if _closes(figure + owners, long, short) else ADOPT_OR_IGNORE
    if figure * owners < 0:
        return (Choice.IGNORE,)  # some of it only takes the place of what was set apart
    if product not in {*DELIVERED, Product.MIS.name}:
        return (Choice.IGNORE,)
    return FLATTEN_OR_IGNORE if product in DELIVERED and amount < 0 else ALL


def _elsewhere(kernel: Kernel, books: Snapshot, product: str, quantity: int) -> bool:
    """Tell whether what is missing may be a holding that nobody knows, under another name: so many of it are there."""
    return any(
        each.quantity == quantity and each.product == product and each.token not in kernel.markets
        for each in books.holdings
    )


def _shares(quantity: int, average: float = 0.0) -> str:
    if not quantity:
        return "none"
    return f"{quantity} at {average:.2f}" if average else str(quantity)


# orders and trades


def _orders(kernel: Kernel, books: Snapshot) -> Iterator[Difference]:
    out = kernel.out
    for update in books.orders:
        known = out.by_tag.get(update.tag) if update.tag else None
        other = known is not None and known.order_id and known.order_id != update.order_id and not known.terms.several
        strange = (known is None or other) and update.order_id not in out.by_order_id
        if update.status in LIVE and update.tag.startswith(out.tag_prefix) and strange:
            text = f"{update.side.name} {update.quantity}, {update.filled} filled, tag {update.tag}"
            yield _other(kernel, "order", update.order_id, update.token, (update.quantity, text, "no such order"))
    listed = {update.order_id for update in books.orders}
    for order in out.orders.values():
        gone = order.order_id and order.order_id not in listed and order.status in LIVE
        if gone and out.now - order.created >= LATE:
            text = f"{order.side.name} {order.quantity}, {order.filled} filled"
            yield _other(
                kernel, "order", order.order_id, order.token, (-int(order.quantity), "no such order", text),
                ADOPT_OR_IGNORE,
            )  # fmt: skip


def _trades(kernel: Kernel, books: Snapshot) -> Iterator[Difference]:
    traded: Counter[str] = Counter()
    for trade in books.trades:
        traded[trade.order_id] += int(trade.quantity)
    for update in books.orders:
        order = kernel.out.by_order_id.get(update.order_id)
        if order is None or traded[update.order_id] == order.traded:
            continue
        more = traded[update.order_id] - int(order.traded)
        yield _other(
            kernel, "trade", update.order_id, update.token,
            (more, f"{traded[update.order_id]} traded", f"{order.traded} booked"),
            ADOPT_OR_IGNORE if more > 0 else (Choice.IGNORE,),
        )  # fmt: skip


# GTTs


def _gtts(kernel: Kernel, books: Snapshot) -> Iterator[Difference]:
    out = kernel.out
    for update in books.gtts:
        token = books.twins.get(int(update.token), int(update.token))
        if update.status is GttStatus.ACTIVE and update.gtt_id not in out.by_gtt_id and token in kernel.markets:
            leg = update.legs[0]
            text = " / ".join(f"{Side(leg.side).name} {leg.quantity} at {leg.trigger:.2f}" for leg in update.legs)
            text += f" on {update.exchange}" if token != update.token else ""
            yield _other(kernel, "gtt", str(update.gtt_id), token, (int(leg.quantity), text, "no such GTT"))
    listed = {int(update.gtt_id) for update in books.gtts}
    for gtt_id, gtt in out.by_gtt_id.items():
        if gtt.status is GttStatus.ACTIVE and gtt_id not in listed and out.now - gtt.updated >= LATE:
            leg = gtt.legs[0]
            text = f"{Side(leg.side).name} {leg.quantity} at {leg.trigger:.2f}"
            yield _other(
                kernel, "gtt", str(gtt_id), gtt.token, (-int(leg.quantity), "no such GTT", text), (Choice.ADOPT,)
            )  # fmt: skip


def _other(
    kernel: Kernel,
    kind: str,
    number: str,
    token: int,
    figures: tuple[int, str, str],
    choices: tuple[Choice, ...] = FLATTEN_OR_IGNORE,
) -> Difference:
    figure, theirs, ours = figures
    symbol = symbol_of(kernel, int(token), str(token))
    return Difference(f"{kind}:{number}", Kind(kind), int(token), symbol, "", figure, theirs, ours, choices)


# funds


def _funds(kernel: Kernel, books: Snapshot, bound: int) -> Iterator[Difference]:
    """Compare cash while no order blocks any and none has just traded; intraday and financed positions block a part of their value, nobody knows which.

    What is sold of financed shares pays the broker's loan first. Charges leave the broker's cash over night, ours at once.
    """
    now = kernel.out.now
    if any(update.status in LIVE or (update.filled and now - update.ts < LATE) for update in books.orders):
        return
    if any(order.live for order in kernel.out.orders.values()):
        return  # it may have traded, and the book not list it yet
    if any(update.tag in kernel.out.by_tag and _booked(kernel, update) < update.filled for update in books.orders):
        return  # an order of ours whose id no answer has told: its cash has moved, and its trades are not taken in yet
    ledger = kernel.ledger
    least = most = int(ledger.cash + ledger.charges)
    for ladder in kernel.ladders.values():
        if ladder.plan.product in {Product.MIS, Product.MTF}:
            value = sum(abs(int(rung.quantity)) * rung.average for rung in ladder.rungs) * 100
            least, most = (least, most + int(value)) if ladder.sign > 0 else (least - 2 * int(value), most - int(value))
    for order in kernel.out.orders.values():
        if order.product is Product.MTF and order.side is Side.SELL and order.created >= kernel.open:
            least -= int(order.value)
    figure = min(books.funds - least, 0) or max(books.funds - most, 0)
    if abs(figure) > bound:
        theirs, ours = f"₹{books.funds / 100:.2f}", f"₹{(least if figure < 0 else most) / 100:.2f}"
        yield Difference("funds", Kind.FUNDS, 0, "", "", figure, theirs, ours, ADOPT_OR_IGNORE)


def _booked(kernel: Kernel, update: OrderUpdate) -> int:
    """Return the shares of an order that we have booked, none where it is not known by its id."""
    order = kernel.out.by_order_id.get(update.order_id)
    return 0 if order is None else int(order.traded)


def symbol_of(kernel: Kernel, token: int, otherwise: str) -> str:
    """Return an instrument's symbol, `otherwise` for one that is not watched."""
    market = kernel.markets.get(token)
    return market.instrument.symbol if market else otherwise
