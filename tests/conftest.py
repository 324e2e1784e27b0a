"""What every test shares: where the real data is, and which build of the core is under test."""

import os
import signal
from pathlib import Path

import pytest

import compiled

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config):
    # whoever starts the tests in the background may have interrupts ignored, and what the tests start would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    expected = os.environ.get("PATANG_EXPECT_NATIVE")
    if expected is not None and (expected == "1") != compiled.NATIVE:
        raise pytest.UsageError(f"PATANG_EXPECT_NATIVE={expected}, but compiled comes from {compiled.__file__}")


@pytest.fixture(scope="session")
def market_data():
    """Return the folder of recorded market data, or skip with the reason."""
    folder = Path(os.environ.get("PATANG_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded market data at {folder}; set PATANG_DATA")
    return folder
