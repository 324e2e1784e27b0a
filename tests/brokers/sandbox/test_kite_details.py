"""Details that programs written for Kite rely on.

Public lists, strict numbers, bad bodies, rates, dated rules, rows in full.
"""

import asyncio
import contextlib
import json
from datetime import date

import aiohttp
import pytest
import requests

from brokers.sandbox.api.access_checks import bearer_header
from brokers.sandbox.http import SandboxApiError, SandboxRequest, decimal_field, whole_field
from brokers.sandbox.rate_limits import RequestRateLimits
from compiled.model.values import SECOND
from engine.market.order_rules import OrderRules


@pytest.mark.parametrize("path", ["/instruments", "/instruments/NSE", "/mf/instruments"])
def test_lists_of_instruments_need_no_session(client, path):
    answer = client.api.respond(SandboxRequest("GET", path))
    assert (answer.status, answer.content_type) == (200, "text/csv")
    head = "instrument_token,exchange_token" if "mf" not in path else "tradingsymbol,amc"
    assert answer.content.decode().startswith(head)
    assert (
        client.api.respond(
            SandboxRequest("GET", "/instruments/trigger_range/buy", [("i", "NSE:INFY")])
        ).status
        == 403
    )


# numbers

ODD = [
    "1_0",
    "+1",
    " 1",
    "1 ",
    "\uff11\uff10",
    "\u0663",
    "1e1",
    "0x10",
    "1,0",
    "nan",
    "inf",
    "-",
    ".",
    "",
    "1\x00",
    "9" * 30,
    "NaN",
    "1.0.0",
]


@pytest.mark.parametrize("text", ODD)
def test_a_number_that_only_python_takes_for_one_is_refused(client, text):
    before = client.ok("GET", "/orders")
    message = client.refused(quantity=text, price=client.at(-1))[2]
    assert message in {"Invalid `quantity`.", "Missing or empty field `quantity`"}
    if text:
        assert client.refused(price=text)[:2] == (400, "InputException")
        for read in (whole_field, decimal_field):
            with pytest.raises(SandboxApiError, match="Invalid `x`"):
                read({"x": text}, "x")
    assert client.ok("GET", "/orders") == before


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7.0), ("-7.5", -7.5), ("0.05", 0.05), (".5", 0.5), ("1500.", 1500.0)]
)
def test_numbers_as_programs_write_them_are_read(text, value):
    assert decimal_field({"x": text}, "x") == value


@pytest.mark.parametrize(
    "triggers", [["1_400"], ["1400"], [True], [None], [[1400]], {"a": 1}, ["\uff11\uff14"]]
)
def test_triggers_of_a_gtt_are_numbers(client, triggers):
    condition = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "trigger_values": triggers,
        "last_price": client.ltp(),
    }
    orders = [client.form(product="CNC", side="SELL", price=1400)]
    form = {"type": "single", "condition": json.dumps(condition), "orders": json.dumps(orders)}
    assert client.refusal("POST", "/gtt/triggers", form)[:2] == (400, "InputException")


# bodies and texts

DEEP = b"[" * 100_000
BODIES = {
    "nested": ("application/json", DEEP, 400),
    "no json": ("application/json", b"{", 400),
    "no utf-8 in json": ("application/json", b'{"a": "\xff"}', 400),
    "no utf-8 in a form": ("application/x-www-form-urlencoded", b"a=\xff\xfe", 400),
    "bogus charset": ("application/x-www-form-urlencoded; charset=bogus", b"a=\xff", 400),
    "no boundary": ("multipart/form-data", b"a=1", 400),
    "broken parts": ("multipart/form-data; boundary=x", b"--x\r\nnonsense", 400),
    "too large": ("application/json", b"[" + b"1," * 600_000 + b"1]", 413),
}


def test_every_bad_body_is_refused_in_kites_json_and_nobody_is_told_of_a_failure(start):
    sandbox, endpoint = start(limits="off")
    failures = []
    sandbox.on_failure = lambda name, error: failures.append((name, error))
    headers = {"Authorization": f"token {endpoint.api_key}:{endpoint.access_token}"}
    for path in (
        "/orders/regular",
        "/margins/orders",
        "/sandbox/advance",
        "/session/token",
        "/gtt/triggers",
    ):
        for name, (content_type, body, status) in BODIES.items():
            opens = bearer_header(endpoint.admin) if path.startswith("/sandbox/") else headers
            answer = requests.post(
                endpoint.rest + path,
                data=body,
                headers=opens | {"Content-Type": content_type},
                timeout=30,
            )
            assert answer.status_code == status, (path, name, answer.text)
            assert answer.json()["status"] == "error", (path, name)
            assert answer.json()["error_type"] == "InputException", (path, name)
    for key in ("condition", "basket", "orders"):
        form = {"type": "single", "name": "x", key: "[" * 100_000}
        for path in ("/gtt/triggers", "/alerts"):
            answer = requests.post(endpoint.rest + path, data=form, headers=headers, timeout=30)
            assert answer.status_code == 400, (path, key)
    assert failures == []


