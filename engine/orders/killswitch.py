"""The kill switch: a latch with a reason, checked on the order path and kept on disk.

The file `KILL` is the latch as others see it: creating it stops the desk, where the thread of the
control socket finds it. It works without the event loop, the screen and the database. `KILL.log`
beside it keeps every latching and every release, the database keeps them again: at the start all
three are compared and the strictest holds.
A release is an entry with a reason in the log, never an absence.
"""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from engine.errors import OperatorError, in_words
from engine.system import private_files
from engine.system.whole_files import sync
from engine.texts import plain_text, valid_text

HALT = "halt"
FLATTEN = "flatten"
DISK_S = 1.0
"""How long whoever latches waits for the disk; the latch holds without it."""
RELEASE_S = 5.0
AGAIN = 1_000_000_000
"""How long (ns) after a disk has refused the latch it is asked again."""
LONGEST_FILE, LONGEST_TEXT = 65_536, 500
LAST = 2**63 - 1


class KillLatch(NamedTuple):
    """A latching of the desk, with level and reason; `ts` in ns UTC by the machine's clock."""

    level: str
    reason: str
    who: str
    ts: int

    @property
    def key(self) -> tuple[int, str]:
        """Return the latch's identity in the log and in the database."""
        return self.ts, self.level


class KillLogEntry(NamedTuple):
    """One line of the history: `act` is "latch" or "resume"."""

    ts: int
    act: str
    level: str
    reason: str
    who: str


