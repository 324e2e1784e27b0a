"""Simulated days with a bad disk: slow, hanging, locked by another program, full; and crashes in the middle of that."""

import random

from compiled.model import SECOND
from tests.simulation.day import CALM_S, TRADING_S, limits_of, live, lived
from tests.simulation.trader import Whim
from tests.simulation.weather import STORMS, Weather
from tests.simulation.world import World

__all__ = ["build", "endure", "live"]


class BadDisks(Weather):
    """The usual weather, and a disk that holds nothing back but entries, however long it takes."""

    kinds = (*STORMS, *("drag",) * 5, *("hang",) * 10, *("lock",) * 5, *("full",) * 2)
    no_excuse = frozenset({"drag", "hang", "lock", "full", "slow"})
    counts = (2, 4, 6, 10)

    def _drag(self, rng, length):
        del length
        return self._set("drag", rng.choice((0.5, 2.0, 5.0)), 0.0)

    def _hang(self, rng, length):
        del rng, length
        return self._set("hangs", True, False)

    def _lock(self, rng, length):
        del rng, length
        return self._set("locked", True, False)

    def _set(self, name, value, usual):
        disk = self._world.disk
        setattr(disk, name, value)
        return lambda: setattr(disk, name, usual)


def build(seed):
    """Return a day of bad disks that has not begun, and the second at which its calm begins to end."""
    rng = random.Random(f"{seed}:disks")
    stormy = rng.uniform(30.0, 90.0)
    processes = []

    def strategies():
        processes.append(1)
        return [Whim(f"{seed}:{len(processes)}", rng.choice((0.1, 0.3)), ends)]

    world = World(seed, strategies, limits=limits_of(rng))
    ends = world.exchange.start + int((stormy + TRADING_S) * SECOND)
    BadDisks(world, stormy)
    world.start()
    return world, stormy + CALM_S


def endure(seed):
    """Run the day of bad disks of a seed to its end and return its figures."""
    return lived(*build(seed), live)
