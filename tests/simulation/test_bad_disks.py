"""A slow, hanging or locked disk holds entries back, never exits; a crash loses no more."""

import pytest

from tests.simulation.bad_disks import endure
from tests.simulation.test_crash_points import (
    HOLD_S,
    LEAVE_S,
    SHARES,
    at_exchange,
    die,
    entry,
    finish,
    holds,
    scenario,
)

BATCHES, DAYS = 3, 4
SOAK = 150
SECONDS = 2.5
"""A second for the disk, the rest for the requests: a stop taken away, its answer, the exit."""


def slow(world):
    world.disk.drag = 2.0


def hanging(world):
    world.disk.hangs = True


def locked(world):
    world.disk.locked = True


BAD = {
    "every commit takes two seconds": slow,
    "no commit ends": hanging,
    "another program holds the lock": locked,
}


def heal(world):
    world.disk.drag, world.disk.hangs, world.disk.locked = 0.0, False, False


def lines(world, level):
    return [
        row["text"] for row in world.disk.rows("events", "name = 'disk'") if row["level"] == level
    ]


@pytest.mark.parametrize("bad", BAD)
def test_flatten_finishes_within_seconds_whatever_the_disk_does(bad):
    world = scenario()
    world.run(10.0)
    assert holds(world) == (SHARES, SHARES)
    BAD[bad](world)
    world.process.desk.kill(True, "enough", "operator")
    world.run(10.0 + SECONDS)
    assert holds(world) == (0, 0)
    state = world.process.board.governor.disk
    assert state.ahead > 0
    assert 1.0 <= state.worst <= SECONDS
    world.run(70.0)
    heal(world)
    world.run(75.0)
    world.checks.final()
    assert world.process.journal._asked == [], "and what has left is on record afterwards"
    assert lines(world, "alarm"), "and was told"
    world.close()


@pytest.mark.parametrize("bad", BAD)
def test_what_is_bought_while_the_disk_hangs_gets_its_stop_within_seconds(bad):
    world = scenario()
    while not at_exchange(world):
        world.run(world.loop.seconds + 0.001)
    assert holds(world)[1] == 0, "it is bought, and the desk does not know"
    BAD[bad](world)
    world.run(world.loop.seconds + SECONDS)
    assert holds(world) == (SHARES, SHARES)
    world.run(HOLD_S + 12.0)
    heal(world)
    finish(world)


def test_an_entry_waits_for_a_hanging_disk_and_is_given_up_when_its_price_is_of_the_past():
    world = scenario()
    world.run(HOLD_S - 0.2)
    hanging(world)
    world.run(HOLD_S + 4.0)
    assert entry(world) is not None
    assert at_exchange(world) == []
    world.run(HOLD_S + 7.0)
    assert "the disk has not answered" in entry(world).reason
    heal(world)
    world.run(HOLD_S + 12.0)
    assert holds(world) == (SHARES, SHARES), "the strategy has asked again"
    world.close()


def test_a_crash_while_the_disk_hangs_sends_no_exit_twice():
    world = scenario()
    world.run(LEAVE_S - 0.5)
    hanging(world)
    world.run(LEAVE_S + SECONDS)
    assert holds(world) == (0, 0)
    die(world)
    heal(world)
    world.run(60.0)
    assert sum(order.ask.side < 0 for order in at_exchange(world)) == 1
    world.checks.final()
    world.close()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_the_disk_does_every_promise_holds(batch):
    for seed in range(batch * DAYS, (batch + 1) * DAYS):
        endure(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", range(BATCHES, SOAK))
def test_many_more_days_of_bad_disks_hold(batch):
    for seed in range(batch * DAYS, (batch + 1) * DAYS):
        endure(seed)
