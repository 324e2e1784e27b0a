"""The host of the strategies: it shows them bars, ticks and timers, and passes on requests.

An error of a strategy stops that strategy, never the desk.
"""

from typing import final

from mypy_extensions import i64

from compiled.indicators.price import FollowedIndicators
from compiled.market_data.bar_builder import DAY
from compiled.model.int_map import IntMap
from compiled.model.values import SECOND, Bar, Tick
from compiled.trading.decision_log import BAR, HAND, TICK, TIMER, DecisionCause
from compiled.trading.desk_state import DeskState, InstrumentState, StrategyState
from compiled.trading.order_entry import OrderEntry
from compiled.trading.order_store import OrderStore
from compiled.trading.strategy import (
    Context,
    Strategy,
    StrategyAct,
    StrategyInstruction,
    StrategyRequest,
    unknown_token,
)


def error_text(error: BaseException) -> str:
    """Return an error's type and text, where it has one.

    Its text may be an error of its own.
    """
    name: str = type(error).__name__
    try:
        return name + ": " + str(error)
    except BaseException:  # noqa: BLE001  see `StrategyHost.call_bar`
        return name + ": what it says cannot be read"


@final
class OvernightRequest:
    """A strategy's request with a day's bar, and its cause.

    It waits for the instrument's next open.
    """

    def __init__(self, slot: StrategyState, request: StrategyRequest, cause: DecisionCause) -> None:
        self.slot = slot
        self.request = request
        self.cause = cause


