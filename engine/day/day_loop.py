"""The loop's one turn: events to the kernel, its commands to the journal and the gateway."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine
from typing import NamedTuple, assert_never

from msgspec import structs

from compiled.market_data.tick_filter import TickFilter
from compiled.model.events import (
    AddedInstrument,
    FeedStatus,
    KernelAlert,
    KernelCommand,
    LimitHalt,
    OperatorAct,
    OperatorInstruction,
    PlaceOrder,
    ShareShortfall,
    TickBatch,
    TimerEvent,
)
from compiled.model.values import SECOND, Bar, Tick, stamp_ticks
from compiled.trading.kernel import Kernel
from compiled.trading.order_store import BookedFill
from compiled.trading.reports.gtt_reports import DISABLED, FIRED_AWAY
from engine.board.depth_view import DepthViews
from engine.board.event_log import FEED_CONNECTED, FEED_LOST, EventLog
from engine.board.kernel_view import KernelView
from engine.board.risk_view import RiskView
from engine.board.strategy_failures import StrategyFailures
from engine.board.strategy_view import StrategyView
from engine.board_rows import BoardHeader
from engine.board_writer import BoardWriter
from engine.config import risk_limits
from engine.day.charge_remarks import ChargeRemarks
from engine.day.dead_letters import AHEAD_S, DeadLetters
from engine.day.health_view import HealthView
from engine.day.price_alerts import PriceAlerts
from engine.day.price_bands import BandWatch
from engine.day.timekeeper import Timekeeper
from engine.day.warm_up import WarmUp
from engine.day.watched_instruments import WatchedInstruments
from engine.errors import ConfigError, PatangError
from engine.history.feed_recording import FeedRecording
from engine.history.minute_gaps import MinuteGaps
from engine.manual import day_limits
from engine.manual.manual_orders import ManualOrderDesk
from engine.manual.margin import Margins
from engine.manual.order_verdicts import SOON, OrderVerdicts
from engine.manual.position_desk import PositionDesk
from engine.manual.reasons import LIMIT_ONLY
from engine.manual.strategy_acts import StrategyActs, StrategyWorkshop
from engine.market.calendar import ist_day
from engine.market.instrument_hours import DayStage, InstrumentHours
from engine.market.session_table import CONTINUOUS
from engine.operator_requests import (
    AcknowledgeRequest,
    AddRungRequest,
    AlertRequest,
    CancelRequest,
    DecideRequest,
    DropAlertRequest,
    EngineRequest,
    ExitRequest,
    LimitRequest,
    ModifyRequest,
    OperatorOutcome,
    PlaceRequest,
    PreviewRequest,
    ResumeRequest,
    ReverseRequest,
    SetParametersRequest,
    StartStrategyRequest,
    StopRequest,
    StopStrategyRequest,
    StrategyRequests,
    UnwatchRequest,
    WatchRequest,
    done,
    refused,
    request_act,
)
from engine.orders.durable_journal import DISK_S
from engine.orders.gateway import OrderGateway
from engine.orders.killswitch import FLATTEN, HALT, KillLatch, KillSwitch
from engine.orders.records import JournalRecorder
from engine.orders.strategy_days import StrategyDay
from engine.ports import Clock, Journal
from engine.reconcile.poller import BrokerPoller
from engine.reconcile.reconcile_actions import ReconcileActions
from engine.reconcile.reconciler import Reconciler
from engine.system.latency_book import COMMAND, DECISION, EXCHANGE, PICTURE, QUEUE

FRAME = SECOND // 10
FINISH_S = 5.0
"""How long the last rows of a day are waited for."""
BY_HAND = "by hand"
"""The state of an open desk whose strategies do not enter: its broker takes LIMIT orders only."""
SESSION, BROKER = "session", "broker"
"""Names of the holds on entries without a session, and without answers of the broker."""
LEVELS = ("info", "fill", "warn", "alarm")
OPERATOR = "operator"
"""The author of what comes from the desk's own screen or from a shell."""
NOT_ON_DISK = "; the disk has not taken it yet, and a crash would lose it"
REFUSED = "refused"
"""The name of the kernel's alert of an entry or change that is not sent; others end with it."""


class DeskAlarm(NamedTuple):
    """A line that another thread wants shown and written down as an alarm."""

    text: str


class NotedAct(NamedTuple):
    """An act beside the engine that belongs on record, as that a screen was attached."""

    act: str
    detail: str


