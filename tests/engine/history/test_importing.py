"""Files of others become bars.

Whose format it is, in which zone, which end of the bar, and what is left out and why.
"""

import gzip
import re
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError
from engine.history.bar_files import files_in, read_table
from engine.history.bar_import import ImportOptions, import_bars
from engine.history.column_layouts import symbol_of
from engine.history.expected_bars import ExpectedBars
from engine.market.calendar import Calendar
from tui.commands.cli import run_command

IST = timezone(timedelta(hours=5, minutes=30))
DAY = 86_400
KITE = """date,open,high,low,close,volume,oi
2024-06-04 09:15:00+05:30,1419.9,1420,1413.05,1417.65,212006,0
2024-06-04 09:16:00+05:30,1418.85,1423.75,1416.95,1418.05,183144,0
"""
YFINANCE = """Price,Close,High,Low,Open,Volume
Ticker,INFY.NS,INFY.NS,INFY.NS,INFY.NS,INFY.NS
Datetime,,,,,
2024-06-04 03:45:00+00:00,1417.65,1420.0,1413.05,1419.9,212006
2024-06-04 03:46:00+00:00,1418.05,1423.75,1416.95,1418.85,183144
"""
AMIBROKER = """INFY,20240604,09:15:59,1419.9,1420,1413.05,1417.65,212006,0
INFY,20240604,09:16:59,1418.85,1423.75,1416.95,1418.05,183144,0
"""
METASTOCK = """<TICKER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>
INFY,20240604,0915,1419.9,1420,1413.05,1417.65,212006
INFY,20240604,0916,1418.85,1423.75,1416.95,1418.05,183144
"""
VENDOR = """Ticker,Date,Time,Open,High,Low,Close,Volume,Open Interest
INFY.NSE,04/06/2024,09:15:59,1419.9,1420,1413.05,1417.65,212006,0
INFY.NSE,04/06/2024,09:16:59,1418.85,1423.75,1416.95,1418.05,183144,0
"""
EPOCH = """time;open;high;low;close;Volume
1717472700;1419.9;1420;1413.05;1417.65;212006
1717472760;1418.85;1423.75;1416.95;1418.05;183144
"""
NAIVE_UTC = """datetime,open,high,low,close,volume
2024-06-04T03:45:00,1419.9,1420,1413.05,1417.65,212006
2024-06-04T03:46:00,1418.85,1423.75,1416.95,1418.05,183144
"""
ENDS = (
    "timestamp,open,high,low,close,volume\n2024-06-04 09:16,1419.9,1420,1413.05,1417.65,212006\n"
    + "".join(
        f"2024-06-04 {minute // 60:02}:{minute % 60:02},1418.85,1423.75,1416.95,1418.05,183144\n"
        for minute in range(557, 931)
    )
)
MINUTES = [
    (datetime(2024, 6, 4, 9, 15, tzinfo=IST), 1419.9, 1420.0, 1413.05, 1417.65, 212_006),
    (datetime(2024, 6, 4, 9, 16, tzinfo=IST), 1418.85, 1423.75, 1416.95, 1418.05, 183_144),
]
FULL = """SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, \
LAST_PRICE, CLOSE_PRICE, AVG_PRICE, TTL_TRD_QNTY
INFY, EQ, 04-Jun-2024, 1406.45, 1402.80, 1410.00, 1358.35, 1378.80, 1377.55, 1384.73, 16044404
INFY, N1, 04-Jun-2024, 100, 100, 100, 100, 100, 100, 100, 10
"""
BEFORE_2024 = """SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,\
TIMESTAMP,TOTALTRADES,ISIN,
INFY,EQ,1402.8,1410,1358.35,1377.55,1378.8,1406.45,16044404,2221705000.5,\
04-JUN-2024,401022,INE009A01021,
"""
UDIFF = """TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,\
OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,TtlTradgVol
2024-06-04,2024-06-04,CM,NSE,STK,1594,INE009A01021,INFY,EQ,,\
1402.80,1410.00,1358.35,1377.55,1378.80,1406.45,16044404
"""

