"""The risk gate: the reasons why an entry or a change may not go out, in order of the checks."""

from typing import Final

from mypy_extensions import i64

from compiled.accounting.charges import rates_key
from compiled.model.order_terms import OrderChange, Variety
from compiled.model.values import (
    Instrument,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
    Validity,
    paise,
)
from compiled.trading.desk_state import InstrumentState
from compiled.trading.desk_view import DeskView, needs_gtt
from compiled.trading.ladder import (
    AT_MARKET,
    EntryPlan,
    Ladder,
    LadderPlan,
    Rung,
    stop_at,
    target_at,
)
from compiled.trading.order_states import largest_quantity
from compiled.trading.order_store import OrderStore
from compiled.trading.risk import RefusalReason, check_order, check_usage, rung_size
from compiled.trading.strategy import OPERATOR

MOST_LEGS: Final = 50
SHOWN_PERCENT: Final = 10
"""The least part of an order that must be disclosed, where not all of it is."""


def entry_verdict(
    view: DeskView, market: InstrumentState, ladder: Ladder, rung: Rung
) -> RefusalReason:
    """Return why the entry of a rung may not be sent now, or OK."""
    entry = entry_plan_of(ladder, rung)
    quantity = entry_quantity(market, ladder, rung)
    price = reckoned_price(entry, market)
    # From the cheapest and most frequent reason to the sums over all positions: most refusals never
    # reach those.
    reason = check_entry_gate(view, market, ladder.strategy, ladder.side, ladder.plan, entry)
    if reason is RefusalReason.OK and not (
        entry is AT_MARKET or _terms_fit(entry, ladder, market.instrument, quantity)
    ):
        reason = RefusalReason.TERMS
    if reason is RefusalReason.OK and not _stop_can_stand(view.order_store, ladder, rung, price):
        reason = RefusalReason.STOP_DISTANCE
    if reason is RefusalReason.OK and _lacks_gtt(view, ladder, rung):
        reason = RefusalReason.GTTS
    if reason is RefusalReason.OK:
        # no stop takes more than the freeze quantity, in however many orders it was bought
        several = entry.terms.makes_several_orders and rung.plan.stop_percent <= 0.0
        reason = check_order(
            market.instrument, quantity, price, market.last, view.state.limits, several
        )
    if reason is RefusalReason.OK:
        reason = check_usage(paise(price, quantity), view.limit_usage(ladder), view.state.limits)
    return reason


def check_entry_gate(
    view: DeskView,
    market: InstrumentState,
    strategy: str,
    side: Side,
    plan: LadderPlan,
    entry: EntryPlan,
) -> RefusalReason:
    """Return why nothing of this kind may be entered now, whatever its size, or OK."""
    now = view.order_store.now
    # The latch before everything else: under a halt no other reason matters to the operator.
    if view.state.halted:
        return RefusalReason.KILLED
    if not view.state.ready:
        return RefusalReason.NOT_READY
    if market.instrument.kind == "INDEX":
        return RefusalReason.INDEX
    if view.order_store.limit_only and not _is_bare_limit(strategy, plan, entry):
        return RefusalReason.LIMIT_ONLY
    # A strategy's indicators are not there yet; the operator looks at the price itself.
    if market.is_cold and strategy != OPERATOR:
        return RefusalReason.WARMING
    variety = entry.terms.variety
    if view.state.simulated and variety is not Variety.REGULAR and variety is not Variety.ICEBERG:
        return RefusalReason.VARIETY
    reason = _check_clock(view, market, plan, entry, now)
    if reason is not RefusalReason.OK:
        return reason
    for slot in view.state.slots:
        if slot.name == strategy and slot.stopped:
            return RefusalReason.STRATEGY_STOPPED
    if side is Side.SELL and (plan.product is Product.CNC or plan.product is Product.MTF):
        return RefusalReason.SHORT_DELIVERY
    if rates_key(market.token, plan.product) not in view.state.rates:
        return RefusalReason.PRODUCT
    return RefusalReason.OK


def _check_clock(
    view: DeskView, market: InstrumentState, plan: LadderPlan, entry: EntryPlan, now: i64
) -> RefusalReason:
    """Check hours and the age of the price.

    An after-market order needs a closed market and no price.
    """
    hours = market.instrument.hours
    if entry.terms.variety is Variety.AMO:
        return (
            RefusalReason.SESSION
            if hours.is_trading(now) or market.last <= 0.0
            else RefusalReason.OK
        )
    if not hours.takes_entries(now):
        return RefusalReason.SESSION
    if (plan.product is Product.MIS or hours.clears) and hours.squares_off(now):
        return RefusalReason.SQUARE_OFF
    stale = view.state.limits.stale_after
    # A price that may be old is no ground for an entry, whatever its age in this feed.
    if not market.live or market.untraded or market.is_late or market.ltp <= 0.0:
        return RefusalReason.STALE_DATA
    if stale > 0 and now - market.heard_at > stale:
        return RefusalReason.STALE_DATA
    return RefusalReason.OK


