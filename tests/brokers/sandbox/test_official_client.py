"""The unmodified official client, over real sockets, against a started sandbox in lockstep."""

import datetime as dt
import hashlib

import pytest
import requests
from kiteconnect import KiteConnect, exceptions

from brokers.sandbox.api import admin_key
from brokers.sandbox.universe.known_shares import NAMES

MINUTE = 60_000_000_000


class Session:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.kite = KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest)

    def advance(self, ns):
        clock = admin_key.call_admin(self.endpoint.rest, "GET", "/sandbox/clock")
        body = {"until": clock["now"] + ns}
        return admin_key.call_admin(self.endpoint.rest, "POST", "/sandbox/advance", body, 30)


@pytest.fixture
def session(start):
    _, endpoint = start(limits="off")
    made = Session(endpoint)
    made.advance(MINUTE)
    return made


@pytest.fixture
def kite(session):
    return session.kite


def buy(kite, **more):
    fields = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "quantity": 10,
        "product": "CNC",
        "order_type": "MARKET",
        "market_protection": -1,
    }
    return kite.place_order("regular", **(fields | more))


def test_an_order_lives_from_place_to_trade(kite):
    order_id = buy(kite, tag="p1")
    history = kite.order_history(order_id)
    assert [row["status"] for row in history] == [
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
        "OPEN PENDING",
        "OPEN",
        "COMPLETE",
    ]
    (row,) = kite.orders()
    assert (row["order_id"], row["tag"], row["filled_quantity"]) == (order_id, "p1", 10)
    assert row["order_timestamp"] == dt.datetime(2026, 11, 20, 9, 16)
    (trade,) = kite.trades()
    assert kite.order_trades(order_id) == [trade]
    assert trade["fill_timestamp"] == dt.datetime(2026, 11, 20, 9, 16)
    position = kite.positions()["net"][0]
    assert (position["quantity"], position["average_price"]) == (10, trade["average_price"])
    spent = 10 * trade["average_price"]
    assert kite.margins()["equity"]["net"] == pytest.approx(1_000_000 - spent)
    assert kite.margins("equity")["utilised"]["delivery"] == pytest.approx(spent)
    assert kite.holdings() == []


def test_modify_and_cancel_reach_the_order(kite):
    order_id = buy(kite, order_type="LIMIT", price=1500, market_protection=None)
    assert kite.modify_order("regular", order_id, price=1501) == order_id
    assert kite.orders()[0]["price"] == 1501
    assert kite.cancel_order("regular", order_id) == order_id
    assert kite.orders()[0]["status"] == "CANCELLED"
    with pytest.raises(exceptions.OrderException) as refused:
        kite.cancel_order("regular", order_id)
    assert refused.value.code == 400


def test_refusals_arrive_as_the_clients_own_exceptions(kite):
    with pytest.raises(exceptions.InputException, match="Market orders without market protection"):
        buy(kite, market_protection=None)
    with pytest.raises(
        exceptions.GeneralException, match=r"Insufficient funds\. Required margin is"
    ):
        buy(kite, quantity=50_000, order_type="LIMIT", price=1500)


def test_unknown_routes_get_the_documented_body(session):
    answer = requests.get(f"{session.endpoint.rest}/no/such/route", timeout=5)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("application/json")
    body = {
        "status": "error",
        "message": "Route not found",
        "data": None,
        "error_type": "GeneralException",
    }
    assert answer.json() == body


def test_a_wrong_token_is_a_token_exception_and_fires_the_hook(session):
    fired = []
    kite = KiteConnect(session.endpoint.api_key, "0" * 32, root=session.endpoint.rest)
    kite.set_session_expiry_hook(lambda: fired.append(True))
    with pytest.raises(exceptions.TokenException, match="Incorrect `api_key` or `access_token`"):
        kite.profile()
    assert fired == [True]


def test_login_exchanges_a_request_token_once(session):
    endpoint, kite = session.endpoint, session.kite
    url = f"{endpoint.rest}/connect/login?api_key={endpoint.api_key}&v=3"
    page = requests.get(url, allow_redirects=False, timeout=5)
    assert page.status_code == 302
    assert "status=success" in page.headers["Location"]
    token = page.headers["Location"].split("request_token=")[1].split("&")[0]
    assert token.isalnum()
    with pytest.raises(exceptions.TokenException, match="Invalid `checksum`"):
        kite.generate_session(token, api_secret="wrong")
    user = kite.generate_session(token, api_secret=endpoint.api_secret)
    assert user["user_id"] == endpoint.user_id
    assert user["access_token"] != endpoint.access_token
    assert kite.profile()["user_id"] == endpoint.user_id
    with pytest.raises(exceptions.TokenException):
        KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest).profile()
    with pytest.raises(exceptions.TokenException, match="Token is invalid or has expired"):
        kite.generate_session(token, api_secret=endpoint.api_secret)


