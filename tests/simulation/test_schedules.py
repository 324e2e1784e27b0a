"""The first afternoon of unconfirmed hours, at an exchange with them and with the old ones.

In the gate the day opens minutes before its close, so that no morning has to be made up.
"""

from dataclasses import replace
from datetime import date

import pytest

from brokers.sandbox.assumptions import GUESSED
from brokers.sandbox.market import session_phases
from brokers.sandbox.market.session_phases import NOT_NOW
from compiled.model.values import OrderPurpose, Product
from engine.config.schema import GatewaySettings
from engine.market.calendar import FILE, Calendar
from tests.engine.market.test_hours import at
from tests.engine.market.test_schedules import changed
from tests.simulation.day import settle
from tests.simulation.evening import seconds
from tests.simulation.trader import Want, Whim
from tests.simulation.world import World

DAY = "2026-12-07"
MORE = 12
STOP_PERCENT = 1.5


class Afternoon:
    """Outcome of an afternoon, with a strategy that goes on asking to its end.

    With a time in `falls` one that holds a position beyond the close, and prices fall then.
    """

    def __init__(self, seed, start, end, *, new_hours, confirmed, file=FILE, falls=None):
        def strategies():
            if falls:
                token = int(world.exchange.listings["NSE:SBIN"].instrument.token)
                return [Want(token, 10, at(DAY, start), at(DAY, end), stop=STOP_PERCENT)]
            return [Whim(f"{seed}:schedules", 0.05, at(DAY, end))]

        world = World(
            seed,
            strategies,
            start,
            day=DAY,
            choices=replace(GUESSED, new_hours=new_hours),
            beat_s=5.0,
            # held to the close: nothing else may reach the stop
            sigma=0.00005 if falls else 0.0006,
            calendar=Calendar.load(file, [date(2026, 12, 7)] if confirmed else ()),
            gateway=GatewaySettings(positions_every_s=60.0),
        )
        if falls:
            world.loop.call_at(seconds(world, DAY, falls), fall, world)
        try:
            world.start()
            world.run(seconds(world, DAY, "15:15"))
            self.intraday = [
                position
                for position in world.exchange.portfolio.positions.values()
                if position.product == "MIS" and position.quantity
            ]
            world.run(seconds(world, DAY, end))
            settle(world)
            kernel = world.process.kernel
            self.sent = [order for order in kernel.order_store.orders.values() if order.tag]
            self.placed = [
                order for order in world.exchange.orders.orders.values() if order.ask.tag
            ]
            self.alarms = [
                event for event in world.process.board.events if event.level in {"warn", "alarm"}
            ]
            self.told = [event.text for event in world.process.board.events]
            self.naked = int(kernel.view.naked())
            self.carried = carried(world.exchange)
        finally:
            world.close()

    def entries(self, clock):
        """Return the entries of the desk since a time."""
        return [
            each
            for each in self.sent
            if each.purpose is OrderPurpose.ENTRY and each.created >= at(DAY, clock)
        ]


def fall(world):
    """Let the auction print below the stop, and within the 3 % of its band.

    Before it is entered: what its book has gathered would hold the print up.
    """
    for trader in world.exchange.market._traders:
        trader._fair.jump(-0.025)


def carried(exchange):
    """Return what has to be told of the GTTs that the auction's print has triggered.

    The exchange takes no order then: each is replaced, below the print, for the night.
    """
    told = set()
    for fired in exchange.gtts.triggers.values():
        results = [result["order_result"] for result in fired.results if result]
        if not any(result["rejection_reason"] == NOT_NOW for result in results):
            continue
        listing = fired.condition.listing
        symbol = listing.instrument.symbol
        told.add(
            f"{symbol}: GTT {fired.trigger_id} triggered, "
            f"and the broker rejects its order: {NOT_NOW}"
        )
        stops = [
            other.condition.triggers
            for other in exchange.gtts.triggers.values()
            if other.condition.listing is listing
            and other.status == "active"
            # another rung's stop that the print has not reached stands as it stood
            and other.created >= fired.updated
        ]
        assert stops
        assert all(stop < listing.ltp for (stop,) in stops)
        told |= {
            f"{symbol}: its exit waits for the next session, under a stop at {stop}"
            for (stop,) in stops
        }
    return told


@pytest.fixture
def late(tmp_path, monkeypatch):
    """Return a table by which the day opens at 15:11, and have the exchange keep it, too."""

    def opens_late(raw):
        raw["phases"] = [row for row in raw["phases"] if row["part"] == "main"]
        for row in raw["phases"]:
            row["phases"][0][1] = "15:11"

    file = changed(tmp_path, opens_late)
    monkeypatch.setattr(
        session_phases,
        "_session_calendar",
        lambda *, new=True: Calendar.load(file, held_back=not new),
    )
    return file


def right_under_both(seed, start, end, *, new_hours, file=FILE, falls=None):
    day = Afternoon(seed, start, end, new_hours=new_hours, confirmed=False, file=file, falls=falls)
    assert day.entries(start)
    assert day.entries("15:13") == []
    assert [order for order in day.sent if order.created >= at(DAY, "15:15")] == []
    assert [order for order in day.placed if order.is_live] == []
    assert day.intraday == []
    assert day.naked == 0
    assert any(
        text.startswith("new hours from 2026-12-07 on (NSE, BSE, NFO, BFO) are not confirmed")
        for text in day.told
    )
    assert {event.text for event in day.alarms if event.ts >= at(DAY, "15:15")} == day.carried
    return day


@pytest.mark.parametrize("new_hours", [True, False])
def test_an_unconfirmed_desk_does_what_is_right_at_an_exchange_of_either_hours(new_hours, late):
    right_under_both(1, "15:11", "15:17", new_hours=new_hours, file=late)


@pytest.mark.parametrize(
    ("new_hours", "falls", "end"), [(True, "15:30:30", "15:41"), (False, "15:16", "15:31")]
)
def test_a_stop_that_the_auction_s_print_triggers_is_told_and_replaced_for_the_night(
    new_hours, falls, end, late
):
    day = right_under_both(1, "15:11", end, new_hours=new_hours, file=late, falls=falls)
    assert day.carried


def test_a_confirmed_desk_uses_the_new_hours_to_their_end(late):
    day = Afternoon(1, "15:11", "15:16", new_hours=True, confirmed=True, file=late)
    assert day.entries("15:15")
    assert not any("not confirmed" in text for text in day.told)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("new_hours", [True, False])
@pytest.mark.parametrize("seed", range(MORE))
def test_more_such_afternoons_to_the_end_of_both(seed, new_hours):
    right_under_both(seed, "15:06", "15:50", new_hours=new_hours)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(MORE))
def test_more_confirmed_afternoons(seed):
    day = Afternoon(seed, "15:06", "15:29:30", new_hours=True, confirmed=True)
    assert day.entries("15:15")
    assert [each for each in day.entries("15:10") if each.product is Product.MIS] == []
    assert day.naked == 0
