"""A day out of a journal of several.

What is of it, what was held from before, and what happened to it.
"""

import json
from datetime import date

import pytest

from engine.backtest.parity.day_records import (
    CLOSED,
    FAILED,
    GAP,
    HAND,
    HELD,
    INSTRUCTED,
    KILL,
    LIMIT,
    TripLeg,
)
from engine.errors import NothingFound
from engine.orders.strategy_days import CHANGE, START, STOP, StrategyActRow, write_act
from store.journal_day import kept_day, last_day
from tests.engine.backtest.made_up import at
from tests.engine.backtest.parity_days import flat

MONDAY, TUESDAY, WEDNESDAY = (date(2024, 6, day) for day in (3, 4, 5))
USUAL = {"strategy": "told", "token": 257, "symbol": "INFY", "side": "BUY"}


def when(clock, day=TUESDAY):
    return at(str(day), clock)


def fill(
    journal,
    number,
    rung,
    clock,
    side,
    quantity,
    price,
    day=TUESDAY,
    order="240604000000001",
    strategy="told",
):
    journal.append(
        "fills",
        USUAL
        | {
            "strategy": strategy,
            "trade_id": str(number),
            "order_id": order,
            "intent": number,
            "rung": rung,
            "side": side,
            "quantity": quantity,
            "price": price,
            "ts": when(clock, day),
            "charges": 100,
            "realised": 0,
            "exchange": "NSE",
        },
    )


def trade(journal, rung, status, **fields):
    usual = {
        "trade_id": rung,
        "ladder": rung,
        "position_number": 1,
        "status": status,
        "exit_reason": "",
        "pnl": 0,
        "charges": 0,
    }
    journal.append("trades", USUAL | usual | fields)


def decision(journal, number, clock, **fields):
    usual = {
        "decision": number,
        "ts": when(clock),
        "kind": "enter",
        "cause": "bar",
        "reason": "told to",
        "quantity": 10,
        "price": 100.0,
        "verdict": "OK",
        "detail": "",
        "ladder": 0,
        "rung": 0,
        "intent": 0,
        "times": 1,
    }
    journal.append("decisions", USUAL | usual | fields)


@pytest.fixture
def path(journal, database):
    """Return a journal of three days; Tuesday is the one that is looked at."""
    for day, cash in ((MONDAY, 1), (TUESDAY, 2), (WEDNESDAY, 3)):
        journal.append("meta", {"key": f"start_cash:{day}", "value": str(cash * 100)})
    journal.append("meta", {"key": f"ran:{TUESDAY}:{when('09:00')}", "value": '{"code": "a"}'})
    journal.append("meta", {"key": f"ran:{TUESDAY}:{when('12:00')}", "value": '{"code": "b"}'})
    fill(journal, 1, 1, "10:00", "BUY", 5, 90.0, MONDAY)  # held from Monday, and sold on Tuesday
    fill(journal, 2, 1, "10:00", "SELL", 5, 101.0)
    trade(journal, 1, "closed")
    fill(journal, 3, 2, "10:01", "BUY", 4, 100.0)  # in two parts, and left in one
    fill(journal, 4, 2, "10:02", "BUY", 6, 100.5)
    fill(journal, 5, 2, "11:00", "SELL", 10, 102.0)
    trade(journal, 2, "closed", exit_reason="target", position_number=2)
    # still held on Wednesday, when it is worth something else
    fill(journal, 6, 3, "10:05", "BUY", 3, 100.0)
    trade(journal, 3, "open", pnl=123_456, charges=100)
    fill(journal, 7, 0, "14:00", "SELL", 2, 99.0, order="correction-1")
    fill(journal, 8, 9, "10:00", "BUY", 1, 100.0, WEDNESDAY)
    decision(journal, 1, "10:01", rung=2, intent=3, kind="rung", reason="P2 at 0.25 % up")
    decision(journal, 2, "10:05", rung=3, intent=6)
    decision(journal, 3, "10:06", verdict="FUNDS", detail="₹1 there")
    decision(journal, 4, "10:07", intent=40)
    decision(journal, 5, "10:08", kind="exit")
    journal.append(
        "intents",
        {
            "intent": 40,
            "kind": "order",
            "symbol": "INFY",
            "status": "REJECTED",
            "reason": "margin",
            "side": "BUY",
            "created": when("10:07"),
            "order_type": "MARKET",
            "quantity": 10,
        },
    )
    journal.append(
        "intents",
        {
            "intent": 41,
            "kind": "order",
            "symbol": "SBIN",
            "broker_id": "240604000000041",
            "status": "CANCELLED",
        },
    )
    for row in (
        ("killed", "10:10", "halt: lunch (signal)"),
        ("resumed", "10:20", "resumed by me"),
        ("killed", "15:00", "flatten: end (me)"),
    ):
        journal.append(
            "events", {"ts": when(row[1]), "level": "alarm", "name": row[0], "text": row[2]}
        )
    journal.append(
        "limits",
        {
            "day": str(TUESDAY),
            "name": "max_positions",
            "value": 1.0,
            "reason": "quiet",
            "ts": when("11:00"),
        },
    )
    journal.append(
        "gaps",
        {
            "token": 257,
            "began": when("11:30"),
            "ended": when("11:31"),
            "state": "unread",
            "bars": 0,
        },
    )
    journal.append(
        "audit", {"ts": when("11:40"), "who": "operator", "act": "cancel", "detail": "41"}
    )
    journal.append(
        "audit",
        {
            "ts": when("11:41"),
            "who": "operator",
            "act": "modify",
            "detail": '{"order": "240604000000041", "price": 5.0}',
        },
    )
    journal.append(
        "audit",
        {
            "ts": when("11:50"),
            "who": "told",
            "act": "strategy_failed",
            "detail": "Traceback\nValueError: x",
        },
    )
    journal.close()
    return database


