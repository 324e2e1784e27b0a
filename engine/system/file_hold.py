"""One process per database and per state folder: a lock file that names its holder."""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import final

from engine.errors import BusyError, OperatorError, in_words
from engine.system.processes import UserProcess, this_process

# `holding_process` takes a shared lock for a moment: a first refusal may be no more than such a
# look.
TRIES, PAUSE_S = 3, 0.02


@final
class FileHold:
    """Hold a lock file exclusively until `release`, or until the process ends in any way.

    `what` is held and `mend` is the remedy for a second process. Raises `BusyError` naming the
    holder, or `OperatorError` where no lock file can be made, or written.
    """

    def __init__(self, path: Path, what: str, mend: str) -> None:
        # O_NONBLOCK: a pipe planted under the name must not hang the start; O_NOFOLLOW: no
        # link leads the lock elsewhere.
        try:
            self._file = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            message = (
                f"cannot open {what}: {error.strerror}; name a folder that exists and is writable"
            )
            raise OperatorError(message) from error
        if not self._lock_file():
            other = _named_process(self._file)
            os.close(self._file)
            raise BusyError(
                f"{what} is held by process {other.pid if other else 'unknown'}; {mend}"
            )
        me = this_process()
        try:
            os.ftruncate(self._file, 0)
            # The start time goes with the number: after a reboot another process may have the same
            # one.
            os.pwrite(self._file, f"{me.pid} {me.start}\n".encode(), 0)
        except OSError as error:
            os.close(self._file)
            raise OperatorError(f"cannot hold {what}: {in_words(error)}") from error

    def _lock_file(self) -> bool:
        """Lock the file; a mere look (`holding_process`) is out of the way in a moment."""
        for _ in range(TRIES):
            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(PAUSE_S)
        return False

    def release(self) -> None:
        """Let the next one in; the file stays, because removing it would race with an opener."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1


def holding_process(path: Path) -> UserProcess | None:
    """Return the process that holds a lock file, None if it is free.

    It is never in a holder's way. A file that names a process which has ended without a word is
    recognised by the lock: the kernel lets go of it.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    named = None
    try:
        named = _named_process(file)
        if named:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return named
    finally:
        os.close(file)
    return None


def _named_process(file: int) -> UserProcess | None:
    """Return the process that a lock file names."""
    number, _, start = os.pread(file, 128, 0).decode(errors="replace").strip().partition(" ")
    return UserProcess(int(number), start) if number.isdecimal() and number.isascii() else None
