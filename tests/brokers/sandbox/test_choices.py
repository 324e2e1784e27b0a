"""The open questions about Kite: what the default answer is, and that each is a setting."""

import asyncio
import json

import aiohttp
import pytest

from brokers.sandbox.assumptions import KiteAssumptions, assumptions_from_texts
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from compiled.adapters.kite_frames import FrameDecoder
from engine.errors import ConfigError


@pytest.fixture
def chosen(make_client):
    def make(config=None, **choices):
        client = make_client(choices=KiteAssumptions(**choices), **(config or {}))
        client.seconds(60)
        return client

    return make


def length(client, tokens, *messages):
    """Return the length of the first packet of the next frame."""
    connection = client.exchange.connect()
    for message in messages:
        connection.receive(json.dumps(message))
    client.seconds(1)
    frame = connection.outbox[-1]
    assert len(FrameDecoder().decode(frame, 0)) == len(tokens)
    return int.from_bytes(frame[2:4], "big")


@pytest.mark.parametrize(("mode", "size"), [("ltp", 8), ("quote", 44), ("full", 184)])
def test_the_mode_of_a_bare_subscription(chosen, mode, size):
    assert length(chosen(default_mode=mode), [408065], {"a": "subscribe", "v": [408065]}) == size


@pytest.mark.parametrize(("resets", "size"), [(False, 184), (True, 44)])
def test_a_second_subscription_keeps_the_mode_or_resets_it(chosen, resets, size):
    subscribe = {"a": "subscribe", "v": [408065]}
    messages = [subscribe, {"a": "mode", "v": ["full", [408065]]}, subscribe]
    assert length(chosen(resubscribe_resets=resets), [408065], *messages) == size


def test_the_older_answer_to_a_sliced_order_is_a_flat_list(chosen):
    client = chosen({"cash": 10**13}, autoslice="list")
    form = client.form(quantity=200_001, product="CNC", price=client.at(-5), autoslice="true")
    parts = client.ok("POST", "/orders/regular", form)
    assert [set(part) for part in parts] == [{"order_id"}] * 3


@pytest.mark.parametrize(("meaning", "total"), [("total", 8), ("remaining", 11)])
def test_quantity_in_a_modification_is_the_total_or_the_rest(chosen, meaning, total):
    client = chosen(modify_quantity=meaning)
    share = client.share()
    best = share.instrument.price(share.book.best(-1))
    offered = share.book.depth(-1, 1)[0][1]
    order_id = client.place(quantity=offered + 7, price=best)
    filled = client.order(order_id)["filled_quantity"]
    assert filled == offered
    client.ok(
        "PUT",
        f"/orders/regular/{order_id}",
        {"quantity": str(filled + 8 if meaning == "total" else 11)},
    )
    assert client.order(order_id)["quantity"] == filled + total


@pytest.mark.parametrize(("keeps", "pending"), [(True, 10), (False, 0)])
def test_a_cancelled_row_shows_its_quantity_as_pending_like_the_official_mock(
    chosen, keeps, pending
):
    client = chosen(cancelled_pending=keeps)
    order_id = client.place(price=client.at(-3))
    client.ok("DELETE", f"/orders/regular/{order_id}")
    row = client.order(order_id)
    assert (row["pending_quantity"], row["cancelled_quantity"]) == (pending, 10)


def gtt(client, percent, order_type="LIMIT"):
    ltp = client.ltp()
    leg = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": 5,
        "order_type": order_type,
        "product": "CNC",
        "price": client.at(1),
    }
    condition = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "trigger_values": [client.at(percent)],
        "last_price": ltp,
    }
    return {"type": "single", "condition": json.dumps(condition), "orders": json.dumps([leg])}


def test_market_legs_and_close_triggers_of_gtts_can_be_allowed(chosen):
    strict, lenient = chosen(), chosen(gtt_market=True, gtt_distance=False, gtt_success="COMPLETE")
    assert "Only LIMIT" in strict.refusal("POST", "/gtt/triggers", gtt(strict, -1, "MARKET"))[2]
    assert (
        "away from the last price" in strict.refusal("POST", "/gtt/triggers", gtt(strict, -0.05))[2]
    )
    trigger = lenient.ok("POST", "/gtt/triggers", gtt(lenient, -0.05, "MARKET"))["trigger_id"]
    while (row := lenient.ok("GET", f"/gtt/triggers/{trigger}"))["status"] == "active":
        lenient.seconds(30)
    result = row["orders"][0]["result"]["order_result"]
    assert result["status"] == "COMPLETE"
    assert lenient.order(result["order_id"])["status"] == "COMPLETE"


def test_too_many_instruments_are_refused_or_left_out(chosen):
    asked = [("i", "NSE:INFY")] * 500 + [("i", "NSE:SBIN")]
    assert chosen().refusal("GET", "/quote", query=asked)[:2] == (400, "InputException")
    assert set(chosen(quote_excess="cut").ok("GET", "/quote", query=asked)) == {"NSE:INFY"}


