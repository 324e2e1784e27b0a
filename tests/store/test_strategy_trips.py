"""Round trips out of a journal of several days, as they stood on each evening."""

import json
from datetime import date

import pytest

from engine.errors import DataError, OperatorError
from store.strategy_trips import StrategyTrips
from tests.engine.backtest.parity_days import flat
from tests.store.test_parity_day import MONDAY, TUESDAY, WEDNESDAY, fill, trade, when


@pytest.fixture
def trips(journal, database):
    """Return a journal of three days: bought on Monday, half of it sold on Tuesday, one open."""
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        journal.append("meta", {"key": f"start_cash:{day}", "value": "100"})
        for clock in ("09:00", "12:00"):
            key = f"ran:{day}:{when(clock, day)}"
            journal.append("meta", {"key": key, "value": json.dumps({"code": clock})})
    fill(journal, 1, 1, "10:00", "BUY", 10, 100.0, MONDAY)
    fill(journal, 2, 1, "10:00", "SELL", 10, 103.0, TUESDAY)
    trade(journal, 1, "closed", exit_reason="target")
    fill(journal, 3, 2, "11:00", "BUY", 5, 200.0, TUESDAY)
    trade(journal, 2, "open", pnl=2_500, charges=100)
    journal.close()
    return StrategyTrips(database)


def test_a_trip_is_valued_on_each_evening_and_left_on_the_last(trips):
    bars = {"INFY": flat(101.0)}
    (held,) = trips.evening("told", MONDAY, MONDAY, bars)
    # ten at 100 stand at 101, less ₹1 of charges
    assert (held.shares_held, held.net) == (10, 1_000 - 100)
    left, other = trips.evening("told", TUESDAY, MONDAY, bars)
    assert (left.shares_held, left.net) == (0, 3_000 - 200)
    # Wednesday has written over what the journal said of it on Tuesday
    assert (other.shares_held, other.net) == (5, 5 * (10_100 - 20_000) - 100)
    assert [each.net for each in trips.evening("told", WEDNESDAY, MONDAY, bars)] == [2_800, 2_500]


def test_what_was_held_from_before_the_first_day_is_no_part_of_it(trips):
    assert [each.rung for each in trips.evening("told", TUESDAY, TUESDAY, {})] == [2]


def test_what_somebody_else_has_left_is_left(journal, database):
    journal.append("meta", {"key": f"start_cash:{MONDAY}", "value": "100"})
    fill(journal, 1, 1, "10:00", "BUY", 10, 100.0, MONDAY)
    fill(journal, 2, 1, "11:00", "SELL", 10, 103.0, MONDAY, strategy="")
    journal.close()
    (trip,) = StrategyTrips(database).evening("told", MONDAY, MONDAY, {})
    assert (trip.shares_held, trip.net) == (0, 3_000 - 200)


def test_another_strategy_has_none_of_them(trips):
    assert trips.evening("other", WEDNESDAY, MONDAY, {}) == []


def test_settings_that_cannot_be_read_are_named(journal, database):
    journal.append("meta", {"key": f"ran:{MONDAY}:1", "value": "{"})
    journal.close()
    with pytest.raises(DataError, match="what the desk ran with on 2024-06-03 cannot be read"):
        StrategyTrips(database)


def test_the_days_come_with_what_the_desk_ran_with_at_each_opening(trips):
    assert list(trips.ran) == [MONDAY, TUESDAY, WEDNESDAY]
    assert [each["code"] for each in trips.ran[TUESDAY]] == ["09:00", "12:00"]
    assert date(2024, 6, 6) not in trips.ran


def test_what_is_no_database_is_refused_in_a_line(tmp_path):
    (tmp_path / "desk.db").write_text("nothing of the kind" * 100)
    with pytest.raises(OperatorError, match="is no SQLite database"):
        StrategyTrips(tmp_path / "desk.db")
