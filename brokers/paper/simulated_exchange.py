"""The core's venue on a clock.

Requests go in as they are made, ticks as they come, and its reports come out in time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import date
from typing import final

from compiled.model.events import KernelCommand
from compiled.model.values import SECOND, Instrument, Tick
from compiled.venue.instrument_venue import InstrumentVenue, VenueRules
from compiled.venue.resting_orders import RestingGtt, RestingOrder
from compiled.venue.slippage import Slippage
from compiled.venue.venue import SimulatedVenue
from engine.errors import DataError
from engine.market.calendar import Calendar
from engine.ports import Clock

BEAT = SECOND
"""How often time is let pass where nothing else happens."""


@final
class SimulatedExchange:
    """A simulated exchange that calls `hear` with each report when it is due.

    `stamped`: ticks happen when they are received, else at their own time. Without latency a
    request is answered before `send_command` returns, and nothing has to run; else `run` lets time
    pass.
    """

    def __init__(
        self,
        rules: VenueRules,
        slippage: Slippage,
        clock: Clock,
        hear: Callable[[object], None],
        *,
        stamped: bool,
    ) -> None:
        self._rules = rules
        self._slippage = slippage
        self._venue = SimulatedVenue([], rules, self._slippage)
        self._clock = clock
        self._hear = hear
        self._stamped = stamped
        # when requests arrive: the venue itself says only when its reports are due
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

    def list_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Take these instruments, with their bands, into trading."""
        for each in instruments:
            floor = self._venue.instrument_venues.get(int(each.token))
            if floor is None:
                self._venue.instrument_venues[int(each.token)] = InstrumentVenue(
                    each, self._rules, self._slippage, self._venue.reports
                )
            else:
                floor.instrument = each

    def listed_instrument(self, token: int) -> Instrument | None:
        """Return a listed instrument."""
        floor = self._venue.instrument_venues.get(token)
        return None if floor is None else floor.instrument

    def open_day(self, calendar: Calendar, day: date) -> int:
        """Trade in a day's session; return its close (ns UTC), 0 for a day without one."""
        try:
            session = calendar.session(day) if calendar.is_trading_day(day) else None
        except DataError:
            return 0  # a session of unknown clock time: the desk does not open on it either
        if session is None:
            return 0
        self._venue.begin_session(session.open, session.close)
        return session.close

    def end_session(self, ts: int) -> None:
        """End the session: DAY orders are cancelled, GTTs stay."""
        self._venue.end_session(ts)
        self._deliver_reports(self._clock.now())

    def restore_order(self, order: RestingOrder) -> None:
        """Put back an order that stood here before a restart; its place in the queue is gone."""
        self._venue.instrument_venues[int(order.instrument.token)].orders.append(order)

    def restore_gtt(self, gtt: RestingGtt) -> None:
        """Put back a GTT that stood here before a restart."""
        self._venue.instrument_venues[int(gtt.instrument.token)].gtts.append(gtt)

    def standing_order(self, token: int, order_id: str) -> RestingOrder | None:
        """Return an order that works."""
        floor = self._venue.instrument_venues.get(token)
        return (
            next((each for each in floor.orders if each.order_id == order_id), None)
            if floor
            else None
        )

    # what happens

    def send_command(self, command: KernelCommand) -> None:
        """Send a request on its way."""
        now = self._clock.now()
        self._venue.take_commands([command], now)
        self._arrivals.append(now + int(self._rules.to_exchange))
        self._deliver_reports(now)
        self._wake.set()

    def take_ticks(self, ticks: Iterable[Tick], received: int) -> None:
        """Let our orders meet prices."""
        for tick in ticks:
            ts = received if self._stamped else int(tick.ts) or received
            # time never goes back: a packet may carry an older stamp than one before it
            self._now = max(self._now, ts)
            self._venue.meet_tick(tick, self._now)
        self._deliver_reports(self._clock.now())
        self._wake.set()

    def pass_time(self) -> None:
        """Let the due requests arrive, and deliver the due reports."""
        now = self._clock.now()
        self._now = max(self._now, now)
        self._venue.advance(now)
        self._deliver_reports(now)

    async def run(self, each: Callable[[], None]) -> None:
        """Let time pass until cancelled; `each` is called whenever it has."""
        while True:
            self._wake.clear()
            self.pass_time()
            each()
            await self._sleep_until(self._next_due())

    def _next_due(self) -> int:
        """Return when the next request arrives or report is due, at the latest a beat from now."""
        due = min(int(self._venue.due), self._clock.now() + BEAT)
        return min(due, self._arrivals[0]) if self._arrivals else due

    async def _sleep_until(self, until: int) -> None:
        waits = [
            asyncio.ensure_future(self._wake.wait()),
            asyncio.ensure_future(self._clock.sleep_until(until)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _deliver_reports(self, now: int) -> None:
        now = max(now, self._now)
        while self._arrivals and self._arrivals[0] <= now:
            self._arrivals.popleft()
        while self._venue.due <= now:
            self._hear(self._venue.next_event())
