"""Execution inside a bar: the price walks open → nearer extreme → further extreme → close, and meets what stands there.

`docs/fills.md` states the rules in order. Prices are grid indexes.
"""

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.floor import Floor
from compiled.model import NEVER, Instrument
from compiled.resting import Resting, Waiting

POINTS: Final[i64] = 4
NOTHING: Final[list[Resting]] = []


def low_first(instrument: Instrument, open: float, high: float, low: float) -> bool:
    """Tell whether a bar's path goes to the low first: it is no farther from the open, counted in ticks of the grid.

    Differences of prices in rupees decide a tie by rounding noise: 4.35 - 4.30 is more than 4.40 - 4.35.
    """
    begun = instrument.ticks(open)
    return begun - instrument.ticks(low) <= instrument.ticks(high) - begun


def point(k: i64, to_low: bool, open: float, high: float, low: float, close: float) -> float:
    """Return the price (rupees) at point 0 to 3 of a bar's path, whose first extreme is the low where `to_low` says so."""
    if k == 0:
        return open
    if k == 3:
        return close
    return low if to_low == (k == 1) else high


def time(k: i64, start: i64, end: i64) -> i64:
    """Return when a bar's path reaches point 0 to 3 (ns): at its start, a third, two thirds, 1 ns before its end."""
    if k == 3:
        return end - 1
    return start + (end - start) * k // 3


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class Meeting:
    """What the price meets next: an order or a GTT's leg, at which level."""

    def __init__(self) -> None:
        self.level: i64 = 0
        self.distance: i64 = NEVER
        self.order: Resting | None = None
        self.gtt: Waiting | None = None
        self.leg: i64 = 0

    def nearer(self, at: i64, level: i64) -> bool:
        """Take a level (0: none) if it is nearer to the price than the one so far; return whether it is."""
        distance = level - at if level >= at else at - level
        if level == 0 or distance >= self.distance:
            return False
        self.level = level
        self.distance = distance
        return True


def begin(floor: Floor, ts: i64, open: i64, high: i64, low: i64, volume: i64) -> None:
    """Open a bar: the price jumps to `open`, and orders that waited for this bar arrive."""
    floor.low = low
    floor.high = high
    floor.traded = volume * floor.instrument.multiplier
    floor.room = floor.slippage.share(floor.traded)
    floor.at = open
    floor.close = 0.0
    for order in floor.orders:
        if order.fresh:
            order.fresh = False
            if order.market and order.trigger == 0:
                floor.protect(order)
    floor.gap = True
    walk(floor, ts, open)
    floor.gap = False
    for order in list(floor.orders) if floor.orders else NOTHING:
        if order.ioc and not order.fresh and order.trigger == 0:
            floor.drop(order, ts, "immediate or cancel")


def walk(floor: Floor, ts: i64, to: i64) -> None:
    """Move the price to the next point of the path; everything on the way is met in the order of its distance."""
    if not floor.orders and not floor.gtts:
        floor.at = to
        return
    tried: list[Resting] = []
    while floor.orders or floor.gtts:
        met = _next(floor, to, tried)
        if met.distance == NEVER:
            break
        floor.at = met.level
        if met.gtt is not None:
            floor.fire(met.gtt, met.leg, ts)
        elif met.order is not None:
            if _short(floor, met.order, ts):
                tried.append(met.order)
    floor.at = to


def _short(floor: Floor, order: Resting, ts: i64) -> bool:
    """Let an order have what it meets; return whether something of it is left that could not trade."""
    if order.trigger != 0:
        floor.activate(order, ts)
        return False
    if not order.taking:
        quantity = floor.allowed(order)
        if quantity > 0:
            floor.fill(order, ts, quantity, floor.at)
    elif not floor.locked(order.sign, floor.at):
        floor.take(order, ts)
    return order.left > 0


def _next(floor: Floor, to: i64, tried: list[Resting]) -> Meeting:
    met = Meeting()
    for order in floor.orders:
        if not order.fresh and order not in tried and met.nearer(floor.at, _level(floor, order, to)):
            met.order = order
    for waiting in floor.gtts:
        for leg in range(i64(len(waiting.legs))):
            if met.nearer(floor.at, _trigger(floor, waiting, leg, to)):
                met.gtt = waiting
                met.leg = leg
    return met


def _level(floor: Floor, order: Resting, to: i64) -> i64:
    """Return where on the way to `to` an order has its next event, 0 for nowhere."""
    if order.trigger != 0:
        if floor.fires(order, floor.at):
            return floor.at
        return order.trigger if floor.fires(order, to) else 0
    if order.taking:
        if order.crosses(floor.at) or ((order.market or floor.rules.touch) and order.limit == floor.at):
            return floor.at
        order.taking = False
    if order.crosses(floor.at):
        return floor.at
    if order.crosses(to) or (floor.rules.touch and order.limit == to):
        return order.limit
    return 0


def _trigger(floor: Floor, waiting: Waiting, leg: i64, to: i64) -> i64:
    """Return where on the way to `to` a leg fires, 0 for nowhere; a target gives way to a stop in the same bar."""
    if waiting.reached(leg, floor.at):
        level = floor.at
    elif waiting.reached(leg, to):
        level = waiting.levels[leg]
    else:
        return 0
    if floor.gap or len(waiting.legs) == 1 or leg == waiting.stop():
        return level
    stop = waiting.stop()
    if waiting.reached(stop, floor.low) or waiting.reached(stop, floor.high):
        return 0
    return level


def quiet(floor: Floor, low: i64, high: i64) -> bool:
    """Tell whether a bar between these prices can touch nothing that stands here."""
    for order in floor.orders:
        if order.trigger == 0 or floor.fires(order, low) or floor.fires(order, high):
            return False
    for waiting in floor.gtts:
        for leg in range(i64(len(waiting.legs))):
            if waiting.reached(leg, low) or waiting.reached(leg, high):
                return False
    return True
