"""Simulated days of a moody broker.

Maintenance, books behind the order stream and the reverse, refusals, dead tokens.
"""

import random

from brokers.sandbox.fault_moods import mood_faults
from tests.simulation.day import limits_of, live, lived, weathered
from tests.simulation.weather import Weather

__all__ = ["bear", "build", "live"]

SEEN = ("late-postbacks", "no-postbacks", "trades-behind")
"""Moods in which the books tell all there is, soon enough."""
KINDS = (
    *("maintenance", "rest-away", "books-away") * 2,
    "books-behind",
    *SEEN,
    "rms",
    "rms-door",
    "late-feed",
    "shock",
)


class Moods(Weather):
    """A broker with moods, that may last, several at a time.

    The operator and the owner act beside.
    """

    kinds = KINDS
    no_excuse = frozenset(SEEN)
    counts = (2, 4, 6)
    lengths = (4.0, 12.0, 25.0, 60.0)

    def __getattr__(self, name):
        """Return what begins the mood of this name."""
        if (kind := name.removeprefix("_")) not in KINDS:
            raise AttributeError(name)
        return lambda rng, length: self._mood(kind, length)

    def _mood(self, kind, length):
        faults, now = self._world.exchange.faults, self._world.clock.true()
        rules = [faults.add(fault, now) for fault in mood_faults(kind, lasts=length)]

        def undo():
            for rule in rules:
                faults.remove(rule.number)

        return undo


def build(seed):
    """Return a day of moods that has not begun, and the second at which its calm is to end."""
    rng = random.Random(f"{seed}:moods")
    return weathered(seed, rng, rng.uniform(60.0, 150.0), limits_of(rng), Moods)


def bear(seed):
    """Run the day of moods of a seed to its end and return its figures."""
    return lived(*build(seed), live)
