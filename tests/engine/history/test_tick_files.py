"""Tick files of others become bars of one minute, as worked out from the same ticks by SQL."""

import duckdb
import pytest

from store.bars.parquet_bars import ParquetBars
from tui.commands.cli import run_command

OPEN = 1_619_408_700_000_000_000  # 2021-04-26 09:15 IST


def test_ticks_become_minutes_in_order_of_time(tmp_path, capsys):
    file = tmp_path / "INFY.csv"
    lines = [
        "09:14:59,99,5",
        "09:15:01,100,10",
        "09:15:30,102,40",
        "09:15:20,98,30",
        "09:16:00,101,60",
        "15:30:01,90,70",
    ]
    file.write_text("timestamp,ltp,volume\n" + "".join(f"2021-04-26 {line}\n" for line in lines))
    assert (
        run_command(["ticks", "import", str(file), "--folder", str(tmp_path / "bars"), "--json"])
        == 0
    )
    assert '"bars": 2, "outside": 2' in capsys.readouterr().out
    bars = ParquetBars(tmp_path / "bars").read("INFY", 60, 0, 2**62, "imported")
    assert [(b.start - OPEN, b.open, b.high, b.low, b.close, b.volume) for b in bars] == [
        (0, 100.0, 102.0, 98.0, 102.0, 35),
        (60 * 10**9, 101.0, 101.0, 101.0, 101.0, 20),
    ]
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    assert run_command(["ticks", "import", str(other), "--folder", str(tmp_path / "bars")]) == 2


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "ticks_nse_2021/2021-04-26_SBIN.csv.gz",
        "ticks_nse_2021/2021-04-26_NIFTY_50.csv.gz",
        "ticks_kite/ticks_NIFTY50_256265_20251007.csv",
    ],
)
def test_files_of_two_recorders_come_in(market_data, tmp_path, name, capsys):
    assert (
        run_command(
            ["ticks", "import", f"{market_data}/{name}", "--symbol", "X", "--folder", str(tmp_path)]
        )
        == 0
    )
    bars = ParquetBars(tmp_path).read("X", 60, 0, 2**62, "imported")
    found = duckdb.execute(
        f"""select epoch_us(time_bucket(interval 1 minute, "timestamp")) * 1000 - 19800000000000,
        max(ltp), min(ltp), count(*)
            from read_csv('{market_data}/{name}') where "timestamp"::time >= '09:15'
            and "timestamp"::time < '15:30'
            group by 1 order by 1"""
    ).fetchall()
    closing = bars[-1].start  # takes the print of 15:30:00, too
    ours = [(b.start, b.high, b.low, b.ticks) for b in bars]
    assert [row for row in ours if row[0] != closing] == [row for row in found if row[0] != closing]
    assert len(ours) == len(found) > 5


def test_what_cannot_be_a_price_makes_no_bar(tmp_path, capsys):
    file, folder = tmp_path / "INFY.csv", tmp_path / "bars"
    file.write_text(
        "timestamp,ltp\n" + "".join(f"2021-04-26 09:15:01,{p}\n" for p in ("1e300", "inf", "-1"))
    )
    assert run_command(["ticks", "import", str(file), "--folder", str(folder), "--json"]) == 0
    assert '"bars": 0, "outside": 0, "unpriced": 3' in capsys.readouterr().out
    assert ParquetBars(folder).symbols(60, "imported") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("timestamp,ltp,symbol\n2021-04-26 09:15:01,1,A\n2021-04-26 09:15:01,1,..\n", "'..' is no"),
        ("timestamp,ltp,symbol\n2021-04-26 09:15:01,1,A\n2021-04-26 09:15:01,1,\n", "'' is no"),
        ("timestamp,ltp\n2021-04-26 09:15:01,1\n,1\n", "column timestamp: row 2 is empty"),
    ],
)
def test_ticks_without_a_symbol_or_a_time_are_refused_before_anything_is_kept(
    tmp_path, capsys, text, why
):
    file, folder = tmp_path / "a.csv", tmp_path / "bars"
    file.write_text(text)
    assert run_command(["ticks", "import", str(file), "--folder", str(folder)]) == 2
    assert f"{file}: {why}" in capsys.readouterr().err
    assert not folder.exists()


def test_nothing_is_imported_into_a_golden_version(tmp_path, capsys):
    file, folder = tmp_path / "infy.csv", tmp_path / "bars"
    file.write_text("timestamp,ltp,symbol\n2021-04-26 09:15:01,1,infy\n")
    command = ["ticks", "import", str(file), "--folder", str(folder)]
    assert run_command([*command, "--version", "golden-1"]) == 2
    assert "not golden" in capsys.readouterr().err
    assert run_command(command) == 0
    assert ParquetBars(folder).symbols(60, "imported") == ["INFY"]
