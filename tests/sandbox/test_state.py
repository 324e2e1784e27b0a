"""State that survives a restart, and goes on into the next day."""

import json
from hashlib import sha256

import pytest
from kiteconnect import KiteConnect

from brokers.sandbox import Sandbox, SandboxConfig, key
from brokers.sandbox.state import State
from brokers.sandbox.wire import Request
from engine.errors import ConfigError, DataError

SECOND = 1_000_000_000


def config(path, **more):
    return SandboxConfig(**({"speed": None, "symbols": ("INFY", "SBIN"), "state": path} | more))


class Account:
    def __init__(self, state, configuration):
        self.exchange, self.api = state.open(configuration)

    def call(self, method, path, form=None):
        session = self.exchange.session
        header = f"token {session.api_key}:{session.access_token}"
        answer = json.loads(self.api.respond(Request(method, path, form=form or {}, authorization=header)).content)
        assert answer["status"] == "success", answer
        return answer["data"]

    def order(self, side="BUY", quantity=10, product="CNC", **more):
        form = {"exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": side, "quantity": str(quantity),
                "product": product, "order_type": "MARKET", "market_protection": "-1"} | more  # fmt: skip
        return self.call("POST", "/orders/regular", form)["order_id"]

    def everything(self):
        paths = ("/orders", "/trades", "/portfolio/positions", "/portfolio/holdings", "/user/margins", "/gtt/triggers")
        return {path: self.call("GET", path) for path in paths}

    def run(self, seconds):
        self.exchange.run(self.exchange.now + seconds * SECOND)

    def gtt(self, trigger):
        ltp = self.exchange.listings["NSE:INFY"].ltp
        leg = {"transaction_type": "SELL", "quantity": 5, "order_type": "LIMIT", "product": "CNC", "price": trigger}
        condition = {"exchange": "NSE", "tradingsymbol": "INFY", "trigger_values": [trigger], "last_price": ltp}
        form = {"type": "single", "condition": json.dumps(condition), "orders": json.dumps([leg])}
        return self.call("POST", "/gtt/triggers", form)["trigger_id"]


def test_a_restart_finds_the_account_as_it_was(tmp_path):
    file = tmp_path / "sandbox.db"
    with State(file) as state:
        account = Account(state, config(file))
        account.run(60)
        account.order()
        account.run(30)
        resting = account.order(order_type="LIMIT", price="1400.0")
        account.gtt(1450.0)
        account.run(45)
        state.tick("2026-11-20", account.exchange.now)
        before, now = account.everything(), account.exchange.now
    with State(file) as state:
        again = Account(state, config(file))
        assert again.exchange.now == now
        assert again.everything() == before
        again.call("DELETE", f"/orders/regular/{resting}")
        later = again.order(order_type="LIMIT", price="1401.0")
    assert later > resting, "ids go on"


def test_a_login_survives_a_restart(tmp_path):
    file = tmp_path / "sandbox.db"
    with State(file) as state:
        account = Account(state, config(file))
        session = account.exchange.session
        location = account.api.respond(Request("GET", "/connect/login", [("api_key", session.api_key)])).location
        token = location.split("request_token=")[1].split("&")[0]
        checksum = sha256(f"{session.api_key}{token}{session.api_secret}".encode()).hexdigest()
        form = {"api_key": session.api_key, "request_token": token, "checksum": checksum}
        made = json.loads(account.api.respond(Request("POST", "/session/token", form=form)).content)["data"]
    with State(file) as state:
        again = Account(state, config(file))
        assert again.exchange.session.access_token == made["access_token"]


def test_a_started_sandbox_keeps_its_state_over_a_stop(tmp_path):
    file = tmp_path / "sandbox.db"
    orders = []
    for _ in range(2):
        sandbox = Sandbox(config(file))
        end = sandbox.start()
        kite = KiteConnect(end.api_key, end.access_token, root=end.rest)
        now = key.ask(end.rest, "GET", "/sandbox/clock")["now"]
        key.ask(end.rest, "POST", "/sandbox/advance", {"until": now + 5 * SECOND})
        kite.place_order("regular", "NSE", "INFY", "BUY", 1, "CNC", "LIMIT", price=1400)
        orders.append([order["order_id"] for order in kite.orders()])
        sandbox.stop()
    assert [len(found) for found in orders] == [1, 2]
    assert orders[1][0] == orders[0][0]


