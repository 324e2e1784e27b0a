"""Charges against worked examples, both sides of every change of a rate, and the table's rules."""

import json
from decimal import ROUND_HALF_UP, Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.accounting.charges import (
    FOREVER,
    LIMIT,
    ChargeRow,
    RateTable,
    contract_note,
    estimate_charges,
    order_charges,
)
from compiled.model.values import Instrument, Product, Side
from engine.errors import DataError
from engine.market import charges

TABLE = charges.load_rate_table()
PARTS = ("brokerage", "tax", "txn", "ipft", "sebi", "stamp", "gst", "total")

# name, day, segment, exchange, legs (side, quantity, price), exact components, contract note
# components
EXAMPLES = [
    (
        "delivery of one share in 2023",
        20230705,
        "EQ_DELIVERY",
        "NSE",
        [(Side.BUY, 1, 560.0)],
        "0 0.56 0.0182 0.00056 0.00056 0.084 0.0034776 0.6667976",
        "0 1 0.02 0 0 0 0 1.02",
    ),
    (
        "delivery of one share in 2022, before the investor protection fund",
        20220601,
        "EQ_DELIVERY",
        "NSE",
        [(Side.BUY, 1, 1498.0)],
        "0 1.498 0.051681 0 0.001498 0.2247 0.00957222 1.78545122",
        "0 2 0.05 0 0 0 0 2.05",
    ),
    (
        "delivery round trip",
        20261120,
        "EQ_DELIVERY",
        "NSE",
        [(Side.BUY, 100, 1000.0), (Side.SELL, 100, 1005.0)],
        "0 200.5 6.1551495 0.0002005 0.2005 15 1.144053 222.999903",
        "0 201 6.16 0 0.2 15 1.14 223.5",
    ),
    (
        "intraday round trip at NSE",
        20261120,
        "EQ_INTRADAY",
        "NSE",
        [(Side.BUY, 100, 1000.0), (Side.SELL, 100, 1005.0)],
        "40 25.125 6.1551495 0.0002005 0.2005 3 8.344053 82.824903",
        "40 25 6.16 0 0.2 3 8.34 82.7",
    ),
    (
        "intraday round trip at BSE",
        20261120,
        "EQ_INTRADAY",
        "BSE",
        [(Side.BUY, 100, 1000.0), (Side.SELL, 100, 1005.0)],
        "40 25.125 7.51875 0 0.2005 3 8.589465 84.433715",
        "40 25 7.52 0 0.2 3 8.58 84.3",
    ),
    (
        "index future round trip",
        20261120,
        "FUT",
        "NFO",
        [(Side.BUY, 65, 26000.0), (Side.SELL, 65, 26050.0)],
        "40 846.625 61.91009175 0.00338325 3.38325 33.8 18.9534105 1004.6751355",
        "40 847 61.91 0 3.38 34 18.96 1005.25",
    ),
    (
        "index option round trip",
        20261120,
        "OPT",
        "NFO",
        [(Side.BUY, 65, 146.0), (Side.SELL, 65, 146.0)],
        "40 14.235 6.743594 0 0.01898 0.2847 8.41726332 69.69953732",
        "40 14 6.74 0 0.02 0 8.42 69.18",
    ),
    (
        "currency future round trip",
        20261120,
        "CUR_FUT",
        "CDS",
        [(Side.BUY, 1000, 88.10), (Side.SELL, 1000, 88.20)],
        "40 0 0.61705 0 0.1763 0.0881 7.342803 48.224253",
        "40 0 0.62 0 0.18 0 7.34 48.14",
    ),
    (
        "commodity future round trip",
        20261120,
        "COM_FUT",
        "MCX",
        [(Side.BUY, 10, 120000.0), (Side.SELL, 10, 120100.0)],
        "40 120.1 50.421 0 2.401 24 16.70796 253.62996",
        "40 120 50.42 0 2.4 24 16.7 253.52",
    ),
    (
        "option sold on the last day of the old STT",
        20260331,
        "OPT",
        "NSE",
        [(Side.SELL, 65, 146.0)],
        "20 9.49 3.371797 0 0.00949 0 4.20863166 37.07991866",
        "20 9 3.37 0 0.01 0 4.2 36.58",
    ),
]

