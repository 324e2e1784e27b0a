"""The feed against servers that fall silent, hang up, refuse, and say odd things."""

import asyncio
import json
import random
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from brokers.kite.kite_feed import KiteFeed
from engine.config.config_files import parse_config
from engine.errors import ConfigError, OperatorError
from tests.waiting import until
from tui.run.broker import ExchangeLink, connect_broker
from tui.run.credentials import BrokerEndpoint, Credentials


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


async def test_tokens_are_asked_for_in_full_mode_and_frames_are_stamped(
    sockets, clock, sink, frame
):
    async def behave(socket, number):
        await socket.send_bytes(frame(408065, 150005))

    sockets.behave = behave
    feed = a_feed(sockets, clock)
    await feed.subscribe([408065, 256265, 408065])
    async with running(feed, sink):
        await until(lambda: sink.frames and len(sockets.asked) == 2)
    assert sockets.queries == [{"api_key": "key", "access_token": "token"}]
    assert [ask for _, ask in sockets.asked] == [
        {"a": "subscribe", "v": [408065, 256265]},
        {"a": "mode", "v": ["full", [408065, 256265]]},
    ]
    [([tick], received, unread)] = sink.frames
    assert (tick.token, tick.ltp, tick.ts, received, unread) == (
        408065,
        1_500.05,
        0,
        clock.now(),
        b"",
    )
    assert sink.links == [True, False]


async def test_tokens_asked_for_while_it_runs_reach_the_server_once(sockets, clock, sink):
    feed = a_feed(sockets, clock)
    async with running(feed, sink):
        await until(lambda: sink.links)
        await feed.subscribe([1, 2])
        await feed.subscribe([2, 3])
        await until(lambda: len(sockets.subscribed(1)) == 3)
    assert sockets.subscribed(1) == [1, 2, 3]


async def test_a_closing_server_is_reconnected_and_asked_again(sockets, clock, sink, frame):
    async def behave(socket, number):
        if number < 4:
            await socket.close()
        else:
            await socket.send_bytes(frame(1, 100))

    sockets.behave = behave
    feed = a_feed(sockets, clock)
    await feed.subscribe([1, 2])
    async with running(feed, sink):
        await until(lambda: sink.frames and sockets.subscribed(4))
    assert sockets.subscribed(4) == [1, 2]
    assert sink.links == [True, False] * 4
    assert [text.split(";")[0] for _, text in sink.notices] == [
        "feed connection 1: closed by the server (1000)"
    ] * 3


async def test_a_silent_server_is_dropped_although_it_answers_pings(sockets, clock, sink, frame):
    async def behave(socket, number):
        if number == 2:
            await socket.send_bytes(frame(1, 100))

    sockets.behave = behave
    feed = a_feed(sockets, clock, dead_after=0.4, ping_every=0.1)
    async with running(feed, sink):
        await until(lambda: sink.frames)
    assert sink.notices[0][1].startswith("feed connection 1: silent for 0.4 s")
    assert len(sockets.queries) == 2


async def test_a_server_that_answers_no_ping_is_dropped_and_waited_for_longer_each_time(
    sockets, clock, sink
):
    sockets.pong = False
    feed = a_feed(sockets, clock, ping_every=0.1, first_delay=0.1, longest_delay=10.0)
    async with running(feed, sink):
        await until(lambda: len(sink.notices) == 3)
    reasons, delays = zip(*(text.split("; next try in ") for _, text in sink.notices), strict=True)
    assert set(reasons) == {"feed connection 1: broken (ServerTimeoutError)"}
    seconds = [float(delay.removesuffix(" s")) for delay in delays]
    assert 0.05 <= seconds[0] <= 0.1 <= seconds[1] <= 0.2 <= seconds[2] <= 0.4


