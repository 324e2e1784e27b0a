"""The kernel: one function from events to commands, the same in backtest, paper and live.

Inside `handle`, in this order: market state, bars, strategies in configured order, sizing, risk, order life cycle,
ladders and protection, ledger. No clock, no disk, no random number; events carry their own time.
"""

from typing import Final, final

from mypy_extensions import i64

from compiled.bars import Bars
from compiled.charges import Rates, order_charges
from compiled.events import (
    Act,
    Answer,
    Command,
    FeedStatus,
    GttUpdate,
    Halt,
    Operate,
    OrderUpdate,
    Outcome,
    Ticks,
    Timer,
    Trade,
    Verb,
)
from compiled.ladder import Ladder, LadderPlan, Rung, RungState, raise_high
from compiled.ledger import Ledger, Position
from compiled.model import (
    MINUTE,
    SECOND,
    Bar,
    Gtt,
    GttStatus,
    Instrument,
    Order,
    OrderStatus,
    OrderType,
    Product,
    Purpose,
    Side,
    Tick,
    paise,
)
from compiled.orders import apply, move
from compiled.outbox import Fill, Outbox
from compiled.protection import NO_PRICE, confirm, idle, leave, tend, triggered_by
from compiled.risk import Limits, Reason, Usage, check_order, check_usage, halting, size
from compiled.strategy import Context, Quote, Request, Strategy

REFUSALS_BEFORE_LEAVING: Final = 3
ENTRY_RETRY_SECONDS: Final = 30
"""How long a rung whose entry was refused waits before it is tried again."""


