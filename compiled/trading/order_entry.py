"""Entries: what sizing, risk and the terms of an order allow, and the orders that follow.

Nothing but this layer sends an entry or changes one; a refusal has a reason code, and is told.
"""

from typing import Final

from mypy_extensions import i64

from compiled.accounting.charges import ChargeRates, rates_key
from compiled.accounting.ledger import Ledger
from compiled.model.int_map import IntMap
from compiled.model.order_terms import OrderChange, Variety
from compiled.model.values import (
    SECOND,
    Instrument,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
    Validity,
    paise,
)
from compiled.trading.decision_log import (
    CHANGE,
    ENTER,
    EXIT,
    HAND,
    RUNG,
    TICK,
    DecisionCause,
    DecisionLog,
    DecisionRecord,
    explain_refusal,
)
from compiled.trading.ladder import (
    AT_MARKET,
    EntryPlan,
    Ladder,
    LadderPlan,
    Rung,
    RungState,
    stop_at,
)
from compiled.trading.order_states import largest_quantity
from compiled.trading.order_store import OrderStore
from compiled.trading.positions import InstrumentState, StrategyState
from compiled.trading.risk import (
    RefusalReason,
    RiskLimits,
    change_out_of_bounds,
    check_order,
    check_usage,
    plan_out_of_bounds,
    rung_size,
)
from compiled.trading.share_division import PositionDivisions
from compiled.trading.strategy import OPERATOR, StrategyRequest

ENTRY_RETRY_SECONDS: Final = 30
"""How long a rung whose entry was refused waits before it is tried again."""
MOST_LEGS: Final = 50
NO_PLAN: Final = LadderPlan([], 0)
SHOWN_PERCENT: Final = 10
"""The least part of an order that must be disclosed, where not all of it is."""


