"""`patang bars` as a person uses it.

Real files in, what is there, what is missing, what is asked of it.
"""

import csv
import io
import json
import os
import subprocess
from pathlib import Path

import duckdb
import pytest

from compiled.model.values import Bar
from engine.system.file_hold import FileHold
from store.bars.parquet_bars import ParquetBars
from store.sql_query import run_query, write_answer
from tui.commands.cli import run_command

FILES = ["INFY", "MRF"]
MINUTE = 60_000_000_000
OPEN = 1_717_472_700_000_000_000  # 2024-06-04 09:15:00 IST


@pytest.fixture
def patang(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*arguments):
        code = run_command(["bars", *map(str, arguments)])
        told = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, told.out, told.err)

    return run


@pytest.fixture
def history(tmp_path):
    return tmp_path / "state" / "patang" / "history"


def test_a_second_archiving_is_kept_out_by_the_first(patang, history, tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text(
        '[archive]\nbucket = "shelf"\nendpoint = "http://127.0.0.1:1"\n'
    )
    (tmp_path / "config.toml").chmod(0o600)
    for name in ("PATANG_ARCHIVE_KEY", "PATANG_ARCHIVE_SECRET"):
        monkeypatch.setenv(name, "x")
    history.parent.mkdir(parents=True)
    first = FileHold(history.parent / "archive.lock", "it", "wait")
    told = patang("archive", "push")
    assert (told.returncode, told.stdout) == (2, "")
    assert (
        f"archive.lock is held by process {os.getpid()}; wait for the end of its patang"
        in told.stderr
    )
    first.release()
    assert "NETWORK_CONNECTION" in patang("archive", "push").stderr


@pytest.mark.real_data
def test_a_year_of_minutes_comes_in_once_with_its_known_hole(patang, market_data, history):
    for name in FILES:
        assert (
            patang("import", market_data / "nse_1min" / f"{name}.parquet", "--json").returncode == 0
        )
    listed = {row["symbol"]: row for row in json.loads(patang("list", "--json").stdout)}
    # counted with SQL over the files themselves, each time of continuous trading once
    counted = {
        name: duckdb.sql(
            f"SELECT count(DISTINCT timestamp) FROM '{market_data / 'nse_1min' / name}.parquet'"
        ).fetchall()[0][0]
        for name in FILES
    }
    assert {name: row["bars"] for name, row in listed.items()} == counted
    files = {path: path.read_bytes() for path in history.rglob("*.parquet")}
    again = json.loads(patang("import", market_data / "nse_1min" / "INFY.parquet", "--json").stdout)
    assert again["bars"] == counted["INFY"]
    assert {path: path.read_bytes() for path in history.rglob("*.parquet")} == files, (
        "nothing has changed"
    )
    runs = json.loads(patang("gaps", "--symbols", "INFY", "--least", "100", "--json").stdout)
    assert [(run["from"], run["bars"]) for run in runs] == [
        ("2025-01-07 10:09", 250),
        ("2025-04-21 10:09", 321),
    ]
    checked = patang("check", "--json")
    assert checked.returncode == 1
    assert [(row["symbol"], row["code"], row["bars"]) for row in json.loads(checked.stdout)] == [
        ("MRF", "ZERO", 16)
    ]
    assert sum(len(content) for content in files.values()) / sum(counted.values()) < 6, (
        "bytes a bar"
    )


@pytest.mark.real_data
def test_an_index_stamped_at_the_end_of_its_bars_lacks_what_the_outage_took(patang, market_data):
    done = patang("import", market_data / "index_1min" / "NIFTY.parquet", "--json")
    (row,) = json.loads(done.stdout)["series"]
    assert (row["stamp"], row["symbol"], row["span"]) == ("end", "NIFTY", 60)
    found = json.loads(
        patang("gaps", "--from", "2021-02-24", "--to", "2021-02-24", "--json").stdout
    )
    # its stamps go from 10:08 to 15:46, which trading resumed with at 15:45
    assert [(run["from"], run["to"], run["bars"]) for run in found] == [
        ("2021-02-24 10:08", "2021-02-24 15:30", 322)
    ]


def test_what_was_imported_comes_out_as_it_went_in(patang, tmp_path):
    (tmp_path / "M&M.csv").write_text(
        "timestamp,open,high,low,close,volume\n2024-06-04 09:15,100.05,101,99.95,100.5,1000\n"
        "2024-06-04 09:16,100.5,100.5,100,100.25,7\n"
    )
    assert patang("import", "M&M.csv").returncode == 0
    written = list(csv.DictReader(io.StringIO(patang("export").stdout)))
    assert [(row["symbol"], row["start"], row["close"], row["volume"]) for row in written] == [
        ("M&M", "2024-06-04T09:15:00+05:30", "100.5", "1000"),
        ("M&M", "2024-06-04T09:16:00+05:30", "100.25", "7"),
    ]
    assert patang("export", "--format", "parquet", "--out", "out.parquet").returncode == 0
    assert patang("import", "out.parquet", "--version", "again").returncode == 0
    answer = patang(
        "sql",
        "SELECT a.close = b.close AS same FROM bars a JOIN bars b USING (symbol, start) WHERE "
        "a.version < b.version",
        "--format",
        "json",
    )
    assert json.loads(answer.stdout) == [{"same": True}] * 2


def test_a_query_sees_a_bar_that_waits_in_a_batch_instead_of_the_older_one(patang, history):
    store = ParquetBars(history)

    def bar(minute, close):
        return Bar(1, OPEN + minute * MINUTE, 60, 100.0, 200.0, 50.0, close, 10, 1)

    store.write([bar(0, 100.0), bar(1, 101.0)], {1: "M&M"}, "live")
    store.fold()
    store.write([bar(1, 102.0), bar(2, 103.0)], {1: "M&M"}, "live")
    store.write([bar(2, 104.0)], {1: "M&M"}, "live")
    answer = patang(
        "sql",
        "SELECT start, close, high, low FROM bars WHERE symbol = 'M&M' ORDER BY start",
        "--format",
        "csv",
    )
    assert answer.stdout.splitlines() == [
        "start,close,high,low",
        "2024-06-04 09:15:00+05:30,100.0,200.0,50.0",
        "2024-06-04 09:16:00+05:30,102.0,200.0,50.0",
        "2024-06-04 09:17:00+05:30,104.0,200.0,50.0",
    ]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("COPY bars TO 'x.csv'", "COPY changes something"),
        ("CREATE TABLE x AS SELECT 1", "CREATE changes something"),
        ("SELECT 1; DROP VIEW bars", "expected one statement, got 2"),
        ("SET memory_limit = '1GB'", "SET changes something"),
        ("ATTACH 'x.db'", "ATTACH changes something"),
        ("SELECT * FROM read_csv('/etc/passwd')", "Cannot access file"),
        ("SELECT * FROM glob('/*')", "Cannot access"),
        ("selec", "syntax error"),
        ("SELECT DATE '290000-01-01'", "date value out of range: cast it to VARCHAR"),
        ("", "expected one statement, got 0"),
    ],
)
def test_a_query_reads_what_it_may_and_changes_nothing(patang, query, says, tmp_path):
    done = patang("sql", query)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not [path for path in tmp_path.iterdir() if path.name != "state"]


