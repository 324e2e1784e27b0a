"""Ladders: entries in rungs, a stop and perhaps a target for each rung, stops that trail.

A plain position is a ladder of one rung, so everything the desk holds is protected by the same few
rules: rung 1 enters at the signal; rung 2 when rung 1 is up by its trigger; rung n when the average
of those before it is. A stop stands `stop_percent` from the rung's average entry price and follows
the most favourable price since, by whole steps, never back. Percentages are of the price.
"""

from enum import IntEnum
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.model.exchange_rules import at_least_a_tick, could_fill, limit_beyond
from compiled.model.order_terms import PLAIN, OrderTerms, Variety
from compiled.model.values import (
    SECOND,
    Gtt,
    GttLeg,
    Instrument,
    Order,
    OrderStatus,
    OrderType,
    Product,
    Side,
    Validity,
    nearest,
)
from compiled.trading.order_states import is_correction, outstanding_quantity


class RungState(IntEnum):
    """The state of a rung."""

    WAITING = 1
    ENTERING = 2
    OPEN = 3
    EXITING = 4
    CLOSED = 5


@mypyc_attr(acyclic=True)
@final
class RungPlan:
    """One rung: enters when those before it are up `trigger_percent`; target 0.0 makes it a runner.

    A stop of 0.0 stands for none, and no target either: a bare position, for research only, without
    protection. `quantity` above 0 is its size in shares, whatever the ladder's.
    """

    def __init__(
        self,
        trigger_percent: float,
        stop_percent: float,
        target_percent: float = 0.0,
        quantity: i64 = 0,
    ) -> None:
        self.trigger_percent = trigger_percent
        self.stop_percent = stop_percent
        self.target_percent = target_percent
        self.quantity = quantity


@mypyc_attr(acyclic=True)
@final
class EntryPlan:
    """The entry of a ladder's first rung.

    By default it is at the market, within `protection` percent (-1: the exchange's).
    """

    def __init__(
        self,
        order_type: OrderType = OrderType.MARKET,
        price: float = 0.0,
        trigger: float = 0.0,
        validity: Validity = Validity.DAY,
        protection: float = -1.0,
        terms: OrderTerms = PLAIN,
    ) -> None:
        self.order_type = order_type
        self.price = price
        self.trigger = trigger
        self.validity = validity
        self.protection = protection
        self.terms = terms


AT_MARKET: Final = EntryPlan()

LEAST_PERCENT: Final = 0.001
MOST_PERCENT: Final = 99.9
"""The bounds of the distance of a stop that was put by hand, in percent of the price."""

# The broker answers before the exchange does, which may still turn an order away.
PROVEN: Final = 10
"""Seconds after which an order that still stands has been taken by the exchange, too."""


@mypyc_attr(acyclic=True)
@final
class LadderPlan:
    """A strategy's plan for one ladder.

    `capital` is paise per rung, `trail_seconds` the least time between moves. `stop_gap_percent` is
    how far beyond the trigger the stop's limit price stands, so that it still fills in a fall.
    `quantity` above 0 is the size of each rung in shares, whatever the capital. `risk` (paise)
    above 0 is the most a rung may lose at its stop, `swing` (₹) the usual move of its price: a rung
    is as large as both allow, at most the capital. `entry_seconds` is how long an entry may wait
    for its fill; 0: as long as its order lives.
    """

    def __init__(
        self,
        rungs: list[RungPlan],
        capital: i64,
        product: Product = Product.CNC,
        stop_gap_percent: float = 0.5,
        trail: bool = True,
        trail_step_percent: float = 0.25,
        trail_seconds: i64 = 5,
        entry_seconds: i64 = 30,
        quantity: i64 = 0,
        entry: EntryPlan = AT_MARKET,
        risk: i64 = 0,
        swing: float = 0.0,
    ) -> None:
        self.rungs = rungs
        self.capital = capital
        self.product = product
        self.stop_gap_percent = stop_gap_percent
        self.trail = trail
        self.trail_step_percent = trail_step_percent
        self.trail_seconds = trail_seconds
        self.entry_seconds = entry_seconds
        self.quantity = quantity
        self.entry = entry
        self.risk = risk
        self.swing = swing

    @property
    def resting(self) -> bool:
        """Return whether its stops are orders that rest at the exchange.

        Intraday positions need that, as no GTT serves them.
        """
        return self.product is Product.MIS

    @property
    def cover(self) -> bool:
        """Return whether the broker itself adds the stop, as the second leg of a cover order."""
        return self.entry.terms.variety is Variety.COVER

    def with_rungs(self, rungs: list[RungPlan]) -> "LadderPlan":
        """Return the plan with other rungs."""
        # A strategy may hand the same plan to many ladders: what changes one must not change all.
        return LadderPlan(
            rungs,
            self.capital,
            self.product,
            stop_gap_percent=self.stop_gap_percent,
            trail=self.trail,
            trail_step_percent=self.trail_step_percent,
            trail_seconds=self.trail_seconds,
            entry_seconds=self.entry_seconds,
            quantity=self.quantity,
            entry=self.entry,
            risk=self.risk,
            swing=self.swing,
        )


