"""The engine's face: one thread that runs a trading day, its board, and the few things anyone may ask of it."""

import asyncio
import itertools
import json
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date
from typing import TypeVar

from compiled.kernel import Kernel, Setup, words
from compiled.model import MINUTE, NEVER, SECOND, Bar, Instrument
from compiled.positions import Slot
from compiled.strategy import Strategy
from engine.errors import BusyError, DataError, OperatorError, PatangError, RetryableError
from engine.history.recorded import Recording
from engine.market.actions import Actions
from engine.market.calendar import ist_day, midnight
from engine.market.hours import Hours
from engine.market.rules import Rules
from engine.market.safeguards import Safeguards
from engine.ports import BrokerHolding, Failure
from engine.settings import Ports, Settings
from engine.trading.bands import BandWatch, fill_in
from engine.trading.board import Board
from engine.trading.books import Books
from engine.trading.clock import SteppedClock
from engine.trading.depository import NO_STANDING, DepositoryWatch
from engine.trading.divisions import kept, opened_before, recognise
from engine.trading.eventlog import EventLog
from engine.trading.gateway import Gateway
from engine.trading.gauges import governor_fields
from engine.trading.governor import Governor
from engine.trading.killswitch import FLATTEN, HALT, Latch
from engine.trading.limits import Change, asked, current, listed
from engine.trading.limits import restore as restore_limits
from engine.trading.loop import Ask, Loop
from engine.trading.opening import (
    also_held,
    check_account,
    choose,
    daily,
    derivatives,
    ex_dates,
    freezes,
    history,
    keep_settings,
    keep_start_cash,
    kept_fills,
    moved,
    no_such,
    past,
    rates,
    start_cash,
    taken,
    unlisted,
)
from engine.trading.pacing import Lockstep, run_live, run_night
from engine.trading.reasons import LIMIT_ONLY
from engine.trading.reconcile import SOON, Reconciler
from engine.trading.restore import restore
from engine.trading.shares import ShareRegister
from engine.trading.warming import PART, WarmUp

__all__ = ["Desk", "Ports", "Settings"]

OPENING_TRIES = 5
ANSWER_TRIES, ANSWER_WAIT_S = 40, 0.05
REST = 30 * MINUTE
"""How long after the last order of the day is done the desk still looks at the books."""
BEFORE_OPENING = 15 * MINUTE
"""How long before the next day's first phase the desk opens it."""
T = TypeVar("T")


