"""Progress on stderr while work takes its time, and ctrl-c that ends it in order."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TOLD_S = 0.2
"""Between two updates on a terminal; ten times as long elsewhere."""


class StatusLine:
    """One line about what goes on: on a terminal over itself, elsewhere one below the other."""

    def __init__(self, every_s: float, elsewhere_s: float) -> None:
        # in a file nothing can be written over
        self._over = sys.stderr.isatty()
        self._every = every_s if self._over else elsewhere_s
        self._began = self._told = time.monotonic()
        self._open = False

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since it began."""
        # it is divided by
        return max(time.monotonic() - self._began, 1e-9)

    @property
    def is_due(self) -> bool:
        """Return whether it is time to report again."""
        return time.monotonic() - self._told >= self._every

    def write_status(self, text: str) -> None:
        """Say how far it is."""
        self._told, self._open = time.monotonic(), self._over
        sys.stderr.write(f"\r{text}\x1b[K" if self._over else f"{text}\n")
        sys.stderr.flush()

    def close(self, *, keep: bool = False) -> None:
        """Take the line away, or end it."""
        if self._open:
            sys.stderr.write("\n" if keep else "\r\x1b[K")
            sys.stderr.flush()
            self._open = False


class ProgressLine(StatusLine):
    """Says how far a run over bars, or others, is: percent, bars a second, time left."""

    def __init__(self, total: int, what: str = "bars") -> None:
        super().__init__(TOLD_S, 10 * TOLD_S)
        self.total = max(total, 1)
        self._what = what

    def show_progress(self, done: int) -> bool:
        """Report, where it is time again; return True."""
        if self.is_due:
            took = self.elapsed_s
            left = took / done * (self.total - done)
            pace = f"{done / took:,.0f} {self._what} a second"
            self.write_status(f"{100 * done // self.total} %, {pace}, {left:.0f} s left")
        return True


class InterruptFlag:
    """Flag of a ctrl-c that has come."""

    def __init__(self) -> None:
        self.has_come = False


@contextmanager
def interruptible() -> Iterator[InterruptFlag]:
    """Note the first ctrl-c in a flag; a second one does what it does elsewhere."""
    found = InterruptFlag()

    def note(_number: int, _frame: FrameType | None) -> None:
        # an orderly end may take its time; a second ctrl-c breaks off
        found.has_come = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)


def narrate(text: str) -> None:
    """Print a line for the operator who waits."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
