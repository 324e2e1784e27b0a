"""A strategy that acts at the end of certain minutes, by its parameters, and other events."""

from datetime import datetime, timedelta, timezone

from compiled.model.values import SECOND, Product, Side
from strategies import Strategy, StrategyParameters

IST = timezone(timedelta(hours=5, minutes=30))
ACTS = {}
"""What an operator does at the end of a minute, by its clock: a call each.

A test takes them away before the day is run again.
"""


class ScriptParameters(StrategyParameters, frozen=True, kw_only=True):
    enter: str
    leave: str = ""
    shares: int = 10
    product: str = "CNC"


class Scripted(Strategy):
    """`enter` and `leave` are texts as "15:02 INFY, 15:12 SBIN".

    At the end of the minute that ends then.
    """

    def __init__(self, name, parameters: ScriptParameters):
        super().__init__(name, 60)
        self.shares = parameters.shares
        self.product = Product[parameters.product]
        self.enter = self.moments(parameters.enter)
        self.leave = self.moments(parameters.leave)

    @staticmethod
    def moments(text):
        return {tuple(each.split()) for each in text.split(",") if each.strip()}

    def on_bar(self, ctx, bar):
        if ctx.warming:
            return
        clock = f"{datetime.fromtimestamp((bar.start // SECOND) + 60, IST):%H:%M}"
        symbol = ctx.instrument(bar.token).symbol
        if (clock, symbol) in self.enter:
            ctx.enter(
                bar.token,
                Side.BUY,
                0,
                5.0,
                product=self.product,
                quantity=self.shares,
                reason="told to",
                trail=False,
            )
        if (clock, symbol) in self.leave:
            ctx.exit(bar.token, "told to")
        if act := ACTS.pop(clock, None):
            act()
