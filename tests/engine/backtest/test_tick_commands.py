"""Backtests on ticks of others from the command line: import, run, refuse, keep."""

import gzip
import hashlib
import json
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from compiled.backtest.recording import TickColumns
from compiled.market_data.depth_block import pack_depth
from compiled.model.values import MINUTE, SECOND, Instrument
from compiled.venue.slippage import FixedTicks, Slippage, SpreadFraction, VolumeShare
from engine.backtest.quoted_ranges import QuotedRanges
from engine.history.bar_series import BarSeries
from engine.indian_time import IST
from engine.market.calendar import midnight
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.test_backtest_commands import said
from tui.commands.backtest.tick_days import made_up_days
from tui.commands.cli import run_command

DAYS = ("2024-06-03", "2024-06-04")
TRADING = """
[strategy.moving_average_cross]
fast = 1
slow = 3
stop_percent = 0.4
timeframe_s = 60
"""


def tick_rows(day, seed, price):
    """Return lines of ten minutes from the pre-open on, with an impossible price among them."""
    rng = np.random.default_rng(seed)
    begin = midnight(date.fromisoformat(day)) + (9 * 60 + 14) * MINUTE
    prices = np.round((price + np.cumsum(rng.integers(-3, 4, 600)) * 0.05) / 0.05) * 0.05
    volumes = 1_000 + np.cumsum(rng.integers(0, 500, 600))
    if seed == 1:
        prices[300] = 7.0 * price
    times = (begin + np.arange(600) * SECOND + IST).astype("datetime64[ns]").astype("datetime64[s]")
    return [
        f"{str(ts).replace('T', ' ')},{value:.2f},{volume}"
        for ts, value, volume in zip(times, prices, volumes, strict=True)
    ]


