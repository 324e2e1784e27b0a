"""Faults inside the exchange: updates, ticks, fills, clocks, and the rules themselves."""

import json
import struct
from random import Random

import pytest

from brokers.sandbox import faults
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.faults import Fault
from engine.errors import ConfigError

SECOND = 1_000_000_000


def ok(fault, client):
    status, answer = client.call("POST", "/sandbox/faults", body=fault)
    assert status == 200, answer
    return answer[0]


@pytest.fixture
def listener(client):
    """A connection in full mode on INFY and what it heard: a function that empties it."""
    connection = client.exchange.connect()
    connection.receive('{"a": "subscribe", "v": [408065]}')
    client.seconds(2)
    connection.outbox.clear()

    def heard():
        messages = list(connection.outbox)
        connection.outbox.clear()
        return messages

    heard.connection = connection
    return heard


def events(messages):
    return [json.loads(m)["data"]["status"] for m in messages if isinstance(m, str)]


def frames(messages):
    return [m for m in messages if isinstance(m, bytes)]


def stamp(frame):
    return struct.unpack(">I", frame[4 + 60 : 4 + 64])[0]


def test_a_dropped_update_never_comes_and_the_order_book_knows_better(client, listener):
    ok({"kind": "drop", "on": "updates", "where": {"status": "COMPLETE"}}, client)
    order = client.buy()
    client.seconds(5)
    assert events(listener()) == []
    assert client.order(order)["status"] == "COMPLETE"


def test_a_delayed_update_comes_so_many_virtual_seconds_later(client, listener):
    ok({"kind": "delay", "on": "updates", "seconds": 3}, client)
    client.buy()
    client.seconds(2)
    assert events(listener()) == []
    client.seconds(1)
    assert events(listener()) == ["COMPLETE"]


def test_a_duplicated_update_comes_twice_and_the_same(client, listener):
    ok({"kind": "duplicate", "on": "updates"}, client)
    client.buy()
    first, second = [m for m in listener() if isinstance(m, str)]
    assert first == second


def test_a_reordered_update_comes_after_the_next_one(client, listener):
    ok({"kind": "reorder", "on": "updates", "times": 1}, client)
    first, second = client.buy(), client.buy()
    heard = [json.loads(m)["data"]["order_id"] for m in listener() if isinstance(m, str)]
    assert heard == [second, first]


def test_a_reordered_update_that_nothing_follows_comes_after_a_while(client, listener):
    ok({"kind": "reorder", "on": "updates", "seconds": 2}, client)
    client.buy()
    client.seconds(1)
    assert events(listener()) == []
    client.seconds(1)
    assert events(listener()) == ["COMPLETE"]


def test_a_silent_feed_says_nothing_and_then_goes_on(client, listener):
    ok({"kind": "silent", "lasts": 5}, client)
    client.buy()
    client.seconds(4)
    assert listener() == []
    client.seconds(3)
    assert len(frames(listener())) >= 2


def test_a_closed_feed_breaks_every_connection_once(client, listener):
    ok({"kind": "close"}, client)
    client.seconds(1)
    assert listener.connection.abort_requested
    again = client.exchange.connect()
    client.seconds(5)
    assert not again.close_requested


def test_a_poison_frame_breaks_off_inside_a_packet(client, listener):
    ok({"kind": "poison"}, client)
    client.seconds(1)
    good, bad = frames(listener())
    count, length = struct.unpack(">HH", bad[:4])
    assert count * length > len(bad) > 4
    assert struct.unpack(">HH", good[:4])[1] == 44


@pytest.mark.parametrize(("kind", "expected"), [("drop", 0), ("duplicate", 2)])
def test_a_frame_is_lost_or_comes_twice(client, listener, kind, expected):
    client.seconds(1)
    listener()
    ok({"kind": kind, "on": "ticks", "times": 1}, client)
    client.exchange.run(client.exchange.next_instant())
    got = frames(listener())
    assert len(got) == expected
    assert len(set(got)) == min(1, expected)


def test_a_slow_fill_leaves_the_order_open_and_comes_later(client):
    ok({"kind": "slow", "seconds": 4}, client)
    order = client.buy()
    client.seconds(3)
    row = client.order(order)
    assert (row["status"], row["filled_quantity"], row["pending_quantity"]) == ("OPEN", 0, 10)
    client.seconds(2)
    assert client.order(order)["status"] == "COMPLETE"