def test_prices_of_bars_that_are_copied_from_a_server_are_as_they_were(tmp_path):
    store = ParquetBars(tmp_path / "history")  # as a store that is no folder
    store.write([Bar(1, OPEN, 60, 24350.05, 24390.1, 4.0625, 9.95, 10, 1)], {1: "INFY"}, "live")
    query = "SELECT open, high, low, close FROM bars"
    answer = run_query(query, store, None, tmp_path / "dumps")
    assert len(answer) == 1
    write_answer(answer, "json", tmp_path / "out.json")
    row = {"open": 24350.05, "high": 24390.1, "low": 4.0625, "close": 9.95}
    assert json.loads((tmp_path / "out.json").read_text()) == [row]


@pytest.mark.parametrize("format", ["json", "csv", "parquet"])
def test_columns_of_one_name_are_told_apart_and_no_number_is_null_in_json(patang, format):
    query = "SELECT a.x, b.x, 3 AS x, 'nan'::DOUBLE AS n FROM (SELECT 1 AS x) a, (SELECT 2 AS x) b"
    assert patang("sql", query, "--format", format, "--out", f"out.{format}").returncode == 0
    read = duckdb.sql(f"SELECT * FROM 'out.{format}'")
    assert read.columns == ["x", "x_1", "x_2", "n"]
    assert read.fetchall()[0][:3] == (1, 2, 3)
    assert format != "json" or json.loads(Path("out.json").read_text()) == [
        {"x": 1, "x_1": 2, "x_2": 3, "n": None}
    ]