def test_what_is_of_the_day_and_what_was_held_from_before(path):
    kept = kept_day(path, TUESDAY, {"INFY": flat(100.0, changes=[("15:29", 103.0)])})
    assert kept.carried == ["INFY"]
    held = [each for each in kept.day.incidents if each.what == HELD]
    assert [(each.strategy, each.symbol, each.ended) for each in held] == [
        ("told", "INFY", when("10:00") + 1)
    ]
    assert (kept.cash, [each["code"] for each in kept.ran], kept.opened) == (
        200,
        ["a", "b"],
        when("09:00"),
    )
    two, three, moved = kept.day.trips
    assert two.entry == TripLeg(when("10:01"), 10, 4 * 10_000 + 6 * 10_050, 200)
    assert (two.exit, two.mark, two.reason, two.place) == (
        TripLeg(when("11:00"), 10, 102_000, 100),
        0,
        "target",
        2,
    )
    assert two.net == 102_000 - 100_300 - 300
    # Wednesday has written over what it was worth on Tuesday: the last bar says it
    assert (three.shares_held, three.mark, three.reason) == (3, 3 * 10_300, "")
    assert (moved.strategy, moved.side, moved.entry.quantity) == ("", -1, 2)


def test_what_is_held_in_the_evening_of_the_last_day_stands_as_the_journal_has_it(
    journal, database
):
    journal.append("meta", {"key": f"start_cash:{TUESDAY}", "value": "100"})
    fill(journal, 6, 3, "10:05", "BUY", 3, 100.0)
    trade(journal, 3, "open", pnl=800, charges=100)
    journal.close()
    assert last_day(database) == TUESDAY
    (trip,) = kept_day(database, TUESDAY, {"INFY": flat()}).day.trips
    assert (trip.net, trip.mark) == (800, 30_000 + 900)


def test_what_was_asked_and_answered(path):
    signals = kept_day(path, TUESDAY, {}).day.signals
    assert [(each.number, each.kind, each.place, each.verdict) for each in signals] == [
        (1, "rung", 2, "OK"),
        (2, "enter", 1, "OK"),
        (3, "enter", 1, "FUNDS"),
        (4, "enter", 1, "OK"),
    ]
    refused = [each.refused for each in signals]
    assert refused[:3] == [None] * 3
    assert refused[3].refusal == "rejected, margin"
    assert {(each.asked, each.side) for each in signals} == {("bar", 1)}


