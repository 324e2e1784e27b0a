"""The market of a simulated day.

Narrow bands that slide, prices that run into them and stay there.
"""

import random

NARROW = (0.004, 0.008, 0.015)
"""How far the edges of a band stand from the last price."""
PARTS = (0.003, 0.006, 0.01)
"""By how much of the previous close a band slides."""
NEAR = 0.001
"""So near to an edge a price counts as at it, as at the exchange."""
WIDE = 0.15


class MarketWeather:
    """Bands of `world`'s exchange over its first `until` seconds.

    Afterwards they are wide, and nothing is locked.
    """

    def __init__(self, world, until):
        self._world = world
        self._rng = rng = random.Random(f"{world.seed}:market")
        self._at_edge = {}
        self.slid = self.locked = 0
        for trader in self._traders():
            if rng.random() < 0.8:
                self._narrow(trader.listing)
        for _ in range(rng.choice((1, 3, 6))):
            world.loop.call_at(rng.uniform(0.0, until), self._run)
        for second in range(1, int(until)):
            world.loop.call_at(float(second), self._watch)
        world.loop.call_at(until, self._clear)

    def _traders(self):
        return self._world.exchange.market._traders

    def _narrow(self, listing):
        share = self._rng.choice(NARROW)
        listing.move_band(listing.ltp * (1.0 - share), listing.ltp * (1.0 + share))

    def _run(self):
        """Let a price run towards an edge of its band, and beyond what the band lets it."""
        self._rng.choice(self._traders())._fair.jump(self._rng.choice((-0.02, -0.01, 0.01, 0.02)))

    def _watch(self):
        """Let each band slide whose price has stood at its edge for long enough."""
        now = self._world.loop.seconds
        for trader in self._traders():
            listing = trader.listing
            side = self._edge(listing)
            since, before = self._at_edge.get(listing.key, (now, 0))
            if side == 0 or side != before:
                self._at_edge[listing.key] = now, side
                continue
            self.locked += 1
            if now - since >= self._rng.uniform(3.0, 25.0):
                self._slide(listing, side)

    @staticmethod
    def _edge(listing):
        made, last = listing.instrument, listing.ltp
        if last <= made.lower * (1.0 + NEAR):
            return -1
        return 1 if last >= made.upper * (1.0 - NEAR) else 0

    def _slide(self, listing, side):
        self.slid += 1
        listing.slide_band(side * self._rng.choice(PARTS))
        self._world.exchange._cancel_outside_band(listing)
        self._world.note(
            f"band of {listing.key}: {listing.instrument.lower} to {listing.instrument.upper}"
        )
        del self._at_edge[listing.key]

    def _clear(self):
        for trader in self._traders():
            close = trader.listing.instrument.close
            trader.listing.move_band(close * (1.0 - WIDE), close * (1.0 + WIDE))


def simulate(seed, build, settle, calm):
    """Run a day with this weather beside its own.

    Return what the market did (slides, seconds at an edge) and the worst.
    """
    world, end = build(seed)
    try:
        weather = MarketWeather(world, end - calm)
        world.run(end)
        settle(world)
        return weather.slid, weather.locked, world.checks.worst_bare
    finally:
        world.close()
