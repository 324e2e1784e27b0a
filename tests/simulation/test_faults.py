"""The desk under each fault of the exchange.

The real adapter, the official client, one virtual day each.

Every day wants ten shares, protects them and sells them again. Whatever strikes, both books end the
same, and nothing was bought or sold twice.
"""

from itertools import groupby
from typing import NamedTuple

import pytest

from brokers.sandbox import faults
from brokers.sandbox.fault_moods import MOODS
from brokers.sandbox.faults import KINDS
from tests.simulation.test_crash_points import END_S, LEAVE_S, SHARES, holds, scenario
from tests.simulation.test_nights import Blind

PLAIN = ("INTENT", "SENT", "OPEN", "COMPLETE")
LOOKED_UP = ("INTENT", "SENT", "UNKNOWN", "COMPLETE")
NEVER_THERE = ("INTENT", "SENT", "UNKNOWN", "LOST")
REFUSED = ("INTENT", "SENT", "REJECTED")
AT_ONCE = ("INTENT", "SENT", "COMPLETE")


class Case(NamedTuple):
    """A fault, what the desk does, and how that shows.

    The states of its first entry, and what it tells the operator.
    """

    fault: str
    does: str
    entry: tuple[str, ...] = PLAIN
    told: tuple[str, ...] = ()


CASES = (
    Case(
        'delay on="POST /orders/*" seconds=10 times=1',
        "learns from the books what no answer tells yet",
        AT_ONCE,
        ("broker",),
    ),
    Case('delay on="GET *" seconds=2 times=6', "waits for its books"),
    Case(
        'drop on="POST /orders/*" times=1',
        "looks for the order, gives it up as lost, and enters anew",
        NEVER_THERE,
        ("broker", "order_lost"),
    ),
    Case('drop on="POST /orders/*" accept=true times=1', "finds the order by its tag", LOOKED_UP),
    Case("drop on=updates", "finds out by polling what no update tells"),
    Case("drop on=ticks chance=0.5", "goes on with the ticks that come"),
    Case("duplicate on=updates", "takes a hint twice as once"),
    Case("duplicate on=ticks", "takes a tick twice as once"),
    Case('duplicate on="GET /orders*"', "reads twice what was asked once"),
    Case("reorder on=updates", "goes by its books, not by the order of hints"),
    Case("reorder on=ticks", "takes ticks as they come"),
    Case(
        'refuse on="POST /orders/*" times=1',
        "takes the refusal as final, tells it, and asks again later",
        REFUSED,
        ("order_refused",),
    ),
    Case(
        'refuse on="POST /gtt/*" times=1',
        "tells that protection was refused, and asks for it again",
        told=("gtt_refused",),
    ),
    Case(
        '429 on="POST /orders/*" times=1', "backs off and enters later", REFUSED, ("order_refused",)
    ),
    Case(
        '500 on="POST /orders/*" times=1',
        "does not know, looks, gives up, and enters anew",
        NEVER_THERE,
        ("broker", "order_lost"),
    ),
    Case(
        '502 on="POST /orders/*" accept=true times=1',
        "does not know, and finds the order by its tag",
        LOOKED_UP,
    ),
    Case(
        '503 on="POST /gtt/*" accept=true times=1',
        "finds its GTT in the list and places no second one",
    ),
    Case(
        '504 on="POST /orders/*" accept=true times=1',
        "finds by its tag the order of a gateway that timed out",
        LOOKED_UP,
    ),
    Case('html on="GET /orders" times=3', "takes a page for no book, and reads it again"),
    Case(
        'html on="POST /orders/*" accept=true times=1',
        "takes a page for no answer, and looks",
        LOOKED_UP,
    ),
    Case('cut on="POST /orders/*" times=1', "takes half an answer for none, and looks", LOOKED_UP),
    Case(
        'timeout on="POST /orders/*" seconds=30 times=1',
        "waits no longer than its time-out; the books tell",
        AT_ONCE,
        ("broker",),
    ),
    Case("silent lasts=8", "enters when there are prices again"),
    Case("close at=09:15:10", "connects again and asks for everything again", told=("feed",)),
    Case(
        "poison at=09:15:06",
        "leaves a bad frame out, keeps it as a dead letter, and keeps the connection",
        told=("dead_letter",),
    ),
    Case("slow seconds=5", "waits for its fill"),
    Case("partial share=0.5 seconds=5", "protects what is filled at once, and the rest with it"),
    Case("trade-first seconds=4", "books a trade whose order does not know of it yet"),
    Case("skew seconds=20", "sets its clock by the exchange's, and says so", told=("clock",)),
)