def test_a_slow_order_can_be_changed_and_cancelled_before_it_is_in_the_book(client):
    ok({"kind": "slow", "seconds": 4}, client)
    order = client.place(price=client.at(0.5))
    client.ok("PUT", f"/orders/regular/{order}", {"price": str(client.at(-3))})
    gone = client.place(price=client.at(0.5))
    client.ok("DELETE", f"/orders/regular/{gone}")
    client.seconds(6)
    assert client.order(order)["status"] == "OPEN"
    assert client.order(order)["filled_quantity"] == 0
    assert client.order(gone)["status"] == "CANCELLED"
    assert client.ok("GET", "/trades") == []


def test_a_partial_fill_fills_its_share_and_then_the_rest(client, listener):
    ok({"kind": "partial", "share": 0.3, "seconds": 3}, client)
    order = client.buy(10)
    row = client.order(order)
    assert (row["status"], row["filled_quantity"], row["pending_quantity"]) == ("OPEN", 3, 7)
    client.seconds(4)
    assert client.order(order)["status"] == "COMPLETE"
    assert sum(trade["quantity"] for trade in client.ok("GET", f"/orders/{order}/trades")) == 10
    assert events(listener())[0] == "UPDATE"
    assert client.ok("GET", "/portfolio/positions")["net"][0]["quantity"] == 10


def test_an_ioc_order_that_is_filled_in_part_loses_the_rest(client):
    ok({"kind": "partial", "share": 0.5}, client)
    order = client.place(price=client.at(0.3), validity="IOC")
    row = client.order(order)
    assert (row["status"], row["filled_quantity"], row["cancelled_quantity"]) == ("CANCELLED", 5, 5)
    client.seconds(5)
    assert client.order(order)["filled_quantity"] == 5


def test_a_trade_can_be_seen_before_its_order_knows_of_it(client, listener):
    ok({"kind": "trade-first", "seconds": 2}, client)
    order = client.buy()
    assert [trade["quantity"] for trade in client.ok("GET", "/trades")] == [10]
    row = client.order(order)
    assert (row["status"], row["filled_quantity"]) == ("OPEN", 0)
    assert client.statuses(order)[-1] == "OPEN"
    assert events(listener()) == []
    client.seconds(2)
    assert client.order(order)["status"] == "COMPLETE"
    assert client.statuses(order)[-1] == "COMPLETE"
    assert events(listener()) == ["COMPLETE"]


def test_a_skewed_clock_shows_in_quotes_and_ticks_but_not_in_the_market(client, listener):
    listener.connection.receive('{"a": "mode", "v": ["full", [408065]]}')
    client.seconds(1)
    listener()
    ok({"kind": "skew", "seconds": -90}, client)
    client.seconds(1)
    now = client.exchange.now
    assert stamp(frames(listener())[-1]) == now // SECOND - 90
    quote = client.ok("GET", "/quote", query=[("i", "NSE:INFY")])["NSE:INFY"]
    assert quote["timestamp"] == "2026-11-20 09:14:34"
    assert now == client.exchange.start + 64 * SECOND


def test_a_rule_holds_from_its_time_of_day_for_as_long_as_it_says(make_client):
    client = make_client(faults=(Fault("500", at="09:16", lasts=30.0),))
    answers = {}
    for second in (59, 60, 89, 90):
        client.exchange.run(client.exchange.start + second * SECOND)
        answers[second] = client.call("GET", "/orders")[0]
    assert answers == {59: 200, 60: 500, 89: 500, 90: 200}


def test_a_rule_skips_and_is_spent(make_client):
    client = make_client(faults=(Fault("503", on="GET /orders", skip=2, times=3),))
    assert [client.call("GET", "/orders")[0] for _ in range(7)] == [
        200,
        200,
        503,
        503,
        503,
        200,
        200,
    ]
    [row] = client.call("GET", "/sandbox/faults")[1]
    assert (row["id"], row["strikes"], row["kind"]) == (1, 3, "503")


def test_a_rule_is_taken_back(make_client):
    client = make_client(faults=(Fault("500"), Fault("503")))
    assert client.call("GET", "/orders")[0] == 500
    assert client.call("DELETE", "/sandbox/faults/1") == (200, {"removed": 1})
    assert client.call("GET", "/orders")[0] == 503
    assert client.call("DELETE", "/sandbox/faults/1")[0] == 404
    assert client.call("DELETE", "/sandbox/faults") == (200, {"removed": 1})
    assert client.call("GET", "/orders")[0] == 200


