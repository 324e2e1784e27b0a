"""The obstacles between the desk and a trading day, each looked at once, with its remedy.

Nothing here trades, and nothing is repaired. The objects of the checks come through the ports and
plain callables, so that the same checks serve the sandbox and a broker.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final, NamedTuple

from compiled.model.values import SECOND, Instrument, Tick
from engine.errors import ConnectionFailed, DataError, OperatorError, PatangError
from engine.indian_time import INDIA
from engine.ports import Broker, Clock, Feed

OK, WARN, FAIL = "ok", "warn", "fail"

GIB: Final = 1024**3
LITTLE_SPACE: Final = GIB // 5
SOME_SPACE: Final = 2 * GIB
"""Bytes: below the first a day's journal and bars may not fit, below the second the month's."""
# The Date header is cut to the second: half of one is doubt, and below 1.5 s nothing can be said.
SKEW_WARN, SKEW_FAIL = 1.5, 10.0
"""Seconds between this machine's clock and the broker's, whose answers carry whole seconds."""
# NSE lists thousands; a list that is still being made is shorter.
FEW_INSTRUMENTS: Final = 1_000
FEED_PATIENCE: Final = 12.0
DAY_SPAN: Final = 86_400
LIQUID: Final = "RELIANCE"
"""A share that trades every day."""
CANDLES: Final = 14 * DAY_SPAN * SECOND
"""How far back a candle is asked for: further than any row of holidays."""

Address = IPv4Address | IPv6Address


class HealthCheck(NamedTuple):
    """One line of the report: `state` is ok, warn or fail.

    `mend` is the remedy (empty when well).
    """

    name: str
    state: str
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class HealthSubject:
    """The subject of the checks.

    `expires` (ns UTC, 0: never) ends the session, `server_time` asks the broker for its clock (ns).
    `whole` raises `PatangError` for a database that is lost, cut short or none of ours. `outgoing`
    is the local address requests leave from, `registered` the one the broker takes orders from
    (None: not known). `sandbox`: an exchange of our own, with few instruments, a clock of its own,
    and no registered address.
    """

    broker: Broker
    feed: Feed
    clock: Clock
    state: Path
    database: Path
    server_time: Callable[[], Awaitable[int]]
    whole: Callable[[Path], None]
    expires: int = 0
    outgoing: Address | None = None
    registered: Address | None = None
    sandbox: bool = False
    check_listed: Callable[[list[Instrument]], None] = lambda _: None
    """Raises `DataError` where the configuration names what the broker does not list."""


async def examine(patient: HealthSubject) -> list[HealthCheck]:
    """Look at everything; one thing that is ill keeps no other from being looked at."""
    checks = [check_disk(patient.state), check_database(patient.database, patient.whole)]
    # First: without a session every other answer would be the same refusal.
    token = await check_token(patient)
    checks.append(token)
    if not patient.sandbox:
        checks += [await check_clock(patient), check_address(patient.outgoing, patient.registered)]
    if token.state == FAIL:
        skipped = "not looked at: the token comes first"
        return [
            *checks,
            *(HealthCheck(name, WARN, skipped) for name in ("instruments", "history", "feed")),
        ]
    return [
        *checks,
        *await check_instruments(patient),
        await check_history(patient),
        await check_feed(patient),
    ]


def worst_state(checks: list[HealthCheck]) -> str:
    """Return the worst state among the checks."""
    states = {check.state for check in checks}
    return FAIL if FAIL in states else WARN if WARN in states else OK


def check_disk(folder: Path) -> HealthCheck:
    """Check that the state folder takes a file that reaches the disk, and its free space."""
    mend = "free some space, or name another folder in desk.state_dir"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            # A quota or a full disk shows itself at the write that reaches the disk, not at open.
            file.write(b"0" * 4096)
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return HealthCheck("disk", FAIL, f"{folder}: {error.strerror}", mend)
    text = f"{free / GIB:.1f} GiB free in {folder}"
    if free < LITTLE_SPACE:
        return HealthCheck("disk", FAIL, text, mend)
    return (
        HealthCheck("disk", WARN, text, mend)
        if free < SOME_SPACE
        else HealthCheck("disk", OK, text)
    )


def check_database(path: Path, whole: Callable[[Path], None]) -> HealthCheck:
    """Check that the database is ours and whole, and whether a desk holds it.

    A missing one is well: the first run makes it.
    """
    try:
        # Before `exists`: a database that is lost (its log is still there) must not count as none
        # yet.
        whole(path)
        if not path.exists():
            return HealthCheck("database", OK, f"none yet at {path}")
        with contextlib.closing(
            # Read-only, and with a wait: a desk may trade on it meanwhile.
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0)
        ) as db:
            verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except PatangError as error:
        return HealthCheck("database", FAIL, str(error).removeprefix("database "))
    except sqlite3.Error as error:
        return HealthCheck(
            "database", FAIL, f"{path}: {error}", "move it away and restore it from a backup"
        )
    if verdict != "ok":
        return HealthCheck(
            "database",
            FAIL,
            f"{path} is damaged: {verdict}",
            "move it away and restore it from a backup",
        )
    holder = _lock_holder(path.with_name(path.name + ".lock"))
    return HealthCheck(
        "database", OK, f"{path} is whole" + (f"; process {holder} trades on it" if holder else "")
    )


def _lock_holder(lock: Path) -> str:
    """Return the process that holds a lock file, empty where none does."""
    try:
        with lock.open("rb") as file:
            name = file.read(32).decode(errors="replace").partition(" ")[0].strip()
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return name or "unknown"
    except OSError:
        return ""
    return ""


async def check_token(patient: HealthSubject) -> HealthCheck:
    """Ask the broker for our identity."""
    try:
        user = await patient.broker.account()
    except ConnectionFailed as error:
        return HealthCheck("token", FAIL, str(error), "check the network, and broker.rest")
    except OperatorError as error:
        return HealthCheck("token", FAIL, str(error), "patang login")
    except PatangError as error:
        return HealthCheck("token", FAIL, str(error), "try again in a moment")
    if not patient.expires:
        return HealthCheck("token", OK, f"account {user}")
    until = datetime.fromtimestamp(patient.expires // SECOND, INDIA)
    return HealthCheck("token", OK, f"account {user}, until {until:%d %b %H:%M} IST")


async def check_clock(patient: HealthSubject) -> HealthCheck:
    """Compare this machine's clock with the broker's, to half the time the question took."""
    mend = "set the clock by NTP (chrony, systemd-timesyncd)"
    asked = patient.clock.now()
    try:
        server_time = await patient.server_time()
    except PatangError as error:
        return HealthCheck("clock", WARN, f"the broker tells no time: {error}")
    # The broker's stamp lies somewhere between question and answer: half the way is the doubt.
    doubt = (patient.clock.now() - asked) / SECOND / 2
    skew = (asked + (patient.clock.now() - asked) / 2 - (server_time + SECOND / 2)) / SECOND
    text = (
        f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the broker, to "
        f"{doubt + 0.5:.1f} s"
    )
    if abs(skew) > SKEW_FAIL + doubt:
        return HealthCheck("clock", FAIL, text, mend)
    return (
        HealthCheck("clock", WARN, text, mend)
        if abs(skew) > SKEW_WARN + doubt
        else HealthCheck("clock", OK, text)
    )


def check_address(outgoing: Address | None, registered: Address | None) -> HealthCheck:
    """Compare the address that requests leave from with the one the broker takes orders from.

    Behind NAT it cannot be seen.
    """
    where = (
        "register this machine's static address with the broker, and name it in broker.static_ip"
    )
    if outgoing is None:
        return HealthCheck(
            "address", WARN, "no way out of this machine is known", "check the network"
        )
    if registered is None:
        return HealthCheck(
            "address",
            WARN,
            "no static address is configured: the broker takes orders from a registered one",
            where,
        )
    if outgoing == registered:
        return HealthCheck("address", OK, f"orders leave from {outgoing}, as registered")
    # Behind a router the exchange sees the router's address, which this machine cannot know.
    if outgoing.is_private:
        text = f"this machine is {outgoing} behind a router; orders must leave as {registered}"
        return HealthCheck("address", WARN, text, "compare with the router's address")
    text = f"orders leave from {outgoing}, {registered} is registered"
    return HealthCheck(
        "address",
        FAIL,
        text,
        "name the right one of this machine's addresses in broker.bind_ip, or " + where,
    )


async def check_instruments(patient: HealthSubject) -> list[HealthCheck]:
    """Read NSE's instruments, and look for each symbol that is named."""
    try:
        found = await patient.broker.instruments("NSE")
    except PatangError as error:
        return [
            HealthCheck(
                "instruments",
                FAIL,
                str(error),
                "try again; the list is made anew at about 08:00 IST",
            )
        ]
    text = f"{len(found)} on NSE"
    check = HealthCheck("instruments", OK, text)
    # The broker makes the list anew in the morning; until then it may be there in part.
    if len(found) < FEW_INSTRUMENTS and not patient.sandbox:
        check = HealthCheck(
            "instruments", WARN, f"only {text}", "the list is incomplete: try again after 08:30 IST"
        )
    try:
        patient.check_listed(found)
    except DataError as error:
        return [
            check,
            HealthCheck(
                "symbols", FAIL, str(error), "mend feed.watch, or the symbols of the strategy"
            ),
        ]
    return [check]