def test_the_checksum_is_the_documented_one():
    # the test vector of the client: api_key + request_token + api_secret
    expected = "ff0385617a3e37128e8448aec3216de734945a59988f7f1c4eb12eba1ce3d9e8"
    assert hashlib.sha256(b"APIKEYreqtoksecret").hexdigest() == expected


def test_logout_ends_the_session(kite):
    assert kite.invalidate_access_token() is True
    with pytest.raises(exceptions.TokenException):
        kite.orders()


def test_the_instrument_dump_parses_and_names_real_tokens(kite):
    rows = kite.instruments("NSE")
    assert rows == kite.instruments()
    assert kite.instruments("MCX") == []
    by_symbol = {row["tradingsymbol"]: row for row in rows}
    assert set(by_symbol) == {*NAMES, "NIFTY 50"}
    assert (by_symbol["INFY"]["instrument_token"], by_symbol["INFY"]["exchange_token"]) == (
        408065,
        "1594",
    )
    assert (by_symbol["INFY"]["tick_size"], by_symbol["MARUTI"]["tick_size"]) == (0.1, 1.0)
    assert (by_symbol["NIFTY 50"]["instrument_token"], by_symbol["NIFTY 50"]["segment"]) == (
        256265,
        "INDICES",
    )


def test_quotes_agree_with_each_other(kite):
    keys = ["NSE:INFY", "NSE:NIFTY 50", "NSE:GONE"]
    quote, ohlc, ltp = kite.quote(keys), kite.ohlc(keys), kite.ltp(keys)
    assert list(quote) == list(ohlc) == list(ltp) == ["NSE:INFY", "NSE:NIFTY 50"]
    infy = quote["NSE:INFY"]
    assert infy["last_price"] == ohlc["NSE:INFY"]["last_price"] == ltp["NSE:INFY"]["last_price"]
    assert infy["ohlc"] == ohlc["NSE:INFY"]["ohlc"]
    assert infy["timestamp"] == dt.datetime(2026, 11, 20, 9, 16)
    assert infy["ohlc"]["low"] <= infy["average_price"] <= infy["ohlc"]["high"]
    assert infy["depth"]["buy"][0]["price"] < infy["depth"]["sell"][0]["price"]
    assert len(infy["depth"]["buy"]) == 5
    assert (infy["lower_circuit_limit"], infy["upper_circuit_limit"]) == (1384.9, 1692.5)


def test_candles_merge_into_longer_ones(kite):
    day = dt.datetime(2026, 11, 19)
    minutes = kite.historical_data(408065, day, day + dt.timedelta(hours=16), "minute")
    assert len(minutes) == 360  # to 15:15, by the closing auction
    assert minutes[0]["date"].isoformat() == "2026-11-19T09:15:00+05:30"
    for interval, span in (("3minute", 3), ("15minute", 15), ("60minute", 60)):
        bars = kite.historical_data(408065, day, day + dt.timedelta(hours=16), interval)
        groups = [minutes[i : i + span] for i in range(0, 360, span)]
        assert [bar["high"] for bar in bars] == [max(m["high"] for m in group) for group in groups]
        assert [bar["volume"] for bar in bars] == [
            sum(m["volume"] for m in group) for group in groups
        ]
        assert [bar["date"] for bar in bars] == [group[0]["date"] for group in groups]
    (daily,) = kite.historical_data(408065, "2026-11-19", "2026-11-19", "day")
    assert daily["close"] == minutes[-1]["close"] == 1538.7
    assert daily["low"] == min(m["low"] for m in minutes)


def test_todays_candles_are_what_has_printed(session):
    session.advance(3 * MINUTE)
    bars = session.kite.historical_data(
        408065, "2026-11-20 09:15:00", "2026-11-20 15:30:00", "minute"
    )
    quote = session.kite.quote("NSE:INFY")["NSE:INFY"]
    assert sum(bar["volume"] for bar in bars) == quote["volume"]
    assert max(bar["high"] for bar in bars) == quote["ohlc"]["high"]
    assert bars[-1]["close"] == quote["last_price"]


@pytest.mark.parametrize(
    ("interval", "days"), [("minute", 60), ("5minute", 100), ("60minute", 400), ("day", 2000)]
)
def test_a_request_for_too_many_days_is_refused(kite, interval, days):
    end = dt.datetime(2026, 11, 19)
    kite.historical_data(408065, end - dt.timedelta(days=7), end, interval)
    with pytest.raises(exceptions.InputException, match=f"interval exceeds max limit: {days} days"):
        kite.historical_data(408065, end - dt.timedelta(days=days + 1), end, interval)