# segment, exchange, first day of the new rate, side, then what ₹1 crore costs in STT, exchange fee,
# IPFT and SEBI's fee on the day before and on the day: from the circulars, in rupees per crore
CHANGES = [
    ("EQ_DELIVERY", "NSE", 20210101, Side.SELL, (10_000, 325, 0, 5), (10_000, 345, 0, 5)),
    ("EQ_DELIVERY", "NSE", 20210401, Side.SELL, (10_000, 345, 0, 5), (10_000, 345, 0, 10)),
    ("EQ_INTRADAY", "NSE", 20230401, Side.SELL, (2_500, 345, 0, 10), (2_500, 325, 10, 10)),
    ("EQ_DELIVERY", "NSE", 20240401, Side.BUY, (10_000, 325, 10, 10), (10_000, 322, 10, 10)),
    ("EQ_DELIVERY", "NSE", 20241001, Side.BUY, (10_000, 322, 10, 10), (10_000, 297, 10, 10)),
    ("EQ_INTRADAY", "NSE", 20260301, Side.BUY, (0, 297, 10, 10), (0, 306.99, 0.01, 10)),
    ("EQ_INTRADAY", "BSE", 20230101, Side.SELL, (2_500, 345, 0, 10), (2_500, 375, 0, 10)),
    ("FUT", "NSE", 20230401, Side.SELL, (1_000, 200, 0, 10), (1_250, 190, 10, 10)),
    ("FUT", "NSE", 20240401, Side.SELL, (1_250, 190, 10, 10), (1_250, 188, 10, 10)),
    ("FUT", "NSE", 20241001, Side.SELL, (1_250, 188, 10, 10), (2_000, 173, 10, 10)),
    ("FUT", "NSE", 20260301, Side.SELL, (2_000, 173, 10, 10), (2_000, 182.99, 0.01, 10)),
    ("FUT", "NSE", 20260401, Side.SELL, (2_000, 182.99, 0.01, 10), (5_000, 182.99, 0.01, 10)),
    ("OPT", "NSE", 20210101, Side.SELL, (5_000, 5_000, 0, 5), (5_000, 5_300, 0, 5)),
    ("OPT", "NSE", 20230401, Side.SELL, (5_000, 5_300, 0, 10), (6_250, 5_000, 50, 10)),
    ("OPT", "NSE", 20240401, Side.SELL, (6_250, 5_000, 50, 10), (6_250, 4_950, 50, 10)),
    ("OPT", "NSE", 20241001, Side.SELL, (6_250, 4_950, 50, 10), (10_000, 3_503, 50, 10)),
    ("OPT", "NSE", 20260301, Side.SELL, (10_000, 3_503, 50, 10), (10_000, 3_553, 0, 10)),
    ("OPT", "NSE", 20260401, Side.SELL, (10_000, 3_553, 0, 10), (15_000, 3_553, 0, 10)),
    ("OPT", "NSE", 20260401, Side.BUY, (0, 3_553, 0, 10), (0, 3_553, 0, 10)),
    ("COM_FUT", "MCX", 20241001, Side.SELL, (1_000, 260, 0, 10), (1_000, 210, 0, 10)),
    ("COM_OPT", "MCX", 20241001, Side.SELL, (5_000, 5_000, 0, 10), (5_000, 4_180, 0, 10)),
]

DAY_BEFORE = {
    20210101: 20201231,
    20210401: 20210331,
    20230101: 20221231,
    20230401: 20230331,
    20240401: 20240331,
    20241001: 20240930,
    20260301: 20260228,
    20260401: 20260331,
}


def components(text):
    return SimpleNamespace(**dict(zip(PARTS, map(float, text.split()), strict=True)))


