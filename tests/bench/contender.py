"""Run one contender in a process of its own, so that its imports and its memory are its own.

`contend` starts the process and returns what it reports; as a script this file is that process.
Peers live in environments that the runtime never sees: `.venv-bench`, and `.venv-bench-312` for
what needs Python 3.12.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OWN = Path(sys.executable)


def environment(name: str) -> Path:
    """Return the interpreter of a peers' environment.

    Its folder can be moved by PATANG_BENCH_VENV.
    """
    folder = os.environ.get("PATANG_BENCH_VENV", str(ROOT / ".venv-bench"))
    return Path(folder + name) / "bin" / "python"


PEERS, PEERS_312 = environment(""), environment("-312")


def contend(
    module: str, name: str, python: Path = PEERS, timeout: float = 300.0, **arguments: object
) -> dict[str, object]:
    """Return what `CONTENDERS[name](**arguments)` of a module reports, with `rss_mb`.

    {"absent": why} without it.
    """
    if not python.exists():
        return {"absent": f"no {python.parents[1].name}"}
    try:
        done = subprocess.run(
            [python, __file__, module, name, json.dumps(arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=surroundings(python),
        )
    except subprocess.TimeoutExpired:
        return {"absent": f"took more than {timeout:.0f} s"}
    if done.returncode != 0:
        raise RuntimeError(f"{module} {name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def surroundings(python: Path) -> dict[str, str]:
    """Give our contenders the core of this process, and the peers none of our paths."""
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if python == OWN:
        import compiled

        surroundings["PYTHONPATH"] = f"{Path(str(compiled.__file__)).resolve().parents[1]}:{ROOT}"
    return surroundings


def passes(
    count: int, contenders: dict[str, Callable[[], dict[str, object]]]
) -> dict[str, list[dict[str, object]]]:
    """Return `count` reports of each contender, taken in turn: a busy machine slows all alike."""
    told: dict[str, list[dict[str, object]]] = {name: [] for name in contenders}
    for _ in range(count):
        for name, contender in contenders.items():
            last = told[name][-1] if told[name] else {}
            told[name].append(last if "absent" in last else contender())
    return told


def ratio(numerators: list[float], denominators: list[float]) -> float:
    """Return the median of the ratios of two contenders, pass by pass."""
    return median(n / d for n, d in zip(numerators, denominators, strict=True))


def timed(
    work: Callable[[], object], rounds: int = 1, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the least seconds of some calls."""
    least = float("inf")
    for _ in range(rounds):
        begin = clock()
        work()
        least = min(least, clock() - begin)
    return least


def peak_mb() -> float:
    """Return the most memory this process has held, in MB.

    Unlike getrusage it knows nothing of the parent.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


def main(module: str, name: str, arguments: str) -> None:
    """Run a contender and print its report as the last line of stdout.

    What it prints itself goes to stderr.
    """
    try:
        with redirect_stdout(sys.stderr):
            report = importlib.import_module(module).CONTENDERS[name](**json.loads(arguments))
    except ModuleNotFoundError as error:
        report = {"absent": f"{error.name} is not installed"}
    print(json.dumps(report | {"rss_mb": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
