import json

import pytest

from brokers.sandbox import overnight
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange


def gtt(
    client, triggers, last=None, *, prices=None, side="SELL", product="CNC", quantity=10, **leg
):
    prices = prices or triggers
    condition = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "trigger_values": list(triggers),
        "last_price": client.ltp() if last is None else last,
    }
    orders = [
        {
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "transaction_type": side,
            "quantity": quantity,
            "order_type": "LIMIT",
            "product": product,
            "price": price,
        }
        | leg
        for price in prices
    ]
    kind = "single" if len(triggers) == 1 else "two-leg"
    return {"type": kind, "condition": json.dumps(condition), "orders": json.dumps(orders)}


def until_triggered(client, trigger_id, seconds=3_000):
    for _ in range(seconds):
        client.seconds(1)
        row = client.ok("GET", f"/gtt/triggers/{trigger_id}")
        if row["status"] == "triggered":
            return row
    raise AssertionError("it never triggered")


def test_a_stop_sends_a_limit_order_that_can_be_found_from_the_gtt(client):
    client.buy(product="CNC", quantity=10)
    stop = client.at(-0.3)
    trigger_id = client.ok("POST", "/gtt/triggers", gtt(client, [stop], prices=[client.at(-1)]))[
        "trigger_id"
    ]
    row = until_triggered(client, trigger_id)
    assert client.share().instrument.price(client.share().low) <= stop
    result = row["orders"][0]["result"]["order_result"]
    assert (result["status"], result["rejection_reason"]) == ("success", "")
    order = client.order(result["order_id"])
    assert (order["status"], order["order_type"], order["validity"], order["tag"]) == (
        "COMPLETE",
        "LIMIT",
        "DAY",
        None,
    )
    assert order["order_timestamp"] == row["updated_at"]


def test_a_gtt_waits_until_the_price_reaches_its_trigger(client):
    client.buy(product="CNC", quantity=10)
    stop = client.at(-0.3)
    trigger_id = client.ok("POST", "/gtt/triggers", gtt(client, [stop]))["trigger_id"]
    lowest = client.ltp()
    while lowest > stop:
        assert client.ok("GET", f"/gtt/triggers/{trigger_id}")["status"] == "active"
        assert len(client.ok("GET", "/orders")) == 1
        client.seconds(1)
        lowest = min(lowest, client.ltp())
    assert client.ok("GET", f"/gtt/triggers/{trigger_id}")["status"] == "triggered"


def test_last_price_decides_the_direction(client):
    client.buy(product="CNC", quantity=10)
    above = client.at(0.4)
    falling = client.ok("POST", "/gtt/triggers", gtt(client, [above], last=client.at(0.6)))[
        "trigger_id"
    ]
    rising = client.ok("POST", "/gtt/triggers", gtt(client, [above]))["trigger_id"]
    placed = client.exchange.now
    while client.share().last_trade == placed or client.share().last_trade < client.exchange.now:
        client.seconds(1)
    assert client.ok("GET", f"/gtt/triggers/{falling}")["status"] == "triggered"
    assert client.ok("GET", f"/gtt/triggers/{rising}")["status"] == "active"


def test_when_one_leg_of_an_oco_fires_the_other_dies(client):
    client.buy(product="CNC", quantity=10)
    legs = [client.at(-0.4), client.at(0.4)]
    trigger_id = client.ok("POST", "/gtt/triggers", gtt(client, legs))["trigger_id"]
    row = until_triggered(client, trigger_id)
    fired = [leg["result"] is not None for leg in row["orders"]]
    assert fired.count(True) == 1
    index = fired.index(True)
    assert (client.ltp() <= legs[0], client.ltp() >= legs[1]) == (index == 0, index == 1)
    client.seconds(600)
    assert len(client.ok("GET", "/orders")) == 2
    assert client.ok("GET", f"/gtt/triggers/{trigger_id}")["orders"][1 - index]["result"] is None


def test_a_leg_without_shares_fails_at_its_trigger_and_says_why(client):
    trigger_id = client.ok("POST", "/gtt/triggers", gtt(client, [client.at(-0.4), client.at(0.4)]))[
        "trigger_id"
    ]
    row = until_triggered(client, trigger_id)
    result = next(leg["result"] for leg in row["orders"] if leg["result"])["order_result"]
    assert result == {
        "status": "failed",
        "order_id": "",
        "rejection_reason": (
            "Insufficient stock holding. Required quantity is 10 but available quantity is 0."
        ),
    }
    assert client.ok("GET", "/orders") == []


def test_a_leg_outside_the_band_is_rejected_by_the_exchange(client):
    client.buy(product="CNC", quantity=10)
    legs = [client.at(-0.3), client.at(0.3)]
    form = gtt(client, legs, prices=[1_200.0, 1_200.0])
    row = until_triggered(client, client.ok("POST", "/gtt/triggers", form)["trigger_id"])
    result = next(leg["result"] for leg in row["orders"] if leg["result"])["order_result"]
    assert result["status"] == "failed"
    assert "lower than the current lower circuit limit of 1384.90" in result["rejection_reason"]
    assert client.order(result["order_id"])["status"] == "REJECTED"


def test_a_gtt_can_be_moved_and_deleted(client):
    trigger_id = client.ok("POST", "/gtt/triggers", gtt(client, [client.at(-2)]))["trigger_id"]
    moved = gtt(client, [client.at(-1)], quantity=5)
    assert client.ok("PUT", f"/gtt/triggers/{trigger_id}", moved) == {"trigger_id": trigger_id}
    row = client.ok("GET", f"/gtt/triggers/{trigger_id}")
    assert row["condition"]["trigger_values"] == [client.at(-1)]
    assert row["orders"][0]["quantity"] == 5
    client.ok("DELETE", f"/gtt/triggers/{trigger_id}")
    assert [row["status"] for row in client.ok("GET", "/gtt/triggers")] == ["deleted"]
    for method in ("PUT", "DELETE"):
        status, error, message = client.refusal(method, f"/gtt/triggers/{trigger_id}", moved)
        assert (status, error) == (400, "InputException")
        assert "deleted" in message


