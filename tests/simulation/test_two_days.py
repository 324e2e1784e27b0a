"""Two days of everything at once, step by step.

After each the desk's books are those of the exchange's trades alone.
"""

import re

import pytest

from brokers.sandbox.faults import Fault
from engine.operator_requests import ExitRequest
from tests.asking import decision
from tests.simulation.two_days import STARTS, TwoDays

HIS = {("SBIN", "CNC"): 50, ("WIPRO", "CNC"): 50}


@pytest.fixture(params=["own", "other"])
def world(request, monkeypatch):
    """Return the world of the script.

    Holdings are listed where they were bought, or at the other exchange with its tokens.
    """
    made = TwoDays(monkeypatch, HIS, request.param)
    yield made
    made.close()


def test_two_days_of_owner_moods_and_a_night_leave_the_books_equal(world):
    first_day(world)
    the_night(world)
    second_day(world)


def first_day(world):
    entries(world)
    the_owner_closes_intraday_by_hand(world)
    the_owner_sells_what_is_the_desks(world)
    the_owner_changes_gtts(world)
    the_owners_own_gtt_buys(world)
    maintenance(world)
    one_side_is_behind(world)
    the_risk_check_says_no(world)
    the_token_dies(world)


def entries(world):
    world.run(3.0)
    assert world.ask(decision("all ignore")) == "done: 2 ignored"
    world.later(30.0)
    assert world.account.desks["SBIN", "CNC"] == 30
    world.drift("SBIN", 0.0045)
    world.drift("SBIN", 0.0045)
    assert world.account.desks["SBIN", "CNC"] == 90
    for symbol, quantity in (("WIPRO", 40), ("INFY", 20), ("NTPC", 25), ("TCS", 10)):
        assert world.by_hand(symbol, quantity=quantity).startswith("done: order")
    for symbol, side in (("ITC", "SELL"), ("TCS", "BUY")):
        assert world.by_hand(symbol, "MIS", quantity=15, side=side).startswith("done: order")
    world.later(10.0)
    assert world.account.desks["TCS", "MIS"] == 15
    world.agrees()


def the_owner_closes_intraday_by_hand(world):
    world.owner("ITC", "BUY", 15, "MIS", ours=True)
    world.owner("TCS", "SELL", 10, "MIS", ours=True)
    world.later(5.0)
    offered = sum(each.pending for each in world.exchange.orders.live_orders())
    assert offered == 5, "stops for what is there, after five seconds"
    world.decide(ITC="adopt", TCS="adopt")
    world.agrees()
    world.owner("TCS", "SELL", 5, "MIS", ours=True)
    world.decide(TCS="adopt")
    assert world.exchange.orders.live_orders() == []
    world.agrees()


def the_owner_sells_what_is_the_desks(world):
    world.owner("SBIN", "SELL", 40, ours=True)
    world.later(5.0)
    guards = [world.exchange.gtts.triggers[number] for number in world.triggers("SBIN")]
    assert sum(each.legs[0].quantity for each in guards) == 50
    world.decide(SBIN="adopt", funds="adopt")
    world.agrees()
    world.owner("SBIN", "SELL", 10)
    world.decide(SBIN="ignore", funds="adopt")
    guards = [world.exchange.gtts.triggers[number] for number in world.triggers("SBIN")]
    assert sum(each.legs[0].quantity for each in guards) == 50
    world.agrees()


def the_owner_changes_gtts(world):
    (old,) = world.triggers("NTPC")
    assert world.outside("DELETE", f"/gtt/triggers/{old}", {})
    world.later(30.0)
    (new,) = world.triggers("NTPC")
    assert new != old
    (number,) = world.triggers("INFY")
    stop = world.listing("INFY").instrument.snap(world.listing("INFY").ltp * 0.99)
    world.set_trigger("PUT", f"/gtt/triggers/{number}", "INFY", "SELL", 7, stop)
    world.later(30.0)
    stands = world.exchange.gtts.triggers[number]
    assert (stands.status, stands.condition.triggers, stands.legs[0].quantity) == (
        "active",
        (stop,),
        20,
    )
    assert len(world.told("gtt_edited")) == 1
    world.agrees()


def the_owners_own_gtt_buys(world):
    trigger = world.listing("NTPC").instrument.snap(world.listing("NTPC").ltp * 0.993)
    made = world.set_trigger("POST", "/gtt/triggers", "NTPC", "BUY", 6, trigger)
    world.account.his_triggers |= made
    world.decide(gtt="ignore")
    world.drift("NTPC", -0.009)
    assert world.account.his["NTPC", "CNC"] == 6
    world.decide(NTPC="ignore")
    world.agrees()


