"""The engine's face: one thread that runs a trading day, its board, and its few requests."""

import asyncio
import itertools
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import TypeVar

from compiled.model.events import AddedInstrument, FeedStatus
from compiled.model.values import MINUTE, NEVER, SECOND, Bar, Instrument
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.strategy import Strategy
from compiled.trading.strategy_host import error_text
from engine.board.event_log import EventLog
from engine.board.risk_view import governor_fields
from engine.board.strategy_view import strategy_fields
from engine.board_rows import Board
from engine.board_writer import BoardWriter
from engine.books.depository import NO_STANDING, DepositoryWatch
from engine.books.share_divisions import kept_divisions, last_opening_day, recognise_divisions
from engine.books.share_register import ShareRegister
from engine.config.risk_limits import current_limits
from engine.day.day_loop import OPERATOR, DayLoop, DeskAlarm, NotedAct, NumberedRequest
from engine.day.desk_clocks import SteppedClock
from engine.day.desk_pulses import OpeningFacts
from engine.day.opening import (
    DAY_SPAN,
    check_account,
    choose_instruments,
    daily_tokens,
    day_rates,
    derivative_names,
    earlier_counts,
    fill_in_freezes,
    flag_ex_dates,
    held_tokens,
    keep_settings,
    keep_start_cash,
    kept_fills,
    moved_cash,
    no_such_symbols,
    opening_cash,
    read_history,
    taken_counts,
    unlisted_instruments,
)
from engine.day.pacing import LockstepDay, run_live, run_night
from engine.day.price_bands import BandWatch, fill_in_bands
from engine.day.warm_up import PART, WarmUp
from engine.day.watched_instruments import (
    OTHER_EXCHANGES,
    WatchedInstruments,
    kept_changes,
    listed_elsewhere,
    tradable,
)
from engine.engine_settings import DayTerms, EnginePorts, EngineSettings
from engine.errors import BusyError, DataError, OperatorError, PatangError, RetryableError
from engine.history.feed_recording import FeedRecording
from engine.live_pulses import live_pulses, times_fields, worst_feeds
from engine.manual.day_limits import listed_limits, restore_limits
from engine.manual.reasons import LIMIT_ONLY
from engine.manual.strategy_acts import restored_strategies
from engine.market.calendar import ist_day, midnight
from engine.market.corporate_actions.action_list import CorporateActions
from engine.market.instrument_hours import InstrumentHours
from engine.market.instrument_search import FoundInstruments
from engine.market.order_rules import OrderRules
from engine.market.safeguards import TradingSafeguards
from engine.numbers import counted
from engine.operator_requests import EngineRequest, OperatorOutcome, ResumeRequest
from engine.ops.health_sources import HealthSources
from engine.orders.gateway import OrderGateway
from engine.orders.governor import Governor, rates_within
from engine.orders.killswitch import FLATTEN, HALT, KillLatch
from engine.orders.restore import restore_kernel
from engine.orders.strategy_days import StrategyDay, kept_strategy_days
from engine.ports import BrokerHolding, Failure
from engine.reconcile.poller import BrokerPoller
from engine.reconcile.reconciler import SOON, Reconciler

__all__ = ["Desk", "EnginePorts", "EngineSettings"]

# Zerodha takes 5,000 orders a day.
TAG_DIGITS = 6
"""Of a tag's intent: more than a day's orders have."""
OPENING_TRIES = 5
REST = 30 * MINUTE
"""How long after the last order of the day is done the desk still looks at the books."""
BEFORE_OPENING = 15 * MINUTE
"""How long before the next day's first phase the desk opens it."""
NEXT_DAY = "next_day"
"""What events and the audit call a change of what is promoted."""
NOT_EVALUATED = "not_evaluated"
"""What the event is called that says which of it nobody has evaluated for a week."""
SEARCH_S = 20.0
"""How long a first search waits for the lists of instruments."""
T = TypeVar("T")