@final
class Market(Quote):
    """What the kernel knows of one instrument: last price, best bid and ask, when it last heard of it."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__()
        self.instrument = instrument
        self.ltp = 0.0
        self.bid = 0.0
        self.ask = 0.0
        self.volume: i64 = 0
        self.heard: i64 = 0
        self.live = True
        self.version: i64 = 0
        self.held: list[Position] | None = None
        self.ladders: list[Ladder] = []
        self.listeners: list[Slot] = []
        self.tickers: list[Slot] = []


@final
class Slot:
    """One strategy as the kernel runs it."""

    def __init__(self, strategy: Strategy, tokens: list[int]) -> None:
        self.strategy = strategy
        self.name: str = strategy.name
        self.span: i64 = strategy.span
        self.every: i64 = strategy.every * SECOND
        self.tokens = tokens
        self.context = Context(strategy.name)
        self.due: i64 = 0
        self.stopped = ""
        self.signals: i64 = 0
        self.last_signal = ""


@final
class Setup:
    """What a day needs: session times (ns), starting cash (paise), limits, first free number, tag prefix, spans.

    `grace` (ns) is how long a bar waits for late ticks after its end: Kite cuts its stamps to the second.
    """

    def __init__(
        self,
        open: i64,
        close: i64,
        cash: i64,
        limits: Limits,
        spans: list[int],
        tag_prefix: str = "P",
        first: i64 = 1,
        grace: i64 = SECOND,
    ) -> None:
        self.grace = grace
        self.open = open
        self.close = close
        self.cash = cash
        self.limits = limits
        self.spans = spans
        self.tag_prefix = tag_prefix
        self.first = first


@final
class Kernel:
    """The desk's decisions. `rates` maps 8 * token + product to the charges of the day."""

    def __init__(self, setup: Setup, instruments: list[Instrument], slots: list[Slot], rates: dict[int, Rates]) -> None:
        self.open = setup.open
        self.close = setup.close
        self.grace = setup.grace
        self.limits = setup.limits
        self.rates = rates
        self.out = Outbox(setup.tag_prefix, setup.first)
        self.ledger = Ledger(setup.cash)
        self.out.open = setup.open
        self.out.close = setup.close
        self.bars = Bars(setup.spans)
        self.bars.session(setup.open, setup.close)
        self.markets: dict[int, Market] = {int(i.token): Market(i) for i in instruments}
        self.slots = slots
        self.ladders: dict[int, Ladder] = {}
        self.owners: dict[int, Ladder] = {}
        self.rungs: dict[int, Rung] = {}
        self.changed_rungs: dict[int, Rung] = {}
        self.changed_ladders: dict[int, Ladder] = {}
        self.closed_bars: list[Bar] = []
        self.applied: set[str] = set()
        self.orphans: dict[str, list[Trade]] = {}
        self.externals: dict[str, OrderUpdate] = {}
        self.next_number: i64 = setup.first
        self.ready = False
        self.halted = False
        self.flattening = False
        self.peak: i64 = 0
        self.before: i64 = 0
        self.losses: i64 = 0
        self.entries: i64 = 0
        self.refused: i64 = 0
        self.ticks: i64 = 0
        self.bar_count: i64 = 0
        self.round_trips: i64 = 0
        self.reserved: i64 = 0
        self._refusals: dict[str, i64] = {}
        for slot in slots:
            slot.due = self.open + self.grace
            for token in slot.tokens:
                self._subscribe(slot, token)

    def session(self, open: i64, close: i64) -> None:
        """Begin another session [open, close), ns UTC: entries, losses and the P&L of the day count anew."""
        self.open = open
        self.close = close
        self.out.open = open
        self.out.close = close
        self.bars.session(open, close)
        self.entries = 0
        self.losses = 0
        self.before = self.ledger.net
        self.peak = 0
        for slot in self.slots:
            slot.due = open + self.grace

    def _subscribe(self, slot: Slot, token: int) -> None:
        market = self.markets[token]
        slot.context.instruments[token] = market.instrument
        slot.context.quotes[token] = market
        slot.context.held[token] = []
        market.listeners.append(slot)
        if slot.strategy.wants_ticks:
            market.tickers.append(slot)

    def digest(self) -> str:
        """Return the hash over every command and fill so far: equal days have equal digests."""
        return self.out.digest()

    def handle(self, event: object) -> list[Command]:
        """Take one event and return what it calls for, in the order in which it should be done."""
        out = self.out
        out.commands = []
        if isinstance(event, Ticks):
            self._at(event.ts)
            for tick in event.ticks:
                self._tick(tick)
        elif isinstance(event, Timer):
            self._at(event.ts)
            self._timer()
        elif isinstance(event, Answer):
            self._at(event.ts)
            self._answer(event)
        elif isinstance(event, OrderUpdate):
            self._order_update(event)
        elif isinstance(event, Trade):
            self._trade(event)
        elif isinstance(event, GttUpdate):
            self._gtt_update(event)
        elif isinstance(event, Operate):
            self._at(event.ts)
            self._operate(event)
        elif isinstance(event, FeedStatus):
            self._at(event.ts)
            self._feed_status(event)
        return out.commands

    def _at(self, ts: i64) -> None:
        """Move the kernel's time on; what the broker stamps lies in the past and does not move it."""
        self.out.now = max(self.out.now, ts)

    def warm(self, bars: list[Bar]) -> None:
        """Show stored bars to the strategies, oldest first, before the day begins; they cannot ask for anything."""
        for bar in bars:
            market = self.markets.get(int(bar.token))
            if market is None:
                continue
            if market.ltp == 0.0:
                market.last = bar.close
            for slot in market.listeners:
                if slot.span == bar.span and not slot.stopped:
                    slot.context.warming = True
                    slot.context.now = bar.end
                    self._call_bar(slot, bar)

    # market data

    def _tick(self, tick: Tick) -> None:
        market = self.markets.get(int(tick.token))
        if market is None:
            return
        self.quote(market, tick.ltp, tick.bid, tick.ask, tick.volume)
        self.bars.update(tick.token, tick.ts, tick.ltp, tick.volume)
        self.take_bars()
        for slot in market.tickers:
            if not slot.stopped:
                self._call_tick(slot, tick)
        if market.ladders:
            self._follow(market)

    def quote(self, market: Market, ltp: float, bid: float, ask: float, volume: i64) -> None:
        """Take in an instrument's prices in rupees (0.0: none) and the day's volume (-1: unknown)."""
        self.ticks += 1
        market.ltp = ltp
        market.last = ltp
        market.bid = bid
        market.ask = ask
        if volume >= 0:
            market.volume = volume
        market.heard = self.out.now
        market.live = True
        market.version += 1
        if market.held is None and market.ladders:
            market.held = self.ledger.held(market.instrument.token)
        if market.held is not None:
            self.ledger.revalue(market.held, ltp)

    def take_bars(self) -> None:
        """Show the bars that have closed to the strategies."""
        if not self.bars.waiting:
            return
        for bar in self.bars.take():
            self.bar_count += 1
            self.closed_bars.append(bar)
            market = self.markets.get(int(bar.token))
            if market is not None:
                self.hear(market, bar)

    def hear(self, market: Market, bar: Bar) -> None:
        """Show a closed bar to the strategies that listen for it."""
        for slot in market.listeners:
            if slot.span == bar.span and not slot.stopped:
                slot.context.now = self.out.now
                slot.context.warming = False
                self._call_bar(slot, bar)

    # recorded market data (compiled/replay.py): what ticks and timers do, without an event for each

    def step(self, ts: i64, market: Market, ltp: float, volume: i64) -> list[Command]:
        """Take in one price of a bar's path, as a tick would be; the bar itself comes whole, through `hear`."""
        self.begin(ts)
        self.quote(market, ltp, 0.0, 0.0, volume)
        if market.tickers:
            tick = Tick(market.instrument.token, ts, ltp, volume)
            for slot in market.tickers:
                if not slot.stopped:
                    self._call_tick(slot, tick)
        if market.ladders:
            self._follow(market)
        return self.out.commands

    def print(self, ts: i64, market: Market, ltp: float, bid: float, ask: float, volume: i64) -> list[Command]:
        """Take in a tick for an instrument whose strategies hear bars only."""
        self.begin(ts)
        self.quote(market, ltp, bid, ask, volume)
        self.bars.update(market.instrument.token, ts, ltp, volume)
        self.take_bars()
        if market.ladders:
            self._follow(market)
        return self.out.commands

    def sleeps(self, market: Market, high: float, low: float) -> bool:
        """Tell whether a bar between these prices calls for nothing on the ladders of an instrument."""
        for ladder in market.ladders:
            if not idle(ladder, high, low):
                return False
        return not market.tickers

    def climbs(self, market: Market) -> bool:
        """Tell whether a price of an instrument may bring an entry: a rung waits, or a strategy hears ticks."""
        for ladder in market.ladders:
            for rung in ladder.rungs:
                if rung.state is RungState.WAITING:
                    return True
        return len(market.tickers) > 0

    def skip(self, ts: i64, market: Market, high: float, low: float, close: float, volume: i64) -> None:
        """Take in a bar's path of four prices through which an instrument `sleeps`."""
        self.ticks += 3
        market.version += 3
        self.quote(market, close, 0.0, 0.0, volume)
        market.heard = ts
        for ladder in market.ladders:
            raise_high(ladder, high if ladder.side is Side.BUY else low)

    def begin(self, ts: i64) -> None:
        """Move the kernel's time on, with nothing asked for yet."""
        self._at(ts)
        if self.out.commands:
            self.out.commands = []

    def _timer(self) -> None:
        self.bars.advance(self.out.now - self.grace)
        self.take_bars()
        self.turn()

    def turn(self) -> None:
        """Do what the clock asks for: timers of strategies, what rungs lack, the limits of the day."""
        now = self.out.now
        if now >= self.open and now < self.close:
            for slot in self.slots:
                if slot.every > 0 and now >= slot.due and not slot.stopped:
                    begun = self.open + self.grace
                    slot.due = begun + ((now - begun) // slot.every + 1) * slot.every
                    slot.context.now = now
                    slot.context.warming = False
                    self._call_timer(slot, now)
        if self.ladders:
            for ladder in list(self.ladders.values()):
                if not idle(ladder, 0.0, NO_PRICE):
                    self._tend(ladder)
        self._watch_limits()

    def _feed_status(self, event: FeedStatus) -> None:
        for market in self.markets.values():
            if event.token == 0 or market.instrument.token == event.token:
                market.live = event.live

    # strategies

    def _call_bar(self, slot: Slot, bar: Bar) -> None:
        try:
            slot.strategy.on_bar(slot.context, bar)
        except Exception as error:  # noqa: BLE001  a strategy's fault stops that strategy, never the desk
            self._stop(slot, error)
        self._requests(slot)

    def _call_tick(self, slot: Slot, tick: Tick) -> None:
        slot.context.now = self.out.now
        slot.context.warming = False
        try:
            slot.strategy.on_tick(slot.context, tick)
        except Exception as error:  # noqa: BLE001  see _call_bar
            self._stop(slot, error)
        self._requests(slot)

    def _call_timer(self, slot: Slot, now: i64) -> None:
        try:
            slot.strategy.on_timer(slot.context, now)
        except Exception as error:  # noqa: BLE001  see _call_bar
            self._stop(slot, error)
        self._requests(slot)

    def _stop(self, slot: Slot, error: Exception) -> None:
        slot.stopped = type(error).__name__ + ": " + str(error)
        slot.context.requests = []
        self.out.alert("alarm", "strategy_stopped", slot.name + " stopped: " + slot.stopped)

    def _requests(self, slot: Slot) -> None:
        requests = slot.context.requests
        if not requests:
            return
        slot.context.requests = []
        for request in requests:
            slot.signals += 1
            slot.last_signal = request.reason
            if int(request.token) not in slot.context.instruments:
                self._stop(slot, KeyError(int(request.token)))
                return
            if request.plan is None:
                self._exit_all(slot, request.token, request.reason)
            else:
                self._open_ladder(slot, request, request.plan)

    def _exit_all(self, slot: Slot, token: i64, reason: str) -> None:
        for ladder in slot.context.held.get(int(token), []):
            self._leave(ladder, "exit: " + reason if reason else "exit")

    def _leave(self, ladder: Ladder, reason: str) -> None:
        ladder.leaving = True
        self.changed_ladders[ladder.ladder_id] = ladder
        for rung in ladder.rungs:
            if rung.live:
                leave(rung, reason)
                self.changed_rungs[rung.rung_id] = rung
        self._tend(ladder)

    # entries

    def _open_ladder(self, slot: Slot, request: Request, plan: LadderPlan) -> None:
        market = self.markets[int(request.token)]
        if slot.context.held[int(request.token)]:
            self._refuse(slot.name, market, Reason.DUPLICATE)
            return
        number = self.next_number
        ladder = Ladder(number, slot.name, market.instrument, request.side, plan)
        ladder.created = self.out.now
        ladder.reason = request.reason
        rung_number: i64 = 0
        for rung_plan in plan.rungs:
            rung_number += 1
            ladder.rungs.append(Rung(number + rung_number, number, rung_number, rung_plan))
        if self._enter(market, ladder, ladder.rungs[0]):
            self.next_number = number + rung_number + 1
            self.adopt(ladder)

    def adopt(self, ladder: Ladder) -> None:
        """Follow a ladder from here on: a new one, or one restored from the journal."""
        token = int(ladder.instrument.token)
        self.ladders[ladder.ladder_id] = ladder
        self.owners[ladder.ladder_id] = ladder
        self.changed_ladders[ladder.ladder_id] = ladder
        market = self.markets[token]
        if ladder not in market.ladders:
            market.ladders.append(ladder)
        for slot in self.slots:
            if slot.name == ladder.strategy and ladder not in slot.context.held.setdefault(token, []):
                slot.context.held[token].append(ladder)
        for rung in ladder.rungs:
            self.rungs[rung.rung_id] = rung
            if rung.rung_id >= self.next_number:
                self.next_number = rung.rung_id + 1

    def _enter(self, market: Market, ladder: Ladder, rung: Rung) -> bool:
        """Send the entry of a rung if sizing and risk allow it; return whether it was sent."""
        instrument = market.instrument
        wanted = ladder.plan.quantity
        quantity = wanted if wanted > 0 else size(instrument, ladder.plan.capital, market.ltp)
        price = instrument.snap(market.ltp)
        reason = self._gate(market, ladder)
        if reason is Reason.OK:
            reason = check_order(instrument, quantity, price, market.ltp, self.limits)
        if reason is Reason.OK:
            reason = check_usage(ladder.strategy, paise(price, quantity), self._usage(ladder), self.limits)
        if reason is not Reason.OK:
            self._refuse(ladder.strategy, market, reason)
            rung.retry_at = self.out.now + ENTRY_RETRY_SECONDS * SECOND
            return False
        rung.entry = self.out.place(
            ladder.strategy, instrument.token, ladder.side, quantity, OrderType.MARKET, ladder.plan.product,
            Purpose.ENTRY, rung.rung_id,
        )  # fmt: skip
        rung.state = RungState.ENTERING
        self.entries += 1
        self.changed_rungs[rung.rung_id] = rung
        return True

    def _gate(self, market: Market, ladder: Ladder) -> Reason:
        now = self.out.now
        if self.halted:
            return Reason.KILLED
        if not self.ready:
            return Reason.NOT_READY
        if now < self.open or now >= self.close:
            return Reason.SESSION
        stale = self.limits.stale_after
        if not market.live or market.ltp <= 0.0 or (stale > 0 and now - market.heard > stale):
            return Reason.STALE_DATA
        if ladder.side is Side.SELL and ladder.plan.product is Product.CNC:
            return Reason.SHORT_DELIVERY
        if int(market.instrument.token) * 8 + int(ladder.plan.product) not in self.rates:
            return Reason.PRODUCT
        return Reason.OK

    def _usage(self, candidate: Ladder) -> Usage:
        usage = Usage()
        pending: i64 = 0
        for ladder in self.ladders.values():
            last = self.markets[int(ladder.instrument.token)].ltp
            for rung in ladder.rungs:
                if not rung.live:
                    continue
                coming: i64 = 0
                entry = rung.entry
                if entry is not None and entry.live:
                    coming = entry.quantity - entry.traded
                value = paise(last, rung.quantity + coming)
                pending += paise(last, coming)
                usage.positions += 1
                usage.exposure += value
                if ladder.instrument.token == candidate.instrument.token:
                    usage.symbol_positions += 1
                if ladder.strategy == candidate.strategy:
                    usage.strategy_exposure += value
        usage.trades = self.entries
        usage.funds = self.ledger.cash - pending
        return usage

    def _refuse(self, strategy: str, market: Market, reason: Reason) -> None:
        """Count a refused entry; tell it once a minute per strategy, instrument and reason."""
        self.refused += 1
        symbol = market.instrument.symbol
        key = strategy + " " + symbol + " " + reason.name
        if self.out.now >= self._refusals.get(key, 0):
            self._refusals[key] = self.out.now + MINUTE
            self.out.alert("info", "refused", strategy + " " + symbol + ": " + reason.name, market.instrument.token)

    # ladders

    def _follow(self, market: Market) -> None:
        ltp = market.ltp
        for ladder in list(market.ladders):
            raise_high(ladder, ltp)
            if idle(ladder, ltp, ltp):
                continue
            if not ladder.leaving and not self.halted:
                waiting = ladder.next_rung(ltp)
                if waiting is not None and self.out.now >= waiting.retry_at:
                    self._enter(market, ladder, waiting)
            self._tend(ladder)

    def _tend(self, ladder: Ladder) -> None:
        market = self.markets[int(ladder.instrument.token)]
        for rung in ladder.rungs:
            if not rung.live:
                continue
            before = rung.state
            moved = rung.moved
            tend(self.out, ladder, rung, market.ltp)
            if rung.state is not before or rung.moved != moved:
                self.changed_rungs[rung.rung_id] = rung
            if rung.state is RungState.CLOSED:
                self._rung_closed(ladder, rung)
        if not ladder.open:
            ladder.closed = self.out.now
            self.changed_ladders[ladder.ladder_id] = ladder
            self.forget(ladder)

    def _rung_closed(self, ladder: Ladder, rung: Rung) -> None:
        if not rung.bought:
            return
        self.round_trips += 1
        if rung.pnl(ladder.sign, 0.0) < 0:
            self.losses += 1
        else:
            self.losses = 0

    def forget(self, ladder: Ladder) -> None:
        """Stop following a ladder that is over."""
        market = self.markets[int(ladder.instrument.token)]
        if ladder.ladder_id in self.ladders:
            del self.ladders[ladder.ladder_id]
        if ladder in market.ladders:
            market.ladders.remove(ladder)
        for slot in self.slots:
            if slot.name == ladder.strategy:
                held = slot.context.held.get(int(ladder.instrument.token), [])
                if ladder in held:
                    held.remove(ladder)

    # answers and books

    def _answer(self, event: Answer) -> None:
        order = self.out.orders.get(int(event.intent))
        if order is not None:
            self._order_answer(order, event)
            return
        gtt = self.out.gtts.get(int(event.intent))
        if gtt is not None:
            self._gtt_answer(gtt, event)

    def _order_answer(self, order: Order, event: Answer) -> None:
        if event.verb is Verb.CANCEL:
            # what became of the order, its book says
            if event.outcome is not Outcome.ACCEPTED:
                order.cancelling = False
            self.out.changed(order)
            return  # what is still to be done, the next timer asks for
        if event.outcome is Outcome.ACCEPTED:
            order.order_id = event.broker_id
            move(order, OrderStatus.OPEN)
        elif event.outcome is Outcome.REFUSED:
            move(order, OrderStatus.REJECTED, event.reason)
            self._order_refused(order, event.reason)
        elif event.outcome is Outcome.UNKNOWN:
            move(order, OrderStatus.UNKNOWN, event.reason)
        else:
            move(order, OrderStatus.LOST, event.reason)
            self.out.alert("warn", "order_lost", order.tag + " never reached the broker", order.token)
        self.out.changed(order)
        self._follow_up(order)

    def _follow_up(self, order: Order) -> None:
        """Give an order that lives its place: the rung's exit, a stray to cancel, or the reason to open the rung again."""
        self._link_orphans(order)
        if order.unwanted:
            self.out.cancel(order)
        rung = self.rungs.get(int(order.rung))
        if rung is not None and order.live:
            if order.purpose is Purpose.EXIT and rung.exit is not order:
                if rung.exit is None:
                    rung.exit = order
                else:
                    self.out.cancel(order)
            if rung.state is RungState.CLOSED:
                rung.state = RungState.ENTERING
                self._reopen(rung)
        self._tend_rung(order.rung)

    def _order_refused(self, order: Order, reason: str) -> None:
        """Tell it; an exit that is refused again and again is tried ever less often."""
        level = "warn"
        rung = self.rungs.get(int(order.rung))
        if rung is not None and order.purpose is Purpose.EXIT:
            patience: i64 = SECOND
            if not reason.startswith("busy"):
                rung.refusals += 1
                patience = rung.refusals * rung.refusals * SECOND
            rung.retry_at = self.out.now + (patience if patience < MINUTE else MINUTE)
            level = "alarm"
        self.out.alert(level, "order_refused", order.strategy + ": " + reason, order.token)

    def _order_update(self, event: OrderUpdate) -> None:
        order = self.out.by_order_id.get(event.order_id)
        if order is None and event.tag:
            order = self.out.by_tag.get(event.tag)
        if order is None:
            self.externals[event.order_id] = event
            return
        if order.order_id and order.order_id != event.order_id:
            self.out.alert("alarm", "doubled", order.tag + " stands twice: " + event.order_id, order.token)
            self.externals[event.order_id] = event
            return
        before = order.status
        if apply(order, event):
            self.out.changed(order)
            if order.status is OrderStatus.REJECTED and before is not OrderStatus.REJECTED:
                self._order_refused(order, order.reason)
            self._name_exit(order, event.price)
            if order.order_id in self.externals:
                del self.externals[order.order_id]
            self._follow_up(order)

    def _name_exit(self, order: Order, price: float) -> None:
        """Tell stop and target apart by the price of the order a GTT has sent."""
        rung = self.rungs.get(int(order.rung))
        if rung is None or rung.exit is not order or order.tag or rung.leaving or price <= 0.0:
            return
        ladder = self.owners[int(rung.ladder_id)]
        gtt = rung.gtt
        if gtt is not None:
            rung.exit_reason = triggered_by(ladder, gtt, price)

    def _link_orphans(self, order: Order) -> None:
        if order.order_id in self.orphans:
            for trade in self.orphans.pop(order.order_id):
                self._trade(trade)

    def _trade(self, event: Trade) -> None:
        key = event.order_id + " " + event.trade_id
        if key in self.applied:
            return
        order = self.out.by_order_id.get(event.order_id)
        if order is None:
            waiting = self.orphans.setdefault(event.order_id, [])
            if not any(trade.trade_id == event.trade_id for trade in waiting):
                waiting.append(event)
            return
        self.applied.add(key)
        self._book(order, event.trade_id, event.ts, event.quantity, event.price)
        self._tend_rung(order.rung)

    def _book(self, order: Order, trade_id: str, ts: i64, quantity: i64, price: float) -> None:
        """Book a trade: ledger, charges by the order's running total, the rung's sums, the digest."""
        value = paise(price, quantity)
        order.traded += quantity
        order.value += value
        order.filled = max(order.filled, order.traded)
        realised = self.ledger.fill(order.strategy, order.token, order.side, quantity, price)
        total = order_charges(
            self.rates[int(order.token) * 8 + int(order.product)], order.side, order.traded, order.value
        )
        charges = total - order.charged
        order.charged = total
        self.ledger.charge(order.strategy, order.token, charges)
        self.out.changed(order)
        self.out.filled(Fill(ts, trade_id, order, quantity, price, charges, realised))
        self._book_rung(order, ts, quantity, value, charges)

    def rebook(self, order: Order, ts: i64, quantity: i64, price: float, charges: i64, today: bool) -> None:
        """Book a fill that the journal holds already: the same sums, no rows, no digest; cash only for one of today."""
        value = paise(price, quantity)
        order.traded += quantity
        order.value += value
        order.charged += charges
        order.filled = max(order.filled, order.traded)
        if today:
            self.ledger.fill(order.strategy, order.token, order.side, quantity, price)
            self.ledger.charge(order.strategy, order.token, charges)
        rung = self.rungs.get(int(order.rung))
        if rung is not None:
            self._add_to(rung, order, ts, quantity, value, charges)

    def _book_rung(self, order: Order, ts: i64, quantity: i64, value: i64, charges: i64) -> None:
        """Book a fill on its rung, which it may open again."""
        rung = self.rungs.get(int(order.rung))
        if rung is None:
            return
        self._add_to(rung, order, ts, quantity, value, charges)
        if rung.state is RungState.CLOSED or (rung.state is RungState.WAITING and rung.bought):
            rung.state = RungState.OPEN
            self._reopen(rung)
        self.changed_rungs[rung.rung_id] = rung
        if rung.quantity < 0:
            self.out.alert("alarm", "oversold", "more was sold than rung " + str(rung.rung_id) + " held", order.token)

    def _add_to(self, rung: Rung, order: Order, ts: i64, quantity: i64, value: i64, charges: i64) -> None:
        """Add a fill to the sums of its rung."""
        rung.charges += charges
        if order.purpose is Purpose.ENTRY:
            if not rung.bought:
                rung.opened = ts
            rung.bought += quantity
            rung.bought_value += value
        else:
            rung.sold += quantity
            rung.sold_value += value

    def _reopen(self, rung: Rung) -> None:
        """Follow a rung again whose order, given up as lost, has traded after all."""
        ladder = self.owners[int(rung.ladder_id)]
        ladder.closed = 0
        self.adopt(ladder)
        if self.flattening:
            ladder.leaving = True
            leave(rung, "flatten")

    def _tend_rung(self, rung_id: i64) -> None:
        rung = self.rungs.get(int(rung_id))
        if rung is not None:
            ladder = self.ladders.get(int(rung.ladder_id))
            if ladder is not None:
                self._tend(ladder)

    # GTTs

    def _gtt_answer(self, gtt: Gtt, event: Answer) -> None:
        rung = self.rungs.get(int(gtt.rung))
        if event.verb is not Verb.PLACE:
            gtt.asked = False
        if event.verb is Verb.CANCEL:
            self._delete_answer(gtt, event)
        elif event.verb is Verb.MODIFY:
            self._modify_answer(gtt, rung, event)
        elif event.outcome is Outcome.ACCEPTED:
            gtt.gtt_id = i64(int(event.broker_id))
            self._gtt_status(gtt, GttStatus.ACTIVE)
            if rung is not None:
                rung.refusals = 0
                if rung.gtt is not gtt:
                    self.out.delete_gtt(gtt)
        elif event.outcome is Outcome.UNKNOWN:
            self._gtt_status(gtt, GttStatus.UNKNOWN)
        else:
            gtt.reason = event.reason
            self._gtt_status(gtt, GttStatus.REJECTED if event.outcome is Outcome.REFUSED else GttStatus.LOST)
            if rung is not None:
                self._unprotected(gtt, rung, event.reason)
        self.out.changed_gtt(gtt)
        self._tend_rung(gtt.rung)

    def _gtt_status(self, gtt: Gtt, status: GttStatus) -> None:
        gtt.status = status
        gtt.updated = self.out.now

    def _unprotected(self, gtt: Gtt, rung: Rung, reason: str) -> None:
        """Try again later, and after the third refusal leave at the market."""
        busy = reason.startswith("busy")
        if not busy:
            rung.refusals += 1
        rung.retry_at = self.out.now + (rung.refusals + 1) * SECOND
        self.out.alert("warn" if busy else "alarm", "gtt_refused", "protection refused: " + reason, gtt.token)
        if rung.refusals >= REFUSALS_BEFORE_LEAVING:
            leave(rung, "unprotectable")

    def _delete_answer(self, gtt: Gtt, event: Answer) -> None:
        if event.outcome is Outcome.ACCEPTED:
            gtt.deleting = False
            self._gtt_status(gtt, GttStatus.DELETED)
        # refused or unknown: the next look at the broker's list tells

    def _modify_answer(self, gtt: Gtt, rung: Rung | None, event: Answer) -> None:
        if event.outcome is Outcome.ACCEPTED and gtt.pending:
            gtt.legs = gtt.pending
            gtt.pending = []
            self._confirm(gtt, rung)
        elif event.outcome is Outcome.REFUSED:
            gtt.pending = []
            gtt.reason = event.reason

    def _confirm(self, gtt: Gtt, rung: Rung | None) -> None:
        if rung is None:
            return
        ladder = self.ladders.get(int(rung.ladder_id))
        if ladder is not None and confirm(ladder, rung, gtt):
            self.changed_rungs[rung.rung_id] = rung

    def _gtt_update(self, event: GttUpdate) -> None:
        gtt = self.out.by_gtt_id.get(int(event.gtt_id))
        if gtt is None:
            return
        late = event.status is GttStatus.TRIGGERED and not gtt.order_id
        if gtt.status > GttStatus.ACTIVE and not late:
            return
        if event.status is GttStatus.UNKNOWN:
            self.out.alert("warn", "gtt_unread", "a GTT has a status nobody knows", gtt.token)
            return
        rung = self.rungs.get(int(gtt.rung))
        if event.status is GttStatus.ACTIVE:
            if gtt.asked:
                return
            gtt.deleting = False
            gtt.pending = []
            gtt.legs = event.legs
            self._confirm(gtt, rung)
        else:
            gtt.deleting = False
            gtt.pending = []
            gtt.reason = event.reason
            self._gtt_status(gtt, event.status)
            if event.status is GttStatus.TRIGGERED and event.order_ids:
                self._gtt_fired(gtt, rung, event.order_ids[0])
            elif rung is not None and event.status is GttStatus.TRIGGERED and event.reason:
                gtt.order_id = "none"
                leave(rung, "trigger failed: " + event.reason)
            if rung is not None and event.status is not GttStatus.TRIGGERED:
                self.out.alert("alarm", "gtt_gone", "a GTT is " + event.status.name + " at the broker", gtt.token)
        self.out.changed_gtt(gtt)
        self._tend_rung(gtt.rung)

    def _gtt_fired(self, gtt: Gtt, rung: Rung | None, order_id: str) -> None:
        """Take over the order a GTT has sent as the exit of its rung."""
        gtt.order_id = order_id
        seen = self.externals.pop(order_id, None)
        leg = gtt.legs[0]
        if seen is not None:
            for other in gtt.legs:
                if abs(other.price - seen.price) < abs(leg.price - seen.price):
                    leg = other
        order = Order(
            self.out.number(), "", gtt.strategy, gtt.token, leg.side, leg.quantity, OrderType.LIMIT, gtt.product,
            Purpose.EXIT, leg.price, rung=gtt.rung, created=self.out.now,
        )  # fmt: skip
        order.order_id = order_id
        move(order, OrderStatus.OPEN)
        self.out.register(order)
        if seen is not None:
            apply(order, seen)
        self.out.changed(order)
        if rung is not None:
            if rung.exit is not None:
                self.out.cancel(rung.exit)
            rung.exit = order
            ladder = self.ladders.get(int(rung.ladder_id))
            if ladder is not None and not rung.leaving:
                rung.exit_reason = triggered_by(ladder, gtt, order.price)
            self.changed_rungs[rung.rung_id] = rung
        self.out.alert("info", "gtt_triggered", gtt.strategy + ": GTT " + str(gtt.gtt_id) + " triggered", gtt.token)
        self._link_orphans(order)

    # the operator and the limits

    def _operate(self, event: Operate) -> None:
        if event.act is Act.READY:
            self.ready = True
        elif event.act is Act.HOLD:
            self.ready = False
        elif event.act is Act.RESUME:
            self.halted = False
            self.flattening = False
        elif event.act is Act.HALT:
            self._halt()
        elif event.act is Act.FLATTEN:
            self.flattening = True
            self._halt()
            for ladder in list(self.ladders.values()):
                self._leave(ladder, "flatten")
        elif event.act is Act.EXIT:
            for ladder in list(self.ladders.values()):
                if ladder.instrument.token == event.token:
                    self._leave(ladder, event.reason if event.reason else "operator")
        elif event.act is Act.CANCEL:
            order = self.out.orders.get(int(event.intent))
            if order is not None:
                self.out.cancel(order)

    def _halt(self) -> None:
        self.halted = True
        for ladder in self.ladders.values():
            for rung in ladder.rungs:
                if rung.entry is not None and rung.entry.live:
                    self.out.cancel(rung.entry)

    def _watch_limits(self) -> None:
        net = self.ledger.net - self.before
        self.peak = max(self.peak, net)
        if self.halted:
            # an entry accepted after the latch closed has its order id only now
            self._halt()
            return
        reason = halting(net, self.peak, self.losses, self.limits)
        if reason:
            self.out.commands.append(Halt(self.out.now, reason))
            self._halt()

    def working(self) -> bool:
        """Tell whether an order is at work, or a rung waits for its protection or its exit."""
        for ladder in self.ladders.values():
            for rung in ladder.rungs:
                if not rung.live:
                    continue
                entry = rung.entry
                gtt = rung.gtt
                if rung.leaving or rung.exit is not None or (entry is not None and entry.live):
                    return True
                if rung.plan.stop_percent > 0.0 and (gtt is None or not gtt.gtt_id or not gtt.live):
                    return True
        return False

    def naked(self) -> i64:
        """Return how many open rungs have less live protection than shares; those without a stop by plan do not count."""
        count: i64 = 0
        for ladder in self.ladders.values():
            for rung in ladder.rungs:
                if rung.quantity < 0 or (
                    rung.quantity > 0 and rung.protected < rung.quantity and rung.plan.stop_percent > 0.0
                ):
                    count += 1
        return count

    def open_positions(self) -> i64:
        """Return how many rungs hold shares."""
        count: i64 = 0
        for ladder in self.ladders.values():
            for rung in ladder.rungs:
                if rung.quantity > 0:
                    count += 1
        return count
