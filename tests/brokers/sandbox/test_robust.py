"""Whatever a client sends, it gets Kite's envelope back, and the exchange goes on."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

NUMBERS = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "1",
        "10",
        "1e9",
        "nan",
        "inf",
        "-inf",
        "1500",
        "1500.1",
        "1499.97",
        "9" * 40,
        "x",
    ]
)
WORDS = st.sampled_from(
    [
        "",
        "NSE",
        "INFY",
        "NIFTY 50",
        "BUY",
        "SELL",
        "MARKET",
        "LIMIT",
        "SL",
        "SL-M",
        "CNC",
        "MIS",
        "MTF",
        "IOC",
        "₹",
    ]
)
ORDERS = st.fixed_dictionaries(
    {
        "exchange": st.just("NSE") | WORDS,
        "tradingsymbol": st.just("INFY") | WORDS,
        "transaction_type": st.sampled_from(["BUY", "SELL"]) | WORDS,
        "order_type": st.sampled_from(["MARKET", "LIMIT", "SL", "SL-M"]) | WORDS,
        "product": st.sampled_from(["CNC", "MIS", "MTF"]) | WORDS,
        "quantity": st.just("5") | NUMBERS,
    },
    optional={
        "price": NUMBERS,
        "trigger_price": NUMBERS,
        "market_protection": st.just("-1") | NUMBERS,
        "validity": WORDS,
        "disclosed_quantity": NUMBERS,
        "tag": WORDS,
        "validity_ttl": NUMBERS,
        "iceberg_legs": st.just("3") | NUMBERS,
        "iceberg_quantity": NUMBERS,
        "auction_number": NUMBERS,
        "autoslice": st.sampled_from(["true", "false", "x"]),
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def busy(make_module_client):
    client = make_module_client(limits="off")
    client.seconds(60)
    return client


def envelope(status, answer):
    assert answer["status"] == ("success" if status == 200 else "error")
    assert "data" in answer
    assert status == 200 or (answer["error_type"].endswith("Exception") and answer["message"])


@settings(max_examples=300)
@given(
    orders=st.lists(ORDERS, min_size=1, max_size=4),
    changes=ORDERS,
    variety=st.just("regular") | st.sampled_from(["amo", "co", "iceberg", "auction", "bo"]),
)
def test_no_order_however_odd_breaks_the_exchange(busy, orders, changes, variety):
    for form in orders:
        status, answer = busy.call("POST", f"/orders/{variety}", form)
        envelope(status, answer)
        if status == 200:
            envelope(*busy.call("PUT", f"/orders/{variety}/{answer['data']['order_id']}", changes))
            envelope(*busy.call("DELETE", f"/orders/{variety}/{answer['data']['order_id']}"))
    busy.seconds(1)
    envelope(*busy.call("GET", "/orders"))
    envelope(*busy.call("GET", "/user/margins"))


@settings(max_examples=200)
@given(condition=JSON, orders=JSON, kind=st.sampled_from(["single", "two-leg", ""]))
def test_no_gtt_and_no_body_however_odd_breaks_the_exchange(busy, condition, orders, kind):
    form = {"type": kind, "condition": json.dumps(condition), "orders": json.dumps(orders)}
    envelope(*busy.call("POST", "/gtt/triggers", form))
    for path in ("/margins/orders", "/margins/basket", "/charges/orders"):
        envelope(*busy.call("POST", path, body=orders))


@settings(max_examples=300)
@given(
    values=st.lists(st.floats(), max_size=3),
    last=st.floats(),
    prices=st.lists(st.floats(), max_size=3),
)
def test_no_price_of_a_gtt_breaks_the_exchange(busy, values, last, prices):
    condition = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "trigger_values": values,
        "last_price": last,
    }
    leg = {"transaction_type": "SELL", "quantity": 1, "order_type": "LIMIT", "product": "CNC"}
    orders = [leg | {"price": price} for price in prices]
    kind = "single" if len(values) == 1 else "two-leg"
    form = {"type": kind, "condition": json.dumps(condition), "orders": json.dumps(orders)}
    envelope(*busy.call("POST", "/gtt/triggers", form))
    busy.seconds(1)


@settings(max_examples=200)
@given(
    form=st.dictionaries(
        st.sampled_from(["name", "type", "operator", "basket", "rhs_type", "rhs_constant"]), WORDS
    ),
    basket=JSON,
    fault=JSON,
)
def test_no_alert_conversion_or_fault_however_odd_breaks_the_exchange(busy, form, basket, fault):
    base = {
        "name": "n",
        "type": "ato",
        "lhs_exchange": "NSE",
        "lhs_tradingsymbol": "INFY",
        "operator": ">=",
        "lhs_attribute": "LastTradedPrice",
        "rhs_type": "constant",
        "rhs_constant": "1",
    }
    envelope(*busy.call("POST", "/alerts", base | {"basket": json.dumps(basket)} | form))
    envelope(
        *busy.call(
            "PUT", "/portfolio/positions", {**form, "exchange": "NSE", "tradingsymbol": "INFY"}
        )
    )
    status, _ = busy.call("POST", "/sandbox/faults", body=fault)
    assert status in {200, 400}
    busy.call("DELETE", "/sandbox/faults")
    busy.seconds(1)
    envelope(*busy.call("GET", "/alerts"))
