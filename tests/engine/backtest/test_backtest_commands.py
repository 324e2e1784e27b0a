"""`patang backtest` and `patang results`, as they are typed."""

import json
import re
import subprocess
import sys
from datetime import datetime, time
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.config.schema import DeskConfig
from engine.errors import ConfigError
from store.backtest_results import StoredResult
from strategies import load_config
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import at, weekdays
from tui.commands.backtest.backtest_commands import ResultBars
from tui.commands.backtest.backtest_job import BacktestJob
from tui.commands.backtest.backtest_request import BacktestRequest, chosen_strategies, slippage_of
from tui.commands.cli import run_command

DAYS = weekdays(5)  # 3 to 7 June 2024


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Return a state folder whose history has five sessions of two symbols."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "state" / "patang"
    history(
        folder / "history",
        {name: walk(DAYS, seed) for seed, name in enumerate(("INFY", "SBIN"), start=1)},
    )
    return folder


def said(capsys, *arguments, code=0):
    assert run_command(arguments) == code
    return capsys.readouterr()


def test_a_backtest_is_shown_kept_listed_compared_exported_and_removed(state, capsys, tmp_path):
    page, files = tmp_path / "report.html", tmp_path / "files"
    first = said(
        capsys, "backtest", "moving_average_cross", "--report", str(page), "--from", "2024-06-04"
    )
    assert "moving_average_cross" in first.out
    assert "Sharpe" in first.out
    assert page.read_text().startswith("<!doctype html>")
    run = re.search(r"kept as (\S+):", first.err)[1]
    second = json.loads(
        said(capsys, "backtest", "moving_average_cross", "--set", "slow=30", "--json").out
    )
    assert second["manifest"]["strategies"]["moving_average_cross"]["slow"] == 30
    assert second["schema"] == 1
    listed = json.loads(said(capsys, "results", "list", "--json").out)
    assert [row["run"] for row in listed] == [second["run"], run]
    assert second["run"] in said(capsys, "results", "list").out
    assert json.loads(said(capsys, "results", "show", run, "--json").out)["manifest"]["run"] == run
    assert "2024-06-04" in said(capsys, "results", "show", run).out
    changed = {
        row["what"]: row
        for row in json.loads(said(capsys, "results", "diff", run, "last", "--json").out)
    }
    assert (
        changed["strategies.moving_average_cross.slow"]["before"],
        changed["first"]["after"],
    ) == (
        "21",
        "2024-06-03",
    )
    written = said(
        capsys, "results", "export", run, "--out", str(files), "--format", "csv"
    ).out.split()
    assert {Path(path).name for path in written} >= {"trades.csv", "daily.csv", "metrics.csv"}
    said(capsys, "results", "rm", run)
    assert [row["run"] for row in json.loads(said(capsys, "results", "list", "--json").out)] == [
        second["run"]
    ]


def test_the_same_backtest_twice_differs_in_nothing(state, capsys):
    for _ in range(2):
        said(capsys, "backtest", "momentum_ladder", "--set", "momentum_percent=0.1")
    runs = json.loads(said(capsys, "results", "list", "--json").out)
    assert len({row["digest"] for row in runs}) == 1
    assert len(runs) == 2
    assert (
        said(capsys, "results", "diff", runs[1]["run"], runs[0]["run"]).out
        == "the same in all but their time\n"
    )


