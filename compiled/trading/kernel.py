"""The kernel: one function from events to commands, the same in backtest, paper and live.

Inside `handle`, in this order: market state, bars, strategies in configured order, sizing, risk,
order life cycle, ladders and protection, ledger. No clock, no disk, no random number; events carry
their own time. The kernel holds the parts of the desk; each of them owns what it writes.
"""

from typing import final

from mypy_extensions import i64

from compiled.accounting.charges import ChargeRates
from compiled.accounting.ledger import Ledger
from compiled.model.events import (
    AddedInstrument,
    BandUpdate,
    BrokerAnswer,
    BrokerTrade,
    CarriedDivision,
    CashDeposit,
    FeedStatus,
    GttUpdate,
    KernelCommand,
    LimitHalt,
    LimitUpdate,
    OperatorAct,
    OperatorInstruction,
    OrderUpdate,
    PartExit,
    ShareAdoption,
    ShareShortfall,
    StopMove,
    TickBatch,
    TimerEvent,
    WriteOff,
)
from compiled.model.order_terms import DEFAULT_ESCALATION, ExitEscalation
from compiled.model.values import SECOND, Instrument, Product, TradingHours, day_start
from compiled.trading.decision_log import DecisionLog
from compiled.trading.desk_state import DeskState, InstrumentState, StrategyState
from compiled.trading.desk_view import DeskView
from compiled.trading.ladder import Ladder
from compiled.trading.ladder_book import LadderBook
from compiled.trading.market_feed import MarketFeed
from compiled.trading.order_entry import OrderEntry
from compiled.trading.order_store import OrderStore
from compiled.trading.position_acts import PositionActs
from compiled.trading.protection import NO_PRICE, is_idle
from compiled.trading.reports.corrections import BookCorrections
from compiled.trading.reports.gtt_reports import GttReports
from compiled.trading.reports.order_reports import OrderReports
from compiled.trading.reports.share_division import PositionDivisions
from compiled.trading.restart.kept_records import KernelRecords
from compiled.trading.restart.kernel_restore import KernelRestore
from compiled.trading.risk import RiskLimits, halt_reason, stop_reason
from compiled.trading.strategy import ManualRequest, RungAddition, StrategyInstruction
from compiled.trading.strategy_host import StrategyHost


@final
class KernelSetup:
    """The setup of a day: session times (ns), starting cash (paise), limits, tags, spans.

    `grace` (ns) is how long a bar waits for late ticks after its end: stamps are cut to the
    second. `hours` are those of the tokens that do not trade the whole session. `modifies` is how
    often one order may be modified, `exits` how resting ones are escalated. Numbers count on from
    the first free one.
    """

    def __init__(
        self,
        open: i64,
        close: i64,
        cash: i64,
        limits: RiskLimits,
        spans: list[int],
        tag_prefix: str = "P",
        first: i64 = 1,
        grace: i64 = SECOND,
        hours: dict[int, TradingHours] | None = None,
        modifies: i64 = 24,
        exits: ExitEscalation = DEFAULT_ESCALATION,
    ) -> None:
        self.grace = grace
        self.hours: dict[int, TradingHours] = {} if hours is None else hours
        self.modifies = modifies
        self.exits = exits
        self.open = open
        self.close = close
        self.cash = cash
        self.limits = limits
        self.spans = spans
        self.tag_prefix = tag_prefix
        self.first = first


