"""Nothing below the screen knows a screen; the core imports the standard library alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCREENS = {"textual", "rich", "plotext"}
HEAVY = {
    "pandas",
    "numpy",
    "pyarrow",
    "duckdb",
    "kiteconnect",
    "twisted",
    "textual",
    "rich",
    "aiohttp",
    "sqlite3",
}
PROGRAM = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def loaded(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd="/",
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(ROOT)]),
        },
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("package", ["compiled", "engine", "store", "strategies", "brokers"])
def test_a_package_below_the_screen_never_imports_a_screen(package):
    # the official client pulls no screen either: it is imported with brokers.kite's worker threads
    # only
    assert not loaded(PROGRAM, package) & SCREENS


def test_the_core_imports_nothing_of_ours_and_nothing_heavy():
    names = loaded(PROGRAM, "compiled")
    assert not names & (HEAVY | {"engine", "store", "strategies", "brokers", "tui"})


def test_the_command_line_itself_imports_nothing_heavy():
    names = loaded(
        "import tui.commands.cli, sys, json; print(json.dumps(sorted({n.split('.')[0] for n in "
        "sys.modules})))"
    )
    assert not names & (HEAVY - {"rich"})


def test_a_worker_of_a_sweep_imports_no_more_than_its_trials_need():
    """There is one for each core, and each holds what it imports."""
    names = loaded(
        "import tui.commands.research.trial_worker, sys, json; print(json.dumps(sorted({"
        "n.split('.')[0] for n in sys.modules})))"
    )
    assert not names & ((HEAVY - {"numpy"}) | {"asyncio", "cyclopts", "ssl"})
