import json

import pytest

from brokers.sandbox.clients.client_connection import BACKLOG, ClientConnection
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.market.exchange_listing import ExchangeListing
from compiled.adapters.kite_frames import FrameDecoder
from compiled.model.values import Instrument, Tick

SECOND = 1_000_000_000


def listings(count):
    made, rules = {}, DayRules("2026-11-20")
    for number in range(1, count + 1):
        instrument = Instrument(
            number << 8 | 1, "NSE", f"S{number}", 0.05, lower=90.0, upper=110.0, close=100.0
        )
        made[number << 8 | 1] = ExchangeListing(instrument, rules, prints=True)
    return made


def say(connection, action, value):
    connection.receive(json.dumps({"a": action, "v": value}))


def decoded(frame):
    return FrameDecoder().decode(frame, 0)


def tick(token, price=100.0, ts=SECOND):
    return Tick(token, ts, price, volume=1)


def test_a_bare_subscription_is_in_quote_mode_and_starts_with_a_tick():
    connection = ClientConnection(listings(2), conflate=False)
    say(connection, "subscribe", [257])
    assert not connection.outbox
    connection.queue_ticks({}, 5 * SECOND)
    (frame,) = connection.outbox
    assert len(frame) == 2 + 2 + 44
    assert [t.ltp for t in decoded(frame)] == [100.0]


def test_modes_decide_the_size_of_the_packet():
    connection = ClientConnection(listings(1), conflate=False)
    say(connection, "subscribe", [257])
    for mode, size in (("ltp", 8), ("quote", 44), ("full", 184)):
        say(connection, "mode", [mode, [257]])
        connection.queue_ticks({257: tick(257)}, SECOND)
        assert len(connection.outbox.pop()) == 4 + size


def test_subscribing_again_changes_nothing():
    connection = ClientConnection(listings(1), conflate=False)
    say(connection, "subscribe", [257])
    say(connection, "mode", ["full", [257]])
    connection.queue_ticks({}, SECOND)
    connection.outbox.clear()
    say(connection, "subscribe", [257])
    say(connection, "mode", ["full", [257]])
    assert not connection.awaits_first_tick
    connection.queue_ticks({257: tick(257)}, SECOND)
    assert len(connection.outbox.pop()) == 4 + 184


def test_one_frame_holds_everything_that_changed_and_is_subscribed():
    connection = ClientConnection(listings(5), conflate=False)
    say(connection, "subscribe", [257, 513, 769])
    connection.queue_ticks({}, SECOND)
    connection.outbox.clear()
    connection.queue_ticks({token: tick(token) for token in (513, 769, 1025)}, SECOND)
    (frame,) = connection.outbox
    assert [int(t.token) for t in decoded(frame)] == [513, 769]
    say(connection, "unsubscribe", [513, 769])
    connection.queue_ticks({token: tick(token) for token in (513, 769)}, SECOND)
    assert len(connection.outbox) == 1


def test_three_thousand_tokens_are_the_most_and_the_connection_stays():
    connection = ClientConnection(listings(3_001), conflate=False)
    say(connection, "subscribe", [n << 8 | 1 for n in range(1, 3_002)])
    error = {"type": "error", "data": "Can't subscribe to more than 3000 instruments."}
    assert [json.loads(text) for text in connection.outbox] == [error]
    connection.outbox.clear()
    connection.queue_ticks({}, SECOND)
    assert len(decoded(connection.outbox[0])) == 3_000


def test_tokens_of_nothing_bring_no_ticks_and_count_until_they_are_let_go():
    connection = ClientConnection(listings(1), conflate=False)
    say(connection, "subscribe", [257, *(n << 8 | 2 for n in range(1, 3_000))])
    assert not connection.outbox
    say(connection, "subscribe", [3_000 << 8 | 2])
    assert (
        json.loads(connection.outbox.pop())["data"]
        == "Can't subscribe to more than 3000 instruments."
    )
    say(connection, "unsubscribe", [1 << 8 | 2])
    say(connection, "subscribe", [3_000 << 8 | 2])
    connection.queue_ticks({}, SECOND)
    (frame,) = connection.outbox
    assert [int(t.token) for t in decoded(frame)] == [257]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        '{"a":"mode","v":["loud",[257]]}',
        '{"a":"dance","v":[]}',
        '{"a":"subscribe","v":257}',
    ],
)
def test_an_unreadable_request_gets_an_error_and_nothing_else(text):
    connection = ClientConnection(listings(1), conflate=False)
    connection.receive(text)
    assert [json.loads(message)["type"] for message in connection.outbox] == ["error"]
    assert not connection.close_requested


def test_a_slow_client_loses_old_ticks_but_no_text_and_then_gets_the_present():
    connection = ClientConnection(listings(3), conflate=True)
    say(connection, "subscribe", [257, 513])
    connection.queue_ticks({}, SECOND)
    connection.queue_text({"type": "order", "data": {"order_id": "1"}})
    for turn in range(BACKLOG + 5):
        connection.queue_ticks({257: tick(257, 100.0 + turn * 0.05)}, turn * SECOND)
    texts = [message for message in connection.outbox if isinstance(message, str)]
    frames = [message for message in connection.outbox if isinstance(message, bytes)]
    assert len(texts) == 1
    assert len(frames) < BACKLOG
    assert [int(t.token) for t in decoded(frames[0])] == [257, 513]
    assert connection.sent == len(connection.outbox)


def test_in_lockstep_nothing_is_ever_dropped():
    connection = ClientConnection(listings(1), conflate=False)
    say(connection, "subscribe", [257])
    for turn in range(3 * BACKLOG):
        connection.queue_ticks({257: tick(257)}, turn * SECOND)
    assert connection.sent == len(connection.outbox) == 3 * BACKLOG
