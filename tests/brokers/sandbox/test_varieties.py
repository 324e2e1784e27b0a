"""AMO, CO, iceberg, auction, TTL, autoslice, square-off: what they do beyond a plain order."""

import pytest

MINUTE = 60


def put(client, variety, **fields):
    return client.ok("POST", f"/orders/{variety}", client.form(**fields))["order_id"]


def refuse(client, variety, **fields):
    return client.refusal("POST", f"/orders/{variety}", client.form(**fields))


def test_a_ttl_order_is_cancelled_when_its_minutes_are_over(client):
    order = client.place(price=client.at(-3), validity="TTL", validity_ttl=2)
    assert client.order(order)["validity_ttl"] == 2
    client.seconds(2 * MINUTE - 1)
    assert client.order(order)["status"] == "OPEN"
    client.seconds(1)
    row = client.order(order)
    assert (row["status"], row["cancelled_quantity"]) == ("CANCELLED", 10)


@pytest.mark.parametrize("minutes", [0, 121])
def test_a_ttl_is_between_a_minute_and_two_hours(client, minutes):
    refusal = client.refused(price=client.at(-3), validity="TTL", validity_ttl=minutes)
    assert refusal == (
        400,
        "InputException",
        "Invalid `validity_ttl`. It should be between 1 and 120 minutes.",
    )


def test_an_iceberg_shows_one_leg_and_sends_the_next_when_it_has_traded(client):
    first = put(
        client, "iceberg", quantity=25, iceberg_legs=3, iceberg_quantity=10, price=client.at(1.0)
    )
    rows = client.ok("GET", "/orders")
    assert [row["quantity"] for row in rows] == [10, 10, 5]
    assert [row["status"] for row in rows] == ["COMPLETE"] * 3
    assert rows[0]["order_id"] == first
    assert [row["meta"]["iceberg"]["leg"] for row in rows] == [1, 2, 3]
    assert rows[1]["meta"]["iceberg"] == {
        "leg": 2,
        "legs": 3,
        "leg_quantity": 10,
        "total_quantity": 25,
        "remaining_quantity": 5,
    }
    assert client.ok("GET", "/portfolio/positions")["net"][0]["quantity"] == 25
    counts = client.call("GET", "/sandbox/books")[1]["counts"]
    assert (counts["second"], counts["day"]) == (1, 3), (
        "legs count towards the day, not towards the second"
    )


def test_a_cancelled_leg_ends_the_iceberg(client):
    first = put(client, "iceberg", quantity=30, iceberg_legs=3, price=client.at(-2))
    client.ok("DELETE", f"/orders/iceberg/{first}")
    client.seconds(5)
    assert [(row["status"], row["quantity"]) for row in client.ok("GET", "/orders")] == [
        ("CANCELLED", 10)
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"iceberg_legs": 1}, "iceberg_legs"),
        ({"iceberg_legs": 51}, "iceberg_legs"),
        ({"iceberg_legs": 3, "iceberg_quantity": 5}, "iceberg_quantity"),
        ({"iceberg_legs": 3, "order_type": "MARKET", "market_protection": -1}, "Market and IOC"),
        ({"iceberg_legs": 3, "disclosed_quantity": 10}, "Disclosed"),
    ],
)
def test_an_iceberg_that_does_not_divide_is_refused(client, fields, words):
    status, kind, message = refuse(
        client, "iceberg", **({"quantity": 30, "price": client.at(-2)} | fields)
    )
    assert (status, kind) == (400, "InputException")
    assert words in message


def test_a_sliced_order_has_a_parent_and_children_with_their_tags(make_client):
    client = make_client(symbols=("WIPRO",), cash=10**12)
    client.seconds(60)
    price = client.at(-5, "WIPRO")
    form = client.form("WIPRO", quantity=250_000, price=price, autoslice="true")
    answer = client.ok("POST", "/orders/regular", form)
    rows = client.ok("GET", "/orders")
    assert [row["quantity"] for row in rows] == [100_000, 100_000, 50_000]
    assert answer["order_id"] == rows[0]["order_id"]
    assert answer["children"] == [{"order_id": row["order_id"]} for row in rows[1:]]
    assert all(row["tags"] == ["autoslice", f"autoslice:{answer['order_id']}"] for row in rows)


