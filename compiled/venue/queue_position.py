"""Execution against ticks: the visible depth, and queue places of resting orders.

`docs/fills.md` states the rules in order. Prices are grid indexes; five levels a side, bids in the
places 0 to 4, asks in 5 to 9, size 0 where there is no level.
"""

from typing import Final

from librt.strings import read_i32_be
from mypy_extensions import i64

from compiled.model.values import E4, nearest
from compiled.venue.instrument_venue import InstrumentVenue
from compiled.venue.resting_orders import UNKNOWN, RestingOrder

LEVELS: Final[i64] = 5
DEPTH: Final[i64] = 120
U32: Final[i64] = 0xFFFFFFFF


def read_book(floor: InstrumentVenue, depth: bytes, offset: i64) -> bool:
    """Read a block of ten levels at `offset`; return whether there is a level in it."""
    instrument = floor.instrument
    # One factor takes a price on the wire to a grid index, in one multiplication a level.
    scale = E4 / (floor.wire_divisor * float(instrument.tick_e4))
    prices = floor.prices
    sizes = floor.sizes
    seen = False
    floor.visible_levels = LEVELS
    for level in range(i64(10)):
        at = offset + 12 * level
        size = i64(read_i32_be(depth, at)) & U32
        sizes[level] = size * instrument.multiplier
        if size > 0:
            seen = True
            prices[level] = nearest(float(i64(read_i32_be(depth, at + 4)) & U32) * scale)
    return seen


def read_touch(floor: InstrumentVenue, depth: bytes, offset: i64) -> tuple[float, float]:
    """Return the best bid and ask of a block of ten levels at `offset`.

    They are rupees, 0.0 for none.
    """
    bid = float(i64(read_i32_be(depth, offset + 4)) & U32) / floor.wire_divisor
    ask = float(i64(read_i32_be(depth, offset + 64)) & U32) / floor.wire_divisor
    return bid, ask


def set_best(floor: InstrumentVenue, bid: float, bid_size: i64, ask: float, ask_size: i64) -> bool:
    """Take a book of one level a side, prices in rupees; return whether there is a level in it."""
    units = floor.instrument.multiplier
    # What lies behind the best level is out of sight, and not the end of the side.
    floor.visible_levels = 1
    for level in range(i64(10)):
        floor.sizes[level] = 0
    if bid > 0.0:
        floor.prices[0] = floor.instrument.ticks(bid)
        floor.sizes[0] = bid_size * units
    if ask > 0.0:
        floor.prices[LEVELS] = floor.instrument.ticks(ask)
        floor.sizes[LEVELS] = ask_size * units
    return floor.sizes[0] > 0 or floor.sizes[LEVELS] > 0


def pass_tick(floor: InstrumentVenue, price: float, volume: i64) -> None:
    """Take in a tick where nothing of ours stands.

    It is a last price in rupees and the day's cumulative volume.
    """
    floor.note_price(price)
    floor.day_volume = max(floor.day_volume, volume)


def meet_tick(floor: InstrumentVenue, ts: i64, price: i64, volume: i64, seen: bool) -> None:
    """Take in a tick: its last price, the day's cumulative volume (-1: unknown), and the book.

    The book counts only if one was `seen`.
    """
    before = floor.last_index()
    traded = _traded_volume(floor, price, volume)
    floor.traded = floor.passed_volume = traded if volume >= 0 else UNKNOWN
    floor.volume_left = i64(-1) if seen else floor.slippage.share(floor.traded)
    if floor.orders:
        # Without an earlier price the protection counts from this one (rule 21).
        if before == 0:
            floor.price_index = price
        for order in list(floor.orders):
            if order.trigger == 0 and order.limit == 0:
                floor.protect_order(order)
        floor.price_index = price
        floor.spread = _quoted_spread(floor) if seen else 0.0
        for order in list(floor.orders):
            _meet_order(floor, order, ts, traded, seen)
    floor.price_index = price
    # After the orders: a GTT is the broker's, and its order meets the next tick (rule 20).
    if floor.gtts:
        _fire_gtts(floor, ts)


def _traded_volume(floor: InstrumentVenue, price: i64, volume: i64) -> i64:
    """Return the volume since the tick before.

    Without volume in the feed, it is 1 where the price has moved.
    """
    if volume < 0:
        return 1 if price != floor.price_index else 0
    day = floor.day_volume
    if volume > day:
        floor.day_volume = volume
    # (i64(0), as a plain 0 on one side would box the other.)
    # The first volume of a session is no trade of this moment, and a lower one is a late packet.
    return (volume - day) * floor.instrument.multiplier if 0 <= day < volume else i64(0)


def _quoted_spread(floor: InstrumentVenue) -> float:
    if floor.sizes[0] == 0 or floor.sizes[LEVELS] == 0:
        return 0.0
    return floor.instrument.price(floor.prices[LEVELS] - floor.prices[0])


def _fire_gtts(floor: InstrumentVenue, ts: i64) -> None:
    for waiting in list(floor.gtts):
        for leg in range(i64(len(waiting.legs))):
            if waiting.is_reached(leg, floor.price_index):
                floor.fire_gtt(waiting, leg, ts)
                break


