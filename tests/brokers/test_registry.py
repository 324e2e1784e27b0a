"""A broker is a package and a line: what the desk asks it comes from its adapter alone."""

import sys
from types import SimpleNamespace

import msgspec
import pytest

from brokers import registry
from brokers.connection import BrokerAddresses, FrameFormat
from brokers.session import day_session
from brokers.session.day_session import DaySession
from compiled.model.values import Tick
from engine.config.schema import BrokerSettings, DeskConfig
from engine.errors import ConfigError, OperatorError
from engine.history.feed_recording import RecordedEvent, RecordKind
from engine.ports import BrokerRules
from tests.conftest import ROOT
from tui.commands.desk import login_commands
from tui.run import credentials

NOON = 1_767_339_000_000_000_000
ENDS = NOON + 8 * 3_600_000_000_000
CONFIG = '[broker]\nname = "other"\napi_key = "KEY"\n'


class OtherLogin:
    """A login that is like Kite's in nothing but the port."""

    NAME = "Other"
    DOMAIN = "other.example"
    SECRET_VARIABLE = "PATANG_OTHER_SECRET"

    def __init__(self):
        self.ended = []

    @staticmethod
    def addresses_of(broker):
        return BrokerAddresses("https://rest.other.example", "wss://ws.other.example", "page")

    @staticmethod
    def public_secret(api_key):
        return ""

    @staticmethod
    def login_url(api_key, state, page):
        return f"{page}?{api_key}"

    @staticmethod
    def request_token(text, state=""):
        if not text.startswith("code="):
            raise OperatorError("no code")
        return text.strip().removeprefix("code=")

    @staticmethod
    def exchange_token(rest, api_key, api_secret, token, now, *, environment):
        assert (rest, api_secret) == ("https://rest.other.example", "SECRET")
        return DaySession(api_key, f"access-{token}", "U1", ENDS)

    def invalidate_session(self, rest, session, *, environment):
        self.ended.append((rest, session.access_token))


class OtherFrames:
    """A message is one price in ASCII."""

    whole, bad_frames, bad_packets = True, 0, 0

    @staticmethod
    def decode(frame, received):
        return [Tick(7, received, float(frame))]


@pytest.fixture
def other(monkeypatch):
    adapter = SimpleNamespace(
        login=OtherLogin(),
        frames=FrameFormat(OtherFrames, list),
        rules_of=lambda rest: BrokerRules(instruments=5),
    )
    monkeypatch.setitem(sys.modules, "brokers.other", adapter)
    monkeypatch.setitem(registry.ADAPTERS, "other", "brokers.other")
    return adapter


@pytest.fixture
def vault(monkeypatch):
    class Memory(dict):
        where = "memory"

        def put(self, name, secret):
            self[name] = secret

        def forget(self, name):
            self.pop(name, None)

    kept = Memory()
    monkeypatch.setattr(login_commands, "vault_of", lambda config: kept)
    monkeypatch.setattr(credentials, "open_vault", lambda file, words: kept)
    return kept


def test_login_and_logout_are_the_adapters(other, vault, tmp_path, monkeypatch, capsys):
    file = tmp_path / "config.toml"
    file.write_text(CONFIG)
    monkeypatch.setenv("PATANG_OTHER_SECRET", "SECRET")
    clock = SimpleNamespace(now=lambda: NOON)
    for module in (login_commands, credentials):
        monkeypatch.setattr(module, "clock_at", lambda rest: clock)
    monkeypatch.setattr(login_commands.webbrowser, "open", lambda url: False)
    pasted = tmp_path / "pasted"
    pasted.write_text("nonsense\ncode=17\n")
    reader = pasted.open(encoding="utf-8")
    monkeypatch.setattr(login_commands, "_readable_stream", lambda stream: None)
    monkeypatch.setattr(
        login_commands.LoginRedirect,
        "wait",
        lambda redirect, *_: (
            [redirect._take_pasted_line(line, print) for line in reader] and redirect._token
        ),
    )
    assert login_commands.log_in(file, 0, 5.0, keep_secret=False, as_json=True) == 0
    said = capsys.readouterr()
    assert '"user_id": "U1"' in said.out
    assert "page?KEY" in said.err
    assert "your Other application" in said.err
    where = "rest.other.example ws.other.example"
    assert day_session.stored_session(vault, where, "KEY").access_token == "access-17"
    config = msgspec.structs.replace(
        DeskConfig(), broker=BrokerSettings(name="other", api_key="KEY")
    )
    found = credentials.find_credentials(config)
    assert (found.place.token, found.place.user) == ("access-17", "")
    assert login_commands.log_out(file, keep_secret=False, as_json=True) == 0
    assert other.login.ended == [("https://rest.other.example", "access-17")]
    assert vault == {}


def test_a_key_that_is_missing_and_a_host_that_is_not_its_own_are_told_by_its_name(other):
    with pytest.raises(ConfigError, match="the key of your Other application"):
        credentials.endpoint_of(
            msgspec.structs.replace(DeskConfig(), broker=BrokerSettings(name="other"))
        )
    elsewhere = BrokerSettings(
        name="other", api_key="KEY", rest="https://api.kite.trade", ws="wss://ws.kite.trade"
    )
    with pytest.raises(OperatorError, match=r"api\.kite\.trade is neither Other nor this machine"):
        credentials.endpoint_of(msgspec.structs.replace(DeskConfig(), broker=elsewhere))


def test_a_recording_is_read_in_the_form_of_its_broker(other):
    from brokers.recorded.feed_playback import FeedPlayback

    playback = FeedPlayback(registry.frames_of("other"))
    records = [RecordedEvent(RecordKind.FRAME, 1, 5, b"100.5")]
    [batch] = playback.events(records)
    assert [(int(tick.token), tick.ltp) for tick in batch.ticks] == [(7, 100.5)]


def test_nothing_outside_its_package_names_an_adapter_of_a_broker():
    named = [
        str(path.relative_to(ROOT))
        for room in ("tui", "engine", "strategies", "brokers")
        for path in (ROOT / room).rglob("*.py")
        if "brokers.kite" in path.read_text(encoding="utf-8")
        if path.parent.name != "kite"
    ]
    assert named == ["brokers/registry.py"]
