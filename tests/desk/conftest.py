"""Runs of the desk in a temporary state folder."""

import urllib.error
import urllib.request
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brokers.kite import kite_login as kite
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from brokers.session import day_session as kept
from brokers.session.vault import FileVault
from strategies import load_config
from tests.desk.support import Patang
from tests.engine.backtest.histories import history, walk
from tui.run.exchange_clock import clock_at
from tui.run.session import DeskSession

TAPE_DAYS = (date(2024, 6, 3), date(2024, 6, 4))


@pytest.fixture
def patang(tmp_path, monkeypatch):
    made = Patang(tmp_path)
    # where its exchanges leave their keys
    monkeypatch.setenv("XDG_RUNTIME_DIR", made.environment["XDG_RUNTIME_DIR"])
    yield made
    made.end()


@pytest.fixture
def station(tmp_path, monkeypatch):
    """Make stations whose files live in a temporary folder, and close them afterwards."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = []

    def make(run, text=""):
        file = tmp_path / "config.toml"
        file.write_text(text)
        made.append(DeskSession(load_config(file).values, run))
        return made[-1]

    yield make
    for one in made:
        if hasattr(one, "desk"):
            one.close()


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


class KiteLike:
    """A sandbox that is configured as if it were Kite, and an operator who can log in to it."""

    def __init__(self, home: Path, **day) -> None:
        self.sandbox = Sandbox(SandboxConfig(**{"date": "2026-11-20", "limits": "off", **day}))
        self.endpoint = self.sandbox.start()
        self.file = home / "config.toml"
        """Where the fixture `station` puts the configuration."""
        self.state = home / "state" / "patang"
        self.text = (
            f'[broker]\nname = "kite"\nrest = "{self.endpoint.rest}"\nws = "{self.endpoint.ws}"\n'
            f'api_key = "{self.endpoint.api_key}"\n'
        )

    def session(self):
        """Go through the login page as a browser would; the token before it dies."""
        place = self.endpoint
        page = kite.login_url(place.api_key, "s", place.rest + "/connect/login")
        try:
            urllib.request.build_opener(Stay).open(page, timeout=5)
        except urllib.error.HTTPError as answer:
            back = urlsplit(answer.headers["Location"]).query
        token = kite.request_token(f"http://127.0.0.1/?{back}", parse_qs(back)["state"][0])
        return kite.exchange_token(
            place.rest, place.api_key, place.api_secret, token, clock_at(place.rest).now()
        )

    def keep(self, session):
        where = self.endpoint.rest.removeprefix("http://")
        kept.keep_session(
            FileVault(self.state / "credentials", lambda _: "the right words"), where, session
        )

    def log_in(self):
        self.keep(self.session())


@pytest.fixture
def kite_like(tmp_path, monkeypatch):
    """Make sandboxes configured as Kite, with a token in the vault, and stop them afterwards."""
    monkeypatch.setenv("PATANG_PASSPHRASE", "the right words")
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    made = []

    def make(**day):
        made.append(KiteLike(tmp_path, **day))
        made[-1].log_in()
        return made[-1]

    yield make
    for one in made:
        one.sandbox.stop()


@pytest.fixture
def tape(tmp_path, monkeypatch):
    """Return a folder with two days of two symbols whose price stands still within each minute.

    They are the history, too.
    """
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "tape"
    folder.mkdir()
    series = {}
    for seed, name in enumerate(("INFY", "SBIN"), start=1):
        bars = walk(TAPE_DAYS, seed)
        series[name] = bars = bars._replace(high=bars.open, low=bars.open, close=bars.open)
        stamps = pa.array((bars.start // 1_000_000).tolist(), pa.timestamp("ms", tz="Asia/Kolkata"))
        columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
        pq.write_table(pa.table({"timestamp": stamps} | columns), folder / f"{name}.parquet")
    history(tmp_path / "state" / "patang" / "history", series)
    return folder
