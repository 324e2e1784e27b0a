"""Fair value of an instrument by the second: a drifting share, or one that follows another."""

import math
from random import Random
from typing import final

from brokers.sandbox.market.exchange_listing import SpotSource

INDEX_SIGMA = 0.00002
"""Noise per root second in the quiet middle of the day: an eighth to a half of a share's own."""
OWN_SIGMA = 0.00005
JUMP_CHANCE = 1 / 6_000
JUMP_SIGMA = 0.006
REACH = 0.085
"""Fair values stay this close to the previous close, inside the price band."""
RUN_REACH = 0.11
"""Where the fair value of a name that runs into its circuit limit goes."""
RUN_SECONDS = 900
RATE = 0.065
"""Yearly interest, of the cost of carry."""


@final
class DriftingValue:
    """A share: index factor, own noise, trends of minutes, jumps, rarely a run into the circuit."""

    def __init__(
        self, close: float, beta: float, random: Random, runs_at: int = -1, runs_to: float = 0.0
    ) -> None:
        self.lean = 0.0
        self._close = close
        self._beta = beta
        self._random = random
        self._level = 0.0
        self._trend = 0.0
        self._slow = 0.0
        self._left = 0
        self._opening = True
        self._second = 0
        self._runs_at = runs_at
        self._runs_to = runs_to

    def step(self, market: float, heat: float, seconds: int = 1) -> float:
        """Move by some seconds, fewer than a trend lasts."""
        random = self._random
        if self._left <= 0:
            self._draw_regime(opening=self._opening)
            self._opening = False
        self._left -= seconds
        step = (
            self._beta * market
            + self._trend * seconds
            + random.gauss(0.0, OWN_SIGMA * heat * math.sqrt(seconds))
        )
        if random.random() < JUMP_CHANCE * seconds:
            step += random.gauss(0.0, JUMP_SIGMA)
        self._level = min(REACH, max(-REACH, self._level + step))
        # takers lean with the move of the last half minute
        self._slow += (self._level - self._slow) * min(seconds, 30) / 30
        self.lean = min(0.4, max(-0.4, (self._level - self._slow) * 250.0))
        self._second += seconds
        return self._close * (1.0 + self._level + self._run_addition())

    def _run_addition(self) -> float:
        """Return what a run adds: it takes a quarter of an hour to the limit and stays there."""
        since = self._second - self._runs_at
        if self._runs_at < 0 or since < 0:
            return 0.0
        return self._runs_to * RUN_REACH * min(1.0, since / RUN_SECONDS)

    def gap(self) -> None:
        """Open away from the previous close."""
        self._level = self._random.gauss(0.0, 0.004)

    def _draw_regime(self, *, opening: bool) -> None:
        random = self._random
        # the further from the previous close, the likelier the way back
        up = 0.5 - min(0.45, max(-0.45, self._level / 0.08))
        sign = 1.0 if random.random() < up else -1.0
        trending = random.random() < (0.65 if opening else 0.55)
        self._left = random.randrange(300, 600 if opening else 1_200)
        self._trend = sign * random.uniform(0.015, 0.032) / self._left if trending else 0.0


@final
class FollowingValue:
    """A future, or the twin on another exchange: another price times the cost of carry."""

    def __init__(self, spot: SpotSource, years: float = 0.0) -> None:
        self.lean = 0.0
        self.spot = spot
        self._carry = math.exp(RATE * years)

    def step(self, market: float, heat: float, seconds: int = 1) -> float:
        """Return the price it stands for now."""
        del market, heat, seconds
        return self.at(self.spot.ltp)

    def at(self, spot: float) -> float:
        """Return its price where the underlying stands at `spot`, rupees."""
        return spot * self._carry


@final
class OptionValue:
    """A European option by Black and Scholes at one volatility; `sign` 1: a call, -1: a put."""

    def __init__(
        self, spot: SpotSource, strike: float, years: float, sigma: float, sign: int
    ) -> None:
        self.lean = 0.0
        self.spot = spot
        self._sign = sign
        self._root = sigma * math.sqrt(years)
        self._discounted = strike * math.exp(-RATE * years)
        self._seen = 0.0
        self._price = 0.0

    def step(self, market: float, heat: float, seconds: int = 1) -> float:
        """Return the premium at the underlying's price now."""
        del market, heat, seconds
        spot = self.spot.ltp
        if spot != self._seen:
            self._seen, self._price = spot, self.at(spot)
        return self._price

    def at(self, spot: float) -> float:
        """Return the premium where the underlying stands at `spot`, rupees."""
        return premium(spot, self._discounted, self._root, self._sign)


Fair = DriftingValue | FollowingValue | OptionValue
"""A fair value that moves from second to second.

`lean`: how far takers lean to the buying side, -0.4 to 0.4.
"""


def premium(spot: float, discounted: float, root: float, sign: int) -> float:
    """Return Black and Scholes' price.

    `discounted`: the strike's present value, `root`: volatility times the root of time.
    """
    d1 = math.log(spot / discounted) / root + root / 2
    return sign * (spot * _normal_cdf(sign * d1) - discounted * _normal_cdf(sign * (d1 - root)))


def _normal_cdf(x: float) -> float:
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))
