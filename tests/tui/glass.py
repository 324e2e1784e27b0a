"""A terminal of a few lines: it obeys what the painter sends, and refuses anything else."""

import re

from rich.cells import get_character_cell_size

_SEQUENCE = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])|(.)", re.DOTALL)


class Glass:
    """`cells[y][x]` holds character and pen.

    Attributes, ink and ground as SGR parameters, None before it is written.
    """

    def __init__(self, width, height):
        self.cells = [[None] * width for _ in range(height)]
        self.width = width
        self.x = self.y = 0
        self.pen = ("", "", "")

    def feed(self, text):
        for private, numbers, act, character in _SEQUENCE.findall(text):
            if character:
                self._put(character)
            elif private:
                assert numbers == "2026"
            elif act == "H":
                self.y, self.x = (int(n) - 1 for n in numbers.split(";"))
            elif act == "G":
                self.x = int(numbers) - 1
            else:
                assert act == "m", act
                self._style(numbers.split(";"))

    def _put(self, character):
        assert character >= " ", repr(character)
        size = get_character_cell_size(character)
        assert size, repr(character)
        self.cells[self.y][self.x] = (character, self.pen)
        if size == 2:
            self.cells[self.y][self.x + 1] = ("", self.pen)
        self.x += size

    def _style(self, codes):
        attributes, ink, ground = self.pen
        while codes:
            code = codes.pop(0)
            if code in {"", "0"}:
                attributes = ink = ground = ""
            elif code in {"38", "48"}:
                rest = [code, *(codes.pop(0) for _ in range(4 if codes[0] == "2" else 2))]
                ink, ground = (";".join(rest), ground) if code == "38" else (ink, ";".join(rest))
            elif code in {"39", "49"}:
                ink, ground = ("", ground) if code == "39" else (ink, "")
            else:
                attributes = f"{attributes};{code}".strip(";")
        self.pen = (attributes, ink, ground)

    def lines(self):
        return ["".join(cell[0] if cell else " " for cell in row) for row in self.cells]
