"""Parity on hand-made days: each cause by itself, its consequences, and an exact sum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiled.model.values import MINUTE
from engine.backtest.parity.attribution import compare_days, split_parity
from engine.backtest.parity.bar_prices import differing_starts, price_at
from engine.backtest.parity.day_records import (
    CARRIED,
    CLOSED,
    FAILED,
    GAP,
    HAND,
    HELD,
    INSTRUCTED,
    KILL,
    LETTER,
    LIMIT,
    DayIncident,
    ParityTrip,
    StrategySignal,
    TripLeg,
)
from engine.backtest.parity.decision_matching import match_days, pair_nearest
from engine.backtest.parity.difference_causes import (
    BROKER,
    CAUSES,
    CODE,
    COST,
    DATA,
    FILL,
    OPERATOR,
    TIMING,
    TWIN,
    UNEXPLAINED,
)
from engine.backtest.parity.order_courses import course_text
from engine.backtest.parity.parity_curves import parity_curves, warping_distance
from tests.engine.backtest.parity_days import (
    SYMBOL,
    backtest,
    course,
    desk,
    flat,
    leg,
    signal,
    trip,
    when,
)

BOUGHT = trip(leg("10:00", 100.0), leg("11:00", 101.0))
"""1,000 rupees' worth, 10 rupees gained, 1 rupee of charges."""


def made(parity):
    """Return the causes that are not zero, in rupees."""
    assert sum(parity.causes.values()) == parity.delta
    assert tuple(parity.causes) == CAUSES
    return {name: paise / 100 for name, paise in parity.causes.items() if paise}


def whys(parity):
    return [(each.decision.kind, each.why.cause, each.why.text) for each in parity.differences]


def one_sided(on_desk, **fields):
    """Return the comparison of a day on which only one side has bought.

    `incidents` are the desk's, other fields the backtest's.
    """
    incidents = fields.pop("incidents", ())
    bars, other = fields.pop("bars", None), fields.pop("other", None)
    mine, theirs = ([signal("10:00")], [BOUGHT]), ((), ())
    if not on_desk:
        mine, theirs = theirs, mine
    return compare_days(desk(*mine, incidents, bars), backtest(*theirs, other, **fields))


# what is the same


def test_two_equal_days_are_alike_to_the_paisa():
    parity = compare_days(
        desk([signal("10:00")], [BOUGHT]),
        backtest([signal("10:00", rung=77)], [BOUGHT._replace(rung=77)]),
    )
    assert (parity.percent, parity.delta, parity.desk) == (100.0, 0, 900)
    assert (made(parity), parity.differences) == ({}, [])
    assert len(parity.matched.decisions) == 2  # that it was entered, and that it was left


def test_days_on_which_nothing_was_decided_are_alike():
    assert compare_days(desk(), backtest()).percent == 100.0


def test_a_decision_a_few_seconds_later_is_the_same_one():
    parity = compare_days(
        desk([signal("10:00", 3)], [BOUGHT]),
        backtest([signal("10:00", rung=2)], [BOUGHT._replace(rung=2)]),
    )
    assert parity.percent == 100.0


def test_the_same_refusal_is_the_same_decision():
    refused = signal("10:00", rung=0, verdict="SIZE_ZERO", quantity=0)
    assert compare_days(desk([refused]), backtest([refused])).percent == 100.0


def test_decisions_are_paired_in_their_order_and_as_many_as_can_be():
    pairs, left, right = pair_nearest([10, 20, 90], [12, 28, 29, 60], 10, lambda each: each)
    assert (pairs, left, right) == ([(10, 12), (20, 28)], [90], [29, 60])


def test_signals_of_another_side_kind_or_rung_are_not_the_same():
    mine = [
        signal("10:00", rung=1),
        signal("10:01", rung=2, side=-1),
        signal("10:02", rung=3, kind="rung", place=2),
    ]
    theirs = [signal("10:01", rung=1), signal("10:01", rung=2, kind="rung", place=3)]
    assert [each.same for each in match_days(desk(mine), backtest(theirs)).decisions] == [
        True,
        False,
        False,
        False,
    ]


# what both have done, and not the same came of it


def test_another_price_at_the_same_moment_is_fill():
    other = trip(leg("10:00", 100.2), leg("11:00", 100.9))
    parity = compare_days(desk([signal("10:00")], [other]), backtest([signal("10:00")], [BOUGHT]))
    assert made(parity) == {FILL: -3.0}  # 20 paise worse in, 10 paise worse out, of 10 shares
    assert parity.percent == 100.0