async def test_heartbeats_keep_a_quiet_connection_alive_and_are_no_frames(sockets, clock, sink):
    async def behave(socket, number):
        for _ in range(16):
            await socket.send_bytes(b"\x00")
            await asyncio.sleep(0.1)
        await socket.send_str('{"type": "order", "data": {"order_id": "1"}}')

    sockets.behave = behave
    feed = a_feed(sockets, clock, dead_after=0.8)
    async with running(feed, sink):
        await until(lambda: sink.hints)
        assert sink.links == [True]
    assert (feed.frames_received, sink.frames, len(sockets.queries)) == (1, [], 1)


async def test_without_a_stale_limit_silence_is_no_fault(sockets, clock, sink):
    feed = a_feed(sockets, clock, dead_after=float("inf"))
    async with running(feed, sink):
        await until(lambda: sink.links)
        await asyncio.sleep(0.6)
        assert (sink.links, sink.notices) == ([True], [])


async def test_a_server_that_never_finishes_the_handshake_is_given_up(clock, sink, monkeypatch):
    monkeypatch.setattr("brokers.kite.kite_feed._HANDSHAKE", 0.2)
    arrived = []

    async def hold(reader, writer):
        arrived.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    feed = KiteFeed(
        f"ws://127.0.0.1:{port}", "k", "t", clock, rng=random.Random(1), first_delay=0.01
    )
    async with running(feed, sink):
        await until(lambda: len(arrived) == 2)
    server.close()
    assert sink.notices[0][1].startswith("feed connection 1: no answer")
    assert sink.links == []


async def test_a_403_tells_the_mend_and_stops_every_connection(sockets, clock, sink):
    died = []
    sockets.refuse = 403
    feed = a_feed(sockets, clock, per_connection=1, on_token_death=lambda: died.append(1))
    await feed.subscribe([1, 2, 3])
    await asyncio.wait_for(feed.run(sink), 5)
    level, text = sink.notices[0]
    assert (level, "patang login" in text, len(sink.notices), died) == ("alarm", True, 1, [1])
    assert len(sockets.queries) <= 3


async def test_a_token_that_dies_on_a_living_feed_takes_the_link_down(sockets, clock, sink):
    async def behave(socket, number):
        sockets.refuse = 403
        await socket.close()

    sockets.behave = behave
    await asyncio.wait_for(a_feed(sockets, clock).run(sink), 60)
    assert sink.links == [True, False]
    assert sink.notices[-1][0] == "alarm"


async def test_other_refusals_are_tried_again_and_name_no_secret(sockets, clock, sink):
    sockets.refuse = 429
    feed = KiteFeed(
        sockets.url, "KEYSECRET", "TOKENSECRET", clock, rng=random.Random(1), first_delay=0.02
    )
    async with running(feed, sink):
        await until(lambda: len(sink.notices) == 2)
        sockets.refuse = 0
        await until(lambda: sink.links == [True])
    assert sink.notices[0][1].startswith("feed connection 1: refused with HTTP 429; next try in")
    assert "SECRET" not in str(sink.notices)


async def test_the_delay_doubles_to_its_limit_and_keeps_half_of_it(sockets, clock):
    feed = KiteFeed(
        sockets.url, "k", "t", clock, rng=random.Random(7), first_delay=0.5, longest_delay=30.0
    )
    for failures, longest in ((0, 0.5), (1, 1.0), (3, 4.0), (6, 30.0), (5_000, 30.0)):
        delays = [feed._reconnect_delay(failures) for _ in range(200)]
        assert longest / 2 <= min(delays) < 0.55 * longest
        assert 0.95 * longest < max(delays) <= longest


async def test_a_connection_that_delivered_is_made_anew_without_a_longer_wait(
    sockets, clock, sink, frame
):
    async def behave(socket, number):
        await socket.send_bytes(frame(1, 100))
        await socket.close()

    sockets.behave = behave
    async with running(a_feed(sockets, clock, first_delay=0.1, longest_delay=10.0), sink):
        await until(lambda: len(sink.notices) == 4)
    waits = [float(text.split("next try in ")[1].removesuffix(" s")) for _, text in sink.notices]
    assert max(waits) <= 0.1


