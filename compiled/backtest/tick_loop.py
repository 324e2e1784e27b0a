"""The loop over recorded ticks, with or without depth; `docs/fills.md` states what happens when."""

from typing import final

from librt.strings import read_f64_le, read_i64_le
from mypy_extensions import i64

from compiled.backtest.recording import DEPTH, WORD, RecordedSessions, TickColumns
from compiled.backtest.session_loop import SessionLoop
from compiled.model.events import TickBatch
from compiled.model.values import SECOND, Tick
from compiled.trading.kernel import Kernel
from compiled.venue import queue_position
from compiled.venue.venue import SimulatedVenue


@final
class TickReplay(SessionLoop):
    """Ticks with or without depth.

    A timer goes off every second of the session, before the tick of the same time.
    """

    def __init__(
        self, kernel: Kernel, venue: SimulatedVenue, ticks: TickColumns, sessions: RecordedSessions
    ) -> None:
        super().__init__(kernel, venue, ticks.tokens, sessions)
        self.ticks = ticks
        self.timer: i64 = 0

    def run(self, every: i64) -> None:
        """Replay every tick; take a point of the curve every so many seconds (0: never)."""
        ticks = self.ticks
        for row in range(ticks.count):
            ts = read_i64_le(ticks.times, row * WORD)
            if ts > self.close or self.close == 0:
                index = self.sessions.find(ts, at_close=True)
                self._run_timers(self.close, every)
                self.end_session()
                self.begin_session(index)
                self.timer = self.sessions.opens[index]
            if ts >= self.timer:
                self._run_timers(ts, every)
            # Reports up to the tick come first, then the requests that reach the exchange before
            # it, then the tick, then the reports of the same time that it has caused (rule 26).
            if self.venue.has_pending:
                self.deliver_reports(ts - 1)
                self.venue.advance(ts)
            self._replay_tick(row, ts)
            if self.venue.has_pending:
                self.deliver_reports(ts)
        self._run_timers(self.close, every)
        self.end_session()
        self.collect_open_rungs()

    def _run_timers(self, ts: i64, every: i64) -> None:
        """Let the timers up to `ts` go off, each after the reports that come before it."""
        while self.timer <= ts and self.timer < self.close:
            now = self.timer
            if self.venue.has_pending:
                self.deliver_reports(now)
            self.send_commands(self.kernel.ring_timer(now), now)
            if self.venue.has_pending:
                self.deliver_reports(now)
            self.timer = now + SECOND
            self.forget_changes()
            if (
                every > 0
                and (now - self.sessions.opens[self.sessions.index]) // SECOND % every == 0
            ):
                self.add_curve_point(now, self.kernel.ledger.net)

    def _replay_tick(self, row: i64, ts: i64) -> None:
        ticks = self.ticks
        slot = read_i64_le(ticks.slots, row * WORD)
        price = read_f64_le(ticks.prices, row * WORD)
        volume = read_i64_le(ticks.volumes, row * WORD)
        floor = self.instrument_venues[slot]
        market = self.markets[slot]
        bid = 0.0
        ask = 0.0
        if ticks.deep:
            bid, ask = queue_position.read_touch(floor, ticks.depth, row * DEPTH)
        # Nothing has traded today: the packet repeats yesterday's price, and only values positions.
        if volume == 0:
            self.kernel.order_store.begin_moment(ts)
            self.kernel.market_feed.note_untraded_quote(market, price, bid, ask, volume)
            return
        if floor.orders or floor.gtts or volume < 0:
            seen = (
                ticks.deep
                and len(floor.orders) > 0
                and queue_position.read_book(floor, ticks.depth, row * DEPTH)
            )
            queue_position.meet_tick(floor, ts, floor.instrument.ticks(price), volume, seen)
        else:
            queue_position.pass_tick(floor, price, volume)
        # Only a strategy that asks for ticks gets objects; the others are served from the columns.
        if market.tickers:
            depth = ticks.depth[row * DEPTH : (row + 1) * DEPTH] if ticks.deep else b""
            tick = Tick(market.token, ts, price, volume, bid=bid, ask=ask, depth=depth)
            self.send_commands(self.kernel.handle(TickBatch(ts, [tick])), ts)
        else:
            self.send_commands(
                self.kernel.market_feed.step_tick(
                    ts, market, ltp=price, bid=bid, ask=ask, volume=volume
                ),
                ts,
            )
