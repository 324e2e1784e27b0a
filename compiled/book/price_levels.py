"""The resting orders of a book: the levels of both sides, their queues, and the fills.

Each side numbers its prices by rank, 1 for its best possible price (the upper limit of the buyers,
the lower limit of the sellers), so both sides run the same code and the best level is the lowest
set bit of a bitmap. Rank 0 holds the market orders of a call auction. Orders are records in one
packed array, linked into the queue of their level by their offsets; a record that leaves is used
again.
"""

from typing import Final, final

from librt.vecs import extend, vec
from mypy_extensions import i32, i64

# The book is packed arrays that refer to each other by offset, so that an order costs no
# object and a fill no allocation:
#
#     _index   order id -> offset of its record; 0 never used, GONE used up
#     _orders  | null | LEVEL OPEN NEXT PREV ID OWNER HIDDEN PEAK | LEVEL ... |     i32
#     _levels  | buys: rank 0 (market), 1 (best possible), ..., end | sells: 0, 1, ... |   i64
#                each HEAD TAIL SHOWN COUNT; sells begin at _width
#     _bits    one bit a level, 32 to a word

# An order's record, eight numbers; the null record at offset 0 is never used.
LEVEL: Final = 0
OPEN: Final = 1
NEXT: Final = 2
PREV: Final = 3
ID: Final = 4
OWNER: Final = 5
HIDDEN: Final = 6
PEAK: Final = 7
RECORD: Final = 8

# A level, four numbers.
HEAD: Final = 0
TAIL: Final = 1
SHOWN: Final = 2
COUNT: Final = 3

MAX_PRICE: Final = 1_000_000_000
GONE: Final = -1
"""Stands in the index where the record of an order was, so that its id stays used."""


def _zero_vec(count: i64) -> vec[i64]:
    return vec[i64]([0] * int(count))


