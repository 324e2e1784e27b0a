"""A recorded feed played again: what the desk's kernel took, in the order in which it took it."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, final

from brokers.connection import FrameFormat
from compiled.model.events import BandUpdate, TickBatch, TimerEvent
from compiled.model.values import Tick
from engine.history.feed_recording import (
    BAND,
    COUNT,
    LOST,
    NotedEvent,
    RecordedEvent,
    RecordKind,
    added_instrument,
)

NOTED: Final = frozenset({RecordKind.TIMER, RecordKind.BAND, RecordKind.ADDED})


class PlayedFrame(NamedTuple):
    """The ticks of a frame, and its receipt (ns UTC); `unread` is one that is not whole."""

    received: int
    ticks: list[Tick]
    unread: bytes


@final
class FeedPlayback:
    """Playback of one run's records, as its desk took them.

    `lost` counts records that the recording reports missing, `astray` how often it disagrees with
    what follows from it: with either, bars may differ from those of the desk.
    """

    def __init__(self, frames: FrameFormat) -> None:
        self.frames = 0
        """Binary frames that came."""
        self.lost = 0
        self.astray = 0
        self.decoder = frames.reader()
        self._held = frames.hold()
        self._waiting: deque[PlayedFrame | None] = deque()
        """What has come and the kernel has not taken; None: lost."""
        self._taken = 0

    def events(self, records: Iterable[RecordedEvent]) -> Iterator[TickBatch | NotedEvent]:
        """Go through what the kernel took, up to the end of the recording."""
        for each in self.frames_and_events(records):
            if not isinstance(each, PlayedFrame):
                yield each
            elif each.ticks:
                yield TickBatch(each.received, each.ticks)

    def frames_and_events(
        self, records: Iterable[RecordedEvent]
    ) -> Iterator[PlayedFrame | NotedEvent]:
        """Go through what the desk took, frame by frame."""
        for record in records:
            kind = record.kind
            if kind == RecordKind.FRAME:
                self.frames += 1
                self._enqueue_frame(record.payload, record.ts)
            elif kind == RecordKind.HELD:
                self.frames += 1
                self._held.add(record.payload)
            elif kind == RecordKind.RELEASE:
                self._release_held(record)
            elif kind in NOTED:
                yield from self._frames_before(COUNT.unpack_from(record.payload)[0])
                yield _noted_event(record)
            elif kind == RecordKind.LOST:
                frames, records_lost = LOST.unpack(record.payload)
                self.lost += records_lost
                self._waiting.extend([None] * frames)
        yield from self._frames_before(
            self._taken + sum(each is None or bool(each.ticks) for each in self._waiting)
        )

    def _enqueue_frame(self, payload: bytes, received: int) -> None:
        ticks = self.decoder.decode(payload, received)
        unread = b"" if self.decoder.whole else payload
        self._waiting.append(PlayedFrame(received, ticks, unread))

    def _release_held(self, record: RecordedEvent) -> None:
        frames = self._held.release()
        self.astray += len(frames) != COUNT.unpack(record.payload)[0]
        for frame in frames:
            self._enqueue_frame(frame, record.ts)

    def _frames_before(self, taken: int) -> Iterator[PlayedFrame]:
        """Take frames until so many with ticks are taken, and others that come before the next."""
        waiting = self._waiting
        while waiting and (self._taken < taken or not (waiting[0] is None or waiting[0].ticks)):
            frame = waiting.popleft()
            self._taken += frame is None or bool(frame.ticks)
            if frame is not None:
                yield frame
        if self._taken < taken:
            self.astray += 1
            self._taken = taken


def _noted_event(record: RecordedEvent) -> NotedEvent:
    if record.kind == RecordKind.TIMER:
        return TimerEvent(record.ts)
    if record.kind == RecordKind.ADDED:
        return added_instrument(record.ts, record.payload)
    _, token, lower, upper = BAND.unpack(record.payload)
    return BandUpdate(record.ts, token, lower, upper)