def test_bad_texts_leave_a_socket_as_it_is(start):
    sandbox, endpoint = start(symbols=("INFY",))
    failures = []
    sandbox.on_failure = lambda name, error: failures.append((name, error))
    texts = [
        "",
        "x",
        "{",
        "[" * 100_000,
        "null",
        "7",
        "[]",
        "{}",
        '{"a": []}',
        '{"a": "mode", "v": [[], []]}',
        '{"a": {"b": 1}, "v": 1}',
        '{"a": "mode", "v": "full"}',
        '{"a": "subscribe", "v": [1e400, "x", null]}',
    ]

    async def talk():
        address = f"{endpoint.ws}/?api_key={endpoint.api_key}&access_token={endpoint.access_token}"
        async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
            for text in texts:
                await socket.send_str(text)
                if text != texts[-1]:  # which asks for nothing that there is
                    answer = await socket.receive(timeout=20)
                    assert answer.type is aiohttp.WSMsgType.TEXT, (text[:20], answer)
                    assert json.loads(answer.data)["type"] == "error"

    asyncio.run(talk())
    assert failures == []


# rates


def admitted(limits, name, moments):
    """Return 1 for each request that is admitted, 0 for one too many; refusals count as such."""
    answers = []
    for at in moments:
        refused = sum(limits.refused_counts.values())
        with contextlib.suppress(SandboxApiError):
            limits.admit_request(name, at)
        answers.append(1 - (sum(limits.refused_counts.values()) - refused))
    return answers


@pytest.mark.parametrize(
    ("strictness", "name", "moments", "expected"),
    [
        ("strict", "quote", [0.0, 0.1, 1.0], [1, 0, 1]),
        # three at once, then one a second: at 1.5 s one is there again, at 4.5 s all three
        (
            "kite",
            "quote",
            [0.0, 0.1, 0.2, 0.3, 1.5, 1.6, 4.6, 4.6, 4.6, 4.6],
            [1, 1, 1, 0, 1, 0, 1, 1, 1, 0],
        ),
        ("kite", "historical", [0.0] * 4 + [0.34], [1, 1, 1, 0, 1]),
        ("kite", "other", [0.0] * 11, [1] * 10 + [0]),
        ("kite", "order", [0.0] * 11 + [0.99, 1.0], [1] * 10 + [0, 0, 1]),
        ("off", "quote", [0.0] * 50, [1] * 50),
    ],
)
def test_request_rates_by_strictness(strictness, name, moments, expected):
    limits = RequestRateLimits(
        OrderRules.load().order_limits(date(2026, 11, 20)), strictness, frozen=False
    )
    start = 1_000_000 * SECOND
    assert admitted(limits, name, [start + round(at * SECOND) for at in moments]) == expected


# rules by date


def test_before_april_2026_a_market_order_needs_no_protection(make_client):
    before, after = make_client(date="2026-03-30"), make_client(date="2026-04-01")
    for client in (before, after):
        client.seconds(60)
    words = after.refused(order_type="MARKET")[2]
    assert words.startswith("Market orders without market protection are not allowed")
    depth = before.ok("GET", "/quote", query=[("i", "NSE:INFY")])["NSE:INFY"]["depth"]["sell"]
    order = before.order(before.place(order_type="MARKET"))
    assert (order["status"], order["order_type"], order["price"], order["tags"]) == (
        "COMPLETE",
        "MARKET",
        0.0,
        [],
    )
    assert order["average_price"] == depth[0]["price"]
    assert depth[0]["quantity"] >= 10
    protected = before.order(before.place(order_type="MARKET", market_protection=-1))
    assert (protected["order_type"], protected["tags"][0]) == ("LIMIT", "mktp")


# rows in full