class PriceLevels:
    """Both sides of a book, with the reading half of its interface.

    Prices are ticks from `low` to `high`, both included. Raise ValueError for a band that is empty,
    below zero or beyond a thousand million.
    """

    def __init__(self, low: i64, high: i64) -> None:
        if low < 0 or high < low or high > MAX_PRICE:
            raise ValueError(f"no price band: {low} to {high}")
        self._low: i64 = 0
        self._high: i64 = 0
        self._end: i64 = 0
        """Rank after the worst price; its bit is always set and ends every search."""
        self._width: i64 = 0
        self._meet: i64 = 0
        """Levels of the two sides trade with each other while their sum is no more than this."""
        self._levels = vec[i64]()
        self._bits = vec[i64]()
        self._best_buy: i64 = 0
        self._best_sell: i64 = 0
        self._one: i64 = 1
        """Shifted instead of a literal, which mypyc would shift as a 32-bit number."""
        # The lowest set bit by a de Bruijn product: mypyc has no instruction for trailing zeros,
        # and a loop over 32 bits is what the bitmap is there to spare.
        self._ctz = _zero_vec(32)
        for bit in range(i64(32)):
            self._ctz[(((self._one << bit) * 0x077CB531) & 0xFFFFFFFF) >> 27] = bit
        self._orders = vec[i32]([0] * (64 * RECORD))
        self._top: i64 = RECORD
        """Where the records that were ever used end."""
        self._free: i64 = 0
        self._index = vec[i32]([0] * 64)
        self._fills = vec[i32]([0] * 256)
        self._filled: i64 = 0
        self._calling = False
        self._stopped = False
        self._make_levels(low, high)

    @final
    def _make_levels(self, low: i64, high: i64) -> None:
        """Make empty levels for a band."""
        self._low = low
        self._high = high
        # Rank 0 for market orders, one for each tick, and the sentinel whose bit ends every search.
        self._end = high - low + 2
        # The sells begin at a whole word of the bitmap, so that no word is shared by both sides.
        self._width = (self._end + 32) // 32 * 32
        self._meet = self._width + self._end
        self._levels = _zero_vec(8 * self._width)
        self._bits = _zero_vec(self._width // 16)
        self._best_buy = self._end
        self._best_sell = self._width + self._end
        self._bits[self._best_buy >> 5] = self._one << (self._best_buy & 31)
        self._bits[self._best_sell >> 5] = self._one << (self._best_sell & 31)

    @final
    def widen(self, low: i64, high: i64) -> None:
        """Move the edges of the band outwards; every order keeps its price and its place.

        Raise ValueError for a band that does not hold the present one.
        """
        if low < 0 or low > self._low or high < self._high or high > MAX_PRICE:
            raise ValueError(f"no wider price band: {low} to {high}")
        lv = self._levels
        width = self._width
        buys = high - self._high
        sells = self._low - low
        self._make_levels(low, high)
        # A rank counts from the side's best possible price, so a new edge shifts all ranks of a
        # side by one amount; the queues are carried over whole and keep their order.
        for level in range(2 * width):
            at = lv[level * 4]
            if at > 0:
                base = i64(0) if level < width else width
                rank = level - base
                if rank > 0:
                    rank += buys if base == 0 else sells
                if base > 0:
                    rank += self._width
                self._carry_queue(lv, level * 4, rank)

    @final
    def _carry_queue(self, lv: vec[i64], place: i64, level: i64) -> None:
        """Put a queue that stood at `place` of other levels at a level."""
        o = self._orders
        for field in range(i64(4)):
            self._levels[level * 4 + field] = lv[place + field]
        at = lv[place]
        while at > 0:
            o[at] = i32(level)
            at = i64(o[at + NEXT])
        self._mark_level(level)

    @final
    def _mark_level(self, level: i64) -> None:
        """Note that a level is no longer empty."""
        self._bits[level >> 5] |= self._one << (level & 31)
        if level < self._width:
            self._best_buy = min(level, self._best_buy)
        else:
            self._best_sell = min(level, self._best_sell)

    @final
    def remaining(self, order_id: i64) -> i64:
        """Return the open quantity of an order, hidden quantity included; 0 if it does not rest."""
        at = self._find_record(order_id)
        return i64(self._orders[at + OPEN]) + i64(self._orders[at + HIDDEN]) if at > 0 else i64(0)

    @final
    def ahead(self, order_id: i64) -> i64:
        """Return the displayed quantity ahead of an order at its price, -1 if it does not rest."""
        at = self._find_record(order_id)
        if at == 0:
            return -1
        o = self._orders
        total: i64 = 0
        at = i64(o[at + PREV])
        while at > 0:
            total += i64(o[at + OPEN])
            at = i64(o[at + PREV])
        return total

    @final
    def best(self, side: i64) -> i64:
        """Return the best tick of a side, -1 if it is empty."""
        base = i64(0) if side > 0 else self._width
        level = self._best_buy if side > 0 else self._best_sell
        # Rank 0 are market orders of an auction, which have no price to show.
        if level == base:
            level = self._next_level(base + 1)
        return self._level_price(level) if level < base + self._end else i64(-1)

    @final
    def quantity_at(self, side: i64, price: i64) -> i64:
        """Return the displayed quantity of a side at a tick."""
        if price < self._low or price > self._high:
            return 0
        level = self._rank_price(side, price)
        return self._levels[level * 4 + SHOWN]

    @final
    def depth(self, side: i64, levels: i64) -> list[tuple[int, int, int]]:
        """Return the best `levels` of a side as (tick, displayed quantity, orders), best first."""
        rows: list[tuple[int, int, int]] = []
        base = i64(0) if side > 0 else self._width
        level = self._next_level(base + 1)
        while level < base + self._end and len(rows) < levels:
            at = level * 4
            rows.append(
                (
                    int(self._level_price(level)),
                    int(self._levels[at + SHOWN]),
                    int(self._levels[at + COUNT]),
                )
            )
            level = self._next_level(level + 1)
        return rows

    @final
    def fills(self) -> i64:
        """Return the number of fills since the last `clear`."""
        return self._filled

    @final
    def fill(self, index: i64) -> tuple[int, int, int, int]:
        """Return fill `index` since the last `clear` as (maker id, taker id, tick, quantity).

        An auction has no taker: there the buyer stands first, the seller second. Raise IndexError
        beyond the last.
        """
        if index < 0 or index >= self._filled:
            raise IndexError(f"fill {index} of {self._filled}")
        f = self._fills
        at = index * 4
        return int(f[at]), int(f[at + 1]), int(f[at + 2]), int(f[at + 3])

    @final
    def clear(self) -> None:
        """Forget the fills so far."""
        self._filled = 0

    @final
    def _find_record(self, order_id: i64) -> i64:
        """Return the record of a resting order, 0 if there is none."""
        if order_id < 1 or order_id >= len(self._index):
            return 0
        at = i64(self._index[order_id])
        # a plain 0 on one side would box the other
        return at if at > 0 else i64(0)

    @final
    def _rank_price(self, side: i64, price: i64) -> i64:
        """Return the level of a side at a tick of the band."""
        return self._high - price + 1 if side > 0 else self._width + price - self._low + 1

    @final
    def _level_price(self, level: i64) -> i64:
        return (
            self._high - level + 1 if level < self._width else self._low + level - self._width - 1
        )

    @final
    def _next_level(self, level: i64) -> i64:
        """Return the first marked level at or after `level`."""
        bits = self._bits
        word = level >> 5
        shift = level & 31
        # Levels below the one asked for are shifted out, then back in as zeros.
        found = (bits[word] >> shift) << shift
        while found == 0:
            word += 1
            found = bits[word]
        return (word << 5) + self._ctz[(((found & -found) * 0x077CB531) & 0xFFFFFFFF) >> 27]

    @final
    def _record_fill(self, maker: i64, taker: i64, price: i64, quantity: i64) -> None:
        at = self._filled * 4
        self._filled += 1
        f = self._fills
        # Doubled at once: appending a number at a time costs about ten instructions each (ADR 4).
        if at == len(f):
            f = extend(f, vec[i32]([0] * int(at)))
            self._fills = f
        f[at] = i32(maker)
        f[at + 1] = i32(taker)
        f[at + 2] = i32(price)
        f[at + 3] = i32(quantity)

    @final
    def _rest_order(self, order_id: i64, level: i64, quantity: i64, owner: i64, peak: i64) -> None:
        o = self._orders
        at = self._free
        if at > 0:
            self._free = i64(o[at + NEXT])
        else:
            at = self._top
            self._top = at + RECORD
            if at == len(o):
                o = extend(o, vec[i32]([0] * int(at)))
                self._orders = o
        o[at + ID] = i32(order_id)
        o[at + OWNER] = i32(owner)
        o[at + PEAK] = i32(peak)
        self._index[order_id] = i32(at)
        self._split_quantity(at, quantity)
        self._link_record(at, level)

    @final
    def _split_quantity(self, at: i64, quantity: i64) -> None:
        """Split an order's open quantity into its displayed and its hidden part."""
        o = self._orders
        peak = i64(o[at + PEAK])
        shown = quantity if peak == 0 or self._calling else min(peak, quantity)
        o[at + OPEN] = i32(shown)
        o[at + HIDDEN] = i32(quantity - shown)

    @final
    def _link_record(self, at: i64, level: i64) -> None:
        """Put a record at the tail of a level."""
        o = self._orders
        lv = self._levels
        place = level * 4
        tail = lv[place + TAIL]
        o[at] = i32(level)
        o[at + PREV] = i32(tail)
        o[at + NEXT] = 0
        lv[place + TAIL] = at
        lv[place + SHOWN] += i64(o[at + OPEN])
        lv[place + COUNT] += 1
        if tail > 0:
            o[tail + NEXT] = i32(at)
            return
        lv[place] = at
        self._mark_level(level)

    @final
    def _unlink_record(self, at: i64) -> None:
        """Take a record out of its level."""
        o = self._orders
        lv = self._levels
        level = i64(o[at])
        place = level * 4
        before = i64(o[at + PREV])
        after = i64(o[at + NEXT])
        lv[place + SHOWN] -= i64(o[at + OPEN])
        lv[place + COUNT] -= 1
        if before > 0:
            o[before + NEXT] = i32(after)
        else:
            lv[place] = after
        if after > 0:
            o[after + PREV] = i32(before)
        else:
            lv[place + TAIL] = before
        # The level still has orders: neither its bit nor the best level changes.
        if before + after > 0:
            return
        self._bits[level >> 5] &= ~(self._one << (level & 31))
        if level == self._best_buy:
            self._best_buy = self._next_level(level)
        elif level == self._best_sell:
            self._best_sell = self._next_level(level)

    @final
    def _fill_record(self, at: i64, quantity: i64) -> None:
        """Trade `quantity` of a resting order.

        An iceberg whose display is gone shows its next peak at the tail.
        """
        o = self._orders
        left = i64(o[at + OPEN]) - quantity
        if left > 0:
            o[at + OPEN] = i32(left)
            self._levels[i64(o[at]) * 4 + SHOWN] -= quantity
            return
        level = i64(o[at])
        self._unlink_record(at)
        # The next peak of an iceberg loses the priority of the first: it was not in sight
        # (docs/book.md).
        if i64(o[at + HIDDEN]) > 0:
            self._split_quantity(at, i64(o[at + HIDDEN]))
            self._link_record(at, level)
        else:
            self._release_record(at)

    @final
    def _release_record(self, at: i64) -> None:
        """Give a record back and keep its id as used."""
        o = self._orders
        # An id is never free again: a late cancel of the old order would otherwise hit a new one.
        self._index[i64(o[at + ID])] = i32(GONE)
        o[at + HIDDEN] = 0
        o[at + NEXT] = i32(self._free)
        self._free = at