def test_only_what_a_rule_names_is_struck(make_client):
    client = make_client(
        faults=(
            Fault(
                "refuse",
                on="POST /orders/*",
                where={"tradingsymbol": "SBIN"},
                message="No SBIN today.",
            ),
        )
    )
    client.seconds(60)
    client.buy()
    assert client.refused(symbol="SBIN", price=client.at(-1, "SBIN")) == (
        400,
        "OrderException",
        "No SBIN today.",
    )


def test_an_error_after_acceptance_leaves_the_order_behind(make_client):
    client = make_client(faults=(Fault("504", on="POST /orders/*", accept=True, times=1),))
    client.seconds(60)
    assert client.refused(price=client.at(-1), tag="mine")[0] == 504
    assert [row["tag"] for row in client.ok("GET", "/orders")] == ["mine"]


def test_a_duplicated_request_is_carried_out_twice(make_client):
    client = make_client(faults=(Fault("duplicate", on="POST /orders/*"),))
    client.seconds(60)
    second = client.place(price=client.at(-1), tag="mine")
    rows = client.ok("GET", "/orders")
    assert [row["tag"] for row in rows] == ["mine", "mine"]
    assert rows[1]["order_id"] == second


def test_the_same_seed_strikes_the_same_requests_in_whatever_order_they_arrive():
    def struck(seed, order):
        made = faults.FaultRules(seed, 0, [Fault("500", chance=0.4)])
        return {n for n in order if made.strike("request", f"GET /orders/{n}", {}, 5)}

    forward, backward = struck(7, range(200)), struck(7, reversed(range(200)))
    assert forward == backward
    assert 50 < len(forward) < 110, "two fifths of two hundred, give or take"
    assert forward != struck(8, range(200))


def test_the_same_seed_strikes_the_same_updates_of_whatever_account():
    def struck(secret):
        made = faults.FaultRules(7, 0, [Fault("drop", on="updates", chance=0.4)])
        rows = [{"order_id": str(n), "checksum": f"{secret}{n}"} for n in range(200)]
        return [n for n, row in enumerate(rows) if made.strike("updates", str(n), row, 5)]

    assert struck("one") == struck("another")
    assert 50 < len(struck("one")) < 110, "two fifths of two hundred, give or take"


