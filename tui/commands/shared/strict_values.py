"""Values on the command line, read strictly: +1, 1_0, ١٢ and 0x10 are no quantity.

Texts are made valid, and bounded.
"""

from collections.abc import Sequence
from typing import Any, get_args

import cyclopts
from cyclopts import Token

from engine.texts import valid_text
from tui.commands.shared.typed_values import NUMBER, WHOLE

LONGEST = {"--reason": 500, "--symbols": 1_000_000}
"""Characters of a text, by its option; `LONGEST_TEXT` of any other."""
LONGEST_TEXT = 4_000


def convert_strictly(kind: Any, tokens: Sequence[Token]) -> Any:
    """Return the value of a parameter of this type; raise `ValueError` for an odd number."""
    # an optional number is a union of one
    if {int, float} & {kind, *get_args(kind)}:
        whole = float not in {kind, *get_args(kind)}
        for token in tokens:
            if not (WHOLE if whole else NUMBER).fullmatch(token.value):
                raise ValueError(
                    f"expected a {'whole ' if whole else ''}number, got {token.value[:60]}."
                )
    if str in {kind, *get_args(kind)}:
        for token in tokens:
            if len(token.value) > (most := LONGEST.get(token.keyword or "", LONGEST_TEXT)):
                raise ValueError(
                    f"{len(token.value):,} characters are too many, {most:,} are enough."
                )
        # bytes that are no UTF-8 come in as half characters, which no file and no database takes
        tokens = [token.evolve(value=valid_text(token.value)) for token in tokens]
    return cyclopts.convert(kind, tokens)


def convert_any_length(kind: Any, tokens: Sequence[Token]) -> Any:
    """Return a text, however long, for commands that must work whatever they are given."""
    return cyclopts.convert(kind, [token.evolve(value=valid_text(token.value)) for token in tokens])