@pytest.fixture
def day():
    """Make a quiet day that wants ten shares, with faults (command line) from its beginning."""
    worlds = []

    def make(*texts):
        worlds.append(scenario())
        for text in texts:
            worlds[-1].exchange.faults.add(faults.fault_from_text(text), worlds[-1].exchange.now)
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def states(world):
    """Return the states that the journal kept of the first order, one after the other."""
    rows = world.process.journal.load("order_events")
    return tuple(
        status
        for status, _ in groupby(
            row["status"] for row in rows if row["intent"] == rows[0]["intent"]
        )
    )


def told(world):
    return [
        row["name"]
        for row in world.process.journal.load("events")
        if row["level"] in {"warn", "alarm"}
    ]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.fault}: {case.does}" for case in CASES])
def test_the_desk_lives_through(day, case):
    world = day(case.fault)
    world.run(END_S)
    world.checks.final()
    [rule] = world.exchange.faults.rows()
    assert rule["strikes"] or rule["kind"] in {"silent", "skew"}, (
        "a fault that never strikes shows nothing"
    )
    assert holds(world) == (0, 0)
    orders = world.exchange.orders.orders.values()
    assert [(int(order.ask.side), order.filled) for order in orders] == [(1, SHARES), (-1, SHARES)]
    assert not world.process.kill.latched
    assert states(world) == case.entry
    assert set(told(world)) - {"gap"} == set(case.told)


def test_a_part_that_is_filled_is_protected_before_the_rest_is_there(day):
    world = day("partial share=0.5 seconds=5")
    world.run(6.0)
    assert holds(world) == (SHARES // 2, SHARES // 2)
    world.run(12.0)
    assert holds(world) == (SHARES, SHARES)


def test_a_dead_token_halts_with_the_position_protected(day):
    world = day("token at=09:15:10")
    world.run(END_S)
    assert world.process.kill.latched
    assert holds(world) == (SHARES, SHARES), "its GTT stands at the exchange"
    assert {"killed", "broker"} <= set(told(world))


def test_an_order_carried_out_twice_is_ours_twice_protected_and_left_as_one(day):
    world = day('duplicate on="POST /orders/*" times=1')
    world.checks = Blind()
    world.run(LEAVE_S - 1.0)
    exchange = world.exchange
    assert [order.filled for order in exchange.orders.orders.values()] == [SHARES, SHARES]
    assert [
        t.legs[0].quantity for t in exchange.gtts.triggers.values() if t.status == "active"
    ] == [2 * SHARES]
    assert "doubled" in told(world)
    assert not world.process.desk._loop.differences, "both are ours: nothing to be decided"
    world.run(END_S)
    moved = sum(order.ask.side * order.filled for order in exchange.orders.orders.values())
    assert moved == 0
    assert "difference" not in told(world)


def test_every_kind_of_fault_has_its_case():
    # whole days are lived through with those
    moods = {fault.kind for of in MOODS.values() for fault in of}
    cased = {case.fault.split()[0] for case in CASES} | {"token"} | moods
    # what is told of the past is tried by golden bars
    weather, past = ({"fall", "rise"}, {"correct", "auction"})
    assert cased == set(KINDS) - weather - past
