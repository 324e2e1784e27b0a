"""State that survives a restart, and goes on into the next day."""

import json
from datetime import datetime
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kiteconnect import KiteConnect

from brokers.sandbox.api import admin_key
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.http import SandboxRequest
from brokers.sandbox.server import Sandbox
from brokers.sandbox.state import SandboxStateFile
from engine.errors import ConfigError, DataError

SECOND = 1_000_000_000


def config(path, **more):
    return SandboxConfig(**({"speed": None, "symbols": ("INFY", "SBIN"), "state": path} | more))


class Account:
    def __init__(self, state, configuration):
        self.exchange, self.api = state.open_exchange(configuration)

    def call(self, method, path, form=None):
        session = self.exchange.session
        header = f"token {session.api_key}:{session.access_token}"
        answer = json.loads(
            self.api.respond(
                SandboxRequest(method, path, form=form or {}, authorization=header)
            ).content
        )
        assert answer["status"] == "success", answer
        return answer["data"]

    def order(self, side="BUY", quantity=10, product="CNC", **more):
        form = {
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "transaction_type": side,
            "quantity": str(quantity),
            "product": product,
            "order_type": "MARKET",
            "market_protection": "-1",
        } | more
        return self.call("POST", "/orders/regular", form)["order_id"]

    def everything(self):
        paths = (
            "/orders",
            "/trades",
            "/portfolio/positions",
            "/portfolio/holdings",
            "/user/margins",
            "/gtt/triggers",
        )
        return {path: self.call("GET", path) for path in paths}

    def run(self, seconds):
        self.exchange.run(self.exchange.now + seconds * SECOND)

    def gtt(self, trigger):
        ltp = self.exchange.listings["NSE:INFY"].ltp
        leg = {
            "transaction_type": "SELL",
            "quantity": 5,
            "order_type": "LIMIT",
            "product": "CNC",
            "price": trigger,
        }
        condition = {
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "trigger_values": [trigger],
            "last_price": ltp,
        }
        form = {"type": "single", "condition": json.dumps(condition), "orders": json.dumps([leg])}
        return self.call("POST", "/gtt/triggers", form)["trigger_id"]


def test_a_restart_finds_the_account_as_it_was(tmp_path):
    file = tmp_path / "sandbox.db"
    with SandboxStateFile(file) as state:
        account = Account(state, config(file))
        account.run(60)
        account.order()
        account.run(30)
        resting = account.order(order_type="LIMIT", price="1400.0")
        account.gtt(1450.0)
        account.run(45)
        state.remember_time("2026-11-20", account.exchange.now)
        before, now = account.everything(), account.exchange.now
    with SandboxStateFile(file) as state:
        again = Account(state, config(file))
        assert again.exchange.now == now
        assert again.everything() == before
        again.call("DELETE", f"/orders/regular/{resting}")
        later = again.order(order_type="LIMIT", price="1401.0")
    assert later > resting, "ids go on"


def test_a_login_survives_a_restart(tmp_path):
    file = tmp_path / "sandbox.db"
    with SandboxStateFile(file) as state:
        account = Account(state, config(file))
        session = account.exchange.session
        location = account.api.respond(
            SandboxRequest("GET", "/connect/login", [("api_key", session.api_key)])
        ).location
        token = location.split("request_token=")[1].split("&")[0]
        checksum = sha256(f"{session.api_key}{token}{session.api_secret}".encode()).hexdigest()
        form = {"api_key": session.api_key, "request_token": token, "checksum": checksum}
        made = json.loads(
            account.api.respond(SandboxRequest("POST", "/session/token", form=form)).content
        )["data"]
    with SandboxStateFile(file) as state:
        again = Account(state, config(file))
        assert again.exchange.session.access_token == made["access_token"]


