"""Tables of dated rows: each with its validity, its source, and its certainty."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from engine.errors import DataError, in_words

Table = TypeVar("Table")


class PeriodRow(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    rename={"first": "from", "last": "until"},
):
    """One dated row of a table; it holds from `first` to `last`, both included.

    `read_table` is the day its source was read, where that is not the table's own day.
    """

    first: date
    last: date = date.max
    source: list[str]
    confidence: Literal["high", "medium", "low"]
    read: date | None = None
    note: str = ""


Dated = TypeVar("Dated", bound=PeriodRow)


def read_table(file: Path, table: type[Table]) -> Table:
    """Read a table; raise `DataError` where it is missing or malformed."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=table)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{file}: {in_words(error)}") from error


def row_on(rows: Iterable[Dated], day: date, what: str, file: Path) -> Dated:
    """Return the row that holds on a day.

    Raise `DataError` naming the missing row and the file to extend.
    """
    for row in rows:
        if row.first <= day <= row.last:
            return row
    raise DataError(f"no {what} for {day}: add a row to {file}")