def test_what_else_could_have_come_of_it_is_drawn_of_its_trades_and_days(state, capsys):
    fast = ("moving_average_cross", "--set", "fast=2", "--set", "slow=8")
    told = json.loads(said(capsys, "backtest", *fast, "--chance", "--json").out)
    shown = json.loads(said(capsys, "results", "show", "--chance", "--json").out)
    assert shown["chance"] == told["chance"]
    ordered, drawn, days = told["chance"]
    assert [each["drawn"] for each in (ordered, drawn)] == [
        "trades in another order",
        "trades drawn again",
    ]
    closed = [each for each in shown["trades"] if each["exit_ts"]]
    assert len(closed) > 20
    earned = sum(each["gross"] - each["charges"] for each in closed)
    real = 100.0 * earned / told["manifest"]["start_cash"]
    # the order of trades moves no end, and no drawdown but its own
    assert ordered["final"] == pytest.approx([real] * 3)
    assert ordered["final_real"] == drawn["final_real"] == pytest.approx(real)
    assert drawn["final"][0] < drawn["final"][1] < drawn["final"][2]
    assert days["final_real"] == pytest.approx(told["metrics"]["return"])
    for text in (
        said(capsys, "backtest", *fast, "--chance").out,
        said(capsys, "results", "show", "--chance").out,
    ):
        assert "The same by chance, % of the cash" in text
    assert "by chance" not in said(capsys, "results", "show").out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["momentum_lader"], 2, "did you mean momentum_ladder?"),
        (["moving_average_cross", "--set", "slw=3"], 2, "slw: no such key"),
        (["moving_average_cross", "--set", "slow"], 2, "--set slow: expected PARAMETER=VALUE"),
        (["--set", "slow=3"], 2, "of which strategy?"),
        (["moving_average_cross", "--symbols", "TCS"], 1, "no bars of TCS of 60 s"),
        (["moving_average_cross", "--span", "86400"], 2, "the history has bars of 60 s"),
        (["moving_average_cross", "--from", "2024-06-31"], 2, "expected YYYY-MM-DD"),
        (
            ["moving_average_cross", "--from", "2024-06-05", "--to", "2024-06-04"],
            2,
            "--from 2024-06-05 is after --to",
        ),
        (["moving_average_cross", "--from", "2025-06-05"], 1, "in these days"),
        (["moving_average_cross", "--bars", "golden-1"], 1, "of version golden-1"),
        (
            ["moving_average_cross", "--slippage", "volume:2:0.1"],
            2,
            "--slippage volume:2:0.1: expected none, ticks:N",
        ),
        (["moving_average_cross", "--symbols", ",,"], 2, "--symbols ,,: there is no symbol in it"),
        (
            ["moving_average_cross", "--slippage", "ticks:x"],
            2,
            "--slippage ticks:x: expected none, ticks:N",
        ),
        (["moving_average_cross", "--warm-up", "1000"], 2, "expected 0 to 400 sessions"),
        (["moving_average_cross", "--trades", "a"], 2, "expected numbers of round trips"),
        (
            ["moving_average_cross", "--trades", "9999", "--report", "r.html"],
            2,
            "there are round trips 1 to",
        ),
        (["nothing.toml"], 2, "nothing.toml"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line_and_nothing_is_kept(
    state, capsys, arguments, code, says
):
    told = said(capsys, "backtest", *arguments, code=code).err.strip().splitlines()[-1]
    assert says in told
    assert not (state / "results.db").exists() or "round trips 1 to" in told


def test_nothing_kept_is_said_so(state, capsys):
    assert "no results yet" in said(capsys, "results", "list", code=1).err
    assert "no results in" in said(capsys, "results", "show", code=1).err


def test_a_strategy_that_fails_gives_no_result_and_its_traceback(state, capsys, monkeypatch):
    def broken(_self, _ctx, _bar):
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr("strategies.moving_average_cross.MovingAverageCross.on_bar", broken)
    told = said(capsys, "backtest", "moving_average_cross", code=1)
    assert re.search(
        r"strategy moving_average_cross failed.*test_backtest_commands.py:\d+: "
        r"ZeroDivisionError: by hand",
        told.err,
    )
    assert not (state / "results.db").exists()


def test_the_first_and_the_last_day_there_can_be_are_days(state, capsys):
    told = said(
        capsys,
        "backtest",
        "moving_average_cross",
        "--from",
        "0001-01-01",
        "--to",
        "9999-12-31",
        "--json",
    )
    assert json.loads(told.out)["metrics"]["sessions"] == 5


def test_bars_are_of_a_length_that_every_symbol_that_is_named_has(state, capsys):
    days = walk(DAYS, 3).pick(slice(None, None, 375))
    history(state / "history", {"TCS": days, "INFY": days}, span=86_400)
    for symbols, span in (("INFY", 60), ("TCS", 86_400), ("INFY,TCS", 86_400)):
        arguments = (
            "moving_average_cross",
            "--set",
            "timeframe_s=86400",
            "--symbols",
            symbols,
            "--json",
            "--no-keep",
        )
        assert json.loads(said(capsys, "backtest", *arguments).out)["manifest"]["span"] == span


def test_what_a_symbol_lacks_of_the_length_that_is_asked_for_is_said_of_the_symbol(state, capsys):
    history(state / "history", {"TCS": walk(DAYS, 3).pick(slice(None, None, 375))}, span=86_400)
    arguments = (
        "moving_average_cross",
        "--set",
        "timeframe_s=86400",
        "--span",
        "86400",
        "--symbols",
        "INFY,TCS",
    )
    assert (
        "no bars of INFY of 86400 s: see patang bars list"
        in said(capsys, "backtest", *arguments, code=1).err
    )


def test_a_report_draws_the_bars_of_its_run_adjusted_as_they_were_or_none(state, capsys, tmp_path):
    whole = walk(DAYS, 5, price=1_000.0)
    before = whole.start < at(DAYS[2], "00:00")
    raw = whole._replace(
        **{
            name: np.where(before, 2, 1) * getattr(whole, name)
            for name in ("open", "high", "low", "close")
        }
    )
    history(state / "history", {"TCS": raw})
    split = {
        "symbol": "TCS",
        "series": "EQ",
        "exDate": datetime.combine(DAYS[2], time()),
        "subject": "Face Value Split (Sub-Division) - From Rs 2/- Per Share To Re 1/- Per Share",
    }
    pq.write_table(pa.Table.from_pylist([split]), tmp_path / "actions.parquet")
    desk = msgspec.structs.replace(
        DeskConfig().desk, corporate_actions=str(tmp_path / "actions.parquet")
    )
    config = msgspec.structs.replace(load_config(None).values, desk=desk)
    running = BacktestJob(config, BacktestRequest("moving_average_cross", ("TCS",), str(DAYS[0])))
    result = running.execute()
    assert result.outcome.manifest.data["TCS"].adjusted
    kept = StoredResult(result.outcome, result.metrics, result.findings)
    drawn = ResultBars(config, kept)["TCS"]
    assert np.array_equal(drawn.start, result.series["TCS"].start)
    assert np.abs(drawn.close - result.series["TCS"].close).max() <= 0.05
    assert not len(ResultBars(DeskConfig(), kept)["TCS"].start)
    history(state / "history", {"TCS": raw._replace(volume=raw.volume + 1)})
    assert not len(ResultBars(config, kept)["TCS"].start)


def test_a_result_that_cannot_be_kept_is_shown_all_the_same(state, capsys, tmp_path):
    (state / "results.db").mkdir()
    page = tmp_path / "report.html"
    told = said(capsys, "backtest", "moving_average_cross", "--json", "--report", str(page), code=2)
    assert json.loads(told.out)["metrics"]["sessions"] == 5
    assert page.exists()
    assert told.err.endswith("results.db is a folder: name a file\n")


def test_what_a_strategy_prints_and_says_spoils_neither_result_nor_terminal(
    state, capsys, monkeypatch
):
    def loud(self, ctx, bar):
        print("loud")
        if not ctx.position(bar.token):
            ctx.buy(bar.token, 1, 1.0, reason="half \ud800 of \x1b[31m one")

    monkeypatch.setattr("strategies.moving_average_cross.MovingAverageCross.on_bar", loud)
    told = said(capsys, "backtest", "moving_average_cross", "--json")
    assert json.loads(told.out)["metrics"]["sessions"] == 5
    assert "loud" in told.err
    shown = json.loads(said(capsys, "results", "show", "--json").out)
    assert {each["entry_reason"] for each in shown["trades"]} == {"half \ufffd of \x1b[31m one"}
    assert "\x1b[31m" not in said(capsys, "results", "show").out


def test_a_fault_s_traceback_obeys_nothing_and_ctrl_c_in_a_strategy_is_one(
    state, capsys, monkeypatch
):
    faults = iter([ValueError("red \x1b[31m"), KeyboardInterrupt()])

    def broken(_self, _ctx, _bar):
        raise next(faults)

    monkeypatch.setattr("strategies.moving_average_cross.MovingAverageCross.on_bar", broken)
    assert "\x1b" not in said(capsys, "backtest", "moving_average_cross", code=1).err
    with pytest.raises(SystemExit, match="130"):
        run_command(("backtest", "moving_average_cross"))
    assert "failed" not in capsys.readouterr().err
    assert not (state / "results.db").exists()


SLOW = """
import os, signal, sys
from tui.commands.backtest import backtest_job as backtesting
told = backtesting.ProgressLine.show_progress
def show(self, done):
    os.kill(os.getpid(), signal.SIGINT)
    return told(self, done)
backtesting.ProgressLine.show_progress = show
import engine.backtest.replayed_bars
engine.backtest.replayed_bars.CHUNK = 500
from tui.commands.cli import main
main(["backtest", "moving_average_cross", "--json"])
"""


def test_ctrl_c_keeps_what_is_done_and_says_that_it_is_not_all(state):
    done = subprocess.run([sys.executable, "-c", SLOW], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    found = json.loads(done.stdout)
    assert found["manifest"]["partial"]
    assert found["manifest"]["last"] < "2024-06-07"
    assert found["metrics"]["sessions"] in {1, 2}


# what is asked for


def test_settings_go_to_the_strategy_they_name_as_toml_or_text():
    request = BacktestRequest(
        "moving_average_cross", settings=("slow=30", 'direction="short"', "stop_percent = 2.5")
    )
    [(name, symbols, table)] = chosen_strategies(load_config(None).values, request)
    assert (name, symbols) == ("moving_average_cross", ())
    assert (table["slow"], table["direction"], table["stop_percent"]) == (30, "short", 2.5)
    both = chosen_strategies(
        load_config(None).values, BacktestRequest(settings=("momentum_ladder.capital=5000",))
    )
    assert [each for each, _, _ in both] == ["momentum_ladder", "moving_average_cross"]
    assert both[0][2]["capital"] == 5000
    with pytest.raises(ConfigError, match="x does not run"):
        chosen_strategies(load_config(None).values, BacktestRequest(settings=("x.capital=5000",)))


@pytest.mark.parametrize(
    ("text", "away"),
    [
        ("none", 0.0),
        ("", 0.1),
        ("ticks:3", 0.15),
        ("spread:0.5:0.1", 0.05),
        ("volume:0.1:0.1", 0.1),
    ],
)
def test_slippage_models_lose_what_they_say(text, away):
    """Of ₹100 with a tick of 5 paise, 100 of 1,000 shares; without a text two ticks."""
    model, name = slippage_of(text, 2)
    assert model.away(100.0, 0.05, 100, 1_000, 0.0) == pytest.approx(away)
    assert name == (text or "ticks:2")
