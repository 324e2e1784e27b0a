"""Moving-average cross: hold while the fast simple average stands beyond the slow one."""

from compiled.indicators import ATR, SMA, Cross, Indicator
from compiled.model.values import Bar, Side
from compiled.trading.strategy import Context, Strategy
from strategies.parameters import Parameters


class MovingAverageCross(Strategy):
    """Enter when the averages cross in an allowed direction, leave when they cross back.

    A stop protects in between.
    """

    def __init__(self, parameters: Parameters) -> None:
        p = parameters
        super().__init__(p.name, p.integer("timeframe_s"))
        self.fast = p.integer("fast", low=1)
        self.slow = p.integer("slow", low=2)
        self.capital = p.paise("capital")
        self.risk = p.allowance("risk")
        self.swing_bars = p.integer("swing_bars", low=0)
        self.stop_percent = p.number("stop_percent", low=0.1)
        self.sides = p.sides("direction")
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
        if ctx.position(token):
            ctx.exit(token, "averages crossed back")
        elif side in self.sides:
            ctx.enter(
                token,
                side,
                self.capital,
                self.stop_percent,
                reason="averages crossed",
                risk=self.risk,
                swing=swing,
            )
