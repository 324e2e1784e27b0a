"""The first afternoon of unconfirmed hours, at an exchange with them and with the old ones.

In the gate the day opens minutes before its close, so that no morning has to be made up.
"""

from dataclasses import replace
from datetime import date

import pytest

from brokers.sandbox.assumptions import GUESSED
from brokers.sandbox.market import session_phases
from compiled.model.values import OrderPurpose, Product
from engine.config.schema import GatewaySettings
from engine.market.calendar import FILE, Calendar
from tests.engine.market.test_hours import at
from tests.engine.market.test_schedules import changed
from tests.simulation.day import settle
from tests.simulation.evening import seconds
from tests.simulation.trader import Whim
from tests.simulation.world import World

DAY = "2026-12-07"
MORE = 12


class Afternoon:
    """Outcome of an afternoon, with a strategy that goes on asking to its end."""

    def __init__(self, seed, start, end, *, new_hours, confirmed, file=FILE):
        def strategies():
            return [Whim(f"{seed}:schedules", 0.05, at(DAY, end))]

        world = World(
            seed,
            strategies,
            start,
            day=DAY,
            choices=replace(GUESSED, new_hours=new_hours),
            beat_s=5.0,
            calendar=Calendar.load(file, [date(2026, 12, 7)] if confirmed else ()),
            gateway=GatewaySettings(positions_every_s=60.0),
        )
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
        finally:
            world.close()

    def entries(self, clock):
        """Return the entries of the desk since a time."""
        return [
            each
            for each in self.sent
            if each.purpose is OrderPurpose.ENTRY and each.created >= at(DAY, clock)
        ]


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


def right_under_both(seed, start, end, *, new_hours, file=FILE):
    day = Afternoon(seed, start, end, new_hours=new_hours, confirmed=False, file=file)
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
    told = {event.text.partition(": ")[2] for event in day.alarms if event.ts >= at(DAY, "15:15")}
    # a GTT that the auction's print triggers
    assert told <= {"an exit did not fill before the close; a new stop stands"}


@pytest.mark.parametrize("new_hours", [True, False])
def test_an_unconfirmed_desk_does_what_is_right_at_an_exchange_of_either_hours(new_hours, late):
    right_under_both(1, "15:11", "15:17", new_hours=new_hours, file=late)


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