def _meet_order(
    floor: InstrumentVenue, order: RestingOrder, ts: i64, traded: i64, seen: bool
) -> None:
    if order.trigger != 0:
        if not floor.is_triggered(order, floor.price_index):
            return
        floor.activate_stop(order, ts)
    if not seen:
        _trade_by_last_price(floor, order, ts, traded)
    elif order.taking:
        _walk_depth(floor, order, ts)
    else:
        _stand_in_line(floor, order, ts, traded)
    if order.ioc and order.left > 0:
        floor.drop_order(order, ts, "immediate or cancel")


def _trade_by_last_price(floor: InstrumentVenue, order: RestingOrder, ts: i64, traded: i64) -> None:
    """Trade without a book.

    Taking orders trade at the last price, resting ones when the price has gone through them.
    """
    met = order.crosses(floor.price_index) or (
        (floor.rules.touch or order.market) and order.limit == floor.price_index
    )
    if order.taking:
        if met and not floor.is_locked(order.sign, floor.price_index):
            floor.take_liquidity(order, ts)
        order.taking = met
    elif met and traded > 0:
        _fill_resting(floor, order, ts, order.left)


def _walk_depth(floor: InstrumentVenue, order: RestingOrder, ts: i64) -> None:
    """Take the visible levels of the other side, best first, as far as the limit.

    The rest comes to rest where the side ends; where only the sight of it ends, it takes again with
    the next tick.
    """
    first = LEVELS if order.sign > 0 else i64(0)
    whole = floor.sizes[first + floor.visible_levels - 1] > 0
    for level in range(first, first + LEVELS):
        size = floor.sizes[level]
        if size == 0:
            continue
        price = floor.prices[level]
        if order.sign * (price - order.limit) > 0:
            order.taking = False
            break
        quantity = min(size, floor.allowed_quantity(order))
        if quantity > 0:
            # Our next order on this tick finds what is left: two of ours do not take the same
            # shares.
            floor.sizes[level] = size - quantity
            floor.fill_order(order, ts, quantity, price)
        if order.left == 0:
            return
    if not whole:
        order.taking = False
    if not order.taking:
        order.shown = _shown_quantity(floor, order)
        order.ahead = order.shown


def _shown_quantity(floor: InstrumentVenue, order: RestingOrder) -> i64:
    """Return the quantity the book shows at an order's price.

    It is 0 where the order is better than the best, -1 where it is out of sight.
    """
    first = i64(0) if order.sign > 0 else LEVELS
    for level in range(first, first + floor.visible_levels):
        if floor.sizes[level] == 0:
            return 0  # a side with fewer levels than can be seen shows all there is
        price = floor.prices[level]
        if price == order.limit:
            return floor.sizes[level]
        if order.sign * (order.limit - price) > 0:
            return 0
    return UNKNOWN


def _stand_in_line(floor: InstrumentVenue, order: RestingOrder, ts: i64, traded: i64) -> None:
    """Trade a resting order.

    It trades with the volume beyond it, with the other side, or when the queue ahead is gone.
    """
    if traded > 0 and order.crosses(floor.price_index):
        order.ahead = 0  # whoever stood before it at its price was met first
        _fill_resting(floor, order, ts, order.left)
    # The other side has come to the limit: what it shows there trades with the order, whatever
    # stood ahead of it (rule 18).
    if order.left > 0:
        _meet_other_side(floor, order, ts)
    if order.left == 0:
        return
    gone: i64 = 0
    if traded > 0 and floor.price_index == order.limit and order.ahead >= 0:
        gone = min(traded, order.ahead)
        order.ahead -= gone
        _fill_resting(floor, order, ts, min(order.left, traded - gone))
        if order.left == 0:
            return
    _cancels_ahead(floor, order, traded if floor.price_index == order.limit else i64(0))


def _meet_other_side(floor: InstrumentVenue, order: RestingOrder, ts: i64) -> None:
    """Trade, at the order's own limit, with the other side's levels at that price or better."""
    first = LEVELS if order.sign > 0 else i64(0)
    for level in range(first, first + LEVELS):
        size = floor.sizes[level]
        if order.left == 0 or (size > 0 and order.sign * (floor.prices[level] - order.limit) > 0):
            return
        quantity = min(size, floor.allowed_quantity(order))
        if quantity > 0:
            floor.sizes[level] = size - quantity
            floor.fill_order(order, ts, quantity, order.limit)


def _fill_resting(floor: InstrumentVenue, order: RestingOrder, ts: i64, most: i64) -> None:
    """Give an order some of the traded volume that no other order of ours has had."""
    quantity = min(most, floor.allowed_quantity(order))
    # One print fills our orders once, the oldest first, however many of them it went through.
    if floor.passed_volume >= 0:
        quantity = min(quantity, floor.passed_volume)
        floor.passed_volume -= quantity
    if quantity > 0:
        floor.fill_order(order, ts, quantity, order.limit)


def _cancels_ahead(floor: InstrumentVenue, order: RestingOrder, traded: i64) -> None:
    """Spread the cancellations of a level evenly, ahead of the order and behind it.

    They are the quantity that has left the level without a trade.
    """
    now = _shown_quantity(floor, order)
    if now < 0:
        order.shown = UNKNOWN
        return
    if order.ahead < 0:
        order.ahead = now
    elif order.shown > 0:
        left = max(0, order.shown - traded)
        if now < left:
            order.ahead = (order.ahead * now + left - 1) // left
    order.ahead = min(order.ahead, now)
    order.shown = now
