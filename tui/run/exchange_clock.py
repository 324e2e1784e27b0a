"""The clock of an exchange: the time of day, or a sandbox's."""

import asyncio
from typing import TYPE_CHECKING, Any

from brokers.sandbox.api import admin_key
from compiled.model.number_bounds import FIRST, LAST
from engine.day.desk_clocks import ScaledClock, SteppedClock
from engine.errors import ConnectionFailed, DataError

if TYPE_CHECKING:
    from engine.day.day_loop import DayLoop
    from engine.day.timekeeper import Timekeeper

PATIENCE_S = 5
SLOWEST, FASTEST = 0.001, 100_000.0
"""Times real time."""
FOLLOW_S = 0.5
"""Seconds between two looks at the clock of an exchange that may not keep its speed."""


def sandbox_clock(rest: str) -> dict[str, Any] | None:
    """Return a sandbox's clock, None where `rest` is none of this user's, or not there."""
    # only an exchange of this user has its key here; no other is asked what time it is
    if not admin_key.read_key(rest):
        return None
    try:
        clock: object = admin_key.call_admin(rest, "GET", "/sandbox/clock", patience=PATIENCE_S)
    except ConnectionFailed:
        return None
    if not isinstance(clock, dict) or "now" not in clock:
        return None
    speed = clock.get("speed")
    # the whole desk goes by it: what no clock can show is refused
    if not _is_number_within(clock["now"], int(FIRST), int(LAST)) or not (
        speed is None or _is_number_within(speed, SLOWEST, FASTEST)
    ):
        raise DataError(f"the clock of {rest} shows no time: {str(clock)[:100]}")
    return clock


def _is_number_within(value: object, low: float, high: float) -> bool:
    # a bool is an int in Python, and no time
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def clock_at(rest: str) -> ScaledClock | SteppedClock:
    """Return the clock to go by at `rest`; a stepped one where the exchange waits for the desk."""
    told = sandbox_clock(rest)
    if told is None:
        return ScaledClock.real()
    now, speed = int(told["now"]), told.get("speed")
    return SteppedClock(now) if speed is None else ScaledClock(now, speed)


async def follow_clock(
    clock: ScaledClock, rest: str, timekeeper: "Timekeeper", loop: "DayLoop"
) -> None:
    """Keep a clock right: by a sandbox's clock, elsewhere by the exchange's stamps.

    A sandbox slows down where the machine cannot keep up; while its clock is held the desk's goes
    on.
    """
    if await asyncio.to_thread(sandbox_clock, rest) is None:
        loop.timekeeper = timekeeper
        await timekeeper.run(loop)
    while True:
        await asyncio.sleep(FOLLOW_S)
        try:
            told = await asyncio.to_thread(sandbox_clock, rest)
        # one bad answer ends nothing: the clock goes on by itself until the next
        except DataError:
            continue
        if told is not None and not told.get("held"):
            clock.follow_exchange(int(told["now"]))
