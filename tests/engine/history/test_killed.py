"""The history's commands killed at any step, and two of them at the same time.

Nothing is lost, nothing doubled.
"""

import json

import numpy as np
import pytest

from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from engine.history.golden_bars import golden_versions
from store.bars.parquet_bars import ParquetBars
from tests.conformance.bar_store import FOREVER, bar, fields
from tests.killing import WHOLE, every_step, started
from tui.commands.cli import run_command

NAMES = {1: "INFY", 2: "M&M"}
RAW = [bar(minute, token=token) for token in NAMES for minute in range(4)]
VENDOR = [bar(1, token=token, close=100.9) for token in NAMES]


def prepare(place):
    store = ParquetBars(place)
    store.write(RAW, NAMES, "live")
    store.write(VENDOR, NAMES, "vendor")


def raw_is_there(place):
    store = ParquetBars(place)
    for version, bars in (("live", RAW), ("vendor", VENDOR)):
        there = [
            each for name in NAMES.values() for each in store.read(name, 60, 0, FOREVER, version)
        ]
        assert fields(there) == fields(bars)


def told(capfd, *words):
    code = run_command([*map(str, words)])
    return code, capfd.readouterr()


@pytest.fixture
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


EVERY = pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.soak)])


@EVERY
def test_a_golden_build_killed_at_any_step_is_no_version_or_a_whole_one_and_the_next_is_right(
    tmp_path, alone, capfd, stride
):
    def build(place):
        assert run_command(["bars", "golden", "build", "--folder", str(place)]) == 0

    def check(place, _at):
        raw_is_there(place)
        for version in golden_versions(place):
            assert told(capfd, "bars", "golden", "verify", version, "--folder", place)[0] == 0
        before = len(golden_versions(place))
        build(place)
        assert len(golden_versions(place)) == before + 1
        assert told(capfd, "bars", "golden", "verify", "--folder", place)[0] == 0

    assert every_step(tmp_path, prepare, build, check, stride=stride) > 20


@EVERY
def test_a_compaction_killed_at_any_step_changes_no_answer(tmp_path, alone, stride):
    def fill(place):
        prepare(place)
        ParquetBars(place).write([bar(0, close=100.25)], NAMES, "live")
        ParquetBars(place).write([bar(0)], NAMES, "live")

    def compact(place):
        assert run_command(["bars", "compact", "--folder", str(place)]) == 0

    def check(place, _at):
        raw_is_there(place)
        compact(place)
        raw_is_there(place)
        assert not list(place.rglob("recent/*.parquet"))

    assert every_step(tmp_path, fill, compact, check, stride=stride) > 10


def test_two_builds_at_once_are_two_versions(tmp_path, alone, capfd):
    prepare(tmp_path / "bars")
    both = [
        started(tmp_path, "bars", "golden", "build", "--folder", tmp_path / "bars")
        for _ in range(3)
    ]
    assert [each.wait(60) for each in both] == [WHOLE] * 3, [each.stderr.read() for each in both]
    assert golden_versions(tmp_path / "bars") == ["golden-1", "golden-2", "golden-3"]
    for version in golden_versions(tmp_path / "bars"):
        assert (
            told(capfd, "bars", "golden", "verify", version, "--folder", tmp_path / "bars")[0] == 0
        )


def halves(folder):
    """Write the even minutes of two hours to files in one folder, the odd ones in another."""
    for number in range(2):
        (folder / f"files-{number}").mkdir()
        for symbol in ("INFY", "SBIN", "TCS"):
            stamps = [
                f"2024-06-04 {9 + (15 + m) // 60:02}:{(15 + m) % 60:02}"
                for m in range(number, 120, 2)
            ]
            rows = "".join(f"{stamp},{100 + number},102,99,{100 + number}\n" for stamp in stamps)
            (folder / f"files-{number}" / f"{symbol}.csv").write_text(
                "date,open,high,low,close\n" + rows
            )


def test_two_imports_at_once_lose_nothing(tmp_path, alone):
    halves(tmp_path)
    words = ("bars", "import", "--span", "60", "--folder", tmp_path / "bars")
    both = [started(tmp_path, *words, tmp_path / f"files-{number}") for number in range(2)]
    assert [each.wait(60) for each in both] == [WHOLE] * 2, [each.stderr.read() for each in both]
    store = ParquetBars(tmp_path / "bars")
    for symbol in ("INFY", "SBIN", "TCS"):
        assert [b.close for b in store.read(symbol, 60, 0, FOREVER, "imported")] == [
            100.0,
            101.0,
        ] * 60


@pytest.fixture
def vendor(tmp_path):
    """An exchange with the rates of Kite by count, and a configuration that names it."""
    sandbox = Sandbox(SandboxConfig(symbols=("INFY", "SBIN"), date="2026-11-20", limits="strict"))
    place = sandbox.start()
    (tmp_path / "config.toml").write_text(
        f'[broker]\nrest = "{place.rest}"\nws = "{place.ws}"\napi_key = "{place.api_key}"\n'
        f'access_token = "{place.access_token}"\n'
    )
    (tmp_path / "config.toml").chmod(0o600)
    yield sandbox
    sandbox.stop()


def downloaded(folder):
    store = ParquetBars(folder)
    return {name: store.columns(name, 60, 0, FOREVER, "vendor") for name in ("INFY", "SBIN")}


@pytest.mark.parametrize(
    ("stride", "first"), [(11, "2026-11-05"), pytest.param(1, "2026-08-10", marks=pytest.mark.soak)]
)
def test_a_download_killed_again_and_again_under_strict_limits_ends_with_what_one_in_peace_has(
    tmp_path, alone, vendor, stride, first
):
    words = (
        "bars",
        "download",
        "--symbols",
        "INFY,SBIN",
        "--from",
        first,
        "--to",
        "2026-11-19",
        "--json",
    )
    done = started(tmp_path, *words, "--folder", tmp_path / "whole")
    told, why = done.communicate(timeout=120)
    assert done.returncode == WHOLE, why
    kills = 0
    for at in range(1, 300, stride):
        done = started(tmp_path / "torn", *words, "--folder", tmp_path / "torn", at=at)
        again, why = done.communicate(timeout=120)
        assert done.returncode in {-9, WHOLE}, why
        if done.returncode == WHOLE:
            break
        kills += 1
    assert kills >= 1
    assert json.loads(again) == json.loads(told)
    whole, torn = downloaded(tmp_path / "whole"), downloaded(tmp_path / "torn")
    for name, series in whole.items():
        assert len(series.start) > 3_000
        assert all(np.array_equal(one, two) for one, two in zip(series, torn[name], strict=True))
