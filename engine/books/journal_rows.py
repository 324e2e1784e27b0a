"""Rows of the journal, read back with the bounds of `compiled/model/number_bounds.py`.

An impossible number is a damaged database.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Final

from compiled.model import number_bounds
from engine.errors import DataError
from engine.ports import Journal

Row = dict[str, object]
MEND: Final = "the database is damaged: restore a copy, or move it away and reconcile"

_PRICE: Final = (0.0, number_bounds.PRICE)
_SHARES: Final = (0, int(number_bounds.HELD))
_MONEY: Final = (-int(number_bounds.MONEY), int(number_bounds.MONEY))
_TIME: Final = (0, int(number_bounds.LAST))
_NUMBER: Final = (0, int(number_bounds.NUMBER))
COLUMNS: Final[dict[str, tuple[float, float]]] = {
    **dict.fromkeys(
        (
            "price",
            "trigger_price",
            "stop_loss",
            "target",
            "high_water",
            "entry_price",
            "exit_price",
        ),
        _PRICE,
    ),
    **dict.fromkeys(("quantity", "filled", "qty"), _SHARES),
    **dict.fromkeys(("value", "charged", "charges", "realised", "pnl", "capital"), _MONEY),
    **dict.fromkeys(("created", "updated", "closed", "ts", "entry_time", "exit_time"), _TIME),
    **dict.fromkeys(("intent", "rung", "ladder", "decision", "token"), _NUMBER),
    "protection": (-1.0, 100.0),
    "position_number": (1, number_bounds.RUNGS),
}
"""What a column may hold, in every table that has it; NULL is nothing."""
FILL: Final = {"quantity": (1, int(number_bounds.HELD)), "price": (1e-4, number_bounds.PRICE)}
"""Shares that moved were some, and cost something."""


def load_rows(
    journal: Journal, table: str, where: str = "", parameters: Sequence[object] = ()
) -> list[Row]:
    """Return rows in key order; raise `DataError` naming the first number that cannot be."""
    found = journal.load(table, where, parameters)
    for row in found:
        for column, value in row.items():
            allowed = FILL.get(column) if table == "fills" else None
            if value is not None and column in COLUMNS and table != "meta":  # that holds texts
                check_number(
                    f"{table}, row {next(iter(row.values()))}: {column}",
                    value,
                    *(allowed or COLUMNS[column]),
                )
    return found


def check_number(what: str, value: object, low: float, high: float) -> None:
    """Raise `DataError` unless it is a number from `low` to `high`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not isfinite(value)
        or not low <= value <= high
    ):
        raise DataError(f"{what} {value} is not from {low:.12g} to {high:.12g}; {MEND}")


def whole_number(what: str, value: object, low: float = _MONEY[0], high: float = _MONEY[1]) -> int:
    """Return a whole number that was kept as text; raise `DataError`."""
    text = str(value)
    if not (text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 20):
        raise DataError(f"{what} {text[:60]} is no whole number; {MEND}")
    check_number(what, int(text), low, high)
    return int(text)


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Raise `DataError` for rows that cannot be: a name, a number, or a law of the core broken."""
    try:
        yield
    except (
        # The core's own assertions hold for its own acts; here they judge what a file says.
        AssertionError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise DataError(
            f"{what} cannot be read back ({type(error).__name__}: {error}); {MEND}"
        ) from error
