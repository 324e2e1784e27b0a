"""Troubles of a simulated day, their times, and the operator's answers.

All of it from one seed.
"""

import random

from brokers.sandbox.faults import Fault
from compiled.model.values import SECOND
from engine.orders.killswitch import FLATTEN, HALT
from tests.simulation.hand import Operator, Outsider

SETTLES_S = 100.0
"""How long the operator looks after differences once the weather has cleared."""
READS, WRITES, ALL = "GET *", "POST *", "* *"
ORDERS, GTTS = "* /orders/*", "* /gtt/*"

ACTS = (
    *("crash",) * 6,
    *("leave",) * 3,
    *("cancel",) * 2,
    *("restart",) * 2,
    "halt",
    "halt",
    "flatten",
    "token",
    *("order",) * 9,
    *("change",) * 5,
    *("limit",) * 2,
    *("outsider",) * 5,
)
STORMS = (
    *("requests",) * 6,
    *("stream",) * 2,
    *("books",) * 2,
    *("loss",) * 2,
    "outage",
    "full",
    "slow",
    "skew",
    "shock",
)


def _requests(rng):
    """Return a fault of the REST side.

    Nothing between Kite and us may double an order, so only reads are repeated.
    """
    where = rng.choice((ALL, WRITES, ORDERS, GTTS, READS))
    kind = rng.choice(
        (
            "delay",
            "drop",
            "refuse",
            "429",
            "500",
            "502",
            "503",
            "504",
            "html",
            "cut",
            "timeout",
            "duplicate",
        )
    )
    if kind == "refuse":
        where = rng.choice((ORDERS, GTTS))
    if kind == "duplicate":
        where = READS
    return {
        "kind": kind,
        "on": where,
        "chance": rng.choice((0.1, 0.3, 0.6, 1.0)),
        "accept": kind not in {"refuse", "429"} and rng.random() < 0.5,
        "seconds": rng.choice((0.3, 2.0, 9.0)) if kind in {"delay", "timeout"} else None,
    }


def _stream(rng):
    on = rng.choice(("updates", "updates", "ticks"))
    kind = rng.choice(("delay", "drop", "duplicate", "reorder", "close", "silent", "poison"))
    if kind in {"silent", "poison"}:
        on = "ticks"
    return {
        "kind": kind,
        "on": on,
        "chance": rng.choice((0.3, 1.0)),
        "times": 3 if kind in {"close", "poison"} else 0,
    }


def _books(rng):
    kind = rng.choice(("slow", "partial", "trade-first"))
    return {
        "kind": kind,
        "on": "fills" if kind == "trade-first" else "orders",
        "seconds": rng.uniform(0.5, 8.0),
        "share": rng.uniform(0.1, 0.9),
    }


