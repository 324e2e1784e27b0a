"""The feed under pressure, after a lost connection, and with silent tokens."""

import asyncio
import random
import struct
import time
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as some

from brokers.backfill.feed_gaps import FeedGap, merged_gaps, read_gap_bars
from brokers.kite.kite_feed import KiteFeed
from brokers.kite.packet_conflation import PER_FRAME, PacketConflation
from brokers.kite.silent_tokens import SilentTokens
from compiled.adapters.kite_frames import FrameDecoder
from compiled.model.values import Bar
from engine.errors import RetryableError
from tests.waiting import until

OPEN_NS = 1_767_325_500_000_000_000  # 2026-01-02 09:15:00 IST
MINUTE = 60_000_000_000


def packets(*pairs):
    """A frame of 8-byte packets from (token, paise)."""
    return struct.pack(">H", len(pairs)) + b"".join(struct.pack(">HII", 8, *pair) for pair in pairs)


def prices(frames):
    return [(int(t.token), round(t.ltp * 100)) for ticks, *_ in frames for t in ticks]


def released_prices(held):
    """What a desk hears of packets that were held."""
    return prices([(FrameDecoder().decode(frame, 0),) for frame in held.release()])


# conflation


def test_the_newest_packet_of_each_token_is_kept_and_the_others_are_counted():
    held = PacketConflation()
    for frame in (
        packets((257, 100), (513, 200)),
        packets((257, 101)),
        packets((769, 300), (257, 102)),
    ):
        held.add(frame)
    assert (len(held), held.conflated) == (3, 2)
    assert released_prices(held) == [(513, 200), (769, 300), (257, 102)]
    assert (len(held), held.release()) == (0, [])


@given(
    some.lists(
        some.lists(some.tuples(some.integers(1, 6), some.integers(1, 2**31)), max_size=8),
        max_size=20,
    )
)
def test_whatever_comes_the_last_price_of_every_token_goes_on_and_every_packet_is_counted(frames):
    held, last, count = PacketConflation(), {}, 0
    for frame in frames:
        held.add(packets(*((token << 8 | 1, price) for token, price in frame)))
        last |= {token << 8 | 1: price for token, price in frame}
        count += len(frame)
    released = released_prices(held)
    assert dict(released) == last
    assert len(released) + held.conflated == count


def test_a_frame_that_cannot_be_read_goes_on_whole():
    held, poison = PacketConflation(), b"\x00\x02\x00\x08\x00\x00"
    held.add(packets((257, 100)))
    held.add(poison)
    assert held.release() == [poison, packets((257, 100))]
    for _ in range(100):
        held.add(poison)
    assert (len(held.release()), held.lost) == (16, 84)


def test_many_tokens_go_on_in_frames_the_kernel_takes_in_milliseconds():
    held = PacketConflation()
    held.add(packets(*((number << 8 | 1, 5) for number in range(2_500))))
    assert [int.from_bytes(frame[:2], "big") for frame in held.release()] == [
        PER_FRAME,
        PER_FRAME,
        500,
    ]


def test_invented_tokens_fill_no_memory(monkeypatch):
    monkeypatch.setattr("brokers.kite.packet_conflation.MOST_TOKENS", 3)
    held = PacketConflation()
    held.add(packets(*((number << 8 | 1, 5) for number in range(5))))
    held.add(packets((1, 6)))
    assert (len(held), held.lost, held.conflated) == (3, 2, 1)


# the feed


def a_feed(sockets, clock, **options):
    options = {"dead_after": 5.0, "first_delay": 0.02, "longest_delay": 0.1, **options}
    return KiteFeed(sockets.url, "key", "token", clock, rng=random.Random(1), **options)