def test_a_started_sandbox_keeps_its_state_over_a_stop(tmp_path):
    file = tmp_path / "sandbox.db"
    orders = []
    for _ in range(2):
        sandbox = Sandbox(config(file))
        end = sandbox.start()
        kite = KiteConnect(end.api_key, end.access_token, root=end.rest)
        now = admin_key.call_admin(end.rest, "GET", "/sandbox/clock")["now"]
        admin_key.call_admin(end.rest, "POST", "/sandbox/advance", {"until": now + 5 * SECOND})
        kite.place_order("regular", "NSE", "INFY", "BUY", 1, "CNC", "LIMIT", price=1400)
        orders.append([order["order_id"] for order in kite.orders()])
        sandbox.stop()
    assert [len(found) for found in orders] == [1, 2]
    assert orders[1][0] == orders[0][0]


def test_the_next_day_brings_shares_in_t1_cash_less_charges_and_what_was_left_open(tmp_path):
    file = tmp_path / "sandbox.db"
    with SandboxStateFile(file) as state:
        first = Account(state, config(file, date="2026-11-19", holdings=(("SBIN", 8, 900.0),)))
        first.run(60)
        first.order(quantity=10)
        first.order("SELL", 3, tradingsymbol="SBIN")
        first.order(quantity=4, product="MTF")
        trigger = first.gtt(1150.0)
        first.run(10)
        price = first.call("GET", "/trades")
    with SandboxStateFile(file) as state:
        second = Account(state, config(file))
        rows = {row["tradingsymbol"]: row for row in second.call("GET", "/portfolio/holdings")}
        assert (rows["INFY"]["quantity"], rows["INFY"]["t1_quantity"]) == (0, 10)
        assert rows["INFY"]["average_price"] == price[0]["average_price"]
        assert (rows["SBIN"]["quantity"], rows["SBIN"]["t1_quantity"]) == (5, 0)
        assert second.call("GET", "/portfolio/positions")["net"] == []
        infy = second.exchange.listings["NSE:INFY"].instrument
        assert infy.close != 1538.7, "prices go on where they were"
        assert (rows["INFY"]["mtf"]["quantity"], rows["INFY"]["mtf"]["average_price"]) == (
            4,
            price[2]["average_price"],
        )
        assert [(row["id"], row["status"]) for row in second.call("GET", "/gtt/triggers")] == [
            (trigger, "active")
        ]
        assert second.call("GET", "/orders") == []
        spent = 10 * price[0]["average_price"] - 3 * price[1]["average_price"]
        charges = 1_000_000 - spent - second.exchange.funds.cash / 100
        # STT is 0.1 % of delivery both ways; with stamp, exchange and depository-free fees a little
        # more
        margin = 1.18 * 0.003 * 4 * price[2]["average_price"]
        """Brokerage of what was bought on margin, GST included."""
        assert 0.001 < (charges - margin) / (10 * price[0]["average_price"]) < 0.003
        second.run(60)
    with SandboxStateFile(file) as state:
        third = Account(state, config(file, date="2026-11-23"))
        rows = {row["tradingsymbol"]: row for row in third.call("GET", "/portfolio/holdings")}
        assert (rows["INFY"]["quantity"], rows["INFY"]["t1_quantity"]) == (10, 0), (
            "settled on the second morning"
        )


def test_the_account_keeps_its_user_over_days_and_restarts(tmp_path):
    file = tmp_path / "sandbox.db"
    users = []
    for day in ("2026-11-19", "2026-11-19", "2026-11-20", "2026-11-20"):
        with SandboxStateFile(file) as state:
            users.append(
                Account(state, config(file, date=day, start="15:25")).exchange.session.user_id
            )
    assert users == [config(file, date="2026-11-19").user] * 4
    assert users[0] != config(file, date="2026-11-20").user


