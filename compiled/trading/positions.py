"""What the desk holds: ladders and their rungs, who follows them, and what they use of the limits."""

from typing import Final, final

from mypy_extensions import i64

from compiled.accounting.ledger import Ledger, Position
from compiled.indicators.price import FollowedIndicators
from compiled.model.int_map import IntMap
from compiled.model.values import (
    MINUTE,
    SECOND,
    Bar,
    Gtt,
    Instrument,
    Order,
    OrderPurpose,
    OrderStatus,
    paise,
)
from compiled.trading.decision_log import DecisionCause
from compiled.trading.ladder import Ladder, Rung, RungState, protected_quantity, standing_quantity
from compiled.trading.order_states import is_settled, largest_quantity, outstanding_quantity
from compiled.trading.order_store import OrderStore
from compiled.trading.protection import mark_leaving, tend_rung
from compiled.trading.risk import LimitUsage, RiskLimits
from compiled.trading.strategy import (
    Context,
    DeferredPositions,
    InstrumentQuote,
    Strategy,
    StrategyRequest,
)


@final
class InstrumentState(InstrumentQuote):
    """What the kernel knows of one instrument.

    Last price, best bid and ask, when it last heard of it.

    `idle_at_any_price` is a replay's note that no price calls for anything here; every change of a
    ladder takes it back. `position_index` is where a replay keeps its bare position, `bar_block`
    where its bars are made (-1: before its first tick). While it is `untraded`, its last price is
    of an earlier day. `stamp` is that of the exchange on its last packet, `lag` how old the last
    was that brought something new (ns); one that comes too `is_late` is no price to enter at. While
    it is `is_cold` its history is not there yet: listeners and tickers are `waiting_listeners`,
    since `cold_since` (ns; 0: never).
    """

    def __init__(self, instrument: Instrument) -> None:
        super().__init__()
        self.instrument = instrument
        self.token: i64 = instrument.token
        self.ltp = 0.0
        self.bid = 0.0
        self.ask = 0.0
        self.volume: i64 = 0
        self.heard_at: i64 = 0
        self.stamp: i64 = 0
        self.lag: i64 = 0
        self.is_late = False
        self.live = True
        self.untraded = False
        self.version: i64 = 0
        self.held: list[Position] | None = None
        self.idle_at_any_price = True
        self.position_index: i64 = -1
        self.bar_block: i64 = -1
        self.ladders: list[Ladder] = []
        self.listeners: list[StrategyState] = []
        self.tickers: list[StrategyState] = []
        self.is_cold = False
        self.cold_since: i64 = 0
        self.waiting_listeners: list[list[StrategyState]] = []


@final
class StrategyState:
    """One strategy as the kernel runs it."""

    def __init__(self, strategy: Strategy, tokens: list[int]) -> None:
        self.strategy = strategy
        self.name: str = strategy.name
        self.span: i64 = strategy.span
        self.every: i64 = strategy.every * SECOND
        self.tokens = tokens
        self.follows: IntMap[FollowedIndicators] = IntMap()
        self.context = Context(strategy.name)
        self.opens: i64 = 0
        self.due: i64 = 0
        self.stopped = ""
        self.error: BaseException | None = None
        """What it raised, where a fault of its own has stopped it."""
        self.call_count: i64 = 0
        """How often it was called, and has returned: odd while it is at work."""
        self.limit_stopped = False
        """Whether a limit has stopped it, which holds for the day."""
        self.entry_times: list[int] = []
        """When its entries of the last minute left (ns)."""
        self.losses: i64 = 0
        self.peak: i64 = 0
        self.net_at_open: i64 = 0
        self.signals: i64 = 0
        self.last_signal = ""

    def step_indicators(self, bar: Bar) -> bool:
        """Take a bar into what the strategy follows; tell whether it hears it."""
        followed = self.follows.get(bar.token)
        return followed is None or followed.step(bar.high, bar.low, bar.close, float(bar.volume))


