"""Text from outside: made valid where it comes in, harmless where it is shown."""

import re
from collections.abc import Sequence
from typing import Final

MARK: Final = "\ufffd"
"""What stands for half a character."""

_HALF: Final = re.compile("[\ud800-\udfff]")
_OBEYED: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""What a terminal obeys, breaks a line at, shows in another order, or does not show at all.

Joiners of Indian scripts stay.
"""
_FORMULA: Final = re.compile(
    "[\t\r\n]|[\x00-\x20\x7f-\xa0\u200b-\u200f\ufeff]*[-=+@\uff1d\uff0b\uff0d\uff20]"
)
"""How a text begins that a spreadsheet would work out."""
LONGEST_SYMBOL: Final = 72
"""Bytes in UTF-8: percent-encoded, as folders are named, three times as many fit a name."""


def valid_text(text: str) -> str:
    """Return a text that any file, database or socket can hold; halves of characters are marked.

    Halves come from a shell, for a byte that is no UTF-8, and from JSON, which can write them.
    """
    # Nearly every text is plain: the look at its bytes is a flag in the string.
    return text if text.isascii() else _HALF.sub(MARK, text)


def plain_text(text: str) -> str:
    """Return a text as one line that changes nothing but its own place on a terminal.

    Control characters become blanks.
    """
    return text if text.isprintable() else _OBEYED.sub(" ", valid_text(text))


def csv_cell(text: str) -> str:
    """Return a text as a cell of a CSV file.

    It stands behind an apostrophe where a spreadsheet would take it for a formula.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_csv_cell(text: str) -> str:
    """Return the text of a cell without the apostrophe that `csv_cell` has put before it."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text


def is_symbol(text: str) -> bool:
    """Return whether a text can be a symbol: one short line from a letter or a digit on."""
    return text[:1].isalnum() and text.isprintable() and len(text.encode()) <= LONGEST_SYMBOL


def checked_symbol(text: str) -> str:
    """Return a symbol; raise `ValueError` for a text that is none."""
    if is_symbol(text):
        return text
    raise ValueError(f"{text[:LONGEST_SYMBOL]!r} is no symbol")


def first_names(names: Sequence[str], most: int = 5) -> str:
    """Name the first of several with commas between, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
