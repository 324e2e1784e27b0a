"""Lists of symbols with dates: what an index was made of on each day."""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from engine.errors import DataError, in_words
from engine.market.calendar import DAY, midnight

HEADER: Final = ["symbol", "from", "to"]
EVER: Final = (date(1990, 1, 1), date(2200, 1, 1))
"""Before any bar, and after."""
Spans = tuple[tuple[date, date], ...]


class DatedSymbols(NamedTuple):
    """Symbols of a file, with their first and last days where it has dates, and the file's hash."""

    name: str
    sha256: str
    members: Mapping[str, Spans]

    @property
    def is_dated(self) -> bool:
        """Return whether it says when somebody came or went."""
        return any(spans != (EVER,) for spans in self.members.values())

    def times(self, symbols: Sequence[str]) -> dict[str, tuple[tuple[int, int], ...]]:
        """Return of symbols when they belong, in spans [from, to) ns UTC; none: always."""
        if not self.is_dated:
            return {}
        return {
            symbol: tuple(
                (midnight(first), midnight(last) + DAY) for first, last in self.members[symbol]
            )
            for symbol in symbols
            if symbol in self.members
        }

    def on_days(self, first: date, last: date) -> list[str]:
        """Return the symbols that belong on one of these days."""
        return [
            symbol
            for symbol, spans in self.members.items()
            if any(begin <= last and first <= end for begin, end in spans)
        ]

    def gone_by(self, first: date, last: date) -> list[str]:
        """Return the symbols that belong on one of these days, and not on the last."""
        return [
            symbol
            for symbol in self.on_days(first, last)
            if all(not begin <= last <= end for begin, end in self.members[symbol])
        ]


def read_dated_symbols(path: Path) -> DatedSymbols:
    """Read a file of lines SYMBOL, or SYMBOL,FROM,TO below the line symbol,from,to.

    An empty FROM is since ever, an empty TO until now. Raise `DataError` with file and line.
    """
    try:
        # a spreadsheet puts a mark before the first word
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {in_words(error)}") from None
    lines = text.splitlines()
    # taken for a list of names, other columns would be traded, and on all days
    if lines and not has_dates(text) and lines[0].strip().lower().startswith(HEADER[0]):
        raise DataError(f"{path}:1: expected symbol,from,to, or no header, got {lines[0].strip()}")
    if has_dates(text):
        members = _dated_lines(path, lines)
    else:
        names = [name.upper() for name in text.replace(",", " ").split()]
        members = dict.fromkeys(names, (EVER,))
    if not members:
        raise DataError(f"{path}: there is no symbol in it")
    return DatedSymbols(path.name, hashlib.sha256(text.encode()).hexdigest(), members)


def has_dates(text: str) -> bool:
    """Return whether a file begins as one with dates."""
    first, _, _ = text.partition("\n")
    return [field.strip().lower() for field in first.split(",")] == HEADER


def _dated_lines(path: Path, lines: Sequence[str]) -> dict[str, Spans]:
    members: dict[str, Spans] = {}
    for number, fields in enumerate(csv.reader(lines[1:]), start=2):
        row = [field.strip() for field in fields]
        if not any(row) or row[0].startswith("#"):
            continue
        wrong = f"{path}:{number}: expected symbol,from,to as INFY,2020-01-01,2024-03-28"
        if len(row) != len(HEADER) or not row[0]:
            raise DataError(f"{wrong}, got {','.join(fields)}")
        try:
            first = date.fromisoformat(row[1]) if row[1] else EVER[0]
            last = date.fromisoformat(row[2]) if row[2] else EVER[1]
        except ValueError as error:
            raise DataError(f"{wrong}: {error}") from None
        symbol = row[0].upper()
        before = members.get(symbol, ())
        # a symbol may come back; what overlaps is a slip of one of the two
        if first > last or any(begin <= last and first <= end for begin, end in before):
            raise DataError(f"{path}:{number}: {symbol}: its days run backwards, or twice")
        members[symbol] = (*before, (first, last))
    return members
