"""The benchmarks of a checkout.

A wheel carries none, for they compile and need peers.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from engine.errors import DataError

SCRIPT = Path(__file__).resolve().parents[2] / "tests" / "bench" / "run.py"


def run_benchmarks(names: Iterable[str], *, quick: bool, write: bool, as_json: bool) -> int:
    """Run benchmarks (none named: all) in a process of their own and return its exit code.

    Raise `DataError`.
    """
    if not SCRIPT.exists():
        raise DataError(
            "the benchmarks come with the source, not with the installed package: run this in a "
            "checkout"
        )
    wanted = {"--quick": quick, "--write": write, "--json": as_json}
    flags = [flag for flag, given in wanted.items() if given]
    # what a command has imported would stand in the measured memory and times
    return subprocess.run([sys.executable, SCRIPT, *names, *flags], check=False).returncode  # noqa: S603  our own script
