"""The rows of the list: the desk, what runs, results, sweeps and bias checks, the newest first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, final

from engine.errors import PatangError
from store.backtest_results import BiasCheck, ListedRun, ResultStore
from tui.app.research_port import ResultRow
from tui.commands.research.sweep_shelf import SweepEntry, SweepShelf, sweep_entry
from tui.commands.research_screen.started_jobs import KeptJob, StartedJobs

MOST_RUNS: Final = 5_000
DESK: Final = "desk"
VERDICTS: Final = {"fail": "danger", "warn": "notice", "pass": "up"}
SWEEP_STATES: Final = {"whole": "", "running": "focus", "stopped": "notice"}


@final
class ResultList:
    """All rows; what has not changed on the disk is not read again."""

    def __init__(self, results: ResultStore, shelf: SweepShelf, jobs: StartedJobs) -> None:
        self._results = results
        self._shelf = shelf
        self._jobs = jobs
        self._entries: dict[str, tuple[object, SweepEntry]] = {}
        self._commands: dict[str, str] = {}
        self._stored: tuple[object, list[ResultRow]] = (None, [])

    def rows(self, mode: str) -> list[ResultRow]:
        """Return the rows; what cannot be read is a row that says why."""
        jobs = [*self._living_jobs()]
        rows: list[ResultRow] = []
        # a file that is damaged must not hide the sweeps, nor a sweep the results
        try:
            rows += self._kept_rows()
        except PatangError as error:
            rows.append(_fault_row("results", str(error)))
        try:
            by_command = {" ".join(["patang", *job.words]): job for job in jobs}
            for entry in self._sweep_entries():
                job = by_command.pop(self._commands.get(entry.name, ""), None)
                row = _sweep_row(entry, job)
                if job is not None and row.runs and (said := self._jobs.row(job)).share > 0.0:
                    # rate and time left: its own journal only tells what is done
                    row = row._replace(state=said.state, share=said.share)
                rows.append(row)
        except PatangError as error:
            rows.append(_fault_row("sweeps", str(error)))
            by_command = {job.number: job for job in jobs}
        rows += map(self._jobs.row, by_command.values())
        rows = [
            row._replace(ends=row.runs and self._jobs.ends_with_screen(row.job)) for row in rows
        ]
        # what runs is what one waits for: it stands above everything
        rows.sort(key=lambda row: (row.runs, row.made, row.key), reverse=True)
        desk = ResultRow(DESK, "desk", "", f"this {mode} desk", state="its days")
        return [desk, *rows]

    def _living_jobs(self) -> Iterator[KeptJob]:
        for job in self._jobs.jobs():
            if not self._jobs.is_over(job):
                yield job

    def _kept_rows(self) -> list[ResultRow]:
        stamp = [
            _file_stamp(self._results.path.with_name(f"{self._results.path.name}{end}"))
            for end in ("", "-wal", "-journal")
        ]
        # SQLite writes to its log first: the file itself may stay as it was
        if stamp != self._stored[0]:
            rows = [_run_row(each) for each in self._results.recent(MOST_RUNS)]
            rows += map(_check_row, self._results.checks())
            self._stored = stamp, rows
        return self._stored[1]

    def _sweep_entries(self) -> Iterator[SweepEntry]:
        names = self._shelf.names()
        self._entries = {name: kept for name, kept in self._entries.items() if name in names}
        for name in names:
            folder = self._shelf.folder / name
            # a sweep is read whole to count its trials: only where one of its files has changed
            files = ("sweep.json", "points.jsonl", "trials.jsonl", "trials.parquet")
            running = self._shelf.is_running(name)
            stamp = [running, *(_file_stamp(folder / file) for file in files)]
            kept = self._entries.get(name)
            # its lock alone tells that it runs
            if kept is None or kept[0] != stamp:
                kept = self._entries[name] = stamp, sweep_entry(folder)
                self._commands[name] = self._shelf.command_of(name)
            yield kept[1]


def _file_stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _fault_row(what: str, text: str) -> ResultRow:
    return ResultRow(f"fault {what}", "fault", "", what, state=text, tone="danger")


def _run_row(listed: ListedRun) -> ResultRow:
    run = listed.stored
    verdict = run.verdict.partition(":")[0]
    return ResultRow(
        f"backtest {run.run}",
        "backtest",
        run.made,
        run.name,
        # an index has fifty names: their number says as much
        ",".join(listed.symbols) or f"{run.symbols} symbols",
        run.first,
        run.last,
        days=listed.sessions,
        net=run.net / 100,
        sharpe=run.sharpe,
        luck=listed.luck,
        drawdown=run.drawdown,
        trades=run.trades,
        state=f"{verdict}, stopped" if run.partial else verdict,
        tone=VERDICTS.get(verdict, ""),
        note=listed.note,
    )


def _check_row(check: BiasCheck) -> ResultRow:
    verdict = check.verdict.partition(":")[0]
    return ResultRow(
        f"check {check.name}",
        "check",
        check.made,
        check.name,
        state=f"{verdict}, stopped" if check.stopped else verdict,
        tone=VERDICTS.get(verdict, ""),
        note=check.about.partition(": ")[2],
    )


def _sweep_row(entry: SweepEntry, job: KeptJob | None) -> ResultRow:
    done = f"{entry.trials:,} trials"
    if entry.state != "whole":
        done = f"{entry.trials:,}/{entry.wanted:,}, {entry.state}"
    running = entry.state == "running"
    return ResultRow(
        f"sweep {entry.name}",
        "sweep",
        entry.made,
        entry.strategies or entry.name,
        f"{entry.symbols} symbols" if entry.symbols != 1 else "1 symbol",
        days=entry.days,
        trades=-1,
        state=done,
        tone=SWEEP_STATES.get(entry.state, "danger"),
        share=entry.trials / max(entry.wanted, 1) if running else -1.0,
        job=job.number if job is not None else "",
        note="" if entry.best is None else f"best {entry.best:.3g}",
    )