UDIFF_HEAD = (
    "TradDt,Src,FinInstrmTp,TckrSymb,SctySrs,XpryDt,StrkPric,OptnTp,FinInstrmNm,"
    "OpnPric,HghPric,LwPric,ClsPric,TtlTradgVol\n"
)
CONTRACTS = f"""{UDIFF_HEAD}\
2024-07-08,NSE,IDF,NIFTY,,2024-07-25,,,NIFTY24JULFUT,24350,24390,24300,24360,5000
2024-07-08,NSE,IDO,NIFTY,,2024-07-25,24000,CE,NIFTY24JUL24000CE,500,510,450,480,25
2024-07-08,NSE,IDO,NIFTY,,2024-07-25,24000,PE,NIFTY24JUL24000PE,0,0,0,105,0
"""
SHARES = f"""{UDIFF_HEAD}2024-07-08,NSE,STK,BHARTIARTL,EQ,,,,BHARTI AIRTEL,1420,1430,1410,1425,1000
2024-07-08,NSE,STK,BHARTIARTL,E1,,,,BHARTI AIRTEL PP,1020,1030,1010,1025,10
2024-07-08,NSE,STK,NHAI,N2,,,,A BOND,1100,1100,1100,1100,5
2024-07-08,BSE,STK,SHRIRAMFIN,A,,,,SHRIRAM FINANCE,2850,2860,2840,2855,20
"""
OLD_CONTRACTS = """INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP,OPEN,HIGH,LOW,CLOSE,\
CONTRACTS,TIMESTAMP,
OPTIDX,NIFTY,25-Jul-2024,24000,CE,500,510,450,480,10,05-JUL-2024,
OPTIDX,NIFTY,25-Jul-2024,24000,PE,100,110,90,105,10,05-JUL-2024,
"""
TWO_TICKERS = {
    "by price": """Price,Close,Close,High,High,Low,Low,Open,Open
Ticker,INFY.NS,SBIN.NS,INFY.NS,SBIN.NS,INFY.NS,SBIN.NS,INFY.NS,SBIN.NS
Date,,,,,,,,
2024-06-03,12,22,13,23,10,20,11,21
2024-06-04,,32,,33,,30,,31
""",
    "by ticker": """Ticker,SBIN.NS,SBIN.NS,SBIN.NS,SBIN.NS,INFY.NS,INFY.NS,INFY.NS,INFY.NS
Price,Open,High,Low,Close,Open,High,Low,Close
Date,,,,,,,,
2024-06-03,21,23,20,22,11,13,10,12
2024-06-04,31,33,30,32,,,,
""",
    "older": """,Adj Close,Adj Close,Close,Close,High,High,Low,Low,Open,Open
,INFY.NS,SBIN.NS,INFY.NS,SBIN.NS,INFY.NS,SBIN.NS,INFY.NS,SBIN.NS,INFY.NS,SBIN.NS
Date,,,,,,,,,,
2024-06-03,1,2,12,22,13,23,10,20,11,21
2024-06-04,,3,,32,,33,,30,,31
""",
}


def plain(times, symbol=""):
    return "date,symbol,open,high,low,close\n" + "".join(
        f"{time},{symbol},10,11,9,10\n" for time in times
    )


@pytest.fixture(scope="module")
def expected():
    return ExpectedBars(Calendar.load())


@pytest.fixture
def brought(tmp_path, expected):
    def bring(text, name="INFY.csv", given=(), **options):
        file = tmp_path / name
        file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return list(import_bars(read_table(file, dict(given)), ImportOptions(**options), expected))

    return bring


def rows(one):
    series = one.series
    return [
        (datetime.fromtimestamp(start / 1e9, IST), *prices, volume)
        for start, *prices, volume in zip(*(column.tolist() for column in series[:6]), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "name", "side"),
    [
        (KITE, "INFY_minute.csv", "start"),
        (KITE, "INFY__EQ__NSE__NSE__MINUTE.csv.gz", "start"),
        (YFINANCE, "anything.csv", "start"),
        (AMIBROKER, "export.txt", "end"),
        (METASTOCK, "export.txt", "start"),
        (VENDOR, "20240604.csv", "end"),
        (EPOCH, "INFY.csv", "start"),
        (NAIVE_UTC, "INFY.csv", "start"),
        ("﻿" + KITE.replace("\n", "\r\n"), "INFY.csv", "start"),
    ],
    ids=[
        "kite",
        "kite-gz",
        "yfinance",
        "amibroker",
        "metastock",
        "vendor",
        "epoch",
        "naive-utc",
        "bom-crlf",
    ],
)
def test_two_minutes_are_the_same_two_minutes_in_every_format(brought, text, name, side):
    (one,) = brought(text, name)
    assert (one.symbol, one.report.span, one.report.side, one.report.left_out) == (
        "INFY",
        60,
        side,
        (),
    )
    assert rows(one) == MINUTES


