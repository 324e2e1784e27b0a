"""Replaces a file whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.errors import OperatorError, in_words


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield an empty file beside `path`, which takes its place when the block ends well.

    It is on disk then (unless it need not be `durable`), this user's alone, and its name cannot be
    foreseen. Raises `OSError`; the file at `path` then still stands, and nothing is left beside it.
    """
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    _refuse_device(path)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    os.close(
        # O_EXCL and a random name: a link put there beforehand would send our text into another
        # file.
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    )
    try:
        yield fresh
        if durable:
            sync(fresh)
        fresh.replace(path)
    except BaseException:
        # Also on ctrl-c: whatever ends the block, the file at `path` stands and no half of another
        # lies beside it.
        fresh.unlink(missing_ok=True)
        raise
    # The new name is on disk only when the folder is.
    if durable:
        sync(path.parent)


def _refuse_device(path: Path) -> None:
    """Raise `OSError` for a device, and for a link to one or to a pipe, as /dev/stdout is."""
    try:
        own, kind = path.lstat().st_mode, path.stat().st_mode
    except OSError:
        return
    # Of root, a text for /dev/null would from then on be the /dev/null of everybody.
    if stat.S_ISCHR(kind) or stat.S_ISBLK(kind) or (stat.S_ISLNK(own) and stat.S_ISFIFO(kind)):
        raise OSError(errno.EINVAL, "it is a device or a pipe, and no file")


def write_whole(out: Path, write: Callable[[Path], object], *, durable: bool = True) -> None:
    """Let `write` fill a file that then takes the place of `out`, whole or not at all.

    Raise `OperatorError`.
    """
    try:
        with replacing(out, durable=durable) as fresh:
            write(fresh)
    except OSError as error:
        raise OperatorError(f"cannot write {out}: {in_words(error)}") from error


def sync(path: Path) -> None:
    """Return when the file, or the folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
