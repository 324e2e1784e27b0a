"""Tradebooks and holdings as brokers and spreadsheets leave them.

What comes of them is worked out by hand.
"""

from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pytest

from compiled.model.values import Side
from engine.errors import ConfigError, DataError
from engine.market import charges
from engine.market.accounts.account_statement import account_postings
from engine.market.accounts.deals import charged_deals, deals_of, renamed_deals, without_repeats
from engine.market.accounts.lot_matching import match_lots
from engine.market.accounts.tax_report import SLAB, TaxRules, financial_year
from engine.market.accounts.tradebook import read_holdings, read_tradebook
from engine.market.asset_classes import AssetClass, asset_of
from engine.market.instruments import COLUMNS, read_dump
from tui.commands.market.charge_commands import legs_of

TABLE = charges.load_rate_table()
RULES = TaxRules.load()
HEADER = (
    "symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,order_id,"
    "order_execution_time"
)
INFY = [
    "INFY",
    "INE009A01021",
    "2025-06-02",
    "NSE",
    "EQ",
    "EQ",
    "buy",
    "false",
    "10.000000",
    "1400.000000",
    "1",
    "11",
    "2025-06-02T10:00:00",
]


def row(
    side,
    quantity,
    price,
    day="2025-06-02",
    number="1",
    symbol="INFY",
    isin="INE009A01021",
    exchange="NSE",
    segment="EQ",
    series="EQ",
    order="",
):
    return (
        f"{symbol},{isin},{day},{exchange},{segment},{series},{side},false,{quantity},{price},"
        f"{number},{order or number},{day}T10:00:00"
    )


