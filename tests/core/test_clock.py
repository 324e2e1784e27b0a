"""The desk's clock beside an exchange's: it runs at its speed, and follows an exchange that does not."""

import asyncio
import time

from engine.trading.clock import ScaledClock

SECOND = 1_000_000_000


def test_a_clock_that_was_ahead_stands_still_until_the_exchange_has_come_so_far():
    clock = ScaledClock(1_000 * SECOND, 100.0)
    time.sleep(0.3)
    ahead = clock.now()
    assert ahead >= 1_030 * SECOND
    clock.follow(1_010 * SECOND)
    stood = clock.now()
    assert stood >= ahead
    time.sleep(0.05)
    assert clock.now() == stood, "the exchange is fifteen seconds behind still"

    async def until():
        await clock.sleep_until(stood + 5 * SECOND)

    began = time.monotonic()
    asyncio.run(until())
    # twenty-five seconds of the exchange's time, a hundred times as fast, less what has passed
    assert 0.15 < time.monotonic() - began < 2.0
    assert clock.now() >= stood + 5 * SECOND


def test_a_clock_that_was_behind_goes_on_from_the_exchanges():
    clock = ScaledClock(1_000 * SECOND, 10.0)
    clock.follow(2_000 * SECOND)
    assert 2_000 * SECOND <= clock.now() < 2_100 * SECOND


def test_what_is_within_a_tenth_of_a_second_of_the_wall_moves_nothing():
    clock = ScaledClock(1_000 * SECOND, 1.0)
    clock.follow(clock.now() - SECOND // 20)
    before = clock.now()
    time.sleep(0.01)
    assert clock.now() > before