class Weather:
    """Storms and the operator's acts over the first `until` seconds of a day.

    What follows is calm.
    """

    kinds = STORMS
    no_excuse = frozenset()
    """Storms in which every promise holds as in fair weather."""
    settles_s = SETTLES_S
    counts = (0, 1, 3, 5, 8)
    """How many storms a day may have."""
    lengths = (1.0, 4.0, 12.0, 25.0)
    """How long one may last, seconds."""

    def __init__(self, world, until):
        self._world = world
        self._until = until
        self._rng = random.Random(f"{world.seed}:weather")
        rng = self._rng
        for _ in range(rng.choice(self.counts)):
            self._at(rng.uniform(0.0, until), self._storm)
        self.operator = Operator(world, rng)
        self.outsider = Outsider(world, rng)
        for _ in range(rng.choice((0, 1, 2, 4, 8))):
            self._at(rng.uniform(3.0, until), self._act)
        self._at(until, self._clear)

    def _at(self, second, what):
        self._world.loop.call_at(second, what)

    # storms

    def _storm(self):
        rng, world = self._rng, self._world
        length = min(rng.choice(self.lengths), self._until - world.loop.seconds)
        if length <= 0.0:
            return
        kind = rng.choice(self.kinds)
        world.stormed += 1
        world.note(f"storm: {kind} for {length:.1f} s")
        undo = getattr(self, f"_{kind}")(rng, length)
        if kind in self.no_excuse:
            world.loop.call_later(length, undo)
            return
        world.storms += 1
        world.loop.call_later(length, self._over, undo)

    def _over(self, undo):
        world = self._world
        undo()
        world.storms -= 1
        world.calm_since = world.loop.seconds + 10.0  # what was delayed is still on its way

    def _fault(self, fields, length):
        faults = self._world.exchange.faults
        self._world.note(f"fault: {fields}")
        rule = faults.add(Fault(lasts=length, **fields), self._world.clock.true())
        return lambda: faults.remove(rule.number)

    def _requests(self, rng, length):
        return self._fault(_requests(rng), length)

    def _stream(self, rng, length):
        return self._fault(_stream(rng), length)

    def _books(self, rng, length):
        return self._fault(_books(rng), length)

    def _loss(self, rng, length):
        del length
        network = self._world.network
        network.loss, network.latency = rng.choice((0.1, 0.4)), rng.choice((0.03, 0.5, 2.0))

        def undo():
            network.loss, network.latency = 0.0, 0.03

        return undo

    def _outage(self, rng, length):
        del rng, length
        self._world.network.down = True

        def undo():
            self._world.network.down = False

        return undo

    def _full(self, rng, length):
        del rng, length
        self._world.disk.full = True

        def undo():
            self._world.disk.full = False

        return undo

    def _slow(self, rng, length):
        del length
        self._world.disk.slow = rng.choice((0.05, 1.0, 4.0))

        def undo():
            self._world.disk.slow = 0.0

        return undo

    def _skew(self, rng, length):
        del length
        self._world.clock.skew = rng.randrange(-4 * SECOND, 5 * SECOND)

        def undo():
            self._world.clock.skew = 0

        return undo

    def _shock(self, rng, length):
        """Let a price jump further than protection and the book reach."""
        del length
        rng.choice(self._world.exchange.market._traders)._fair.jump(
            rng.choice((-0.03, -0.015, 0.015, 0.03))
        )
        return lambda: None

    # the operator

    def _act(self):
        rng = self._rng
        act = rng.choice(ACTS)
        self._world.note(f"operator: {act}")
        getattr(self, f"_{act}")(rng)

    def _desk(self):
        process = self._world.process
        return process.desk if process is not None and process.open else None

    def _halt(self, rng):
        self._kill(HALT, rng)

    def _flatten(self, rng):
        self._kill(FLATTEN, rng)

    def _kill(self, level, rng):
        desk = self._desk()
        if desk is not None:
            desk.kill(level == FLATTEN, "simulated", "operator")
            if rng.random() < (0.3 if level == FLATTEN else 0.8):
                self._world.loop.call_later(rng.uniform(1.0, 15.0), self._resume)

    def _resume(self):
        desk = self._desk()
        if desk is not None and desk.ports.kill.latched:
            desk.resume("simulated", "operator")

    def _leave(self, _rng):
        self.operator.leave()

    def _cancel(self, _rng):
        self.operator.cancel()

    def _order(self, _rng):
        self.operator.order()

    def _change(self, _rng):
        self.operator.change()

    def _limit(self, _rng):
        self.operator.limit()

    def _outsider(self, rng):
        self.outsider.act()
        for _ in range(3):
            self._world.loop.call_later(rng.uniform(2.0, 25.0), self.operator.decide)

    def _restart(self, rng):
        desk = self._desk()
        if desk is not None:
            desk.stop()
            self._world.restarts.append(rng.uniform(0.5, 4.0))

    def _crash(self, rng):
        self._world.crash_due = rng.uniform(1.0, 6.0)

    def _token(self, rng):
        self._world.exchange.session.expire()
        back = rng.uniform(2.0, 12.0)
        self._world.loop.call_later(back, self._world.log_in)
        self._world.loop.call_later(back + 3.0, self._resume)

    # the end of it

    def _clear(self):
        world = self._world
        world.log_in()
        world.calm_since = max(world.calm_since, world.loop.seconds)
        world.start()
        self.operator.decide_until(world.loop.seconds + self.settles_s)
