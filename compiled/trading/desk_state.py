"""The state of the desk as plain data: instruments, strategies, ladders, and the day's counts.

Each field has one writer among the parts of the kernel; the engine reads it, and writes none.
"""

from typing import Final, final

from mypy_extensions import i64

from compiled.accounting.charges import ChargeRates
from compiled.accounting.contract_notes import DayNotes
from compiled.accounting.ledger import Ledger, Position
from compiled.indicators.price import FollowedIndicators
from compiled.model.int_map import IntMap
from compiled.model.values import SECOND, Bar, Gtt, Instrument, Order
from compiled.trading.ladder import Ladder, Rung
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Context, InstrumentQuote, Strategy

NEVER_SO_LOW: Final = 1e300
"""A price (rupees) above every other."""


@final
class InstrumentState(InstrumentQuote):
    """The kernel's view of one instrument: last price, best bid and ask, time of the last packet.

    `idle_at_any_price` is a replay's note that no price calls for anything here, `idle_high` and
    `idle_low` that none between them does; every change of a ladder takes both back (`wake`).
    `bar_block` is where its bars are made (-1: before its first tick). While it is `untraded`, its
    last price is of an earlier day. `stamp` is that of the exchange on its last packet, `lag` how
    old the last was that brought something new (ns); one that comes too late `is_late` and is no
    price to enter at. While it is `is_cold` its history is not there yet: listeners and tickers are
    `waiting_listeners`, since `cold_since` (ns; 0: never).
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
        # True from the start: without a ladder no price calls for anything.
        self.idle_at_any_price = True
        self.idle_high = 0.0
        self.idle_low = NEVER_SO_LOW
        self.bar_block: i64 = -1
        self.ladders: list[Ladder] = []
        self.listeners: list[StrategyState] = []
        self.tickers: list[StrategyState] = []
        self.is_cold = False
        self.cold_since: i64 = 0
        self.waiting_listeners: list[list[StrategyState]] = []

    def wake(self) -> None:
        """Take back every note that no price calls for anything."""
        self.idle_at_any_price = False
        self.idle_high = 0.0
        self.idle_low = NEVER_SO_LOW

    def note_idle(self, high: float, low: float) -> None:
        """Take note that no price between these (rupees) calls for anything, as others before."""
        self.idle_high = max(self.idle_high, high)
        self.idle_low = min(self.idle_low, low)


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
        self.hand_stopped = False
        """Whether the operator has, which holds for the day, or until he starts it."""
        self.entry_times: list[int] = []
        """When its entries of the last minute left (ns)."""
        self.losses: i64 = 0
        self.peak: i64 = 0
        self.net_at_open: i64 = 0
        self.signals: i64 = 0
        self.last_signal = ""

    def count_unready(self) -> i64:
        """Return on how many instruments its indicators still wait for bars."""
        waiting: i64 = 0
        for followed in self.follows.values():
            if not followed.are_ready():
                waiting += 1
        return waiting

    def step_indicators(self, bar: Bar) -> bool:
        """Take a bar into the strategy's indicators; return whether it is to be passed on."""
        followed = self.follows.get(bar.token)
        return followed is None or followed.step(bar.high, bar.low, bar.close, float(bar.volume))


DRY_RUN: Final = "DRY_RUN"
"""How the reason of an order begins that was decided and, in a dry run, not sent."""


@final
class DeskState:
    """Every instrument, strategy, ladder and rung of the desk, and its counts of the day.

    Ladders stand in `ladders` while they are followed, in `owners` as long as their orders are
    known. Orders of ours that should not work (doubles, or late arrivals) stand among the strays
    until they are gone. While it `is_blind` nothing is sold or protected, unless it flattens: the
    broker's books have not been compared with ours yet. `dry_run_entries` are the entries of a dry
    run: their shares count for the rest of the day. `clock_idle` is a replay's note that the clock
    calls for nothing on any ladder; every change of one takes it back. `rates` maps 8 * token +
    product to the day's charges.
    """

    def __init__(
        self,
        ledger: Ledger,
        limits: RiskLimits,
        instruments: list[Instrument],
        slots: list[StrategyState],
        first: i64,
        rates: dict[int, ChargeRates],
    ) -> None:
        self.ledger = ledger
        self.limits = limits
        self.markets: IntMap[InstrumentState] = IntMap()
        for instrument in instruments:
            self.markets[instrument.token] = InstrumentState(instrument)
        self.slots = slots
        self.rates: IntMap[ChargeRates] = IntMap()
        for key, charges in rates.items():
            self.rates[key] = charges
        self.notes = DayNotes()
        self.ladders: IntMap[Ladder] = IntMap()
        # Longer than `ladders`: a late trade of a closed ladder still finds its rung.
        self.owners: IntMap[Ladder] = IntMap()
        self.rungs: IntMap[Rung] = IntMap()
        self.strays: IntMap[Order] = IntMap()
        self.stray_gtts: IntMap[Gtt] = IntMap()
        self.dry_run_entries: list[Order] = []
        self.changed_rungs: IntMap[Rung] = IntMap()
        self.changed_ladders: IntMap[Ladder] = IntMap()
        self.next_number: i64 = first
        self.clock_idle = False
        self.is_blind = False
        self.ready = False
        self.halted = False
        self.flattening = False
        self.simulated = False
        """Whether orders go to the core's own exchange, which takes only regular and iceberg."""
        self.open: i64 = 0
        self.close: i64 = 0
        self.today: i64 = 0
        self.net_at_open: i64 = 0
        self.peak: i64 = 0
        self.losses: i64 = 0
        self.entry_count: i64 = 0
        self.round_trips: i64 = 0
        self.refusal_count: i64 = 0
        self.tick_count: i64 = 0
        self.bar_count: i64 = 0
        self.late_after: i64 = 0
        """How old a packet may be by its stamp before it counts as stale, ns; 0: any age."""

    @property
    def day_pnl(self) -> i64:
        """Return the P&L of the day after charges, in paise."""
        return self.ledger.net - self.net_at_open

    def is_stopped_by_hand(self, strategy: str) -> bool:
        """Return whether the operator has stopped a strategy for the day."""
        for slot in self.slots:
            if slot.name == strategy:
                return slot.hand_stopped
        return False

    def begin_day(self) -> None:
        """Begin the day's counts anew, and let strategies on that a limit or a hand had stopped.

        They are entries, losses and the P&L.
        """
        self.notes.begin_day()
        self.entry_count = 0
        self.losses = 0
        self.net_at_open = self.ledger.net
        self.peak = 0
        for slot in self.slots:
            slot.net_at_open = self.ledger.strategy_net(slot.name)
            slot.peak = 0
            slot.losses = 0
            # One that a fault of its own has stopped stays so until somebody has looked.
            if slot.limit_stopped or (slot.hand_stopped and slot.error is None):
                slot.stopped = ""
            slot.limit_stopped = False
            slot.hand_stopped = False
