"""The price-time limit order book: a ladder of ticks between the day's price limits.

Each side numbers its prices by rank, 1 for the price nobody can better (the upper limit of the buyers, the lower limit
of the sellers), so both sides run the same code and the best level is the lowest set bit of a bitmap. Rank 0 holds the
market orders of a call auction. Orders are records in one packed array, linked into the queue of their level by
their offsets; a record that leaves is used again. `docs/book.md` states the matching rules in order.
"""

from enum import IntEnum
from typing import Final, final

from librt.strings import read_i32_le
from librt.vecs import vec
from mypy_extensions import i64

DAY: Final = 0
IOC: Final = 1
FOK: Final = 2

MAX_ID: Final = 2_147_483_647
MAX_QUANTITY: Final = 2_147_483_647

_BAD_ID: Final = -1
_USED_ID: Final = -2
_UNKNOWN_ORDER: Final = -3
_BAD_SIDE: Final = -4
_OFF_BAND: Final = -5
_BAD_QUANTITY: Final = -6
_BAD_OWNER: Final = -7
_BAD_VALIDITY: Final = -8
_BAD_DISCLOSED: Final = -9
_NOT_IN_AUCTION: Final = -10


class Refusal(IntEnum):
    """Why the book refused a call; it is then as it was before."""

    BAD_ID = _BAD_ID
    USED_ID = _USED_ID
    UNKNOWN_ORDER = _UNKNOWN_ORDER
    BAD_SIDE = _BAD_SIDE
    OFF_BAND = _OFF_BAND
    BAD_QUANTITY = _BAD_QUANTITY
    BAD_OWNER = _BAD_OWNER
    BAD_VALIDITY = _BAD_VALIDITY
    BAD_DISCLOSED = _BAD_DISCLOSED
    NOT_IN_AUCTION = _NOT_IN_AUCTION


# An order's record, eight numbers; the null record at offset 0 is never used.
_LEVEL: Final = 0
_OPEN: Final = 1
_NEXT: Final = 2
_PREV: Final = 3
_ID: Final = 4
_OWNER: Final = 5
_HIDDEN: Final = 6
_PEAK: Final = 7
_RECORD: Final = 8

# A level, four numbers.
_HEAD: Final = 0
_TAIL: Final = 1
_SHOWN: Final = 2
_COUNT: Final = 3

_GONE: Final = -1
"""Stands where the record of an order was, so that its id stays used."""


def _zeros(count: i64) -> vec[i64]:
    return vec[i64]([0] * int(count))


def _grown(old: vec[i64], least: i64) -> vec[i64]:
    new = _zeros(max(least, 2 * len(old)))
    for i in range(len(old)):
        new[i] = old[i]
    return new


