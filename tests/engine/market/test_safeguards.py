"""Halts, bands, price protection, the closing auction and expiry days by written rules."""

from datetime import date
from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataError
from engine.market.calendar import Calendar
from engine.market.instrument_dumps import listings_of
from engine.market.instruments import InstrumentList
from engine.market.safeguards import FILE, BandFlex, MarketHalt, TradingSafeguards, price_band

RULES = TradingSafeguards.load()
CALENDAR = Calendar.load()
TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("percent", "clock", "halt"),
    [
        (9.99, "10:00", None),
        (10.0, "12:59", MarketHalt(10.0, 45, 15)),
        (-10.0, "13:00", MarketHalt(10.0, 15, 15)),
        (-12.0, "14:29", MarketHalt(10.0, 15, 15)),
        (-12.0, "14:30", None),
        (-15.0, "12:59", MarketHalt(15.0, 105, 15)),
        (15.0, "13:00", MarketHalt(15.0, 45, 15)),
        (15.0, "14:00", MarketHalt(15.0, None, 0)),
        (-16.0, "15:10", MarketHalt(15.0, None, 0)),
        (-20.0, "09:15", MarketHalt(20.0, None, 0)),
        (25.0, "15:29", MarketHalt(20.0, None, 0)),
    ],
)
def test_a_fall_or_rise_of_the_index_halts_the_market_by_size_and_hour(percent, clock, halt):
    assert RULES.halt(date(2020, 3, 23), percent, clock) == halt


def test_halts_before_the_rule_are_not_known():
    with pytest.raises(DataError, match=r"market-wide halts for 2013-09-02.*safeguards\.json"):
        RULES.halt(date(2013, 9, 2), 10.0, "10:00")


def test_the_band_of_a_derivative_stock_flexes_by_five_three_and_two():
    found = RULES.flexes(TODAY, 6)
    assert found == [
        BandFlex(15.0, 15, 5),
        BandFlex(20.0, 15, 5),
        BandFlex(23.0, 30, 30),
        BandFlex(26.0, 30, 30),
        BandFlex(28.0, 60, 60),
        BandFlex(30.0, 60, 60),
    ]
    assert RULES.band_percents(TODAY, "derivative stock") == [10.0]
    assert RULES.band_percents(TODAY, "fixed") == [2.0, 5.0, 10.0, 20.0]
    assert RULES.flexes(TODAY, 3, "fixed") == []
    with pytest.raises(DataError, match="2024-11-17"):
        RULES.flexes(date(2024, 11, 17), 1)


@pytest.mark.parametrize(
    ("close", "percent", "tick", "lowest", "highest"),
    [
        (143.95, 10.0, 0.01, 129.56, 158.34),  # 129.555 and 158.345
        (100.0, 20.0, 0.05, 80.0, 120.0),
        (1498.3, 5.0, 0.1, 1423.4, 1573.2),  # 1423.385 and 1573.215
        (12816.0, 2.0, 1.0, 12560.0, 13072.0),  # 12559.68 and 13072.32
    ],
)
def test_a_band_stands_on_the_grid_within_its_percent(close, percent, tick, lowest, highest):
    assert price_band(close, percent, tick) == (lowest, highest)


@given(
    ticks=st.integers(100, 10**6),
    percent=st.sampled_from([2.0, 5.0, 10.0, 20.0]),
    tick=st.sampled_from([0.01, 0.05, 0.1, 0.5, 1.0, 5.0]),
)
def test_no_grid_price_within_the_percent_lies_outside_the_band(ticks, percent, tick):
    close = round(ticks * tick, 2)
    lowest, highest = price_band(close, percent, tick)
    reach = close * percent / 100.0
    assert close - reach - 1e-6 <= lowest < close - reach + tick + 1e-6
    assert close + reach - tick - 1e-6 < highest <= close + reach + 1e-6


@pytest.mark.parametrize(
    ("exchange", "kind", "underlying", "reference", "low", "high"),
    [
        ("NFO", "CE", "index", 50.0, 30.0, 70.0),
        ("NFO", "PE", "stock", 10.0, 0.0, 30.0),
        ("NFO", "CE", "index", 200.0, 120.0, 280.0),
        ("NFO", "FUT", "stock", 1000.0, 970.0, 1030.0),
        ("BFO", "FUT", "index", 8000.0, 7800.0, 8200.0),
        ("BFO", "FUT", "index", 80000.0, 78400.0, 81600.0),
        ("BFO", "FUT", "stock", 40.0, 38.5, 41.5),
    ],
)
def test_limit_price_protection_is_a_percent_and_at_least_some_rupees(
    exchange, kind, underlying, reference, low, high
):
    found = RULES.execution_range(TODAY, exchange, kind, underlying, reference)
    assert found == pytest.approx((low, high))


def test_protection_before_it_began_is_not_known():
    with pytest.raises(DataError, match="stock CE on BFO for 2026-07-05"):
        RULES.execution_range(date(2026, 7, 5), "BFO", "CE", "stock", 100.0)
    assert RULES.execution_range(date(2026, 7, 6), "BFO", "CE", "stock", 100.0) == (60.0, 140.0)


