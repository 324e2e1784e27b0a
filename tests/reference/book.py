"""The order book written for clarity.

A deque per price, the best price found by looking at all of them.
"""

import copy
from collections import deque
from dataclasses import dataclass

DAY, IOC, FOK = 0, 1, 2


@dataclass
class Entry:
    """A resting order; `hidden` waits behind `shown`, `peak` at a time (0: all at once)."""

    order_id: int
    side: int
    price: int
    shown: int
    hidden: int
    owner: int
    peak: int


class ReferenceBook:
    """The continuous book of `docs/book.md`, without refusals: ask it only what is allowed."""

    def __init__(self):
        self.queues: dict[tuple[int, int], deque[Entry]] = {}
        self.orders: dict[int, Entry] = {}
        self.fills: list[tuple[int, int, int, int]] = []

    def limit(self, order_id, side, price, quantity, owner=0, tif=DAY, disclosed=0):
        if tif == FOK:
            trial = copy.deepcopy(self)
            if trial.limit(order_id, side, price, quantity, owner, IOC) < quantity:
                return 0
        left, stopped = self.match(order_id, side, price, quantity, owner)
        if left and tif == DAY and not stopped:
            self.rest(Entry(order_id, side, price, 0, left, owner, disclosed))
        return quantity - left

    def match(self, taker, side, price, left, owner):
        while left and (best := self.best(-side)) != -1 and side * best <= side * price:
            queue = self.queues[-side, best]
            maker = queue[0]
            if owner and maker.owner == owner:
                return left, True
            traded = min(left, maker.shown)
            left -= traded
            maker.shown -= traded
            self.fills.append((maker.order_id, taker, best, traded))
            if not maker.shown:
                queue.popleft()
                del self.orders[maker.order_id]
                if maker.hidden:
                    self.rest(maker)
        return left, False

    def rest(self, entry):
        total = entry.shown + entry.hidden
        entry.shown = min(total, entry.peak or total)
        entry.hidden = total - entry.shown
        self.orders[entry.order_id] = entry
        self.queues.setdefault((entry.side, entry.price), deque()).append(entry)

    def cancel(self, order_id):
        entry = self.orders.pop(order_id)
        self.queues[entry.side, entry.price].remove(entry)
        return entry.shown + entry.hidden

    def modify(self, order_id, price, quantity):
        entry = self.orders[order_id]
        if price == entry.price and quantity <= entry.shown + entry.hidden:
            entry.shown = min(entry.shown, quantity)
            entry.hidden = quantity - entry.shown
            return 0
        self.cancel(order_id)
        return self.limit(order_id, entry.side, price, quantity, entry.owner, DAY, entry.peak)

    def best(self, side):
        prices = [price for (which, price), queue in self.queues.items() if which == side and queue]
        return side * max(side * price for price in prices) if prices else -1

    def depth(self, side):
        prices = sorted(
            {entry.price for entry in self.orders.values() if entry.side == side},
            key=lambda p: -side * p,
        )
        queues = [(price, self.queues[side, price]) for price in prices]
        return [(price, sum(entry.shown for entry in queue), len(queue)) for price, queue in queues]

    def ahead(self, order_id):
        queue = list(self.queues[self.orders[order_id].side, self.orders[order_id].price])
        return sum(
            entry.shown for entry in queue[: [entry.order_id for entry in queue].index(order_id)]
        )


def clearing(buys, sells, reference):
    """Return (price, quantity, imbalance) of a call auction.

    Orders are (price or None for market, quantity).
    """
    ranked = []
    for price in {price for price, _ in buys + sells if price is not None}:
        wanted = sum(quantity for limit, quantity in buys if limit is None or limit >= price)
        offered = sum(quantity for limit, quantity in sells if limit is None or limit <= price)
        ranked.append(
            (
                -min(wanted, offered),
                abs(wanted - offered),
                abs(price - reference),
                price,
                wanted - offered,
            )
        )
    everything = sum(quantity for _, quantity in buys) - sum(quantity for _, quantity in sells)
    if ranked:
        traded, _, _, price, imbalance = min(ranked)
        return (price, -traded, imbalance) if traded else (-1, 0, everything)
    both = min(sum(quantity for _, quantity in buys), sum(quantity for _, quantity in sells))
    return (reference, both, everything) if both else (-1, 0, 0 if not buys + sells else everything)
