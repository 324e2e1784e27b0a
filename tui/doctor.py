"""Examine whether the desk could trade: what is asked of the machine, the broker and the configuration."""

import asyncio
import ipaddress
import json
import os
import random
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from brokers.kite import session as kite
from engine.config import Config
from engine.errors import ConfigError, OperatorError
from engine.ops import doctor as ops
from engine.trading.clock import ScaledClock
from tui.login import DONE, FAILED, Place, place_of, vault_of

if TYPE_CHECKING:
    from brokers.sandbox.config import Endpoint


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