def book(tmp_path, *rows, header=HEADER, name="book.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def reported(deals, fy="2025-26", gaps=None):
    year = financial_year(fy)
    return RULES.report(
        match_lots(charged_deals(renamed_deals(deals), TABLE, gaps), None, year.last), year
    )


def same(deal):
    return (
        deal.symbol,
        deal.day,
        deal.exchange,
        deal.segment,
        deal.side,
        deal.quantity,
        deal.value,
        deal.trade_id,
    )


WHOLE = ("INFY", date(2025, 6, 2), "NSE", "EQ_DELIVERY", Side.BUY, 10, 14_000_00, "1")
SPREADSHEETS = {
    "console": ("utf-8", [HEADER.split(","), INFY]),
    "a byte order mark": ("utf-8-sig", [HEADER.split(","), INFY]),
    "utf-16": ("utf-16", [HEADER.split(","), INFY]),
    "an empty last row": ("utf-8", [HEADER.split(","), INFY, [""] * 13, []]),
    "semicolons": ("utf-8;", [HEADER.split(","), INFY]),
    "a heading above": (
        "utf-8",
        [["Client ID", "AB1234"], ["Tradebook for Equity"], [], HEADER.split(","), INFY],
    ),
    "names as in the workbook": (
        "utf-8",
        [[each.replace("_", " ").title() for each in HEADER.split(",")], INFY],
    ),
    "a date of days first": ("utf-8", [HEADER.split(","), [*INFY[:2], "02-06-2025", *INFY[3:]]]),
    "a date of months first": ("utf-8", [HEADER.split(","), [*INFY[:2], "6/2/2025", *INFY[3:]]]),
    "a short year": (
        "utf-8",
        [HEADER.split(","), [*INFY[:2], "02/06/25", *INFY[3:12], "02/06/25 10:00"]],
    ),
    "a month by name": ("utf-8", [HEADER.split(","), [*INFY[:2], "02-Jun-2025", *INFY[3:]]]),
    "a spreadsheet's number of a day": (
        "utf-8",
        [HEADER.split(","), [*INFY[:2], "45810", *INFY[3:]]],
    ),
    "thousands apart": ("utf-8;", [HEADER.split(","), [*INFY[:9], "1,400.00", *INFY[10:]]]),
    "before 2021": (
        "utf-8",
        [
            [
                "trade_date",
                "tradingsymbol",
                "exchange",
                "segment",
                "trade_type",
                "quantity",
                "price",
                "order_id",
                "trade_id",
                "order_execution_time",
            ],
            [
                "2025-06-02",
                "INFY",
                "NSE",
                "EQ",
                "buy",
                "10",
                "1400.0",
                "11",
                "1",
                "2025-06-02T10:00:00",
            ],
        ],
    ),
}


@pytest.mark.parametrize("name", SPREADSHEETS)
def test_a_tradebook_is_read_however_it_was_saved(name, tmp_path):
    coding, rows = SPREADSHEETS[name]
    mark = ";" if coding.endswith(";") else ","
    path = tmp_path / "book.csv"
    path.write_bytes("\r\n".join(mark.join(cells) for cells in rows).encode(coding.rstrip(";")))
    assert [same(deal) for deal in read_tradebook(path)] == [WHOLE]


def test_a_workbook_is_read_like_the_csv_it_could_be(tmp_path):
    made = openpyxl.Workbook()
    page = made.active
    page.append(["", "Client ID", "AB1234"])
    page.append([])
    page.append(["", *[each.replace("_", " ").title() for each in HEADER.split(",")]])
    page.append(
        [
            "",
            *INFY[:2],
            datetime(2025, 6, 2),
            *INFY[3:8],
            10.0,
            1400.0,
            1,
            11,
            "2025-06-02T10:00:00",
        ]
    )
    made.save(tmp_path / "book.xlsx")
    assert [same(deal) for deal in read_tradebook(tmp_path / "book.xlsx")] == [WHOLE]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0rest", "an old spreadsheet .xls.: save it as CSV .UTF-8. or xlsx"),
        (b"symbol,\xe9\xff\n", "its letters cannot be read: save it as CSV"),
        (b"PK\x03\x04broken", "no readable workbook"),
        (b"a,b\n1,2\n", "no tradebook, it lacks symbol, trade_date"),
        (b"", "no tradebook"),
        (
            f"{HEADER}\n{row('buy', 10, 1400, number='1.23E+15')}".encode(),
            "line 2: a spreadsheet has rounded the number",
        ),
        (
            f"{HEADER}\n{row('hold', 10, 1400)}".encode(),
            "line 2: trade_type 'hold': expected buy or sell",
        ),
        (f"{HEADER}\n{row('buy', 0, 1400)}".encode(), "line 2: quantity '0'"),
        (f"{HEADER}\n{row('buy', 'ten', 1400)}".encode(), "line 2: 'ten' is no number"),
        (
            f"{HEADER}\n{row('buy', 1, 1400).replace('2025-06-02,', '2025-06-09,')}".encode(),
            "line 2: .* are two days",
        ),
        (
            f"{HEADER}\n\n{row('buy', 1, 1400).replace('2025-06-02', 'someday')}".encode(),
            "line 3: 'someday' is no date",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line_with_the_mend(content, message, tmp_path):
    path = tmp_path / "book.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_tradebook(path)


def test_derivatives_of_console_are_derivatives_and_a_future_is_held_over_days(tmp_path):
    option, future = "NIFTY2560524800CE", "NIFTY25JUNFUT"
    path = book(
        tmp_path,
        row("buy", 75, 24800, number="1", symbol=future, isin="", segment="FO", series=""),
        row("buy", 75, 100, number="2", symbol=option, isin="", segment="FO", series=""),
        row(
            "sell", 25, 110, number="3", symbol=option, isin="", segment="FO", series="", order="O"
        ),
        row(
            "sell", 50, 110, number="4", symbol=option, isin="", segment="FO", series="", order="O"
        ),
        row("sell", 75, "25033.333333", "2025-06-05", "5", future, "", segment="FO", series=""),
        header=HEADER + ",expiry_date",
    )
    deals = read_tradebook(path)
    assert {(deal.exchange, deal.segment) for deal in deals} == {("NFO", "FUT"), ("NFO", "OPT")}
    found = {
        entry.line.symbol: entry for entry in reported(deals).entries if entry.line.quantity != 25
    }
    assert (found[future].line.section, found[future].line.difference) == ("derivatives", 17_500_00)
    postings = account_postings(deals, TABLE, date(2025, 4, 1), date(2026, 3, 31))
    assert {posting.what for posting in postings} == {"contract note"}
    # two executed options: brokerage 40, STT 8.25 billed as 8, NSE 5.52, IPFT 0.08, SEBI 0.02, GST
    # 2 x 4.11
    assert [posting.charges for posting in postings if posting.segment == "OPT"] == [61_84]


def test_overlapping_files_count_a_trade_once(tmp_path):
    one = read_tradebook(book(tmp_path, row("buy", 10, 1400), row("buy", 5, 1400, number="2")))
    other = read_tradebook(
        book(tmp_path, row("buy", 5, 1400, number="2"), row("sell", 5, 1500, number="2"))
    )
    found, again = without_repeats([*one, *other])
    assert (again, sum(deal.quantity * deal.side for deal in found)) == (1, 10)


def test_a_purchase_before_the_stamp_duty_is_charged_all_that_is_known_and_told(tmp_path):
    path = book(
        tmp_path, row("buy", 10, 100, "2019-05-02"), row("sell", 10, 200, "2025-06-02", "2")
    )
    gaps = set()
    (entry,) = reported(read_tradebook(path), gaps=gaps).entries
    assert gaps == {"stamp of EQ_DELIVERY at NSE on 2019-05-02"}
    # bought: STT 1, NSE 0.03; sold: STT 2, NSE 0.06, GST 2 x 0.01
    assert (entry.term, entry.line.stt, entry.line.charges) == ("long", 3_00, 3_11)


def test_units_have_fractions(tmp_path):
    name = "PARAG PARIKH FLEXI CAP FUND - DIRECT PLAN"
    units = {
        "symbol": name,
        "isin": "INF879O01027",
        "exchange": "BSE",
        "segment": "MF",
        "series": "",
    }
    path = book(
        tmp_path,
        row("buy", "1396.929", "71.583", "2024-04-02", "1", **units),
        row("sell", "396.929", "80", "2025-06-02", "2", **units),
    )
    deals = charged_deals(read_tradebook(path), TABLE)
    assert (deals[0].quantity, deals[0].value, deals[0].charges) == (
        Decimal("1396.929"),
        99_996_37,
        5_00,
    )
    matched = match_lots(deals)
    (line,) = matched.lines
    assert (line.quantity, line.cost, line.proceeds) == (Decimal("396.929"), 28_413_37, 31_754_32)
    assert [(lot.quantity, lot.value) for lot in matched.open] == [(1000, 71_583_00)]


def test_a_renamed_share_is_one_share(tmp_path):
    path = book(
        tmp_path,
        row("buy", 100, 180, "2024-05-02", "1", "ZOMATO", "INE758T01015"),
        row("sell", 100, 240, "2025-06-02", "2", "ETERNAL", "INE758T01015"),
    )
    found = reported(read_tradebook(path))
    assert found.unmatched == 0
    assert [(entry.line.symbol, entry.term, entry.line.difference) for entry in found.entries] == [
        ("ETERNAL", "long", 6_000_00)
    ]


@pytest.mark.parametrize(
    ("symbol", "isin", "bought", "sold", "stt", "term", "percent"),
    [
        ("NIFTYBEES", "INF204KB14I2", "2025-05-02", "2025-05-06", 28, "short", 20.0),
        ("GOLDBEES", "INF204KB17I5", "2022-05-02", "2024-07-22", 0, "short", SLAB),
        ("GOLDBEES", "INF204KB17I5", "2022-05-02", "2024-07-23", 0, "long", 12.5),
        ("GOLDBEES", "INF204KB17I5", "2023-05-02", "2025-03-31", 0, "short", SLAB),
        ("GOLDBEES", "INF204KB17I5", "2023-05-02", "2025-04-01", 0, "long", 12.5),
        ("LIQUIDBEES", "INF732E01037", "2023-05-02", "2026-05-05", 0, "short", SLAB),
        ("SGBMAY29I-GB", "IN0020210012", "2025-05-02", "2025-06-02", 0, "short", SLAB),
        ("SGBMAY29I-GB", "IN0020210012", "2023-05-02", "2024-07-22", 0, "long", 10.0),
    ],
)
def test_funds_and_bonds_are_charged_and_taxed_as_what_they_are(
    symbol, isin, bought, sold, stt, term, percent, tmp_path
):
    path = book(
        tmp_path,
        row("buy", 100, 275, bought, "1", symbol, isin),
        row("sell", 100, 275, sold, "2", symbol, isin),
    )
    (line,) = match_lots(charged_deals(read_tradebook(path), TABLE)).lines
    entry = RULES.entry(line)
    assert (line.stt, entry.term, entry.percent) == (stt, term, percent)


def test_only_shares_and_equity_funds_share_the_exemption(tmp_path):
    path = book(
        tmp_path,
        row("buy", 1000, 60, "2024-05-02", "1", "GOLDBEES", "INF204KB17I5"),
        row("sell", 1000, 80, "2025-06-02", "2", "GOLDBEES", "INF204KB17I5"),
        row("buy", 1000, 60, "2024-05-02", "3"),
        row("sell", 1000, 80, "2025-06-02", "4"),
    )
    found = reported(read_tradebook(path))
    assert {bucket.equity: bucket.gain > 0 for bucket in found.taxable} == {
        True: False,
        False: True,
    }
    (gold,) = [entry.gain for entry in found.entries if entry.line.asset is AssetClass.OTHER_FUND]
    assert found.tax == round(gold * 0.125)


def test_bse_charges_by_the_group_that_a_tradebook_names(tmp_path):
    cost = {}
    for group in ("A", "XT", "Z", "SS", "ST"):
        (deal,) = charged_deals(
            read_tradebook(book(tmp_path, row("sell", 100, 1000, exchange="BSE", series=group))),
            TABLE,
        )
        cost[group] = deal.charges
    # of 1,00,000: STT 100, SEBI 0.10, and 3.75, 100 or 1,000 to the exchange, with GST on both
    assert cost == {"A": 104_55, "XT": 218_12, "Z": 218_12, "SS": 1280_12, "ST": 1280_12}


def test_holdings_are_the_stock_to_begin_with_and_in_no_note(tmp_path):
    held = tmp_path / "holdings.csv"
    held.write_text('Instrument,Qty.,Avg. cost,Date\nINFY,10,"1,000.00",15-01-2024\n')
    stock = read_holdings(held)
    sale = read_tradebook(book(tmp_path, row("sell", 10, 1400)))
    found = reported([*stock, *sale])
    assert [(entry.term, entry.line.opened, entry.line.cost) for entry in found.entries] == [
        ("long", date(2024, 1, 15), 10_000_00)
    ]
    assert len(account_postings([*stock, *sale], TABLE, date(2023, 4, 1), date(2026, 3, 31))) == 2


def test_holdings_without_a_day_say_which_is_wanted(tmp_path):
    held = tmp_path / "holdings.csv"
    held.write_text("Instrument,Qty.,Avg. cost,LTP\nINFY,10,1000,1400\n")
    with pytest.raises(DataError, match=r"add a column `date`.*IPO the allotment"):
        read_holdings(held)


@pytest.mark.parametrize(
    ("symbol", "name", "isin", "asset"),
    [
        ("RELIANCE", "RELIANCE INDUSTRIES", "", AssetClass.SHARE),
        ("JETFREIGHT", "JET FREIGHT LOGISTICS", "", AssetClass.SHARE),
        ("GOLDIAM", "GOLDIAM INTERNATIONAL", "INE025B01025", AssetClass.SHARE),
        ("FIRSTCRY", "BRAINBEES SOLUTIONS", "", AssetClass.SHARE),
        ("ITBEES", "", "", AssetClass.EQUITY_FUND),
        ("ALPHA", "KOTAK NIFTY ALPHA 50 ETF", "", AssetClass.EQUITY_FUND),
        ("HDFCGOLD", "", "", AssetClass.OTHER_FUND),
        ("MAFANG", "MIRAE ASSET NYSE FANG+ ETF", "", AssetClass.OTHER_FUND),
        ("LIQUIDCASE", "", "INF0R8F01034", AssetClass.DEBT_FUND),
        ("IRFC-N7", "", "", AssetClass.BOND),
        ("SGB", "", "IN0020210012", AssetClass.BOND),
    ],
)
def test_a_security_is_told_by_isin_symbol_and_name(symbol, name, isin, asset):
    assert asset_of(symbol, name, isin) is asset


NUMBERS = [
    "inf",
    "-inf",
    "nan",
    "sNaN",
    "1e308",
    "1e99",
    "1e999999999",
    "-5",
    "1_0",
    "\u0661\u0662",
    "0x10",
    "9" * 40,
    "1e",
    "x" * 100_000,
]


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("column", ["quantity", "price"])
def test_a_number_that_no_trade_has_is_refused_with_its_line(value, column, tmp_path):
    path = tmp_path / "book.csv"
    path.write_text(
        f"{HEADER}\n{row('buy', value, 1400) if column == 'quantity' else row('buy', 10, value)}",
        "utf-8",
    )
    with pytest.raises(DataError, match=r"book\.csv, line 2: ") as refused:
        read_tradebook(path)
    assert len(str(refused.value)) < 300 + len(str(path))


@pytest.mark.parametrize(("quantity", "price"), [(10**9 + 1, 1), (1, 10_000_001), (10**8, 101)])
def test_a_trade_beyond_the_bounds_is_refused(quantity, price, tmp_path):
    path = tmp_path / "book.csv"
    path.write_text(f"{HEADER}\n{row('buy', quantity, price)}", "utf-8")
    with pytest.raises(DataError, match=r"line 2: .*(at most|crore)"):
        read_tradebook(path)


def test_a_field_of_two_hundred_thousand_letters_is_one_line(tmp_path):
    path = tmp_path / "book.csv"
    path.write_text(f"{HEADER}\n{row('buy', 'x' * 200_000, 1400)}", "utf-8")
    with pytest.raises(DataError, match="line 2: field larger than field limit"):
        read_tradebook(path)
    path.write_text(f"exchange,segment,side,qty,price\nNSE,FUT,BUY,{'x' * 200_000},1", "utf-8")
    with pytest.raises(ConfigError, match=r"book\.csv, line 2: field larger"):
        legs_of(path)
    with pytest.raises(DataError, match="line 2: field larger"):
        read_dump(",".join(COLUMNS) + "\n" + "x" * 200_000, "dump")


FILLED = {
    "ts": 1_767_325_500_000_000_000,
    "exchange": "NSE",
    "symbol": "INFY",
    "side": "BUY",
    "quantity": 5,
    "price": 10.0,
    "order_id": "1",
    "trade_id": "1",
}
FILLS = {
    "quantity": [-5, 0, 1.5, "inf", "nan", 10**10, 10**30, "x"],
    "price": [-5.0, 0.0, "inf", "nan", 1e300, 1e8],
    "ts": [-1, 0, 10**30, "x"],
}


@pytest.mark.parametrize(
    ("column", "value"), [(column, value) for column, values in FILLS.items() for value in values]
)
def test_a_fill_that_cannot_have_been_is_refused(column, value):
    assert deals_of([FILLED])[0].value == 5_000
    with pytest.raises(DataError, match="fill 1: "):
        deals_of([FILLED | {column: value}])
