"""The desks of this user: folders and processes, wherever they were started.

An entry is one small file. It stands in the user's runtime folder, which works on a full disk and
goes with the session, and in the user's own state folder, which is still there after a restart of
the machine: a desk that does not run is known as well.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from engine.config.disk_places import own_state_folder
from engine.errors import OperatorError
from engine.system import private_files
from engine.system.processes import UserProcess, this_process

# A path has at most 4,096 bytes, which JSON may write as six each.
LONGEST = 16_384


class DeskEntry(NamedTuple):
    """A desk's state folder, and the process that runs or has run it."""

    folder: Path
    process: UserProcess


def register_desk(folder: Path, environ: Mapping[str, str]) -> None:
    """Register this process as the one that runs a folder's desk.

    An entry stays, and is void when its process ends. Raises `OperatorError` where no register can
    be written: the desk could not be reached for certain.
    """
    process = this_process()
    text = json.dumps(
        {"folder": str(folder.absolute()), "pid": process.pid, "start": process.start}
    )
    # One file per state folder, whatever its path holds: a restart replaces its own entry.
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:32]
    entered, refused = False, ""
    for place in register_folders(environ):
        try:
            private_files.make_private(place, "remove it")
            for file in place.iterdir():
                if (known := _read_entry(file)) is None or not _folder_exists(known.folder):
                    file.unlink(missing_ok=True)
            private_files.replace_private(place / name, text.encode())
            # One place is enough: `registered_desks` reads both.
            entered = True
        except (OperatorError, OSError) as error:
            refused = str(error)
    if not entered:
        raise OperatorError(f"the desk cannot be registered for patang kill: {refused}")


def registered_desks(environ: Mapping[str, str]) -> list[DeskEntry]:
    """Return the desks on record whose folder is there; unreadable entries are left out."""
    found: dict[Path, DeskEntry] = {}
    for place in register_folders(environ):
        with contextlib.suppress(OSError):
            for entry in filter(None, map(_read_entry, sorted(place.iterdir()))):
                known = found.get(entry.folder)
                # The two places may differ after a restart of the machine: the entry of a live
                # process counts.
                if _folder_exists(entry.folder) and (known is None or not known.process.is_alive):
                    found[entry.folder] = entry
    return list(found.values())


def _read_entry(file: Path) -> DeskEntry | None:
    try:
        row = json.loads(private_files.read_private(file, LONGEST))
        return DeskEntry(Path(str(row["folder"])), UserProcess(int(row["pid"]), str(row["start"])))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _folder_exists(folder: Path) -> bool:
    """Return whether a folder is there; one that this user may not look at is not."""
    try:
        return folder.is_dir()
    except OSError:
        return False


def register_folders(environ: Mapping[str, str]) -> list[Path]:
    """Return the folders of the register.

    They are the user's runtime folder, if there is one, and always the state folder.
    """
    place, own = runtime_folder(environ), own_state_folder(environ) / "desks"
    return [own] if place is None else [place / "patang", own]


def runtime_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the user's runtime folder, None where there is none that is his."""
    # A cron job or `sudo` has no such variable, and must find the same desks.
    wanted = [environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}"]
    return next(
        (Path(path) for path in wanted if path.startswith("/") and _is_own_folder(Path(path))), None
    )


def _is_own_folder(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        # Whoever can write there could name a process of his choice for `patang kill` to signal.
        facts = folder.stat()
        return facts.st_uid == os.getuid() and not private_files.others_write(facts)
    return False
