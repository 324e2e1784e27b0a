"""Instruments that come under watch, and leave it, while the desk runs."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date
from typing import Final, NamedTuple, final

from compiled.model.events import AddedInstrument, FeedStatus
from compiled.model.values import Instrument
from compiled.trading.kernel import Kernel
from engine.board.event_log import EventLog
from engine.day.opening import day_rates, fill_in_freezes
from engine.day.price_bands import fill_in_bands
from engine.day.warm_up import WarmUp
from engine.errors import DataError, OperatorError, RetryableError
from engine.history.minute_gaps import MinuteGaps
from engine.market.calendar import ist_day
from engine.market.charges import ChargeSource
from engine.market.instrument_hours import InstrumentHours
from engine.market.instrument_search import InstrumentSearch
from engine.market.order_rules import OrderRules
from engine.operator_requests import OperatorOutcome, done, refused
from engine.ports import Broker, Clock, Feed, Journal

OTHER_EXCHANGES: Final = ("NFO", "BFO", "BSE", "MCX")
"""Where the desk can trade besides NSE, read when something of there is asked for."""
WATCH: Final = "watch:"
"""How the changes of a day's watch are called in `meta`, before the day."""


class WatchChanges(NamedTuple):
    """The instruments of a day that were added while the desk ran, and those taken off.

    By exchange and symbol.
    """

    added: tuple[tuple[str, str], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()


def kept_changes(journal: Journal, day: date) -> WatchChanges:
    """Return the changes of a day's watch, as an earlier run of the day has kept them."""
    rows = journal.load("meta", "key = ?", (f"{WATCH}{day}",))
    try:
        table = json.loads(str(rows[0]["value"])) if rows else {}
        return WatchChanges(
            *(
                tuple((str(exchange), str(symbol)) for exchange, symbol in table.get(part, ()))
                for part in WatchChanges._fields
            )
        )
    except (ValueError, TypeError, AttributeError):
        raise DataError(f"the journal's row {WATCH}{day} of meta cannot be read") from None


async def listed_elsewhere(broker: Broker, exchanges: Iterable[str]) -> list[Instrument]:
    """Return the instruments of exchanges besides NSE; one that the broker does not list has none.

    A share that NSE lists as well is not among them: two instruments of one symbol would be taken
    for each other.
    """
    found: list[Instrument] = []
    for exchange in exchanges:
        # Not every account has every exchange, and a broker may be slow with one of them.
        with suppress(RetryableError, OperatorError):
            found += await broker.instruments(exchange)
    return found


def tradable(listed: Iterable[Instrument], elsewhere: Iterable[Instrument]) -> list[Instrument]:
    """Return every instrument once by its symbol, NSE's before all others."""
    by_symbol: dict[str, Instrument] = {}
    for each in (*listed, *elsewhere):
        by_symbol.setdefault(each.symbol, each)
    return list(by_symbol.values())


@final
class WatchedInstruments:
    """Adds instruments to an opened day and takes them off it, on the engine's event loop.

    The kernel takes an added one as an event, so that a recording has it. One that is taken off
    stays in the kernel, where orders of the day may be on it: the feed no longer brings it and no
    list shows it. Every change is kept for the next start of the day. `early` is how long (ns)
    intraday positions are left before the broker does so.
    """

    def __init__(
        self,
        kernel: Kernel,
        broker: Broker,
        *,
        feed: Feed,
        journal: Journal,
        clock: Clock,
        hours: InstrumentHours,
        gaps: MinuteGaps,
        charges: ChargeSource,
        log: EventLog,
        listed: Sequence[Instrument],
        most: int,
        early: int,
        take: Callable[[AddedInstrument | FeedStatus], None],
    ) -> None:
        self._kernel = kernel
        self._broker = broker
        self._feed = feed
        self._journal = journal
        self._clock = clock
        self._hours = hours
        self._gaps = gaps
        self._charges = charges
        self._log = log
        self._listed = listed
        self._most = most
        self._early = early
        self._take = take
        self._day = ist_day(clock.now())
        self._changes = kept_changes(journal, self._day)
        self._elsewhere: list[Instrument] | None = None
        self.search: InstrumentSearch | None = None
        """The search over all that can be traded, once it has been asked for."""
        # One after the other: two at once could both take the feed's last place.
        self._turn = asyncio.Lock()
        self.hidden: set[int] = set()
        """The tokens that were taken off: known to the kernel, and shown nowhere."""
        self.warming: WarmUp | None = None
        """What reads the history of an added one, where there is one."""
        self.why_fixed = ""
        """Why nothing can be added or taken off, empty where it can."""

    @property
    def count(self) -> int:
        """Return how many instruments are under watch."""
        return len(self._kernel.state.markets) - len(self.hidden)

    async def search_index(self) -> InstrumentSearch:
        """Return the search over all that can be traded; the other exchanges are read once."""
        if self.search is None:
            everything = tradable(self._listed, await self._read_elsewhere())
            # Tens of thousands of names: beside the loop, which has prices to take.
            self.search = await asyncio.to_thread(InstrumentSearch, everything)
        return self.search

    async def _read_elsewhere(self) -> list[Instrument]:
        if self._elsewhere is None:
            self._elsewhere = await listed_elsewhere(self._broker, OTHER_EXCHANGES)
        return self._elsewhere

    async def add(self, symbol: str) -> OperatorOutcome:
        """Put an instrument under watch, or say why it cannot be had, and what is called alike."""
        if self.why_fixed:
            return refused(self.why_fixed)
        async with self._turn:
            return await self._add_symbol(symbol)

    async def _add_symbol(self, symbol: str) -> OperatorOutcome:
        # what was taken off has its orders and its last price in the kernel still
        known = self._known_instrument(symbol)
        if known is not None and int(known.token) not in self.hidden:
            return done(f"{symbol} is under watch")
        instrument = known or await self._find_listed(symbol)
        if instrument is None:
            near = (await self.search_index()).nearest(symbol)
            hint = f"; near it: {', '.join(near)}" if near else ""
            return refused(f"{symbol} is listed nowhere that this desk trades{hint}")
        if self.count >= self._most:
            return refused(
                f"the feed serves {self._most} instruments, and as many are under watch: take one "
                f"off first"
            )
        return await self._take_up(instrument)

    async def _take_up(self, instrument: Instrument) -> OperatorOutcome:
        token, symbol = int(instrument.token), instrument.symbol
        try:
            event = await self._added_event(instrument)
            # Before the feed brings it: a tick of an unknown instrument is a dead letter.
            self._take(event)
            await self._feed.subscribe([token])
        except (OperatorError, LookupError, ValueError) as error:
            if self._kernel.state.markets.get(token) is not None:
                self._hide_token(token)
            return refused(f"{symbol} cannot be had: {error}")
        self.hidden.discard(token)
        if self.warming is not None:
            self.warming.add(instrument)
        self._keep_changes(instrument, added=True)
        self._log.add_event("info", "watch", f"{symbol} is under watch from now on")
        return done(f"{symbol} is under watch")

    async def _added_event(self, instrument: Instrument) -> AddedInstrument:
        """Return the kernel's event, with bands as far as the broker tells them."""
        fill_in_freezes([instrument], OrderRules.load(), self._day)
        # A busy broker is no reason to refuse: the band watch looks again.
        with suppress(RetryableError, OperatorError):
            fill_in_bands([instrument], await self._broker.bands([instrument]))
        hours = self._hours.hours_of_day(self._day, [instrument], self._early)
        # Looked up before it is taken: what has no charges could not be traded.
        day_rates(self._charges, [instrument], self._day)
        return AddedInstrument(self._clock.now(), instrument, hours[int(instrument.token)])

    def follow(self, instrument: Instrument) -> None:
        """Take note of an instrument that the kernel has taken up, here or in a recording."""
        self._kernel.reprice(day_rates(self._charges, [instrument], self._day))
        self._gaps.add_instrument(instrument, self._clock.now())

    async def remove(self, symbol: str) -> OperatorOutcome:
        """Take an instrument off the watch, unless something of ours depends on its prices."""
        if self.why_fixed:
            return refused(self.why_fixed)
        async with self._turn:
            instrument = self._known_instrument(symbol)
            if instrument is None or int(instrument.token) in self.hidden:
                return refused(f"{symbol} is not under watch")
            if why := self._why_needed(instrument):
                return refused(f"{symbol} stays under watch: {why}")
            token = int(instrument.token)
            await self._feed.unsubscribe([token])
            # No price of it is news from here on, and its silence is no fault of the feed.
            self._take(FeedStatus(self._clock.now(), token, live=False))
            self._hide_token(token)
            self._keep_changes(instrument, added=False)
            self._log.add_event("info", "watch", f"{symbol} is no longer under watch")
            return done(f"{symbol} is no longer under watch")

    def _hide_token(self, token: int) -> None:
        self.hidden.add(token)
        self._gaps.drop_instrument(token)

    def _why_needed(self, instrument: Instrument) -> str:
        state, token = self._kernel.state, int(instrument.token)
        if state.markets[token].ladders:
            return "a position in it is open"
        orders = self._kernel.order_store.orders.values()
        if any(order.live and int(order.token) == token for order in orders):
            return "an order in it is at work"
        if names := [slot.name for slot in state.slots if token in slot.tokens]:
            return f"it belongs to {', '.join(names)}"
        return ""

    def _known_instrument(self, symbol: str) -> Instrument | None:
        every = (market.instrument for market in self._kernel.state.markets.values())
        return next((each for each in every if each.symbol == symbol), None)

    async def _find_listed(self, symbol: str) -> Instrument | None:
        # NSE's list is at hand since the opening; the others are big, and read when needed.
        here = next((each for each in self._listed if each.symbol == symbol), None)
        if here is not None:
            return here
        return next((each for each in await self._read_elsewhere() if each.symbol == symbol), None)

    def _keep_changes(self, instrument: Instrument, *, added: bool) -> None:
        """Write down the day's changes; what was undone again is no change."""
        name = (instrument.exchange, instrument.symbol)
        before = self._changes
        came = tuple(each for each in before.added if each != name)
        went = tuple(each for each in before.removed if each != name)
        # The configured instruments are neither: they come back by themselves.
        if added and name not in before.removed:
            came = (*came, name)
        elif not added and name not in before.added:
            went = (*went, name)
        self._changes = WatchChanges(came, went)
        self._journal.append(
            "meta",
            {"key": f"{WATCH}{self._day}", "value": json.dumps(self._changes._asdict())},
        )
