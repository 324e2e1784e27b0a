"""The jobs of an evening: what can be run, and what came of each when it ran last."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from engine.errors import NothingFound, OperatorError, in_words
from engine.system import private_files
from engine.system.file_hold import FileHold, holding_process
from engine.system.whole_files import write_whole

FOLDER: Final = "jobs"
TAIL: Final = 200_000
"""Bytes of a job's output that are shown, from its end."""


class EveningJob(NamedTuple):
    """One job: the command that does it, and what that is in words."""

    name: str
    words: tuple[str, ...]
    what: str


JOBS: Final = (
    EveningJob("gaps", ("bars", "gaps"), "which bars the calendar expects and nobody has"),
    EveningJob("check", ("bars", "check"), "bars that cannot be true, or are likely wrong"),
    EveningJob("compact", ("bars", "compact"), "fewer and larger files of bars"),
    EveningJob("averages", ("bars", "averages"), "averages of closes beside the bars"),
    EveningJob("golden", ("bars", "golden", "build"), "bars that later results name"),
    EveningJob("recording", ("ticks", "verify"), "whether the last recording is whole"),
    EveningJob("parity", ("parity",), "the desk's day against a backtest of it"),
    EveningJob("evaluate", ("evaluate",), "what is promoted against what its sweep promised"),
    EveningJob("archive", ("bars", "archive", "push"), "old bars and recordings to the archive"),
    EveningJob("archive-check", ("bars", "archive", "verify"), "whether the archive is whole"),
    EveningJob("doctor", ("doctor",), "what stands between the desk and tomorrow"),
)
"""Every job in the order in which an evening would do them."""


class JobRecord(NamedTuple):
    """The last run of a job: when it began and ended (ns UTC), its exit code, its last line."""

    began: int
    ended: int
    code: int
    said: str


def find_job(name: str) -> EveningJob:
    """Return a job; raise `NothingFound`."""
    for job in JOBS:
        if job.name == name.lower():
            return job
    raise NothingFound(f"no job {name}; there are {', '.join(job.name for job in JOBS)}")


class JobShelf:
    """Records and outputs of jobs, in a folder of their own below `root`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def is_running(self, job: EveningJob) -> bool:
        """Return whether a process is at it."""
        return holding_process(self._job_path(job, "lock")) is not None

    def record(self, job: EveningJob) -> JobRecord | None:
        """Return its last run, None where it never ran, or what is kept cannot be read."""
        try:
            fields = json.loads(self._job_path(job, "json").read_text(encoding="utf-8"))
            return JobRecord(
                int(fields["began"]),
                int(fields["ended"]),
                code=int(fields["code"]),
                said=str(fields["said"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def output(self, job: EveningJob) -> str:
        """Return the end of what it said last; raise `NothingFound`."""
        try:
            with self._job_path(job, "log").open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - TAIL))
                return file.read().decode(errors="backslashreplace")
        except OSError:
            raise NothingFound(f"{job.name} has not run yet: patang jobs run {job.name}") from None

    def run(
        self, job: EveningJob, options: Sequence[str], show: Callable[[str], None]
    ) -> JobRecord:
        """Run a job in a process of its own, keep what it says, and return how it ended.

        `show` is given each line. Raises `BusyError` while it runs already, `OperatorError`.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            private_files.make_private(self._folder)
        except OSError as error:
            raise OperatorError(f"cannot write in {self._folder}: {in_words(error)}") from None
        # The screen and a shell may both ask for it.
        hold = FileHold(self._job_path(job, "lock"), f"job {job.name}", "wait for its end")
        try:
            return self._run_held(job, options, show)
        finally:
            hold.release()

    def _run_held(
        self, job: EveningJob, options: Sequence[str], show: Callable[[str], None]
    ) -> JobRecord:
        began, said = time.time_ns(), ""
        # -P: the folder it is called in is no place to import from.
        words = [sys.executable, "-P", "-m", "tui", *job.words, *options]
        with (
            self._job_path(job, "log").open(
                "w", encoding="utf-8", errors="backslashreplace"
            ) as log,
            subprocess.Popen(  # noqa: S603  our own commands
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="backslashreplace",
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                # A progress line that writes over itself is kept as it stands in the end.
                text = line.rstrip("\n").rpartition("\r")[2]
                said = text.strip() or said
                log.write(f"{text}\n")
                log.flush()
                show(text)
        record = JobRecord(began, time.time_ns(), process.returncode, said)
        text = json.dumps(record._asdict())
        write_whole(self._job_path(job, "json"), lambda fresh: fresh.write_text(text, "utf-8"))
        # What it said may name accounts and sums.
        with suppress(OSError):
            self._job_path(job, "log").chmod(0o600)
        return record

    def _job_path(self, job: EveningJob, ending: str) -> Path:
        return self._folder / f"{job.name}.{ending}"
