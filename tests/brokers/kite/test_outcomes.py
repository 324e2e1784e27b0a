"""Whatever Kite, or the line to it, does to a request.

Done, refused, retry or unknown, and never sent twice.
"""

import asyncio
import gc
import gzip
import json
import socket
import struct
from concurrent.futures import Future

import pytest

from brokers.kite.call_outcome import SessionExpired
from brokers.kite.call_pool import CallPool
from brokers.kite.kite_broker import KiteBroker
from brokers.kite.thread_client import _decode_body
from compiled.model.values import (
    Gtt,
    GttLeg,
    Instrument,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
)
from engine.day.desk_clocks import ScaledClock
from engine.errors import (
    ConnectionFailed,
    OperatorError,
    OrderRefused,
    OrderUnknown,
    RetryableError,
    SaleUnauthorised,
    SessionLost,
)

HTML = b"<html>502 Bad Gateway</html>"
REFUSALS = {
    "MarginException": 400,
    "HoldingException": 400,
    "InputException": 400,
    "OrderException": 400,
    "PermissionException": 403,
    "UserException": 403,
    "TokenException": 403,
    "GeneralException": 428,
}


def an_order():
    return Order(
        1,
        "t1",
        "s",
        408065,
        Side.BUY,
        5,
        OrderType.LIMIT,
        Product.CNC,
        OrderPurpose.ENTRY,
        price=1500.05,
    )


def odd_answers(script):
    """Answers that leave open what happened.

    Each breaks the client, or the contract, in its own way.
    """
    http, error = script.http, script.error
    return {
        "500 with a Kite error": error(500, "OrderException"),
        "503 network exception": error(503, "NetworkException"),
        "400 that speaks of the path": error(400, "NetworkException"),
        "408": error(408, "InputException"),
        "502 page": http(502, HTML, "text/html"),
        "504 page": http(504, HTML, "text/html"),
        "400 page": http(400, HTML, "text/html"),
        "error with status 200": error(200, "InputException"),
        "broken JSON": http(200, b'{"status": "succ'),
        "empty body": http(200),
        "no data": http(200, {"status": "success"}),
        "a list on top": http(200, [1, 2]),
        "a number on top": http(200, b"7"),
        "null on top": http(200, b"null"),
        "error without a type": http(400, {"status": "error", "message": "m", "data": None}),
        "error whose type is no text": http(
            400, {"status": "error", "message": "m", "error_type": 7}
        ),
        "error without a message and status 500": http(
            500, {"status": "error", "error_type": "OrderException"}
        ),
        "data null": http(200, {"status": "success", "data": None}),
        "data a text": http(200, {"status": "success", "data": "fine"}),
        "no content type": b"HTTP/1.1 204 X\r\n\r\n",
        "500 that looks like a success": http(
            500, {"data": {"order_id": "1", "trigger_id": 1, "user_id": "A"}}
        ),
        "broken UTF-8": http(200, b'{"data": "\xff\xfe"}'),
        "deep nesting": http(200, b"[" * 100_000),
    }


async def close_at_once(request, writer):
    writer.close()


async def reset(request, writer):
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    writer.close()


async def stop_half_way(request, writer):
    writer.write(
        b'HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"status"'
    )
    await writer.drain()
    writer.close()


async def say_nothing(request, writer):
    await asyncio.sleep(1.5)
    writer.close()


async def drip(request, writer):
    writer.write(
        b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
    )
    for _ in range(300):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


BROKEN_LINES = {
    "close": close_at_once,
    "reset": reset,
    "half an answer": stop_half_way,
    "silence": say_nothing,
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_kite_error_on_a_4xx_is_a_definite_no_under_the_name_on_the_wire(
    stub, broker, script, kind
):
    stub.on("POST /orders/regular", script.error(REFUSALS[kind], kind, "Insufficient funds."))
    with pytest.raises(OrderRefused) as refused:
        await broker.place(an_order())
    assert refused.value.code == kind
    assert "Insufficient funds." in refused.value.reason
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind", "message", "no"),
    [
        (403, "TokenException", "Incorrect `api_key` or `access_token`.", SessionLost),
        (
            428,
            "HoldingException",
            "10 quantity needs authorisation at depository.",
            SaleUnauthorised,
        ),
        (
            428,
            "GeneralException",
            "10 quantity needs authorisation at depository.",
            SaleUnauthorised,
        ),
        (400, "HoldingException", "Insufficient stock holding.", OrderRefused),
        (403, "PermissionException", "not authorised", OrderRefused),
    ],
)
async def test_a_no_for_want_of_a_session_or_of_an_authorisation_is_a_kind_of_its_own(
    stub, broker, script, status, kind, message, no
):
    stub.on("POST /orders/regular", script.error(status, kind, message))
    with pytest.raises(OrderRefused) as refused:
        await broker.place(an_order())
    assert type(refused.value) is no


