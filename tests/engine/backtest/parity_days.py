"""Hand-made days of a desk and of a backtest.

Bars that stand at known prices, signals and round trips at known times.
"""

import numpy as np

from compiled.model.values import MINUTE, SECOND
from engine.backtest.parity.day_records import (
    BacktestDay,
    DeskDay,
    ParityTrip,
    StrategySignal,
    TripLeg,
)
from engine.backtest.parity.order_courses import OrderCourse
from engine.history.bar_series import BarSeries
from tests.engine.backtest.made_up import at

DAY = "2024-06-04"
SYMBOL = "INFY"


def when(clock, seconds=0):
    return at(DAY, clock) + seconds * SECOND


def flat(price=100.0, first="09:15", count=375, changes=()):
    """Return minutes that stand at a price.

    `changes` are (clock, price) from which on they stand elsewhere.
    """
    start = when(first) + np.arange(count, dtype=np.int64) * MINUTE
    prices = np.full(count, price)
    for clock, value in changes:
        prices[start >= when(clock)] = value
    whole = np.full(count, 1_000)
    return BarSeries(
        start, prices, prices, prices, prices, whole, np.full(count, 4), np.full(count, 1)
    )


def signal(clock, seconds=0, rung=1, **fields):
    usual = {
        "number": rung,
        "strategy": "told",
        "symbol": SYMBOL,
        "side": 1,
        "kind": "enter",
        "place": 1,
        "quantity": 10,
        "price": 100.0,
        "verdict": "OK",
        "detail": "",
        "reason": "told to",
        "asked": "bar",
    }
    return StrategySignal(ts=when(clock, seconds), rung=rung, **(usual | fields))


def course(clock="10:00", sent=0, taken=0, first=0, last=0, ended=0, **fields):
    """Return an order that was asked for at a time; other times are seconds later, 0 is at once.

    Without `first` it is filled as a whole at once.
    """
    usual = {"kind": "MARKET", "quantity": 10, "filled": 10, "price": 0.0, "status": "COMPLETE"}
    times = {"sent": sent, "taken": taken, "first": first, "last": last or first, "ended": ended}
    asked = when(clock)
    made = usual | {"reason": "", "trades": 1} | fields
    moments = {name: asked + seconds * SECOND for name, seconds in times.items()}
    if not made["filled"]:
        moments |= {"first": 0, "last": 0}
    return OrderCourse(asked=asked, **made, **moments)


def leg(clock, price, quantity=10, charges=50, seconds=0):
    return TripLeg(when(clock, seconds), quantity, round(price * quantity * 100), charges)


def trip(entry, left=None, rung=1, reason="stop", mark=0, **fields):
    """Return a round trip; what is still held stands at `mark` rupees a share."""
    left = left or TripLeg()
    usual = {"strategy": "told", "symbol": SYMBOL, "side": 1, "place": 1}
    held = entry.quantity - left.quantity
    return ParityTrip(
        rung=rung,
        entry=entry,
        exit=left,
        mark=round(mark * held * 100),
        reason=reason if left.quantity else "",
        **(usual | fields),
    )


def desk(signals=(), trips=(), incidents=(), bars=None):
    return DeskDay(list(signals), list(trips), bars or {SYMBOL: flat()}, list(incidents))


def backtest(signals=(), trips=(), bars=None, **fields):
    return BacktestDay(list(signals), list(trips), bars or {SYMBOL: flat()}, **fields)
