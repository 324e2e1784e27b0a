"""Trading hours before and after each change of them.

Every boundary, worked out by hand from the circulars.
"""

import copy
from datetime import date

import msgspec
import pytest

from compiled.model.values import Instrument
from engine.errors import DataError
from engine.market.calendar import FILE, Calendar
from engine.market.instrument_hours import InstrumentHours
from engine.market.safeguards import TradingSafeguards
from tests.engine.market.test_hours import at, clock, shown

CAS = Instrument(1, "NSE", "INFY", 0.1)
PLAIN = Instrument(2, "NSE", "SMALLCAP", 0.01)
FUTURE = Instrument(3, "NFO", "INFY26DECFUT", 0.1, 400, "FUT", "INFY", expiry=20261229)
OPTION = Instrument(4, "NFO", "NIFTY26D0826000CE", 0.05, 65, "CE", "NIFTY", expiry=20261208)
LATER = Instrument(5, "NFO", "NIFTY26DECFUT", 0.1, 65, "FUT", "NIFTY", expiry=20261229)
INDEX = Instrument(6, "NSE", "NIFTY 50", 0.05, 1, "INDEX")
ALL = (CAS, PLAIN, FUTURE, OPTION, LATER, INDEX)

RULES = TradingSafeguards.load()
EXCHANGE = InstrumentHours(Calendar.load(), RULES, {"INFY", "NIFTY"})
UNCONFIRMED = InstrumentHours(Calendar.load(confirmed=()), RULES, {"INFY", "NIFTY"})
CONFIRMED = InstrumentHours(Calendar.load(confirmed=[date(2026, 12, 7)]), RULES, {"INFY", "NIFTY"})

OLD_DAY = """
09:00 pre-open entry|pre-open entry|pre-open|closed|pre-open|closed
09:05 pre-open limit-only|pre-open limit-only|pre-open|closed|pre-open|closed
09:10 pre-open match|pre-open match|pre-open|closed|pre-open|closed
09:12 pre-open buffer|pre-open buffer|pre-open|closed|pre-open|closed
09:15 continuous|continuous|continuous|continuous|continuous|continuous
15:15 auction reference|continuous|continuous|continuous|continuous|closed
15:20 auction entry|continuous|continuous|continuous|continuous|closed
15:25 auction limit-only|continuous|continuous|continuous|continuous|closed
15:30 auction match|closing|continuous|continuous|continuous|closed
15:35 closing|closing|continuous|continuous|continuous|closed
15:40 closing|closing|closed|closed|closed|closed
15:50 post-close|post-close|closed|closed|closed|closed
16:00 closed|closed|closed|closed|closed|closed
"""
AUGUST = OLD_DAY.replace(
    "09:05 pre-open limit-only|pre-open limit-only", "09:05 pre-open entry|pre-open entry"
).replace(
    "09:10 pre-open match|pre-open match|pre-open", "09:08 pre-open match|pre-open match|pre-open"
)
JULY = """
09:00 pre-open entry|pre-open entry|pre-open|closed|pre-open|closed
09:08 pre-open match|pre-open match|pre-open|closed|pre-open|closed
09:12 pre-open buffer|pre-open buffer|pre-open|closed|pre-open|closed
09:15 continuous|continuous|continuous|continuous|continuous|continuous
15:30 closing|closing|closed|closed|closed|closed
15:40 post-close|post-close|closed|closed|closed|closed
16:00 closed|closed|closed|closed|closed|closed
"""
NEW_DAY = """
09:15 continuous|continuous|continuous|continuous|continuous|continuous
15:15 continuous|continuous|continuous|continuous|continuous|continuous
15:30 auction reference|closing|continuous|continuous|continuous|closed
15:31 auction entry|closing|continuous|continuous|continuous|closed
15:36 auction limit-only|closing|continuous|continuous|continuous|closed
15:40 auction match|closing|continuous|continuous|continuous|closed
15:45 closing|closing|closed|closed|closed|closed
15:50 post-close|post-close|closed|closed|closed|closed
16:00 closed|closed|closed|closed|closed|closed
"""
NEW_EXPIRY = """
09:15 continuous|continuous|continuous|continuous|continuous|continuous
15:30 auction reference|closing|continuous|closed|continuous|closed
15:31 auction entry|closing|continuous|closed|continuous|closed
15:45 closing|closing|closed|closed|closed|closed
"""
BOTH_DAY = """
09:00 pre-open entry|pre-open entry|pre-open|closed|pre-open|closed
09:15 continuous|continuous|continuous|continuous|continuous|continuous
15:15 unconfirmed|continuous|continuous|continuous|continuous|continuous
15:30 unconfirmed|closing|continuous|continuous|continuous|closed
15:40 unconfirmed|closing|unconfirmed|unconfirmed|unconfirmed|closed
15:45 closing|closing|closed|closed|closed|closed
15:50 post-close|post-close|closed|closed|closed|closed
16:00 closed|closed|closed|closed|closed|closed
"""
BOTH_EXPIRY = """
09:15 continuous|continuous|continuous|continuous|continuous|continuous
15:15 unconfirmed|continuous|continuous|continuous|continuous|continuous
15:30 unconfirmed|closing|continuous|unconfirmed|continuous|closed
15:40 unconfirmed|closing|unconfirmed|closed|unconfirmed|closed
15:45 closing|closing|closed|closed|closed|closed
"""


