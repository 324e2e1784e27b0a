"""Execution inside a bar: the price walks open → nearer extreme → further extreme → close, and meets what stands there.

`docs/fills.md` states the rules in order. Prices are grid indexes.
"""

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.model.values import NEVER, Instrument
from compiled.venue.instrument_venue import InstrumentVenue
from compiled.venue.resting_orders import RestingGtt, RestingOrder

POINTS: Final[i64] = 4
NOTHING: Final[list[RestingOrder]] = []


def low_first(instrument: Instrument, open: float, high: float, low: float) -> bool:
    """Tell whether a bar's path goes to the low first.

    It is no farther from the open, counted in ticks of the grid.

    Differences of prices in rupees decide a tie by rounding noise: 4.35 - 4.30 is more than 4.40 -
    4.35.
    """
    begun = instrument.ticks(open)
    return begun - instrument.ticks(low) <= instrument.ticks(high) - begun


def path_point(k: i64, to_low: bool, open: float, high: float, low: float, close: float) -> float:
    """Return the price (rupees) at point 0 to 3 of a bar's path, whose first extreme is the low where `to_low` says so."""
    if k == 0:
        return open
    if k == 3:
        return close
    return low if to_low == (k == 1) else high


def path_time(k: i64, start: i64, end: i64) -> i64:
    """Return when a bar's path reaches point 0 to 3 (ns).

    At its start, a third, two thirds, 1 ns before its end.
    """
    if k == 3:
        return end - 1
    return start + (end - start) * k // 3


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class PriceMeeting:
    """What the price meets next: an order or a GTT's leg, at which level."""

    def __init__(self) -> None:
        self.level: i64 = 0
        self.distance: i64 = NEVER
        self.order: RestingOrder | None = None
        self.gtt: RestingGtt | None = None
        self.leg: i64 = 0

    def take_if_nearer(self, at: i64, level: i64) -> bool:
        """Take a level (0: none) if it is nearer to the price than the one so far.

        Return whether it is.
        """
        distance = level - at if level >= at else at - level
        if level == 0 or distance >= self.distance:
            return False
        self.level = level
        self.distance = distance
        return True


def begin_bar(floor: InstrumentVenue, ts: i64, open: i64, high: i64, low: i64, volume: i64) -> None:
    """Open a bar: the price jumps to `open`, and orders that waited for this bar arrive."""
    floor.low = low
    floor.high = high
    floor.traded = volume * floor.instrument.multiplier
    floor.volume_left = floor.slippage.share(floor.traded)
    floor.price_index = open
    floor.close = 0.0
    for order in floor.orders:
        if order.fresh:
            order.fresh = False
            if order.market and order.trigger == 0:
                floor.protect_order(order)
    floor.is_gap = True
    walk_to(floor, ts, open)
    floor.is_gap = False
    for order in list(floor.orders) if floor.orders else NOTHING:
        if order.ioc and not order.fresh and order.trigger == 0:
            floor.drop_order(order, ts, "immediate or cancel")


def walk_to(floor: InstrumentVenue, ts: i64, to: i64) -> None:
    """Move the price to the next point of the path.

    Everything on the way is met in the order of its distance.
    """
    if not floor.orders and not floor.gtts:
        floor.price_index = to
        return
    tried: list[RestingOrder] = []
    while floor.orders or floor.gtts:
        met = _next_meeting(floor, to, tried)
        if met.distance == NEVER:
            break
        floor.price_index = met.level
        if met.gtt is not None:
            floor.fire_gtt(met.gtt, met.leg, ts)
        elif met.order is not None:
            if _trade_at_level(floor, met.order, ts):
                tried.append(met.order)
    floor.price_index = to


def _trade_at_level(floor: InstrumentVenue, order: RestingOrder, ts: i64) -> bool:
    """Let an order have what it meets.

    Return whether something of it is left that could not trade.
    """
    if order.trigger != 0:
        floor.activate_stop(order, ts)
        return False
    if not order.taking:
        quantity = floor.allowed_quantity(order)
        if quantity > 0:
            floor.fill_order(order, ts, quantity, floor.price_index)
    elif not floor.is_locked(order.sign, floor.price_index):
        floor.take_liquidity(order, ts)
    return order.left > 0


def _next_meeting(floor: InstrumentVenue, to: i64, tried: list[RestingOrder]) -> PriceMeeting:
    met = PriceMeeting()
    for order in floor.orders:
        if (
            not order.fresh
            and order not in tried
            and met.take_if_nearer(floor.price_index, _order_level(floor, order, to))
        ):
            met.order = order
    for waiting in floor.gtts:
        for leg in range(i64(len(waiting.legs))):
            if met.take_if_nearer(floor.price_index, _trigger_level(floor, waiting, leg, to)):
                met.gtt = waiting
                met.leg = leg
    return met


def _order_level(floor: InstrumentVenue, order: RestingOrder, to: i64) -> i64:
    """Return where on the way to `to` an order has its next event, 0 for nowhere."""
    if order.trigger != 0:
        if floor.is_triggered(order, floor.price_index):
            return floor.price_index
        return order.trigger if floor.is_triggered(order, to) else 0
    if order.taking:
        if order.crosses(floor.price_index) or (
            (order.market or floor.rules.touch) and order.limit == floor.price_index
        ):
            return floor.price_index
        order.taking = False
    if order.crosses(floor.price_index):
        return floor.price_index
    if order.crosses(to) or (floor.rules.touch and order.limit == to):
        return order.limit
    return 0


def _trigger_level(floor: InstrumentVenue, waiting: RestingGtt, leg: i64, to: i64) -> i64:
    """Return where on the way to `to` a leg fires, 0 for nowhere.

    A target gives way to a stop in the same bar.
    """
    if waiting.is_reached(leg, floor.price_index):
        level = floor.price_index
    elif waiting.is_reached(leg, to):
        level = waiting.levels[leg]
    else:
        return 0
    if floor.is_gap or len(waiting.legs) == 1 or leg == waiting.stop_index():
        return level
    stop = waiting.stop_index()
    if waiting.is_reached(stop, floor.low) or waiting.is_reached(stop, floor.high):
        return 0
    return level


def bar_touches_nothing(floor: InstrumentVenue, low: i64, high: i64) -> bool:
    """Tell whether a bar between these prices can touch nothing that stands here."""
    for order in floor.orders:
        if order.trigger == 0 or floor.is_triggered(order, low) or floor.is_triggered(order, high):
            return False
    for waiting in floor.gtts:
        for leg in range(i64(len(waiting.legs))):
            if waiting.is_reached(leg, low) or waiting.is_reached(leg, high):
                return False
    return True
