"""Where the desks of this user stand, running or not, without a configuration and with one."""

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from engine import config as settings
from engine.config import Config, own_state, paths
from engine.errors import PatangError
from engine.modes import MODES
from engine.ops import register
from engine.ops.hold import holder
from engine.ops.process import Process
from tui.runs import state_folder
from tui.station import lock_of

STATE_DIR = re.compile(r"""^\s*state_dir\s*=\s*(["'])(.*?)\1""", re.MULTILINE)
MOST = 1_000_000


class Place(NamedTuple):
    """The state folder of a desk, and the process that runs it, None where none does."""

    folder: Path
    process: Process | None

    @property
    def mode(self) -> str:
        """Return the mode of the desk."""
        return self.folder.name


class Scene(NamedTuple):
    """What the configuration says that applies here: where desks stand, and which one a start would start."""

    root: Path
    mode: str
    config: Config | None
    """None where there is a mistake in it, which has been told."""


def known() -> list[Place]:
    """Return every desk on record and every one of the user's own state folder; reads no configuration."""
    entries = {entry.folder: entry.process for entry in register.entries(os.environ)}
    return _places([*entries, *folders(own_state(os.environ))], entries)


def further(scene: Scene, before: list[Place]) -> list[Place]:
    """Return the desks that only the configuration names, the one that it would start among them."""
    there = [os.path.realpath(place.folder) for place in before]
    found = _places([*folders(scene.root), scene.root / scene.mode], {})
    return [place for place in found if os.path.realpath(place.folder) not in there]


def folders(root: Path) -> list[Path]:
    """Return the state folders that exist below a root, one per mode that has ever run."""
    return [root / mode for mode in sorted(MODES) if (root / mode).is_dir()]


def scene(file: Path | None) -> Scene:
    """Read the configuration that applies here; a mistake in it is told in one line, and in nobody's way."""
    found = file
    try:
        found = settings.find(file, Path.cwd(), os.environ)
        config = settings.load(found).values
        return Scene(paths(config, os.environ).state, config.desk.mode, config)
    except (PatangError, OSError, ValueError, RecursionError) as error:
        told = error.strerror or "" if isinstance(error, OSError) else str(error)
        sys.stderr.write(f"patang: {told.splitlines()[0] if told else 'the configuration cannot be read'}\n")
    default = Config()
    root = _named_in(found) if found is not None else ""
    return Scene(Path(root).expanduser() if root else own_state(os.environ), default.desk.mode, None)


def _named_in(file: Path) -> str:
    """Return the state folder that a configuration names, whatever else is wrong with it."""
    try:
        with file.open("rb") as text:
            found = STATE_DIR.search(text.read(MOST).decode(errors="replace"))
    except OSError:
        return ""
    return found[2] if found else ""


def _places(found: list[Path], entries: dict[Path, Process]) -> list[Place]:
    """Return each folder once, with who runs its desk: who holds its lock, or who is on record for it and still alive."""
    there: dict[str, Place] = {}
    for folder in found:
        process = holder(lock_of(folder)) or entries.get(folder)
        there.setdefault(os.path.realpath(folder), Place(folder, process if process and process.alive else None))
    return sorted(there.values(), key=lambda place: place.folder)


def database_of(place: Place, config: Config | None) -> Path:
    """Return the database of a desk, as far as it is known here where that is."""
    if config is not None and config.store.database and state_folder(config, place.mode) == place.folder:
        return paths(config, os.environ).database
    return place.folder / "desk.db"
