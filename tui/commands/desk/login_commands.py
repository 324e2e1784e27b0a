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

from brokers.kite import peer
from brokers.kite import session as kite
from brokers.kite.vault import Vault, open_vault
from compiled.model import SECOND
from engine import address
from engine.config import Config, paths
from engine.errors import ConfigError, OperatorError
from engine.texts import plain
from tui.pace import clock_at

IST = timezone(timedelta(hours=5, minutes=30))
HOST_VARIABLE = "PATANG_HOST"
_NAMED: set[str] = set()
"""Hosts that the operator has named at the terminal: nobody is asked twice by one command."""
DONE, FAILED = 0, 1
SECRET_VARIABLE = "KITE_API_SECRET"  # noqa: S105 (the name of a variable)
PASSPHRASE_VARIABLE = "PATANG_PASSPHRASE"  # noqa: S105 (the name of a variable)


class Place(NamedTuple):
    """Where a broker is reached, by which key; `token` empty: nobody has logged in."""

    rest: str
    ws: str
    page: str
    api_key: str
    token: str = ""
    expires: int = 0
    sandbox: bool = False
    user: str = ""
    """Whose session it is, where the market data socket asks for that."""

    @property
    def where(self) -> str:
        """Return the hosts that hear of the token; what is kept for them goes to no other."""
        hosts = (urlsplit(each).netloc for each in (self.rest, self.ws))
        return " ".join(dict.fromkeys(hosts))

    def entered(self, session: kite.Session) -> "Place":
        """Return the place with a session."""
        user = session.user_id if peer.is_peer(self.rest) else ""
        return self._replace(token=session.access_token, expires=session.expires, user=user)

    def __repr__(self) -> str:
        return f"Place(rest={self.rest!r})"


