"""`patang sweep` with real workers: the table is the same however often it was killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.errors import OperatorError
from engine.research.sweep_run import SweepRun
from tests.engine.backtest.histories import history, walk
from tests.engine.research.made_histories import DAYS
from tui.commands.cli import run_command

ROOT = Path(__file__).resolve().parents[3]
GRID = ("moving_average_cross", "--param", "fast=2:5:1", "--param", "slow=5,8,13")
SHOWN = ("sharpe", "net_return", "score", "rejected", "digest", "daily_returns")


def swept(capsys, *arguments, code=0):
    assert run_command(["sweep", *arguments]) == code
    return capsys.readouterr()


def table(told):
    """Return each trial of a sweep, with what is not the machine's own."""
    rows = pq.read_table(json.loads(told.out)["file"]).to_pylist()
    return {row["trial"]: [row[name] for name in SHOWN] for row in rows}


def started(*arguments):
    code = "import sys; from tui.commands.cli import main; main(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, "sweep", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def journal_lines(state):
    files = (state / "sweeps").glob("*/trials.jsonl")
    return [line for file in files for line in file.read_bytes().split(b"\n") if line]


def all_end(group):
    """Wait until no process of a group is left; return whether that came about in a minute."""
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    os.killpg(group, signal.SIGKILL)
    return False


def finished_lines(state):
    return len(journal_lines(state))


def read_line(line):
    """Return the trial of a whole line, "" of one that was cut short."""
    try:
        return json.loads(line)["trial"]
    except ValueError:
        return ""


