"""An instrument's own hours, and what an ex-date does to what the desk has standing."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from compiled.model.values import Gtt, GttLeg, GttStatus, Instrument, Product, Side
from compiled.trading.ladder import Ladder, LadderPlan, Rung, RungPlan, RungState
from engine.errors import DataError
from engine.market.calendar import Calendar
from engine.market.corporate_actions.action_list import (
    CorporateActions,
    StandingItem,
    parsed_actions,
)
from engine.market.corporate_actions.ex_date_flags import standing_items
from engine.market.instrument_dumps import listings_of
from engine.market.instrument_hours import InstrumentHours
from engine.market.instruments import InstrumentList
from engine.market.safeguards import TradingSafeguards

IST = ZoneInfo("Asia/Kolkata")
BEFORE, SINCE = date(2026, 7, 31), date(2026, 8, 3)
SHARE = Instrument(1, "NSE", "CANBK", 0.01)
SMALL = Instrument(2, "NSE", "SMALLCAP", 0.01)
FUTURE = Instrument(3, "NFO", "CANBK26AUGFUT", 0.01, 6750, "FUT", "CANBK")
INDEX = Instrument(4, "NSE", "NIFTY 50", 0.01, 1, "INDEX")
HOURS = InstrumentHours(Calendar.load(), TradingSafeguards.load(), {"CANBK", "NIFTY"})


def clock(ts):
    return datetime.fromtimestamp(ts // 1_000_000_000, IST).strftime("%H:%M")


def at(day, time):
    return (
        int(datetime.fromisoformat(f"{day} {time}").replace(tzinfo=IST).timestamp()) * 1_000_000_000
    )


def last_bar(hours, day, instrument):
    return clock(hours.expected_bars(day, instrument)[-1])


@pytest.mark.parametrize(
    ("instrument", "before", "since"),
    [
        (SHARE, "15:29", "15:14"),
        (SMALL, "15:29", "15:29"),
        (FUTURE, "15:29", "15:39"),
        (INDEX, "15:29", "15:14"),
    ],
)
def test_each_instrument_has_its_own_last_bar_since_the_closing_auction(instrument, before, since):
    assert last_bar(HOURS, BEFORE, instrument) == before
    assert last_bar(HOURS, SINCE, instrument) == since


def test_the_session_phase_and_square_off_are_those_of_the_instrument():
    assert clock(HOURS.session(SINCE, SHARE).close) == "15:15"
    assert HOURS.phase(at(SINCE, "15:16"), SHARE).name == "auction reference"
    assert HOURS.phase(at(SINCE, "15:16"), SMALL).name == "continuous"
    assert HOURS.phase(at(BEFORE, "15:16"), SHARE).name == "continuous"
    assert clock(HOURS.square_off(SINCE, SHARE)) == "15:12"
    assert clock(HOURS.square_off(SINCE, SMALL)) == "15:25"
    assert clock(HOURS.square_off(SINCE, FUTURE)) == "15:26"


@pytest.mark.real_data
def test_a_real_dump_tells_who_closes_by_auction(market_data):
    dump = listings_of(market_data / "instruments" / "kite_combined_NSE_NFO_BFO_2026-08.csv.gz")
    book = InstrumentList(date(2026, 8, 18), dump)
    hours = InstrumentHours(Calendar.load(), TradingSafeguards.load(), book.names)
    last = {
        symbol: last_bar(hours, book.day, book.get("NSE", symbol).instrument())
        for symbol in ("CANBK", "INFY", "CDSL", "NIFTYBEES", "BSE")
    }
    assert last == {
        "CANBK": "15:14",
        "INFY": "15:14",
        "CDSL": "15:29",
        "NIFTYBEES": "15:29",
        "BSE": "15:14",
    }
    assert last_bar(hours, book.day, book.get("NFO", "CANBK26AUGFUT").instrument()) == "15:39"


def gtt(number, token, status, *triggers):
    made = Gtt(
        number, "s", token, Product.CNC, 1, 100.0, [GttLeg(t, t, Side.SELL, 10) for t in triggers]
    )
    made.gtt_id, made.status = 500 + number, status
    return made


def ladder(number, instrument, *rungs):
    made = Ladder(number, "s", instrument, Side.BUY, LadderPlan([RungPlan(0.0, 2.0)], 1_000_00))
    for place, (state, stop, target) in enumerate(rungs, 1):
        rung = Rung(place, number, place, made.plan.rungs[0])
        rung.state, rung.stop, rung.target = state, stop, target
        made.rungs.append(rung)
    return made


def test_live_gtts_and_open_rungs_stand_and_the_others_do_not():
    known = {1: SHARE, 3: FUTURE}
    gtts = [
        gtt(1, 1, GttStatus.ACTIVE, 95.0, 110.0),
        gtt(2, 1, GttStatus.TRIGGERED, 95.0),
        gtt(3, 3, GttStatus.ACTIVE, 9.0),
    ]
    rungs = [
        (RungState.OPEN, 95.0, 0.0),
        (RungState.CLOSED, 94.0, 0.0),
        (RungState.WAITING, 0.0, 0.0),
    ]
    assert standing_items(gtts, [ladder(7, SHARE, *rungs)], known) == [
        StandingItem("GTT 501", "CANBK", (95.0, 110.0)),
        StandingItem("GTT 503", "CANBK", (9.0,)),
        StandingItem("rung 1 of ladder 7", "CANBK", (95.0,)),
    ]


def test_a_split_of_the_share_flags_its_gtt_its_contract_and_its_ladder():
    text = "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share"
    book = CorporateActions(parsed_actions("CANBK", date(2024, 5, 15), text))
    waiting = standing_items(
        [gtt(1, 1, GttStatus.ACTIVE, 550.0)],
        [ladder(7, FUTURE, (RungState.OPEN, 540.0, 700.0))],
        {1: SHARE},
    )
    flags = book.flags(date(2024, 5, 15), waiting, {"CANBK": 560.0})
    assert [(flag.what, flag.prices) for flag in flags] == [
        ("GTT 501", (110.0,)),
        ("rung 1 of ladder 7", (108.0, 140.0)),
    ]
    assert book.flags(date(2024, 5, 14), waiting, {"CANBK": 560.0}) == []


# as the core and the screen ask


def shown(*times):
    return [clock(int(ts)) if ts else "" for ts in times]


def test_the_core_gets_each_instruments_own_day():
    hours = HOURS.hours_of_day(SINCE, [SHARE, SMALL, FUTURE], early=120 * 1_000_000_000)
    share, small, future = hours[1], hours[2], hours[3]
    assert shown(
        share.opens, share.closes, share.auction, share.auction_ends, share.ends, share.square_off
    ) == [
        "09:15",
        "15:15",
        "15:20",
        "15:25",
        "15:35",
        "15:10",
    ]
    assert shown(small.closes, small.auction, small.ends, small.square_off) == [
        "15:30",
        "",
        "15:30",
        "15:23",
    ]
    assert shown(future.closes, future.auction, future.ends, future.square_off) == [
        "15:40",
        "",
        "15:40",
        "15:24",
    ]
    assert shown(HOURS.hours_of_day(BEFORE, [SHARE])[1].closes) == ["15:30"]


def test_a_day_in_two_parts_has_its_pause_and_no_intraday_positions():
    two = HOURS.trading_hours(date(2024, 5, 18), SHARE)
    assert shown(two.opens, two.pause, two.resumes, two.closes) == [
        "09:15",
        "10:00",
        "11:30",
        "12:30",
    ]
    assert two.square_off == two.opens
    muhurat = HOURS.trading_hours(date(2024, 11, 1), SHARE)
    assert shown(muhurat.opens, muhurat.closes, muhurat.pause) == ["18:00", "19:00", ""]


def test_an_instrument_without_trading_that_day_is_named():
    assert HOURS.trading_hours(date(2026, 11, 24), SHARE) is None
    with pytest.raises(DataError, match="NSE CANBK does not trade on 2026-11-24"):
        HOURS.hours_of_day(date(2026, 11, 24), [SHARE])


def test_where_nobody_knows_who_has_derivatives_every_share_closes_early():
    unknown = InstrumentHours(Calendar.load(), TradingSafeguards.load(), None)
    assert last_bar(unknown, SINCE, SMALL) == "15:14"
    assert last_bar(unknown, SINCE, Instrument(9, "NSE", "CDSL", 0.1)) == "15:29"
    assert last_bar(unknown, BEFORE, SMALL) == "15:29"


def test_the_session_before_steps_back_over_one_of_unknown_clock_time():
    assert HOURS.session_before(date(2026, 11, 9), SHARE).day == date(2026, 11, 6)
    assert HOURS.session_before(date(2024, 3, 4), SHARE).day == date(2024, 3, 2)


@pytest.mark.parametrize(
    ("time", "instruments", "name", "ends", "then"),
    [
        ("08:50", [SHARE], "closed", "09:00", "pre-open entry"),
        ("15:10", [SHARE, SMALL], "continuous", "15:15", "auction reference"),
        ("15:16", [SHARE, SMALL], "continuous", "15:30", "closing"),
        ("15:16", [SHARE], "auction reference", "15:20", "auction entry"),
        ("15:32", [SHARE, SMALL, FUTURE], "continuous", "15:40", "closed"),
        ("15:32", [SHARE, SMALL], "auction match", "15:35", "closing"),
        ("15:10", [], "continuous", "15:30", "closing"),
    ],
)
def test_the_desk_stands_where_something_still_trades(time, instruments, name, ends, then):
    stage = HOURS.stage(at(SINCE, time), instruments)
    assert (stage.name, clock(stage.ends), stage.then) == (name, ends, then)
