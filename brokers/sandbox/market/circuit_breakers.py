"""Limits of prices: bands that slide under shares with derivatives, halts of the whole market.

Sources: SEBI's circulars on market-wide circuit breakers (10, 15 and 20 % of the index) and of 24
May 2024 on sliding price bands. A band slides after its waiting time, where the price still stands
within 0.1 % of its edge.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, final

from brokers.sandbox import kite_times
from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex
from compiled.model.values import MINUTE

SLIDES = ((0.05, 15), (0.05, 15), (0.03, 30), (0.03, 30), (0.02, 60))
"""Slides of a day: part of the previous close, minutes at the edge; the last one repeats."""
LATE, LATE_WAIT = kite_times.time_of_day("15:00"), 5
"""From then on a slide waits only so many minutes."""
NEAR = 0.001
REST: Final = -1
"""A halt for the rest of the day."""


class BreakerLevel(NamedTuple):
    """One circuit breaker: index move, (until, minutes) of its halts by time, then `late`."""

    move: float
    halts: tuple[tuple[int, int], ...]
    late: int


LEVELS = (
    BreakerLevel(
        0.10, ((kite_times.time_of_day("13:00"), 45), (kite_times.time_of_day("14:30"), 15)), 0
    ),
    BreakerLevel(
        0.15, ((kite_times.time_of_day("13:00"), 105), (kite_times.time_of_day("14:00"), 45)), REST
    ),
    BreakerLevel(0.20, (), REST),
)


def halt_minutes(level: BreakerLevel, time_of_day: int) -> int:
    """Return the minutes of a breaker's halt by its time (ns since midnight), 0 or `REST`."""
    return next((long for until, long in level.halts if time_of_day < until), level.late)


@final
class SlidingBand:
    """The band of one instrument, and how long its price has stood at an edge of it."""

    def __init__(self, listing: ExchangeListing) -> None:
        self.listing = listing
        self._slides = 0
        self._since = 0
        self._side = 0
        self._set_edges()

    def _set_edges(self) -> None:
        near = int(self.listing.instrument.close * NEAR / self.listing.instrument.price(1))
        self._low, self._high = self.listing.low_band + near, self.listing.high_band - near

    def slide_if_due(self, now: int, time_of_day: int) -> bool:
        """Slide the band if that is due; return whether it has slid."""
        last = self.listing.last
        # an auction has a band of its own
        if self._low < last < self._high or self.listing.reference:
            self._side = 0
            return False
        side = 1 if last >= self._high else -1
        if side != self._side:
            self._side, self._since = side, now
        step, wait = SLIDES[min(self._slides, len(SLIDES) - 1)]
        if now - self._since < (LATE_WAIT if time_of_day >= LATE else wait) * MINUTE:
            return False
        self.listing.slide_band(side * step)
        self._slides += 1
        self._since = now
        self._set_edges()
        return True


@final
class CircuitWatch:
    """Watch of prices from second to second; `slid` and `halt` (minutes, or `REST`) act on it."""

    def __init__(
        self,
        index: ListedIndex,
        midnight: int,
        slid: Callable[[ExchangeListing], None],
        halt: Callable[[int], None],
    ) -> None:
        self.halts_market = True
        """Whether the whole market stops where the index has moved too far."""
        self._bands: list[SlidingBand] = []
        self._index = index
        self._midnight = midnight
        self._slid = slid
        self._halt = halt
        self._reached = 0
        """Breakers that have been tripped today."""

    def watch(self, listing: ExchangeListing) -> None:
        """Slide an instrument's band from now on."""
        self._bands.append(SlidingBand(listing))

    def check(self, now: int) -> None:
        """Slide the bands that are due, and halt the market where the index reaches a breaker."""
        time_of_day = now - self._midnight
        for band in self._bands:
            if band.slide_if_due(now, time_of_day):
                self._slid(band.listing)
        if not self.halts_market:
            return
        moved = abs(self._index.last / self._index.instrument.close - 1.0)
        tripped = [level for level in LEVELS[self._reached :] if moved >= level.move]
        self._reached += len(tripped)
        long = halt_minutes(tripped[-1], time_of_day) if tripped else 0
        if long:
            self._halt(long)
