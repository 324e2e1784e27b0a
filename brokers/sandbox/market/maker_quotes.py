"""Quotes of market makers around a price.

As orders in a book, or drawn for one that is not there yet.
"""

import math

LEVELS = 6
HALF_SPREAD = 0.00008
LEVEL_VALUE = 500_000.0
"""Rupees a market maker shows per level, on average."""
SCRAMBLER = 2_654_435_761
"""The golden ratio of 2^32, as in Knuth's multiplicative hash."""


def best_quotes(fair: float) -> tuple[int, int]:
    """Return the best bid and ask around a fair price; all in grid indices."""
    half = max(0.5, fair * HALF_SPREAD)
    bid, ask = math.floor(fair - half + 0.5), math.ceil(fair + half - 0.5)
    return bid, max(ask, bid + 1)


def lots_at_level(average: float, chance: float, distance: int) -> int:
    """Return the lots at a level so many steps behind the best; `chance`: 0 to 1."""
    return int(average * (0.4 + chance * (1.0 + 0.3 * distance))) + 1


def drawn_levels(token: int, last: int, side: int, average: float) -> list[tuple[int, int]]:
    """Return (grid index, lots) of a side's levels around the last price, always the same."""
    best = best_quotes(last)[0 if side > 0 else 1]
    levels = []
    for distance in range(LEVELS):
        ticks = best - side * distance
        # No generator: a level that is looked at twice, or drawn before its book is made, is the
        # same.
        chance = (token * 31 + ticks) * SCRAMBLER % 2**32 / 2**32
        levels.append((ticks, lots_at_level(average, chance, distance)))
    return levels
