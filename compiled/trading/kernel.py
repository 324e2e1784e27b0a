"""The kernel: one function from events to commands, the same in backtest, paper and live.

Inside `handle`, in this order: market state, bars, strategies in configured order, sizing, risk,
order life cycle, ladders and protection, ledger. No clock, no disk, no random number; events carry
their own time.
"""

from typing import Final, final

from mypy_extensions import i64

from compiled.accounting.charges import ChargeRates
from compiled.accounting.ledger import Ledger
from compiled.indicators.price import FollowedIndicators
from compiled.market_data.bar_builder import DAY, BarBuilder
from compiled.model.events import (
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
    ShareAdoption,
    ShareShortfall,
    TickBatch,
    TimerEvent,
    WriteOff,
)
from compiled.model.int_map import IntMap
from compiled.model.order_terms import ExitEscalation
from compiled.model.values import (
    SECOND,
    Bar,
    Instrument,
    Product,
    Side,
    Tick,
    TradingHours,
    day_start,
)
from compiled.trading.decision_log import BAR, HAND, TICK, TIMER, DecisionCause
from compiled.trading.ladder import Ladder, RungState, raise_high
from compiled.trading.order_entry import OrderEntry
from compiled.trading.order_store import OrderStore
from compiled.trading.positions import InstrumentState, StrategyState
from compiled.trading.protection import NO_PRICE, is_idle, is_idle_at_any_price
from compiled.trading.risk import RefusalReason, RiskLimits, halt_reason, stop_reason
from compiled.trading.strategy import OPERATOR, Context, ManualRequest, StrategyRequest
from compiled.trading.tick_filter import TickFilter

PRESSED: Final = ExitEscalation()


