"""Several days in a row, from an afternoon to the morning after the weekend.

`live_through(seed)` raises `Broken` as a day does. In the first evening the broker turns GTTs away
for hours, and stops are taken from under the desk; what leaves then, and what is written down, must
stay little. Each morning the bands are narrow.
"""

import random

from brokers.sandbox.faults import Fault
from compiled.model.values import SECOND
from tests.engine.market.test_hours import at
from tests.simulation.checks import Broken
from tests.simulation.day import settle
from tests.simulation.evening import rest
from tests.simulation.market_weather import NARROW
from tests.simulation.trader import Whim
from tests.simulation.weather import Weather
from tests.simulation.world import World

THURSDAY, FRIDAY, MONDAY = "2026-11-19", "2026-11-20", "2026-11-23"
HOURS = 4
"""For how long at the most the broker turns GTTs away."""
PER_HOUR = 60
"""Changing requests, and log lines, that an hour of such an evening may bring a position."""


class Week:
    """A world that lives on from day to day."""

    def __init__(self, seed):
        self.rng = rng = random.Random(f"{seed}:week")
        self.runs = 0
        self.attended = True
        """Whether a desk has lived through the end of the session."""
        limits = {
            "max_exposure": 0,
            "max_positions": rng.choice((0, 4)),
            "stale_after": 10_000_000_000,
        }
        self.world = World(
            seed, self._strategies, "15:13", day=THURSDAY, limits=limits, beat_s=20.0
        )
        self.world.ports = {"tomorrow": self._strategies}
        self.weather = Weather(self.world, rng.uniform(40.0, 110.0))
        self.world.start()

    def _strategies(self):
        self.runs += 1
        now = self.world.clock.true()
        days = [at(THURSDAY, "15:14"), at(FRIDAY, "09:16"), at(MONDAY, "09:16")]
        return [
            Whim(
                f"{self.world.seed}:{self.runs}", 0.1, next((end for end in days if end > now), now)
            )
        ]

    def seconds(self, day, clock):
        return (at(day, clock) - self.world.clock.start) / SECOND

    def reach(self, day, clock):
        """Live to a time of day, differences settled in the last minute, and judge both sides."""
        world, end = self.world, self.seconds(day, clock)
        world.loop.call_at(
            max(world.loop.seconds, end - 60.0), self.weather.operator.decide_until, end + 60.0
        )
        world.run(end)
        settle(world)
        if self.attended:
            rest(world)

    def evening(self, day):
        """Let the broker turn GTTs away from the close on, and take stops from under the desk.

        Judge what that brings.
        """
        world, rng = self.world, self.rng
        lasts = rng.uniform(0.1, HOURS) * 3_600.0
        rule = world.exchange.faults.add(
            Fault("429", rng.choice(("POST /gtt/*", "* /gtt/*")), lasts=lasts), world.clock.true()
        )
        world.storms += 1
        world.loop.call_later(lasts, self._clears, rule)
        for _ in range(rng.choice((1, 2, 3))):
            world.loop.call_later(rng.uniform(60.0, 900.0), self._take_away)
        for _ in range(rng.choice((0, 1))):
            world.loop.call_later(rng.uniform(60.0, 900.0), self.weather.operator.leave)
        held = max(1, sum(position.held > 0 for position in world.checks.rungs.values()))
        begun, written = len(world.diary), len(world.disk.rows("events"))
        world.run(self.seconds(day, "22:00"))
        most = held * PER_HOUR * 7
        changed = sum(
            " -> " in text and not text.startswith(("GET", "outside"))
            for _, text in world.diary[begun:]
        )
        if changed > most:
            raise Broken(world, f"{changed} requests in an evening with {held} positions")
        if len(world.disk.rows("events")) - written > most:
            raise Broken(world, "the event log grows by repetition")

    def _clears(self, rule):
        world = self.world
        world.exchange.faults.remove(rule.number)
        world.storms -= 1
        world.calm_since = world.loop.seconds

    def _take_away(self):
        """Delete a stop past the broker's refusals: that of a rung, by somebody else."""
        gtts = self.world.exchange.gtts
        active = [trigger for trigger in gtts.triggers.values() if trigger.status == "active"]
        if active:
            self.world.note("outside: a GTT is gone")
            gtts.delete_gtt(str(self.rng.choice(active).trigger_id), self.world.clock.true())
            self.world.checks.books()

    def morning(self, day):
        """Open the exchange of a day at 08:30, with bands so narrow that stops lie beyond them."""
        self.world.next_exchange(day, "08:30")
        for trader in self.world.exchange.market._traders:
            listing, share = trader.listing, self.rng.choice((*NARROW, 0.1))
            listing.move_band(listing.ltp * (1.0 - share), listing.ltp * (1.0 + share))

    def dies_until(self, day, clock):
        """Have the desk killed now and started again at a time of day.

        The market is silent meanwhile.
        """
        world = self.world
        world.kill_process()
        self.attended = False
        world.exchange._next = world.exchange.closes
        world.loop.call_at(self.seconds(day, clock), world.start)
        world.run(self.seconds(day, clock))
        world.calm_since = world.loop.seconds


def live_through(seed):
    """Run the days of a seed and return what was found of them."""
    week = Week(seed)
    try:
        week.reach(THURSDAY, "15:36")
        week.evening(THURSDAY)
        week.world.loop.call_at(week.seconds(THURSDAY, "23:00"), week.morning, FRIDAY)
        week.reach(FRIDAY, "09:18")
        week.dies_until(FRIDAY, "15:40")
        week.reach(FRIDAY, "15:50")
        week.attended = True
        week.world.loop.call_at(week.seconds(FRIDAY, "23:00"), week.morning, MONDAY)
        week.reach(MONDAY, "09:18")
        return week.world.checks
    finally:
        week.world.close()
