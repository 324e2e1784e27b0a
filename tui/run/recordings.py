"""Recordings of the feed as the command line knows them: runs of a day, and a run played through a kernel again."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from brokers.kite.recorded import Playback
from compiled.events import BandUpdate, Ticks, Timer
from compiled.model import Bar
from engine.config import Config
from engine.errors import DataError, NothingFound
from engine.history.recorded import BarDigest, Kind, Record, kernel_of
from engine.modes import MODES
from store.recordings.archived import ArchivedRecordings
from store.recordings.blocks import Part, Scan, parts
from tui.runs import recordings_folder
from tui.shelves import archive_of, archived_recordings


class RecordedRun(NamedTuple):
    """What one desk has recorded of one day."""

    mode: str
    day: str
    number: int
    parts: tuple[Part, ...]
    archive: ArchivedRecordings | None = None

    def path(self, part: Part) -> Path:
        """Return a part's file, which comes out of the archive where it is not here."""
        return part.path if self.archive is None else self.archive.bring(self.mode, part)

    @property
    def away(self) -> bool:
        """Tell whether a part lies in the archive alone."""
        return self.archive is not None and not all(part.path.exists() for part in self.parts)

    @property
    def name(self) -> str:
        """Return what it is called on the command line."""
        return f"{self.mode}/{self.day}/{self.number}"

    @property
    def beheaded(self) -> bool:
        """Tell whether its first part has been removed, or one in the middle."""
        return [each.part for each in self.parts] != list(range(1, len(self.parts) + 1))


class Outcome(NamedTuple):
    """What a replay came to; `expected` is what the desk wrote down at its end, empty where it could not."""

    ticks: int
    bars: int
    digest: str
    frames: int
    bad_frames: int
    lost: int
    astray: int
    damaged: int
    cut: bool
    expected: dict[str, Any]

    @property
    def whole(self) -> bool:
        """Tell whether nothing is missing between its first record and its last."""
        return not (self.lost or self.astray or self.damaged or self.cut)

    @property
    def equal(self) -> bool:
        """Tell whether ticks, bars and digest are those of the desk that recorded it."""
        return {name: self.expected.get(name) for name in ("ticks", "bars", "digest")} == {
            "ticks": self.ticks, "bars": self.bars, "digest": self.digest,
        }  # fmt: skip


def runs(folder: Path, mode: str, archive: ArchivedRecordings | None = None) -> list[RecordedRun]:
    """Return the runs below a mode's folder of recordings and in the archive, oldest first."""
    there = {each[:3]: each for each in archive.parts(mode)} if archive is not None else {}
    there |= {each[:3]: each for each in parts(folder)}
    grouped = groupby(sorted(there.values()), key=lambda each: (each.day, each.run))
    return [RecordedRun(mode, day, number, tuple(each), archive) for (day, number), each in grouped]


def all_runs(config: Config, mode: str | None = None) -> list[RecordedRun]:
    """Return the runs of every mode, or of one, those in the archive included."""
    archive = archive_of(config)
    away = archived_recordings(config, archive) if archive is not None else None
    return [run for each in MODES if mode in {None, each} for run in runs(recordings_folder(config, each), each, away)]


def named(found: Sequence[RecordedRun], name: str) -> RecordedRun:
    """Return the run of a name as `list` shows it, or the last one of a mode, a day, or of all; raise `NothingFound`."""
    matching = [
        run for run in found if not name or run.name == name or run.name.startswith(f"{name}/") or run.day == name
    ]
    if not matching:
        raise NothingFound(
            f"no recording {name}: `patang ticks list` shows what there is"
            if name
            else "nothing has been recorded yet: feed.record says whether the feed is"
        )
    return max(matching, key=_last)


def _last(run: RecordedRun) -> tuple[float, str, int]:
    path = run.parts[-1].path
    return 0.0 if run.away else path.stat().st_mtime, run.day, run.number


class Reading:
    """Reads a run's records; knows afterwards what was damaged, and how its day began and ended."""

    def __init__(self, run: RecordedRun) -> None:
        self._run = run
        self.damaged = 0
        self.cut = False
        self.ended: dict[str, Any] = {}
        self.began = 0
        """When the recorded desk began its day, ns UTC."""
        self.meta = self._first()

    def _first(self) -> dict[str, Any]:
        for records in Scan(self._run.path(self._run.parts[0])).records():
            if records[0].kind == Kind.META:
                self.began = records[0].ts
                return _object(records[0])
            break
        raise DataError(
            f"{self._run.name}: the recording does not say how its day began: {self._run.parts[0].path} is damaged"
        )

    def records(self, since: int = 0) -> Iterator[Record]:
        """Go through the records in order, but for blocks that end before `since` (ns UTC)."""
        self.damaged, self.cut, self.ended = 0, False, {}
        for part in self._run.parts:
            scan = Scan(self._run.path(part))
            for records in scan.records(since):
                for record in records:
                    if record.kind == Kind.END:
                        self.ended = _object(record)
                yield from records
            self.damaged += scan.damaged
            self.cut = scan.cut


def play(reading: Reading, show: Callable[[Ticks | Timer | BandUpdate, Sequence[Bar]], None]) -> Outcome:
    """Play a run through a kernel without strategies; `show` is handed each event and the bars it closed."""
    kernel, digest, playback = kernel_of(reading.meta), BarDigest(), Playback()
    for event in playback.events(reading.records()):
        kernel.handle(event)
        bars, kernel.closed_bars = kernel.closed_bars, []
        digest.take(bars)
        show(event, bars)
    return Outcome(
        int(kernel.ticks), digest.count, digest.hex(), playback.frames,
        int(playback.decoder.bad_frames + playback.decoder.bad_packets), playback.lost, playback.astray, reading.damaged,
        reading.cut, reading.ended,
    )  # fmt: skip


def ticks_of(reading: Reading, since: int, until: int) -> Iterable[Ticks]:
    """Return the ticks of every frame that came in [since, until) ns UTC, as they came: none is conflated."""
    playback = Playback()
    came = (
        record._replace(kind=Kind.FRAME)
        for record in reading.records(since)
        if record.kind in {Kind.FRAME, Kind.HELD} and since <= record.ts < until
    )
    return (event for event in playback.events(came) if isinstance(event, Ticks))


def _object(record: Record) -> dict[str, Any]:
    try:
        found = json.loads(record.payload)
    except ValueError as error:
        raise DataError(f"no recording of this version: {error}") from None
    if not isinstance(found, dict):
        raise DataError("no recording of this version")
    return found