def maintenance(world):
    world.exchange.faults.add(Fault("html", on="POST /orders/*", accept=True), world.clock.true())
    world.mood("maintenance")
    began = world.loop.seconds
    assert world.by_hand("ITC", quantity=12).startswith("unknown: order")
    assert world.account.desks["ITC", "CNC"] == 12, "and the broker has it all the same"
    assert world.by_hand("TCS").startswith("refused: NOT_READY")
    world.later(40.0)
    assert world.process.board.header.state == "read-only"
    assert len(world.since(began, path="/orders/")) == 1
    world.over()
    world.later(30.0)
    assert world.process.board.header.state == "running"
    assert len(world.triggers("ITC")) == 1
    world.agrees()


def one_side_is_behind(world):
    for mood in ("books-behind", "late-postbacks", "no-postbacks", "trades-behind"):
        before = len(world.told("difference"))
        world.mood(mood)
        assert world.by_hand("TCS", quantity=4).startswith("done: order")
        world.later(20.0)
        assert world.by_hand("ITC", "MIS", quantity=3).startswith("done: order")
        world.later(20.0)
        assert world.ask(ExitRequest(world.token("ITC"))) == "done: leaving"
        world.later(20.0)
        world.over()
        world.later(15.0)
        assert world.account.desks["ITC", "CNC"] == 0, mood
        assert len(world.told("difference")) == before, mood
        world.agrees()
        assert world.by_hand("ITC", quantity=12).startswith("done: order")
        world.later(10.0)


def the_risk_check_says_no(world):
    world.mood("rms")
    assert "RMS:Margin Exceeds" in world.by_hand("TCS")
    world.over()
    began = world.loop.seconds
    world.mood("rms-door")
    assert world.ask(ExitRequest(world.token("ITC"))) == "done: leaving"
    world.later(20.0)
    assert 3 <= len(world.since(began, ("POST",), "/orders/")) <= 5, "ever more slowly"
    world.over()
    world.later(40.0)
    assert world.account.desks["ITC", "CNC"] == 0
    world.agrees()


def the_token_dies(world):
    held = world.account.desks["TCS", "CNC"]
    world.exchange.session.expire()
    world.storms += 1
    world.later(10.0)
    assert world.by_hand("ITC").startswith("refused: NOT_READY")
    world.drift("TCS", -0.025, 60)
    assert (held, world.account.desks["TCS", "CNC"]) == (26, 0), "its stops fired meanwhile"
    world.log_in()
    world.storms -= 1
    world.calm_since = world.loop.seconds
    world.later(30.0)
    told = world.told("gtt_triggered")
    assert [row["level"] for row in told] == ["alarm"] * 5
    assert all(
        re.fullmatch(
            r"TCS: .* triggered at 30[56]\d\.\d\d, \d\d s ago, and is seen only now", row["text"]
        )
        for row in told
    )
    world.agrees()
    assert world.standing() == []


def the_night(world):
    world.checks.final()
    world.night({"WIPRO": 5}, {"SBIN": "SBI"})
    world.run(world.second("09:15"))
    world.drift("NTPC", -0.025, 60)
    assert world.account.desks["NTPC", "CNC"] == 0, "its stop fired before the desk was there"


def second_day(world):
    began = world.exchange.funds.cash
    world.run(world.second(STARTS))
    world.calm_since = world.loop.seconds
    world.later(40.0)
    assert world.standing() == []
    told = world.told("gtt_triggered")[-1]["text"]
    assert re.fullmatch(
        r"NTPC: .* triggered at 32\d\.\d\d, 4 min ago, and is seen only now", told
    ), told
    world.agrees()
    assert world.process.kernel.ledger.start_cash == began
    assert world.account.desks["WIPRO", "CNC"] == 200
    assert (world.account.his["SBI", "CNC"], world.account.desks["SBI", "CNC"]) == (40, 50)
    for symbol in ("SBI", "WIPRO", "INFY"):
        guards = [world.exchange.gtts.triggers[number] for number in world.triggers(symbol)]
        assert sum(each.legs[0].quantity for each in guards) == world.account.desks[symbol, "CNC"]
        assert all(
            0.9 < each.condition.triggers[0] / world.listing(symbol).ltp < 1.0 for each in guards
        )
    world.drift("TCS", 0.006)
    assert world.account.desks["TCS", "CNC"] == 60, "and it climbs again"
    world.agrees()
    for symbol in ("SBI", "WIPRO", "INFY", "TCS"):
        assert world.ask(ExitRequest(world.token(symbol))) == "done: leaving"
    world.later(60.0)
    assert not any(world.account.desks.values())
    assert world.account.his == {("SBI", "CNC"): 40, ("WIPRO", "CNC"): 250, ("NTPC", "CNC"): 6}
    assert not [
        number
        for each in world.exchange.listings
        for number in world.triggers(each.partition(":")[2])
    ]
    world.agrees()
    assert (
        world.process.kernel.ledger.cash + world.process.kernel.ledger.charges
        == began + world.account.all_moved
    )
    world.checks.final()
    assert world.checks.worst_bare <= 30.0
