"""The core's venue on a clock: requests go in as they are made, frames as they come, and its reports come out in time."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import final

from compiled.events import Command
from compiled.floor import Floor, Rules
from compiled.frames import Decoder
from compiled.model import SECOND, Instrument
from compiled.resting import Resting, Waiting
from compiled.slippage import FixedTicks, Slippage
from compiled.venue import Venue
from engine.ports import Clock

BEAT = SECOND
"""How often time is let pass where nothing else happens."""


@final
class Simulation:
    """Tells `hear` every report when it is due. `stamped`: frames happen when they are received, else at their own time.

    Without latency a request is answered before `send` returns, and nothing has to run; else `run` lets time pass.
    """

    def __init__(
        self, rules: Rules, slippage_ticks: int, clock: Clock, hear: Callable[[object], None], *, stamped: bool
    ) -> None:
        self._rules = rules
        self._slippage: Slippage = FixedTicks(slippage_ticks)
        self._venue = Venue([], rules, self._slippage)
        self._clock = clock
        self._hear = hear
        self._stamped = stamped
        self._decoder = Decoder()
        self._arrivals: deque[int] = deque()
        self._wake = asyncio.Event()
        self._now = 0

    @property
    def next_id(self) -> int:
        """Return the next order, trade or GTT id."""
        return int(self._venue.reports.next_id)

    def count_from(self, number: int) -> None:
        """Count ids from `number` on, if they have not got there yet."""
        self._venue.reports.next_id = max(self.next_id, number)

    def list(self, instruments: Iterable[Instrument]) -> None:
        """Take these instruments, with their bands, into trading."""
        for each in instruments:
            floor = self._venue.floors.get(int(each.token))
            if floor is None:
                self._venue.floors[int(each.token)] = Floor(each, self._rules, self._slippage, self._venue.reports)
            else:
                floor.instrument = each

    def lists(self, token: int) -> Instrument | None:
        """Return a listed instrument."""
        floor = self._venue.floors.get(token)
        return None if floor is None else floor.instrument

    def session(self, opens: int, closes: int) -> None:
        """Trade in [opens, closes), ns UTC."""
        self._venue.session(opens, closes)

    def finish(self, ts: int) -> None:
        """End the session: DAY orders are cancelled, GTTs stay."""
        self._venue.finish(ts)
        self._report(self._clock.now())

    def stand(self, order: Resting) -> None:
        """Put back an order that stood here before a restart; its place in the queue is gone."""
        self._venue.floors[int(order.instrument.token)].orders.append(order)

    def watch(self, gtt: Waiting) -> None:
        """Put back a GTT that stood here before a restart."""
        self._venue.floors[int(gtt.instrument.token)].gtts.append(gtt)

    def standing(self, token: int, order_id: str) -> Resting | None:
        """Return an order that works."""
        floor = self._venue.floors.get(token)
        return next((each for each in floor.orders if each.order_id == order_id), None) if floor else None

    # what happens

    def send(self, command: Command) -> None:
        """Send a request on its way."""
        now = self._clock.now()
        self._venue.take([command], now)
        self._arrivals.append(now + int(self._rules.to_exchange))
        self._report(now)
        self._wake.set()

    def frame(self, payload: bytes, received: int) -> None:
        """Let our orders meet the prices of a frame."""
        for tick in self._decoder.decode(payload, received):
            if self._stamped:
                tick.ts = received
            self._now = tick.ts = max(self._now, int(tick.ts))
            self._venue.tick(tick)
        self._report(self._clock.now())
        self._wake.set()

    def pass_time(self) -> None:
        """Let requests arrive and reports be heard that are due."""
        now = self._clock.now()
        self._now = max(self._now, now)
        self._venue.advance(now)
        self._report(now)

    async def run(self, each: Callable[[], None]) -> None:
        """Let time pass until cancelled; `each` is called whenever it has."""
        while True:
            self._wake.clear()
            self.pass_time()
            each()
            await self._sleep(self._due())

    def _due(self) -> int:
        """Return when the next request arrives or the next report is heard, at the latest a beat from now."""
        due = min(int(self._venue.due), self._clock.now() + BEAT)
        return min(due, self._arrivals[0]) if self._arrivals else due

    async def _sleep(self, until: int) -> None:
        waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(self._clock.sleep_until(until))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _report(self, now: int) -> None:
        now = max(now, self._now)
        while self._arrivals and self._arrivals[0] <= now:
            self._arrivals.popleft()
        while self._venue.due <= now:
            self._hear(self._venue.event())