def row(first, last, charge="tax", buy=1_000, sell=2_000):
    return ChargeRow(charge, "EQ_DELIVERY", "NSE", first, last, buy, sell)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_an_estimate_is_the_exact_sum_of_the_worked_example(example):
    _, day, segment, exchange, legs, exact, _ = example
    rates = TABLE.rates(segment, exchange, day)
    estimates = [estimate_charges(rates, side, quantity, price) for side, quantity, price in legs]
    for part, expected in vars(components(exact)).items():
        assert sum(getattr(charged, part) for charged in estimates) == pytest.approx(
            expected, abs=1e-9
        ), part


@pytest.mark.parametrize("example", EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_a_contract_note_rounds_every_line_as_the_worked_example(example):
    _, day, segment, exchange, legs, _, rounded = example
    traded = {Side.BUY: [], Side.SELL: []}
    for side, quantity, price in legs:
        traded[side].append(round(quantity * price * 100))
    charged = contract_note(
        TABLE.rates(segment, exchange, day), traded[Side.BUY], traded[Side.SELL]
    )
    for part, expected in vars(components(rounded)).items():
        assert getattr(charged, part) == pytest.approx(expected, abs=1e-9), part


@pytest.mark.parametrize("example", EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_the_paise_booked_per_order_are_the_estimate_rounded_half_up(example):
    _, day, segment, exchange, legs, exact, _ = example
    rates = TABLE.rates(segment, exchange, day)
    booked = [
        order_charges(rates, side, quantity, round(quantity * price * 100))
        for side, quantity, price in legs
    ]
    assert sum(booked) == pytest.approx(float(exact.split()[-1]) * 100, abs=0.5 * len(legs))
    if len(legs) == 1:
        assert booked == [
            int(Decimal(exact.split()[-1]).quantize(Decimal("0.01"), ROUND_HALF_UP) * 100)
        ]


@pytest.mark.parametrize(
    "change", CHANGES, ids=[f"{c[0]}-{c[1]}-{c[2]}-{c[3].name}" for c in CHANGES]
)
def test_a_rate_changes_on_its_day_and_not_before(change):
    segment, exchange, day, side, before, after = change
    for when, expected in ((DAY_BEFORE[day], before), (day, after)):
        charged = estimate_charges(TABLE.rates(segment, exchange, when), side, 10_000, 1_000.0)
        got = (charged.tax, charged.txn, charged.ipft, charged.sebi)
        assert got == pytest.approx(expected, abs=1e-6)


def test_the_changes_above_are_all_the_changes_of_the_table():
    changes = {row.first for line in TABLE._rows.values() for row in line[1:]}
    assert {day for day in changes if day > 20200701} == set(DAY_BEFORE)


def test_stamp_duty_is_paid_by_the_buyer_alone():
    rates = TABLE.rates("EQ_DELIVERY", "NSE", 20261120)
    assert estimate_charges(rates, Side.BUY, 100, 1000.0).stamp == pytest.approx(15.0)
    assert estimate_charges(rates, Side.SELL, 100, 1000.0).stamp == 0.0


def test_the_units_of_an_equity_fund_pay_a_hundredth_of_the_stt_and_only_when_sold():
    rates = TABLE.rates("ETF_EQUITY_DELIVERY", "NSE", 20261120)
    assert estimate_charges(rates, Side.SELL, 1_000, 100.0).tax == pytest.approx(1.0)
    assert estimate_charges(rates, Side.BUY, 1_000, 100.0).tax == 0.0


@pytest.mark.parametrize(("quantity", "expected"), [(666, 19.98), (667, 20.0), (10_000, 20.0)])
def test_brokerage_is_a_share_of_the_turnover_up_to_twenty_rupees(quantity, expected):
    rates = TABLE.rates("EQ_INTRADAY", "NSE", 20261120)
    assert estimate_charges(rates, Side.BUY, quantity, 100.0).brokerage == pytest.approx(expected)
    assert contract_note(rates, [quantity * 100_00], []).brokerage == pytest.approx(expected)


def test_brokerage_is_charged_per_executed_order_and_all_else_on_the_sum_of_the_day():
    rates = TABLE.rates("OPT", "NSE", 20261120)
    charged = contract_note(rates, [100_00] * 3, [833_00] * 10)
    assert charged.brokerage == 260.0
    # 8330 x 0.15 % = 12.495, to the paisa 12.50, to the rupee 13
    assert charged.tax == 13.0
    assert contract_note(rates, [], [833_00]).tax == 1.0


def test_stamp_duty_of_a_note_is_rounded_once_to_the_rupee():
    rates = TABLE.rates("EQ_DELIVERY", "NSE", 20261120)
    # 1.4999985: by way of 1.50 it would be 2
    assert contract_note(rates, [9_999_99], []).stamp == 1.0
    assert contract_note(rates, [10_000_00], []).stamp == 2.0


def test_an_empty_note_costs_nothing():
    assert contract_note(TABLE.rates("OPT", "NSE", 20261120), [], []).total == 0.0


def test_an_order_that_traded_nothing_costs_nothing():
    assert order_charges(TABLE.rates("OPT", "NSE", 20261120), Side.BUY, 0, 0) == 0


@given(
    st.sampled_from(
        [
            ("EQ_DELIVERY", "NSE"),
            ("EQ_INTRADAY", "BSE"),
            ("FUT", "NFO"),
            ("OPT", "NFO"),
            ("COM_OPT", "MCX"),
        ]
    ),
    st.sampled_from([Side.BUY, Side.SELL]),
    st.integers(1, 100_000_000_000_0),
)
def test_the_booked_paise_are_exact_for_any_turnover(where, side, value):
    rates = TABLE.rates(*where, 20261120)
    nano = Decimal("1e-9")
    turnover = Decimal(value)
    brokerage = (
        min(turnover * rates.brokerage * nano, Decimal(2000))
        if where[0] != "EQ_DELIVERY"
        else Decimal(0)
    )
    if where[0].endswith("OPT"):
        brokerage = Decimal(2000)
    served = brokerage + turnover * (rates.txn + rates.ipft + rates.sebi) * nano
    rate = (
        rates.tax_buy + rates.stamp_buy if side == Side.BUY else rates.tax_sell + rates.stamp_sell
    )
    total = served * Decimal("1.18") + turnover * rate * nano
    assert order_charges(rates, side, 1, value) == total.quantize(Decimal(1), ROUND_HALF_UP)


def test_an_order_beyond_exact_arithmetic_is_refused():
    rates = TABLE.rates("EQ_DELIVERY", "NSE", 20261120)
    with pytest.raises(ValueError, match="1,000 crore"):
        order_charges(rates, Side.BUY, 1, LIMIT + 1)
    with pytest.raises(ValueError, match="1,000 crore"):
        contract_note(rates, [LIMIT + 1], [1])


@pytest.mark.parametrize(
    ("segment", "exchange", "day"),
    [
        ("EQ_DELIVERY", "NSE", 20200630),
        ("EQ_INTRADAY", "NSE", 19991231),
        ("OPT", "BFO", 20240930),
        ("COM_FUT", "NSE", 20261120),
        ("EQ", "NSE", 20261120),
    ],
)
def test_a_day_the_table_does_not_cover_is_refused_with_the_file_to_extend(segment, exchange, day):
    with pytest.raises(
        LookupError, match=rf"{segment} at .* on {day}: add the row to engine/market/charges.json"
    ):
        TABLE.rates(segment, exchange, day)


def test_the_table_covers_its_first_day():
    assert TABLE.rates("EQ_DELIVERY", "NSE", 20200701).stamp_buy == 150_000


def test_rows_are_taken_in_any_order():
    later, earlier = row(20240101, FOREVER, buy=7), row(20200101, 20231231, buy=3)
    rest = [
        row(20200101, FOREVER, charge)
        for charge in ("brokerage", "txn", "ipft", "sebi", "stamp", "gst")
    ]
    table = RateTable([later, *rest, earlier])
    assert table.rates("EQ_DELIVERY", "NSE", 20231231).tax_buy == 3
    assert table.rates("EQ_DELIVERY", "NSE", 20240101).tax_buy == 7


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (
            [row(20200101, 20231231), row(20231231, FOREVER)],
            "20231231-99991231: overlaps .* 20200101-20231231",
        ),
        ([row(20200101, FOREVER), row(20240101, FOREVER)], "20240101-99991231: overlaps"),
        (
            [row(20200101, 20240228), row(20240301, FOREVER)],
            "20240301-99991231: leaves a gap after",
        ),
        ([row(20240101, 20231231)], "20240101-20231231: ends before it begins"),
        ([row(20200101, FOREVER, "toll")], "toll EQ_DELIVERY NSE .*: no such charge"),
    ],
)
def test_a_table_with_an_overlap_or_a_gap_is_refused_and_names_the_row(rows, complaint):
    with pytest.raises(ValueError, match=complaint):
        RateTable(rows)


