"""The warm-up: the strategies' first history, read while the desk is already at work."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, final

from compiled.model.values import MINUTE, SECOND, Bar, Instrument
from compiled.trading.kernel import Kernel
from engine.day.opening import DAY_SPAN, MINUTE_SPAN, daily_tokens, fold_minutes, past_day_bars
from engine.day.price_bands import fill_in_bands
from engine.errors import OperatorError, RetryableError
from engine.market.calendar import ist_day
from engine.market.instrument_hours import InstrumentHours
from engine.ports import Broker, Clock

FIRST_S: Final = 3.0
"""Seconds of the opening that are given to the warm-up.

What is cold then warms up while the desk runs.
"""
PART: Final = 500
"""So many instruments are looked up together: as many as one request for quotes may name."""
TRIES: Final = 3
DEAD: Final = 10 * SECOND
"""How long to wait for a session that has ended."""
NAMED: Final = 3

Stored = Callable[[Sequence[str], int, int], Mapping[str, list[Bar]]]
"""Return the one-minute bars kept of some symbols that start in [start, end); blocks."""
Tell = Callable[[str, str, str], None]


@final
class WarmUp:
    """Brings instruments, in the order given, from cold to warm: first bands, then bars.

    The bars are those since the last session's open. No strategy gets or enters a cold instrument
    (`WARMING`); exits, protection and orders by hand go on. Bars that are kept whole come from
    `stored`, everything else from the broker. `take` is handed each instrument that has become
    warm, its bars of all spans, and the minutes that the broker was asked for.
    """

    def __init__(
        self,
        kernel: Kernel,
        broker: Broker,
        hours: InstrumentHours,
        clock: Clock,
        spans: Iterable[int],
        tell: Tell,
        take: Callable[[Instrument, list[Bar], list[Bar]], None],
        stored: Stored | None,
    ) -> None:
        self._kernel = kernel
        self._broker = broker
        self._hours = hours
        self._clock = clock
        self._spans = sorted({MINUTE_SPAN, *spans})
        self._tell = tell
        self._take = take
        self._stored = stored
        self._daily = daily_tokens(kernel)
        self._cold: dict[int, list[Bar]] = {}
        """The cold instruments, and what has closed of them meanwhile."""
        self._queue: deque[Instrument] = deque()
        self._kept: dict[int, list[Bar]] = {}
        self._failed: list[tuple[Instrument, RetryableError]] = []
        self._banded: set[int] = set()
        self._all = self._given_up = 0
        self._added = asyncio.Event()

    @property
    def cold_count(self) -> int:
        """Return how many instruments are cold."""
        return len(self._cold)

    async def begin(self, instruments: Sequence[Instrument], banded: Collection[int]) -> None:
        """Warm up as many as can be in the first seconds.

        Those whose token is in `banded` have their bands.
        """
        self._all = len(instruments)
        self._queue.extend(instruments)
        self._cold = {int(each.token): [] for each in instruments}
        self._banded.update(banded)
        self._kernel.strategy_host.begin_warmup(list(self._cold))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                await self._warm_queue()
        if self.cold_count:
            text = (
                f"{self.cold_count} of {self._all} instruments wait for their history; no "
                f"strategy enters them before"
            )
            self._tell("info", "warming", text)

    def add(self, each: Instrument) -> None:
        """Warm one more instrument up, whose bands are known, as soon as `keep_warming` turns."""
        if int(each.token) not in self._cold:
            self._cold[int(each.token)] = []
            self._banded.add(int(each.token))
            self._kernel.strategy_host.begin_warmup([int(each.token)])
            self._queue.append(each)
            self._added.set()

    async def keep_warming(self) -> None:
        """Warm up the rest, and then whatever is added, until cancelled."""
        await self.run()
        while True:
            await self._added.wait()
            self._added.clear()
            await self._warm_queue()

    async def run(self) -> None:
        """Warm up the rest."""
        if not self.cold_count:
            return
        await self._warm_queue()
        read = (
            f"all {self._all}"
            if not self._given_up
            else f"{self._all - self._given_up} of {self._all}"
        )
        self._tell("info", "warming", f"{read} instruments have their history")

    def hold_back(self, bars: list[Bar]) -> list[Bar]:
        """Keep closed bars of cold instruments until strategies may have them.

        Return the bars of the others.
        """
        if not self._cold:
            return bars
        for bar in bars:
            if (kept := self._cold.get(int(bar.token))) is not None:
                kept.append(bar)
        return [bar for bar in bars if int(bar.token) not in self._cold]

    async def _warm_queue(self) -> None:
        """Go through the queue.

        Instruments the broker turns away are asked for again, and warm without history in the end.
        """
        for tried in range(TRIES):
            await self._warm_round()
            if not self._failed:
                return
            if tried < TRIES - 1:
                self._queue.extend(each for each, _ in self._failed)
                self._failed.clear()
                await self._clock.sleep_until(self._clock.now() + SECOND)
        _tell_failed(
            self._failed,
            self._tell,
            len([each for each, _ in self._failed if self._kept.get(int(each.token))]),
        )
        self._given_up += len(self._failed)
        while self._failed:
            each, _ = self._failed.pop()
            self._fold_bars(each, self._kept.get(int(each.token), []), [], [])

    async def _warm_round(self) -> None:
        while self._queue:
            part = [self._queue[at] for at in range(min(PART, len(self._queue)))]
            await self._read_bands([each for each in part if int(each.token) not in self._banded])
            await self._load_kept(part)
            for each in part:
                while not await self._warm_instrument(each):
                    await self._clock.sleep_until(self._clock.now() + DEAD)
                self._queue.popleft()

    async def _read_bands(self, part: list[Instrument]) -> None:
        if not part:
            return
        try:
            fill_in_bands(part, await self._broker.bands(part))
            self._banded.update(int(each.token) for each in part)
        except (RetryableError, OperatorError) as error:
            self._tell(
                "warn", "bands", f"the bands of {len(part)} instruments cannot be read: {error}"
            )

    async def _load_kept(self, part: list[Instrument]) -> None:
        """Look up the kept bars of some instruments, and warm those without a missing one."""
        if self._stored is None or not part:
            return
        now = self._clock.now()
        start = min(opens[0] for each in part if (opens := self._session_opens(each, now)))
        found = await asyncio.to_thread(self._stored, [each.symbol for each in part], start, now)
        self._kept |= {
            int(each.token): [
                bar
                for bar in found.get(each.symbol, [])
                if bar.start >= self._session_opens(each, now)[0]
            ]
            for each in part
        }

    async def _warm_instrument(self, each: Instrument) -> bool:
        """Warm one instrument up, or note that the broker turned it away.

        Return False while the session is dead.
        """
        now, read = self._clock.now(), list[Bar]()
        opens = self._session_opens(each, now)
        kept = self._kept.get(int(each.token), [])
        since = self._missing_since(each, kept, now)
        days: list[Bar] = []
        try:
            if since:
                read = await self._broker.history(
                    int(each.token), since if kept else opens[0], now, MINUTE_SPAN
                )
                kept = [bar for bar in kept if bar.start < since] + read
            if each.token in self._daily:
                days = await past_day_bars(self._broker, int(each.token), now)
        except RetryableError as error:
            self._failed.append((each, error))
            return True
        except OperatorError:
            return False
        self._fold_bars(each, kept, days, read)
        return True

    def _fold_bars(
        self, each: Instrument, minutes: Sequence[Bar], days: list[Bar], read: list[Bar]
    ) -> None:
        """Warm one instrument up with minutes, and with bars of days."""
        now = self._clock.now()
        opens = self._session_opens(each, now)
        spans = [span for span in self._spans if span != DAY_SPAN or each.token not in self._daily]
        self._release_instrument(
            each,
            days
            + [
                bar
                for span in spans
                for bar in fold_minutes(minutes, span, opens)
                if bar.end <= now
            ],
            read,
        )

    def _missing_since(self, each: Instrument, kept: Sequence[Bar], now: int) -> int:
        """Return when the first missing minute of the kept bars began, 0 where none is."""
        today = ist_day(now)
        starts = {int(bar.start) for bar in kept}
        expected = self._hours.expected_bars(self._hours.session_before(today, each).day, each)
        expected += [
            start for start in self._hours.expected_bars(today, each) if start + MINUTE <= now
        ]
        return next((start for start in expected if start not in starts), 0)

    def _session_opens(self, each: Instrument, now: int) -> list[int]:
        today = ist_day(now)
        sessions = (self._hours.session_before(today, each), self._hours.session(today, each))
        return [part.start for session in sessions if session for part in session.parts]

    def _release_instrument(self, each: Instrument, bars: list[Bar], read: list[Bar]) -> None:
        """Show strategies an instrument from here on: its past, then the bars closed meanwhile."""
        live = self._cold.pop(int(each.token))
        known = {(bar.start, bar.span) for bar in bars}
        whole = bars + [bar for bar in live if (bar.start, bar.span) not in known]
        whole.sort(key=lambda bar: (bar.end, bar.span))
        self._kernel.strategy_host.end_warmup(int(each.token), whole)
        self._kept.pop(int(each.token), None)
        self._take(each, whole, read)


def _tell_failed(
    failed: Sequence[tuple[Instrument, RetryableError]], tell: Tell, kept: int
) -> None:
    who = (
        ", ".join(each.symbol for each, _ in failed)
        if len(failed) <= NAMED
        else f"{len(failed)} instruments"
    )
    minutes = f"; {kept} of them begin with the minutes that this desk has kept" if kept else ""
    tell("warn", "history", f"{who}: no history from the broker ({failed[-1][1]}){minutes}")