def test_an_orders_history_has_what_was_open_at_each_step(client):
    order_id = client.place(side="BUY", quantity=10, price=client.at(-2))
    client.ok("PUT", f"/orders/regular/{order_id}", {"quantity": "6"})
    client.ok("DELETE", f"/orders/regular/{order_id}")
    history = client.ok("GET", f"/orders/{order_id}")
    steps = [
        (row["status"], row["quantity"], row["pending_quantity"], row["cancelled_quantity"])
        for row in history
    ]
    assert steps[:4] == [
        ("PUT ORDER REQ RECEIVED", 10, 10, 0),
        ("VALIDATION PENDING", 10, 10, 0),
        ("OPEN PENDING", 10, 10, 0),
        ("OPEN", 10, 10, 0),
    ]
    assert [step for step in steps if step[0] == "CANCEL PENDING"] == [("CANCEL PENDING", 6, 6, 0)]
    assert {step[2] for step in steps if step[0].startswith("MODIFY")} <= {6, 10}
    assert steps[-1][0] == "CANCELLED"
    fields = {
        "status_message_raw",
        "exchange_update_timestamp",
        "validity_ttl",
        "market_protection",
        "meta",
    }
    assert all(fields <= row.keys() for row in history)


def test_a_filled_orders_history_ends_with_nothing_open(client):
    history = client.ok("GET", f"/orders/{client.buy()}")
    assert [row["pending_quantity"] for row in history] == [10] * (len(history) - 1) + [0]


def test_past_candles_have_open_interest_and_an_index_has_no_volume(make_client):
    client = make_client(symbols=("INFY",), exchanges=("NSE", "NFO"))
    client.seconds(60)
    listings = client.exchange.listings
    future = listings["NFO:INFY26DECFUT"]

    def rows(token, interval, begin, end):
        query = [("from", begin), ("to", end), ("oi", "1")]
        return client.ok("GET", f"/instruments/historical/{token}/{interval}", query=query)[
            "candles"
        ]

    days = rows(future.instrument.token, "day", "2026-11-10", "2026-11-19")
    assert len({row[6] for row in days}) == len(days) > 4
    assert all(row[6] > 0 and row[6] % future.instrument.lot == 0 for row in days)
    minutes = rows(future.instrument.token, "minute", "2026-11-17 09:15:00", "2026-11-17 15:29:00")
    assert minutes[-1][6] != minutes[0][6]
    assert {
        row[6] for row in rows(future.instrument.token, "minute", "2026-11-20", "2026-11-20")
    } == {future.oi}
    assert days == rows(future.instrument.token, "day", "2026-11-10", "2026-11-19")
    index = rows(
        client.exchange.listings["NSE:NIFTY 50"].instrument.token, "day", "2026-11-10", "2026-11-19"
    )
    assert {(row[5], row[6]) for row in index} == {(0, 0)}


def test_plans_of_mutual_funds_name_their_registration_and_where_the_money_comes_from(client):
    [plan] = client.ok("GET", "/mf/sips")
    assert plan["sip_reg_num"]
    assert plan["fund_source"] == "pool"


@pytest.mark.parametrize("against", ["constant", "instrument"])
def test_the_history_of_an_alert_quotes_its_condition_and_the_whole_market(client, against):
    last = client.ltp()
    right = (
        {"rhs_constant": "1.5"}
        if against == "constant"
        else {
            "rhs_exchange": "NSE",
            "rhs_tradingsymbol": "SBIN",
            "rhs_attribute": "LastTradedPrice",
        }
    )
    form = {
        "name": "x",
        "type": "simple",
        "lhs_exchange": "NSE",
        "lhs_tradingsymbol": "INFY",
        "operator": ">=",
        "lhs_attribute": "LastTradedPrice",
        "rhs_type": against,
    } | right
    assert last > client.ltp("SBIN")
    uuid = client.ok("POST", "/alerts", form)["uuid"]
    client.seconds(5)
    entry = client.ok("GET", f"/alerts/{uuid}/history")[0]
    expected = "1.5" if against == "constant" else 'LastTradedPrice("NSE:SBIN")'
    assert entry["condition"] == f'LastTradedPrice("NSE:INFY") >= {expected}'
    [meta] = entry["meta"]
    assert (meta["exchange"], meta["tradingsymbol"]) == ("NSE", "INFY")
    assert meta["lower_circuit_limit"] == client.share().instrument.lower
    whole_market = {
        "ohlc",
        "net_change",
        "last_trade_time",
        "last_quantity",
        "buy_quantity",
        "sell_quantity",
        "volume",
        "volume_tick",
        "average_price",
        "oi",
        "oi_day_high",
        "oi_day_low",
        "upper_circuit_limit",
    }
    assert whole_market <= meta.keys()
