"""Logging in: the page, the redirect, the exchange, the hour of death, and where the token sleeps."""

import json
import os
import threading
import types
import urllib.error
import urllib.request
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from brokers.kite import session as kite
from brokers.kite.redirect import Redirect
from brokers.kite.vault import FileVault, KeyringVault, open_vault
from brokers.sandbox import Sandbox, SandboxConfig
from engine.errors import BusyError, ConfigError, ConnectionFailed, OperatorError
from tests.kite.browser import NoRedirect, visit

NOON = 1_767_335_400_000_000_000  # 2026-01-02 12:00 IST
SIX_NEXT_DAY = 1_767_400_200_000_000_000  # 2026-01-03 06:00 IST


def ns(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def a_session(**changes):
    return kite.Session("KEY", "TOKENSECRET", "AB1234", SIX_NEXT_DAY)._replace(**changes)


@pytest.mark.parametrize(
    ("now", "dies"),
    [
        ("2026-01-02T06:30:00", "2026-01-03T00:30:00"),  # noon
        ("2026-01-02T00:29:59", "2026-01-02T00:30:00"),  # a second before six
        ("2026-01-02T00:30:00", "2026-01-03T00:30:00"),  # six sharp
        ("2026-01-02T18:31:00", "2026-01-03T00:30:00"),  # after midnight in India
    ],
)
def test_a_token_dies_at_the_next_six_in_the_morning_in_india(now, dies):
    assert kite.expiry(ns(now)) == ns(dies)


def test_the_login_page_gets_the_key_and_echoes_the_state():
    url = urlsplit(kite.login_url("KEY", "st-1"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://kite.zerodha.com/connect/login"
    assert parse_qs(url.query) == {"v": ["3"], "api_key": ["KEY"], "redirect_params": ["state=st-1"]}


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8765/?request_token=abc123&action=login&status=success&state=s",
        "  /?status=success&request_token=abc123  \n",
        "abc123",
    ],
)
def test_the_request_token_is_found_in_whatever_is_pasted(text):
    assert kite.request_token(text) == "abc123"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("http://127.0.0.1/?status=error&request_token=abc", ""),
        ("http://127.0.0.1/?status=success", ""),
        ("http://127.0.0.1/?request_token=a%20b", ""),
        ("http://127.0.0.1/?request_token=abc&state=other", "mine"),
        ("http://127.0.0.1/?request_token=abc", "mine"),
        ("abc123", "mine"),
        ("not a token", ""),
        ("", ""),
    ],
)
def test_what_is_no_login_of_ours_is_refused(text, state):
    with pytest.raises(OperatorError):
        kite.request_token(text, state)


def test_a_session_does_not_show_its_token():
    assert "SECRET" not in f"{a_session()!r} {a_session()}"


# the redirect


def test_the_redirect_is_caught_and_strangers_are_turned_away():
    seen = []

    def browse(url):
        queries = ("favicon.ico", "?request_token=evil&status=success&state=other", "?request_token=abc&state=mine")
        seen.extend(visit(url + query) for query in queries)

    with Redirect(0, "mine") as redirect:
        browser = threading.Thread(target=browse, args=(redirect.url,))
        browser.start()
        assert redirect.wait(10) == "abc"
        browser.join(5)
    assert [status for status, _ in seen] == [404, 400, 200]
    assert "close this window" in seen[2][1]


def test_a_pasted_address_ends_the_wait_after_a_wrong_one_was_told():
    reading, writing = os.pipe()
    told = []
    with Redirect(0, "mine") as redirect, os.fdopen(reading) as lines, os.fdopen(writing, "w") as terminal:

        def tell(text):
            told.append(text)
            terminal.write("http://x/?request_token=pasted&status=success\n")
            terminal.flush()

        terminal.write("rubbish!\n")
        terminal.flush()
        assert redirect.wait(10, lines, tell) == "pasted"
    assert len(told) == 1


def test_nobody_coming_back_and_a_taken_port_are_told():
    with Redirect(0, "s") as redirect:
        with pytest.raises(OperatorError, match="within 0 s"):
            redirect.wait(0.05)
        with pytest.raises(BusyError, match="taken"):
            Redirect(int(redirect.url.split(":")[2].strip("/")), "s")
    with pytest.raises(ConfigError, match="65535"):
        Redirect(99_999, "s")


def test_a_closed_terminal_does_not_end_the_wait():
    reading, writing = os.pipe()
    os.close(writing)
    with (
        os.fdopen(reading) as closed,
        Redirect(0, "s") as redirect,
        pytest.raises(OperatorError, match="nobody came back"),
    ):
        redirect.wait(0.2, closed)


# the exchange


@pytest.fixture
def endpoint():
    sandbox = Sandbox(SandboxConfig(speed=None, symbols=("INFY",), limits="off"))
    yield sandbox.start()
    sandbox.stop()


