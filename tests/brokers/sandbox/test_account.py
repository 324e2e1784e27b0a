"""Holdings, carried positions, conversion, profile, alerts, mutual funds, and access."""

import json
from hashlib import sha256

import pytest

from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from engine.errors import ConfigError

HELD = {
    "holdings": (("INFY", 50, 1500.0),),
    "unsettled": (("INFY", 10, 1530.0), ("SBIN", 4, 900.0)),
}


@pytest.fixture
def holder(make_client):
    client = make_client(**HELD)
    client.seconds(60)
    return client


def test_holdings_show_settled_and_unsettled_shares_with_kites_identities(holder):
    infy, sbin = holder.ok("GET", "/portfolio/holdings")
    assert (infy["quantity"], infy["t1_quantity"], infy["opening_quantity"]) == (50, 10, 60)
    assert (sbin["quantity"], sbin["t1_quantity"]) == (0, 4)
    assert infy["average_price"] == pytest.approx((50 * 1500 + 10 * 1530) / 60)
    for row in (infy, sbin):
        shares = row["quantity"] + row["t1_quantity"]
        assert row["pnl"] == pytest.approx((row["last_price"] - row["average_price"]) * shares)
        assert row["day_change"] == pytest.approx(row["last_price"] - row["close_price"])
        assert row["day_change_percentage"] == pytest.approx(
            row["day_change"] / row["close_price"] * 100
        )


def test_a_sale_takes_settled_shares_first_and_never_more_than_there_are(holder):
    holder.buy(55, side="SELL", product="CNC")
    infy = holder.ok("GET", "/portfolio/holdings")[0]
    assert (infy["quantity"], infy["t1_quantity"], infy["used_quantity"]) == (0, 5, 55)
    refusal = holder.refused(side="SELL", product="CNC", quantity=6, price=holder.at(-1))
    assert refusal[1] == "HoldingException"
    assert holder.ok("GET", "/portfolio/holdings/compact")[0]["t1_quantity"] == 5


def test_the_summary_adds_up_what_the_rows_say(holder):
    rows, summary = (
        holder.ok("GET", "/portfolio/holdings"),
        holder.ok("GET", "/portfolio/holdings/summary"),
    )
    shares = [row["quantity"] + row["t1_quantity"] for row in rows]
    invested = sum(n * row["average_price"] for n, row in zip(shares, rows, strict=True))
    current = sum(n * row["last_price"] for n, row in zip(shares, rows, strict=True))
    today = sum(n * row["day_change"] for n, row in zip(shares, rows, strict=True))
    assert summary["invested_amount"] == pytest.approx(invested)
    assert summary["current_value"] == pytest.approx(current)
    assert summary["total_pnl"] == pytest.approx(current - invested)
    assert summary["total_pnl_percent"] == pytest.approx((current - invested) / invested * 100)
    assert summary["today_pnl_percent"] == pytest.approx(today / (current - today) * 100)


def test_without_consent_a_sale_of_holdings_needs_an_authorisation(make_client):
    client = make_client(consent=False, **HELD)
    client.seconds(60)
    assert client.ok("GET", "/user/profile")["meta"]["demat_consent"] == "physical"
    sale = {"side": "SELL", "product": "CNC", "quantity": 10, "price": client.at(-0.3)}
    assert client.refused(**sale) == (
        428,
        "HoldingException",
        "10 quantity needs authorisation at depository.",
    )
    assert set(client.ok("POST", "/portfolio/holdings/authorise")) == {"request_id"}
    row = client.ok("GET", "/portfolio/holdings")[0]
    assert (row["authorised_quantity"], row["authorised_date"]) == (60, "2026-11-20 09:16:00")
    client.place(**sale)