def test_the_next_day_brings_shares_in_t1_cash_less_charges_and_what_was_left_open(tmp_path):
    file = tmp_path / "sandbox.db"
    with State(file) as state:
        first = Account(state, config(file, date="2026-11-19", holdings=(("SBIN", 8, 900.0),)))
        first.run(60)
        first.order(quantity=10)
        first.order("SELL", 3, tradingsymbol="SBIN")
        first.order(quantity=4, product="MTF")
        trigger = first.gtt(1450.0)
        first.run(10)
        price = first.call("GET", "/trades")
    with State(file) as state:
        second = Account(state, config(file))
        rows = {row["tradingsymbol"]: row for row in second.call("GET", "/portfolio/holdings")}
        assert (rows["INFY"]["quantity"], rows["INFY"]["t1_quantity"]) == (0, 10)
        assert rows["INFY"]["average_price"] == price[0]["average_price"]
        assert (rows["SBIN"]["quantity"], rows["SBIN"]["t1_quantity"]) == (5, 0)
        assert second.call("GET", "/portfolio/positions")["net"] == []
        assert (rows["INFY"]["mtf"]["quantity"], rows["INFY"]["mtf"]["average_price"]) == (4, price[2]["average_price"])
        assert [(row["id"], row["status"]) for row in second.call("GET", "/gtt/triggers")] == [(trigger, "active")]
        assert second.call("GET", "/orders") == []
        spent = 10 * price[0]["average_price"] - 3 * price[1]["average_price"]
        charges = 1_000_000 - spent - second.exchange.funds.cash / 100
        # STT is 0.1 % of delivery both ways; with stamp, exchange and depository-free fees a little more
        margin = 1.18 * 0.003 * 4 * price[2]["average_price"]
        """Brokerage of what was bought on margin, GST included."""
        assert 0.001 < (charges - margin) / (10 * price[0]["average_price"]) < 0.003
        second.run(60)
    with State(file) as state:
        third = Account(state, config(file, date="2026-11-23"))
        rows = {row["tradingsymbol"]: row for row in third.call("GET", "/portfolio/holdings")}
        assert (rows["INFY"]["quantity"], rows["INFY"]["t1_quantity"]) == (10, 0), "settled on the second morning"


def test_the_account_keeps_its_user_over_days_and_restarts(tmp_path):
    file = tmp_path / "sandbox.db"
    users = []
    for day in ("2026-11-19", "2026-11-19", "2026-11-20", "2026-11-20"):
        with State(file) as state:
            users.append(Account(state, config(file, date=day, start="15:25")).exchange.session.user_id)
    assert users == [config(file, date="2026-11-19").user] * 4
    assert users[0] != config(file, date="2026-11-20").user


def test_an_evening_order_is_sent_the_next_morning(tmp_path):
    file = tmp_path / "sandbox.db"
    with State(file) as state:
        first = Account(state, config(file, date="2026-11-19", start="15:34", post_close=True))
        first.exchange.run(first.exchange.closes)
        assert first.exchange.over
        form = {"exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "quantity": "2", "tag": "eve",
                "product": "CNC", "order_type": "LIMIT", "price": "1400"}  # fmt: skip
        first.call("POST", "/orders/amo", form)
    with State(file) as state:
        second = Account(state, config(file, start="08:50", post_close=True))
        [order] = second.call("GET", "/orders")
        assert (order["status"], order["variety"], order["tag"]) == ("AMO REQ RECEIVED", "amo", "eve")
        second.run(700)
        assert second.call("GET", "/orders")[0]["status"] == "OPEN"


def test_a_state_that_does_not_fit_is_refused_in_one_line(tmp_path):
    file = tmp_path / "sandbox.db"
    with State(file) as state:
        state.open(config(file))
    with State(file) as state, pytest.raises(ConfigError, match="begun with seed 7, not 8"):
        state.open(config(file, seed=8))
    with State(file) as state, pytest.raises(ConfigError, match="cannot go back to 2026-11-19"):
        state.open(config(file, date="2026-11-19"))
    other = tmp_path / "other"
    other.write_text("no database " * 100)
    with pytest.raises(DataError, match="other"):
        State(other)
