"""Execution against ticks: the visible depth, and the place of each resting order in the queue at its price.

`docs/fills.md` states the rules in order. Prices are grid indexes; five levels a side, bids in the places 0 to 4, asks
in 5 to 9, size 0 where there is no level.
"""

from typing import Final

from librt.strings import read_i32_be
from mypy_extensions import i64

from compiled.floor import Floor
from compiled.model import E4, nearest
from compiled.resting import UNKNOWN, Resting

LEVELS: Final[i64] = 5
DEPTH: Final[i64] = 120
U32: Final[i64] = 0xFFFFFFFF


def book(floor: Floor, depth: bytes, offset: i64) -> bool:
    """Read Kite's block of ten levels at `offset`; return whether there is a level in it."""
    instrument = floor.instrument
    scale = E4 / (floor.wire * float(instrument.tick_e4))
    prices = floor.prices
    sizes = floor.sizes
    seen = False
    floor.visible = LEVELS
    for level in range(i64(10)):
        at = offset + 12 * level
        size = i64(read_i32_be(depth, at)) & U32
        sizes[level] = size * instrument.multiplier
        if size > 0:
            seen = True
            prices[level] = nearest(float(i64(read_i32_be(depth, at + 4)) & U32) * scale)
    return seen


def touch(floor: Floor, depth: bytes, offset: i64) -> tuple[float, float]:
    """Return the best bid and ask of Kite's block of ten levels at `offset` in rupees, 0.0 for none."""
    bid = float(i64(read_i32_be(depth, offset + 4)) & U32) / floor.wire
    ask = float(i64(read_i32_be(depth, offset + 64)) & U32) / floor.wire
    return bid, ask


def best(floor: Floor, bid: float, bid_size: i64, ask: float, ask_size: i64) -> bool:
    """Take a book of one level a side, prices in rupees; return whether there is a level in it."""
    units = floor.instrument.multiplier
    floor.visible = 1
    for level in range(i64(10)):
        floor.sizes[level] = 0
    if bid > 0.0:
        floor.prices[0] = floor.instrument.ticks(bid)
        floor.sizes[0] = bid_size * units
    if ask > 0.0:
        floor.prices[LEVELS] = floor.instrument.ticks(ask)
        floor.sizes[LEVELS] = ask_size * units
    return floor.sizes[0] > 0 or floor.sizes[LEVELS] > 0


def pass_by(floor: Floor, price: float, volume: i64) -> None:
    """Take in a tick, with a last price in rupees and the day's cumulative volume, where nothing of ours stands."""
    floor.rest(price)
    floor.day = max(floor.day, volume)


def trade(floor: Floor, ts: i64, price: i64, volume: i64, seen: bool) -> None:
    """Take in a tick: its last price, the day's cumulative volume (-1: unknown), and the book if one was `seen`."""
    before = floor.last()
    traded = _traded(floor, price, volume)
    floor.traded = floor.passed = traded if volume >= 0 else UNKNOWN
    floor.room = i64(-1) if seen else floor.slippage.share(floor.traded)
    if floor.orders:
        if before == 0:
            floor.at = price
        for order in list(floor.orders):
            if order.trigger == 0 and order.limit == 0:
                floor.protect(order)
        floor.at = price
        floor.spread = _spread(floor) if seen else 0.0
        for order in list(floor.orders):
            _meet(floor, order, ts, traded, seen)
    floor.at = price
    if floor.gtts:
        _fire(floor, ts)


def _traded(floor: Floor, price: i64, volume: i64) -> i64:
    """Return the volume since the tick before; without volume in the feed, 1 where the price has moved."""
    if volume < 0:
        return 1 if price != floor.at else 0
    day = floor.day
    if volume > day:
        floor.day = volume
    # a plain 0 on one side would box the other
    return (volume - day) * floor.instrument.multiplier if 0 <= day < volume else i64(0)


def _spread(floor: Floor) -> float:
    if floor.sizes[0] == 0 or floor.sizes[LEVELS] == 0:
        return 0.0
    return floor.instrument.price(floor.prices[LEVELS] - floor.prices[0])


def _fire(floor: Floor, ts: i64) -> None:
    for waiting in list(floor.gtts):
        for leg in range(i64(len(waiting.legs))):
            if waiting.reached(leg, floor.at):
                floor.fire(waiting, leg, ts)
                break


