"""Files of others become bars: whose format it is, in which zone, which end of the bar, and what is left out and why."""

import gzip
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError
from engine.history.expected import ExpectedBars
from engine.history.files import files_in, read_table
from engine.history.importing import Options, imported
from engine.history.layouts import symbol_of
from engine.market.calendar import Calendar

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
ENDS = "timestamp,open,high,low,close,volume\n2024-06-04 09:16,1419.9,1420,1413.05,1417.65,212006\n" + "".join(
    f"2024-06-04 {minute // 60:02}:{minute % 60:02},1418.85,1423.75,1416.95,1418.05,183144\n"
    for minute in range(557, 931)
)
MINUTES = [
    (datetime(2024, 6, 4, 9, 15, tzinfo=IST), 1419.9, 1420.0, 1413.05, 1417.65, 212_006),
    (datetime(2024, 6, 4, 9, 16, tzinfo=IST), 1418.85, 1423.75, 1416.95, 1418.05, 183_144),
]
FULL = """SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE, TTL_TRD_QNTY
INFY, EQ, 04-Jun-2024, 1406.45, 1402.80, 1410.00, 1358.35, 1378.80, 1377.55, 1384.73, 16044404
INFY, N1, 04-Jun-2024, 100, 100, 100, 100, 100, 100, 100, 10
"""
BEFORE_2024 = """SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN,
INFY,EQ,1402.8,1410,1358.35,1377.55,1378.8,1406.45,16044404,2221705000.5,04-JUN-2024,401022,INE009A01021,
"""
UDIFF = """TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,TtlTradgVol
2024-06-04,2024-06-04,CM,NSE,STK,1594,INE009A01021,INFY,EQ,,1402.80,1410.00,1358.35,1377.55,1378.80,1406.45,16044404
"""


@pytest.fixture(scope="module")
def expected():
    return ExpectedBars(Calendar.load())


@pytest.fixture
def brought(tmp_path, expected):
    def bring(text, name="INFY.csv", given=(), **options):
        file = tmp_path / name
        file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return list(imported(read_table(file, dict(given)), Options(**options), expected))

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
    ids=["kite", "kite-gz", "yfinance", "amibroker", "metastock", "vendor", "epoch", "naive-utc", "bom-crlf"],
)
def test_two_minutes_are_the_same_two_minutes_in_every_format(brought, text, name, side):
    (one,) = brought(text, name)
    assert (one.symbol, one.report.span, one.report.side, one.report.left_out) == ("INFY", 60, side, ())
    assert rows(one) == MINUTES


@pytest.mark.parametrize("text", [FULL, BEFORE_2024, UDIFF], ids=["full", "before 2024", "udiff"])
def test_a_bhavcopy_is_a_day_of_every_share_and_of_no_other_series(brought, text):
    (one,) = brought(text, "bhavcopy.csv")
    assert (one.symbol, one.report.span) == ("INFY", DAY)
    assert rows(one) == [(datetime(2024, 6, 4, 9, 15, tzinfo=IST), 1402.8, 1410.0, 1358.35, 1377.55, 16_044_404)]
    assert [(left.why, left.total) for left in one.report.left_out] == ([("another series", 1)] if text is FULL else [])


def test_stamps_that_name_the_end_of_a_bar_are_known_by_the_close(brought):
    (one,) = brought(ENDS)
    assert (one.report.side, one.report.bars) == ("end", 375)
    assert rows(one)[:2] == MINUTES
    (as_told,) = brought(ENDS, side="start", outside=True)
    assert rows(as_told)[0][0] == datetime(2024, 6, 4, 9, 16, tzinfo=IST)


