"""Credentials of the desk at a broker: the address, today's token, and the next one."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from brokers.connection import BrokerLogin
from brokers.registry import login_of
from brokers.sandbox.config import SandboxConfig
from brokers.session.day_session import DaySession, stored_session, todays_session
from brokers.session.vault import SecretVault, open_vault
from engine.config import addresses
from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, OperatorError
from engine.texts import plain_text
from tui.run.exchange_clock import clock_at

HOST_VARIABLE = "PATANG_HOST"
PASSPHRASE_VARIABLE = "PATANG_PASSPHRASE"  # noqa: S105 (the name of a variable)
_NAMED: set[str] = set()
"""Hosts named at the terminal: none is asked for twice by one command."""


class BrokerEndpoint(NamedTuple):
    """Address and key of a broker; `token` empty: not logged in."""

    rest: str
    ws: str
    page: str
    api_key: str
    token: str = ""
    expires: int = 0
    sandbox: bool = False
    user: str = ""
    """User of the session, where the market data socket asks for it."""
    names_user: bool = False

    @property
    def hosts(self) -> str:
        """Return the hosts that get the token; it goes to no other."""
        hosts = (urlsplit(each).netloc for each in (self.rest, self.ws))
        return " ".join(dict.fromkeys(hosts))

    def with_session(self, session: DaySession) -> "BrokerEndpoint":
        """Return the place with a session."""
        user = session.user_id if self.names_user else ""
        return self._replace(token=session.access_token, expires=session.expires, user=user)

    # a traceback or a log must never show the token
    def __repr__(self) -> str:
        return f"BrokerEndpoint(rest={self.rest!r})"


class Credentials(NamedTuple):
    """A broker's address with today's token.

    `session` None: it cannot be renewed, for it stands in a variable or a file. `fetch` returns the
    session that was stored last; it blocks, and never asks the operator.
    """

    place: BrokerEndpoint
    session: DaySession | None = None
    fetch: Callable[[], DaySession | None] = lambda: None


def find_credentials(config: DeskConfig) -> Credentials:
    """Find today's token, asking for the vault's passphrase; call it before there is a screen.

    Raise `OperatorError` that names the mend.
    """
    broker, place = config.broker, endpoint_of(config)
    if not broker.is_real or broker.access_token_env:
        key, token = broker.credentials(os.environ)
        return Credentials(place._replace(api_key=key, token=token))
    # once there is a screen nobody can be asked: a passphrase that changes meanwhile is an error
    asking = True

    def words(new: bool) -> str:
        if not asking:
            raise OperatorError(
                "the passphrase of patang's secrets has changed: start the desk anew"
            )
        return ask_passphrase(new)

    vault = open_vault(desk_paths(config, os.environ).state / "credentials", words)
    session = todays_session(vault, place.hosts, place.api_key, clock_at(place.rest).now())
    asking = False
    return Credentials(
        place.with_session(session),
        session,
        lambda: stored_session(vault, place.hosts, place.api_key),
    )


def endpoint_of(config: DeskConfig) -> BrokerEndpoint:
    """Return where the configured broker is.

    Raise `ConfigError` where there is nothing to log in to.
    """
    broker, login = config.broker, login_of(config.broker.name)
    if not broker.rest and not broker.is_real:
        raise ConfigError(
            "broker.name: the embedded sandbox needs no login; name a broker, or give broker.rest"
        )
    found = login.addresses_of(broker)
    api_key = broker.key(os.environ) or found.api_key
    if not api_key:
        raise ConfigError(
            f"broker.api_key: the key of your {login.NAME} application is needed, here or in "
            "broker.api_key_env"
        )
    for place in filter(None, map(addresses.parse_address, (broker.rest, broker.ws))):
        _check_host(place, login)
    return BrokerEndpoint(
        found.rest,
        found.ws,
        found.page,
        api_key,
        sandbox=addresses.are_local(found.rest, found.ws),
        names_user=found.names_user,
    )


def _check_host(place: addresses.BrokerAddress, login: BrokerLogin) -> None:
    """Have the operator name a host that is neither the broker's nor this machine's.

    A file alone decides no such thing.
    """
    host = place.host
    if place.is_local or f".{host}".endswith(f".{login.DOMAIN}") or host in _NAMED:
        return
    named = os.environ.get(HOST_VARIABLE, "").split(",")
    if host not in named and sys.stdin.isatty():
        text = (
            f"the configuration sends orders, and the token with them, to {host}: neither "
            f"{login.NAME} nor this machine"
        )
        sys.stderr.write(f"{plain_text(text)}\nType its name to go on: ")
        sys.stderr.flush()
        named = [sys.stdin.readline().strip().lower()]
        _NAMED.update(each for each in named if each == host)
    if host not in named:
        raise OperatorError(
            f"broker.rest, broker.ws: {host} is neither {login.NAME} nor this machine: say "
            f"{HOST_VARIABLE}={host}"
        )


@contextmanager
def open_endpoint(config: DeskConfig) -> Iterator[BrokerEndpoint]:
    """Yield the configured broker with its token, or an embedded sandbox started for it."""
    if config.broker.rest or config.broker.is_real:
        yield _with_token(endpoint_of(config), config)
        return
    from brokers.sandbox.server import Sandbox  # noqa: PLC0415  a second, for an exchange of our own

    sandbox = Sandbox(SandboxConfig())
    endpoint = sandbox.start()
    try:
        yield BrokerEndpoint(
            endpoint.rest, endpoint.ws, "", endpoint.api_key, endpoint.access_token, sandbox=True
        )
    finally:
        sandbox.stop()


def _with_token(place: BrokerEndpoint, config: DeskConfig) -> BrokerEndpoint:
    if config.broker.access_token or config.broker.access_token_env:
        return place._replace(token=config.broker.credentials(os.environ)[1])
    session = stored_session(vault_of(config), place.hosts, place.api_key)
    return place if session is None else place.with_session(session)


def vault_of(config: DeskConfig) -> SecretVault:
    """Return where this user's secrets are kept."""
    return open_vault(desk_paths(config, os.environ).state / "credentials", ask_passphrase)


def ask_passphrase(new: bool, prompt: str = "Passphrase of patang's secrets: ") -> str:
    """Ask for the passphrase of an encrypted file, twice for a new one.

    The environment may hold it.
    """
    if os.environ.get(PASSPHRASE_VARIABLE):
        return os.environ[PASSPHRASE_VARIABLE]
    words = ask_secret(prompt, PASSPHRASE_VARIABLE)
    # a slip in a new passphrase would lock every secret away
    if new and words != ask_secret("The same again: ", PASSPHRASE_VARIABLE):
        raise OperatorError("the passphrases differ; nothing was kept")
    return words


def ask_secret(prompt: str, variable: str) -> str:
    """Return what is typed without showing it; raise `OperatorError` without a terminal."""
    if not sys.stdin.isatty():
        raise OperatorError(f"no terminal to ask at; set {variable}")
    # on stderr: stdout is data, and may be a file
    words = getpass.getpass(prompt, sys.stderr).strip()
    if not words:
        raise OperatorError("nothing was entered")
    return words