def test_a_slice_that_cannot_be_paid_is_an_error_among_the_children(make_client):
    client = make_client(symbols=("WIPRO",), cash=5_000_000_00)
    client.seconds(60)
    price = client.at(-5, "WIPRO")
    form = client.form("WIPRO", quantity=200_000, price=price, autoslice="true")
    answer = client.ok("POST", "/orders/regular", form)
    [child] = answer["children"]
    assert set(child) == {"error"}
    assert (child["error"]["code"], child["error"]["error_type"]) == (400, "MarginException")
    assert child["error"]["message"].startswith("Insufficient funds. Required margin is")
    assert child["error"]["data"] is None
    assert len(client.ok("GET", "/orders")) == 1


def test_what_needs_no_slicing_is_refused_and_so_is_what_needs_too_much(make_client):
    client = make_client(symbols=("WIPRO",), cash=10**13)
    client.seconds(60)
    price = client.at(-5, "WIPRO")
    for quantity, words in (
        (100_000, "greater than or equal to 100001 for order slicing"),
        (1_000_001, "limited to 10"),
    ):
        form = client.form("WIPRO", quantity=quantity, price=price, autoslice="true")
        assert words in client.refusal("POST", "/orders/regular", form)[2]


def test_a_cover_order_gets_its_second_leg_with_the_fill_and_is_left_by_it(client):
    stop = client.at(-1.0)
    first = put(client, "co", order_type="MARKET", market_protection=-1, trigger_price=stop)
    entry, second = client.ok("GET", "/orders")
    assert (entry["order_id"], entry["status"], entry["variety"], entry["product"]) == (
        first,
        "COMPLETE",
        "co",
        "CO",
    )
    assert (second["parent_order_id"], second["status"]) == (first, "TRIGGER PENDING")
    assert (second["transaction_type"], second["quantity"], second["trigger_price"]) == (
        "SELL",
        10,
        stop,
    )
    client.ok("PUT", f"/orders/co/{second['order_id']}", {"trigger_price": str(client.at(-1.5))})
    assert client.order(second["order_id"])["trigger_price"] == client.at(-1.5)
    client.ok("DELETE", f"/orders/co/{second['order_id']}", query=[("parent_order_id", first)])
    assert client.order(second["order_id"])["status"] == "COMPLETE"
    [position] = client.ok("GET", "/portfolio/positions")["net"]
    assert (position["product"], position["quantity"]) == ("CO", 0)


def test_a_cover_order_that_waits_takes_a_new_price_and_a_new_stop(client):
    first = put(client, "co", price=client.at(-2), trigger_price=client.at(-3))
    client.ok(
        "PUT",
        f"/orders/co/{first}",
        {"price": str(client.at(1)), "trigger_price": str(client.at(-2.5))},
    )
    entry, second = client.ok("GET", "/orders")
    assert entry["status"] == "COMPLETE"
    assert second["trigger_price"] == entry["trigger_price"]


def test_a_cover_order_without_a_sensible_stop_is_refused(client):
    for trigger in (0, client.at(2)):
        refusal = refuse(client, "co", price=client.at(-1), trigger_price=trigger)
        assert refusal == (400, "InputException", "Invalid trigger price entered")
    refusal = refuse(client, "co", order_type="SL", price=client.at(2), trigger_price=client.at(1))
    assert refusal[1] == "InputException"


