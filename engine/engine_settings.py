"""The desk's arguments: the operator's settings, and the outside world."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from compiled.model.order_terms import DEFAULT_ESCALATION, ExitEscalation
from compiled.model.values import Bar
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy
from engine.config.schema import GatewaySettings, GovernorSettings, ReconcileSettings
from engine.day.day_loop import DayLoop
from engine.day.replay_control import ReplayControl
from engine.day.warm_up import Stored
from engine.manual.margin import Margins
from engine.manual.strategy_acts import StrategyWorkshop
from engine.market.calendar import Calendar
from engine.market.charges import ChargeSource
from engine.ops.health_sources import HealthSources
from engine.orders.killswitch import KillSwitch
from engine.ports import (
    Broker,
    BrokerRules,
    Clock,
    ExchangePacer,
    Feed,
    FeedRecord,
    Journal,
    RecordedScript,
)
from engine.promotion.file_changes import DayChange


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The operator's settings, in the engine's units.

    `subscriptions` maps a strategy to its symbols (none: all).
    """

    mode: str
    limits: RiskLimits
    spans: tuple[int, ...]
    watch: tuple[str, ...] = ()
    modes: Mapping[str, str] = field(default_factory=dict)
    """Further symbols, only watched, and the mode of their packets: "quote" or "ltp"."""
    watch_mode: str = "full"
    """That of what is in `watch` and no strategy trades."""
    governor: GovernorSettings = field(default_factory=GovernorSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    exits: ExitEscalation = DEFAULT_ESCALATION
    reconcile: ReconcileSettings = field(default_factory=ReconcileSettings)
    lanes: int = 2
    """Requests that may change something at the same time.

    As many as the broker has threads for them.
    """
    stale_after_s: float = 10.0
    late_after_s: float = 10.0
    """How old a packet may be by the exchange's stamp."""
    bands_every_s: float = 30.0
    """Between readings of the price bands of what is held or near an edge of its band."""
    square_off_before_s: float = 120.0
    """How long before the broker's own square-off the desk leaves its intraday positions."""
    actions: Path | None = None
    """NSE's list of corporate actions, to hold against what is carried over an ex-date."""
    subscriptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tag_salt: str = "00"
    ran: str = ""
    """What the desk runs with, as JSON: the journal keeps it, so that the day can be run again."""
    rules: BrokerRules = field(default_factory=BrokerRules)
    """What the broker takes that orders go to."""
    broker: str = "sandbox"
    """The name of the one whose market data comes."""
    speed: float = 1.0
    """How many times as fast as the machine's the desk's clock runs; 0.0: as fast as it can."""
    simulated: bool = False
    """Whether orders go to the core's own exchange."""
    refusal: str = ""
    """Why nothing is taken by hand; empty: it is."""
    jitter: int = 0
    """From which the waits before refused requests are drawn."""
    beat_s: float = 0.1
    """How long the engine naps at most when nothing happens."""


class DayTerms(NamedTuple):
    """The terms of a day that may be others than the day's before, asked for as it opens.

    `limits` are as configured, `ran` as in `EngineSettings`. `changes` are told once the day is
    open, and `fault` is: why what was promoted cannot be used. `opened` is called after that.
    `overdue` says which of it nobody has evaluated for a week.
    """

    subscriptions: Mapping[str, tuple[str, ...]]
    limits: RiskLimits
    ran: str
    changes: Sequence[DayChange]
    fault: str
    overdue: str
    opened: Callable[[], None]


class EnginePorts(NamedTuple):
    """The outside world, as the desk is handed it.

    `keep_bars` takes closed bars and must not block. `beside` gives tasks beside an opened day, on
    its loop, until the next one opens, `throughout` those from the first opened day to the end,
    nights and openings included. `tomorrow` makes the strategies of the next day: with it the desk
    goes on from day to day, without it the day it opened is its last. `margins` asks the broker for
    the margin of orders, `stored` looks up the minutes that this desk has kept, `consents` returns
    whether holdings may be sold without an authorisation by the day (None: not known), `record`
    keeps the feed's frames, `script` is a recorded desk's script, in place of a feed, `keep_past`
    takes the bars of earlier days that were read for the warm-up, as `keep_bars`, `terms` returns
    what else the strategies of a day come with, `workshop` makes one of them anew in the day,
    `control` is the pace of a day in lockstep that somebody watches, `health` reads what other
    threads know of theirs, `note_event` is given every line of the event log: level, name, text.
    """

    broker: Broker
    feed: Feed
    journal: Journal
    clock: Clock
    kill: KillSwitch
    calendar: Calendar
    charges: ChargeSource
    pacer: ExchangePacer | None = None
    keep_bars: Callable[[list[Bar]], None] | None = None
    beside: Callable[[DayLoop], Iterable[Coroutine[None, None, None]]] = lambda _: ()
    tomorrow: Callable[[], Sequence[Strategy]] | None = None
    margins: Margins | None = None
    stored: Stored | None = None
    consents: Callable[[], bool | None] = lambda: None
    throughout: Callable[[DayLoop], Iterable[Coroutine[None, None, None]]] = lambda _: ()
    record: FeedRecord | None = None
    script: RecordedScript | None = None
    keep_past: Callable[[list[Bar]], None] | None = None
    terms: Callable[[], DayTerms] | None = None
    workshop: StrategyWorkshop | None = None
    control: ReplayControl | None = None
    health: HealthSources | None = None
    note_event: Callable[[str, str, str], None] = lambda *_: None

    @property
    def has_receipt_times(self) -> bool:
        """Return whether packets have times of receipt and can be late.

        They have none where the clocks stand still together.
        """
        return self.pacer is None or self.script is not None
