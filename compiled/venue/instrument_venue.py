"""One instrument at the simulated exchange: its resting orders, admission and reports.

Prices in here are grid indexes of the instrument (`Instrument.ticks`), 0 for none.
"""

from typing import final

from librt.vecs import vec
from mypy_extensions import i64

from compiled.market_data.depth_block import price_divisor
from compiled.model.exchange_rules import (
    TriggerDistance,
    exceeds_freeze,
    is_in_lots,
    is_inside_band,
    is_limit_beyond,
    is_protection,
    is_reached,
    is_trigger_ahead,
    protected_limit,
)
from compiled.model.order_terms import OrderChange, Variety
from compiled.model.values import GttStatus, Instrument, Order, OrderStatus, OrderType
from compiled.venue.latency import LatencyJitter
from compiled.venue.resting_orders import UNKNOWN, ReportQueue, RestingGtt, RestingOrder
from compiled.venue.slippage import Slippage


@final
class PercentSlabs:
    """Percentages by price: `percents[i]` below `below[i]` rupees, the last one above them all."""

    def __init__(self, below: list[float], percents: list[float]) -> None:
        """Raise `ValueError` unless there is one more percentage than there are limits."""
        if len(percents) != len(below) + 1:
            raise ValueError(
                f"{len(below)} limits need {len(below) + 1} percentages, found {len(percents)}"
            )
        self._below = vec[float](below)
        self._percents = vec[float](percents)

    def percent(self, price: float) -> float:
        """Return the percentage at a price in rupees."""
        for i in range(i64(len(self._below))):
            if price < self._below[i]:
                return self._percents[i]
        return self._percents[len(self._percents) - 1]


@final
class VenueRules:
    """The rules of the simulated exchange; the dated numbers come from `engine/market`.

    `shares` and `options` hold the automatic market protection in percent. `to_exchange` and
    `from_exchange` are the latencies in ns, the least where there is `jitter`. `touch` lets a
    resting order trade when the price only reaches its limit. A GTT's trigger stands at least
    `trigger_distance` from the last price.
    """

    def __init__(
        self,
        shares: PercentSlabs,
        options: PercentSlabs,
        to_exchange: i64 = 0,
        from_exchange: i64 = 0,
        touch: bool = False,
        trigger_distance: TriggerDistance | None = None,
        jitter: LatencyJitter | None = None,
    ) -> None:
        self.shares = shares
        self.options = options
        self.to_exchange = to_exchange
        self.from_exchange = from_exchange
        self.touch = touch
        self.trigger_distance = TriggerDistance() if trigger_distance is None else trigger_distance
        self.jitter = jitter