@pytest.mark.parametrize("text", [FULL, BEFORE_2024, UDIFF], ids=["full", "before 2024", "udiff"])
def test_a_bhavcopy_is_a_day_of_every_share_and_of_no_other_series(brought, text):
    (one,) = brought(text, "bhavcopy.csv")
    assert (one.symbol, one.report.span) == ("INFY", DAY)
    assert rows(one) == [
        (datetime(2024, 6, 4, 9, 15, tzinfo=IST), 1402.8, 1410.0, 1358.35, 1377.55, 16_044_404)
    ]
    assert [(left.why, left.total) for left in one.report.left_out] == (
        [("another series", 1)] if text is FULL else []
    )


def test_contracts_of_a_bhavcopy_are_called_by_their_own_names(brought):
    assert {
        one.symbol: rows(one)[0][1:] for one in brought(CONTRACTS, "fo.csv") if one.report.bars
    } == {
        "NIFTY24JULFUT": (24350, 24390, 24300, 24360, 5000),
        "NIFTY24JUL24000CE": (500, 510, 450, 480, 25),
    }


def test_of_a_symbols_series_the_share_is_taken_and_what_has_none_refuses_no_file(brought):
    found = {
        one.symbol: (one.report.span, [row[1:5] for row in rows(one)])
        for one in brought(SHARES, "bhav.csv")
    }
    assert found == {
        "BHARTIARTL": (DAY, [(1420, 1430, 1410, 1425)]),
        "NHAI": (DAY, []),
        "SHRIRAMFIN": (DAY, [(2850, 2860, 2840, 2855)]),
    }


@pytest.mark.parametrize("text", TWO_TICKERS.values(), ids=TWO_TICKERS)
def test_yfinances_tickers_beside_each_other_are_each_its_own_symbol(brought, text):
    found = {one.symbol: [(row[0].day, *row[1:5]) for row in rows(one)] for one in brought(text)}
    assert found == {
        "INFY": [(3, 11, 13, 10, 12)],
        "SBIN": [(3, 21, 23, 20, 22), (4, 31, 33, 30, 32)],
    }


def test_a_share_that_seldom_trades_is_read_as_the_rest_of_its_file(brought):
    # 09:15 to 15:29 in UTC
    minutes = [f"2024-06-04T{minute // 60:02}:{minute % 60:02}:00" for minute in range(225, 600)]
    busy, seldom, once = (
        plain(times, name)
        for times, name in ((minutes, "BUSY"), (minutes[330::5], "SELDOM"), (minutes[374:], "ONCE"))
    )
    found = {
        one.symbol: one for one in brought(busy + seldom.split("\n", 1)[1] + once.split("\n", 1)[1])
    }
    assert {
        name: (one.report.span, one.report.zone, one.report.bars) for name, one in found.items()
    } == {
        "BUSY": (60, "UTC", 375),
        "SELDOM": (60, "UTC", 9),
        "ONCE": (60, "UTC", 1),
    }
    assert rows(found["ONCE"])[0][0] == datetime(2024, 6, 4, 15, 29, tzinfo=IST)


@pytest.mark.parametrize(
    ("ends", "span"),
    [
        (("10:15", "11:15", "12:15", "13:15", "14:15", "15:15", "15:30"), 3600),
        (("10:15", "11:15", "12:15", "13:15", "14:15", "15:15", "16:15"), 3600),
        (("09:44:59", "10:14:59", "10:44:59", "11:14:59"), 1800),
    ],
)
def test_ends_of_hours_and_half_hours_are_known_on_their_grid(brought, ends, span):
    (one,) = brought(plain([f"2024-06-04 {end}" for end in ends], "INFY"))
    first = datetime(2024, 6, 4, 9, 15, tzinfo=IST)
    assert (one.report.side, one.report.span, one.report.left_out) == ("end", span, ())
    assert [row[0] for row in rows(one)] == [
        first + timedelta(seconds=span * n) for n in range(len(ends))
    ]