@final
class StrategyHost:
    """Calls the strategies in their configured order.

    `grace` (ns) is how long their timers wait after the open.
    """

    def __init__(
        self, state: DeskState, out: OrderStore, order_entry: OrderEntry, grace: i64
    ) -> None:
        self.state = state
        self.order_store = out
        self.order_entry = order_entry
        self.grace = grace
        self.has_timers = any(slot.every > 0 for slot in state.slots)
        self.overnight: list[OvernightRequest] = []
        for slot in state.slots:
            for token in slot.tokens:
                self.subscribe(slot, token)

    def begin_session(self, open: i64, close: i64) -> None:
        """Let timers begin with the first instrument that a strategy listens to."""
        for slot in self.state.slots:
            slot.opens = close if slot.tokens else open
            for token in slot.tokens:
                slot.opens = min(slot.opens, self.state.markets[token].instrument.hours.opens)
            slot.due = slot.opens + self.grace
        for waiting in self.overnight:
            # between sessions there is no clock: what waits is decided on with the last price
            # before the open
            market = self.state.markets[waiting.request.token]
            market.heard_at = max(open, market.instrument.hours.opens)

    def ring_timers(self, now: i64) -> None:
        """Call the strategies whose timer is due, while an instrument of theirs trades."""
        for slot in self.state.slots:
            if slot.every > 0 and now >= slot.due and not slot.stopped and self._is_trading(slot):
                self._set_timer(slot, now)
                slot.context.now = now
                slot.context.warming = False
                self._call_timer(slot, now)

    def _set_timer(self, slot: StrategyState, now: i64) -> None:
        """Let a strategy's timer ring next at the first of its beats after `now`."""
        begun = slot.opens + self.grace
        slot.due = begun if now < begun else begun + ((now - begun) // slot.every + 1) * slot.every

    def subscribe(self, slot: StrategyState, token: int) -> None:
        """Subscribe a strategy to an instrument, and ask it for its indicators there."""
        market = self.state.markets[token]
        slot.context.instruments[token] = market.instrument
        slot.context.quotes[token] = market
        slot.context.holdings.expect(token)
        market.listeners.append(slot)
        self._follow_instrument(slot, token, market)

    def _follow_instrument(self, slot: StrategyState, token: int, market: InstrumentState) -> None:
        """Ask a strategy for its indicators on an instrument, and whether it wants ticks."""
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
            # A cold instrument's lists are put away until its history is there.
            tickers = market.waiting_listeners[1] if market.is_cold else market.tickers
            tickers.append(slot)
            market.wake()

    # the operator's acts

    def apply_instruction(self, event: StrategyInstruction) -> None:
        """Stop a strategy, start it, or give it other parameters; an unknown one is let be."""
        for slot in self.state.slots:
            if slot.name == event.strategy:
                self._instruct_strategy(slot, event)

    def _instruct_strategy(self, slot: StrategyState, event: StrategyInstruction) -> None:
        made = event.made
        if event.act is StrategyAct.STOP:
            self._end_by_hand(slot, event.reason)
        elif event.act is StrategyAct.START:
            if made is not None:
                self._begin_anew(slot, made, event.bars)
                self._call_start(slot)
        # One that stands begins with them when it is started.
        elif not slot.stopped:
            event.taken = self._call_parameters(slot, event.parameters)
            if not event.taken and not slot.stopped and made is not None:
                self._begin_anew(slot, made, event.bars)

    def _end_by_hand(self, slot: StrategyState, reason: str) -> None:
        ran = slot.stopped == ""
        # Before it hears of it: what it asks for then passes the gate as one that is stopped.
        slot.hand_stopped = True
        slot.stopped = reason if slot.error is None else slot.stopped
        # What waits for the open was asked for by a strategy that enters no more.
        self._drop_overnight(slot)
        self.order_entry.cancel_entries(slot.name)
        if ran:
            self._call_stop(slot, reason)

    def _begin_anew(self, slot: StrategyState, made: Strategy, bars: list[Bar]) -> None:
        """Put a strategy made anew in the place of one, and show it its past.

        What it holds stays its own.
        """
        slot.strategy = made
        slot.every = made.every * SECOND
        slot.stopped = ""
        slot.error = None
        slot.limit_stopped = False
        slot.hand_stopped = False
        slot.context.requests = []
        slot.follows = IntMap()
        self._drop_overnight(slot)
        if slot.every > 0:
            self.has_timers = True
            self._set_timer(slot, self.order_store.now)
        for token in slot.tokens:
            market = self.state.markets[token]
            tickers = market.waiting_listeners[1] if market.is_cold else market.tickers
            if slot in tickers:
                tickers.remove(slot)
            self._follow_instrument(slot, token, market)
        # Of the past it can ask for nothing, not even with the last bar of a day.
        slot.context.warming = True
        for bar in bars:
            if slot.span == bar.span and not slot.stopped and slot.step_indicators(bar):
                slot.context.now = bar.end
                self.call_bar(slot, slot.context, bar)

    def _drop_overnight(self, slot: StrategyState) -> None:
        """Forget what a strategy has asked for with its last day's bar and not got yet."""
        self.overnight = [each for each in self.overnight if each.slot is not slot]

    def _call_start(self, slot: StrategyState) -> None:
        if slot.stopped:
            return
        self._set_present(slot)
        slot.call_count += 1
        try:
            slot.strategy.on_start(slot.context)
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop_strategy(slot, error)
            return
        slot.call_count += 1
        self._handle_requests(slot, DecisionCause(HAND, 0, self.order_store.now, 0.0))

    def _call_stop(self, slot: StrategyState, reason: str) -> None:
        self._set_present(slot)
        slot.call_count += 1
        try:
            slot.strategy.on_stop(slot.context, reason)
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop_strategy(slot, error)
            return
        slot.call_count += 1
        self._handle_requests(slot, DecisionCause(HAND, 0, self.order_store.now, 0.0))

    def _call_parameters(self, slot: StrategyState, parameters: object) -> bool:
        self._set_present(slot)
        slot.call_count += 1
        try:
            taken = slot.strategy.on_parameters(slot.context, parameters)
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop_strategy(slot, error)
            return False
        slot.call_count += 1
        self._handle_requests(slot, DecisionCause(HAND, 0, self.order_store.now, 0.0))
        return taken

    def _set_present(self, slot: StrategyState) -> None:
        slot.context.now = self.order_store.now
        slot.context.warming = False

    # history

    def warm_up(self, bars: list[Bar]) -> None:
        """Show stored bars to the strategies, oldest first, before the day begins.

        They cannot ask for anything, but with the newest bar of a whole day, before its instrument
        opens: such a request waits for that open.
        """
        newest = {int(bar.token): bar for bar in bars if bar.span == DAY}
        for bar in bars:
            market = self.state.markets.get(int(bar.token))
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

    def begin_warmup(self, tokens: list[int]) -> None:
        """Keep these instruments from strategies and entries before `end_warmup`."""
        for token in tokens:
            market = self.state.markets[token]
            if not market.is_cold:
                market.is_cold = True
                market.cold_since = self.order_store.now
                market.waiting_listeners = [market.listeners, market.tickers]
                market.listeners = []
                market.tickers = []

    def end_warmup(self, token: int, bars: list[Bar]) -> None:
        """Show a cold instrument's bars to the strategies, and let it trade from here on."""
        market = self.state.markets[token]
        if market.is_cold:
            market.is_cold = False
            market.listeners = market.waiting_listeners[0]
            market.tickers = market.waiting_listeners[1]
            market.waiting_listeners = []
        self.warm_up(bars)

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

    def call_bar(self, slot: StrategyState, context: Context, bar: Bar) -> bool:
        """Show a bar to a strategy at its context's time.

        Return whether it asked for something, or failed.
        """
        # Odd while it is at work: a watchdog in another thread tells by it whether one hangs.
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

    def call_tick(self, slot: StrategyState, tick: Tick) -> None:
        """Show a tick to a strategy."""
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
        self.order_store.alert("alarm", "strategy_stopped", slot.name + " stopped: " + slot.stopped)

    def _handle_requests(self, slot: StrategyState, cause: DecisionCause) -> None:
        requests = slot.context.requests
        slot.context.requests = []
        for request in requests:
            slot.signals += 1
            slot.last_signal = request.reason
            market = self.state.markets.get(request.token)
            # A token it does not listen to is a fault of the strategy, not a refusal of the market.
            if market is None or (slot not in market.listeners and not market.is_cold):
                self._stop_strategy(slot, unknown_token(slot.name, request.token))
                return
            if self.order_entry.refuse_out_of_bounds(slot.name, market, request, cause):
                continue
            if slot.span == DAY and cause.what == BAR:
                self.overnight.append(OvernightRequest(slot, request, cause))
            else:
                self.order_entry.execute_request(slot.name, request, cause)

    def decide_overnight(self) -> None:
        """Decide requests that wait for an open, where an instrument has opened and has a price."""
        waiting = self.overnight
        self.overnight = []
        for each in waiting:
            market = self.state.markets[each.request.token]
            hours = market.instrument.hours
            priced = market.live and not market.untraded and market.heard_at >= hours.opens
            if not (self.state.ready and priced and hours.is_trading(self.order_store.now)):
                self.overnight.append(each)
            elif not each.slot.stopped:
                self.order_entry.execute_request(each.slot.name, each.request, each.cause)

    def _is_trading(self, slot: StrategyState) -> bool:
        """Return whether an instrument of a strategy is in continuous trading."""
        for token in slot.tokens:
            if self.state.markets[token].instrument.hours.is_trading(self.order_store.now):
                return True
        return not slot.tokens
