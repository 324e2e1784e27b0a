"""Entries: what sizing, risk and the terms of an order allow, and the orders that follow.

Nothing but this layer sends an entry or changes one; a refusal has a reason code, and is told.
"""

from typing import Final

from mypy_extensions import i64

from compiled.charges import Rates, charged
from compiled.decisions import CHANGE, ENTER, EXIT, HAND, RUNG, TICK, Cause, Decision, Decisions, explain
from compiled.division import Divisions
from compiled.ladder import AT_MARKET, Entry, Ladder, LadderPlan, Rung, RungState, stop_at
from compiled.ledger import Ledger
from compiled.model import SECOND, Instrument, Order, OrderType, Product, Purpose, Side, Validity, paise
from compiled.orders import reach
from compiled.outbox import Outbox
from compiled.positions import Market, Slot
from compiled.risk import Limits, Reason, beyond, beyond_change, check_order, check_usage, size_of
from compiled.strategy import OPERATOR, Request
from compiled.table import Table
from compiled.terms import Change, Variety

ENTRY_RETRY_SECONDS: Final = 30
"""How long a rung whose entry was refused waits before it is tried again."""
MOST_LEGS: Final = 50
NO_PLAN: Final = LadderPlan([], 0)
SHOWN_PERCENT: Final = 10
"""The least part of an order that must be disclosed, where not all of it is."""


