"""The board on the wire: what has changed since a moment, and what makes a copy of it.

Whatever stands on a board is found by its type: sections, deques and plain values travel without
being named here. Rows are arrays; the name of their type, one of `engine/board_rows.py`, goes with
them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgspec

from engine import board_rows
from engine.board_rows import BarRow, Board, BoardFocus, BoardSection

ROWS: Final = 256
"""Rows in one part, at most: encoding more would hold the interpreter for over a millisecond."""

APART: Final = frozenset({"focus", "lookers", "bars", "token", "span"})
"""Names on a board or a focus that go another way: by screen, or when they are asked for."""


class PartKind(IntEnum):
    """Effects of a part on the copy."""

    VALUE = 0
    """It replaces a value."""
    WHOLE = 1
    """It is all rows of a section or a deque, or the first of as many as `at` says."""
    ROWS = 2
    """It replaces rows of a section, or adds them behind."""
    TAIL = 3
    """It drops rows at the head of a deque, replaces some, and adds the others behind."""
    BARS = 4
    """It replaces the bars of a token and span."""


class BoardPart(msgspec.Struct, array_like=True, frozen=True):
    """One part of a picture; `at` are places of rows, behind the dropped ones of a `TAIL`."""

    name: str
    kind: PartKind
    row_type: str
    """Type of the value or of each row, "" for plain ones."""
    at: list[int]
    body: msgspec.Raw


class SectionMark(NamedTuple):
    """State of a section as it has been told."""

    rows: list[Any]
    versions: list[int]
    version: int


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[tuple[str, bool], Callable[[bytes | msgspec.Raw], Any]] = {}


def _type_name(value: object) -> str:
    """Return the name of a row's type, "" where it is none of the board's."""
    name = type(value).__name__
    return name if getattr(board_rows, name, None) is type(value) else ""


def _row_decoder(name: str, *, many: bool) -> Callable[[bytes | msgspec.Raw], Any]:
    """Return what reads a value of a type of the board, or a list of them."""
    known = _decoders.get((name, many))
    if known is None:
        kind: Any = getattr(board_rows, name) if name else Any
        # The name comes from outside: nothing but a row may be made by it.
        if name and not (isinstance(kind, type) and issubclass(kind, tuple)):
            raise ValueError(f"{name} is no row of a board")
        decoder: Any = msgspec.msgpack.Decoder(list[kind] if many else kind)
        known = _decoders[name, many] = decoder.decode
    return known


def _rows_part(name: str, kind: PartKind, at: list[int], rows: Sequence[object]) -> BoardPart:
    row_type = _type_name(rows[0]) if rows else ""
    return BoardPart(name, kind, row_type, at, msgspec.Raw(_encoder.encode(rows)))


def _value_part(name: str, value: object) -> BoardPart:
    # A plain tuple is one of rows, as far as the board knows any.
    if type(value) is tuple:
        return _rows_part(name, PartKind.VALUE, [0], value)
    body = msgspec.Raw(_encoder.encode(value))
    return BoardPart(name, PartKind.VALUE, _type_name(value), [], body)


def bars_part(key: tuple[int, int], bars: Sequence[BarRow]) -> BoardPart:
    """Return the part with the bars of a token and span (s)."""
    return _rows_part("bars", PartKind.BARS, [*key], bars)


class BoardReader:
    """Reads a board, or what a screen looks at, and tells what has changed since the last time.

    The engine writes meanwhile, in its own thread: a row is taken with its version or before it, so
    that one which changes in between is told again, and none is missed.
    """

    def __init__(self, source: Board | BoardFocus, prefix: str = "") -> None:
        self._source = source
        self._prefix = prefix
        self._sections: dict[str, SectionMark] = {}
        self._deques: dict[str, tuple[object, ...]] = {}
        self._values: dict[str, object] = {}

    def changes(self) -> Iterator[BoardPart]:
        """Yield what has changed since the last time, of which `whole` is a picture afterwards."""
        for name, item in list(vars(self._source).items()):
            if name in APART:
                continue
            if isinstance(item, BoardSection):
                yield from self._section_changes(name, item)
            elif isinstance(item, deque):
                yield from self._deque_changes(name, item)
            else:
                yield from self._value_changes(name, item)

    def whole(self) -> Iterator[BoardPart]:
        """Yield everything that has been told, for a copy that has nothing yet."""
        for name, mark in self._sections.items():
            yield from self._all_rows(name, mark.rows[: len(mark.versions)])
        for name, rows in self._deques.items():
            yield from self._all_rows(name, rows)
        for name, value in self._values.items():
            yield _value_part(self._prefix + name, value)

    def _all_rows(self, name: str, rows: Sequence[object]) -> Iterator[BoardPart]:
        name = self._prefix + name
        yield _rows_part(name, PartKind.WHOLE, [len(rows)], rows[:ROWS])
        for first in range(ROWS, len(rows), ROWS):
            part = rows[first : first + ROWS]
            yield _rows_part(name, PartKind.ROWS, [*range(first, first + len(part))], part)

    def _section_changes(self, name: str, section: BoardSection[Any]) -> Iterator[BoardPart]:
        known = self._sections.get(name)
        if known is not None and known.version == section.version:
            return
        version, rows, versions = section.version, section.rows, section.versions[:]
        # Rows have been dropped between two of these lines: the next frame has them right.
        if section.rows is not rows or len(versions) > len(rows):
            return
        self._sections[name] = SectionMark(rows, versions, version)
        # Dropping makes a new list: all others have moved.
        if known is None or rows is not known.rows:
            yield from self._all_rows(name, rows[: len(versions)])
            return
        before = known.versions
        at = [i for i, each in enumerate(before) if each != versions[i]]
        at += range(len(before), len(versions))
        for first in range(0, len(at), ROWS):
            part = at[first : first + ROWS]
            yield _rows_part(self._prefix + name, PartKind.ROWS, part, [rows[i] for i in part])

    def _deque_changes(self, name: str, items: deque[Any]) -> Iterator[BoardPart]:
        before, after = self._deques.get(name), tuple(items.copy())
        # Equal elements are the same ones but for a handful: this is a walk over addresses.
        if before == after:
            return
        self._deques[name] = after
        dropped = _dropped_head(before, after) if before else -1
        if before is None or dropped < 0:
            yield from self._all_rows(name, after)
            return
        left = len(before) - dropped
        changed = [i for i in range(left) if before[dropped + i] is not after[i]]
        rows = [*(after[i] for i in changed), *after[left:]]
        yield _rows_part(self._prefix + name, PartKind.TAIL, [dropped, *changed], rows)

    def _value_changes(self, name: str, value: object) -> Iterator[BoardPart]:
        # A dictionary is written in place: a copy shows whether it was.
        value = dict(value) if isinstance(value, dict) else value
        if name not in self._values or self._values[name] != value:
            self._values[name] = value
            yield _value_part(self._prefix + name, value)


def _dropped_head(before: Sequence[object], after: Sequence[object]) -> int:
    """Return how many rows have gone at the head, -1 where the two have nothing in common."""
    # A row at the head may have been replaced by one with a higher count: the next ones tell.
    for ahead, row in enumerate(after[:8]):
        for place, known in enumerate(before):
            if known is row and place >= ahead and len(before) - place + ahead <= len(after):
                return place - ahead
    return -1


class FollowedBars(dict[tuple[int, int], Any]):
    """Bars by token and span: what is asked for is followed from then on."""

    def __init__(self, wanted: Callable[[tuple[int, int]], None]) -> None:
        super().__init__()
        self._wanted = wanted

    def get(self, key: tuple[int, int], default: Any = None, /) -> Any:
        """Return the bars, `default` before they have come."""
        self._wanted(key)
        return super().get(key, default)


class BoardCopy:
    """A board that follows another one by its parts; `apply` is called by one thread alone.

    `wanted` hears which bars are asked for.
    """

    def __init__(
        self, board: Board, wanted: Callable[[tuple[int, int]], None] = lambda _: None
    ) -> None:
        self.board = board
        self.board.bars = FollowedBars(wanted)
        self._coming: dict[str, tuple[int, list[Any]]] = {}
        """Rows of which not all have come, and how many there will be."""

    def begin(self, mode: str, place: str) -> None:
        """Follow a desk anew: what is half told of another one is forgotten."""
        self.board.header = self.board.header._replace(mode=mode, place=place)
        # They may be of another day; those that are looked at come anew.
        self.board.bars.clear()
        self._coming.clear()

    def apply(self, part: BoardPart) -> None:
        """Bring a part of the copy up to date; raise `ValueError` for one that fits nothing."""
        target, name = self._find_target(part.name)
        if part.kind is PartKind.VALUE:
            value = _row_decoder(part.row_type, many=bool(part.at))(part.body)
            setattr(target, name, tuple(value) if part.at else value)
            return
        rows = _row_decoder(part.row_type, many=True)(part.body)
        if part.kind is PartKind.BARS:
            self.board.bars[part.at[0], part.at[1]] = tuple(rows)
        elif part.kind is PartKind.WHOLE or part.name in self._coming:
            self._gather_rows(getattr(target, name), part, rows)
        elif part.kind is PartKind.TAIL:
            _follow_tail(getattr(target, name), part.at, rows)
        else:
            getattr(target, name).follow(part.at, rows)

    def _gather_rows(
        self, held: BoardSection[Any] | deque[Any], part: BoardPart, rows: list[Any]
    ) -> None:
        """Take all rows over once they are there: a list that is short for a moment jumps."""
        if part.kind is PartKind.WHOLE:
            self._coming[part.name] = part.at[0], []
        total, come = self._coming[part.name]
        come += rows
        if len(come) < total:
            return
        del self._coming[part.name]
        if isinstance(held, BoardSection):
            held.follow(None, come)
        else:
            held.clear()
            held.extend(come)

    def _find_target(self, name: str) -> tuple[Board | BoardFocus, str]:
        focus, _, rest = name.rpartition(".")
        target = self.board.focus if focus else self.board
        if rest not in vars(target) or (rest in APART and rest != "bars"):
            raise ValueError(f"{name} is not on this board")
        return target, rest


def _follow_tail(held: deque[Any], at: Sequence[int], rows: Iterable[Any]) -> None:
    """Drop rows at the head of a deque, replace some, and add the others behind."""
    coming = iter(rows)
    for _ in range(at[0]):
        held.popleft()
    for place in at[1:]:
        held[place] = next(coming)
    held.extend(coming)
