"""The exchange as a pure, synchronous machine: instruments, market, one account, its clients, and virtual time.

Nothing here reads a clock or a socket. The market moves at instants it names itself (whole seconds); requests happen at
`now`. The same configuration, requests and instants give the same bytes.
"""

from typing import final

from brokers.sandbox import ist, tape, universe
from brokers.sandbox.account import APP_ID, Funds, Session
from brokers.sandbox.agenda import Agenda
from brokers.sandbox.broadcast import Broadcast
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.day_rules import DayRules
from brokers.sandbox.faults import Faults
from brokers.sandbox.gtt import GttDesk
from brokers.sandbox.history import Past, Recorded, Walk
from brokers.sandbox.limits import Limits
from brokers.sandbox.listing import Index, Listing
from brokers.sandbox.margins import Estimates
from brokers.sandbox.market import Crowd, Market
from brokers.sandbox.order_desk import OrderDesk
from brokers.sandbox.orders import Ask, ClientOrder
from brokers.sandbox.portfolio import Portfolio
from brokers.sandbox.stream import Connection
from brokers.sandbox.wire import invalid, refused
from compiled.model import SECOND
from engine.errors import ConfigError
from engine.market.charges import load

CLOSED = "Markets are closed right now. Orders are accepted again in the next session."
SESSION = (33_300 * SECOND, 55_800 * SECOND)
"""09:15 and 15:30 since midnight, ns."""