class KillSwitch:
    """Latches once and stays latched, over restarts, until `resume`.

    `now` returns the time of day (ns UTC) for the record, `kept` is the database's record, oldest
    first. `listeners` are called with the latch, or None on resume, from whatever thread acted;
    they must not block.
    """

    def __init__(
        self, path: Path, now: Callable[[], int] = time.time_ns, kept: Iterable[KillLogEntry] = ()
    ) -> None:
        self.path = path
        self.recorded = 0
        """How often something was added to the history."""
        self.unkept = ""
        """Why the latch that holds is not on disk; empty where it is."""
        self.now = now
        """Dates every latching and release, here and in the database: one clock for both."""
        self._tried = 0
        self.listeners: list[Callable[[KillLatch | None], None]] = []
        self._event = threading.Event()
        self._lock = threading.RLock()
        """Of what is in memory; never held while the disk is waited for."""
        self._disk = threading.RLock()
        self._writer = threading.Thread()
        """The thread that writes, or was the last to write."""
        self._latch: KillLatch | None = None
        self._standing: list[KillLatch] = []
        """What has latched since the last release, oldest first."""
        # File first, then the records: whichever of them still holds a latch wins, and a lost file
        # releases nothing.
        self.check_file()
        self._compare_records(kept)

    @property
    def latched(self) -> bool:
        """Return whether entries are forbidden; cheap enough for the order path."""
        return self._event.is_set()

    @property
    def latch(self) -> KillLatch | None:
        """Return how the desk is stopped, None while it is not."""
        return self._latch

    def trigger(self, level: str, reason: str, who: str) -> None:
        """Latch at `level` ("halt" or "flatten"); a flatten may follow a halt, nothing goes back.

        It waits a moment for the disk; a failure is kept in `unkept`, and tried again by
        `check_file`.
        """
        self._event.set()  # before anything that a lock or a disk could hold up
        risen = self._raise_latch(KillLatch(level, one_line(reason), one_line(who), self.now()))
        # A writer that hangs on the disk takes the newest latch along when it wakes; a second one
        # would only hang beside it.
        if risen or not self._writer.is_alive():
            self._start_writing(DISK_S)

    def check_file(self) -> None:
        """Take over a latch that stands in the file, ours from before or another's.

        Another's file is left as it is: its writer may not be done.
        """
        if not self._disk.acquire(blocking=False):
            return  # somebody is writing, and takes what is there along
        try:
            risen = self._take_file()
        finally:
            self._disk.release()
        if risen:
            self._start_writing(DISK_S)
        # Tried again at a distance: a full disk is asked once a second, not at every look.
        elif self.unkept and abs(self.now() - self._tried) >= AGAIN:
            self._start_writing(0.0)

    def resume(self, reason: str, who: str) -> KillLatch | None:
        """Unlatch, put that on record and remove the file; return the latch.

        Raises `OperatorError` where the disk does not take it: the latch then holds.
        """
        done: list[KillLatch | OSError | None] = []
        # In a thread of its own: a disk that hangs must not hold up the caller, and then the latch
        # holds.
        _run_bounded(
            lambda: done.append(self._release_latch(one_line(reason), one_line(who))), RELEASE_S
        )
        if not done:
            raise OperatorError(f"not released: the disk of {self.path.parent} does not answer")
        if isinstance(done[0], OSError):
            raise OperatorError(
                f"not released: {done[0].filename or self.path}: {in_words(done[0])}"
            )
        return done[0]

    def history(self) -> list[KillLogEntry]:
        """Return every latching and release on record, oldest first."""
        try:
            lines = self.path.with_suffix(".log").read_bytes().splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            # A torn or foreign line costs itself, never the latches behind it.
            with contextlib.suppress(
                ValueError, AttributeError, TypeError, OverflowError, RecursionError
            ):
                row = json.loads(line.decode(errors="replace"))
                texts = [one_line(row.get(key, "")) for key in ("act", "level", "reason", "who")]
                found.append(KillLogEntry(_valid_instant(row.get("ts")), *texts))
        return found

    # memory

    def _raise_latch(self, latch: KillLatch) -> bool:
        """Let a latch hold that is stricter than the present one; return whether it is."""
        with self._lock:
            if not self._is_stricter(latch.level):
                return False
            self._latch = latch
            self._standing.append(latch)
            self._event.set()
        self._notify_listeners(latch)
        return True

    def _is_stricter(self, level: str) -> bool:
        return self._latch is None or (self._latch.level != FLATTEN and level == FLATTEN)

    def _compare_records(self, kept: Iterable[KillLogEntry]) -> None:
        """Let the strictest hold that neither the log nor the database has released."""
        logged, released = standing_latches(self.history())
        stored, _ = standing_latches(kept)
        missing = [latch for latch in stored if latch.key not in released]
        # Halts first, a flatten last: of several that stand the strictest is the one that holds.
        for latch in sorted(logged + missing, key=lambda latch: latch.level == FLATTEN):
            if not self._raise_latch(latch):
                self._standing.append(latch)
            self.unkept = "not written yet"

    def _notify_listeners(self, latch: KillLatch | None) -> None:
        for listener in self.listeners:
            listener(latch)

    # disk

    def _start_writing(self, seconds: float) -> None:
        """Have the latch written, and wait for that, but not longer than some seconds."""
        self.unkept = self.unkept or "the disk does not answer"
        self._tried = self.now()
        self._writer = _run_bounded(self._store_latch, seconds)

    def _store_latch(self) -> None:
        """Bring file and log in line with the latch; either is enough to survive a restart."""
        with self._disk:
            self._take_file()
            latch = self._latch
            if latch is None:
                self.unkept = ""
                return
            # Both are tried whatever the other does: one is enough after a restart.
            refused = [
                _try_write(lambda: self._write_file(latch)),
                _try_write(lambda: self._record_latch(latch)),
            ]
            self.unkept = refused[0] if all(refused) else ""

    def _take_file(self) -> bool:
        """Let the file's latch hold if it is stricter than the present one; return whether so."""
        put = 0
        try:
            put = self.path.lstat().st_mtime_ns
            text = private_files.read_private(self.path, LONGEST_FILE).decode(errors="replace")
        except FileNotFoundError:
            return False
        # A file that is there and cannot be read still stops: an unreadable KILL must not mean go.
        except OSError as error:
            text = f"kill file unreadable: {error.strerror}"
        found = _parse_latch(text)
        return self._raise_latch(found if found.ts else found._replace(ts=put or self.now()))

    def _write_file(self, latch: KillLatch) -> None:
        """Keep the latch in the file, unless a latch as strict stands there."""
        with contextlib.suppress(OSError):
            found = _parse_latch(
                private_files.read_private(self.path, LONGEST_FILE).decode(errors="replace")
            )
            # Another's file is not replaced by the same: its text says who stopped the desk, and
            # why.
            if found.level == latch.level:
                return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_files.replace_private(self.path, json.dumps(latch._asdict()).encode())

    def _record_latch(self, latch: KillLatch) -> None:
        """Put a latching on record, once.

        The file may be found again by the next run, or by `patang resume`.
        """
        if latch.key not in {known.key for known in standing_latches(self.history())[0]}:
            self._append_log({"act": "latch", **latch._asdict()})

    def _append_log(self, fields: dict[str, object]) -> None:
        try:
            private_files.append_private(self.path.with_suffix(".log"), json.dumps(fields).encode())
        finally:
            self.recorded += 1

    def _release_latch(self, reason: str, who: str) -> KillLatch | OSError | None:
        """Put the release on record, then remove the file, then let go.

        The record stands behind every latch that it releases.
        """
        with self._disk:
            self._take_file()
            old, releasing = self._latch, tuple(self._standing)
            if old is None:
                return None
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # Record, file, memory, in this order: a crash at any point leaves the desk latched.
                for latch in releasing:
                    self._record_latch(latch)
                self._append_log({"act": "resume", "reason": reason, "who": who, "ts": self.now()})
                self.path.unlink(missing_ok=True)
                sync(self.path.parent)
            except OSError as error:
                self.unkept = "not written yet"  # the record may say that it is released
                return error
            with self._lock:
                self._standing = self._standing[len(releasing) :]
                # a flatten that came meanwhile stays
                self._latch = self._standing[-1] if self._standing else None
                if self._latch is None:
                    self._event.clear()
                    self.unkept = ""
        if self._latch is None:
            self._notify_listeners(None)
        return old