def test_a_carried_position_keeps_its_identities_and_shows_its_day_apart(make_client):
    future = "INFY26NOVFUT"
    client = make_client(
        exchanges=("NSE", "NFO"),
        cash=100_000_000_00,
        positions=((f"NFO:{future}", "NRML", 950, 1500.0),),
    )
    client.seconds(60)
    order = {"exchange": "NFO", "symbol": future, "product": "NRML"}
    client.buy(475, **order)
    client.buy(475, **order | {"side": "SELL"})
    positions = client.ok("GET", "/portfolio/positions")
    [net], [day] = positions["net"], positions["day"]
    fills = {row["transaction_type"]: row for row in client.ok("GET", "/trades")}
    bought, sold = 475 * fills["BUY"]["average_price"], 475 * fills["SELL"]["average_price"]
    close, last = client.exchange.listings[f"NFO:{future}"].instrument.close, net["last_price"]
    assert (
        net["quantity"],
        net["overnight_quantity"],
        net["buy_quantity"],
        net["sell_quantity"],
    ) == (
        950,
        950,
        1425,
        475,
    )
    assert net["buy_value"] == pytest.approx(950 * 1500 + bought)
    assert net["value"] == pytest.approx(sold - 950 * 1500 - bought)
    assert net["pnl"] == pytest.approx(net["value"] + 950 * last)
    assert net["buy_m2m"] == pytest.approx(950 * close + bought)
    assert net["m2m"] == pytest.approx(sold - 950 * close - bought + 950 * last)
    assert (net["close_price"], net["day_buy_value"]) == (close, pytest.approx(bought))
    assert (day["quantity"], day["overnight_quantity"], day["close_price"]) == (0, 0, 0)
    assert day["pnl"] == pytest.approx(sold - bought)


def test_shares_bought_on_margin_are_holdings_of_their_own_the_next_day(make_client):
    client = make_client(
        positions=(("NSE:INFY", "MTF", 20, 1500.0),), holdings=(("INFY", 3, 1400.0),)
    )
    client.seconds(60)
    assert client.ok("GET", "/portfolio/positions") == {"net": [], "day": []}
    [row] = client.ok("GET", "/portfolio/holdings")
    assert (row["quantity"], row["average_price"]) == (3, 1400.0)
    assert row["mtf"] == {
        "quantity": 20,
        "used_quantity": 0,
        "average_price": 1500.0,
        "value": 30_000.0,
        "initial_margin": 15_000.0,
    }
    free = client.ok("GET", "/user/margins/equity")["net"]
    assert (
        client.refused(side="SELL", product="MTF", quantity=21, price=client.at(-0.3))[1]
        == "HoldingException"
    )
    client.buy(8, side="SELL", product="MTF")
    [row], [net] = (
        client.ok("GET", "/portfolio/holdings"),
        client.ok("GET", "/portfolio/positions")["net"],
    )
    assert (row["mtf"]["quantity"], row["mtf"]["used_quantity"], row["mtf"]["value"]) == (
        12,
        8,
        18_000.0,
    )
    assert (net["product"], net["quantity"], net["overnight_quantity"]) == ("MTF", -8, 0)
    # half of what they had cost comes back, and what they gained
    gained = 8 * (client.ok("GET", "/trades")[0]["average_price"] - 1500.0)
    assert client.ok("GET", "/user/margins/equity")["net"] - free == pytest.approx(
        8 * 750.0 + gained, abs=0.02
    )


def test_charges_of_a_margin_order_are_those_of_margin_trading(make_client):
    client = make_client()
    order = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "variety": "regular",
        "product": "MTF",
        "order_type": "LIMIT",
        "quantity": 10,
        "average_price": 1_000.0,
    }
    [note] = client.ok("POST", "/charges/orders", body=[order])
    # 0.3 % or ₹20, whichever is less
    assert note["charges"]["brokerage"] == pytest.approx(20.0)
    [small] = client.ok("POST", "/charges/orders", body=[order | {"quantity": 1}])
    assert small["charges"]["brokerage"] == pytest.approx(3.0)


def test_a_holding_may_be_listed_under_the_other_exchange_and_is_sold_at_either(make_client):
    client = make_client(
        exchanges=("NSE", "BSE"),
        holdings=(("INFY", 10, 1400.0),),
        unsettled=(("SBIN", 4, 900.0),),
        choices=KiteAssumptions(holdings="other"),
    )
    client.seconds(60)
    rows = {row["tradingsymbol"]: row for row in client.ok("GET", "/portfolio/holdings")}
    twin = client.exchange.listings["BSE:INFY"].instrument
    assert (rows["INFY"]["exchange"], rows["INFY"]["instrument_token"]) == ("BSE", twin.token)
    assert (rows["SBIN"]["exchange"], rows["SBIN"]["t1_quantity"]) == ("BSE", 4)
    client.buy(6, side="SELL", product="CNC")
    client.buy(3, side="SELL", product="CNC", exchange="BSE")
    client.seconds(30)
    refused = client.refused(side="SELL", product="CNC", quantity=2, price=client.at(-0.3))
    assert refused[2].endswith("Required quantity is 2 but available quantity is 1.")
    row = client.ok("GET", "/portfolio/holdings")[0]
    assert (row["opening_quantity"], row["used_quantity"], row["quantity"]) == (10, 9, 1)
    held = {
        row["exchange"]: row["quantity"] for row in client.ok("GET", "/portfolio/positions")["net"]
    }
    assert held == {"NSE": -6, "BSE": -3}


