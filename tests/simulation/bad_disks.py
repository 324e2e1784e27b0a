"""Simulated days with a bad disk: slow, hanging, locked by another program, full.

And crashes in the middle of that.
"""

import random

from tests.simulation.day import limits_of, live, lived, weathered
from tests.simulation.weather import STORMS, Weather

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
    """Return a day of bad disks before its beginning, and the second its calm begins to end."""
    rng = random.Random(f"{seed}:disks")
    stormy = rng.uniform(30.0, 90.0)
    return weathered(seed, rng, stormy, limits_of(rng), BadDisks)


def endure(seed):
    """Run the day of bad disks of a seed to its end and return its figures."""
    return lived(*build(seed), live)
