"""The engine's face: one thread that runs a trading day, its board, and the few things anyone may ask of it."""

import asyncio
import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from compiled.charges import Rates as ChargeRates
from compiled.charges import RateTable
from compiled.events import Act, Alert, Command, Halt, Operate, Ticks, Timer
from compiled.frames import Decoder
from compiled.kernel import Kernel, Setup, Slot
from compiled.model import MINUTE, SECOND, Bar, Instrument, Product
from compiled.risk import Limits
from compiled.strategy import Strategy
from engine.errors import BusyError, DataError, PatangError, RetryableError
from engine.market.calendar import Calendar, ist_day, midnight
from engine.market.charges import segment
from engine.ports import Broker, Clock, Failure, Feed, Journal, Pacer
from engine.trading.board import Board, Header
from engine.trading.books import Books
from engine.trading.clock import SteppedClock
from engine.trading.gateway import Gateway, Patience
from engine.trading.governor import Governor, Rates
from engine.trading.killswitch import FLATTEN, HALT, KillSwitch, Latch
from engine.trading.publish import Publisher
from engine.trading.records import Recorder
from engine.trading.restore import restore

START_PATIENCE_S = 20.0
LANES = 3
FRAME = SECOND // 10


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator has set, in the engine's units; `subscriptions` maps a strategy to its symbols (none: all)."""

    mode: str
    limits: Limits
    spans: tuple[int, ...]
    watch: tuple[str, ...] = ()
    rates: Rates = field(default_factory=Rates)
    patience: Patience = field(default_factory=Patience)
    poll_s: float = 7.0
    positions_every_s: float = 45.0
    stale_after_s: float = 10.0
    subscriptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tag_salt: str = "00"


class Ports(NamedTuple):
    """The outside world, as the desk is handed it; `keep_bars` takes closed bars and must not block."""

    broker: Broker
    feed: Feed
    journal: Journal
    clock: Clock
    kill: KillSwitch
    calendar: Calendar
    charges: RateTable
    pacer: Pacer | None = None
    keep_bars: Callable[[list[Bar]], None] | None = None


class Ask(NamedTuple):
    """A command from outside, waiting for the engine."""

    number: int
    act: str
    token: int
    detail: str


