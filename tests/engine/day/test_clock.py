"""The desk's clock beside an exchange's.

It runs at its speed, and follows an exchange that does not.
"""

import asyncio
import time

from brokers.kite.request_pacer import RequestPacer, RequestRate
from engine.day.desk_clocks import ScaledClock

SECOND = 1_000_000_000


def test_a_clock_that_was_ahead_stands_still_until_the_exchange_has_come_so_far():
    clock = ScaledClock(1_000 * SECOND, 100.0)
    time.sleep(0.3)
    ahead = clock.now()
    assert ahead >= 1_030 * SECOND
    clock.follow_exchange(1_010 * SECOND)
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
    clock.follow_exchange(2_000 * SECOND)
    assert 2_000 * SECOND <= clock.now() < 2_100 * SECOND


def test_what_is_within_a_tenth_of_a_second_of_the_wall_moves_nothing():
    clock = ScaledClock(1_000 * SECOND, 1.0)
    clock.follow_exchange(clock.now() - SECOND // 20)
    before = clock.now()
    time.sleep(0.01)
    assert clock.now() > before


def test_a_clock_that_is_amended_goes_on_at_once_and_comes_back_at_half_its_speed():
    clock = ScaledClock(1_000 * SECOND, 10.0)
    clock.amend(60 * SECOND)
    shown = clock.now()
    assert 1_060 * SECOND <= shown < 1_070 * SECOND
    clock.amend(-8 * SECOND)
    first, began = clock.now(), time.monotonic()
    assert shown <= first < shown + 10 * SECOND
    asyncio.run(clock.sleep_until(first + 2 * SECOND))
    # two seconds of a clock ten times as fast, at half of that: four tenths
    assert 0.38 < time.monotonic() - began < 3.0
    asyncio.run(clock.sleep_until(first + 8 * SECOND))
    # eight seconds behind, it is right after sixteen of its own: it has shown eight by then
    assert time.monotonic() - began > 1.5
    assert clock.now() - clock.aim() < SECOND // 2


def test_a_rate_is_of_real_seconds_though_the_clock_is_set_on():
    clock = ScaledClock(1_000 * SECOND)
    pace = RequestPacer(clock, RequestRate(3))
    assert [pace.admit() for _ in range(4)] == [True, True, True, False]
    clock.amend(36 * SECOND)
    pace.shift_clock(36 * SECOND)
    assert not pace.admit()
