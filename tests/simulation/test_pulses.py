"""Each fault is a row of the pulses with its mend, and none when it is healed."""

import pytest

from brokers.sandbox.faults import Fault
from engine.board_rows import ATTENTION, GOOD, WRONG, FailureRow
from engine.live_pulses import live_pulses
from engine.ops.health_sources import MachineReading
from tests.asking import asked
from tests.simulation.moody import Moody

SECOND = 1_000_000_000


@pytest.fixture
def world():
    made = Moody(())
    made.start()
    made.run(20.0)
    yield made
    made.close()


def ill(world):
    """Return state and figure of what is not good, but for alarms, which are of the past."""
    rows = world.process.board.pulses.rows
    assert all(row.mend if row.state != GOOD else not row.mend for row in rows)
    return {row.name: row for row in rows if row.state != GOOD and row.name != "alarms"}


def states(world):
    return {name: row.state for name, row in ill(world).items()}


def add(world, **fault):
    return world.exchange.faults.add(Fault(**fault).check(), world.clock.true())


def heal(world, seconds=70.0):
    world.exchange.faults.remove()
    world.run(world.loop.seconds + seconds)
    return states(world)


def test_a_healthy_desk_has_nothing_to_look_at_and_says_so_of_everything(world):
    rows = live_pulses(world.process.board, 0)
    assert {row.state for row in rows} == {GOOD}
    assert len({row.name for row in rows}) == len(rows) > 25
    assert "session" in {row.name for row in rows}


def test_a_broker_that_does_not_answer_is_wrong_before_what_follows_from_it(world):
    world.mood("rest-away")
    world.run(70.0)
    found = states(world)
    assert (found["broker"], found["entries"]) == (WRONG, WRONG)
    assert list(found).index("broker") < list(found).index("entries")
    assert "patang doctor" in ill(world)["broker"].mend
    assert heal(world) == {}


def test_a_feed_that_comes_late_is_wrong_and_names_who_is_silent(world):
    world.mood("late-feed")
    world.run(60.0)
    assert states(world)["feed age"] == WRONG
    assert int(ill(world)["feed age"].figure.split()[0]) >= 30
    since = ill(world)["feed age"].since - world.clock.start
    world.run(75.0)
    # The figure grows, and its beginning stands.
    assert ill(world)["feed age"].since - world.clock.start == since <= 40 * SECOND
    assert heal(world, 130.0) == {}


def test_a_feed_without_a_link_is_wrong_until_it_is_back(world):
    world.process.desk._loop.link(False)
    world.run(22.0)
    assert states(world)["feed link"] == WRONG
    world.process.desk._loop.link(True)
    assert heal(world, 20.0) == {}


def test_a_dead_token_asks_for_a_login_wherever_it_shows(world):
    world.mood("token")
    world.run(50.0)
    row = ill(world)["session"]
    assert (row.state, "patang login" in row.mend) == (WRONG, True)
    assert states(world)["kill switch"] == WRONG
    assert "ctrl+r" in ill(world)["kill switch"].mend
    world.log_in()
    world.run(90.0)
    assert states(world) == {"kill switch": WRONG}, "a latch is let go by a person alone"
    world.process.desk.resume("logged in", "test")
    world.run(95.0)
    assert states(world) == {}


def test_a_disk_that_hangs_is_wrong_while_it_does(world):
    world.disk.hangs = True
    world.process.desk.submit(
        asked("order", symbol="SBIN", side="BUY", quantity=10, stop=2.0, product="CNC")
    )
    world.run(24.0)
    assert states(world)["journal"] == WRONG
    world.disk.hangs = False
    assert heal(world, 20.0) == {}


def test_a_busy_broker_is_a_row_of_the_governor(world):
    add(world, kind="429", on="POST /orders/*", times=3)
    seen = set()
    began = world.loop.seconds
    world.process.desk.submit(
        asked("order", symbol="SBIN", side="BUY", quantity=10, stop=2.0, product="CNC")
    )
    while world.loop.seconds < began + 12.0:
        world.run(world.loop.seconds + 0.5)
        seen |= {(name, row.state, row.figure) for name, row in ill(world).items()}
    assert ("governor", ATTENTION, "the broker is busy (429)") in seen
    assert heal(world) == {}


