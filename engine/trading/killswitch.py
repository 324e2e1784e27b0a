"""The kill switch: a latch with a reason, checked on the order path itself, kept in a file, restored at start.

The file is the latch as others see it: whoever creates it, stops the desk. It works without the event loop, the
screen and the database; `KILL.log` beside it keeps every latching and every resumption.
"""

import contextlib
import json
import os
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
        self.recorded = 0
        """How often something was added to the history."""
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
        self._event.set()  # before anything that a lock or a disk could hold up
        with self._lock:
            old = self._latch
            self._take_file()  # a flatten that somebody has just put there must not be overwritten
            if self._rises(level):
                self._latch = Latch(level, reason, who, self._now())
                self._event.set()
                self._write(self._latch)
                self._record(self._latch)
            latch = self._latch
        if latch is not old:
            self._tell(latch)

    def check_file(self) -> None:
        """Take over a latch that stands in the file: ours from before, or one that somebody else put there.

        What somebody else put there is left as it is: whoever made an empty file may still be writing to it.
        """
        with self._lock:
            old = self._latch
            self._take_file()
            latch = self._latch
        if latch is not old:
            self._tell(latch)

    def _take_file(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
            put = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return
        except OSError as error:
            text, put = f"kill file unreadable: {error.strerror}", self._now()
        found = _parse(text)
        if self._rises(found.level):
            self._latch = found if found.ts else found._replace(ts=put)
            self._event.set()
            self._record(self._latch)

    def _rises(self, level: str) -> bool:
        return self._latch is None or (self._latch.level != FLATTEN and level == FLATTEN)

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
            temporary = self.path.with_suffix(f".{os.getpid()}")  # `patang kill` may write at the same moment
            temporary.write_text(json.dumps(latch._asdict()), encoding="utf-8")
            temporary.replace(self.path)
        except OSError:
            return

    def _record(self, latch: Latch) -> None:
        """Put a latching on record, once: the file may be found again by the next run, or by `patang resume`."""
        if (latch.ts, "latch") not in {row[:2] for row in self.history()}:
            self._log({"act": "latch", **latch._asdict()})

    def _log(self, fields: dict[str, object]) -> None:
        with contextlib.suppress(OSError), self.path.with_suffix(".log").open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")
        self.recorded += 1

    def _tell(self, latch: Latch | None) -> None:
        for listener in self.listeners:
            listener(latch)


def _parse(text: str) -> Latch:
    """Read a latch; any text at all, or none, means halt."""
    try:
        fields = json.loads(text)
        level = FLATTEN if fields.get("level") == FLATTEN else HALT
        return Latch(level, str(fields.get("reason", "")), str(fields.get("who", "file")), int(fields.get("ts", 0)))
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        level = FLATTEN if FLATTEN in text.lower() else HALT
        return Latch(level, text.strip()[:200] or "flag file", "file", 0)
