"""Bars come back from the files exactly as they went in, whatever happens in between."""

import os
import shutil
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.model.values import Bar
from engine.errors import DataError, OperatorError
from engine.history.bar_series import BarSeries, from_bars, merge, to_bars
from store.bars import parquet_bars
from store.bars.bar_encoding import decode_bars, encode_bars
from store.bars.parquet_bars import ParquetBars
from tests.conformance.bar_store import FOREVER, MINUTE, OPEN, BarStoreSuite, bar, fields

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path):
    return ParquetBars(tmp_path / "bars")


class TestParquet(BarStoreSuite):
    """Files do what every store does."""


def test_folding_moves_every_batch_and_changes_no_answer(store, tmp_path):
    for minute in range(10):
        store.write([bar(minute), bar(minute, token=2)], {1: "RELIANCE", 2: "M&M"}, "live")
    before = fields(store.read("M&M", 60, 0, FOREVER, "live"))
    store.fold()
    assert list((tmp_path / "bars").rglob("recent/*")) == []
    assert fields(store.read("M&M", 60, 0, FOREVER, "live")) == before
    assert len(before) == 10


def test_many_small_batches_fold_themselves(store, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_bars, "RECENT_FILES", 4)
    for minute in range(20):
        store.write([bar(minute)], {1: "RELIANCE"}, "live")
        assert len(list((tmp_path / "bars").rglob("recent/*.parquet"))) <= 4
    assert len(store.read("RELIANCE", 60, 0, FOREVER, "live")) == 20


def test_a_bar_each_of_many_symbols_is_one_batch_and_many_bars_go_into_files(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_bars, "BULK", 100)
    store = ParquetBars(tmp_path)
    for many, files, batches in ((30, 0, 1), (60, 3, 0)):
        parts = {
            name: from_bars([bar(minute, token=0) for minute in range(many)]) for name in "ABC"
        }
        store.write_many(parts, 60, "imported")
        assert len(list(tmp_path.rglob("symbol=*/*.parquet"))) == files
        assert len(list(tmp_path.rglob("recent/*.parquet"))) == batches
    assert [len(store.starts(name, 60, "imported")) for name in "ABC"] == [60, 60, 60]


def test_a_batch_is_read_once_for_many_symbols_and_the_next_one_is_seen(tmp_path, monkeypatch):
    store, reads = ParquetBars(tmp_path), []
    read = parquet_bars._recent_series
    monkeypatch.setattr(parquet_bars, "_recent_series", lambda at: reads.append(at) or read(at))
    for minute in range(3):
        ParquetBars(tmp_path).write([bar(minute, token=1)], {1: "INFY"}, "live")
        for _ in range(4):
            assert len(store.starts("INFY", 60, "live")) == minute + 1
            assert len(store.read("INFY", 60, 0, FOREVER, "live")) == minute + 1
            assert store.symbols(60, "live") == ["INFY"]
        assert len(reads) == minute + 1


def test_a_year_ends_at_midnight_in_india(store, tmp_path):
    midnight = 1_704_047_400_000_000_000  # 2024-01-01 00:00 IST, still 2023 in UTC
    bars = [
        Bar(1, midnight - MINUTE, 60, 1.0, 1.0, 1.0, 1.0, 1),
        Bar(1, midnight, 60, 2.0, 2.0, 2.0, 2.0, 1),
    ]
    store.write(bars, {1: "GOLD"}, "live")
    store.fold()
    assert sorted(path.name for path in (tmp_path / "bars").rglob("*.parquet")) == [
        "2023.parquet",
        "2024.parquet",
    ]
    assert [b.close for b in store.read("GOLD", 60, midnight - MINUTE, midnight + 1, "live")] == [
        1.0,
        2.0,
    ]
    assert [b.close for b in store.read("GOLD", 60, midnight, midnight + 1, "live")] == [2.0]


def test_bars_of_seconds_have_a_file_a_month(store, tmp_path):
    store.write([bar(0, span=1)], {1: "GOLD"}, "live")
    store.fold()
    assert [path.name for path in (tmp_path / "bars").rglob("*.parquet")] == ["2024-06.parquet"]


@pytest.mark.parametrize("symbol", ["M&M", "NIFTY 50", "A/B", "..", "x=y%2F", "किट"])
def test_any_symbol_can_be_stored(store, tmp_path, symbol):
    store.write([bar(0)], {1: symbol}, "live")
    store.fold()
    assert len(store.read(symbol, 60, 0, FOREVER, "live")) == 1
    (path,) = (tmp_path / "bars").rglob("2024.parquet")
    assert path.resolve().parent.parent == tmp_path / "bars" / "version=live" / "span=60"


