"""The seeded crowd: market makers who quote around a moving fair value, and takers who trade against them.

Fair values share an index factor, breathe with the time of day, trend for five to twenty minutes at a time and jump now
and then. Everything a client sees (depth, last price, volume, average, range) comes out of trades in the book.
"""

import math
from random import Random
from typing import Protocol, final

from brokers.sandbox.listing import Listing
from compiled.model import SECOND

LEVELS = 6
HALF_SPREAD = 0.00008
LEVEL_VALUE = 500_000.0
"""Rupees a market maker shows per level, on average."""
TAKER_VALUE = 120_000.0
INDEX_SIGMA = 0.00002
"""Per root second, in the quiet middle of the day; an eighth to a half of what a share does by itself."""
OWN_SIGMA = 0.00005
JUMP_CHANCE = 1 / 6_000
JUMP_SIGMA = 0.006
REACH = 0.085
"""Fair values stay this close to the previous close, inside the price band."""


class Market(Protocol):
    """Where prices come from: it trades in the listings' books at instants it names itself."""

    listings: list[Listing]
    opens: int
    """First instant of the session, ns UTC."""
    closes: int
    """End of the session, ns UTC."""

    def next(self, after: int) -> int:
        """Return the first instant later than `after` at which it moves."""
        ...

    def step(self, now: int) -> list[Listing]:
        """Move at an instant that `next` has named; return the listings it touched, in a fixed order."""
        ...


@final
class Crowd:
    """Twenty names and their traders; moves once a second."""

    def __init__(self, listings: list[Listing], betas: list[float], seed: int, opens: int, closes: int) -> None:
        self.listings = listings
        self.opens = opens
        self.closes = closes
        self._random = Random(f"{seed}:index")  # noqa: S311 a simulation, not a secret
        self._traders = [
            Traders(listing, beta, Random(f"{seed}:{listing.instrument.symbol}"))  # noqa: S311 a simulation, not a secret
            for listing, beta in zip(listings, betas, strict=True)
        ]

    def next(self, after: int) -> int:
        """Return the next whole second of the session."""
        return max(self.opens, after - after % SECOND + SECOND)

    def step(self, now: int) -> list[Listing]:
        """Let everybody trade for one second."""
        if now >= self.closes:
            return []
        heat = intensity((now - self.opens) // SECOND, (self.closes - now) // SECOND)
        market = self._random.gauss(0.0, INDEX_SIGMA * heat)
        for traders in self._traders:
            traders.step(market, heat)
        return self.listings


def intensity(since_open: int, to_close: int) -> float:
    """Return the U-shape of the day: about 2 at the open, 0.8 at noon, 1.4 at the close."""
    return 0.8 + 1.2 * math.exp(-since_open / 1_500) + 0.6 * math.exp(-to_close / 1_800)


@final
class Traders:
    """The agents of one name."""

    def __init__(self, listing: Listing, beta: float, random: Random) -> None:
        self.listing = listing
        self.beta = beta
        self._random = random
        self._close = listing.instrument.close
        self._level = 0.0
        self._trend = 0.0
        self._slow = 0.0
        self._left = 0
        self._excited = 0.0
        self._opening = True
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._top = (0, 0)
        self._clip = max(1.0, TAKER_VALUE / self._close)
        self._size = max(1.0, LEVEL_VALUE / self._close)

    def step(self, market: float, heat: float) -> None:
        """Move the fair value, requote, take."""
        self._drift(market, heat)
        self._quote()
        self._take(heat)

    def _drift(self, market: float, heat: float) -> None:
        random = self._random
        if self._left <= 0:
            self._regime(opening=self._opening)
            self._opening = False
        self._left -= 1
        step = self.beta * market + self._trend + random.gauss(0.0, OWN_SIGMA * heat)
        if random.random() < JUMP_CHANCE:
            step += random.gauss(0.0, JUMP_SIGMA)
        self._level = min(REACH, max(-REACH, self._level + step))
        self._slow += (self._level - self._slow) / 30

    def _regime(self, *, opening: bool) -> None:
        random = self._random
        up = 0.5 - min(0.45, max(-0.45, self._level / 0.08))
        sign = 1.0 if random.random() < up else -1.0
        trending = random.random() < (0.65 if opening else 0.55)
        self._left = random.randrange(300, 600 if opening else 1_200)
        self._trend = sign * random.uniform(0.015, 0.032) / self._left if trending else 0.0

    def _quote(self) -> None:
        fair = self._close * (1.0 + self._level) / self.listing.instrument.price(1)
        half = max(0.5, fair * HALF_SPREAD)
        top = (math.floor(fair - half + 0.5), math.ceil(fair + half - 0.5))
        if top[0] >= top[1]:
            top = (top[0], top[0] + 1)
        if top == self._top and len(self._bids) == len(self._asks) == LEVELS:
            return
        self._top = top
        self._withdraw(self._bids, top[0] - LEVELS + 1, top[0])
        self._withdraw(self._asks, top[1], top[1] + LEVELS - 1)
        self._offer(self._bids, 1, top[0])
        self._offer(self._asks, -1, top[1])

    def _withdraw(self, held: dict[int, int], lowest: int, highest: int) -> None:
        cancel = self.listing.book.cancel
        for ticks in [ticks for ticks in held if not lowest <= ticks <= highest]:
            cancel(held.pop(ticks))

    def _offer(self, held: dict[int, int], side: int, top: int) -> None:
        listing, random, size = self.listing, self._random, self._size
        for distance in range(LEVELS):
            ticks = top - side * distance
            if ticks in held or not listing.low_band <= ticks <= listing.high_band:
                continue
            number = listing.number()
            listing.book.limit(number, side, ticks, int(size * (0.4 + random.random() * (1.0 + 0.3 * distance))) + 1)
            held[ticks] = number

    def _take(self, heat: float) -> None:
        random, listing = self._random, self.listing
        chance = 0.35 * heat + self._excited
        self._excited = self._excited * 0.8
        while random.random() < min(chance, 0.9):
            chance -= 0.6
            push = min(0.4, max(-0.4, (self._level - self._slow) * 250.0))
            side = 1 if random.random() < 0.5 + push else -1
            quantity = int(random.expovariate(1.0 / self._clip)) + 1
            listing.book.market(listing.number(), side, quantity)
            self._excited = min(0.5, self._excited + 0.12)
        if not listing.open and not listing.book.fills():
            listing.book.market(listing.number(), 1, int(self._clip) + 1)
        if listing.book.fills():
            self._forget(self._bids)
            self._forget(self._asks)

    def _forget(self, held: dict[int, int]) -> None:
        remaining = self.listing.book.remaining
        for ticks in [ticks for ticks, number in held.items() if not remaining(number)]:
            del held[ticks]
