"""The trading calendar against its written facts.

Times are built with zoneinfo, not with the calendar's arithmetic.
"""

from datetime import date, datetime, timedelta
from functools import cache
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

import exchange_calendars
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataError
from engine.market.calendar import FILE, BarGap, Calendar

pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray")

CALENDAR = Calendar.load()
TABLE = CALENDAR._table
IST = ZoneInfo("Asia/Kolkata")
KINDS = {
    "NSE": ["EQ", "INDEX"],
    "BSE": ["EQ", "INDEX"],
    "NFO": ["FUT", "CE"],
    "CDS": ["FUT"],
    "MCX": ["FUT"],
}

SPECIAL_DAYS = [
    "2019-10-27",
    "2020-02-01",
    "2020-11-14",
    "2021-11-04",
    "2022-10-24",
    "2023-11-12",
    "2024-01-20",
    "2024-03-02",
    "2024-05-18",
    "2024-11-01",
    "2025-02-01",
    "2025-10-21",
    "2026-02-01",
    "2026-11-08",
]


def at(day, clock):
    moment = datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=IST)
    return int(moment.timestamp()) * 1_000_000_000


def clock(ts):
    return datetime.fromtimestamp(ts // 1_000_000_000, IST).strftime("%H:%M")


def day(text):
    return date.fromisoformat(text)


@cache
def reference_days(year):
    xbom = exchange_calendars.get_calendar("XBOM", start=f"{year}-01-01", end=f"{year}-12-31")
    return {session.date() for session in xbom.sessions}


def phases(text, exchange="NSE", kind="EQ", cas=False):
    session = CALENDAR.session(day(text), exchange, kind, cas)
    return [(phase.name, clock(phase.start), clock(phase.end)) for phase in session.phases]


@pytest.mark.parametrize("year", range(2019, 2027))
def test_the_regular_days_are_those_of_exchange_calendars(year):
    reference = reference_days(year)
    special = {row.date for row in TABLE.days if "NSE" in row.exchanges}
    ours = CALENDAR.trading_days(date(year, 1, 1), date(year, 12, 31))
    assert set(ours) - special == reference - special
    assert reference <= set(ours)


@pytest.mark.parametrize("text", SPECIAL_DAYS)
def test_every_special_session_is_a_trading_day_that_exchange_calendars_misses(text):
    assert CALENDAR.is_trading_day(day(text))
    assert day(text) not in reference_days(day(text).year)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2019-10-27", [("18:15", "19:15")]),
        ("2020-02-01", [("09:15", "15:30")]),
        ("2020-11-14", [("18:15", "19:15")]),
        ("2021-11-04", [("18:15", "19:15")]),
        ("2022-10-24", [("18:15", "19:15")]),
        ("2023-11-12", [("18:15", "19:15")]),
        ("2024-01-20", [("09:15", "15:30")]),
        ("2024-03-02", [("09:15", "10:00"), ("11:30", "12:30")]),
        ("2024-05-18", [("09:15", "10:00"), ("11:30", "12:30")]),
        ("2024-11-01", [("18:00", "19:00")]),
        ("2025-02-01", [("09:15", "15:30")]),
        ("2025-10-21", [("13:45", "14:45")]),
        ("2026-02-01", [("09:15", "15:30")]),
    ],
)
def test_a_special_session_trades_at_its_own_hours_in_stocks_and_in_derivatives(text, parts):
    for exchange, kind in (("NSE", "EQ"), ("NFO", "FUT")):
        session = CALENDAR.session(day(text), exchange, kind)
        assert [(clock(part.start), clock(part.end)) for part in session.parts] == parts
        assert (clock(session.open), clock(session.close)) == (parts[0][0], parts[-1][1])


def test_only_stocks_have_auctions_on_a_special_day():
    assert phases("2020-11-14")[0] == ("pre-open entry", "18:00", "18:08")
    assert phases("2020-11-14")[-1] == ("post-close", "19:25", "19:35")
    for exchange, kind in (("NFO", "FUT"), ("NSE", "INDEX")):
        assert phases("2020-11-14", exchange, kind) == [("continuous", "18:15", "19:15")]


