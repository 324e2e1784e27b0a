"""A recorded feed played again: what the desk's kernel took, in the order in which it took it."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, final

from brokers.kite.conflate import Conflation
from compiled.events import BandUpdate, Ticks, Timer
from compiled.frames import Decoder
from compiled.model import Tick
from engine.history.recorded import BAND, COUNT, LOST, Kind, Record

NOTED: Final = frozenset({Kind.TIMER, Kind.BAND})


class Frame(NamedTuple):
    """A binary frame that went to the desk, when it was received (ns UTC), and the ticks in it; none: no good packet."""

    payload: bytes
    received: int
    ticks: list[Tick]


@final
class Playback:
    """Turns the records of one run into what its desk took.

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
        self._waiting: deque[Frame | None] = deque()
        """What has come and the kernel has not taken; None: lost."""
        self._taken = 0

    def events(self, records: Iterable[Record]) -> Iterator[Ticks | Timer | BandUpdate]:
        """Go through what the kernel took, up to the end of the recording."""
        for each in self.taken(records):
            if not isinstance(each, Frame):
                yield each
            elif each.ticks:
                yield Ticks(each.received, each.ticks)

    def taken(self, records: Iterable[Record]) -> Iterator[Frame | Timer | BandUpdate]:
        """Go through what the desk took, frames before they are decoded."""
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
        yield from self._before(self._taken + sum(each is None or bool(each.ticks) for each in self._waiting))

    def _come(self, payload: bytes, received: int) -> None:
        self._waiting.append(Frame(payload, received, self.decoder.decode(payload, received)))

    def _release(self, record: Record) -> None:
        frames = self._held.release()
        self.astray += len(frames) != COUNT.unpack(record.payload)[0]
        for frame in frames:
            self._come(frame, record.ts)

    def _before(self, taken: int) -> Iterator[Frame]:
        """Take frames until so many with ticks have been taken, and what of others comes before the next."""
        waiting = self._waiting
        while waiting and (self._taken < taken or not (waiting[0] is None or waiting[0].ticks)):
            frame = waiting.popleft()
            self._taken += frame is None or bool(frame.ticks)
            if frame is not None:
                yield frame
        if self._taken < taken:
            self.astray += 1
            self._taken = taken


def _noted(record: Record) -> Timer | BandUpdate:
    if record.kind == Kind.TIMER:
        return Timer(record.ts)
    _, token, lower, upper = BAND.unpack(record.payload)
    return BandUpdate(record.ts, token, lower, upper)
