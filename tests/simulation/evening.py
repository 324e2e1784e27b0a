"""The end of a simulated day, the night and the next morning.

`live_through(seed)` raises `Broken` like a day does.

It begins minutes before intraday positions are squared off. The weather clears while the closing
auction gathers; both sides are compared after it. The desk rests, the operator asks for
after-market orders, the exchange of the next day opens, and in its first minutes the strategies
trade on.
"""

import random

from compiled.model.values import SECOND
from tests.engine.market.test_hours import at
from tests.simulation.day import settle
from tests.simulation.trader import Whim
from tests.simulation.weather import Weather
from tests.simulation.world import World

TODAY, TOMORROW = "2026-11-19", "2026-11-20"
EVENING_ORDERS = (
    (TODAY, "16:01"),
    (TODAY, "16:03"),
    (TODAY, "18:30"),
    (TODAY, "21:00"),
    (TOMORROW, "08:50"),
)


def build(seed):
    """Return an evening that has not begun."""
    rng = random.Random(f"{seed}:evening")
    limits = {
        "max_exposure": rng.choice((0, 8_000_000)),
        "max_positions": rng.choice((0, 4)),
        "stale_after": 10_000_000_000,
    }
    start = rng.choice(("15:07", "15:09", "15:11", "15:13"))
    stormy = rng.uniform(60.0, 480.0)
    processes = []

    def strategies():
        processes.append(1)
        early = world.clock.true() < at(TODAY, "16:00")
        ends = world.clock.start + int(stormy * SECOND) if early else at(TOMORROW, "09:16")
        return [Whim(f"{seed}:{len(processes)}", rng.choice((0.02, 0.1)), ends)]

    world = World(seed, strategies, start, day=TODAY, limits=limits, beat_s=5.0)
    world.ports = {"tomorrow": strategies}
    weather = Weather(world, stormy)
    for day, clock in EVENING_ORDERS:
        if rng.random() < 0.6:
            world.loop.call_at(seconds(world, day, clock), weather.operator.order, "amo")
    world.loop.call_at(seconds(world, TODAY, "23:00"), world.next_exchange, TOMORROW, "08:30")
    world.start()
    return world, weather


def seconds(world, day, clock):
    return (at(day, clock) - world.clock.start) / SECOND


def live_through(seed):
    """Run an evening and the morning after it."""
    world, weather = build(seed)
    try:
        for day, clock in ((TODAY, "15:36"), (TOMORROW, "09:18")):
            end = seconds(world, day, clock)
            world.loop.call_at(end - 60.0, weather.operator.decide_until, end + 60.0)
            world.run(end)
            settle(world)
            rest(world)
        return world.checks
    finally:
        world.close()


def rest(world):
    """Judge what is special about the end of a session."""
    if world.exchange.is_over:
        world.checks.closed()