def test_a_muhurat_without_a_clock_time_is_a_trading_day_whose_session_is_refused():
    assert CALENDAR.is_trading_day(date(2026, 11, 8))
    with pytest.raises(
        DataError, match=r"muhurat session of 2026-11-08 is not known.*sessions\.json"
    ):
        CALENDAR.session(date(2026, 11, 8))
    with pytest.raises(DataError, match="not known"):
        CALENDAR.expects_bar(at("2026-11-08", "18:15"), 60)
    assert CALENDAR.phase(at("2026-11-08", "18:30")).name == "closed"


@pytest.mark.parametrize(
    ("exchange", "year"), [("NSE", 2027), ("NSE", 2018), ("MCX", 2025), ("CDS", 2024)]
)
def test_a_year_without_a_holiday_list_fails_closed_and_names_the_file(exchange, year):
    with pytest.raises(
        DataError, match=rf"no holiday list of {exchange} for {year}.*sessions\.json"
    ):
        CALENDAR.is_trading_day(date(year, 6, 2), exchange)
    with pytest.raises(DataError, match=str(year)):
        CALENDAR.phase(at(f"{year}-06-02", "10:00"), exchange, "FUT" if exchange != "NSE" else "EQ")


def test_an_unknown_exchange_or_kind_is_refused():
    with pytest.raises(DataError, match="NASDAQ"):
        CALENDAR.is_trading_day(date(2026, 6, 2), "NASDAQ")
    with pytest.raises(DataError, match="no phases of NSE FUT"):
        CALENDAR.session(date(2026, 6, 2), "NSE", "FUT")


def test_the_last_day_before_the_closing_auction_trades_to_half_past_three():
    friday = "2026-07-31"
    assert clock(CALENDAR.session(day(friday), cas=True).close) == "15:30"
    assert clock(CALENDAR.session(day(friday), "NFO", "FUT").close) == "15:30"
    assert CALENDAR.expects_bar(at(friday, "15:29"), 60, cas=True)
    assert not CALENDAR.expects_bar(at(friday, "15:30"), 60, "NFO", "FUT")


@pytest.mark.parametrize("text", ["2026-08-03", "2026-11-20", "2026-12-04"])
def test_since_the_closing_auction_a_stock_with_derivatives_has_no_bar_after_a_quarter_past_three(
    text,
):
    assert CALENDAR.expects_bar(at(text, "15:14"), 60, cas=True)
    assert not CALENDAR.expects_bar(at(text, "15:15"), 60, cas=True)
    assert clock(CALENDAR.expected_bars(day(text), 60, cas=True)[-1]) == "15:14"
    assert clock(CALENDAR.expected_bars(day(text), 60, kind="INDEX")[-1]) == "15:14"
    assert clock(CALENDAR.expected_bars(day(text), 60)[-1]) == "15:29"
    assert clock(CALENDAR.expected_bars(day(text), 60, "NFO", "FUT")[-1]) == "15:39"
    assert clock(CALENDAR.expected_bars(day(text), 60, "NFO", "CE")[-1]) == "15:39"


def test_the_day_of_a_stock_with_derivatives_is_cut_into_the_phases_of_both_auctions():
    assert phases("2026-09-07", cas=True) == [
        ("pre-open entry", "09:00", "09:05"),
        ("pre-open limit-only", "09:05", "09:10"),
        ("pre-open match", "09:10", "09:12"),
        ("pre-open buffer", "09:12", "09:15"),
        ("continuous", "09:15", "15:15"),
        ("auction reference", "15:15", "15:20"),
        ("auction entry", "15:20", "15:25"),
        ("auction limit-only", "15:25", "15:30"),
        ("auction match", "15:30", "15:35"),
        ("closing", "15:35", "15:50"),
        ("post-close", "15:50", "16:00"),
    ]