def test_another_moment_is_timing_by_what_the_market_has_moved_meanwhile():
    bars = {SYMBOL: flat(changes=[("10:01", 100.5)])}
    late = trip(leg("10:01", 100.55), leg("11:00", 101.0))
    parity = compare_days(
        desk([signal("10:00")], [late], bars=bars), backtest([signal("10:00")], [BOUGHT], bars)
    )
    assert made(parity) == {TIMING: -5.0, FILL: -0.5}


def test_what_the_market_was_in_the_bars_of_the_desk_alone_is_data():
    mine, theirs = {SYMBOL: flat(changes=[("10:00", 100.3), ("10:01", 100.0)])}, {SYMBOL: flat()}
    other = trip(leg("10:00", 100.3), leg("11:00", 101.0))
    parity = compare_days(
        desk([signal("10:00")], [other], bars=mine), backtest([signal("10:00")], [BOUGHT], theirs)
    )
    assert made(parity) == {DATA: -3.0}


def test_other_charges_are_cost():
    dear = trip(leg("10:00", 100.0, charges=75), leg("11:00", 101.0, charges=60))
    parity = compare_days(desk([signal("10:00")], [dear]), backtest([signal("10:00")], [BOUGHT]))
    assert made(parity) == {COST: -0.35}


def test_a_short_position_gains_where_it_sells_higher():
    mine, theirs = (
        trip(leg("10:00", price), leg("11:00", 99.0), side=-1) for price in (100.2, 100.0)
    )
    short = signal("10:00", side=-1)
    assert made(compare_days(desk([short], [mine]), backtest([short], [theirs]))) == {FILL: 2.0}


def test_shares_that_only_one_side_got_are_fill():
    part = trip(leg("10:00", 100.0, 4, charges=20), leg("11:00", 101.0, 4, charges=20))
    parity = compare_days(desk([signal("10:00")], [part]), backtest([signal("10:00")], [BOUGHT]))
    # the charges of the four that both have are the same
    assert made(parity) == {FILL: -5.4}


def test_an_order_that_was_filled_on_one_side_only_is_fill():
    parity = compare_days(desk([signal("10:00")]), backtest([signal("10:00")], [BOUGHT]))
    assert made(parity) == {FILL: -9.0}
    assert whys(parity)[0] == ("enter", FILL, "not filled on the desk")
    assert parity.percent == 0.0


def test_what_is_still_held_differs_by_its_last_price():
    mine, theirs = {SYMBOL: flat(changes=[("15:29", 100.4)])}, {SYMBOL: flat()}
    parity = compare_days(
        desk([signal("10:00")], [trip(leg("10:00", 100.0), mark=100.4)], bars=mine),
        backtest([signal("10:00")], [trip(leg("10:00", 100.0), mark=100.0)], theirs),
    )
    assert made(parity) == {DATA: 4.0}
    assert parity.percent == 100.0


def test_a_stop_that_fired_on_the_desk_alone_is_no_match_and_counts_whole():
    bars = {SYMBOL: flat(changes=[("11:00", 98.0), ("12:00", 103.0)])}
    parity = compare_days(
        desk([signal("10:00")], [trip(leg("10:00", 100.0), leg("11:00", 97.9))], bars=bars),
        backtest([signal("10:00")], [trip(leg("10:00", 100.0), mark=103.0)], bars),
    )
    assert made(parity) == {UNEXPLAINED: -51.5}
    assert parity.percent == 50.0


def test_a_stop_that_fired_later_is_what_the_market_did_meanwhile():
    bars = {SYMBOL: flat(changes=[("11:00", 98.0), ("12:00", 103.0)])}
    parity = compare_days(
        desk([signal("10:00")], [trip(leg("10:00", 100.0), leg("11:00", 97.9))], bars=bars),
        backtest([signal("10:00")], [trip(leg("10:00", 100.0), leg("12:00", 103.0))], bars),
    )
    assert made(parity) == {TIMING: -50.0, FILL: -1.0}
    assert whys(parity) == [("leave", TIMING, "3600 s earlier than the backtest")]


def test_a_decision_taken_more_than_a_bar_later_is_timing():
    parity = compare_days(
        desk([signal("10:05")], [trip(leg("10:05", 100.0), leg("11:00", 101.0))]),
        backtest([signal("10:00")], [BOUGHT]),
    )
    assert whys(parity) == [("enter", TIMING, "300 s later than the backtest")]
    assert parity.percent == 50.0


def test_a_request_sized_at_another_price_is_timing():
    parity = compare_days(
        desk(
            [signal("10:00", 1, quantity=9, price=101.0)],
            [trip(leg("10:00", 100.0, 9), leg("11:00", 101.0, 9))],
        ),
        backtest([signal("10:00")], [BOUGHT]),
    )
    # 50 paise for nine are a tenth more than those for nine of ten
    assert made(parity) == {TIMING: -0.9, COST: -0.1}
    assert whys(parity)[0] == ("enter", TIMING, "asked at 101.00, the backtest at 100.00")


