"""What the desk holds: ladders and their rungs, who follows them, and what they use of the limits."""

from typing import Final, final

from mypy_extensions import i64

from compiled.decisions import Cause
from compiled.indicators_price import Followed
from compiled.ladder import Ladder, Rung, RungState, protected, standing
from compiled.ledger import Ledger, Position
from compiled.model import MINUTE, SECOND, Bar, Gtt, Instrument, Order, OrderStatus, Purpose, paise
from compiled.orders import outstanding, reach, settled
from compiled.outbox import Outbox
from compiled.protection import leave, tend
from compiled.risk import Limits, Usage
from compiled.strategy import Columns, Context, Quote, Request, Strategy
from compiled.table import Table


@final
class Market(Quote):
    """What the kernel knows of one instrument: last price, best bid and ask, when it last heard of it.

    `calm` is a replay's note that no price calls for anything here; every change of a ladder takes it back. `line` is where
    a replay keeps its bare position, `place` where its bars are made (-1: before its first tick). While it is `untraded`, its
    last price is of an earlier day. `stamp` is that of the exchange on its last packet, `lag` how old the last was that brought
    something new (ns); one that comes too `late` is no price to enter at. While it is `cold` its history is not there yet: listeners and tickers are `waiting`,
    since `cooled` (ns; 0: never).
    """

    def __init__(self, instrument: Instrument) -> None:
        super().__init__()
        self.instrument = instrument
        self.token: i64 = instrument.token
        self.ltp = 0.0
        self.bid = 0.0
        self.ask = 0.0
        self.volume: i64 = 0
        self.heard: i64 = 0
        self.stamp: i64 = 0
        self.lag: i64 = 0
        self.late = False
        self.live = True
        self.untraded = False
        self.version: i64 = 0
        self.held: list[Position] | None = None
        self.calm = True
        self.line: i64 = -1
        self.place: i64 = -1
        self.ladders: list[Ladder] = []
        self.listeners: list[Slot] = []
        self.tickers: list[Slot] = []
        self.cold = False
        self.cooled: i64 = 0
        self.waiting: list[list[Slot]] = []


@final
class Slot:
    """One strategy as the kernel runs it."""

    def __init__(self, strategy: Strategy, tokens: list[int]) -> None:
        self.strategy = strategy
        self.name: str = strategy.name
        self.span: i64 = strategy.span
        self.every: i64 = strategy.every * SECOND
        self.tokens = tokens
        self.follows: Table[Followed] = Table()
        self.context = Context(strategy.name)
        self.opens: i64 = 0
        self.due: i64 = 0
        self.stopped = ""
        self.error: BaseException | None = None
        """What it raised, where a fault of its own has stopped it."""
        self.calls: i64 = 0
        """How often it was called, and has returned: odd while it is at work."""
        self.limited = False
        """Whether a limit has stopped it, which holds for the day."""
        self.entered: list[int] = []
        """When its entries of the last minute left (ns)."""
        self.losses: i64 = 0
        self.peak: i64 = 0
        self.before: i64 = 0
        self.signals: i64 = 0
        self.last_signal = ""

    def hears(self, bar: Bar) -> bool:
        """Take a bar into what the strategy follows; tell whether it hears it."""
        followed = self.follows.get(bar.token)
        return followed is None or followed.step(bar.high, bar.low, bar.close, float(bar.volume))


DRY_RUN: Final = "DRY_RUN"
"""How the reason of an order begins that was decided and, in a dry run, not sent."""


class Lane(Columns):
    """Where a replay takes the requests that need no ladder."""

    def ask(self, slot: Slot, market: Market, request: Request, cause: Cause) -> bool:  # noqa: ARG002  there is no lane
        """Do what a strategy asks for, where it can be done without a ladder; return whether it was."""
        return False