def test_what_happened(path):
    end = when("00:00", WEDNESDAY)
    told = [
        (each.what, each.began, each.ended, each.symbol or each.strategy or each.about)
        for each in kept_day(path, TUESDAY, {}).day.incidents
    ]
    assert told == [
        (KILL, when("10:10"), when("10:20"), ""),
        (KILL, when("15:00"), end, ""),
        (LIMIT, when("11:00"), end, "max_positions"),
        (HAND, when("11:40"), end, "SBIN"),
        (HAND, when("11:41"), end, "SBIN"),
        (FAILED, when("11:50"), end, "told"),
        (CLOSED, when("15:00") + 1, end, ""),
        (GAP, when("11:30"), when("11:31"), "INFY"),
        (HELD, when("00:00"), when("10:00") + 1, "INFY"),
    ]


def test_a_stop_lasts_until_the_start_and_other_parameters_to_the_end(journal, database):
    journal.append("meta", {"key": f"start_cash:{TUESDAY}", "value": "100"})
    for clock, act, strategy, detail in (
        ("10:00", STOP, "told", "{}"),
        ("10:05", STOP, "other", "{}"),
        ("10:30", START, "told", "{}"),
        ("11:00", CHANGE, "told", '{"bars": 9}'),
    ):
        values = json.loads(detail)
        act_row = StrategyActRow(strategy, act, "me", "calm", values)
        write_act(journal, when(clock), str(TUESDAY), act_row)
    write_act(journal, when("10:00"), str(MONDAY), StrategyActRow("told", STOP, "me", "before", {}))
    journal.close()
    found = kept_day(database, TUESDAY, {}).day.incidents
    end = when("00:00", WEDNESDAY)
    assert [
        (each.began, each.ended, each.strategy, each.text)
        for each in found
        if each.what == INSTRUCTED
    ] == [
        (when("10:00"), when("10:30"), "told", "the strategy was stopped by hand: calm"),
        (when("10:05"), end, "other", "the strategy was stopped by hand: calm"),
        (when("11:00"), end, "told", "parameters changed by hand: bars 9: calm"),
    ]


def test_a_desk_that_was_closed_for_a_while_and_a_feed_that_was_lost(journal, database):
    journal.append("meta", {"key": f"start_cash:{TUESDAY}", "value": "100"})
    for clock in ("09:10", "11:00"):
        journal.append("audit", {"ts": when(clock), "who": "desk", "act": "opened"})
    for clock, text in (
        ("09:12", "feed connected"),
        ("10:00", "feed lost"),
        ("10:05", "feed connected"),
        ("10:30", "feed lost"),
        ("11:00", "feed connected"),
        ("15:30", "feed lost"),
    ):
        event = {"ts": when(clock), "level": "info", "name": "feed", "text": text}
        journal.append("events", event)
    journal.append("order_events", {"ts": when("10:31"), "intent": 1, "status": "OPEN"})
    journal.close()
    kept = kept_day(database, TUESDAY, {})
    assert [(each.what, each.began, each.ended) for each in kept.day.incidents] == [
        (CLOSED, when("10:31") + 1, when("11:00")),
        (CLOSED, when("15:30") + 1, when("00:00", WEDNESDAY)),
        (GAP, when("09:10"), when("09:12")),
        (GAP, when("10:00"), when("10:05")),
        (GAP, when("10:30"), when("11:00")),
    ]
    assert kept.day.incidents[0].text == "the desk was not running from 10:31:00 to 11:00:00"
    assert kept.ended == when("15:30")


def test_a_day_on_which_the_desk_was_not_open_is_refused_with_those_it_was(path):
    with pytest.raises(
        NothingFound,
        match="was not open on 2024-06-02; it was on 2024-06-03, 2024-06-04, 2024-06-05",
    ):
        kept_day(path, date(2024, 6, 2), {})
