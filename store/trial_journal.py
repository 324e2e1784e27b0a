"""The journal of a sweep's trials: one line each, appended, so that a killed sweep goes on.

FOLDER/sweep.json     what was asked for, and what all trials stand on
FOLDER/trials.jsonl   a line a finished trial
FOLDER/lock           held by the process that appends
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar, final

import msgspec

from engine.errors import DataError, OperatorError
from engine.research.trials import TrialResult, read_result
from engine.system.whole_files import write_whole

MANIFEST: Final = "sweep.json"
TRIALS: Final = "trials.jsonl"
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
            held = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise OperatorError(f"{self.folder}: {error.strerror or error}") from error
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
        # A line begins with its line feed: whatever a kill has cut short stays a line of its own.
        text = b"".join(b"\n" + msgspec.json.encode(each) for each in results)
        try:
            out = os.open(
                self.folder / TRIALS, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644
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

    def results(self) -> dict[str, TrialResult]:
        """Return the finished trials by id; a line that was cut short is none."""
        return {each.trial: each for each in self._whole_lines()}

    def _whole_lines(self) -> Iterable[TrialResult]:
        try:
            text = (self.folder / TRIALS).read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise OperatorError(f"{self.folder}: {error.strerror or error}") from error
        for line in text.split(b"\n"):
            if line:
                try:
                    yield read_result(line)
                except DataError:
                    continue

    def clear(self) -> None:
        """Forget every trial."""
        for name in (TRIALS, MANIFEST):
            (self.folder / name).unlink(missing_ok=True)
