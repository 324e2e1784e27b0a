"""The book and the trades of the instrument that a screen looks at, and our orders in its queue."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from compiled.market_data.depth_block import Level, depth_levels
from compiled.model.values import Order, OrderStatus, Side, Tick
from engine.board_rows import BoardFocus, DepthRow, TapeRow
from engine.board_writer import BoardWriter

LEVELS = 5


class QueuedOrder(NamedTuple):
    """A working limit order: its price, and the shares estimated ahead."""

    price: float
    ahead: int


class DepthView:
    """Shows book and trades of the instrument in a screen's focus, and of no other.

    The shares ahead of an order of ours are an estimate. It joins behind all that stands at its
    price in the first book that has it; trades at that price take from the front, and it is never
    behind more than stands there. Who was ahead and cancelled cannot be told from who was behind,
    so what is shown is the most.
    """

    def __init__(
        self,
        writer: BoardWriter,
        focus: BoardFocus,
        known_orders: Callable[[], Iterable[Order]],
    ) -> None:
        self._writer = writer
        self._focus = focus
        self._known_orders = known_orders
        self._token = 0
        self._volume = -1
        self._touch = (0.0, 0.0)
        self._number = 0
        self._queued: dict[int, QueuedOrder] = {}

    def take_ticks(self, ticks: Iterable[Tick]) -> None:
        """Show what the ticks have of the instrument in focus."""
        token = self._focus.token
        if token != self._token:
            self._begin_token(token)
        if not token:
            return
        if own := [tick for tick in ticks if tick.token == token]:
            orders = self._working_orders(token)
            for tick in own:
                self._take_tick(tick, orders)

    def _working_orders(self, token: int) -> list[Order]:
        """Return the limit orders of ours that stand in a book."""
        return [
            order
            for order in self._known_orders()
            if order.token == token and order.status is OrderStatus.OPEN and order.price > 0.0
        ]

    def _begin_token(self, token: int) -> None:
        self._token, self._volume, self._touch = token, -1, (0.0, 0.0)
        self._queued.clear()
        self._writer.begin_depth(self._focus)

    def _take_tick(self, tick: Tick, orders: Sequence[Order]) -> None:
        traded = self._take_trade(tick)
        bids, asks = depth_levels(tick)
        if bids or asks:
            self._follow_queue(tick.ltp, traded, [*bids, *asks], orders)
            self._show_levels("bid", bids, Side.BUY, orders)
            self._show_levels("ask", asks, Side.SELL, orders)
            self._touch = bids[0][0] if bids else 0.0, asks[0][0] if asks else 0.0

    def _take_trade(self, tick: Tick) -> int:
        """Note what has traded since the tick before; return how many shares."""
        # The highest so far: a late packet has a smaller one, and has traded nothing anew.
        before, self._volume = self._volume, max(int(tick.volume), self._volume)
        if before < 0 or tick.volume <= before:
            return 0
        # Packets are thinned out on the way: one may stand for several trades.
        traded = int(tick.volume) - before
        bid, ask = self._touch
        # By the book before: the one that comes with the trade has moved already.
        side = "BUY" if 0.0 < ask <= tick.ltp else "SELL" if tick.ltp <= bid else ""
        self._number += 1
        row = TapeRow(self._number, int(tick.ts), tick.ltp, traded, side)
        self._writer.add_trade(self._focus, row)
        return traded

    def _follow_queue(
        self, ltp: float, traded: int, levels: Sequence[Level], orders: Sequence[Order]
    ) -> None:
        there = {price: quantity for price, quantity, _ in levels}
        queued: dict[int, QueuedOrder] = {}
        for order in orders:
            # The book of the exchange has our own shares in it.
            others = max(there.get(order.price, 0) - _shares_left(order), 0)
            known = self._queued.get(int(order.intent))
            # At another price it stands at the end of another queue.
            if known is None or known.price != order.price:
                if order.price in there:
                    queued[int(order.intent)] = QueuedOrder(order.price, others)
                continue
            ahead = known.ahead - (traded if ltp == order.price else 0)
            ahead = min(ahead, others) if order.price in there else ahead
            queued[int(order.intent)] = QueuedOrder(order.price, max(ahead, 0))
        # What is not at work any longer falls out with this.
        self._queued = queued

    def _show_levels(
        self, side: str, levels: Sequence[Level], way: Side, orders: Sequence[Order]
    ) -> None:
        for number in range(LEVELS):
            price, quantity, count = levels[number] if number < len(levels) else (0.0, 0, 0)
            mine = [
                order
                for order in orders
                if order.side is way and price > 0.0 and order.price == price
            ]
            ahead = [
                self._queued[int(order.intent)].ahead
                for order in mine
                if int(order.intent) in self._queued
            ]
            row = DepthRow(
                f"{side}-{number + 1}",
                side,
                price,
                quantity,
                orders=count,
                own=sum(map(_shares_left, mine)),
                ahead=min(ahead) if ahead else -1,
            )
            self._writer.put(self._focus.depth, row.key, row)


class DepthViews:
    """A view for each screen of the desk: its own, and those that are attached."""

    def __init__(self, writer: BoardWriter, known_orders: Callable[[], Iterable[Order]]) -> None:
        self._writer = writer
        self._known_orders = known_orders
        self._lookers: tuple[BoardFocus, ...] = ()
        self._views = [DepthView(writer, writer.board.focus, known_orders)]

    def take_ticks(self, ticks: Iterable[Tick]) -> None:
        """Show each screen what the ticks have of the instrument it looks at."""
        lookers = self._writer.board.lookers
        # Replaced as a whole by whoever attaches: the same tuple has the same screens.
        if lookers is not self._lookers:
            self._follow_lookers(lookers)
        for view in self._views:
            view.take_ticks(ticks)

    def _follow_lookers(self, lookers: tuple[BoardFocus, ...]) -> None:
        # What a screen has seen of its queue stays when another one comes or goes.
        known = dict(zip(self._lookers, self._views[1:], strict=True))
        self._views[1:] = [
            known.get(focus) or DepthView(self._writer, focus, self._known_orders)
            for focus in lookers
        ]
        self._lookers = lookers


def _shares_left(order: Order) -> int:
    return int(order.quantity) - int(order.filled)
