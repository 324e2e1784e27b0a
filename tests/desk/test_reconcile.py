"""Things done behind the desk's back with the official client.

Seen, decided, clean, and still so after a restart.
"""

import json
import time

import pytest
import requests
from kiteconnect import KiteConnect

from brokers.sandbox.api import admin_key
from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from compiled.model.values import SECOND, OrderPurpose
from engine.operator_requests import ExitRequest
from tests.asking import answer_of, asked
from tests.desk.support import rows, wait_for
from tui.commands.cli import run_command
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

NAMES = ("INFY", "TCS", "SBIN")
CONFIG = """
[broker]
rest = "{rest}"
ws = "{ws}"
api_key = "{api_key}"
access_token = "{access_token}"
[gateway]
positions_every_s = 5
[strategy.momentum_ladder]
enabled = false
[strategy.moving_average_cross]
symbols = ["INFY", "SBIN"]
fast = 900
slow = 1000
"""


class World:
    """An exchange, an operator with the official client and the command line, and a desk."""

    def __init__(self, station, folder, **day):
        self._station = station
        self._folder = folder
        self.sandbox = Sandbox(
            SandboxConfig(**{"speed": 20.0, "symbols": NAMES, "limits": "off", **day})
        )
        endpoint = self.sandbox.start()
        self.rest = endpoint.rest
        self.kite = KiteConnect(endpoint.api_key, endpoint.access_token, root=endpoint.rest)
        fields = ("rest", "ws", "api_key", "access_token")
        self.config = CONFIG.format(**{name: getattr(endpoint, name) for name in fields})
        self.desk = None

    def open(self):
        """Start the desk, or start it again; wait until it has compared the books."""
        self.close()
        self.running = self._station(RunPlan("sandbox"), self.config)
        self.desk = open_desk(self.running)
        wait_for(lambda: self.state in {"running", "read-only"}, "the desk is open")
        return self

    def close(self):
        if self.desk is not None:
            self.running.close()
            self.desk = None

    def fault(self, **rule):
        """Have the exchange misbehave from now on; without a rule, behave."""
        if not rule:
            return admin_key.call_admin(self.rest, "DELETE", "/sandbox/faults")
        return admin_key.call_admin(self.rest, "POST", "/sandbox/faults", rule)

    def end(self):
        self.close()
        self.sandbox.stop()

    @property
    def state(self):
        return self.desk.board.header.state

    def buy(self, symbol, quantity, product="CNC", side="BUY"):
        self.kite.place_order(
            "regular", "NSE", symbol, side, quantity, product, "MARKET", market_protection=-1
        )

    def gtts(self):
        """Return (symbol, quantity) of the active GTTs at the exchange."""
        return [
            (each["condition"]["tradingsymbol"], each["orders"][0]["quantity"])
            for each in self.kite.get_gtts()
            if each["status"] == "active"
        ]

    def held(self, symbol):
        """Return the shares the exchange says the account holds."""
        carried = sum(
            h["opening_quantity"] for h in self.kite.holdings() if h["tradingsymbol"] == symbol
        )
        return carried + sum(
            p["quantity"] for p in self.kite.positions()["net"] if p["tradingsymbol"] == symbol
        )

    def differences(self, *keys):
        """Wait until just these differences stand, and return their rows."""
        wait_for(
            lambda: sorted(row.key for row in self.desk.board.differences.rows[:]) == sorted(keys),
            f"{keys} stand, not {[row.key for row in self.desk.board.differences.rows]}",
        )
        return self.desk.board.differences.rows[:]

    def reconcile(self, *words):
        return run_command(["reconcile", *words, "--config", str(self._folder / "config.toml")])

    def clean(self):
        """Wait until the desk may enter again."""
        wait_for(
            lambda: self.state == "running" and self.desk.board.header.naked == 0,
            "the desk is clean",
        )

    def audit(self):
        return [
            row["detail"]
            for row in rows(self.running.database, "SELECT detail FROM audit ORDER BY seq")
        ]


