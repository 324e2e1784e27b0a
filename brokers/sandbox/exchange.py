"""The exchange as a pure, synchronous machine.

Instruments, market, one account, its clients, and virtual time.

Nothing here reads a clock or a socket. The market moves at instants it names itself (whole
seconds); requests happen at `now`. The same configuration, requests and instants give the same
bytes.
"""

from collections.abc import Callable, Collection
from typing import final

from brokers.sandbox import kite_times, overnight
from brokers.sandbox.account import carried_account
from brokers.sandbox.account.account_funds import AccountFunds
from brokers.sandbox.account.carried_account import CarriedAccount
from brokers.sandbox.account.login_session import APP_ID, SandboxSession
from brokers.sandbox.account.margin_estimates import MarginEstimates
from brokers.sandbox.clients import quotes
from brokers.sandbox.clients.broadcast import ClientBroadcast
from brokers.sandbox.clients.client_connection import ClientConnection
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.faults import FaultRules
from brokers.sandbox.http import SandboxApiError, invalid
from brokers.sandbox.market import session_phases
from brokers.sandbox.market.circuit_breakers import REST, CircuitWatch
from brokers.sandbox.market.client_order import AMO, ClientOrder, OrderRequest
from brokers.sandbox.market.crowd import SeededCrowd
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.market.exchange_listing import CONTINUOUS, ExchangeListing, ListedIndex
from brokers.sandbox.market.session_phases import CallAuctioneer, SessionGroup
from brokers.sandbox.orders.alert_desk import AlertDesk
from brokers.sandbox.orders.gtt_desk import GttDesk
from brokers.sandbox.orders.order_desk import OrderDesk
from brokers.sandbox.orders.order_varieties import OrderVarieties
from brokers.sandbox.rate_limits import RequestRateLimits
from brokers.sandbox.scheduler import Action, ActionScheduler
from brokers.sandbox.universe.day_universe import build_universe, starting_instant, traders_of
from brokers.sandbox.universe.dump_universe import AwakeInstrument
from brokers.sandbox.universe.instrument_catalogue import InstrumentCatalogue
from compiled.model.values import MINUTE, SECOND
from engine.market.charges import load_rate_table

DERIVATIVES = ("NFO", "BFO")

# as Kite's do, every day (Kite Connect v3, "User")
TOKENS_DIE = kite_times.time_of_day("06:00")


def stopped_by_halt(group: SessionGroup) -> bool:
    """Return whether a market-wide halt stops a group: all but commodities."""
    return group.exchange != "MCX"