def test_a_trial_is_the_backtest_of_its_parameters_to_the_paisa_and_the_digest(state, capsys):
    told = swept(capsys, *GRID, "--symbols", "SBIN", "--workers", "1", "--json")
    assert "1 point refused by the strategy, as fast=5 slow=5" in told.err
    rows = pq.read_table(json.loads(told.out)["file"]).to_pylist()
    assert len(rows) == 11  # of 4 x 3 points the strategy refuses fast = slow = 5
    one = next(row for row in rows if json.loads(row["parameters"]) == {"fast": 3, "slow": 8})
    own = ("--set", "fast=3", "--set", "slow=8", "--symbols", "SBIN", "--json", "--no-keep")
    assert run_command(["backtest", "moving_average_cross", *own]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert one["digest"] == alone["manifest"]["digest"]
    assert one["sharpe"] == pytest.approx(alone["metrics"]["sharpe"])
    assert one["net_return"] * 100 == pytest.approx(alone["metrics"]["return"])
    assert len(one["daily_returns"]) == len(DAYS)


def test_a_symbol_that_begins_late_and_misses_a_day_has_its_returns_on_its_own_days(state, capsys):
    there = [DAYS[1], DAYS[2], DAYS[4]]
    history(state / "history", {"LATE": walk(there, 3)})
    point = ("moving_average_cross", "--param", "fast=3", "--param", "slow=8")
    told = swept(capsys, *point, "--symbols", "INFY,LATE", "--workers", "1", "--json")
    rows = pq.read_table(json.loads(told.out)["file"]).to_pylist()
    late = next(row for row in rows if row["symbol"] == "LATE")
    own = ("--set", "fast=3", "--set", "slow=8", "--symbols", "LATE", "--json", "--no-keep")
    assert run_command(["backtest", "moving_average_cross", *own]) == 0
    alone = json.loads(capsys.readouterr().out)["metrics"]
    assert alone["sessions"] == late["days"] == 3
    assert late["net_return"] * 100 == pytest.approx(alone["return"])
    assert late["sharpe"] == pytest.approx(alone["sharpe"])
    returns = dict(zip(DAYS, late["daily_returns"], strict=True))
    assert [day for day, gain in returns.items() if gain] == there
    grown = np.prod([1.0 + gain for gain in returns.values()])
    assert grown - 1.0 == pytest.approx(late["net_return"], rel=1e-4)


def test_a_sweep_killed_at_random_moments_repeats_no_finished_trial(state, capsys):
    whole = table(swept(capsys, *GRID, "--workers", "1", "--json"))
    assert len(whole) == 22
    shutil.rmtree(state / "sweeps")
    moments = random.Random(2)
    kept = 0
    for _ in range(3):
        wanted = min(kept + moments.randrange(7), 21)
        process = started(*GRID, "--workers", "2")
        while process.poll() is None and finished_lines(state) < wanted:
            time.sleep(0.005)
        time.sleep(moments.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert all_end(process.pid)
        before, kept = kept, finished_lines(state)
        assert kept >= before
    told = swept(capsys, *GRID, "--workers", "2", "--json")
    assert table(told) == whole
    # A kill may cut the last line of a batch short: that trial was not finished.
    done = [each for each in map(read_line, journal_lines(state)) if each]
    assert len(done) == len(set(done)) == 22
    again = swept(capsys, *GRID, "--json")
    assert "22 trials done already" in again.err
    assert table(again) == whole


def test_a_sweep_stopped_before_its_first_trial_says_so(state, capsys, monkeypatch):
    def stopped(run, _trials):
        run.was_stopped = True
        return {}

    monkeypatch.setattr(SweepRun, "run_trials", stopped)
    told = swept(capsys, *GRID, "--workers", "1", code=130)
    assert "stopped before a trial was finished" in told.err


def test_bars_or_settings_that_change_under_a_sweep_are_refused_until_it_begins_anew(state, capsys):
    swept(capsys, *GRID, "--symbols", "INFY", "--workers", "1")
    history(state / "history", {"INFY": walk(DAYS, 9)})
    refused = swept(capsys, *GRID, "--symbols", "INFY", "--workers", "1", code=2)
    assert "the bars of INFY changed since this sweep began" in refused.err
    assert "--fresh begins anew" in refused.err
    swept(capsys, *GRID, "--symbols", "INFY", "--workers", "1", "--fresh")
    Path("config.toml").write_text("[risk]\nmax_positions = 1\n")
    refused = swept(capsys, *GRID, "--symbols", "INFY", "--workers", "1", code=2)
    assert "the configuration changed since this sweep began on " in refused.err
    assert " IST: its trials would not be comparable" in refused.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("moving_average_cross",), "a sweep needs an axis"),
        (("moving_average_cross", "--param", "fast=30"), "expected fewer bars than slow"),
        (("moving_average_cross", "--param", "quick=1,2"), "no such key; valid: capital"),
        (("moving_average_cross", "--param", "fast=1:9"), "a grid needs a step"),
        (
            ("moving_average_cross", "--param", "fast=2.5:9", "--sampler", "random"),
            "got 4.604912971415555; take steps, --param fast=3:9:1",
        ),
        (("moving_average_cross", "--param", "enabled=true,false"), "enabled is no axis"),
        (("moving_average_cross", "--param", "source=a,b"), "source is no axis"),
        (
            ("moving_average_cross", "--param", "moving_average_cross.symbols=A,B"),
            "symbols is no axis; what runs is named first, and what it trades by --symbols",
        ),
        (("moving_average_cross", "--param", "x.fast=1,2"), "x does not run"),
        (("moving_average_cross", "--param", "fast=2,3", "--workers", "999"), "--workers 999"),
        (("moving_average_cross", "--param", "fast=2,3", "--symbols", "NONE"), "no bars of NONE"),
        (("moving_average_cross", "--param", "fast=2,3", "--objective", "sharp"), "sharpe"),
        (("moving_average_cross", "--param", "fast=2,3", "--prune", "0.05"), "a grid is run whole"),
        (("moving_average_cross", "--param", "fast=2,3", "--prune", "5"), "--prune 5.0: expected"),
        (("moving_average_cross", "--param", "fast=2,3", "--trials", "9"), "a grid has its own"),
        (("moving_average_cross", "--param", "fast=2,3", "--report", "no/p.html"), "a folder that"),
        (
            (
                *("moving_average_cross", "--param", "fast=2,3", "--prune", "0.05"),
                *("--sampler", "random", "--portfolio"),
            ),
            "--portfolio has one account",
        ),
        (("moving_average_cross", "--param", "fast=2,3", "--folds", "1"), "--folds 1: expected 2"),
        (("moving_average_cross", "--param", "fast=2,3", "--embargo", "0d"), "--embargo 0d"),
        (("moving_average_cross", "--param", "fast=2,3", "--as-of", "2024-02-31"), "2024-02-31"),
        (("moving_average_cross", "--param", "fast=2,3", "--as-of", "2024-06-06"), "2024-06-07"),
        (
            ("moving_average_cross", "--param", "fast=2,3", "--walk-forward", "six"),
            "--walk-forward six",
        ),
        (("moving_average_cross", "--param", "fast=2,3", "--seed", "-1"), "--seed -1: expected"),
        (("moving_average_cross", "--param", "fast=2,3", "--warm-up", "-1"), "--warm-up -1"),
        (("moving_average_cross", "--param", "fast=2,3", "--warm-up", "99999999"), "0 to 400"),
        (("moving_average_cross", "--param", "fast=2,3", "--folder", "none"), "no bars yet"),
        (("moving_average_cross", "--param", "fast=2,3", "--dask", "tcp://127.0.0.1:9"), "--dask"),
    ],
)
def test_what_cannot_be_swept_is_said_in_a_line(state, capsys, arguments, complaint):
    assert run_command(["sweep", *arguments]) in {1, 2, 4}
    said = capsys.readouterr()
    assert complaint in said.err
    assert "Traceback" not in said.err
    kept = [*(state / "sweeps").glob("*")]
    # Only the day that is before the last session is told when the trials are there.
    assert len(kept) == ("2024-06-06" in arguments)