@final
class Exchange:
    """One virtual trading day."""

    def __init__(self, config: SandboxConfig) -> None:
        config.check()
        self.config = config
        self.market, self.past = _market(config)
        shares = self.market.listings
        self.index = Index(universe.nifty(), shares)
        listed: list[Listing | Index] = [*shares, self.index]
        self.listings = {listing.key: listing for listing in listed}
        self.tokens = {int(listing.instrument.token): listing for listing in listed}
        self.today = ist.midnight(config.date)
        self.agenda = Agenda()
        self.faults = Faults(config.seed, self.today, config.all_faults())
        self.clients = Broadcast(self.tokens, self.faults, self.agenda, conflate=config.speed is not None)
        self.session = Session(config)
        self.portfolio = Portfolio(self._holdings())
        self.funds = Funds(config.cash, self.portfolio)
        self.orders = OrderDesk(
            self.session.user_id, config.date, self.portfolio, self.funds, self._notify, self.faults, self.agenda
        )
        self.gtts = GttDesk(self.session.user_id, self.listings, self._send)
        self.estimates = Estimates(self.listings, load(), config.date, self.funds)
        self.limits = Limits(DayRules(config.date).orders, enabled=config.limits, frozen=config.speed is None)
        self.over = False
        self.start = max(self.market.opens, self.today + ist.time_of_day(config.start))
        self._next = self.market.next(self.market.opens - 1)
        while self._next < min(self.start, self.market.closes):
            self._step(self._next)
        self.now = self.start

    def _holdings(self) -> list[tuple[Listing, int, float]]:
        held = []
        for symbol, quantity, average in self.config.holdings:
            listing = self.listings.get(f"NSE:{symbol}")
            if not isinstance(listing, Listing):
                raise ConfigError(f"holding {symbol!r}: the sandbox does not list it")
            held.append((listing, quantity, average))
        return held

    def connect(self) -> Connection:
        """Open a client connection; raise `ApiError` where there are far too many."""
        return self.clients.connect()

    def next_instant(self) -> int:
        """Return when something happens next: the market moves, something falls due, a client is owed its first ticks."""
        due = min(self._next, self.market.closes)
        if self.agenda.next is not None:
            due = min(due, self.agenda.next)
        if self.clients.waiting:
            due = min(due, self.now - self.now % SECOND + SECOND)
        return due

    def run(self, until: int) -> None:
        """Let everything happen that is due at or before `until`, and move the clock there."""
        while not self.over and (due := self.next_instant()) <= until:
            self._instant(due)
        self.now = max(self.now, until)

    def advance(self, until: int) -> None:
        """Move to the next instant at which a client is sent something, at the latest `until`."""
        before = self.clients.sent
        while not self.over and (due := self.next_instant()) <= until:
            self._instant(due)
            if self.clients.sent != before:
                return
        if not self.over:
            self.now = max(self.now, until)

    def _instant(self, due: int) -> None:
        self.now = max(self.now, due)
        if self.agenda.run(self.now):
            for listing in self.market.listings:
                self.react(listing)
        if self._next <= due:
            self._step(due)
        if due >= self.market.closes:
            self.orders.cancel_all(self.now)
            self.over = True
        self._emit()

    def _step(self, due: int) -> None:
        self.now = due
        for listing in self.market.step(due):
            self.react(listing)
        self.index.update()
        self._next = self.market.next(due)

    def react(self, listing: Listing) -> None:
        """Book our fills in a listing and fire what its prices have reached, until it is quiet."""
        self.orders.settle(listing, self.now)
        while listing.reached is not None:
            (low, high), listing.reached = listing.reached, None
            self.orders.trigger(listing, low, high, self.now)
            self.gtts.fire(listing, low, high, self.now)

    def _emit(self) -> None:
        changed = {}
        stamp = self.stamp
        for token, listing in self.tokens.items():
            if listing.dirty:
                listing.dirty = False
                if self.clients.connections:
                    changed[token] = listing.snapshot(stamp)
        self.clients.ticks(changed, self.now)

    @property
    def stamp(self) -> int:
        """Return the time as the exchange's clock writes it: off by a fault's skew."""
        return self.now + self.faults.skew(self.now) if self.faults else self.now

    def place(self, ask: Ask) -> ClientOrder:
        """Take an order, from a request or a GTT."""
        if self.over:
            raise refused(CLOSED)
        order = self.orders.place(ask, self.now)
        self.react(ask.listing)
        return order

    def _send(self, ask: Ask, now: int) -> ClientOrder:
        return self.orders.place(ask, now)

    def _notify(self, order: ClientOrder, status: str) -> None:
        if self.clients.heard:
            self.clients.update(order.update(status, APP_ID, self.session.api_secret), self.now)

    def listing(self, token: str) -> Listing | Index:
        """Return what a token stands for."""
        found = self.tokens.get(int(token)) if token.isdecimal() else None
        if found is None:
            raise invalid("Invalid `instrument_token`.")
        return found

    def clock(self) -> dict[str, object]:
        """Return the clock as the admin route shows it."""
        speed = self.config.speed
        full = sum(connection.full for connection in self.clients.connections)
        clock: dict[str, object] = {
            "now": self.now,
            "speed": speed,
            "start": self.start,
            "sent": self.clients.sent,
            "over": self.over,
        }
        return clock | {"full": full}


def _market(config: SandboxConfig) -> tuple[Market, Past]:
    dump, rules = universe.read_dump(config.instruments), DayRules(config.date)
    if config.tape is None:
        names = config.symbols or tuple(universe.NAMES)
        listings = [Listing(universe.default_share(name, rules, dump), rules, prints=True) for name in names]
        midnight = ist.midnight(config.date)
        betas = [universe.NAMES[name].beta for name in names]
        crowd = Crowd(listings, betas, config.seed, midnight + SESSION[0], midnight + SESSION[1])
        return crowd, Walk(config.seed, config.date)
    records = tape.recorded(config.tape, config.symbols, config.date)
    shares = [tape.listed(symbol, config.date, record, rules, dump) for symbol, record in records.items()]
    days = [record.day(config.date) for record in records.values()]
    past = {int(share.token): record for share, record in zip(shares, records.values(), strict=True)}
    return tape.Tape([Listing(share, rules, prints=False) for share in shares], days), Recorded(past)
