"""Moving-average cross: hold while the fast simple average stands beyond the slow one."""

from compiled.indicators import ATR, SMA, Cross
from compiled.model import Bar, Side
from compiled.strategy import Context, Strategy
from strategies.parameters import Parameters


class MovingAverageCross(Strategy):
    """Enter when the averages cross in an allowed direction, leave when they cross back; a stop protects in between."""

    def __init__(self, parameters: Parameters) -> None:
        p = parameters
        super().__init__(p.name, p.integer("timeframe_s"))
        self.fast = p.integer("fast", low=1)
        self.slow = p.integer("slow", low=2)
        self.capital = p.paise("capital")
        self.risk = p.allowance("risk")
        self.swing_bars = p.integer("swing_bars", low=0)
        self.swings: dict[int, ATR] = {}
        self.stop_percent = p.number("stop_percent", low=0.1)
        self.sides = p.sides("direction")
        self.averages: dict[int, Cross] = {}

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Compare the averages at each close; act on a crossing only."""
        token = bar.token
        averages = self.averages.get(token)
        if averages is None:
            averages = self.averages[token] = Cross(SMA(self.fast), SMA(self.slow))
        turn = averages.bar(bar)
        swing = self._swing(bar)
        if turn == 0.0:
            return
        side = Side.BUY if turn > 0.0 else Side.SELL
        if ctx.position(token):
            ctx.exit(token, "averages crossed back")
        elif side in self.sides:
            ctx.enter(
                token, side, self.capital, self.stop_percent, reason="averages crossed", risk=self.risk, swing=swing
            )

    def _swing(self, bar: Bar) -> float:
        """Return what the price usually moves within a bar (₹), 0.0 where that is not asked for or not known yet."""
        if not self.swing_bars:
            return 0.0
        swing = self.swings.setdefault(bar.token, ATR(self.swing_bars))
        return swing.bar(bar)
