import pytest

from brokers.sandbox.market.session_phases import SHUT


def test_a_limit_order_walks_through_the_documented_statuses(client):
    order_id = client.place(price=client.at(-1))
    assert client.statuses(order_id) == [
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
        "OPEN PENDING",
        "OPEN",
    ]
    rows = client.ok("GET", f"/orders/{order_id}")
    assert [row["exchange_order_id"] is None for row in rows] == [True, True, True, False]
    client.ok("DELETE", f"/orders/regular/{order_id}")
    assert client.statuses(order_id)[4:] == ["CANCEL PENDING", "CANCELLED"]
    row = client.order(order_id)
    assert (row["status"], row["quantity"], row["filled_quantity"], row["cancelled_quantity"]) == (
        "CANCELLED",
        10,
        0,
        10,
    )


def test_a_market_order_comes_back_as_a_limit_order_at_its_protection_price(client):
    ltp = client.ltp()
    row = client.order(client.buy(tag="entry1"))
    assert row["order_type"] == "LIMIT"
    assert row["price"] == pytest.approx(ltp * 1.005, abs=0.1)
    assert row["price"] <= ltp * 1.005
    assert row["market_protection"] == 0
    assert row["tags"] == ["entry1", "mktp", "mktp:0.50"]
    assert row["tag"] == "entry1"
    assert row["status"] == "COMPLETE"


@pytest.mark.parametrize(("symbol", "percent"), [("INFY", "0.50"), ("ITC", "1.00")])
def test_automatic_protection_follows_the_slab_of_the_price(make_client, symbol, percent):
    client = make_client(symbols=(symbol,))
    client.seconds(5)
    assert client.order(client.buy(symbol=symbol))["tags"] == ["mktp", f"mktp:{percent}"]


def test_a_big_market_order_rests_at_its_protection_price(client):
    order_id = client.buy(quantity=5_000, symbol="SBIN", market_protection=0.02)
    row = client.order(order_id)
    assert row["status"] == "OPEN"
    assert 0 < row["filled_quantity"] < 5_000
    assert row["pending_quantity"] == 5_000 - row["filled_quantity"]
    best = client.ok("GET", "/quote", query=[("i", "NSE:SBIN")])["NSE:SBIN"]["depth"]["buy"][0]
    assert (best["price"], best["quantity"]) == (row["price"], row["pending_quantity"])


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        (
            {"order_type": "MARKET"},
            "InputException",
            "Market orders without market protection are not allowed via API.",
        ),
        (
            {"order_type": "MARKET", "market_protection": 0},
            "InputException",
            "Market orders without market protection",
        ),
        (
            {"order_type": "MARKET", "market_protection": 101},
            "InputException",
            "Invalid `market_protection`.",
        ),
        (
            {"order_type": "SL-M", "trigger_price": 1600},
            "InputException",
            "Market orders without market protection",
        ),
        ({"tag": "x" * 21, "price": 1500}, "InputException", "Invalid `tag`."),
        (
            {"tag": "two words", "price": 1500},
            "InputException",
            "Invalid `tag`. Only letters and digits",
        ),
        (
            {"tag": "caf\u00e9", "price": 1500},
            "InputException",
            "Invalid `tag`. Only letters and digits",
        ),
        ({"price": 1500.07}, "InputException", "Tick size for this script is 0.10."),
        ({"price": 1500, "quantity": 0}, "InputException", "Invalid `quantity`."),
        ({"price": 1500, "quantity": "ten"}, "InputException", "Invalid `quantity`."),
        (
            {"price": 1500, "quantity": 100_001},
            "InputException",
            "The order quantity 100001 is higher than the maximum",
        ),
        ({"price": 1500, "quantity": 70_000}, "InputException", "The order value exceeds"),
        (
            {"price": 1500, "product": "NRML"},
            "InputException",
            "Trading in NSE is not allowed using NRML",
        ),
        ({"price": 1500, "product": ""}, "InputException", "Missing or empty field `product`"),
        ({"price": 1500, "product": "XYZ"}, "InputException", "Invalid `product`."),
        (
            {"price": 1500, "symbol": "NOSUCH"},
            "InputException",
            "The instrument you are placing an order for",
        ),
        (
            {"price": 1500, "symbol": "NIFTY 50"},
            "InputException",
            "The instrument you are placing an order for",
        ),
        ({}, "InputException", "Missing or empty field `price`"),
        ({"price": "nan"}, "InputException", "Invalid `price`."),
        ({"order_type": "SL", "price": 1600}, "InputException", "Invalid trigger price entered"),
        (
            {"order_type": "SL", "price": 1600, "trigger_price": 1500},
            "OrderException",
            "Trigger price for stoploss buy",
        ),
        (
            {"order_type": "SL", "side": "SELL", "price": 1300, "trigger_price": 1310},
            "OrderException",
            (
                "Trigger price for stoploss sell orders cannot be below the lower circuit price. "
                "Please try placing the order with trigger price above 1384.90."
            ),
        ),
        (
            {"order_type": "SL", "side": "BUY", "price": 1810, "trigger_price": 1800},
            "OrderException",
            (
                "Trigger price for stoploss buy orders cannot be above the upper circuit price. "
                "Please try placing the order with trigger price below 1692."
            ),
        ),
        (
            {"price": 1500, "side": "SELL", "product": "CNC"},
            "HoldingException",
            "Insufficient stock holding.",
        ),
        (
            {"price": 1500, "quantity": 700, "product": "CNC"},
            "MarginException",
            "Insufficient funds. Required margin is",
        ),
    ],
)
def test_an_order_is_refused_in_kites_words(client, fields, error, words):
    status, error_type, message = client.refused(**fields)
    assert (status, error_type) == (400, error)
    assert message.startswith(words)
    assert client.ok("GET", "/orders") == []


