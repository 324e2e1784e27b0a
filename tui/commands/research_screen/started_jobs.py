"""The backtests, sweeps and checks that the screen has started, each a folder and a process.

FOLDER/ID/job.json   what was asked for
FOLDER/ID/out, err   what it has said
FOLDER/ID/lock, code by `job_process.py`

They outlive the screen and whoever started them: what is kept says all.
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

import msgspec

from engine.errors import NothingFound, OperatorError, in_words
from engine.exit_codes import DONE, INTERRUPTED
from engine.system.private_files import make_private
from engine.texts import plain_text
from tui.app.research_port import ResultRow
from tui.commands.research_screen.job_process import CODE, LOCK

JOB: Final = "job.json"
LONGEST: Final = 60_000
"""Bytes of its output that are shown, from the end."""
PERCENT: Final = re.compile(r"(\d+) %, ")
TRIALS: Final = re.compile(r"([\d,]+) of ([\d,]+) trials")
BEGIN_S: Final = 10.0
"""How long a process has until it holds its lock; on a busy machine Python itself takes a while."""


class KeptJob(msgspec.Struct, frozen=True):
    """A job as it is kept: its number, what it is, the command, and its process."""

    number: str
    kind: str
    words: list[str]
    made: str
    pid: int
    fields: dict[str, str] = {}
    tied: bool = False


@final
class StartedJobs:
    """The folder of all jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own: set[str] = set()
        """Those started here that end with the screen; another screen's end with that one."""

    def start(
        self, kind: str, words: Sequence[str], fields: dict[str, str], *, tied: bool
    ) -> KeptJob:
        """Start a command; raise `OperatorError` where it cannot be."""
        # sorts by time, and two of one second differ
        number = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:19]
        place = self.folder / number
        try:
            make_private(self.folder)
            place.mkdir(mode=0o700)
            with (place / "out").open("wb") as out, (place / "err").open("wb") as err:
                process = subprocess.Popen(  # noqa: S603 - our own program
                    [
                        sys.executable,
                        "-P",
                        "-m",
                        "tui.commands.research_screen.job_process",
                        str(place),
                        *words,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    # neither the terminal's signals nor its end are for it
                    start_new_session=True,
                )
            made = datetime.now(UTC).isoformat(timespec="seconds")
            job = KeptJob(number, kind, [*words], made, process.pid, fields, tied)
            (place / JOB).write_bytes(msgspec.json.encode(job))
            if tied:
                self._own.add(number)
        except OSError as error:
            raise OperatorError(f"{place}: {in_words(error)}") from None
        # until it holds its lock it would look like one that has died
        until = time.monotonic() + BEGIN_S
        while not self._is_held(place) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        return job

    def jobs(self) -> list[KeptJob]:
        """Return every job that is kept, the newest first; a broken folder is none."""
        found = []
        for file in sorted(self.folder.glob(f"*/{JOB}"), reverse=True):
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                found.append(msgspec.json.decode(file.read_bytes(), type=KeptJob))
        return found

    def find(self, number: str) -> KeptJob:
        """Return a job; raise `NothingFound`."""
        for job in self.jobs():
            if job.number == number:
                return job
        raise NothingFound(f"there is no job {number}")

    def runs(self, job: KeptJob) -> bool:
        """Return whether its process is at work."""
        return self._is_held(self.folder / job.number)

    def code(self, job: KeptJob) -> int | None:
        """Return its exit code; None while it runs, or where it was killed."""
        try:
            return int((self.folder / job.number / CODE).read_text())
        except (OSError, ValueError):
            return None

    def stop(self, job: KeptJob) -> None:
        """Tell it to end in order, as ctrl-c does: what is done is kept."""
        # the lock is held by that very process: its number cannot be another's by now
        if self.runs(job):
            with contextlib.suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGINT)

    def stop_tied(self) -> None:
        """Stop those that end with this screen."""
        for job in self.jobs():
            if self.ends_with_screen(job.number):
                self.stop(job)

    def ends_with_screen(self, number: str) -> bool:
        """Return whether a job was started here, to end with the screen."""
        return number in self._own

    def remove(self, job: KeptJob) -> None:
        """Forget a job that does not run."""
        if self.runs(job):
            raise OperatorError("it runs: stop it first")
        shutil.rmtree(self.folder / job.number, ignore_errors=True)

    def output(self, job: KeptJob) -> list[str]:
        """Return the lines of what it has said, the last ones."""
        said = []
        for name in ("out", "err"):
            with contextlib.suppress(OSError), (self.folder / job.number / name).open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - LONGEST, 0))
                said += file.read().decode("utf-8", "replace").splitlines()
        return [plain_text(line) for line in said]

    def row(self, job: KeptJob) -> ResultRow:
        """Return a job as a row of the list, with how far it is."""
        words = " ".join(job.words)
        row = ResultRow(
            f"job {job.number}",
            "job",
            job.made,
            job.fields.get("strategy", "") or words,
            symbols=job.fields.get("symbols", ""),
            first=job.fields.get("from", ""),
            last=job.fields.get("to", ""),
            job=job.number,
        )
        said = self.output(job)
        last = said[-1] if said else ""
        if self.runs(job):
            share, text = read_progress(last)
            return row._replace(state=f"{job.kind}: {text}", tone="focus", share=share)
        # a complaint is the last line of whatever it has said
        code = self.code(job)
        fault = last.removeprefix("patang: ") or "it was killed"
        told = "stopped" if code == INTERRUPTED else f"{job.kind} failed: {fault}"
        return row._replace(state=told, tone="notice" if code == INTERRUPTED else "danger")

    def is_over(self, job: KeptJob) -> bool:
        """Return whether all of it is in its result."""
        # what ended well is in the list by its result
        return self.code(job) == DONE

    def _is_held(self, place: Path) -> bool:
        try:
            held = os.open(place / LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(held)
        return False


def read_progress(line: str) -> tuple[float, str]:
    """Return how much is done (0 to 1) and the words beside it, out of a line of progress."""
    if found := PERCENT.search(line):
        return int(found[1]) / 100, line
    if found := TRIALS.search(line):
        done, total = (int(part.replace(",", "")) for part in found.groups())
        return done / max(total, 1), line
    return 0.0, line or "begins"
