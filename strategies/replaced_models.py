"""Parts of a backtest that an author may replace: slippage, fees, and where bars come from.

Slippage and fees are those of paper trading as well; no real order is priced or charged by them.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Final, NamedTuple, TypeVar, final

from compiled.accounting.charges import ChargeRates, RateTable
from compiled.venue.slippage import FixedTicks, Slippage
from engine.errors import ConfigError, PatangError
from engine.market.charges import ChargeSource, load_rate_table
from strategies.author_faults import AUTHOR_FAULTS, PartFailed, failure_text
from strategies.strategy_sources import named_class, source_module

Kind = TypeVar("Kind")
Fault = Callable[[BaseException], None]
"""Told of what a part of the author's own has raised."""
MOST_LOST: Final = 10_000_000
"""Rupees a share: beyond the dearest there is."""
RATES: Final = (
    "brokerage",
    "flat",
    "tax_buy",
    "tax_sell",
    "txn",
    "ipft",
    "sebi",
    "stamp_buy",
    "stamp_sell",
    "gst",
)


class SlippageModel(Slippage):
    """Cost of a fill that takes, beyond its price: override `away`, `share`, or both."""


class FeeModel:
    """Charges of a trade: override `change`."""

    def change(self, rates: ChargeRates, day: date) -> None:
        """Change the rates of a segment and exchange on a day, which are the broker's.

        Shares of the turnover are in billionths, amounts in paise; a `cap` of -1 is none.
        """


class FeedBar(NamedTuple):
    """A bar of a feed: its start (ns UTC), prices in rupees, volume in shares."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: int


class DataFeed:
    """Source of a backtest's bars, in place of the history: override all three."""

    def spans(self) -> Sequence[int]:
        """Return the lengths of its bars in seconds."""
        raise NotImplementedError("spans")

    def symbols(self, span: int) -> Sequence[str]:
        """Return the symbols that have bars of a span."""
        raise NotImplementedError("symbols")

    def bars(self, symbol: str, span: int, start: int, end: int) -> Iterable[FeedBar]:
        """Return the bars that start in [start, end) ns UTC, oldest first."""
        raise NotImplementedError("bars")


def named_part(where: str, text: str, base: type[Kind], *arguments: object) -> Kind:
    """Return a part that is named as FILE.py:CLASS or a.module:CLASS, made of these arguments.

    Raise `ConfigError`, which names `where` it was asked for and the author's line.
    """
    place, _, attribute = text.partition(":")
    try:
        part = named_class(source_module(place), attribute, base)(*arguments)
    # ours are in one line already, and ctrl-c is the operator's
    except (PatangError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise ConfigError(f"{where} {text} cannot be made: {failure_text(error)}") from error
    if not isinstance(part, base):
        raise ConfigError(f"{where} {text}: expected a {base.__name__}")
    return part


def is_part(text: str) -> bool:
    """Return whether a text names a class, as FILE.py:CLASS or a.module:CLASS."""
    # `ticks:1.5` and the like have their dots behind the colon
    return "." in text.partition(":")[0]


def paper_slippage(text: str, ticks: int, fault: Fault) -> Slippage:
    """Return the slippage of paper: ticks, or a model by its name, in whose place they stand."""
    usual = FixedTicks(ticks)
    return GuardedSlippage(named_part("slippage", text, Slippage), usual, fault) if text else usual


def paper_charges(text: str, fault: Fault) -> ChargeSource:
    """Return the charges of paper: the table's, or as fees by their name change them."""
    table = load_rate_table()
    return FeeTable(table, named_part("fees", text, FeeModel), fault) if text else table


def failing(what: str) -> Fault:
    """Return what ends a backtest whose part fails."""

    def fail(error: BaseException) -> None:
        raise PartFailed(f"{what} failed, and there is no result: {failure_text(error)}") from error

    return fail


@final
class GuardedSlippage(Slippage):
    """An author's slippage; when it fails, `fault` hears of it, and what is `usual` counts."""

    def __init__(self, model: Slippage, usual: Slippage, fault: Fault) -> None:
        super().__init__()
        self._model = model
        self._usual = usual
        self._fault = fault

    def away(self, price: float, tick: float, quantity: int, volume: int, spread: float) -> float:
        """Return the model's rupees a share, which are never in our favour."""
        try:
            lost = float(self._model.away(price, tick, quantity, volume, spread))
            # a fill better than its price would be money from nowhere
            if not 0.0 <= lost <= MOST_LOST:
                raise ValueError(
                    f"away returned {lost}: expected rupees a share, 0 to {MOST_LOST:,}"
                )
        except AUTHOR_FAULTS as error:
            self._give_up(error)
            return float(self._usual.away(price, tick, quantity, volume, spread))
        return lost

    def share(self, volume: int) -> int:
        """Return the model's most shares of a volume."""
        try:
            return int(self._model.share(volume))
        except AUTHOR_FAULTS as error:
            self._give_up(error)
            return int(self._usual.share(volume))

    def _give_up(self, error: BaseException) -> None:
        # once is enough: a model that fails would fail at each fill
        self._model = self._usual
        self._fault(error)


@final
class FeeTable:
    """The table of charges as an author's fees change it; where they fail, the table alone."""

    def __init__(self, table: RateTable, model: FeeModel, fault: Fault) -> None:
        self._table = table
        self.model = model
        self._fault = fault

    def rates(self, segment: str, exchange: str, day: int) -> ChargeRates:
        """Return the rates of a day (yyyymmdd), as `RateTable.rates`."""
        # new objects each time: the author may write into them
        rates = self._table.rates(segment, exchange, day)
        try:
            self.model.change(rates, date(day // 10_000, day // 100 % 100, day % 100))
            for name in RATES:
                if getattr(rates, name) < 0:
                    raise ValueError(f"{name} is below 0")
        except AUTHOR_FAULTS as error:
            self._fault(error)
            return self._table.rates(segment, exchange, day)
        return rates
