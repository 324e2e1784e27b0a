"""Log in to Kite, find today's token, and examine whether the desk could trade: what the terminal says and asks."""

import asyncio
import getpass
import ipaddress
import json
import os
import random
import socket
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO
from urllib.parse import urlsplit

from brokers.kite import session as kite
from brokers.kite.vault import Vault, open_vault
from compiled.model import SECOND
from engine.config import Config, paths
from engine.errors import ConfigError, OperatorError
from engine.ops import doctor as ops
from engine.trading.clock import ScaledClock

if TYPE_CHECKING:
    from brokers.sandbox.config import Endpoint

IST = timezone(timedelta(hours=5, minutes=30))
LOOPBACK = ("127.0.0.1", "localhost", "::1")
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


def login(file: Path | None, port: int, seconds: float, *, keep_secret: bool, as_json: bool) -> int:
    """Let the operator log in, in a browser, and keep the token of the day; no secret is printed."""
    from brokers.kite.redirect import Redirect  # noqa: PLC0415  only a login listens
    from tui.launch import configuration  # noqa: PLC0415

    config = configuration(file)
    place, vault = _place(config), vault_of(config)
    secret = _api_secret(vault, place.api_key)
    state = kite.new_state()
    with Redirect(port, state) as redirect:
        _invite(kite.login_url(place.api_key, state, place.page), redirect.url)
        token = redirect.wait(seconds, _readable(sys.stdin), _say)
    session = kite.exchange(place.rest, place.api_key, secret, token, time.time_ns())
    kite.keep(vault, session)
    if keep_secret:
        vault.put(_secret_name(place.api_key), secret)
    until = datetime.fromtimestamp(session.expires // SECOND, IST)
    facts = {"user_id": session.user_id, "expires": until.isoformat(), "kept_in": vault.where}
    text = f"logged in as {session.user_id} until {until:%d %b %H:%M} IST; the token is kept in {vault.where}"
    sys.stdout.write(f"{json.dumps(facts) if as_json else text}\n")
    return DONE


def _invite(url: str, back: str) -> None:
    _say(f"waiting at {back}; the redirect address of your Kite application must be exactly this")
    if not webbrowser.open(url):
        _say("there is no browser here; open this address in one:")
    _say(url)
    _say("if the browser cannot come back here, paste the address it ends at:")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _readable(stream: TextIO) -> TextIO | None:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return stream


def stored_token(api_key: str, state: Path) -> str:
    """Return today's access token of an API key; raise `OperatorError` that says to log in."""
    return kite.stored_token(_vault(state), api_key, time.time_ns())


def vault_of(config: Config) -> Vault:
    """Return where this user's secrets are kept."""
    return _vault(paths(config, os.environ).state)


def _vault(state: Path) -> Vault:
    return open_vault(state / "credentials", _passphrase)


def _passphrase(new: bool) -> str:
    """Ask for the passphrase of the encrypted file, twice for a new one; the environment may hold it."""
    if os.environ.get(PASSPHRASE_VARIABLE):
        return os.environ[PASSPHRASE_VARIABLE]
    words = _ask("Passphrase of patang's secrets: ", PASSPHRASE_VARIABLE)
    if new and words != _ask("The same again: ", PASSPHRASE_VARIABLE):
        raise OperatorError("the passphrases differ; nothing was kept")
    return words


def _api_secret(vault: Vault, api_key: str) -> str:
    return (
        os.environ.get(SECRET_VARIABLE)
        or vault.get(_secret_name(api_key))
        or _ask("API secret of your Kite application: ", SECRET_VARIABLE)
    )


def _secret_name(api_key: str) -> str:
    return f"api-secret:{api_key}"


def _ask(prompt: str, variable: str) -> str:
    if not sys.stdin.isatty():
        raise OperatorError(f"no terminal to ask at; set {variable}")
    words = getpass.getpass(prompt, sys.stderr).strip()
    if not words:
        raise OperatorError("nothing was entered")
    return words


def _place(config: Config) -> Place:
    """Return where the configured broker is; raise `ConfigError` where there is nothing to log in to."""
    broker = config.broker
    if not broker.rest and broker.name != "kite":
        raise ConfigError('broker.name: the embedded sandbox needs no login; set "kite", or give broker.rest')
    api_key = os.environ.get(broker.api_key_env, "") if broker.api_key_env else broker.api_key
    if not api_key:
        raise ConfigError("broker.api_key: the key of your Kite application is needed, here or in broker.api_key_env")
    if not broker.rest:
        return Place(kite.REST, kite.WS, kite.LOGIN, api_key)
    page, local = f"{broker.rest.rstrip('/')}/connect/login", urlsplit(broker.rest).hostname in LOOPBACK
    return Place(broker.rest, broker.ws, page, api_key, sandbox=local)


def doctor(file: Path | None, static_ip: str, *, as_json: bool) -> int:
    """Examine the desk's surroundings; return 1 where something would keep it from trading."""
    from tui.launch import configuration  # noqa: PLC0415

    registered = _address(static_ip)
    config = configuration(file)
    with _endpoint(config) as place:
        checks = asyncio.run(_examine(config, place, registered))
    if as_json:
        report = {"state": ops.worst(checks), "checks": [check._asdict() for check in checks]}
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in ops.lines(checks)))
    return FAILED if ops.worst(checks) == ops.FAIL else DONE