async def test_a_refusal_without_a_message_is_still_a_refusal(stub, broker, script):
    stub.on("*", script.http(400, {"status": "error", "error_type": "MarginException"}))
    with pytest.raises(OrderRefused) as refused:
        await broker.place(an_order())
    assert refused.value.code == "MarginException"


async def test_a_rate_limit_means_that_nothing_was_accepted(stub, broker, script):
    for answer in (
        script.error(429, "NetworkException", "Too many requests"),
        script.http(429, HTML, "text/html"),
    ):
        stub.on("*", answer)
        with pytest.raises(RetryableError, match="429"):
            await broker.place(an_order())


async def test_every_odd_answer_to_an_order_leaves_it_unknown_and_is_not_sent_again(
    stub, broker, script
):
    for number, (name, answer) in enumerate(odd_answers(script).items(), start=1):
        stub.on("POST /orders/regular", answer)
        with pytest.raises(OrderUnknown):
            pytest.fail(f"{name}: {await broker.place(an_order())}")
        assert len(stub.requests) == number, name


@pytest.mark.parametrize("line", BROKEN_LINES)
async def test_every_broken_line_after_sending_leaves_the_order_unknown(stub, hasty, line):
    stub.on("*", BROKEN_LINES[line])
    with pytest.raises(OrderUnknown):
        await hasty.place(an_order())
    assert len(stub.requests) == 1


async def test_an_answer_that_does_not_end_is_given_up_after_four_time_outs(stub, hasty):
    stub.on("*", drip)
    async with asyncio.timeout(15):  # it would go on for 30 s
        with pytest.raises(OrderUnknown):
            await hasty.place(an_order())


async def test_an_id_that_is_missing_or_empty_is_no_confirmation(stub, broker, script):
    for payload in ({}, {"order_id": ""}, {"order_id": None}, [{"order_id": "1"}]):
        stub.on("*", script.ok(payload))
        with pytest.raises(OrderUnknown):
            await broker.place(an_order())


async def test_where_nobody_listens_nothing_has_happened(clock):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        broker = KiteBroker(
            f"http://127.0.0.1:{taken.getsockname()[1]}", "key", "token", clock, timeout=0.4
        )
        broker.add_instruments([Instrument(408065, "NSE", "INFY", 0.05)])
        with pytest.raises(RetryableError, match="nobody answers"):
            await broker.place(an_order())
        with pytest.raises(RetryableError, match="nobody answers"):
            await broker.orders()
        with pytest.raises(ConnectionFailed):
            await broker.account()
        await broker.close()


async def test_every_other_change_follows_the_same_rules(stub, broker, script):
    leg = GttLeg(1400.0, 1399.0, Side.SELL, 5)
    gtt = Gtt(1, "s", 408065, Product.CNC, 1, 1500.0, [leg])
    gtt.gtt_id, gtt.pending = 7, [leg]
    calls = {
        "cancel": lambda: broker.cancel("123"),
        "place GTT": lambda: broker.place_gtt(gtt),
        "modify GTT": lambda: broker.modify_gtt(gtt),
        "delete GTT": lambda: broker.delete_gtt(7),
    }
    faults = (
        (script.error(400, "OrderException"), OrderRefused),
        (script.error(429, "NetworkException"), RetryableError),
        (script.error(502, "DataException"), OrderUnknown),
        (script.http(200, {"status": "success", "data": None}), OrderUnknown),
        (close_at_once, OrderUnknown),
    )
    for answer, expected in faults:
        stub.on("*", answer)
        for name, call in calls.items():
            with pytest.raises(expected):
                pytest.fail(f"{name}: {await call()}")


def reads(broker):
    infy = Instrument(408065, "NSE", "INFY", 0.05)
    return {
        "orders": broker.orders,
        "trades": broker.trades,
        "gtts": broker.gtts,
        "positions": broker.positions,
        "holdings": broker.holdings,
        "funds": broker.funds,
        "instruments": lambda: broker.instruments("NSE"),
        "bands": lambda: broker.bands([infy]),
        "history": lambda: broker.history(408065, 0, 60_000_000_000, 60),
        "account": broker.account,
    }


async def test_an_unreadable_answer_to_a_read_is_an_error_and_never_an_empty_list(
    stub, broker, script
):
    for name, answer in odd_answers(script).items():
        stub.on("*", answer)
        for read, call in reads(broker).items():
            with pytest.raises(RetryableError):
                pytest.fail(f"{read}, {name}: {await call()}")


async def test_a_book_that_is_no_list_is_an_error(stub, broker, script):
    stub.on("*", script.ok({}))
    for name in ("orders", "trades", "gtts", "positions", "holdings"):
        with pytest.raises(RetryableError):
            await reads(broker)[name]()


@pytest.mark.parametrize("line", ["close", "half an answer", "silence"])
async def test_a_read_over_a_broken_line_may_be_tried_again(stub, hasty, line):
    stub.on("*", BROKEN_LINES[line])
    with pytest.raises(RetryableError):
        await hasty.trades()


async def test_an_empty_book_is_an_empty_list(stub, broker, script):
    stub.on("*", script.ok([]))
    assert [await broker.orders(), await broker.trades(), await broker.gtts()] == [[], [], []]