@asynccontextmanager
async def running(feed, sink):
    task = asyncio.ensure_future(feed.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(("dead_after", "holds"), [(5.0, True), (float("inf"), False)])
async def test_a_desk_that_fell_behind_gets_the_newest_prices_unless_in_lockstep(
    sockets, clock, sink, dead_after, holds
):
    told = asyncio.Event()

    async def behave(socket, number):
        await told.wait()
        for price in range(1, 401):
            await socket.send_bytes(packets((257, price), (513, price)))

    sockets.behave = behave
    feed = a_feed(sockets, clock, dead_after=dead_after)
    async with running(feed, sink):
        await until(lambda: sink.links == [True])
        await asyncio.sleep(0.1)
        told.set()
        await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 (a desk that computes)
        await until(lambda: prices(sink.frames)[-2:] == [(257, 400), (513, 400)])
        seen = prices(sink.frames)
    assert feed.frames_received == 400
    assert feed.conflation.conflated == 800 - len(seen)
    assert (feed.conflation.conflated > 0) is holds
    assert [price for token, price in seen if token == 257] == sorted(
        price for token, price in seen if token == 257
    )


async def test_a_desk_in_time_gets_every_packet(sockets, clock, sink):
    async def behave(socket, number):
        for price in range(1, 301):
            await socket.send_bytes(packets((257, price)))

    sockets.behave = behave
    feed = a_feed(sockets, clock, late_after=5.0)
    async with running(feed, sink):
        await until(lambda: len(sink.frames) == 300)
    assert (len(prices(sink.frames)), feed.conflation.conflated) == (
        300,
        0,
    )


async def test_each_token_has_its_gap_from_the_lost_connection_to_its_own_first_tick(
    sockets, clock, sink
):
    gaps = []

    async def behave(socket, number):
        if number == 1:
            await socket.send_bytes(packets((257, 1), (513, 1)))
            await until(lambda: sink.frames)
            clock.time = OPEN_NS + 30 * MINUTE
            await socket.close()
            return
        await socket.send_bytes(packets((257, 1)))
        await until(lambda: len(sink.frames) == 2)
        clock.time = OPEN_NS + 31 * MINUTE
        await socket.send_bytes(packets((769, 1), (513, 1), (257, 2)))

    sockets.behave = behave
    feed = a_feed(sockets, clock, on_gap=gaps.extend)
    await feed.subscribe([257, 513, 769])
    async with running(feed, sink):
        await until(lambda: len(sink.frames) == 3)
    assert gaps == [
        FeedGap(257, OPEN_NS, OPEN_NS + 30 * MINUTE),
        FeedGap(513, OPEN_NS, OPEN_NS + 31 * MINUTE),
    ]


async def test_tokens_that_stay_silent_are_asked_for_again_and_told_of_once(sockets, clock, sink):
    async def behave(socket, number):
        while True:
            await socket.send_bytes(packets((257, 1)))
            await asyncio.sleep(0.02)

    sockets.behave = behave
    feed = a_feed(sockets, clock, ask_after=0.15)
    await feed.subscribe([257, 513])
    async with running(feed, sink):
        await until(lambda: len([ask for _, ask in sockets.asked if ask["a"] == "subscribe"]) >= 5)
        assert [ask["v"] for _, ask in sockets.asked if ask["a"] == "subscribe"][:3] == [
            [257, 513],
            [513],
            [513],
        ]
        sockets.behave = None
    assert [text for _, text in sink.notices] == [
        "feed connection 1: no tick of 1 instruments, although they were asked for again"
    ]


async def test_a_connection_with_heartbeats_and_no_ticks_is_asked_again_for_everything(
    sockets, clock, sink
):
    async def behave(socket, number):
        await socket.send_bytes(packets((257, 1), (513, 1)))
        for _ in range(40):
            await socket.send_bytes(b"\x00")
            await asyncio.sleep(0.02)

    sockets.behave = behave
    feed = a_feed(sockets, clock, ask_after=0.2)
    await feed.subscribe([257, 513])
    async with running(feed, sink):
        await until(lambda: len([ask for _, ask in sockets.asked if ask["a"] == "subscribe"]) >= 2)
    assert {tuple(ask["v"]) for _, ask in sockets.asked if ask["a"] == "subscribe"} == {(257, 513)}
    assert len(sockets.queries) == 1


# gaps


def test_a_token_missed_twice_is_missed_since_the_first_time():
    silence = SilentTokens()
    silence.expect([257, 513], 100)
    silence.expect([257, 513, 769], 200)
    assert silence.gaps_ended_by(packets((257, 1), (999, 1)), 300) == [FeedGap(257, 100, 300)]
    assert silence.gaps_ended_by(packets((257, 1), (769, 1)), 400) == [FeedGap(769, 200, 400)]
    assert silence.tokens == [513]


def test_gaps_are_merged_by_token_into_whole_minutes():
    start = OPEN_NS
    gaps = [
        FeedGap(2, start + 5, start + 6),
        FeedGap(1, start + 90 * 10**9, start + 100 * 10**9),
        FeedGap(1, start + 1, start + 30 * 10**9),
        FeedGap(1, start + 10 * MINUTE, start + 11 * MINUTE),
    ]
    assert merged_gaps(gaps) == [
        FeedGap(1, start, start + 2 * MINUTE),
        FeedGap(2, start, start + MINUTE),
        FeedGap(1, start + 10 * MINUTE, start + 11 * MINUTE),
    ]


async def test_gaps_are_filled_positions_first_and_what_cannot_be_read_is_given_back():
    asked, filled = [], {}

    async def history(token, start, end, span):
        asked.append((token, start, end, span))
        if token == 2:
            raise RetryableError("busy")
        return [Bar(token, start, span, 1.0, 1.0, 1.0, 1.0, 5)]

    gaps = [FeedGap(token, OPEN_NS + 1, OPEN_NS + 2) for token in (1, 2, 3)]
    unread = await read_gap_bars(
        history, gaps, lambda gap, bars: filled.update({gap.token: len(bars)}), first=[3]
    )
    assert asked == [(token, OPEN_NS, OPEN_NS + MINUTE, 60) for token in (3, 1, 2)]
    assert filled == {3: 1, 1: 1}
    assert unread == [FeedGap(2, OPEN_NS, OPEN_NS + MINUTE)]
