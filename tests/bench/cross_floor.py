"""The cross by hand in C++: what the same orders and charges cost at the least."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench_backtest import FAST, QUANTITY, SLOW, START, Workload, bars
from numpy.typing import NDArray

from compiled.accounting.charges import ChargeRates
from compiled.model.values import MINUTE
from compiled.trading.strategy import Strategy
from engine.market.charges import load_rate_table

HERE = Path(__file__).resolve().parent
DAY = 20251007
RATES = (
    "brokerage",
    "tax_buy",
    "tax_sell",
    "txn",
    "ipft",
    "sebi",
    "stamp_buy",
    "stamp_sell",
    "gst",
)


class CrossRun(NamedTuple):
    """Seconds of a run, its fills (symbol, bar, paise), and the account after charges, paise."""

    seconds: float
    fills: NDArray[np.int64]
    curve: NDArray[np.int64]


def delivery_rates() -> ChargeRates:
    """Return what delivery is charged on the day of the workload."""
    return load_rate_table().rates("EQ_DELIVERY", "NSE", DAY)


def loop(folder: Path) -> Path:
    """Compile the loop into a folder and return the program."""
    program = folder / "cross_loop"
    command = ["g++", "-O3", "-march=native", "-std=c++17", "-o", program, HERE / "cross_loop.cpp"]
    subprocess.run(command, check=True, timeout=120)
    return program


def by_hand(program: Path, work: Workload, rounds: int) -> CrossRun:
    """Return the best run of the loop."""
    folder = program.parent
    work.open.tofile(folder / "open")
    work.close.tofile(folder / "close")
    rates = delivery_rates()
    sizes = (work.symbols, work.bars, FAST, SLOW, QUANTITY, rounds)
    words = [str(each) for each in (*sizes, *(getattr(rates, name) for name in RATES))]
    done = subprocess.run(
        [program, folder, *words], check=True, capture_output=True, text=True, timeout=300
    )
    fills = np.fromfile(folder / "fills", np.int64).reshape(-1, 3)
    took = min(int(line) for line in done.stdout.split())
    return CrossRun(took / 1e9, fills, np.fromfile(folder / "curve", np.int64))


def by_kernel(work: Workload, strategy: Callable[[], Strategy], rounds: int) -> CrossRun:
    """Return the best run of the kernel, on the same charges."""
    runs = [bars(work, strategy, delivery_rates()) for _ in range(rounds)]
    result = runs[0][1]
    slot = {token: place for place, token in enumerate(work.tokens)}
    fills = [
        (slot[int(each.order.token)], (each.ts - START) // MINUTE, round(each.price * 100))
        for each in result.fills
    ]
    curve = np.frombuffer(result.equity, np.int64)[: work.bars]
    return CrossRun(min(took for took, _ in runs), np.array(fills, np.int64), curve)


def same_run(floor: CrossRun, ours: CrossRun) -> bool:
    """Return whether two runs made the same fills, and the same account at every moment."""
    return np.array_equal(floor.fills, ours.fills) and np.array_equal(floor.curve, ours.curve)
