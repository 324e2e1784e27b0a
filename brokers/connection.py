"""Connection to a broker: the adapter's parts for the desk, and the desk's terms."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from brokers.backfill.feed_gaps import FeedGap
from brokers.session.day_session import DaySession
from compiled.model.values import Bar, Order, Tick
from engine.config.schema import BrokerSettings
from engine.market.instrument_dumps import DumpFolder
from engine.ports import Broker, BrokerRules, Clock, Feed, FeedRecord

MarginSource = Callable[[Sequence[Order]], Awaitable[list[int]]]
"""Tells what orders would block, each in paise."""
HistorySource = Callable[[int, int, int, int], Awaitable[list[Bar]]]
"""`engine.ports.Broker.history`."""


class FrameReader(Protocol):
    """Decoder of a broker's market data messages."""

    @property
    def whole(self) -> bool:
        """Tell whether the last message read whole."""
        ...

    @property
    def bad_frames(self) -> int:
        """Return how many messages did not end where they should."""
        ...

    @property
    def bad_packets(self) -> int:
        """Return how many parts of messages could not be read."""
        ...

    def decode(self, frame: bytes, received: int) -> list[Tick]:
        """Return the ticks of a message that came at `received` (ns UTC)."""
        ...


class FrameHold(Protocol):
    """Messages held back by a late desk, the newest of each instrument."""

    def add(self, frame: bytes) -> None:
        """Hold a message back."""
        ...

    def release(self) -> list[bytes]:
        """Return what is held as messages, and hold nothing."""
        ...


class FrameFormat(NamedTuple):
    """The form of a broker's market data messages, for recordings that are read again."""

    reader: Callable[[], FrameReader]
    hold: Callable[[], FrameHold]


class BrokerAddresses(NamedTuple):
    """Addresses of a broker: orders and books, market data, login page.

    `api_key` is that of an application that is everybody's, mostly empty. `names_user`: the market
    data wants to know whose session it is.
    """

    rest: str
    ws: str
    page: str
    api_key: str = ""
    names_user: bool = False


class BrokerLogin(Protocol):
    """A broker's login, in a module of its adapter."""

    NAME: str
    """The broker, in texts for the operator."""
    DOMAIN: str
    """Domain of its hosts."""
    SECRET_VARIABLE: str
    """Environment variable of the application's secret, where the settings name no other."""

    def addresses_of(self, broker: BrokerSettings) -> BrokerAddresses:
        """Return the configured addresses or its own; raise `ConfigError` where they cannot be."""
        ...

    def public_secret(self, api_key: str) -> str:
        """Return the secret of an application that is everybody's, empty for any other."""
        ...

    def login_url(self, api_key: str, state: str, page: str) -> str:
        """Return the address of the login page, whose redirect comes back with `state`."""
        ...

    def request_token(self, text: str, state: str = "") -> str:
        """Return what a redirect's address brings; raise `OperatorError` for another address."""
        ...

    def exchange_token(
        self, rest: str, api_key: str, api_secret: str, token: str, now: int, *, environment: bool
    ) -> DaySession:
        """Turn that into the day's session; raise `ConnectionFailed` or `OperatorError`. Blocks."""
        ...

    def invalidate_session(self, rest: str, session: DaySession, *, environment: bool) -> None:
        """End a session at the broker; a dead one counts as ended. Blocks."""
        ...


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