@pytest.mark.parametrize(
    "dates",
    [
        [f"06/{day:02}/2024" for day in (3, 4, 5)],
        [f"{day:02}/06/2024" for day in (3, 4, 5)],
        [f"{day:02}-06-24" for day in (3, 4, 5)],
        [f"{day:02}-Jun-24" for day in (3, 4, 5)],
        [f"{datetime(2024, 6, day, tzinfo=IST).timestamp():.1f}" for day in (3, 4, 5)],
    ],
    ids=["month first", "day first", "two digits", "name", "float"],
)
def test_dates_are_the_days_that_lie_together(brought, dates):
    (one,) = brought(plain(dates, "INFY"))
    assert [row[0].date() for row in rows(one)] == [date(2024, 6, day) for day in (3, 4, 5)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (KITE.replace("1419.9,", '"1,419.90",').replace("212006", '"2,12,006"'), "INFY.csv"),
        (KITE.split("\n", 1)[1], "INFY.csv"),
        (KITE, "NSE_INFY, 1.csv"),
        (KITE, "NSE_DLY_INFY, 1_1a2b3.csv"),
        (KITE, "INFY (1).csv"),
        (KITE.replace("date,", "symbol,date,").replace("\n2024", "\nNSE:INFY-EQ,2024"), "x.csv"),
    ],
)
def test_thousands_no_header_and_names_of_charts_are_read(brought, text, name):
    (one,) = brought(text, name)
    assert (one.symbol, rows(one)) == ("INFY", MINUTES)


def test_what_a_file_is_says_its_first_bytes_and_not_its_name(tmp_path, expected):
    for name in ("INFY.CSV.GZ", "INFY.csv"):
        (tmp_path / name).write_bytes(gzip.compress(KITE.encode()))
        (one,) = import_bars(read_table(tmp_path / name, {}), ImportOptions(), expected)
        assert rows(one) == MINUTES


def test_stamps_that_name_the_end_of_a_bar_are_known_by_the_close(brought):
    (one,) = brought(ENDS)
    assert (one.report.side, one.report.bars) == ("end", 375)
    assert rows(one)[:2] == MINUTES
    (as_told,) = brought(ENDS, side="start", outside=True)
    assert rows(as_told)[0][0] == datetime(2024, 6, 4, 9, 16, tzinfo=IST)


def test_what_is_no_bar_is_left_out_and_named_by_its_row(brought):
    head, first, second = KITE.splitlines()
    lines = [
        head,
        first,
        second,
        first,  # repeated: row 3
        # the same time, another close: the last row counts, row 2 is left out
        second.replace("1418.05", "1419.05"),
        "2024-06-04 09:17:00+05:30,,1,1,1,1,0",  # empty: row 5
        "2024-06-04 09:18:00+05:30,10,9,8,9,1,0",  # high below open: row 6
        "2024-06-04 09:19:00+05:30,10,11,-1,10,1,0",  # row 7
        "2024-06-04 09:08:00+05:30,10,11,9,10,1,0",  # the pre-open: row 8
        "2024-06-02 09:15:00+05:30,10,11,9,10,1,0",  # a Sunday: row 9
        "2024-06-04 09:20:00+05:30,10,11,9,10,-5,0",  # row 10
    ]
    (one,) = brought("\n".join(lines) + "\n")
    assert {left.why: (left.total, left.rows) for left in one.report.left_out} == {
        "empty": (1, (5,)),
        "impossible": (3, (6, 7, 10)),
        "outside the session": (2, (8, 9)),
        "repeated": (1, (1,)),
        "conflicting": (1, (2,)),
    }
    assert [row[4] for row in rows(one)] == [1417.65, 1419.05]


