"""Foreign text as it must never be obeyed.

Every control character, half a character, markup, and a line of its own.
"""

import re

CONTROLS = "".join(
    map(
        chr,
        (
            *range(32),
            *range(127, 160),
            0x61C,
            0x200E,
            0x200F,
            *range(0x2028, 0x202F),
            *range(0x2066, 0x206A),
        ),
    )
)
BREAKS = ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
FORGED = "FORGED"
"""What begins a line that nobody but a stranger has written."""
ORDERS = (
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x1bc",
    "\x9b2J",
    "\x1b[?1049l",
    "\x1bP1$r\x1b\\",
    "\x1b]8;;http://x\x07",
)
MARKUP = "[bold][@click=app.quit]click[/][/bold] [red"
VALID = "x" + "".join(f"{each}{FORGED}" for each in BREAKS) + CONTROLS + "".join(ORDERS) + MARKUP
"""What a database can hold."""
HOSTILE = VALID + "\ud800\udce9"
"""What a socket or a library can hand over."""
_OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def obeyed(text):
    """Return what a terminal would obey in a text, and the lines that a stranger has forged."""
    return _OBEYED.findall(text) + [
        line for line in text.split("\n") if line.lstrip().startswith(FORGED)
    ]
