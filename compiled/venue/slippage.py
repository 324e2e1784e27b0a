"""Slippage: the cost of a fill beyond the price that was seen, where there is no order book."""

from typing import final

from mypy_extensions import i64, mypyc_attr


# An author writes models of slippage in plain Python, too.
@mypyc_attr(allow_interpreted_subclasses=True)
class Slippage:
    """No slippage; subclass it and override `away`, `share`, or both.

    It prices what takes liquidity at a bar's or a last price: market orders, triggered stops,
    orders that cross when they arrive. Orders that rest trade at their limit, and where a tick
    shows a book, the book is the slippage.
    """

    def away(
        self,
        price: float,  # noqa: ARG002  what the models go by
        tick: float,  # noqa: ARG002
        quantity: i64,  # noqa: ARG002
        volume: i64,  # noqa: ARG002
        spread: float,  # noqa: ARG002
    ) -> float:
        """Return how far against us `quantity` shares trade, in rupees a share.

        `volume` is the market's in that bar or tick (-1: unknown), `spread` the quoted one in
        rupees (0.0: unknown). The venue rounds against us to the grid and never passes the order's
        limit.
        """
        return 0.0

    def share(self, volume: i64) -> i64:  # noqa: ARG002  what the models go by
        """Return the most our orders may take of a bar's or tick's volume, -1: no limit."""
        return -1


@final
class FixedTicks(Slippage):
    """A whole number of ticks, whatever the order."""

    def __init__(self, ticks: i64) -> None:
        self.ticks = ticks

    def away(self, price: float, tick: float, quantity: i64, volume: i64, spread: float) -> float:  # noqa: ARG002
        """Return the ticks in rupees."""
        return float(self.ticks) * tick


@final
class SpreadFraction(Slippage):
    """A fraction of the quoted spread; where none is quoted, of `percent` of the price."""

    def __init__(self, fraction: float, percent: float) -> None:
        self.fraction = fraction
        self.percent = percent

    def away(self, price: float, tick: float, quantity: i64, volume: i64, spread: float) -> float:  # noqa: ARG002
        """Return the fraction of the spread in rupees."""
        if spread > 0.0:
            return self.fraction * spread
        return self.fraction * price * self.percent / 100.0


@final
class VolumeShare(Slippage):
    """At most `most` of the volume, at a price impact that grows with its square.

    The impact is `impact` times the square of the share taken, that of zipline's
    VolumeShareSlippage (its defaults: 0.025 and 0.1). Where the volume is unknown there is neither
    limit nor impact.
    """

    def __init__(self, most: float, impact: float) -> None:
        self.most = most
        self.impact = impact

    def away(self, price: float, tick: float, quantity: i64, volume: i64, spread: float) -> float:  # noqa: ARG002
        """Return the impact in rupees."""
        if volume <= 0:
            return 0.0
        share = float(quantity) / float(volume)
        return price * self.impact * share * share

    def share(self, volume: i64) -> i64:
        """Return the share of the volume in whole shares."""
        # Unknown is not none: without a figure there is no share to keep to.
        if volume < 0:
            return -1
        return i64(float(volume) * self.most)