@contextmanager
def _endpoint(config: Config) -> Iterator[Place]:
    """Yield the configured broker with its token, or an embedded sandbox started for the purpose."""
    if config.broker.rest or config.broker.name == "kite":
        yield _with_token(_place(config), config)
        return
    from brokers.sandbox.config import SandboxConfig  # noqa: PLC0415
    from brokers.sandbox.server import Sandbox  # noqa: PLC0415

    sandbox = Sandbox(SandboxConfig())
    endpoint: Endpoint = sandbox.start()
    try:
        yield Place(endpoint.rest, endpoint.ws, "", endpoint.api_key, endpoint.access_token, sandbox=True)
    finally:
        sandbox.stop()


def _with_token(place: Place, config: Config) -> Place:
    if config.broker.access_token or config.broker.access_token_env:
        return place._replace(token=config.broker.credentials(os.environ)[1])
    session = kite.stored(vault_of(config), place.api_key)
    return place if session is None else place._replace(token=session.access_token, expires=session.expires)


async def _examine(config: Config, place: Place, registered: ops.Address | None) -> list[ops.Check]:
    from brokers.kite.feed import KiteFeed  # noqa: PLC0415  Twisted comes with the client below it
    from brokers.kite.rest import KiteBroker  # noqa: PLC0415
    from tui.station import latest_database, state_folder  # noqa: PLC0415

    clock = ScaledClock.real()
    broker = KiteBroker(place.rest, place.api_key, place.token or "none", clock, 2, config.broker.timeout_s)
    feed = KiteFeed(place.ws, place.api_key, place.token or "none", clock, rng=random.Random())  # noqa: S311  back-off jitter
    state = state_folder(config, config.desk.mode)
    try:
        database = latest_database(config, config.desk.mode)
    except OperatorError:
        database = state / "desk.db"
    try:
        return await ops.examine(ops.Patient(
            broker, feed, clock, state, database, broker.server_time, place.expires,
            outgoing(urlsplit(place.rest).hostname or ""), registered, place.sandbox,
        ))  # fmt: skip
    finally:
        await broker.close()


def outgoing(host: str, connect: Callable[[str], str] | None = None) -> ops.Address | None:
    """Return the local address from which `host` is reached, None where there is no way; nothing is sent."""
    try:
        return ipaddress.ip_address((connect or _local_name)(host))
    except (OSError, ValueError):
        return None


def _local_name(host: str) -> str:
    """Return the source address the system would choose: a connected datagram socket has one, and sends nothing."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, 443, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])


def _address(text: str) -> ops.Address | None:
    try:
        return ipaddress.ip_address(text) if text else None
    except ValueError:
        raise ConfigError(f"static address {text}: expected an IP address") from None
