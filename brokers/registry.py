"""The brokers by name: a line for each."""

from importlib import import_module
from typing import Final, Protocol, cast

from brokers.connection import (
    BrokerAccess,
    BrokerLogin,
    Connection,
    ConnectionTerms,
    FrameFormat,
)
from engine.ports import BrokerRules

ADAPTERS: Final = {
    "kite": "brokers.kite.kite_connection",
    "sandbox": "brokers.kite.kite_connection",
}
"""Each broker's module, read when it is asked for: a client costs half a second."""


class BrokerAdapter(Protocol):
    """Parts of a broker's module."""

    frames: FrameFormat
    login: BrokerLogin

    def connect(self, access: BrokerAccess, terms: ConnectionTerms) -> Connection:
        """Return a connection; nothing is sent before it is used."""
        ...

    def rules_of(self, rest: str) -> BrokerRules:
        """Return what the broker at an address takes."""
        ...


def connect(name: str, access: BrokerAccess, terms: ConnectionTerms) -> Connection:
    """Return a connection to a broker; nothing is sent before it is used."""
    return _adapter_of(name).connect(access, terms)


def rules_of(name: str, rest: str) -> BrokerRules:
    """Return what a broker takes at an address."""
    return _adapter_of(name).rules_of(rest)


def frames_of(name: str) -> FrameFormat:
    """Return the form of a broker's market data messages."""
    return _adapter_of(name).frames


def login_of(name: str) -> BrokerLogin:
    """Return a broker's login."""
    return _adapter_of(name).login


def _adapter_of(name: str) -> BrokerAdapter:
    return cast("BrokerAdapter", import_module(ADAPTERS[name]))