def test_stop_and_target_in_one_bar_are_fill():
    parity = compare_days(
        desk([signal("10:00")], [trip(leg("10:00", 100.0), leg("11:00", 101.0), reason="target")]),
        backtest([signal("10:00")], [BOUGHT]),
    )
    assert whys(parity) == [("leave", FILL, "left by target, in the backtest by stop")]


def test_a_clock_that_stands_elsewhere_than_the_bars_is_timing():
    bars = {SYMBOL: flat(changes=[("10:00", 101.0)])}
    asked = signal("10:00", 1, asked="timer", price=101.0)
    parity = compare_days(desk([asked], [BOUGHT], bars=bars), backtest((), (), bars))
    assert whys(parity)[0][1:] == (
        TIMING,
        "by the clock: the desk looks at 101.00, 1 s after the bar; it closed at 100.00",
    )
    # and where the desk looks a second later the backtest's price is gone
    other = signal("11:00", 1, rung=0, asked="timer", verdict="SIZE_ZERO")
    parity = compare_days(
        desk([other], bars=bars), backtest([signal("10:00", asked="timer"), other], [BOUGHT], bars)
    )
    assert whys(parity)[0][1] == TIMING


def test_a_clock_that_sees_the_same_price_explains_nothing():
    parity = compare_days(desk([signal("10:00", 1, asked="timer")], [BOUGHT]), backtest())
    assert whys(parity)[0][1] == UNEXPLAINED


# what is on record


@pytest.mark.parametrize("on_desk", [True, False])
def test_nothing_on_record_is_unexplained_and_counts_whole(on_desk):
    parity = one_sided(on_desk)
    assert made(parity) == {UNEXPLAINED: 9.0 if on_desk else -9.0}
    assert parity.percent == 0.0


def test_a_kill_switch_explains_what_the_desk_did_not_enter():
    kill = DayIncident(KILL, when("09:30"), when("10:30"), "kill switch: lunch (operator)")
    assert made(one_sided(False, incidents=[kill])) == {OPERATOR: -9.0}
    after = kill._replace(began=when("10:01"))
    assert made(one_sided(False, incidents=[after])) == {UNEXPLAINED: -9.0}


def test_a_strategy_that_was_stopped_or_changed_by_hand_is_the_operators():
    act = DayIncident(
        INSTRUCTED,
        when("09:30"),
        when("10:30"),
        "the strategy was stopped by hand",
        strategy="told",
    )
    assert made(one_sided(False, incidents=[act])) == {OPERATOR: -9.0}
    # Changed parameters explain what only the desk did as well.
    assert made(one_sided(True, incidents=[act])) == {OPERATOR: 9.0}
    assert made(one_sided(False, incidents=[act._replace(began=when("10:01"))])) == {
        UNEXPLAINED: -9.0
    }
    assert made(one_sided(False, incidents=[act._replace(strategy="other")])) == {UNEXPLAINED: -9.0}


def test_a_kill_switch_does_not_explain_what_the_desk_entered():
    kill = DayIncident(KILL, when("09:30"), when("10:30"), "kill switch: lunch (operator)")
    assert made(one_sided(True, incidents=[kill])) == {UNEXPLAINED: 9.0}


@pytest.mark.parametrize(
    ("reason", "cause"), [("flatten", OPERATOR), ("operator", OPERATOR), ("written off", BROKER)]
)
def test_what_somebody_has_sold_is_his_whole(reason, cause):
    bars = {SYMBOL: flat(changes=[("10:30", 95.0)])}
    parity = compare_days(
        desk(
            [signal("10:00")],
            [trip(leg("10:00", 100.0), leg("10:30", 94.9), reason=reason)],
            bars=bars,
        ),
        backtest([signal("10:00")], [BOUGHT], bars),
    )
    assert made(parity) == {cause: -61.0}


def test_an_entry_by_hand_is_the_operators():
    parity = compare_days(
        desk(
            [signal("10:00", strategy="operator", asked="operator")],
            [BOUGHT._replace(strategy="operator")],
        ),
        backtest(),
    )
    assert made(parity) == {OPERATOR: 9.0}


def test_a_limit_that_was_changed_explains_the_answers_that_are_of_it():
    limit = DayIncident(
        LIMIT,
        when("09:30"),
        when("15:30"),
        "limit max_exposure set to 1000: quiet",
        about="max_exposure",
    )
    refused = signal("10:00", rung=0, verdict="EXPOSURE")
    parity = compare_days(desk([refused], incidents=[limit]), backtest([signal("10:00")], [BOUGHT]))
    assert made(parity) == {OPERATOR: -9.0}
    other = compare_days(
        desk([refused._replace(verdict="POSITIONS")], incidents=[limit]),
        backtest([signal("10:00")], [BOUGHT]),
    )
    assert made(other) == {UNEXPLAINED: -9.0}
    # one that was loosened explains what only the desk could do
    parity = compare_days(desk([signal("10:00")], [BOUGHT], [limit]), backtest([refused]))
    assert made(parity) == {OPERATOR: 9.0}


