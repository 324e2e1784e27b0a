"""Vault of secrets: the operating system's keyring, or without one an encrypted file.

The file is AES-256-GCM under a key that scrypt makes of a passphrase; salt, nonce and cost stand
before it and are authenticated with it. Nothing in it can be read, and no byte of it changed,
without the passphrase.
"""

import contextlib
import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from engine.errors import OperatorError, in_words
from engine.system import private_files

SERVICE: Final = "patang"
_MAGIC: Final = b"patang-vault-1\n"
_SALT, _NONCE = 16, 12
_MOST: Final = 1 << 20
_COST: Final = 2**15
"""scrypt's n, with r = 8 and p = 1: 32 MiB and about a tenth of a second.

RFC 7914 calls 2**14 interactive.
"""


LEAST: Final = 12
"""Characters of a passphrase.

A copy of the file can be tried ten words a second on each core, for as long as it takes.
"""
_KNOWN: Final = frozenset(
    f"keyring.backends.{name}"
    for name in ("SecretService", "kwallet", "libsecret", "macOS", "Windows")
)
"""Back ends that keep secrets where a login opens them; others may be plain files."""


class SecretVault(Protocol):
    """Named secrets that outlive the process."""

    where: str
    """How an operator would call it."""

    def get(self, name: str) -> str | None:
        """Return a secret, None without one; raise `OperatorError` where it cannot be opened."""
        ...

    def put(self, name: str, secret: str) -> None:
        """Keep a secret; raise `OperatorError`."""
        ...

    def forget(self, name: str) -> None:
        """Drop a secret, if it is there."""
        ...


def open_vault(file: Path, passphrase: Callable[[bool], str]) -> SecretVault:
    """Return the keyring of a known kind where one works, else the encrypted `file`.

    `passphrase` is asked at its first use, `passphrase(True)` for a new file, `passphrase(False)`
    for one that exists.
    """
    try:
        ring = importlib.import_module("keyring")
    except ImportError:
        return FileVault(file, passphrase)
    chosen = ring.get_keyring()
    # a chain of several asks one after the other
    for each in getattr(chosen, "backends", [chosen]):
        if type(each).__module__ in _KNOWN and each.priority >= 1:
            return KeyringVault(each, ring.errors.KeyringError)
    return FileVault(file, passphrase)


class KeyringVault:
    """The keyring of the desktop session, through a back end that raises `broken`."""

    where = "the keyring"

    def __init__(self, ring: Any, broken: type[Exception]) -> None:
        self._ring = ring
        self._broken = broken

    def get(self, name: str) -> str | None:
        """Return a secret, None without one; raise `OperatorError` where the keyring is locked."""
        try:
            secret = self._ring.get_password(SERVICE, name)
        except self._broken as error:
            raise _locked_error(error) from None
        return None if secret is None else str(secret)

    def put(self, name: str, secret: str) -> None:
        """Keep a secret; raise `OperatorError` where the keyring is locked."""
        try:
            self._ring.set_password(SERVICE, name, secret)
        except self._broken as error:
            raise _locked_error(error) from None

    def forget(self, name: str) -> None:
        """Drop a secret, if it is there."""
        with contextlib.suppress(self._broken):
            self._ring.delete_password(SERVICE, name)


def _locked_error(error: Exception) -> OperatorError:
    return OperatorError(f"the keyring does not open ({type(error).__name__}): unlock it")


class FileVault:
    """An encrypted file, readable by its owner only.

    The passphrase is asked once and kept until the process ends.
    """

    def __init__(self, file: Path, passphrase: Callable[[bool], str]) -> None:
        self.where = str(file)
        self._file = file
        self._passphrase = passphrase
        self._words = ""
        self._derived: tuple[bytes, bytes] = b"", b""

    def get(self, name: str) -> str | None:
        """Return a secret, None without one.

        Raise `OperatorError` on a wrong passphrase or a damaged file.
        """
        return self._read_secrets().get(name)

    def put(self, name: str, secret: str) -> None:
        """Keep a secret; the file is replaced whole or not at all."""
        self._write_secrets(self._read_secrets() | {name: secret})

    def forget(self, name: str) -> None:
        """Drop a secret, if it is there."""
        kept = self._read_secrets()
        if kept.pop(name, None) is not None:
            self._write_secrets(kept)

    def _read_secrets(self) -> dict[str, str]:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 (a desk with a keyring never needs it)

        try:
            raw = private_files.read_private(self._file, _MOST)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise OperatorError(f"{self._file}: {error.strerror}") from None
        head = len(_MAGIC) + _SALT
        salt, nonce, sealed = (
            raw[len(_MAGIC) : head],
            raw[head : head + _NONCE],
            raw[head + _NONCE :],
        )
        if not raw.startswith(_MAGIC) or not sealed:
            raise OperatorError(f"{self._file} is damaged; remove it and run `patang login`")
        try:
            text = self._derive_cipher(salt, new=False).decrypt(nonce, sealed, raw[:head])
        except InvalidTag:
            self._words, self._derived = "", (b"", b"")
            raise OperatorError(
                f"{self._file}: the passphrase is wrong, or the file is damaged"
            ) from None
        return dict(json.loads(text))

    def _write_secrets(self, secrets: dict[str, str]) -> None:
        # a new nonce for each writing: AES-GCM is broken by one that is used twice under a key
        salt, nonce = self._derived[0] or os.urandom(_SALT), os.urandom(_NONCE)
        head = _MAGIC + salt
        cipher = self._derive_cipher(salt, new=True)
        if len(self._words) < LEAST:
            raise OperatorError(
                f"{self._file}: a passphrase of at least {LEAST} characters is needed; "
                f"{self._mending_hint()}"
            )
        sealed = cipher.encrypt(nonce, json.dumps(secrets).encode(), head)
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            private_files.replace_private(self._file, head + nonce + sealed)
        except OSError as error:
            raise OperatorError(f"cannot write {self._file}: {in_words(error)}") from None

    def _mending_hint(self) -> str:
        if not self._file.exists():
            self._words, self._derived = "", (b"", b"")
            return "nothing was kept"
        return "remove the file and run `patang login` with a longer one"

    def _derive_cipher(self, salt: bytes, *, new: bool) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (as in `_read_secrets`)
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415

        if self._derived[0] != salt:
            self._words = self._words or self._passphrase(new)
            key = Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(self._words.encode())
            self._derived = salt, key
        return AESGCM(self._derived[1])