def test_the_old_pre_open_holds_through_the_fourth_of_september():
    old = [
        ("pre-open entry", "09:00", "09:08"),
        ("pre-open match", "09:08", "09:12"),
        ("pre-open buffer", "09:12", "09:15"),
    ]
    assert phases("2026-09-04", cas=True)[:3] == old
    assert phases("2024-06-04")[:3] == old
    assert phases("2024-06-04")[3:] == [
        ("continuous", "09:15", "15:30"),
        ("closing", "15:30", "15:40"),
        ("post-close", "15:40", "16:00"),
    ]


def test_futures_have_a_pre_open_since_december_2025_and_options_have_none():
    assert phases("2025-12-05", "NFO", "FUT") == [("continuous", "09:15", "15:30")]
    assert phases("2025-12-08", "NFO", "FUT")[0] == ("pre-open", "09:00", "09:15")
    assert phases("2025-12-08", "NFO", "CE") == [("continuous", "09:15", "15:30")]


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2026-03-06", ("09:00", "23:55")),
        ("2026-03-09", ("09:00", "23:30")),
        ("2026-10-30", ("09:00", "23:30")),
        ("2026-11-02", ("09:00", "23:55")),
        ("2026-11-24", ("17:00", "23:55")),
        ("2026-01-01", ("09:00", "17:00")),
    ],
)
def test_mcx_follows_us_summer_time_and_splits_its_half_days_at_five(text, hours):
    session = CALENDAR.session(day(text), "MCX", "FUT")
    assert (clock(session.open), clock(session.close)) == hours


def test_mcx_is_shut_all_day_where_its_list_says_so():
    assert CALENDAR.session(date(2026, 10, 2), "MCX", "FUT") is None
    assert not CALENDAR.is_trading_day(date(2026, 12, 25), "MCX")


def test_currency_has_holidays_that_stocks_do_not_have():
    assert not CALENDAR.is_trading_day(date(2026, 8, 26), "CDS")
    assert CALENDAR.is_trading_day(date(2026, 8, 26), "NSE")
    assert clock(CALENDAR.session(date(2026, 8, 27), "CDS", "FUT").close) == "17:00"


def test_a_holiday_and_a_weekend_have_no_session_no_bar_and_no_square_off():
    for text in ("2026-11-24", "2026-11-21"):
        assert CALENDAR.session(day(text)) is None
        assert CALENDAR.expected_bars(day(text)) == []
        assert CALENDAR.square_off(day(text)) is None
        assert CALENDAR.amo(day(text)) is None
        assert not CALENDAR.expects_bar(at(text, "10:00"), 60)
        assert not CALENDAR.expects_bar(at(text, "09:15"), 86_400)


def test_trading_days_step_over_a_weekend_and_a_holiday():
    assert CALENDAR.next_trading_day(date(2026, 11, 20)) == date(2026, 11, 23)
    assert CALENDAR.next_trading_day(date(2026, 11, 23)) == date(2026, 11, 25)
    assert CALENDAR.previous_trading_day(date(2026, 11, 25)) == date(2026, 11, 23)
    assert CALENDAR.latest_trading_day(date(2026, 11, 22)) == date(2026, 11, 20)
    assert CALENDAR.latest_trading_day(date(2026, 11, 20)) == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("text", "exchange", "kind", "cas", "expected"),
    [
        ("2026-08-27", "NSE", "EQ", True, "15:12"),
        ("2026-08-27", "NSE", "EQ", False, "15:25"),
        ("2026-08-27", "NFO", "FUT", False, "15:26"),
        ("2026-08-27", "MCX", "FUT", False, "23:20"),
        ("2026-11-20", "MCX", "FUT", False, "23:45"),
        ("2024-06-04", "NSE", "EQ", True, "15:20"),
    ],
)
def test_mis_positions_are_squared_off_at_the_broker_s_time(text, exchange, kind, cas, expected):
    assert clock(CALENDAR.square_off(day(text), exchange, kind, cas)) == expected


