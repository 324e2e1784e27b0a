"""Examine whether the desk could trade: what is asked of the machine, the broker and the configuration."""

import asyncio
import ipaddress
import json
import os
import random
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from brokers.kite import session as kite
from compiled.model import SECOND
from engine import address
from engine.config import Config
from engine.errors import BusyError, ConfigError, DataError, NothingFound, PatangError
from engine.market.calendar import ist_day
from engine.numbers import rupees
from engine.ops import doctor as ops
from engine.texts import plain
from engine.trading.budget import committed
from engine.trading.clock import ScaledClock
from engine.trading.depository import MEND
from engine.trading.opening import check_owner
from engine.trading.reasons import LIMIT_ONLY
from tui.beforehand import check_listed, check_settings
from tui.configured import calendar_of, enabled, limits_of, totals_of
from tui.login import DONE, FAILED, Place, place_of, vault_of
from tui.pace import clock_at
from tui.runs import owner_of
from tui.station import OWN_EXCHANGE, Run, check_mode, sends_real

if TYPE_CHECKING:
    from brokers.kite.rest import KiteBroker
    from brokers.sandbox.config import Endpoint

KEYLOG = "SSLKEYLOGFILE"
SIMULATED = {"dry-run": "DRY-", "paper": "PAPER-"}
"""What stands before the account's name in the database of a mode that sends nothing."""
SURROUNDINGS = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", KEYLOG,
)  # fmt: skip
"""Variables by which requests find proxies and authorities; in capitals or small letters."""
IST = timezone(timedelta(hours=5, minutes=30))


def doctor(file: Path | None, static_ip: str, *, as_json: bool) -> int:
    """Examine the desk's surroundings; return 1 where something would keep it from trading."""
    from tui.launch import configuration  # noqa: PLC0415

    config = configuration(file)
    registered = _address(static_ip or config.broker.static_ip)
    with endpoint(config) as place:
        checks = [
            *beforehand(config, place, clock_at(place.rest).now()),
            *asyncio.run(_examine(config, place, registered)),
        ]
    if config.store.backend == "postgres":
        checks.append(_bars(config))
    if config.archive.bucket:
        checks.append(_archive(config))
    if as_json:
        report = {"state": ops.worst(checks), "checks": [check._asdict() for check in checks]}
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("".join(f"{plain(line)}\n" for line in ops.lines(checks)))
    return FAILED if ops.worst(checks) == ops.FAIL else DONE


def _bars(config: Config) -> ops.Check:
    """Look whether the server of the bars is there; the desk trades without it."""
    from store.bars.postgres import PostgresBars  # noqa: PLC0415
    from tui.shelves import target  # noqa: PLC0415

    try:
        store = PostgresBars(target(config))
        try:
            return ops.Check("bars", ops.OK, store.describe())
        finally:
            store.close()
    except PatangError as error:
        return ops.Check(
            "bars", ops.WARN, str(error), "start the server, or mend store.dsn: until then bars wait on this disk"
        )


def _archive(config: Config) -> ops.Check:
    """Look whether the archive answers; the desk trades without it."""
    from tui.shelves import archive_of  # noqa: PLC0415

    settings = config.archive
    where = f"{settings.bucket}/{settings.prefix} at {settings.endpoint or settings.region}"
    try:
        archive = archive_of(config)
        assert archive is not None
        found = archive.objects("")
    except PatangError as error:
        mend = "mend [archive], the network or the credentials: until then what is archived cannot be read"
        return ops.Check("archive", ops.WARN, str(error).removesuffix("; see patang doctor"), mend)
    size = sum(each.size for each in found) / 1e6
    return ops.Check("archive", ops.OK, f"{where}: {len(found):,} objects, {size:,.1f} MB")


@contextmanager
def endpoint(config: Config) -> Iterator[Place]:
    """Yield the configured broker with its token, or an embedded sandbox started for the purpose."""
    if config.broker.rest or config.broker.name == "kite":
        yield _with_token(place_of(config), config)
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
    session = kite.stored(vault_of(config), place.where, place.api_key)
    return place if session is None else place.entered(session)


