"""The exchange as a pure, synchronous machine: instruments, market, one account, its clients, and virtual time.

Nothing here reads a clock or a socket. The market moves at instants it names itself (whole seconds); requests happen at
`now`. The same configuration, requests and instants give the same bytes.
"""

from collections.abc import Callable, Collection
from typing import final

from brokers.sandbox import carry, ist, quotes, sessions
from brokers.sandbox.account import APP_ID, Session
from brokers.sandbox.agenda import Action, Agenda
from brokers.sandbox.alerts import AlertDesk
from brokers.sandbox.broadcast import Broadcast
from brokers.sandbox.carry import Carried
from brokers.sandbox.catalogue import Catalogue
from brokers.sandbox.circuits import REST, Circuits
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.day_rules import DayRules
from brokers.sandbox.dump import Made
from brokers.sandbox.faults import Faults
from brokers.sandbox.funds import Funds
from brokers.sandbox.gtt import GttDesk
from brokers.sandbox.limits import Limits
from brokers.sandbox.listed import begin, listed, traders_of
from brokers.sandbox.listing import CONTINUOUS, Index, Listing
from brokers.sandbox.margins import Estimates
from brokers.sandbox.market import Crowd
from brokers.sandbox.order_desk import OrderDesk
from brokers.sandbox.orders import AMO, Ask, ClientOrder
from brokers.sandbox.sessions import Auctioneer, Group
from brokers.sandbox.stream import Connection
from brokers.sandbox.varieties import Varieties
from brokers.sandbox.wire import ApiError, invalid
from compiled.model import MINUTE, SECOND
from engine.market.charges import load

DERIVATIVES = ("NFO", "BFO")

TOKENS_DIE = ist.time_of_day("06:00")


def halts(group: Group) -> bool:
    """Tell whether a market-wide halt stops a group: all but commodities."""
    return group.exchange != "MCX"