async def test_text_becomes_hints_and_notices_and_poison_is_let_go(sockets, clock, sink):
    poison = [
        "",
        "no JSON",
        "[1, 2]",
        "7",
        "null",
        '"text"',
        "[" * 100_000,
        '{"type": "order"}',
        '{"type": "order", "data": [1]}',
        '{"type": "order", "data": {}}',
        '{"type": "error", "data": null}',
        '{"type": "new thing", "data": {"x": 1}}',
        '{"type": {"a": 1}, "data": 5}',
    ]

    async def behave(socket, number):
        for text in poison:
            await socket.send_str(text)
        await socket.send_str(
            json.dumps({"type": "error", "data": "Can't subscribe to more than 3000 instruments."})
        )
        await socket.send_str(json.dumps({"type": "message", "data": "Markets close\nearly"}))
        await socket.send_str(json.dumps({"type": "error", "data": {"long": "x" * 1_000}}))
        await socket.send_str(
            json.dumps({"type": "order", "data": {"order_id": "240101000000001", "status": "OPEN"}})
        )

    sockets.behave = behave
    feed = a_feed(sockets, clock)
    async with running(feed, sink):
        await until(lambda: sink.hints)
        assert sink.links == [True]
    assert sink.hints == ["240101000000001"]
    assert sink.notices[:2] == [
        ("warn", "Can't subscribe to more than 3000 instruments."),
        ("info", "Markets close early"),
    ]
    assert len(sink.notices[2][1]) == 300
    assert len(sink.notices) == 3
    assert feed.frames_received == len(poison) + 4


