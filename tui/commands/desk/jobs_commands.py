"""Jobs of the evening from the command line: which there are, how they ended, run one now."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from engine.config.disk_places import desk_paths
from engine.exit_codes import DONE
from engine.numbers import log_time
from engine.texts import plain_text
from tui.commands.desk.evening_jobs import JOBS, EveningJob, JobShelf, find_job
from tui.commands.shared.options import ConfigFile, RowsAsJson
from tui.commands.shared.text_tables import print_table
from tui.run.configured import configuration

jobs = App(
    name="jobs",
    help="What is done in the evening: see how it ended, run one now.",
    help_format="plaintext",
)

Named = Annotated[str, Parameter(help="As `jobs list` has it.")]


@jobs.command(name="list")
def list_(*, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """Show every job, when it ran last, and what came of it; none runs by itself yet."""
    shelf = _job_shelf(config)
    print_table([_job_row(shelf, job) for job in JOBS], as_json=as_json)
    return DONE


@jobs.command
def run(name: Named, *, config: ConfigFile = None) -> int:
    """Run a job now, in a process of its own; what it says is shown and kept.

    Returns its exit code.
    """
    options = ("--config", str(config)) if config is not None else ()
    return (
        _job_shelf(config)
        .run(find_job(name), options, lambda line: _show_line(plain_text(line)))
        .code
    )


@jobs.command
def log(name: Named, *, config: ConfigFile = None) -> int:
    """Show what a job has said when it ran last."""
    for line in _job_shelf(config).output(find_job(name)).splitlines():
        _show_line(plain_text(line))
    return DONE


def _show_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _job_shelf(config: Path | None) -> JobShelf:
    return JobShelf(desk_paths(configuration(config), os.environ).state)


def _job_row(shelf: JobShelf, job: EveningJob) -> dict[str, object]:
    record, running = shelf.record(job), shelf.is_running(job)
    if running:
        state, result = "running", "running"
    elif record is None:
        state, result = "never", ""
    else:
        state = "failed" if record.code else "done"
        took = (record.ended - record.began) // 1_000_000_000
        told = f"code {record.code}" if record.code else "done"
        result = f"{told} in {took} s: {record.said}" if record.said else f"{told} in {took} s"
    return {
        "job": job.name,
        "state": state,
        "last": log_time(record.began) if record is not None else "",
        "result": result,
        "next": "by hand",
        "what": job.what,
        "command": " ".join(job.words),
    }
