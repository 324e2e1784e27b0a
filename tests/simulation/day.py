"""One whole simulated day from one seed.

`simulate(seed)` raises `Broken` where a promise is not kept.
"""

import random
from typing import NamedTuple

from compiled.model.values import SECOND
from tests.simulation.checks import Broken
from tests.simulation.trader import Whim
from tests.simulation.weather import Weather
from tests.simulation.world import World

CALM_S = 45.0
TRADING_S = 20.0
"""Of the calm, how long the strategies still trade."""
SETTLE_S = 60.0


class Figures(NamedTuple):
    """Inputs of a day."""

    seconds: float
    steps: int
    orders: int
    trades: int
    gtts: int
    crashes: int
    storms: int
    lies: int
    worst_bare: float
    worst_halt: float
    digest: str


def limits_of(rng):
    """Return the configured limits of a day."""
    return {
        "max_exposure": rng.choice((0, 4_000_000, 8_000_000)),
        "max_positions": rng.choice((0, 2, 4)),
        "max_positions_per_symbol": rng.choice((0, 3)),
        "max_daily_loss": rng.choice((0, 0, 20_000)),
        "stale_after": 10_000_000_000,
    }


def build(seed):
    """Return a day that has not begun, and the second at which it is to end."""
    rng = random.Random(f"{seed}:day")
    limits = limits_of(rng)
    return weathered(seed, rng, rng.uniform(20.0, 70.0), limits, Weather)


def weathered(seed, rng, stormy, limits, weather):
    """Return a day of `weather` for its first `stormy` seconds, and the second its calm ends.

    `weather` is called with the world and these seconds.
    """
    processes = []

    def strategies():
        processes.append(1)
        return [Whim(f"{seed}:{len(processes)}", rng.choice((0.1, 0.3)), ends)]

    world = World(seed, strategies, limits=limits)
    ends = world.exchange.start + int((stormy + TRADING_S) * SECOND)
    weather(world, stormy)
    world.start()
    return world, stormy + CALM_S


def settle(world):
    """Let time pass until both sides agree and everything is protected.

    Raise what still stands against it.
    """
    for _ in range(int(SETTLE_S)):
        try:
            world.checks.final()
        except Broken:
            world.run(world.loop.seconds + 1.0)
        else:
            return
    world.checks.final()


def live(world, end):
    """Run a day to its end."""
    world.run(end)
    settle(world)


def lived(world, end, live):
    """Live a day that was built to its end, and return its figures."""
    try:
        live(world, end)
        exchange, checks, liar = world.exchange, world.checks, world.network.liar
        return Figures(
            world.loop.seconds,
            world.loop.steps,
            len(exchange.orders.orders),
            len(exchange.orders.trades),
            len(exchange.gtts.triggers),
            world.crashes,
            world.stormed,
            liar.told if liar else 0,
            checks.worst_bare,
            checks.worst_halt,
            world.process.kernel.digest(),
        )
    finally:
        world.close()


def simulate(seed):
    """Run the day of a seed to its end and return its figures."""
    return lived(*build(seed), live)
