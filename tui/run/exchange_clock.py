"""The clock of an exchange: the time of day, or what a sandbox says it is."""

import asyncio
from typing import TYPE_CHECKING, Any

from brokers.sandbox import key
from compiled.bounds import FIRST, LAST
from engine.errors import ConnectionFailed, DataError
from engine.trading.clock import ScaledClock, SteppedClock

if TYPE_CHECKING:
    from engine.trading.loop import Loop
    from engine.trading.timekeeper import Timekeeper

PATIENCE_S = 5
SLOWEST, FASTEST = 0.001, 100_000.0
"""Times real time."""
FOLLOW_S = 0.5
"""Seconds between two looks at the clock of an exchange that may not keep its speed."""


def told_by(rest: str) -> dict[str, Any] | None:
    """Return a sandbox's clock, None where `rest` is none of this user's (or nobody is there: the broker call will tell)."""
    if not key.of(rest):
        return None
    try:
        clock: object = key.ask(rest, "GET", "/sandbox/clock", patience=PATIENCE_S)
    except ConnectionFailed:
        return None
    if not isinstance(clock, dict) or "now" not in clock:
        return None
    speed = clock.get("speed")
    if not _number(clock["now"], int(FIRST), int(LAST)) or not (speed is None or _number(speed, SLOWEST, FASTEST)):
        raise DataError(f"the clock of {rest} shows no time: {str(clock)[:100]}")
    return clock


def _number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def clock_at(rest: str) -> ScaledClock | SteppedClock:
    """Return the clock to go by at `rest`; a stepped one where the exchange waits for the desk."""
    told = told_by(rest)
    if told is None:
        return ScaledClock.real()
    now, speed = int(told["now"]), told.get("speed")
    return SteppedClock(now) if speed is None else ScaledClock(now, speed)


async def keep(clock: ScaledClock, rest: str, timekeeper: "Timekeeper", loop: "Loop") -> None:
    """Keep a clock right: by what a sandbox says it is, elsewhere by what the exchange stamps.

    A sandbox slows down where the machine cannot keep up; while its clock is held the desk's goes on.
    """
    if await asyncio.to_thread(told_by, rest) is None:
        loop.timekeeper = timekeeper
        await timekeeper.run(loop)
    while True:
        await asyncio.sleep(FOLLOW_S)
        try:
            told = await asyncio.to_thread(told_by, rest)
        except DataError:
            continue
        if told is not None and not told.get("held"):
            clock.follow(int(told["now"]))