def entry_plan(
    price: float, trigger: float, validity: Validity, protection: float, terms: OrderTerms
) -> EntryPlan:
    """Return the entry for these prices (rupees, 0.0: none): LIMIT, SL-M, SL, or MARKET.

    A cover order's trigger is that of its stop, and says nothing about the entry.
    """
    kind = OrderType.MARKET if price <= 0.0 else OrderType.LIMIT
    if trigger > 0.0 and terms.variety is not Variety.COVER:
        kind = OrderType.SLM if price <= 0.0 else OrderType.SL
    return EntryPlan(
        kind, price, trigger=trigger, validity=validity, protection=protection, terms=terms
    )


def single_rung_plan(
    quantity: i64,
    stop_percent: float,
    target_percent: float,
    product: Product,
    trail: bool,
    entry: EntryPlan,
) -> LadderPlan:
    """Return the plan of one position.

    An entry with a price of its own may rest for as long as its order lives.
    """
    market = entry.order_type is OrderType.MARKET and entry.terms.variety is not Variety.AMO
    return LadderPlan(
        [RungPlan(0.0, stop_percent, target_percent)],
        0,
        product,
        trail=trail,
        quantity=quantity,
        entry_seconds=30 if market else 0,
        entry=entry,
    )


@mypyc_attr(acyclic=True)
@final
class Rung:
    """One entry of a ladder and everything that belongs to it; `number` counts from 1.

    Its stop is a `gtt`, or a `stop_order`: a stop order that rests at the exchange. `refusals`
    counts how often the broker has refused the stop, `rejections` how often the exit; the next stop
    is asked for from `protect_at` (ns) on, the next exit from `retry_at` on; until `doubt_until` an
    exit that was given up may still arrive. `needs_refit` while the stop's limit has to be looked
    at again: the band has moved, or it was placed by an earlier run. `wait_reported` when it was
    reported that its exit waits for the next session. `absent` shares of it are not in the broker's
    books: they are neither protected nor sold. `part` shares are to leave by hand, by `part_exit`
    once the stop is for the others alone. `hand_stop` (rupees, 0.0: none) is where the operator has
    put the stop, until it stands there.
    """

    def __init__(self, rung_id: i64, ladder_id: i64, number: i64, plan: RungPlan) -> None:
        # 0 stands for no rung, in an order's `rung` and everywhere else.
        assert rung_id > 0, "a rung without a number"
        assert number > 0, "rungs count from 1"
        self.rung_id = rung_id
        self.ladder_id = ladder_id
        self.number = number
        self.plan = plan
        self.state = RungState.WAITING
        self.entry: Order | None = None
        self.exit: Order | None = None
        self.gtt: Gtt | None = None
        self.stop_order: Order | None = None
        self.bought: i64 = 0
        self.bought_value: i64 = 0
        self.sold: i64 = 0
        self.sold_value: i64 = 0
        self.charges: i64 = 0
        self.stop = 0.0
        self.target = 0.0
        self.high = 0.0
        self.opened: i64 = 0
        self.closed: i64 = 0
        self.moved: i64 = 0
        self.trailed: i64 = 0
        self.exit_reason = ""
        self.leaving = False
        self.retry_at: i64 = 0
        self.protect_at: i64 = 0
        self.doubt_until: i64 = 0
        self.refusals: i64 = 0
        self.rejections: i64 = 0
        self.needs_refit = True
        self.wait_reported = False
        self.absent: i64 = 0
        self.part: i64 = 0
        self.part_exit: Order | None = None
        self.hand_stop = 0.0

    @property
    def live(self) -> bool:
        """Return whether it has been entered and is not over."""
        return self.state is not RungState.WAITING and self.state is not RungState.CLOSED

    @property
    def quantity(self) -> i64:
        """Return the shares still held."""
        return self.bought - self.sold

    @property
    def present(self) -> i64:
        """Return the shares that the broker's books hold for it, the most of any stop or exit."""
        return self.bought - self.sold - self.absent

    @property
    def staying(self) -> i64:
        """Return the shares that a stop is for: all but the part that leaves by hand."""
        return max(self.present - self.part, 0)

    @property
    def fired_earlier(self) -> bool:
        """Return whether its GTT has fired on an earlier day.

        The sales of that are for the books to show.
        """
        gtt = self.gtt
        return gtt is not None and gtt.past and self.exit is None

    @property
    def average(self) -> float:
        """Return the average entry price in rupees, 0.0 before the first fill."""
        return float(self.bought_value) / float(self.bought) / 100.0 if self.bought else 0.0

    @property
    def exit_average(self) -> float:
        """Return the average exit price in rupees, 0.0 before the first exit."""
        return float(self.sold_value) / float(self.sold) / 100.0 if self.sold else 0.0

    @property
    def has_live_stop(self) -> bool:
        """Return whether a stop stands at the broker, whatever its quantity."""
        gtt = self.gtt
        guard = self.stop_order
        return (gtt is not None and gtt.gtt_id > 0 and gtt.live) or (
            guard is not None and guard.order_id != "" and guard.live
        )

    def pnl(self, sign: i64, last: float) -> i64:
        """Return realised plus unrealised P&L after charges, in paise, at the last price."""
        open_value = nearest(last * 100.0 * float(self.quantity))
        return sign * (self.sold_value - self.bought_value + open_value) - self.charges