@pytest.fixture
def world(station, tmp_path):
    made = []

    def make(**day):
        made.append(World(station, tmp_path, **day))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_shares_bought_elsewhere_are_seen_adopted_protected_and_kept_over_a_restart(world, capsys):
    there = world().open()
    assert there.state == "running"
    there.buy("INFY", 7)
    there.differences("INFY:CNC", "funds")
    wait_for(lambda: there.state == "read-only", "the desk is read-only")

    assert there.reconcile("--json") == 0
    told = json.loads(capsys.readouterr().out)
    rows_of = {row["key"]: row for row in told["differences"]}
    assert (rows_of["INFY:CNC"]["kind"], rows_of["INFY:CNC"]["ours"], rows_of["funds"]["kind"]) == (
        "unmanaged",
        "none",
        "funds",
    )
    assert rows_of["INFY:CNC"]["choices"] == ["adopt", "assign", "ignore", "flatten"]

    assert there.reconcile("INFY:CNC", "adopt", "--stop", "8") == 0
    assert there.reconcile("funds", "adopt") == 0
    there.clean()
    assert there.gtts() == [("INFY", 7)]
    [position] = there.desk.board.positions.rows
    assert (position.strategy, position.quantity, position.protected) == ("adopted", 7, 7)
    [asked] = [json.loads(line) for line in there.audit() if '"INFY:CNC"' in line]
    assert (asked["choice"], asked["stop"]) == ("adopt", 8.0)
    assert any(line.startswith("done: 7 INFY to adopted") for line in there.audit())

    there.open()
    there.clean()
    [again] = there.desk.board.positions.rows
    assert (again.quantity, again.protected, again.stop, again.average) == (
        7,
        7,
        position.stop,
        position.average,
    )
    assert there.gtts() == [("INFY", 7)]


def test_a_desk_opens_read_only_on_an_account_that_holds_things_and_what_is_ignored_stays_so(
    world, capsys
):
    there = world(holdings=(("TCS", 10, 3_000.0),), unsettled=(("SBIN", 4, 800.0),)).open()
    assert there.state == "read-only"
    there.differences("SBIN:CNC", "TCS:CNC")
    assert there.reconcile("all", "ignore") == 0
    there.clean()
    there.open()
    assert there.state == "running"
    there.buy("TCS", 1)
    wait_for(lambda: there.state == "read-only", "one share more")
    assert there.reconcile("TCS:CNC", "shrug") == 2
    assert there.reconcile("XYZ:CNC", "ignore") == 2
    assert "no difference XYZ:CNC" in capsys.readouterr().err


def test_shares_are_assigned_to_a_strategy_or_flattened(world):
    there = world(holdings=(("TCS", 10, 3_000.0), ("SBIN", 4, 800.0))).open()
    there.differences("SBIN:CNC", "TCS:CNC")
    # it does not follow TCS
    assert there.reconcile("TCS:CNC", "assign", "moving_average_cross") == 2
    wait_for(
        lambda: there.reconcile("SBIN:CNC", "assign", "moving_average_cross") == 0,
        "SBIN has a price",
    )
    wait_for(lambda: there.reconcile("TCS:CNC", "flatten") == 0, "TCS has a price")
    there.clean()
    wait_for(lambda: there.held("TCS") == 0, "TCS is sold")
    assert there.held("SBIN") == 4
    assert there.gtts() == [("SBIN", 4)]
    [position] = wait_for(
        lambda: (found := there.desk.board.positions.rows[:])[1:] == [] and found, "one is left"
    )
    assert position.strategy == "moving_average_cross"
    there.differences()


def test_shares_sold_elsewhere_are_written_off_and_their_gtt_goes(world):
    there = world(holdings=(("TCS", 10, 3_000.0),)).open()
    wait_for(lambda: there.reconcile("TCS:CNC", "adopt") == 0, "TCS has a price")
    there.clean()
    assert there.gtts() == [("TCS", 10)]
    there.buy("TCS", 10, side="SELL")
    there.differences("TCS:CNC", "funds")
    assert there.reconcile("TCS:CNC", "adopt") == 0
    assert there.reconcile("funds", "adopt") == 0
    there.clean()
    wait_for(lambda: there.gtts() == [], "the GTT is deleted")
    assert there.desk.board.positions.rows == []
    there.open()
    assert there.state == "running"


