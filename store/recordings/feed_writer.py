"""A thread that writes down what the feed sends: a slow disk costs the recording, never the desk."""

import contextlib
import errno
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple, final

from engine.errors import in_words
from engine.history.recorded import COUNT, LOST, Kind, Record
from engine.market.calendar import ist_day
from store.recordings.blocks import FILE, block, name, parts

THREAD: Final = "recorder"
GB: Final = 1_000_000_000
AGAIN: Final = 1
"""The connection of a `Kind.META` that is repeated at the head of a file."""
RECORD: Final = 150
"""Bytes of a record in memory besides its payload."""


class Bounds(NamedTuple):
    """How much is kept, and how: days, bytes of one mode, bytes left free on the disk; seconds and bytes of a block, of a file, of the queue."""

    days: int = 30
    size: int = 20 * GB
    spare: int = GB
    seconds: float = 5.0
    block: int = 6_000_000
    part: int = 64_000_000
    queue: int = 64_000_000


class Lost(NamedTuple):
    """What is not in a recording: frames for the kernel, and records in all."""

    frames: int = 0
    records: int = 0

    def more(self, record: Record) -> "Lost":
        """Return this and one record more, or what that one tells of."""
        if record.kind == Kind.LOST:
            frames, records = LOST.unpack(record.payload)
            return Lost(self.frames + frames, self.records + records)
        released = COUNT.unpack(record.payload)[0] if record.kind == Kind.RELEASE else 0
        return Lost(self.frames + released + (record.kind == Kind.FRAME), self.records + 1)

    def record(self, ts: int) -> Record:
        """Return what tells of it in the recording."""
        return Record(Kind.LOST, 0, ts, LOST.pack(*self))


@final
class FeedWriter:
    """Writes blocks below `folder`, one folder per day, as `engine.ports.FeedRecord`; `close` writes the last.

    What the queue has no room for, or the disk does not take, is left out, counted in the recording (`Kind.LOST`) and told
    when it begins and ends; a file always ends with a whole block.
    """

    def __init__(self, folder: Path, bounds: Bounds, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._bounds = bounds
        self._tell = tell
        self._waiting: deque[Record] = deque()
        self._put = self._gone = 0
        """Bytes put in, by the desk's thread alone, and taken out, by this one's."""
        self._left_out = Lost()
        """What the desk's thread has found no room for since the last that it did."""
        self._lost = Lost()
        """What the disk has not taken."""
        self._meta: Record | None = None
        self._file = -1
        self._day, self._run, self._part, self._length = "", 0, 0, 0
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._main, name=THREAD, daemon=True)
        self._thread.start()

    # the desk's thread

    def put(self, kind: int, connection: int, ts: int, payload: bytes) -> None:
        """Take a record where there is room; never blocks."""
        record = Record(kind, connection, ts, payload)
        held = self._put - self._gone
        if held > self._bounds.queue or not self._thread.is_alive():
            self._left_out = self._left_out.more(record)
            return
        if self._left_out.records:
            self._enter(self._left_out.record(ts))
            self._left_out = Lost()
        self._enter(record)
        if held > self._bounds.block:
            self._wake.set()

    def _enter(self, record: Record) -> None:
        self._put += _weight(record)
        self._waiting.append(record)

    def close(self) -> None:
        """Write what waits, and end."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    # the thread

    def _main(self) -> None:
        try:
            while not self._closing:
                self._wake.wait(self._bounds.seconds)
                self._wake.clear()
                self._drain()
            self._drain()
        except Exception as error:  # noqa: BLE001 - a thread's main: it dies loudly, and alone
            self._tell(f"the feed is not recorded any more: {type(error).__name__}: {error}")
        finally:
            self._end()

    def _drain(self) -> None:
        """Write everything that waits, a block at a time; a day begins with a block."""
        while self._waiting:
            records, size = [self._waiting.popleft()], 0
            while self._waiting and size < self._bounds.block and self._waiting[0].kind != Kind.META:
                records.append(self._waiting.popleft())
                size += _weight(records[-1])
            self._write(records)
            self._gone += sum(map(_weight, records))

    def _write(self, records: list[Record]) -> None:
        first = records[0]
        if first.kind == Kind.META:
            self._end()
            self._meta, self._lost = first, Lost()
            self._day, self._run, self._part = str(ist_day(first.ts)), 0, 0
        if self._meta is None:
            return  # the first day has not begun
        for record in records:
            if record.kind == Kind.LOST:
                self._tell(f"the recording of the feed is behind: {Lost().more(record).records} records are left out")
        before = self._lost
        try:
            self._check_space()
            head = [] if self._file >= 0 or first.kind == Kind.META else [self._meta._replace(connection=AGAIN)]
            if self._file < 0:
                self._open()
            told = [before.record(first.ts)] if before.records else []
            self._append(block([*head, *told, *records]))
        except OSError as error:
            for record in records:
                self._lost = self._lost.more(record)
            if not before.records:
                self._tell(f"the feed is not recorded: {self._folder}: {in_words(error)}")
            return
        if before.records:
            self._lost = Lost()
            self._tell(f"the feed is recorded again; {before.records} records are left out")
        if self._length >= self._bounds.part:
            self._end()

    def _check_space(self) -> None:
        """Raise `OSError` where the disk has no more left than belongs to others."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if shutil.disk_usage(self._folder).free < self._bounds.spare:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self) -> None:
        self._forget()
        folder = self._folder / self._day
        folder.mkdir(mode=0o700, exist_ok=True)
        if not self._run:
            self._run = 1 + max((each.run for each in parts(self._folder) if each.day == self._day), default=0)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._part += 1
        self._file = os.open(folder / name(self._run, self._part), flags, 0o600)
        self._length = 0
        self._append(FILE)

    def _append(self, content: bytes) -> None:
        """Put `content` at the end of the file, or nothing of it; raise `OSError`."""
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            try:
                os.ftruncate(self._file, self._length)
                os.lseek(self._file, self._length, os.SEEK_SET)
            except OSError:
                self._end()
            raise
        self._length += len(content)

    def _end(self) -> None:
        """Let the present file go."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _forget(self) -> None:
        """Remove what is too old, and the oldest of what is too much."""
        there = [(each, each.path.stat().st_size) for each in parts(self._folder)]
        oldest = str(date.fromisoformat(self._day) - timedelta(days=self._bounds.days))
        total = sum(size for _, size in there) + self._bounds.part
        for each, size in there:
            if each.day <= oldest or total > self._bounds.size:
                each.path.unlink()
                total -= size
                with contextlib.suppress(OSError):  # other files are in it
                    each.path.parent.rmdir()


def _weight(record: Record) -> int:
    return len(record.payload) + RECORD
