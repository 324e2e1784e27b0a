"""The kernel: one function from events to commands, the same in backtest, paper and live.

Inside `handle`, in this order: market state, bars, strategies in configured order, sizing, risk, order life cycle,
ladders and protection, ledger. No clock, no disk, no random number; events carry their own time.
"""

from typing import Final, final

from mypy_extensions import i64

from compiled.bars import DAY, Bars
from compiled.charges import Rates
from compiled.decisions import BAR, HAND, TICK, TIMER, Cause
from compiled.entries import Entries
from compiled.events import (
    Act,
    Adopt,
    Answer,
    BandUpdate,
    Command,
    Deposit,
    Divide,
    FeedStatus,
    GttUpdate,
    Halt,
    Lacking,
    LimitChange,
    Operate,
    OrderUpdate,
    Ticks,
    Timer,
    Trade,
    WriteOff,
)
from compiled.indicators_price import Followed
from compiled.ladder import Ladder, RungState, raise_high
from compiled.ledger import Ledger
from compiled.model import (
    SECOND,
    Bar,
    Instrument,
    Product,
    Side,
    Tick,
    TradingHours,
    day_start,
)
from compiled.outbox import Outbox
from compiled.positions import Market, Slot
from compiled.protection import NO_PRICE, calm, idle
from compiled.risk import Limits, Reason, halting, stopping
from compiled.screen import Screen
from compiled.strategy import OPERATOR, Context, Request, Wish
from compiled.table import Table
from compiled.terms import Exits

PRESSED: Final = Exits()


