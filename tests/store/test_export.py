"""Exports read back as recorded, in rupees and Indian time."""

import asyncio
import csv
import json
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from compiled.model.values import Bar
from engine.errors import ConfigError, DataError, OperatorError
from engine.market.corporate_actions.action_list import CorporateActions, parsed_actions
from store.bars.parquet_bars import ParquetBars
from store.export import BarRange, export_table, ist_text
from store.sqlite_journal import SqliteJournal

ROOT = Path(__file__).resolve().parents[2]
DAY = 86_400 * 10**9
OPEN = 1_717_472_700_000_000_000  # 2024-06-04 09:15:00 IST
COMMON = {"strategy": "momentum", "token": 738561, "symbol": "RELIANCE", "exchange": "NSE"}


def fill(number, side, quantity, price, realised=0, charges=100):
    return COMMON | {
        "trade_id": f"T{number}",
        "order_id": f"O{number}",
        "intent": number,
        "rung": 1,
        "side": side,
        "quantity": quantity,
        "price": price,
        "ts": OPEN + number,
        "charges": charges,
        "realised": realised,
    }


def record(journal, table, *rows):
    for row in rows:
        journal.append(table, row)
    asyncio.run(wait(journal))


async def wait(journal):
    await journal.commit()


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def exported(database, tmp_path, what, format="csv"):
    out = tmp_path / f"out.{format}"
    export_table(database, what, out, format)
    return out


def test_money_has_two_decimals_and_times_are_indian(journal, database, tmp_path):
    record(
        journal,
        "fills",
        fill(1, "BUY", 10, 2801.05, charges=5) | {"realised": -123_456, "ts": OPEN},
    )
    (row,) = read_csv(exported(database, tmp_path, "fills"))
    assert row["charges"] == "0.05"
    assert row["realised"] == "-1234.56"
    assert row["price"] == "2801.05"
    assert row["ts"] == "2024-06-04T09:15:00+05:30"
    assert row["trade_id"] == "T1"


def test_json_writes_money_as_numbers_with_two_decimals(journal, database, tmp_path):
    record(journal, "fills", fill(1, "BUY", 10, 2801.05, realised=150_050))
    text = exported(database, tmp_path, "fills", "json").read_text()
    assert '"realised":1500.50' in text
    (row,) = json.loads(text, parse_float=Decimal)
    assert row["charges"] == Decimal("1.00")
    assert row["quantity"] == 10


def test_parquet_keeps_money_exact_and_times_typed(journal, database, tmp_path):
    record(journal, "fills", fill(1, "BUY", 10, 2801.05, realised=150_050) | {"ts": OPEN})
    table = pq.read_table(exported(database, tmp_path, "fills", "parquet"))
    assert table.column("realised").to_pylist() == [Decimal("1500.50")]
    assert str(table.schema.field("ts").type) == "timestamp[ns, tz=Asia/Kolkata]"
    assert table.column("ts")[0].value == OPEN


def test_a_time_that_has_not_come_is_empty(journal, database, tmp_path):
    record(
        journal,
        "trades",
        COMMON | {"trade_id": 1, "entry_time": OPEN, "exit_time": 0, "status": "open"},
    )
    (row,) = read_csv(exported(database, tmp_path, "trades"))
    assert row["entry_time"] == "2024-06-04T09:15:00+05:30"
    assert row["exit_time"] == ""
    assert pq.read_table(exported(database, tmp_path, "trades", "parquet")).column(
        "exit_time"
    ).to_pylist() == [None]


def test_a_text_with_commas_and_lines_comes_back_as_it_was(journal, database, tmp_path):
    reason = 'RMS: "margin", short\nby 5'
    record(
        journal,
        "orders",
        COMMON | {"order_id": "O1", "placed": OPEN, "reason": reason, "side": "SELL"},
    )
    (row,) = read_csv(exported(database, tmp_path, "orders"))
    assert row["reason"] == reason
    assert (
        json.loads(exported(database, tmp_path, "orders", "json").read_text())[0]["reason"]
        == reason
    )


@pytest.mark.parametrize("what", ["trades", "orders", "fills", "positions"])
def test_an_empty_table_gives_a_header_only(journal, database, tmp_path, what):
    lines = exported(database, tmp_path, what).read_text().splitlines()
    assert len(lines) == 1
    assert "symbol" in lines[0].split(",")
    assert json.loads(exported(database, tmp_path, what, "json").read_text()) == []
    table = pq.read_table(exported(database, tmp_path, what, "parquet"))
    assert (table.num_rows, table.schema.names) == (0, lines[0].split(","))


def test_a_position_has_the_quantity_average_charges_and_profit_of_its_fills(
    journal, database, tmp_path
):
    # 10 at 100 and 10 at 110 cost 105 each; 5 sold at 120 take 75 rupees; 15 are left at 105
    record(
        journal,
        "fills",
        fill(1, "BUY", 10, 100.0),
        fill(2, "BUY", 10, 110.0),
        fill(3, "SELL", 5, 120.0, realised=7_500),
    )
    (row,) = read_csv(exported(database, tmp_path, "positions"))
    assert (row["quantity"], row["average_price"]) == ("15", "105.0")
    assert (row["charges"], row["realised"]) == ("3.00", "75.00")