@pytest.mark.parametrize(
    ("hours", "day", "table"),
    [
        (EXCHANGE, "2026-07-31", JULY),
        (EXCHANGE, "2026-08-03", AUGUST),
        (EXCHANGE, "2026-09-04", AUGUST),
        (EXCHANGE, "2026-09-07", OLD_DAY),
        (EXCHANGE, "2026-12-04", OLD_DAY),
        (EXCHANGE, "2026-12-07", NEW_DAY),
        (EXCHANGE, "2026-12-08", NEW_EXPIRY),
        (EXCHANGE, "2026-12-09", NEW_DAY),
        (CONFIRMED, "2026-12-07", NEW_DAY),
        (CONFIRMED, "2026-12-08", NEW_EXPIRY),
        (UNCONFIRMED, "2026-12-04", OLD_DAY),
        (UNCONFIRMED, "2026-12-07", BOTH_DAY),
        (UNCONFIRMED, "2026-12-08", BOTH_EXPIRY),
        (UNCONFIRMED, "2026-12-31", BOTH_DAY),
    ],
)
def test_each_instrument_is_in_its_own_phase_at_every_boundary(hours, day, table):
    for line in table.strip().splitlines():
        time, _, phases = line.partition(" ")
        assert [hours.phase(at(day, time), each).name for each in ALL] == phases.split("|"), (
            f"{day} {time}"
        )


def test_a_phase_lasts_until_the_nanosecond_before_the_next():
    for day, time, before, after in [
        ("2026-12-04", "15:15", "continuous", "auction reference"),
        ("2026-12-07", "15:30", "continuous", "auction reference"),
        ("2026-12-07", "15:40", "auction limit-only", "auction match"),
    ]:
        assert EXCHANGE.phase(at(day, time) - 1, CAS).name == before
        assert EXCHANGE.phase(at(day, time), CAS).name == after


@pytest.mark.parametrize(
    ("hours", "day", "instrument", "expected"),
    [
        # opens, closes, auction, auction_ends, ends, square_off, last_entry; intraday ends two
        # minutes early
        (CONFIRMED, "2026-12-04", CAS, ["09:15", "15:15", "15:20", "15:25", "15:35", "15:10", ""]),
        (CONFIRMED, "2026-12-07", CAS, ["09:15", "15:30", "15:31", "15:36", "15:45", "15:10", ""]),
        (CONFIRMED, "2026-12-07", PLAIN, ["09:15", "15:30", "", "", "15:30", "15:23", ""]),
        (CONFIRMED, "2026-12-08", OPTION, ["09:15", "15:30", "", "", "15:30", "15:24", ""]),
        (CONFIRMED, "2026-12-08", LATER, ["09:15", "15:45", "", "", "15:45", "15:24", ""]),
        (UNCONFIRMED, "2026-12-07", CAS, ["09:15", "15:15", "", "", "15:45", "15:10", "15:13"]),
        (UNCONFIRMED, "2026-12-07", PLAIN, ["09:15", "15:30", "", "", "15:30", "15:23", ""]),
        (UNCONFIRMED, "2026-12-08", OPTION, ["09:15", "15:30", "", "", "15:40", "15:24", "15:28"]),
        (UNCONFIRMED, "2026-12-08", LATER, ["09:15", "15:40", "", "", "15:45", "15:24", "15:38"]),
    ],
)
def test_the_core_gets_the_day_that_is_confirmed_or_the_one_right_under_both(
    hours, day, instrument, expected
):
    made = hours.trading_hours(date.fromisoformat(day), instrument, 120 * 1_000_000_000)
    times = (
        made.opens,
        made.closes,
        made.auction,
        made.auction_ends,
        made.ends,
        made.square_off,
        made.last_entry,
    )
    assert shown(*times) == expected
    assert made.clears is (hours is UNCONFIRMED and instrument is OPTION)