def beforehand(config: Config, place: Place, now: int) -> list[ops.Check]:
    """Look at what needs no broker: the mode, the day, where secrets are, the address to leave from."""
    checks = [
        _mode(config),
        *_settings(config),
        *_day(config, now),
        surroundings(os.environ, counts=config.broker.environment),
    ]
    if config.broker.name == "kite":
        checks.append(_secrets(config, place))
    if config.broker.bind_ip:
        checks.append(_bind(config.broker.bind_ip))
    return checks


def _mode(config: Config) -> ops.Check:
    """Tell what `patang run` would do with the configured mode."""
    broker = config.broker
    where = broker.rest or ("Kite" if broker.name == "kite" else "the embedded sandbox")
    real = sends_real(config, config.desk.mode)
    text = f"{config.desk.mode} at {'the embedded sandbox' if config.desk.mode in OWN_EXCHANGE and not broker.rest else where}"
    try:
        check_mode(config, Run(config.desk.mode, live=real))
    except ConfigError as error:
        return ops.Check("mode", ops.FAIL, str(error), "mend desk.mode or broker.name")
    if real:
        protection = "the broker's bands" if broker.market_protection < 0 else f"{broker.market_protection:g} %"
        text += f": real orders, with --live; market protection {protection}, algo id {broker.algo_id or 'none'}"
    return ops.Check("mode", ops.OK, text)


def _settings(config: Config) -> list[ops.Check]:
    """Tell what a start refuses of strategies and keys."""
    try:
        check_settings(config)
    except ConfigError as error:
        return [ops.Check("settings", ops.FAIL, str(error), "see patang config check")]
    return []