def test_an_order_changed_by_hand_explains_what_comes_after_it_in_its_instrument():
    hand = DayIncident(HAND, when("10:30"), when("15:30"), "cancelled by hand", symbol=SYMBOL)
    parity = compare_days(
        desk([signal("10:00")], [trip(leg("10:00", 100.0), mark=100.0)], [hand]),
        backtest([signal("10:00")], [BOUGHT]),
    )
    assert whys(parity)[-1][1:] == (OPERATOR, "cancelled by hand")


def test_a_refusal_of_the_brokers_is_his():
    refused = signal("10:00", orders=(course(filled=0, status="REJECTED", reason="margin"),))
    parity = compare_days(desk([refused]), backtest([signal("10:00")], [BOUGHT]))
    assert made(parity) == {BROKER: -9.0}
    assert whys(parity)[0][2] == "refused: rejected, margin"


def test_a_price_outside_the_band_is_not_the_brokers_doing():
    told = "Price is outside the circuit limit of 95 to 105"
    refused = signal("10:00", orders=(course(filled=0, status="REJECTED", reason=told),))
    kept = signal("10:00", rung=0, verdict="PRICE_BAND", detail="₹106.00 is outside ₹95 to ₹105")
    for mine in (refused, kept):
        parity = compare_days(desk([mine]), backtest([signal("10:00")], [BOUGHT]))
        assert made(parity) == {FILL: -9.0}
        assert whys(parity)[0][2].startswith("band: ")


def test_an_exit_that_was_refused_first_is_the_brokers():
    refused = course("11:00", filled=0, status="REJECTED", reason="RMS")
    late = leg("11:05", 101.0)._replace(orders=(refused, course("11:05")))
    parity = compare_days(
        desk([signal("10:00")], [trip(leg("10:00", 100.0), late)]),
        backtest([signal("10:00")], [BOUGHT]),
    )
    assert whys(parity)[0] == ("leave", BROKER, "its exit was refused: rejected, RMS")


def test_shares_that_moved_without_an_order_are_the_brokers():
    assert made(compare_days(desk(trips=[BOUGHT._replace(strategy="")]), backtest())) == {
        BROKER: 9.0
    }


def test_an_order_that_a_dry_run_did_not_send_is_the_operators():
    told = "DRY_RUN: decided and not sent (order)"
    unsent = signal("10:00", orders=(course(filled=0, status="REJECTED", reason=told),))
    assert made(compare_days(desk([unsent]), backtest([signal("10:00")], [BOUGHT]))) == {
        OPERATOR: -9.0
    }


def test_a_strategy_that_is_another_is_code_or_configuration():
    assert made(one_sided(True, differs={"told": "its source is another"})) == {CODE: 9.0}
    assert made(one_sided(True, differs={"another": "its source is another"})) == {UNEXPLAINED: 9.0}


def test_a_strategy_that_failed_is_code_or_configuration():
    failed = DayIncident(FAILED, when("09:20"), when("15:30"), "ZeroDivisionError", strategy="told")
    assert made(one_sided(False, incidents=[failed])) == {CODE: -9.0}


def test_a_gap_in_the_feed_is_data_for_half_an_hour():
    gap = DayIncident(GAP, when("09:40"), when("09:45"), "not heard", symbol=SYMBOL)
    assert made(one_sided(False, incidents=[gap])) == {DATA: -9.0}
    assert made(one_sided(False, incidents=[gap._replace(ended=when("09:30"))])) == {
        UNEXPLAINED: -9.0
    }
    assert made(one_sided(False, incidents=[gap._replace(symbol="SBIN")])) == {UNEXPLAINED: -9.0}


@pytest.mark.parametrize("verdict", ["STALE_DATA", "WARMING"])
def test_ticks_that_came_late_or_not_are_data(verdict):
    parity = compare_days(
        desk([signal("10:00", rung=0, verdict=verdict)]), backtest([signal("10:00")], [BOUGHT])
    )
    assert made(parity) == {DATA: -9.0}


def test_bars_that_differ_before_it_are_data():
    other = {SYMBOL: flat(changes=[("09:45", 100.1), ("09:46", 100.0)])}
    assert made(one_sided(True, bars=other)) == {DATA: 9.0}
    late = {SYMBOL: flat(changes=[("10:45", 100.1), ("10:46", 100.0)])}
    assert made(one_sided(True, bars=late)) == {UNEXPLAINED: 9.0}


