"""Strategies for simulated days.

One that does whatever its seed says, and one that wants a single position.
"""

import random

from compiled.model.order_terms import PLAIN
from compiled.model.values import OrderType, Product, Side, Validity
from compiled.trading.ladder import AT_MARKET, EntryPlan, LadderPlan, RungPlan
from compiled.trading.strategy import Strategy


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
        product = rng.choice((Product.CNC, Product.CNC, Product.MIS))
        side = rng.choice((Side.BUY, Side.SELL)) if product is Product.MIS else Side.BUY
        entry = self._entry(ctx.instrument(tick.token), tick.ltp, side)
        ctx.ladder(tick.token, side, self._plan(product, entry))

    def _plan(self, product, entry):
        rng = self._rng
        rungs = [
            RungPlan(0.0, rng.uniform(0.4, 1.2), rng.choice((0.0, 0.0, rng.uniform(0.5, 1.5))))
        ]
        more = 0 if entry.terms is not PLAIN else rng.choice((0, 0, 1, 2))
        rungs += [RungPlan(rng.uniform(0.05, 0.3), rng.uniform(0.4, 1.0)) for _ in range(more)]
        return LadderPlan(
            rungs,
            0,
            product,
            trail=rng.random() < 0.8,
            trail_step_percent=rng.choice((0.05, 0.1, 0.25)),
            trail_seconds=5,
            entry_seconds=rng.choice((3, 10, 30)),
            quantity=rng.randrange(1, 60),
            entry=entry,
        )

    def _entry(self, instrument, last, side):
        """Return how to enter: mostly at the market, else a limit or trigger near the price."""
        rng = self._rng
        kind = rng.choice(("market",) * 4 + ("limit", "ioc", "trigger"))
        if kind == "market":
            return AT_MARKET
        near = instrument.snap(last * (1.0 + rng.uniform(-0.002, 0.001) * side))
        if kind == "trigger":
            beyond = instrument.snap(last * (1.0 + rng.uniform(0.001, 0.003) * side))
            return EntryPlan(OrderType.SLM, trigger=beyond)
        return EntryPlan(
            OrderType.LIMIT, near, validity=Validity.IOC if kind == "ioc" else Validity.DAY
        )


class Want(Strategy):
    """Wants to hold `quantity` of one instrument between two instants (ns UTC).

    Its stop and target are percent of the price.
    """

    def __init__(self, token, quantity, start, end, target=0.0, stop=3.0):
        super().__init__("want", 60, wants_ticks=True)
        self._token = token
        self._quantity = quantity
        self._start = start
        self._end = end
        self._target = target
        self._stop = stop

    def on_tick(self, ctx, tick):
        if tick.token != self._token:
            return
        held = ctx.ladders(tick.token)
        if self._start <= ctx.now < self._end and not held:
            ctx.enter(
                tick.token,
                Side.BUY,
                0,
                self._stop,
                self._target,
                trail=False,
                quantity=self._quantity,
            )
        elif ctx.now >= self._end and held:
            ctx.exit(tick.token, "enough")
