"""The sweeps that are kept: which there are, one read again from its journal, one removed."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, final

from engine.config.kept_names import LAST, find_kept
from engine.errors import DataError, NothingFound, OperatorError, PatangError, in_words
from engine.research.trials import SweepPoint, SweepRow
from store.trial_journal import TrialJournal
from tui.commands.research.sweep_files import TRIALS
from tui.commands.research.sweep_manifest import (
    SweepManifest,
    SweepOutcome,
    named_trials,
    rows_of,
    unwanted_trials,
)

GONE: Final = ".removed-"
"""Beginning of the name of a sweep that is being removed: a kill leaves no half of one."""
UNREADABLE: Final = "cannot be read"


class SweepEntry(NamedTuple):
    """A kept sweep in the list; `best` is the highest score, None where none was studied.

    `state` is whole, damaged, stopped, running, or that it cannot be read; `size` in bytes.
    """

    name: str
    made: str
    strategies: str
    trials: int
    wanted: int
    symbols: int
    days: int
    state: str
    best: float | None
    size: int


@final
class SweepShelf:
    """The folder of all sweeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> list[SweepEntry]:
        """Return the sweeps, the newest first."""
        found = [sweep_entry(self.folder / name) for name in self.names()]
        return sorted(found, key=lambda entry: (entry.made, entry.name), reverse=True)

    def names(self) -> list[str]:
        """Return the names of all sweeps, in order."""
        try:
            inside = [each for each in self.folder.iterdir() if each.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OperatorError(f"{self.folder}: {in_words(error)}") from error
        return sorted(each.name for each in inside if not each.name.startswith("."))

    def is_running(self, name: str) -> bool:
        """Return whether a process appends to a sweep at this moment."""
        return TrialJournal(self.folder / name).is_running

    def command_of(self, name: str) -> str:
        """Return the command that a sweep was made by, empty where that cannot be read."""
        try:
            manifest = TrialJournal(self.folder / name).read_manifest(SweepManifest)
        except PatangError:
            return ""
        return manifest.command if manifest is not None else ""

    def find(self, text: str) -> str:
        """Return the sweep whose name begins so, or the `last`.

        Raise `NothingFound` where there is none, or several.
        """
        names = self.names()
        if not names:
            raise NothingFound(f"no sweeps in {self.folder}: see patang sweep")
        # only the last one asks for their times, which are in their journals
        newest = [each.name for each in self.entries()] if text == LAST else names
        return find_kept(text, newest, "sweep")

    def load(self, name: str) -> SweepOutcome:
        """Return a sweep out of its journal; nothing is run, no bars are read.

        Raise `NothingFound` where it has no trial yet, `DataError` for what cannot be read.
        """
        journal = TrialJournal(self.folder / name)
        manifest = journal.read_manifest(SweepManifest)
        if manifest is None:
            raise NothingFound(f"{name}: nothing is written down yet")
        if not manifest.days:
            raise DataError(
                f"{name} is of an earlier patang, whose journal has not all: run it again, "
                f"{manifest.command}"
            )
        points = journal.points()
        rows = rows_of(manifest, points, journal.results(len(manifest.days)))
        if not rows:
            raise NothingFound(f"{name}: no trial is finished yet")
        refused = [point for point in points if point.refusal]
        missing = _missing_trials(manifest, points, rows) if manifest.whole else 0
        return SweepOutcome(manifest, rows, refused, 0, journal.folder, missing)

    def remove(self, names: Sequence[str]) -> None:
        """Remove sweeps by their whole names; raise `OperatorError`, and remove none, if one runs.

        What an earlier removal has left behind when it was killed goes with them.
        """
        if running := [name for name in names if TrialJournal(self.folder / name).is_running]:
            raise OperatorError(f"{running[0]} runs at the moment: nothing was removed")
        try:
            for name in names:
                with TrialJournal(self.folder / name).lock():
                    (self.folder / name).rename(self.folder / f"{GONE}{name}")
            for left in self.folder.glob(f"{GONE}*"):
                shutil.rmtree(left)
        except OSError as error:
            raise OperatorError(f"{self.folder}: {in_words(error)}") from error


def sweep_entry(folder: Path) -> SweepEntry:
    """Return the sweep of a folder, which is read whole."""
    journal = TrialJournal(folder)
    size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    try:
        manifest = journal.read_manifest(SweepManifest)
        done = 0 if manifest is None else len(journal.results(len(manifest.days)))
        best = _best_score(folder / TRIALS)
    except PatangError:
        manifest, best, done = None, None, 0
    if manifest is None:
        return SweepEntry(folder.name, "", "", 0, 0, 0, 0, UNREADABLE, None, size)
    wanted = manifest.wanted - unwanted_trials(manifest, journal.points())
    whole = "whole" if done >= wanted else "damaged"
    state = whole if manifest.whole else "stopped"
    return SweepEntry(
        folder.name,
        manifest.made,
        strategies=", ".join(sorted(manifest.basis.sources)),
        trials=done,
        wanted=wanted,
        symbols=len(manifest.symbols),
        days=len(manifest.days),
        state="running" if journal.is_running else state,
        best=best,
        size=size,
    )


def _missing_trials(
    manifest: SweepManifest, points: Sequence[SweepPoint], rows: Sequence[SweepRow]
) -> int:
    """Return how many trials of a whole sweep have no result any more."""
    done = {row.name for row in rows}
    without = sum(
        name not in done
        for point in points
        if not (point.refusal or point.pruned)
        for name, _ in named_trials(manifest, point)
    )
    # A point whose line is damaged has lost all of its trials.
    return max(without, manifest.wanted - unwanted_trials(manifest, points) - len(done))


def _best_score(file: Path) -> float | None:
    """Return the highest score of the trials that were studied last; None where none were."""
    # most sweeps of a list are known already, and need no such library
    import pyarrow.parquet as pq

    try:
        scores = pq.read_table(file, columns=["score"]).column("score").to_pylist()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    return max(scores, default=None)