async def check_history(patient: HealthSubject) -> HealthCheck:
    """Ask for a candle of a share: brokers sell their interface with and without history."""
    mend = (
        "without it strategies begin with the minutes this desk has kept, or cold: look at your "
        "plan with the broker"
    )
    now = patient.clock.now()
    try:
        shares = {
            each.symbol: each
            for each in await patient.broker.instruments("NSE")
            if each.kind == "EQ"
        }
        share = shares.get(LIQUID) or next(iter(shares.values()), None)
        if share is None:
            return HealthCheck("history", WARN, "no share to ask about")
        bars = await patient.broker.history(int(share.token), now - CANDLES, now, DAY_SPAN)
    except PatangError as error:
        return HealthCheck("history", WARN, f"no candles: {error}", mend)
    if not bars:
        return HealthCheck("history", WARN, f"no candle of {share.symbol} in the last days", mend)
    return HealthCheck("history", OK, f"candles of {share.symbol}")


class _ConnectionProbe:
    """Listens until the feed is connected, or says why not."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.notices: list[str] = []

    def ticks(self, ticks: list[Tick], received: int, unread: bytes = b"") -> None:
        """Let it go."""

    def hint(self, order_id: str) -> None:
        """Let it go."""

    def notice(self, level: str, text: str) -> None:
        """Keep errors."""
        # A notice that is no error (subscribed, reconnecting) is no reason to name.
        if level != "info":
            self.notices.append(text)

    def link(self, up: bool) -> None:
        """Take note."""
        if up:
            self.up.set()


async def check_feed(patient: HealthSubject) -> HealthCheck:
    """Connect the feed, and let it go."""
    ear = _ConnectionProbe()
    running = asyncio.ensure_future(patient.feed.run(ear))
    connected = asyncio.ensure_future(ear.up.wait())
    try:
        await asyncio.wait(
            {running, connected}, timeout=FEED_PATIENCE, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        running.cancel()
        connected.cancel()
        # The cancelled feed closes its sockets here, before the next check asks for one.
        await asyncio.gather(running, connected, return_exceptions=True)
    if ear.up.is_set():
        return HealthCheck("feed", OK, "connected")
    why = ear.notices[-1] if ear.notices else f"no connection within {FEED_PATIENCE:.0f} s"
    return HealthCheck(
        "feed", FAIL, why, "check broker.ws, the network, and that the plan includes market data"
    )


def report_lines(checks: list[HealthCheck]) -> Iterator[str]:
    """Yield one line for each check, and one for each mend."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{check.state:<4}  {check.name:<{width}}  {check.text}"
        if check.mend:
            yield f"      {'':<{width}}  → {check.mend}"
