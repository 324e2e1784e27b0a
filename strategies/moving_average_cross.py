"""Moving-average cross: hold while the fast simple average stands beyond the slow one."""

from collections.abc import Iterator
from typing import Annotated

from strategies import (
    ATR,
    CRORE,
    SIDES,
    SMA,
    Bar,
    Context,
    Cross,
    DirectionalParameters,
    Indicator,
    Key,
    Product,
    Side,
    Span,
    Strategy,
    described_as,
    within_bounds,
)


class CrossParameters(DirectionalParameters, frozen=True, kw_only=True):
    """One position per crossing of two averages."""

    timeframe_s: Annotated[Span, described_as("Length of its bars.")] = 300
    fast: Annotated[int, within_bounds(1, 1_000, "Bars of the fast average.")] = 9
    slow: Annotated[int, within_bounds(2, 5_000, "Bars of the slow average.")] = 21
    capital: Annotated[int, within_bounds(1, 10 * CRORE, "Rupees in one position.")] = 10_000
    risk: Annotated[
        int,
        within_bounds(
            0,
            10 * CRORE,
            "Rupees one position may lose, at its stop or by one swing; 0: its capital is its "
            "size.",
        ),
    ] = 0
    swing_bars: Annotated[
        int,
        within_bounds(
            0,
            1_000,
            "Bars whose average true range is that swing; 0: the distance of the stop counts.",
        ),
    ] = 0
    stop_percent: Annotated[
        float, within_bounds(0.25, 50, "Stop below the average price (long), above it (short).")
    ] = 1.5

    def contradictions(self) -> Iterator[tuple[Key, str]]:
        """Yield what does not go together."""
        yield from super().contradictions()
        if self.fast >= self.slow:
            yield ("fast",), "expected fewer bars than slow"


class MovingAverageCross(Strategy):
    """Enter when the averages cross in an allowed direction, leave when they cross back.

    A stop protects in between.
    """

    def __init__(self, name: str, parameters: CrossParameters) -> None:
        p = parameters
        super().__init__(name, p.timeframe_s)
        self.fast = p.fast
        self.slow = p.slow
        self.capital = p.capital * 100
        self.risk = p.risk * 100
        self.swing_bars = p.swing_bars
        self.stop_percent = p.stop_percent
        self.sides = SIDES[p.direction]
        self.product = Product[p.product]
        self.averages: dict[int, Cross] = {}
        self.swings: dict[int, ATR] = {}

    def follow(self, token: int) -> list[Indicator]:
        """Keep an instrument's averages, and its usual move within a bar if sizes go by that."""
        self.averages[token] = Cross(SMA(self.fast), SMA(self.slow))
        if not self.swing_bars:
            return [self.averages[token]]
        self.swings[token] = ATR(self.swing_bars)
        return [self.averages[token], self.swings[token]]

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Act where the averages have crossed."""
        token = bar.token
        swing = self.swings[token].value if self.swing_bars else 0.0
        side = Side.BUY if self.averages[token].above else Side.SELL
        # With a `Cross` among the indicators only the bars at which it turns come here: a position
        # is on the old side.
        if ctx.position(token):
            ctx.exit(token, "averages crossed back")
        elif side in self.sides:
            ctx.enter(
                token,
                side,
                self.capital,
                self.stop_percent,
                product=self.product,
                reason="averages crossed",
                risk=self.risk,
                swing=swing,
            )