@final
class InstrumentVenue:
    """Our orders and GTTs on one instrument, in the order of their arrival, and the last price.

    `price_index` is the last price, unless `close` (rupees, 0.0: no) has come after it.
    `volume_left` is what our orders may still take of this bar's or tick's volume (-1: no limit),
    `passed_volume` what those that rest may (-1: all of it), `prices` and `sizes` the book as
    `compiled/venue/queue_position.py` reads it, `visible_levels` how many levels a side it can
    show. `wire_divisor` is what prices on the wire are divided by.
    """

    def __init__(
        self, instrument: Instrument, rules: VenueRules, slippage: Slippage, reports: ReportQueue
    ) -> None:
        self.instrument = instrument
        self.rules = rules
        self.slippage = slippage
        self.reports = reports
        self.orders: list[RestingOrder] = []
        self.gtts: list[RestingGtt] = []
        self.price_index: i64 = 0
        self.close = 0.0
        self.low: i64 = 0
        self.high: i64 = 0
        self.is_gap = False
        self.traded: i64 = UNKNOWN
        self.volume_left: i64 = -1
        self.passed_volume: i64 = UNKNOWN
        self.day_volume: i64 = UNKNOWN
        self.spread = 0.0
        self.visible_levels: i64 = 5
        self.wire_divisor = price_divisor(instrument.token)
        self.prices = vec[i64]([0] * 10)
        self.sizes = vec[i64]([0] * 10)

    def note_price(self, close: float) -> None:
        """Take the last price (rupees) of a bar or a tick that touched nothing here."""
        # The grid index is a division; most prices of a replay are overwritten before anything asks
        # for it.
        self.close = close

    def last_index(self) -> i64:
        """Return the last price."""
        if self.close > 0.0:
            self.price_index = self.instrument.ticks(self.close)
            self.close = 0.0
        return self.price_index

    def order_refusal(self, order: Order) -> str:
        """Return why the exchange refuses an order, or an empty string."""
        instrument = self.instrument
        kind = order.order_type
        if not is_in_lots(instrument, order.quantity):
            return "quantity is not a multiple of the lot"
        if exceeds_freeze(instrument, order.quantity) and not order.terms.makes_several_orders:
            return "quantity above the freeze quantity"
        variety = order.terms.variety
        if variety is not Variety.REGULAR and variety is not Variety.ICEBERG:
            return variety.name.lower() + " orders are not simulated"
        if (kind is OrderType.MARKET or kind is OrderType.SLM) and (
            order.protection == 0.0 or not is_protection(order.protection)
        ):
            return "market orders need a market protection"
        if kind is OrderType.LIMIT or kind is OrderType.SL:
            reason = self.price_refusal(order.price)
            if reason:
                return reason
        if kind is OrderType.SL or kind is OrderType.SLM:
            return self._trigger_refusal(order)
        return ""

    def price_refusal(self, price: float) -> str:
        """Return why a price in rupees cannot stand in an order, or an empty string."""
        reason = self._grid_refusal(price)
        if reason:
            return reason
        if not is_inside_band(self.instrument, price):
            return "price is outside the day's band"
        return ""

    def _grid_refusal(self, price: float) -> str:
        if price <= 0.0 or not self.instrument.on_grid(price):
            return "price is not on the tick grid"
        return ""

    def _trigger_refusal(self, order: Order) -> str:
        instrument = self.instrument
        reason = self.price_refusal(order.trigger)
        if reason:
            return "trigger " + reason
        sign: i64 = int(order.side)
        if self._is_trigger_late(sign, order.trigger):
            return "trigger on the wrong side of the last price"
        if order.order_type is OrderType.SL and not is_limit_beyond(
            sign, instrument.snap(order.trigger), instrument.snap(order.price)
        ):
            return "trigger beyond the limit price"
        return ""

    def _is_trigger_late(self, sign: i64, trigger: float) -> bool:
        """Return whether the last price, where there is one, has reached a trigger already."""
        last = self.last_index()
        instrument = self.instrument
        return last > 0 and not is_trigger_ahead(
            sign, instrument.snap(trigger), instrument.price(last)
        )

    def change_order(self, order: RestingOrder, change: OrderChange) -> str:
        """Change a working order as asked.

        Return why the exchange refuses that, or an empty string.

        An order that has got another price or more shares goes to the end of the queue.
        """
        instrument = self.instrument
        done = order.quantity - order.left
        if change.quantity > 0 and (
            change.quantity <= done or not is_in_lots(instrument, change.quantity)
        ):
            return "quantity is no more than what is filled, or not a multiple of the lot"
        for price in (change.price, change.trigger):
            reason = self.price_refusal(price) if price > 0.0 else ""
            if reason:
                return reason
        trigger = instrument.ticks(change.trigger)
        if trigger > 0 and order.trigger > 0 and self._is_trigger_late(order.sign, change.trigger):
            return "trigger on the wrong side of the last price"
        if trigger > 0 and order.trigger > 0:
            order.trigger = trigger
        # As at the exchange, less of the same keeps the place in the queue.
        if change.price > 0.0 or change.quantity > order.quantity:
            order.taking = True
            order.ahead = UNKNOWN
            order.shown = UNKNOWN
        if change.price > 0.0:
            order.limit = instrument.ticks(change.price)
            order.market = False
        if change.quantity > 0:
            order.left = change.quantity - done
            assert order.left > 0, "a change below what has traded"
            order.quantity = change.quantity
        return ""

    def gtt_refusal(self, waiting: RestingGtt) -> str:
        """Return why the broker refuses a GTT with these legs, or an empty string.

        It outlives the day, so the band is no matter here; the orders it sends have to be in it.
        """
        instrument = self.instrument
        last = instrument.price(self.last_index())
        distance = self.rules.trigger_distance
        if not waiting.legs or len(waiting.legs) > 2:
            return "a GTT has one leg or two"
        for leg in waiting.legs:
            reason = self._grid_refusal(leg.price)
            if reason:
                return reason
            if leg.quantity < 1 or leg.trigger <= 0.0 or not instrument.on_grid(leg.trigger):
                return "trigger is not on the tick grid"
            if last > 0.0 and distance.refuses(leg.trigger, last):
                return "trigger too near to the last price"
        if len(waiting.legs) == 2 and (waiting.falling[0] == 0 or waiting.falling[1] == 1):
            return "the last price is not between the triggers"
        return ""

    def protect_order(self, order: RestingOrder) -> None:
        """Give a market order the limit that its protection makes of the last price."""
        order.limit = self.protection_limit(order.sign, order.protection)

    def protection_limit(self, sign: i64, percent: float) -> i64:
        """Return the limit a protection (percent, -1.0: the exchange's) sets, within the band.

        It is counted from the last price.
        """
        instrument = self.instrument
        last = instrument.price(self.price_index)
        if percent < 0.0:
            slabs = (
                self.rules.options
                if instrument.kind == "CE" or instrument.kind == "PE"
                else self.rules.shares
            )
            percent = slabs.percent(last)
        return instrument.ticks(protected_limit(instrument, sign, last, percent))

    def is_triggered(self, order: RestingOrder, price: i64) -> bool:
        """Return whether a last price reaches or crosses a stop's trigger."""
        return is_reached(order.sign, order.trigger, price)

    def activate_stop(self, order: RestingOrder, ts: i64) -> None:
        """Turn a stop whose trigger was reached into its limit or market order."""
        order.trigger = 0
        order.taking = True
        if order.limit == 0:
            self.protect_order(order)
        self.reports.report_order(ts, order, OrderStatus.OPEN)

    def is_locked(self, sign: i64, price: i64) -> bool:
        """Return whether the price is locked at the band, with nobody to trade against."""
        instrument = self.instrument
        if instrument.upper <= 0.0:
            return False
        if sign > 0:
            return price >= instrument.ticks(instrument.upper)
        return price <= instrument.ticks(instrument.lower)

    def take_liquidity(self, order: RestingOrder, ts: i64) -> None:
        """Trade an order that takes liquidity at the last price.

        Slippage counts against it; its limit and the band are respected.
        """
        quantity = self.allowed_quantity(order)
        if quantity > 0:
            price = self.slipped_price(order.sign, quantity)
            self.fill_order(
                order,
                ts,
                quantity,
                # Slippage is an estimate; the limit is the order's own word, and wins.
                order.limit if order.sign * (price - order.limit) > 0 else price,
            )

    def slipped_price(self, sign: i64, quantity: i64) -> i64:
        """Return the price of so many shares that take liquidity at the last price.

        Their limit is not considered.
        """
        instrument = self.instrument
        last = instrument.price(self.price_index)
        away = self.slippage.away(last, instrument.tick, quantity, self.traded, self.spread)
        if away <= 0.0:
            return self.price_index
        return instrument.ticks(instrument.snap(last + float(sign) * away, sign))

    def allowed_quantity(self, order: RestingOrder) -> i64:
        """Return how much of an order the volume limit leaves to trade."""
        return order.left if self.volume_left < 0 else min(order.left, self.volume_left)

    def fill_order(self, order: RestingOrder, ts: i64, quantity: i64, price: i64) -> None:
        """Book and report a trade of ours; an order that is done leaves the venue."""
        assert 0 < quantity <= order.left, "a trade of more than is left of the order"
        order.left -= quantity
        if self.volume_left >= 0:
            self.volume_left -= quantity
        self.reports.report_trade(ts, order, quantity, price)
        if order.left == 0:
            self.orders.remove(order)

    def drop_order(self, order: RestingOrder, ts: i64, reason: str) -> None:
        """Cancel the rest of an order."""
        self.orders.remove(order)
        self.reports.report_order(ts, order, OrderStatus.CANCELLED, reason)

    def fire_gtt(self, waiting: RestingGtt, leg: i64, ts: i64) -> RestingOrder | None:
        """Trigger a leg of a GTT, once.

        Send its LIMIT order, and return it unless the exchange refuses it.
        """
        # A GTT fires once, even where the exchange refuses its order: then nothing protects the
        # position, and the report says so.
        self.gtts.remove(waiting)
        wanted = waiting.legs[leg]
        reason = self.price_refusal(wanted.price)
        if reason:
            self.reports.report_gtt(ts, waiting, GttStatus.TRIGGERED, [], reason)
            return None
        sent = RestingOrder(
            str(self.reports.take_number()), "", self.instrument, wanted.side, wanted.quantity
        )
        sent.limit = self.instrument.ticks(wanted.price)
        self.reports.report_gtt(ts, waiting, GttStatus.TRIGGERED, [sent.order_id])
        self.reports.report_order(ts, sent, OrderStatus.OPEN)
        self.orders.append(sent)
        return sent

    def expire_orders(self, ts: i64) -> None:
        """End the day: orders are cancelled, GTTs stay, the day's volume starts anew."""
        for order in list(self.orders):
            self.drop_order(order, ts, "the day is over")
        self.day_volume = UNKNOWN
