"""Log in to Kite and out again: what the terminal says and asks."""

import getpass
import json
import os
import sys
import webbrowser
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple, TextIO
from urllib.parse import urlsplit

from brokers.kite import zerodha_sandbox
from brokers.session import kite_login as kite
from brokers.session.vault import SecretVault, open_vault
from compiled.model.values import SECOND
from engine.config import addresses
from engine.config.schema import DeskConfig, desk_paths
from engine.errors import ConfigError, OperatorError
from engine.texts import plain_text
from tui.run.exchange_clock import clock_at

IST = timezone(timedelta(hours=5, minutes=30))
HOST_VARIABLE = "PATANG_HOST"
_NAMED: set[str] = set()
"""Hosts named at the terminal: none is asked for twice by one command."""
DONE, FAILED = 0, 1
SECRET_VARIABLE = "KITE_API_SECRET"  # noqa: S105 (the name of a variable)
PASSPHRASE_VARIABLE = "PATANG_PASSPHRASE"  # noqa: S105 (the name of a variable)


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

    @property
    def hosts(self) -> str:
        """Return the hosts that get the token; it goes to no other."""
        hosts = (urlsplit(each).netloc for each in (self.rest, self.ws))
        return " ".join(dict.fromkeys(hosts))

    def with_session(self, session: kite.KiteSession) -> "BrokerEndpoint":
        """Return the place with a session."""
        user = session.user_id if zerodha_sandbox.is_zerodha_sandbox(self.rest) else ""
        return self._replace(token=session.access_token, expires=session.expires, user=user)

    def __repr__(self) -> str:
        return f"Place(rest={self.rest!r})"