def test_a_login_at_the_sandbox_gives_a_token_that_works(endpoint):
    def browse(url):  # the sandbox sends the browser to a page of its own: carry its query to ours by hand
        page = urllib.request.build_opener(NoRedirect).open
        try:
            page(kite.login_url(endpoint.api_key, "mine", endpoint.rest + "/connect/login"), timeout=5)
        except urllib.error.HTTPError as answer:
            visit(url + "?" + urlsplit(answer.headers["Location"]).query)

    with Redirect(0, "mine") as redirect:
        threading.Thread(target=browse, args=(redirect.url,)).start()
        token = redirect.wait(10)
    session = kite.exchange(endpoint.rest, endpoint.api_key, endpoint.api_secret, token, NOON)
    assert (session.user_id, session.expires) == (endpoint.user_id, SIX_NEXT_DAY)
    asked = urllib.request.Request(
        endpoint.rest + "/user/profile",
        headers={"Authorization": f"token {endpoint.api_key}:{session.access_token}", "X-Kite-Version": "3"},
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert json.loads(answer.read())["data"]["user_id"] == endpoint.user_id
    with pytest.raises(OperatorError, match="good once"):
        kite.exchange(endpoint.rest, endpoint.api_key, endpoint.api_secret, token, NOON)


def test_a_wrong_secret_is_refused_without_repeating_it(endpoint):
    with pytest.raises(OperatorError) as refused:
        kite.exchange(endpoint.rest, endpoint.api_key, "WRONGSECRET", "TOKENSECRET", NOON)
    assert "checksum" in str(refused.value)
    assert "SECRET" not in f"{refused.value} {refused.value.__cause__}"


def test_where_nobody_answers_the_login_is_no_refusal():
    with pytest.raises(ConnectionFailed):
        kite.exchange("http://127.0.0.1:9", "key", "secret", "token", NOON)


# the vault


class Ring(types.ModuleType):
    """The parts of the keyring package that are used."""

    class errors:  # noqa: N801 (its name in keyring)
        class KeyringError(Exception):
            pass

    def __init__(self, priority=5):
        super().__init__("keyring")
        self.kept, self.locked, self.priority = {}, False, priority

    def get_keyring(self):
        return self

    def get_password(self, service, name):
        if self.locked:
            raise self.errors.KeyringError
        return self.kept.get((service, name))

    def set_password(self, service, name, secret):
        self.get_password(service, name)
        self.kept[service, name] = secret

    def delete_password(self, service, name):
        if self.kept.pop((service, name), None) is None:
            raise self.errors.KeyringError


def words(*answers):
    """A passphrase prompt that notes what it was asked for."""
    asked, left = [], list(answers)

    def ask(new):
        asked.append(new)
        return left.pop(0)

    return ask, asked


def test_the_keyring_is_used_where_it_works_and_the_file_where_it_does_not(tmp_path, monkeypatch):
    ring, ask = Ring(), words("secret words")[0]
    monkeypatch.setitem(__import__("sys").modules, "keyring", ring)
    vault = open_vault(tmp_path / "credentials", ask)
    kite.keep(vault, a_session())
    assert list(ring.kept) == [("patang", "session:KEY")]
    assert kite.stored(vault, "KEY") == a_session()
    vault.forget("session:KEY")
    vault.forget("session:KEY")
    assert kite.stored(vault, "KEY") is None
    monkeypatch.setitem(__import__("sys").modules, "keyring", Ring(priority=0))
    assert isinstance(open_vault(tmp_path / "credentials", ask), FileVault)
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    assert isinstance(open_vault(tmp_path / "credentials", ask), FileVault)


def test_a_locked_keyring_is_told_and_not_worked_around():
    ring = Ring()
    ring.locked = True
    vault = KeyringVault(ring)
    for use in (lambda: vault.get("a"), lambda: vault.put("a", "SECRET")):
        with pytest.raises(OperatorError, match="unlock it"):
            use()


def test_the_file_keeps_secrets_from_everybody_without_the_passphrase(tmp_path):
    file = tmp_path / "deep" / "credentials"
    ask, asked = words("right")
    vault = FileVault(file, ask)
    assert vault.get("a") is None
    vault.put("a", "TOKENSECRET")
    vault.put("b", "OTHERSECRET")
    assert asked == [True]
    raw = file.read_bytes()
    assert b"SECRET" not in raw
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]

    again, asked = words("wrong", "right")
    vault = FileVault(file, again)
    with pytest.raises(OperatorError, match="passphrase is wrong"):
        vault.get("a")
    assert [vault.get("a"), vault.get("b"), vault.get("c")] == ["TOKENSECRET", "OTHERSECRET", None]
    assert asked == [False, False]
    vault.forget("a")
    assert FileVault(file, words("right")[0]).get("a") is None


def test_a_changed_byte_anywhere_in_the_file_is_noticed(tmp_path):
    file = tmp_path / "credentials"
    FileVault(file, words("right")[0]).put("a", "SECRET")
    whole = file.read_bytes()
    for at in (0, 20, 35, 50, len(whole) - 1):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(OperatorError, match="damaged"):
            FileVault(file, words("right")[0]).get("a")
    file.write_bytes(whole[:40])
    with pytest.raises(OperatorError, match="damaged"):
        FileVault(file, words("right")[0]).get("a")


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    file = tmp_path / "credentials"
    vault = FileVault(file, words("right")[0])
    vault.put("a", "old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OperatorError, match=r"cannot write .*No space left"):
        vault.put("a", "new")
    assert list(tmp_path.iterdir()) == [file]
    assert FileVault(file, words("right")[0]).get("a") == "old"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "way").write_text("in the way")
    with pytest.raises(OperatorError, match="way/credentials"):
        FileVault(tmp_path / "way" / "credentials", words("right")[0]).put("a", "b")


def test_todays_token_comes_from_the_vault_and_every_lack_names_the_mend():
    vault = KeyringVault(Ring())
    with pytest.raises(OperatorError, match="patang login"):
        kite.living(vault, "KEY", NOON)
    vault.put("session:KEY", "no JSON")
    with pytest.raises(OperatorError, match="patang login"):
        kite.living(vault, "KEY", NOON)
    kite.keep(vault, a_session())
    assert kite.living(vault, "KEY", NOON).access_token == "TOKENSECRET"
    assert kite.living(vault, "KEY", SIX_NEXT_DAY - 1).access_token == "TOKENSECRET"
    with pytest.raises(OperatorError, match="06:00"):
        kite.living(vault, "KEY", SIX_NEXT_DAY)
