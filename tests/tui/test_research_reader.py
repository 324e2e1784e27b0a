"""The process behind screen 7: what it lists, the tabs it makes, what it starts and stops."""

import asyncio
import io
import os
import signal
import sqlite3
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from engine.backtest.linter.result_linter import lint_outcome
from engine.backtest.statistics.run_statistics import statistics
from engine.errors import NothingFound, OperatorError
from engine.promotion.promotion_log import PromotionLog
from store.backtest_results import CHECKS, SCHEMA, BiasCheck, ParityDay, ResultStore
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import CASH, at, outcome, trade, weekdays
from tests.engine.promotion.made_up import promoted, put_promotion
from tui.app.research_client import ResearchClient
from tui.app.research_port import (
    TABS,
    JobRequest,
    ResultCandles,
    ResultCurves,
    ResultMap,
    ResultTable,
    TabRequest,
)
from tui.commands.cli import run_command
from tui.commands.research_screen.job_words import job_words
from tui.commands.research_screen.reader_process import (
    ReaderRequest,
    answered,
    make_reader,
    serve_requests,
)
from tui.commands.research_screen.started_jobs import StartedJobs, read_progress

DAYS = weekdays(12)
SLOW = """
import time
import engine.backtest.replayed_bars
from strategies import Bar, Context, Strategy, StrategyParameters

# so few bars between two looks at a ctrl-c that it is seen soon
engine.backtest.replayed_bars.CHUNK = 50


class Slow(Strategy):
    def __init__(self, name: str, parameters: StrategyParameters) -> None:
        super().__init__(name, 60)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        time.sleep(0.01)
"""


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Return a state folder with a history of two symbols."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "state" / "patang"
    history(
        folder / "history",
        {name: walk(DAYS, seed) for seed, name in enumerate(("INFY", "SBIN"), start=1)},
    )
    return folder


def keep_run(folder, run="20240630-01", **given):
    equity = [CASH + 1_000_00 * k for k in range(len(DAYS) - 1)] + [CASH + 500_00]
    trades = [trade(1, gross=-50_00, charges=2_00), trade(2, gross=300_00, charges=3_00)]
    made = outcome(equity, trades, days=DAYS[: len(equity)], run=run, name="one", **given)
    metrics = statistics(made)
    store = ResultStore(folder / "results.db")
    store.keep(made, metrics, lint_outcome(made, metrics), "fail: made up")
    return store


def ask(reader, verb, body):
    raw = msgspec.Raw(msgspec.json.encode(body))
    found = answered(reader, ReaderRequest(1, verb, raw))
    if found.fault:
        raise OperatorError(found.fault)
    return found.body


def tab(reader, key, name, **more):
    return ask(reader, "tab", TabRequest(key, name, **more))


def test_the_list_has_the_desk_runs_checks_and_notes_and_tells_only_what_has_changed(state):
    store = keep_run(state)
    store.keep_check(
        BiasCheck("one", "2024-07-01T00:00:00+00:00", "pass: 0 fail", "one: days", False, {}, [])
    )
    reader = make_reader(["paper"])
    rows = ask(reader, "rows", False)
    assert [row.key for row in rows] == ["desk", "check one", "backtest 20240630-01"]
    run = rows[2]
    assert (run.net, run.trades, run.symbols, run.state, run.days) == (500.0, 2, "INFY", "fail", 12)
    assert ask(reader, "rows", False) is None
    assert ask(reader, "act", ("note", run.key, "first")) == "noted: first"
    assert ask(reader, "rows", False)[2].note == "first"
    ask(reader, "act", ("note", run.key, ""))
    assert ask(reader, "rows", False)[2].note == ""
    with pytest.raises(OperatorError, match="no result 9"):
        ask(reader, "act", ("note", "backtest 9", "x"))
    ask(reader, "act", ("remove", "check one", ""))
    ask(reader, "act", ("remove", run.key, ""))
    assert [row.key for row in ask(reader, "rows", False)] == ["desk"]


