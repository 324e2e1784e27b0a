"""Places of this user's desks, running or not, without a configuration and with one."""

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from engine.config import config_files, disk_places
from engine.config.desk_modes import MODES
from engine.config.disk_places import desk_paths, own_state_folder
from engine.config.schema import DeskConfig
from engine.errors import PatangError
from engine.ops import desk_register
from engine.system.file_hold import holding_process
from engine.system.processes import UserProcess
from tui.run.run_records import state_folder
from tui.run.session import lock_of

# by eye, as it were: the file that holds it may be no TOML any more
STATE_DIR = re.compile(r"""^\s*state_dir\s*=\s*(["'])(.*?)\1""", re.MULTILINE)
MOST = 1_000_000


class DeskPlace(NamedTuple):
    """The state folder of a desk, and the process that runs it, None where none does."""

    folder: Path
    process: UserProcess | None

    @property
    def mode(self) -> str:
        """Return the mode of the desk."""
        return self.folder.name


class DeskSetup(NamedTuple):
    """Places of desks in the configuration, and the desk that a start would start."""

    root: Path
    mode: str
    config: DeskConfig | None
    """None where it has a mistake, which has been reported."""


def known_desks() -> list[DeskPlace]:
    """Return every desk on record and every one of the user's own state folder.

    Reads no configuration.
    """
    entries = {entry.folder: entry.process for entry in desk_register.registered_desks(os.environ)}
    return _desk_places([*entries, *mode_folders(own_state_folder(os.environ))], entries)


def further_desks(scene: DeskSetup, before: list[DeskPlace]) -> list[DeskPlace]:
    """Return the desks that only the configuration names, the one to be started among them."""
    there = [os.path.realpath(place.folder) for place in before]
    found = _desk_places([*mode_folders(scene.root), scene.root / scene.mode], {})
    return [place for place in found if os.path.realpath(place.folder) not in there]


def all_desks(file: Path | None) -> list[DeskPlace]:
    """Return every desk of this user, those of the configuration that applies here included."""
    known = known_desks()
    return known + further_desks(desk_setup(file), known)


def mode_folders(root: Path) -> list[Path]:
    """Return the state folders that exist below a root, one per mode that has ever run."""
    return [root / mode for mode in sorted(MODES) if (root / mode).is_dir()]


def desk_setup(file: Path | None) -> DeskSetup:
    """Read the configuration that applies here; report a mistake in one line, and go on."""
    found = file
    try:
        found = disk_places.find_config(file, Path.cwd(), os.environ)
        config = config_files.load_config(found).values
        return DeskSetup(desk_paths(config, os.environ).state, config.desk.mode, config)
    # whatever is wrong with a configuration, it keeps no desk from being stopped
    except (PatangError, OSError, ValueError, RecursionError) as error:
        told = error.strerror or "" if isinstance(error, OSError) else str(error)
        sys.stderr.write(
            f"patang: {told.splitlines()[0] if told else 'the configuration cannot be read'}\n"
        )
    default = DeskConfig()
    root = _state_dir_in(found) if found is not None else ""
    return DeskSetup(
        Path(root).expanduser() if root else own_state_folder(os.environ), default.desk.mode, None
    )


def _state_dir_in(file: Path) -> str:
    """Return the state folder that a configuration names, whatever else is wrong with it."""
    try:
        with file.open("rb") as text:
            # bounded: the path may be a device, or a file of gigabytes
            found = STATE_DIR.search(text.read(MOST).decode(errors="replace"))
    except OSError:
        return ""
    return found[2] if found else ""


def _desk_places(found: list[Path], entries: dict[Path, UserProcess]) -> list[DeskPlace]:
    """Return each folder once, with its running desk: the holder of its lock, or one on record."""
    there: dict[str, DeskPlace] = {}
    for folder in found:
        # the lock is the truth; a record may have outlived its desk
        process = holding_process(lock_of(folder)) or entries.get(folder)
        there.setdefault(
            # one folder by two names is one desk
            os.path.realpath(folder),
            DeskPlace(folder, process if process and process.is_alive else None),
        )
    return sorted(there.values(), key=lambda place: place.folder)


def database_of(place: DeskPlace, config: DeskConfig | None) -> Path:
    """Return the database of a desk, as far as it is known here where that is."""
    if (
        config is not None
        and config.store.database
        and state_folder(config, place.mode) == place.folder
    ):
        return desk_paths(config, os.environ).database
    return place.folder / "desk.db"
