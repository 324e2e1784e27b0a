"""Workers of a sweep that end with it, whatever they are at."""

import os
import time
from pathlib import Path

import pytest

from tui.commands.research import worker_pools
from tui.commands.research.worker_pools import local_workers


def endless(file, _batch):
    """Run for ever, as a strategy may."""
    Path(file.decode()).write_text(str(os.getpid()))
    while True:
        time.sleep(0.01)


@pytest.mark.parametrize("broken", [False, True])
def test_a_trial_without_an_end_does_not_outlive_its_sweep(tmp_path, monkeypatch, broken):
    monkeypatch.setattr(worker_pools, "run_batch", endless)
    monkeypatch.setattr(worker_pools, "GRACE_S", 0.01)
    if broken:  # a second ctrl-c
        monkeypatch.setattr(worker_pools, "wait", lambda *_: (_ for _ in ()).throw(EOFError))
    file = tmp_path / "pid"
    try:
        with local_workers(1) as workers:
            workers.take_task(str(file).encode(), file)
            workers.submit([])
            while not (file.exists() and file.read_text()):
                time.sleep(0.01)
    except EOFError:
        assert broken
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
