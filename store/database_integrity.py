"""Checks that a database is one of ours, whole, and the one that was written before.

Beside a database stands its mark: a line by which a desk has written it, whether that desk still
has it open, and how long the log was after its last commit. A database that is gone, empty or
shorter than it was is recognised by its mark.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import final

from engine.errors import DataError, OperatorError, in_words
from engine.system import private_files
from store.schema import HINTS, connect, known_version, refusal, shipped_migrations

MAGIC = b"SQLite format 3\0"
HEAD = 100
RECOVER = "restore a copy, or save what can be read with sqlite3 and its .recover"
# a mark is one line: more of it was written by somebody else
LONGEST = 64


def mark_of(path: Path) -> Path:
    """Return the mark of a database."""
    return path.with_name(path.name + ".mark")


def log_of(path: Path) -> Path:
    """Return SQLite's write-ahead log of a database."""
    return path.with_name(path.name + "-wal")


@final
class DatabaseMark:
    """Mark of a database that this process has opened.

    `note_log` notes the log's length after each commit, `close` is called at the end.
    """

    def __init__(self, path: Path) -> None:
        self._log = log_of(path)
        self._file = -1
        # a disk that takes no mark takes no rows, which is told
        with contextlib.suppress(OSError):
            # a link put there by others would have us write into another file
            flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(mark_of(path), flags, 0o600)
        self._write_state("open", sync=True)

    def note_log(self) -> None:
        """Take note of how long the log is now; this waits for no disk."""
        self._write_state("open", sync=False)

    def close(self) -> None:
        """Say that the log is folded in."""
        self._write_state("closed", sync=True)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write_state(self, state: str, *, sync: bool) -> None:
        if self._file < 0:
            return
        with contextlib.suppress(OSError):
            # of fixed width: the new line covers the old one whole
            os.pwrite(self._file, f"patang {state:6} {_file_size(self._log):020}\n".encode(), 0)
            if sync:
                os.fsync(self._file)


def evidence_of_loss(path: Path) -> str:
    """Return the evidence that a database that is gone or empty has been written, or nothing."""
    return "" if _file_size(path) else _loss_text(path, "is empty" if path.exists() else "is gone")


def _loss_text(path: Path, state: str) -> str:
    # the log alone is enough: it is there only where something was written
    evidence = next((each for each in (mark_of(path), log_of(path)) if _file_size(each)), None)
    if evidence is None:
        return ""
    return (
        f"database {path} {state}, and a desk has written it: restore a copy, or remove "
        f"{evidence} to begin anew"
    )


def shortened_log(path: Path) -> str:
    """Return a warning for a log that is shorter than its desk left it, empty where it is not."""
    try:
        _, state, size = private_files.read_private(mark_of(path), LONGEST).split()
        there, was = _file_size(log_of(path)), int(size)
    except (OSError, ValueError):
        return ""
    # a desk that closed it has folded the log in
    if state != b"open" or there >= was:
        return ""
    return (
        f"the log {log_of(path)} has {there} of {was} bytes: unless another program has folded it "
        "in, the last rows of the "
        "database are lost; the broker's books are compared"
    )


def check_database(path: Path, *, new: bool = False) -> None:
    """Raise `OperatorError` unless a file is a whole database of ours.

    With `new` a file that no desk has written yet passes, too.
    """
    if gone := evidence_of_loss(path):
        raise DataError(gone)
    if not _file_size(path):
        if new:
            return
        state = (
            f"database {path} has never been written"
            if path.exists()
            else f"there is no database {path}"
        )
        raise DataError(f"{state}; start the desk once, or name another")
    _check_length(path)
    # a desk that cannot write its intents must not begin
    if new and not os.access(path, os.W_OK):
        raise OperatorError(f"database {path}: {HINTS[sqlite3.SQLITE_READONLY]}")
    try:
        with contextlib.closing(connect(path, write=False)) as connection:
            written = known_version(connection, path, shipped_migrations())
    except sqlite3.Error as error:
        raise refusal(path, error) from None
    # a file with a schema and no rows in the place of one with many
    if not written and (gone := _loss_text(path, "holds nothing")):
        raise DataError(gone)
    if not (written or new):
        raise DataError(
            f"database {path} has never been written; start the desk once, or name another"
        )


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open one of our databases to read it.

    Raise `OperatorError` for any other and an unreadable one.
    """
    check_database(path)
    try:
        with contextlib.closing(connect(path, write=False)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise refusal(path, error) from None


def _check_length(path: Path) -> None:
    """Raise `DataError` for a file that is shorter than it says, where no log has the rest."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        state = (
            "is a folder: name a file" if path.is_dir() else f"cannot be read: {in_words(error)}"
        )
        raise OperatorError(f"database {path} {state}") from None
    if head[: len(MAGIC)] != MAGIC[: len(head)] or len(head) < len(MAGIC):
        raise DataError(
            f"database {path} is no SQLite database: name another file, or restore a copy"
        )
    # SQLite's header: page size at 16, where 1 stands for 65,536, and the length in pages at 28
    page = int.from_bytes(head[16:18], "big")
    wanted = int.from_bytes(head[28:32], "big") * (65_536 if page == 1 else page)
    # pages that a commit has added may still be in the log alone
    if len(head) < HEAD or (_file_size(path) < wanted and not _file_size(log_of(path))):
        raise DataError(
            f"database {path} is cut short, {_file_size(path)} of {max(wanted, HEAD)} bytes: "
            f"{RECOVER}"
        )


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
