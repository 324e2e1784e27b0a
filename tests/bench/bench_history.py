"""Benchmark of the history: bytes of a bar, import, reading, a backtest from the command on.

CPU time of one process, but for Postgres: the machine is shared. Bars are random walks of whole
sessions on a grid of 5 paise.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from contender import OWN, ROOT, contend, surroundings, timed
from report import goal, plural, section, table

from compiled.model.values import MINUTE, SECOND
from engine.backtest.clocked_bars import ReplayColumns, on_one_clock
from engine.backtest.kept_bars import KeptBars
from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.replayed_bars import CHUNK, prices_on_grid
from engine.backtest.run_bars import BarVersions
from engine.history.bar_series import BarSeries
from engine.history.feed_recording import RecordKind
from engine.market.calendar import Calendar
from store.bars.parquet_bars import ParquetBars
from store.recordings.feed_writer import FeedWriter, RecordingBounds
from store.recordings.recording_blocks import recording_parts

FIRST = date(2024, 4, 22)
PER_DAY = 375
INSTRUMENTS, FASTER, BLOCK_S = 3_000, 10, 5
PACKET = np.dtype(
    [
        ("length", ">i2"),
        *(
            (name, ">i4")
            for name in (
                *("token", "price", "last", "average", "volume", "bought", "sold"),
                *("open", "high", "low", "close", "traded", "oi", "oi_high", "oi_low", "at"),
            )
        ),
        ("depth", [("quantity", ">i4"), ("price", ">i4"), ("orders", ">i2"), ("", ">i2")], 10),
    ]
)
"""A full packet of Kite's, after its length."""
STRATEGIES = ("moving_average_cross", "momentum_ladder")


def sessions(count: int) -> list[int]:
    """Return the opens of so many whole sessions, ns UTC."""
    calendar, day, found = Calendar.load(), FIRST, []
    while len(found) < count:
        session = calendar.session(day)
        if session is not None and session.close - session.open == PER_DAY * MINUTE:
            found.append(session.open)
        day = calendar.next_trading_day(day)
    return found


def walk(opens: list[int], seed: int) -> BarSeries:
    """Return the minutes of a random walk, as real ones move: some 0.05 % a minute."""
    rng = np.random.default_rng(seed)
    count = len(opens) * PER_DAY
    start = (np.array(opens)[:, None] + np.arange(PER_DAY) * MINUTE).ravel()
    close = rng.integers(4_000, 60_000) + np.cumsum(rng.integers(-8, 9, count))
    close = np.maximum(close, 1_000)
    opened = np.concatenate([close[:1], close[:-1] + rng.integers(-1, 2, count - 1)])
    high, low = (
        np.maximum(opened, close) + rng.integers(0, 6, count),
        np.minimum(opened, close) - rng.integers(0, 6, count),
    )
    prices = (np.round(column * 0.05, 2) for column in (opened, high, low, close))
    volume = rng.lognormal(8.0, 1.2, count).astype(np.int64)
    return BarSeries(start, *prices, volume, np.full(count, 4), np.full(count, seed))


def plain(bars: BarSeries) -> pa.Table:
    """Return bars as others keep them: a timestamp and five numbers."""
    names = ("open", "high", "low", "close")
    columns = {name: getattr(bars, name) for name in names} | {"volume": bars.volume}
    return pa.table({"timestamp": pa.array(bars.start, pa.timestamp("ns", "UTC")), **columns})


