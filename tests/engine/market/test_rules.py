"""Dated order rules against the written facts, and tick sizes against recorded prices."""

from datetime import date
from itertools import combinations

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from brokers.kite.zerodha_sandbox import KITE_RULES
from engine.errors import DataError
from engine.market.order_rules import OrderRules

RULES = OrderRules.load()
TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        (0.5, 0.01),
        (249.99, 0.01),
        (250.0, 0.05),
        (1000.0, 0.05),
        (1000.1, 0.1),
        (5000.0, 0.1),
        (5000.1, 0.5),
        (10000.0, 0.5),
        (10001.0, 1.0),
        (20000.0, 1.0),
        (20001.0, 5.0),
        (130000.0, 5.0),
    ],
)
def test_a_stock_s_tick_grows_with_its_price_since_april_2025(price, tick):
    assert RULES.tick_size(date(2025, 4, 15), price) == tick
    assert RULES.tick_size(TODAY, price, "NFO", "stock future") == tick


def test_a_stock_s_tick_followed_two_older_rules_before():
    assert RULES.tick_size(date(2024, 6, 7), 143.95) == 0.05
    assert RULES.tick_size(date(2024, 6, 10), 143.95) == 0.01
    assert RULES.tick_size(date(2025, 4, 14), 12816.85) == 0.05
    assert RULES.tick_size(date(2025, 4, 15), 12816.85) == 1.0


@pytest.mark.parametrize(
    ("index", "tick"), [(14000, 0.05), (15000, 0.05), (25000, 0.1), (30000, 0.1), (58000, 0.2)]
)
def test_an_index_future_s_tick_goes_by_the_index(index, tick):
    assert RULES.tick_size(TODAY, index, "NFO", "index future") == tick


def test_etfs_and_options_have_one_tick_each():
    assert RULES.tick_size(TODAY, 300.0, "NSE", "etf") == 0.01
    assert RULES.tick_size(TODAY, 300.0, "NFO", "option") == 0.05


@pytest.mark.parametrize(
    ("name", "lot", "freeze"),
    [
        ("NIFTY", 65, 1800),
        ("BANKNIFTY", 30, 600),
        ("FINNIFTY", 60, 1800),
        ("MIDCPNIFTY", 120, 2800),
        ("NIFTYNXT50", 25, 600),
    ],
)
def test_lots_and_freeze_quantities_are_those_of_august_2026(name, lot, freeze):
    assert RULES.lot_size(TODAY, name) == lot
    assert RULES.freeze_quantity(TODAY, name) == freeze


def test_what_is_not_known_for_a_day_is_a_data_error_that_names_the_file():
    for ask in (
        lambda: RULES.lot_size(date(2025, 1, 1), "NIFTY"),
        lambda: RULES.lot_size(TODAY, "NIFTI"),
        lambda: RULES.freeze_quantity(TODAY, "SENSEX"),
        lambda: RULES.tick_size(TODAY, 100.0, "BSE"),
        lambda: RULES.order_limits(date(2018, 12, 31)),
        lambda: RULES.protection_percent(TODAY, 100.0, "INDEX"),
    ):
        with pytest.raises(DataError, match=r"add a row to .*rules\.json"):
            ask()


@pytest.mark.parametrize(
    ("kind", "price", "percent"),
    [
        ("EQ", 99.95, 2.0),
        ("EQ", 100.0, 1.0),
        ("EQ", 500.0, 1.0),
        ("EQ", 500.05, 0.5),
        ("FUT", 24000.0, 0.5),
        ("CE", 9.95, 5.0),
        ("PE", 10.0, 3.0),
        ("CE", 250.0, 2.0),
        ("PE", 500.05, 1.0),
    ],
)
def test_the_automatic_protection_band_narrows_as_the_price_rises(kind, price, percent):
    assert RULES.protection_percent(TODAY, price, kind) == percent


def test_zerodha_s_order_limits_are_those_of_2026():
    limits = RULES.order_limits(TODAY)
    assert (limits.per_second, limits.per_minute, limits.per_day, limits.modifications) == (
        10,
        400,
        5000,
        25,
    )
    assert (limits.max_value, limits.max_quantity) == (10_00_00_000, 1_00_000)
    assert (limits.low_percent, limits.high_percent, limits.ttl_minutes, limits.slices) == (
        50.0,
        150.0,
        120,
        10,
    )
    assert RULES.order_limits(date(2024, 6, 4)).confidence == "low"


def test_a_gtt_trigger_keeps_its_distance_from_the_last_price():
    limits = RULES.gtt_limits(TODAY)
    assert (limits.active, limits.days) == (500, 365)
    distance = limits.trigger_distance
    assert distance.least(1000.0) == 2.5
    assert distance.least(49.95) == 0.09
    assert distance.least(50.0) == 0.125
    kite = KITE_RULES.trigger_distance
    for last in (0.05, 20.0, 49.99, 50.0, 1000.0):
        assert kite.least(last) == distance.least(last)
    assert RULES.gtt_limits(date(2026, 6, 30)).active == 250


def test_the_rows_of_one_rule_do_not_overlap_and_name_known_sources():
    table = RULES._table
    for rows, key in (
        (table.ticks, lambda row: {(exchange, row.tick_class) for exchange in row.exchanges}),
        (table.lots, lambda row: {row.name}),
        (table.freezes, lambda row: {row.name}),
        (table.protection, lambda row: set(row.kinds)),
        (table.orders, lambda _: {""}),
        (table.gtt, lambda _: {""}),
    ):
        assert all(row.source and set(row.source) <= set(table.sources) for row in rows)
        for one, other in combinations(rows, 2):
            assert one.last < other.first or other.last < one.first or not key(one) & key(other)


def test_a_malformed_table_is_a_data_error(tmp_path):
    (tmp_path / "rules.json").write_text('{"ticks": []}')
    with pytest.raises(DataError, match=r"rules\.json"):
        OrderRules.load(tmp_path / "rules.json")


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", ["IRFC", "INFY", "MARUTI", "MRF"])
def test_recorded_prices_stand_on_the_tick_of_their_day_and_no_coarser_one(market_data, symbol):
    table = pq.read_table(
        market_data / "nse_1min" / f"{symbol}.parquet", columns=["timestamp", "close"]
    )
    days = {}
    for row in table.to_pylist():
        days.setdefault(row["timestamp"].date(), []).append(row["close"])
    closes = {(day.year, day.month): prices[-1] for day, prices in sorted(days.items())}
    for day, prices in days.items():
        base = closes.get((day.year - (day.month == 1), (day.month - 2) % 12 + 1), prices[0])
        e2 = round(RULES.tick_size(day, base) * 100)
        assert all(round(price * 100) % e2 == 0 for price in prices), (day, e2)
        if len(prices) > 100:
            assert any(round(price * 100) % (e2 * 2) for price in prices), (day, e2)


@pytest.mark.real_data
def test_lots_and_option_ticks_agree_with_an_instrument_dump(market_data):
    dump = pyarrow.csv.read_csv(
        market_data / "instruments" / "kite_combined_NSE_NFO_BFO_2026-08.csv.gz"
    ).to_pylist()
    names = {row.name for row in RULES._table.lots}
    seen = {
        (row["name"], row["lot_size"])
        for row in dump
        if row["name"] in names and row["instrument_type"] == "FUT"
    }
    assert seen == {(name, RULES.lot_size(date(2026, 8, 18), name)) for name in names}
    assert {
        row["tick_size"]
        for row in dump
        if row["name"] in names and row["instrument_type"] in {"CE", "PE"}
    } == {0.05}
