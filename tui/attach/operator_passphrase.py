"""The passphrase by which a screen becomes an operator's.

It is kept as the vault keeps secrets: a file that opens under no other words. Who has it is told
by opening it, which takes a tenth of a second and gives nothing away by its time.
"""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from brokers.session.vault import LEAST, FileVault
from engine.errors import OperatorError

FILE: Final = "operator"
_NAME, _VALUE = "role", "operator"
TRIES, WITHIN_S = 5, 600.0
"""Wrong words that a desk takes, and within how many seconds."""


def passphrase_file(state: Path) -> Path:
    """Return the file of a desk's state folder: one for all desks of its root."""
    return state.parent / FILE


def choose_passphrase(file: Path, words: str) -> None:
    """Keep a new passphrase; raise `OperatorError` for one that is too short."""
    if len(words) < LEAST:
        raise OperatorError(
            f"a passphrase of at least {LEAST} characters is needed; nothing was kept"
        )
    FileVault(file, lambda _: words).put(_NAME, _VALUE)


def opens_with(file: Path, words: str) -> bool:
    """Return whether these are the words; nothing opens a file that is not there."""
    try:
        return FileVault(file, lambda _: words).get(_NAME) == _VALUE
    except OperatorError:
        return False


class PassphraseCheck:
    """The check of a desk, which takes only so many wrong words: `clock` gives seconds."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._wrong: deque[float] = deque(maxlen=TRIES)

    def why_not(self, words: str) -> str:
        """Return why these words do not do, empty where they do."""
        now = self._clock()
        if len(self._wrong) == TRIES and now - self._wrong[0] < WITHIN_S:
            return (
                f"{TRIES} wrong passphrases within {WITHIN_S / 60:.0f} minutes: no operator is let "
                f"in for {WITHIN_S - now + self._wrong[0]:.0f} s"
            )
        # Counted before it is known: words that are tried side by side count, too.
        self._wrong.append(now)
        if opens_with(self._file, words):
            self._wrong.clear()
            return ""
        return "the passphrase is wrong"
