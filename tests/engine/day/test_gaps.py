"""Minutes without a bar: which are missed, when that is told, and to whom."""

import random
from datetime import date

from compiled.model.values import MINUTE, SECOND, Bar, Instrument
from engine.history.minute_gaps import STEADY, MinuteGaps, MissingMinutes
from engine.market.calendar import Calendar
from engine.market.instrument_hours import InstrumentHours
from engine.market.safeguards import TradingSafeguards
from tests.engine.market.test_hours import at

SHARE, SMALL = Instrument(1, "NSE", "CANBK", 0.05), Instrument(2, "NSE", "SMALLCAP", 0.05)
HOURS = InstrumentHours(Calendar.load(), TradingSafeguards.load(), {"CANBK"})


class Scene:
    """The gap detector of a day from a time on, and what it has told."""

    def __init__(self, day, time, instruments=(SHARE, SMALL)):
        self.day, self.told, self.passed = day, [], []
        self.gaps = MinuteGaps(
            HOURS,
            instruments,
            at(day, time),
            lambda level, _, text: self.told.append((level, text)),
        )
        self.gaps.ended = self.passed.extend

    def bar(self, token, time):
        self.gaps.note_closed([Bar(token, at(self.day, time), 60, 1.0, 1.0, 1.0, 1.0, 1)])

    def check(self, time, seconds=6):
        self.gaps.check_minutes(at(self.day, time) + seconds * SECOND)

    def minute(self, time, *tokens):
        """Let a minute pass in which these had a bar."""
        for token in tokens:
            self.bar(token, time)
        self.gaps.check_minutes(at(self.day, time) + MINUTE + 6 * SECOND)


def minutes(first, count):
    hour, minute = map(int, first.split(":"))
    return [
        f"{(hour * 60 + minute + n) // 60:02d}:{(hour * 60 + minute + n) % 60:02d}"
        for n in range(count)
    ]


def test_a_gap_is_counted_at_once_and_told_when_it_ends():
    scene = Scene("2026-07-31", "10:00")
    scene.minute("10:00", 1, 2)
    scene.minute("10:01", 2)
    scene.minute("10:02", 2)
    assert (scene.gaps.count, scene.told) == (2, [])
    scene.minute("10:03", 1, 2)
    assert scene.told == [("info", "no bars of CANBK: 2 minutes, 31 Jul 10:01 to 31 Jul 10:03")]
    assert scene.passed == []


def test_a_minute_is_put_down_to_the_feed_only_where_the_thirty_before_it_all_had_a_bar():
    scene = Scene("2026-07-31", "10:00")
    for time in minutes("10:00", STEADY - 1):
        # the second name does not trade every minute
        scene.minute(time, 1, *([2] if time != "10:10" else []))
    scene.minute("10:29", 1, 2)
    scene.minute("10:30")
    scene.minute("10:31")
    scene.minute("10:32", 1, 2)
    lost = MissingMinutes(1, at("2026-07-31", "10:30"), at("2026-07-31", "10:32"), 2, lost=True)
    assert scene.passed == [lost]
    for time in minutes("10:33", STEADY - 2):
        scene.minute(time, 1, 2)
    scene.minute("11:01", 2)  # 29 minutes after the last gap: not yet steady again
    scene.minute("11:02", 1, 2)
    assert scene.passed == [lost]


def test_the_history_tells_who_is_steady_at_the_opening_and_is_not_asked_for_what_it_lacks():
    scene = Scene("2026-08-04", "09:20")
    yesterday = {
        1: HOURS.expected_bars(date(2026, 8, 3), SHARE),
        2: HOURS.expected_bars(date(2026, 8, 3), SMALL)[:-9],
    }
    today = [at("2026-08-04", time) for time in minutes("09:15", 3)]
    found = [
        Bar(token, start, 60, 1.0, 1.0, 1.0, 1.0, 1)
        for token in (1, 2)
        for start in (*yesterday[token], *today)
    ]
    scene.gaps.check_history(found, at("2026-08-04", "09:20"))
    assert scene.passed == []
    scene.minute("09:20")
    scene.minute("09:21", 1, 2)
    assert [gap.token for gap in scene.passed] == [1]


def test_who_trades_nine_minutes_in_ten_is_hardly_ever_asked_for():
    scene, rng = Scene("2026-07-31", "09:15", [SHARE]), random.Random(7)
    for time in minutes("09:15", 375):
        scene.minute(time, *([1] if rng.random() < 0.9 else []))
    assert scene.gaps.count > 20
    assert len(scene.passed) <= 375 / 80