@pytest.fixture
def ticks(tmp_path, monkeypatch, capsys):
    """Return a folder of state into which two days of two symbols have been imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "config.toml").write_text(TRADING)
    for seed, (symbol, price) in enumerate((("INFY", 1_500.0), ("SBIN", 800.0)), start=1):
        lines = ["timestamp,ltp,volume"]
        for day in DAYS:
            lines += tick_rows(day, seed, price)
        (tmp_path / f"{symbol}.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
        said(capsys, "ticks", "import", str(tmp_path / f"{symbol}.csv.gz"))
    return tmp_path / "state" / "patang"


def ran(capsys, *options):
    told = said(capsys, "backtest", "moving_average_cross", "--span", "ticks", "--json", *options)
    return json.loads(told.out)


def test_imported_ticks_are_listed_beside_recordings(ticks, capsys):
    del ticks
    rows = json.loads(said(capsys, "ticks", "list", "--json").out)
    assert [row["recording"] for row in rows] == [
        f"imported/{day}/{symbol}" for day in DAYS for symbol in sorted(("INFY", "SBIN"))
    ]
    assert all(row["ticks"] > 100 and row["from"] < row["to"] for row in rows)
    assert {row["state"] for row in rows} == {"imported"}
    # They are of no desk's mode.
    assert run_command(["ticks", "list", "--mode", "paper"]) == 1


def test_imported_ticks_are_run_kept_and_named_by_their_hashes(ticks, capsys, tmp_path):
    page = tmp_path / "page.html"
    found = ran(capsys, "--report", str(page))
    made = found["manifest"]
    files = {
        f"{symbol}/{day}": hashlib.sha256(
            (ticks / "history" / "ticks" / symbol / f"{day}.parquet").read_bytes()
        ).hexdigest()
        for symbol in ("INFY", "SBIN")
        for day in DAYS
    }
    assert made["feeds"] == files
    assert (made["first"], made["last"], made["symbols"]) == (*DAYS, ["INFY", "SBIN"])
    assert (made["latency"], made["golden"]) == ("40 ms", False)
    warned = " | ".join(made["warnings"])
    for part in (
        "no warm-up: the history begins with the first session",
        "2 ticks that cannot be true left out: jump 2",
        "240 ticks outside the session of their day make no bar",
        "2024-06-03: no ticks from 09:23:59 to 15:30:00",
    ):
        assert part in warned
    assert "Ticks of INFY/2024-06-03" in page.read_text()
    findings = {each["rule"]: each for each in found["findings"]}
    assert findings["golden"]["text"] == "ticks are what came; bars alone are made golden"
    assert (findings["bar"]["value"], findings["stale"]["value"]) == (0.0, 0)
    shown = json.loads(said(capsys, "results", "show", "--json").out)
    assert (shown["manifest"]["feeds"], len(shown["trades"]) > 3) == (files, True)
    assert "ticks, latency 40 ms" in said(capsys, "results", "show").out
    assert ran(capsys)["manifest"]["digest"] == made["digest"]


def test_a_day_a_symbol_and_a_latency_are_chosen(ticks, capsys):
    del ticks
    one = ran(capsys, "--symbols", "SBIN", "--from", DAYS[1], "--bars", "imported")["manifest"]
    assert (one["symbols"], list(one["feeds"]), one["first"]) == (
        ["SBIN"],
        [f"SBIN/{DAYS[1]}"],
        DAYS[1],
    )
    drawn = [
        ran(capsys, "--latency", text, "--feed-latency", "30")["manifest"]
        for text in ("tail:900:900:7", "tail:900:900:7", "tail:900:900:8", "0")
    ]
    assert drawn[0]["latency"] == "tail:900:900:7 ms, feed 30 ms"
    assert drawn[0]["digest"] == drawn[1]["digest"]
    assert len({each["digest"] for each in drawn}) == 3
    assert len({each["config"] for each in drawn}) == 3


def test_prices_that_a_feed_brings_too_late_enter_nothing(ticks, capsys):
    del ticks
    usual, late = (ran(capsys, "--feed-latency", ms) for ms in ("9000", "11000"))
    assert usual["metrics"]["trades"] > 0
    assert late["metrics"]["trades"] == 0
    assert set(late["refused"]) == {"STALE_DATA"}


def test_days_of_the_desks_own_market_beside_real_ones_are_named():
    days = [
        SimpleNamespace(day=date(2024, 6, number), hashes={name: ""})
        for number, name in ((3, "INFY/2024-06-03"), (4, "live/2024-06-04/1"))
    ]
    own = SimpleNamespace(day=date(2026, 12, 1), hashes={"sandbox/2026-12-01/2": ""})
    assert made_up_days(days) == []
    assert made_up_days([own]) == []
    assert made_up_days([*days, own]) == ["2026-12-01"]


def test_bars_of_the_days_before_warm_up(ticks, capsys):
    before = "2024-05-31"
    history(ticks / "history", {"INFY": walk([before], 1, 1_500.0)}, version="vendor")
    warned = " | ".join(ran(capsys)["manifest"]["warnings"])
    assert "no warm-up bars of SBIN" not in warned  # the import has made minutes of both
    assert "no warm-up:" not in warned


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("backtest", "--latency", "5"), 2, "--latency: bars have no finer clock"),
        (("backtest", "--feed-latency", "5"), 2, "--feed-latency: bars have no finer clock"),
        (("backtest", "--span", "tick"), 2, "--span tick: expected seconds, or ticks"),
        (("backtest", "--span", "-60"), 2, "expected seconds, or ticks"),
        (
            ("backtest", "--span", "ticks", "--latency", "soon"),
            2,
            "--latency soon: expected milliseconds up to 60000",
        ),
        (("backtest", "--span", "ticks", "--latency", "uniform:9:3:1"), 2, "--latency uniform"),
        (("backtest", "--span", "ticks", "--latency", "tail:1:1:0"), 2, "--latency tail:1:1:0"),
        (("backtest", "--span", "ticks", "--feed-latency", "-1"), 2, "--feed-latency -1"),
        (("backtest", "--span", "ticks", "--feed", "a.py:B"), 2, "brings bars, not ticks"),
        (("check", "--span", "ticks"), 2, "--span ticks: patang check wants bars"),
        (("backtest", "--span", "ticks"), 1, "no ticks in these days: see patang ticks list"),
        (("backtest", "--span", "ticks", "--bars", "live"), 1, "no ticks of live in these days"),
        (("backtest", "--span", "ticks", "--bars", "live/1/1"), 2, "no recording that"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, words, code, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    command, *options = words
    assert run_command((command, "moving_average_cross", *options)) == code
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if "looking for them" not in line]
    assert (told.out, len(lines)) == ("", 1)
    assert says in lines[0]


def test_a_file_of_ticks_that_is_damaged_is_named(ticks, capsys):
    file = ticks / "history" / "ticks" / "INFY" / f"{DAYS[0]}.parquet"
    file.write_bytes(b"PAR1 and nothing of it")
    assert run_command(("backtest", "moving_average_cross", "--span", "ticks")) != 0
    assert str(file) in capsys.readouterr().err


def test_fills_are_held_against_the_visible_book_and_not_against_trades_alone():
    start = 1_717_386_300 * SECOND
    bids = [(99.90 - 0.05 * k, 10, 1) for k in range(5)]
    asks = [(100.05 + 0.05 * k, 10, 1) for k in range(5)]
    packed = [
        np.array(each, kind).tobytes()
        for each, kind in (
            ([0, 0], np.int64),
            ([start, start + 61 * SECOND], np.int64),
            ([100.0, 100.0], np.float64),
            ([5, 9], np.int64),
        )
    ]
    ranges = QuotedRanges([Instrument(257, "NSE", "ONE", 0.05)], FixedTicks(2))
    ranges.add_ticks(TickColumns([257], *packed, pack_depth(257, bids, asks) + bytes(120)))
    whole, prices = np.array([start, start + 60 * SECOND], np.int64), np.full(2, 100.0)
    bars = BarSeries(whole, prices, prices, prices, prices, whole, whole, whole)
    widened = ranges.widen({"ONE": bars})["ONE"]
    assert widened.low.tolist() == [99.70, 100.0]
    assert widened.high.tolist() == [100.25, 100.0]
    assert widened.close.tolist() == [100.0, 100.0]
    # without a book a taking order trades beyond the last price by its slippage, on the grid
    for model, away in (
        (FixedTicks(2), 0.10),
        (SpreadFraction(0.5, 0.13), 0.10),
        (VolumeShare(0.1, 1.2), 1.20),
        (Slippage(), 0.0),
    ):
        bare = QuotedRanges([Instrument(257, "NSE", "ONE", 0.05)], model)
        bare.add_ticks(TickColumns([257], *packed))
        high = bare.widen({"ONE": bars})["ONE"].high.tolist()
        assert high == pytest.approx([100.0 + away] * 2)
