"""Examination of whether the desk could trade: machine, broker, configuration."""

import asyncio
import ipaddress
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from brokers.connection import Connection, ConnectionTerms
from brokers.registry import connect, login_of
from compiled.model.values import SECOND
from engine.books.depository import MEND
from engine.config import addresses
from engine.config.risk_limits import configured_limits
from engine.config.schema import DeskConfig
from engine.day.budget_guard import committed_paise
from engine.day.desk_clocks import ScaledClock
from engine.day.opening import check_owner
from engine.errors import BusyError, ConfigError, DataError, NothingFound, PatangError
from engine.exit_codes import DONE, FAILED
from engine.indian_time import INDIA
from engine.manual.reasons import LIMIT_ONLY
from engine.market.calendar import ist_day
from engine.numbers import rupees
from engine.ops import doctor as ops
from engine.ports import Broker
from engine.texts import plain_text
from store.bars.registry import FILES, open_shared_store
from store.database_integrity import check_database
from tui.run.configured import configuration
from tui.run.credentials import BrokerEndpoint, open_endpoint, vault_of
from tui.run.exchange_clock import clock_at
from tui.run.preflight import check_listed, check_settings
from tui.run.run_records import latest_database, owner_of, state_folder
from tui.run.session import OWN_EXCHANGE, RunPlan, check_mode, sends_real
from tui.run.settings import calendar_of, enabled_strategies, totals_of

KEYLOG = "SSLKEYLOGFILE"
SIMULATED = {"dry-run": "DRY-", "paper": "PAPER-"}
"""What stands before the account's name in the database of a mode that sends nothing."""
SURROUNDINGS = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    KEYLOG,
)
"""Variables by which requests find proxies and authorities; in capitals or small letters."""


def run_doctor(file: Path | None, static_ip: str, *, as_json: bool) -> int:
    """Examine the desk's surroundings; return 1 where something would keep it from trading."""
    config = configuration(file)
    registered = _read_address(static_ip or config.broker.static_ip)
    with open_endpoint(config) as place:
        checks = [
            # by the exchange's clock: a sandbox may live on another day
            *local_checks(config, place, clock_at(place.rest).now()),
            *asyncio.run(_broker_checks(config, place, registered)),
        ]
    if config.store.backend != FILES:
        checks.append(_bars_check(config))
    if config.archive.bucket:
        checks.append(_archive_check(config))
    if as_json:
        report = {"state": ops.worst_state(checks), "checks": [check._asdict() for check in checks]}
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("".join(f"{plain_text(line)}\n" for line in ops.report_lines(checks)))
    return FAILED if ops.worst_state(checks) == ops.FAIL else DONE


def _bars_check(config: DeskConfig) -> ops.HealthCheck:
    """Look whether the server of the bars is there; the desk trades without it."""
    try:
        store = open_shared_store(config.store)
        try:
            return ops.HealthCheck("bars", ops.OK, store.describe())
        finally:
            store.close()
    except PatangError as error:
        return ops.HealthCheck(
            "bars",
            ops.WARN,
            str(error),
            "start the server, or mend [store]: until then bars wait on this disk",
        )


def _archive_check(config: DeskConfig) -> ops.HealthCheck:
    """Look whether the archive answers; the desk trades without it."""
    from tui.run.bar_stores import archive_of

    settings = config.archive
    where = f"{settings.bucket}/{settings.prefix} at {settings.endpoint or settings.region}"
    try:
        archive = archive_of(config)
        assert archive is not None
        found = archive.objects("")
    except PatangError as error:
        mend = (
            "mend [archive], the network or the credentials: until then what is archived cannot "
            "be read"
        )
        return ops.HealthCheck(
            "archive", ops.WARN, str(error).removesuffix("; see patang doctor"), mend
        )
    size = sum(each.size for each in found) / 1e6
    return ops.HealthCheck("archive", ops.OK, f"{where}: {len(found):,} objects, {size:,.1f} MB")


def local_checks(config: DeskConfig, place: BrokerEndpoint, now: int) -> list[ops.HealthCheck]:
    """Check what needs no broker: mode, day, secrets, the address to leave from."""
    checks = [
        _mode_check(config),
        *_settings_checks(config),
        *_day_checks(config, now),
        environment_check(os.environ, counts=config.broker.environment),
    ]
    if config.broker.is_real:
        checks.append(_secrets_check(config, place))
    if config.broker.bind_ip:
        checks.append(_bind_check(config.broker.bind_ip))
    return checks


