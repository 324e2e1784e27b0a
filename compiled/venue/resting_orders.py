"""Our standing orders and GTTs at the simulated exchange, and the reports on their way to us."""

from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64, mypyc_attr

from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.values import (
    NEVER,
    Gtt,
    GttLeg,
    GttStatus,
    Instrument,
    Order,
    OrderStatus,
    OrderType,
    Side,
    Validity,
)
from compiled.venue.latency import LatencyJitter

UNKNOWN: Final[i64] = -1


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class RestingOrder:
    """One order at the exchange; `limit` and `trigger` are grid indexes, 0 for none.

    `sign` 1 buys, -1 sells. `market` marks an order that was sent without a limit. `taking` holds
    until it has come to rest, `fresh` until the bar that caused it is over (a stop never is).
    `ahead` is the quantity in front of it at its price, `shown` the level's quantity when that was
    computed (-1: unknown).
    """

    def __init__(
        self, order_id: str, tag: str, instrument: Instrument, side: Side, quantity: i64
    ) -> None:
        assert quantity > 0, "an order is for shares"
        self.order_id = order_id
        self.tag = tag
        self.instrument = instrument
        self.side = side
        self.sign: i64 = 1 if side is Side.BUY else -1
        self.quantity = quantity
        self.left = quantity
        self.limit: i64 = 0
        self.trigger: i64 = 0
        self.market = False
        self.protection = -1.0
        self.ioc = False
        self.taking = True
        self.fresh = False
        self.ahead: i64 = UNKNOWN
        self.shown: i64 = UNKNOWN

    def crosses(self, price: i64) -> bool:
        """Return whether a price (grid index) is strictly better than the limit."""
        return self.sign * (self.limit - price) > 0


def resting_order(order: Order, order_id: str, instrument: Instrument) -> RestingOrder:
    """Return the exchange's order for an order of ours."""
    made = RestingOrder(order_id, order.tag, instrument, order.side, order.quantity)
    kind = order.order_type
    made.market = kind is OrderType.MARKET or kind is OrderType.SLM
    if not made.market:
        made.limit = instrument.ticks(order.price)
    if kind is OrderType.SL or kind is OrderType.SLM:
        made.trigger = instrument.ticks(order.trigger)
    made.protection = order.protection
    made.ioc = order.validity is Validity.IOC
    return made


@mypyc_attr(acyclic=True)
@final
class RestingGtt:
    """One GTT at the broker: `levels` are its triggers as grid indexes.

    `falling` says which of them are reached from above.
    """

    def __init__(self, gtt_id: i64, instrument: Instrument) -> None:
        self.gtt_id = gtt_id
        self.instrument = instrument
        self.legs: list[GttLeg] = []
        self.levels = vec[i64]()
        self.falling = vec[i64]()

    def arm(self, legs: list[GttLeg], last: float) -> None:
        """Take these legs, each with its direction.

        A trigger below the last price (rupees) fires when the price falls to it, one above on a
        rise.
        """
        self.legs = legs
        self.levels = vec[i64]()
        self.falling = vec[i64]()
        for leg in legs:
            self.levels = append(self.levels, self.instrument.ticks(leg.trigger))
            # The direction is fixed when the legs are taken, as the broker does by the last price
            # it is given; a later price does not turn a stop into a target.
            self.falling = append(self.falling, 1 if leg.trigger < last else 0)

    def is_reached(self, leg: i64, price: i64) -> bool:
        """Return whether a price (grid index) has reached or crossed a leg's trigger."""
        if self.falling[leg]:
            return price <= self.levels[leg]
        return price >= self.levels[leg]

    def stop_index(self) -> i64:
        """Return which leg is the stop: the lower where it sells, the higher where it buys."""
        last: i64 = len(self.legs) - 1
        return 0 if self.legs[0].side is Side.SELL else last


@final
class ReportQueue:
    """The exchange's reports in the order of their arrival, each `delay` ns after its event.

    With `jitter` it is more than that, and a report is never ahead of the one before. `due` is when
    the next one arrives, `NEVER` while there is none. Order, trade and GTT ids are counted from
    `first` on, and are never used again.
    """

    def __init__(self, delay: i64, first: i64, jitter: LatencyJitter | None = None) -> None:
        self.delay = delay
        self.jitter = jitter
        self.next_id = first
        self.due: i64 = NEVER
        self._events: list[object] = []
        self._due = vec[i64]()
        self._latest: i64 = 0
        self._head: i64 = 0

    def take_number(self) -> i64:
        """Return the next id."""
        number = self.next_id
        self.next_id = number + 1
        return number

    def due_of(self, ts: i64) -> i64:
        """Return when the report of an event at `ts` comes; times never go back."""
        if self.jitter is None:
            return ts + self.delay
        self._latest = max(self._latest, ts + self.delay + self.jitter.draw())
        return self._latest

    def add_report(self, due: i64, event: object) -> None:
        """Add a report that comes when it is due (`due_of`)."""
        at: i64 = len(self._events)
        self._events.append(event)
        if at == 0:
            self.due = due
        # The vector is kept when the queue empties, and written over: most reports then cost no
        # allocation.
        if at < len(self._due):
            self._due[at] = due
        else:
            self._due = append(self._due, due)

    def take_report(self) -> object:
        """Return the next report; raise IndexError where there is none."""
        event = self._events[self._head]
        self._head += 1
        if self._head == len(self._events):
            self._events.clear()
            self._head = 0
            self.due = NEVER
        else:
            self.due = self._due[self._head]
        return event

    def report_order(
        self, ts: i64, order: RestingOrder, status: OrderStatus, reason: str = ""
    ) -> None:
        """Report an order's state."""
        instrument = order.instrument
        heard = self.due_of(ts)
        self.add_report(
            heard,
            OrderUpdate(
                heard,
                order.order_id,
                tag=order.tag,
                token=instrument.token,
                side=order.side,
                status=status,
                quantity=order.quantity,
                filled=order.quantity - order.left,
                price=instrument.price(order.limit),
                trigger=instrument.price(order.trigger),
                reason=reason,
            ),
        )

    def report_trade(self, ts: i64, order: RestingOrder, quantity: i64, price: i64) -> None:
        """Report a trade at a grid index: first the order it leaves, then the trade itself."""
        self.report_order(ts, order, OrderStatus.OPEN if order.left > 0 else OrderStatus.COMPLETE)
        instrument = order.instrument
        trade_id = "T" + str(self.take_number())
        self.add_report(
            self.due_of(ts),
            BrokerTrade(
                ts,
                trade_id,
                order_id=order.order_id,
                token=instrument.token,
                side=order.side,
                quantity=quantity,
                price=instrument.price(price),
            ),
        )

    def report_gtt(
        self,
        ts: i64,
        waiting: RestingGtt,
        status: GttStatus,
        order_ids: list[str],
        reason: str = "",
    ) -> None:
        """Report a GTT's state."""
        heard = self.due_of(ts)
        self.add_report(
            heard,
            GttUpdate(
                heard,
                waiting.gtt_id,
                token=waiting.instrument.token,
                status=status,
                legs=waiting.legs,
                order_ids=order_ids,
                reason=reason,
            ),
        )


def requested_legs(gtt: Gtt) -> list[GttLeg]:
    """Return the legs a request about a GTT is about: those it asks for, else those it has."""
    return gtt.pending if gtt.pending else gtt.legs
