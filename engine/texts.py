"""Text from outside: made valid where it comes in, harmless where it is shown."""

import re
from typing import Final

MARK: Final = "\ufffd"
"""What stands for half a character."""

_HALF: Final = re.compile("[\ud800-\udfff]")
_OBEYED: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""What a terminal obeys, breaks a line at, shows in another order, or does not show at all; joiners of Indian scripts stay."""


def valid(text: str) -> str:
    """Return a text that any file, database or socket can hold: each half of a character becomes a mark.

    Halves come from a shell, for a byte that is no UTF-8, and from JSON, which can write them.
    """
    return text if text.isascii() else _HALF.sub(MARK, text)


def plain(text: str) -> str:
    """Return a text as one line that changes nothing but its own place on a terminal: a blank for each control character."""
    return text if text.isprintable() else _OBEYED.sub(" ", valid(text))
