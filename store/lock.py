"""One desk per database: a lock file beside it, which names the process that holds it."""

import fcntl
import os
from pathlib import Path
from typing import final

from engine.errors import BusyError, OperatorError


@final
class DatabaseLock:
    """Hold `<database>.lock` exclusively until `release`, or until the process ends in any way.

    Raises `BusyError` naming the holder, or `OperatorError` where no lock file can be made.
    """

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            message = (
                f"cannot open the database {database}: {error.strerror}; name a folder that exists and is writable"
            )
            raise OperatorError(message) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise BusyError(
                f"the database {database} is held by process {holder}; stop it, or name another database"
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next desk in; the file stays, because removing it would race with an opener."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