@pytest.mark.parametrize(
    ("percents", "last", "words"),
    [
        ([-0.2], None, "Trigger price should be at least 0.25% away from the last price."),
        ([0.2], None, "Trigger price should be at least 0.25% away from the last price."),
        (
            [-1.0],
            -1.0,
            "Trigger cannot be created with one of the trigger values equal to the last price.",
        ),
        (
            [0.5, 1.0],
            None,
            "Trigger cannot be created with the first trigger price more than the last price.",
        ),
        (
            [-1.0, -0.5],
            None,
            "Trigger cannot be created with the second trigger price less than the last price.",
        ),
        ([-1.0], -200.0, "Invalid `trigger_values`."),
    ],
)
def test_a_trigger_in_the_wrong_place_is_refused(client, percents, last, words):
    triggers = [client.at(percent) for percent in percents]
    form = gtt(client, triggers, None if last is None else client.at(last))
    assert client.refusal("POST", "/gtt/triggers", form) == (400, "InputException", words)


@pytest.mark.parametrize("trigger", [float("nan"), float("inf"), 1e30, 0, 1500.03])
def test_a_trigger_that_is_no_price_is_refused(client, trigger):
    assert client.refusal("POST", "/gtt/triggers", gtt(client, [trigger], prices=[1500]))[:2] == (
        400,
        "InputException",
    )
    client.seconds(5)


def test_a_trigger_a_quarter_percent_away_is_accepted(client):
    for percent in (-0.26, 0.26):
        client.ok("POST", "/gtt/triggers", gtt(client, [client.at(percent)]))
    standing = [
        (row["status"], row["condition"]["trigger_values"])
        for row in client.ok("GET", "/gtt/triggers")
    ]
    assert sorted(standing) == [("active", [client.at(-0.26)]), ("active", [client.at(0.26)])]


@pytest.mark.parametrize(
    "leg", [{"order_type": "MARKET"}, {"product": "MIS"}, {"quantity": 0}, {"price": 1500.03}]
)
def test_a_leg_that_no_gtt_may_have_is_refused(client, leg):
    assert client.refusal("POST", "/gtt/triggers", gtt(client, [client.at(-1)], **leg))[:2] == (
        400,
        "InputException",
    )


def test_a_two_leg_gtt_with_one_order_is_refused(client):
    form = gtt(client, [client.at(-1), client.at(1)], prices=[client.at(-1)])
    assert (
        client.refusal("POST", "/gtt/triggers", form)[2]
        == "Number of orders should match the number of trigger values."
    )


@pytest.mark.parametrize(
    "change", [{"type": "triple"}, {"condition": "{"}, {"orders": "7"}, {"condition": "[]"}]
)
def test_an_unreadable_gtt_is_refused_and_not_fatal(client, change):
    form = gtt(client, [client.at(-1)]) | change
    assert client.refusal("POST", "/gtt/triggers", form)[:2] == (400, "InputException")


def test_five_hundred_gtts_are_the_most(client):
    form = gtt(client, [client.at(-5)])
    for _ in range(500):
        client.ok("POST", "/gtt/triggers", form)
    assert (
        client.refusal("POST", "/gtt/triggers", form)[2] == "You can have at most 500 active GTTs."
    )


def test_no_id_of_a_gtt_comes_back_on_a_later_day(make_client):
    today = make_client(date="2026-11-19")
    standing, gone = (
        today.ok("POST", "/gtt/triggers", gtt(today, [today.at(-2)]))["trigger_id"]
        for _ in range(2)
    )
    today.ok("DELETE", f"/gtt/triggers/{gone}")
    evening = overnight.collect_account(today.exchange)
    assert [(old.trigger_id, old.status) for old in evening.gtts] == [
        (standing, "active"),
        (gone, "deleted"),
    ]
    tomorrow = SandboxExchange(
        SandboxConfig(speed=None, date="2026-11-20", symbols=("INFY", "SBIN")), evening
    )
    assert tomorrow.gtts.place_gtt(gtt(today, [today.at(-2)]), tomorrow.now) == gone + 1


def test_the_list_of_gtts_shows_each_as_it_stands_by_itself(client):
    ids = [
        client.ok("POST", "/gtt/triggers", gtt(client, legs))["trigger_id"]
        for legs in ([client.at(-2)], [client.at(-0.4), client.at(0.4)])
    ]

    def stands():
        listed = client.ok("GET", "/gtt/triggers")
        assert listed == [client.ok("GET", f"/gtt/triggers/{trigger_id}") for trigger_id in ids]
        return listed

    before = stands()
    client.ok("PUT", f"/gtt/triggers/{ids[0]}", gtt(client, [client.at(-2)], quantity=5))
    assert stands()[0]["orders"][0]["quantity"] == 5, "changed in the moment in which it was listed"
    client.ok("PUT", f"/gtt/triggers/{ids[0]}", gtt(client, [client.at(-1)], quantity=5))
    assert stands()[0]["condition"] != before[0]["condition"]
    until_triggered(client, ids[1])
    assert any(leg["result"] for leg in stands()[1]["orders"])
    client.ok("DELETE", f"/gtt/triggers/{ids[0]}")
    assert [row["status"] for row in stands()] == ["deleted", "triggered"]