def test_a_gtt_and_an_order_of_somebody_else_are_shown_and_taken_away_only_when_told(world):
    there = world(holdings=(("TCS", 10, 3_000.0),)).open()
    wait_for(lambda: there.reconcile("TCS:CNC", "adopt") == 0, "TCS has a price")
    there.clean()
    last = there.kite.ltp(["NSE:TCS"])["NSE:TCS"]["last_price"]
    order = {
        "transaction_type": "SELL",
        "quantity": 10,
        "order_type": "LIMIT",
        "product": "CNC",
        "price": round(last * 0.8),
    }
    made = there.kite.place_gtt("single", "TCS", "NSE", [round(last * 0.82)], last, [order])[
        "trigger_id"
    ]
    tag = there.desk.kernel.order_store.tag_prefix + "999"
    stray = there.kite.place_order(
        "regular", "NSE", "TCS", "BUY", 1, "CNC", "LIMIT", price=round(last * 0.92), tag=tag
    )
    other = there.kite.place_order(
        "regular", "NSE", "TCS", "BUY", 1, "CNC", "LIMIT", price=round(last * 0.91)
    )
    there.differences(f"gtt:{made}", f"order:{stray}")
    assert len(there.gtts()) == 2
    assert there.reconcile(f"gtt:{made}", "flatten") == 0
    assert there.reconcile(f"order:{stray}", "flatten") == 0
    there.clean()
    wait_for(lambda: there.gtts() == [("TCS", 10)], "only ours is left")
    statuses = {each["order_id"]: each["status"] for each in there.kite.orders()}
    assert (statuses[stray], statuses[other]) == ("CANCELLED", "OPEN")


def test_a_gtt_that_protects_the_adopted_shares_already_becomes_theirs_and_moves_with_them(world):
    there = world(holdings=(("TCS", 10, 3_000.0),)).open()
    last = there.kite.ltp(["NSE:TCS"])["NSE:TCS"]["last_price"]
    order = {
        "transaction_type": "SELL",
        "quantity": 10,
        "order_type": "LIMIT",
        "product": "CNC",
        "price": round(last * 0.8),
    }
    made = there.kite.place_gtt("single", "TCS", "NSE", [round(last * 0.82)], last, [order])[
        "trigger_id"
    ]
    wait_for(lambda: there.reconcile("TCS:CNC", "adopt") == 0, "TCS has a price")
    there.clean()
    assert there.gtts() == [("TCS", 10)]
    [position] = there.desk.board.positions.rows
    assert (position.protected, position.stop) == (10, round(last * 0.82))
    there.open()
    there.clean()
    assert [each["id"] for each in there.kite.get_gtts() if each["status"] == "active"] == [made]
    [again] = there.desk.board.positions.rows
    assert (again.protected, again.stop) == (10, round(last * 0.82))
    there.buy("TCS", 4, side="SELL")
    there.differences("TCS:CNC", "funds")
    assert there.reconcile("TCS:CNC", "adopt") == 0
    wait_for(lambda: there.gtts() == [("TCS", 6)], "the GTT is made smaller")


def test_a_position_carried_over_night_is_a_holding_the_next_day_and_no_difference(world, tmp_path):
    state = tmp_path / "account.db"
    first = world(date="2026-11-19", state=state, user_id="SB0001").open()
    first.buy("INFY", 7)
    first.differences("INFY:CNC", "funds")
    first.reconcile("INFY:CNC", "adopt")
    first.reconcile("funds", "adopt")
    first.clean()
    first.end()

    second = world(date="2026-11-20", state=state, user_id="SB0001").open()
    assert [
        (h["tradingsymbol"], h["quantity"], h["t1_quantity"]) for h in second.kite.holdings()
    ] == [("INFY", 0, 7)]
    second.clean()
    second.differences()
    [position] = second.desk.board.positions.rows
    assert (position.quantity, position.protected) == (7, 7)