def test_the_stop_of_a_cover_order_closes_the_position(make_client):
    client = make_client(seed=3)
    client.seconds(60)
    put(client, "co", order_type="MARKET", market_protection=-1, trigger_price=client.at(-0.1))
    for _ in range(360):
        client.seconds(60)
        if client.ok("GET", "/portfolio/positions")["net"][0]["quantity"] == 0:
            break
    second = client.ok("GET", "/orders")[1]
    assert second["status"] == "COMPLETE"
    assert second["filled_quantity"] == 10


def test_an_after_market_order_waits_for_the_morning_and_is_sent_then(make_client):
    client = make_client(start="08:00")
    share = client.share()
    order = put(client, "amo", price=client.at(1.0), product="CNC")
    assert client.statuses(order) == [
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
        "AMO REQ RECEIVED",
    ]
    client.ok("PUT", f"/orders/amo/{order}", {"quantity": "12"})
    assert client.order(order)["quantity"] == 12
    stop = put(
        client,
        "amo",
        side="SELL",
        order_type="SL-M",
        market_protection=-1,
        trigger_price=client.at(-3),
    )
    gone = put(client, "amo", price=client.at(-1))
    client.ok("DELETE", f"/orders/amo/{gone}")
    client.seconds(3_600 - 1)
    assert client.order(order)["status"] == "AMO REQ RECEIVED"
    client.seconds(1)
    assert client.order(order)["status"] == "OPEN"
    assert client.order(stop)["status"] == "AMO REQ RECEIVED", (
        "stop orders are sent when continuous trading begins"
    )
    client.seconds(901)
    assert client.order(order)["status"] == "COMPLETE"
    assert client.order(order)["average_price"] == share.instrument.price(share.open), (
        "it traded in the opening auction"
    )
    assert client.order(stop)["status"] == "TRIGGER PENDING"
    assert client.order(gone)["status"] == "CANCELLED"


def test_after_market_orders_are_not_taken_while_the_market_is_open(client):
    assert (
        refuse(client, "amo", price=client.at(-1))[2]
        == "After market orders (AMO) are taken outside market hours only."
    )


def test_plain_orders_are_not_taken_before_the_market_opens(make_client):
    client = make_client(start="08:00")
    assert client.refused(price=client.at(-1))[2].startswith("Markets are closed right now.")


def test_an_unknown_variety_and_another_orders_variety_are_refused(client):
    assert refuse(client, "bo", price=client.at(-1))[2] == "Invalid `variety`."
    order = client.place(price=client.at(-1))
    assert client.refusal("DELETE", f"/orders/co/{order}")[0] == 404
    assert client.refusal("PUT", f"/orders/amo/{order}", {"price": "1400"})[0] == 404


def test_shares_are_offered_in_the_auction_that_buys_them(make_client):
    client = make_client(
        holdings=(("INFY", 50, 1500.0), ("SBIN", 40, 900.0)), start="14:50", seed=9
    )
    rows = client.ok("GET", "/portfolio/holdings/auctions")
    assert rows, "this seed's auction buys something the account holds"
    row = rows[0]
    symbol, close = row["tradingsymbol"], row["close_price"]
    share = client.share(symbol)
    fields = {
        "symbol": symbol,
        "side": "SELL",
        "product": "CNC",
        "quantity": 5,
        "auction_number": row["auction_number"],
    }
    sold = put(client, "auction", price=share.instrument.snap(close * 0.99), **fields)
    dear = put(client, "auction", price=share.instrument.snap(close * 1.05), **fields)
    assert client.order(sold)["status"] == "OPEN"
    assert client.order(sold)["auction_number"] == row["auction_number"]
    assert (
        refuse(client, "auction", price=close, **(fields | {"auction_number": "0"}))[2]
        == "Invalid `auction_number`."
    )
    client.seconds(600)
    assert (client.order(sold)["status"], client.order(dear)["status"]) == ("COMPLETE", "CANCELLED")
    assert client.order(sold)["average_price"] == share.instrument.snap(close * 0.99)
    assert refuse(client, "auction", price=close, **fields)[2] == "The auction market is closed."


