"""Order books that Python can call, under one driver.

Each applies the same messages and tells its trades.

Every contender walks the messages in an interpreted loop, and the loop is in every figure. Ids
count up from 1 in the order of entry. No book here but ours has our rule for modifications, so the
stream holds none (`plain` replaces each by a cancellation and a new order). Where a book has no IOC
order, a limit order and the cancellation of its rest stand for one.
"""

import heapq
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from contender import timed

LIMIT, CANCEL, MODIFY, IOC, MARKET = 1, 2, 3, 4, 5
RECORD = struct.Struct("<BBHIii")
NOBODY = 1 << 40
"""A price beyond every price, the best of a side without orders."""
Message = tuple[int, int, int, int, int]
Trade = tuple[int, int, int, int]


def plain(stream: Iterable[tuple[int, int, int, int, int, int]]) -> list[Message]:
    """Return messages without modifications and owners, ids counted anew in order of entry."""
    made: list[Message] = []
    now: dict[int, int] = {}
    for kind, side, _, order, price, quantity in stream:
        if kind in {CANCEL, MODIFY}:
            made.append((CANCEL, side, now[order], 0, 0))
        if kind != CANCEL:
            now[order] = fresh = now[0] = now.get(0, 0) + 1
            made.append((LIMIT if kind == MODIFY else kind, side, fresh, price, quantity))
    return made


def save(stream: Iterable[Message], path: Path) -> None:
    """Write messages for the contenders."""
    path.write_bytes(b"".join(RECORD.pack(kind, side, 0, *rest) for kind, side, *rest in stream))


def read(path: str, count: int) -> list[Message]:
    """Return the first `count` messages of a file."""
    records = RECORD.iter_unpack(Path(path).read_bytes()[: count * RECORD.size])
    return [
        (kind, side, order, price, quantity) for kind, side, _, order, price, quantity in records
    ]