def test_the_margin_message_names_both_amounts(client):
    _, _, message = client.refused(price=1500, quantity=700, product="CNC")
    assert (
        message
        == "Insufficient funds. Required margin is 1050000.00 but available margin is 1000000.00."
    )


def test_a_price_outside_the_band_is_rejected_by_the_exchange(client):
    order_id = client.place(price=1300, side="BUY")
    assert client.statuses(order_id) == ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "REJECTED"]
    row = client.order(order_id)
    words = (
        "Your order price is lower than the current lower circuit limit of 1384.90. Place an "
        "order within the daily range."
    )
    assert row["status_message"] == words
    assert row["exchange_order_id"] is None


def test_open_orders_block_funds_until_they_end(client):
    def net():
        return client.ok("GET", "/user/margins/equity")["net"]

    order_id = client.place(price=1500, quantity=100, product="CNC")
    assert net() == 1_000_000 - 150_000
    client.ok("DELETE", f"/orders/regular/{order_id}")
    assert net() == 1_000_000
    client.place(price=1500, quantity=100, product="MIS")
    assert net() == 1_000_000 - 30_000


def test_shares_bought_today_can_be_sold_once(client):
    client.buy(quantity=10, product="CNC")
    client.place(side="SELL", quantity=6, product="CNC", price=client.at(3))
    status, error, message = client.refused(
        side="SELL", quantity=5, product="CNC", price=client.at(3)
    )
    assert (status, error) == (400, "HoldingException")
    assert (
        message == "Insufficient stock holding. Required quantity is 5 but available quantity is 4."
    )
    client.place(side="SELL", quantity=4, product="CNC", price=client.at(3))


def test_holdings_of_earlier_days_can_be_sold(make_client):
    client = make_client(holdings=(("INFY", 25, 1400.0),))
    client.seconds(5)
    client.buy(side="SELL", quantity=20, product="CNC")
    row = client.ok("GET", "/portfolio/holdings")[0]
    assert (row["quantity"], row["used_quantity"]) == (5, 20)
    assert row["pnl"] == pytest.approx((client.ltp() - 1400.0) * 5)
    assert (
        client.refused(side="SELL", quantity=6, product="CNC", price=client.at(1))[1]
        == "HoldingException"
    )


def test_closing_an_intraday_position_needs_no_margin(make_client):
    client = make_client(cash=40_000_00)
    client.seconds(5)
    client.buy(quantity=100)
    assert client.refused(quantity=100, price=client.at(-1))[1] == "MarginException"
    client.place(quantity=100, side="SELL", price=client.at(2))


def test_an_ioc_order_never_rests(client):
    order_id = client.place(price=client.at(-1), validity="IOC")
    assert client.statuses(order_id)[-2:] == ["OPEN", "CANCELLED"]


def test_a_stop_order_waits_for_its_trigger_and_then_trades(client):
    trigger = client.at(0.3)
    order_id = client.place(order_type="SL-M", trigger_price=trigger, market_protection=-1)
    assert client.order(order_id)["status"] == "TRIGGER PENDING"
    while client.share().instrument.price(client.share().high) < trigger:
        assert client.order(order_id)["status"] == "TRIGGER PENDING"
        client.seconds(1)
    row = client.order(order_id)
    assert row["status"] == "COMPLETE"
    assert client.statuses(order_id)[-3:] == ["TRIGGER PENDING", "OPEN", "COMPLETE"]
    assert row["average_price"] >= trigger


def test_a_modification_walks_its_statuses_and_changes_price_and_quantity(client):
    order_id = client.place(price=client.at(-1))
    price = client.at(-0.8)
    client.ok("PUT", f"/orders/regular/{order_id}", {"price": str(price), "quantity": "7"})
    rows = client.ok("GET", f"/orders/{order_id}")
    assert [row["status"] for row in rows[3:]] == [
        "OPEN",
        "MODIFY VALIDATION PENDING",
        "MODIFY PENDING",
        "MODIFIED",
        "OPEN",
    ]
    assert rows[-2]["price"] == rows[3]["price"]
    assert (rows[-1]["price"], rows[-1]["quantity"]) == (price, 7)


