"""Recordings of the feed on the command line: runs of a day, and one played again."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from brokers.connection import FrameFormat
from brokers.recorded.feed_playback import FeedPlayback
from brokers.registry import ADAPTERS, frames_of
from compiled.model.events import TickBatch
from compiled.model.values import Bar, Instrument
from engine.config.desk_modes import MODES
from engine.config.schema import DeskConfig
from engine.errors import DataError, NothingFound
from engine.history.feed_recording import (
    BarDigest,
    NotedEvent,
    RecordedEvent,
    RecordKind,
    added_instrument,
    kernel_of,
)
from store.recordings.archived_recordings import ArchivedRecordings
from store.recordings.recording_blocks import BlockScan, RecordingPart, recording_parts
from tui.run.bar_stores import archive_of, archived_recordings
from tui.run.run_records import recordings_folder


class RecordedRun(NamedTuple):
    """A desk's recording of one day."""

    mode: str
    day: str
    number: int
    parts: tuple[RecordingPart, ...]
    archive: ArchivedRecordings | None = None

    def path(self, part: RecordingPart) -> Path:
        """Return a part's file, which comes out of the archive where it is not here."""
        return part.path if self.archive is None else self.archive.bring(self.mode, part)

    @property
    def is_archived(self) -> bool:
        """Return whether a part lies in the archive alone."""
        return self.archive is not None and not all(part.path.exists() for part in self.parts)

    @property
    def name(self) -> str:
        """Return its name on the command line."""
        return f"{self.mode}/{self.day}/{self.number}"

    @property
    def lacks_parts(self) -> bool:
        """Return whether its first part has been removed, or one in the middle."""
        return [each.part for each in self.parts] != list(range(1, len(self.parts) + 1))


class RecordingOutcome(NamedTuple):
    """Outcome of a replay; `expected` is the desk's own at its end, empty where it had none."""

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
    def is_whole(self) -> bool:
        """Return whether nothing is missing between its first record and its last."""
        return not (self.lost or self.astray or self.damaged or self.cut)

    @property
    def matches_desk(self) -> bool:
        """Return whether ticks, bars and digest are those of the recorded desk."""
        return {name: self.expected.get(name) for name in ("ticks", "bars", "digest")} == {
            "ticks": self.ticks,
            "bars": self.bars,
            "digest": self.digest,
        }


def recorded_runs(
    folder: Path, mode: str, archive: ArchivedRecordings | None = None
) -> list[RecordedRun]:
    """Return the runs below a mode's folder of recordings and in the archive, oldest first."""
    there = {each[:3]: each for each in archive.parts(mode)} if archive is not None else {}
    # a part that lies here as well is read from here
    there |= {each[:3]: each for each in recording_parts(folder)}
    grouped = groupby(sorted(there.values()), key=lambda each: (each.day, each.run))
    return [RecordedRun(mode, day, number, tuple(each), archive) for (day, number), each in grouped]


def all_runs(config: DeskConfig, mode: str | None = None) -> list[RecordedRun]:
    """Return the runs of every mode, or of one, those in the archive included."""
    archive = archive_of(config)
    away = archived_recordings(config, archive) if archive is not None else None
    return [
        run
        for each in MODES
        if mode in {None, each}
        for run in recorded_runs(recordings_folder(config, each), each, away)
    ]


def find_run(found: Sequence[RecordedRun], name: str) -> RecordedRun:
    """Return the run of a name, or the last one of a mode, a day, or of all.

    Raise `NothingFound`.
    """
    matching = [
        run
        for run in found
        if not name or run.name == name or run.name.startswith(f"{name}/") or run.day == name
    ]
    if not matching:
        raise NothingFound(
            f"no recording {name}: `patang ticks list` shows what there is"
            if name
            else "nothing has been recorded yet: feed.record says whether the feed is"
        )
    return max(matching, key=_recency_key)