def children(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU and wall seconds of what some work starts."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before, began = used(), time.perf_counter()
    work()
    return used() - before, time.perf_counter() - began


def command(folder: Path, *arguments: str) -> None:
    """Run patang with a state folder of its own."""
    environment = surroundings(OWN) | {
        "XDG_STATE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    code = "import sys; from tui.commands.cli import main; main(sys.argv[1:])"
    subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        check=True,
        capture_output=True,
        cwd=folder,
        env=environment,
    )


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    symbols, days = (4, 20) if quick else (50, 247)
    opens = sessions(days)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        series = {f"S{number:02}": walk(opens, number) for number in range(1, symbols + 1)}
        rows = sum(len(bars.start) for bars in series.values())
        disk, disk_goals = _stored(folder, series, rows)
        files, file_goals = _imported(folder, series)
        # the server's user has to enter it
        with tempfile.TemporaryDirectory(prefix="patang-postgres-") as own:
            served, served_goals = _postgres(Path(own), dict(list(series.items())[:10]))
        records, record_goals = _recorded(folder, 20 if quick else 120)
        ends, end_goals = _backtests(
            folder, min(symbols, 20), days, dict(list(series.items())[:20])
        )
    return section(
        "History and backtests",
        f"{plural(rows, 'minute')} of {symbols} symbols over {days} sessions. Peers read the same "
        "bars from plain Parquet files"
        " (a timestamp and five numbers, zstd). A backtest reads bars hashed, on one clock, and to"
        " the last part checked by the core: the first time from the store, and packs them for the"
        " next, which maps them after a look at the files and a sum over every word.",
        [
            table("Bars out of the store", disk),
            table("Files in", files),
            table("Postgres", served),
            table("Recording of the feed", records),
            table("From the command line to the report", ends),
        ],
        [*disk_goals, *file_goals, *served_goals, *record_goals, *end_goals],
    )


def walked(loaded: LoadedBars) -> int:
    """Take loaded bars in the parts of a replay, checked by the core; return how many."""
    clocked = loaded.clock or on_one_clock(
        {name: prices_on_grid(bars, 0.05) for name, bars in loaded.series.items()}
    )
    columns, at = ReplayColumns(clocked, range(len(clocked.names))), 0
    while at < columns.count:
        at += int(columns.part(at, min(at + CHUNK, columns.count)).count)
    return at


def _stored(
    folder: Path, series: dict[str, BarSeries], rows: int
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    root = folder / "patang" / "history"
    store = ParquetBars(root)
    for symbol, bars in series.items():
        store.write_columns(symbol, 60, "imported", bars)
        pq.write_table(plain(bars), folder / f"{symbol}.parquet", compression="zstd")
    size = sum(path.stat().st_size for path in root.rglob("*.parquet")) / rows
    others = sum((folder / f"{symbol}.parquet").stat().st_size for symbol in series) / rows
    name, bars = next(iter(series.items()))
    month = (int(bars.start[0]), int(bars.start[min(len(bars.start), 22 * PER_DAY) - 1]) + 1)
    kept = KeptBars(folder / "kept", 10**10)

    def columns(kept: KeptBars | None) -> None:
        versions = BarVersions(store, root, kept)
        assert walked(versions.load(list(series), 60, 0, 2**62, "", None)) == rows

    def first() -> None:
        shutil.rmtree(folder / "kept", ignore_errors=True)
        columns(kept)

    files = str(folder / "S*.parquet")
    whole = f"SELECT * FROM read_parquet('{files}')"
    part = (
        f"SELECT * FROM read_parquet('{folder / name}.parquet') WHERE epoch_ns(timestamp) >= "
        f"{month[0]} AND epoch_ns(timestamp) < {month[1]}"
    )

    def cpu(work: Callable[[], object], rounds: int = 3) -> float:
        return timed(work, rounds, time.process_time)

    import pandas as pd

    with duckdb.connect() as database:
        database.execute("SET threads = 1")
        read = {
            "patang, as arrays": cpu(
                lambda: [store.columns(symbol, 60, 0, 2**62, "imported") for symbol in series]
            ),
            "a backtest, without keeping them": cpu(lambda: columns(None)),
            "a backtest, the first": cpu(first),
            "a backtest, the next": cpu(lambda: columns(kept)),
            "DuckDB, as arrays": cpu(lambda: database.sql(whole).fetchnumpy()),
            "pandas": cpu(
                lambda: [pd.read_parquet(folder / f"{symbol}.parquet") for symbol in series]
            ),
        }
        one = {
            "patang, as arrays": cpu(lambda: store.columns(name, 60, *month, "imported"), 20),
            "DuckDB, as arrays": cpu(lambda: database.sql(part).fetchnumpy(), 20),
            "pandas": cpu(
                lambda: pd.read_parquet(
                    folder / f"{name}.parquet",
                    filters=[("timestamp", "<", pd.Timestamp(month[1], tz="UTC"))],
                ),
                5,
            ),
        }
    speed = {name: rows / seconds / 1e6 for name, seconds in read.items()}
    bytes_ = {"patang, as arrays": size, "DuckDB, as arrays": others, "pandas": others}
    told = [
        {
            "reader": name,
            "M rows/s": value,
            "one symbol's month, ms": one[name] * 1e3 if name in one else None,
            "bytes a row": bytes_.get(name),
        }
        for name, value in speed.items()
    ]
    told.append(_catalog_row(folder / f"{name}.parquet", month, 22 * PER_DAY))
    ready = speed["a backtest, the next"]
    return told, [
        goal("a bar on disk, bytes", "≤ 6", size, size <= 6.0),
        goal(
            "one symbol's month out of the store, ms",
            "≤ 2",
            one["patang, as arrays"] * 1e3,
            one["patang, as arrays"] <= 2e-3,
        ),
        goal("bars into a backtest's columns again, M rows/s", "≥ 50", ready, ready >= 50.0),
    ]


def _catalog_row(file: Path, month: tuple[int, int], rows: int) -> dict[str, object]:
    """Return the row of nautilus_trader's catalog, which makes an object of each bar."""
    peer = contend(
        "history_peers", "nautilus_trader", file=str(file), first=month[0], last=month[1]
    )
    row: dict[str, object] = {"reader": "nautilus_trader's catalog, one symbol"}
    if "absent" in peer:
        return row | {"M rows/s": peer["absent"]}
    assert peer["month_rows"] == min(rows, int(str(peer["rows"]))), "the catalog has other bars"
    return row | {
        "M rows/s": float(str(peer["rows"])) / float(str(peer["seconds"])) / 1e6,
        "one symbol's month, ms": float(str(peer["month_s"])) * 1e3,
        "bytes a row": peer["bytes"],
    }


def _postgres(
    folder: Path, series: dict[str, BarSeries]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the figures of a throw-away server, in wall time: most of the work is the server's."""
    sys.path.insert(0, str(ROOT))
    from store.bars.postgres_bars import PostgresBars
    from tests.peers.servers import Postgres

    try:
        server = Postgres(folder)
    except BaseException as error:  # noqa: BLE001  a test would be skipped
        why = str(error) or type(error).__name__
        return [{"way": "in", "absent": why}], [goal("Postgres", "measured", None, None)]
    try:
        rows = sum(len(bars.start) for bars in series.values())
        store = PostgresBars(server.target)
        store.write_columns(
            "FIRST", 60, "imported", next(iter(series.values())).pick(slice(0, PER_DAY))
        )
        begun = time.perf_counter()
        for symbol, bars in series.items():
            store.write_columns(symbol, 60, "imported", bars)
        written = rows / (time.perf_counter() - begun)
        read = rows / timed(
            lambda: [store.columns(symbol, 60, 0, 2**62, "imported") for symbol in series], 2
        )
        name, bars = next(iter(series.items()))
        month = (int(bars.start[0]), int(bars.start[min(len(bars.start), 22 * PER_DAY) - 1]) + 1)
        one = timed(lambda: store.columns(name, 60, *month, "imported"), 20) * 1e3
    finally:
        server.stop("immediate")
    told = [
        {"way": "in", "rows/s": written},
        {"way": "out, as arrays", "rows/s": read, "one symbol's month, ms": one},
    ]
    return told, [
        goal("Postgres, bars in, rows/s", "≥ 300,000", written, written >= 3e5),
        goal("Postgres, bars out, rows/s", "≥ 500,000", read, read >= 5e5),
        goal("Postgres, one symbol's month, ms", "≤ 30", one, one <= 30.0),
    ]


def frames_of(seconds: int, count: int) -> list[list[bytes]]:
    """Return the full packets of so many instruments, each of every second, in frames of 200.

    Prices walk, six of ten have traded since the second before, three of ten quantities at a level
    of the depth are others.
    """
    rng = np.random.default_rng(5)
    rows = np.zeros(count, PACKET)
    rows["length"], rows["token"] = PACKET.itemsize - 2, np.arange(count) * 256 + 1
    price = rng.integers(5_000, 400_000, count) // 5 * 5
    rows["open"] = rows["high"] = rows["low"] = rows["close"] = price
    quantities, orders = (rng.integers(1, most, (count, 10)) for most in (5_000, 40))
    away = np.concatenate([-5 * np.arange(1, 6), 5 * np.arange(1, 6)])
    volume, made = rng.integers(10_000, 5_000_000, count), []
    for second in range(seconds):
        traded = rng.random(count) < 0.6
        price = price + 5 * rng.integers(-1, 2, count) * traded
        last = rng.integers(1, 500, count)
        volume = volume + last * traded
        rows["last"] = np.where(traded, last, rows["last"])
        rows["traded"] = np.where(traded, second, rows["traded"])
        rows["price"], rows["volume"], rows["at"], rows["average"] = price, volume, second, price
        moved = rng.random((count, 10)) < 0.3
        quantities = np.where(moved, rng.integers(1, 5_000, (count, 10)), quantities)
        orders = np.where(moved, rng.integers(1, 40, (count, 10)), orders)
        depth = rows["depth"]
        depth["quantity"], depth["orders"] = quantities, orders
        depth["price"] = price[:, None] + away
        rows["bought"], rows["sold"] = quantities[:, :5].sum(1), quantities[:, 5:].sum(1)
        parts = (rows[low : low + 200] for low in range(0, count, 200))
        made.append([len(part).to_bytes(2, "big") + part.tobytes() for part in parts])
    return made


def _recorded(
    folder: Path, seconds: int
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return what the recorder takes of a core and of a disk, ten times as fast as the market."""
    feed = frames_of(seconds, INSTRUMENTS)
    told: list[str] = []
    bounds = RecordingBounds(seconds=BLOCK_S / FASTER, spare=0)
    before = time.process_time()
    writer = FeedWriter(folder / "feed", bounds, told.append)
    opened = sessions(1)[0]
    writer.put(RecordKind.META, 0, opened, b"{}")
    for second, frames in enumerate(feed):
        for frame in frames:
            writer.put(RecordKind.FRAME, 0, opened + second * SECOND, frame)
        time.sleep(1 / FASTER)
    writer.close()
    share = (time.process_time() - before) / seconds * 100
    assert not told, told
    size = sum(each.path.stat().st_size for each in recording_parts(folder / "feed"))
    came = sum(len(frame) for frames in feed for frame in frames)
    gigabytes = size / seconds * PER_DAY * 60 / 1e9
    return [
        {
            "instruments": INSTRUMENTS,
            "packets/s": INSTRUMENTS,
            "% of a core": share,
            "GB a day": gigabytes,
            "of what came": size / came,
        }
    ], [
        goal("recording 3,000 full packets a second, % of a core", "≤ 3", share, share <= 3.0),
        goal("the same, GB a day", "≤ 2.5", gigabytes, gigabytes <= 2.5),
    ]


def _imported(
    folder: Path, series: dict[str, BarSeries]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    chosen = dict(list(series.items())[:10])
    rows = sum(len(bars.start) for bars in chosen.values())
    told, goals = [], []
    one = folder / "one"
    one.mkdir()
    pq.write_table(plain(next(iter(chosen.values())).pick(slice(0, PER_DAY))), one / "ONE.parquet")

    def imported(source: Path) -> float:
        """Return the CPU seconds of the best of three, into a version each."""
        versions = (f"{source.name}-{number}" for number in range(3))
        return min(
            children(
                lambda version=version: command(
                    folder, "bars", "import", str(source), "--version", version
                )
            )[0]
            for version in versions
        )

    start = imported(one)
    for kind, wanted in (("parquet", 10.0), ("csv", 2.0)):
        source = folder / kind
        source.mkdir()
        for symbol, bars in chosen.items():
            if kind == "parquet":
                pq.write_table(plain(bars), source / f"{symbol}.parquet", compression="zstd")
            else:
                pacsv.write_csv(plain(bars), source / f"{symbol}.csv")
        cpu = imported(source)
        value = rows / max(cpu - start, 1e-9) / 1e6
        told.append({"files": kind, "M rows/s": value, "CPU s": cpu, "of it to start": start})
        goals.append(
            goal(f"import of {kind} files, M rows/s", f"≥ {wanted:g}", value, value >= wanted)
        )
    return told, goals


def _backtests(
    folder: Path, symbols: int, days: int, series: dict[str, BarSeries]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    rows = sum(len(bars.start) for bars in series.values())
    told, goals = [], []
    for strategy in STRATEGIES:
        asked = (
            "backtest",
            strategy,
            "--bars",
            "imported",
            "--symbols",
            ",".join(series),
            "--json",
            "--no-keep",
            "--report",
            "report.html",
        )
        cpu, wall = min(children(lambda asked=asked: command(folder, *asked)) for _ in range(2))
        size = (folder / "report.html").stat().st_size / 1024
        told.append(
            {
                "strategy": strategy,
                "bars": rows,
                "CPU s": cpu,
                "wall s": wall,
                "M bars/s": rows / cpu / 1e6,
                "report, KB": size,
            }
        )
        what = f"{strategy}, {symbols} symbols, {days} sessions, command to report, s"
        goals.append(goal(what, "≤ 3", cpu, cpu <= 3.0))
    return told, goals


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "")
    from report import page

    print(
        page(
            {
                "day": "",
                "quick": True,
                "machine": {},
                "sections": {"history": run(quick="--quick" in sys.argv)},
            }
        )
    )
