"""A folder of copies that may take so many bytes."""

import contextlib
from pathlib import Path
from typing import Final

LEFT_S: Final = 3_600
"""Age at which the half-written file of a killed process is removed."""
DAY_S: Final = 86_400


def trim_folder(
    folder: Path, ending: str, most: int, *, used: Path | None = None, days: int = 0
) -> None:
    """Remove the oldest files that end in `ending`, down to `most` bytes.

    Half-written ones of killed processes go, too, and with `days` those that have not been touched
    for so long when the newest was; `used` stays.
    """
    files = []
    # half-written ones have something behind the ending
    for path in folder.rglob(f"*{ending}*"):
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            files.append((found.st_mtime, found.st_size, path))
    newest = max((touched for touched, *_ in files), default=0.0)
    total = sum(size for _, size, path in files if path.suffix == ending)
    for touched, size, path in sorted(files):
        whole, age = path.suffix == ending, newest - touched
        old = total > most or (days and age > days * DAY_S) if whole else age > LEFT_S
        # it was made for a reader who has not opened it yet
        if old and path != used:
            path.unlink(missing_ok=True)
            total -= size if whole else 0