class OrderEntry(PositionDivisions):
    """Opens ladders, enters rungs and alters orders, where the desk's limits allow it."""

    def __init__(
        self,
        out: OrderStore,
        ledger: Ledger,
        limits: RiskLimits,
        markets: IntMap[InstrumentState],
        slots: list[StrategyState],
        first: i64,
        rates: IntMap[ChargeRates],
    ) -> None:
        super().__init__(out, ledger, limits, markets, slots, first, rates)
        self.ready = False
        self.simulated = False
        """Whether the orders go to the core's own exchange, which knows regular and iceberg ones only."""
        self.refusal_count: i64 = 0
        self.decisions = DecisionLog(first)

    def refuse_out_of_bounds(
        self, strategy: str, market: InstrumentState, request: StrategyRequest, cause: DecisionCause
    ) -> bool:
        """Refuse a request with a number that no order may have, before anything is made of it.

        Return whether it was.
        """
        fault = ""
        if request.plan is not None:
            fault = plan_out_of_bounds(request.plan)
        elif request.change is not None:
            fault = change_out_of_bounds(request.change)
        if fault == "":
            return False
        kind = CHANGE if request.order is not None else ENTER
        blank = Ladder(self.next_number, strategy, market.instrument, request.side, NO_PLAN)
        decision = self.decisions.make(self.order_store.now, kind, blank, cause, request.reason)
        if self._record_refusal(decision, market, RefusalReason.BOUNDS):
            decision.detail = fault
        return True

    def _execute_request(
        self, strategy: str, request: StrategyRequest, cause: DecisionCause
    ) -> RefusalReason:
        """Do what a strategy or the operator asks for; return why not, or OK."""
        market = self.markets[int(request.token)]
        order = request.order
        if request.plan is not None:
            return self._open_ladder(strategy, market, request, request.plan, cause)
        if order is not None:
            return self._alter_order(strategy, market, order, request.change, cause)
        for ladder in list(market.ladders):
            if ladder.strategy == strategy:
                self._exit_ladder(market, ladder, request.reason, cause)
        return RefusalReason.OK

    def _exit_ladder(
        self, market: InstrumentState, ladder: Ladder, reason: str, cause: DecisionCause
    ) -> None:
        if not ladder.leaving:
            decision = self.decisions.make(self.order_store.now, EXIT, ladder, cause, reason)
            decision.ladder = ladder.ladder_id
            decision.price = market.ltp
            self.decisions.keep(decision)
        self._leave_ladder(ladder, "exit: " + reason if reason else "exit")

    # entries

    def draft_ladder(self, strategy: str, request: StrategyRequest, plan: LadderPlan) -> Ladder:
        """Return the ladder that a request asks for, not followed yet."""
        market = self.markets[int(request.token)]
        number = self.next_number
        ladder = Ladder(number, strategy, market.instrument, request.side, plan)
        ladder.created = self.order_store.now
        ladder.reason = request.reason
        rung_number: i64 = 0
        for rung_plan in plan.rungs:
            rung_number += 1
            ladder.rungs.append(Rung(number + rung_number, number, rung_number, rung_plan))
        return ladder

    def _open_ladder(
        self,
        strategy: str,
        market: InstrumentState,
        request: StrategyRequest,
        plan: LadderPlan,
        cause: DecisionCause,
    ) -> RefusalReason:
        ladder = self.draft_ladder(strategy, request, plan)
        decision = self.decisions.make(self.order_store.now, ENTER, ladder, cause, request.reason)
        if strategy != OPERATOR:
            for held in market.ladders:
                if held.strategy == strategy:
                    self._record_refusal(decision, market, RefusalReason.DUPLICATE)
                    return RefusalReason.DUPLICATE
            for order in self.dry_run_entries:
                if order.strategy == strategy and order.token == market.token:
                    self._record_refusal(decision, market, RefusalReason.DUPLICATE)
                    return RefusalReason.DUPLICATE
        reason = self._enter_rung(market, ladder, ladder.rungs[0], decision)
        if reason is RefusalReason.OK:
            self.next_number += len(plan.rungs) + 1
            self.follow_ladder(ladder)
        return reason

    def decline_request(
        self,
        strategy: str,
        request: StrategyRequest,
        plan: LadderPlan,
        cause: DecisionCause,
        reason: RefusalReason,
    ) -> None:
        """Refuse what a strategy asks for."""
        ladder = self.draft_ladder(strategy, request, plan)
        decision = self.decisions.make(self.order_store.now, ENTER, ladder, cause, request.reason)
        self._record_refusal(decision, self.markets[request.token], reason)

    def _enter_next_rung(self, market: InstrumentState, ladder: Ladder, rung: Rung) -> None:
        """Decide on a rung whose trigger the last price has reached."""
        now = self.order_store.now
        reason = f"P{rung.number} at {rung.plan.trigger_percent:.2f} % up"
        cause = DecisionCause(TICK, market.token, now, market.ltp)
        decision = self.decisions.make(now, RUNG, ladder, cause, reason)
        decision.ladder = ladder.ladder_id
        decision.rung = rung.rung_id
        self._enter_rung(market, ladder, rung, decision)

    def _enter_rung(
        self, market: InstrumentState, ladder: Ladder, rung: Rung, decision: DecisionRecord
    ) -> RefusalReason:
        """Send the entry of a rung if sizing and risk allow it; return why not, or OK."""
        entry = _entry_plan(ladder, rung)
        decision.quantity = _entry_quantity(market, ladder, rung)
        decision.price = _reckoned_price(entry, market)
        reason = self.entry_verdict(market, ladder, rung)
        if reason is not RefusalReason.OK:
            if self._record_refusal(decision, market, reason):
                decision.detail = self._explain_refusal(market, ladder, decision, reason)
            rung.retry_at = self.order_store.now + ENTRY_RETRY_SECONDS * SECOND
            return reason
        trigger = entry.trigger
        if ladder.plan.cover and trigger <= 0.0:
            trigger = stop_at(ladder, rung, decision.price)
        rung.entry = self.order_store.place_order(
            ladder.strategy,
            market.token,
            ladder.side,
            decision.quantity,
            entry.order_type,
            ladder.plan.product,
            OrderPurpose.ENTRY,
            rung.rung_id,
            entry.price,
            trigger,
            entry.validity,
            entry.protection,
            entry.terms,
        )
        decision.ladder = ladder.ladder_id
        decision.rung = rung.rung_id
        decision.intent = rung.entry.intent
        self.decisions.keep(decision)
        rung.state = RungState.ENTERING
        self.entry_count += 1
        self.note_entry(ladder.strategy)
        self.changed_rungs[rung.rung_id] = rung
        return RefusalReason.OK

    def _explain_refusal(
        self,
        market: InstrumentState,
        ladder: Ladder,
        decision: DecisionRecord,
        reason: RefusalReason,
    ) -> str:
        heard = market.stamp if market.is_late else market.heard_at
        silent: i64 = self.order_store.now - heard if market.heard_at > 0 else -1
        return explain_refusal(
            reason, market.instrument, decision, self.limits, self._limit_usage(ladder), silent
        )

    def refusal_figures(
        self, market: InstrumentState, ladder: Ladder, reason: RefusalReason
    ) -> str:
        """Return the figure and the limit for which the first rung of a ladder is refused, empty where there are none."""
        rung = ladder.rungs[0]
        cause = DecisionCause(HAND, market.token, self.order_store.now, market.last)
        decision = self.decisions.make(self.order_store.now, ENTER, ladder, cause, "")
        decision.quantity = _entry_quantity(market, ladder, rung)
        decision.price = _reckoned_price(_entry_plan(ladder, rung), market)
        return self._explain_refusal(market, ladder, decision, reason)

    def note_entry(self, strategy: str) -> None:
        """Remember when an entry left, where entries in a minute are limited."""
        if self.limits.max_orders_per_minute > 0:
            for slot in self.slots:
                if slot.name == strategy:
                    slot.entry_times.append(self.order_store.now)

    def entry_verdict(self, market: InstrumentState, ladder: Ladder, rung: Rung) -> RefusalReason:
        """Return why the entry of a rung may not be sent now, or OK."""
        entry = _entry_plan(ladder, rung)
        quantity = _entry_quantity(market, ladder, rung)
        price = _reckoned_price(entry, market)
        reason = self.check_entry_gate(market, ladder.strategy, ladder.side, ladder.plan, entry)
        if reason is RefusalReason.OK and not (
            entry is AT_MARKET or _terms_fit(entry, ladder, market.instrument, quantity)
        ):
            reason = RefusalReason.TERMS
        if reason is RefusalReason.OK:
            # no stop takes more than the freeze quantity, in however many orders it was bought
            several = entry.terms.makes_several_orders and rung.plan.stop_percent <= 0.0
            reason = check_order(
                market.instrument, quantity, price, market.last, self.limits, several
            )
        if reason is RefusalReason.OK:
            reason = check_usage(
                ladder.strategy, paise(price, quantity), self._limit_usage(ladder), self.limits
            )
        return reason

    def check_entry_gate(
        self, market: InstrumentState, strategy: str, side: Side, plan: LadderPlan, entry: EntryPlan
    ) -> RefusalReason:
        """Return why nothing of this kind may be entered now, whatever its size, or OK."""
        now = self.order_store.now
        if self.halted:
            return RefusalReason.KILLED
        if not self.ready:
            return RefusalReason.NOT_READY
        if market.instrument.kind == "INDEX":
            return RefusalReason.INDEX
        if self.order_store.limit_only and not _is_bare_limit(strategy, plan, entry):
            return RefusalReason.LIMIT_ONLY
        if market.is_cold and strategy != OPERATOR:
            return RefusalReason.WARMING
        variety = entry.terms.variety
        if self.simulated and variety is not Variety.REGULAR and variety is not Variety.ICEBERG:
            return RefusalReason.VARIETY
        reason = self._check_clock(market, plan, entry, now)
        if reason is not RefusalReason.OK:
            return reason
        for slot in self.slots:
            if slot.name == strategy and slot.stopped:
                return RefusalReason.STRATEGY_STOPPED
        if side is Side.SELL and (plan.product is Product.CNC or plan.product is Product.MTF):
            return RefusalReason.SHORT_DELIVERY
        if rates_key(market.token, plan.product) not in self.rates:
            return RefusalReason.PRODUCT
        return RefusalReason.OK

    def _check_clock(
        self, market: InstrumentState, plan: LadderPlan, entry: EntryPlan, now: i64
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
        stale = self.limits.stale_after
        if not market.live or market.untraded or market.is_late or market.ltp <= 0.0:
            return RefusalReason.STALE_DATA
        if stale > 0 and now - market.heard_at > stale:
            return RefusalReason.STALE_DATA
        return RefusalReason.OK

    def _record_refusal(
        self, decision: DecisionRecord, market: InstrumentState, reason: RefusalReason
    ) -> bool:
        """Count a refusal; tell it once a minute per strategy, instrument and reason.

        Return whether it was told.
        """
        self.refusal_count += 1
        symbol = market.instrument.symbol
        if not self.decisions.refuse(decision, reason, symbol):
            return False
        self.order_store.alert(
            "info", "refused", decision.strategy + " " + symbol + ": " + reason.name, market.token
        )
        return True

    # changes

    def _alter_order(
        self,
        strategy: str,
        market: InstrumentState,
        order: Order,
        change: OrderChange | None,
        cause: DecisionCause,
    ) -> RefusalReason:
        """Change or cancel (`change` None) a working order.

        A strategy its own entries only, the operator any of ours.
        """
        rung = self.rungs.get(int(order.rung))
        mine = strategy == OPERATOR or (
            order.strategy == strategy and order.purpose is OrderPurpose.ENTRY
        )
        if rung is None or not mine:
            self.refusal_count += 1
            return RefusalReason.NOT_WORKING
        ladder = self.owners[int(rung.ladder_id)]
        decision = self.decisions.make(
            self.order_store.now, CHANGE, ladder, cause, "" if change is not None else "cancel"
        )
        decision.ladder = ladder.ladder_id
        decision.rung = rung.rung_id
        decision.intent = order.intent
        reason = self._change_order(market, ladder, order, change, decision)
        if reason is RefusalReason.OK:
            self.decisions.keep(decision)
        else:
            self._record_refusal(decision, market, reason)
        return reason

    def _change_order(
        self,
        market: InstrumentState,
        ladder: Ladder,
        order: Order,
        change: OrderChange | None,
        decision: DecisionRecord,
    ) -> RefusalReason:
        if not order.live or order.cancelling:
            return RefusalReason.NOT_WORKING
        if change is None:
            self.order_store.cancel_order(order)
            return RefusalReason.OK
        decision.quantity = change.quantity
        decision.price = change.price if change.price > 0.0 else change.trigger
        reason = self._check_change(market, ladder, order, change)
        if reason is RefusalReason.OK and not self.order_store.modify_order(order, change):
            return RefusalReason.MODIFICATIONS
        return reason

    def _check_change(
        self, market: InstrumentState, ladder: Ladder, order: Order, change: OrderChange
    ) -> RefusalReason:
        """Check an order as it would be; what an entry grows by must fit the limits."""
        quantity = change.quantity if change.quantity > 0 else order.quantity
        price = change.price if change.price > 0.0 else order.price
        trigger = change.trigger if change.trigger > 0.0 else order.trigger
        if change.quantity > 0 and (order.terms.makes_several_orders or quantity <= order.filled):
            return RefusalReason.TERMS
        reckoned = (
            price
            if price > 0.0
            else trigger
            if trigger > 0.0
            else market.instrument.snap(market.last)
        )
        reason = check_order(
            market.instrument,
            quantity,
            reckoned,
            market.last,
            self.limits,
            order.terms.makes_several_orders,
        )
        if reason is not RefusalReason.OK or not market.instrument.on_grid(trigger):
            return reason if reason is not RefusalReason.OK else RefusalReason.TICK
        if order.purpose is not OrderPurpose.ENTRY:
            return RefusalReason.OK
        if self.halted:
            return RefusalReason.KILLED
        usage = self._limit_usage(ladder)
        usage.positions -= 1
        usage.symbol_positions -= 1
        usage.trades -= 1
        grows = paise(reckoned, quantity) - paise(market.last, largest_quantity(order))
        return (
            check_usage(order.strategy, grows, usage, self.limits)
            if grows > 0
            else RefusalReason.OK
        )


def _is_bare_limit(strategy: str, plan: LadderPlan, entry: EntryPlan) -> bool:
    """Tell whether it is a plain LIMIT order by hand, which asks for no stop."""
    plain = entry.order_type is OrderType.LIMIT and entry.terms.variety is Variety.REGULAR
    return strategy == OPERATOR and plain and plan.rungs[0].stop_percent <= 0.0


def _entry_plan(ladder: Ladder, rung: Rung) -> EntryPlan:
    return ladder.plan.entry if rung.number == 1 else AT_MARKET


def _entry_quantity(market: InstrumentState, ladder: Ladder, rung: Rung) -> i64:
    return rung_size(market.instrument, ladder.plan, rung.plan.stop_percent, market.ltp)


def _reckoned_price(entry: EntryPlan, market: InstrumentState) -> float:
    """Return the price in rupees that risk reckons with."""
    if entry.price > 0.0:
        return entry.price
    return (
        entry.trigger if entry.order_type is OrderType.SLM else market.instrument.snap(market.last)
    )


def _terms_fit(entry: EntryPlan, ladder: Ladder, instrument: Instrument, quantity: i64) -> bool:
    """Tell whether the terms of an entry go together, by the rules of Kite and of the exchange."""
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