def test_the_limit_of_a_stop_order_stays_near_its_trigger():
    assert RULES.stop_limit_gap(TODAY, "FUT", 24000.0) == 480.0
    assert RULES.stop_limit_gap(TODAY, "FUT", 5000.0) == 200.0
    assert RULES.stop_limit_gap(TODAY, "PE", 40.0) == 10.0
    assert RULES.stop_limit_gap(TODAY, "CE", 100.0) == 20.0


@pytest.mark.parametrize(
    ("day", "exchange", "symbol", "derivatives", "auction"),
    [
        (date(2026, 8, 3), "NSE", "CANBK", True, True),
        (date(2026, 8, 3), "BSE", "CANBK", True, True),
        (date(2026, 8, 3), "NSE", "SMALLCAP", False, False),
        (date(2026, 7, 31), "NSE", "CANBK", True, False),
        (date(2026, 8, 3), "NSE", "CDSL", True, False),
        (date(2026, 8, 3), "BSE", "BSE", True, False),
        (date(2026, 8, 3), "NSE", "BSE", True, True),
    ],
)
def test_a_stock_with_derivatives_closes_by_auction_since_august_2026(
    day, exchange, symbol, derivatives, auction
):
    assert RULES.closes_by_auction(day, exchange, symbol, has_derivatives=derivatives) is auction


def test_the_auction_stays_within_three_percent():
    assert RULES.auction_percent(TODAY) == 3.0
    with pytest.raises(DataError, match="2026-08-02"):
        RULES.auction_percent(date(2026, 8, 2))


def test_an_expiry_on_a_holiday_is_on_the_day_before():
    found = RULES.expiries(CALENDAR, "NIFTY", date(2026, 11, 1), date(2026, 11, 30))
    assert [day.day for day in found] == [3, 9, 17, 23]
    assert RULES.expiries(CALENDAR, "INFY", date(2026, 11, 1), date(2026, 12, 31)) == [
        date(2026, 11, 23),
        date(2026, 12, 29),
    ]


def test_nifty_moved_from_thursday_to_tuesday_in_september_2025():
    found = RULES.expiries(CALENDAR, "NIFTY", date(2025, 8, 20), date(2025, 9, 12))
    assert found == [date(2025, 8, 21), date(2025, 8, 28), date(2025, 9, 2), date(2025, 9, 9)]
    assert date(2025, 10, 7) in RULES.expiries(
        CALENDAR, "NIFTY", date(2025, 10, 1), date(2025, 10, 31)
    )


def test_the_last_expiry_of_a_month_is_the_monthly_one():
    found = RULES.expiries(
        CALENDAR, "SENSEX", date(2026, 9, 1), date(2026, 10, 31), "BFO", monthly=True
    )
    assert found == [date(2026, 9, 24), date(2026, 10, 29)]


def test_expiries_beyond_the_holiday_lists_and_before_the_rules_are_refused():
    with pytest.raises(DataError, match="2027"):
        RULES.expiries(CALENDAR, "NIFTY", date(2026, 12, 1), date(2027, 1, 31))
    with pytest.raises(DataError, match="expiry day of INFY"):
        RULES.expiries(CALENDAR, "INFY", date(2025, 8, 1), date(2025, 8, 31))


def test_the_rows_of_the_table_name_known_sources_and_do_not_overlap():
    table = RULES._table
    groups = [
        (table.halts, lambda row: (row.percent, row.since)),
        (table.bands, lambda row: row.band_class),
        (table.auction, lambda row: ""),
        (table.protection, lambda row: (row.exchange, tuple(row.kinds), tuple(row.on))),
        (table.stop_gap, lambda row: tuple(row.kinds)),
        (table.expiries, lambda row: (row.exchange, tuple(row.names))),
    ]
    for rows, key in groups:
        assert all(row.source and set(row.source) <= set(table.sources) for row in rows)
        for one, other in combinations(rows, 2):
            assert one.last < other.first or other.last < one.first or key(one) != key(other)


def test_a_misspelt_column_of_the_table_is_refused(tmp_path):
    raw = msgspec.json.decode(FILE.read_bytes())
    raw["halts"][0]["percents"] = 1
    (tmp_path / "safeguards.json").write_bytes(msgspec.json.encode(raw))
    with pytest.raises(DataError, match="percents"):
        TradingSafeguards.load(tmp_path / "safeguards.json")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "exchange"),
    [
        ("NIFTY", "NFO"),
        ("BANKNIFTY", "NFO"),
        ("CANBK", "NFO"),
        ("SENSEX", "BFO"),
        ("BANKEX", "BFO"),
    ],
)
def test_the_expiries_of_a_real_dump_are_those_of_the_rules(market_data, name, exchange):
    dump = listings_of(market_data / "instruments" / "kite_combined_NSE_NFO_BFO_2026-08.csv.gz")
    book = InstrumentList(date(2026, 8, 18), dump)
    listed = [day for day in book.expiries(name, exchange=exchange) if day.year == 2026]
    ruled = RULES.expiries(CALENDAR, name, date(2026, 8, 18), date(2026, 12, 31), exchange)
    assert set(listed) <= set(ruled)
    near = min(date(2026, 9, 16), listed[-1])
    assert [day for day in ruled if day <= near] == [day for day in listed if day <= near]
    assert RULES.closes_by_auction(
        book.day, "NSE", "CANBK", has_derivatives=book.has_derivatives("CANBK")
    )
