from random import Random

import pytest


def traded(client, seed):
    """Trade at random for ten minutes; return the fills as (product, sign, quantity, price)."""
    random = Random(seed)
    for _ in range(60):
        client.seconds(10)
        side, product = random.choice(("BUY", "SELL")), random.choice(("MIS", "CNC"))
        fields = {"side": side, "product": product, "quantity": random.randrange(1, 40)}
        client.call(
            "POST",
            "/orders/regular",
            client.form(order_type="MARKET", market_protection=-1, **fields),
        )
    return [
        (
            row["product"],
            1 if row["transaction_type"] == "BUY" else -1,
            row["quantity"],
            row["average_price"],
        )
        for row in client.ok("GET", "/trades")
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_positions_keep_kites_identities(make_client, seed):
    client = make_client(seed=seed)
    fills = traded(client, seed)
    assert len(fills) > 30
    positions = client.ok("GET", "/portfolio/positions")
    assert {row["product"] for row in positions["net"]} == {"MIS", "CNC"}
    for row in positions["net"]:
        mine = [fill for fill in fills if fill[0] == row["product"]]
        bought = sum(quantity for _, sign, quantity, _ in mine if sign > 0)
        sold = sum(quantity for _, sign, quantity, _ in mine if sign < 0)
        buy_value = sum(quantity * price for _, sign, quantity, price in mine if sign > 0)
        sell_value = sum(quantity * price for _, sign, quantity, price in mine if sign < 0)
        assert row["quantity"] == bought - sold
        assert (row["buy_quantity"], row["sell_quantity"]) == (bought, sold)
        assert row["buy_value"] == pytest.approx(buy_value)
        assert row["value"] == pytest.approx(sell_value - buy_value)
        assert row["pnl"] == pytest.approx(row["value"] + row["quantity"] * row["last_price"])
        assert row["m2m"] == pytest.approx(
            row["sell_m2m"] - row["buy_m2m"] + row["quantity"] * row["last_price"]
        )
        assert (row["average_price"] == 0) == (row["quantity"] == 0)
        assert (row["unrealised"], row["realised"]) == (row["pnl"], 0)


@pytest.mark.parametrize("seed", [4, 5])
def test_funds_are_cash_less_what_is_used(make_client, seed):
    client = make_client(seed=seed)
    fills = traded(client, seed)
    margins = client.ok("GET", "/user/margins")["equity"]
    available, used = margins["available"], margins["utilised"]
    assert margins["net"] == pytest.approx(available["cash"] - used["debits"])
    assert available["live_balance"] == margins["net"]
    delivery = sum(
        sign * quantity * price for product, sign, quantity, price in fills if product == "CNC"
    )
    mis = next(
        row for row in client.ok("GET", "/portfolio/positions")["net"] if row["product"] == "MIS"
    )
    margin = abs(mis["quantity"]) * mis["average_price"] * 0.2
    assert used["debits"] == pytest.approx(delivery + margin - used["m2m_realised"], abs=0.02)


def test_intraday_profit_splits_into_realised_and_unrealised(make_client):
    client = make_client(seed=9)
    traded(client, 9)
    used = client.ok("GET", "/user/margins/equity")["utilised"]
    mis = next(
        row for row in client.ok("GET", "/portfolio/positions")["net"] if row["product"] == "MIS"
    )
    assert used["m2m_realised"] + used["m2m_unrealised"] == pytest.approx(mis["pnl"], abs=0.01)


def test_a_contract_note_adds_up_and_follows_the_days_rates(client):
    item = {
        "order_id": "1",
        "exchange": "NSE",
        "tradingsymbol": "SBIN",
        "transaction_type": "SELL",
        "variety": "regular",
        "product": "MIS",
        "order_type": "LIMIT",
        "quantity": 100,
        "average_price": 560.0,
    }
    (row,) = client.ok("POST", "/charges/orders", body=[item])
    charges = row["charges"]
    assert charges["brokerage"] == pytest.approx(16.8)  # 0.03 % of 56,000
    assert charges["transaction_tax"] == pytest.approx(14.0)  # 0.025 %
    assert charges["exchange_turnover_charge"] == pytest.approx(1.7192)  # 0.00307 %, IPFT folded in
    assert charges["sebi_turnover_charge"] == pytest.approx(0.056)  # ₹10 a crore
    assert charges["stamp_duty"] == 0
    assert charges["gst"]["total"] == pytest.approx(0.18 * (16.8 + 1.7192 + 0.056), rel=1e-3)
    parts = (
        "transaction_tax",
        "exchange_turnover_charge",
        "sebi_turnover_charge",
        "brokerage",
        "stamp_duty",
    )
    assert charges["total"] == pytest.approx(
        sum(charges[part] for part in parts) + charges["gst"]["total"]
    )
    assert (row["price"], "order_id" in row) == (560.0, False)
    assert (
        client.refusal("POST", "/charges/orders", body=[item | {"average_price": 0}])[1]
        == "InputException"
    )


def test_a_basket_is_the_sum_of_its_orders(client):
    items = [
        {
            "exchange": "NSE",
            "tradingsymbol": name,
            "transaction_type": "BUY",
            "variety": "regular",
            "product": product,
            "order_type": "LIMIT",
            "quantity": 10,
            "price": 1000,
        }
        for name, product in (("INFY", "CNC"), ("SBIN", "MIS"))
    ]
    orders = client.ok("POST", "/margins/orders", body=items)
    assert [row["total"] for row in orders] == [10_000, 2_000]
    basket = client.ok(
        "POST", "/margins/basket", query=[("consider_positions", "True")], body=items
    )
    assert basket["initial"]["total"] == basket["final"]["total"] == 12_000
    assert basket["orders"] == orders


@pytest.mark.parametrize("body", [None, {}, [], [1], "x"])
def test_a_body_that_is_no_list_of_orders_is_refused(client, body):
    assert client.refusal("POST", "/margins/orders", body=body)[:2] == (400, "InputException")