def fill_hash(fills: Iterable[Trade]) -> int:
    """Return the FNV-style hash of fills (maker, taker, tick, quantity), as the C++ ladder's."""
    digest = 0xCBF29CE484222325
    for fill in fills:
        for value in fill:
            digest = ((digest ^ value) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return digest


class Ours:
    """`compiled.book.order_book.OrderBook`, called as an interpreted exchange calls it."""

    def __init__(self) -> None:
        module = import_module("compiled.book.order_book")
        self.book, self.ioc = module.OrderBook(27_000, 33_000), module.IOC

    def apply(self, stream: list[Message]) -> None:
        limit, cancel, market, ioc = self.book.limit, self.book.cancel, self.book.market, self.ioc
        for kind, side, order, price, quantity in stream:
            if kind == LIMIT:
                limit(order, -1 if side else 1, price, quantity)
            elif kind == CANCEL:
                cancel(order)
            elif kind == IOC:
                limit(order, -1 if side else 1, price, quantity, 0, ioc)
            else:
                market(order, -1 if side else 1, quantity)

    def trades(self) -> list[Trade]:
        return [self.book.fill(index) for index in range(self.book.fills())]


class PurePython:
    """A good pure-Python book: orders by id, a queue and a total per price, a SortedDict a side."""

    def __init__(self) -> None:
        sorted_dict = import_module("sortedcontainers").SortedDict
        # the best price of a side is its least key: buyers stand under minus their price
        self.sides = (sorted_dict(), sorted_dict())
        self.best = [NOBODY, NOBODY]
        self.resting: dict[int, list[int]] = {}
        self.made: list[Trade] = []

    def apply(self, stream: list[Message]) -> None:
        limit, cancel, market = self.limit, self.cancel, self.market
        for kind, side, order, price, quantity in stream:
            if kind == LIMIT:
                limit(order, side, price, quantity)
            elif kind == CANCEL:
                cancel(order)
            elif kind == IOC:
                limit(order, side, price, quantity, rest=False)
            else:
                market(order, side, quantity)

    def limit(self, order: int, side: int, price: int, quantity: int, *, rest: bool = True) -> int:
        left = self.match(order, side, price, quantity)
        if left and rest:
            levels, key = self.sides[side], price if side else -price
            level = levels.get(key)
            if level is None:
                level = levels[key] = [0, deque()]
                self.best[side] = min(key, self.best[side])
            entry = self.resting[order] = [order, left, side, key]
            level[0] += left
            level[1].append(entry)
        return quantity - left

    def market(self, order: int, side: int, quantity: int) -> int:
        return quantity - self.match(order, side, 0 if side else NOBODY - 1, quantity)

    def cancel(self, order: int) -> int:
        entry = self.resting.pop(order, None)
        if entry is None:
            return 0
        _, left, side, key = entry
        entry[1] = 0  # the queue drops it when it comes to its head
        level = self.sides[side][key]
        level[0] -= left
        if not level[0]:
            self.drop(side, key)
        return left

    def drop(self, side: int, key: int) -> None:
        levels = self.sides[side]
        del levels[key]
        if key == self.best[side]:
            self.best[side] = levels.peekitem(0)[0] if levels else NOBODY

    def match(self, taker: int, side: int, price: int, left: int) -> int:
        other = 1 - side
        worst = -price if side else price
        while left and (key := self.best[other]) <= worst:
            level = self.sides[other][key]
            queue = level[1]
            while left and level[0]:
                maker = queue[0]
                traded = min(left, maker[1])
                if traded:
                    self.made.append((maker[0], taker, abs(key), traded))
                    left -= traded
                    level[0] -= traded
                    maker[1] -= traded
                if not maker[1]:
                    queue.popleft()
                    self.resting.pop(maker[0], None)
            if not level[0]:
                self.drop(other, key)
        return left

    def trades(self) -> list[Trade]:
        return self.made


class ParedDown:
    """Pure Python with all pared away but the trades.

    Cancels in the caller's own loop, heaps of prices, no depth to ask for.
    """

    def __init__(self) -> None:
        self.queues: list[dict[int, deque[list[int]]]] = [{}, {}]
        self.best: list[list[int]] = [[], []]
        self.resting: dict[int, list[int]] = {}
        self.made: list[Trade] = []

    def apply(self, stream: list[Message]) -> None:
        for kind, side, order, price, quantity in stream:
            if kind == CANCEL:
                found = self.resting.pop(order, None)
                if found is not None:
                    found[1] = 0
                continue
            sign = -1 if side else 1
            left = self.match(
                1 - side, order, sign * price if kind != MARKET else 1 << 40, quantity, sign
            )
            if left and kind == LIMIT:
                entry = self.resting[order] = [order, left]
                queue = self.queues[side].get(price)
                if queue is None:
                    queue = self.queues[side][price] = deque()
                    heapq.heappush(self.best[side], -sign * price)
                queue.append(entry)

    def match(self, side: int, taker: int, limit: int, left: int, sign: int) -> int:
        heap, queues = self.best[side], self.queues[side]
        while heap and left and heap[0] <= limit:
            price = heap[0] * sign
            queue = queues[price]
            while queue and left:
                maker = queue[0]
                traded = min(left, maker[1])
                if traded:
                    self.made.append((maker[0], taker, price, traded))
                    left -= traded
                    maker[1] -= traded
                if not maker[1]:
                    queue.popleft()
                    self.resting.pop(maker[0], None)
            if not queue:
                del queues[price]
                heapq.heappop(heap)
        return left

    def trades(self) -> list[Trade]:
        return self.made


class Bourse:
    """bourse (Rust): it orders a price's queue by time, so each message needs its own."""

    def __init__(self) -> None:
        self.book = import_module("bourse.core").OrderBook(0, 1)

    def apply(self, stream: list[Message]) -> None:
        tell_time, place, cancel = self.book.set_time, self.book.place_order, self.book.cancel_order
        for clock, (kind, side, order, price, quantity) in enumerate(stream):
            tell_time(clock)
            if kind == LIMIT:
                place(side == 0, quantity, 0, price)
            elif kind == CANCEL:
                cancel(order - 1)
            elif kind == IOC:
                place(side == 0, quantity, 0, price)
                cancel(order - 1)
            else:
                place(side == 0, quantity, 0)

    def trades(self) -> list[Trade]:
        return [
            (maker + 1, taker + 1, price, quantity)
            for _, _, price, quantity, taker, maker in self.book.get_trades()
        ]


class CythonOrderbook:
    """cython-orderbook, with integer prices, which it compares faster than Decimals."""

    def __init__(self) -> None:
        module = import_module("cython_orderbook")
        self.book, self.order = module.OrderBook(), module.Order
        self.sides = (module.OrderSide.BID, module.OrderSide.ASK)
        self.names: list[str] = []

    def apply(self, stream: list[Message]) -> None:
        limit, cancel, market = (
            self.book.add_limit_order,
            self.book.cancel_order,
            self.book.add_market_order,
        )
        make, sides, names = self.order, self.sides, self.names
        for kind, side, order, price, quantity in stream:
            if kind == CANCEL:
                cancel(names[order - 1])
                continue
            made = make(sides[side], quantity, price)
            names.append(made.order_id)
            if kind == MARKET:
                market(made)
                continue
            limit(made)
            if kind == IOC:
                cancel(made.order_id)

    def trades(self) -> list[Trade]:
        number = {name: place for place, name in enumerate(self.names, 1)}
        return [
            (number[t.filler_id], number[t.aggressor_id], t.price, t.quantity_filled)
            for t in self.book.trade_log
        ]


class LightMatchingEngine:
    """lightmatchingengine: a market order has price 0, and its rest would rest there.

    It must not cancel filled orders.
    """

    def __init__(self) -> None:
        self.book = import_module("lightmatchingengine.lightmatchingengine").LightMatchingEngine()
        self.made: list[tuple[int, int, list[object]]] = []

    def apply(self, stream: list[Message]) -> None:
        add, cancel, made = self.book.add_order, self.book.cancel_order, self.made
        orders = [None]
        for kind, side, order, price, quantity in stream:
            if kind == CANCEL:
                if orders[order].leaves_qty:
                    cancel(order, "X")
                continue
            entered, trades = add("X", price if kind != MARKET else 0, quantity, side + 1)
            orders.append(entered)
            if trades:
                made.append((order, side + 1, trades))
            if kind != LIMIT and entered.leaves_qty:
                cancel(order, "X")

    def trades(self) -> list[Trade]:
        return [
            (t.order_id, taker, t.trade_price, t.trade_qty)
            for taker, side, trades in self.made
            for t in trades
            if t.trade_side != side
        ]


class MatchingEngine:
    """matching-engine: commands are values, stamped by a sequencer.

    Its self-trade prevention is off.
    """

    def __init__(self) -> None:
        self.domain = import_module("matching_engine.domain")
        self.book = import_module("matching_engine.engine").MatchingEngine()
        self.trade = import_module("matching_engine.events").Trade
        self.made: list[list[object]] = []

    def apply(self, stream: list[Message]) -> None:
        domain, process, made = self.domain, self.book.process, self.made
        stamped, new, cancel = domain.SequencedCommand, domain.NewOrder, domain.CancelOrder
        sides, none = (domain.Side.BUY, domain.Side.SELL), domain.SelfTradePrevention.NONE
        limit, gtc, ioc = domain.OrderType.LIMIT, domain.TimeInForce.GTC, domain.TimeInForce.IOC
        kinds = {LIMIT: (limit, gtc), IOC: (limit, ioc), MARKET: (domain.OrderType.MARKET, ioc)}
        for seq, (kind, side, order, price, quantity) in enumerate(stream, 1):
            if kind == CANCEL:
                process(stamped(seq, 0, cancel(order, 1)))
                continue
            price = 0 if kind == MARKET else price  # noqa: PLW2901  a market order has none
            command = new(order, 1, sides[side], price, quantity, *kinds[kind], False, none)
            events = process(stamped(seq, 0, command))
            if len(events) > 1:
                made.append(events)

    def trades(self) -> list[Trade]:
        trades = (
            event for events in self.made for event in events if isinstance(event, self.trade)
        )
        return [(t.maker_order_id, t.taker_order_id, t.price, t.qty) for t in trades]


class LimitOrderBook:
    """limit-order-book (C++ through ctypes): it tells no trades.

    What it holds at the end stands for them.
    """

    def __init__(self) -> None:
        self.book = import_module("limit_order_book").LimitOrderBook()

    def apply(self, stream: list[Message]) -> None:
        book = self.book
        has, cancel = book.has, book.cancel
        limit, market = (book.limit_buy, book.limit_sell), (book.market_buy, book.market_sell)
        for kind, side, order, price, quantity in stream:
            if kind == MARKET:
                market[side](order, quantity)
                continue
            if kind != CANCEL:
                limit[side](order, quantity, price)
            if kind != LIMIT and has(order):
                cancel(order)

    def final(self) -> list[int]:
        return [
            self.book.best_buy(),
            self.book.best_sell(),
            self.book.volume_buy(),
            self.book.volume_sell(),
        ]


def final(book: Ours) -> list[int]:
    """Return the best prices and both volumes of our book, buyers first."""
    levels = [book.book.depth(side, 10_000) for side in (1, -1)]
    return [
        book.book.best(1),
        book.book.best(-1),
        *(sum(level[1] for level in side) for side in levels),
    ]


def contender(make: Callable[[], object], package: str) -> Callable[..., dict[str, object]]:
    """Return a contender that applies a file of messages to new books and reports the quickest."""

    def run(path: str, count: int, rounds: int) -> dict[str, object]:
        stream = read(path, count)
        books: list[object] = []

        def round_() -> float:
            books[:] = [make()]
            return timed(lambda: books[0].apply(stream), 1, time.process_time)

        seconds = min(round_() for _ in range(rounds))
        book = books[0]
        report: dict[str, object] = {
            "per_second": len(stream) / seconds,
            "version": version(package) if package else "",
        }
        if hasattr(book, "trades"):
            report["hash"] = fill_hash(book.trades())
        if isinstance(book, Ours | LimitOrderBook):
            report["final"] = final(book) if isinstance(book, Ours) else book.final()
        return report

    return run


CONTENDERS = {
    "patang": contender(Ours, ""),
    "pure Python": contender(PurePython, ""),
    "pure Python, pared down": contender(ParedDown, ""),
    "bourse": contender(Bourse, "bourse"),
    "limit-order-book": contender(LimitOrderBook, "limit-order-book"),
    "matching-engine": contender(MatchingEngine, "matching-engine"),
    "cython-orderbook": contender(CythonOrderbook, "cython-orderbook"),
    "lightmatchingengine": contender(LightMatchingEngine, "lightmatchingengine"),
}
