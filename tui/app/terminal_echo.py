"""Distance of a terminal behind us, by its own answers.

Buffers in between may hold back more than it shows in a minute.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from tui.app.screen_painter import PIECE

LEAST: Final = 512
MOST: Final = 16_384
"""Bytes of a piece: what the line has taken in `SHARE_S`, within these."""
SHARE_S: Final = 0.5

FIRST_S: Final = 0.5
"""How long the first answer is waited for, and twice as long each of the next ones."""
FIRST_TRIES: Final = 3
"""After so many that never came the terminal is one that does not answer, until it does."""
PATIENCE_S: Final = 3.0
LONGEST_S: Final = 60.0
"""Bound of the wait for an answer of a terminal that does answer; it grows with each miss."""

_LEFT, _RIGHT = 10, 74
"""Columns that tell one question from another: further left an answer could be a key.

Shift+F3 is one.
"""


class TerminalEcho:
    """Cursor questions (CPR) behind each piece; the next one waits for the answer.

    So no more than one piece is ever on its way, whatever buffers there are (a bare sshd takes
    megabytes), and what matters most is never further away than that. A terminal that never answers
    is not waited for.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked = self._column = 0
        self._size = 0
        self._at = 0.0
        self._misses = 0
        self._answers = False
        self._tried: set[int] = set()
        self._patience = FIRST_S
        self._answered = threading.Event()
        self.limit = LEAST
        """Bytes the next piece may have."""

    @property
    def is_free(self) -> bool:
        """Whether the next piece may go: the last one is answered, or no longer waited for."""
        return not self._asked or self._never_answers or self._clock() - self._at >= self._patience

    @property
    def _never_answers(self) -> bool:
        return not self._answers and self._misses >= FIRST_TRIES

    def cursor_question(self, size: int, width: int) -> str:
        """Return what asks after a piece of so many bytes, on a terminal so many columns wide."""
        if self._asked and self._never_answers and self._clock() - self._at < PATIENCE_S:
            return ""
        if self._asked:
            self._misses += 1
            self.limit = PIECE if self._never_answers else LEAST
            self._patience = min(2 * self._patience, LONGEST_S)
        columns = min(width, _RIGHT) - _LEFT
        if columns < 2:
            return ""
        # another column each time: the answer says which question it is to
        self._column = _LEFT + (self._column - _LEFT + 1) % columns
        self._asked, self._size, self._at = self._column, size, self._clock()
        self._tried.add(self._asked)
        self._answered.clear()
        return f"\x1b[1;{self._asked}H\x1b[6n"

    def take_answer(self, column: int) -> bool:
        """Take an answer, a column counted from 1; return whether it is the awaited one."""
        # a late answer to any question shows that it does answer
        if not self._answers and column in self._tried:
            self._answers, self._patience = True, PATIENCE_S
        if column != self._asked:
            return False
        # the line is as fast as it was with the last piece
        took = max(self._clock() - self._at, 0.001)
        self.limit = min(max(int(self._size * SHARE_S / took), LEAST), MOST)
        self._asked, self._misses, self._patience = 0, 0, PATIENCE_S
        self._answered.set()
        return True

    def await_due_answer(self, seconds: float) -> None:
        """Wait so long for a due answer: the terminal's next user would take it for typing."""
        if self._asked and not self._never_answers:
            self._answered.wait(seconds if self._answers else min(seconds, FIRST_S))
