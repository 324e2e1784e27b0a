"""Every benchmark runs: they are read by no type checker and by no other test."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]


def test_a_quick_run_of_every_benchmark_measures_something_of_each():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "bench" / "run.py"), "--quick", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "tests" / "bench",
        timeout=850,
    )
    sections = json.loads(done.stdout)["sections"]
    assert {name: each["error"] for name, each in sections.items() if "error" in each} == {}
    assert done.returncode == 0
    for name, each in sections.items():
        rows = [row for table in each["tables"] for row in table["rows"]]
        assert [row for row in rows if "absent" not in row], f"nothing of {name} was measured"
