"""Numbers on the command line, read strictly: 1_0, ١٢ and 0x10 are not what somebody meant by a quantity or a price."""

import re
from collections.abc import Sequence
from typing import Any, get_args

import cyclopts
from cyclopts import Token

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf)", re.ASCII | re.IGNORECASE)


def strictly(kind: Any, tokens: Sequence[Token]) -> Any:
    """Return what the command line means by a parameter of this type; raise `ValueError` for an odd way to write a number."""
    if {int, float} & {kind, *get_args(kind)}:
        for token in tokens:
            if not NUMBER.fullmatch(token.value):
                raise ValueError(f"expected a number, got {token.value}.")
    return cyclopts.convert(kind, tokens)