def test_shares_listed_under_the_other_exchange_next_morning_are_ours_and_so_are_those_on_margin(
    world, tmp_path
):
    day = {
        "state": tmp_path / "account.db",
        "user_id": "SB0001",
        "choices": KiteAssumptions(holdings="other"),
    }
    first = world(date="2026-11-19", **day).open()
    for symbol, quantity, product in (("INFY", 7, "CNC"), ("SBIN", 4, "MTF")):
        ticket = {
            "symbol": symbol,
            "side": "BUY",
            "quantity": quantity,
            "stop": 4.0,
            "product": product,
        }

        def placed(ticket=ticket):
            number = first.desk.submit(asked("order", **ticket))
            wait_for(lambda: answer_of(first.desk, number), "an answer")
            return answer_of(first.desk, number).startswith("done")

        wait_for(placed, f"{symbol} is entered")
    wait_for(lambda: sorted(first.gtts()) == [("INFY", 7), ("SBIN", 4)], "both are protected")
    [margin] = [g for g in first.kite.get_gtts() if g["condition"]["tradingsymbol"] == "SBIN"]
    assert margin["orders"][0]["product"] == "MTF"
    kept = sorted(each["id"] for each in first.kite.get_gtts())
    first.clean()
    first.differences()
    first.end()

    second = world(date="2026-11-20", **day).open()
    rows = {h["tradingsymbol"]: h for h in second.kite.holdings()}
    assert (
        rows["INFY"]["exchange"],
        rows["INFY"]["t1_quantity"],
        rows["SBIN"]["mtf"]["quantity"],
    ) == ("BSE", 7, 4)
    assert second.kite.positions()["net"] == []
    second.clean()
    second.differences()
    assert (
        sorted(each["id"] for each in second.kite.get_gtts() if each["status"] == "active") == kept
    )
    assert sorted(
        (p.symbol, p.quantity, p.protected) for p in second.desk.board.positions.rows
    ) == [
        ("INFY", 7, 7),
        ("SBIN", 4, 4),
    ]
    for ladder in list(second.desk.kernel.state.ladders.values()):
        second.desk.submit(ExitRequest(int(ladder.instrument.token)))
    wait_for(lambda: not second.desk.board.positions.rows, "both are sold")
    second.clean()
    second.differences()
    assert second.gtts() == []
    sold = {
        p["tradingsymbol"]: (p["exchange"], p["product"], p["quantity"])
        for p in second.kite.positions()["net"]
    }
    assert sold == {"INFY": ("NSE", "CNC", -7), "SBIN": ("NSE", "MTF", -4)}


@pytest.mark.parametrize("book", ["portfolio/holdings", "portfolio/positions", "user/margins*"])
@pytest.mark.parametrize("kind", ["html", "503"])
def test_books_that_cannot_be_read_open_the_desk_read_only_until_they_can(world, kind, book):
    there = world(holdings=(("TCS", 10, 3_000.0),))
    there.open()
    assert there.reconcile("all", "ignore") == 0
    there.clean()
    there.close()
    there.fault(kind=kind, on=f"GET /{book}")
    there.open()
    assert there.state == "read-only"
    [said] = [row.theirs for row in there.desk.board.differences.rows if row.kind == "unreadable"]
    assert "cannot be read" in said
    there.fault()
    there.clean()
    assert [row.key for row in there.desk.board.differences.rows] == ["TCS:CNC"]


def test_a_broker_that_does_not_answer_is_not_taken_for_agreement(world, capsys):
    there = world(holdings=(("TCS", 10, 3_000.0),))
    there.open()
    assert there.reconcile("all", "ignore") == 0
    there.clean()
    capsys.readouterr()

    def told():
        assert there.reconcile() == 0
        return capsys.readouterr().out.splitlines()

    assert told()[0] == "SANDBOX  running  no differences, 1 ignored"
    there.fault(kind="html")
    wait_for(lambda: there.state == "read-only", "it is seen")
    head, names, row = told()
    assert head.startswith("SANDBOX  read-only  not compared: the broker")
    assert head.endswith("; before that no differences, 1 ignored")
    assert (names.split()[0], row.split()[0]) == ("key", "TCS:CNC")
    there.fault()
    there.clean()
    assert told()[0] == "SANDBOX  running  no differences, 1 ignored"