def test_a_backtest_without_a_history_is_data_as_long_as_it_is_felt():
    assert made(one_sided(True, cold=when("10:01"))) == {DATA: 9.0}
    assert made(one_sided(True, cold=when("10:00"))) == {UNEXPLAINED: 9.0}


def test_the_operator_comes_before_the_broker_and_both_before_the_data():
    kill = DayIncident(KILL, when("09:30"), when("10:30"), "kill switch: lunch (operator)")
    gap = DayIncident(GAP, when("09:40"), when("09:45"), "not heard", symbol=SYMBOL)
    orders = (course(filled=0, status="REJECTED"),)
    refused = signal("10:00", orders=orders, verdict="KILLED")
    theirs = backtest([signal("10:00")], [BOUGHT], cold=when("15:30"), differs={"told": "other"})
    for incidents, mine, cause in (
        ([kill, gap], refused, OPERATOR),
        ([gap], refused, BROKER),
        ([gap], refused._replace(orders=()), CODE),
    ):
        assert made(compare_days(desk([mine], incidents=incidents), theirs)) == {cause: -9.0}


def heard_day(signals, trips):
    """Return a backtest on the bars that the desk heard."""
    return backtest(signals, trips)


def test_bars_are_the_cause_where_a_backtest_on_those_that_were_heard_does_what_the_desk_did():
    other = {SYMBOL: flat(changes=[("09:45", 100.1), ("09:46", 100.0)])}
    theirs, mine = backtest(bars=other), desk([signal("10:00")], [BOUGHT])
    like, unlike = heard_day([signal("10:00")], [BOUGHT]), heard_day([], [])
    proven = compare_days(mine, theirs, like).differences[0].why
    assert (proven.cause, proven.inferred) == (DATA, False)
    assert proven.text.startswith("1 of the 30 bars before it differ; on what the desk heard")
    likely = compare_days(mine, theirs, unlike).differences[0].why
    assert (likely.cause, likely.inferred) == (DATA, True)
    # the other way round: the backtest bought, and on what the desk heard it does not
    sides = desk(), backtest([signal("10:00")], [BOUGHT], other)
    assert not compare_days(*sides, unlike).differences[0].why.inferred
    assert compare_days(*sides, like).differences[0].why.inferred


def test_what_the_desk_did_late_is_data_where_it_had_heard_it_late():
    other = {SYMBOL: flat(changes=[("09:45", 100.1), ("09:46", 100.0)])}
    late = trip(leg("10:05", 100.0), leg("11:00", 101.0))
    theirs = backtest([signal("10:00")], [BOUGHT], other)
    for heard, cause in (([signal("10:05")], DATA), ([signal("10:00")], TIMING)):
        made_on = heard_day(heard, [late if cause == DATA else BOUGHT])
        parity = compare_days(desk([signal("10:05")], [late]), theirs, made_on)
        assert whys(parity)[0][1] == cause


def test_what_nothing_on_record_shows_is_counted_as_inferred():
    gap = DayIncident(GAP, when("09:40"), when("09:45"), "not heard", symbol=SYMBOL)
    assert one_sided(False, incidents=[gap]).inferred == 900
    assert one_sided(False, incidents=[gap._replace(ended=when("10:01"))]).inferred == 0
    letter = gap._replace(what=LETTER, began=when("09:59"), ended=when("10:00"))
    assert made(one_sided(False, incidents=[letter])) == {DATA: -9.0}


def test_the_kill_switch_is_whose_who_latched_it():
    kill = DayIncident(KILL, when("09:30"), when("10:30"), "kill switch, halt: token (broker)")
    for who, cause in (("broker", BROKER), ("watchdog", CODE), ("limit", OPERATOR)):
        latched = kill._replace(text=f"kill switch, halt: it was ({who})")
        assert made(one_sided(False, incidents=[latched])) == {cause: -9.0}


def test_a_position_that_the_desk_could_not_leave_any_more_is_the_brokers():
    carried = DayIncident(
        CARRIED, when("15:10"), when("15:30"), "the broker squares off", symbol=SYMBOL
    )
    held = trip(leg("10:00", 100.0), mark=100.0)
    parity = compare_days(
        desk([signal("10:00")], [held], [carried]), backtest([signal("10:00")], [BOUGHT])
    )
    assert whys(parity) == [("leave", BROKER, "the broker squares off")]


