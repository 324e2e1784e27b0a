"""Strategies for simulated days: one that does whatever its seed says, and one that wants a single position."""

import random

from compiled.ladder import LadderPlan, RungPlan
from compiled.model import Side
from compiled.strategy import Strategy


class Whim(Strategy):
    """Enters, climbs and leaves at random, until `ends` (ns UTC)."""

    def __init__(self, seed, eagerness, ends):
        super().__init__("whim", 60, wants_ticks=True)
        self._rng = random.Random(seed)
        self._eagerness = eagerness
        self._ends = ends

    def on_tick(self, ctx, tick):
        rng = self._rng
        if rng.random() > self._eagerness or ctx.now >= self._ends:
            return
        if ctx.ladders(tick.token):
            if rng.random() < 0.25:
                ctx.exit(tick.token, "whim")
            return
        ctx.ladder(tick.token, Side.BUY, self._plan(rng))

    @staticmethod
    def _plan(rng):
        rungs = [RungPlan(0.0, rng.uniform(0.4, 1.2), rng.choice((0.0, 0.0, rng.uniform(0.5, 1.5))))]
        more = rng.choice((0, 0, 1, 2))
        rungs += [RungPlan(rng.uniform(0.05, 0.3), rng.uniform(0.4, 1.0)) for _ in range(more)]
        return LadderPlan(
            rungs, 0, trail=rng.random() < 0.8, trail_step_percent=rng.choice((0.05, 0.1, 0.25)), trail_seconds=5,
            entry_seconds=rng.choice((3, 10, 30)), quantity=rng.randrange(1, 60),
        )  # fmt: skip


class Want(Strategy):
    """Wants to hold `quantity` of one instrument between two instants (ns UTC), whatever has happened so far."""

    def __init__(self, token, quantity, start, end, target=0.0):
        super().__init__("want", 60, wants_ticks=True)
        self._token = token
        self._quantity = quantity
        self._start = start
        self._end = end
        self._target = target

    def on_tick(self, ctx, tick):
        if tick.token != self._token:
            return
        held = ctx.ladders(tick.token)
        if self._start <= ctx.now < self._end and not held:
            ctx.enter(tick.token, Side.BUY, 0, 3.0, self._target, trail=False, quantity=self._quantity)
        elif ctx.now >= self._end and held:
            ctx.exit(tick.token, "enough")