class Desk:
    """Runs in a thread of its own from `start` to `join`; never waits for a screen.

    `failure` is called with the error that ended the thread, after the kill switch has been
    latched.
    """

    def __init__(
        self,
        settings: EngineSettings,
        ports: EnginePorts,
        strategies: Sequence[Strategy],
        failure: Failure,
        board: Board,
    ) -> None:
        self.settings = settings
        self.ports = ports
        self.strategies = list(strategies)
        self.board = board
        self._writer = BoardWriter(board)
        self.spans = settings.spans
        self.error: BaseException | None = None
        self.done = threading.Event()
        self._configured = current_limits(settings.limits)
        self.slots: list[StrategyState] = []
        """What the strategies of the day run in."""
        self.kernel: Kernel
        self.gateway: OrderGateway
        self._shares: ShareRegister
        self._listed: list[Instrument] = []
        """NSE's instruments of the day."""
        self._added: set[int] = set()
        """Tokens that came under watch while an earlier start of the day ran."""
        self._log = EventLog(ports.journal, ports.clock, ports.note_event)
        self._failure = failure
        # Taken from any thread: `next` of a count is atomic under the interpreter's lock.
        self._numbers = itertools.count(1)
        self._health = ports.health or HealthSources()
        self._requests: deque[NumberedRequest] = deque()
        self._outcomes: dict[int, OperatorOutcome] = {}
        self._stopping = False
        self._holdings: list[BrokerHolding] = []
        """What the broker held when the day was opened, by our tokens."""
        self._past = (0, 0)
        """Orders and fills of earlier days."""
        self._opened = False
        self._loop: DayLoop | None = None
        self._events: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run_thread, name="engine", daemon=True)
        # The latch may be pulled by any thread while the loop naps.
        ports.kill.listeners.append(lambda _: self._wake_loop())

    # what anyone may ask, from any thread

    @property
    def opened(self) -> bool:
        """Return whether it has met the broker and begun to trade."""
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
        """Ask for an orderly end: no cancellations, protection stays, the journal is written."""
        self._stopping = True
        self._wake_loop()

    def kill(self, flatten: bool, reason: str, who: str = "screen") -> None:
        """Latch the kill switch at once; does not go through the event loop."""
        self.ports.kill.trigger(FLATTEN if flatten else HALT, reason, who)

    def alarm(self, text: str) -> None:
        """Have a line shown and written down as an alarm as soon as the engine turns."""
        self._queue(DeskAlarm(text))

    def resume(self, reason: str, who: str) -> KillLatch | None:
        """Unlatch the kill switch; return the latch."""
        old = self.ports.kill.resume(reason, who)
        if old is not None:
            self._queue(ResumeRequest(reason, who))
        return old

    def submit(self, request: EngineRequest, who: str = OPERATOR) -> int:
        """Queue a request for the engine; return the number under which it answers."""
        return self._queue(request, who)

    def note_act(self, who: str, act: str, detail: str) -> None:
        """Have an act that is none of the engine's written into the audit log."""
        self._queue(NotedAct(act, detail), who)

    def _queue(
        self, request: EngineRequest | ResumeRequest | DeskAlarm | NotedAct, who: str = OPERATOR
    ) -> int:
        number = next(self._numbers)
        self._requests.append(NumberedRequest(number, request, who))
        self._wake_loop()
        return number

    def outcome(self, number: int) -> OperatorOutcome | None:
        """Return the outcome of a request, None while it is pending."""
        return self._outcomes.get(number)

    def limits(self) -> dict[str, object]:
        """Return every limit with its configured value; safe from any thread."""
        changes = self._loop.changes if self._loop else {}
        return {
            "mode": self.board.header.mode,
            "limits": listed_limits(self.settings.limits, self._configured, changes),
        }

    def differences(self) -> dict[str, object]:
        """Return the differences between the broker's books and ours; safe from any thread."""
        header, rows = self.board.header, self.board.differences.rows[:]
        return {
            "mode": header.mode,
            "state": header.state,
            "differences": [row._asdict() for row in rows],
        }

    def list_strategies(self) -> dict[str, object]:
        """Return every strategy with state, P&L and parameters; safe from any thread."""
        board = self.board
        parameters = board.parameters.rows[:]
        return {
            "mode": board.header.mode,
            "strategies": [
                strategy_fields(row, [each for each in parameters if each.strategy == row.name])
                for row in board.strategies.rows[:]
            ],
        }

    def watched(self) -> dict[str, object]:
        """Return the instruments under watch; safe from any thread."""
        return {
            "mode": self.board.header.mode,
            "watched": [
                {
                    name: getattr(row, name)
                    for name in ("symbol", "exchange", "kind", "ltp", "change")
                }
                for row in self.board.watch.rows[:]
            ],
        }

    def price_alerts(self) -> dict[str, object]:
        """Return the price alerts; safe from any thread."""
        rows = self.board.alerts.rows[:]
        return {"mode": self.board.header.mode, "alerts": [row._asdict() for row in rows]}

    def search(self, text: str, most: int) -> FoundInstruments:
        """Look for instruments over all that the desk can trade; for any thread but the engine's.

        The first search waits while the lists of all exchanges are read. Raise `BusyError` before
        the desk has opened, or where that takes too long.
        """
        watching = self._loop.watching if self._loop else None
        if watching is None or self._events is None:
            raise BusyError("the desk is still opening")
        index = watching.search
        if index is None:
            asked = asyncio.run_coroutine_threadsafe(watching.search_index(), self._events)
            try:
                index = asked.result(SEARCH_S)
            except TimeoutError:
                raise BusyError("the lists of instruments are being read: try again") from None
        return index.find(text, most)

    def _wake_loop(self) -> None:
        loop, events = self._loop, self._events
        if loop is None or events is None or events.is_closed():
            return
        loop.stopping = self._stopping
        events.call_soon_threadsafe(loop.wake.set)

    # the thread

    def _run_thread(self) -> None:
        self._writer.claim()
        try:
            asyncio.run(self.run())
        except BaseException as error:  # noqa: BLE001  a thread's main: an exit or a cancellation that nobody asked for
            self._end_run(error)

    async def run(self) -> None:
        """Run its day, or its days, on the calling event loop.

        An early end is logged, kept in `error`, and latches the switch. A cancellation is passed
        on: the owner of the loop knows whether it was meant.
        """
        self._writer.claim()
        self._writer.replace_header(self.board.header._replace(speed=self.settings.speed))
        try:
            await self._run_days()
        except Exception as error:  # noqa: BLE001  nothing dies quietly
            self._end_run(_unwrapped_error(error))
        else:
            self._end_run(None)

    def _end_run(self, error: BaseException | None) -> None:
        """Have the engine be over: as it should be, or of an error."""
        if self.done.is_set():
            return
        if error is not None:
            self.error = error
            # Before it has opened it has sent nothing: a latch would only have to be released
            # again.
            if self._opened:
                self.ports.kill.trigger(HALT, f"the engine died: {error_text(error)}", "engine")
            self._failure("engine", error)
        state = "stopped" if error is None else "failed"
        self._writer.replace_header(self.board.header._replace(state=state))
        self.done.set()

    async def _run_days(self) -> None:
        self._events, ports = asyncio.get_running_loop(), self.ports
        try:
            lockstep = await self._take_exchange_clock()
            first = await self._open_day()
            opened: tuple[DayLoop, list[Instrument]] | None = first
            async with asyncio.TaskGroup() as tasks:
                throughout = [tasks.create_task(work) for work in ports.throughout(first[0])]
                try:
                    while opened is not None:
                        await self._run_day(*opened, lockstep)
                        opened = await self._open_next_day()
                finally:
                    _cancel_tasks(throughout)
        finally:
            if ports.pacer is not None:
                await ports.pacer.close()
            await ports.broker.close()

    async def _run_day(
        self, loop: DayLoop, watched: list[Instrument], lockstep: SteppedClock | None
    ) -> None:
        """Live an opened day to its end, and the night after it."""
        settings, ports = self.settings, self.ports
        if loop.recording is not None:
            loop.recording.begin_day(ports.clock.now())
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(work) for work in ports.beside(loop)]
            feed = tasks.create_task(ports.feed.run(loop))
            session = [feed]
            if loop.warming is not None:
                session.append(tasks.create_task(loop.warming.keep_warming()))
            daily = [*session]
            try:
                narrow = await self._subscribe_feed(watched)
                if lockstep is not None and ports.pacer is not None:
                    steps = LockstepDay(loop, ports.pacer, ports.feed, lockstep, ports.control)
                    if ports.script is not None:
                        await steps.follow_script(ports.script)
                    else:
                        await steps.run(len(watched) - len(narrow))
                else:
                    daily.append(tasks.create_task(self.gateway.run(settings.lanes)))
                    session.append(tasks.create_task(self._widen_subscriptions(narrow)))
                    rest, opens = self._night_times(loop, watched)
                    await run_live(
                        loop,
                        int(settings.gateway.poll_s * SECOND),
                        int(settings.gateway.positions_every_s * SECOND),
                        settings.beat_s,
                        rest,
                    )
                    if not loop.stopping:
                        _cancel_tasks(session)
                        loop.state = "closed"
                        loop.reconciler.rest_until_opening()
                        await run_night(loop, opens, settings.beat_s)
            finally:
                loop.state = "stopping"
                _cancel_tasks([*daily, *beside])
        # After the tasks are gone: nothing sends or books any more while the last rows are written.
        await loop.finish()

    async def _subscribe_feed(self, watched: list[Instrument]) -> set[int]:
        """Subscribe everything in its mode.

        Return the tokens that are not in the fullest: those only watched.
        """
        feed, settings = self.ports.feed, self.settings
        traded = {token for slot in self.kernel.state.slots for token in slot.tokens}
        # What was added by hand shows its book as well.
        traded |= self._added
        traded |= {int(ladder.instrument.token) for ladder in self.kernel.state.ladders.values()}
        modes = {
            int(i.token): settings.modes.get(i.symbol, settings.watch_mode)
            for i in watched
            if int(i.token) not in traded
        }
        await feed.subscribe(
            int(i.token) for i in watched if modes.get(int(i.token), "full") == "full"
        )
        # Full first: what is traded must hear before what is only watched.
        for mode in ("quote", "ltp"):
            if tokens := [token for token, asked in modes.items() if asked == mode]:
                await feed.subscribe(tokens, mode)
        return {token for token, mode in modes.items() if mode != "full"}

    async def _widen_subscriptions(self, narrow: set[int]) -> None:
        """Widen the subscription of a watched instrument as soon as it is traded or taken on."""
        clock = self.ports.clock
        while narrow:
            held = {token for token in narrow if self.kernel.state.markets[token].ladders}
            if held:
                await self.ports.feed.subscribe(held)
                narrow -= held
            await clock.sleep_until(clock.now() + SECOND)

    def _night_times(self, loop: DayLoop, watched: list[Instrument]) -> tuple[int, int]:
        """Return when the day may rest and the next one opens (ns UTC), never for the last."""
        if self.ports.tomorrow is None:
            return loop.ends + REST, NEVER
        day = ist_day(self.ports.clock.now())
        try:
            first = min(loop.hours.session_after(day, each).phases[0].start for each in watched)
        except DataError as error:
            self._log.add_event("warn", "opening", f"the desk will not open another day: {error}")
            return loop.ends + REST, NEVER
        return loop.ends + REST, first - BEFORE_OPENING

    async def _open_next_day(self) -> tuple[DayLoop, list[Instrument]] | None:
        """Open the next day, however often that has to be tried.

        Return None where there is none, or when stopped.
        """
        tomorrow, clock = self.ports.tomorrow, self.ports.clock
        while tomorrow is not None and not self._stopping:
            self.strategies = list(tomorrow())
            try:
                return await self._open_day()
            except PatangError as error:
                self._log.add_repeated("alarm", "opening", f"the day cannot be opened yet: {error}")
            # A minute between two tries; looked at every second, so that a stop is heeded.
            again = clock.now() + MINUTE
            while clock.now() < again and not self._stopping:
                await clock.sleep_until(min(again, clock.now() + SECOND))
        return None

    async def _take_exchange_clock(self) -> SteppedClock | None:
        """Set the clock to an exchange that waits for us.

        Return it, None for one that runs by itself.
        """
        clock, pacer = self.ports.clock, self.ports.pacer
        if pacer is None:
            return None
        if not isinstance(clock, SteppedClock):
            raise TypeError("a pacer needs a stepped clock")
        clock.set(await pacer.start())
        return clock

    # opening

    async def _open_day(self) -> tuple[DayLoop, list[Instrument]]:
        """Meet the broker, build the kernel, restore the journal, warm up, reconcile.

        A desk that will open another day opens a holiday as the evening of the last trading day.
        """
        ports, now = self.ports, self.ports.clock.now()
        broker, journal = ports.broker, ports.journal
        self._writer.set_opening("asking the broker for the account")
        terms = self._take_terms()
        # Before anything else: a journal of another account would make its positions ours.
        check_account(journal, await self._read_patiently(broker.account))
        today = ist_day(now)
        day = ports.calendar.latest_trading_day(today)
        # A desk of one day has nothing to do on a holiday.
        if day != today and ports.tomorrow is None:
            raise DataError(f"{today} is no trading day: the exchange is closed")
        actions = (
            CorporateActions.load(self.settings.actions)
            if self.settings.actions is not None
            else None
        )
        self._writer.set_opening("reading the list of instruments")
        chosen, watched = await self._choose_watched()
        self._writer.set_opening(f"reading prices of {counted(len(watched), 'instrument')}")
        fill_in_freezes(watched, OrderRules.load(), day)
        rules = TradingSafeguards.load()
        hours = InstrumentHours(ports.calendar, rules, await derivative_names(broker, rules, day))
        own = hours.hours_of_day(day, watched, int(self.settings.square_off_before_s * SECOND))
        first = watched if ports.pacer is not None else watched[:PART]
        # Quotes are read for the first part alone; the rest follows with the warm-up, beside the
        # day.
        fill_in_bands(first, await self._read_patiently(lambda: broker.bands(first)))
        cash, known = await self._read_patiently(lambda: opening_cash(journal, broker, day))
        days = kept_strategy_days(journal, str(day))
        # Before anything is shown to them: after a restart they go on as the operator left them.
        self.strategies = restored_strategies(
            self.strategies, ports.workshop, days, self._log.add_event
        )
        slots = self.slots = [
            slot for strategy in self.strategies if (slot := self._strategy_state(strategy, chosen))
        ]
        limits, prefix = self.settings.rules, f"P{self.settings.tag_salt}{day:%y%m%d}"
        # A tag that comes back cut proves nothing: an order of unknown outcome could never be
        # found.
        if limits.tag_length < len(prefix) + TAG_DIGITS:
            raise OperatorError(
                f"the broker's books return {limits.tag_length} characters of a tag: too few to "
                "tell orders by"
            )
        setup = KernelSetup(
            min(each.opens for each in own.values()),
            max(each.closes for each in own.values()),
            cash=cash,
            limits=self.settings.limits,
            spans=list(self.settings.spans),
            tag_prefix=prefix,
            hours=own,
            modifies=min(self.settings.governor.modifies_per_order, limits.modifications),
            exits=self.settings.exits,
        )
        changes = restore_limits(
            self.settings.limits, self._configured, journal, str(day), self._log.add_event
        )
        keep_settings(journal, day, now, self.settings.ran)
        self.kernel = Kernel(setup, watched, slots, day_rates(ports.charges, watched, day))
        self.kernel.state.simulated = self.settings.simulated
        self.kernel.order_store.limit_only = limits.limit_only
        self.kernel.order_store.trigger_distance = limits.trigger_distance.with_clearance()
        self.kernel.order_store.bound_gtts(limits.active_gtts(day))
        self.kernel.order_store.yields_to_others = self.settings.reconcile.edited_stop == "tighter"
        self.kernel.order_store.begin_moment(now)
        if ports.has_receipt_times:
            self.kernel.state.late_after = int(self.settings.late_after_s * SECOND)
        # Until the books have been read and agree, nothing may enter.
        self.kernel.state.is_blind = True
        loop = self._build_loop(hours, days)
        loop.changes, loop.configured = changes, self._configured
        self._restore_journal(loop, midnight(day))
        # A chart begins with the session before in every span, not in those of strategies alone.
        charted = {span for span in self.settings.spans if span < DAY_SPAN}
        spans = {int(slot.span) for slot in slots} | charted
        await self._warm_up_strategies(loop, watched, spans, first)
        for slot in slots:
            if slot.error is not None:  # its own, in `follow` or while it was warmed up
                self._log.add_event(
                    "alarm", "strategy_stopped", f"{slot.name} stopped: {slot.stopped}"
                )
        loop.failures.record_new()
        self._loop = loop
        loop.stopping = self._stopping  # whoever asked for it so far had no loop to tell
        loop.watching = self._watch_instruments(loop)
        loop.kernel_view.hide(loop.watching.hidden)
        loop.gaps.tell_lacking()
        self._writer.set_opening("comparing the books with the broker's")
        await self._reconcile_books(loop, None if known else day, actions)
        if limits.limit_only:
            self._log.add_event("alarm", "broker", LIMIT_ONLY)
        loop.doubts = len(ports.calendar.doubts(day))
        remarks = tuple(ports.calendar.remarks(today))
        overdue = terms.overdue if terms is not None else ""
        loop.health.facts = OpeningFacts(now, remarks, overdue)
        for remark in remarks:
            self._log.add_event("warn", "calendar", remark)
        if terms is not None:
            self._tell_changes(terms)
        return loop, watched

    def _watch_instruments(self, loop: DayLoop) -> WatchedInstruments:
        """Return what adds instruments to the day."""
        ports, settings = self.ports, self.settings

        def take(event: AddedInstrument | FeedStatus) -> None:
            loop.inbox.append(event)
            loop.turn()

        made = WatchedInstruments(
            self.kernel,
            ports.broker,
            feed=ports.feed,
            journal=ports.journal,
            clock=ports.clock,
            hours=loop.hours,
            gaps=loop.gaps,
            charges=ports.charges,
            log=self._log,
            listed=self._listed,
            most=settings.rules.instruments,
            early=int(settings.square_off_before_s * SECOND),
            take=take,
        )
        made.warming = loop.warming
        if ports.script is not None:
            made.why_fixed = "a recording has the instruments that were recorded, and no others"
        elif ports.pacer is not None:
            made.why_fixed = "a day in lockstep keeps the instruments that it began with"
        return made

    def _take_terms(self) -> DayTerms | None:
        """Take what the strategies of the day come with: symbols, and limits as configured."""
        if self.ports.terms is None:
            return None
        terms = self.ports.terms()
        self.settings = replace(self.settings, subscriptions=terms.subscriptions, ran=terms.ran)
        self._configured = current_limits(terms.limits)
        return terms

    def _tell_changes(self, terms: DayTerms) -> None:
        """Tell and write down what is promoted now and was not, and the other way round."""
        journal, now = self.ports.journal, self.ports.clock.now()
        if terms.fault:
            self._log.add_event("alarm", NEXT_DAY, f"next day: {terms.fault}")
        if terms.overdue:
            self._log.add_event("warn", NOT_EVALUATED, f"next day: {terms.overdue}")
        for change in terms.changes:
            held = self._held_text(change.name) if change.sign == "-" else ""
            self._log.add_event("warn" if held else "info", NEXT_DAY, f"next day: {change}{held}")
            journal.append(
                "audit", {"ts": now, "who": "desk", "act": NEXT_DAY, "detail": f"{change}{held}"}
            )
        terms.opened()

    def _held_text(self, strategy: str) -> str:
        """Return what a strategy that has gone still holds."""
        held = [
            f"{sum(int(rung.quantity) for rung in ladder.rungs)} {ladder.instrument.symbol}"
            for ladder in self.kernel.state.ladders.values()
            if ladder.strategy == strategy
        ]
        return f"; it holds {', '.join(held)}" if held else ""

    async def _warm_up_strategies(
        self, loop: DayLoop, watched: list[Instrument], spans: set[int], banded: list[Instrument]
    ) -> None:
        """Read the history of everything in lockstep, else that of the first seconds.

        The rest follows beside the day.
        """
        ports = self.ports
        today = midnight(ist_day(ports.clock.now()))

        def keep(read: list[Bar]) -> None:
            if ports.keep_bars is not None:
                ports.keep_bars([bar for bar in read if bar.start >= today])
            if ports.keep_past is not None:
                ports.keep_past([bar for bar in read if bar.start < today])

        def tell_progress() -> None:
            cold = loop.warming.cold_count if loop.warming is not None else len(watched)
            text = f"reading history {len(watched) - cold}/{len(watched)}"
            self._writer.set_opening(text)

        tell_progress()

        def take(each: Instrument, bars: list[Bar], read: list[Bar]) -> None:
            loop.kernel_view.put_bars(bars)
            keep(read)
            loop.gaps.check_history(bars, ports.clock.now(), [int(each.token)])
            loop.failures.record_new()
            tell_progress()

        if ports.pacer is not None:
            bars = await read_history(
                ports.broker,
                loop.hours,
                instruments=watched,
                spans=spans,
                clock=ports.clock,
                tell=self._log.add_event,
                days=daily_tokens(self.kernel),
            )
            self.kernel.strategy_host.warm_up(bars)
            loop.kernel_view.put_bars(bars)
            keep(bars)
            loop.gaps.check_history(bars, ports.clock.now())
            return
        loop.warming = WarmUp(
            self.kernel,
            ports.broker,
            hours=loop.hours,
            clock=ports.clock,
            spans=spans,
            tell=self._log.add_event,
            take=take,
            stored=ports.stored,
        )
        await loop.warming.begin(watched, {int(each.token) for each in banded})

    async def _choose_watched(self) -> tuple[list[Instrument], list[Instrument]]:
        """Return the strategies' instruments, and the watched ones: positions, then those.

        Names that the broker does not list today are left out, and logged: one may have changed
        overnight. Raises `DataError` where nothing is left, or more is named than the feed serves;
        of all shares the last ones are left out.
        """
        broker, journal = self.ports.broker, self.ports.journal
        named = [symbol for symbols in self.settings.subscriptions.values() for symbol in symbols]
        named += self.settings.modes
        listed = await self._read_patiently(lambda: broker.instruments("NSE"))
        self._listed = listed
        chosen, missing = choose_instruments(listed, self.settings.watch, named)
        added, removed = await self._changed_watch(set(named))
        chosen = [each for each in chosen if each.symbol not in removed]
        self._shares = ShareRegister(journal, listed)
        held, self._holdings = await held_tokens(broker, journal, self._shares, self._log.add_event)
        held -= {int(i.token) for i in chosen}
        known = held | {int(i.token) for i in chosen}
        added = [each for each in added if int(each.token) not in known]
        # What is held comes first where the feed cannot serve everything: it has stops to trail.
        urgent = [i for i in listed if int(i.token) in held] + unlisted_instruments(journal, listed)
        if missing and not chosen and not urgent:
            raise DataError(no_such_symbols(missing))
        if missing:
            self._log.add_event(
                "alarm", "left_out", f"{no_such_symbols(missing)}: left out; mend the configuration"
            )
        added = added[: max(self.settings.rules.instruments - len(urgent), 0)]
        self._added = {int(each.token) for each in added}
        urgent = [*urgent, *added]
        most, wanted = self.settings.rules.instruments - len(urgent), len(chosen)
        if wanted > most and self.settings.watch:
            raise DataError(
                f"the feed serves {self.settings.rules.instruments} instruments; "
                f"name fewer in feed.watch"
            )
        if wanted > most:
            chosen = chosen[:most]
            text = (
                f"the feed serves {self.settings.rules.instruments} instruments: {wanted - most} "
                f"of the {wanted} listed are not watched; name yours in feed.watch"
            )
            self._log.add_event("warn", "feed", text)
        return chosen, urgent + chosen

    async def _changed_watch(self, named: set[str]) -> tuple[list[Instrument], set[str]]:
        """Return what an earlier start of the day has added, and the symbols it has taken off.

        A strategy's own instruments stay, whatever was taken off.
        """
        ports = self.ports
        if ports.pacer is not None:
            return [], set()
        changes = kept_changes(ports.journal, ist_day(ports.clock.now()))
        others = {exchange for exchange, _ in changes.added} & set(OTHER_EXCHANGES)
        everything = tradable(self._listed, await listed_elsewhere(ports.broker, sorted(others)))
        by_name = {(each.exchange, each.symbol): each for each in everything}
        added = [by_name[name] for name in changes.added if name in by_name]
        return added, {symbol for _, symbol in changes.removed} - named

    def _restore_journal(self, loop: DayLoop, start: int) -> None:
        """Bring back the journal's state; the day begins at `start` (ns)."""
        for intent in restore_kernel(
            self.kernel, self.ports.journal, start, kept_divisions(self.ports.journal)
        ):
            self.gateway.lookups.look_for(intent)
        orders = self.kernel.order_store.orders.values()
        for order in orders:
            if order.live and order.order_id and not order.proven:
                self.gateway.lookups.expect_proof(int(order.intent), restored=True)
        loop.early = kept_fills(self.kernel, self.ports.journal, start)
        loop.strategy_view.restore(self.ports.journal.load("decisions", "ts >= ?", (start,)))
        self._past = earlier_counts(self.kernel, start, loop.early)
        for gtt in self.kernel.order_store.gtts.values():
            if gtt.live and gtt.gtt_id and not gtt.proven:
                self.gateway.lookups.expect_proof(int(gtt.intent), restored=True)
        # The broker counts the account's day, not the process's.
        self.gateway.governor.orders_today = sum(
            1 for order in orders if order.tag and order.created >= start
        )
        for order in orders:
            # what was sold long ago may be listed no more
            if int(order.token) in self.kernel.state.markets:
                loop.kernel_view.put_order(order)
        for gtt in self.kernel.order_store.gtts.values():
            if gtt.live and int(gtt.token) in self.kernel.state.markets:
                loop.kernel_view.put_gtt(gtt)

    async def _read_patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read something without which the day cannot open.

        Ask a busy broker again, a second later.
        """
        clock = self.ports.clock
        for _ in range(OPENING_TRIES - 1):
            try:
                return await read()
            except RetryableError:
                if self.ports.pacer is not None:
                    raise
                await clock.sleep_until(clock.now() + SECOND)
        return await read()

    def _strategy_state(self, strategy: Strategy, chosen: list[Instrument]) -> StrategyState | None:
        """Return a strategy's place in the kernel, None for one that fails to name itself."""
        try:
            return StrategyState(strategy, self._subscribed_tokens(strategy.name, chosen))
        except BaseException as error:  # noqa: BLE001  a strategy's fault stops that strategy, never the desk
            self._log.add_event(
                "alarm",
                "strategy_stopped",
                f"{type(strategy).__name__} stopped: {error_text(error)}",
            )
            return None

    def _build_loop(self, hours: InstrumentHours, days: dict[str, StrategyDay]) -> DayLoop:
        settings, ports = self.settings, self.ports
        inbox: deque[object] = deque()
        self.gateway = OrderGateway(
            self.kernel,
            ports.broker,
            journal=ports.journal,
            clock=ports.clock,
            governor=Governor(rates_within(settings.governor, settings.rules)),
            kill=ports.kill,
            settings=settings.gateway,
            post=inbox.append,
            jitter=random.Random(settings.jitter),  # noqa: S311  waits, no secrets
            tell=self._log.add_repeated,
            products=settings.rules.products,
        )
        books = BrokerPoller(self.kernel, ports.broker, self.gateway, inbox.append)
        reconciler = Reconciler(
            self.kernel,
            ports.broker,
            journal=ports.journal,
            clock=ports.clock,
            writer=self._writer,
            settings=settings.reconcile,
            shares=self._shares,
        )
        loop = DayLoop(
            self.kernel,
            self.gateway,
            books=books,
            inbox=inbox,
            writer=self._writer,
            log=self._log,
            journal=ports.journal,
            clock=ports.clock,
            kill=ports.kill,
            hours=hours,
            stale_after=int(settings.stale_after_s * SECOND),
            reconciler=reconciler,
            keep_bars=ports.keep_bars,
            stamped=ports.has_receipt_times,
            workshop=ports.workshop,
            strategy_days=days,
        )
        loop.bands = BandWatch(
            self.kernel,
            ports.broker,
            clock=ports.clock,
            post=inbox.append,
            tell=loop.log.add_event,
            every=int(settings.bands_every_s * SECOND),
        )
        standing = ports.consents() is not False
        if not standing:
            self._log.add_event("warn", "unauthorised", NO_STANDING)
        watch = DepositoryWatch(
            self.kernel, self._log.add_event, self.gateway.unauthorised_tokens, standing=standing
        )
        reconciler.readers.append(watch.compare_holdings)
        loop.requests, loop.outcomes = self._requests, self._outcomes
        loop.refusal = settings.refusal
        loop.margins = ports.margins
        loop.health.sources = self._health
        if ports.record is not None:
            loop.recording = FeedRecording(
                ports.record,
                self.kernel,
                mode=settings.mode,
                broker=settings.broker,
                spans=settings.spans,
            )
        return loop

    def _subscribed_tokens(self, strategy: str, watched: list[Instrument]) -> list[int]:
        symbols = self.settings.subscriptions.get(strategy, ())
        return [
            int(i.token)
            for i in watched
            if (i.symbol in symbols if symbols else self._is_tradable(i))
        ]

    def _is_tradable(self, instrument: Instrument) -> bool:
        """Return whether a strategy that names nothing trades an instrument.

        It trades no index, and none that is only watched.
        """
        return instrument.kind != "INDEX" and instrument.symbol not in self.settings.modes

    async def _reconcile_books(
        self, loop: DayLoop, begins: date | None, actions: CorporateActions | None
    ) -> None:
        """Read the books until nothing is unknown, compare them, and open the desk.

        It opens read-only where they differ. `begins` is the day whose first cash is still to be
        found, None where it is known.
        """
        await self._resolve_unknown(loop)
        if loop.stopping:
            return
        self._apply_divisions(loop, actions)
        if begins is not None:
            await self._settle_start_cash(loop, begins)
        clock = self.ports.clock
        lockstep = self.ports.pacer is not None
        # A difference seen once may be on its way; a stepped exchange has nothing on its way.
        if await loop.reconciler.compare_once(at_once=lockstep) and not lockstep:
            await clock.sleep_until(clock.now() + SOON)
            await loop.poller.poll(gtts=True)
            loop.turn()
            await loop.reconciler.compare_once()
        loop.compare_soon = bool(loop.reconciler.unreadable)
        loop.apply_comparison()
        self._opened = True
        self.ports.journal.append("meta", {"key": "opened", "value": str(clock.now())})
        loop.turn()

    def _apply_divisions(self, loop: DayLoop, actions: CorporateActions | None) -> None:
        """Carry shares divided over night over to their new number and prices.

        Those that may have been divided are held.
        """
        now, journal = self.ports.clock.now(), self.ports.journal
        day = ist_day(now)
        # of what stood in the evening
        loop.flags = flag_ex_dates(actions, day, self.kernel, self._log.add_event)
        for division, text in recognise_divisions(
            self.kernel,
            actions,
            holdings=self._holdings,
            reconciler=loop.reconciler,
            last=last_opening_day(journal, day),
            day=day,
            now=now,
        ):
            symbol = self.kernel.view.instrument(division.token).symbol
            loop.inbox.append(loop.reconciler.record_division(division, symbol))
            self._log.add_event("alarm", "divided", text)
        loop.turn()

    async def _settle_start_cash(self, loop: DayLoop, day: date) -> None:
        """Let the day begin with the broker's cash before it.

        Stops may have fired since, and their sales are booked by now. The broker's cash is asked
        for between two looks that find the same trades.
        """
        ledger, booked = self.kernel.ledger, -1
        cash = int(ledger.start_cash)
        for _ in range(OPENING_TRIES):
            # The cash read between two looks that found the same trades belongs to those trades.
            if len(loop.early) in {0, booked}:
                break
            booked = len(loop.early)
            with suppress(RetryableError, OperatorError):
                cash = await self.ports.broker.funds()
            await loop.poller.poll()
            loop.turn()
        ledger.deposit(cash - moved_cash(loop.early) - int(ledger.start_cash))
        keep_start_cash(self.ports.journal, day, int(ledger.start_cash))

    async def _resolve_unknown(self, loop: DayLoop) -> None:
        """Look at the books until the outcome of every request of an earlier run is known.

        So are the events since.
        """
        clock, lookups = self.ports.clock, self.gateway.lookups
        while not loop.stopping:
            sought = lookups.is_seeking
            if await loop.poller.poll(gtts=True):
                loop.turn()
                if not lookups.is_seeking and (not sought or self.ports.pacer is not None):
                    return
            # A first opening has an operator before it, who can log in; over night the desk waits.
            if not self._opened and isinstance(loop.poller.error, OperatorError):
                raise loop.poller.error
            if self.ports.pacer is not None:
                raise BusyError(
                    "an exchange in lockstep cannot be joined in the middle of a request; start "
                    "it anew"
                )
            loop.publish(final=True)
            due = self.gateway.poll_due() or clock.now() + SECOND
            await clock.sleep_until(max(due, clock.now() + SECOND // 20))

    # figures

    def facts(self) -> dict[str, object]:
        """Return the day so far in figures; money in paise.

        Orders are those that the exchange has taken.
        """
        kernel, ledger = self.kernel, self.kernel.ledger
        orders, fills = taken_counts(kernel)
        return {
            "digest": kernel.digest(),
            # The kernel knows the orders of earlier days whose positions it still holds.
            "orders": orders - self._past[0],
            "fills": fills - self._past[1],
            "round_trips": int(kernel.state.round_trips),
            "gross": int(kernel.state.day_pnl + ledger.charges),
            "charges": int(ledger.charges),
            "net": int(kernel.state.day_pnl),
            "start_cash": int(ledger.start_cash),
            "end_cash": int(ledger.cash),
            "open_positions": int(kernel.view.open_positions()),
            "naked_positions": int(kernel.view.naked()),
            "halted": self.ports.kill.latched,
            "refused": int(kernel.state.refusal_count),
            "unknown": self.gateway.lookups.unknown,
            "ticks": int(kernel.state.tick_count),
            "bars": int(kernel.state.bar_count),
        }

    def describe(self) -> dict[str, object]:
        """Return the state, for `patang status`; safe from any thread."""
        header, latch = self.board.header, self.ports.kill.latch
        return {
            "mode": header.mode,
            "state": header.state,
            "now": header.now,
            "phase": header.phase,
            "pnl": header.pnl,
            "charges": header.charges,
            "cash": header.cash,
            "naked": header.naked,
            "login": header.login,
            "overdue": list(self._loop.overdue) if self._loop else [],
            "kill": latch.level if latch else "",
            "kill_reason": latch.reason if latch else "",
            "clock_off_ms": self._clock_offset_ms(),
            "feed_age_ms": header.feed_age // 1_000_000,
            "feed_lag_ms": header.feed_lag // 1_000_000,
            "positions": len(self.board.positions.rows),
            "orders": len(self.board.orders.rows),
            "governor": governor_fields(self.board.governor),
            "differences": [*self._loop.differences, *self._loop.holds.values()]
            if self._loop
            else [],
            "ex_dates": list(self._loop.flags) if self._loop else [],
            "failed": [row.strategy for row in self.board.failures.rows[:]],
            "attached": len(self.board.lookers),
            "pulses": [row._asdict() for row in live_pulses(self.board, self._beat_age())],
            "times_us": [times_fields(row) for row in self.board.latencies.rows[:] if row.number],
            "feed": [row._asdict() for row in worst_feeds(self.board)],
        }

    def _beat_age(self) -> int:
        """Return the age of the loop's last turn (ns), -1 before the first."""
        beat = self.board.heartbeat
        return self._health.steady() - beat if beat else -1

    def _clock_offset_ms(self) -> int | None:
        """Return the clock's lead over the exchange's in ms by its answers, None if unknown."""
        keeper = self._loop.timekeeper if self._loop else None
        offset = keeper.offset if keeper is not None else None
        return None if offset is None else offset // 1_000_000


def _cancel_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def _unwrapped_error(error: BaseException) -> BaseException:
    """Return the error a task group wraps."""
    # The first is the cause: the others are tasks that were cancelled for it.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
