"""Days on which a person does to the desk's positions what can be done to them.

Parts leave, stops and targets are moved, rungs are added, positions are reversed, at any moment of
whatever other day it is: under storms, beside the owner, on bad disks.
"""

import random

from engine.operator_requests import AddRungRequest, ExitRequest, ReverseRequest, StopRequest
from tests.simulation import day
from tests.simulation.day import CALM_S, lived
from tests.simulation.hand import Operator

ACTS = ("part", "part", "part", "move", "move", "move", "move", "add", "reverse", "rung")


class Hands(Operator):
    """The operator on the positions panes, with dice of its own: other days stay as they are."""

    def __init__(self, world, rng, until):
        super().__init__(world, rng)
        for _ in range(rng.choice((4, 8, 16, 30))):
            world.loop.call_at(rng.uniform(3.0, until), self.act)

    def act(self):
        """Do something to one of the positions."""
        desk = self._desk()
        rows = desk.board.positions.rows[:] if desk is not None else ()
        if rows:
            getattr(self, f"_{self._rng.choice(ACTS)}")(self._rng.choice(rows))

    def _part(self, row):
        rng = self._rng
        if rng.random() < 0.5:
            self._ask(ExitRequest(symbol=row.symbol, part=float(rng.choice((1, 25, 50, 99)))))
        else:
            most = abs(row.quantity)
            quantity = rng.randrange(1, most + 1)
            self._ask(ExitRequest(symbol=row.symbol, quantity=quantity, rung=row.key))

    def _rung(self, row):
        self._ask(ExitRequest(symbol=row.symbol, rung=row.key))

    def _move(self, row):
        """Move a stop, nearer or farther, sometimes where it cannot stand; or a target; or both."""
        rng = self._rng
        listing = self._world.exchange.tokens[row.token]
        snap, last, sign = listing.instrument.snap, listing.ltp, 1 if row.quantity > 0 else -1
        price = snap(last * (1.0 - sign * rng.uniform(-0.001, 0.03)))
        target = rng.choice((-1.0, -1.0, 0.0, snap(last * (1.0 + sign * rng.uniform(0.0, 0.02)))))
        even = rng.random() < 0.2
        asked = {"price": 0.0 if even else price, "break_even": even}
        if target >= 0.0 and rng.random() < 0.3:
            asked = {}
        self._world.checks.hand_stops.setdefault(int(row.key), set()).update(
            (price, row.break_even)
        )
        self._ask(StopRequest(symbol=row.symbol, rung=row.key, target=target, **asked))

    def _add(self, row):
        rng = self._rng
        self._ask(
            AddRungRequest(
                symbol=row.symbol,
                rung=row.key,
                quantity=rng.randrange(1, 40),
                stop=round(rng.uniform(0.4, 2.0), 2),
            )
        )

    def _reverse(self, row):
        self._ask(ReverseRequest(symbol=row.symbol, stop=round(self._rng.uniform(0.4, 2.0), 2)))


def build(seed, kind=day):
    """Return a day of a kind with such a person at the desk, and the second its calm ends."""
    world, end = kind.build(seed)
    Hands(world, random.Random(f"{seed}:hands"), end - CALM_S)
    return world, end


def handled(seed, kind=day):
    """Run the day of a seed to its end and return its figures."""
    return lived(*build(seed, kind), kind.live)
