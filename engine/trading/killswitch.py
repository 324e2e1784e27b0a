"""The kill switch: a latch with a reason, checked on the order path itself, kept in a file, restored at start.

The file is the latch as others see it: whoever creates it, stops the desk. It works without the event loop, the
screen and the database; `KILL.log` beside it keeps every latching and every resumption.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HALT = "halt"
FLATTEN = "flatten"


class Latch(NamedTuple):
    """How and why the desk is stopped; `ts` in ns UTC by the machine's clock."""

    level: str
    reason: str
    who: str
    ts: int


class KillSwitch:
    """Latches once and stays latched, over restarts, until `resume`.

    `now` tells the time of day (ns UTC) for the record. `listeners` are called with the latch, or None on resume, from whatever thread acted; they must not block.
    """

    def __init__(self, path: Path, now: Callable[[], int] = time.time_ns) -> None:
        self.path = path
        self._now = now
        self.listeners: list[Callable[[Latch | None], None]] = []
        self._event = threading.Event()
        self._lock = threading.RLock()
        self._latch: Latch | None = None
        self.check_file()

    @property
    def latched(self) -> bool:
        """Tell whether entries are forbidden; cheap enough for the order path."""
        return self._event.is_set()

    @property
    def latch(self) -> Latch | None:
        """Return how the desk is stopped, None while it is not."""
        return self._latch

    def trigger(self, level: str, reason: str, who: str) -> None:
        """Latch at `level` ("halt" or "flatten"); a flatten may follow a halt, nothing goes back."""
        with self._lock:
            old = self._latch
            if old is not None and (old.level == FLATTEN or level == HALT):
                return
            self._event.set()
            self._latch = Latch(level, reason, who, self._now())
            self._write(self._latch)
            latch = self._latch
        self._tell(latch)

    def check_file(self) -> None:
        """Take over a latch that stands in the file: ours from before, or one that somebody else put there."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except OSError as error:
            self.trigger(HALT, f"kill file unreadable: {error.strerror}", "file")
            return
        if self._latch is not None and self._latch.level == FLATTEN:
            return
        found = _parse(text)
        ours = bool(found.ts)
        if not ours:
            found = found._replace(ts=time.time_ns())
        with self._lock:
            if self._latch is not None and found.level != FLATTEN:
                return
            self._event.set()
            self._latch = found
            if not ours:
                self._write(found)
        self._tell(found)

    def resume(self, reason: str, who: str) -> Latch | None:
        """Unlatch and remove the file; return what was latched."""
        with self._lock:
            old = self._latch
            self.path.unlink(missing_ok=True)
            self._latch = None
            self._event.clear()
            if old is not None:
                self._log({"act": "resume", "reason": reason, "who": who, "ts": self._now()})
        if old is not None:
            self._tell(None)
        return old

    def history(self) -> list[tuple[int, str, str, str, str]]:
        """Return every latching and resumption on record, oldest first: (ts, act, level, reason, who)."""
        try:
            lines = self.path.with_suffix(".log").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            with contextlib.suppress(ValueError, AttributeError, TypeError):
                row = json.loads(line)
                texts = [str(row.get(key, "")) for key in ("act", "level", "reason", "who")]
                found.append((int(row.get("ts", 0)), texts[0], texts[1], texts[2], texts[3]))
        return found

    def _write(self, latch: Latch) -> None:
        """Keep the latch on disk; a disk that refuses must not keep the latch from holding."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".new")
            temporary.write_text(json.dumps(latch._asdict()), encoding="utf-8")
            temporary.replace(self.path)
        except OSError:
            return
        self._log({"act": "latch", **latch._asdict()})

    def _log(self, fields: dict[str, object]) -> None:
        with contextlib.suppress(OSError), self.path.with_suffix(".log").open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")

    def _tell(self, latch: Latch | None) -> None:
        for listener in self.listeners:
            listener(latch)


def _parse(text: str) -> Latch:
    """Read a latch; any text at all, or none, means halt."""
    try:
        fields = json.loads(text)
        level = FLATTEN if fields.get("level") == FLATTEN else HALT
        return Latch(level, str(fields.get("reason", "")), str(fields.get("who", "file")), int(fields.get("ts", 0)))
    except (ValueError, AttributeError, TypeError):
        level = FLATTEN if FLATTEN in text.lower() else HALT
        return Latch(level, text.strip()[:200] or "flag file", "file", 0)
