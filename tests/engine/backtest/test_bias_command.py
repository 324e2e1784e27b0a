"""`patang check`, as it is typed.

What it says, its codes, and that what reads the history on its own finds no future there.
"""

import inspect
import io
import json
import subprocess
import sys
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from engine.backtest.bias import bias_suite
from engine.market.calendar import midnight
from tests.engine.backtest.biased import DAYS, SPAN, LastRow, subject, two
from tests.engine.backtest.histories import history
from tui.commands.backtest.backtest_commands import backtest
from tui.commands.backtest.bias_check_job import print_findings
from tui.commands.backtest.check_commands import check
from tui.commands.cli import run_command

FEW = ("--set", f"timeframe_s={SPAN}", "--moments", "2")
READER = """
import functools, os
from pathlib import Path
import numpy as np
from store.bars.parquet_bars import ParquetBars
from compiled.model.values import Side
from compiled.trading.strategy import Strategy

@functools.cache
def frame(symbol):
    bars = ParquetBars(Path(os.environ["XDG_STATE_HOME"]) / "patang" / "history")
    return bars.columns(symbol, 900, 0, 2**62, "imported")

class Reader(Strategy):
    def __init__(self, name, parameters):
        super().__init__(name, parameters.timeframe_s)

    def on_bar(self, ctx, bar):
        bars = frame(ctx.instrument(bar.token).symbol)
        n = int(np.searchsorted(bars.start, bar.end))
        up = n < len(bars.start) and bars.close[n] > bar.close
        if up and not ctx.position(bar.token):
            ctx.enter(bar.token, Side.BUY, 50_000_00, 2.0, reason="knows")
        elif not up:
            ctx.exit(bar.token, "knows")
"""


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Return a state folder whose history has four sessions of two symbols."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "state" / "patang"
    history(folder / "history", two(), span=SPAN)
    return folder


def said(capsys, *arguments, code=0):
    assert run_command(["check", *arguments]) == code
    return capsys.readouterr()


def test_what_is_honest_passes_with_its_verdict_first_and_as_json(state, capsys):
    told = said(capsys, "moving_average_cross", *FEW, "--from", "2024-06-04").out
    assert told.startswith("✓ pass: 0 fail, 0 warn, 15 pass, 4 not run")
    found = json.loads(said(capsys, "moving_average_cross", *FEW, "--json").out)
    assert found["verdict"].startswith("pass")
    assert {each["test"]: each["status"] for each in found["tests"]}["poison"] == "pass"
    assert found["strategies"]["moving_average_cross"]["timeframe_s"] == SPAN


@pytest.mark.parametrize("packaged", [False, True])
def test_who_reads_the_history_on_its_own_is_caught_whatever_it_has_kept(
    state, capsys, tmp_path, monkeypatch, packaged
):
    """The history it finds is cut and poisoned as the bars are, and its modules are read anew."""
    if packaged:
        (tmp_path / "patang_reader_of_a_test.py").write_text(READER)
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "config.toml").write_text(
            f'[strategy.reader]\nsource = "patang_reader_of_a_test:Reader"\ntimeframe_s = {SPAN}\n'
            "[strategy.momentum_ladder]\nenabled = false\n[strategy.moving_average_cross]\n"
            "enabled = false\n"
        )
        arguments = ["config.toml", "--moments", "2"]
    else:
        own = tmp_path / "config" / "patang" / "strategies"
        own.mkdir(parents=True)
        (own / "reader.py").write_text(READER)
        arguments = ["reader", *FEW]
    before = sorted((path, path.stat().st_mtime_ns) for path in kept_files(state))
    found = {
        each["test"]: each
        for each in json.loads(said(capsys, *arguments, "--json", code=1).out)["tests"]
    }
    assert [found[each]["status"] for each in ("truncation-moments", "poison", "state")] == [
        "fail",
        "fail",
        "pass",
    ]
    assert found["truncation-moments"]["first"]["strategy"] == "reader"
    assert found["lint-files"]["status"] == "warn"
    assert "reader" in found["lint-files"]["text"]
    assert sorted((path, path.stat().st_mtime_ns) for path in kept_files(state)) == before
    sys.modules.pop("patang_reader_of_a_test", None)