def test_every_tab_of_a_run_is_made(state):
    store = keep_run(state)
    reader, key = make_reader(["paper"]), "backtest 20240630-01"
    curves = tab(reader, key, "equity")
    assert isinstance(curves, ResultCurves)
    assert [line.name for line in curves.lines] == ["gross", "net"]
    # The cash of before the first session, then a point a session.
    assert curves.lines[1].values[:2] == [CASH / 100, CASH / 100]
    assert curves.lines[1].values[-1] == CASH / 100 + 500
    # From 1,000 a session up to 10,000 above, and down to 500: 10,500 under a peak of 1,10,000.
    assert curves.below[-1] == pytest.approx(100 * (100_500 / 110_000 - 1))
    for name in ("figures", "months", "groups", "trades", "checks"):
        table = tab(reader, key, name)
        assert isinstance(table, ResultTable)
        assert table.rows, name
        for row in table.rows:
            assert len(row.texts) == len(row.tones) == len(row.values) == len(table.columns), name
    months = {row.key: row.texts for row in tab(reader, key, "months").rows}
    # 500 of 1,00,000 rupees, all of it in June; of the other months nothing is known.
    assert months["year"] == ["year", "+0.50"]
    assert (months["net ₹"][1], months["Jun"][1], months["Jul"][1]) == ("500.00", "+0.50", "")
    trades = tab(reader, key, "trades")
    # The worst one first, by what is left after charges.
    assert [(row.key, row.texts[7]) for row in trades.rows] == [("1", "-52.00"), ("2", "297.00")]
    assert (trades.rows[0].symbol, trades.rows[0].ts) == ("INFY", at(DAYS[0], "10:00"))
    checks = tab(reader, key, "checks")
    assert checks.rows[-1].texts[2] == "not checked"
    store.keep_check(
        BiasCheck(
            "one",
            "2024-07-01T00:00:00+00:00",
            "pass: 0 fail",
            "12 sessions",
            True,
            {"one": "x"},
            [],
        )
    )
    told = tab(reader, key, "checks").rows[-1].texts[3]
    assert told.startswith("stopped before its last test; of another source of the strategy; ")
    assert told.endswith("2024-07-01, 12 sessions")
    keep_run(state, "20240630-02", span=300)
    compared = tab(reader, "backtest 20240630-02", "compare", other=key)
    assert [row.texts[:3] for row in compared.rows] == [["span", "60", "300"]]
    assert tab(reader, key, "compare").title.startswith("v marks")


def test_a_trade_is_charted_in_the_bars_of_its_run(state, capsys):
    assert (
        run_command(["backtest", "moving_average_cross", "--set", "fast=2", "--set", "slow=5"]) == 0
    )
    reader = make_reader(["paper"])
    key = ask(reader, "rows", True)[1].key
    row = tab(reader, key, "trades").rows[0]
    found = tab(reader, key, "trades", trade=row.key)
    assert isinstance(found, ResultCandles)
    assert found.marks[0].ts == row.ts
    assert found.bars[0].start <= found.marks[0].ts <= found.bars[-1].start + 60 * 10**9
    with pytest.raises(OperatorError, match="no trade 99999"):
        tab(reader, key, "trades", trade="99999")


def test_every_tab_of_a_sweep_is_made(state, capsys):
    command = [
        "sweep",
        "moving_average_cross",
        "--param",
        "fast=2,3,9",
        "--param",
        "slow=8,9",
        "--workers",
        "1",
    ]
    assert run_command(command) == 0
    capsys.readouterr()
    reader = make_reader(["paper"])
    [_, row] = ask(reader, "rows", True)
    # fast has to be below slow: 9 with 8 or 9 is no point, the others are run on two symbols.
    assert (row.kind, row.state, row.share) == ("sweep", "8 trials", -1.0)
    found = tab(reader, row.key, "map")
    assert isinstance(found, ResultMap)
    assert found.title == "8 trials, the mean where a cell has several"
    assert (found.across, found.columns, found.down, found.rows) == (
        "fast",
        ["2", "3"],
        "slow",
        ["8", "9"],
    )
    assert found.axes == ["fast", "slow", "symbol"]
    trials = tab(reader, row.key, "trials")
    by_name = {each.key: each for each in trials.rows}
    assert len(by_name) == 8
    turned = tab(reader, row.key, "map", across="symbol", down="fast", metric="trades")
    counted = {}
    for each in trials.rows:
        fast = each.texts[0].split()[0].removeprefix("fast=")
        counted.setdefault((fast, each.texts[1]), []).append(each.values[6])
    for line, fast in zip(turned.cells, turned.rows, strict=True):
        for value, symbol in zip(line, turned.columns, strict=True):
            assert value == pytest.approx(sum(counted[fast, symbol]) / 2)
    luck = tab(reader, row.key, "luck")
    assert [each.texts[0] for each in luck.rows].count("luck") == 5
    assert isinstance(tab(reader, row.key, "equity"), ResultCurves)
    page = Path(ask(reader, "act", ("report", row.key, "")))
    assert page.read_text().startswith("<!doctype html>")
    ask(reader, "act", ("remove", row.key, ""))
    assert len(ask(reader, "rows", True)) == 1


