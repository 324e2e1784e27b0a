"""Golden bars: which bar counts, differences and causes, versions that never change."""

import json
import subprocess
from datetime import date

import pytest

from compiled.model.values import Bar
from engine.history.bar_series import from_bars, to_bars
from engine.history.golden_bars import (
    EDGE,
    EXTRA,
    GAP,
    THIN,
    VOLUME,
    WIDER,
    make_golden,
    series_digest,
)
from store.bars.parquet_bars import ParquetBars
from tui.commands.cli import run_command

MINUTE = 60_000_000_000
OPEN = 1_717_472_700_000_000_000  # 2024-06-04 09:15:00 IST
DAY = 1_440 * MINUTE


def bar(minute, opened=100.0, high=101.0, low=99.0, close=100.5, volume=10, token=1, day=0):
    return Bar(token, OPEN + day * DAY + minute * MINUTE, 60, opened, high, low, close, volume, 3)


def closes(series):
    return [(int((b.start - OPEN) // MINUTE), b.close, int(b.volume)) for b in to_bars(series, 60)]


def test_the_vendors_bar_counts_and_raw_stands_where_it_has_none():
    live = from_bars([bar(0), bar(1, close=100.25), bar(3, close=99.5)])
    imported = from_bars([bar(1, close=100.75), bar(2, close=100.1), bar(4, close=99.9)])
    vendor = from_bars([bar(0, volume=12, token=9), bar(5, close=100.9, token=9)])
    made = make_golden("INFY", [("imported", imported), ("live", live)], vendor)
    assert closes(made.series) == [
        (0, 100.5, 12),
        (1, 100.25, 10),
        (2, 100.1, 10),
        (3, 99.5, 10),
        (4, 99.9, 10),
        (5, 100.9, 10),
    ]
    assert made.manifest.sources == {"vendor": 2, "live": 2, "imported": 2}
    assert made.manifest.healed == {VOLUME: 1, EXTRA: 4, GAP: 1}
    assert (made.manifest.first, made.manifest.last, made.manifest.bars) == (
        OPEN,
        OPEN + 5 * MINUTE,
        6,
    )


@pytest.mark.parametrize(
    ("raw", "vendor", "cause"),
    [
        (bar(5, high=100.8), bar(5), THIN),
        (bar(5, close=100.4), bar(5), THIN),
        (bar(5, high=101.5), bar(5), WIDER),
        (bar(5, low=98.0, volume=9), bar(5), WIDER),
        (bar(5, volume=9), bar(5), VOLUME),
        (bar(9, close=100.4), bar(9), EDGE),
        (bar(0, opened=99.5), bar(0), EDGE),
        (bar(9, high=100.9), bar(9), THIN),
    ],
)
def test_a_difference_has_the_cause_that_its_prices_say(raw, vendor, cause):
    """The bars of minutes 0 and 9 are the session's first and last."""
    others = [bar(minute) for minute in (0, 4, 9) if bar(minute).start != raw.start]
    made = make_golden("INFY", [("live", from_bars([*others, raw]))], from_bars([*others, vendor]))
    assert [(each.day, each.cause, each.bars) for each in made.differences] == [
        (date(2024, 6, 4), cause, 1)
    ]


def test_differences_are_counted_by_day():
    raw = from_bars([bar(minute, day=day) for day in (0, 1) for minute in range(5)])
    vendor = from_bars(
        [
            bar(minute, day=day, volume=11 if minute < 2 + day else 10)
            for day in (0, 1)
            for minute in range(6)
        ]
    )
    found = [
        (each.day.day, each.cause, each.bars)
        for each in make_golden("INFY", [("live", raw)], vendor).differences
    ]
    assert found == [(4, GAP, 1), (4, VOLUME, 2), (5, GAP, 1), (5, VOLUME, 3)]


def test_the_hash_is_of_what_bars_say_and_of_nothing_else():
    series = from_bars([bar(0), bar(1)])
    assert series_digest(series) == series_digest(from_bars([bar(0, token=7), bar(1, token=8)]))
    for changed in (bar(1, close=100.55), bar(1, volume=11), bar(2), bar(1, low=98.95)):
        assert series_digest(from_bars([bar(0), changed])) != series_digest(series)
    assert (
        series_digest(series.pick(slice(0, 0)))
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


@pytest.fixture
def patang(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*arguments):
        code = run_command(["bars", "golden", *map(str, arguments)])
        told = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, told.out, told.err)

    return run


@pytest.fixture
def store(tmp_path):
    return ParquetBars(tmp_path / "state" / "patang" / "history")


def test_a_version_is_made_once_and_verified_and_the_next_is_another(patang, store):
    store.write([bar(minute) for minute in range(5)], {1: "M&M"}, "live")
    store.write([bar(0, token=2)], {2: "SBIN"}, "imported")
    store.write([bar(2, close=100.4)], {1: "M&M"}, "vendor")
    rows = json.loads(patang("build", "--json").stdout)
    assert [(row["symbol"], row["cause"], row["bars"]) for row in rows] == [
        ("M&M", THIN, 1),
        ("M&M", EXTRA, 4),
    ]
    assert patang("verify").returncode == 0
    store.write([bar(5), bar(3, close=100.3)], {1: "M&M"}, "vendor")
    assert patang("build").returncode == 0
    assert [row["version"] for row in json.loads(patang("list", "--json").stdout)] == [
        "golden-1",
        "golden-2",
    ]
    done = patang("diff", "golden-1", "golden-2", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        1,
        [{"symbol": "M&M", "new": 1, "gone": 0, "changed": 1}],
    )
    assert patang("diff", "golden-2", "golden-2").returncode == 0
    assert [b.close for b in store.read("M&M", 60, 0, 2**62, "golden-1")] == [
        100.5,
        100.5,
        100.4,
        100.5,
        100.5,
    ]


def test_bars_that_were_changed_afterwards_are_found(patang, store):
    store.write([bar(minute) for minute in range(5)], {1: "M&M"}, "live")
    patang("build")
    store.write([bar(2, close=100.45, token=0)], {0: "M&M"}, "golden-1")
    done = patang("verify", "golden-1", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        1,
        [{"symbol": "M&M", "bars": 5, "expected": 5}],
    )
    store.write([bar(2)], {1: "SBIN"}, "golden-1")
    assert json.loads(patang("verify", "--json").stdout)[1:] == [
        {"symbol": "SBIN", "bars": 1, "expected": 0}
    ]


@pytest.mark.parametrize("version", ["golden-1", ""])
def test_nothing_is_imported_into_a_golden_version_or_one_without_a_name(tmp_path, capfd, version):
    assert (
        run_command(
            ["bars", "import", str(tmp_path), "--folder", str(tmp_path), "--version", version]
        )
        == 2
    )
    assert "bars of others are not golden" in capfd.readouterr().err


def test_a_build_that_was_cut_off_is_no_version_and_the_next_does_not_mix_with_it(patang, store):
    store.write([bar(minute) for minute in range(5)], {1: "M&M"}, "live")
    # killed before its manifest
    store.write_columns("M&M", 60, "golden-1", from_bars([bar(0, close=99.0)]))
    assert patang("list").returncode == 1
    assert patang("build").returncode == 0
    assert [row["version"] for row in json.loads(patang("list", "--json").stdout)] == ["golden-2"]
    assert patang("verify").returncode == 0


def test_a_dry_run_tells_and_stores_nothing(patang, store):
    store.write([bar(minute) for minute in range(5)], {1: "M&M"}, "live")
    before = store.contents()
    assert "golden-1 would hold 5 bars of 1 symbol," in patang("build", "--dry-run").stderr
    assert store.contents() == before
    assert patang("list").returncode == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("build",),
        ("verify",),
        ("verify", "golden-9"),
        ("diff", "live", "vendor"),
        ("build", "--symbols", "X"),
    ],
)
def test_a_wrong_question_is_one_line(patang, wrong):
    done = patang(*wrong)
    assert done.returncode in {1, 2}
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