def change_verdict(
    view: DeskView, market: InstrumentState, ladder: Ladder, order: Order, change: OrderChange
) -> RefusalReason:
    """Return why an order may not be changed so, or OK.

    It is checked as it would be; the growth of an entry must fit the limits.
    """
    quantity = change.quantity if change.quantity > 0 else order.quantity
    price = change.price if change.price > 0.0 else order.price
    trigger = change.trigger if change.trigger > 0.0 else order.trigger
    if change.quantity > 0 and (order.terms.makes_several_orders or quantity <= order.filled):
        return RefusalReason.TERMS
    reckoned = (
        price if price > 0.0 else trigger if trigger > 0.0 else market.instrument.snap(market.last)
    )
    reason = check_order(
        market.instrument,
        quantity,
        reckoned,
        market.last,
        view.state.limits,
        order.terms.makes_several_orders,
    )
    if reason is not RefusalReason.OK or not market.instrument.on_grid(trigger):
        return reason if reason is not RefusalReason.OK else RefusalReason.TICK
    if order.purpose is not OrderPurpose.ENTRY:
        return RefusalReason.OK
    # Under a halt exits and stops may change, entries not: a changed price could fill them.
    if view.state.halted:
        return RefusalReason.KILLED
    usage = view.limit_usage(ladder)
    # The order's own entry is among the counts; only what it grows by is new.
    usage.positions -= 1
    usage.symbol_positions -= 1
    usage.trades -= 1
    grows = paise(reckoned, quantity) - paise(market.last, largest_quantity(order))
    return check_usage(grows, usage, view.state.limits) if grows > 0 else RefusalReason.OK


def _is_bare_limit(strategy: str, plan: LadderPlan, entry: EntryPlan) -> bool:
    """Return whether it is a plain LIMIT order by hand, which asks for no stop."""
    plain = entry.order_type is OrderType.LIMIT and entry.terms.variety is Variety.REGULAR
    return strategy == OPERATOR and plain and plan.rungs[0].stop_percent <= 0.0


def _stop_can_stand(out: OrderStore, ladder: Ladder, rung: Rung, price: float) -> bool:
    """Return whether stop and target of an entry at a price would stand away from it."""
    # Filled without them it would leave at once, for the spread and the charges of two orders. The
    # broker itself places the stop of a cover order.
    if rung.plan.stop_percent <= 0.0 or ladder.plan.cover:
        return True
    away = float(ladder.sign) * (price - stop_at(ladder, rung, price))
    if ladder.plan.resting:
        return away > 0.0
    target = target_at(ladder, rung, price)
    return not out.trigger_distance.is_too_near(away, price) and (
        target <= 0.0
        or not out.trigger_distance.is_too_near(float(ladder.sign) * (target - price), price)
    )


def _lacks_gtt(view: DeskView, ladder: Ladder, rung: Rung) -> bool:
    """Return whether the broker would refuse the stop of one more entry: the account is full."""
    most = view.order_store.most_gtts
    # An entry whose stop is refused leaves again at a loss.
    return (
        most > 0
        and rung.plan.stop_percent > 0.0
        and needs_gtt(ladder.plan)
        and view.gtts_needed() >= most
    )


def entry_plan_of(ladder: Ladder, rung: Rung) -> EntryPlan:
    """Return how a rung enters: the first as planned, the others at the market."""
    return ladder.plan.entry if rung.number == 1 else AT_MARKET


def entry_quantity(market: InstrumentState, ladder: Ladder, rung: Rung) -> i64:
    """Return how many shares a rung enters with."""
    if rung.plan.quantity > 0:
        return rung.plan.quantity
    return rung_size(market.instrument, ladder.plan, rung.plan.stop_percent, market.ltp)


def reckoned_price(entry: EntryPlan, market: InstrumentState) -> float:
    """Return the price in rupees that risk reckons with."""
    if entry.price > 0.0:
        return entry.price
    return (
        entry.trigger if entry.order_type is OrderType.SLM else market.instrument.snap(market.last)
    )


def _terms_fit(entry: EntryPlan, ladder: Ladder, instrument: Instrument, quantity: i64) -> bool:
    """Return whether the terms of an entry go together, by the rules of broker and exchange."""
    terms = entry.terms
    kind = entry.order_type
    priced = kind is OrderType.LIMIT or kind is OrderType.SL
    stop = kind is OrderType.SL or kind is OrderType.SLM
    if priced != (entry.price > 0.0) or (
        stop and (entry.trigger <= 0.0 or not instrument.on_grid(entry.trigger))
    ):
        return False
    if (entry.validity is Validity.TTL) != (terms.minutes > 0):
        return False
    if terms.disclosed > 0 and (
        terms.disclosed > quantity or terms.disclosed * 100 < quantity * SHOWN_PERCENT
    ):
        return False
    if terms.variety is Variety.ICEBERG:
        return (
            2 <= terms.legs <= MOST_LEGS
            and kind is not OrderType.MARKET
            and entry.validity is not Validity.IOC
        )
    if terms.variety is Variety.COVER:
        rungs = ladder.plan.rungs
        plain = entry.validity is Validity.DAY and terms.disclosed == 0 and len(rungs) == 1
        return plain and not stop and ladder.plan.resting and rungs[0].stop_percent > 0.0
    if terms.autoslice and terms.variety is not Variety.REGULAR:
        return False
    return terms.variety is not Variety.AUCTION
