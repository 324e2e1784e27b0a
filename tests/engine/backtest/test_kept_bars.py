"""Bars that earlier backtests have read: the same as stored ones, and never out of date."""

import os
import threading
from datetime import date

import numpy as np
import pytest

import engine.backtest.kept_bars as module
from compiled.model.values import MINUTE, SECOND
from compiled.trading.risk import RiskLimits
from compiled.venue.slippage import Slippage
from engine.backtest.backtest_run import BacktestRun, RunSettings
from engine.backtest.clocked_bars import on_one_clock
from engine.backtest.kept_bars import KeptBars
from engine.backtest.replayed_bars import replay_bars
from engine.backtest.run_bars import BarVersions, days_of
from engine.backtest.traded_market import instruments_of, market_of
from engine.history.bar_series import to_bars
from engine.market import charges
from engine.market.calendar import Calendar
from engine.market.corporate_actions.action_list import CorporateActions, parsed_actions
from engine.system.bounded_folder import trim_folder
from store.bars.parquet_bars import ParquetBars
from tests.engine.backtest.histories import Told, history, walk
from tests.engine.backtest.made_up import at

DAYS = [date(2024, 6, 4), date(2024, 6, 5), date(2024, 6, 6)]
MOST = 10**8


@pytest.fixture(autouse=True)
def _keep_few(monkeypatch):
    monkeypatch.setattr(module, "LEAST_BARS", 1)


@pytest.fixture
def place(tmp_path):
    # SBIN lacks a few minutes, and begins later than INFY
    series = {"SBIN": walk(DAYS, 2).pick(slice(9, None, 3)), "INFY": walk(DAYS, 1)}
    return history(tmp_path / "history", series)


def load(place, kept=None, symbols=("SBIN", "INFY"), actions=None, end=2**62, version=""):
    versions = BarVersions(ParquetBars(place), place, kept)
    return versions.load([*symbols], 60, 0, end, version, actions)


def shelf(place, most=MOST):
    return KeptBars(place.parent / "kept", most)


def files(place):
    return sorted((place.parent / "kept").glob("*"))


def same(left, right):
    assert [*left.series] == [*right.series]
    for name, bars in left.series.items():
        for one, two in zip(bars, right.series[name], strict=True):
            assert one.tolist() == two.tolist()
    assert left.manifests == right.manifests
    assert left.warnings == right.warnings


def test_the_second_run_maps_what_the_first_has_read(place):
    stored = load(place)
    first = load(place, shelf(place))
    [file] = files(place)
    made = file.stat().st_ino
    second = load(place, shelf(place))
    assert file.stat().st_ino == made
    for loaded in (first, second):
        same(loaded, stored)
        assert not loaded.series["INFY"].close.flags.writeable
        assert loaded.grids == {"SBIN": 500, "INFY": 500}
        for one, two in zip(loaded.clock, on_one_clock(stored.series), strict=True):
            assert [*one] == [*two]


def one_more(store):
    [last] = to_bars(walk(DAYS, 1).pick(slice(-1, None)), 60)
    last.close += 0.5
    last.high += 0.5
    store.write([last], {1: "INFY"}, "imported")


def another_price(store):
    bars = walk(DAYS, 1).pick(slice(5, 6))
    store.write_columns("INFY", 60, "imported", bars._replace(volume=bars.volume + 1))


def fewer(store):
    store.remove(
        "SBIN", 60, "imported", store.columns("SBIN", 60, 0, at(DAYS[1], "00:00"), "imported")
    )


def folded(store):
    one_more(store)
    store.fold()


@pytest.mark.parametrize("change", [one_more, another_price, fewer, folded])
def test_what_is_stored_later_is_read(place, change):
    load(place, shelf(place))
    change(ParquetBars(place))
    same(load(place, shelf(place)), load(place))
    assert len(files(place)) == 2


def test_other_days_versions_symbols_and_actions_are_other_bars(place):
    history(place, {"INFY": walk(DAYS, 7), "SBIN": walk(DAYS, 8)}, "vendor")
    actions = CorporateActions(
        parsed_actions("INFY", DAYS[1], "Face Value Split From Rs 10 To Rs 5")
    )
    asked = [
        {},
        {"end": at(DAYS[2], "00:00")},
        {"version": "imported"},
        {"symbols": ["INFY"]},
        {"actions": actions},
        {"actions": CorporateActions([])},
    ]
    for number, each in enumerate(asked, start=1):
        for _ in range(2):
            same(load(place, shelf(place), **each), load(place, **each))
        assert len(files(place)) == number
    (place / "golden-1.json").write_text("{}")
    history(place, {"INFY": walk(DAYS, 1)}, "golden-1")
    assert load(place, shelf(place)).manifests["INFY"].version == "golden-1"