@final
class KernelSetup:
    """What a day needs: session times (ns), starting cash (paise), limits, first free number, tag prefix, spans.

    `grace` (ns) is how long a bar waits for late ticks after its end: Kite cuts its stamps to the
    second. `hours` are those of the tokens that do not trade the whole session. `modifies` is how
    often one order may be modified, `exits` how those that rest are pressed.
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
        exits: ExitEscalation = PRESSED,
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


def error_text(error: BaseException) -> str:
    """Return what an error is and says, where it says anything.

    Its text may be an error of its own.
    """
    name: str = type(error).__name__
    try:
        return name + ": " + str(error)
    except BaseException:  # noqa: BLE001  see `Kernel.call_bar`
        return name + ": what it says cannot be read"


@final
class OvernightRequest:
    """What a strategy asked for with a day's bar, and why.

    It waits for the instrument's next open.
    """

    def __init__(self, slot: StrategyState, request: StrategyRequest, cause: DecisionCause) -> None:
        self.slot = slot
        self.request = request
        self.cause = cause


@final
class Kernel(OrderEntry):
    """The desk's decisions. `rates` maps 8 * token + product to the charges of the day."""

    def __init__(
        self,
        setup: KernelSetup,
        instruments: list[Instrument],
        slots: list[StrategyState],
        rates: dict[int, ChargeRates],
    ) -> None:
        markets: IntMap[InstrumentState] = IntMap()
        for instrument in instruments:
            markets[instrument.token] = InstrumentState(instrument)
        table: IntMap[ChargeRates] = IntMap()
        for key, charges in rates.items():
            table[key] = charges
        out = OrderStore(setup.tag_prefix, setup.first, setup.modifies, setup.exits)
        super().__init__(out, Ledger(setup.cash), setup.limits, markets, slots, setup.first, table)
        self.open: i64 = 0
        self.close: i64 = 0
        self.today: i64 = 0
        self.grace = setup.grace
        self.bars = BarBuilder(setup.spans)
        self.closed_bars: list[Bar] = []
        self.peak: i64 = 0
        self.net_at_open: i64 = 0
        self.tick_filter: TickFilter | None = None
        """Keeps out what cannot be true, where that has been handed in."""
        self.tick_count: i64 = 0
        self.bar_count: i64 = 0
        self.late_after: i64 = 0
        """How old a packet may be by its stamp before it counts as stale, ns; 0: any age."""
        self.has_timers = any(slot.every > 0 for slot in slots)
        self.overnight: list[OvernightRequest] = []
        for slot in slots:
            for token in slot.tokens:
                self._subscribe_strategy(slot, token)
        self._begin_hours(setup.open, setup.close, setup.hours)

    def begin_session(
        self, open: i64, close: i64, hours: dict[int, TradingHours] | None = None
    ) -> None:
        """Begin another session [open, close), ns UTC: entries, losses and the P&L of the day count anew.

        `hours` are those of the tokens that do not trade the whole of it.
        """
        self._begin_hours(open, close, {} if hours is None else hours)
        self.notes.begin_day()
        self.entry_count = 0
        self.losses = 0
        self.net_at_open = self.ledger.net
        self.peak = 0
        for slot in self.slots:
            slot.net_at_open = self.ledger.strategy_net(slot.name)
            slot.peak = 0
            slot.losses = 0
            if slot.limit_stopped:
                slot.limit_stopped = False
                slot.stopped = ""
        for waiting in self.overnight:
            # between sessions there is no clock: what waits is decided on with the last price
            # before the open
            market = self.markets[waiting.request.token]
            market.heard_at = max(open, market.instrument.hours.opens)

    def reprice(self, rates: dict[int, ChargeRates]) -> None:
        """Charge by other rates from now on."""
        for key, charges in rates.items():
            self.rates[key] = charges

    def _begin_hours(self, open: i64, close: i64, hours: dict[int, TradingHours]) -> None:
        """Let every instrument, its bars and the timers of its strategies keep the hours of the day."""
        self.open = open
        self.close = close
        self.today = day_start(open)
        self.bars.begin_session(open, close)
        whole = TradingHours(open, close)
        for token, market in self.markets.items():
            market.instrument.hours = hours.get(token, whole)
            if token in hours:
                self.bars.set_hours(token, hours[token])
        for slot in self.slots:
            slot.opens = close if slot.tokens else open
            for token in slot.tokens:
                slot.opens = min(slot.opens, self.markets[token].instrument.hours.opens)
            slot.due = slot.opens + self.grace

    def _subscribe_strategy(self, slot: StrategyState, token: int) -> None:
        market = self.markets[token]
        slot.context.instruments[token] = market.instrument
        slot.context.quotes[token] = market
        slot.context.held[token] = []
        market.listeners.append(slot)
        slot.call_count += 1
        try:
            follows = slot.strategy.follow(token)
            if len(follows) > 0:
                slot.follows[token] = FollowedIndicators(follows)
            ticks = slot.strategy.wants_ticks
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop_strategy(slot, error)
            return
        slot.call_count += 1
        if ticks:
            market.tickers.append(slot)
            market.idle_at_any_price = False

    def digest(self) -> str:
        """Return the hash over every command and fill so far: equal days have equal digests."""
        return self.order_store.digest()

    def handle(self, event: object) -> list[KernelCommand]:
        """Take one event and return what it calls for, in the order in which it should be done."""
        self.order_store.commands = []
        return self.handle_next(event)

    def handle_next(self, event: object) -> list[KernelCommand]:
        """Take one event as `handle` does, but leave in the list what was asked for before."""
        if isinstance(event, TickBatch):
            self._advance_time(event.ts)
            ticks = event.ticks
            if self.tick_filter is not None:
                ticks = self.tick_filter.sift_ticks(
                    ticks, self.markets, self.order_store.now, self.today
                )
            for tick in ticks:
                self._handle_tick(tick)
        elif isinstance(event, TimerEvent):
            self._advance_time(event.ts)
            self._handle_timer()
        elif isinstance(event, BrokerAnswer):
            self._advance_time(event.ts)
            self._apply_answer(event)
        elif isinstance(event, OrderUpdate):
            self._apply_order_update(event)
        elif isinstance(event, BrokerTrade):
            self._apply_trade(event)
        elif isinstance(event, GttUpdate):
            self._apply_gtt_update(event)
        elif isinstance(event, OperatorInstruction):
            self._advance_time(event.ts)
            self._handle_instruction(event)
        elif isinstance(event, FeedStatus):
            self._advance_time(event.ts)
            self._apply_feed_status(event)
        elif isinstance(event, ManualRequest):
            self._advance_time(event.ts)
            self._handle_manual_request(event)
        elif isinstance(event, LimitUpdate):
            self._advance_time(event.ts)
            self.limits.set_limit(event.name, event.value)
        elif isinstance(event, BandUpdate):
            self._advance_time(event.ts)
            self._apply_band_update(event)
        else:
            self._apply_correction(event)
        return self.order_store.commands

    def _apply_correction(self, event: object) -> None:
        """Bring the books in line with the broker's.

        The day's P&L counts what was taken on from now on.
        """
        before = self.ledger.net
        if isinstance(event, ShareAdoption):
            self._advance_time(event.ts)
            self._adopt_shares(event)
        elif isinstance(event, WriteOff):
            self._advance_time(event.ts)
            self._write_off_shares(event)
        elif isinstance(event, ShareShortfall):
            self._advance_time(event.ts)
            self._note_shortfall(event)
        elif isinstance(event, CarriedDivision):
            self._advance_time(event.ts)
            self._apply_division(event)
        elif isinstance(event, CashDeposit):
            self._advance_time(event.ts)
            self.ledger.deposit(event.amount)
        self.net_at_open += self.ledger.net - before

    def _advance_time(self, ts: i64) -> None:
        """Move the kernel's time on.

        What the broker stamps lies in the past and does not move it.
        """
        self.order_store.now = max(self.order_store.now, ts)

    def warm_up(self, bars: list[Bar]) -> None:
        """Show stored bars to the strategies, oldest first, before the day begins.

        They cannot ask for anything.

        But with the newest bar of a whole day, before its instrument opens: what they ask then
        waits for that open.
        """
        newest = {int(bar.token): bar for bar in bars if bar.span == DAY}
        for bar in bars:
            market = self.markets.get(int(bar.token))
            if market is None:
                continue
            if market.ltp == 0.0:
                market.last = bar.close
            for slot in market.listeners:
                if slot.span == bar.span and not slot.stopped and slot.step_indicators(bar):
                    # what became cold before the open asks for it, however late its history comes
                    since = market.cold_since if market.cold_since > 0 else self.order_store.now
                    last_day = newest.get(int(bar.token)) is bar
                    slot.context.warming = not (last_day and since < market.instrument.hours.opens)
                    slot.context.now = bar.end
                    self.call_bar(slot, slot.context, bar)

    def set_bound_shares(self, token: int, shares: i64) -> None:
        """Take in how many shares of earlier days lack their authorisation at the depository.

        Freed ones leave at once.
        """
        market = self.markets[token]
        market.instrument.bound = shares
        if shares == 0:
            for ladder in market.ladders:
                for rung in ladder.rungs:
                    rung.retry_at = min(rung.retry_at, self.order_store.now)

    def begin_warmup(self, tokens: list[int]) -> None:
        """Let no strategy hear these instruments, or enter them, before `end_warmup`."""
        for token in tokens:
            market = self.markets[token]
            if not market.is_cold:
                market.is_cold = True
                market.cold_since = self.order_store.now
                market.waiting_listeners = [market.listeners, market.tickers]
                market.listeners = []
                market.tickers = []

    def end_warmup(self, token: int, bars: list[Bar]) -> None:
        """Show a cold instrument's bars to the strategies, oldest first, and let them hear it from here on."""
        market = self.markets[token]
        if market.is_cold:
            market.is_cold = False
            market.listeners = market.waiting_listeners[0]
            market.tickers = market.waiting_listeners[1]
            market.waiting_listeners = []
        self.warm_up(bars)

    # market data

    def _handle_tick(self, tick: Tick) -> None:
        market = self.markets.get(int(tick.token))
        if market is None:
            return
        if not tick.traded_since(self.today):
            self.note_untraded_quote(market, tick.ltp, tick.bid, tick.ask, tick.volume)
            return
        self.update_quote(market, tick.ltp, tick.bid, tick.ask, tick.volume)
        if self.late_after > 0:
            self._update_stamp(market, tick.ts)
        self._build_bars(market, tick.ts, tick.ltp, tick.volume)
        for slot in market.tickers:
            if not slot.stopped:
                self._call_tick(slot, tick)
        if market.ladders and not market.is_late:
            self._follow_price(market)

    def note_untraded_quote(
        self, market: InstrumentState, ltp: float, bid: float, ask: float, volume: i64
    ) -> None:
        """Take in a packet whose last price is of an earlier day.

        It values what is held, and nothing else goes by it.
        """
        self.update_quote(market, ltp, bid, ask, -1)
        market.untraded = True
        if volume == 0:
            if market.bar_block < 0:
                market.bar_block = self.bars.token_block(market.token)
            self.bars.note_untraded(market.bar_block)

    def update_quote(
        self, market: InstrumentState, ltp: float, bid: float, ask: float, volume: i64
    ) -> None:
        """Take in an instrument's prices in rupees (0.0: none) and the day's volume (-1: unknown)."""
        self.tick_count += 1
        market.ltp = ltp
        market.last = ltp
        market.bid = bid
        market.ask = ask
        if volume >= 0:
            market.volume = volume
        market.heard_at = self.order_store.now
        market.live = True
        market.untraded = False
        market.version += 1
        if market.held is not None or market.ladders:
            self._value_holding(market)

    def _update_stamp(self, market: InstrumentState, ts: i64) -> None:
        """Take in the exchange's stamp of a packet.

        What is old by it is no price to enter at, or to move a stop by.
        """
        lag = self.order_store.now - ts
        market.is_late = lag > self.late_after
        if (
            0 < market.stamp < ts
        ):  # not what was sent of an earlier state when the connection was made
            market.lag = lag
        market.stamp = max(market.stamp, ts)

    def feed_lag(self) -> tuple[int, i64]:
        """Return how many instruments the feed is late with, and how late it is with the latest of them (ns)."""
        count = 0
        worst: i64 = 0
        for market in self.markets.values():
            if (
                market.is_late
                and market.lag > self.late_after
                and market.instrument.hours.is_trading(self.order_store.now)
            ):
                count += 1
                worst = max(worst, market.lag)
        return count, worst

    def _value_holding(self, market: InstrumentState) -> None:
        """Value what is held of an instrument at its last price."""
        if market.held is None:
            market.held = self.ledger.held(market.token)
        if market.held is not None:
            self.ledger.revalue(market.held, market.ltp)

    def _build_bars(self, market: InstrumentState, ts: i64, ltp: float, volume: i64) -> None:
        """Make bars of a price, and show those it closes."""
        if market.bar_block < 0:
            market.bar_block = self.bars.token_block(market.token)
        self.bars.add_tick(market.bar_block, ts, ltp, volume)
        self.show_closed_bars()

    def show_closed_bars(self) -> None:
        """Show the bars that have closed to the strategies."""
        if not self.bars.has_closed_bars:
            return
        for bar in self.bars.take_bars():
            self.bar_count += 1
            self.closed_bars.append(bar)
            market = self.markets.get(int(bar.token))
            if market is not None:
                self.show_bar_to_listeners(market, bar)

    def show_bar_to_listeners(self, market: InstrumentState, bar: Bar) -> None:
        """Show a closed bar to the strategies that listen for it."""
        for slot in market.listeners:
            if slot.span == bar.span and not slot.stopped:
                self.show_bar(slot, bar)

    def show_bar(self, slot: StrategyState, bar: Bar) -> bool:
        """Show a closed bar to a strategy; return whether it asked for something, or failed."""
        if not slot.step_indicators(bar):
            return False
        context = slot.context
        context.now = self.order_store.now
        context.warming = False
        return self.call_bar(slot, context, bar)

    # recorded market data (compiled/backtest/bar_loop.py, replay_ticks.py): what ticks and timers
    # do, without an event for each

    def step_bar_price(
        self, ts: i64, market: InstrumentState, ltp: float, volume: i64
    ) -> list[KernelCommand]:
        """Take in one price of a bar's path, as a tick would be.

        The bar itself comes whole, through `show_bar_to_listeners`.
        """
        self.begin_moment(ts)
        self.update_quote(market, ltp, 0.0, 0.0, volume)
        if market.tickers:
            tick = Tick(market.instrument.token, ts, ltp, volume)
            for slot in market.tickers:
                if not slot.stopped:
                    self._call_tick(slot, tick)
        if market.ladders:
            self._follow_price(market)
        return self.order_store.commands

    def step_tick(
        self, ts: i64, market: InstrumentState, ltp: float, bid: float, ask: float, volume: i64
    ) -> list[KernelCommand]:
        """Take in a tick for an instrument whose strategies hear bars only."""
        self.begin_moment(ts)
        self.update_quote(market, ltp, bid, ask, volume)
        self._build_bars(market, ts, ltp, volume)
        if market.ladders:
            if not market.idle_at_any_price:
                market.idle_at_any_price = self.is_idle_at_any_price(market)
            if market.idle_at_any_price:
                for ladder in market.ladders:
                    raise_high(ladder, ltp)
            else:
                self._follow_price(market)
        return self.order_store.commands

    def is_idle_between(self, market: InstrumentState, high: float, low: float) -> bool:
        """Tell whether a bar between these prices calls for nothing on the ladders of an instrument."""
        for ladder in market.ladders:
            if not is_idle(ladder, high, low):
                return False
        return not market.tickers

    def is_idle_at_any_price(self, market: InstrumentState) -> bool:
        """Tell whether no price calls for anything on the ladders of an instrument, until one of them changes."""
        for ladder in market.ladders:
            if not is_idle_at_any_price(ladder):
                return False
        return not market.tickers

    def may_enter(self, market: InstrumentState) -> bool:
        """Tell whether a price of an instrument may bring an entry.

        A rung waits, or a strategy hears ticks.
        """
        for ladder in market.ladders:
            for rung in ladder.rungs:
                if rung.state is RungState.WAITING:
                    return True
        return len(market.tickers) > 0

    def skip_bar_path(
        self,
        ts: i64,
        market: InstrumentState,
        high: float,
        low: float,
        close: float,
        volume: i64,
        points: i64,
    ) -> None:
        """Take in a bar's path, or the last points of it, through which an instrument `is_idle_between`."""
        self.tick_count += points
        market.version += points
        market.ltp = close
        market.last = close
        market.bid = 0.0
        market.ask = 0.0
        market.volume = volume
        market.heard_at = ts
        market.live = True
        if market.held is not None or market.ladders:
            self._value_holding(market)
            for ladder in market.ladders:
                raise_high(ladder, high if ladder.side is Side.BUY else low)

    def ring_timer(self, ts: i64) -> list[KernelCommand]:
        """Let the clock go off, as a `TimerEvent` does."""
        self.begin_moment(ts)
        self._handle_timer()
        return self.order_store.commands

    def begin_moment(self, ts: i64) -> None:
        """Move the kernel's time on, with nothing asked for yet."""
        out = self.order_store
        out.now = max(out.now, ts)
        if out.commands:
            out.commands = []

    def _handle_timer(self) -> None:
        if self.strays or self.stray_gtts:
            self.clear_strays()
        self.bars.advance(self.order_store.now - self.grace)
        self.show_closed_bars()
        self.clock_idle = False
        self.turn_clock()

    def turn_clock(self) -> None:
        """Do what the clock asks for.

        Timers of strategies, what rungs lack, the limits of the day.
        """
        now = self.order_store.now
        if now >= self.open and now < self.close:
            for slot in self.slots:
                if (
                    slot.every > 0
                    and now >= slot.due
                    and not slot.stopped
                    and self._is_trading(slot)
                ):
                    begun = slot.opens + self.grace
                    slot.due = begun + ((now - begun) // slot.every + 1) * slot.every
                    slot.context.now = now
                    slot.context.warming = False
                    self._call_timer(slot, now)
        if self.overnight:
            self._decide_overnight()
        if not self.clock_idle:
            self.clock_idle = True
            for ladder in self.ladders.values():
                if not ladder.leaving and (
                    ladder.plan.product is Product.MIS or ladder.instrument.hours.clears
                ):
                    self._square_off_ladder(ladder)
                    self.clock_idle = False
                if not is_idle(ladder, 0.0, NO_PRICE):
                    self._tend_ladder(ladder)
        self._watch_limits()

    def _decide_overnight(self) -> None:
        """Do what waits for an open, in whatever has opened and has a price of this session."""
        waiting = self.overnight
        self.overnight = []
        for each in waiting:
            market = self.markets[each.request.token]
            hours = market.instrument.hours
            priced = market.live and not market.untraded and market.heard_at >= hours.opens
            if not (self.ready and priced and hours.is_trading(self.order_store.now)):
                self.overnight.append(each)
            elif not each.slot.stopped:
                self._execute_request(each.slot.name, each.request, each.cause)

    def _is_trading(self, slot: StrategyState) -> bool:
        """Tell whether continuous trading is on in something a strategy subscribes to."""
        for token in slot.tokens:
            if self.markets[token].instrument.hours.is_trading(self.order_store.now):
                return True
        return not slot.tokens

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
            self._leave_ladder(ladder, "square-off")

    def _apply_feed_status(self, event: FeedStatus) -> None:
        for market in self.markets.values():
            if event.token == 0 or market.instrument.token == event.token:
                market.live = event.live
                market.stamp = 0
                market.lag = 0

    def _apply_band_update(self, event: BandUpdate) -> None:
        """Keep prices to the band as it stands now, those of stops that stand already included."""
        market = self.markets.get(int(event.token))
        if market is None:
            return
        market.instrument.lower = event.lower
        market.instrument.upper = event.upper
        for ladder in list(market.ladders):
            for rung in ladder.rungs:
                rung.needs_refit = True
            self._tend_ladder(ladder)

    # strategies

    def call_bar(self, slot: StrategyState, context: Context, bar: Bar) -> bool:
        """Show a bar to a strategy at its context's time.

        Return whether it asked for something, or failed.
        """
        slot.call_count += 1
        try:
            slot.strategy.on_bar(context, bar)
        except BaseException as error:  # noqa: BLE001  whatever a strategy raises stops that strategy, never the desk
            self._stop_strategy(slot, error)
            return True
        slot.call_count += 1
        if not context.requests:
            return False
        self._handle_requests(slot, DecisionCause(BAR, bar.token, bar.end, bar.close))
        return True

    def _call_tick(self, slot: StrategyState, tick: Tick) -> None:
        slot.context.now = self.order_store.now
        slot.context.warming = False
        slot.call_count += 1
        try:
            slot.strategy.on_tick(slot.context, tick)
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop_strategy(slot, error)
            return
        slot.call_count += 1
        if slot.context.requests:
            self._handle_requests(slot, DecisionCause(TICK, tick.token, tick.ts, tick.ltp))

    def _call_timer(self, slot: StrategyState, now: i64) -> None:
        slot.call_count += 1
        try:
            slot.strategy.on_timer(slot.context, now)
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop_strategy(slot, error)
            return
        slot.call_count += 1
        if slot.context.requests:
            self._handle_requests(slot, DecisionCause(TIMER, 0, now, 0.0))

    def _stop_strategy(self, slot: StrategyState, error: BaseException) -> None:
        slot.call_count += slot.call_count % 2
        slot.stopped = error_text(error)
        slot.error = error
        slot.context.requests = []
        self.order_store.alert("alarm", "strategy_stopped", slot.name + " stopped: " + slot.stopped)

    def _handle_requests(self, slot: StrategyState, cause: DecisionCause) -> None:
        requests = slot.context.requests
        slot.context.requests = []
        for request in requests:
            slot.signals += 1
            slot.last_signal = request.reason
            market = self.markets.get(request.token)
            if market is None or (slot not in market.listeners and not market.is_cold):
                self._stop_strategy(slot, KeyError(int(request.token)))
                return
            if self.refuse_out_of_bounds(slot.name, market, request, cause):
                continue
            if slot.span == DAY and cause.what == BAR:
                self.overnight.append(OvernightRequest(slot, request, cause))
            elif self.lane is None or not self.lane.try_request(slot, market, request, cause):
                self._execute_request(slot.name, request, cause)

    def _handle_manual_request(self, event: ManualRequest) -> None:
        """Do what the operator asks for, by the same rules as for a strategy."""
        market = self.markets[int(event.request.token)]
        cause = DecisionCause(HAND, market.token, self.order_store.now, market.last)
        if self.refuse_out_of_bounds(OPERATOR, market, event.request, cause):
            event.verdict = RefusalReason.BOUNDS
        else:
            event.verdict = self._execute_request(OPERATOR, event.request, cause)

    def _follow_price(self, market: InstrumentState) -> None:
        ltp = market.ltp
        for ladder in market.ladders if len(market.ladders) == 1 else list(market.ladders):
            raise_high(ladder, ltp)
            if is_idle(ladder, ltp, ltp):
                continue
            if not ladder.leaving and not self.halted:
                waiting = ladder.next_rung(ltp)
                if waiting is not None and self.order_store.now >= waiting.retry_at:
                    self._enter_next_rung(market, ladder, waiting)
            self._tend_ladder(ladder)

    # the operator and the limits

    def _handle_instruction(self, event: OperatorInstruction) -> None:
        if event.act < OperatorAct.READY:
            self.order_store.clear_retry_times()
        if event.act is OperatorAct.READY:
            self.ready = True
            self._resume_leaving()
        elif event.act is OperatorAct.HOLD:
            self.ready = False
        elif event.act is OperatorAct.COMPARED:
            self.is_blind = False
            for ladder in list(self.ladders.values()):
                self._tend_ladder(ladder)
        elif event.act is OperatorAct.UNSEEN:
            self.is_blind = True
        elif event.act is OperatorAct.RESUME:
            self.halted = False
            self.flattening = False
        elif event.act is OperatorAct.HALT:
            self._halt_entries()
        elif event.act is OperatorAct.FLATTEN:
            self.flattening = True
            self._halt_entries()
            for ladder in self.ladders.values():
                self._leave_ladder(ladder, "flatten")
        elif event.act is OperatorAct.EXIT:
            for ladder in self.ladders.values():
                if ladder.instrument.token == event.token:
                    self._leave_ladder(ladder, event.reason if event.reason else "operator")
        elif event.act is OperatorAct.CANCEL:
            order = self.order_store.orders.get(int(event.intent))
            if order is not None:
                self.order_store.cancel_order(order)

    def _resume_leaving(self) -> None:
        """Let what was to leave and could not, after a close, leave now, and decide what waits for the open."""
        for ladder in self.ladders.values():
            if ladder.leaving:
                self._tend_ladder(ladder)
        if self.overnight:
            self._decide_overnight()

    def _watch_limits(self) -> None:
        net = self.ledger.net - self.net_at_open
        self.peak = max(self.peak, net)
        if self.halted:
            # an entry accepted after the latch closed has its order id only now
            self._halt_entries()
            return
        reason = halt_reason(net, self.peak, self.losses, self.limits)
        if reason:
            self.order_store.commands.append(LimitHalt(self.order_store.now, reason))
            self._halt_entries()
        elif self.limits.by_strategy:
            self._watch_strategies()

    def _watch_strategies(self) -> None:
        """Stop each strategy that has reached a limit of its own.

        It asks no more, its protection stays.
        """
        for slot in self.slots:
            if slot.stopped:
                continue
            net = self.ledger.strategy_net(slot.name) - slot.net_at_open
            slot.peak = max(slot.peak, net)
            reason = stop_reason(net, slot.peak, slot.losses, self.limits)
            if reason:
                if self.lane is not None:
                    self.lane.make_ladders()
                slot.stopped = reason
                slot.limit_stopped = True
                self.order_store.alert(
                    "alarm", "strategy_stopped", slot.name + " stopped: " + reason
                )
                for ladder in self.ladders.values():
                    if ladder.strategy == slot.name:
                        self._cancel_entries(ladder)
