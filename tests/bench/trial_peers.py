"""`patang sweep` on one job, each way of running it in a process of its own.

A report has the seconds of the whole command (reading, workers, trials, journal, study and table),
the CPU seconds of all its processes, their peak memory, and one hash of the trials' digests.
"""

import contextlib
import hashlib
import io
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from engine.history.bar_series import BarSeries

SYMBOLS = 20
LADDER_AXES = (
    "momentum_bars=3:12:1",
    "momentum_percent=0.3:0.6:0.1",
    "trail_step_percent=0.25:1.25:0.25",
)
"""200 points of the momentum ladder: ten lengths, four thresholds, five steps of the stop."""
CROSS_AXES = ("fast=5:50:5", "slow=60:250:10")
"""The 200 pairs of averages of the sweep against vectorbt."""
CROSS = '''"""The cross of two averages without a stop, as the bare loop runs it."""

from strategies import BARE, SMA, Bar, Context, Cross, Indicator, Side, Strategy, StrategyParameters


class PairParameters(StrategyParameters, frozen=True, kw_only=True):
    """The averages."""

    fast: int = 5
    slow: int = 60


class PairCross(Strategy):
    """Hold 100 shares while the fast average is above the slow one."""

    def __init__(self, name: str, parameters: PairParameters) -> None:
        super().__init__(name, 60)
        self.fast, self.slow = parameters.fast, parameters.slow
        self.crosses: dict[int, Cross] = {}

    def follow(self, token: int) -> list[Indicator]:
        """Have the cross kept."""
        self.crosses[token] = Cross(SMA(self.fast), SMA(self.slow))
        return [self.crosses[token]]

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Act on a crossing."""
        if self.crosses[bar.token].above:
            ctx.enter(bar.token, Side.BUY, 0, BARE, trail=False, quantity=100)
        elif ctx.position(bar.token):
            ctx.exit(bar.token)
'''


def write_history(folder: Path, symbols: int, sessions: int) -> None:
    """Write so many symbols of made-up minutes, and the strategy of averages."""
    history = import_module("bench_history")
    opens = history.sessions(sessions)
    store = import_module("store.bars.parquet_bars").ParquetBars(folder / "bars")
    for seed in range(symbols):
        minutes = lifelike(history.walk(opens, seed), seed)
        store.write_columns(f"S{seed:02}", 60, "imported", minutes)
    own = folder / "config" / "patang" / "strategies"
    own.mkdir(parents=True)
    (own / "pair_cross.py").write_text(CROSS)


def lifelike(bars: BarSeries, seed: int) -> BarSeries:
    """Return bars with other prices, of fat tails: a ladder is climbed about as often as in NSE's.

    A minute moves by a Student's t of three degrees of freedom, 0.06 % on average.
    """
    rng = np.random.default_rng(seed)
    count = len(bars.start)
    moves = rng.standard_t(3, count).clip(-12, 12) * 0.000_35
    exact = rng.uniform(200.0, 3_000.0) * np.exp(np.cumsum(moves))
    close = np.rint(exact * 20).clip(200)
    opened = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(opened, close) + rng.integers(0, 4, count)
    low = np.minimum(opened, close) - rng.integers(0, 4, count)
    first, top, bottom, last = (np.round(ticks * 0.05, 2) for ticks in (opened, high, low, close))
    return bars._replace(open=first, high=top, low=bottom, close=last)


def run_sweep(folder: str, arguments: Sequence[str]) -> dict[str, object]:
    """Run the command from nothing, and return its report."""
    place = Path(folder)
    os.environ["XDG_STATE_HOME"] = str(place / "state")
    os.environ["XDG_CONFIG_HOME"] = str(place / "config")
    os.chdir(place)
    command = import_module("tui.commands.cli").run_command
    said = io.StringIO()
    begun, used = time.perf_counter(), _cpu_seconds()
    with contextlib.redirect_stdout(said):
        code = command(["sweep", *arguments, "--folder", str(place / "bars"), "--fresh", "--json"])
    seconds, spent = time.perf_counter() - begun, _cpu_seconds() - used
    if code != 0:
        raise RuntimeError(f"patang sweep ended with {code}")
    journal = Path(json.loads(said.getvalue())["file"]).with_name("trials.jsonl")
    trials = [json.loads(line) for line in journal.read_bytes().split(b"\n") if line]
    if failed := [each["failure"] for each in trials if each["failure"]]:
        raise RuntimeError(failed[0])
    digests = sorted(each["digest"] for each in trials)
    return {
        "trials": len(trials),
        "seconds": seconds,
        "cpu": spent,
        "in trials": sum(each["seconds"] for each in trials),
        "digest": hashlib.sha256("".join(digests).encode()).hexdigest()[:16],
        "trades": sum(int(each["metrics"]["trades"]) for each in trials),
    }


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def local(folder: str, workers: int, arguments: Sequence[str]) -> dict[str, object]:
    """Sweep in so many processes of this machine."""
    with held_together() as held:
        made = run_sweep(folder, [*arguments, "--workers", str(workers)])
    return made | {"together": max(held)}


@contextlib.contextmanager
def held_together() -> Iterator[list[float]]:
    """Have the memory of this process and its children taken down, MB at one moment after another.

    It is the sum of what each holds, so that a page that several share counts in each.
    """
    held = [resident_mb("self")]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            children = [
                child
                for thread in Path("/proc/self/task").iterdir()
                for child in (thread / "children").read_text().split()
            ]
            held.append(sum(map(resident_mb, ["self", *children])))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield held
    finally:
        over.set()
        looking.join()


def resident_mb(process: str) -> float:
    """Return what a process holds at this moment, MB; 0 of one that has just ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 2**20


def dask(folder: str, workers: int, arguments: Sequence[str]) -> dict[str, object]:
    """Sweep in as many workers of a Dask scheduler on this machine, which are there before."""
    version = import_module("distributed").__version__
    with dask_cluster(workers) as address, held_together() as held:
        made = run_sweep(folder, [*arguments, "--dask", address])
    return made | {"together": max(held), "version": version}


@contextlib.contextmanager
def dask_cluster(workers: int) -> Iterator[str]:
    """Have a scheduler and its workers on the loopback, each with one thread."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    at_port = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    single = (address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
    asked = [("dask_scheduler", at_port), *[("dask_worker", single)] * workers]
    processes = []
    try:
        for name, options in asked:
            command = [sys.executable, "-P", "-m", f"distributed.cli.{name}", *options]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            processes.append(subprocess.Popen(command, **quiet))
        with import_module("distributed").Client(address, timeout=60) as client:
            client.wait_for_workers(workers, timeout=120)
        yield address
    finally:
        for process in processes:
            process.kill()
            process.wait()


CONTENDERS: dict[str, Callable[..., dict[str, object]]] = {"local": local, "dask": dask}
