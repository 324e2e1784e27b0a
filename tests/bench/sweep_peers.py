"""Sweeps of one strategy on one job.

200 pairs of averages over the same bars, in two processes where a contender can.

A report has the seconds of the first and of the best run, each from bars to the last point of 200
equity curves, and the trades of every tenth pair as a checksum, and what the best pair made in
rupees.
"""

import gc
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from zlib import crc32

import numpy as np
from backtest_peers import CASH, FEE, QUANTITY, START
from contender import peak_mb, timed
from numpy.typing import NDArray

PAIRS = [(fast, slow) for fast in range(5, 55, 5) for slow in range(60, 260, 10)]
CHECKED = range(0, len(PAIRS), 10)
CORES = 2
TICK = 0.05


def checksum(bars: NDArray[np.int64], ticks: NDArray[np.int64]) -> int:
    """Return one number for the fills of a run: at which bars, at which tick."""
    return crc32(np.column_stack([bars, ticks]).astype(np.int64).tobytes())


class Sweep:
    """Runs of one process: bars are read once, each pair gets its own kernel and venue."""

    def __init__(self, bars: int, strategy: str) -> None:
        self.ours = import_module("bench_backtest")
        self.work = self.ours.Workload(1, bars)
        self.columns = self.work.columns()
        self.make = self.ours.STRATEGIES[strategy]

    def run(self, place: int) -> object:
        """Return the result of a pair."""
        ours, (fast, slow) = self.ours, PAIRS[place]
        end = ours.START + self.work.bars * ours.MINUTE
        # As a worker of a sweep does: the memory of the last run serves the next one.
        gc.collect(1)
        kernel, venue = ours.desk(self.work.tokens, [self.make(fast=fast, slow=slow)], end)
        return ours.run_bars(kernel, venue, self.columns, 60, self.work.sessions())

    def check(self, place: int) -> int:
        """Return the checksum of a pair's fills."""
        fills = self.run(place).fills
        bars = np.array([(fill.ts - self.ours.START) // self.ours.MINUTE for fill in fills])
        return checksum(bars, np.array([round(fill.price * 20) for fill in fills]))


held: list[Sweep] = []


def prepare(bars: int, strategy: str) -> None:
    """Make this process one of a sweep."""
    held[:] = [Sweep(bars, strategy)]


def profit(place: int) -> tuple[int, float]:
    """Return a pair's P&L in paise, and this process's peak memory in MB."""
    return int(held[0].run(place).equity[-1]), peak_mb()


def check(place: int) -> int:
    """Return the checksum of a pair's fills."""
    return held[0].check(place)


def patang(path: str, bars: int, rounds: int, strategy: str) -> dict[str, object]:
    """Sweep in two processes that run already, as vectorbt's functions are compiled already.

    Each makes the bars of `path` itself.
    """
    del path
    with ProcessPoolExecutor(CORES, get_context("spawn"), prepare, (bars, strategy)) as pool:
        checks = list(pool.map(check, CHECKED))
        told: list[tuple[int, float]] = []

        def run() -> None:
            told[:] = pool.map(profit, range(len(PAIRS)), chunksize=5)

        first = timed(run)
        seconds = min([first, *(timed(run) for _ in range(rounds - 1))])
        memory = CORES * max(mb for _, mb in told)
    best = max(range(len(PAIRS)), key=lambda place: told[place][0])
    made = {"best": PAIRS[best], "profit": told[best][0] / 100, "checks": checks}
    return made | {"first": first, "seconds": seconds, "workers": memory, "version": ""}


def vectorbt(path: str, bars: int, rounds: int) -> dict[str, object]:
    """All pairs as the columns of one portfolio."""
    os.environ.setdefault("NUMBA_NUM_THREADS", str(CORES))
    library, pandas = import_module("vectorbt"), import_module("pandas")
    data = dict(np.load(path))
    index = pandas.date_range(START.replace(tzinfo=None), periods=bars, freq="min")
    opened, close = (
        pandas.Series(data[name][:, 0].astype(float), index=index) for name in ("open", "close")
    )
    made: list[object] = []

    def run() -> None:
        made.clear()
        lengths = sorted({length for pair in PAIRS for length in pair})
        averages = library.MA.run(close, lengths).ma.to_numpy()
        column = {length: averages[:, place] for place, length in enumerate(lengths)}
        above = np.column_stack([column[fast] > column[slow] for fast, slow in PAIRS])
        known = np.column_stack([~np.isnan(column[slow]) for _, slow in PAIRS])
        enter, leave = np.zeros_like(above), np.zeros_like(above)
        # what a close decides is done at the next open
        enter[2:] = above[1:-1] & ~above[:-2] & known[:-2]
        leave[2:] = ~above[1:-1] & above[:-2] & known[:-2]
        portfolio = library.Portfolio.from_signals(
            close, enter, leave, price=opened, size=QUANTITY, fees=FEE, init_cash=CASH, freq="min"
        )
        made[:] = [portfolio, portfolio.value().to_numpy()[-1]]

    first = timed(run)
    seconds = min(timed(run) for _ in range(rounds))
    records = np.sort(made[0].orders.values, order=["col", "idx"])
    checks = []
    for place in CHECKED:
        own = records[records["col"] == place]
        checks.append(checksum(own["idx"], own["price"].astype(np.int64)))
    best = int(np.argmax(made[1]))
    told = {
        "best": PAIRS[best],
        "profit": (made[1][best] - CASH) * TICK,
        "orders": int((records["col"] == best).sum()),
    }
    return told | {
        "checks": checks,
        "first": first,
        "seconds": seconds,
        "version": version("vectorbt"),
    }


CONTENDERS: dict[str, Callable[..., dict[str, object]]] = {
    "patang, compiled strategy": lambda **given: patang(strategy="compiled", **given),
    "patang, Python strategy": lambda **given: patang(strategy="interpreted", **given),
    "patang, Python strategy that follows": lambda **given: patang(strategy="following", **given),
    "vectorbt": vectorbt,
}