def test_the_books_are_compared_when_the_feed_comes_back(world):
    there = world()
    there.config = there.config.replace("positions_every_s = 5", "positions_every_s = 3600")
    there.open()
    events = there.desk.board.events
    wait_for(
        lambda: any("feed connected" in row.text for row in list(events)), "the feed has come up"
    )
    time.sleep(2.0)  # and the comparison that belongs to it is over
    there.buy("INFY", 7)
    time.sleep(0.5)
    assert there.desk.board.differences.rows == []
    there.fault(kind="close", on="ticks")
    there.differences("INFY:CNC", "funds")


def test_shares_without_their_authorisation_count_as_unprotected_and_are_not_offered_again(
    world,
):
    there = world(holdings=(("INFY", 10, 1_500.0),), consent=False).open()

    def told(name):
        return [
            row["text"]
            for row in rows(
                there.running.database, f"SELECT text FROM events WHERE name = '{name}'"
            )
        ]

    wait_for(lambda: any("CDSL" in text for text in told("unauthorised")), "the start warns")
    there.differences("INFY:CNC")
    wait_for(lambda: there.reconcile("INFY:CNC", "adopt") == 0, "INFY has a price")
    wait_for(lambda: there.gtts() == [("INFY", 10)], "a stop stands")
    wait_for(lambda: there.desk.board.header.naked == 1, "and counts for nothing")
    [position] = there.desk.board.positions.rows
    assert (position.quantity, position.protected) == (10, 0)
    wait_for(
        lambda: any(
            text.startswith("10 INFY need an authorisation") for text in told("unauthorised")
        ),
        "an alarm",
    )

    [ladder] = there.desk.kernel.state.ladders.values()
    there.desk.submit(ExitRequest(int(ladder.instrument.token)))
    wait_for(
        lambda: any("needs authorisation" in text for text in told("order_refused")),
        "the sale is refused",
    )
    since = there.desk.board.header.now
    wait_for(
        lambda: there.desk.board.header.now > since + 90 * SECOND, "a minute and a half has gone by"
    )
    assert (
        len(
            [
                order
                for order in there.desk.kernel.order_store.orders.values()
                if order.purpose is OrderPurpose.EXIT
            ]
        )
        == 1
    )

    answer = requests.post(
        there.rest + "/portfolio/holdings/authorise",
        headers={"Authorization": f"token {there.kite.api_key}:{there.kite.access_token}"},
        timeout=5,
    )
    assert answer.status_code == 200
    wait_for(lambda: there.held("INFY") == 0, "they are sold as soon as they may be")
    wait_for(lambda: there.desk.board.header.naked == 0, "nothing is bare")


def test_what_the_owner_closes_in_his_app_loses_its_stop_long_before_the_next_comparison_is_due(
    world,
):
    there = world()
    there.config = there.config.replace("positions_every_s = 5", "positions_every_s = 3600")
    there.open()
    ticket = asked("order", symbol="INFY", side="BUY", quantity=10, product="MIS", stop=2.0)

    def ordered():
        number = there.desk.submit(ticket)
        return wait_for(lambda: answer_of(there.desk, number), "the order is answered").startswith(
            "done"
        )

    def stops():
        return [
            each["quantity"] for each in there.kite.orders() if each["status"] == "TRIGGER PENDING"
        ]

    wait_for(ordered, "INFY has a price")
    wait_for(lambda: stops() == [10], "the stop waits")
    there.buy("INFY", 10, "MIS", side="SELL")
    [row] = there.differences("INFY:MIS")
    assert (row.kind, row.choices) == ("missing", ("adopt",))
    wait_for(lambda: stops() == [], "the stop is taken back")
    wait_for(
        lambda: there.desk.board.header.naked == 0,
        "the desk has heard that nothing could sell too much any more",
    )
    assert there.reconcile("INFY:MIS", "adopt") == 0
    there.clean()
    assert there.held("INFY") == 0