def _mode_check(config: DeskConfig) -> ops.HealthCheck:
    """Check what `patang run` would do with the configured mode."""
    broker = config.broker
    where = broker.rest or (
        login_of(broker.name).NAME if broker.is_real else "the embedded sandbox"
    )
    # --live is taken as said: what is examined is the configuration
    real = sends_real(config, config.desk.mode)
    own = config.desk.mode in OWN_EXCHANGE and not broker.rest
    text = f"{config.desk.mode} at {'the embedded sandbox' if own else where}"
    try:
        check_mode(config, RunPlan(config.desk.mode, live=real))
    except ConfigError as error:
        return ops.HealthCheck("mode", ops.FAIL, str(error), "mend desk.mode or broker.name")
    if real:
        protection = (
            "the broker's bands"
            if broker.market_protection < 0
            else f"{broker.market_protection:g} %"
        )
        text += (
            f": real orders, with --live; market protection {protection}, algo id "
            f"{broker.algo_id or 'none'}"
        )
    return ops.HealthCheck("mode", ops.OK, text)


def _settings_checks(config: DeskConfig) -> list[ops.HealthCheck]:
    """Check strategies and keys as a start does."""
    try:
        check_settings(config)
    except ConfigError as error:
        return [ops.HealthCheck("settings", ops.FAIL, str(error), "see patang config check")]
    return []