class Entries(Divisions):
    """Opens ladders, enters rungs and alters orders, where the desk's limits allow it."""

    def __init__(
        self,
        out: Outbox,
        ledger: Ledger,
        limits: Limits,
        markets: Table[Market],
        slots: list[Slot],
        first: i64,
        rates: Table[Rates],
    ) -> None:
        super().__init__(out, ledger, limits, markets, slots, first, rates)
        self.ready = False
        self.simulated = False
        """Whether the orders go to the core's own exchange, which knows regular and iceberg ones only."""
        self.refused: i64 = 0
        self.decisions = Decisions(first)

    def out_of_bounds(self, strategy: str, market: Market, request: Request, cause: Cause) -> bool:
        """Refuse a request with a number that no order may have, before anything is made of it; return whether it was."""
        fault = ""
        if request.plan is not None:
            fault = beyond(request.plan)
        elif request.change is not None:
            fault = beyond_change(request.change)
        if fault == "":
            return False
        kind = CHANGE if request.order is not None else ENTER
        blank = Ladder(self.next_number, strategy, market.instrument, request.side, NO_PLAN)
        decision = self.decisions.make(self.out.now, kind, blank, cause, request.reason)
        if self._refuse(decision, market, Reason.BOUNDS):
            decision.detail = fault
        return True

    def _ask(self, strategy: str, request: Request, cause: Cause) -> Reason:
        """Do what a strategy or the operator asks for; return why not, or OK."""
        market = self.markets[int(request.token)]
        order = request.order
        if request.plan is not None:
            return self._open_ladder(strategy, market, request, request.plan, cause)
        if order is not None:
            return self._alter(strategy, market, order, request.change, cause)
        for ladder in list(market.ladders):
            if ladder.strategy == strategy:
                self._exit(market, ladder, request.reason, cause)
        return Reason.OK

    def _exit(self, market: Market, ladder: Ladder, reason: str, cause: Cause) -> None:
        if not ladder.leaving:
            decision = self.decisions.make(self.out.now, EXIT, ladder, cause, reason)
            decision.ladder = ladder.ladder_id
            decision.price = market.ltp
            self.decisions.keep(decision)
        self._leave(ladder, "exit: " + reason if reason else "exit")

    # entries

    def draft(self, strategy: str, request: Request, plan: LadderPlan) -> Ladder:
        """Return the ladder that a request asks for, not followed yet."""
        market = self.markets[int(request.token)]
        number = self.next_number
        ladder = Ladder(number, strategy, market.instrument, request.side, plan)
        ladder.created = self.out.now
        ladder.reason = request.reason
        rung_number: i64 = 0
        for rung_plan in plan.rungs:
            rung_number += 1
            ladder.rungs.append(Rung(number + rung_number, number, rung_number, rung_plan))
        return ladder

    def _open_ladder(self, strategy: str, market: Market, request: Request, plan: LadderPlan, cause: Cause) -> Reason:
        ladder = self.draft(strategy, request, plan)
        decision = self.decisions.make(self.out.now, ENTER, ladder, cause, request.reason)
        if strategy != OPERATOR:
            for held in market.ladders:
                if held.strategy == strategy:
                    self._refuse(decision, market, Reason.DUPLICATE)
                    return Reason.DUPLICATE
            for order in self.unsent:
                if order.strategy == strategy and order.token == market.token:
                    self._refuse(decision, market, Reason.DUPLICATE)
                    return Reason.DUPLICATE
        reason = self._enter(market, ladder, ladder.rungs[0], decision)
        if reason is Reason.OK:
            self.next_number += len(plan.rungs) + 1
            self.adopt(ladder)
        return reason

    def decline(self, strategy: str, request: Request, plan: LadderPlan, cause: Cause, reason: Reason) -> None:
        """Refuse what a strategy asks for."""
        ladder = self.draft(strategy, request, plan)
        decision = self.decisions.make(self.out.now, ENTER, ladder, cause, request.reason)
        self._refuse(decision, self.markets[request.token], reason)

    def _climb(self, market: Market, ladder: Ladder, rung: Rung) -> None:
        """Decide on a rung whose trigger the last price has reached."""
        now = self.out.now
        reason = f"P{rung.number} at {rung.plan.trigger_percent:.2f} % up"
        cause = Cause(TICK, market.token, now, market.ltp)
        decision = self.decisions.make(now, RUNG, ladder, cause, reason)
        decision.ladder = ladder.ladder_id
        decision.rung = rung.rung_id
        self._enter(market, ladder, rung, decision)

    def _enter(self, market: Market, ladder: Ladder, rung: Rung, decision: Decision) -> Reason:
        """Send the entry of a rung if sizing and risk allow it; return why not, or OK."""
        entry = _entry(ladder, rung)
        decision.quantity = _quantity(market, ladder, rung)
        decision.price = _reckoned(entry, market)
        reason = self.verdict(market, ladder, rung)
        if reason is not Reason.OK:
            if self._refuse(decision, market, reason):
                decision.detail = self._explained(market, ladder, decision, reason)
            rung.retry_at = self.out.now + ENTRY_RETRY_SECONDS * SECOND
            return reason
        trigger = entry.trigger
        if ladder.plan.cover and trigger <= 0.0:
            trigger = stop_at(ladder, rung, decision.price)
        rung.entry = self.out.place(
            ladder.strategy, market.token, ladder.side, decision.quantity, entry.order_type, ladder.plan.product,
            Purpose.ENTRY, rung.rung_id, entry.price, trigger, entry.validity, entry.protection, entry.terms,
        )  # fmt: skip
        decision.ladder = ladder.ladder_id
        decision.rung = rung.rung_id
        decision.intent = rung.entry.intent
        self.decisions.keep(decision)
        rung.state = RungState.ENTERING
        self.entries += 1
        self.entered(ladder.strategy)
        self.changed_rungs[rung.rung_id] = rung
        return Reason.OK

    def _explained(self, market: Market, ladder: Ladder, decision: Decision, reason: Reason) -> str:
        heard = market.stamp if market.late else market.heard
        silent: i64 = self.out.now - heard if market.heard > 0 else -1
        return explain(reason, market.instrument, decision, self.limits, self._usage(ladder), silent)

    def figures(self, market: Market, ladder: Ladder, reason: Reason) -> str:
        """Return the figure and the limit for which the first rung of a ladder is refused, empty where there are none."""
        rung = ladder.rungs[0]
        cause = Cause(HAND, market.token, self.out.now, market.last)
        decision = self.decisions.make(self.out.now, ENTER, ladder, cause, "")
        decision.quantity = _quantity(market, ladder, rung)
        decision.price = _reckoned(_entry(ladder, rung), market)
        return self._explained(market, ladder, decision, reason)

    def entered(self, strategy: str) -> None:
        """Remember when an entry left, where entries in a minute are limited."""
        if self.limits.max_orders_per_minute > 0:
            for slot in self.slots:
                if slot.name == strategy:
                    slot.entered.append(self.out.now)

    def verdict(self, market: Market, ladder: Ladder, rung: Rung) -> Reason:
        """Return why the entry of a rung may not be sent now, or OK."""
        entry = _entry(ladder, rung)
        quantity = _quantity(market, ladder, rung)
        price = _reckoned(entry, market)
        reason = self.gate(market, ladder.strategy, ladder.side, ladder.plan, entry)
        if reason is Reason.OK and not (entry is AT_MARKET or _fits(entry, ladder, market.instrument, quantity)):
            reason = Reason.TERMS
        if reason is Reason.OK:
            # no stop takes more than the freeze quantity, in however many orders it was bought
            several = entry.terms.several and rung.plan.stop_percent <= 0.0
            reason = check_order(market.instrument, quantity, price, market.last, self.limits, several)
        if reason is Reason.OK:
            reason = check_usage(ladder.strategy, paise(price, quantity), self._usage(ladder), self.limits)
        return reason

    def gate(self, market: Market, strategy: str, side: Side, plan: LadderPlan, entry: Entry) -> Reason:
        """Return why nothing of this kind may be entered now, whatever its size, or OK."""
        now = self.out.now
        if self.halted:
            return Reason.KILLED
        if not self.ready:
            return Reason.NOT_READY
        if market.instrument.kind == "INDEX":
            return Reason.INDEX
        if self.out.limit_only and not _bare_limit(strategy, plan, entry):
            return Reason.LIMIT_ONLY
        if market.cold and strategy != OPERATOR:
            return Reason.WARMING
        variety = entry.terms.variety
        if self.simulated and variety is not Variety.REGULAR and variety is not Variety.ICEBERG:
            return Reason.VARIETY
        reason = self._clock(market, plan, entry, now)
        if reason is not Reason.OK:
            return reason
        for slot in self.slots:
            if slot.name == strategy and slot.stopped:
                return Reason.STRATEGY_STOPPED
        if side is Side.SELL and (plan.product is Product.CNC or plan.product is Product.MTF):
            return Reason.SHORT_DELIVERY
        if charged(market.token, plan.product) not in self.rates:
            return Reason.PRODUCT
        return Reason.OK

    def _clock(self, market: Market, plan: LadderPlan, entry: Entry, now: i64) -> Reason:
        """Check hours and the age of the price; an after-market order needs a closed market and no price."""
        hours = market.instrument.hours
        if entry.terms.variety is Variety.AMO:
            return Reason.SESSION if hours.trading(now) or market.last <= 0.0 else Reason.OK
        if not hours.takes_entries(now):
            return Reason.SESSION
        if (plan.product is Product.MIS or hours.clears) and hours.squares_off(now):
            return Reason.SQUARE_OFF
        stale = self.limits.stale_after
        if not market.live or market.untraded or market.late or market.ltp <= 0.0:
            return Reason.STALE_DATA
        if stale > 0 and now - market.heard > stale:
            return Reason.STALE_DATA
        return Reason.OK

    def _refuse(self, decision: Decision, market: Market, reason: Reason) -> bool:
        """Count a refusal; tell it once a minute per strategy, instrument and reason; return whether it was told."""
        self.refused += 1
        symbol = market.instrument.symbol
        if not self.decisions.refuse(decision, reason, symbol):
            return False
        self.out.alert("info", "refused", decision.strategy + " " + symbol + ": " + reason.name, market.token)
        return True

    # changes

    def _alter(self, strategy: str, market: Market, order: Order, change: Change | None, cause: Cause) -> Reason:
        """Change or cancel (`change` None) a working order; a strategy its own entries only, the operator any of ours."""
        rung = self.rungs.get(int(order.rung))
        mine = strategy == OPERATOR or (order.strategy == strategy and order.purpose is Purpose.ENTRY)
        if rung is None or not mine:
            self.refused += 1
            return Reason.NOT_WORKING
        ladder = self.owners[int(rung.ladder_id)]
        decision = self.decisions.make(self.out.now, CHANGE, ladder, cause, "" if change is not None else "cancel")
        decision.ladder = ladder.ladder_id
        decision.rung = rung.rung_id
        decision.intent = order.intent
        reason = self._change(market, ladder, order, change, decision)
        if reason is Reason.OK:
            self.decisions.keep(decision)
        else:
            self._refuse(decision, market, reason)
        return reason

    def _change(
        self, market: Market, ladder: Ladder, order: Order, change: Change | None, decision: Decision
    ) -> Reason:
        if not order.live or order.cancelling:
            return Reason.NOT_WORKING
        if change is None:
            self.out.cancel(order)
            return Reason.OK
        decision.quantity = change.quantity
        decision.price = change.price if change.price > 0.0 else change.trigger
        reason = self._check_change(market, ladder, order, change)
        if reason is Reason.OK and not self.out.modify(order, change):
            return Reason.MODIFICATIONS
        return reason

    def _check_change(self, market: Market, ladder: Ladder, order: Order, change: Change) -> Reason:
        """Check an order as it would be; what an entry grows by must fit the limits."""
        quantity = change.quantity if change.quantity > 0 else order.quantity
        price = change.price if change.price > 0.0 else order.price
        trigger = change.trigger if change.trigger > 0.0 else order.trigger
        if change.quantity > 0 and (order.terms.several or quantity <= order.filled):
            return Reason.TERMS
        reckoned = price if price > 0.0 else trigger if trigger > 0.0 else market.instrument.snap(market.last)
        reason = check_order(market.instrument, quantity, reckoned, market.last, self.limits, order.terms.several)
        if reason is not Reason.OK or not market.instrument.on_grid(trigger):
            return reason if reason is not Reason.OK else Reason.TICK
        if order.purpose is not Purpose.ENTRY:
            return Reason.OK
        if self.halted:
            return Reason.KILLED
        usage = self._usage(ladder)
        usage.positions -= 1
        usage.symbol_positions -= 1
        usage.trades -= 1
        grows = paise(reckoned, quantity) - paise(market.last, reach(order))
        return check_usage(order.strategy, grows, usage, self.limits) if grows > 0 else Reason.OK


