"""Painter of the terminal, cell by cell.

A frame is sent as its difference from the one before, in as few bytes as it takes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from engine.texts import plain_text
from tui.app.ascii_letters import ascii_text

PIECE: Final = 4_096
"""Bytes after which a frame is broken off by default; the rest stays due."""

FIRST: Final = 8
"""Rows from the top that always go first: mode, kill switch, header."""

# a jump (CSI, column, G) is four bytes or more
_JUMP: Final = 4
"""Unchanged cells that are cheaper to write again than to jump over."""

_ATTRIBUTES: Final = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "21", "51", "52", "53")
"""SGR codes of Rich's attribute bits, in their order."""

Cell = tuple[str, int]
"""A character ("" behind a wide one) and the number of its style."""
Pen = tuple[str, str, str]
"""SGR parameters of attributes, ink and ground; "" is the terminal's own."""

_UNKNOWN: Final[Cell] = ("", -1)
_BLANK: Final[Cell] = (" ", 0)


class ScreenPainter:
    """Cells that the terminal shows, and cells that it should show.

    `take_update` changes what it ought to show and costs no bytes; `next_piece` returns the bytes
    for some of what differs. A frame that is never asked for is one that was dropped: the next
    `next_piece` goes straight to the latest. `in_ascii`: the terminal takes nothing else.
    """

    def __init__(self, colours: ColorSystem | None, *, in_ascii: bool = False) -> None:
        self._colours = colours
        self._in_ascii = in_ascii
        self._pens: list[Pen] = [("", "", "")]
        self._numbers: dict[Style | None, int] = {None: 0}
        self._wanted: list[list[Cell]] = []
        self._shown: list[list[Cell]] = []
        self._due: set[int] = set()
        self._next = FIRST

    def forget(self) -> None:
        """Assume nothing of what the terminal shows.

        It was resized or cleared, or a byte went astray.
        """
        self._shown = [[_UNKNOWN] * len(row) for row in self._wanted]
        self._due = set(range(len(self._wanted)))

    @property
    def has_due_rows(self) -> bool:
        """Whether the terminal lacks something."""
        return bool(self._due)

    # what it ought to show

    def take_update(self, update: CompositorUpdate) -> None:
        """Take over what the compositor has drawn."""
        if isinstance(update, LayoutUpdate):
            self._take_layout(update)
        elif isinstance(update, ChopsUpdate):
            for y, x, end in update.spans:
                self._take_span(update.chops[y].items(), update.chop_ends[y], y, x, end)

    def _take_layout(self, update: LayoutUpdate) -> None:
        rows = [self._strip_cells(strip for strip in line) for line in update.strips]
        # of another size: what the terminal still shows, and where, is anybody's guess
        if [len(row) for row in rows] != [len(row) for row in self._wanted]:
            self._wanted = rows
            self.forget()
        else:
            self._wanted = rows
            self._due.update(range(len(rows)))

    def _take_span(
        self,
        chops: Iterable[tuple[int, Strip | None]],
        ends: Sequence[int],
        y: int,
        first: int,
        last: int,
    ) -> None:
        if y >= len(self._wanted):
            return
        row = self._wanted[y]
        for end, (x, strip) in zip(ends, chops, strict=False):
            if strip is None or x >= last or end <= first:
                continue
            cells = self._strip_cells((strip,))[: len(row) - x]
            row[x : x + len(cells)] = cells
        self._due.add(y)

    def _strip_cells(self, strips: Iterable[Iterable[Segment]]) -> list[Cell]:
        cells: list[Cell] = []
        for strip in strips:
            for text, style, control in strip:
                if not control:
                    number, shown = (
                        self._style_number(style),
                        text if text.isprintable() else _visible_text(text),
                    )
                    if self._in_ascii:
                        shown = ascii_text(shown)
                    cells += (
                        [(c, number) for c in shown]
                        if shown.isascii()
                        else _wide_cells(shown, number)
                    )
        return cells

    def _style_number(self, style: Style | None) -> int:
        number = self._numbers.get(style)
        if number is None:
            pen = self._style_pen(style) if style is not None else ("", "", "")
            # styles that look alike share a pen: a change between them is no difference to send
            number = self._numbers[style] = (
                self._pens.index(pen) if pen in self._pens else len(self._pens)
            )
            if number == len(self._pens):
                self._pens.append(pen)
        return number

    def _style_pen(self, style: Style) -> Pen:
        bits = style._attributes & style._set_attributes  # noqa: SLF001 - there is no public way to ask for them together
        attributes = ";".join(code for bit, code in enumerate(_ATTRIBUTES) if bits >> bit & 1)
        codes = []
        for colour, ink in ((style.color, True), (style.bgcolor, False)):
            if colour is None or colour.is_default or self._colours is None:
                codes.append("")
            else:
                codes.append(
                    ";".join(colour.downgrade(self._colours).get_ansi_codes(foreground=ink))
                )
        return attributes, codes[0], codes[1]

    # what it takes

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self._wanted[0]) if self._wanted else 0

    def next_piece(self, limit: int = PIECE) -> str:
        """Return the sequences of due rows, in whole rows, until they reach so many bytes."""
        parts: list[str] = []
        size, pen = 0, self._pens[0]
        for y in self._due_order():
            self._due.discard(y)
            line, pen = self._row_sequences(y, pen)
            parts.append(line)
            # counted in bytes, which is what a slow line counts in
            size += len(line.encode())
            if size >= limit:
                self._next = y + 1
                break
        # control sequences of others may follow: they find the terminal's own pen
        if size and pen != self._pens[0]:
            parts.append("\x1b[m")
        return "".join(parts)

    def _due_order(self) -> list[int]:
        """Return the due rows: the first ones, then from where the last piece was broken off."""
        return sorted(self._due, key=lambda y: (y >= FIRST, y >= FIRST and y < self._next, y))

    def _row_sequences(self, y: int, pen: Pen) -> tuple[str, Pen]:
        """Return what brings a row up to date, and the pen it leaves the terminal with."""
        wanted, shown = self._wanted[y], self._shown[y]
        if wanted == shown:
            return "", pen
        parts: list[str] = []
        at = -1
        for first, end in _changed_runs(wanted, shown):
            parts.append(f"\x1b[{y + 1};{first + 1}H" if at < 0 else f"\x1b[{first + 1}G")
            for character, number in wanted[first:end]:
                if (new := self._pens[number]) != pen:
                    parts.append(_pen_change(pen, new))
                    pen = new
                parts.append(character)
            at = end
        self._shown[y] = wanted[:]
        return "".join(parts), pen