def test_who_reads_the_history_up_to_now_passes(state, capsys, tmp_path):
    (tmp_path / "reader.py").write_text(
        READER.replace(
            "n < len(bars.start) and bars.close[n] > bar.close",
            "bars.close[n - 1] > bars.open[n - 1]",
        )
    )
    (tmp_path / "mine.toml").write_text(
        f'[strategy.reader]\nsource = "{tmp_path}/reader.py"\ntimeframe_s = {SPAN}\n'
        "[strategy.momentum_ladder]\nenabled = false\n[strategy.moving_average_cross]\n"
        "enabled = false\n"
    )
    found = {
        each["test"]: each
        for each in json.loads(said(capsys, "mine.toml", "--moments", "2", "--json").out)["tests"]
    }
    assert [
        found[each]["status"]
        for each in ("truncation-days", "truncation-moments", "poison", "closing", "lint-files")
    ] == [
        "pass",
        "pass",
        "pass",
        "pass",
        "warn",
    ]


def test_a_history_elsewhere_cannot_be_cut_for_who_reads_on_its_own_and_that_is_said(
    state, capsys, tmp_path
):
    own = tmp_path / "config" / "patang" / "strategies"
    own.mkdir(parents=True)
    (own / "reader.py").write_text(READER)
    arguments = ("reader", *FEW[:2], "--moments", "1", "--folder", str(state / "history"), "--json")
    told = json.loads(said(capsys, *arguments).out)
    assert (
        "a history outside the state folder is not cut for what strategies read on their own"
        in told["warnings"]
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["momentum_lader"], 2, "did you mean momentum_ladder?"),
        (["moving_average_cross", *FEW, "--symbols", "TCS"], 1, "no bars of TCS of 900 s"),
        (["moving_average_cross", "--moments", "0"], 2, "--moments 0: expected 1 to 1,000"),
        (
            ["moving_average_cross", "--warm-up", "101"],
            2,
            "--warm-up 101: expected 0 to 100 sessions",
        ),
        (["moving_average_cross", "--cash", "-1"], 2, "expected rupees up to 1,000 crore"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(state, capsys, arguments, code, says):
    assert says in said(capsys, *arguments, code=code).err.strip().splitlines()[-1]


def test_a_strategy_that_fails_gives_its_traceback_and_code_1(state, capsys, monkeypatch):
    def broken(_self, _ctx, _bar):
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr("strategies.moving_average_cross.MovingAverageCross.on_bar", broken)
    told = said(capsys, "moving_average_cross", *FEW, code=1)
    assert "ZeroDivisionError: by hand" in told.err
    assert "strategy moving_average_cross failed" in told.err


SLOW = """
import os, signal
from tui.commands.backtest import bias_check_job as checking
told = checking.ProgressLine.show_progress
calls = 0
def show(self, done):
    global calls
    calls += 1
    if calls == 4:
        os.kill(os.getpid(), signal.SIGINT)
    return told(self, done)
checking.ProgressLine.show_progress = show
from tui.commands.cli import main
main(["check", "moving_average_cross", "--set", "timeframe_s=900", "--json"])
"""


def test_ctrl_c_ends_it_in_order_and_what_is_left_is_not_run(state):
    done = subprocess.run([sys.executable, "-c", SLOW], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    found = json.loads(done.stdout)
    tests = {each["test"]: each for each in found["tests"]}
    assert found["stopped"]
    assert "the verdict is of those that were run" in found["warnings"][-1]
    assert (tests["order"]["status"], tests["order"]["text"]) == ("not run", "stopped before")
    assert tests["lint-clock"]["status"] == "pass"


@pytest.mark.parametrize("width", [80, 160])
def test_a_table_fits_its_terminal_and_a_failure_says_its_mend(width):
    out = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    print_findings(
        bias_suite.run_suite(subject(LastRow), {}, lambda _: True, 1),
        "last row",
        ["not reconciled"],
        out,
    )
    lines = out.file.getvalue().splitlines()
    assert lines[0].startswith("✕ fail: ")
    assert "! not reconciled" in " ".join(lines)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).replace("│", " ").split())
    assert "Decide by what on_bar, on_tick and the Context have told" in text


