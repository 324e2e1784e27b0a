"""The desk killed at a named moment, or at its n-th step, and started again.

It comes to where a run without a crash does.
"""

import pytest

from compiled.model.values import SECOND
from engine.config.schema import GatewaySettings
from tests.simulation.trader import Want
from tests.simulation.world import World

SHARES = 10
HOLD_S, LEAVE_S, END_S = 3.0, 24.0, 60.0
SETTLED_S = 23.0
BACK_S = 2.0
LATE_S = 10.0
STRIDE = 23


def scenario(seed=5, **changes):
    """Return a quiet day whose strategy wants ten shares from second 3 to second 24.

    Nothing is late for longer than 10.
    """
    changes = {"gateway": GatewaySettings(positions_every_s=20.0, late_s=LATE_S)} | changes
    world = World(
        seed, lambda: [Want(token, SHARES, at(HOLD_S), at(LEAVE_S))], sigma=0.00005, **changes
    )
    token = int(world.exchange.market.listings[0].instrument.token)
    world.start()
    return world


def at(second):
    return World.opens() + int(second * SECOND)


def finish(world):
    """Run to the end of the scenario.

    Held and protected once before it leaves, flat and settled after.
    """
    try:
        if world.loop.seconds < SETTLED_S - 12.0:
            world.run(SETTLED_S)
            assert holds(world) == (SHARES, SHARES)
        world.run(END_S)
        world.checks.final()
        assert holds(world) == (0, 0)
        bought = sum(
            order.filled for position in world.checks.rungs.values() for order in position.entries
        )
        assert bought == SHARES
    finally:
        world.close()


def holds(world):
    """Return what is held and what of it is protected, by the exchange's books."""
    rungs = world.checks.rungs.values()
    return sum(rung.held for rung in rungs), sum(rung.covered for rung in rungs)


def die(world):
    world.kill_process()
    world.loop.call_later(BACK_S, world.start)


def entry(world):
    """Return the desk's entry, None before there is one."""
    kernel = world.process.kernel
    return next(iter(kernel.order_store.orders.values()), None) if kernel else None


def gtt(world):
    kernel = world.process.kernel
    return next(iter(kernel.order_store.gtts.values()), None) if kernel else None


def written(world, intent):
    return bool(world.disk.rows("intents", "intent = ?", (int(intent),)))


def at_exchange(world):
    return [order for order in world.exchange.orders.orders.values() if order.ask.tag]


MOMENTS = {
    "before the intent is on disk": lambda w: (o := entry(w)) and not written(w, o.intent),
    "while the intent is being written": lambda w: (
        (o := entry(w)) and w.process.journal._busy and not written(w, o.intent)
    ),
    "after the intent is on disk": lambda w: (
        (o := entry(w)) and written(w, o.intent) and not w.checks.departed
    ),
    "after the order is sent": lambda w: w.checks.departed and not at_exchange(w),
    "after the exchange has it": lambda w: at_exchange(w) and not entry(w).order_id,
    "after the answer": lambda w: (o := entry(w)) and o.order_id,
    "between fill and protection": lambda w: holds(w) == (SHARES, 0),
    "after the protection is asked for": lambda w: (
        (g := gtt(w)) and g.intent in w.checks.departed and not g.gtt_id
    ),
    "after the exchange has the protection": lambda w: holds(w)[1] and not gtt(w).gtt_id,
    "after the protection is known": lambda w: (g := gtt(w)) and g.gtt_id,
    "between protection and exit": lambda w: w.loop.seconds > LEAVE_S and holds(w) == (SHARES, 0),
    "after the exit is sent": lambda w: w.loop.seconds > LEAVE_S and len(at_exchange(w)) == 2,
}


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_crash_at_a_moment_that_matters_changes_nothing_in_the_end(moment, seed):
    world = scenario(seed)
    with world.loop.running():
        while not MOMENTS[moment](world):
            assert world.loop.seconds < END_S, f"it never came to: {moment}"
            world.loop.turn()
            world._attend()
    die(world)
    finish(world)


def on_a_full_disk(moment):
    world = scenario()
    while not MOMENTS[moment](world):
        world.run(world.loop.seconds + 0.001)
    world.disk.full = True
    world.run(world.loop.seconds + 4.0)
    die(world)
    world.disk.full = False
    return world


def test_an_exit_that_leaves_on_a_full_disk_before_a_crash_is_not_sent_again():
    finish(on_a_full_disk("between protection and exit"))


def test_a_stop_that_leaves_on_a_full_disk_before_a_crash_is_shown_as_a_difference():
    world = on_a_full_disk("between fill and protection")
    world.run(SETTLED_S)
    assert holds(world)[0] == SHARES
    assert holds(world)[1] >= SHARES
    assert world.process.desk._loop.state == "read-only"
    world.close()


def crash_at_step(step):
    world = scenario()
    world.run(END_S, crash_at=step)
    die(world)
    finish(world)


def steps():
    """Return the first step of the scenario and the last one that can matter."""
    world = scenario()
    world.run(LEAVE_S + 4.0)
    last = world.loop.steps
    world.close()
    return last


def test_a_crash_at_any_step_changes_nothing_in_the_end():
    for step in range(1, steps(), STRIDE):
        crash_at_step(step)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_crash_at_every_step_changes_nothing_in_the_end():
    for step in range(1, steps()):
        crash_at_step(step)