def test_every_row_of_the_file_names_a_source_that_the_file_describes():
    file = json.loads(charges.FILE.read_text(encoding="utf-8"))
    for entry in file["rates"] + file["fees"]:
        assert entry["source"], entry
        assert set(entry["source"]) <= set(file["sources"]), entry


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"rate": "0.18"', '"rat": "0.18"', "unknown field `rat`"),
        ('"rate": "0.000030699"', '"rate": "0.0000306991"', "finer than the table's unit"),
        ('["OPT"]', '["OPTION"]', "OPTION"),
        ('"until": "2023-03-31"', '"until": "2023-03-30"', "leaves a gap"),
    ],
)
def test_a_file_with_a_mistake_is_refused_and_named(tmp_path, old, new, complaint):
    text = charges.FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "charges.json"
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=complaint) as caught:
        charges.load_rate_table(file)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        charges.load_rate_table(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("exchange", "kind", "product", "expected"),
    [
        ("NSE", "EQ", Product.CNC, "EQ_DELIVERY"),
        ("BSE", "EQ", Product.MIS, "EQ_INTRADAY"),
        ("NSE", "EQ", Product.MTF, "EQ_MTF"),
        ("NFO", "FUT", Product.NRML, "FUT"),
        ("BFO", "CE", Product.MIS, "OPT"),
        ("CDS", "FUT", Product.NRML, "CUR_FUT"),
        ("BCD", "PE", Product.NRML, "CUR_OPT"),
        ("MCX", "FUT", Product.MIS, "COM_FUT"),
        ("MCX", "CE", Product.NRML, "COM_OPT"),
    ],
)
def test_the_segment_follows_from_the_instrument_and_the_product(exchange, kind, product, expected):
    assert (
        charges.charge_segment(Instrument(1, exchange, "X", 0.05, kind=kind), product) == expected
    )


@pytest.mark.parametrize(
    ("exchange", "kind", "product"), [("NSE", "INDEX", Product.CNC), ("NSE", "EQ", Product.NRML)]
)
def test_what_nobody_can_trade_has_no_segment(exchange, kind, product):
    with pytest.raises(ValueError, match="no charge segment for NSE:X"):
        charges.charge_segment(Instrument(1, exchange, "X", 0.05, kind=kind), product)


@pytest.mark.parametrize(
    ("name", "day", "paise"),
    [
        ("dp", 20240930, 15_93),
        ("dp", 20241001, 15_34),
        ("dp", 20261120, 15_34),
        ("square_off", 20261120, 59_00),
    ],
)
def test_fees_outside_the_note_are_dated_too(name, day, paise):
    assert charges.fee(name, day) == paise


@pytest.mark.parametrize(("name", "day"), [("dp", 20171231), ("toll", 20261120)])
def test_a_fee_the_table_does_not_know_is_refused(name, day):
    with pytest.raises(LookupError, match=f"no fee {name} on {day}"):
        charges.fee(name, day)
