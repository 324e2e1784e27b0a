"""Strategies composed of parts: a signal, a sizer, and the way of an intent to its orders.

What they ask for goes through the `Context` as all else: limits and the exchange's rules decide.
"""

from typing import Annotated, Literal, NamedTuple

from compiled.indicators.price import Indicator
from compiled.model.values import Bar, Product, Side
from compiled.trading.strategy import Context, Strategy
from engine.config.setting_types import CRORE, described_as, within_bounds
from engine.config.strategy_parameters import StrategyParameters
from engine.errors import ConfigError
from strategies.replaced_models import named_part


class ComposedParameters(StrategyParameters, frozen=True, kw_only=True):
    """The parts of a strategy by name, and what the plain ones go by."""

    signal: Annotated[str, described_as("FILE.py:CLASS of its signal; empty: its own.")] = ""
    sizer: Annotated[str, described_as("FILE.py:CLASS of its sizer; empty: its own.")] = ""
    execution: Annotated[
        str, described_as("FILE.py:CLASS of its execution model; empty: its own.")
    ] = ""
    capital: Annotated[int, within_bounds(1, 10 * CRORE, "Rupees in one position.")] = 10_000
    product: Annotated[Literal["CNC", "MIS"], described_as("What it holds.")] = "CNC"


class EntryIntent(NamedTuple):
    """A position to enter: its side, its stop and target in percent of the price, and why."""

    side: Side
    stop_percent: float
    target_percent: float = 0.0
    reason: str = ""


class ExitIntent(NamedTuple):
    """A position to leave, and why."""

    reason: str = ""


class SignalModel:
    """Moments to enter and to leave: override `read`."""

    def __init__(self, parameters: ComposedParameters) -> None:
        self.parameters = parameters

    def follow(self, token: int) -> list[Indicator]:  # noqa: ARG002  what signals go by
        """Return the indicators that the desk is to keep, as `Strategy.follow`."""
        return []

    def read(self, ctx: Context, bar: Bar) -> EntryIntent | ExitIntent | None:
        """Return what a closed bar asks for, None for nothing."""
        raise NotImplementedError("read")


class RiskSizer:
    """Shares of an entry: `capital` at the bar's close; override `quantity`."""

    def __init__(self, parameters: ComposedParameters) -> None:
        self.parameters = parameters

    def quantity(self, ctx: Context, bar: Bar, intent: EntryIntent) -> int:  # noqa: ARG002  what sizers go by
        """Return the shares, 0 for no entry."""
        return int(self.parameters.capital // bar.close)


class ExecutionModel:
    """Way of an intent to its orders: at the market; override what is to be otherwise."""

    def __init__(self, parameters: ComposedParameters) -> None:
        self.parameters = parameters

    def enter(self, ctx: Context, bar: Bar, intent: EntryIntent, quantity: int) -> None:
        """Ask for the orders of an entry."""
        ask = ctx.buy if intent.side is Side.BUY else ctx.sell
        ask(
            bar.token,
            quantity,
            intent.stop_percent,
            target_percent=intent.target_percent,
            product=Product[self.parameters.product],
            reason=intent.reason,
        )

    def leave(self, ctx: Context, bar: Bar, intent: ExitIntent) -> None:
        """Ask to leave."""
        ctx.exit(bar.token, intent.reason)

    def tend(self, ctx: Context, bar: Bar) -> None:
        """Look after orders that rest, at each bar before its signal is read."""


class ComposedStrategy(Strategy):
    """A signal, a sizer and an execution model; those that its parameters name come first."""

    def __init__(
        self,
        name: str,
        parameters: ComposedParameters,
        signal: SignalModel | None = None,
        sizer: RiskSizer | None = None,
        execution: ExecutionModel | None = None,
    ) -> None:
        super().__init__(name, parameters.timeframe_s)
        p = parameters
        where = f"strategy.{name}."
        # what the table names comes first: a sweep or a run tries other parts without another file
        if p.signal:
            signal = named_part(f"{where}signal", p.signal, SignalModel, p)
        if p.sizer:
            sizer = named_part(f"{where}sizer", p.sizer, RiskSizer, p)
        if p.execution:
            execution = named_part(f"{where}execution", p.execution, ExecutionModel, p)
        if signal is None:
            raise ConfigError(f"{where}signal: expected FILE.py:CLASS of a SignalModel")
        self.signal = signal
        self.sizer = sizer or RiskSizer(p)
        self.execution = execution or ExecutionModel(p)

    @property
    def composed_of(self) -> dict[str, object]:
        """Return its parts by name, for hashes and the search of their sources."""
        return {"signal": self.signal, "sizer": self.sizer, "execution": self.execution}

    def follow(self, token: int) -> list[Indicator]:
        """Keep what the signal goes by."""
        return self.signal.follow(token)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Act as the parts say."""
        # before the signal, which may enter anew where an order that rested was cancelled
        self.execution.tend(ctx, bar)
        intent = self.signal.read(ctx, bar)
        if isinstance(intent, ExitIntent):
            self.execution.leave(ctx, bar, intent)
        elif intent is not None:
            quantity = int(self.sizer.quantity(ctx, bar, intent))
            # a sizer says no by 0; to the desk no number of shares means a size by capital
            if quantity > 0:
                self.execution.enter(ctx, bar, intent, quantity)
