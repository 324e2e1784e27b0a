"""Latencies that differ from one request to the next, drawn by a seed: each run draws the same."""

import math
from typing import Final, final

from mypy_extensions import i64

# Park and Miller's generator: products stay within 63 bits, interpreted and compiled alike.
MODULUS: Final[i64] = 2_147_483_647
FACTOR: Final[i64] = 48_271
WHOLE: Final = 2_147_483_647.0


@final
class LatencyJitter:
    """The part of a request's or a report's way beyond the least.

    It is even between 0 and `most` ns, or, where `mean` is above 0, exponential with that mean: few
    take long, and some of them very long.
    """

    def __init__(self, most: i64, mean: i64, seed: i64) -> None:
        """Raise `ValueError` for what is below 0, or a seed outside 1 to 2147483646."""
        if most < 0 or mean < 0 or not 0 < seed < MODULUS:
            raise ValueError(f"no jitter: {most} ns, mean {mean} ns, seed {seed}")
        self._most = most
        self._mean = mean
        self._state = seed

    def draw(self) -> i64:
        """Return the next, ns."""
        self._state = self._state * FACTOR % MODULUS
        if self._mean == 0:
            # by millionths: the product of two large numbers would leave 63 bits
            return self._most * (self._state % 1_000_001) // 1_000_000
        return i64(-math.log(float(self._state) / WHOLE) * float(self._mean))
