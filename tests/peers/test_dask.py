"""A sweep on a real Dask scheduler with two workers, one of which is killed half way."""

import json
import os
import socket
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import weekdays
from tui.commands.cli import run_command

pytestmark = pytest.mark.peers
DAYS = weekdays(5)
GRID = ("moving_average_cross", "--param", "fast=2:9:1", "--param", "slow=10:40:5")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def answers(port):
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def cluster():
    """Return the address of a scheduler, and its two workers."""
    pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{(port := free_port())}"
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": surroundings}
    python = (sys.executable, "-P", "-m")
    scheduler = subprocess.Popen(
        [
            *(*python, "distributed.cli.dask_scheduler", "--host", "127.0.0.1"),
            *("--port", str(port), "--no-dashboard"),
        ],
        **quiet,
    )
    deadline = time.monotonic() + 120
    while not answers(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    one = ("--nthreads", "1", "--no-dashboard", "--no-nanny")
    workers = [
        subprocess.Popen([*python, "distributed.cli.dask_worker", address, *one], **quiet)
        for _ in range(2)
    ]
    from distributed import Client

    with Client(address, timeout=60) as client:
        client.wait_for_workers(2, timeout=120)
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def table(state, told):
    rows = pq.read_table(json.loads(told)["file"]).to_pylist()
    assert str(state) in json.loads(told)["file"]
    return {row["trial"]: (row["digest"], row["score"], row["daily_returns"]) for row in rows}


def test_a_worker_killed_half_way_leaves_the_table_as_the_local_one(
    cluster, tmp_path, monkeypatch, capsys
):
    address, workers = cluster
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = history(tmp_path / "bars", {"INFY": walk(DAYS, 1), "SBIN": walk(DAYS, 2)})
    asked = ("sweep", *GRID, "--folder", str(folder), "--json")
    code = "import sys; from tui.commands.cli import main; main(sys.argv[1:])"
    sweep = subprocess.Popen(
        [sys.executable, "-P", "-c", code, *asked, "--dask", address],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    journals = tmp_path / "state" / "patang" / "sweeps"
    while sweep.poll() is None and not any(
        file.read_bytes().count(b"\n") >= 3 for file in journals.glob("*/trials.jsonl")
    ):
        time.sleep(0.01)
    assert sweep.poll() is None, "the sweep was over before a worker could be killed"
    workers[0].kill()
    said, _ = sweep.communicate(timeout=300)
    assert sweep.returncode == 0
    remote = table(tmp_path, said)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    assert run_command([*asked, "--workers", "2"]) == 0
    assert table(tmp_path, capsys.readouterr().out) == remote
    assert len(remote) == 2 * 8 * 7