def test_a_type_that_parquet_has_not_is_one_line(patang):
    done = patang(
        "sql", "SELECT INTERVAL 1 DAY AS i", "--format", "parquet", "--out", "out.parquet"
    )
    assert (done.returncode, len(done.stderr.splitlines()), Path("out.parquet").exists()) == (
        2,
        1,
        False,
    )
    assert "cast it to VARCHAR" in done.stderr


def test_of_two_files_with_the_same_bar_the_later_by_name_counts(patang, tmp_path):
    (tmp_path / "shelf").mkdir()
    for name, close in (("INFY_1.csv", 10), ("INFY_2.csv", 11)):
        bars = "".join(f"2024-06-04 09:{minute},9,12,8,{close}\n" for minute in (15, 16))
        (tmp_path / "shelf" / name).write_text(f"date,open,high,low,close\n{bars}")
    assert patang("import", "shelf", "--symbol", "INFY").returncode == 0
    assert [
        float(row["close"]) for row in csv.DictReader(io.StringIO(patang("export").stdout))
    ] == [11, 11]


def test_several_kinds_of_bars_are_a_choice_and_a_stranger_is_named(patang, history):
    store = ParquetBars(history)
    for version, span in (("live", 60), ("live", 300), ("vendor", 60)):
        store.write([Bar(1, OPEN, span, 1.0, 1.0, 1.0, 1.0, 1)], {1: "INFY"}, version)
    done = patang("gaps")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "choose one: --version live --span 60; --version live --span 300; --version vendor --span "
        "60" in done.stderr
    )
    assert (
        "no bars of SBIN; there are INFY"
        in patang("check", "--version", "vendor", "--symbols", "SBIN").stderr
    )
    assert patang("list", "--version", "golden").returncode == 1


def test_a_file_of_a_folder_that_holds_no_bars_is_told_and_the_rest_comes_in(patang, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "INFY.csv").write_text(
        "date,open,high,low,close\n2024-06-04,1,2,1,2\n2024-06-05,1,2,1,2\n"
    )
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    done = patang("import", folder)
    assert done.returncode == 1
    assert "notes.csv: no column for date" in done.stderr
    assert "2 bars of 1 series stored as version imported" in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ("import", "nothing.csv"),
        ("import", "x.csv", "--map", "open"),
        ("import", "x.csv", "--span", "-1"),
        ("gaps", "--from", "2024-13-01"),
        ("export", "--from", "2024-06-05", "--to", "2024-06-04"),
        ("list",),
        ("download", "--symbols", "@nothing", "--from", "2024-06-04"),
        ("download", "--symbols", "INFY", "--from", "2024-06-04", "--to", "2024-06-03"),
    ],
)
def test_a_wrong_question_is_one_line_and_a_code(patang, wrong, tmp_path, history):
    (tmp_path / "x.csv").write_text(
        "date,open,high,low,close\n2024-06-04,1,2,1,2\n2024-06-05,1,2,1,2\n"
    )
    if wrong[0] in {"gaps", "export"}:
        ParquetBars(history).write([Bar(1, OPEN, 60, 1.0, 1.0, 1.0, 1.0, 1)], {1: "INFY"}, "live")
    done = patang(*wrong)
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("patang: ")


def test_averages_are_stored_and_asked_beside_the_bars(patang, history):
    ParquetBars(history).write(
        [Bar(1, OPEN + n * MINUTE, 60, 9.0, 9.0, 9.0, 9.0, 1) for n in range(21)],
        {1: "M&M"},
        "live",
    )
    assert patang("averages").returncode == 0
    query = (
        "SELECT symbol, b.close, ema_9, ema_50 FROM bars b JOIN averages USING (symbol, span, "
        "version, start) ORDER BY start DESC LIMIT 1"
    )
    assert json.loads(patang("sql", query, "--format", "json").stdout) == [
        {"symbol": "M&M", "close": 9.0, "ema_9": 9.0, "ema_50": None}
    ]
    assert [row["symbol"] for row in json.loads(patang("list", "--json").stdout)] == ["M&M"]
