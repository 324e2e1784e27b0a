"""Runner of the benchmarks: `run.py [book|frames|bars|…] [--quick] [--json] [--write]`.

The report goes to stdout, progress to stderr; `--write` makes `docs/benchmarks.md` of a run of
everything. A benchmark that fails (a contender that made other trades, a missing compiler) is
named, the others go on, and the exit code is 1.
"""

import argparse
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from contender import PEERS, ROOT
from report import page

MODULES = {
    "book": "bench_book",
    "frames": "bench_frames",
    "bars": "bench_bars",
    "charges": "bench_charges",
    "backtest": "bench_cross",
    "sweep": "bench_sweep",
    "trials": "bench_trials",
    "sandbox": "bench_sandbox",
    "feed": "bench_feed",
    "screen": "bench_screen",
    "memory": "bench_memory",
    "history": "bench_history",
    "instructions": "bench_instructions",
}
PAGE = ROOT / "docs" / "benchmarks.md"


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    cores = os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("mypy", "librt", "numpy", "duckdb", "aiohttp", "kiteconnect")
    return {
        "processor": f"{processor()}, {cores} cores, {memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version()
        + ("" if optimised() else ", built without --enable-optimizations"),
        "C++ compiler": compiler(),
        "packages": ", ".join(f"{name} {version(name)}" for name in packages),
        "load when it began": f"{os.getloadavg()[0]:.2f}",
        "peers": "in an environment of their own"
        if PEERS.exists()
        else "not installed (make bench installs them)",
    }


def optimised() -> bool:
    """Tell whether the interpreter was built for speed."""
    return "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))


def processor() -> str:
    """Return the processor's name."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def compiler() -> str:
    """Return the first line g++ says of itself."""
    if shutil.which("g++") is None:
        return "none"
    done = subprocess.run(
        ["g++", "--version"], check=True, capture_output=True, text=True, timeout=10
    )
    return done.stdout.splitlines()[0]


def measure(name: str, *, quick: bool) -> dict[str, object]:
    """Return one benchmark's section; one that fails has an "error"."""
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    begin = time.perf_counter()
    try:
        section = importlib.import_module(MODULES[name]).run(quick=quick)
        told = "done"
    except Exception as error:  # noqa: BLE001  one that fails must not cost the others their figures
        section = {
            "title": name.title(),
            "error": str(error) or type(error).__name__,
            "tables": [],
            "goals": [],
        }
        told = f"failed: {section['error']}"
    print(f"{told} ({time.perf_counter() - begin:.0f} s)", file=sys.stderr)
    return section


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and return the exit code."""
    parser = argparse.ArgumentParser(prog="patang bench", description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "names", nargs="*", choices=[*MODULES, []], metavar="NAME", help=", ".join(MODULES)
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, under a minute in all")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    asked = parser.parse_args(arguments)
    if asked.write and asked.names:
        parser.error("--write takes a run of everything")
    result = {
        "day": datetime.now(UTC).date().isoformat(),
        "quick": asked.quick,
        "machine": machine(),
    }
    result["sections"] = {name: measure(name, quick=asked.quick) for name in asked.names or MODULES}
    failed = any("error" in section for section in result["sections"].values())
    if asked.write and not failed:
        PAGE.write_text(page(result), encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n" if asked.json else page(result))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