def convert(client, quantity=6, old="MIS", new="CNC", side="BUY", kind="day"):
    return {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": side,
        "position_type": kind,
        "quantity": str(quantity),
        "old_product": old,
        "new_product": new,
    }


def test_a_conversion_moves_shares_at_their_average_price(client):
    client.buy(10)
    before = client.ok("GET", "/user/margins/equity")["net"]
    assert client.ok("PUT", "/portfolio/positions", convert(client)) is True
    rows = {row["product"]: row for row in client.ok("GET", "/portfolio/positions")["net"]}
    price = client.ok("GET", "/trades")[0]["average_price"]
    assert {product: row["quantity"] for product, row in rows.items()} == {"MIS": 4, "CNC": 6}
    assert [row["average_price"] for row in rows.values()] == pytest.approx([price, price])
    assert rows["MIS"]["pnl"] + rows["CNC"]["pnl"] == pytest.approx(
        10 * (rows["MIS"]["last_price"] - price), abs=1e-6
    )
    after = client.ok("GET", "/user/margins/equity")["net"]
    assert before - after == pytest.approx(6 * price * 0.8, abs=0.02), (
        "delivery takes all, intraday took a fifth"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": 11}, "10 are open in MIS"),
        ({"quantity": 0}, "quantity"),
        ({"side": "SELL"}, "0 are open"),
        ({"kind": "overnight"}, "0 are open"),
        ({"new": "MIS"}, "old one"),
        ({"new": "NRML"}, "new_product"),
    ],
)
def test_a_conversion_of_what_is_not_there_is_refused(client, change, words):
    client.buy(10)
    status, kind, message = client.refusal("PUT", "/portfolio/positions", convert(client, **change))
    assert (status, kind) == (400, "InputException")
    assert words in message
    assert client.ok("GET", "/portfolio/positions")["net"][0]["quantity"] == 10


def test_a_conversion_needs_funds_and_shorts_cannot_be_delivered(make_client):
    client = make_client(cash=6_000_00)
    client.seconds(60)
    client.buy(15)
    assert (
        client.refusal("PUT", "/portfolio/positions", convert(client, 15))[1] == "MarginException"
    )
    rich = make_client()
    rich.seconds(60)
    rich.buy(10, side="SELL")
    refusal = rich.refusal("PUT", "/portfolio/positions", convert(rich, 5, side="SELL"))
    assert refusal[2] == "Short positions cannot be converted into delivery."


def test_the_full_profile_holds_the_short_one(client):
    short, full = client.ok("GET", "/user/profile"), client.ok("GET", "/user/profile/full")
    assert {key: full[key] for key in short if key != "meta"} == {
        k: v for k, v in short.items() if k != "meta"
    }
    assert {"bank_accounts", "dp_ids", "pan", "phone", "twofa_type"} <= set(full)


ALERT = {
    "name": "up",
    "type": "simple",
    "lhs_exchange": "NSE",
    "lhs_tradingsymbol": "INFY",
    "lhs_attribute": "LastTradedPrice",
    "operator": ">=",
    "rhs_type": "constant",
}


def test_an_alert_fires_when_its_condition_becomes_true_and_again_after_it_was_false(client):
    share = client.share()
    line = share.ltp
    made = client.ok("POST", "/alerts", ALERT | {"rhs_constant": str(line)})
    above, crossings = False, 0
    for _ in range(240):
        client.seconds(1)
        crossings += share.ltp >= line and not above
        above = share.ltp >= line
    row = client.ok("GET", f"/alerts/{made['uuid']}")
    assert crossings > 0
    assert (
        row["alert_count"] == crossings == len(client.ok("GET", f"/alerts/{made['uuid']}/history"))
    )
    assert row["status"] == "enabled"