@mypyc_attr(acyclic=True)
@final
class Ladder:
    """Rungs on one instrument for one strategy; `side` is the direction of its entries."""

    def __init__(
        self, ladder_id: i64, strategy: str, instrument: Instrument, side: Side, plan: LadderPlan
    ) -> None:
        self.ladder_id = ladder_id
        self.strategy = strategy
        self.instrument = instrument
        self.side = side
        self.plan = plan
        self.rungs: list[Rung] = []
        self.created: i64 = 0
        self.closed: i64 = 0
        self.reason = ""
        self.leaving = False

    @property
    def sign(self) -> i64:
        """Return 1 for a long ladder, -1 for a short one."""
        return 1 if self.side is Side.BUY else -1

    @property
    def exit_side(self) -> Side:
        """Return the side of its exits."""
        return Side.SELL if self.side is Side.BUY else Side.BUY

    @property
    def open(self) -> bool:
        """Return whether any rung is entering, open or exiting."""
        for rung in self.rungs:
            if rung.live:
                return True
        return False

    def next_rung(self, last: float) -> Rung | None:
        """Return the rung whose trigger the last price has reached.

        All before it are open and up far enough.
        """
        quantity: i64 = 0
        value: i64 = 0
        for rung in self.rungs:
            if rung.state is RungState.WAITING:
                # Rung 1 enters at the signal, not by a price.
                if quantity == 0:
                    return None
                average = float(value) / float(quantity) / 100.0
                gain = float(self.sign) * (last - average) / average * 100.0
                return rung if gain >= rung.plan.trigger_percent else None
            # One that is still entering, or leaves already, breaks the row: nothing is added to a
            # position in motion.
            if rung.state is not RungState.OPEN or rung.leaving:
                return None
            quantity += rung.bought
            value += rung.bought_value
        return None