class NumberedRequest(NamedTuple):
    """A request that waits for the engine, and the number under which it answers.

    A resumption has happened by then: it is noted.
    """

    number: int
    request: EngineRequest | ResumeRequest | DeskAlarm | NotedAct
    who: str = OPERATOR
    """Its author, as the audit log names them."""


class DayLoop:
    """One opened day, on the engine's event loop except for appending to `requests`.

    It is the feed's sink. `stamped` says whether ticks come with their own time of receipt; in
    lockstep they happen when the exchange's clock says.
    """

    def __init__(
        self,
        kernel: Kernel,
        gateway: OrderGateway,
        books: BrokerPoller,
        inbox: deque[object],
        writer: BoardWriter,
        log: EventLog,
        journal: Journal,
        clock: Clock,
        kill: KillSwitch,
        hours: InstrumentHours,
        stale_after: int,
        reconciler: Reconciler,
        keep_bars: Callable[[list[Bar]], None] | None,
        *,
        stamped: bool,
        workshop: StrategyWorkshop | None = None,
        strategy_days: dict[str, StrategyDay] | None = None,
    ) -> None:
        self.kernel = kernel
        self.gateway = gateway
        self.poller = books
        self.inbox = inbox
        self.board_writer = log.board_writer = writer
        self.board = board = writer.board
        writer.begin_day()
        self.log = log
        self.journal = journal
        self.clock = clock
        self.kill = kill
        self.hours = hours
        self.ends = max(
            (int(i.hours.ends) for i in self.kernel.view.instruments()),
            default=int(kernel.state.close),
        )
        """When the last order of the day is done, ns UTC."""
        self.flags: tuple[str, ...] = ()
        """Effects of today's corporate actions on standing orders, a line each."""
        self.bands: BandWatch | None = None
        """Follows the price bands, where that has been handed in."""
        self.warming: WarmUp | None = None
        """Reads the history of what is cold, where that has been handed in."""
        self.timekeeper: Timekeeper | None = None
        """Compares our clock with the exchange's, where that has been handed in."""
        self.recording: FeedRecording | None = None
        """Notes what the kernel takes, where the feed is recorded."""
        self.doubts = 0
        """The number of unconfirmed changes of today's hours."""
        self.gaps = MinuteGaps(hours, self.kernel.view.instruments(), clock.now(), log.add_event)
        self.recorder = JournalRecorder(kernel, journal)
        self.screen = kernel.market_feed.tick_filter = TickFilter(
            AHEAD_S * int(max(1.0, board.header.speed)) * SECOND
        )
        self.dead_letters = DeadLetters(journal, log.add_event)
        self.risk_view = RiskView(writer, kernel, gateway, kill)
        self.configured: dict[str, float] = {}
        """The limits of the configuration."""
        self.order_desk = ManualOrderDesk(kernel)
        self.position_desk = PositionDesk(kernel, self.order_desk)
        self.verdicts = OrderVerdicts(books)
        self.failures = StrategyFailures(kernel.state.slots, writer, journal, clock)
        self.margins: Margins | None = None
        """Asks the broker what orders would block, where there is one to ask."""
        self.watching: WatchedInstruments | None = None
        """Adds instruments to the day, where that has been handed in."""
        self.alerts = PriceAlerts(kernel, writer, journal=journal, clock=clock, log=log)
        self._answering: set[asyncio.Task[None]] = set()
        self._remarks = ChargeRemarks(kernel, log.add_event)
        self.kernel_view = KernelView(writer, kernel, gateway, stale_after)
        self.depth_views = DepthViews(writer, kernel.order_store.orders.values)
        day = str(ist_day(int(kernel.state.open)))
        self.strategy_acts = StrategyActs(
            kernel, workshop, journal, day, strategy_days or {}, self.kernel_view.kept_bars
        )
        self.strategy_view = StrategyView(writer, kernel, self.strategy_acts)
        self.wake = asyncio.Event()
        self.requests: deque[NumberedRequest] = deque()
        self.outcomes: dict[int, OperatorOutcome] = {}
        """The outcomes of requests, by number."""
        self.refusal = ""
        """Why nothing is taken by hand; empty: it is."""
        self._author = OPERATOR
        """The author of the request that is being carried out."""
        self.changes: dict[str, day_limits.DayLimitChange] = {}
        """Limits the operator has changed today."""
        self.state = "reconciling"
        self.reconciler = reconciler
        self.reconcile_actions = ReconcileActions(
            reconciler, gateway, inbox.append, self._note_decision
        )
        self.fill_count = 0
        """How many trades have been booked since the desk opened."""
        self.early: list[BookedFill] = []
        """The trades of today that were booked before the desk opened."""
        self.differences: tuple[str, ...] = ()
        self.holds: dict[str, str] = {}
        """Why entries are held back besides, by name."""
        self.overdue: tuple[str, ...] = ()
        """Symbols of the intraday positions that have to be left and cannot be.

        Nothing reaches the broker.
        """
        self.has_hint = False
        self.compare_soon = False
        self.has_missed_events = False
        """Whether the feed was away: events meanwhile were missed."""
        self.is_feed_away = False
        self.hinted = 0
        """When the feed last told of an order (ns UTC), 0: not yet."""
        self.unheard_fills = 0
        """Fills booked since then."""
        self.stopping = False
        self._keep_bars = keep_bars
        self._stamped = stamped
        self._arrivals: deque[tuple[list[Tick], int, bytes, int]] = deque()
        self.times = gateway.times
        self.pace = max(1.0, board.header.speed)
        """How many ns of the desk's clock go by in one of the machine's, for its patience."""
        self._arrived = 0
        """When the oldest message of this turn came, monotonic ns."""
        self._tick_at = -1
        self._level = ""
        self._published = 0
        self._lag = 0
        """How late the feed is, ns; 0: it is not."""
        self._lag_looked = 0
        self._stage = DayStage("", 0, "")
        self.health = HealthView(self)

    # FeedSink

    def ticks(self, ticks: list[Tick], received: int, unread: bytes = b"") -> None:
        """Take the ticks of one message of the feed."""
        # Taken in the turn, not here: the socket's callback stays short, and ticks keep their order
        # with timers.
        self._arrivals.append((ticks, received, unread, self.times.steady()))
        self.wake.set()

    def hint(self, order_id: str) -> None:
        """Look at the books soon: something happened to this order."""
        # A hint is a reason to look, never an event: it may be lost, repeated or late (ADR 2).
        self.reconciler.note_order_event(order_id)
        self.hinted, self.unheard_fills = self.clock.now(), 0
        self.has_hint = True
        self.wake.set()

    def notice(self, level: str, text: str) -> None:
        """Show a notice of the broker or the feed."""
        self.log.add_event(level if level in LEVELS else "warn", "feed", text)

    def link(self, up: bool) -> None:
        """Hold entries back while the feed is lost; look and compare when it is back.

        Hints may have been missed.
        """
        if not up:
            self.inbox.append(FeedStatus(self.clock.now(), 0, live=False))
        if not up and self.state == "closed":
            self.log.add_event("info", "feed", "feed let go until the next day")
        else:
            self.log.add_event(
                "info" if up else "warn", "feed", FEED_CONNECTED if up else FEED_LOST
            )
        # Everything may have happened while the stream was away: look, and compare.
        self.has_hint = self.has_hint or up
        self.compare_soon = self.compare_soon or up
        self.has_missed_events = self.has_missed_events or (up and self.is_feed_away)
        self.is_feed_away = not up
        self.wake.set()

    # turning

    def turn(self) -> None:
        """Hand all events to the kernel, and pass on its commands."""
        while self.requests:
            self._answer_request(self.requests.popleft())
        # The latch before any price: an entry must not slip in between a kill and its turn.
        self.watch_latch()
        self._take_arrivals()
        while self.inbox:
            event = self.inbox.popleft()
            if self.recording is not None:
                self.recording.note_event(event)
            began = self.times.steady()
            commands = self.kernel.handle(event)
            decided = self.times.steady()
            self.times.steps[DECISION].add(decided - began)
            if commands and isinstance(event, TickBatch):
                self.times.steps[COMMAND].add(decided - self._arrived)
            # One event at a time: its rows and requests are on their way before the next is
            # handled.
            self._carry_out(commands)
            if isinstance(event, AddedInstrument) and self.watching is not None:
                self.watching.follow(event.instrument)
                self.alerts.resolve()
        self.alerts.look()
        if self.screen.dead:
            dead, self.screen.dead = self.screen.dead, []
            self.dead_letters.keep_ticks(dead)
        # Taken away before they are shown: whatever a receiver does, the kernel's list is empty
        # again.
        bars, self.kernel.market_feed.closed_bars = self.kernel.market_feed.closed_bars, []
        if bars:
            self.kernel_view.put_bars(
                self.warming.hold_back(bars) if self.warming is not None else bars
            )
            self.gaps.note_closed(bars)
            if self.recording is not None:
                self.recording.add_bars(bars)
            if self._keep_bars is not None:
                self._keep_bars(bars)
        now = self.clock.now()
        self._enter_reversed(now)
        self.gaps.check_minutes(now)
        verdicts, wanted = self.verdicts.due_verdicts(now)
        self.outcomes.update(verdicts)
        self.has_hint = self.has_hint or wanted

    def _take_arrivals(self) -> None:
        if not self._arrivals:
            return
        steps, now, self._arrived = self.times.steps, self.times.steady(), self._arrivals[0][3]
        while self._arrivals:
            ticks, received, unread, arrived = self._arrivals.popleft()
            steps[QUEUE].add(now - arrived)
            # In lockstep the machine's time would differ from run to run.
            self._tick_at = received if self._stamped else self.clock.now()
            if unread:
                self.dead_letters.keep_frame(unread, self._tick_at)
            if ticks:
                # Only the exchange's stamps are whole seconds; of a message one tells enough.
                if self._stamped and (stamp := ticks[-1].ts) and stamp % SECOND == 0:
                    steps[EXCHANGE].add(int((self._tick_at - int(stamp)) / self.pace))
                stamp_ticks(ticks, self._tick_at)
                self.depth_views.take_ticks(ticks)
                self.kernel_view.take_ticks(ticks)
                self.inbox.append(TickBatch(self._tick_at, ticks))
                if self.timekeeper is not None:
                    self.timekeeper.note_stamps(tick.ts for tick in ticks)

    def shift_clock(self, by: int) -> None:
        """Take note that the clock was set on by so many ns.

        Nothing has been silent, and nothing left, that long.
        """
        self.gateway.governor.shift_clock(by)
        self._tick_at += by if self._tick_at >= 0 else 0

    def _carry_out(self, commands: list[KernelCommand]) -> None:
        """Write changes down, then queue the requests that follow from them."""
        for order in self.kernel.order_store.changed_orders.values():
            self.kernel_view.put_order(order)
            self._remarks.look(int(order.token))
        for gtt in self.kernel.order_store.changed_gtts.values():
            self.kernel_view.put_gtt(gtt)
        refusals = iter(self.strategy_view.note_decisions())
        # Facts first: rows of the changes are handed to the journal before any request that follows
        # from them can leave.
        for fill in self.recorder.flush():
            self.unheard_fills += 1
            self.kernel_view.put_fill(fill)
            self.fill_count += 1
            if self.state == "reconciling":
                self.early.append(fill)
        for command in commands:
            if isinstance(command, KernelAlert):
                # The kernel reports a refusal with the decision that was refused, in their order.
                told = next(refusals, "") if command.name == REFUSED else ""
                self.log.add_repeated(
                    command.level,
                    command.name,
                    told or self._alert_text(command),
                    int(command.ts),
                    alike=_is_refusal(command),
                )
                self.failures.record_new()
                self.compare_soon = self.compare_soon or command.name in {FIRED_AWAY, DISABLED}
            # A limit of the kernel latches the switch itself: it outlives a restart, which the
            # kernel's own halt would not.
            elif isinstance(command, LimitHalt):
                self.kill.trigger(HALT, command.reason, "limit")
            else:
                self.gateway.put(command)

    def _alert_text(self, alert: KernelAlert) -> str:
        """Return the text of an alert with the symbol it is about."""
        market = self.kernel.state.markets.get(alert.token)
        symbol = market.instrument.symbol if market is not None else ""
        return alert.text if symbol in alert.text else f"{symbol}: {alert.text}"

    # the operator

    def watch_latch(self) -> None:
        """Bring the kernel in line with the kill switch."""
        latch = self.kill.latch
        level = latch.level if latch is not None else ""
        # The latch may fall in any thread; the kernel hears of it here, in its own.
        if level == self._level:
            return
        self._level = level
        now = self.clock.now()
        if latch is None:
            self.inbox.append(OperatorInstruction(now, OperatorAct.RESUME))
            return
        self.inbox.append(
            OperatorInstruction(
                now,
                OperatorAct.FLATTEN if level == FLATTEN else OperatorAct.HALT,
                reason=latch.reason,
            )
        )
        self._log_kill("latch", latch)
        self.log.add_event("alarm", "killed", f"{level}: {latch.reason} ({latch.who})")

    def _log_kill(self, act: str, latch: KillLatch) -> None:
        row: dict[str, object] = {
            "ts": latch.ts,
            "act": act,
            "level": latch.level,
            "reason": latch.reason,
            "who": latch.who,
        }
        self.journal.append("kill_log", row)

    def _answer_request(self, asked: NumberedRequest) -> None:
        number, request, self._author = asked
        now = self.clock.now()
        if isinstance(request, DeskAlarm):
            self.log.add_repeated("alarm", "watchdog", request.text)
        elif isinstance(request, NotedAct):
            self._audit_act(self._author, request.act, request.detail)
            # Whoever sits before another screen of this desk sees it.
            self.log.add_event("info", request.act, f"{request.act}: {self._author}")
        elif isinstance(request, ResumeRequest):
            text = f"{request.who}: {request.reason}"
            self._audit_act("operator", "resumed", text)
            self._log_kill("resume", KillLatch("", text, "operator", self.kill.now()))
            self.log.add_event("warn", "resumed", f"resumed by {text}")
        elif outcome := self._carry_out_request(number, request, now):
            self.outcomes[number] = outcome

    def _audit_act(self, who: str, act: str, detail: str) -> None:
        self.journal.append(
            "audit", {"ts": self.clock.now(), "who": who, "act": act, "detail": detail}
        )

    def _audit_request(self, request: EngineRequest, **more: float) -> None:
        """Write down what the operator asks for, in the fields it was asked with."""
        detail = json.dumps(structs.asdict(request) | more, ensure_ascii=False)
        self._audit_act(self._author, request_act(request), detail)

    def _carry_out_request(
        self, number: int, request: EngineRequest, now: int
    ) -> OperatorOutcome | None:
        """Carry out a request and return its outcome, None where that comes later."""
        # Here, behind every door: a screen's own refusal keeps no other terminal from asking.
        if self.refusal and not isinstance(request, AcknowledgeRequest):
            self._audit_request(request)
            return refused(self.refusal)
        if isinstance(request, LimitRequest):
            return self._change_limit(request, now)
        self._audit_request(request)
        match request:
            case ExitRequest() if request.quantity or request.part or request.rung:
                outcome, commands = self.position_desk.leave_part(now, request)
                self._carry_out(commands)
                return self._add_waiting(outcome)
            case ExitRequest():
                token = self.order_desk.find_token(request.token, request.symbol)
                if not token:
                    return refused(f"{request.symbol} is not watched by this desk")
                market = self.kernel.state.markets.get(token)
                if market is None or not market.ladders:
                    return refused(f"{request.symbol or token} is neither held nor being entered")
                self.position_desk.withdraw_reversals(token)
                act = OperatorInstruction(now, OperatorAct.EXIT, token=token, reason="operator")
                self.inbox.append(act)
                return self._add_waiting(done("leaving"))
            case StopRequest():
                outcome, commands = self.position_desk.move_stop(now, request)
                self._carry_out(commands)
                return self._add_waiting(outcome)
            case AddRungRequest():
                outcome, commands, added = self.position_desk.add_rung(now, request)
                self._carry_out(commands)
                if added is None or added.order is None:
                    return outcome
                self.verdicts.await_verdict(number, added.order, outcome.text, now)
                return None
            case ReverseRequest():
                later, commands = self.position_desk.reverse(now, number, request)
                self._carry_out(commands)
                return later
            case CancelRequest():
                return self._cancel_order(request.order, now)
            case PreviewRequest():
                return self._preview_order(number, request)
            case PlaceRequest():
                return self._place_order(number, request, now)
            case ModifyRequest():
                outcome, commands = self.order_desk.alter_order(now, request)
                self._carry_out(commands)
                return outcome
            case DecideRequest():
                return self.reconcile_actions.queue_decision(number, request)
            case AcknowledgeRequest():
                return self.failures.acknowledge(request.strategy)
            case StopStrategyRequest() | StartStrategyRequest() | SetParametersRequest():
                return self._instruct_strategy(request, now)
            case AlertRequest():
                return self.alerts.add(request)
            case DropAlertRequest():
                return self.alerts.drop(request.number)
            case WatchRequest() | UnwatchRequest():
                return self._change_watch(number, request)
            case _:
                assert_never(request)

    def _add_waiting(self, outcome: OperatorOutcome) -> OperatorOutcome:
        """Return an outcome with what it waits for, where nothing reaches the broker."""
        if not outcome.ok or not self.unreachable:
            return outcome
        return done(f"{outcome.text}; it waits: {self.unreachable}")

    def _enter_reversed(self, now: int) -> None:
        """Enter the other side of what has left by now."""
        flat, given_up = self.position_desk.due_reversals(now)
        self.outcomes.update(given_up)
        for each in flat:
            outcome = self._place_order(each.number, each.ticket, now)
            if outcome is not None:
                text = f"{each.ticket.symbol} has left; its other side: {outcome.text}"
                self.outcomes[each.number] = OperatorOutcome(outcome.verdict, text)

    def _place_order(self, number: int, ticket: PlaceRequest, now: int) -> OperatorOutcome | None:
        """Place an order.

        Its outcome is the broker's verdict, and comes with the books: that the order was sent says
        little.
        """
        outcome, commands = self.order_desk.place_order(now, ticket)
        self._carry_out(commands)
        for command in commands:
            if isinstance(command, PlaceOrder):
                self.verdicts.await_verdict(number, command.order, outcome.text, now)
                return None
        return outcome

    def _preview_order(self, number: int, ticket: PreviewRequest) -> OperatorOutcome | None:
        """Return why an order would be refused.

        Its cost and margin follow when the broker has been asked.
        """
        found = self.order_desk.preview_order(ticket)
        if isinstance(found, OperatorOutcome):
            return found

        self._answer_later(number, found.weigh(self.margins))
        return None

    def _change_watch(
        self, number: int, request: WatchRequest | UnwatchRequest
    ) -> OperatorOutcome | None:
        """Change what is under watch; the outcome comes when broker and feed have been asked."""
        if self.watching is None:
            return refused("the watch of this desk cannot be changed")
        if isinstance(request, WatchRequest):
            self._answer_later(number, self.watching.add(request.symbol))
        elif self.alerts.watches(request.symbol):
            return refused(f"{request.symbol} stays under watch: a price alert waits for it")
        else:
            self._answer_later(number, self.watching.remove(request.symbol))
        return None

    def _answer_later(self, number: int, answer: Coroutine[None, None, OperatorOutcome]) -> None:
        """Have a request answered beside the loop."""

        async def keep_answer() -> None:
            try:
                self.outcomes[number] = await answer
            except PatangError as error:
                self.outcomes[number] = refused(str(error))
            if self.watching is not None:
                self.kernel_view.hide(self.watching.hidden)
            self.wake.set()

        task = asyncio.get_running_loop().create_task(keep_answer())
        # The event loop keeps only a weak reference; without this one the task could be collected
        # half done.
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def hurry_verdicts(self) -> bool:
        """Have orders judged as if a moment had passed; return whether the books are wanted."""
        verdicts, wanted = self.verdicts.due_verdicts(self.clock.now() + SOON)
        self.outcomes.update(verdicts)
        self.has_hint = self.has_hint or wanted
        return wanted

    def _cancel_order(self, name: str, now: int) -> OperatorOutcome:
        try:
            order = self.order_desk.find_order(name)
        except ValueError as error:
            return refused(str(error))
        self.inbox.append(OperatorInstruction(now, OperatorAct.CANCEL, intent=int(order.intent)))
        return done(f"cancelling order {order.intent}")

    def _change_limit(self, request: LimitRequest, now: int) -> OperatorOutcome:
        try:
            change = day_limits.checked_change(self.kernel.limits, request)
        except ConfigError as error:
            return refused(str(error))
        before = risk_limits.current_limits(self.kernel.limits).get(change.name, 0)
        self._audit_request(request, before=before)
        self.inbox.append(day_limits.limit_event(now, change.name, change.value))
        self.changes[change.name] = change
        day_limits.keep_change(self.journal, now, str(ist_day(now)), change)
        text = f"{change.name} {before:g} to {change.value:g}"
        self.log.add_event("warn", "limit", f"{text} by {change.who}: {change.reason}")
        late = self.gateway.durable_journal.state.behind >= DISK_S
        return done(text + NOT_ON_DISK if late else text)

    def _instruct_strategy(self, request: StrategyRequests, now: int) -> OperatorOutcome:
        acts = self.strategy_acts.version
        outcome, commands = self.strategy_acts.carry_out(request, now)
        acted = self.strategy_acts.version != acts
        # Started anew, its fault is looked at; one that comes of the start is told as a new one.
        if acted and isinstance(request, StartStrategyRequest):
            self.failures.forget(request.strategy)
        self._carry_out(commands)
        self.failures.record_new()
        if acted:
            text = f"{outcome.text}, by {request.who}: {request.reason}"
            self.log.add_event("warn", "strategy", text)
        late = outcome.ok and self.gateway.durable_journal.state.behind >= DISK_S
        return done(outcome.text + NOT_ON_DISK) if late else outcome

    def _note_decision(self, number: int, outcome: OperatorOutcome) -> None:
        """Keep the outcome of a decision, and compare again to see that it is so."""
        self.outcomes[number] = outcome
        self._audit_act("desk", "reconciled", str(outcome))
        self.log.add_event("warn", "reconciled", str(outcome))
        self.compare_soon = True

    def apply_comparison(self) -> None:
        """Open for entries while the broker's books and ours agree, else only show the desk."""
        self.post_lacking()
        found = self.reconciler.open_differences
        for text in found:
            if text not in self.differences:
                again = (
                    self.log.add_repeated
                    if text == self.reconciler.unreadable
                    else self.log.add_event
                )
                again("warn" if self.reconciler.is_resting else "alarm", "difference", text)
        if self.differences and not found:
            self.log.add_event("info", "difference", "the books agree again")
        self.differences = found
        self._update_entry_state()

    def post_lacking(self) -> None:
        """Post to the kernel which of our shares the broker's books do not hold.

        It sells and protects no more than they do.
        """
        if self.reconciler.books is None:
            return  # not compared yet: it waits
        kernel, now = self.kernel, self.clock.now()
        found = self.reconciler.lacking_shares()
        for ladder in kernel.state.ladders.values():
            found.setdefault((int(ladder.instrument.token), ladder.plan.product, ladder.side), 0)
        for (token, product, side), lacks in found.items():
            noted = kernel.view.absent_shares(token, product, side)
            known = (
                not self.reconciler.missed_reads
                and (token, product.name) not in self.reconciler.unsure
            )
            # More missing shares are believed at once, fewer only from books that are whole and
            # still: selling what is not there opens a position.
            if noted < lacks or (noted > lacks and known):
                self.inbox.append(ShareShortfall(now, token, product, side, lacks))
        # The first comparison without open questions opens the kernel's eyes; until then it sells
        # and protects nothing.
        if kernel.state.is_blind and not self.reconciler.fresh:
            self.inbox.append(OperatorInstruction(now, OperatorAct.COMPARED))

    def hold(self, name: str, why: str) -> None:
        """Hold entries back for a reason, until the same name comes without one.

        Exits and protection still leave.
        """
        if self.holds.get(name, "") == why:
            return
        if why:
            self.holds[name] = why
        else:
            del self.holds[name]
        if name in {SESSION, BROKER}:
            self.reconciler.show_unreached(self.unreachable)
        if self.state in {"running", "read-only", BY_HAND}:
            self._update_entry_state()

    @property
    def unreachable(self) -> str:
        """Return why nothing reaches the broker, empty while something does."""
        return self.holds.get(SESSION, "") or self.holds.get(BROKER, "")

    def _update_entry_state(self) -> None:
        """Let the kernel enter, or not."""
        held = bool(self.differences or self.holds)
        if self.state != "closed":  # at rest it stays at rest
            self.state = (
                "read-only"
                if held
                else BY_HAND
                if self.kernel.order_store.limit_only
                else "running"
            )
        self.inbox.append(
            OperatorInstruction(self.clock.now(), OperatorAct.HOLD if held else OperatorAct.READY)
        )
        self.wake.set()

    def watch_feed(self, now: int) -> None:
        """Log once when the feed comes late by the exchange's stamps, and once when no longer."""
        # A look goes over all instruments: once a second is enough for what is logged once.
        if now < self._lag_looked + SECOND:
            return
        self._lag_looked, before = now, self._lag
        count, lag = self.kernel.view.feed_lag()
        self._lag = int(lag)
        if self._lag and not before:
            text = (
                f"the feed is {self._lag // SECOND} s late with {count} of "
                f"{len(self.kernel.state.markets)} instruments by the exchange's stamps, or this "
                f"machine's clock is ahead: nothing is entered on it, no stop is moved by it"
            )
            self.log.add_event("alarm", "late", text)
        elif before and not self._lag:
            self.log.add_event("info", "late", "the feed is not late any more")

    # showing and closing

    def publish(self, *, final: bool = False) -> None:
        """Bring the board up to date, at most ten times a second of the machine's time."""
        beat = int(asyncio.get_running_loop().time() * SECOND)
        self.board_writer.beat(beat)
        # The heartbeat above is for the watchdog and is set at every turn; screens need no more
        # than ten frames a second.
        if beat - self._published < FRAME and not final:
            return
        self._published = beat
        began, now = self.times.steady(), self.clock.now()
        # Both views show the use of limits; counting it looks at everything held.
        census = self.kernel.view.limit_census()
        self.risk_view.publish(now, self.configured, self.changes, census)
        self.kernel_view.publish(self._board_header(now), census)
        self.strategy_view.publish(now, self._block_text())
        self.kernel_view.put_worry("Missing minutes", self.gaps.lost_by_token.total())
        self.kernel_view.put_worry("Dead letters", self.dead_letters.count)
        self.kernel_view.put_worry("Ex-date flags", len(self.flags))
        if self.warming is not None:
            self.kernel_view.put_worry("Warming up", self.warming.cold_count)
        if self.doubts:
            self.kernel_view.put_worry("Unconfirmed hours", self.doubts)
        # Last: it judges what the rows above show.
        self.health.publish(now, beat)
        self.times.steps[PICTURE].add(self.times.steady() - began)

    def _block_text(self) -> str:
        """Return why no strategy enters now, empty where they may."""
        latch = self.kill.latch
        if latch is not None:
            return f"the kill switch is latched: {latch.reason}"
        held = [*self.holds.values(), *self.differences[:1]]
        if held:
            return held[0]
        if self.kernel.order_store.limit_only:
            return LIMIT_ONLY
        if not self.kernel.state.ready:
            return f"the desk is {self.state}"
        phase = self._stage.name
        return "" if phase == CONTINUOUS else f"no entries in this phase: {phase}"

    def _board_header(self, now: int) -> BoardHeader:
        kernel, latch = self.kernel, self.kill.latch
        if now >= self._stage.ends:
            self._stage = self.hours.stage(now, self.kernel.view.instruments())
        stage = self._stage
        return self.board.header._replace(
            state=self.state,
            now=now,
            phase=stage.name,
            phase_ends=stage.ends,
            then=stage.then,
            pnl=int(kernel.state.day_pnl),
            charges=int(kernel.ledger.charges),
            naked=int(kernel.view.naked()),
            feed_age=now - self._tick_at if self._tick_at >= 0 else -1,
            feed_lag=self._lag,
            kill=latch.level if latch else "",
            kill_reason=latch.reason if latch else "",
            cash=int(kernel.ledger.cash),
            login=SESSION in self.holds,
            overdue=len(self.overdue),
        )

    def is_at_rest(self) -> bool:
        """Return whether nothing is under way: no request, order, or rung without protection."""
        gateway = self.gateway
        busy = gateway.waiting or gateway.in_flight or gateway.unresolved or self.inbox
        return not busy and not self.kernel.view.has_work()

    def needs_attention(self) -> bool:
        """Return whether something stands that time alone does not mend."""
        unread = self.reconciler.unreadable or self.poller.is_incomplete
        return bool(unread or self.gateway.unresolved or self.kernel.view.naked())

    def end_of_day(self) -> None:
        """Close the last bars, once, and say so."""
        if self.board.header.day_over:
            return
        # The last bars wait for the grace of late ticks: the clock is set past it, or they would
        # close only in the next session.
        end = max(self.clock.now(), self.ends + int(self.kernel.market_feed.grace))
        self.inbox.append(TimerEvent(end))
        self.turn()
        self.gaps.check_minutes(end, over=True)
        self.announce_day_over()

    def announce_day_over(self) -> None:
        """Say that the day is over."""
        self.board_writer.replace_header(self.board.header._replace(day_over=True))
        self.log.add_event("info", "day_over", "the session is over")

    async def finish(self) -> None:
        """Write the last rows, every open rung at its last price, and wait for the disk."""
        self.turn()
        self.recorder.write_marks()
        self.publish(final=True)
        if self.recording is not None:
            self.recording.end_day(self.clock.now())
        await self.gateway.durable_journal.commit_within(FINISH_S)


def _is_refusal(alert: KernelAlert) -> bool:
    """Return whether an alert is of a refusal, whose words may name other figures each time."""
    return alert.name.endswith(REFUSED)
