"""`patang login` and `logout`: a browser, a vault, and a sandbox's login page."""

import asyncio
import io
import json
import os
import threading
import urllib.error
import urllib.request

import pytest

from brokers.kite import kite_login as kite
from brokers.kite.call_outcome import SessionExpired
from brokers.kite.kite_broker import KiteBroker
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from brokers.session import day_session as kept
from brokers.session.login_redirect import LoginRedirect
from brokers.session.vault import FileVault
from engine.config.config_files import load_config
from engine.day.desk_clocks import ScaledClock
from engine.errors import OperatorError
from tests.brokers.kite.browser import NoRedirect, visit
from tui.commands.cli import run_command
from tui.run.credentials import endpoint_of, vault_of


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A sandbox whose login page comes back to a free port, and a configuration that names it."""
    with LoginRedirect(0, "", kite.request_token) as free:
        port = int(free.url.split(":")[2].strip("/"))
    sandbox = Sandbox(
        SandboxConfig(
            speed=None, symbols=("INFY",), limits="off", redirect=f"http://127.0.0.1:{port}/"
        )
    )
    endpoint = sandbox.start()
    config = tmp_path / "config.toml"
    config.write_text(
        f'[broker]\nrest = "{endpoint.rest}"\nws = "{endpoint.ws}"\n'
        f'api_key = "{endpoint.api_key}"\n',
        "utf-8",
    )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("KITE_API_SECRET", endpoint.api_secret)
    monkeypatch.setenv("PATANG_PASSPHRASE", "the right words")
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    yield endpoint, config, port
    sandbox.stop()


def log_in(config, port, *more):
    return run_command(
        ["login", "--config", str(config), "--port", str(port), "--wait", "10", *more]
    )


def test_patang_login_ends_with_a_token_the_desk_can_use_and_no_secret_on_the_screen(
    place, monkeypatch, capsys
):

    def stored_token():
        values = load_config(config).values
        return kept.stored_session(
            vault_of(values), endpoint_of(values).hosts, endpoint.api_key
        ).access_token

    endpoint, config, port = place
    monkeypatch.setattr(
        "webbrowser.open", lambda url: threading.Thread(target=visit, args=(url,)).start() or True
    )
    assert log_in(config, port, "--json", "--keep-secret") == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    state = config.parent / "state" / "patang"
    assert (said["user_id"], said["kept_in"]) == (endpoint.user_id, str(state / "credentials"))
    assert said["expires"].endswith("06:00:00+05:30")
    token = stored_token()
    for secret in (token, endpoint.api_secret, "the right words"):
        assert secret not in out + err
    monkeypatch.delenv("KITE_API_SECRET")
    assert log_in(config, port) == 0, "the secret was kept"
    assert stored_token() != token


def test_without_a_browser_the_address_is_printed_and_a_pasted_one_taken(
    place, monkeypatch, capsys
):
    endpoint, config, port = place
    reading, writing = os.pipe()
    opener = urllib.request.build_opener(NoRedirect)
    pages = []

    def no_browser(url):
        pages.append(url)
        try:
            opener.open(url, timeout=5)
        except urllib.error.HTTPError as answer:
            os.write(writing, answer.headers["Location"].encode() + b"\n")
        return False

    monkeypatch.setattr("webbrowser.open", no_browser)
    with os.fdopen(reading) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        assert log_in(config, port) == 0
    os.close(writing)
    out, err = capsys.readouterr()
    assert pages[0] in err
    assert f"logged in as {endpoint.user_id} until" in out


def test_a_login_without_a_key_a_broker_or_a_terminal_says_what_is_missing(
    place, monkeypatch, capsys
):
    _, config, port = place
    monkeypatch.delenv("KITE_API_SECRET")
    assert log_in(config, port) == 2
    assert "KITE_API_SECRET" in capsys.readouterr().err
    config.write_text("", "utf-8")
    assert log_in(config, port) == 2
    assert "needs no login" in capsys.readouterr().err
    config.write_text('[desk]\nmode = "paper"\n[broker]\nname = "kite"\n', "utf-8")
    assert log_in(config, port) == 2
    assert "broker.api_key" in capsys.readouterr().err


PLACES = {
    "api.kite.trade": True,
    "ws.kite.trade": True,
    "sandbox.kite.trade": True,
    "127.0.0.1": True,
    "localhost": True,
    "kite.trade.evil.example": False,
    "evilkite.trade": False,
    "evil.example": False,
    "192.168.1.5": False,
}


@pytest.mark.parametrize("field", ["rest", "ws"])
@pytest.mark.parametrize("host", PLACES)
def test_a_host_that_is_neither_kites_nor_ours_is_asked_for_by_name(
    tmp_path, monkeypatch, field, host
):
    file = tmp_path / "config.toml"
    hosts = {"rest": "api.kite.trade", "ws": "ws.kite.trade"} | {field: host}
    file.write_text(
        f'[broker]\nname = "kite"\napi_key = "K"\nrest = "https://{hosts["rest"]}"\n'
        f'ws = "wss://{hosts["ws"]}"\n'
    )
    config = load_config(file).values
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("tui.run.credentials._NAMED", set())
    if PLACES[host]:
        endpoint_of(config)
        return
    for said in ("", "api.kite.trade", f"x{host}", "*"):
        monkeypatch.setenv("PATANG_HOST", said)
        with pytest.raises(OperatorError, match=f"PATANG_HOST={host}"):
            endpoint_of(config)
    monkeypatch.setenv("PATANG_HOST", f"other,{host}")
    assert host in endpoint_of(config).hosts
    monkeypatch.delenv("PATANG_HOST")
    for typed in ("y\n", "\n", "", f"{host}\n"):
        terminal = io.StringIO(typed)
        terminal.isatty = lambda: True
        monkeypatch.setattr("sys.stdin", terminal)
        if host not in typed:
            with pytest.raises(OperatorError, match="neither Kite nor this machine"):
                endpoint_of(config)
    assert host in endpoint_of(config).hosts
    assert host in endpoint_of(config).hosts, "it has been named, and is not asked for again"


def test_what_is_kept_for_one_host_is_not_there_for_another(place, monkeypatch, capsys):
    endpoint, config, port = place
    monkeypatch.setattr(
        "webbrowser.open", lambda url: threading.Thread(target=visit, args=(url,)).start() or True
    )
    assert log_in(config, port, "--keep-secret") == 0
    monkeypatch.delenv("KITE_API_SECRET")
    text = config.read_text()
    config.write_text(text.replace("127.0.0.1", "localhost", 1))
    other = load_config(config).values
    assert kept.stored_session(vault_of(other), endpoint_of(other).hosts, endpoint.api_key) is None
    capsys.readouterr()
    assert log_in(config, port) == 2
    assert "KITE_API_SECRET" in capsys.readouterr().err, "the secret is not there either"
    config.write_text(text)
    again = load_config(config).values
    assert (
        kept.stored_session(vault_of(again), endpoint_of(again).hosts, endpoint.api_key) is not None
    )


def test_patang_logout_ends_the_session_at_kite_and_forgets_token_and_secret(
    place, monkeypatch, capsys
):

    endpoint, config, port = place
    monkeypatch.setattr(
        "webbrowser.open", lambda url: threading.Thread(target=visit, args=(url,)).start() or True
    )
    assert log_in(config, port, "--keep-secret") == 0
    values = load_config(config).values
    where = endpoint_of(values).hosts
    session = kept.stored_session(vault_of(values), where, endpoint.api_key)
    capsys.readouterr()
    assert run_command(["logout", "--config", str(config), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"user_id": endpoint.user_id}
    assert session.access_token not in out + err
    vault = vault_of(load_config(config).values)
    assert kept.stored_session(vault, where, endpoint.api_key) is None
    assert vault.get(f"api-secret:{where}:{endpoint.api_key}") is None
    kite.invalidate_session(endpoint.rest, session)  # dead already: nothing to complain of
    broker = KiteBroker(
        endpoint.rest, endpoint.api_key, session.access_token, ScaledClock.real(), limits=False
    )

    async def ask():
        try:
            await broker.account()
        finally:
            await broker.close()

    with pytest.raises(SessionExpired):
        asyncio.run(ask())
    assert run_command(["logout", "--config", str(config)]) == 0
    assert "nobody was logged in" in capsys.readouterr().out


def test_a_logout_that_reaches_nobody_says_where_and_keeps_the_token(tmp_path, monkeypatch, capsys):
    config = tmp_path / "config.toml"
    config.write_text(
        '[broker]\nrest = "http://127.0.0.1:9"\nws = "ws://127.0.0.1:9"\napi_key = "KEY"\n'
    )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATANG_PASSPHRASE", "the right words")
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    vault = FileVault(tmp_path / "state" / "patang" / "credentials", lambda _: "the right words")
    kept.keep_session(
        vault,
        "127.0.0.1:9",
        kept.DaySession(
            "KEY", "TOKENSECRET", "AB1234", kite.token_expiry(ScaledClock.real().now())
        ),
    )
    assert run_command(["logout", "--config", str(config)]) == 3
    assert "nobody answers at http://127.0.0.1:9" in capsys.readouterr().err
    assert kept.stored_session(vault, "127.0.0.1:9", "KEY") is not None