def test_intraday_positions_are_squared_off_at_zerodhas_time(make_client):
    client = make_client(start="15:10")
    client.seconds(1)
    client.buy(10)
    client.buy(20, product="CNC")
    waiting = client.place(price=client.at(-2))
    client.seconds(118)
    assert client.order(waiting)["status"] == "OPEN"
    client.seconds(1)
    assert client.order(waiting)["status"] == "CANCELLED"
    by_product = {
        row["product"]: row["quantity"] for row in client.ok("GET", "/portfolio/positions")["net"]
    }
    assert by_product == {"MIS": 0, "CNC": 20}
    last = client.ok("GET", "/orders")[-1]
    assert (last["placed_by"], last["transaction_type"], last["status"]) == (
        "ADMINSQF",
        "SELL",
        "COMPLETE",
    )
    assert client.refused(price=client.at(-1))[2].startswith(
        "Intraday orders (MIS, CO) are not accepted"
    )
    client.place(price=client.at(-1), product="CNC")


def test_without_a_freeze_quantity_nothing_is_cut_and_a_position_leaves_in_one_order(make_client):
    client = make_client(start="15:10")
    client.seconds(1)
    client.share().instrument.freeze = 0
    form = client.form(quantity=10, price=client.at(-2), autoslice="true")
    assert "for order slicing" in client.refusal("POST", "/orders/regular", form)[2]
    client.buy(10)
    client.seconds(120)
    leaving = [row for row in client.ok("GET", "/orders") if row["placed_by"] == "ADMINSQF"]
    assert [(row["transaction_type"], row["quantity"]) for row in leaving] == [("SELL", 10)]


def test_the_square_off_can_be_switched_off(make_client):
    client = make_client(start="15:11:50", square_off=False)
    client.seconds(1)
    client.buy(10)
    client.seconds(60)
    assert client.ok("GET", "/portfolio/positions")["net"][0]["quantity"] == 10


def test_every_way_an_order_goes_is_in_its_history_in_order(make_client):
    begins = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING"]
    opens, waits = [*begins, "OPEN PENDING", "OPEN"], [*begins, "OPEN PENDING", "TRIGGER PENDING"]
    modified = ["MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED"]
    client = make_client(cash=10**11)
    client.seconds(60)
    stop = client.place(order_type="SL", trigger_price=client.at(0.3), price=client.at(0.6))
    client.ok("PUT", f"/orders/regular/{stop}", {"trigger_price": str(client.at(0.4))})
    client.ok("DELETE", f"/orders/regular/{stop}")
    assert client.statuses(stop) == [
        *waits,
        *modified,
        "TRIGGER PENDING",
        "CANCEL PENDING",
        "CANCELLED",
    ]
    cover = client.form(order_type="MARKET", trigger_price=client.at(-2), market_protection=-1)
    entry = client.ok("POST", "/orders/co", cover)["order_id"]
    second = next(
        row["order_id"] for row in client.ok("GET", "/orders") if row["parent_order_id"] == entry
    )
    client.ok("DELETE", f"/orders/co/{second}")
    assert client.statuses(entry) == [*opens, "COMPLETE"]
    assert client.statuses(second) == [*waits, "OPEN", "COMPLETE"]
    assert client.statuses(client.place(validity="IOC", price=client.at(-1))) == [
        *opens,
        "CANCELLED",
    ]
    rejected = client.place(price=client.share().instrument.upper + 10)
    assert client.statuses(rejected) == [*begins, "REJECTED"]
    share = client.share()
    best, offered = share.instrument.price(share.book.best(-1)), share.book.depth(-1, 1)[0][1]
    part = client.place(quantity=offered + 5, price=best)
    client.ok("DELETE", f"/orders/regular/{part}")
    assert client.statuses(part) == [*opens, "OPEN", "CANCEL PENDING", "CANCELLED"]
