"""The ground of a replay: one kernel, one venue, and the way between them."""

from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from compiled.accounting.charges import ChargeRates
from compiled.backtest.recording import RecordedSessions
from compiled.model.events import KernelCommand, OperatorAct, OperatorInstruction, TimerEvent
from compiled.model.values import NEVER
from compiled.trading.desk_state import InstrumentState
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import Rung, RungState
from compiled.venue.instrument_venue import InstrumentVenue
from compiled.venue.venue import SimulatedVenue

# Changes to forget at a time: sweeping after every order costs more than the few it frees.
FEW: Final[i64] = 32


@final
class RungRecord:
    """The facts of a round trip beyond its fills: why it was entered, and why it `ended`."""

    def __init__(self, rung: Rung, reason: str) -> None:
        self.rung_id = rung.rung_id
        self.ladder_id = rung.ladder_id
        self.number = rung.number
        self.reason = reason
        self.ended = rung.exit_reason


class SessionLoop:
    """One kernel and one venue, and the way between them."""

    def __init__(
        self, kernel: Kernel, venue: SimulatedVenue, tokens: list[int], sessions: RecordedSessions
    ) -> None:
        """Raise `KeyError` for a token that the kernel or the venue does not know."""
        self.kernel = kernel
        self.venue = venue
        self.sessions = sessions
        self.markets: list[InstrumentState] = [kernel.state.markets[token] for token in tokens]
        self.instrument_venues: list[InstrumentVenue] = [
            venue.instrument_venues[token] for token in tokens
        ]
        self.day_volumes = vec[i64]([0 for _ in tokens])
        self.times = vec[i64]()
        self.equity = vec[i64]()
        self.points: i64 = 0
        self.room: i64 = 2 * FEW
        self.close: i64 = 0
        self.rates: dict[int, ChargeRates] | None = None
        self.notes: list[list[int]] = []
        """The lines of each session's contract notes (`DayNotes.lines`)."""
        self.keeps_decisions = False
        """Whether decisions stay in `Kernel.decisions.fresh`, to be read when all is over."""
        self.rungs: list[RungRecord] = []
        """Of every rung that has bought; of one that stands there twice the later counts."""

    def begin_session(self, index: i64, since: i64 = NEVER) -> None:
        """Begin the session of that index, at its open or earlier, `since` (ns UTC).

        The operator is there, and lifts a halt of the day before.
        """
        sessions = self.sessions
        opened = min(sessions.opens[index], since)
        self.close = sessions.closes[index]
        sessions.index = index
        # Days with the same charges share one object, so identity tells whether they have changed.
        if sessions.rates and sessions.rates[index] is not self.rates:
            self.rates = sessions.rates[index]
            self.reprice(sessions.rates[index])
        self.kernel.begin_session(sessions.opens[index], self.close, sessions.hours[index])
        self.venue.begin_session(sessions.opens[index], self.close)
        if self.kernel.state.halted:
            self.send_commands(
                self.kernel.handle(OperatorInstruction(opened, OperatorAct.RESUME)), opened
            )
        self.send_commands(
            self.kernel.handle(OperatorInstruction(opened, OperatorAct.READY)), opened
        )
        # A stop taken away makes room for the exit before the first price.
        self.deliver_reports(opened)
        for slot in range(i64(len(self.day_volumes))):
            self.day_volumes[slot] = 0

    def end_session(self) -> None:
        """End the session at its close: the last timer, then the orders of the day expire."""
        if self.close == 0:
            return
        # The kernel knows every report of the day before the last timer decides on it (rule 25).
        self.deliver_reports(self.close)
        self.send_commands(self.kernel.handle(TimerEvent(self.close)), self.close)
        self.venue.end_session(self.close)
        self.deliver_reports(self.close)
        self.notes.append(self.kernel.state.notes.lines())

    def reprice(self, rates: dict[int, ChargeRates]) -> None:
        """Charge by other rates from now on."""
        self.kernel.reprice(rates)

    def send_commands(self, commands: list[KernelCommand], now: i64) -> None:
        """Pass on the kernel's commands."""
        if commands:
            self.venue.take_commands(commands, now)
            commands.clear()

    def deliver_reports(self, until: i64) -> None:
        """Pass the exchange's reports by `until` to the kernel, each at its time."""
        venue = self.venue
        while True:
            # A report may cause a request that arrives before the next report is due, so both
            # queues are looked at in turn.
            venue.advance(until)
            due = venue.reports.due
            if due > until:
                return
            self.send_commands(self.kernel.handle_next(venue.reports.take_report()), due)

    def forget_changes(self) -> None:
        """Drop changes and ended orders.

        They are not written down here, and small tables stay in the cache.
        """
        kernel = self.kernel
        out = kernel.order_store
        if len(kernel.state.changed_rungs) + len(out.changed_orders) < FEW:
            return
        self.collect_closed_rungs()
        out.changed_orders.clear()
        out.changed_gtts.clear()
        kernel.state.changed_rungs.clear()
        kernel.state.changed_ladders.clear()
        if not self.keeps_decisions:
            kernel.decisions.forget()
        # Twice what is left is room until the next time: the cost of pruning stays a share of what
        # is pruned.
        if len(out.orders) + len(out.gtts) > self.room:
            kernel.prune()
            self.room = max(2 * FEW, 2 * (len(out.orders) + len(out.gtts)))

    def collect_closed_rungs(self) -> None:
        """Take note of the rungs that have come to their end."""
        kernel = self.kernel
        for rung in kernel.state.changed_rungs.values():
            if rung.state is RungState.CLOSED and rung.bought > 0:
                ladder = kernel.state.owners.get(int(rung.ladder_id))
                self.rungs.append(RungRecord(rung, "" if ladder is None else ladder.reason))

    def collect_open_rungs(self) -> None:
        """Take note of all others, at the end."""
        self.collect_closed_rungs()
        for ladder in self.kernel.state.ladders.values():
            for rung in ladder.rungs:
                if rung.state is not RungState.CLOSED and rung.bought > 0:
                    self.rungs.append(RungRecord(rung, ladder.reason))

    def reserve_curve(self, points: i64) -> None:
        """Make room for a curve of so many points."""
        self.times = vec[i64]([0] * int(points))
        self.equity = vec[i64]([0] * int(points))

    def add_curve_point(self, ts: i64, net: i64) -> None:
        """Add a point to the curve: the P&L after charges (paise) at a time."""
        at = self.points
        self.points = at + 1
        if at < len(self.times):
            self.times[at] = ts
            self.equity[at] = net
        else:
            self.times = append(self.times, ts)
            self.equity = append(self.equity, net)