@pytest.mark.parametrize("where", [0, 3, 30, -8, -4_000])
def test_a_damaged_file_is_made_anew(place, where):
    stored = load(place, shelf(place))
    [file] = files(place)
    good = file.read_bytes()
    damaged = bytearray(good)
    damaged[where] ^= 1
    for content in (bytes(damaged), good[: len(good) // 2], good[:40], b""):
        file.write_bytes(content)
        same(load(place, shelf(place)), stored)
        assert file.read_bytes() == good


def test_a_folder_that_refuses_costs_nothing_but_time(place):
    (place.parent / "kept").write_text("no folder")
    same(load(place, shelf(place)), load(place))


def test_few_bars_and_too_many_are_not_kept(place, monkeypatch):
    load(place, shelf(place, most=100_000))
    monkeypatch.setattr(module, "LEAST_BARS", 10**6)
    load(place, shelf(place))
    assert files(place) == []
    monkeypatch.setattr(module, "LEAST_BARS", 1)
    monkeypatch.setattr(module, "SPARE", 2**62)
    same(load(place, shelf(place)), load(place))
    assert files(place) == [], "a full disk would halt a desk"


def test_bars_that_are_none_are_not_kept(place):
    wrong = walk(DAYS, 1).pick(slice(0, 1))
    history(place, {"INFY": wrong._replace(low=-wrong.low)})
    same(load(place, shelf(place)), load(place))
    assert files(place) == []


def test_several_at_once_read_the_same(place):
    stored, found = load(place), []
    threads = [
        threading.Thread(target=lambda: found.append(load(place, shelf(place)))) for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 4
    for loaded in found:
        same(loaded, stored)
    assert len(files(place)) == 1


def test_the_folder_is_bounded_and_what_was_used_stays(tmp_path):
    ages = {"old": 31 * 86_400, "first": 600, "second": 500, "used": 9_000, "newest": 0}
    for name, age in ages.items():
        (tmp_path / f"{name}.packed").write_bytes(b"x" * 100)
        os.utime(tmp_path / f"{name}.packed", (10**9 - age, 10**9 - age))
    for name, age in (("killed", 3_700), ("running", 60)):
        (tmp_path / f".{name}.packed.77.tmp").write_bytes(b"x" * 1_000)
        os.utime(tmp_path / f".{name}.packed.77.tmp", (10**9 - age, 10**9 - age))
    trim_folder(tmp_path, ".packed", 300, used=tmp_path / "used.packed", days=30)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".running.packed.77.tmp", "newest.packed", "second.packed", "used.packed"]
    trim_folder(tmp_path, ".packed", 10**6)
    assert len([*tmp_path.iterdir()]) == 4


def replayed(loaded, known, begins=0, first=DAYS[0]):
    """Return the run and the bars of a backtest of loaded bars."""
    days, calendar = days_of(loaded.series.values(), first, DAYS[-1]), Calendar.load()
    market = market_of(
        instruments_of(loaded.series, None, DAYS[-1], grids=loaded.grids if known else None),
        days,
        calendar,
        charges.load_rate_table(),
        None,
        120 * SECOND,
    )
    orders = {at(DAYS[1], "09:20") + 10 * k * MINUTE: 10 * (k % 2) for k in range(30)}
    bars = replay_bars(loaded.series, market, begins, known=loaded if known else None)
    settings = RunSettings(10**8, RiskLimits(), Slippage())
    run = BacktestRun([Told(orders)], {}, bars, 60, market, calendar, settings)
    run.run()
    return run, bars


@pytest.mark.parametrize(
    "case", ["whole", "with days before", "begun at noon", "outside a session", "off the grid"]
)
def test_a_replay_of_kept_bars_is_that_of_stored_ones(place, case):
    if case == "outside a session":
        late = walk(DAYS, 3).pick(slice(0, 1))
        start = np.array([at(DAYS[0], "16:00")])
        history(place, {"INFY": late._replace(start=start)})
    if case == "off the grid":
        bars = walk(DAYS, 3).pick(slice(700, 701))
        ugly = {name: getattr(bars, name) + 0.0025 for name in ("open", "high", "low", "close")}
        history(place, {"INFY": bars._replace(**ugly)})
    first = DAYS[1] if case == "with days before" else DAYS[0]
    begins = at(DAYS[0], "12:00") if case == "begun at noon" else 0
    names = ["INFY", "SBIN"]
    load(place, shelf(place), names)
    loaded = load(place, shelf(place), names)
    one, ours = replayed(loaded, known=True, begins=begins, first=first)
    two, theirs = replayed(load(place, None, names), known=False, begins=begins, first=first)
    assert len(one.fills) > 10
    assert one.digest == two.digest
    assert (ours.dropped, ours.columns.count) == (theirs.dropped, theirs.columns.count)
    shared = np.shares_memory(ours.columns.bars.closes, loaded.clock.closes)
    assert shared == (case in {"whole", "with days before", "begun at noon"})
