"""What a desk heard of a day: its bars without the gaps, and the history in its holes."""

from datetime import date

import pytest

from compiled.model.values import MINUTE
from engine.backtest.parity.day_records import CLOSED, GAP, DayIncident
from engine.backtest.parity.heard_bars import (
    are_alike,
    fill_holes,
    heard_bars,
    lost_minutes,
    unrecorded_time,
)
from engine.market.calendar import Calendar
from tests.engine.backtest.parity_days import SYMBOL, flat, when

SESSION = Calendar.load().session(date(2024, 6, 4))


def without(bars, first, last):
    return bars.pick((bars.start < when(first)) | (bars.start >= when(last)))


def test_the_whole_minutes_of_a_gap_were_not_heard():
    bars = {SYMBOL: flat(), "SBIN": flat()}
    gap = DayIncident(GAP, when("10:00", 30), when("10:03", 30), "", symbol=SYMBOL)
    heard = heard_bars(bars, [gap])
    assert heard[SYMBOL].start.tolist() == without(flat(), "10:01", "10:03").start.tolist()
    assert len(heard["SBIN"].start) == 375
    every = heard_bars(bars, [gap._replace(symbol="")])
    assert [len(each.start) for each in every.values()] == [373, 373]
    assert heard_bars(bars, [gap._replace(what=CLOSED)]) == bars


def test_holes_are_filled_from_a_history_of_the_same_market_alone():
    own, past = without(flat(100.0), "10:00", "10:05"), flat(100.1)
    reach = when("09:15"), when("15:29")
    filled = fill_holes(own, past, *reach)
    assert len(filled.start) == 375
    assert set(filled.close[filled.start < when("10:00")]) == {100.0}
    assert filled.close[filled.start == when("10:02")] == [100.1]
    assert fill_holes(own, flat(101.0), *reach) is own
    # after the desk had ended there is nothing that it did not hear
    early = fill_holes(own, past, when("09:15"), when("10:02"))
    assert len(early.start) == 373


def test_stretches_without_any_bar_are_lost_and_the_night_is_not():
    bars = [without(flat(), "10:00", "10:05"), without(flat(), "09:50", "10:02")]
    assert lost_minutes(bars, SESSION) == [(when("10:00"), when("10:02"))]
    assert lost_minutes([flat()], SESSION) == lost_minutes([], SESSION) == []


def test_a_recording_of_another_run_is_known_by_its_bars():
    assert are_alike({SYMBOL: flat()}, {SYMBOL: flat(changes=[("14:00", 100.1)])})
    assert not are_alike({SYMBOL: flat()}, {SYMBOL: flat(changes=[("10:00", 100.1)])})
    assert are_alike({SYMBOL: flat()}, {})


@pytest.mark.parametrize(
    ("stretches", "minutes"),
    [
        ([("09:00", "15:40")], 0),
        ([("09:20", "15:30")], 5),
        ([("09:15", "12:00"), ("12:30", "15:30")], 30),
        ([("09:15", "10:00"), ("10:30", "14:00")], 90),
        ([], 345),
    ],
)
def test_a_recording_lacks_what_the_desk_ran_without_it(stretches, minutes):
    closed = DayIncident(CLOSED, when("10:00"), when("10:30"), "")
    found = unrecorded_time(
        [(when(begin), when(end)) for begin, end in stretches],
        when("08:45"),
        when("17:00"),
        [closed],
        SESSION,
    )
    assert found == minutes * MINUTE
