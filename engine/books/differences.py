"""Differences between the broker's books and ours: all of them, and those of orders and cash."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from compiled.model.events import OrderUpdate
from compiled.model.values import GttStatus, Product, Side
from compiled.trading.kernel import Kernel
from engine.books.book_difference import (
    ADOPT_OR_IGNORE,
    FLATTEN_OR_IGNORE,
    BookDifference,
    DifferenceChoice,
    DifferenceKind,
    symbol_of,
)
from engine.books.books_snapshot import LATE, LIVE, At, BooksSnapshot
from engine.books.position_differences import UNDIVIDED, DivisionState, position_differences


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
    trades = list(_trade_differences(kernel, books))
    return [
        *trades,
        *_order_differences(kernel, books),
        *position_differences(
            kernel,
            books,
            before=before,
            apart=apart,
            late=late,
            divided=divided,
            unbooked={each.token for each in trades},
        ),
        *_gtt_differences(kernel, books),
        *_funds_differences(kernel, books, bound),
    ]


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