def test_a_position_that_went_from_long_to_short_has_the_average_of_the_short_side(
    journal, database, tmp_path
):
    # 10 bought at 100; 25 sold at 110 close them for 100 rupees and leave 15 short at 110
    record(journal, "fills", fill(1, "BUY", 10, 100.0), fill(2, "SELL", 25, 110.0, realised=10_000))
    (row,) = read_csv(exported(database, tmp_path, "positions"))
    assert (row["quantity"], row["average_price"], row["realised"]) == ("-15", "110.0", "100.00")


@pytest.mark.parametrize(
    ("sold", "quantity", "average"),
    [(0, "60", "20.0"), (20, "40", "20.0"), (60, "0", "")],
)
def test_shares_of_before_a_split_and_a_bonus_count_as_what_became_of_them(
    journal, database, tmp_path, sold, quantity, average
):
    # 10 at 120, 5 for 1, then 6 for 5: 60 that cost 1,200 in all, 20 each
    token = COMMON["token"]
    for day, shares, per in ((1, 5, 1), (2, 6, 5)):
        record(
            journal,
            "meta",
            {
                "key": f"division:{token}:{OPEN + day * DAY}",
                "value": json.dumps({"shares": shares, "per": per}),
            },
        )
    record(
        journal,
        "meta",
        {"key": f"division:{token + 1}:{OPEN + DAY}", "value": json.dumps({"shares": 9, "per": 1})},
    )
    fills = [fill(1, "BUY", 10, 120.0) | {"ts": OPEN}]
    if sold:
        fills.append(fill(2, "SELL", sold, 25.0, realised=sold * 500) | {"ts": OPEN + 3 * DAY})
    record(journal, "fills", *fills)
    (row,) = read_csv(exported(database, tmp_path, "positions"))
    assert (row["quantity"], row["average_price"]) == (quantity, average)


def test_a_flat_position_has_no_average_and_keeps_its_profit(journal, database, tmp_path):
    record(journal, "fills", fill(1, "SELL", 10, 100.0), fill(2, "BUY", 10, 101.0, realised=-1_000))
    (row,) = read_csv(exported(database, tmp_path, "positions"))
    assert (row["quantity"], row["average_price"], row["realised"]) == ("0", "", "-10.00")


def test_positions_show_the_open_rungs_with_the_stop_nearest_to_the_price(
    journal, database, tmp_path
):
    rung = COMMON | {"side": "BUY", "entry_time": OPEN}
    record(
        journal,
        "trades",
        rung | {"trade_id": 1, "qty": 5, "stop_loss": 95.0, "target": 0.0, "status": "open"},
        rung | {"trade_id": 2, "qty": 7, "stop_loss": 97.5, "target": 130.0, "status": "exiting"},
        rung | {"trade_id": 3, "qty": 9, "stop_loss": 99.0, "target": 120.0, "status": "closed"},
    )
    (row,) = read_csv(exported(database, tmp_path, "positions"))
    assert (row["open_trades"], row["open_quantity"]) == ("2", "12")
    assert (row["stop_loss"], row["target"]) == ("97.5", "130.0")
    assert row["since"] == "2024-06-04T09:15:00+05:30"


def test_positions_of_two_strategies_and_of_a_fill_without_one_stand_apart(
    journal, database, tmp_path
):
    record(
        journal,
        "fills",
        fill(1, "BUY", 10, 100.0),
        fill(2, "BUY", 3, 50.0) | {"strategy": "cross"},
        fill(3, "BUY", 1, 50.0) | {"strategy": None},
    )
    rows = read_csv(exported(database, tmp_path, "positions"))
    assert {row["strategy"]: row["quantity"] for row in rows} == {
        "momentum": "10",
        "cross": "3",
        "": "1",
    }


def test_bars_are_exported_with_their_prices(database, tmp_path):
    store = ParquetBars(tmp_path / "bars")
    store.write([Bar(1, OPEN, 60, 100.05, 101.0, 99.95, 100.5, 1_200, 9)], {1: "SBIN"}, "live")
    out = tmp_path / "bars.csv"
    assert (
        export_table(database, "bars", out, "csv", BarRange(store, ("SBIN",), 60, OPEN, OPEN + 1))
        == 1
    )
    assert out.read_text() == (
        "symbol,start,open,high,low,close,volume,ticks\n"
        "SBIN,2024-06-04T09:15:00+05:30,100.05,101.0,99.95,100.5,1200,9\n"
    )