def parity_day(date, percent):
    numbers = dict.fromkeys(ParityDay._fields, 0)
    texts = {"mode": "paper", "date": date, "bars": "", "database": "", "strategy": ""}
    return ParityDay(
        **numbers
        | texts
        | {
            "percent": percent,
            "same": 9,
            "decisions": 10,
            "desk": -200_00,
            "backtest": 100_00,
            "fill": -290_00,
            "cost": -10_00,
            "correlation": 0.9,
            "distance": 1.0,
        }
    )


def test_the_desk_s_own_tabs(state):
    ResultStore(state / "results.db").keep_parity([parity_day("2024-06-04", 93.0)])
    log = PromotionLog(state / "paper")
    with log.lock():
        put_promotion(log, [promoted("one_infy_300")])
    reader = make_reader(["paper"])
    [day] = tab(reader, "desk", "parity").rows
    assert day.texts[:8] == [
        "2024-06-04",
        "paper",
        "93.0%",
        "9/10",
        "-200.00",
        "100.00",
        "-300.00",
        "fill -₹290.00",
    ]
    assert day.texts[8] == "cost -₹10.00"
    [due] = tab(reader, "desk", "promoted").rows
    # The desk has not opened with it yet.
    assert due.texts[:2] == ["one_infy_300", "INFY"]
    assert due.texts[4] == "due: new"
    [record] = tab(reader, "desk", "promotions").rows
    assert record.texts[0] == "*1"
    for name in ("equity", "trades"):
        assert tab(reader, "desk", name)


def test_a_damaged_file_of_results_is_a_row_and_everything_else_is_there(state):
    (state / "results.db").write_bytes(b"no database at all" * 100)
    reader = make_reader(["paper"])
    rows = ask(reader, "rows", True)
    assert [row.kind for row in rows] == ["desk", "fault"]
    assert "results.db" in rows[1].state


def test_a_file_of_the_version_before_is_brought_up_with_all_it_has(state):
    store = keep_run(state)
    with closing(sqlite3.connect(store.path)) as database:
        for table in ("backtest_notes", "bias_checks"):
            assert table in CHECKS
            database.execute(f"DROP TABLE {table}")
        database.execute("PRAGMA user_version = 3")
        database.commit()
    assert [each.stored.run for each in store.recent(10)] == ["20240630-01"]
    assert store.checks() == []
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA,)


def test_the_newest_runs_are_listed_and_no_more_than_are_wanted(state):
    for number in range(5):
        store = keep_run(state, f"2024063{number}")
    assert [each.stored.run for each in store.recent(2)] == ["20240634", "20240633"]
    with pytest.raises(NothingFound):
        store.keep_note("nobody", "x")


def test_a_form_becomes_the_words_of_a_command():
    fields = {
        "strategy": "cross",
        "symbols": "INFY, SBIN",
        "settings": "slow=30 'side=a b'",
        "to": "",
    }
    assert job_words("backtest", fields) == [
        "backtest",
        "cross",
        "--symbols",
        "INFY,SBIN",
        "--set",
        "slow=30",
        "--set",
        "side=a b",
    ]
    assert job_words("sweep", {"axes": "fast=5:25:5 slow=20,50", "sampler": "tpe"}) == [
        "sweep",
        "--param",
        "fast=5:25:5",
        "--param",
        "slow=20,50",
        "--sampler",
        "tpe",
    ]


def test_progress_is_read_out_of_what_commands_say():
    assert read_progress("45 %, 1,234 bars a second, 3 s left") == (
        0.45,
        "45 %, 1,234 bars a second, 3 s left",
    )
    assert read_progress("1,200 of 2,400 trials, 3.1 a second, 9 s left")[0] == 0.5
    assert read_progress("") == (0.0, "begins")