def test_an_entry_is_taken_back_a_minute_before_the_earlier_close_at_the_latest():
    assert shown(UNCONFIRMED.trading_hours(date(2026, 12, 7), CAS).last_entry) == ["15:14"]


def test_while_nobody_knows_the_core_enters_nothing_and_takes_a_refusal_as_it_comes():
    made = UNCONFIRMED.trading_hours(date(2026, 12, 7), CAS, 120 * 1_000_000_000)
    entries = [
        made.takes_entries(at("2026-12-07", time)) for time in ("15:12", "15:13", "15:20", "15:32")
    ]
    assert entries == [True, False, False, False]
    exits = [
        made.takes_exits(at("2026-12-07", time)) for time in ("15:14", "15:15", "15:20", "15:32")
    ]
    assert exits == [True, False, False, False]
    unsure = [
        made.is_unconfirmed(at("2026-12-07", time)) for time in ("15:14", "15:15", "15:44", "15:45")
    ]
    assert unsure == [False, True, True, False]
    sure = CONFIRMED.trading_hours(date(2026, 12, 7), CAS)
    assert not any(
        sure.is_unconfirmed(at("2026-12-07", f"15:{minute}")) for minute in range(10, 60)
    )
    assert sure.gathers_orders(at("2026-12-07", "15:44"))


def test_doubts_name_the_day_the_sources_and_when_they_were_read():
    calendar = Calendar.load(confirmed=())
    assert calendar.doubts(date(2026, 12, 4)) == []
    (doubt,) = calendar.doubts(date(2026, 12, 7))
    assert doubt.since == date(2026, 12, 7)
    assert doubt.exchanges == ("NSE", "BSE", "NFO", "BFO")
    assert (doubt.confidence, doubt.source, doubt.read) == (
        "medium",
        ("SEBI-23843",),
        date(2026, 11, 28),
    )
    assert Calendar.load(confirmed=[date(2026, 12, 7)]).doubts(date(2026, 12, 7)) == []
    assert Calendar.load().doubts(date(2026, 12, 7)) == []


def changed(tmp_path, change):
    raw = copy.deepcopy(msgspec.json.decode(FILE.read_bytes()))
    change(raw)
    file = tmp_path / "sessions.json"
    file.write_bytes(msgspec.json.encode(raw))
    return file


def test_a_row_that_has_become_certain_needs_nobody_to_confirm_it(tmp_path):
    def certain(raw):
        for row in raw["phases"]:
            row["confidence"] = "high"

    hours = InstrumentHours(
        Calendar.load(changed(tmp_path, certain), confirmed=()), RULES, {"INFY"}
    )
    assert shown(hours.trading_hours(date(2026, 12, 7), CAS).closes) == ["15:30"]
    assert hours.calendar.doubts(date(2026, 12, 7)) == []


def test_a_new_square_off_that_is_not_certain_counts_only_where_it_is_the_earlier(tmp_path):
    def moved(raw):
        for row in raw["square_off"]:
            if row["from"] == "2026-12-07":
                row["at"] = "15:27"

    file = changed(tmp_path, moved)
    day = date(2026, 12, 7)
    assert clock(Calendar.load(file, confirmed=()).square_off(day, cas=True)) == "15:12"
    assert clock(Calendar.load(file, confirmed=[day]).square_off(day, cas=True)) == "15:27"


def evening(raw):
    for year in raw["holidays"][:]:
        if year["year"] == 2026:
            raw["holidays"].append(
                year | {"year": 2027, "closed": [], "morning_closed": [], "evening_closed": []}
            )
    raw["days"].append(
        {
            "date": "2027-10-31",
            "name": "muhurat",
            "exchanges": ["NSE", "NFO"],
            "source": ["archive"],
            "phases": [["pre-open", "18:00", "18:15"], ["continuous", "18:15", "19:15"]],
            "confidence": "high",
        }
    )


