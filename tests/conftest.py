"""Fixtures of every test: the place of the real data, and the build under test."""

import gc
import os
import signal
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import compiled

ROOT = Path(__file__).resolve().parents[1]


# an example may take as long as the machine needs
settings.register_profile("patang", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patang")


RUNTIME = tempfile.TemporaryDirectory(prefix="patang-tests-")
"""Where the desks of these tests are on record: nobody who tests may reach a desk that trades."""


def pytest_configure(config):
    os.environ["XDG_RUNTIME_DIR"] = RUNTIME.name
    # whoever starts the tests in the background may have interrupts and hang-ups ignored, and what
    # the tests start would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    expected = os.environ.get("PATANG_EXPECT_NATIVE")
    if expected is not None and (expected == "1") != compiled.NATIVE:
        raise pytest.UsageError(
            f"PATANG_EXPECT_NATIVE={expected}, but compiled comes from {compiled.__file__}"
        )


@pytest.fixture(autouse=True)
def own_register():
    """Take the desks of earlier tests off the record.

    They seem to run as long as this process does.
    """
    for entry in Path(RUNTIME.name, "patang").glob("?" * 32):
        entry.unlink()


LONG = ("tests/desk/", "tests/simulation/", "tests/mutants/test_mutants.py")
"""What takes longest goes first, so that no worker is left with it at the end.

What waits beside what computes.
"""
TOGETHER = (
    "tests/desk/test_replay.py",
    "tests/desk/test_trace.py",
    "tests/engine/market/test_calendar_real_data.py",
)
"""Files whose tests share what one fixture has made: a worker takes a whole file."""


def pytest_collection_modifyitems(items):
    seen = Counter()

    def place(item):
        folder = next((part for part in LONG if item.nodeid.startswith(part)), "")
        seen[folder] += 1
        return not folder, seen[folder] if folder else 0

    items.sort(key=place)


def pytest_collection_finish():
    # thousands of tests are no garbage: looking through them again and again took a sixth of the
    # time
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1_000)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    # of its own, for pytest-xdist 3.8 writes the names of groups where pytest 9.2 no longer reads
    # them
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if file in TOGETHER else nodeid

    return Scheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session")
def market_data():
    """Return the folder of recorded market data, or skip with the reason."""
    folder = Path(os.environ.get("PATANG_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded market data at {folder}; set PATANG_DATA")
    return folder
