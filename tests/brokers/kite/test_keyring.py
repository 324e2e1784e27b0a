"""The vault on the real `keyring` package, where it is installed, with secrets in a file."""

import json

import pytest

from brokers.session.vault import KeyringVault, open_vault
from engine.errors import OperatorError

keyring = pytest.importorskip("keyring", reason="the extra keyring is not installed")


def backend(file, *, locked=False):
    """Return a backend of the real package."""

    class InAFile(keyring.backend.KeyringBackend):
        priority = 9

        def _all(self):
            if locked:
                raise keyring.errors.KeyringLocked
            return json.loads(file.read_text()) if file.exists() else {}

        def get_password(self, service, username):
            return self._all().get(f"{service}/{username}")

        def set_password(self, service, username, password):
            file.write_text(json.dumps(self._all() | {f"{service}/{username}": password}))

        def delete_password(self, service, username):
            kept = self._all()
            if kept.pop(f"{service}/{username}", None) is None:
                raise keyring.errors.PasswordDeleteError
            file.write_text(json.dumps(kept))

    InAFile.__module__ = "keyring.backends.SecretService"
    return InAFile()


@pytest.fixture
def ring():
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_keyring_that_works_is_used_and_keeps_secrets_over_processes(ring, tmp_path):
    ring(backend(tmp_path / "ring"))
    vault = open_vault(tmp_path / "credentials", lambda _: pytest.fail("no passphrase is needed"))
    assert isinstance(vault, KeyringVault)
    assert vault.get("a") is None
    vault.put("a", "secret")
    ring(backend(tmp_path / "ring"))
    assert open_vault(tmp_path / "credentials", lambda _: "").get("a") == "secret"
    vault.forget("a")
    vault.forget("a")
    assert vault.get("a") is None
    assert not (tmp_path / "credentials").exists()


def test_a_locked_keyring_is_told(ring, tmp_path):
    ring(backend(tmp_path / "ring", locked=True))
    with pytest.raises(OperatorError, match="unlock it"):
        open_vault(tmp_path / "credentials", lambda _: "").get("a")