@final
class Book:
    """The book of one instrument, prices in ticks from `low` to `high`, both included.

    Raise ValueError for a band that is empty or below zero.
    """

    def __init__(self, low: i64, high: i64) -> None:
        if low < 0 or high < low:
            raise ValueError(f"no price band: {low} to {high}")
        self._low = low
        self._high = high
        self._end: i64 = high - low + 2
        """Rank after the worst price; its bit is always set and ends every search."""
        self._width: i64 = (self._end + 32) // 32 * 32
        self._levels = _zeros(8 * self._width)
        self._bits = _zeros(self._width // 16)
        self._one: i64 = 1
        """Shifted instead of a literal, which mypyc would shift as a 32-bit number."""
        self._ctz = _zeros(32)
        for bit in range(i64(32)):
            self._ctz[(((self._one << bit) * 0x077CB531) & 0xFFFFFFFF) >> 27] = bit
        self._best_buy: i64 = self._end
        self._best_sell: i64 = self._width + self._end
        self._mark(self._best_buy)
        self._mark(self._best_sell)
        self._orders = _zeros(64 * _RECORD)
        self._used: i64 = _RECORD
        self._free: i64 = 0
        self._index = _zeros(64)
        self._fills = _zeros(256)
        self._filled: i64 = 0
        self._calling = False
        self._stopped = False

    def limit(
        self,
        order_id: i64,
        side: i64,
        price: i64,
        quantity: i64,
        owner: i64 = 0,
        tif: i64 = DAY,
        disclosed: i64 = 0,
    ) -> i64:
        """Enter a limit order and return the quantity filled at once, or a negative `Refusal`.

        `disclosed` is the quantity shown at a time (0: all). What an order cannot trade rests (DAY) or is dropped (IOC);
        FOK trades all or nothing. An order about to trade with one of the same `owner` (not 0) loses its rest.
        """
        refusal = self._refusal(order_id, side, quantity, owner)
        if refusal < 0:
            return refusal
        if price < self._low or price > self._high:
            return _OFF_BAND
        if disclosed < 0 or disclosed > quantity:
            return _BAD_DISCLOSED
        if tif < DAY or tif > FOK:
            return _BAD_VALIDITY
        level = self._high - price + 1 if side > 0 else self._width + price - self._low + 1
        if self._calling:
            if tif != DAY or disclosed > 0:
                return _NOT_IN_AUCTION
            self._rest(order_id, level, quantity, owner, 0)
            return 0
        if tif == FOK and not self._fillable(level, quantity, owner):
            self._index[order_id] = _GONE
            return 0
        left = self._match(order_id, level, quantity, owner)
        if left > 0 and tif == DAY and not self._stopped:
            self._rest(order_id, level, left, owner, disclosed)
        else:
            self._index[order_id] = _GONE
        return quantity - left

    def market(
        self, order_id: i64, side: i64, quantity: i64, owner: i64 = 0, protect: i64 = -1, rest: bool = False
    ) -> i64:
        """Enter a market order and return the quantity filled at once, or a negative `Refusal`.

        `protect` is the worst tick it may trade at (-1: the edge of the band); the remainder is dropped, or rests there
        as a limit order. In a call auction it waits ahead of every limit order, or at `protect` where that is given.
        """
        if protect >= 0 or not self._calling:
            price = protect
            if protect == -1:
                price = self._high if side > 0 else self._low
            tif: i64 = DAY if rest or self._calling else IOC
            return self.limit(order_id, side, price, quantity, owner, tif, 0)
        refusal = self._refusal(order_id, side, quantity, owner)
        if refusal == 0:
            if protect < -1:
                return _OFF_BAND
            self._rest(order_id, 0 if side > 0 else self._width, quantity, owner, 0)
        return refusal

    def cancel(self, order_id: i64) -> i64:
        """Take an order off the book and return its open quantity, or `Refusal.UNKNOWN_ORDER`."""
        at = self._find(order_id)
        if at == 0:
            return _UNKNOWN_ORDER
        o = self._orders
        quantity = o[at + _OPEN] + o[at + _HIDDEN]
        self._unlink(at)
        self._release(at)
        return quantity

    def modify(self, order_id: i64, price: i64, quantity: i64) -> i64:
        """Give an order a new price and open quantity; return what it filled at once, or a negative `Refusal`.

        The same price and no more quantity keep its place; anything else enters it anew. A market order waiting for an
        auction becomes a limit order.
        """
        at = self._find(order_id)
        if at == 0:
            return _UNKNOWN_ORDER
        if price < self._low or price > self._high:
            return _OFF_BAND
        if quantity < 1 or quantity > MAX_QUANTITY:
            return _BAD_QUANTITY
        o = self._orders
        level = o[at]
        level = self._high - price + 1 if level < self._width else self._width + price - self._low + 1
        shown = o[at + _OPEN]
        if level == o[at] and quantity <= shown + o[at + _HIDDEN]:
            if quantity > shown:
                o[at + _HIDDEN] = quantity - shown
            else:
                o[at + _HIDDEN] = 0
                o[at + _OPEN] = quantity
                self._levels[level * 4 + _SHOWN] -= shown - quantity
            return 0
        self._unlink(at)
        left = quantity
        if not self._calling:
            left = self._match(order_id, level, quantity, o[at + _OWNER])
        if left > 0 and (self._calling or not self._stopped):
            self._show(at, left)
            self._link(at, level)
        else:
            self._release(at)
        return quantity - left

    def remaining(self, order_id: i64) -> i64:
        """Return the open quantity of an order, hidden quantity included; 0 if it does not rest."""
        at = self._find(order_id)
        return self._orders[at + _OPEN] + self._orders[at + _HIDDEN] if at > 0 else 0

    def ahead(self, order_id: i64) -> i64:
        """Return the displayed quantity that stands before an order at its price, -1 if it does not rest."""
        at = self._find(order_id)
        if at == 0:
            return -1
        o = self._orders
        total: i64 = 0
        at = o[at + _PREV]
        while at > 0:
            total += o[at + _OPEN]
            at = o[at + _PREV]
        return total

    def best(self, side: i64) -> i64:
        """Return the best tick of a side, -1 if it is empty."""
        base: i64 = 0 if side > 0 else self._width
        level = self._best_buy if side > 0 else self._best_sell
        if level == base:
            level = self._next(base + 1)
        return self._price(level) if level < base + self._end else -1

    def quantity_at(self, side: i64, price: i64) -> i64:
        """Return the displayed quantity of a side at a tick."""
        if price < self._low or price > self._high:
            return 0
        level = self._high - price + 1 if side > 0 else self._width + price - self._low + 1
        return self._levels[level * 4 + _SHOWN]

    def depth(self, side: i64, levels: i64) -> list[tuple[int, int, int]]:
        """Return the best `levels` of a side as (tick, displayed quantity, orders), best first."""
        rows: list[tuple[int, int, int]] = []
        base: i64 = 0 if side > 0 else self._width
        level = self._next(base + 1)
        while level < base + self._end and len(rows) < levels:
            at = level * 4
            rows.append((int(self._price(level)), int(self._levels[at + _SHOWN]), int(self._levels[at + _COUNT])))
            level = self._next(level + 1)
        return rows

    def fills(self) -> i64:
        """Return the number of fills since the last `clear`."""
        return self._filled

    def fill(self, index: i64) -> tuple[int, int, int, int]:
        """Return fill `index` since the last `clear` as (maker id, taker id, tick, quantity).

        Nobody takes in an auction: there the buyer stands first, the seller second. Raise IndexError beyond the last.
        """
        if index < 0 or index >= self._filled:
            raise IndexError(f"fill {index} of {self._filled}")
        f = self._fills
        at = index * 4
        return int(f[at]), int(f[at + 1]), int(f[at + 2]), int(f[at + 3])

    def clear(self) -> None:
        """Forget the fills so far."""
        self._filled = 0

    def run(self, messages: bytes) -> i64:
        """Apply packed 16-byte messages in order and return how many were refused.

        Each is `<BBHIii`: type (1 limit, 2 cancel, 3 modify, 4 IOC, 5 market, 6 FOK), side (0 buy, 1 sell), owner,
        order id, price in ticks, quantity. Raise ValueError for a torn buffer.
        """
        if len(messages) % 16:
            raise ValueError(f"{len(messages)} bytes are no whole number of messages")
        refused: i64 = 0
        for at in range(i64(0), i64(len(messages)), i64(16)):
            word = i64(read_i32_le(messages, at))
            kind = word & 0xFF
            side: i64 = 1 if word & 0xFF00 == 0 else -1
            owner = (word >> 16) & 0xFFFF
            order_id = i64(read_i32_le(messages, at + 4))
            price = i64(read_i32_le(messages, at + 8))
            quantity = i64(read_i32_le(messages, at + 12))
            if kind == 1:
                result = self.limit(order_id, side, price, quantity, owner, DAY, 0)
            elif kind == 2:
                result = self.cancel(order_id)
            elif kind == 3:
                result = self.modify(order_id, price, quantity)
            elif kind == 4:
                result = self.limit(order_id, side, price, quantity, owner, IOC, 0)
            elif kind == 5:
                result = self.market(order_id, side, quantity, owner, -1, False)
            elif kind == 6:
                result = self.limit(order_id, side, price, quantity, owner, FOK, 0)
            else:
                result = -1
            if result < 0:
                refused += 1
        return refused

    def collect(self) -> None:
        """Enter the call phase of an auction: orders only rest, and icebergs show their whole quantity."""
        self._calling = True
        o = self._orders
        for at in range(i64(_RECORD), self._used, i64(_RECORD)):
            hidden = o[at + _HIDDEN]
            if hidden > 0:
                o[at + _HIDDEN] = 0
                o[at + _OPEN] += hidden
                self._levels[o[at] * 4 + _SHOWN] += hidden

    def indicative(self, reference: i64) -> tuple[int, int, int]:
        """Return the auction's (price tick or -1, executable quantity, imbalance) as the orders stand.

        The price is the one among the limit prices with the largest executable quantity, then the smallest imbalance,
        then the nearest to `reference`, then the lowest; `reference` itself where only market orders meet. The
        imbalance is what buyers want less what sellers offer at that price, or in all where there is no price.
        """
        lv = self._levels
        sells = lv[self._width * 4 + _SHOWN]
        waiting = min(lv[_SHOWN], sells)
        buys: i64 = 0
        for level in range(self._end):
            buys += lv[level * 4 + _SHOWN]
        total = buys
        price: i64 = -1
        most: i64 = 0
        least: i64 = 0
        for tick in range(self._low, self._high + 1):
            buy = (self._high - tick + 1) * 4
            sell = (self._width + tick - self._low + 1) * 4
            sells += lv[sell + _SHOWN]
            if lv[buy + _COUNT] + lv[sell + _COUNT] > 0:
                quantity = min(buys, sells)
                net = buys - sells
                gain = quantity - most
                if gain == 0 and price >= 0:
                    gain = max(least, -least) - max(net, -net)
                    if gain == 0:
                        gain = max(price - reference, reference - price) - max(tick - reference, reference - tick)
                if gain > 0:
                    price, most, least = tick, quantity, net
            buys -= lv[buy + _SHOWN]
        if price >= 0:
            return int(price), int(most), int(least)
        if waiting > 0 and self._low <= reference <= self._high:
            return int(reference), int(waiting), int(total - sells)
        return -1, 0, int(total - sells)

    def uncross(self, reference: i64) -> tuple[int, int]:
        """End the call phase: trade at the `indicative` price and return (tick or -1, quantity traded).

        Market orders trade first, then better prices, then earlier orders. A market order that is left rests as a limit
        order at that price (at `reference` where there is none, and is dropped where that is off the band).
        """
        tick, traded, _ = self.indicative(reference)
        price = i64(tick)
        left = i64(traded)
        while left > 0:
            lv = self._levels
            o = self._orders
            buy = lv[self._best_buy * 4]
            sell = lv[self._best_sell * 4]
            quantity = min(left, o[buy + _OPEN], o[sell + _OPEN])
            self._record(o[buy + _ID], o[sell + _ID], price, quantity)
            self._take(buy, quantity)
            self._take(sell, quantity)
            left -= quantity
        self._calling = False
        if price < 0:
            price = reference
        self._convert(0, price)
        self._convert(self._width, price)
        return tick, traded

    def _convert(self, base: i64, price: i64) -> None:
        """Turn the market orders of a side into limit orders at `price`, or drop them where that is off the band."""
        level = self._high - price + 1 if base == 0 else base + price - self._low + 1
        at = self._levels[base * 4]
        while at > 0:
            self._unlink(at)
            if self._low <= price <= self._high:
                self._link(at, level)
            else:
                self._release(at)
            at = self._levels[base * 4]

    def _refusal(self, order_id: i64, side: i64, quantity: i64, owner: i64) -> i64:
        """Return 0 for an order that may enter, and make room for its id."""
        if order_id < 1 or order_id > MAX_ID:
            return _BAD_ID
        if side not in {1, -1}:
            return _BAD_SIDE
        if quantity < 1 or quantity > MAX_QUANTITY:
            return _BAD_QUANTITY
        if owner < 0 or owner > MAX_ID:
            return _BAD_OWNER
        if order_id >= len(self._index):
            self._index = _grown(self._index, order_id + 1)
        return 0 if self._index[order_id] == 0 else _USED_ID

    def _find(self, order_id: i64) -> i64:
        """Return the record of a resting order, 0 if there is none."""
        if order_id < 1 or order_id >= len(self._index):
            return 0
        at = self._index[order_id]
        return at if at > 0 else 0

    def _price(self, level: i64) -> i64:
        return self._high - level + 1 if level < self._width else self._low + level - self._width - 1

    def _next(self, level: i64) -> i64:
        """Return the first marked level at or after `level`."""
        bits = self._bits
        word = level >> 5
        shift = level & 31
        found = (bits[word] >> shift) << shift
        while found == 0:
            word += 1
            found = bits[word]
        return (word << 5) + self._ctz[(((found & -found) * 0x077CB531) & 0xFFFFFFFF) >> 27]

    def _mark(self, level: i64) -> None:
        self._bits[level >> 5] |= self._one << (level & 31)

    def _match(self, taker: i64, own: i64, quantity: i64, owner: i64) -> i64:
        """Trade an order that would stand at level `own` and return what is left; tell in `_stopped` of a self-trade."""
        self._stopped = False
        left = quantity
        if own < self._width:
            last = self._width + self._end - own
            level = self._best_sell
        else:
            last = self._end - own + self._width
            level = self._best_buy
        while left > 0 and level <= last:
            o = self._orders
            at = self._levels[level * 4]
            if owner != 0 and o[at + _OWNER] == owner:
                self._stopped = True
                return left
            traded = min(left, o[at + _OPEN])
            left -= traded
            self._record(o[at + _ID], taker, self._price(level), traded)
            self._take(at, traded)
            level = self._best_sell if own < self._width else self._best_buy
        return left

    def _fillable(self, own: i64, quantity: i64, owner: i64) -> bool:
        """Tell whether `_match` would leave nothing; a hidden quantity comes behind every order of its level."""
        o = self._orders
        base = self._width if own < self._width else 0
        last = self._end - (own if own < self._width else own - self._width) + base
        level = self._next(base)
        total: i64 = 0
        while level <= last and total < quantity:
            hidden: i64 = 0
            at = self._levels[level * 4]
            while at > 0:
                if owner != 0 and o[at + _OWNER] == owner:
                    return total >= quantity
                total += o[at + _OPEN]
                hidden += o[at + _HIDDEN]
                at = o[at + _NEXT]
            total += hidden
            level = self._next(level + 1)
        return total >= quantity

    def _record(self, maker: i64, taker: i64, price: i64, quantity: i64) -> None:
        at = self._filled * 4
        if at >= len(self._fills):
            self._fills = _grown(self._fills, 0)
        f = self._fills
        f[at] = maker
        f[at + 1] = taker
        f[at + 2] = price
        f[at + 3] = quantity
        self._filled += 1

    def _take(self, at: i64, quantity: i64) -> None:
        """Trade `quantity` of a resting order; an iceberg whose display is gone shows its next peak at the tail."""
        o = self._orders
        left = o[at + _OPEN] - quantity
        if left > 0:
            o[at + _OPEN] = left
            self._levels[o[at] * 4 + _SHOWN] -= quantity
            return
        level = o[at]
        self._unlink(at)
        if o[at + _HIDDEN] > 0:
            self._show(at, o[at + _HIDDEN])
            self._link(at, level)
        else:
            self._release(at)

    def _rest(self, order_id: i64, level: i64, quantity: i64, owner: i64, peak: i64) -> None:
        at = self._free
        if at > 0:
            self._free = self._orders[at + _NEXT]
        else:
            at = self._used
            self._used += _RECORD
            if self._used > len(self._orders):
                self._orders = _grown(self._orders, 0)
        o = self._orders
        o[at + _ID] = order_id
        o[at + _OWNER] = owner
        o[at + _PEAK] = peak
        self._index[order_id] = at
        self._show(at, quantity)
        self._link(at, level)

    def _show(self, at: i64, quantity: i64) -> None:
        """Split an order's open quantity into what is displayed and what is hidden."""
        o = self._orders
        peak = o[at + _PEAK]
        shown = quantity if peak == 0 or self._calling else min(peak, quantity)
        o[at + _OPEN] = shown
        o[at + _HIDDEN] = quantity - shown

    def _link(self, at: i64, level: i64) -> None:
        """Put a record at the tail of a level."""
        o = self._orders
        lv = self._levels
        place = level * 4
        tail = lv[place + _TAIL]
        o[at] = level
        o[at + _PREV] = tail
        o[at + _NEXT] = 0
        lv[place + _TAIL] = at
        lv[place + _SHOWN] += o[at + _OPEN]
        lv[place + _COUNT] += 1
        if tail > 0:
            o[tail + _NEXT] = at
            return
        lv[place] = at
        self._mark(level)
        if level < self._width:
            self._best_buy = min(level, self._best_buy)
        else:
            self._best_sell = min(level, self._best_sell)

    def _unlink(self, at: i64) -> None:
        """Take a record out of its level."""
        o = self._orders
        lv = self._levels
        level = o[at]
        place = level * 4
        before = o[at + _PREV]
        after = o[at + _NEXT]
        lv[place + _SHOWN] -= o[at + _OPEN]
        lv[place + _COUNT] -= 1
        if before > 0:
            o[before + _NEXT] = after
        else:
            lv[place] = after
        if after > 0:
            o[after + _PREV] = before
        else:
            lv[place + _TAIL] = before
        if before + after > 0:
            return
        self._bits[level >> 5] &= ~(self._one << (level & 31))
        if level == self._best_buy:
            self._best_buy = self._next(level)
        elif level == self._best_sell:
            self._best_sell = self._next(level)

    def _release(self, at: i64) -> None:
        """Give a record back and keep its id as used."""
        o = self._orders
        self._index[o[at + _ID]] = _GONE
        o[at + _HIDDEN] = 0
        o[at + _NEXT] = self._free
        self._free = at