@final
class Kernel:
    """The desk's decisions. `rates` maps `rates_key` to the charges of the day."""

    def __init__(
        self,
        setup: KernelSetup,
        instruments: list[Instrument],
        slots: list[StrategyState],
        rates: dict[int, ChargeRates],
    ) -> None:
        state = DeskState(
            Ledger(setup.cash),
            setup.limits,
            instruments=instruments,
            slots=slots,
            first=setup.first,
            rates=rates,
        )
        out = OrderStore(setup.tag_prefix, setup.first, setup.modifies, setup.exits)
        self.state = state
        self.ledger = state.ledger
        self.limits = state.limits
        self.order_store = out
        self.view = DeskView(state, out)
        self.decisions = DecisionLog(setup.first)
        # In the order of who needs whom: each part is handed the ones before it, and no part
        # reaches back.
        self.ladder_book = LadderBook(state, out)
        self.order_entry = OrderEntry(state, out, self.view, self.ladder_book, self.decisions)
        self.position_acts = PositionActs(state, out, self.ladder_book)
        self.order_reports = OrderReports(state, out, self.ladder_book)
        self.gtt_reports = GttReports(state, out, self.view, self.ladder_book, self.order_reports)
        self.corrections = BookCorrections(state, out, self.ladder_book, self.order_reports)
        self.divisions = PositionDivisions(state, out, self.ladder_book)
        self.strategy_host = StrategyHost(state, out, self.order_entry, setup.grace)
        self.market_feed = MarketFeed(
            state,
            out,
            ladder_book=self.ladder_book,
            order_entry=self.order_entry,
            strategy_host=self.strategy_host,
            spans=setup.spans,
            grace=setup.grace,
        )
        self._begin_hours(setup.open, setup.close, setup.hours)

    def route_entries(self, order_entry: OrderEntry) -> None:
        """Let requests from now on go through another entry than the desk's own."""
        self.order_entry = order_entry
        self.strategy_host.order_entry = order_entry
        self.market_feed.order_entry = order_entry

    def restore(self, records: KernelRecords) -> list[int]:
        """Bring back what earlier runs have kept; return the intents of unknown outcome.

        Nothing has been handled before. Orders that died between intent and answer come back as
        UNKNOWN: they may be at the broker.
        """
        restart = KernelRestore(
            self.state,
            self.order_store,
            decisions=self.decisions,
            ladder_book=self.ladder_book,
            order_reports=self.order_reports,
            divisions=self.divisions,
            records=records,
        )
        return restart.restore_records()

    def begin_session(
        self, open: i64, close: i64, hours: dict[int, TradingHours] | None = None
    ) -> None:
        """Begin another session [open, close), ns UTC: the day's counts start anew.

        They are entries, losses and P&L. `hours` are those of the tokens that do not trade the
        whole of it.
        """
        self._begin_hours(open, close, {} if hours is None else hours)
        self.state.begin_day()

    def reprice(self, rates: dict[int, ChargeRates]) -> None:
        """Charge by other rates from now on."""
        for key, charges in rates.items():
            self.state.rates[key] = charges

    def _begin_hours(self, open: i64, close: i64, hours: dict[int, TradingHours]) -> None:
        """Set every instrument, its bars and its strategies' timers to the hours of the day."""
        state = self.state
        state.open = open
        state.close = close
        state.today = day_start(open)
        bars = self.market_feed.bars
        bars.begin_session(open, close)
        whole = TradingHours(open, close)
        for token, market in state.markets.items():
            market.instrument.hours = hours.get(token, whole)
            if token in hours:
                bars.set_hours(token, hours[token])
        self.strategy_host.begin_session(open, close)

    def digest(self) -> str:
        """Return the hash over every command and fill so far: equal days have equal digests."""
        return self.order_store.digest()

    def handle(self, event: object) -> list[KernelCommand]:
        """Take one event and return its commands, in the order in which they should be done."""
        self.order_store.commands = []
        return self.handle_next(event)

    def handle_next(self, event: object) -> list[KernelCommand]:
        """Take one event as `handle` does, but keep earlier commands in the list.

        The broker's stamps (orders, trades, GTTs) lie in the past and do not move the time.
        """
        out = self.order_store
        if isinstance(event, TickBatch):
            out.advance_time(event.ts)
            self.market_feed.take_ticks(event.ticks)
        elif isinstance(event, TimerEvent):
            out.advance_time(event.ts)
            self._handle_timer()
        elif isinstance(event, FeedStatus):
            out.advance_time(event.ts)
            self.market_feed.apply_feed_status(event)
        elif isinstance(event, BandUpdate):
            out.advance_time(event.ts)
            self.market_feed.apply_band_update(event)
        elif isinstance(event, AddedInstrument):
            out.advance_time(event.ts)
            self._take_up_instrument(event)
        elif isinstance(event, ManualRequest):
            out.advance_time(event.ts)
            self.order_entry.take_manual_request(event)
        elif isinstance(event, OperatorInstruction):
            out.advance_time(event.ts)
            self._handle_instruction(event)
        elif isinstance(event, PartExit):
            out.advance_time(event.ts)
            self.position_acts.leave_part(event)
        elif isinstance(event, StopMove):
            out.advance_time(event.ts)
            self.position_acts.move_stop(event)
        elif isinstance(event, RungAddition):
            out.advance_time(event.ts)
            self.order_entry.add_rung(event)
        elif isinstance(event, LimitUpdate):
            out.advance_time(event.ts)
            self.limits.set_limit(event.name, event.value)
        elif isinstance(event, StrategyInstruction):
            out.advance_time(event.ts)
            self._instruct_strategy(event)
        elif isinstance(event, BrokerAnswer):
            out.advance_time(event.ts)
            self._apply_answer(event)
        # Without moving the time: these carry the broker's stamp, which may be older than what has
        # been decided since.
        elif isinstance(event, OrderUpdate):
            self.order_reports.apply_update(event)
        elif isinstance(event, BrokerTrade):
            self.order_reports.apply_trade(event)
        elif isinstance(event, GttUpdate):
            self.gtt_reports.apply_update(event)
        else:
            self._apply_correction(event)
        return out.commands

    def _take_up_instrument(self, event: AddedInstrument) -> None:
        """Follow one more instrument from here on; no strategy listens to it."""
        instrument = event.instrument
        # What is known keeps its ladders, its bars and its last price.
        if self.state.markets.get(instrument.token) is None:
            instrument.hours = event.hours
            self.state.markets[instrument.token] = InstrumentState(instrument)
            self.market_feed.add_instrument(instrument)

    def _apply_answer(self, event: BrokerAnswer) -> None:
        """Hand an answer to the keeper of its order or GTT."""
        order = self.order_store.orders.get(int(event.intent))
        if order is not None:
            self.order_reports.apply_answer(order, event)
            return
        gtt = self.order_store.gtts.get(int(event.intent))
        if gtt is not None:
            self.gtt_reports.apply_answer(gtt, event)

    def _apply_correction(self, event: object) -> None:
        """Bring the books in line with the broker's.

        The day's P&L counts adopted shares from now on.
        """
        out = self.order_store
        # What is taken over comes at a cost of its own day: its gain until now is not today's.
        before = self.ledger.net
        if isinstance(event, ShareAdoption):
            out.advance_time(event.ts)
            self.corrections.adopt_shares(event)
        elif isinstance(event, WriteOff):
            out.advance_time(event.ts)
            self.corrections.write_off_shares(event)
        elif isinstance(event, ShareShortfall):
            out.advance_time(event.ts)
            self.corrections.note_shortfall(event)
        elif isinstance(event, CarriedDivision):
            out.advance_time(event.ts)
            self.divisions.apply_division(event)
        elif isinstance(event, CashDeposit):
            out.advance_time(event.ts)
            self.ledger.deposit(event.amount)
        self.state.net_at_open += self.ledger.net - before

    def prune(self) -> None:
        """Forget ended orders, for a replay, whose exchange reports every trade only once."""
        self.order_store.prune()
        self.order_reports.applied.clear()
        self.ladder_book.prune()

    # the clock

    def ring_timer(self, ts: i64) -> list[KernelCommand]:
        """Let the clock go off, as a `TimerEvent` does."""
        self.order_store.begin_moment(ts)
        self._handle_timer()
        return self.order_store.commands

    def _handle_timer(self) -> None:
        if self.state.strays or self.state.stray_gtts:
            self.ladder_book.clear_strays()
        self.market_feed.close_bars()
        self.state.clock_idle = False
        self.turn_clock()

    def turn_clock(self) -> None:
        """Do the clock's work: timers of strategies, lacks of rungs, the limits of the day."""
        state = self.state
        now = self.order_store.now
        if state.open <= now < state.close:
            self.strategy_host.ring_timers(now)
        if self.strategy_host.overnight:
            self.strategy_host.decide_overnight()
        if not state.clock_idle:
            state.clock_idle = True
            for ladder in state.ladders.values():
                if not ladder.leaving and (
                    ladder.plan.product is Product.MIS or ladder.instrument.hours.clears
                ):
                    self._square_off_ladder(ladder)
                    state.clock_idle = False
                if not is_idle(ladder, 0.0, NO_PRICE):
                    self.ladder_book.tend_ladder(ladder)
        self._watch_limits()

    def _square_off_ladder(self, ladder: Ladder) -> None:
        if ladder.instrument.hours.squares_off(self.order_store.now):
            what = (
                "positions in what expires today"
                if ladder.instrument.hours.clears
                else "intraday positions"
            )
            self.order_store.alert(
                "info", "square_off", what + " are over for today", ladder.instrument.token
            )
            self.ladder_book.leave_ladder(ladder, "square-off")

    # the operator and the limits

    def _handle_instruction(self, event: OperatorInstruction) -> None:
        if event.act < OperatorAct.READY:
            self.order_store.clear_retry_times()
        if event.act is OperatorAct.READY:
            self.state.ready = True
            self._resume_leaving()
        elif event.act is OperatorAct.HOLD:
            self.state.ready = False
        elif event.act is OperatorAct.COMPARED:
            self.state.is_blind = False
            for ladder in list(self.state.ladders.values()):
                self.ladder_book.tend_ladder(ladder)
        elif event.act is OperatorAct.UNSEEN:
            self.state.is_blind = True
        elif event.act is OperatorAct.RESUME:
            self.state.halted = False
            self.state.flattening = False
        elif event.act is OperatorAct.HALT:
            self._halt_entries()
        elif event.act is OperatorAct.FLATTEN:
            self.state.flattening = True
            self._halt_entries()
            for ladder in self.state.ladders.values():
                self.ladder_book.leave_ladder(ladder, "flatten")
        elif event.act is OperatorAct.EXIT:
            for ladder in self.state.ladders.values():
                if ladder.instrument.token == event.token:
                    self.ladder_book.leave_ladder(
                        ladder, event.reason if event.reason else "operator"
                    )
        elif event.act is OperatorAct.CANCEL:
            order = self.order_store.orders.get(int(event.intent))
            if order is not None:
                self.order_store.cancel_order(order)

    def _instruct_strategy(self, event: StrategyInstruction) -> None:
        self.strategy_host.apply_instruction(event)
        if event.leave:
            for ladder in self.state.ladders.values():
                if ladder.strategy == event.strategy:
                    self.ladder_book.leave_ladder(ladder, "operator")

    def _resume_leaving(self) -> None:
        """Send exits left over from a close, and decide requests that wait for the open."""
        for ladder in self.state.ladders.values():
            if ladder.leaving:
                self.ladder_book.tend_ladder(ladder)
        if self.strategy_host.overnight:
            self.strategy_host.decide_overnight()

    def _halt_entries(self) -> None:
        """Let no entry leave any more, and take back the unfilled ones."""
        self.state.halted = True
        self.order_entry.cancel_entries()

    def _watch_limits(self) -> None:
        net = self.state.day_pnl
        self.state.peak = max(self.state.peak, net)
        if self.state.halted:
            # an entry accepted after the latch closed has its order id only now
            self._halt_entries()
            return
        reason = halt_reason(net, self.state.peak, self.state.losses, self.limits)
        if reason:
            self.order_store.commands.append(LimitHalt(self.order_store.now, reason))
            self._halt_entries()
            return
        for slot in self.state.slots:
            # As above: the broker may not have known the order, or was busy, when it was stopped.
            if slot.hand_stopped:
                self.order_entry.cancel_entries(slot.name)
        if self.limits.by_strategy:
            self._watch_strategies()

    def _watch_strategies(self) -> None:
        """Stop each strategy that has reached a limit of its own.

        It asks no more; its protection stays.
        """
        for slot in self.state.slots:
            if slot.stopped:
                continue
            net = self.ledger.strategy_net(slot.name) - slot.net_at_open
            slot.peak = max(slot.peak, net)
            reason = stop_reason(net, slot.peak, slot.losses, self.limits)
            if reason:
                slot.stopped = reason
                slot.limit_stopped = True
                # Commands are done in their order: no entry fills while the alert is written.
                self.order_entry.cancel_entries(slot.name)
                self.order_store.alert(
                    "alarm", "strategy_stopped", slot.name + " stopped: " + reason
                )
