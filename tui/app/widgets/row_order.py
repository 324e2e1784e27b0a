"""Momentary order of a list: by what its cells say, and what a filter has hit in them."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.app.widgets.pane_view import PaneCell

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_UNITS: Final = {"L": 1e5, "Cr": 1e7, "s": 1.0, "m": 60.0, "h": 3_600.0}
_NOTHING: Final = frozenset({"", "-", "--:--:--"})


class SortOrder(NamedTuple):
    """A column that a list is sorted by.

    Numbers begin with the highest, texts with A; `turned` is the other way round.
    """

    column: int
    turned: bool = False


class CellRank(NamedTuple):
    """A cell's place among those of its column: numbers before texts, nothing behind all."""

    number: float
    text: str = ""


def cell_rank(cell: PaneCell, *, right: bool) -> CellRank | None:
    """Return what a cell is sorted by, None for one that says nothing.

    Right-aligned texts are numbers as the screen writes them: 12,345.60, ▼ 1.20%, 3.40 L, 12m,
    14:32:07.
    """
    text = cell.text.strip()
    if text in _NOTHING:
        return None
    number = _written_number(text) if right else None
    return CellRank(0.0, text.lower()) if number is None else CellRank(number)


def _written_number(text: str) -> float | None:
    bare = text.replace(",", "")
    if ":" in bare:
        parts = [part for part in bare.split(":") if part.isdecimal()]
        return float(sum(int(part) * 60**n for n, part in enumerate(reversed(parts))))
    found = _NUMBER.search(bare)
    if found is None:
        return None
    # lakh, crore, or the unit of an age
    unit = bare[found.end() :].strip()
    # a fall is written with its arrow, and with its sign only where it is money
    value = -abs(float(found[0])) if bare.startswith("▼") else float(found[0])
    return value * _UNITS.get(unit, 1.0)


def sorted_places(ranks: Sequence[CellRank | None], order: SortOrder) -> list[int]:
    """Return the places of rows in an order; equals stay as they were, nothing comes last."""
    there = [place for place, rank in enumerate(ranks) if rank is not None]
    # what is highest is looked for first, and what begins with A
    falling = any(rank is not None and not rank.text for rank in ranks) != order.turned
    # sorted keeps equals in their order even where it is reversed
    there.sort(key=lambda place: ranks[place] or CellRank(0.0), reverse=falling)
    return there + [place for place, rank in enumerate(ranks) if rank is None]


def next_order(order: SortOrder | None, columns: Sequence[int], step: int) -> SortOrder | None:
    """Return the order after this one: each column, then the same turned round, then the next.

    None is the list's own order; it stands between the last column and the first.
    """
    way = columns if step > 0 else columns[::-1]
    orders = [None, *(SortOrder(column, turned) for column in way for turned in (False, True))]
    return orders[(orders.index(order) + 1) % len(orders)] if order in orders else None


def clicked_order(order: SortOrder | None, column: int) -> SortOrder | None:
    """Return the order after a click on a head: by it, turned round, the list's own again."""
    if order is None or order.column != column:
        return SortOrder(column)
    return None if order.turned else order._replace(turned=True)


def plain_words(wanted: str) -> list[str]:
    """Return the words of a filter that stand in a row as they are typed."""
    return [word for word in wanted.split() if word[0] not in "!~"]


def mark_hits(strip: Strip, words: Sequence[str], style: Style) -> Strip:
    """Return a line with every hit of some words in another style."""
    text = strip.text.lower()
    # a wide character shifts cells against letters, and a mark beside the hit is worse than none
    if len(text) != strip.cell_length:
        return strip
    hits = sorted(
        (found.start(), found.end())
        for word in words
        for found in re.finditer(re.escape(word), text)
    )
    if not hits:
        return strip
    cuts = sorted({0, strip.cell_length, *(edge for hit in hits for edge in hit)})
    parts = strip.divide(cuts[1:])
    marked = [
        _restyled_strip(part, style) if any(a <= start < b for a, b in hits) else part
        for start, part in zip(cuts, parts, strict=False)
    ]
    return Strip.join(marked)


def _restyled_strip(strip: Strip, style: Style) -> Strip:
    return Strip(
        [Segment(part.text, (part.style or Style.null()) + style) for part in strip],
        strip.cell_length,
    )