def test_an_evening_order_is_sent_the_next_morning(tmp_path):
    file = tmp_path / "sandbox.db"
    with SandboxStateFile(file) as state:
        first = Account(state, config(file, date="2026-11-19", start="15:34", post_close=True))
        first.exchange.run(first.exchange.closes)
        assert first.exchange.is_over
        last = first.exchange.listings["NSE:INFY"].ltp
        form = {
            "exchange": "NSE",
            "tradingsymbol": "INFY",
            "transaction_type": "BUY",
            "quantity": "2",
            "tag": "eve",
            "product": "CNC",
            "order_type": "LIMIT",
            "price": f"{last * 0.95:.0f}",
        }
        first.call("POST", "/orders/amo", form)
    with SandboxStateFile(file) as state:
        second = Account(state, config(file, start="08:50", post_close=True))
        [order] = second.call("GET", "/orders")
        assert (order["status"], order["variety"], order["tag"]) == (
            "AMO REQ RECEIVED",
            "amo",
            "eve",
        )
        second.run(700)
        assert second.call("GET", "/orders")[0]["status"] == "OPEN"


def test_a_state_that_does_not_fit_is_refused_in_one_line(tmp_path):
    file = tmp_path / "sandbox.db"
    with SandboxStateFile(file) as state:
        state.open_exchange(config(file))
    with (
        SandboxStateFile(file) as state,
        pytest.raises(ConfigError, match="begun with seed 7, not 8"),
    ):
        state.open_exchange(config(file, seed=8))
    with (
        SandboxStateFile(file) as state,
        pytest.raises(ConfigError, match="cannot go back to 2026-11-19"),
    ):
        state.open_exchange(config(file, date="2026-11-19"))
    other = tmp_path / "other"
    other.write_text("no database " * 100)
    with pytest.raises(DataError, match="other"):
        SandboxStateFile(other)


def over(file, day, **more):
    """Open the file on its next day; return (account, what was dropped)."""
    with SandboxStateFile(file) as state:
        account = Account(state, config(file, date=day, **more))
        return account, account.exchange.dropped


def test_what_a_new_tick_size_refuses_is_dropped_and_told(tmp_path):
    file = tmp_path / "sandbox.db"
    # a Friday; the 14th is a holiday
    old = {"date": "2025-04-11", "symbols": ("WIPRO", "MARUTI", "SBIN"), "post_close": True}
    maruti = {
        "exchange": "NSE",
        "tradingsymbol": "MARUTI",
        "transaction_type": "BUY",
        "quantity": 1,
        "product": "CNC",
        "order_type": "LIMIT",
    }
    with SandboxStateFile(file) as state:
        first = Account(state, config(file, **old, holdings=(("MARUTI", 3, 15_000.0),)))
        ltp = first.exchange.listings["NSE:MARUTI"].ltp
        leg = maruti | {"transaction_type": "SELL", "price": 15_000.05}
        condition = {
            "exchange": "NSE",
            "tradingsymbol": "MARUTI",
            "trigger_values": [15_000.05],
            "last_price": ltp,
        }
        gtt = first.call(
            "POST",
            "/gtt/triggers",
            {"type": "single", "condition": json.dumps(condition), "orders": json.dumps([leg])},
        )
        basket = {
            "name": "b",
            "items": [
                {
                    "exchange": "NSE",
                    "tradingsymbol": "MARUTI",
                    "weight": 1,
                    "params": maruti | {"price": 15_000.05, "variety": "regular"},
                }
            ],
        }
        first.call(
            "POST",
            "/alerts",
            {
                "name": "late",
                "type": "ato",
                "lhs_exchange": "NSE",
                "lhs_tradingsymbol": "MARUTI",
                "lhs_attribute": "LastTradedPrice",
                "operator": "<=",
                "rhs_type": "constant",
                "rhs_constant": "1",
                "basket": json.dumps(basket),
            },
        )
        first.exchange.run(first.exchange.closes)
        first.call(
            "POST",
            "/orders/amo",
            {key: str(value) for key, value in (maruti | {"price": 15_000.05}).items()},
        )
    account, dropped = over(file, "2025-04-15", symbols=old["symbols"], post_close=True)
    assert account.exchange.listings["NSE:MARUTI"].instrument.tick == 1.0
    tick = "Tick size for this script is 1.00"
    assert [line.partition(":")[0] for line in dropped] == [
        f"GTT {gtt['trigger_id']}",
        "alert late",
        "after-market order BUY 1 MARUTI",
    ]
    assert all(tick in line for line in dropped), dropped
    assert account.call("GET", "/gtt/triggers") == account.call("GET", "/orders") == []
    assert [row["opening_quantity"] for row in account.call("GET", "/portfolio/holdings")] == [3]


