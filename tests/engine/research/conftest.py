"""A state folder for sweeps."""

import pytest

from tests.engine.backtest.histories import history, walk
from tests.engine.research.made_histories import DAYS


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Return a state folder whose history has five sessions of two symbols."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "state" / "patang"
    history(
        folder / "history",
        {name: walk(DAYS, seed) for seed, name in enumerate(("INFY", "SBIN"), start=1)},
    )
    return folder