def test_the_square_off_of_a_special_session_is_not_guessed():
    assert CALENDAR.square_off(date(2024, 11, 1)) is None
    assert CALENDAR.amo(date(2024, 11, 1)) is None


def test_after_market_orders_for_monday_are_taken_from_friday_afternoon():
    assert CALENDAR.amo(date(2026, 11, 23)) == (
        at("2026-11-20", "16:00"),
        at("2026-11-23", "08:58"),
    )
    assert CALENDAR.amo(date(2026, 11, 23), "NFO", "FUT") == (
        at("2026-11-20", "15:45"),
        at("2026-11-23", "09:10"),
    )
    assert CALENDAR.amo(date(2026, 11, 23), "MCX", "FUT") == (
        at("2026-11-20", "23:55"),
        at("2026-11-23", "08:58"),
    )


def test_the_after_market_window_is_not_known_beside_a_special_day_or_the_edge_of_the_lists():
    assert CALENDAR.amo(date(2024, 11, 4)) is None  # the day before was an evening of one hour
    assert CALENDAR.amo(date(2026, 11, 9), "MCX", "FUT") is None
    assert CALENDAR.amo(date(2019, 1, 1)) is None
    assert CALENDAR.amo(date(2026, 1, 1), "MCX", "FUT") is None
    # a regular Sunday
    assert CALENDAR.amo(date(2026, 2, 2)) == (at("2026-02-01", "16:00"), at("2026-02-02", "08:58"))


def test_the_phase_between_two_days_is_closed_until_the_next_pre_open():
    closed = CALENDAR.phase(at("2026-11-21", "12:00"))
    assert closed == ("closed", at("2026-11-20", "16:00"), at("2026-11-23", "09:00"))
    assert CALENDAR.next_phase(closed.start).name == "pre-open entry"


def test_the_break_between_two_sessions_of_one_day_is_closed():
    assert CALENDAR.phase(at("2024-03-02", "10:30")) == (
        "closed",
        at("2024-03-02", "10:00"),
        at("2024-03-02", "11:15"),
    )


def test_a_phase_begins_with_its_first_nanosecond_and_ends_before_the_next():
    opening = at("2026-11-20", "09:15")
    assert CALENDAR.phase(opening).name == "continuous"
    assert CALENDAR.phase(opening - 1).name == "pre-open buffer"
    assert CALENDAR.next_phase(opening - 1) == CALENDAR.phase(opening)


def test_the_last_phase_that_is_known_ends_with_the_lists():
    assert CALENDAR.phase(at("2026-12-31", "20:00")).end == at("2027-01-01", "00:00")
    with pytest.raises(DataError, match="2027"):
        CALENDAR.next_phase(at("2026-12-31", "20:00"))


@given(
    minutes=st.integers(0, 365 * 1440 - 1),
    exchange=st.sampled_from(sorted(KINDS)),
    second=st.integers(0, 1),
    cas=st.booleans(),
)
def test_phases_tile_the_year_without_a_gap_or_an_overlap(minutes, exchange, second, cas):
    kind = KINDS[exchange][second % len(KINDS[exchange])]
    ts = at("2026-01-01", "00:00") + minutes * 60_000_000_000
    phase = CALENDAR.phase(ts, exchange, kind, cas)
    assert phase.start <= ts < phase.end
    assert CALENDAR.phase(phase.start, exchange, kind, cas) == phase
    assert CALENDAR.phase(phase.end - 1, exchange, kind, cas) == phase
    if phase.end < at("2027-01-01", "00:00"):
        following = CALENDAR.next_phase(ts, exchange, kind, cas)
        assert following.start == phase.end
        assert following.name != phase.name


def test_an_hour_bar_is_aligned_to_the_open_and_the_last_one_is_cut():
    bars = [clock(ts) for ts in CALENDAR.expected_bars(date(2026, 7, 31), 3600)]
    assert bars == ["09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15"]
    assert [clock(ts) for ts in CALENDAR.expected_bars(date(2024, 5, 18), 3600)] == [
        "09:15",
        "11:30",
    ]
    assert CALENDAR.expected_bars(date(2024, 5, 18), 86_400) == [at("2024-05-18", "09:15")]


