"""The loop over recorded ticks, with or without depth; `docs/fills.md` states what happens when."""

from typing import final

from librt.strings import read_f64_le, read_i64_le
from mypy_extensions import i64

from compiled.backtest.paced_requests import PacedRequests, RequestRates
from compiled.backtest.recording import DEPTH, STALE, WORD, RecordedSessions, TickColumns
from compiled.backtest.session_loop import SessionLoop
from compiled.model.events import (
    BandUpdate,
    BrokerAnswer,
    BrokerTrade,
    GttUpdate,
    KernelCommand,
    OrderUpdate,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    TimerEvent,
)
from compiled.model.values import NEVER, SECOND, Bar, Tick
from compiled.trading.kernel import Kernel
from compiled.venue import queue_position
from compiled.venue.venue import SimulatedVenue


@final
class TickReplay(SessionLoop):
    """Ticks with or without depth, session by session.

    Where the ticks bring no timers of their own, one goes off every second of the session, before
    the tick of the same time. A point of the curve is taken every `every` seconds (0: never) and at
    the close. The desk hears each message `feed` ns after it came. With `rates` its requests leave
    as the account may ask them, without at once.
    """

    def __init__(
        self,
        kernel: Kernel,
        venue: SimulatedVenue,
        tokens: list[int],
        sessions: RecordedSessions,
        every: i64 = 60,
        feed: i64 = 0,
        rates: RequestRates | None = None,
    ) -> None:
        super().__init__(kernel, venue, tokens, sessions)
        self.every = every * SECOND
        self.feed = feed
        self.timer: i64 = NEVER
        """When the next timer goes off that the ticks do not bring."""
        self.point: i64 = NEVER
        self.is_over = False
        """Whether the orders of the session have ended."""
        # Without any latency there is one clock, the exchange's: fills carry its stamps. With one
        # the exchange is met by the desk's.
        self.by_stamps = venue.is_instant and feed == 0
        self.met: i64 = 0
        """The newest stamp that orders have met; 0: they do not go by stamps."""
        self.requests: PacedRequests | None = None if rates is None else PacedRequests(rates)
        self._unheard: list[TickColumns] = []
        """What the desk has not heard all of yet, from the message `_heard` of the first on."""
        self._heard: i64 = 0
        self._last: i64 = 0

    def run(self, ticks: TickColumns) -> None:
        """Replay every message, each in the session that it lies in."""
        first: i64 = 0
        while first < ticks.messages:
            index = self.sessions.find(read_i64_le(ticks.times, first * WORD), at_close=True)
            last = first
            while (
                last < ticks.messages
                and read_i64_le(ticks.times, last * WORD) <= self.sessions.closes[index]
            ):
                last += 1
            self.open_session(index, NEVER)
            self.play(ticks, first, last)
            self.close_session()
            first = last
        self.collect_open_rungs()

    def open_session(self, index: i64, since: i64, late: i64 = 0) -> None:
        """Begin a session: messages before its open, from `since` (ns UTC) on, may follow.

        A tick `late` ns old or older is no price to enter at; 0: however old it is.
        """
        self.kernel.state.late_after = late
        if self.requests is not None:
            self.requests.begin_day()
        self.begin_session(index, since)
        self.is_over = False
        self.timer = self.point = self.sessions.opens[index]

    def play(self, ticks: TickColumns, first: i64, last: i64) -> None:
        """Replay the messages [first, last) in the session that has begun."""
        if ticks.timed:
            self.timer = NEVER
        lags = self.feed > 0
        if lags:
            if not self._unheard:
                self._heard = first
            self._unheard.append(ticks)
            self._last = last
        row = ticks.end_of(first - 1) if first > 0 else i64(0)
        for message in range(first, last):
            ts = read_i64_le(ticks.times, message * WORD)
            end = ticks.end_of(message)
            if lags:
                self._hear_messages(message, ts - 1)
            if ts >= self.timer:
                self._run_timers(ts)
            if ts > self.close and not self.is_over:
                self._end_orders(not ticks.timed)
            # Reports up to the tick come first, then the requests that reach the exchange before
            # it, then the tick, then the reports of the same time that it has caused (rule 26).
            if self.venue.has_pending:
                self.deliver_reports(ts - 1)
                self.venue.advance(ts)
            # The desk's own clock is not late when its feed is.
            if row == end:
                self._ring_timer(ts)
            # What comes after the close is heard; there is nobody any more to trade with.
            if not self.is_over:
                for at in range(row, end):
                    self._meet_tick(ticks, at, ts)
            if lags:
                self._hear_messages(message + 1, ts)
            elif row < end:
                self._hear_rows(ticks, row, end, ts)
            row = end

    def send_commands(self, commands: list[KernelCommand], now: i64) -> None:
        """Pass on the kernel's commands, each when it may leave."""
        requests = self.requests
        if requests is None:
            if commands:
                self.venue.take_commands(commands, now)
                commands.clear()
            return
        if commands:
            requests.put(commands, now)
        if requests.waiting:
            self._send_waiting(requests, max(now, self.kernel.order_store.now))

    def _send_waiting(self, requests: PacedRequests, now: i64) -> None:
        while True:
            command = requests.take(now, self.kernel.state.halted)
            if command is None:
                return
            if requests.why and isinstance(command, PlaceOrder):
                refusal = BrokerAnswer(
                    now,
                    command.order.intent,
                    verb=RequestVerb.PLACE,
                    outcome=RequestOutcome.REFUSED,
                    broker_id="",
                    reason=requests.why,
                )
                requests.put(self.kernel.handle_next(refusal), now)
            else:
                self.venue.take_commands([command], now)

    def deliver_reports(self, until: i64) -> None:
        """Pass the exchange's reports by `until` to the kernel.

        Those of one time are heard together, as a desk reads the books, and requests that follow
        from them leave afterwards.
        """
        if self.requests is None:
            super().deliver_reports(until)
            return
        # The exchange's clock may be ahead of the desk's: what takes no time is heard all the same.
        until = max(until, self.met)
        reports = self.venue.reports
        while True:
            self.venue.advance(until)
            due = reports.due
            if due > until:
                return
            together: list[object] = []
            while reports.due == due or (self.by_stamps and reports.due <= until):
                together.append(reports.take_report())
            # All are heard before anything leaves: an order that is done already is not moved.
            # What takes no time happens by the desk's clock, wherever the exchange's stands.
            now = self.kernel.order_store.now if self.by_stamps else due
            for event in in_reading_order(together):
                self.requests.put(self.kernel.handle_next(event), now)
            self.send_commands(self.kernel.order_store.commands, now)

    def change_band(self, event: BandUpdate) -> None:
        """Keep prices to another band from here on."""
        self.send_commands(self.kernel.handle(event), event.ts)
        self.deliver_reports(event.ts)

    def take_bars(self, span: i64) -> list[Bar]:
        """Return the bars of a span that have closed since the last time."""
        feed = self.kernel.market_feed
        found = [bar for bar in feed.closed_bars if bar.span == span]
        feed.closed_bars.clear()
        return found

    def close_session(self) -> None:
        """End the session: strategies hear its last bars, and all its reports come in."""
        if self._unheard:
            self._hear_messages(self._last, NEVER)
            self._unheard.clear()
        # A recording that breaks off leaves the rest of its day to be lived without prices.
        if not self.is_over:
            self._run_timers(self.close)
            self._end_orders(True)
        self.deliver_reports(NEVER - 1)
        now = self.kernel.order_store.now
        over = max(now, self.close + self.kernel.market_feed.grace)
        # A recording that goes on behind the close has had its own timers by then.
        if now < over or self.timer != NEVER:
            self.send_commands(self.kernel.ring_timer(over), over)
            self.deliver_reports(NEVER - 1)
        self.notes.append(self.kernel.state.notes.lines())
        if self.every > 0:
            self.add_curve_point(self.close, self.kernel.ledger.net)

    def _end_orders(self, rings: bool) -> None:
        """Let the orders of the day expire, after a last timer where the ticks bring none."""
        self.is_over = True
        self.deliver_reports(self.close)
        if rings:
            self.send_commands(self.kernel.handle(TimerEvent(self.close)), self.close)
        self.venue.end_session(self.close)
        self.deliver_reports(self.close)

    def _run_timers(self, ts: i64) -> None:
        """Let the timers up to `ts` go off, each after the reports that come before it."""
        while self.timer <= ts and self.timer < self.close:
            now = self.timer
            self.timer = now + SECOND
            self._ring_timer(now)

    def _ring_timer(self, now: i64) -> None:
        if self.venue.has_pending:
            self.deliver_reports(now)
        self.send_commands(self.kernel.ring_timer(now), now)
        if self.venue.has_pending:
            self.deliver_reports(now)
        self.forget_changes()
        if self.every > 0 and self.point <= now < self.close:
            opened = self.sessions.opens[self.sessions.index]
            self.point = opened + ((now - opened) // self.every + 1) * self.every
            self.add_curve_point(now, self.kernel.ledger.net)

    def _meet_tick(self, ticks: TickColumns, row: i64, ts: i64) -> None:
        """Let our orders meet a tick, if its price is of today."""
        price = read_f64_le(ticks.prices, row * WORD)
        volume = read_i64_le(ticks.volumes, row * WORD)
        if self.by_stamps and ticks.stamped:
            self.met = max(self.met, read_i64_le(ticks.stamps, row * WORD))
            ts = self.met
        if volume == 0 or volume == STALE or not price > 0.0:
            return
        floor = self.instrument_venues[read_i64_le(ticks.slots, row * WORD)]
        if floor.orders or floor.gtts or volume < 0:
            seen = (
                ticks.deep
                and len(floor.orders) > 0
                and queue_position.read_book(floor, ticks.depth, row * DEPTH)
            )
            queue_position.meet_tick(floor, ts, floor.instrument.ticks(price), volume, seen)
        else:
            queue_position.pass_tick(floor, price, volume)

    def _hear_messages(self, met: i64, until: i64) -> None:
        """Let the desk hear what reaches it by `until`, of the newest columns before `met`."""
        while True:
            ticks = self._unheard[0]
            newest = len(self._unheard) == 1
            last = met if newest else ticks.messages
            while self._heard < last:
                ts = read_i64_le(ticks.times, self._heard * WORD) + self.feed
                if ts > until:
                    return
                row = ticks.end_of(self._heard - 1) if self._heard > 0 else i64(0)
                end = ticks.end_of(self._heard)
                self._heard += 1
                if row < end:
                    if ts >= self.timer:
                        self._run_timers(ts)
                    self.deliver_reports(ts - 1)
                    self._hear_rows(ticks, row, end, ts)
            if newest:
                return
            del self._unheard[0]
            self._heard = 0

    def _hear_rows(self, ticks: TickColumns, first: i64, last: i64, ts: i64) -> None:
        """Let the desk hear the ticks of one message, and send what follows from them."""
        self.kernel.order_store.begin_moment(ts)
        for row in range(first, last):
            self._hear_tick(ticks, row, ts)
        self.send_commands(self.kernel.order_store.commands, ts)
        if self.venue.has_pending:
            self.deliver_reports(ts)

    def _hear_tick(self, ticks: TickColumns, row: i64, ts: i64) -> None:
        slot = read_i64_le(ticks.slots, row * WORD)
        price = read_f64_le(ticks.prices, row * WORD)
        volume = read_i64_le(ticks.volumes, row * WORD)
        market = self.markets[slot]
        feed = self.kernel.market_feed
        bid = 0.0
        ask = 0.0
        if ticks.deep:
            bid, ask = queue_position.read_touch(
                self.instrument_venues[slot], ticks.depth, row * DEPTH
            )
        # Bars go by the exchange's stamp; without one by the time at which the tick came.
        if ticks.stamped:
            ts = read_i64_le(ticks.stamps, row * WORD)
        elif self.feed > 0:
            ts -= self.feed
        # Nothing has traded today: the packet repeats yesterday's price, and only values positions.
        if volume == 0 or volume == STALE:
            feed.note_untraded_quote(market, price, bid, ask, volume)
        # Only a strategy that asks for ticks gets objects; the others are served from the columns.
        elif market.tickers:
            depth = ticks.depth[row * DEPTH : (row + 1) * DEPTH] if ticks.deep else b""
            feed.take_tick(Tick(market.token, ts, price, volume, bid=bid, ask=ask, depth=depth))
        else:
            feed.step_tick(market, ts, ltp=price, bid=bid, ask=ask, volume=volume)


def in_reading_order(events: list[object]) -> list[object]:
    """Return reports as a desk comes to hear them at once.

    Answers are first, then come GTTs and the last state of each order, as the books list them by
    number, and then trades.
    """
    if len(events) == 1:
        return events
    answers: list[object] = []
    gtts: dict[int, object] = {}
    orders: dict[int, object] = {}
    trades: list[object] = []
    for event in events:
        if isinstance(event, OrderUpdate):
            orders[int(event.order_id)] = event
        elif isinstance(event, GttUpdate):
            gtts[int(event.gtt_id)] = event
        elif isinstance(event, BrokerTrade):
            trades.append(event)
        else:
            answers.append(event)
    listed = [gtts[number] for number in sorted(gtts)] + [
        orders[number] for number in sorted(orders)
    ]
    return answers + listed + trades
