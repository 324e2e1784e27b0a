"""Every character as ASCII, for a terminal that takes no UTF-8; each keeps its width."""

import unicodedata
from functools import cache
from typing import Final

from rich.cells import get_character_cell_size

_PAIRS: Final = (
    # up and down, marks of state
    "▲^ ▴^ ↑^ ▼v ▾v ↓v →> ▸> ←< ◂< ⇧^ ◆* ●o ○o ◐o ◔o ■# ✓+ ✕x "
    # lines and corners
    "─- ━- ┄- ┈- ╌- ╍= │| ┃| ┊| └` ├| ╲\\ ╵' ╹' ╷, ╻, ╸- ╽| ╿| "
    # heights and widths of bars, from the emptiest to the fullest
    '▁_ ▂_ ▃- ▄- ▅= ▆= ▇# █# ▀" ▉# ▊# ▋# ▌| ▍| ▎| ▏| ░. ▒: ▓% ▚% '
    # signs of prose and figures
    "₹R ·. ×x …~ −- \u2013- \u2014- \u2018' \u2019' “\" ”\" ≤< ≥> ±~ √/ ΔD ΣS ΦF γg λl σs µu ⁻-"
)
_ASCII: Final = {pair[0]: pair[1] for pair in _PAIRS.split(" ")}
"""What stands for a character; braille, accents and digits are derived, the rest is "?"."""


def ascii_text(text: str) -> str:
    """Return a text in ASCII, as many columns wide."""
    return text if text.isascii() else "".join(map(_ascii_cells, text))


@cache
def _ascii_cells(character: str) -> str:
    width = get_character_cell_size(character)
    found = _ASCII.get(character) or unicodedata.normalize("NFKD", character)[0]
    # dots of a curve: whether there is one at all is what can be told
    if "\u2800" <= character <= "\u28ff":
        found = " " if character == "\u2800" else ":"
    return (found if found.isascii() and found.isprintable() else "?") * width
