"""A recorded feed played again: what the desk's kernel took, in the order in which it took it."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, final

from brokers.kite.conflate import Conflation
from compiled.events import BandUpdate, Ticks, Timer
from compiled.frames import Decoder
from engine.history.recorded import BAND, COUNT, LOST, Kind, Record

NOTED: Final = frozenset({Kind.TIMER, Kind.BAND})


@final
class Playback:
    """Turns the records of one run into the kernel's events.

    `lost` counts records that the recording tells of and does not have, `astray` how often it says other than what follows
    from it: with either, bars may differ from those of the desk.
    """

    def __init__(self) -> None:
        self.frames = 0
        """Binary frames that came."""
        self.lost = 0
        self.astray = 0
        self.decoder = Decoder()
        self._held = Conflation()
        self._waiting: deque[Ticks | None] = deque()
        """What has come and the kernel has not taken; None: lost."""
        self._taken = 0

    def events(self, records: Iterable[Record]) -> Iterator[Ticks | Timer | BandUpdate]:
        """Go through what the kernel took, up to the end of the recording."""
        for record in records:
            kind = record.kind
            if kind == Kind.FRAME:
                self.frames += 1
                self._come(record.payload, record.ts)
            elif kind == Kind.HELD:
                self.frames += 1
                self._held.add(record.payload)
            elif kind == Kind.RELEASE:
                self._release(record)
            elif kind in NOTED:
                yield from self._before(COUNT.unpack_from(record.payload)[0])
                yield _noted(record)
            elif kind == Kind.LOST:
                frames, records_lost = LOST.unpack(record.payload)
                self.lost += records_lost
                self._waiting.extend([None] * frames)
        yield from self._before(self._taken + len(self._waiting))

    def _come(self, payload: bytes, received: int) -> None:
        if ticks := self.decoder.decode(payload, received):
            self._waiting.append(Ticks(received, ticks))

    def _release(self, record: Record) -> None:
        frames = self._held.release()
        self.astray += len(frames) != COUNT.unpack(record.payload)[0]
        for frame in frames:
            self._come(frame, record.ts)

    def _before(self, taken: int) -> Iterator[Ticks]:
        """Take frames until so many have been taken."""
        while self._taken < taken and self._waiting:
            self._taken += 1
            if (ticks := self._waiting.popleft()) is not None:
                yield ticks
        if self._taken < taken:
            self.astray += 1
            self._taken = taken


def _noted(record: Record) -> Timer | BandUpdate:
    if record.kind == Kind.TIMER:
        return Timer(record.ts)
    _, token, lower, upper = BAND.unpack(record.payload)
    return BandUpdate(record.ts, token, lower, upper)
