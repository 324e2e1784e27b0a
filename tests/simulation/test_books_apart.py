"""One book of the broker's shows what has happened seconds after another.

That is no difference, and what is one is seen.
"""

from dataclasses import replace

import pytest

from brokers.sandbox.http import SandboxRequest
from compiled.model.values import SECOND
from tests.simulation.day import Whim, settle
from tests.simulation.world import World

ENDS_S, CALM_S = 60.0, 40.0
SEEDS = (1, 2)
POSITIONS, ORDERS = ("/portfolio/positions",), ("/orders", "/trades")


class Late:
    """Answers some books as they were `seconds` ago."""

    def __init__(self, world, paths, seconds):
        self._world, self._paths, self._seconds = world, paths, seconds
        self._kept = {path: [] for path in paths}
        self._books, self._perform = world.checks.books, world.perform
        world.checks.books, world.perform = self.books, self.perform
        self.books()

    def books(self):
        self._books()
        world = self._world
        session, limits = world.exchange.session, world.exchange.limits
        for path, kept in self._kept.items():
            frozen, limits.clock_stands = limits.clock_stands, True
            asked = SandboxRequest(
                "GET", path, (), {}, None, f"token {session.api_key}:{session.access_token}"
            )
            answer = world.api.respond(asked)
            limits.clock_stands = frozen
            if not kept or kept[-1][1].content != answer.content:
                kept.append((world.loop.seconds, answer))

    def perform(self, request):
        answer = self._perform(request)
        kept = self._kept.get(request.path) if request.method == "GET" else None
        if not kept or answer.status != 200:
            return answer
        seen = [each for at, each in kept if at <= self._world.loop.seconds - self._seconds]
        return replace(answer, content=(seen or [kept[0][1]])[-1].content)


SEEN = ((23, POSITIONS, 12.0), (42, ORDERS, 12.0), (47, ORDERS, 3.0), (64, POSITIONS, 3.0))
"""Days that saw books apart.

As many shares late as had just followed, cash before its order, an order booked as the next came, a
GTT that fired between two books.
"""


def a_day(seed, paths, seconds):
    """Return a world in fair weather with some books late, as its strategies trade."""
    ends = World.opens() + int(ENDS_S * SECOND)
    world = World(seed, lambda: [Whim(f"{seed}:apart", 0.1, ends)])
    late = Late(world, paths, seconds)
    world.start()
    return world, late


@pytest.mark.parametrize("seconds", [3.0, 12.0])
@pytest.mark.parametrize("paths", [POSITIONS, ORDERS], ids=["positions", "orders"])
def test_books_that_are_seconds_apart_tell_no_difference(paths, seconds):
    assert sum(len(agreeing(seed, paths, seconds)) for seed in SEEDS) > 5


@pytest.mark.parametrize(("seed", "paths", "seconds"), SEEN)
def test_nor_do_they_where_trades_follow_each_other(seed, paths, seconds):
    assert len(agreeing(seed, paths, seconds)) > 5


def agreeing(seed, paths, seconds):
    """Return the trades of a day after which no difference was ever told."""
    world, _ = a_day(seed, paths, seconds)
    try:
        world.run(ENDS_S + CALM_S)
        settle(world)
        told = [row["text"] for row in world.disk.rows("events") if row["name"] == "difference"]
        assert told == [], (seed, told)
        return world.exchange.orders.trades
    finally:
        world.close()