def test_a_lost_minute_is_so_until_it_is_read_or_known_to_have_had_no_trade():
    scene = Scene("2026-07-31", "09:15")
    for time in minutes("09:15", STEADY):
        scene.minute(time, 1)
    # Of one that trades seldom nothing is lost.
    assert (scene.gaps.count, scene.gaps.lost_by_token) == (STEADY, {})
    for time in minutes("09:45", 3):
        scene.minute(time)
    assert scene.gaps.lost_by_token == {1: 3}
    scene.gaps.note_filled([Bar(1, at(scene.day, "09:46"), 60, 1.0, 1.0, 1.0, 1.0, 1)])
    assert scene.gaps.lost_by_token == {1: 2}
    assert scene.gaps.healed_by_token == {1: 1}
    # The history was read from within 09:45 on, and has no bar of it.
    start = at(scene.day, "09:45") + 20 * SECOND
    scene.gaps.note_settled(1, start, at(scene.day, "09:47"))
    assert scene.gaps.lost_by_token == {1: 1}
    scene.gaps.note_settled(2, start, at(scene.day, "09:59"))
    assert scene.gaps.lost_by_token == {1: 1}


def test_a_gap_of_everything_is_a_warning_in_one_line():
    scene = Scene("2026-07-31", "10:00")
    scene.minute("10:00")
    scene.minute("10:01", 1, 2)
    assert scene.told == [
        ("warn", "no bars of CANBK, SMALLCAP: 1 minute, 31 Jul 10:00 to 31 Jul 10:01")
    ]


def test_a_minute_is_not_missed_before_its_bar_can_have_come():
    scene = Scene("2026-07-31", "10:00")
    scene.check("10:01", seconds=4)
    assert scene.gaps.count == 0
    scene.check("10:01", seconds=5)
    assert scene.gaps.count == 2


def test_the_closing_auction_the_pause_and_the_pre_open_are_no_gaps():
    scene = Scene("2026-08-03", "15:13")
    for time in minutes("15:13", 2):
        scene.minute(time, 1, 2)
    for time in minutes("15:15", 15):
        scene.minute(time, 2)
    scene.minute("15:30")
    assert (scene.gaps.count, scene.told) == (0, [])

    scene = Scene("2024-05-18", "09:00", [SHARE])
    scene.check("09:14")
    for time in minutes("09:15", 45):
        scene.minute(time, 1)
    scene.check("11:29")
    scene.minute("11:30", 1)
    assert (scene.gaps.count, scene.told) == (0, [])


def test_a_gap_that_lasts_to_the_close_ends_with_the_day():
    scene = Scene("2026-07-31", "15:27", [SHARE])
    scene.minute("15:27", 1)
    scene.gaps.check_minutes(at("2026-07-31", "15:30") + SECOND, over=True)
    assert scene.told == [("warn", "no bars of CANBK: 2 minutes, 31 Jul 15:28 to 31 Jul 15:30")]


def test_the_opening_looks_through_the_last_session_and_today_so_far():
    now = at("2026-08-04", "09:20")
    scene = Scene("2026-08-04", "09:20")
    yesterday = HOURS.calendar.expected_bars(date(2026, 8, 3), cas=True)  # to 15:15
    # 09:17 is missing, 09:18 may still come
    today = [at("2026-08-04", time) for time in ("09:15", "09:16")]
    found = [
        Bar(token, start, 60, 1.0, 1.0, 1.0, 1.0, 1)
        for token in (1, 2)
        for start in (*yesterday, *today)
    ]
    scene.gaps.check_history(found, now)
    scene.gaps.tell_lacking()
    assert scene.told == [
        ("warn", "the history lacks SMALLCAP: 15 minutes, 03 Aug 15:15 to 03 Aug 15:30"),
        ("warn", "the history lacks CANBK, SMALLCAP: 1 minute, 04 Aug 09:17 to 04 Aug 09:18"),
    ]
    assert scene.gaps.count == 2


def test_a_night_is_no_gap_to_be_filled_and_a_lost_minute_is():
    gaps = Scene("2026-08-04", "09:20").gaps
    assert not gaps.due_in(1, at("2026-08-03", "16:05"), at("2026-08-04", "09:15"))
    assert gaps.due_in(1, at("2026-08-03", "16:05"), at("2026-08-04", "09:15") + SECOND)
    assert not gaps.due_in(1, at("2026-08-04", "15:15"), at("2026-08-04", "15:20"))
    assert gaps.due_in(2, at("2026-08-04", "15:15"), at("2026-08-04", "15:20"))
    assert not gaps.due_in(9, at("2026-08-04", "10:00"), at("2026-08-04", "10:20"))


def test_a_minute_that_is_read_afterwards_is_missing_no_more():
    scene = Scene("2026-07-31", "10:00")
    scene.minute("10:00", 1, 2)
    scene.minute("10:01", 2)
    scene.minute("10:02", 2)
    assert scene.gaps.count == 2
    scene.gaps.note_filled([Bar(1, at(scene.day, "10:01"), 60, 1.0, 1.0, 1.0, 1.0, 1)])
    assert scene.gaps.count == 1
    scene.gaps.note_filled([Bar(1, at(scene.day, "10:02"), 300, 1.0, 1.0, 1.0, 1.0, 1)])
    assert scene.gaps.count == 1, "a bar of five minutes is no minute"
    scene.gaps.note_filled([Bar(1, at(scene.day, "10:02"), 60, 1.0, 1.0, 1.0, 1.0, 1)])
    assert scene.gaps.count == 0