def test_an_alert_of_orders_places_them_once(client):
    params = {
        "transaction_type": "BUY",
        "product": "MIS",
        "order_type": "LIMIT",
        "quantity": 3,
        "price": client.at(-2, "SBIN"),
        "validity": "DAY",
    }
    basket = {
        "name": "b",
        "type": "alert",
        "items": [{"exchange": "NSE", "tradingsymbol": "SBIN", "params": params}],
    }
    form = ALERT | {"type": "ato", "rhs_constant": "1", "basket": json.dumps(basket)}
    uuid = client.ok("POST", "/alerts", form)["uuid"]
    client.seconds(5)
    [order] = client.ok("GET", "/orders")
    assert (order["tradingsymbol"], order["quantity"], order["status"]) == ("SBIN", 3, "OPEN")
    [entry] = client.ok("GET", f"/alerts/{uuid}/history")
    assert entry["order_meta"] == [{"order_id": order["order_id"], "status": "OPEN"}]
    assert client.ok("GET", f"/alerts/{uuid}")["status"] == "disabled"


def test_alerts_are_changed_listed_and_deleted(client):
    one, two = (
        client.ok("POST", "/alerts", ALERT | {"rhs_constant": "9999", "name": n})["uuid"]
        for n in "ab"
    )
    changed = client.ok("PUT", f"/alerts/{one}", {"operator": "<=", "status": "disabled"})
    assert (changed["operator"], changed["status"], changed["name"]) == ("<=", "disabled", "a")
    assert [row["uuid"] for row in client.ok("GET", "/alerts")] == [one, two]
    assert client.ok("DELETE", "/alerts", query=[("uuid", one), ("uuid", two)]) is None
    assert client.ok("GET", "/alerts") == []
    assert client.ok("GET", f"/alerts/{one}")["status"] == "deleted"
    assert client.refusal("GET", "/alerts/none")[0] == 404
    index = {"lhs_exchange": "INDICES", "lhs_tradingsymbol": "NIFTY 50", "rhs_constant": "1"}
    assert client.ok("POST", "/alerts", ALERT | index)["lhs_exchange"] == "INDICES"
    for wrong in (
        {"operator": "!="},
        {"lhs_tradingsymbol": "GONE"},
        {"rhs_type": "instrument"},
        {"type": "ato"},
    ):
        assert (
            client.refusal("POST", "/alerts", ALERT | {"rhs_constant": "1"} | wrong)[1]
            == "InputException"
        )


def test_mutual_funds_can_be_read(client):
    [order] = client.ok("GET", "/mf/orders")
    assert client.ok("GET", f"/mf/orders/{order['order_id']}") == order
    [plan] = client.ok("GET", "/mf/sips")
    assert client.ok("GET", f"/mf/sips/{plan['sip_id']}") == plan
    [held] = client.ok("GET", "/mf/holdings")
    assert held["quantity"] * held["average_price"] == pytest.approx(order["amount"], rel=1e-4)
    assert client.ok("GET", "/mf/allotments") == [order]
    [traded] = client.ok("GET", f"/mf/holdings/{held['tradingsymbol']}")
    assert (traded["quantity"], traded["amount"]) == (held["quantity"], order["amount"])
    assert client.refusal("GET", "/mf/orders/none")[0] == 404
    assert client.refusal("GET", "/mf/holdings/INF000S01028")[0] == 404


FUND = {"tradingsymbol": "INF000S01028"}


def test_a_mutual_fund_order_is_taken_stays_open_and_can_be_cancelled_once(client):
    placed = client.ok(
        "POST", "/mf/orders", FUND | {"transaction_type": "BUY", "amount": "5000", "tag": "save"}
    )
    order = client.ok("GET", f"/mf/orders/{placed['order_id']}")
    assert (order["status"], order["amount"], order["quantity"], order["tag"]) == (
        "OPEN",
        5_000.0,
        0,
        "save",
    )
    assert client.ok("GET", "/mf/orders")[-1] == order
    assert len(client.ok("GET", "/mf/allotments")) == 1
    assert client.ok("DELETE", f"/mf/orders/{placed['order_id']}") == placed
    assert client.ok("GET", f"/mf/orders/{placed['order_id']}")["status"] == "CANCELLED"
    assert client.refusal("DELETE", f"/mf/orders/{placed['order_id']}")[:2] == (
        400,
        "InputException",
    )
    for wrong in (
        {"transaction_type": "SELL"},
        {"transaction_type": "BUY", "amount": "1", "tag": "ninechars"},
    ):
        assert client.refusal("POST", "/mf/orders", FUND | wrong)[:2] == (400, "InputException")