def login(file: Path | None, port: int | None, seconds: float, *, keep_secret: bool, as_json: bool) -> int:
    """Let the operator log in, in a browser, and keep the token of the day; no secret is printed."""
    from brokers.kite.redirect import Redirect  # noqa: PLC0415  only a login listens
    from tui.launch import configuration  # noqa: PLC0415

    config = configuration(file)
    place, vault = place_of(config), vault_of(config)
    variable = config.broker.api_secret_env or SECRET_VARIABLE
    secret = _api_secret(vault, place, variable)
    state = kite.new_state()
    with Redirect(config.broker.redirect_port if port is None else port, state) as redirect:
        _invite(kite.login_url(place.api_key, state, place.page), redirect.url)
        token = redirect.wait(seconds, _readable(sys.stdin), _say)
    session = kite.exchange(
        place.rest, place.api_key, secret, token, clock_at(place.rest).now(), environment=config.broker.environment
    )
    kite.keep(vault, place.where, session)
    if keep_secret:
        vault.put(_secret_name(place), secret)
    until = datetime.fromtimestamp(session.expires // SECOND, IST)
    facts = {"user_id": session.user_id, "expires": until.isoformat(), "kept_in": vault.where}
    text = f"logged in as {session.user_id} until {until:%d %b %H:%M} IST; the token is kept in {vault.where}"
    sys.stdout.write(f"{json.dumps(facts) if as_json else plain(text)}\n")
    return DONE


def logout(file: Path | None, *, keep_secret: bool, as_json: bool) -> int:
    """End today's session at Kite and forget its token, and the API secret unless that is to be kept."""
    from tui.launch import configuration  # noqa: PLC0415

    config = configuration(file)
    place, vault = place_of(config), vault_of(config)
    session = kite.stored(vault, place.where, place.api_key)
    if session is not None and session.living(clock_at(place.rest).now()):
        kite.invalidate(place.rest, session, environment=config.broker.environment)
    kite.forget(vault, place.where, place.api_key)
    if not keep_secret:
        vault.forget(_secret_name(place))
    user = "" if session is None else session.user_id
    text = f"logged out {user}; the token is dead and forgotten" if user else "nobody was logged in with this API key"
    sys.stdout.write(f"{json.dumps({'user_id': user}) if as_json else plain(text)}\n")
    return DONE


def _invite(url: str, back: str) -> None:
    _say(f"waiting at {back}; the redirect address of your Kite application must be exactly this")
    if not webbrowser.open(url):
        _say("there is no browser here; open this address in one:")
    _say(url)
    _say("if the browser cannot come back here, paste the address it ends at:")


def _say(text: str) -> None:
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


def _readable(stream: TextIO) -> TextIO | None:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return stream


def vault_of(config: Config) -> Vault:
    """Return where this user's secrets are kept."""
    return open_vault(paths(config, os.environ).state / "credentials", passphrase)


def passphrase(new: bool) -> str:
    """Ask for the passphrase of the encrypted file, twice for a new one; the environment may hold it."""
    if os.environ.get(PASSPHRASE_VARIABLE):
        return os.environ[PASSPHRASE_VARIABLE]
    words = ask_secret("Passphrase of patang's secrets: ", PASSPHRASE_VARIABLE)
    if new and words != ask_secret("The same again: ", PASSPHRASE_VARIABLE):
        raise OperatorError("the passphrases differ; nothing was kept")
    return words


def _api_secret(vault: Vault, place: Place, variable: str) -> str:
    if place.api_key == peer.API_KEY:
        return peer.API_SECRET
    return (
        os.environ.get(variable)
        or vault.get(_secret_name(place))
        or ask_secret("API secret of your Kite application: ", variable)
    )


def _secret_name(place: Place) -> str:
    return f"api-secret:{place.where}:{place.api_key}"


def ask_secret(prompt: str, variable: str) -> str:
    """Return what is typed without showing it; raise `OperatorError` where nobody can be asked."""
    if not sys.stdin.isatty():
        raise OperatorError(f"no terminal to ask at; set {variable}")
    words = getpass.getpass(prompt, sys.stderr).strip()
    if not words:
        raise OperatorError("nothing was entered")
    return words


def _check_host(place: address.Address) -> None:
    """Have a host that is neither Kite's nor this machine's named by the operator, for a file alone decides no such thing."""
    host = place.host
    if place.local or f".{host}".endswith(f".{kite.DOMAIN}") or host in _NAMED:
        return
    named = os.environ.get(HOST_VARIABLE, "").split(",")
    if host not in named and sys.stdin.isatty():
        _say(f"the configuration sends orders, and the token with them, to {host}: neither Kite nor this machine")
        sys.stderr.write("Type its name to go on: ")
        sys.stderr.flush()
        named = [sys.stdin.readline().strip().lower()]
        _NAMED.update(each for each in named if each == host)
    if host not in named:
        raise OperatorError(
            f"broker.rest, broker.ws: {host} is neither Kite nor this machine: say {HOST_VARIABLE}={host}"
        )


def place_of(config: Config) -> Place:
    """Return where the configured broker is; raise `ConfigError` where there is nothing to log in to."""
    broker = config.broker
    if not broker.rest and broker.name != "kite":
        raise ConfigError('broker.name: the embedded sandbox needs no login; set "kite", or give broker.rest')
    theirs = peer.is_peer(broker.rest)
    if theirs and broker.name != "kite":
        raise ConfigError('broker.name: Kite\'s own sandbox is a broker; set "kite"')
    if theirs and broker.access_token_env:
        raise ConfigError(
            "broker.access_token_env: Kite's own sandbox asks whose token it is; run `patang login` instead"
        )
    api_key = broker.key(os.environ) or (peer.API_KEY if theirs else "")
    if not api_key:
        raise ConfigError("broker.api_key: the key of your Kite application is needed, here or in broker.api_key_env")
    if not broker.rest:
        return Place(kite.REST, kite.WS, kite.LOGIN, api_key)
    for place in filter(None, map(address.read, (broker.rest, broker.ws))):
        _check_host(place)
    root, prefix = peer.rooted(broker.rest)
    return Place(root + prefix, broker.ws, f"{root}/connect/login", api_key, sandbox=address.local(root, broker.ws))