def test_what_is_no_bar_is_left_out_and_named_by_its_row(brought):
    head, first, second = KITE.splitlines()
    lines = [
        head, first, second,
        first,  # repeated: row 3
        second.replace("1418.05", "1419.05"),  # the same time, another close: the last row counts, row 2 is left out
        "2024-06-04 09:17:00+05:30,,1,1,1,1,0",  # empty: row 5
        "2024-06-04 09:18:00+05:30,10,9,8,9,1,0",  # high below open: row 6
        "2024-06-04 09:19:00+05:30,10,11,-1,10,1,0",  # row 7
        "2024-06-04 09:08:00+05:30,10,11,9,10,1,0",  # the pre-open: row 8
        "2024-06-02 09:15:00+05:30,10,11,9,10,1,0",  # a Sunday: row 9
        "2024-06-04 09:20:00+05:30,10,11,9,10,-5,0",  # row 10
    ]  # fmt: skip
    (one,) = brought("\n".join(lines) + "\n")
    assert {left.why: (left.total, left.rows) for left in one.report.left_out} == {
        "empty": (1, (5,)), "impossible": (3, (6, 7, 10)), "outside the session": (2, (8, 9)),
        "repeated": (1, (1,)), "conflicting": (1, (2,)),
    }  # fmt: skip
    assert [row[4] for row in rows(one)] == [1417.65, 1419.05]


def test_prices_of_floats_are_rounded_to_a_ten_thousandth_and_counted(brought):
    (one,) = brought(KITE.replace("1417.65", "1417.6500244140625"))
    assert (one.report.rounded, rows(one)[0][4]) == (1, 1417.65)


def test_a_day_of_unknown_hours_is_taken_and_told(brought):
    text = KITE.replace("2024-06-04 09", "2026-11-08 18")  # muhurat trading whose clock times are in no list yet
    (one,) = brought(text)
    assert (one.report.bars, one.report.unknown) == (2, (date(2026, 11, 8),))


@pytest.mark.parametrize(
    ("text", "given", "says"),
    [
        ("", {}, "empty"),
        ("a,b\nx,y\n", {}, "no column for date, open, high, low, close among a, b; name it: --map date=COLUMN"),
        (KITE, {"open": "opened"}, "--map open=opened: "),
        (KITE, {"opening": "open"}, "--map opening=open: there is no opening; there are stamp, date, time, open"),
        (KITE.replace("212006", "many"), {}, "many"),
        (
            KITE.replace("2024-06-04 09:16:00+05:30", "yesterday"),
            {},
            "row 2: 'yesterday' is no time as '2024-06-04 09:15:00+05:30' is",
        ),
        ("1,2,3\n", {}, "no header, and its first line is not"),
        (KITE.splitlines()[0] + "\n" + KITE.splitlines()[1] + "\n", {}, "one bar of INFY does not tell its length"),
        ("PK\x03\x04", {}, "save it as CSV (UTF-8)"),
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
        ("INFY_minute.csv", "INFY"), ("M&M__EQ__NSE__NSE__MINUTE.csv.gz", "M&M"), ("NIFTY_50.parquet", "NIFTY 50"),
        ("BAJAJ-AUTO.NS.csv", "BAJAJ-AUTO"), ("candles_1min_NIFTY25O0725000CE_9827074_20251007.csv", "NIFTY25O0725000CE"),
        ("reliance 5min data.csv", "RELIANCE"),
    ],
)  # fmt: skip
def test_a_symbol_is_what_a_files_name_says_besides_words_of_bars(tmp_path, name, symbol):
    assert symbol_of(tmp_path / name) == symbol


def test_parquet_of_any_type_of_time_is_the_same(tmp_path, expected):
    stamps = np.array(["2024-06-04T09:15", "2024-06-04T09:16"], "datetime64[ns]")
    prices = {name: [row[n] for row in MINUTES] for n, name in enumerate(("open", "high", "low", "close", "volume"), 1)}
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
        (one,) = imported(read_table(file, {}), Options(symbol="INFY"), expected)
        assert rows(one) == MINUTES, name


def test_a_folder_is_its_files_by_name(tmp_path):
    (tmp_path / "deeper").mkdir()
    for name in ("b.csv", "a.parquet", "deeper/c.txt", "notes.md"):
        (tmp_path / name).write_text("x")
    assert [file.name for file in files_in(tmp_path)] == ["a.parquet", "b.csv", "c.txt"]
    with pytest.raises(DataError, match="no such file or folder"):
        files_in(tmp_path / "nothing")
