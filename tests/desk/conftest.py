"""Runs of the desk in a temporary state folder."""

import pytest

from engine.config import load
from tests.desk.support import Patang
from tui.station import Station


@pytest.fixture
def patang(tmp_path):
    return Patang(tmp_path)


@pytest.fixture
def station(tmp_path, monkeypatch):
    """Make stations whose files live in a temporary folder, and close them afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = []

    def make(run, text=""):
        file = tmp_path / "config.toml"
        file.write_text(text)
        made.append(Station(load(file).values, run))
        return made[-1]

    yield make
    for one in made:
        if hasattr(one, "desk"):
            one.close()
