"""The virtual loop: time jumps, order is kept, nothing waits, a standstill is reported."""

import asyncio
import time

import pytest

from tests.simulation.loop import Stuck, VirtualClock, VirtualLoop

START = 1_000_000_000_000_000_000


def drive(loop, task):
    with loop.running():
        while not task.done():
            loop.turn()
    return task.result()


@pytest.fixture
def loop():
    made = VirtualLoop()
    yield made
    made.close()


def test_an_hour_passes_without_waiting_and_sleepers_wake_in_their_order(loop):
    woken = []

    async def sleeper(seconds):
        await asyncio.sleep(seconds)
        woken.append((seconds, loop.time()))

    async def day():
        async with asyncio.TaskGroup() as group:
            for seconds in (3_600.0, 0.5, 20.0):
                group.create_task(sleeper(seconds))

    began = time.monotonic()
    drive(loop, loop.create_task(day()))
    assert woken == [(0.5, 0.5), (20.0, 20.0), (3_600.0, 3_600.0)]
    assert time.monotonic() - began < 60.0


def test_a_clock_that_is_wrong_sleeps_until_it_shows_the_time(loop):
    clock = VirtualClock(loop, START)
    clock.skew = -2_000_000_000
    drive(loop, loop.create_task(clock.sleep_until(START + 5_000_000_000)))
    assert loop.time() == pytest.approx(7.0)
    assert clock.now() == START + 5_000_000_000


def test_a_standstill_is_told_instead_of_waited_for(loop):
    with pytest.raises(Stuck):
        drive(loop, loop.create_task(asyncio.Event().wait()))
