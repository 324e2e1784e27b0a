"""The loop over recorded ticks, with or without depth; `docs/fills.md` states what happens when."""

from typing import final

from librt.strings import read_f64_le, read_i64_le
from mypy_extensions import i64

from compiled import queue
from compiled.events import Ticks
from compiled.kernel import Kernel
from compiled.model import SECOND, Tick
from compiled.recording import DEPTH, WORD, Sessions, TickColumns
from compiled.stage import Stage
from compiled.venue import Venue


@final
class TickReplay(Stage):
    """Ticks with or without depth; a timer every second of the session, before the tick of the same time."""

    def __init__(self, kernel: Kernel, venue: Venue, ticks: TickColumns, sessions: Sessions) -> None:
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
                self._until(self.close, every)
                self.leave()
                self.enter(index)
                self.timer = self.sessions.opens[index]
            if ts >= self.timer:
                self._until(ts, every)
            if self.venue.pending:
                self.hear(ts - 1)
                self.venue.advance(ts)
            self._tick(row, ts)
            if self.venue.pending:
                self.hear(ts)
        self._until(self.close, every)
        self.leave()
        self.conclude()

    def _until(self, ts: i64, every: i64) -> None:
        """Let the timers of the session up to `ts` go off, and everything be heard that comes before them."""
        while self.timer <= ts and self.timer < self.close:
            now = self.timer
            if self.venue.pending:
                self.hear(now)
            self.do(self.kernel.ring(now), now)
            if self.venue.pending:
                self.hear(now)
            self.timer = now + SECOND
            self.forget()
            if every > 0 and (now - self.sessions.opens[self.sessions.index]) // SECOND % every == 0:
                self.sample(now, self.kernel.ledger.net)

    def _tick(self, row: i64, ts: i64) -> None:
        ticks = self.ticks
        slot = read_i64_le(ticks.slots, row * WORD)
        price = read_f64_le(ticks.prices, row * WORD)
        volume = read_i64_le(ticks.volumes, row * WORD)
        floor = self.floors[slot]
        market = self.markets[slot]
        bid = 0.0
        ask = 0.0
        if ticks.deep:
            bid, ask = queue.touch(floor, ticks.depth, row * DEPTH)
        if volume == 0:
            self.kernel.begin(ts)
            self.kernel.await_trade(market, price, bid, ask, volume)
            return
        if floor.orders or floor.gtts or volume < 0:
            seen = ticks.deep and len(floor.orders) > 0 and queue.book(floor, ticks.depth, row * DEPTH)
            queue.trade(floor, ts, floor.instrument.ticks(price), volume, seen)
        else:
            queue.pass_by(floor, price, volume)
        if market.tickers:
            depth = ticks.depth[row * DEPTH : (row + 1) * DEPTH] if ticks.deep else b""
            tick = Tick(market.token, ts, price, volume, bid=bid, ask=ask, depth=depth)
            self.do(self.kernel.handle(Ticks(ts, [tick])), ts)
        else:
            self.do(self.kernel.print(ts, market, price, bid, ask, volume), ts)
