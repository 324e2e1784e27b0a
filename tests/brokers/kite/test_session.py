"""The login: page, redirect, exchange, the hour of death, and the token's place at rest."""

import contextlib
import json
import os
import socket
import sys
import threading
import time
import types
import urllib.error
import urllib.request
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from brokers.kite import kite_login as kite
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.server import Sandbox
from brokers.session import day_session as kept
from brokers.session.login_redirect import LoginRedirect
from brokers.session.vault import FileVault, KeyringVault, open_vault
from engine.errors import BusyError, ConfigError, ConnectionFailed, OperatorError
from tests.brokers.kite.browser import NoRedirect, visit

NOON = 1_767_335_400_000_000_000  # 2026-01-02 12:00 IST
SIX_NEXT_DAY = 1_767_400_200_000_000_000  # 2026-01-03 06:00 IST


def ns(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def a_session(**changes):
    return kept.DaySession("KEY", "TOKENSECRET", "AB1234", SIX_NEXT_DAY)._replace(**changes)


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
    assert kite.token_expiry(ns(now)) == ns(dies)


def test_the_login_page_gets_the_key_and_echoes_the_state():
    url = urlsplit(kite.login_url("KEY", "st-1"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://kite.zerodha.com/connect/login"
    assert parse_qs(url.query) == {
        "v": ["3"],
        "api_key": ["KEY"],
        "redirect_params": ["state=st-1"],
    }


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
        queries = (
            "favicon.ico",
            "?request_token=evil&status=success&state=other",
            "?request_token=abc&state=mine",
        )
        seen.extend(visit(url + query) for query in queries)

    with LoginRedirect(0, "mine", kite.request_token) as redirect:
        browser = threading.Thread(target=browse, args=(redirect.url,))
        browser.start()
        assert redirect.wait(10) == "abc"
        browser.join(5)
    assert [status for status, _ in seen] == [404, 400, 200]
    assert "close this window" in seen[2][1]


def test_whoever_only_holds_the_line_does_not_keep_the_browser_out():
    seen = []
    halves = (
        b"",
        b"GET",
        b"GET /?request_token=abc HTTP/1.1\r\nX: ",
        b"\x16\x03\x01\xff\xfe",
        b"POST / HTTP/1.1\r\n\r\n",
    )
    with LoginRedirect(0, "mine", kite.request_token) as redirect, contextlib.ExitStack() as stack:
        port = int(redirect.url.split(":")[2].strip("/"))

        def crowd_and_browse():
            for number in range(200):
                line = stack.enter_context(
                    socket.create_connection(("127.0.0.1", port), timeout=60)
                )
                with contextlib.suppress(OSError):
                    line.sendall(halves[number % len(halves)])
            seen.append(visit(redirect.url + "?request_token=abc&status=success&state=mine"))

        browser = threading.Thread(target=crowd_and_browse)
        began = time.monotonic()
        browser.start()
        assert redirect.wait(60) == "abc"
        browser.join(60)
        took = time.monotonic() - began
    assert seen[0][0] == 200
    assert took < 40, "one after the other, each has five seconds: a thousand"


def test_a_pasted_address_ends_the_wait_after_a_wrong_one_was_told():
    reading, writing = os.pipe()
    told = []
    with (
        LoginRedirect(0, "mine", kite.request_token) as redirect,
        os.fdopen(reading) as lines,
        os.fdopen(writing, "w") as terminal,
    ):

        def tell(text):
            told.append(text)
            terminal.write("http://x/?request_token=pasted&status=success\n")
            terminal.flush()

        terminal.write("rubbish!\n")
        terminal.flush()
        assert redirect.wait(10, lines, tell) == "pasted"
    assert len(told) == 1


def test_nobody_coming_back_and_a_taken_port_are_told():
    with LoginRedirect(0, "s", kite.request_token) as redirect:
        with pytest.raises(OperatorError, match="within 0 s"):
            redirect.wait(0.05)
        with pytest.raises(BusyError, match="taken"):
            LoginRedirect(int(redirect.url.split(":")[2].strip("/")), "s", kite.request_token)
    with pytest.raises(ConfigError, match="65535"):
        LoginRedirect(99_999, "s", kite.request_token)


def test_a_closed_terminal_does_not_end_the_wait():
    reading, writing = os.pipe()
    os.close(writing)
    with (
        os.fdopen(reading) as closed,
        LoginRedirect(0, "s", kite.request_token) as redirect,
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
    # the sandbox sends the browser to a page of its own: carry its query to ours by hand
    def browse(url):
        page = urllib.request.build_opener(NoRedirect).open
        try:
            page(
                kite.login_url(endpoint.api_key, "mine", endpoint.rest + "/connect/login"),
                timeout=5,
            )
        except urllib.error.HTTPError as answer:
            visit(url + "?" + urlsplit(answer.headers["Location"]).query)

    with LoginRedirect(0, "mine", kite.request_token) as redirect:
        threading.Thread(target=browse, args=(redirect.url,)).start()
        token = redirect.wait(10)
    session = kite.exchange_token(endpoint.rest, endpoint.api_key, endpoint.api_secret, token, NOON)
    assert (session.user_id, session.expires) == (endpoint.user_id, SIX_NEXT_DAY)
    asked = urllib.request.Request(
        endpoint.rest + "/user/profile",
        headers={
            "Authorization": f"token {endpoint.api_key}:{session.access_token}",
            "X-Kite-Version": "3",
        },
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert json.loads(answer.read())["data"]["user_id"] == endpoint.user_id
    with pytest.raises(OperatorError, match="good once"):
        kite.exchange_token(endpoint.rest, endpoint.api_key, endpoint.api_secret, token, NOON)


def test_a_wrong_secret_is_refused_without_repeating_it(endpoint):
    with pytest.raises(OperatorError) as refused:
        kite.exchange_token(endpoint.rest, endpoint.api_key, "WRONGSECRET", "TOKENSECRET", NOON)
    assert "checksum" in str(refused.value)
    assert "SECRET" not in f"{refused.value} {refused.value.__cause__}"


def test_where_nobody_answers_the_login_is_no_refusal():
    with pytest.raises(ConnectionFailed):
        kite.exchange_token("http://127.0.0.1:9", "key", "secret", "token", NOON)


# the vault


class Ring:
    """The parts of the keyring package that are used."""

    class errors:  # noqa: N801 (its name in keyring)
        class KeyringError(Exception):
            pass

    def __init__(self, priority=5):
        self.kept, self.locked, self.priority = {}, False, priority

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


Ring.__module__ = "keyring.backends.SecretService"


def package(ring):
    """Return the keyring package whose user's choice this is."""
    made = types.ModuleType("keyring")
    made.errors, made.get_keyring = Ring.errors, lambda: ring
    return made


def words(*answers):
    """A passphrase prompt that notes what it was asked for."""
    asked, left = [], list(answers)

    def ask(new):
        asked.append(new)
        return left.pop(0)

    return ask, asked


def test_the_keyring_is_used_where_it_works_and_the_file_where_it_does_not(tmp_path, monkeypatch):
    ring, ask = Ring(), words("secret words")[0]
    monkeypatch.setitem(sys.modules, "keyring", package(ring))
    vault = open_vault(tmp_path / "credentials", ask)
    kept.keep_session(vault, "there", a_session())
    assert list(ring.kept) == [("patang", "session:there:KEY")]
    assert kept.stored_session(vault, "elsewhere", "KEY") is None, (
        "it opens nothing but where it was made"
    )
    assert kept.stored_session(vault, "there", "KEY") == a_session()
    kept.forget_session(vault, "there", "KEY")
    kept.forget_session(vault, "there", "KEY")
    assert kept.stored_session(vault, "there", "KEY") is None
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert isinstance(open_vault(tmp_path / "credentials", ask), FileVault)


def a_ring(module="keyring.backends.SecretService", priority=5, **more):
    made = type("Made", (Ring,), {"__module__": module})(priority)
    made.__dict__.update(more)
    return made


UNKNOWN = {
    "a plain file": a_ring("keyrings.alt.file", 0.5),
    "a plain file that was preferred": a_ring("keyrings.alt.file", 9),
    "an encrypted file of somebody else's": a_ring("keyrings.cryptfile.cryptfile", 5),
    "no keyring": a_ring("keyring.backends.fail", 0),
    "nothing": a_ring("keyring.backends.null", -1),
    "a known one that does not work": a_ring("keyring.backends.kwallet", 0),
    "a chain of plain files": a_ring(
        "keyring.backends.chainer", 10, backends=[a_ring("keyrings.alt.file", 9)]
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_keyring_that_may_be_a_plain_file_is_none(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", package(UNKNOWN[name]))
    assert isinstance(open_vault(tmp_path / "credentials", words()[0]), FileVault)


def test_of_a_chain_the_known_keyring_alone_is_asked(tmp_path, monkeypatch):
    plain, known = a_ring("keyrings.alt.file", 9), a_ring()
    monkeypatch.setitem(
        sys.modules,
        "keyring",
        package(a_ring("keyring.backends.chainer", 10, backends=[plain, known])),
    )
    open_vault(tmp_path / "credentials", words()[0]).put("a", "SECRET")
    assert (plain.kept, known.kept) == ({}, {("patang", "a"): "SECRET"})


@pytest.mark.parametrize("said", ["", "short", "x" * 11])
def test_a_short_passphrase_keeps_nothing(tmp_path, said):
    file = tmp_path / "credentials"
    vault = FileVault(file, words(said, "x" * 12)[0])
    with pytest.raises(OperatorError, match="at least 12 characters"):
        vault.put("a", "SECRET")
    assert [*tmp_path.iterdir()] == []
    vault.put("a", "SECRET")
    assert FileVault(file, words("x" * 12)[0]).get("a") == "SECRET"


def test_the_file_goes_through_no_link_and_under_no_name_that_can_be_foreseen(
    tmp_path, monkeypatch
):
    target, names = tmp_path / "precious", []
    target.write_text("precious")
    opened = os.open

    def spy(path, *rest, **more):
        names.append(os.fspath(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr(os, "open", spy)
    file = tmp_path / "credentials"
    for _ in range(2):
        file.unlink(missing_ok=True)
        FileVault(file, words("the right words")[0]).put("a", "b")
    assert len({name for name in names if "/.credentials." in name}) == 2
    monkeypatch.setattr("engine.system.whole_files.secrets.token_hex", lambda most: "0" * most)
    (tmp_path / ".credentials.00000000.tmp").symlink_to(target)
    with pytest.raises(OperatorError, match="cannot write"):
        FileVault(file, words("the right words")[0]).put("a", "c")
    assert target.read_text() == "precious"
    file.unlink()
    file.symlink_to(target)
    with pytest.raises(OperatorError):
        FileVault(file, words("the right words")[0]).get("a")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(OperatorError, match="no regular file"):
        FileVault(file, words("the right words")[0]).get("a")


def test_a_locked_keyring_is_told_and_not_worked_around():
    ring = Ring()
    ring.locked = True
    vault = KeyringVault(ring, Ring.errors.KeyringError)
    for use in (lambda: vault.get("a"), lambda: vault.put("a", "SECRET")):
        with pytest.raises(OperatorError, match="unlock it"):
            use()


def test_the_file_keeps_secrets_from_everybody_without_the_passphrase(tmp_path):
    file = tmp_path / "deep" / "credentials"
    ask, asked = words("the right words")
    vault = FileVault(file, ask)
    assert vault.get("a") is None
    vault.put("a", "TOKENSECRET")
    vault.put("b", "OTHERSECRET")
    assert asked == [True]
    raw = file.read_bytes()
    assert b"SECRET" not in raw
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]

    again, asked = words("the wrong words", "the right words")
    vault = FileVault(file, again)
    with pytest.raises(OperatorError, match="passphrase is wrong"):
        vault.get("a")
    assert [vault.get("a"), vault.get("b"), vault.get("c")] == ["TOKENSECRET", "OTHERSECRET", None]
    assert asked == [False, False]
    vault.forget("a")
    assert FileVault(file, words("the right words")[0]).get("a") is None


def test_a_changed_byte_anywhere_in_the_file_is_noticed(tmp_path):
    file = tmp_path / "credentials"
    FileVault(file, words("the right words")[0]).put("a", "SECRET")
    whole = file.read_bytes()
    for at in (0, 20, 35, 50, len(whole) - 1):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(OperatorError, match="damaged"):
            FileVault(file, words("the right words")[0]).get("a")
    file.write_bytes(whole[:40])
    with pytest.raises(OperatorError, match="damaged"):
        FileVault(file, words("the right words")[0]).get("a")


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    file = tmp_path / "credentials"
    vault = FileVault(file, words("the right words")[0])
    vault.put("a", "old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        OperatorError, match=r"cannot write .*no space left on device: free some space"
    ):
        vault.put("a", "new")
    assert list(tmp_path.iterdir()) == [file]
    assert FileVault(file, words("the right words")[0]).get("a") == "old"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "way").write_text("in the way")
    with pytest.raises(OperatorError, match="way/credentials"):
        FileVault(tmp_path / "way" / "credentials", words("the right words")[0]).put("a", "b")


def test_todays_token_comes_from_the_vault_and_every_lack_names_the_mend():
    vault = KeyringVault(Ring(), Ring.errors.KeyringError)
    with pytest.raises(OperatorError, match="patang login"):
        kept.todays_session(vault, "there", "KEY", NOON)
    vault.put("session:KEY", "no JSON")
    with pytest.raises(OperatorError, match="patang login"):
        kept.todays_session(vault, "there", "KEY", NOON)
    kept.keep_session(vault, "there", a_session())
    assert kept.todays_session(vault, "there", "KEY", NOON).access_token == "TOKENSECRET"
    assert (
        kept.todays_session(vault, "there", "KEY", SIX_NEXT_DAY - 1).access_token == "TOKENSECRET"
    )
    with pytest.raises(OperatorError, match="06:00"):
        kept.todays_session(vault, "there", "KEY", SIX_NEXT_DAY)
