"""Reads the rows of a polled book; a row that stands as it stood is not read again."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, final

import msgspec

T = TypeVar("T")


@final
class RowCache(Generic[T]):
    """Rows of one book as they were read last time; rows come in a steady order, new ones last.

    A row is anything that can be compared: the JSON it came as costs least. Values are shared, and
    must not be changed.
    """

    def __init__(self) -> None:
        self._last: tuple[int, Sequence[object], list[T]] = (0, (), [])
        """Day, rows and what they were read as: one value, since several threads poll."""

    def read_rows(self, rows: Sequence[object], day: int, read: Callable[[Any], T]) -> list[T]:
        """Return what `read` makes of the rows; `day` is its other argument."""
        of, old, made = self._last
        # Of another day everything is read anew: the day decides what a lot of MCX holds.
        known = min(len(old), len(rows)) if of == day else 0
        found = [made[at] if rows[at] == old[at] else read(rows[at]) for at in range(known)]
        found += [read(row) for row in rows[known:]]
        self._last = (day, rows, found)
        return found


def decoded_row(row: Any) -> Any:
    """Return what a row says that may still be JSON."""
    return msgspec.json.decode(row) if isinstance(row, bytes) else row