def log_in(
    file: Path | None, port: int | None, seconds: float, *, keep_secret: bool, as_json: bool
) -> int:
    """Let the operator log in, in a browser, and keep the token of the day.

    No secret is printed.
    """
    from brokers.session.login_redirect import LoginRedirect  # noqa: PLC0415  only a login listens
    from tui.run.launch import configuration  # noqa: PLC0415

    config = configuration(file)
    place, vault = endpoint_of(config), vault_of(config)
    variable = config.broker.api_secret_env or SECRET_VARIABLE
    secret = _api_secret(vault, place, variable)
    state = kite.new_state()
    with LoginRedirect(config.broker.redirect_port if port is None else port, state) as redirect:
        _open_browser(kite.login_url(place.api_key, state, place.page), redirect.url)
        token = redirect.wait(seconds, _readable_stream(sys.stdin), _write_line)
    session = kite.exchange_token(
        place.rest,
        place.api_key,
        secret,
        token,
        clock_at(place.rest).now(),
        environment=config.broker.environment,
    )
    kite.keep_session(vault, place.hosts, session)
    if keep_secret:
        vault.put(_secret_name(place), secret)
    until = datetime.fromtimestamp(session.expires // SECOND, IST)
    facts = {"user_id": session.user_id, "expires": until.isoformat(), "kept_in": vault.where}
    text = (
        f"logged in as {session.user_id} until {until:%d %b %H:%M} IST; the token is kept in "
        f"{vault.where}"
    )
    sys.stdout.write(f"{json.dumps(facts) if as_json else plain_text(text)}\n")
    return DONE


def log_out(file: Path | None, *, keep_secret: bool, as_json: bool) -> int:
    """End today's session at Kite, and forget its token and, unless kept, the API secret."""
    from tui.run.launch import configuration  # noqa: PLC0415

    config = configuration(file)
    place, vault = endpoint_of(config), vault_of(config)
    session = kite.stored_session(vault, place.hosts, place.api_key)
    if session is not None and session.is_unexpired(clock_at(place.rest).now()):
        kite.invalidate_session(place.rest, session, environment=config.broker.environment)
    kite.forget_session(vault, place.hosts, place.api_key)
    if not keep_secret:
        vault.forget(_secret_name(place))
    user = "" if session is None else session.user_id
    text = (
        f"logged out {user}; the token is dead and forgotten"
        if user
        else "nobody was logged in with this API key"
    )
    sys.stdout.write(f"{json.dumps({'user_id': user}) if as_json else plain_text(text)}\n")
    return DONE


def _open_browser(url: str, back: str) -> None:
    _write_line(
        f"waiting at {back}; the redirect address of your Kite application must be exactly this"
    )
    if not webbrowser.open(url):
        _write_line("there is no browser here; open this address in one:")
    _write_line(url)
    _write_line("if the browser cannot come back here, paste the address it ends at:")


def _write_line(text: str) -> None:
    sys.stderr.write(f"{plain_text(text)}\n")
    sys.stderr.flush()


def _readable_stream(stream: TextIO) -> TextIO | None:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return stream


def vault_of(config: DeskConfig) -> SecretVault:
    """Return where this user's secrets are kept."""
    return open_vault(desk_paths(config, os.environ).state / "credentials", ask_passphrase)


def ask_passphrase(new: bool) -> str:
    """Ask for the passphrase of the encrypted file, twice for a new one.

    The environment may hold it.
    """
    if os.environ.get(PASSPHRASE_VARIABLE):
        return os.environ[PASSPHRASE_VARIABLE]
    words = ask_secret("Passphrase of patang's secrets: ", PASSPHRASE_VARIABLE)
    if new and words != ask_secret("The same again: ", PASSPHRASE_VARIABLE):
        raise OperatorError("the passphrases differ; nothing was kept")
    return words


def _api_secret(vault: SecretVault, place: BrokerEndpoint, variable: str) -> str:
    if place.api_key == zerodha_sandbox.API_KEY:
        return zerodha_sandbox.API_SECRET
    return (
        os.environ.get(variable)
        or vault.get(_secret_name(place))
        or ask_secret("API secret of your Kite application: ", variable)
    )


def _secret_name(place: BrokerEndpoint) -> str:
    return f"api-secret:{place.hosts}:{place.api_key}"


def ask_secret(prompt: str, variable: str) -> str:
    """Return what is typed without showing it; raise `OperatorError` without a terminal."""
    if not sys.stdin.isatty():
        raise OperatorError(f"no terminal to ask at; set {variable}")
    words = getpass.getpass(prompt, sys.stderr).strip()
    if not words:
        raise OperatorError("nothing was entered")
    return words


def _check_host(place: addresses.BrokerAddress) -> None:
    """Have the operator name a host that is neither Kite's nor this machine's.

    A file alone decides no such thing.
    """
    host = place.host
    if place.is_local or f".{host}".endswith(f".{kite.DOMAIN}") or host in _NAMED:
        return
    named = os.environ.get(HOST_VARIABLE, "").split(",")
    if host not in named and sys.stdin.isatty():
        _write_line(
            f"the configuration sends orders, and the token with them, to {host}: neither Kite "
            "nor this machine"
        )
        sys.stderr.write("Type its name to go on: ")
        sys.stderr.flush()
        named = [sys.stdin.readline().strip().lower()]
        _NAMED.update(each for each in named if each == host)
    if host not in named:
        raise OperatorError(
            f"broker.rest, broker.ws: {host} is neither Kite nor this machine: say "
            f"{HOST_VARIABLE}={host}"
        )


def endpoint_of(config: DeskConfig) -> BrokerEndpoint:
    """Return where the configured broker is.

    Raise `ConfigError` where there is nothing to log in to.
    """
    broker = config.broker
    if not broker.rest and broker.name != "kite":
        raise ConfigError(
            'broker.name: the embedded sandbox needs no login; set "kite", or give broker.rest'
        )
    theirs = zerodha_sandbox.is_zerodha_sandbox(broker.rest)
    if theirs and broker.name != "kite":
        raise ConfigError('broker.name: Kite\'s own sandbox is a broker; set "kite"')
    if theirs and broker.access_token_env:
        raise ConfigError(
            "broker.access_token_env: Kite's own sandbox asks whose token it is; run `patang "
            "login` instead"
        )
    api_key = broker.key(os.environ) or (zerodha_sandbox.API_KEY if theirs else "")
    if not api_key:
        raise ConfigError(
            "broker.api_key: the key of your Kite application is needed, here or in "
            "broker.api_key_env"
        )
    if not broker.rest:
        return BrokerEndpoint(kite.REST, kite.WS, kite.LOGIN, api_key)
    for place in filter(None, map(addresses.parse_address, (broker.rest, broker.ws))):
        _check_host(place)
    root, prefix = zerodha_sandbox.split_root(broker.rest)
    return BrokerEndpoint(
        root + prefix,
        broker.ws,
        f"{root}/connect/login",
        api_key,
        sandbox=addresses.are_local(root, broker.ws),
    )