def test_a_damaged_file_is_named_in_one_line(store, tmp_path):
    store.write([bar(0)], {1: "RELIANCE"}, "live")
    store.fold()
    (path,) = (tmp_path / "bars").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="is damaged") as caught:
        store.read("RELIANCE", 60, 0, FOREVER, "live")
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_an_operator_error(tmp_path):
    (tmp_path / "bars").write_text("a file")
    with pytest.raises(OperatorError, match="bars under"):
        ParquetBars(tmp_path / "bars").write([bar(0)], {1: "RELIANCE"}, "live")


@pytest.mark.parametrize("moment", ["symbol file", "unlink"])
def test_a_crash_while_folding_loses_no_bar_and_keeps_the_newest(store, tmp_path, moment):
    store.write([bar(0, close=100.1)], {1: "RELIANCE"}, "live")
    store.fold()
    store.write([bar(0, close=100.2), bar(1)], {1: "RELIANCE"}, "live")
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "if sys.argv[2] == 'unlink':\n    Path.unlink = lambda *a, **k: os._exit(9)\n"
        "else:\n    Path.replace = lambda *a, **k: os._exit(9)\n"
        "from store.bars.parquet_bars import ParquetBars\nParquetBars(Path(sys.argv[1])).fold()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    command = [sys.executable, "-c", program, str(tmp_path / "bars"), moment]
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == 9
    expected = fields([bar(0, close=100.2), bar(1)])
    assert fields(store.read("RELIANCE", 60, 0, FOREVER, "live")) == expected
    store.fold()
    assert fields(store.read("RELIANCE", 60, 0, FOREVER, "live")) == expected
    assert list((tmp_path / "bars").rglob("*.tmp")) == []


