"""The desks of this user: which folders they keep, and which processes run them, wherever they were started.

An entry is one small file. It stands in the user's runtime folder, which works on a full disk and goes with the session, and
in the user's own state folder, which is still there after a restart of the machine: a desk that does not run is known as well.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from engine.config import own_state
from engine.errors import OperatorError
from engine.ops import private
from engine.ops.process import Process, this

LONGEST = 16_384


class Entry(NamedTuple):
    """A desk's state folder, and the process that runs or has run it."""

    folder: Path
    process: Process


def enter(folder: Path, environ: Mapping[str, str]) -> None:
    """Register this process as the one that runs a folder's desk; an entry stays, and is nobody's when its process ends.

    Raises `OperatorError` where no register can be written: nobody could be sure to reach the desk.
    """
    process = this()
    text = json.dumps({"folder": str(folder.absolute()), "pid": process.pid, "start": process.start})
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:32]
    entered, refused = False, ""
    for place in registers(environ):
        try:
            private.settle(place, "remove it")
            for file in place.iterdir():
                if (known := _read(file)) is None or not _there(known.folder):
                    file.unlink(missing_ok=True)
            private.replace(place / name, text.encode())
            entered = True
        except (OperatorError, OSError) as error:
            refused = str(error)
    if not entered:
        raise OperatorError(f"the desk cannot be registered for patang kill: {refused}")


def entries(environ: Mapping[str, str]) -> list[Entry]:
    """Return the desks on record whose folder is there; what cannot be read is left out."""
    found: dict[Path, Entry] = {}
    for place in registers(environ):
        with contextlib.suppress(OSError):
            for entry in filter(None, map(_read, sorted(place.iterdir()))):
                known = found.get(entry.folder)
                if _there(entry.folder) and (known is None or not known.process.alive):
                    found[entry.folder] = entry
    return list(found.values())


def _read(file: Path) -> Entry | None:
    try:
        row = json.loads(private.read(file, LONGEST))
        return Entry(Path(str(row["folder"])), Process(int(row["pid"]), str(row["start"])))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _there(folder: Path) -> bool:
    """Tell whether a folder is there; one that this user may not look at is not."""
    try:
        return folder.is_dir()
    except OSError:
        return False


def registers(environ: Mapping[str, str]) -> list[Path]:
    """Return where desks are registered: the user's runtime folder where he has one, and always his state folder."""
    place, own = runtime(environ), own_state(environ) / "desks"
    return [own] if place is None else [place / "patang", own]


def runtime(environ: Mapping[str, str]) -> Path | None:
    """Return the user's runtime folder, None where there is none that is his."""
    wanted = [environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}"]
    return next((Path(path) for path in wanted if path.startswith("/") and _is_ours(Path(path))), None)


def _is_ours(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        facts = folder.stat()
        return facts.st_uid == os.getuid() and not private.others_write(facts)
    return False