def kept_files(state):
    """Return what a check may not touch: all but the verdict that is kept."""
    return [
        path
        for path in state.rglob("*")
        if not path.name.startswith("results.db") and path.is_file()
    ]


def test_its_options_are_those_of_a_backtest():
    ours, theirs = inspect.signature(check).parameters, inspect.signature(backtest).parameters
    shared = set(ours) & set(theirs)
    shared -= {"keep"}
    assert set(ours) - shared == {"moments", "seed", "keep"}
    assert all(str(ours[name]) == str(theirs[name]) for name in shared)


def test_splits_and_versions_are_looked_at_where_the_history_tells_of_them(state, capsys, tmp_path):
    """As stored, one share halves on Thursday.

    Adjusted for that it does what it did, and so it does without.
    """
    ex = DAYS[3]
    halved = {
        name: bars
        if name == "ITC"
        else bars._replace(
            **{
                field: np.where(bars.start < midnight(ex), column, column / 2)
                for field, column in zip(("open", "high", "low", "close"), bars[1:5], strict=True)
            }
        )
        for name, bars in two().items()
    }
    for version in ("golden-1", "golden-2"):
        history(state / "history", halved, version, span=SPAN)
        (state / "history" / f"{version}.json").write_text("{}")
    row = {
        "symbol": "INFY",
        "series": "EQ",
        "exDate": datetime(ex.year, ex.month, ex.day),
        "subject": "Bonus 1:1",
    }
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "actions.parquet")
    (tmp_path / "config.toml").write_text(
        f'[desk]\ncorporate_actions = "{tmp_path}/actions.parquet"\n'
    )
    told = json.loads(
        said(capsys, "moving_average_cross", *FEW, "--config", "config.toml", "--json").out
    )
    found = {each["test"]: each for each in told["tests"]}
    assert found["vintage"]["status"] == "pass"
    assert "none differs between golden-2 and golden-1" in found["vintage"]["text"]
    assert found["actions"]["status"] == "pass"
    assert "2024-06-06" in found["actions"]["text"]
    (tmp_path / "config.toml").write_text("")
    told = json.loads(said(capsys, "moving_average_cross", *FEW, "--json").out)
    found = {each["test"]: each for each in told["tests"]}
    assert found["actions"]["status"] == "warn"
    assert "looks like a split not adjusted for: INFY on 2024-06-06" in found["actions"]["text"]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "setting"),
    [("momentum_ladder", "momentum_percent=0.3"), ("moving_average_cross", "slow=21")],
)
def test_what_is_shipped_passes_on_real_minutes(state, capsys, market_data, name, setting):
    for symbol in ("INFY", "LT"):
        assert (
            run_command(["bars", "import", str(market_data / "nse_1min" / f"{symbol}.parquet")])
            == 0
        )
    days = ("--from", "2024-06-03", "--to", "2024-06-04")  # a rise, and the fall after the election
    arguments = (
        name,
        "--set",
        setting,
        "--symbols",
        "INFY,LT",
        *days,
        "--moments",
        "1",
        "--warm-up",
        "1",
    )
    capsys.readouterr()
    found = json.loads(said(capsys, *arguments, "--json").out)
    assert {each["test"] for each in found["tests"] if each["status"] != "pass"} == {
        "actions",
        "vintage",
        "survivorship",
    }