class Desk:
    """Runs in a thread of its own from `start` to `join`; never waits for a screen.

    `failure` is called with what killed the thread, after the kill switch has been latched.
    """

    def __init__(
        self, settings: Settings, ports: Ports, strategies: Sequence[Strategy], failure: Failure, board: Board
    ) -> None:
        self.settings = settings
        self.ports = ports
        self.strategies = list(strategies)
        self.board = board
        self.spans = settings.spans
        self.error: BaseException | None = None
        self.done = threading.Event()
        self._configured = current(settings.limits)
        self.slots: list[Slot] = []
        """What the strategies of the day run in."""
        self.kernel: Kernel
        self.gateway: Gateway
        self._shares: ShareRegister
        self._log = EventLog(ports.journal, ports.clock)
        self._failure = failure
        self._numbers = itertools.count(1)
        self._asks: deque[Ask] = deque()
        self._stopping = False
        self._holdings: list[BrokerHolding] = []
        """What the broker held when the day was opened, by our tokens."""
        self._past = (0, 0)
        """Orders and fills of earlier days."""
        self._opened = False
        self._loop: Loop | None = None
        self._events: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)
        ports.kill.listeners.append(lambda _: self._nudge())

    # what anyone may ask, from any thread

    @property
    def opened(self) -> bool:
        """Tell whether it has met the broker and begun to trade."""
        return self._opened

    @property
    def thread(self) -> int:
        """Return the engine's thread as Python numbers it, 0 before it runs."""
        return self._thread.ident or 0

    def start(self) -> None:
        """Start the engine's thread."""
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the engine's thread to end, where it was ever started."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def stop(self) -> None:
        """Ask for an orderly end: nothing is cancelled, protection stays, the journal is written."""
        self._stopping = True
        self._nudge()

    def kill(self, flatten: bool, reason: str, who: str = "screen") -> None:
        """Latch the kill switch at once; does not go through the event loop."""
        self.ports.kill.trigger(FLATTEN if flatten else HALT, reason, who)

    def alarm(self, text: str) -> None:
        """Have a line shown and written down as an alarm as soon as the engine turns."""
        self.submit("alarm", detail=text)

    def resume(self, reason: str, who: str) -> Latch | None:
        """Unlatch the kill switch; return what was latched."""
        old = self.ports.kill.resume(reason, who)
        if old is not None:
            self.submit("resumed", detail=f"{who}: {reason}")
        return old

    def limits(self) -> str:
        """Return every limit with its configured value as one line of JSON."""
        changes = self._loop.changes if self._loop else {}
        return json.dumps(
            {"mode": self.board.header.mode, "limits": listed(self.settings.limits, self._configured, changes)}
        )

    def set_limit(self, change: Change, *, confirmed: bool) -> str:
        """Change a limit for the rest of the day and return the engine's answer; raise `ConfigError`."""
        number = self.submit("limit", detail=asked(self.settings.limits, change, confirmed=confirmed))
        return self._answered(number)

    def _answered(self, number: int) -> str:
        """Wait a moment for the engine; an answer that takes longer appears in the event log."""
        for _ in range(ANSWER_TRIES):
            if number in self.board.answers:
                return self.board.answers[number]
            self.done.wait(ANSWER_WAIT_S)
        return "pending: the engine has not answered yet"

    def submit(self, act: str, token: int = 0, detail: str = "") -> int:
        """Ask for "exit" (a token), "cancel" (an order's key) or "reconcile" (`engine.trading.choices.parse`).

        "preview" and "order" take a `Ticket` as JSON, "modify" an `Alteration` (`engine.trading.tickets`), "acknowledge"
        the name of a strategy that has failed.

        The outcome appears in `board.answers`.
        """
        number = next(self._numbers)
        self._asks.append(Ask(number, act, token, detail))
        self._nudge()
        return number

    def answer(self, number: int) -> str:
        """Return what became of something that was asked for, empty while it is pending."""
        return self.board.answers.get(number, "")

    def differences(self) -> str:
        """Return what stands between the broker's books and ours as one line of JSON; safe from any thread."""
        header, rows = self.board.header, self.board.differences.rows[:]
        return json.dumps({"mode": header.mode, "state": header.state, "differences": [row._asdict() for row in rows]})

    def _nudge(self) -> None:
        loop, events = self._loop, self._events
        if loop is None or events is None or events.is_closed():
            return
        loop.stopping = self._stopping
        events.call_soon_threadsafe(loop.wake.set)

    # the thread

    def _main(self) -> None:
        try:
            asyncio.run(self.run())
        except BaseException as error:  # noqa: BLE001  a thread's main: an exit or a cancellation that nobody asked for
            self._end(error)

    async def run(self) -> None:
        """Run its day, or its days, on the calling event loop; what ends it early is told, kept in `error`, and latches the switch.

        A cancellation is passed on: whoever runs the loop knows whether it was meant.
        """
        try:
            await self._days()
        except Exception as error:  # noqa: BLE001  nothing dies quietly
            self._end(_first(error))
        else:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        """Have the engine be over: as it should be, or of an error."""
        if self.done.is_set():
            return
        if error is not None:
            self.error = error
            if self._opened:
                self.ports.kill.trigger(HALT, f"the engine died: {words(error)}", "engine")
            self._failure("engine", error)
        self.board.header = self.board.header._replace(state="stopped" if error is None else "failed")
        self.done.set()

    async def _days(self) -> None:
        self._events, ports = asyncio.get_running_loop(), self.ports
        try:
            lockstep = await self._take_hold()
            first = await self._open()
            opened: tuple[Loop, list[Instrument]] | None = first
            async with asyncio.TaskGroup() as tasks:
                throughout = [tasks.create_task(work) for work in ports.throughout(first[0])]
                try:
                    while opened is not None:
                        await self._day(*opened, lockstep)
                        opened = await self._next_day()
                finally:
                    _cancel(throughout)
        finally:
            if ports.pacer is not None:
                await ports.pacer.close()
            await ports.broker.close()

    async def _day(self, loop: Loop, watched: list[Instrument], lockstep: SteppedClock | None) -> None:
        """Live an opened day to its end, and the night after it."""
        settings, ports = self.settings, self.ports
        if loop.recording is not None:
            loop.recording.begin(ports.clock.now())
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(work) for work in ports.beside(loop)]
            feed = tasks.create_task(ports.feed.run(loop))
            session = [feed]
            if loop.warming is not None:
                session.append(tasks.create_task(loop.warming.run()))
            daily = [*session]
            try:
                narrow = await self._subscribe(watched)
                if lockstep is not None and ports.pacer is not None:
                    steps = Lockstep(loop, ports.pacer, ports.feed, lockstep)
                    if ports.script is not None:
                        await steps.follow(ports.script)
                    else:
                        await steps.run(len(watched) - len(narrow))
                else:
                    daily.append(tasks.create_task(self.gateway.run(settings.lanes)))
                    session.append(tasks.create_task(self._widen(narrow)))
                    rest, opens = self._night(loop, watched)
                    await run_live(
                        loop, int(settings.poll_s * SECOND), int(settings.positions_every_s * SECOND),
                        settings.beat_s, rest,
                    )  # fmt: skip
                    if not loop.stopping:
                        _cancel(session)
                        loop.state = "closed"
                        loop.reconciler.rest()
                        await run_night(loop, opens, settings.beat_s)
            finally:
                loop.state = "stopping"
                _cancel([*daily, *beside])
        await loop.finish()

    async def _subscribe(self, watched: list[Instrument]) -> set[int]:
        """Subscribe everything in its mode; return the tokens that are not in the fullest: what is only watched."""
        feed, settings = self.ports.feed, self.settings
        traded = {token for slot in self.kernel.slots for token in slot.tokens}
        traded |= {int(ladder.instrument.token) for ladder in self.kernel.ladders.values()}
        modes = {
            int(i.token): settings.modes.get(i.symbol, settings.watch_mode)
            for i in watched
            if int(i.token) not in traded
        }
        await feed.subscribe(int(i.token) for i in watched if modes.get(int(i.token), "full") == "full")
        for mode in ("quote", "ltp"):
            if tokens := [token for token, asked in modes.items() if asked == mode]:
                await feed.subscribe(tokens, mode)
        return {token for token, mode in modes.items() if mode != "full"}

    async def _widen(self, narrow: set[int]) -> None:
        """Have everything sent of what was only watched as soon as it is traded by hand or taken on."""
        clock = self.ports.clock
        while narrow:
            held = {token for token in narrow if self.kernel.markets[token].ladders}
            if held:
                await self.ports.feed.subscribe(held)
                narrow -= held
            await clock.sleep_until(clock.now() + SECOND)

    def _night(self, loop: Loop, watched: list[Instrument]) -> tuple[int, int]:
        """Return when the day may come to rest and the next one opens (ns UTC), never where it is the last."""
        if self.ports.tomorrow is None:
            return loop.ends + REST, NEVER
        day = ist_day(self.ports.clock.now())
        try:
            first = min(loop.hours.after(day, each).phases[0].start for each in watched)
        except DataError as error:
            self._log.tell("warn", "opening", f"the desk will not open another day: {error}")
            return loop.ends + REST, NEVER
        return loop.ends + REST, first - BEFORE_OPENING

    async def _next_day(self) -> tuple[Loop, list[Instrument]] | None:
        """Open the next day, however often that has to be tried; None where there is none, or when told to stop."""
        tomorrow, clock = self.ports.tomorrow, self.ports.clock
        while tomorrow is not None and not self._stopping:
            self.strategies = list(tomorrow())
            try:
                return await self._open()
            except PatangError as error:
                self._log.repeat("alarm", "opening", f"the day cannot be opened yet: {error}")
            again = clock.now() + MINUTE
            while clock.now() < again and not self._stopping:
                await clock.sleep_until(min(again, clock.now() + SECOND))
        return None

    async def _take_hold(self) -> SteppedClock | None:
        """Set the clock to an exchange that waits for us; return it, None for one that runs by itself."""
        clock, pacer = self.ports.clock, self.ports.pacer
        if pacer is None:
            return None
        if not isinstance(clock, SteppedClock):
            raise TypeError("a pacer needs a stepped clock")
        clock.set(await pacer.start())
        return clock

    # opening

    async def _open(self) -> tuple[Loop, list[Instrument]]:
        """Meet the broker, build the kernel, restore the journal, warm the strategies up, reconcile.

        A desk that will open another day opens a holiday as the evening of the last trading day.
        """
        ports, now = self.ports, self.ports.clock.now()
        broker, journal = ports.broker, ports.journal
        check_account(journal, await self._patiently(broker.account))
        today = ist_day(now)
        day = ports.calendar.latest_trading_day(today)
        if day != today and ports.tomorrow is None:
            raise DataError(f"{today} is no trading day: the exchange is closed")
        actions = Actions.load(self.settings.actions) if self.settings.actions is not None else None
        chosen, watched = await self._choose()
        freezes(watched, Rules.load(), day)
        rules = Safeguards.load()
        hours = Hours(ports.calendar, rules, await derivatives(broker, rules, day))
        own = hours.of_day(day, watched, int(self.settings.square_off_before_s * SECOND))
        first = watched if ports.pacer is not None else watched[:PART]
        fill_in(first, await self._patiently(lambda: broker.bands(first)))
        cash, known = await self._patiently(lambda: start_cash(journal, broker, day))
        slots = self.slots = [slot for strategy in self.strategies if (slot := self._slot(strategy, chosen))]
        setup = Setup(
            min(each.opens for each in own.values()), max(each.closes for each in own.values()), cash,
            self.settings.limits, list(self.settings.spans), f"P{self.settings.tag_salt}{day:%y%m%d}", hours=own,
            modifies=self.settings.modifies, exits=self.settings.exits,
        )  # fmt: skip
        changes = restore_limits(self.settings.limits, self._configured, journal, str(day), self._log.tell)
        keep_settings(journal, day, now, self.settings.ran)
        self.kernel = Kernel(setup, watched, slots, rates(ports.charges, watched, day))
        self.kernel.simulated = self.settings.simulated
        self.kernel.out.limit_only = self.settings.limit_only
        self.kernel.out.yields = self.settings.reconcile.yields
        self.kernel.begin(now)
        if ports.stamped:
            self.kernel.late_after = int(self.settings.late_after_s * SECOND)
        self.kernel.blind = True
        loop = self._build(hours)
        loop.changes, loop.configured = changes, self._configured
        self._restore(loop, midnight(day))
        spans = {int(slot.span) for slot in slots}
        await self._warm_up(loop, watched, spans, first)
        for slot in slots:
            if slot.stopped:  # by its own fault, in `follow` or while it was warmed up
                self._log.tell("alarm", "strategy_stopped", f"{slot.name} stopped: {slot.stopped}")
        loop.failures.look()
        self._loop = loop
        loop.stopping = self._stopping  # whoever asked for it so far had no loop to tell
        loop.gaps.tell_lacking()
        await self._reconcile(loop, None if known else day, actions)
        if self.settings.limit_only:
            self._log.tell("alarm", "broker", LIMIT_ONLY)
        loop.doubts = len(ports.calendar.doubts(day))
        for remark in ports.calendar.remarks(today):
            self._log.tell("warn", "calendar", remark)
        return loop, watched

    async def _warm_up(self, loop: Loop, watched: list[Instrument], spans: set[int], banded: list[Instrument]) -> None:
        """Read the history of everything in lockstep, else that of the first seconds; the rest follows beside the day."""
        ports = self.ports
        today = midnight(ist_day(ports.clock.now()))

        def keep(read: list[Bar]) -> None:
            if ports.keep_bars is not None:
                ports.keep_bars([bar for bar in read if bar.start >= today])
            if ports.keep_past is not None:
                ports.keep_past([bar for bar in read if bar.start < today])

        def take(each: Instrument, bars: list[Bar], read: list[Bar]) -> None:
            loop.publisher.bars(bars)
            keep(read)
            loop.gaps.history(bars, ports.clock.now(), [int(each.token)])
            loop.failures.look()

        if ports.pacer is not None:
            bars = await history(
                ports.broker, loop.hours, watched, spans, ports.clock, self._log.tell, daily(self.kernel)
            )
            self.kernel.warm(bars)
            loop.publisher.bars(bars)
            keep(bars)
            loop.gaps.history(bars, ports.clock.now())
            return
        loop.warming = WarmUp(
            self.kernel, ports.broker, loop.hours, ports.clock, spans, self._log.tell, take, ports.stored
        )
        await loop.warming.begin(watched, {int(each.token) for each in banded})

    async def _choose(self) -> tuple[list[Instrument], list[Instrument]]:
        """Return what the strategies may trade, and what is watched: whatever is held, then that.

        What the broker does not list today is left out, and told: a name may have changed overnight. Raises `DataError`
        where nothing is left, or more is named than the feed serves; of all shares the last ones are left out.
        """
        broker, journal = self.ports.broker, self.ports.journal
        named = [symbol for symbols in self.settings.subscriptions.values() for symbol in symbols]
        named += self.settings.modes
        listed = await self._patiently(lambda: broker.instruments("NSE"))
        chosen, missing = choose(listed, self.settings.watch, named)
        self._shares = ShareRegister(journal, listed)
        held, self._holdings = await also_held(broker, journal, self._shares, self._log.tell)
        held -= {int(i.token) for i in chosen}
        urgent = [i for i in listed if int(i.token) in held] + unlisted(journal, listed)
        if missing and not chosen and not urgent:
            raise DataError(no_such(missing))
        if missing:
            self._log.tell("alarm", "left_out", f"{no_such(missing)}: left out; mend the configuration")
        most, wanted = self.settings.most_watched - len(urgent), len(chosen)
        if wanted > most and self.settings.watch:
            raise DataError(f"the feed serves {self.settings.most_watched} instruments; name fewer in feed.watch")
        if wanted > most:
            chosen = chosen[:most]
            text = f"the feed serves {self.settings.most_watched} instruments: {wanted - most} of the {wanted} listed are not watched; name yours in feed.watch"
            self._log.tell("warn", "feed", text)
        return chosen, urgent + chosen

    def _restore(self, loop: Loop, start: int) -> None:
        """Bring back what the journal knows; the day begins at `start` (ns)."""
        for intent in restore(self.kernel, self.ports.journal, start, kept(self.ports.journal)):
            self.gateway.lookups.look_for(intent)
        orders = self.kernel.out.orders.values()
        for order in orders:
            if order.live and order.order_id and not order.proven:
                self.gateway.lookups.prove(int(order.intent), restored=True)
        loop.early = kept_fills(self.kernel, self.ports.journal, start)
        self._past = past(self.kernel, start, loop.early)
        for gtt in self.kernel.out.gtts.values():
            if gtt.live and gtt.gtt_id and not gtt.proven:
                self.gateway.lookups.prove(int(gtt.intent), restored=True)
        self.gateway.governor.orders_today = sum(1 for order in orders if order.tag and order.created >= start)
        for order in orders:
            if int(order.token) in self.kernel.markets:  # what was sold long ago may be listed no more
                loop.publisher.order(order)

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read something without which the day cannot open; ask a busy broker again, a second later."""
        clock = self.ports.clock
        for _ in range(OPENING_TRIES - 1):
            try:
                return await read()
            except RetryableError:
                if self.ports.pacer is not None:
                    raise
                await clock.sleep_until(clock.now() + SECOND)
        return await read()

    def _slot(self, strategy: Strategy, chosen: list[Instrument]) -> Slot | None:
        """Return a strategy's place in the kernel, None for one that cannot even say what it is called."""
        try:
            return Slot(strategy, self._tokens(strategy.name, chosen))
        except BaseException as error:  # noqa: BLE001  a strategy's fault stops that strategy, never the desk
            self._log.tell("alarm", "strategy_stopped", f"{type(strategy).__name__} stopped: {words(error)}")
            return None

    def _build(self, hours: Hours) -> Loop:
        settings, ports = self.settings, self.ports
        inbox: deque[object] = deque()
        self.gateway = Gateway(
            self.kernel, ports.broker, ports.journal, ports.clock, Governor(settings.rates), ports.kill,
            settings.patience, inbox.append, random.Random(settings.jitter),  # noqa: S311  waits, no secrets
            self._log.repeat,
        )  # fmt: skip
        books = Books(self.kernel, ports.broker, self.gateway, inbox.append)
        reconciler = Reconciler(
            self.kernel, ports.broker, ports.journal, ports.clock, self.board, settings.reconcile, self._shares
        )
        loop = Loop(
            self.kernel, self.gateway, books, inbox, self.board, self._log, ports.journal, ports.clock, ports.kill,
            hours, int(settings.stale_after_s * SECOND), reconciler, ports.keep_bars, stamped=ports.stamped,
        )  # fmt: skip
        loop.bands = BandWatch(
            self.kernel, ports.broker, ports.clock, inbox.append, loop.log.tell, int(settings.bands_every_s * SECOND)
        )
        standing = ports.consents() is not False
        if not standing:
            self._log.tell("warn", "unauthorised", NO_STANDING)
        watch = DepositoryWatch(self.kernel, self._log.tell, self.gateway.unauthorised, standing=standing)
        reconciler.readers.append(watch.look)
        loop.asks, loop.margins = self._asks, ports.margins
        if ports.record is not None:
            loop.recording = Recording(ports.record, self.kernel, settings.mode, settings.spans)
        return loop

    def _tokens(self, strategy: str, watched: list[Instrument]) -> list[int]:
        symbols = self.settings.subscriptions.get(strategy, ())
        return [int(i.token) for i in watched if (i.symbol in symbols if symbols else self._tradable(i))]

    def _tradable(self, instrument: Instrument) -> bool:
        """Tell whether a strategy that names nothing trades an instrument: no index, and nothing that is only watched."""
        return instrument.kind != "INDEX" and instrument.symbol not in self.settings.modes

    async def _reconcile(self, loop: Loop, begins: date | None, actions: Actions | None) -> None:
        """Read the books until nothing is unknown, compare them, and open the desk, or open it read-only.

        `begins` is the day whose first cash is still to be found, None where it is known.
        """
        await self._resolve(loop)
        if loop.stopping:
            return
        self._divide(loop, actions)
        if begins is not None:
            await self._begin_cash(loop, begins)
        clock = self.ports.clock
        lockstep = self.ports.pacer is not None
        if await loop.reconciler.look(at_once=lockstep) and not lockstep:
            await clock.sleep_until(clock.now() + SOON)
            await loop.books.look(gtts=True)
            loop.turn()
            await loop.reconciler.look()
        loop.compare_soon = bool(loop.reconciler.unreadable)
        loop.reconciled()
        self._opened = True
        self.ports.journal.append("meta", {"key": "opened", "value": str(clock.now())})
        loop.turn()

    def _divide(self, loop: Loop, actions: Actions | None) -> None:
        """Carry what was split or multiplied over night over to its new shares and prices, and hold what may have been."""
        now, journal = self.ports.clock.now(), self.ports.journal
        day = ist_day(now)
        loop.flags = ex_dates(actions, day, self.kernel, self._log.tell)  # of what stood in the evening
        for division, text in recognise(
            self.kernel, actions, self._holdings, loop.reconciler, opened_before(journal, day), day, now
        ):
            symbol = self.kernel.markets[division.token].instrument.symbol
            loop.inbox.append(loop.reconciler.divided(division, symbol))
            self._log.tell("alarm", "divided", text)
        loop.turn()

    async def _begin_cash(self, loop: Loop, day: date) -> None:
        """Let the day begin with what the broker had before it: stops may have fired since, and their sales are booked by now.

        What he has is asked for between two looks that find the same trades.
        """
        ledger, booked = self.kernel.ledger, -1
        cash = int(ledger.start_cash)
        for _ in range(OPENING_TRIES):
            if len(loop.early) in {0, booked}:
                break
            booked = len(loop.early)
            with suppress(RetryableError, OperatorError):
                cash = await self.ports.broker.funds()
            await loop.books.look()
            loop.turn()
        ledger.deposit(cash - moved(loop.early) - int(ledger.start_cash))
        keep_start_cash(self.ports.journal, day, int(ledger.start_cash))

    async def _resolve(self, loop: Loop) -> None:
        """Look at the books until the outcome of every request of an earlier run is known, and what has become of it since."""
        clock, lookups = self.ports.clock, self.gateway.lookups
        while not loop.stopping:
            sought = lookups.seeking
            if await loop.books.look(gtts=True):
                loop.turn()
                if not lookups.seeking and (not sought or self.ports.pacer is not None):
                    return
            if not self._opened and isinstance(loop.books.error, OperatorError):
                raise loop.books.error
            if self.ports.pacer is not None:
                raise BusyError("an exchange in lockstep cannot be joined in the middle of a request; start it anew")
            loop.publish(final=True)
            due = self.gateway.look_due() or clock.now() + SECOND
            await clock.sleep_until(max(due, clock.now() + SECOND // 20))

    # figures

    def facts(self) -> dict[str, object]:
        """Return the day so far in figures; money in paise. Orders are those that the exchange has taken."""
        kernel, ledger = self.kernel, self.kernel.ledger
        orders, fills = taken(kernel)
        return {
            "digest": kernel.digest(),
            "orders": orders - self._past[0],
            "fills": fills - self._past[1],
            "round_trips": int(kernel.round_trips),
            "gross": int(ledger.net - kernel.before + ledger.charges),
            "charges": int(ledger.charges),
            "net": int(ledger.net - kernel.before),
            "start_cash": int(ledger.start_cash),
            "end_cash": int(ledger.cash),
            "open_positions": int(kernel.open_positions()),
            "naked_positions": int(kernel.naked()),
            "halted": self.ports.kill.latched,
            "refused": int(kernel.refused),
            "unknown": self.gateway.lookups.unknown,
            "ticks": int(kernel.ticks),
            "bars": int(kernel.bar_count),
        }

    def describe(self) -> str:
        """Return the state as one line of JSON, for `patang status`; safe from any thread."""
        header, latch = self.board.header, self.ports.kill.latch
        return json.dumps({
            "mode": header.mode, "state": header.state, "now": header.now, "phase": header.phase,
            "pnl": header.pnl, "charges": header.charges, "cash": header.cash, "naked": header.naked, "login": header.login, "overdue": list(self._loop.overdue) if self._loop else [],
            "kill": latch.level if latch else "", "kill_reason": latch.reason if latch else "",
            "clock_off_ms": self._clock_off(), "feed_age_ms": header.feed_age // 1_000_000, "feed_lag_ms": header.feed_lag // 1_000_000, "positions": len(self.board.positions.rows),
            "orders": len(self.board.orders.rows),
            "governor": governor_fields(self.board.governor), "differences": [*self._loop.differences, *self._loop.holds.values()] if self._loop else [],
            "ex_dates": list(self._loop.flags) if self._loop else [],
            "failed": [row.strategy for row in self.board.failures.rows[:]],
        })  # fmt: skip

    def _clock_off(self) -> int | None:
        """Return by how many ms the desk's clock is ahead of the exchange's by its latest answers, None where nobody knows."""
        keeper = self._loop.timekeeper if self._loop else None
        offset = keeper.offset if keeper is not None else None
        return None if offset is None else offset // 1_000_000


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def _first(error: BaseException) -> BaseException:
    """Return what a task group wraps."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
