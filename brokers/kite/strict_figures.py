"""Figures of Kite's rows, read strictly: an impossible one makes its answer unreadable.

NaN, infinity, a negative count, a text or a number out of its bounds
(`compiled/model/number_bounds.py`) in a row of a book would go through every sum that follows.
"""

from typing import Any, Final

from compiled.model.number_bounds import HELD, MONEY, NUMBER, PRICE, TRADED, TURNOVER
from compiled.model.values import E4, paise

MOST: Final = int(MONEY) // 100
"""Rupees beyond which a sum is nonsense."""
WHOLE: Final = int(HELD)


def signed(value: Any, each: int = 1, most: int = WHOLE) -> int:
    """Return a whole number of shares, `each` of them for one.

    Raise `ValueError` for anything else, `True`, text and fractions included.
    """
    if (
        # `True` is an int to Python; NaN fails every comparison, so it is asked for the positive.
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not abs(value) * each <= most
    ):
        raise ValueError(f"no number within bounds: {value!r}")
    if value != int(value):
        raise ValueError(f"no whole number: {value!r}")
    return int(value) * each


def count(value: Any, each: int = 1, most: int = WHOLE) -> int:
    """Return a whole number that is not negative."""
    number = signed(value, each, most)
    if number < 0:
        raise ValueError(f"a negative count: {value!r}")
    return number


def ordered(value: Any, each: int = 1) -> int:
    """Return the shares of a row of an order book, which may be none."""
    return count(value, each, int(TRADED))


def several(value: Any, each: int = 1) -> int:
    """Return a whole number of at least one."""
    number = signed(value, each, int(TRADED))
    if number < 1:
        raise ValueError(f"no count: {value!r}")
    return number


def real(value: Any) -> float:
    """Return a finite number of rupees."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise ValueError(f"no number within bounds: {value!r}")
    return float(value)


def price(value: Any) -> float:
    """Return a price in rupees, 0.0 for none.

    Raise `ValueError` for a negative or too large one.
    """
    # A price that is missing or null is none.
    number = real(0.0 if value is None else value)
    if not 0.0 <= number <= PRICE:
        raise ValueError(f"{'a negative price' if number < 0.0 else 'out of bounds'}: {value!r}")
    return number


def paid(value: Any) -> float:
    """Return the price of a trade in rupees, of at least the finest grid of any segment."""
    number = price(value)
    if number * E4 < 1.0:
        raise ValueError(f"no price of a trade: {value!r}")
    return number


def turnover(price: float, quantity: int) -> None:
    """Check the value of a trade: charges are reckoned up to ₹1,000 crore."""
    if int(paise(price, quantity)) > TURNOVER:
        raise ValueError(f"out of bounds: {quantity} at {price}")


def worth(price: float, quantity: int) -> None:
    """Check the value of a position or a holding."""
    if abs(int(paise(price, quantity))) >= MONEY:
        raise ValueError(f"out of bounds: {quantity} at {price}")


def number_of(value: Any) -> int:
    """Return an id that is a number, as such or as text."""
    # Nineteen digits may not fit 64 bits, and Python would take digits of other scripts.
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= NUMBER:
        raise ValueError(f"no id: {value!r}")
    return value


def name_of(value: Any) -> str:
    """Return an id that is a text, of an order or a trade."""
    named = (isinstance(value, str) and value) or (isinstance(value, int) and value > 0)
    if not named or isinstance(value, bool):
        raise ValueError(f"no id: {value!r}")
    return str(value)