def test_a_repeated_request_draws_anew():
    made = faults.FaultRules(7, 0, [Fault("500", chance=0.5)])
    drawn = [made.strike("request", "GET /orders", {}, 5) is not None for _ in range(100)]
    assert 25 < sum(drawn) < 75


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "dealy"}, "'dealy'.*did you mean 'delay'"),
        ({"kind": "delay", "second": 1}, "unknown key 'second'.*'seconds'"),
        ({"kind": "poison", "on": "POST /orders/*"}, "poison cannot be on"),
        ({"kind": "500", "chance": 2}, "between 0 and 1"),
        ({"kind": "500", "chance": "often"}, "chance"),
        ({"kind": "delay", "seconds": -1}, "seconds"),
        ({"kind": "500", "at": "noon"}, "expected HH:MM"),
        ({"kind": "500", "times": -1}, "negative"),
        ([], "object"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(client, given, words):
    status, answer = client.call("POST", "/sandbox/faults", body=[given])
    assert (status, answer["error_type"]) == (400, "InputException")
    with pytest.raises(ConfigError, match=words):
        faults.read_fault(given, "fault")


def test_a_file_of_timed_faults_is_read_and_what_is_wrong_in_it_is_named(tmp_path):
    file = tmp_path / "faults.toml"
    file.write_text(
        '[[fault]]\nkind = "silent"\nat = "10:00"\nlasts = 30\n\n[[fault]]\nkind = "429"\n'
        "chance = 0.1\n"
    )
    config = SandboxConfig(faults_file=file, faults=(Fault("poison"),))
    assert [fault.kind for fault in config.all_faults()] == ["poison", "silent", "429"]
    file.write_text('[[fault]]\nkind = "silent"\n[[fault]]\nknid = "429"\n')
    with pytest.raises(ConfigError, match=r"faults.toml: fault 2: unknown key 'knid'.*'kind'"):
        SandboxExchange(config)
    file.write_text("[other]\n")
    with pytest.raises(ConfigError, match="other"):
        config.all_faults()
    with pytest.raises(ConfigError, match="nowhere"):
        faults.faults_from_file(tmp_path / "nowhere.toml")


def test_a_rule_is_read_from_a_command_line():
    assert faults.fault_from_text(
        '504 on="POST /orders/*" chance=0.1 accept=true where.tradingsymbol=INFY'
    ) == Fault("504", on="POST /orders/*", chance=0.1, accept=True, where={"tradingsymbol": "INFY"})
    for text, words in (("", "kind"), ("504 chance", "key=value"), ("504 chanse=1", "'chance'")):
        with pytest.raises(ConfigError, match=words):
            faults.fault_from_text(text)


WILD = (
    Fault("slow", chance=0.3, seconds=4),
    Fault("partial", chance=0.4, share=0.4, seconds=7),
    Fault("trade-first", chance=0.3, seconds=3),
    Fault("504", on="POST /orders/*", chance=0.1, accept=True),
    Fault("429", on="POST /orders/*", chance=0.1),
    Fault("duplicate", on="POST /orders/*", chance=0.05),
    Fault("reorder", on="updates", chance=0.2),
    Fault("duplicate", on="updates", chance=0.2),
    Fault("drop", on="updates", chance=0.2),
    Fault("delay", on="ticks", chance=0.1, seconds=2),
    Fault("close", chance=0.01, times=3),
)


def wild_hour(make_client, seed):
    """Trade at random through every kind of fault.

    Return the exchange and everything anybody was told.
    """
    client = make_client(seed=seed, faults=WILD, limits="off")
    connection = client.exchange.connect()
    connection.receive('{"a": "subscribe", "v": [408065, 779521]}')
    random, told = Random(seed), []
    for _ in range(300):
        client.seconds(random.randrange(1, 20))
        price = client.at(random.uniform(-0.4, 0.4))
        form = client.form(
            side=random.choice(("BUY", "SELL")), quantity=random.randrange(1, 30), price=price
        )
        told.append(client.call("POST", "/orders/regular", form))
        told.append(client.call("GET", "/orders"))
    client.exchange.faults.remove()
    client.seconds(30)
    return client, (told, list(connection.outbox))


def test_the_same_faults_strike_the_same_day_in_the_same_way(make_client):
    first, again = wild_hour(make_client, 3), wild_hour(make_client, 3)
    assert first[1] == again[1]
    assert first[1] != wild_hour(make_client, 4)[1]


@pytest.mark.parametrize("seed", [5, 6])
def test_an_hour_of_random_faults_leaves_books_that_agree_with_each_other(make_client, seed):
    client, _ = wild_hour(make_client, seed)
    orders, trades = client.ok("GET", "/orders"), client.ok("GET", "/trades")
    assert len(trades) > 100
    assert len({trade["trade_id"] for trade in trades}) == len(trades)
    for order in orders:
        mine = [trade for trade in trades if trade["order_id"] == order["order_id"]]
        assert (
            order["filled_quantity"]
            == sum(trade["quantity"] for trade in mine)
            <= order["quantity"]
        )
        assert order["status"] != "COMPLETE" or order["filled_quantity"] == order["quantity"]
        assert client.statuses(order["order_id"])[-1] == order["status"]
    [position] = client.ok("GET", "/portfolio/positions")["net"]
    signs = {"BUY": 1, "SELL": -1}
    assert position["quantity"] == sum(
        signs[trade["transaction_type"]] * trade["quantity"] for trade in trades
    )
    share = client.share()
    assert share.volume == sum(minute[5] for minute in share.minutes)


@pytest.mark.parametrize("kind", faults.KINDS)
def test_every_kind_comes_from_a_flag_a_file_and_the_admin_route_alike(client, tmp_path, kind):
    flagged = faults.fault_from_text(f"{kind} at=10:30 lasts=60 chance=0.5")
    file = tmp_path / "faults.toml"
    file.write_text(f'[[fault]]\nkind = "{kind}"\nat = "10:30"\nlasts = 60\nchance = 0.5\n')
    assert faults.faults_from_file(file) == [flagged]
    posted = ok({"kind": kind, "at": "10:30", "lasts": 60, "chance": 0.5}, client)
    assert {key: posted[key] for key in ("kind", "at", "lasts", "chance")} == {
        "kind": flagged.kind,
        "at": flagged.at,
        "lasts": flagged.lasts,
        "chance": flagged.chance,
    }
    assert (
        faults.read_fault(
            {key: posted[key] for key in posted if key not in {"id", "strikes"}}, "again"
        )
        == flagged
    )