def _recency_key(run: RecordedRun) -> tuple[float, str, int]:
    path = run.parts[-1].path
    # whatever is still here is younger than all that has gone to the archive
    return 0.0 if run.is_archived else path.stat().st_mtime, run.day, run.number


class RecordedRunReader:
    """Reads a run's records; knows afterwards what was damaged, and how its day began and ended."""

    def __init__(self, run: RecordedRun) -> None:
        self._run = run
        self.damaged = 0
        self.cut = False
        self.ended: dict[str, Any] = {}
        self.began = 0
        """When the recorded desk began its day, ns UTC."""
        self.meta = self._read_meta()
        self.broker = str(self.meta.get("broker", "kite"))
        """Whose messages they are; the first recordings do not say so, and are Kite's."""
        if self.broker not in ADAPTERS:
            raise DataError(f"{run.name}: a recording of {self.broker}, which is no broker here")

    @property
    def frames(self) -> FrameFormat:
        """Return the form of its messages."""
        return frames_of(self.broker)

    def added_instruments(self) -> list[Instrument]:
        """Return what came under watch while the recording ran, which is read for it to its end."""
        return [
            added_instrument(record.ts, record.payload).instrument
            for record in self.records()
            if record.kind == RecordKind.ADDED
        ]

    def _read_meta(self) -> dict[str, Any]:
        for records in BlockScan(self._run.path(self._run.parts[0])).records():
            if records[0].kind == RecordKind.META:
                self.began = records[0].ts
                return _record_object(records[0])
            break
        raise DataError(
            f"{self._run.name}: the recording does not say how its day began: "
            f"{self._run.parts[0].path} is cut or damaged"
        )

    def records(self, since: int = 0) -> Iterator[RecordedEvent]:
        """Go through the records in order, but for blocks that end before `since` (ns UTC)."""
        self.damaged, self.cut, self.ended = 0, False, {}
        for part in self._run.parts:
            scan = BlockScan(self._run.path(part))
            for records in scan.records(since):
                for record in records:
                    if record.kind == RecordKind.END:
                        self.ended = _record_object(record)
                yield from records
            self.damaged += scan.damaged
            # of the last part alone: any other was closed before the next one began
            self.cut = scan.cut


def play_run(
    reading: RecordedRunReader,
    show: Callable[[TickBatch | NotedEvent, Sequence[Bar]], None],
) -> RecordingOutcome:
    """Play a run through a kernel without strategies.

    `show` is called with each event and the bars it closed.
    """
    kernel, digest, playback = kernel_of(reading.meta), BarDigest(), FeedPlayback(reading.frames)
    for event in playback.events(reading.records()):
        kernel.handle(event)
        bars, kernel.market_feed.closed_bars = kernel.market_feed.closed_bars, []
        digest.add_bars(bars)
        show(event, bars)
    return RecordingOutcome(
        int(kernel.state.tick_count),
        digest.count,
        digest=digest.hex(),
        frames=playback.frames,
        bad_frames=int(playback.decoder.bad_frames + playback.decoder.bad_packets),
        lost=playback.lost,
        astray=playback.astray,
        damaged=reading.damaged,
        cut=reading.cut,
        expected=reading.ended,
    )


def ticks_of(reading: RecordedRunReader, since: int, until: int) -> Iterable[TickBatch]:
    """Return the ticks of every frame of [since, until) ns UTC: none is conflated."""
    playback = FeedPlayback(reading.frames)
    came = (
        # what the desk held back has come all the same; as HELD it would wait for its release
        record._replace(kind=RecordKind.FRAME)
        for record in reading.records(since)
        if record.kind in {RecordKind.FRAME, RecordKind.HELD} and since <= record.ts < until
    )
    return (event for event in playback.events(came) if isinstance(event, TickBatch))


def _record_object(record: RecordedEvent) -> dict[str, Any]:
    try:
        found = json.loads(record.payload)
    except ValueError as error:
        raise DataError(f"no recording of this version: {error}") from None
    if not isinstance(found, dict):
        raise DataError("no recording of this version")
    return found
