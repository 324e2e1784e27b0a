"""Difference between the broker's books and ours: its kind, its size, and its choices."""

from enum import StrEnum
from typing import Final, NamedTuple

from compiled.trading.kernel import Kernel
from engine.books.books_snapshot import DELIVERED


class DifferenceKind(StrEnum):
    """The kind of a difference."""

    UNMANAGED = "unmanaged"
    """The broker holds shares of an instrument and product of which we hold none."""
    MISSING = "missing"
    """We hold shares, the broker holds none."""
    QUANTITY = "quantity"
    """Both hold shares, not equally many."""
    ORDER = "order"
    """A working order with our tag missing in our journal, or one of ours missing at the broker."""
    TRADE = "trade"
    """The trades of an order of ours are not those we have booked."""
    GTT = "gtt"
    """Somebody else's GTT on what is watched, or one of ours that is not listed."""
    DIVISION = "division"
    """A share may have been split, or another number of them stands for one.

    Nothing of ours is sold until that is decided.
    """
    AWAITED = "awaited"
    """Shares of a split or bonus that the broker has not credited yet."""
    FUNDS = "funds"
    """The broker's cash is further from ours than the bound."""


class DifferenceChoice(StrEnum):
    """A choice of the operator about a difference."""

    ADOPT = "adopt"
    ASSIGN = "assign"
    IGNORE = "ignore"
    FLATTEN = "flatten"


POSITIONS: Final = frozenset(
    {
        DifferenceKind.UNMANAGED,
        DifferenceKind.MISSING,
        DifferenceKind.QUANTITY,
        DifferenceKind.AWAITED,
    }
)
ALL: Final = tuple(DifferenceChoice)
ADOPT_OR_IGNORE: Final = (DifferenceChoice.ADOPT, DifferenceChoice.IGNORE)
FLATTEN_OR_IGNORE: Final = (DifferenceChoice.IGNORE, DifferenceChoice.FLATTEN)


class BookDifference(NamedTuple):
    """One difference; `figure` is its size (shares the broker has more, paise).

    `theirs` and `ours` are in words. Of shares `apart` are left out: those that the operator has
    set apart as not ours, by ignoring them.
    """

    key: str
    """What the operator calls it by; the same in every comparison."""
    kind: DifferenceKind
    token: int
    symbol: str
    product: str
    figure: int
    theirs: str
    ours: str
    choices: tuple[DifferenceChoice, ...]
    average: float = 0.0
    """The broker's average price of the shares, rupees."""
    apart: int = 0
    cause: str = ""
    """What has probably led to it."""
    witnessed: bool = False
    """The order book shows the taker of these shares: one sight of it is enough."""

    @property
    def text(self) -> str:
        """Say it in one line."""
        cause = f" ({self.cause})" if self.cause else ""
        return f"{self.key}: {self.kind}: the broker has {self.theirs}, we have {self.ours}{cause}"

    @property
    def cedes(self) -> bool:
        """Return whether ignoring it cedes the owner's shares: they are gone, ours are not."""
        return (
            self.kind is not DifferenceKind.UNMANAGED
            and self.product in DELIVERED
            and self.figure < 0 < self.apart
        )

    @property
    def amount(self) -> int:
        """Return the amount of a choice.

        It is the shares that differ, or, where only those set apart do, these.
        """
        return self.figure or self.apart


def symbol_of(kernel: Kernel, token: int, otherwise: str) -> str:
    """Return an instrument's symbol, `otherwise` for one that is not watched."""
    market = kernel.state.markets.get(token)
    return market.instrument.symbol if market else otherwise