def _visible_text(text: str) -> str:
    """Return a text without zero-width characters; a control character becomes a blank."""
    return "".join(
        plain_text(character) for character in text if get_character_cell_size(character)
    )


def _wide_cells(text: str, number: int) -> Iterator[Cell]:
    """Return a cell for every column: "" behind a wide character, none of no width."""
    for character in text:
        size = get_character_cell_size(character)
        if size:
            yield character, number
        if size == 2:
            yield "", number


def _changed_runs(wanted: Sequence[Cell], shown: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Return the stretches to write, from a column to the one behind it; near ones are one."""
    first = end = -1
    for x, cell in enumerate(wanted):
        if cell == shown[x]:
            continue
        # half of a wide character is written whole
        begin = x - 1 if cell[0] == "" and x else x
        if first < 0:
            first = begin
        elif begin - end > _JUMP or any(
            number != wanted[end - 1][1] for _, number in wanted[end:begin]
        ):
            yield first, end
            first = begin
        end = x + 1
        if end < len(wanted) and wanted[end][0] == "":
            end += 1
    if first >= 0:
        yield first, end


def _pen_change(old: Pen, new: Pen) -> str:
    """Return the sequence that makes one pen of another."""
    # 22 takes bold and dim back alike: all attributes go, and the new ones are set
    if old[0] != new[0] and old[0]:
        return f"\x1b[{';'.join(['0', *filter(None, new)])}m"
    codes = [new[0]] if new[0] != old[0] else []
    if new[1] != old[1]:
        codes.append(new[1] or "39")
    if new[2] != old[2]:
        codes.append(new[2] or "49")
    return f"\x1b[{';'.join(codes)}m"