def test_a_special_day_ends_as_a_usual_one_moved_to_its_own_close(tmp_path):
    hours = InstrumentHours(Calendar.load(changed(tmp_path, evening)), RULES, {"INFY", "NIFTY"})
    day = date(2027, 10, 31)
    told = {
        each.symbol: [
            (phase.name, clock(phase.start), clock(phase.end))
            for phase in hours.session(day, each).phases
        ]
        for each in (CAS, PLAIN, FUTURE)
    }
    opening = [("pre-open", "18:00", "18:15"), ("continuous", "18:15", "19:15")]
    assert told["INFY"] == [
        *opening,
        ("auction reference", "19:15", "19:16"),
        ("auction entry", "19:16", "19:21"),
        ("auction limit-only", "19:21", "19:25"),
        ("auction match", "19:25", "19:30"),
        ("closing", "19:30", "19:35"),
        ("post-close", "19:35", "19:45"),
    ]
    assert told["SMALLCAP"] == [
        *opening,
        ("closing", "19:15", "19:35"),
        ("post-close", "19:35", "19:45"),
    ]
    assert told["INFY26DECFUT"] == [("continuous", "18:15", "19:30")]


def test_a_special_day_whose_rule_is_not_confirmed_ends_with_its_own_close(tmp_path):
    hours = InstrumentHours(
        Calendar.load(changed(tmp_path, evening), confirmed=()), RULES, {"INFY"}
    )
    made = hours.trading_hours(date(2027, 10, 31), CAS)
    assert shown(made.closes, made.auction, made.ends) == ["19:15", "", "19:30"]
    assert shown(hours.trading_hours(date(2027, 10, 31), FUTURE).closes) == ["19:15"]


@pytest.mark.parametrize(
    ("traded", "settles"),
    [
        ("2026-02-18", "2026-02-20"),  # the 19th trades and does not settle
        ("2026-02-19", "2026-02-20"),
        ("2026-03-18", "2026-03-20"),
        ("2026-03-30", "2026-04-02"),  # 31 March is a holiday, 1 April does not settle
        ("2026-04-01", "2026-04-02"),
        ("2026-08-25", "2026-08-27"),
        ("2026-08-26", "2026-08-27"),
        ("2026-01-30", "2026-02-02"),  # a Sunday that trades settles nothing
        ("2026-12-04", "2026-12-07"),
        ("2026-12-24", "2026-12-28"),
    ],
)
def test_a_trade_settles_on_the_next_day_that_settles(traded, settles):
    assert EXCHANGE.calendar.settlement(date.fromisoformat(traded)) == date.fromisoformat(settles)


def test_a_year_without_settlement_holidays_is_not_guessed():
    with pytest.raises(DataError, match=r"no settlement holidays of NSE for 2025.*sessions\.json"):
        EXCHANGE.calendar.settlement(date(2025, 6, 2))


def test_the_list_of_the_next_year_is_asked_for_from_december_on(tmp_path):
    calendar = EXCHANGE.calendar
    assert calendar.missing_lists(date(2026, 11, 30)) == []
    (line,) = calendar.missing_lists(date(2026, 12, 1))
    assert line.startswith("no holiday list of NSE, BSE, NFO, BFO, CDS, BCD, MCX for 2027")
    assert '"holidays" in' in line
    assert line.endswith("sessions.json")
    assert Calendar.load(changed(tmp_path, evening)).missing_lists(date(2026, 12, 31)) == []


def test_futures_keep_the_auctions_band_those_on_an_index_since_september():
    before, since = date(2026, 9, 4), date(2026, 9, 7)
    assert [RULES.bands_futures(date(2026, 8, 2), each) for each in ("stock", "index")] == [
        False,
        False,
    ]
    assert [RULES.bands_futures(before, each) for each in ("stock", "index")] == [True, False]
    assert [RULES.bands_futures(since, each) for each in ("stock", "index")] == [True, True]
    assert [RULES.icebergs_stay(date(2027, 2, day)) for day in (5, 8)] == [False, True]


def test_the_norms_of_etfs_hold_since_the_seventh_of_september():
    assert RULES.band_percents(date(2026, 9, 7), "etf") == [10.0]
    with pytest.raises(DataError, match="price band of a etf"):
        RULES.band_percents(date(2026, 9, 4), "etf")