@final
class Exchange:
    """One virtual trading day; `carried` is what the account brings from the day before.

    `watched`: which of the twenty names anybody will look at, None for all: the others stand still, and so does the
    index's circuit breaker, which they alone cannot reach.
    """

    def __init__(
        self, config: SandboxConfig, carried: Carried | None = None, watched: Collection[str] | None = None
    ) -> None:
        config.check()
        self.config = config
        day = listed(config, watched, carried)
        self.market, self.past, self.index = day.market, day.past, day.basket
        self.dump = day.dump
        self._text = day.text
        asleep = {row.token: key for key, row in day.dump.rows.items()} if day.dump else {}
        self.catalogue = Catalogue([*self.market.listings, self.index], asleep, self._wake)
        self.listings, self.tokens = self.catalogue.by_key, self.catalogue.by_token
        self.woken: Callable[[str], None] | None = None
        """Hears the key of what was asleep until now: whoever keeps the state."""
        self._indices = [self.index]
        self._phases: dict[int, list[tuple[int, str]]] = {}
        """(instant, phase) that each group has been through, by its listings."""
        self._hours = {int(one.instrument.token): group for group in day.groups for one in group.listings}
        self.today = ist.midnight(config.date)
        self.agenda = Agenda()
        self.faults = Faults(config.seed, self.today, config.all_faults())
        self.clients = Broadcast(
            self.tokens, self.faults, self.agenda, config.choices, conflate=config.speed is not None
        )
        if config.postback:
            self.clients.postbacks = []
        traded = {row.exchange: None for row in day.dump.rows.values()} if day.dump else config.exchanges
        self.session = Session(config, tuple(traded))
        self.circuits = Circuits(self.index, self.today, self._slid, self._halt)
        self.circuits.halts = watched is None
        for share in self.index.members:
            self.circuits.watch(share)
        carried = carried or carry.configured(config, self.listings)
        self._auctioneer = Auctioneer(self.market.leave, self._drop_from_auction)
        self.dropped: list[str] = []
        """What the day before has left, and this one refuses."""
        self.portfolio = carry.portfolio(carried, self.listings, config, self.dropped)
        self.funds = Funds(carried.cash, self.portfolio)
        self.orders = OrderDesk(
            self.session.user_id, config.date, self.portfolio, self.funds, self._notify, self.faults, self.agenda,
            config.choices,
        )  # fmt: skip
        self.varieties = Varieties(
            self.orders, self.portfolio, self.agenda, self._hours, (config.date, self.today), config.seed
        )
        self.gtts = GttDesk(self.session.user_id, self.listings, self._send, config.choices)
        self.alerts = AlertDesk(self.session.user_id, config.seed, self.listings, self._basket)
        self.estimates = Estimates(self.listings, load(), config.date, self.funds)
        self.limits = Limits(DayRules(config.date).orders, config.limits, frozen=config.speed is None)
        self.over = False
        self.frozen = config.speed is None
        """Whether the clock stands still until somebody moves it, or lets it go on."""
        self._groups = day.groups
        self._shut = False
        self.start = begin(config, self.market)
        self.market.skips_to = self.start if self.start > self.market.opens else 0
        if not self.market.skips_to:
            self._light()
        self.closes = self._plan(day.groups)
        self.now = min(self.start, self.market.opens)
        carry.restore(carried, self)
        self.gtts.expire(self.now)
        self._next = self.market.next(min(self.start, self.market.opens) - 1)
        while (due := self.next_instant()) < min(self.start, self.closes):
            self._instant(due)
        self.now = self.start
        self._light()
        self._run_agenda()

    def _light(self) -> None:
        """Let the named shares trade in books."""
        for share in self.index.members:
            share.book  # noqa: B018  the first look makes it

    @property
    def text(self) -> str:
        """Return the instrument dump of the day as CSV."""
        if not self._text:
            rows = self.dump.rows.values() if self.dump else map(quotes.row_of, self.catalogue.awake.values())
            self._text = quotes.instruments(rows)
        return self._text

    def _wake(self, key: str) -> Listing | Index:
        """Make what a dump lists, now that somebody has asked for it; from now on it moves."""
        assert self.dump is not None
        row = self.dump.rows[key]
        if row.kind == "INDEX":
            index = self.dump.index(row, self.index.members)
            index.recall()
            index.update(self.now)
            self._indices.append(index)
            self.catalogue.add(index)
            return index
        made, group = self.dump.make(key, self.catalogue.find), self.dump.group_of(key)
        assert isinstance(self.market, Crowd)
        self._begin(made, group)
        if self.dump.slides(row):
            self.circuits.watch(made.listing)
        if self.woken is not None:
            self.woken(key)
        return made.listing

    def _begin(self, made: Made, group: Group) -> None:
        """Let an instrument move from now on, after the day it has had so far."""
        listing, lived = made.listing, self._phases.get(id(group.listings), [])
        assert isinstance(self.market, Crowd)
        traders = traders_of(made, self.config.seed)
        self.market.join(traders)
        for due, phase in lived:
            if due < group.opens:
                self._enter(listing, phase, due)
        self.market.recall(traders, [(part.start, part.end) for part in group.phases if part.name == CONTINUOUS])
        for due, phase in lived:
            if due >= group.opens:
                self._enter(listing, phase, due)
        self._hours[int(listing.instrument.token)] = group
        group.listings.append(listing)
        self.catalogue.add(listing)
        if listing.phase == CONTINUOUS:
            self.market.match(listing, self.now)
            self.react(listing)

    def _plan(self, groups: list[Group]) -> int:
        """Put the day's phases on the agenda and return when it is over."""
        ends = []
        first = min(self.start, self.market.opens)
        for group in groups:
            for due, phase in sessions.changes(group, first, self.config.seed):
                self.agenda.add(due, self._turning(group, phase, due))
            self.agenda.add(group.last_match, self._ending(group))
            if self.config.square_off and group.square_off is not None:
                self.agenda.add(group.square_off, self._squaring(group))
            late = [phase.end for phase in group.phases if phase.name == sessions.POST_CLOSE]
            ends.append(max([group.last_match, *(late if self.config.post_close else [])]))
        auction = sessions.auction_begins(sessions.ist_date(self.config.date), new=self.config.choices.new_hours)
        if auction is not None and auction >= first:
            self.agenda.add(auction, self._bound_futures)
        self.agenda.add(self.varieties.next_auction(), lambda: self.varieties.settle_auctions(self.now))
        if self.start < self.today + TOKENS_DIE:
            self.agenda.add(self.today + TOKENS_DIE, self._end_session)
        return max(ends)

    def _end_session(self) -> None:
        """Let the tokens of the day before die; who streams with one is shown the door."""
        self.session.expire()
        self.clients.close()

    def _turning(self, group: Group, phase: str, due: int) -> Action:
        def turn() -> None:
            if self._shut and halts(group):
                return
            self._phases.setdefault(id(group.listings), []).append((due, phase))
            for listing in group.listings:
                self._enter(listing, phase, due)

        return turn

    def _enter(self, listing: Listing, phase: str, due: int) -> None:
        """Let an instrument enter a phase; at the end of a call phase it trades at one price."""
        called = listing.calling
        if phase == sessions.POST_CLOSE:
            self.market.leave(listing)
        self._auctioneer.turn(listing, phase, due)
        if called and not listing.calling:
            if not listing.lit:
                self.market.match(listing, due)
            self.react(listing)
            self.market.leave(listing)

    def _ending(self, group: Group) -> Action:
        def end() -> None:
            mine = {id(listing) for listing in group.listings}
            for order in self.orders.live():
                if id(order.ask.listing) in mine and order.status != AMO:
                    self.orders.drop(order, self.now)

        return end

    def _squaring(self, group: Group) -> Action:
        return lambda: self.varieties.square_off(group, self.now, self.react)

    def _slid(self, listing: Listing) -> None:
        """Cancel what a band has slid away from."""
        made = listing.instrument
        for order in self.orders.live():
            outside = order.ask.price and not made.lower <= order.ask.price <= made.upper
            if order.ask.listing is listing and outside and order.status != AMO:
                self.orders.drop(order, self.now, "Cancelled by the exchange: outside the price band.")

    def _bound_futures(self) -> None:
        """Hold futures to the band of the closing auction about their own average, until they close."""
        for group in self._groups:
            for listing in group.listings:
                made = listing.instrument
                if made.kind == "FUT" and group.exchange in DERIVATIVES and listing.rules.banded(made.name):
                    listing.reference = int(made.ticks(listing.vwap(self.now - sessions.REFERENCE_SPAN) or listing.ltp))
                    listing.confine(listing.rules.auction)
                    self._slid(listing)

    def _halt(self, minutes: int) -> None:
        """Stop everything but commodities, for some minutes and a call auction, or for the rest of the day."""
        self.clients.say(sessions.HALT)
        stopped = [group for group in self._groups if halts(group)]
        resumes = self.now + minutes * MINUTE
        for group in stopped:
            for listing in group.listings:
                for order in self.orders.live():
                    if self.config.choices.halt_cancels and order.ask.listing is listing and order.status != AMO:
                        self.orders.drop(order, self.now, sessions.HALT)
            self._turning(group, sessions.HALTED, self.now)()
            if minutes == REST:
                continue
            if any(phase.name in sessions.CALLING for phase in group.phases if phase.start < group.opens):
                self.agenda.add(resumes, self._turning(group, sessions.HALT_CALL, resumes))
            opens = resumes + sessions.HALT_CALL_MINUTES * MINUTE
            self.agenda.add(opens, self._turning(group, CONTINUOUS, opens))
        self._shut = minutes == REST

    def _drop_from_auction(self, listing: Listing) -> None:
        for order in self.orders.live():
            ask = order.ask
            if ask.listing is not listing or order.status == AMO:
                continue
            late = listing.reference > 0 and listing.rules.icebergs_stay
            stays = ask.order_type == "LIMIT" and not ask.disclosed and (late or not ask.iceberg)
            if late and not listing.instrument.lower <= ask.price <= listing.instrument.upper:
                stays = False
            if not stays:
                self.orders.drop(order, self.now, "Cancelled by the exchange before the auction.")

    def connect(self) -> Connection:
        """Open a client connection; raise `ApiError` where there are far too many."""
        return self.clients.connect()

    def next_instant(self) -> int:
        """Return when something happens next: the market moves, something falls due, a client is owed its first ticks."""
        due = min(self._next, self.closes)
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
        self._run_agenda()
        if self._next <= due:
            self._step(due)
        if due >= self.closes:
            self.orders.cancel_all(self.now)
            self.over = True
        self._emit()

    def _run_agenda(self) -> None:
        if self.agenda.run(self.now):
            for listing in self.market.listings:
                if listing.lit:
                    self.react(listing)

    def _step(self, due: int) -> None:
        self.now = due
        self.market.shift = self.faults.shift(due)
        for listing in self.market.step(due):
            self.react(listing)
        for index in self._indices:
            index.update(due)
        if self.config.tape is None:
            self.circuits.check(self.now)
        self.alerts.check(self.now)
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
        stamp, wanted = self.stamp, self.clients.wanted
        for token, listing in self.catalogue.awake.items():
            if listing.dirty:
                listing.dirty = False
                if token in wanted:
                    changed[token] = listing.snapshot(stamp)
        self.clients.ticks(changed, self.now)

    @property
    def stamp(self) -> int:
        """Return the time as the exchange's clock writes it: off by a fault's skew."""
        return self.now + self.faults.skew(self.now) if self.faults else self.now

    def place(self, ask: Ask, *, slices: bool = False) -> list[ClientOrder | ApiError]:
        """Take an order, or the parts it is sliced into."""
        parts = self.varieties.place(ask, self.now, slices=slices)
        self.react(ask.listing)
        self.limits.more(len(parts) - 1 + (ask.iceberg.legs - 1 if ask.iceberg else 0), self.now)
        return parts

    def _send(self, ask: Ask, now: int) -> ClientOrder:
        return self.orders.place(ask, now)

    def _basket(self, asks: list[Ask]) -> list[ClientOrder]:
        return [self.orders.place_by_system(ask, self.now) for ask in asks]

    def _notify(self, order: ClientOrder, status: str) -> None:
        if self.clients.heard:
            self.clients.update(order.update(status, APP_ID, self.session.api_secret), self.now)

    def listing(self, token: str) -> Listing | Index:
        """Return what a token stands for."""
        found = self.tokens.get(int(token)) if token.isdecimal() else None
        if found is None:
            raise invalid("Invalid `instrument_token`.")
        return found

    def hold(self, *, on: bool) -> None:
        """Stop the clock, or let it go on from where it stands; requests are answered all the while."""
        self.frozen = self.limits.frozen = on or self.config.speed is None

    def clock(self) -> dict[str, object]:
        """Return the clock as the admin route shows it."""
        return {
            "now": self.now,
            "speed": self.config.speed,
            "held": self.frozen,
            "start": self.start,
            "sent": self.clients.sent,
            "over": self.over,
            "full": sum(connection.full for connection in self.clients.connections),
        }