def test_what_is_listed_no_more_is_dropped_and_told(tmp_path):
    file = tmp_path / "sandbox.db"
    dump = tmp_path / "dump.csv"
    header = (
        "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
        "lot_size,instrument_type,segment,exchange\n"
    )
    lines = [
        f"{token * 256 + 1},{token},{name},{name},0,,0,0.05,1,EQ,NSE,NSE\n"
        for token, name in ((1594, "INFY"), (3045, "SBIN"))
    ]
    dump.write_text(header + "".join(lines))
    day = {"instruments": dump, "symbols": ("INFY",), "date": "2026-11-19"}
    with SandboxStateFile(file) as state:
        Account(state, config(file, **day, holdings=(("SBIN", 8, 900.0), ("INFY", 2, 1500.0))))
    later = tmp_path / "later.csv"
    later.write_text(header + lines[0])
    account, dropped = over(file, "2026-11-20", instruments=later, symbols=("INFY",))
    assert dropped == ["NSE:SBIN is listed no more: 8 held"]
    assert [row["tradingsymbol"] for row in account.call("GET", "/portfolio/holdings")] == ["INFY"]


def test_a_split_over_night_makes_five_of_one_at_a_fifth_of_the_price_and_disables_the_gtt(
    tmp_path,
):
    file, actions = tmp_path / "sandbox.db", tmp_path / "actions.parquet"
    line = "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share"
    rows = [
        {"symbol": "INFY", "series": "EQ", "exDate": datetime(2026, 11, day), "subject": text}
        # that of the first day is in the account already
        for day, text in ((19, "Bonus 1:1"), (20, line))
    ]
    pq.write_table(
        pa.Table.from_pylist([*rows, {**rows[1], "symbol": "SBIN", "subject": "Bonus 1:2"}]),
        actions,
    )
    held = {
        "holdings": (("INFY", 3, 1500.0),),
        "unsettled": (("INFY", 1, 1500.0), ("SBIN", 7, 900.0)),
    }
    with SandboxStateFile(file) as state:
        first = Account(state, config(file, date="2026-11-19", start="15:20", **held))
        trigger = first.gtt(1150.0)
        first.exchange.run(first.exchange.closes)
        closes = [first.exchange.listings[key].ltp for key in ("NSE:INFY", "NSE:SBIN")]
        state.remember_time("2026-11-19", first.exchange.now)
    second, dropped = over(file, "2026-11-20", actions=actions)
    assert dropped == []
    names = {row["tradingsymbol"]: row for row in second.call("GET", "/portfolio/holdings")}
    there = {
        name: (row["quantity"], row["t1_quantity"], row["average_price"])
        for name, row in names.items()
    }
    # both were bought the day before the first one, and have been settled since; half of the
    # eleventh share is paid out
    assert there == {"INFY": (20, 0, 300.0), "SBIN": (10, 0, 630.0)}
    after = [second.exchange.listings[key].instrument for key in ("NSE:INFY", "NSE:SBIN")]
    assert [each.close for each in after] == [
        after[0].snap(closes[0] / 5),
        after[1].snap(closes[1] / 1.5),
    ]
    assert [(row["id"], row["status"]) for row in second.call("GET", "/gtt/triggers")] == [
        (trigger, "disabled")
    ]
    with SandboxStateFile(file) as state:  # a restart of the day finds it done
        again = Account(state, config(file, actions=actions))
        assert [row["opening_quantity"] for row in again.call("GET", "/portfolio/holdings")] == [
            20,
            10,
        ]
