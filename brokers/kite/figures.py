"""Figures of Kite's rows, read strictly: one that cannot be is an error, and the answer that holds it cannot be read.

NaN, infinity, a negative count or a text in a row of a book would go through every sum that follows.
"""

from math import isfinite
from typing import Any, Final

from compiled.model import E4

MOST: Final = 10**12
"""Shares, rupees or ids of instruments beyond which a figure is nonsense; an i64 of ten-thousandths holds it."""


def signed(value: Any) -> int:
    """Return a whole number; raise `ValueError` for anything else, `True`, text and fractions included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or abs(value) > MOST:
        raise ValueError(f"no whole number: {value!r}")
    return int(value)


def count(value: Any) -> int:
    """Return a whole number that is not negative."""
    number = signed(value)
    if number < 0:
        raise ValueError(f"a negative count: {value!r}")
    return number


def several(value: Any) -> int:
    """Return a whole number of at least one."""
    number = signed(value)
    if number < 1:
        raise ValueError(f"no count: {value!r}")
    return number


def real(value: Any) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or abs(value) > MOST:
        raise ValueError(f"no number: {value!r}")
    return float(value)


def price(value: Any) -> float:
    """Return a price in rupees, 0.0 for none; raise `ValueError` for a negative one."""
    number = real(0.0 if value is None else value)
    if number < 0.0:
        raise ValueError(f"a negative price: {value!r}")
    return number


def paid(value: Any) -> float:
    """Return the price of a trade in rupees; nothing is traded below the finest grid of any segment."""
    number = price(value)
    if number * E4 < 1.0:
        raise ValueError(f"no price of a trade: {value!r}")
    return number


def number_of(value: Any) -> int:
    """Return an id that is a number, as such or as text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**62:
        raise ValueError(f"no id: {value!r}")
    return value


def name_of(value: Any) -> str:
    """Return an id that is a text, of an order or a trade."""
    named = (isinstance(value, str) and value) or (isinstance(value, int) and value > 0)
    if not named or isinstance(value, bool):
        raise ValueError(f"no id: {value!r}")
    return str(value)
