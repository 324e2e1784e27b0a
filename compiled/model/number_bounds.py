"""Bounds of numbers from outside: the one table, used wherever numbers come in.

Beyond them nothing is known to be right. Within them every sum and product of the core stays within
63 bits, and any product beyond is held at `MONEY`, which no limit and no account reaches.
"""

from typing import Final

from mypy_extensions import i64

PRICE: Final = 10_000_000.0
"""Rupees: a price, trigger, average or swing; the dearest share stands at a sixtieth of it."""
ORDER: Final[i64] = 10_000_000
"""Shares (or units) of one order of ours.

What stands where an exchange names no freeze quantity.
"""
TRADED: Final[i64] = 100_000_000
"""Shares (or units) of one row of an order or trade book."""
HELD: Final[i64] = 1_000_000_000
"""Shares (or units) of one position or holding."""
MONEY: Final[i64] = 100_000_000_000_000
"""Paise, ₹1 lakh crore: cash, a limit, the value of an order or a position."""
TURNOVER: Final[i64] = 1_000_000_000_000
"""Paise, ₹1,000 crore: one trade, and all that charges are reckoned of (`charges.LIMIT`)."""
PERCENT: Final = 10_000.0
"""Of a price: a stop is below 100, a target may be further."""
MINUTES: Final[i64] = 1_440
LEGS: Final[i64] = 1_000
SECONDS: Final[i64] = 31_622_400
"""A year: the longest wait of a plan."""
RUNGS: Final = 100
FIRST: Final[i64] = 946_684_800_000_000_000
LAST: Final[i64] = 4_102_444_800_000_000_000
"""Times, ns UTC: the years 2000 to 2099."""
# 2^62 - 1: up to there mypyc keeps an int unboxed.
NUMBER: Final[i64] = 4_611_686_018_427_387_903
"""Any other whole number: an id, a token."""

MOST: Final[i64] = 9_223_372_036_854_775_807


def saturating_add(a: i64, b: i64) -> i64:
    """Return a sum, held at the ends of 64 bits."""
    # Asked before the sum: one that has wrapped around says nothing any more.
    if b > 0 and a > MOST - b:
        return MOST
    if b < 0 and a < -MOST - b:
        return -MOST
    return a + b
