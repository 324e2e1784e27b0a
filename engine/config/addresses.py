"""Addresses of brokers, read strictly.

One is a scheme, a host and perhaps a port, in the one spelling that every reader takes alike.
"""

import re
from typing import Final, NamedTuple

_LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
# 1 to 65535, in the one spelling without leading zeros that all readers of addresses agree on.
_PORT: Final = (
    r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
)
# Readers of addresses disagree on numbers in other forms (0x7f.1, 2130706433): only the plain one
# is taken.
_HOST: Final = rf"(?:(?:{_LABEL}\.)*(?=[a-z]){_LABEL}|(?:{_BYTE}\.){{3}}{_BYTE}|\[::1\])"
PREFIX: Final = "/oms"
"""The one path an address may have: where Kite's own sandbox keeps its routes."""
REST: Final = rf"\A(?:https?://{_HOST}(?::{_PORT})?(?:{PREFIX})?)?\Z"
ROOT: Final = rf"\A(?:https?://{_HOST}(?::{_PORT})?)?\Z"
WS: Final = rf"\A(?:wss?://{_HOST}(?::{_PORT})?)?\Z"
"""What the addresses of a broker look like; empty: none.

A name's last part begins with a letter: it is no number in disguise.
"""

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names of this machine; nothing else is taken for it."""
_ADDRESS: Final = re.compile(
    rf"(?P<scheme>https?|wss?)://(?P<host>{_HOST})(?::(?P<port>{_PORT}))?(?P<prefix>{PREFIX})?"
)


class BrokerAddress(NamedTuple):
    """The address of requests; `port` 0: the usual one of its scheme."""

    scheme: str
    host: str
    port: int = 0
    prefix: str = ""

    @property
    def is_local(self) -> bool:
        """Return whether it is this machine."""
        return self.host in LOOPBACK

    @property
    def is_covered(self) -> bool:
        """Return whether requests there are encrypted, or never leave the machine."""
        return self.is_local or self.scheme in {"https", "wss"}

    @property
    def root(self) -> str:
        """Return the address without a path."""
        return f"{self.scheme}://{self.host}{f':{self.port}' if self.port else ''}"


def parse_address(text: str) -> BrokerAddress | None:
    """Return an address; None for anything that is not spelt like one."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    return BrokerAddress(
        found["scheme"], found["host"], int(found["port"] or 0), found["prefix"] or ""
    )


def are_local(*texts: str) -> bool:
    """Return whether all of these are addresses of this machine."""
    return all((address := parse_address(text)) is not None and address.is_local for text in texts)
