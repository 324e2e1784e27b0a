"""Moving-average cross: long while the fast simple average stands above the slow one."""

from compiled.indicators import SMA
from compiled.model import Bar, Side
from compiled.strategy import Context, Strategy
from strategies.parameters import Parameters


class MovingAverageCross(Strategy):
    """Enter when the fast average crosses above the slow one, leave when it crosses below; a stop stands under it."""

    def __init__(self, parameters: Parameters) -> None:
        p = parameters
        super().__init__(p.name, p.integer("timeframe_s"))
        self.fast = p.integer("fast", low=1)
        self.slow = p.integer("slow", low=2)
        self.capital = p.paise("capital")
        self.stop_percent = p.number("stop_percent", low=0.1)
        self.averages: dict[int, tuple[SMA, SMA]] = {}
        self.above: dict[int, bool] = {}

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Compare the averages at each close; act on a crossing only."""
        token = bar.token
        if token not in self.averages:
            self.averages[token] = (SMA(self.fast), SMA(self.slow))
        fast, slow = self.averages[token]
        fast.update(bar.close)
        slow.update(bar.close)
        if not slow.ready:
            return
        above = fast.value > slow.value
        was = self.above.get(token)
        self.above[token] = above
        if was is None or above == was:
            return
        if above:
            ctx.enter(token, Side.BUY, self.capital, self.stop_percent, reason="fast average crossed above slow")
        elif ctx.position(token):
            ctx.exit(token, "fast average crossed below slow")
