"""A thread that writes down the messages of the feed.

A slow disk costs the recording, never the desk.
"""

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

from engine.board_rows import WRONG
from engine.errors import in_words
from engine.history.feed_recording import COUNT, LOST, RecordedEvent, RecordKind
from engine.market.calendar import ist_day
from engine.ops.health_sources import PulseReading
from store.recordings.recording_blocks import FILE, pack_block, part_name, recording_parts

THREAD: Final = "recorder"
GB: Final = 1_000_000_000
AGAIN: Final = 1
"""The connection of a `RecordKind.META` that is repeated at the head of a file."""
RECORD: Final = 150
"""Bytes of a record in memory besides its payload."""


class RecordingBounds(NamedTuple):
    """Bounds of a recording.

    Days that are kept, bytes of one mode, bytes left free on the disk; seconds and bytes of a
    block, bytes of a file and of the queue.
    """

    days: int = 30
    size: int = 20 * GB
    spare: int = GB
    seconds: float = 5.0
    block: int = 6_000_000
    part: int = 64_000_000
    queue: int = 64_000_000


class LostRecords(NamedTuple):
    """Count of records that a recording lacks: frames for the kernel, and records in all."""

    frames: int = 0
    records: int = 0

    def more(self, record: RecordedEvent) -> "LostRecords":
        """Return this and one record more; a record of losses counts as those it reports."""
        if record.kind == RecordKind.LOST:
            frames, records = LOST.unpack(record.payload)
            return LostRecords(self.frames + frames, self.records + records)
        released = COUNT.unpack(record.payload)[0] if record.kind == RecordKind.RELEASE else 0
        return LostRecords(
            self.frames + released + (record.kind == RecordKind.FRAME), self.records + 1
        )

    def record(self, ts: int) -> RecordedEvent:
        """Return the record that reports these losses in the recording."""
        return RecordedEvent(RecordKind.LOST, 0, ts, LOST.pack(*self))