def test_what_is_asked_for_is_checked_as_the_command_itself_does(state, capsys):
    reader = make_reader(["paper"])
    fields = {"strategy": "moving_average_cross", "symbols": "INFYY"}
    with pytest.raises(OperatorError, match=r"^no bars of INFYY"):
        ask(reader, "check", JobRequest("backtest", fields))
    command = ["backtest", "moving_average_cross", "--dry-run"]
    assert run_command(command) == 0
    line = "moving_average_cross on 2 symbols, bars of 60 s, the first bar to the last"
    assert capsys.readouterr().out == f"{line}\n"
    axes = ["--param", "fast=5:9:2", "--param", "slow=20,30"]
    assert run_command(["sweep", "moving_average_cross", *axes, "--dry-run"]) == 0
    assert capsys.readouterr().out == f"{line}: 6 points\n"
    # Nothing was run, and nothing is kept.
    assert [row.key for row in ask(reader, "rows", True)] == ["desk"]


async def until(found, client, turns=600):
    """Return the row that a test is waiting for, however long the machine takes."""
    for _ in range(turns):
        client._fresh = True
        for row in await client.rows():
            if found(row):
                return row
        await asyncio.sleep(0.1)
    raise AssertionError("it never came")


async def test_a_backtest_is_started_shows_how_far_it_is_and_is_stopped_with_what_is_done(
    state, tmp_path
):
    (tmp_path / "config" / "patang" / "strategies").mkdir(parents=True)
    (tmp_path / "config" / "patang" / "strategies" / "slow.py").write_text(textwrap.dedent(SLOW))
    client = ResearchClient("paper", ())
    request = JobRequest("backtest", {"strategy": "slow", "symbols": "INFY", "cash": "100000"})
    number = await client.start(request)
    offer = await client.offer("backtest")
    assert "slow" in offer.strategies
    assert offer.symbols == ["INFY", "SBIN"]
    assert offer.last == request.fields
    # Ten milliseconds a bar, of which there are thousands: it is at work when the first line comes.
    row = await until(lambda row: row.job == number and "bars a second" in row.state, client)
    assert 0.0 <= row.share < 1.0
    with pytest.raises(OperatorError, match="stop it first"):
        await client.act("remove", row.key)
    await client.act("stop", row.key, number)
    kept = await until(lambda row: row.kind == "backtest", client)
    assert kept.name == "slow"
    assert kept.state.endswith(", stopped")
    over = await until(lambda row: row.job == number and not row.runs, client)
    assert over.state == "stopped"
    lines = await client.tab(TabRequest(over.key, "output"))
    assert any("kept as" in row.texts[0] for row in lines.rows)
    await client.act("remove", over.key)
    client._fresh = True
    assert all(row.job != number for row in await client.rows())
    await client.close()
    assert client._process.returncode == 0


def test_what_ends_with_the_screen_ends_when_the_pipe_does_and_the_others_go_on(state, monkeypatch):
    jobs, another = (StartedJobs(state / "research-jobs") for _ in range(2))
    stays = jobs.start("backtest", ["sandbox", "--port", "0"], {}, tied=False)
    ends = jobs.start("backtest", ["sandbox", "--port", "0"], {}, tied=True)
    try:
        assert jobs.runs(stays)
        assert jobs.runs(ends)
        assert [jobs.ends_with_screen(each.number) for each in (stays, ends)] == [False, True]
        # another screen that is left ends nothing of this one's
        assert not another.ends_with_screen(ends.number)
        # before it has said anything a ctrl-c meets an interpreter that is still starting
        until = time.monotonic() + 60
        while not jobs.output(ends) and time.monotonic() < until:
            time.sleep(0.05)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO()))
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=io.BytesIO()))
        serve_requests(SimpleNamespace(jobs=jobs))
        os.waitpid(ends.pid, 0)
        assert not jobs.runs(ends)
        assert jobs.code(ends) is not None
        assert jobs.runs(stays)
    finally:
        for job in (stays, ends):
            if jobs.runs(job):
                os.kill(job.pid, signal.SIGKILL)
    os.waitpid(stays.pid, 0)
    assert jobs.code(stays) is None
    assert jobs.row(stays).tone == "danger"


def test_every_kind_of_row_has_its_tabs():
    assert {len({*tabs}) == len(tabs) for tabs in TABS.values()} == {True}
