"""A desk records its feed, and the recording plays again: same ticks, same bars, same digest."""

import json
import sqlite3
from contextlib import closing
from datetime import date

import pytest

from brokers.sandbox.api import admin_key
from compiled.model.values import MINUTE, SECOND
from engine.market.calendar import midnight
from store.bars.parquet_bars import ParquetBars
from tests.desk.support import rows, wait_for
from tui.run.recordings import RecordedRunReader, play_run, recorded_runs
from tui.run.run_records import bars_folder
from tui.run.session import RunPlan
from tui.run.wiring import open_desk

TEXT = """
[feed]
record = true
watch = ["INFY", "TCS", "ITC", "SBIN"]
stale_after_s = 600
"""
FAULTS = [
    {"kind": "duplicate", "on": "ticks", "chance": 0.1},
    {"kind": "reorder", "on": "ticks", "chance": 0.1},
    {"kind": "drop", "on": "ticks", "chance": 0.05},
    {"kind": "delay", "on": "ticks", "chance": 0.05, "seconds": 90},
    {"kind": "poison", "times": 3, "skip": 5},
    {"kind": "close", "on": "ticks", "skip": 20},
]


def recorded(station, faults, bars):
    """Have a desk record until more than so many bars have closed, with faults.

    Return it, closed, and what it recorded.
    """
    made = station(RunPlan(speed=60.0, start="10:00"), TEXT)
    desk = open_desk(made)
    wait_for(lambda: made.board.header.state == "running", "it runs")
    if faults:
        admin_key.call_admin(made.endpoint.rest, "POST", "/sandbox/faults", faults)
    wait_for(lambda: desk.kernel.state.bar_count > bars, "bars close")
    made.close()
    assert desk.error is None
    [run] = recorded_runs(made.state / "recordings", "sandbox")
    return made, desk, run


@pytest.mark.parametrize("faults", [[], FAULTS], ids=["well", "faults"])
def test_a_recorded_day_plays_to_the_same_bars(station, faults):
    made, desk, run = recorded(station, faults, 12)
    reading, shown = RecordedRunReader(run), []
    outcome = play_run(reading, lambda event, bars: shown.extend(bars))
    assert outcome.is_whole
    assert outcome.matches_desk
    assert {row["reason"] for row in rows(made.database, "SELECT reason FROM letters")} == (
        {"frame"} if faults else set()
    )
    facts = desk.facts()
    assert (outcome.ticks, outcome.bars) == (facts["ticks"], facts["bars"])
    store = ParquetBars(bars_folder(made.config, "sandbox", made.database))
    filled = [
        (row["token"], row["began"], row["ended"])
        for row in rows(made.database, "SELECT * FROM gaps")
    ]
    compared = 0
    for token, market in desk.kernel.state.markets.items():
        stored = {
            bar.start: values(bar)
            for bar in store.read(market.instrument.symbol, 60, 0, 2**62, "live")
        }
        again = {bar.start: values(bar) for bar in shown if (bar.token, bar.span) == (token, 60)}
        other = [start for start, bar in again.items() if stored[start] != bar]
        read_later = {
            s
            for s in again
            for t, began, ended in filled
            if t == token and began < s + MINUTE and s < ended
        }
        compared += len(again)
        assert {*other} <= read_later, "only what the broker's history has filled differs"
        assert other == [] or faults
    assert compared


def values(bar):
    return bar.open, bar.high, bar.low, bar.close, int(bar.volume)


def replayed(patang, recording, *arguments):
    done = patang.run("replay", recording, "--no-ui", "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("faults", [[], FAULTS], ids=["well", "faults"])
def test_a_recording_is_played_through_the_whole_desk_to_the_same_bars_and_twice_to_the_same_orders(
    station, patang, faults
):
    made, desk, run = recorded(station, faults, 30)
    with closing(sqlite3.connect(made.database)) as db, db:
        db.execute(
            "INSERT INTO strategy_acts (ts, day, strategy, act, who, reason, detail) "
            "VALUES (?, ?, 'momentum_ladder', 'stop', 'screen', 'too hot', '{}')",
            (midnight(date.fromisoformat(run.day)) + 36_061 * SECOND, run.day),
        )
    eager = (
        "[strategy.momentum_ladder]\nmomentum_bars = 1\nmomentum_percent = 0.01\nema_fast = 1\n"
        "ema_slow = 2\n"
    )
    (patang.home / "config.toml").write_text(TEXT.replace("record = true", "") + eager)
    code, first = replayed(patang, run.name, "--speed", "max")
    assert (code, first["same_bars_as_the_desk"], first["whole"]) == (0, "yes", True)
    assert first["unrepeated_acts"] == ["10:01:01 stop momentum_ladder: too hot"]
    facts = desk.facts()
    assert (first["ticks"], first["bars"]) == (facts["ticks"], facts["bars"])
    assert first["recorded"]["digest"] == first["bars_digest"]
    assert first["fills"] > 0
    _, again = replayed(patang, run.parts[0].path, "--speed", "4000")
    same = ("digest", "orders", "fills", "bars_digest", "net")
    assert {name: again[name] for name in same} == {name: first[name] for name in same}
    code, part = replayed(patang, run.parts[0].path.parent, "--speed", "max", "--until", "10:03")
    assert (code, part["same_bars_as_the_desk"]) == (0, "not played to its end")
    assert 0 < part["bars"] < first["bars"]


def test_what_is_no_recording_or_says_too_much_is_one_line(patang, tmp_path):
    for words, says in (
        (("live/2026-11-27/1",), "live/2026-11-27/1: no folder of bars, and no recording"),
        ((tmp_path / "2026-11-27" / "0001-0001.feed",), "no recording, as DAY/RUN-PART.feed"),
    ):
        done = patang.call("replay", *words, "--no-ui")
        assert (done.returncode in {1, 2}, done.stdout, len(done.stderr.splitlines())) == (
            True,
            "",
            1,
        )
        assert says in done.stderr
    folder = tmp_path / "live" / "recordings" / "2026-11-27"
    folder.mkdir(parents=True)
    (folder / "0001-0001.feed").write_bytes(b"nothing of it")
    assert "does not say how its day began" in patang.call("replay", folder, "--no-ui").stderr
    assert (
        "leave --date and --symbols out"
        in patang.call("replay", folder, "--no-ui", "--date", "2026-11-27").stderr
    )
    assert "expected HH:MM" in patang.call("replay", folder, "--no-ui", "--from", "25h").stderr


def test_a_recording_that_was_cut_says_so_in_the_list_and_in_its_export(station, patang):
    _, _, run = recorded(station, [], 1)
    file = run.parts[0].path
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:-1])
    (patang.home / "config.toml").write_text(TEXT)
    done = patang.call("ticks", "export", run.name)
    assert (done.returncode, done.stdout.count("\n") > 1) == (0, True)
    assert f"{run.name} is cut or damaged: not all that came is in it" in done.stderr
    file.write_bytes(b"")
    done = patang.call("ticks", "list")
    assert done.stdout.splitlines()[1].split() == [run.name, "0", "0.0", "0.0", "cut"]
    assert "is cut or damaged" in patang.call("ticks", "export", run.name).stderr
