"""View of a pane, without a widget: columns, and the cells of a row; text in, text out."""

from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from rich.cells import cell_len, set_cell_size

from engine.board_rows import Board
from engine.market.instrument_search import option_name
from engine.texts import plain_text

FEW: Final = 500
"""Rows that may all be gone over at each frame."""

Row = TypeVar("Row", bound=tuple[object, ...])


class PaneColumn(NamedTuple):
    """One column: `width` cells at least, up to `most` where there is room.

    The highest `rank` goes first when not. A column that `names` a field of the row is as wide as
    the longest one: cut to the same text, a call and a put cannot be told apart.
    """

    title: str
    width: int
    most: int = 0
    rank: int = 0
    right: bool = True
    names: str = ""


class PaneCell(NamedTuple):
    """One cell: text, tone, and the `value` that colours its flash if the tone is no sign.

    A cell with `still` set never flashes (ages, clocks).
    """

    text: str
    tone: str = ""
    value: float = 0.0
    still: bool = False


class ColumnSlot(NamedTuple):
    """Place of a column in a given width."""

    column: int
    width: int
    right: bool
    gap: int
    """Blank cells before it."""
    names: bool = False


class View(Generic[Row]):
    """One pane as a pure function of the board; a row's first field is its key."""

    name = ""
    title = ""
    help = ""
    columns: tuple[PaneColumn, ...] = ()
    follows = False
    """Whether the end matters: the view stays at the last row until the cursor leaves it."""
    leads = False
    """Whether the beginning matters: the view stays at the first row until the cursor leaves it."""
    of_desk = True
    """Whether it knows nothing before the desk has opened."""
    empty = "nothing yet"

    def opening_text(self, board: Board) -> str:
        """Return what stands in place of `empty` while the desk is opening.

        Nothing is known then: "flat" would be a lie.
        """
        del board
        return "the desk is opening" if self.of_desk else self.empty

    def version(self, board: Board) -> int:
        """Return a number that changes whenever any row does."""
        raise NotImplementedError

    def rows(self, board: Board) -> Sequence[Row]:
        """Return the rows in their order."""
        raise NotImplementedError

    def cells(self, row: Row, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one cell per column.

        `now` is the desk's clock (ns UTC), `widths` those of the columns (0: dropped).
        """
        raise NotImplementedError

    def stamp(self, row: Row, now: int) -> int:
        """Return what else the cells depend on: they are made anew when it changes."""
        del row, now
        return 0

    def search_text(self, row: Row) -> str:
        """Return what a filter looks at, in lower case."""
        return " ".join(text for text in row if isinstance(text, str)).lower()

    def attention(self, row: Row) -> bool:
        """Return whether a row needs the operator; `n` goes from one to the next."""
        del row
        return False

    def groups(self, rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
        """Return the rows in groups with their headings, none for a list without groups."""
        del rows
        return []

    def summary(self, board: Board) -> list[PaneCell]:
        """Return what stands beside the title."""
        del board
        return []


_MOST_GAP: Final = 3
_MIDDLE: Final = 6
"""Cells from which on a name can be cut in its middle."""


def meets_filter(wanted: str, text: str) -> bool:
    """Return whether a text has every word of a filter; both are in lower case.

    `!word` must not be there, `~letters` stand in this order with anything between them.
    """
    return all(_meets_word(word, text) for word in wanted.split())


def _meets_word(word: str, text: str) -> bool:
    if word.startswith("!"):
        return len(word) == 1 or not _meets_word(word[1:], text)
    if word.startswith("~"):
        # The iterator goes on behind each letter that it finds.
        rest = iter(text)
        return all(letter in rest for letter in word[1:])
    return word in text


def widened_columns(columns: Sequence[PaneColumn], rows: Sequence[Row]) -> list[PaneColumn]:
    """Return the columns of a view with those that name something as wide as its rows need."""
    return [
        column._replace(width=max(column.width, *(len(getattr(row, column.names)) for row in rows)))
        if column.names and rows
        else column
        for column in columns
    ]


def fit_columns(columns: Sequence[PaneColumn], width: int) -> list[ColumnSlot]:
    """Lay columns out in `width` cells with a margin of one: drop by rank, grow, widen gaps.

    Where the pane is too narrow even so, what names something gives way last of all.
    """
    kept = list(range(len(columns)))
    room = width - 2
    while len(kept) > 1 and sum(columns[i].width + 1 for i in kept) - 1 > room:
        # of one rank the last goes first
        kept.remove(max(kept, key=lambda i: (columns[i].rank, not columns[i].names, i)))
    widths = {i: min(columns[i].width, room) for i in kept}
    spare = room - sum(widths.values()) - len(kept) + 1
    while spare > 0 and (growing := [i for i in kept if columns[i].most > widths[i]]):
        # one cell each in turn, so that the widest takes no more than its part
        for i in growing[:spare]:
            widths[i] += 1
        spare -= len(growing[:spare])
    wider = min(max(spare, 0) // max(len(kept) - 1, 1), _MOST_GAP - 1)
    return [
        ColumnSlot(
            i, widths[i], columns[i].right, 1 if n == 0 else 1 + wider, bool(columns[i].names)
        )
        for n, i in enumerate(kept)
    ]


def widths_of(slots: Sequence[ColumnSlot], columns: Sequence[PaneColumn]) -> list[int]:
    """Return the width each column has come to, 0 for the dropped ones."""
    found = {slot.column: slot.width for slot in slots}
    return [found.get(i, 0) for i in range(len(columns))]


def fit_text(text: str, width: int, right: bool, *, names: bool = False) -> str:
    """Return `text` in exactly `width` cells, free of control characters.

    What is too long is cut with an ellipsis, at its end, or where it `names` something in its
    middle: strike and side of an option stand at its end. A number (right-aligned) loses its commas
    first, then its decimals: a cut number would be a wrong one.
    """
    if names and len(text) > width > _MIDDLE:
        option = option_name(text)
        # strike and side whole, whatever is left of the underlying
        tail = len(option.strike) + len(option.side) if option else width - 1 - (width - 1) // 3
        tail = min(tail, width - 2)
        text = text[: width - 1 - tail] + "…" + text[-tail:]
    if not text.isascii() or not text.isprintable():
        text = plain_text(text)
        size = cell_len(text)
        if size > width and right:
            return _squeezed_number(text, width)
        if size > width:
            return set_cell_size(text, max(width - 1, 0)) + "…"[:width]
        return " " * (width - size) + text if right else text + " " * (width - size)
    if len(text) > width:
        return _squeezed_number(text, width) if right else text[: max(width - 1, 0)] + "…"[:width]
    return text.rjust(width) if right else text.ljust(width)


def _squeezed_number(number: str, width: int) -> str:
    bare = number.replace(",", "")
    for shorter in (
        bare,
        bare.replace(" ", ""),
        bare.partition(".")[0],
        bare.partition(".")[0].replace(" ", ""),
    ):
        if cell_len(shorter) <= width:
            return " " * (width - cell_len(shorter)) + shorter
    # a cut number would be another number
    return "#" * width


def view_text(view: View[Row], board: Board, width: int) -> list[str]:
    """Return a pane as plain lines: its title, its column heads, its rows."""
    slots = fit_columns(widened_columns(view.columns, view.rows(board)), width)
    widths = widths_of(slots, view.columns)
    now = board.header.now
    lines = [" ".join([view.title, *(cell.text for cell in view.summary(board))])]
    lines.append(
        "".join(
            " " * s.gap + fit_text(view.columns[s.column].title, s.width, s.right) for s in slots
        ).rstrip()
    )
    for row in view.rows(board):
        cells = view.cells(row, now, widths)
        lines.append(
            "".join(
                " " * s.gap + fit_text(cells[s.column].text, s.width, s.right, names=s.names)
                for s in slots
            ).rstrip()
        )
    return lines