class Positions:
    """Every ladder of the desk by its number, its rungs, and the ones that have changed since the engine looked.

    What is ours and should not work (it stands twice, or came when nobody waited for it any more) stands among the strays
    until it is gone. While it is `blind` nothing is sold or protected, unless it flattens: the broker's books have not been
    compared with ours yet. `unsent` are the entries of a dry run: what they would hold counts for the rest of the day. `still` is a replay's note that the clock calls for nothing on any ladder; every change of one takes
    it back.
    """

    def __init__(
        self, out: Outbox, ledger: Ledger, limits: Limits, markets: Table[Market], slots: list[Slot], first: i64
    ) -> None:
        self.out = out
        self.ledger = ledger
        self.limits = limits
        self.markets = markets
        self.slots = slots
        self.ladders: Table[Ladder] = Table()
        self.owners: Table[Ladder] = Table()
        self.rungs: Table[Rung] = Table()
        self.strays: Table[Order] = Table()
        self.unsent: list[Order] = []
        self.stray_gtts: Table[Gtt] = Table()
        self.changed_rungs: Table[Rung] = Table()
        self.changed_ladders: Table[Ladder] = Table()
        self.next_number: i64 = first
        self.still = False
        self.blind = False
        self.halted = False
        self.flattening = False
        self.losses: i64 = 0
        self.entries: i64 = 0
        self.round_trips: i64 = 0
        self.lane: Lane | None = None

    def _leave(self, ladder: Ladder, reason: str) -> None:
        ladder.leaving = True
        self.changed_ladders[ladder.ladder_id] = ladder
        for rung in ladder.rungs:
            if rung.live:
                leave(rung, reason)
                if self.flattening:
                    rung.doubt = 0
                self.changed_rungs[rung.rung_id] = rung
        self._tend(ladder)

    def adopt(self, ladder: Ladder) -> None:
        """Follow a ladder from here on: a new one, or one restored from the journal."""
        token = int(ladder.instrument.token)
        self.ladders[ladder.ladder_id] = ladder
        self.owners[ladder.ladder_id] = ladder
        self.changed_ladders[ladder.ladder_id] = ladder
        market = self.markets[token]
        market.calm = False
        self.still = False
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

    def _usage(self, candidate: Ladder) -> Usage:
        usage = Usage()
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
                    coming = outstanding(entry) + reach(entry) - entry.quantity
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
        for order in self.unsent:
            market = self.markets[order.token]
            value = paise(market.last if market.last > 0.0 else market.instrument.close, order.quantity)
            pending += value
            usage.positions += 1
            usage.exposure += value
            if order.token == candidate.instrument.token:
                usage.symbol_positions += 1
                usage.symbol_exposure += value
            if order.strategy == candidate.strategy:
                usage.strategy_exposure += value
        usage.recent = self.recent(candidate.strategy)
        usage.trades = self.entries
        usage.funds = self.ledger.cash - pending
        return usage

    def recent(self, strategy: str) -> i64:
        """Return how many entries of a strategy have left within a minute, 0 where they are not limited."""
        if self.limits.max_orders_per_minute <= 0:
            return 0
        for slot in self.slots:
            if slot.name == strategy:
                slot.entered = [ts for ts in slot.entered if ts > self.out.now - MINUTE]
                return len(slot.entered)
        return 0

    def _tend(self, ladder: Ladder) -> None:
        market = self.markets[int(ladder.instrument.token)]
        market.calm = False
        self.still = False
        if self.blind and not self.flattening:
            return
        for rung in ladder.rungs:
            if not rung.live:
                continue
            before = rung.state
            moved = rung.moved
            tend(self.out, ladder, rung, market.last)
            if rung.state is not before or rung.moved != moved:
                self.changed_rungs[rung.rung_id] = rung
            if rung.state is RungState.CLOSED:
                self._rung_closed(ladder, rung)
        if not ladder.open:
            ladder.closed = self.out.now
            self.changed_ladders[ladder.ladder_id] = ladder
            self.forget(ladder)

    def _rung_closed(self, ladder: Ladder, rung: Rung) -> None:
        if not rung.bought:
            return
        self.count(ladder.strategy, rung.pnl(ladder.sign, 0.0))

    def count(self, strategy: str, pnl: i64) -> None:
        """Count a trade that is over, with its P&L after charges in paise: losses in a row are a limit."""
        self.round_trips += 1
        self.losses = self.losses + 1 if pnl < 0 else 0
        for slot in self.slots:
            if slot.name == strategy:
                slot.losses = slot.losses + 1 if pnl < 0 else 0

    def forget(self, ladder: Ladder) -> None:
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

    def _reopen(self, rung: Rung) -> None:
        """Follow a rung again whose order, given up as lost, has traded after all."""
        ladder = self.owners[int(rung.ladder_id)]
        ladder.closed = 0
        self.adopt(ladder)
        if self.flattening:
            ladder.leaving = True
            leave(rung, "flatten")

    def _tend_rung(self, rung_id: i64) -> None:
        rung = self.rungs.get(int(rung_id))
        if rung is not None:
            ladder = self.ladders.get(int(rung.ladder_id))
            if ladder is not None:
                self._tend(ladder)

    def clear_strays(self) -> None:
        """Ask again for what could not be cancelled or deleted yet, and forget what is gone."""
        for order in self.strays.values():
            if order.live:
                self.out.cancel(order)
            else:
                del self.strays[order.intent]
        for gtt in self.stray_gtts.values():
            if gtt.live:
                self.out.delete_gtt(gtt)
            else:
                del self.stray_gtts[gtt.intent]

    def _halt(self) -> None:
        self.halted = True
        if self.lane is not None:
            self.lane.show()
        for ladder in self.ladders.values():
            self._cancel_entries(ladder)

    def _cancel_entries(self, ladder: Ladder) -> None:
        for rung in ladder.rungs:
            if rung.entry is not None:
                self.out.cancel(rung.entry)

    def working(self) -> bool:
        """Tell whether an order is at work, or a rung waits for its protection or its exit, and not for the next session."""
        for ladder in self.ladders.values():
            for rung in ladder.rungs:
                if rung.live and self._works(ladder, rung):
                    return True
        return False

    def _works(self, ladder: Ladder, rung: Rung) -> bool:
        entry = rung.entry
        if entry is not None and not settled(entry) and not _rests(ladder, rung, entry):
            return True
        hours = ladder.instrument.hours
        shut = self.out.now >= hours.ends or self.out.now < hours.opens
        if rung.exit is not None or (rung.leaving and rung.present != 0 and not shut):
            return True
        if rung.present <= 0 or rung.plan.stop_percent <= 0.0 or rung.shielded:
            return False
        return not shut or (not ladder.plan.resting and self.out.now >= rung.protect_at)

    def naked(self) -> i64:
        """Return how many open rungs have less protection that could fill than shares, or could sell more than they hold.

        One bare by plan needs none, where the broker takes stops at all. More is sold by stops and exits beyond the shares, and by what stands twice at the broker.
        """
        found = {int(gtt.rung) for gtt in self.stray_gtts.values()}
        for order in self.strays.values():
            if order.live and order.purpose is not Purpose.ENTRY:
                found.add(int(order.rung))
        for ladder in self.ladders.values():
            last = self.markets[int(ladder.instrument.token)].last
            for rung in ladder.rungs:
                short = rung.present > 0 and self._short_of(ladder, rung, last)
                if rung.quantity < 0 or short or (rung.quantity > 0 and standing(rung) > rung.present):
                    found.add(int(rung.rung_id))
        return len(found)

    def _short_of(self, ladder: Ladder, rung: Rung, last: float) -> bool:
        """Tell whether a rung that should have a stop has less protection than shares."""
        return (rung.plan.stop_percent > 0.0 or self.out.limit_only) and protected(ladder, rung, last) < rung.present

    def open_positions(self) -> i64:
        """Return how many rungs hold shares."""
        count: i64 = 0
        for ladder in self.ladders.values():
            for rung in ladder.rungs:
                if rung.quantity > 0:
                    count += 1
        return count


def _rests(ladder: Ladder, rung: Rung, entry: Order) -> bool:
    """Tell whether an entry waits in the book, untouched, for as long as its order lives: nothing is under way with it."""
    waits = entry.status is OrderStatus.OPEN or entry.status is OrderStatus.TRIGGER_PENDING
    still = entry.pending is None and not entry.cancelling and entry.traded == 0 and entry.filled == 0
    return waits and still and ladder.plan.entry_seconds == 0 and not rung.leaving
