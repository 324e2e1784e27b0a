"""A desk whose machine's clock is wrong, in virtual time: it says by how much and which way, and goes by the exchange's."""

import json
import re

import pytest

from tests.simulation.test_crash_points import END_S, SHARES, holds, scenario

SECOND = 1_000_000_000


def wrong_by(seconds, until=40.0):
    """Return a quiet day, and what its desk told of the clock, after some seconds with a machine's clock that is wrong."""
    world = scenario()
    world.clock.skew = int(seconds * SECOND)
    world.run(until)
    rows = world.process.journal.load("events")
    return world, [(row["level"], row["text"]) for row in rows if row["name"] == "clock"]


@pytest.mark.parametrize(
    ("seconds", "words", "level"),
    [(-36.0, "behind", "alarm"), (36.0, "ahead of", "alarm"), (-1.7, "behind", "warn"), (-118.0, "behind", "alarm")],
)
def test_a_clock_that_is_wrong_is_told_once_and_set(seconds, words, level):
    world, told = wrong_by(seconds, 45.0 if seconds < 0 else 100.0)
    try:
        [(how, text)] = told
        figure = float(re.fullmatch(rf"the desk's clock is ([0-9.]+) s {words} the exchange's, .*", text)[1])
        assert (how, abs(figure - abs(seconds)) <= 0.6) == (level, True)
        assert abs(world.clock.now() - world.clock.true()) <= 0.6 * SECOND, "the middle of five dates, cut to seconds"
        assert abs(json.loads(world.process.desk.describe())["clock_off_ms"]) <= 600
        assert world.process.desk._loop.state == "running"
    finally:
        world.close()


@pytest.mark.parametrize("seconds", [0.0, 0.4, -0.4])
def test_a_clock_that_is_right_to_half_a_second_is_left_alone(seconds):
    world, told = wrong_by(seconds, END_S)
    assert (told, world.clock.amended, holds(world)) == ([], 0, (0, 0))
    world.close()


@pytest.mark.parametrize("seconds", [-3_600.0, 3_600.0])
def test_a_clock_that_is_an_hour_wrong_is_told_and_not_set_and_nothing_is_bought(seconds):
    world, [(level, text)] = wrong_by(seconds)
    assert (level, "too far to set it" in text) == ("alarm", True)
    figure = float(re.search(r"clock is ([0-9.]+) s", text)[1])
    assert abs(figure - 3_600.0) <= 0.6
    assert world.clock.amended == 0
    assert world.process.desk._loop.state == "read-only"
    assert not world.exchange.orders.orders, "it would have bought at second 3"
    assert not world.process.kill.latched
    world.close()


def test_two_answers_in_nine_that_lie_move_nothing():
    world = scenario()
    lied = []
    heard = world.process.timekeeper.answered

    def lie(stamp, took):
        lied.append(len(lied) % 4 == 3)
        heard(stamp + 40 * SECOND * lied[-1], took)

    world.process.broker._calls._session = world.process.broker._calls._session._replace(
        heard=lambda date, took: lie(world.clock.true() // SECOND * SECOND, took)
    )
    world.run(24.0)
    assert sum(lied) >= 3
    assert (world.clock.amended, holds(world)) == (0, (SHARES, SHARES))
    assert not [row for row in world.process.journal.load("events") if row["name"] == "clock"]
    world.close()


def test_dates_from_before_what_the_exchange_has_stamped_are_told_and_not_believed():
    world = scenario()
    world.process.broker._calls._session = world.process.broker._calls._session._replace(
        heard=lambda date, took: world.process.timekeeper.answered((world.clock.true() // SECOND - 90) * SECOND, took)
    )
    world.run(40.0)
    [told] = [row["text"] for row in world.process.journal.load("events") if row["name"] == "clock"]
    assert "cannot be told" in told
    assert world.clock.amended == 0
    world.close()


def test_what_has_left_within_the_second_counts_though_the_clock_is_set_on():
    world, told = wrong_by(-36.0, 20.0)
    governor = world.process.desk.gateway.governor
    assert told
    assert world.clock.amended >= 35 * SECOND
    assert governor.orders_last_minute(world.clock.now()) == len(world.exchange.orders.orders) > 0
    world.close()
