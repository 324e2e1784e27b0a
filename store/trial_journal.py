"""The journal of a sweep's trials: one line each, appended, so that a killed sweep goes on.

FOLDER/sweep.json     what was asked for, and what all trials stand on
FOLDER/points.jsonl   a line a point that was taken, in their order
FOLDER/trials.jsonl   a line a finished trial
FOLDER/lock           held by the process that appends

Each line ends with a checksum of itself: damage that leaves it JSON is found, too.
"""

import fcntl
import os
import shutil
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar, final

import msgspec

from engine.errors import DataError, OperatorError, in_words
from engine.history.bar_series import Floats
from engine.research.trials import SweepPoint, TrialResult, read_result, without_trades
from engine.system.whole_files import write_whole

MANIFEST: Final = "sweep.json"
POINTS: Final = "points.jsonl"
TRIALS: Final = "trials.jsonl"
LOCK: Final = "lock"
SEAL: Final = len(b',"check":"00000000"}')
Manifest = TypeVar("Manifest")


@final
class TrialJournal:
    """Finished trials of one sweep in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process from appending; raise `OperatorError` while one does."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise OperatorError(f"{self.folder}: {in_words(error)}") from error
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OperatorError(
                    f"another process runs the sweep in {self.folder}: wait for it, or end it"
                ) from None
            yield
        finally:
            os.close(held)

    @property
    def is_running(self) -> bool:
        """Return whether a process appends to it at this moment."""
        try:
            held = os.open(self.folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(held)
        return False

    @property
    def has_trials(self) -> bool:
        """Return whether a trial was ever kept, or may have been."""
        try:
            return (self.folder / TRIALS).stat().st_size > 0
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def write_manifest(self, manifest: object) -> None:
        """Write down what the sweep is, in place of what stands there."""
        text = msgspec.json.format(msgspec.json.encode(manifest)).decode()
        write_whole(
            self.folder / MANIFEST, lambda fresh: fresh.write_text(text + "\n", encoding="utf-8")
        )

    def read_manifest(self, kind: type[Manifest]) -> Manifest | None:
        """Return what was written down; None where nothing was. Raise `DataError` for damage."""
        file = self.folder / MANIFEST
        try:
            return msgspec.json.decode(file.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, OSError) as error:
            raise DataError(f"{file} cannot be read: {error}; --fresh begins anew") from error

    def append(self, results: Sequence[TrialResult]) -> None:
        """Add finished trials, on the disk when this returns."""
        if not results:
            return
        self._append_lines(TRIALS, map(msgspec.json.encode, results))

    def append_points(self, points: Sequence[SweepPoint]) -> None:
        """Add the points that are not there yet, on the disk when this returns."""
        there = set(self._lines(POINTS))
        encoded = dict.fromkeys(map(msgspec.json.encode, points))
        self._append_lines(POINTS, (line for line in encoded if line not in there))

    def points(self) -> list[SweepPoint]:
        """Return the points in their order; a line that was cut short is none.

        Of a point that was given up there are two lines, of which the later one counts.
        """
        found: dict[tuple[str, str], SweepPoint] = {}
        for line in self._lines(POINTS):
            with suppress(msgspec.MsgspecError, ValueError):
                point = msgspec.json.decode(line, type=SweepPoint)
                found[point.strategy, repr(point.parameters)] = point
        return list(found.values())

    def _append_lines(self, name: str, lines: Iterable[bytes]) -> None:
        # A line begins with its line feed: whatever a kill has cut short stays a line of its own.
        text = b"".join(b"\n" + sealed_line(line) for line in lines)
        try:
            out = os.open(
                self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
            try:
                left = memoryview(text)
                while left:
                    left = left[os.write(out, left) :]
                os.fsync(out)
            finally:
                os.close(out)
        except OSError as error:
            raise OperatorError(
                f"{self.folder}: {error.strerror or error}; what is done is kept, go on when "
                "there is room"
            ) from error

    def results(self, days: int) -> dict[str, TrialResult]:
        """Return the finished trials of so many days by id; a line that is damaged is none.

        They are without their trades, which may be many times as large as all the rest.
        """
        return {each.trial: without_trades(each) for each in self._whole_lines(days)}

    def trade_returns(self, days: int, names: Collection[str]) -> dict[str, Floats]:
        """Return the P&L of the round trips of a few trials of so many days, where it is kept."""
        return {
            each.trial: each.trade_returns
            for each in self._whole_lines(days)
            if each.trial in names and not each.failure
        }

    def _whole_lines(self, days: int) -> Iterable[TrialResult]:
        for line in self._lines(TRIALS):
            with suppress(DataError):
                yield read_result(line, days)

    def _lines(self, name: str) -> list[bytes]:
        try:
            text = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OperatorError(f"{self.folder}: {error.strerror or error}") from error
        return [whole for line in text.split(b"\n") if (whole := unsealed_line(line))]

    def discard(self) -> None:
        """Leave nothing of a sweep in which no trial was ever run; its lock is still held."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """Forget every trial."""
        for name in (TRIALS, POINTS, MANIFEST):
            (self.folder / name).unlink(missing_ok=True)


def sealed_line(line: bytes) -> bytes:
    """Return a line of JSON, an object, with its checksum as the last field."""
    return b'%b,"check":"%08x"}' % (line[:-1], zlib.crc32(line))


def unsealed_line(line: bytes) -> bytes:
    """Return a line without its checksum; nothing of one that is not what was written."""
    whole = line[:-SEAL] + b"}"
    return whole if sealed_line(whole) == line else b""
