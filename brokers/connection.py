"""Connection to a broker: the adapter's parts for the desk, and the desk's terms."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from brokers.backfill.feed_gaps import FeedGap
from compiled.model.values import Bar, Order
from engine.config.schema import BrokerSettings
from engine.market.instrument_dumps import DumpFolder
from engine.ports import Broker, BrokerRules, Clock, Feed, FeedRecord

MarginSource = Callable[[Sequence[Order]], Awaitable[list[int]]]
"""Tells what orders would block, each in paise."""
HistorySource = Callable[[int, int, int, int], Awaitable[list[Bar]]]
"""`engine.ports.Broker.history`."""


class BrokerAccess(Protocol):
    """Address and credentials of a broker; `token` empty: not logged in."""

    @property
    def rest(self) -> str:
        """Return the address of its orders and books."""
        ...

    @property
    def ws(self) -> str:
        """Return the address of its market data."""
        ...

    @property
    def api_key(self) -> str:
        """Return the application's key."""
        ...

    @property
    def token(self) -> str:
        """Return today's access token."""
        ...

    @property
    def user(self) -> str:
        """Return whose session it is, where the market data wants to know."""
        ...


class BrokerSession(Protocol):
    """Session behind a connection: its account, its end, its changes."""

    @property
    def user(self) -> str:
        """Return the user id that `account` has read, empty before."""
        ...

    async def account(self) -> str:
        """Return the account's user id."""
        ...

    def renew(self, access_token: str) -> None:
        """Go on with another access token."""
        ...

    def consents(self) -> bool | None:
        """Tell whether holdings may be sold without an authorisation by the day; None: unknown."""
        ...

    async def server_time(self) -> int:
        """Return the broker's time (ns UTC)."""
        ...

    def shift_clock(self, by: int) -> None:
        """Take note that the clock was set on by so many ns."""
        ...


class RenewableFeed(Feed, Protocol):
    """A feed that goes on with another access token."""

    def renew(self, access_token: str) -> None:
        """Use this token from now on."""
        ...


class Connection(NamedTuple):
    """A broker's parts for the desk; `margins` None: it has no such call."""

    broker: Broker
    feed: RenewableFeed
    session: BrokerSession
    rules: BrokerRules
    margins: MarginSource | None
    history: HistorySource


def _ignore_news() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTerms:
    """Terms of a connection: settings, clock, listeners.

    `limited`: the broker's rates are kept; a few calls beside a desk need no pace. `paced`: the
    exchange waits for us, so that nothing is late and no rate is kept.
    `on_token_death` is called on the event loop when the token is refused, `on_gap` with the feed's
    gaps, `on_answer` with the date of each answer (ns UTC) and the seconds it took, in any thread.
    `dumps` keeps the day's instrument lists, `record` the messages of the feed.
    """

    settings: BrokerSettings
    clock: Clock
    workers: int = 4
    limited: bool = True
    paced: bool = False
    renewable: bool = False
    dead_after_s: float = 10.0
    dumps: DumpFolder | None = None
    record: FeedRecord | None = None
    rng: random.Random = field(default_factory=random.Random)
    """For the waits before the feed connects anew."""
    on_token_death: Callable[[], None] = _ignore_news
    on_gap: Callable[[Sequence[FeedGap]], None] | None = None
    on_answer: Callable[[int, float], None] | None = None