def test_a_plan_begins_changes_pauses_and_ends(client):
    form = FUND | {
        "amount": "1000",
        "instalments": "6",
        "frequency": "monthly",
        "instalment_day": "5",
    }
    begun = client.ok("POST", "/mf/sips", form)
    path = f"/mf/sips/{begun['sip_id']}"
    plan = client.ok("GET", path)
    assert (plan["instalment_amount"], plan["pending_instalments"], plan["instalment_day"]) == (
        1_000.0,
        6,
        5,
    )
    assert (
        client.ok("PUT", path, {"amount": "500", "status": "paused", "frequency": "weekly"})
        == begun
    )
    plan = client.ok("GET", path)
    assert (plan["instalment_amount"], plan["status"], plan["frequency"]) == (
        500.0,
        "PAUSED",
        "weekly",
    )
    assert client.ok("DELETE", path) == begun
    assert client.ok("GET", path)["status"] == "CANCELLED"
    assert client.refusal("PUT", path, {"amount": "1"})[:2] == (400, "InputException")


def test_mutual_funds_can_be_closed_as_on_the_live_api(make_client):
    closed = make_client(choices=KiteAssumptions(mutual_funds=False))
    [plan] = closed.ok("GET", "/mf/sips")
    for method, path in (
        ("POST", "/mf/orders"),
        ("DELETE", "/mf/orders/x"),
        ("POST", "/mf/sips"),
        ("PUT", f"/mf/sips/{plan['sip_id']}"),
        ("DELETE", f"/mf/sips/{plan['sip_id']}"),
    ):
        status, kind, message = closed.refusal(method, path, FUND)
        assert (status, kind) == (400, "InputException")
        assert message.startswith("Order placement can't be done")


def test_a_refresh_token_renews_a_session_until_it_is_invalidated(make_client):
    client = make_client(choices=KiteAssumptions(refresh_token=True))
    session = client.exchange.session
    key, secret = session.api_key, session.api_secret

    def checksum(token):
        return sha256((key + token + secret).encode()).hexdigest()

    asked = session.request_token(key)
    first = client.ok(
        "POST",
        "/session/token",
        {"api_key": key, "request_token": asked, "checksum": checksum(asked)},
    )
    refresh = first["refresh_token"]
    assert refresh
    bad = {"api_key": key, "refresh_token": refresh, "checksum": "0"}
    assert client.refusal("POST", "/session/refresh_token", bad)[:2] == (403, "TokenException")
    second = client.ok("POST", "/session/refresh_token", bad | {"checksum": checksum(refresh)})
    assert set(second) == {"user_id", "access_token", "refresh_token"}
    assert second["access_token"] == session.access_token != first["access_token"]
    query = [("api_key", key), ("refresh_token", second["refresh_token"])]
    assert client.ok("DELETE", "/session/token", query=query) is True
    again = {
        "api_key": key,
        "refresh_token": second["refresh_token"],
        "checksum": checksum(second["refresh_token"]),
    }
    assert client.refusal("POST", "/session/refresh_token", again)[:2] == (403, "TokenException")


def test_a_key_that_looks_real_is_told_apart_from_a_wrong_one(client):
    api = client.api
    session = client.exchange.session
    from brokers.sandbox.http import SandboxRequest

    def answer(key):
        header = f"token {key}:{session.access_token}"
        return json.loads(
            api.respond(SandboxRequest("GET", "/orders", authorization=header)).content
        )["message"]

    assert "real account" in answer("abcdefgh12345678")
    assert answer("x") == answer("sbx0000000000000") == "Incorrect `api_key` or `access_token`."
    assert session.api_key.startswith("sbx")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"user_id": "AB1234"}, "looks like a real one"),
        ({"exchanges": ("NSE", "NYSE")}, "'NYSE'"),
        ({"size": 9_001}, "9000"),
        ({"postback": "http://example.com/"}, "this machine only"),
    ],
)
def test_a_configuration_that_reaches_too_far_is_refused(config, words):
    with pytest.raises(ConfigError, match=words):
        Sandbox(SandboxConfig(**config)).start()


def test_order_counts_tell_the_last_second_the_minute_and_the_day(client):
    for _ in range(3):
        client.place(price=client.at(-2))
    client.refused(price=client.at(-2), quantity=0)
    client.seconds(1)
    client.place(price=client.at(-2))
    counts = client.call("GET", "/sandbox/books")[1]["counts"]
    assert counts == {"second": 1, "minute": 5, "day": 5}, "refused ones count too"