class Desk:
    """Runs in a thread of its own from `start` to `join`; never waits for a screen.

    `failure` is called with what killed the thread, after the kill switch has been latched.
    """

    def __init__(self, settings: Settings, ports: Ports, strategies: Sequence[Strategy], failure: Failure) -> None:
        self.settings = settings
        self.ports = ports
        self.strategies = list(strategies)
        self.board = Board(settings.mode.upper())
        self.spans = settings.spans
        self.error: BaseException | None = None
        self.done = threading.Event()
        self.kernel: Kernel
        self.gateway: Gateway
        self._failure = failure
        self._numbers = itertools.count(1)
        self._asks: deque[Ask] = deque()
        self._inbox: deque[object] = deque()
        self._frames: deque[tuple[bytes, int]] = deque()
        self._hinted = False
        self._stopping = False
        self._state = "starting"
        self._frame_at = -1
        self._opened = False
        self._published = 0
        self._next_poll = 0
        self._level = ""
        self._differences: tuple[str, ...] = ()
        self._decoder = Decoder()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)
        ports.kill.listeners.append(self._latched)

    # what anyone may ask, from any thread

    def start(self) -> None:
        """Start the engine's thread."""
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the engine's thread to end."""
        self._thread.join(timeout)

    def stop(self) -> None:
        """Ask for an orderly end: nothing is cancelled, protection stays, the journal is written."""
        self._stopping = True
        self._nudge()

    def kill(self, flatten: bool, reason: str, who: str = "screen") -> None:
        """Latch the kill switch at once; does not go through the event loop."""
        self.ports.kill.trigger(FLATTEN if flatten else HALT, reason, who)

    def resume(self, reason: str, who: str) -> Latch | None:
        """Unlatch the kill switch; return what was latched."""
        old = self.ports.kill.resume(reason, who)
        if old is not None:
            self._asks.append(Ask(next(self._numbers), "resumed", 0, f"{who}: {reason}"))
            self._nudge()
        return old

    def submit(self, act: str, token: int = 0, detail: str = "") -> int:
        """Ask for "exit" (a token) or "cancel" (an order's key); the outcome appears in `board.answers`."""
        number = next(self._numbers)
        self._asks.append(Ask(number, act, token, detail))
        self._nudge()
        return number

    def _nudge(self) -> None:
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None and not loop.is_closed():
            loop.call_soon_threadsafe(wake.set)

    def _latched(self, latch: Latch | None) -> None:
        del latch
        self._nudge()

    # FeedSink: called on the engine's loop

    def frame(self, payload: bytes, received: int) -> None:
        """Take one market data frame."""
        self._frames.append((payload, received))
        self._set()

    def hint(self, order_id: str) -> None:
        """Look at the books soon."""
        del order_id
        self._hinted = True
        self._set()

    def notice(self, level: str, text: str) -> None:
        """Show what the broker or the feed has to tell."""
        self._tell(level if level in {"info", "warn", "alarm"} else "warn", "feed", text)

    def link(self, up: bool) -> None:
        """Look at the books when the feed is back: hints may have been missed."""
        self._tell("info" if up else "warn", "feed", "feed connected" if up else "feed lost")
        self._hinted = self._hinted or up
        self._set()

    def _set(self) -> None:
        if self._wake is not None:
            self._wake.set()

    # the thread

    def _main(self) -> None:
        try:
            asyncio.run(self._day())
            self._state = "stopped"
        except PatangError as error:
            self._die(error)
        except Exception as error:  # noqa: BLE001  a thread's main: nothing dies quietly
            self._die(_first(error))
        finally:
            self.board.header = self.board.header._replace(state=self._state)
            self.done.set()

    def _die(self, error: BaseException) -> None:
        self.error = error
        self._state = "failed"
        if self._opened:
            self.ports.kill.trigger(HALT, f"the engine died: {type(error).__name__}: {error}", "engine")
        self._failure("engine", error)

    async def _day(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        ports = self.ports
        try:
            if ports.pacer is not None:
                self._stepped().set(await ports.pacer.start())
            await self._open()
            async with asyncio.TaskGroup() as tasks:
                feed = tasks.create_task(ports.feed.run(self))
                helpers = [feed]
                try:
                    await ports.feed.subscribe(int(i.token) for i in self._watched)
                    if ports.pacer is None:
                        helpers.append(tasks.create_task(self.gateway.run(LANES)))
                        await self._live()
                    else:
                        await self._lockstep(ports.pacer)
                finally:
                    self._state = "stopping"
                    for helper in helpers:
                        helper.cancel()
            await self._finish()
        finally:
            await ports.broker.close()

    def _stepped(self) -> SteppedClock:
        clock = self.ports.clock
        if not isinstance(clock, SteppedClock):
            raise TypeError("a pacer needs a stepped clock")
        return clock

    # opening

    async def _open(self) -> None:
        """Meet the broker, build the kernel, restore the journal, warm the strategies up, reconcile."""
        ports, now = self.ports, self.ports.clock.now()
        account = await ports.broker.account()
        self._check_account(account)
        day = ist_day(now)
        session = ports.calendar.session(day)
        if session is None:
            raise DataError(f"{day} is no trading day: the exchange is closed")
        self._watched = self._choose(await ports.broker.instruments("NSE"))
        await ports.broker.bands(self._watched)
        cash = await self._start_cash(day)
        slots = [Slot(s, self._tokens(s.name)) for s in self.strategies]
        setup = Setup(
            session.open, session.close, cash, self.settings.limits, list(self.settings.spans),
            f"P{self.settings.tag_salt}{day:%y%m%d}",
        )  # fmt: skip
        self.session = session
        self.kernel = Kernel(setup, self._watched, slots, self._charges(day))
        self.gateway = Gateway(
            self.kernel, ports.broker, ports.journal, ports.clock, Governor(self.settings.rates), ports.kill,
            self.settings.patience, self._inbox.append,
        )  # fmt: skip
        self.books = Books(self.kernel, ports.broker, self.gateway, self._inbox.append)
        self.recorder = Recorder(self.kernel, ports.journal)
        self.publisher = Publisher(self.board, self.kernel, self.gateway, int(self.settings.stale_after_s * SECOND))
        self._state = "reconciling"
        for intent in restore(self.kernel, ports.journal, midnight(day)):
            self.gateway.look_for(intent)
        for order in self.kernel.out.orders.values():
            self.publisher.order(order)
        await self._warm_up(now)
        await self._reconcile()

    def _check_account(self, account: str) -> None:
        """One database belongs to one account."""
        known = {str(row["key"]): str(row["value"]) for row in self.ports.journal.load("meta")}
        owner = known.get("account")
        if owner is None:
            self.ports.journal.append("meta", {"key": "account", "value": account})
        elif owner != account:
            raise BusyError(f"this database belongs to account {owner}, the broker says {account}; name another one")

    def _choose(self, instruments: list[Instrument]) -> list[Instrument]:
        """Return the instruments to watch; raise `DataError` for a symbol the broker does not have."""
        by_symbol = {i.symbol: i for i in instruments if i.kind == "EQ"}
        wanted = dict.fromkeys(self.settings.watch)
        for symbols in self.settings.subscriptions.values():
            wanted.update(dict.fromkeys(symbols) if self.settings.watch else {})
        missing = [symbol for symbol in wanted if symbol not in by_symbol]
        if missing:
            raise DataError(f"no such symbol on NSE: {', '.join(missing)}")
        return [by_symbol[symbol] for symbol in wanted] if wanted else list(by_symbol.values())

    def _tokens(self, strategy: str) -> list[int]:
        symbols = self.settings.subscriptions.get(strategy, ())
        return [int(i.token) for i in self._watched if not symbols or i.symbol in symbols]

    async def _start_cash(self, day: date) -> int:
        """Return the day's first cash: what the broker said when the day was opened for the first time."""
        key = f"start_cash:{day}"
        known = {str(row["key"]): str(row["value"]) for row in self.ports.journal.load("meta")}
        if key in known:
            return int(known[key])
        cash = await self.ports.broker.funds()
        self.ports.journal.append("meta", {"key": key, "value": str(cash)})
        return cash

    def _charges(self, day: date) -> dict[int, ChargeRates]:
        table, number = self.ports.charges, int(f"{day:%Y%m%d}")
        return {
            int(i.token) * 8 + int(product): table.rates(segment(i, product), i.exchange, number)
            for i in self._watched
            for product in (Product.CNC, Product.MIS)
        }

    async def _warm_up(self, now: int) -> None:
        """Show the strategies the bars since the last trading day's open: minutes from the broker, folded here."""
        calendar, today = self.ports.calendar, ist_day(now)
        sessions = [calendar.session(day) for day in (calendar.previous_trading_day(today), today)]
        opens = [session.open for session in sessions if session is not None]
        spans = sorted({int(slot.span) for slot in self.kernel.slots} | {60})
        bars: list[Bar] = []
        for instrument in self._watched:
            try:
                minutes = await self.ports.broker.history(int(instrument.token), opens[0], now, 60)
            except RetryableError as error:
                self._tell("warn", "history", f"{instrument.symbol}: no history ({error})")
                continue
            for span in spans:
                bars += [bar for bar in fold(minutes, span, opens) if bar.end <= now]
        bars.sort(key=lambda bar: (bar.end, bar.span, bar.token))
        self.kernel.warm(bars)
        self.publisher.bars(bars)

    # reconciliation

    async def _reconcile(self) -> None:
        """Read the books until nothing is unknown, compare positions, and open the desk, or open it read-only."""
        ports = self.ports
        for attempt in range(1_000):
            if await self.books.look(gtts=True):
                self._turn()
                if not self.gateway.unresolved:
                    break
            if self._stopping:
                return
            if ports.pacer is not None and attempt > 0:
                raise BusyError("an exchange in lockstep cannot be joined in the middle of a request; start it anew")
            due = self.gateway.look_due() or ports.clock.now() + SECOND
            await ports.clock.sleep_until(max(due, ports.clock.now() + SECOND // 20))
        self._differences = await self._compare()
        for text in self._differences:
            self._tell("alarm", "difference", text)
        latch = ports.kill.latch
        if latch is not None:
            self._operate(latch)
        self._opened = True
        if self._differences:
            self._state = "read-only"
        else:
            self._state = "running"
            self._inbox.append(Operate(ports.clock.now(), Act.READY))
        self._turn()

    async def _compare(self) -> tuple[str, ...]:
        """Return each difference between the broker's net positions and ours."""
        try:
            theirs = await self.ports.broker.positions()
        except RetryableError as error:
            return (f"positions unreadable: {error}",)
        wanted: dict[int, int] = {}
        for position in theirs:
            wanted[position.token] = wanted.get(position.token, 0) + position.quantity
        ours = {int(p.token): int(p.quantity) for p in self.kernel.ledger.account_positions()}
        names = {int(i.token): i.symbol for i in self._watched}
        return tuple(
            f"{names.get(token, token)}: the broker holds {wanted.get(token, 0)}, our ledger {ours.get(token, 0)}"
            for token in sorted(wanted.keys() | ours.keys())
            if wanted.get(token, 0) != ours.get(token, 0)
        )

    # running

    async def _live(self) -> None:
        """Turn with the clock until stopped: frames and hints as they come, a timer every second."""
        ports, wake = self.ports, self._wake
        assert wake is not None
        clock = ports.clock
        next_timer = clock.now() // SECOND * SECOND + SECOND
        next_poll = clock.now() + int(self.settings.poll_s * SECOND)
        ticker = asyncio.create_task(self._beat())
        looking: asyncio.Task[bool] | None = None
        try:
            while not self._stopping:
                await wake.wait()
                wake.clear()
                now = clock.now()
                if now >= next_timer:
                    self._inbox.append(Timer(now))
                    next_timer = now // SECOND * SECOND + SECOND
                self._turn()
                unknown = self.gateway.look_due()
                look = self._hinted or now >= next_poll or (unknown is not None and now >= unknown)
                if look and (looking is None or looking.done()):
                    if looking is not None:
                        looking.result()
                    polled = now >= next_poll
                    next_poll = now + int(self.settings.poll_s * SECOND)
                    self._hinted = False
                    looking = asyncio.create_task(self._look(gtts=polled))
                if now >= self.session.close + MINUTE and not self.board.header.day_over:
                    self._end_of_day(now)
                self._publish(now)
        finally:
            ticker.cancel()
            if looking is not None:
                looking.cancel()

    async def _beat(self) -> None:
        """Wake the loop ten times a second, whatever the market does."""
        while True:
            await asyncio.sleep(0.1)
            self._set()

    async def _look(self, *, gtts: bool) -> bool:
        done = await self.books.look(gtts=gtts)
        self._set()
        return done

    async def _lockstep(self, pacer: Pacer) -> None:
        """Take turns with the exchange: it moves on only when nothing is in flight here."""
        clock = self._stepped()
        await self._subscribed(pacer)
        over = False
        while not over and not self._stopping:
            now, sent, over = await pacer.advance(self._next_time(clock.now()))
            clock.set(now)
            await self._received(sent)
            if now % SECOND == 0:
                self._inbox.append(Timer(now))
            self._turn()
            await self._settle(pacer)
            self._publish(now)
        self._end_of_day(clock.now())
        self._publish(clock.now(), final=True)

    def _next_time(self, now: int) -> int:
        """Return when the desk wants to hear the clock next: every second while orders work, else when bars close."""
        if self.gateway.waiting or self._working():
            return (now // SECOND + 1) * SECOND
        closing = now // MINUTE * MINUTE + int(self.kernel.grace)
        return min(closing if closing > now else closing + MINUTE, (now // (10 * SECOND) + 1) * 10 * SECOND)

    def _working(self) -> bool:
        for ladder in self.kernel.ladders.values():
            for rung in ladder.rungs:
                entry, leaving, gtt = rung.entry, rung.exit, rung.gtt
                if (entry is not None and entry.live) or (leaving is not None and leaving.live) or rung.leaving:
                    return True
                if rung.live and (gtt is None or not gtt.gtt_id or not gtt.live):
                    return True
        return False

    async def _subscribed(self, pacer: Pacer) -> None:
        """Wait, with the exchange's clock at rest, until it has taken our subscription."""
        async with asyncio.timeout(START_PATIENCE_S):
            while await pacer.listening() < len(self._watched):  # noqa: ASYNC110  the other end has no event to wait for
                await asyncio.sleep(0.005)

    async def _received(self, sent: int) -> None:
        """Wait until every message the exchange has sent is here."""
        assert self._wake is not None
        while self.ports.feed.frames_received < sent:
            await self._wake.wait()
            self._wake.clear()

    async def _settle(self, pacer: Pacer) -> None:
        """Send, look and decide until nothing is left to do at this instant."""
        while not self._stopping:
            moved = await self.gateway.drain()
            unknown = self.gateway.look_due()
            if moved:
                await self._received(await pacer.sent())
            now = self.ports.clock.now()
            polled = now >= self._next_poll
            if self._hinted or polled or (unknown is not None and unknown <= now):
                self._hinted = False
                self._next_poll = (now // MINUTE + 1) * MINUTE
                moved = await self.books.look(gtts=polled) or moved
            if not moved and not self._inbox:
                return
            self._turn()

    def _turn(self) -> None:
        """Hand everything that has come in to the kernel, and pass on what it asks for."""
        self._answer_asks()
        self._watch_latch()
        while self._frames:
            payload, received = self._frames.popleft()
            now = received if self.ports.pacer is None else self.ports.clock.now()
            self._frame_at = now
            ticks = self._decoder.decode(payload, now)
            if ticks:
                self._inbox.append(Ticks(now, ticks))
        while self._inbox:
            self._do(self.kernel.handle(self._inbox.popleft()))
        bars, self.kernel.closed_bars = self.kernel.closed_bars, []
        if bars:
            self.publisher.bars(bars)
            if self.ports.keep_bars is not None:
                self.ports.keep_bars(bars)

    def _do(self, commands: list[Command]) -> None:
        """Write down what changed, then queue the requests that follow from it."""
        for order in self.kernel.out.changed_orders.values():
            self.publisher.order(order)
        for fill in self.recorder.flush():
            self.publisher.fill(fill)
        for command in commands:
            if isinstance(command, Alert):
                self._tell(command.level, command.name, command.text, command.ts)
            elif isinstance(command, Halt):
                self.ports.kill.trigger(HALT, command.reason, "limit")
            else:
                self.gateway.put(command)

    def _watch_latch(self) -> None:
        """Bring the kernel in line with the kill switch."""
        latch = self.ports.kill.latch
        level = latch.level if latch is not None else ""
        if level != self._level:
            self._operate(latch)

    def _operate(self, latch: Latch | None) -> None:
        self._level = latch.level if latch is not None else ""
        now = self.ports.clock.now()
        if latch is None:
            self._inbox.append(Operate(now, Act.RESUME))
            return
        self._inbox.append(Operate(now, Act.FLATTEN if latch.level == FLATTEN else Act.HALT, reason=latch.reason))
        self.ports.journal.append("kill_log", {
            "ts": latch.ts, "act": "latch", "level": latch.level, "reason": latch.reason, "who": latch.who,
        })  # fmt: skip
        self._tell("alarm", "killed", f"{latch.level}: {latch.reason} ({latch.who})")

    def _answer_asks(self) -> None:
        while self._asks:
            ask = self._asks.popleft()
            now = self.ports.clock.now()
            self.ports.journal.append("audit", {
                "ts": now, "who": "operator", "act": ask.act, "detail": f"{ask.token} {ask.detail}".strip(),
            })  # fmt: skip
            self.board.answers[ask.number] = self._answer(ask, now)

    def _answer(self, ask: Ask, now: int) -> str:
        if ask.act == "exit":
            self._inbox.append(Operate(now, Act.EXIT, token=ask.token, reason="operator"))
            return "done: leaving"
        if ask.act == "cancel" and ask.detail.isdecimal():
            self._inbox.append(Operate(now, Act.CANCEL, intent=int(ask.detail)))
            return "done: cancelling"
        if ask.act == "resumed":
            self.ports.journal.append("kill_log", {
                "ts": now, "act": "resume", "level": "", "reason": ask.detail, "who": "operator",
            })  # fmt: skip
            self._tell("warn", "resumed", f"resumed by {ask.detail}")
            return "done: resumed"
        return f"refused: no such act: {ask.act}"

    # telling

    def _tell(self, level: str, name: str, text: str, ts: int | None = None) -> None:
        at = self.ports.clock.now() if ts is None else int(ts)
        self.ports.journal.append("events", {"ts": at, "level": level, "name": name, "text": text})
        publisher = getattr(self, "publisher", None)
        if publisher is not None:
            publisher.event(at, level, text)

    def _publish(self, now: int, *, final: bool = False) -> None:
        """Bring the board up to date, at most ten times a second of the machine's time."""
        loop_now = int(asyncio.get_running_loop().time() * SECOND)
        self.board.heartbeat = loop_now
        if loop_now - self._published < FRAME and not final:
            return
        self._published = loop_now
        self.publisher.publish(self._header(now))

    def _header(self, now: int) -> Header:
        kernel, latch = self.kernel, self.ports.kill.latch
        phase = self.ports.calendar.phase(now)
        return Header(
            self.board.header.mode, self._state, now, phase.name, phase.end, int(kernel.ledger.net),
            int(kernel.ledger.charges), int(kernel.naked()), now - self._frame_at if self._frame_at >= 0 else -1,
            latch.level if latch else "", latch.reason if latch else "", int(kernel.ledger.cash),
            self.board.header.day_over,
        )  # fmt: skip

    # closing

    def _end_of_day(self, now: int) -> None:
        """Close the last bars and say so."""
        self._inbox.append(Timer(max(now, int(self.session.close + self.kernel.grace))))
        self._turn()
        self.recorder.mark()
        self.board.header = self.board.header._replace(day_over=True)
        self._tell("info", "day_over", "the session is over")

    async def _finish(self) -> None:
        """Write the last rows and wait until they are on disk."""
        self._turn()
        self.recorder.mark()
        self.publisher.publish(self._header(self.ports.clock.now()))
        await self.ports.journal.commit()

    def facts(self) -> dict[str, object]:
        """Return the day so far in figures; money in paise."""
        kernel, ledger = self.kernel, self.kernel.ledger
        return {
            "digest": kernel.digest(),
            "orders": len(kernel.out.orders),
            "fills": len(kernel.applied),
            "round_trips": int(kernel.round_trips),
            "gross": int(ledger.realised + ledger.unrealised),
            "charges": int(ledger.charges),
            "net": int(ledger.net),
            "start_cash": int(ledger.start_cash),
            "end_cash": int(ledger.cash),
            "open_positions": int(kernel.open_positions()),
            "naked_positions": int(kernel.naked()),
            "halted": self.ports.kill.latched,
            "refused": int(kernel.refused),
            "unknown": self.gateway.unknown,
            "ticks": int(kernel.ticks),
            "bars": int(kernel.bar_count),
        }

    def describe(self) -> str:
        """Return the state as one line of JSON, for `patang status`; safe from any thread."""
        header = self.board.header
        return json.dumps({
            "mode": header.mode, "state": header.state, "now": header.now, "phase": header.phase,
            "pnl": header.pnl, "charges": header.charges, "cash": header.cash, "naked": header.naked,
            "kill": header.kill, "kill_reason": header.kill_reason, "feed_age_ms": header.feed_age // 1_000_000,
            "positions": len(self.board.positions.rows), "orders": len(self.board.orders.rows),
            "differences": list(self._differences),
        })  # fmt: skip


def fold(minutes: Sequence[Bar], span: int, opens: Sequence[int]) -> list[Bar]:
    """Fold one-minute bars into bars of `span` seconds that are aligned to each day's open (ns), oldest first."""
    folded: dict[int, Bar] = {}
    for bar in minutes:
        opened = max((open_ for open_ in opens if open_ <= bar.start), default=int(bar.start))
        start = opened + (bar.start - opened) // (span * SECOND) * span * SECOND
        known = folded.get(start)
        if known is None:
            folded[start] = Bar(bar.token, start, span, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.ticks)
            continue
        known.high, known.low = max(known.high, bar.high), min(known.low, bar.low)
        known.close = bar.close
        known.volume += bar.volume
        known.ticks += bar.ticks
    return list(folded.values())


def _first(error: BaseException) -> BaseException:
    """Return what a task group wraps."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