@final
class SandboxExchange:
    """One virtual trading day of an account, `carried` from the day before.

    `watched` are those of the twenty names that a request may name, None for all: the others stand
    still, and so does the index's circuit breaker, which the watched ones alone cannot reach.
    """

    def __init__(
        self,
        config: SandboxConfig,
        carried: CarriedAccount | None = None,
        watched: Collection[str] | None = None,
    ) -> None:
        config.check()
        self.config = config
        day = build_universe(config, watched, carried)
        self.market, self.past, self.index = day.market, day.past, day.basket
        self.dump = day.dump
        self._text = day.text
        asleep = {row.token: key for key, row in day.dump.rows.items()} if day.dump else {}
        self.catalogue = InstrumentCatalogue(
            [*self.market.listings, self.index], asleep, self._wake_instrument
        )
        self.listings, self.tokens = self.catalogue.by_key, self.catalogue.by_token
        self.on_wake: Callable[[str], None] | None = None
        """Called with the key of an instrument that wakes: the state keeps it."""
        self._indices = [self.index]
        self._phases: dict[int, list[tuple[int, str]]] = {}
        """(instant, phase) that each group has been through, by its listings."""
        self._hours = {
            int(one.instrument.token): group for group in day.groups for one in group.listings
        }
        self.today = kite_times.midnight(config.date)
        self.scheduler = ActionScheduler()
        self.faults = FaultRules(config.seed, self.today, config.all_faults())
        self.clients = ClientBroadcast(
            self.tokens,
            self.faults,
            self.scheduler,
            config.choices,
            conflate=config.speed is not None,
        )
        if config.postback:
            self.clients.postbacks = []
        traded = (
            {row.exchange: None for row in day.dump.rows.values()} if day.dump else config.exchanges
        )
        self.session = SandboxSession(config, tuple(traded))
        self.circuits = CircuitWatch(
            self.index, self.today, self._cancel_outside_band, self._halt_market
        )
        self.circuits.halts_market = watched is None
        for share in self.index.members:
            self.circuits.watch(share)
        carried = carried or carried_account.configured_account(config, self.listings)
        self._auctioneer = CallAuctioneer(self.market.leave, self._drop_from_auction)
        self.dropped: list[str] = []
        """What the day before has left, and this one refuses."""
        self.portfolio = carried_account.morning_portfolio(
            carried, self.listings, config, self.dropped
        )
        self.funds = AccountFunds(carried.cash, self.portfolio)
        self.orders = OrderDesk(
            self.session.user_id,
            config.date,
            portfolio=self.portfolio,
            funds=self.funds,
            notify=self._notify_clients,
            faults=self.faults,
            agenda=self.scheduler,
            choices=config.choices,
        )
        self.varieties = OrderVarieties(
            self.orders,
            self.portfolio,
            agenda=self.scheduler,
            hours=self._hours,
            day=(config.date, self.today),
            seed=config.seed,
        )
        self.gtts = GttDesk(self.session.user_id, self.listings, self._send_order, config.choices)
        self.alerts = AlertDesk(
            self.session.user_id, config.seed, self.listings, self._place_basket
        )
        self.estimates = MarginEstimates(self.listings, load_rate_table(), config.date, self.funds)
        self.limits = RequestRateLimits(
            DayRules(config.date).orders, config.limits, frozen=config.speed is None
        )
        self.is_over = False
        self.clock_stands = config.speed is None
        """Whether the clock stands still until it is moved, or let go on."""
        self._groups = day.groups
        self._halted_for_day = False
        self.start = starting_instant(config, self.market)
        self.market.skips_to = self.start if self.start > self.market.opens else 0
        if not self.market.skips_to:
            self._light_books()
        self.closes = self._plan_phases(day.groups)
        self.now = min(self.start, self.market.opens)
        overnight.restore_requests(carried, self)
        self.gtts.expire_gtts(self.now)
        self._next = self.market.next(min(self.start, self.market.opens) - 1)
        # the session before the start is lived through: a client finds its prints, minutes and
        # depth
        while (due := self.next_instant()) < min(self.start, self.closes):
            self._run_instant(due)
        self.now = self.start
        self._light_books()
        self._run_scheduler()

    def _light_books(self) -> None:
        """Let the named shares trade in books."""
        for share in self.index.members:
            share.book  # noqa: B018  the first look makes it

    @property
    def dump_text(self) -> str:
        """Return the instrument dump of the day as CSV."""
        if not self._text:
            rows = (
                self.dump.rows.values()
                if self.dump
                else map(quotes.listing_row, self.catalogue.awake_by_token.values())
            )
            self._text = quotes.dump_csv(rows)
        return self._text

    def _wake_instrument(self, key: str) -> ExchangeListing | ListedIndex:
        """Make an instrument of the dump, now that it is asked for; from now on it moves."""
        assert self.dump is not None
        row = self.dump.rows[key]
        if row.kind == "INDEX":
            index = self.dump.index(row, self.index.members)
            index.recall_day()
            index.update_value(self.now)
            self._indices.append(index)
            self.catalogue.add(index)
            return index
        made, group = self.dump.make(key, self.catalogue.find), self.dump.group_of(key)
        assert isinstance(self.market, SeededCrowd)
        self._begin_trading(made, group)
        if self.dump.band_slides(row):
            self.circuits.watch(made.listing)
        if self.on_wake is not None:
            self.on_wake(key)
        return made.listing

    def _begin_trading(self, made: AwakeInstrument, group: SessionGroup) -> None:
        """Let an instrument move from now on, after the day it has had so far."""
        listing, lived = made.listing, self._phases.get(id(group.listings), [])
        assert isinstance(self.market, SeededCrowd)
        traders = traders_of(made, self.config.seed)
        self.market.join(traders)
        # in the order it would have lived them: call phases, the day's trading, and what came after
        for due, phase in lived:
            if due < group.opens:
                self._enter_phase(listing, phase, due)
        self.market.recall(
            traders, [(part.start, part.end) for part in group.phases if part.name == CONTINUOUS]
        )
        for due, phase in lived:
            if due >= group.opens:
                self._enter_phase(listing, phase, due)
        self._hours[int(listing.instrument.token)] = group
        group.listings.append(listing)
        self.catalogue.add(listing)
        if listing.phase == CONTINUOUS:
            self.market.match(listing, self.now)
            self.react_to_prices(listing)

    def _plan_phases(self, groups: list[SessionGroup]) -> int:
        """Put the day's phases on the agenda and return when it is over."""
        ends = []
        first = min(self.start, self.market.opens)
        for group in groups:
            for due, phase in session_phases.phase_changes(group, first, self.config.seed):
                self.scheduler.add(due, self._phase_action(group, phase, due))
            self.scheduler.add(group.last_match, self._day_end_action(group))
            if self.config.square_off and group.square_off is not None:
                self.scheduler.add(group.square_off, self._square_off_action(group))
            late = [phase.end for phase in group.phases if phase.name == session_phases.POST_CLOSE]
            ends.append(max([group.last_match, *(late if self.config.post_close else [])]))
        auction = session_phases.auction_start(
            session_phases.ist_date(self.config.date), new=self.config.choices.new_hours
        )
        if auction is not None and auction >= first:
            self.scheduler.add(auction, self._bound_futures)
        self.scheduler.add(
            self.varieties.auction_match_time(), lambda: self.varieties.settle_auctions(self.now)
        )
        if self.start < self.today + TOKENS_DIE:
            self.scheduler.add(self.today + TOKENS_DIE, self._end_session)
        return max(ends)

    def _end_session(self) -> None:
        """End the tokens of the day before, and the streams opened with them."""
        self.session.expire()
        self.clients.close_connections()

    def _phase_action(self, group: SessionGroup, phase: str, due: int) -> Action:
        def turn() -> None:
            if self._halted_for_day and stopped_by_halt(group):
                return
            self._phases.setdefault(id(group.listings), []).append((due, phase))
            for listing in group.listings:
                self._enter_phase(listing, phase, due)

        return turn

    def _enter_phase(self, listing: ExchangeListing, phase: str, due: int) -> None:
        """Let an instrument enter a phase; at the end of a call phase it trades at one price."""
        called = listing.in_call_phase
        if phase == session_phases.POST_CLOSE:
            self.market.leave(listing)
        self._auctioneer.enter_phase(listing, phase, due)
        if called and not listing.in_call_phase:
            if not listing.has_book:
                self.market.match(listing, due)
            self.react_to_prices(listing)
            self.market.leave(listing)

    def _day_end_action(self, group: SessionGroup) -> Action:
        def end() -> None:
            mine = {id(listing) for listing in group.listings}
            for order in self.orders.live_orders():
                if id(order.ask.listing) in mine and order.status != AMO:
                    self.orders.cancel_by_system(order, self.now)

        return end

    def _square_off_action(self, group: SessionGroup) -> Action:
        return lambda: self.varieties.square_off(group, self.now, self.react_to_prices)

    def _cancel_outside_band(self, listing: ExchangeListing) -> None:
        """Cancel what a band has slid away from."""
        made = listing.instrument
        for order in self.orders.live_orders():
            outside = order.ask.price and not made.lower <= order.ask.price <= made.upper
            if order.ask.listing is listing and outside and order.status != AMO:
                self.orders.cancel_by_system(
                    order, self.now, "Cancelled by the exchange: outside the price band."
                )

    def _bound_futures(self) -> None:
        """Hold futures to the closing auction's band about their average, until they close."""
        for group in self._groups:
            for listing in group.listings:
                made = listing.instrument
                if (
                    made.kind == "FUT"
                    and group.exchange in DERIVATIVES
                    and listing.rules.bands_futures(made.name)
                ):
                    listing.reference = int(
                        made.ticks(
                            listing.vwap(self.now - session_phases.REFERENCE_SPAN) or listing.ltp
                        )
                    )
                    listing.confine_band(listing.rules.auction_percent)
                    self._cancel_outside_band(listing)

    def _halt_market(self, minutes: int) -> None:
        """Stop all but commodities, for minutes and a call auction, or for the rest of the day."""
        self.clients.send_notice(session_phases.HALT)
        stopped = [group for group in self._groups if stopped_by_halt(group)]
        resumes = self.now + minutes * MINUTE
        for group in stopped:
            for listing in group.listings:
                for order in self.orders.live_orders():
                    if (
                        self.config.choices.halt_cancels
                        and order.ask.listing is listing
                        and order.status != AMO
                    ):
                        self.orders.cancel_by_system(order, self.now, session_phases.HALT)
            self._phase_action(group, session_phases.HALTED, self.now)()
            if minutes == REST:
                continue
            if any(
                phase.name in session_phases.CALLING
                for phase in group.phases
                if phase.start < group.opens
            ):
                self.scheduler.add(
                    resumes, self._phase_action(group, session_phases.HALT_CALL, resumes)
                )
            opens = resumes + session_phases.HALT_CALL_MINUTES * MINUTE
            self.scheduler.add(opens, self._phase_action(group, CONTINUOUS, opens))
        self._halted_for_day = minutes == REST

    def _drop_from_auction(self, listing: ExchangeListing) -> None:
        for order in self.orders.live_orders():
            ask = order.ask
            if ask.listing is not listing or order.status == AMO:
                continue
            late = listing.reference > 0 and listing.rules.icebergs_stay
            stays = ask.order_type == "LIMIT" and not ask.disclosed and (late or not ask.iceberg)
            if late and not listing.instrument.lower <= ask.price <= listing.instrument.upper:
                stays = False
            if not stays:
                self.orders.cancel_by_system(
                    order, self.now, "Cancelled by the exchange before the auction."
                )

    def connect(self) -> ClientConnection:
        """Open a client connection; raise `SandboxApiError` where there are far too many."""
        return self.clients.connect()

    def next_instant(self) -> int:
        """Return when something happens next: a move, a scheduled action, a client's first tick."""
        due = min(self._next, self.closes)
        if self.scheduler.next_due is not None:
            due = min(due, self.scheduler.next_due)
        if self.clients.awaits_first_tick:
            # with the next whole second, when the market's own ticks are sent
            due = min(due, self.now - self.now % SECOND + SECOND)
        return due

    def run(self, until: int) -> None:
        """Let everything happen that is due at or before `until`, and move the clock there."""
        while not self.is_over and (due := self.next_instant()) <= until:
            self._run_instant(due)
        self.now = max(self.now, until)

    def advance(self, until: int) -> None:
        """Move to the next instant at which a client is sent something, at the latest `until`."""
        before = self.clients.sent
        while not self.is_over and (due := self.next_instant()) <= until:
            self._run_instant(due)
            if self.clients.sent != before:
                return
        if not self.is_over:
            self.now = max(self.now, until)

    def _run_instant(self, due: int) -> None:
        self.now = max(self.now, due)
        # before the market moves: a phase that begins at this instant governs its trades
        self._run_scheduler()
        if self._next <= due:
            self._step_market(due)
        if due >= self.closes:
            self.orders.cancel_all(self.now)
            self.is_over = True
        # last: a tick shows everything of its instant
        self._emit_ticks()

    def _run_scheduler(self) -> None:
        if self.scheduler.run_due(self.now):
            for listing in self.market.listings:
                if listing.has_book:
                    self.react_to_prices(listing)

    def _step_market(self, due: int) -> None:
        self.now = due
        self.market.shift = self.faults.shift(due)
        for listing in self.market.step(due):
            self.react_to_prices(listing)
        for index in self._indices:
            index.update_value(due)
        if self.config.tape is None:
            self.circuits.check(self.now)
        self.alerts.fire_due_alerts(self.now)
        self._next = self.market.next(due)

    def react_to_prices(self, listing: ExchangeListing) -> None:
        """Book our fills in a listing and fire what its prices have reached, until it is quiet."""
        self.orders.book_fills(listing, self.now)
        # an order that fires may trade at once, and move the price to the next trigger
        while listing.reached_range is not None:
            (low, high), listing.reached_range = listing.reached_range, None
            self.orders.open_reached_stops(listing, low, high, self.now)
            self.gtts.fire_reached(listing, low, high, self.now)

    def _emit_ticks(self) -> None:
        changed = {}
        stamp, wanted = self.stamp, self.clients.subscribed_tokens
        for token, listing in self.catalogue.awake_by_token.items():
            if listing.has_changed:
                listing.has_changed = False
                if token in wanted:
                    changed[token] = listing.snapshot(stamp)
        self.clients.send_ticks(changed, self.now)

    @property
    def stamp(self) -> int:
        """Return the time as the exchange's clock writes it: off by a fault's skew."""
        return self.now + self.faults.skew(self.now) if self.faults else self.now

    def place_order(
        self, ask: OrderRequest, *, slices: bool = False
    ) -> list[ClientOrder | SandboxApiError]:
        """Take an order, or the parts it is sliced into."""
        parts = self.varieties.place_order(ask, self.now, slices=slices)
        self.react_to_prices(ask.listing)
        # the request is counted where it arrives; its further slices and legs are orders as well
        self.limits.add_orders(
            len(parts) - 1 + (ask.iceberg.legs - 1 if ask.iceberg else 0), self.now
        )
        return parts

    def _send_order(self, ask: OrderRequest, now: int) -> ClientOrder:
        return self.orders.place_order(ask, now)

    def _place_basket(self, asks: list[OrderRequest]) -> list[ClientOrder]:
        return [self.orders.place_by_system(ask, self.now) for ask in asks]

    def _notify_clients(self, order: ClientOrder, status: str) -> None:
        if self.clients.has_listeners:
            self.clients.send_order_update(
                order.postback_row(status, APP_ID, self.session.api_secret), self.now
            )

    def find_by_token(self, token: str) -> ExchangeListing | ListedIndex:
        """Return what a token stands for."""
        found = self.tokens.get(int(token)) if token.isdecimal() else None
        if found is None:
            raise invalid("Invalid `instrument_token`.")
        return found

    def hold_clock(self, *, on: bool) -> None:
        """Stop the clock, or let it go on from where it stands; requests are answered meanwhile."""
        self.clock_stands = self.limits.clock_stands = on or self.config.speed is None

    def clock_row(self) -> dict[str, object]:
        """Return the clock as the admin route shows it."""
        return {
            "now": self.now,
            "speed": self.config.speed,
            "held": self.clock_stands,
            "start": self.start,
            "sent": self.clients.sent,
            "over": self.is_over,
            "full": sum(connection.full_count for connection in self.clients.connections),
        }
