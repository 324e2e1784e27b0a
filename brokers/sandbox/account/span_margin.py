"""Margin that futures and sold options block.

It is the worst of sixteen scenarios over all legs of an underlying, plus exposure.

The method is SPAN's (price scan range, volatility scan, two extreme moves of which a third counts,
options that were paid for cover what they are worth); the ranges are plausible, not the clearing
houses'. Prices are those of the morning (the previous closes), as in a risk parameter file, so that
a margin does not move with every tick.
"""

from collections.abc import Iterable
from math import exp
from typing import NamedTuple, final

from brokers.sandbox.market.exchange_listing import ExchangeListing
from brokers.sandbox.market.fair_value import RATE, premium

VOLATILITY_SCAN = 0.25
"""Of the volatility, up and down."""
EXTREME, EXTREME_COVER = 2.0, 0.35
"""Price scan ranges of an extreme move, and the part of its loss that counts."""
MOVES = (-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0)
SCENARIOS = [
    (move, wide, 1.0) for move in MOVES for wide in (1.0 - VOLATILITY_SCAN, 1.0 + VOLATILITY_SCAN)
] + [
    (-EXTREME, 1.0, EXTREME_COVER),
    (EXTREME, 1.0, EXTREME_COVER),
]
"""Price move in scan ranges, volatility factor, part that counts."""

Legs = Iterable[tuple[ExchangeListing, int]]
"""Contracts with signed quantities."""


class UnderlyingRisk(NamedTuple):
    """Risk of a class of underlyings: price range and exposure margin, as parts of the price."""

    scan: float
    exposure: float


INDEX, SHARE, COMMODITY = (
    UnderlyingRisk(0.093, 0.02),
    UnderlyingRisk(0.142, 0.035),
    UnderlyingRisk(0.09, 0.01),
)


class ContractMargin(NamedTuple):
    """Margin that a portfolio of contracts blocks, rupees."""

    span: float
    exposure: float

    @property
    def total(self) -> float:
        """Return both."""
        return self.span + self.exposure


class _ScenarioProfile(NamedTuple):
    """Gain of one bought unit in each scenario, and the value its exposure margin is a part of."""

    gains: tuple[float, ...]
    worth: float
    """Its premium, of an option; what was paid for covers that much."""
    notional: float
    exposure: float


def underlying_risk(listing: ExchangeListing) -> UnderlyingRisk:
    """Return the class of a contract's underlying."""
    contract = listing.contract
    if contract is None or contract.underlying is None:
        return COMMODITY
    return SHARE if isinstance(contract.underlying, ExchangeListing) else INDEX


@final
class SpanMargins:
    """Margins of contracts; the effect of each scenario on each is worked out once a day."""

    def __init__(self) -> None:
        self._profiles: dict[int, _ScenarioProfile] = {}

    def unit_margin(self, listing: ExchangeListing, side: int) -> float:
        """Return what one unit bought (1) or sold (-1) alone blocks, rupees.

        Nothing for a bought option.
        """
        return self.portfolio_margin([(listing, side)]).total

    def portfolio_margin(self, legs: Legs) -> ContractMargin:
        """Return what legs block together; those on one underlying offset each other."""
        groups: dict[str, list[tuple[_ScenarioProfile, int]]] = {}
        for listing, quantity in legs:
            if quantity and listing.contract is not None:
                groups.setdefault(listing.contract.name, []).append(
                    (self._scenario_profile(listing), quantity)
                )
        span = sum(_worst_loss(group) for group in groups.values())
        exposure = sum(
            profile.exposure * profile.notional * abs(quantity)
            for group in groups.values()
            for profile, quantity in group
            # A bought option cannot lose more than was paid: it has no exposure.
            if quantity < 0 or not profile.worth
        )
        return ContractMargin(span, exposure)

    def _scenario_profile(self, listing: ExchangeListing) -> _ScenarioProfile:
        token = int(listing.instrument.token)
        if token not in self._profiles:
            self._profiles[token] = _make_profile(listing)
        return self._profiles[token]


def _worst_loss(group: list[tuple[_ScenarioProfile, int]]) -> float:
    losses = (
        -sum(profile.gains[n] * quantity for profile, quantity in group)
        for n in range(len(SCENARIOS))
    )
    # never less than nothing: an option that was paid for frees no margin of other underlyings
    return max(
        0.0,
        max(losses) - sum(profile.worth * quantity for profile, quantity in group if quantity > 0),
    )


def _make_profile(listing: ExchangeListing) -> _ScenarioProfile:
    contract, instrument, (scan, exposure) = (
        listing.contract,
        listing.instrument,
        underlying_risk(listing),
    )
    assert contract is not None
    unit = listing.multiplier
    if instrument.kind == "FUT" or contract.underlying is None:
        gains = tuple(move * scan * instrument.close * part * unit for move, _, part in SCENARIOS)
        return _ScenarioProfile(gains, 0.0, instrument.close * unit, exposure)
    sign, spot = 1 if instrument.kind == "CE" else -1, contract.underlying.instrument.close
    discounted, root = (
        contract.strike * exp(-RATE * contract.years),
        contract.sigma * contract.years**0.5,
    )
    now = premium(spot, discounted, root, sign)
    gains = tuple(
        (premium(spot * (1.0 + move * scan), discounted, root * wide, sign) - now) * part * unit
        for move, wide, part in SCENARIOS
    )
    return _ScenarioProfile(gains, instrument.close * unit, spot * unit, exposure)