def test_a_sweep_begun_anew_on_a_scheduler_that_is_gone_loses_nothing(state, capsys, monkeypatch):
    @contextmanager
    def gone(address):
        yield from ()
        raise OperatorError(f"--dask {address}: no scheduler there")

    whole = table(swept(capsys, *GRID, "--symbols", "INFY", "--workers", "1", "--json"))
    monkeypatch.setattr("tui.commands.research.sweep_job.dask_workers", gone)
    asked = (*GRID, "--symbols", "INFY", "--fresh", "--dask", "tcp://127.0.0.1:9")
    assert "no scheduler there" in swept(capsys, *asked, code=2).err
    again = swept(capsys, *GRID, "--symbols", "INFY", "--json")
    assert "11 trials done already" in again.err
    assert table(again) == whole


def test_a_sweep_begun_anew_without_bars_loses_nothing(state, capsys):
    whole = table(swept(capsys, *GRID, "--symbols", "INFY", "--workers", "1", "--json"))
    (state / "history").rename(state / "elsewhere")
    swept(capsys, *GRID, "--symbols", "INFY", "--fresh", code=1)
    (state / "elsewhere").rename(state / "history")
    again = swept(capsys, *GRID, "--symbols", "INFY", "--json")
    assert "11 trials done already" in again.err
    assert table(again) == whole


def test_one_account_for_all_symbols_is_one_trial_a_point(state, capsys):
    told = json.loads(swept(capsys, *GRID, "--portfolio", "--workers", "1", "--json").out)
    assert {row["symbol"] for row in told["next_day"]} <= {"*"}
    assert told["trials"] == 11


