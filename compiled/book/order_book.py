"""The price-time limit order book and its matching rules, one instrument (`docs/book.md`)."""

from enum import IntEnum
from typing import Final, final

from librt.strings import read_i32_le
from librt.vecs import extend, vec
from mypy_extensions import i32, i64

from compiled.book.call_auction import clearing
from compiled.book.price_levels import (
    GONE,
    HIDDEN,
    ID,
    NEXT,
    OPEN,
    OWNER,
    RECORD,
    SHOWN,
    PriceLevels,
)

DAY: Final = 0
IOC: Final = 1
FOK: Final = 2

MAX_ID: Final = 2_147_483_647
MAX_QUANTITY: Final = 2_147_483_647
ROOM: Final = 16_384
"""For how many ids more there is room each time it grows."""

# Codes are plain numbers for the compiled code, which would box the members of the enum below.
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


class BookRefusal(IntEnum):
    """The reason of a refused call, which leaves the book as it was."""

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


@final
class OrderBook(PriceLevels):
    """The book of one instrument, prices in ticks from `low` to `high`, both included.

    Raise ValueError for a band that is empty, below zero or beyond a thousand million.
    """

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
        """Enter a limit order and return the quantity filled at once, or a negative `BookRefusal`.

        `disclosed` is the quantity shown at a time (0: all). What an order cannot trade rests (DAY)
        or is dropped (IOC); FOK trades all or nothing. An order about to trade with one of the same
        `owner` (not 0) loses its rest.
        """
        refusal = self._entry_refusal(order_id, side, quantity, owner)
        if refusal < 0:
            return refusal
        if price < self._low or price > self._high:
            return _OFF_BAND
        if disclosed < 0 or disclosed > quantity:
            return _BAD_DISCLOSED
        if tif < DAY or tif > FOK:
            return _BAD_VALIDITY
        level = self._rank_price(side, price)
        if self._calling:
            if tif != DAY or disclosed > 0:
                return _NOT_IN_AUCTION
            self._rest_order(order_id, level, quantity, owner, 0)
            return 0
        # Counted before anything trades: a fill-or-kill order leaves no trace if it cannot fill.
        if tif == FOK and not self._is_fillable(level, quantity, owner):
            self._index[order_id] = i32(GONE)
            return 0
        left = quantity
        stays = tif == DAY
        # Ranks count from either side's best possible price, so two levels cross where their sum is
        # small: one comparison serves both sides.
        if level + (self._best_sell if side > 0 else self._best_buy) <= self._meet:
            left = self._match_order(order_id, level, quantity, owner)
            stays = stays and left > 0 and not self._stopped
        if stays:
            self._rest_order(order_id, level, left, owner, disclosed)
        else:
            self._index[order_id] = i32(GONE)
        return quantity - left

    def market(
        self,
        order_id: i64,
        side: i64,
        quantity: i64,
        owner: i64 = 0,
        protect: i64 = -1,
        rest: bool = False,
    ) -> i64:
        """Enter a market order and return the quantity filled at once, or a negative `BookRefusal`.

        `protect` is the worst tick it may trade at (-1: the edge of the band); the remainder is
        dropped, or rests there as a limit order. In a call auction it waits ahead of every limit
        order, or at `protect` where that is given.
        """
        if protect >= 0 or not self._calling:
            price = protect
            if protect == -1:
                price = self._high if side > 0 else self._low
            tif: i64 = DAY if rest or self._calling else IOC
            return self.limit(
                order_id, side, price=price, quantity=quantity, owner=owner, tif=tif, disclosed=0
            )
        refusal = self._entry_refusal(order_id, side, quantity, owner)
        if refusal == 0:
            if protect < -1:
                return _OFF_BAND
            self._rest_order(order_id, i64(0) if side > 0 else self._width, quantity, owner, 0)
        return refusal

    def cancel(self, order_id: i64) -> i64:
        """Take an order off the book; return its open quantity, or `BookRefusal.UNKNOWN_ORDER`."""
        at = self._find_record(order_id)
        if at == 0:
            return _UNKNOWN_ORDER
        o = self._orders
        quantity = i64(o[at + OPEN]) + i64(o[at + HIDDEN])
        self._unlink_record(at)
        self._release_record(at)
        return quantity

    def modify(self, order_id: i64, price: i64, quantity: i64) -> i64:
        """Give an order a new price and open quantity.

        Return the quantity it filled at once, or a negative `BookRefusal`. The same price and no
        more quantity keep its place; anything else enters it anew. A market order waiting for an
        auction becomes a limit order.
        """
        at = self._find_record(order_id)
        if at == 0:
            return _UNKNOWN_ORDER
        if price < self._low or price > self._high:
            return _OFF_BAND
        if quantity < 1 or quantity > MAX_QUANTITY:
            return _BAD_QUANTITY
        o = self._orders
        level = self._rank_price(1 if i64(o[at]) < self._width else -1, price)
        shown = i64(o[at + OPEN])
        # An order that asks for less of the same keeps its place, and gives up hidden
        # quantity first.
        if level == i64(o[at]) and quantity <= shown + i64(o[at + HIDDEN]):
            if quantity > shown:
                o[at + HIDDEN] = i32(quantity - shown)
            else:
                o[at + HIDDEN] = 0
                o[at + OPEN] = i32(quantity)
                self._levels[level * 4 + SHOWN] -= shown - quantity
            return 0
        self._unlink_record(at)
        # The record is off the book while it trades, or it could meet itself.
        left = quantity
        if not self._calling:
            left = self._match_order(order_id, level, quantity, i64(o[at + OWNER]))
        if left > 0 and (self._calling or not self._stopped):
            self._split_quantity(at, left)
            self._link_record(at, level)
        else:
            self._release_record(at)
        return quantity - left

    def run(self, messages: bytes) -> i64:
        """Apply packed 16-byte messages in order and return how many were refused.

        Each is `<BBHIii`: type (1 limit, 2 cancel, 3 modify, 4 IOC, 5 market, 6 FOK), side (0 buy,
        1 sell), owner, order id, price in ticks, quantity. Raise ValueError for a torn buffer.
        """
        if len(messages) % 16:
            raise ValueError(f"{len(messages)} bytes are no whole number of messages")
        refused: i64 = 0
        # the step is a literal: mypyc counts with any other in boxed numbers
        for at in range(i64(0), i64(len(messages)), 16):
            word = i64(read_i32_le(messages, at))
            kind = word & 0xFF
            side: i64 = 1 if word & 0xFF00 == 0 else -1
            owner = (word >> 16) & 0xFFFF
            order_id = i64(read_i32_le(messages, at + 4))
            price = i64(read_i32_le(messages, at + 8))
            quantity = i64(read_i32_le(messages, at + 12))
            if kind == 1:
                result = self.limit(
                    order_id,
                    side,
                    price=price,
                    quantity=quantity,
                    owner=owner,
                    tif=DAY,
                    disclosed=0,
                )
            elif kind == 2:
                result = self.cancel(order_id)
            elif kind == 3:
                result = self.modify(order_id, price, quantity)
            elif kind == 4:
                result = self.limit(
                    order_id,
                    side,
                    price=price,
                    quantity=quantity,
                    owner=owner,
                    tif=IOC,
                    disclosed=0,
                )
            elif kind == 5:
                result = self.market(
                    order_id, side, quantity=quantity, owner=owner, protect=-1, rest=False
                )
            elif kind == 6:
                result = self.limit(
                    order_id,
                    side,
                    price=price,
                    quantity=quantity,
                    owner=owner,
                    tif=FOK,
                    disclosed=0,
                )
            else:
                result = -1
            if result < 0:
                refused += 1
        return refused

    def collect(self) -> None:
        """Enter the call phase of an auction.

        Orders only rest, and icebergs show their whole quantity.
        """
        self._calling = True
        o = self._orders
        # By record, not by level: an order released before has no hidden quantity, so free records
        # pass unharmed.
        for at in range(i64(RECORD), self._top, 8):
            hidden = i64(o[at + HIDDEN])
            if hidden > 0:
                o[at + HIDDEN] = 0
                o[at + OPEN] = i32(i64(o[at + OPEN]) + hidden)
                self._levels[i64(o[at]) * 4 + SHOWN] += hidden

    def indicative(self, reference: i64) -> tuple[int, int, int]:
        """Return the auction's (price tick or -1, quantity, imbalance) as the orders stand.

        The price is the one among the limit prices with the largest executable quantity, then the
        smallest imbalance, then the nearest to `reference`, then the lowest; `reference` itself
        where only market orders meet. The imbalance is the buyers' quantity less the sellers' at
        that price, or in all where there is no price.
        """
        price, quantity, imbalance = clearing(
            self._levels, self._width, self._low, self._high, reference
        )
        return int(price), int(quantity), int(imbalance)

    def uncross(self, reference: i64) -> tuple[int, int]:
        """End the call phase: trade at the `indicative` price; return (tick or -1, quantity).

        Market orders trade first, then better prices, then earlier orders. A market order that is
        left rests as a limit order at that price (at `reference` where there is none, and is
        dropped where that is off the band).
        """
        tick, traded, _ = self.indicative(reference)
        price = i64(tick)
        left = i64(traded)
        # The best levels hand out market orders (rank 0) before any price, and earlier orders
        # first: the queues already stand in the order of an auction.
        while left > 0:
            lv = self._levels
            o = self._orders
            buy = lv[self._best_buy * 4]
            sell = lv[self._best_sell * 4]
            quantity = min(left, i64(o[buy + OPEN]), i64(o[sell + OPEN]))
            self._record_fill(i64(o[buy + ID]), i64(o[sell + ID]), price, quantity)
            self._fill_record(buy, quantity)
            self._fill_record(sell, quantity)
            left -= quantity
        self._calling = False
        if price < 0:
            price = reference
        self._convert_market_orders(0, price)
        self._convert_market_orders(self._width, price)
        return tick, traded

    def _convert_market_orders(self, base: i64, price: i64) -> None:
        """Turn a side's market orders into limit orders at `price`; drop them off the band."""
        level = self._rank_price(1 if base == 0 else -1, price)
        at = self._levels[base * 4]
        while at > 0:
            self._unlink_record(at)
            if self._low <= price <= self._high:
                self._link_record(at, level)
            else:
                self._release_record(at)
            at = self._levels[base * 4]

    def _entry_refusal(self, order_id: i64, side: i64, quantity: i64, owner: i64) -> i64:
        """Return 0 for an order that may enter, and make room for its id."""
        if order_id < 1 or order_id > MAX_ID:
            return _BAD_ID
        # not a set, which mypyc would ask with a boxed number
        if side != 1 and side != -1:
            return _BAD_SIDE
        if quantity < 1 or quantity > MAX_QUANTITY:
            return _BAD_QUANTITY
        if owner < 0 or owner > MAX_ID:
            return _BAD_OWNER
        index = self._index
        if order_id < len(index):
            return 0 if index[order_id] == 0 else _USED_ID
        # no more than needed: capacity grows by itself, and what is not written takes no memory
        missing = order_id + 1 - len(index)
        self._index = extend(index, vec[i32]([0] * int(max(missing, i64(ROOM)))))
        return 0

    def _match_order(self, taker: i64, own: i64, quantity: i64, owner: i64) -> i64:
        """Trade an order that would stand at level `own`; return the open quantity.

        A self-trade sets `_stopped`.
        """
        self._stopped = False
        left = quantity
        buys = own < self._width
        level = self._best_sell if buys else self._best_buy
        while left > 0 and own + level <= self._meet:
            o = self._orders
            at = self._levels[level * 4]
            if owner != 0 and i64(o[at + OWNER]) == owner:
                # The incoming order is the one to lose its rest: NSE cancels the active order in
                # its auctions, and the book does so throughout (docs/book.md, rule 3).
                self._stopped = True
                return left
            traded = min(left, i64(o[at + OPEN]))
            left -= traded
            self._record_fill(i64(o[at + ID]), taker, self._level_price(level), traded)
            self._fill_record(at, traded)
            level = self._best_sell if buys else self._best_buy
        return left

    def _is_fillable(self, own: i64, quantity: i64, owner: i64) -> bool:
        """Return whether `_match_order` would leave nothing.

        A hidden quantity comes behind every order of its level.
        """
        o = self._orders
        level = self._best_sell if own < self._width else self._best_buy
        total: i64 = 0
        while own + level <= self._meet and total < quantity:
            hidden: i64 = 0
            at = self._levels[level * 4]
            while at > 0:
                if owner != 0 and i64(o[at + OWNER]) == owner:
                    # A self-trade would stop the order here, whatever stands behind.
                    return total >= quantity
                total += i64(o[at + OPEN])
                hidden += i64(o[at + HIDDEN])
                at = i64(o[at + NEXT])
            total += hidden
            level = self._next_level(level + 1)
        return total >= quantity
