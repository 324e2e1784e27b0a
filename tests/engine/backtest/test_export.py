"""A run as other programs read it: every table says the same as the run, to the paisa."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import openpyxl
import pytest
from pyarrow import parquet

from engine.backtest.linter.result_linter import lint_outcome
from engine.backtest.results.outcome_export import as_json, export_outcome, frames, outcome_tables
from engine.backtest.run_outcome import SCHEMA
from engine.backtest.statistics.run_statistics import statistics
from engine.errors import OperatorError
from engine.system import workbook
from tests.conftest import ROOT
from tests.engine.backtest.demo_run import demo

INDIA = timedelta(hours=5, minutes=30)


@pytest.fixture(scope="module")
def run():
    outcome, _ = demo(trades=120, days=25)
    market = outcome.daily.market.copy()
    market[3] = np.nan
    outcome = outcome._replace(daily=outcome.daily._replace(market=market))
    return outcome, statistics(outcome)


def paise(text):
    return round(float(text) * 100)


def test_json_says_all_of_a_run_in_its_own_units(run):
    outcome, metrics = run
    findings = lint_outcome(outcome, metrics)
    told = json.loads(as_json(outcome, metrics, findings))
    assert told["schema"] == SCHEMA
    assert told["manifest"]["digest"] == outcome.manifest.digest
    assert [each["gross"] - each["charges"] for each in told["trades"]] == [
        each.net for each in outcome.trades
    ]
    assert told["equity"] == {"times": outcome.times.tolist(), "curve": outcome.curve.tolist()}
    assert told["daily"]["equity"] == outcome.daily.equity.tolist()
    assert [i for i, each in enumerate(told["daily"]["market"]) if each is None] == [3]
    assert {each["key"]: each["value"] for each in told["metrics"]} == {
        each.key: each.value for each in metrics
    }
    assert [each["rule"] for each in told["findings"]] == [each.rule for each in findings]
    assert told["costs"] == outcome.costs


def test_csv_has_rupees_and_times_that_name_their_zone(run, tmp_path):
    outcome, metrics = run
    files = export_outcome(tmp_path / "out", "csv", outcome, metrics)
    assert [each.name for each in files] == ["trades.csv", "equity.csv", "daily.csv", "metrics.csv"]
    trades, equity, daily, figures = (
        list(csv.DictReader(each.read_text().splitlines())) for each in files
    )
    assert [paise(each["net"]) for each in trades] == [each.net for each in outcome.trades]
    assert [paise(each["mae"]) for each in trades] == [each.mae for each in outcome.trades]
    assert trades[0]["entry_time"].endswith("+05:30")
    assert [datetime.fromisoformat(each["entry_time"]).timestamp() for each in trades] == [
        each.entry_ts / 1e9 for each in outcome.trades
    ]
    assert [each["exit_time"] == "" for each in trades] == [each.is_open for each in outcome.trades]
    assert [paise(each["equity"]) for each in equity] == outcome.curve.tolist()
    assert [paise(each["charges"]) for each in daily] == outcome.daily.charges.tolist()
    assert daily[3]["market"] == ""
    assert len(figures) == len(metrics)


def test_parquet_keeps_types_and_says_its_schema(run, tmp_path):
    outcome, metrics = run
    files = export_outcome(tmp_path, "parquet", outcome, metrics)
    trades = parquet.read_table(files[0])
    assert trades.schema.metadata[b"patang.schema"] == str(SCHEMA).encode()
    assert str(trades.schema.field("entry_time").type) == "timestamp[ns, tz=Asia/Kolkata]"
    assert trades["entry_time"].cast("int64").to_pylist() == [
        each.entry_ts for each in outcome.trades
    ]
    assert [round(each * 100) for each in trades["net"].to_pylist()] == [
        each.net for each in outcome.trades
    ]
    assert parquet.read_table(files[2])["market"].null_count == 1
    assert parquet.read_table(files[1])["time"].cast("int64").to_pylist() == outcome.times.tolist()


def test_a_workbook_has_a_sheet_for_each_table_and_works_nothing_out(tmp_path):
    outcome, _ = demo(trades=30, days=3, loud="=1+1")
    outcome = outcome._replace(
        trades=[each._replace(symbol=f"=cmd|{each.symbol}") for each in outcome.trades]
    )
    (file,) = export_outcome(tmp_path / "run.xlsx", "xlsx", outcome, statistics(outcome))
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == ["trades", "equity", "daily", "metrics"]
    head, *rows = book["trades"].iter_rows()
    columns = [each.value for each in head]
    symbols = [row[columns.index("symbol")] for row in rows]
    assert [each.value for each in symbols] == [each.symbol for each in outcome.trades]
    assert {each.data_type for each in symbols} == {"s"}
    assert [paise(row[columns.index("net")].value) for row in rows] == [
        each.net for each in outcome.trades
    ]
    entry = rows[0][columns.index("entry_time")].value
    assert (
        entry
        == datetime.fromtimestamp(outcome.trades[0].entry_ts / 1e9, UTC).replace(tzinfo=None)
        + INDIA
    )


def test_a_sheet_too_long_for_a_workbook_is_refused_before_anything_is_written(
    run, tmp_path, monkeypatch
):
    monkeypatch.setattr(workbook, "MOST_ROWS", 100)
    with pytest.raises(
        OperatorError,
        match=r"trades has 120 rows, more than a workbook holds: write csv or parquet",
    ):
        export_outcome(tmp_path / "run.xlsx", "xlsx", *run)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["json", "csv", "parquet", "xlsx"])
def test_a_place_that_cannot_be_written_is_named(run, tmp_path, format):
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match=r"^cannot write .*file"):
        export_outcome(tmp_path / "file" / "out", format, *run)


@pytest.mark.parametrize("format", ["json", "csv", "parquet", "xlsx"])
def test_a_run_without_trades_can_be_exported(tmp_path, format):
    outcome, _ = demo(trades=0, days=2)
    assert all(
        each.stat().st_size
        for each in export_outcome(tmp_path / "out", format, outcome, statistics(outcome))
    )


def test_frames_are_ready_for_a_notebook(run):
    outcome, metrics = run
    held = frames(outcome, metrics)
    trades = held["trades"]
    assert trades.index.name == "number"
    assert str(trades["entry_time"].dt.tz) == "Asia/Kolkata"
    assert trades["exit_time"].isna().sum() == sum(each.is_open for each in outcome.trades)
    by_hand = sum(each.net for each in outcome.trades if each.strategy == "momentum_ladder")
    assert round(trades.groupby("strategy")["net"].sum()["momentum_ladder"] * 100) == by_hand
    assert held["equity"]["equity"].iloc[-1] == outcome.curve[-1] / 100
    assert held["daily"].index[0].date() == datetime(2023, 5, 2).date()
    assert held["metrics"].loc["trades", "value"] == sum(
        not each.is_open for each in outcome.trades
    )


def test_frames_of_a_run_without_trades_have_their_columns():
    outcome, _ = demo(trades=0, days=2)
    assert list(frames(outcome)["trades"].columns[:3]) == ["strategy", "symbol", "side"]


def test_the_columns_are_those_of_the_docs(run):
    page = (ROOT / "docs" / "reports.md").read_text()
    told = {
        name: re.findall(r"`(\w+)`", cells)
        for name, cells in re.findall(r"^\| (\w+) \| (`.*) \|$", page, re.MULTILINE)
    }
    assert told == {name: list(columns) for name, columns in outcome_tables(*run).items()}
    assert f"`schema` ({SCHEMA})" in page
