"""Execution inside a bar: the price walks open → nearer extreme → further extreme → close.

It meets resting orders on its way. `docs/fills.md` states the rules in order. Prices are grid
indexes.
"""

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.model.values import NEVER, Instrument
from compiled.venue.instrument_venue import InstrumentVenue
from compiled.venue.resting_orders import RestingGtt, RestingOrder

POINTS: Final[i64] = 4
NOTHING: Final[list[RestingOrder]] = []


def low_first(instrument: Instrument, open: float, high: float, low: float) -> bool:
    """Return whether a bar's path goes to the low first.

    It does where the low is no farther from the open than the high, counted in ticks of the grid.
    Differences of prices in rupees decide a tie by rounding noise: 4.35 - 4.30 is more than 4.40 -
    4.35.
    """
    begun = instrument.ticks(open)
    return begun - instrument.ticks(low) <= instrument.ticks(high) - begun


def path_point(k: i64, to_low: bool, open: float, high: float, low: float, close: float) -> float:
    """Return the price (rupees) at point 0 to 3 of a bar's path; `to_low`: the low comes first."""
    if k == 0:
        return open
    if k == 3:
        return close
    return low if to_low == (k == 1) else high


def path_time(k: i64, start: i64, end: i64) -> i64:
    """Return when a bar's path reaches point 0 to 3 (ns).

    The points are its start, a third, two thirds, and 1 ns before its end.
    """
    if k == 3:
        return end - 1
    return start + (end - start) * k // 3


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class PriceMeeting:
    """The price's next meeting: an order or a GTT's leg, at a level."""

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
    # An order sent on the bar before meets this open, never the bar that caused it (rule 2); its
    # protection counts from here (rule 8).
    for order in floor.orders:
        if order.fresh:
            order.fresh = False
            if order.market and order.trigger == 0:
                floor.protect_order(order)
    # While the open is met, levels it has jumped over trade at the open itself (rule 4), and a
    # target beyond it fires before a stop within the bar (rule 7).
    floor.is_gap = True
    walk_to(floor, ts, open)
    floor.is_gap = False
    for order in list(floor.orders) if floor.orders else NOTHING:
        if order.ioc and not order.fresh and order.trigger == 0:
            floor.drop_order(order, ts, "immediate or cancel")


def walk_to(floor: InstrumentVenue, ts: i64, to: i64) -> None:
    """Move the price to the next point of the path.

    It meets everything on the way in the order of its distance.
    """
    if not floor.orders and not floor.gtts:
        floor.price_index = to
        return
    # An order with a rest that cannot trade here (volume spent, price locked) would be met again
    # without end.
    tried: list[RestingOrder] = []
    while floor.orders or floor.gtts:
        # Looked up anew after each meeting: a fired GTT adds an order, a stop becomes one, and
        # either may be the next to be met.
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
    """Trade an order at the level it meets.

    Return whether a part of it is left that could not trade.
    """
    # A stop becomes an order here and is met again at once, as any other, from where the price is.
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
    # Orders before GTTs at one level, older before younger: only a strictly nearer level replaces.
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
    # A market order may trade at its limit: its protection is a bound, not a price it queues at.
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
    # Of two legs within one bar the worse is taken, whatever the path says, unless the open was
    # already beyond the target (rule 7).
    if floor.is_gap or len(waiting.legs) == 1 or leg == waiting.stop_index():
        return level
    stop = waiting.stop_index()
    if waiting.is_reached(stop, floor.low) or waiting.is_reached(stop, floor.high):
        return 0
    return level


def bar_touches_nothing(floor: InstrumentVenue, low: i64, high: i64) -> bool:
    """Return whether a bar between these prices can touch nothing that stands here."""
    for order in floor.orders:
        # A resting or waiting order is always looked at; only a stop far from the bar is passed
        # over.
        if order.trigger == 0 or floor.is_triggered(order, low) or floor.is_triggered(order, high):
            return False
    for waiting in floor.gtts:
        for leg in range(i64(len(waiting.legs))):
            if waiting.is_reached(leg, low) or waiting.is_reached(leg, high):
                return False
    return True