@final
class FeedWriter:
    """Writer of blocks below `folder`, one folder per day, as `engine.ports.FeedRecord`.

    Records that the queue has no room for, or the disk does not take, are left out, counted in the
    recording (`RecordKind.LOST`) and reported when it begins and ends; a file always ends with a
    whole block. `close` writes the last one.
    """

    def __init__(self, folder: Path, bounds: RecordingBounds, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._bounds = bounds
        self._tell = tell
        self._waiting: deque[RecordedEvent] = deque()
        self._put = self._gone = 0
        """Bytes put in, by the desk's thread alone, and taken out, by this one's."""
        self._left_out = LostRecords()
        """What the desk's thread has found no room for since the last that it did."""
        self._lost = LostRecords()
        """What the disk has not taken."""
        self._meta: RecordedEvent | None = None
        self._file = -1
        self._day, self._run, self._part, self._length = "", 0, 0, 0
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run_writer, name=THREAD, daemon=True)
        self._thread.start()

    # the desk's thread

    def put(self, kind: int, connection: int, ts: int, payload: bytes) -> None:
        """Take a record where there is room; never blocks."""
        record = RecordedEvent(kind, connection, ts, payload)
        held = self._put - self._gone
        if held > self._bounds.queue or not self._thread.is_alive():
            self._left_out = self._left_out.more(record)
            return
        # the hole is recorded where it lies, before the first record after it
        if self._left_out.records:
            self._enqueue_record(self._left_out.record(ts))
            self._left_out = LostRecords()
        self._enqueue_record(record)
        if held > self._bounds.block:
            self._wake.set()

    def _enqueue_record(self, record: RecordedEvent) -> None:
        self._put += _record_weight(record)
        self._waiting.append(record)

    def health(self) -> PulseReading:
        """Return how the recording stands; from the desk's thread."""
        lost = self._lost.records + self._left_out.records
        if not self._thread.is_alive() and not self._closing:
            mend = "patang.log has the reason (LOG); what is not recorded is not replayed."
            return PulseReading("recorder", "its thread died", WRONG, mend)
        if lost:
            mend = "Free space or a quicker disk; feed.record_gb and feed.record_days bound it."
            return PulseReading("recorder", f"{lost:,} records left out", WRONG, mend)
        return PulseReading("recorder", "records the feed")

    def close(self) -> None:
        """Write what waits, and end."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    # the thread

    def _run_writer(self) -> None:
        try:
            while not self._closing:
                self._wake.wait(self._bounds.seconds)
                self._wake.clear()
                self._drain_queue()
            self._drain_queue()
        except Exception as error:  # noqa: BLE001 - a thread's main: it dies loudly, and alone
            self._tell(f"the feed is not recorded any more: {type(error).__name__}: {error}")
        finally:
            self._close_file()

    def _drain_queue(self) -> None:
        """Write everything that waits, a block at a time; a day begins with a block."""
        while self._waiting:
            records, size = [self._waiting.popleft()], 0
            while (
                self._waiting
                and size < self._bounds.block
                and self._waiting[0].kind != RecordKind.META
            ):
                records.append(self._waiting.popleft())
                size += _record_weight(records[-1])
            self._write_records(records)
            self._gone += sum(map(_record_weight, records))

    def _write_records(self, records: list[RecordedEvent]) -> None:
        first = records[0]
        if first.kind == RecordKind.META:
            self._close_file()
            self._meta, self._lost = first, LostRecords()
            self._day, self._run, self._part = str(ist_day(first.ts)), 0, 0
        if self._meta is None:
            # the first day has not begun
            return
        for record in records:
            if record.kind == RecordKind.LOST:
                self._tell(
                    f"the recording of the feed is behind: {LostRecords().more(record).records} "
                    "records are left out"
                )
        before = self._lost
        try:
            # the journal may lie on the same disk: the recording stops while there is room for the
            # rest
            self._check_space()
            head = (
                []
                # each file begins with its day's META, and can be read without the files before it
                if self._file >= 0 or first.kind == RecordKind.META
                else [self._meta._replace(connection=AGAIN)]
            )
            if self._file < 0:
                self._open_file()
            told = [before.record(first.ts)] if before.records else []
            self._append_content(pack_block([*head, *told, *records]))
        except OSError as error:
            for record in records:
                self._lost = self._lost.more(record)
            if not before.records:
                self._tell(f"the feed is not recorded: {self._folder}: {in_words(error)}")
            return
        if before.records:
            self._lost = LostRecords()
            self._tell(f"the feed is recorded again; {before.records} records are left out")
        if self._length >= self._bounds.part:
            self._close_file()

    def _check_space(self) -> None:
        """Raise `OSError` where the disk has no more left than belongs to others."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if shutil.disk_usage(self._folder).free < self._bounds.spare:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open_file(self) -> None:
        self._remove_old_files()
        folder = self._folder / self._day
        folder.mkdir(mode=0o700, exist_ok=True)
        if not self._run:
            self._run = 1 + max(
                (each.run for each in recording_parts(self._folder) if each.day == self._day),
                default=0,
            )
        # EXCL: a part of another run is never written into
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._part += 1
        self._file = os.open(folder / part_name(self._run, self._part), flags, 0o600)
        self._length = 0
        self._append_content(FILE)

    def _append_content(self, content: bytes) -> None:
        """Put `content` at the end of the file, or nothing of it; raise `OSError`."""
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            try:
                # half a block goes again, so that the next one follows a whole one
                os.ftruncate(self._file, self._length)
                os.lseek(self._file, self._length, os.SEEK_SET)
            except OSError:
                self._close_file()
            raise
        self._length += len(content)

    def _close_file(self) -> None:
        """Let the present file go."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _remove_old_files(self) -> None:
        """Remove files that are too old, then the oldest while the rest are too many bytes."""
        there = [(each, each.path.stat().st_size) for each in recording_parts(self._folder)]
        oldest = str(date.fromisoformat(self._day) - timedelta(days=self._bounds.days))
        # with the file that is about to begin
        total = sum(size for _, size in there) + self._bounds.part
        for each, size in there:
            if each.day <= oldest or total > self._bounds.size:
                each.path.unlink()
                total -= size
                # other files are in it
                with contextlib.suppress(OSError):
                    each.path.parent.rmdir()


def _record_weight(record: RecordedEvent) -> int:
    return len(record.payload) + RECORD
