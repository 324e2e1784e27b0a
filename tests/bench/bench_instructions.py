"""Benchmark of the core in instructions: each workload at two sizes, and the difference.

A count does not depend on how busy the machine is. As `bench_instructions.py NAME COUNT` it is one
workload, run once. Units: a bar of one symbol, a tick, a bar with an order at every other one.
"""

import gc
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SIZES = {
    "bar of a cross": (20_000, 60_000),
    "bar with a stop": (20_000, 60_000),
    "bar with an order": (2_000, 6_000),
    "tick with depth": (20_000, 60_000),
    "live tick": (20_000, 60_000),
}


def play(name: str, count: int) -> None:
    """Run one workload of `count` units."""
    # When the collector comes depends on what was imported before, which is no cost of a unit.
    gc.disable()
    import bench_backtest as bench

    from compiled.backtest.sample_strategy import SmaCross
    from compiled.model.events import OperatorAct, OperatorInstruction, TickBatch
    from compiled.model.values import SECOND, Tick
    from compiled.trading.strategy import Strategy

    if name == "bar of a cross":
        bench.bars(bench.Workload(1, count), bench.cross)
    elif name == "bar with a stop":
        bench.bars(bench.Workload(1, count), lambda: SmaCross("cross", 60, 10, 30, 100, 2.0))
    elif name == "bar with an order":
        bench.bars(bench.Workload(1, count), lambda: SmaCross("cross", 60, 1, 2, 100, 2.0))
    elif name == "tick with depth":
        bench.ticks(bench.Tape(count), 1.0)
    else:
        tokens = [(n + 1) * 256 + 1 for n in range(100)]
        kernel, _ = bench.desk(tokens, [Strategy("none", 60)], bench.START + count * SECOND)
        kernel.handle(OperatorInstruction(bench.START, OperatorAct.READY))
        for at in range(count // 100):
            ts = bench.START + at * SECOND
            kernel.handle(
                TickBatch(ts, [Tick(token, ts, 100.0 + at % 7 * 0.05, at * 10) for token in tokens])
            )


def counted(name: str, count: int) -> int:
    """Return the instructions of one run."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run(
        [*command, sys.executable, "-X", "int_max_str_digits=0", __file__, name, str(count)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
        # OpenBLAS's threads wait in a loop, and dicts lie otherwise for each seed: two starts would
        # differ by more than all units take.
        env=os.environ | {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
    )
    return int(re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)[1].replace(",", ""))


def per_unit(name: str) -> float:
    """Return the instructions of one unit of a workload."""
    few, many = SIZES[name]
    return (counted(name, many) - counted(name, few)) / (many - few)


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report; quick, of the first workload alone."""
    from report import section, table

    names = list(SIZES)[: 1 if quick else None]
    if shutil.which("valgrind") is None:
        rows = [{"unit": name, "absent": "valgrind is not installed"} for name in names]
    else:
        rows = [{"unit": name, "instructions": round(per_unit(name))} for name in names]
    return section(
        "Instructions",
        "Counted by cachegrind, from start to end of the core's work: the difference of two runs "
        "by the difference of their units. One symbol a bar; a bar with a stop has a GTT beside "
        "its position; a live tick is one of a hundred that come together.",
        [table("Of one unit", rows)],
        [],
    )


if __name__ == "__main__":
    play(sys.argv[1], int(sys.argv[2]))
