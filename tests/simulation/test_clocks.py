"""A desk whose machine's clock is wrong, in virtual time.

It says by how much and which way, and goes by the exchange's.
"""

import re

import pytest

from tests.simulation.test_crash_points import END_S, SHARES, holds, scenario

SECOND = 1_000_000_000


@pytest.fixture
def world():
    """A quiet day; it is closed whatever comes of it."""
    made = scenario()
    yield made
    made.close()


def told(world):
    """Return what the desk has told of the clock."""
    return [
        (row["level"], row["text"])
        for row in world.process.journal.load("events")
        if row["name"] == "clock"
    ]


def wrong_by(world, seconds, until=40.0):
    """Live some seconds with a machine's clock that is wrong; return what the desk tells of it."""
    world.clock.skew = int(seconds * SECOND)
    world.run(until)
    return told(world)


def dated(world, tell):
    """Replace the dates of answers by `tell`'s of (the right time in seconds, took)."""
    calls = world.process.broker._calls
    calls._session = calls._session._replace(
        heard=lambda _, took: tell(world.clock.true() // SECOND * SECOND, took)
    )


@pytest.mark.parametrize(
    ("seconds", "words", "level"),
    [
        (-36.0, "behind", "alarm"),
        (36.0, "ahead of", "alarm"),
        (-1.7, "behind", "warn"),
        (-118.0, "behind", "alarm"),
    ],
)
def test_a_clock_that_is_wrong_is_told_once_and_set(world, seconds, words, level):
    [(how, text)] = wrong_by(world, seconds, 45.0 if seconds < 0 else 100.0)
    figure = float(
        re.fullmatch(rf"the desk's clock is ([0-9.]+) s {words} the exchange's, .*", text)[1]
    )
    assert (how, abs(figure - abs(seconds)) <= 0.6) == (level, True)
    assert abs(world.clock.now() - world.clock.true()) <= 0.6 * SECOND, (
        "the middle of five dates, cut to seconds"
    )
    assert abs(world.process.desk.describe()["clock_off_ms"]) <= 600
    assert world.process.desk._loop.state == "running"


@pytest.mark.parametrize("seconds", [0.0, 0.4, -0.4])
def test_a_clock_that_is_right_to_half_a_second_is_left_alone(world, seconds):
    assert wrong_by(world, seconds, END_S) == []
    assert (world.clock.amended, holds(world)) == (0, (0, 0))


@pytest.mark.parametrize("seconds", [-3_600.0, 3_600.0])
def test_a_clock_that_is_an_hour_wrong_is_told_and_not_set_and_nothing_is_bought(world, seconds):
    [(level, text)] = wrong_by(world, seconds)
    assert (level, "too far to set it" in text) == ("alarm", True)
    figure = float(re.search(r"clock is ([0-9.]+) s", text)[1])
    assert abs(figure - 3_600.0) <= 0.6
    assert world.clock.amended == 0
    assert world.process.desk._loop.state == "read-only"
    assert not world.exchange.orders.orders, "it would have bought at second 3"
    assert not world.process.kill.latched


def test_two_answers_in_nine_that_lie_move_nothing(world):
    lies = []

    def lie(stamp, took):
        lies.append(len(lies) % 4 == 3)
        world.process.timekeeper.note_answer(stamp + 40 * SECOND * lies[-1], took)

    dated(world, lie)
    world.run(24.0)
    assert sum(lies) >= 3
    assert (world.clock.amended, holds(world), told(world)) == (0, (SHARES, SHARES), [])


def test_dates_from_before_what_the_exchange_has_stamped_are_told_and_not_believed(world):
    dated(
        world, lambda stamp, took: world.process.timekeeper.note_answer(stamp - 90 * SECOND, took)
    )
    world.run(40.0)
    [(level, text)] = told(world)
    assert (level, "cannot be told" in text) == ("alarm", True)
    assert world.clock.amended == 0


def test_what_has_left_within_the_minute_counts_though_the_clock_is_set_on(world):
    calls = world.process.broker._calls
    honest = calls._session
    dated(world, lambda *_: None)
    world.clock.skew = -50 * SECOND
    world.run(56.0)
    assert len(world.exchange.orders.orders) == 1, (
        "it has left at second 53, which the desk takes for second 3"
    )
    calls._session = honest
    world.run(75.0)
    assert world.clock.amended >= 49 * SECOND
    assert told(world)
    governor = world.process.desk.gateway.governor
    assert governor.orders_last_minute(world.clock.now()) == len(world.exchange.orders.orders)
