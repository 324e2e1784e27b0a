"""Entries: the verdict of sizing, risk and order terms, and the orders that follow.

Nothing but this layer sends an entry or changes one; a refusal has a reason code, and is reported.
"""

from typing import Final

from mypy_extensions import i64

from compiled.model.order_terms import OrderChange
from compiled.model.values import (
    MINUTE,
    SECOND,
    Order,
    OrderPurpose,
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
from compiled.trading.desk_state import DeskState, InstrumentState
from compiled.trading.desk_view import DeskView
from compiled.trading.ladder import (
    Ladder,
    LadderPlan,
    Rung,
    RungPlan,
    RungState,
    stop_at,
)
from compiled.trading.ladder_book import LadderBook
from compiled.trading.order_store import OrderStore
from compiled.trading.request_bounds import change_out_of_bounds, plan_out_of_bounds
from compiled.trading.risk import (
    RefusalReason,
)
from compiled.trading.risk_gate import (
    change_verdict,
    entry_plan_of,
    entry_quantity,
    entry_verdict,
    reckoned_price,
)
from compiled.trading.strategy import OPERATOR, ManualRequest, RungAddition, StrategyRequest

ENTRY_RETRY_SECONDS: Final = 30
"""How long a rung whose entry was refused waits before it is tried again."""
NO_PLAN: Final = LadderPlan([], 0)


class OrderEntry:
    """Opens ladders, enters rungs and alters orders, where the risk gate lets it."""

    def __init__(
        self,
        state: DeskState,
        out: OrderStore,
        view: DeskView,
        ladder_book: LadderBook,
        decisions: DecisionLog,
    ) -> None:
        self.state = state
        self.order_store = out
        self.view = view
        self.ladder_book = ladder_book
        self.decisions = decisions

    def refuse_out_of_bounds(
        self, strategy: str, market: InstrumentState, request: StrategyRequest, cause: DecisionCause
    ) -> bool:
        """Refuse a request with an impossible number, before anything is made of it.

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
        # No ladder is made of a plan whose numbers may leave 63 bits; the record needs only a name.
        blank = Ladder(self.state.next_number, strategy, market.instrument, request.side, NO_PLAN)
        decision = self.decisions.make(self.order_store.now, kind, blank, cause, request.reason)
        if self._record_refusal(decision, market, RefusalReason.BOUNDS):
            decision.detail = fault
        return True

    def execute_request(
        self, strategy: str, request: StrategyRequest, cause: DecisionCause
    ) -> RefusalReason:
        """Carry out a request of a strategy or the operator; return why not, or OK."""
        market = self.state.markets[int(request.token)]
        order = request.order
        if request.plan is not None:
            return self._open_ladder(strategy, market, request, request.plan, cause)
        if order is not None:
            return self._alter_order(strategy, market, order, request.change, cause)
        for ladder in list(market.ladders):
            if ladder.strategy == strategy:
                self._exit_ladder(market, ladder, request.reason, cause)
        return RefusalReason.OK

    def take_manual_request(self, event: ManualRequest) -> None:
        """Carry out the operator's request, by the same rules as a strategy's."""
        market = self.state.markets[int(event.request.token)]
        cause = DecisionCause(HAND, market.token, self.order_store.now, market.last)
        if self.refuse_out_of_bounds(OPERATOR, market, event.request, cause):
            event.verdict = RefusalReason.BOUNDS
        else:
            event.verdict = self.execute_request(OPERATOR, event.request, cause)

    def _exit_ladder(
        self, market: InstrumentState, ladder: Ladder, reason: str, cause: DecisionCause
    ) -> None:
        if not ladder.leaving:
            decision = self.decisions.make(self.order_store.now, EXIT, ladder, cause, reason)
            decision.ladder = ladder.ladder_id
            decision.price = market.ltp
            self.decisions.keep(decision)
        self.ladder_book.leave_ladder(ladder, "exit: " + reason if reason else "exit")

    # entries

    def draft_ladder(self, strategy: str, request: StrategyRequest, plan: LadderPlan) -> Ladder:
        """Return the ladder that a request asks for, not followed yet."""
        market = self.state.markets[int(request.token)]
        number = self.state.next_number
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
        # A signal repeated while in position would pile up; whoever adds by hand means it.
        if strategy != OPERATOR:
            for held in market.ladders:
                if held.strategy == strategy:
                    self._record_refusal(decision, market, RefusalReason.DUPLICATE)
                    return RefusalReason.DUPLICATE
            for order in self.state.dry_run_entries:
                if order.strategy == strategy and order.token == market.token:
                    self._record_refusal(decision, market, RefusalReason.DUPLICATE)
                    return RefusalReason.DUPLICATE
        reason = self._enter_rung(market, ladder, ladder.rungs[0], decision)
        # Numbers are taken only now: a request that is refused leaves no gap.
        if reason is RefusalReason.OK:
            self.state.next_number += len(plan.rungs) + 1
            self.ladder_book.follow_ladder(ladder)
        return reason

    def decline_request(
        self,
        strategy: str,
        request: StrategyRequest,
        plan: LadderPlan,
        cause: DecisionCause,
        reason: RefusalReason,
    ) -> None:
        """Refuse a strategy's request."""
        ladder = self.draft_ladder(strategy, request, plan)
        decision = self.decisions.make(self.order_store.now, ENTER, ladder, cause, request.reason)
        self._record_refusal(decision, self.state.markets[request.token], reason)

    def enter_next_rung(self, market: InstrumentState, ladder: Ladder, rung: Rung) -> None:
        """Decide on a rung whose trigger the last price has reached."""
        now = self.order_store.now
        reason = f"P{rung.number} at {rung.plan.trigger_percent:.2f} % up"
        cause = DecisionCause(TICK, market.token, now, market.ltp)
        decision = self.decisions.make(now, RUNG, ladder, cause, reason)
        decision.ladder = ladder.ladder_id
        decision.rung = rung.rung_id
        self._enter_rung(market, ladder, rung, decision)

    def add_rung(self, event: RungAddition) -> None:
        """Enter one more rung of an open ladder by hand, at the market, where the gate lets it.

        It stands under the rules of the ladder; the rungs that its plan waits for go on waiting.
        """
        now = self.order_store.now
        ladder = self.state.ladders.get(int(event.ladder))
        if ladder is None or not ladder.open or ladder.leaving or ladder.plan.cover:
            event.verdict = RefusalReason.NOT_WORKING
            return
        market = self.state.markets[int(ladder.instrument.token)]
        above = ladder.rungs[len(ladder.rungs) - 1].plan
        percent = event.stop_percent if event.stop_percent >= 0.0 else above.stop_percent
        plan = RungPlan(0.0, percent, above.target_percent, event.quantity)
        plans = [*ladder.plan.rungs, plan]
        number = len(ladder.rungs) + 1
        rung = Rung(self.state.next_number, ladder.ladder_id, number, plan)
        cause = DecisionCause(HAND, market.token, now, market.last)
        decision = self.decisions.make(now, RUNG, ladder, cause, "P" + str(number) + " by hand")
        decision.ladder = ladder.ladder_id
        event.detail = plan_out_of_bounds(ladder.plan.with_rungs(plans))
        if event.detail:
            event.verdict = RefusalReason.BOUNDS
            self._record_refusal(decision, market, RefusalReason.BOUNDS)
            return
        # The ladder grows only once the entry is under way: what is refused leaves no rung behind.
        event.verdict = self._enter_rung(market, ladder, rung, decision)
        if event.verdict is not RefusalReason.OK:
            event.detail = self._explain_refusal(market, ladder, decision, event.verdict)
            return
        event.order = rung.entry
        ladder.plan = ladder.plan.with_rungs(plans)
        ladder.rungs.append(rung)
        self.ladder_book.follow_ladder(ladder)

    def _enter_rung(
        self, market: InstrumentState, ladder: Ladder, rung: Rung, decision: DecisionRecord
    ) -> RefusalReason:
        """Send the entry of a rung if sizing and risk allow it; return why not, or OK."""
        entry = entry_plan_of(ladder, rung)
        decision.quantity = entry_quantity(market, ladder, rung)
        decision.price = reckoned_price(entry, market)
        reason = entry_verdict(self.view, market, ladder, rung)
        if reason is not RefusalReason.OK:
            # The figures cost a look at all positions: only a refusal that is reported gets them.
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
            side=ladder.side,
            quantity=decision.quantity,
            order_type=entry.order_type,
            product=ladder.plan.product,
            purpose=OrderPurpose.ENTRY,
            rung=rung.rung_id,
            price=entry.price,
            trigger=trigger,
            validity=entry.validity,
            protection=entry.protection,
            terms=entry.terms,
        )
        decision.ladder = ladder.ladder_id
        decision.rung = rung.rung_id
        decision.intent = rung.entry.intent
        self.decisions.keep(decision)
        rung.state = RungState.ENTERING
        self.state.entry_count += 1
        self.note_entry(ladder.strategy)
        self.state.changed_rungs[rung.rung_id] = rung
        return RefusalReason.OK

    def _explain_refusal(
        self,
        market: InstrumentState,
        ladder: Ladder,
        decision: DecisionRecord,
        reason: RefusalReason,
    ) -> str:
        if reason is RefusalReason.STOP_DISTANCE and not ladder.plan.resting:
            least = self.order_store.trigger_distance.least(decision.price)
            return f"a GTT stands more than ₹{least:.3f} from ₹{decision.price:.2f}"
        if reason is RefusalReason.STRATEGY_STOPPED:
            for slot in self.state.slots:
                if slot.name == ladder.strategy:
                    return slot.stopped
        if reason is RefusalReason.GTTS:
            needed = self.view.gtts_needed()
            return f"{needed} of {self.order_store.most_gtts} GTTs stand, or are on their way"
        heard = market.stamp if market.is_late else market.heard_at
        silent: i64 = self.order_store.now - heard if market.heard_at > 0 else -1
        return explain_refusal(
            reason,
            market.instrument,
            decision=decision,
            limits=self.state.limits,
            usage=self.view.limit_usage(ladder),
            silent=silent,
        )

    def refusal_figures(
        self, market: InstrumentState, ladder: Ladder, reason: RefusalReason
    ) -> str:
        """Return the figure and the limit that refuse a ladder's first rung, empty without any."""
        rung = ladder.rungs[0]
        cause = DecisionCause(HAND, market.token, self.order_store.now, market.last)
        decision = self.decisions.make(self.order_store.now, ENTER, ladder, cause, "")
        decision.quantity = entry_quantity(market, ladder, rung)
        decision.price = reckoned_price(entry_plan_of(ladder, rung), market)
        return self._explain_refusal(market, ladder, decision, reason)

    def cancel_entries(self, strategy: str = "") -> None:
        """Cancel the entries of a strategy that have not filled, or of all where none is named."""
        self.ladder_book.cancel_entries(strategy)

    def note_entry(self, strategy: str) -> None:
        """Remember when an entry left, where entries in a minute are limited."""
        if self.state.limits.max_orders_per_minute > 0:
            for slot in self.state.slots:
                if slot.name == strategy:
                    # Older ones are dropped on the way, or the list would grow with the day.
                    since = self.order_store.now - MINUTE
                    slot.entry_times = [ts for ts in slot.entry_times if ts > since]
                    slot.entry_times.append(self.order_store.now)

    def _record_refusal(
        self, decision: DecisionRecord, market: InstrumentState, reason: RefusalReason
    ) -> bool:
        """Count a refusal; report it once a minute per strategy, instrument and reason.

        Return whether it was reported.
        """
        self.state.refusal_count += 1
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

        A strategy may change its own entries only, the operator any of ours.
        """
        rung = self.state.rungs.get(int(order.rung))
        # Stops and exits are the desk's own: a strategy could leave its position bare by them.
        mine = strategy == OPERATOR or (
            order.strategy == strategy and order.purpose is OrderPurpose.ENTRY
        )
        if rung is None or not mine:
            self.state.refusal_count += 1
            return RefusalReason.NOT_WORKING
        ladder = self.state.owners[int(rung.ladder_id)]
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
        reason = change_verdict(self.view, market, ladder, order, change)
        if reason is RefusalReason.OK and not self.order_store.modify_order(order, change):
            return RefusalReason.MODIFICATIONS
        return reason