def _day_checks(config: DeskConfig, now: int) -> list[ops.HealthCheck]:
    """Check whether today trades, and what is unsure of the days to come."""
    day, book = ist_day(now), calendar_of(config)
    unsure = [
        ops.HealthCheck("calendar", ops.WARN, remark, "see patang calendar")
        for remark in book.remarks(day)
    ]
    try:
        session = book.session(day)
    except DataError as error:
        return [
            ops.HealthCheck(
                "day", ops.FAIL, str(error), "bring engine/market/sessions.json up to date"
            ),
            *unsure,
        ]
    if session is None:
        return [
            ops.HealthCheck(
                "day", ops.WARN, f"{day} is no trading day", "the desk will not open today"
            ),
            *unsure,
        ]
    opens, closes = (
        datetime.fromtimestamp(ts // SECOND, INDIA) for ts in (session.open, session.close)
    )
    return [ops.HealthCheck("day", ops.OK, f"{day}, {opens:%H:%M} to {closes:%H:%M} IST"), *unsure]


def environment_check(environ: Mapping[str, str], *, counts: bool) -> ops.HealthCheck:
    """Check the environment for what leads requests astray or reveals them."""
    # libraries read both spellings
    named = [name for name in SURROUNDINGS if environ.get(name) or environ.get(name.lower())]
    # worst of all: with such a file everybody can read what was encrypted
    if KEYLOG in named:
        text = (
            f"{KEYLOG} is set: what the connection to the broker keeps secret is written to "
            f"{environ.get(KEYLOG)}"
        )
        return ops.HealthCheck("environment", ops.WARN, text, f"unset {KEYLOG}")
    if not named:
        return ops.HealthCheck("environment", ops.OK, "it names no proxy and no authorities")
    if counts:
        text = f"requests go as {', '.join(named)} say"
        return ops.HealthCheck(
            "environment", ops.WARN, text, "set broker.environment = false, unless they have to"
        )
    text = f"{', '.join(named)}: set, and of no account (broker.environment)"
    return ops.HealthCheck("environment", ops.OK, text)


def _secrets_check(config: DeskConfig, place: BrokerEndpoint) -> ops.HealthCheck:
    """Check where tokens are kept."""
    if config.broker.access_token_env:
        text = f"the token comes from {config.broker.access_token_env}"
        return ops.HealthCheck(
            "secrets",
            ops.WARN,
            text,
            "use patang login: such a token cannot be renewed while the desk runs",
        )
    found = "with a session" if place.token else "without a session"
    return ops.HealthCheck(
        "secrets", ops.OK, f"in {vault_of(config).where}, {found} of this API key"
    )


def _bind_check(address: str) -> ops.HealthCheck:
    """Check whether requests can leave from an address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            # port 0: only the address is tried
            probe.bind((address, 0))
    except OSError as error:
        return ops.HealthCheck(
            "bind",
            ops.FAIL,
            f"{address}: {error.strerror}",
            "name one of this machine's own in broker.bind_ip",
        )
    return ops.HealthCheck("bind", ops.OK, f"requests leave from {address}")


async def _budget_check(config: DeskConfig, broker: Broker) -> ops.HealthCheck:
    """Compare what the strategies may spend with what the account has, before margins."""
    most = committed_paise(
        [name for name, _, _ in enabled_strategies(config)],
        configured_limits(config.risk, config.feed.stale_after_s),
        totals_of(config),
    )
    try:
        funds = await broker.funds()
    except PatangError as error:
        return ops.HealthCheck(
            "budget", ops.WARN, f"the funds cannot be read: {error}", "try again in a moment"
        )
    text = f"strategies may have {rupees(most)} in positions, the account has {rupees(funds)}"
    # a warning: what is held already needs no funds any more
    if most > funds:
        return ops.HealthCheck(
            "budget",
            ops.WARN,
            text,
            "lower risk.max_exposure or risk.budget, unless they hold the rest already",
        )
    return ops.HealthCheck("budget", ops.OK, text)


async def _demat_checks(config: DeskConfig, connection: Connection) -> list[ops.HealthCheck]:
    """Warn of an account whose holdings need the day's authorisation, and name those without."""
    standing = (
        connection.session.consents()
        if config.broker.demat == "auto"
        else config.broker.demat == "standing"
    )
    # None is unknown, and no reason to alarm
    if standing is not False:
        return []
    try:
        lacking = sorted(
            each.symbol for each in await connection.broker.holdings() if each.unauthorised
        )
    except PatangError as error:
        return [
            ops.HealthCheck(
                "demat", ops.WARN, f"the holdings cannot be read: {error}", "try again in a moment"
            )
        ]
    named = (
        f"; not authorised today: {', '.join(lacking)}"
        if lacking
        else "; all that is held is authorised today"
    )
    mend = f'{MEND}; if it has one, say so: broker.demat = "standing"'
    return [
        ops.HealthCheck(
            "demat", ops.WARN, f"each day's sale of holdings needs an authorisation{named}", mend
        )
    ]


async def _broker_checks(
    config: DeskConfig, place: BrokerEndpoint, registered: ops.Address | None
) -> list[ops.HealthCheck]:

    clock = ScaledClock.real()
    terms = ConnectionTerms(settings=config.broker, clock=clock, workers=2)
    connection = connect(config.broker.name, place, terms)
    broker, session = connection.broker, connection.session
    state = state_folder(config, config.desk.mode)
    try:
        database = latest_database(config, config.desk.mode)
    # one that is lost is looked at like any other
    except (NothingFound, DataError):
        database = state / "desk.db"
    try:
        # a desk that is bound leaves from there, whatever way the system would choose
        bound = _read_address(config.broker.bind_ip)
        checks = await ops.examine(
            ops.HealthSubject(
                broker,
                connection.feed,
                clock=clock,
                state=state,
                database=database,
                server_time=session.server_time,
                whole=partial(check_database, new=True),
                expires=place.expires,
                outgoing=bound or outgoing_address(_host_name(place.rest)),
                registered=registered,
                sandbox=place.sandbox,
                check_listed=partial(check_listed, config),
            )
        )
        if connection.rules.limit_only:
            checks.append(ops.HealthCheck("orders", ops.WARN, LIMIT_ONLY))
        # without a session the account cannot be asked, and each of these would fail for that alone
        known = any(check.name == "token" and check.state == ops.OK for check in checks)
        if not known:
            return checks
        owner = _owner_checks(config.desk.mode, database, session.user)
        return [
            *checks,
            *owner,
            await _budget_check(config, broker),
            *await _demat_checks(config, connection),
        ]
    finally:
        await broker.close()


def _owner_checks(mode: str, database: Path, account: str) -> list[ops.HealthCheck]:
    """Warn of a database about another account than the token's."""
    try:
        check_owner(owner_of(database), f"{SIMULATED.get(mode, '')}{account}")
    except BusyError as error:
        return [
            ops.HealthCheck(
                "account", ops.FAIL, str(error), "log in as that account, or set desk.state_dir"
            )
        ]
    return []


def _host_name(rest: str) -> str:
    place = addresses.parse_address(rest)
    return place.host.strip("[]") if place is not None else ""


def outgoing_address(host: str, connect: Callable[[str], str] | None = None) -> ops.Address | None:
    """Return the local address from which `host` is reached, None without a way; send nothing."""
    try:
        return ipaddress.ip_address((connect or _local_name)(host))
    except (OSError, ValueError):
        return None


def _local_name(host: str) -> str:
    """Return the source address the system would choose.

    A connected datagram socket has one, and sends nothing.
    """
    # the broker's port: routes may differ by it
    family, kind, protocol, _, address = socket.getaddrinfo(host, 443, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])


def _read_address(text: str) -> ops.Address | None:
    try:
        return ipaddress.ip_address(text) if text else None
    except ValueError:
        raise ConfigError(f"static address {text}: expected an IP address") from None