def test_prices_of_floats_are_rounded_to_a_ten_thousandth_and_counted(brought):
    (one,) = brought(KITE.replace("1417.65", "1417.6500244140625"))
    assert (one.report.rounded, rows(one)[0][4]) == (1, 1417.65)


def test_a_day_of_unknown_hours_is_taken_and_told(brought):
    # muhurat trading whose clock times are in no list yet
    text = KITE.replace("2024-06-04 09", "2026-11-08 18")
    (one,) = brought(text)
    assert (one.report.bars, one.report.unknown) == (2, (date(2026, 11, 8),))


@pytest.mark.parametrize(
    ("text", "given", "says"),
    [
        ("", {}, "empty"),
        (
            "a,b\nx,y\n",
            {},
            "no column for date, open, high, low, close among a, b; name it: --map date=COLUMN",
        ),
        (KITE, {"open": "opened"}, "--map open=opened: "),
        (
            KITE,
            {"opening": "open"},
            "--map opening=open: there is no opening; there are stamp, date, time, open",
        ),
        (KITE.replace("212006", "many"), {}, "many"),
        (
            KITE.replace("2024-06-04 09:16:00+05:30", "yesterday"),
            {},
            "row 2: 'yesterday' is no time as '2024-06-04 09:15:00+05:30' is",
        ),
        ("1,2,3\n", {}, "no header, and its first line is not"),
        (
            KITE.splitlines()[0] + "\n" + KITE.splitlines()[1] + "\n",
            {},
            "one bar does not tell its length",
        ),
        ("PK\x03\x04", {}, "save it as CSV (UTF-8)"),
        (OLD_CONTRACTS, {}, "contracts that only EXPIRY_DT, STRIKE_PR, OPTION_TYP tell apart"),
        (plain(["2024-05-06", "2024-05-13", "2024-05-20"]), {}, "bars are mostly 7 days apart"),
        (
            plain(["2024-06-04 09:15"], "INFY.NSE")
            + plain(["2024-06-04 09:15"], "INFY.BSE").split("\n", 1)[1],
            {"symbol": "symbol"},
            "one bar does not tell its length",
        ),
        (
            plain(["2024-06-04 09:15", "2024-06-04 09:16"], "INFY.NSE")
            + "2024-06-04 09:15,INFY.BSE,10,11,9,10\n",
            {},
            "holds INFY.BSE and INFY.NSE, both INFY: a file for each exchange",
        ),
        (
            KITE + "2024-06-04 09:17:00,10,11,9,10,1,0\n",
            {},
            "row 3: '2024-06-04 09:17:00' is no time as",
        ),
        (KITE.replace(",1419.9,", ',"1419,9",'), {}, "1419,9"),
        (plain(["240604", "240605"]), {}, "240605 is no time"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_the_mend(brought, text, given, says):
    with pytest.raises(DataError) as raised:
        brought(text, given=given)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("INFY_minute.csv", "INFY"),
        ("M&M__EQ__NSE__NSE__MINUTE.csv.gz", "M&M"),
        ("NIFTY_50.parquet", "NIFTY 50"),
        ("BAJAJ-AUTO.NS.csv", "BAJAJ-AUTO"),
        ("candles_1min_NIFTY25O0725000CE_9827074_20251007.csv", "NIFTY25O0725000CE"),
        ("ticks_NIFTY50_256265_20251007.csv", "NIFTY50"),
        ("reliance 5min data.csv", "RELIANCE"),
    ],
)
def test_a_symbol_is_what_a_files_name_says_besides_words_of_bars(tmp_path, name, symbol):
    assert symbol_of(tmp_path / name) == symbol


def test_parquet_of_any_type_of_time_is_the_same(tmp_path, expected):
    stamps = np.array(["2024-06-04T09:15", "2024-06-04T09:16"], "datetime64[ns]")
    prices = {
        name: [row[n] for row in MINUTES]
        for n, name in enumerate(("open", "high", "low", "close", "volume"), 1)
    }
    utc = stamps - np.timedelta64(330, "m")
    kinds = {
        "naive": pa.array(stamps, pa.timestamp("ms")),
        "zoned": pa.array(utc, pa.timestamp("ns", "Asia/Kolkata")),
        "text": pa.array(["2024-06-04 09:15:00", "2024-06-04 09:16:00"]),
        "epoch": pa.array(utc.astype(np.int64) // 1_000_000),
    }
    for name, times in kinds.items():
        file = tmp_path / f"INFY_{name}.parquet"
        pq.write_table(pa.table({"timestamp": times, **prices}), file)
        (one,) = import_bars(read_table(file, {}), ImportOptions(symbol="INFY"), expected)
        assert rows(one) == MINUTES, name


def test_a_folder_is_its_files_by_name(tmp_path):
    (tmp_path / "deeper").mkdir()
    for name in ("b.csv", "a.parquet", "deeper/c.txt", "notes.md"):
        (tmp_path / name).write_text("x")
    assert [file.name for file in files_in(tmp_path)] == ["a.parquet", "b.csv", "c.txt"]
    with pytest.raises(DataError, match="no such file or folder"):
        files_in(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["../../x", "I" * 73, "\x1b[31mRED", ""])
def test_rows_of_what_is_no_symbol_are_left_out_and_named(brought, name):
    text = "symbol,date,open,high,low,close\n" + "".join(
        f"{symbol},2024-06-04 09:1{minute},10,11,9,10\n"
        for minute in (5, 6)
        for symbol in (name, "INFY")
    )
    bars = {each.symbol: each.report for each in brought(text)}
    assert bars.pop("INFY").bars == 2
    (other,) = bars.values()
    assert (other.bars, other.left_out) == (0, (("no symbol", 2, (1, 3)),))
    if name:
        with pytest.raises(DataError, match="is no symbol: --symbol NAME"):
            brought("date,open,high,low,close\n2024-06-04,10,11,9,10\n", symbol=name)


def test_the_longest_symbol_is_kept_and_folded(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("date,open,high,low,close\n2024-06-03,1,2,1,2\n2024-06-04,1,2,1,2\n")
    name = "\u0939" * 24
    folder = ["--folder", str(tmp_path / "bars")]
    assert run_command(["bars", "import", str(file), "--symbol", name, *folder]) == 0
    assert run_command(["bars", "compact", *folder]) == 0
    assert run_command(["bars", "averages", *folder]) == 0


def test_a_header_alone_and_what_is_no_text_say_so(tmp_path, capsys):
    file = tmp_path / "a.csv"
    for text, why in [
        (b"date,open,high,low,close\n", "no rows below its header"),
        (b"date,open,high,low,close\n2024-06-04,1,2,1,2\0\n", "no text, or damaged"),
        (b"PK\x03\x04\0\0", "a spreadsheet or an archive"),
        ("date,open".encode("utf-16-le"), "UTF-16"),
    ]:
        file.write_bytes(text)
        assert run_command(["bars", "import", str(file), "--folder", str(tmp_path / "bars")]) == 2
        assert f"{file}: {why}" in capsys.readouterr().err


def test_the_same_bars_of_two_files_are_one_series_on_a_line_of_its_own(tmp_path, capsys):
    for name in ("INFY_2023.csv", "INFY_2024.csv"):
        (tmp_path / name).write_text(
            f"symbol,date,open,high,low,close\nINFY,{name[5:9]}-06-05,1,2,1,2\n"
        )
    folder = tmp_path / "bars"
    assert run_command(["bars", "import", str(tmp_path), "--folder", str(folder)]) == 0
    assert capsys.readouterr().err == "2 bars of 1 series stored as version imported\n"
    assert run_command(["bars", "export", "--folder", str(folder)]) == 0
    assert capsys.readouterr().err == "2 bars of 1 symbol\n"


def test_of_many_days_whose_hours_nobody_knows_the_first_are_named(tmp_path, capsys):
    file = tmp_path / "INFY.csv"
    file.write_text("date,open,high,low,close\n2024-06-03,1,2,1,2\n2099-06-03,1,2,1,2\n")
    folder = ["--folder", str(tmp_path / "bars")]
    assert run_command(["bars", "import", str(file), "--span", "86400", *folder]) == 0
    assert run_command(["bars", "gaps", *folder]) == 0
    told = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"hours not known: (\d{4}-\d\d-\d\d, ){4}\d{4}-\d\d-\d\d and \d+ more$", told)