def standing_latches(
    history: Iterable[KillLogEntry],
) -> tuple[list[KillLatch], set[tuple[int, str]]]:
    """Return the unreleased latches, oldest first, and the keys of the released ones."""
    open_: list[KillLatch] = []
    released: set[tuple[int, str]] = set()
    for entry in history:
        if entry.act == "latch":
            open_.append(
                KillLatch(
                    FLATTEN if entry.level == FLATTEN else HALT, entry.reason, entry.who, entry.ts
                )
            )
        elif entry.act == "resume":
            released |= {latch.key for latch in open_}
            open_.clear()
    return open_, released


def one_line(text: object) -> str:
    """Return a text from outside as one line that any file and any screen can hold."""
    return " ".join(plain_text(valid_text(str(text)[:LONGEST_TEXT])).split())


def _run_bounded(act: Callable[[], None], seconds: float) -> threading.Thread:
    """Do something with the disk and wait for it, but not longer than some seconds.

    Return the thread that does it. While the interpreter ends no thread begins any more, and
    waiting for one to begin would never end: it is done here.
    """
    thread = threading.Thread(target=act, name="latch", daemon=True)
    if sys.is_finalizing():
        act()
        return thread
    try:
        thread.start()
    except RuntimeError:  # no thread is to be had
        act()
    else:
        thread.join(seconds)
    return thread


def _try_write(act: Callable[[], None]) -> str:
    """Do something with the disk; return why it was refused, empty where it was not."""
    try:
        act()
    except OSError as error:
        return in_words(error)
    return ""


def _parse_latch(text: str) -> KillLatch:
    """Read a latch; any text at all, or none, means halt."""
    try:
        fields = json.loads(text)
        level = FLATTEN if fields.get("level") == FLATTEN else HALT
        return KillLatch(
            level,
            one_line(fields.get("reason", "")),
            one_line(fields.get("who", "file")),
            _valid_instant(fields.get("ts")),
        )
    # Whoever creates the file in a hurry writes anything, or nothing: all of it means halt.
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        level = FLATTEN if FLATTEN in text.lower() else HALT
        return KillLatch(level, one_line(text)[:200] or "flag file", "file", 0)


def _valid_instant(value: object) -> int:
    """Return a time (ns UTC) as it was kept, 0 for anything that can be none."""
    instant = int(value) if isinstance(value, int | float) else 0
    return instant if 0 < instant <= LAST else 0
