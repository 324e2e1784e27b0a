"""What futures and sold options block: the worst of sixteen scenarios over all legs of an underlying, plus exposure.

The method is SPAN's (price scan range, volatility scan, two extreme moves of which a third counts, options that were
paid for cover what they are worth); the ranges are plausible, not the clearing houses'. Prices are those of the
morning (the previous closes), as in a risk parameter file, so that a margin does not move with every tick.
"""

from collections.abc import Iterable
from math import exp
from typing import NamedTuple, final

from brokers.sandbox.fair import RATE, premium
from brokers.sandbox.listing import Listing

VOLATILITY_SCAN = 0.25
"""Of the volatility, up and down."""
EXTREME, EXTREME_COVER = 2.0, 0.35
"""Price scan ranges of an extreme move, and the part of its loss that counts."""
MOVES = (-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0)
SCENARIOS = [(move, wide, 1.0) for move in MOVES for wide in (1.0 - VOLATILITY_SCAN, 1.0 + VOLATILITY_SCAN)] + [
    (-EXTREME, 1.0, EXTREME_COVER),
    (EXTREME, 1.0, EXTREME_COVER),
]
"""Price move in scan ranges, volatility factor, part that counts."""

Legs = Iterable[tuple[Listing, int]]
"""Contracts with signed quantities."""


class Risk(NamedTuple):
    """What a class of underlyings may do: price scan range and exposure margin, as parts of the price."""

    scan: float
    exposure: float


INDEX, SHARE, COMMODITY = Risk(0.093, 0.02), Risk(0.142, 0.035), Risk(0.09, 0.01)


class Margin(NamedTuple):
    """What a portfolio of contracts blocks, rupees."""

    span: float
    exposure: float

    @property
    def total(self) -> float:
        """Return both."""
        return self.span + self.exposure


class _Profile(NamedTuple):
    """One unit bought: what each scenario makes it gain, and what an exposure margin is taken of."""

    gains: tuple[float, ...]
    worth: float
    """Its premium, of an option; what was paid for covers that much."""
    notional: float
    exposure: float


def risk(listing: Listing) -> Risk:
    """Return the class of a contract's underlying."""
    contract = listing.contract
    if contract is None or contract.underlying is None:
        return COMMODITY
    return SHARE if isinstance(contract.underlying, Listing) else INDEX


@final
class Spans:
    """Margins of contracts; what a scenario does to each of them is worked out once a day."""

    def __init__(self) -> None:
        self._profiles: dict[int, _Profile] = {}

    def unit(self, listing: Listing, side: int) -> float:
        """Return what one unit bought (1) or sold (-1) alone blocks, rupees; a bought option nothing."""
        return self.portfolio([(listing, side)]).total

    def portfolio(self, legs: Legs) -> Margin:
        """Return what legs block together; those on one underlying offset each other."""
        groups: dict[str, list[tuple[_Profile, int]]] = {}
        for listing, quantity in legs:
            if quantity and listing.contract is not None:
                groups.setdefault(listing.contract.name, []).append((self._profile(listing), quantity))
        span = sum(_worst(group) for group in groups.values())
        exposure = sum(
            profile.exposure * profile.notional * abs(quantity)
            for group in groups.values()
            for profile, quantity in group
            if quantity < 0 or not profile.worth
        )
        return Margin(span, exposure)

    def _profile(self, listing: Listing) -> _Profile:
        token = int(listing.instrument.token)
        if token not in self._profiles:
            self._profiles[token] = _profiled(listing)
        return self._profiles[token]


def _worst(group: list[tuple[_Profile, int]]) -> float:
    losses = (-sum(profile.gains[n] * quantity for profile, quantity in group) for n in range(len(SCENARIOS)))
    return max(0.0, max(losses) - sum(profile.worth * quantity for profile, quantity in group if quantity > 0))


def _profiled(listing: Listing) -> _Profile:
    contract, instrument, (scan, exposure) = listing.contract, listing.instrument, risk(listing)
    assert contract is not None
    unit = listing.multiplier
    if instrument.kind == "FUT" or contract.underlying is None:
        gains = tuple(move * scan * instrument.close * part * unit for move, _, part in SCENARIOS)
        return _Profile(gains, 0.0, instrument.close * unit, exposure)
    sign, spot = 1 if instrument.kind == "CE" else -1, contract.underlying.instrument.close
    discounted, root = contract.strike * exp(-RATE * contract.years), contract.sigma * contract.years**0.5
    now = premium(spot, discounted, root, sign)
    gains = tuple(
        (premium(spot * (1.0 + move * scan), discounted, root * wide, sign) - now) * part * unit
        for move, wide, part in SCENARIOS
    )
    return _Profile(gains, instrument.close * unit, spot * unit, exposure)