def test_gtts_go_through_the_client(kite):
    ltp = kite.ltp("NSE:INFY")["NSE:INFY"]["last_price"]
    leg = {
        "transaction_type": "SELL",
        "quantity": 10,
        "order_type": "LIMIT",
        "product": "CNC",
        "price": 1400,
    }
    made = kite.place_gtt("single", "INFY", "NSE", [1450], ltp, [leg])
    assert made == {"trigger_id": 100001}
    kite.modify_gtt(100001, "single", "INFY", "NSE", [1440], ltp, [leg])
    assert kite.get_gtt(100001)["condition"]["trigger_values"] == [1440]
    assert [row["id"] for row in kite.get_gtts()] == [100001]
    assert kite.delete_gtt(100001) == made
    assert kite.get_gtts()[0]["status"] == "deleted"


def test_margins_and_contract_notes_go_through_the_client(kite):
    order = {
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "BUY",
        "variety": "regular",
        "product": "CNC",
        "order_type": "LIMIT",
        "quantity": 10,
        "price": 1500,
    }
    assert kite.order_margins([order])[0]["total"] == 15_000
    assert kite.basket_order_margins([order, order])["initial"]["total"] == 30_000
    (note,) = kite.get_virtual_contract_note([order | {"order_id": "x", "average_price": 1500}])
    assert note["charges"]["transaction_tax"] == pytest.approx(15.0)
    assert note["charges"]["stamp_duty"] == pytest.approx(2.25)


def test_what_few_programs_call_goes_through_the_client_too(start):
    _, endpoint = start(
        limits="off", holdings=(("INFY", 50, 1500.0), ("SBIN", 40, 900.0)), seed=9, cash=10**13
    )
    made = Session(endpoint)
    made.advance(MINUTE)
    kite = made.kite
    buy(kite, product="MIS")
    assert kite.convert_position("NSE", "INFY", "BUY", "day", 4, "MIS", "CNC") is True
    sliced = kite.place_autoslice_order(
        "regular",
        "NSE",
        "WIPRO",
        "BUY",
        200_001,
        "CNC",
        "LIMIT",
        price=kite.ltp("NSE:WIPRO")["NSE:WIPRO"]["last_price"],
    )
    assert [set(child) for child in sliced["children"]] == [{"order_id"}, {"order_id"}]
    entry = kite.place_order(
        "co", "NSE", "INFY", "BUY", 5, "MIS", "MARKET", trigger_price=1500, market_protection=-1
    )
    second = next(row for row in kite.orders() if row["parent_order_id"] == entry)
    assert kite.exit_order("co", second["order_id"], parent_order_id=entry) == second["order_id"]
    berg = kite.place_order(
        "iceberg",
        "NSE",
        "INFY",
        "BUY",
        20,
        "CNC",
        "LIMIT",
        price=1450,
        iceberg_legs=2,
        iceberg_quantity=10,
        validity="TTL",
        validity_ttl=5,
    )
    assert kite.order_history(berg)[-1]["status"] == "OPEN"
    assert {row["tradingsymbol"] for row in kite.get_auction_instruments()} == {"INFY", "SBIN"}
    assert kite.trigger_range("BUY", "NSE:INFY")["NSE:INFY"]["percentage"] == 10
    [order], [plan] = kite.mf_orders(), kite.mf_sips()
    assert kite.mf_orders(order["order_id"])["order_id"] == order["order_id"]
    assert kite.mf_sips(plan["sip_id"])["sip_id"] == plan["sip_id"]
    assert kite.mf_holdings()[0]["tradingsymbol"] in {
        row["tradingsymbol"] for row in kite.mf_instruments()
    }
    bought = kite.place_mf_order("INF000S01010", "BUY", amount=1000, tag="save")["order_id"]
    assert kite.mf_orders()[-1]["order_id"] == bought
    assert isinstance(kite.mf_orders(bought)["order_timestamp"], dt.datetime)
    assert kite.cancel_mf_order(bought) == {"order_id": bought}
    begun = kite.place_mf_sip(
        "INF000S01010", 1000, 12, "monthly", initial_amount=5000, instalment_day=5
    )["sip_id"]
    assert kite.modify_mf_sip(begun, amount=500, status="paused")["sip_id"] == begun
    assert kite.mf_sips(begun)["status"] == "PAUSED"
    assert kite.cancel_mf_sip(begun)["sip_id"] == begun
    with pytest.raises(exceptions.TokenException):
        kite.renew_access_token("none", endpoint.api_secret)
    with pytest.raises(exceptions.TokenException):
        kite.invalidate_refresh_token("none")


def test_as_many_instruments_as_are_documented_fit_one_request(start):
    _, endpoint = start(limits="off", size=1_100)
    kite = Session(endpoint).kite
    keys = [f"NSE:{row['tradingsymbol']}" for row in kite.instruments("NSE")]
    assert len(keys) == 1_100
    assert len(kite.quote(keys[:500])) == 500
    assert len(kite.ohlc(keys[:1_000])) == len(kite.ltp(keys[:1_000])) == 1_000
    for call, most in ((kite.quote, 500), (kite.ohlc, 1_000), (kite.ltp, 1_000)):
        with pytest.raises(exceptions.InputException, match=f"Maximum of {most} instruments"):
            call(keys[: most + 1])