async def test_a_dead_token_names_the_mend_and_is_told_once(stub, clock, script):
    died = []
    stub.on("*", script.error(403, "TokenException", "Token is invalid or has expired."))
    broker = KiteBroker(stub.url, "key", "token", clock, on_token_death=lambda: died.append(1))
    broker.add_instruments([Instrument(408065, "NSE", "INFY", 0.05)])
    for call in reads(broker).values():
        with pytest.raises(SessionExpired, match="patang login"):
            await call()
    with pytest.raises(OrderRefused):
        await broker.place(an_order())
    await broker.close()
    assert died == [1]
    assert issubclass(SessionExpired, OperatorError)


async def test_a_change_that_finds_no_free_thread_in_time_is_not_sent(stub, clock):
    stub.on("*", drip)
    broker = KiteBroker(stub.url, "key", "token", clock, workers=2, timeout=0.3)
    broker.add_instruments([Instrument(408065, "NSE", "INFY", 0.05)])
    first, second = await asyncio.gather(
        *(broker.place(an_order()) for _ in range(2)), return_exceptions=True
    )
    await broker.close()
    assert (type(first), type(second)) == (OrderUnknown, RetryableError)
    assert len(stub.requests) == 1


async def test_reads_that_hang_do_not_hold_up_an_order(stub, clock, script):
    enough = asyncio.Event()

    async def hang(request, writer):
        await enough.wait()
        writer.close()

    stub.on("GET /trades", hang)
    stub.on("POST /orders/regular", script.ok({"order_id": "42"}))
    broker = KiteBroker(stub.url, "key", "token", clock, timeout=60.0)
    broker.add_instruments([Instrument(408065, "NSE", "INFY", 0.05)])
    hanging = [asyncio.ensure_future(broker.trades()) for _ in range(8)]
    async with asyncio.timeout(30):
        while not stub.requests:  # noqa: ASYNC110 (the stub signals nobody)
            await asyncio.sleep(0.01)
        assert await broker.place(an_order()) == "42"
    assert not any(each.done() for each in hanging)
    enough.set()
    assert {type(each) for each in await asyncio.gather(*hanging, return_exceptions=True)} == {
        RetryableError
    }
    await broker.close()


async def test_after_closing_nothing_is_sent(stub, broker, script):
    stub.on("*", script.ok({"order_id": "42"}))
    await broker.close()
    with pytest.raises(RetryableError, match="closed"):
        await broker.place(an_order())
    assert stub.requests == []


async def test_no_secret_stands_in_an_error(stub, clock):
    broker = KiteBroker(stub.url, "KEYSECRET", "TOKENSECRET", clock, timeout=0.3)
    stub.on("*", close_at_once)
    with pytest.raises(RetryableError) as failed:
        await broker.orders()
    await broker.close()
    assert "SECRET" not in repr(failed.value)
    assert failed.value.__cause__ is None


async def test_a_thread_keeps_its_connection_and_reads_every_kind_of_body(stub, clock):
    body = b'{"status": "success", "data": {"user_id": "AB1234"}}'
    head = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n"
    packed = gzip.compress(body)
    zipped = (
        head + f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode() + packed
    )
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:], b""))
    broker = KiteBroker(stub.url, "key", "token", clock, workers=2)
    for answer in (head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body, zipped):
        stub.on("*", answer)
        assert await broker.account() == "AB1234"
    stub.on("*", head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert [await broker.account(), await broker.account()] == ["AB1234", "AB1234"]
    await broker.close()
    assert (len(stub.requests), stub.connections) == (4, 1)


async def test_an_answer_without_a_length_ends_with_its_connection(stub, broker):
    async def answer(request, writer):
        writer.write(
            b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n"
            b'{"data": {"user_id": "AB1234"}}'
        )
        await writer.drain()
        writer.close()

    stub.on("*", answer)
    assert await broker.account() == "AB1234"


async def test_the_failure_of_a_call_whose_caller_is_gone_is_no_complaint():
    jobs, complaints, loop = [], [], asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))

    class Pool:
        def submit(self, work):
            del work
            jobs.append(Future())
            jobs[0].set_running_or_notify_cancel()
            return jobs[0]

    calls = CallPool(
        ("http://127.0.0.1:1", "key", "token", 7.0, "", False),
        ScaledClock.real(),
        2,
        lambda *_: Pool(),
        limits=False,
    )
    caller = asyncio.create_task(calls.read(lambda kite: kite.orders()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait({caller})
    del caller
    jobs.pop().set_exception(ConnectionError("no answer"))
    await asyncio.sleep(0.01)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


def test_half_a_character_in_an_answer_becomes_a_mark():
    body = b'{"message": "\\ud800 no", "data": [{"tag": "\\udfff"}], "n": NaN}'
    told = _decode_body(body, lambda: json.loads(body))
    assert (told["message"], told["data"]) == ("\ufffd no", [{"tag": "\ufffd"}])