def _day(config: Config, now: int) -> list[ops.Check]:
    """Tell whether today trades, and what is not sure of the days to come."""
    day, book = ist_day(now), calendar_of(config)
    unsure = [ops.Check("calendar", ops.WARN, remark, "see patang calendar") for remark in book.remarks(day)]
    try:
        session = book.session(day)
    except DataError as error:
        return [ops.Check("day", ops.FAIL, str(error), "bring engine/market/sessions.json up to date"), *unsure]
    if session is None:
        return [ops.Check("day", ops.WARN, f"{day} is no trading day", "the desk will not open today"), *unsure]
    opens, closes = (datetime.fromtimestamp(ts // SECOND, IST) for ts in (session.open, session.close))
    return [ops.Check("day", ops.OK, f"{day}, {opens:%H:%M} to {closes:%H:%M} IST"), *unsure]


def surroundings(environ: Mapping[str, str], *, counts: bool) -> ops.Check:
    """Tell what in the environment could lead requests another way, or let somebody read them, and whether it counts."""
    named = [name for name in SURROUNDINGS if environ.get(name) or environ.get(name.lower())]
    if KEYLOG in named:
        text = f"{KEYLOG} is set: what the connection to the broker keeps secret is written to {environ.get(KEYLOG)}"
        return ops.Check("environment", ops.WARN, text, f"unset {KEYLOG}")
    if not named:
        return ops.Check("environment", ops.OK, "it names no proxy and no authorities")
    if counts:
        text = f"requests go as {', '.join(named)} say"
        return ops.Check("environment", ops.WARN, text, "set broker.environment = false, unless they have to")
    text = f"{', '.join(named)}: set, and of no account (broker.environment)"
    return ops.Check("environment", ops.OK, text)


def _secrets(config: Config, place: Place) -> ops.Check:
    """Tell where tokens are kept."""
    if config.broker.access_token_env:
        text = f"the token comes from {config.broker.access_token_env}"
        return ops.Check(
            "secrets", ops.WARN, text, "use patang login: such a token cannot be renewed while the desk runs"
        )
    found = "with a session" if place.token else "without a session"
    return ops.Check("secrets", ops.OK, f"in {vault_of(config).where}, {found} of this API key")


def _bind(address: str) -> ops.Check:
    """Tell whether requests can leave from an address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return ops.Check(
            "bind", ops.FAIL, f"{address}: {error.strerror}", "name one of this machine's own in broker.bind_ip"
        )
    return ops.Check("bind", ops.OK, f"requests leave from {address}")


async def _budget(config: Config, broker: "KiteBroker") -> ops.Check:
    """Compare what the strategies may spend with what the account has, before margins."""
    most = committed([name for name, _, _ in enabled(config)], limits_of(config), totals_of(config))
    try:
        funds = await broker.funds()
    except PatangError as error:
        return ops.Check("budget", ops.WARN, f"the funds cannot be read: {error}", "try again in a moment")
    text = f"strategies may have {rupees(most)} in positions, the account has {rupees(funds)}"
    if most > funds:
        return ops.Check(
            "budget", ops.WARN, text, "lower risk.max_exposure or risk.budget, unless they hold the rest already"
        )
    return ops.Check("budget", ops.OK, text)


async def _demat(config: Config, broker: "KiteBroker") -> list[ops.Check]:
    """Warn of an account whose holdings need an authorisation by the day, and name those that lack today's."""
    standing = broker.consents() if config.broker.demat == "auto" else config.broker.demat == "standing"
    if standing is not False:
        return []
    try:
        lacking = sorted(each.symbol for each in await broker.holdings() if each.unauthorised)
    except PatangError as error:
        return [ops.Check("demat", ops.WARN, f"the holdings cannot be read: {error}", "try again in a moment")]
    named = f"; not authorised today: {', '.join(lacking)}" if lacking else "; all that is held is authorised today"
    mend = f'{MEND}; if it has one, say so: broker.demat = "standing"'
    return [ops.Check("demat", ops.WARN, f"each day's sale of holdings needs an authorisation{named}", mend)]


async def _examine(config: Config, place: Place, registered: ops.Address | None) -> list[ops.Check]:
    from brokers.kite.feed import KiteFeed  # noqa: PLC0415  Twisted comes with the client below it
    from brokers.kite.rest import KiteBroker  # noqa: PLC0415
    from store.whole import check  # noqa: PLC0415
    from tui.runs import latest_database, state_folder  # noqa: PLC0415

    clock = ScaledClock.real()
    broker = KiteBroker(
        place.rest, place.api_key, place.token or "none", clock, 2, config.broker.timeout_s, source=config.broker.bind_ip,
        environment=config.broker.environment,
    )  # fmt: skip
    feed = KiteFeed(place.ws, place.api_key, place.token or "none", clock, rng=random.Random(), user_id=place.user,  # noqa: S311  back-off jitter
                    environment=config.broker.environment)  # fmt: skip
    state = state_folder(config, config.desk.mode)
    try:
        database = latest_database(config, config.desk.mode)
    except (NothingFound, DataError):  # one that is lost is looked at like any other
        database = state / "desk.db"
    try:
        bound = _address(config.broker.bind_ip)
        checks = await ops.examine(ops.Patient(
            broker, feed, clock, state, database, broker.server_time, partial(check, new=True), place.expires,
            bound or outgoing(_host(place.rest)), registered, place.sandbox,
            partial(check_listed, config),
        ))  # fmt: skip
        if broker.rules.limit_only:
            checks.append(ops.Check("orders", ops.WARN, LIMIT_ONLY))
        known = any(check.name == "token" and check.state == ops.OK for check in checks)
        if not known:
            return checks
        owner = _owner(config.desk.mode, database, broker.user)
        return [*checks, *owner, await _budget(config, broker), *await _demat(config, broker)]
    finally:
        await broker.close()


def _owner(mode: str, database: Path, account: str) -> list[ops.Check]:
    """Tell that the database is about another account than the token."""
    try:
        check_owner(owner_of(database), f"{SIMULATED.get(mode, '')}{account}")
    except BusyError as error:
        return [ops.Check("account", ops.FAIL, str(error), "log in as that account, or set desk.state_dir")]
    return []


def _host(rest: str) -> str:
    place = address.read(rest)
    return place.host.strip("[]") if place is not None else ""


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
