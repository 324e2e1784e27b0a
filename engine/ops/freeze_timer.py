"""The end of a process whose interpreter is held by native code that never returns.

No thread of Python's runs then, not even the watchdog, and no signal is handled. A timer of the
kernel needs no interpreter: it counts the processor time since the watchdog last wound it, has
every thread's place written down, and ends the process. A desk that finds such a record opens
latched.
"""

import contextlib
import faulthandler
import signal
from pathlib import Path
from typing import Final

NAME: Final = "frozen"
# Well beyond the watchdog's ten seconds: this is for what the watchdog's exception cannot reach.
CPU_S: Final = 30.0
"""Seconds of processor time without a turn of the watchdog.

Sleep, SIGSTOP and a suspended machine count for nothing.
"""


def read_freeze_record(folder: Path) -> str:
    """Return the record a process ended so has left in its state folder.

    Raise `OSError` where it cannot be read.
    """
    with contextlib.suppress(FileNotFoundError):
        return (folder / NAME).read_text(encoding="utf-8", errors="replace")
    return ""


class FreezeTimer:
    """Ends the process where the timer runs out; the record lies in a state folder.

    Raises `OSError`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file = self._path.open("wb", buffering=0)
        # chain=True: after the record the signal's own action follows, which ends the process.
        faulthandler.register(signal.SIGPROF, self._file, chain=True)

    def wind(self) -> None:
        """Give the process its time anew."""
        # ITIMER_PROF counts the processor time of all threads, so that a suspended laptop does not
        # end its desk.
        signal.setitimer(signal.ITIMER_PROF, CPU_S)

    def close(self) -> None:
        """Stop the timer and leave no record."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        faulthandler.unregister(signal.SIGPROF)
        self._file.close()
        self._path.unlink(missing_ok=True)
