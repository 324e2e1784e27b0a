"""Builders of bars on one job.

Ticks of many tokens in time order, into one-second to fifteen-minute bars.

Each contender reads the same columns and gives the same open, high, low, close and count of every
bar.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from zlib import crc32

import numpy as np
from contender import timed
from numpy.typing import NDArray

SECOND = 1_000_000_000
OPEN = 1_759_808_700 * SECOND
SPANS = [1, 60, 180, 300, 900]
TICK = 0.05
CHUNK = 5_000
Columns = dict[str, NDArray[np.int64]]
Bars = tuple[NDArray[np.int64], ...]


def workload(count: int, seed: int = 42) -> Columns:
    """Return ticks of 500 tokens in whole ticks, most of which close a one-second bar."""
    rng = np.random.default_rng(seed)
    length = int(count / 500 / 0.889) + 1
    return {
        "ts": np.sort(rng.integers(0, length * SECOND, count)) + OPEN,
        "token": rng.integers(1, 501, count) * 256 + 1,
        "price": 20_000 + np.cumsum(rng.integers(-1, 2, count)),
        "volume": np.arange(count) * 10,
        "close": np.array([OPEN + length * SECOND]),
    }


def checksum(bars: Bars) -> int:
    """Return a checksum of bars (token, bucket, prices, ticks) whatever their order."""
    table = np.stack([np.asarray(column, dtype=np.int64) for column in bars], axis=1)
    return crc32(np.ascontiguousarray(table[np.lexsort((table[:, 1], table[:, 0]))]).tobytes())


def patang(ticks: Columns) -> Callable[[list[int]], Callable[[], list[Bars]]]:
    make = import_module("compiled.market_data.bar_builder").BarBuilder
    close = int(ticks["close"][0])
    prices = np.round(ticks["price"] * TICK, 2)
    columns = [
        column.tobytes() for column in (ticks["token"], ticks["ts"], prices, ticks["volume"])
    ]
    chunks = [
        tuple(c[at : at + 8 * CHUNK] for c in columns)
        for at in range(0, len(columns[0]), 8 * CHUNK)
    ]

    def build(spans: list[int]) -> list[Bars]:
        bars, drained = make(spans), []
        bars.begin_session(OPEN, close)
        for chunk in chunks:
            bars.feed(*chunk)
            drained.append(bars.drain())
        bars.advance(close)
        drained.append(bars.drain())
        return drained

    def read(drained: list[Bars], spans: list[int]) -> list[Bars]:
        whole = np.concatenate(
            [np.frombuffer(w, dtype=np.int64) for w, _ in drained if len(w)]
        ).reshape(-1, 5)
        price = np.concatenate(
            [np.frombuffer(p, dtype=np.float64) for _, p in drained if len(p)]
        ).reshape(-1, 4)
        made = []
        for span in spans:
            row, ohlc = whole[whole[:, 2] == span], np.rint(price[whole[:, 2] == span] / TICK)
            made.append((row[:, 0], (row[:, 1] - OPEN) // (span * SECOND), *ohlc.T, row[:, 4]))
        return made

    return build, read


def duckdb(
    ticks: Columns,
) -> tuple[Callable[[list[int]], list[Bars]], Callable[[list[Bars], list[int]], list[Bars]]]:
    db = import_module("duckdb").connect()
    incoming = {name: ticks[name] for name in ("token", "ts", "price")} | {
        "seq": np.arange(len(ticks["ts"]))
    }
    db.register("incoming", incoming)
    db.execute("create table ticks as select * from incoming")

    def build(spans: list[int]) -> list[Bars]:
        return [tuple(db.execute(query(span)).fetchnumpy().values()) for span in spans]

    def query(span: int) -> str:
        return f"""select token, (ts - {OPEN}) // {span * SECOND} as bucket, arg_min(price, (ts,
        seq)) as o,
                          max(price) as h, min(price) as l, arg_max(price, (ts, seq)) as c,
                          count(*) as n
                   from ticks group by 1, 2"""

    return build, lambda made, _: made


def polars(
    ticks: Columns,
) -> tuple[Callable[[list[int]], list[Bars]], Callable[[list[Bars], list[int]], list[Bars]]]:
    pl = import_module("polars")
    frame = pl.DataFrame({name: ticks[name] for name in ("token", "ts", "price")})
    price = pl.col("price")
    wanted = [
        price.first().alias("open"),
        price.max().alias("high"),
        price.min().alias("low"),
        price.last().alias("close"),
        pl.len().alias("ticks"),
    ]

    def build(spans: list[int]) -> list[object]:
        bucket = [((pl.col("ts") - OPEN) // (span * SECOND)).alias("bucket") for span in spans]
        return [frame.group_by([pl.col("token"), each]).agg(wanted) for each in bucket]

    return build, lambda made, _: [
        tuple(column.to_numpy() for column in each.get_columns()) for each in made
    ]


def contender(make: Callable[..., object], package: str) -> Callable[..., dict[str, object]]:
    """Return a contender: seconds for one-second bars, for one-minute bars, for all five spans."""

    def run(path: str, rounds: int) -> dict[str, object]:
        build, read = make(dict(np.load(path)))
        plans = {"1 s": [1], "1 min": [60], "all": SPANS}
        times = {
            name: timed(lambda spans=spans: build(spans), rounds) for name, spans in plans.items()
        }
        made = read(build(SPANS), SPANS)
        return {
            "seconds": times,
            "bars": sum(len(each[0]) for each in made),
            "checksum": [checksum(each) for each in made],
            "version": version(package) if package else "",
        }

    return run


def one_by_one(path: str, count: int) -> dict[str, object]:
    """Return percentiles of one `update` called from Python, the timer included, in ns."""
    ticks = dict(np.load(path))
    bars = import_module("compiled.market_data.bar_builder").BarBuilder(SPANS)
    bars.begin_session(OPEN, int(ticks["close"][0]))
    prices = np.round(ticks["price"][:count] * TICK, 2).tolist()
    names = ("token", "ts", "volume")
    token, ts, volume = (ticks[name][:count].tolist() for name in names)
    clock, update, taken = import_module("time").perf_counter_ns, bars.update, []
    for row in zip(token, ts, prices, volume, strict=True):
        start = clock()
        update(*row)
        taken.append(clock() - start)
    return {f"p{q}": float(np.percentile(taken, q)) for q in (50, 99, 99.9)}


CONTENDERS = {
    "patang": contender(patang, ""),
    "duckdb": contender(duckdb, "duckdb"),
    "polars": contender(polars, "polars"),
    "one by one": one_by_one,
}