def raise_high(ladder: Ladder, price: float) -> None:
    """Let every rung that holds shares know a price; `Rung.high` is the most favourable one."""
    sign = float(ladder.sign)
    for rung in ladder.rungs:
        if rung.bought and rung.state is not RungState.CLOSED and sign * (price - rung.high) > 0.0:
            rung.high = price


def stop_at(ladder: Ladder, rung: Rung, extreme: float) -> float:
    """Return the stop for the most favourable price, on the grid, never nearer than the plan's."""
    away = rung.plan.stop_percent / 100.0
    sign = ladder.sign
    # Rounded away from the price: rounding must not tighten what the plan asks for.
    wanted = ladder.instrument.snap(extreme * (1.0 - float(sign) * away), -sign)
    return at_least_a_tick(ladder.instrument, wanted)


def target_at(ladder: Ladder, rung: Rung, entry: float) -> float:
    """Return the target of a rung that entered at a price, on the grid; 0.0 for a runner."""
    if rung.plan.target_percent <= 0.0:
        return 0.0
    away = rung.plan.target_percent / 100.0
    sign = ladder.sign
    return ladder.instrument.snap(entry * (1.0 + float(sign) * away), sign)


def trailed_stop(ladder: Ladder, rung: Rung, extreme: float) -> float:
    """Return the stop for the most favourable price.

    It has moved in its favour by a whole step, or stays.
    """
    wanted = stop_at(ladder, rung, extreme)
    step = rung.stop * ladder.plan.trail_step_percent / 100.0
    # The billionth absorbs rounding of the difference, which would miss a step of exactly the
    # plan's size.
    if float(ladder.sign) * (wanted - rung.stop) >= step - 1e-9 and wanted != rung.stop:
        return wanted
    return rung.stop


def wanted_stop(ladder: Ladder, rung: Rung) -> float:
    """Return where a stop belongs: where it was put by hand, else where it has trailed to."""
    if rung.hand_stop > 0.0:
        return rung.hand_stop
    return trailed_stop(ladder, rung, rung.high) if ladder.plan.trail else rung.stop


def hang_stop(ladder: Ladder, rung: Rung, stop: float) -> None:
    """Let a stop (rupees) keep from now on the distance that it has from the best price so far."""
    best = rung.high if rung.high > 0.0 else rung.average
    if best <= 0.0 or stop <= 0.0:
        return
    away = float(ladder.sign) * (best - stop) / best * 100.0
    plan = rung.plan
    # A short position's stop may be above twice its price; more than all of it is no distance.
    percent = min(max(away, LEAST_PERCENT), MOST_PERCENT)
    rung.plan = RungPlan(plan.trigger_percent, percent, plan.target_percent, plan.quantity)
    ladder.plan = ladder.plan.with_rungs([each.plan for each in ladder.rungs])


def stop_rest_ns(ladder: Ladder, resized: bool) -> i64:
    """Return how long a stop that has moved stays (ns).

    One for the wrong number of shares is mended within a second.
    """
    return SECOND if resized else ladder.plan.trail_seconds * SECOND


def stop_limit(ladder: Ladder, stop: float) -> float:
    """Return the limit price of a stop at this trigger.

    It is beyond it by the plan's gap, within the band as it stands.
    """
    return limit_beyond(ladder.instrument, ladder.exit_side, stop, ladder.plan.stop_gap_percent)


def stop_leg(ladder: Ladder, gtt: Gtt) -> GttLeg:
    """Return the leg of a GTT that is the stop."""
    return gtt.legs[0 if ladder.sign > 0 else len(gtt.legs) - 1]


def gtt_differs(ladder: Ladder, rung: Rung, gtt: Gtt, stop: float) -> bool:
    """Return whether a GTT has other prices than this stop and the rung's target.

    Only differences that the day's grid allows to mend count.
    """
    trigger = stop_leg(ladder, gtt).trigger
    # The stop may be off the grid of today (a finer tick yesterday): its neighbour on the grid is
    # the same stop.
    if trigger != stop and trigger != ladder.instrument.snap(stop, ladder.sign):
        return True
    return target_differs(ladder, rung, gtt)