def test_bars_are_exported_raw_or_adjusted_to_the_day_of_the_last_one(database, tmp_path):
    store = ParquetBars(tmp_path / "bars")
    day = 86_400_000_000_000
    store.write(
        [Bar(1, OPEN + n * day, 60, 500.0, 510.0, 490.0, 500.0, 7, 9) for n in range(4)],
        {1: "SBIN"},
        "live",
    )
    book = CorporateActions(
        [
            *parsed_actions(
                "SBIN",
                date(2024, 6, 5),
                "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share",
            ),
            # 4 % of 500: extraordinary
            *parsed_actions("SBIN", date(2024, 6, 6), "Dividend - Rs 20 Per Share"),
            *parsed_actions("SBIN", date(2024, 6, 7), "Dividend - Rs 5 Per Share"),  # 1 %: ordinary
            *parsed_actions("SBIN", date(2024, 6, 10), "Bonus 1:1"),  # after the last bar
        ]
    )
    out = tmp_path / "bars.csv"
    wanted = BarRange(store, ("SBIN",), 60, OPEN, OPEN + 9 * day)
    for actions, closes, volumes in (
        (None, ["500.0"] * 4, ["7"] * 4),
        # 500 / 5 x 480 / 500, 500 x 480 / 500
        (book, ["96.0", "480.0", "500.0", "500.0"], ["35", "7", "7", "7"]),
    ):
        assert export_table(database, "bars", out, "csv", wanted._replace(actions=actions)) == 4
        rows = read_csv(out)
        assert ([row["close"] for row in rows], [row["volume"] for row in rows]) == (
            closes,
            volumes,
        )
    unknown = CorporateActions(parsed_actions("SBIN", date(2024, 6, 5), "Demerger"))
    with pytest.raises(DataError, match=r"corporate_actions\.json"):
        export_table(database, "bars", out, "csv", wanted._replace(actions=unknown))
    assert len(read_csv(out)) == 4


def test_without_a_file_the_rows_go_to_standard_output(journal, database, capfdbinary):
    record(journal, "fills", fill(1, "BUY", 10, 100.0))
    assert export_table(database, "fills", None, "csv") == 1
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0].startswith("trade_id,order_id")
    assert lines[1].startswith("T1,O1")


def test_an_export_sees_what_a_desk_committed_before_it_was_killed(database, tmp_path):
    program = (
        "import asyncio, os, sys\nfrom pathlib import Path\n"
        "from store.sqlite_journal import SqliteJournal\n"
        "async def main():\n    journal = SqliteJournal(Path(sys.argv[1]), print)\n"
        "    journal.append('fills', {'trade_id': 'T9', 'order_id': 'O9', 'side': 'BUY', "
        "'quantity': 1})\n"
        "    await journal.commit()\n    os._exit(9)\nasyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    process = subprocess.run(
        [sys.executable, "-c", program, database], env=environment, timeout=60, check=False
    )
    assert process.returncode == 9
    assert database.with_name("desk.db-wal").stat().st_size > 0
    assert [row["trade_id"] for row in read_csv(exported(database, tmp_path, "fills"))] == ["T9"]


def test_an_unknown_name_is_answered_with_the_nearest_one(journal, database, tmp_path):
    with pytest.raises(ConfigError, match="unknown what to export 'trade'; did you mean trades"):
        export_table(database, "trade", None, "csv")
    with pytest.raises(ConfigError, match="unknown export format 'xml'"):
        export_table(database, "trades", None, "xml")
    with pytest.raises(ConfigError, match="needs a symbol"):
        export_table(database, "bars", None, "csv")


def test_a_missing_or_foreign_database_is_named_and_no_file_is_left(tmp_path):
    out = tmp_path / "out.csv"
    with pytest.raises(DataError, match="there is no database"):
        export_table(tmp_path / "none.db", "trades", out, "csv")
    (tmp_path / "text.db").write_text("hello" * 1000)
    with pytest.raises(OperatorError, match="no SQLite database"):
        export_table(tmp_path / "text.db", "trades", out, "csv")
    (tmp_path / "empty.db").touch()
    with pytest.raises(DataError, match="has never been written"):
        export_table(tmp_path / "empty.db", "trades", out, "csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.db", "text.db"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(journal, database, tmp_path):
    with pytest.raises(OperatorError, match=r"cannot write .*no such file"):
        export_table(database, "trades", tmp_path / "missing" / "out.csv", "csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OperatorError, match="cannot write"):
        export_table(database, "trades", tmp_path / "folder.csv", "csv")
    assert not list(tmp_path.glob(".*"))


def test_many_rows_are_exported_in_batches_without_losing_one(database, ear, tmp_path):
    journal = SqliteJournal(database, ear)
    record(journal, "fills", *(fill(number, "BUY", number, 1.0) for number in range(1, 20_002)))
    journal.close()
    out = exported(database, tmp_path, "fills", "parquet")
    assert sum(pq.read_table(out).column("quantity").to_pylist()) == 20_001 * 20_002 // 2


@pytest.mark.parametrize(
    ("ts", "text"),
    [
        (0, "1970-01-01T05:30:00+05:30"),
        (OPEN + 1, "2024-06-04T09:15:00.000000001+05:30"),
        (OPEN + 500_000_000, "2024-06-04T09:15:00.5+05:30"),
        (1_704_047_400_000_000_000, "2024-01-01T00:00:00+05:30"),
    ],
)
def test_a_time_is_iso_8601_in_ist_to_the_nanosecond(ts, text):
    assert ist_text(ts) == text
