"""Folders and files that other users of the machine can neither read nor change."""

import contextlib
import grp
import os
import pwd
import shlex
import stat
from pathlib import Path

from engine.errors import OperatorError, in_words
from engine.system.whole_files import replacing, sync

OTHERS = 0o077
"""What others may not do with anything of ours."""
TRUSTED = 0
"""The administrator, who can do anything anyway."""
ELSEWHERE = "name another folder in desk.state_dir"


def make_private(folder: Path, mend: str = ELSEWHERE) -> None:
    """Make a folder this user's alone, and close its files that were open to readers.

    Raises `OperatorError`, in one line with its remedy, where others own it or something in it, or
    could put something there.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
        if facts.st_uid != os.geteuid():
            raise OperatorError(f"{folder} belongs to another user ({facts.st_uid}); {mend}")
        _refuse_writers(folder, facts)
        # Whoever can write in a folder above can put another folder in the place of ours.
        for above in sorted({*folder.absolute().parents, *folder.resolve().parents}):
            check_writers(above)
        loose = facts.st_mode & OTHERS
        for path in folder.rglob("*") if loose else folder.iterdir():
            tighten_mode(path)
        if loose:
            folder.chmod(0o700)
    except OSError as error:
        raise OperatorError(f"cannot write in {folder}: {in_words(error)}") from None


def check_writers(folder: Path) -> None:
    """Raise `OperatorError`, with the command that mends it, where others could swap a file."""
    facts = folder.stat()
    # In a sticky folder (/tmp) only the owner of a file can rename or remove it.
    if others_write(facts) and not facts.st_mode & stat.S_ISVTX:
        raise OperatorError(f"others can write in {folder}: chmod go-w {shlex.quote(str(folder))}")


def tighten_mode(path: Path) -> None:
    """Take a file or folder of ours away from readers.

    Raise `OperatorError` for what others own, or could write in.
    """
    # Another process of ours may remove its file (a socket, a journal's log) between list and look.
    with contextlib.suppress(FileNotFoundError):
        facts = path.lstat()
        if facts.st_uid not in {os.geteuid(), TRUSTED}:
            raise OperatorError(f"{path} belongs to another user ({facts.st_uid}): remove it")
        if stat.S_ISDIR(facts.st_mode):
            _refuse_writers(path, facts)
        kind = stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)
        if kind and facts.st_uid == os.geteuid() and facts.st_mode & OTHERS:
            path.chmod(stat.S_IMODE(facts.st_mode) & ~OTHERS)


def _refuse_writers(folder: Path, facts: os.stat_result) -> None:
    if others_write(facts):
        raise OperatorError(
            f"others can write in {folder}: chmod -R go= {shlex.quote(str(folder))}"
        )


def others_rule(facts: os.stat_result) -> bool:
    """Return whether another user than the administrator owns it, or can write."""
    return facts.st_uid not in {os.geteuid(), TRUSTED} or others_write(facts)


def others_write(facts: os.stat_result) -> bool:
    """Return whether another user can write.

    A group with this user as its only member does not count.
    """
    if facts.st_mode & stat.S_IWOTH:
        return True
    return bool(facts.st_mode & stat.S_IWGRP) and not _is_own_group(facts.st_gid)


def _is_own_group(group: int) -> bool:
    """Return whether a group is this user's own: of the same name, without other members."""
    try:
        user, named = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return (
        named.gr_name == user.pw_name
        and user.pw_gid == group
        and not {*named.gr_mem} - {user.pw_name}
    )


def read_private(path: Path, most: int) -> bytes:
    """Return the first `most` bytes of a regular file of ours, without blocking.

    Raise `OSError` for all else.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(0, "no regular file")
        if facts.st_uid not in {os.geteuid(), TRUSTED}:
            raise OSError(0, f"belongs to another user ({facts.st_uid})")
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def replace_private(path: Path, content: bytes) -> None:
    """Put a file of ours in the place of `path`, whole and on disk; raise `OSError`."""
    with replacing(path) as fresh:
        fresh.write_bytes(content)


def append_private(path: Path, line: bytes) -> None:
    """Put a line at the end of a file of ours, on disk.

    Raise `OSError`, and leave no part of the line behind.
    """
    # A new name in the folder has to reach the disk as well as the line: `sync` below.
    new, content = not path.exists(), line + b"\n"
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        length = os.fstat(descriptor).st_size
        if length and os.pread(descriptor, 1, length - 1) != b"\n":  # what a full disk has cut off
            content = b"\n" + content
        try:
            while content:
                content = content[os.write(descriptor, content) :]
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, length)
            raise
    finally:
        os.close(descriptor)
    if new:
        sync(path.parent)
