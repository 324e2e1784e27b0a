"""Reads the rows of a polled book; a row that stands as it stood is not read again."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, final

import msgspec

T = TypeVar("T")


@final
class RowCache(Generic[T]):
    """What the rows of one book were read as last time; rows come in a steady order, new ones last.

    A row is whatever can be compared: the JSON it came as costs least. Sharing what was read is
    safe where nobody changes it.
    """

    def __init__(self) -> None:
        self._last: tuple[int, Sequence[object], list[T]] = (0, (), [])
        """Day, rows and what they were read as: one value, since several threads poll."""

    def read_rows(self, rows: Sequence[object], day: int, read: Callable[[Any], T]) -> list[T]:
        """Return what `read` makes of the rows; `day` is what else it depends on."""
        of, old, made = self._last
        known = min(len(old), len(rows)) if of == day else 0
        found = [made[at] if rows[at] == old[at] else read(rows[at]) for at in range(known)]
        found += [read(row) for row in rows[known:]]
        self._last = (day, rows, found)
        return found


def decoded_row(row: Any) -> Any:
    """Return what a row says that may still be JSON."""
    return msgspec.json.decode(row) if isinstance(row, bytes) else row