@final
class Setup:
    """What a day needs: session times (ns), starting cash (paise), limits, first free number, tag prefix, spans.

    `grace` (ns) is how long a bar waits for late ticks after its end: Kite cuts its stamps to the second. `hours` are
    those of the tokens that do not trade the whole session. `modifies` is how often one order may be modified, `exits`
    how those that rest are pressed.
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
        hours: dict[int, TradingHours] | None = None,
        modifies: i64 = 24,
        exits: Exits = PRESSED,
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


def words(error: BaseException) -> str:
    """Return what an error is and says, where it says anything: its text may be an error of its own."""
    name: str = type(error).__name__
    try:
        return name + ": " + str(error)
    except BaseException:  # noqa: BLE001  see `Kernel.call_bar`
        return name + ": what it says cannot be read"


@final
class OvernightRequest:
    """What a strategy asked for with a day's bar, and why: it waits for the instrument's next open."""

    def __init__(self, slot: Slot, request: Request, cause: Cause) -> None:
        self.slot = slot
        self.request = request
        self.cause = cause


@final
class Kernel(Entries):
    """The desk's decisions. `rates` maps 8 * token + product to the charges of the day."""

    def __init__(self, setup: Setup, instruments: list[Instrument], slots: list[Slot], rates: dict[int, Rates]) -> None:
        markets: Table[Market] = Table()
        for instrument in instruments:
            markets[instrument.token] = Market(instrument)
        table: Table[Rates] = Table()
        for key, charges in rates.items():
            table[key] = charges
        out = Outbox(setup.tag_prefix, setup.first, setup.modifies, setup.exits)
        super().__init__(out, Ledger(setup.cash), setup.limits, markets, slots, setup.first, table)
        self.open: i64 = 0
        self.close: i64 = 0
        self.today: i64 = 0
        self.grace = setup.grace
        self.bars = Bars(setup.spans)
        self.closed_bars: list[Bar] = []
        self.peak: i64 = 0
        self.before: i64 = 0
        self.screen: Screen | None = None
        """Keeps out what cannot be true, where that has been handed in."""
        self.ticks: i64 = 0
        self.bar_count: i64 = 0
        self.late_after: i64 = 0
        """How old a packet may be by its stamp before it counts as stale, ns; 0: any age."""
        self.timed = any(slot.every > 0 for slot in slots)
        self.overnight: list[OvernightRequest] = []
        for slot in slots:
            for token in slot.tokens:
                self._subscribe(slot, token)
        self._begin_hours(setup.open, setup.close, setup.hours)

    def session(self, open: i64, close: i64, hours: dict[int, TradingHours] | None = None) -> None:
        """Begin another session [open, close), ns UTC: entries, losses and the P&L of the day count anew.

        `hours` are those of the tokens that do not trade the whole of it.
        """
        self._begin_hours(open, close, {} if hours is None else hours)
        self.notes.begin()
        self.entries = 0
        self.losses = 0
        self.before = self.ledger.net
        self.peak = 0
        for slot in self.slots:
            slot.before = self.ledger.strategy_net(slot.name)
            slot.peak = 0
            slot.losses = 0
            if slot.limited:
                slot.limited = False
                slot.stopped = ""
        for waiting in self.overnight:
            # between sessions there is no clock: what waits is decided on with the last price before the open
            market = self.markets[waiting.request.token]
            market.heard = max(open, market.instrument.hours.opens)

    def reprice(self, rates: dict[int, Rates]) -> None:
        """Charge by other rates from now on."""
        for key, charges in rates.items():
            self.rates[key] = charges

    def _begin_hours(self, open: i64, close: i64, hours: dict[int, TradingHours]) -> None:
        """Let every instrument, its bars and the timers of its strategies keep the hours of the day."""
        self.open = open
        self.close = close
        self.today = day_start(open)
        self.bars.session(open, close)
        whole = TradingHours(open, close)
        for token, market in self.markets.items():
            market.instrument.hours = hours.get(token, whole)
            if token in hours:
                self.bars.hours(token, hours[token])
        for slot in self.slots:
            slot.opens = close if slot.tokens else open
            for token in slot.tokens:
                slot.opens = min(slot.opens, self.markets[token].instrument.hours.opens)
            slot.due = slot.opens + self.grace

    def _subscribe(self, slot: Slot, token: int) -> None:
        market = self.markets[token]
        slot.context.instruments[token] = market.instrument
        slot.context.quotes[token] = market
        slot.context.held[token] = []
        market.listeners.append(slot)
        slot.calls += 1
        try:
            follows = slot.strategy.follow(token)
            if len(follows) > 0:
                slot.follows[token] = Followed(follows)
            ticks = slot.strategy.wants_ticks
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop(slot, error)
            return
        slot.calls += 1
        if ticks:
            market.tickers.append(slot)
            market.calm = False

    def digest(self) -> str:
        """Return the hash over every command and fill so far: equal days have equal digests."""
        return self.out.digest()

    def handle(self, event: object) -> list[Command]:
        """Take one event and return what it calls for, in the order in which it should be done."""
        self.out.commands = []
        return self.take(event)

    def take(self, event: object) -> list[Command]:
        """Take one event as `handle` does, but leave in the list what was asked for before."""
        if isinstance(event, Ticks):
            self._at(event.ts)
            ticks = event.ticks
            if self.screen is not None:
                ticks = self.screen.sift(ticks, self.markets, self.out.now, self.today)
            for tick in ticks:
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
        elif isinstance(event, Wish):
            self._at(event.ts)
            self._grant(event)
        elif isinstance(event, LimitChange):
            self._at(event.ts)
            self.limits.change(event.name, event.value)
        elif isinstance(event, BandUpdate):
            self._at(event.ts)
            self._band_update(event)
        else:
            self._correction(event)
        return self.out.commands

    def _correction(self, event: object) -> None:
        """Bring the books in line with the broker's; the day's P&L counts what was taken on from now on."""
        before = self.ledger.net
        if isinstance(event, Adopt):
            self._at(event.ts)
            self._take_on(event)
        elif isinstance(event, WriteOff):
            self._at(event.ts)
            self._write_off(event)
        elif isinstance(event, Lacking):
            self._at(event.ts)
            self._lacking(event)
        elif isinstance(event, Divide):
            self._at(event.ts)
            self._divide(event)
        elif isinstance(event, Deposit):
            self._at(event.ts)
            self.ledger.deposit(event.amount)
        self.before += self.ledger.net - before

    def _at(self, ts: i64) -> None:
        """Move the kernel's time on; what the broker stamps lies in the past and does not move it."""
        self.out.now = max(self.out.now, ts)

    def warm(self, bars: list[Bar]) -> None:
        """Show stored bars to the strategies, oldest first, before the day begins; they cannot ask for anything.

        But with the newest bar of a whole day, before its instrument opens: what they ask then waits for that open.
        """
        newest = {int(bar.token): bar for bar in bars if bar.span == DAY}
        for bar in bars:
            market = self.markets.get(int(bar.token))
            if market is None:
                continue
            if market.ltp == 0.0:
                market.last = bar.close
            for slot in market.listeners:
                if slot.span == bar.span and not slot.stopped and slot.hears(bar):
                    # what became cold before the open asks for it, however late its history comes
                    since = market.cooled if market.cooled > 0 else self.out.now
                    last_day = newest.get(int(bar.token)) is bar
                    slot.context.warming = not (last_day and since < market.instrument.hours.opens)
                    slot.context.now = bar.end
                    self.call_bar(slot, slot.context, bar)

    def bind(self, token: int, shares: i64) -> None:
        """Take in how many shares of earlier days lack their authorisation at the depository; freed ones leave at once."""
        market = self.markets[token]
        market.instrument.bound = shares
        if shares == 0:
            for ladder in market.ladders:
                for rung in ladder.rungs:
                    rung.retry_at = min(rung.retry_at, self.out.now)

    def cool(self, tokens: list[int]) -> None:
        """Let no strategy hear these instruments, or enter them, before `warmed`."""
        for token in tokens:
            market = self.markets[token]
            if not market.cold:
                market.cold = True
                market.cooled = self.out.now
                market.waiting = [market.listeners, market.tickers]
                market.listeners = []
                market.tickers = []

    def warmed(self, token: int, bars: list[Bar]) -> None:
        """Show a cold instrument's bars to the strategies, oldest first, and let them hear it from here on."""
        market = self.markets[token]
        if market.cold:
            market.cold = False
            market.listeners = market.waiting[0]
            market.tickers = market.waiting[1]
            market.waiting = []
        self.warm(bars)

    # market data

    def _tick(self, tick: Tick) -> None:
        market = self.markets.get(int(tick.token))
        if market is None:
            return
        if not tick.traded_since(self.today):
            self.await_trade(market, tick.ltp, tick.bid, tick.ask, tick.volume)
            return
        self.quote(market, tick.ltp, tick.bid, tick.ask, tick.volume)
        if self.late_after > 0:
            self._stamp(market, tick.ts)
        self._build(market, tick.ts, tick.ltp, tick.volume)
        for slot in market.tickers:
            if not slot.stopped:
                self._call_tick(slot, tick)
        if market.ladders and not market.late:
            self._follow(market)

    def await_trade(self, market: Market, ltp: float, bid: float, ask: float, volume: i64) -> None:
        """Take in a packet whose last price is of an earlier day: it values what is held, and nothing else goes by it."""
        self.quote(market, ltp, bid, ask, -1)
        market.untraded = True
        if volume == 0:
            if market.place < 0:
                market.place = self.bars.place(market.token)
            self.bars.untraded(market.place)

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
        market.untraded = False
        market.version += 1
        if market.held is not None or market.ladders:
            self._value(market)

    def _stamp(self, market: Market, ts: i64) -> None:
        """Take in the exchange's stamp of a packet: what is old by it is no price to enter at, or to move a stop by."""
        lag = self.out.now - ts
        market.late = lag > self.late_after
        if 0 < market.stamp < ts:  # not what was sent of an earlier state when the connection was made
            market.lag = lag
        market.stamp = max(market.stamp, ts)

    def lagging(self) -> tuple[int, i64]:
        """Return how many instruments the feed is late with, and how late it is with the latest of them (ns)."""
        count = 0
        worst: i64 = 0
        for market in self.markets.values():
            if market.late and market.lag > self.late_after and market.instrument.hours.trading(self.out.now):
                count += 1
                worst = max(worst, market.lag)
        return count, worst

    def _value(self, market: Market) -> None:
        """Value what is held of an instrument at its last price."""
        if market.held is None:
            market.held = self.ledger.held(market.token)
        if market.held is not None:
            self.ledger.revalue(market.held, market.ltp)

    def _build(self, market: Market, ts: i64, ltp: float, volume: i64) -> None:
        """Make bars of a price, and show those it closes."""
        if market.place < 0:
            market.place = self.bars.place(market.token)
        self.bars.tick(market.place, ts, ltp, volume)
        self.take_bars()

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
                self.show_bar(slot, bar)

    def show_bar(self, slot: Slot, bar: Bar) -> bool:
        """Show a closed bar to a strategy; return whether it asked for something, or failed."""
        if not slot.hears(bar):
            return False
        context = slot.context
        context.now = self.out.now
        context.warming = False
        return self.call_bar(slot, context, bar)

    # recorded market data (compiled/replay_bars.py, replay_ticks.py): what ticks and timers do, without an event for each

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
        self._build(market, ts, ltp, volume)
        if market.ladders:
            if not market.calm:
                market.calm = self.calm(market)
            if market.calm:
                for ladder in market.ladders:
                    raise_high(ladder, ltp)
            else:
                self._follow(market)
        return self.out.commands

    def sleeps(self, market: Market, high: float, low: float) -> bool:
        """Tell whether a bar between these prices calls for nothing on the ladders of an instrument."""
        for ladder in market.ladders:
            if not idle(ladder, high, low):
                return False
        return not market.tickers

    def calm(self, market: Market) -> bool:
        """Tell whether no price calls for anything on the ladders of an instrument, until one of them changes."""
        for ladder in market.ladders:
            if not calm(ladder):
                return False
        return not market.tickers

    def climbs(self, market: Market) -> bool:
        """Tell whether a price of an instrument may bring an entry: a rung waits, or a strategy hears ticks."""
        for ladder in market.ladders:
            for rung in ladder.rungs:
                if rung.state is RungState.WAITING:
                    return True
        return len(market.tickers) > 0

    def skip(self, ts: i64, market: Market, high: float, low: float, close: float, volume: i64, points: i64) -> None:
        """Take in a bar's path, or the last points of it, through which an instrument `sleeps`."""
        self.ticks += points
        market.version += points
        market.ltp = close
        market.last = close
        market.bid = 0.0
        market.ask = 0.0
        market.volume = volume
        market.heard = ts
        market.live = True
        if market.held is not None or market.ladders:
            self._value(market)
            for ladder in market.ladders:
                raise_high(ladder, high if ladder.side is Side.BUY else low)

    def ring(self, ts: i64) -> list[Command]:
        """Let the clock go off, as a `Timer` does."""
        self.begin(ts)
        self._timer()
        return self.out.commands

    def begin(self, ts: i64) -> None:
        """Move the kernel's time on, with nothing asked for yet."""
        out = self.out
        out.now = max(out.now, ts)
        if out.commands:
            out.commands = []

    def _timer(self) -> None:
        if self.strays or self.stray_gtts:
            self.clear_strays()
        self.bars.advance(self.out.now - self.grace)
        self.take_bars()
        self.still = False
        self.turn()

    def turn(self) -> None:
        """Do what the clock asks for: timers of strategies, what rungs lack, the limits of the day."""
        now = self.out.now
        if now >= self.open and now < self.close:
            for slot in self.slots:
                if slot.every > 0 and now >= slot.due and not slot.stopped and self._trades(slot):
                    begun = slot.opens + self.grace
                    slot.due = begun + ((now - begun) // slot.every + 1) * slot.every
                    slot.context.now = now
                    slot.context.warming = False
                    self._call_timer(slot, now)
        if self.overnight:
            self._decide_overnight()
        if not self.still:
            self.still = True
            for ladder in self.ladders.values():
                if not ladder.leaving and (ladder.plan.product is Product.MIS or ladder.instrument.hours.clears):
                    self._square_off(ladder)
                    self.still = False
                if not idle(ladder, 0.0, NO_PRICE):
                    self._tend(ladder)
        self._watch_limits()

    def _decide_overnight(self) -> None:
        """Do what waits for an open, in whatever has opened and has a price of this session."""
        waiting = self.overnight
        self.overnight = []
        for each in waiting:
            market = self.markets[each.request.token]
            hours = market.instrument.hours
            priced = market.live and not market.untraded and market.heard >= hours.opens
            if not (self.ready and priced and hours.trading(self.out.now)):
                self.overnight.append(each)
            elif not each.slot.stopped:
                self._ask(each.slot.name, each.request, each.cause)

    def _trades(self, slot: Slot) -> bool:
        """Tell whether continuous trading is on in something a strategy subscribes to."""
        for token in slot.tokens:
            if self.markets[token].instrument.hours.trading(self.out.now):
                return True
        return not slot.tokens

    def _square_off(self, ladder: Ladder) -> None:
        if ladder.instrument.hours.squares_off(self.out.now):
            what = "positions in what expires today" if ladder.instrument.hours.clears else "intraday positions"
            self.out.alert("info", "square_off", what + " are over for today", ladder.instrument.token)
            self._leave(ladder, "square-off")

    def _feed_status(self, event: FeedStatus) -> None:
        for market in self.markets.values():
            if event.token == 0 or market.instrument.token == event.token:
                market.live = event.live
                market.stamp = 0
                market.lag = 0

    def _band_update(self, event: BandUpdate) -> None:
        """Keep prices to the band as it stands now, those of stops that stand already included."""
        market = self.markets.get(int(event.token))
        if market is None:
            return
        market.instrument.lower = event.lower
        market.instrument.upper = event.upper
        for ladder in list(market.ladders):
            for rung in ladder.rungs:
                rung.refit = True
            self._tend(ladder)

    # strategies

    def call_bar(self, slot: Slot, context: Context, bar: Bar) -> bool:
        """Show a bar to a strategy at its context's time; return whether it asked for something, or failed."""
        slot.calls += 1
        try:
            slot.strategy.on_bar(context, bar)
        except BaseException as error:  # noqa: BLE001  whatever a strategy raises stops that strategy, never the desk
            self._stop(slot, error)
            return True
        slot.calls += 1
        if not context.requests:
            return False
        self._requests(slot, Cause(BAR, bar.token, bar.end, bar.close))
        return True

    def _call_tick(self, slot: Slot, tick: Tick) -> None:
        slot.context.now = self.out.now
        slot.context.warming = False
        slot.calls += 1
        try:
            slot.strategy.on_tick(slot.context, tick)
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop(slot, error)
            return
        slot.calls += 1
        if slot.context.requests:
            self._requests(slot, Cause(TICK, tick.token, tick.ts, tick.ltp))

    def _call_timer(self, slot: Slot, now: i64) -> None:
        slot.calls += 1
        try:
            slot.strategy.on_timer(slot.context, now)
        except BaseException as error:  # noqa: BLE001  see call_bar
            self._stop(slot, error)
            return
        slot.calls += 1
        if slot.context.requests:
            self._requests(slot, Cause(TIMER, 0, now, 0.0))

    def _stop(self, slot: Slot, error: BaseException) -> None:
        slot.calls += slot.calls % 2
        slot.stopped = words(error)
        slot.error = error
        slot.context.requests = []
        self.out.alert("alarm", "strategy_stopped", slot.name + " stopped: " + slot.stopped)

    def _requests(self, slot: Slot, cause: Cause) -> None:
        requests = slot.context.requests
        slot.context.requests = []
        for request in requests:
            slot.signals += 1
            slot.last_signal = request.reason
            market = self.markets.get(request.token)
            if market is None or (slot not in market.listeners and not market.cold):
                self._stop(slot, KeyError(int(request.token)))
                return
            if self.out_of_bounds(slot.name, market, request, cause):
                continue
            if slot.span == DAY and cause.what == BAR:
                self.overnight.append(OvernightRequest(slot, request, cause))
            elif self.lane is None or not self.lane.ask(slot, market, request, cause):
                self._ask(slot.name, request, cause)

    def _grant(self, event: Wish) -> None:
        """Do what the operator asks for, by the same rules as for a strategy."""
        market = self.markets[int(event.request.token)]
        cause = Cause(HAND, market.token, self.out.now, market.last)
        if self.out_of_bounds(OPERATOR, market, event.request, cause):
            event.verdict = Reason.BOUNDS
        else:
            event.verdict = self._ask(OPERATOR, event.request, cause)

    def _follow(self, market: Market) -> None:
        ltp = market.ltp
        for ladder in market.ladders if len(market.ladders) == 1 else list(market.ladders):
            raise_high(ladder, ltp)
            if idle(ladder, ltp, ltp):
                continue
            if not ladder.leaving and not self.halted:
                waiting = ladder.next_rung(ltp)
                if waiting is not None and self.out.now >= waiting.retry_at:
                    self._climb(market, ladder, waiting)
            self._tend(ladder)

    # the operator and the limits

    def _operate(self, event: Operate) -> None:
        if event.act < Act.READY:
            self.out.urge()
        if event.act is Act.READY:
            self.ready = True
            self._leave_waiting()
        elif event.act is Act.HOLD:
            self.ready = False
        elif event.act is Act.COMPARED:
            self.blind = False
            for ladder in list(self.ladders.values()):
                self._tend(ladder)
        elif event.act is Act.UNSEEN:
            self.blind = True
        elif event.act is Act.RESUME:
            self.halted = False
            self.flattening = False
        elif event.act is Act.HALT:
            self._halt()
        elif event.act is Act.FLATTEN:
            self.flattening = True
            self._halt()
            for ladder in self.ladders.values():
                self._leave(ladder, "flatten")
        elif event.act is Act.EXIT:
            for ladder in self.ladders.values():
                if ladder.instrument.token == event.token:
                    self._leave(ladder, event.reason if event.reason else "operator")
        elif event.act is Act.CANCEL:
            order = self.out.orders.get(int(event.intent))
            if order is not None:
                self.out.cancel(order)

    def _leave_waiting(self) -> None:
        """Let what was to leave and could not, after a close, leave now, and decide what waits for the open."""
        for ladder in self.ladders.values():
            if ladder.leaving:
                self._tend(ladder)
        if self.overnight:
            self._decide_overnight()

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
        elif self.limits.by_strategy:
            self._watch_strategies()

    def _watch_strategies(self) -> None:
        """Stop each strategy that has reached a limit of its own: it asks no more, its protection stays."""
        for slot in self.slots:
            if slot.stopped:
                continue
            net = self.ledger.strategy_net(slot.name) - slot.before
            slot.peak = max(slot.peak, net)
            reason = stopping(net, slot.peak, slot.losses, self.limits)
            if reason:
                if self.lane is not None:
                    self.lane.show()
                slot.stopped = reason
                slot.limited = True
                self.out.alert("alarm", "strategy_stopped", slot.name + " stopped: " + reason)
                for ladder in self.ladders.values():
                    if ladder.strategy == slot.name:
                        self._cancel_entries(ladder)