def test_a_full_disk_leaves_the_bars_that_were_there(store, tmp_path):
    store.write([bar(minute) for minute in range(100)], {1: "RELIANCE"}, "live")
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom compiled.model.values import Bar\n"
        "from engine.errors import OperatorError\nfrom store.bars.parquet_bars import ParquetBars\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "try:\n    ParquetBars(Path(sys.argv[1])).write([Bar(1, 0, 60, 1.0, 1.0, 1.0, 1.0, 1)], "
        "{1: 'RELIANCE'}, 'live')\n"
        "except OperatorError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    command = [sys.executable, "-c", program, str(tmp_path / "bars")]
    said = subprocess.run(
        command, env=environment, timeout=60, check=True, capture_output=True, text=True
    ).stdout
    assert said.count("\n") == 1
    assert said.startswith("bars under")
    assert len(store.read("RELIANCE", 60, 0, FOREVER, "live")) == 100
    assert list((tmp_path / "bars").rglob("*.tmp")) == []


def test_writers_and_folders_side_by_side_lose_nothing_and_readers_never_see_a_gap(tmp_path):
    errors, done = [], threading.Event()

    def write(token):
        writer = ParquetBars(tmp_path / "bars")
        for minute in range(20):
            writer.write([bar(minute, token=token)], {token: f"S{token}"}, "live")
            if minute % 5 == token:
                writer.fold()

    def watch():
        seen = 0
        while not done.is_set():
            count = len(ParquetBars(tmp_path / "bars").read("S1", 60, 0, FOREVER, "live"))
            if count < seen:
                errors.append((seen, count))
            seen = count

    threads = [threading.Thread(target=write, args=(token,)) for token in (1, 2)]
    watcher = threading.Thread(target=watch)
    watcher.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    assert errors == []
    for token in (1, 2):
        assert len(ParquetBars(tmp_path / "bars").read(f"S{token}", 60, 0, FOREVER, "live")) == 20


def test_duckdb_reads_the_files_with_the_query_of_the_manual(store, tmp_path):
    store.write([bar(0), bar(1, close=100.7)], {1: "M&M"}, "live")
    store.fold()
    text = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
    query = text.split("```sql bars\n")[1].split("```")[0].replace("BARS", str(tmp_path / "bars"))
    rows = duckdb.sql(query).fetchall()
    assert [row[2:] for row in rows] == [
        (100.05, 101.0, 99.95, 100.5, 1000, 7),
        (100.05, 101.0, 99.95, 100.7, 1000, 7),
    ]
    assert rows[0][:2] == ("M&M", datetime(2024, 6, 4, 9, 15))


grid = st.integers(1, 2_000_000_000)


@st.composite
def any_bar(draw):
    prices = [draw(grid) * draw(st.sampled_from([1, 25, 100, 500])) / 10_000.0 for _ in range(4)]
    start = draw(st.integers(0, 4 * 10**18))
    return Bar(
        draw(st.integers(0, 2)),
        start,
        60,
        *prices,
        draw(st.integers(-1, 2**40)),
        draw(st.integers(0, 2**31)),
    )


@given(st.lists(any_bar(), max_size=40))
def test_encoding_gives_every_bar_back_exactly(bars):
    assert fields(to_bars(decode_bars(encode_bars(from_bars(bars))), 60)) == fields(bars)


def test_merging_nothing_gives_nothing():
    assert len(merge([from_bars([]), from_bars([])]).start) == 0


def test_a_random_walk_of_minutes_takes_at_most_six_bytes_a_row(store, tmp_path):
    random = np.random.default_rng(5)
    rows = 100_000
    close = 20_000 + np.cumsum(random.integers(-8, 9, rows)).clip(-15_000)
    open_ = np.concatenate([close[:1], close[:-1]]) + random.integers(-2, 3, rows)
    high = np.maximum(open_, close) + random.integers(0, 12, rows)
    low = np.minimum(open_, close) - random.integers(0, 12, rows)
    start = OPEN + np.arange(rows) // 375 * 86_400 * 10**9 + np.arange(rows) % 375 * MINUTE
    volume = random.lognormal(8, 1.2, rows).astype(np.int64)
    ones = np.ones(rows, np.int64)
    prices = [part * 500 / 10_000.0 for part in (open_, high, low, close)]
    store.write_columns("WALK", 60, "golden", BarSeries(start, *prices, volume, ones, ones))
    size = sum(path.stat().st_size for path in (tmp_path / "bars").rglob("*.parquet"))
    found = store.columns("WALK", 60, 0, FOREVER, "golden")
    assert all(np.array_equal(kept, given) for kept, given in zip(found[1:5], prices, strict=True))
    assert size / rows <= 6.0


@pytest.mark.real_data
def test_a_year_of_real_minutes_takes_at_most_six_bytes_a_row_and_comes_back_exactly(
    store, tmp_path, market_data
):
    table = pq.read_table(market_data / "nse_1min" / "ICICIBANK.parquet")
    start = table.column("timestamp").cast(pa.int64()).to_numpy() * 1_000_000
    start, first = np.unique(start, return_index=True)
    prices = [table.column(name).to_numpy()[first] for name in ("open", "high", "low", "close")]
    volume = table.column("volume").to_numpy()[first]
    ones = np.ones(len(start), np.int64)
    store.write_columns("ICICIBANK", 60, "vendor", BarSeries(start, *prices, volume, ones, ones))
    found = store.columns("ICICIBANK", 60, 0, FOREVER, "vendor")
    assert all(
        np.array_equal(kept, given)
        for kept, given in zip(found[1:6], [*prices, volume], strict=True)
    )
    size = sum(path.stat().st_size for path in (tmp_path / "bars").rglob("*.parquet"))
    assert size / len(start) <= 6.0


@pytest.mark.parametrize("folded", [False, True])
def test_a_flipped_byte_never_gives_other_bars_and_the_file_is_named(store, tmp_path, folded):
    store.write([bar(minute) for minute in range(300)], {1: "INFY"}, "imported")
    if folded:
        store.fold()
    (file,) = (tmp_path / "bars").rglob("*.parquet")
    whole, found = file.read_bytes(), 0
    there = fields(store.read("INFY", 60, 0, FOREVER, "imported"))
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in range(0, pages, pages // 40):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        try:
            read = ParquetBars(tmp_path / "bars").read("INFY", 60, 0, FOREVER, "imported")
        except DataError as told:
            found += str(told).startswith(f"{file} is damaged (")
        else:
            # What no reader uses, as some sizes in a page's header, may differ.
            assert fields(read) == there
            found += 1
    assert found == len(range(0, pages, pages // 40))


def test_files_without_checksums_are_read(store, tmp_path):
    store.write([bar(0), bar(1)], {1: "INFY"}, "imported")
    (file,) = (tmp_path / "bars").rglob("*.parquet")
    pq.write_table(pq.read_table(file), file)
    assert len(store.read("INFY", 60, 0, FOREVER, "imported")) == 2


def test_a_copy_of_a_folder_beside_ours_is_passed_over(store, tmp_path):
    store.write([bar(0)], {1: "INFY"}, "live")
    shutil.copytree(
        tmp_path / "bars/version=live/span=60", tmp_path / "bars/version=live/span=60 (copy)"
    )
    store.fold()
    assert [(each.span, each.symbol) for each in store.contents()] == [(60, "INFY")]