def test_an_order_of_unknown_outcome_turns_wrong_when_it_lasts(world):
    world.mood("rest-away")
    assert world.by_hand("SBIN").startswith("unknown")
    assert states(world)["unknown requests"] == ATTENTION
    world.run(world.loop.seconds + 40.0)
    assert states(world)["unknown requests"] == WRONG
    assert heal(world) == {}


def test_what_the_feed_sends_that_cannot_be_true_asks_for_a_look_for_a_quarter_of_an_hour(world):
    letters = world.process.desk._loop.dead_letters
    letters.keep_frame(b"\x00\x01", world.clock.now())
    world.run(22.0)
    assert states(world) == {"dead letters": ATTENTION}
    assert "LETTERS" in ill(world)["dead letters"].mend
    letters.last -= 900 * SECOND
    world.run(24.0)
    assert states(world) == {}


def test_fills_that_no_order_update_tells_of_are_told_by_the_pulse(world):
    world.process.desk._loop.unheard_fills = 10
    world.run(22.0)
    assert states(world) == {"order updates": ATTENTION}
    world.process.desk._loop.hint("1")
    world.run(24.0)
    assert states(world) == {}


def test_steps_from_tick_to_answer_are_measured(world):
    assert world.by_hand("SBIN").startswith("done")
    world.run(30.0)
    rows = {row.name: row for row in world.process.board.latencies.rows}
    for name in ("message → turn", "event → decision", "command → sent", "sent → answered"):
        row = rows[name]
        assert row.number == sum(row.counts) > 0
        assert row.p50 <= row.p90 <= row.p99 <= row.most
    # An entry, its stop, and nothing else has left.
    assert rows["sent → answered"].number == 2


def test_a_strategy_that_has_failed_is_wrong_until_it_is_looked_at(world):
    desk = world.process.desk
    desk._writer.put(desk.board.failures, "cross", FailureRow("cross", 1, "ValueError", ()))
    world.run(22.0)
    assert states(world) == {"strategies": WRONG}
    desk._writer.keep(desk.board.failures, set())
    world.run(24.0)
    assert states(world) == {}


MB = 1_048_576
WELL = MachineReading(
    free=5_000 * MB, memory=100 * MB, threads=12, descriptors=60, most_descriptors=1_024
)


@pytest.mark.parametrize(
    ("name", "reading", "state", "figure"),
    [
        ("disk space", {"free": 0}, WRONG, "0 MB free"),
        ("disk space", {"free": 99 * MB}, WRONG, "99 MB free"),
        ("disk space", {"free": 150 * MB}, ATTENTION, "150 MB free"),
        ("memory", {"memory": 1_900 * MB}, WRONG, "1,900 MB of 2,000"),
        ("memory", {"memory": 1_700 * MB}, ATTENTION, "1,700 MB of 2,000"),
        ("descriptors", {"descriptors": 1_000}, WRONG, "1,000 open of 1,024"),
        ("threads", {"threads": 190}, WRONG, "190 of 200"),
        ("clock", {"moved": 5 * SECOND}, ATTENTION, "the machine's moved +5.0 s"),
        ("clock", {"moved": -3 * SECOND}, ATTENTION, "the machine's moved -3.0 s"),
        ("journal", {"findings": ("journal",)}, WRONG, "its file is gone from the disk"),
    ],
)
def test_each_fault_of_the_machine_is_a_row_and_none_when_it_is_healed(
    world, name, reading, state, figure
):
    health = world.process.desk._health
    health.disk_mb, health.memory_mb, health.clock_s = 100, 2_000, 2.0
    for machine, expected in (
        (WELL, {}),
        (WELL._replace(**reading), {name: (state, figure)}),
        (WELL, {}),
    ):
        health.machine = machine
        world.run(world.loop.seconds + 1.5)
        found = {row.name: (row.state, row.figure) for row in ill(world).values()}
        assert found == expected


def test_a_thread_that_turns_no_more_is_wrong_until_it_does(world):
    health = world.process.desk._health
    for name in ("watchdog", "control"):
        health.beats[name] = world.process.board.heartbeat - 6 * SECOND
        world.run(world.loop.seconds + 1.5)
        assert states(world) == {name: WRONG}
        assert ill(world)[name].figure.startswith("silent for ")
        health.beats[name] = world.process.board.heartbeat + 60 * SECOND
        world.run(world.loop.seconds + 1.5)
        assert states(world) == {}
