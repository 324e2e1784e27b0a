"""A simulated day on which the operator stops, starts and changes the strategy at any moment."""

import random
from typing import Annotated

from compiled.model.values import SECOND, OrderPurpose
from engine.config.setting_types import within_bounds
from engine.config.strategy_parameters import StrategyParameters
from engine.operator_requests import (
    SetParametersRequest,
    StartStrategyRequest,
    StopStrategyRequest,
)
from engine.orders.strategy_days import kept_strategy_days
from strategies.parameters import read_parameters
from tests.simulation.checks import Broken
from tests.simulation.day import CALM_S, TRADING_S, limits_of, live, lived
from tests.simulation.hand import Operator
from tests.simulation.trader import Whim
from tests.simulation.weather import Weather
from tests.simulation.world import DAY, World

NAME = "whim"
CONFIGURED = 0.2
ACTS = 12


class WhimParameters(StrategyParameters, frozen=True, kw_only=True):
    """What a whim goes by."""

    eagerness: Annotated[float, within_bounds(0, 1, "How often it acts.")] = CONFIGURED


class InstructedWhim(Whim):
    """A whim that takes another eagerness as it runs, now and then, and leaves as it is stopped."""

    def __init__(self, seed, eagerness, ends, taking, leaving):
        super().__init__(seed, eagerness, ends)
        self.eagerness = eagerness
        self._taking = taking
        self._leaving = leaving

    def on_parameters(self, ctx, parameters):
        if self._taking:
            self.eagerness = self._eagerness = parameters.eagerness
        return self._taking

    def on_stop(self, ctx, reason):
        for ladder in ctx.all_ladders() if self._leaving else ():
            ctx.exit(int(ladder.instrument.token), reason)


class WhimWorkshop:
    """Makes a new whim each time."""

    def __init__(self, seed, ends):
        self._seed = seed
        self._ends = ends
        self._made = 0

    def table(self, name):
        return {"eagerness": CONFIGURED}

    def read(self, name, table):
        return read_parameters(name, WhimParameters, table)

    def make(self, name, table):
        self._made += 1
        return InstructedWhim(
            f"{self._seed}:{self._made}",
            self.read(name, table).eagerness,
            self._ends,
            taking=self._made % 2 == 0,
            leaving=self._made % 3 == 0,
        )


class Instructor:
    """Acts on the strategy, and watches that a stop is one, before and after every restart."""

    def __init__(self, world, rng, until):
        self._world = world
        self._rng = rng
        self._operator = Operator(world, rng)
        self._seen = None
        self.stops = self.kept_stops = 0
        world.attendants.append(self._look)
        departs = world.checks.departs

        def watched(process, job):
            self._judge(process, job)
            departs(process, job)

        world.checks.departs = watched
        for _ in range(ACTS):
            world.loop.call_later(rng.uniform(1.0, until), self._act)

    def _act(self):
        rng, who = self._rng, ("simulated", "operator")
        request = rng.choice(
            (
                lambda: StopStrategyRequest(NAME, *who, leave=rng.random() < 0.3),
                lambda: StartStrategyRequest(NAME, *who),
                lambda: StartStrategyRequest(NAME, *who),
                lambda: SetParametersRequest(
                    NAME, {"eagerness": f"{rng.choice((0.05, 0.3, 7.0))}"}, *who
                ),
            )
        )()
        self._operator._ask(request)

    def _slot(self, process):
        kernel = process.kernel
        return kernel.state.slots[0] if kernel is not None else None

    def _judge(self, process, job):
        if job.asked is None or job.asked[0] != "order":
            return
        order, slot = job.asked[1], self._slot(process)
        entry = order.purpose is OrderPurpose.ENTRY and order.strategy == NAME
        if entry and slot is not None and slot.hand_stopped:
            text = f"entry {order.tag} leaves after its strategy was stopped"
            self._world.trouble.append(Broken(self._world, text))

    def _look(self):
        process = self._world.process
        slot = self._slot(process) if process is not None else None
        if slot is None:
            return
        self.stops += slot.hand_stopped
        if process is self._seen:
            return
        self._seen = process
        day = kept_strategy_days(process.journal, DAY).get(NAME)
        stopped = day.stopped if day is not None else ""
        changes = day.changes if day is not None else {}
        wanted = changes["eagerness"].value if changes else CONFIGURED
        self.kept_stops += bool(stopped)
        if slot.hand_stopped != bool(stopped):
            raise Broken(self._world, f"a restart has not kept that it was stopped: {stopped!r}")
        if slot.strategy.eagerness != wanted:
            raise Broken(self._world, f"a restart has not kept eagerness {wanted}")


def build(seed):
    """Return a day that has not begun, and the second at which it is to end."""
    rng = random.Random(f"{seed}:instructed")
    stormy = rng.uniform(20.0, 70.0)
    ends = World.opens() + int((stormy + TRADING_S) * SECOND)
    workshop = WhimWorkshop(seed, ends)
    world = World(seed, lambda: [workshop.make(NAME, workshop.table(NAME))], limits=limits_of(rng))
    world.ports["workshop"] = workshop
    Weather(world, stormy)
    world.instructor = Instructor(world, rng, stormy)
    world.start()
    return world, stormy + CALM_S


def instructed(seed):
    """Live the day of a seed; return its figures, and who has acted on the strategy.

    Raise `Broken` where a promise is not kept.
    """
    world, end = build(seed)
    return lived(world, end, live), world.instructor
