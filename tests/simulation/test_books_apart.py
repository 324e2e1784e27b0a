"""One book of the broker's shows what has happened seconds after another: that is no difference, and what is one is seen."""

from dataclasses import replace

import pytest

from brokers.sandbox.wire import Request
from compiled.model import SECOND
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
            frozen, limits.frozen = limits.frozen, True
            asked = Request("GET", path, (), {}, None, f"token {session.api_key}:{session.access_token}")
            answer = world.api.respond(asked)
            limits.frozen = frozen
            if not kept or kept[-1][1].content != answer.content:
                kept.append((world.loop.seconds, answer))

    def perform(self, request):
        answer = self._perform(request)
        kept = self._kept.get(request.path) if request.method == "GET" else None
        if not kept or answer.status != 200:
            return answer
        seen = [each for at, each in kept if at <= self._world.loop.seconds - self._seconds]
        return replace(answer, content=(seen or [kept[0][1]])[-1].content)


def a_day(seed, paths, seconds):
    """Return a world in fair weather in which some books are late, as its strategies trade for a minute."""
    ends = World.opens() + int(ENDS_S * SECOND)
    world = World(seed, lambda: [Whim(f"{seed}:apart", 0.1, ends)])
    late = Late(world, paths, seconds)
    world.start()
    return world, late


@pytest.mark.parametrize("seconds", [3.0, 12.0])
@pytest.mark.parametrize("paths", [POSITIONS, ORDERS], ids=["positions", "orders"])
def test_books_that_are_seconds_apart_tell_no_difference(paths, seconds):
    trades = 0
    for seed in SEEDS:
        world, _ = a_day(seed, paths, seconds)
        try:
            world.run(ENDS_S + CALM_S)
            settle(world)
            told = [row["text"] for row in world.disk.rows("events") if row["name"] == "difference"]
            assert told == [], (seed, told)
            trades += len(world.exchange.orders.trades)
        finally:
            world.close()
    assert trades > 5