def test_what_was_held_from_days_before_is_data_that_the_backtest_lacks():
    held = DayIncident(HELD, when("09:15"), when("10:30"), "held", symbol=SYMBOL, strategy="told")
    assert made(one_sided(False, incidents=[held])) == {DATA: -9.0}
    for other in (held._replace(strategy="else"), held._replace(ended=when("09:20"))):
        assert made(one_sided(False, incidents=[other])) == {UNEXPLAINED: -9.0}
    # until half an hour later it can have been, and for the account's limits any of them
    assert one_sided(False, incidents=[held._replace(ended=when("09:40"))]).inferred == 900
    refused = signal("10:00", rung=0, verdict="FUNDS")
    theirs = backtest([signal("10:00")], [BOUGHT])
    parity = compare_days(desk([refused], incidents=[held._replace(symbol="SBIN")]), theirs)
    assert made(parity) == {DATA: -9.0}


def test_what_a_desk_missed_that_was_not_running_is_the_operators():
    closed = DayIncident(CLOSED, when("09:58"), when("10:02"), "the desk was not running")
    assert made(one_sided(False, incidents=[closed])) == {OPERATOR: -9.0}
    assert made(one_sided(False, incidents=[closed._replace(ended=when("10:00"))])) == {
        UNEXPLAINED: -9.0
    }


@pytest.mark.parametrize(
    ("reason", "cause"),
    [("the desk holds entries back", BROKER), ("it waited too long to be sent", TIMING)],
)
def test_an_order_that_the_desk_gave_up_itself_is_not_the_brokers_refusal(reason, cause):
    given_up = course(filled=0, status="REJECTED", reason=reason)._replace(sent=0)
    mine = desk([signal("10:00", orders=(given_up,))])
    parity = compare_days(mine, backtest([signal("10:00")], [BOUGHT]))
    assert whys(parity)[0] == ("enter", cause, f"not sent: {reason}")


# what the orders tell


@pytest.mark.parametrize(
    ("orders", "text"),
    [
        ([course(filled=0, status="CANCELLED", ended=28)], "queue: stood, cancelled after 28 s"),
        (
            [course(filled=0, status="CANCELLED", price=102.5, taken=2, ended=30)],
            (
                "latency: taken 2 s after it was asked for; "
                "protection: stood at 102.50, cancelled after 28 s"
            ),
        ),
        (
            [course(filled=4, status="CANCELLED", ended=30)],
            "partial: 4 of 10 shares, cancelled after 30 s",
        ),
        ([course(last=40, trades=3)], "partial: in 3 parts within 40 s"),
        (
            [course(kind="LIMIT", price=100.05, first=25)],
            "queue: 25 s until its first share at 100.05",
        ),
        ([course()], ""),
    ],
)
def test_the_course_of_an_order_in_words(orders, text):
    assert course_text(orders) == text


def test_a_fill_at_another_moment_or_price_is_told_by_its_orders():
    bars = {SYMBOL: flat(changes=[("10:01", 100.5)])}
    late = leg("10:01", 100.5)._replace(orders=(course(taken=60, first=60),))
    parity = compare_days(
        desk([signal("10:00")], [trip(late, leg("11:00", 101.0))], bars=bars),
        backtest([signal("10:00")], [BOUGHT], bars),
    )
    assert made(parity) == {TIMING: -5.0}
    assert whys(parity) == [("enter", TIMING, "latency: taken 60 s after it was asked for")]


def test_beside_its_twin_a_real_order_costs_what_the_market_took():
    real = leg("10:00", 100.3)._replace(twin_ts=when("10:00"), twin_value=100_100)
    left = leg("11:00", 100.9)._replace(twin_ts=when("11:00"), twin_value=101_000)
    parity = compare_days(
        desk([signal("10:00")], [trip(real, left)]), backtest([signal("10:00")], [BOUGHT])
    )
    # 20 paise a share on the way in, 10 on the way out; the twin paid 10 more than the backtest
    assert made(parity) == {TWIN: -3.0, FILL: -1.0}


# what follows


def test_what_follows_in_the_same_instrument_has_the_cause_of_what_it_follows():
    gap = DayIncident(GAP, when("09:40"), when("09:45"), "not heard", symbol=SYMBOL)
    again = trip(leg("10:20", 100.0), leg("11:10", 101.0), rung=2)
    parity = compare_days(
        desk(incidents=[gap]), backtest([signal("10:00"), signal("10:20", rung=2)], [BOUGHT, again])
    )
    assert made(parity) == {DATA: -18.0}
    assert whys(parity)[1][2].startswith(f"after that of 10:00:00 in {SYMBOL}")


def test_what_is_held_for_long_follows_its_entry_whatever_came_and_went_meanwhile():
    gap = DayIncident(GAP, when("09:40"), when("09:45"), "not heard", symbol=SYMBOL)
    held, brief = (
        trip(leg("10:00", 100.0), leg("14:00", 101.0)),
        trip(leg("10:05", 100.0), leg("10:10", 101.0), rung=2),
    )
    theirs = backtest(
        [signal("10:00"), signal("10:05", rung=2, kind="rung", place=2)], [held, brief]
    )
    parity = compare_days(desk(incidents=[gap]), theirs)
    assert [cause for _, cause, _ in whys(parity)] == [DATA] * 4
    assert parity.differences[-1].decision.ts == when("14:00")


