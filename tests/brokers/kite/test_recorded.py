"""A recorded feed gives the kernel what the feed gave it, frame by frame, held ones included."""

import asyncio
import time

import pytest

from brokers import registry
from brokers.recorded.feed_playback import FeedPlayback
from compiled.model.events import BandUpdate, TickBatch, TimerEvent
from engine.history.feed_recording import BAND, COUNT, LOST, RecordedEvent, RecordKind
from tests.brokers.kite.test_pressure import a_feed, packets, running, until


class Kept:
    """A record in memory."""

    def __init__(self):
        self.records = []

    def put(self, *record):
        self.records.append(RecordedEvent(*record))


def told(events):
    """What a kernel sees of events."""
    return [
        (int(event.ts), [(int(t.token), t.ltp, int(t.ts)) for t in event.ticks])
        if isinstance(event, TickBatch)
        else (type(event).__name__, int(event.ts))
        for event in events
    ]


def frames_of(sink):
    return [
        (now, [(int(t.token), t.ltp, int(t.ts) or now) for t in ticks])
        for ticks, now, _ in sink.frames
        if ticks
    ]


@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
async def test_the_desk_hears_the_same_from_the_recording(sockets, clock, sink, late):
    go, home, record = asyncio.Event(), asyncio.Event(), Kept()

    async def behave(socket, number):
        if number > 1:
            return
        await socket.send_bytes(b"\x00")
        await socket.send_str('{"type":"message","data":"hello"}')
        await go.wait()
        for price in range(1, 201):
            await socket.send_bytes(packets((257, price), (513, price)))
        await socket.send_bytes(b"\x00\x02\x00\x08\x00\x00")
        await socket.send_bytes(packets((257, 500)))
        await home.wait()

    sockets.behave = behave
    feed = a_feed(sockets, clock, record=record, late_after=0.05 if late else 60.0)
    async with running(feed, sink):
        await until(lambda: sink.notices)
        go.set()
        if late:
            await asyncio.sleep(0)
            time.sleep(0.3)  # noqa: ASYNC251 (a desk that computes)
        await until(lambda: frames_of(sink)[-1:] and frames_of(sink)[-1][1][-1][:2] == (257, 5.0))
        home.set()
    kinds = [each.kind for each in record.records]
    assert (RecordKind.HELD in kinds) is late
    assert sum(kind in {RecordKind.FRAME, RecordKind.HELD} for kind in kinds) == 202
    assert [each.payload for each in record.records if each.kind == RecordKind.TEXT] == [
        b'{"type":"message","data":"hello"}'
    ]
    assert kinds.count(RecordKind.BEAT) == 1
    assert [each.payload for each in record.records if each.kind == RecordKind.LINK] == [b"up"]
    playback = FeedPlayback(registry.frames_of("kite"))
    assert told(playback.events(record.records)) == frames_of(sink)
    assert (playback.frames, playback.lost, playback.astray) == (202, 0, 0)
    assert playback.decoder.bad_frames == 1


def frame(at, price):
    return RecordedEvent(RecordKind.FRAME, 1, at, packets((257, price)))


def names(records):
    playback = FeedPlayback(registry.frames_of("kite"))
    events = list(playback.events(records))
    seen = [round(e.ticks[0].ltp * 100) if isinstance(e, TickBatch) else type(e) for e in events]
    return seen, playback.lost, playback.astray


def test_a_timer_comes_after_as_many_frames_as_the_kernel_had_taken():
    timer = RecordedEvent(RecordKind.TIMER, 0, 9, COUNT.pack(1))
    band = RecordedEvent(RecordKind.BAND, 0, 9, BAND.pack(2, 257, 90.0, 110.0))
    # two frames had come when the timer was taken, one of them had been taken
    assert names([frame(1, 5), frame(2, 6), timer, frame(3, 7), band]) == (
        [5, TimerEvent, 6, BandUpdate, 7],
        0,
        0,
    )


def test_frames_that_were_lost_are_counted_where_they_were():
    lost = RecordedEvent(RecordKind.LOST, 0, 2, LOST.pack(2, 3))
    timer = RecordedEvent(RecordKind.TIMER, 0, 9, COUNT.pack(4))
    assert names([frame(1, 5), lost, frame(3, 7), frame(4, 8), timer]) == (
        [5, 7, TimerEvent, 8],
        3,
        0,
    )


def test_a_recording_that_contradicts_itself_says_so():
    early = RecordedEvent(RecordKind.TIMER, 0, 9, COUNT.pack(3))
    released = RecordedEvent(RecordKind.RELEASE, 0, 9, COUNT.pack(2))
    assert names([frame(1, 5), early, released]) == ([5, TimerEvent], 0, 2)