def target_differs(ladder: Ladder, rung: Rung, gtt: Gtt) -> bool:
    """Return whether a GTT has another target than its rung."""
    if len(gtt.legs) != (2 if rung.target > 0.0 else 1):
        return True
    if rung.target <= 0.0:
        return False
    aim = gtt.legs[1 if ladder.sign > 0 else 0].trigger
    return aim != rung.target and aim != ladder.instrument.snap(rung.target, ladder.sign)


def protected_quantity(ladder: Ladder, rung: Rung, last: float) -> i64:
    """Return the shares that a live stop, or the exit at work, would sell at the last price.

    The price is rupees. Orders that could not fill count as none: a stop whose limit lies before
    its trigger or off the band, an exit that rests away from the price, and any that would sell
    shares of earlier days without their authorisation at the depository. Nor does an order count
    that follows one which the broker has turned away, before it has stood for a while.
    """
    if _is_bound(ladder, rung):
        return 0
    part = rung.part_exit
    if part is None or not part.order_id or not _could_trade(ladder, part, last):
        return _stopped_quantity(ladder, rung, last)
    return _stopped_quantity(ladder, rung, last) + outstanding_quantity(part)


def _stopped_quantity(ladder: Ladder, rung: Rung, last: float) -> i64:
    """Return the shares that its stop, or the exit of all of it, would sell."""
    gtt = rung.gtt
    if gtt is not None and gtt.gtt_id and gtt.live and gtt.legs:
        leg = stop_leg(ladder, gtt)
        return (
            leg.quantity
            if could_fill(ladder.instrument, ladder.exit_side, leg.trigger, leg.price)
            else 0
        )
    order = rung.exit if rung.exit is not None else rung.stop_order
    if order is None or not order.order_id or not _could_trade(ladder, order, last):
        return 0
    turned = rung.rejections > 0 or (rung.refusals > 0 and order is rung.stop_order)
    return (
        0
        if turned and order.seen - order.created < PROVEN * SECOND
        else outstanding_quantity(order)
    )


def _is_bound(ladder: Ladder, rung: Rung) -> bool:
    """Return whether the depository binds a rung's shares, which were not bought today."""
    if ladder.instrument.bound <= 0 or ladder.plan.product is not Product.CNC:
        return False
    entry = rung.entry
    return entry is None or is_correction(entry) or entry.created < ladder.instrument.hours.opens


def standing_quantity(rung: Rung) -> i64:
    """Return the shares that everything of a rung at the broker could sell together.

    It counts wherever the price goes.
    """
    shares: i64 = 0
    gtt = rung.gtt
    if gtt is not None and gtt.gtt_id and gtt.live and gtt.legs:
        shares = gtt.legs[0].quantity
    order = rung.exit if rung.exit is not None else rung.stop_order
    if order is not None and order.order_id:
        shares += outstanding_quantity(order)
    part = rung.part_exit
    if part is not None and part.order_id:
        shares += outstanding_quantity(part)
    return shares


def _could_trade(ladder: Ladder, order: Order, last: float) -> bool:
    """Return whether a stop or an exit could trade where the price is, or at its trigger."""
    if order.price <= 0.0:
        return True
    if order.status is OrderStatus.TRIGGER_PENDING:
        return order.order_type is not OrderType.SL or could_fill(
            ladder.instrument, order.side, order.trigger, order.price
        )
    return last <= 0.0 or float(int(order.side)) * (order.price - last) >= 0.0


def gtt_legs(ladder: Ladder, rung: Rung, stop: float, quantity: i64) -> list[GttLeg]:
    """Return the GTT legs that protect `quantity`.

    They are the stop alone, or stop and target with the lower trigger first.
    """
    assert 0 < quantity <= rung.quantity, "a stop for shares that are not held"
    sign = ladder.sign
    out = ladder.exit_side
    # its tick may be another one since; a stop moves in favour only
    stop = ladder.instrument.snap(stop, sign)
    found = [GttLeg(stop, stop_limit(ladder, stop), out, quantity)]
    if rung.target > 0.0:
        aim = ladder.instrument.snap(rung.target, sign)
        target = GttLeg(aim, aim, out, quantity)
        if sign > 0:
            found.append(target)
        else:
            found.insert(0, target)
    return found