def _bare_limit(strategy: str, plan: LadderPlan, entry: Entry) -> bool:
    """Tell whether it is a plain LIMIT order by hand, which asks for no stop."""
    plain = entry.order_type is OrderType.LIMIT and entry.terms.variety is Variety.REGULAR
    return strategy == OPERATOR and plain and plan.rungs[0].stop_percent <= 0.0


def _entry(ladder: Ladder, rung: Rung) -> Entry:
    return ladder.plan.entry if rung.number == 1 else AT_MARKET


def _quantity(market: Market, ladder: Ladder, rung: Rung) -> i64:
    return size_of(market.instrument, ladder.plan, rung.plan.stop_percent, market.ltp)


def _reckoned(entry: Entry, market: Market) -> float:
    """Return the price in rupees that risk reckons with."""
    if entry.price > 0.0:
        return entry.price
    return entry.trigger if entry.order_type is OrderType.SLM else market.instrument.snap(market.last)


def _fits(entry: Entry, ladder: Ladder, instrument: Instrument, quantity: i64) -> bool:
    """Tell whether the terms of an entry go together, by the rules of Kite and of the exchange."""
    terms = entry.terms
    kind = entry.order_type
    priced = kind is OrderType.LIMIT or kind is OrderType.SL
    stop = kind is OrderType.SL or kind is OrderType.SLM
    if priced != (entry.price > 0.0) or (stop and (entry.trigger <= 0.0 or not instrument.on_grid(entry.trigger))):
        return False
    if (entry.validity is Validity.TTL) != (terms.minutes > 0):
        return False
    if terms.disclosed > 0 and (terms.disclosed > quantity or terms.disclosed * 100 < quantity * SHOWN_PERCENT):
        return False
    if terms.variety is Variety.ICEBERG:
        return 2 <= terms.legs <= MOST_LEGS and kind is not OrderType.MARKET and entry.validity is not Validity.IOC
    if terms.variety is Variety.COVER:
        rungs = ladder.plan.rungs
        plain = entry.validity is Validity.DAY and terms.disclosed == 0 and len(rungs) == 1
        return plain and not stop and ladder.plan.resting and rungs[0].stop_percent > 0.0
    if terms.autoslice and terms.variety is not Variety.REGULAR:
        return False
    return terms.variety is not Variety.AUCTION