def _meet(floor: Floor, order: Resting, ts: i64, traded: i64, seen: bool) -> None:
    if order.trigger != 0:
        if not floor.fires(order, floor.at):
            return
        floor.activate(order, ts)
    if not seen:
        _by_last_price(floor, order, ts, traded)
    elif order.taking:
        _walk_depth(floor, order, ts)
    else:
        _stand_in_line(floor, order, ts, traded)
    if order.ioc and order.left > 0:
        floor.drop(order, ts, "immediate or cancel")


def _by_last_price(floor: Floor, order: Resting, ts: i64, traded: i64) -> None:
    """Trade without a book: what takes trades at the last price, what rests when the price has gone through it."""
    met = order.crosses(floor.at) or ((floor.rules.touch or order.market) and order.limit == floor.at)
    if order.taking:
        if met and not floor.locked(order.sign, floor.at):
            floor.take(order, ts)
        order.taking = met
    elif met and traded > 0:
        _fill_resting(floor, order, ts, order.left)


def _walk_depth(floor: Floor, order: Resting, ts: i64) -> None:
    """Take the visible levels of the other side, best first, as far as the limit.

    The rest comes to rest where the side ends; where only the sight of it ends, it takes again with the next tick.
    """
    first = LEVELS if order.sign > 0 else i64(0)
    whole = floor.sizes[first + floor.visible - 1] > 0
    for level in range(first, first + LEVELS):
        size = floor.sizes[level]
        if size == 0:
            continue
        price = floor.prices[level]
        if order.sign * (price - order.limit) > 0:
            order.taking = False
            break
        quantity = min(size, floor.allowed(order))
        if quantity > 0:
            floor.sizes[level] = size - quantity
            floor.fill(order, ts, quantity, price)
        if order.left == 0:
            return
    if not whole:
        order.taking = False
    if not order.taking:
        order.shown = _shown(floor, order)
        order.ahead = order.shown


def _shown(floor: Floor, order: Resting) -> i64:
    """Return what the book shows at an order's price: 0 where it is better than the best, -1 where it is out of sight."""
    first = i64(0) if order.sign > 0 else LEVELS
    for level in range(first, first + floor.visible):
        if floor.sizes[level] == 0:
            return 0  # a side with fewer levels than can be seen shows all there is
        price = floor.prices[level]
        if price == order.limit:
            return floor.sizes[level]
        if order.sign * (order.limit - price) > 0:
            return 0
    return UNKNOWN


def _stand_in_line(floor: Floor, order: Resting, ts: i64, traded: i64) -> None:
    """Trade a resting order: with what traded beyond it, with the other side, or when the queue ahead of it is gone."""
    if traded > 0 and order.crosses(floor.at):
        order.ahead = 0  # whoever stood before it at its price was met first
        _fill_resting(floor, order, ts, order.left)
    if order.left > 0:
        _meet_other_side(floor, order, ts)
    if order.left == 0:
        return
    gone: i64 = 0
    if traded > 0 and floor.at == order.limit and order.ahead >= 0:
        gone = min(traded, order.ahead)
        order.ahead -= gone
        _fill_resting(floor, order, ts, min(order.left, traded - gone))
        if order.left == 0:
            return
    _cancels_ahead(floor, order, traded if floor.at == order.limit else i64(0))


def _meet_other_side(floor: Floor, order: Resting, ts: i64) -> None:
    """Trade, at the order's own limit, with what the other side shows at that price or better."""
    first = LEVELS if order.sign > 0 else i64(0)
    for level in range(first, first + LEVELS):
        size = floor.sizes[level]
        if order.left == 0 or (size > 0 and order.sign * (floor.prices[level] - order.limit) > 0):
            return
        quantity = min(size, floor.allowed(order))
        if quantity > 0:
            floor.sizes[level] = size - quantity
            floor.fill(order, ts, quantity, order.limit)


def _fill_resting(floor: Floor, order: Resting, ts: i64, most: i64) -> None:
    """Give an order some of what was traded, which no other order of ours has had."""
    quantity = min(most, floor.allowed(order))
    if floor.passed >= 0:
        quantity = min(quantity, floor.passed)
        floor.passed -= quantity
    if quantity > 0:
        floor.fill(order, ts, quantity, order.limit)


def _cancels_ahead(floor: Floor, order: Resting, traded: i64) -> None:
    """Let what has left the level without a trade have left it evenly, ahead of the order and behind it."""
    now = _shown(floor, order)
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
