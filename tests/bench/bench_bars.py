"""Measure bars: from packed columns in one pass, one tick at a time from Python, in batch, and DuckDB (polars if there).

`run()` returns the figures; run it as a script for JSON. Workload: `count` ticks of 500 tokens, in time order, over a
22,500 s session's worth of density (0.9 ticks a second and token), so that most ticks close a one-second bar.
"""

import importlib.util
import json
import time
from collections.abc import Callable

import duckdb
import numpy as np
from numpy.typing import NDArray

import compiled
from compiled.bars import Bars, batch
from compiled.model import SECOND

OPEN = 1_759_808_700 * SECOND
SPANS = [1, 60, 180, 300, 900]
CHUNK = 5_000


class Workload:
    """Columns of ticks, as numpy has them and as `Bars.feed` takes them."""

    def __init__(self, count: int, seed: int = 42) -> None:
        rng = np.random.default_rng(seed)
        length = int(count / 500 / 0.889) + 1
        self.close = OPEN + length * SECOND
        self.ts: NDArray[np.int64] = np.sort(rng.integers(0, length * SECOND, count)) + OPEN
        self.token: NDArray[np.int64] = rng.integers(1, 501, count) * 256 + 1
        self.price: NDArray[np.float64] = np.round((20_000 + np.cumsum(rng.integers(-1, 2, count))) * 0.05, 2)
        self.volume: NDArray[np.int64] = np.arange(count) * 10
        self.columns = tuple(column.tobytes() for column in (self.token, self.ts, self.price, self.volume))


def seconds(call: Callable[[], object]) -> float:
    """Return how long `call` takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def feed(work: Workload, spans: list[int]) -> Callable[[], int]:
    """Return a call that builds everything from chunks of packed columns and counts the packed rows."""
    size = 8 * CHUNK
    chunks = [tuple(c[at : at + size] for c in work.columns) for at in range(0, len(work.columns[0]), size)]

    def call() -> int:
        bars, built = Bars(spans), 0
        bars.session(OPEN, work.close)
        for chunk in chunks:
            bars.feed(*chunk)
            built += len(bars.drain()[0]) // 5
        bars.advance(work.close)
        return built + len(bars.drain()[0]) // 5

    return call


def one_by_one(work: Workload, count: int) -> dict[str, float]:
    """Return percentiles of one `update` called from Python, the timer's own cost included, in nanoseconds."""
    bars = Bars(SPANS)
    bars.session(OPEN, work.close)
    rows = list(
        zip(*(column[:count].tolist() for column in (work.token, work.ts, work.price, work.volume)), strict=True)
    )
    clock, update, taken = time.perf_counter_ns, bars.update, []
    for row in rows:
        start = clock()
        update(*row)
        taken.append(clock() - start)
    return {f"p{q}": float(np.percentile(taken, q)) for q in (50, 99, 99.9)}


def duckdb_bars(work: Workload, span: int) -> Callable[[], object]:
    """Return a call that builds the bars of one span in SQL, ordered by (ts, seq)."""
    db = duckdb.connect()
    columns = {"token": work.token, "ts": work.ts, "price": work.price, "volume": work.volume}
    db.register("incoming", columns | {"seq": np.arange(len(work.ts))})
    db.execute("create table ticks as select * from incoming")
    query = f"""select token, (ts - {OPEN}) // {span * SECOND} as bucket, arg_min(price, (ts, seq)), max(price),
                       min(price), arg_max(price, (ts, seq)), max(volume), count(*) from ticks group by 1, 2"""
    return lambda: db.execute(query).fetchnumpy()


def polars_bars(work: Workload, span: int) -> Callable[[], object] | None:
    """Return a call that builds the bars of one span in polars, None where polars is not installed."""
    if importlib.util.find_spec("polars") is None:
        return None
    import polars as pl

    frame = pl.DataFrame({"token": work.token, "ts": work.ts, "price": work.price, "volume": work.volume})
    price = pl.col("price")
    keys = [pl.col("token"), ((pl.col("ts") - OPEN) // (span * SECOND)).alias("bucket")]
    wanted = [
        price.first().alias("open"),
        price.max().alias("high"),
        price.min().alias("low"),
        price.last().alias("close"),
        pl.col("volume").max(),
        pl.len().alias("ticks"),
    ]
    return lambda: frame.group_by(keys).agg(wanted)


def run(count: int = 2_000_000, rounds: int = 5) -> dict[str, object]:
    """Return million ticks a second of every contender (the best round) and percentiles of a single call."""
    work = Workload(count)
    contenders: dict[str, Callable[[], object] | None] = {
        "one pass, 1s 1m 3m 5m 15m": feed(work, SPANS),
        "one pass, 1m 5m": feed(work, [60, 300]),
        "batch 1m, as Bar objects": lambda: batch([60], OPEN, work.close, *work.columns),
        "duckdb 1s": duckdb_bars(work, 1),
        "duckdb 1m": duckdb_bars(work, 60),
        "polars 1s": polars_bars(work, 1),
        "polars 1m": polars_bars(work, 60),
    }
    times: dict[str, float] = {}
    for _ in range(rounds):
        for name, call in contenders.items():
            if call is not None:
                times[name] = min(times.get(name, float("inf")), seconds(call))
    rates = {name: round(count / taken / 1e6, 2) for name, taken in times.items()}
    return {
        "native": compiled.NATIVE,
        "ticks": count,
        "bars in one pass": feed(work, SPANS)(),
        "million ticks a second": rates,
        "one call from Python, ns": one_by_one(work, min(count, 300_000)),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