def test_what_comes_long_after_does_not_follow():
    gap = DayIncident(GAP, when("09:40"), when("09:45"), "not heard", symbol=SYMBOL)
    again = trip(leg("11:31", 100.0), leg("11:40", 101.0), rung=2)
    parity = compare_days(
        desk(incidents=[gap]), backtest([signal("10:00"), signal("11:31", rung=2)], [BOUGHT, again])
    )
    assert made(parity) == {DATA: -9.0, UNEXPLAINED: -9.0}


@pytest.mark.parametrize(
    ("kind", "causes"), [("rung", {FILL: -4.5}), ("enter", {FILL: -4.0, UNEXPLAINED: -0.5})]
)
def test_a_rung_follows_from_the_price_its_ladder_began_with_and_an_entry_does_not(kind, causes):
    first, other = trip(leg("10:00", 100.0), mark=100.0), trip(leg("10:00", 100.4), mark=100.0)
    second = trip(leg("10:10", 100.0), mark=100.0, rung=2)
    parity = compare_days(
        desk([signal("10:00"), signal("10:10", rung=2, kind=kind, place=2)], [other, second]),
        backtest([signal("10:00")], [first]),
    )
    assert made(parity) == causes


def test_nothing_follows_from_the_last_price_of_what_is_held():
    bars = {SYMBOL: flat(changes=[("15:29", 104.0)])}
    held, other = trip(leg("10:00", 100.0), mark=104.0), trip(leg("10:00", 100.0), mark=100.0)
    second, later = (
        trip(leg("10:10", 100.0), leg(clock, 101.0), rung=2) for clock in ("10:30", "11:30")
    )
    signals = [signal("10:00"), signal("10:10", rung=2, kind="rung", place=2)]
    parity = compare_days(
        desk(signals, [held, second], bars=bars), backtest(signals, [other, later])
    )
    assert made(parity) == {DATA: 40.0}
    assert whys(parity)[-1][1] == TIMING


def test_an_answer_of_the_account_follows_from_what_was_done_in_another_instrument():
    bars = {SYMBOL: flat(), "SBIN": flat()}
    gap = DayIncident(GAP, when("09:40"), when("09:45"), "not heard", symbol="SBIN")
    theirs = [signal("10:00", symbol="SBIN", rung=5), signal("10:05", verdict="FUNDS", rung=0)]
    parity = compare_days(
        desk([signal("10:05")], [BOUGHT], [gap], bars),
        backtest(theirs, [BOUGHT._replace(symbol="SBIN", rung=5)], bars),
    )
    assert made(parity) == {}
    assert [why[1] for why in whys(parity)] == [DATA, DATA, DATA, DATA]
    assert whys(parity)[1][2] == (
        "after that of 10:00:00 in the account; "
        "the desk holds 1 for ₹1000.00, the backtest 1 for ₹1000.00"
    )


# the law

MOMENTS = st.integers(when("09:15"), when("15:29"))
LEGS = st.builds(
    TripLeg,
    MOMENTS,
    st.integers(0, 40),
    st.integers(0, 10**9),
    st.integers(0, 10**5),
    st.sampled_from([(), (course(filled=4), course(taken=3, first=9))]),
    st.sampled_from([0, when("12:00")]),
    st.integers(0, 10**9),
)
NAMES = st.sampled_from([SYMBOL, "SBIN", "gone"])
TRIPS = st.builds(
    ParityTrip,
    st.integers(0, 9),
    st.sampled_from(["told", "operator", ""]),
    NAMES,
    st.sampled_from([1, -1]),
    st.integers(1, 3),
    LEGS,
    LEGS,
    st.integers(-(10**9), 10**9),
    st.sampled_from(["stop", "target", "flatten", "operator", "written off", ""]),
)
SIGNALS = st.builds(
    StrategySignal,
    st.integers(1, 99),
    MOMENTS,
    st.sampled_from(["told", "operator"]),
    NAMES,
    st.sampled_from([1, -1]),
    st.sampled_from(["enter", "rung"]),
    st.integers(1, 3),
    st.integers(0, 40),
    st.floats(0.0, 1e6),
    st.sampled_from(["OK", "FUNDS", "EXPOSURE", "STALE_DATA", "KILLED"]),
    st.just(""),
    st.just(""),
    st.integers(0, 9),
    st.sampled_from(["bar", "timer"]),
    st.sampled_from([(), (course(filled=0, status="REJECTED"),)]),
)
INCIDENTS = st.builds(
    DayIncident,
    st.sampled_from([KILL, LIMIT, HAND, GAP, LETTER, CARRIED, CLOSED, FAILED]),
    MOMENTS,
    MOMENTS,
    st.just("text"),
    NAMES,
    st.sampled_from(["told", ""]),
    st.sampled_from(["max_exposure", ""]),
)
BARS = st.sampled_from(
    [{}, {SYMBOL: flat(count=12)}, {SYMBOL: flat(105.0, count=9), "SBIN": flat(7.0, count=15)}]
)


