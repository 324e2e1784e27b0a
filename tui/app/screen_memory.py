"""Memory of the screen: what it keeps from one run to the next, in one small file of the user."""

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.config.disk_places import own_state_folder
from engine.errors import PatangError
from engine.system.whole_files import write_whole


class ScreenMemory:
    """Values by name; what a screen asks for is checked by who asks, for a file may say anything.

    Without a file nothing outlives the run. `note` says what was wrong with the file, "" nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._values: dict[str, Any] = {}
        self._changed = False
        self._lock = threading.Lock()
        self.note = ""
        if file is not None:
            self._read_file(file)

    def _read_file(self, file: Path) -> None:
        try:
            self._values = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            return
        except OSError as error:
            self.note = (
                f"{file.name} cannot be read ({error.strerror}): the screen begins as if new"
            )
        except msgspec.DecodeError:
            # kept for whoever edited it by hand, and out of the way of the next write
            aside = file.with_suffix(".unreadable")
            with contextlib.suppress(OSError):
                file.replace(aside)
            self.note = (
                f"{file.name} is no JSON: set aside as {aside.name}, the screen begins as if new"
            )

    @property
    def is_changed(self) -> bool:
        """Whether the file lacks something."""
        return self._changed and self._file is not None

    def recall(self, name: str, default: Any) -> Any:
        """Return what is remembered under a name, if it is of the type of `default`."""
        # exactly that type: to Python a truth is a number, and 1 is no maximised pane
        value = self._values.get(name)
        return value if type(value) is type(default) else default

    def remember(self, name: str, value: Any) -> None:
        """Remember a value that JSON can say; `write` keeps it."""
        if self._values.get(name) != value:
            with self._lock:
                self._values[name] = value
                self._changed = True

    def write(self) -> None:
        """Write the file, whole, if there is something new; from any thread.

        Raises `PatangError` where the disk does not take it; the next change tries again.
        """
        with self._lock:
            if self._file is None or not self._changed:
                return
            self._changed = False
            text = msgspec.json.format(msgspec.json.encode(self._values), indent=1)
            # lost with the machine's power it costs a key press: no need to wait for the disk
            with contextlib.suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, lambda fresh: fresh.write_bytes(text + b"\n"), durable=False)


def own_memory(environ: Mapping[str, str]) -> ScreenMemory:
    """Return the memory of whoever runs this, the same for every desk of his."""
    return ScreenMemory(own_state_folder(environ) / "screen.json")


def keep_quietly(memory: ScreenMemory) -> str:
    """Write a memory; return what was wrong, "" nothing."""
    try:
        memory.write()
    except PatangError as error:
        return str(error)
    return ""