@pytest.mark.parametrize("one", [True, False])
def test_a_second_login_ends_the_first_token_or_not(chosen, one):
    from hashlib import sha256

    client = chosen(one_session=one)
    session = client.exchange.session
    first = session.access_token
    token = session.request_token(session.api_key)
    checksum = sha256((session.api_key + token + session.api_secret).encode()).hexdigest()
    session.exchange_token(session.api_key, token, checksum, client.exchange.now)
    assert session.is_valid_pair(session.api_key, session.access_token)
    assert session.is_valid_pair(session.api_key, first) is not one
    session.expire()
    assert not session.is_valid_pair(session.api_key, first)


def test_an_unregistered_address_may_read_but_not_order(chosen):
    client = chosen(registered_ip=False)
    assert client.refused(price=client.at(-1))[:2] == (403, "PermissionException")
    assert client.refusal("DELETE", "/orders/regular/1")[1] == "PermissionException"
    assert client.ok("GET", "/orders") == []


def test_a_refusal_gets_the_status_and_type_that_are_chosen_for_it(chosen):
    client = chosen(errors=(("Market orders without", 500, "OrderException"),))
    assert client.refused(order_type="MARKET")[:2] == (500, "OrderException")


def test_the_heartbeat_comes_when_it_is_chosen_to():
    sandbox = Sandbox(
        SandboxConfig(speed=0.01, symbols=("INFY",), choices=KiteAssumptions(heartbeat=0.05))
    )
    endpoint = sandbox.start()

    async def beats():
        query = {"api_key": endpoint.api_key, "access_token": endpoint.access_token}
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(endpoint.ws, params=query) as socket,
        ):
            return [(await socket.receive(timeout=2)).data for _ in range(3)]

    try:
        assert asyncio.run(beats()) == [b"\x00"] * 3
    finally:
        sandbox.stop()


def test_choices_are_read_from_the_command_line_and_a_wrong_one_is_named():
    assert assumptions_from_texts(
        ("default_mode=full", "heartbeat=1", "gtt_market=true")
    ) == KiteAssumptions(default_mode="full", heartbeat=1.0, gtt_market=True)
    for text, words in (
        ("default_mod=full", "did you mean default_mode"),
        ("default_mode=all", "default_mode=all"),
        ("heartbeat", "expected one of|did you mean"),
    ):
        with pytest.raises(ConfigError, match=words):
            assumptions_from_texts((text,))
    with pytest.raises(ConfigError, match="above 0"):
        SandboxConfig(choices=KiteAssumptions(heartbeat=0.0)).check()


def test_a_socket_without_its_parameters_is_a_bad_request_and_another_method_is_not_allowed(
    chosen, start
):
    client = chosen()
    assert client.refusal("PATCH", "/orders")[:2] == (405, "GeneralException")
    assert client.refusal("GET", "/nothing")[:2] == (404, "GeneralException")
    _, endpoint = start()

    async def status():
        async with aiohttp.ClientSession() as http:
            try:
                await http.ws_connect(f"{endpoint.ws}/?api_key={endpoint.api_key}")
            except aiohttp.WSServerHandshakeError as error:
                return error.status

    assert asyncio.run(status()) == 400


def test_options_and_bse_take_no_stop_market_and_stock_options_no_market_order(make_client):
    client = make_client(exchanges=("NSE", "NFO", "BSE"), symbols=("INFY",), cash=10**11)
    client.seconds(60)
    option = client.exchange.listings["NFO:INFY26NOV1540CE"]
    fields = {
        "exchange": "NFO",
        "product": "NRML",
        "quantity": int(option.instrument.lot),
        "market_protection": -1,
    }
    market = client.form(option.instrument.symbol, order_type="MARKET", **fields)
    assert "stock options" in client.refusal("POST", "/orders/regular", market)[2]
    index = market | {"tradingsymbol": "NIFTY26NOV26000CE", "quantity": "65"}
    client.ok("POST", "/orders/regular", index)
    stop = index | {"order_type": "SL-M", "trigger_price": "500"}
    assert "SL-M" in client.refusal("POST", "/orders/regular", stop)[2]
    bse = client.form(
        exchange="BSE", order_type="SL-M", trigger_price=client.at(2), market_protection=-1
    )
    assert "SL-M" in client.refusal("POST", "/orders/regular", bse)[2]


def test_a_halt_is_told_to_everybody(make_client):
    client = make_client()
    connection = client.exchange.connect()
    client.exchange._halt_market(45)
    assert {
        "type": "message",
        "data": "Trading is halted: a market-wide circuit breaker has been triggered.",
    } in [json.loads(text) for text in connection.outbox if isinstance(text, str)]