@given(
    offset=st.integers(0, 365 * 7 - 1),
    minute=st.integers(0, 1439),
    span=st.sampled_from([60, 180, 300, 900, 1800, 3600, 86_400]),
)
def test_a_bar_is_expected_exactly_where_the_list_of_the_day_has_it(offset, minute, span):
    when = date(2019, 1, 1) + timedelta(days=offset)
    start = at(when, "00:00") + minute * 60_000_000_000
    assert CALENDAR.expects_bar(start, span) == (start in CALENDAR.expected_bars(when, span))


def test_missing_bars_are_joined_into_gaps_in_order():
    text, when = "2026-07-31", date(2026, 7, 31)
    bars = CALENDAR.expected_bars(when)
    lost = {at(text, "09:15"), at(text, "09:16"), at(text, "12:00"), at(text, "15:29")}
    there = [start for start in reversed(bars) if start not in lost] + [bars[5], at(text, "16:10")]
    assert CALENDAR.missing_bars(there, when) == [
        BarGap(at(text, "09:15"), at(text, "09:17"), 2),
        BarGap(at(text, "12:00"), at(text, "12:01"), 1),
        BarGap(at(text, "15:29"), at(text, "15:30"), 1),
    ]
    assert CALENDAR.missing_bars(bars, when) == []


def test_a_gap_reaches_over_the_break_of_a_day_in_two_parts():
    assert CALENDAR.missing_bars([], date(2024, 5, 18)) == [
        BarGap(at("2024-05-18", "09:15"), at("2024-05-18", "12:30"), 105)
    ]


def test_no_two_rows_of_one_kind_hold_on_the_same_day():
    for rows in (
        [r for r in TABLE.phases if r.part == "main"],
        [r for r in TABLE.phases if r.part == "pre-open"],
        TABLE.square_off,
        TABLE.amo,
    ):
        for one, other in combinations(rows, 2):
            apart = one.last < other.first or other.last < one.first
            apart |= not set(one.exchanges) & set(other.exchanges) or not set(one.kinds) & set(
                other.kinds
            )
            apart |= {one.cas, other.cas} == {True, False} or {one.expiring, other.expiring} == {
                True,
                False,
            }
            assert apart, (one, other)


def test_every_row_of_the_table_is_in_order_and_names_known_sources():
    for row in [
        *TABLE.holidays,
        *TABLE.days,
        *TABLE.phases,
        *TABLE.square_off,
        *TABLE.amo,
        *TABLE.settlement,
        *TABLE.special_closing,
    ]:
        assert row.source
        assert set(row.source) <= set(TABLE.sources)
    for row in TABLE.holidays:
        for holiday in row.closed | row.morning_closed | row.evening_closed:
            assert holiday.year == row.year
            assert holiday.weekday() < 5
    for row in [*TABLE.days, *TABLE.phases]:
        clocks = row.phases or []
        assert all(start < end for _, start, end in clocks)
        assert all(one[2] <= other[1] for one, other in pairwise(clocks))


@pytest.mark.parametrize("text", ["{", "{}", '{"about": 1}'])
def test_a_malformed_table_is_a_data_error_that_names_the_file(tmp_path, text):
    file = tmp_path / "sessions.json"
    file.write_text(text)
    with pytest.raises(DataError, match=r"sessions\.json"):
        Calendar.load(file)
    with pytest.raises(DataError, match="absent"):
        Calendar.load(tmp_path / "absent.json")


def test_a_misspelt_column_of_the_table_is_refused(tmp_path):
    raw = msgspec.json.decode(FILE.read_bytes())
    raw["days"][0]["phasen"] = []
    file = tmp_path / "sessions.json"
    file.write_bytes(msgspec.json.encode(raw))
    with pytest.raises(DataError, match="phasen"):
        Calendar.load(file)