def test_the_twenty_sixth_modification_is_refused(client):
    order_id = client.place(price=client.at(-1))
    for turn in range(25):
        client.ok("PUT", f"/orders/regular/{order_id}", {"quantity": str(11 + turn)})
    status, error, message = client.refusal("PUT", f"/orders/regular/{order_id}", {"quantity": "9"})
    assert (status, error, message) == (
        400,
        "OrderException",
        "Maximum allowed order modifications exceeded.",
    )
    assert client.order(order_id)["quantity"] == 35


def test_a_refused_modification_leaves_the_order_alone(client):
    order_id = client.place(price=client.at(-1))
    before = client.order(order_id)
    for change in (
        {"price": "1500.03"},
        {"price": "1200"},
        {"quantity": "60000"},
        {"order_type": "MARKET"},
    ):
        assert client.refusal("PUT", f"/orders/regular/{order_id}", change)[0] == 400
    assert client.order(order_id) == before


def test_a_limit_order_can_become_a_market_order(client):
    order_id = client.place(price=client.at(-1))
    client.ok(
        "PUT", f"/orders/regular/{order_id}", {"order_type": "MARKET", "market_protection": "-1"}
    )
    assert client.order(order_id)["status"] == "COMPLETE"


def test_a_modification_across_the_spread_trades_at_once(client):
    order_id = client.place(price=client.at(-1))
    client.ok("PUT", f"/orders/regular/{order_id}", {"price": str(client.at(0.4))})
    assert client.order(order_id)["status"] == "COMPLETE"


def test_a_finished_order_is_neither_modified_nor_cancelled(client):
    order_id = client.buy()
    for method, verb in (("PUT", "modified"), ("DELETE", "cancelled")):
        status, error, message = client.refusal(
            method, f"/orders/regular/{order_id}", {"quantity": "5"}
        )
        assert (status, error) == (400, "OrderException")
        assert verb in message


def test_an_unknown_order_is_not_found(client):
    assert client.refusal("GET", "/orders/1")[:2] == (404, "GeneralException")
    assert client.refusal("DELETE", "/orders/regular/1")[:2] == (404, "GeneralException")


def test_trades_add_up_to_their_order(client):
    order_id = client.buy(quantity=3_000, symbol="SBIN")
    row, trades = client.order(order_id), client.ok("GET", f"/orders/{order_id}/trades")
    assert len(trades) > 1
    assert sum(trade["quantity"] for trade in trades) == row["filled_quantity"] == 3_000
    value = sum(trade["quantity"] * trade["average_price"] for trade in trades)
    assert row["average_price"] == pytest.approx(value / 3_000, abs=1e-4)
    assert trades == client.ok("GET", "/trades")
    assert len({trade["trade_id"] for trade in trades}) == len(trades)
    assert trades[0]["order_timestamp"] == trades[0]["fill_timestamp"][11:] == "09:16:00"


def test_ids_are_digit_strings_of_the_day_and_rise(client):
    first, second = client.place(price=client.at(-1)), client.place(price=client.at(-1))
    assert first == "261120000000001"
    assert int(second) == int(first) + 1
    assert client.order(first)["exchange_order_id"].isdecimal()
    assert 15 <= len(client.order(first)["exchange_order_id"]) <= 19


def test_the_close_cancels_day_orders_and_ends_the_day(make_client):
    client = make_client(start="15:29:50", date="2026-07-31")
    order_id = client.place(price=client.at(-2), product="CNC")
    client.seconds(9)
    assert (client.order(order_id)["status"], client.exchange.is_over) == ("OPEN", False)
    client.seconds(1)
    assert (client.order(order_id)["status"], client.exchange.is_over) == ("CANCELLED", True)
    assert client.refused(price=client.at(-1)) == (400, "OrderException", SHUT)


def test_a_resting_order_is_filled_when_the_market_trades_through_it(client):
    price = client.at(-0.15)
    order_id = client.place(price=price)
    for _ in range(1_200):
        client.seconds(1)
        if client.order(order_id)["status"] == "COMPLETE":
            break
    row = client.order(order_id)
    assert (row["status"], row["average_price"]) == ("COMPLETE", price)


def test_the_order_book_follows_every_change_of_an_order(client):
    """What is listed is written once and kept; a change that was missed would show here."""
    order_id = client.place(price=client.at(-3), quantity=10)
    seen = [client.order(order_id)]
    client.ok("PUT", f"/orders/regular/{order_id}", {"price": str(client.at(-2))})
    seen.append(client.order(order_id))
    client.seconds(1)
    client.ok("PUT", f"/orders/regular/{order_id}", {"quantity": "12"})
    seen.append(client.order(order_id))
    client.ok("DELETE", f"/orders/regular/{order_id}")
    seen.append(client.order(order_id))
    assert [row["quantity"] for row in seen] == [10, 10, 12, 12]
    assert [row["status"] for row in seen] == ["OPEN", "OPEN", "OPEN", "CANCELLED"]
    assert [row["modified"] for row in seen] == [False, True, True, True]
    assert seen[0]["price"] < seen[1]["price"] == seen[3]["price"]
    assert seen[3]["cancelled_quantity"] == 12
    assert seen[2]["order_timestamp"] > seen[1]["order_timestamp"]