def assert_parts_add_up(parity):
    """Check that those of the strategies come to the whole, each by itself to its own sum."""
    parts = split_parity(parity).values()
    assert sum(each.desk for each in parts) == parity.desk
    assert sum(each.backtest for each in parts) == parity.backtest
    assert sum(each.matched.same for each in parts) == parity.matched.same
    assert sum(len(each.matched.decisions) for each in parts) == len(parity.matched.decisions)
    for each in parts:
        assert sum(each.causes.values()) == each.delta
    for name in CAUSES:
        assert sum(each.causes[name] for each in parts) == parity.causes[name]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(SIGNALS, max_size=6),
    st.lists(TRIPS, max_size=6),
    st.lists(INCIDENTS, max_size=3),
    BARS,
    st.lists(SIGNALS, max_size=6),
    st.lists(TRIPS, max_size=6),
    BARS,
    st.sampled_from([0, when("11:00")]),
)
def test_the_causes_add_up_to_the_paisa_whatever_the_two_days_are(
    mine, trips, incidents, seen, theirs, others, read, cold
):
    one, two = desk(mine, trips, incidents, seen), backtest(theirs, others, read, cold=cold)
    parity = compare_days(one, two)
    delta = sum(each.net for each in trips) - sum(each.net for each in others)
    assert sum(parity.causes.values()) == delta
    assert sum(each.amount for each in parity.differences) == delta
    found = [
        trip
        for pair in parity.matched.pairs
        for trip in (pair.desk, pair.backtest)
        if trip is not None
    ]
    assert sorted(map(repr, found)) == sorted(map(repr, [*trips, *others]))
    assert_parts_add_up(parity)
    assert 0.0 <= parity.percent <= 100.0
    assert parity_curves(one, two).distance >= 0.0


# prices and curves


def test_the_price_at_a_moment_walks_the_path_of_its_bar():
    bars = flat(count=1)._replace(
        high=np.array([103.0]), low=np.array([99.0]), close=np.array([102.0])
    )
    at = [
        price_at(bars, when("09:15", seconds), MINUTE)
        for seconds in (-1, 0, 19, 20, 40, 58, 59, 600)
    ]
    assert at == [0, 10_000, 10_000, 9_900, 10_300, 10_300, 10_200, 10_200]
    assert price_at(None, when("09:15"), MINUTE) == 0


def test_bars_differ_where_a_price_does_or_one_side_has_none():
    mine, theirs = flat(count=3, changes=[("09:17", 101.0)]), flat(count=2)
    assert differing_starts(mine, theirs).tolist() == [when("09:17")]
    assert differing_starts(mine, flat(count=3)).tolist() == [when("09:17")]
    assert differing_starts(mine, None).tolist() == []


def test_the_curve_follows_the_bars_and_ends_at_the_net():
    bars = {SYMBOL: flat(count=5, first="10:00", changes=[("10:01", 102.0)])}
    held = trip(leg("10:00", 100.0), leg("10:03", 103.0), mark=0)
    found = parity_curves(desk([], [held], bars=bars), backtest([], [], bars))
    assert found.times.tolist() == [when("10:00") + k * MINUTE for k in range(1, 6)]
    assert found.desk.tolist() == [-50, 1_950, 1_950, 2_900, 2_900]
    assert (found.backtest.tolist(), found.correlation) == ([0, 0, 0, 0, 0], None)


def test_curves_that_move_alike_correlate_and_those_that_wait_are_near_by_warping():
    one = np.array([0.0, 0.0, 1.0, 2.0, 2.0])
    assert warping_distance(one, np.array([0.0, 1.0, 1.0, 2.0])) == 0.0
    assert warping_distance(np.array([0.0, 3.0]), np.array([1.0])) == pytest.approx((1 + 2) / 3)
    assert warping_distance(one, np.array([])) == 0.0
    bars = {SYMBOL: flat(count=5, first="10:00", changes=[("10:01", 102.0)])}
    held = trip(leg("10:00", 100.0), mark=102.0)
    assert parity_curves(
        desk([], [held], bars=bars), backtest([], [held], bars)
    ).correlation == pytest.approx(1.0)