DRY_RUN: Final = "DRY_RUN"
"""How the reason of an order begins that was decided and, in a dry run, not sent."""


class FastLane(DeferredPositions):
    """Where a replay takes the requests that need no ladder."""

    def try_request(
        self,
        slot: StrategyState,  # noqa: ARG002
        market: InstrumentState,  # noqa: ARG002
        request: StrategyRequest,  # noqa: ARG002
        cause: DecisionCause,  # noqa: ARG002
    ) -> bool:
        """Do what a strategy asks for, where it can be done without a ladder.

        Return whether it was.
        """
        return False


class DeskPositions:
    """Every ladder of the desk by its number, its rungs, and the ones that have changed since the engine looked.

    What is ours and should not work (it stands twice, or came when nobody waited for it any more)
    stands among the strays until it is gone. While it is `is_blind` nothing is sold or protected,
    unless it flattens: the broker's books have not been compared with ours yet. `dry_run_entries`
    are the entries of a dry run: what they would hold counts for the rest of the day. `clock_idle`
    is a replay's note that the clock calls for nothing on any ladder; every change of one takes it
    back.
    """

    def __init__(
        self,
        out: OrderStore,
        ledger: Ledger,
        limits: RiskLimits,
        markets: IntMap[InstrumentState],
        slots: list[StrategyState],
        first: i64,
    ) -> None:
        self.order_store = out
        self.ledger = ledger
        self.limits = limits
        self.markets = markets
        self.slots = slots
        self.ladders: IntMap[Ladder] = IntMap()
        self.owners: IntMap[Ladder] = IntMap()
        self.rungs: IntMap[Rung] = IntMap()
        self.strays: IntMap[Order] = IntMap()
        self.dry_run_entries: list[Order] = []
        self.stray_gtts: IntMap[Gtt] = IntMap()
        self.changed_rungs: IntMap[Rung] = IntMap()
        self.changed_ladders: IntMap[Ladder] = IntMap()
        self.next_number: i64 = first
        self.clock_idle = False
        self.is_blind = False
        self.halted = False
        self.flattening = False
        self.losses: i64 = 0
        self.entry_count: i64 = 0
        self.round_trips: i64 = 0
        self.lane: FastLane | None = None

    def _leave_ladder(self, ladder: Ladder, reason: str) -> None:
        ladder.leaving = True
        self.changed_ladders[ladder.ladder_id] = ladder
        for rung in ladder.rungs:
            if rung.live:
                mark_leaving(rung, reason)
                if self.flattening:
                    rung.doubt_until = 0
                self.changed_rungs[rung.rung_id] = rung
        self._tend_ladder(ladder)

    def follow_ladder(self, ladder: Ladder) -> None:
        """Follow a ladder from here on: a new one, or one restored from the journal."""
        token = int(ladder.instrument.token)
        self.ladders[ladder.ladder_id] = ladder
        self.owners[ladder.ladder_id] = ladder
        self.changed_ladders[ladder.ladder_id] = ladder
        market = self.markets[token]
        market.idle_at_any_price = False
        self.clock_idle = False
        if ladder not in market.ladders:
            market.ladders.append(ladder)
        for slot in self.slots:
            if slot.name == ladder.strategy:
                held = slot.context.held.setdefault(token, [])
                if ladder not in held:
                    held.append(ladder)
        for rung in ladder.rungs:
            self.rungs[rung.rung_id] = rung
            if rung.rung_id >= self.next_number:
                self.next_number = rung.rung_id + 1

    def _limit_usage(self, candidate: Ladder) -> LimitUsage:
        usage = LimitUsage()
        pending: i64 = 0
        for ladder in self.ladders.values():
            last = self.markets[int(ladder.instrument.token)].last
            for rung in ladder.rungs:
                if not rung.live:
                    continue
                if last <= 0.0:  # nothing heard yet since a restart
                    last = rung.average if rung.bought else ladder.instrument.close
                coming: i64 = 0
                entry = rung.entry
                if entry is not None:
                    coming = outstanding_quantity(entry) + largest_quantity(entry) - entry.quantity
                # what has left beyond what was held is exposed, too, until it is back
                held = rung.quantity if rung.quantity >= 0 else -rung.quantity
                value = paise(last, held + coming)
                pending += paise(last, coming)
                usage.positions += 1
                usage.exposure += value
                if ladder.instrument.token == candidate.instrument.token:
                    usage.symbol_positions += 1
                    usage.symbol_exposure += value
                if ladder.strategy == candidate.strategy:
                    usage.strategy_exposure += value
        for order in self.dry_run_entries:
            market = self.markets[order.token]
            value = paise(
                market.last if market.last > 0.0 else market.instrument.close, order.quantity
            )
            pending += value
            usage.positions += 1
            usage.exposure += value
            if order.token == candidate.instrument.token:
                usage.symbol_positions += 1
                usage.symbol_exposure += value
            if order.strategy == candidate.strategy:
                usage.strategy_exposure += value
        usage.recent = self.recent_entries(candidate.strategy)
        usage.trades = self.entry_count
        usage.funds = self.ledger.cash - pending
        return usage

    def recent_entries(self, strategy: str) -> i64:
        """Return how many entries of a strategy have left within a minute, 0 where they are not limited."""
        if self.limits.max_orders_per_minute <= 0:
            return 0
        for slot in self.slots:
            if slot.name == strategy:
                slot.entry_times = [
                    ts for ts in slot.entry_times if ts > self.order_store.now - MINUTE
                ]
                return len(slot.entry_times)
        return 0

    def _tend_ladder(self, ladder: Ladder) -> None:
        market = self.markets[int(ladder.instrument.token)]
        market.idle_at_any_price = False
        self.clock_idle = False
        if self.is_blind and not self.flattening:
            return
        for rung in ladder.rungs:
            if not rung.live:
                continue
            before = rung.state
            moved = rung.moved
            tend_rung(self.order_store, ladder, rung, market.last)
            if rung.state is not before or rung.moved != moved:
                self.changed_rungs[rung.rung_id] = rung
            if rung.state is RungState.CLOSED:
                self._count_closed_rung(ladder, rung)
        if not ladder.open:
            ladder.closed = self.order_store.now
            self.changed_ladders[ladder.ladder_id] = ladder
            self.forget_ladder(ladder)

    def _count_closed_rung(self, ladder: Ladder, rung: Rung) -> None:
        if not rung.bought:
            return
        self.count_round_trip(ladder.strategy, rung.pnl(ladder.sign, 0.0))

    def count_round_trip(self, strategy: str, pnl: i64) -> None:
        """Count a trade that is over, with its P&L after charges in paise.

        Losses in a row are a limit.
        """
        self.round_trips += 1
        self.losses = self.losses + 1 if pnl < 0 else 0
        for slot in self.slots:
            if slot.name == strategy:
                slot.losses = slot.losses + 1 if pnl < 0 else 0

    def forget_ladder(self, ladder: Ladder) -> None:
        """Stop following a ladder that is over."""
        market = self.markets[int(ladder.instrument.token)]
        if ladder.ladder_id in self.ladders:
            del self.ladders[ladder.ladder_id]
        if ladder in market.ladders:
            market.ladders.remove(ladder)
        for slot in self.slots:
            if slot.name == ladder.strategy:
                held = slot.context.held.get(ladder.instrument.token)
                if held is not None and ladder in held:
                    held.remove(ladder)

    def _reopen_rung(self, rung: Rung) -> None:
        """Follow a rung again whose order, given up as lost, has traded after all."""
        ladder = self.owners[int(rung.ladder_id)]
        ladder.closed = 0
        self.follow_ladder(ladder)
        if self.flattening:
            ladder.leaving = True
            mark_leaving(rung, "flatten")

    def _tend_rung(self, rung_id: i64) -> None:
        rung = self.rungs.get(int(rung_id))
        if rung is not None:
            ladder = self.ladders.get(int(rung.ladder_id))
            if ladder is not None:
                self._tend_ladder(ladder)

    def clear_strays(self) -> None:
        """Ask again for what could not be cancelled or deleted yet, and forget what is gone."""
        for order in self.strays.values():
            if order.live:
                self.order_store.cancel_order(order)
            else:
                del self.strays[order.intent]
        for gtt in self.stray_gtts.values():
            if gtt.live:
                self.order_store.delete_gtt(gtt)
            else:
                del self.stray_gtts[gtt.intent]

    def _halt_entries(self) -> None:
        self.halted = True
        if self.lane is not None:
            self.lane.make_ladders()
        for ladder in self.ladders.values():
            self._cancel_entries(ladder)

    def _cancel_entries(self, ladder: Ladder) -> None:
        for rung in ladder.rungs:
            if rung.entry is not None:
                self.order_store.cancel_order(rung.entry)

    def has_work(self) -> bool:
        """Tell whether an order is at work, or a rung waits for its protection or its exit, and not for the next session."""
        for ladder in self.ladders.values():
            for rung in ladder.rungs:
                if rung.live and self._is_rung_working(ladder, rung):
                    return True
        return False

    def _is_rung_working(self, ladder: Ladder, rung: Rung) -> bool:
        entry = rung.entry
        if entry is not None and not is_settled(entry) and not _entry_rests(ladder, rung, entry):
            return True
        hours = ladder.instrument.hours
        shut = self.order_store.now >= hours.ends or self.order_store.now < hours.opens
        if rung.exit is not None or (rung.leaving and rung.present != 0 and not shut):
            return True
        if rung.present <= 0 or rung.plan.stop_percent <= 0.0 or rung.has_live_stop:
            return False
        return not shut or (not ladder.plan.resting and self.order_store.now >= rung.protect_at)

    def naked(self) -> i64:
        """Return how many open rungs have less protection that could fill than shares, or could sell more than they hold.

        One bare by plan needs none, where the broker takes stops at all. More is sold by stops and
        exits beyond the shares, and by what stands twice at the broker.
        """
        found = {int(gtt.rung) for gtt in self.stray_gtts.values()}
        for order in self.strays.values():
            if order.live and order.purpose is not OrderPurpose.ENTRY:
                found.add(int(order.rung))
        for ladder in self.ladders.values():
            last = self.markets[int(ladder.instrument.token)].last
            for rung in ladder.rungs:
                short = rung.present > 0 and self._lacks_protection(ladder, rung, last)
                if (
                    rung.quantity < 0
                    or short
                    or (rung.quantity > 0 and standing_quantity(rung) > rung.present)
                ):
                    found.add(int(rung.rung_id))
        return len(found)

    def _lacks_protection(self, ladder: Ladder, rung: Rung, last: float) -> bool:
        """Tell whether a rung that should have a stop has less protection than shares."""
        return (rung.plan.stop_percent > 0.0 or self.order_store.limit_only) and protected_quantity(
            ladder, rung, last
        ) < rung.present

    def open_positions(self) -> i64:
        """Return how many rungs hold shares."""
        count: i64 = 0
        for ladder in self.ladders.values():
            for rung in ladder.rungs:
                if rung.quantity > 0:
                    count += 1
        return count


def _entry_rests(ladder: Ladder, rung: Rung, entry: Order) -> bool:
    """Tell whether an entry waits in the book, untouched, for as long as its order lives.

    Nothing is under way with it.
    """
    waits = entry.status is OrderStatus.OPEN or entry.status is OrderStatus.TRIGGER_PENDING
    still = (
        entry.pending is None and not entry.cancelling and entry.traded == 0 and entry.filled == 0
    )
    return waits and still and ladder.plan.entry_seconds == 0 and not rung.leaving
