"""Words of a command on a machine with too little memory for it."""

import resource
from collections.abc import Sequence
from typing import Final

from engine.errors import OperatorError

MB: Final = 1_000_000
LEAST: Final = 1_500 * MB
"""Bytes of address space that a desk and its libraries need.

With less, some of these die without a word.
"""
SPARING: Final = frozenset(
    {
        "kill",
        "stop",
        "status",
        "resume",
        "limits",
        "order",
        "modify",
        "cancel",
        "exit",
        "protect",
        "reconcile",
        "config",
        "completion",
        "version",
        "--version",
        "--help",
        "-h",
    }
)
"""Commands that need none of those libraries, above all those that stop a desk."""
WANTED: Final = "there is not enough memory for it, or no thread: see ulimit -v and -u"
# of the loader, of the system and of Python: none of them raises MemoryError
WORDS: Final = ("cannot allocate memory", "map segment", "can't start new thread")


def check_memory(arguments: Sequence[str]) -> None:
    """Raise `OperatorError` where a command has too small an address space."""
    # `patang` alone runs the desk
    command = arguments[0] if arguments else "run"
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if command not in SPARING and allowed != resource.RLIM_INFINITY and allowed < LEAST:
        raise OperatorError(
            f"ulimit -v leaves {allowed // MB} MB of address space, {LEAST // MB} are needed: "
            "raise it"
        )


def is_memory_error(error: BaseException | None) -> bool:
    """Return whether something failed for want of memory, or of a thread, however it appears."""
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error).lower() for words in WORDS):
            return True
        # libraries wrap it in errors of their own
        error = error.__cause__ or error.__context__
    return False