def test_samplers_take_as_many_points_as_they_are_told(state, capsys, tmp_path):
    wide = ("moving_average_cross", "--param", "fast=2:9:1", "--param", "slow=10:40:1")
    page = tmp_path / "page.html"
    told = json.loads(
        swept(
            capsys,
            *wide,
            *("--sampler", "random", "--trials", "6", "--symbols", "SBIN", "--json"),
            *("--report", str(page), "--workers", "1"),
        ).out
    )
    assert told["trials"] == 6
    # the six were tried, whatever is asked for after them
    fewer = (*wide, "--sampler", "random", "--trials", "2", "--symbols", "SBIN", "--json")
    again = json.loads(swept(capsys, *fewer, "--workers", "1").out)
    assert again["findings"] == told["findings"]
    assert page.read_text().startswith("<!doctype html>")


def test_the_best_s_own_trades_are_drawn_again_and_the_folds_are_judged(state, capsys):
    more = ("--folds", "5", "--embargo", "2d", "--as-of", "2024-06-07", "--symbols", "SBIN")
    told = json.loads(swept(capsys, *GRID, *more, "--workers", "1", "--json").out)
    best = told["best"]
    point = dict(part.split("=") for part in best["parameters"].split())
    own = [word for name, value in point.items() for word in ("--set", f"{name}={value}")]
    arguments = ("backtest", "moving_average_cross", *own, "--symbols", "SBIN", "--json")
    assert run_command([*arguments, "--no-keep"]) == 0
    alone = json.loads(capsys.readouterr().out)
    closed = alone["metrics"]["net"] - (alone["metrics"]["open_pnl"] or 0.0)
    cash = alone["metrics"]["start_equity"]
    shuffled, drawn, days = told["chance"][best["trial"]]
    assert shuffled["final_real"] == drawn["final_real"] == pytest.approx(100 * closed / cash)
    assert days["final_real"] == pytest.approx(best["return_"], abs=1e-4)
    assert told["freshness"]["decay"] == 1.0
    folds = told["folds"]
    assert folds["embargo"] == 2
    # five folds of five days; the last one learns from the days before it alone
    last = folds["folds"][-1]
    assert (last["first"], last["last"]) == ("2024-06-07", "2024-06-07")
    assert last["learned"] == 4 - folds["purge"]
    assert run_command(["sweeps", "show", "--json", "--as-of", "2024-06-07"]) == 0
    assert json.loads(capsys.readouterr().out) == told


SAMPLED = (
    "moving_average_cross",
    *("--param", "fast=2:9:1", "--param", "slow=10:60:1", "--trials", "14", "--prune", "0.2"),
)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_points_are_given_up_the_same_by_one_worker_by_two_and_after_a_kill(state, capsys, sampler):
    names = ("A", "B", "C", "D", "E", "F", "INFY", "SBIN")
    history(state / "history", {name: walk(DAYS, seed) for seed, name in enumerate(names)})
    asked = (*SAMPLED, "--sampler", sampler)
    told = swept(capsys, *asked, "--workers", "1", "--json")
    one = table(told)
    pruned = [row for row in one.values() if row[3].startswith("pruned after 5 of 8 symbols")]
    assert pruned
    assert len(pruned) % 5 == 0
    assert len(one) == 14 * 8 - 3 * len(pruned) // 5
    assert json.loads(told.out)["rejected"]["pruned"] == len(pruned)
    chosen = {each["trial"] for each in json.loads(told.out)["next_day"]}
    assert not chosen & {name for name, row in one.items() if row[3].startswith("pruned")}
    [folder] = (state / "sweeps").iterdir()
    lines = (folder / "trials.jsonl").read_bytes().split(b"\n")
    assert run_command(["sweeps", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(told.out)
    # as a kill leaves it: half of the trials, and the points of as many rounds
    (folder / "trials.jsonl").write_bytes(b"\n".join(lines[: len(lines) // 2]))
    (folder / "points.jsonl").unlink()
    assert table(swept(capsys, *asked, "--workers", "2", "--json")) == one
    assert run_command(["sweeps", "list", "--json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["trials"], entry["wanted"]) == (len(one), len(one))
