"""A drawing in cells: glyphs with a tone and a backdrop, and lines of Braille dots between them."""

from collections.abc import Sequence
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.app.widgets.theme import ToneStyles

# A Braille cell is two dots wide and four high; its code point adds the bits of its dots.
_BRAILLE: Final = 0x2800
_DOT_BITS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
DOTS_WIDE: Final = 2
DOTS_HIGH: Final = 4

Glyph = tuple[str, str, str]
"""One character, its tone and its backdrop."""


class CellCanvas:
    """A grid of `width` × `height` cells, (0, 0) at its top left; what lies outside is left out."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._glyphs: list[dict[int, Glyph]] = [{} for _ in range(height)]
        # Kept apart from the glyphs: a line that crosses a wick replaces it, and not the body.
        self._soft: set[tuple[int, int]] = set()
        self._dots: list[dict[int, tuple[int, str]]] = [{} for _ in range(height)]

    def put(
        self,
        column: int,
        row: int,
        glyph: str,
        tone: str,
        backdrop: str = "",
        *,
        soft: bool = False,
    ) -> None:
        """Put a character; a soft one gives way to a line that passes through its cell."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self._glyphs[row][column] = (glyph, tone, backdrop)
            (self._soft.add if soft else self._soft.discard)((column, row))

    def write(self, column: int, row: int, text: str, tone: str, backdrop: str = "") -> int:
        """Write a text from a cell on; return the column behind it."""
        for glyph in text:
            self.put(column, row, glyph, tone, backdrop)
            column += 1
        return column

    def put_where_empty(self, column: int, row: int, glyph: str, tone: str) -> None:
        """Put a soft character into a cell that has none."""
        if 0 <= row < self.height and column not in self._glyphs[row]:
            self.put(column, row, glyph, tone, soft=True)

    def draw_line(
        self, points: Sequence[tuple[int, float] | None], tone: str, rows: range, columns: int
    ) -> None:
        """Draw a line of dots through points (x, y in dots, y downwards); None breaks it.

        Outside `rows` and behind so many columns there is none.
        """
        before: tuple[int, float] | None = None
        held = range(rows.start * DOTS_HIGH, rows.stop * DOTS_HIGH)
        for point in points:
            if point is not None:
                (left, top), (x, y) = before or point, point
                slope = (y - top) / max(x - left, 1)
                # Each column of dots spans the way the line makes within it: a steep part has no
                # gaps.
                for k in range(left + 1 if before else x, min(x + 1, columns * DOTS_WIDE)):
                    start = y if k == left else top + slope * (k - 1 - left)
                    self._put_dots(k, start, top + slope * (k - left), tone, held)
            before = point

    def fill_below(
        self, points: Sequence[tuple[int, float]], top: float, tone: str, rows: range, columns: int
    ) -> None:
        """Fill the dots from `top` down to each point (x, y in dots), within rows and columns."""
        held = range(rows.start * DOTS_HIGH, rows.stop * DOTS_HIGH)
        for x, y in points:
            if x < columns * DOTS_WIDE:
                self._put_dots(x, top - 1, y, tone, held)

    def _put_dots(self, x: int, start: float, end: float, tone: str, held: range) -> None:
        first, last = sorted((round(start), round(end)))
        column, side = divmod(x, DOTS_WIDE)
        # The end of the column before is the beginning of this one, and is drawn already.
        if last > first:
            first, last = (first + 1, last) if end > start else (first, last - 1)
        for y in range(max(first, held.start), min(last + 1, held.stop)):
            row, dot = divmod(y, DOTS_HIGH)
            dots = self._dots[row]
            bits = dots[column][0] if column in dots else 0
            dots[column] = (bits | _DOT_BITS[dot][side], tone)

    def text(self) -> list[str]:
        """Return the drawing without its colours, a line each."""
        return [
            "".join(self._glyph_at(column, row)[0] for column in range(self.width)).rstrip()
            for row in range(self.height)
        ]

    def strips(self, tones: ToneStyles, column: int = -1, row: int = -1) -> list[Strip]:
        """Return the lines of the drawing, with the backdrop of a cursor on a column and a row."""
        return [
            self._row_strip(tones, number, column, lit=number == row)
            for number in range(self.height)
        ]

    def _row_strip(self, tones: ToneStyles, row: int, column: int, *, lit: bool) -> Strip:
        segments: list[Segment] = []
        run: list[str] = []
        style: Style | None = None
        for at in range(self.width):
            glyph, tone, backdrop = self._glyph_at(at, row)
            if (lit or at == column) and not backdrop:
                backdrop = "cursor"
            wanted = tones.style(tone, backdrop)
            # One segment for a run of one style: the terminal is sent far less.
            if wanted is not style and run:
                segments.append(Segment("".join(run), style))
                run = []
            style = wanted
            run.append(glyph)
        if run:
            segments.append(Segment("".join(run), style))
        return Strip(segments, self.width)

    def _glyph_at(self, column: int, row: int) -> Glyph:
        glyph = self._glyphs[row].get(column)
        dots = self._dots[row].get(column)
        if dots is not None and (glyph is None or (column, row) in self._soft):
            return chr(_BRAILLE + dots[0]), dots[1], ""
        return glyph or (" ", "", "")