async def test_text_that_is_no_utf8_costs_nothing(clock, sink):
    """A raw server, because aiohttp's own would not send it.

    Opcode 1, two bytes that are no UTF-8, then a hint.
    """
    from base64 import b64encode
    from hashlib import sha1

    hint = b'{"type":"order","data":{"order_id":"1"}}'

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(
            line.split(": ")[1]
            for line in head.split("\r\n")
            if line.lower().startswith("sec-websocket-key")
        )
        accept = b64encode(sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        writer.write(
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %s" % accept
        )
        writer.write(b"\r\n\r\n\x81\x02\xff\xfe" + bytes([0x81, len(hint)]) + hint)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    feed = KiteFeed(f"ws://127.0.0.1:{port}", "k", "t", clock, rng=random.Random(1))
    async with running(feed, sink):
        await until(lambda: sink.hints == ["1"])
        assert (sink.notices, feed.frames_received) == ([], 2)
    server.close()


async def test_tokens_are_spread_over_three_connections_and_no_more(sockets, clock, sink):
    feed = a_feed(sockets, clock, per_connection=1_200)
    await feed.subscribe(range(1, 2_001))
    async with running(feed, sink):
        await until(lambda: sum(len(sockets.subscribed(n)) for n in (1, 2)) == 2_000)
        await feed.subscribe(range(2_001, 3_601))
        await until(lambda: sum(len(sockets.subscribed(n)) for n in (1, 2, 3)) == 3_600)
        with pytest.raises(OperatorError, match="3600 instruments at most; 3601"):
            await feed.subscribe([9_999])
    served = [sockets.subscribed(n) for n in (1, 2, 3)]
    assert [len(tokens) for tokens in served] == [1_200] * 3
    assert sorted(token for tokens in served for token in tokens) == list(range(1, 3_601))
    batches = [len(ask["v"]) for _, ask in sockets.asked if ask["a"] == "subscribe"]
    assert max(batches) == 500
    assert sink.links == [True, False]


async def test_the_link_is_up_only_while_every_connection_is(sockets, clock, sink, frame):
    async def behave(socket, number):
        if number == 2:
            await asyncio.sleep(0.2)
            await socket.close()

    sockets.behave = behave
    feed = a_feed(sockets, clock, per_connection=1)
    await feed.subscribe([1, 2])
    async with running(feed, sink):
        await until(lambda: len(sink.links) == 3)
        assert sink.links == [True, False, True]
    assert len(sockets.queries) == 3


async def test_a_sink_that_raises_is_not_silenced(sockets, clock, sink, frame):
    async def behave(socket, number):
        await socket.send_bytes(frame(1, 100))

    def broken(ticks, received, unread):
        raise ZeroDivisionError

    sockets.behave = behave
    sink.ticks = broken
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(a_feed(sockets, clock).run(sink), 60)
    assert raised.group_contains(ZeroDivisionError)


@pytest.mark.parametrize(
    ("text", "stale", "dead"),
    [
        ("stale_after_s = 600", 600.0, 10.0),
        ("dead_after_s = 6", 10.0, 6.0),
        ("dead_after_s = 60", 10.0, 60.0),
    ],
)
def test_how_long_an_instrument_may_be_silent_says_nothing_of_a_dead_connection(
    monkeypatch, clock, text, stale, dead
):
    config = parse_config(f"[feed]\n{text}\n", Path("config.toml")).values
    monkeypatch.setattr("brokers.kite.kite_feed.KiteFeed", lambda *_, **options: options)
    station = SimpleNamespace(config=config, broker_name="kite")
    exchange = ExchangeLink(
        Credentials(BrokerEndpoint("http://x", "ws://x", "", "key", "token", sandbox=True)),
        clock,
        None,
    )
    options = connect_broker(station, exchange, lambda: None).feed
    assert (config.feed.stale_after_s, options["dead_after"]) == (stale, dead)


@pytest.mark.parametrize("seconds", [5.9, 61])
def test_a_connection_is_given_two_heartbeats_and_no_more_than_a_minute(seconds):
    with pytest.raises(ConfigError, match="dead_after_s"):
        parse_config(f"[feed]\ndead_after_s = {seconds}\n", Path("config.toml"))


async def test_what_is_let_go_makes_room_and_is_not_asked_for_again(sockets, clock, sink):
    async def behave(socket, number):
        if number == 1:
            await until(lambda: {"a": "unsubscribe", "v": [1]} in [ask for _, ask in sockets.asked])
            await socket.close()

    sockets.behave = behave
    feed = a_feed(sockets, clock, per_connection=2)
    async with running(feed, sink):
        await until(lambda: sink.links)
        await feed.subscribe([1, 2])
        await feed.unsubscribe([1, 77])
        await until(lambda: sockets.asked and sockets.asked[-1][1]["v"] == ["full", [2]])
        await feed.subscribe([3])
        await until(lambda: sockets.asked[-1][1]["v"] == ["full", [3]])
    assert feed._connections[0].tokens == {2: "full", 3: "full"}
    assert not feed._connections[1].tokens


async def test_each_token_is_asked_for_in_its_mode_now_and_after_a_reconnect(sockets, clock, sink):
    async def behave(socket, number):
        if number == 1:
            await until(lambda: len(sockets.asked) == 6)
            await socket.close()

    sockets.behave = behave
    feed = a_feed(sockets, clock)
    async with running(feed, sink):
        await until(lambda: sink.links)
        await feed.subscribe([1, 2])
        await feed.subscribe([3, 4], "ltp")
        await feed.subscribe([4])
        await until(lambda: len(sockets.asked) == 10)
    assert [ask["v"] for _, ask in sockets.asked] == [
        [1, 2],
        ["full", [1, 2]],
        [3, 4],
        ["ltp", [3, 4]],
        [4],
        ["full", [4]],
        [1, 2, 4],
        ["full", [1, 2, 4]],
        [3],
        ["ltp", [3]],
    ]


@pytest.mark.parametrize(
    "text",
    [
        'watch = ["INFY"]\nltp = ["INFY"]',
        'quote = ["INFY"]\nltp = ["INFY"]',
        'mode = "all"',
        'ltp = "INFY"',
    ],
)
def test_an_instrument_is_asked_for_in_one_mode(text):
    with pytest.raises(ConfigError, match="feed"):
        parse_config(f"[feed]\n{text}\n", Path("config.toml"))
