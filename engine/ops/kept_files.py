"""Files that a desk writes and that somebody may remove under its hands."""

from collections.abc import Iterable
from pathlib import Path
from typing import final


@final
class KeptFiles:
    """Names that have to lead to the files they led to when they were first looked at.

    An open file outlives its name: what is written goes on to succeed, and is lost with the
    process.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._known: dict[Path, tuple[int, int]] = {}
        """Path → device and inode."""

    def lost_names(self) -> list[str]:
        """Return the names that are gone, or lead to another file."""
        lost = []
        for path in self._paths:
            found = _file_identity(path)
            # A database has no log before its first change.
            if found is not None:
                self._known.setdefault(path, found)
            if self._known.get(path) != found:
                lost.append(path.name)
        return lost


def _file_identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
